"""Scores in notation as MIDI: bars, repeats, ties, dynamics and chord symbols as they are played.

* Bars stand where the score has them: a pickup is a bar of its own length, and so is any bar that is shorter or longer
  than its metre; the two halves of a bar that a repeat sign cuts are one bar. The file says that its bars are notated.
* Repeats, endings, da capo and dal segno are played (staff.py); ties are one note.
* Dynamics are velocities, hairpins lead from one to the next, an accent is louder, a staccato half as long. A grace
  note is short and comes before the beat; a single one without a slash is an appoggiatura, half as long as its note.
* The parts of singers are played on the piano, as all parts whose instrument is not said; the staves of one part are
  one track. Chord symbols over a melody are played, too (chord_symbols.py), as a track of their own; where more than
  the melody is written, they only name what is there.

Left out are words, ornaments, arpeggio signs, fermatas and what is written of the tempo without a number.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np

from serenity.errors import InputError
from serenity.music import chord_symbols, midi_file, musicxml, tune
from serenity.music.chord_symbols import Symbol
from serenity.music.note import note_table
from serenity.music.staff import Bar, Staff, playing_order
from serenity.music.tempo_map import DEFAULT_QUARTER, TempoMap, metres, tempos
from serenity.notation import ABC, KERN, MUSICXML, Sheet

MELODY, CHORDS = "Melody", "Chords"  # names of a lead sheet's tracks
LONGEST = 60.0  # seconds of the processor that music21 may take for one score, however busy the machine is
PATIENCE = 900.0  # seconds of the clock; a process that takes longer is taken to hang
MOST_MEMORY = 4 * 2**30  # bytes; it takes a tenth for a long song

LEVELS = {"pppp": 16, "ppp": 24, "pp": 36, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 120, "ffff": 126}
USUAL_LEVEL, CHORD_LEVEL = LEVELS["mf"], LEVELS["mp"]
ACCENT = 16  # velocity that an accent, or sfz, adds; and that a hairpin changes where no dynamic follows
SUDDEN = ("sf", "sfz", "fz", "rf", "rfz", "sffz", "fp", "sfp")
NEAR = Fraction(1, 64)  # quarter; a bar that differs by less from its metre is a whole one
INSTANT = 1e-6          # quarter; so long before it a sudden change begins
MOST_BEATS = 64         # numerator of a metre

Row = tuple[Fraction, Fraction, int, int]  # onset and length in quarters, pitch, velocity


def to_midi(sheet: Sheet) -> bytes:
    """Return a piece of notation as the bytes of a MIDI file.

    Takes from tenths of seconds to minutes, so programs ask a `Reader`. Raises InputError where the score cannot be
    read or holds no note.
    """
    with _silence():
        try:
            return played(_READERS[sheet.form](sheet.text))
        except InputError:
            raise
        except Exception as error:  # music21 raises all kinds on scores that it does not understand
            said = " ".join(str(error).split())[:200]
            raise InputError(f"cannot be read: {type(error).__name__}: {said}") from None


_READERS: dict[str, Callable[[str], list[Staff]]] = {
    ABC: tune.staves_of, MUSICXML: musicxml.staves_of, KERN: partial(musicxml.staves_of, form="humdrum")}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def played(staves: list[Staff]) -> bytes:
    """Return the MIDI file of what staves say. Raises InputError where they say no note."""
    bars = _bars(staves)
    line = _line(playing_order(_signs(staves, len(bars))), bars)
    parts = [part for part in _parts(staves, line) if part.rows]
    if not parts:
        raise InputError("holds no note; wanted a score with notes")
    clock = TempoMap(_tempos(staves, line), metres(*_metres(bars, line)), is_notated=True)
    symbols = _symbols(staves, line)
    if symbols and len(parts) == 1:
        parts = [Part(MELODY, 0, parts[0].rows), Part(CHORDS, 0, _chord_rows(symbols, parts[0].rows, line.end))]
    return midi_file.to_bytes([part.track(clock) for part in parts if part.rows], clock, keys=_keys(staves, line))


@dataclass
class Part:
    """What is played of one part."""

    name: str
    program: int
    rows: list[Row]

    def track(self, clock: TempoMap) -> midi_file.Track:
        """Return the part in seconds."""
        onset, length, pitch, velocity = (np.array(column, float) for column in zip(*self.rows, strict=True))
        start = clock.seconds(onset)
        return midi_file.Track(self.name, self.program, False,
                               note_table(start, clock.seconds(onset + length) - start, pitch, velocity))


@dataclass(frozen=True)
class Line:
    """Where the written bars are played. A bar's number counts what is written, a place what is played."""

    order: list[int]        # the number of the bar at each place
    starts: list[Fraction]  # quarters at which each place begins
    end: Fraction           # quarters at which the music ends

    def played(self, number: int) -> Iterator[Fraction]:
        """Yield the quarters at which a written bar begins, each time that it is played."""
        yield from (start for start, bar in zip(self.starts, self.order, strict=True) if bar == number)


