"""Measures of songs, each by an example that can be counted by hand."""

import numpy as np
import pytest

from serenity.music import harmony, measures
from serenity.music.measures import POSITIONS
from serenity.music.note import NOTE, note_table
from tests.songs import pop_song

BEAT = 0.5  # seconds: a bar is 2 s
NOTHING = np.empty(0, NOTE)


def notes(*rows):
    """Return a note table of (onset, duration, pitch)."""
    onset, duration, pitch = zip(*rows)
    return note_table(onset, duration, pitch, [80] * len(rows))


# --- bars ---

@pytest.mark.parametrize("beat", [0.48, 0.6, 0.75])
def test_the_beat_is_found_up_to_a_factor_of_two(beat):
    song = pop_song(bars=12)
    song["onset"] *= beat / 0.5
    found = measures.find_beat(song)
    assert min(abs(found * factor / beat - 1) for factor in (0.5, 1, 2)) < 0.005


def test_the_beat_does_not_depend_on_when_the_song_begins():
    song = pop_song(bars=12)
    later = song.copy()
    later["onset"] += 1.234
    assert measures.find_beat(later) == measures.find_beat(song)


def test_notes_lie_in_bars_of_four_beats_from_the_first_onset_on():
    bar, position = measures.bar_numbers(notes((3, 1, 60), (4, 1, 60), (5, 1, 60), (5.5, 1, 60)), BEAT)
    assert bar.tolist() == [0, 0, 1, 1]
    assert position.tolist() == [0, POSITIONS // 2, 0, POSITIONS // 4]


def test_without_notes_there_is_no_beat():
    with pytest.raises(ValueError, match="one note"):
        measures.find_beat(NOTHING)


# --- pitch ---

def test_pitch_class_entropy_by_hand():
    # bar 1: c, c an octave up; bar 2: c, g; bar 3 is empty; bar 4: four different ones
    song = notes((0, 1, 60), (1, 1, 72), (2, 1, 60), (3, 1, 67), (6, 1, 60), (6.5, 1, 62), (7, 1, 64), (7.5, 1, 65))
    assert measures.pitch_class_entropy(song, BEAT) == pytest.approx((0 + 1 + 2) / 3)
    # over 4 bars: c 4 of 8, the others 1 of 8 each
    assert measures.pitch_class_entropy(song, BEAT, bars=4) == pytest.approx(0.5 * 1 + 4 * 3 / 8)


def test_scale_consistency_is_the_share_in_the_best_scale_in_any_key():
    scale = [60, 62, 64, 65, 67, 69, 71]
    assert measures.scale_consistency(notes(*((i, 1, pitch + 3) for i, pitch in enumerate(scale)))) == 1
    assert measures.scale_consistency(notes(*((i, 1, pitch) for i, pitch in enumerate(range(60, 72))))) == 7 / 12


def test_polyphony_counts_what_sounds_while_anything_does():
    assert measures.polyphony(notes((0, 2, 60), (0, 2, 64))) == 2
    assert measures.polyphony(notes((0, 2, 60), (1, 1, 64), (10, 2, 60))) == pytest.approx(5 / 4)


# --- time ---

def test_density_is_notes_a_second():
    assert measures.density(notes((2, 1, 60), (3, 1, 64), (5, 1, 60))) == pytest.approx(3 / 4)


def test_bars_of_one_rhythm_are_alike_and_others_by_what_differs():
    once = [(0, 1, 60), (1, 1, 60)]
    again = [(2, 1, 64), (2, 1, 67), (3, 1, 62)]  # a chord is one strike
    assert measures.groove_similarity(notes(*once, *again), BEAT) == 1
    other = [(2, 1, 64), (3.5, 1, 62)]  # two positions differ
    assert measures.groove_similarity(notes(*once, *other), BEAT) == pytest.approx(1 - 2 / POSITIONS)
    # of the three pairs of bars two differ
    third = [(4, 1, 60), (5, 1, 60)]
    assert measures.groove_similarity(notes(*once, *other, *third), BEAT) == pytest.approx(1 - 4 / 3 / POSITIONS)


# --- harmony ---

def test_irregularity_is_the_share_of_chord_trigrams_that_are_new():
    chords = np.zeros(6, harmony.CHORD)
    chords["root"] = [0, 7, 9, 0, 7, 9]  # c g a c g a: 4 trigrams, of which the first comes again
    assert measures.progression_irregularity(chords) == 3 / 4
    chords["quality"] = [0, 0, 1, 0, 0, 0]  # a minor, then a major
    assert measures.progression_irregularity(chords) == 1
    assert measures.progression_irregularity(chords[:2]) == 0


def test_a_loop_is_more_regular_than_a_walk():
    loop = pop_song(bars=24)
    edges = np.arange(25) * 2.0
    walk = loop.copy()
    walk["pitch"] += (walk["onset"] // 2 * 5 % 12).astype(np.int16)
    regular, irregular = (measures.progression_irregularity(harmony.find_chords(song, edges)) for song in (loop, walk))
    assert regular < 0.5 * irregular


@pytest.mark.parametrize(("measure", "value"), [
    (lambda song: measures.pitch_class_entropy(song, BEAT), 0), (measures.scale_consistency, 0),
    (measures.polyphony, 0),
    (measures.density, 0), (lambda song: measures.groove_similarity(song, BEAT), 1),
])
def test_nothing_has_measures_too(measure, value):
    assert measure(NOTHING) == value


# --- two sets of songs ---

def test_wasserstein_is_how_far_values_have_to_be_moved():
    assert measures.wasserstein(np.array([1.0, 2, 3]), np.array([3.0, 1, 2])) == 0
    assert measures.wasserstein(np.array([0.0, 1]), np.array([5.0, 6])) == 5
    assert measures.wasserstein(np.array([0.0]), np.array([0.0, 4])) == 2


def test_overlapping_area_is_large_for_one_distribution_and_small_for_another():
    rng = np.random.default_rng(0)
    real, same, far = rng.normal(0, 1, 60), rng.normal(0, 1, 60), rng.normal(8, 1, 60)
    assert measures.overlapping_area(real, same) > 0.9
    assert measures.overlapping_area(real, far) < 0.05
    assert measures.overlapping_area(np.ones(3), np.ones(3)) == 1
