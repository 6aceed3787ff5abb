"""Folders, single files and archives (zip, tar, tar.gz) on this machine, read without unpacking anything.

All three are lists of `Entry`; one function, `songs`, decides about each entry. Nothing is extracted: the bytes of each
song are handed on, and manifest.py chooses the path. So no name in an archive, no link and no device can lead out of
the output folder. Such entries are refused as well, and reported.
"""

import gzip
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from serenity import notation
from serenity.errors import InputError
from serenity.files import files_below, text_of
from serenity.midi_container import GZIP_MAGIC, is_left_by_macos, is_midi_name
from serenity.song_names import PLAIN_ENDINGS, is_song_name, may_be_song
from serenity.sources.licence import licence_in
from serenity.sources.manifest import REFUSED, Find, too_large

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
NESTED_ENDINGS = (*ARCHIVE_ENDINGS, ".gz", ".bz2", ".xz", ".7z", ".rar")

LICENCE_FILE = re.compile(r"(licen[cs]e|copying|readme)(\.(txt|md|rst))?", re.IGNORECASE)
LARGEST_LICENCE = 2**18  # bytes; longer ones are books
# MemoryError: the dictionary of LZMA is as large as the archive says
_BROKEN = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, IndexError, MemoryError,
           zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


@dataclass(frozen=True)
class Limits:
    """Limits that no honest archive exceeds."""

    song: int  # bytes of a song's file
    entries: int = 1_000_000  # Lakh, the largest known set, has 180,000
    unpacked: int = 64 * 2**30  # bytes in all
    ratio: int = 100  # unpacked to packed; MIDI has 3 to 10
    small: int = 16 * 2**20  # bytes unpacked that no ratio is asked of: a tar of one song is mostly padding

    def most(self, packed: int) -> int:
        """Return the bytes to which an archive of `packed` bytes may unpack."""
        return min(self.unpacked, max(self.small, self.ratio * packed))


@dataclass(frozen=True)
class Entry:
    """A file in a folder or archive."""

    name: str  # with /, relative to the folder or archive
    size: int  # bytes
    read: Callable[[], bytes]
    fault: str | None = None  # why it must not be read


def is_archive(name: str) -> bool:
    """Return whether a name ends like an archive that can be read here."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def finds(path: Path, source: str, limits: Limits, leave_out: Path | None = None) -> tuple[int | None, Iterator[Find]]:
    """Return the finds of a local folder, archive, MIDI file or score, and before them their number, None if unknown.

    `leave_out` is a folder not to look into. Raises InputError where there is none, or, when the finds are asked for,
    where the archive is broken or exceeds a limit.
    """
    name, path = path.name, path.parent.resolve() / path.name  # a link to a file keeps the name that the user sees
    if path.is_dir():
        path = path.resolve()
        entries = folder_entries(path, leave_out)
        return sum(map(_concerns, entries)), songs(entries, source, f"{path.as_posix()}/", path.name, limits)
    if may_be_song(name) and path.is_file():
        return 1, songs([_file_entry(path, name)], source, f"{path.parent.as_posix()}/", "", limits)
    if is_archive(name) and path.is_file():
        return None, _archive_finds(path, source, limits)
    raise InputError(f"{path} is neither a folder nor a file that ends in {', '.join(PLAIN_ENDINGS + ARCHIVE_ENDINGS)}")


def _archive_finds(path: Path, source: str, limits: Limits) -> Iterator[Find]:
    with open(path, "rb") as file, opened(file, path.name, limits) as entries:
        yield from songs(entries, source, f"{path.as_posix()}#", bare_name(path.name), limits)


def _concerns(entry: Entry) -> bool:
    return may_be_song(entry.name) or entry.name.lower().endswith(NESTED_ENDINGS) and not is_left_by_macos(entry.name)


def songs(entries: list[Entry], source: str, where: str, label: str, limits: Limits) -> Iterator[Find]:
    """Yield a find for each song's file and nested archive among the entries. A file that may be a score by its name,
    such as any .xml, but holds none, is passed over.

    `where` + the entry's name is the find's origin, `label`/name the path that it should have. What a score itself says
    about its licence counts where no file beside it says more.
    """
    licences = licences_of(entries)
    for entry in entries:
        if not _concerns(entry):
            continue
        content, reason = b"", entry.fault
        if not reason and not may_be_song(entry.name):
            reason = "archive in a folder or archive: name it as a source of its own"
        if not reason and entry.size > limits.song:
            reason = too_large(limits.song)
        if not reason:
            try:
                content = entry.read()
            except _BROKEN as error:
                reason = f"unreadable: {error}"
        if content and not is_surely_song(entry.name) and notation.form_of(content) is None:
            continue
        licence, evidence = nearest(licences, entry.name)
        evidence = f"{where}{evidence}" if evidence else None
        find = Find(source, f"{where}{entry.name}", f"{label}/{entry.name}".lstrip("/"), content, licence, evidence,
                    decision=REFUSED if reason else None, reason=reason)
        yield find if is_midi_name(entry.name) else labelled(find)


def is_surely_song(name: str) -> bool:
    """Return whether a file by this name is meant as music. There are .abc files that are not: Serenity's own text."""
    return is_song_name(name) and not name.lower().endswith(".abc")


def labelled(find: Find) -> Find:
    """Return the find of a score with its title, and with what it says about who may copy it."""
    title, credit = notation.labels(find.content)
    says_it = find.licence is None and licence_in(credit)
    evidence = "; ".join(filter(None, (find.evidence, credit)))
    return replace(find, title=find.title or title or None, licence=says_it or find.licence, evidence=evidence or None)


