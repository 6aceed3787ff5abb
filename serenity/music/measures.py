"""Measures of what music is like, and how far two sets of values are apart. None says whether music is good.

Sources: Wu & Yang, "The Jazz Transformer on the front line", ISMIR 2020, section 4 (chord-progression
irregularity); Mogren, "C-RNN-GAN", 2016, section 4.2 (polyphony, which is taken here as MusPy does: Dong et al., ISMIR
2020).
"""

import numpy as np

from serenity.music.note import end_time
from serenity.music.pitch import OCTAVE
from serenity.music.tempo_map import NEAR, TempoMap

MAJOR = (0, 2, 4, 5, 7, 9, 11)  # semitones above the tonic; the natural minor scales have the same notes
SIXTEENTHS = 4                  # of a beat, which is a quarter
FARTHEST = 32                   # bars at most between two that are compared


# --- bars -------------------------------------------------------------------------------------------------------------

def bar_lines(notes: np.ndarray, tempo_map: TempoMap) -> np.ndarray:
    """Return the seconds of the bar lines around notes: (bars + 1,). Notes: one or more."""
    ends = tempo_map.quarters(np.array([notes["onset"].min(), end_time(notes)]))
    first, last = tempo_map.bars(ends - [0, 2 * NEAR])[0]
    return tempo_map.seconds(tempo_map.bar_line(np.arange(first, last + 2)))


def return_profile(notes: np.ndarray, tempo_map: TempoMap, farthest: int = FARTHEST) -> np.ndarray:
    """Return how much of a bar was played in the bar k before, for k = 1..farthest: (farthest,), nan where none is.

    Mean over the pairs of bars in both of which notes begin.
    """
    struck = _struck(notes, tempo_map)
    begun, profile = struck.any(axis=1), np.full(farthest, np.nan)
    for ago in range(1, farthest + 1):
        counted = begun[ago:] & begun[:-ago]
        if counted.any():
            profile[ago - 1] = _overlaps_ago(struck, ago)[counted].mean()
    return profile


def overlaps_ago(notes: np.ndarray, tempo_map: TempoMap, ago: int) -> np.ndarray:
    """Return how much each bar has in common with the one so many bars before, as `bar_overlaps` does: (bars - ago,).

    A long song has few such pairs, but as many of all bars as would fill the memory.
    """
    return _overlaps_ago(_struck(notes, tempo_map), ago)


def _overlaps_ago(struck: np.ndarray, ago: int) -> np.ndarray:
    shared = (struck[ago:] & struck[:-ago]).sum(axis=1)
    return shared / np.maximum((struck[ago:] | struck[:-ago]).sum(axis=1), 1)


def runs(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each run of flags (n,) bool that are set begins, and how long it is: (runs,) both."""
    flags = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(flags[1:] != flags[:-1])
    return edges[::2], edges[1::2] - edges[::2]


def sixteenths(notes: np.ndarray, tempo_map: TempoMap) -> tuple[np.ndarray, np.ndarray]:
    """Return each note's bar, and its place in the bar in quarters, as if it began on the nearest sixteenth."""
    bar, place, _ = tempo_map.bars(np.rint(tempo_map.quarters(notes["onset"]) * SIXTEENTHS) / SIXTEENTHS)
    return bar, place


def bar_overlaps(notes: np.ndarray, tempo_map: TempoMap) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each two bars have in common, (bar, bar), and in which bars notes begin, (bar,) bool.

    A bar is the set of its (place, pitch class), places by sixteenths. Two sets overlap by their intersection over
    their union (Jaccard).
    """
    struck = _struck(notes, tempo_map).astype(float)
    shared, number = struck @ struck.T, struck.sum(axis=1)
    return shared / np.maximum(number[:, None] + number - shared, 1), number > 0


def copied_bars(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> tuple[int, int]:
    """Return how many of the bars `made` are the same as one of those `before`, and how many there are."""
    known, new = (_contents(notes, tempo_map) for notes in (before, made))
    return sum(bar in known for bar in new), len(new)


def _struck(notes: np.ndarray, tempo_map: TempoMap) -> np.ndarray:
    """Return which cells of each bar are struck: (bars, cells) bool, from the first bar in which notes begin."""
    if not len(notes):
        return np.zeros((0, 0), bool)
    bar, cell = _cells(notes, tempo_map)
    bar -= bar.min()
    struck = np.zeros((bar.max() + 1, cell.max() + 1), bool)
    struck[bar, cell] = True
    return struck


def _contents(notes: np.ndarray, tempo_map: TempoMap) -> list[frozenset[int]]:
    """Return the cells of each bar in which notes begin."""
    bars = {}
    for bar, cell in zip(*(values.tolist() for values in _cells(notes, tempo_map))):
        bars.setdefault(bar, set()).add(cell)
    return [*map(frozenset, bars.values())]


def _cells(notes: np.ndarray, tempo_map: TempoMap) -> tuple[np.ndarray, np.ndarray]:
    """Return each note's bar, and its place by sixteenths and its pitch class as one number."""
    bar, place = sixteenths(notes, tempo_map)
    return bar, np.rint(place * SIXTEENTHS).astype(np.int64) * OCTAVE + notes["pitch"] % OCTAVE


# --- pitch ------------------------------------------------------------------------------------------------------------

def polyphony(notes: np.ndarray) -> float:
    """Return how many notes sound together, mean over the time in which any does; 0 for no notes."""
    if not len(notes):
        return 0.0
    order = np.argsort(notes["onset"], kind="stable")
    onset, duration = notes["onset"][order], notes["duration"][order]
    until = np.maximum.accumulate(onset + duration)
    silence = np.maximum(onset[1:] - until[:-1], 0).sum()
    return float(duration.sum() / (until[-1] - onset[0] - silence))


# --- harmony ----------------------------------------------------------------------------------------------------------

def progression_irregularity(chords: np.ndarray) -> float:
    """Return the share of the chord trigrams of a CHORD table that are different ones (Wu & Yang's CPI).

    1: no three chords ever come again. Fewer than three chords: 0.
    """
    names = list(zip(chords["root"].tolist(), chords["quality"].tolist()))
    trigrams = list(zip(names, names[1:], names[2:]))
    return len(set(trigrams)) / len(trigrams) if trigrams else 0.0


# --- two sets of songs ------------------------------------------------------------------------------------------------

def wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Return the 1-Wasserstein distance of two sets of values, in their unit: the area between their distributions."""
    one, other = np.sort(one), np.sort(other)
    values = np.sort(np.concatenate([one, other]))
    shares = (np.searchsorted(part, values[:-1], side="right") / len(part) for part in (one, other))
    return float(abs(next(shares) - next(shares)) @ np.diff(values))
