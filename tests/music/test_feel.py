import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music.feel import FEWEST, play, read_feel

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
