import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from serenity.music import harmony, midi_file
from serenity.music.harmony import (
    CHORD,
    FADE,
    KEYS,
    PROFILES,
    PROGRESSIONS,
    QUALITY_NAMES,
    Key,
    commonest_progression,
    find_chords,
    find_key,
    in_progressions,
    likeliest_path,
    pitch_class_weights,
    triad_name,
    triad_number,
    triads,
)
from serenity.music.note import NOTE, end_time, note_table
from serenity.music.pitch import PITCH_CLASS_NAMES, transpose
from serenity.music.song import beat_edges, of_score
from serenity.music.tempo_map import TempoMap, tempos
from tests.songs import compose_notes

C_MAJOR, A_MINOR = Key(0, "major", 1.0), Key(9, "minor", 1.0)
ANNOTATIONS = Path(os.environ.get("SERENITY_TEST_MIDI", ".")) / "pop909" / "annotations"


def melody(pitches, durations=None):
    count = len(pitches)
    return note_table(range(count), durations or [1] * count, pitches, [80] * count)


def played(*chords, seconds=2.0):
    """Return a song of chords, each a tuple of pitches struck together."""
    rows = [(number * seconds, seconds, pitch, 80) for number, chord in enumerate(chords) for pitch in chord]
    return note_table(*zip(*rows))


def chord_name(chord):
    """Return a chord's name, as in "c", "f#min7" or "g/b"."""
    quality = QUALITY_NAMES[chord["quality"]]
    name = PITCH_CLASS_NAMES[chord["root"]] + ("" if quality == "maj" else quality)
    return name if chord["bass"] in (chord["root"], -1) else f"{name}/{PITCH_CLASS_NAMES[chord['bass']]}"


def spans(notes, seconds=0.5):
    """Return the edges of even beats of so many seconds."""
    return beat_edges(TempoMap(tempos((0.0, 1e6 * seconds))), end_time(notes))


def chord(name, bass=None, start=0.0, end=1.0):
    """Return a CHORD row of "root quality", as in "7 maj"."""
    root, quality = name.split()
    return np.array((start, end, int(root), QUALITY_NAMES.index(quality), int(root) if bass is None else bass, 1),
                    CHORD)


# --- key --------------------------------------------------------------------------------------------------------------

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
    assert find_key(melody(range(60, 72))).confidence == pytest.approx(0)


def test_a_song_without_notes_has_no_key():
    with pytest.raises(ValueError, match="at least one note"):
        find_key(np.empty(0, NOTE))


@pytest.mark.parametrize(("tonic", "mode", "name"), [
    (3, "major", "E flat major"), (3, "minor", "E flat minor"), (1, "major", "D flat major"),
    (1, "minor", "C sharp minor"), (10, "minor", "B flat minor"), (9, "minor", "A minor"),
    (6, "major", "F sharp major"),
])
def test_keys_have_the_names_that_musicians_give_them(tonic, mode, name):
    assert Key(tonic, mode, 1.0).name == name


@pytest.mark.parametrize(("tonic", "mode", "relative"), [(0, "major", 0), (9, "minor", 0), (10, "minor", 1)])
def test_relative_keys_share_their_notes(tonic, mode, relative):
    assert Key(tonic, mode, 1.0).relative_major == relative


# --- what sounds over a span ------------------------------------------------------------------------------------------

def test_a_note_weighs_in_each_span_by_what_is_left_of_it():
    weights, bass = pitch_class_weights(note_table([0.5], [1.0], [60], [80]), np.array([0.0, 1.0, 2.0, 3.0]))
    fading = FADE * (1 - np.exp(-0.5 / FADE))
    assert weights[:, 0] == pytest.approx([fading, fading * np.exp(-0.5 / FADE), 0])
    assert weights[:, 1:].sum() == 0
    assert bass.tolist() == [60, 60, -1]


def test_the_bass_is_the_lowest_note_that_lasts():
    notes = note_table([0, 0, 0], [1.0, 0.1, 1.0], [48, 36, 72], [80] * 3)
    assert pitch_class_weights(notes, np.array([0.0, 1.0]))[1].tolist() == [48]


@settings(max_examples=20)
@given(st.integers(0, 30), st.floats(0.2, 3))
def test_all_that_sounds_is_in_some_span(seed, length):
    notes = compose_notes(seed, 6)
    edges = spans(notes, length)
    weights, _ = pitch_class_weights(notes, edges)
    assert weights.sum() == pytest.approx(FADE * np.sum(1 - np.exp(-notes["duration"] / FADE)))


@given(arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=st.integers(-20, 20)), st.integers(0, 9))
def test_the_likeliest_path_is_the_best_of_all_paths(scores, price):
    def worth(path):
        return scores[range(len(path)), path].sum() - price * np.count_nonzero(np.diff(path))

    best = max(worth(np.array(path)) for path in product(range(scores.shape[1]), repeat=len(scores)))
    assert worth(likeliest_path(scores, price)) == best


# --- chords -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("pitches", "name"), [
    ((48, 64, 67, 72), "c"), ((45, 60, 64, 69), "amin"), ((43, 59, 62, 65), "g7"), ((41, 57, 60, 64), "fmaj7"),
    ((50, 57, 60, 65), "dmin7"), ((47, 62, 65, 71), "bdim"), ((43, 60, 62, 67), "gsus4"), ((48, 62, 67, 72), "csus2"),
    ((52, 60, 67, 72), "c/e"), ((43, 60, 64, 67), "c/g"), ((53, 59, 62, 67), "g7/f"), ((40, 47, 52, 59), "e5"),
])
def test_a_chord_by_hand(pitches, name):
    (found,) = find_chords(played(pitches, pitches), np.array([0, 1.0, 2, 3, 4]))
    assert chord_name(found) == name
    assert (found["start"], found["end"]) == (0, 4)
    assert found["fit"] == pytest.approx(1)


