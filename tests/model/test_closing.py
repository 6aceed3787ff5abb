"""--ending: the last bar is one strike of the tonic's chord, held to the bar line, whatever the network is like."""

import numpy as np
import pytest

from serenity import completion
from serenity.completion import Request, SeedSettings
from serenity.errors import InputError
from serenity.music.ending import TRIADS
from serenity.music.tempo_map import TempoMap
from tests.test_generate import WALTZ, WANDERING, composed, write_seed


@pytest.fixture
def model(model_folder):
    return completion.load(model_folder)


def last_bar(take, seed, bars_long):
    """Return the notes of a take in its last bar, when that begins, and when it is over."""
    end = completion.length(seed, take.request).end
    tempo_map = seed.music.tempo_map
    line = float(tempo_map.seconds(tempo_map.quarters(end) - bars_long))
    return take.notes[take.notes["onset"] > line - 0.06], line, end


@pytest.mark.parametrize(("tempo_map", "file_map", "quarters", "request_"), [
    (TempoMap(), TempoMap(), 4, Request(bars=4, ending=True, seed=1)), (WALTZ, WALTZ, 3, Request(bars=3, ending=True)),
    (TempoMap(), TempoMap(), 4, Request(bars=1, ending=True)),
    (TempoMap(), TempoMap(), 4, Request(seconds=6.5, ending=True)),
    (WANDERING, TempoMap(), 4, Request(bars=2, ending=True, guard=True)),
])
def test_a_song_closes_in_its_last_bar(tempo_map, file_map, quarters, request_, model, tmp_path):
    seed = completion.read_seed(write_seed(tmp_path / "seed.mid", composed(tempo_map), file_map), model)
    take, = completion.complete(model, seed, request_)
    notes, line, end = last_bar(take, seed, quarters)
    key = seed.music.encoded.key
    assert len(notes) and np.ptp(notes["onset"]) < 0.06 and abs(notes["onset"] - line).max() < 0.06
    assert {(pitch - key.tonic) % 12 for pitch in notes["pitch"].tolist()} <= set(TRIADS[key.mode])
    assert (notes["pitch"].min() - key.tonic) % 12 == 0
    np.testing.assert_allclose(notes["onset"] + notes["duration"], end)
    before = take.notes[take.notes["onset"] < notes["onset"].min()]
    assert (before["onset"] + before["duration"]).max(initial=0) <= line + 0.011


def test_seconds_become_the_nearest_bars(model, tmp_path):
    seed = completion.read_seed(write_seed(tmp_path / "seed.mid", composed(TempoMap()), TempoMap()), model)
    ends = [[completion.length(seed, Request(seconds=seconds, ending=ending)).end for seconds in (0.5, 4.8, 5.8, 6.4)]
            for ending in (True, False)]
    assert ends == [[18, 20, 22, 22]] * 2  # the last onset is at 15.5 s; bars of 2 s


def test_an_ending_is_replayed_and_closes_what_was_gone_on_with(model, tmp_path):
    from serenity import replay

    seed = completion.read_seed(write_seed(tmp_path / "seed.mid"), model)
    take, = completion.complete(model, seed, Request(bars=4))
    completion.write(tmp_path / "1.mid", seed, take)
    seed = completion.read_seed(tmp_path / "1.mid", model, SeedSettings(keep_bars=2))
    take = completion.complete(model, seed, Request(bars=2, ending=True, variations=2))[1]
    completion.write(tmp_path / "2.mid", seed, take)
    again = replay.read(tmp_path / "2.mid")
    held = again.read_seed(model)
    same, = completion.complete(model, held, again.request, first=again.recipe.variation)
    np.testing.assert_array_equal(same.track.notes, take.track.notes)


@pytest.mark.parametrize(("flags", "message"), [
    ({"ending": True}, "ending without bars or seconds; wanted one of them"),
    ({"ending": True, "events": 20}, "ending without bars or seconds"),
    ({"ending": True, "bars": 2, "may_end": True}, "ending and may_end: wanted one of the two"),
])
def test_an_ending_wants_to_know_where(flags, message):
    with pytest.raises(InputError, match=message):
        Request(**flags)
