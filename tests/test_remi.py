"""The peer of benchmarks/remi.py gets the songs that Serenity has, and its own losses are told."""

import numpy as np
import pytest

from benchmarks import remi
from serenity.errors import InputError
from serenity.music import codec, midi_file
from serenity.music.codec import events_to_notes
from serenity.music.midi_file import Track
from serenity.music.note import note_table, sort_notes
from serenity.music.tempo_map import TempoMap, tempos
from serenity.settings import CodecSettings
from serenity.tokens import corpus as corpora
from tests import songs
from tests.songs import abc_songs, compose_notes

MAP = TempoMap(tempos((0, 500_000), (8, 1_000_000)))  # two quarters a second, from 4 s on one


def song_of(notes, tempo_map=MAP):
    return remi.Song("song", "test", len(notes), notes, tempo_map)


def test_a_pitch_struck_twice_at_once_is_one_note_as_in_the_codec():
    notes = compose_notes(1)
    doubled = sort_notes(np.concatenate([notes, notes[::3]]))
    encoded = codec.encode(songs.song_of(doubled), CodecSettings(normalise="none"))
    kept, folded = remi.without_doublings(doubled, encoded.points), events_to_notes(encoded.events)
    assert len(kept) == len(folded) < len(doubled)
    assert sorted(kept["pitch"]) == sorted(folded["pitch"])


def test_of_doublings_the_first_onset_and_the_longest_duration_stay():
    notes = note_table([1.0, 1.01, 2.0], [0.5, 2.0, 1.0], [60, 60, 60], [80, 90, 100])
    kept = remi.without_doublings(notes, np.array([48, 48, 96]))
    assert kept["onset"].tolist() == [1, 2]
    assert kept["duration"].tolist() == [2, 1]


def test_seconds_become_quarter_notes_and_seconds_again():
    notes = note_table([1.0, 3.0, 6.0], [0.5, 2.0, 1.0], [60, 62, 64], [80, 80, 80])
    peers = remi.to_peer(song_of(notes))
    np.testing.assert_allclose(peers["onset"], [2, 6, 10])
    np.testing.assert_allclose(peers["duration"], [1, 3, 1])  # the second: one second at either tempo
    back = remi.from_peer(peers, song_of(notes))
    for column in notes.dtype.names:
        np.testing.assert_allclose(back[column], notes[column])


def test_what_begins_before_the_first_quarter_begins_with_it_and_ends_as_before():
    peers = remi.to_peer(song_of(note_table([0.9, 1.5], [1.1, 0.5], [60, 62], [80, 80]), MAP.moved(1.0)))
    np.testing.assert_allclose(peers["onset"], [0, 1])
    np.testing.assert_allclose(peers["duration"], [2, 1])


def test_what_a_rounding_loses_is_told():
    notes = note_table([1.0, 2.0, 3.0], [0.5, 1.0, 1.0], [60, 60, 62], [80, 84, 90])
    rounded = remi.to_peer(song_of(notes))
    rounded["onset"] += [0.1, 0, 0]  # 50 ms
    rounded["duration"] *= [2, 1, 1]
    rounded["velocity"] += np.array([0, 0, 6], np.int16)
    found = remi.fidelity([song_of(notes)], [rounded])
    assert found["onset error max ms"] == pytest.approx(50)
    assert found["onset error mean ms"] == pytest.approx(50 / 3)
    assert found["duration ratio mean"] == pytest.approx(4 / 3)
    assert found["velocity error mean"] == 2
    assert found["uncompared"] == 0
    assert remi.fidelity([song_of(notes)], [rounded[:2]])["uncompared"] == 1


def test_songs_are_read_by_the_names_in_the_store_and_in_its_key(tmp_path):
    notes = compose_notes(0, bars=4, transposition=3)
    midi_file.write(tmp_path / "song-0.mid", [Track("Piano", 0, False, notes)])
    name, song = abc_songs(1, bars=4)[0]
    corpora.build(tmp_path / "tokens", [corpora.Entry("song-0.mid.abc", "0"), corpora.Entry("made.abc", "0", True)],
                  lambda _: song)
    corpus = corpora.load(tmp_path / "tokens")
    parameters = remi.Parameters(tmp_path, tmp_path / "tokens", tmp_path, splits=())
    read, = remi.read_songs(corpus, parameters)
    struck = events_to_notes(song.events)
    assert read.store_notes == len(read.notes) == len(struck)
    assert set(read.notes["pitch"]) == set(struck["pitch"])
    (tmp_path / "song-0.mid").unlink()
    with pytest.raises(InputError, match="no such file"):
        remi.read_songs(corpus, parameters)
