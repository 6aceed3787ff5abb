"""Tempo: tokens played faster or slower, so that training meets each song in many tempos.

Few songs have few tempos, and a network learns their lengths by heart: in POP909's training songs each has its own,
and a song to be gone on with has another.
"""

from dataclasses import dataclass

import numpy as np

from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, Vocabulary

TIMES = ("step", "duration")


@dataclass(frozen=True, eq=False)
class TimeGrid:
    """The times of the dictionaries as whole numbers of grid steps, by attribute."""

    numbers: dict[str, np.ndarray]  # (tokens,): grid steps of each token; 0 for the special ones
    tokens: dict[str, np.ndarray]   # (longest + 1,): the token nearest to each number of grid steps


def time_grid(vocabulary: Vocabulary, time_step: float) -> TimeGrid:
    """Return the grid of dictionaries whose times are multiples of `time_step` seconds."""
    numbers, tokens = {}, {}
    for attribute in TIMES:
        own = np.rint(vocabulary[attribute].values / time_step).astype(np.int64)
        numbers[attribute] = np.concatenate([np.zeros(SPECIALS, np.int64), own])
        tokens[attribute] = vocabulary[attribute].encode(np.round(np.arange(own.max() + 1) * time_step, 6))[0]
    return TimeGrid(numbers, tokens)


def stretch(events: np.ndarray, ratio: float, grid: TimeGrid) -> np.ndarray:
    """Return events with all times `ratio` times as long: tokens (events, 4) -> (events, 4), special ones as they are.

    Onsets are stretched and put on the grid, not steps, so that errors do not add up. What was struck together stays
    together, what was not stays apart; a duration has one grid step or more. A time that the dictionary lacks becomes
    its nearest one.
    """
    step, duration = (ATTRIBUTES.index(attribute) for attribute in TIMES)
    old = grid.numbers["step"][events[:, step]]
    apart = np.diff(np.rint(np.cumsum(old) * ratio).astype(np.int64), prepend=0)
    times = {step: np.where(old > 0, np.maximum(1, apart), 0),
             duration: np.maximum(1, np.rint(grid.numbers["duration"][events[:, duration]] * ratio).astype(np.int64))}
    stretched, real = events.copy(), events[:, step] >= SPECIALS
    for column, numbers in times.items():
        tokens = grid.tokens[ATTRIBUTES[column]]
        stretched[real, column] = tokens[np.minimum(numbers[real], len(tokens) - 1)]
    return stretched
