"""What a network is worth on songs: each event counted once, song by song."""

import numpy as np
import pytest

from serenity.settings import ModelSettings, NetworkSettings, WindowSettings
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, count_values
from tests.songs import abc_songs

WINDOW = WindowSettings(16, 24)
TINY = NetworkSettings(8, 1, 2, 16)
TOPS = (1, 5)


@pytest.fixture(scope="module")
def corpus():
    songs = [(corpora.Entry(name, name), song.events, np.ones((len(song.events), 3), np.uint16))
             for name, song in abc_songs(3, bars=6)]
    vocabulary = count_values(events for _, events, _ in songs)
    return corpora.in_memory(songs, vocabulary, abc_songs(1)[0][1].codec)


@pytest.fixture
def songs(corpus):
    return [corpus.tokens[song["start"]:song["start"] + song["events"]] for song in corpus.songs]


@pytest.fixture
def network(corpus, eagerly):
    """Return a function that makes an attribute's network: of random weights, or of weights of 0."""
    import keras

    from serenity.model.transformer import Transformer

    def make(attribute, empty=False):
        keras.utils.set_random_seed(0)
        made = Transformer(model_settings(corpus), attribute, corpus.vocabulary)
        if empty:
            made.set_weights([np.zeros_like(values) for values in made.get_weights()])
        return made
    return make


def model_settings(corpus):
    return ModelSettings(dict.fromkeys(ATTRIBUTES, TINY), corpus.vocabulary.sizes, WINDOW, corpus.codec)


def judge(network, attribute, corpus, songs, batch=3):
    from serenity.model.evaluation import judge

    return judge(network(attribute), attribute, model_settings(corpus), songs, batch, TOPS)


def test_songs_are_judged_as_each_alone(network, corpus, songs):
    together = judge(network, "step", corpus, songs)
    for number, song in enumerate(songs):
        alone = judge(network, "step", corpus, [song])
        assert together.bits[number] == pytest.approx(alone.bits[0], rel=1e-5)
        np.testing.assert_array_equal(together.hits[:, number], alone.hits[:, 0])


@pytest.mark.parametrize(("attribute", "ends"), [("step", 1), ("pitch", 0)])
def test_a_network_that_knows_nothing_pays_for_every_decision_alike(network, corpus, songs, attribute, ends):
    from serenity.model import evaluation

    judged = evaluation.judge(network(attribute, empty=True), attribute, model_settings(corpus), songs, 3, TOPS)
    lengths = np.array([len(song) for song in songs])
    np.testing.assert_array_equal(judged.events, lengths)
    np.testing.assert_array_equal(judged.decisions, lengths + ends)
    np.testing.assert_allclose(judged.bits, np.log2(corpus.vocabulary[attribute].size) * (lengths + ends), rtol=1e-6)
    column = ATTRIBUTES.index(attribute)
    among_five = [(song[:, column] < 5).sum() + ends for song in songs]  # the end is token 2, and all are alike
    np.testing.assert_array_equal(judged.hits, [np.zeros(len(songs)), among_five])
    assert SPECIALS < 5


def test_bits_per_event_are_those_of_all_songs_over_all_events(network, corpus, songs):
    from serenity.model.evaluation import evaluate

    judged = judge(network, "step", corpus, songs)
    figures = evaluate(network("step"), "step", model_settings(corpus), songs, 3)
    assert figures["bits"] == pytest.approx(judged.bits.sum() / sum(map(len, songs)), rel=1e-6)
    assert figures["accuracy"] == judged.hits[0].sum() / (sum(map(len, songs)) + len(songs))


def test_of_equally_likely_tokens_the_lower_one_comes_first():
    from serenity.model.evaluation import ranks

    logits = np.array([[1.0, 3.0, 3.0, 2.0]])
    assert [int(ranks(logits, np.array([target]))[0]) for target in range(4)] == [3, 0, 1, 2]
