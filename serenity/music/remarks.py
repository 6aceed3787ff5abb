"""What can be said of a continuation in words, each with the numbers behind it: "as dense as your intro".

The seed is called the intro, as its player would. Bars are numbered as in a DAW.
"""

from typing import NamedTuple

import numpy as np

from serenity.music.harmony import Key, pitch_class_weights
from serenity.music.measures import MAJOR, bar_lines, copied_bars, return_profile, runs
from serenity.music.nearness import Collapse, Nearness, notes_a_quarter
from serenity.music.pitch import OCTAVE
from serenity.music.tempo_map import NEAR, TempoMap
from serenity.music.voices import MELODY, voices

AS_DENSE = 1.25   # times as dense: up to there nobody hears a difference
SAME_REGISTER = 3.0  # semitones between the mean pitches; the same
RHYTHMS = (0.7, 0.45)  # shares of the steps in common: the intro's rhythm, and one like it
MINOR = (0, 2, 3, 5, 7, 8, 9, 10, 11)  # semitones above the tonic, with the raised sixth and seventh
OUTSIDE = 0.25    # share of what sounds in a bar that is no note of the key: the bar is outside
AWAY = 2          # bars outside in a row that leave the key
MOST_BARS = 16    # after which a bar may come back
RETURN = 0.25     # of a bar that is the same: then it comes back
LOWEST_SHARE = 10  # per cent of the intro's melody that may lie below what counts as its register
LONG = 3          # bars in a row without a note so high, and more than in the intro: the melody is gone
COPIED = 0.5      # share of the bars that are as one of the intro's
COLLAPSE = "collapse"  # what the remark is about that a page marks the song with
COLLAPSES = {"thin": "thins out from bar {} on", "thick": "thickens from bar {} on",
             "specks": "breaks up into specks from bar {} on",
             "few chords": "goes round in a few chords from bar {} on",
             "off the beat": "leaves the beat from bar {} on",
             "same bars": "goes round in a bar or two from bar {} on"}


class Remark(NamedTuple):
    """One thing that can be said."""

    about: str    # in a word: "density"
    words: str
    numbers: str  # behind the words


def remarks(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap, key: Key, near: Nearness,
            collapse: Collapse | None) -> list[Remark]:
    """Return what can be said of the notes `made` after the notes `before`, in the intro's key.

    `near` and `collapse` are what serenity.music.nearness finds of them.
    """
    found = [_density(before, made, tempo_map), _register(before, made), _melody(before, made, tempo_map),
             _rhythm(near), _in_key(made, tempo_map, key), _returns(made, tempo_map), _copied(before, made, tempo_map)]
    return [*found, _collapsed(collapse, tempo_map)] if collapse else found


