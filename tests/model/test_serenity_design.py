"""Serenity's design: what each network reads, what turns a head, and that musical time is all that counts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.model.serenity_design import PERIODS, frequencies, read_attributes
from serenity.music.codec import encode
from serenity.music.tempo_map import TempoMap, tempos
from serenity.settings import CodecSettings
from serenity.tokens.features import step_quarters
from serenity.tokens.vocabulary import SPECIALS, count_values
from tests.songs import compose_notes, song_of

HEAD = 64  # wide, as in all presets: 16 angles by event, 16 by quarter


@pytest.mark.parametrize("head_dim", [4, 32, 64, 96])
def test_half_of_a_head_is_turned_by_events_and_half_by_quarters(head_dim):
    by_event, by_quarter = frequencies(head_dim)
    assert by_event.shape == by_quarter.shape == (head_dim // 2,)
    assert (by_event > 0).sum() == (by_quarter > 0).sum() == head_dim // 4
    assert not ((by_event > 0) & (by_quarter > 0)).any()


def test_each_attribute_reads_those_decided_before_it():
    assert [read_attributes(attribute)["present"] for attribute in ("step", "pitch", "duration", "velocity")] \
        == [(), ("step",), ("step", "pitch"), ("step", "pitch", "duration")]
    assert read_attributes("step")["past"] == ("pitch", "duration", "velocity")


def test_each_period_is_one_whole_turn():
    _, by_quarter = frequencies(HEAD)
    np.testing.assert_allclose(by_quarter[-len(PERIODS):] * PERIODS, 2 * np.pi, rtol=1e-6)
    assert (np.diff(PERIODS) > 0).all()


@pytest.mark.parametrize(("bars", "quarters"), [(4, 4), (2, 3), (4, 3), (8, 4), (32, 4), (2, 1.5), (4, 1.5)])
def test_whole_bars_ago_the_angles_of_beat_and_bar_are_the_same_in_any_metre(bars, quarters):
    """Of 4/4, 3/4 and 6/8 (two to a bar of three quarters): at this distance they have gone round."""
    _, by_quarter = frequencies(HEAD)
    turns = bars * quarters * by_quarter[-len(PERIODS):].astype(float) / (2 * np.pi)
    whole = [round(24 * bars * quarters) % round(24 * period) == 0 for period in PERIODS]
    assert whole[PERIODS.index(1)] and whole[PERIODS.index(quarters)] and whole[PERIODS.index(1 / 6)]
    np.testing.assert_allclose(turns[whole], np.rint(turns[whole]), atol=1e-4)


def test_a_narrow_head_goes_from_the_shortest_period_to_the_longest_and_a_wide_one_between_them():
    for head_dim in (16, 128):
        _, by_quarter = frequencies(head_dim)
        periods = 2 * np.pi / by_quarter[by_quarter > 0]
        assert periods[[0, -1]] == pytest.approx([PERIODS[0], PERIODS[-1]]) and (np.diff(periods) > 0).all()


@given(st.floats(200_000, 2_000_000))
def test_four_bars_ago_is_one_angle_in_every_tempo(length):
    """A song in another tempo has the same tokens, and so the same quarters by which heads are turned."""
    notes, usual = compose_notes(1, bars=8), TempoMap()
    other = replace(usual, tempos=tempos((0.0, length)))
    slow = notes.copy()
    slow["onset"] = other.seconds(usual.quarters(notes["onset"]))
    slow["duration"] = other.seconds(usual.quarters(notes["onset"] + notes["duration"])) - slow["onset"]
    settings = CodecSettings()
    vocabulary = count_values([encode(song_of(notes, usual), settings).events])
    quarters = step_quarters(vocabulary["step"], settings.grid)
    tokens = [vocabulary.encode(encode(song_of(table, clock), settings).events)[0]
              for table, clock in ((notes, usual), (slow, other))]
    assert np.array_equal(*tokens)
    onset = np.cumsum(quarters[tokens[0][:, 1]])
    assert quarters[:SPECIALS].tolist() == [0] * SPECIALS and onset[-1] == 31  # 8 bars of 4, and the last note's beat
