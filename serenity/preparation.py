"""From songs to tokens, as preprocess.py does it: three stages, each of which goes on where an earlier run stopped.

    choose        songs -> report.jsonl: which are kept, and why the others are not
    write_abc     each song that was kept, and synthetic songs of it -> abc text
    write_tokens  abc text -> the token store that training reads

`prepare` runs all three.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from serenity.errors import InputError
from serenity.files import files_below, remove_leftovers, write_whole
from serenity.journal import Journal, code, digest
from serenity.listen import histograms
from serenity.midi_container import is_midi_name
from serenity.music import abc_file, family, selection, song_file
from serenity.music.song_file import stem
from serenity.parallel import in_parallel
from serenity.settings import CodecSettings, DictionarySettings, SongSettings
from serenity.sources import manifest
from serenity.tokens import corpus
from serenity.tokens.corpus import Entry, refuse_other_files

REPORT, PICTURE, WORK = "report.jsonl", "report.png", ".work"  # in the abc folder
SCORES = f"{WORK}/scores"  # the MIDI bytes of scores in notation


@dataclass(frozen=True)
class Preparation:
    """What is made of which songs, and where."""

    midi: Path    # folder of MIDI files and scores
    abc: Path     # folder for abc files and the report
    tokens: Path  # folder for the token store
    songs: SongSettings = SongSettings()
    codec: CodecSettings = CodecSettings()
    dictionaries: DictionarySettings = DictionarySettings()
    workers: int | None = None  # number of processes; None: one for each core


@dataclass(frozen=True)
class Chosen:
    """The songs that are kept."""

    digests: dict[str, str]  # of each song that is kept, by its name below the folder
    lines: list[dict]        # of the report, one for each song (selection.select)


@dataclass(frozen=True)
class Written:
    """The abc files of the songs that were kept."""

    files: list[Path]        # below the abc folder, in order
    real: int                # of these songs
    made: int                # songs that this run wrote, each with its synthetic songs
    refused: dict[str, str]  # song -> why it could not be used


def prepare(wanted: Preparation) -> dict:
    """Choose songs, write them as text and as tokens; return the token store's totals (corpus.build). InputError."""
    begin(wanted)
    return write_tokens(wanted, write_abc(wanted, choose(wanted)).files)[0]


def begin(wanted: Preparation) -> None:
    """Refuse a tokens folder that holds other files, before any work; remove what an interrupted run left behind."""
    refuse_other_files(wanted.tokens)
    remove_leftovers(files_below(wanted.abc))


# --- songs -> report --------------------------------------------------------------------------------------------------

def choose(wanted: Preparation) -> Chosen:
    """Look at every song and write the report. Raises InputError where none is kept."""
    files = song_file.songs_below(wanted.midi)
    if not files:
        raise InputError(f"{wanted.midi} holds no MIDI file; wanted a folder that fetch.py filled")
    _read_scores(wanted, files)
    names = [path.relative_to(wanted.midi).as_posix() for path in files]
    digests = {name: digest(song_file.raw(wanted.midi / name)) for name in names}
    depends = digest(code(selection.assess_in), wanted.codec.category)
    keys = {name: digest(depends, digests[name]) for name in names}
    journal = Journal(wanted.abc / WORK / "assessed.jsonl")
    journal.keep(set(names))
    todo = [name for name in names if not journal.done(name, keys[name])]
    work = partial(selection.assess_in, wanted.midi, category=wanted.codec.category, cache=wanted.abc / SCORES)
    for name, found in zip(todo, in_parallel(work, todo, wanted.workers, "looking at songs", chunk=4)):
        journal.add(name, keys[name], found=found)
    lines = selection.select({name: journal.records[name]["found"] for name in names}, wanted.songs.filters)
    _write_report(wanted.abc, lines)
    return Chosen({line["song"]: digests[line["song"]] for line in lines if line["kept"]}, lines)


def _read_scores(wanted: Preparation, files: list[Path]) -> None:
    """Convert scores in notation to MIDI, each only once: the result is kept beside the abc files."""
    scores, cache = [path for path in files if not is_midi_name(path.name)], wanted.abc / SCORES
    song_file.forget(cache, scores)
    if scores:
        readings = song_file.read_all(scores, cache, wanted.workers or os.cpu_count() or 1)
        for _ in tqdm(readings, "reading scores", len(scores), disable=None):
            pass


