"""Song files of any kind as MIDI: MIDI files as they are, scores in notation (notation.py) through sheet.py.

Whatever a user names as a song goes through here, so that everything behind sees MIDI. A tune in a file of several is
named as book.abc#3. A score takes seconds to read, so whoever reads many lets `read_all` keep what came of them in a
folder, the cache.
"""

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from functools import cache as once
from importlib.metadata import version
from pathlib import Path

from serenity import notation
from serenity.errors import InputError
from serenity.files import files_below, write_whole
from serenity.midi_container import MAGIC, beginning, is_left_by_macos, is_midi_name
from serenity.music.midi_file import LARGEST_FILE, Score, parse, read_bytes
from serenity.music.sheet import CHORDS, Reader, Unfinished
from serenity.notation import Sheet
from serenity.song_names import PLAIN_ENDINGS, without_ending

MIDI, REASON, AGAIN = ".mid", ".txt", ".again"  # endings in the cache; what ends in AGAIN is tried again
MAKERS = ("../notation", "chord_symbols", "midi_file", "musicxml", "sheet", "staff", "tune")


def read(path: str | os.PathLike, cache: Path | None = None) -> Score:
    """Return the song of a file; InputError, with one line that begins with the path, where it cannot be used."""
    try:
        score = parse(midi_bytes(Path(path), cache))
        if not any(len(track.notes) for track in score.tracks):
            raise InputError("holds no note; wanted a song with notes")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return score


def midi_bytes(path: Path, cache: Path | None = None, reader: Reader | None = None) -> bytes:
    """Return the MIDI bytes of a song's file. `reader`: the process that reads scores; None: one for this score alone.

    Raises InputError where it is neither MIDI nor a score, or cannot be read.
    """
    data, sheet = _content(path)
    if sheet is None and data and not data.startswith(MAGIC):
        raise InputError(f"is not a song: begins with {beginning(data)}; wanted a MIDI file, MusicXML or ABC notation")
    if sheet is None:
        return data
    kept = cache and cache / f"{_key(sheet)}{MIDI}"
    if kept and (reason := _reason(kept)):
        raise InputError(reason)
    if kept and kept.exists():
        return kept.read_bytes()
    with nullcontext(reader) if reader else Reader() as to_midi:
        try:
            midi = to_midi(sheet)
        except InputError as error:
            if kept:
                _keep(kept.with_suffix(AGAIN if isinstance(error, Unfinished) else REASON), str(error).encode())
            raise
    if kept:
        _keep(kept, midi)
    return midi


def raw(path: Path) -> bytes:
    """Return what a song is read from: the bytes of its file, or of its tune in a file of several."""
    data, sheet = _content(path)
    return sheet.text.encode(errors="replace") if sheet and "#" in path.name else data


def read_all(paths: Iterable[Path], cache: Path, workers: int) -> Iterator[None]:
    """Put the MIDI bytes of scores into the cache, or why there are none, over `workers` processes; yield after each.

    What was not read to its end in an earlier run is tried again.
    """
    paths, own = list(paths), threading.local()
    for path in cache.glob(f"*{AGAIN}"):
        path.unlink(missing_ok=True)
    threads = ThreadPoolExecutor(max(min(workers, len(paths)), 1))
    with ExitStack() as readers:
        readers.callback(threads.shutdown, cancel_futures=True)  # after the processes are ended

        def work(path: Path) -> None:
            if not hasattr(own, "reader"):
                own.reader = readers.enter_context(Reader())
            with suppress(InputError):
                midi_bytes(path, cache, own.reader)

        yield from threads.map(work, paths)


def forget(cache: Path, paths: Iterable[Path]) -> None:
    """Remove from a cache what was not made of these scores."""
    keys = {_key(sheet) for path in paths if (sheet := _sheet(path))}
    for kept in cache.glob("*"):
        if kept.stem not in keys:
            kept.unlink(missing_ok=True)


