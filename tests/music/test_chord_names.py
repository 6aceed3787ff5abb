import numpy as np
import pytest

from serenity.music.harmony import CHORD, QUALITY_NAMES, Key, chord_names


@pytest.mark.parametrize(("tonic", "mode", "root", "quality", "name"), [
    (4, "major", 8, "min", "G♯m"), (3, "major", 8, "maj", "A♭"), (6, "minor", 6, "min7", "F♯m7"),
    (0, "major", 10, "maj", "B♭"), (0, "major", 6, "hdim7", "F♯m7♭5"), (5, "major", 0, "7", "C7"),
    (2, "minor", 10, "maj7", "B♭maj7"), (7, "major", 7, "5", "G5"),
])
def test_chords_are_spelled_as_the_key_is(tonic, mode, root, quality, name):
    chords = np.zeros(1, CHORD)
    chords["root"], chords["quality"] = root, QUALITY_NAMES.index(quality)
    assert chord_names(chords, Key(tonic, mode, 1.0)) == [name]