def test_a_broken_chord_is_one_chord():
    notes = note_table(np.arange(8) / 4, [0.25] * 8, [48, 55, 60, 64, 67, 64, 60, 55], [80] * 8)
    assert [chord_name(found) for found in find_chords(notes, spans(notes, 1.0))] == ["c"]


def test_a_passing_note_changes_no_chord():
    melody = note_table([0, 1, 1.25], [1, 0.25, 0.75], [72, 74, 76], [80] * 3)
    notes = np.concatenate([played((48, 60, 64, 67)), melody])
    assert [chord_name(found) for found in find_chords(notes, np.array([0, 0.5, 1, 1.5, 2]))] == ["c"]


@settings(max_examples=20)
@given(st.integers(0, 20), st.integers(-11, 11))
def test_chords_move_with_the_song(seed, semitones):
    notes = compose_notes(seed, 8)
    edges = spans(notes)
    there, moved = find_chords(notes, edges), find_chords(transpose(notes, semitones), edges)
    assert np.array_equal((there["root"] + semitones) % 12, moved["root"])
    for name in ("start", "end", "quality"):
        assert np.array_equal(there[name], moved[name])


@settings(max_examples=20)
@given(st.integers(0, 20))
def test_chords_fill_the_song_and_neighbours_differ(seed):
    notes = compose_notes(seed, 8)
    chords = find_chords(notes, spans(notes))
    assert chords["start"][0] == 0
    assert chords["end"][-1] == end_time(notes)
    assert np.array_equal(chords["start"][1:], chords["end"][:-1])
    assert ((chords["root"][1:] != chords["root"][:-1]) | (chords["quality"][1:] != chords["quality"][:-1])).all()


def test_no_notes_are_no_chords():
    assert len(find_chords(np.empty(0, NOTE), np.array([0.0, 1.0]))) == 0


# --- progressions -----------------------------------------------------------------------------------------------------

def numbers(text):
    return np.array([triad_number(name) for name in text.split()])


@given(st.integers(0, 23))
def test_a_degree_comes_back_from_its_name(number):
    assert triad_number(triad_name(number)) == number


@pytest.mark.parametrize(("progression", "inside"), [
    ("I V vi IV", [1, 1, 1]), ("vi IV I V", [1, 1, 1]), ("I V vi IV I V", [1, 1, 1, 1, 1]),
    ("I bVII IV I", [1, 1, 1]), ("I #IV bII", [0, 0]), ("I #IV I IV V", [0, 0, 1, 1]), ("I", []), ("", []),
])
def test_changes_inside_progressions_by_hand(progression, inside):
    assert in_progressions(numbers(progression)).astype(int).tolist() == inside


@given(st.sampled_from(PROGRESSIONS), st.integers(0, 3))
def test_any_rotation_of_a_progression_is_one(progression, turn):
    names = numbers(progression)
    assert in_progressions(np.roll(names, turn)).all()


def test_a_minor_song_is_named_in_its_relative_major():
    found, seconds = triads(np.array([chord("9 min"), chord("5 maj7", start=1, end=3), chord("0 maj", start=3, end=4)]),
                            A_MINOR)
    assert " ".join(map(triad_name, found)) == "vi IV I"
    assert seconds.tolist() == [1, 2, 1]


def test_a_suspended_chord_is_part_of_the_triad_beside_it():
    song = np.array([chord("7 sus4"), chord("7 7", start=1, end=2), chord("2 5", start=2, end=3)])
    found, seconds = triads(song, C_MAJOR)
    assert " ".join(map(triad_name, found)) == "V ii"
    assert seconds.tolist() == [2, 1]


def test_the_commonest_progression_is_named_as_it_is_heard():
    song = numbers("ii iii vi IV I V vi IV I V vi IV I V")
    progression, share = commonest_progression(song, np.ones(len(song)))
    assert progression == "vi IV I V"
    assert share == pytest.approx(12 / 14)
    assert commonest_progression(numbers("I IV V"), np.ones(3)) == ("", 0.0)


# --- real songs, against the annotations that POP909 brings -----------------------------------------------------------

ROOTS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def root_of(name):
    return None if name[0] == "N" else (ROOTS[name[0]] + name.count("#") - name[1:3].count("b")) % 12


@pytest.mark.skipif(not ANNOTATIONS.is_dir(), reason="SERENITY_TEST_MIDI names no folder with POP909's annotations")
def test_most_chords_of_real_songs_are_the_annotated_ones():
    right = told = 0
    for folder in sorted(ANNOTATIONS.iterdir())[::80]:
        song = of_score(midi_file.read(ANNOTATIONS.parent / f"{folder.name}.mid"))
        chords = find_chords(song.struck, song.beat_edges)
        for start, end, name in (line.split() for line in (folder / "chord_midi.txt").read_text().splitlines()):
            root = root_of(name.split("/")[0].split(":")[0])
            at = np.searchsorted(chords["start"], (float(start) + float(end)) / 2, side="right") - 1
            if root is not None and at < len(chords):
                told += 1
                right += chords["root"][at] == root
    assert right / told > 0.85


def test_there_is_a_key_for_each_tonic_and_mode():
    assert len(set(KEYS)) == 24
    assert {triad_number(name) for name in ("I", "ii", "iii", "IV", "V", "vi", "vii")} == harmony.DIATONIC
