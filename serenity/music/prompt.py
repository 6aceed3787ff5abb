"""The prompt: the part of a seed that is continued, and the seed cut down to that part."""

import math
from dataclasses import replace

import numpy as np

from serenity.errors import InputError
from serenity.music import chunks
from serenity.music.chunks import Chunks
from serenity.music.midi_file import Score, Track
from serenity.music.tempo_map import NEAR, TempoMap


def choose_events(onset: np.ndarray, first: int | None = None, last: int | None = None,
                  seconds: tuple[float, float] | None = None) -> slice:
    """Return which events are the prompt: the `first` so many, the `last` so many, those that begin in the time from
    seconds[0] up to seconds[1], or, where nothing is said, all. InputError where none begins in that time.

    `onset` (events,) are the seconds at which they begin.
    """
    if first is not None:
        return slice(0, min(first, len(onset)))
    if last is not None:
        return slice(max(len(onset) - last, 0), len(onset))
    if seconds is None:
        return slice(0, len(onset))
    chosen = slice(*np.searchsorted(onset, seconds).tolist())
    if chosen.start == chosen.stop:
        raise InputError(f"nothing begins from {seconds[0]:g} s up to {seconds[1]:g} s; wanted a part of "
                         f"{onset[0]:.1f} s to {onset[-1]:.1f} s")
    return chosen


def cut_times(onset: np.ndarray, chosen: slice) -> tuple[float, float]:
    """Return between which times, seconds, the chosen of events at `onset` (events,) stand: half way to the neighbours
    left out.

    Where nothing is left out it is -inf or inf. Events of one strike cannot be told apart by time; all of them count.
    """
    before, after = onset[onset < onset[chosen.start]], onset[onset > onset[chosen.stop - 1]]
    start = (before[-1] + onset[chosen.start]) / 2 if chosen.start and len(before) else -np.inf
    end = (after[0] + onset[chosen.stop - 1]) / 2 if chosen.stop < len(onset) and len(after) else np.inf
    return float(start), float(end)


def excerpt(score: Score, start: float, end: float) -> tuple[Score, float]:
    """Return the score with only what begins from `start` up to `end`, and the seconds taken off its beginning.

    Notes, pedals, tempo changes and time signatures alike. Where `start` cuts, the excerpt begins with the bar in
    which its first note stands, so that bars line up and nobody waits.
    """
    tracks = tuple(cut for track in score.tracks if len((cut := cut_track(track, start, end)).notes))
    if not tracks:  # the events on either side stand so near that no note is between them
        raise InputError("the prompt holds no note of its own; wanted more of the seed")
    clock = score.tempo_map
    if end < np.inf:
        last = clock.quarters(end)
        clock = replace(clock, tempos=clock.tempos[clock.tempos["start"] <= last],
                        metres=clock.metres[clock.metres["start"] < last])
    if start == -np.inf:
        return replace(score, tracks=tracks, tempo_map=clock), 0.0
    line = _line_before(clock, min(track.notes["onset"][0] for track in tracks)) / clock.ticks_per_quarter
    begin = float(clock.seconds(line))
    tracks = tuple(replace(track, notes=_moved(track.notes, "onset", begin),
                           pedals=np.maximum(track.pedals - begin, 0), controls=_controls(track.controls, begin))
                   for track in tracks)
    return replace(score, tracks=tracks, tempo_map=clock.counted_from(line).moved(-begin)), begin


def cut_file(score: Score, start: float, end: float) -> tuple[Chunks, float]:
    """Return the chunks of the score's file with only what begins from `start` up to `end`, seconds, in all its tracks,
    and the seconds taken off its beginning, as `excerpt` does. See chunks.cut.
    """
    clock = score.tempo_map
    onsets = np.concatenate([track.notes["onset"] for track in score.tracks])
    inside = onsets[(onsets >= start) & (onsets < end)]
    if not len(inside):  # the events on either side stand so near that no note is between them
        raise InputError("the prompt holds no note of its own; wanted more of the seed")
    begin = 0 if start == -np.inf else _line_before(clock, inside.min())
    low, high = (None if abs(time) == np.inf else math.ceil(clock.quarters(time) * clock.ticks_per_quarter - NEAR)
                 for time in (start, end))
    return chunks.cut(score.chunks, begin, max(low or 0, begin), high), float(clock.seconds_of_ticks(begin))


def _line_before(clock: TempoMap, seconds: float) -> int:
    """Return the tick of the line with which the bar begins that is heard at `seconds`."""
    return round(float(clock.bar_line(clock.bars(clock.quarters(seconds))[0])) * clock.ticks_per_quarter)


def cut_track(track: Track, start: float, end: float) -> Track:
    """Return the track with only the notes, controls and parts of pedals from `start` up to `end`, seconds.

    A controller keeps the value that it had at `start`.
    """
    notes, pedals = track.notes[track.notes["onset"] >= start], np.clip(track.pedals, start, end)
    return replace(track, notes=notes[notes["onset"] < end], pedals=pedals[pedals[:, 0] < pedals[:, 1]],
                   controls=track.controls[track.controls["time"] < end])


def _from(changes: np.ndarray, begin: float) -> np.ndarray:
    """Return changes of a controller as they hold from `begin` on, which becomes 0 s."""
    before = int(np.searchsorted(changes["time"], begin + 1e-9, side="right"))
    changes = _moved(changes[max(before - 1, 0):], "time", begin)
    if before:
        changes["time"][0] = 0.0
    return changes


def _controls(controls: np.ndarray, begin: float) -> np.ndarray:
    """Return the moves of controllers from `begin` on, which becomes 0 s; what each was set to before holds there."""
    parts = [_from(controls[controls["number"] == number], begin) for number in np.unique(controls["number"])]
    controls = np.concatenate([controls[:0], *parts])
    return controls[np.argsort(controls["time"], kind="stable")]


def _moved(table: np.ndarray, column: str, seconds: float) -> np.ndarray:
    table = table.copy()
    table[column] -= seconds
    return table
