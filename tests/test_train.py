"""train.py: the four networks from a token store, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import train
from serenity.errors import InputError
from serenity.model import checkpoint, quartet
from serenity.model.quartet import NetworkSettings
from serenity.tokens import corpus as corpora
from serenity.tokens.novelty import longest_run
from serenity.tokens.vocabulary import ATTRIBUTES
from tests.songs import abc_songs

SCRIPT = Path(__file__).parent.parent / "train.py"


@pytest.fixture
def run(tmp_path, monkeypatch, eagerly):
    """Return a function that trains tiny networks for an epoch on eight songs."""
    tiny = NetworkSettings(16, 1, 1, 2, 24, context_dim=8)
    monkeypatch.setitem(quartet.PRESETS, "mini", dict.fromkeys(ATTRIBUTES, tiny))
    songs = dict(abc_songs(8, bars=10))
    corpora.build(tmp_path / "tokens", [corpora.Entry(name, name) for name in songs], songs.__getitem__)

    def run(**changes):
        train.main(train.Parameters(**({"tokens": tmp_path / "tokens", "model": tmp_path / "model", "epochs": 1,
                                        "batch": 4, "prompt_events": 16, "continuation_events": 24} | changes)))
        return tmp_path / "model"
    return run


def test_the_four_networks_one_after_another_make_a_model_with_a_card(run, capsys):
    folder = run(licence="MIT", source="songs made in code")
    model = checkpoint.load(folder)
    assert set(model.weights) == set(ATTRIBUTES)
    out = capsys.readouterr().out
    assert "parameters: " in out and "together" in out
    card = (folder / "README.md").read_text()
    assert "Licence: MIT" in card and "songs made in code" in card and "| together |" in card
    figures = json.loads((folder / "training.json").read_text())["networks"]
    assert f"{sum(row['bits'] for row in figures.values()):.2f}" in card
    index = checkpoint.read_novelty(folder)
    songs = corpora.load(folder.parent / "tokens").of_split("train")
    assert index.songs == len(songs) and f"{len(index.places):,} different runs of {index.events} events" in card
    assert longest_run(index, model.vocabulary.pitch.decode(songs[0][:, 0])).length == len(songs[0])


def test_networks_may_be_trained_apart_but_never_overwritten(run):
    run(attributes=("step",))
    with pytest.raises(InputError, match="already holds step; go on with --resume, or name another --model"):
        run(attributes=("step", "velocity"))
    folder = run(attributes=("velocity",))
    assert list(json.loads((folder / "training.json").read_text())["networks"]) == ["step", "velocity"]
    with pytest.raises(InputError, match="holds step, velocity of another size or context"):
        run(attributes=("step", "velocity"), resume=True, context="own")
    with pytest.raises(InputError, match="other dictionaries, windows or codec"):
        run(attributes=("pitch",), continuation_events=30)


@pytest.mark.parametrize("changes, message", [
    ({"tokens": Path("no-such")}, "no-such holds no token store"),
    ({"attributes": ()}, "no attribute named"),
    ({"epochs": 0}, "epochs 0, wanted 1 or more"),
    ({"learning_rate": 0.0}, "learning rate 0.0, wanted above 0"),
    ({"prompt_events": 3}, "window of 3 . 24 events; wanted a prompt of 16 or more"),
    ({"dropout": 1.5}, "dropout 1.5, wanted"),
])
def test_arguments_that_cannot_work_give_one_line(run, changes, message):
    with pytest.raises(InputError, match=message):
        run(**changes)


def test_from_the_shell_a_missing_token_store_ends_with_code_2_at_once(tmp_path):
    done = subprocess.run([sys.executable, str(SCRIPT), "--tokens", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "holds no token store" in done.stderr
