"""abc files: a song's events as text that a person can read and edit, one event a line.

    serenity-abc 2
    source: 001.mid
    group: 001
    synthetic: inversion-1
    key: f# major
    transposition: -6
    folded: 0
    beats: file
    start: 0.02
    tempos: 0 631579
    metres: 0 4/4
    swing: 0.5
    category: piano
    normalise: key
    grid: 24
    exact_lengths: 24
    split_ratio: 1.5

    | 1
    a#5c5g5 0 1/2 85+16  % 1
    d5 1/2 3/2 70  % 1+1/2

The head names where the song comes from, the rule that made it (none: the song is real), and what
normalising did, so that it can be undone: key and semitones; whether the beats are the file's, found or given; the
seconds at which quarter 0 begins; from which quarter on a quarter lasts how many microseconds, and which metre holds;
and which share of a quarter its first eighth takes. An event is its chord, its step and duration in quarters, and its
velocity, parted by blanks; "85+16" is a chord of velocity 85 whose top note has 16 more. Empty lines, what follows a %,
and lines that begin with | say nothing: bars and beats are shown for people and follow from the steps. (Not the ABC
notation of folk music.)
"""

import re
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.files import write_whole
from serenity.music.codec import EVENT, LIMITS, loudness_name, number_name, parse_loudness, time_name
from serenity.music.pitch import chord_bits, chord_pitches, parse_chord, spell
from serenity.music.tempo_map import TempoMap, metres, tempos
from serenity.settings import CodecSettings

MAGIC = "serenity-abc"
VERSION = 2
SECONDS = "1"  # the version in which time was counted in seconds
NONE = "none"
DENOMINATORS = tuple(2**power for power in range(8))  # those that a MIDI file can hold
_WORD = re.compile(r"\S+")
_TIME = re.compile(r"[0-9]{1,12}(/[1-9][0-9]{0,5}|\.[0-9]{1,9})?")  # quarters: 2, 3/2, 0.5
_REMEMBERED = 1 << 16  # chords and numbers that many songs share


@dataclass(frozen=True)
class AbcSong:
    """A song as it stands in an abc file."""

    source: str              # the MIDI file that it was made from
    group: str               # songs of one group (versions, synthetic songs) never part in a split
    key: str                 # of the song as it was
    transposition: int       # semitones that normalising added
    folded: int              # notes that normalising moved by octaves into range
    beats: str               # where they come from: see beats.Beats.source
    tempo_map: TempoMap      # where the quarters of the song as it was stood, and its bars
    codec: CodecSettings
    events: np.ndarray       # EVENT table
    synthetic: str = ""      # rule of serenity.music.synthetic that made it; "": a real song


def to_text(song: AbcSong) -> str:
    """Return the abc text of a song.

    Each value of the head stands on one line: what breaks a line or is no text in a file's name becomes a blank or "?".
    """
    head = {"source": song.source, "group": song.group, "synthetic": song.synthetic or NONE, "key": song.key,
            "transposition": song.transposition, "folded": song.folded, "beats": song.beats,
            **_map_fields(song.tempo_map), **asdict(song.codec)}
    lines = [f"{MAGIC} {VERSION}", *(f"{name}: {_one_line(str(value))}" for name, value in head.items()), ""]
    lines += _event_lines(song.events, song.tempo_map, song.codec.grid)
    return "\n".join(lines) + "\n"


def _event_lines(events: np.ndarray, tempo_map: TempoMap, grid: int) -> list[str]:
    """Return a line for each event, and one before each bar in which an event begins."""
    onset = np.cumsum(events["step"])
    bars, places, _ = tempo_map.bars(onset / grid)
    units = tempo_map.metre(onset / grid)["denominator"].tolist()  # that the beats of a bar are counted in
    points = np.rint(places * grid).astype(np.int64)
    lines, before = [], None
    columns = (events[name].tolist() for name in EVENT.names)
    for bar, point, unit, chord, step, duration, velocity, accent in zip(bars.tolist(), points.tolist(), units,
                                                                         *columns):
        if bar != before:
            lines.append(f"| {bar + 1}")
            before = bar
        lines.append(f"{_spelled(*chord)} {time_name(step, grid)} {time_name(duration, grid)} "
                     f"{loudness_name(velocity, accent)}  % {_beat_name(point, unit, grid)}")
    return lines


