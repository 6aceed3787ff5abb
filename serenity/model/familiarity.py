"""How near a prompt is to the songs that a model learned from: the bits that its last chords and their steps take.

A prompt that the model does not expect is not a fault, but the continuation soon has little to do with it. So the user
is told. This was measured with the model that ships, on 174 prompts (40 events, 193, and all) from 58 validation songs
of its four sets, from which it never learned: 1 prompt takes more than LIMIT. With their events in another order, 136
of 144 prompts do (melodies alone: 28 of 36), and of performances of classical works (ASAP), 20 of 48. Durations and
velocities tell less: there a played song takes more bits than a score.
"""

import numpy as np

from serenity.model.checkpoint import Checkpoint
from serenity.model.designs import make_decoder
from serenity.model.generation import surprise, told_bars_left
from serenity.tokens.vocabulary import ATTRIBUTES

TELLING = "pitch", "step"   # the attributes that are judged
JUDGED, FEWEST = 64, 32  # events at the prompt's end that are judged; with fewer than FEWEST nothing is said
MOST_READ = 193          # events of the prompt
LIMIT = 10.0             # bits an event of both attributes together


def prompt_bits(model: Checkpoint, prompt: np.ndarray) -> float | None:
    """Return the mean bits of the last events of a prompt (length, columns), each predicted from those before it; None
    if they are too few.
    """
    prompt = told_bars_left(prompt[-MOST_READ:], np.empty(0), None)  # as continuations are
    count = min(JUDGED, len(prompt) - 1)
    if count < FEWEST:
        return None
    bits = [_bits(model, attribute, prompt, count) for attribute in TELLING]
    return float(np.mean(np.sum(bits, axis=0)))


def _bits(model: Checkpoint, attribute: str, prompt: np.ndarray, count: int) -> list[float]:
    decoder = make_decoder(model.settings, attribute, model.weights[attribute], model.vocabulary)
    tokens = prompt[-count:, ATTRIBUTES.index(attribute)].tolist()
    return [surprise(logits, token) for logits, token in zip(decoder.judge(prompt, count), tokens)]
