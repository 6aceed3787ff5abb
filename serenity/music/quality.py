"""Quality: which songs are worth learning from. Each filter is a named measure with a range, all in one table.

`measure` takes a song's measures, `judge` compares them with the table: a song is kept where each is in its range and
the score, one number of how much it is like pop and soft rock, is high enough. To filter otherwise, change a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import numpy as np

from serenity.categories import category_named
from serenity.music import harmony
from serenity.music.measures import polyphony, runs
from serenity.music.note import end_time
from serenity.music.voices import STRIKE, strike_starts

LONGEST_FIGURE = 64  # strikes; a figure so long or shorter that goes round at once is a loop
BINS = 4         # an octave of time, so that steps and durations are told apart by a fifth of their length at any tempo


@dataclass(frozen=True)
class Measure:
    """One filter: the range in which a song is kept, and how much the measure says for pop."""

    what: str
    lowest: float = -inf
    highest: float = inf
    weight: float = 0.0   # of the measure in the score
    typical: float = 0.0  # the mean of pop songs
    spread: float = 1.0   # their standard deviation; below 0 where less of it is more pop


# The ranges let everything pass that is music. The score tells pop from other music by harmony and register only, so
# it does not depend on whether a file was played or notated. Its weights are those of a logistic regression of every
# second song of POP909 against every second Palestrina, Monteverdi, trecento and Bach score of music21's corpus and
# performance of ASAP; docs/songs.md has what it does with the others, and the command.
MEASURES = {
    # plausibility
    "seconds": Measure("length", 30, 900),
    "notes": Measure("number of notes", 100, 20_000),
    "notes_per_second": Measure("density", 1, 25),
    "polyphony": Measure("notes that sound together, mean while any does", 1.15, 40),
    "out_of_range": Measure("share of notes outside of the instrument's range", 0, 0.02),
    "longest_silence": Measure("seconds without a sound", 0, 15),
    "longest_repeat": Measure("share of strikes in the longest figure that goes round", 0, 0.5),
    # attribute variance
    "pitch_entropy": Measure("bits, over pitches", 3, 6.3),
    "pitch_spread": Measure("semitones, standard deviation", 5, 22, 1.9, 10.3, 1.4),
    "step_entropy": Measure("bits, over steps in quarter octaves of time", 0.05, 4.5),
    "step_spread": Measure("octaves of time, standard deviation", 0.05, 2.5),
    "duration_entropy": Measure("bits, over durations in quarter octaves of time", 0.7, 5),
    "duration_spread": Measure("octaves of time, standard deviation", 0.25, 2.5),
    "velocity_entropy": Measure("bits, over velocities; a file without dynamics has 0, which is no fault", 0, 6.5),
    "velocity_spread": Measure("MIDI velocities, standard deviation", 0, 34),
    # harmony
    "key_confidence": Measure("correlation with the key's profile", 0.55),
    "diatonic_chords": Measure("share of time on triads of the scale", 0.3, inf, 0.4, 0.902, 0.11),
    "plain_chords": Measure("share of time on triads and sevenths, neither diminished nor augmented", 0.75),
    "chord_fit": Measure("share of what sounds that belongs to its chord", 0.5, inf, 0.7, 0.905, 0.031),
    "root_in_bass": Measure("share of time in root position", 0.2, inf, 1.3, 0.927, 0.084),
    "chords_per_minute": Measure("harmonic rhythm", 4, 120, 0.9, 25.6, -5.8),
    "pop_changes": Measure("share of chord changes inside common pop and rock progressions", 0, inf, 1.4, 0.608, 0.24),
    "main_progression": Measure("share of time in the song's commonest progression of four", 0, inf, 0.8, 0.369, 0.15),
}
LOWEST_SCORE = -1.0
_BASE = 6.0            # score of a typical pop song
CREDIT = (-3.0, 1.0)  # spreads from typical that count: nothing is the more pop for being extreme


@dataclass(frozen=True)
class Verdict:
    """Whether a song is kept, the first reason against it (None: none), and its score: log odds, higher is more pop."""

    kept: bool
    reason: str | None
    score: float


def judge(measures: Mapping[str, float]) -> Verdict:
    """Return the verdict on a song by its measures."""
    points = score(measures)
    for name, row in MEASURES.items():
        if not row.lowest <= measures[name] <= row.highest:
            return Verdict(False, f"{name} {measures[name]:.3g}, wanted {wanted(row)}", points)
    if points < LOWEST_SCORE:
        return Verdict(False, f"score {points:.1f}, wanted {LOWEST_SCORE:g} or more: harmony or register unlike pop",
                       points)
    return Verdict(True, None, points)


def score(measures: Mapping[str, float]) -> float:
    """Return how much a song is like pop: the log odds of a logistic regression."""
    return _BASE + sum(credit(name, measures[name]) for name in MEASURES)


def credit(name: str, value: float) -> float:
    """Return what one measure adds to the score."""
    row = MEASURES[name]
    return row.weight * min(max((value - row.typical) / row.spread, CREDIT[0]), CREDIT[1])


def wanted(row: Measure) -> str:
    """Return a row's range in words."""
    if row.highest == inf:
        return f"{row.lowest:g} or more"
    return f"{row.lowest:g} to {row.highest:,g}"


