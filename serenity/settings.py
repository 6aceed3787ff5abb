"""All settings, as numbers that check themselves: songs, events, dictionaries, windows, networks, drawing, training.

Each default stands here, once. Light: --help shows them, and what is wrong is refused before anything is read.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal

from serenity.categories import CategoryName, category_named
from serenity.errors import InputError, SettingError, check_range

MOST_SYNTHETIC = 24  # more would be alike but for chance
BPM = (10.0, 600.0)  # quarters a minute that a user may state
LEVELS = (0.25, 4.0)  # quarters for each one found


@dataclass(frozen=True)
class SongSettings:
    """Which songs are kept, and what is made of them."""

    filters: bool = True               # keep only songs that serenity/music/quality.py takes for pop
    synthetic: int = 22                # make so many synthetic songs of each song; 0: none
    seed: int = 0                      # number that chance starts from (synthetic songs, spot check)
    max_events: int = 20_000           # longer songs are refused: they are medleys or music of machines

    def __post_init__(self):
        check_range(self, synthetic=(0, MOST_SYNTHETIC), seed=(0, 2**32 - 1), max_events=(1, 10**6))


@dataclass(frozen=True)
class CodecSettings:
    """How songs become events. A model carries the settings that it was trained with."""

    category: CategoryName = "piano"   # instrument: which tracks are read, their centre pitch and range
    normalise: str = "key"             # move pitches: key (to C major or A minor), centre (to the centre pitch), none
    grid: int = 24                     # points in a quarter; 24 can hold thirty-seconds, and triplets of sixteenths
    exact_lengths: int | None = 24     # durations up to so many points are exact, longer ones coarser; None: all are
    split_ratio: float | None = 1.5    # longest/shortest duration in one chord; None: one chord for each onset

    def __post_init__(self):
        category_named(self.category)
        if self.normalise not in ("key", "centre", "none"):
            raise SettingError(f"normalise '{self.normalise}' is unknown; wanted key, centre or none")
        exact = 1 if self.exact_lengths is None else self.exact_lengths
        for name, value, lowest, highest in (("grid", self.grid, 4, 480), ("exact_lengths", exact, 1, 10**6)):
            if not isinstance(value, int) or not lowest <= value <= highest:
                raise SettingError(f"{name} {value}, wanted a whole number from {lowest} to {highest:,}")
        if self.split_ratio is not None and not self.split_ratio >= 1:
            raise SettingError(f"split_ratio {self.split_ratio} is out of range; wanted 1 or more, or None")


@dataclass(frozen=True)
class Hints:
    """What a user knows better than file and notes; None, or 1 for `level`: nothing."""

    bpm: float | None = None               # quarters a minute
    metre: tuple[int, int] | None = None   # numerator and denominator of the time signature
    first_beat: float | None = None        # seconds at which a bar begins
    level: float = 1.0                     # 2: twice as many quarters as found; 0.5: half as many

    def __post_init__(self):
        if self.bpm is not None and not BPM[0] <= self.bpm <= BPM[1]:
            raise SettingError(f"bpm {self.bpm:g}; wanted {BPM[0]:g} to {BPM[1]:g}")
        if self.first_beat is not None and not abs(self.first_beat) < 86_400:
            raise SettingError(f"first_beat {self.first_beat:g}; wanted a time in the song, in seconds")
        if not LEVELS[0] <= self.level <= LEVELS[1]:
            raise SettingError(f"level {self.level:g}; wanted {LEVELS[0]:g} to {LEVELS[1]:g} quarters for each one "
                               "found")
        if self.metre is not None:
            numerator, denominator = self.metre
            if not 1 <= numerator <= 64 or denominator not in (1, 2, 4, 8, 16, 32):
                raise SettingError(f"metre {numerator}/{denominator}; wanted one such as 4/4, 3/4, 6/8 or 12/8")


# --- dictionaries and windows -----------------------------------------------------------------------------------------

ATTRIBUTES = ("pitch", "step", "duration", "velocity")
SPECIALS = 3                      # tokens that stand for no value: nothing, before a song, after a song
MOST_VALUES = 2 ** 16 - SPECIALS  # tokens are stored in 16 bits
SHORTEST_PROMPT = 16              # events; shorter seeds are completed too, but training seldom shows them


@dataclass(frozen=True)
class DictionarySettings:
    """How many of the commonest values of each attribute the dictionaries hold."""

    top_k_pitch: int = 5000            # how many of the commonest chords the dictionary holds
    top_k_timing: int = 1000           # how many of the commonest steps, and durations, the dictionaries hold

    def __post_init__(self):
        check_range(self, top_k_pitch=(1, MOST_VALUES), top_k_timing=(1, MOST_VALUES))

    @property
    def sizes(self) -> dict[str, int]:
        """The largest number of values of each attribute. Velocity has all possible ones: 32 bins by 11 accents."""
        return {"pitch": self.top_k_pitch, "step": self.top_k_timing, "duration": self.top_k_timing, "velocity": 352}


@dataclass(frozen=True)
class WindowSettings:
    """Sizes of a window, in events."""

    prompt: int = 128                  # longest prompt in a window
    continuation: int = 256            # events after the prompt in a window

    def __post_init__(self):
        if self.prompt < SHORTEST_PROMPT or self.continuation < 1:
            raise InputError(f"window of {self.prompt} + {self.continuation} events; wanted a prompt of "
                             f"{SHORTEST_PROMPT} or more and a continuation of 1 or more")

    @property
    def length(self) -> int:
        """Events of prompt and continuation in one row, each with the event after it; the last one has none."""
        return self.prompt + self.continuation - 1


# --- networks ---------------------------------------------------------------------------------------------------------

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


# --- training ---------------------------------------------------------------------------------------------------------

USUAL = {"epochs": 10, "patience": None, "learning_rate": 5e-3}
FINE_TUNING = {"epochs": 12, "patience": 3, "learning_rate": 1e-3}  # few songs are soon learned by heart


@dataclass(frozen=True)
class TrainingSettings:
    """How the networks are trained."""

    epochs: int | None = None                    # times that all songs are shown; None: 10, with --from 12
    batch: int = 8                               # windows shown at the same time: as many as fit into memory
    learning_rate: float | None = None           # its highest value, after the warm-up; None: 5e-3, with --from 1e-3
    warmup: float = 0.05                         # share of all steps in which the learning rate rises
    weight_decay: float = 0.01                   # share of the weights, times the learning rate, removed in each step
    accumulate: int = 1                          # batches in one step: for steps that are larger than memory allows
    label_smoothing: float = 0.0                 # share of the target spread over all tokens; bits are counted without
    patience: int | None = None                  # stop after so many epochs without improvement; None: never, --from 3
    epoch_songs: int | None = None               # songs in one epoch; the next epoch shows others; None: all songs
    # how much of its synthetic songs an epoch shows beside each song. 0.5: parts that are together half as long as the
    # song, others in each epoch; None: all of them, whole
    synthetic: float | None = 0.5
    precision: Literal["float32", "bfloat16"] = "float32"  # of products; bfloat16: faster on a GPU, slower on a CPU
    xla: bool = False                            # compile with XLA: training begins a minute later
    seed: int = 0                                # number that chance starts from (weights, windows, dropout)

    def __post_init__(self):
        for name in ("epochs", "batch", "accumulate", "patience", "epoch_songs"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise SettingError(f"{name} {value}, wanted 1 or more")
        if self.synthetic is not None and not self.synthetic >= 0:
            raise SettingError(f"synthetic {self.synthetic}, wanted 0 or more")
        if self.learning_rate is not None and not 0 < self.learning_rate < 1:
            raise SettingError(f"learning_rate {self.learning_rate}, wanted above 0 and below 1")
        if not self.weight_decay >= 0:
            raise SettingError(f"weight_decay {self.weight_decay}, wanted 0 or more")
        for name in ("warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"{name} {getattr(self, name)}, wanted a share from 0 to below 1")
        if self.precision not in ("float32", "bfloat16"):
            raise SettingError(f"precision '{self.precision}', wanted float32 or bfloat16")
        if not 0 <= self.seed < 2 ** 32:
            raise SettingError(f"seed {self.seed}, wanted 0 to {2 ** 32 - 1:,}")

    def settled(self, fine_tuning: bool = False) -> "TrainingSettings":
        """Return the settings with each None replaced by its default, which is another one in fine-tuning."""
        usual = FINE_TUNING if fine_tuning else USUAL
        return replace(self, **{name: value for name, value in usual.items() if getattr(self, name) is None})

    def difference(self, before: dict) -> str:
        """Return in words what differs from the settings `before` (a dict, as asdict gives it); "" if nothing does."""
        return ", ".join(f"{name.replace('_', ' ')} {value} (before: {before[name]})" for name, value
                         in asdict(self).items() if name in before and before[name] != value)

    def parts(self, songs: int) -> int:
        """Return in how many epochs all songs are shown once."""
        return max(1, round(songs / self.epoch_songs)) if self.epoch_songs else 1
