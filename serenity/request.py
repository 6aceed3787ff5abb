"""What is asked of a continuation, and how its seed is read: the same names as the flags of generate.py.

Light: --help shows the fields of both with their comments, and nothing slow is imported before a value is checked.
"""

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from serenity.categories import CategoryName
from serenity.errors import InputError, SettingError, check_types
from serenity.settings import ATTRIBUTES, Hints, Sampling

if TYPE_CHECKING:
    from serenity.music.expression import Edits

LONGEST = 100_000         # events of one continuation
LONGEST_SECONDS = 3600    # of one continuation: whoever asks for more has mistyped, or waits for ever
DEFAULT_BARS = 32        # in all kinds of seeds they stay music; in 512 events of a hymn, 110 bars, one bar goes round
LEVELS = {"half": 0.5, "as-found": 1.0, "double": 2.0}  # quarters for each one found
DRAWING = ("temperature", "top_k", "top_p", "min_p")    # the fields of Sampling
RANGES = {  # field -> lowest, highest
    "events": (1, LONGEST), "seconds": (0.1, LONGEST_SECONDS), "bars": (1, 10_000), "prompt_events": (1, LONGEST),
    "prompt_last": (1, LONGEST), "keep_bars": (0, 10_000), "seed": (0, 2**64 - 1), "variations": (1, 1000),
    "novel": (1, LONGEST),
}


@dataclass(frozen=True)
class SeedSettings:
    """How a seed is read: its prompt, its beats, its tracks. Checks itself: InputError."""

    # Prompt: the part of the seed to continue. Give one of these; without any: all of it. The rest is left out.
    prompt_events: int | None = None  # the first so many events
    prompt_last: int | None = None    # the last so many events
    prompt_seconds: tuple[float, float] | None = None  # what begins between these two times, in seconds

    # Going on from a song that Serenity made: its seed and so many bars of its continuation stay, the rest is made
    # anew. The song knows how its seed was read
    keep_bars: int | None = None
    # instrument: which tracks are read, and which range is kept; None: the model's
    category: CategoryName | None = None
    tracks: str | None = None        # read these tracks of the seed, by number or name as reported: 1,3 or "Organ"

    # Beats: where they are in the seed, if you know it better than Serenity.
    bpm: float | None = None         # quarters per minute
    metre: str | None = None         # time signature, such as 3/4 or 6/8
    first_beat: float | None = None  # time in seconds at which a bar begins
    level: Literal[*LEVELS] = "as-found"  # half: half as many beats as found; double: twice

    def __post_init__(self):
        _check(self, ("prompt_events", "prompt_last", "prompt_seconds"))
        if self.prompt_seconds and not 0 <= self.prompt_seconds[0] < self.prompt_seconds[1] < 1e9:
            raise SettingError(f"prompt_seconds {' '.join(map(str, self.prompt_seconds))}, wanted two times, the "
                               "earlier first, in seconds")
        self.hints()

    def hints(self) -> Hints:
        """Return what is known of the beats. Raises InputError."""
        metre = None
        if self.metre is not None:
            parts = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", self.metre)
            if not parts:
                raise SettingError(f"metre {self.metre[:40]!a}, wanted a time signature such as 3/4 or 6/8")
            metre = int(parts[1]), int(parts[2])
        return Hints(self.bpm, metre, self.first_beat, LEVELS[self.level])

    def listed_tracks(self) -> tuple[str, ...]:
        """Return the numbers and names in `tracks`."""
        return tuple(part.strip() for part in self.tracks.split(",")) if self.tracks is not None else ()


