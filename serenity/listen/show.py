"""A song with its continuation, to be looked at and heard: as a picture, as sound, and several of them on one page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serenity.files import write_whole
from serenity.listen import audio, piano_roll
from serenity.music.midi_file import Score
from serenity.music.note import end_time, merge_tables
from serenity.music.prompt import excerpt
from serenity.music.tempo_map import TempoMap

# Of a long song only the part around the join is shown: a picture of three hours would fill the memory and no screen.
PICTURE = (120, 480)  # seconds before the join, and after it
SOUND = (120, 180)
PAGE = (15, 60)      # short, so that several are soon heard and the page stays small
MOST_BARS_A_SECOND = 4  # a file with more has a wild tempo; its bars would only be grey


@dataclass(frozen=True, eq=False)
class Song:
    """A seed and its continuation, whatever the tracks of its file."""

    name: str
    score: Score  # the seed's tracks and the continuation's
    tempo_map: TempoMap  # of the music, in the score's seconds: where bars begin
    split: float  # seconds; notes from there on are the continuation


@dataclass(frozen=True, eq=False)
class Row:
    """A song on a page."""

    song: Song
    file: Path  # its MIDI file, to be downloaded
    measures: Mapping[str, str]


def around_join(song: Song, before: float, after: float) -> Song:
    """Return the song from a bar about `before` seconds before the join to `after` seconds after it."""
    start = song.split - before
    score, taken_off = excerpt(song.score, start if start > 0 else -np.inf, song.split + after)
    return replace(song, score=score, tempo_map=song.tempo_map.moved(-taken_off), split=song.split - taken_off)


def save_picture(path: Path, song: Song) -> None:
    """Write the piano roll of a song."""
    song = around_join(song, *PICTURE)
    piano_roll.save(path, _notes(song), song.split, _bars(song), title=song.name)


def save_sound(path: Path, song: Song, soundfont: Path) -> Path:
    """Write the sound of a song beside `path` and return where: MP3 or, where no library makes that, WAV."""
    sound = audio.encode(audio.render(around_join(song, *SOUND).score.tracks, soundfont))
    path = path.with_suffix(sound.suffix)
    write_whole(path, sound.content)
    return path


def save_page(path: Path, title: str, rows: Iterable[Row], soundfont: Path | None, note: str = "") -> None:
    """Write a page of songs in the order given; with sound where there is a SoundFont."""
    from serenity.listen import page

    songs = []
    for row in rows:
        song = around_join(row.song, *PAGE)
        sound = audio.encode(audio.render(song.score.tracks, soundfont)) if soundfont else None
        songs.append(page.PageSong(song.name, _notes(song), song.split, _bars(song), sound, row.measures,
                                   {row.file.name: row.file.read_bytes()}))
    page.write(path, title, [page.Group("", tuple(songs))], note)


def _notes(song: Song) -> np.ndarray:
    """Return the notes that have a pitch."""
    return merge_tables(track.notes for track in song.score.tracks if not track.is_drum)


def _bars(song: Song) -> np.ndarray:
    """Return the onsets of bars, seconds."""
    end = end_time(_notes(song))
    bars = song.tempo_map.bar_onsets(end)
    return bars if len(bars) <= MOST_BARS_A_SECOND * end else np.empty(0)
