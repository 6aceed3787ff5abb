"""How far back must the networks look? Bits of the same events, with fewer or more events before them.

    .venv/bin/python benchmarks/context.py --tokens data/tokens [--model DIR]    prints a table, writes context.json

Of each held-out song that is long enough, its last events are predicted by the decoder that generates. It reads so many
events before the first of them as the table says, and with each event one more. A model was trained on windows of a
certain length (its config.json). Beyond that it may go wrong, since it never saw such distances.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.quality import in_tokens_of, songs_of
from serenity.model import checkpoint
from serenity.model.designs import make_decoder
from serenity.model.generation import surprise, told_bars_left
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES
from serenity.tokens.windows import stream

ROOT = Path(__file__).resolve().parent.parent
JUDGED = 256                  # events at the end of each song
BEFORE = (64, 128, 256, 384, 512)  # events that are read before the first of them


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "serenity-mini")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "context.json")
    arguments = parser.parse_args()
    model, store = checkpoint.load(arguments.model), corpora.load(arguments.tokens)
    songs = [song for song in songs_of(store, in_tokens_of(model, store), arguments.split, None).tokens
             if len(song) > JUDGED + max(BEFORE)]
    window = model.settings.window
    bits = {attribute: [judged(model, attribute, songs, before) for before in BEFORE] for attribute in ATTRIBUTES}
    print(f"{len(songs)} songs, a model of windows of {window.length + 1} events\n\n| events before | "
          + " | ".join(ATTRIBUTES) + " | together |\n| --: " + "| --: " * (len(ATTRIBUTES) + 1) + "|")
    for row, before in enumerate(BEFORE):
        found = [bits[attribute][row] for attribute in ATTRIBUTES]
        print(f"| {before} | " + " | ".join(f"{value:.2f}" for value in (*found, sum(found))) + " |")
    result = {"model": arguments.model.name, "window": [window.prompt, window.continuation], "songs": len(songs),
              "judged": JUDGED, "before": BEFORE, "bits": bits}
    known = json.loads(arguments.results.read_text()) if arguments.results.exists() else []
    known = [row for row in known if (row["model"], row["window"]) != (result["model"], result["window"])]
    arguments.results.write_text(json.dumps([*known, result], indent=1) + "\n", encoding="utf-8")


def judged(model: checkpoint.Checkpoint, attribute: str, songs: list[np.ndarray], before: int) -> float:
    """Return the mean bits of the last events of the songs, each with so many events before the first of them."""
    window = replace(model.settings.window, continuation=before + JUDGED)  # so that none is forgotten
    decoder = make_decoder(replace(model.settings, window=window), attribute, model.weights[attribute],
                           model.vocabulary)
    column, bits = ATTRIBUTES.index(attribute), []
    for song in songs:
        events = stream(song, len(song) + 1 - JUDGED - before, len(song) + 1)
        events = told_bars_left(events, np.empty(0), None)  # as continuations are
        bits += [surprise(logits, token) for logits, token in
                 zip(decoder.judge(events, JUDGED), events[-JUDGED:, column].tolist())]
    return float(np.mean(bits))


if __name__ == "__main__":
    main()
