from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serenity.categories import CATEGORIES
from serenity.errors import InputError
from serenity.music.codec import encode
from serenity.music.note import NOTE, note_table
from serenity.music.pitch import pitch_bits, transpose
from serenity.music.synthetic import (
    DIFFERENT,
    FAULTS,
    LOWEST_BASS,
    RULES,
    choose,
    make_songs,
    out_of_reach,
    read,
    to_table,
)
from serenity.music.voices import INNER, MELODY
from serenity.settings import CodecSettings
from tests.real_midi import notes_of, over_real_files
from tests.songs import compose_notes, song_of
from tests.strategies import note_tables

PIANO = CATEGORIES["piano"]
OCTAVE_MOVES = ["inversion-few", "inversion-most", "inversion-1", "inversion-2", "inversion-mixed", "bass-bounce",
                "bass-inversion", "bass-low", "open", "close", "drop-2", "drop-3"]
DOUBLINGS = ["bass-octaves", "melody-octaves", "undoubled"]  # they add or drop notes of a pitch class
REDUCTIONS = ["undoubled", "outer", "shell", "sparse", "melody-bass", "melody"]
KEEP_STRIKES = [*OCTAVE_MOVES, *DOUBLINGS, "outer", "shell"]
OTHER_ONSETS = ["held", "block", "broken"]
CHORDS = ((36, 60, 64, 67), (41, 57, 60, 65), (43, 59, 62, 65), (45, 60, 64, 69), (38, 57, 62, 65, 72))


def bars(shapes, transposition=0):
    """Return a song with a bar of 2 s for each (chord, whether it is broken, melody's pitch above c5)."""
    rows = []
    for number, (chord, is_broken, above) in enumerate(shapes):
        start, (bass, *inner) = 2.0 * number, CHORDS[chord]
        rows.append((start, 1.9, bass, 70))
        rows += [(start + 0.25 * place * is_broken, 0.9, pitch, 60) for place, pitch in enumerate(inner)]
        rows += [(start + 1.0, 0.4, pitch, 64) for pitch in inner]
        rows += [(start + 0.5 * beat, 0.45, 72 + above + beat % 2, 90) for beat in range(4)]
    return transpose(note_table(*zip(*rows)), transposition)


songs = st.builds(bars, st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 12)), min_size=1,
                                 max_size=12), st.integers(-12, 12))
tables = songs | note_tables


def apply(name, song, seed=0):
    return choose(song, RULES[name](song, np.random.default_rng(seed)))


def made(name, *rows):
    """Return what a rule makes of notes given as (onset, duration, pitch, velocity), in the same form."""
    return to_table(apply(name, read(note_table(*zip(*rows)), PIANO))).tolist()


def classes(rows, by):
    return set(zip(rows[by].tolist(), (rows["pitch"] % 12).tolist()))


def pitches(rows, by="strike"):
    return set(zip(rows[by].tolist(), rows["pitch"].tolist()))


def table_of(rows):
    return rows[list(NOTE.names)].tolist()


# --- by hand ----------------------------------------------------------------------------------------------------------

CHORD = (36, 60, 64, 67, 84)  # c2, c e g, and the melody's c6


@pytest.mark.parametrize(("name", "expected"), [
    ("inversion-1", (36, 64, 67, 72, 84)),
    ("inversion-2", (36, 55, 60, 64, 84)),     # nearer below than above
    ("close", (36, 72, 76, 79, 84)),           # in the octave below the melody
    ("drop-2", (36, 67, 72, 76, 84)),
    ("drop-3", (36, 64, 72, 79, 84)),
    ("open", (36, 60, 67, 76, 84)),            # c e g becomes c g e
    ("bass-low", CHORD),                       # c1 would be below a double bass
    ("bass-octaves", (36, 48, 60, 64, 67, 84)),
    ("melody-octaves", (36, 60, 64, 67, 72, 84)),
    ("undoubled", (36, 64, 67, 84)),
    ("shell", (36, 64, 84)),
    ("outer", (36, 84)),
    ("melody-bass", (36, 84)), ("melody", (84,)),
])
def test_one_chord(name, expected):
    assert [note[2] for note in made(name, *((0, 1, pitch, 80) for pitch in CHORD))] == list(expected)


