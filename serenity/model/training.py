"""Training: one attribute's transformer at a time, on windows drawn anew each epoch, with Keras's `fit`."""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.model.quartet import QuartetSettings
from serenity.model.transformer import build_network, get_weights, set_weights
from serenity.tokens.corpus import Corpus
from serenity.tokens.vocabulary import ATTRIBUTES, END, PAD, SPECIALS
from serenity.tokens.windows import WindowSettings, batches, draw_places, tile_places


@dataclass(frozen=True)
class TrainingSettings:
    """How the networks are trained."""

    epochs: int = 10
    batch: int = 8                 # windows a step
    learning_rate: float = 1e-3    # at its peak
    warmup: float = 0.05           # share of all steps over which the learning rate climbs
    weight_decay: float = 0.01
    seed: int = 0

    def __post_init__(self):
        for name, lowest in (("epochs", 1), ("batch", 1)):
            if getattr(self, name) < lowest:
                raise InputError(f"{name} {getattr(self, name)}, wanted {lowest} or more")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"learning rate {self.learning_rate}, wanted above 0 and below 1")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warm-up {self.warmup}, wanted a share from 0 to below 1")


class WindowDataset(keras.utils.PyDataset):
    """The windows of each epoch, in batches, for `fit`: inputs, target tokens of one attribute, and their weights.

    What an epoch shows follows from `seed` and the epoch's number alone, so that a resumed run goes on as a whole one.
    """

    def __init__(self, songs: list[np.ndarray], attribute: str, window: WindowSettings, batch: int, seed: int,
                 epoch: int = 0):
        super().__init__()
        self.songs, self.window, self.batch = songs, window, batch
        self.column = ATTRIBUTES.index(attribute)
        self.seed, self.epoch = seed, epoch
        self.lengths = [len(song) for song in songs]
        self.steps = math.ceil(sum(self.lengths) / (window.continuation * batch))
        self._draw()

    def _draw(self):
        places = draw_places(self.lengths, self.window, np.random.default_rng([self.seed, self.epoch]))
        self.places = np.resize(places, (self.steps * self.batch, places.shape[1]))  # the same number in every epoch

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        batch = next(batches(self.songs, self.places[index * self.batch:(index + 1) * self.batch], self.window,
                             self.batch))
        return inputs_and_targets(batch, self.column)

    def on_epoch_end(self):
        """Draw the next epoch's windows."""
        self.epoch += 1
        self._draw()


def inputs_and_targets(batch, column: int) -> tuple[dict, np.ndarray, np.ndarray]:
    """Return a batch as a network's inputs, its target tokens (batch, continuation), and their weights 1 or 0.

    The song's end is one decision, taken with the step: for the other attributes END counts as nothing.
    """
    target = batch.target[..., column]
    counts = target != PAD if column == ATTRIBUTES.index("step") else target >= SPECIALS
    return {"prompt": batch.prompt, "past": batch.past, "target": batch.target}, target, counts.astype(np.float32)


