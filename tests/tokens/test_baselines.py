"""What counting alone predicts: probabilities that sum to one, and sources whose entropy is known."""

import numpy as np
import pytest

from serenity.tokens import corpus as corpora
from serenity.tokens.baselines import LAG, MARKOV, all_bits, copy_bits, markov_bits, unigram_bits
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, count_values
from tests.songs import abc_songs

VALUES = 4
CHAINS = list(MARKOV.values())


def song(values):
    """Return a song's tokens, (events, 4), with the same values in each column."""
    return np.repeat(np.asarray(values, int)[:, None] + SPECIALS, 4, axis=1).astype(np.uint16)


def source(rng, events, doubt=0.1):
    """Return a song of a first-order source: value + 1, or by chance any; its entropy rate is entropy(doubt)."""
    values = [0]
    for chance in rng.random(events - 1):
        values.append(int(rng.integers(VALUES)) if chance < doubt else (values[-1] + 1) % VALUES)
    return song(values)


def entropy(doubt):
    shares = np.array([1 - doubt + doubt / VALUES] + [doubt / VALUES] * (VALUES - 1))
    return -(shares * np.log2(shares)).sum()


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("before", [[0], [0, 1], [3, 3], [3, 2]])  # contexts that were seen, and that were not
def test_the_probabilities_of_all_values_sum_to_one(rng, chain, before):
    training = [song(rng.integers(3, size=30)) for _ in range(3)]
    begun, all_next = song(before), [song([*before, value]) for value in range(VALUES)]
    bits = markov_bits(training, [begun, *all_next], "velocity", VALUES, chain)
    assert np.exp2(bits[0] - bits[1:]).sum() == pytest.approx(1)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_end_is_one_more_decision_of_the_step(rng, chain):
    training = [song(rng.integers(3, size=30)) for _ in range(3)]
    begun = song([0, 1])
    after = [song([0, 1, value]) for value in range(VALUES)]
    velocity = markov_bits(training, [begun, *after], "velocity", VALUES, chain)
    step = markov_bits(training, [begun, *after], "step", VALUES, chain)
    assert (step > velocity).all()
    one = markov_bits(training, [song([])], "step", VALUES, ())  # nothing but an end: 3 of 93 decisions, plus one of 5
    assert one[0] == pytest.approx(-np.log2((3 + 1) / (93 + VALUES + 1)))


def test_the_unigram_counts_every_value_once_more_than_it_was_seen():
    training = [song([0, 0, 0, 1])]
    bits = markov_bits(training, [song([0]), song([1]), song([2])], "pitch", VALUES, ())
    assert np.exp2(-bits) == pytest.approx([4 / 8, 2 / 8, 1 / 8])


def test_witten_and_bell_leave_to_the_shorter_context_what_its_different_values_say():
    training = [song([0, 1, 0, 2, 0, 1])]  # after 0: 1 twice, 2 once; so 2 / (3 + 2) for the unigram
    unigram = (2 + 1) / (6 + VALUES)       # of value 1
    first = (3 + 1) / (6 + VALUES)         # of value 0; after START: 0 once
    bits = markov_bits(training, [song([0, 1])], "pitch", VALUES, (("past 1",),))
    assert np.exp2(-bits[0]) == pytest.approx((1 + 1 * first) / (1 + 1) * (2 + 2 * unigram) / (3 + 2))


def test_a_first_order_source_is_learned_to_its_entropy_rate_and_the_second_order_adds_nothing(rng):
    training, held_out = [source(rng, 4000) for _ in range(5)], [source(rng, 4000)]
    none, first, second = (markov_bits(training, held_out, "pitch", VALUES, chain)[0] / 4000 for chain in CHAINS)
    assert none == pytest.approx(2, abs=0.01)
    assert first == pytest.approx(entropy(0.1), abs=0.03)
    assert second == pytest.approx(first, abs=0.01)


def test_what_hangs_on_two_values_back_needs_the_second_order(rng):
    values = [song(np.tile([0, 0, 1, 1], 100)), song(np.tile([0, 0, 1, 1], 10))]
    first, second = (markov_bits(values[:1], values[1:], "pitch", VALUES, chain)[0] for chain in CHAINS[1:])
    assert second < 0.2 * first


def test_songs_that_repeat_are_copied_and_others_are_not(rng):
    def repeats(times):
        return song(np.tile(rng.integers(VALUES, size=LAG), times))
    training, held_out = [repeats(4), repeats(4)], [repeats(3)]
    copied = copy_bits(training, held_out, "pitch", VALUES)[0]
    plain = markov_bits(training, held_out, "pitch", VALUES, ())[0]
    assert copied == pytest.approx(plain / 3, rel=0.05)  # the first third is new
    noise = [song(rng.integers(VALUES, size=3 * LAG)) for _ in range(9)]
    alone = markov_bits(noise[1:], noise[:1], "pitch", VALUES, ())[0]
    assert copy_bits(noise[1:], noise[:1], "pitch", VALUES)[0] == pytest.approx(alone, rel=0.05)


def test_all_of_a_store():
    songs = [(corpora.Entry(name, name), one.events) for name, one in abc_songs(5, bars=12)]
    vocabulary = count_values(events for _, events in songs)
    corpus = corpora.in_memory(songs, vocabulary, abc_songs(1)[0][1].settings)
    judged = corpus.of_split("validation") or corpus.of_split("train")
    found = all_bits(corpus, judged)
    assert set(found) == {*MARKOV, "copy of the prompt"}
    for attribute in ATTRIBUTES:
        bits = {name: by[attribute] for name, by in found.items()}
        assert all(of.shape == (len(judged),) and np.isfinite(of).all() and (of > 0).all() for of in bits.values())
        total = sum(map(len, judged))
        assert unigram_bits(corpus, attribute, judged) == pytest.approx(bits["unigram"].sum() / total)
