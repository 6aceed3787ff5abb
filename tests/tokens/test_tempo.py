"""Tempo: songs faster and slower, in tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music.codec import CodecSettings
from serenity.music.event import EVENT
from serenity.tokens.tempo import stretch, time_grid
from serenity.tokens.vocabulary import ATTRIBUTES, END, START, count_values
from tests.songs import abc_songs

STEP, DURATION = ATTRIBUTES.index("step"), ATTRIBUTES.index("duration")
TIME_STEP = CodecSettings().time_step


def song_of_times(steps, durations):
    """Return events at given times, in grid steps."""
    events = np.zeros(len(steps), EVENT)
    events["pitch"], events["velocity"] = (1 << 60, 0), 64
    events["step"] = np.round(np.array(steps) * TIME_STEP, 6)
    events["duration"] = np.round(np.array(durations) * TIME_STEP, 6)
    return events


VOCABULARY = count_values([song_of_times(range(200), range(1, 201))])  # knows each time up to four seconds
GRID = time_grid(VOCABULARY, TIME_STEP)
times = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)), min_size=1, max_size=40)
ratios = st.floats(0.8, 1.25)


def stretched(rows, ratio):
    """Return steps and durations, in grid steps, after stretching."""
    tokens, _ = VOCABULARY.encode(song_of_times(*zip(*rows)))
    events = VOCABULARY.decode(stretch(tokens, ratio, GRID), EVENT)
    return (np.rint(events[name] / TIME_STEP).astype(int) for name in ("step", "duration"))


def test_a_worked_example():
    steps, durations = stretched([(0, 12), (12, 1), (0, 30), (13, 13)], 1.1)
    assert steps.tolist() == [0, 13, 0, 15]  # onsets 0, 13.2, 13.2 and 27.5, which rounds to 28
    assert durations.tolist() == [13, 1, 33, 14]


@given(times, ratios)
def test_onsets_stay_where_they_belong_and_strikes_together(rows, ratio):
    old = np.array(rows)
    steps, durations = stretched(rows, ratio)
    assert ((steps == 0) == (old[:, 0] == 0)).all()
    short = (old[:, 0] == 1).sum()  # where the least step keeps strikes apart, what follows comes later
    assert abs(np.cumsum(steps) - np.cumsum(old[:, 0]) * ratio).max() <= 0.5 + short
    assert (durations >= 1).all() and abs(durations - old[:, 1] * ratio).max() <= 0.5


@given(times)
def test_nothing_changes_at_the_same_tempo(rows):
    tokens, _ = VOCABULARY.encode(song_of_times(*zip(*rows)))
    assert np.array_equal(stretch(tokens, 1.0, GRID), tokens)


def test_start_end_pitch_and_velocity_stay_and_the_input_is_not_changed():
    (_, song), = abc_songs(1)
    vocabulary = count_values([song.events])
    tokens = np.concatenate([np.full((1, 4), START), vocabulary.encode(song.events)[0], np.full((1, 4), END)])
    before = tokens.copy()
    slower = stretch(tokens, 1.2, time_grid(vocabulary, TIME_STEP))
    assert np.array_equal(tokens, before)
    assert np.array_equal(np.delete(slower, (STEP, DURATION), axis=1), np.delete(tokens, (STEP, DURATION), axis=1))
    assert np.array_equal(slower[[0, -1]], tokens[[0, -1]])
    assert slower[1:-1, STEP].tolist() != tokens[1:-1, STEP].tolist()


def test_what_is_longer_than_any_known_time_becomes_the_longest():
    steps, durations = stretched([(150, 200)], 4.0)
    assert (steps[0], durations[0]) == (199, pytest.approx(200))
