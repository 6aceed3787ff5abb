"""Does a continuation loop? Validation songs continued with several settings, beside how they really go on.

    .venv/bin/python benchmarks/repetition.py --tokens data/tokens    prints a table, writes benchmarks/repetition.json

Of each song the first PROMPT events are the intro. An event counts as looped where it and the RUN - 1 events before it
stood, chord for chord, once before within the last LAG events: the bar comes round again at once. Real songs do that
too, so the real continuation is the measure. Spread is the number of different chords in 100 events.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from serenity.model import checkpoint
from serenity.model.generation import complete
from serenity.model.sampling import Sampling
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES
from serenity.tokens.windows import stream

PROMPT, EVENTS, RUN, LAG, SONGS = 64, 512, 8, 64, 12
SETTINGS = {"temperature 1, top-k 1": Sampling(), "temperature 0.8, top-k 16": Sampling(0.8, 16),
            "temperature 0.9, top-k 16": Sampling(0.9, 16), "temperature 1, top-k 32": Sampling(1.0, 32),
            "temperature 1, all": Sampling(1.0, 100_000)}


def looped(chords: np.ndarray) -> float:
    """Return the share of events that repeat what stood 1 to LAG events before, RUN events long."""
    hits = np.zeros(len(chords), bool)
    for lag in range(1, LAG + 1):
        same = np.concatenate([np.zeros(lag, bool), chords[lag:] == chords[:-lag]])
        run = np.convolve(same, np.ones(RUN, int))[:len(chords)]  # how many of the last RUN events are the same
        hits |= run == RUN
    return float(hits.mean())


def spread(chords: np.ndarray) -> float:
    """Return the mean number of different chords in 100 events."""
    return float(np.mean([len(np.unique(chords[start:start + 100])) for start in range(0, len(chords) - 99, 50)]))


def main() -> None:
    """Continue the songs and print the table."""
    parser = argparse.ArgumentParser(description="Do continuations loop?")
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent.parent / "models" / "serenity-mini")
    arguments = parser.parse_args()
    model = checkpoint.load(arguments.model)
    column = ATTRIBUTES.index("pitch")
    songs = [song for song in corpora.load(arguments.tokens).of_split("validation") if len(song) >= PROMPT + EVENTS]
    songs = songs[:SONGS]
    rows = {"as the song goes on": [song[PROMPT:PROMPT + EVENTS, column] for song in songs]}
    for name, sampling in SETTINGS.items():
        rows[name] = [complete(model, stream(song, 0, PROMPT + 1), EVENTS, sampling, seed=0)[0, :, column]
                      for song in songs]
    result = {}
    print(f"| {len(songs)} songs, {EVENTS} events | looped | most looped song | different chords in 100 |")
    print("| --- | --: | --: | --: |")
    for name, continuations in rows.items():
        shares = [looped(chords) for chords in continuations]
        result[name] = {"looped": shares, "spread": [spread(chords) for chords in continuations]}
        print(f"| {name} | {np.mean(shares):.0%} | {max(shares):.0%} | {np.mean(result[name]['spread']):.0f} |")
    (Path(__file__).parent / "repetition.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
