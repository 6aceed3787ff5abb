"""MIDI files <-> note tables.

`read` and `write` touch the disk; everything between bytes and notes is a pure function.

symusic reads, because it is many times faster; mido reads what symusic refuses or does not read in full, and is its
oracle: `read_with_symusic` and `read_with_mido` give the same notes for every file that both read. What both mean:

* Time is in seconds; the tempo changes of all tracks make one map (see tempo_map.py). Of two at one tick the later in
  the file holds. A file that counts time code (SMPTE) instead of quarter notes has a fixed tick; its tempo changes
  mean nothing.
* A track of the file becomes one `Track` for each channel and program in it, in this order. Channel 10 is drums.
* A note-on with velocity 0 is a note-off. A note-off ends the oldest note of its channel and pitch that still sounds;
  a key that is struck again also ends the note it had: no key sounds twice. (Notes struck at one tick may end apart.)
* A note that is never ended lasts until its key is struck again, or the track ends. A note without length is left out.
* A pedal (controller 64) is down from the value 64 up. It acts on the program that its channel has then; before any
  note of that, on the next. One that is never released comes up where the `Track`'s last note ends. The notes of a
  `Track` are as the fingers left them: `sustain` applies the pedal.
* Other controllers (modulation, volume, expression ...) are the curves of the `Track`, by the same rule as the pedal;
  what comes after its last note says nothing. Left out is what is no curve: see CURVES.
* The sequences of a type 2 file follow one another, each with its own tempo map.
* Names and texts are UTF-8, or else Latin-1. Texts are those that stand before a track's first note or control.
* Chunks that are no tracks are skipped, also bytes after the last chunk; fewer or more tracks than the header promises
  are all read. A chunk that is cut off makes the file an error: half a song teaches the wrong ending.

Source of the format: The Complete MIDI 1.0 Detailed Specification, Standard MIDI Files 1.0 (RP-001).
"""

import io
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.files import write_whole
from serenity.midi_container import unwrapped
from serenity.music import chunks
from serenity.music.chunks import DRUM_CHANNEL, META, PEDAL, PEDAL_DOWN, TEXT, TRACK_NAME, Chunks
from serenity.music.note import note_table, sort_notes
from serenity.music.tempo_map import (
    DEFAULT_QUARTER,
    DEFAULT_TICKS_PER_QUARTER,
    METRE,
    STRAIGHT,
    TEMPO,
    TempoMap,
)

# What no honest file reaches, so that a broken one ends with a line instead of filling the memory.
LARGEST_FILE = 8 * 2**20  # bytes; the longest piano performances take about a twentieth
LONGEST_SONG = 24 * 3600.0  # seconds

LONGEST_QUARTER = 2**24 - 1  # microseconds; a tempo has three bytes

LONGEST_SUSTAIN = 8.0  # seconds; a piano string in the middle has faded by then, however long the pedal is held

EXPRESSION = 11  # controller number: how loud, as a share of the channel's volume
# Controller numbers that make curves. Not bank select (0, 32), which belongs to a program change, nor parameters and
# their data (6, 38, 96 to 101), nor channel modes (120 and above); the pedal has its own place.
CURVES = tuple(sorted({*range(120)} - {0, 6, 32, 38, PEDAL, *range(96, 102)}))

CONTROL = np.dtype([
    ("time", np.float64),  # seconds from the start of the file
    ("number", np.int16),  # of the controller, one of CURVES
    ("value", np.int16),   # 0-127, until the controller's next row
])


@dataclass(frozen=True, eq=False)
class Track:
    """The notes of one channel and program of a file's track, as struck and released."""

    name: str
    program: int  # General MIDI program, 0-127
    is_drum: bool
    notes: np.ndarray  # a note table
    pedals: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))  # (pedal, 2): seconds [down, up), in order
    controls: np.ndarray = field(default_factory=lambda: np.empty(0, CONTROL))  # CONTROL, in order


@dataclass(frozen=True, eq=False)
class Score:
    """What a MIDI file holds."""

    tracks: tuple[Track, ...]
    tempo_map: TempoMap  # the file's own, from 0 s on
    texts: tuple[str, ...] = ()


