"""Training: what is learned from, what stands in the logs, what is kept, and going on after an interruption."""

import csv
import os
import re
from dataclasses import replace

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.model import checkpoint, state
from serenity.model.generation import Rules, complete
from serenity.settings import DESIGNS, ModelSettings, NetworkSettings, Sampling, TrainingSettings, WindowSettings
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES, LEFT
from serenity.tokens.windows import cut, draw_places, stream
from tests.songs import abc_songs

WINDOW = WindowSettings(16, 24)
# Step by step Keras takes its time for each weight: so there are few, and an epoch is two batches.
TINY = NetworkSettings(8, 1, 2, 16, dropout=0.2)
QUICK = TrainingSettings(epochs=1, batch=2, learning_rate=1e-2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    songs = dict(abc_songs(6, bars=4))
    corpora.build(folder, [corpora.Entry(name, name) for name in songs], songs.__getitem__)
    return corpora.load(folder)


def model_settings(corpus, network=TINY, design="serenity"):
    return ModelSettings(dict.fromkeys(ATTRIBUTES, network), corpus.vocabulary.sizes, WINDOW, corpus.codec, design)


@pytest.fixture
def train(corpus, tmp_path, eagerly, monkeypatch):
    """Return a function that trains the step's network in a folder, without samples, and returns its figures."""
    from serenity.model import callbacks, training

    monkeypatch.setattr(callbacks, "write_sample", lambda *_: None)

    def train(settings=QUICK, folder="model", design="serenity", start=None, **more):
        task = training.Task(corpus, model_settings(corpus, design=design), "step", settings, start)
        return training.train_network(task, tmp_path / folder, **more)
    return train


def weights(folder):
    with np.load(folder / "training" / "step.state.npz") as file:
        return {name: file[name] for name in file.files if name != "progress"}


def best(folder):
    with np.load(folder / "step.npz") as file:
        return dict(file)


def table(folder):
    with open(folder / "training" / "step.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def interrupted(train, monkeypatch):
    """Return a function that begins a training and interrupts it after so many batches."""
    from serenity.model.callbacks import Reseed

    def interrupted(settings, batches, **more):
        def stop(self, batch, logs=None):
            if int(self.model.optimizer.variables[0]) == batches:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Reseed, "on_train_batch_begin", stop)
            train(settings, **more)
    return interrupted


# --- what is learned from ---------------------------------------------------------------------------------------------

def small_network(corpus, settings, dropout=0.0):
    from serenity.model.training import compile_network
    from serenity.model.transformer import Transformer

    network = Transformer(model_settings(corpus, replace(TINY, dropout=dropout)), "step", corpus.vocabulary)
    compile_network(network, settings, steps=10)
    network.optimizer.build(network.trainable_variables)
    return network


def batch_of(corpus):
    from serenity.model.dataset import Task, WindowDataset

    return WindowDataset(Task(corpus, model_settings(corpus), "step", TrainingSettings(batch=2)))[0]


def test_the_learning_rate_climbs_then_falls(corpus):
    network = small_network(corpus, TrainingSettings(epochs=10, learning_rate=1e-2, warmup=0.1))
    rates = []
    for step in (0, 5, 10, 50, 100):
        network.optimizer.iterations.assign(step)
        rates.append(float(network.optimizer.learning_rate))
    assert rates[0] == 0 and rates[1] == pytest.approx(5e-3) and rates[2] == pytest.approx(1e-2)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(5e-4)


def test_batches_that_are_gathered_make_one_step_at_the_same_place_of_the_schedule(corpus, eagerly):
    """The same batch twice, gathered, is one gradient: the optimizer's moments are those of the batch alone."""
    from serenity.model.transformer import get_weights, set_weights

    gathering, plain = (small_network(corpus, replace(QUICK, accumulate=count)) for count in (2, 1))
    before = get_weights(plain)
    set_weights(gathering, before)
    gathering.train_on_batch(*batch_of(corpus))
    assert all((values == before[name]).all() for name, values in get_weights(gathering).items())
    gathering.train_on_batch(*batch_of(corpus))
    assert any((values != before[name]).any() for name, values in get_weights(gathering).items())
    plain.train_on_batch(*batch_of(corpus))
    gathered = {variable.name: np.array(variable) for variable in gathering.optimizer.variables}
    for variable in plain.optimizer.variables[1:]:
        np.testing.assert_allclose(gathered[variable.name], variable, rtol=1e-3, atol=1e-6, err_msg=variable.name)
    for network in (gathering, plain):
        network.optimizer.variables[0].assign(10)  # batches: all of them
        assert float(network.optimizer.learning_rate) == pytest.approx(0.05 * QUICK.learning_rate)


def test_the_settings_reach_the_optimizer_and_the_loss(corpus):
    network = small_network(corpus, replace(QUICK, weight_decay=0.03, label_smoothing=0.1))
    assert network.optimizer.global_clipnorm == 1.0  # of the whole gradient, not of each part
    assert (network.optimizer.weight_decay, network.loss.smoothing) == (0.03, 0.1)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_label_smoothing_mixes_the_target_with_an_even_distribution(smoothing):
    import keras

    from serenity.model.evaluation import Crossentropy

    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 5, 7)).astype(np.float32)
    target, weight = rng.integers(7, size=(2, 5)), np.array([[1, 1, 0, 1, 0]] * 2, np.float32)
    wanted = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing,
                                                  reduction="mean_with_sample_weight")
    assert float(Crossentropy(smoothing)(target, logits, weight)) == pytest.approx(
        float(wanted(np.eye(7)[target], logits, weight)), rel=1e-6)


