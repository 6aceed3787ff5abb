"""abc files: a song's events as text that a person can read and edit, one event a line.

    serenity-abc 1
    source: 001.mid
    group: 001
    synthesis: inversion-1
    key: f# major
    transposition: -6
    folded: 0
    category: piano
    normalise: key
    time_step: 0.02
    split_ratio: 1.5

    a#5c5g5 0.48 0.96 85

The head names where the song comes from, the rule of synthesis that made it (none: the song is real), and what
normalising did, so that it can be undone. An event is its chord, its
step and duration in seconds, and its velocity, parted by blanks. Empty lines and lines that begin with % say nothing.
(Not the ABC notation of folk music.)
"""

import re
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.files import write_whole
from serenity.music.codec import CodecSettings
from serenity.music.event import EVENT, LIMITS, number_name
from serenity.music.pitch import chord_bits, chord_pitches, parse_chord, spell

MAGIC = "serenity-abc"
VERSION = 1
NONE = "none"
_WORD = re.compile(r"\S+")
_REMEMBERED = 1 << 16  # chords and numbers that many songs share
_NUMBER = re.compile(r"[-+.0-9e]+")  # leaves out nan, inf, 1_000 and the digits of other scripts


@dataclass(frozen=True)
class AbcSong:
    """A song as it stands in an abc file."""

    source: str              # the MIDI file that it was made from
    group: str               # songs of one group (versions, synthetic siblings) never part in a split
    key: str                 # of the song as it was
    transposition: int       # semitones that normalising added
    folded: int              # notes that normalising moved by octaves into range
    settings: CodecSettings
    events: np.ndarray       # EVENT table
    synthesis: str = ""      # rule of serenity.music.synthesis that made it; "": a real song


def to_text(song: AbcSong) -> str:
    """Return the abc text of a song.

    Each value of the head stands on one line: what breaks a line or is no text in a file's name becomes a blank or "?".
    """
    head = {"source": song.source, "group": song.group, "synthesis": song.synthesis or NONE, "key": song.key,
            "transposition": song.transposition, "folded": song.folded, **asdict(song.settings)}
    lines = [f"{MAGIC} {VERSION}", *(f"{name}: {_one_line(str(value))}" for name, value in head.items()), ""]
    columns = (song.events[name].tolist() for name in EVENT.names)
    lines += [f"{_spelled(*chord)} {number_name(step)} {number_name(duration)} {velocity}"
              for chord, step, duration, velocity in zip(*columns)]
    return "\n".join(lines) + "\n"


def from_text(text: str, name: str = "abc text") -> AbcSong:
    """Parse abc text. The inverse of to_text. Raises InputError with `name`, line and column, counted from 1."""
    lines = text.splitlines()
    head, body = _head(lines, name)
    return AbcSong(**head, events=_events(lines[body:], body, name))


def head_from_text(text: str, name: str = "abc text") -> AbcSong:
    """Return the song that abc text begins with, without its events. Raises InputError as from_text does."""
    return AbcSong(**_head(text.splitlines(), name)[0], events=np.empty(0, EVENT))


def _head(lines: list[str], name: str) -> tuple[dict, int]:
    """Return what the head says, by the fields of AbcSong, and the number of its lines."""
    if not lines or lines[0].split() != [MAGIC, str(VERSION)]:
        raise InputError(f"{name}:1:1: got '{lines[0][:40] if lines else ''}', wanted '{MAGIC} {VERSION}'")
    head, body = {}, len(lines)
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            body = number
            break
        field, colon, value = line.partition(":")
        if field in _HEAD and field not in head and colon:
            try:
                head[field] = _HEAD[field](value.strip())
            except ValueError:
                column = len(line) - len(value.lstrip()) + 1
                raise InputError(f"{name}:{number}:{column}: {field} '{value.strip()}' cannot be read") from None
        elif not line.startswith("%"):
            raise InputError(f"{name}:{number}:1: got '{line[:40]}', wanted one of {', '.join(_HEAD)}, each once, "
                             "then an empty line")
    if missing := [field for field in _HEAD if field not in head]:
        raise InputError(f"{name}:{body}:1: the head lacks {', '.join(missing)}")
    try:
        settings = CodecSettings(**{field.name: head.pop(field.name) for field in fields(CodecSettings)})
    except InputError as error:
        raise InputError(f"{name}:{body}:1: {error}") from None
    return {**head, "settings": settings}, body


