"""The beats of a song: its file's tempo map where the notes agree with it, beats found from the notes where not.

Many files have a tempo map that means nothing: a performance recorded at "120". Many have the right tempos, but begin a
little before the first beat, or state a wrong metre. So the notes decide (beat_tracking.py): whether the map is
believed, where its beats begin, and how many beats a bar has. What a user says (Hints) counts more than both.

The result is a TempoMap of the music: its quarter 0 begins the bar in which the first note stands.
"""

from dataclasses import dataclass, replace

import numpy as np

from serenity.errors import InputError
from serenity.music import beat_tracking
from serenity.music.beat_tracking import Reading
from serenity.music.note import end_time
from serenity.music.tempo_map import NEAR, STRAIGHT, TempoMap, metres, tempos
from serenity.settings import Hints

PLAIN = {(4, 4), (2, 4), (1, 4)}  # metres that files state without meaning them
STATED = 4.0            # how many times as likely a plain 4/4, or a bar line, is where the file states it
AT_START = 0.02         # quarters; beats so near to the file's own quarters are those
LINES = 12              # a quarter, to which the notes of a song on its beats are near
ON_LINE = 0.004         # quarters; a note so near to a line stands on it
MOSTLY = 0.85           # share of notes on lines of a map that was quantised
RATIOS = (1, 1 / 2, 2, 1 / 3, 3, 2 / 3, 3 / 2)  # of a stated tempo to one that is found
SAME_TEMPO = 0.06       # of the logarithm: a stated tempo so near to another means it
LONGEST_BAR = 60.0      # seconds before and after the song at which a bar may begin
SLOWEST, FASTEST = 20.0, 500.0  # quarters a minute, over the song, of a map that may be believed

# Swing: off-beat eighths that stand late in the quarter, all of them.
EIGHTHS = (0.4, 0.85)   # of the quarter: where off-beat eighths are looked for
LATE = ((0.56, 0.72), (0.79, 0.85))  # of the quarter: where swung ones stand in the mean; between stand dotted ones
EARLY = (0.18, 0.42)    # of the quarter: where sixteenths and triplets stand that speak against swing
FEWEST_SWUNG = 8        # strikes
MOST_EARLY = 0.15       # of the strikes inside of quarters
MOST_STRAY = 0.06       # quarters; median distance of off-beat eighths from their mean

EVEN = 0.5              # seconds a beat while the metre is looked for
UPBEAT = 0.3            # of a beat; a shorter time before the first one does not count as an upbeat
NEAR_BEAT = 0.5         # of half a beat; a stated bar line so near to one stands on it
RIVAL = 0.1             # of the best reading's probability; what has less is not spoken of
MOST_BEATS = 10_000     # of a song that are asked for the metre

AT_ZERO = 0.005         # seconds; a bar line so near before the song's beginning stands at it
STEADY_TEMPO = 1.1      # of the fastest to the slowest tempo, which up to there are one for a reader
MOST_CHANGES = 3        # of metre, that a line names

MOST_NUMERATOR = 255    # of a time signature in a MIDI file
HELD = 1.75             # times the usual time between strikes, or quarters: so long lasts a chord that is held
WRITTEN_HOLD = 2.0      # quarters; so long lasts the last chord of a score that is heard out
LONGEST_HOLD = 64.0     # quarters; longer is a note that nobody ended
RELEASE = 0.25          # quarters after a bar line at which a chord may end that was to end on it
STEADY = 16             # quarters before the join, over which the tempo that goes on is taken
NEARLY = 0.01           # of the logarithm: nobody hears that a tempo is another

LONGEST_TICK = 1000.0   # microseconds; of a map that is written for what was played freely
MOST_TICKS = 2**15 - 1  # a quarter, that a file can hold


