"""Synthetic songs: one song becomes many, by changes that a pianist can make without changing the music.

No pitch class is ever transposed. A rule moves notes by octaves, leaves notes out, doubles them in the octave, or lets
them begin at another onset of the same harmony. What a rule knows of a song (`read`):

* strikes, melody, bass, inner notes and harmonies are those of voices.py. No rule changes a melody note, or sets a
  voice above one. Inner notes of one pitch move alike through the whole harmony, so a broken chord is inverted as one
  and keeps its pattern.
* passage: some harmonies, up to the end of a phrase. What is drawn by chance, such as an inversion, holds for a whole
  passage.

A rule offers one way or several, and `choose` judges them in each harmony. A way is refused if it has more faults than
the song has there (FAULTS: muddy intervals in the bass, semitones that grind, voices above the melody, chords out of
the hands' reach), or if a note would leave the range, meet the melody or pass the bass. A passage takes the way that
fits most of it. A harmony that this way does not fit takes another way, or stays as it was. If less than half of a
passage can be changed, all of it stays, so that changes sound intended.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from serenity.categories import Category, category_named
from serenity.errors import InputError
from serenity.music.note import HIGHEST_PITCH, NOTE, sort_notes
from serenity.music.pitch import OCTAVE
from serenity.music.voices import BASS, INNER, MELODY, STRIKE, hear, phrases, strike_starts

# Low interval limits: the lowest lower note with which an interval is still clear. Semitones -> MIDI note number.
# The list in Sweetwater's inSync glossary, "Low Interval Limit" (there middle C is C3, here c4); such charts are taught
# in arranging, as in Lowell & Pullig, "Arranging for Large Jazz Ensemble" (2003). An octave has no limit.
LOW_INTERVAL_LIMITS = {1: 52, 2: 51, 3: 48, 4: 47, 5: 45, 6: 35, 7: 37, 8: 41, 9: 41, 10: 41, 11: 41}
_BELOW_LIMITS = [(np.uint64(interval), np.uint64((1 << limit) - 1)) for interval, limit in LOW_INTERVAL_LIMITS.items()]
GRINDING = (1, 13)     # semitones: minor second and minor ninth, struck together
LOWEST_BASS = 28       # e1, a double bass's lowest string: no rule sets a note below it

# How much the notes of a chord support a root, by their interval above it in semitones. Parncutt, "Revision of
# Terhardt's Psychoacoustical Model of the Root(s) of a Musical Chord", Music Perception 6 (1988), 65-93.
ROOT_SUPPORT = {0: 1, 7: 1 / 2, 4: 1 / 3, 10: 1 / 4, 2: 1 / 5, 3: 1 / 10}
THIRDS, SUSPENDED, SEVENTHS, FIFTH = (3, 4), (2, 5), (10, 11), 7  # semitones above the root

PASSAGE = 8.0, 16.0    # seconds; the shortest, and after how long it ends within a phrase or a harmony later
DIFFERENT = 0.05       # share of strikes in which two of a family differ at least

_PITCH = np.arange(HIGHEST_PITCH + 1)

_ROW = np.dtype(NOTE.descr + [("strike", np.intp), ("harmony", np.intp), ("part", np.int8)])


@dataclass(frozen=True, eq=False)
class Song:
    """A note table as the rules read it. n notes, s strikes, h harmonies."""

    rows: np.ndarray     # (n,) NOTE with `strike`, `harmony` and `part` of each note
    strikes: np.ndarray  # (s,) onset in seconds
    harmony: np.ndarray  # (s,) harmony of each strike
    passage: np.ndarray  # (h,) passage of each harmony
    melody: np.ndarray   # (s,) melody note that sounds at each strike; in a rest, the lower of the two around it
    floor: np.ndarray    # (h,) lowest note
    top: np.ndarray      # (h,) highest note
    inner: np.ndarray    # (h, 128) bool: pitches of the inner notes
    sung: np.ndarray     # (h, 128) bool: pitches of the melody
    struck: np.ndarray   # (s, 128) bool: pitches of each strike
    category: Category

    @cached_property
    def chords(self) -> np.ndarray:
        """(s, 2) uint64: `struck` as bits."""
        return _bits(self.struck)

    @cached_property
    def accompaniment(self) -> np.ndarray:
        """(s, 128) bool: `struck` without the melody."""
        return _struck(self.rows[self.rows["part"] != MELODY], len(self.strikes))

    @cached_property
    def above(self) -> np.ndarray:
        """(s, 2) uint64: the pitches as high as the melody that sounds, or higher, as bits."""
        return _bits(self.melody[:, None] <= _PITCH)

    @cached_property
    def faults(self) -> list[np.ndarray]:
        """(h,) for each of FAULTS: how often it is found in each harmony."""
        return [judge(self, self.chords) for judge in FAULTS]


def make_songs(notes: np.ndarray, count: int, seed: int = 0, category: str = "piano") -> dict[str, np.ndarray]:
    """Return up to `count` songs made from a note table, as note tables by the name of the rule that made them.

    They stand in order, from the nearest to the original to the farthest. There are fewer where fewer rules can be
    applied: a line for one voice has none. The same arguments give the same songs. Each differs from the original and
    from every other in DIFFERENT of the strikes or more. A note that has moved lies in the category's range; notes of
    one pitch never overlap. InputError for an unknown category and for a seed below 0.
    """
    instrument = category_named(category)
    if seed < 0:
        raise InputError(f"seed {seed}, wanted 0 or more")
    if not len(notes):
        return {}
    song = read(notes, instrument)
    chance = np.random.default_rng(seed)
    known, made = [song.chords], {}
    for name in chance.permutation(list(RULES)).tolist():
        if len(made) >= count:
            break
        rows = choose(song, RULES[name](song, chance))
        chords = _bits(_struck(rows, len(song.strikes)))
        if all(_difference(chords, other) >= DIFFERENT for other in known):
            known.append(chords)
            made[name] = to_table(rows)
    return {name: made[name] for name in RULES if name in made}


# --- reading a song ---------------------------------------------------------------------------------------------------

def read(notes: np.ndarray, category: Category) -> Song:
    """Read a note table of one note or more: its strikes, harmonies, passages and parts."""
    notes = sort_notes(notes)
    heard, first = hear(notes), strike_starts(notes)
    rows = np.zeros(len(notes), _ROW)
    rows[list(NOTE.names)] = notes
    rows["strike"], rows["harmony"], rows["part"] = heard.strike, heard.harmony[heard.strike], heard.voice
    strikes, struck = notes["onset"][first], _struck(rows, len(first))
    lowest, highest = _ends(struck)
    starts = np.flatnonzero(np.diff(heard.harmony, prepend=-1))
    top = np.maximum.reduceat(highest, starts)
    melody = np.minimum(_melody_line(rows[rows["part"] == MELODY], strikes), top[heard.harmony])
    return Song(rows, strikes, heard.harmony, _passages(strikes[starts], phrases(notes)[first[starts]]), melody,
                np.minimum.reduceat(lowest, starts), top, _played(rows, INNER, len(starts)),
                _played(rows, MELODY, len(starts)), struck, category)


def _melody_line(melody: np.ndarray, strikes: np.ndarray) -> np.ndarray:
    """Return the melody's pitch at each strike, in a rest the lower of the two around it."""
    until = np.searchsorted(melody["strike"], np.arange(len(strikes)), side="right")
    last, following = np.maximum(until - 1, 0), np.minimum(until, len(melody) - 1)
    sounds = ((melody["onset"] + melody["duration"])[last] - strikes > STRIKE) & (until > 0)
    sounds[melody["strike"]] = True
    pitch = melody["pitch"].astype(int)
    return np.where(sounds, pitch[last], np.minimum(pitch[last], pitch[following]))


