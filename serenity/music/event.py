"""Events: notes struck together, as one row each. Notes become events, and events notes.

An event is a chord (a set of pitches) with one step, one duration, one velocity, and the accent of its top note, which
is the melody most of the time: by how much it is louder than the notes below. Times are whole points of the grid, so
many a quarter (see grid.py). Where the durations of notes struck together differ by more than `split_ratio`, they
become several events, all but the first with step 0.
"""

import re
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
    ("velocity", np.int16),    # MIDI velocity, 1-127; of a chord that of the notes below its top one
    ("accent", np.int16),      # by how many velocities the top note is louder than these; 0 for a single note
])

# Times: up to a day of the fastest music. Accents: 97 of 100 in POP909 lie between these.
LIMITS = {"step": (0, 10**8), "duration": (1, 10**8), "velocity": (1, 127), "accent": (-32, 48)}
ACCENT = 8  # velocities; accents are whole multiples of it
_LOUDNESS = re.compile(r"([0-9]{1,3})([+-][0-9]{1,2})?", re.ASCII)


def notes_to_events(table: np.ndarray, split_ratio: float | None) -> np.ndarray:
    """Return the events of a GRID_NOTE table.

    A chord lasts as long as its longest note, which is at most `split_ratio` times its shortest (None: any ratio). Its
    velocity is the mean of all notes but the top one, whose accent stands beside it. A pitch struck twice at one point
    counts once, with its longest duration.
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
    last = np.append(first[1:], len(table)) - 1  # the top note: pitches ascend
    top, below = table["velocity"][last].astype(float), last - first
    mean = (np.add.reduceat(table["velocity"].astype(float), first) - top) / np.maximum(below, 1)
    events["velocity"] = np.rint(np.where(below, mean, top))
    events["accent"] = np.clip(np.rint((top - events["velocity"]) / ACCENT) * ACCENT, *LIMITS["accent"])

    # One canonical order: by onset, and at one onset from the highest top note to the lowest.
    onset = table["onset"][first]
    order = np.lexsort((-top_pitch(events["pitch"]), onset))
    events = events[order]
    events["step"] = np.diff(onset[order], prepend=0)
    return events


def events_to_notes(events: np.ndarray) -> np.ndarray:
    """Return the GRID_NOTE table of the events, a row for each note of each chord. The inverse of notes_to_events."""
    event, pitch = np.nonzero(chord_matrix(events["pitch"]))
    table = np.empty(len(event), GRID_NOTE)
    table["onset"], table["pitch"] = np.cumsum(events["step"])[event], pitch
    is_top = np.append(event[1:] != event[:-1], True)[:len(event)]
    accented = events["velocity"][event] + is_top * events["accent"][event]
    table["duration"], table["velocity"] = events["duration"][event], np.clip(accented, *LIMITS["velocity"])
    return sort_notes(table)


@lru_cache(maxsize=1 << 16)  # songs have few different times
def number_name(number: float) -> str:
    """Return the shortest decimal that reads back as the same number: 0.48, 1, 63.020833."""
    return repr(number).removesuffix(".0")


@lru_cache(maxsize=1 << 16)
def time_name(points: int, grid: int) -> str:
    """Return a time of whole grid points in quarters: 36 of 24 a quarter -> "3/2"."""
    return str(Fraction(points, grid))


def loudness_name(velocity: int, accent: int) -> str:
    """Return velocity and accent as they are written: "85", "85+16", "85-8"."""
    return f"{velocity}{accent:+}" if accent else str(velocity)


def parse_loudness(word: str) -> tuple[int, int]:
    """Return the velocity and the accent that a word says. The inverse of loudness_name. Raises ValueError."""
    found = _LOUDNESS.fullmatch(word)
    velocity, accent = (int(part or 0) for part in found.groups()) if found else (0, 0)
    (low, high), (least, most) = LIMITS["velocity"], LIMITS["accent"]
    if not low <= velocity <= high or not least <= accent <= most or accent % ACCENT:
        raise ValueError(f"velocity '{word}', wanted a whole number from {low} to {high}; an accent of the top note "
                         f"stands after it, from {least} to +{most} in steps of {ACCENT}: 85+16")
    return velocity, accent


def bar_places(events: np.ndarray, tempo_map: TempoMap, grid: int) -> np.ndarray:
    """Return where events stand among the bars: (events, 3) uint16.

    The columns are the place in the bar at which an event begins and the bar's length, both in grid points, and how
    many bars are left: 1 in the last one in which an event begins.
    """
    number, place, length = tempo_map.bars(np.cumsum(events["step"]) / grid)
    left = number.max(initial=0) + 1 - number
    columns = np.stack([np.rint(place * grid), np.rint(length * grid), left], axis=1)
    return np.minimum(columns, 2**16 - 1).astype(np.uint16)


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
