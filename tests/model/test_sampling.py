"""Logits -> token: each setting's effect on the shares of what is drawn, and what the guard holds back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.model.generation import FORBIDDEN, GREEDY, Guard, sample
from serenity.settings import Sampling

LOGITS = np.log(np.array([0, 1, 8, 4, 2], np.float32), where=[False, True, True, True, True],
                out=np.full(5, FORBIDDEN, np.float32))  # the first is forbidden; the others have shares of 15


def shares(sampling, count=4000):
    rng = np.random.default_rng(0)
    return np.bincount([sample(LOGITS, sampling, rng) for _ in range(count)], minlength=len(LOGITS)) / count


@pytest.mark.parametrize(("sampling", "wanted"), [
    (GREEDY, [0, 0, 1, 0, 0]),
    (Sampling(temperature=50, top_k=1), [0, 0, 1, 0, 0]),
    (Sampling(temperature=0), [0, 0, 1, 0, 0]),
    (Sampling(temperature=5e-324), [0, 0, 1, 0, 0]),  # the smallest number above 0
    (Sampling(), np.array([0, 1, 8, 4, 2]) / 15),
    (Sampling(top_k=100), np.array([0, 1, 8, 4, 2]) / 15),
    (Sampling(top_k=2), np.array([0, 0, 8, 4, 0]) / 12),
    (Sampling(temperature=0.5), np.array([0, 1, 64, 16, 4]) / 85),
    (Sampling(top_p=0.5), [0, 0, 1, 0, 0]),
    (Sampling(top_p=0.6), np.array([0, 0, 8, 4, 0]) / 12),
    (Sampling(top_k=2, top_p=0.6), [0, 0, 1, 0, 0]),  # of what top-k has left, 8 of 12 are the likeliest alone
    (Sampling(min_p=0.2), np.array([0, 0, 8, 4, 2]) / 14),
    (Sampling(temperature=0.5, min_p=0.2), np.array([0, 0, 64, 16, 0]) / 80),
    (Sampling(min_p=1), [0, 0, 1, 0, 0]),
], ids=str)
def test_what_is_drawn_and_how_often(sampling, wanted):
    np.testing.assert_allclose(shares(sampling), wanted, atol=0.03)
    assert (shares(sampling, 500)[np.asarray(wanted) == 0] == 0).all()


def test_the_same_generator_draws_the_same():
    first, second = ([sample(LOGITS, Sampling(top_k=4), rng) for _ in range(20)]
                     for rng in (np.random.default_rng(3), np.random.default_rng(3)))
    assert first == second


def test_of_equally_likely_tokens_the_first_ones_are_the_top():
    rng = np.random.default_rng(0)
    assert {sample(np.zeros(50, np.float32), Sampling(top_k=3), rng) for _ in range(100)} == {0, 1, 2}


@given(st.lists(st.floats(-300, 300, width=32) | st.just(FORBIDDEN), min_size=1).filter(lambda x: max(x) > FORBIDDEN),
       st.floats(0, 100), st.integers(0, 30), st.floats(0.001, 1), st.floats(0, 1), st.integers(0, 9))
def test_what_is_drawn_is_allowed(logits, temperature, top_k, top_p, min_p, seed):
    logits = np.array(logits, np.float32)
    token = sample(logits, Sampling(temperature, top_k, top_p, min_p), np.random.default_rng(seed))
    assert logits[token] > FORBIDDEN
    if top_k:
        assert (logits > logits[token]).sum() < top_k


@pytest.mark.parametrize("values", [{"temperature": 101.0}, {"temperature": -1.0}, {"temperature": float("nan")},
                                    {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.1}, {"top_p": float("nan")},
                                    {"min_p": -0.1}, {"min_p": 1.1}, {"min_p": float("nan")}])
def test_values_that_cannot_be_are_refused(values):
    with pytest.raises(InputError, match="wanted"):
        Sampling(**values)


# --- the guard --------------------------------------------------------------------------------------------------------

def held(past, **settings):
    """Return what the guard holds back after these chords, as {token: bits}."""
    bits = Guard(**{"strength": 1, **settings}).bits(np.array(past, np.int32), 10)
    return {token: amount for token, amount in enumerate(bits.tolist()) if amount}


def test_a_chord_is_free_up_to_its_limit_and_then_costs_more_each_time():
    others = [5, 6, 7, 8, 9]
    assert held([3, *others, 3, *others], chord_limit=2) == {}
    assert held([3, *others, 3, *others[::-1], 3], chord_limit=2) == {3: 1}
    assert held([3, 3, *others, 3, *others[::-1], 3], chord_limit=2, strength=0.5) == {3: 1}


def test_a_figure_costs_the_chord_that_would_bring_it_again():
    bar = [3, 4, 5, 6]
    assert held([*bar, *bar[:3]]) == {}  # it stood once; once more is free
    assert held([*bar, *bar, *bar[:3]]) == {6: 1}
    assert held([*bar, *bar, *bar, *bar[:3]], strength=2) == {6: 4}
    assert held([*bar, *bar, *bar, *bar[:2]]) == {5: 1}  # 6 3 4 5 stood twice only
    assert held([*bar, *bar, *bar, 3, 4, 7]) == {}  # another turn is free


def test_what_lies_beyond_the_memory_is_forgotten():
    assert held([3] * 20 + [4, 5, 6, 7, 8, 9] * 3, memory=6, chord_limit=1, figure_limit=9) == {}
    assert held([3, 4, 5, 6, 3, 4, 5, 6, 9, 8, 9, 7, 3, 4, 5], figure_limit=0) == {6: 2}
    assert held([3, 4, 5, 6, 3, 4, 5, 6, 9, 8, 9, 7, 3, 4, 5], figure_limit=0, memory=8) == {6: 1}


@given(st.lists(st.integers(3, 5), max_size=100))
def test_the_guard_never_helps_and_counts_what_a_person_would(past):
    guard = Guard(memory=20, chord_limit=4, figure=3, figure_limit=1, strength=1.5)
    for token, bits in enumerate(guard.bits(np.array(past, np.int32), 6)):
        new = [*past, token]
        ends = range(max(0, len(past) - 20), len(past))  # where a chord or figure may have ended before
        chords = sum(past[end] == token for end in ends)
        figures = sum(end >= 2 and past[end - 2:end + 1] == new[-3:] for end in ends)
        assert bits == 1.5 * (max(0, chords - 4) + max(0, figures - 1))


@pytest.mark.parametrize("values", [{"memory": 0}, {"chord_limit": -1}, {"figure": 1}, {"figure_limit": -1},
                                    {"strength": 0.0}, {"strength": float("nan")}])
def test_a_guard_that_cannot_be_is_refused(values):
    with pytest.raises(InputError, match="wanted"):
        Guard(**values)
