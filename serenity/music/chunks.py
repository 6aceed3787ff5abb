"""MIDI files as bytes: their chunks, the messages in them, and how a part of a file is cut out byte for byte.

Notes, pedals and curves (midi_file.py) are what Serenity understands of a file; its chunks are all of it. So a seed
goes into a song as chunks: nothing that a program wrote into them is lost or changed.

Messages are told apart as players do it: running status also holds after SysEx and meta events. The specification
forbids that, but some programs write it. Bytes after a track's end are not messages.

Source of the format: The Complete MIDI 1.0 Detailed Specification, Standard MIDI Files 1.0 (RP-001).
"""

import math
import struct
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from serenity.errors import InputError
from serenity.midi_container import MAGIC, beginning

MOST_TRACKS = 2**15 - 1  # of a file; some readers take the number for a signed one
LONGEST_PAUSE = 2**28 - 1  # ticks from one message to the next
LONGEST_NUMBER = 16  # bytes
CHANNELS, DRUM_CHANNEL = 16, 9  # counted from 0
PEDAL, _SOSTENUTO = 64, 66  # controller numbers
PEDAL_DOWN = 64  # controller value from which on the pedal is down

NOTE_OFF, NOTE_ON, CONTROL_CHANGE, PROGRAM_CHANGE = 0x80, 0x90, 0xB0, 0xC0
_POLY_PRESSURE, _PRESSURE, _BEND = 0xA0, 0xD0, 0xE0
SYSEX, _SYSEX_GOES_ON, META = 0xF0, 0xF7, 0xFF
TEXT, TRACK_NAME, PORT, END_OF_TRACK, TEMPO, TIME_SIGNATURE = 0x01, 0x03, 0x21, 0x2F, 0x51, 0x58  # kinds of meta events
_KEY_SIGNATURE = 0x59
_TEXTS = range(0x01, 0x10)
_SIZES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # data bytes of channel messages
# Of the others. Those that are left out here mean nothing, and nobody knows where they end.
_SYSTEM_SIZES = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}

# Controllers each of whose values replaces the one before. The others are read together with their neighbours.
_ALONE = {*range(120)} - {0, 6, 32, 38, *range(96, 102)}


@dataclass(frozen=True)
class Chunks:
    """What a MIDI file consists of."""

    division: int              # ticks a quarter note, or time code, as in the header: 16 bits
    tracks: tuple[bytes, ...]  # the content of each track chunk
    others: tuple[bytes, ...] = ()  # whole chunks of other kinds
    is_sequences: bool = False  # type 2: the tracks follow one another

    @property
    def is_time_code(self) -> bool:
        """Whether ticks are parts of a second, so that tempos mean nothing."""
        return self.division >= 0x8000


class Message(NamedTuple):
    """One message of a track."""

    tick: int       # from the track's beginning
    status: int     # first byte: kind and channel
    content: bytes  # what follows it; of a meta event its kind, then its content
    written: bytes  # the message as it stands in the file: its status may be missing
    pause: bytes = b""  # the ticks since the message before, as they stand in the file

    @property
    def kind(self) -> int:
        """The status without its channel."""
        return self.status & 0xF0 if self.status < SYSEX else self.status

    @property
    def key(self) -> tuple[int, int]:
        """Channel, from 0, and first data byte: of a note its pitch, of a control its number."""
        return self.status & 0x0F, self.content[0]

    @property
    def is_strike(self) -> bool:
        """Whether a note begins here."""
        return self.kind == NOTE_ON and self.content[1] > 0

    @property
    def is_release(self) -> bool:
        """Whether a note ends here."""
        return self.kind == NOTE_OFF or self.kind == NOTE_ON and self.content[1] == 0

    def is_meta(self, kind: int) -> bool:
        """Return whether this is a meta event of a kind."""
        return self.status == META and self.content[0] == kind


# --- file <-> chunks --------------------------------------------------------------------------------------------------

