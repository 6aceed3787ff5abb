"""Novelty: how long a run of a continuation is that a training song has too, in any transposition.

A run is a stretch of events whose chords are those of successive events of a training song, all shifted by the same
interval. So an event counts only by its chord's shape and the interval from the top note before to its own. Rhythm,
length and loudness do not count: a copy in another tempo, or played more freely, is a copy. Some copies are not found:
those whose chords are voiced in another way, those with notes added or left out, and those whose notes end so far apart
that a chord counts as two events. Some runs are found that are nobody's, such as a repeated chord, a trill or a scale.
So compare a run's length with what is normal among real songs (docs/model.md).

The index is the set of all grams (runs of EVENTS events) of the training songs. Each is kept as its BLAKE2b hash (RFC
7693) modulo a number of places, which is FALSE times the number of grams. Stored are the gaps between these places:
about log2(FALSE) + 1.44 bits a gram, near to the least that a set with one wrong answer in FALSE can take (Carter et
al., "Exact and Approximate Membership Testers", STOC 1978). The songs cannot be read out of it. A run is found as grams
that follow one another event by event. So its length is an upper bound: no run of EVENTS or more is found too short,
but one may be found too long if a gram is wrongly known, or if grams of several songs meet.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serenity.errors import InputError
from serenity.music.note import HIGHEST_PITCH
from serenity.music.pitch import top_pitch
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, Vocabulary

EVENTS = 8    # of a gram; real songs share runs of 9 with others, so shorter ones say nothing
FALSE = 1024  # of so many grams that are in no song, one is wrongly known

FORMAT = "serenity-novelty 1"
_MOST_GRAMS = 2 ** 27  # no index is larger: 100,000 songs
_GAP = np.dtype("<u4")


@dataclass(frozen=True, eq=False)
class Index:
    """The grams of the training songs."""

    events: int         # of a gram: shorter runs are not seen
    songs: int          # that it was built from
    size: int           # number of places
    places: np.ndarray  # (grams,) int64, ascending, below size: the hashes of the grams

    def holds(self, rows: list[bytes]) -> bool:
        """Return whether a gram, as `events` rows of `_rows`, is in a training song, or is wrongly known."""
        place = _hash(rows) % self.size
        at = self.places.searchsorted(place)
        return at < len(self.places) and bool(self.places[at] == place)


class Run(NamedTuple):
    """A run of a continuation that a training song has too. If none has Index.events or more, the length is 0."""

    length: int  # events
    start: int   # its first event in the continuation


def build(songs: Iterable[np.ndarray], events: int = EVENTS, base: Index | None = None) -> Index:
    """Return the index of songs, each as its events' chords (n, 2) uint64 (see serenity.music.pitch).

    With `base` the new index also has everything in it, and grams of as many events. The base's size is kept, so the
    more is added, the more grams are wrongly known.
    """
    events = base.events if base else events
    hashes, count = [np.zeros(0, np.uint64)], 0
    for chords in songs:
        rows = _rows(chords)
        hashes.append(np.array([_hash(rows[end - events:end]) for end in range(events, len(rows) + 1)], np.uint64))
        count += 1
    grams = np.unique(np.concatenate(hashes))
    if base is None:
        base = Index(events, 0, FALSE * max(1, len(grams)), np.zeros(0, np.int64))
    places = (grams % np.uint64(base.size)).astype(np.int64)
    return Index(events, base.songs + count, base.size, np.union1d(base.places, places))


def longest_run(index: Index, chords: np.ndarray, prompt: int = 0) -> Run:
    """Return the longest run of a continuation; of several equally long ones the first.

    `chords` (n, 2) are those of the last `prompt` events of the prompt (0: none) and of the continuation. A run may
    begin in the prompt, but for length and start only the continuation's events count.
    """
    rows, run, longest = _rows(chords), 0, Run(0, 0)
    for end in range(index.events, len(rows) + 1):
        run = _grown(run, index) if index.holds(rows[end - index.events:end]) else 0
        own = min(run, end - prompt)
        if own > longest.length:
            longest = Run(own, end - prompt - own)
    return longest


def veto(index: Index, vocabulary: Vocabulary, limit: int) -> Callable[[int, np.ndarray, int], bool]:
    """Return refuse(variation, tokens, pitch): whether a pitch token after `tokens` makes a run of more than `limit`.

    `tokens` (n, 4) are the continuation so far; for one variation they may only grow, or begin again. If a refused
    token is never taken, the continuation has no longest_run above `limit`, whatever the prompt is: a run counts only
    in the continuation, so a run that is too long lies there completely. Raises InputError if the index does not see
    runs as short as `limit`.
    """
    if limit < index.events - 1:
        raise InputError(f"novelty of {limit} events; wanted {index.events - 1} or more, since the model's index holds "
                         f"runs of {index.events}")
    column = ATTRIBUTES.index("pitch")
    tops = top_pitch(vocabulary.pitch.values).tolist()
    shapes = [_shape(*chord, top) for chord, top in zip(vocabulary.pitch.values.tolist(), tops)]

    def row(token: int, before: int | None) -> bytes:
        top = tops[token - SPECIALS]
        return _row(shapes[token - SPECIALS], top, top if before is None else tops[before - SPECIALS])

    def follow(state: tuple, token: int) -> tuple:
        """Return (events, rows of the last ones, last token, run) after one event more."""
        events, rows, before, run = state
        rows = (*rows[1 - index.events:], row(token, before))
        is_known = len(rows) == index.events and index.holds(rows)
        return events + 1, rows, token, _grown(run, index) if is_known else 0

    start, states = (0, (), None, 0), {}

    def refuse(variation: int, tokens: np.ndarray, pitch: int) -> bool:
        state = states.get(variation, start)
        if state[0] > len(tokens):
            state = start
        if state[0] < len(tokens):  # once for each event; for the next one many candidates are asked about
            for token in tokens[state[0]:, column].tolist():
                state = follow(state, token)
            states[variation] = state
        events, rows, last, run = state
        if _grown(run, index) <= limit or events < index.events - 1:
            return False
        return index.holds((*rows[1 - index.events:], row(pitch, last)))

    return refuse


def _grown(run: int, index: Index) -> int:
    """Return the length of a run after one more known gram; `run` is its length before, 0 if there was none."""
    return max(run + 1, index.events)


# --- what is the same in any transposition ----------------------------------------------------------------------------

def _rows(chords: np.ndarray) -> list[bytes]:
    """Return each event as a row: its chord's shape, and the interval from the event before (for the first: 0)."""
    tops = top_pitch(chords).tolist()
    return [_row(_shape(*chord, top), top, before)
            for chord, top, before in zip(chords.tolist(), tops, tops[:1] + tops)]


