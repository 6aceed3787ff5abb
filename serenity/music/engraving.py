"""A song as a score: MusicXML by music21, with bars, key, metre and tempo, a piano in two staves.

What is written is decided in written.py; here it becomes notation, one to one: so the score read back has its notes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from serenity.errors import InputError
from serenity.music.harmony import Key
from serenity.music.midi_file import Track
from serenity.music.note import end_time, merge_tables
from serenity.music.pitch import OCTAVE
from serenity.music.tempo_map import TempoMap
from serenity.music.written import GRID, Chord, Voice, is_compound, on_lines, pieces, staves_of, voices_of

MOST_NOTES = 20_000  # of a score; music21 writes some hundred a second
OTHER_TEMPO = 0.05  # of the tempo before; a change that is as large is written
MOST_TEMPOS = 8     # changes; more are a performance, of which the usual tempo is written
STEPS = "FCGDAEB"   # by fifths
FIFTHS = {"major": 0, "minor": -3}  # sharps of a key, less those of the major key on its tonic


@dataclass(frozen=True)
class Bar:
    """A bar, in grid points from the song's quarter 0."""

    number: int  # as people count
    begin: int
    end: int
    metre: tuple[int, int]
    beat: int    # points
    missing: int = 0  # points that a pickup lacks


def to_musicxml(own: Sequence[Track], others: Sequence[Track], tempo_map: TempoMap, key: Key, join: float,
                title: str = "", has_hands: bool = True) -> bytes:
    """Return a song as MusicXML. Its `own` tracks, the intro and its continuation, become one part: with `has_hands` in
    two staves. Each of the other tracks that is no drum becomes a part of its own.

    `tempo_map` has the music's bars. The place at which the continuation begins, `join` seconds, is marked. Raises
    InputError where there are too many notes.
    """
    from music21 import layout, metadata, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    pitched = [track for track in others if not track.is_drum and len(track.notes)]
    whole = replace(own[0], notes=merge_tables(track.notes for track in own))
    notes = merge_tables(track.notes for track in (whole, *pitched))
    if len(notes) > MOST_NOTES:
        raise InputError(f"{len(notes):,} notes; wanted at most {MOST_NOTES:,} for a score")
    score, bars = stream.Score(), bars_of(tempo_map, notes)
    score.metadata = metadata.Metadata(title=title or None, composer="continued by Serenity")  # else music21 is named
    for track in pitched:
        score.insert(0, _staves(track, False, bars, tempo_map, key)[0])
    hands = _staves(whole, has_hands, bars, tempo_map, key)
    for hand in hands:
        score.insert(0, hand)
    if has_hands:
        score.insert(0, layout.StaffGroup(hands, name=whole.name or "Piano", symbol="brace"))
    _mark(score, bars, tempo_map, join)
    return GeneralObjectExporter(score).parse()


# --- bars -------------------------------------------------------------------------------------------------------------

def bars_of(tempo_map: TempoMap, notes: np.ndarray) -> list[Bar]:
    """Return the bars from that of the first note to that of the last end. A pickup has only the beats that sound."""
    ends = np.rint(tempo_map.quarters(np.array([notes["onset"].min(), end_time(notes)])) * GRID)
    first, last = tempo_map.bars(ends / GRID - [0, 1 / GRID])[0].tolist()
    lines = np.rint(tempo_map.bar_line(np.arange(first, last + 2)) * GRID).astype(int).tolist()
    bars = [_bar(tempo_map, begin, end) for begin, end in zip(lines, lines[1:])]
    if bars[0].number < 1:
        beats = (int(ends[0]) - bars[0].begin) // bars[0].beat
        missing = beats * bars[0].beat
        bars[0] = replace(bars[0], begin=bars[0].begin + missing, missing=missing)
    return bars


def _bar(tempo_map: TempoMap, begin: int, end: int) -> Bar:
    metre = tempo_map.metre(begin / GRID)
    beat = 3 * GRID // 2 if is_compound(tempo_map, begin / GRID) else GRID
    number = tempo_map.bar_name(float(tempo_map.seconds(begin / GRID)) + 1e-3)
    return Bar(number, begin, end, (int(metre["numerator"]), int(metre["denominator"])), beat)


# --- staves -----------------------------------------------------------------------------------------------------------

def _staves(track: Track, has_hands: bool, bars: list[Bar], tempo_map: TempoMap, key: Key) -> list:
    """Return the staves of one instrument."""
    from music21 import instrument, stream

    table, unit = on_lines(track.notes, tempo_map)
    staves = []
    for number, part in enumerate(staves_of(table, has_hands)):
        staff = (stream.PartStaff if has_hands else stream.Part)(id=f"{track.name or 'part'}-{number}")
        player = instrument.instrumentFromMidiProgram(track.program)
        player.partName = track.name or player.instrumentName
        staff.insert(0, player)
        for measure in _measures(voices_of(part), bars, unit, key, is_low=number > 0):
            staff.append(measure)
        staves.append(staff)
    return staves


def _measures(voices: list[Voice], bars: list[Bar], unit: dict[int, int], key: Key, is_low: bool) -> Iterator:
    """Yield the measures of one staff."""
    from music21 import clef, meter, stream
    from music21 import key as keys

    metre, queues = None, [list(voice) for voice in voices] or [[]]
    for bar in bars:
        measure = stream.Measure(number=max(bar.number, 0))
        measure.paddingLeft = Fraction(bar.missing, GRID)
        if metre is None:
            measure.clef = clef.BassClef() if is_low or _is_low(voices) else clef.TrebleClef()
            measure.keySignature = keys.KeySignature(sharps_of(key)).asKey(key.mode)
        if bar.metre != metre:
            metre = bar.metre
            measure.timeSignature = meter.TimeSignature(f"{metre[0]}/{metre[1]}")
        for number, queue in enumerate(queues):
            inside = list(_inside(queue, bar))
            if inside or number == 0:
                voice = stream.Voice(id=str(number + 1))
                for element in _elements(inside, bar, unit, key, is_hidden=number > 0):
                    voice.append(element)
                measure.insert(0, voice)
        yield measure


