from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.categories import CATEGORIES
from serenity.errors import InputError
from serenity.music.codec import decode, encode, events_to_notes, notes_to_events, on_grid
from serenity.music.grid import from_grid, to_grid
from serenity.music.harmony import Key, find_key
from serenity.music.note import NOTE, note_table
from serenity.music.pitch import fold, transpose
from serenity.music.tempo_map import TempoMap, tempos
from serenity.settings import CodecSettings
from tests.fidelity import assert_faithful
from tests.real_midi import over_real_files, song_at
from tests.songs import FOUR_FOUR, compose_notes, pop_song, song_of
from tests.strategies import grids, note_tables, tempo_maps

every_settings = st.builds(
    CodecSettings, st.sampled_from(sorted(CATEGORIES)), st.sampled_from(["key", "centre", "none"]), grids,
    st.sampled_from([None, 6, 24]), st.sampled_from([1.5, None]))


def composed(*args):
    return song_of(compose_notes(*args))


def in_range(notes, encoded, category):
    """Return the notes in their own key, those out of the category's range moved by octaves into it."""
    inside, folded = fold(transpose(notes, encoded.transposition), category.lowest, category.highest)
    assert folded == encoded.folded
    return fold(transpose(inside, -encoded.transposition))[0]


def assert_restored(song, settings, encoded):
    """What is decoded is the song on the grid, in its key and register but for folded notes."""
    table, beside = to_grid(song.notes, song.tempo_map, settings.grid, settings.exact_lengths)
    assert np.array_equal(encoded.points, table["onset"]) and np.array_equal(encoded.beside, beside)
    back = fold(transpose(events_to_notes(encoded.events), -encoded.transposition))[0]
    assert_faithful(in_range(table, encoded, CATEGORIES[settings.category]), back, settings.split_ratio)
    decoded = decode(encoded.events, encoded.tempo_map, settings.grid, encoded.transposition)
    assert np.array_equal(decoded, from_grid(back, song.tempo_map, settings.grid))


@given(note_tables, tempo_maps(st.sampled_from([0.5, 2 / 3])), every_settings)
def test_decoding_restores_key_and_register_but_for_folded_notes(notes, tempo_map, settings):
    before = notes.copy()
    song = song_of(notes, tempo_map)
    assert_restored(song, settings, encode(song, settings))
    assert np.array_equal(notes, before)


def test_a_song_on_its_beats_comes_back_as_it_was():
    song, settings = song_of(pop_song()), CodecSettings(exact_lengths=None, split_ratio=1.0)
    song.notes["duration"] = np.rint(48 * song.notes["duration"]) / 48  # whole grid points
    encoded = encode(song, settings)
    back = decode(encoded.events, song.tempo_map, 24, encoded.transposition)
    assert back[["pitch", "velocity"]].tolist() == song.notes[["pitch", "velocity"]].tolist()
    assert back["onset"] == pytest.approx(song.notes["onset"]) and not encoded.beside.any()
    assert back["duration"] == pytest.approx(song.notes["duration"])


@pytest.mark.parametrize("quarter", [300_000, 731_000])
def test_a_song_has_the_same_events_in_every_tempo(quarter):
    notes = compose_notes(1)
    notes["onset"] *= quarter / 500_000
    notes["duration"] *= quarter / 500_000
    other = encode(song_of(notes, replace(FOUR_FOUR, tempos=tempos((0, quarter)))), CodecSettings())
    assert np.array_equal(other.events, encode(composed(1), CodecSettings()).events)


def test_what_is_decoded_begins_where_and_is_played_as_it_is_asked():
    events = encode(song_of(note_table([0, 1], [1, 1], [60, 62], [80, 80])), CodecSettings(normalise="none")).events
    assert decode(events, TempoMap(), 24, begin=12)["onset"].tolist() == [0.25, 1.25]
    late = decode(events, TempoMap(), 24, begin=12, play=lambda points: points / 1000)
    assert late["onset"].tolist() == pytest.approx([0.262, 1.31])  # 12 and 60 points, of which the second is the later
    assert (late["onset"] + late["duration"]).tolist() == pytest.approx([1.25, 2.25])


def test_a_song_on_the_grid_is_on_the_grid():
    notes = compose_notes(1)
    notes["onset"] += np.random.default_rng(0).normal(0, 0.01, len(notes))
    notes["onset"] = abs(np.sort(notes["onset"]))
    moved = on_grid(song_of(notes), CodecSettings())
    assert moved["onset"] * 48 == pytest.approx(np.rint(moved["onset"] * 48))
    assert abs(moved["onset"] - notes["onset"]).max() < 0.05
    assert np.array_equal(on_grid(song_of(moved), CodecSettings()), moved)


@given(note_tables, every_settings)
def test_normalised_notes_stand_in_the_range_of_their_category(notes, settings):
    category = CATEGORIES[settings.category]
    found = events_to_notes(encode(song_of(notes), settings).events)["pitch"]
    assert category.lowest <= found.min() and found.max() <= category.highest


