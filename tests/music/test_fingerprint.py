import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serenity.music.fingerprint import ALIKE, BANDS, FIGURE, ROWS, fingerprint, similar_pairs, similarity, top_line
from serenity.music.note import note_table
from serenity.music.pitch import transpose
from tests.songs import compose_notes

GOLDEN = [43878842, 137981127, 46237317]  # of song 0: what is on disk must stay readable
SONGS = [fingerprint(compose_notes(seed)) for seed in range(40)]


def stretched(notes, factor):
    notes = notes.copy()
    notes["onset"] *= factor
    notes["duration"] *= factor
    return notes


def test_the_top_line_is_the_highest_note_of_each_strike():
    notes = note_table([0, 0.02, 1, 2, 2.04], [1] * 5, [60, 72, 65, 70, 48], [80] * 5)
    assert top_line(notes).tolist() == [72, 65, 70]


@settings(max_examples=20)
@given(st.integers(0, 30), st.integers(-24, 24), st.floats(0.2, 5))
def test_neither_key_nor_tempo_changes_a_fingerprint(seed, semitones, factor):
    notes = compose_notes(seed)
    assert np.array_equal(fingerprint(notes), fingerprint(transpose(notes, semitones)))
    # But for notes that lie just as far apart as tells strikes, where rounding decides.
    assert similarity(fingerprint(notes), fingerprint(stretched(notes, factor))) > 0.9


@settings(max_examples=20)
@given(st.integers(0, 30), st.floats(0, 0.03))
def test_a_few_lost_notes_leave_a_song_alike(seed, share):
    notes = compose_notes(seed, 60)
    kept = np.random.default_rng(seed).random(len(notes)) >= share
    assert similarity(fingerprint(notes), fingerprint(notes[kept])) > ALIKE


def test_different_songs_are_not_alike():
    assert max(similarity(one, other) for place, one in enumerate(SONGS) for other in SONGS[:place]) < 0.1


def test_an_estimate_is_near_the_true_share():
    one, other = compose_notes(1, 80), compose_notes(2, 80)
    end = one["onset"].max() + 5
    other["onset"] += end
    both = fingerprint(np.concatenate([one, other]))
    assert similarity(both, fingerprint(one)) == pytest.approx(0.5, abs=0.15)


def test_pairs_are_found_among_many():
    prints = np.stack([*SONGS, SONGS[7], SONGS[3], fingerprint(transpose(compose_notes(5), 4)), SONGS[7]])
    assert similar_pairs(prints) == [(3, 41), (5, 42), (7, 40), (7, 43), (40, 43)]
    assert similar_pairs(np.stack(SONGS)) == []
    assert similar_pairs(SONGS[0][None]) == []


def test_fingerprints_of_different_days_compare():
    assert SONGS[0].shape == (BANDS * ROWS,)
    assert SONGS[0][:3].tolist() == GOLDEN


def test_too_few_strikes_have_none():
    notes = note_table(range(FIGURE), [1] * FIGURE, range(60, 60 + FIGURE), [80] * FIGURE)
    assert fingerprint(notes) is None
