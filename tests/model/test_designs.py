"""Both designs as generation has them: rows, ring and memory; and the table of weights that files are checked against.

That their logits are the Keras network's: test_parity.py.
"""

from dataclasses import replace

import numpy as np
import pytest

from serenity.model.designs import make_decoder, parameter_count, weight_shapes
from serenity.settings import DESIGNS, CodecSettings, ModelSettings, NetworkSettings, WindowSettings, preset
from serenity.tokens.vocabulary import ATTRIBUTES, END, PLACE, SPECIALS, TOP_K, count_values
from tests.model.memory import memory_bytes
from tests.songs import abc_songs

VOCABULARY = count_values((song.events for _, song in abc_songs(2)),
                          {"pitch": 40, "step": 21, "duration": 22, "velocity": 13})
SIZES = VOCABULARY.sizes
TINY = NetworkSettings(model_dim=16, layers=2, num_heads=2, feed_forward_dim=24)


def model_settings(design, window=None, network=TINY):
    return ModelSettings(dict.fromkeys(ATTRIBUTES, network), SIZES, window or WindowSettings(20, 12), CodecSettings(),
                           design)


def random_events(rng, length):
    """Return events in 4/4, (length, columns), that know how many bars are left."""
    tokens = [rng.integers(END + 1, SIZES[attribute], length) for attribute in ATTRIBUTES]
    bars = [rng.integers(96, size=length), np.full(length, 96), rng.integers(40, size=length)]
    return np.stack([*tokens, *bars], 1).astype(np.int32)


def random_weights(settings, attribute, size=0.3, seed=3):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, size, shape).astype(np.float32)
            for name, shape in weight_shapes(settings, attribute).items()}


def decoder(settings, attribute):
    return make_decoder(settings, attribute, random_weights(settings, attribute), VOCABULARY)


def run(decoder, prompt, events):
    """Return the logits (batch, events, tokens) after a prompt, when these events (batch, events, columns) come."""
    decoder.start(prompt, len(events))
    past = np.concatenate([np.repeat(prompt[None, -1:], len(events), axis=0), events[:, :-1]], axis=1)
    return np.stack([decoder.step(past[:, i], events[:, i]) for i in range(events.shape[1])], axis=1)


@pytest.fixture(params=DESIGNS)
def tiny(request):
    return decoder(model_settings(request.param), "pitch")


# --- generation -------------------------------------------------------------------------------------------------------

def test_a_variation_is_bit_for_bit_the_same_alone_and_among_others(tiny):
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), np.stack([random_events(rng, 40) for _ in range(5)])
    together = run(tiny, prompt, events)
    for row in range(5):
        np.testing.assert_array_equal(together[row], run(tiny, prompt, events[row:row + 1])[0])
    assert np.abs(together[0] - together[1]).max() > 1e-2


@pytest.mark.parametrize("design", DESIGNS)
def test_past_the_window_only_the_last_events_are_seen(design):
    """A ring: what lies a window back has left no trace, what lies nearer has. Onsets grow on, by their differences."""
    settings = model_settings(design, network=replace(TINY, layers=1))  # a second would carry it on
    reach = settings.reach
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), random_events(rng, 5 * reach)
    other, step = events.copy(), ATTRIBUTES.index("step")
    values = np.array([*SIZES.values()]) - SPECIALS
    other[2 * reach, :PLACE] = SPECIALS + (other[2 * reach, :PLACE] - SPECIALS + 1) % values
    other[2 * reach, step] = events[2 * reach, step]  # a step moves all that comes
    network = decoder(settings, "pitch")
    first, second = (run(network, prompt, changed[None])[0] for changed in (events, other))
    changed = np.abs(first - second).max(axis=1) > 0
    # The event that is changed stands in the cache from the step after it on, `reach` steps long.
    assert changed.nonzero()[0].tolist() == [*range(2 * reach + 1, 3 * reach + 1)]


def test_starting_again_forgets_what_was(tiny):
    rng = np.random.default_rng(5)
    prompt, events = random_events(rng, 9), random_events(rng, 20)[None]
    first = run(tiny, prompt, events)
    run(tiny, random_events(rng, 20), events[:, ::-1])
    np.testing.assert_array_equal(run(tiny, prompt, events), first)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_memory_is_what_is_said_however_long_the_song(design):
    settings, rng, held = model_settings(design), np.random.default_rng(5), 0
    for attribute in ATTRIBUTES:
        network = decoder(settings, attribute)
        run(network, random_events(rng, 40), np.stack([random_events(rng, 50)] * 3))
        parts = [vars(part) for layer in network.layers for part in layer]
        held += sum(part[name].nbytes for part in parts for name in ("cache", "keys", "values") if name in part)
    assert held == memory_bytes(settings, 3)