@pytest.mark.parametrize("transposition", range(-12, 12))
def test_a_song_has_the_same_events_in_every_key(transposition):
    home, away = encode(composed(1), CodecSettings()), encode(composed(1, 30, transposition), CodecSettings())
    assert np.array_equal(home.events, away.events)
    assert away.transposition == home.transposition - transposition
    assert away.folded == 0


@pytest.mark.parametrize("normalise", ["key", "centre", "none"])
def test_normalising_twice_equals_normalising_once(normalise):
    settings = CodecSettings(normalise=normalise)
    once = encode(composed(2, 30, 5), settings)
    twice = encode(song_of(decode(once.events, once.tempo_map, settings.grid)), settings)
    assert twice.transposition == 0
    assert np.array_equal(twice.events, once.events)


def test_a_normalised_song_is_in_c_major_or_a_minor_near_the_centre():
    normalised = events_to_notes(encode(composed(3, 30, 7), CodecSettings()).events)
    assert str(find_key(normalised)) in ("c major", "a minor")
    assert abs(normalised["pitch"].mean() - CATEGORIES["piano"].centre) < 7


def test_centring_by_semitones_leaves_half_a_semitone_at_most():
    encoded = encode(composed(3, 30, 7), CodecSettings(normalise="centre", split_ratio=1.0))
    assert abs(transpose(compose_notes(3, 30, 7), encoded.transposition)["pitch"].mean() - 60) <= 0.5


def test_without_normalising_the_song_stays_where_it_is():
    encoded = encode(composed(3, 30, 7), CodecSettings(normalise="none"))
    assert encoded.transposition == 0
    table, _ = to_grid(compose_notes(3, 30, 7), FOUR_FOUR, 24, 24)
    assert np.array_equal(encoded.events, notes_to_events(table, 1.5))


def test_folded_notes_are_counted():
    notes = note_table([0, 1, 2], [1, 1, 1], [5, 60, 120], [80, 80, 80])
    encoded = encode(song_of(notes), CodecSettings(normalise="none"))
    assert encoded.folded == 2
    assert decode(encoded.events, FOUR_FOUR, 24)["pitch"].tolist() == [29, 60, 108]


def test_a_pitch_beyond_midi_is_moved_to_its_edge_by_octaves():
    song = song_of(note_table([0, 1], [1, 1], [100, 60], [80, 80]))
    events = encode(song, CodecSettings(normalise="none")).events
    assert decode(events, FOUR_FOUR, 24, -30)["pitch"].tolist() == [118, 90]


def test_decoding_leaves_the_events_as_they_were():
    events = encode(composed(1), CodecSettings()).events
    before = events.copy()
    decode(events, FOUR_FOUR, 24, 5)
    assert np.array_equal(events, before)


def test_a_song_without_notes_cannot_be_normalised():
    with pytest.raises(ValueError, match="at least one note"):
        encode(song_of(np.empty(0, NOTE)), CodecSettings())


@pytest.mark.parametrize(("wrong", "said"), [
    ({"category": "banjo"}, "category 'banjo' is unknown; wanted one of piano"),
    ({"normalise": "tempo"}, "normalise 'tempo' is unknown"),
    ({"grid": 3}, "grid 3, wanted a whole number from 4 to 480"),
    ({"grid": 481}, "grid 481, wanted"),
    ({"grid": 24.0}, "grid 24.0, wanted"),
    ({"grid": None}, "grid None, wanted"),
    ({"exact_lengths": 0}, "exact_lengths 0, wanted a whole number from 1 to 1,000,000"),
    ({"exact_lengths": 0.5}, "exact_lengths 0.5, wanted"),
    ({"split_ratio": 0.5}, "split_ratio 0.5 is out of range"),
    ({"split_ratio": float("nan")}, "split_ratio nan is out of range"),
])
def test_settings_check_themselves(wrong, said):
    with pytest.raises(InputError, match=said):
        CodecSettings(**wrong)


def test_a_key_that_is_known_better_is_taken():
    song, key, settings = composed(1), Key(2, "major", 1.0), CodecSettings()
    encoded = encode(song, settings, key)
    assert encoded.key is key
    assert encoded.transposition % 12 == -2 % 12
    assert_restored(song, settings, encoded)


@over_real_files
@pytest.mark.parametrize("normalise", ["key", "centre"])
def test_a_real_song_comes_back_in_its_key_and_register(path, normalise):
    song, settings = song_at(path), CodecSettings(normalise=normalise)
    assert_restored(song, settings, encode(song, settings))


@over_real_files
def test_a_real_song_is_not_far_from_its_grid(path):
    song = song_at(path)
    moved = on_grid(song, CodecSettings())
    assert len(moved) == len(song.notes)
    assert np.median(abs(moved["onset"] - song.notes["onset"])) < 0.03
