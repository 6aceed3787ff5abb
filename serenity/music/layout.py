"""Seed and continuation as tracks of one file, and the continuation as loud as the seed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from serenity.music import chunks, midi_file
from serenity.music.chunks import Chunks
from serenity.music.grid import SHORTEST
from serenity.music.midi_file import CONTROL, EXPRESSION, Track, sustain
from serenity.music.note import merge_tables, sort_notes
from serenity.music.prompt import cut_track
from serenity.music.tempo_map import TempoMap

CONTINUATION, SEED = "continuation", "seed"  # names of tracks
NEAR = 1e-6  # seconds
FEWEST = 16  # notes whose velocities show how loud and soft a song is
VOLUME, PAN, REVERB, CHORUS = 7, 10, 91, 93  # controller numbers
FULL = 127  # expression as it is at first
MIX = (VOLUME, PAN, EXPRESSION, REVERB, CHORUS)  # what a track needs in the song
# What a new track needs where others have set its channel: all controllers as at first, and those that this does not
# change.
# Source: RP-015, Response to Reset All Controllers; General MIDI 2 has the values.
RESET = ((121, 0), (0, 0), (32, 0), (VOLUME, 100), (PAN, 64), (REVERB, 40), (CHORUS, 0))
FADED = 0.25  # of the usual volume, or of the usual expression: so far down a seed has faded out


def continuation_track(seed: Sequence[Track], notes: np.ndarray) -> Track:
    """Return the notes of a continuation as a track that sounds as the seed's first one does at the seed's last onset:
    its program with its bank, and its mix.
    """
    join = max(float(track.notes["onset"].max(initial=0.0)) for track in seed)
    mix = np.concatenate([np.empty(0, CONTROL), *(_standing(seed[0], number, join) for number in MIX)])
    return Track(CONTINUATION, seed[0].program, False, notes, controls=mix, bank=seed[0].bank)


def _standing(track: Track, number: int, time: float) -> np.ndarray:
    """Return a controller's value as a move at 0 s; nothing where it was never set.

    Where the seed has faded out, it is the value that its notes usually had; otherwise nobody could hear the
    continuation.
    """
    moves = track.controls[track.controls["number"] == number]
    held = moves[moves["time"] <= time + NEAR][-1:].copy()
    held["time"] = 0.0
    if len(held) and number in (VOLUME, EXPRESSION):
        at = np.searchsorted(moves["time"], track.notes["onset"] + NEAR, side="right") - 1
        usual = np.median(moves["value"][at[at >= 0]]) if (at >= 0).any() else 0
        held["value"] = usual if held["value"][0] < FADED * usual else held["value"]
    return held


# --- into the seed's file ---------------------------------------------------------------------------------------------

def append(seed: Chunks, track: Track, file_map: TempoMap, clock: TempoMap, texts: Iterable[str] = ()) -> Chunks:
    """Return the seed's chunks, untouched, and the track of a continuation as one more, the last.

    It has a channel of its own. `file_map` is the seed's own map; where `clock`, by which the continuation is timed,
    has other tempos, the new track states them. `texts` stand at its head. Notes and pedals that the seed never ends
    are ended by the new track where it begins, so the seed's bytes stay as they are.
    """
    clock, end = midi_file.written_map(clock), sum(chunks.ends(seed)) if seed.is_sequences else 0
    port, channel, is_set = chunks.free_channel(seed)
    played = _played(track, channel, clock, RESET if is_set else ())
    late = max(end - played[0][0], 0)  # a sequence begins where those before it end
    played = [(tick + late, message) for tick, message in played]
    if port == 0:  # a track speaks to one port only
        played = [(played[0][0], message) for message in chunks.left_open(seed)] + played
    timing = _tempo_events(TempoMap() if seed.is_sequences else file_map, clock, end)
    body = sorted(timing + played, key=lambda event: event[0])
    head = [chunks.meta(chunks.TRACK_NAME, track.name.encode())]
    head += [chunks.meta(chunks.TEXT, text.encode(errors="replace")) for text in texts]
    head += [chunks.meta(chunks.PORT, bytes([port]))] * (port > 0)
    return chunks.with_track(seed, chunks.body_of([*((0, event) for event in head),
                                                   *((tick - end, event) for tick, event in body)]))


def _played(track: Track, channel: int, clock: TempoMap, reset: Iterable[tuple[int, int]]) -> list[tuple[int, bytes]]:
    """Return (tick, message) of a track. It is set up where it begins, so that earlier settings of its channel do not
    hold.

    `reset`: (number, value) of controllers that are set first.
    """
    is_setup = track.controls["time"] == 0
    moves = midi_file.track_events(replace(track, controls=track.controls[~is_setup]), channel, clock)
    mix = [(number, value) for _, number, value in track.controls[is_setup].tolist()]
    first, then = ([bytes([chunks.CONTROL_CHANGE | channel, *each]) for each in some]
                   for some in ((*reset, *track.bank), mix))
    program = bytes([chunks.PROGRAM_CHANGE | channel, track.program])
    setup = [(moves[0][0], message) for message in (*first, program, *then)]
    return setup + [(tick, bytes(message.bin())) for tick, message in moves]


def _tempo_events(stated: TempoMap, wanted: TempoMap, begin: int) -> list[tuple[int, bytes]]:
    """Return (tick, tempo) of the events that make a file's `stated` tempos the `wanted` ones from tick `begin` on."""
    ticks = wanted.ticks_per_quarter
    ours, theirs = ({max(round(start * ticks), begin): length for start, length in tempo_map.tempos.tolist()}
                    for tempo_map in (stated, wanted))
    events, holds, want = [], None, None
    for tick in sorted({*ours, *theirs}):
        holds, want = ours.get(tick, holds), theirs.get(tick, want)
        if holds != want:
            events.append((tick, chunks.meta(chunks.TEMPO, int(want).to_bytes(3, "big"))))
            holds = want
    return events


