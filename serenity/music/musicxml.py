"""MusicXML and **kern, read into staves by music21."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction

from serenity.music.chord_symbols import SILENCE, Symbol
from serenity.music.instruments import instrument_in
from serenity.music.pitch import OCTAVE
from serenity.music.staff import KEYS, Hairpin, Measure, Staff, Struck, graces

VOICE = "Voice"  # name of a singer's part where its own would be taken for that of another instrument
ACCENTS = ("Accent", "StrongAccent")
SHORT = {"Staccato": Fraction(1, 2), "Staccatissimo": Fraction(1, 4), "Spiccato": Fraction(1, 2)}
LONG_GRACES = ("eighth", "quarter", "half")  # that are an appoggiatura where they stand alone without a slash
EXACT = 10080  # parts of a quarter in which times are counted


def staves_of(text: str, form: str = "musicxml") -> list[Staff]:
    """Return the staves of a score without those of drums. `form`: its format's name in music21, which raises all kinds
    on what it does not understand.
    """
    from music21 import converter, stream

    score = converter.parse(text, format=form)
    parts = list(score.parts) or [score]
    score.toSoundingPitch(inPlace=True)
    found = [(part, list(part.getElementsByClass(stream.Measure))) for part in parts]
    return [staff for part, measures in found if (staff := _staff(score, part, measures))]


def _exactly(quarters) -> Fraction:
    return Fraction(quarters).limit_denominator(EXACT)


def _staff(score, part, measures: list) -> Staff | None:
    from music21.instrument import UnpitchedPercussion, Vocalist

    instrument = part.getInstrument(returnDefault=False)
    name = " ".join((part.partName or "").split())
    if isinstance(instrument, UnpitchedPercussion) or instrument_in(name) == "drums":
        return None
    staff = Staff(re.sub(r"-Staff\d+$", "", str(part.id)), name, getattr(instrument, "midiProgram", None) or 0)
    sound = getattr(instrument, "instrumentSound", None) or ""
    if isinstance(instrument, Vocalist) or sound.startswith("voice"):
        staff.name, staff.program = VOICE if instrument_in(name) else name or VOICE, 0
    staff.measures = [_measure(measure) for measure in measures]
    _read_barlines(measures, staff.measures)
    _read_endings(part, measures, staff.measures)
    staff.hairpins = list(_hairpins(score, part, measures))
    return staff


# --- a bar ------------------------------------------------------------------------------------------------------------

def _measure(measure) -> Measure:
    found = Measure(_exactly(measure.highestTime), notes=list(_notes(measure)))
    for stated in measure.getElementsByClass("TimeSignature"):
        found.metre = stated.numerator, stated.denominator
    found.dynamics = [(at, sign.value) for at, sign in _signs(measure, "Dynamic")]
    found.tempos = [(at, bool(sign.numberImplicit), bpm) for at, sign in _signs(measure, "MetronomeMark")
                    if (bpm := sign.getQuarterBPM())]
    found.keys = [(at, KEYS[_mode(sign)][sign.sharps + 7]) for at, sign in _signs(measure, "KeySignature")
                  if sign.sharps is not None and abs(sign.sharps) <= 7]
    found.symbols = [(at, symbol) for at, sign in _signs(measure, "Harmony") if (symbol := _symbol(sign))]
    for _, sign in _signs(measure, "RepeatExpression"):
        found.order |= _order(type(sign).__name__)
    return found


def _signs(measure, kind: str) -> Iterator[tuple[Fraction, object]]:
    yield from ((_exactly(measure.elementOffset(sign)), sign) for sign in measure.getElementsByClass(kind))


def _mode(sign) -> str:
    mode = getattr(sign, "mode", None)
    return mode if mode in KEYS else "major"


def _symbol(sign) -> Symbol | None:
    from music21 import harmony

    if isinstance(sign, harmony.NoChord):
        return SILENCE
    if not isinstance(sign, harmony.ChordSymbol) or not sign.pitches or sign.root() is None:
        return None
    root = sign.root().pitchClass
    above = sorted({(pitch.pitchClass - root) % OCTAVE for pitch in sign.pitches} | {0})
    return Symbol(tuple((root + step) % OCTAVE for step in above), (sign.bass() or sign.root()).pitchClass)


def _notes(measure) -> Iterator[Struck]:
    from music21 import harmony
    from music21.chord import Chord
    from music21.note import Note

    for voice in [*measure.voices, measure]:
        waiting, shift = [], measure.elementOffset(voice) if voice is not measure else 0
        for element in voice:
            if not isinstance(element, Note | Chord) or isinstance(element, harmony.Harmony):
                continue
            length = _exactly(element.duration.quarterLength)
            if element.duration.isGrace:
                waiting.append(element)
            elif length > 0:
                yield from _with_graces(waiting, element, _exactly(voice.elementOffset(element) + shift), length)
                waiting = []
        yield from graces([_pitches(grace) for grace in waiting], _exactly(voice.highestTime + shift))


def _pitches(element) -> tuple[int, ...]:
    return tuple(pitch.midi for pitch in element.pitches if 0 <= pitch.midi <= 127)


def _with_graces(waiting: list, element, onset: Fraction, length: Fraction) -> Iterator[Struck]:
    """Yield a note or chord with the grace notes before it; an appoggiatura takes half of its time."""
    if len(waiting) == 1 and not waiting[0].duration.slash and waiting[0].duration.type in LONG_GRACES:
        length /= 2
        yield from (Struck(onset, length, pitch, False, False) for pitch in _pitches(waiting[0]))
        onset += length
    else:
        yield from graces([_pitches(grace) for grace in waiting], onset)
    yield from _struck(element, onset, length)


def _struck(element, onset: Fraction, length: Fraction) -> Iterator[Struck]:
    """Yield the notes of a note or chord."""
    marks = {type(mark).__name__ for mark in element.articulations}
    accent, share = not marks.isdisjoint(ACCENTS), min((SHORT[mark] for mark in marks if mark in SHORT), default=1)
    for note in element.notes if element.isChord else (element,):
        tie = note.tie or element.tie
        is_tied = tie is not None and tie.type in ("start", "continue")
        if 0 <= note.pitch.midi <= 127:
            yield Struck(onset, length if tie else length * share, note.pitch.midi, is_tied, accent)


# --- the order of bars, and hairpins ----------------------------------------------------------------------------------

def _order(sign: str) -> dict:
    """Return what a sign of music21 says of the order."""
    if sign in ("Segno", "Fine"):
        return {f"is_{sign.lower()}": True}
    if sign == "Coda":
        return {"coda": True}
    is_jump = sign.startswith(("DaCapo", "DalSegno", "AlSegno"))
    return {"back_to": "start" if sign.startswith("DaCapo") else "segno"} if is_jump else {}


def _read_barlines(measures: list, found: list[Measure]) -> None:
    from music21 import bar

    for number, measure in enumerate(measures):
        for sign, is_left in ((measure.leftBarline, True), (measure.rightBarline, False)):
            if not isinstance(sign, bar.Repeat):
                continue
            begins = sign.direction == "start"
            at = number if is_left == begins else number + (-1 if is_left else 1)
            if 0 <= at < len(found):
                found[at].order |= {"begins_repeat": True} if begins else {"rounds": max(sign.times or 2, 2)}


def _read_endings(part, measures: list, found: list[Measure]) -> None:
    from music21 import spanner

    numbers = {id(measure): number for number, measure in enumerate(measures)}
    for bracket in part.getElementsByClass(spanner.RepeatBracket):
        inside = [numbers[id(measure)] for measure in bracket.getSpannedElements() if id(measure) in numbers]
        for number in range(min(inside), max(inside) + 1) if inside else ():
            found[number].order.setdefault("endings", frozenset(bracket.numberRange))


def _hairpins(score, part, measures: list) -> Iterator[Hairpin]:
    """Yield the hairpins of a staff; they may begin and end in other staves of its part."""
    from music21 import dynamics

    offsets = [_exactly(part.elementOffset(measure)) for measure in measures]
    for wedge in part.getElementsByClass(dynamics.DynamicWedge):
        start, end = _offset(wedge.getFirst(), score), _offset(wedge.getLast(), score)
        if start is not None and end is not None:
            number = max(bisect_right(offsets, start) - 1, 0)
            yield Hairpin(number, start - offsets[number], end + _exactly(wedge.getLast().quarterLength) - start,
                          -1 if isinstance(wedge, dynamics.Diminuendo) else 1)


def _offset(element, score) -> Fraction | None:
    """Return where an element stands in a score; None where it stands in a chord, which music21 does not look into."""
    from music21.sites import SitesException

    try:
        return _exactly(element.getOffsetInHierarchy(score)) if element is not None else None
    except SitesException:
        return None
