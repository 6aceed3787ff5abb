"""What training shows: the windows of each epoch, drawn anew, as Keras's `fit` wants them."""

from collections.abc import Sequence

import keras
import numpy as np

from serenity.model.quartet import QuartetSettings
from serenity.tokens.vocabulary import ATTRIBUTES, PAD, SPECIALS
from serenity.tokens.windows import Batch, batches, draw_places, expected_windows


class WindowDataset(keras.utils.PyDataset):
    """The windows of each epoch, in batches, for `fit`: inputs, target tokens of one attribute, and their weights.

    What an epoch shows follows from `seed` and the epoch's number alone, so that a resumed run goes on as a whole one.
    `shares` are how much of each song an epoch shows, (songs,); None: all. With `parts`, that is shown in so many
    epochs, not in each.
    """

    def __init__(self, songs: list[np.ndarray], attribute: str, settings: QuartetSettings, batch: int, seed: int,
                 epoch: int = 0, parts: int = 1, shares: Sequence[float] | None = None):
        super().__init__()
        self.songs, self.attribute, self.batch = songs, attribute, batch
        self.window, self.encoder = settings.window, settings.has_encoder(attribute)
        self.seed, self.epoch, self.parts = seed, epoch, parts
        self.lengths = [len(song) for song in songs]
        self.shares = shares
        windows = expected_windows(self.lengths, self.window, self.encoder, shares).sum()
        self.steps = max(1, round(windows / batch / parts))
        self._draw()

    def _draw(self):
        turn, part = divmod(self.epoch, self.parts)
        rng = np.random.default_rng([self.seed, turn])
        places = draw_places(self.lengths, self.window, rng, self.encoder, self.shares)
        places = np.array_split(places, self.parts)[part]
        self.places = np.resize(places, (self.steps * self.batch, places.shape[1]))  # the same number in every epoch

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        places = self.places[index * self.batch:(index + 1) * self.batch]
        batch = next(batches(self.songs, places, self.window, self.batch, self.encoder))
        inputs, target, weight = inputs_and_targets(batch, self.attribute)
        return inputs, target, weight.astype(np.float32)

    def on_epoch_end(self):
        """Draw the next epoch's windows."""
        self.epoch += 1
        self._draw()


def inputs_and_targets(batch: Batch, attribute: str) -> tuple[dict, np.ndarray, np.ndarray]:
    """Return a batch as a network's inputs, its target tokens (batch, length), and which of them are decisions.

    The song's end is one decision, taken with the step: for the other attributes END counts as nothing.
    """
    target = batch.target[..., ATTRIBUTES.index(attribute)]
    decided = target != PAD if attribute == "step" else target >= SPECIALS
    return {"prompt": batch.prompt, "past": batch.past, "target": batch.target}, target, decided
