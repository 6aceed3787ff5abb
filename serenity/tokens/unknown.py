"""Values of a seed that the dictionaries lack, and what they became."""

from dataclasses import dataclass

import numpy as np

from serenity.music.event import loudness_name, time_name
from serenity.music.pitch import chord_pitches, note_names
from serenity.tokens.vocabulary import ATTRIBUTES, Vocabulary, column_values

PLURAL = {"pitch": "chords", "step": "steps", "duration": "durations", "velocity": "velocities"}


@dataclass(frozen=True)
class Replaced:
    """The unknown values of one attribute."""

    attribute: str
    count: int   # events whose value was unknown
    events: int  # of all
    worst: tuple[tuple[str, str], ...]  # (was, became) as text, the farthest apart first

    def __str__(self) -> str:
        pairs = ", ".join(f"{was} -> {new}" for was, new in self.worst)
        return f"{self.count} of {self.events} {PLURAL[self.attribute]} ({pairs})"


def find_replaced(events: np.ndarray, tokens: np.ndarray, known: np.ndarray, vocabulary: Vocabulary,
                  grid: int, transposition: int = 0, has_flats: bool = False, worst: int = 2) -> list[Replaced]:
    """Return what `vocabulary.encode(events)`, which gave tokens and known (events, 4), could not hold exactly.

    `transposition`, as in codec.Encoded, is taken back: chords are named as they stand in the song, with flats where
    its key has them, times in quarters.
    """
    found = []
    for column, attribute in enumerate(ATTRIBUTES):
        unknown = ~known[:, column]
        if unknown.any():
            pairs = column_values(events, attribute)[unknown], vocabulary[attribute].decode(tokens[unknown, column])
            named = _worst(*pairs, attribute, grid, transposition, has_flats, worst)
            found.append(Replaced(attribute, int(unknown.sum()), len(events), named))
    return found


def _worst(was: np.ndarray, became: np.ndarray, attribute: str, grid: int, transposition: int, has_flats: bool,
           count: int) -> tuple:
    is_chord = attribute == "pitch"
    distance = np.bitwise_count(was ^ became) if is_chord else np.abs(was - became)
    distance = distance.reshape(len(was), -1).sum(axis=1)
    pairs = {}  # in order, each once
    for row in np.argsort(-distance.astype(float), kind="stable"):
        both = was[row], became[row]
        pairs[tuple(note_names([pitch - transposition for pitch in chord_pitches(chord)], has_flats)
                    for chord in both) if is_chord
              else tuple(loudness_name(*value.tolist()) for value in both) if attribute == "velocity"
              else tuple(time_name(int(value), grid) for value in both)] = None
        if len(pairs) == count:
            break
    return tuple(pairs)
