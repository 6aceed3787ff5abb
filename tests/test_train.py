"""train.py: the four networks from a token store, going on with a model, how it ends, and what it refuses."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import train
from serenity import settings as model_settings
from serenity.command_line import composed
from serenity.command_line import run as run_script
from serenity.errors import InputError
from serenity.learning import Songs, design, read_base
from serenity.model import checkpoint
from serenity.model.designs import parameter_count
from serenity.music import midi_file
from serenity.music.midi_file import Track
from serenity.settings import CodecSettings, NetworkSettings, TrainingSettings
from serenity.tokens import corpus as corpora
from serenity.tokens import novelty
from serenity.tokens.novelty import longest_run
from serenity.tokens.vocabulary import ATTRIBUTES
from tests.songs import abc_songs, compose_notes

SCRIPT = Path(__file__).parent.parent / "train.py"
TINY = NetworkSettings(8, 1, 2, 16)


def make_store(folder, songs):
    corpora.build(folder, [corpora.Entry(name, name) for name in dict(songs)], dict(songs).__getitem__)
    return folder


@pytest.fixture
def defaults(tmp_path, monkeypatch, eagerly):
    """Parameters by which tiny networks are trained for an epoch on six songs."""
    for name in model_settings.DESIGNS:
        monkeypatch.setitem(model_settings.PRESETS[name], "mini", dict.fromkeys(ATTRIBUTES, TINY))
    make_store(tmp_path / "tokens", abc_songs(6, bars=4))
    return {"tokens": tmp_path / "tokens", "model": tmp_path / "model", "epochs": 1, "batch": 4, "prompt_events": 16,
            "continuation_events": 24}


@pytest.fixture
def run(defaults):
    """Return a function that trains with other parameters than those, and gives back the model's folder."""
    def run(**changes):
        parameters = composed(train.Parameters, defaults | changes)
        train.main(parameters)
        return parameters.model
    return run


