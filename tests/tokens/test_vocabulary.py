import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.codec import EVENT, encode
from serenity.music.pitch import chord_bits, chord_pitches, parse_chord, spell
from serenity.settings import CodecSettings
from serenity.tokens.vocabulary import (
    ATTRIBUTES,
    END,
    MOST_VALUES,
    PAD,
    SPECIALS,
    START,
    TOP_K,
    column_values,
    count_values,
    from_json,
    nearest_chord,
    nearest_number,
    read,
    to_json,
    write,
)
from tests.real_midi import FILES, song_at
from tests.songs import abc_songs
from tests.strategies import event_tables

SONGS = [song.events for _, song in abc_songs(6)]
VOCABULARY = count_values(SONGS)
SMALL = {"pitch": 20, "step": 3, "duration": 3, "velocity": 5}


def bits(*names):
    return np.stack([chord_bits(parse_chord(name)) for name in names])


def events(*rows):
    """Return events given as (chord, step, duration, velocity), with an accent behind where they have one."""
    return np.array([(chord_bits(parse_chord(chord)), *(*others, 0)[:4]) for chord, *others in rows], EVENT)


def nearest_of(chord, *known):
    return known[nearest_chord(bits(chord), bits(*known))[0][0]]


# --- counting ---

def test_the_commonest_value_has_the_first_token_and_equal_ones_ascend():
    table = events(("c4", 12, 1, 80), ("e4", 6, 1, 80), ("e4", 6, 1, 80), ("d4", 18, 1, 20))
    vocabulary = count_values([table[:2], table[2:]])
    assert [spell(chord_pitches(chord)) for chord in vocabulary.pitch.values] == ["e4", "c4", "d4"]
    assert vocabulary.pitch.counts.tolist() == [2, 1, 1]
    assert vocabulary.step.values.tolist() == [6, 12, 18]
    assert vocabulary.duration.values.tolist() == [1]
    assert vocabulary.velocity.values.tolist() == [[82, 0], [22, 0]]


def test_the_order_of_the_songs_does_not_matter():
    assert to_json(count_values(reversed(SONGS))) == to_json(VOCABULARY)


def test_a_dictionary_ends_at_its_top_k():
    vocabulary = count_values(SONGS, SMALL)
    assert vocabulary.sizes == {"pitch": 23, "step": 6, "duration": 6, "velocity": 8}
    assert np.array_equal(vocabulary.pitch.values, VOCABULARY.pitch.values[:20])


@pytest.mark.parametrize("wrong", [0, -1, MOST_VALUES + 1])
def test_a_dictionary_that_tokens_cannot_number_is_refused(wrong):
    with pytest.raises(InputError, match="pitch dictionary of .* values, wanted 1 to 65,533"):
        count_values(SONGS, TOP_K | {"pitch": wrong})


@pytest.mark.parametrize("tables", [[], [np.empty(0, EVENT)]])
def test_songs_without_events_give_no_dictionary(tables):
    with pytest.raises(InputError, match="the songs hold no event"):
        count_values(tables)


# --- events to tokens and back ---

def test_values_begin_after_the_special_tokens():
    assert (PAD, START, END, SPECIALS) == (0, 1, 2, 3)
    tokens, _ = VOCABULARY.encode(SONGS[0])
    assert tokens.dtype == np.uint16
    assert tokens.min() >= SPECIALS
    assert (tokens.max(axis=0) < list(VOCABULARY.sizes.values())).all()


def test_decoding_is_the_inverse_of_encoding_for_known_values():
    table = SONGS[0].copy()
    table["velocity"] = column_values(table, "velocity")[:, 0]
    assert table["accent"].any()
    tokens, known = VOCABULARY.encode(table)
    assert known.all()
    assert np.array_equal(VOCABULARY.decode(tokens, EVENT), table)


@given(event_tables)
def test_no_event_is_dropped_and_what_is_not_exact_is_marked(table):
    before = table.copy()
    vocabulary = count_values(SONGS, SMALL)
    tokens, known = vocabulary.encode(table)
    assert tokens.shape == known.shape == (len(table), 4)
    decoded = vocabulary.decode(tokens, EVENT)
    for column, attribute in enumerate(ATTRIBUTES):
        same = column_values(decoded, attribute) == column_values(table, attribute)
        assert np.array_equal(same.reshape(len(table), -1).all(axis=1), known[:, column])
    assert np.array_equal(vocabulary.encode(decoded)[0], tokens)
    assert np.array_equal(table, before)


def test_no_events_are_no_tokens():
    tokens, known = VOCABULARY.encode(np.empty(0, EVENT))
    assert tokens.shape == known.shape == (0, 4)
    assert len(VOCABULARY.decode(tokens, EVENT)) == 0


