"""Voices: how a song is heard. What is struck together, who plays what, over which harmony, in which phrase.

* A **strike** is notes struck together: each at most STRIKE after the one before.
* The **melody** is the top voice. A note on top of its strike, in the upper part of what is heard around it; the top
  note of each harmony; and all of a harmony that is played by one voice.
* The **bass** is the lowest note of a strike, at the bottom of what is heard around it and of the bass that is held.
  The rest are **inner** notes.
* A **harmony** lasts from one bass note to the next of another pitch class, at least about a beat: the chord that a
  broken chord is the breaking of.
* A **phrase** ends where the melody falls silent, or holds a note, for long: proximity, the strongest sign of grouping
  (Lerdahl & Jackendoff, "A Generative Theory of Tonal Music", 1983, rule GPR 2). Long is measured by the melody's usual
  time from strike to strike.
"""

from dataclasses import dataclass

import numpy as np

from serenity.music.note import HIGHEST_PITCH
from serenity.music.pitch import OCTAVE

STRIKE = 0.04          # seconds: chords are rolled, and voices are not exact
AROUND = 1.0           # seconds before and after, in which melody and bass are heard as high and low
UPPER = 0.6            # share of the range around, from below, above which a top note is melody
BASS_REACH = 6         # semitones above the lowest note around, up to which a lowest note is bass
BEAT = 0.4             # seconds; shortest harmony
LONGEST_HARMONY = 2.5  # seconds; then a new one begins at the next strike

SILENCE = 1.0  # a phrase ends where the melody is silent for so many of its usual times from strike to strike,
HELD = 3.0     # or where so many pass before its next note,
SHORTEST = 4   # once it has so many strikes

MELODY, BASS, INNER = range(3)


@dataclass(frozen=True, eq=False)
class Heard:
    """A song as it is heard. n notes, s strikes, both in the order of time."""

    strike: np.ndarray   # (n,) int: of each note, from 0
    voice: np.ndarray    # (n,) int: MELODY, BASS or INNER
    harmony: np.ndarray  # (s,) int: of each strike, from 0


# --- strikes ----------------------------------------------------------------------------------------------------------

def strike_starts(notes: np.ndarray, within: float = STRIKE) -> np.ndarray:
    """Return the row at which each strike begins: (strikes,). Notes within so many seconds are struck together."""
    return np.flatnonzero(np.diff(notes["onset"], prepend=-np.inf) > within)


def strikes(notes: np.ndarray) -> np.ndarray:
    """Return each note's strike, counted from 0: (notes,) int."""
    return np.cumsum(np.diff(notes["onset"], prepend=notes["onset"][:1]) > STRIKE)


# --- voices -----------------------------------------------------------------------------------------------------------

def hear(notes: np.ndarray) -> Heard:
    """Return how a note table is heard.

    The notes of the melody in one strike have one pitch, and so have those of the bass. The highest note of all is
    melody; the lowest is melody or bass.
    """
    at, first, pitch = strikes(notes), strike_starts(notes), notes["pitch"].astype(int)
    if not len(notes):
        return Heard(at, at, at)
    onset, lowest, highest = notes["onset"][first], np.minimum.reduceat(pitch, first), np.maximum.reduceat(pitch, first)
    begin, end = np.searchsorted(onset, onset - AROUND), np.searchsorted(onset, onset + AROUND, side="right")
    high, low = _window_max(highest, begin, end), -_window_max(-lowest, begin, end)
    upper = low + UPPER * (high - low)
    ends = np.maximum.reduceat(np.where(pitch == lowest[at], notes["onset"] + notes["duration"], 0), first)
    has_bass = (lowest < upper) & _has_bass(onset, lowest, ends, low)

    harmony = _harmonies(onset, np.where(has_bass, lowest % OCTAVE, -1))
    top = np.maximum.reduceat(highest, np.flatnonzero(np.diff(harmony, prepend=-1)))
    is_melody = (pitch == highest[at]) & (pitch >= upper[at])
    is_melody |= (pitch == top[harmony][at]) | ~_in_voices(notes, at, harmony)[harmony][at]
    is_bass = (pitch == lowest[at]) & has_bass[at]
    return Heard(at, np.where(is_melody, MELODY, np.where(is_bass, BASS, INNER)), harmony)


def voices(notes: np.ndarray) -> np.ndarray:
    """Return each note's voice, MELODY, BASS or INNER: (notes,) int."""
    return hear(notes).voice


def _window_max(values: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the maximum of values[begin:end] for each pair, from the maxima over stretches of powers of two."""
    power = np.frexp(end - begin)[1] - 1  # two stretches of 2**power cover each window
    table = [values]
    for half in 2 ** np.arange(power.max()):
        table.append(np.maximum(table[-1], np.append(table[-1][half:], np.full(half, values.min()))))
    table = np.array(table)
    return np.maximum(table[power, begin], table[power, end - 2**power])


def _has_bass(onset: np.ndarray, lowest: np.ndarray, ends: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return whether each strike's lowest note is near the lowest around it, of those struck and of the bass held."""
    held, until, result = HIGHEST_PITCH, 0.0, []
    for time, pitch, end, around in zip(onset.tolist(), lowest.tolist(), ends.tolist(), low.tolist()):
        result.append(pitch <= BASS_REACH + (min(held, around) if until > time + STRIKE else around))
        if result[-1]:
            held, until = pitch, end
    return np.array(result)


def _in_voices(notes: np.ndarray, strike: np.ndarray, harmony: np.ndarray) -> np.ndarray:
    """Return in which harmonies a note begins with another or while another sounds: (harmonies,) bool."""
    ends = np.maximum.accumulate(notes["onset"] + notes["duration"])
    is_voice = (ends[:-1] > notes["onset"][1:] + STRIKE) | (np.diff(strike) == 0)
    return np.bincount(harmony[strike][1:][is_voice], minlength=harmony[-1] + 1) > 0


def _harmonies(onset: np.ndarray, bass: np.ndarray) -> np.ndarray:
    """Return the harmony of each strike. `bass`: pitch class of the bass note struck, -1 for none."""
    harmony, start, sounding, result = 0, onset[0], -1, []
    for time, pitch_class in zip(onset.tolist(), bass.tolist()):
        age = time - start
        if age >= LONGEST_HARMONY or (age >= BEAT and pitch_class not in (-1, sounding)):
            harmony, start, sounding = harmony + 1, time, pitch_class
        elif sounding == -1:
            sounding = pitch_class
        result.append(harmony)
    return np.array(result)


# --- phrases ----------------------------------------------------------------------------------------------------------

def phrases(notes: np.ndarray) -> np.ndarray:
    """Return each note's phrase, counted from 0: (notes,) int, ascending; the notes of one strike share it."""
    heard = hear(notes)
    melody = np.flatnonzero(heard.voice == MELODY)
    melody = melody[np.diff(heard.strike[melody], prepend=-1) > 0]  # one of each strike
    if len(melody) < 2:
        return np.zeros(len(notes), int)
    onset, end = notes["onset"][melody], (notes["onset"] + notes["duration"])[melody]
    apart = np.diff(onset)
    usual = np.median(apart)
    silence = onset[1:] - np.maximum.accumulate(end)[:-1]
    starts = [0]
    for following in 1 + np.flatnonzero((silence >= SILENCE * usual) | (apart >= HELD * usual)):
        if following - starts[-1] >= SHORTEST:
            starts.append(int(following))
    return np.searchsorted(heard.strike[melody[starts[1:]]], heard.strike, side="right")
