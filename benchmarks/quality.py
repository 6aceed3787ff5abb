"""How good is a model on songs that it never saw? Bits, accuracy, what its continuations are like, what it recalls.

    .venv/bin/python benchmarks/quality.py --tokens data/tokens     prints tables, writes benchmarks/quality.json

The songs are the real ones of the split. No model was trained on them, and nothing is chosen on the test split: the
temperature that README recommends comes from a run with --split validation.

* Bits are counted as training counts them (serenity.model.evaluation.judge): each event once, the song's end with its
  step. Joint is their sum: together the four networks are one model of an event. Per note: divided by the notes that
  the events strike. Intervals hold 95 % of 2,000 draws of songs (benchmarks.intervals); for two models, the same draws.
* Rivals' figures for the same songs are read from files: baselines.json (counting: baselines.py) and remi.json (a GPT-2
  on MidiTok's REMI: remi.py; only per note, since it has no events). Whether the GPT-2 had as many weights and as much
  time as the model depends on how remi.py was called: both are printed under the table.
* Each song is continued from its first PROMPT events by EVENTS events, drawn from all tokens at several temperatures.
  This is compared with: how the song really goes on; the same events in another order (shuffled); the prompt again and
  again (copied); and how as many training songs go on, which tells how far apart two sets of real songs are. MEASURES
  names what is measured (serenity.music.measures has the sources).
* Beats and bars are the song's own, as in the token store: those of the prompt's last event go on, the same for
  everything that continues one prompt. A beat always lasts half a second, so density is notes a beat.
* When the prompt is copied, it begins each time at its own place in the bar.
* Distance of a set of continuations: for each of DISTANCES the Wasserstein distance of its values from those of the
  real continuations, in standard deviations of the real ones; and their mean. With few songs distances are larger, also
  in the draws, so their intervals lean upwards. Overlap: Yang & Lerch's overlapping area, mean over DISTANCES. The
  temperature with the least mean distance is `closest`; `recommended` is the one that a run on validation songs chose.
* Best of several: at the recommended temperature generate.py makes several candidates and keeps the one with the most
  merit (serenity.music.nearness). Here each song's continuation is chosen in the same way.
* Told apart: how well a classifier tells continuations from how the songs really go on, by all of MEASURES but the run:
  the area under its curve (comparison.told_apart). It has learned from other songs. 0.5: not at all, which is the aim.
* Bars k ago: how much of a bar was also played k bars before, mean over songs (measures.return_profile).
* Metres: held-out songs of the whole store, by the length of the bar at the last event of the prompt. Metre kept: the
  reader of beats, which gets only the quarters, finds bars of the prompt's length in the continuation, or bars of which
  this is a multiple (two of 6/8 for one of 12/8). Beside it the same for how the songs really go on.
* Collapsed: a continuation that has stopped being music, by the rule of generate.py (nearness.collapse).
* Key kept: the continuation has the prompt's key, or its relative. Loop: the share of strikes in the longest figure, of
  PROMPT strikes at most, that is repeated at once (quality.longest_loop). Run: the longest run of events from a
  training song (novelty.longest_run).
* Reconstruction: after the first PROMPT events of a song the likeliest event always comes next, RECALL times. The song
  is "continued as itself" if at least HALF of these events have the song's own chord at the same place.
"""

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: for such small products more threads only wait
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks import comparison, measures
from benchmarks.intervals import apart, interval, ratio_interval
from benchmarks.notes import note_counts
from serenity.command_line import run
from serenity.completion import Request
from serenity.errors import InputError
from serenity.learning import tensorflow_quiet
from serenity.model import checkpoint
from serenity.model.checkpoint import Checkpoint
from serenity.model.designs import parameter_count
from serenity.model.generation import GREEDY, complete
from serenity.music import beat_tracking, codec, harmony, nearness, quality
from serenity.music.codec import EVENT
from serenity.music.measures import polyphony, progression_irregularity, return_profile, wasserstein
from serenity.music.note import end_time
from serenity.music.song import beat_edges
from serenity.music.tempo_map import TempoMap, metres, tempos
from serenity.settings import Sampling
from serenity.tokens import corpus as corpora
from serenity.tokens import novelty
from serenity.tokens.vocabulary import ATTRIBUTES, BAR, LEFT, PLACE
from serenity.tokens.windows import stream

ROOT = Path(__file__).resolve().parent.parent