@lru_cache(maxsize=_REMEMBERED)
def _beat_name(point: int, denominator: int, grid: int) -> str:
    """Return the beat of a bar that a grid point is, counted from 1: "2+1/2"."""
    beat, part = divmod(Fraction(point * denominator, 4 * grid), 1)
    return f"{beat + 1}+{part}" if part else str(beat + 1)


# --- the tempo map in the head ----------------------------------------------------------------------------------------

def _map_fields(tempo_map: TempoMap) -> dict[str, str]:
    rows = tempo_map.signatures.tolist()
    return {"start": number_name(tempo_map.start),
            "tempos": ", ".join(f"{number_name(start)} {number_name(length)}"
                                for start, length in tempo_map.tempos.tolist()),
            "metres": ", ".join(f"{number_name(start)} {numerator}/{denominator}"
                                for start, numerator, denominator in rows),
            "swing": number_name(tempo_map.swing)}


def _map_of_fields(head: dict) -> TempoMap:
    """Return the tempo map of a head's values, which it takes out. The inverse of _map_fields. Raises ValueError."""
    tempo_map = TempoMap(head.pop("tempos"), head.pop("metres"), start=head.pop("start"), swing=head.pop("swing"))
    for name, table in (("tempos", tempo_map.tempos), ("metres", tempo_map.metres)):
        if table["start"][0] != 0 or (np.diff(table["start"]) <= 0).any():
            raise ValueError(f"{name} begin at {number_name(float(table['start'][0]))}; wanted 0, and then later ones")
    return tempo_map


def _tempos(text: str) -> np.ndarray:
    table = tempos(*(tuple(map(float, part.split())) for part in text.split(",")))
    if not (np.isfinite(table["start"]) & (table["length"] > 0) & (table["length"] < 1e9)).all():
        raise ValueError
    return table


def _metres(text: str) -> np.ndarray:
    rows = []
    for part in text.split(","):
        start, _, signature = part.strip().partition(" ")
        numerator, _, denominator = signature.partition("/")
        rows.append((float(start), int(numerator), int(denominator)))
        if not (0 <= rows[-1][0] < 1e9 and 0 < rows[-1][1] <= 255 and rows[-1][2] in DENOMINATORS):
            raise ValueError
    return metres(*rows)


def _seconds(text: str) -> float:
    if not abs(value := float(text)) < 86_400:
        raise ValueError
    return value


def _share(text: str) -> float:
    if not 0 < (value := float(text)) < 1:
        raise ValueError
    return value


# --- reading ----------------------------------------------------------------------------------------------------------

def from_text(text: str, name: str = "abc text") -> AbcSong:
    """Parse abc text. The inverse of to_text. Raises InputError with `name`, line and column, counted from 1."""
    lines = text.splitlines()
    head, body = _head(lines, name)
    return AbcSong(**head, events=_events(lines[body:], body, name, head["codec"].grid))


def _head(lines: list[str], name: str) -> tuple[dict, int]:
    """Return what the head says, by the fields of AbcSong, and the number of its lines."""
    if lines and lines[0].split() == [MAGIC, SECONDS]:
        raise InputError(f"{name}:1:1: made by an older Serenity, which counted seconds; wanted '{MAGIC} {VERSION}': "
                         "run preprocess.py without --abc-only")
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
        tempo_map = _map_of_fields(head)
    except (InputError, ValueError) as error:
        raise InputError(f"{name}:{body}:1: {error}") from None
    return {**head, "tempo_map": tempo_map, "codec": settings}, body