@dataclass(frozen=True, eq=False)
class Beats:
    """Where the beats of a song fall, and how that is known."""

    tempo_map: TempoMap   # of the music; quarter 0 begins the bar of the first note
    source: str           # "file", "found" or "given"
    agreement: float      # of the notes with the file's tempo map, 0 to 1
    file_map: TempoMap
    rival: Reading | None = None  # the likeliest reading in another metre; None: there is none near
    scale: float = 1.0            # quarters of the music for each of the file's, where those are its beats
    span: tuple[float, float] = (0.0, 86_400.0)  # seconds from the first note to the last one's end

    @property
    def quarter(self) -> float:
        """How long a quarter usually lasts, in microseconds: the median over the song's quarters."""
        return _usual(self.tempo_map, *self.span)

    @property
    def bpm(self) -> float:
        """How many such quarters last a minute."""
        return 6e7 / self.quarter

    @property
    def metre(self) -> tuple[int, int]:
        """Numerator and denominator of the first metre."""
        return tuple(self.tempo_map.signatures[["numerator", "denominator"]][0].tolist())

    def __str__(self) -> str:
        bpm, stated = self.bpm, 6e7 / _usual(self.file_map, *self.span)
        said = {"file": "the file's", "found": "found", "given": "as given"}[self.source]
        differs = f" (the file says {stated:.0f})" if self.source != "file" and abs(stated / bpm - 1) > 0.01 else ""
        swing = f", swing {self.tempo_map.swing:.0%}" if self.tempo_map.swing != STRAIGHT else ""
        rival = ""
        if self.rival is not None and (other := (self.rival.numerator, self.rival.denominator)) != self.metre:
            rival = f" ({other[0]}/{other[1]} less likely)"
        line = self.tempo_map.seconds(self.tempo_map.bar_line(self._first_bar()))
        return (f"beat: {said}, {bpm:.0f} BPM{self._tempo_range()}{differs}{swing}, {self._metres()}{rival}, "
                f"bar 1 at {max(float(line), 0):.2f} s")

    def _tempo_range(self) -> str:
        """Return the two tempos between which nine tenths of the song lie, unless they are about the same."""
        slow, fast = (6e7 / _usual(self.tempo_map, *self.span, share) for share in (0.95, 0.05))
        return f" ({slow:.0f} to {fast:.0f})" if fast / slow > STEADY_TEMPO else ""

    def _metres(self) -> str:
        """Return the metre of the first bar, and which others follow in which bars."""
        first, last = self._first_bar(), float(self.tempo_map.quarters(self.span[1]))
        signs = self.tempo_map.signatures[["start", "numerator", "denominator"]].tolist()
        bars = [max(int(self.tempo_map.bars(start)[0]) - first, 0) + 1 for start, _, _ in signs if start < last]
        metres_of = dict(zip(bars, (f"{numerator}/{denominator}" for _, numerator, denominator in signs)))
        names = list(metres_of.values())
        changes = [f"from bar {bar} {name}" for bar, name, before in zip([*metres_of][1:], names[1:], names)
                   if name != before]
        return ", ".join([*names[:1], *changes[:MOST_CHANGES], *["and others"] * (len(changes) > MOST_CHANGES)])

    def _first_bar(self) -> int:
        """Return the number of the first bar that begins in the song."""
        if self.tempo_map.seconds(0.0) >= -AT_ZERO:
            return 0
        number = int(self.tempo_map.bars(self.tempo_map.quarters(0.0))[0])
        return number + bool(self.tempo_map.seconds(self.tempo_map.bar_line(number)) < -AT_ZERO)


def _usual(tempo_map: TempoMap, first: float, last: float, share: float = 0.5) -> float:
    """Return a quarter's length in microseconds: of the quarters between two seconds, `share` are shorter."""
    edges = np.append(tempo_map.tempos["start"], np.inf)
    edges[0] = -np.inf
    quarters = np.diff(np.clip(edges, *tempo_map.quarters(np.array([first, last]))))
    order = np.argsort(tempo_map.tempos["length"])
    before = np.cumsum(quarters[order])
    return float(tempo_map.tempos["length"][order[np.searchsorted(before, before[-1] * share)]])