# --- a process of its own ---------------------------------------------------------------------------------------------

class Unfinished(InputError):
    """A score was not read to its end: another time, or on another machine, it may be."""


class Reader:
    """A process that reads scores one by one, and is ended where one takes too long or too much memory.

    It is started with the first score: `with Reader() as to_midi: midi = to_midi(sheet)`.
    """

    def __init__(self, seconds: float = LONGEST, patience: float = PATIENCE):
        """Let each score take so many seconds of the processor, and a process `patience` seconds of the clock."""
        self.seconds, self.patience, self._process, self._line = seconds, patience, None, None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_) -> None:
        self._end()

    def __call__(self, sheet: Sheet) -> bytes:
        """Return what `to_midi` does. Raises Unfinished where the score takes longer, or ends the process."""
        if self._process is None:
            self._begin()
        try:
            self._line.send((sheet.form, sheet.text, self.seconds))
            if not self._line.poll(self.patience):
                self._end()
                raise Unfinished(f"was not read within {self.patience:g} s; wanted a shorter score")
            is_read, answer = self._line.recv()
        except (EOFError, OSError):
            raise Unfinished(self._why_ended()) from None
        if not is_read:
            raise InputError(answer)
        return answer

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child of a process with threads may hang
        self._line, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        self._process = process
        theirs.close()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._line.close()
        self._process = None

    def _why_ended(self) -> str:
        """Return why the process has ended by itself."""
        self._process.join()
        is_late = self._process.exitcode == -signal.SIGPROF
        self._end()
        return (f"takes more than {self.seconds:g} s of the processor to read; wanted a shorter score" if is_late else
                "ends the process that reads it; wanted a smaller score")


