import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music.harmony import PROFILES, find_key
from serenity.music.note import NOTE, note_table
from serenity.music.pitch import transpose
from tests.songs import compose_notes


def melody(pitches, durations=None):
    count = len(pitches)
    return note_table(range(count), durations or [1] * count, pitches, [80] * count)


@pytest.mark.parametrize(("pitches", "durations", "name"), [
    ((60, 62, 64, 65, 67, 69, 71, 72), (4, 1, 2, 1, 3, 1, 1, 4), "c major"),
    ((67, 69, 71, 72, 74, 76, 78, 79), (4, 1, 2, 1, 3, 1, 1, 4), "g major"),
    ((57, 59, 60, 62, 64, 65, 68, 69), (4, 1, 2, 1, 3, 1, 1, 4), "a minor"),
    ((63, 65, 66, 68, 70, 71, 74, 75), (4, 1, 2, 1, 3, 1, 1, 4), "d# minor"),
])
def test_a_scale_that_dwells_on_its_triad_is_in_its_key(pitches, durations, name):
    assert str(find_key(melody(pitches, durations))) == name


def test_long_notes_weigh_more_than_many_short_ones():
    held = melody((60, 64, 67) + (61, 63, 66, 68, 70), (8, 8, 8) + (0.1,) * 5)
    assert str(find_key(held)) == "c major"


@given(st.integers(0, 5), st.integers(-30, 30))
def test_the_key_moves_with_the_song(seed, semitones):
    key = find_key(compose_notes(seed))
    moved = find_key(transpose(compose_notes(seed), semitones))
    assert (moved.tonic, moved.mode) == ((key.tonic + semitones) % 12, key.mode)
    assert moved.confidence == pytest.approx(key.confidence)


@pytest.mark.parametrize("mode", PROFILES)
def test_a_song_that_is_the_profile_itself_is_certain(mode):
    key = find_key(melody(range(60, 72), PROFILES[mode]))
    assert (key.tonic, key.mode) == (0, mode)
    assert key.confidence == pytest.approx(1)


def test_a_song_of_all_twelve_alike_has_a_key_without_confidence():
    assert find_key(melody(range(60, 72))).confidence == 0


def test_a_song_without_notes_has_no_key():
    with pytest.raises(ValueError, match="at least one note"):
        find_key(np.empty(0, NOTE))