ARPEGGIO = [(0, 2, 48, 80), (0, 2, 96, 90), (0.25, 1.75, 60, 60), (0.5, 1.5, 64, 60), (0.75, 1.25, 67, 60),
            (1.0, 1.0, 64, 60), (1.25, 0.75, 60, 60)]


def test_a_broken_chord_is_inverted_as_one():
    assert [note[2] for note in made("inversion-1", *ARPEGGIO)] == [48, 96, 72, 64, 67, 64, 72]


def test_a_broken_chord_becomes_a_block_chord():
    assert made("block", *ARPEGGIO) == [
        (0, 2, 48, 80), (0, 2, 96, 90), (0.25, 1.75, 60, 60), (0.25, 1.75, 64, 60), (0.25, 1.75, 67, 60)]


def test_a_repeated_chord_is_held():
    repeated = [(0, 2, 36, 80), (0, 2, 84, 90), *((0.5 * beat, 0.4, pitch, 60) for beat in range(3)
                                                  for pitch in (60, 64))]
    assert made("held", *repeated) == [(0, 2, 36, 80), (0, 1.4, 60, 60), (0, 1.4, 64, 60), (0, 2, 84, 90)]


def test_a_chord_is_broken_over_the_melody_s_onsets():
    song = [(0, 2, 36, 80), (0, 2, 60, 60), (0, 2, 64, 60), (0, 2, 67, 60),
            *((0.25 * beat, 0.25, 84 - beat % 2, 90) for beat in range(8))]
    inner = [(onset, duration, pitch) for onset, duration, pitch, _ in made("broken", *song) if 50 < pitch < 70]
    assert inner == [(0, 2, 60), (0.25, 1.75, 64), (0.5, 1.5, 67)]


def test_the_bass_line_gets_smoother_by_inversions():
    chords = [(0, 48, 60, 64, 67), (1, 43, 59, 62, 67), (2, 45, 60, 64, 69)]  # C G a, all in root position
    song = [(onset, 0.9, pitch, 60) for onset, *chord in chords for pitch in (*chord, 84)]
    notes = made("bass-inversion", *song)
    assert [min(note[2] for note in notes if note[0] == onset) for onset, *_ in chords] == [48, 47, 45]  # C G/b a


def test_what_falls_on_one_pitch_is_one_note_the_longest_and_loudest():
    song = [(0, 2, 36, 80), (0, 1, 48, 90), (0, 1.5, 60, 60), (0, 1, 64, 60), (0, 2, 84, 90)]
    assert made("close", *song) == [(0, 2, 36, 80), (0, 1.5, 72, 90), (0, 1, 76, 60), (0, 2, 84, 90)]


def test_a_chord_that_would_meet_the_melody_is_inverted_an_octave_lower():
    song = [(0, 1, pitch, 80) for pitch in (43, 60, 64, 67, 72)]
    assert [note[2] for note in made("inversion-1", *song)] == [43, 52, 55, 60, 72]


def test_no_chord_is_moved_into_the_mud():
    low = [(0, 1, 36, 80), (0, 1, 48, 80), (0, 1, 52, 80), (0, 1, 55, 80), (0, 1, 57, 90)]
    assert [note[2] for note in made("inversion-2", *low)] == [36, 48, 52, 55, 57]


def test_hands_reach_so_far():
    notes = note_table([0] * 4, [1] * 4, [55, 72, 84, 90], [80] * 4)
    lost = {name: out_of_reach(song, song.chords).tolist() for name in ("piano", "violin")
            for song in [read(notes, CATEGORIES[name])]}
    assert lost == {"piano": [1], "violin": [2]}  # 72 from both ends; 84 and 90 from g3