def _serve(line) -> None:
    """Answer each score that comes with (True, its MIDI bytes) or (False, why not)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.RLIM_INFINITY))
    while True:
        try:
            form, text, seconds = line.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)  # whoever needs more is ended by the system
        try:
            answer = True, to_midi(Sheet(form, text))
        except InputError as error:
            answer = False, str(error)
        signal.setitimer(signal.ITIMER_PROF, 0)
        line.send(answer)


# --- bars -------------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Whole:
    """A written bar of all staves together: its length in quarters, and its metre."""

    length: Fraction
    metre: tuple[int, int]

    @property
    def nominal(self) -> Fraction:
        """The length of a bar in its metre."""
        return Fraction(4 * self.metre[0], self.metre[1])


def _bars(staves: list[Staff]) -> list[Whole]:
    """Return the bars that staves write together, as long as any writes them; an empty one as its metre says."""
    bars, metre = [], (4, 4)
    for number in range(max((len(staff.measures) for staff in staves), default=0)):
        here = [staff.measures[number] for staff in staves if number < len(staff.measures)]
        metre = next((measure.metre for measure in here if measure.metre), metre)
        nominal, length = Whole(Fraction(0), metre).nominal, max(measure.length for measure in here)
        bars.append(Whole(nominal if not length or abs(length - nominal) < NEAR else length, metre))
    return bars


def _line(order: list[int], bars: list[Whole]) -> Line:
    starts, now = [], Fraction(0)
    for number in order:
        starts.append(now)
        now += bars[number].length
    return Line(order, starts, now)


def _metres(bars: list[Whole], line: Line) -> list[tuple[float, int, int]]:
    """Return (quarter, numerator, denominator) where the metre changes: also for each bar that is not a whole one."""
    rows, place = [], 0
    while place < len(line.order):
        bar, after = bars[line.order[place]], _joined(bars, line.order, place)
        is_whole = after - place > 1 or bar.length == bar.nominal or after == len(line.order) > 1
        metre = bar.metre if is_whole else _metre_of(bar)
        if metre and (not rows or metre != rows[-1][1:]):
            rows.append((float(line.starts[place]), *metre))
        place = after
    return rows


def _joined(bars: list[Whole], order: list[int], place: int) -> int:
    """Return the place behind the bar that begins at `place`. Several short bars that make a whole one count as one."""
    whole, length = bars[order[place]].nominal, Fraction(0)
    for after in range(place, len(order)):
        length += bars[order[after]].length
        if length == whole:
            return after + 1
        if length > whole or bars[order[after]].nominal != whole:
            break
    return place + 1


def _metre_of(bar: Whole) -> tuple[int, int] | None:
    """Return the metre of a bar that is not as long as its own says; None where there is none."""
    for denominator in sorted({bar.metre[1], 4, 8, 16, 32, 64}, key=lambda one: (one != bar.metre[1], one)):
        beats = bar.length * denominator / 4
        if beats.denominator == 1 and beats <= MOST_BEATS:
            return int(beats), denominator
    return None


def _signs(staves: list[Staff], count: int) -> list[Bar]:
    """Return what the signs of all staves say of the order, for each written bar."""
    found = [{} for _ in range(count)]
    for staff in staves:
        for number, measure in enumerate(staff.measures):
            found[number] |= measure.order
    codas = [number for number, bar in enumerate(found) if bar.pop("coda", False)]
    for number in codas[:-1]:
        found[number]["to_coda"] = True
    for number in codas[-1:]:
        found[number]["is_coda"] = True
    return [Bar(**bar) for bar in found]


# --- parts ------------------------------------------------------------------------------------------------------------

def _parts(staves: list[Staff], line: Line) -> list[Part]:
    """Return the parts of a score, their staves together, in the order in which they are written."""
    groups = {}
    for staff in staves:
        groups.setdefault(staff.part, []).append(staff)
    parts = []
    for group in groups.values():
        level, sudden = _levels(group, line), {at for at, sign in _found(group, line, "dynamics") if sign in SUDDEN}
        rows = [row for staff in group for row in _rows(staff, line, level, sudden)]
        parts.append(Part(group[0].name, group[0].program, rows))
    return parts


def _rows(staff: Staff, line: Line, level: Callable[[Fraction], float], sudden: set[Fraction]) -> list[Row]:
    """Return the notes of a staff as they are played."""
    rows, tied = [], {}  # tied: pitch -> index of the row that its next note goes on from
    for start, number in zip(line.starts, line.order, strict=True):
        for note in staff.measures[number].notes if number < len(staff.measures) else ():
            onset = max(start + note.onset, Fraction(0))
            before = tied.pop(note.pitch, None)
            if before is not None and abs(sum(rows[before][:2]) - onset) < NEAR:
                rows[before] = (rows[before][0], onset + note.length - rows[before][0], *rows[before][2:])
            else:
                velocity = level(onset) + ACCENT * (note.is_accented or onset in sudden)
                rows.append((onset, note.length, note.pitch, round(min(max(velocity, 1), 127))))
                before = len(rows) - 1
            if note.is_tied:
                tied[note.pitch] = before
    return rows


def _levels(group: list[Staff], line: Line) -> Callable[[Fraction], float]:
    """Return a function from quarter to velocity, of the dynamics and hairpins of a part's staves."""
    marks = sorted((at, LEVELS[sign]) for at, sign in _found(group, line, "dynamics") if sign in LEVELS)
    hairpins = {(start + pin.offset, start + pin.offset + pin.length, pin.way)
                for staff in group for pin in staff.hairpins for start in line.played(pin.bar)}
    points, now = [(-1.0, USUAL_LEVEL)], USUAL_LEVEL
    for start, end, value in sorted([(at, at, level) for at, level in marks] + list(hairpins)):
        if end > start:  # a hairpin, whose value is the way: it leads to the dynamic behind it
            value = next((level for at, level in marks if start < at <= end + 1), now + value * ACCENT)
        points += [(float(start) - INSTANT, now), (float(end), value)]
        now = value
    at, level = zip(*points, strict=True)
    at = np.maximum.accumulate(at)
    return lambda quarter: float(np.interp(float(quarter), at, level))