def test_accuracy_is_the_share_of_what_counts_that_no_token_is_likelier_than():
    from serenity.model.evaluation import accuracy

    metric = accuracy()
    metric.update_state(np.array([[0, 1, 2, 2]]), np.eye(3, dtype=np.float32)[[0, 1, 1, 2]][None],
                        np.array([[1, 1, 1, 0]], np.float32))
    assert float(metric.result()) == pytest.approx(2 / 3)


# --- what stands in the logs, what is kept ----------------------------------------------------------------------------

def test_each_epoch_stands_in_the_table_and_the_best_of_them_is_kept(train, tmp_path, capsys):
    figures = train(replace(QUICK, epochs=3, label_smoothing=0.5))  # which has no part in what songs cost
    rows = table(tmp_path / "model")
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    best = min(float(row["val_bits"]) for row in rows)
    assert figures["bits"] == pytest.approx(best, rel=1e-2)  # in half precision
    assert {*rows[0]} == {"epoch", "loss", "accuracy", "val_bits", "val_accuracy", "learning_rate"}
    assert figures["epochs"] == 3 and "base_bits" not in figures
    out = capsys.readouterr().out
    assert out.count("step epoch 3/3: validation") == 1
    assert "batches" not in out  # it took no minute
    assert not list(tmp_path.rglob("*.part"))


def test_without_a_terminal_a_long_epoch_says_where_it_stands(train, monkeypatch, capsys):
    from serenity.model import callbacks

    monkeypatch.setattr(callbacks, "EVERY", 0)
    train(replace(QUICK, epochs=2))
    lines = [line for line in capsys.readouterr().out.splitlines() if "batches" in line]
    assert re.fullmatch(r"  step epoch 1/2: 1 of [\d,]+ batches, loss \d\.\d{3} nats, 0 min to go", lines[0])
    steps = int(lines[0].split(" of ")[1].split()[0])
    assert len(lines) == 2 * steps and lines[-1].startswith(f"  step epoch 2/2: {steps} of {steps} batches")


def test_tensorboard_is_told_the_same(train, tmp_path):
    train(replace(QUICK, epochs=2))
    written = {path.parent.name: path.read_bytes() for path in (tmp_path / "model/training/step").rglob("*tfevents*")}
    assert b"epoch_bits" in written["validation"]
    assert b"epoch_loss" in written["train"] and b"epoch_learning_rate" in written["train"]


