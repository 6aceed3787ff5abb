"""The grid of musical time: notes in seconds <-> notes that begin and last whole grid points.

A quarter has `grid` points; 24 hold thirty-seconds, and triplets of eighths and of sixteenths. A quantised song stands
on them and is taken as it is. A played one lies beside them: there each strike goes to the point that is likeliest, by
how far it is away and by how often the song strikes at that place of the quarter, and no two change their order. What
each note stood beside its point is kept (`beside`), so that the report can say it and a continuation can play like it.

Finding places by a hidden Markov model: Takeda, Saito & Otsuki, "Hidden Markov model for automatic transcription of
MIDI signals", IEEE MMSP 2002; here places are the states, and their shares are learned from the song itself.

Feel: each strike of a played song is a little before or after its point, by its place in the quarter, and its notes are
spread around it. Notes that are played in this feel take, for each strike, one of the song's at the same place by
chance, and for each note one of its spreads (the bootstrap: Efron, Annals of Statistics 7(1), 1979). So means, spreads
and odd habits are the song's own.
"""

from dataclasses import dataclass

import numpy as np

from serenity.music.note import NOTE, sort_notes
from serenity.music.tempo_map import TempoMap

GRID_NOTE = np.dtype([
    ("onset", np.int64),     # grid points from the tempo map's quarter 0
    ("duration", np.int64),  # grid points, 1 or more
    ("pitch", np.int16),     # as in NOTE
    ("velocity", np.int16),
])

EXACT = 0.004         # seconds; what stands so near to its point stands on it: ticks are about a millisecond long
QUANTISED = 0.85      # share of notes on their points from which on a song is quantised: grace notes stand beside them
TOGETHER = 0.02       # seconds; notes of a played song that are nearer are one strike
SPREAD = 0.018        # seconds; standard deviation of a played strike from its point
ROLL = 0.03           # seconds; the same for strikes of one point from each other, as in a chord that is rolled
REACH = 6             # grid points on either side that are tried
SHORTEST = 0.01       # seconds that a note lasts, however late it begins
ROUNDS = 2            # of counting places before the path is found
# What a place of the quarter is worth before the song has said anything, in strikes: by the parts that it divides into.
# The later rows go before the earlier ones.
BELIEF = {8: 1.0, 6: 1.0, 3: 3.0, 4: 10.0, 2: 16.0, 1: 24.0}
OTHER_BELIEF = 0.2
FEWEST = 4            # strikes at a place of the quarter; of a place with fewer, all strikes speak
BACKWARDS = 1e6  # cost of a strike before the one that it follows: none takes it


def to_grid(notes: np.ndarray, tempo_map: TempoMap, grid: int, exact_lengths: int | None = None
            ) -> tuple[np.ndarray, np.ndarray]:
    """Return the notes on the grid, a GRID_NOTE table in the order of the given one, and the seconds by which each
    began after its point: (notes,) float64, all 0 for a quantised song.

    `exact_lengths`: see round_lengths. A point before quarter 0 is moved to it.
    """
    table = np.empty(len(notes), GRID_NOTE)
    table["pitch"], table["velocity"] = notes["pitch"], notes["velocity"]
    begin = tempo_map.quarters(notes["onset"]) * grid
    end = tempo_map.quarters(notes["onset"] + notes["duration"]) * grid
    point = np.rint(begin).astype(np.int64)
    is_quantised = _is_on_points(notes["onset"], point, tempo_map, grid)
    if not is_quantised:
        point = _played_points(notes["onset"], begin, tempo_map, grid)
    table["onset"] = np.maximum(point, 0)
    table["duration"] = round_lengths(end - begin, exact_lengths)
    beside = notes["onset"] - tempo_map.seconds(table["onset"] / grid)
    return table, np.zeros(len(notes)) if is_quantised else beside


