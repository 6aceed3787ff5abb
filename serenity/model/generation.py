"""Generation: read the prompt once, then decide one event after another, attribute by attribute."""

from collections.abc import Callable

import numpy as np

from serenity.model.checkpoint import Checkpoint
from serenity.model.decoder import Decoder
from serenity.model.sampling import Sampling, sample
from serenity.tokens.vocabulary import ATTRIBUTES, DECISION_ORDER


def complete(model: Checkpoint, prompt: np.ndarray, events: int, sampling: Sampling, seed: int, variations: int = 1,
             progress: Callable[[int], object] = lambda done: None) -> np.ndarray:
    """Return continuations of a prompt as tokens, (variations, events, 4).

    `prompt` (length, 4) is the end of a stream (see serenity.tokens.windows): it begins with START where it holds the
    song from its first event. Variation i depends on `seed` and i alone, not on how many are made together. The length
    is the caller's: END is never chosen. `progress` is told the number of events done.
    """
    decoders = {attribute: Decoder(model.settings, attribute, model.weights[attribute]) for attribute in ATTRIBUTES}
    prompts = np.repeat(prompt[None], variations, axis=0)
    for decoder in decoders.values():
        decoder.start(prompts, events)
    generators = [np.random.default_rng([seed, variation]) for variation in range(variations)]
    tokens = np.zeros((variations, events, len(ATTRIBUTES)), np.int32)
    past = prompts[:, -1]
    for position in range(events):
        present = tokens[:, position]  # a view: each attribute sees what was decided before it
        for attribute in DECISION_ORDER:
            logits = decoders[attribute].step(past, present)
            present[:, ATTRIBUTES.index(attribute)] = [sample(row, sampling, rng)
                                                       for row, rng in zip(logits, generators)]
        past = present
        progress(position + 1)
    return tokens
