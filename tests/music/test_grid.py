import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music.grid import (
    EXACT,
    FEWEST,
    GRID_NOTE,
    REACH,
    SHORTEST,
    from_grid,
    play,
    read_feel,
    round_lengths,
    to_grid,
)
from serenity.music.note import NOTE, note_table
from serenity.music.tempo_map import TempoMap, tempos
from tests.real_midi import over_real_files, song_at
from tests.strategies import grid_tables, grids, note_tables, tempo_maps

swings = st.sampled_from([0.5, 0.6, 2 / 3])
early_maps = tempo_maps(swings, starts=st.floats(0, 20))  # quarter 0 is no time before 0 s
slow_maps = tempo_maps(swings, starts=st.floats(0, 20), fastest=1_500_000)  # a point is no shorter than SHORTEST


def at(tempo, swing=0.5):
    """Return the map of so many quarters a minute."""
    return TempoMap(tempos((0.0, 6e7 / tempo)), swing=swing)


def struck(tempo_map, quarters, jitter, seed=0):
    """Return notes struck at quarters (n,), ascending, by a player who misses them by up to `jitter` seconds."""
    missed = np.random.default_rng(seed).uniform(-jitter, jitter, len(quarters))
    onset = np.maximum(tempo_map.seconds(quarters) + missed, 0)
    return note_table(onset, [0.2] * len(onset), [60] * len(onset), [80] * len(onset))


# --- quantised songs --------------------------------------------------------------------------------------------------

def test_a_table_by_hand():
    notes = note_table([0, 0.25, 0.5], [0.5, 0.125, 2], [60, 64, 67], [1, 64, 127])
    table, beside = to_grid(notes, TempoMap(), 24)
    assert table.tolist() == [(0, 24, 60, 1), (12, 6, 64, 64), (24, 96, 67, 127)]
    assert beside.tolist() == [0, 0, 0]
    assert from_grid(table, TempoMap(), 24).tolist() == notes.tolist()


@given(grid_tables, slow_maps, grids)
def test_a_quantised_song_comes_back_to_the_point(table, tempo_map, grid):
    found, beside = to_grid(from_grid(table, tempo_map, grid), tempo_map, grid)
    assert np.array_equal(found, table) and not beside.any()


@given(grid_tables, slow_maps, st.sampled_from([1, 6, 24]))
def test_what_came_back_once_comes_back_again(table, tempo_map, exact):
    once, _ = to_grid(from_grid(table, tempo_map, 24), tempo_map, 24, exact)
    assert np.array_equal(to_grid(from_grid(once, tempo_map, 24), tempo_map, 24, exact)[0], once)


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=50), st.sampled_from([96, 120, 480, 960]))
def test_a_quantised_file_comes_back_to_the_tick(sixteenths, ticks_per_quarter):
    tempo_map = TempoMap(tempos((0.0, 631_579)), ticks_per_quarter=ticks_per_quarter)
    ticks = np.sort(sixteenths) * ticks_per_quarter // 4
    onset = tempo_map.seconds_of_ticks(ticks)
    notes = note_table(onset, tempo_map.seconds_of_ticks(ticks + ticks_per_quarter) - onset, np.full(len(onset), 60),
                       np.full(len(onset), 80))
    back = from_grid(to_grid(notes, tempo_map, 24)[0], tempo_map, 24)
    assert tempo_map.ticks(back["onset"]).tolist() == ticks.tolist()
    assert tempo_map.ticks(back["onset"] + back["duration"]).tolist() == (ticks + ticks_per_quarter).tolist()


def test_grace_notes_do_not_make_a_quantised_song_a_played_one():
    notes = struck(TempoMap(), np.arange(20), 0)
    notes["onset"][10] -= 0.011
    table, beside = to_grid(notes, TempoMap(), 24)
    assert not beside.any()
    assert (table["onset"] - 24 * np.arange(20)).tolist() == [0] * 10 + [-1] + [0] * 9


def test_what_stands_before_the_first_quarter_is_moved_to_it():
    tempo_map = TempoMap(start=1.0)
    table, beside = to_grid(note_table([0.9, 1, 1.5], [0.6, 1, 1], [60] * 3, [80] * 3), tempo_map, 24)
    assert table["onset"].tolist() == [0, 0, 24]
    assert beside == pytest.approx([-0.1, 0, 0])
    assert from_grid(table, tempo_map, 24, beside)["onset"] == pytest.approx([0.9, 1, 1.5])


def test_no_notes_are_no_notes():
    table, beside = to_grid(np.empty(0, NOTE), TempoMap(), 24)
    assert table.dtype == GRID_NOTE and (len(table), len(beside)) == (0, 0)
    assert from_grid(table, TempoMap(), 24).dtype == NOTE