def measure(notes: np.ndarray, struck: np.ndarray, chords: np.ndarray, key: harmony.Key,
            category: str = "piano") -> dict[str, float]:
    """Return the measures of a song, by their names in MEASURES.

    Args: notes, as they sound (with the pedal); struck, the same as the fingers left them; chords and key, as
    harmony.find_chords and find_key give them for it; category, a row of categories.CATEGORIES. Notes: one or more.
    """
    return _plausibility(notes, category) | _variance(struck) | _harmony(chords, key)


def _plausibility(notes: np.ndarray, category: str) -> dict[str, float]:
    instrument = category_named(category)
    seconds = end_time(notes) - float(notes["onset"][0])
    sounding_until = np.maximum.accumulate(notes["onset"] + notes["duration"])
    silence = np.maximum(notes["onset"][1:] - sounding_until[:-1], 0)
    return {
        "seconds": seconds,
        "notes": len(notes),
        "notes_per_second": len(notes) / seconds,
        "polyphony": polyphony(notes),
        "out_of_range": float(np.mean((notes["pitch"] < instrument.lowest) | (notes["pitch"] > instrument.highest))),
        "longest_silence": float(silence.max(initial=0)),
        "longest_repeat": longest_loop(chord_numbers(notes)),
    }


def _variance(struck: np.ndarray) -> dict[str, float]:
    onsets = np.unique(struck["onset"])
    steps = np.diff(onsets)
    step = BINS * np.log2(steps[steps > STRIKE])
    duration = BINS * np.log2(np.maximum(struck["duration"], 0.01))
    return {
        "pitch_entropy": entropy(struck["pitch"]), "pitch_spread": float(struck["pitch"].std()),
        "step_entropy": entropy(np.rint(step)), "step_spread": float(step.std() / BINS) if len(step) else 0.0,
        "duration_entropy": entropy(np.rint(duration)), "duration_spread": float(duration.std() / BINS),
        "velocity_entropy": entropy(struck["velocity"]), "velocity_spread": float(struck["velocity"].std()),
    }


def _harmony(chords: np.ndarray, key: harmony.Key) -> dict[str, float]:
    seconds = chords["end"] - chords["start"]
    triads, triad_seconds = harmony.triads(chords, key)
    plain = [harmony.QUALITY_NAMES.index(name) for name in ("maj", "min", "7", "maj7", "min7")]

    def share(mask: np.ndarray, weights: np.ndarray) -> float:
        return float((mask * weights).sum() / weights.sum())

    changes = harmony.in_progressions(triads)
    return {
        "key_confidence": key.confidence,
        "diatonic_chords": share(np.isin(triads, list(harmony.DIATONIC)), triad_seconds),
        "plain_chords": share(np.isin(chords["quality"], plain), seconds),
        "chord_fit": share(chords["fit"], seconds),
        "root_in_bass": share(chords["bass"] == chords["root"], seconds),
        "chords_per_minute": 60 * len(chords) / float(seconds.sum()),
        "pop_changes": float(changes.mean()) if len(changes) else 0.0,
        "main_progression": harmony.commonest_progression(triads, triad_seconds)[1],
    }


def chord_numbers(notes: np.ndarray) -> np.ndarray:
    """Return which strikes of a song are the same chord: (strikes,) numbers, equal where the pitches are."""
    first = strike_starts(notes)
    chords = [tuple(sorted(set(part))) for part in np.split(notes["pitch"].tolist(), first[1:])]
    numbers = {}
    return np.array([numbers.setdefault(chord, len(numbers)) for chord in chords])


def longest_loop(numbers: np.ndarray, longest: int = LONGEST_FIGURE) -> float:
    """Return the share of a sequence (n,) that lies in the longest figure that goes round at least once more.

    A figure has at most `longest` members. "c g c g c g d" is 6/7 loop; a single repetition, "c c", counts as well.
    """
    most = 0
    for period in range(1, min(longest, len(numbers) // 2) + 1):
        _, lengths = runs(numbers[period:] == numbers[:-period])
        run = int(lengths.max(initial=0))
        if run >= period:
            most = max(most, run + period)
    return most / max(len(numbers), 1)


def entropy(values: np.ndarray) -> float:
    """Return the entropy of values (n,) in bits (Shannon 1948, section 6); 0 for none."""
    if not len(values):
        return 0.0
    share = np.unique(values, return_counts=True)[1] / len(values)
    return max(float(-(share * np.log2(share)).sum()), 0.0)
