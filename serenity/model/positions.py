"""Where events stand: by their number, and by when they sound. Plain NumPy: what training and generation share.

    sinusoidal   waves of the event's number are added to its embedding (arXiv 1706.03762, section 3.5): the original's
    relative     a learned vector for each distance in events (arXiv 1803.02155, 1809.04281): attention.py
    rotary       queries and keys are turned by angles that grow with the event's number, so that their product depends
                 on the distance alone (RoFormer, arXiv 2104.09864, section 3.2)
    onset        rotary, but half of each head is turned by the onset in quarters instead: four bars ago is one angle,
                 in every tempo
"""

import numpy as np

POSITIONS = ("sinusoidal", "relative", "rotary", "onset")
TURNING = ("rotary", "onset")

LONGEST = 10_000.0  # events; the slowest angle's period over 2 pi
# Quarters in which the angles by onset go round: parts of the quarter in two and three, beats, bars of two, three and
# four quarters, and their groups up to 32 bars. A head with more or fewer angles takes periods between these.
PERIODS = (1 / 6, 1 / 4, 1 / 3, 1 / 2, 1, 3 / 2, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128)


def frequencies(positions: str, head_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the radians by event and by quarter of each of the head_dim / 2 angles of a head: float32.

    All are 0 where nothing is turned.
    """
    angles = head_dim // 2
    by_event, by_quarter = np.zeros(angles, np.float32), np.zeros(angles, np.float32)
    if positions not in TURNING:
        return by_event, by_quarter
    of_events = angles - angles // 2 if positions == "onset" else angles
    by_event[:of_events] = LONGEST ** (-np.arange(of_events) / of_events)
    if of_events < angles:
        place = np.linspace(0, len(PERIODS) - 1, angles - of_events)
        by_quarter[of_events:] = 2 * np.pi / np.exp(np.interp(place, np.arange(len(PERIODS)), np.log(PERIODS)))
    return by_event, by_quarter


def wave_frequencies(width: int) -> np.ndarray:
    """Return the radians by event of the sines, and then of the cosines, of a sinusoidal position: (width / 2,)."""
    return LONGEST ** (-np.arange((width + 1) // 2) / ((width + 1) // 2))


def sinusoids(numbers: np.ndarray, width: int) -> np.ndarray:
    """Return the waves of events by number: (length,) -> (length, width) float32."""
    angles = numbers[:, None] * wave_frequencies(width)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)[:, :width].astype(np.float32)