# --- signs ------------------------------------------------------------------------------------------------------------

def _found(staves: list[Staff], line: Line, kind: str) -> Iterator[tuple]:
    """Yield the rows of one kind that stand in measures, their offsets as quarters, each time that they are played."""
    for staff in staves:
        for number, measure in enumerate(staff.measures):
            for offset, *rest in getattr(measure, kind):
                yield from ((start + offset, *rest) for start in line.played(number))


def _tempos(staves: list[Staff], line: Line) -> np.ndarray:
    """Return the tempos, a TEMPO table; one with a number goes before one that is guessed from a word."""
    found = {at: round(6e7 / bpm) for at, _, bpm in sorted(_found(staves, line, "tempos"), reverse=True)}
    found.setdefault(Fraction(0), found[min(found)] if found else DEFAULT_QUARTER)
    rows = _changes((float(at), min(max(length, 1), midi_file.LONGEST_QUARTER)) for at, length in sorted(found.items()))
    return tempos(*rows)


def _keys(staves: list[Staff], line: Line) -> list[tuple[float, str]]:
    """Return (quarter, name) of the key signatures, those of the first staff that has any."""
    for staff in staves:
        if rows := _changes((float(at), name) for at, name in sorted(_found([staff], line, "keys"))):
            return rows
    return []


def _changes(rows) -> list[tuple]:
    """Return the (quarter, value) of which the value is another than before."""
    rows = list(rows)
    return [row for row, before in zip(rows, [(None, None), *rows], strict=False) if row[1] != before[1]]


# --- chord symbols ----------------------------------------------------------------------------------------------------

def _symbols(staves: list[Staff], line: Line) -> list[tuple[Fraction, Symbol]]:
    """Return (quarter, symbol) of the chord symbols in order, one at a time."""
    return sorted(dict(_found(staves, line, "symbols")).items())


def _chord_rows(symbols: list[tuple[Fraction, Symbol]], melody: list[Row], end: Fraction) -> list[Row]:
    """Return the chords under a melody: each sounds until the next."""
    starts = [at for at, _ in symbols]
    ends = [*starts[1:], max(end, starts[-1])]
    onset, length, pitch, _ = (np.array(column, float) for column in zip(*melody, strict=True))
    sounding = [pitch[(onset < until) & (onset + length > at)].astype(int)
                for at, until in zip(np.array(starts, float), np.array(ends, float), strict=True)]
    chords = chord_symbols.voiced([symbol for _, symbol in symbols], sounding)
    return [(at, until - at, pitch, CHORD_LEVEL) for at, until, chord in zip(starts, ends, chords, strict=True)
            for pitch in chord if until > at]