# --- read ---------------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike) -> Score:
    """Read a MIDI file; InputError, with one line that begins with the path, where it cannot be used."""
    try:
        score = parse(_read_bytes(Path(path)))
        if not any(len(track.notes) for track in score.tracks):
            raise InputError("holds no note; wanted a MIDI file with notes")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return score


def parse(data: bytes) -> Score:
    """Return what the bytes of a MIDI file hold, by symusic where it reads them in full, by mido otherwise."""
    try:
        return read_with_symusic(data)
    except _NotCovered:
        return read_with_mido(data)


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise InputError("no such file; wanted a MIDI file (.mid)")
    if path.is_dir():
        raise InputError("is a folder; wanted a MIDI file (.mid)")
    if not path.is_file():  # a device or a pipe may never end
        raise InputError("is no regular file; wanted a MIDI file (.mid)")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise InputError(f"holds {size:,} bytes; wanted a MIDI file of at most {LARGEST_FILE:,}")
    try:
        return unwrapped(path.read_bytes(), LARGEST_FILE)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); wanted a MIDI file") from None


# --- chunks: the layout of a file, checked before any library sees it -----------------------------------------------


@dataclass(frozen=True)
class _Layout:
    is_sequences: bool  # type 2
    ticks_per_quarter: int  # 0 where the file counts time code
    ticks_per_second: float  # 0 where the file counts quarter notes
    bodies: tuple[bytes, ...]  # the content of each track chunk


def _layout(data: bytes) -> _Layout:
    found = chunks.split(data)
    if found.division < 0x8000:
        return _Layout(found.is_sequences, found.division, 0.0, found.tracks)
    frames, ticks = 256 - (found.division >> 8), found.division & 0xFF
    frames_per_second = 30_000 / 1001 if frames == 29 else frames  # "29" stands for 30 drop frame
    return _Layout(found.is_sequences, 0, frames_per_second * ticks, found.tracks)


def _one_file(bodies: Sequence[bytes], ticks_per_quarter: int) -> bytes:
    """Return a plain type 1 file of the given track chunks."""
    return chunks.join(Chunks(ticks_per_quarter, tuple(bodies)))


def _head(body: bytes) -> list[tuple[int, bytes]]:
    """Return (kind, content) of the meta events at the head of a track."""
    head = takewhile(lambda message: message.status == META, chunks.messages(body))
    return [(message.content[0], message.content[1:]) for message in head]


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


# --- the two readers ------------------------------------------------------------------------------------------------


class _NotCovered(Exception):
    """symusic refuses the file, or would leave a part of it out without a word."""


@dataclass(frozen=True)
class _Part:
    """A track in ticks, as a reader found it; arrays of one length for notes and for controls."""

    name: str
    program: int
    is_drum: bool
    onset: np.ndarray
    end: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    control_time: np.ndarray
    control_number: np.ndarray
    control_value: np.ndarray


# symusic drops notes that are never ended. So every track it is given goes on, after its end, with a pause longer than
# any song and a note-off for every key of every channel: a note that ends only there was never ended.
_END_OF_TRACK = b"\xff\x2f\x00"
_FAR = 2**27  # ticks; 38 hours of 480 ticks a quarter note at 120 a minute
_LATEST = 2**50  # ticks; far beyond any song, and far below where 64 bits end
_ALL_NOTES_OFF = b"\xff\xff\xff\x7f" + b"\x00".join(
    bytes([0x80 | channel]) + b"\x00".join(bytes([pitch, 0]) for pitch in range(128)) for channel in range(16)
)
_NOTHING = b"\xff\x01\x00"  # an empty text: takes the pause before the end of the track, so that it is not lost


