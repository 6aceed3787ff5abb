"""The example intro, composed for this project: eight bars that ask for a continuation.

    python -m benchmarks.intro data/intro.mid     writes it

A major, 88 quarter notes a minute. The chords are I V vi IV over a falling bass, twice: A E/G# F#m7 D, then
A/C# E F#m7 D, and Esus4 E, which leaves the door open. The melody is one motif, a climb from an upbeat, and its
answer, a fall; the motif comes back higher each time (e5, f#5, a5) and stays up there before the last fall.
Left hand: broken chords. Right hand: the melody, and below it chords in the rhythm 3 + 3 + 2.
"""

import os
import sys

import numpy as np

from serenity.music.midi_file import Track, write
from serenity.music.note import note_table
from serenity.music.pitch import parse_chord
from serenity.music.tempo_map import TempoMap, metres, tempos

QUARTER = 681_818  # microseconds; 88 quarter notes a minute
BEATS = 4          # quarter notes a bar

# One row a bar. Bass: six notes, on the beats of BASS_BEATS. Chords and melody: what/how many beats; "-" is a rest.
BASS_BEATS = (0, 0.5, 1, 2, 2.5, 3)
SCORE = (
    # A
    ("a2 e3 a3  a2 e3 b3", "e4c#4/1.5 e4c#4/1.5 e4c#4/1", "-/.5 a4/.5 b4/.5 c#5/.5 e5/1.5 c#5/.5"),
    # E/G#
    ("g#2 e3 g#3  g#2 b2 e3", "e4b3/1.5 e4b3/1.5 d4b3/1", "b4/1 a4/.5 g#4/.5 b4/1.5 -/.5"),
    # F#m7
    ("f#2 c#3 a3  f#2 e3 a3", "e4c#4/1.5 e4c#4/1.5 f#4c#4/1", "-/.5 a4/.5 c#5/.5 e5/.5 f#5/1.5 e5/.5"),
    # D with a ninth
    ("d2 a2 f#3  d3 f#3 a3", "f#4d4/1.5 f#4d4/1.5 e4d4/1", "e5/.5 d5/1 c#5/.5 a4/1.5 -/.5"),
    # A/C#
    ("c#3 e3 a3  c#3 a3 e3", "a4e4c#4/1.5 a4e4c#4/1.5 e4c#4/1", "-/.5 c#5/.5 e5/.5 f#5/.5 a5/1.5 e5/.5"),
    # Esus4/B, E
    ("b2 e3 a3  e2 b2 g#3", "a4e4b3/2 e4b3/1 e4b3/1", "f#5/.5 e5/1 c#5/.5 b4/1 g#4/.5 b4/.5"),
    # F#m7, F#m7/E
    ("f#2 c#3 a3  e2 c#3 a3", "a4e4c#4/2 a4e4c#4/1 a4e4c#4/1", "c#5/1 f#5/.5 g#5/.5 a5/1.5 g#5/.5"),
    # D, Esus4, E
    ("d2 a2 f#3  e2 b2 e3", "a4f#4d4/2 a4e4b3/1 g#4e4b3/1", "f#5/1 e5/.5 d5/.5 c#5/.5 b4/1.5"),
)

# How loud, as MIDI velocity. The whole swells towards the seventh bar and sinks in the last.
MELODY, CHORD, BASS = 82, 56, 58
MELODY_RISE, MELODY_MIDDLE = 0.8, 73  # a melody note is louder by so much for each semitone above c#5
SWELL = (0, -2, 1, -1, 3, 4, 8, 0)    # bar by bar
ACCENT = {0: 6, 0.5: -3, 1: 0, 1.5: 1, 2: 4, 2.5: -4, 3: -1, 3.5: -3}  # by the beat on which a note begins

LEGATO, CHORD_LENGTH = 0.95, 0.9  # share of its time that a note of the melody, or of a chord, sounds


def compose() -> np.ndarray:
    """Return the intro as a note table; the same one each time."""
    notes = []  # (bar, beat, beats, pitch, velocity)
    for bar, (bass, chords, melody) in enumerate(SCORE):
        for beat, name in zip(BASS_BEATS, bass.split()):
            half_bar = 2 if beat < 2 else BEATS  # until when it rings
            notes += [(bar, beat, half_bar - beat, pitch, BASS) for pitch in parse_chord(name)]
        for beat, beats, pitches in voice(chords):
            # the upper notes of a chord lie under the melody: they give way to it
            notes += [(bar, beat, beats * CHORD_LENGTH, pitch, CHORD - 2 * place)
                      for place, pitch in enumerate(reversed(pitches))]
        for beat, beats, [pitch] in voice(melody):
            notes.append((bar, beat, beats * LEGATO, pitch, MELODY + MELODY_RISE * (pitch - MELODY_MIDDLE)))
    seconds = QUARTER / 1e6
    return note_table(
        [(bar * BEATS + beat) * seconds for bar, beat, *_ in notes],
        [beats * seconds for _, _, beats, _, _ in notes],
        [pitch for *_, pitch, _ in notes],
        [round(velocity + SWELL[bar] + ACCENT[beat]) for bar, beat, _, _, velocity in notes],
    )


def voice(text: str):
    """Yield (beat, beats, pitches) of "-/.5 a4/.5 c#5/1"."""
    beat = 0.0
    for token in text.split():
        names, beats = token.split("/")
        if names != "-":
            yield beat, float(beats), parse_chord(names)
        beat += float(beats)


def write_file(path: str | os.PathLike) -> None:
    """Write the intro as a MIDI file."""
    write(
        path, [Track("Piano", 0, False, compose())],
        TempoMap(tempos((0.0, QUARTER)), metres((0.0, BEATS, 4))),
        texts=["Intro in A major, composed by serenity.music.intro"],  # where this module stood: recipes know the file
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("Usage: python -m benchmarks.intro OUT.mid", file=sys.stderr)
        sys.exit(2)
    write_file(sys.argv[1])