@pytest.fixture
def shell(defaults, monkeypatch, capsys):
    """Return a function that runs the script with flags; it gives back exit code and standard error."""
    def shell(*flags):
        given = [text for name, value in defaults.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        monkeypatch.setattr(sys, "argv", ["train.py", *given, *flags])
        code = 0
        try:
            run_script(train.main, train.Parameters, train.kept)
        except SystemExit as end:
            code = end.code
        lines = capsys.readouterr().err.splitlines()
        return code, [line for line in lines if line.startswith("train.py: ") or "Traceback" in line]
    return shell


def figures_of(folder):
    return json.loads((folder / "training.json").read_text())


# --- a model from nothing ---------------------------------------------------------------------------------------------

def test_the_four_networks_one_after_another_make_a_model_with_a_card(run, capsys):
    folder = run(licence="MIT", source="songs made in code")
    model = checkpoint.load(folder)
    assert set(model.weights) == set(ATTRIBUTES)
    out = capsys.readouterr().out
    assert re.search(r"^parameters: [\d,]+$", out, re.MULTILINE) and "together" in out
    assert re.findall(r"^(\w+), network (\d) of 4: [\d,]+ parameters$", out, re.MULTILINE) == [
        (attribute, str(number)) for number, attribute in enumerate(ATTRIBUTES, 1)]
    assert "of them real" not in out  # all are
    data = figures_of(folder)["data"]
    assert data["sha256"] == hashlib.sha256(corpora.load(folder.parent / "tokens").tokens).hexdigest()
    card = (folder / "README.md").read_text()
    assert data["sha256"] in card
    assert "Licence: MIT" in card and "songs made in code" in card and "| together |" in card
    figures = figures_of(folder)["networks"]
    assert f"{sum(row['bits'] for row in figures.values()):.2f}" in card
    index = checkpoint.read_novelty(folder)
    songs = corpora.load(folder.parent / "tokens").of_split("train")
    assert index.songs == len(songs) and f"{len(index.places):,} different runs of {index.events} events" in card
    assert longest_run(index, model.vocabulary.pitch.decode(songs[0][:, 0])).length == len(songs[0])
    assert not list(folder.rglob("*.part"))


def test_an_epoch_that_improves_leaves_a_song_and_its_picture(run):
    samples = run(attributes=("velocity",)) / "training" / "samples"
    assert sorted(path.name for path in samples.iterdir()) == ["velocity-epoch-001.mid", "velocity-epoch-001.png"]
    track, = midi_file.read(samples / "velocity-epoch-001.mid").tracks
    assert track.program == 0 and not track.is_drum and len(track.notes) > 16


def test_networks_may_be_trained_apart_but_never_overwritten(run, tmp_path):
    run(attributes=("step",))
    with pytest.raises(InputError, match="already holds step; go on with --resume, or name another --model"):
        run(attributes=("step", "velocity"))
    folder = run(attributes=("velocity",))
    assert list(figures_of(folder)["networks"]) == ["step", "velocity"]
    with pytest.raises(InputError, match="was trained with another design"):
        run(attributes=("pitch",), design="original")
    with pytest.raises(InputError, match="holds step, velocity of another size; name another --model"):
        run(attributes=("step", "velocity"), resume=True, preset="lite")
    with pytest.raises(InputError, match="other dictionaries, windows or codec"):
        run(attributes=("pitch",), continuation_events=30)
    before = (folder / "vocabulary.json").read_bytes()
    with pytest.raises(InputError, match="other dictionaries, windows or codec"):
        run(attributes=("step",), resume=True, tokens=make_store(tmp_path / "others", abc_songs(9, bars=4)[3:]))
    assert (folder / "vocabulary.json").read_bytes() == before


def test_the_original_s_design_is_trained_where_it_is_asked_for(run, tmp_path):
    settings, _ = checkpoint.read_settings(run(attributes=("step",), design="original"))
    assert settings.design == "original"
    assert checkpoint.read_settings(run(attributes=("step",), model=tmp_path / "own"))[0].design == "serenity"


def test_more_epochs_may_follow_and_other_settings_are_said_and_stand_in_the_card(run, capsys):
    folder = run(attributes=("step",), source="a friend")
    figures, = figures_of(folder)["networks"]["step"]["settings"]
    assert {"first": 1, "epochs": 1, "batch": 4, "learning_rate": 5e-3, "synthetic": 0.5, "seed": 0}.items() \
        <= figures.items()
    assert "settings" not in capsys.readouterr().out
    run(attributes=("step",), resume=True, seed=7, source="a friend")
    assert "settings" not in capsys.readouterr().out  # nothing was left to train
    more = {"attributes": ("step",), "resume": True, "epochs": 2, "learning_rate": 1e-3}
    assert figures_of(run(**more))["networks"]["step"]["epochs"] == 2
    out = capsys.readouterr().out
    assert "step goes on from epoch 2 with other settings: epochs 2 (before: 1), learning rate 0.001 (before: 0.005)" \
        in out
    assert "the songs are not the same as before: source the user's own MIDI files (before: a friend)\n" in out
    assert "step epoch 2/2" in out
    assert len((folder / "training" / "step.csv").read_text().splitlines()) == 1 + 2
    run(**more)
    assert "settings" not in capsys.readouterr().out
    card = (folder / "README.md").read_text()
    assert "\n* step: epochs 1, batch 4, learning rate 0.005," in card
    assert "\n* step, from epoch 2 on: epochs 2, batch 4, learning rate 0.001," in card


def test_a_run_that_never_began_is_not_gone_on_with(run, defaults):
    with pytest.raises(InputError, match="--resume: .*model holds no model to go on with; wanted the --model of an"):
        run(resume=True)
    assert not defaults["model"].exists()


def test_how_many_songs_are_real_is_said(run, tmp_path, capsys):
    songs = abc_songs(6, bars=4)
    entries = [corpora.Entry(name, name.replace("5", "4"), synthetic=name.endswith("5")) for name, _ in songs]
    corpora.build(tmp_path / "more", entries, dict(songs).__getitem__)
    store = corpora.load(tmp_path / "more")
    real, total = store.numbers()["train"], store.totals["train"]
    assert real == total - 1
    run(tokens=tmp_path / "more", dry_run=True, attributes=("step",))
    assert f"mini, {total} songs, {real} of them real\n" in capsys.readouterr().out


def test_a_dry_run_says_what_training_takes_and_writes_nothing(run, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    run(dry_run=True, attributes=("step", "velocity"), epochs=7, accumulate=2)
    assert sorted(tmp_path.rglob("*")) == before
    out = capsys.readouterr().out
    networks = dict.fromkeys(ATTRIBUTES, TINY)
    sizes = corpora.load(tmp_path / "tokens").vocabulary.sizes
    settings = model_settings.ModelSettings(networks, sizes, model_settings.WindowSettings(16, 24), CodecSettings())
    assert f"\nparameters: {parameter_count(settings):,}\n" in out
    assert re.search(r"^step +[\d,]+ +\d+ MiB +7 +[\d,]+ +[\d.]+$", out, re.MULTILINE)  # a batch an epoch
    assert re.search(r"^memory: [\d,]+ MiB", out, re.MULTILINE)
    assert re.search(r"^expected time: \d+ h \d+ min for 7 epochs of each$", out, re.MULTILINE)


# --- how it ends ------------------------------------------------------------------------------------------------------

@pytest.fixture
def before_batch(monkeypatch):
    """Return a function that lets something happen before the batch of a number, counted over epochs."""
    from serenity.model.callbacks import Reseed

    def before_batch(number, happen):
        def begin(self, batch, logs=None):
            if int(self.model.optimizer.variables[0]) == number:
                happen()
        monkeypatch.setattr(Reseed, "on_train_batch_begin", begin)
    return before_batch


def test_ctrl_c_ends_with_a_line_and_code_130_and_the_run_goes_on(shell, before_batch, tmp_path, monkeypatch):
    flags = ("--attributes", "step", "--epochs", "3")
    before_batch(0, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert shell(*flags) == (130, ["train.py: interrupted; no epoch was whole, so nothing is kept; to go on, run the "
                                   "same command again"])
    before_batch(1, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert shell(*flags) == (130, ["train.py: interrupted; all whole epochs of step are kept; to go on, add --resume"])
    assert (tmp_path / "model" / "training" / "step.state.npz").is_file()
    before_batch(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert shell(*flags, "--resume") == (130, ["train.py: interrupted; all whole epochs of step are kept; to go on, "
                                               "run the same command again"])
    before_batch(0, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert shell(*flags, "--dry-run", "--model", str(tmp_path / "none")) == (0, [])  # no batch is counted there
    before_batch(-1, None)
    assert shell(*flags, "--resume") == (0, [])
    assert figures_of(tmp_path / "model")["networks"]["step"]["epochs"] == 3


def test_tensorflow_makes_no_remarks_when_it_is_imported_nor_when_it_traces_networks_one_after_another():
    code = ("import sys\n"
            "from serenity.learning import tensorflow_quiet\n"
            "with tensorflow_quiet():\n    import tensorflow\n"
            "again = tensorflow.function(lambda number: number)\n"
            "for number in range(9):\n    again(number)\n"
            "print('said', file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=SCRIPT.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "said\n")


def no_memory():
    raise MemoryError("Unable to allocate 70.0 TiB")


def full_disk():
    raise OSError(28, "No space left on device")


def no_number():
    raise RuntimeError("NaN or Inf loss encountered at batch 3. Loss value: nan. Terminating training immediately.")


@pytest.mark.parametrize("failure, words", [
    (no_memory, "half the --batch and twice the --accumulate"), (full_disk, "the disk is full"),
    (no_number, "half the --learning-rate")])
def test_a_failure_ends_with_a_line_and_code_2(shell, before_batch, failure, words):
    before_batch(0, failure)
    code, (line,) = shell("--attributes", "step")
    assert code == 2 and words in line and "--resume" in line


# --- going on with a model --------------------------------------------------------------------------------------------

@pytest.fixture
def base(model_folder):
    """A model that says what it learned from."""
    checkpoint.write_json(model_folder / "training.json", {
        "data": {"source": "POP909", "licence": "MIT", "train": 818}, "networks": {}})
    checkpoint.write_novelty(model_folder, novelty.build([song.events["pitch"] for _, song in abc_songs(3)]))
    return model_folder


@pytest.fixture
def midi(tmp_path):
    """A folder of three songs, one of them twice, in two keys, and a file that is none."""
    folder = tmp_path / "my-songs" / "below"
    folder.mkdir(parents=True)
    for name, notes in {"one": compose_notes(71, 8), "one again": compose_notes(71, 8, 3), "two": compose_notes(72, 8),
                        "three": compose_notes(73, 8)}.items():
        midi_file.write(folder / f"{name}.mid", [Track("Piano", 0, False, notes)])
    (folder / "broken.mid").write_bytes(b"MThd")
    (folder.parent / "manifest.jsonl").write_text('{"stored": "below/two.mid", "licence": "CC0-1.0"}\n')
    return folder.parent


OWN = {"tokens": train.Parameters().tokens, "prompt_events": None, "continuation_events": None,
       "attributes": ("step",)}


def test_a_model_is_fine_tuned_on_a_folder_of_songs_in_one_command(run, base, midi, capsys):
    folder = run(**OWN, start_from=base, midi=midi, model=base.parent / "mine", epochs=2, learning_rate=1e-3)
    out = capsys.readouterr().out
    assert out.count("refused:") == 1 and "broken.mid" in out
    assert "of the values are unknown to the model and became their nearest" in out
    settings, vocabulary = checkpoint.read_settings(folder)
    base_settings, base_vocabulary = checkpoint.read_settings(base)
    assert settings == base_settings
    assert (vocabulary.pitch.values == base_vocabulary.pitch.values).all()
    row = figures_of(folder)["networks"]["step"]
    assert row["bits"] <= row["base_bits"]
    assert f"{row['base_bits']:.3f}" in out and "before" in out
    card = (folder / "README.md").read_text()
    assert "Made from model, which learned before from: 818 songs; POP909" in card
    assert "Licence: unknown (3 songs), CC0-1.0 (1 songs); of what model learned from: MIT" in card
    assert sum(figures_of(folder)["data"][split] for split in ("train", "validation", "test")) == 4
    assert checkpoint.read_novelty(folder).songs == 3 + figures_of(folder)["data"]["train"]


def test_a_model_learns_further_in_longer_windows(run, base, tmp_path):
    folder = run(**OWN | {"tokens": tmp_path / "tokens", "start_from": base, "model": tmp_path / "mine",
                          "continuation_events": 40})
    window, before = (checkpoint.read_settings(model)[0].window for model in (folder, base))
    assert (window.prompt, window.continuation) == (before.prompt, 40) and before.continuation != 40


def test_learned_distances_belong_to_their_window(base):
    model = read_base(base)
    settings = replace(model.model.settings, design="original")
    songs = Songs(None, replace(model, model=replace(model.model, settings=settings)))
    assert design(songs).window == settings.window
    with pytest.raises(InputError, match="wanted no other one"):
        design(songs, window=replace(settings.window, continuation=40))


def test_tokens_of_other_dictionaries_are_translated_and_those_of_another_codec_refused(run, base, tmp_path, capsys):
    mine = OWN | {"start_from": base, "model": tmp_path / "mine"}
    run(**mine | {"tokens": make_store(tmp_path / "others", abc_songs(9, bars=6)[4:])})
    assert re.search(r"known: pitch \d", capsys.readouterr().out)
    centred = make_store(tmp_path / "centred", abc_songs(4, CodecSettings(normalise="centre"), bars=4))
    with pytest.raises(InputError, match="centred was made with .*normalise='centre'.*, the model model with"):
        run(**mine | {"tokens": centred})


def test_fine_tuning_learns_slower_and_gives_up_sooner():
    usual, fine = (TrainingSettings().settled(fine_tuning) for fine_tuning in (False, True))
    assert fine.learning_rate < usual.learning_rate and fine.patience is not None and usual.patience is None
    assert TrainingSettings(learning_rate=0.5, epochs=3).settled(fine_tuning=True).learning_rate == 0.5


def test_the_example_in_python_prepares_songs_and_trains_on_them(defaults, midi, tmp_path, monkeypatch, capsys):
    (tmp_path / "my-songs").rename(tmp_path / "my-midi")
    (tmp_path / "tokens").rename(tmp_path / "other")
    text = (SCRIPT.parent / "docs/training.md").read_text().split("## From Python\n")[1].split("\n## ")[0]
    code = "\n".join(line.removeprefix("    ") for line in text.splitlines() if line.startswith("    "))
    monkeypatch.chdir(tmp_path)
    exec(code.replace("(synthetic=4)", "(filters=False, synthetic=1)"), {})  # noqa: S102 - our own lines
    assert re.search(r"^\d+ songs to learn from$", capsys.readouterr().out, re.MULTILINE)
    assert checkpoint.load(tmp_path / "model").vocabulary.sizes == corpora.load(tmp_path / "tokens").vocabulary.sizes


# --- what it refuses --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("changes, message", [
    ({"tokens": Path("no-such")}, "no-such holds no token store"),
    ({"attributes": ()}, "no attribute named"),
    ({"epochs": 0}, "epochs 0, wanted 1 or more"),
    ({"learning_rate": 0.0}, "learning_rate 0.0, wanted above 0"),
    ({"prompt_events": 3}, "window of 3 . 24 events; wanted a prompt of 16 or more"),
    ({"dropout": 1.5}, "dropout 1.5, wanted"),
    ({"midi": Path("songs")}, "--midi without --from; wanted --from MODEL"),
    ({"start_from": Path("no-such"), "preset": "lite"}, "--preset with --from, which brings its own"),
    ({**OWN, "start_from": Path("no-such")}, "no-such is not a folder; wanted a model"),
    ({**OWN, "start_from": Path("x"), "model": Path("x")}, "--from x is --model too"),
    ({**OWN, "start_from": Path("x"), "midi": Path("y"), "tokens": Path("z")}, "--tokens with --midi"),
])
def test_arguments_that_cannot_work_give_one_line(run, changes, message):
    with pytest.raises(InputError, match=message):
        run(**changes)


def test_a_folder_without_a_song_is_refused(run, base, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds 0 songs, of which none can be read"):
        run(**OWN, start_from=base, midi=tmp_path / "empty", model=tmp_path / "mine")
    with pytest.raises(InputError, match="nowhere is not a folder"):
        run(**OWN, start_from=base, midi=tmp_path / "nowhere", model=tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def replace_in(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def test_from_the_shell_what_counts_seconds_ends_with_code_2_and_says_what_to_run(tmp_path, model_folder):
    """A token store, and a model to go on with, of the time before beats."""
    store = make_store(tmp_path / "tokens", abc_songs(3, bars=2))

    def line(*flags):
        done = subprocess.run([sys.executable, str(SCRIPT), *map(str, flags)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        return done.stderr
    replace_in(model_folder / "config.json", "serenity-model 2", "serenity-model 1")
    said = line("--tokens", store, "--from", model_folder, "--model", tmp_path / "mine")
    assert re.fullmatch(r"train.py: .*config.json: format 'serenity-model 1', made by an older Serenity, which counted "
                        r"seconds, wanted 'serenity-model 2': train it anew with train.py\n", said)
    replace_in(store / "corpus.json", "serenity-corpus 3", "serenity-corpus 2")
    assert line("--tokens", store).endswith("'serenity-corpus 2', made by an older Serenity; "
                                            "wanted 'serenity-corpus 3': run preprocess.py again\n")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("flags", [("--epochs", "0"), ("--midi", "songs"), ("--from", "missing"), ()])
def test_from_the_shell_what_is_wrong_ends_with_code_2_before_anything_slow(tmp_path, flags):
    done = subprocess.run([sys.executable, "-X", "importtime", str(SCRIPT), "--tokens", str(tmp_path), *flags],
                          capture_output=True, text=True)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert len(errors) == 1 and errors[0].startswith("train.py: ")
    assert not re.search(r"\| +(keras|tensorflow)$", done.stderr, re.MULTILINE)
