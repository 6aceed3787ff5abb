"""How dictionaries fit a song: which of their values can be played in it, and which of its values they lack."""

from dataclasses import dataclass

import numpy as np

from serenity.errors import InputError
from serenity.music.categories import Category
from serenity.music.event import loudness_name, time_name
from serenity.music.pitch import chord_matrix, chord_pitches, note_names
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, AttributeVocabulary, Vocabulary, column_values

PLURAL = {"pitch": "chords", "step": "steps", "duration": "durations", "velocity": "velocities"}


# --- what can be played -----------------------------------------------------------------------------------------------

def playable(pitch: AttributeVocabulary, transposition: int, category: Category) -> np.ndarray:
    """Return for each token, (tokens,) bool, whether its chord lies in the category's range in the song's own key.

    The `transposition` (as in codec.Encoded) is undone first. The special tokens are True. Raises InputError if no
    chord is left.
    """
    lowest, highest = category.lowest + transposition, category.highest + transposition
    matrix = chord_matrix(pitch.values)
    chords = ~(matrix[:, :max(lowest, 0)].any(axis=1) | matrix[:, max(highest + 1, 0):].any(axis=1))
    if not chords.any():
        raise InputError(f"no chord that the model knows lies in the range of the {category.name} here; "
                         "wanted a seed nearer to it, or another --category")
    return np.concatenate([np.ones(SPECIALS, bool), chords])


def melodic(vocabulary: Vocabulary, transposition: int, lowest: int, highest: int) -> dict[str, np.ndarray]:
    """Return masks like that of `playable`, for pitch and step, which allow only one note after another, from `lowest`
    to `highest` in the song's own key.
    """
    matrix = chord_matrix(vocabulary.pitch.values)
    inside = matrix[:, max(lowest + transposition, 0):max(highest + transposition + 1, 0)].sum(axis=1)
    masks = {"pitch": (inside == 1) & (matrix.sum(axis=1) == 1), "step": vocabulary["step"].values > 0}
    if not masks["pitch"].any():
        raise InputError("the model knows no single note in the range of the seed's melody; wanted another seed, or "
                         "all voices")
    return {name: np.concatenate([np.ones(SPECIALS, bool), mask]) for name, mask in masks.items()}


# --- what is not known ------------------------------------------------------------------------------------------------

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
    """Return which values `vocabulary.encode(events)`, which gave tokens and known (events, 4), did not know exactly.

    The `transposition` (as in codec.Encoded) is undone: chords are named as in the song, with flats if its key has
    them, and times are in quarters.
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
