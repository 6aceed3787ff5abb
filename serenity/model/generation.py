"""Generation: read the prompt once, then decide one event after another, attribute by attribute."""

from collections.abc import Callable

import numpy as np

from serenity.model.checkpoint import Checkpoint
from serenity.model.decoder import Decoder
from serenity.model.sampling import Sampling, sample
from serenity.tokens.vocabulary import ATTRIBUTES, DECISION_ORDER

# The decoder reads the prompt's last events itself before it goes on. Right after an encoded prompt it would have no
# past of its own, and the first events, which must join the intro, would be guessed worst (docs/experiments.md).
WARM_UP = 16  # events


def complete(model: Checkpoint, prompt: np.ndarray, events: int, sampling: Sampling, seed: int, variations: int = 1,
             progress: Callable[[int], object] = lambda done: None) -> np.ndarray:
    """Return continuations of a prompt as tokens, (variations, events, 4).

    `prompt` (length, 4) is the end of a stream (see serenity.tokens.windows): it begins with START where it holds the
    song from its first event. Of a long one the last events that fit are read. Variation i depends on `seed` and i
    alone, not on how many are made together. The length is the caller's: END is never chosen. `progress` is told the
    number of events done.
    """
    decoders = {attribute: Decoder(model.settings, attribute, model.weights[attribute]) for attribute in ATTRIBUTES}
    warm_up = min(WARM_UP, len(prompt) // 2)
    encoded, read = np.split(prompt, [len(prompt) - warm_up])
    encoded = np.repeat(encoded[None, -model.settings.window.prompt:], variations, axis=0)
    past = encoded[:, -1]
    for decoder in decoders.values():
        decoder.start(encoded, warm_up + events)
    for event in read:
        present = np.repeat(event[None], variations, axis=0)
        for decoder in decoders.values():
            decoder.step(past, present)
        past = present
    generators = [np.random.default_rng([seed, variation]) for variation in range(variations)]
    tokens = np.zeros((variations, events, len(ATTRIBUTES)), np.int32)
    for position in range(events):
        present = tokens[:, position]  # a view: each attribute sees what was decided before it
        for attribute in DECISION_ORDER:
            logits = decoders[attribute].step(past, present)
            present[:, ATTRIBUTES.index(attribute)] = [sample(row, sampling, rng)
                                                       for row, rng in zip(logits, generators)]
        past = present
        progress(position + 1)
    return tokens
