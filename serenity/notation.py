"""What a score in notation is: MusicXML (plain, or packed as .mxl), ABC notation, the text of folk music, and Humdrum's
**kern.

Nothing is turned into music here: that is music/sheet.py. The content of a file says what it is, so Serenity's own abc
text is not taken for a tune, nor other XML for a score.
"""

import io
import re
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from dataclasses import dataclass

from serenity.errors import InputError
from serenity.files import UTF16_MAGIC, text_of

MUSICXML, ABC, KERN = "MusicXML", "ABC notation", "Humdrum **kern"
SURE_ENDINGS = (".musicxml", ".mxl", ".abc", ".krn")
ENDINGS = (*SURE_ENDINGS, ".xml")  # the last is that of much else
START = 2**16  # bytes in which a score shows what it is; files of tunes may begin with pages of comments
LARGEST_XML = 64 * 2**20  # bytes unpacked; an opera act has a quarter of that
MOST_TAGS = 3_000_000     # in them: each takes 100 bytes of memory, however short it is

_ROOT = re.compile(r"<score-(partwise|timewise)[\s>]")
_TUNE = re.compile(r"^X:", re.MULTILINE)  # where a tune begins
_KEY = re.compile(r"^K:", re.MULTILINE)   # where its notes do
_KERN = re.compile(r"^\*\*kern\b", re.MULTILINE)
_FIELD = r"^{}:[ \t]*(.*\S)"


@dataclass(frozen=True)
class Sheet:
    """One piece of music in notation."""

    form: str          # MUSICXML, ABC or KERN
    text: str          # of the document, or of the tune
    title: str = ""
    credit: str = ""   # who made or owns it, as it says itself


def is_notation_name(name: str) -> bool:
    """Return whether a name ends like that of a score."""
    return name.lower().endswith(ENDINGS)


def form_of(data: bytes) -> str | None:
    """Return MUSICXML, ABC or KERN; None where it is not a score."""
    if data.startswith(b"PK"):
        return MUSICXML if _packed_score(data) else None
    # What shows the form is ASCII, so the other letters do not matter.
    start = data[:START].decode("utf-16" if data.startswith(UTF16_MAGIC) else "utf-8-sig", "replace")
    if _ROOT.search(start):
        return MUSICXML
    if "\0" in start or start.lstrip().startswith("<"):  # a page may show a tune
        return None
    tune = _TUNE.search(start)
    return ABC if tune and _KEY.search(start, tune.end()) else KERN if _KERN.search(start) else None


def sheets(data: bytes) -> list[Sheet]:
    """Return the pieces of a file: one of MusicXML, one or more tunes. Raises InputError where it holds none."""
    form = form_of(data)
    if form == MUSICXML:
        return [_musicxml(_unpacked(data))]
    if form == ABC:
        return _tunes(text_of(data))
    if form == KERN:
        return [_kern(text_of(data))]
    raise InputError("is not a score; wanted MusicXML (.musicxml, .mxl), ABC notation (.abc) or **kern (.krn)")


def labels(data: bytes) -> tuple[str, str]:
    """Return title and credit of a score without reading its notes; "" where it has none, or holds several pieces."""
    form = form_of(data)
    if form != MUSICXML:
        pieces = sheets(data) if form else []
        return (pieces[0].title, pieces[0].credit) if len(pieces) == 1 else ("", "")
    try:
        text = text_of(_unpacked(data))
        root = _ROOT.search(text)
        return _labels(ElementTree.fromstring(f"{text[root.start():].partition('<part-list')[0]}</score-{root[1]}>"))
    except (InputError, ElementTree.ParseError):
        return "", ""


# --- MusicXML ---------------------------------------------------------------------------------------------------------

CONTAINER = "META-INF/container.xml"  # of an .mxl: names the score in it
LARGEST_CONTAINER = 2**16  # bytes
_BROKEN = (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, OSError, EOFError, ValueError)


