"""One model, three ways: the Keras network over a whole window, and the NumPy and compiled decoders event by event."""

from dataclasses import replace

import numpy as np
import pytest

from serenity.model import checkpoint, generation
from serenity.model.decoder import Decoder
from serenity.model.generation import complete
from serenity.model.quartet import CONTEXTS, PRESETS, preset, weight_shapes
from serenity.model.sampling import Sampling
from serenity.tokens.vocabulary import ATTRIBUTES, START
from serenity.tokens.windows import WindowSettings, fit_prompt
from tests.model.test_decoder import TINY, quartet, random_events, run


def agree(network, context, attribute, *prompts):
    """Hold the three ways' logits together, within 1e-4 of their size, and past the window the two decoders'.

    `prompts` are lengths of prompts, in events, of which the window takes 16.
    """
    from serenity.model.compiled import CompiledDecoder

    settings = quartet(network, context, WindowSettings(16, 5))
    rng, window = np.random.default_rng(7), settings.window.continuation
    weights = {name: rng.normal(0, 0.2, shape).astype(np.float32)  # every weight counts, also what begins as 0 or 1
               for name, shape in weight_shapes(settings, attribute).items()}
    decoder, compiled = Decoder(settings, attribute, weights), CompiledDecoder(settings, attribute, weights, rows=2)
    whole = compiled.network.whole  # the network as it is trained, with these weights
    for length in prompts:
        prompt = random_events(rng, length)
        prompt[0] = START
        events = random_events(rng, window + 3)
        past = np.concatenate([prompt[-1:], events[:window - 1]])
        full = whole({"prompt": fit_prompt(prompt, settings.window.prompt)[None], "past": past[None],
                      "target": events[None, :window]}, training=False)[0]
        size = np.abs(full).max()  # weights this large give logits of tens
        assert size > 0.5
        cached, keras_cached = (run(way, prompt, events[None])[0] for way in (decoder, compiled))
        assert np.abs(cached[:window] - full).max() < 1e-4 * max(1, size)
        assert np.abs(keras_cached[:window] - full).max() < 1e-4 * max(1, size)
        assert np.abs(keras_cached - cached).max() < 1e-4 * max(1, size)


@pytest.mark.parametrize(("attribute", "context"), [*((attribute, "all") for attribute in ATTRIBUTES), ("step", "own")])
def test_the_three_give_the_same_logits(attribute, context, eagerly):
    agree(TINY, context, attribute, 1, 16)


@pytest.mark.parametrize(("context", "attribute"), [*zip(CONTEXTS, ("pitch", "velocity"))])  # a preset has two sizes
@pytest.mark.parametrize("name", PRESETS)
def test_the_three_give_the_same_logits_for_every_preset(name, context, attribute, eagerly):
    """At an eighth of the width or so: layers and heads are the preset's own."""
    network = preset(name)[attribute]
    agree(replace(network, model_dim=8 * network.num_heads, feed_forward_dim=48), context, attribute, 7)


PROMPT = np.array([[START] * 4, [3, 4, 5, 6], [4, 3, 6, 5]], np.int32)


def test_songs_are_the_same_alone_and_among_others_and_as_numpy_makes_them(model_folder, monkeypatch, eagerly):
    monkeypatch.setattr(generation, "TOGETHER", 2)
    model = checkpoint.load(model_folder)
    three, one, plain = (complete(model, PROMPT, 5, Sampling(top_k=20), seed=5, variations=count, compiled=compiled)
                         for count, compiled in ((3, True), (1, True), (3, False)))
    np.testing.assert_array_equal(three[0].tokens, one[0].tokens)
    np.testing.assert_array_equal(three[0].bits, one[0].bits)
    for song, other in zip(three, plain, strict=True):
        np.testing.assert_array_equal(song.tokens, other.tokens)
        np.testing.assert_allclose(song.bits, other.bits, atol=1e-3)


def test_nothing_is_compiled_again_when_lengths_change(monkeypatch):
    from serenity.model.compiled import CachedNetwork, CompiledDecoder

    calls, call = [], CachedNetwork.call
    monkeypatch.setattr(CachedNetwork, "call", lambda self, events: calls.append(events) or call(self, events))
    settings = quartet(replace(TINY, encoder_layers=1, decoder_layers=1), "all")
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 0.2, shape).astype(np.float32)
               for name, shape in weight_shapes(settings, "velocity").items()}
    decoder = CompiledDecoder(settings, "velocity", weights, rows=4)
    run(decoder, random_events(rng, 9), random_events(rng, 2)[None])
    traces = len(calls)
    for prompt, variations, events in ((20, 4, 1), (1, 2, 30)):
        run(decoder, random_events(rng, prompt), np.stack([random_events(rng, events)] * variations))
    assert len(calls) == traces > 0


def test_more_than_there_is_room_for_is_refused(eagerly):
    from serenity.model.compiled import CompiledDecoder

    settings = quartet(replace(TINY, encoder_layers=1, decoder_layers=1), "own")
    weights = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(settings, "step").items()}
    decoder = CompiledDecoder(settings, "step", weights, rows=2)
    with pytest.raises(ValueError, match="21 events, wanted 1 to 20"):
        decoder.start(np.zeros((21, 4), np.int32), 1)
    with pytest.raises(ValueError, match="3 variations, wanted 1 to 2"):
        decoder.start(PROMPT, 3)


@pytest.mark.parametrize(("driver", "packages", "devices", "wanted"), [
    (None, None, ["gpu:0"], False), ("nvidia-smi", None, ["gpu:0"], False), ("nvidia-smi", "spec", [], False),
    ("nvidia-smi", "spec", ["gpu:0"], True)])
def test_a_gpu_is_taken_where_there_is_one(monkeypatch, driver, packages, devices, wanted):
    import keras

    monkeypatch.setattr(generation.shutil, "which", lambda name: driver)
    monkeypatch.setattr(generation.importlib.util, "find_spec", lambda name: packages)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: devices)
    assert (generation.decoder_type(None) is not Decoder) == wanted
    assert generation.decoder_type(False) is Decoder
    assert generation.decoder_type(True) is not Decoder
