"""How near a prompt is to the songs that a model learned from: the bits that its last chords and their steps take.

A prompt that the model would not expect is no fault, but its continuation soon has little to do with it; so whoever
asks for one is told. Measured on the model that ships, on 174 prompts (40 events, 193, and all) out of 58 validation
songs of its four sets, which it never learned from: 1 takes more than LIMIT. In another order their events do in 136 of
144 prompts (melodies alone: 28 of 36), and performances of classical works (ASAP) in 20 of 48. Durations and velocities
tell less: a song that was played takes more bits there than a score.
"""

import numpy as np

from serenity.model.checkpoint import Checkpoint
from serenity.model.designs import make_decoder
from serenity.model.generation import surprise, told_bars_left
from serenity.tokens.vocabulary import ATTRIBUTES

TELLING = "pitch", "step"   # attributes
JUDGED, FEWEST = 64, 32  # events at the prompt's end that are judged; fewer than these tell nothing
MOST_READ = 193          # events of the prompt
LIMIT = 10.0             # bits an event of both attributes together


def prompt_bits(model: Checkpoint, prompt: np.ndarray) -> float | None:
    """Return the bits an event of a prompt's (length, columns) last events, each by those before it; None where they
    are too few to tell.
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