def _passages(starts: np.ndarray, phrase: np.ndarray) -> np.ndarray:
    """Return the passage of each harmony, of when it begins and in which phrase."""
    passage, begin, before, result = 0, starts[0], phrase[0], []
    for start, number in zip(starts.tolist(), phrase.tolist()):
        age = start - begin
        if age >= PASSAGE[1] or (age >= PASSAGE[0] and number != before):
            passage, begin = passage + 1, start
        before = number
        result.append(passage)
    return np.array(result)


def _played(rows: np.ndarray, part: int, harmonies: int) -> np.ndarray:
    """Return the pitches of a part in each harmony: (harmonies, 128) bool."""
    rows = rows[rows["part"] == part]
    played = np.zeros((harmonies, HIGHEST_PITCH + 1), bool)
    played[rows["harmony"], rows["pitch"]] = True
    return played


def _struck(rows: np.ndarray, strikes: int) -> np.ndarray:
    """Return which pitches are struck when: (strikes, 128) bool. A pitch outside of 0-127 counts as the nearest."""
    struck = np.zeros((strikes, HIGHEST_PITCH + 1), bool)
    struck[rows["strike"], np.clip(rows["pitch"], 0, HIGHEST_PITCH)] = True
    return struck


def _bits(struck: np.ndarray) -> np.ndarray:
    """Return pitches as bits, as in serenity.music.pitch: (n, 128) bool -> (n, 2) uint64. It is quick to compare."""
    return np.packbits(struck, axis=1, bitorder="little").view("<u8")


