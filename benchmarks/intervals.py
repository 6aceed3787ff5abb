"""How sure a figure is: intervals by the bootstrap over songs.

Songs are drawn again, as many as there are, with replacement; the figure of each draw varies as it would with other
songs. The interval is the range of 95 % of these figures (the percentile interval of Efron & Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13). Songs are drawn, not events: events of one song are alike.
"""

from collections.abc import Callable

import numpy as np

DRAWS, SHARE = 2000, 0.95


def draw_songs(songs: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return which songs are in each draw, (draws, songs). The same for as many songs: so figures can be compared."""
    if songs < 1:
        raise ValueError(f"{songs} songs to draw from; wanted one or more")
    return np.random.default_rng(seed).integers(songs, size=(draws, songs))


def middle(figures: np.ndarray, share: float = SHARE) -> tuple[float, float]:
    """Return the range in which `share` of the figures (draws,) lie, as many left out below as above."""
    low, high = np.quantile(figures, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def ratio_interval(parts: np.ndarray, wholes: np.ndarray, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Return the interval of sum(parts) / sum(wholes), each (songs,): bits by notes, say, or hits by decisions.

    Of two models on the same songs, `parts` that are the differences of theirs give the interval of the difference,
    paired song by song. Wholes of 1 give that of a mean. A song whose whole is 0 must have a part of 0.
    """
    parts, wholes = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    drawn = draw_songs(len(parts), draws, seed)
    sums, weights = parts[drawn].sum(axis=1), wholes[drawn].sum(axis=1)
    return middle(sums[weights > 0] / weights[weights > 0])


def interval(figure: Callable[[np.ndarray], float], songs: int, draws: int = DRAWS,
             seed: int = 0) -> tuple[float, float]:
    """Return the interval of any figure of songs: `figure` takes the numbers of those drawn, (songs,)."""
    return middle(np.array([figure(drawn) for drawn in draw_songs(songs, draws, seed)]))


def apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether two intervals have no figure in common."""
    return one[1] < other[0] or other[1] < one[0]