def read_with_symusic(data: bytes) -> Score:
    """Return what the bytes of a MIDI file hold; raises _NotCovered for what only `read_with_mido` reads in full."""
    import symusic

    layout = _layout(data)
    if layout.is_sequences or not layout.ticks_per_quarter:
        raise _NotCovered
    bodies = []
    for body in layout.bodies:
        if body.find(_END_OF_TRACK) != len(body) - len(_END_OF_TRACK):  # none, or one before the end
            raise _NotCovered
        bodies.append(body[:-len(_END_OF_TRACK)] + _NOTHING + _ALL_NOTES_OFF + b"\x00" + _END_OF_TRACK)
    try:
        found = symusic.Score.from_midi(_one_file(bodies, layout.ticks_per_quarter))
    except Exception:  # symusic names no error of its own; whatever it stumbles over, mido is asked
        raise _NotCovered from None
    # A name that is not UTF-8 arrives with its letters replaced; the same replacement leads back to it.
    heads = (event for body in layout.bodies for event in _head(body))
    names = {content.decode(errors="replace"): _text(content) for kind, content in heads if kind == TRACK_NAME}
    parts = [_part_of_symusic(track, names.get(track.name, track.name)) for track in found.tracks]
    if any(part.end.max(initial=0) >= _FAR or part.onset.min(initial=0) < 0 for part in parts):
        raise _NotCovered
    tempos, signatures = found.tempos.numpy(), found.time_signatures.numpy()
    return _score(
        layout, parts,
        np.stack([tempos["time"], tempos["mspq"]], axis=1),
        np.stack([signatures["time"], signatures["numerator"], signatures["denominator"]], axis=1),
    )


def _part_of_symusic(track, name: str) -> _Part:
    notes, controls = track.notes.numpy(), track.controls.numpy()
    onset = notes["time"].astype(np.int64)
    return _Part(
        name, track.program, track.is_drum, onset, onset + notes["duration"], notes["pitch"], notes["velocity"],
        controls["time"].astype(np.int64), controls["number"], controls["value"],
    )


def read_with_mido(data: bytes) -> Score:
    """Return what the bytes of a MIDI file hold; slower than symusic, but reads every kind of file."""
    layout = _layout(data)
    parts, tempos, signatures, start = [], [], [], 0
    for number, body in enumerate(layout.bodies, 1):
        if layout.is_sequences:
            tempos.append((start, DEFAULT_QUARTER))
        end = _follow(_messages(body, number), start, parts, tempos, signatures)
        start = end if layout.is_sequences else 0
    tempos.sort(key=lambda change: change[0])  # stable: of two at one tick the later in the file stays behind
    signatures.sort(key=lambda change: change[0])
    return _score(layout, parts, _rows(tempos, 2), _rows(signatures, 3))


def _messages(body: bytes, number: int) -> list:
    """Return mido's messages of one track; each is read as a file of its own, so that none runs into the next."""
    import mido

    try:
        file = io.BytesIO(_one_file([body], DEFAULT_TICKS_PER_QUARTER))
        return mido.MidiFile(file=file, clip=True).tracks[0]
    except EOFError:
        raise InputError(f"is damaged: the last event of track {number} runs over the track's end") from None
    except Exception as error:  # mido raises what Python raises: OSError, ValueError, IndexError, KeyError ...
        raise InputError(f"is damaged: track {number} is no sequence of MIDI events ({error})") from None


def _follow(messages, start: int, parts: list[_Part], tempos: list, signatures: list) -> int:
    """Add what the messages of one track say to the three lists; `start` and the returned end are ticks."""
    now, name = start, ""
    programs = defaultdict(int)  # channel -> program
    sounding = defaultdict(deque)  # (channel, pitch) -> [onset, velocity, notes of its part], oldest first
    notes = {}  # (channel, program) -> [(onset, end, pitch, velocity)]
    controls = {}  # (channel, program) -> [(time, number, value)]
    early_controls = defaultdict(list)  # channel -> [(time, number, value)] before the first note of its program

    for message in messages:
        now += message.time
        kind = message.type
        if now > _LATEST:
            raise InputError(f"is damaged: its pauses add up to {now:,} ticks; wanted at most {_LATEST:,}")
        if kind == "end_of_track":
            break
        if kind == "note_on" and message.velocity > 0:
            key = message.channel, programs[message.channel]
            if key not in notes:
                notes[key], controls[key] = [], early_controls.pop(message.channel, [])
            sounding[message.channel, message.note].append((now, message.velocity, notes[key]))
        elif kind in ("note_on", "note_off"):
            if queue := sounding[message.channel, message.note]:
                onset, velocity, part = queue.popleft()
                part.append((onset, now, message.note, velocity))
        elif kind == "control_change":
            key = message.channel, programs[message.channel]
            controls.get(key, early_controls[message.channel]).append((now, message.control, message.value))
        elif kind == "program_change":
            programs[message.channel] = message.program
        elif kind == "track_name":
            name = _text(message.name.encode("latin-1"))
        elif kind == "set_tempo":
            tempos.append((now, message.tempo))
        elif kind == "time_signature":
            signatures.append((now, message.numerator, min(message.denominator, 2**15)))

    for (_, pitch), queue in sounding.items():
        for onset, velocity, part in queue:
            part.append((onset, now, pitch, velocity))
    for (channel, program), rows in sorted(notes.items()):
        columns = (*_rows(rows, 4).T, *_rows(controls[channel, program], 3).T)
        parts.append(_Part(name, program, channel == DRUM_CHANNEL, *columns))
    return now