def _difference(chords: np.ndarray, other: np.ndarray) -> float:
    """Return the share of strikes that differ, of those that one or both of two songs have."""
    changed, either = chords ^ other, chords | other
    return np.count_nonzero(changed[:, 0] | changed[:, 1]) / np.count_nonzero(either[:, 0] | either[:, 1])


# --- judging what a rule offers ---------------------------------------------------------------------------------------

def choose(song: Song, ways: list[np.ndarray]) -> np.ndarray:
    """Return the rows that result from the ways that a rule offers: each harmony by one of them, or as it was."""
    changed = np.zeros((len(ways), len(song.passage)))  # notes that come or go
    suits = np.empty(changed.shape, bool)
    for number, way in enumerate(ways):
        chords = _bits(_struck(way, len(song.strikes)))
        changed[number] = _count(song, chords ^ song.chords)
        suits[number] = ~_misplaced(song, way)
        if (chords & ~song.chords).any():  # to leave notes out is no fault
            for judge, before in zip(FAULTS, song.faults):
                suits[number] &= judge(song, chords) <= before
    passages = np.zeros((song.passage[-1] + 1, len(ways)))
    np.add.at(passages, song.passage, (suits & (changed > 0)).T)
    main = passages.argmax(1)[song.passage]  # the way that changes most harmonies; of equal ones, the first
    way_of = np.where(suits[main, np.arange(len(main))], main, suits.argmax(0))
    done = np.bincount(song.passage, changed.max(0) * suits.any(0))
    too_little = done <= np.bincount(song.passage, changed.max(0)) / 2
    way_of[~suits.any(0) | too_little[song.passage]] = len(ways)
    return np.concatenate([way[way_of[way["harmony"]] == number] for number, way in enumerate([*ways, song.rows])])


def _misplaced(song: Song, way: np.ndarray) -> np.ndarray:
    """Return in which harmonies a new note is out of range, at a melody note, or beyond top note or bass: (h,)."""
    bass, inner = np.full((2, len(song.passage)), HIGHEST_PITCH + 1)
    for part, lowest in ((BASS, bass), (INNER, inner)):
        rows = way[way["part"] == part]
        np.minimum.at(lowest, rows["harmony"], rows["pitch"])
    bass = np.where(bass <= HIGHEST_PITCH, bass, song.floor - 1)

    pitch, at = way["pitch"].astype(int), (way["strike"], np.clip(way["pitch"], 0, HIGHEST_PITCH))
    is_new = ~np.where(way["part"] == INNER, song.accompaniment[at], song.struck[at])
    is_new |= (pitch < 0) | (pitch > HIGHEST_PITCH)
    pitch, harmony, part = pitch[is_new], way["harmony"][is_new], way["part"][is_new]
    wrong = (pitch < max(song.category.lowest, LOWEST_BASS)) | (pitch > song.category.highest)
    wrong |= np.where(part == BASS, pitch > inner[harmony], pitch <= bass[harmony]) | (pitch >= song.top[harmony])
    wrong |= (part == INNER) & song.sung[harmony, np.clip(pitch, 0, HIGHEST_PITCH)]
    return np.bincount(harmony[wrong], minlength=len(song.passage)) > 0


