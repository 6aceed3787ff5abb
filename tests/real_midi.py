"""Real MIDI files for tests, where SERENITY_TEST_MIDI names a folder that holds sets of them; CI sets it."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from serenity.music import midi_file
from serenity.music.song import Song, of_score

ODD = "odd"  # the set of small files that each do one thing that files do: not all of them are songs
EACH = 20  # files of each set, evenly over its list
FOLDER = os.environ.get("SERENITY_TEST_MIDI")


def sample(each: int, share: float = 1.0) -> list[Path]:
    """Return so many files of each set, evenly over the list of those that are among this share of the smallest."""
    sets = sorted(path for path in Path(FOLDER).iterdir() if path.is_dir() and path.name != ODD) if FOLDER else []
    files = [sorted(path for path in folder.iterdir() if path.suffix in (".mid", ".midi")) for folder in sets]
    small = [sorted(sorted(some, key=lambda path: path.stat().st_size)[:round(len(some) * share)]) for some in files]
    return [some[number * len(some) // each] for some in small if some for number in range(each)]


FILES = sample(EACH)


def over_real_files(test):
    """Run a test once for each `path` of the sample, or skip it."""
    test = pytest.mark.parametrize("path", FILES or [None], ids=lambda path: path.name if path else "none")(test)
    return pytest.mark.skipif(not FILES, reason="SERENITY_TEST_MIDI names no folder of MIDI files")(test)


@cache
def song_at(path: Path) -> Song:
    """Return the song of a file's piano. It is shared by all tests, so its notes cannot be written to."""
    song = of_score(midi_file.read(path))
    song.notes.flags.writeable = song.struck.flags.writeable = False
    return song


def notes_of(path: Path) -> np.ndarray:
    """Return the note table of a file's piano."""
    return song_at(path).notes
