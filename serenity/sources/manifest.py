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
              unpacked (an archive from the web of which all files have been seen)

A file becomes part of the collection by being renamed, whole or not at all, before its line is written. Where a run was
killed between the two, the next one finds the file with the right content and only adds the line.
"""

import hashlib
import json
import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

NAME = "manifest.jsonl"
INCOMING = ".incoming.part"  # a file on its way into the collection; no reader of MIDI takes it for one

MIDI_ENDINGS = (".mid", ".midi", ".kar")
MAGIC = b"MThd"

STORED, DUPLICATE, REFUSED, UNPACKED = "stored", "duplicate", "refused", "unpacked"
KNOWN = "known"  # seen by an earlier run: nothing to do, nothing to write

# What some system cannot have in a file name; Windows has the longest list
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
LONGEST_NAME = 160  # bytes of one part of a path; file systems end at 255
DEEPEST = 8  # folders kept of a path


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
    decision: str | None = None  # REFUSED, UNPACKED or KNOWN: the source has decided, there is no content
    reason: str | None = None  # kind, or kind: detail


def read(folder: Path) -> list[dict]:
    """Return the lines of a folder's manifest in order; none where there is no manifest.

    A line that is no JSON object is passed over: the last one may have been cut off.
    """
    try:
        lines = (folder / NAME).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [record for line in lines if isinstance(record := _parsed(line), dict)]


def _parsed(line: bytes):
    try:
        return json.loads(line)
    except ValueError:
        return None


class Collection:
    """A folder of MIDI files that accounts for each. One process at a time may add to it."""

    def __init__(self, folder: Path, largest: int):
        """Open the folder, which need not exist yet. `largest`: bytes that a MIDI file may have."""
        self.folder, self.largest = folder, largest
        self._records: dict[str, dict] = {}  # origin -> the last line about it
        self._by_content: dict[str, str] = {}  # sha256 -> stored
        self._taken: dict[str, str] = {}  # stored, without case as some file systems see it -> stored
        for record in read(folder):
            self._remember(record)

    def knows(self, origin: str) -> bool:
        """Return whether an earlier run settled this origin, so that nobody needs to ask for it again."""
        record = self._records.get(origin, {})
        if record.get("decision") == UNPACKED:
            return True
        path = {STORED: record.get("stored"), DUPLICATE: record.get("reason")}.get(record.get("decision"))
        return bool(path) and (self.folder / path).is_file()

    def keep(self, find: Find) -> tuple[str, str | None]:
        """Store a find if it is a new MIDI file, write its line, and return decision and reason.

        Raises OSError where the folder cannot be written.
        """
        if find.decision == KNOWN:
            return KNOWN, None
        sha256 = hashlib.sha256(find.content).hexdigest() if find.content else None
        if sha256 and self.knows(find.origin) and self._records[find.origin]["sha256"] == sha256:
            return KNOWN, None
        wanted, stored, (decision, reason) = safe_path(find.name), None, self._judge(find, sha256)
        if decision == STORED:
            stored = self._free_name(wanted, find.content)
            self._write(stored, find.content)
        record = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "source": find.source, "origin": find.origin, "stored": stored,
            "bytes": len(find.content), "sha256": sha256,
            "licence": find.licence, "evidence": find.evidence, "title": find.title,
            "group": group(wanted) if stored else None, "decision": decision, "reason": reason,
        }
        before = self._records.get(find.origin, {})
        if any(record[key] != before.get(key) for key in ("sha256", "stored", "decision", "reason")):
            self._append(record)
        return decision, reason

    def _judge(self, find: Find, sha256: str | None) -> tuple[str, str | None]:
        if find.decision:
            return find.decision, find.reason
        if reason := fault(find.content, self.largest):
            return REFUSED, reason
        twin = self._by_content.get(sha256)
        return (DUPLICATE, twin) if twin and (self.folder / twin).is_file() else (STORED, None)

    def _free_name(self, name: str, content: bytes) -> str:
        """Return the first of name.mid, name-2.mid, name-3.mid ... that is free.

        Free is, too, what holds this very content and was not accounted for, and what somebody took away.
        """
        path, number = PurePosixPath(name), 1
        while True:
            target, owner = self.folder / name, self._taken.get(name.casefold())
            if owner in (None, name) and not os.path.lexists(target):
                return name
            if owner is None and target.is_file() and target.read_bytes() == content:
                return name
            number += 1
            name = str(path.with_stem(f"{path.stem}-{number}"))

    def _write(self, stored: str, content: bytes) -> None:
        target, incoming = self.folder / stored, self.folder / INCOMING
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming.write_bytes(content)
        incoming.replace(target)

    def _append(self, record: dict) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        with open(self.folder / NAME, "ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line  # a cut-off line stays alone
            file.write(line)
        self._remember(record)

    def _remember(self, record: dict) -> None:
        self._records[record.get("origin")] = record
        if stored := record.get("stored"):
            self._by_content[record.get("sha256")] = stored
            self._taken[stored.casefold()] = stored


def fault(content: bytes, largest: int) -> str | None:
    """Return why these bytes cannot be a MIDI file of at most `largest` bytes, or None."""
    if not content:
        return "empty file"
    if len(content) > largest:
        return too_large(largest)
    if not content.startswith(MAGIC):
        return f"not MIDI: begins with {content[:8]!r}"
    return None


def too_large(largest: int) -> str:
    """Return the reason that stands for a file of more than `largest` bytes."""
    return f"over {largest / 2**20:g} MiB"


def group(wanted: str) -> str:
    """Return the group of a file: its path without ending, unless a song has a folder of its own.

    `wanted` is the path before a number was added to make it free, so a song that changed stays with its older self.
    X/versions/* and X/NAME.mid where NAME is X's own name have the group X: the layout of POP909.
    """
    path = PurePosixPath(wanted)
    if "versions" in path.parts[1:-1]:
        return str(PurePosixPath(*path.parts[: path.parts.index("versions", 1)]))
    return str(path.parent if path.stem == path.parent.name else path.with_suffix(""))


def safe_path(name: str) -> str:
    """Return a path that every file system can have, stays below its folder, and a person still recognises."""
    *folders, file = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")] or ["unnamed"]
    # a folder named like a song could stand where a song of that name is to be stored
    folders = [f"{safe}_" if safe.lower().endswith(MIDI_ENDINGS) else safe for safe in map(_safe_part, folders)]
    return "/".join([*folders[:DEEPEST], _safe_part(file)])


def _safe_part(part: str) -> str:
    part = part.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    part = UNSAFE.sub("_", unicodedata.normalize("NFC", part)).strip(" ").rstrip(".")
    part = f"_{part}" if not part or part.startswith(".") or RESERVED.match(part) else part
    stem, dot, ending = part.rpartition(".") if part.lower().endswith(MIDI_ENDINGS) else (part, "", "")
    return stem.encode()[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(" .") + dot + ending