# --- the continuation's notes -----------------------------------------------------------------------------------------

def trim(track: Track, end: float) -> Track:
    """Return the track without what sounds at `end`, seconds, or later: the notes that still sound end there."""
    track = cut_track(track, -np.inf, end)
    notes = track.notes.copy()
    notes["duration"] = np.minimum(notes["duration"], end - notes["onset"])
    return replace(track, notes=notes)


def one_voice(notes: np.ndarray) -> np.ndarray:
    """Return the notes of a note table one at a time: each ends where the next begins; of several at once the highest.
    """
    notes = notes[np.append(np.diff(notes["onset"]) > NEAR, True)[:len(notes)]]
    notes["duration"][:-1] = np.minimum(notes["duration"][:-1], np.diff(notes["onset"]))
    return notes


def kept_part(track: Track, clock: TempoMap, begin: float) -> Track:
    """Return the part of a song's continuation that begins before `begin`, seconds; `clock` is the song's tempo map.

    Notes last as they did. A pedal that is down at `begin` comes up there.
    """
    return replace(track, notes=track.notes[clock.ticks(track.notes["onset"]) < clock.ticks(begin)],
                   pedals=np.minimum(track.pedals[track.pedals[:, 0] < begin - NEAR], begin),
                   controls=track.controls[track.controls["time"] < begin - NEAR])


def not_before(track: Track, begin: float) -> Track:
    """Return the track in which nothing begins before `begin`, seconds: earlier notes begin there. Its setup stays at 0
    s.
    """
    notes, controls = track.notes.copy(), track.controls.copy()
    late = np.maximum(begin - notes["onset"], 0)
    notes["onset"] += late
    notes["duration"] = np.maximum(notes["duration"] - late, SHORTEST)
    controls["time"][controls["time"] > 0] = np.maximum(controls["time"][controls["time"] > 0], begin)
    pedals = np.maximum(track.pedals, begin)
    return replace(track, notes=sort_notes(notes), controls=controls, pedals=pedals[pedals[:, 0] < pedals[:, 1]])


def go_on(kept: Track, made: Track, begin: float) -> Track:
    """Return one continuation of two: what is kept of an earlier one, and what is made from `begin`, seconds, on.

    It is set up as `made` is. An expression that moves in the kept part returns at `begin` to its usual value.
    """
    is_setup = made.controls["time"] == 0
    mix = {number: value for _, number, value in made.controls[is_setup].tolist()}
    said = {*mix.items(), *RESET}  # what stands in the file again where the track begins
    first = kept.controls["time"].min(initial=np.inf) + NEAR
    moves = [row for row in kept.controls.tolist() if row[0] > first or row[1:] not in said]
    if any(number == EXPRESSION for _, number, _ in moves):
        moves.append((begin, EXPRESSION, mix.get(EXPRESSION, FULL)))
    controls = (made.controls[is_setup], np.array(moves, CONTROL), made.controls[~is_setup])
    return replace(made, notes=merge_tables([kept.notes, made.notes]), controls=np.concatenate(controls),
                   pedals=np.concatenate([kept.pedals, made.pedals]))


def match_velocities(notes: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the notes with the velocities of `reference`, each as often as there; the louder note stays the louder.

    Quantile matching: a note at the p-th quantile of the notes' velocities gets the p-th quantile of the reference's.
    Fewer than FEWEST notes are not enough to compare with: then the notes stay as they are.
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
