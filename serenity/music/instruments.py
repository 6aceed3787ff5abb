"""Which tracks of a file are read: those of a category (see categories.py).

Many files do not name their tracks, and many leave every program at 0. So a track is judged by these, in this order:

1. Drums are out: channel 10, a name that says drums, or a program without pitch. 2. A name that clearly says an
instrument. "MELODY" or "right hand" says none; nor does a name that tracks of several programs share (in a type 0 file
it is the song's title), nor one that says two instruments. What the name of one staff says also holds for staves on the
same channel whose names say nothing. 3. The General MIDI program.

If a file has no track of the category, the nearest tracks are taken, and the choice says so in a line.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serenity.categories import CATEGORIES, Category, category_named
from serenity.errors import InputError
from serenity.music.midi_file import Score, Track, sustain
from serenity.music.note import merge_tables

UNPITCHED = range(115, 128)  # woodblock, taiko, toms, synth drum, reverse cymbal, and all sound effects

DRUM_STEMS = ("drum", "percussion", "perkussion", "schlagzeug", "cymbal", "hihat", "hi-hat", "ударные")
DRUM_WORDS = ("batterie", "bateria", "batteria", "kick", "snare", "perc")

# Instruments of no category. Left out, because they say a voice of a piano score as often: bass, alto, lead, voice.
OTHER_STEMS = (
    "violao", "guitar", "gitarre", "chitarra", "ukulele", "banjo", "mandolin", "bass guitar", "kontrabass",
    "contrabass", "contrebasse", "double bass", "slap bass", "synth bass", "flute", "flauto", "oboe", "clarinet",
    "klarinette", "bassoon", "fagott", "trumpet", "trompet", "trombone", "posaune", "saxo", "accordion", "akkordeon",
    "strings", "streicher", "synth", "vocal", "gesang", "choir", "celesta", "glockenspiel", "vibraphone", "marimba",
    "xylophone", "harmonica", "timpani", "гитара", "吉他", "ギター", "기타",
)
OTHER_WORDS = (
    "gtr", "fl", "ob", "cl", "fg", "tpt", "tbn", "hn", "horn", "horns", "tuba", "brass", "sax", "organ", "orgel",
    "orgue", "organs", "organo", "orgao", "hammond", "harp", "harfe", "archi", "pad", "vox",
)
# Words of the piano that stand in the names of other instruments too: a "grand orgue" and its "clavier" are an organ.
WEAK = ("grand", "keys", "keyboard", "clavier", "teclado", "tastiera")
DESCRIBING = ("synth", "pad")  # words of other instruments that describe a piano as often

# Tracks of similar instruments stand in for a category only where they carry the song: a few notes of celesta do not.
STAND_IN_SHARE = 0.25  # of the pitched notes


@dataclass(frozen=True, eq=False)
class Choice:
    """What was taken from a file."""

    notes: np.ndarray  # one note table of all tracks taken, with the pedal applied
    tracks: tuple[Track, ...]  # the tracks taken, as struck and released
    reason: str  # one line for a person
    left_out: tuple[tuple[int, Track], ...] = ()  # the other tracks with notes, and the number of each, from 1

    @property
    def dropped(self) -> int:
        """How many notes are left out."""
        return sum(len(track.notes) for _, track in self.left_out)

    @property
    def struck(self) -> np.ndarray:
        """The notes as the fingers left them, without the pedal: what harmony reads chords from."""
        return merge_tables(track.notes for track in self.tracks)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tracks taken, as in the file; "" where a track has none."""
        return tuple(track.name for track in self.tracks)


def choose(score: Score, category_name: str = "piano", wanted: Sequence[str] = (),
           why: str = "the tracks that you name") -> Choice:
    """Choose the tracks of a category, or those that are `wanted` by number, from 1, or name, and merge them.

    `why` says who wants them.

    Raises InputError where no track has pitches, or where no track has a wanted number or name.
    """
    tracks = [track for track in score.tracks if len(track.notes)]
    if not tracks:
        raise InputError("holds no note; wanted a track with notes")
    if wanted:
        chosen = _wanted(tracks, wanted)
    else:
        chosen, why = _chosen(category_named(category_name), tracks)
    notes = merge_tables(sustain(track.notes, track.pedals) for track in chosen)
    left_out = tuple((number, track) for number, track in enumerate(tracks, 1) if track not in chosen)
    return Choice(notes, tuple(chosen), why, left_out)


def _chosen(category: Category, tracks: list[Track]) -> tuple[list[Track], str]:
    named = _named(tracks)
    pitched = [track for track in tracks if not _is_drums(track, named[track])]
    misplaced = [track.name for track in tracks if track.is_drum and instrument_in(track.name) == category.name]
    said = f"'{printable(misplaced[0])}' stands on channel 10, where every note is a drum" if misplaced else ""
    if not pitched:
        raise InputError(f"holds only drums{': ' * bool(said)}{said}; wanted a track with pitches")
    chosen, why = _tracks_of(category, pitched, named)
    if len(chosen) < len(pitched):
        why += f", {len(chosen)} of {len(pitched)} pitched tracks"
    return chosen, f"{why}; {said}" if said else why