def _events(lines: list[str], first: int, name: str) -> np.ndarray:
    """Return the EVENT table of the lines behind the head; `first` of the file's lines stand before them."""
    numbers = [number for number, line in enumerate(lines) if line.strip() and line[0] != "%"]
    rows = [lines[number].split() for number in numbers]
    if set(map(len, rows)) - {len(EVENT.names)}:
        number, words = next((number, words) for number, words in zip(numbers, rows) if len(words) != len(EVENT.names))
        column = len(lines[number].rstrip()) if len(words) < len(EVENT.names) else _start(lines[number], 4)
        raise InputError(f"{name}:{first + number + 1}:{column + 1}: got {len(words)} words, wanted 4: chord, step, "
                         "duration, velocity")
    events, wrong = np.empty(len(rows), EVENT), []
    for place, (attribute, column) in enumerate(zip(EVENT.names, zip(*rows))):
        values = {}
        for word in set(column):  # few different words are many events: each is parsed once
            try:
                values[word] = _chord(word) if attribute == "pitch" else _number(attribute, word)
            except ValueError as error:
                message, index = error.args
                number = numbers[column.index(word)]
                wrong.append((first + number + 1, _start(lines[number], place) + index + 1, message))
        if not wrong:
            events[attribute] = [values[word] for word in column]
    if wrong:
        number, column, message = min(wrong)
        raise InputError(f"{name}:{number}:{column}: {message}")
    return events


def _start(line: str, word: int) -> int:
    """Return where a line's word, counted from 0, begins."""
    return [match.start() for match in _WORD.finditer(line)][word]


@lru_cache(maxsize=_REMEMBERED)
def _spelled(*chord: int) -> str:
    return spell(chord_pitches(np.array(chord, np.uint64)))


@lru_cache(maxsize=_REMEMBERED)
def _chord(word: str) -> tuple[int, int]:
    return tuple(chord_bits(parse_chord(word)).tolist())


@lru_cache(maxsize=_REMEMBERED)
def _number(attribute: str, word: str) -> float:
    """Return the number that a word says. Raises ValueError(message, 0)."""
    lowest, highest = LIMITS[attribute]
    kind = int if attribute == "velocity" else float
    try:
        value = kind(word) if _NUMBER.fullmatch(word) else None
    except ValueError:
        value = None
    if value is None or not lowest <= value <= highest:
        wanted = "a whole number" if kind is int else "a number"
        raise ValueError(f"{attribute} '{word}', wanted {wanted} from {lowest:g} to {highest:g}", 0)
    return value


def write(path: Path, song: AbcSong) -> None:
    """Write an abc file. It appears under its name only when it is whole."""
    write_whole(path, to_text(song).encode())


def read(path: Path) -> AbcSong:
    """Read an abc file. The inverse of write. Raises InputError with path, line and column."""
    try:
        return from_text(path.read_text(encoding="utf-8-sig"), str(path))  # some editors put a mark before the text
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is no UTF-8 text; wanted an abc file") from None


def read_head(path: Path) -> AbcSong:
    """Return the song of an abc file without its events: what `read` gives, for the price of a few lines."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        lines = list(takewhile(str.strip, file))
    return head_from_text("".join([*lines, "\n"]), str(path))


def _one_line(text: str) -> str:
    return " ".join(text.split()).encode("utf-8", "replace").decode("utf-8")  # a path may hold bytes that are no text


def _optional_ratio(text: str) -> float | None:
    return None if text == "None" else float(text)


def _synthesis(text: str) -> str:
    return "" if text == NONE else text


_HEAD = {"source": str, "group": str, "synthesis": _synthesis, "key": str, "transposition": int, "folded": int,
         "category": str, "normalise": str, "time_step": float, "split_ratio": _optional_ratio}
