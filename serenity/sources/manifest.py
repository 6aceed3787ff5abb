"""The collection: a folder of MIDI files, and `manifest.jsonl` in it, which says where each came from.

A source (archive.py, crawl.py, datasets.py) yields `Find`s; `Collection.keep` looks at each, stores it or not, and
writes one line about it. Lines are only ever appended. A line:

    time      when it was written, UTC, ISO 8601
    source    what the user named: a folder, an archive, a page, a set
    origin    the file itself: a path or URL; a file inside an archive is ARCHIVE#NAME
    stored    its path below the collection, with /; null if it was not stored
    bytes, sha256
    licence   a short name (SPDX where there is one) or null, and its evidence: the file or page that says so
    title     what the source calls it, or null
    group     songs that belong together: never one in training and another in validation
    decision  stored, duplicate (reason: the path that has the same content), refused (reason: why),
              unpacked (an archive of which all files have been seen), visited (a page, or what was not music),
              finished (the source was followed to its end)
    and what there is of: referrer (the page that links to it), landed (where redirects led to), status, etag and
    modified (what a second run asks with), links (of a page), metadata (what the set itself says of a song)

A file is written under another name and renamed when it is whole; then its line is written. If a run is killed between
the two, the next run finds the file with the right content and only adds the line.

Look-ups use a temporary SQLite file, so that memory does not grow with the collection.
"""

import hashlib
import json
import os
import re
import sqlite3
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from serenity import notation
from serenity.errors import InputError
from serenity.midi_container import MAGIC, beginning, unwrapped
from serenity.song_names import ending_of, may_be_song, without_ending
from serenity.sources import licence as licences

NAME = "manifest.jsonl"
INCOMING = ".incoming.part"  # a file on its way into the collection; nobody takes it for a MIDI file

STORED, DUPLICATE, REFUSED, UNPACKED, VISITED, FINISHED = (
    "stored", "duplicate", "refused", "unpacked", "visited", "finished")
KNOWN = "known"  # seen by an earlier run, or unchanged since: nothing to do, nothing to write
OFFERED = "offered"  # what a dry run would ask for
UNCHANGED = "unchanged"  # a page that an earlier run visited: nothing to write either
ACCOUNTS = (UNPACKED, VISITED, UNCHANGED)  # about what led to files, not about files

# Kinds of reasons that may not hold in another run: a host that had a bad hour, or a flag that is set otherwise
PASSING = ("no answer", "status 429", "status 5", "broke off", "too slow", "left alone", "licence", "over", "private",
           "robots.txt could not be fetched", "robots.txt cannot be had", "pages")  # the last but one in old manifests

# What some system cannot have in a file name; Windows has the longest list
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
SCORE_END = re.compile(rb"</score-(partwise|timewise)\s*>")  # of MusicXML
LONGEST_NAME = 160  # bytes of one part of a path; file systems end at 255
DEEPEST = 8  # folders kept of a path

SCHEMA = """
    CREATE TABLE origins (origin TEXT PRIMARY KEY, place INTEGER, source TEXT, round INTEGER) WITHOUT ROWID;
    CREATE TABLE contents (sha256 TEXT PRIMARY KEY, stored TEXT) WITHOUT ROWID;
    CREATE TABLE names (folded TEXT PRIMARY KEY, stored TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Find:
    """A file that a source offers, or what the source itself has to say about one."""

    source: str  # what the user named
    origin: str  # the path or URL of the file
    name: str = ""  # the path it should have below the collection; made safe when it is stored
    content: bytes = b""
    licence: str | None = None
    evidence: str | None = None  # what says so
    title: str | None = None
    group: str | None = None  # None: its name decides
    decision: str | None = None  # all but STORED and DUPLICATE: the source has decided
    reason: str | None = None  # kind, or kind: detail
    referrer: str | None = None
    landed: str | None = None
    status: int | None = None
    etag: str | None = None
    modified: str | None = None  # the Last-Modified header
    sha256: str | None = None  # of an archive, whose content is not handed on; of a file it is computed
    links: dict | None = None
    metadata: dict | None = None


OPTIONAL = ("referrer", "landed", "status", "etag", "modified", "links", "metadata")


def read(folder: Path) -> list[dict]:
    """Return the lines of a folder's manifest in order; none where there is no manifest.

    A line that is not a JSON object is passed over: the last one may have been cut off.
    """
    return [record for _, record in _placed(folder)]


def stored(folder: Path) -> dict[str, dict]:
    """Return the last line about each stored file, by its path below the folder."""
    return {record["stored"]: record for record in read(folder) if record.get("stored")}


def _placed(folder: Path) -> Iterator[tuple[int, dict]]:
    """Yield (byte at which the line begins, record)."""
    place = 0
    try:
        with open(folder / NAME, "rb") as file:
            for line in file:
                if isinstance(record := _parsed(line), dict):
                    yield place, record
                place += len(line)
    except FileNotFoundError:
        return


def _parsed(line: bytes):
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def scratch(schema: str) -> sqlite3.Connection:
    """Return an empty database in a temporary file; any thread may use it, one at a time."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-2000; {schema}")
    return database


