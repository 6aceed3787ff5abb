"""Sizes of the presets, and the table of weights that model files are checked against."""

from dataclasses import replace

import pytest

from serenity.errors import InputError
from serenity.model.quartet import (
    CONTEXTS,
    NetworkSettings,
    QuartetSettings,
    parameter_count,
    past_attributes,
    present_attributes,
    preset,
    weight_shapes,
)
from serenity.music.codec import CodecSettings
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, TOP_K, count_values
from serenity.tokens.windows import WindowSettings
from tests.songs import abc_songs

WHOLE = {attribute: size + SPECIALS for attribute, size in (TOP_K | {"velocity": 32}).items()}
TINY = NetworkSettings(8, 1, 2, 2, 12, context_dim=4)


def quartet(networks, sizes=WHOLE):
    return QuartetSettings(networks, sizes, WindowSettings(), CodecSettings())


@pytest.mark.parametrize("name, millions", [("lite", 24), ("full", 80)])
def test_presets_have_the_size_that_they_promise(name, millions):
    assert parameter_count(quartet(preset(name))) == pytest.approx(millions * 1e6, rel=0.05)


def test_mini_fits_into_25_megabytes_of_halves():
    assert parameter_count(quartet(preset("mini"))) * 2 <= 25e6 - 500_000  # the dictionaries take some of it


@pytest.mark.parametrize("change", [{}, {"context": "own"}, {"encoder_layers": 0}, {"composed": True},
                                    {"tied": False}, {"tied": False, "composed": True}, {"positions": "onset"}],
                         ids=str)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_table_of_weights_is_what_keras_builds(attribute, change):
    from serenity.model.transformer import build_network, get_weights

    vocabulary = count_values((song.events for _, song in abc_songs(1)))
    settings = quartet(dict.fromkeys(ATTRIBUTES, replace(TINY, **change)), vocabulary.sizes)
    network = build_network(settings, attribute, vocabulary)
    assert {name: values.shape for name, values in get_weights(network).items()} == weight_shapes(settings, attribute)


def test_each_attribute_reads_those_decided_before_it():
    every, own = (quartet(dict.fromkeys(ATTRIBUTES, replace(TINY, context=context))) for context in CONTEXTS[::-1])
    assert [present_attributes(every, attribute) for attribute in ("step", "pitch", "duration", "velocity")] \
        == [(), ("step",), ("step", "pitch"), ("step", "pitch", "duration")]
    other = replace(every, order=("pitch", "velocity", "step", "duration"))
    assert present_attributes(other, "step") == ("pitch", "velocity")
    assert past_attributes(every, "step") == ("pitch", "duration", "velocity")
    assert past_attributes(own, "step") == present_attributes(own, "velocity") == ()


def test_settings_survive_json():
    import json

    settings = quartet(preset("mini"))
    assert QuartetSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize("change, message", [
    ({"model_dim": 10, "num_heads": 3}, "model_dim 10 is no multiple of num_heads 3"),
    ({"decoder_layers": 0}, "decoder_layers 0, wanted a whole number of 1 or more"),
    ({"encoder_layers": -1}, "encoder_layers -1, wanted a whole number of 0 or more"),
    ({"positions": "none"}, "positions 'none', wanted one of sinusoidal, relative, rotary, onset"),
    ({"positions": "onset", "context": "own"}, "positions 'onset' are read from the steps; wanted context 'all'"),
    ({"positions": "rotary", "num_heads": 4}, "heads 2 wide; positions 'rotary' want a multiple of 4"),
    ({"dropout": 1.0}, "dropout 1.0, wanted"),
    ({"context": "some"}, "context 'some', wanted one of own, all"),
])
def test_sizes_that_cannot_be_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(TINY, **change)


def test_an_order_that_leaves_an_attribute_out_is_refused():
    with pytest.raises(InputError, match="order step, pitch, step, velocity; wanted each of"):
        replace(quartet(preset("mini")), order=("step", "pitch", "step", "velocity"))


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match="preset 'huge' is unknown; wanted one of mini, lite, full"):
        preset("huge")
