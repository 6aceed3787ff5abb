"""The NumPy decoder's state: rows, ring and memory. That its logits are the Keras network's: test_compiled.py."""

from dataclasses import replace

import numpy as np
import pytest

from serenity.model.decoder import Decoder, memory_bytes
from serenity.model.quartet import NetworkSettings, QuartetSettings, weight_shapes
from serenity.music.codec import CodecSettings
from serenity.tokens.vocabulary import ATTRIBUTES, END
from serenity.tokens.windows import WindowSettings

SIZES = {"pitch": 40, "step": 21, "duration": 22, "velocity": 13}
TINY = NetworkSettings(model_dim=16, encoder_layers=1, decoder_layers=2, num_heads=2, feed_forward_dim=24,
                       context_dim=8)


def quartet(network, context, window=None):
    networks = {attribute: replace(network, context=context) for attribute in ATTRIBUTES}
    return QuartetSettings(networks, SIZES, window or WindowSettings(20, 12), CodecSettings())


def random_events(rng, length):
    return np.stack([rng.integers(END + 1, SIZES[attribute], length) for attribute in ATTRIBUTES], 1).astype(np.int32)


@pytest.fixture
def tiny():
    settings, rng = quartet(TINY, "all"), np.random.default_rng(3)
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32)
               for name, shape in weight_shapes(settings, "pitch").items()}
    return settings, weights


def run(decoder, prompt, events):
    """Return the logits (batch, events, tokens) after a prompt, when these events (batch, events, 4) come."""
    decoder.start(prompt, len(events))
    past = np.concatenate([np.repeat(prompt[None, -1:], len(events), axis=0), events[:, :-1]], axis=1)
    return np.stack([decoder.step(past[:, i], events[:, i]) for i in range(events.shape[1])], axis=1)


def test_a_variation_is_bit_for_bit_the_same_alone_and_among_others(tiny):
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), np.stack([random_events(rng, 40) for _ in range(5)])
    together = run(Decoder(tiny[0], "pitch", tiny[1]), prompt, events)
    for row in range(5):
        alone = run(Decoder(tiny[0], "pitch", tiny[1]), prompt, events[row:row + 1])
        np.testing.assert_array_equal(together[row], alone[0])
    assert np.abs(together[0] - together[1]).max() > 1e-2


def test_past_the_window_only_the_last_events_are_seen(tiny):
    """A ring: what lies a window back has left no trace, what lies nearer has."""
    settings, weights = tiny
    window = settings.window.continuation
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), random_events(rng, 5 * window)
    shallow = quartet(replace(TINY, decoder_layers=1), "all")  # a second layer would carry the trace on
    other = events.copy()
    other[2 * window] = random_events(rng, 1)
    first, second = (run(Decoder(shallow, "pitch", weights), prompt, changed[None])[0] for changed in (events, other))
    changed = np.abs(first - second).max(axis=1) > 0
    # The event changed is the present one of its own step, and in the cache from the next step on, `window` steps long.
    assert changed.nonzero()[0].tolist() == [*range(2 * window, 3 * window + 1)]


def test_starting_again_forgets_what_was(tiny):
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), random_events(rng, 20)[None]
    decoder = Decoder(tiny[0], "pitch", tiny[1])
    first = run(decoder, prompt, events)
    run(decoder, random_events(rng, 20), events[:, ::-1])
    np.testing.assert_array_equal(run(decoder, prompt, events), first)


def test_the_memory_is_what_is_said_however_long_the_song(tiny):
    settings, _ = tiny
    rng, held = np.random.default_rng(5), 0
    for attribute in ATTRIBUTES:
        weights = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(settings, attribute).items()}
        decoder = Decoder(settings, attribute, weights)
        run(decoder, random_events(rng, 20), np.stack([random_events(rng, 50)] * 3))
        held += sum(own.cache.nbytes + cross.keys.nbytes + cross.values.nbytes for own, cross, _ in decoder.decoder)
    assert held == memory_bytes(settings, 3)


def test_a_prompt_longer_than_the_window_is_refused(tiny):
    with pytest.raises(ValueError, match="21 events, wanted 1 to 20"):
        Decoder(tiny[0], "pitch", tiny[1]).start(np.zeros((21, 4), np.int32), 3)
