"""Which chords an instrument can play where a song stands."""

import numpy as np

from serenity.errors import InputError
from serenity.music.categories import Category
from serenity.music.pitch import chord_matrix
from serenity.tokens.vocabulary import SPECIALS, AttributeVocabulary


def playable(pitch: AttributeVocabulary, transposition: int, category: Category) -> np.ndarray:
    """Return for each token, (tokens,) bool, whether its chord lies in the category's range in the song's own key.

    `transposition`, as in codec.Encoded, is taken back before. The special tokens are True. InputError where no chord
    is left.
    """
    lowest, highest = category.lowest + transposition, category.highest + transposition
    matrix = chord_matrix(pitch.values)
    chords = ~(matrix[:, :max(lowest, 0)].any(axis=1) | matrix[:, max(highest + 1, 0):].any(axis=1))
    if not chords.any():
        raise InputError(f"no chord that the model knows lies in the range of the {category.name} here; "
                         "wanted a seed nearer to it, or another --category")
    return np.concatenate([np.ones(SPECIALS, bool), chords])
