"""Feel: how a played song lies beside the grid, and notes played in the same way.

Each strike of a song is a little ahead of its grid point or behind it, by its place in the quarter; its notes are
spread around it. What goes on in that feel takes, for each strike, one of the song's at the same place by chance, and
for each note one of its spreads (the bootstrap: Efron, Annals of Statistics 7(1), 1979). So means, spreads and odd
habits are the song's own, and a quantised song has none.
"""

from dataclasses import dataclass

import numpy as np

FEWEST = 4  # strikes at a place; of a place with fewer, all strikes speak


@dataclass(frozen=True, eq=False)
class Feel:
    """How a song's strikes, and the notes in them, lie beside the grid."""

    place: np.ndarray   # (strikes,) grid points from the quarter's beginning
    beside: np.ndarray  # (strikes,) seconds by which each begins after its point
    spread: np.ndarray  # (notes,) seconds by which each begins after its strike
    bounds: tuple[float, float]  # seconds: the farthest ahead of its point, and behind it, of all notes


def read_feel(points: np.ndarray, beside: np.ndarray, grid: int) -> Feel | None:
    """Return the feel of notes (n,) at grid points, each so many seconds beside; None where all stand on the grid."""
    if not beside.any():
        return None
    strikes, strike, number = np.unique(points, return_inverse=True, return_counts=True)
    mean = np.bincount(strike, beside) / number
    return Feel(strikes % grid, mean, beside - mean[strike], (float(beside.min()), float(beside.max())))


def play(points: np.ndarray, feel: Feel, grid: int, rng: np.random.Generator) -> np.ndarray:
    """Return by how many seconds notes at grid points (n,) begin after them in a feel: (n,)."""
    strikes, strike = np.unique(points, return_inverse=True)
    of_place = {place: feel.beside[feel.place == place] for place in np.unique(feel.place).tolist()}
    drawn = np.empty(len(strikes))
    for row, place in enumerate((strikes % grid).tolist()):
        known = of_place.get(place, ())
        drawn[row] = rng.choice(known if len(known) >= FEWEST else feel.beside)
    return np.clip(drawn[strike] + rng.choice(feel.spread, len(points)), *feel.bounds)
