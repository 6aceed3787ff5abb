"""generate.py meets seeds as they come: odd ones made here, and, where SERENITY_TEST_MIDI names a folder, real ones.

Each gives a song, or one line. SERENITY_TEST_SEEDS says how many real ones are drawn; 200 take minutes.
"""

import os
import random
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import config
import generate
from serenity.categories import CATEGORIES
from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.music import midi_file
from serenity.music.midi_file import Track
from serenity.music.note import merge_tables, note_table
from serenity.music.tempo_map import METRE, TEMPO, TempoMap
from tests.real_midi import FOLDER
from tests.scripts import asking
from tests.songs import compose_notes

COUNT = int(os.environ.get("SERENITY_TEST_SEEDS", 20))


def song_bytes(notes=None, tempos=((0, 500_000),), metres=(), pedals=(), name="", ticks=480, tracks=1, is_drum=False):
    notes = compose_notes(1, bars=4) if notes is None else notes
    track = Track(name, 0, is_drum, notes, np.array(pedals, float).reshape(-1, 2))
    clock = TempoMap(np.array(list(tempos), TEMPO), np.array(list(metres), METRE), ticks)
    return midi_file.to_bytes([track] * tracks, clock)


def notes(count, every=0.25, duration=0.2, pitch=60, velocity=64, start=0.0):
    ones = np.ones(count)
    return note_table(start + every * np.arange(count), duration * ones, pitch * ones, velocity * ones)


def scale(count, lowest, highest):
    table = notes(count)
    table["pitch"] = lowest + np.arange(count) % (highest - lowest + 1)
    return table


def chunk(name, body):
    return name + struct.pack(">L", len(body)) + body


def raw(kind, division, *bodies):
    """Return a MIDI file of given track bodies."""
    return chunk(b"MThd", struct.pack(">HHH", kind, len(bodies), division)) + b"".join(
        chunk(b"MTrk", body + b"\x00\xff\x2f\x00") for body in bodies)


C4 = b"\x00\x90\x3c\x40\x60\x80\x3c\x00"  # for 96 ticks

ODD = {  # name -> the file's bytes
    "one note": lambda: song_bytes(notes(1)),
    "two notes at once": lambda: song_bytes(notes(2, every=0)),
    "20,000 notes": lambda: song_bytes(notes(20_000, every=0.05)),
    "20,000 notes in a second": lambda: song_bytes(notes(20_000, every=0.00005), ticks=32_767),
    "notes of a millisecond": lambda: song_bytes(notes(50, duration=0.001), ticks=960),
    "notes a millisecond apart": lambda: song_bytes(notes(500, every=0.001, duration=0.001), ticks=960),
    "3 hours": lambda: song_bytes(notes(10_800, every=1.0)),
    "a note after 3 hours": lambda: song_bytes(notes(2, every=10_800)),
    "an hour of silence first": lambda: song_bytes(notes(20, start=3600)),
    "a note of 10 minutes": lambda: song_bytes(notes(1, duration=600)),
    "all keys at once": lambda: song_bytes(note_table([0] * 128, [1] * 128, range(128), [64] * 128)),
    "only low notes": lambda: song_bytes(scale(40, 0, 12)),
    "only high notes": lambda: song_bytes(scale(40, 115, 127)),
    "both ends": lambda: song_bytes(note_table(np.arange(40), [1] * 40, [0, 127] * 20, [64] * 40)),
    "one key": lambda: song_bytes(notes(300)),
    "softest": lambda: song_bytes(notes(40, velocity=1)),
    "10 tempo changes": lambda: song_bytes(tempos=[(0.7 * i, 300_000 + 70_000 * i) for i in range(10)]),
    "500 tempo changes": lambda: song_bytes(tempos=[(0.01 * i, 300_000 + 997 * i) for i in range(500)]),
    "a quarter note of a microsecond": lambda: song_bytes(notes(3, every=0.001), tempos=[(0, 1)]),
    "a quarter note of 16 seconds": lambda: song_bytes(tempos=[(0, 16_777_215)]),
    "bars of a 32nd": lambda: song_bytes(metres=[(0, 1, 32)]),
    "bars of 99 whole notes": lambda: song_bytes(metres=[(0, 99, 1)]),
    "a new metre every beat": lambda: song_bytes(metres=[(0.5 * i, 2 + i % 9, 8) for i in range(16)]),
    "pedal down all along": lambda: song_bytes(pedals=[(0, 100)]),
    "pedal a hundred times a second": lambda: song_bytes(pedals=[(0.01 * i, 0.01 * i + 0.005) for i in range(500)]),
    "1 tick a quarter note": lambda: song_bytes(ticks=1),
    "32,767 ticks a quarter note": lambda: song_bytes(ticks=32_767),
    "200 tracks": lambda: song_bytes(notes(10), tracks=200),
    "an odd name": lambda: song_bytes(name="钢琴\x1b[2J\n\r\t" + "x" * 3000),
    "type 0": lambda: raw(0, 480, C4 * 20),
    "type 2": lambda: raw(2, 480, C4 * 20, C4 * 20),
    "time code": lambda: raw(1, 0xE250, C4 * 20),  # 30 frames of 80 ticks
    "no tempo": lambda: raw(1, 480, C4 * 20),
    "never ended": lambda: raw(1, 480, b"\x00\x90\x3c\x40", C4),
    "rubbish behind": lambda: song_bytes() + bytes(range(256)),
    "controls without end": lambda: raw(1, 480, C4 * 20 + b"\x01\xb0\x07\x40" * 5000),
}

