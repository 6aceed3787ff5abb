"""Events: notes struck together, as one row each. Folding notes into events, and unfolding them.

An event is a chord (a set of pitches) with one step, one duration and one velocity. Times are whole points of the
grid, so many a quarter (see grid.py). Where the durations of notes struck together differ by more than `split_ratio`,
they become several events, all but the first with step 0.
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np

from serenity.music.grid import GRID_NOTE
from serenity.music.note import sort_notes
from serenity.music.pitch import chord_matrix, pitch_bits, top_pitch
from serenity.music.tempo_map import TempoMap

EVENT = np.dtype([
    ("pitch", np.uint64, 2),   # the chord as 128 bits, see serenity.music.pitch
    ("step", np.int64),        # grid points since the previous event's onset; the first event's since quarter 0
    ("duration", np.int64),    # grid points, 1 or more
    ("velocity", np.int16),    # MIDI velocity, 1-127
])

LIMITS = {"step": (0, 10**8), "duration": (1, 10**8), "velocity": (1, 127)}  # a day of the fastest music


def fold_notes(table: np.ndarray, split_ratio: float | None) -> np.ndarray:
    """Return the events of a GRID_NOTE table.

    A chord lasts as long as its longest note, which is at most `split_ratio` times its shortest (None: any ratio). Its
    velocity is the notes' mean. A pitch struck twice at one point counts once, with its longest duration.
    """
    if not len(table):
        return np.empty(0, EVENT)
    order = np.lexsort((-table["duration"], table["pitch"], table["onset"]))
    repeated = (np.diff(table["onset"][order]) == 0) & (np.diff(table["pitch"][order]) == 0)
    table = table[order[np.append(True, ~repeated)]]

    longest = _split(table["onset"], table["duration"], np.inf if split_ratio is None else split_ratio)
    order = np.lexsort((-longest, table["onset"]))
    table, longest = table[order], longest[order]
    first = np.flatnonzero(np.append(True, (np.diff(table["onset"]) != 0) | (np.diff(longest) != 0)))

    events = np.empty(len(first), EVENT)
    events["pitch"] = np.bitwise_or.reduceat(pitch_bits(table["pitch"]), first, axis=0)
    events["duration"] = longest[first]
    counts = np.diff(np.append(first, len(table)))
    events["velocity"] = np.rint(np.add.reduceat(table["velocity"].astype(float), first) / counts)

    # One canonical order: by onset, and at one onset from the highest top note to the lowest.
    onset = table["onset"][first]
    order = np.lexsort((-top_pitch(events["pitch"]), onset))
    events = events[order]
    events["step"] = np.diff(onset[order], prepend=0)
    return events


def unfold_events(events: np.ndarray) -> np.ndarray:
    """Return the GRID_NOTE table of the events, a row for each note of each chord. The inverse of fold_notes."""
    event, pitch = np.nonzero(chord_matrix(events["pitch"]))
    table = np.empty(len(event), GRID_NOTE)
    table["onset"], table["pitch"] = np.cumsum(events["step"])[event], pitch
    table["duration"], table["velocity"] = events["duration"][event], events["velocity"][event]
    return sort_notes(table)


@lru_cache(maxsize=1 << 16)  # songs have few different times
def number_name(number: float) -> str:
    """Return the shortest decimal that reads back as the same number: 0.48, 1, 63.020833."""
    return repr(number).removesuffix(".0")


@lru_cache(maxsize=1 << 16)
def time_name(points: int, grid: int) -> str:
    """Return a time of whole grid points in quarters: 36 of 24 a quarter -> "3/2"."""
    return str(Fraction(points, grid))


def bar_places(events: np.ndarray, tempo_map: TempoMap, grid: int) -> np.ndarray:
    """Return at which place of its bar each event begins, and the bar's length: (events, 2) uint16 grid points."""
    _, place, length = tempo_map.bars(np.cumsum(events["step"]) / grid)
    return np.minimum(np.rint(np.stack([place, length], axis=1) * grid), 2**16 - 1).astype(np.uint16)


def _split(strike: np.ndarray, duration: np.ndarray, ratio: float) -> np.ndarray:
    """Return for each note the longest duration of its part of the strike: each part spans at most `ratio`."""
    _, group = np.unique(strike, return_inverse=True)
    longest = np.zeros_like(duration)
    open_notes = np.ones(len(duration), bool)
    while open_notes.any():  # a part of every strike a round, the longest first
        head = np.zeros(group.max() + 1, duration.dtype)
        np.maximum.at(head, group[open_notes], duration[open_notes])
        part = open_notes & (duration * ratio >= head[group])
        longest[part] = head[group[part]]
        open_notes &= ~part
    return longest
