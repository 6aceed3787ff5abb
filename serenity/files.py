"""Files that appear whole or not at all, one process at a time in a folder, all files below it, and their text."""

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serenity.errors import InputError

LONG = 200  # bytes of a name; most file systems end at 255
UNFINISHED = re.compile(r"\..+\.\d+\.part")  # name, and the process that writes it


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield the path to write a file to, which gets its name once the block ends.

    If the block fails, the file that had this name before stays, and nothing else is left: on a full disk every byte
    counts. Several processes may write the same file; the last one wins. An OSError of the writing names the path.
    """
    path = Path(path)
    unfinished = _unfinished(path)
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        if error.filename in (None, unfinished, os.fspath(unfinished)):  # of a full disk there is none
            error.filename, error.filename2 = os.fspath(path), None
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    name = path.name
    if len(os.fsencode(name)) > LONG:  # it may not become longer
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f".{name}.{os.getpid()}.part")


def check_output(path: Path, read: Iterable[Path]) -> None:
    """Refuse to write over a file that is read, too, and to write where no file can be written. Raises InputError."""
    try:
        if any(path.exists() and other.exists() and path.samefile(other) for other in read):
            raise InputError(f"{path} is an input as well; wanted another name")
        if path.is_dir():
            raise InputError(f"{path} is a folder; wanted a file's name")
        with contextlib.suppress(FileNotFoundError):
            path.stat()  # refuses a name that is too long
        _unfinished(path).touch()
        _unfinished(path).unlink()
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); wanted another name or folder") from None


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, in no order. Folders that cannot be read are passed over, and so are links to
    folders, which may lead back to a folder above.
    """
    waiting = [folder]  # not rglob, which fails in a very deep folder
    while waiting:
        try:
            paths = list(waiting.pop().iterdir())
        except OSError:
            continue
        yield from (path for path in paths if path.is_file())
        waiting += [path for path in paths if path.is_dir() and not path.is_symlink()]


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove those of the files that `whole` left unfinished in a process that was killed. None may write one now."""
    for path in paths:
        if UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write a file: it appears under its name only when it is whole, and a failure leaves what was there."""
    with whole(path) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is in a block of this kind for the same folder, and keep others out during this one.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


# --- text of unknown encoding, as old files and the web have it -------------------------------------------------------

UTF16_MAGIC = (b"\xff\xfe", b"\xfe\xff")  # the two byte orders
_JAPANESE = r"[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e]"  # letters and signs of full width
_ENCODINGS = {  # encoding -> bytes and text as every text of it has them, and no other text that is read by it
    "utf-8-sig": (b"", ""),
    # Bytes: a kana or a common kanji, and one more letter. Two rare kanji may be French: the "légère" of Latin-1.
    "shift_jis": (rb"[\x81-\x9f].[\x81-\xea]",
                  rf"(?=.*{_JAPANESE}{{2}})([\0-\x7f\uff61-\uff9f]|{_JAPANESE})*\Z"),
    "cp1251": (b"", "(?=.*[А-яЁё]{3})"),
    "cp1252": (b"", ""),
    "latin-1": (b"", ""),  # it has a letter for every byte
}


def text_of(content: bytes) -> str:
    """Return a text that does not say its encoding: UTF-8 or -16, or what it looks like, or else Latin-1."""
    if content.startswith(UTF16_MAGIC):
        return content.decode("utf-16", "replace")
    for encoding, (packed, shown) in _ENCODINGS.items():
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if re.search(packed, content, re.DOTALL) and re.match(shown, text, re.DOTALL):
            return text
    raise AssertionError("Latin-1 reads everything")
