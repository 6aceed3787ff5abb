"""Novelty: what stands in a training song is found whole in any transposition, and what is refused is not made."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.pitch import chord_bits, chord_pitches, parse_chord
from serenity.tokens import novelty
from serenity.tokens.novelty import FALSE, Run, build, longest_run, read, veto, write
from serenity.tokens.vocabulary import SPECIALS, count_values
from tests.songs import abc_songs

SONGS = [song.events for _, song in abc_songs(12, bars=12)]
TRAINING, HELD_OUT = SONGS[:8], SONGS[8:]
INDEX = build(events["pitch"] for events in TRAINING)
VOCABULARY = count_values(TRAINING)

songs = st.sampled_from(TRAINING)
shifts = st.integers(-12, 12)


def chords(text: str) -> np.ndarray:
    return np.stack([chord_bits(parse_chord(name)) for name in text.split()])


def shifted(song: np.ndarray, semitones: int) -> np.ndarray:
    return np.stack([chord_bits(pitch + semitones for pitch in chord_pitches(chord)) for chord in song])


def tokens_of(song: np.ndarray) -> np.ndarray:
    return VOCABULARY.encode(song)[0].astype(np.int32)


# --- runs -------------------------------------------------------------------------------------------------------------

def test_a_worked_example():
    index = build([chords("c4 d4 e4 c4 g3e4 c4")], events=3)
    assert longest_run(index, chords("a4 f4 g4 a4 f4 d4")) == Run(4, 1)  # f g a f is c d e c
    assert longest_run(index, chords("e4 f#4 g#4 e4 b3g#4 e4")) == Run(6, 0)
    assert longest_run(index, chords("c5 d4 e4")) == Run(0, 0)  # another leap
    assert longest_run(index, chords("c4 d4")) == Run(0, 0)  # shorter than what is seen


def test_what_is_added_to_an_index_joins_what_it_holds():
    added = build([song["pitch"] for song in TRAINING[5:]], base=build([song["pitch"] for song in TRAINING[:5]], 6))
    assert (added.events, added.songs) == (6, len(TRAINING))
    assert all(longest_run(added, song["pitch"]) == Run(len(song), 0) for song in TRAINING)
    assert all(longest_run(added, song["pitch"]).length < len(song) for song in HELD_OUT)
    assert (np.diff(added.places) > 0).all() and added.places[-1] < added.size


@given(songs, shifts)
def test_a_training_song_is_found_whole_in_any_transposition(song, semitones):
    assert longest_run(INDEX, shifted(song["pitch"], semitones)) == Run(len(song), 0)


@given(songs, st.sampled_from(HELD_OUT), st.data())
def test_a_passage_is_found_where_it_stands_and_is_never_found_too_short(song, other, data):
    start = data.draw(st.integers(0, len(song) - novelty.EVENTS))
    passage = song["pitch"][start:start + data.draw(st.integers(novelty.EVENTS, 40))]
    before = other["pitch"][:data.draw(st.integers(0, 20))]
    whole = np.concatenate([before, shifted(passage, data.draw(shifts)), other["pitch"][30:50]])
    found = longest_run(INDEX, whole)
    assert found.length >= len(passage)
    assert found.start + found.length >= len(passage) and found.start + found.length <= len(whole)


def test_songs_of_ones_own_share_no_run_with_others():
    assert max(longest_run(INDEX, song["pitch"]).length for song in HELD_OUT) < 2 * novelty.EVENTS


def test_a_run_may_begin_in_the_prompt_but_counts_in_the_continuation_alone():
    song, other = TRAINING[0]["pitch"], HELD_OUT[0]["pitch"][:30]
    copied = np.concatenate([song[:20], song[20:23], other])
    assert longest_run(INDEX, copied, prompt=20) == Run(3, 0)
    assert longest_run(INDEX, copied).length == 23
    assert longest_run(INDEX, copied[20:]) == Run(0, 0)  # three events are too few to be seen without what was before


def test_grams_that_stand_in_no_song_are_seldom_known():
    rng = np.random.default_rng(0)
    rows = [rng.bytes(17) for _ in range(40_000)]
    known = sum(INDEX.holds(rows[at:at + INDEX.events]) for at in range(len(rows) - INDEX.events))
    assert known < 2 * len(rows) / FALSE


def test_an_index_of_no_songs_knows_nothing():
    assert longest_run(build([]), TRAINING[0]["pitch"]) == Run(0, 0)


# --- the veto ---------------------------------------------------------------------------------------------------------

@given(songs, st.integers(novelty.EVENTS - 1, 20), st.integers(0, 30), st.integers(0, 2 ** 32))
def test_what_is_not_refused_holds_no_longer_run(song, limit, prompt_events, seed):
    """A model that knows one song by heart is led away from it, and away from it again when it comes back."""
    rng = np.random.default_rng(seed)
    tokens = tokens_of(song)
    refuse = veto(INDEX, VOCABULARY, limit)
    made, place = np.zeros((0, 4), np.int32), prompt_events
    while len(made) < 60:
        event = tokens[place % len(tokens)].copy()
        while refuse(0, made, int(event[0])):
            event[0] = rng.integers(SPECIALS, VOCABULARY.pitch.size)
        made, place = np.concatenate([made, event[None]]), place + 1
    both = VOCABULARY.pitch.decode(np.concatenate([tokens[:prompt_events], made])[:, 0])
    assert longest_run(INDEX, both, prompt_events).length <= limit


def test_only_what_goes_over_the_limit_is_refused():
    tokens = tokens_of(TRAINING[3])
    refuse = veto(INDEX, VOCABULARY, limit=12)
    asked = [refuse(0, tokens[30:30 + done], int(tokens[30 + done, 0])) for done in range(14)]
    assert asked == [False] * 12 + [True] * 2
    other = next(token for token in range(SPECIALS, VOCABULARY.pitch.size) if not refuse(0, tokens[30:42], token))
    away = np.concatenate([tokens[30:42], np.full((1, 4), other), tokens[43:50]])
    assert not refuse(0, away, int(tokens[50, 0]))


def test_variations_do_not_disturb_each_other_and_may_begin_anew():
    tokens = tokens_of(TRAINING[3])
    refuse = veto(INDEX, VOCABULARY, limit=8)
    asked = [(variation, done) for done in (3, 8, 20, 8, 3) for variation in (0, 1)]
    continuations = tokens_of(HELD_OUT[0]), tokens[30:]
    answers = {(variation, done): refuse(variation, continuations[variation][:done],
                                         int(continuations[variation][done, 0])) for variation, done in asked}
    assert answers == {(0, 3): False, (0, 8): False, (0, 20): False, (1, 3): False, (1, 8): True, (1, 20): True}


def test_a_limit_below_what_the_index_sees_is_refused():
    with pytest.raises(InputError, match="novelty of 6 events; wanted 7 or more"):
        veto(INDEX, VOCABULARY, 6)


# --- on disk ----------------------------------------------------------------------------------------------------------

@given(st.lists(st.sampled_from(SONGS), max_size=3), st.integers(1, 9))
def test_what_was_written_is_read(tmp_path_factory, songs, events):
    path = tmp_path_factory.getbasetemp() / "novelty.index"
    index = build([song["pitch"] for song in songs], events)
    write(path, index)
    again = read(path)
    assert (again.events, again.songs, again.size) == (index.events, index.songs, index.size)
    assert again.places.tolist() == index.places.tolist()


def test_a_gram_takes_little_more_than_it_must(tmp_path):
    write(tmp_path / "novelty.index", INDEX)
    least = len(INDEX.places) * (np.log2(FALSE) + 1.44) / 8
    assert (tmp_path / "novelty.index").stat().st_size < 1.1 * least + 400


def test_the_hash_is_the_same_everywhere_and_for_ever(tmp_path):
    """An index written today must serve tomorrow's program."""
    index = build([chords("c4 d4 e4 c4")], events=3)
    assert (index.size, index.places.tolist()) == (2 * FALSE, [1473, 1759])


BROKEN = {
    "missing": (lambda data: None, "is missing"),
    "empty": (lambda data: b"", "is not a complete index"),
    "of another format": (lambda data: data.replace(b"novelty 1", b"novelty 2"), "does not begin with the format"),
    "a list": (lambda data: b"[]\n", "does not begin with the format"),
    "cut off": (lambda data: data[:-20], "is not a complete index"),
    "damaged": (lambda data: data[:-20] + bytes(20), "is not a complete index"),
    "with a count that is none": (lambda data: re.sub(rb'"songs": \d+', b'"songs": -1', data), "its head does not"),
    "with a vast count": (lambda data: re.sub(rb'"grams": \d+', b'"grams": 99999999999', data), "its head does not"),
    "with another count": (lambda data: re.sub(rb'"grams": \d+', b'"grams": 9', data), "does not hold the 9 grams"),
    "with too few places": (lambda data: re.sub(rb'"size": \d+', b'"size": 99999', data), "more places than it"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_index_gets_one_clear_line(spoil, message, tmp_path):
    path = tmp_path / "novelty.index"
    write(path, INDEX)
    data = spoil(path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
