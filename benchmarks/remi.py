"""What does a REMI transformer of the same size learn of the same songs in the same time? A peer, in bits per note.

    remi.py --midi FOLDER --tokens data/tokens --peer-python PYTHON     prints a table, adds to benchmarks/remi.json
    remi.py ... --optimizer muon --learning-rate 5e-3                   the same with the optimizer that Serenity has

PYTHON has torch, transformers and miditok installed (pip install torch transformers miditok, in an environment of its
own); `remi_peer.py` runs in it: MidiTok's REMI tokenises the songs, and a GPT-2 with random weights learns them for so
many seconds of processor time. Tokenising and judging are not counted.

* Songs: those of the token store, in its split, synthetic ones left out; each is read from the MIDI file of its name.
  Both models get the same notes: the tracks that Serenity chooses, with the pedal applied, a pitch that is struck twice
  at one grid point as one note. With `normalise` the peer gets them in Serenity's key and register (`codec.encode`),
  too.
* Both count in quarters, those of the tempo map that Serenity reads out of file and notes: REMI gets each note where it
  stands by that map, and rounds it by itself. It has MidiTok's defaults: 8 positions a quarter note (4 in durations
  beyond a bar), 32 velocities; no programs. Time signatures are left out: bars are 4/4 (why: see
  remi_peer.make_tokenizer).
* Bits of a held-out song are those of all its tokens and of its end, each counted once, with half a window or more
  before it. They are divided by the notes that REMI's tokens stand for, as Serenity's bits are by those of its events.
  The token store strikes about 2 % fewer notes, since a chord that its dictionary lacks becomes one that it has, most
  often a smaller one; `bits_per_store_note` has these as the divisor.
* What REMI throws away stands beside: how far its notes are from those it was given.

The figures stand under the optimizer's name; a later run replaces them. `--label NAME` makes a trial, which goes into
`tried` instead. So learning rate, window and batch were chosen, on the validation songs, in a quarter of the time.
"""

import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.intervals import ratio_interval
from benchmarks.notes import note_counts
from serenity.categories import CATEGORIES
from serenity.command_line import run
from serenity.errors import InputError
from serenity.music import codec, midi_file
from serenity.music.note import sort_notes
from serenity.music.pitch import fold, transpose
from serenity.music.song import of_score
from serenity.music.tempo_map import TempoMap
from serenity.settings import CodecSettings
from serenity.tokens import corpus as corpora

NAMES = {"adamw": "REMI + GPT-2, AdamW", "muon": "REMI + GPT-2, Muon"}  # of the figures, by optimizer
PEER_NOTE = np.dtype([("onset", np.float64), ("duration", np.float64),  # quarter notes; as remi_peer.NOTES
                      ("pitch", np.int16), ("velocity", np.int16)])


@dataclass(frozen=True)
class Parameters:
    """Train a REMI transformer beside Serenity and judge it on the held-out songs."""

    midi: Path                              # the folder that the store's songs were made from
    tokens: Path                            # a token store
    peer_python: Path                       # a Python with torch, transformers and miditok
    splits: tuple[Literal["validation", "test"], ...] = ("validation", "test")  # whose songs are judged
    seconds: float = 480.0                  # of processor time for training
    width: int = 192                        # of the GPT-2; heads are 64 wide
    layers: int = 6
    window: int = 512                       # tokens that it sees
    batch: int = 2                          # windows a step
    learning_rate: float = 1e-3             # at its peak
    optimizer: Literal["adamw", "muon"] = "adamw"  # muon: for the layers' matrices
    dropout: float = 0.0
    positions: int = 8                      # of REMI, a quarter note
    velocities: int = 32                    # of REMI
    normalise: bool = True                  # transpose each song as Serenity does
    threads: int = 1
    seed: int = 0
    songs: int | None = None                # of each split, to try the script; None: all
    label: str = ""                         # of a trial
    results: Path = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, eq=False)
class Song:
    """A song as the peer gets it."""

    name: str
    split: str
    store_notes: int    # as its events in the token store strike them
    notes: np.ndarray   # a note table, in seconds
    tempo_map: TempoMap


def main(parameters: Parameters) -> None:
    """Hand the songs to the peer, and report what it made of them."""
    corpus = corpora.load(parameters.tokens)
    songs = read_songs(corpus, parameters)
    with tempfile.TemporaryDirectory() as folder:
        result, decoded = ask_peer(Path(folder), songs, parameters)
    figures = report(songs, result, decoded, parameters)
    print(table(figures))
    known = json.loads(parameters.results.read_text(encoding="utf-8")) if parameters.results.exists() else {}
    tried = known.pop("tried", [])
    if parameters.label:
        tried.append(trial(figures, parameters.label))
    else:
        known[NAMES[parameters.optimizer]] = figures
    parameters.results.write_text(json.dumps({**known, "tried": tried}, indent=1) + "\n", encoding="utf-8")


