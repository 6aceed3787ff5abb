"""A user's own songs: a folder of them as a corpus in memory, in the tokens of an existing model.

Only what cannot be read is left out, because the user has chosen the folder. Songs that are alike, whatever their key
and tempo, stay in one part of the split.
"""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from serenity.errors import InputError
from serenity.midi_container import is_midi_name
from serenity.music import codec, song_file
from serenity.music.codec import bar_places
from serenity.music.fingerprint import fingerprint, similar_pairs
from serenity.music.song import of_score
from serenity.music.song_file import read_all, songs_below
from serenity.parallel import in_parallel
from serenity.settings import CodecSettings
from serenity.tokens.corpus import Corpus, Entry, in_memory
from serenity.tokens.vocabulary import Vocabulary

SHARES = {"validation": 0.1, "test": 0.0}  # there are few songs, so none is kept for a test


def read_folder(folder: Path, vocabulary: Vocabulary, settings: CodecSettings,
                workers: int = 1) -> tuple[Corpus, list[str]]:
    """Return the songs of all MIDI files and scores below a folder, and a line about each that cannot be read.

    They are read over `workers` processes. Raises InputError if there is no song.
    """
    paths = songs_below(folder)
    songs, refused = {}, []
    with TemporaryDirectory() as cache:
        for _ in read_all([path for path in paths if not is_midi_name(path.name)], Path(cache), workers):
            pass
        work = partial(read_song, settings=settings, cache=Path(cache))
        for path, song in zip(paths, in_parallel(work, paths, workers, "reading songs", chunk=4)):
            if isinstance(song, str):
                refused.append(song)
            else:
                songs[path.relative_to(folder).as_posix()] = song
    if not songs:
        first = f" ({refused[0]})" if refused else ""
        raise InputError(f"{folder} holds {len(paths)} songs, of which none can be read{first}; wanted one or more")
    groups = group({name: marks for name, (*_, marks) in songs.items()})
    entries = [(Entry(name, groups[name]), events, bars) for name, (events, bars, _) in songs.items()]
    return in_memory(entries, vocabulary, settings, SHARES), refused


def read_song(path: Path, settings: CodecSettings,
              cache: Path | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None] | str:
    """Return a file's events, their bar places and its fingerprint, or why it cannot be read.

    `cache` is the folder in which song_file.py keeps scores as it has read them. The fingerprint is None if the song is
    too short for one.
    """
    try:
        song = of_score(song_file.read(path, cache), settings.category)
    except InputError as error:
        return str(error) if str(error).startswith(str(path)) else f"{path}: {error}"
    events = codec.encode(song, settings).events
    return events, bar_places(events, song.tempo_map, settings.grid), fingerprint(song.notes)


def group(prints: dict[str, np.ndarray | None]) -> dict[str, str]:
    """Return the group of each song by name: the first name, in order, of the songs that are like it, directly or
    through others."""
    groups = {name: name for name in prints}
    names = [name for name, marks in prints.items() if marks is not None]
    if names:
        for one, other in similar_pairs(np.stack([prints[name] for name in names])):
            kept, merged = sorted((groups[names[one]], groups[names[other]]))
            groups = {name: kept if place == merged else place for name, place in groups.items()}
    return groups
