"""Seed and continuation as tracks of one file, and the continuation as loud as the seed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from serenity.music.midi_file import CONTROL, Track, sustain
from serenity.music.note import merge_tables
from serenity.music.prompt import cut_track

CONTINUATION, SEED = "continuation", "seed"  # names of tracks
FEWEST = 16  # notes whose velocities show how loud and soft a song is
MIX = (7, 10, 91, 93)  # controllers that set up a track once: volume, pan, reverb, chorus


def continuation_track(seed: Sequence[Track], notes: np.ndarray) -> Track:
    """Return the notes of a continuation as a track that sounds as the seed's first one: its program and its mix."""
    first = seed[0]
    controls = [first.controls[first.controls["number"] == number][:1] for number in MIX]
    controls = np.concatenate([np.empty(0, CONTROL), *controls])
    controls["time"] = 0.0
    return Track(CONTINUATION, first.program, False, notes, controls=controls)


def trim(track: Track, end: float) -> Track:
    """Return the track without what sounds at `end`, seconds, or later: the notes that still sound end there."""
    track = cut_track(track, -np.inf, end)
    notes = track.notes.copy()
    notes["duration"] = np.minimum(notes["duration"], end - notes["onset"])
    return replace(track, notes=notes)


def match_velocities(notes: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the notes with the velocities of `reference`, each as often as there; the louder note stays the louder.

    Quantile matching: a note at the p-th quantile of the notes' velocities gets the p-th quantile of the reference's.
    Fewer than FEWEST notes are no reference: the notes stay as they are.
    """
    notes = notes.copy()
    if len(notes) and len(reference) >= FEWEST:
        ordered = np.sort(notes["velocity"])
        rank = sum(np.searchsorted(ordered, notes["velocity"], side) for side in ("left", "right")) / 2
        notes["velocity"] = np.rint(np.quantile(reference["velocity"], rank / len(notes)))
    return notes


# --- layouts ----------------------------------------------------------------------------------------------------------

def lay_out(seed: Sequence[Track], continuation: Track, layout: str) -> tuple[Track, ...]:
    """Return the tracks of the song, as LAYOUTS says. Times are those of the seed in every layout."""
    return LAYOUTS[layout](tuple(seed), continuation)


def _separate(seed: tuple[Track, ...], continuation: Track) -> tuple[Track, ...]:
    return *seed, continuation


def _two(seed: tuple[Track, ...], continuation: Track) -> tuple[Track, ...]:
    return _merged(seed), continuation


def _joined(seed: tuple[Track, ...], continuation: Track) -> tuple[Track, ...]:
    """A pedal of the seed that is still down would blur the continuation: it comes up, its notes last as they did."""
    track, start = _merged(seed), float(continuation.notes["onset"].min(initial=np.inf))
    heard = sustain(track.notes, track.pedals)
    is_held = heard["onset"] + heard["duration"] > start
    pedals = np.minimum(track.pedals[track.pedals[:, 0] < start], start)
    later = continuation.controls[continuation.controls["time"] > 0]  # its mix is the track's already
    controls = np.concatenate([track.controls[track.controls["time"] < start], later])
    return (replace(track, notes=merge_tables([np.where(is_held, heard, track.notes), continuation.notes]),
                    pedals=np.concatenate([pedals, continuation.pedals]), controls=controls),)


def _alone(seed: tuple[Track, ...], continuation: Track) -> tuple[Track, ...]:
    return (continuation,)


LAYOUTS: dict[str, Callable[[tuple[Track, ...], Track], tuple[Track, ...]]] = {
    "separate": _separate,  # the seed's tracks as they were, the continuation in one of its own
    "two": _two,            # the seed in one track, the continuation in the other
    "joined": _joined,      # both in one track, as one performance
    "alone": _alone,        # the continuation without the seed, where it stands in time
}


def _merged(tracks: tuple[Track, ...]) -> Track:
    """Return one track. One pedal cannot hold several tracks apart: there the notes last as the pedals made them."""
    if len(tracks) == 1:
        return tracks[0]
    notes = merge_tables(sustain(track.notes, track.pedals) for track in tracks)
    return replace(continuation_track(tracks, notes), name=SEED)
