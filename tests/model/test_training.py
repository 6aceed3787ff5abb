"""Training: what an epoch shows, what is counted, and going on after an interruption."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.model.quartet import NetworkSettings, QuartetSettings
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES, END, PAD, SPECIALS
from serenity.tokens.windows import WindowSettings, cut, tile_places
from tests.songs import abc_songs

WINDOW = WindowSettings(16, 24)
TINY = NetworkSettings(16, 1, 1, 2, 24, dropout=0.1, context_dim=8)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    songs = dict(abc_songs(8, bars=10))
    corpora.build(folder, [corpora.Entry(name, name) for name in songs], songs.__getitem__)
    return corpora.load(folder)


def quartet(corpus, network=TINY):
    return QuartetSettings(dict.fromkeys(ATTRIBUTES, network), corpus.vocabulary.sizes, WINDOW, corpus.settings)


def dataset(corpus, seed=0, epoch=0):
    from serenity.model.training import WindowDataset

    return WindowDataset(corpus.of_split("train"), "pitch", WINDOW, 4, seed, epoch)


def shown(data):
    return [data[index][0]["target"] for index in range(len(data))]


def test_an_epoch_follows_from_its_seed_and_number(corpus):
    first, second = dataset(corpus, seed=3), dataset(corpus, seed=3)
    np.testing.assert_array_equal(shown(first), shown(second))
    first.on_epoch_end()
    np.testing.assert_array_equal(shown(first), shown(dataset(corpus, seed=3, epoch=1)))
    assert any((one != other).any() for one, other in zip(shown(first), shown(second)))
    assert any((one != other).any() for one, other in zip(shown(dataset(corpus, seed=4)), shown(second)))


def test_padding_counts_nothing_and_the_end_counts_with_the_step(corpus):
    from serenity.model.training import inputs_and_targets

    songs = corpus.of_split("train")[:1]
    batch = cut(songs, tile_places([len(songs[0])], WINDOW), WINDOW)
    for column, attribute in enumerate(ATTRIBUTES):
        _, target, weight = inputs_and_targets(batch, column)
        assert (weight[target == PAD] == 0).all()
        assert weight[target == END].tolist() == [attribute == "step"]
        assert weight.sum() == len(songs[0]) + (attribute == "step")


def test_a_network_that_knows_nothing_costs_the_logarithm_of_its_choices(corpus):
    from serenity.model.training import evaluate
    from serenity.model.transformer import build_network, get_weights, set_weights

    network = build_network(quartet(corpus), "pitch")
    set_weights(network, {name: np.zeros_like(values) for name, values in get_weights(network).items()})
    figures = evaluate(network, "pitch", WINDOW, corpus.of_split("validation"), 4)
    assert figures["bits"] == pytest.approx(math.log2(corpus.vocabulary["pitch"].size), abs=1e-4)


def test_unigram_bits_are_the_cross_entropy_of_the_counts(corpus):
    from serenity.model.training import unigram_bits

    column = ATTRIBUTES.index("step")
    tokens = np.concatenate(corpus.of_split("train"))[:, column].tolist()
    values = corpus.vocabulary["step"].size - SPECIALS
    wanted = -np.mean([math.log2((tokens.count(token) + 1) / (len(tokens) + values)) for token in tokens])
    assert unigram_bits(corpus, "step", corpus.of_split("train")) == pytest.approx(wanted)


def test_the_learning_rate_climbs_then_falls(corpus):
    from serenity.model.training import TrainingSettings, compile_network
    from serenity.model.transformer import build_network

    network = build_network(quartet(corpus), "step")
    compile_network(network, TrainingSettings(epochs=10, learning_rate=1e-2, warmup=0.1), steps=10)
    network.optimizer.build(network.trainable_variables)
    rates = []
    for step in (0, 5, 10, 50, 100):
        network.optimizer.iterations.assign(step)
        rates.append(float(network.optimizer.learning_rate))
    assert rates[0] == 0 and rates[1] == pytest.approx(5e-3) and rates[2] == pytest.approx(1e-2)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(5e-4)


def test_an_interrupted_run_goes_on_where_it_stopped(corpus, tmp_path, eagerly):
    """One epoch, then a second after a restart, against two at once. Without dropout, whose state is not kept."""
    from serenity.model.training import TrainingSettings, train_network

    settings = quartet(corpus, replace(TINY, dropout=0.0))
    training = TrainingSettings(epochs=2, batch=4, learning_rate=1e-2)
    for name in ("whole", "parts"):
        checkpoint.write_settings(tmp_path / name, settings, corpus.vocabulary)
    figures = train_network(corpus, settings, "step", training, tmp_path / "whole")

    real_keep = checkpoint.write_json

    def stop_after_an_epoch(path, data):
        real_keep(path, data)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "write_json", stop_after_an_epoch)
        train_network(corpus, settings, "step", training, tmp_path / "parts")
    assert json.loads((tmp_path / "parts" / "training" / "step.json").read_text())["epochs"] == 1
    again = train_network(corpus, settings, "step", training, tmp_path / "parts", resume=True)
    assert again["bits"] == pytest.approx(figures["bits"], abs=1e-3)
    whole, parts = (checkpoint.read_weights(tmp_path / name, "step", settings) for name in ("whole", "parts"))
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, atol=1e-3, err_msg=name)


def test_a_loss_that_is_no_number_ends_with_a_line_and_keeps_the_last_good_state(corpus, tmp_path, eagerly):
    import keras

    from serenity.model.training import TrainingSettings, train_network

    settings = quartet(corpus)
    checkpoint.write_settings(tmp_path, settings, corpus.vocabulary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers, "RandomNormal", lambda *_: keras.initializers.Constant(float("nan")))
        with pytest.raises(InputError, match="the loss of step became nan in epoch 1"):
            train_network(corpus, settings, "step", TrainingSettings(epochs=1, batch=4), tmp_path)
    assert not (tmp_path / "step.npz").exists()
