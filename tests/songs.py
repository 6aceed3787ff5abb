"""Songs made in code for the tests."""

import numpy as np

from serenity.music.abc_file import AbcSong
from serenity.music.beats import Beats
from serenity.music.codec import encode
from serenity.music.note import note_table
from serenity.music.pitch import parse_chord
from serenity.music.song import Song
from serenity.music.tempo_map import TempoMap, metres
from serenity.settings import CodecSettings

AXIS = ((36, 60, 64, 67), (43, 59, 62, 67), (45, 57, 60, 64), (41, 57, 60, 65))  # I V vi IV
FOUR_FOUR = TempoMap(metres=metres((0.0, 4, 4)))  # 120 a minute: a bar of 2 s
CHORDS = ((0, 4, 7), (7, 11, 14), (9, 12, 16), (5, 9, 12), (2, 5, 9), (4, 7, 11))


def compose_notes(seed: int, bars: int = 30, transposition: int = 0) -> np.ndarray:
    """Return a song in 4/4 by a random walk: a bass note and a chord in each bar, and a melody over them.

    At 120 quarters a minute from 0 s on; all onsets are eighths.
    """
    rng = np.random.default_rng(seed)
    rows, melody = [], 72
    for bar in range(bars):
        chord = CHORDS[rng.integers(len(CHORDS))]
        start = 2.0 * bar
        rows.append((start, 1.9, 36 + chord[0] % 12, 70))
        rows += [(start + 0.5 * beat, 0.4, 60 + pitch, 60 + 4 * beat) for beat in (1, 3) for pitch in chord]
        place = 0.0
        while place < 2.0:
            length = float(rng.choice([0.25, 0.5, 0.5, 0.75, 1.0]))
            melody = int(np.clip(melody + rng.choice([-5, -4, -2, -1, 1, 2, 3, 5]), 64, 86))
            rows.append((start + place, min(length, 2.0 - place), melody, int(rng.integers(70, 110))))
            place += length
    onset, duration, pitch, velocity = zip(*rows)
    return note_table(onset, duration, np.array(pitch) + transposition, velocity)


def pop_song(bars: int = 40, seed: int = 1) -> np.ndarray:
    """Return a song over the axis progression: bass and broken chords, and a melody above."""
    rng = np.random.default_rng(seed)
    rows = []
    for bar in range(bars):
        bass, *chord = AXIS[bar % 4]
        rows.append((2.0 * bar, 1.9, bass, 70))
        rows += [(2.0 * bar + 0.5 * beat, 0.45, chord[beat % 3], int(rng.integers(50, 70))) for beat in range(4)]
        place = 0.0
        while place < 2:
            length = float(rng.choice([0.25, 0.5, 1.0]))
            rows.append((2.0 * bar + place, min(length, 2 - place), int(rng.choice(chord)) + 12,
                         int(rng.integers(75, 110))))
            place += length
    return note_table(*zip(*rows))


def song_of(notes: np.ndarray, tempo_map: TempoMap = FOUR_FOUR) -> Song:
    """Return the song of notes whose beats are known."""
    return Song(notes, notes, Beats(tempo_map, "file", 1.0, tempo_map))


def abc_songs(count: int, settings: CodecSettings = CodecSettings(), bars: int = 30) -> list[tuple[str, AbcSong]]:
    """Return songs 0..count - 1 as (name, abc song), each a group of its own."""
    songs = []
    for number in range(count):
        song = song_of(compose_notes(number, bars))
        encoded = encode(song, settings)
        name = f"song-{number}"
        songs.append((name, AbcSong(f"{name}.mid", name, str(encoded.key), encoded.transposition, encoded.folded,
                                    song.beats.source, song.tempo_map, settings, encoded.events)))
    return songs


def notes_named(text: str) -> np.ndarray:
    """Return the notes of "c4 0 1, e4 0.5 0.5": names, onset and duration in seconds; velocity 80."""
    rows = [(float(onset), float(duration), pitch, 80) for words in text.split(",")
            for names, onset, duration in [words.split()] for pitch in parse_chord(names)]
    return note_table(*zip(*rows))
