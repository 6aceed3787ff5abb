"""The token store: all songs as one memory-mapped array on disk, split by song without leakage.

A folder of

    tokens.npy       (events, 4) uint16, song after song; columns as in ATTRIBUTES
    songs.jsonl      one line a song: name, group, split, first event, number of events
    vocabulary.json  the dictionaries, counted on the training songs alone
    corpus.json      codec settings and totals
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.music.abc_file import AbcSong
from serenity.music.codec import CodecSettings
from serenity.tokens import vocabulary as vocabularies
from serenity.tokens.vocabulary import ATTRIBUTES, TOP_K, Vocabulary

FILES = ("tokens.npy", "songs.jsonl", "vocabulary.json", "corpus.json")
SPLITS = ("train", "validation", "test")
SHARES = {"validation": 0.05, "test": 0.05}  # of the groups
FORMAT = "serenity-corpus 1"
TOTALS = ("format", "songs", "events", *SPLITS, "exact", "licences", "settings")  # what corpus.json holds
SONG = ("name", "group", "split", "start", "events")  # what a line of songs.jsonl holds


@dataclass(frozen=True)
class Corpus:
    """An open token store. `tokens` is memory-mapped: only what is read comes into memory."""

    tokens: np.ndarray             # (events, 4) uint16
    songs: tuple[dict, ...]        # name, group, split, start, events
    vocabulary: Vocabulary
    settings: CodecSettings
    totals: dict                   # songs, events, train, validation, test, exact, licences

    def of_split(self, split: str) -> list[np.ndarray]:
        """Return the tokens of each song of a split, (events, 4) each, as views."""
        return [self.tokens[song["start"]:song["start"] + song["events"]]
                for song in self.songs if song["split"] == split]


def split_groups(groups: Iterable[str], shares: dict[str, float] = SHARES) -> dict[str, str]:
    """Return the split of each group.

    A group's place follows from the hash of its name alone, so a song stays on its side when others come or go. Where
    chance leaves a split empty, the nearest group of the largest split moves there, as long as one stays; training is
    filled in any case.
    """
    places = {group: int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2 ** 64
              for group in sorted(set(groups))}
    splits = {group: "validation" if place < shares["validation"]
              else "test" if place < shares["validation"] + shares["test"] else "train"
              for group, place in places.items()}
    for split, nearest in (("train", max), ("validation", min), ("test", min)):
        largest = max(SPLITS, key=list(splits.values()).count)
        spare = [group for group in places if splits[group] == largest]
        if split not in splits.values() and len(spare) > (split != "train"):
            splits[nearest(spare, key=places.get)] = split
    return splits


def build(folder: Path, songs: Callable[[], Iterable[tuple[str, AbcSong]]], top_k: dict[str, int] = TOP_K,
          licences: dict[str, int] | None = None) -> dict:
    """Write a token store from abc songs, and return its totals, which also stand in corpus.json.

    `songs()` gives (name, song) anew each time it is called: once to learn the groups, once to count, once to write,
    so that memory does not grow with the number of songs. `licences` (files by licence) travels with the store. The
    store replaces an older one only when it is whole.
    Raises InputError where there is no song, where songs differ in their codec settings, or where `folder` holds
    anything but a token store.
    """
    folder = folder.resolve()
    refuse_other_files(folder)
    groups, settings = {}, None
    for name, song in songs():
        groups[name] = song.group
        settings = settings or song.settings
        if song.settings != settings:
            raise InputError(f"{name} was made with {song.settings}, the songs before it with {settings}; "
                             "wanted one setting for all: preprocess into an empty folder")
    if not groups:
        raise InputError("no abc song found; wanted one or more")
    splits = split_groups(groups.values())
    vocabulary = vocabularies.count_values((song.events for name, song in songs() if splits[groups[name]] == "train"),
                                           top_k)
    half = folder.with_name(folder.name + ".part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    totals = {"format": FORMAT, "songs": 0, "events": 0, **dict.fromkeys(SPLITS, 0),
              "exact": dict.fromkeys(ATTRIBUTES, 0), "licences": licences or {}}
    with open(half / "tokens.raw", "wb") as raw, open(half / "songs.jsonl", "w", encoding="utf-8") as index:
        for name, song in songs():
            tokens, known = vocabulary.encode(song.events)
            tokens.tofile(raw)
            split = splits[song.group]
            index.write(json.dumps({"name": name, "group": song.group, "split": split, "start": totals["events"],
                                    "events": len(tokens)}) + "\n")
            totals["songs"] += 1
            totals["events"] += len(tokens)
            totals[split] += 1
            for attribute, exact in zip(ATTRIBUTES, known.sum(axis=0).tolist()):
                totals["exact"][attribute] += exact
    _add_header(half / "tokens.raw", half / "tokens.npy", totals["events"])
    vocabularies.write(half / "vocabulary.json", vocabulary)
    totals["settings"] = asdict(settings)
    (half / "corpus.json").write_text(json.dumps(totals, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half.replace(folder)
    return totals


def load(folder: Path) -> Corpus:
    """Open a token store. Raises InputError where a part is missing or does not fit the others."""
    if not (folder / "corpus.json").is_file():
        raise InputError(f"{folder} holds no token store (no corpus.json); run preprocess.py first")
    try:
        head = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
        songs = tuple(json.loads(line) for line in (folder / "songs.jsonl").read_text(encoding="utf-8").splitlines())
        tokens = np.lib.format.open_memmap(folder / "tokens.npy", "r")
        settings = CodecSettings(**head["settings"])
        total = sum(song["events"] for song in songs)
        if missing := {*TOTALS} - {*head} or {name for song in songs for name in {*SONG} - {*song}}:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no whole token store ({error}); run preprocess.py again") from None
    if head["format"] != FORMAT:
        raise InputError(f"{folder}/corpus.json: format '{head['format']}', wanted '{FORMAT}'; run preprocess.py again")
    vocabulary = vocabularies.read(folder / "vocabulary.json")
    if tokens.shape != (total, len(ATTRIBUTES)) or tokens.dtype != np.uint16:
        raise InputError(f"{folder}/tokens.npy has shape {tokens.shape} and type {tokens.dtype}, songs.jsonl tells of "
                         f"{total} events; run preprocess.py again")
    return Corpus(tokens, songs, vocabulary, settings, head)


def refuse_other_files(folder: Path) -> None:
    """Raise InputError where writing the store would delete what is none: build replaces the whole folder."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; wanted a folder for the token store")
    others = sorted(path.name for path in folder.iterdir() if path.name not in FILES) if folder.exists() else []
    if others:
        raise InputError(f"{folder} holds {others[0]}, no part of a token store; wanted an empty or new folder")


def _add_header(raw: Path, npy: Path, events: int) -> None:
    """Turn raw uint16 rows into a .npy file, a piece at a time."""
    target = np.lib.format.open_memmap(npy, "w+", np.uint16, (events, len(ATTRIBUTES)))
    source = np.memmap(raw, np.uint16, "r", shape=target.shape)
    for start in range(0, events, 1 << 20):
        target[start:start + (1 << 20)] = source[start:start + (1 << 20)]
    target.flush()
    raw.unlink()
