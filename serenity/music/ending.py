"""The end of a piece: its last strike, held to the bar line, and how well it closes.

A close is what all styles of tonal music know: the chord of the tonic, the tonic in the bass and, best, on top, on a
strong beat, held (Caplin, "The Classical Cadence", Journal of the American Musicological Society 57(1), 2004). A chord
that is muddy in the bass closes nothing.
"""

import numpy as np

from serenity.music.grid import SHORTEST
from serenity.music.harmony import Key
from serenity.music.note import sort_notes
from serenity.music.pitch import OCTAVE, chord_matrix
from serenity.music.synthetic import LOW_INTERVAL_LIMITS

IN_BASS, ON_TOP = 2.0, 1.0  # what the tonic there is worth
MAJOR_THIRD = 4  # semitones
TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}  # semitones above the tonic


def tonic_chords(chords: np.ndarray, key: Key, transposition: int = 0) -> np.ndarray:
    """Return which of chords, as bits (n, 2), have no other notes than the tonic's triad, in a key so many semitones
    above `key`: (n,) bool.
    """
    triad = (np.array(TRIADS[key.mode]) + key.tonic + transposition) % OCTAVE
    struck = chord_matrix(chords)
    return ~struck[:, ~np.isin(np.arange(struck.shape[1]) % OCTAVE, triad)].any(axis=1)


def muddy(chords: np.ndarray, transposition: int = 0) -> np.ndarray:
    """Return which of chords, as bits (n, 2) and so many semitones too high, have a third or less below its low limit:
    (n,) bool. (Low fourths and fifths stand under the last chord of many real songs.)
    """
    struck, found = chord_matrix(chords).astype(bool), np.zeros(len(chords), bool)
    for interval in range(1, MAJOR_THIRD + 1):
        limit = LOW_INTERVAL_LIMITS[interval]
        low = struck[:, :max(limit + transposition, 0)]
        found |= (low & struck[:, interval:interval + low.shape[1]]).any(axis=1)
    return found


def close(pitches: np.ndarray, tonic: int) -> float:
    """Return how well a last strike of these pitches closes, 0 to 3: the tonic, 0-11, in the bass counts twice as much
    as on top. No pitch: 0.
    """
    if not len(pitches):
        return 0.0
    lowest, highest = (int(pitch) % OCTAVE == tonic % OCTAVE for pitch in (pitches.min(), pitches.max()))
    return IN_BASS * lowest + ON_TOP * highest


def held(body: np.ndarray, strike: np.ndarray, line: float, end: float) -> np.ndarray:
    """Return what leads to a last strike and the strike as one note table: what sounds beyond `line` seconds, where the
    last bar begins, ends there; the strike is held up to `end`.
    """
    body, strike = body[body["onset"] < line].copy(), strike.copy()
    body["duration"] = np.maximum(np.minimum(body["duration"], line - body["onset"]), SHORTEST)
    strike["duration"] = np.maximum(end - strike["onset"], SHORTEST)
    return sort_notes(np.concatenate([body, strike]))
