import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music.codec import (
    ACCENT,
    EVENT,
    LIMITS,
    bar_places,
    events_to_notes,
    loudness_name,
    notes_to_events,
    number_name,
    parse_loudness,
    time_name,
)
from serenity.music.grid import GRID_NOTE, to_grid
from serenity.music.pitch import chord_pitches, spell
from serenity.music.tempo_map import TempoMap, metres
from tests.fidelity import assert_faithful
from tests.real_midi import over_real_files, song_at
from tests.strategies import event_tables, grid_tables, grids, split_ratios


def fold(*rows, split_ratio=1.5):
    """Fold notes given as (onset, duration, pitch, velocity); return events as (chord, step, duration, loudness)."""
    events = notes_to_events(np.array(list(rows), GRID_NOTE), split_ratio)
    return [(spell(chord_pitches(chord)), step, duration, loudness_name(velocity, accent))
            for chord, step, duration, velocity, accent in events.tolist()]


def test_notes_struck_together_are_one_event():
    assert fold((24, 12, 60, 70), (24, 12, 64, 80), (36, 24, 67, 90)) == [
        ("e4c4", 24, 12, "70+8"), ("g4", 12, 24, "90")]


def test_notes_a_grid_point_apart_are_two_events():
    assert [event[:2] for event in fold((0, 24, 60, 80), (1, 24, 64, 80))] == [("c4", 0), ("e4", 1)]


def test_durations_too_far_apart_become_events_with_step_0_the_highest_first():
    assert fold((0, 96, 48, 60), (0, 24, 76, 80), (0, 20, 72, 80), (48, 48, 60, 80)) == [
        ("e5c5", 0, 24, "80"), ("c3", 0, 96, "60"), ("c4", 48, 48, "80")]


def test_without_a_split_ratio_a_chord_lasts_as_long_as_its_longest_note():
    assert fold((0, 96, 48, 60), (0, 5, 76, 80), split_ratio=None) == [("e5c3", 0, 96, "60+16")]


def test_a_chord_is_not_split_where_the_ratio_is_just_met():
    assert len(fold((0, 30, 60, 80), (0, 20, 64, 80))) == 1
    assert len(fold((0, 31, 60, 80), (0, 20, 64, 80))) == 2


def test_a_pitch_struck_twice_at_once_counts_once_with_its_longest_duration():
    assert fold((6, 24, 60, 80), (6, 48, 60, 90)) == [("c4", 6, 48, "90")]


def test_no_notes_are_no_events_and_back():
    events = notes_to_events(np.empty(0, GRID_NOTE), 1.5)
    assert events.dtype == EVENT and len(events) == 0
    assert events_to_notes(events).dtype == GRID_NOTE and len(events_to_notes(events)) == 0


def test_events_to_notes_gives_each_note_of_a_chord_its_row():
    events = np.array([((1 << 60 | 1 << 62, 1 << 3), 12, 6, 80, -16), ((1 << 60, 0), 12, 24, 90, 0)], EVENT)
    assert events_to_notes(events).tolist() == [(12, 6, 60, 80), (12, 6, 62, 80), (12, 6, 67, 64), (24, 24, 60, 90)]


@pytest.mark.parametrize(("below", "top", "loudness"), [
    ((60, 64), 90, "62+32"),  # nearer to 32 than to 24
    ((80,), 80, "80"), ((80,), 83, "80"), ((80,), 85, "80+8"), ((80,), 64, "80-16"), ((20,), 127, "20+48"),
    ((127,), 1, "127-32")])
def test_the_top_note_has_an_accent_beside_the_mean_of_the_notes_below(below, top, loudness):
    rows = [(0, 24, 48 + number, velocity) for number, velocity in enumerate(below)]
    assert fold((0, 24, 72, top), *rows)[0][3] == loudness


@given(st.lists(st.integers(1, 127), min_size=2, max_size=6))
def test_no_top_note_moves_by_more_than_half_an_accent_as_long_as_there_is_one_for_it(velocities):
    """The melody keeps its loudness: with one velocity a chord it came near that of the notes below."""
    notes = np.array([(0, 24, 60 + number, velocity) for number, velocity in enumerate(velocities)], GRID_NOTE)
    top = events_to_notes(notes_to_events(notes, None))["velocity"][-1]
    middle = np.rint(np.mean(velocities[:-1]))
    wanted = np.clip(velocities[-1], middle + LIMITS["accent"][0], middle + LIMITS["accent"][1])
    assert abs(top - wanted) <= ACCENT / 2


