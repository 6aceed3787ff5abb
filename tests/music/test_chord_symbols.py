"""Chords under a melody: what they hold, where they stand, and that they lead on."""

import numpy as np
import pytest

from serenity.music.chord_symbols import BASS, SILENCE, Symbol, symbol_of, voiced
from serenity.music.synthetic import LOW_INTERVAL_LIMITS

QUALITIES = {"major": (0, 4, 7), "minor": (0, 3, 7), "7": (0, 4, 7, 10), "m7b5": (0, 3, 6, 10),
             "maj9": (0, 4, 7, 11, 2), "13": (0, 4, 7, 10, 2, 9)}


def symbol(root: int, quality: str, bass: int | None = None) -> Symbol:
    return Symbol(tuple((root + step) % 12 for step in QUALITIES[quality]), root if bass is None else bass)


def chord(*of, melody=(76,)) -> list[int]:
    return voiced([symbol(*of)], [np.array(melody, int)])[0]


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("root", range(12))
def test_a_chord_has_its_bass_its_third_and_seventh_and_no_muddy_interval(root, quality):
    bass, *upper = chord(root, quality)
    assert bass in BASS
    assert bass % 12 == root
    assert {pitch % 12 for pitch in [bass, *upper]} <= set(symbol(root, quality).classes)
    wanted = [step for step in QUALITIES[quality] if step in (3, 4, 10, 11)]
    assert {(root + step) % 12 for step in wanted} <= {pitch % 12 for pitch in upper}
    assert 3 <= len(upper) <= 5
    for low, high in zip([bass, *upper], upper, strict=False):
        assert low >= LOW_INTERVAL_LIMITS.get(high - low, 0)


def test_a_bass_that_is_named_is_played():
    bass, *upper = chord(0, "major", 4)
    assert bass % 12 == 4
    assert sorted(pitch % 12 for pitch in upper) == [0, 4, 7]


@pytest.mark.parametrize("lowest", [60, 64, 67, 72])
def test_no_voice_stands_above_the_melody(lowest):
    assert max(chord(0, "7", melody=(lowest, 81))) < lowest


@pytest.mark.parametrize("quality", ["major", "7"])
def test_voices_move_little_and_stay_in_the_middle(quality):
    """Round the circle of fifths the shortest way always leads up."""
    circle = [symbol(5 * step % 12, quality) for step in range(25)]
    chords = voiced(circle, [np.array([76])] * len(circle))
    middles = [np.mean(chord[1:]) for chord in chords]
    assert 53 <= min(middles) < max(middles) <= 66
    assert np.mean(abs(np.diff(middles))) < 3
    assert max(abs(np.diff(middles))) <= 5


def test_silence_is_no_chord_and_a_chord_without_melody_is_one():
    assert voiced([Symbol((), 0), symbol(0, "major")], [np.array([60]), np.array([], int)])[0] == []
    assert len(voiced([symbol(0, "major")], [np.array([], int)])[0]) == 4


@pytest.mark.parametrize(("name", "symbol"), [
    ("C", Symbol((0, 4, 7), 0)), ("Bbm7", Symbol((10, 1, 5, 8), 10)), ("F#dim7", Symbol((6, 9, 0, 3), 6)),
    ("D7/F#", Symbol((2, 6, 9, 0), 6)), ("Am/g", Symbol((9, 0, 4), 7)), ("E7(b9)", Symbol((4, 8, 11, 2, 5), 4)),
    ("C6/9", Symbol((0, 4, 7, 9, 2), 0)), ("G-7", Symbol((7, 10, 2, 5), 7)), ("N.C.", SILENCE),
    ("Fine", None), ("D.C.", None), ("slow", None), ("", None), ("4", None), ("Dal Segno", None),
])
def test_names_of_chords(name, symbol):
    assert symbol_of(name) == symbol
