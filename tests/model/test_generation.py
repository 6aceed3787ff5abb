"""The decode loop, on a scripted model: length, order of decisions, chance, and every rule's effect."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.model import checkpoint, generation
from serenity.model.generation import GREEDY, Guard, Rules, complete
from serenity.settings import Sampling
from serenity.tokens.vocabulary import ATTRIBUTES, COLUMNS, DECISION_ORDER, END, LEFT, PLACE, SPECIALS, START
from tests.model.memory import memory_bytes

VALUES = 6  # of each attribute


class Script:
    """Stands in for a decoder: the next value is one more than the past's, and every call is noted."""

    calls, read = [], []
    end_after = None  # events after which the network that decides first wants to end

    def __init__(self, settings, attribute, weights, vocabulary):
        self.attribute, self.column = attribute, ATTRIBUTES.index(attribute)

    def start(self, prompt, variations):
        self.position = 0
        Script.read.append(len(prompt))

    def step(self, past, present):
        Script.calls.append((self.attribute, past.copy(), present.copy()))
        logits = np.zeros((len(past), SPECIALS + VALUES), np.float32)
        for row, value in zip(logits, past[:, self.column]):
            row[SPECIALS + (value + 1 - SPECIALS) % VALUES] = 3.0
        if self.position == Script.end_after:
            logits[:, END] = 9.0
        self.position += 1
        return logits


@pytest.fixture
def scripted(monkeypatch):
    Script.calls, Script.read, Script.end_after = [], [], None
    monkeypatch.setattr(generation, "make_decoder", Script)
    settings = SimpleNamespace(vocabulary_sizes=dict.fromkeys(ATTRIBUTES, SPECIALS + VALUES))
    steps = SimpleNamespace(values=np.array([6, 0, 12, 18, 24, 30]))  # grid points of the tokens 3 to 8
    return SimpleNamespace(settings=settings, weights=dict.fromkeys(ATTRIBUTES), vocabulary={"step": steps})


PROMPT = np.array([[START] * 4 + [0, 0, 0], [3, 4, 5, 6, 0, 0, 0]], np.int32)  # in bars that are not known
CHANCE = Sampling(temperature=3.0, top_k=0)
PITCH = ATTRIBUTES.index("pitch")


def one(model, events, sampling=None, **rules):
    (continuation,) = complete(model, PROMPT, events, sampling or GREEDY, seed=0, rules=Rules(**rules))
    assert continuation.tokens.shape == (len(continuation.tokens), len(COLUMNS))
    assert continuation.bits.shape == (len(continuation.tokens), len(ATTRIBUTES))
    return continuation


def test_the_four_streams_follow_the_prompt_and_have_one_length(scripted):
    tokens = one(scripted, 7).tokens
    assert len(tokens) == 7
    np.testing.assert_array_equal(tokens[:3, :PLACE], [[4, 5, 6, 7], [5, 6, 7, 8], [6, 7, 8, 3]])
    assert not tokens[:, PLACE:].any()


def test_each_attribute_sees_what_was_decided_before_it(scripted):
    one(scripted, 2)
    assert [attribute for attribute, _, _ in Script.calls[-8:]] == [*DECISION_ORDER] * 2
    _, past, present = Script.calls[-1]  # the velocity of the second event
    np.testing.assert_array_equal(past[0, :PLACE], [4, 5, 6, 7])
    np.testing.assert_array_equal(present[0, :PLACE], [5, 6, 7, 0])


def test_each_decoder_reads_the_whole_prompt_and_goes_on_from_its_last_event(scripted):
    rows = np.pad(np.arange(40 * 4).reshape(40, 4) % VALUES + SPECIALS, ((0, 0), (0, 3)))
    prompt = np.concatenate([PROMPT[:1], rows]).astype(np.int32)
    complete(scripted, prompt, 1, GREEDY, seed=0, variations=2)
    assert [attribute for attribute, _, _ in Script.calls] == [*DECISION_ORDER]
    for _, past, _ in Script.calls:
        np.testing.assert_array_equal(past, prompt[[-1, -1]])
    assert Script.read == [41] * 4


def test_a_first_step_that_is_decided_is_taken_and_the_others_are_free(scripted):
    free, given = one(scripted, 3).tokens, one(scripted, 3, first_step=SPECIALS + 4).tokens
    step = ATTRIBUTES.index("step")
    assert given[0, step] == SPECIALS + 4 != free[0, step] and given[1, step] != SPECIALS + 4
    np.testing.assert_array_equal(np.delete(given[0], step), np.delete(free[0], step))


