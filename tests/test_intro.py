from pathlib import Path

import numpy as np
import pytest

from benchmarks import intro
from serenity.music import midi_file
from serenity.music.harmony import find_key
from serenity.music.note import end_time
from serenity.music.pitch import PITCH_CLASS_NAMES
from serenity.music.song import of_score

INTRO = Path(__file__).resolve().parents[1] / "data" / "intro.mid"
SECONDS = intro.QUARTER / 1e6


def test_the_file_is_what_compose_gives(tmp_path):
    intro.write_file(tmp_path / "intro.mid")
    assert (tmp_path / "intro.mid").read_bytes() == INTRO.read_bytes()


def test_the_file_holds_every_note_with_tempo_and_metre():
    score = midi_file.read(INTRO)
    [track] = score.tracks
    notes = intro.compose()
    assert np.array_equal(track.notes[["pitch", "velocity"]], notes[["pitch", "velocity"]])
    assert np.allclose(track.notes["onset"], notes["onset"], atol=1e-6)
    assert np.allclose(track.notes["duration"], notes["duration"], atol=SECONDS / score.tempo_map.ticks_per_quarter)
    assert score.tempo_map.tempos.tolist() == [(0.0, intro.QUARTER)]
    assert score.tempo_map.metres.tolist() == [(0.0, 4, 4)]


def test_its_beats_are_those_of_its_score():
    song = of_score(midi_file.read(INTRO))
    assert str(song.beats) == "beat: the file's, 88 BPM, 4/4, bar 1 at 0.00 s"


def test_composing_twice_gives_the_same():
    assert np.array_equal(intro.compose(), intro.compose())


def test_the_key_is_heard_and_is_not_the_one_that_songs_are_normalised_to():
    key = find_key(intro.compose())
    assert (PITCH_CLASS_NAMES[key.tonic], key.mode) == ("a", "major")


@pytest.mark.parametrize("row", range(len(intro.SCORE)))
def test_every_bar_is_full(row):
    bass, chords, melody = intro.SCORE[row]
    assert len(bass.split()) == len(intro.BASS_BEATS)
    for voice in (chords, melody):
        assert sum(float(token.split("/")[1]) for token in voice.split()) == intro.BEATS


def test_it_is_eight_bars_of_two_hands():
    notes = intro.compose()
    assert end_time(notes) == pytest.approx(8 * intro.BEATS * SECONDS)
    assert len(notes) > 120 and notes["pitch"].min() < 40 and notes["pitch"].max() > 80
    assert len(np.unique(notes["velocity"])) > 20


def test_no_key_is_struck_while_it_is_held():
    notes = intro.compose()
    for pitch in np.unique(notes["pitch"]):
        same = notes[notes["pitch"] == pitch]
        assert (same["onset"][1:] >= (same["onset"] + same["duration"])[:-1] - 1e-9).all()


def test_the_melody_lies_above_everything_else():
    notes = intro.compose()
    for onset in np.unique(notes["onset"]):
        struck = notes[notes["onset"] == onset]
        loudest = struck["pitch"][struck["velocity"].argmax()]
        assert loudest == struck["pitch"].max() or struck["velocity"].max() < 76  # 76: no melody note begins here