PROMPT, EVENTS = 128, 512
BEAT = 0.5   # seconds, in all songs: the store does not know how fast they were
RECALL, HALF = 64, 0.5
RECOMMENDED = Request.temperature  # of generate.py
DRAWS = 2000  # of songs, for intervals
TOPS = (1, 5)
METRE_EVENTS, SHORTEST = 256, 24  # new events when metres are compared; events of the shortest prompt
REAL, SHUFFLED, COPIED, OTHERS = "as the song goes on", "shuffled", "the prompt, copied", "training songs"


@dataclass(frozen=True)
class Parameters:
    """Judge a model on held-out songs."""

    tokens: Path                                   # the token store that it was trained on
    model: Path = ROOT / "models" / "serenity-mini"
    split: Literal["test", "validation"] = "test"
    songs: int | None = None                       # so many at most; None: all of the split
    only: str = ""                                 # only songs whose names begin so; for metres: all of the split
    metre_songs: int = 20                          # songs for each length of bar, at most
    temperatures: tuple[float, ...] = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2)
    recommended: float | None = None               # the temperature chosen on validation songs; None: the best one here
    top_k: int = 0                                 # draw among so many of the likeliest tokens; 0: all tokens
    candidates: int = 4                            # continuations of which the best is kept
    reconstruct: int = 44                          # training songs that the model may recite, at most
    batch: int = 8                                 # windows that are judged together
    baselines: Path = ROOT / "benchmarks" / "baselines.json"
    remi: Path = ROOT / "benchmarks" / "remi.json"
    results: Path = ROOT / "benchmarks" / "quality.json"


@dataclass(frozen=True, eq=False)
class Songs:
    """Songs of one split, in the model's tokens."""

    names: list[str]
    tokens: list[np.ndarray]  # (events, columns) each
    events: np.ndarray        # (songs,)
    notes: np.ndarray         # (songs,): notes that the events strike, as in the store


def main(parameters: Parameters) -> None:
    """Judge, print, write."""
    if not parameters.temperatures:
        raise InputError("no temperature; wanted one or more")
    model = checkpoint.load(parameters.model)
    store = corpora.load(parameters.tokens)
    corpus = in_tokens_of(model, store)
    held_out = songs_of(store, corpus, parameters.split, parameters.songs, parameters.only)
    training = songs_of(store, corpus, "train", None, parameters.only)
    index = checkpoint.read_novelty(parameters.model) or novelty.build(
        corpus.vocabulary.pitch.decode(song[:, ATTRIBUTES.index("pitch")]) for song in training.tokens)

    bits, accuracy = judge(model, held_out, parameters.batch)
    rivals = read_rivals(store, held_out, parameters)
    result = {
        "model": parameters.model.name, "parameters": parameter_count(model.settings),
        "settings": {"split": parameters.split, "songs": len(held_out.names), "prompt": PROMPT, "events": EVENTS,
                     "recall": RECALL, "top_k": parameters.top_k},
        "same_dictionaries": all(np.array_equal(store.vocabulary[attribute].values, model.vocabulary[attribute].values)
                                 for attribute in ATTRIBUTES),
        "minutes": sum(row["minutes"] for row in
                       checkpoint.read_json(parameters.model / "training.json")["networks"].values()),
        "versions": {"python": platform.python_version(), "numpy": np.__version__}, "machine": platform.machine(),
        "events": int(held_out.events.sum()), "notes": int(held_out.notes.sum()),
        "bits": bit_figures(bits, held_out), "accuracy": accuracy,
        "rivals": {name: rival_figures(rival, bits, held_out) for name, rival in rivals.items()},
        "generated": generated(model, held_out, training, index, parameters),
        "metres": metres_kept(model, songs_of(store, corpus, parameters.split, None), parameters),
        "reconstruction": {"training": recall(model, spread(training, parameters.reconstruct)),
                           "held out": recall(model, held_out)},
        "songs": [{"name": name, "events": int(held_out.events[song]), "notes": int(held_out.notes[song]),
                   "bits": {attribute: round(float(bits[attribute][song]), 2) for attribute in ATTRIBUTES}}
                  for song, name in enumerate(held_out.names)],
    }
    parameters.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(tables(result))


# --- songs ------------------------------------------------------------------------------------------------------------

