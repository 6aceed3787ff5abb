"""What folding notes into events promises, checked note by note."""

import numpy as np


def assert_faithful(notes: np.ndarray, found: np.ndarray, split_ratio: float | None) -> None:
    """Each note is found again, and each note found is one of those given; both are GRID_NOTE tables.

    The same pitch at the same point, a duration not shorter than its own and at most split_ratio times as long. Of
    notes of one pitch at one point the longest alone has to be found.
    """
    longest = {}
    for onset, duration, pitch, _ in notes.tolist():
        longest[onset, pitch] = max(longest.get((onset, pitch), 0), duration)
    lengths = {(onset, pitch): duration for onset, duration, pitch, _ in found.tolist()}
    assert len(lengths) == len(found), "a pitch is found twice at one point"
    assert lengths.keys() == longest.keys(), "a note is lost, new, or at another point"
    for where, duration in lengths.items():
        assert longest[where] <= duration <= longest[where] * (split_ratio or np.inf), f"{where} has another length"
