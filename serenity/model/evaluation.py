"""How good a network is: the loss that training minimises, and bits per event on songs that it does not learn from."""

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from serenity.model.dataset import inputs_and_targets
from serenity.model.fused import fused
from serenity.settings import ModelSettings
from serenity.tokens.vocabulary import SPECIALS
from serenity.tokens.windows import batches, tile_places


def of_target(target, logits):
    """Return the logits of the target tokens: (...), (..., tokens) -> (...)."""
    return ops.take_along_axis(logits, target[..., None], axis=-1)[..., 0]


# The nats of the target tokens: (...), logits (..., tokens) -> (...). Keras's own loss keeps a gradient as large as the
# logits.
surprise = fused(lambda target, logits: ops.logsumexp(logits, axis=-1) - of_target(target, logits))


class Crossentropy(keras.losses.Loss):
    """Cross-entropy of logits (batch, length, tokens) in nats, averaged over the events that count.

    The target is mixed with a share of `smoothing` of an even distribution over all tokens (Szegedy et al., arXiv
    1512.00567, section 7).
    """

    def __init__(self, smoothing: float):
        super().__init__(name="crossentropy", reduction="mean_with_sample_weight")
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        nats = surprise(ops.cast(y_true, "int32"), y_pred)  # Keras has turned the targets into floats
        if not self.smoothing:
            return nats
        even = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
        return (1 - self.smoothing) * nats + self.smoothing * even


def accuracy() -> keras.metrics.Metric:
    """Return the metric: the share of targets that are the likeliest token, or as likely as it.

    Keras's own looks for the first of the likeliest, and for zeros with a sign, which takes seven times as long.
    """
    return keras.metrics.MeanMetricWrapper(_hits, name="accuracy")


def _hits(target, logits):
    return ops.cast(ops.equal(of_target(ops.cast(target, "int32"), logits), ops.max(logits, axis=-1)), "float32")


# --- on whole songs ---------------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Judged:
    """How well a network predicts songs, as sums for each song, so that figures of any group of songs can be made."""

    bits: np.ndarray       # (songs,)
    events: np.ndarray     # (songs,)
    decisions: np.ndarray  # (songs,): events, and the end of the song if the attribute decides it
    hits: np.ndarray       # (tops, songs): decisions whose target is among so many likeliest tokens


def judge(network: keras.Model, attribute: str, settings: ModelSettings, songs: list[np.ndarray], batch: int,
          tops: tuple[int, ...] = (1,)) -> Judged:
    """Return how well a network predicts each of the songs (events, 4); each event is judged exactly once.

    The bits of the end of each song are counted with the step. The first event of a window has only the prompt as its
    past. `tops`: a hit is a target among so many likeliest tokens.
    """
    places, encoder = tile_places([len(song) for song in songs], settings.window), settings.has_encoder
    found = []  # of each window: bits, events, decisions, hits ...
    for windows in batches(songs, places, settings.window, batch, encoder):
        inputs, target, decided = inputs_and_targets(windows, attribute)
        is_decision = decided & windows.counted
        logits = network.predict_on_batch(inputs)
        nats = ops.convert_to_numpy(surprise(target, logits))
        rank = ranks(logits, target)
        parts = [nats / math.log(2) * is_decision, (target >= SPECIALS) & windows.counted, is_decision,
                 *((rank < top) & is_decision for top in tops)]
        found.append(np.stack([part.sum(axis=1, dtype=np.float64) for part in parts]))
    sums = np.zeros((len(songs), 3 + len(tops)))
    np.add.at(sums, places[:, 0], np.concatenate(found, axis=1).T)
    bits, events, decisions, *hits = sums.T
    return Judged(bits, events, decisions, np.array(hits))


def ranks(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return how many tokens are likelier than the target: (..., tokens), (...) -> (...). 0: it is the likeliest.

    Of equally likely tokens the lower one counts as likelier, as in drawing (generation.sample).
    """
    own = np.take_along_axis(logits, target[..., None], axis=-1)
    ahead = (logits > own) | (logits == own) & (np.arange(logits.shape[-1]) < target[..., None])
    return ahead.sum(axis=-1)


def evaluate(network: keras.Model, attribute: str, settings: ModelSettings, songs: list[np.ndarray],
             batch: int) -> dict[str, float]:
    """Return `bits` per event and `accuracy` over songs, as `judge` counts them."""
    judged = judge(network, attribute, settings, songs, batch)
    return {"bits": float(judged.bits.sum() / judged.events.sum()),
            "accuracy": float(judged.hits[0].sum() / judged.decisions.sum())}
