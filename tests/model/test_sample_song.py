"""The sample: who decides what, where the continuation begins, and that it is the same each time."""

import numpy as np
import pytest

from serenity.model import checkpoint
from serenity.model.sample_song import EVENTS, PROMPT, compose
from serenity.music.codec import EVENT, bar_places, decode
from serenity.music.tempo_map import TempoMap
from serenity.settings import CodecSettings
from tests.songs import abc_songs

GRID, QUARTER = CodecSettings().grid, 0.5  # points a quarter; seconds of one where nothing is said of the tempo


@pytest.fixture
def model(model_folder):
    return checkpoint.load(model_folder)


@pytest.fixture
def songs(model):
    return [np.concatenate([model.vocabulary.encode(song.events)[0], bar_places(song.events, song.tempo_map, GRID)], 1)
            for _, song in abc_songs(2)]


def events_of(model, song):
    return model.vocabulary.decode(song, EVENT)


def test_without_any_network_it_is_the_longest_song_itself(model, songs):
    notes, start = compose([songs[0][:30], songs[1]], model.settings, model.vocabulary, {})
    shown = songs[1][:PROMPT + EVENTS]
    np.testing.assert_array_equal(notes, decode(events_of(model, shown), TempoMap(), GRID))
    assert start == pytest.approx(events_of(model, shown)["step"][:PROMPT + 1].sum() / GRID * QUARTER)


def test_what_is_trained_decides_and_the_rest_is_the_song_s_own(model, songs):
    own, _ = compose(songs, model.settings, model.vocabulary, {})
    made, start = compose(songs, model.settings, model.vocabulary, {"velocity": model.weights["velocity"]})
    again, _ = compose(songs, model.settings, model.vocabulary, {"velocity": model.weights["velocity"]})
    np.testing.assert_array_equal(made, again)
    before = made["onset"] < start
    np.testing.assert_array_equal(made[before], own[own["onset"] < start])
    for field in ("onset", "duration", "pitch"):
        np.testing.assert_array_equal(made[field], own[field])
    assert (made["velocity"] != own["velocity"]).any() and not before.all()


def test_all_four_make_a_song_of_their_own(model, songs):
    own, _ = compose(songs, model.settings, model.vocabulary, {})
    made, start = compose(songs, model.settings, model.vocabulary, model.weights)
    assert (made["onset"] >= start).sum() > 0
    assert len(made) != len(own) or (made["pitch"] != own["pitch"]).any()


def test_a_short_song_is_halved_and_one_event_is_too_short(model, songs):
    notes, start = compose([songs[0][:10]], model.settings, model.vocabulary, {})
    assert start == pytest.approx(events_of(model, songs[0])["step"][:6].sum() / GRID * QUARTER)
    assert compose([songs[0][:1]], model.settings, model.vocabulary, {}) is None