def in_tokens_of(model: Checkpoint, store: corpora.Corpus) -> corpora.Corpus:
    """Return the store in the model's tokens. Raises InputError where its songs were made into other events."""
    if store.codec != model.settings.codec:
        raise InputError(f"the token store was made with {store.codec}, the model with {model.settings.codec}; "
                         "wanted the store that the model was trained on")
    return corpora.translate(store, model.vocabulary)


def songs_of(store: corpora.Corpus, corpus: corpora.Corpus, split: str, most: int | None, only: str = "") -> Songs:
    """Return the real songs of a split whose names begin with `only`, so many at most. `corpus` is the store in the
    model's tokens."""
    rows = [song for song in store.songs
            if song["split"] == split and not song["synthetic"] and song["name"].startswith(only)][:most]
    if not rows:
        raise InputError(f"the token store holds no real song of the {split} split; wanted one or more")
    own, tokens = ([table[row["start"]:row["start"] + row["events"]] for row in rows]
                   for table in (store.tokens, corpus.tokens))
    return Songs([row["name"] for row in rows], tokens, np.array([len(song) for song in tokens]),
                 note_counts(store.vocabulary, own))


def spread(songs: Songs, number: int) -> Songs:
    """Return so many of the songs at most, evenly spread over them."""
    return take(songs, np.linspace(0, len(songs.names) - 1, min(number, len(songs.names))).astype(int))


def long_enough(songs: Songs, events: int) -> Songs:
    """Return the songs of so many events or more."""
    return take(songs, np.flatnonzero(songs.events >= events))


def take(songs: Songs, chosen: np.ndarray) -> Songs:
    """Return the songs of the given numbers."""
    return Songs([songs.names[song] for song in chosen], [songs.tokens[song] for song in chosen], songs.events[chosen],
                 songs.notes[chosen])


# --- bits and accuracy ------------------------------------------------------------------------------------------------

def judge(model: Checkpoint, songs: Songs, batch: int) -> tuple[dict[str, np.ndarray], dict[str, dict]]:
    """Return the bits of each song by attribute, (songs,), and the accuracy of each attribute."""
    with tensorflow_quiet():
        from serenity.model import evaluation
        from serenity.model.transformer import Transformer, set_weights

    bits, accuracy = {}, {}
    for attribute in ATTRIBUTES:
        network = Transformer(model.settings, attribute, model.vocabulary)
        set_weights(network, model.weights[attribute])
        judged = evaluation.judge(network, attribute, model.settings, songs.tokens, batch, TOPS)
        bits[attribute] = judged.bits
        accuracy[attribute] = {f"top {top}": figure(hits, judged.decisions) for top, hits in zip(TOPS, judged.hits)}
    return bits, accuracy


def figure(parts: np.ndarray, wholes: np.ndarray) -> dict:
    """Return sum(parts) / sum(wholes) over songs, and its interval."""
    return {"value": float(parts.sum() / wholes.sum()), "interval": ratio_interval(parts, wholes, DRAWS)}


def bit_figures(bits: dict[str, np.ndarray], songs: Songs) -> dict[str, dict]:
    """Return bits per event and per note, by attribute and jointly."""
    parts = {**bits, "joint": sum(bits.values())} if bits else {}
    return {name: {"per event": figure(part, songs.events), "per note": figure(part, songs.notes)}
            for name, part in parts.items()}


# --- rivals -----------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Rival:
    """What another model makes of the same songs."""

    joint: np.ndarray             # bits of each song
    notes: np.ndarray             # of each song, as it counts them
    bits: dict[str, np.ndarray]   # by attribute; empty where it has none
    about: dict                   # parameters and the like


def read_rivals(store: corpora.Corpus, songs: Songs, parameters: Parameters) -> dict[str, Rival]:
    """Return what stands in baselines.json and remi.json for the same songs; what does not is named and left out."""
    found = {}
    name = f"{store.codec.normalise}, {store.codec.split_ratio}, {parameters.split}"
    known = read_json(parameters.baselines).get(name)
    places = {song: place for place, song in enumerate(known["songs"])} if known else {}
    if set(songs.names) <= places.keys():
        chosen = [places[song] for song in songs.names]
        for rival, rows in known["bits"].items():
            bits = {attribute: np.array(rows[attribute])[chosen] for attribute in ATTRIBUTES}
            found[rival] = Rival(sum(bits.values()), songs.notes, bits, {})
    else:
        print(f"{parameters.baselines.name} holds no figures of these songs ('{name}'); run baselines.py",
              file=sys.stderr)
    runs = {name: run for name, run in read_json(parameters.remi).items() if name != "tried"}
    for name, figures in runs.items():
        rows = {row["name"]: row for row in figures["splits"].get(parameters.split, {}).get("songs", ())}
        chosen = [rows[song] for song in songs.names if song in rows]
        if len(chosen) == len(songs.names):
            joint, notes = (np.array([row[column] for row in chosen], np.float64) for column in ("bits", "notes"))
            about = {key: figures[key] for key in ("parameters", "seconds", "shown")}
            found[name] = Rival(joint, notes, {}, about)
    if not runs.keys() & found.keys():
        print(f"{parameters.remi.name} holds no figures of these songs ({parameters.split}); run remi.py",
              file=sys.stderr)
    return found


