"""Logits -> token: how a token is drawn by chance, and how chords that came too often become less likely."""

from dataclasses import dataclass

import numpy as np

from serenity.errors import InputError
from serenity.model.settings import Sampling

FORBIDDEN = -np.inf  # the logit of a token that is never drawn
COLDEST = 1e30       # the most that logits are multiplied by


GREEDY = Sampling(top_k=1)


def sample(logits: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> int:
    """Return a token drawn by softmax(logits / temperature) from those that `sampling` leaves.

    `logits` is (tokens,). A token whose logit is FORBIDDEN is never drawn; at least one logit must be another. Of
    equally likely tokens the lower one, which is the commoner one, comes first.
    """
    if sampling.is_greedy:
        return int(logits.argmax())
    # A temperature near 0 leaves all but the likeliest no weight at all.
    weights = np.exp((logits - logits.max()) * np.float32(min(1 / sampling.temperature, COLDEST)))
    if sampling.top_k or sampling.top_p < 1:
        likeliest = _likeliest(logits, sampling.top_k or len(logits))
        held = np.cumsum(weights[likeliest], dtype=np.float64)
        before = held - weights[likeliest]  # of a token: how much the likelier ones hold
        kept = likeliest[before < sampling.top_p * held[-1]]
        weights, others = np.zeros_like(weights), weights
        weights[kept] = others[kept]
    if sampling.min_p:
        weights[weights < sampling.min_p] = 0
    heights = np.cumsum(weights, dtype=np.float64)
    # A token without weight is as high as the one before it, so it is not found, except when a product is rounded up
    # to the top.
    drawn = np.searchsorted(heights, rng.random() * heights[-1], side="right")
    return int(drawn) if drawn < len(weights) else int(np.flatnonzero(weights)[-1])


def _likeliest(logits: np.ndarray, number: int) -> np.ndarray:
    """Return at most `number` tokens, the likeliest first."""
    # A partition is quicker than a sort of thousands; tokens as likely as the last one are kept until the sort.
    lowest = np.partition(logits, -number)[-number] if number < len(logits) else FORBIDDEN
    tokens = np.flatnonzero(logits >= lowest)
    return tokens[np.argsort(-logits[tokens], kind="stable")][:number]


@dataclass(frozen=True)
class Guard:
    """Makes chords and figures less likely that came too often lately. A figure is a run of chords, about half a bar.

    Each time beyond the limit makes a chord less likely by `strength` bits. So a loop does not stop at once, but it
    soon costs more than anything else, and a chord that has not come for a while is free again. 98 of 100 events of
    real songs keep within these limits (docs/history.md).
    """

    memory: int = 64       # the last events that are counted
    chord_limit: int = 12  # times that a chord may come among these for free
    figure: int = 4        # events
    figure_limit: int = 1  # times that a figure may come among these for free
    strength: float = 2.0  # bits for each time beyond a limit

    def __post_init__(self):
        for name, lowest in (("memory", 1), ("chord_limit", 0), ("figure", 2), ("figure_limit", 0)):
            if getattr(self, name) < lowest:
                raise InputError(f"{name} {getattr(self, name)}, wanted {lowest} or more")
        if not 0 < self.strength <= 100:
            raise InputError(f"strength {self.strength}, wanted above 0 and at most 100")

    def bits(self, past: np.ndarray, tokens: int) -> np.ndarray:
        """Return by how many bits each of so many pitch tokens is held back after the past (events,): (tokens,)."""
        past = past[-(self.memory + self.figure - 1):]
        recent = past[-self.memory:]
        excess = _excess(recent, self.chord_limit, tokens)
        if len(past) >= self.figure:  # which chords have followed the last chords before?
            begun = np.lib.stride_tricks.sliding_window_view(past, self.figure - 1)
            again = (begun[:-1] == past[1 - self.figure:]).all(axis=1)
            excess += _excess(past[self.figure - 1:][again], self.figure_limit, tokens)
        return self.strength * excess


def _excess(values: np.ndarray, limit: int, tokens: int) -> np.ndarray:
    """Return how many times beyond the limit each token stands in values: (tokens,)."""
    return np.maximum(np.bincount(values, minlength=tokens) - limit, 0)
