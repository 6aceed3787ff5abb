"""Training: one attribute's transformer at a time, on windows that are drawn anew for each epoch, with Keras's `fit`.

In the model's folder each network leaves its best weights, and in training/ these files:

    pitch.state.npz         the state after the last epoch, to go on from (see state.py)
    pitch.csv, pitch/       the figures of each epoch: as a table, and for TensorBoard
    samples/                after each epoch that improved: a song (see sample_song.py) and its picture
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import keras
from keras import ops

from serenity.files import remove_leftovers
from serenity.model import checkpoint, state
from serenity.model.callbacks import Judge, Keep, Report, Reseed, loggers
from serenity.model.dataset import Task, WindowDataset
from serenity.model.devices import Devices, explained, precision
from serenity.model.evaluation import Crossentropy, accuracy
from serenity.model.sample_song import Draw
from serenity.model.state import Progress
from serenity.model.transformer import Transformer, set_weights
from serenity.settings import TrainingSettings
from serenity.tokens.vocabulary import ATTRIBUTES

FLOOR = 0.05      # share of the highest learning rate at the end
CLIP_NORM = 1.0   # greatest length of the gradient of all weights together
BETA_2 = 0.98     # forgets sooner than Adam's 0.999 (arXiv 1706.03762, section 5.3)
TABLES = rf"/(embedding|past|present)_({'|'.join(ATTRIBUTES)}|features|bars)$"  # a row a token: Adam suits these
UNDECAYED = ("bias", "beta", "gamma")  # weight decay leaves them alone


def train_network(task: Task, folder: Path, resume: bool = False, draw: Draw | None = None,
                  devices: Sequence[str] | None = None) -> dict:
    """Train one attribute's transformer, keep its best weights in the model's folder, and return its figures.

    The best are those with the fewest bits per validation event (per training event, if there is no validation song).
    After each epoch the whole state is written to `folder`/training, and `resume` goes on from there: on a processor
    the weights become the same, bit for bit, as without the interruption. `draw` makes pictures of the samples.
    `devices` are named as in devices.Devices.

    Returns parameters, epochs, minutes, bits (per event), unigram_bits, accuracy and settings; with `task.start` also
    base_bits, the bits of the network that it begins with.
    Raises InputError for faults that a user can mend: memory, disk, a learning rate that was too high.
    """
    attribute, training, base = task.attribute, task.training, task.start
    path = checkpoint.state_path(folder, attribute)
    path.parent.mkdir(parents=True, exist_ok=True)
    for place in (folder, path.parent, path.parent / "samples"):
        remove_leftovers(place.glob(f".{attribute}[.-]*"))
    progress, arrays = state.read(path) if resume and path.is_file() else (Progress(), None)
    if not progress.is_over(training) and (difference := progress.take(training)):
        print(f"  {attribute} goes on from epoch {progress.epochs + 1} with other settings: {difference}", flush=True)
    keras.utils.clear_session()  # removes what the network before has left
    with explained(attribute), precision(training.precision):
        on = Devices(training, devices)
        network, dataset = prepare(task, on, progress.epochs)
        # Keras would predict each batch on every device. So a second network, on one device, is judged.
        judge = Judge(task, network, Transformer(task.settings, attribute, task.corpus.vocabulary)
                      if on.strategy else network)
        if arrays is not None:
            state.restore(network, arrays, progress.epochs * len(dataset))
        elif base is not None:
            set_weights(network, base.weights[attribute])
            progress.base_bits = progress.best_bits = judge.figures()["bits"]
            checkpoint.write_weights(folder, attribute, base.weights[attribute])
        if not progress.is_over(training):
            seen = sys.stdout.isatty()
            network.fit(dataset, epochs=training.epochs, initial_epoch=progress.epochs, shuffle=False,
                        verbose=int(seen), callbacks=[
                            # First, so that the bar is complete before others print.
                            keras.callbacks.ProgbarLogger() if seen else Report(attribute, training.epochs),
                            keras.callbacks.TerminateOnNaN(raise_error=True),
                            Reseed(training.seed), judge, *loggers(folder, attribute, progress.epochs),
                            Keep(task, folder, progress, draw)])
        set_weights(network, checkpoint.read_weights(folder, attribute, task.settings))  # in half precision, as written
        figures = {"parameters": network.count_params(), "epochs": progress.epochs, "minutes": progress.minutes,
                   **judge.figures(), "unigram_bits": task.corpus.unigram_bits(attribute, task.judged),
                   "settings": progress.settings}
    return figures if progress.base_bits is None else figures | {"base_bits": progress.base_bits}


def prepare(task: Task, on: Devices, epoch: int = 0) -> tuple[Transformer, WindowDataset]:
    """Return a network with random weights, ready for `fit`, and the dataset from `epoch` on."""
    dataset = WindowDataset(task, epoch)
    keras.utils.set_random_seed(task.training.seed)
    with on.scope():
        network = Transformer(task.settings, task.attribute, task.corpus.vocabulary)
        compile_network(network, task.training, len(dataset), on.count)
        network.optimizer.build(network.trainable_variables)
    if on.strategy:
        network.test_on_batch(*dataset[0])  # else Keras builds its metrics from an average of tokens: no token at all
    return network, dataset


def compile_network(network: keras.Model, training: TrainingSettings, steps: int, devices: int = 1) -> None:
    """Give a network its loss and optimizer.

    `steps` are the batches of an epoch: the schedule counts batches, even if several make one step of the optimizer.
    """
    network.compile(optimizer=muon(training, schedule(training, training.epochs * steps), devices),
                    loss=Crossentropy(training.label_smoothing), weighted_metrics=[accuracy()],
                    jit_compile=training.xla and devices == 1)


# --- the optimizer ----------------------------------------------------------------------------------------------------

def schedule(training: TrainingSettings, total: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of each of `total` batches: a linear warm-up, then a cosine down to FLOOR."""
    warmup = max(1, int(training.warmup * total))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), alpha=FLOOR, warmup_target=training.learning_rate, warmup_steps=warmup)