def _shape(low: int, high: int, top: int) -> bytes:
    """Return a chord of 128 bits as 16 bytes, moved so that its top note is the highest there is."""
    return ((high << 64 | low) << (HIGHEST_PITCH - top)).to_bytes(16, "little")


def _row(shape: bytes, top: int, before: int) -> bytes:
    return bytes([HIGHEST_PITCH + top - before]) + shape


def _hash(rows) -> int:
    """Return a gram's hash. It does not depend on how the first event was reached."""
    return int.from_bytes(hashlib.blake2b(b"".join(rows)[1:], digest_size=8).digest(), "little")


# --- on disk ----------------------------------------------------------------------------------------------------------

def write(path: Path, index: Index) -> None:
    """Write an index: a line of JSON that says what it is, then the gaps between places, packed by zlib.

    The gaps are stored byte by byte, all lowest bytes first: these are noise, and the higher ones are nearly all 0.
    """
    head = {"format": FORMAT, "events": index.events, "songs": index.songs, "size": index.size,
            "grams": len(index.places)}
    gaps = np.diff(index.places, prepend=0).astype(_GAP).view(np.uint8).reshape(-1, _GAP.itemsize)
    path.write_bytes(json.dumps(head).encode() + b"\n" + zlib.compress(gaps.T.tobytes(), 9))


def read(path: Path) -> Index:
    """Read what write wrote. Its inverse. Raises InputError that names the file and what is wrong."""
    try:
        head, _, packed = path.read_bytes().partition(b"\n")
        head = json.loads(head)
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ValueError(f"it does not begin with the format '{FORMAT}'")
        events, songs, size, grams = (head.get(name) for name in ("events", "songs", "size", "grams"))
        if not all(type(number) is int and number >= 0 for number in (events, songs, size, grams)) \
                or events < 1 or not grams <= min(size, _MOST_GRAMS) or not 1 <= size < 2 ** 63:
            raise ValueError("its head does not count events, songs, size and grams")
        data = zlib.decompressobj().decompress(packed, grams * _GAP.itemsize + 1)  # no more memory than it promises
        if len(data) != grams * _GAP.itemsize:
            raise ValueError(f"it does not hold the {grams:,} grams that it promises")
    except FileNotFoundError:
        raise InputError(f"{path} is missing; wanted an index of the training songs") from None
    except (OSError, ValueError, RecursionError, zlib.error) as error:
        raise InputError(f"{path} is not a complete index of the training songs ({error})") from None
    planes = np.frombuffer(data, np.uint8).reshape(_GAP.itemsize, -1)
    places = np.ascontiguousarray(planes.T).view(_GAP).reshape(-1).astype(np.int64)
    np.cumsum(places, out=places)  # in place: for a large index, asking for memory takes longer than adding up
    if grams and places[-1] >= size:
        raise InputError(f"{path} is not a complete index of the training songs (it has more places than it promises)")
    return Index(events, songs, size, places)
