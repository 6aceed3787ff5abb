"""The token store: all songs as one memory-mapped array on disk, split by song without leakage.

A folder of

    tokens.npy       (events, 7) uint16, song after song; columns as in COLUMNS
    songs.jsonl      one line a song: name, group, whether it is synthetic, split, first event, number of events
    vocabulary.json  the dictionaries, counted on the training songs only
    corpus.json      codec settings and totals
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from serenity.errors import InputError
from serenity.music.abc_file import AbcSong
from serenity.music.codec import bar_places
from serenity.parallel import in_parallel
from serenity.settings import CodecSettings
from serenity.tokens import vocabulary as vocabularies
from serenity.tokens.vocabulary import ATTRIBUTES, COLUMNS, END, SPECIALS, TOP_K, Vocabulary

FILES = ("tokens.npy", "songs.jsonl", "vocabulary.json", "corpus.json")
OLD_FILES = ("bars.npy",)  # of format 2: removed when the store is replaced
SPLITS = ("train", "validation", "test")
CHUNK = 32         # songs that are read at a time
MERGE = 100_000    # different chords that are counted before counts are added up
SHARES = {"validation": 0.05, "test": 0.05}  # of the groups
FORMAT = "serenity-corpus 3"
OLDER = ("serenity-corpus 1", "serenity-corpus 2")
TOTALS = ("format", "songs", "synthetic", "events", *SPLITS, "exact", "licences", "made_of", "settings")  # corpus.json
SONG = ("name", "group", "synthetic", "split", "start", "events")  # what a line of songs.jsonl holds


@dataclass(frozen=True)
class Corpus:
    """An open token store. `tokens` is memory-mapped: only what is read comes into memory."""

    tokens: np.ndarray             # (events, 7) uint16
    songs: tuple[dict, ...]        # name, group, synthetic, split, start, events
    vocabulary: Vocabulary
    codec: CodecSettings
    totals: dict                   # songs, synthetic, events, train, validation, test, exact, licences

    def of_split(self, split: str, synthetic: bool = True) -> list[np.ndarray]:
        """Return the tokens of each song of a split, (events, 7) each, as views; without `synthetic`, of real ones.

        Synthetic songs are used only for training: how good a model is is measured on real ones.
        """
        return [self.tokens[song["start"]:song["start"] + song["events"]] for song in self.songs
                if song["split"] == split and not (song["synthetic"] and (split != "train" or not synthetic))]

    def numbers(self) -> dict[str, int | str]:
        """Return what a model's card says about the songs: real songs of each split, synthetic songs and events of
        training, and the SHA-256 of all tokens."""
        real = Counter(song["split"] for song in self.songs if not song["synthetic"])
        training = [song for song in self.songs if song["split"] == "train"]
        return {**{split: real[split] for split in SPLITS}, "synthetic": len(training) - real["train"],
                "events": sum(song["events"] for song in training),
                "sha256": hashlib.sha256(np.ascontiguousarray(self.tokens)).hexdigest()}

    def unigram_bits(self, attribute: str, songs: Sequence[np.ndarray]) -> float:
        """Return the bits per event of songs' tokens, each predicted only from how common it is in the real training
        songs. The end of a song is one more decision of its step. Each token counts once more, so none is impossible.
        """
        def decisions(songs: Sequence[np.ndarray]) -> np.ndarray:
            ends = [END] * len(songs) if attribute == "step" else []
            return np.concatenate([*(song[:, ATTRIBUTES.index(attribute)] for song in songs), ends]).astype(np.int64)

        counts = 1 + np.bincount(decisions(self.of_split("train", synthetic=False)),
                                 minlength=self.vocabulary[attribute].size)
        return float(-np.log2(counts / counts.sum())[decisions(songs)].sum() / sum(map(len, songs)))

    def shares(self, synthetic: float | None) -> np.ndarray:
        """Return how much of each training song an epoch shows, (songs,), 0 to 1. Real songs: all. Synthetic songs: of
        a group together as much as `synthetic` songs for each of its real ones; None: all."""
        songs = [song for song in self.songs if song["split"] == "train"]
        if synthetic is None:
            return np.ones(len(songs))
        numbers = Counter((song["group"], song["synthetic"]) for song in songs)
        return np.array([min(1.0, synthetic * numbers[song["group"], False] / numbers[song["group"], True])
                         if song["synthetic"] else 1.0 for song in songs])


def split_groups(groups: Iterable[str], shares: dict[str, float] = SHARES) -> dict[str, str]:
    """Return the split of each group.

    A group's split follows only from the hash of its name, so a song stays in its split when others come or go. If a
    split that has a share stays empty by chance, the nearest group of the largest split moves there, as long as one is
    left behind; training gets a group in any case.
    """
    places = {group: int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2 ** 64
              for group in sorted(set(groups))}
    splits = {group: "validation" if place < shares["validation"]
              else "test" if place < shares["validation"] + shares["test"] else "train"
              for group, place in places.items()}
    for split, nearest in (("train", max), ("validation", min), ("test", min)):
        if not shares.get(split, 1):
            continue
        largest = max(SPLITS, key=list(splits.values()).count)
        spare = [group for group in places if splits[group] == largest]
        if split not in splits.values() and len(spare) > (split != "train"):
            splits[nearest(spare, key=places.get)] = split
    return splits


@dataclass(frozen=True)
class Entry:
    """A song before it is read: its name, its group, and whether it is synthetic."""

    name: str
    group: str
    synthetic: bool = False


def build(folder: Path, entries: Sequence[Entry], read: Callable[[str], AbcSong], top_k: dict[str, int] = TOP_K,
          licences: dict[str, int] | None = None, made_of: str = "", workers: int | None = 1) -> dict:
    """Write a token store from abc songs, and return its totals, which also stand in corpus.json.

    `read` returns the song of a name. Each song is read twice, once to count and once to write, CHUNK songs at a time,
    over `workers` processes (None: one for each core), so that memory does not grow with the songs. `licences` (files
    by licence) and `made_of` (any digest) are kept in the store. The store replaces an older one only when it is whole.
    Raises InputError if there is no song, if songs differ in their codec settings, or if `folder` holds anything else
    than a token store.
    """
    folder = folder.resolve()
    refuse_other_files(folder)
    vocabularies.check_top_k(top_k)
    if not entries:
        raise InputError("no abc song found; wanted one or more")
    splits = split_groups(entry.group for entry in entries)
    counts, settings = _count([entry for entry in entries if splits[entry.group] == "train"], read, workers)
    vocabulary = vocabularies.make(counts, top_k)
    half = folder.with_name(folder.name + ".part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    rows, exact, events = [], np.zeros(len(ATTRIBUTES), np.int64), 0
    encoded = _over_chunks(partial(_encode, read, vocabulary, settings), entries, workers, "writing tokens")
    with open(half / "tokens.npy", "wb") as file:
        _write_header(file, 0)
        for entry, (tokens, known) in zip(entries, chain.from_iterable(encoded)):
            file.write(tokens.astype("<u2").tobytes())
            rows.append(_row(entry, splits[entry.group], events, len(tokens)))
            exact += known
            events += len(tokens)
        file.seek(0)
        _write_header(file, events)
    (half / "songs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    vocabularies.write(half / "vocabulary.json", vocabulary)
    totals = _totals(rows, exact, settings, licences or {}, made_of)
    (half / "corpus.json").write_text(json.dumps(totals, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half.replace(folder)
    return totals


def _write_header(file: BinaryIO, events: int) -> None:
    """Write how a .npy file begins. NumPy leaves room in it: it is equally long for any number of events."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<u2", "fortran_order": False, "shape": (events, len(COLUMNS))})


