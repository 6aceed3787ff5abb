import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music.layout import FEWEST, LAYOUTS, continuation_track, lay_out, match_velocities, trim
from serenity.music.midi_file import CONTROL, Track, sustain
from serenity.music.note import end_time, note_table

LEFT = Track("Left", 4, False, note_table([0, 1], [0.5, 0.5], [40, 41], [50, 60]), np.array([(0.2, 3.0)]),
             np.array([(0.5, 7, 80), (0.8, 7, 20), (0.5, 11, 0)], CONTROL))
RIGHT = Track("Right", 0, False, note_table([0, 1], [0.5, 0.5], [70, 71], [80, 90]))
NEW = continuation_track([LEFT, RIGHT], note_table([2, 3], [1, 1], [72, 73], [70, 70]))


def test_the_continuation_sounds_as_the_first_track():
    """With its volume as it was set up; not as it was faded out, nor its swells."""
    assert (NEW.name, NEW.program) == ("continuation", 4)
    assert NEW.controls.tolist() == [(0, 7, 80)]


@pytest.mark.parametrize("layout, names", [
    ("separate", ["Left", "Right", "continuation"]), ("two", ["seed", "continuation"]), ("joined", ["seed"]),
    ("alone", ["continuation"]),
])
def test_the_tracks_of_each_layout(layout, names):
    tracks = lay_out([LEFT, RIGHT], NEW, layout)
    assert [track.name for track in tracks] == names
    assert sum(len(track.notes) for track in tracks) == (2 if layout == "alone" else 6)
    assert set(LAYOUTS) == {"separate", "two", "joined", "alone"}


def test_the_seed_in_one_track_lasts_as_its_pedals_made_it():
    seed, _ = lay_out([LEFT, RIGHT], NEW, "two")
    assert not len(seed.pedals)
    np.testing.assert_allclose(seed.notes["duration"], [3.0, 0.5, 2.0, 0.5])


def test_a_seed_of_one_track_keeps_its_pedal():
    assert lay_out([LEFT], NEW, "two")[0] is LEFT


def test_joined_the_pedal_comes_up_before_the_continuation_and_the_seed_sounds_as_before():
    [track] = lay_out([LEFT], NEW, "joined")
    np.testing.assert_array_equal(track.pedals, [(0.2, 2.0)])
    heard = sustain(track.notes, track.pedals)
    np.testing.assert_allclose((heard["onset"] + heard["duration"])[:2], [3, 3])
    np.testing.assert_array_equal(heard[2:], NEW.notes)


def test_trimming_ends_what_sounds():
    track = trim(Track("", 0, False, note_table([0, 1, 2], [5, 0.5, 1], [60, 61, 62], [9, 9, 9]), np.array([(0.5, 4)]),
                       np.array([(2.5, 11, 3)], CONTROL)), 2.0)
    assert track.notes["duration"].tolist() == [2, 0.5] and end_time(track.notes) == 2
    assert track.pedals.tolist() == [[0.5, 2]] and not len(track.controls)


velocities = st.lists(st.integers(1, 127), min_size=FEWEST, max_size=40)


def table(velocity):
    return note_table(np.arange(len(velocity)), np.ones(len(velocity)), [60] * len(velocity), velocity)


@given(velocities, velocities)
def test_matched_velocities_stay_in_order_and_in_the_references_range(given_velocities, reference):
    notes = table(given_velocities)
    before = notes.copy()
    matched = match_velocities(notes, table(reference))
    np.testing.assert_array_equal(notes, before)
    assert min(reference) <= matched["velocity"].min() and matched["velocity"].max() <= max(reference)
    order = np.argsort(given_velocities, kind="stable")
    assert (np.diff(matched["velocity"][order].astype(int)) >= 0).all()


def test_what_matches_already_stays():
    notes = table(range(10, 100))
    assert np.abs(match_velocities(notes, notes)["velocity"] - notes["velocity"]).max() <= 1


def test_matched_velocities_have_the_references_spread():
    matched = match_velocities(table(range(60, 100)), table([20, 30] * 50))["velocity"]
    assert (matched == 20).sum() == pytest.approx(20, abs=2) and (matched == 30).sum() == pytest.approx(20, abs=2)


def test_too_few_notes_are_no_reference():
    assert not len(match_velocities(table([]), table([5] * FEWEST)))
    assert match_velocities(table([7, 9]), table([5] * (FEWEST - 1)))["velocity"].tolist() == [7, 9]
