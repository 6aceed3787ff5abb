"""Which songs are kept, how they become events, and what is known of their beats, as numbers that check themselves.

Light: --help shows them.
"""

from dataclasses import dataclass

from serenity.errors import SettingError, check_range
from serenity.music.categories import CategoryName, category_named

MOST_SYNTHETIC = 24  # more would be alike but for chance
BPM = (10.0, 600.0)  # quarters a minute that a user may state
LEVELS = (0.25, 4.0)  # quarters for each one found


@dataclass(frozen=True)
class SongSettings:
    """Which songs are kept, and what is made of them."""

    filters: bool = True               # keep only songs that serenity/music/quality.py takes for pop
    synthetic: int = 22                # make so many synthetic songs of each song; 0: none
    seed: int = 0                      # number that chance starts from (synthetic songs, spot check)
    max_events: int = 20_000           # longer songs are refused: they are medleys or music of machines

    def __post_init__(self):
        check_range(self, synthetic=(0, MOST_SYNTHETIC), seed=(0, 2**32 - 1), max_events=(1, 10**6))


@dataclass(frozen=True)
class CodecSettings:
    """How songs become events. A model carries the settings that it was trained with."""

    category: CategoryName = "piano"   # instrument: which tracks are read, their centre pitch and range
    normalise: str = "key"             # move pitches: key (to C major or A minor), centre (to the centre pitch), none
    grid: int = 24                     # points in a quarter; 24 can hold thirty-seconds, and triplets of sixteenths
    exact_lengths: int | None = 24     # durations up to so many points are exact, longer ones coarser; None: all are
    split_ratio: float | None = 1.5    # longest/shortest duration in one chord; None: one chord for each onset

    def __post_init__(self):
        category_named(self.category)
        if self.normalise not in ("key", "centre", "none"):
            raise SettingError(f"normalise '{self.normalise}' is unknown; wanted key, centre or none")
        exact = 1 if self.exact_lengths is None else self.exact_lengths
        for name, value, lowest, highest in (("grid", self.grid, 4, 480), ("exact_lengths", exact, 1, 10**6)):
            if not isinstance(value, int) or not lowest <= value <= highest:
                raise SettingError(f"{name} {value}, wanted a whole number from {lowest} to {highest:,}")
        if self.split_ratio is not None and not self.split_ratio >= 1:
            raise SettingError(f"split_ratio {self.split_ratio} is out of range; wanted 1 or more, or None")


@dataclass(frozen=True)
class Hints:
    """What a user knows better than file and notes; None, or 1 for `level`: nothing."""

    bpm: float | None = None               # quarters a minute
    metre: tuple[int, int] | None = None   # numerator and denominator of the time signature
    first_beat: float | None = None        # seconds at which a bar begins
    level: float = 1.0                     # 2: twice as many quarters as found; 0.5: half as many

    def __post_init__(self):
        if self.bpm is not None and not BPM[0] <= self.bpm <= BPM[1]:
            raise SettingError(f"bpm {self.bpm:g}; wanted {BPM[0]:g} to {BPM[1]:g}")
        if self.first_beat is not None and not abs(self.first_beat) < 86_400:
            raise SettingError(f"first_beat {self.first_beat:g}; wanted a time in the song, in seconds")
        if not LEVELS[0] <= self.level <= LEVELS[1]:
            raise SettingError(f"level {self.level:g}; wanted {LEVELS[0]:g} to {LEVELS[1]:g} quarters for each one "
                               "found")
        if self.metre is not None:
            numerator, denominator = self.metre
            if not 1 <= numerator <= 64 or denominator not in (1, 2, 4, 8, 16, 32):
                raise SettingError(f"metre {numerator}/{denominator}; wanted one such as 4/4, 3/4, 6/8 or 12/8")