def split(data: bytes) -> Chunks:
    """Return the chunks of a MIDI file; InputError where it is none, or is cut off.

    All tracks are taken, even if the header promises more or fewer. What follows the last chunk is left out.
    """
    if not data:
        raise InputError("is empty (0 bytes); wanted a MIDI file")
    if data[:4] != MAGIC:
        raise InputError(f"is not a MIDI file: begins with {beginning(data)}; a MIDI file begins with 'MThd'")
    if len(data) < 14:
        raise InputError(f"is cut off: {len(data)} bytes; the header of a MIDI file takes 14")
    size, kind, promised, division = struct.unpack_from(">LHHH", data, 4)
    if division == 0:
        raise InputError("counts 0 ticks a quarter note; wanted 1 or more")
    if division >= 0x8000 and not division & 0xFF:
        raise InputError("counts 0 ticks a frame; wanted 1 or more")
    tracks, others, start = [], [], 8 + size
    while start + 8 <= len(data):
        name, size = struct.unpack_from(">4sL", data, start)
        body = data[start + 8:start + 8 + size]
        if name == b"MTrk":
            if len(body) < size:
                raise InputError(f"is cut off: track {len(tracks) + 1} of {promised} promises {size:,} bytes, "
                                 f"{len(body):,} are there")
            tracks.append(body)
        elif not (name.isascii() and name.decode().isprintable()):
            break  # no chunk: what some programs leave after the last track
        elif len(body) == size:
            others.append(data[start:start + 8 + size])
        start += 8 + size
    if not tracks:
        raise InputError(f"is cut off: the header promises {promised} tracks, none is there")
    return Chunks(division, tuple(tracks), tuple(others), kind == 2 and len(tracks) > 1)


def join(chunks: Chunks) -> bytes:
    """Return the MIDI file of chunks. The inverse of split, except for the header: type 0 becomes type 1, and the
    number of tracks is right. Chunks of other kinds stand behind the tracks, where no reader stumbles over them.
    """
    if len(chunks.tracks) > MOST_TRACKS:
        raise InputError(f"has {len(chunks.tracks):,} tracks; wanted at most {MOST_TRACKS:,}")
    kind = 2 if chunks.is_sequences else 1
    tracks = (b"MTrk" + struct.pack(">L", len(body)) + body for body in chunks.tracks)
    return MAGIC + struct.pack(">LHHH", 6, kind, len(chunks.tracks), chunks.division) + b"".join(
        (*tracks, *chunks.others))


def with_track(chunks: Chunks, body: bytes) -> Chunks:
    """Return the chunks and one track more, the last."""
    return replace(chunks, tracks=(*chunks.tracks, body))


def without_track(chunks: Chunks, number: int) -> Chunks:
    """Return the chunks without the track `number`, from 0. The inverse of with_track for the last."""
    tracks = chunks.tracks[:number] + chunks.tracks[number + 1:]
    return replace(chunks, tracks=tracks, is_sequences=chunks.is_sequences and len(tracks) > 1)


# --- track <-> messages -----------------------------------------------------------------------------------------------

def messages(body: bytes, number: int | None = None) -> Iterator[Message]:
    """Yield the messages of a track up to its end, or up to where the bytes are no messages any more.

    If the track's `number` is given, such bytes raise an InputError, which names it.
    """
    at = tick = running = 0
    while at < len(body):
        try:
            message, at = _message_at(body, at, tick, running)
        except IndexError:  # the body ends inside of a message, or there is none
            if number is None:
                return
            raise InputError(f"is damaged: track {number} is not a sequence of MIDI messages from its byte {at:,} of "
                             f"{len(body):,} on") from None
        yield message
        if message.is_meta(END_OF_TRACK):
            return
        tick, running = message.tick, message.status if message.status < SYSEX else running


def _message_at(body: bytes, at: int, tick: int, running: int) -> tuple[Message, int]:
    ticks, begin = variable_length(body, at)
    status, first = (body[begin], begin + 1) if body[begin] >= 0x80 else (running, begin)
    if status == META:
        size, data = variable_length(body, first + 1)
        end, content = data + size, body[first:first + 1] + body[data:data + size]
    elif status in (SYSEX, _SYSEX_GOES_ON):
        size, data = variable_length(body, first)
        end, content = data + size, body[data:data + size]
    else:
        sizes, kind = (_SYSTEM_SIZES, status) if status > SYSEX else (_SIZES, status & 0xF0)
        end = first + sizes.get(kind, len(body))
        content = body[first:end]
    if end > len(body):
        raise IndexError(end)
    return Message(tick + ticks, status, content, body[begin:end], body[at:begin]), end


