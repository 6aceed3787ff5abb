"""Windows: a prompt and its continuation, cut from songs, as batches of NumPy arrays.

A song is the stream START, event, event, ..., END. A window is a place in that stream: the events before it are the
prompt, and those from there on are the continuation. A prompt stands at the right end of its row, with PAD before it,
so that its last event is always next to the continuation. A continuation stands at the left end, with PAD after it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from serenity.settings import SHORTEST_PROMPT, WindowSettings
from serenity.tokens.vocabulary import ATTRIBUTES, END, PAD, START


@dataclass(frozen=True)
class Batch:
    """Several windows; columns as in COLUMNS.

    For a network without an encoder `prompt` is empty (length 0): the prompt stands before the continuation.
    """

    prompt: np.ndarray   # (batch, prompt, columns) int32: what is given
    past: np.ndarray     # (batch, length, columns) int32: the event before each event of the target
    target: np.ndarray   # (batch, length, columns) int32: what comes; END in every attribute after the last event
    counted: np.ndarray  # (batch, length) bool: which of the target's events are the continuation


def stream(song: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return positions start..stop - 1 of a song's stream: (events, columns) -> (positions, columns) int32.

    Position 0 is START, position i is the i-th event, the last one is END. Positions outside are left out.
    """
    edge = (np.arange(song.shape[1])[None] < len(ATTRIBUTES)).astype(np.int32)
    start, stop = max(0, start), min(stop, len(song) + 2)
    events = song[max(0, start - 1):max(0, stop - 1)]
    return np.concatenate([edge[start > 0:] * START, events, edge[stop < len(song) + 2:] * END]).astype(np.int32)


def fit_prompt(events: np.ndarray, length: int) -> np.ndarray:
    """Return the last `length` rows of a stream, filled up with PAD at the left: (n, columns) -> (length, columns)."""
    events = events[-length:]
    return np.pad(events, ((length - len(events), 0), (0, 0)), constant_values=PAD)


def expected_windows(lengths: Sequence[int], settings: WindowSettings, encoder: bool = True,
                     shares: Sequence[float] | None = None) -> np.ndarray:
    """Return how many windows of each song an epoch shows, on average: (songs,). A whole song has at least one.

    `lengths` are the events of each song, `shares` how much of it an epoch shows; None: all.
    """
    shown = settings.continuation if encoder else settings.length
    windows = np.maximum(1, np.asarray(lengths) / shown)
    return windows if shares is None else windows * shares


def draw_places(lengths: Sequence[int], settings: WindowSettings, rng: np.random.Generator, encoder: bool = True,
                shares: Sequence[float] | None = None) -> np.ndarray:
    """Return the windows of one epoch as rows (song, place, prompt length), shuffled.

    A song is shown in as many windows as `expected_windows` says, rounded up or down by chance. It is divided into so
    many parts, and a window lies anywhere in each. So no two epochs cut alike, and every event of a whole song is shown
    about once. A window that would reach beyond an end of the song begins or ends with the song: so beginnings are
    shown often, as seeds are beginnings, and there is little PAD. An encoder gets prompts of any length; without one,
    training uses all of a window.
    """
    shown = settings.continuation if encoder else settings.length
    rows = []
    for song, (events, windows) in enumerate(zip(lengths, expected_windows(lengths, settings, encoder, shares))):
        number = int(windows + rng.random())
        last = max(0, events + 1 - shown)  # a window that begins here ends with END
        starts = -shown / 2 + (np.arange(number) + rng.random(number)) / number * (last + shown)
        starts = np.clip(starts, 0, last).astype(np.int64)
        if encoder:
            rows += zip([song] * number, starts + 1, rng.integers(SHORTEST_PROMPT, settings.prompt + 1, number))
        else:
            rows += zip([song] * number, starts + settings.prompt, [settings.prompt] * number)
    return rng.permutation(np.array(rows, np.int64).reshape(-1, 3))


def tile_places(lengths: list[int], settings: WindowSettings) -> np.ndarray:
    """Return windows (song, place, prompt length) that show every event exactly once, each with a full prompt."""
    return np.array([(song, place, settings.prompt) for song, events in enumerate(lengths)
                     for place in range(1, events + 2, settings.continuation)], np.int64).reshape(-1, 3)


def cut(songs: list[np.ndarray], places: np.ndarray, settings: WindowSettings, encoder: bool = True) -> Batch:
    """Return the windows at `places` (song, place, prompt length) as one batch; an encoder gets the prompts apart."""
    make = _with_prompt_apart if encoder else _as_one
    rows = []
    for song, place, prompt in places.tolist():
        events = stream(songs[song], place - prompt, place + settings.continuation)
        rows.append(make(events, min(place, prompt), settings))
    return Batch(*map(np.stack, zip(*rows)))


def _with_prompt_apart(events: np.ndarray, here: int, settings: WindowSettings) -> tuple:
    """Return a part of a stream, whose first `here` events are the prompt, as the fields of a Batch."""
    target = _fill(events[here:], settings.continuation)
    return (fit_prompt(events[:here], settings.prompt), _fill(events[here - 1:-1], settings.continuation), target,
            target[:, 0] != PAD)


def _as_one(events: np.ndarray, here: int, settings: WindowSettings) -> tuple:
    """As _with_prompt_apart, for a network that reads the prompt in the same row."""
    target = _fill(events[1:], settings.length)
    given = np.arange(settings.length) < here - 1
    return target[:0], _fill(events[:-1], settings.length), target, (target[:, 0] != PAD) & ~given


def _fill(events: np.ndarray, length: int) -> np.ndarray:
    return np.pad(events, ((0, length - len(events)), (0, 0)), constant_values=PAD)


def batches(songs: list[np.ndarray], places: np.ndarray, settings: WindowSettings, size: int,
            encoder: bool = True) -> Iterator[Batch]:
    """Yield the windows at `places` in batches of `size`; the last may be smaller."""
    for start in range(0, len(places), size):
        yield cut(songs, places[start:start + size], settings, encoder)
