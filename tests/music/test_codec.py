import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.codec import CodecSettings, decode, encode
from serenity.music.event import fold_notes, unfold_events
from serenity.music.harmony import Key, find_key
from serenity.music.instruments import CATEGORIES
from serenity.music.note import NOTE, note_table
from serenity.music.pitch import fold, transpose
from tests.fidelity import assert_faithful
from tests.real_midi import notes_of, over_real_files
from tests.songs import compose_notes
from tests.strategies import note_tables

every_settings = st.builds(CodecSettings, st.sampled_from(sorted(CATEGORIES)),
                           st.sampled_from(["key", "centre", "none"]), split_ratio=st.sampled_from([1.5, None]))


def in_range(notes, encoded, category):
    """Return the notes in their own key, those out of the category's range moved by octaves into it."""
    inside, folded = fold(transpose(notes, encoded.transposition), category.lowest, category.highest)
    assert folded == encoded.folded
    return fold(transpose(inside, -encoded.transposition))[0]


@given(note_tables, every_settings)
def test_decoding_restores_key_and_register_but_for_folded_notes(notes, settings):
    before = notes.copy()
    encoded = encode(notes, settings)
    expected = in_range(notes, encoded, CATEGORIES[settings.category])
    assert_faithful(expected, decode(encoded.events, encoded.transposition), settings.time_step, settings.split_ratio)
    assert np.array_equal(notes, before)


@given(note_tables, every_settings)
def test_normalised_notes_stand_in_the_range_of_their_category(notes, settings):
    category = CATEGORIES[settings.category]
    found = unfold_events(encode(notes, settings).events)["pitch"]
    assert category.lowest <= found.min() and found.max() <= category.highest


@pytest.mark.parametrize("transposition", range(-12, 12))
def test_a_song_has_the_same_events_in_every_key(transposition):
    home, away = encode(compose_notes(1), CodecSettings()), encode(compose_notes(1, 30, transposition), CodecSettings())
    assert np.array_equal(home.events, away.events)
    assert away.transposition == home.transposition - transposition
    assert away.folded == 0


@pytest.mark.parametrize("normalise", ["key", "centre", "none"])
def test_normalising_twice_equals_normalising_once(normalise):
    settings = CodecSettings(normalise=normalise)
    once = encode(compose_notes(2, 30, 5), settings)
    twice = encode(unfold_events(once.events), settings)
    assert twice.transposition == 0
    assert np.array_equal(twice.events, once.events)


def test_a_normalised_song_is_in_c_major_or_a_minor_near_the_centre():
    normalised = unfold_events(encode(compose_notes(3, 30, 7), CodecSettings()).events)
    assert str(find_key(normalised)) in ("c major", "a minor")
    assert abs(normalised["pitch"].mean() - CATEGORIES["piano"].centre) < 7


def test_centring_by_semitones_leaves_half_a_semitone_at_most():
    encoded = encode(compose_notes(3, 30, 7), CodecSettings(normalise="centre", split_ratio=1.0))
    assert abs(transpose(compose_notes(3, 30, 7), encoded.transposition)["pitch"].mean() - 60) <= 0.5


def test_without_normalising_the_song_stays_where_it_is():
    encoded = encode(compose_notes(3, 30, 7), CodecSettings(normalise="none"))
    assert encoded.transposition == 0
    assert np.array_equal(encoded.events, fold_notes(compose_notes(3, 30, 7), 0.02, 1.5))


def test_folded_notes_are_counted():
    notes = note_table([0, 1, 2], [1, 1, 1], [5, 60, 120], [80, 80, 80])
    encoded = encode(notes, CodecSettings(normalise="none"))
    assert encoded.folded == 2
    assert decode(encoded.events, 0)["pitch"].tolist() == [29, 60, 108]


def test_a_pitch_beyond_midi_is_moved_to_its_edge_by_octaves():
    events = fold_notes(note_table([0, 1], [1, 1], [100, 60], [80, 80]), 0.02, 1.5)
    assert decode(events, -30)["pitch"].tolist() == [118, 90]


def test_decoding_leaves_the_events_as_they_were():
    events = encode(compose_notes(1), CodecSettings()).events
    before = events.copy()
    decode(events, 5)
    assert np.array_equal(events, before)


def test_a_song_without_notes_cannot_be_normalised():
    with pytest.raises(ValueError, match="at least one note"):
        encode(np.empty(0, NOTE), CodecSettings())


@pytest.mark.parametrize(("wrong", "said"), [
    ({"category": "banjo"}, "category 'banjo' is unknown; wanted one of piano"),
    ({"normalise": "tempo"}, "normalise 'tempo' is unknown"),
    ({"time_step": 0.0}, "time step 0.0 s is out of range"),
    ({"time_step": float("nan")}, "time step nan s is out of range"),
    ({"split_ratio": 0.5}, "split ratio 0.5 is out of range"),
    ({"split_ratio": float("nan")}, "split ratio nan is out of range"),
])
def test_settings_check_themselves(wrong, said):
    with pytest.raises(InputError, match=said):
        CodecSettings(**wrong)


@over_real_files
@pytest.mark.parametrize("normalise", ["key", "centre"])
def test_a_real_song_comes_back_in_its_key_and_register(path, normalise):
    notes, settings = notes_of(path), CodecSettings(normalise=normalise)
    encoded = encode(notes, settings)
    expected = in_range(notes, encoded, CATEGORIES["piano"])
    assert_faithful(expected, decode(encoded.events, encoded.transposition), settings.time_step, settings.split_ratio)


def test_a_key_that_is_known_better_is_taken():
    notes = compose_notes(1)
    key = Key(2, "major", 1.0)
    settings = CodecSettings()
    encoded = encode(notes, settings, key)
    assert encoded.key is key
    assert encoded.transposition % 12 == -2 % 12
    assert_faithful(in_range(notes, encoded, CATEGORIES["piano"]), decode(encoded.events, encoded.transposition),
                    settings.time_step, settings.split_ratio)
