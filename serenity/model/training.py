"""Training: one attribute's transformer at a time, on windows that are drawn anew for each epoch, with Keras's `fit`.

In the model's folder each network leaves its best weights, and in training/ these files:

    pitch.state.npz         the state after the last epoch, to go on from (see state.py)
    pitch.csv, pitch/       the figures of each epoch: as a table, and for TensorBoard
    samples/                after each epoch that improved: a song (see sample_song.py) and its picture
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from serenity.files import remove_leftovers
from serenity.model import checkpoint, sample_song, state
from serenity.model.callbacks import Judge, Keep, Patience, Report, Reseed, loggers
from serenity.model.checkpoint import Checkpoint
from serenity.model.dataset import WindowDataset
from serenity.model.devices import Devices, explained, precision
from serenity.model.evaluation import evaluate
from serenity.model.loss import Crossentropy, accuracy
from serenity.model.muon import Muon
from serenity.model.state import Progress
from serenity.model.transformer import build_network, get_weights, set_weights
from serenity.settings import ModelSettings, TrainingSettings
from serenity.tokens.corpus import Corpus
from serenity.tokens.vocabulary import ATTRIBUTES

FLOOR = 0.05      # share of the highest learning rate at the end
CLIP_NORM = 1.0   # greatest length of the gradient of all weights together
BETA_2 = 0.98     # forgets sooner than Adam's 0.999 (arXiv 1706.03762, section 5.3)
TABLES = rf"/(embedding|past|present)_({'|'.join(ATTRIBUTES)}|features|bars)$"  # a row a token: Adam suits these
UNDECAYED = ("bias", "beta", "gamma")  # weight decay leaves them alone

Draw = Callable[..., object]  # draw(path, notes, split=seconds where the continuation begins, title=text)


def train_network(corpus: Corpus, settings: ModelSettings, attribute: str, training: TrainingSettings, folder: Path,
                  resume: bool = False, start: Checkpoint | None = None, draw: Draw | None = None,
                  devices: Sequence[str] | None = None) -> dict:
    """Train one attribute's transformer, keep its best weights in the model's folder, and return its figures.

    The best are those with the fewest bits per validation event (per training event, if there is no validation song).
    After each epoch the whole state is written to `folder`/training, and `resume` goes on from there: on a processor
    the weights become the same, bit for bit, as without the interruption. Training begins with the weights of `start`,
    or with random ones. `draw` makes pictures of the samples. `devices` are named as in devices.Devices.

    Returns parameters, epochs, minutes, bits (per event), unigram_bits, accuracy and settings; with `start` also
    base_bits, the bits of `start`.
    Raises InputError for faults that a user can mend: memory, disk, a learning rate that was too high.
    """
    path = checkpoint.state_path(folder, attribute)
    path.parent.mkdir(parents=True, exist_ok=True)
    for place in (folder, path.parent, path.parent / "samples"):
        remove_leftovers(place.glob(f".{attribute}[.-]*"))
    progress, arrays = state.read(path) if resume and path.is_file() else (Progress(), None)
    if not progress.is_over(training) and (difference := progress.take(training)):
        print(f"  {attribute} goes on from epoch {progress.epochs + 1} with other settings: {difference}", flush=True)
    judged = corpus.of_split("validation") or corpus.of_split("train")
    keras.utils.clear_session()  # removes what the network before has left
    with explained(attribute), precision(training.precision):
        on = Devices(training, devices)
        network, dataset = prepare(corpus, settings, attribute, training, on, progress.epochs)
        # Keras would predict each batch on every device. So a second network, on one device, is judged.
        twin = build_network(settings, attribute, corpus.vocabulary) if on.strategy else network

        def judge() -> dict[str, float]:
            if twin is not network:
                set_weights(twin, get_weights(network))
            return evaluate(twin, attribute, settings, judged, training.batch)

        if arrays is not None:
            state.restore(network, arrays, progress.epochs * len(dataset))
        elif start is not None:
            set_weights(network, start.weights[attribute])
            progress.base_bits = progress.best_bits = judge()["bits"]
            checkpoint.write_weights(folder, attribute, start.weights[attribute])
        if not progress.is_over(training):
            def sample(epoch: int) -> None:
                write_sample(corpus, settings, attribute, folder, start, draw, epoch)

            seen = sys.stdout.isatty()
            network.fit(dataset, epochs=training.epochs, initial_epoch=progress.epochs, shuffle=False,
                        verbose=int(seen), callbacks=[
                            # First, so that the bar is complete before others print.
                            keras.callbacks.ProgbarLogger() if seen else Report(attribute, training.epochs),
                            keras.callbacks.TerminateOnNaN(raise_error=True),
                            Reseed(training.seed), Judge(judge), *loggers(folder, attribute, progress.epochs),
                            *([Patience(training.patience, progress)] if training.patience else []),
                            Keep(folder, attribute, progress, training.epochs, sample)])
        set_weights(network, checkpoint.read_weights(folder, attribute, settings))  # as on disk: in half precision
        figures = {"parameters": network.count_params(), "epochs": progress.epochs, "minutes": progress.minutes,
                   **judge(), "unigram_bits": corpus.unigram_bits(attribute, judged), "settings": progress.settings}
    return figures if progress.base_bits is None else figures | {"base_bits": progress.base_bits}


def prepare(corpus: Corpus, settings: ModelSettings, attribute: str, training: TrainingSettings, on: Devices,
            epoch: int = 0) -> tuple[keras.Model, WindowDataset]:
    """Return a network with random weights, ready for `fit`, and the dataset from `epoch` on."""
    dataset = WindowDataset(corpus, attribute, settings, training, epoch)
    keras.utils.set_random_seed(training.seed)
    with on.scope():
        network = build_network(settings, attribute, corpus.vocabulary)
        compile_network(network, training, len(dataset), on.count)
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


def schedule(training: TrainingSettings, total: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of each of `total` batches: a linear warm-up, then a cosine down to FLOOR."""
    warmup = max(1, int(training.warmup * total))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), alpha=FLOOR, warmup_target=training.learning_rate, warmup_steps=warmup)


def muon(training: TrainingSettings, learning_rate: object, devices: int = 1) -> Muon:
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


def adamw(training: TrainingSettings, learning_rate: object) -> keras.optimizers.Optimizer:
    """Return AdamW with the same settings, to compare Muon with."""
    optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=training.weight_decay, beta_2=BETA_2,
                                       global_clipnorm=CLIP_NORM)
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


def write_sample(corpus: Corpus, settings: ModelSettings, attribute: str, folder: Path, start: Checkpoint | None,
                 draw: Draw | None, epoch: int) -> None:
    """Write a sample song of the networks in the folder, after an epoch of one of them."""
    weights = dict(start.weights) if start else {}
    weights |= {name: checkpoint.read_weights(folder, name, settings) for name in ATTRIBUTES
                if checkpoint.weights_path(folder, name).is_file()}
    song = sample_song.compose(corpus.of_split("validation") or corpus.of_split("train"), settings, corpus.vocabulary,
                               weights)
    if song is None:
        return
    notes, begins = song
    path = folder / "training" / "samples" / f"{attribute}-epoch-{epoch:03}.mid"
    title = f"{attribute}, epoch {epoch}"
    sample_song.write(path, notes, title)
    if draw is not None:
        draw(path.with_suffix(".png"), notes, split=begins, title=title)