def _wanted(tracks: list[Track], wanted: Sequence[str]) -> list[Track]:
    """Return the tracks of these numbers and names, in the file's order; a name that no track has may be a part of one.
    """
    chosen = []
    for one in wanted:
        names = [track.name.strip().casefold() for track in tracks]
        is_it = [str(number) == one for number in range(1, len(tracks) + 1)]
        is_it = is_it if any(is_it) else [name == one.casefold() for name in names]
        is_it = is_it if any(is_it) else [one.casefold() in name for name in names]
        if not one or not any(is_it):
            there = ", ".join(described(number, track) for number, track in enumerate(tracks, 1))
            raise InputError(f"has no track {one[:40]!r}; wanted {there}")
        chosen += [track for track, is_one in zip(tracks, is_it) if is_one]
    return [track for track in tracks if track in chosen]


def described(number: int, track: Track) -> str:
    """Return a track's number, name and notes for a person."""
    kind = "drums" if track.is_drum else f"program {track.program + 1}"
    return f"{number} {printable(track.name) or 'without a name'} ({kind}, {len(track.notes):,} notes)"


def printable(name: str) -> str:
    """Return a name from a file as it can be shown: short, and without control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in name.strip())[:40]


def instrument_in(name: str) -> str | None:
    """Return what a track's name says: a category, "drums", "other" (an instrument of no category), or None."""
    words = set(_WORD.findall(_plain(name)))
    said = {_SAYS[word] for word in words}
    if said == {"piano", "other"} and any(map(_is_other, words)) and words <= {*WEAK, *filter(_is_other, words)}:
        return "other"
    if len(said) > 1:
        said -= {"other"}  # "piano pad", "synth drums": the other word describes the instrument
    return said.pop() if len(said) == 1 else None


def _is_other(word: str) -> bool:
    return _SAYS[word] == "other" and word not in DESCRIBING


def _plain(name: str) -> str:
    """Return the name in lower case, without accents."""
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


_ROWS = [("drums", DRUM_WORDS, DRUM_STEMS), ("other", OTHER_WORDS, OTHER_STEMS)]
_ROWS += [(row.name, row.words, row.stems) for row in CATEGORIES.values()]  # they have the last word
_SAYS = {_plain(word): kind for kind, words, stems in _ROWS for word in words + stems}
_STEMS = {_plain(stem) for _, _, stems in _ROWS for stem in stems}
_WORD = re.compile("|".join(  # the longer first, so that a harpsichord is no harp and a violao (a guitar) no viola
    re.escape(word) if word in _STEMS else rf"(?<![^\W\d_]){word}(?![^\W\d_])"  # no letter before or behind it
    for word in sorted(_SAYS, key=len, reverse=True)
))


def _named(tracks: Sequence[Track]) -> dict[Track, str | None]:
    """Return what the name of each track says; nothing where tracks of several programs share it.

    Where a name says nothing, what is said of others on its channel goes for it too: two staves are one instrument.
    """
    programs, on_channel = {}, {}
    for track in tracks:
        programs.setdefault(track.name, set()).add((track.program, track.is_drum))
    own = {track: instrument_in(track.name) if len(programs[track.name]) == 1 else None for track in tracks}
    for track, says in own.items():
        if says in CATEGORIES and track.channel is not None:
            on_channel.setdefault((track.channel, track.program), set()).add(says)
    shared = {place: min(says) for place, says in on_channel.items() if len(says) == 1}
    return {track: says or shared.get((track.channel, track.program)) for track, says in own.items()}


def _is_drums(track: Track, says: str | None) -> bool:
    return track.is_drum or says == "drums" or (says is None and track.program in UNPITCHED)


def _tracks_of(category: Category, pitched: list[Track], named: dict[Track, str | None]) -> tuple[list[Track], str]:
    """Return the tracks that are of the category, or stand in for it, and why in words."""
    by_name = [track for track in pitched if named[track] == category.name]
    by_program = [track for track in pitched if named[track] is None and _is_in(category.programs, track)]
    if by_name or by_program:
        how = " and ".join(["name"] * bool(by_name) + ["program"] * bool(by_program))
        return [track for track in pitched if track in by_name or track in by_program], f"{category.name} by {how}"

    similar = [track for track in pitched if _is_in(category.similar, track)]
    if _count(similar) >= STAND_IN_SHARE * _count(pitched):
        return similar, f"no {category.name}: took the instruments like it"
    if category.name == "piano":  # a piano plays anything
        return pitched, "no piano: took everything but drums"
    nearest = min(pitched, key=lambda track: abs(np.median(track.notes["pitch"]) - category.centre))
    return [nearest], f"no {category.name}: took the track nearest to its range"


def _is_in(programs: tuple[range, ...], track: Track) -> bool:
    return any(track.program in some for some in programs)


def _count(tracks: list[Track]) -> int:
    return sum(len(track.notes) for track in tracks)
