"""Where events stand: by their number, and by when they sound. Plain NumPy: what training and generation share.

    sinusoidal   waves of the event's number are added to its embedding (arXiv 1706.03762, section 3.5): the seed's
    relative     a learned vector for each distance in events (arXiv 1803.02155, 1809.04281): attention.py
    rotary       queries and keys are turned by angles that grow with the event's number, so that their product depends
                 on the distance alone (RoFormer, arXiv 2104.09864, section 3.2)
    onset        rotary, but half of each head is turned by the onset in seconds instead: a bar ago is a time, not a
                 number of events
"""

import numpy as np

POSITIONS = ("sinusoidal", "relative", "rotary", "onset")
TURNING = ("rotary", "onset")

LONGEST = 10_000.0                       # events; the slowest angle's period over 2 pi
FASTEST_PERIOD, SLOWEST_PERIOD = 0.08, 60.0  # seconds


def frequencies(positions: str, head_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the radians by event and by second of each of the head_dim / 2 angles of a head: float32.

    All are 0 where nothing is turned.
    """
    angles = head_dim // 2
    by_event, by_second = np.zeros(angles, np.float32), np.zeros(angles, np.float32)
    if positions not in TURNING:
        return by_event, by_second
    of_events = angles - angles // 2 if positions == "onset" else angles
    by_event[:of_events] = LONGEST ** (-np.arange(of_events) / of_events)
    if of_events < angles:
        by_second[of_events:] = 2 * np.pi / np.geomspace(FASTEST_PERIOD, SLOWEST_PERIOD, angles - of_events)
    return by_event, by_second


def wave_frequencies(width: int) -> np.ndarray:
    """Return the radians by event of the sines, and then of the cosines, of a sinusoidal position: (width / 2,)."""
    return LONGEST ** (-np.arange((width + 1) // 2) / ((width + 1) // 2))


def sinusoids(numbers: np.ndarray, width: int) -> np.ndarray:
    """Return the waves of events by number: (length,) -> (length, width) float32."""
    angles = numbers[:, None] * wave_frequencies(width)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)[:, :width].astype(np.float32)
