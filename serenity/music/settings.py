"""Which songs are kept and how they become events, as numbers that check themselves. Light: --help shows them."""

from dataclasses import dataclass

from serenity.errors import SettingError, check_range
from serenity.music.categories import CategoryName, category_named

MOST_SYNTHETIC = 24  # more would be alike but for chance


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
