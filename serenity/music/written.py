"""What of a song is written down: its notes on lines that can be read, in two hands and in voices.

A performance cannot be written as it was played. Each quarter is divided by halves or by thirds, whichever its onsets
are nearer to. Notes begin and end on the lines of that division, and short gaps and overlaps before the next strike of
the same hand are closed. After that nothing is changed: whoever reads the score gets the same notes back.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from serenity.music import voices as heard
from serenity.music.grid import to_grid
from serenity.music.midi_file import next_strike
from serenity.music.note import NOTE
from serenity.music.tempo_map import TempoMap

GRID = 24                  # points a quarter
UNITS = {6: 0.0, 8: 0.4, 3: 0.7, 4: 0.9}  # points between lines of a beat -> by how many points it is the worse choice
THIRDS = (8, 4)            # units that divide a quarter by three
CLOSE = 6                  # points; shorter gaps and overlaps before the next strike are closed
LEGATO = 0.7               # share of the time to the next strike from which on a note fills it
LOWEST_SPLIT, HIGHEST_SPLIT = 55, 64  # pitches between which the hands part
MOST_VOICES = 4            # of a staff
LONGEST = 16 * GRID        # points; what is held longer was forgotten


class Chord(NamedTuple):
    """Notes that are written as one: times in grid points from the song's quarter 0."""

    onset: int
    length: int
    pitches: tuple[int, ...]


Voice = list[Chord]  # one after another


def is_compound(tempo_map: TempoMap, quarter: float) -> bool:
    """Return whether a beat is three eighths where `quarter` stands."""
    metre = tempo_map.metre(quarter)
    return bool(metre["denominator"] >= 8 and metre["numerator"] % 3 == 0)


