import numpy as np
import pytest

from serenity.errors import InputError
from serenity.music.codec import CodecSettings
from serenity.music.instruments import CATEGORIES
from serenity.music.midi_file import TEMPO, TIME_SIGNATURE, Score, Track
from serenity.music.pitch import chord_matrix
from serenity.tokens import seed as seeds
from serenity.tokens.playable import playable
from serenity.tokens.unknown import Replaced, find_replaced
from serenity.tokens.vocabulary import SPECIALS, START, count_values
from tests.songs import abc_songs, compose_notes

VOCABULARY = count_values(song.events for _, song in abc_songs(3))
TEMPOS, METRE = np.array([(0, 500_000)], TEMPO), np.array([(0, 4, 4)], TIME_SIGNATURE)


def read(notes, name="Piano", **part):
    score = Score((Track(name, 0, False, notes),), TEMPOS, METRE, 480)
    return seeds.read(score, "piano", CodecSettings(), VOCABULARY, **part)


def test_the_prompt_begins_with_start_only_where_it_begins_the_song():
    notes = compose_notes(1, bars=8)
    whole, first, last = read(notes), read(notes, first=20), read(notes, last=20)
    assert (whole.prompt[0] == START).all() and (first.prompt[0] == START).all()
    assert (last.prompt >= SPECIALS).all()
    assert (first.events, last.events) == (20, 20)
    np.testing.assert_array_equal(first.prompt, whole.prompt[:21])
    np.testing.assert_array_equal(last.prompt, whole.prompt[-20:])


@pytest.mark.parametrize("part", [{}, {"first": 20}, {"last": 20}, {"seconds": (3.0, 9.0)}])
def test_what_the_seed_says_itself_comes_back_where_it_stood(part):
    """The prompt's own tokens, taken as a continuation, are the prompt's notes, in its key, after its last onset."""
    seed = read(compose_notes(1, bars=8, transposition=4), **part)
    values = seed.prompt[seed.prompt[:, 0] >= SPECIALS]
    notes = seeds.continue_notes(seed, values, VOCABULARY)
    assert sorted(set(notes["pitch"].tolist())) == sorted(set(seed.notes["pitch"].tolist()))
    assert notes["onset"][0] >= seed.start >= seed.notes["onset"][-1]


def test_the_report_says_what_was_taken_the_key_and_what_was_replaced():
    strange = compose_notes(1, bars=8)
    strange["pitch"][::9] = 22
    lines = seeds.report(read(strange, name="Piano\x1b[31m"))
    assert lines[0].startswith("piano by name (Piano?[31m); 84 notes, 0 left out, 10 moved by octaves")
    assert "(confidence 0." in lines[1] and "of 16.0 s" in lines[1]
    assert "values (" in lines[2] and "became their nearest: pitch" in lines[2]


def test_loops_are_told_from_music():
    few, many = np.tile([[3, 4, 5, 6], [4, 4, 5, 6]], (100, 1)), np.arange(800).reshape(200, 4)
    assert seeds.loops(few) and not seeds.loops(many)


# --- what was replaced ------------------------------------------------------------------------------------------------

def test_the_worst_come_first_in_the_songs_own_key():
    seed = read(compose_notes(1, bars=8))
    events = seed.encoded.events.copy()
    events["step"][:3] = 7.31, 7.31, 99.0
    tokens, known = VOCABULARY.encode(events)
    [replaced] = find_replaced(events, tokens, known, VOCABULARY)
    assert (replaced.attribute, replaced.count) == ("step", 3)
    assert [was for was, _ in replaced.worst] == ["99", "7.31"]
    assert str(replaced).startswith("step 3 (99 s -> ")


def test_chords_are_named_as_they_stand_in_the_song():
    seed = read(compose_notes(1, bars=8))
    events = seed.encoded.events[:1].copy()
    events["pitch"] = np.uint64(1) << np.uint64(60), 0  # c4 alone
    tokens, known = VOCABULARY.encode(events)
    known[:, 0] = False
    names = [find_replaced(events, tokens, known, VOCABULARY, semitones)[0].worst[0][0] for semitones in (0, -2)]
    assert names == ["c4", "d4"]


def test_nothing_unknown_is_nothing_replaced():
    seed = read(compose_notes(1, bars=30))
    assert seed.unknown == [] and not any("nearest" in line for line in seeds.report(seed))
    assert str(Replaced("velocity", 2, (("1", "5"),))) == "velocity 2 (1 -> 5)"


# --- what can be played -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("category", CATEGORIES.values(), ids=CATEGORIES)
@pytest.mark.parametrize("transposition", [-14, 0, 9])
def test_every_chord_allowed_lies_in_the_range_and_no_other(category, transposition):
    mask = playable(VOCABULARY.pitch, transposition, category)
    assert mask[:SPECIALS].all() and len(mask) == VOCABULARY.pitch.size
    for chord, allowed in zip(chord_matrix(VOCABULARY.pitch.values), mask[SPECIALS:]):
        pitches = np.flatnonzero(chord) - transposition
        assert allowed == (category.lowest <= pitches.min() and pitches.max() <= category.highest)


def test_no_chord_in_range_is_told():
    with pytest.raises(InputError, match="no chord that the model knows lies in the range of the cello here"):
        playable(VOCABULARY.pitch, -90, CATEGORIES["cello"])


