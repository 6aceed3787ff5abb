"""The seed: from a score to the prompt that a model reads, and from the model's tokens back into the seed's song."""

from dataclasses import dataclass, replace

import numpy as np

from serenity.music import codec, instruments
from serenity.music.codec import CodecSettings, Encoded
from serenity.music.instruments import Choice
from serenity.music.midi_file import Score
from serenity.music.note import end_time, merge_tables
from serenity.music.prompt import choose_events, cut_times, excerpt
from serenity.tokens.unknown import Replaced, find_replaced
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, Vocabulary
from serenity.tokens.windows import stream


@dataclass(frozen=True, eq=False)
class Seed:
    """A seed as read, and the part of it that is the prompt."""

    choice: Choice      # the tracks taken
    encoded: Encoded    # the whole seed as events
    prompt: np.ndarray  # (length, 4) int32: the prompt as the end of a stream, with START where it begins the song
    unknown: list[Replaced]
    score: Score        # the tracks taken, cut down to the prompt, with their tempos and time signatures
    start: float        # seconds, in `score`: the prompt's last onset, from which the continuation's steps count

    @property
    def events(self) -> int:
        """Number of events of the prompt."""
        return int((self.prompt[:, 0] >= SPECIALS).sum())

    @property
    def notes(self) -> np.ndarray:
        """The notes of the prompt, as struck, as one table."""
        return merge_tables(track.notes for track in self.score.tracks)


def read(score: Score, category: str, settings: CodecSettings, vocabulary: Vocabulary, first: int | None = None,
         last: int | None = None, seconds: tuple[float, float] | None = None) -> Seed:
    """Return the seed of a score. Which part of it is the prompt: see prompt.choose_events. Raises InputError.

    `category` says whose tracks are taken; normalised they are as the model's `settings` have it.
    """
    choice = instruments.choose(score, category)
    encoded = codec.encode(choice.notes, settings)
    chosen = choose_events(encoded.events, first, last, seconds)
    cut, taken_off = excerpt(replace(score, tracks=choice.tracks), *cut_times(encoded.events, chosen))
    events = encoded.events[chosen]
    tokens, known = vocabulary.encode(events)
    prompt = stream(tokens, 0, len(tokens) + 1)[min(chosen.start, 1):]  # START is dropped where the beginning is
    # On the grid an event may stand a little before its notes: the continuation begins before neither.
    grid_onset = encoded.events["step"][:chosen.stop].sum() - taken_off
    last_onset = max(track.notes["onset"][-1] for track in cut.tracks)
    return Seed(choice, encoded, prompt, find_replaced(events, tokens, known, vocabulary, encoded.transposition), cut,
                float(max(grid_onset, last_onset)))


def continue_notes(seed: Seed, tokens: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Return the notes of a continuation (events, 4) in the seed's key, register and time."""
    notes = codec.decode(vocabulary.decode(tokens, seed.encoded.events.dtype), seed.encoded.transposition)
    notes["onset"] += seed.start
    return notes


def loops(tokens: np.ndarray) -> bool:
    """Return whether a continuation (events, 4) comes down to a few chords: real songs have 35 in 100 events."""
    chords = tokens[-100:, ATTRIBUTES.index("pitch")]
    return len(np.unique(chords)) < 0.1 * len(chords)


def report(seed: Seed) -> list[str]:
    """Return what was read, in lines for a person: tracks and why, key, the prompt, and what had to be replaced."""
    choice, encoded = seed.choice, seed.encoded
    names = [_printable(name) for name in dict.fromkeys(choice.names) if name.strip()]
    shown = f" ({', '.join(names[:4])}{', ..' * (len(names) > 4)})" if names else ""
    folded = f", {encoded.folded} moved by octaves into the model's range" if encoded.folded else ""
    key, seconds, whole_seconds = encoded.key, end_time(seed.notes), end_time(choice.notes)
    lines = [f"{choice.reason}{shown}; {len(choice.notes)} notes, {choice.dropped} left out{folded}",
             f"{key} (confidence {key.confidence:.2f}); {seed.events} of {len(encoded.events)} events as prompt, "
             f"{seconds:.1f} of {whole_seconds:.1f} s"]
    if seed.unknown:
        count, values = sum(replaced.count for replaced in seed.unknown), len(ATTRIBUTES) * seed.events
        lines.append(f"{count} of {values} values ({count / values:.1%}) that the model does not know became their "
                     f"nearest: {', '.join(map(str, seed.unknown))}")
    return lines


def _printable(name: str) -> str:
    """Return a name out of a file so that it can be shown: no control characters, not long."""
    return "".join(letter if letter.isprintable() else "?" for letter in name.strip())[:40]
