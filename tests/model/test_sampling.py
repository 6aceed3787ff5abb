"""Logits -> token."""

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.model.sampling import Sampling, sample
from serenity.tokens.vocabulary import SPECIALS

LOGITS = np.array([9.0, 9.0, 9.0, 1.0, 3.0, 2.0, -1.0])  # the three specials, then four values


def draws(sampling, count=4000):
    rng = np.random.default_rng(0)
    return np.bincount([sample(LOGITS, sampling, rng) for _ in range(count)], minlength=len(LOGITS)) / count


def test_top_1_takes_the_likeliest_value_whatever_the_temperature():
    assert sample(LOGITS, Sampling(), np.random.default_rng(0)) == 4
    assert sample(LOGITS, Sampling(temperature=50), np.random.default_rng(0)) == 4


def test_special_tokens_are_never_drawn():
    assert draws(Sampling(temperature=5, top_k=100))[:SPECIALS].sum() == 0


def test_top_k_draws_among_k_by_their_likelihood():
    share = draws(Sampling(top_k=2))
    assert share[[3, 6]].sum() == 0
    assert share[4] == pytest.approx(np.exp(3) / (np.exp(3) + np.exp(2)), abs=0.03)


def test_temperature_divides_the_logits():
    share = draws(Sampling(temperature=2.0, top_k=4))
    wanted = np.exp(LOGITS[SPECIALS:] / 2)
    np.testing.assert_allclose(share[SPECIALS:], wanted / wanted.sum(), atol=0.03)


def test_the_same_generator_draws_the_same():
    sampling = Sampling(top_k=4)
    first, second = ([sample(LOGITS, sampling, rng) for _ in range(20)]
                     for rng in (np.random.default_rng(3), np.random.default_rng(3)))
    assert first == second


@pytest.mark.parametrize("values", [{"temperature": 0.0}, {"temperature": -1.0}, {"temperature": float("nan")},
                                    {"top_k": 0}])
def test_values_that_cannot_be_are_refused(values):
    with pytest.raises(InputError, match="wanted"):
        Sampling(**values)
