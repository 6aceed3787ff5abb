import numpy as np
import pytest
from hypothesis import given

from serenity.music.event import EVENT, fold_notes, number_name, unfold_events
from serenity.music.note import NOTE, note_table
from serenity.music.pitch import chord_pitches, spell
from tests.fidelity import assert_faithful
from tests.real_midi import notes_of, over_real_files
from tests.strategies import note_tables, split_ratios, time_steps


def fold(*rows, time_step=0.02, split_ratio=1.5):
    """Fold notes given as (onset, duration, pitch, velocity); return events as (chord, step, duration, velocity)."""
    events = fold_notes(note_table(*zip(*rows)), time_step, split_ratio)
    return [(spell(chord_pitches(event["pitch"])), *(event[name].item() for name in ("step", "duration", "velocity")))
            for event in events]


def test_notes_struck_together_are_one_event():
    assert fold((1, 0.5, 60, 70), (1.01, 0.5, 64, 80), (1.5, 1, 67, 90)) == [
        ("e4c4", 1, 0.5, 75), ("g4", 0.5, 1, 90)]


def test_notes_a_time_step_apart_are_two_events():
    assert [event[0] for event in fold((0, 1, 60, 80), (0.02, 1, 64, 80))] == ["c4", "e4"]


def test_a_roll_is_cut_a_time_step_after_its_first_note():
    roll = [(0.015 * number, 1, 60 + number, 80) for number in range(4)]
    assert [event[0] for event in fold(*roll)] == ["c#4c4", "d#4d4"]


def test_durations_too_far_apart_become_events_with_step_0_the_highest_first():
    assert fold((0, 2, 48, 60), (0, 0.5, 76, 80), (0, 0.4, 72, 80), (1, 1, 60, 80)) == [
        ("e5c5", 0, 0.5, 80), ("c3", 0, 2, 60), ("c4", 1, 1, 80)]


def test_without_a_split_ratio_a_chord_lasts_as_long_as_its_longest_note():
    assert fold((0, 2, 48, 60), (0, 0.1, 76, 80), split_ratio=None) == [("e5c3", 0, 2, 70)]


def test_a_chord_is_not_split_where_the_ratio_is_just_met():
    assert len(fold((0, 0.6, 60, 80), (0, 0.4, 64, 80))) == 1
    assert len(fold((0, 0.62, 60, 80), (0, 0.4, 64, 80))) == 2


def test_a_pitch_struck_twice_at_once_counts_once_with_its_longest_duration():
    assert fold((0, 1, 60, 80), (0.01, 2, 60, 90)) == [("c4", 0, 2, 90)]


def test_the_shortest_note_lasts_a_time_step():
    assert fold((0, 0.001, 60, 80)) == [("c4", 0, 0.02, 80)]


def test_no_notes_are_no_events_and_back():
    events = fold_notes(np.empty(0, NOTE), 0.02, 1.5)
    assert events.dtype == EVENT and len(events) == 0
    assert len(unfold_events(events)) == 0


def test_unfolding_gives_each_note_of_a_chord_its_row():
    events = np.array([((1 << 60 | 1 << 62, 1 << 3), 0.5, 0.25, 80), ((1 << 60, 0), 0.5, 1, 90)], EVENT)
    assert unfold_events(events).tolist() == [
        (0.5, 0.25, 60, 80), (0.5, 0.25, 62, 80), (0.5, 0.25, 67, 80), (1, 1, 60, 90)]


@given(note_tables, time_steps, split_ratios)
def test_folding_is_the_inverse_of_unfolding(notes, time_step, split_ratio):
    events = fold_notes(notes, time_step, split_ratio)
    assert np.array_equal(fold_notes(unfold_events(events), time_step, split_ratio), events)


@given(note_tables, time_steps, split_ratios)
def test_every_note_is_found_again(notes, time_step, split_ratio):
    before = notes.copy()
    events = fold_notes(notes, time_step, split_ratio)
    assert_faithful(notes, unfold_events(events), time_step, split_ratio)
    assert np.array_equal(notes, before)


@given(note_tables)
def test_the_order_of_the_notes_does_not_matter(notes):
    shuffled = np.random.default_rng(0).permutation(notes)
    assert np.array_equal(fold_notes(shuffled, 0.02, 1.5)["pitch"], fold_notes(notes, 0.02, 1.5)["pitch"])


@given(note_tables)
def test_unfolding_leaves_the_events_as_they_were(notes):
    events = fold_notes(notes, 0.02, 1.5)
    before = events.copy()
    unfold_events(events)
    assert np.array_equal(events, before)


@over_real_files
@pytest.mark.parametrize("split_ratio", [1.5, None])
def test_every_note_of_a_real_song_is_found_again(path, split_ratio):
    notes = notes_of(path)
    events = fold_notes(notes, 0.02, split_ratio)
    found = unfold_events(events)
    assert_faithful(notes, found, 0.02, split_ratio)
    assert np.array_equal(fold_notes(found, 0.02, split_ratio), events)


@pytest.mark.parametrize(("number", "name"), [(0.0, "0"), (1.0, "1"), (0.48, "0.48"), (1234.567, "1234.567"),
                                              (63.020833, "63.020833")])
def test_a_number_is_named_as_short_as_it_can_be_read_back(number, name):
    assert number_name(number) == name
    assert float(name) == number
