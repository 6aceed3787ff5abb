"""What training runs on: precision, one device or several, and what its failures mean."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import keras

from serenity.errors import InputError
from serenity.settings import TrainingSettings

# Keras may wrap an exception in another one that keeps only its text.
SIGNS_OF_MEMORY = ("MemoryError", "ResourceExhausted", "RESOURCE_EXHAUSTED", "OutOfMemory", "OOM when allocating")


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Within, layers are built that compute products in "float32" or "bfloat16"; weights and losses are float32 always.

    Mixed precision (arXiv 1710.03740); bfloat16 has the range of float32, so that the loss needs no scaling (arXiv
    1905.12322). Afterwards Keras's own policy is as it was before.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if name == "bfloat16" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class Devices:
    """The devices of one training run: `with devices.scope():` networks and optimizers are made for them."""

    def __init__(self, training: TrainingSettings, names: Sequence[str] | None = None):
        """`names` are TensorFlow's, such as "GPU:0"; None: all GPUs. Raises InputError if they cannot be used."""
        self.strategy = None
        if keras.backend.backend() != "tensorflow":
            return
        import tensorflow as tf

        if names is None:
            names = [device.name for device in tf.config.list_logical_devices("GPU")]
        if len(names) < 2:
            return
        if training.batch % len(names):
            raise InputError(f"a batch of {training.batch} windows on {len(names)} GPUs; wanted a multiple of them, or "
                             "one GPU by CUDA_VISIBLE_DEVICES=0")
        if training.accumulate > 1:  # it is a condition, inside which devices cannot work together
            raise InputError(f"--accumulate {training.accumulate} on {len(names)} GPUs; TensorFlow wants one of the "
                             "two: a larger --batch, or one GPU by CUDA_VISIBLE_DEVICES=0")
        self.strategy = tf.distribute.MirroredStrategy(names)

    @property
    def count(self) -> int:
        """Number of devices that share a batch."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    def scope(self):
        """Return the context in which variables are made for all devices."""
        return self.strategy.scope() if self.strategy else nullcontext()


@contextmanager
def explained(attribute: str) -> Iterator[None]:
    """Turn a fault that a user can mend into an InputError of one line: no memory, a full disk, a loss that is NaN.

    Frameworks have their own exceptions for the first two; these are recognised by their text.
    """
    kept = "the last whole epoch is kept: run again with --resume"
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in text:
            raise InputError(f"the disk is full; {kept} when there is room") from error
        if any(sign in text for sign in SIGNS_OF_MEMORY):
            raise InputError(f"out of memory while training {attribute}; {kept}, half the --batch and twice the "
                             "--accumulate, which learn the same") from error
        if "NaN or Inf loss" in text:  # keras.callbacks.TerminateOnNaN
            raise InputError(f"the loss of {attribute} is no longer a number; {kept} and half the --learning-rate"
                             ) from error
        raise
