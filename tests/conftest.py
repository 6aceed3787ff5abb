"""Fixtures that several rooms share."""

import os
import signal

import hypothesis
import numpy as np
import pytest

from serenity.model import checkpoint
from serenity.model.designs import weight_shapes
from serenity.settings import ModelSettings, NetworkSettings, WindowSettings
from serenity.tokens.vocabulary import ATTRIBUTES, count_values
from tests.songs import abc_songs

# No deadline: machines that do other work besides are slow. CI tries the same examples each time, so that what it says
# is about the change; new ones are sought wherever else the tests run.
hypothesis.settings.register_profile("serenity", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("serenity")

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as train.py has it

# Started in the background, as CI may be, a process ignores Ctrl-C, and so do its children; the tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def eagerly():
    """Let Keras compute step by step: for a few steps of a tiny network, tracing a graph takes longer."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def model_folder(tmp_path):
    """A whole model of small random weights: it can be loaded and makes noise."""
    folder = tmp_path / "model"
    songs = [song for _, song in abc_songs(3)]
    vocabulary = count_values(song.events for song in songs)
    networks = dict.fromkeys(ATTRIBUTES, NetworkSettings(16, 1, 2, 24))
    settings = ModelSettings(networks, vocabulary.sizes, WindowSettings(24, 32), songs[0].codec)
    checkpoint.write_settings(folder, settings, vocabulary)
    rng = np.random.default_rng(0)
    for attribute in ATTRIBUTES:
        checkpoint.write_weights(folder, attribute, {name: rng.normal(0, 0.3, shape) for name, shape in
                                                     weight_shapes(settings, attribute).items()})
    return folder