# --- played songs -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tempo", [60, 80, 100, 120, 140])
@pytest.mark.parametrize("jitter", [0.01, 0.015, 0.02])
@pytest.mark.parametrize("swing", [0.5, 2 / 3])
def test_a_played_song_goes_to_its_true_sixteenths(tempo, jitter, swing):
    sixteenths = np.flatnonzero(np.random.default_rng(tempo).random(640) < 0.6)
    tempo_map = at(tempo, swing)
    notes = struck(tempo_map, sixteenths / 4, jitter)
    table, beside = to_grid(notes, tempo_map, 24)
    right = table["onset"] == 6 * sixteenths
    assert right.mean() > 0.99
    assert beside[right] == pytest.approx((notes["onset"] - tempo_map.seconds(sixteenths / 4))[right])


def test_triplets_that_the_song_plays_are_found_among_its_eighths():
    thirds = np.concatenate([24 * bar + np.array([0, 2, 4, 6, 8, 10, 12, 15, 18, 21]) for bar in range(10)]) / 6
    notes = struck(at(90), thirds, 0.015)
    assert np.mean(to_grid(notes, at(90), 24)[0]["onset"] == 24 * thirds) > 0.97


def test_a_rolled_chord_is_struck_at_one_point():
    chord = np.tile([0, 0.005, 0.01, 0.018], 10)
    onset = np.repeat(0.5 * np.arange(10), 4) + chord
    table, beside = to_grid(note_table(onset, [0.3] * 40, [48, 52, 55, 60] * 10, [80] * 40), TempoMap(), 24)
    assert table["onset"].tolist() == np.repeat(24 * np.arange(10), 4).tolist()
    assert beside == pytest.approx(chord)


@given(note_tables, early_maps, grids)
def test_no_two_notes_change_their_order(notes, tempo_map, grid):
    before = notes.copy()
    table, beside = to_grid(notes, tempo_map, grid)
    assert (np.diff(table["onset"]) >= 0).all() and table["onset"][0] >= 0
    assert (table["duration"] >= 1).all()
    assert table[["pitch", "velocity"]].tolist() == notes[["pitch", "velocity"]].tolist()
    assert np.array_equal(notes, before)
    if beside.any():
        assert beside == pytest.approx(notes["onset"] - tempo_map.seconds(table["onset"] / grid))
    else:
        away = abs(notes["onset"] - tempo_map.seconds(np.rint(tempo_map.quarters(notes["onset"]) * grid) / grid))
        assert np.mean(away <= EXACT + 1e-9) >= 0.85 or (away == 0).all()


@given(note_tables, early_maps)
def test_no_note_goes_farther_than_it_may(notes, tempo_map):
    points = tempo_map.quarters(notes["onset"]) * 24
    away = abs(to_grid(notes, tempo_map, 24)[0]["onset"] - points)
    width = np.ptp(tempo_map.quarters(np.array([0, 0.02]) + notes["onset"][:, None]), axis=1).max() * 24  # of a strike
    assert (away[points >= 0] <= REACH + 1 + width).all()


@given(note_tables)
def test_a_played_note_comes_back_where_it_was(notes):
    table, beside = to_grid(notes, TempoMap(), 24)
    back = from_grid(table, TempoMap(), 24, notes["onset"] - TempoMap().seconds(table["onset"] / 24))
    assert back["onset"] == pytest.approx(notes["onset"])


def test_a_late_note_ends_where_it_would_have_and_lasts_a_moment_at_least():
    table = np.array([(24, 12, 60, 80)], GRID_NOTE)
    assert from_grid(table, TempoMap(), 24, 0.1).tolist() == [(0.6, pytest.approx(0.15), 60, 80)]
    assert from_grid(table, TempoMap(), 24, 0.4).tolist() == [(0.9, SHORTEST, 60, 80)]
    assert from_grid(table, TempoMap(), 24, -0.7).tolist() == [(0.0, 0.75, 60, 80)]


@over_real_files
def test_a_real_song_keeps_its_order_and_comes_back_as_it_was_played(path):
    song = song_at(path)
    table, beside = to_grid(song.notes, song.tempo_map, 24)
    assert (np.diff(table["onset"]) >= 0).all()
    if beside.any():
        back = from_grid(table, song.tempo_map, 24, beside)
        assert back["onset"] == pytest.approx(song.notes["onset"], abs=1e-6)


