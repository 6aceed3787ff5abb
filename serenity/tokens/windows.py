"""Windows: a prompt and its continuation, cut from songs, as batches of NumPy arrays.

A song is the stream START, event, event, ..., END. A window is a place in that stream: the events before it are the
prompt, those from it on the continuation. A prompt stands at the right end of its row, PAD before it, so that its last
event is always next to the continuation; a continuation stands at the left end, PAD after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from serenity.errors import InputError
from serenity.tokens.vocabulary import END, PAD, START

SHORTEST_PROMPT = 16  # events; shorter seeds are completed too, but training seldom shows such


@dataclass(frozen=True)
class WindowSettings:
    """Sizes of a window, in events."""

    prompt: int = 128
    continuation: int = 256

    def __post_init__(self):
        if self.prompt < SHORTEST_PROMPT or self.continuation < 1:
            raise InputError(f"window of {self.prompt} + {self.continuation} events; wanted a prompt of "
                             f"{SHORTEST_PROMPT} or more and a continuation of 1 or more")


@dataclass(frozen=True)
class Batch:
    """Windows side by side; columns as in ATTRIBUTES."""

    prompt: np.ndarray  # (batch, prompt, 4) int32: what is given
    past: np.ndarray    # (batch, continuation, 4) int32: the event before each event of the continuation
    target: np.ndarray  # (batch, continuation, 4) int32: the continuation; END in every column after the last event


def stream(song: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return positions start..stop - 1 of a song's stream: (events, 4) -> (positions, 4) int32.

    Position 0 is START, position i the i-th event, the last one END; what lies outside is left out.
    """
    edge = np.ones((1, song.shape[1]), np.int32)
    start, stop = max(0, start), min(stop, len(song) + 2)
    events = song[max(0, start - 1):max(0, stop - 1)]
    return np.concatenate([edge[start > 0:] * START, events, edge[stop < len(song) + 2:] * END]).astype(np.int32)


def fit_prompt(events: np.ndarray, length: int) -> np.ndarray:
    """Return the last `length` rows of a stream, filled up with PAD at the left: (n, 4) -> (length, 4)."""
    events = events[-length:]
    return np.pad(events, ((length - len(events), 0), (0, 0)), constant_values=PAD)


def draw_places(lengths: list[int], settings: WindowSettings, rng: np.random.Generator) -> np.ndarray:
    """Return the windows of one epoch as rows (song, place, prompt length), shuffled.

    Each song is laid out in windows side by side from a random offset, so that an epoch shows every event about once
    and no two epochs cut alike. One more window begins with the song, since that is what seeds do. `lengths` are
    events a song.
    """
    rows = []
    for song, events in enumerate(lengths):
        offset = int(rng.integers(1, settings.continuation + 1))
        places = list(range(offset, events + 2, settings.continuation))
        if offset > 1:
            places.append(1)
        prompts = rng.integers(SHORTEST_PROMPT, settings.prompt + 1, len(places))
        rows += zip([song] * len(places), places, prompts.tolist())
    return rng.permutation(np.array(rows, np.int64).reshape(-1, 3))


def tile_places(lengths: list[int], settings: WindowSettings) -> np.ndarray:
    """Return windows (song, place, prompt length) that show every event exactly once, each with a full prompt."""
    return np.array([(song, place, settings.prompt) for song, events in enumerate(lengths)
                     for place in range(1, events + 2, settings.continuation)], np.int64).reshape(-1, 3)


def cut(songs: list[np.ndarray], places: np.ndarray, settings: WindowSettings) -> Batch:
    """Return the windows at `places` (song, place, prompt length) as one batch."""
    prompts, pasts, targets = [], [], []
    for song, place, prompt_length in places.tolist():
        events = stream(songs[song], place - prompt_length, place + settings.continuation)
        here = min(place, prompt_length)  # where the continuation begins in the slice
        missing = ((0, settings.continuation - len(events) + here), (0, 0))
        prompts.append(fit_prompt(events[:here], settings.prompt))
        targets.append(np.pad(events[here:], missing, constant_values=PAD))
        pasts.append(np.pad(events[here - 1:-1], missing, constant_values=PAD))
    return Batch(np.stack(prompts), np.stack(pasts), np.stack(targets))


def batches(songs: list[np.ndarray], places: np.ndarray, settings: WindowSettings, size: int) -> Iterator[Batch]:
    """Yield the windows at `places` in batches of `size`; the last may be smaller."""
    for start in range(0, len(places), size):
        yield cut(songs, places[start:start + size], settings)
