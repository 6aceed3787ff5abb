"""The state of a training run after an epoch, from which another process can continue exactly: one file, only NumPy.

    training/pitch.state.npz   weights and the optimizer's moments in full precision, and how far the run is, as JSON

Windows and dropout are not in it: they follow from seed and epoch (see dataset.py, callbacks.py). Loading executes
nothing.
"""

import json
import math
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from serenity.errors import InputError
from serenity.files import whole
from serenity.model.transformer import get_weights, set_weights
from serenity.settings import TrainingSettings

ITERATION = "iteration"  # the optimizer's count of batches: it follows from the epoch


@dataclass
class Progress:
    """How far a run is."""

    epochs: int = 0                  # whole ones
    minutes: float = 0.0
    best_bits: float = math.inf      # per validation event
    best_epoch: int = 0              # the epoch that has them; 0: the network that the run began with
    base_bits: float | None = None   # bits of the network that the run began with, if that was trained
    settings: list[dict] = field(default_factory=list)  # of the training, and `first`, the epoch from which they hold

    @property
    def waited(self) -> int:
        """Epochs since the last improvement."""
        return self.epochs - self.best_epoch

    def take(self, training: TrainingSettings) -> str:
        """Store the settings of the epochs that follow; return in words what is different from before."""
        difference = training.difference(self.settings[-1]) if self.settings else ""
        if difference or not self.settings:
            self.settings.append({"first": self.epochs + 1, **asdict(training)})
        return difference

    def is_over(self, training: TrainingSettings) -> bool:
        """Return whether the run is at its end, or has lost its patience: like keras.callbacks.EarlyStopping, never
        after the first epoch."""
        impatient = training.patience is not None and self.epochs > 1 and self.waited >= training.patience
        return self.epochs >= training.epochs or impatient


def write(path: Path, network: keras.Model, progress: Progress) -> None:
    """Write the state of a compiled network. The file appears only when it is whole; the one before stays till then."""
    arrays = {f"network/{name}": values for name, values in get_weights(network).items()}
    arrays |= {f"optimizer/{name}": keras.ops.convert_to_numpy(variable.value)
               for name, variable in _moments(network).items()}
    with whole(path) as part, open(part, "wb") as file:  # given a name, np.savez would add its own ending
        np.savez(file, progress=np.array(json.dumps(asdict(progress))), **arrays)


def read(path: Path) -> tuple[Progress, dict[str, np.ndarray]]:
    """Return progress and arrays of what `write` wrote. Raises InputError where it is not a complete state."""
    try:
        with np.load(path, allow_pickle=False) as file:
            progress = Progress(**json.loads(str(file["progress"])))
            return progress, {name: file[name] for name in file.files if name != "progress"}
    except (zipfile.BadZipFile, ValueError, TypeError, KeyError, EOFError, OSError) as error:
        raise InputError(f"{path} is not a complete state of a training ({error}); remove it to begin again") from None


def restore(network: keras.Model, arrays: dict[str, np.ndarray], batches: int) -> None:
    """Give a compiled and built network the state that `read` returned, after so many batches.

    Gradients that were gathered, but not yet applied, are restored if both runs gather them. Raises InputError if the
    state belongs to another network.
    """
    try:
        set_weights(network, {name.removeprefix("network/"): values for name, values in arrays.items()
                              if name.startswith("network/")})
        for name, variable in _moments(network).items():
            if f"optimizer/{name}" in arrays or not name.endswith("_gradient_accumulator"):
                variable.assign(arrays[f"optimizer/{name}"])
    except (KeyError, ValueError) as error:
        raise InputError(f"the state of the training run is another network's ({error}); wanted the same settings "
                         "as before, or another --model") from None
    _variables(network)[ITERATION].assign(batches)


def _moments(network: keras.Model) -> dict:
    return {name: variable for name, variable in _variables(network).items() if name != ITERATION}


def _variables(network: keras.Model) -> dict:
    return {variable.name: variable for variable in network.optimizer.variables}