def read_beats(struck: np.ndarray, file_map: TempoMap, hints: Hints = Hints(), is_trusted: bool = False) -> Beats:
    """Return the beats of notes as they were struck, from a file with that tempo map. Notes: one or more.

    `is_trusted`: the whole song agrees with the map; these notes, a part of it, may be too few to show it.
    """
    stated, source = file_map, "file"
    agreement = beat_tracking.agreement(struck, stated.quarters(struck["onset"]))
    is_notated = False  # the file may mean its bar lines, too
    span = float(struck["onset"][0]), end_time(struck)
    _refuse_outside(hints.first_beat, *span)
    if file_map.is_notated and hints == Hints() and _is_playable(file_map, *span):
        return Beats(_from_bar_of(file_map, struck), source, agreement.share, file_map, span=span)
    level = hints.level
    if hints.bpm is not None:
        source = "given"
        ratio = _level_of(6e7 / _usual(file_map, *span), hints.bpm)
        if agreement.is_believed and ratio is not None:  # a stated tempo is rounded, the file's is exact
            source, level, hints = "file" if ratio == 1 else "given", ratio * level, replace(hints, bpm=None)
        else:
            stated = TempoMap(tempos((0.0, 6e7 / hints.bpm)))
            agreement = beat_tracking.agreement(struck, stated.quarters(struck["onset"]))
    if (agreement.is_believed or is_trusted) and _is_playable(stated, *span):
        apart = 0.5 if _means_its_metre(file_map) else 1.0  # quarters; in 6/8 each second beat stands on a half
        offset = _exact_offset(stated, struck, agreement.offset) if agreement.is_believed else 0.0
        is_notated = source == "file" and min(offset % apart, -offset % apart) < AT_START
        beats = stated if is_notated or not offset else stated.counted_from(offset)
        beats = _on_lines(beats, struck)
    else:
        beats, is_given = _found(struck, hints.bpm)
        source = "given" if is_given else "found"
    if level != 1:
        beats = _at_level(beats, level)
    is_notated &= hints == Hints()
    if hints.metre is None or not _is_compound(*hints.metre):
        beats = _swung(beats, struck)
    if is_notated and _means_its_metre(file_map):
        return Beats(_from_bar_of(beats, struck), source, agreement.share, file_map, span=span)
    tempo_map, rival, scale = _with_metre(beats, struck, file_map if is_notated else None, hints)
    return Beats(tempo_map, source, agreement.share, file_map, rival, scale * level, span)


def _is_playable(tempo_map: TempoMap, first: float, last: float) -> bool:
    """Return whether the mean tempo between two seconds is one in which music is played."""
    quarters = np.diff(tempo_map.quarters(np.array([first, last])))[0]
    return bool(SLOWEST <= 60 * quarters / (last - first) <= FASTEST)


def _on_lines(tempo_map: TempoMap, struck: np.ndarray) -> TempoMap:
    """Return the map, moved by the median distance of the notes from its lines. Bars stay on whole quarters."""
    quarters = tempo_map.quarters(struck["onset"]) * LINES
    late = (quarters - np.rint(quarters)) / LINES
    near = late[abs(late) < AT_START]
    offset = float(np.median(near)) if len(near) > len(late) / 2 else 0.0
    moved = tempo_map.counted_from(offset)
    return replace(moved, metres=tempo_map.metres) if abs(offset) > NEAR else tempo_map


def _exact_offset(tempo_map: TempoMap, struck: np.ndarray, offset: float) -> float:
    """Return the offset of the beats. Where the notes stand on lines of the map, it is such a line: swing would draw a
    mean aside.
    """
    quarters = tempo_map.quarters(struck["onset"]) * LINES
    is_on = abs(quarters - np.rint(quarters)) / LINES < ON_LINE
    return round(offset * LINES) / LINES % 1 if is_on.mean() >= MOSTLY else offset


def _refuse_outside(first_beat: float | None, first: float, last: float) -> None:
    """Raise InputError for a bar line far from the song, which lasts from `first` to `last` seconds."""
    if first_beat is not None and not first - LONGEST_BAR <= first_beat <= last + LONGEST_BAR:
        raise InputError(f"first beat at {first_beat:g} s; wanted a time in the song, which lasts from {first:.1f} to "
                         f"{last:.1f} s")


