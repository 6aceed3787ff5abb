"""What a training will take: memory, steps and time, by a few real steps of a network. Nothing is written."""

import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras

from serenity.model.dataset import Task
from serenity.model.devices import Devices, explained, precision
from serenity.model.training import prepare
from serenity.tokens.windows import tile_places

STEPS = 4  # steps that are timed; one step before them compiles


@dataclass(frozen=True)
class Estimate:
    """What the training of one network will take."""

    parameters: int
    state_bytes: int      # weights, gradients and the optimizer's moments, in float32
    steps: int            # batches of all epochs
    step_seconds: float
    epochs: int
    judge_seconds: float  # after each epoch, on the validation songs

    @property
    def seconds(self) -> float:
        """Expected time of the whole training."""
        return self.steps * self.step_seconds + self.epochs * self.judge_seconds


def estimate(task: Task) -> Estimate:
    """Return what training one attribute's network will take, on the devices that training would use."""
    training = task.training
    keras.utils.clear_session()
    with explained(task.attribute), precision(training.precision):
        network, dataset = prepare(task, Devices(training))
        batches = [dataset[number % len(dataset)] for number in range(STEPS)]
        step = _seconds([lambda batch=batch: network.train_on_batch(*batch) for batch in batches])
        judge = _seconds([lambda batch=batch: network.predict_on_batch(batch[0]) for batch in batches])
    windows = len(tile_places([len(song) for song in task.judged], task.settings.window))
    numbers = 2 * network.count_params() + sum(math.prod(variable.shape) for variable in network.optimizer.variables)
    return Estimate(network.count_params(), 4 * numbers, training.epochs * len(dataset), step, training.epochs,
                    windows / training.batch * judge)


def peak_bytes() -> int:
    """Return the most memory, in bytes, that was used so far: of the first GPU if there is one, else of this process.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_logical_devices("GPU"):
            return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _seconds(calls: list[Callable]) -> float:
    """Return the mean seconds of a call. The first call is made once before, without timing: it compiles."""
    calls[0]()
    started = time.perf_counter()
    for call in calls:
        call()
    return (time.perf_counter() - started) / len(calls)
