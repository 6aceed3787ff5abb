"""How the networks are trained, as numbers that check themselves. No Keras: wrong ones are refused at once."""

from dataclasses import asdict, dataclass, replace
from typing import Literal

from serenity.errors import SettingError

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
