"""The codec: a song in any key and tempo <-> normalised events. Each step stands beside its inverse.

An event is notes struck together, as one row: a chord (a set of pitches) with one step, one duration, one velocity, and
the accent of its top note, which is the melody most of the time: by how much it is louder than the notes below. Times
are whole points of the grid, so many a quarter (see grid.py). Where the durations of notes struck together differ by
more than `split_ratio`, they become several events, all but the first with step 0.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from serenity.categories import category_named
from serenity.music.grid import GRID_NOTE, from_grid, to_grid
from serenity.music.harmony import Key, find_key
from serenity.music.note import sort_notes
from serenity.music.pitch import (
    OCTAVE,
    centre_transposition,
    chord_matrix,
    fold,
    key_transposition,
    pitch_bits,
    top_pitch,
    transpose,
)
from serenity.music.song import Song
from serenity.music.tempo_map import TempoMap
from serenity.settings import CodecSettings

# --- a song and its events --------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Encoded:
    """A song as normalised events, with what is needed to undo the normalising."""

    events: np.ndarray   # EVENT table
    tempo_map: TempoMap  # where grid points stand in seconds
    key: Key             # of the song as it was
    transposition: int   # semitones that were added
    folded: int          # notes moved by octaves into the category's range; these do not come back
    points: np.ndarray   # (notes,) int64: the grid point of each of the song's notes
    beside: np.ndarray   # (notes,) seconds by which each began after its point; all 0 for a quantised song


def encode(song: Song, settings: CodecSettings, key: Key | None = None) -> Encoded:
    """Normalise a song and turn its notes into events. A song without notes raises ValueError.

    `key`: the song's, where it is known better than from these notes, as a synthetic song's is. None: found.
    """
    category = category_named(settings.category)
    key = key or find_key(song.notes)
    table, beside = to_grid(song.notes, song.tempo_map, settings.grid, settings.exact_lengths)
    transposition = 0
    if settings.normalise == "key":
        transposition = key_transposition(key.tonic, key.mode)
        transposition += centre_transposition(transpose(table, transposition), category.centre, OCTAVE)
    elif settings.normalise == "centre":
        transposition = centre_transposition(table, category.centre)
    events, folded = to_events(table, settings, transposition)
    return Encoded(events, song.tempo_map, key, transposition, folded, table["onset"], beside)


def to_events(table: np.ndarray, settings: CodecSettings, transposition: int) -> tuple[np.ndarray, int]:
    """Return the events of notes on the grid, moved by so many semitones, and how many notes had to be moved by octaves
    into the category's range. The first step counts from the grid point 0.
    """
    category = category_named(settings.category)
    inside, folded = fold(transpose(table, transposition), category.lowest, category.highest)
    return notes_to_events(inside, settings.split_ratio), folded


def on_grid(song: Song, settings: CodecSettings) -> np.ndarray:
    """Return the notes of a song moved to the grid, in seconds: what encoding and decoding leave of their times."""
    table, _ = to_grid(song.notes, song.tempo_map, settings.grid, settings.exact_lengths)
    return from_grid(table, song.tempo_map, settings.grid)


def decode(events: np.ndarray, tempo_map: TempoMap, grid: int, transposition: int = 0, begin: int = 0,
           play: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
    """Return the note table of normalised events in the song's own tempo, key and register. The inverse of encode.

    The first step counts from the grid point `begin`. `play` says by how many seconds notes at grid points (n,) begin
    after them; None: not at all. A pitch that would leave MIDI's range 0-127 is moved by octaves to its edge.
    """
    table = fold(transpose(events_to_notes(events), -transposition))[0]
    table["onset"] += begin
    return from_grid(table, tempo_map, grid, play(table["onset"]) if play else 0.0)


# --- notes and their events -------------------------------------------------------------------------------------------

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
