"""What folding notes into events promises, checked note by note."""

import numpy as np

SLACK = 1e-6  # seconds: times are kept to the microsecond


def assert_faithful(notes: np.ndarray, folded: np.ndarray, time_step: float, split_ratio: float | None) -> None:
    """Each note is found again, and each note found is one of those given.

    The same pitch, an onset within the time step, a duration not shorter than its own (rounded to the time grid) and at
    most split_ratio times as long. Of notes of one pitch in one strike the longest alone has to be found.
    """
    assert set(notes["pitch"]) == set(folded["pitch"])
    for pitch in np.unique(notes["pitch"]):
        given, found = notes[notes["pitch"] == pitch][:, None], folded[folded["pitch"] == pitch][None]
        assert found.size <= given.size
        on_grid = np.maximum(1, np.rint(given["duration"] / time_step)) * time_step
        near = abs(given["onset"] - found["onset"]) <= time_step + SLACK
        as_long = near & (found["duration"] >= on_grid - SLACK)
        assert as_long.any(axis=1).all(), f"a note of pitch {pitch} is lost, late or cut short"
        longest = on_grid * (split_ratio or np.inf) + SLACK
        same = as_long & (found["duration"] <= longest)
        assert same.any(axis=0).all(), f"a note of pitch {pitch} is new, or longer than the split ratio allows"