def _level_of(found: float, bpm: float) -> float | None:
    """Return how many quarters of `bpm` stand for one of `found`, both a minute; None where no simple ratio does."""
    level = min(RATIOS, key=lambda ratio: abs(np.log(found * ratio / bpm)))
    return level if abs(np.log(found * level / bpm)) < SAME_TEMPO else None


def _found(struck: np.ndarray, bpm: float | None) -> tuple[TempoMap, bool]:
    """Return a map through the beats found from the notes, and whether it is at the level that makes it go at `bpm`."""
    beats = beat_tracking.track(struck)
    tempo_map = TempoMap.through(np.arange(len(beats)), beats)
    if bpm is None:
        return tempo_map, False
    found = 6e7 / float(np.median(tempo_map.tempos["length"]))
    level = _level_of(found, bpm)
    return (tempo_map, False) if level is None else (_at_level(tempo_map, level), True)


def _at_level(tempo_map: TempoMap, level: float) -> TempoMap:
    """Return the map with `level` quarters for each of its own."""
    table = tempo_map.tempos.copy()
    table["start"] *= level
    table["length"] /= level
    return replace(tempo_map, tempos=table)


# --- metre ------------------------------------------------------------------------------------------------------------

def _means_its_metre(file_map: TempoMap) -> bool:
    """Return whether a file states a metre that no program states by itself, or more than one: it was notated."""
    stated = set(file_map.metres[["numerator", "denominator"]].tolist())
    return len(stated) > 1 or bool(stated - PLAIN)


def _with_metre(beats: TempoMap, struck: np.ndarray, file_map: TempoMap | None, hints: Hints
                ) -> tuple[TempoMap, Reading | None, float]:
    """Return the map of `beats` in quarters of its metre, counted from the bar of the first note; the likeliest reading
    in another metre; and how many quarters one of the given beats is.

    `file_map` is given where the file may mean its bar lines.
    """
    first, last = np.floor(beats.quarters(np.array([struck["onset"][0], end_time(struck)])) + NEAR)
    given = np.arange(first, min(last + 1, first + MOST_BEATS) + 1)
    even = _evenly(struck, beats)  # so that swing and tempo do not matter
    readings = beat_tracking.metre(even, given * EVEN)
    readings = sorted((replace(reading, probability=reading.probability * _belief(reading, beats, given, file_map))
                       for reading in readings), key=lambda reading: -reading.probability)
    best = readings[0] if hints.metre is None else _in_metre(readings, *hints.metre)
    scale = 4 * best.numerator / best.denominator / best.beats_per_bar
    line = float(given[0] + best.first)
    if hints.first_beat is not None:
        line = float(beats.quarters(hints.first_beat))
        line = round(2 * line) / 2 if abs(2 * line - round(2 * line)) < 0.5 * NEAR_BEAT else line
    begin = float(beats.quarters(struck["onset"][0])) + UPBEAT / 3
    start = line + best.beats_per_bar * float(np.floor((begin - line) / best.beats_per_bar))
    if scale != 1 or abs(start - round(start)) > NEAR:  # other eighths than those that swing
        beats = replace(beats, swing=STRAIGHT)
    tempo_map = replace(_at_level(beats.counted_from(start), scale),
                        metres=metres((0.0, best.numerator, best.denominator)))
    others = [reading for reading in readings if (reading.numerator, reading.denominator)
              != (best.numerator, best.denominator) and reading.probability > RIVAL * best.probability]
    return tempo_map, others[0] if others and hints.metre is None else None, scale


def _evenly(notes: np.ndarray, beats: TempoMap) -> np.ndarray:
    """Return the notes as if played straight in an even tempo, EVEN seconds a beat."""
    even = notes.copy()
    even["onset"] = beats.quarters(notes["onset"]) * EVEN
    even["duration"] = np.maximum(beats.quarters(notes["onset"] + notes["duration"]) * EVEN - even["onset"], 1e-3)
    return even


