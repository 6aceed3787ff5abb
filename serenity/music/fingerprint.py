"""Fingerprints: songs that are the same, except for their key, their tempo or a few notes.

The line of a song's top notes is taken as intervals, so that no transposition changes it, and without its rhythm, so
that no tempo does. A song is the set of all figures of FIGURE intervals in that line; how alike two songs are is the
share of figures that they have in common (Jaccard). It is estimated by MinHash, and pairs are found without comparing
all with all by banding (Broder, "On the resemblance and containment of documents", 1997; Leskovec, Rajaraman & Ullman,
"Mining of Massive Datasets", 3rd edition, sections 3.3 and 3.4).
"""

import numpy as np

from serenity.music.note import sort_notes
from serenity.music.voices import strike_starts

APART = 0.5    # of the mean time between notes; of notes nearer than this the highest is the top note
FIGURE = 6     # intervals
BANDS, ROWS = 40, 3  # of a fingerprint; a pair with 0.35 in common is found in 83 of 100 cases, one with 0.5 in 99
ALIKE = 0.35   # share of figures in common from which on two songs count as one; unrelated songs have 0.03 at most
_RNG = np.random.default_rng(1997)  # any fixed number: fingerprints of different days must compare
_FACTORS = _RNG.integers(0, 1 << 63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _RNG.integers(0, 1 << 63, BANDS * ROWS, dtype=np.uint64)


def fingerprint(notes: np.ndarray) -> np.ndarray | None:
    """Return a song's fingerprint: (BANDS * ROWS,) uint32; None where it has too few strikes for one figure."""
    intervals = np.diff(top_line(notes))
    if len(intervals) < FIGURE:
        return None
    figures = np.lib.stride_tricks.sliding_window_view(intervals + 128, FIGURE).astype(np.uint64)
    codes = np.unique(figures @ (np.uint64(257) ** np.arange(FIGURE, dtype=np.uint64)))
    # Multiply-shift (Dietzfelbinger et al., J. Algorithms 25(1), 1997): products wrap at 64 bits; the upper half stays
    return ((codes[:, None] * _FACTORS + _OFFSETS) >> np.uint64(32)).min(axis=0).astype(np.uint32)


def top_line(notes: np.ndarray) -> np.ndarray:
    """Return the highest pitch of each strike: (strikes,) int. What is a strike goes by the song's own pace."""
    notes = sort_notes(notes)
    pace = (notes["onset"][-1] - notes["onset"][0]) / max(len(notes) - 1, 1)  # seconds from note to note in the mean
    first = strike_starts(notes, APART * pace)
    return np.maximum.reduceat(notes["pitch"].astype(np.int64), first)


def similarity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the estimated share of figures in common, 0-1, of fingerprints (..., BANDS * ROWS)."""
    return (one == other).mean(axis=-1)


def similar_pairs(fingerprints: np.ndarray, alike: float = ALIKE) -> list[tuple[int, int]]:
    """Return all pairs (i, j), i < j, of fingerprints (n, BANDS * ROWS) that are alike, in order.

    Work and memory grow with n and with the number of pairs, not with n squared.
    """
    pairs = set()
    for band in range(BANDS):
        rows = np.ascontiguousarray(fingerprints[:, band * ROWS:(band + 1) * ROWS])
        _, bucket = np.unique(rows, axis=0, return_inverse=True)
        order = np.argsort(bucket, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(bucket[order])) + 1):
            pairs.update((int(members[0]), int(other)) for other in members[1:])
            pairs.update((int(one), int(other)) for one, other in zip(members[1:], members[2:]))
    return sorted(pair for pair in pairs if similarity(fingerprints[pair[0]], fingerprints[pair[1]]) >= alike)