def train_network(corpus: Corpus, settings: QuartetSettings, attribute: str, training: TrainingSettings, folder: Path,
                  resume: bool = False) -> dict:
    """Train one attribute's transformer, keep its best weights in the model's folder, and return its figures.

    After each epoch the whole state stands in `folder`/training, from which `resume` goes on. Returns parameters,
    epochs, minutes, bits (per validation event), unigram_bits and accuracy.
    """
    keras.utils.set_random_seed(training.seed)
    state = folder / "training" / f"{attribute}.weights.h5"
    progress_file = state.with_name(f"{attribute}.json")
    state.parent.mkdir(parents=True, exist_ok=True)

    songs, validation = corpus.of_split("train"), corpus.of_split("validation")
    network = build_network(settings, attribute)
    dataset = WindowDataset(songs, attribute, settings.window, training.batch, training.seed)
    compile_network(network, training, len(dataset))

    progress = {"epochs": 0, "minutes": 0.0, "best_bits": math.inf}
    if resume and progress_file.is_file():
        progress = checkpoint.read_json(progress_file)
        network.optimizer.build(network.trainable_variables)
        network.load_weights(state)
        dataset = WindowDataset(songs, attribute, settings.window, training.batch, training.seed, progress["epochs"])

    started = time.monotonic() - 60 * progress["minutes"]

    def keep(epoch: int, logs: dict) -> None:
        if not math.isfinite(logs["loss"]):
            raise InputError(f"the loss of {attribute} became {logs['loss']} in epoch {epoch + 1}; the last good state "
                             "is kept: run again with --resume and a lower --learning-rate")
        figures = evaluate(network, attribute, settings.window, validation, training.batch) if validation else logs
        bits = figures.get("bits", logs["loss"] / math.log(2))
        print(f"  {attribute} epoch {epoch + 1}/{training.epochs}: validation {bits:.3f} bits per event, "
              f"accuracy {figures['accuracy']:.1%}", flush=True)
        if bits < progress["best_bits"]:
            progress["best_bits"] = bits
            checkpoint.write_weights(folder, attribute, get_weights(network))
        progress.update(epochs=epoch + 1, minutes=(time.monotonic() - started) / 60)
        network.save_weights(state)
        checkpoint.write_json(progress_file, progress)

    if progress["epochs"] < training.epochs:
        # The bar stands first, so that it is finished before `keep` prints.
        network.fit(dataset, epochs=training.epochs, initial_epoch=progress["epochs"], shuffle=False,
                    verbose=int(sys.stdout.isatty()),
                    callbacks=[keras.callbacks.ProgbarLogger(), keras.callbacks.LambdaCallback(on_epoch_end=keep)])
    set_weights(network, checkpoint.read_weights(folder, attribute, settings))  # as they are on disk: halves
    judged = validation or songs
    figures = evaluate(network, attribute, settings.window, judged, training.batch)
    return {"parameters": network.count_params(), "epochs": progress["epochs"], "minutes": progress["minutes"],
            **figures, "unigram_bits": unigram_bits(corpus, attribute, judged)}


def compile_network(network: keras.Model, training: TrainingSettings, steps: int) -> None:
    """Give a network its loss and optimizer: AdamW, a linear warm-up, then a cosine down to a twentieth."""
    total = training.epochs * steps
    warmup = int(training.warmup * total)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), alpha=0.05, warmup_target=training.learning_rate, warmup_steps=max(1, warmup))
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=training.weight_decay, beta_2=0.98, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    network.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")])


def evaluate(network: keras.Model, attribute: str, window: WindowSettings, songs: list[np.ndarray],
             batch: int) -> dict[str, float]:
    """Return `bits` per event and `accuracy` over songs, each event met exactly once.

    The bits of the end of each song are counted with the step. An event that opens a window has the prompt alone as
    its past.
    """
    column = ATTRIBUTES.index(attribute)
    bits = hits = events = decisions = 0.0
    for windows in batches(songs, tile_places([len(song) for song in songs], window), window, batch):
        inputs, target, weight = inputs_and_targets(windows, column)
        logits = network.predict_on_batch(inputs)
        nats = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
        bits += float(ops.sum(nats * weight)) / math.log(2)
        hits += float(np.sum((ops.convert_to_numpy(ops.argmax(logits, -1)) == target) * weight))
        decisions += float(weight.sum())
        events += float(np.sum((target != PAD) & (target != END)))
    return {"bits": bits / events, "accuracy": hits / decisions}


def unigram_bits(corpus: Corpus, attribute: str, songs: list[np.ndarray]) -> float:
    """Return the bits per event that the training songs' counts alone give on `songs` (add-one smoothed)."""
    column = ATTRIBUTES.index(attribute)
    counts = np.ones(corpus.vocabulary[attribute].size - SPECIALS)
    for song in corpus.of_split("train"):
        counts += np.bincount(song[:, column] - SPECIALS, minlength=len(counts))
    cost = -np.log2(counts / counts.sum())
    return float(np.mean(cost[np.concatenate(songs)[:, column] - SPECIALS]))
