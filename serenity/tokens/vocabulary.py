"""The dictionaries: the commonest values of each attribute, as tokens, and the nearest token for all others."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.music.codec import LIMITS, loudness_name, parse_loudness
from serenity.music.pitch import (
    OCTAVE,
    chord_matrix,
    chord_pitches,
    parse_chord,
    pitch_bits,
    spell,
    top_pitch,
    unique_chords,
)
from serenity.settings import ATTRIBUTES, MOST_VALUES, SPECIALS, DictionarySettings

# The columns of every token array: the four attributes as tokens, then numbers that say where in the bars an event
# stands (event.bar_places): its place in the bar and the bar's length in grid points, and how many bars are left. A
# length of 0, and 0 bars left, mean: not known.
COLUMNS = (*ATTRIBUTES, "place", "bar", "left")
PLACE, BAR, LEFT = range(len(ATTRIBUTES), len(COLUMNS))
DECISION_ORDER = ("step", "pitch", "duration", "velocity")    # the order in which an event's attributes are decided

PAD, START, END = 0, 1, 2  # nothing; before a song's first event; after its last. Values begin at SPECIALS

TOP_K = DictionarySettings().sizes
VELOCITY_BIN = 4  # so many neighbouring velocities count as one: a listener can tell about 32 levels apart

FORMAT = "serenity-vocabulary 2"


@dataclass(frozen=True)
class AttributeVocabulary:
    """One attribute's values, the commonest first. Token t stands for values[t - SPECIALS].

    `values` is (k, 2) uint64 chords for pitch (see serenity.music.pitch), (k,) int64 grid points for step and duration,
    (k, 2) int64 for velocity: the middle of a bin of velocities, and the top note's accent.
    """

    attribute: str
    values: np.ndarray
    counts: np.ndarray  # how often the training songs have each value

    @property
    def size(self) -> int:
        """Number of tokens, the special ones included."""
        return SPECIALS + len(self.values)

    def encode(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the token of each value, or of its nearest known value, and which values were known exactly."""
        if self.attribute == "pitch":
            unique, which, _ = unique_chords(values)
            index, known = nearest_chord(unique, self.values)
        elif self.attribute == "velocity":
            unique, which = np.unique(values, axis=0, return_inverse=True)
            index = abs(unique[:, None] - self.values).sum(axis=-1).argmin(axis=1)
            known = (self.values[index] == unique).all(axis=1)
        else:
            unique, which = np.unique(values, return_inverse=True)
            index = nearest_number(unique, self.values)
            known = self.values[index] == unique
        return (index[which] + SPECIALS).astype(np.uint16), known[which]

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """Return the value of each token. The inverse of encode for known values.

        PAD, START and END have no value: they raise ValueError.
        """
        tokens = np.asarray(tokens, np.int64)
        if tokens.size and (tokens.min() < SPECIALS or tokens.max() >= self.size):
            raise ValueError(f"{self.attribute} tokens {tokens.min()}..{tokens.max()}, "
                             f"wanted {SPECIALS}..{self.size - 1}")
        return self.values[tokens - SPECIALS]


@dataclass(frozen=True)
class Vocabulary:
    """The four dictionaries."""

    pitch: AttributeVocabulary
    step: AttributeVocabulary
    duration: AttributeVocabulary
    velocity: AttributeVocabulary

    def __getitem__(self, attribute: str) -> AttributeVocabulary:
        return getattr(self, attribute)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of tokens of each attribute."""
        return {attribute: self[attribute].size for attribute in ATTRIBUTES}

    def encode(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens (events, 4) uint16 and which of them are exact (events, 4) bool. No event is dropped.

        A velocity counts as exact if its bin is known.
        """
        columns = [self[attribute].encode(column_values(events, attribute)) for attribute in ATTRIBUTES]
        tokens, known = zip(*columns)
        return np.stack(tokens, axis=1), np.stack(known, axis=1)

    def decode(self, tokens: np.ndarray, events_type: np.dtype) -> np.ndarray:
        """Return the events of tokens (events, 4 or more), a table of `events_type` (EVENT). The inverse of encode."""
        events = np.empty(len(tokens), events_type)
        for column, attribute in enumerate(ATTRIBUTES):
            values = self[attribute].decode(tokens[:, column])
            if attribute == "velocity":
                events["velocity"], events["accent"] = values.T
            else:
                events[attribute] = values
        return events