def _is_low(voices: list[Voice]) -> bool:
    pitches = [pitch for voice in voices for chord in voice for pitch in chord.pitches]
    return bool(pitches) and float(np.median(pitches)) < 55


def _inside(voice: Voice, bar: Bar) -> Iterator[tuple[Chord, bool, bool]]:
    """Yield what of a voice sounds in a bar, and whether it is tied to what was before and to what follows."""
    for chord in voice:
        begin, end = max(chord.onset, bar.begin), min(chord.onset + chord.length, bar.end)
        if begin < end:
            yield (Chord(begin, end - begin, chord.pitches), begin > chord.onset, end < chord.onset + chord.length)


def _elements(inside: list[tuple[Chord, bool, bool]], bar: Bar, unit: dict[int, int], key: Key, is_hidden: bool
              ) -> Iterator:
    """Yield the notes and rests of one voice in one bar."""
    now = bar.begin
    for chord, is_tied_before, is_tied_after in inside:
        yield from _rests(now, chord.onset, bar, unit, is_hidden)
        now = chord.onset + chord.length
        parts = pieces(chord.onset, now, bar.begin, bar.beat, unit)
        for number, (_, length) in enumerate(parts):
            before, after = number > 0 or is_tied_before, number < len(parts) - 1 or is_tied_after
            yield _struck(chord.pitches, length, key, before, after)
    yield from _rests(now, bar.end, bar, unit, is_hidden)


def _rests(begin: int, end: int, bar: Bar, unit: dict[int, int], is_hidden: bool) -> Iterator:
    from music21.note import Rest

    for _, length in pieces(begin, end, bar.begin, bar.beat, unit):
        rest = Rest(quarterLength=Fraction(length, GRID))
        rest.style.hideObjectOnPrint = is_hidden
        yield rest


def _struck(pitches: tuple[int, ...], length: int, key: Key, is_tied_before: bool, is_tied_after: bool):
    """Return a note or a chord of music21."""
    from music21 import chord, note, tie

    kinds = {(True, True): "continue", (True, False): "stop", (False, True): "start"}
    spelled = [spelling(pitch, key) for pitch in pitches]
    quarters = Fraction(length, GRID)
    struck = note.Note(spelled[0], quarterLength=quarters) if len(spelled) == 1 else (
        chord.Chord(spelled, quarterLength=quarters))
    if kind := kinds.get((is_tied_before, is_tied_after)):
        struck.tie = tie.Tie(kind)
    return struck


# --- names of pitches -------------------------------------------------------------------------------------------------

def sharps_of(key: Key) -> int:
    """Return the sharps of a key's signature, below 0 flats: -5 to 6."""
    sharps = (7 * key.tonic + FIFTHS[key.mode]) % OCTAVE
    return sharps if sharps <= 6 else sharps - OCTAVE


def spelling(pitch: int, key: Key) -> str:
    """Return the name of a pitch in a key, for music21: "B-4" is b flat. Of all names the nearest to the scale."""
    lowest = sharps_of(key) - 3 + (key.mode == "minor")  # fifths from c: in c major from e flat to g sharp
    fifths = lowest + (7 * pitch - lowest) % OCTAVE
    alter, place = divmod(fifths + 1, len(STEPS))
    step = STEPS[place]
    octave = (pitch - alter) // OCTAVE - 1
    return f"{step}{('#' if alter > 0 else '-') * abs(alter)}{octave}"


# --- tempo and mark ---------------------------------------------------------------------------------------------------

def _mark(score, bars: list[Bar], tempo_map: TempoMap, join: float) -> None:
    """Write tempos, and where the continuation begins, above the first staff."""
    from music21 import bar as barlines
    from music21 import expressions, tempo

    measures = list(score.parts[0].getElementsByClass("Measure"))
    for number, bpm in tempos_of(bars, tempo_map):
        measures[number].insert(0, tempo.MetronomeMark(number=bpm))
    point = round(float(tempo_map.quarters(join)) * GRID)
    number = next((number for number, bar in enumerate(bars) if bar.end > point), len(bars) - 1)
    measures[number].insert(Fraction(max(point - bars[number].begin, 0), GRID),
                            expressions.RehearsalMark("continuation"))
    for part in score.parts if number and point - bars[number].begin < GRID // 4 else ():
        part.getElementsByClass("Measure")[number - 1].rightBarline = barlines.Barline("double")


def tempos_of(bars: list[Bar], tempo_map: TempoMap) -> list[tuple[int, int]]:
    """Return (number of the bar, quarters a minute) of the tempos that are written."""
    edges = np.array([(bar.begin, bar.end) for bar in bars]) / GRID
    lengths = (np.diff(tempo_map.seconds(edges)) / np.diff(edges)).ravel().tolist()
    found = [(0, lengths[0])]
    for number, length in enumerate(lengths):
        if abs(np.log(length / found[-1][1])) > OTHER_TEMPO:
            found.append((number, length))
    if len(found) > MOST_TEMPOS:
        found = [(0, float(np.median(lengths)))]
    return [(number, round(60 / length)) for number, length in found]