@pytest.mark.parametrize(("variations", "wanted"), [(1, [1, 2, 3]), (2, [2, 4, 6]), (33, [32, 64, 96, 97, 98, 99])])
def test_progress_is_told_after_each_step_how_many_events_of_all_variations_are_done(variations, wanted, scripted):
    told = []
    complete(scripted, PROMPT, 3, GREEDY, seed=0, variations=variations, progress=told.append)
    assert told == wanted


def test_bits_are_those_of_the_network_itself(scripted):
    """One logit of 3 among nine, the special ones included: whatever is drawn, that is what it was worth."""
    likely, unlikely = (-np.log2(np.exp(x) / (8 + np.exp(3))) for x in (3, 0))
    np.testing.assert_allclose(one(scripted, 3).bits, likely, rtol=1e-6)
    continuation = one(scripted, 30, CHANCE, guard=Guard(chord_limit=1), may_end=True)
    before = np.concatenate([PROMPT[-1:], continuation.tokens[:-1]])[:, :PLACE]
    expected = continuation.tokens[:, :PLACE] == SPECIALS + (before + 1 - SPECIALS) % VALUES
    np.testing.assert_allclose(continuation.bits, np.where(expected, likely, unlikely), rtol=1e-6)


# --- chance -----------------------------------------------------------------------------------------------------------

def test_a_seed_number_gives_one_song_and_another_one_another(scripted):
    first, again, other = (complete(scripted, PROMPT, 30, CHANCE, seed)[0].tokens for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_each_attribute_may_have_its_own_sampling(scripted):
    tokens = one(scripted, 20, {**dict.fromkeys(ATTRIBUTES, GREEDY), "duration": CHANCE}).tokens
    greedy = one(scripted, 20).tokens
    assert (tokens != greedy).any(axis=0)[:PLACE].tolist() == [False, False, True, False]
    with pytest.raises(InputError, match="sampling for pitch; wanted one for all, or for each of pitch, step"):
        one(scripted, 20, {"pitch": CHANCE})


@pytest.mark.parametrize("top_k", [1, 20])
def test_a_real_decoder_makes_variations_that_do_not_depend_on_how_many(model_folder, top_k):
    """Bit for bit, past the window of 32 and past what is made together."""
    model = checkpoint.load(model_folder)
    several = complete(model, PROMPT, 80, Sampling(top_k=top_k), seed=5, variations=generation.TOGETHER + 2)
    assert top_k == 1 or len({song.tokens.tobytes() for song in several}) == len(several)
    for count in (1, 3):
        for song, same in zip(complete(model, PROMPT, 80, Sampling(top_k=top_k), seed=5, variations=count), several):
            np.testing.assert_array_equal(song.tokens, same.tokens)
            np.testing.assert_array_equal(song.bits, same.bits)
    for column, attribute in enumerate(ATTRIBUTES):
        assert all((song.tokens[:, column] >= SPECIALS).all() for song in several)
        assert all((song.tokens[:, column] < model.settings.vocabulary_sizes[attribute]).all() for song in several)


# --- length -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("until", "events"), [
    (0, 0), (6, 0), (12, 0), (13, 1), (30, 1), (31, 2), (55, 3), (84, 3), (85, 4), (91, 6), (9999, 9)])
def test_a_song_ends_before_the_first_event_whose_grid_point_would_reach_the_end(scripted, until, events):
    """The steps are 12, 18, 24, 30, 6, 0 and so on: the onsets are 12, 30, 54, 84, 90, 90, 102 ..."""
    assert len(one(scripted, 9, until=until).tokens) == events


def test_a_variation_that_has_ended_goes_on_in_no_other(scripted):
    """By chance each comes to its end after another number of events; all keep to it."""
    songs = complete(scripted, PROMPT, 40, CHANCE, seed=1, variations=6, rules=Rules(until=240))
    onsets = [np.cumsum(scripted.vocabulary["step"].values[song.tokens[:, 1] - SPECIALS]) for song in songs]
    assert len({len(song.tokens) for song in songs}) > 2
    assert all(240 - 30 <= onset[-1] < 240 for onset in onsets)  # the longest step is 30


def test_the_end_is_one_decision(scripted):
    Script.end_after = 4
    assert len(one(scripted, 9).tokens) == 9  # unless it may, no network ends
    assert len(one(scripted, 9, may_end=True).tokens) == 4
    Script.end_after = 0
    assert len(one(scripted, 9, may_end=True).tokens) == 0