def read_json(path: Path) -> dict:
    """Return what a file of figures holds; nothing where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def rival_figures(rival: Rival, bits: dict[str, np.ndarray], songs: Songs) -> dict:
    """Return a rival's figures, and how many bits per note the model needs fewer, paired song by song."""
    own = sum(bits.values())

    def fewer(drawn: np.ndarray) -> float:
        return float(rival.joint[drawn].sum() / rival.notes[drawn].sum() - own[drawn].sum() / songs.notes[drawn].sum())

    joint, ours = figure(rival.joint, rival.notes), ratio_interval(own, songs.notes, DRAWS)
    attributes = bit_figures(rival.bits, songs)
    return {**attributes, "joint": {**attributes.get("joint", {}), "per note": joint}, **rival.about,
            "model needs fewer": {"value": fewer(np.arange(len(own))), "interval": interval(fewer, len(own), DRAWS)},
            "intervals apart": apart(tuple(joint["interval"]), ours)}


# --- continuations ----------------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Sample:
    """A continuation as it is measured."""

    notes: np.ndarray    # note table
    tempo_map: TempoMap  # a bar of it begins at 0 s: the one in which the prompt ends
    key: int             # relative major of the prompt
    run: int             # events of its longest run from a training song

    @property
    def chords(self) -> np.ndarray:
        """The harmony, beat by beat."""
        return harmony.find_chords(self.notes, beat_edges(self.tempo_map, end_time(self.notes)))


MEASURES: dict[str, Callable[[Sample], float]] = {
    "pitch-class entropy, 1 bar": lambda sample: measures.pitch_class_entropy(sample.notes, sample.tempo_map),
    "pitch-class entropy, 4 bars": lambda sample: measures.pitch_class_entropy(sample.notes, sample.tempo_map, 4),
    "scale consistency": lambda sample: measures.scale_consistency(sample.notes),
    "groove similarity": lambda sample: measures.groove_similarity(sample.notes, sample.tempo_map),
    "progression irregularity": lambda sample: progression_irregularity(sample.chords),
    "polyphony": lambda sample: polyphony(sample.notes),
    "density": lambda sample: measures.density(sample.notes) * BEAT,
    "on sixteenths": lambda sample: measures.on_sixteenths(sample.notes, sample.tempo_map),
    "bars that return": lambda sample: measures.bars_that_return(sample.notes, sample.tempo_map),
    "chords that return": lambda sample: measures.chords_that_return(sample.notes, sample.tempo_map),
    "onset spread": lambda sample: measures.onset_spread(sample.notes, sample.tempo_map),
    "chord variety": lambda sample: quality.entropy(20 * sample.chords["root"].astype(int) + sample.chords["quality"]),
    "step variety": lambda sample: quality.entropy(np.rint(np.diff(np.unique(sample.notes["onset"])) / BEAT * 24)),
    "pitch spread": lambda sample: float(sample.notes["pitch"].std()),
    "top leap": lambda sample: measures.top_leap(sample.notes),
    "velocity spread": lambda sample: float(sample.notes["velocity"].std()),
    "duration spread": lambda sample: float(np.log2(sample.notes["duration"]).std()),
    "key kept": lambda sample: float(harmony.find_key(sample.notes).relative_major == sample.key),
    "longest loop": lambda sample: quality.longest_loop(quality.chord_numbers(sample.notes), PROMPT),
    "longest run": lambda sample: float(sample.run),
}
DISTANCES = tuple(MEASURES)[:7]  # whose distributions are compared
AGO = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32)  # bars, for the table; the results have all
METRE_FIGURES = ("metre kept", "collapsed")
SHARES = ("on sixteenths", "key kept", "longest loop")  # that are shown in per cent