class Collection:
    """A folder of MIDI files that accounts for each. One process at a time may add to it."""

    def __init__(self, folder: Path, largest: int, licence: str = licences.ANY, dry_run: bool = False):
        """Open the folder, which need not exist yet.

        `largest`: bytes that a song's file may have. `licence`: what is taken, as licence.allows reads it. A dry run
        decides and writes nothing.
        """
        self.folder, self.largest, self.licence, self.dry_run = folder, largest, licence, dry_run
        self._lock = threading.Lock()  # crawl.py looks up from many threads
        self._index = scratch(SCHEMA)
        self._file = None  # the manifest, to append to; opened when there is something to write
        self._rounds = Counter()  # source -> how often it was followed to its end
        self._unfinished = set()  # sources of which there are lines since
        self._index.execute("BEGIN")
        for place, record in _placed(folder):
            self._remember(record, place)
        self._index.execute("COMMIT")

    def last(self, origin: str) -> dict | None:
        """Return the last line about an origin; None where there is none, or where its file was taken away since.

        It has one more key, `is_fresh`: True as long as its source has not been followed to its end since then.
        """
        row = self._run("SELECT place, source, round FROM origins WHERE origin = ?", origin)
        if not row:
            return None
        with open(self.folder / NAME, "rb") as file:
            file.seek(row[0])
            record = _parsed(file.readline()) or {}
        path = {STORED: record.get("stored"), DUPLICATE: record.get("reason")}.get(record.get("decision"))
        if path is not None and not (self.folder / path).is_file():
            return None
        return record | {"is_fresh": row[2] == self._rounds[row[1]]}

    def keep(self, find: Find) -> tuple[str, str | None]:
        """Store a find if it is a new song, write its line, and return decision and reason.

        Raises OSError where the folder cannot be written.
        """
        if find.decision in (KNOWN, OFFERED, UNCHANGED):
            return find.decision, find.reason
        sha256 = hashlib.sha256(find.content).hexdigest() if find.content else find.sha256
        before = {key: value for key, value in (self.last(find.origin) or {}).items() if key != "is_fresh"}
        if find.content and before.get("sha256") == sha256 and before["decision"] in (STORED, DUPLICATE):
            again = {"etag": find.etag, "modified": find.modified}
            if any(before.get(key) != value for key, value in again.items()):  # the same file under another date
                self._append(before | again | {"time": _now()})
            return KNOWN, None
        wanted, stored, (decision, reason) = safe_path(find.name), None, self._judge(find, sha256)
        if decision == STORED:
            stored = self._free_name(wanted, find.content)
            if not self.dry_run:
                self._write(stored, find.content)
        record = {
            "time": _now(),
            "source": find.source, "origin": find.origin, "stored": stored,
            "bytes": len(find.content), "sha256": sha256,
            "licence": find.licence, "evidence": find.evidence, "title": find.title,
            "group": (find.group or group(wanted)) if stored else None, "decision": decision, "reason": reason,
        } | {key: value for key in OPTIONAL if (value := getattr(find, key)) is not None}
        if any(record.get(key) != before.get(key) for key in record.keys() - {"time", "source", "referrer"}):
            self._append(record)
        return decision, reason

    def finish(self, source: str) -> None:
        """Write that a source was followed to its end, so that the next run asks again for what it offers."""
        if source in self._unfinished:
            self._append({"time": _now(), "source": source, "decision": FINISHED})

    def _judge(self, find: Find, sha256: str | None) -> tuple[str, str | None]:
        if find.decision:
            return find.decision, find.reason
        if reason := fault(find.content, self.largest):
            return REFUSED, reason
        if not licences.allows(self.licence, find.licence):
            return REFUSED, unlicensed(find.licence, self.licence)
        twin = self._run("SELECT stored FROM contents WHERE sha256 = ?", sha256)
        return (DUPLICATE, twin[0]) if twin and (self.dry_run or (self.folder / twin[0]).is_file()) else (STORED, None)

    def _free_name(self, name: str, content: bytes) -> str:
        """Return the first of name.mid, name-2.mid, name-3.mid ... that is free.

        A name is free, too, where a file of exactly this content has no line yet, and where somebody took the file
        away.
        """
        stem, ending, number = without_ending(name), ending_of(name), 1
        while True:
            target, owner = self.folder / name, self._run("SELECT stored FROM names WHERE folded = ?", name.casefold())
            if owner in (None, (name,)) and not os.path.lexists(target) and not (owner and self.dry_run):
                return name
            if owner is None and target.is_file() and target.read_bytes() == content:
                return name
            number += 1
            name = f"{stem}-{number}{ending}"

    def _write(self, stored: str, content: bytes) -> None:
        target, incoming = self.folder / stored, self.folder / INCOMING
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming.write_bytes(content)
        incoming.replace(target)

    def _append(self, record: dict) -> None:
        if self.dry_run:
            self._remember_file(record)
            return
        if not self._file:
            self._file = _opened(self.folder)
        place = self._file.tell()
        self._file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        self._file.flush()
        self._remember(record, place)

    def _remember(self, record: dict, place: int) -> None:
        source = record.get("source")
        if record.get("decision") == FINISHED:
            self._rounds[source] += 1
            self._unfinished.discard(source)
            return
        self._unfinished.add(source)
        self._run("INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?)", record.get("origin"), place, source,
                  self._rounds[source])
        self._remember_file(record)

    def _remember_file(self, record: dict) -> None:
        if stored := record.get("stored"):
            self._run("INSERT OR REPLACE INTO contents VALUES (?, ?)", record.get("sha256"), stored)
            self._run("INSERT OR REPLACE INTO names VALUES (?, ?)", stored.casefold(), stored)

    def _run(self, query: str, *values) -> tuple | None:
        with self._lock:
            return self._index.execute(query, [_text(value) for value in values]).fetchone()


