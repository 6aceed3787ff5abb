"""A song with its continuation, to be looked at and heard: as a picture, as sound, and several of them on one page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serenity.files import write_whole
from serenity.listen import audio, piano_roll
from serenity.listen.page import PageSong, clock
from serenity.music import harmony
from serenity.music.harmony import Key, chord_names
from serenity.music.midi_file import Score
from serenity.music.note import end_time, merge_tables
from serenity.music.prompt import excerpt
from serenity.music.remarks import COLLAPSE, Remark
from serenity.music.song import beat_edges
from serenity.music.tempo_map import TempoMap

# Of a long song only the part around the join is shown: a picture of three hours would fill the memory and no screen.
PICTURE = (120, 480)  # seconds before the join, and after it
HEARD = (300, 300)    # most songs whole; a sound takes 1 MB a second while it is made
SLACK = 60           # seconds that a bar before the part may last
MOST_BARS_A_SECOND = 4  # a file with more has a wild tempo; its bars would only be grey


@dataclass(frozen=True, eq=False)
class Song:
    """A seed and its continuation, whatever the tracks of its file."""

    name: str
    score: Score  # the seed's tracks and the continuation's
    tempo_map: TempoMap  # of the music, in the score's seconds: where bars begin
    split: float  # seconds; notes from there on are the continuation
    key: Key      # by which chords are spelled


@dataclass(frozen=True, eq=False)
class Row:
    """A song on a page."""

    song: Song
    file: Path  # its MIDI file, to be downloaded
    measures: Sequence[Remark]


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
    path = path.with_suffix(audio.suffix())
    write_whole(path, encode_sound(song, soundfont).content)
    return path


def save_page(path: Path, title: str, rows: Iterable[Row], soundfont: Path | None, note: str = "") -> None:
    """Write a page of songs in the order given, all of one seed; with sound where there is a SoundFont."""
    from serenity.listen import page

    songs, about = [], ""
    for row in rows:
        sound = encode_sound(row.song, soundfont) if soundfont else None
        songs.append(page_song(row.song, row.measures, sound, {row.file.name: row.file.read_bytes()}))
        about = about or heading(row.song)
    page.write(path, title, [page.Group("", tuple(songs), about)], note)


def page_song(song: Song, measures: Sequence[Remark] = (), sound: audio.Encoded | None = None,
              downloads: Mapping[str, bytes] | None = None) -> PageSong:
    """Return a song as a page shows it, whole or the part around the join; `measures` as completion.measures has them.
    """
    part = around_join(song, *HEARD)
    notes, bars = _notes(part), _bars(part)
    before = song.split - part.split  # seconds that are left out
    chords = harmony.find_chords(notes, beat_edges(part.tempo_map, end_time(notes)))
    named = zip(chords["start"].tolist(), chord_names(chords, song.key))
    end = end_time(_notes(song))
    cut = "" if len(notes) == len(_notes(song)) else (
        f"shown and played: {clock(before)} to {clock(before + end_time(notes))} of {clock(end)}")
    return PageSong(song.name, notes, part.split, bars, song.tempo_map.bar_name(bars[0] + before) if len(bars) else 1,
                    [*named], sound, [remark for remark in measures if remark.about != COLLAPSE],
                    next((remark.words for remark in measures if remark.about == COLLAPSE), ""), cut, downloads or {})


def encode_sound(song: Song, soundfont: Path, small: bool = True) -> audio.Encoded:
    """Return the sound of what page_song shows of a song; see audio.encode."""
    tracks = around_join(song, *HEARD).score.tracks
    return audio.encode(audio.render(tracks, soundfont, longest=sum(HEARD) + SLACK), small=small)


def heading(song: Song) -> str:
    """Return what holds for a song and its seed: key, tempo and metre where the continuation begins."""
    quarter = song.tempo_map.quarters(song.split)
    metre = song.tempo_map.metre(quarter)
    bpm = 6e7 / song.tempo_map.tempo(quarter)
    return f"{song.key.name} · {bpm:.0f} BPM · {metre['numerator']}/{metre['denominator']}"


def _notes(song: Song) -> np.ndarray:
    """Return the notes that have a pitch."""
    return merge_tables(track.notes for track in song.score.tracks if not track.is_drum)


def _bars(song: Song) -> np.ndarray:
    """Return the onsets of bars, seconds."""
    end = end_time(_notes(song))
    bars = song.tempo_map.bar_onsets(end)
    return bars if len(bars) <= MOST_BARS_A_SECOND * end else np.empty(0)
