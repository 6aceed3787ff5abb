"""The codec: a note table in any key <-> normalised events. Encoding and decoding stand side by side."""

from dataclasses import dataclass

import numpy as np

from serenity.errors import InputError
from serenity.music.event import fold_notes, unfold_events
from serenity.music.harmony import Key, find_key
from serenity.music.instruments import CATEGORIES
from serenity.music.pitch import OCTAVE, centre_transposition, fold, key_transposition, transpose


@dataclass(frozen=True)
class CodecSettings:
    """How notes become events. A model carries the settings that it was trained with."""

    category: str = "piano"          # row of serenity.music.instruments.CATEGORIES: its centre pitch and range
    normalise: str = "key"           # "key": to C major or A minor, then by octaves to the centre; "centre": to the
                                     # centre pitch by semitones; "none": as it is
    time_step: float = 0.02          # seconds; nearer onsets are one strike
    split_ratio: float | None = 1.5  # longest/shortest duration in one chord; None: one chord an onset

    def __post_init__(self):
        if self.category not in CATEGORIES:
            raise InputError(f"category '{self.category}' is unknown; wanted one of {', '.join(CATEGORIES)}")
        if self.normalise not in ("key", "centre", "none"):
            raise InputError(f"normalise '{self.normalise}' is unknown; wanted key, centre or none")
        if not 0.001 <= self.time_step <= 1:
            raise InputError(f"time step {self.time_step} s is out of range; wanted 0.001 to 1 s")
        if self.split_ratio is not None and not self.split_ratio >= 1:
            raise InputError(f"split ratio {self.split_ratio} is out of range; wanted 1 or more, or None")


@dataclass(frozen=True)
class Encoded:
    """A song as normalised events, with what is needed to undo the normalising."""

    events: np.ndarray  # EVENT table
    key: Key            # of the song as it was
    transposition: int  # semitones that were added
    folded: int         # notes moved by octaves into the category's range; these do not come back


def encode(notes: np.ndarray, settings: CodecSettings, key: Key | None = None) -> Encoded:
    """Normalise a note table and fold it into events. A table without notes raises ValueError.

    `key`: the song's, where it is known better than from these notes, as a sibling's is from its parent. None: found.
    """
    category = CATEGORIES[settings.category]
    key = key or find_key(notes)
    transposition = 0
    if settings.normalise == "key":
        transposition = key_transposition(key.tonic, key.mode)
        transposition += centre_transposition(transpose(notes, transposition), category.centre, OCTAVE)
    elif settings.normalise == "centre":
        transposition = centre_transposition(notes, category.centre)
    inside, folded = fold(transpose(notes, transposition), category.lowest, category.highest)
    return Encoded(fold_notes(inside, settings.time_step, settings.split_ratio), key, transposition, folded)


def decode(events: np.ndarray, transposition: int) -> np.ndarray:
    """Return the note table of normalised events in the song's own key and register. The inverse of encode.

    A pitch that would leave MIDI's range 0-127 is moved by octaves to its edge.
    """
    return fold(transpose(unfold_events(events), -transposition))[0]
