"""A model's folder: what is written is read, and what is broken is refused with one line that says what."""

import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.tokens import novelty
from serenity.tokens.vocabulary import ATTRIBUTES


def test_weights_come_back_in_half_precision(model_folder):
    model = checkpoint.load(model_folder)
    checkpoint.write_weights(model_folder, "pitch", model.weights["pitch"])
    again = checkpoint.load(model_folder)
    for name, values in model.weights["pitch"].items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(again.weights["pitch"][name], values)
    assert again.settings == model.settings


def test_nothing_unfinished_is_left_behind(model_folder):
    assert sorted(path.name for path in model_folder.iterdir()) == \
        ["config.json", "duration.npz", "pitch.npz", "step.npz", "velocity.npz", "vocabulary.json"]


def test_a_model_without_an_index_of_its_training_songs_is_whole_and_a_broken_index_is_refused(model_folder):
    assert checkpoint.read_novelty(model_folder) is None
    checkpoint.write_novelty(model_folder, novelty.build([checkpoint.load(model_folder).vocabulary.pitch.values]))
    assert checkpoint.read_novelty(model_folder).songs == 1
    cut_in_half("novelty.index")(model_folder)
    with pytest.raises(InputError, match="novelty.index is not a complete index"):
        checkpoint.read_novelty(model_folder)


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def replace_weights(folder, **arrays):
    path = folder / "step.npz"
    with np.load(path) as old:
        weights = {name: old[name] for name in old.files}
    with open(path, "wb") as file:
        np.savez(file, **(weights | arrays))


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def pickled_weights(folder):
    with zipfile.ZipFile(folder / "step.npz", "a") as archive, archive.open("bomb.npy", "w") as member:
        member.write(pickle.dumps(Bomb()))


def object_array(folder):
    bias = np.array([Bomb()], object)
    replace_weights(folder, **{"bias": bias})


def cut_in_half(name):
    def spoil(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:len(data) // 2])
    return spoil


def promise_a_giant_array(folder):
    """A header of 10^12 values must be refused before memory is taken for it."""
    path = folder / "step.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    head = b"{'descr': '<f2', 'fortran_order': False, 'shape': (1000000000000,), }"
    head += b" " * (-(10 + len(head) + 1) % 64) + b"\n"
    members["bias.npy"] = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


BROKEN = {
    "no folder": (shutil.rmtree, "is not a folder; wanted a model"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
    "config cut off": (cut_in_half("config.json"), "config.json is not JSON"),
    "config is a list": (lambda folder: (folder / "config.json").write_text("[]"), "holds a list; wanted an object"),
    "config of another program": (lambda folder: edit_config(folder, format="llama"), "format 'llama', wanted"),
    "config of the time in seconds": (
        lambda folder: edit_config(folder, format="serenity-model 1", codec={"time_step": 0.02}),
        "format 'serenity-model 1', made by an older Serenity, which counted seconds, wanted 'serenity-model 2': "
        "train it anew with train.py$"),
    "config without networks": (lambda folder: edit_config(folder, networks={}), "networks for , wanted pitch"),
    "config with an odd size": (lambda folder: edit_config(folder, window={"prompt": "x", "continuation": 3}),
                                "the settings cannot be read"),
    "config with an unknown field": (lambda folder: edit_config(folder, window={"length": 3}),
                                     "the settings cannot be read"),
    "config of an unknown category": (lambda folder: edit_config(folder, codec={"category": "kazoo"}),
                                      "category 'kazoo' is unknown; wanted one of piano"),
    "no vocabulary": (lambda folder: (folder / "vocabulary.json").unlink(), "vocabulary.json is missing"),
    "vocabulary cut off": (cut_in_half("vocabulary.json"), "vocabulary.json: not JSON"),
    "vocabulary of another model": (lambda folder: edit_config(folder, vocabulary_sizes=dict.fromkeys(ATTRIBUTES, 9)),
                                    "config.json wants"),
    "a network missing": (lambda folder: (folder / "step.npz").unlink(),
                          "step.npz is missing; train it with train.py --attributes step"),
    "weights cut off": (cut_in_half("step.npz"), "step.npz is not a complete weights file"),
    "weights are a picture": (lambda folder: (folder / "step.npz").write_bytes(b"\x89PNG\r\n\x1a\n" * 99),
                              "step.npz is not a complete weights file"),
    "weights of another network": (lambda folder: shutil.copy(folder / "velocity.npz", folder / "step.npz"),
                                   "do not fit config.json"),
    "weights of another shape": (lambda folder: replace_weights(folder, **{"bias": np.zeros(7, np.float16)}),
                                 r"bias is float16 \(7,\), config.json wants float16"),
    "weights of another type": (lambda folder: replace_weights(folder, **{"decoder_norm/beta": np.zeros(16, int)}),
                                "decoder_norm/beta is int64"),
    "weights of objects": (object_array, "step.npz"),
    "weights with a pickle": (pickled_weights, "weights bomb do not fit"),
    "weights with a giant array": (promise_a_giant_array, r"bias is float16 \(1000000000000,\)"),
    "weights that are no numbers": (
        lambda folder: replace_weights(folder, **{"decoder_norm/beta": np.full(16, np.nan, np.float16)}),
        "decoder_norm/beta holds values that are no numbers"),
}


@pytest.mark.parametrize("spoil, message", BROKEN.values(), ids=BROKEN)
def test_a_broken_model_is_refused(model_folder, spoil, message):
    spoil(model_folder)
    with pytest.raises(InputError, match=message) as caught:
        checkpoint.load(model_folder)
    assert "\n" not in str(caught.value)
    assert str(model_folder) in str(caught.value)
