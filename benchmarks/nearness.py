"""Does nearness tell a song's own continuation from those of other songs?

    .venv/bin/python benchmarks/nearness.py --tokens data/tokens     prints a table, writes benchmarks/nearness.json

Of each song the first PROMPT events are the intro and the next EVENTS how it goes on. The nearness of the song's own
continuation stands beside that of the continuations of OTHERS other songs, drawn by chance. All are in C major or A
minor, so the key gives nothing away. Told: in what share of all pairs the own continuation is nearer than the other one
(the area under the ROC curve).
"""

import json
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks import quality
from serenity.command_line import run
from serenity.model import checkpoint
from serenity.music.nearness import Nearness, nearness
from serenity.music.tempo_map import TempoMap
from serenity.tokens import corpus as corpora

ROOT = Path(__file__).resolve().parent.parent
PROMPT, EVENTS, OTHERS = 128, 384, 8


@dataclass(frozen=True)
class Parameters:
    """Judge nearness on held-out songs."""

    tokens: Path                                 # the token store that the model was trained on
    model: Path = ROOT / "models" / "serenity-mini"
    split: Literal["test", "validation"] = "validation"
    results: Path = ROOT / "benchmarks" / "nearness.json"


def main(parameters: Parameters) -> None:
    """Compare, write."""
    model, store = checkpoint.load(parameters.model), corpora.load(parameters.tokens)
    held_out = quality.songs_of(store, quality.in_tokens_of(model, store), parameters.split, None)
    songs, parts, rng = quality.long_enough(held_out, PROMPT + EVENTS), [], np.random.default_rng(0)
    for song in songs.tokens:
        tempo_map, begin = quality.bars_of(model, song, PROMPT)
        parts.append((quality.to_notes(model, song[:PROMPT], tempo_map), tempo_map,
                      quality.to_notes(model, song[PROMPT:PROMPT + EVENTS], tempo_map, begin)))
    own = np.array([row(before, made, tempo_map) for before, tempo_map, made in parts])
    others = np.array([row(before, parts[other][2], tempo_map) for place, (before, tempo_map, _) in enumerate(parts)
                       for other in rng.choice(len(parts), OTHERS, replace=False) if other != place])
    names = (*(field.name for field in fields(Nearness)), "mean")
    told = [float(np.mean(mine[:, None] > theirs) + np.mean(mine[:, None] == theirs) / 2)
            for mine, theirs in zip(own.T, others.T)]
    result = {"split": parameters.split, "songs": len(parts), "measures": {
        name: {"own": round(mine, 3), "others": round(theirs, 3), "told": round(share, 3)}
        for name, mine, theirs, share in zip(names, own.mean(axis=0).tolist(), others.mean(axis=0).tolist(), told)}}
    parameters.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))


def row(before: np.ndarray, made: np.ndarray, tempo_map: TempoMap) -> list[float]:
    """Return the parts of a nearness, and their mean."""
    near = nearness(before, made, tempo_map)
    return [*astuple(near), near.mean]


def table(result: dict) -> str:
    """Return the comparison as Markdown."""
    lines = [f"| nearness, {result['songs']} {result['split']} songs | own continuation | others' | own is nearer |",
             "| --- | --: | --: | --: |"]
    return "\n".join([*lines, *(f"| {name} | {cells['own']:.2f} | {cells['others']:.2f} | {cells['told']:.0%} |"
                                for name, cells in result["measures"].items())])


if __name__ == "__main__":
    run(main, Parameters)