def test_variations_end_on_their_own(scripted):
    rules = Rules(may_end=True)
    songs = complete(scripted, PROMPT, 40, CHANCE, seed=1, variations=6, rules=rules)
    assert len({len(song.tokens) for song in songs}) > 2
    for variation, song in enumerate(complete(scripted, PROMPT, 40, CHANCE, seed=1, variations=3, rules=rules)):
        np.testing.assert_array_equal(song.tokens, songs[variation].tokens)


# --- bars ---

STEPS = [12, 18, 24, 30, 6, 0]  # grid points of the script's steps after PROMPT, again and again


def in_bars(place, bar, left=0):
    prompt = PROMPT.copy()
    prompt[-1, PLACE:] = place, bar, left
    return prompt


def test_the_events_made_go_on_in_the_bars_of_the_prompt(scripted):
    (song,) = complete(scripted, in_bars(40, 72), 12, GREEDY, seed=0)
    onset = 40 + np.cumsum(STEPS * 2)
    assert song.tokens[:, PLACE].tolist() == (onset % 72).tolist()
    assert (song.tokens[:, PLACE + 1] == 72).all() and not song.tokens[:, LEFT].any()


def test_each_network_sees_where_the_event_stands_once_its_step_is_decided(scripted):
    complete(scripted, in_bars(40, 72), 1, GREEDY, seed=0, variations=2)
    seen = {attribute: present for attribute, _, present in Script.calls[-4:]}
    assert not seen["step"].any()
    for attribute in ("pitch", "duration", "velocity"):
        assert seen[attribute][:, PLACE:].tolist() == [[52, 72, 0]] * 2
    assert all(past[:, PLACE:].tolist() == [[40, 72, 0]] * 2 for _, past, _ in Script.calls[-4:])


def test_a_song_that_closes_counts_its_bars_down_to_one(scripted):
    """Until the third bar line after the prompt: the end is 32 + 2 * 72 grid points away."""
    (song,) = complete(scripted, in_bars(40, 72), 99, GREEDY, seed=0,
                       rules=Rules(until=32 + 2 * 72, closes=True))
    bars = (40 + np.cumsum((STEPS * 9)[:len(song.tokens)])) // 72
    assert song.tokens[:, LEFT].tolist() == (3 - bars).tolist()
    assert song.tokens[-1, LEFT] == 1
    steps = [past for attribute, past, _ in Script.calls if attribute == "step"]
    assert steps[0][0, LEFT] == 3  # the prompt knows it too


def test_what_the_prompt_knows_of_its_own_end_is_not_told(scripted):
    """As in a store, where each event knows how far its song goes."""
    complete(scripted, in_bars(40, 72, left=9), 3, GREEDY, seed=0)
    assert not any(events[:, LEFT].any() for _, *pair in Script.calls for events in pair)


def test_in_bars_that_are_not_known_no_bar_is_left(scripted):
    song = one(scripted, 9, until=300, closes=True)
    assert not song.tokens[:, PLACE:].any()


def test_to_close_without_an_end_is_refused(scripted):
    with pytest.raises(ValueError, match="closes without until"):
        one(scripted, 9, closes=True)


def test_bars_left_in_the_prompt_are_counted_through_its_metres():
    """Two bars of 3/4, then 4/4: each event knows how many bars there are to the end."""
    points, onsets = np.array([0, 0, 0, 0, 24, 48, 72, 96, 144]), [0, 24, 72, 144, 240, 384]
    places, bars = [0, 24, 0, 0, 0, 48], [72, 72, 72, 96, 96, 96]
    steps = [3 + [0, 24, 48, 72, 96, 144].index(step) for step in np.diff(onsets, prepend=0)]
    prompt = np.zeros((7, len(COLUMNS)), np.int32)
    prompt[0, :PLACE] = START
    prompt[1:, ATTRIBUTES.index("step")], prompt[1:, PLACE], prompt[1:, PLACE + 1] = steps, places, bars
    told = generation.told_bars_left(prompt, points, until=48 + 96)  # the bar of the last event, and one more
    assert told[:, LEFT].tolist() == [0, 6, 6, 5, 4, 3, 2]
    assert (told[:, :LEFT] == prompt[:, :LEFT]).all() and not prompt[:, LEFT].any()
    assert generation.told_bars_left(prompt, points, until=49)[-1, LEFT] == 2
    assert generation.told_bars_left(prompt, points, until=48)[-1, LEFT] == 1
    assert not generation.told_bars_left(told, points, until=None)[:, LEFT].any()


