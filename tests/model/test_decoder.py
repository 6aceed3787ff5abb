"""The NumPy decoder's state: rows, ring and memory. That its logits are the Keras network's: test_parity.py."""

from dataclasses import replace

import numpy as np
import pytest

from serenity.model.decoder import Decoder
from serenity.model.positions import POSITIONS
from serenity.model.quartet import NetworkSettings, QuartetSettings, weight_shapes
from serenity.music.codec import CodecSettings
from serenity.tokens.vocabulary import ATTRIBUTES, END, PLACE, SPECIALS, count_values
from serenity.tokens.windows import WindowSettings
from tests.model.memory import memory_bytes
from tests.songs import abc_songs

VOCABULARY = count_values((song.events for _, song in abc_songs(2)),
                          {"pitch": 40, "step": 21, "duration": 22, "velocity": 13})
SIZES = VOCABULARY.sizes
TINY = NetworkSettings(model_dim=16, encoder_layers=1, decoder_layers=2, num_heads=2, feed_forward_dim=24,
                       context_dim=8)


def quartet(network, window=None, **changes):
    networks = {attribute: replace(network, **changes) for attribute in ATTRIBUTES}
    return QuartetSettings(networks, SIZES, window or WindowSettings(20, 12), CodecSettings())


def random_events(rng, length):
    """Return events in 4/4, (length, columns), that know how many bars are left."""
    tokens = [rng.integers(END + 1, SIZES[attribute], length) for attribute in ATTRIBUTES]
    bars = [rng.integers(96, size=length), np.full(length, 96), rng.integers(40, size=length)]
    return np.stack([*tokens, *bars], 1).astype(np.int32)


def random_weights(settings, attribute, size=0.3, seed=3):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, size, shape).astype(np.float32)
            for name, shape in weight_shapes(settings, attribute).items()}


KINDS = [{"encoder_layers": layers, "positions": positions, "composed": positions == "onset"}
         for layers in (0, 1) for positions in POSITIONS]


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind['positions']}-{kind['encoder_layers']}")
def tiny(request):
    settings = quartet(TINY, **request.param)
    return Decoder(settings, "pitch", random_weights(settings, "pitch"), VOCABULARY)


def run(decoder, prompt, events):
    """Return the logits (batch, events, tokens) after a prompt, when these events (batch, events, 4) come."""
    decoder.start(prompt, len(events))
    past = np.concatenate([np.repeat(prompt[None, -1:], len(events), axis=0), events[:, :-1]], axis=1)
    return np.stack([decoder.step(past[:, i], events[:, i]) for i in range(events.shape[1])], axis=1)


def test_a_variation_is_bit_for_bit_the_same_alone_and_among_others(tiny):
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), np.stack([random_events(rng, 40) for _ in range(5)])
    together = run(tiny, prompt, events)
    for row in range(5):
        np.testing.assert_array_equal(together[row], run(tiny, prompt, events[row:row + 1])[0])
    assert np.abs(together[0] - together[1]).max() > 1e-2


@pytest.mark.parametrize("positions", ["relative", "rotary"])
@pytest.mark.parametrize("layers", [0, 1])
def test_past_the_window_only_the_last_events_are_seen(layers, positions):
    """A ring: what lies a window back has left no trace, what lies nearer has."""
    settings = quartet(TINY, encoder_layers=layers, positions=positions, decoder_layers=1)  # a second would carry it on
    reach = settings.reach("pitch")
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), random_events(rng, 5 * reach)
    other = events.copy()
    values = np.array([*SIZES.values()]) - SPECIALS
    other[2 * reach, :PLACE] = SPECIALS + (other[2 * reach, :PLACE] - SPECIALS + 1) % values
    decoder = Decoder(settings, "pitch", random_weights(settings, "pitch"), VOCABULARY)
    first, second = (run(decoder, prompt, changed[None])[0] for changed in (events, other))
    changed = np.abs(first - second).max(axis=1) > 0
    # The event changed is the present one of its own step, and in the cache from the next step on, `reach` steps long.
    assert changed.nonzero()[0].tolist() == [*range(2 * reach, 3 * reach + 1)]


def test_starting_again_forgets_what_was(tiny):
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), random_events(rng, 20)[None]
    first = run(tiny, prompt, events)
    run(tiny, random_events(rng, 20), events[:, ::-1])
    np.testing.assert_array_equal(run(tiny, prompt, events), first)


@pytest.mark.parametrize("layers", [0, 1])
def test_the_memory_is_what_is_said_however_long_the_song(layers):
    settings = quartet(TINY, encoder_layers=layers)
    rng, held = np.random.default_rng(5), 0
    for attribute in ATTRIBUTES:
        decoder = Decoder(settings, attribute, random_weights(settings, attribute), VOCABULARY)
        run(decoder, random_events(rng, 40), np.stack([random_events(rng, 50)] * 3))
        held += sum(own.cache.nbytes for own, _, _ in decoder.decoder)
        held += sum(cross.keys.nbytes + cross.values.nbytes for _, cross, _ in decoder.decoder if cross)
    assert held == memory_bytes(settings, 3)


def test_of_a_long_prompt_the_last_events_are_read():
    """Without encoder as many as the decoder sees; what is before them has left no trace."""
    settings = quartet(TINY, encoder_layers=0, positions="rotary")
    decoder = Decoder(settings, "pitch", random_weights(settings, "pitch"), VOCABULARY)
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 100), random_events(rng, 3)[None]
    np.testing.assert_array_equal(run(decoder, prompt, events), run(decoder, prompt[-decoder.reach:], events))
    assert np.abs(run(decoder, prompt, events) - run(decoder, prompt[1 - decoder.reach:], events)).max() > 1e-4