def test_of_a_long_prompt_the_last_events_are_read():
    """Without encoder as many as the decoder sees; what is before them has left no trace."""
    network, rng = decoder(model_settings("serenity"), "pitch"), np.random.default_rng(5)
    prompt, events = random_events(rng, 100), random_events(rng, 3)[None]
    np.testing.assert_array_equal(run(network, prompt, events), run(network, prompt[-network.reach:], events))
    assert np.abs(run(network, prompt, events) - run(network, prompt[1 - network.reach:], events)).max() > 1e-4


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_original_reads_its_own_attribute_alone(attribute):
    network, rng = decoder(model_settings("original"), attribute), np.random.default_rng(5)
    prompt, events = random_events(rng, 9), random_events(rng, 3)
    plain = run(network, prompt, events[None])
    for column in range(prompt.shape[1]):
        other, moved = prompt.copy(), events.copy()
        other[:, column], moved[:, column] = prompt[::-1, column], events[::-1, column]
        differs = np.abs(run(network, other, moved[None]) - plain).max() > 1e-3
        assert differs == (column == ATTRIBUTES.index(attribute))


# --- the table of weights ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "millions"), [("mini", 6), ("lite", 24), ("full", 80)])
@pytest.mark.parametrize("design", DESIGNS)
def test_presets_have_the_size_that_they_promise(design, name, millions):
    sizes = {attribute: size + SPECIALS for attribute, size in TOP_K.items()}
    settings = replace(model_settings(design, WindowSettings()), networks=preset(name, design), vocabulary_sizes=sizes)
    assert parameter_count(settings) == pytest.approx(millions * 1e6, rel=0.08)
    assert name != "mini" or parameter_count(settings) * 2 <= 25e6 - 500_000  # in halves, beside the dictionaries


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("design", DESIGNS)
def test_keras_s_weights_are_those_of_the_table_and_are_taken_and_given_by_name(design, attribute):
    from serenity.model.transformer import Transformer, get_weights, set_weights

    settings = model_settings(design)
    network, weights = Transformer(settings, attribute, VOCABULARY), random_weights(settings, attribute)
    assert {name: values.shape for name, values in get_weights(network).items()} == weight_shapes(settings, attribute)
    assert len({variable.name for variable in network.trainable_variables}) == len(weights)
    set_weights(network, weights)
    for name, values in get_weights(network).items():
        np.testing.assert_array_equal(values, weights[name])
    with pytest.raises(ValueError, match="weights that do not fit: bias"):
        set_weights(network, {name: values for name, values in weights.items() if name != "bias"})


def test_weights_begin_as_their_place_wants_it():
    import keras

    from serenity.model.transformer import Transformer, get_weights

    keras.utils.set_random_seed(0)
    wide = NetworkSettings(64, 1, 2, 256)
    found = {}
    for design in DESIGNS:
        found |= get_weights(Transformer(model_settings(design, WindowSettings(64, 64), wide), "pitch", VOCABULARY))
    assert (found["decoder_norm/gamma"] == 1).all() and not found["bias"].any()
    kernel = found["decoder_0/feed_forward/inner/kernel"]
    assert (kernel.mean(), kernel.std()) == pytest.approx((0, (2 / (64 + 256)) ** 0.5), abs=0.01)
    for name, spread in (("embedding/features", 64 ** -0.5), ("past/step", 1), ("past/bars", 0.1),
                         ("decoder_0/cross_attention/relative", 0.02)):
        assert found[name].mean() == pytest.approx(0, abs=0.1 * spread), name
        assert found[name].std() == pytest.approx(spread, rel=0.1), name


@pytest.mark.parametrize(("design", "names"), [
    ("serenity", ["embedding/step", "embedding/features", "past/pitch", "past/duration", "past/velocity", "past/bars"]),
    ("original", ["embedding/step"])])
def test_tables_of_tokens_are_adam_s_and_matrices_are_muon_s(design, names):
    """Muon takes all singular values for alike, which suits no table with a row a token."""
    from serenity.model.training import compile_network
    from serenity.model.transformer import Transformer
    from serenity.settings import TrainingSettings

    network = Transformer(model_settings(design), "step", VOCABULARY)
    compile_network(network, TrainingSettings().settled(), steps=1)
    of_adam = {name for name, variable in network.by_name.items() if network.optimizer._should_use_adamw(variable)}
    tables = {name for name in of_adam if len(network.by_name[name].shape) == 2}
    assert tables == {*names}
    decayed = {name for name, variable in network.by_name.items() if network.optimizer._use_weight_decay(variable)}
    assert not [name for name in decayed if name.endswith(("bias", "beta", "gamma"))] and tables <= decayed