def test_no_accent_leads_out_of_midi_s_range():
    events = np.array([((3 << 60, 0), 0, 1, 120, 16), ((3 << 60, 0), 1, 1, 5, -32)], EVENT)
    assert events_to_notes(events)["velocity"].tolist() == [120, 127, 5, 1]


@given(grid_tables, split_ratios)
def test_notes_to_events_is_the_inverse_of_events_to_notes(notes, split_ratio):
    events = notes_to_events(notes, split_ratio)
    assert np.array_equal(notes_to_events(events_to_notes(events), split_ratio), events)


@given(grid_tables, split_ratios)
def test_every_note_is_found_again(notes, split_ratio):
    before = notes.copy()
    assert_faithful(notes, events_to_notes(notes_to_events(notes, split_ratio)), split_ratio)
    assert np.array_equal(notes, before)


@given(grid_tables)
def test_the_order_of_the_notes_does_not_matter(notes):
    shuffled = np.random.default_rng(0).permutation(notes)
    for name in ("pitch", "step", "duration"):  # of a pitch struck twice for as long the first note's velocity holds
        assert np.array_equal(notes_to_events(shuffled, 1.5)[name], notes_to_events(notes, 1.5)[name])


@given(event_tables)
def test_events_to_notes_leaves_the_events_as_they_were(events):
    before = events.copy()
    events_to_notes(events)
    assert np.array_equal(events, before)


@over_real_files
@pytest.mark.parametrize("split_ratio", [1.5, None])
def test_every_note_of_a_real_song_is_found_again(path, split_ratio):
    song = song_at(path)
    table, _ = to_grid(song.notes, song.tempo_map, 24, 24)
    events = notes_to_events(table, split_ratio)
    assert_faithful(table, events_to_notes(events), split_ratio)
    assert np.array_equal(notes_to_events(events_to_notes(events), split_ratio), events)


# --- names and places -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("points", "grid", "name"), [(0, 24, "0"), (24, 24, "1"), (36, 24, "3/2"), (8, 24, "1/3"),
                                                      (1, 24, "1/24"), (6, 4, "3/2"), (10**8, 24, "12500000/3")])
def test_a_time_is_named_in_quarters(points, grid, name):
    assert time_name(points, grid) == name


def test_places_in_bars_by_hand():
    rows = [(onset, 24, 60, 80) for onset in (0, 84, 96, 130)]
    events = notes_to_events(np.array(rows, GRID_NOTE), None)
    assert bar_places(events, TempoMap(), 24).tolist() == [[0, 96, 2], [84, 96, 2], [0, 96, 1], [34, 96, 1]]
    waltz_then_six_eight = TempoMap(metres=metres((0, 3, 4), (4, 6, 8)))  # its second bar is cut
    assert bar_places(events, waltz_then_six_eight, 24).tolist() == [
        [0, 72, 3], [12, 24, 2], [0, 72, 1], [34, 72, 1]]


def test_bars_in_which_nothing_begins_are_left_too_and_a_song_without_events_has_none():
    events = notes_to_events(np.array([(onset, 24, 60, 80) for onset in (0, 5 * 96, 5 * 96 + 1)], GRID_NOTE), None)
    assert bar_places(events, TempoMap(), 24)[:, 2].tolist() == [6, 1, 1]
    assert bar_places(events[:0], TempoMap(), 24).shape == (0, 3)


@given(event_tables, grids)
def test_places_lie_within_their_bars(events, grid):
    place, length, left = bar_places(events, TempoMap(metres=metres((0, 7, 8))), grid).T.astype(int)
    onset = np.cumsum(events["step"])
    assert (place >= 0).all() and (place <= length).all()
    assert length.tolist() == [round(3.5 * grid)] * len(events)
    assert place.tolist() == (onset % length).tolist()
    assert (left + onset // length == left[0] + onset[0] // length[0]).all() and left[-1] == 1


@given(st.integers(*LIMITS["velocity"]), st.sampled_from(range(LIMITS["accent"][0], LIMITS["accent"][1] + 1, ACCENT)))
def test_a_loudness_is_read_back_as_it_is_named(velocity, accent):
    assert parse_loudness(loudness_name(velocity, accent)) == (velocity, accent)


@pytest.mark.parametrize(("number", "name"), [(0.0, "0"), (1.0, "1"), (0.48, "0.48"), (1234.567, "1234.567"),
                                              (63.020833, "63.020833")])
def test_a_number_is_named_as_short_as_it_can_be_read_back(number, name):
    assert number_name(number) == name
    assert float(name) == number
