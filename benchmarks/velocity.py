"""Is a continuation as loud as the song? Velocities as the model chooses them, and matched to those of the prompt.

    .venv/bin/python benchmarks/velocity.py --midi FOLDER --tokens FOLDER [UNSEEN ...]   writes benchmarks/velocity.json

Songs: of the store's test split, whose files are below --midi; and of each UNSEEN folder, which no model learned from.
Each is continued from its first PROMPT events; the velocities of the first NOTES notes are compared with those of the
NOTES notes with which the song really goes on: their Wasserstein distance, in MIDI velocities, mean over songs.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported: in products this small threads wait

import numpy as np

from benchmarks.folders import midi_files_below
from benchmarks.intervals import ratio_interval
from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.model.generation import complete
from serenity.music import layout, measures, midi_file
from serenity.settings import Sampling
from serenity.tokens import corpus as corpora
from serenity.tokens import seed as seeds

ROOT = Path(__file__).resolve().parent.parent

PROMPT, NOTES, NEAR, SONGS = 128, 150, 100, 20
RESULTS = Path(__file__).with_suffix(".json")


def distances(path: Path, model: checkpoint.Checkpoint) -> dict[str, float]:
    """Return how far a continuation's velocities are from the real ones. InputError: unreadable, or too short."""
    codec = model.settings.codec
    seed = seeds.read(midi_file.read(path), codec.category, codec, model.vocabulary, first=PROMPT)
    real = seed.choice.notes[len(seed.notes):][:NOTES]
    if len(real) < NOTES:
        raise InputError(f"{path}: {len(real)} notes after the prompt; wanted {NOTES}")
    made, = complete(model, seed.prompt, NOTES, Sampling(1.0, 0), seed=0)
    notes = seeds.continue_notes(seed, made.tokens, model.vocabulary, np.random.default_rng(0))[:NOTES]
    versions = {"as the model has them": notes,
                "matched to the whole prompt": layout.match_velocities(notes, seed.notes),
                f"to its last {NEAR} notes": layout.match_velocities(notes, seed.notes[-NEAR:])}
    return {name: measures.wasserstein(real["velocity"].astype(float), version["velocity"].astype(float))
            for name, version in versions.items()}


def measured(paths: list[Path], model: checkpoint.Checkpoint, most: int) -> dict:
    """Return the mean distances of so many songs, with intervals."""
    rows = []
    for path in paths:
        if len(rows) == most:
            break
        try:
            rows.append(distances(path, model))
        except InputError as error:
            print(error, file=sys.stderr)
    if not rows:
        raise InputError("no song that can be continued; wanted one or more")
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {"songs": len(rows), **{name: {"value": float(values.mean()),
                                          "interval": ratio_interval(values, np.ones(len(rows)))}
                                   for name, values in columns.items()}}


def main() -> None:
    """Measure each set of songs, and print a table."""
    parser = argparse.ArgumentParser(description="Is a continuation as loud as the song?")
    parser.add_argument("unseen", type=Path, nargs="*", help="folders of MIDI files that no model learned from")
    parser.add_argument("--midi", type=Path, required=True, help="the folder that the store's songs were made from")
    parser.add_argument("--tokens", type=Path, required=True, help="a token store")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "serenity-mini")
    parser.add_argument("--songs", type=int, default=SONGS, help="of each set, at most")
    arguments = parser.parse_args()
    model = checkpoint.load(arguments.model)
    held_out = [arguments.midi / song["name"].removesuffix(".abc") for song in corpora.load(arguments.tokens).songs
                if song["split"] == "test" and not song["synthetic"]]
    sets = {"held-out songs": held_out,
            **{folder.name: midi_files_below(folder) for folder in arguments.unseen}}
    result = {name: measured(paths, model, arguments.songs) for name, paths in sets.items()}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    columns = [name for name in next(iter(result.values())) if name != "songs"]
    print("\n".join([f"| {' | '.join(['set', 'songs', *columns])} |", "| --- " + "| --: " * (1 + len(columns)) + "|"]))
    for name, row in result.items():
        cells = (f"{row[column]['value']:.2f} ({' to '.join(f'{end:.2f}' for end in row[column]['interval'])})"
                 for column in columns)
        print(f"| {name} | {row['songs']} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