def _row(entry: Entry, split: str, start: int, events: int) -> dict:
    return {**asdict(entry), "split": split, "start": start, "events": events}


def _totals(rows: Sequence[dict], exact: np.ndarray, settings: CodecSettings, licences: dict[str, int],
            made_of: str) -> dict:
    """Return what corpus.json holds. `exact`: how many tokens of each attribute are the songs' own values."""
    return {"format": FORMAT, "songs": len(rows), "synthetic": sum(row["synthetic"] for row in rows),
            "events": sum(row["events"] for row in rows),
            **{split: sum(row["split"] == split for row in rows) for split in SPLITS},
            "exact": dict(zip(ATTRIBUTES, exact.tolist())), "licences": licences, "made_of": made_of,
            "settings": asdict(settings)}


def _over_chunks(work: Callable, entries: Sequence[Entry], workers: int | None, title: str) -> Iterator:
    """Yield what `work` makes of the names of each CHUNK entries."""
    names = [entry.name for entry in entries]
    chunks = [names[start:start + CHUNK] for start in range(0, len(names), CHUNK)]
    return in_parallel(work, chunks, workers, f"{title} (x {CHUNK} songs)")


def _count(entries: Sequence[Entry], read: Callable, workers: int | None) -> tuple[dict, CodecSettings]:
    """Return how often each value stands in the songs (see vocabulary.counts_of), and their codec settings."""
    counts, waiting, settings = [], 0, None
    for name, settings_here, part in _over_chunks(partial(_count_chunk, read), entries, workers, "counting"):
        settings = settings or settings_here
        _refuse_mixture(name, settings_here, settings)
        counts.append(part)
        waiting += len(part["pitch"][0])
        if waiting > MERGE:  # few large sums, so that adding up takes little time and memory
            counts, waiting = [vocabularies.merge_counts(counts)], 0
    return vocabularies.merge_counts(counts), settings


def _count_chunk(read: Callable, names: list[str]) -> tuple[str, CodecSettings, dict]:
    songs = [read(name) for name in names]
    for name, song in zip(names, songs):
        _refuse_mixture(name, song.codec, songs[0].codec)
    return names[0], songs[0].codec, vocabularies.counts_of(np.concatenate([song.events for song in songs]))


