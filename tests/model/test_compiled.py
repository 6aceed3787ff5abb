"""One model, three ways: the Keras network over a whole window, and the NumPy and compiled decoders event by event."""

from dataclasses import replace

import numpy as np
import pytest

from serenity.model import checkpoint, generation
from serenity.model.decoder import WARM_UP, Decoder
from serenity.model.generation import complete
from serenity.model.quartet import PRESETS, preset
from serenity.model.sampling import Sampling
from serenity.tokens.vocabulary import START
from serenity.tokens.windows import WindowSettings, fit_prompt
from tests.model.test_decoder import KINDS, TINY, VOCABULARY, quartet, random_events, random_weights, run


def agree(network, attribute, *prompts, **changes):
    """Hold the three ways' logits together, within 1e-4 of their size, and past the window the two decoders'.

    `prompts` are lengths of prompts, in events, of which an encoder's window takes 16.
    """
    from serenity.model.compiled import CompiledDecoder

    settings = quartet(network, WindowSettings(16, 5), **changes)
    rng, weights = np.random.default_rng(7), random_weights(settings, attribute, 0.2)
    decoder = Decoder(settings, attribute, weights, VOCABULARY)
    compiled = CompiledDecoder(settings, attribute, weights, VOCABULARY, rows=2)
    for length in prompts:
        prompt = random_events(rng, length)
        prompt[0] = START
        events = random_events(rng, decoder.reach + 3)
        cached, keras_cached = (run(way, prompt, events[None])[0] for way in (decoder, compiled))
        full = whole(compiled.network.whole, settings.window, prompt, events)
        size = max(1, np.abs(full).max())  # weights this large give logits of tens
        assert np.abs(full).max() > 0.5
        assert np.abs(cached[:len(full)] - full).max() < 1e-4 * size
        assert np.abs(keras_cached[:len(full)] - full).max() < 1e-4 * size
        assert np.abs(keras_cached - cached).max() < 1e-4 * size


def whole(network, window, prompt, events):
    """Return the logits of the network as it is trained, for as many of the events as its window has room for."""
    row, given = np.concatenate([prompt, events]), len(prompt)
    if network.encoder:  # which leaves the prompt's last events to the decoder
        given = max(1, given - min(WARM_UP, len(prompt) // 2))
        inputs = fit_prompt(row[:given], window.prompt)
    else:
        given, inputs = 1, row[:0]
    past, target = row[given - 1:-1][:network.length], row[given:][:network.length]
    logits = network({"prompt": inputs[None], "past": past[None], "target": target[None]}, training=False)[0]
    return np.asarray(logits)[len(prompt) - given:]


@pytest.mark.parametrize(("attribute", "kind"), [
    *(("velocity", kind) for kind in KINDS), ("step", KINDS[0]), ("pitch", KINDS[3]), ("duration", KINDS[7]),
    ("step", KINDS[3]), ("step", {"context": "own"}), ("pitch", {"tied": False}),
    ("pitch", {"tied": False, "composed": True})])
def test_the_three_give_the_same_logits(attribute, kind, eagerly):
    agree(TINY, attribute, 1, 7, **kind)


@pytest.mark.parametrize("attribute", ["pitch", "velocity"])  # a preset has two sizes
@pytest.mark.parametrize("name", PRESETS)
def test_the_three_give_the_same_logits_for_every_preset(name, attribute, eagerly):
    """At an eighth of the width or so: layers and heads are the preset's own."""
    network = preset(name)[attribute]
    agree(replace(network, model_dim=8 * network.num_heads, feed_forward_dim=48), attribute, 7)


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
    settings, rng = quartet(TINY, decoder_layers=1), np.random.default_rng(0)
    decoder = CompiledDecoder(settings, "velocity", random_weights(settings, "velocity"), VOCABULARY, rows=4)
    run(decoder, random_events(rng, 9), random_events(rng, 2)[None])
    traces = len(calls)
    for prompt, variations, events in ((20, 4, 1), (1, 2, 30)):
        run(decoder, random_events(rng, prompt), np.stack([random_events(rng, events)] * variations))
    assert len(calls) == traces > 0


def test_more_than_there_is_room_for_is_refused(eagerly):
    from serenity.model.compiled import CompiledDecoder

    settings = quartet(TINY, decoder_layers=1, context="own")
    decoder = CompiledDecoder(settings, "step", random_weights(settings, "step"), VOCABULARY, rows=2)
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