def _opened(folder: Path) -> BinaryIO:
    """Return the manifest of a folder, at its end and at the beginning of a line."""
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / NAME, "ab+")  # noqa: SIM115
    if file.tell():
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":  # a cut-off line stays alone
            file.write(b"\n")
    return file


def _text(value):
    # a path may hold bytes that are not UTF-8, which the manifest spells with backslashes
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_passing(reason: str | None) -> bool:
    """Return whether a file that was refused for this reason may be taken at another time."""
    return (reason or "").startswith(PASSING)


def conditions(before: dict | None) -> dict[str, str]:
    """Return the headers that ask for a file only if it changed since its last line (RFC 9110, 13.1)."""
    if not before or is_passing(before["reason"]):
        return {}
    said = {"If-None-Match": before.get("etag"), "If-Modified-Since": before.get("modified")}
    return {name: value for name, value in said.items() if value}


def is_settled(before: dict) -> bool:
    """Return whether what an earlier run saw need not be asked for at all. `before`: as Collection.last has it."""
    if before["is_fresh"]:
        return not is_passing(before["reason"])
    return before["decision"] in (STORED, DUPLICATE, UNPACKED) and not conditions(before)


def fault(content: bytes, largest: int) -> str | None:
    """Return why these bytes cannot be a whole MIDI file or score of at most `largest` bytes, or None."""
    if not content:
        return "empty file"
    if len(content) > largest:
        return too_large(largest)
    try:
        midi = unwrapped(content, largest)
    except InputError as error:
        return f"broken wrapper: {error}"
    form = notation.form_of(content)
    if form is None and not midi.startswith(MAGIC):
        return f"neither MIDI nor a score: begins with {beginning(midi)}"
    is_plain = form == notation.MUSICXML and not content.startswith(b"PK")
    if is_plain and not SCORE_END.search(content[-400:].replace(b"\0", b"")):  # UTF-16 has a 0 in each letter
        return f"cut off: a score's first {len(content):,} bytes"
    if form is None and _is_cut_off(midi):
        return f"cut off: a MIDI file's first {len(content):,} bytes"
    return None


def _is_cut_off(content: bytes) -> bool:
    """Return whether a chunk's length leads beyond the end (Standard MIDI Files 1.0: 4 letters, 4 bytes of length)."""
    place, tracks = 8 + int.from_bytes(content[4:8]), 0
    while len(content) >= place + 8:
        kind, end = content[place:place + 4], place + 8 + int.from_bytes(content[place + 4:place + 8])
        if kind != b"MTrk" and (not kind.isalnum() or end > len(content)):  # what somebody wrote behind the music
            break
        place, tracks = end, tracks + (kind == b"MTrk")
    return place > len(content) or not tracks


def unlicensed(licence: str | None, wanted: str) -> str:
    """Return the reason that stands for a file whose licence is not taken."""
    return f"licence: {licence or 'unknown'}, wanted {wanted}"


def too_large(largest: int) -> str:
    """Return the reason that stands for a file of more than `largest` bytes."""
    return f"over {largest / 2**20:g} MiB"


def group(wanted: str) -> str:
    """Return the group of a file: its path without ending, unless a song has a folder of its own.

    `wanted` is the path before a number was added to make it free, so a song that changed stays in the group of its
    older version. X/versions/* and X/NAME.mid where NAME is X's own name have the group X: the layout of POP909.
    """
    path = PurePosixPath(wanted)
    if "versions" in path.parts[1:-1]:
        return str(PurePosixPath(*path.parts[: path.parts.index("versions", 1)]))
    stem = without_ending(path.name)
    return str(path.parent if stem == path.parent.name else path.with_name(stem))


def safe_path(name: str) -> str:
    """Return a path that every file system accepts, that stays below its folder, and that a person still recognises."""
    *folders, file = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")] or ["unnamed"]
    # a folder named like a song could stand where a song of that name is to be stored
    folders = [f"{safe}_" if may_be_song(safe) else safe for safe in map(_safe_part, folders)]
    return "/".join([*folders[:DEEPEST], _safe_part(file)])


def _safe_part(part: str) -> str:
    part = part.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    part = UNSAFE.sub("_", unicodedata.normalize("NFC", part)).strip(" ").rstrip(".")
    part = f"_{part}" if not part or part.startswith(".") or RESERVED.match(part) else part
    stem = without_ending(part).encode()[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(" .")
    return stem + ending_of(part)