def _density(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> Remark:
    was, is_now = (notes_a_quarter(notes, tempo_map) for notes in (before, made))
    ratio = is_now / was
    words = "as dense as your intro" if 1 / AS_DENSE <= ratio <= AS_DENSE else (
        f"{ratio:.1f} times as dense as your intro")
    return Remark("density", words, f"{is_now:.1f} notes a quarter, your intro {was:.1f}")


def _register(before: np.ndarray, made: np.ndarray) -> Remark:
    was, is_now = (float(notes["pitch"].mean()) for notes in (before, made))
    apart = round(abs(is_now - was))
    words = "in the register of your intro" if abs(is_now - was) < SAME_REGISTER else (
        f"{apart} semitones {'above' if is_now > was else 'below'} your intro")
    return Remark("register", words, f"middle pitch {is_now:.0f}, your intro {was:.0f}")


def _melody(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> Remark:
    lowest = np.percentile(before["pitch"][voices(before) == MELODY], LOWEST_SHARE)
    was, is_now = (_sung(notes, lowest, tempo_map) for notes in (before, made))
    (_, longest_before), (first, longest) = _longest_run(~was), _longest_run(~is_now)
    begin = tempo_map.bar_name(bar_lines(made, tempo_map)[first])
    words = (f"without melody in bars {begin} to {begin + longest - 1}" if longest >= max(LONG, longest_before + 1) else
             "with a melody as in your intro")
    return Remark("melody", words, f"{is_now.mean():.0%} of the bars have notes in its register, in your intro "
                                   f"{was.mean():.0%}")


def _sung(notes: np.ndarray, lowest: float, tempo_map: TempoMap) -> np.ndarray:
    """Return in which bars a note as high as `lowest`, or higher, sounds: (bars,) bool."""
    lines, high = bar_lines(notes, tempo_map), notes[notes["pitch"] >= lowest]
    ends = high["onset"] + high["duration"]
    return ((high["onset"] < lines[1:, None] - NEAR) & (ends > lines[:-1, None] + NEAR)).any(axis=1)


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Return where the longest run of flags (n,) that are set begins, and how long it is; 0, 0 where none is."""
    begins, lengths = runs(flags)
    if not len(lengths):
        return 0, 0
    longest = int(lengths.argmax())
    return int(begins[longest]), int(lengths[longest])


def _copied(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> Remark:
    copies, bars = copied_bars(before, made, tempo_map)
    words = ("mostly bars of your intro again" if copies > COPIED * bars else
             "new bars, and some of your intro" if copies else "new bars")
    return Remark("bars", words, f"{copies} of {bars} are as one of your intro")


def _rhythm(near: Nearness) -> Remark:
    the_same, alike = RHYTHMS
    words = ("in the rhythm of your intro" if near.rhythm >= the_same else
             "in a rhythm like that of your intro" if near.rhythm >= alike else "in another rhythm than your intro")
    return Remark("rhythm", words, f"{near.rhythm:.0%} of the times from strike to strike in common")


def _in_key(made: np.ndarray, tempo_map: TempoMap, key: Key) -> Remark:
    lines = bar_lines(made, tempo_map)
    outside = outside_key(made, lines, key)
    bar = first_away(outside)
    words = f"stays in {key.name}" if bar is None else f"leaves {key.name} in bar {tempo_map.bar_name(lines[bar])}"
    return Remark("key", words, f"{np.mean(outside < OUTSIDE):.0%} of the bars are in it")


def outside_key(notes: np.ndarray, lines: np.ndarray, key: Key) -> np.ndarray:
    """Return the share of what sounds in each bar that is no note of the key: (bars,); 0 where nothing sounds.

    `lines` (bars + 1,) are the seconds of the bar lines.
    """
    scale = (np.array(MAJOR if key.mode == "major" else MINOR) + key.tonic) % OCTAVE
    weights, _ = pitch_class_weights(notes, lines)
    whole = weights.sum(axis=1)
    return (whole - weights[:, scale].sum(axis=1)) / np.where(whole, whole, 1)


def first_away(outside: np.ndarray) -> int | None:
    """Return the first of AWAY bars in a row that are outside of the key, by their shares (bars,); None: there is none.
    """
    is_away = outside >= OUTSIDE
    return next((bar for bar in range(len(is_away) + 1 - AWAY) if is_away[bar:bar + AWAY].all()), None)


def _returns(made: np.ndarray, tempo_map: TempoMap) -> Remark:
    profile = np.nan_to_num(return_profile(made, tempo_map, MOST_BARS))
    ago = int(profile.argmax()) + 1
    words = "bars seldom come back" if profile.max() < RETURN else (
        "a bar comes back at once" if ago == 1 else f"a bar comes back every {ago} bars")
    return Remark("form", words, f"{profile.max():.0%} of a bar is as it was {ago} bar{'s' * (ago > 1)} before")


def _collapsed(collapse: Collapse, tempo_map: TempoMap) -> Remark:
    return Remark(COLLAPSE, COLLAPSES[collapse.why].format(tempo_map.bar_name(collapse.begin)),
                  f"at {collapse.begin:.0f} s")
