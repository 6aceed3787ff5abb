"""One model, two ways: the Keras network over a whole window, and the NumPy decoder event by event."""

from dataclasses import replace

import numpy as np
import pytest

from serenity.model.designs import make_decoder
from serenity.model.original_design import WARM_UP
from serenity.settings import DESIGNS, PRESETS, WindowSettings, preset
from serenity.tokens.vocabulary import ATTRIBUTES, LEFT, PLACE, START
from serenity.tokens.windows import fit_prompt
from tests.model.test_designs import (
    TINY,
    VOCABULARY,
    decoder,
    model_settings,
    random_events,
    random_weights,
    run,
)


def agree(design, attribute, *prompts, network=TINY, change=lambda events: events):
    """Hold both ways' logits together, within 1e-4 of their size.

    `prompts` are lengths of prompts, in events, of which an encoder's window takes 16. `change` is made of the events.
    """
    from serenity.model.transformer import Transformer, set_weights

    settings = model_settings(design, WindowSettings(16, 5), network)
    rng, weights = np.random.default_rng(7), random_weights(settings, attribute, 0.2)
    cached = make_decoder(settings, attribute, weights, VOCABULARY)
    trained = Transformer(settings, attribute, VOCABULARY)
    set_weights(trained, weights)
    for length in prompts:
        prompt, events = change(random_events(rng, length)), change(random_events(rng, settings.reach + 3))
        prompt[0], prompt[0, PLACE:] = START, 0
        found, full = run(cached, prompt, events[None])[0], whole(trained, settings, prompt, events)
        size = max(1, np.abs(full).max())  # weights this large give logits of tens
        assert np.abs(full).max() > 0.3
        assert np.abs(found[:len(full)] - full).max() < 1e-4 * size


def whole(network, settings, prompt, events):
    """Return the logits of the network as it is trained, for as many of the events as its window has room for."""
    row, given = np.concatenate([prompt, events]), len(prompt)
    if settings.has_encoder:  # which leaves the prompt's last events to the decoder
        given = max(1, given - min(WARM_UP, len(prompt) // 2))
        inputs = fit_prompt(row[:given], settings.window.prompt)
    else:
        given, inputs = 1, row[:0]
    past, target = row[given - 1:-1][:settings.reach], row[given:][:settings.reach]
    logits = network({"prompt": inputs[None], "past": past[None], "target": target[None]}, training=False)[0]
    return np.asarray(logits)[len(prompt) - given:]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("design", DESIGNS)
def test_both_give_the_same_logits(design, attribute, eagerly):
    agree(design, attribute, 1, 7)


@pytest.mark.parametrize("attribute", ["pitch", "velocity"])  # a preset has two sizes
@pytest.mark.parametrize(("design", "name"), [(design, name) for design in DESIGNS for name in PRESETS[design]])
def test_both_give_the_same_logits_for_every_preset(design, name, attribute, eagerly):
    """At an eighth of the width or so: layers and heads are the preset's own."""
    network = preset(name, design)[attribute]
    agree(design, attribute, 7, network=replace(network, model_dim=8 * network.num_heads, feed_forward_dim=48))


@pytest.mark.parametrize("bars", [(0, 0, 0), (95, 96, 1), (7, 24, 32), (400, 2000, 60_000)], ids=str)
def test_both_read_the_bars_alike(bars, eagerly):
    """Bars that are not known, usual ones, and more than there are rows for."""
    def change(events):
        events[:, PLACE:] = bars
        return events
    agree("serenity", "pitch", 7, change=change)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("column", range(PLACE, LEFT + 1))
def test_where_an_event_stands_in_its_bars_changes_what_comes(column, attribute):
    """Of the event before, and, where its step is decided, of the event itself; not of the event to come."""
    network = decoder(model_settings("serenity"), attribute)
    prompt, event = random_events(np.random.default_rng(7), 9), random_events(np.random.default_rng(8), 1)
    moved = {"past": prompt.copy(), "present": event.copy()}
    for events in moved.values():
        events[-1, column] += 24
    plain = run(network, prompt, event[None])
    assert np.abs(run(network, moved["past"], event[None]) - plain).max() > 1e-3
    assert (np.abs(run(network, prompt, moved["present"][None]) - plain).max() > 1e-3) == (attribute != "step")