def generated(model: Checkpoint, held_out: Songs, training: Songs, index: novelty.Index,
              parameters: Parameters) -> dict:
    """Return the measures of continuations, and their distances from the real ones."""
    songs, others = (long_enough(of, PROMPT + EVENTS) for of in (held_out, training))
    if min(len(songs.names), len(others.names)) < 2:
        raise InputError(f"{len(songs.names)} held-out and {len(others.names)} training songs of {PROMPT + EVENTS} "
                         "events or more; wanted two or more of each")
    others = spread(others, len(songs.names))
    sets = {REAL: [song[PROMPT:PROMPT + EVENTS] for song in songs.tokens],
            SHUFFLED: [shuffled(song[PROMPT:PROMPT + EVENTS], seed) for seed, song in enumerate(songs.tokens)],
            COPIED: [copied(model, song) for song in songs.tokens]}
    names = {f"temperature {temperature:g}": temperature for temperature in parameters.temperatures}
    for name, temperature in names.items():
        sampling = Sampling(temperature, parameters.top_k)
        sets[name] = [continued(model, song, EVENTS, sampling, seed) for seed, song in enumerate(songs.tokens)]
    sampling = Sampling(parameters.recommended or RECOMMENDED, parameters.top_k)
    sets[f"best of {parameters.candidates}"] = [
        best(model, song, PROMPT, candidates(model, song, EVENTS, sampling, seed, PROMPT, parameters.candidates))
        for seed, song in enumerate(songs.tokens)]
    samples = {name: samples_of(model, songs, made, index) for name, made in sets.items()}
    samples[OTHERS] = samples_of(model, others, [song[PROMPT:PROMPT + EVENTS] for song in others.tokens], index)
    values = {name: measured(row) for name, row in samples.items()}
    rows = {name: set_figures(values[REAL], row) | {"bars ago": profile(samples[name])} for name, row in values.items()}
    closest = min(names, key=lambda name: rows[name]["distance"]["mean"]["value"])
    nearest = names[closest]
    return {"songs": len(songs.names), "closest": nearest, "recommended": parameters.recommended or nearest,
            "sets": rows}


def shuffled(events: np.ndarray, seed: int) -> np.ndarray:
    """Return the same events in another order."""
    return np.random.default_rng(seed).permutation(events)


def copied(model: Checkpoint, song: np.ndarray) -> np.ndarray:
    """Return a song's first PROMPT events again and again, each time from the same place in the bar."""
    made = np.resize(song[:PROMPT], (EVENTS, song.shape[1]))
    place, length = song[PROMPT - 1, [PLACE, BAR]].astype(int)
    step = (int(song[0, PLACE]) - place) % length or length
    made[::PROMPT, ATTRIBUTES.index("step")] = model.vocabulary.step.encode(np.array([step]))[0]
    return made


def continued(model: Checkpoint, song: np.ndarray, events: int, sampling: Sampling, seed: int,
              prompt: int = PROMPT) -> np.ndarray:
    """Return the model's continuation of a song's first `prompt` events."""
    return candidates(model, song, events, sampling, seed, prompt, 1)[0]


def candidates(model: Checkpoint, song: np.ndarray, events: int, sampling: Sampling, seed: int, prompt: int,
               number: int) -> list[np.ndarray]:
    """Return so many continuations of a song's first `prompt` events."""
    given = song[:prompt].copy()
    given[:, LEFT] = 0  # what the song's length says of its end is not told
    return [made.tokens for made in complete(model, stream(given, 0, prompt + 1), events, sampling, seed, number)]


def best(model: Checkpoint, song: np.ndarray, prompt: int, made: list[np.ndarray]) -> np.ndarray:
    """Return of continuations of a song's first `prompt` events the one that generate.py would keep."""
    tempo_map, begin = bars_of(model, song, prompt)
    before = to_notes(model, song[:prompt], tempo_map)
    return min(made, key=lambda tokens: nearness.standing(
        nearness.judge(before, to_notes(model, tokens, tempo_map, begin), tempo_map)))


def to_notes(model: Checkpoint, tokens: np.ndarray, tempo_map: TempoMap, begin: int = 0) -> np.ndarray:
    """Return the notes of tokens (events, columns), whose steps count from the grid point `begin`."""
    return codec.decode(model.vocabulary.decode(tokens, EVENT), tempo_map, model.settings.codec.grid, begin=begin)


