"""The sets that are known by name: a table, and one way to read those that are archives.

`corpus` is the scores that ship inside the music21 package, so it needs no network. A part of it is named with a slash:
corpus/bach.

A checksum that does not fit is an error: the set has changed since the table was written. A checksum that is not known
is a warning. robots.txt is for programs that follow links, so it is not asked about these addresses.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import islice, zip_longest
from pathlib import Path
from typing import IO

from serenity.errors import InputError
from serenity.song_names import ending_of, may_be_song, without_ending
from serenity.sources import archive
from serenity.sources.manifest import KNOWN, OFFERED, UNPACKED, Collection, Find, conditions
from serenity.sources.visitor import NOT_MODIFIED, Visitor


@dataclass(frozen=True)
class Set:
    """A known set: one archive on the web."""

    what: str
    url: str
    layout: str  # what the path of a song looks like; `name` in it is the path below the set, `group` the song's own
    licence: str | None
    evidence: str  # what says so, or why nothing does
    citation: str
    checksum: str | None = None  # sha256 or md5, told by its length
    table: str | None = None  # what the path of a csv looks like that says more of each song


@dataclass(frozen=True)
class Part:
    """A folder of music21's corpus."""

    what: str
    licence: str | None = None  # where the package says it of the whole folder; None: LICENCE
    by_default: bool = True  # whether `corpus` alone means it too


UNSTATED = "no licence is stated where the set is published"
TWICE = "stated differently in two places"

SETS = {
    "maestro": Set(
        "MAESTRO 3.0.0: 1,276 piano performances from a competition",
        "https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
        r"(?P<name>\d{4}/[^/]+\.midi?)$", "CC-BY-NC-SA-4.0", "the set's page and its LICENSE",
        "Hawthorne et al., Enabling Factorized Piano Music Modeling and Generation with the MAESTRO Dataset, ICLR 2019",
        "70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c", r"maestro[^/]*\.csv$"),
    "pop909": Set(
        "POP909: 909 pop songs as piano, each with its other versions",
        "https://codeload.github.com/music-x-lab/POP909-Dataset/zip/d83e6ed",
        r"POP909/(?P<name>(?P<group>\d+)/(versions/)?[^/]+\.mid)$", "MIT", "the repository's LICENSE",
        "Wang et al., POP909: A Pop-song Dataset for Music Arrangement Generation, ISMIR 2020"),
    "lieder": Set(
        "OpenScore Lieder: about 1,460 songs for voice and piano, in MusicXML",
        "https://codeload.github.com/OpenScore/Lieder/zip/HEAD", r"/scores/(?P<name>.+\.mxl)$", "CC0-1.0",
        "the repository's LICENSE",
        "Gotham and Jonas, The OpenScore Lieder Corpus, Music Encoding Conference 2021"),
    "openewld": Set(
        "OpenEWLD: 502 lead sheets of pop, jazz and rock standards, in MusicXML",
        "https://codeload.github.com/00sapo/OpenEWLD/zip/9bbb6d292c96c9ab2dee64b7ff5cdba60612b7a0",
        r"/dataset/(?P<name>.+\.mxl)$", "MIT", "the repository's LICENSE",
        "Simonetta et al., Symbolic Music Similarity through a Graph-Based Representation, AM 2018"),
    "nmd": Set(
        "NMD: the Nottingham Music Database, about 1,000 folk tunes with chords, in ABC notation",
        "https://ifdo.ca/~seymour/nottingham/nottingham_database.zip", r"(?P<name>[^/]+\.abc)$", None, UNSTATED,
        "Foxley, Nottingham Music Database, 2001; edited by Shlien and Seymour",
        "f79a4bffe78b16d630d4d69f9c62775a7aa246d0973c4d8714ab6c5139ff5a3b"),
    "musedata": Set(
        "MuseData: 783 orchestral and piano pieces, as used for polyphonic models",
        "http://www-etud.iro.umontreal.ca/~boulanni/MuseData.zip", r"(?P<name>(train|valid|test)/[^/]+\.mid)$", None,
        UNSTATED,
        "Boulanger-Lewandowski et al., Modeling Temporal Dependencies in High-Dimensional Sequences, ICML 2012"),
    "lakh": Set(
        "Lakh MIDI Dataset: 178,561 files from the web",
        "http://hog.ee.columbia.edu/craffel/lmd/lmd_full.tar.gz", r"lmd_full/(?P<name>[0-9a-f]/[0-9a-f]+\.mid)$", None,
        TWICE, "Raffel, Learning-Based Methods for Comparing Sequences, PhD thesis, Columbia University, 2016",
        "2536ce3fd2cede53ddaa264f731859ab"),
    "adl": Set(
        "ADL Piano MIDI: 11,086 piano pieces of all kinds, most of them from Lakh",
        "https://github.com/lucasnfe/adl-piano-midi/raw/master/midi/adl-piano-midi.zip",
        r"adl-piano-midi/(?P<name>.+\.midi?)$", None, UNSTATED,
        "Ferreira et al., Computer-Generated Music for Tabletop Role-Playing Games, AIIDE 2020"),
    "emopia": Set(
        "EMOPIA 2.2: 1,087 clips of pop piano, labelled with emotions",
        "https://zenodo.org/record/5257995/files/EMOPIA_2.2.zip",
        r"midis/(?P<name>Q\d_(?P<group>.+)_\d+\.mid)$", None, TWICE,  # group: the recording that clips were cut from
        "Hung et al., EMOPIA: A Multi-Modal Pop Piano Dataset for Emotion Recognition, ISMIR 2021",
        "bad5171786a4898f37fc2678e99afd94"),
    "pop1k7": Set(
        "Pop1K7: 1,747 pop piano covers, transcribed from audio",
        "https://zenodo.org/records/13167761/files/Pop1K7.zip",
        r"(?P<name>([^/]+/)?(?P<group>(src_\d+/)?[^/]+)\.midi?)$", None, UNSTATED,  # group: several stages of one song
        "Hsiao et al., Compound Word Transformer: Learning to Compose Full-Song Music, AAAI 2021"),
}
CORPUS = {
    "bach": Part("chorales and some movements, four voices"),
    "ryansMammoth": Part("Ryan's Mammoth Collection: fiddle tunes"),
    "oneills1850": Part("O'Neill's Music of Ireland: tunes"),
    "airdsAirs": Part("Aird's Airs: tunes of the 18th century"),
    "miscFolk": Part("fife and Northumbrian tunes"),
    "nottingham-dataset": Part("two tunes of NMD, with chords"),
    "leadSheet": Part("lead sheets, melody and chords"),
    "haydn": Part("movements of string quartets"),
    "mozart": Part("movements of string quartets and sonatas"),
    "beethoven": Part("movements of string quartets"),
    "schumann_robert": Part("songs and piano"),
    "schumann_clara": Part("songs and piano"),
    "joplin": Part("Maple Leaf Rag"),
    "johnson_j_r": Part("Lift Every Voice and Sing"),
    "chopin": Part("a mazurka"),
    "schubert": Part("a song"),
    "beach": Part("a song"),
    "liliuokalani": Part("Aloha Oe"),
    "essenFolksong": Part("8,514 folk songs, one voice", "non-commercial use (essenFolksong)", False),
}
LICENCE = "by permission of the encoders (music21 corpus)"
EVIDENCE = "music21/corpus/license.txt"
ENDINGS = (".mxl", ".musicxml", ".xml", ".krn", ".abc")  # of the corpus: the surest first
CITATION = "Cuthbert and Ariza, music21: A Toolkit for Computer-Aided Musicology, ISMIR 2010"