def _rows(rows: list[tuple], width: int) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, width)


# --- ticks -> seconds -----------------------------------------------------------------------------------------------


def _score(layout: _Layout, parts: Iterable[_Part], tempos: np.ndarray, signatures: np.ndarray) -> Score:
    """Build the score; tempos (change, 2) and signatures (change, 3) begin with a tick and are in order."""
    if layout.ticks_per_quarter:
        ticks_per_quarter = layout.ticks_per_quarter
        tempos = _tempo_table(tempos, ticks_per_quarter)
    else:  # time code: a tick is a part of a second; at MIDI's default tempo half as many make a quarter note
        ticks_per_quarter = max(round(layout.ticks_per_second * DEFAULT_QUARTER / 1e6), 1)
        tempos = _table(TEMPO, np.zeros(1), np.full(1, 1e6 * ticks_per_quarter / layout.ticks_per_second))
    signatures = signatures[(signatures[:, 1] > 0) & (signatures[:, 2] > 0) & (signatures[:, 2] <= 128)]
    signatures = signatures[_last_of_each(signatures[:, 0])]
    metres = _table(METRE, signatures[:, 0] / ticks_per_quarter, *signatures[:, 1:].T)
    clock = TempoMap(tempos, metres, ticks_per_quarter)
    tracks = tuple(track for part in parts if len((track := _track(part, clock)).notes))
    texts = (_text(content) for body in layout.bodies for kind, content in _head(body) if kind == TEXT)
    return Score(tracks, clock, tuple(texts))


def _tempo_table(changes: np.ndarray, ticks_per_quarter: int) -> np.ndarray:
    """Return the TEMPO table of changes (tick, microseconds) in order; MIDI's default holds before the first."""
    lasts = changes[:, 1] > 0  # a quarter note of 0 microseconds stops no clock
    tick, quarter = np.append(0, changes[lasts, 0]), np.append(DEFAULT_QUARTER, changes[lasts, 1])
    keep = _last_of_each(tick)
    return _table(TEMPO, tick[keep] / ticks_per_quarter, quarter[keep])


def _track(part: _Part, clock: TempoMap) -> Track:
    has_length = part.end > part.onset
    onset, end, pitch, velocity = (array[has_length] for array in (part.onset, part.end, part.pitch, part.velocity))
    end = np.minimum(end, next_strike(onset, pitch))
    onset, end = clock.seconds_of_ticks(onset), clock.seconds_of_ticks(end)
    last = end.max(initial=0.0)
    if last > LONGEST_SONG:
        raise InputError(f"lasts {last / 3600:,.0f} hours; wanted at most {LONGEST_SONG / 3600:.0f}")
    notes = note_table(onset, end - onset, pitch, np.clip(velocity, 1, 127))
    value = np.clip(part.control_value, 0, 127)
    controls = _table(CONTROL, clock.seconds_of_ticks(part.control_time), part.control_number, value)
    moves = controls[controls["number"] == PEDAL]
    pedals = _pedals(moves["time"], moves["value"] >= PEDAL_DOWN, last)
    curves = controls[np.isin(controls["number"], CURVES) & (controls["time"] <= last)]
    return Track(part.name, part.program, part.is_drum, notes, pedals, curves)


