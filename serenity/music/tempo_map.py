"""The tempo map: where a song's quarters, ticks and bars fall in seconds, and the ways back.

Musical time is counted in quarters (quarter notes). One walker leads from quarters to seconds and one back; ticks are
quarters times `ticks_per_quarter`; bars follow from the metres. Each way is the exact inverse of the other, up to
rounding.

Swing is a part of the map, as tempo is: the first eighth of each quarter takes the share `swing` of it, and what stands
in the middle of the quarter is heard there. So the music on either side of the map is counted straight.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

DEFAULT_QUARTER = 500_000.0  # microseconds; MIDI's tempo where a file states none
DEFAULT_TICKS_PER_QUARTER = 480
DEFAULT_METRE = (4, 4)  # MIDI's time signature where a file states none
NEAR = 1e-6     # quarters; what stands so near before a bar line stands on it
AT_ZERO = 0.005  # seconds; a bar line so near before 0 s stands at it
MOST_BARS = 100_000  # given for one song; a wild tempo would fill the memory with them
STRAIGHT = 0.5  # swing of even eighths

TEMPO = np.dtype([
    ("start", np.float64),   # quarters from the start of the map
    ("length", np.float64),  # microseconds that a quarter lasts from there on
])
METRE = np.dtype([
    ("start", np.float64),   # quarters from the start of the map; a metre begins a bar
    ("numerator", np.int16),
    ("denominator", np.int16),  # 4 is a quarter note
])


def tempos(*rows: tuple[float, float]) -> np.ndarray:
    """Return a TEMPO table of (start, length) rows."""
    return np.array(list(rows), TEMPO)


def metres(*rows: tuple[float, int, int]) -> np.ndarray:
    """Return a METRE table of (start, numerator, denominator) rows."""
    return np.array(list(rows), METRE)


@dataclass(frozen=True, eq=False)
class TempoMap:
    """A song's tempos and metres. What stands before its start is counted in the first tempo and metre."""

    tempos: np.ndarray = field(default_factory=lambda: tempos((0.0, DEFAULT_QUARTER)))  # TEMPO, the first at 0
    metres: np.ndarray = field(default_factory=metres)  # METRE, in order; empty where none is stated: 4/4
    ticks_per_quarter: int = DEFAULT_TICKS_PER_QUARTER
    start: float = 0.0       # seconds at which quarter 0 stands
    swing: float = STRAIGHT  # share of a quarter that its first eighth takes, above 0 and below 1
    is_notated: bool = False  # whether the metres are those of a score, bar by bar

    @cached_property
    def _times(self) -> np.ndarray:
        """Seconds at which each tempo begins."""
        spans = np.diff(self.tempos["start"]) * self.tempos["length"][:-1]
        return self.start + np.append(0.0, np.cumsum(spans)) / 1e6

    # --- quarters, seconds, ticks -------------------------------------------------------------------------------------

    def seconds(self, quarters: np.ndarray) -> np.ndarray:
        """Return where quarters fall, in seconds: (...,) float64 -> the same shape."""
        quarters = _bent(np.asarray(quarters, np.float64), STRAIGHT, self.swing)
        at = np.maximum(np.searchsorted(self.tempos["start"], quarters, side="right") - 1, 0)
        return self._times[at] + (quarters - self.tempos["start"][at]) * self.tempos["length"][at] / 1e6

    def quarters(self, seconds: np.ndarray) -> np.ndarray:
        """Return which quarters stand at seconds. The inverse of `seconds`."""
        seconds = np.asarray(seconds, np.float64)
        at = np.maximum(np.searchsorted(self._times, seconds, side="right") - 1, 0)
        quarters = self.tempos["start"][at] + (seconds - self._times[at]) * 1e6 / self.tempos["length"][at]
        return _bent(quarters, self.swing, STRAIGHT)

    def ticks(self, seconds: np.ndarray) -> np.ndarray:
        """Return the ticks nearest to seconds, int64."""
        return np.rint(self.quarters(seconds) * self.ticks_per_quarter).astype(np.int64)

    def seconds_of_ticks(self, ticks: np.ndarray) -> np.ndarray:
        """Return where ticks fall, in seconds. The inverse of `ticks`."""
        return self.seconds(np.asarray(ticks) / self.ticks_per_quarter)

    def tempo(self, quarter: float) -> float:
        """Return how long a quarter lasts where `quarter` stands, in microseconds."""
        quarter = _bent(quarter, STRAIGHT, self.swing)
        return float(self.tempos["length"][max(np.searchsorted(self.tempos["start"], quarter, side="right") - 1, 0)])

    # --- bars ---------------------------------------------------------------------------------------------------------

    @cached_property
    def signatures(self) -> np.ndarray:
        """The metres from quarter 0 on, a METRE table: 4/4 before the first that is stated."""
        if len(self.metres) and self.metres["start"][0] <= NEAR:
            return self.metres
        return np.append(metres((0.0, *DEFAULT_METRE)), self.metres)

    def metre(self, quarters: np.ndarray) -> np.ndarray:
        """Return the row of `signatures` that holds where quarters (...,) stand: (...,)."""
        at = np.searchsorted(self.signatures["start"], quarters + NEAR, side="right") - 1
        return self.signatures[np.maximum(at, 0)]

    @cached_property
    def _sections(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each stretch of one metre: its start and the length of its bars, in quarters, and its first bar."""
        rows = self.signatures
        length = rows["numerator"] * 4.0 / rows["denominator"]
        bars = np.ceil(np.diff(rows["start"]) / length[:-1] - NEAR).astype(np.int64)
        return rows["start"], length, np.append(0, np.cumsum(bars))

    def bars(self, quarters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return in which bar quarters stand, counted from 0 at the map's start, at which place in it, and its length.

        (...,) -> three arrays of the same shape: int64; quarters, 0 up to the length; quarters. A metre begins a bar,
        also where it cuts the one before: that is shorter then.
        """
        quarters = np.asarray(quarters, np.float64)
        starts, lengths, firsts = self._sections
        at = np.maximum(np.searchsorted(starts, quarters + NEAR, side="right") - 1, 0)
        number = np.floor((quarters + NEAR - starts[at]) / lengths[at]).astype(np.int64)
        line = starts[at] + number * lengths[at]
        until = np.append(starts[1:], np.inf)[at]
        return firsts[at] + number, np.maximum(quarters - line, 0), np.minimum(lengths[at], until - line)

    def bar_line(self, number: np.ndarray) -> np.ndarray:
        """Return the quarter at which bars begin. The inverse of `bars`."""
        starts, lengths, firsts = self._sections
        at = np.maximum(np.searchsorted(firsts, number, side="right") - 1, 0)
        return starts[at] + (number - firsts[at]) * lengths[at]

    def bar_name(self, seconds: float) -> int:
        """Return the number of the bar heard at `seconds`, as in a DAW: bar 1 is the first that begins at 0 s or later.
        """
        begin = self.quarters(-AT_ZERO)
        number, place, _ = self.bars(np.array([begin, self.quarters(seconds)]))
        return int(number[1] - number[0] + (place[0] <= NEAR))

    def bar_onsets(self, end: float) -> np.ndarray:
        """Return where bars begin from 0 s to before `end`, in seconds, at most MOST_BARS of them."""
        first, last = (int(self.bars(self.quarters(time))[0]) for time in (0.0, end))
        onsets = self.seconds(self.bar_line(np.arange(first, min(last + 1, first + MOST_BARS))))
        return onsets[(onsets >= -NEAR) & (onsets < end)]

    # --- other maps ---------------------------------------------------------------------------------------------------

    def counted_from(self, quarter: float) -> "TempoMap":
        """Return the same map with `quarter` as its quarter 0: all seconds stay. `quarter` is not inside a swung one.

        The metre there holds from the new start on, as if a bar began there.
        """
        kept = self.tempos[max(np.searchsorted(self.tempos["start"], quarter, side="right") - 1, 0):].copy()
        kept["start"] -= quarter
        kept["start"][0] = 0.0
        signs = self.metres[max(np.searchsorted(self.metres["start"], quarter + NEAR, side="right") - 1, 0):].copy()
        holds = signs["start"][:1] <= max(quarter, 0.0) + NEAR  # else 4/4 does, from the new start on
        signs["start"] = np.maximum(signs["start"] - quarter, 0.0)
        signs["start"][:1][holds] = 0.0
        return replace(self, tempos=kept, metres=signs, start=float(self.seconds(quarter)))

    def moved(self, seconds: float) -> "TempoMap":
        """Return the map with everything so many seconds later."""
        return replace(self, start=self.start + seconds)

    def steady_from(self, quarter: float, length: float) -> "TempoMap":
        """Return the map that goes on from `quarter`, 0 or later, at `length` microseconds a quarter, to the end."""
        quarter = float(_bent(quarter, STRAIGHT, self.swing))
        kept = self.tempos[self.tempos["start"] < quarter - NEAR]
        if len(kept) and kept["length"][-1] == length:
            return replace(self, tempos=kept)
        return replace(self, tempos=np.append(kept, tempos((quarter if len(kept) else 0.0, length))))

    @staticmethod
    def through(quarters: np.ndarray, seconds: np.ndarray, **others) -> "TempoMap":
        """Return the map on which quarters (n,) fall at seconds (n,), both ascending, n 2 or more, the first quarter 0.

        Tempos are rounded to nanoseconds; the last holds to the end. `others` are fields of TempoMap.
        """
        table = np.empty(len(quarters) - 1, TEMPO)
        table["start"], table["length"] = quarters[:-1], np.round(1e6 * np.diff(seconds) / np.diff(quarters), 3)
        return TempoMap(table, start=float(seconds[0]), **others)


def _bent(quarters: np.ndarray, middle: float, to: float) -> np.ndarray:
    """Return quarters with what stands at `middle` of each moved to the place `to`, the rest in proportion."""
    if middle == to:
        return quarters
    whole = np.floor(quarters)
    return whole + np.interp(quarters - whole, (0.0, middle, 1.0), (0.0, to, 1.0))
