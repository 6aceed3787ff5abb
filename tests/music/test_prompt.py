import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.midi_file import CONTROL, Score, Track
from serenity.music.note import note_table
from serenity.music.prompt import choose_events, cut_times, excerpt
from serenity.music.tempo_map import TempoMap, metres, tempos

# A note a second for 12 s; 3/4 at 120 a minute (bars of 1.5 s), twice as slow from 6 s on, 4/4 from 9 s on.
ONSETS = np.arange(12.0)
NOTES = note_table(ONSETS, [0.5] * 12, range(60, 72), [64] * 12)
PEDALS = np.array([(0.5, 2.5), (3.5, 9.5)])
CONTROLS = np.array([(0.0, 7, 90), (0.0, 11, 127), (4.0, 11, 30), (8.0, 11, 60)], CONTROL)
SCORE = Score((Track("Piano", 0, False, NOTES, PEDALS, CONTROLS), Track("Coda", 0, False, NOTES[10:])),
              TempoMap(tempos((0, 500_000), (12, 1_000_000)), metres((0, 3, 4), (15, 4, 4))))


@pytest.mark.parametrize("part, chosen", [
    ({}, (0, 12)), ({"first": 3}, (0, 3)), ({"last": 3}, (9, 12)), ({"seconds": (2.5, 5)}, (3, 5)),
    ({"first": 99}, (0, 12)), ({"last": 99}, (0, 12)),
])
def test_which_events(part, chosen):
    assert choose_events(ONSETS, **part) == slice(*chosen)


def test_a_time_without_events_says_what_there_is():
    with pytest.raises(InputError, match=r"nothing begins from 2.1 s up to 2.9 s; wanted a part of 0.0 s to 11.0 s"):
        choose_events(ONSETS, seconds=(2.1, 2.9))


@given(onset=st.lists(st.integers(0, 99), min_size=1).map(lambda tenths: np.sort(tenths) / 10), data=st.data())
def test_the_cut_keeps_the_onsets_of_the_chosen_events(onset, data):
    start = data.draw(st.integers(0, len(onset) - 1))
    chosen = slice(start, data.draw(st.integers(start + 1, len(onset))))
    low, high = cut_times(onset, chosen)
    assert set(onset[(onset >= low) & (onset < high)].tolist()) == set(onset[chosen].tolist())


def test_the_cut_stands_half_way_to_what_is_left_out():
    assert cut_times(np.array([0, 1, 1, 3]), slice(1, 3)) == (0.5, 2)
    assert cut_times(np.array([0, 1, 1, 3]), slice(2, 4)) == (0.5, np.inf)
    assert cut_times(np.array([0, 1]), slice(0, 2)) == (-np.inf, np.inf)


def test_the_whole_is_left_as_it_is():
    score, taken_off = excerpt(SCORE, *cut_times(ONSETS, slice(0, 12)))
    assert taken_off == 0
    assert [len(track.notes) for track in score.tracks] == [12, 2]
    np.testing.assert_array_equal(score.tracks[0].pedals, PEDALS)
    np.testing.assert_array_equal(score.tracks[0].controls, CONTROLS)
    assert score.tempo_map.tempos.tolist() == SCORE.tempo_map.tempos.tolist()
    assert score.tempo_map.metres.tolist() == SCORE.tempo_map.metres.tolist()


def test_a_cut_end_takes_notes_pedals_controls_and_tempos_with_it():
    score, taken_off = excerpt(SCORE, *cut_times(ONSETS, slice(0, 5)))
    [track] = score.tracks  # the other has no note left
    assert (taken_off, len(track.notes)) == (0, 5)
    np.testing.assert_array_equal(track.pedals, [(0.5, 2.5), (3.5, 4.5)])
    assert track.controls["value"].tolist() == [90, 127, 30]
    assert score.tempo_map.tempos.tolist() == [(0, 500_000)]
    assert score.tempo_map.metres.tolist() == [(0, 3, 4)]


def test_a_cut_beginning_starts_at_the_bar_of_its_first_note():
    score, taken_off = excerpt(SCORE, *cut_times(ONSETS, slice(5, 12)))  # from 5 s on, in the bar that begins at 4.5 s
    track = score.tracks[0]
    assert taken_off == pytest.approx(4.5)
    np.testing.assert_allclose(track.notes["onset"], np.arange(0.5, 7))
    np.testing.assert_allclose(track.pedals, [(0, 5)])
    assert track.controls.tolist() == [(0, 7, 90), (0, 11, 30), (3.5, 11, 60)]  # what held at the cut holds on
    assert score.tempo_map.tempos.tolist() == [(0, 500_000), (3, 1_000_000)]
    assert score.tempo_map.metres.tolist() == [(0, 3, 4), (6, 4, 4)]
    assert score.tempo_map.start == pytest.approx(0)