LINES = {  # name -> (the file's bytes, what the line says)
    "empty": (lambda: b"", "is empty"),
    "rubbish": (lambda: random.Random(0).randbytes(5000), "is not a song"),
    "cut off": (lambda: song_bytes()[:-40], "cut off"),
    "only drums": (lambda: song_bytes(is_drum=True), "only drums"),
    "no notes": (lambda: raw(1, 480, b""), "no note"),
    "two days": (lambda: song_bytes(notes(2, every=172_800)), "wanted at most 24"),
    "rubbish in a track": (lambda: raw(1, 480, random.Random(1).randbytes(500)), "damaged|no note"),
}


@pytest.fixture
def complete(tmp_path, monkeypatch):
    """Return a function that completes a file and gives the song, or None and the one line."""
    monkeypatch.setattr(checkpoint, "load", cache(checkpoint.load))

    def run(path, **changes):
        out = tmp_path / "out.mid"
        settings = {"events": 6} | changes
        try:
            generate.main(asking(song=path, out=out, **settings))
        except InputError as error:
            assert str(error).isprintable() and str(path) in str(error)
            assert not out.exists()
            return None, str(error)
        return midi_file.read(out), ""
    return run


@pytest.mark.parametrize("name", ODD)
def test_an_odd_seed_gives_a_song(name, complete, tmp_path, model_folder, capsys):
    path = tmp_path / "odd.mid"
    path.write_bytes(ODD[name]())
    song, line = complete(path, model=model_folder)
    assert song, line
    assert len(song.tracks[-1].notes)
    assert all(text.isprintable() for text in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("name", ["10 tempo changes", "500 tempo changes", "a new metre every beat", "bars of a 32nd",
                                  "a quarter note of a microsecond", "time code", "type 2", "no tempo"])
def test_an_odd_seed_goes_on_by_bars(name, complete, tmp_path, model_folder):
    path = tmp_path / "odd.mid"
    path.write_bytes(ODD[name]())
    song, line = complete(path, model=model_folder, events=None, bars=1, prompt_last=5, top_k=0, layout="joined",
                          picture=False)
    assert song or "wanted a longer one" in line or "wanted fewer" in line


@pytest.mark.parametrize("name", [name for name in ODD if name != "20,000 notes in a second"])  # less than a tick each
def test_an_odd_seed_stays_at_its_seconds_where_its_beats_are_written(name, complete, tmp_path, model_folder):
    path = tmp_path / "odd.mid"
    path.write_bytes(ODD[name]())
    song, line = complete(path, model=model_folder, write_beats=True, picture=False)
    assert song, line
    onset, seed = (merge_tables(track.notes for track in score.tracks[:len(song.tracks) - 1])["onset"]
                   for score in (song, midi_file.read(path)))
    assert len(onset) == len(seed) and abs(onset - seed).max() < 1e-3


@pytest.mark.parametrize("name", LINES)
def test_what_is_no_seed_gives_a_line(name, complete, tmp_path, model_folder):
    path = tmp_path / "odd.mid"
    data, message = LINES[name]
    path.write_bytes(data())
    with pytest.raises(InputError, match=message):
        generate.main(asking(song=path, out=tmp_path / "out.mid", model=model_folder, events=6))


def drawn():
    """Yield (path, flags) of real files, always the same ones, each with flags of its own."""
    files = sorted(path for path in Path(FOLDER).rglob("*") if path.suffix in (".mid", ".midi")) if FOLDER else []
    chance = random.Random(6)
    for path in chance.sample(files, min(COUNT, len(files))):
        events = chance.randint(1, 200)
        start = chance.uniform(0, 20)
        yield path, {
            **chance.choice([{}, {"prompt_events": events}, {"prompt_last": events},
                             {"prompt_seconds": (start, start + 20)}]),
            **chance.choice([{"events": 8}, {"events": None, "seconds": 2.0}, {"events": None, "bars": 1}]),
            "layout": chance.choice(["separate", "two", "joined", "alone"]), "top_k": chance.choice([1, 0, 8]),
            "category": chance.choice([None, None, None, *list(CATEGORIES)[1:]]),
            "match_velocity": chance.random() < 0.5, "after": chance.choice(["", "", "thin", "quantise,swell"]),
            "seed": chance.randint(0, 99), "picture": chance.random() < 0.1,
        }


@pytest.mark.skipif(not FOLDER, reason="SERENITY_TEST_MIDI names no folder of MIDI files")
@pytest.mark.parametrize("path, flags", [*drawn()], ids=lambda value: value.stem if isinstance(value, Path) else "")
def test_a_real_seed_gives_a_song_or_a_line(path, flags, complete):
    song, line = complete(path, model=config.MODEL, **flags)
    if song is None:
        assert "wanted" in line
    else:
        assert song.tracks[-1].notes["onset"].max() > 0
