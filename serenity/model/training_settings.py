"""How the networks are trained, as numbers that check themselves. No Keras: wrong ones are refused at once."""

from dataclasses import asdict, dataclass

from serenity.errors import SettingError

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainingSettings:
    """How the networks are trained."""

    epochs: int = 10
    batch: int = 8                  # windows that are shown at a time
    learning_rate: float = 1e-3     # at its peak
    warmup: float = 0.05            # share of all steps over which the learning rate climbs
    weight_decay: float = 0.01
    accumulate: int = 1             # batches that make one step, for more windows a step than memory holds
    label_smoothing: float = 0.0    # share of the target that is spread evenly over all tokens
    patience: int | None = None     # epochs without improvement after which training ends; None: never
    epoch_songs: int | None = None  # songs in one epoch; the next epoch shows others; None: all songs
    synthetic: float | None = 0.5   # so much of each song's synthetic songs an epoch shows, as songs; None: all
    precision: str = "float32"      # or "bfloat16": in which products are taken; weights are float32 in any case
    xla: bool = False               # compile the steps by XLA
    seed: int = 0                   # of weights, windows and dropout

    def __post_init__(self):
        for name in ("epochs", "batch", "accumulate", "patience", "epoch_songs"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise SettingError(f"{name} {value}, wanted 1 or more")
        if self.synthetic is not None and not self.synthetic >= 0:
            raise SettingError(f"synthetic {self.synthetic}, wanted 0 or more")
        if not 0 < self.learning_rate < 1:
            raise SettingError(f"learning_rate {self.learning_rate}, wanted above 0 and below 1")
        if not self.weight_decay >= 0:
            raise SettingError(f"weight_decay {self.weight_decay}, wanted 0 or more")
        for name in ("warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"{name} {getattr(self, name)}, wanted a share from 0 to below 1")
        if self.precision not in PRECISIONS:
            raise SettingError(f"precision '{self.precision}', wanted one of {', '.join(PRECISIONS)}")
        if not 0 <= self.seed < 2 ** 32:
            raise SettingError(f"seed {self.seed}, wanted 0 to {2 ** 32 - 1:,}")

    def difference(self, before: dict) -> str:
        """Return in words what is other than in settings `before`, as asdict gives them; "" where nothing is."""
        return ", ".join(f"{name.replace('_', ' ')} {value} (before: {before[name]})" for name, value
                         in asdict(self).items() if name in before and before[name] != value)

    def parts(self, songs: int) -> int:
        """Return in how many epochs all songs are shown once."""
        return max(1, round(songs / self.epoch_songs)) if self.epoch_songs else 1
