"""How similar songs that were made are to real ones, by measures of both.

Sources: Yang & Lerch, "On the evaluation of generative models in music", Neural Computing and Applications 32, 2020
(overlapping area); Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", ICLR 2017 (a classifier that tells two
samples apart).
"""

import numpy as np

FOLDS = 5                       # parts of the songs, of which each is told by what was learned on the others
RIDGE = 1.0                     # how strongly the classifier's weights are held small
_GRID = 1000                    # points at which two densities are compared


def overlapping_area(real: np.ndarray, made: np.ndarray) -> float:
    """Return how far the made values lie among the real ones as these lie among themselves, 0 to 1 (Yang & Lerch).

    It is the area that two densities share: that of the distances between real values, and that of the distances
    between made and real ones. Each is estimated with Gaussian kernels as wide as Scott's rule says. Real: two or more.
    """
    within = abs(real[:, None] - real)[np.triu_indices(len(real), 1)]
    between = abs(made[:, None] - real).ravel()
    top = max(within.max(), between.max())
    if top == 0:
        return 1.0
    grid = np.linspace(-top / 2, 1.5 * top, _GRID)
    densities = [_density(values, grid, top) for values in (within, between)]
    return float(np.minimum(*densities).sum() * (grid[1] - grid[0]))


def told_apart(real: np.ndarray, made: np.ndarray, repeats: int = 20) -> float:
    """Return how well a classifier tells real songs from made ones by their measures: the area under its ROC curve.

    `real` and `made` are (songs, measures), row i of both from one song; FOLDS songs or more. 0.5: it cannot tell;
    1: it always can. The classifier is learned on all but a part of the songs and asked about that part; mean over
    `repeats` divisions of the songs into FOLDS parts.
    """
    rng = np.random.default_rng(0)
    return float(np.mean([_area(*_scores(real, made, rng.permutation(len(real)) % FOLDS)) for _ in range(repeats)]))


def _area(real: np.ndarray, made: np.ndarray) -> float:
    """Return how often a made song has a higher score than a real one; where they are equal, half of it counts."""
    above = made[:, None] - real
    return float(np.mean(above > 0) + np.mean(above == 0) / 2)


def _scores(real: np.ndarray, made: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return what each song scores as made, (2, songs), by a classifier that did not learn from its part.

    It is a logistic regression with ridge on standardised measures and their squares: "too much or too little" counts.
    """
    scores = np.zeros((2, len(real)))
    for asked in np.unique(part):
        learned = np.concatenate([real[part != asked], made[part != asked]])
        middle, spread = learned.mean(axis=0), learned.std(axis=0)
        spread[spread < 1e-9] = 1
        weights = _logistic(_described((learned - middle) / spread), np.repeat([0.0, 1.0], len(learned) // 2))
        for row, songs in zip(scores, (real, made)):
            row[part == asked] = _described((songs[part == asked] - middle) / spread) @ weights
    return scores


def _described(measures: np.ndarray) -> np.ndarray:
    """Return standardised measures (songs, n), their squares and a constant: (songs, 2 n + 1)."""
    measures = np.clip(measures, -4, 4)
    return np.concatenate([measures, measures ** 2, np.ones((len(measures), 1))], axis=1)


def _logistic(rows: np.ndarray, target: np.ndarray, steps: int = 30) -> np.ndarray:
    """Return the weights of a logistic regression with ridge, by Newton's method; the last column is the constant."""
    weights = np.zeros(rows.shape[1])
    ridge = np.full(len(weights), RIDGE)
    ridge[-1] = 1e-6
    for _ in range(steps):
        share = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (share - target) + ridge * weights
        curve = (rows * (share * (1 - share))[:, None]).T @ rows + np.diag(ridge)
        weights -= np.linalg.solve(curve, slope)
    return weights


def _density(values: np.ndarray, grid: np.ndarray, span: float) -> np.ndarray:
    """Return the density of values (n,) at the points of the grid, by Gaussian kernels (Scott 1992, section 6.3)."""
    width = max(values.std() * len(values) ** -0.2, span / 100)  # of values that are all alike: narrow
    kernels = np.exp(-((grid[:, None] - values) / width) ** 2 / 2)
    return kernels.sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi))
