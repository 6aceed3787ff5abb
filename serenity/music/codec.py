"""The codec: a song in any key and tempo <-> normalised events. Encoding and decoding stand side by side."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from serenity.music.categories import category_named
from serenity.music.event import events_to_notes, notes_to_events
from serenity.music.grid import from_grid, to_grid
from serenity.music.harmony import Key, find_key
from serenity.music.pitch import OCTAVE, centre_transposition, fold, key_transposition, transpose
from serenity.music.settings import CodecSettings
from serenity.music.song import Song
from serenity.music.tempo_map import TempoMap


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
