"""The last strike: which chords are the tonic's, how well it closes, and that it is held."""

import numpy as np
import pytest

from serenity.music.ending import close, held, muddy, tonic_chords
from serenity.music.harmony import Key
from serenity.music.pitch import parse_chord, pitch_bits
from tests.songs import notes_named


def bits(name):
    return np.bitwise_or.reduce(pitch_bits(np.array(parse_chord(name))), axis=0)


@pytest.mark.parametrize(("name", "key", "transposition", "is_tonic"), [
    ("c3e4g4c5", (0, "major"), 0, True), ("c4", (0, "major"), 0, True), ("c4e4a4", (0, "major"), 0, False),
    ("a3c4e4", (9, "minor"), 0, True), ("a3c#4e4", (9, "minor"), 0, False), ("c3e4g4", (9, "major"), 3, True),
    ("a3c#4e4", (9, "major"), 3, False),
])
def test_the_chords_of_the_tonic(name, key, transposition, is_tonic):
    assert tonic_chords(np.array([bits(name)]), Key(*key, 1.0), transposition).tolist() == [is_tonic]


@pytest.mark.parametrize(("name", "transposition", "is_muddy"), [
    ("c2e2g2", 0, True), ("c2g2c3e3", 0, False), ("c3e3", 0, False), ("b2d#3", 0, False), ("a#2d3", 0, True),
    ("c3e3", 3, True), ("g2b2", -5, False), ("c2c3c4", 0, False), ("c4", 0, False),
])
def test_a_low_third_is_muddy_an_octave_is_not(name, transposition, is_muddy):
    assert muddy(np.array([bits(name)]), transposition).tolist() == [is_muddy]


@pytest.mark.parametrize(("name", "score"), [("c3e4g4c5", 3), ("c3e4g4", 2), ("e3g4c5", 1), ("e3g4", 0)])
def test_the_tonic_in_the_bass_closes_better_than_on_top(name, score):
    assert close(np.array(parse_chord(name)), 12) == score
    assert close(np.array([]), 0) == 0


def test_a_last_strike_is_held_and_nothing_sounds_into_it():
    body, strike = notes_named("c4 0 1, e4 1 3, g4 2.5 1"), notes_named("c3e4g4 2 0.3")
    done = held(body, strike, 2.0, 4.0)
    assert done[["onset", "duration", "pitch"]].tolist() == [(0, 1, 60), (1, 1, 64), (2, 2, 48), (2, 2, 64), (2, 2, 67)]
