"""What counting alone predicts: probabilities that sum to one, and sources whose entropy is known."""

import numpy as np
import pytest

from benchmarks.counting import LAG, all_bits, chains, copy_bits, discounts, markov_bits
from serenity.music.codec import bar_places
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES, MOST_VALUES, SPECIALS, count_values
from tests.songs import abc_songs

VALUES = 4
ORDERS = (0, 1, 2)  # values of the attribute's own past


def chain(attribute, order):
    return tuple((attribute, back) for back in range(1, order + 1))


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


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("before", [[0], [0, 1], [3, 3], [3, 2]])  # contexts that were seen, and that were not
def test_the_probabilities_of_all_values_sum_to_one(rng, order, before):
    training = [song(rng.integers(3, size=30)) for _ in range(3)]
    begun, all_next = song(before), [song([*before, value]) for value in range(VALUES)]
    bits = markov_bits(training, [begun, *all_next], "velocity", VALUES, chain("velocity", order))
    assert np.exp2(bits[0] - bits[1:]).sum() == pytest.approx(1)


@pytest.mark.parametrize("order", ORDERS)
def test_the_largest_dictionary_is_counted_as_the_smallest(rng, order):
    """What values are called is no matter: neither to the counts nor to their contexts."""
    training, judged = [source(rng, 300)], [source(rng, 50)]
    names = np.array([0, 1, 2, MOST_VALUES - 1])  # a power of two lies between the first and the last
    renamed = [[song(names[some[:, 0] - SPECIALS]) for some in songs] for songs in (training, judged)]
    for attribute in ("pitch", "step"):
        columns = chain(attribute, order)
        np.testing.assert_allclose(markov_bits(*renamed, attribute, MOST_VALUES, columns),
                                   markov_bits(training, judged, attribute, MOST_VALUES, columns))


@pytest.mark.parametrize("order", ORDERS)
def test_the_end_is_one_more_decision_of_the_step(rng, order):
    training = [song(rng.integers(3, size=30)) for _ in range(3)]
    begun = song([0, 1])
    after = [song([0, 1, value]) for value in range(VALUES)]
    velocity = markov_bits(training, [begun, *after], "velocity", VALUES, chain("velocity", order))
    step = markov_bits(training, [begun, *after], "step", VALUES, chain("step", order))
    assert (step > velocity).all()
    one = markov_bits(training, [song([])], "step", VALUES, ())  # nothing but an end: 3 of 93 decisions
    assert one[0] == pytest.approx(-np.log2(3 / 93), abs=0.5)


def test_a_worked_example():
    """Of 0 1 0 2 0 1, by first-order contexts. So few counts are less by 0.5 for one, 0.75 for two, 1 for more."""
    training = [song([0, 1, 0, 2, 0, 1])]
    even = 1 / VALUES
    # Pairs: START 0 once, 0 1 twice, 0 2 once, 1 0 once, 2 0 once. So 0 was met in 3 contexts, 1 in one, 2 in one.
    left = (1 + 0.5 + 0.5) / 5
    zero, one = (3 - 1) / 5 + left * even, (1 - 0.5) / 5 + left * even
    after_start, after_zero = (1 - 0.5 + 0.5 * zero) / 1, (2 - 0.75 + (0.75 + 0.5) * one) / 3
    bits = markov_bits(training, [song([0, 1])], "pitch", VALUES, (("pitch", 1),))
    assert np.exp2(-bits[0]) == pytest.approx(after_start * after_zero)


def test_discounts_follow_the_numbers_of_counts():
    times = np.repeat([1, 2, 3, 4, 9], [40, 20, 10, 5, 3])
    assert discounts(times) == pytest.approx([0, 1 - 2 * 0.5 * 20 / 40, 2 - 3 * 0.5 * 10 / 20, 3 - 4 * 0.5 * 5 / 10])


def test_other_attributes_may_be_what_a_value_follows_from(rng):
    """The velocity follows the pitch of the same event; the pitch's own past says nothing."""
    songs = [song(rng.integers(VALUES, size=400)) for _ in range(4)]
    for one in songs:
        one[:, ATTRIBUTES.index("velocity")] = (one[:, ATTRIBUTES.index("pitch")] - SPECIALS + 1) % VALUES + SPECIALS
    told, untold = (markov_bits(songs[1:], songs[:1], "velocity", VALUES, columns)[0] / 400
                    for columns in ((("pitch", 0),), (("pitch", 1), ("velocity", 1))))
    assert told < 0.1 and untold > 1.9


def test_a_first_order_source_is_learned_to_its_entropy_rate_and_the_second_order_adds_nothing(rng):
    training, held_out = [source(rng, 4000) for _ in range(5)], [source(rng, 4000)]
    none, first, second = (markov_bits(training, held_out, "pitch", VALUES, chain("pitch", order))[0] / 4000
                           for order in ORDERS)
    assert none == pytest.approx(2, abs=0.01)
    assert first == pytest.approx(entropy(0.1), abs=0.03)
    assert second == pytest.approx(first, abs=0.01)


def test_what_hangs_on_two_values_back_needs_the_second_order(rng):
    values = [song(np.tile([0, 0, 1, 1], 100)), song(np.tile([0, 0, 1, 1], 10))]
    first, second = (markov_bits(values[:1], values[1:], "pitch", VALUES, chain("pitch", order))[0]
                     for order in ORDERS[1:])
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
    songs = [(corpora.Entry(name, name), one.events, bar_places(one.events, one.tempo_map, one.codec.grid))
             for name, one in abc_songs(5, bars=12)]
    vocabulary = count_values(events for _, events, _ in songs)
    corpus = corpora.in_memory(songs, vocabulary, abc_songs(1)[0][1].codec)
    judged = corpus.of_split("validation") or corpus.of_split("train")
    found = all_bits(corpus, judged)
    assert set(found) == {*chains("pitch"), "copy of the prompt"}
    for attribute in ATTRIBUTES:
        bits = {name: by[attribute] for name, by in found.items()}
        assert all(of.shape == (len(judged),) and np.isfinite(of).all() and (of > 0).all() for of in bits.values())
        mine = corpus.unigram_bits(attribute, judged) * sum(map(len, judged))  # another smoothing of the same counts
        assert mine == pytest.approx(bits["unigram"].sum(), rel=0.1)
