"""How near a prompt is to the songs that a model learned from: the bits that its last events take.

A prompt that the model would not expect is no fault, but its continuation soon has little to do with it; so whoever
asks for one is told. Measured on the model that ships, over JUDGED events after as many as MOST_READ lets in: 133
validation songs of its four sets, which it never learned from, take LIMIT bits an event at most. Their events in
another order take more in 9 cases of 10, and so do three of four performances of Bach, Chopin and Schubert.
"""

import numpy as np

from serenity.model.checkpoint import Checkpoint
from serenity.model.designs import make_decoder
from serenity.model.generation import surprise, told_bars_left
from serenity.tokens.vocabulary import ATTRIBUTES

JUDGED, FEWEST = 64, 32  # events at the prompt's end that are judged; fewer than these tell nothing
MOST_READ = 193          # events of the prompt
LIMIT = 14.0             # bits an event of all four attributes together


def prompt_bits(model: Checkpoint, prompt: np.ndarray) -> float | None:
    """Return the bits an event of a prompt's (length, columns) last events, each by those before it; None where they
    are too few to tell.
    """
    prompt = told_bars_left(prompt[-MOST_READ:], np.empty(0), None)  # as continuations are
    count = min(JUDGED, len(prompt) - 1)
    if count < FEWEST:
        return None
    bits = [_bits(model, attribute, prompt, count) for attribute in ATTRIBUTES]
    return float(np.mean(np.sum(bits, axis=0)))


def _bits(model: Checkpoint, attribute: str, prompt: np.ndarray, count: int) -> list[float]:
    decoder = make_decoder(model.settings, attribute, model.weights[attribute], model.vocabulary)
    tokens = prompt[-count:, ATTRIBUTES.index(attribute)].tolist()
    return [surprise(logits, token) for logits, token in zip(decoder.judge(prompt, count), tokens)]
