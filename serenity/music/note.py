"""The note table: what every part of Serenity calls a song.

A NumPy structured array, one row a note, sorted by onset, then pitch. Functions on it are pure: they return a new
table and leave the given one as it was.
"""

import numpy as np

NOTE = np.dtype([
    ("onset", np.float64),     # seconds from the start of the file
    ("duration", np.float64),  # seconds, above 0
    ("pitch", np.int16),       # MIDI note number, 0-127; 60 is c4 (middle C)
    ("velocity", np.int16),    # MIDI velocity, 1-127
])

LOWEST_PITCH, HIGHEST_PITCH = 0, 127


def note_table(onset, duration, pitch, velocity) -> np.ndarray:
    """Build a sorted note table from four sequences of equal length (units as in NOTE)."""
    notes = np.empty(len(onset), NOTE)
    notes["onset"], notes["duration"], notes["pitch"], notes["velocity"] = onset, duration, pitch, velocity
    return sort_notes(notes)


def sort_notes(notes: np.ndarray) -> np.ndarray:
    """Return the table sorted by onset, then pitch; equal notes stay in the order given."""
    return notes[np.lexsort((notes["pitch"], notes["onset"]))]


def end_time(notes: np.ndarray) -> float:
    """Return the time in seconds at which the last note ends; 0.0 for an empty table."""
    return float((notes["onset"] + notes["duration"]).max()) if len(notes) else 0.0


def merge_tables(tables) -> np.ndarray:
    """Return one sorted table of all notes of the given tables."""
    tables = list(tables)
    return sort_notes(np.concatenate(tables)) if tables else np.empty(0, NOTE)
