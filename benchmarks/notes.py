"""How many notes songs have, counted from their tokens: bits per note are bits divided by this number."""

import numpy as np

from serenity.music.pitch import chord_matrix
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, Vocabulary


def note_counts(vocabulary: Vocabulary, songs: list[np.ndarray]) -> np.ndarray:
    """Return how many notes the events of each song strike, (songs,) int64. Songs are tokens (events, 4)."""
    strikes = chord_matrix(vocabulary.pitch.values).sum(axis=1, dtype=np.int64)  # notes of each chord
    column = ATTRIBUTES.index("pitch")
    return np.array([strikes[song[:, column].astype(np.int64) - SPECIALS].sum() for song in songs], np.int64)