@dataclass(frozen=True)
class Request:
    """What is asked of a continuation. Checks itself: InputError.

    What is drawn by chance has one value for all attributes, or one for some of them: {"pitch": 16, "step": 8}.
    """

    # Length: give one of these. Without any: 32 bars. The continuation ends with a bar.
    events: int | None = None        # as many bars as so many new events fill; an event is a note or a chord
    # seconds after the seed's last onset, or, if that note is held, after its last bar: up to the nearest bar line
    seconds: float | None = None
    bars: int | None = None          # whole bars after the seed's last bar

    # Drawing: how the next event is chosen. With the defaults, songs go on most like real songs.
    temperature: float | dict[str, float] = 0.9  # *below 1: safer; above 1: bolder; 0: always the likeliest
    top_k: int | dict[str, int] = 0  # *choose among so many of the likeliest; 0: all; 1: only the first, which loops
    top_p: float | dict[str, float] = 1.0  # *choose among the likeliest that together have this probability
    min_p: float | dict[str, float] = 0.0  # *choose among those at least so probable as this share of the likeliest
    seed: int = 0                    # number that chance starts from: the same number gives the same song
    variations: int = 1              # number of songs: OUT-1.mid, OUT-2.mid ..., and a page that ranks them
    guard: bool = False              # prevent loops: what is repeated too often becomes less likely
    ending: bool = False             # with --bars or --seconds: close in the last bar, on the tonic, held to its end
    may_end: bool = False            # the song may end early, where the model would end it
    voices: Literal["all", "melody"] = "all"  # melody: one note at a time, in the register of the seed's melody
    novel: int | None = None         # longest run of chords that may be as in a training song; 7 or more

    # Output: how the song is written.

    # separate: the seed as it is, and a track for the continuation; two: a track for each; joined: one track for both;
    # alone: only the continuation
    layout: Literal["separate", "two", "joined", "alone"] = "separate"
    match_velocity: bool = True      # make the continuation as loud as the prompt's last 100 notes
    # edit the continuation, for example thin,swell=20. There are: thin (only melody and bass), quantise (share, 0.5),
    # legato (over rests up to 1 s), smooth (share, 0.5), swell (velocity, 16), accent (velocity of the melody, 12),
    # humanise (0.012 s), pedal, curve (CC 11)
    after: str = ""
    # write the beats that were found as tempo map and bars: so a DAW's grid fits music that was played freely. Every
    # note stays at its second
    write_beats: bool = False

    def __post_init__(self):
        _check(self, ("events", "seconds", "bars"))
        self.samplings()
        if self.after:
            self.edits()
        if self.ending and (self.may_end or self.bars is self.seconds is None):
            raise SettingError("ending and may_end: wanted one of the two" if self.may_end else
                               "ending without bars or seconds; wanted one of them, since the last bar closes")
        if self.variations > 1 and not self.has_chance:
            raise SettingError(f"variations {self.variations} without chance are all the same song; "
                             "wanted neither top_k 1 nor temperature 0")

    def samplings(self) -> dict[str, Sampling]:
        """Return how each attribute is drawn. Raises InputError."""
        rows = self._of_each_attribute()
        try:
            return {attribute: Sampling(*(rows[name][attribute] for name in DRAWING)) for attribute in ATTRIBUTES}
        except InputError as error:  # its fields have the names of ours
            raise SettingError(str(error)) from None

    def edits(self) -> "Edits":
        """Return what `after` names. Raises InputError."""
        from serenity.music import expression  # which imports NumPy

        return expression.parse_edits(self.after, self.seed % 2**63)

    @property
    def has_chance(self) -> bool:
        """Whether chance has a hand in any attribute."""
        return not all(sampling.is_greedy for sampling in self.samplings().values())

    def spelled_out(self) -> "Request":
        """Return the request with its length, and with what is said of some attributes said of all: so a recipe
        outlives the defaults.
        """
        said = {name: values for name, values in self._of_each_attribute().items()
                if isinstance(getattr(self, name), dict)}
        if self.events is self.seconds is self.bars is None:
            said["bars"] = DEFAULT_BARS
        return replace(self, **said)

    def _of_each_attribute(self) -> dict[str, dict[str, float]]:
        """Return what is said of drawing: field -> attribute -> value."""
        rows = {}
        for name in DRAWING:
            value, default = getattr(self, name), getattr(Request, name)
            values = value if isinstance(value, dict) else dict.fromkeys(ATTRIBUTES, value)
            if odd := set(values) - set(ATTRIBUTES):
                raise SettingError(f"{name} {min(odd)!a}, wanted {', '.join(ATTRIBUTES)}")
            rows[name] = {attribute: values.get(attribute, default) for attribute in ATTRIBUTES}
        return rows


@dataclass(frozen=True)
class Files:
    """What is written beside a song."""

    # Output: how the song is written.
    picture: bool = True             # draw a piano roll of each song, OUT.png
    score: bool = False              # write each song in notation too, OUT.musicxml, for MuseScore and its like
    page: bool = True                # with variations: write OUT.html, with picture and sound of each, ranked
    sound: bool = False              # write the sound of each song, OUT.mp3; this takes longer than to make the song
    soundfont: Path | None = None    # turn on --sound, with this SoundFont (.sf2); None: one that is installed
    overwrite: bool = False          # replace files that are there already, except the seed

    @property
    def has_sound(self) -> bool:
        """Whether the sound is written."""
        return self.sound or self.soundfont is not None


def _check(asked: SeedSettings | Request, one_of: tuple[str, ...]) -> None:
    """Refuse values of a wrong type or out of range, and more than one of what excludes each other."""
    check_types(asked)
    for field in fields(asked):
        value, (lowest, highest) = getattr(asked, field.name), RANGES.get(field.name, (None, None))
        if value is not None and lowest is not None and not lowest <= value <= highest:
            raise SettingError(f"{field.name} {value}, wanted {lowest} to {highest:,}")
    if len(given := [name for name in one_of if getattr(asked, name) is not None]) > 1:
        raise SettingError(f"{' and '.join(given)}: wanted one of them")