def _in_metre(readings: list[Reading], numerator: int, denominator: int) -> Reading:
    """Return the likeliest reading in a metre that a user states: with its own bar line, or that of its like."""
    is_compound = _is_compound(numerator, denominator)
    alike = [reading for reading in readings if (reading.numerator, reading.denominator) == (numerator, denominator)]
    alike += [reading for reading in readings if (reading.denominator == 8) == is_compound] + readings
    like = alike[0]
    a_beat = 1.0  # given beats a quarter: where triplets divide them, and the metre is simple
    if (like.denominator == 8) == is_compound:
        a_beat = like.beats_per_bar * like.denominator / (4 * like.numerator)
    bar = 4 * numerator / denominator * a_beat
    return replace(like, numerator=numerator, denominator=denominator, first=like.first % bar, beats_per_bar=bar)


def _is_compound(numerator: int, denominator: int) -> bool:
    return denominator >= 8 and numerator % 3 == 0


def _belief(reading: Reading, beats: TempoMap, given: np.ndarray, file_map: TempoMap | None) -> float:
    """Return how many times as likely a reading is because of what the file states: a plain metre, and bar lines."""
    if file_map is None or not len(file_map.metres):
        return 1.0
    if (reading.numerator, reading.denominator) != tuple(file_map.metres[["numerator", "denominator"]][0].tolist()):
        return 1.0
    _, place, length = file_map.bars(file_map.quarters(beats.seconds(given[0] + reading.first)))
    return STATED * (STATED if min(place, length - place) < 2 * AT_START else 1.0)


def _from_bar_of(tempo_map: TempoMap, struck: np.ndarray) -> TempoMap:
    """Return the map counted from the bar of the first note. A pickup is the end of a bar like the next one."""
    number, _, _ = tempo_map.bars(tempo_map.quarters(struck["onset"][0]) + 0.1)
    tempo_map = tempo_map.counted_from(float(tempo_map.bar_line(number)))
    signs = tempo_map.signatures
    length, whole = signs["numerator"][:2] * 4.0 / signs["denominator"][:2] if len(signs) > 1 else (0.0, 0.0)
    if length < whole and abs(signs["start"][1] - length) < NEAR:
        tempo_map = tempo_map.counted_from(float(length - whole))
        signs = signs[1:].copy()
        signs["start"] += whole - length
        signs["start"][0] = 0.0
    return replace(tempo_map, metres=signs)


# --- swing ------------------------------------------------------------------------------------------------------------

def _swung(tempo_map: TempoMap, struck: np.ndarray) -> TempoMap:
    """Return the map with the swing of its eighths; as it is where they are even, or where there are none.

    Swung eighths draw a mean of all onsets away from the beat, so it is put where those on the beat stand.
    """
    quarters = np.unique(np.round(tempo_map.quarters(struck["onset"]), 2))
    place = quarters % 1
    inside = place[(place > EARLY[0]) & (place < EIGHTHS[1])]
    late = place[(place > EIGHTHS[0]) & (place < EIGHTHS[1])]
    if len(late) < FEWEST_SWUNG:
        return tempo_map
    beside = (quarters + 0.5) % 1 - 0.5
    beside = beside[abs(beside) < 1 - EIGHTHS[1]]
    beat = float(np.median(beside)) if len(beside) else 0.0
    near = late[abs(late - np.median(late)) < 2 * MOST_STRAY]
    middle = float(np.mean(near if len(near) else late)) - beat
    early = np.mean((inside > EARLY[0]) & (inside < EARLY[1]))
    stray = np.median(abs(late - beat - middle))
    is_late = any(lowest <= middle <= highest for lowest, highest in LATE)
    is_swung = is_late and early <= MOST_EARLY and stray <= MOST_STRAY
    return replace(tempo_map.counted_from(beat), metres=tempo_map.metres, swing=middle) if is_swung else tempo_map


# --- going on ---------------------------------------------------------------------------------------------------------

