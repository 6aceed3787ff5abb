"""Settings of the four networks: what can be, and that they survive being written."""

import json
from dataclasses import replace

import pytest

from serenity.errors import InputError
from serenity.settings import DESIGNS, PRESETS, CodecSettings, ModelSettings, NetworkSettings, WindowSettings, preset
from serenity.tokens.vocabulary import TOP_K

TINY = NetworkSettings(8, 1, 2, 12)


def model_settings(networks, design="serenity"):
    return ModelSettings(networks, TOP_K, WindowSettings(), CodecSettings(), design)


@pytest.mark.parametrize("design", DESIGNS)
def test_settings_survive_json(design):
    settings = model_settings(preset("mini", design), design)
    assert ModelSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_a_decoder_sees_the_continuation_or_the_whole_window_where_it_reads_the_prompt_too():
    window = WindowSettings()
    own, original = (model_settings(preset("mini", design), design) for design in DESIGNS)
    assert (own.has_encoder, own.reach) == (False, window.length)
    assert (original.has_encoder, original.reach) == (True, window.continuation)


@pytest.mark.parametrize("change, message", [
    ({"model_dim": 10, "num_heads": 3}, "model_dim 10 with num_heads 3; wanted heads whose width is a multiple of 4"),
    ({"num_heads": 4}, "model_dim 8 with num_heads 4; wanted heads"),
    ({"layers": 0}, "layers 0, wanted a whole number of 1 or more"),
    ({"feed_forward_dim": 1.5}, "feed_forward_dim 1.5, wanted a whole number"),
    ({"dropout": 1.0}, "dropout 1.0, wanted"),
])
def test_sizes_that_cannot_be_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(TINY, **change)


def test_an_unknown_preset_or_design_is_refused():
    with pytest.raises(InputError, match="'huge' is unknown; wanted one of mini, lite, full"):
        preset("huge")
    with pytest.raises(InputError, match="'modern' is unknown; wanted one of serenity, original"):
        preset("mini", "modern")
    with pytest.raises(InputError, match="design 'modern' is unknown; wanted one of serenity, original"):
        model_settings(PRESETS["serenity"]["mini"], "modern")


def test_settings_that_name_what_is_no_more_are_refused():
    data = model_settings(preset("mini")).to_dict()
    data["networks"]["pitch"] |= {"encoder_layers": 0}
    with pytest.raises(InputError, match="the settings cannot be read .*encoder_layers"):
        ModelSettings.from_dict(data)