def column_values(events: np.ndarray, attribute: str) -> np.ndarray:
    """Return the values of one attribute as its dictionary counts them: velocities as the middle of their bin, with
    the accent."""
    if attribute != "velocity":
        return events[attribute]
    return np.stack([events["velocity"] // VELOCITY_BIN * VELOCITY_BIN + VELOCITY_BIN // 2, events["accent"]],
                    axis=-1).astype(np.int64)


# --- building ---------------------------------------------------------------------------------------------------------

def count_values(event_tables, top_k: dict[str, int] = TOP_K) -> Vocabulary:
    """Return the dictionaries of the top_k commonest values over an iterable of event tables."""
    return make(merge_counts([counts_of(events) for events in event_tables]), top_k)


def counts_of(events: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the different values of each attribute in ascending order, and how often the events have each."""
    counts = {attribute: np.unique(column_values(events, attribute), axis=0, return_counts=True)
              for attribute in ATTRIBUTES if attribute != "pitch"}
    chords, _, count = unique_chords(events["pitch"])
    return counts | {"pitch": (chords, count)}


def merge_counts(parts: list[dict]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the sum of what counts_of returned. Raises InputError if the songs hold no event."""
    merged = {}
    for attribute in ATTRIBUTES:
        counted = [part[attribute] for part in parts if len(part[attribute][1])]
        if not counted:
            raise InputError("the songs hold no event; wanted at least one to build a dictionary from")
        values, counts = (np.concatenate(column) for column in zip(*counted))
        if attribute == "pitch":
            unique, which, _ = unique_chords(values)
        else:
            unique, which = np.unique(values, axis=0, return_inverse=True)
        merged[attribute] = unique, np.bincount(which, counts).astype(np.int64)
    return merged


def make(counts: dict[str, tuple[np.ndarray, np.ndarray]], top_k: dict[str, int] = TOP_K) -> Vocabulary:
    """Return the dictionaries of the top_k commonest values that were counted.

    Equally common values stand in ascending order, so that the result does not depend on the order of the songs.
    Raises InputError if a top_k is out of range.
    """
    check_top_k(top_k)
    dictionaries = {}
    for attribute in ATTRIBUTES:
        values, count = counts[attribute]
        commonest = np.argsort(-count, kind="stable")[:top_k[attribute]]
        dictionaries[attribute] = AttributeVocabulary(attribute, values[commonest], count[commonest])
    return Vocabulary(**dictionaries)


def check_top_k(top_k: dict[str, int]) -> None:
    """Raise InputError if a dictionary's size is impossible."""
    for attribute in ATTRIBUTES:
        if not 1 <= top_k[attribute] <= MOST_VALUES:
            raise InputError(f"{attribute} dictionary of {top_k[attribute]:,} values, wanted 1 to {MOST_VALUES:,}")


# --- nearest ----------------------------------------------------------------------------------------------------------

def nearest_number(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return for each value the index of the nearest known value; of two equally near ones, the commoner."""
    order = np.argsort(known, kind="stable")
    ascending = known[order]
    right = np.clip(np.searchsorted(ascending, values), 1, max(1, len(known) - 1))
    candidates = order[np.stack([right - 1, np.minimum(right, len(known) - 1)])]  # (2, values)
    distance = np.abs(known[candidates] - values)
    # Rounded, so that 0.03 is as far from 0.02 as from 0.04. The index breaks the tie: the commoner value is lower.
    best = np.lexsort((candidates, np.round(distance, 9)), axis=0)[0]
    return candidates[best, np.arange(len(values))]


def nearest_chord(chords: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each chord (n, 2) the index of the nearest known chord (k, 2), and which chords are known: (n,) bool.

    A known chord is its own nearest. Otherwise the top note is kept, since it carries the melody; if no known chord
    has it, the nearest top note is taken. Of the chords with that top note, the nearest is the one that keeps most of
    the other notes and adds fewest. To lose or add a pitch class weighs more than to lose or add an octave doubling: if
    only a#5d5f4 is known, a#5d5f4d3 becomes that. Of equally near chords the commonest is taken.
    """
    index = _index_of(chords, known)
    is_known = index >= 0
    chord_top, known_top = top_pitch(chords), top_pitch(known)
    tops = np.unique(known_top)
    for top in np.unique(chord_top[~is_known]):
        candidates = np.flatnonzero(known_top == tops[np.abs(tops - top).argmin()])
        rows = np.flatnonzero(~is_known & (chord_top == top))
        for part in np.array_split(rows, 1 + len(rows) * len(candidates) // 1_000_000):  # bounds the memory
            cost = _chord_distance(chords[part], known[candidates])
            index[part] = candidates[cost.argmin(axis=1)]
    return index, is_known


def _index_of(chords: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the place of each chord among the known ones, which are all different; -1: it is not there."""
    unique, which, _ = unique_chords(np.concatenate([known, chords]))
    place = np.full(len(unique), -1)
    place[which[:len(known)]] = np.arange(len(known))
    return place[which[len(known):]]


def _chord_distance(chords: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return how far each chord is from each known chord: (n, 2), (k, 2) -> (n, k)."""
    def count(bits):
        return np.bitwise_count(bits).astype(np.int16).sum(axis=-1)

    chords, known = chords[:, None], known[None]
    classes, known_classes = _pitch_classes(chords[:, 0])[:, None], _pitch_classes(known[0])[None]
    lost, added = count(chords & ~known), count(known & ~chords)
    lost_classes = np.bitwise_count(classes & ~known_classes).astype(np.int16)
    added_classes = np.bitwise_count(known_classes & ~classes).astype(np.int16)
    return 4 * lost + 2 * lost_classes + 4 * added + 4 * added_classes  # a foreign harmony is worse than a thin one


def _pitch_classes(chords: np.ndarray) -> np.ndarray:
    """Return each chord's pitch classes as 12 bits: (n, 2) -> (n,) uint16."""
    matrix = np.pad(chord_matrix(chords), ((0, 0), (0, 4)))  # 128 + 4 pitches are 11 whole octaves
    classes = matrix.reshape(len(chords), -1, OCTAVE).any(axis=1)
    return (classes << np.arange(OCTAVE)).sum(axis=1).astype(np.uint16)


# --- on disk ----------------------------------------------------------------------------------------------------------

def to_json(vocabulary: Vocabulary) -> str:
    """Return the dictionaries as JSON that a person can read: one value and its count a line."""
    attributes = {attribute: dict(zip(_names(vocabulary[attribute]), vocabulary[attribute].counts.tolist()))
                  for attribute in ATTRIBUTES}
    return json.dumps({"format": FORMAT, **attributes}, indent=1) + "\n"


def from_json(text: str, name: str = "vocabulary") -> Vocabulary:
    """Parse what to_json wrote. Its inverse. Raises InputError naming what is wrong."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InputError(f"{name}: not JSON ({error}); wanted a vocabulary") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"{name}: format '{found}', wanted '{FORMAT}'")
    return Vocabulary(**{attribute: _from_names(attribute, data.get(attribute), name) for attribute in ATTRIBUTES})


def write(path: Path, vocabulary: Vocabulary) -> None:
    """Write the dictionaries to a JSON file."""
    path.write_text(to_json(vocabulary), encoding="utf-8")


def read(path: Path) -> Vocabulary:
    """Read what write wrote. Raises InputError."""
    try:
        return from_json(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; wanted a vocabulary") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; wanted a vocabulary") from None


def _names(vocabulary: AttributeVocabulary) -> list[str]:
    if vocabulary.attribute == "pitch":
        return [spell(chord_pitches(chord)) for chord in vocabulary.values]
    if vocabulary.attribute == "velocity":
        return [loudness_name(*value) for value in vocabulary.values.tolist()]
    return [str(points) for points in vocabulary.values.tolist()]


def _chords(names: Iterable[str]) -> np.ndarray:
    """Return the chords that names spell: (chords, 2) uint64."""
    chords = [parse_chord(name) for name in names]
    sizes = [len(chord) for chord in chords]
    return np.bitwise_or.reduceat(pitch_bits(np.concatenate(chords)), np.cumsum([0, *sizes[:-1]]), axis=0)


def _from_names(attribute: str, names, source: str) -> AttributeVocabulary:
    if not isinstance(names, dict) or not names:
        raise InputError(f"{source}: {attribute} holds no values; wanted value and count, one or more")
    try:
        if attribute == "pitch":
            values = _chords(names)
        else:
            parse = parse_loudness if attribute == "velocity" else int
            values = np.array([parse(name) for name in names], np.int64)
        counts = np.array([int(count) for count in names.values()], np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{source}: {attribute}: {error.args[0]}") from None
    if len(values) > MOST_VALUES:
        raise InputError(f"{source}: {attribute} holds {len(values):,} values, wanted {MOST_VALUES:,} at most")
    if len(np.unique(values, axis=0)) < len(values):
        raise InputError(f"{source}: {attribute} holds a value twice")
    if values.ndim == 1:
        lowest, highest = LIMITS[attribute]
        if wrong := [name for name, value in zip(names, values) if not lowest <= value <= highest]:
            raise InputError(f"{source}: {attribute} '{wrong[0]}', wanted a number from {lowest} to {highest:,}")
    return AttributeVocabulary(attribute, values, counts)
