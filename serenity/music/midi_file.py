"""MIDI files <-> note tables.

`read` and `write` touch the disk; everything between bytes and notes is a pure function.

What stands in a file, and is read by chunks.py, means this:

* Time is in seconds; the tempo changes of all tracks make one map (see tempo_map.py). Of two at one tick the later in
  the file holds. A file that counts time code (SMPTE) instead of quarter notes has a fixed tick; its tempo changes
  mean nothing.
* A track of the file becomes one `Track` for each channel and program in it, in this order. Channel 10 is drums.
* Programs and controllers belong to a channel (of a port), whichever track they stand in: of two staves on one channel
  one has the pedal for both. Of program changes at one tick that of the note's own track holds.
* A note-on with velocity 0 is a note-off. A note-off ends the oldest note of its channel and pitch that still sounds;
  a key that is struck again also ends the note it had: no key sounds twice. (Notes struck at one tick may end apart.)
* A note that is never ended lasts until its key is struck again, or the track ends. A note without length, as grace
  notes of score programs have none, lasts a tick.
* A pedal (controller 64) is down from the value 64 up. One that is never released comes up where the `Track`'s last
  note ends. The notes of a `Track` are as the fingers left them: `sustain` applies the pedal.
* Other controllers (modulation, volume, expression ...) are the curves of the `Track`; what comes after its last note
  says nothing. What is not a curve is left out: see CURVES.
* The sequences of a type 2 file follow one another, each with its own tempo map, programs and controllers.
* Names and texts are in one of several encodings: see `text_of`. Texts are those that stand before a track's first note
  or control.
"""

import io
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.files import text_of, write_whole
from serenity.midi_container import unwrapped
from serenity.music.chunks import (
    CHANNELS,
    CONTROL_CHANGE,
    DRUM_CHANNEL,
    META,
    NOTE_OFF,
    NOTE_ON,
    PEDAL,
    PEDAL_DOWN,
    PORT,
    PROGRAM_CHANGE,
    TEMPO,
    TEXT,
    TIME_SIGNATURE,
    TRACK_NAME,
    Chunks,
    Message,
    messages,
    split,
)
from serenity.music.note import note_table, sort_notes
from serenity.music.tempo_map import (
    DEFAULT_QUARTER,
    METRE,
    STRAIGHT,
    TempoMap,
)
from serenity.music.tempo_map import TEMPO as TEMPO_ROW

# What no honest file reaches, so that a broken one ends with a line instead of filling the memory.
LARGEST_FILE = 8 * 2**20  # bytes; the longest piano performances take about a twentieth
LONGEST_SONG = 24 * 3600.0  # seconds
LATEST = 2**50  # ticks; far beyond any song, and far below where 64 bits end
MOST_NOTES = 250_000  # the longest piano performances have about a fifth

LONGEST_QUARTER = 2**24 - 1  # microseconds; a tempo has three bytes

LONGEST_SUSTAIN = 8.0  # seconds; a piano string in the middle has faded by then, however long the pedal is held

EXPRESSION = 11  # controller number: how loud, as a share of the channel's volume
BANK = (0, 32)  # controller numbers: bank select, which belongs to a program change
# Controller numbers that make curves. Not bank select, nor parameters and their data (6, 38, 96 to 101), nor channel
# modes (120 and above); the pedal has its own place.
CURVES = tuple(sorted({*range(120)} - {*BANK, 6, 38, PEDAL, *range(96, 102)}))
NOTATED = "bars as notated"  # a text that says so of a file's metres; Serenity writes it into what it makes of scores

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
    channel: int | None = None  # of the file it was read from, counted from 0, 16 for each port; None: of none
    chunk: int | None = None    # of that file: which of its track chunks, counted from 0
    bank: tuple[tuple[int, int], ...] = ()  # (controller, value) that say of which bank the program is; none said: ()


@dataclass(frozen=True, eq=False)
class Score:
    """What a MIDI file holds."""

    tracks: tuple[Track, ...]
    tempo_map: TempoMap  # the file's own, from 0 s on
    texts: tuple[str, ...] = ()
    chunks: Chunks | None = None  # of the file, where there is one: all of it, byte for byte


# --- read ---------------------------------------------------------------------------------------------------------

def read(path: str | os.PathLike) -> Score:
    """Read a MIDI file; InputError, with one line that begins with the path, where it cannot be used."""
    try:
        score = parse(read_bytes(Path(path)))
        if not any(len(track.notes) for track in score.tracks):
            raise InputError("holds no note; wanted a MIDI file with notes")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return score


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a song's file, unwrapped. Raises InputError where there is no such file, or a huge one."""
    if not path.exists():
        raise InputError("no such file; wanted a MIDI file or a score")
    if path.is_dir():
        raise InputError("is a folder; wanted a MIDI file or a score")
    if not path.is_file():  # a device or a pipe may never end
        raise InputError("is not a regular file; wanted a MIDI file or a score")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise InputError(f"holds {size:,} bytes; wanted a MIDI file of at most {LARGEST_FILE:,}")
    try:
        return unwrapped(path.read_bytes(), LARGEST_FILE)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); wanted a MIDI file") from None


