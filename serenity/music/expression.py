"""Expression: edits that a person makes by hand in a DAW, as pure functions of note tables.

`APPLY` lists them by name, in the order in which they are done: which notes, when, how long, how loud, and at last the
pedal and the curves, which follow from the notes. Strikes, voices and phrases are those of voices.py.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from serenity.errors import InputError, SettingError
from serenity.music.midi_file import CONTROL, EXPRESSION, LONGEST_SUSTAIN, Track, next_strike, sustain
from serenity.music.note import sort_notes
from serenity.music.tempo_map import TempoMap
from serenity.music.voices import BASS, INNER, MELODY, phrases, strikes, voices

NEIGHBOURS = 5          # notes over which velocities are smoothed
WORTH = 0.5             # share of its time for which the pedal must free a finger to be of use
PEDAL_CHANGE = 0.02     # seconds between the release of the pedal and its next press
CURVE_STEP = 0.05       # seconds; a swell in steps of that length is heard as one


@dataclass(frozen=True)
class ExpressionSettings:
    """How strong each edit is."""

    quantise: float = 0.5        # share of the way to the grid
    grid: int = 4                # grid points in a quarter note; 4: sixteenth notes
    reach: float = 1.0           # seconds; legato closes rests up to that length
    smooth: float = 0.5          # share of the way to the neighbours' mean velocity
    swell: float = 16.0          # velocity between a phrase's edge and its middle
    accent: float = 12.0         # velocity by which the melody stands out more
    humanise: float = 0.012      # seconds; farthest that an onset moves
    seed: int = 0                # of humanise
    release: float = 0.05        # seconds; notes that end so near to each other are let go by one pedal
    curve_lowest: int = 60       # expression (0-127) at a phrase's edges
    curve_highest: int = 115     # and in its middle

    def __post_init__(self):
        for field in fields(self):
            lowest, highest = _RANGES[field.name]
            value = getattr(self, field.name)
            if not lowest <= value <= highest:  # nan fails too
                raise InputError(f"expression: {field.name} {value}, wanted {lowest:g} to {highest:g}")
        if self.curve_lowest > self.curve_highest:
            raise InputError(f"expression: curve from {self.curve_lowest} to {self.curve_highest}, wanted a rise")


_RANGES = {"quantise": (0, 1), "grid": (1, 96), "reach": (0, 60), "smooth": (0, 1), "swell": (0, 126),
           "accent": (0, 126), "humanise": (0, 0.2), "seed": (0, 2 ** 64 - 1), "release": (0, 0.5),
           "curve_lowest": (0, 127), "curve_highest": (0, 127)}


# --- which notes ------------------------------------------------------------------------------------------------------

def thin(notes: np.ndarray) -> np.ndarray:
    """Return only melody and bass, to clear the theme.

    Invariant: the notes that stay are unchanged, and the highest and the lowest note are among them.
    """
    return notes[voices(notes) != INNER]


# --- when and how long ------------------------------------------------------------------------------------------------

def quantise(notes: np.ndarray, tempo_map: TempoMap, grid: int, strength: float) -> np.ndarray:
    """Return the notes with their onsets moved `strength` (0..1) of the way to the nearest of `grid` points a quarter.

    The quarters are those of `tempo_map`. Invariant: no onset is farther from the grid than before, nor moves by more
    than half the way between two points; no two change places. A note keeps its length, but ends where its key is
    struck again.
    """
    quarters = tempo_map.quarters(notes["onset"])
    moved = notes.copy()
    moved["onset"] = tempo_map.seconds(quarters + strength * (np.rint(quarters * grid) / grid - quarters))
    return _let_go(sort_notes(moved))


def legato(notes: np.ndarray, reach: float) -> np.ndarray:
    """Return the notes lengthened to the next onset of their voice, over rests of `reach` seconds at most.

    Invariant: only lengths change, and none becomes shorter; what was lengthened ends at the next onset of its voice,
    or before, where its key is struck again.
    """
    longer = notes.copy()
    strike, voice = strikes(notes), voices(notes)
    until = np.minimum(_next_onset(notes, strike, voice), next_strike(notes["onset"], notes["pitch"]))
    rest = until - (notes["onset"] + notes["duration"])
    closes = (rest > 0) & (rest <= reach)
    longer["duration"][closes] = (until - notes["onset"])[closes]
    return longer


def humanise(notes: np.ndarray, spread: float, seed: int) -> np.ndarray:
    """Return the notes with each onset moved by chance, by `spread` seconds at most. The same seed gives the same.

    Invariant: no two strikes change places or touch; no onset comes before 0; every note ends where it ended, or where
    its key is now struck again.
    """
    strike, end = strikes(notes), notes["onset"] + notes["duration"]
    gap = np.diff(notes["onset"], prepend=0)[np.diff(strike, prepend=-1) > 0]  # before each strike
    room = 0.4 * np.minimum(gap, np.append(gap[1:], np.inf))[strike]  # below half, so that neighbours cannot meet
    bound = np.minimum(np.minimum(room, notes["duration"] / 2), spread)
    moved = notes.copy()
    moved["onset"] += bound * np.random.default_rng(seed).uniform(-1, 1, len(notes))
    moved["duration"] = end - moved["onset"]
    return _let_go(sort_notes(moved))


def _let_go(notes: np.ndarray) -> np.ndarray:
    """Return the notes, each ending where its key is struck again, if not before."""
    notes = notes.copy()
    notes["duration"] = np.minimum(notes["duration"], next_strike(notes["onset"], notes["pitch"]) - notes["onset"])
    return notes


def _next_onset(notes: np.ndarray, strike: np.ndarray, voice: np.ndarray) -> np.ndarray:
    """Return when the next strike of each note's voice begins; infinity for its last."""
    result = np.full(len(notes), np.inf)
    for rows in _groups(voice):
        begins = rows[np.diff(strike[rows], prepend=-1) > 0]
        following = np.searchsorted(strike[begins], strike[rows], side="right")
        result[rows] = np.append(notes["onset"][begins], np.inf)[following]
    return result


