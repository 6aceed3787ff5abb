"""Events: notes struck together, as one row each. Folding notes into events, and unfolding them.

An event is a chord (a set of pitches) with one step, one duration and one velocity. Times lie on a grid of
`time_step` seconds. Where the durations of notes struck together differ by more than `split_ratio`, they become
several events, all but the first with step 0.
"""

from functools import lru_cache

import numpy as np

from serenity.music.note import NOTE, sort_notes
from serenity.music.pitch import chord_matrix, pitch_bits, top_pitch

EVENT = np.dtype([
    ("pitch", np.uint64, 2),   # the chord as 128 bits, see serenity.music.pitch
    ("step", np.float64),      # seconds since the previous event's onset; the first event's since the song's start
    ("duration", np.float64),  # seconds, one grid step or more
    ("velocity", np.int16),    # MIDI velocity, 1-127
])

LIMITS = {"step": (0, 86_400), "duration": (1e-6, 86_400), "velocity": (1, 127)}  # a day is the longest pause

_MICROSECOND = 6  # decimals kept of a time: grid times compare equal, whatever sums they came from


def fold_notes(notes: np.ndarray, time_step: float, split_ratio: float | None) -> np.ndarray:
    """Return the events of a note table.

    Notes less than `time_step` seconds after the first of a strike belong to it; the strike falls on the grid point
    nearest to its middle, so no onset moves by more than `time_step`. A chord lasts as long as its longest note, which
    is at most `split_ratio` times its shortest (None: any ratio). Its velocity is the notes' mean. A pitch struck
    twice in one strike counts once, with its longest duration.
    """
    if not len(notes):
        return np.empty(0, EVENT)
    notes = sort_notes(notes)
    strike = _strikes(notes["onset"], time_step)
    duration = np.maximum(1, np.rint(notes["duration"] / time_step)).astype(np.int64)  # in grid steps

    order = np.lexsort((-duration, notes["pitch"], strike))
    repeated = (np.diff(strike[order]) == 0) & (np.diff(notes["pitch"][order]) == 0)
    order = order[np.concatenate([[True], ~repeated])]
    notes, strike, duration = notes[order], strike[order], duration[order]

    longest = _split(strike, duration, np.inf if split_ratio is None else split_ratio)
    order = np.lexsort((-longest, strike))
    notes, strike, longest = notes[order], strike[order], longest[order]
    first = np.flatnonzero(np.concatenate([[True], (np.diff(strike) != 0) | (np.diff(longest) != 0)]))

    events = np.empty(len(first), EVENT)
    events["pitch"] = np.bitwise_or.reduceat(pitch_bits(notes["pitch"]), first, axis=0)
    events["duration"] = np.round(longest[first] * time_step, _MICROSECOND)
    counts = np.diff(np.append(first, len(notes)))
    events["velocity"] = np.rint(np.add.reduceat(notes["velocity"].astype(float), first) / counts)

    # One canonical order: by onset, and at one onset from the highest top note to the lowest.
    order = np.lexsort((-top_pitch(events["pitch"]), strike[first]))
    events = events[order]
    events["step"] = np.round(np.diff(strike[first][order], prepend=0) * time_step, _MICROSECOND)
    return events


def unfold_events(events: np.ndarray) -> np.ndarray:
    """Return the note table of the events, one row for each note of each chord. The inverse of fold_notes."""
    event, pitch = np.nonzero(chord_matrix(events["pitch"]))
    notes = np.empty(len(event), NOTE)
    notes["onset"] = np.round(np.cumsum(events["step"]), _MICROSECOND)[event]
    notes["pitch"] = pitch
    notes["duration"], notes["velocity"] = events["duration"][event], events["velocity"][event]
    return sort_notes(notes)


@lru_cache(maxsize=1 << 16)  # songs have few different times
def number_name(number: float) -> str:
    """Return the shortest decimal that reads back as the same number: 0.48, 1, 63.020833."""
    return repr(number).removesuffix(".0")


def _strikes(onset: np.ndarray, time_step: float) -> np.ndarray:
    """Return each note's strike as an index on the time grid. Onsets ascend."""
    reach = time_step - 10.0 ** -_MICROSECOND  # so that two neighbouring grid points never count as one strike
    starts, breaks = [], np.append(0, np.flatnonzero(np.diff(onset) > reach) + 1)
    spans = onset[np.append(breaks[1:], len(onset)) - 1] - onset[breaks]
    for start, end, span in zip(breaks.tolist(), [*breaks[1:].tolist(), len(onset)], spans.tolist()):
        starts.append(start)
        if span > reach:  # a run of notes, each soon after the one before: more than one strike
            while (start := int(np.searchsorted(onset[:end], onset[start] + reach, side="right"))) < end:
                starts.append(start)
    lengths = np.diff(np.append(starts, len(onset)))
    last = onset[np.cumsum(lengths) - 1]
    middle = (onset[starts] + last) / 2
    return np.repeat(np.rint(middle / time_step).astype(np.int64), lengths)


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
