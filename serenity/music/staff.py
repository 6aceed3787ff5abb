"""What a score says, staff by staff and bar by bar, whichever notation it came in.

musicxml.py and tune.py read notation into this; sheet.py makes MIDI of it. Times are in quarters, as fractions.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from serenity.music.chord_symbols import Symbol
from serenity.music.playing_order import Bar

GRACE = Fraction(1, 8)  # quarter; longest grace note that is no appoggiatura

KEYS = {  # mode -> names of the keys, from 7 flats to 7 sharps
    "major": ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"),
    "minor": ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m"),
}


class Struck(NamedTuple):
    """A note as it is written, grace notes already placed in time."""

    onset: Fraction   # from the bar's start; below 0 for a grace note before it
    length: Fraction
    pitch: int        # MIDI note number, as it sounds
    is_tied: bool     # to the next note of its pitch
    is_accented: bool


class Hairpin(NamedTuple):
    """A crescendo (way 1) or diminuendo (-1)."""

    bar: int          # written bar in which it begins
    offset: Fraction  # in it
    length: Fraction
    way: int


@dataclass
class Measure:
    """A written bar of one staff. Offsets count from its start."""

    length: Fraction = Fraction(0)  # of what is written in it
    metre: tuple[int, int] | None = None  # where it is stated
    notes: list[Struck] = field(default_factory=list)
    dynamics: list[tuple[Fraction, str]] = field(default_factory=list)  # such as "pp"
    tempos: list[tuple[Fraction, bool, float]] = field(default_factory=list)  # offset, whether a guess, BPM
    keys: list[tuple[Fraction, str]] = field(default_factory=list)  # one of KEYS
    symbols: list[tuple[Fraction, Symbol]] = field(default_factory=list)
    order: dict = field(default_factory=dict)  # fields of playing_order.Bar

    @property
    def bar(self) -> Bar:
        """What it says of the order of playing."""
        return Bar(**self.order)


@dataclass
class Staff:
    """A staff, or a voice that is written apart."""

    part: str      # staves of one part belong together
    name: str      # of the part
    program: int   # General MIDI program, 0-127
    measures: list[Measure] = field(default_factory=list)
    hairpins: list[Hairpin] = field(default_factory=list)


def graces(pitches: list[tuple[int, ...]], onset: Fraction) -> list[Struck]:
    """Return grace notes, one after another, that come before `onset`. `pitches`: those of each."""
    start = onset - GRACE * len(pitches)
    return [Struck(start + number * GRACE, GRACE, pitch, False, False)
            for number, together in enumerate(pitches) for pitch in together]
