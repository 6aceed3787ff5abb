"""What tokens have in common: a few numbers that describe each value, so that rare ones learn from common ones.

Most of the 5000 chords are rare, but they share notes, top, bass and pitch classes with common ones. A duration of 23
grid points is nearly one of 24. A network adds a projection of these features to each token's own vector, so it need
not learn this again for every token.
"""

import numpy as np

from serenity.music.codec import ACCENT, LIMITS
from serenity.music.pitch import OCTAVE, chord_matrix
from serenity.tokens.vocabulary import BAR, LEFT, PLACE, SPECIALS, AttributeVocabulary

LOWEST, HIGHEST = 21, 108  # the piano's keys: a note beyond counts as the outermost key
KEYS = HIGHEST - LOWEST + 1
MOST_NOTES = 12            # chords of more notes count as chords of 12
KNOTS = {"step": (12, 96), "duration": (12, 96), "velocity": (6, 16)}  # of a coarse and a fine scale
ACCENTS = np.arange(LIMITS["accent"][0], LIMITS["accent"][1] + 1, ACCENT)  # all that a top note may have
MOST_BEATS, MOST_EIGHTHS, MOST_LEFT = 15, 31, 32  # quarters before one in a bar, eighths of a bar, bars left
SHORTEST = 1.0             # grid points, added before the logarithm: below it differences count for little

NUMBER = {"pitch": SPECIALS + 3 * KEYS + OCTAVE + MOST_NOTES} | {
    attribute: SPECIALS + sum(knots) for attribute, knots in KNOTS.items()}  # features of a token, by attribute
NUMBER["velocity"] += len(ACCENTS)


def features(vocabulary: AttributeVocabulary) -> np.ndarray:
    """Return the features of each token: (tokens, NUMBER[attribute]) float32, rows of length 1.

    PAD, START and END have one feature of their own each, and no other.
    """
    describe = {"pitch": _chord_features, "velocity": _velocity_features}.get(vocabulary.attribute, _time_features)
    described = describe(vocabulary.values)
    described /= np.linalg.norm(described, axis=1, keepdims=True)
    table = np.zeros((vocabulary.size, NUMBER[vocabulary.attribute]), np.float32)
    table[:SPECIALS, :SPECIALS] = np.eye(SPECIALS)
    table[SPECIALS:, SPECIALS:] = described
    return table


def _chord_features(chords: np.ndarray) -> np.ndarray:
    """Return which keys a chord strikes, its highest and lowest, its pitch classes, and how many notes it has.

    Each of the five weighs the same, however many notes there are.
    """
    matrix = chord_matrix(chords).astype(bool)                                  # (chords, pitches)
    chord, pitch = matrix.nonzero()
    keys = np.zeros((len(matrix), KEYS), np.float32)
    keys[chord, np.clip(pitch, LOWEST, HIGHEST) - LOWEST] = 1
    classes = np.zeros((len(matrix), OCTAVE), np.float32)
    classes[chord, pitch % OCTAVE] = 1
    row = np.arange(len(matrix))
    top, bass = np.zeros_like(keys), np.zeros_like(keys)
    top[row, KEYS - 1 - keys[:, ::-1].argmax(axis=1)] = 1
    bass[row, keys.argmax(axis=1)] = 1
    notes = np.zeros((len(matrix), MOST_NOTES), np.float32)
    notes[row, np.clip(matrix.sum(axis=1), 1, MOST_NOTES) - 1] = 1
    return np.concatenate([part / np.linalg.norm(part, axis=1, keepdims=True)
                           for part in (keys, top, bass, classes, notes)], axis=1)


def _time_features(points: np.ndarray) -> np.ndarray:
    """Return where times lie on a scale of their logarithms, as they are heard."""
    return _on_scales(np.log(points + SHORTEST), KNOTS["step"])


def _velocity_features(values: np.ndarray) -> np.ndarray:
    """Return where a velocity lies on its scale, and which accent the top note has."""
    velocity, accent = values.T
    return np.concatenate([_on_scales(velocity, KNOTS["velocity"]), accent[:, None] == ACCENTS], axis=1)


def _on_scales(values: np.ndarray, scales: tuple[int, ...]) -> np.ndarray:
    """Return where numbers lie between the knots of a coarse and of a fine scale, by linear interpolation."""
    lowest, span = values.min(), max(np.ptp(values), 1e-9)
    parts = []
    for knots in scales:
        place = (values - lowest) / span * (knots - 1)                          # 0 .. knots - 1
        parts.append(np.maximum(0, 1 - np.abs(place[:, None] - np.arange(knots))))  # a hat over each knot
    return np.concatenate([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts], axis=1)


def bar_numbers(grid: int) -> int:
    """Return how many rows a table needs so that `bar_rows` can point into it."""
    return grid + MOST_BEATS + MOST_EIGHTHS + MOST_LEFT + 3


def bar_rows(events, grid: int, xp=np):
    """Return which four rows of a table say where events stand in the bars: (..., columns) -> (..., 4).

    They stand for the place within the quarter, the number of the quarter in the bar, the bar's length in eighths (0:
    not known) and the bars left (0: not known). A value beyond the last row of its kind gets that row. `xp` is NumPy or
    keras.ops.
    """
    place, bar, left = events[..., PLACE], events[..., BAR], events[..., LEFT]
    return xp.stack([place % grid,
                     grid + xp.minimum(place // grid, MOST_BEATS),
                     grid + MOST_BEATS + 1 + xp.minimum(2 * bar // grid, MOST_EIGHTHS),
                     grid + MOST_BEATS + MOST_EIGHTHS + 2 + xp.minimum(left, MOST_LEFT)], axis=-1)


def step_quarters(vocabulary: AttributeVocabulary, grid: int) -> np.ndarray:
    """Return the quarters of each token of `step`, 0 for PAD, START and END: (tokens,) float32."""
    return np.concatenate([np.zeros(SPECIALS), vocabulary.values / grid]).astype(np.float32)