def _write_report(abc: Path, lines: list[dict]) -> None:
    """Write the report and its picture, unless they are there."""
    report = "".join(json.dumps(line) + "\n" for line in lines)
    if not (abc / REPORT).exists() or (abc / REPORT).read_text(encoding="utf-8") != report:
        histograms.save(abc / PICTURE, lines)
        write_whole(abc / REPORT, report.encode())


# --- songs -> abc text ------------------------------------------------------------------------------------------------

def write_abc(wanted: Preparation, chosen: Chosen) -> Written:
    """Write the abc files of each song that was kept and of its synthetic songs.

    abc files that were made of the same file with the same settings are left as they are. Those that an earlier run
    made of a song that is no longer kept are removed. Raises InputError where no song is kept or none can be used.
    """
    kept, abc, songs = chosen.digests, wanted.abc, wanted.songs
    if not kept:
        raise InputError(f"none of the {len(chosen.lines)} files in {wanted.midi} was kept; wanted one or more "
                         "(--no-filters keeps every song that can be read)")
    known = manifest.stored(wanted.midi)
    groups = {name: known.get(name, {}).get("group") or stem(name) for name in kept}
    depends = digest(code(family.write), wanted.codec, songs.synthetic, songs.seed, songs.max_events)
    keys = {name: digest(depends, kept[name], groups[name]) for name in kept}
    journal = Journal(abc / WORK / "made.jsonl")
    before = {name: record["files"] for name, record in journal.records.items()}
    todo = [name for name in kept if not _is_made(journal.done(name, keys[name]), abc)]
    work = partial(family.write, midi=wanted.midi, abc=abc, settings=wanted.codec, songs=songs, cache=abc / SCORES)
    jobs = [(name, groups[name]) for name in todo]
    for name, (files, reason) in zip(todo, in_parallel(work, jobs, wanted.workers, "MIDI to abc")):
        _remove(abc, set(before.get(name, ())) - set(files))
        journal.add(name, keys[name], files=files, reason=reason)  # last: what is not in the journal is done again
    for name in before.keys() - kept.keys():
        _remove(abc, before[name])
    journal.keep(set(kept))
    records = [journal.records[name] for name in kept]
    return Written([Path(file) for record in records for file in record["files"]],
                   sum(bool(record["files"]) for record in records), len(todo),
                   {record["name"]: record["reason"] for record in records if record["reason"]})


def _remove(abc: Path, files: Iterable[str]) -> None:
    for file in files:
        (abc / file).unlink(missing_ok=True)


def _is_made(record: dict | None, abc: Path) -> bool:
    return record is not None and all((abc / file).exists() for file in record["files"])


def abc_files(folder: Path) -> list[Path]:
    """Return all abc files below a folder, relative to it, in order. Raises InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; wanted a folder with .abc files")
    files = sorted(path.relative_to(folder) for path in files_below(folder) if path.suffix.lower() == ".abc")
    if not files:
        raise InputError(f"{folder} holds no abc file; run preprocess.py without --abc-only")
    return files


# --- abc text -> tokens -----------------------------------------------------------------------------------------------

def write_tokens(wanted: Preparation, files: list[Path]) -> tuple[dict, bool]:
    """Write the token store of abc files, below the abc folder; return its totals (corpus.build), and if it is new.

    If the store is already made of exactly these songs, it stays as it is. Raises InputError.
    """
    if not files:
        raise InputError(f"none of the songs that were kept in {wanted.midi} could be used")
    top_k, heads = wanted.dictionaries.sizes, [abc_file.read_head(wanted.abc / name) for name in files]
    entries = [Entry(name.as_posix(), head.group, bool(head.synthetic)) for name, head in zip(files, heads)]
    known = manifest.stored(wanted.midi)
    licences = Counter(known.get(head.source, {}).get("licence") or "unknown" for head in heads if not head.synthetic)
    stats = [(name, stat.st_size, stat.st_mtime_ns) for name in files for stat in [(wanted.abc / name).stat()]]
    made_of = digest(code(corpus.build), stats, sorted(top_k.items()), sorted(licences.items()))
    if corpus.made_of(wanted.tokens) == made_of:
        return corpus.load(wanted.tokens).totals, False
    return corpus.build(wanted.tokens, entries, partial(abc_file.read_in, wanted.abc), top_k, dict(licences), made_of,
                        wanted.workers), True