# --- events -> notes in ticks ---------------------------------------------------------------------------------------

@dataclass(frozen=True)
class _Heard:
    """What the events of one track chunk say. Rows of numbers, times in ticks from the start of the file."""

    chunk: int  # its number, from 0
    name: str
    end: int
    notes: np.ndarray  # (note, 6): place among the track's events, onset, end, pitch, velocity, channel
    controls: np.ndarray  # (control, 4): channel, time, number, value
    programs: np.ndarray  # (change, 4): place among the track's events, channel, time, program
    tempos: np.ndarray  # (change, 2): time, microseconds a quarter note
    signatures: np.ndarray  # (signature, 3): time, numerator, denominator
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """The notes that one track chunk has on one channel in one program, and the channel's controls, in ticks."""

    chunk: int
    name: str
    program: int
    channel: int  # counted from 0, 16 for each port
    notes: np.ndarray  # (note, 4): onset, end, pitch, velocity
    controls: np.ndarray  # (control, 3): time, number, value; of the whole channel, in order


def parse(data: bytes) -> Score:
    """Return what the bytes of a plain MIDI file hold. Raises InputError where they are none, or damaged."""
    file = split(data)
    heard, start = [], 0
    for number, body in enumerate(file.tracks):
        heard.append(_hear(number, messages(body, number + 1), start, file.is_sequences))
        start = heard[-1].end if file.is_sequences else 0
    if sum(len(track.notes) for track in heard) > MOST_NOTES:
        raise InputError(f"holds more than {MOST_NOTES:,} notes")
    together = [[track] for track in heard] if file.is_sequences else [heard]
    parts = [part for tracks in together for part in _parts(tracks)]
    tempos = _in_time(np.concatenate([track.tempos for track in heard]))
    signatures = _in_time(np.concatenate([track.signatures for track in heard]))
    return _score(file, parts, tempos, signatures, [text for track in heard for text in track.texts])


def _hear(chunk: int, track: Iterable[Message], start: int, is_sequence: bool) -> _Heard:
    """Return what the messages of one track say; it begins at the tick `start`. A data byte above 127 counts as 127."""
    name, port, end, is_head, texts = "", 0, start, True, []
    sounding = defaultdict(deque)  # (channel, pitch) -> rows of `notes` that have not ended, oldest first
    notes, controls, programs, signatures = [], [], [], []
    tempos = [(start, DEFAULT_QUARTER)] if is_sequence else []
    for place, message in enumerate(track):
        now = end = start + message.tick
        status, content = message.status, message.content
        kind, channel = status & 0xF0, status % CHANNELS + CHANNELS * port
        is_head = is_head and status == META
        if now > LATEST:
            raise InputError(f"is damaged: its pauses add up to {now:,} ticks; wanted at most {LATEST:,}")
        if kind == NOTE_ON and content[1] > 0:
            row = [place, now, now, min(content[0], 127), min(content[1], 127), channel]
            notes.append(row)
            sounding[channel, row[3]].append(row)
        elif kind in (NOTE_ON, NOTE_OFF):
            if queue := sounding[channel, min(content[0], 127)]:
                queue.popleft()[2] = now
        elif kind == CONTROL_CHANGE:
            controls.append((channel, now, min(content[0], 127), min(content[1], 127)))
        elif kind == PROGRAM_CHANGE:
            programs.append((place, channel, now, min(content[0], 127)))
        elif message.is_meta(TRACK_NAME):
            name = text_of(content[1:])
        elif message.is_meta(PORT) and len(content) == 2:
            port = content[1]
        elif message.is_meta(TEMPO) and len(content) >= 4:
            tempos.append((now, int.from_bytes(content[1:4])))
        elif message.is_meta(TIME_SIGNATURE) and len(content) >= 3:
            signatures.append((now, content[1], 2 ** min(content[2], 15)))
        elif message.is_meta(TEXT) and is_head:
            texts.append(text_of(content[1:]))
    for row in (row for queue in sounding.values() for row in queue):
        row[2] = end
    return _Heard(chunk, name, end, _rows(notes, 6), _rows(controls, 4), _rows(programs, 4), _rows(tempos, 2),
                  _rows(signatures, 3), tuple(texts))