def test_what_is_kept_is_the_epoch_with_the_fewest_bits_and_patience_ends_the_rest(train, tmp_path, monkeypatch):
    from serenity.model import callbacks

    bits = iter([3.0, 2.0, 2.5, 2.4, 2.3, 1.0])
    monkeypatch.setattr(callbacks, "evaluate", lambda *_: {"bits": next(bits), "accuracy": 0.5})
    samples = []
    monkeypatch.setattr(callbacks, "write_sample", lambda task, folder, epoch, draw: samples.append(epoch))
    kept = []
    real = checkpoint.write_weights
    monkeypatch.setattr(checkpoint, "write_weights", lambda *given: (kept.append(given[1]), real(*given)))
    figures = train(replace(QUICK, epochs=9, patience=3))
    assert figures["epochs"] == 5 and len(kept) == 2 and samples == [1, 2]
    progress, _ = state.read(tmp_path / "model/training/step.state.npz")
    assert (progress.best_epoch, progress.best_bits, progress.waited) == (2, 2.0, 3)
    bits = iter([0.5, 0.5, 0.5])
    assert train(replace(QUICK, epochs=9, patience=3), resume=True)["epochs"] == 5  # its patience stays lost
    assert train(replace(QUICK, epochs=6, patience=9), resume=True)["epochs"] == 6


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_some_windows_are_told_how_many_bars_are_left_and_each_epoch_others(corpus, attribute, monkeypatch):
    from serenity.model import dataset

    task = dataset.Task(corpus, model_settings(corpus), attribute, TrainingSettings(batch=64))
    shown = dataset.WindowDataset(task)
    monkeypatch.setattr(shown, "places", np.resize(shown.places, (64, 3)))
    inputs, *_ = shown[0]
    told = inputs["past"][..., LEFT].any(axis=1)
    assert 0.5 * dataset.TOLD < told.mean() < 2 * dataset.TOLD
    windows = cut(shown.songs, shown.places, WINDOW, shown.encoder)
    for name in ("prompt", "past", "target"):
        assert (inputs[name][told] == getattr(windows, name)[told]).all()
        assert (inputs[name][..., :LEFT] == getattr(windows, name)[..., :LEFT]).all()
        assert not inputs[name][~told][..., LEFT].any()
    again, shown.epoch = shown[0][0]["past"][..., LEFT].any(axis=1), 1
    assert (again == told).all() and (shown[0][0]["past"][..., LEFT].any(axis=1) != told).any()


def test_where_networks_are_judged_none_is_told_how_many_bars_are_left(corpus):
    from serenity.model.dataset import inputs_and_targets

    songs = corpus.of_split("train")
    inputs, *_ = inputs_and_targets(cut(songs, np.array([[0, 17, 16]]), WINDOW, encoder=True), "step")
    assert all(not inputs[name][..., LEFT].any() for name in ("prompt", "past", "target"))
    assert songs[0][:, LEFT].all()


def test_an_epoch_may_show_fewer_songs_than_there_are(corpus):
    from serenity.model.dataset import Task, WindowDataset

    songs = corpus.of_split("train")
    training = TrainingSettings(batch=1, epoch_songs=len(songs) // 2)
    parts = [WindowDataset(Task(corpus, model_settings(corpus), "step", training), epoch) for epoch in range(3)]
    drawn = draw_places([len(song) for song in songs], WINDOW, np.random.default_rng([0, 0]), encoder=False).tolist()
    first, second = (part.places.tolist() for part in parts[:2])
    assert [place for place in drawn if place in first or place in second] == drawn
    assert len(parts[0]) == len(parts[1]) == pytest.approx(len(drawn) / 2, abs=1)
    assert parts[2].places.tolist() != first  # the songs begin anew, cut otherwise
    parts[0].on_epoch_end()
    assert parts[0].places.tolist() == second
    assert [TrainingSettings(epoch_songs=count).parts(10) for count in (None, 1, 3, 10, 99)] == [1, 10, 3, 1, 1]


# --- going on ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings", [
    replace(QUICK, epochs=2), replace(QUICK, epochs=2, batch=1, accumulate=3, epoch_songs=2, patience=3)],
    ids=["plain", "gathered"])
def test_an_interrupted_run_ends_as_a_whole_one_bit_for_bit(train, interrupted, tmp_path, settings):
    """With dropout; interrupted within the first epoch, at its end, and within the second. The tables too are equal."""
    whole = train(settings, folder="whole")
    for batches in (1, 2, 3):
        folder = f"interrupted-{batches}"
        interrupted(settings, batches, folder=folder)
        again = train(settings, folder=folder, resume=True)
        assert again | {"minutes": 0} == whole | {"minutes": 0}
        for read in (weights, best):
            found, wanted = read(tmp_path / folder), read(tmp_path / "whole")
            assert {*found} == {*wanted}
            for name, values in wanted.items():
                np.testing.assert_array_equal(found[name], values, err_msg=name)
        assert (tmp_path / folder / "training/step.csv").read_text() == \
            (tmp_path / "whole/training/step.csv").read_text()


