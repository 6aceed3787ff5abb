import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serenity.music.midi_file import parse
from serenity.music.tempo_map import MOST_BARS, NEAR, TempoMap, metres, tempos
from tests.music.test_midi_file import SLOW, SOUND, metre, midi, track
from tests.strategies import tempo_maps

swings = st.sampled_from([0.5, 0.5, 0.6, 2 / 3, 0.3])
maps = tempo_maps(swings)
places = st.lists(st.floats(-50, 200), min_size=1, max_size=20).map(np.array)  # quarters, or seconds

# By hand: 3/4 at 120 a minute for four bars of 1.5 s; from quarter 12, at 6 s, 6/8 at 60: bars of 3 s.
WALTZ = TempoMap(tempos((0.0, 500_000), (12.0, 1_000_000)), metres((0.0, 3, 4), (12.0, 6, 8)))


# --- a worked example -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("quarter", "second", "tick"), [(-2, -1, -960), (0, 0, 0), (1.5, 0.75, 720), (12, 6, 5760),
                                                         (13, 7, 6240), (100.5, 94.5, 48_240)])
def test_quarters_seconds_and_ticks_by_hand(quarter, second, tick):
    assert WALTZ.seconds(quarter) == second
    assert WALTZ.quarters(second) == quarter
    assert WALTZ.ticks(second) == tick
    assert WALTZ.seconds_of_ticks(tick) == second


@pytest.mark.parametrize(("quarter", "bar", "place", "length"), [
    (-1, -1, 2, 3), (0, 0, 0, 3), (2.5, 0, 2.5, 3), (3, 1, 0, 3), (11.9, 3, 2.9, 3), (12, 4, 0, 3), (16, 5, 1, 3)])
def test_bars_by_hand(quarter, bar, place, length):
    assert [part.item() for part in WALTZ.bars(quarter)] == pytest.approx([bar, place, length])
    assert WALTZ.bar_line(bar) == pytest.approx(quarter - place)


@pytest.mark.parametrize(("quarter", "length"), [(-1, 500_000), (0, 500_000), (11.9, 500_000), (12, 1_000_000)])
def test_tempos_by_hand(quarter, length):
    assert WALTZ.tempo(quarter) == length


def test_without_tempo_and_metre_it_is_4_4_at_120():
    assert TempoMap().seconds([0, 1, 4]).tolist() == [0, 0.5, 2]
    assert TempoMap().bar_line(np.arange(3)).tolist() == [0, 4, 8]
    assert TempoMap().signatures.tolist() == [(0, 4, 4)]


def test_before_the_first_metre_it_is_4_4():
    late = TempoMap(metres=metres((6.0, 3, 4)))
    assert late.signatures.tolist() == [(0, 4, 4), (6, 3, 4)]
    assert late.bar_line(np.arange(5)).tolist() == [0, 4, 6, 9, 12]


def test_swung_eighths_stand_late_and_quarters_where_they_were():
    swung = TempoMap(swing=2 / 3)
    assert swung.seconds([0, 0.25, 0.5, 0.75, 1]) == pytest.approx([0, 1 / 6, 1 / 3, 5 / 12, 0.5])


# --- seconds and quarters ---------------------------------------------------------------------------------------------

@given(maps, places)
def test_quarters_are_the_inverse_of_seconds(tempo_map, quarters):
    assert tempo_map.quarters(tempo_map.seconds(quarters)) == pytest.approx(quarters, abs=1e-9)


@given(maps, places)
def test_seconds_are_the_inverse_of_quarters(tempo_map, seconds):
    assert tempo_map.seconds(tempo_map.quarters(seconds)) == pytest.approx(seconds, abs=1e-9)


@given(maps, st.lists(st.integers(-10_000, 100_000), min_size=1).map(np.array))
def test_ticks_come_back_from_their_seconds(tempo_map, ticks):
    assert tempo_map.ticks(tempo_map.seconds_of_ticks(ticks)).tolist() == ticks.tolist()


@given(maps, places)
def test_what_is_later_in_quarters_is_later_in_seconds(tempo_map, quarters):
    quarters = np.unique(np.round(quarters, 6))
    assert (np.diff(tempo_map.seconds(quarters)) > 0).all()