# --- the songs --------------------------------------------------------------------------------------------------------

def read_songs(corpus: corpora.Corpus, parameters: Parameters) -> list[Song]:
    """Return the real songs of training and of the splits to judge. InputError where a MIDI file is missing."""
    rows = [row for split in ("train", *parameters.splits)
            for row in real_songs(corpus, split)[:parameters.songs]]
    counts = note_counts(corpus.vocabulary, [corpus.tokens[row["start"]:row["start"] + row["events"]] for row in rows])
    songs = []
    for row, count in zip(rows, counts.tolist()):
        path = parameters.midi / row["name"].removesuffix(".abc")
        songs.append(Song(row["name"], row["split"], count, *read_song(path, corpus.codec, parameters.normalise)))
    return songs


def real_songs(corpus: corpora.Corpus, split: str) -> list[dict]:
    """Return what songs.jsonl says of the songs of a split that are not synthetic."""
    return [song for song in corpus.songs if song["split"] == split and not song["synthetic"]]


def read_song(path: Path, settings: CodecSettings, normalise: bool) -> tuple[np.ndarray, TempoMap]:
    """Return a file's notes as Serenity takes them, before its grid, and their tempo map."""
    song = of_score(midi_file.read(path), settings.category)
    encoded = codec.encode(song, settings)
    category = CATEGORIES[settings.category]
    moved = transpose(song.notes, encoded.transposition if normalise else 0)
    inside, _ = fold(moved, category.lowest, category.highest)
    return without_doublings(inside, encoded.points), song.tempo_map


