"""Does a continuation loop? Held-out songs continued with several settings, beside how they really go on.

And what does the repetition guard hold back, in continuations and in real songs, which repeat themselves rightly?

    .venv/bin/python benchmarks/repetition.py --tokens data/tokens    prints a table, writes benchmarks/repetition.json

The songs are those of the test split; the guard's limits and strength were chosen on validation songs.

Of each song the first PROMPT events are the intro. An event counts as looped where it and the RUN - 1 events before it
have come before, chord for chord, within the last LAG events: the bar comes again at once. Real songs do that too, so
the real continuation is the measure. Spread is the number of different chords in 100 events. Held back is the share of
events whose chord the guard made less likely by a bit or more, and by five or more.
"""

import argparse
import json
import os
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported: in products this small threads only wait

import numpy as np

from serenity.model import checkpoint
from serenity.model.generation import GREEDY, Guard, Rules, complete
from serenity.settings import Sampling
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES
from serenity.tokens.windows import stream

PROMPT, EVENTS, RUN, LAG, SONGS = 64, 512, 8, 64, 12
SETTINGS = {"temperature 1, top-k 1": (GREEDY, None),
            "temperature 1, top-k 1, guard": (GREEDY, Guard()),
            "temperature 0.8, top-k 16": (Sampling(0.8, 16), None),
            "temperature 0.9, top-k 16": (Sampling(0.9, 16), None),
            "temperature 0.9, top-k 16, guard": (Sampling(0.9, 16), Guard()),
            "temperature 0.9, all": (Sampling(0.9), None),
            "temperature 0.9, all, guard": (Sampling(0.9), Guard()),
            "temperature 1, top-k 32": (Sampling(1.0, 32), None),
            "temperature 1, all": (Sampling(), None)}


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


def held_back(chords: np.ndarray, begin: int, bits: float) -> float:
    """Return the share of events from `begin` on whose chord the guard holds back by so many bits or more."""
    guard = Guard()
    return float(np.mean([guard.bits(chords[:event], chords.max() + 1)[chords[event]] >= bits
                          for event in range(begin, len(chords))]))


def main() -> None:
    """Continue the songs and print the table."""
    parser = argparse.ArgumentParser(description="Do continuations loop?")
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent.parent / "models" / "serenity-mini")
    parser.add_argument("--songs", type=int, default=SONGS)
    arguments = parser.parse_args()
    model = checkpoint.load(arguments.model)
    column = ATTRIBUTES.index("pitch")
    store = corpora.load(arguments.tokens)
    held_out = corpora.translate(store, model.vocabulary).of_split("test")
    songs = [song for song in held_out if len(song) >= PROMPT + EVENTS][:arguments.songs]
    rows = {"as the song goes on": [song[PROMPT:PROMPT + EVENTS, column] for song in songs]}
    for name, (sampling, guard) in SETTINGS.items():
        rules = Rules(guard=guard)
        rows[name] = [complete(model, stream(song, 0, PROMPT + 1), EVENTS, sampling, seed=0, rules=rules)[0]
                      .tokens[:, column] for song in songs]
    result = {}
    print(f"| {len(songs)} songs, {EVENTS} events | looped | most looped song | different chords in 100 | held back "
          "by 1 bit | by 5 bits |\n| --- | --: | --: | --: | --: | --: |")
    for name, continuations in rows.items():
        whole = [np.concatenate([song[:PROMPT, column], chords]) for song, chords in zip(songs, continuations)]
        figures = {"looped": [looped(chords) for chords in continuations],
                   "spread": [spread(chords) for chords in continuations],
                   "held back by 1 bit": [held_back(chords, PROMPT, 1) for chords in whole],
                   "held back by 5 bits": [held_back(chords, PROMPT, 5) for chords in whole]}
        result[name] = figures
        print(f"| {name} | {np.mean(figures['looped']):.0%} | {max(figures['looped']):.0%} | "
              f"{np.mean(figures['spread']):.0f} | {np.mean(figures['held back by 1 bit']):.1%} | "
              f"{np.mean(figures['held back by 5 bits']):.1%} |")
    (Path(__file__).parent / "repetition.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