def _packed_score(data: bytes) -> str | None:
    """Return the path of the score inside of an .mxl; None where there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if CONTAINER not in names:
                return None
            with archive.open(CONTAINER) as file:
                named = _named(file.read(LARGEST_CONTAINER))
            scores = [name for name in [named, *names] if name in names
                      and name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF/")]
    except _BROKEN:
        return None
    return scores[0] if scores else None


def _named(container: bytes) -> str | None:
    """Return the path that a container names first; None where it is broken: some write a ' into '...'."""
    try:
        root = ElementTree.fromstring(container)
    except ElementTree.ParseError:
        return None
    return next((file.get("full-path") for file in root.iter() if file.tag.endswith("rootfile")), None)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(b"PK"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(_packed_score(data)) as file:
            content = file.read(LARGEST_XML + 1)
    except _BROKEN as error:
        raise InputError(f"is broken: zip cannot unpack it ({error})") from None
    if len(content) > LARGEST_XML:
        raise InputError(f"unpacks to more than {LARGEST_XML:,} bytes; wanted a score of at most so many")
    return content


def _musicxml(content: bytes) -> Sheet:
    """Return a document without what is only for the eye: music21 takes long to read that."""
    if (tags := content.count(b"<")) > MOST_TAGS:
        raise InputError(f"holds {tags:,} tags; wanted a score of at most {MOST_TAGS:,}")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise InputError(f"is broken MusicXML: {error}") from None
    title, credit = _labels(root)
    _reduce(root)
    return Sheet(MUSICXML, ElementTree.tostring(root, encoding="unicode"), title, credit)


def _labels(root: ElementTree.Element) -> tuple[str, str]:
    """Return title and credit of a document."""
    found = {name: " ".join(filter(None, ("".join(element.itertext()).strip() for element in root.iter(name))))
             for name in ("work-title", "movement-title", "rights")}
    composers = [element.text for element in root.iter("creator") if element.get("type", "composer") == "composer"]
    title = " - ".join(dict.fromkeys(filter(None, (*composers, found["work-title"], found["movement-title"]))))
    return " ".join(title.split()), " ".join(found["rights"].split())


FOR_THE_EYE = {"print", "credit", "defaults", "lyric", "beam", "stem", "accidental", "notehead"}


def _reduce(root: ElementTree.Element) -> None:
    """Remove what cannot be heard, and spell out what MusicXML only implies: a cue is silent, a grace note has no
    slash.
    """
    for parent in root.iter():
        for child in [child for child in parent if child.tag in FOR_THE_EYE]:
            parent.remove(child)
    for measure in root.iter("measure"):
        for note in [note for note in measure.findall("note") if note.find("cue") is not None]:
            _silence(measure, note)
    for grace in root.iter("grace"):
        grace.set("slash", grace.get("slash", "no"))


def _silence(measure: ElementTree.Element, note: ElementTree.Element) -> None:
    """Turn a cue note into a rest; the other notes of its chord take no time, and go."""
    if note.find("chord") is not None or note.find("grace") is not None:
        measure.remove(note)
        return
    for child in [child for child in note if child.tag in ("pitch", "unpitched", "tie", "notations", "cue")]:
        note.remove(child)
    if note.find("rest") is None:
        note.insert(0, ElementTree.Element("rest"))


# --- ABC notation -----------------------------------------------------------------------------------------------------

def _tunes(text: str) -> list[Sheet]:
    """Return the tunes of a file; the fields L and M of its head hold for all."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    head, *bodies = re.split(r"^(?=X:)", text, flags=re.MULTILINE)
    defaults = "".join(f"{line}\n" for line in head.splitlines() if re.match("[LM]:", line))
    return [Sheet(ABC, defaults + body, _field(body, "T"), _abc_credit(body)) for body in bodies if _KEY.search(body)]


def _abc_credit(tune: str) -> str:
    """Return who wrote a tune down, and what it says of its copyright, which has no field of its own."""
    rights = re.search(r"^(?:[A-Z]:|%%)\s*((?:abc-)?copyright\b.*\S)", tune, re.MULTILINE | re.IGNORECASE)
    return "; ".join(filter(None, (_field(tune, "Z"), rights and rights[1])))


def _field(tune: str, letter: str) -> str:
    match = re.search(_FIELD.format(letter), tune, re.MULTILINE)
    return match[1].strip('"') if match else ""


# --- Humdrum ----------------------------------------------------------------------------------------------------------

def _kern(text: str) -> Sheet:
    """Return a piece; its reference records say composer, title and who may copy it."""
    said = {name: match[1] for name in ("COM", "OTL", "YEM", "YEC")
            if (match := re.search(rf"^!!!{name}[^:\n]*:[ \t]*(.*\S)", text, re.MULTILINE))}
    title, credit = (filter(None, map(said.get, names)) for names in (("COM", "OTL"), ("YEM", "YEC")))
    return Sheet(KERN, text, " - ".join(title), "; ".join(credit))