def body_of(events: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the track of (tick, message) in order, each message with its status, and its end behind the last."""
    parts, now = [], 0
    for tick, message in events:
        parts += [_pause(tick - now), message]
        now = tick
    return b"".join((*parts, b"\0", meta(END_OF_TRACK, b"")))


def _pause(ticks: int) -> bytes:
    """Return the time before a message; a time that is too long for the format is divided by empty texts."""
    parts, rest = divmod(ticks, LONGEST_PAUSE)
    return (written_length(LONGEST_PAUSE) + meta(TEXT, b"")) * parts + written_length(rest)


def meta(kind: int, content: bytes) -> bytes:
    """Return a meta event."""
    return bytes([META, kind]) + written_length(len(content)) + content


def variable_length(body: bytes, at: int) -> tuple[int, int]:
    """Return the number of variable length that stands at a place, and the place behind it. Raises IndexError.

    The format allows 4 bytes. More are read, but not so many that it would take minutes.
    """
    value = 0
    for place in range(at, at + LONGEST_NUMBER):
        byte = body[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise IndexError(at)


def written_length(number: int) -> bytes:
    """Return a number of variable length as bytes. The inverse of variable_length."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))


# --- what stands in a file --------------------------------------------------------------------------------------------

def texts(body: bytes) -> Iterator[bytes]:
    """Yield the texts that stand at the head of a track, before its first message of another kind than meta."""
    for message in messages(body):
        if message.status != META:
            return
        if message.is_meta(TEXT):
            yield message.content[1:]


def free_channel(chunks: Chunks) -> tuple[int, int, bool]:
    """Return port and channel, from 0, on which a new track disturbs none of the others, and whether something has been
    set there: many files set up all sixteen channels, and may leave those without notes silent or bent.

    It is a channel of port 0 that nothing uses, or else one without notes, or else one on a port of its own. It is
    never the channel of the drums.
    """
    spoken, struck, ports = set(), set(), {0}
    for body in chunks.tracks:
        port = 0
        for message in messages(body):
            if message.is_meta(PORT) and len(message.content) == 2:
                port = message.content[1]
                ports.add(port)
            elif message.status < SYSEX and port == 0:
                (struck if message.is_strike else spoken).add(message.status & 0x0F)
    channels = [channel for channel in range(CHANNELS) if channel != DRUM_CHANNEL]
    for taken in (spoken | struck, struck):
        if free := [channel for channel in channels if channel not in taken]:
            return 0, free[0], free[0] in spoken
    return min(set(range(1, 128)) - ports, default=127), 0, False


def left_open(chunks: Chunks) -> list[bytes]:
    """Return the messages that end the notes which nothing in a file ends, and the pedals of channels with notes. Only
    the first port counts. In files whose tracks follow one another (type 2) nothing is ended.
    """
    if chunks.is_sequences:
        return []
    found = sorted((message for body in chunks.tracks for message in _on_first_port(body)), key=lambda each: each.tick)
    sounding, down = Counter(), {}
    for message in found:
        if message.is_strike or message.is_release:
            sounding[message.key] = max(sounding[message.key] + (1 if message.is_strike else -1), 0)
        elif message.kind == CONTROL_CHANGE and message.content[0] in (PEDAL, _SOSTENUTO):
            down[message.key] = message.content[1] >= PEDAL_DOWN
    played = {channel for channel, _ in sounding}
    return [*(bytes([NOTE_OFF | channel, pitch, 64]) for (channel, pitch), count in sorted(sounding.items()) if count),
            *(bytes([CONTROL_CHANGE | channel, pedal, 0]) for (channel, pedal), is_down in sorted(down.items())
              if is_down and channel in played)]


def _on_first_port(body: bytes) -> Iterator[Message]:
    """Yield a track's messages to channels, as long as it speaks to port 0."""
    port = 0
    for message in messages(body):
        if message.is_meta(PORT) and len(message.content) == 2:
            port = message.content[1]
        elif message.status < SYSEX and port == 0:
            yield message


def ends(chunks: Chunks) -> list[int]:
    """Return the tick at which each track ends, counted from its own beginning."""
    return [max((message.tick for message in messages(body)), default=0) for body in chunks.tracks]


# --- a part -----------------------------------------------------------------------------------------------------------

def cut(chunks: Chunks, begin: int, start: int, end: int | None) -> Chunks:
    """Return the part of a file whose notes are struck from tick `start` up to `end`, None for all that follow.

    Tick `begin`, not after `start`, becomes 0. Messages from there up to `end` stay, byte for byte, but for notes
    struck before `start`. What was set before `begin` (tempo, program, controllers, SysEx ...) holds from it on. A note
    lasts as long as it did, a pedal that is down at `end` comes up where it did; nothing else of what follows stays.
    """
    if not chunks.is_sequences:
        return replace(chunks, tracks=tuple(_cut_track(body, begin, start, end) for body in chunks.tracks))
    tracks, offset = [], 0
    for body, length in zip(chunks.tracks, ends(chunks)):
        last = None if end is None else end - offset
        if begin < offset + length and (last is None or last > 0):  # else it lies outside
            tracks.append(_cut_track(body, *(max(tick - offset, 0) for tick in (begin, start)), last))
        offset += length
    return replace(chunks, tracks=tuple(tracks), is_sequences=len(tracks) > 1)


def _cut_track(body: bytes, begin: int, start: int, end: int | None) -> bytes:
    before, rows, open_ones, until = [], [], _Open(), math.inf if end is None else end
    for place, message in enumerate(messages(body)):
        if message.is_meta(END_OF_TRACK):
            if end is None:
                rows.append((place, message))
        elif message.is_strike or message.is_release:
            rows += [(place, each) for each in open_ones.note(message, start <= message.tick < until)]
        elif message.tick >= until:
            rows += [(place, each) for each in open_ones.pedal_up(message)]
        else:
            open_ones.control(message)
            (before if message.tick < begin else rows).append((place, message))
    if end is not None:
        tick = max([end, *(message.tick for _, message in rows[-1:])])
        rows += [(None, each) for each in open_ones.close(tick)]
    return _assembled([(place, message._replace(tick=begin)) for place, message in _set_before(before)] + rows, begin)


class _Open:
    """Which notes and pedals of what is kept are still open."""

    def __init__(self):
        self.sounding = defaultdict(deque)  # (channel, pitch) -> whether each note is kept, oldest first
        self.down = set()                   # channels

    def note(self, message: Message, is_inside: bool) -> list[Message]:
        """Return what is kept of a note's beginning or end."""
        queue = self.sounding[message.key]
        if message.is_release:
            return [message] if (queue.popleft() if queue else is_inside) else []
        # A key that is struck again ends its note; where that strike is left out, the end is not.
        ended = [] if is_inside else [_release(message.key, message.tick) for is_kept in queue if is_kept]
        if ended:
            self.sounding[message.key] = queue = deque([False] * len(queue))
        queue.append(is_inside)
        return [message] if is_inside else ended

    def control(self, message: Message) -> None:
        """Follow the pedals."""
        if message.kind == CONTROL_CHANGE and message.content[0] == PEDAL:
            (self.down.add if message.content[1] >= PEDAL_DOWN else self.down.discard)(message.status & 0x0F)

    def pedal_up(self, message: Message) -> list[Message]:
        """Return a message behind the end where it lets go a pedal that is down."""
        before = len(self.down)
        if message.kind == CONTROL_CHANGE and message.content[0] == PEDAL and message.content[1] < PEDAL_DOWN:
            self.control(message)
        return [message] if len(self.down) < before else []

    def close(self, tick: int) -> list[Message]:
        """Return the messages that end what is still open."""
        held = [key for key, queue in self.sounding.items() for is_kept in queue if is_kept]
        pedals = [_message(tick, CONTROL_CHANGE | channel, bytes([PEDAL, 0])) for channel in sorted(self.down)]
        return [_release(key, tick) for key in held] + pedals


def _release(key: tuple[int, int], tick: int) -> Message:
    return _message(tick, NOTE_OFF | key[0], bytes([key[1], 64]))


def _message(tick: int, status: int, content: bytes) -> Message:
    return Message(tick, status, content, bytes([status]) + content)


def _set_before(rows: list[tuple[int, Message]]) -> list[tuple[int, Message]]:
    """Return what of the messages before a part still holds in it, in order."""
    kept, seen = [], set()
    for place, message in reversed(rows):
        is_timed_text = message.status == META and message.content[0] in _TEXTS and message.tick > 0
        if message.kind == _POLY_PRESSURE or is_timed_text and not message.is_meta(TRACK_NAME):
            continue
        sets = None  # what the message sets, where a later one replaces it
        if message.kind == CONTROL_CHANGE and message.content[0] in _ALONE:
            sets = message.key
        elif message.kind in (_PRESSURE, _BEND):
            sets = message.status
        elif message.status == META and message.content[0] in (TEMPO, TIME_SIGNATURE, _KEY_SIGNATURE):
            sets = -message.content[0]
        if sets is None or sets not in seen:
            kept.append((place, message))
            seen.add(sets)
    return kept[::-1]


def _assembled(rows: list[tuple[int | None, Message]], begin: int) -> bytes:
    """Return the track of messages, each with its place among those of the file.

    Status and pause stay as they were written where they still mean the same.
    """
    parts, running, last, now = [], 0, None, begin
    for place, message in rows:
        follows = place is not None and last is not None and place == last + 1
        stays_bare = message.status == running and follows or message.written[0] >= 0x80
        is_pause = message.pause and variable_length(message.pause, 0)[0] == message.tick - now
        parts += [message.pause if is_pause else _pause(message.tick - now),
                  b"" if stays_bare else bytes([message.status]), message.written]
        running = message.status if message.status < SYSEX else running
        last, now = place, message.tick
    if not (rows and rows[-1][1].is_meta(END_OF_TRACK)):
        parts += [b"\0", meta(END_OF_TRACK, b"")]
    return b"".join(parts)
