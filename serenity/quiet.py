"""TensorFlow without its remarks."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tensorflow_quiet() -> Iterator[None]:
    """Let TensorFlow be imported within, as fast as it can be and without remarks on which nobody can act."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # on the processor
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # products 1.6 times as fast; TensorFlow asks for Intel's own
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # on retracing: each network is traced anew, of course
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