def ruler(grid: int, length: int) -> TempoMap:
    """Return the map of bars of `length` grid points: what all that continues a prompt is measured by."""
    metre = Fraction(length, 4 * grid)
    return TempoMap(tempos((0.0, 1e6 * BEAT)), metres((0.0, metre.numerator, metre.denominator)))


def bars_of(model: Checkpoint, song: np.ndarray, prompt: int) -> tuple[TempoMap, int]:
    """Return the map of the bars in which a song's first `prompt` events end, and the place of the last of these."""
    begin, length = song[prompt - 1, [PLACE, BAR]].tolist()
    return ruler(model.settings.codec.grid, length), begin


def samples_of(model: Checkpoint, songs: Songs, made: list[np.ndarray], index: novelty.Index) -> list[Sample]:
    """Return each song's continuation as it is measured."""
    samples, column = [], ATTRIBUTES.index("pitch")
    for song, tokens in zip(songs.tokens, made):
        tempo_map, begin = bars_of(model, song, PROMPT)
        key = harmony.find_key(to_notes(model, song[:PROMPT], tempo_map)).relative_major
        chords = model.vocabulary.pitch.decode(np.concatenate([song[:PROMPT, column], tokens[:, column]]))
        run = novelty.longest_run(index, chords, PROMPT).length
        samples.append(Sample(to_notes(model, tokens, tempo_map, begin), tempo_map, key, run))
    return samples


def measured(samples: list[Sample]) -> dict[str, np.ndarray]:
    """Return each measure of each sample, (samples,)."""
    return {name: np.array([measure(sample) for sample in samples]) for name, measure in MEASURES.items()}


def profile(samples: list[Sample]) -> list[float]:
    """Return how much of a bar was played in the bar k before, for k from 1 on, mean over samples."""
    rows = [return_profile(sample.notes, sample.tempo_map) for sample in samples]
    return [round(float(value), 4) for value in np.nanmean(rows, axis=0)]


def set_figures(real: dict[str, np.ndarray], made: dict[str, np.ndarray]) -> dict:
    """Return means with intervals, distances and overlap of one set of continuations."""
    songs = len(next(iter(real.values())))
    ones = np.ones(songs)
    # Where all real values are the same, those of both sets are the measure.
    spreads = {name: real[name].std() or np.concatenate([real[name], made[name]]).std() or 1 for name in DISTANCES}

    def distances(drawn: np.ndarray) -> dict[str, float]:
        return {name: wasserstein(real[name][drawn], made[name][drawn]) / spreads[name] for name in DISTANCES}

    def mean_distance(drawn: np.ndarray) -> float:
        return float(np.mean(list(distances(drawn).values())))

    everything = np.arange(songs)
    mean = {"value": mean_distance(everything), "interval": interval(mean_distance, songs, DRAWS)}
    return {"measures": {name: figure(values, ones) for name, values in made.items()},
            "median run": float(np.median(made["longest run"])), "longest run of all": float(made["longest run"].max()),
            "distance": {**distances(everything), "mean": mean},
            "told apart": comparison.told_apart(*(np.stack([row[name] for name in MEASURES if name != "longest run"], 1)
                                                for row in (real, made))),
            "overlap": float(np.mean([comparison.overlapping_area(real[name], made[name]) for name in DISTANCES]))}


# --- metre ------------------------------------------------------------------------------------------------------------

