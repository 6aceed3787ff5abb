"""Which chords an instrument can play where a song stands, and which values a melody alone can have."""

import numpy as np

from serenity.errors import InputError
from serenity.music.categories import Category
from serenity.music.pitch import chord_matrix
from serenity.tokens.vocabulary import SPECIALS, AttributeVocabulary, Vocabulary


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


def melodic(vocabulary: Vocabulary, transposition: int, lowest: int, highest: int) -> dict[str, np.ndarray]:
    """Return masks as of `playable` for pitch and step by which one note follows another, from `lowest` to `highest` in
    the song's own key.
    """
    matrix = chord_matrix(vocabulary.pitch.values)
    inside = matrix[:, max(lowest + transposition, 0):max(highest + transposition + 1, 0)].sum(axis=1)
    masks = {"pitch": (inside == 1) & (matrix.sum(axis=1) == 1), "step": vocabulary["step"].values > 0}
    if not masks["pitch"].any():
        raise InputError("the model knows no single note in the range of the seed's melody; wanted another seed, or "
                         "all voices")
    return {name: np.concatenate([np.ones(SPECIALS, bool), mask]) for name, mask in masks.items()}
