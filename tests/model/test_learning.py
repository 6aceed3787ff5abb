"""The whole way from songs to a continuation: four songs are learned until the model knows them."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from serenity.model import checkpoint
from serenity.model.generation import GREEDY, complete
from serenity.music import codec, midi_file
from serenity.music.abc_file import AbcSong
from serenity.music.song import of_score
from serenity.settings import CodecSettings, ModelSettings, NetworkSettings, WindowSettings
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES, LEFT
from serenity.tokens.windows import stream
from tests.songs import abc_songs

SMALL = NetworkSettings(model_dim=64, layers=2, num_heads=2, feed_forward_dim=192, dropout=0.0)
WINDOW = WindowSettings(prompt=32, continuation=128)
INTRO = 32     # events
REPEATS = 30   # of each song in an epoch


def learn(folder: Path, songs) -> corpora.Corpus:
    """Train a small model on all songs and return their corpus. The model is written to folder/model."""
    from serenity.model.training import Task, train_network
    from serenity.settings import TrainingSettings

    corpora.build(folder / "tokens", [corpora.Entry(name, "one") for name, _ in songs], dict(songs).__getitem__)
    corpus = corpora.load(folder / "tokens")  # one group: all are training songs
    judged = tuple(song | {"split": "validation"} for song in corpus.songs)  # by what is to be known by heart
    repeated = replace(corpus, songs=corpus.songs * REPEATS + judged)
    settings = ModelSettings(dict.fromkeys(ATTRIBUTES, SMALL), corpus.vocabulary.sizes, WINDOW, corpus.codec)
    checkpoint.write_settings(folder / "model", settings, corpus.vocabulary)
    training = TrainingSettings(epochs=7, batch=4, learning_rate=5e-3, weight_decay=0.0)
    for attribute in ATTRIBUTES:
        train_network(Task(repeated, settings, attribute, training), folder / "model")
    return corpus


def share_known(corpus: corpora.Corpus, model: checkpoint.Checkpoint) -> list[float]:
    """Return for each song the share of events that a greedy continuation of its intro gets right in all attributes."""
    shares = []
    for song in corpus.of_split("train"):
        rest = song[INTRO:WINDOW.length]
        made = complete(model, stream(song, 0, INTRO + 1), len(rest), GREEDY, seed=0)[0].tokens
        shares.append(float((made == rest)[:, :LEFT].all(axis=1).mean()))
    return shares


def four_songs():
    """Return four songs as (name, abc song): 240 events each of real ones, or composed ones where there are none."""
    folder = os.environ.get("SERENITY_TEST_MIDI")
    files = sorted(Path(folder).rglob("pop909/*.mid"))[:4] if folder else []
    if len(files) < 4:
        return abc_songs(4, bars=24)
    songs = []
    for file in files:
        song = of_score(midi_file.read(file))
        encoded = codec.encode(song, CodecSettings())
        songs.append((file.stem, AbcSong(file.name, file.stem, str(encoded.key), encoded.transposition, encoded.folded,
                                         song.beats.source, song.tempo_map, CodecSettings(), encoded.events[:240])))
    return songs


def test_a_song_that_was_learned_is_continued_as_that_song(tmp_path):
    corpus = learn(tmp_path, four_songs())
    shares = share_known(corpus, checkpoint.load(tmp_path / "model"))
    assert np.median(shares) >= 0.95, shares  # not the mean: one wrong event leads a song away for good