def metres_kept(model: Checkpoint, songs: Songs, parameters: Parameters) -> dict[str, dict]:
    """Return by the length of bars, in quarters, how many continuations keep it, and how many collapse."""
    grid, lengths = model.settings.codec.grid, {}
    for number, song in enumerate(songs.tokens):
        prompt = min(PROMPT, len(song) // 2)
        if prompt >= SHORTEST:
            lengths.setdefault(int(song[prompt - 1, BAR]), []).append(number)
    rows = {}
    for length, numbers in sorted(lengths.items()):
        kinds = {REAL: [], "continued": [], f"best of {parameters.candidates}": []}
        sampling = Sampling(parameters.recommended or RECOMMENDED)
        for number in numbers[:parameters.metre_songs] if length else ():
            song = songs.tokens[number]
            prompt = min(PROMPT, len(song) // 2)
            made = candidates(model, song, METRE_EVENTS, sampling, number, prompt, parameters.candidates)
            of_each = song[prompt:prompt + METRE_EVENTS], made[0], best(model, song, prompt, made)
            for row, events in zip(kinds.values(), of_each):
                row.append(metre_of(model, song, prompt, events))
        if kinds[REAL]:
            rows[f"{length / grid:g}"] = {"songs": len(kinds[REAL])} | {
                name: dict(zip(METRE_FIGURES, np.mean(found, axis=0).tolist()))
                for name, found in kinds.items()}
    return rows


def metre_of(model: Checkpoint, song: np.ndarray, prompt: int, made: np.ndarray) -> tuple[bool, bool]:
    """Return whether a continuation keeps the bars of its prompt, and whether it collapses."""
    grid, length = model.settings.codec.grid, int(song[prompt - 1, BAR])
    tempo_map, begin = bars_of(model, song, prompt)
    notes = to_notes(model, made, tempo_map, begin)
    quarters = tempo_map.seconds(np.arange(0, tempo_map.quarters(end_time(notes)) + 1))
    read = beat_tracking.metre(notes, quarters)[0].beats_per_bar * grid
    before = to_notes(model, song[:prompt], tempo_map)
    return length % read == 0 and (read > 2 * grid), nearness.collapse(before, notes, tempo_map) is not None


# --- reconstruction ---------------------------------------------------------------------------------------------------

def recall(model: Checkpoint, songs: Songs) -> dict:
    """Return how many songs the model continues as themselves, and the mean share of events that are the song's own."""
    column, shares = ATTRIBUTES.index("pitch"), []
    for song in long_enough(songs, PROMPT + RECALL).tokens:
        made = continued(model, song, RECALL, GREEDY, seed=0)
        shares.append(float((made[:, column] == song[PROMPT:PROMPT + RECALL, column]).mean()))
    if not shares:
        raise InputError(f"no song of {PROMPT + RECALL} events or more; wanted one")
    known, ones = np.array(shares) >= HALF, np.ones(len(shares))
    return {"songs": len(shares), "continued as themselves": figure(known.astype(float), ones),
            "events as in the song": figure(np.array(shares), ones)}


# --- tables -----------------------------------------------------------------------------------------------------------

def tables(result: dict) -> str:
    """Return all tables as Markdown."""
    settings = result["settings"]
    return "\n\n".join([
        f"{result['model']}, {settings['songs']} {settings['split']} songs, {result['events']:,} events, "
        f"{result['notes']:,} notes" + ("" if result["same_dictionaries"] else
                                        "; the model's dictionaries are not the store's: unknown values were replaced"),
        bit_table(result), accuracy_table(result), measure_table(result), distance_table(result),
        metre_table(result), recall_table(result)])


def bit_table(result: dict) -> str:
    """Return bits as a table: the model and its rivals."""
    head = [*ATTRIBUTES, "joint per event", "joint per note", "95 %", "Serenity: fewer per note", "95 %"]
    lines = [f"| bits | {' | '.join(head)} |", "| --- " + "| --: " * len(head) + "|",
             bit_row("Serenity", result["bits"])]
    for name, rival in result["rivals"].items():
        lines.append(bit_row(name, rival, rival["model needs fewer"]))
    per_note = {name: {"per event": row["per note"]} for name, row in result["bits"].items() if name != "joint"}
    lines.append(bit_row("Serenity, per note", per_note))
    sizes = [f"Serenity: {result['parameters']:,} parameters, {result['minutes']:.0f} minutes of training"]
    sizes += [f"{name}: {rival['parameters']:,} parameters, {rival['seconds'] / 60:.0f} minutes"
              for name, rival in result["rivals"].items() if "parameters" in rival]
    return "\n".join([*lines, "", "; ".join(sizes)])


def bit_row(name: str, bits: dict, fewer: dict | None = None) -> str:
    """Return one model's line of the table of bits."""
    cells = [number(bits.get(attribute, {}).get("per event")) for attribute in (*ATTRIBUTES, "joint")]
    per_note = bits.get("joint", {}).get("per note")
    return f"| {name} | {' | '.join([*cells, number(per_note), span(per_note), number(fewer), span(fewer)])} |"


def accuracy_table(result: dict) -> str:
    """Return accuracies as a table."""
    lines = [f"| accuracy | {' | '.join(ATTRIBUTES)} |", "| --- " + "| --: " * len(ATTRIBUTES) + "|"]
    for top in TOPS:
        row = [result["accuracy"][attribute][f"top {top}"] for attribute in ATTRIBUTES]
        cells = [f"{cell['value']:.1%} ({span(cell, '.1%')})" for cell in row]
        lines.append(f"| top {top} | {' | '.join(cells)} |")
    return "\n".join(lines)


def measure_table(result: dict) -> str:
    """Return what continuations are like as a table: a set a column."""
    sets = result["generated"]["sets"]
    lines = [f"| {result['generated']['songs']} songs, {EVENTS} events | {' | '.join(sets)} |",
             "| --- " + "| --: " * len(sets) + "|"]
    for name in tuple(MEASURES)[:-1]:  # of runs the mean says little
        form = ".0%" if name in SHARES else ".2f"
        lines.append(f"| {name} | " + " | ".join(format(row["measures"][name]["value"], form) for row in sets.values())
                     + " |")
    lines += [f"| {name} | " + " | ".join(f"{row[name]:.0f}" for row in sets.values()) + " |"
              for name in ("median run", "longest run of all")]
    lines += [f"| as {ago} bar{'s' * (ago > 1)} ago | " + " | ".join(f"{row['bars ago'][ago - 1]:.2f}"
                                                                     for row in sets.values()) + " |" for ago in AGO]
    return "\n".join(lines)


def distance_table(result: dict) -> str:
    """Return how far continuations are from the real ones as a table: a set a column."""
    sets = {name: row for name, row in result["generated"]["sets"].items() if name != REAL}
    lines = [f"| distance in spreads of real songs | {' | '.join(sets)} |", "| --- " + "| --: " * len(sets) + "|"]
    for name in DISTANCES:
        lines.append(f"| {name} | " + " | ".join(f"{row['distance'][name]:.2f}" for row in sets.values()) + " |")
    means = [row["distance"]["mean"] for row in sets.values()]
    lines.append("| mean | " + " | ".join(f"{mean['value']:.2f} ({span(mean)})" for mean in means) + " |")
    lines.append("| told apart | " + " | ".join(f"{row['told apart']:.2f}" for row in sets.values()) + " |")
    lines.append("| overlap | " + " | ".join(f"{row['overlap']:.2f}" for row in sets.values()) + " |")
    return "\n".join(lines)


def metre_table(result: dict) -> str:
    """Return whether metres are kept as a table: a length of bar a row."""
    kinds = [name for name in next(iter(result["metres"].values()), {}) if name != "songs"]
    columns = [f"{what}, {name}" for what in METRE_FIGURES for name in kinds]
    lines = [f"| quarters in a bar | songs | {' | '.join(columns)} |", "| --: " * (len(columns) + 2) + "|"]
    for length, row in result["metres"].items():
        cells = [f"{row[name][what]:.0%}" for what in METRE_FIGURES for name in kinds]
        lines.append(f"| {length} | {row['songs']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def recall_table(result: dict) -> str:
    """Return the reconstruction as a table."""
    head = [f"from {PROMPT} events, the likeliest {RECALL}", "songs", "continued as themselves", "95 %", "not",
            "events as in the song"]
    lines = [f"| {' | '.join(head)} |", "| --- " + "| --: " * (len(head) - 1) + "|"]
    for name, row in result["reconstruction"].items():
        known = row["continued as themselves"]
        lines.append(f"| {name} | {row['songs']} | {known['value']:.0%} | {span(known, '.0%')} | "
                     f"{1 - known['value']:.0%} | {row['events as in the song']['value']:.0%} |")
    return "\n".join(lines)


def number(cell: dict | None) -> str:
    """Return a figure as a cell's text; empty where there is none."""
    return f"{cell['value']:.2f}" if cell else ""


def span(cell: dict | None, form: str = ".2f") -> str:
    """Return a figure's interval as a cell's text; empty where there is none."""
    return " to ".join(format(end, form) for end in cell["interval"]) if cell else ""


def readme_figures(result: dict) -> list[str]:
    """Return what README and the card quote of quality.json, word for word: a test holds them to it."""
    recalled = {name: row["continued as themselves"]["value"] for name, row in result["reconstruction"].items()}
    rows = {"Serenity": result["bits"], **result["rivals"]}
    return [*(f"| {name} | {number(row['joint']['per note'])} | {span(row['joint']['per note'])} |"
              for name, row in rows.items()),
            f"--temperature {result['generated']['recommended']:g}",
            f"{recalled['training']:.0%} of the training songs",
            f"{recalled['held out']:.0%} of the held-out songs"]


if __name__ == "__main__":
    run(main, Parameters)
