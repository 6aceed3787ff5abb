"""How large dictionaries and windows are, as numbers that check themselves. Light: --help shows them."""

from dataclasses import dataclass

from serenity.errors import InputError, check_range

ATTRIBUTES = ("pitch", "step", "duration", "velocity")
SPECIALS = 3                      # tokens that stand for no value: nothing, before a song, after a song
MOST_VALUES = 2 ** 16 - SPECIALS  # tokens are stored in 16 bits
SHORTEST_PROMPT = 16              # events; shorter seeds are completed too, but training seldom shows them


@dataclass(frozen=True)
class DictionarySettings:
    """How many of the commonest values of each attribute the dictionaries hold."""

    top_k_pitch: int = 5000            # how many of the commonest chords the dictionary holds
    top_k_timing: int = 1000           # how many of the commonest steps, and durations, the dictionaries hold

    def __post_init__(self):
        check_range(self, top_k_pitch=(1, MOST_VALUES), top_k_timing=(1, MOST_VALUES))

    @property
    def sizes(self) -> dict[str, int]:
        """The largest number of values of each attribute. Velocity has all possible ones: 32 bins by 11 accents."""
        return {"pitch": self.top_k_pitch, "step": self.top_k_timing, "duration": self.top_k_timing, "velocity": 352}


@dataclass(frozen=True)
class WindowSettings:
    """Sizes of a window, in events."""

    prompt: int = 128                  # longest prompt in a window
    continuation: int = 256            # events after the prompt in a window

    def __post_init__(self):
        if self.prompt < SHORTEST_PROMPT or self.continuation < 1:
            raise InputError(f"window of {self.prompt} + {self.continuation} events; wanted a prompt of "
                             f"{SHORTEST_PROMPT} or more and a continuation of 1 or more")

    @property
    def length(self) -> int:
        """Events of prompt and continuation in one row, each with the event after it; the last one has none."""
        return self.prompt + self.continuation - 1
