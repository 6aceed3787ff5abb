"""The four transformers: their sizes, what each may read, and the shape of every weight. Plain tables, no Keras.

The attributes of an event are decided in the order step, pitch, duration, velocity, each by its own transformer.
Context `own` lets a transformer read only its own attribute's past (the seed's way). Context `all` lets it read the
past of all four, and those attributes of the present event that were decided before its own; the four together are
then one model of the song: p(step) p(pitch | step) p(duration | step, pitch) p(velocity | step, pitch, duration).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from serenity.errors import InputError
from serenity.model.positions import POSITIONS, TURNING
from serenity.music.codec import CodecSettings
from serenity.tokens.features import NUMBER, bar_numbers
from serenity.tokens.vocabulary import ATTRIBUTES, DECISION_ORDER
from serenity.tokens.windows import WindowSettings

CONTEXTS = ("own", "all")
NORM_EPSILON = 1e-5  # keeps layer normalisation from dividing by 0


@dataclass(frozen=True)
class NetworkSettings:
    """The size of one attribute's transformer."""

    model_dim: int                # width of the residual stream
    encoder_layers: int           # over the prompt; 0: none, and the decoder reads the prompt itself
    decoder_layers: int           # over the continuation
    num_heads: int
    feed_forward_dim: int
    dropout: float = 0.1          # while training
    context: str = "all"          # "own" or "all"
    context_dim: int = 64         # width in which each other attribute is read
    positions: str = "relative"   # see positions.py
    tied: bool = True             # the matrix that embeds tokens also scores them
    composed: bool = False        # a token's vector is its own and a sum of those of its features

    def __post_init__(self):
        for name, least in (("model_dim", 1), ("encoder_layers", 0), ("decoder_layers", 1), ("num_heads", 1),
                            ("feed_forward_dim", 1), ("context_dim", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} {value!r}, wanted a whole number of {least} or more")
        if self.model_dim % self.num_heads:
            raise InputError(f"model_dim {self.model_dim} is no multiple of num_heads {self.num_heads}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout {self.dropout}, wanted 0 or more and below 1")
        if self.context not in CONTEXTS:
            raise InputError(f"context '{self.context}', wanted one of {', '.join(CONTEXTS)}")
        if self.positions not in POSITIONS:
            raise InputError(f"positions '{self.positions}', wanted one of {', '.join(POSITIONS)}")
        if self.positions in TURNING and self.head_dim % 4:
            raise InputError(f"heads {self.head_dim} wide; positions '{self.positions}' want a multiple of 4")
        if self.positions == "onset" and self.context == "own":
            raise InputError("positions 'onset' are read from the steps; wanted context 'all'")

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
    order: tuple[str, ...] = DECISION_ORDER  # in which the attributes of an event are decided

    def __post_init__(self):
        if sorted(self.order) != sorted(ATTRIBUTES):
            raise InputError(f"order {', '.join(self.order)}; wanted each of {', '.join(ATTRIBUTES)} once")
        if set(self.networks) != set(ATTRIBUTES) or set(self.vocabulary_sizes) != set(ATTRIBUTES):
            raise InputError(f"networks for {', '.join(self.networks)}, wanted {', '.join(ATTRIBUTES)}")

    def has_encoder(self, attribute: str) -> bool:
        """Return whether an attribute's transformer reads the prompt apart."""
        return self.networks[attribute].encoder_layers > 0

    def reach(self, attribute: str) -> int:
        """Return how many events the decoder sees of its own: the continuation, or without encoder all of a window."""
        return self.window.continuation if self.has_encoder(attribute) else self.window.length

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict) -> "QuartetSettings":
        """Return the settings of plain values. The inverse of to_dict. Raises InputError."""
        try:
            return QuartetSettings({name: NetworkSettings(**values) for name, values in data["networks"].items()},
                                   {name: int(size) for name, size in data["vocabulary_sizes"].items()},
                                   WindowSettings(**data["window"]), CodecSettings(**data["codec"]),
                                   tuple(data["order"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"the settings cannot be read ({type(error).__name__}: {error})") from None


def _sizes(pitch: tuple[int, int], others: tuple[int, int]) -> dict[str, NetworkSettings]:
    """Return the four networks by (width, layers), with heads 64 wide."""
    def network(width: int, layers: int) -> NetworkSettings:
        return NetworkSettings(width, 0, layers, width // 64, 4 * width, positions="onset", composed=True)
    return {attribute: network(*(pitch if attribute == "pitch" else others)) for attribute in ATTRIBUTES}


# Pitch has five times the values of the others, and most of the music: it gets most of the weights.
PRESETS = {
    "mini": _sizes((192, 4), (128, 4)),
    "lite": _sizes((384, 5), (256, 5)),
    "full": _sizes((640, 7), (384, 8)),
}


def preset(name: str) -> dict[str, NetworkSettings]:
    """Return the four networks of a preset. Raises InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"preset '{name}' is unknown; wanted one of {', '.join(PRESETS)}")
    return PRESETS[name]


# --- what each network reads ------------------------------------------------------------------------------------------

def past_attributes(settings: QuartetSettings, attribute: str) -> tuple[str, ...]:
    """Return the other attributes whose past a transformer reads."""
    if settings.networks[attribute].context == "own":
        return ()
    return tuple(other for other in ATTRIBUTES if other != attribute)


def present_attributes(settings: QuartetSettings, attribute: str) -> tuple[str, ...]:
    """Return the attributes of the present event that are decided before `attribute` and that it reads."""
    if settings.networks[attribute].context == "own":
        return ()
    return settings.order[:settings.order.index(attribute)]


# --- the shape of every weight ----------------------------------------------------------------------------------------

def weight_shapes(settings: QuartetSettings, attribute: str) -> dict[str, tuple[int, ...]]:
    """Return name and shape of each weight of one attribute's transformer: what a model file must hold."""
    network, sizes, window = settings.networks[attribute], settings.vocabulary_sizes, settings.window
    width, inner = network.model_dim, network.feed_forward_dim

    def norm(name):
        return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}

    def attention(name, distances):
        relative = {f"{name}/relative": (network.num_heads, distances, network.head_dim)}
        return {**{f"{name}/{part}/kernel": (width, width) for part in ("query", "key", "value", "output")},
                **(relative if network.positions == "relative" else {})}

    def feed_forward(name):
        return {f"{name}/inner/kernel": (width, inner), f"{name}/inner/bias": (inner,),
                f"{name}/outer/kernel": (inner, width), f"{name}/outer/bias": (width,)}

    def tokens(name):
        own = {f"{name}/{attribute}": (sizes[attribute], width)}
        return own | ({f"{name}/features": (NUMBER[attribute], width)} if network.composed else {})

    def context(name, others):
        rows = NUMBER if network.composed else sizes  # of others the features are enough
        tables = {f"{name}/{other}": (rows[other], network.context_dim) for other in others}
        bars = {f"{name}/bars": (bar_numbers(settings.codec.grid), width)}
        return tables | bars | {f"{name}/merge/kernel": (network.context_dim * len(others), width)} if others else {}

    shapes = tokens("embedding")
    shapes |= context("past", past_attributes(settings, attribute))
    shapes |= context("present", present_attributes(settings, attribute))
    for layer in range(network.encoder_layers):
        name = f"encoder_{layer}"
        shapes |= norm(f"{name}/attention_norm") | attention(f"{name}/attention", 2 * window.prompt - 1)
        shapes |= norm(f"{name}/feed_forward_norm") | feed_forward(f"{name}/feed_forward")
    if network.encoder_layers:
        shapes |= norm("encoder_norm")
    for layer in range(network.decoder_layers):
        name = f"decoder_{layer}"
        shapes |= norm(f"{name}/attention_norm") | attention(f"{name}/attention", settings.reach(attribute))
        if network.encoder_layers:
            shapes |= norm(f"{name}/cross_attention_norm")
            shapes |= attention(f"{name}/cross_attention", window.prompt + window.continuation - 1)
        shapes |= norm(f"{name}/feed_forward_norm") | feed_forward(f"{name}/feed_forward")
    shapes |= norm("decoder_norm") | ({} if network.tied else tokens("logits"))
    return shapes | {"bias": (sizes[attribute],)}


def parameter_count(settings: QuartetSettings, attributes: Sequence[str] = ATTRIBUTES) -> int:
    """Return the number of weights of the networks of some attributes together."""
    return sum(math.prod(shape) for attribute in attributes for shape in weight_shapes(settings, attribute).values())
