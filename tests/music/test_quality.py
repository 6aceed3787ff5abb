from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serenity.music import harmony, quality
from serenity.music.note import end_time, merge_tables, note_table
from serenity.music.pitch import transpose
from serenity.music.quality import (
    LOWEST_SCORE,
    MEASURES,
    Verdict,
    chord_numbers,
    credit,
    entropy,
    judge,
    longest_loop,
    score,
)
from serenity.music.song import beat_edges
from serenity.music.tempo_map import TempoMap
from tests.songs import compose_notes, pop_song


def measured(notes):
    chords = harmony.find_chords(notes, beat_edges(TempoMap(), end_time(notes)))
    return quality.measure(notes, notes, chords, harmony.find_key(notes))


def steady(pitches, seconds=0.25, velocity=80):
    return note_table(seconds * np.arange(len(pitches)), [seconds] * len(pitches), pitches, [velocity] * len(pitches))


RNG = np.random.default_rng(0)
WRONG = {  # what is no music -> (notes, measure that must refuse it)
    "a drone": (note_table([0.0] * 3 + [100.0] * 3, [100.0] * 6, [36, 48, 55] * 2, [80] * 6), "notes"),
    "a machine gun": (steady([60] * 4000, 0.02), "notes_per_second"),
    "a constant click": (steady([76] * 600), "longest_repeat"),
    "an exercise of two notes": (steady([60, 64] * 400), "longest_repeat"),
    "noise": (note_table(np.sort(RNG.uniform(0, 100, 2000)), RNG.uniform(0.05, 0.3, 2000), RNG.integers(21, 109, 2000),
                         RNG.integers(1, 128, 2000)), "pitch_entropy"),
    "a chromatic scale": (steady([*range(40, 90), *range(90, 40, -1)] * 4, 0.3), "key_confidence"),
    "a single line": (steady(60 + RNG.choice([0, 2, 4, 5, 7, 9, 11, 12], 400)), "polyphony"),
    "half a minute": (compose_notes(0, 10), "seconds"),
    "a pause of a minute": (merge_tables([compose_notes(0, 20),
                                          note_table([100.0, 101.0], [1.0, 1.0], [60, 64], [80, 80])]),
                            "longest_silence"),
    "a piccolo": (transpose(compose_notes(0, 60), 40), "out_of_range"),
}


def test_a_pop_song_is_kept():
    verdict = judge(measured(pop_song()))
    assert verdict.kept
    assert verdict.reason is None
    assert verdict.score > 3


@pytest.mark.parametrize(("notes", "measure"), WRONG.values(), ids=WRONG)
def test_what_is_no_music_is_refused_by_name(notes, measure):
    measures = measured(notes)
    assert not judge(measures).kept
    row = MEASURES[measure]
    assert not row.lowest <= measures[measure] <= row.highest


def test_every_measure_is_taken_and_is_a_number():
    measures = measured(pop_song())
    assert list(measures) == list(MEASURES)
    assert all(np.isfinite(value) for value in measures.values())


@pytest.mark.parametrize("count", [1, 2, 8])
def test_tiny_songs_are_measured_too(count):
    measures = measured(steady(range(60, 60 + count)))
    assert all(np.isfinite(value) for value in measures.values())
    assert not judge(measures).kept


def test_the_first_reason_against_is_named_with_what_was_wanted():
    measures = measured(pop_song()) | {"seconds": 10.0, "polyphony": 0.5}
    assert judge(measures).reason == "seconds 10, wanted 30 to 900"
    measures = measured(pop_song()) | {"key_confidence": 0.1}
    assert judge(measures).reason == "key_confidence 0.1, wanted 0.55 or more"


def test_a_song_unlike_pop_is_refused_by_its_score():
    unlike = {name: row.typical - 3 * row.spread for name, row in MEASURES.items() if row.weight}
    measures = measured(pop_song()) | {name: max(value, MEASURES[name].lowest) for name, value in unlike.items()}
    verdict = judge(measures)
    assert verdict.reason.startswith(f"score {verdict.score:.1f}, wanted {LOWEST_SCORE:g} or more")


@given(st.sampled_from([name for name, row in MEASURES.items() if row.weight]), st.floats(-5, 5), st.floats(0, 5))
def test_more_of_what_is_pop_never_lowers_the_score(name, where, more):
    row = MEASURES[name]
    measures = {name: row.typical for name, row in MEASURES.items()}
    low, high = (measures | {name: row.typical + row.spread * value} for value in (where, where + more))
    assert score(low) <= score(high) + 1e-9


def test_nothing_is_the_more_pop_for_being_extreme():
    row = MEASURES["pitch_spread"]
    assert credit("pitch_spread", row.typical + 9 * row.spread) == credit("pitch_spread", row.typical + row.spread)


@settings(max_examples=20)
@given(st.integers(0, 10), st.integers(-12, 12))
def test_the_score_does_not_hear_the_key(seed, semitones):
    here, there = measured(compose_notes(seed, 20)), measured(transpose(compose_notes(seed, 20), semitones))
    assert here == pytest.approx(there, abs=1e-4)


def test_a_table_can_be_changed_by_a_row(monkeypatch):
    monkeypatch.setitem(MEASURES, "seconds", replace(MEASURES["seconds"], highest=60))
    assert judge(measured(pop_song())).reason == "seconds 80, wanted 30 to 60"
    monkeypatch.setitem(MEASURES, "seconds", replace(MEASURES["seconds"], lowest=-inf, highest=inf))
    assert judge(measured(pop_song())) == Verdict(True, None, score(measured(pop_song())))


@pytest.mark.parametrize(("sequence", "share"), [
    ("cgcgcgd", 6 / 7), ("ccccc", 1), ("cdefg", 0), ("cdefcdef", 1), ("cdefcdexx", 2 / 9), ("", 0), ("c", 0)])
def test_loops_by_hand(sequence, share):
    assert longest_loop(np.array([ord(letter) for letter in sequence], int)) == pytest.approx(share)


def test_notes_struck_almost_together_are_one_strike():
    notes = note_table([0, 0.02, 1.0, 1.01, 2.0], [0.5] * 5, [60, 64, 64, 60, 67], [80] * 5)
    assert chord_numbers(notes).tolist() == [0, 0, 1]


@pytest.mark.parametrize(("values", "bits"), [([], 0), ([5, 5, 5], 0), ([1, 2], 1), ([1, 2, 3, 4], 2)])
def test_entropy_by_hand(values, bits):
    assert entropy(np.array(values)) == pytest.approx(bits)