@pytest.mark.parametrize("token", [PAD, START, END, -1, "size"])
def test_a_token_without_value_is_refused(token):
    token = VOCABULARY.step.size if token == "size" else token
    with pytest.raises(ValueError, match=f"step tokens {token}..{token}, wanted 3..{VOCABULARY.step.size - 1}"):
        VOCABULARY.step.decode([token])


@given(st.integers(1, 127))
def test_a_velocity_moves_by_half_a_bin_at_most(velocity):
    (middle, accent), = column_values(events(("c4", 0, 1, velocity, 16)), "velocity")
    assert abs(middle - velocity) <= 2 and accent == 16
    assert 1 <= middle <= 127


@pytest.mark.parametrize(("velocity", "accent", "nearest"), [
    (81, 16, (82, 16)),   # known: its bin
    (82, 24, (82, 16)), (82, -8, (82, 0)), (94, 0, (98, 0)),
    (90, 0, (82, 0)),     # as far from 98: the commoner
    (98, 16, (82, 16))])  # as far from (98, 0)
def test_a_velocity_becomes_the_nearest_velocity_and_accent(velocity, accent, nearest):
    known = [("c4", 0, 1, 82)] * 3 + [("c4", 0, 1, 82, 16)] * 2 + [("c4", 0, 1, 98)]
    vocabulary = count_values([events(*known)])
    tokens, is_known = vocabulary.encode(events(("c4", 0, 1, velocity, accent)))
    assert tuple(vocabulary.decode(tokens, EVENT)[["velocity", "accent"]][0]) == nearest
    assert is_known[0, 3] == ((velocity, accent) == (81, 16))


def test_each_velocity_and_accent_is_a_value_of_its_own():
    table = events(("c4", 0, 1, 80), ("c4", 0, 1, 80, 8), ("c4", 0, 1, 80, -8), ("c4", 0, 1, 81, 8))
    vocabulary = count_values([table])
    assert vocabulary.velocity.values.tolist() == [[82, 8], [82, -8], [82, 0]]
    assert list(json.loads(to_json(vocabulary))["velocity"]) == ["82+8", "82-8", "82"]
    assert TOP_K["velocity"] == 32 * 11  # all there are


# --- the nearest chord ---

def test_the_seeds_worked_example():
    assert nearest_of("a#5d5f4d3", "c5", "d5f4d3", "a#5d5f4", "a#5", "a#5c5f4d3") == "a#5d5f4"


def test_the_top_note_is_kept_even_where_all_others_are_lost():
    assert nearest_of("c5g4e4", "g4e4", "c5", "b4g4e4") == "c5"


def test_an_unknown_top_note_becomes_the_nearest_that_is_known():
    assert nearest_of("c5g4e4", "a4", "g5g4e4", "b4g4e4", "b4") == "b4g4e4"


def test_an_octave_doubling_is_dropped_before_a_pitch_class():
    assert nearest_of("c6g5e5c5", "c6g5c5", "c6g5e5") == "c6g5e5"


def test_a_thinner_chord_is_nearer_than_a_foreign_note():
    assert nearest_of("c5g4e4", "c5g4f4", "c5g4") == "c5g4"


def test_of_equally_near_chords_the_commonest_is_taken():
    assert nearest_of("c5g4e4", "c5e4", "c5g4") == "c5e4"
    assert nearest_of("c5g4e4", "c5g4", "c5e4") == "c5g4"


@given(st.lists(st.integers(0, 127).flatmap(lambda top: st.sets(st.integers(0, top), min_size=1, max_size=5)),
                min_size=1, max_size=20, unique_by=frozenset))
def test_a_known_chord_is_its_own_nearest(chords):
    known = np.stack([chord_bits(chord) for chord in chords])
    index, is_known = nearest_chord(known, known)
    assert index.tolist() == list(range(len(chords)))
    assert is_known.all()


def test_many_chords_at_once_are_as_near_as_one_by_one():
    known, rows = VOCABULARY.pitch.values[:200], VOCABULARY.pitch.values[200:300]
    assert nearest_chord(rows, known)[0].tolist() == [nearest_chord(row[None], known)[0][0] for row in rows]


# --- the nearest number ---

@pytest.mark.parametrize(("value", "nearest"), [(0, 1), (1, 1), (3, 2), (15, 24), (432, 24)])
def test_a_number_becomes_its_nearest(value, nearest):
    known = np.array([24, 1, 2])
    assert known[nearest_number(np.array([value]), known)[0]] == nearest


@pytest.mark.parametrize("known", [[2, 4], [4, 2]])
def test_of_equally_near_numbers_the_commoner_is_taken(known):
    assert nearest_number(np.array([3]), np.array(known)).tolist() == [0]


def test_a_dictionary_of_one_value_takes_everything():
    assert nearest_number(np.array([0, 12, 216]), np.array([12])).tolist() == [0, 0, 0]
    index, is_known = nearest_chord(bits("c4", "g9e3"), bits("c5"))
    assert index.tolist() == [0, 0]
    assert not is_known.any()


