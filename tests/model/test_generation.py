"""The decode loop, on a scripted model: length, order of decisions, chance."""

from types import SimpleNamespace

import numpy as np
import pytest

from serenity.model import checkpoint, generation
from serenity.model.generation import complete
from serenity.model.sampling import Sampling
from serenity.tokens.vocabulary import ATTRIBUTES, DECISION_ORDER, SPECIALS, START

VALUES = 6  # of each attribute


class Script:
    """Stands in for Decoder: the next value is one more than the past's, and every call is noted."""

    calls = []

    def __init__(self, settings, attribute, weights):
        self.attribute, self.column = attribute, ATTRIBUTES.index(attribute)

    def start(self, prompt, events):
        self.room = events

    def step(self, past, present):
        Script.calls.append((self.attribute, past.copy(), present.copy()))
        logits = np.zeros((len(past), SPECIALS + VALUES))
        for row, value in zip(logits, past[:, self.column]):
            row[SPECIALS + (value + 1 - SPECIALS) % VALUES] = 3.0
        return logits


@pytest.fixture
def scripted(monkeypatch):
    Script.calls = []
    monkeypatch.setattr(generation, "Decoder", Script)
    settings = SimpleNamespace(window=SimpleNamespace(prompt=24))
    return SimpleNamespace(settings=settings, weights=dict.fromkeys(ATTRIBUTES))


PROMPT = np.array([[START] * 4, [3, 4, 5, 6]], np.int32)


def test_the_four_streams_follow_the_prompt_and_have_one_length(scripted):
    tokens = complete(scripted, PROMPT, 7, Sampling(), seed=0)
    assert tokens.shape == (1, 7, 4)
    np.testing.assert_array_equal(tokens[0, :3], [[4, 5, 6, 7], [5, 6, 7, 8], [6, 7, 8, 3]])


def test_each_attribute_sees_what_was_decided_before_it(scripted):
    complete(scripted, PROMPT, 2, Sampling(), seed=0)
    assert [attribute for attribute, _, _ in Script.calls[-8:]] == [*DECISION_ORDER] * 2
    _, past, present = Script.calls[-1]  # the velocity of the second event
    np.testing.assert_array_equal(past[0], [4, 5, 6, 7])
    np.testing.assert_array_equal(present[0], [5, 6, 7, 0])


def test_a_seed_number_gives_one_song_and_another_one_another(scripted):
    chance = Sampling(temperature=3.0, top_k=VALUES)
    first, again, other = (complete(scripted, PROMPT, 30, chance, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_variations_do_not_depend_on_how_many_are_made(scripted):
    chance = Sampling(temperature=3.0, top_k=VALUES)
    three = complete(scripted, PROMPT, 20, chance, seed=5, variations=3)
    one = complete(scripted, PROMPT, 20, chance, seed=5, variations=1)
    np.testing.assert_array_equal(three[:1], one)
    assert (three[0] != three[1]).any()


def test_a_real_decoder_makes_variations_that_do_not_depend_on_how_many(model_folder):
    model = checkpoint.load(model_folder)
    chance = Sampling(temperature=1.0, top_k=20)
    two = complete(model, PROMPT, 40, chance, seed=5, variations=2)  # runs past the window of 32
    one = complete(model, PROMPT, 40, chance, seed=5, variations=1)
    np.testing.assert_array_equal(two[:1], one)
    for column, attribute in enumerate(ATTRIBUTES):
        assert (two[..., column] >= SPECIALS).all()
        assert (two[..., column] < model.settings.vocabulary_sizes[attribute]).all()


def test_the_prompt_is_encoded_and_its_end_read_by_the_decoder(scripted):
    """Of START and 40 events, 24 and 16 are left: the decoder reads the 16 one after another, then goes on."""
    prompt = np.concatenate([PROMPT[:1], np.arange(40 * 4).reshape(40, 4) % VALUES + SPECIALS]).astype(np.int32)
    complete(scripted, prompt, 1, Sampling(), seed=0)
    steps = [(past[0].tolist(), present[0].tolist()) for attribute, past, present in Script.calls
             if attribute == "velocity"]
    assert steps[:-1] == list(zip(prompt[24:-1].tolist(), prompt[25:].tolist()))
    assert steps[-1][0] == prompt[-1].tolist()


def test_progress_is_told_each_event(scripted):
    told = []
    complete(scripted, PROMPT, 3, Sampling(), seed=0, progress=told.append)
    assert told == [1, 2, 3]