def folder_entries(folder: Path, leave_out: Path | None = None) -> list[Entry]:
    """Return all files below a folder, in order; what lies below `leave_out` is passed over."""
    return [_file_entry(path, path.relative_to(folder).as_posix()) for path in sorted(files_below(folder))
            if not (leave_out and path.is_relative_to(leave_out))]


def _file_entry(path: Path, name: str) -> Entry:
    return Entry(name, path.stat().st_size, path.read_bytes)


def bare_name(name: str) -> str:
    """Return the name of an archive without .zip, .tar.gz and the like."""
    ending = next((ending for ending in ARCHIVE_ENDINGS if name.lower().endswith(ending)), "")
    return name[:len(name) - len(ending)]


@contextmanager
def opened(file: IO[bytes], name: str, limits: Limits) -> Iterator[list[Entry]]:
    """Give the entries of an archive while it is open. `name`: what to call it; its ending does not matter.

    Raises InputError, kind first: no archive or broken, over a limit.
    """
    try:
        packed = file.seek(0, 2)
        file.seek(0)
        start = file.read(2)
        file.seek(0)
        if start == b"PK":  # is_zipfile would also say so of a tar that ends with a zip
            with zipfile.ZipFile(file) as archive:
                yield _zip_entries(archive, limits, packed)
        else:
            stream = gzip.GzipFile(fileobj=file, mode="rb") if start == GZIP_MAGIC else file
            with tarfile.open(fileobj=_Gauge(stream, limits, packed), mode="r:") as archive:
                yield _tar_entries(archive, limits)
    except InputError as error:
        raise InputError(f"archive over a limit: {name} {error}") from error
    except _BROKEN as error:
        why = str(error) or type(error).__name__
        raise InputError(f"broken archive: {name} is not a complete zip, tar or tar.gz ({why})") from error


def _zip_entries(archive: zipfile.ZipFile, limits: Limits, packed: int) -> list[Entry]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > limits.entries:
        raise InputError(f"holds {len(infos):,} files; wanted {limits.entries:,} at most")
    if (size := sum(info.file_size for info in infos)) > limits.most(packed):
        raise InputError(f"would unpack from {packed:,} to {size:,} bytes; wanted {limits.most(packed):,} at most")
    return [Entry(_zip_name(info), info.file_size, lambda info=info: archive.read(info), _zip_fault(info))
            for info in infos]


UTF8_NAME = 0x800  # flag of a zip entry
UNICODE_PATH = 0x7075  # extra field of Info-ZIP: version, checksum, the name in UTF-8


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a zip's entry. Without its flag it should be in code page 437, and often is not."""
    if info.flag_bits & UTF8_NAME:
        return info.filename
    for kind, content in _extra_fields(info.extra):
        if kind == UNICODE_PATH:
            return content[5:].decode("utf-8", "replace")
    try:
        packed = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    text = text_of(packed)
    is_told = text not in (packed.decode("cp1252", "replace"), packed.decode("latin-1"))  # which any bytes may be
    return text if is_told else info.filename


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        yield kind, extra[place + 4:place + 4 + size]
        place += 4 + size


def _zip_fault(info: zipfile.ZipInfo) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link in an archive"
    return "encrypted" if info.flag_bits & 1 else _name_fault(_zip_name(info))


def _tar_entries(archive: tarfile.TarFile, limits: Limits) -> list[Entry]:
    entries = []
    for member in archive:
        if len(entries) >= limits.entries:
            raise InputError(f"holds more than {limits.entries:,} files")
        if member.size < 0:  # it would lead back to an earlier member, again and again
            raise tarfile.ReadError(f"a file of {member.size:,} bytes")
        if not member.isdir():
            fault = None if member.isfile() else "link in an archive" if member.islnk() or member.issym() else "device"
            entries.append(Entry(member.name, member.size, lambda member=member: archive.extractfile(member).read(),
                                 fault or _name_fault(member.name)))
    return entries


def _name_fault(name: str) -> str | None:
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name)
    return f"path out of the archive: {name}" if outside else None


class _Gauge:
    """A tar as a stream that ends with an InputError where it grows beyond the limits.

    tarfile believes what headers say about sizes, so a single read is limited too.
    """

    def __init__(self, file: IO[bytes], limits: Limits, packed: int):
        self.file, self.song, self.most = file, limits.song, limits.most(packed)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= max(self.song, 2**20):  # below 0: all there is
            raise InputError(f"has a header of {size:,} bytes; wanted {max(self.song, 2**20):,} at most")
        self._check(self.file.tell() + size)
        return self.file.read(size)

    def seek(self, position: int) -> int:
        self._check(position)
        return self.file.seek(position)

    def tell(self) -> int:
        return self.file.tell()

    def _check(self, position: int) -> None:
        if position > self.most + tarfile.RECORDSIZE:  # which pads the end
            raise InputError(f"unpacks to more than {self.most:,} bytes")


def licences_of(entries: list[Entry]) -> dict[str, tuple[str, str]]:
    """Return {folder: (licence, the file that says so)} for the licence and readme files among the entries."""
    found = {}
    files = [entry for entry in entries if LICENCE_FILE.fullmatch(PurePosixPath(entry.name).name)
             and not entry.fault and entry.size <= LARGEST_LICENCE]
    for entry in sorted(files, key=lambda entry: "readme" not in entry.name.lower()):  # the licence file speaks last
        try:
            text = entry.read().decode("utf-8", "replace")
        except _BROKEN:
            continue
        if licence := licence_in(text):
            found[str(PurePosixPath(entry.name).parent)] = licence, entry.name
    return found


def nearest(licences: dict[str, tuple[str, str]], name: str) -> tuple[str | None, str | None]:
    """Return licence and evidence of the nearest folder above a file that has one."""
    return next((licences[str(folder)] for folder in PurePosixPath(name).parents if str(folder) in licences),
                (None, None))
