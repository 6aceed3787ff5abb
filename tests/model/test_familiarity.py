"""How near a prompt is to what a model learned from."""

import numpy as np
import pytest

from serenity.model import checkpoint
from serenity.model.designs import make_decoder
from serenity.model.generation import FEWEST, LIMIT, prompt_bits
from serenity.music.codec import bar_places
from serenity.settings import DESIGNS, WindowSettings
from serenity.tokens.vocabulary import ATTRIBUTES
from serenity.tokens.windows import stream
from tests.model.test_designs import TINY, VOCABULARY, model_settings, random_events, random_weights
from tests.songs import abc_songs


@pytest.mark.parametrize("design", DESIGNS)
def test_events_are_judged_by_what_came_before_them(design):
    """As a decoder does that is given one after another."""
    settings = model_settings(design, WindowSettings(16, 5), TINY)
    prompt = random_events(np.random.default_rng(1), 9)
    decoder = make_decoder(settings, "pitch", random_weights(settings, "pitch", 0.2), VOCABULARY)
    judged = decoder.judge(prompt, 4)
    decoder.start(prompt[:-4], 1)
    steps = [decoder.step(prompt[place - 1][None], prompt[place][None])[0] for place in range(5, 9)]
    np.testing.assert_allclose(judged, steps, atol=1e-4)


def test_too_few_events_tell_nothing(model_folder):
    prompt = random_events(np.random.default_rng(1), FEWEST)
    assert prompt_bits(checkpoint.load(model_folder), prompt) is None


def test_the_model_that_ships_tells_music_from_the_same_events_in_another_order():
    from config import MODEL

    model, rng = checkpoint.load(MODEL), np.random.default_rng(0)
    bits = []
    for _, song in abc_songs(2):
        tokens, _ = model.vocabulary.encode(song.events)
        rows = np.concatenate([tokens, bar_places(song.events, song.tempo_map, model.settings.codec.grid)], axis=1)
        mixed = rows.copy()
        for column in range(len(ATTRIBUTES)):
            mixed[:, column] = rng.permutation(mixed[:, column])
        bits.append([prompt_bits(model, stream(each, 0, len(each) + 1)) for each in (rows, mixed)])
    assert all(song < mixed and mixed > LIMIT for song, mixed in bits)
