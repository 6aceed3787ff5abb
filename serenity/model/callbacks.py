"""What happens before and after an epoch, in addition to Keras's own callbacks."""

import csv
import time
from pathlib import Path

import keras
import numpy as np

from serenity.errors import InputError
from serenity.files import whole
from serenity.model import checkpoint, state
from serenity.model.dataset import Task
from serenity.model.evaluation import evaluate
from serenity.model.sample_song import Draw, write_sample
from serenity.model.state import Progress
from serenity.model.transformer import Transformer, get_weights, set_weights

EVERY = 60  # seconds between two reports within an epoch


class Reseed(keras.callbacks.Callback):
    """Makes dropout depend only on the run's seed and the epoch's number, so that a resumed run is like a whole one.

    Each of Keras's seed generators starts anew in every epoch.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        states = [variable for variable in self.model.non_trainable_variables
                  if variable.name == "seed_generator_state"]
        seeds = np.random.SeedSequence([self.seed, epoch]).generate_state(len(states)) >> 1  # whatever type they have
        for variable, seed in zip(states, seeds.tolist()):
            variable.assign(np.array([seed, 0]))


class Judge(keras.callbacks.Callback):
    """Adds to the logs of an epoch how good the network is: val_bits (per event) and val_accuracy."""

    def __init__(self, task: Task, network: Transformer, twin: Transformer):
        """`twin` makes the predictions; where it is another network, it gets the weights of `network` each time."""
        super().__init__()
        self.task, self.network, self.twin = task, network, twin

    def figures(self) -> dict[str, float]:
        """Return the network's `bits` per event and `accuracy`."""
        if self.twin is not self.network:
            set_weights(self.twin, get_weights(self.network))
        return evaluate(self.twin, self.task.attribute, self.task.settings, self.task.judged, self.task.training.batch)

    def on_epoch_end(self, epoch, logs):
        logs |= {f"val_{name}": value for name, value in self.figures().items()}
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class Keep(keras.callbacks.Callback):
    """Writes the weights if they need the fewest bits so far, and a sample to hear; then the state; and reports.

    The state, from which a run goes on, comes last. If the process ends before that, the epoch is done again and
    everything is written again. A run that has lost its patience ends here.
    """

    def __init__(self, task: Task, folder: Path, progress: Progress, draw: Draw | None):
        super().__init__()
        self.task, self.folder, self.progress, self.draw = task, folder, progress, draw
        self.started = time.monotonic() - 60 * progress.minutes

    def on_epoch_end(self, epoch, logs):
        progress, attribute, bits = self.progress, self.task.attribute, logs["val_bits"]
        if not np.isfinite(bits):
            raise InputError(f"{attribute} costs {bits} bits per event after epoch {epoch + 1}; the epoch before is "
                             "kept: run again with --resume and half the --learning-rate")
        is_better = bits < progress.best_bits
        if is_better:
            checkpoint.write_weights(self.folder, attribute, get_weights(self.model))
            progress.best_bits, progress.best_epoch = bits, epoch + 1
            write_sample(self.task, self.folder, epoch + 1, self.draw)
        progress.epochs, progress.minutes = epoch + 1, (time.monotonic() - self.started) / 60
        state.write(checkpoint.state_path(self.folder, attribute), self.model, progress)
        print(f"  {attribute} epoch {epoch + 1}/{self.task.training.epochs}: validation {bits:.3f} bits per event, "
              f"accuracy {logs['val_accuracy']:.1%}{'' if is_better else f'; epoch {progress.best_epoch} was better'}",
              flush=True)
        self.model.stop_training = progress.is_over(self.task.training)


class Report(keras.callbacks.Callback):
    """Says once a minute how far an epoch is: for a log file, in which a progress bar would fill many lines."""

    def __init__(self, attribute: str, epochs: int):
        super().__init__()
        self.attribute, self.epochs = attribute, epochs

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.begun = epoch, time.monotonic()
        self.said = self.begun

    def on_train_batch_end(self, batch, logs=None):
        now, done, steps = time.monotonic(), batch + 1, self.params["steps"]
        if now - self.said >= EVERY:
            self.said = now
            left = (now - self.begun) / done * (steps - done) / 60
            print(f"  {self.attribute} epoch {self.epoch + 1}/{self.epochs}: {done:,} of {steps:,} batches, loss "
                  f"{logs['loss']:.3f} nats, {left:.0f} min to go", flush=True)


def loggers(folder: Path, attribute: str, epochs: int) -> list[keras.callbacks.Callback]:
    """Return the callbacks that log a run which begins after so many epochs: to folder/training/ATTRIBUTE.csv, and for
    TensorBoard in a folder beside it."""
    table = folder / "training" / f"{attribute}.csv"
    _cut(table, epochs)
    return [keras.callbacks.CSVLogger(table, append=epochs > 0),
            keras.callbacks.TensorBoard(table.with_suffix(""), write_graph=False)]


def _cut(table: Path, epochs: int) -> None:
    """Remove from a table what an interrupted run wrote after its last whole epoch."""
    if table.exists():
        with open(table, newline="", encoding="utf-8") as file, whole(table) as part, \
                open(part, "w", newline="", encoding="utf-8") as cut:
            csv.writer(cut).writerows(list(csv.reader(file))[:1 + epochs])
