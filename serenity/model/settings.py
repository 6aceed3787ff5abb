"""The settings of the four transformers: their design, their sizes, the sizes of what they read, and how they draw.

No Keras.

The attributes of an event are decided in the order step, pitch, duration, velocity, each by its own transformer. What
such a transformer consists of depends on its design; there are two, serenity_design.py and original_design.py.
"""

from dataclasses import asdict, dataclass

from serenity.errors import InputError, SettingError
from serenity.music.settings import CodecSettings
from serenity.tokens.settings import ATTRIBUTES, WindowSettings

DESIGNS = ("serenity", "original")


@dataclass(frozen=True)
class NetworkSettings:
    """The size of one attribute's transformer."""

    model_dim: int                # width of the residual stream
    layers: int                   # of the decoder; the original's encoder has as many
    num_heads: int
    feed_forward_dim: int
    dropout: float = 0.1          # while training

    def __post_init__(self):
        for name in ("model_dim", "layers", "num_heads", "feed_forward_dim"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} {value!r}, wanted a whole number of 1 or more")
        if self.model_dim % (4 * self.num_heads):
            raise InputError(f"model_dim {self.model_dim} with num_heads {self.num_heads}; wanted heads whose width is "
                             "a multiple of 4")
        if not 0 <= self.dropout < 1:
            raise SettingError(f"dropout {self.dropout}, wanted 0 or more and below 1")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.model_dim // self.num_heads


@dataclass(frozen=True)
class ModelSettings:
    """Everything that is needed, besides weights and dictionaries, to rebuild the four networks and use them."""

    networks: dict[str, NetworkSettings]  # one for each attribute
    vocabulary_sizes: dict[str, int]      # tokens of each attribute
    window: WindowSettings
    codec: CodecSettings
    design: str = "serenity"              # one of DESIGNS

    def __post_init__(self):
        if self.design not in DESIGNS:
            raise InputError(f"design '{self.design}' is unknown; wanted one of {', '.join(DESIGNS)}")
        if set(self.networks) != set(ATTRIBUTES) or set(self.vocabulary_sizes) != set(ATTRIBUTES):
            raise InputError(f"networks for {', '.join(self.networks)}, wanted {', '.join(ATTRIBUTES)}")

    @property
    def has_encoder(self) -> bool:
        """Whether the networks have an encoder that reads the prompt, apart from what follows it."""
        return self.design == "original"

    @property
    def reach(self) -> int:
        """How many events of its own row a decoder sees: the continuation, or without an encoder the whole window."""
        return self.window.continuation if self.has_encoder else self.window.length

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict) -> "ModelSettings":
        """Return the settings of plain values. The inverse of to_dict. Raises InputError."""
        try:
            return ModelSettings({name: NetworkSettings(**values) for name, values in data["networks"].items()},
                                   {name: int(size) for name, size in data["vocabulary_sizes"].items()},
                                   WindowSettings(**data["window"]), CodecSettings(**data["codec"]), data["design"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"the settings cannot be read ({type(error).__name__}: {error})") from None


def _sizes(pitch: tuple[int, int], others: tuple[int, int]) -> dict[str, NetworkSettings]:
    """Return the four networks by (width, layers), with heads 64 wide."""
    return {attribute: NetworkSettings(width, layers, width // 64, 4 * width)
            for attribute in ATTRIBUTES for width, layers in [pitch if attribute == "pitch" else others]}


# Pitch has five times as many values as the others, and most of the music is in it: so it gets most of the weights.
PRESETS = {
    "serenity": {"mini": _sizes((192, 4), (128, 4)), "lite": _sizes((384, 5), (256, 5)),
                 "full": _sizes((640, 7), (384, 8))},
    "original": {"mini": _sizes((128, 2), (128, 2)), "lite": _sizes((384, 2), (256, 2)),
                 "full": _sizes((512, 5), (320, 4))},
}


def preset(name: str, design: str = "serenity") -> dict[str, NetworkSettings]:
    """Return the four networks of a preset. Raises InputError for an unknown name or design."""
    for wanted, known in ((design, PRESETS), (name, PRESETS["serenity"])):
        if wanted not in known:
            raise InputError(f"'{wanted}' is unknown; wanted one of {', '.join(known)}")
    return PRESETS[design][name]


# --- drawing ----------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Sampling:
    """How a token is chosen. The defaults draw by the network's own likelihoods.

    The four fields work in this order, each on the tokens that the one before has left. With a temperature of 0 or a
    top_k of 1 the likeliest token is taken, without chance.
    """

    temperature: float = 1.0  # divides the logits: below 1 safer, the likely become likelier; above 1 bolder
    top_k: int = 0            # choose among so many of the likeliest; 0: among all
    top_p: float = 1.0        # among the fewest that hold this share of the likelihood (arXiv 1904.09751, section 3.1)
    min_p: float = 0.0        # among those at least this many times as likely as the likeliest (arXiv 2407.01082)

    def __post_init__(self):
        if not 0 <= self.temperature <= 100:  # nan fails too
            raise InputError(f"temperature {self.temperature}, wanted 0 to 100")
        if self.top_k < 0:
            raise InputError(f"top_k {self.top_k}, wanted 0 (all) or more")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p {self.top_p}, wanted above 0 and at most 1")
        if not 0 <= self.min_p <= 1:
            raise InputError(f"min_p {self.min_p}, wanted 0 to 1")

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest is taken, without chance."""
        return self.temperature == 0 or self.top_k == 1
