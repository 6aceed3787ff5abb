"""Several devices: two virtual ones of this processor, in a process of its own, since they are set up at its start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

TWO_DEVICES = """
import json, sys
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

processor, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.run_functions_eagerly(True)

from serenity.errors import InputError
from serenity.model import training
from serenity.settings import NetworkSettings, ModelSettings
from serenity.settings import TrainingSettings
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES
from serenity.settings import WindowSettings
from tests.songs import abc_songs

folder, names = Path(sys.argv[1]), ["CPU:0", "CPU:1"]
songs = dict(abc_songs(6, bars=4))
corpora.build(folder / "tokens", [corpora.Entry(name, name) for name in songs], songs.__getitem__)
corpus = corpora.load(folder / "tokens")
quick = TrainingSettings(epochs=2, batch=4, learning_rate=1e-2)


def train(name, devices, dropout=0.0, settings=quick, resume=False):
    network = NetworkSettings(8, 1, 2, 16, dropout)
    model = ModelSettings(dict.fromkeys(ATTRIBUTES, network), corpus.vocabulary.sizes, WindowSettings(16, 24),
                              corpus.codec)
    task = training.Task(corpus, model, "step", settings)
    return training.train_network(task, folder / name, resume, devices=devices)


def refusal(settings):
    try:
        train("refused", names, settings=settings)
    except InputError as error:
        return str(error)


losses = {}
for name, devices in {"one": names[:1], "two": names}.items():
    losses[name] = [train(name, devices)["bits"], (folder / name / "training/step.csv").read_text()]
dropout = train("dropout", names, dropout=0.2)["bits"]
train("parts", names, 0.2, replace(quick, epochs=1))
print(json.dumps({
    "losses": losses, "dropout": dropout,
    "resumed": train("parts", names, 0.2, resume=True)["epochs"],
    "odd": refusal(replace(quick, batch=3)), "gathered": refusal(replace(quick, accumulate=2))}))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES, str(tmp_path_factory.mktemp("devices"))],
                          capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def column(table, name):
    head, *rows = (line.split(",") for line in table.splitlines())
    return [float(row[head.index(name)]) for row in rows]


def test_two_devices_learn_what_one_does(said):
    """Each averages over its own half of a batch, so that the two agree nearly, not exactly."""
    (one_bits, one), (two_bits, two) = said["losses"]["one"], said["losses"]["two"]
    assert column(two, "loss") == pytest.approx(column(one, "loss"), rel=0.02)
    assert column(two, "val_bits") == pytest.approx(column(one, "val_bits"), rel=0.02)
    assert two_bits == pytest.approx(one_bits, rel=0.02)
    assert len(column(two, "loss")) == 2


def test_dropout_and_going_on_work_on_two_devices(said):
    assert said["dropout"] == pytest.approx(said["losses"]["one"][0], rel=0.2)
    assert said["resumed"] == 2


def test_what_two_devices_cannot_do_is_refused(said):
    assert said["odd"].startswith("a batch of 3 windows on 2 GPUs; wanted a multiple of them")
    assert said["gathered"].startswith("--accumulate 2 on 2 GPUs; TensorFlow wants one of the two")
