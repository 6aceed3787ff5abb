"""The NumPy decoder and the Keras network are one model: their logits agree, for every preset and context."""

from dataclasses import replace

import numpy as np
import pytest

from serenity.model.decoder import Decoder
from serenity.model.quartet import CONTEXTS, PRESETS, NetworkSettings, QuartetSettings, preset
from serenity.music.codec import CodecSettings
from serenity.tokens.vocabulary import ATTRIBUTES, END, START
from serenity.tokens.windows import WindowSettings, fit_prompt

SIZES = {"pitch": 40, "step": 21, "duration": 22, "velocity": 13}
TINY = NetworkSettings(model_dim=16, encoder_layers=2, decoder_layers=2, num_heads=2, feed_forward_dim=24,
                       context_dim=8)


def quartet(network, context, window=None):
    networks = {attribute: replace(network, context=context) for attribute in ATTRIBUTES}
    return QuartetSettings(networks, SIZES, window or WindowSettings(20, 12), CodecSettings())


def random_events(rng, length):
    return np.stack([rng.integers(END + 1, SIZES[attribute], length) for attribute in ATTRIBUTES], 1).astype(np.int32)


def compare(settings, attribute, prompt_length, keras_weights=1.0):
    """Return the largest difference of the logits, and their largest size."""
    from serenity.model.transformer import build_network, get_weights, set_weights

    rng = np.random.default_rng(7)
    network = build_network(settings, attribute)
    weights = {name: rng.normal(0, 0.2, values.shape).astype(np.float32) for name, values in
               get_weights(network).items()}  # every weight counts, also those that begin as 0 or 1
    set_weights(network, weights)
    prompt = random_events(rng, prompt_length)
    prompt[0] = START
    target = random_events(rng, settings.window.continuation)
    past = np.concatenate([prompt[-1:], target[:-1]])
    full = network({"prompt": fit_prompt(prompt, settings.window.prompt)[None], "past": past[None],
                    "target": target[None]}, training=False)[0]
    decoder = Decoder(settings, attribute, weights)
    decoder.start(prompt[None], len(target))
    cached = np.concatenate([decoder.step(past[i:i + 1], target[i:i + 1]) for i in range(len(target))])
    return np.abs(cached - np.asarray(full)).max(), np.abs(full).max()


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("prompt_length", [1, 13, 20])
def test_cached_steps_give_the_logits_of_the_full_pass(attribute, context, prompt_length):
    difference, size = compare(quartet(TINY, context), attribute, prompt_length)
    assert size > 0.5
    assert difference < 1e-4


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_gives_the_logits_of_the_full_pass(name, context):
    for attribute in ("pitch", "velocity"):  # the two sizes of a preset
        network = preset(name)[attribute]
        difference, size = compare(quartet(network, context), attribute, 9)
        assert size > 0.5
        assert difference < 1e-4 * max(1, size)  # relative, since random weights this wide give logits of hundreds


def test_each_variation_has_its_own_past():
    settings = quartet(TINY, "all")
    from serenity.model.quartet import weight_shapes
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32)
               for name, shape in weight_shapes(settings, "pitch").items()}
    prompt, pasts = random_events(rng, 9), random_events(rng, 2)
    together = Decoder(settings, "pitch", weights)
    together.start(np.repeat(prompt[None], 2, axis=0), 3)
    alone = Decoder(settings, "pitch", weights)
    alone.start(prompt[None], 3)
    for _ in range(3):
        both = together.step(pasts, pasts)
        np.testing.assert_allclose(both[1:], alone.step(pasts[1:], pasts[1:]), atol=1e-4)
        assert np.abs(both[0] - both[1]).max() > 1e-2


def test_a_continuation_may_outrun_the_window():
    settings = quartet(TINY, "all")
    from serenity.model.quartet import weight_shapes
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32)
               for name, shape in weight_shapes(settings, "pitch").items()}
    decoder = Decoder(settings, "pitch", weights)
    decoder.start(random_events(rng, 20)[None], 40)
    logits = np.stack([decoder.step(*random_events(rng, 2)[:, None]) for _ in range(40)])
    assert np.isfinite(logits).all()


def test_a_prompt_longer_than_the_window_is_refused():
    decoder = Decoder(quartet(TINY, "all"), "pitch", {})
    with pytest.raises(ValueError, match="21 events, wanted 1 to 20"):
        decoder.start(np.zeros((1, 21, 4), np.int32), 3)
