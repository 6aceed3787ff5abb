"""How near a continuation is to what it continues, and whether it stays music.

Notes go in, numbers come out. Everything is counted in the quarters and bars of one tempo map, so that neither tempo
nor ritardando matters. No number says whether music is good: real songs, too, go on otherwise than they began.
"""

from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np

from serenity.music import quality
from serenity.music.harmony import find_chords, pitch_class_weights
from serenity.music.measures import bar_lines, copied_bars, overlaps_ago, progression_irregularity, wasserstein
from serenity.music.note import end_time
from serenity.music.song import beat_edges
from serenity.music.tempo_map import NEAR, TempoMap
from serenity.music.voices import strike_starts

PARTS = 12            # of a quarter, in which the time between strikes is told
LONGEST_STEP = 4      # quarters between strikes; longer ones are alike
FAR = 12.0            # semitones, in the mean over the notes, from which on a register is another

FEWEST_BARS = 4       # of a continuation in which a collapse can be seen
FEW_BARS = 2          # that are looked at together, at least
LATE = 1 / 3          # of its bars: the stretch that is looked at
THIN, THICK = 1 / 3, 3.0  # times as dense as what it continues
SPECK = 1 / 8         # quarters; a note shorter than a thirty-second
SPECKS, USUAL_SPECKS = 0.2, 0.02  # share of such notes: a collapse, and where they are no part of the style
TOGETHER = 0.06       # quarters
BESIDE, USUALLY_ON = 0.6, 0.95  # shares of notes on sixteenths; no real song goes from the one to below the other
ROUND, SAME = 8, 0.7  # bars, and how much of each is as in a bar before; 0 of 42 real songs go on so, 1 does elsewhere
LAST_CHORDS, FEW_CHORDS = 100, 0.1  # strikes, and the share of them that are different chords; real songs have 0.35


# --- nearness ---------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Nearness:
    """How near two stretches of a song are: each from 0, nothing in common, to 1, alike."""

    density: float   # the smaller number of notes a quarter over the larger
    register: float  # 1 less the distance of the pitches, in octaves
    rhythm: float    # what the times between strikes have in common
    harmony: float   # what the pitch classes that sound have in common

    @property
    def mean(self) -> float:
        """The mean of all."""
        return float(np.mean(astuple(self)))


