"""What a network is worth: bits per event on songs that it was not trained on."""

import math

import keras
import numpy as np
from keras import ops

from serenity.model.dataset import inputs_and_targets
from serenity.model.quartet import QuartetSettings
from serenity.tokens.corpus import Corpus
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS
from serenity.tokens.windows import batches, tile_places


def evaluate(network: keras.Model, attribute: str, settings: QuartetSettings, songs: list[np.ndarray],
             batch: int) -> dict[str, float]:
    """Return `bits` per event and `accuracy` over songs, each event met exactly once.

    The bits of the end of each song are counted with the step. An event that opens a window has the prompt alone as
    its past.
    """
    bits = hits = events = decisions = 0.0
    places, encoder = tile_places([len(song) for song in songs], settings.window), settings.has_encoder(attribute)
    for windows in batches(songs, places, settings.window, batch, encoder):
        inputs, target, decided = inputs_and_targets(windows, attribute)
        weight = (decided & windows.counted).astype(np.float32)
        logits = network.predict_on_batch(inputs)
        nats = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
        bits += float(ops.sum(nats * weight)) / math.log(2)
        hits += float(np.sum((ops.convert_to_numpy(ops.argmax(logits, -1)) == target) * weight))
        decisions += float(weight.sum())
        events += float(np.sum((target >= SPECIALS) & windows.counted))
    return {"bits": bits / events, "accuracy": hits / decisions}


def unigram_bits(corpus: Corpus, attribute: str, songs: list[np.ndarray]) -> float:
    """Return the bits per event that the training songs' counts alone give on `songs` (add-one smoothed)."""
    column = ATTRIBUTES.index(attribute)
    counts = np.ones(corpus.vocabulary[attribute].size - SPECIALS)
    for song in corpus.of_split("train"):
        counts += np.bincount(song[:, column] - SPECIALS, minlength=len(counts))
    cost = -np.log2(counts / counts.sum())
    return float(np.mean(cost[np.concatenate(songs)[:, column] - SPECIALS]))
