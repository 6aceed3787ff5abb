import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music.note import NOTE
from serenity.music.voices import BASS, INNER, MELODY, phrases, strike_starts, strikes, voices
from tests.songs import compose_notes, notes_named
from tests.strategies import note_tables

some_notes = st.one_of(note_tables, st.just(np.zeros(0, NOTE)), st.integers(0, 9).map(lambda n: compose_notes(n, 6)))


def test_the_voices_of_a_broken_chord_under_a_melody():
    notes = notes_named("c6c3 0 2, e4 0.5 0.4, g4 1 0.4, e4 1.5 0.4, a5f4d3 2 1")
    assert voices(notes).tolist() == [BASS, MELODY, INNER, INNER, INNER, BASS, INNER, MELODY]


def test_a_line_for_one_voice_is_all_melody():
    assert set(voices(notes_named("c4 0 1, g4 1 1, c3 2 1, c5 3 1"))) == {MELODY}
    assert set(voices(notes_named("c5 0 4, b4 1 1, c4 2 1, b3 3 1"))) == {MELODY}  # though one note is held


def test_notes_rolled_over_30_ms_are_one_strike_and_over_50_ms_several():
    rolled = notes_named("c3 0 1, e3 0.03 1, g3 0.06 1, c4 0.11 1")
    assert strikes(rolled).tolist() == [0, 0, 0, 1]
    assert strike_starts(rolled).tolist() == [0, 3]
    assert strikes(rolled[:0]).tolist() == strike_starts(rolled[:0]).tolist() == []


@given(some_notes)
def test_melody_and_bass_have_one_pitch_a_strike(notes):
    strike, voice = strikes(notes), voices(notes)
    for one in (MELODY, BASS):
        pitches = set(zip(strike[voice == one].tolist(), notes["pitch"][voice == one].tolist()))
        assert len(pitches) == len({number for number, _ in pitches})
    if len(notes):
        assert set(voice[notes["pitch"] == notes["pitch"].max()]) == {MELODY}
        assert voice[notes["pitch"] == notes["pitch"].min()].min() != INNER


def test_a_phrase_ends_where_the_melody_rests_or_holds():
    tune = "c4 0 0.5, d4 0.5 0.5, e4 1.5 0.5, f4 2 0.5, g4 2.5 0.5, e4 3 0.5, c4 3.5 0.5"  # its rest comes too soon
    after_a_rest = "d4 4.5 0.5, e4 5 0.5, f4 5.5 0.5, g4 6 2"
    after_a_held_note = "e4 8 0.5, d4 8.5 0.5, c4 9 0.5, b3 9.5 0.5"
    notes = notes_named(f"{tune}, {after_a_rest}, {after_a_held_note}")
    assert phrases(notes).tolist() == [0] * 7 + [1] * 4 + [2] * 4


@given(some_notes)
def test_phrases_ascend_and_part_no_strike(notes):
    phrase, strike = phrases(notes), strikes(notes)
    assert np.isin(np.diff(phrase, prepend=0), (0, 1)).all()
    assert len(set(zip(strike.tolist(), phrase.tolist()))) == len(set(strike.tolist()))


@pytest.mark.parametrize("slower", [0.5, 2, 8])
def test_phrases_of_a_line_are_the_same_in_another_tempo(slower):
    notes = notes_named(", ".join(f"{name}4 {at} 0.5" for name, at in zip("cdefgefgagfe", [0, 1, 2, 3, 4, 8, 9, 10, 11,
                                                                                       17, 18, 19])))
    expected = phrases(notes).tolist()
    notes["onset"] *= slower
    notes["duration"] *= slower
    assert phrases(notes).tolist() == expected == [0] * 5 + [1] * 4 + [2] * 3