# --- lengths ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("points", "exact", "rounded"), [
    (0.0, 24, 1), (0.4, 24, 1), (1.4, 24, 1), (23.6, 24, 24), (24.4, 24, 24), (25.6, 24, 26), (47.3, 24, 48),
    (48, 24, 48), (49, 24, 48), (51, 24, 52), (96, 24, 96), (99, 24, 96), (101, 24, 104), (101.4, None, 101),
    (1e6, 24, 983040), (3, 1, 4)])
def test_a_length_by_hand(points, exact, rounded):
    assert round_lengths(np.array([points]), exact).tolist() == [rounded]


@given(st.lists(st.floats(0, 1e5), min_size=1).map(np.array), st.sampled_from([None, 1, 6, 24, 25]))
def test_rounded_lengths_are_near_in_order_and_stay(points, exact):
    rounded = round_lengths(points, exact)
    assert rounded.dtype == np.int64 and (rounded >= 1).all()
    assert round_lengths(rounded, exact).tolist() == rounded.tolist()
    assert (np.diff(rounded[np.argsort(points, kind="stable")]) >= 0).all()
    coarse = np.maximum(points / (exact or np.inf), 0.5)
    assert (abs(rounded - points) <= np.maximum(coarse, 1)).all()


@given(st.integers(1, 10**5), st.sampled_from([1, 6, 24, 25]))
def test_noise_of_computing_changes_no_length(points, exact):
    once = round_lengths(np.array([float(points)]), exact)
    assert round_lengths(once + 1e-10, exact) == round_lengths(once - 1e-10, exact) == once


def test_few_different_lengths_are_left():
    assert len(np.unique(round_lengths(np.arange(1, 24 * 64), 24))) == 24 + 6 * 12


# --- feel -------------------------------------------------------------------------------------------------------------

played = st.lists(st.tuples(st.integers(0, 200), st.floats(-0.05, 0.05)), min_size=1, max_size=60).map(
    lambda rows: (np.array([point for point, _ in rows]), np.array([late for _, late in rows])))


def test_a_quantised_song_has_no_feel():
    assert read_feel(np.arange(9), np.zeros(9), 24) is None


def test_a_feel_by_hand():
    points, beside = np.array([0, 0, 12, 24]), np.array([0.01, 0.03, -0.01, 0.04])
    feel = read_feel(points, beside, 24)
    assert feel.place.tolist() == [0, 12, 0]
    assert feel.beside == pytest.approx([0.02, -0.01, 0.04])
    assert feel.spread == pytest.approx([-0.01, 0.01, 0, 0])


@given(played)
def test_strikes_and_spreads_make_up_what_was_played(song):
    points, beside = song
    if (feel := read_feel(points, beside, 24)) is not None:
        _, strike = np.unique(points, return_inverse=True)
        assert feel.beside[strike] + feel.spread == pytest.approx(beside, abs=1e-12)


@given(played, played, st.integers(0, 9))
def test_what_is_played_is_of_the_song(song, other, seed):
    if (feel := read_feel(*song, 24)) is None:
        return
    points = other[0]
    late = play(points, feel, 24, np.random.default_rng(seed))
    assert late.shape == points.shape
    possible = (feel.beside[:, None] + feel.spread).ravel()
    assert all(abs(possible - one).min() < 1e-9 for one in late)
    assert np.array_equal(play(points, feel, 24, np.random.default_rng(seed)), late)


def test_each_place_has_its_own_habit_where_it_was_played_often_enough():
    beats, offbeats, once = 24 * np.arange(20), 24 * np.arange(20) + 12, [6] * (FEWEST - 1)
    points = np.concatenate([beats, offbeats, 24 * np.arange(FEWEST - 1) + once])
    feel = read_feel(points, np.repeat([-0.02, 0.03, 0.5], [20, 20, FEWEST - 1]), 24)
    rng = np.random.default_rng(0)
    assert set(play(beats, feel, 24, rng)) == {-0.02} and set(play(offbeats, feel, 24, rng)) == {0.03}
    rare = play(24 * np.arange(500) + 6, feel, 24, rng)
    assert set(rare) == {-0.02, 0.03, 0.5}


def test_notes_struck_together_share_what_their_strike_is_late():
    points = np.repeat(24 * np.arange(50), 4)
    rng = np.random.default_rng(1)
    feel = read_feel(points, np.repeat(rng.normal(0, 0.03, 50), 4) + rng.normal(0, 0.001, 200), 24)
    late = play(points, feel, 24, rng).reshape(50, 4)
    assert late.std(axis=1).max() < 0.005 < 0.015 < late.mean(axis=1).std()


def test_nothing_is_played_for_no_notes():
    assert len(play(np.empty(0, int), read_feel(np.array([0]), np.array([0.1]), 24), 24, np.random.default_rng(0))) == 0