def test_dropout_differs_from_epoch_to_epoch_and_from_seed_to_seed(corpus):
    from serenity.model.callbacks import Reseed

    network, drawn = small_network(corpus, QUICK, dropout=0.2), []
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
        callback = Reseed(seed)
        callback.set_model(network)
        callback.on_epoch_begin(epoch)
        drawn.append([tuple(np.array(variable).tolist()) for variable in network.non_trainable_variables])
    assert drawn[0] == drawn[3] and len({*drawn[0], *drawn[1], *drawn[2]}) == 3 * len(drawn[0]) > 0


def test_a_state_that_is_cut_off_or_another_network_s_is_refused(train, tmp_path, corpus):
    train()
    path = tmp_path / "model/training/step.state.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(InputError, match="step.state.npz is not a complete state of a training"):
        train(resume=True)
    path.write_bytes(whole)
    progress, arrays = state.read(path)
    del arrays["network/bias"]
    with pytest.raises(InputError, match="the state of the training run is another network's"):
        state.restore(small_network(corpus, QUICK), arrays, 0)


def test_a_run_goes_on_with_smaller_batches_that_are_gathered(train, tmp_path):
    train(QUICK)
    figures = train(replace(QUICK, batch=1, accumulate=2, epochs=2), resume=True)
    assert figures["epochs"] == 2 and len(table(tmp_path / "model")) == 2


# --- fine-tuning ------------------------------------------------------------------------------------------------------

def test_training_may_begin_with_a_network_and_never_ends_with_a_worse_one(train, interrupted, corpus, tmp_path):
    train(replace(QUICK, epochs=3))
    base = checkpoint.Checkpoint(model_settings(corpus), corpus.vocabulary,
                                 {"step": checkpoint.read_weights(tmp_path / "model", "step", model_settings(corpus))})
    better = train(replace(QUICK, epochs=2), folder="better", start=base)
    assert better["bits"] < better["base_bits"]
    interrupted(replace(QUICK, epochs=2), 3, folder="parts", start=base)
    assert train(replace(QUICK, epochs=2), folder="parts", resume=True, start=base) | {"minutes": 0} == \
        better | {"minutes": 0}
    spoilt = train(replace(QUICK, learning_rate=0.9, warmup=0.0), folder="spoilt", start=base)
    assert spoilt["bits"] == pytest.approx(spoilt["base_bits"], rel=1e-2)
    kept, wanted = best(tmp_path / "spoilt"), best(tmp_path / "model")
    assert all((kept[name] == values).all() for name, values in wanted.items())


@pytest.mark.parametrize("design", DESIGNS)
def test_either_design_trains_goes_on_is_fine_tuned_and_generates(train, corpus, tmp_path, design):
    settings = model_settings(corpus, design=design)
    train(design=design)
    assert train(replace(QUICK, epochs=2), design=design, resume=True)["epochs"] == 2
    base = checkpoint.Checkpoint(settings, corpus.vocabulary,
                                 {"step": checkpoint.read_weights(tmp_path / "model", "step", settings)})
    tuned = train(folder="mine", design=design, start=base)
    assert tuned["bits"] <= tuned["base_bits"]
    mine = replace(base, weights={"step": checkpoint.read_weights(tmp_path / "mine", "step", settings)})
    song = corpus.of_split("train")[0]
    others = {name: np.resize(song[:, column], 40) for column, name in enumerate(ATTRIBUTES) if name != "step"}
    one, two = complete(mine, stream(song, 0, 11), 40, Sampling(), seed=0, variations=2, rules=Rules(given=others))
    assert len(one.tokens) == len(two.tokens) == 40 and (one.tokens != two.tokens).any()


# --- precision and speed ----------------------------------------------------------------------------------------------