def _pedals(time: np.ndarray, is_down: np.ndarray, end: float) -> np.ndarray:
    """Return (pedal, 2) seconds [down, up) of moves in order; `end` releases a pedal that nothing else does."""
    moved = np.diff(is_down, prepend=False)
    down, up = time[moved & is_down], time[moved & ~is_down]
    if len(up) < len(down):
        up = np.append(up, end)
    return np.stack([down, up], axis=1)[up > down]


def next_strike(onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Return, for each note, the next later onset of its pitch; where there is none, the largest value of the dtype."""
    never = np.iinfo(onset.dtype).max if onset.dtype.kind == "i" else np.inf
    if not len(onset):
        return onset.copy()
    order = np.lexsort((onset, pitch))
    onsets, pitches = onset[order], pitch[order]
    is_new = np.append(True, (onsets[1:] != onsets[:-1]) | (pitches[1:] != pitches[:-1]))
    first = np.flatnonzero(is_new)  # of each (pitch, onset): notes struck at once share their next strike
    following = np.full(len(first), never, onset.dtype)
    same = pitches[first[1:]] == pitches[first[:-1]]
    following[:-1][same] = onsets[first[1:]][same]
    result = np.empty_like(onset)
    result[order] = following[np.cumsum(is_new) - 1]
    return result


def _last_of_each(tick: np.ndarray) -> np.ndarray:
    """Return a mask of the last row of each run of equal ticks."""
    return np.append(tick[1:] != tick[:-1], True)[:len(tick)]


def _table(dtype: np.dtype, *columns) -> np.ndarray:
    table = np.empty(len(columns[0]), dtype)
    for name, column in zip(dtype.names, columns, strict=True):
        table[name] = column
    return table


# --- the pedal ------------------------------------------------------------------------------------------------------


def sustain(notes: np.ndarray, pedals: np.ndarray, longest: float = LONGEST_SUSTAIN) -> np.ndarray:
    """Return the notes as they sound under the pedal.

    A note that ends while the pedal is down lasts until it comes up, or until its key is struck again, whichever comes
    first; but the pedal makes no note longer than `longest` seconds. It never makes one shorter.

    Args: notes, a note table; pedals, (pedal, 2) seconds [down, up) in order, not overlapping.
    """
    notes = notes.copy()
    if not len(notes) or not len(pedals):
        return notes
    end = notes["onset"] + notes["duration"]
    at = np.searchsorted(pedals[:, 0], end, side="right") - 1  # the pedal that went down last; -1: none yet
    release = np.where(at >= 0, pedals[at, 1], end)
    sounds_until = np.minimum(release, next_strike(notes["onset"], notes["pitch"])) - notes["onset"]
    notes["duration"] = np.maximum(notes["duration"], np.minimum(sounds_until, longest))
    return notes


# --- write ----------------------------------------------------------------------------------------------------------


def write(path: str | os.PathLike, tracks: Iterable[Track], tempo_map: TempoMap = TempoMap(),
          texts: Iterable[str] = ()) -> None:
    """Write a type 1 MIDI file; the file appears whole or not at all. Equal input gives equal bytes.

    Arguments are as in `Score`. Times are rounded to ticks, tempos to microseconds; swing is no part of a file's map.
    What the format cannot hold is mended: a note has at least one tick, it ends where its key is struck again, and
    notes of one pitch at one tick become one, as long as the longest and as loud as the loudest.
    """
    write_whole(path, to_bytes(tracks, tempo_map, texts))


def to_bytes(tracks: Iterable[Track], tempo_map: TempoMap = TempoMap(), texts: Iterable[str] = ()) -> bytes:
    """Return the bytes of a MIDI file; the inverse of `parse`. Arguments as in `write`."""
    import mido

    clock = _written_map(tempo_map)
    ticks_per_quarter = clock.ticks_per_quarter
    conductor = [(0, mido.MetaMessage("text", text=_writable(text))) for text in texts]
    for start, quarter in clock.tempos.tolist():
        conductor.append((round(start * ticks_per_quarter), mido.MetaMessage("set_tempo", tempo=int(quarter))))
    for start, *signature in clock.metres.tolist():
        conductor.append((round(start * ticks_per_quarter), mido.MetaMessage(
            "time_signature", numerator=signature[0], denominator=signature[1])))
    conductor.sort(key=lambda event: event[0])

    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    file = mido.MidiFile(type=1, ticks_per_beat=ticks_per_quarter, charset="utf-8")
    file.tracks.append(_with_deltas(conductor))
    for number, track in enumerate(tracks):
        channel = DRUM_CHANNEL if track.is_drum else channels[number % len(channels)]
        file.tracks.append(_with_deltas(_events(track, channel, clock)))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _written_map(tempo_map: TempoMap) -> TempoMap:
    """Return the map as a file can hold it: changes on whole ticks, whole microseconds.

    What rounding takes off one quarter is given to the next tempo, so that it does not add up.
    """
    starts = np.rint(tempo_map.tempos["start"] * tempo_map.ticks_per_quarter) / tempo_map.ticks_per_quarter
    lengths, owed = [], 0.0
    for span, length in zip(np.append(np.diff(starts), np.inf).tolist(), tempo_map.tempos["length"].tolist()):
        wanted = length + (owed / span if span else 0.0)
        lengths.append(min(max(round(wanted), 1), LONGEST_QUARTER))
        owed = (wanted - lengths[-1]) * span if 0 < span < np.inf else owed
    return replace(tempo_map, tempos=_table(TEMPO, starts, np.array(lengths)), start=0.0, swing=STRAIGHT)


def _events(track: Track, channel: int, clock: TempoMap) -> list:
    """Return (tick, message) of one track, in order: at one tick what ends stands before what begins."""
    from mido import Message, MetaMessage

    events = [(0, 0, MetaMessage("track_name", name=_writable(track.name)))] if track.name else []
    events.append((0, 1, Message("program_change", channel=channel, program=track.program)))
    for onset, end, pitch, velocity in zip(*(column.tolist() for column in _tick_notes(track.notes, clock))):
        events.append((onset, 5, Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        events.append((end, 2, Message("note_off", channel=channel, note=pitch, velocity=0)))
    for down, up in clock.ticks(track.pedals).tolist():
        events.append((down, 4, Message("control_change", channel=channel, control=PEDAL, value=127)))
        events.append((up, 3, Message("control_change", channel=channel, control=PEDAL, value=0)))
    for tick, (_, number, value) in zip(clock.ticks(track.controls["time"]).tolist(), track.controls.tolist()):
        events.append((tick, 4, Message("control_change", channel=channel, control=number, value=value)))
    events.sort(key=lambda event: event[:2])
    return [(tick, message) for tick, _, message in events]


def _tick_notes(notes: np.ndarray, clock: TempoMap) -> tuple[np.ndarray, ...]:
    """Return onset, end, pitch and velocity with times in ticks, no two notes of a pitch at one time."""
    notes = sort_notes(notes)
    onset = clock.ticks(notes["onset"])
    end = np.maximum(clock.ticks(notes["onset"] + notes["duration"]), onset + 1)
    order = np.lexsort((notes["pitch"], onset))
    onset, end, pitch, velocity = onset[order], end[order], notes["pitch"][order], notes["velocity"][order]
    if not len(onset):
        return onset, end, pitch, velocity
    first = np.flatnonzero(np.append(True, (onset[1:] != onset[:-1]) | (pitch[1:] != pitch[:-1])))
    end, velocity = np.maximum.reduceat(end, first), np.maximum.reduceat(velocity, first)
    onset, pitch = onset[first], pitch[first]
    return onset, np.minimum(end, next_strike(onset, pitch)), pitch, velocity


def _writable(text: str) -> str:
    """Return the text without what UTF-8 cannot hold: half characters, as in file names that are no UTF-8."""
    return text.encode(errors="replace").decode()


def _with_deltas(events: list) -> list:
    """Return a mido track of (tick, message) in order."""
    from mido import MidiTrack

    track, now = MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(skip_checks=True, time=tick - now))  # what is made here is checked already
        now = tick
    return track