def without_doublings(notes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the notes, those of one pitch at one grid point as one: the first, as long as the longest.

    `points` (notes,) are the grid points. The codec does the same when it makes events of notes.
    """
    order = np.lexsort((notes["onset"], points, notes["pitch"]))
    ordered, point = notes[order], points[order]
    is_new = (np.diff(ordered["pitch"]) != 0) | (np.diff(point) != 0)
    first = np.flatnonzero(np.append(True, is_new))
    kept = ordered[first]
    kept["duration"] = np.maximum.reduceat(ordered["duration"], first)
    return sort_notes(kept)


def to_peer(song: Song) -> np.ndarray:
    """Return a song's notes in quarter notes: a PEER_NOTE table. None begins before quarter 0."""
    notes = np.empty(len(song.notes), PEER_NOTE)
    notes["onset"] = np.maximum(song.tempo_map.quarters(song.notes["onset"]), 0)
    notes["duration"] = song.tempo_map.quarters(song.notes["onset"] + song.notes["duration"]) - notes["onset"]
    notes["pitch"], notes["velocity"] = song.notes["pitch"], song.notes["velocity"]
    return notes


def from_peer(notes: np.ndarray, song: Song) -> np.ndarray:
    """Return a PEER_NOTE table in seconds. The inverse of to_peer."""
    back = notes.copy()
    back["onset"] = song.tempo_map.seconds(notes["onset"])
    back["duration"] = song.tempo_map.seconds(notes["onset"] + notes["duration"]) - back["onset"]
    return back


# --- the peer ---------------------------------------------------------------------------------------------------------

def ask_peer(folder: Path, songs: list[Song], parameters: Parameters) -> tuple[dict, list[np.ndarray]]:
    """Return what the peer says, and the held-out songs' notes as REMI gives them back, in its units."""
    names = ("seconds", "width", "layers", "window", "batch", "learning_rate", "optimizer", "dropout", "positions",
             "velocities", "threads", "seed")
    job = {name: getattr(parameters, name) for name in names}
    job["songs"] = [{"name": song.name, "split": song.split, "notes": len(song.notes)} for song in songs]
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    np.save(folder / "notes.npy", np.concatenate([to_peer(song) for song in songs]))
    threads = str(parameters.threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    script = Path(__file__).with_name("remi_peer.py")
    if subprocess.run([parameters.peer_python, "-W", "ignore", script, folder], env=environment).returncode:
        raise InputError(f"{parameters.peer_python} could not run {script.name} (see above); wanted a Python with "
                         "torch, transformers and miditok")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    lengths = [song["notes"] for song in result["songs"]]
    return result, np.split(np.load(folder / "decoded.npy"), np.cumsum(lengths)[:-1])


# --- figures ----------------------------------------------------------------------------------------------------------

def report(songs: list[Song], result: dict, decoded: list[np.ndarray], parameters: Parameters) -> dict:
    """Return all figures, as they are written."""
    held_out = [song for song in songs if song.split != "train"]
    settings = {name: value for name, value in asdict(parameters).items()
                if name not in ("midi", "tokens", "peer_python", "results", "label")}
    splits = {}
    for split in parameters.splits:
        chosen = [number for number, song in enumerate(held_out) if song.split == split]
        splits[split] = of_split(*([rows[number] for number in chosen]
                                   for rows in (held_out, result["songs"], decoded)))
    return {"settings": settings, "versions": result["versions"], "vocabulary": result["vocabulary"],
            **{name: result[name] for name in ("parameters", "seconds", "steps", "shown", "epochs", "training")},
            "splits": splits}


def of_split(songs: list[Song], judged: list[dict], decoded: list[np.ndarray]) -> dict:
    """Return the figures of one split's songs: all together, then song by song."""
    bits, notes = (np.array([song[name] for song in judged]) for name in ("bits", "notes"))
    store_notes = sum(song.store_notes for song in songs)
    kinds = sorted({kind for song in judged for kind in song["bits_by_kind"]})
    return {
        "bits_per_note": float(bits.sum() / notes.sum()), "interval": ratio_interval(bits, notes),
        "bits_per_store_note": float(bits.sum() / store_notes),
        "bits_per_note_by_kind": {kind: float(sum(song["bits_by_kind"].get(kind, 0) for song in judged) / notes.sum())
                                  for kind in kinds},
        "notes": int(notes.sum()), "store_notes": store_notes, "tokens": sum(song["tokens"] for song in judged),
        "fidelity": fidelity(songs, decoded),
        "songs": [{"name": song.name, "notes": figures["notes"], "store_notes": song.store_notes,
                   "tokens": figures["tokens"], "bits": round(figures["bits"], 2)}
                  for song, figures in zip(songs, judged)],
    }


def trial(figures: dict, label: str) -> dict:
    """Return what is kept of a trial."""
    names = ("seconds", "width", "layers", "window", "batch", "learning_rate", "optimizer", "dropout", "positions")
    return {"label": label, **{name: figures["settings"][name] for name in names},
            **{name: figures[name] for name in ("parameters", "shown")},
            "bits_per_note": {split: part["bits_per_note"] for split, part in figures["splits"].items()}}


def fidelity(songs: list[Song], decoded: list[np.ndarray]) -> dict[str, float]:
    """Return how far the notes that REMI gives back are from those that it was given.

    Notes of a pitch are compared in order: rounding keeps it. A pitch of a song of which notes got lost is left out of
    the errors, and its notes stand in `uncompared`.
    """
    onset, velocity, ratio, given = [], [], [], 0
    for song, back in zip(songs, decoded):
        after = from_peer(back, song)
        given += len(song.notes)
        for pitch in np.unique(song.notes["pitch"]):
            ours, theirs = (np.sort(table[table["pitch"] == pitch], order=("onset", "duration"))
                            for table in (song.notes, after))
            if len(ours) != len(theirs):
                continue
            onset.append(abs(ours["onset"] - theirs["onset"]))
            velocity.append(abs(ours["velocity"].astype(int) - theirs["velocity"]))
            ratio.append(np.exp(abs(np.log(ours["duration"] / theirs["duration"]))))
    onset, velocity, ratio = map(np.concatenate, (onset, velocity, ratio))
    return {"notes": given, "uncompared": given - len(onset),
            "onset error mean ms": float(1e3 * onset.mean()), "onset error max ms": float(1e3 * onset.max()),
            "duration ratio mean": float(ratio.mean()), "duration ratio median": float(np.median(ratio)),
            "velocity error mean": float(velocity.mean())}


def table(figures: dict) -> str:
    """Return the figures as Markdown, a split a column."""
    settings, parts = figures["settings"], figures["splits"].values()
    head = f"{NAMES[settings['optimizer']]}, {settings['width']} x {settings['layers']}"
    kinds = next(iter(parts))["bits_per_note_by_kind"]
    rows = {
        "bits per note": [f"{part['bits_per_note']:.3f}" for part in parts],
        "95 % interval": ["{:.2f} to {:.2f}".format(*part["interval"]) for part in parts],
        **{f"of that {kind}": [f"{part['bits_per_note_by_kind'][kind]:.2f}" for part in parts] for kind in kinds},
        "songs": [f"{len(part['songs'])}" for part in parts],
        "notes": [f"{part['notes']:,}" for part in parts],
        "tokens": [f"{part['tokens']:,}" for part in parts],
        **{name: [f"{part['fidelity'][name]:.3f}" for part in parts] for name in (
            "onset error mean ms", "onset error max ms", "duration ratio mean", "duration ratio median",
            "velocity error mean")},
    }
    return "\n".join([f"| {head} | {' | '.join(figures['splits'])} |", f"| --- |{' --: |' * len(parts)}",
                      *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()),
                      f"\n{figures['seconds']:.0f} s of processor time, {figures['parameters']:,} parameters, "
                      f"{figures['shown']:,} tokens shown "
                      f"({figures['epochs']:.2f} epochs of {figures['training']['songs']} songs)"])


if __name__ == "__main__":
    run(main, Parameters)