def muon(training: TrainingSettings, learning_rate: object, devices: int = 1) -> "Muon":
    """Return the optimizer; `learning_rate` is a number or a schedule.

    Muon takes steps that change all directions of a matrix alike (Jordan et al., "Muon: An optimizer for hidden layers
    in neural networks", 2024). It is scaled as in Liu et al., arXiv 2502.16982, section 2.2, so that it shares its
    learning rate with AdamW, which trains tables and vectors. Each of several devices clips its own share of the
    gradient before the shares are added.
    """
    optimizer = Muon(
        learning_rate, weight_decay=training.weight_decay, adam_weight_decay=training.weight_decay, adam_beta_2=BETA_2,
        exclude_layers=[TABLES], global_clipnorm=CLIP_NORM / devices,
        gradient_accumulation_steps=training.accumulate if training.accumulate > 1 else None)
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


class Muon(keras.optimizers.Muon):
    """Keras's Muon, with the same steps, but with less work for matrices that are not square."""

    def zeropower_via_newtonschulz5(self, x, steps: int):
        """Return x (rows, columns) with its singular values brought near 1, by `steps` steps of Newton and Schulz.

        A step turns x into (a + b g + c g^2) x, where g = x x^T. Steps commute with g. So only g and the product of
        the steps are needed in between, both of the size of the shorter side; x itself is used at the beginning and at
        the end. If a matrix is four times as wide as high, five steps take 56 products of its square part, not 90.
        """
        a, b, c = self.muon_a, self.muon_b, self.muon_c
        if x.shape[0] == x.shape[1]:
            return super().zeropower_via_newtonschulz5(x, steps)
        if x.shape[0] > x.shape[1]:
            return ops.transpose(self.zeropower_via_newtonschulz5(ops.transpose(x), steps))
        x = x / (ops.norm(x) + 1e-7)
        g, product = ops.matmul(x, ops.transpose(x)), None
        for step in range(steps):
            factor = b * g + c * ops.matmul(g, g) + a * ops.eye(x.shape[0])
            product = factor if product is None else ops.matmul(factor, product)
            if step < steps - 1:
                g = ops.matmul(ops.matmul(factor, g), factor)
        return ops.matmul(product, x)