def crossing(song: Song, chords: np.ndarray) -> np.ndarray:
    """Count the notes struck in each harmony that are as high as the melody that sounds, or higher: (h,)."""
    return _count(song, chords & song.above)


def muddy(song: Song, chords: np.ndarray) -> np.ndarray:
    """Count the intervals below their low limit in each strike, over the lowest note of its harmony: (h,)."""
    low = _of_harmonies(song, chords)[:, 0]  # pitches below 64: no limit reaches higher
    low = chords[:, 0] | (low & (~low + np.uint64(1)))[song.harmony]  # the lowest bit set
    counts = np.zeros(len(low), int)
    for interval, below_limit in _BELOW_LIMITS:
        counts += np.bitwise_count(low & (low >> interval) & below_limit)
    return np.bincount(song.harmony, counts, len(song.passage))


def grinding(song: Song, chords: np.ndarray) -> np.ndarray:
    """Count the minor seconds and ninths that are struck at once in each harmony: (h,)."""
    return sum(_count(song, chords & _lowered(chords, interval)) for interval in GRINDING)


def clustered(song: Song, chords: np.ndarray) -> np.ndarray:
    """Count the minor seconds among all notes of each harmony, which ring into each other: (h,)."""
    chords = _of_harmonies(song, chords)
    return np.bitwise_count(chords & _lowered(chords, 1)).sum(1)


def out_of_reach(song: Song, chords: np.ndarray) -> np.ndarray:
    """Count the notes that no hand reaches, two from both ends of a strike, one from its lowest note: (h,)."""
    hands, reach = song.category.hands, song.category.reach
    struck = np.unpackbits(chords.view(np.uint8), axis=1, bitorder="little").astype(bool)
    lowest, highest = _ends(struck)
    wide = np.flatnonzero(highest - lowest > hands * reach)  # elsewhere every note is in reach
    struck, lowest, highest = struck[wide], lowest[wide, None], highest[wide, None]
    lost = (struck & (lowest + reach < _PITCH) & ((highest - reach > _PITCH) | (hands == 1))).sum(1)
    return np.bincount(song.harmony[wide], lost, len(song.passage))


def _count(song: Song, chords: np.ndarray) -> np.ndarray:
    """Return how many notes fall in each harmony: (s, 2) -> (h,)."""
    counts = np.bitwise_count(chords)
    return np.bincount(song.harmony, counts[:, 0] + counts[:, 1], len(song.passage))


def _of_harmonies(song: Song, chords: np.ndarray) -> np.ndarray:
    """Return which pitches are struck in each harmony: (s, 2) -> (h, 2)."""
    return np.bitwise_or.reduceat(chords, np.flatnonzero(np.diff(song.harmony, prepend=-1)))


def _lowered(chords: np.ndarray, semitones: int) -> np.ndarray:
    """Return chords moved down, less what falls below pitch 0: (n, 2) -> (n, 2)."""
    lowered = chords >> np.uint64(semitones)
    lowered[:, 0] |= chords[:, 1] << np.uint64(64 - semitones)
    return lowered


FAULTS = (crossing, muddy, grinding, clustered, out_of_reach)


# --- the rules --------------------------------------------------------------------------------------------------------
# A rule takes a song and chance, and returns the ways in which it may be done, as rows. Of all of them holds: every
# onset is one of the original's, melody notes stay as they are, and each harmony keeps its top note and gains no pitch
# class. Said with each: what else holds.