def songs_below(folder: Path) -> list[Path]:
    """Return the songs below a folder in order: MIDI files, scores, and each tune of a file of several.

    Raises InputError where there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; wanted one with {', '.join(PLAIN_ENDINGS)} files")
    found = []
    for path in sorted(files_below(folder)):
        if is_midi_name(path.name):
            found.append(path)
        elif is_score(path):
            found += _tunes(path)
    return found


def is_score(path: Path) -> bool:
    """Return whether a file is a score, by its name and its first bytes; an .mxl by all of them."""
    if not notation.is_notation_name(path.name) or is_left_by_macos(path.as_posix()):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(notation.START)
            whole = start + file.read(LARGEST_FILE) if start.startswith(b"PK") else start
    except OSError:
        return False
    return notation.form_of(whole) is not None


def file_of(song: Path) -> tuple[Path, int]:
    """Return the file in which a song stands, and which of its tunes it is, from 1; 0: all of it."""
    if song.exists() or not _has_number(song.name):
        return song, 0
    name, _, number = song.name.rpartition("#")
    return song.with_name(name), int(number)


def stem(name: str) -> str:
    """Return a song's name without the ending of its file: book#3 for book.abc#3."""
    file, mark, number = name.partition("#") if _has_number(name) else (name, "", "")
    return f"{without_ending(file)}{mark}{number}"


def melody_of(score: Score) -> Score | None:
    """Return the melody of a lead sheet alone; None where there are no chords that were made from symbols."""
    tracks = tuple(track for track in score.tracks if track.name != CHORDS)
    is_lead_sheet = score.tempo_map.is_notated and 0 < len(tracks) < len(score.tracks)
    return Score(tracks, score.tempo_map, score.texts) if is_lead_sheet else None


# --- files ------------------------------------------------------------------------------------------------------------

def _has_number(name: str) -> bool:
    return name.rpartition("#")[2].isdigit() and notation.is_notation_name(name.rpartition("#")[0])


def _content(path: Path) -> tuple[bytes, Sheet | None]:
    """Return the bytes of a song's file, and the sheet that is meant where it is a score."""
    path, number = file_of(path)
    data = read_bytes(path)
    if data.startswith(MAGIC) or notation.form_of(data) is None:
        return data, None
    sheets = notation.sheets(data)
    if not number and len(sheets) > 1:
        raise InputError(f"holds {len(sheets):,} tunes; wanted one of them, such as {path.name}#1")
    if number > len(sheets):
        raise InputError(f"it has no tune {number}; wanted 1 to {len(sheets):,}")
    return data, sheets[max(number - 1, 0)]


def _sheet(path: Path) -> Sheet | None:
    """Return the sheet of a song's file; None where it is none."""
    with suppress(InputError):
        return _content(path)[1]


def _tunes(path: Path) -> list[Path]:
    """Return the path of a score; of a file of several tunes, one for each."""
    try:
        count = len(notation.sheets(read_bytes(path))) if path.suffix.lower() == ".abc" else 1
    except InputError:  # whoever reads it says so
        count = 1
    return [path] if count == 1 else [path.with_name(f"{path.name}#{number}") for number in range(1, count + 1)]


# --- cache ------------------------------------------------------------------------------------------------------------

def _key(sheet: Sheet) -> str:
    """Return a digest of all that the MIDI bytes of a sheet depend on."""
    return hashlib.sha256(f"{_makers()}\n{sheet.form}\n{sheet.text}".encode(errors="replace")).hexdigest()


@once
def _makers() -> str:
    """Return a digest of the code that reads scores."""
    here = Path(__file__).parent
    whole = hashlib.sha256(version("music21").encode())
    for name in MAKERS:
        whole.update((here / f"{name}.py").read_bytes())
    return whole.hexdigest()


def _reason(kept: Path) -> str | None:
    """Return why there are no MIDI bytes of a sheet, where it was found out."""
    for ending in (REASON, AGAIN):
        with suppress(FileNotFoundError):
            return kept.with_suffix(ending).read_text(encoding="utf-8")


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