# --- how loud ---------------------------------------------------------------------------------------------------------

def smooth(notes: np.ndarray, strength: float) -> np.ndarray:
    """Return the notes with velocities moved `strength` (0..1) of the way to the mean of their NEIGHBOURS.

    Neighbours are of the same voice and phrase. Invariant: only velocities change; those of a voice stay, in each
    phrase, between its softest and its loudest.
    """
    mean = notes["velocity"].astype(float)
    for rows in _groups(phrases(notes) * len((MELODY, BASS, INNER)) + voices(notes)):
        padded = np.pad(notes["velocity"][rows].astype(float), NEIGHBOURS // 2, mode="edge")
        mean[rows] = np.convolve(padded, np.full(NEIGHBOURS, 1 / NEIGHBOURS), mode="valid")
    return _louder(notes, strength * (mean - notes["velocity"]))


def swell(notes: np.ndarray, depth: float) -> np.ndarray:
    """Return the notes with each phrase swelling to its middle by `depth`; as a whole it stays as loud as it was.

    The arch is a parabola (Todd, "The dynamics of dynamics", J. Acoust. Soc. Am. 91, 1992). Invariant: only velocities
    change, by `depth` at most; the notes of one strike all by the same, as far as 1-127 allows.
    """
    more = np.zeros(len(notes))
    strike = strikes(notes)
    for rows in _groups(phrases(notes)):
        onset = notes["onset"][np.searchsorted(strike, strike[rows])]  # its strike's first
        if onset[-1] > onset[0]:
            more[rows] = depth * (_arch(onset, onset[0], onset[-1]) - 2 / 3)  # a parabola's mean is 2/3
    return _louder(notes, np.rint(more))


def accent(notes: np.ndarray, by: float) -> np.ndarray:
    """Return the notes with the melody louder and the rest softer, so that it stands out `by` more.

    Invariant: only velocities change: those of the melody never fall, all others never rise.
    """
    return _louder(notes, np.where(voices(notes) == MELODY, by - by // 2, -(by // 2)))


def _louder(notes: np.ndarray, more: np.ndarray) -> np.ndarray:
    notes = notes.copy()
    notes["velocity"] = np.clip(np.rint(notes["velocity"] + more), 1, 127)
    return notes


def _arch(time: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return a parabola over start..end, 0 at both and 1 in the middle."""
    place = (time - start) / (end - start)
    return 4 * place * (1 - place)


# --- pedal and curves -------------------------------------------------------------------------------------------------

def pedal_marks(notes: np.ndarray, release: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the notes as fingers and pedal would play them: shortened notes, and pedals (pedal, 2) as in Track.

    Where notes struck one after another end together (within `release` seconds), the pedal holds them: it goes down as
    soon as it catches no other note, and each finger leaves its key at the next strike. Where that frees no finger for
    half of its note's time (WORTH), there is no pedal.
    Invariant: what midi_file.sustain makes of the result sounds as before, but that a note may end up to `release`
    seconds later. No note becomes longer; pedals are in order and do not overlap.
    """
    strike, onset = strikes(notes), notes["onset"]
    end = onset + notes["duration"]
    again = next_strike(onset, notes["pitch"])
    leave = _next_onset(notes, strike, np.zeros(len(notes), int))  # when the next note of any voice is struck
    caught = np.flatnonzero(end < again - 1e-9)  # a key that is struck again ends its note under any pedal
    caught = caught[np.argsort(end[caught], kind="stable")]
    fingered, pedals, first, up = notes.copy(), [], 0, -np.inf
    while first < len(caught):
        stop = int(np.searchsorted(end[caught], end[caught[first]] + release, side="right"))
        together, first = caught[first:stop], stop
        down, up = max(onset[together].min(), up + PEDAL_CHANGE), end[together].max()
        finger = np.maximum(leave, down + 1e-6)  # a hair later than the pedal, whatever rounding does to the sum
        held = together[((end - finger)[together] >= WORTH * notes["duration"][together])
                        & (up - onset[together] <= LONGEST_SUSTAIN)]
        if len(held):
            fingered["duration"][held] = (finger - onset)[held]
            pedals.append((down, up))
    return fingered, np.array(pedals).reshape(-1, 2)


def expression_curve(notes: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """Return a curve of controller 11 (expression), as a CONTROL table: each phrase swells from lowest to highest.

    For instruments that swell within a note: strings. Invariant: values lie in lowest..highest, and each phrase begins
    at the lowest; times ascend, from the first onset to the last end; no value is said twice in a row.
    """
    points = []
    groups = _groups(phrases(notes))
    begins = [notes["onset"][rows[0]] for rows in groups]
    for rows, begin, following in zip(groups, begins, [*begins[1:], np.inf]):
        end = min((notes["onset"][rows] + notes["duration"][rows]).max(), following)
        time = np.arange(begin, end, CURVE_STEP)
        value = np.rint(lowest + (highest - lowest) * _arch(time, begin, end)).astype(int)
        points += zip(time.tolist(), [EXPRESSION] * len(time), value.tolist())
    curve = np.array(points, CONTROL)
    return curve[np.diff(curve["value"], prepend=-1) != 0]


def _groups(key: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each group of equal keys, in the order of the keys."""
    order = np.argsort(key, kind="stable")
    return np.split(order, 1 + np.flatnonzero(np.diff(key[order]))) if len(key) else []


# --- all of them, by name ---------------------------------------------------------------------------------------------

def _on_notes(change: Callable) -> Callable:
    """Return a function of (track, settings, tempo_map) from one of (notes, settings, tempo_map)."""
    return lambda track, settings, tempo_map: replace(track, notes=change(track.notes, settings, tempo_map))


def _pedalled(track: Track, settings: ExpressionSettings, tempo_map: TempoMap) -> Track:
    notes, pedals = pedal_marks(sustain(track.notes, track.pedals), settings.release)
    return replace(track, notes=notes, pedals=pedals)


def _curved(track: Track, settings: ExpressionSettings, tempo_map: TempoMap) -> Track:
    others = track.controls[track.controls["number"] != EXPRESSION]
    curve = expression_curve(track.notes, settings.curve_lowest, settings.curve_highest)
    both = np.concatenate([others, curve])
    return replace(track, controls=both[np.argsort(both["time"], kind="stable")])


APPLY: dict[str, Callable[[Track, ExpressionSettings, TempoMap], Track]] = {
    "thin": _on_notes(lambda notes, amount, tempo_map: thin(notes)),
    "quantise": _on_notes(lambda notes, amount, tempo_map: quantise(notes, tempo_map, amount.grid, amount.quantise)),
    "legato": _on_notes(lambda notes, amount, tempo_map: legato(notes, amount.reach)),
    "smooth": _on_notes(lambda notes, amount, tempo_map: smooth(notes, amount.smooth)),
    "swell": _on_notes(lambda notes, amount, tempo_map: swell(notes, amount.swell)),
    "accent": _on_notes(lambda notes, amount, tempo_map: accent(notes, amount.accent)),
    "humanise": _on_notes(lambda notes, amount, tempo_map: humanise(notes, amount.humanise, amount.seed)),
    "pedal": _pedalled,
    "curve": _curved,
}


AMOUNT = {"quantise": "quantise", "legato": "reach", "smooth": "smooth", "swell": "swell", "accent": "accent",
          "humanise": "humanise", "pedal": "release"}  # name -> the field that says how much of it


def apply(track: Track, names: Iterable[str], settings: ExpressionSettings = ExpressionSettings(),
          tempo_map: TempoMap = TempoMap()) -> Track:
    """Return the track after what `names` name, done in the order of APPLY, each once.

    `tempo_map` has the song's quarters. Raises InputError for an unknown name.
    """
    names = set(names)
    if unknown := sorted(names - set(APPLY)):
        raise InputError(f"expression '{unknown[0]}' is unknown; wanted one or more of {', '.join(APPLY)}")
    for name, edit in APPLY.items():
        if name in names:
            track = edit(track, settings, tempo_map)
    return track


class Edits(NamedTuple):
    """The edits of a continuation, and how strong each is."""

    names: list[str]  # of APPLY
    settings: ExpressionSettings


def parse_edits(text: str, seed: int = 0) -> Edits:
    """Return the edits that a text such as "thin,swell=20" names; none: "". `seed` is that of humanise.

    Raises InputError.
    """
    amounts: dict[str, float] = {"seed": seed}
    parts = [part.partition("=")[::2] for part in text.split(",")] if text else []
    for name, amount in parts:
        if name not in APPLY or amount and name not in AMOUNT:
            raise SettingError(f"after {name!a}{' with an amount' * (name in APPLY)}; wanted names of "
                             f"{', '.join(APPLY)}; an amount, as in swell=20, for {', '.join(AMOUNT)}")
        if amount:
            try:
                amounts[AMOUNT[name]] = float(amount)
            except ValueError:
                raise SettingError(f"after {name}={amount!a}, wanted a number") from None
    return Edits([name for name, _ in parts], ExpressionSettings(**amounts))
