"""Features: what tokens have in common, and what stays apart."""

import numpy as np
import pytest

from serenity.music.codec import LIMITS
from serenity.music.pitch import chord_bits, parse_chord
from serenity.tokens.features import (
    HIGHEST,
    LOWEST,
    NUMBER,
    bar_numbers,
    bar_rows,
    features,
    step_quarters,
)
from serenity.tokens.vocabulary import (
    ATTRIBUTES,
    COLUMNS,
    PLACE,
    SPECIALS,
    AttributeVocabulary,
    count_values,
)
from tests.songs import abc_songs


def chords(*names):
    values = np.stack([chord_bits(parse_chord(name)) for name in names])
    return features(AttributeVocabulary("pitch", values, np.ones(len(names), int)))[SPECIALS:]


def numbers(attribute, *values):
    return features(AttributeVocabulary(attribute, np.array(values), np.ones(len(values), int)))[SPECIALS:]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_token_has_features_of_its_own_of_length_one(attribute):
    vocabulary = count_values(song.events for _, song in abc_songs(3))[attribute]
    table = features(vocabulary)
    assert table.shape == (vocabulary.size, NUMBER[attribute]) and table.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), 1, atol=1e-6)
    if attribute == "pitch":
        assert len(np.unique(table.round(5), axis=0)) == len(table)
    assert np.array_equal(table[:SPECIALS, :SPECIALS], np.eye(SPECIALS)) and not table[:SPECIALS, SPECIALS:].any()
    assert not table[SPECIALS:, :SPECIALS].any()


def test_chords_are_the_more_alike_the_more_they_share():
    chord, inner, bass, other = chords("g5e5c4", "g5d5c4", "g5e5a3", "f#6a#4d#2")
    same_top_and_bass, same_top, nothing = chord @ inner, chord @ bass, chord @ other
    assert 1 > same_top_and_bass > same_top > nothing > 0  # all have three notes


def test_a_chord_an_octave_lower_shares_its_pitch_classes():
    chord, lower, other = chords("g5e5c5", "g4e4c4", "f#4d#4c#4")
    assert chord @ lower > chord @ other


def test_pitches_beyond_the_piano_count_as_its_outermost_keys():
    names = [AttributeVocabulary("pitch", np.stack([bits(pitch) for pitch in pitches]), np.ones(2, int))
             for pitches in ((LOWEST - 5, HIGHEST), (LOWEST, HIGHEST + 9))]
    for vocabulary in names:
        assert np.isfinite(features(vocabulary)).all()


def bits(pitch):
    words = np.zeros(2, np.uint64)
    words[pitch // 64] = np.uint64(1) << np.uint64(pitch % 64)
    return words


@pytest.mark.parametrize("attribute", ["step", "duration"])
def test_times_are_the_more_alike_the_nearer_they_are_by_ratio(attribute):
    short, longer, long, longest = numbers(attribute, 5, 6, 100, 101)
    assert long @ longest > short @ longer > short @ long
    assert long @ longest < 1


def test_a_dictionary_of_one_value_has_features_too():
    assert np.isfinite(numbers("velocity", (64, 0))).all()


def test_velocities_are_the_more_alike_the_nearer_and_an_accent_parts_them():
    soft, softer, accented, loud, other = numbers("velocity", (50, 0), (46, 0), (50, 16), (98, 0), (98, 16))
    assert 1 > soft @ softer > soft @ loud and 1 > soft @ accented > soft @ other
    assert accented @ other > soft @ other


def test_every_accent_has_a_feature_of_its_own():
    least, most = LIMITS["accent"]
    values = [(64, accent) for accent in range(least, most + 1, 8)]
    assert len(np.unique(numbers("velocity", *values).round(5), axis=0)) == len(values)


# --- bars ---

def rows(place, bar, left, grid=24):
    events = np.zeros((1, len(COLUMNS)), np.int32)
    events[0, PLACE:] = place, bar, left
    found, = bar_rows(events, grid).tolist()
    return found


def test_the_rows_of_a_place_by_hand():
    """24 places of the quarter, 16 quarters, 32 lengths in eighths, 33 numbers of bars left; row 0 of each: unknown."""
    first = [0, 24, 40, 72]
    assert rows(0, 0, 0) == first
    assert rows(36, 96, 5) == [12, 25, 40 + 8, 72 + 5]
    assert rows(36, 72, 5)[2] == 40 + 6 and rows(3, 96, 1) == [3, 24, 48, 73]
    assert bar_numbers(24) == 24 + 16 + 32 + 33


def test_what_is_too_long_counts_as_the_longest_and_each_row_has_one_meaning():
    assert rows(24 * 99 + 5, 24 * 200, 60_000) == [5, 39, 71, bar_numbers(24) - 1]
    events = np.random.default_rng(0).integers(0, 2 ** 16, (500, len(COLUMNS)))
    for grid in (4, 24, 480):
        found = bar_rows(events, grid)
        edges = np.array([0, grid, grid + 16, grid + 48, bar_numbers(grid)])
        assert (found >= edges[:-1]).all() and (found < edges[1:]).all()


@pytest.mark.parametrize(("grid", "quarters"), [(24, [0.5, 0, 1 / 24, 8]), (48, [0.25, 0, 1 / 48, 4])])
def test_a_step_s_token_tells_its_quarters_and_special_ones_take_no_time(grid, quarters):
    vocabulary = AttributeVocabulary("step", np.array([12, 0, 1, 192]), np.ones(4, int))
    told = step_quarters(vocabulary, grid)
    assert told.dtype == np.float32
    np.testing.assert_allclose(told, [0, 0, 0, *quarters])
