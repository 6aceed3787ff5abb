"""Measures of songs, each by an example that can be counted by hand."""

import numpy as np
import pytest

from benchmarks import comparison
from benchmarks import measures as counted
from benchmarks.measures import POSITIONS
from serenity.music import harmony, measures
from serenity.music.note import NOTE, note_table
from serenity.music.tempo_map import TempoMap, metres, tempos
from tests.songs import pop_song

MAP = TempoMap()  # a beat is 0.5 s, a bar 2 s
NOTHING = np.empty(0, NOTE)


def notes(*rows):
    """Return a note table of (onset, duration, pitch)."""
    onset, duration, pitch = zip(*rows)
    return note_table(onset, duration, pitch, [80] * len(rows))


# --- bars ---

def test_notes_lie_in_the_bars_of_the_map():
    bar, position = counted.bar_numbers(notes((3, 1, 60), (4, 1, 60), (5, 1, 60), (5.995, 1, 60)), MAP)
    assert bar.tolist() == [1, 2, 2, 3]  # the last stands on the next bar's line but for a little
    assert position.tolist() == [POSITIONS // 2, 0, POSITIONS // 2, 0]


def test_positions_are_of_the_bar_in_any_metre_and_tempo():
    waltz = TempoMap(tempos((0, 1_000_000)), metres((0, 3, 4)))
    bar, position = counted.bar_numbers(notes((0, 1, 60), (1.5, 1, 60), (4.5, 1, 60)), waltz)
    assert bar.tolist() == [0, 0, 1]
    assert position.tolist() == [0, POSITIONS // 2, POSITIONS // 2]


def test_the_share_on_sixteenths():
    beside = [(0, 1, 60), (0.125, 1, 60), (0.5 / 3, 1, 60), (0.379, 1, 64)]  # a triplet; 4 ms late
    assert counted.on_sixteenths(notes(*beside), MAP) == 3 / 4
    assert counted.on_sixteenths(notes((0.5 * 2 / 3, 1, 60)), TempoMap(swing=2 / 3)) == 1


def test_a_bar_returns_by_the_overlap_of_places_and_pitch_classes():
    first, again = [(0, 1, 60), (1, 1, 64)], [(2, 1, 72), (3, 1, 64)]  # an octave up is the same
    assert counted.bars_that_return(notes(*first, *again), MAP) == 1
    other = [(2, 1, 60), (3.5, 1, 64)]  # one of three cells is shared
    assert counted.bars_that_return(notes(*first, *other), MAP) == pytest.approx(1 / 3)
    # of the bars behind the first one comes back whole, after a silent one, and one not at all
    later = [(4, 1, 60), (5, 1, 64), (6, 1, 61)]
    assert counted.bars_that_return(notes(*first, *later), MAP) == pytest.approx(1 / 2)


@pytest.mark.parametrize(("bars", "returns"), [(16, 1), (17, 0)])
def test_a_bar_that_was_played_long_ago_does_not_return(bars, returns):
    assert counted.bars_that_return(notes((0, 1, 60), (2 * bars, 1, 60)), MAP) == returns


def test_the_profile_of_returns_by_hand():
    first = [(0, 1, 60), (1, 1, 64)]
    songs = notes(*first, *((onset + 4, length, pitch) for onset, length, pitch in first), (6, 1, 60), (14, 1, 61))
    profile = measures.return_profile(songs, MAP, 8)  # bars 0, 2, 3 and 7
    assert profile[[0, 1, 2]].tolist() == [1 / 2, 1, 1 / 2]
    assert profile[[3, 4, 6]].tolist() == [0, 0, 0] and np.isnan(profile[[5, 7]]).all()
    assert np.isnan(measures.return_profile(NOTHING, MAP)).all() and len(measures.return_profile(NOTHING, MAP)) == 32


def test_overlaps_of_bars_are_symmetric_and_a_bar_is_itself():
    overlap, counted = measures.bar_overlaps(pop_song(12), MAP)
    assert overlap.shape == (12, 12) and counted.all()
    assert np.array_equal(overlap, overlap.T) and (np.diagonal(overlap) == 1).all()


def test_leaps_of_the_highest_notes_by_hand():
    notes = note_table([0, 0, 1, 2, 2], 1.0, [48, 60, 55, 40, 64], 64)  # 60, 55, 64 above
    assert counted.top_leap(notes) == (5 + 9) / 2
    assert counted.top_leap(notes[:2]) == counted.top_leap(notes[:0]) == 0


def test_the_spread_of_onsets_by_hand():
    even = [(2 * bar + beat / 2, 0.4, 60) for bar in range(4) for beat in range(4)]
    assert counted.onset_spread(notes(*even), MAP) == 0
    assert counted.onset_spread(notes(*even, *((time, 0.4, 64) for time, *_ in even)), MAP) == 0  # chords count once
    assert counted.onset_spread(notes((0, 1, 60), (0.5, 1, 60), (1, 1, 60), (2, 1, 60)), MAP) == 0.5  # 3 and 1
    assert counted.onset_spread(NOTHING, MAP) == 0


# --- pitch ---

def test_pitch_class_entropy_by_hand():
    # bar 1: c, c an octave up; bar 2: c, g; bar 3 is empty; bar 4: four different ones
    song = notes((0, 1, 60), (1, 1, 72), (2, 1, 60), (3, 1, 67), (6, 1, 60), (6.5, 1, 62), (7, 1, 64), (7.5, 1, 65))
    assert counted.pitch_class_entropy(song, MAP) == pytest.approx((0 + 1 + 2) / 3)
    # over 4 bars: c 4 of 8, the others 1 of 8 each
    assert counted.pitch_class_entropy(song, MAP, bars=4) == pytest.approx(0.5 * 1 + 4 * 3 / 8)


def test_scale_consistency_is_the_share_in_the_best_scale_in_any_key():
    scale = [60, 62, 64, 65, 67, 69, 71]
    assert counted.scale_consistency(notes(*((i, 1, pitch + 3) for i, pitch in enumerate(scale)))) == 1
    assert counted.scale_consistency(notes(*((i, 1, pitch) for i, pitch in enumerate(range(60, 72))))) == 7 / 12


def test_polyphony_counts_what_sounds_while_anything_does():
    assert measures.polyphony(notes((0, 2, 60), (0, 2, 64))) == 2
    assert measures.polyphony(notes((0, 2, 60), (1, 1, 64), (10, 2, 60))) == pytest.approx(5 / 4)


# --- time ---

def test_density_is_notes_a_second():
    assert counted.density(notes((2, 1, 60), (3, 1, 64), (5, 1, 60))) == pytest.approx(3 / 4)


def test_bars_of_one_rhythm_are_alike_and_others_by_what_differs():
    once = [(0, 1, 60), (1, 1, 60)]
    again = [(2, 1, 64), (2, 1, 67), (3, 1, 62)]  # a chord is one strike
    assert counted.groove_similarity(notes(*once, *again), MAP) == 1
    other = [(2, 1, 64), (3.5, 1, 62)]  # two positions differ
    assert counted.groove_similarity(notes(*once, *other), MAP) == pytest.approx(1 - 2 / POSITIONS)
    # of the three pairs of bars two differ
    third = [(4, 1, 60), (5, 1, 60)]
    assert counted.groove_similarity(notes(*once, *other, *third), MAP) == pytest.approx(1 - 4 / 3 / POSITIONS)


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


@pytest.mark.parametrize(("period", "lowest", "highest"), [(4, 0.5, 1), (8, 0.2, 1), (3, -0.5, 0), (1, -1e-9, 1e-9)])
def test_chords_come_round_after_four_or_eight_bars(period, lowest, highest):
    bar = np.arange(32)
    song = note_table(2.0 * bar, np.full(32, 2.0), 60 + bar % period, np.full(32, 80))
    assert lowest <= counted.chords_that_return(song, MAP) <= highest


@pytest.mark.parametrize(("measure", "value"), [
    (lambda song: counted.pitch_class_entropy(song, MAP), 0), (counted.scale_consistency, 0),
    (measures.polyphony, 0),
    (counted.density, 0), (lambda song: counted.groove_similarity(song, MAP), 1),
    (lambda song: counted.on_sixteenths(song, MAP), 0), (lambda song: counted.bars_that_return(song, MAP), 0),
    (lambda song: counted.chords_that_return(song, MAP), 0),
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
    assert comparison.overlapping_area(real, same) > 0.9
    assert comparison.overlapping_area(real, far) < 0.05
    assert comparison.overlapping_area(np.ones(3), np.ones(3)) == 1


def drawn(rng, songs, shift=0.0, spread=1.0):
    return shift + spread * rng.normal(size=(songs, 6))


def test_two_samples_of_one_kind_are_not_told_apart_and_others_are():
    rng = np.random.default_rng(0)
    real = drawn(rng, 80)
    assert comparison.told_apart(real, real.copy(), repeats=3) == 0.5  # row by row the same
    assert comparison.told_apart(real, drawn(rng, 80), repeats=3) == pytest.approx(0.5, abs=0.12)
    assert comparison.told_apart(real, drawn(rng, 80, shift=0.5), repeats=3) > 0.75
    assert comparison.told_apart(real, drawn(rng, 80, shift=3), repeats=3) > 0.99


def test_too_much_and_too_little_are_told_from_the_middle():
    """Means are alike; the squares tell them."""
    rng = np.random.default_rng(0)
    assert comparison.told_apart(drawn(rng, 80), drawn(rng, 80, spread=2.5), repeats=3) > 0.9


def test_what_is_learned_by_heart_does_not_count():
    """More measures than songs fit anything; on songs that were held out it does not help."""
    rng = np.random.default_rng(1)
    real, made = rng.normal(size=(2, 20, 60))
    assert comparison.told_apart(real, made, repeats=3) < 0.75


def test_a_measure_that_is_always_the_same_does_no_harm():
    rng = np.random.default_rng(0)
    real, made = drawn(rng, 40), drawn(rng, 40, shift=1)
    real[:, 0] = made[:, 0] = 7
    assert 0.8 < comparison.told_apart(real, made, repeats=3) <= 1
