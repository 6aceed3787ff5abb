"""Pitch: its names, and the transposition and folding that put every song into one key and register.

A pitch is a MIDI note number: 60 is c4 (middle C), 0 is c-1, 127 is g9. A chord is a set of pitches, kept as 128 bits
in two unsigned 64-bit words (word 0 holds pitches 0-63), so that the same chord is always the same value, whatever the
order of its notes in a file.
"""

import re

import numpy as np

from serenity.music.note import HIGHEST_PITCH, LOWEST_PITCH, sort_notes

OCTAVE = 12
PITCH_CLASS_NAMES = ("c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b")
_NOTE_NAME = re.compile(r"([a-g]#?)(-1|[0-9])")


# --- names ------------------------------------------------------------------------------------------------------------

def pitch_name(pitch: int) -> str:
    """Return the name of a MIDI note number: 60 -> "c4", 82 -> "a#5"."""
    return f"{PITCH_CLASS_NAMES[pitch % OCTAVE]}{pitch // OCTAVE - 1}"


def spell(pitches) -> str:
    """Return the canonical spelling of a chord, from high to low: {73, 82, 79} -> "a#5g5c#5"."""
    return "".join(pitch_name(int(pitch)) for pitch in sorted(pitches, reverse=True))


def note_names(pitches, has_flats: bool) -> str:
    """Return the notes of a chord for a person, from high to low, as its key writes them: "eb5 c5 ab3"."""
    names = [pitch_name(int(pitch)) for pitch in sorted(pitches, reverse=True)]
    return " ".join(_FLATS.get(name[:-1], name[:-1]) + name[-1] if has_flats else name for name in names)


_FLATS = {"c#": "db", "d#": "eb", "f#": "gb", "g#": "ab", "a#": "bb"}


def parse_chord(text: str) -> list[int]:
    """Return the pitches that a spelling names, in its order. The inverse of spell.

    Raises ValueError(message, index) with the index of the first character that cannot be read.
    """
    pitches, index = [], 0
    while index < len(text):
        match = _NOTE_NAME.match(text, index)
        pitch = _pitch_of(*match.groups()) if match else None
        if pitch is None or not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
            raise ValueError(f"'{text[index:index + 4]}' is not a note; wanted a name from c-1 to g9, as a#5", index)
        if pitch in pitches:
            raise ValueError(f"'{match.group()}' stands twice in one chord", index)
        pitches.append(pitch)
        index = match.end()
    if not pitches:
        raise ValueError("a chord without notes; wanted one or more names such as a#5d5", 0)
    return pitches


def _pitch_of(pitch_class_name: str, octave: str) -> int | None:
    if pitch_class_name not in PITCH_CLASS_NAMES:  # e# and b# have other spellings
        return None
    return PITCH_CLASS_NAMES.index(pitch_class_name) + OCTAVE * (int(octave) + 1)


# --- chords as bits ---------------------------------------------------------------------------------------------------

def pitch_bits(pitch: np.ndarray) -> np.ndarray:
    """Return one chord of a single note for each pitch: (n,) -> (n, 2) uint64."""
    pitch = np.asarray(pitch, np.uint64)
    bits = np.zeros((len(pitch), 2), np.uint64)
    bits[np.arange(len(pitch)), (pitch >> np.uint64(6)).astype(np.intp)] = np.uint64(1) << (pitch & np.uint64(63))
    return bits


def chord_bits(pitches) -> np.ndarray:
    """Return the chord of the given pitches: (2,) uint64."""
    return np.bitwise_or.reduce(pitch_bits(np.asarray(list(pitches))), axis=0)


def chord_matrix(chords: np.ndarray) -> np.ndarray:
    """Return which pitches sound in which chord: (n, 2) uint64 -> (n, 128) bool. Column p is pitch p."""
    as_bytes = np.ascontiguousarray(chords, "<u8").view(np.uint8).reshape(len(chords), 16)
    return np.unpackbits(as_bytes, axis=1, bitorder="little").astype(bool)


def chord_pitches(chord: np.ndarray) -> list[int]:
    """Return the pitches of one chord from low to high. The inverse of chord_bits."""
    return np.flatnonzero(chord_matrix(chord[None])[0]).tolist()


def unique_chords(chords: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the different chords in ascending order (k, 2), for each given chord (n, 2) which it is, and their counts.

    As np.unique(axis=0), many times faster.
    """
    order = np.lexsort((chords[:, 1], chords[:, 0]))
    ascending = chords[order]
    is_first = np.append(True, (ascending[1:] != ascending[:-1]).any(axis=1))[:len(chords)]
    which = np.empty(len(chords), np.int64)
    which[order] = np.cumsum(is_first) - 1
    return ascending[is_first], which, np.diff(np.append(np.flatnonzero(is_first), len(chords)))


def top_pitch(chords: np.ndarray) -> np.ndarray:
    """Return the highest pitch of each chord: (n, 2) -> (n,); -1 for a chord without notes."""
    matrix = chord_matrix(chords)
    return np.where(matrix.any(1), HIGHEST_PITCH - matrix[:, ::-1].argmax(1), -1)


# --- normalising and its inverse --------------------------------------------------------------------------------------

def transpose(notes: np.ndarray, semitones: int) -> np.ndarray:
    """Return the note table shifted by `semitones`. Its inverse is the shift by -semitones.

    Pitches may leave 0-127 until `fold` brings them back.
    """
    shifted = notes.copy()
    shifted["pitch"] += semitones
    return shifted


def fold(notes: np.ndarray, lowest: int = LOWEST_PITCH, highest: int = HIGHEST_PITCH) -> tuple[np.ndarray, int]:
    """Return the table with every pitch moved by octaves into lowest..highest, sorted, and the number of notes moved.

    The range must span an octave or more, else ValueError.
    """
    if highest - lowest < OCTAVE - 1:
        raise ValueError(f"wanted a range of at least one octave, got {lowest}..{highest}")
    pitch = notes["pitch"].astype(int)
    below = np.maximum(0, -(-(lowest - pitch) // OCTAVE))  # octaves to climb, rounded up
    above = np.maximum(0, -(-(pitch - highest) // OCTAVE))
    folded = notes.copy()
    folded["pitch"] = pitch + OCTAVE * (below - above)
    return sort_notes(folded), int(np.count_nonzero(below + above))


def key_transposition(tonic: int, mode: str) -> int:
    """Return the shortest shift, -6..5 semitones, that takes a key to C major or A minor."""
    target = 0 if mode == "major" else 9
    return (target - tonic + 6) % OCTAVE - 6


def centre_transposition(notes: np.ndarray, centre: float, unit: int = 1) -> int:
    """Return the shift, a multiple of `unit` semitones, that brings the mean pitch nearest to `centre`."""
    return unit * round((centre - float(notes["pitch"].mean())) / unit)