def _parts(tracks: Sequence[_Heard]) -> Iterator[_Part]:
    """Yield the parts of tracks that sound together: each channel's program and controls are those of all of them."""
    controls = _in_time(np.concatenate([track.controls for track in tracks]), column=1)
    for number, track in enumerate(tracks):
        programs = np.zeros(len(track.notes), np.int64)
        others = np.concatenate([np.empty((0, 4), np.int64), *(other.programs for place, other in enumerate(tracks)
                                                               if place != number)])
        for channel in np.unique(track.notes[:, 5]):
            mine = track.notes[:, 5] == channel
            programs[mine] = _programs(track.notes[mine], track.programs[track.programs[:, 1] == channel],
                                       _in_time(others[others[:, 1] == channel], column=2))
        for channel, program in np.unique(np.stack([track.notes[:, 5], programs], axis=1), axis=0).tolist():
            chosen = (track.notes[:, 5] == channel) & (programs == program)
            yield _Part(track.chunk, track.name, program, channel, track.notes[chosen, 1:5],
                        controls[controls[:, 0] == channel, 1:])


def _programs(notes: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the program of each note of one channel, by the changes in its own track and in others, as in _Heard.

    The latest holds; of several at one tick that of the note's own track. Other tracks have no order within a tick.
    """
    before = np.full((1, 4), -1)
    before[0, 3] = 0  # the program before any change
    own, others = np.concatenate([before, own]), np.concatenate([before, others])
    mine = own[np.searchsorted(own[:, 0], notes[:, 0]) - 1]
    foreign = others[np.searchsorted(others[:, 2], notes[:, 1], side="right") - 1]
    return np.where(mine[:, 2] >= foreign[:, 2], mine[:, 3], foreign[:, 3])


def _in_time(rows: np.ndarray, column: int = 0) -> np.ndarray:
    """Return the rows in order of their time; those of one time stay in the order given."""
    return rows[np.argsort(rows[:, column], kind="stable")]


def _rows(rows: list, width: int) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, width)


# --- ticks -> seconds -----------------------------------------------------------------------------------------------

def _score(file: Chunks, parts: Iterable[_Part], tempos: np.ndarray, signatures: np.ndarray,
           texts: Iterable[str]) -> Score:
    """Build the score; tempos (change, 2) and signatures (change, 3) begin with a tick and are in order."""
    if not file.is_time_code:
        ticks_per_quarter = file.division
        tempos = _tempo_table(tempos, ticks_per_quarter)
    else:  # a tick is a part of a second; at MIDI's default tempo half as many make a quarter note
        ticks_per_second = _ticks_per_second(file.division)
        ticks_per_quarter = max(round(ticks_per_second * DEFAULT_QUARTER / 1e6), 1)
        tempos = _table(TEMPO_ROW, np.zeros(1), np.full(1, 1e6 * ticks_per_quarter / ticks_per_second))
    signatures = signatures[(signatures[:, 1] > 0) & (signatures[:, 2] > 0) & (signatures[:, 2] <= 128)]
    signatures = signatures[_last_of_each(signatures[:, 0])]
    metres = _table(METRE, signatures[:, 0] / ticks_per_quarter, *signatures[:, 1:].T)
    texts = list(texts)
    clock = TempoMap(tempos, metres, ticks_per_quarter, is_notated=NOTATED in texts)
    tracks = tuple(track for part in parts if len((track := _track(part, clock)).notes))
    return Score(tracks, clock, tuple(text for text in texts if text != NOTATED), file)


def _ticks_per_second(division: int) -> float:
    """Return the ticks of time code."""
    frames, ticks = 256 - (division >> 8), division & 0xFF
    return ticks * (30_000 / 1001 if frames == 29 else frames)  # "29" stands for 30 drop frame


def _tempo_table(changes: np.ndarray, ticks_per_quarter: int) -> np.ndarray:
    """Return the TEMPO table of changes (tick, microseconds) in order; MIDI's default holds before the first."""
    lasts = changes[:, 1] > 0  # a quarter note of 0 microseconds stops no clock
    tick, quarter = np.append(0, changes[lasts, 0]), np.append(DEFAULT_QUARTER, changes[lasts, 1])
    keep = _last_of_each(tick)
    return _table(TEMPO_ROW, tick[keep] / ticks_per_quarter, quarter[keep])


def _track(part: _Part, clock: TempoMap) -> Track:
    onset, end, pitch, velocity = part.notes.T
    end = np.minimum(np.maximum(end, onset + 1), next_strike(onset, pitch))
    onset, end = clock.seconds_of_ticks(onset), clock.seconds_of_ticks(end)
    last = end.max(initial=0.0)
    if last > LONGEST_SONG:
        raise InputError(f"lasts {last / 3600:,.0f} hours; wanted at most {LONGEST_SONG / 3600:.0f}")
    notes = note_table(onset, end - onset, pitch, velocity)
    time, number, value = part.controls.T
    controls = _table(CONTROL, clock.seconds_of_ticks(time), number, value)
    moves = controls[controls["number"] == PEDAL]
    pedals = _pedals(moves["time"], moves["value"] >= PEDAL_DOWN, last)
    curves = controls[np.isin(controls["number"], CURVES) & (controls["time"] <= last)]
    is_drum = part.channel % CHANNELS == DRUM_CHANNEL
    return Track(part.name, part.program, is_drum, notes, pedals, curves, part.channel, part.chunk, _bank(part))


def _bank(part: _Part) -> tuple[tuple[int, int], ...]:
    """Return the bank select that stands when the part's first note is struck."""
    before = part.controls[part.controls[:, 0] <= part.notes[:, 0].min(initial=0)]
    said = {number: value for _, number, value in before.tolist() if number in BANK}
    return tuple((number, said[number]) for number in BANK if number in said)


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

    Arguments are as in `Score`. Times are rounded to ticks, tempos to microseconds; swing is not in a file's map.
    What the format cannot hold is mended: a note has at least one tick, it ends where its key is struck again, and
    notes of one pitch at one tick become one, as long as the longest and as loud as the loudest.
    """
    write_whole(path, to_bytes(tracks, tempo_map, texts))


def to_bytes(tracks: Iterable[Track], tempo_map: TempoMap = TempoMap(), texts: Iterable[str] = (),
             keys: Iterable[tuple[float, str]] = ()) -> bytes:
    """Return the bytes of a MIDI file; the inverse of `parse`. Arguments as in `write`.

    `keys`: (quarter, name such as "Ebm") of key signatures.
    """
    import mido

    clock = written_map(tempo_map)
    ticks_per_quarter = clock.ticks_per_quarter
    texts = [*[NOTATED] * clock.is_notated, *texts]
    conductor = [(0, mido.MetaMessage("text", text=_writable(text))) for text in texts]
    for start, quarter in clock.tempos.tolist():
        conductor.append((round(start * ticks_per_quarter), mido.MetaMessage("set_tempo", tempo=int(quarter))))
    for start, *signature in clock.metres.tolist():
        conductor.append((round(start * ticks_per_quarter), mido.MetaMessage(
            "time_signature", numerator=signature[0], denominator=signature[1])))
    for start, name in keys:
        conductor.append((round(start * ticks_per_quarter), mido.MetaMessage("key_signature", key=name)))
    conductor.sort(key=lambda event: event[0])

    file = mido.MidiFile(type=1, ticks_per_beat=ticks_per_quarter, charset="utf-8")
    file.tracks.append(_with_deltas(conductor))
    tracks = tuple(tracks)
    for track, (port, channel) in zip(tracks, _channels(tracks)):
        head = [mido.MetaMessage("midi_port", port=port)] if port else []
        head += [mido.MetaMessage("track_name", name=_writable(track.name))] if track.name else []
        head += [mido.Message("control_change", channel=channel, control=number, value=value)
                 for number, value in track.bank]
        head.append(mido.Message("program_change", channel=channel, program=track.program))
        events = [(0, message) for message in head] + track_events(track, channel, clock)
        file.tracks.append(_with_deltas(events))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _channels(tracks: Iterable[Track]) -> Iterator[tuple[int, int]]:
    """Yield port and channel of each track: no two tracks share one, since pedal and program would be shared too."""
    pitched, drums = 0, 0
    for track in tracks:
        if track.is_drum:
            yield drums, DRUM_CHANNEL
            drums += 1
        else:
            port, channel = divmod(pitched, 15)
            yield port, channel + (channel >= DRUM_CHANNEL)
            pitched += 1


def written_map(tempo_map: TempoMap) -> TempoMap:
    """Return a map as a file can hold it: changes on whole ticks, whole microseconds.

    What rounding takes off one quarter is given to the next tempo, so that it does not add up.
    """
    starts = np.rint(tempo_map.tempos["start"] * tempo_map.ticks_per_quarter) / tempo_map.ticks_per_quarter
    lengths, owed = [], 0.0
    for span, length in zip(np.append(np.diff(starts), np.inf).tolist(), tempo_map.tempos["length"].tolist()):
        wanted = length + (owed / span if span else 0.0)
        lengths.append(min(max(round(wanted), 1), LONGEST_QUARTER))
        owed = (wanted - lengths[-1]) * span if 0 < span < np.inf else owed
    return replace(tempo_map, tempos=_table(TEMPO_ROW, starts, np.array(lengths)), start=0.0, swing=STRAIGHT)


def track_events(track: Track, channel: int, clock: TempoMap) -> list:
    """Return (tick, mido's message) of a track's notes, pedals and controls, in order: at one tick what ends stands
    before what begins. `clock` has whole ticks, as written_map gives it.
    """
    from mido import Message

    events = []
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
