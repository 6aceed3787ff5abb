"""Harmony: the key of a song."""

from dataclasses import dataclass

import numpy as np

from serenity.music.pitch import OCTAVE, PITCH_CLASS_NAMES

# Krumhansl & Kessler (1982), as printed in Krumhansl, "Cognitive Foundations of Musical Pitch" (1990), table 2.1:
# how well each pitch class, from the tonic upwards, fits a major and a minor key.
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


@dataclass(frozen=True)
class Key:
    """A key: `tonic` 0-11 (0 is c), `mode` "major" or "minor", `confidence` the correlation with its profile, -1..1."""

    tonic: int
    mode: str
    confidence: float

    def __str__(self) -> str:
        return f"{PITCH_CLASS_NAMES[self.tonic]} {self.mode}"


def find_key(notes: np.ndarray) -> Key:
    """Return the key whose profile correlates best with the song's pitch classes, weighted by duration.

    The Krumhansl-Schmuckler algorithm (Krumhansl 1990, chapter 4). A table without notes raises ValueError.
    """
    if not len(notes):
        raise ValueError("wanted at least one note to find a key, got none")
    weights = np.bincount(notes["pitch"] % OCTAVE, notes["duration"], minlength=OCTAVE)
    candidates = [Key(tonic, mode, _correlation(weights, np.roll(profile, tonic)))
                  for mode, profile in PROFILES.items() for tonic in range(OCTAVE)]
    return max(candidates, key=lambda key: key.confidence)


def _correlation(weights: np.ndarray, profile: np.ndarray) -> float:
    x, y = weights - weights.mean(), profile - profile.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale else 0.0  # all twelve alike: every key is as good
