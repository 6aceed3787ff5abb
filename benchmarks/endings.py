"""How does a song end: as songs do, cut at a bar line, and with --ending?

    .venv/bin/python benchmarks/endings.py --tokens data/tokens     prints a table, writes benchmarks/endings.json

Held-out songs are continued for BARS bars from their first PROMPT events, written as a MIDI file and read as any seed.
Of the last strike it counts: whether the tonic is the lowest and the highest note that sounds, whether all that sounds
belongs to the tonic's chord, whether no third in the bass is muddy, whether it stands on the first or the middle beat
of the last bar, and whether it is held for half a bar. The same is counted of the songs' real endings, which are not
always at the end of a bar.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks import quality
from serenity import completion
from serenity.command_line import run
from serenity.completion import Request
from serenity.music import harmony, midi_file
from serenity.music.ending import TRIADS, muddy
from serenity.music.midi_file import Track
from serenity.music.note import end_time
from serenity.music.pitch import OCTAVE, chord_bits
from serenity.music.tempo_map import TempoMap
from serenity.music.voices import strike_starts
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES, BAR

ROOT = Path(__file__).resolve().parent.parent
PROMPT, BARS, SHORTEST = 128, 8, 200  # events, bars, events of the shortest song
NEAR = 1e-3  # seconds


@dataclass(frozen=True)
class Parameters:
    """Judge how songs end."""

    tokens: Path                                 # the token store that the model was trained on
    model: Path = ROOT / "models" / "serenity-mini"
    split: Literal["test", "validation"] = "test"
    songs: int = 20                              # spread over the split
    results: Path = ROOT / "benchmarks" / "endings.json"


def main(parameters: Parameters) -> None:
    """Continue, count, write."""
    model, rows = completion.load(parameters.model), {}
    store = corpora.load(parameters.tokens)
    corpus = quality.in_tokens_of(model.checkpoint, store)
    held_out = quality.songs_of(store, corpus, parameters.split, None)
    songs = quality.spread(quality.long_enough(held_out, SHORTEST), parameters.songs)
    for number, song in enumerate(songs.tokens):
        for name, row in endings(model, song, number).items():
            rows.setdefault(name, []).append(row)
        print(f"{number + 1} of {len(songs.names)}: {songs.names[number]}", file=sys.stderr)
    means = {name: {what: round(float(np.mean([row[what] for row in found])), 3) for what in found[0]}
             for name, found in rows.items()}
    result = {"split": parameters.split, "songs": len(songs.names), "bars": BARS, "endings": means}
    parameters.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))


def endings(model: completion.Model, song: np.ndarray, number: int) -> dict[str, dict[str, float]]:
    """Return what is counted of the ends of one song, by the way it ends."""
    grid, length = model.codec.grid, int(song[PROMPT - 1, BAR])
    tempo_map, begin = quality.bars_of(model.checkpoint, song, PROMPT)
    prompt = quality.to_notes(model.checkpoint, song[:PROMPT], tempo_map)
    rest = quality.to_notes(model.checkpoint, song[PROMPT:], tempo_map, begin)
    steps = model.vocabulary.step.decode(song[PROMPT:, ATTRIBUTES.index("step")]).sum()
    line = ((begin + int(steps)) // length + 1) * length / grid
    key = harmony.find_key(prompt)
    rows = {"as the song ends": counted(rest, tempo_map, key, float(tempo_map.seconds(line)))}
    with tempfile.TemporaryDirectory() as folder:
        midi_file.write(Path(folder) / "seed.mid", [Track("Piano", 0, False, prompt)], tempo_map)
        seed = completion.read_seed(Path(folder) / "seed.mid", model)
    for name, is_ending in (("cut at the bar line", False), ("--ending", True)):
        started = time.process_time()
        take, = completion.complete(model, seed, Request(bars=BARS, seed=number, ending=is_ending))
        seconds = time.process_time() - started
        end = completion.length(seed, take.request).end
        rows[name] = counted(take.notes, seed.music.tempo_map, seed.music.encoded.key, end) | {"seconds": seconds}
    return rows


def counted(notes: np.ndarray, tempo_map: TempoMap, key: harmony.Key, end: float) -> dict[str, float]:
    """Return what is counted of the last strike of notes that are to be over at `end` seconds."""
    last = float(notes["onset"][strike_starts(notes)[-1]])
    sounding = notes[notes["onset"] + notes["duration"] > last + NEAR]
    pitch = (sounding["pitch"].astype(int) - key.tonic) % OCTAVE
    line, begin, until = tempo_map.quarters(np.array([end, last, min(end_time(notes), end)]))
    bar = float(tempo_map.bars(line - NEAR)[2])
    from_end = (line - begin) / bar
    return {"tonic in the bass": float(pitch[sounding["pitch"].argmin()] == 0),
            "tonic on top": float(pitch[sounding["pitch"].argmax()] == 0),
            "the tonic's chord": float(np.isin(pitch, TRIADS[key.mode]).all()),
            "clear in the bass": float(not muddy(chord_bits(sounding["pitch"])[None])[0]),
            "on a strong beat": float(min(abs(from_end - 1), abs(from_end - 0.5)) < 0.05),
            "held for half a bar": float((until - begin) / bar >= 0.45)}


def table(result: dict) -> str:
    """Return the counts as Markdown."""
    rows = result["endings"]
    counts = list(next(iter(rows.values())))
    lines = [f"| {result['songs']} {result['split']} songs | {' | '.join(counts)} |",
             "| --- " + "| --: " * len(counts) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(f'{row[what]:.0%}' for what in counts)} |"
                                for name, row in rows.items())])


if __name__ == "__main__":
    run(main, Parameters)