# --- invariants -------------------------------------------------------------------------------------------------------

def test_each_rule_is_tested():
    assert {name for name in RULES if "+" not in name} == {*OCTAVE_MOVES, *DOUBLINGS, *REDUCTIONS, *OTHER_ONSETS}


@settings(max_examples=100)
@given(tables, st.sampled_from(list(RULES)), st.integers(0, 9), st.sampled_from(list(CATEGORIES)))
def test_any_rule(notes, name, seed, category):
    before = notes.copy()
    song = read(notes, CATEGORIES[category])
    rows = apply(name, song, seed)
    table = to_table(rows)
    assert np.array_equal(notes, before)
    assert table.dtype == NOTE and (table["duration"] > 0).all()
    assert set(table["onset"].tolist()) <= set(notes["onset"].tolist())
    assert set(table_of(song.rows[song.rows["part"] == MELODY])) <= set(table_of(rows))
    assert classes(rows, "harmony") <= classes(song.rows, "harmony")
    for harmony in range(len(song.passage)):
        assert rows["pitch"][rows["harmony"] == harmony].max() == song.top[harmony]
    new = [pitch for strike, pitch in pitches(rows) - pitches(song.rows)]
    assert all(max(song.category.lowest, LOWEST_BASS) <= pitch <= song.category.highest for pitch in new)
    for pitch in set(table["pitch"].tolist()):
        of_pitch = table[table["pitch"] == pitch]
        assert all(first["onset"] + first["duration"] <= second["onset"] + 1e-9 for first, second in pairwise(of_pitch))


@given(tables, st.sampled_from(list(RULES)), st.integers(0, 9))
def test_no_rule_brings_a_fault(notes, name, seed):
    song = read(notes, PIANO)
    rows = apply(name, song, seed)
    assert (rows["pitch"] >= 0).all()
    chords = np.zeros_like(song.chords)
    np.bitwise_or.at(chords, rows["strike"], pitch_bits(rows["pitch"]))
    for judge, before in zip(FAULTS, song.faults):
        assert (judge(song, chords) <= before).all(), judge.__name__


@given(tables, st.sampled_from(OCTAVE_MOVES), st.integers(0, 9))
def test_moving_by_octaves_keeps_every_note_and_each_strike_its_pitch_classes(notes, name, seed):
    song = read(notes, PIANO)
    rows = apply(name, song, seed)
    assert len(rows) == len(song.rows)
    assert classes(rows, "strike") == classes(song.rows, "strike")


@given(tables, st.sampled_from(DOUBLINGS))
def test_doubling_and_its_opposite_keep_each_strike_its_pitch_classes(notes, name):
    song = read(notes, PIANO)
    assert classes(apply(name, song), "strike") == classes(song.rows, "strike")


@given(tables, st.sampled_from(REDUCTIONS))
def test_a_reduction_takes_a_subset(notes, name):
    song = read(notes, PIANO)
    assert set(table_of(apply(name, song))) <= set(table_of(song.rows))


@given(tables, st.sampled_from(KEEP_STRIKES))
def test_all_strikes_stay(notes, name):
    song = read(notes, PIANO)
    assert set(apply(name, song)["strike"].tolist()) == set(song.rows["strike"].tolist())


@given(tables, st.sampled_from(["undoubled", "outer", "shell"]))
def test_a_reduction_keeps_the_top_note_of_each_strike(notes, name):
    song = read(notes, PIANO)
    rows = apply(name, song)
    tops = {}
    for strike, pitch in sorted(pitches(song.rows)):
        tops[strike] = pitch
    assert set(tops.items()) <= pitches(rows)


@given(tables, st.sampled_from(OTHER_ONSETS))
def test_each_harmony_keeps_its_pitches_where_notes_begin_at_other_onsets(notes, name):
    song = read(notes, PIANO)
    assert pitches(apply(name, song), "harmony") == pitches(song.rows, "harmony")