def _encode(read: Callable, vocabulary: Vocabulary, settings: CodecSettings,
            names: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows of each song, (events, 7), and how many tokens are exact in each attribute."""
    songs = [read(name) for name in names]
    for name, song in zip(names, songs):
        _refuse_mixture(name, song.codec, settings)
    tokens, known = vocabulary.encode(np.concatenate([song.events for song in songs]))  # together: they share chords
    ends = np.cumsum([len(song.events) for song in songs])[:-1]
    bars = [bar_places(song.events, song.tempo_map, settings.grid) for song in songs]
    return [(np.concatenate([part, places], axis=1), exact.sum(axis=0))
            for part, places, exact in zip(np.split(tokens, ends), bars, np.split(known, ends))]


def _refuse_mixture(name: str, settings: CodecSettings, wanted: CodecSettings) -> None:
    if settings != wanted:
        raise InputError(f"{name} was made with {settings}, the songs before it with {wanted}; "
                         "wanted one setting for all: preprocess into an empty folder")


def load(folder: Path) -> Corpus:
    """Open a token store. Raises InputError if a part is missing or does not fit the others."""
    if not (folder / "corpus.json").is_file():
        raise InputError(f"{folder} holds no token store (no corpus.json); run preprocess.py first")
    try:
        head = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
        songs = tuple(json.loads(line) for line in (folder / "songs.jsonl").read_text(encoding="utf-8").splitlines())
        if head["format"] != FORMAT:
            older = ", made by an older Serenity" if head["format"] in OLDER else ""
            raise InputError(f"{folder}/corpus.json: format '{head['format']}'{older}; wanted '{FORMAT}': "
                             "run preprocess.py again")
        tokens = np.lib.format.open_memmap(folder / "tokens.npy", "r")
        settings = CodecSettings(**head["settings"])
        total = sum(song["events"] for song in songs)
        if missing := {*TOTALS} - {*head} or {name for song in songs for name in {*SONG} - {*song}}:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is not a complete token store ({error}); run preprocess.py again") from None
    vocabulary = vocabularies.read(folder / "vocabulary.json")
    if tokens.shape != (total, len(COLUMNS)) or tokens.dtype != np.uint16:
        raise InputError(f"{folder}/tokens.npy has shape {tokens.shape} and type {tokens.dtype}, but songs.jsonl has "
                         f"{total} events; run preprocess.py again")
    return Corpus(tokens, songs, vocabulary, settings, head)


# --- with dictionaries that exist already -----------------------------------------------------------------------------

def in_memory(songs: Sequence[tuple[Entry, np.ndarray, np.ndarray]], vocabulary: Vocabulary, settings: CodecSettings,
              shares: dict[str, float] = SHARES) -> Corpus:
    """Return a corpus of songs, each as its event table and bar places, in the tokens of a vocabulary.

    Nothing is written.
    """
    splits = split_groups((entry.group for entry, *_ in songs), shares)
    tokens, known = vocabulary.encode(np.concatenate([events for _, events, _ in songs]))
    starts = np.cumsum([0, *(len(events) for _, events, _ in songs)])
    rows = tuple(_row(entry, splits[entry.group], int(start), len(events))
                 for (entry, events, _), start in zip(songs, starts))
    tokens = np.concatenate([tokens, np.concatenate([bars for *_, bars in songs])], axis=1)
    return Corpus(tokens, rows, vocabulary, settings, _totals(rows, known.sum(axis=0), settings, {}, ""))


def translate(corpus: Corpus, vocabulary: Vocabulary) -> Corpus:
    """Return a corpus in the tokens of another vocabulary, in memory. Values that it lacks become the nearest one."""
    tokens, exact = np.array(corpus.tokens), {}  # a copy: the columns of bars stay as they are
    for column, attribute in enumerate(ATTRIBUTES):
        table, known = vocabulary[attribute].encode(corpus.vocabulary[attribute].values)
        values = corpus.tokens[:, column] - SPECIALS
        tokens[:, column], exact[attribute] = table[values], int(known[values].sum())
    return replace(corpus, tokens=tokens, vocabulary=vocabulary, totals=corpus.totals | {"exact": exact})


# --- what a store is --------------------------------------------------------------------------------------------------

def made_of(folder: Path) -> str | None:
    """Return what a store is made of, as `build` was told; None if there is no complete store."""
    try:
        return load(folder).totals["made_of"]
    except InputError:
        return None


def refuse_other_files(folder: Path) -> None:
    """Raise InputError if writing the store would delete other files: build replaces the whole folder."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; wanted a folder for the token store")
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if others := sorted(found - {*FILES, *OLD_FILES}):
        raise InputError(f"{folder} holds {others[0]}, no part of a token store; wanted an empty or new folder")