# --- what may be drawn ------------------------------------------------------------------------------------------------

def test_only_what_is_allowed_is_drawn(scripted):
    allowed = np.arange(SPECIALS + VALUES) % 2 == 0  # of the values 4, 6 and 8
    tokens = one(scripted, 50, CHANCE, allowed={"pitch": allowed}).tokens
    assert set(tokens[:, PITCH].tolist()) == {4, 6, 8}
    assert set(tokens[:, 1].tolist()) == {*range(SPECIALS, SPECIALS + VALUES)}
    with pytest.raises(InputError, match="no pitch of the model's is allowed"):
        one(scripted, 1, allowed={"pitch": np.arange(SPECIALS + VALUES) < SPECIALS})


def test_the_guard_breaks_a_loop(scripted):
    """Greedy, the script goes round in six chords for ever; each figure of four stands once in six events."""
    assert len(np.unique(one(scripted, 60).tokens[:, PITCH].reshape(10, 6), axis=0)) == 1
    guarded = one(scripted, 60, guard=Guard()).tokens
    assert len(np.unique(guarded[:, PITCH].reshape(10, 6), axis=0)) > 3
    np.testing.assert_array_equal(guarded[:12], one(scripted, 12).tokens)  # twice round costs nothing
    np.testing.assert_array_equal(guarded[:, 1:], one(scripted, 60).tokens[:, 1:])  # it is pitch that is guarded


def test_the_guard_counts_the_prompt_too(scripted):
    chords = np.tile(np.arange(SPECIALS, SPECIALS + VALUES), 9)[:, None].repeat(4, axis=1)
    looped = np.concatenate([PROMPT[:1], np.pad(chords, ((0, 0), (0, 3)))])
    (guarded,) = complete(scripted, looped.astype(np.int32), 1, GREEDY, seed=0, rules=Rules(guard=Guard()))
    assert guarded.tokens[0, PITCH] != SPECIALS


def test_a_refused_pitch_is_drawn_again_without_it(scripted):
    seen = []

    def refuse(variation, so_far, token):
        seen.append((variation, len(so_far), token))
        return token in (5, 6)

    song = one(scripted, 3, refuse=refuse)
    assert song.tokens[:, PITCH].tolist() == [4, 3, 4]  # for 5 and 6 the likeliest that is left: of equals the first
    assert seen == [(0, 0, 4), (0, 1, 5), (0, 1, 3), (0, 2, 4)]
    assert song.forced == 0
    assert not {5, 6} & set(one(scripted, 50, CHANCE, refuse=refuse).tokens[:, PITCH].tolist())


def test_where_all_is_refused_the_likeliest_is_taken_and_counted(scripted):
    song = one(scripted, 5, CHANCE, refuse=lambda variation, so_far, token: len(so_far) in (1, 3))
    assert song.forced == 2
    before = song.tokens[[0, 2], PITCH]
    np.testing.assert_array_equal(song.tokens[[1, 3], PITCH], SPECIALS + (before + 1 - SPECIALS) % VALUES)


def test_what_is_given_is_taken_as_it_is_and_needs_no_network(scripted):
    pitches = np.array([7, 7, 3, 8], np.uint16)
    del scripted.weights["pitch"]
    song = one(scripted, 4, CHANCE, given={"pitch": pitches})
    np.testing.assert_array_equal(song.tokens[:, PITCH], pitches)
    assert (song.bits[:, PITCH] == 0).all() and (np.delete(song.bits, PITCH, axis=1) > 0).all()
    seen = {attribute: present for attribute, _, present in Script.calls[-3:]}
    assert seen["duration"][0, PITCH] == 8  # the others are decided by it


# --- memory -----------------------------------------------------------------------------------------------------------

def test_memory_does_not_grow_with_the_song(model_folder):
    model = checkpoint.load(model_folder)

    def peak(events):
        tracemalloc.start()
        complete(model, PROMPT, events, GREEDY, seed=0)
        return (tracemalloc.get_traced_memory()[1], tracemalloc.stop())[0]

    short, long = peak(40), peak(340)  # both past the window of 32
    assert long - short < 300 * 4 * (len(COLUMNS) + len(ATTRIBUTES)) + 4096  # tokens and bits
    weights = sum(values.nbytes for network in model.weights.values() for values in network.values())
    assert short < 2 * weights + memory_bytes(model.settings, 1) + 2 ** 17