def test_bfloat16_is_for_products_weights_and_scores_stay_float32(corpus, eagerly):
    import keras

    from serenity.model.devices import precision
    from serenity.model.transformer import Transformer

    with precision("bfloat16"):
        network = Transformer(model_settings(corpus), "step", corpus.vocabulary)
    assert keras.config.dtype_policy().name == "float32"
    assert network.compute_dtype == "bfloat16"
    assert {variable.dtype for variable in network.trainable_variables} == {"float32"}
    assert network.predict_on_batch(batch_of(corpus)[0]).dtype == np.float32
    with pytest.raises(InputError), precision("bfloat16"):
        raise InputError("in between")
    assert keras.config.dtype_policy().name == "float32"


def test_in_bfloat16_the_step_learns_nearly_the_same(train, tmp_path):
    exact, rough = (train(replace(QUICK, epochs=2, precision=name), folder=name) for name in ("float32", "bfloat16"))
    assert rough["bits"] == pytest.approx(exact["bits"], rel=0.05)
    assert weights(tmp_path / "bfloat16")["network/bias"].dtype == np.float32


@pytest.mark.parametrize("xla", [False, True])
def test_xla_is_asked_for_where_it_is_wanted(corpus, xla):
    assert small_network(corpus, replace(QUICK, xla=xla)).jit_compile == xla


# --- failures ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def spoil(monkeypatch):
    """Return a function that lets each loss from now on be what a function makes of it."""
    from serenity.model.evaluation import Crossentropy

    real = Crossentropy.call

    def spoil(change):
        monkeypatch.setattr(Crossentropy, "call", lambda self, true, scores: change(real(self, true, scores)))
    return spoil


def no_memory(loss):
    raise MemoryError("Unable to allocate 70.0 TiB")


def no_device_memory(loss):
    import tensorflow as tf

    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[8,256,5003]")


@pytest.mark.parametrize("change, message", [
    (lambda loss: loss * float("nan"), "the loss of step is no longer a number; .* half the --learning-rate"),
    (lambda loss: loss * float("inf"), "the loss of step is no longer a number"),
    (no_memory, "out of memory while training step; .* half the --batch and twice the --accumulate"),
    (no_device_memory, "out of memory while training step"),
])
def test_a_failure_ends_at_once_with_a_line_and_keeps_the_last_good_state(train, tmp_path, spoil, change, message):
    train()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    spoil(change)
    with pytest.raises(InputError, match=message):
        train(replace(QUICK, epochs=2), resume=True)
    assert {path: path.read_bytes() for path in before} == before


def test_what_is_no_failure_of_the_user_s_is_not_hidden(train, spoil):
    spoil(lambda loss: loss.no_such_thing)
    with pytest.raises(AttributeError, match="no_such_thing"):
        train()


@pytest.mark.parametrize("file", ["training/step.state.npz", "step.npz"])
def test_a_full_disk_ends_with_a_line_and_keeps_the_last_good_state(train, tmp_path, monkeypatch, file):
    train()
    path = tmp_path / "model" / file
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    before = path.read_bytes()
    part.symlink_to("/dev/full")  # where every byte is one too many
    monkeypatch.setattr("serenity.model.training.remove_leftovers", list)  # it would take the link for a leftover
    with pytest.raises(InputError, match="the disk is full; the last whole epoch is kept: run again with --resume"):
        train(replace(QUICK, epochs=4), resume=True)
    assert path.read_bytes() == before and not part.is_symlink()
    assert train(replace(QUICK, epochs=4), resume=True)["epochs"] == 4


@pytest.mark.parametrize("changes, message", [
    ({"epochs": 0}, "epochs 0, wanted 1 or more"),
    ({"accumulate": 0}, "accumulate 0, wanted 1 or more"),
    ({"patience": 0}, "patience 0, wanted 1 or more"),
    ({"epoch_songs": -1}, "epoch_songs -1, wanted 1 or more"),
    ({"synthetic": -0.5}, "synthetic -0.5, wanted 0 or more"),
    ({"learning_rate": 1.0}, "learning_rate 1.0, wanted above 0 and below 1"),
    ({"weight_decay": -0.1}, "weight_decay -0.1, wanted 0 or more"),
    ({"label_smoothing": 1.0}, "label_smoothing 1.0, wanted a share"),
    ({"precision": "float16"}, "precision 'float16', wanted float32 or bfloat16"),
    ({"seed": -1}, "seed -1, wanted 0 to"),
])
def test_settings_that_cannot_work_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TrainingSettings(**changes)
