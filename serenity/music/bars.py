"""Bar lines near a time."""

import numpy as np

from serenity.errors import InputError
from serenity.music.midi_file import LONGEST_SONG, Score, bar_onsets

_NEAR = 1e-4  # seconds; a time so near before a bar line stands on it: ticks are longer


def line_before(score: Score, seconds: float) -> float:
    """Return the time of the last bar line at or before `seconds`; 0 where there is none."""
    return float(min(bar_onsets(score, seconds + _NEAR).max(initial=0.0), seconds))


def line_after(score: Score, seconds: float, bars: int = 0) -> float:
    """Return the time of the first bar line after `seconds`, and `bars` bars on. InputError beyond LONGEST_SONG."""
    end, later = seconds + 1, np.empty(0)
    while len(later) <= bars:
        if end > LONGEST_SONG:
            raise InputError(f"{bars} bars more are not over within {LONGEST_SONG / 3600:.0f} hours, or uncountable; "
                             "wanted fewer, or a length in seconds")
        end *= 2
        onsets = bar_onsets(score, end)
        later = onsets[onsets > seconds + _NEAR]
    return float(later[bars])