def units(points: np.ndarray, tempo_map: TempoMap) -> dict[int, int]:
    """Return the points between lines in each quarter in which something begins, by the onsets (n,) in points."""
    found = {}
    for quarter in np.unique(points // GRID).tolist():
        place = points[points // GRID == quarter] - quarter * GRID
        known = {unit: worse for unit, worse in UNITS.items()
                 if unit not in THIRDS or not is_compound(tempo_map, quarter)}
        cost = {unit: abs(place - np.rint(place / unit) * unit).mean() + worse for unit, worse in known.items()}
        found[quarter] = min(cost, key=cost.get)
    return found


def on_lines(notes: np.ndarray, tempo_map: TempoMap) -> tuple[np.ndarray, dict[int, int]]:
    """Return notes as a GRID_NOTE table of which every onset and end can be written, and the units of the quarters."""
    table, _ = to_grid(notes, tempo_map, GRID)
    unit = units(table["onset"], tempo_map)
    end = np.rint(tempo_map.quarters(notes["onset"] + notes["duration"]) * GRID).astype(int)
    onset = _snapped(table["onset"], unit)
    step = np.array([unit.get(quarter, 6) for quarter in (onset // GRID).tolist()], int)
    table["duration"] = np.clip(_snapped(end, unit) - onset, step, LONGEST)
    table["onset"] = onset
    order = np.lexsort((-table["duration"], table["pitch"], onset))
    table = table[order]
    is_new = (np.diff(table["onset"], prepend=-1) != 0) | (np.diff(table["pitch"], prepend=-1) != 0)
    return table[is_new], unit


def _snapped(points: np.ndarray, unit: dict[int, int]) -> np.ndarray:
    step = np.array([unit.get(quarter, 6) for quarter in (points // GRID).tolist()], int)
    whole = points // GRID * GRID
    return whole + np.rint((points - whole) / np.maximum(step, 1)).astype(int) * step


# --- hands and voices -------------------------------------------------------------------------------------------------

def is_left(table: np.ndarray, seconds_a_quarter: float = 0.5) -> np.ndarray:
    """Return which notes of a piano the left hand plays, (notes,) bool, by how they are heard."""
    notes = np.zeros(len(table), NOTE)
    for name in ("onset", "duration"):
        notes[name] = table[name] * seconds_a_quarter / GRID
    notes["pitch"], notes["velocity"] = table["pitch"], table["velocity"]
    voice, pitch, strike = heard.voices(notes), table["pitch"].astype(int), table["onset"]
    split = np.empty(len(table))
    for onset in np.unique(strike).tolist():
        together = pitch[(strike >= onset - 2 * GRID) & (strike <= onset + 2 * GRID)]
        split[strike == onset] = np.clip((together.min() + together.max()) / 2, LOWEST_SPLIT, HIGHEST_SPLIT)
    return (voice == heard.BASS) & (pitch < HIGHEST_SPLIT) | (voice != heard.BASS) & (pitch < split)


def staves_of(table: np.ndarray, has_hands: bool) -> list[np.ndarray]:
    """Return the notes of each staff: both hands, or all in one. A note is over where its key is struck again."""
    left = is_left(table) if has_hands else np.zeros(len(table), bool)
    parts = [_closed(part) for part in (table[~left], table[left])[:1 + has_hands]]
    onset, pitch = (np.concatenate([part[name] for part in parts]) for name in ("onset", "pitch"))
    again = np.split(next_strike(onset, pitch) - onset, [len(parts[0])])
    for part, apart in zip(parts, again):
        part["duration"] = np.minimum(part["duration"], apart)
    return parts


def voices_of(table: np.ndarray) -> list[Voice]:
    """Return the notes of one staff, in the order of onsets, as voices; in each one chord is over before the next."""
    voices = []
    for chord in _chords(table):
        free = [voice for voice in voices if voice[-1].onset + voice[-1].length <= chord.onset]
        if free:
            free[0].append(chord)
        elif len(voices) < MOST_VOICES:
            voices.append([chord])
        else:
            _push(voices, chord)
    return voices


def _push(voices: list[Voice], chord: Chord) -> None:
    """Put a chord into a voice although none is free: that which ends first is cut, where the chord begins.

    If each of them begins a chord at the same time, the two chords become one.
    """
    voice = min(voices, key=lambda voice: (voice[-1].onset == chord.onset, voice[-1].onset + voice[-1].length))
    last = voice[-1]
    if last.onset == chord.onset:
        voice[-1] = last._replace(pitches=tuple(sorted({*last.pitches, *chord.pitches})))
    else:
        voice[-1] = last._replace(length=chord.onset - last.onset)
        voice.append(chord)


def _closed(table: np.ndarray) -> np.ndarray:
    """Return notes whose short gaps and overlaps before a strike are closed."""
    table, onsets = table.copy(), np.unique(table["onset"])
    if not len(table):
        return table
    onset, end = table["onset"], table["onset"] + table["duration"]
    after = np.searchsorted(onsets, end)
    near = onsets[np.clip([after - 1, after], 0, len(onsets) - 1)]  # the strikes around each end
    near = np.where(abs(near[0] - end) <= abs(near[1] - end), near[0], near[1])
    end = np.where((abs(near - end) < CLOSE) & (near > onset), near, end)
    following = onsets[np.minimum(np.searchsorted(onsets, onset, side="right"), len(onsets) - 1)]
    is_legato = (end < following) & (end - onset >= LEGATO * (following - onset))
    table["duration"] = np.where(is_legato, following, end) - onset
    return table


def _chords(table: np.ndarray) -> Iterator[Chord]:
    """Yield the chords of notes in the order of their onsets; of one onset the higher one first."""
    for onset in np.unique(table["onset"]).tolist():
        struck = table[table["onset"] == onset]
        groups = [struck[struck["duration"] == length] for length in np.unique(struck["duration"])]
        for group in sorted(groups, key=lambda group: -int(group["pitch"].max())):
            yield Chord(onset, int(group["duration"][0]), tuple(sorted(set(group["pitch"].tolist()))))


# --- bars -------------------------------------------------------------------------------------------------------------

SIMPLE, COMPOUND = (96, 72, 48, 24), (144, 72, 36)  # lengths of whole beats that one note can have
PARTS = (24, 18, 12, 9, 6, 3, 1)    # and of parts of a beat that is divided by halves
THIRD_PARTS = (24, 16, 8, 4, 2, 1)  # and by thirds


def pieces(begin: int, end: int, line: int, beat: int, unit: dict[int, int]) -> list[tuple[int, int]]:
    """Return the (onset, length) of the notes that are tied into one from `begin` to `end`, in one bar, points.

    The bar begins at `line`. A beat is a quarter, or three eighths where the metre is compound: GRID or 36 points.
    """
    found = []
    while begin < end:
        place = (begin - line) % beat
        if place == 0 and end - begin >= beat:
            length = next(length for length in (SIMPLE if beat == GRID else COMPOUND) if length <= end - begin)
        elif 2 * place == beat == GRID == end - begin:  # a syncopation
            length = beat
        else:
            length = _part(begin, min(end, begin - place + beat), unit.get(begin // GRID, 6) in THIRDS)
        found.append((begin, length))
        begin += length
    return found


def _part(begin: int, end: int, is_thirds: bool) -> int:
    """Return the length of the first piece of a part of a beat."""
    if is_thirds and (end % 8 or begin % 8) and end // 8 > begin // 8:
        end = (begin // 8 + 1) * 8 if begin % 8 else end // 8 * 8
    return next(length for length in (THIRD_PARTS if is_thirds else PARTS) if length <= end - begin)