def is_known(source: str) -> bool:
    """Return whether a source is the name of a set, or of a part of the corpus."""
    return source in SETS or source.partition("/")[0] == "corpus"


def table() -> str:
    """Return the known sets for people: name, what, licence, address, checksum, citation."""
    lines = []
    for name, known in SETS.items():
        lines += [f"{name:10}{known.what}", f"{'':10}licence: {known.licence or 'unknown'} ({known.evidence})",
                  f"{'':10}{known.url}", f"{'':10}checksum: {known.checksum or 'none is known'}",
                  f"{'':10}{known.citation}"]
    lines += ["corpus    the scores of the music21 package; needs no network. One part alone: corpus/NAME",
              f"{'':10}licence: {LICENCE}, where nothing else is said; {EVIDENCE}", f"{'':10}{CITATION}"]
    for name, part in CORPUS.items():
        said = "; ".join(filter(None, (part.licence, None if part.by_default else "only by its name")))
        lines.append(f"{'':12}{name:20}{part.what}{f' ({said})' if said else ''}")
    return "\n".join(lines)


def corpus(source: str, limits: archive.Limits, most: int | None = None) -> tuple[int, Iterator[Find]]:
    """Return the number and the finds of `corpus` or `corpus/PART`, the first `most` in a well-spread fixed order.

    Raises InputError for an unknown part, or without music21.
    """
    _, slash, part = source.partition("/")
    if slash and part not in CORPUS:
        raise InputError(f"{source} is not a known set; wanted corpus or corpus/ and one of {', '.join(CORPUS)}")
    if not (package := find_spec("music21")):
        raise InputError(f"{source} needs the package music21; install.sh installs it")
    root = Path(package.origin).parent / "corpus"
    chosen = [part] if part else [name for name, part in CORPUS.items() if part.by_default]
    entries = list(islice(spread([scores_below(root, name) for name in chosen]), most))
    return len(entries), _licensed(archive.songs(entries, source, "music21:", "corpus", limits))