@given(tables)
def test_notes_of_one_pitch_move_alike_through_a_harmony(notes):
    song = read(notes, PIANO)
    inner = song.rows["part"] == INNER
    ways = RULES["inversion-1"](song, np.random.default_rng(0))
    for way in ways:
        moved = {}
        for harmony, old, new in zip(song.rows["harmony"][inner], song.rows["pitch"][inner], way["pitch"][inner]):
            assert moved.setdefault((harmony, old), new) == new


# --- songs ------------------------------------------------------------------------------------------------------------

def difference(notes, other):
    """Return the share of onsets at which two tables differ."""
    first, second = ({(round(note["onset"], 6), note["pitch"].item()) for note in table} for table in (notes, other))
    onsets = {onset for onset, _ in first | second}
    return len({onset for onset, _ in first ^ second}) / len(onsets)


def events(notes):
    return encode(song_of(notes), CodecSettings()).events.tobytes()


@pytest.fixture(scope="module")
def song():
    rng = np.random.default_rng(3)
    return bars([(rng.integers(5), rng.integers(2), rng.integers(4, 13)) for _ in range(24)])


def test_a_song_has_many_synthetic_songs_and_all_differ(song):
    family = make_songs(song, count=18)
    assert len(family) >= 15
    tables = [song, *family.values()]
    assert all(difference(one, other) >= DIFFERENT for number, one in enumerate(tables) for other in tables[:number])
    assert len({events(notes) for notes in tables}) == len(tables)


def test_synthetic_songs_are_named_after_their_rules_from_near_to_far(song):
    names = list(make_songs(song, count=99))
    assert names == [name for name in RULES if name in names]


def test_the_same_seed_gives_the_same_synthetic_songs_and_another_gives_others(song):
    first, again, other = (make_songs(song, 9, seed) for seed in (1, 1, 2))
    assert [(name, notes.tolist()) for name, notes in first.items()] == [
        (name, notes.tolist()) for name, notes in again.items()]
    assert list(first) != list(other)


@settings(max_examples=20)
@given(note_tables)
def test_any_table_has_only_synthetic_songs_that_differ(notes):
    family = make_songs(notes, 99)
    assert all((other["duration"] > 0).all() for other in family.values())
    assert len({other.tobytes() for other in family.values()} | {to_table(read(notes, PIANO).rows).tobytes()}) == (
        len(family) + 1)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_count_is_the_most(song, count):
    assert len(make_songs(song, count)) == count


def test_a_line_for_one_voice_has_no_synthetic_songs():
    line = [(0.5 * number, 0.5, 60 + number * 7 % 24, 80) for number in range(40)]
    assert make_songs(note_table(*zip(*line)), 18) == make_songs(np.empty(0, NOTE), 18) == {}


def test_what_is_asked_wrongly_is_said(song):
    with pytest.raises(InputError, match="'organ' is unknown; wanted one of piano"):
        make_songs(song, 18, category="organ")
    with pytest.raises(InputError, match="seed -1, wanted 0 or more"):
        make_songs(song, 18, seed=-1)


def test_a_song_of_chords_that_are_repeated_has_synthetic_songs_too():
    assert len(make_songs(compose_notes(0), 18)) >= 12


@over_real_files
def test_synthetic_songs_of_a_real_song_differ_as_events_and_keep_its_melody(path):
    notes = notes_of(path)
    song = read(notes, PIANO)
    melody = pitches(to_table(song.rows[song.rows["part"] == MELODY]), "onset")
    family = make_songs(notes, 6)
    encoded = [events(table) for table in (notes, *family.values())]
    assert len(set(encoded)) == len(encoded)
    onsets = set(notes["onset"].tolist())
    for name, other in family.items():
        assert set(other["onset"].tolist()) <= onsets
        kept = {pitch for _, pitch in melody} <= set(other["pitch"].tolist())
        assert kept, name