@given(st.lists(st.integers(0, 500), min_size=1, max_size=20, unique=True), st.lists(st.integers(0, 600), max_size=20))
def test_no_known_number_is_nearer(known, values):
    known, values = np.array(known), np.array(values, int)
    distance = abs(known[None] - values[:, None])
    assert nearest_number(values, known).tolist() == distance.argmin(axis=1).tolist()


# --- on disk ---

def assert_same(one, other):
    for attribute in ATTRIBUTES:
        assert np.array_equal(one[attribute].values, other[attribute].values)
        assert np.array_equal(one[attribute].counts, other[attribute].counts)
        assert one[attribute].values.dtype == other[attribute].values.dtype


def test_a_vocabulary_comes_back_from_its_file(tmp_path):
    write(tmp_path / "vocabulary.json", VOCABULARY)
    assert_same(read(tmp_path / "vocabulary.json"), VOCABULARY)


@given(st.lists(st.integers(0, 10**8), min_size=1, unique=True))
def test_every_number_comes_back(numbers):
    table = np.repeat(events(("c4", 0, 1, 80)), len(numbers))
    table["step"] = numbers
    assert_same(from_json(to_json(count_values([table]))), count_values([table]))


def test_a_person_can_read_it():
    table = events(("c5g4", 12, 24, 80), ("c5g4", 12, 3, 80))
    assert to_json(count_values([table])).splitlines()[2:7] == [
        ' "pitch": {', '  "c5g4": 2', " },", ' "step": {', '  "12": 2']


def broken(attribute, values):
    return json.dumps(json.loads(to_json(VOCABULARY)) | {attribute: values})


@pytest.mark.parametrize(("text", "said"), [
    ("{", "not JSON"),
    ("[]", "format 'list', wanted 'serenity-vocabulary 2'"),
    ("{}", "format 'None'"),
    (broken("format", "serenity-vocabulary 1"), "format 'serenity-vocabulary 1', wanted 'serenity-vocabulary 2'"),
    (broken("pitch", {}), "pitch holds no values"),
    (broken("step", [1, 2]), "step holds no values"),
    (broken("pitch", {"c4": 1, "h4": 1}), "pitch: 'h4' is not a note"),
    (broken("pitch", {"c4e4": 1, "e4c4": 1}), "pitch holds a value twice"),
    (broken("step", {"12": 1, "012": 1}), "step holds a value twice"),
    (broken("step", {"soon": 1}), "step: invalid literal for int() with base 10: 'soon'"),
    (broken("step", {"0.5": 1}), "step: invalid literal for int() with base 10: '0.5'"),  # half a point, or seconds
    (broken("step", {"-1": 1}), "step '-1', wanted a number from 0 to 100,000,000"),
    (broken("step", {"9" * 30: 1}), "step: Python int too large"),
    (broken("duration", {"0": 1}), "duration '0', wanted a number from 1 to 100,000,000"),
    (broken("duration", {"inf": 1}), "duration: invalid literal for int() with base 10: 'inf'"),
    (broken("velocity", {"nan": 1}), "velocity 'nan'"),
    (broken("velocity", {"128": 1}), "velocity '128', wanted a whole number from 1 to 127"),
    (broken("velocity", {"82+9": 1}), "velocity '82+9', wanted"),
    (broken("velocity", {"82": 1, "082": 1}), "velocity holds a value twice"),
    (broken("velocity", {"82": None}), "velocity: int"),
    (broken("velocity", {"82": float("inf")}), "velocity: cannot convert float infinity"),
    (broken("velocity", {"82": 10 ** 30}), "velocity: Python int too large"),
    (broken("step", {str(number): 1 for number in range(MOST_VALUES + 1)}), "step holds 65,534 values"),
], ids=lambda text: text[:40])
def test_a_broken_vocabulary_is_refused(text, said):
    with pytest.raises(InputError) as error:
        from_json(text, "x.json")
    assert str(error.value).startswith("x.json: ")
    assert said in str(error.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(InputError, match="vocabulary.json is missing"):
        read(tmp_path / "vocabulary.json")
    (tmp_path / "vocabulary.json").write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read(tmp_path / "vocabulary.json")


@pytest.mark.skipif(not FILES, reason="SERENITY_TEST_MIDI names no folder of MIDI files")
def test_real_songs_come_back_from_tokens():
    tables = [encode(song_at(path), CodecSettings()).events for path in FILES]
    vocabulary = count_values(tables, TOP_K | {"pitch": 40_000})
    for table in tables:
        tokens, known = vocabulary.encode(table)
        assert known[:, [0, 3]].all()
        exact = known.all(axis=1)
        decoded, wanted = vocabulary.decode(tokens, EVENT)[exact], table[exact]
        wanted["velocity"] = column_values(wanted, "velocity")[:, 0]
        assert np.array_equal(decoded, wanted)
