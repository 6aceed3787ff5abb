"""The chords of a lead sheet, as a pianist plays them under its melody: a bass note and a close chord in the middle.

What is wanted of a chord is what synthetic.py wants of one, and its limits are used here: no muddy interval in the
bass, no semitone that grinds, no voice above the melody. And no voice moves farther than need be.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serenity.music.pitch import OCTAVE
from serenity.music.synthetic import FIFTH, GRINDING, LOW_INTERVAL_LIMITS, LOWEST_BASS

BASS = range(38, 38 + OCTAVE)  # d2 to c#3; an octave lower under a low melody
TOPS = range(50, 75)  # the chord's highest note
MIDDLE = 59  # where a chord stands that comes from nowhere
VOICES = 3  # beside the bass
# In semitones of movement, what costs as much: a semitone above the melody, a muddy interval, one that grinds, a bass
# in its lower octave, and a semitone away from the middle.
ABOVE_MELODY, MUDDY, GRINDS, DEEP, AWAY = 12.0, 24.0, 12.0, 12.0, 1.5


@dataclass(frozen=True, order=True)
class Symbol:
    """A chord symbol: pitch classes from its root up, and that of its bass."""

    classes: tuple[int, ...]
    bass: int


SILENCE = Symbol((), 0)  # N.C.

# Suffix of a chord's name -> semitones above its root. Names differ from book to book; these are those in use.
_SUFFIXES = {
    (0, 4, 7): "|maj|M|major", (0, 3, 7): "m|min|-|mi|minor", (0, 7): "5", (0, 5, 7): "sus4|sus|4", (0, 2, 7): "sus2|2",
    (0, 3, 6): "dim|o|m(b5)", (0, 4, 8): "+|aug|(#5)|#5", (0, 4, 7, 9): "6|maj6|M6", (0, 3, 7, 9): "m6|min6|-6",
    (0, 4, 7, 10): "7|dom7", (0, 4, 7, 11): "maj7|M7|ma7|j7|^7|^", (0, 3, 7, 10): "m7|min7|-7|mi7",
    (0, 3, 7, 11): "mM7|mmaj7|m(maj7)|-maj7", (0, 3, 6, 9): "dim7|o7", (0, 5, 7, 10): "7sus4|7sus",
    (0, 3, 6, 10): "m7b5|m7(b5)|h|h7|%7|%|-7b5|min7b5", (0, 4, 8, 10): "+7|7#5|7(#5)|aug7|7+",
    (0, 4, 6, 10): "7b5|7(b5)", (0, 4, 7, 2): "add9|(add9)|add2", (0, 3, 7, 2): "m(add9)|madd9",
    (0, 4, 7, 9, 2): "69|6/9|6(9)", (0, 4, 7, 10, 2): "9|7(9)|dom9", (0, 4, 7, 11, 2): "maj9|M9",
    (0, 3, 7, 10, 2): "m9|min9|-9", (0, 5, 7, 10, 2): "9sus4|9sus", (0, 4, 8, 10, 2): "9#5|+9",
    (0, 4, 7, 10, 1): "7b9|7(b9)|7-9", (0, 4, 7, 10, 3): "7#9|7(#9)|7+9|alt|7alt",
    (0, 4, 7, 10, 6): "7#11|7(#11)", (0, 4, 7, 10, 2, 5): "11", (0, 3, 7, 10, 2, 5): "m11|min11",
    (0, 4, 7, 10, 2, 9): "13",
}
SUFFIXES = {suffix: above for above, names in _SUFFIXES.items() for suffix in names.split("|")}
_NAME = re.compile(r"([A-G])([#b\u266f\u266d]?)([^/\s]*?(?:6/9)?)(?:/([A-Ga-g])([#b\u266f\u266d]?))?")
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHIFTS = {"#": 1, "\u266f": 1, "b": -1, "\u266d": -1, "": 0, None: 0}


def symbol_of(name: str) -> Symbol | None:
    """Return the chord of a name such as Am7, Bb or D7/F#; None for any other text."""
    if name.strip().upper() in ("N.C.", "NC", "N.C"):
        return SILENCE
    match = _NAME.fullmatch(name.strip())
    if not match or match[3] not in SUFFIXES:
        return None
    root = (LETTERS[match[1]] + _SHIFTS[match[2]]) % OCTAVE
    bass = (LETTERS[match[4].upper()] + _SHIFTS[match[5]]) % OCTAVE if match[4] else root
    return Symbol(tuple((root + step) % OCTAVE for step in SUFFIXES[match[3]]), bass)


def voiced(symbols: Sequence[Symbol], melodies: Sequence[np.ndarray]) -> list[list[int]]:
    """Return the MIDI pitches of each chord, the bass first. `melodies`: the pitches that sound above each; some none.

    A symbol without classes is silence.
    """
    chords, before = [], []
    for symbol, melody in zip(symbols, melodies, strict=True):
        chord = min(_ways(symbol), key=lambda way: _cost(way, before, melody), default=[])
        before = chord or before
        chords.append(chord)
    return chords


def _ways(symbol: Symbol) -> list[list[int]]:
    """Return the chord over its bass in close positions, each from low to high."""
    classes, deep = _upper(symbol), BASS[(symbol.bass - BASS[0]) % OCTAVE]
    uppers = [sorted(top - (top - pitch_class) % OCTAVE for pitch_class in classes)
              for top in TOPS if top % OCTAVE in classes]
    return [[bass, *upper] for bass in (deep, deep - OCTAVE) for upper in uppers if LOWEST_BASS <= bass < upper[0]]


def _upper(symbol: Symbol) -> tuple[int, ...]:
    """Return what is played above the bass: of a rich chord not what the bass has, nor the fifth, nor the root."""
    kept = symbol.classes
    for spare in (symbol.bass, *((root + FIFTH) % OCTAVE for root in symbol.classes[:1]), *symbol.classes[:1]):
        if len(kept) > VOICES:
            kept = tuple(pitch_class for pitch_class in kept if pitch_class != spare)
    return kept


def _cost(way: list[int], before: list[int], melody: np.ndarray) -> float:
    """Return what a position costs, in semitones of movement."""
    above = max(way[-1] - int(melody.min()) + 1, 0) if len(melody) else 0
    muddy = sum(low < LOW_INTERVAL_LIMITS.get(high - low, 0) for low, high in zip(way, way[1:], strict=False))
    grinds = np.isin(np.abs(np.subtract.outer(way[1:], np.append(melody, way))), GRINDING).sum()
    return (_movement(way[1:], before[1:]) + ABOVE_MELODY * above + MUDDY * muddy + GRINDS * grinds
            + DEEP * (way[0] < BASS[0]) + AWAY * abs(np.mean(way[1:]) - MIDDLE))


def _movement(upper: list[int], before: list[int]) -> float:
    """Return by how many semitones the upper voices move; where there are more or fewer, by how many all move."""
    if len(upper) == len(before):
        return float(np.abs(np.subtract(upper, before)).sum())
    return len(upper) * abs(float(np.mean(upper)) - float(np.mean(before))) if before else 0.0
