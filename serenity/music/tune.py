"""Tunes in ABC notation, the text of folk music and hymns, read into staves.

What is read of the standard (ABC 2.1, abcnotation.com): notes, rests, chords, ties, tuplets, broken rhythm, grace
notes, bars, repeats and endings, voices, overlays (&), chord symbols, dynamics and signs of order, and the fields K, L,
M, Q and V, also in the middle of a tune. Not read are words, ornaments, parts (P:), macros and what is for the eye.

music21 10 reads ABC too, but knows no voice that changes from line to line, no new metre, no rest of several bars, no
accidental that holds for its bar, no tie of chords, and no repeat behind a pickup. Our reading agrees with abc2midi's.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

from serenity.errors import InputError
from serenity.music.chord_symbols import LETTERS, symbol_of
from serenity.music.instruments import instrument_in
from serenity.music.staff import KEYS, Measure, Staff, Struck, graces

SHARPS = "FCGDAEB"
ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "min": -3, "m": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
TUPLETS = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}  # so many notes in the time of so many
COMPOUND_TUPLETS = {5: 3, 7: 3, 9: 3}
DYNAMICS = re.compile(r"p{1,4}|f{1,4}|mp|mf|sfz")
SIGNS = {"segno": {"is_segno": True}, "coda": {"coda": True}, "fine": {"is_fine": True},
         "D.C.": {"back_to": "start"}, "dacapo": {"back_to": "start"}, "D.S.": {"back_to": "segno"},
         "dalsegno": {"back_to": "segno"}}
SHORT_SIGNS = {"S": "segno", "O": "coda"}

_LENGTH = r"(\d*)(/*)(\d*)"
_NOTE = rf"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*){_LENGTH}(\.?-)?"
_TOKEN = re.compile(rf"""
    "(?P<quote>[^"]*)" | [!+](?P<mark>[^!+\s|"]{{1,24}})[!+] | \[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]
    | (?P<bar>:*\.?\|[|\]:]*|::+|\[\|\]?) \s* (?:\[?(?P<ending>\d[\d,.-]*))? | \[(?P<alone>\d[\d,.-]*)
    | \{{ (?P<grace>[^}}]*) \}} | \( (?P<tuplet>\d(?::\d?){{0,2}}) | (?P<broken><+|>+) | (?P<overlay>&)
    | \[ (?P<chord>[^\]\[|"]*) \] (?P<chord_length>{_LENGTH.replace("(", "(?:")}) (?P<chord_tie>\.?-)?
    | (?P<note>{_NOTE.replace("(", "(?:")}) | (?P<rest>[zx]) (?P<rest_length>{_LENGTH.replace("(", "(?:")})
    | [ZX] (?P<rests>\d*) | (?P<short>[.SO])""", re.VERBOSE)
_IN_CHORD = re.compile(_NOTE)
_FIELD = re.compile(r"([A-Za-z]):[ \t]*(.*)")
_VOICE = re.compile(r"\s*(\S+)(.*)")


@dataclass
class Voice:
    """A voice while it is read."""

    staff: Staff
    unit: Fraction              # quarters that a note without length takes
    metre: tuple[int, int]
    key: dict[str, int] = field(default_factory=dict)  # letter -> semitones
    transposition: int = 0      # semitones
    bar: Measure = field(default_factory=Measure)
    now: Fraction = Fraction(0)        # in the bar
    accidentals: dict[str, int] = field(default_factory=dict)  # of the bar: letter with octave -> semitones
    endings: frozenset[int] = frozenset()
    graces: list[tuple[int, ...]] = field(default_factory=list)
    tuplet: tuple[Fraction, int] = (Fraction(1), 0)  # factor, and how many more notes it holds for
    factor: Fraction = Fraction(1)     # of the next note, behind < or >
    last: tuple[int, Fraction] | None = None  # index in bar.notes of the last note or chord, and its length
    marks: set[str] = field(default_factory=set)  # of the next note


def staves_of(text: str) -> list[Staff]:
    """Return the voices of a tune. Raises InputError where it has no key, behind which the notes begin."""
    reader = _Tune()
    for line in text.splitlines():
        if reader.is_body and not line.strip():  # an empty line ends a tune
            break
        reader.read_line(line)
    if not reader.is_body:
        raise InputError("is not a tune: no line K: says its key; wanted ABC notation")
    for voice in reader.voices.values():
        _close(voice, "|")
    return [voice.staff for voice in reader.voices.values() if voice.staff.measures]


class _Tune:
    """A tune while it is read line by line."""

    def __init__(self):
        self.is_body, self.is_text = False, False
        self.voices: dict[str, Voice] = {}
        self.named: dict[str, str] = {}  # voice -> what V: says of it
        self.fields: dict[str, str] = {}  # of the head
        self.tempo: str | None = None
        self.now = ""  # the voice whose music is read

    def read_line(self, line: str) -> None:
        if line.startswith("%%"):
            self.is_text = line.startswith("%%begin") or self.is_text and not line.startswith("%%end")
            return
        line = re.sub(r"(?<!\\)%.*", "", line)
        if self.is_text:
            return
        if match := _FIELD.match(line):
            self.read_field(match[1], match[2].strip())
        elif self.is_body:
            self.read_music(line)

    def read_field(self, letter: str, value: str) -> None:
        if letter == "V":
            self._choose(value)
        elif not self.is_body:
            self.fields[letter] = value
            self.is_body = letter == "K"
            self.tempo = self.fields.get("Q")
        elif letter in "KLMQ":
            _set(self.voice, letter, value)

    def _choose(self, value: str) -> None:
        match = _VOICE.match(value)
        if match:
            self.now = match[1]
            self.named[self.now] = self.named.get(self.now, "") + match[2]
            if self.is_body:
                _transpose(self.voice, match[2])

    @property
    def voice(self) -> Voice:
        """The voice whose music is read, begun where it is new."""
        if self.now not in self.voices:
            self.voices[self.now] = self._new(self.now)
        return self.voices[self.now]

    def _new(self, name: str) -> Voice:
        said = self.named.get(name, "")
        title = re.search(r"\bn(?:ame|m)=\"?([^\"]*)", said)
        title = title[1].strip() if title and instrument_in(title[1]) in (None, "piano") else ""
        metre = _metre(self.fields.get("M", "")) or (4, 4)
        voice = Voice(Staff(name, title, 0), Fraction(4, 16 if 4 * metre[0] < 3 * metre[1] else 8), metre)
        for letter in "MLK":
            if letter in self.fields:
                _set(voice, letter, self.fields[letter])
        if self.tempo and not self.voices:
            _set(voice, "Q", self.tempo)
        _transpose(voice, said)
        return voice

    def read_music(self, line: str) -> None:
        for token in _TOKEN.finditer(line):
            kind = token.lastgroup
            if token["field"]:
                self.read_field(token["field"], token["value"].strip())
            elif token["bar"] is not None:
                _close(self.voice, token["bar"], token["ending"])
            else:
                _read(self.voice, kind, token)


def _read(voice: Voice, kind: str, token: re.Match) -> None:
    """Read a token of music into a voice."""
    if token["quote"] is not None:
        if symbol := symbol_of(token["quote"]):
            voice.bar.symbols.append((voice.now, symbol))
    elif token["mark"] or token["short"]:
        _read_mark(voice, token["mark"] or SHORT_SIGNS.get(token["short"], "."))
    elif token["alone"]:
        voice.endings = _numbers(token["alone"])
    elif token["grace"] is not None:
        voice.graces += [(_pitch(voice, note),) for note in _IN_CHORD.finditer(token["grace"])]
    elif token["tuplet"]:
        _begin_tuplet(voice, token["tuplet"])
    elif token["broken"]:
        _break(voice, token["broken"])
    elif token["overlay"]:
        voice.bar.length, voice.now = max(voice.bar.length, voice.now), Fraction(0)
    elif token["rests"] is not None:
        for _ in range(int(token["rests"] or 1) if len(token["rests"]) < 4 else 0):
            voice.now = Fraction(4 * voice.metre[0], voice.metre[1])
            _close(voice, "|")
    elif token["note"]:
        note = _IN_CHORD.fullmatch(token["note"])
        _strike(voice, [(_pitch(voice, note), bool(note[7]))], _length(voice, note.group(4, 5, 6)))
    elif token["chord"] is not None:
        _read_chord(voice, token)
    elif token["rest"]:
        _strike(voice, [], _length(voice, re.fullmatch(_LENGTH, token["rest_length"]).groups()))


def _read_chord(voice: Voice, token: re.Match) -> None:
    notes = list(_IN_CHORD.finditer(token["chord"]))
    if notes:  # as long as its first note
        length = _length(voice, notes[0].group(4, 5, 6), re.fullmatch(_LENGTH, token["chord_length"]).groups())
        is_tied = bool(token["chord_tie"])
        _strike(voice, [(_pitch(voice, note), is_tied or bool(note[7])) for note in notes], length)


def _read_mark(voice: Voice, mark: str) -> None:
    if DYNAMICS.fullmatch(mark):
        voice.bar.dynamics.append((voice.now, mark))
    for name, sign in SIGNS.items():
        if mark.startswith(name):
            voice.bar.order |= sign
    voice.marks.add(mark)


def _strike(voice: Voice, pitches: list[tuple[int, bool]], length: Fraction) -> None:
    """Put a chord, a note or a rest behind what the voice has."""
    length *= voice.factor
    voice.factor = Fraction(1)
    factor, left = voice.tuplet
    if left:
        length, voice.tuplet = length * factor, (factor, left - 1)
    voice.bar.notes += graces(voice.graces, voice.now)
    voice.graces = []
    voice.last = len(voice.bar.notes), length
    sounds = length / 2 if "." in voice.marks else length
    accent = not voice.marks.isdisjoint((">", "accent", "emphasis"))
    voice.bar.notes += [Struck(voice.now, length if is_tied else sounds, pitch, is_tied, accent)
                        for pitch, is_tied in pitches if 0 <= pitch <= 127]
    voice.now += length
    voice.marks = set()


def _break(voice: Voice, sign: str) -> None:
    """Make the last note longer and the next one shorter (>), or the other way (<)."""
    if voice.last is None:
        return
    first, length = voice.last
    short = Fraction(1, 2 ** min(len(sign), 3))
    here, voice.factor = (2 - short, short) if sign[0] == ">" else (short, 2 - short)
    voice.bar.notes[first:] = [note._replace(length=note.length * here) for note in voice.bar.notes[first:]]
    voice.now += length * (here - 1)


def _begin_tuplet(voice: Voice, said: str) -> None:
    count, time, notes = (int(part) if part else 0 for part in (*said.split(":"), "", "")[:3])
    is_compound = voice.metre[1] >= 8 and voice.metre[0] % 3 == 0
    usual = COMPOUND_TUPLETS.get(count) if is_compound and count in COMPOUND_TUPLETS else TUPLETS.get(count, 0)
    if count and (time or usual):
        voice.tuplet = Fraction(time or usual, count), notes or count


def _close(voice: Voice, sign: str, ending: str | None = None) -> None:
    """End a bar with a bar line; where nothing stands before it, the line only says what is to come."""
    before, after = sign.partition("|")[::2] if "|" in sign else (sign[:len(sign) // 2], sign[len(sign) // 2:])
    bar = voice.bar
    bar.length = max(bar.length, voice.now)
    if bar.length or bar.notes:
        bar.notes += graces(voice.graces, voice.now)
        voice.graces = []
        if voice.endings:
            bar.order["endings"] = voice.endings
        voice.staff.measures += _divided(bar, Fraction(4 * voice.metre[0], voice.metre[1]))
        voice.bar, voice.now, voice.last, voice.accidentals = Measure(), Fraction(0), None, {}
    if ":" in before and voice.staff.measures:
        voice.staff.measures[-1].order["rounds"] = before.count(":") + 1
    if ":" in after:
        voice.bar.order["begins_repeat"] = True
    if ":" in sign or "||" in sign or "]" in sign:
        voice.endings = frozenset()
    if ending:
        voice.endings = _numbers(ending)


def _divided(bar: Measure, whole: Fraction) -> list[Measure]:
    """Return a bar as several where it is as long as two whole ones or more: bar lines were forgotten, often in one
    voice alone.
    """
    if bar.length % whole or bar.length == whole:
        return [bar]
    kinds = ("notes", "dynamics", "tempos", "keys", "symbols")
    bars = [Measure(whole) for _ in range(int(bar.length / whole))]
    bars[0].metre, bars[-1].order = bar.metre, dict(bar.order)
    for kind in kinds:
        for offset, *rest in getattr(bar, kind):
            number = int(max(offset, 0) // whole)
            row = (offset - number * whole, *rest)
            getattr(bars[min(number, len(bars) - 1)], kind).append(Struck(*row) if kind == "notes" else row)
    if bar.order.pop("begins_repeat", False):
        bars[0].order, bars[-1].order = {"begins_repeat": True}, bar.order
    if "endings" in bar.order:
        for one in bars:
            one.order["endings"] = bar.order["endings"]
    return bars


def _numbers(text: str) -> frozenset[int]:
    """Return the numbers of an ending: 1, 1,3 or 1-3."""
    found = set()
    for part in re.split(r"[,.]", text):
        first, _, last = part.partition("-")
        if first.isdigit():
            found |= set(range(int(first[:3]), int(last[:3] if last.isdigit() else first[:3]) + 1))
    return frozenset(found)


def _length(voice: Voice, *written: tuple[str, str, str]) -> Fraction:
    """Return the length in quarters of what is written as 3/2, / or 2, once or more."""
    length = voice.unit
    for above, slashes, below in written:
        length *= Fraction(int(above[:4] or 1), max(int(below[:4]) if below else 2 ** min(len(slashes), 8), 1))
    return length


def _pitch(voice: Voice, note: re.Match) -> int:
    """Return the MIDI note number of a written note, and remember its accidental for the bar."""
    sign, letter, marks = note[1], note[2], note[3]
    octave = marks.count("'") - marks.count(",") + letter.islower()
    place = f"{letter.upper()}{octave}"
    if sign:
        voice.accidentals[place] = ACCIDENTALS[sign]
    shift = voice.accidentals.get(place, voice.key.get(letter.upper(), 0))
    return 60 + 12 * octave + LETTERS[letter.upper()] + shift + voice.transposition


# --- fields -----------------------------------------------------------------------------------------------------------

def _set(voice: Voice, letter: str, value: str) -> None:
    """Read a field into a voice."""
    if letter == "M" and (metre := _metre(value)):
        voice.metre = voice.bar.metre = metre
    elif letter == "L" and (match := re.match(r"(\d{1,3})(?:/(\d{1,3}))?", value)) and int(match[2] or 1):
        voice.unit = Fraction(4 * int(match[1]), int(match[2] or 1)) or voice.unit
    elif letter == "Q" and (bpm := _bpm(value, voice.unit)):
        voice.bar.tempos.append((voice.now, False, bpm))
    elif letter == "K":
        _set_key(voice, value)
        _transpose(voice, value)


def _metre(value: str) -> tuple[int, int] | None:
    """Return the metre of M:3/4, C, C| or (2+3)/8; None where there is none."""
    if value.startswith("C"):
        return (2, 2) if value.startswith("C|") else (4, 4)
    match = re.match(r"\(?([\d+ ]{1,12})\)?\s*/\s*(\d{1,2})", value)
    if not match:
        return None
    beats = sum(int(part) for part in match[1].split("+") if part.strip().isdigit())
    return (beats, int(match[2])) if 0 < beats <= 64 and int(match[2]) in (1, 2, 4, 8, 16, 32, 64) else None


def _bpm(value: str, unit: Fraction) -> float | None:
    """Return quarters a minute of Q:1/4=120, "Allegro" 3/8=80 or 120, which counts notes without length."""
    value = re.sub(r'"[^"]*"', "", value)
    match = re.search(r"([\d/ ]*)=\s*(\d{1,4}(?:\.\d+)?)", value) or re.search(r"()(\d{1,4}(?:\.\d+)?)", value)
    if not match:
        return None
    beats = [Fraction(4 * int(above), int(below)) for above, below in re.findall(r"(\d{1,3})/(\d{1,3})", match[1])
             if int(below)]
    return float(match[2]) * float(sum(beats) or unit) or None


def _set_key(voice: Voice, value: str) -> None:
    """Read a key: Ebm, D mix, HP (bagpipes), with accidentals of its own as in D exp ^f _b."""
    match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", value)
    is_pipes = value.lower().startswith("hp")
    if is_pipes or match:
        mode = "" if is_pipes else match[3].lower()
        mode = mode if mode == "m" or mode[:3] not in MODES else mode[:3]
        sharps = 2 if is_pipes else _sharps(match[1], match[2], mode)
        voice.key = dict.fromkeys(SHARPS[:max(sharps, 0)], 1) | dict.fromkeys(SHARPS[::-1][:max(-sharps, 0)], -1)
        names = KEYS["minor" if mode in ("m", "min", "aeo") else "major"]
        voice.bar.keys.append((voice.now, names[sharps + 7]))
    elif value.lower().startswith("none") or not value:
        voice.key = {}
    for sign, letter in re.findall(r"(?<=\s)(\^\^|\^|__|_|=)([A-Ga-g])\b", value):
        voice.key[letter.upper()] = ACCIDENTALS[sign]


def _sharps(tonic: str, accidental: str, mode: str) -> int:
    """Return the sharps of a key signature, below 0 the flats."""
    if mode == "exp":
        return 0
    sharps = SHARPS.index(tonic) - 1 + 7 * {"#": 1, "b": -1, "": 0}[accidental] + MODES.get(mode, 0)
    return min(max(sharps, -7), 7)


def _transpose(voice: Voice, said: str) -> None:
    """Read by how much a voice sounds higher than written: transpose=-2, octave=1, clef=treble-8."""
    if match := re.search(r"\btranspose=(-?\d{1,2})", said):
        voice.transposition = int(match[1])
    if match := re.search(r"\boctave=(-?\d)", said):
        voice.transposition = 12 * int(match[1])
    elif match := re.search(r"\b(?:clef=)?(?:treble|bass|alto|tenor)\d?([+-])8\b", said):
        voice.transposition = 12 if match[1] == "+" else -12
