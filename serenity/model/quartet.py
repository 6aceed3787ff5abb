"""The four transformers: their sizes, what each may read, and the shape of every weight. Plain tables, no Keras.

The attributes of an event are decided in the order step, pitch, duration, velocity, each by its own transformer.
Context `own` lets a transformer read only its own attribute's past (the seed's way). Context `all` lets it read the
past of all four, and those attributes of the present event that were decided before its own; the four together are
then one model of the song: p(step) p(pitch | step) p(duration | step, pitch) p(velocity | step, pitch, duration).
"""

import math
from dataclasses import asdict, dataclass

from serenity.errors import InputError
from serenity.music.codec import CodecSettings
from serenity.tokens.vocabulary import ATTRIBUTES, DECISION_ORDER
from serenity.tokens.windows import WindowSettings

CONTEXTS = ("own", "all")
NORM_EPSILON = 1e-5  # keeps layer normalisation from dividing by 0


@dataclass(frozen=True)
class NetworkSettings:
    """The size of one attribute's transformer."""

    model_dim: int                # width of the residual stream
    encoder_layers: int           # over the prompt
    decoder_layers: int           # over the continuation
    num_heads: int
    feed_forward_dim: int
    dropout: float = 0.1          # while training
    context: str = "all"          # "own" or "all"
    context_dim: int = 64         # width in which each other attribute is read

    def __post_init__(self):
        whole = ("model_dim", "encoder_layers", "decoder_layers", "num_heads", "feed_forward_dim", "context_dim")
        for name in whole:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} {value!r}, wanted a whole number of 1 or more")
        if self.model_dim % self.num_heads:
            raise InputError(f"model_dim {self.model_dim} is no multiple of num_heads {self.num_heads}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout {self.dropout}, wanted 0 or more and below 1")
        if self.context not in CONTEXTS:
            raise InputError(f"context '{self.context}', wanted one of {', '.join(CONTEXTS)}")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.model_dim // self.num_heads


@dataclass(frozen=True)
class QuartetSettings:
    """All that is needed, beside weights and dictionaries, to rebuild the four networks and use them."""

    networks: dict[str, NetworkSettings]  # one for each attribute
    vocabulary_sizes: dict[str, int]      # tokens of each attribute
    window: WindowSettings
    codec: CodecSettings

    def __post_init__(self):
        if set(self.networks) != set(ATTRIBUTES) or set(self.vocabulary_sizes) != set(ATTRIBUTES):
            raise InputError(f"networks for {', '.join(self.networks)}, wanted {', '.join(ATTRIBUTES)}")

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict) -> "QuartetSettings":
        """Return the settings of plain values. The inverse of to_dict. Raises InputError."""
        try:
            return QuartetSettings({name: NetworkSettings(**values) for name, values in data["networks"].items()},
                                   {name: int(size) for name, size in data["vocabulary_sizes"].items()},
                                   WindowSettings(**data["window"]), CodecSettings(**data["codec"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"the settings cannot be read ({type(error).__name__}: {error})") from None


def _sizes(pitch: NetworkSettings, others: NetworkSettings) -> dict[str, NetworkSettings]:
    return {attribute: pitch if attribute == "pitch" else others for attribute in ATTRIBUTES}


# Pitch has five times the values of the others, and most of the music: it gets most of the weights.
PRESETS = {
    "mini": _sizes(NetworkSettings(192, 2, 4, 4, 768), NetworkSettings(128, 2, 3, 2, 512)),
    "lite": _sizes(NetworkSettings(288, 2, 5, 6, 1152), NetworkSettings(176, 2, 4, 4, 704)),
    "full": _sizes(NetworkSettings(512, 3, 6, 8, 2048), NetworkSettings(320, 2, 5, 5, 1280)),
}


def preset(name: str) -> dict[str, NetworkSettings]:
    """Return the four networks of a preset. Raises InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"preset '{name}' is unknown; wanted one of {', '.join(PRESETS)}")
    return PRESETS[name]


# --- what each network reads ------------------------------------------------------------------------------------------

def past_attributes(attribute: str, context: str) -> tuple[str, ...]:
    """Return the other attributes whose past a transformer reads."""
    return () if context == "own" else tuple(other for other in ATTRIBUTES if other != attribute)


def present_attributes(attribute: str, context: str) -> tuple[str, ...]:
    """Return the attributes of the present event that are decided before `attribute` and that it reads."""
    return () if context == "own" else DECISION_ORDER[:DECISION_ORDER.index(attribute)]


# --- the shape of every weight ----------------------------------------------------------------------------------------

def weight_shapes(settings: QuartetSettings, attribute: str) -> dict[str, tuple[int, ...]]:
    """Return name and shape of each weight of one attribute's transformer: what a model file must hold."""
    network, sizes, window = settings.networks[attribute], settings.vocabulary_sizes, settings.window
    width, inner = network.model_dim, network.feed_forward_dim

    def norm(name):
        return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}

    def attention(name, distances):
        return {**{f"{name}/{part}/kernel": (width, width) for part in ("query", "key", "value", "output")},
                f"{name}/relative": (network.num_heads, distances, network.head_dim)}

    def feed_forward(name):
        return {f"{name}/inner/kernel": (width, inner), f"{name}/inner/bias": (inner,),
                f"{name}/outer/kernel": (inner, width), f"{name}/outer/bias": (width,)}

    def context(name, others):
        if not others:
            return {}
        return {**{f"{name}/{other}": (sizes[other], network.context_dim) for other in others},
                f"{name}/merge/kernel": (network.context_dim * len(others), width)}

    shapes = {f"embedding/{attribute}": (sizes[attribute], width)}
    shapes |= context("embedding", past_attributes(attribute, network.context))
    shapes |= context("present", present_attributes(attribute, network.context))
    for layer in range(network.encoder_layers):
        name = f"encoder_{layer}"
        shapes |= norm(f"{name}/attention_norm") | attention(f"{name}/attention", 2 * window.prompt - 1)
        shapes |= norm(f"{name}/feed_forward_norm") | feed_forward(f"{name}/feed_forward")
    shapes |= norm("encoder_norm")
    for layer in range(network.decoder_layers):
        name = f"decoder_{layer}"
        shapes |= norm(f"{name}/attention_norm") | attention(f"{name}/attention", window.continuation)
        shapes |= norm(f"{name}/cross_attention_norm")
        shapes |= attention(f"{name}/cross_attention", window.prompt + window.continuation - 1)
        shapes |= norm(f"{name}/feed_forward_norm") | feed_forward(f"{name}/feed_forward")
    return shapes | norm("decoder_norm") | {"logits/bias": (sizes[attribute],)}


def parameter_count(settings: QuartetSettings) -> int:
    """Return the number of weights of the four networks together."""
    return sum(math.prod(shape) for attribute in ATTRIBUTES for shape in weight_shapes(settings, attribute).values())