def after_hold(tempo_map: TempoMap, onsets: np.ndarray, end: float, is_score: bool = False) -> float | None:
    """Return the bar line, in quarters, after a last chord that is held, as under a fermata; None where it is not.

    `onsets` (n,) are the quarters of all strikes, ascending; the last note ends at `end`, seconds. A chord is held if
    it lasts long, compared with the time between strikes. At the end of a score, whose bars are written out, a half
    note is enough: lead sheets and hymns have long notes, and yet the next verse begins after the last one.
    """
    end, apart = float(tempo_map.quarters(end)), np.diff(np.unique(onsets))
    usual = max(float(np.quantile(apart, 0.9)), 1.0) if len(apart) else 1.0
    shortest = min(HELD * usual, WRITTEN_HOLD) if is_score else HELD * usual
    if not shortest - NEAR <= end - onsets[-1] <= LONGEST_HOLD:
        return None
    return float(tempo_map.bar_line(tempo_map.bars(end - RELEASE)[0] + 1))


def going_on(tempo_map: TempoMap, join: float, begin: float | None = None, is_stated: bool = False
             ) -> TempoMap:
    """Return the map that is as it was up to the quarter `begin`, or else `join`, and steady from there on.

    The tempo that goes on is the median of the last STEADY quarters before the join, where the last strike stands: a
    ritardando or a fermata at the end does not count as a tempo. Where the file itself states one that holds on and is
    nearly that, it stays.
    """
    quarters = np.arange(max(join - STEADY, min(0.0, join - 1)), join, 0.25)
    if not len(quarters):
        quarters = np.array([join])
    lengths = sorted(tempo_map.tempo(quarter) for quarter in quarters.tolist())
    begin, steady, last = join if begin is None else begin, lengths[len(lengths) // 2], tempo_map.tempos[-1]
    if is_stated and last["start"] <= join and abs(np.log(last["length"] / steady)) < NEARLY:
        return tempo_map
    return tempo_map.steady_from(begin, steady)


# --- into a file ------------------------------------------------------------------------------------------------------

def as_file_map(tempo_map: TempoMap) -> TempoMap:
    """Return a map that begins at 0 s, as a file's does, with the same beats and bars from the first bar line on.

    What stands before that is a bar of its own, in quarters counted back from the line; the first is as long as need
    be. Swing is left out: a DAW's grid is straight. Ticks are so short that what was played freely stays as it was.
    """
    ticks, slowest = tempo_map.ticks_per_quarter, float(tempo_map.tempos["length"].max())
    ticks *= max(min(int(np.ceil(slowest / LONGEST_TICK / ticks)), MOST_TICKS // ticks), 1)
    plain = replace(tempo_map, swing=STRAIGHT, ticks_per_quarter=ticks)
    begin = float(plain.quarters(0.0)) - 1e-3
    line = float(plain.bar_line(plain.bars(begin)[0] + 1))
    times = plain.seconds(line - np.arange(int(line - begin), -1, -1))
    rest = plain.counted_from(line)
    if times[-1] < 1e-3:  # a bar begins at 0 s
        return replace(rest, start=0.0)
    is_short = times[0] < UPBEAT * plain.tempo(begin) / 1e6
    if is_short and len(times) == 1 and rest.bar_line(1) >= 1:  # no bar of its own: the first quarter is longer by it
        first, after = TempoMap.through(np.arange(2), np.append(0.0, plain.seconds(line + 1))), rest.counted_from(1.0)
        moved = after.tempos.copy()
        moved["start"] += 1
        return replace(rest, tempos=np.append(first.tempos, moved), start=0.0)
    if is_short and len(times) > 1:
        times[0] = 0.0
    else:
        times = np.append(0.0, times)
    upbeat = TempoMap.through(np.arange(len(times)), times)
    moved, signs = rest.tempos.copy(), rest.signatures.copy()
    moved["start"] += len(upbeat.tempos)
    signs["start"] += len(upbeat.tempos)
    first = metres((0.0, min(len(upbeat.tempos), MOST_NUMERATOR), 4))
    return replace(rest, tempos=np.append(upbeat.tempos, moved), start=0.0, metres=np.append(first, signs))
