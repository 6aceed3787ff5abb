"""The designs of networks by name, and what each of them must provide."""

import math
from collections.abc import Sequence

from serenity.model import original_design, serenity_design
from serenity.model.layers import Shapes, Weights
from serenity.settings import ModelSettings
from serenity.tokens.vocabulary import ATTRIBUTES, Vocabulary

MODULES = {"serenity": serenity_design, "original": original_design}

Network = serenity_design.Network | original_design.Network
Decoder = serenity_design.Decoder | original_design.Decoder


def weight_shapes(settings: ModelSettings, attribute: str) -> Shapes:
    """Return name and shape of each weight of one attribute's network: these are trained, and a file must hold them."""
    return MODULES[settings.design].shapes(settings, attribute)


def parameter_count(settings: ModelSettings, attributes: Sequence[str] = ATTRIBUTES) -> int:
    """Return the number of weights of the networks of some attributes together."""
    return sum(math.prod(shape) for attribute in attributes for shape in weight_shapes(settings, attribute).values())


def make_network(settings: ModelSettings, attribute: str, vocabulary: Vocabulary) -> Network:
    """Return one attribute's network without weights, for training (transformer.Transformer)."""
    return MODULES[settings.design].Network(settings, attribute, vocabulary)


def make_decoder(settings: ModelSettings, attribute: str, weights: Weights, vocabulary: Vocabulary) -> Decoder:
    """Return one attribute's network for generation, with the weights of weight_shapes in float32."""
    return MODULES[settings.design].Decoder(settings, attribute, weights, vocabulary)
