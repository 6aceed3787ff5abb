"""Logits -> token."""

from dataclasses import dataclass

import numpy as np

from serenity.errors import InputError
from serenity.tokens.vocabulary import SPECIALS


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen. The defaults always take the likeliest."""

    temperature: float = 1.0  # divides the logits: below 1 bolder likelihoods, above 1 flatter ones
    top_k: int = 1            # choose among so many of the likeliest

    def __post_init__(self):
        if not 0 < self.temperature <= 100:  # nan fails too
            raise InputError(f"temperature {self.temperature}, wanted above 0 and at most 100")
        if self.top_k < 1:
            raise InputError(f"top_k {self.top_k}, wanted 1 or more")


def sample(logits: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> int:
    """Return a token drawn from the top_k likeliest values by softmax(logits / temperature).

    `logits` is (tokens,). PAD, START and END are no values and are never drawn.
    """
    values = logits[SPECIALS:].astype(np.float64)
    k = min(sampling.top_k, len(values))
    if k == 1:
        return SPECIALS + int(values.argmax())
    likeliest = np.argpartition(-values, k - 1)[:k]
    likeliest = likeliest[np.lexsort((likeliest, -values[likeliest]))]  # one order, whatever argpartition's
    scaled = (values[likeliest] - values[likeliest[0]]) / sampling.temperature
    weights = np.exp(scaled)
    return SPECIALS + int(rng.choice(likeliest, p=weights / weights.sum()))