def from_grid(table: np.ndarray, tempo_map: TempoMap, grid: int, beside: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the note table of notes on the grid. The inverse of to_grid for a quantised song.

    Each note begins `beside` seconds after its point, and ends where it would without.
    """
    notes = np.empty(len(table), NOTE)
    notes["pitch"], notes["velocity"] = table["pitch"], table["velocity"]
    notes["onset"] = np.maximum(tempo_map.seconds(table["onset"] / grid) + beside, 0)
    ends = tempo_map.seconds((table["onset"] + table["duration"]) / grid)
    notes["duration"] = np.maximum(ends - notes["onset"], SHORTEST)
    return sort_notes(notes)


def round_lengths(points: np.ndarray, exact: int | None) -> np.ndarray:
    """Return lengths in whole grid points, 1 or more.

    Up to `exact` points each whole number is a length; from there to twice as many each second one, and so on: a long
    note is not told from one that is a little longer. None: each whole number, however long.
    """
    whole = np.maximum(np.rint(points), 1).astype(np.int64)
    if exact is None:
        return whole
    unit = 2.0 ** np.ceil(np.log2(np.maximum(points, exact) / exact) - 1e-9)  # so that noise makes none coarser
    return np.maximum(np.rint(points / unit) * unit, 1).astype(np.int64)


def _is_on_points(onset: np.ndarray, point: np.ndarray, tempo_map: TempoMap, grid: int) -> bool:
    near = abs(onset - tempo_map.seconds(point / grid)) <= EXACT
    return bool(np.mean(near) >= QUANTISED) if len(near) else True


# --- played songs -----------------------------------------------------------------------------------------------------

def _played_points(onset: np.ndarray, begin: np.ndarray, tempo_map: TempoMap, grid: int) -> np.ndarray:
    """Return the grid point of each note; `begin` are the onsets in points. Onsets ascend."""
    first = _strikes(onset)
    strike = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(onset))))
    number = np.bincount(strike)
    middle, seconds = np.bincount(strike, begin) / number, np.bincount(strike, onset) / number
    points = np.rint(middle).astype(np.int64)[:, None] + np.arange(-REACH, REACH + 1)       # (strikes, candidates)
    away = seconds[:, None] - tempo_map.seconds(points / grid)
    far = (away / SPREAD) ** 2 / 2
    together = np.append(np.inf, (np.diff(seconds) / ROLL) ** 2 / 2)
    place, counts = points % grid, _beliefs(grid)
    for _ in range(ROUNDS):
        nearest = (far - np.log(counts / counts.sum())[place]).argmin(axis=1)
        counts = _beliefs(grid) + np.bincount(place[np.arange(len(place)), nearest], minlength=grid)
    return _likeliest(far - np.log(counts / counts.sum())[place], points, together)[strike]


def _strikes(onset: np.ndarray) -> np.ndarray:
    """Return the note at which each strike begins: notes within TOGETHER of its first."""
    starts, start = [], 0
    while start < len(onset):
        starts.append(start)
        start = int(np.searchsorted(onset, onset[start] + TOGETHER, side="right"))
    return np.array(starts)


def _likeliest(cost: np.ndarray, points: np.ndarray, together: np.ndarray) -> np.ndarray:
    """Return the point of each strike, (strikes,), in ascending order, by the Viterbi algorithm.

    `cost` (strikes, candidates) of each of `points`; `together` (strikes,) is the cost of sharing the point of the
    strike before.
    """
    best, came_from = cost[0], np.zeros(cost.shape, np.int64)
    candidates = np.arange(cost.shape[1])
    ways, shift = candidates[:, None] - candidates, np.diff(points[:, 0])                    # (here, before)
    for strike in range(1, len(cost)):
        apart = shift[strike - 1] + ways
        total = best + np.where(apart > 0, 0.0, np.where(apart == 0, together[strike], BACKWARDS))
        came_from[strike] = before = total.argmin(axis=1)
        best = total[candidates, before] + cost[strike]
    candidate, path = int(best.argmin()), []
    for strike in range(len(cost) - 1, -1, -1):
        path.append(points[strike, candidate])
        candidate = came_from[strike, candidate]
    return np.array(path[::-1])


def _beliefs(grid: int) -> np.ndarray:
    """Return the BELIEF in each place of the quarter, (grid,)."""
    beliefs = np.full(grid, OTHER_BELIEF)
    for parts, belief in BELIEF.items():
        if grid % parts == 0:
            beliefs[::grid // parts] = belief
    return beliefs


# --- feel: how a played song lies beside the grid ---------------------------------------------------------------------

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
