"""What chords are called on a lead sheet: "F#m7", as serenity.music.harmony finds them."""

import numpy as np

from serenity.music.harmony import QUALITY_NAMES, Key

SHARP_KEYS = (7, 2, 9, 4, 11, 6)  # relative majors written with sharps; c major mixes, as songs in it do
SHARPS = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
FLATS = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
MIXED = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "G♯", "A", "B♭", "B")
SUFFIXES = {"maj": "", "min": "m", "min7": "m7", "hdim7": "m7♭5"}  # the others are called as harmony calls them


def chord_names(chords: np.ndarray, key: Key) -> list[str]:
    """Return the names of a CHORD table's rows, spelled as the key is: A flat in E flat major, G sharp in E major."""
    spelled = SHARPS if key.relative_major in SHARP_KEYS else FLATS if key.relative_major else MIXED
    qualities = [QUALITY_NAMES[quality] for quality in chords["quality"]]
    return [spelled[root] + SUFFIXES.get(quality, quality) for root, quality in zip(chords["root"], qualities)]
