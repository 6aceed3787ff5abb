import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music import pitch
from serenity.music.note import note_table
from serenity.music.pitch import chord_bits, chord_matrix, chord_pitches, parse_chord, pitch_name, spell, top_pitch
from tests.strategies import chords, note_tables


def notes_at(*pitches):
    return note_table(range(len(pitches)), [1] * len(pitches), pitches, [80] * len(pitches))


@pytest.mark.parametrize(("number", "name"), [
    (0, "c-1"), (11, "b-1"), (21, "a0"), (60, "c4"), (82, "a#5"), (127, "g9")])
def test_a_pitch_has_the_name_of_its_key_and_octave(number, name):
    assert pitch_name(number) == name
    assert parse_chord(name) == [number]


def test_a_chord_is_spelled_from_high_to_low_whatever_the_order():
    assert spell([73, 82, 79]) == spell([82, 79, 73]) == "a#5g5c#5"


@given(chords)
def test_parsing_is_the_inverse_of_spelling(chord):
    assert parse_chord(spell(chord)) == sorted(chord, reverse=True)


def test_a_chord_is_parsed_in_the_order_written():
    assert parse_chord("c4g4e4") == [60, 67, 64]


@pytest.mark.parametrize(("text", "index", "said"), [
    ("h4", 0, "'h4' is not a note"),
    ("c4e", 2, "'e' is not a note"),
    ("c4e#4", 2, "'e#4' is not a note"),        # f4
    ("g9g#9", 2, "'g#9' is not a note"),        # above MIDI's range
    ("c-2", 0, "'c-2' is not a note"),          # below it
    ("c10", 2, "'0' is not a note"),
    ("C4", 0, "'C4' is not a note"),
    ("c٤", 0, "'c٤' is not a note"),            # a digit, but not one of ours
    ("c4 e4", 2, "' e4' is not a note"),
    ("a#5d5a#5", 5, "'a#5' stands twice"),
    ("", 0, "a chord without notes"),
])
def test_what_is_no_chord_is_refused_at_its_place(text, index, said):
    with pytest.raises(ValueError) as error:
        parse_chord(text)
    message, place = error.value.args
    assert place == index
    assert said in message


@given(chords)
def test_the_pitches_of_a_chord_come_back_from_its_bits(chord):
    assert chord_pitches(chord_bits(chord)) == sorted(chord)


@given(st.lists(chords, max_size=5))
def test_the_chord_matrix_and_the_top_pitch_say_what_sounds(some):
    bits = np.array([chord_bits(chord) for chord in some], np.uint64).reshape(-1, 2)
    matrix = chord_matrix(bits)
    assert [set(np.flatnonzero(row)) for row in matrix] == some
    assert top_pitch(bits).tolist() == [max(chord) for chord in some]


def test_a_chord_without_notes_has_no_top_pitch():
    assert top_pitch(np.zeros((1, 2), np.uint64)).tolist() == [-1]


@given(note_tables, st.integers(-60, 60))
def test_transposing_back_restores_the_notes(notes, semitones):
    before = notes.copy()
    there = pitch.transpose(notes, semitones)
    assert np.array_equal(pitch.transpose(there, -semitones), before)
    assert np.array_equal(notes, before)


@given(note_tables, st.integers(0, 100), st.integers(11, 40))
def test_folding_keeps_the_pitch_class_and_moves_no_note_further_than_needed(notes, lowest, width):
    before, highest = notes.copy(), min(127, lowest + width)
    lowest = highest - width
    folded, moved = pitch.fold(notes, lowest, highest)
    assert ((lowest <= folded["pitch"]) & (folded["pitch"] <= highest)).all()
    assert moved == np.count_nonzero((before["pitch"] < lowest) | (before["pitch"] > highest))
    assert sorted(zip(before["onset"], before["pitch"] % 12)) == sorted(zip(folded["onset"], folded["pitch"] % 12))
    assert np.array_equal(notes, before)


@given(note_tables)
def test_folding_twice_equals_folding_once(notes):
    once, _ = pitch.fold(notes, 40, 60)
    twice, moved = pitch.fold(once, 40, 60)
    assert moved == 0
    assert np.array_equal(once, twice)


def test_a_note_goes_to_the_nearest_octave_inside():
    folded, moved = pitch.fold(notes_at(20, 21, 108, 109, 127), 21, 108)
    assert folded["pitch"].tolist() == [32, 21, 108, 97, 103]
    assert moved == 3


def test_a_folded_table_is_still_sorted():
    chord = note_table([0, 0], [1, 1], [60, 110], [80, 90])
    folded, _ = pitch.fold(chord, 40, 60)
    assert folded["pitch"].tolist() == [50, 60]
    assert folded["velocity"].tolist() == [90, 80]


def test_a_range_below_an_octave_is_refused():
    with pytest.raises(ValueError, match="at least one octave, got 60..70"):
        pitch.fold(notes_at(60), 60, 70)


@pytest.mark.parametrize(("tonic", "mode", "shift"), [
    (0, "major", 0), (7, "major", 5), (6, "major", -6), (5, "major", -5), (9, "minor", 0), (4, "minor", 5),
    (3, "minor", -6), (0, "minor", -3),
])
def test_a_key_goes_the_shortest_way_to_c_major_or_a_minor(tonic, mode, shift):
    assert pitch.key_transposition(tonic, mode) == shift


@given(st.integers(0, 11), st.sampled_from([("major", 0), ("minor", 9)]))
def test_every_key_arrives(tonic, mode):
    shift = pitch.key_transposition(tonic, mode[0])
    assert -6 <= shift <= 5
    assert (tonic + shift) % 12 == mode[1]


@given(note_tables, st.sampled_from([1, 12]))
def test_centring_comes_as_near_as_its_unit_allows(notes, unit):
    shift = pitch.centre_transposition(notes, 60, unit)
    assert shift % unit == 0
    assert abs(notes["pitch"].mean() + shift - 60) <= unit / 2