@given(maps, st.integers(-50, 200))
def test_between_two_quarters_lies_what_the_tempo_says(tempo_map, quarter):
    inside = tempo_map.tempos["start"]
    assume(not ((inside > quarter) & (inside < quarter + 1)).any())
    assert np.diff(tempo_map.seconds([quarter, quarter + 1])) * 1e6 == pytest.approx(tempo_map.tempo(quarter))


# --- bars -------------------------------------------------------------------------------------------------------------

@given(maps, places)
def test_a_place_in_a_bar_leads_back_to_the_quarter(tempo_map, quarters):
    number, place, length = tempo_map.bars(quarters)
    line = tempo_map.bar_line(number)
    assert line + place == pytest.approx(quarters, abs=2 * NEAR)
    assert (place >= 0).all() and (place < length).all()
    following = tempo_map.bar_line(number + 1)
    assert following == pytest.approx(line + length, abs=2 * NEAR)
    assert (quarters < following).all()


@given(maps, st.lists(st.integers(-500, 500), min_size=1).map(np.array))
def test_bars_are_the_inverse_of_bar_lines(tempo_map, numbers):
    number, place, _ = tempo_map.bars(tempo_map.bar_line(numbers))
    assert number.tolist() == numbers.tolist()
    assert place == pytest.approx(0, abs=NEAR)


@given(maps)
def test_every_metre_begins_a_bar(tempo_map):
    _, place, length = tempo_map.bars(tempo_map.metres["start"])
    assert place == pytest.approx(0, abs=NEAR)
    until = np.append(np.diff(tempo_map.metres["start"]), np.inf)
    whole = tempo_map.metres["numerator"] * 4 / tempo_map.metres["denominator"]
    assert length == pytest.approx(np.minimum(whole, until))


# --- bars of a file, in seconds ---------------------------------------------------------------------------------------

def bars_of(data: bytes, end: float) -> list[float]:
    return np.round(parse(data).tempo_map.bar_onsets(end), 6).tolist()


def test_bars_are_those_of_4_4_where_the_file_states_none():
    assert bars_of(midi(SOUND), 6.5) == [0, 2, 4, 6]


def test_the_bar_that_would_begin_at_the_end_is_none():
    assert bars_of(midi(SOUND), 6.0) == [0, 2, 4]


def test_bars_follow_the_tempo_map_and_the_time_signatures():
    # two bars of 3/4 at 120, 1.5 s each; two of 6/8 at 60, 3 s each; then 120 again
    data = midi(track(metre(0, 3, 2), metre(2880, 6, 3), (0, *SLOW[1:]), (2880, 0xFF, 0x51, 3, 7, 0xA1, 0x20)), SOUND)
    assert bars_of(data, 13) == [0, 1.5, 3, 6, 9, 10.5, 12]


def test_a_time_signature_begins_a_bar_and_cuts_the_one_before():
    assert bars_of(midi(track(metre(480, 1, 2), metre(960, 2, 2)), SOUND), 3) == [0, 0.5, 1, 1.5, 2.5]


def test_bars_of_no_length_of_time_are_none_and_a_wild_tempo_gives_no_more_than_memory_holds():
    assert bars_of(midi(SOUND), 0.0) == []
    wild = midi(track((0, 0xFF, 0x51, 3, 0, 0, 1), metre(0, 1, 5)), SOUND)
    assert len(parse(wild).tempo_map.bar_onsets(3600.0)) == MOST_BARS


@given(maps, st.floats(0.1, 60))
def test_bars_stand_in_order_within_the_song(tempo_map, end):
    onsets = tempo_map.bar_onsets(end)
    assert (onsets >= -NEAR).all() and (onsets < end).all() and (np.diff(onsets) > 0).all()
    first, last = (int(tempo_map.bars(tempo_map.quarters(time))[0]) for time in (0.0, end))
    assert last - first <= len(onsets) + 1 <= last - first + 2  # none is left out


def test_bars_before_quarter_0_are_bars_too():
    assert TempoMap(metres=metres((0.0, 3, 4)), start=4.0).bar_onsets(6) == pytest.approx([1, 2.5, 4, 5.5])


