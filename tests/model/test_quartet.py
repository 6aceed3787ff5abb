"""Sizes of the presets, and the table of weights that model files are checked against."""

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
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, TOP_K
from serenity.tokens.windows import WindowSettings

WHOLE = {attribute: size + SPECIALS for attribute, size in (TOP_K | {"velocity": 32}).items()}
TINY = NetworkSettings(8, 1, 2, 2, 12, context_dim=4)


def quartet(networks, sizes=WHOLE):
    return QuartetSettings(networks, sizes, WindowSettings(), CodecSettings())


@pytest.mark.parametrize("name, millions", [("lite", 24), ("full", 80)])
def test_presets_have_the_size_that_they_promise(name, millions):
    assert parameter_count(quartet(preset(name))) == pytest.approx(millions * 1e6, rel=0.05)


def test_mini_fits_into_25_megabytes_of_halves():
    assert parameter_count(quartet(preset("mini"))) * 2 <= 25e6 - 500_000  # the dictionaries take some of it


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_table_of_weights_is_what_keras_builds(attribute, context):
    from dataclasses import replace

    from serenity.model.transformer import build_network, get_weights

    settings = quartet(dict.fromkeys(ATTRIBUTES, replace(TINY, context=context)),
                       {"pitch": 40, "step": 21, "duration": 22, "velocity": 13})
    network = build_network(settings, attribute)
    assert {name: values.shape for name, values in get_weights(network).items()} == weight_shapes(settings, attribute)


def test_each_attribute_reads_those_decided_before_it():
    assert [present_attributes(attribute, "all") for attribute in ("step", "pitch", "duration", "velocity")] \
        == [(), ("step",), ("step", "pitch"), ("step", "pitch", "duration")]
    assert past_attributes("step", "all") == ("pitch", "duration", "velocity")
    assert past_attributes("step", "own") == present_attributes("velocity", "own") == ()


def test_settings_survive_json():
    import json

    settings = quartet(preset("mini"))
    assert QuartetSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize("change, message", [
    ({"model_dim": 10, "num_heads": 3}, "model_dim 10 is no multiple of num_heads 3"),
    ({"encoder_layers": 0}, "encoder_layers 0, wanted a whole number"),
    ({"dropout": 1.0}, "dropout 1.0, wanted"),
    ({"context": "some"}, "context 'some', wanted one of own, all"),
])
def test_sizes_that_cannot_be_are_refused(change, message):
    from dataclasses import replace

    with pytest.raises(InputError, match=message):
        replace(TINY, **change)


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match="preset 'huge' is unknown; wanted one of mini, lite, full"):
        preset("huge")
