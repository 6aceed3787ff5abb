"""What training shows: windows, drawn by chance for each epoch anew, in the form that Keras's `fit` wants."""

from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np

from serenity.model.checkpoint import Checkpoint
from serenity.settings import ModelSettings, TrainingSettings
from serenity.tokens.corpus import Corpus
from serenity.tokens.vocabulary import ATTRIBUTES, COLUMNS, LEFT, PAD, SPECIALS
from serenity.tokens.windows import Batch, cut, draw_places, expected_windows

TOLD = 0.25  # share of the windows that show how many bars of the song are left


@dataclass(frozen=True)
class Task:
    """What one training is about: songs, what the network is like, which attribute it predicts, and how it learns."""

    corpus: Corpus
    settings: ModelSettings
    attribute: str
    training: TrainingSettings
    start: Checkpoint | None = None  # whose weights it begins with; None: random ones

    @cached_property
    def judged(self) -> list[np.ndarray]:
        """The songs by which the network is judged: those of validation, or without any those of training."""
        return self.corpus.of_split("validation") or self.corpus.of_split("train")


class WindowDataset(keras.utils.PyDataset):
    """The windows of each epoch, in batches, for `fit`: inputs, target tokens of one attribute, and their weights.

    What an epoch shows depends only on the seed and the epoch's number. So a resumed run continues as if nobody had
    interrupted it.
    """

    def __init__(self, task: Task, epoch: int = 0):
        super().__init__()
        self.attribute, self.training, self.epoch = task.attribute, task.training, epoch
        self.window, self.encoder = task.settings.window, task.settings.has_encoder
        self.songs, self.shares = task.corpus.of_split("train"), task.corpus.shares(task.training.synthetic)
        self.lengths = [len(song) for song in self.songs]
        self.parts = self.training.parts(len(self.songs))
        windows = expected_windows(self.lengths, self.window, self.encoder, self.shares).sum()
        self.steps = max(1, round(windows / self.training.batch / self.parts))
        self._draw()

    def _draw(self):
        turn, part = divmod(self.epoch, self.parts)
        rng = np.random.default_rng([self.training.seed, turn])
        places = draw_places(self.lengths, self.window, rng, self.encoder, self.shares)
        shown = self.steps * self.training.batch  # the same number in every epoch
        chosen = np.resize(np.array_split(np.arange(len(places)), self.parts)[part], shown)
        self.places = places[chosen]

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rows = slice(index * self.training.batch, (index + 1) * self.training.batch)
        batch = cut(self.songs, self.places[rows], self.window, self.encoder)
        told = np.random.default_rng([self.training.seed, self.epoch, index]).random(len(batch.past)) < TOLD
        inputs, target, weight = inputs_and_targets(batch, self.attribute, told)
        return inputs, target, weight.astype(np.float32)

    def on_epoch_end(self):
        """Draw the next epoch's windows."""
        self.epoch += 1
        self._draw()


def inputs_and_targets(batch: Batch, attribute: str,
                       told: np.ndarray | None = None) -> tuple[dict, np.ndarray, np.ndarray]:
    """Return a batch as a network's inputs, its target tokens (batch, length), and which of them are decisions.

    The song's end is one decision, which belongs to the step: for the other attributes END does not count. `told`
    (batch,) bool says which windows show how many bars are left; None: no window does.
    """
    target = batch.target[..., ATTRIBUTES.index(attribute)]
    decided = target != PAD if attribute == "step" else target >= SPECIALS
    shown = np.ones((len(batch.past), 1, len(COLUMNS)), np.int32)
    shown[:, 0, LEFT] = 0 if told is None else told
    return {name: getattr(batch, name) * shown for name in ("prompt", "past", "target")}, target, decided