# --- other maps -------------------------------------------------------------------------------------------------------

@given(maps, st.integers(-20, 100), places)
def test_counting_from_elsewhere_keeps_all_seconds(tempo_map, quarter, quarters):
    counted = tempo_map.counted_from(quarter)
    # Before its first tempo a map has that one, so what lies before the new start may fall elsewhere.
    quarters = np.append(0.0, abs(quarters))
    assert counted.seconds(quarters) == pytest.approx(tempo_map.seconds(quarters + quarter), abs=1e-6)
    assert counted.tempos["start"][0] == 0 and (np.diff(counted.tempos["start"]) > 0).all()


@given(maps, st.integers(0, 100), places)
def test_counting_from_a_bar_line_keeps_the_bars(tempo_map, number, quarters):
    line = tempo_map.bar_line(number)
    counted = tempo_map.counted_from(line)
    quarters = np.append(0.0, abs(quarters))
    for found, before in zip(counted.bars(quarters), tempo_map.bars(quarters + line)):
        assert found + (number if found.dtype == np.int64 else 0) == pytest.approx(before, abs=3 * NEAR)


@given(st.integers(-20, -1), places)
def test_counting_from_a_bar_line_before_the_start_keeps_the_metre(number, quarters):
    line = WALTZ.bar_line(number)
    counted = WALTZ.counted_from(line)
    assert counted.bars(abs(quarters))[1] == pytest.approx(WALTZ.bars(abs(quarters) + line)[1], abs=1e-9)


def test_counting_from_elsewhere_by_hand():
    later = WALTZ.counted_from(6)
    assert later.start == 3
    assert later.tempos.tolist() == [(0, 500_000), (6, 1_000_000)]
    assert later.metres.tolist() == [(0, 3, 4), (6, 6, 8)]
    earlier = WALTZ.counted_from(-3)
    assert earlier.start == -1.5
    assert earlier.tempos.tolist() == [(0, 500_000), (15, 1_000_000)]
    assert earlier.metres.tolist() == [(0, 3, 4), (15, 6, 8)]


def test_4_4_that_nobody_states_holds_before_a_metre_wherever_it_is_counted_from():
    late = TempoMap(metres=metres((6.0, 3, 4)))
    assert late.counted_from(4).signatures.tolist() == [(0, 4, 4), (2, 3, 4)]
    assert late.counted_from(-4).signatures.tolist() == [(0, 4, 4), (10, 3, 4)]


@given(maps, st.floats(-100, 100), places)
def test_a_map_is_moved_as_a_whole(tempo_map, by, quarters):
    assert tempo_map.moved(by).seconds(quarters) == pytest.approx(tempo_map.seconds(quarters) + by, abs=1e-9)


@given(maps, st.integers(0, 100), st.floats(100_000, 3_000_000), places)
def test_a_steady_map_is_as_it_was_and_then_steady(tempo_map, quarter, length, quarters):
    steady = tempo_map.steady_from(quarter, length)
    before, after = quarters[(quarters <= quarter) & (quarters >= 0)], np.arange(quarter, quarter + 20)
    assert steady.seconds(before) == pytest.approx(tempo_map.seconds(before), abs=1e-6)
    assert np.diff(steady.seconds(after)) * 1e6 == pytest.approx(length)
    assert steady.tempos["start"][0] == 0 and (np.diff(steady.tempos["start"]) > 0).all()


def test_a_map_that_is_steady_already_gets_no_change():
    assert WALTZ.steady_from(20, 1_000_000).tempos.tolist() == WALTZ.tempos.tolist()
    assert WALTZ.steady_from(12, 500_000).tempos.tolist() == [(0, 500_000)]


@given(st.lists(st.tuples(st.floats(0.25, 10), st.floats(0.05, 5)), min_size=1, max_size=30), st.floats(-10, 10))
def test_a_map_through_points_meets_them(steps, start):
    quarters, seconds = np.cumsum([(0.0, start), *steps], axis=0).T
    through = TempoMap.through(quarters, seconds)
    assert through.seconds(quarters) == pytest.approx(seconds, abs=1e-6)
    assert through.quarters(seconds) == pytest.approx(quarters, abs=1e-5)