def nearness(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> Nearness:
    """Return how near the notes `made` are to those `before`; each one note or more."""
    dense = sorted(notes_a_quarter(notes, tempo_map) for notes in (before, made))
    apart = wasserstein(before["pitch"], made["pitch"])
    steps = (_step_shares(notes, tempo_map) for notes in (before, made))
    sounds = (_pitch_class_shares(notes) for notes in (before, made))
    return Nearness(dense[0] / dense[1], max(1 - apart / FAR, 0.0), _common(*steps), _common(*sounds))


def notes_a_quarter(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return the notes a quarter, from the first onset to the last end, which is a quarter at least."""
    first, last = tempo_map.quarters(np.array([notes["onset"].min(), end_time(notes)]))
    return float(len(notes) / max(last - first, 1.0))


def _step_shares(notes: np.ndarray, tempo_map: TempoMap) -> np.ndarray:
    """Return the share of each time between strikes, (times,); all 0 for a single strike."""
    steps = np.diff(np.unique(np.rint(tempo_map.quarters(notes["onset"]) * PARTS)))
    most = LONGEST_STEP * PARTS
    return np.bincount(np.minimum(steps, most).astype(int), minlength=most + 1) / max(len(steps), 1)


def _pitch_class_shares(notes: np.ndarray) -> np.ndarray:
    """Return the share of each pitch class in what sounds, (12,)."""
    weights = pitch_class_weights(notes, np.array([0.0, end_time(notes)]))[0][0]
    return weights / weights.sum()


def _common(one: np.ndarray, other: np.ndarray) -> float:
    """Return what two distributions have in common; 1 where neither has anything."""
    return float(np.minimum(one, other).sum()) if one.any() or other.any() else 1.0


# --- collapse ---------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Collapse:
    """Where and why a continuation stops being music."""

    begin: float  # seconds, of the bar from which on it is none
    why: str      # "thin", "thick", "specks", "off the beat", "few chords" or "same bars"

    @property
    def is_loop(self) -> bool:
        """Whether the same few chords, or bars, come again and again."""
        return self.why in ("few chords", "same bars")


def collapse(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> Collapse | None:
    """Return where a continuation stops being music and why, compared with what came `before`; None where it does not.

    What counts is its last third; it begins with the first bar from which on all is as bad. But where a bar or two go
    round for ROUND bars, that counts anywhere, unless they did `before`. Both have one note or more.
    A continuation of fewer than FEWEST_BARS bars is too short to tell.
    """
    lines = bar_lines(made, tempo_map)
    bars = len(lines) - 1
    if bars < FEWEST_BARS:
        return None
    first = bars - max(round(bars * LATE), FEW_BARS)
    if _is_few_chords(made):
        return Collapse(float(lines[_first_of_few(made, lines)]), "few chords")

    def wrong(first: int, last: int) -> str | None:
        return _what_is_wrong(before, made, tempo_map, *lines[[first, last]].tolist())

    why, end = wrong(first, bars), bars
    while why and end >= FEW_BARS and wrong(end - FEW_BARS, end) == why:
        end -= 1
    if why:
        return Collapse(float(lines[end - FEW_BARS + 1 if end < bars else first]), why)
    again = _first_of_same(made, tempo_map)
    if again is None or _first_of_same(before, tempo_map) is not None:
        return None
    return Collapse(float(lines[min(again, bars - 1)]), "same bars")


def _what_is_wrong(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap, begin: float, end: float) -> str | None:
    """Return why the continuation is not music between two seconds; None where it may be."""
    stretch = made[(made["onset"] >= begin - NEAR) & (made["onset"] < end - NEAR)]
    quarters = float(np.diff(tempo_map.quarters(np.array([begin, min(end, end_time(made))])))[0])
    density = len(stretch) / quarters / notes_a_quarter(before, tempo_map)
    if density < THIN:
        return "thin"
    if density > THICK:
        return "thick"
    if _specks(stretch, tempo_map) > SPECKS and _specks(before, tempo_map) < USUAL_SPECKS:
        return "specks"
    is_off = _on_sixteenths(stretch, tempo_map) < BESIDE and _on_sixteenths(before, tempo_map) > USUALLY_ON
    return "off the beat" if is_off else None


def _on_sixteenths(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return the share of notes that begin on a sixteenth, or as near to one as those who play together come."""
    place = 4 * tempo_map.quarters(notes["onset"])
    return float(np.mean(np.abs(place - np.rint(place)) < 4 * TOGETHER))


def _is_few_chords(made: np.ndarray) -> bool:
    chords = quality.chord_numbers(made)[-LAST_CHORDS:]
    return len(np.unique(chords)) < FEW_CHORDS * len(chords)


def _first_of_few(made: np.ndarray, lines: np.ndarray) -> int:
    """Return the bar from which on there are no other chords than those of the last strikes."""
    chords, onset = quality.chord_numbers(made), made["onset"][strike_starts(made)]
    others = np.flatnonzero(~np.isin(chords, chords[-LAST_CHORDS:]))
    return int(np.searchsorted(lines, onset[others[-1]], side="right")) if len(others) else 0


def _first_of_same(notes: np.ndarray, tempo_map: TempoMap) -> int | None:
    """Return the first of ROUND bars that are mostly as the one, or the second, before each; None: there are none."""
    found = []
    for ago in (1, 2):
        same = overlaps_ago(notes, tempo_map, ago)
        if len(same) >= ROUND:
            found += np.flatnonzero(np.convolve(same, np.full(ROUND, 1 / ROUND), "valid") > SAME)[:1].tolist()
    return min(found, default=None)


def _specks(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return the share of notes that are shorter than a thirty-second."""
    begin, end = tempo_map.quarters(np.stack([notes["onset"], notes["onset"] + notes["duration"]]))
    return float(np.mean(end - begin < SPECK - NEAR))


# --- both -------------------------------------------------------------------------------------------------------------

class Judgement(NamedTuple):
    """What is thought of a continuation."""

    near: Nearness
    collapse: Collapse | None
    merit: float  # how promising it is


def judge(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> Judgement:
    """Return what is thought of the notes `made`, by those `before`; each one note or more."""
    near = nearness(before, made, tempo_map)
    chords = find_chords(made, beat_edges(tempo_map, end_time(made)))
    copies, bars = copied_bars(before, made, tempo_map)
    return Judgement(near, collapse(before, made, tempo_map), merit(near, chords, copies / bars))


def merit(near: Nearness, chords: np.ndarray, copied: float) -> float:
    """Return how promising a continuation with this harmony (a CHORD table) is, at most 1: the mean of how near it is
    to the seed in each part, and of how often its chords come round, less the share of its bars that are only `copied`
    from the seed. Nothing is nearer than a copy, and nobody needs one.

    Of four continuations the one with the most merit is much nearer to how songs really go on (docs/completing.md).
    """
    return float(np.mean([*astuple(near), 1 - progression_irregularity(chords)])) - copied


def standing(one) -> tuple[bool, float]:
    """Return by what to sort what has a `collapse` and a `merit`: the most promising first, what collapses last."""
    return one.collapse is not None, -one.merit
