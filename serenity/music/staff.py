"""What a score says, staff by staff and bar by bar, whichever notation it came in; and in which order bars are played.

musicxml.py and tune.py read notation into this; sheet.py makes MIDI of it. Times are in quarters, as fractions.

The order follows repeats, endings, da capo, dal segno, coda and fine. Real scores leave signs out: a repeat that never
began goes back to where the last one ended, a first ending without its sign repeats all the same. (music21's own
Expander refuses a third of the lead sheets of OpenEWLD that have repeats.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from serenity.music.chord_symbols import Symbol

GRACE = Fraction(1, 8)  # quarter; longest grace note that is no appoggiatura
MOST_ROUNDS = 16  # times as many bars played as there are written

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
    order: dict = field(default_factory=dict)  # fields of Bar: what it says of the order in which bars are played


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


# --- the order of bars ------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Bar:
    """What a bar says of the order."""

    begins_repeat: bool = False
    rounds: int = 0  # 2 or more where a repeat ends behind it: how often it is played
    endings: frozenset[int] = frozenset()  # the rounds in which it is played; empty: in all
    is_segno: bool = False
    is_coda: bool = False
    is_fine: bool = False   # the song ends behind it, once it has gone back
    to_coda: bool = False   # behind it, once the song has gone back
    back_to: str | None = None  # "start" or "segno": where the song goes on behind it, once


def playing_order(bars: Sequence[Bar]) -> list[int]:
    """Return the indices of bars in the order in which they are played."""
    order, at, start, round_, has_gone_back = [], 0, 0, 1, False
    while at < len(bars) and len(order) < MOST_ROUNDS * len(bars):
        bar = bars[at]
        if bar.begins_repeat and at != start or at and bars[at - 1].endings and not bar.endings and at > start:
            start, round_ = at, 1
        if bar.endings and (_last_round(bars, at) if has_gone_back else round_) not in bar.endings:
            at += 1
            continue
        order.append(at)
        if not has_gone_back and round_ < _rounds(bars, at):
            at, round_ = start, round_ + 1
        elif bar.back_to and not has_gone_back:
            at, has_gone_back = _first(bars, "is_segno", 0) if bar.back_to == "segno" else 0, True
        elif has_gone_back and bar.is_fine:
            break
        elif has_gone_back and bar.to_coda:
            at = _first(bars, "is_coda", at + 1)
        else:
            if bar.rounds:
                start, round_ = at + 1, 1
            at += 1
    return order


def _rounds(bars: Sequence[Bar], at: int) -> int:
    """Return how often the section that ends behind a bar is played; 0: none ends there."""
    bar, after = bars[at], bars[at + 1].endings if at + 1 < len(bars) else frozenset()
    if not bar.endings:
        return bar.rounds
    is_end = bar.rounds or after and after != bar.endings
    return _last_round(bars, at) if is_end else 0


def _last_round(bars: Sequence[Bar], at: int) -> int:
    """Return the last round of the endings that a bar stands among: 2 or more."""
    first = last = at
    while first and bars[first - 1].endings:
        first -= 1
    while last + 1 < len(bars) and bars[last + 1].endings:
        last += 1
    return max(2, *(max(bar.endings) for bar in bars[first:last + 1]))


def _first(bars: Sequence[Bar], sign: str, default: int) -> int:
    """Return the index of the first bar with a sign, behind `default` where there is one."""
    return next((index for index in range(default, len(bars)) if getattr(bars[index], sign)), default)
