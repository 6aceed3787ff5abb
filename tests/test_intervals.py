"""Intervals by the bootstrap over songs."""

import numpy as np
import pytest

from benchmarks.intervals import apart, draw_songs, interval, middle, ratio_interval


def test_songs_that_are_all_alike_leave_no_doubt():
    assert ratio_interval([6, 6, 6], [3, 3, 3]) == (2, 2)


def test_a_mean_varies_as_its_standard_error_says():
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = ratio_interval(values, np.ones(400))
    assert low < values.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)


def test_long_songs_weigh_more():
    assert ratio_interval([1000, 1], [1000, 0.1])[0] == pytest.approx(1)
    assert ratio_interval([1000, 1], [1000, 0.1])[1] == pytest.approx(10)


def test_a_ratio_is_what_the_general_figure_gives():
    parts, wholes = np.array([3.0, 5, 4, 9]), np.array([1.0, 2, 2, 3])
    assert interval(lambda drawn: parts[drawn].sum() / wholes[drawn].sum(), 4) == ratio_interval(parts, wholes)


def test_a_difference_of_pairs_is_surer_than_either_figure():
    songs = np.random.default_rng(2).normal(10, 3, 50)
    better, ones = songs - 1 + np.random.default_rng(3).normal(0, 0.1, 50), np.ones(50)
    low, high = ratio_interval(better - songs, ones)
    assert high < 0
    assert not apart(ratio_interval(better, ones), ratio_interval(songs, ones))


def test_songs_without_a_whole_make_no_figure_of_nothing():
    assert ratio_interval([0, 4], [0, 2]) == (2, 2)


def test_draws_are_the_same_each_time():
    np.testing.assert_array_equal(draw_songs(7, 5), draw_songs(7, 5))
    assert draw_songs(7, 5).shape == (5, 7)
    assert (draw_songs(7, 50, seed=1) != draw_songs(7, 50)).any()


def test_no_song_is_nothing_to_draw_from():
    with pytest.raises(ValueError, match="0 songs"):
        draw_songs(0)


def test_as_much_is_left_out_below_as_above():
    assert middle(np.arange(1001), 0.9) == pytest.approx((50, 950))


def test_intervals_that_touch_are_not_apart():
    assert apart((1, 2), (3, 4)) and apart((3, 4), (1, 2))
    assert not apart((1, 3), (3, 4))