def inversion(song: Song, chance: np.random.Generator, turn: int | None, share: float) -> list[np.ndarray]:
    """Turn the chords of a share of the passages: the lowest `turn` notes go up an octave; None: drawn for each.

    The chord is the inner notes within an octave below the highest of them. Where it has no room above, the same
    inversion stands an octave lower. Invariant: all strikes stay, each with its pitch classes.
    """
    top = np.where(song.inner, _PITCH, -1).max(1)
    chord = song.inner & (top[:, None] - OCTAVE < _PITCH)
    passages = song.passage[-1] + 1
    turns = chance.integers(1, 3, passages) if turn is None else np.full(passages, turn)
    turns[chance.permutation(passages)[math.ceil(share * passages):]] = 0
    turns = np.clip(turns[song.passage], 0, np.maximum(chord.sum(1) - 1, 0))[:, None]
    up = chord & (chord.cumsum(1) <= turns)
    ways = [_move(song, up.astype(int)), _move(song, up.astype(int) - (chord & (turns > 0)))]
    return ways if turn == 1 else ways[::-1]  # the nearer first


def bass_inversion(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Give the bass to the third or fifth of its chord where that is struck with it; the bass note goes above.

    At most every second harmony, within a passage, and where the bass line takes no leap of more than a fifth by it;
    of the places that would do, the one with the smoothest line. Invariant: all strikes stay, each with its pitch
    classes.
    """
    rows = song.rows.copy()
    strike, harmony = rows["strike"], rows["harmony"]
    is_bass, is_inner = rows["part"] == BASS, rows["part"] == INNER
    line = np.flatnonzero(is_bass)
    line = line[np.diff(harmony[line], prepend=-1) > 0]  # the first of each harmony
    bass = rows["pitch"][line].astype(int)
    struck = np.zeros_like(song.struck)
    struck[strike[is_inner], rows["pitch"][is_inner]] = True
    best, giver, place = np.full(len(bass), 2 * FIFTH + 1), np.full(len(bass), -1), bass.copy()
    for interval in (*THIRDS, FIFTH):
        members = struck[strike[line]] & ((_PITCH - bass[:, None]) % OCTAVE == interval)
        for new in (bass + interval - OCTAVE, bass + interval):
            leaps = np.abs([new - np.append(new[:1], bass[:-1]), new - np.append(bass[1:], new[-1:])])
            better = members.any(1) & (leaps.max(0, initial=0) <= FIFTH) & (leaps.sum(0) < best)
            giver, place = np.where(better, members.argmax(1), giver), np.where(better, new, place)
            best = np.where(better, leaps.sum(0), best)
    passage = song.passage[harmony[line]]
    some = (giver >= 0) & (np.diff(passage, prepend=-1) == 0) & (np.diff(passage, append=-1) == 0)
    some[1:] &= ~some[:-1]  # each was judged between neighbours that stay
    low, high, new = np.full((3, len(song.passage)), -1)  # in each harmony: the two that change places, and where to
    low[harmony[line[some]]], high[harmony[line[some]]], new[harmony[line[some]]] = bass[some], giver[some], place[some]
    rises = is_bass & (rows["pitch"] == low[harmony])
    falls = is_inner & (rows["pitch"] == high[harmony]) & (np.bincount(strike, rises) > 0)[strike]
    rows["pitch"] = np.where(falls, new[harmony], rows["pitch"] + OCTAVE * rises)
    rows["part"] = np.where(falls, BASS, np.where(rises, INNER, rows["part"]))
    return [rows]


def close(song: Song, chance: np.random.Generator, drop: tuple[int, ...] = ()) -> list[np.ndarray]:
    """Gather the inner notes in the octave below the melody; those in `drop`, 2 the highest, go down one octave more.

    The voices of a chord are counted from the melody, 1, downwards: drop-2 and drop-3 voicing. The octave stays for a
    passage, and dips where the melody does. Invariant: all strikes stay, each with its pitch classes.
    """
    ceiling = np.full(len(song.passage), HIGHEST_PITCH + 1)
    inner = song.rows[song.rows["part"] == INNER]
    np.minimum.at(ceiling, inner["harmony"], song.melody[inner["strike"]])
    usual = np.array([np.median(ceiling[song.passage == number]) for number in range(song.passage[-1] + 1)])
    below = np.minimum(ceiling, usual[song.passage].astype(int))[:, None] - 1
    octaves = (below - _PITCH) // OCTAVE
    if drop:
        depth = (below - _PITCH) % OCTAVE  # semitones below the octave's top
        harmony, pitch = np.nonzero(song.inner)
        sounds = np.zeros((len(song.passage), OCTAVE), bool)
        sounds[harmony, depth[harmony, pitch]] = True
        voice = 1 + sounds.cumsum(1)
        octaves = octaves - np.isin(np.take_along_axis(voice, depth, 1), drop)
    return [_move(song, octaves)]


def open_position(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Spread the chords: every second inner note goes up an octave, c e g becomes c g e; else drop-2-4 voicing.

    Invariant: all strikes stay, each with its pitch classes.
    """
    second = song.inner & (song.inner.cumsum(1) % 2 == 0)
    return [_move(song, second.astype(int)), *close(song, chance, drop=(2, 4))]


def bass_low(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Play the bass an octave lower. Invariant: all strikes stay, each with its pitch classes."""
    rows = song.rows.copy()
    rows["pitch"][rows["part"] == BASS] -= OCTAVE
    return [rows]


def bass_bounce(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Let a repeated bass note bounce: each second time in a harmony it is an octave higher.

    Invariant: all strikes stay, each with its pitch classes.
    """
    rows = song.rows.copy()
    bass = np.flatnonzero(rows["part"] == BASS)
    repeats = ~np.diff(rows["harmony"][bass] * OCTAVE**3 + rows["pitch"][bass], prepend=-1).astype(bool)
    number = np.arange(len(bass))
    odd = (number - np.maximum.accumulate(np.where(repeats, 0, number))) % 2 == 1
    rows["pitch"][bass[odd]] += OCTAVE
    rows["part"][bass[odd]] = INNER
    return [rows]


def doubling(song: Song, chance: np.random.Generator, part: int) -> list[np.ndarray]:
    """Double melody or bass in the octave below; the bass above where there is no room below.

    Invariant: the original's notes stay, all of them; each strike keeps its pitch classes.
    """
    doubles = song.rows[song.rows["part"] == part]
    ways = []
    for octaves, as_part in ((-1, part), (1, INNER))[:1 + (part == BASS)]:
        way = np.append(song.rows, doubles)
        way["pitch"][len(song.rows):] += OCTAVE * octaves
        way["part"][len(song.rows):] = as_part
        ways.append(way)
    return ways


def undoubled(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Leave out inner notes that double a pitch class of their strike, but no top note.

    Invariant: a subset of the notes; all strikes stay, each with its top note and its pitch classes.
    """
    is_top = song.rows["pitch"] == _ends(song.struck)[1][song.rows["strike"]]
    return [song.rows[_is_first_of_class(song) | is_top | (song.rows["part"] != INNER)]]


def outer_voices(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Keep the highest and the lowest note of each strike.

    Invariant: a subset of the notes; all strikes stay, each with its top note.
    """
    lowest, highest = _ends(song.struck)
    pitch, strike = song.rows["pitch"], song.rows["strike"]
    return [song.rows[(pitch == lowest[strike]) | (pitch == highest[strike]) | (song.rows["part"] != INNER)]]


def shell(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Keep shell voicings: bass, third (or the fourth or second in its place) and seventh, without doublings.

    Invariant: a subset of the notes; all strikes stay, each with its top note.
    """
    above_root = (song.rows["pitch"] - _roots(song)[song.rows["harmony"]]) % OCTAVE
    has_third = np.bincount(song.rows["harmony"], np.isin(above_root, THIRDS)) > 0
    is_guide = np.isin(above_root, (*THIRDS, *SEVENTHS))
    is_guide |= ~has_third[song.rows["harmony"]] & np.isin(above_root, SUSPENDED)
    keep = (song.rows["part"] != INNER) | (is_guide & _is_first_of_class(song))
    keep |= song.rows["pitch"] == _ends(song.struck)[1][song.rows["strike"]]
    return [song.rows[keep]]


def held(song: Song, chance: np.random.Generator, gather: bool = False) -> list[np.ndarray]:
    """Strike an inner note once in a harmony, and hold it until its last repetition ends.

    gather: all inner notes of a harmony begin with its first: broken chords become block chords. Invariant: each
    harmony keeps its pitches. Strikes of inner notes alone may go.
    """
    rows = song.rows.copy()
    inner = np.flatnonzero(rows["part"] == INNER)
    order = inner[np.lexsort((inner, rows["pitch"][inner], rows["harmony"][inner]))]
    if not len(order):
        return [rows]
    new = np.diff(rows["harmony"][order] * OCTAVE**3 + rows["pitch"][order], prepend=-1) != 0
    ends = np.maximum.reduceat((rows["onset"] + rows["duration"])[order], np.flatnonzero(new))
    heads = order[new]
    if gather:
        first = np.full(len(song.passage), len(rows))
        np.minimum.at(first, rows["harmony"][inner], inner)
        source = first[rows["harmony"][heads]]
        rows["onset"][heads], rows["strike"][heads] = song.rows["onset"][source], song.rows["strike"][source]
    rows["duration"][heads] = ends - rows["onset"][heads]
    return [np.concatenate([rows[rows["part"] != INNER], rows[heads]])]


def broken(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Break the chords: the inner notes of a strike begin one after another, from the lowest, at the song's next
    strikes in the same harmony, though none after the middle of its time. They end as they did.

    Invariant: each harmony keeps its pitches, and its strikes but those that held inner notes alone.
    """
    rows = song.rows.copy()
    inner = np.flatnonzero(rows["part"] == INNER)
    order = inner[np.lexsort((rows["pitch"][inner], rows["strike"][inner]))]
    strike = rows["strike"][order]
    number = np.arange(len(order))
    rank = number - np.maximum.accumulate(np.where(np.diff(strike, prepend=-1) != 0, number, 0))
    last = np.searchsorted(song.harmony, song.harmony[strike], side="right") - 1
    middle = np.searchsorted(song.strikes, (rows["onset"] + rows["duration"] / 2)[order], side="right") - 1
    rows["strike"][order] = later = np.minimum(strike + rank, np.minimum(last, np.maximum(middle, strike)))
    delay = np.where(later > strike, song.strikes[later] - rows["onset"][order], 0)
    rows["onset"][order] += delay
    rows["duration"][order] -= delay
    return [rows]


def sparse(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Keep the inner notes only where melody or bass is struck.

    Invariant: a subset of the notes. Strikes of inner notes alone go.
    """
    leads = np.bincount(song.rows["strike"], song.rows["part"] != INNER) > 0
    return [song.rows[leads[song.rows["strike"]]]]


def melody_and_bass(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Keep melody and bass. Invariant: a subset of the notes. Strikes of inner notes alone go."""
    return [song.rows[song.rows["part"] != INNER]]


def melody_alone(song: Song, chance: np.random.Generator) -> list[np.ndarray]:
    """Keep the melody. Invariant: a subset of the notes, one at a time in each strike. Other strikes go."""
    return [song.rows[song.rows["part"] == MELODY]]


def both(song: Song, chance: np.random.Generator, first: str, second: str) -> list[np.ndarray]:
    """Apply one rule to what another makes of the song. Invariant: what both rules keep."""
    rows = sort_notes(choose(song, RULES[first](song, chance)))
    changed = replace(song, rows=rows, inner=_played(rows, INNER, len(song.passage)),
                      struck=_struck(rows, len(song.strikes)))
    return [choose(changed, RULES[second](changed, chance))]


RULES: dict[str, Callable[[Song, np.random.Generator], list[np.ndarray]]] = {  # from the nearest to the farthest
    "inversion-few": partial(inversion, turn=None, share=1 / 3),
    "inversion-most": partial(inversion, turn=None, share=2 / 3),
    "bass-bounce": bass_bounce,
    "bass-inversion": bass_inversion,
    "bass-low": bass_low,
    "bass-octaves": partial(doubling, part=BASS),
    "undoubled": undoubled,
    "inversion-1": partial(inversion, turn=1, share=1),
    "inversion-2": partial(inversion, turn=2, share=1),
    "inversion-mixed": partial(inversion, turn=None, share=1),
    "open": open_position,
    "close": close,
    "drop-2": partial(close, drop=(2,)),
    "drop-3": partial(close, drop=(3,)),
    "melody-octaves": partial(doubling, part=MELODY),
    "broken": broken,
    "held": held,
    "block": partial(held, gather=True),
    "shell": shell,
    "outer": outer_voices,
    "sparse": sparse,
    "melody-bass": melody_and_bass,
    "melody": melody_alone,
}
_PAIRS = (("bass-inversion", "bass-bounce"), ("close", "bass-octaves"), ("inversion-1", "held"),
          ("inversion-2", "undoubled"), ("close", "block"), ("bass-octaves", "shell"), ("melody-octaves", "outer"),
          ("bass-octaves", "melody-bass"))
RULES |= {f"{first}+{second}": partial(both, first=first, second=second) for first, second in _PAIRS}


# --- what rules share -------------------------------------------------------------------------------------------------

def _move(song: Song, octaves: np.ndarray) -> np.ndarray:
    """Return the song's rows with each inner note moved by octaves, given by harmony and pitch: (h, 128)."""
    rows = song.rows.copy()
    inner = rows["part"] == INNER
    rows["pitch"][inner] += OCTAVE * octaves[rows["harmony"][inner], rows["pitch"][inner]]
    return rows


def _ends(struck: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest pitch of each strike: (s, 128) bool -> (s,) each."""
    return struck.argmax(1), HIGHEST_PITCH - struck[:, ::-1].argmax(1)


def _is_first_of_class(song: Song) -> np.ndarray:
    """Return which notes are the first of their class in a strike: melody, bass, top note, then from below: (n,)."""
    rows, pitch_class = song.rows, song.rows["pitch"] % OCTAVE
    is_below = rows["pitch"] < _ends(song.struck)[1][rows["strike"]]
    order = np.lexsort((rows["pitch"], is_below, rows["part"], pitch_class, rows["strike"]))
    first = np.empty(len(rows), bool)
    first[order] = np.diff(rows["strike"][order] * OCTAVE + pitch_class[order], prepend=-1) != 0
    return first


def _roots(song: Song) -> np.ndarray:
    """Return the pitch class that the notes of each harmony support most as its root (ROOT_SUPPORT): (h,).

    Bass and inner notes count; the bass counts twice, as a listener hears it.
    """
    present = np.zeros((len(song.passage), OCTAVE))
    rows = song.rows[song.rows["part"] != MELODY]
    present[rows["harmony"], rows["pitch"] % OCTAVE] = 1
    bass = rows[rows["part"] == BASS]
    present[bass["harmony"], bass["pitch"] % OCTAVE] = 2
    return sum(weight * np.roll(present, -interval, axis=1) for interval, weight in ROOT_SUPPORT.items()).argmax(1)


def to_table(rows: np.ndarray) -> np.ndarray:
    """Return rows as a note table in which no two notes of one pitch overlap.

    A pitch struck twice in a strike becomes one note, the longest and the loudest; a note that still sounds when its
    pitch is struck again ends there.
    """
    rows = rows[np.lexsort((rows["onset"], rows["strike"], rows["pitch"]))]
    first = np.flatnonzero((np.diff(rows["pitch"], prepend=-1) != 0) | (np.diff(rows["strike"], prepend=-1) != 0))
    notes = np.empty(len(first), NOTE)
    notes["onset"], notes["pitch"] = rows["onset"][first], rows["pitch"][first]
    notes["duration"] = np.maximum.reduceat(rows["duration"], first)
    notes["velocity"] = np.maximum.reduceat(rows["velocity"], first)
    again = np.flatnonzero(np.diff(notes["pitch"]) == 0)
    notes["duration"][again] = np.minimum(notes["duration"][again], np.diff(notes["onset"])[again])
    return sort_notes(notes)