def _events(lines: list[str], first: int, name: str, grid: int) -> np.ndarray:
    """Return the EVENT table of the lines behind the head; `first` of the file's lines stand before them."""
    lines = [line.partition("%")[0] for line in lines]
    numbers = [number for number, line in enumerate(lines) if line.strip() and line[0] != "|"]
    rows = [lines[number].split() for number in numbers]
    if set(map(len, rows)) - {len(_WORDS)}:
        number, words = next((number, words) for number, words in zip(numbers, rows) if len(words) != len(_WORDS))
        column = len(lines[number].rstrip()) if len(words) < len(_WORDS) else _start(lines[number], 4)
        raise InputError(f"{name}:{first + number + 1}:{column + 1}: got {len(words)} words, wanted 4: chord, step, "
                         "duration, velocity")
    events, wrong = np.empty(len(rows), EVENT), []
    for place, (attribute, column) in enumerate(zip(_WORDS, zip(*rows))):
        values = {}
        for word in set(column):  # few different words are many events: each is parsed once
            try:
                values[word] = _PARSE[attribute](word, grid)
            except ValueError as error:
                message, index = error.args
                number = numbers[column.index(word)]
                wrong.append((first + number + 1, _start(lines[number], place) + index + 1, message))
        if not wrong and attribute == "velocity":
            events["velocity"], events["accent"] = zip(*(values[word] for word in column))
        elif not wrong:
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
def _chord(word: str, _: int) -> tuple[int, int]:
    return tuple(chord_bits(parse_chord(word)).tolist())


@lru_cache(maxsize=_REMEMBERED)
def _time(attribute: str, word: str, grid: int) -> int:
    """Return the grid points of the quarters that a word says. Raises ValueError(message, 0)."""
    lowest, highest = LIMITS[attribute]
    value = Fraction(word) * grid if _TIME.fullmatch(word) else None
    if value is None or value.denominator != 1 or not lowest <= value <= highest:
        above = "" if lowest == 0 else ", above 0"
        raise ValueError(f"{attribute} '{word}', wanted quarters in whole {grid}ths{above}, such as 1/2", 0)
    return int(value)


@lru_cache(maxsize=_REMEMBERED)
def _velocity(word: str, _: int) -> tuple[int, int]:
    """Return velocity and accent. Raises ValueError(message, 0)."""
    try:
        return parse_loudness(word)
    except ValueError as error:
        raise ValueError(error.args[0], 0) from None


def write(path: Path, song: AbcSong) -> None:
    """Write an abc file. It appears under its name only when it is whole."""
    write_whole(path, to_text(song).encode())


def read(path: Path) -> AbcSong:
    """Read an abc file. The inverse of write. Raises InputError with path, line and column."""
    try:
        return from_text(path.read_text(encoding="utf-8-sig"), str(path))  # some editors put a mark before the text
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text; wanted an abc file") from None


def read_in(folder: Path, name: str) -> AbcSong:
    """Return the song of an abc file below a folder, as `read` does."""
    return read(folder / name)


def read_head(path: Path) -> AbcSong:
    """Return the song of an abc file without its events: what `read` gives, for the price of a few lines."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        lines = [*takewhile(str.strip, file), "\n"]
    head, _ = _head("".join(lines).splitlines(), str(path))
    return AbcSong(**head, events=np.empty(0, EVENT))


def _one_line(text: str) -> str:
    return " ".join(text.split()).encode("utf-8", "replace").decode("utf-8")  # a path may hold bytes that are no text


def _optional(kind: type, text: str):
    return None if text == "None" else kind(text)


def _synthetic(text: str) -> str:
    return "" if text == NONE else text


_PARSE = {"pitch": _chord, "step": partial(_time, "step"), "duration": partial(_time, "duration"),
          "velocity": _velocity}
_WORDS = tuple(_PARSE)  # of a line
_HEAD = {"source": str, "group": str, "synthetic": _synthetic, "key": str, "transposition": int, "folded": int,
         "beats": str, "start": _seconds, "tempos": _tempos, "metres": _metres, "swing": _share,
         "category": str, "normalise": str, "grid": int, "exact_lengths": partial(_optional, int),
         "split_ratio": partial(_optional, float)}