def scores_below(root: Path, part: str) -> list[archive.Entry]:
    """Return the scores of a part of the corpus; where one has several formats, that which stands first in ENDINGS."""
    found = {}
    for entry in sorted(archive.folder_entries(root / part), key=lambda entry: ENDINGS.index(ending_of(entry.name))
                        if ending_of(entry.name) in ENDINGS else len(ENDINGS)):
        if may_be_song(entry.name):
            found.setdefault(without_ending(entry.name), replace(entry, name=f"{part}/{entry.name}"))
    return list(found.values())


def spread(lists: list[list[archive.Entry]]) -> Iterator[archive.Entry]:
    """Yield all entries, one of each list in turn; within a list the order is fixed, but looks random."""
    mixed = [sorted(entries, key=lambda entry: hashlib.sha256(entry.name.encode()).digest()) for entries in lists]
    return (entry for row in zip_longest(*mixed) for entry in row if entry)


def _licensed(finds: Iterator[Find]) -> Iterator[Find]:
    """Yield the corpus's scores with the licence that the package states, beside what they say themselves."""
    for find in finds:
        part = CORPUS[find.name.split("/")[1]]
        yield replace(find, licence=part.licence or LICENCE,
                      evidence="; ".join(filter(None, (EVIDENCE, find.evidence))))


def finds(name: str, visitor: Visitor, collection: Collection, limits: archive.Limits, largest: int,
          warn: Callable[[str], None] = print) -> Iterator[Find]:
    """Yield the finds of a set that is one archive on the web. `largest`: bytes that it may have.

    `warn` is called where no checksum is known. Raises InputError where the set cannot be fetched, or has changed.
    """
    known = SETS[name]
    find = Find(name, known.url, licence=known.licence, evidence=known.evidence)
    before = collection.last(known.url) or {}
    is_had = before.get("decision") == UNPACKED
    if is_had and known.checksum:
        yield replace(find, decision=KNOWN)
        return
    if collection.dry_run:
        yield replace(find, decision=OFFERED)
        return
    headers = {"Accept-Encoding": "identity"} | conditions(before if is_had else None)
    answer = visitor.get(known.url, lambda answer: largest, headers, obey=False)
    if answer.status == NOT_MODIFIED:
        yield replace(find, decision=KNOWN)
        return
    with answer.body as body:
        sha256 = verified(body, known, warn)
        with archive.opened(body, known.url, limits) as entries:
            yield from songs(entries, name, limits)
    yield replace(find, decision=UNPACKED, sha256=sha256, status=answer.status, etag=answer.headers.get("etag"),
                  modified=answer.headers.get("last-modified"))


def verified(body: IO[bytes], known: Set, warn: Callable[[str], None]) -> str:
    """Return the sha256 of a set's archive. Raises InputError where its checksum is not the table's."""
    sha256 = hashlib.file_digest(body, "sha256").hexdigest()
    if not known.checksum:
        warn(f"{known.url}: no checksum is known; sha256 of what came: {sha256}")
        return sha256
    body.seek(0)
    kind = "md5" if len(known.checksum) == 32 else "sha256"
    came = hashlib.file_digest(body, kind).hexdigest()
    if came != known.checksum:
        raise InputError(f"wrong checksum: {kind} {came}, wanted {known.checksum}: {known.url}")
    return sha256


def songs(entries: list[archive.Entry], name: str, limits: archive.Limits) -> Iterator[Find]:
    """Yield the songs of a set's archive, named, grouped and licensed as its table says."""
    known = SETS[name]
    rows = rows_of(entries, known.table)
    for song in archive.songs(entries, name, f"{known.url}#", "", limits):
        if not (match := re.search(known.layout, song.origin.partition("#")[2])):
            continue
        row = rows.get(match["name"], {})
        work = f"{row['canonical_composer']} - {row['canonical_title']}" if row else None
        own = work or match.groupdict().get("group")  # several performances of one work stay together too
        yield replace(song, name=f"{name}/{match['name']}", licence=known.licence or song.licence,
                      evidence=known.evidence if known.licence or not song.licence else song.evidence,
                      title=work or song.title,
                      group=f"{name}/{own}" if own else None, metadata=row or None)


def rows_of(entries: list[archive.Entry], table: str | None) -> dict[str, dict]:
    """Return what a set's csv says of its songs, by their path: MAESTRO's columns. {} where there is none."""
    for entry in entries if table else ():
        if re.search(table, entry.name) and not entry.fault:
            lines = csv.DictReader(io.StringIO(entry.read().decode("utf-8-sig", "replace")))
            return {row["midi_filename"]: row for row in lines if row.get("midi_filename")}
    return {}
