"""What does counting alone predict? Unigram, Markov and copy, in bits per event and per note of held-out songs.

    .venv/bin/python benchmarks/baselines.py --tokens data/tokens    prints a table, adds to benchmarks/baselines.json
    .venv/bin/python benchmarks/baselines.py --tokens data/tokens --choose    how the chosen contexts were found

The file keeps the figures by the store's normalising, split ratio and split. It also has the bits of each song, from
which intervals over songs are drawn.
"""

import argparse
import json
from pathlib import Path

from benchmarks.counting import Column, all_bits, markov_bits
from benchmarks.notes import note_counts
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES, DECISION_ORDER, SPECIALS

RESULTS = Path(__file__).with_suffix(".json")
LONGEST = 5  # columns of a context


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=Path, required=True, help="a token store")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--choose", action="store_true", help="find contexts on the validation songs; write nothing")
    arguments = parser.parse_args()
    corpus = corpora.load(arguments.tokens)
    if arguments.choose:
        for attribute in ATTRIBUTES:
            choose(corpus, attribute)
        return
    names = [song["name"] for song in corpus.songs if song["split"] == arguments.split and not song["synthetic"]]
    figures = {"songs": names, **measure(corpus, corpus.of_split(arguments.split, synthetic=False))}
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    name = f"{corpus.codec.normalise}, {corpus.codec.split_ratio}, {arguments.split}"
    RESULTS.write_text(json.dumps(known | {name: figures}, indent=1) + "\n", encoding="utf-8")
    print(table(figures))


def choose(corpus: corpora.Corpus, attribute: str) -> tuple[Column, ...]:
    """Return a context to predict an attribute from: at each turn the column that saves the most bits joins it, where
    among the others it saves the most.

    Candidates are what was decided before in the same event, and all attributes of the two events before.
    """
    training, songs = corpus.of_split("train", synthetic=False), corpus.of_split("validation")
    size, events = corpus.vocabulary[attribute].size - SPECIALS, sum(map(len, songs))
    candidates = [(other, 0) for other in DECISION_ORDER[:DECISION_ORDER.index(attribute)]]
    candidates += [(other, back) for back in (1, 2) for other in ATTRIBUTES]
    chosen, best = (), float("inf")
    while candidates and len(chosen) < LONGEST:
        longer = [(*chosen[:place], column, *chosen[place:]) for column in candidates
                  for place in range(len(chosen) + 1)]
        bits = {columns: markov_bits(training, songs, attribute, size, columns).sum() / events for columns in longer}
        found = min(bits, key=bits.get)
        if bits[found] >= best:
            break
        chosen, best = found, bits[found]
        candidates = [column for column in candidates if column not in chosen]
        print(f"{attribute}: {best:.3f} bits an event from {chosen}", flush=True)
    return chosen


def measure(corpus: corpora.Corpus, songs: list) -> dict:
    """Return events, notes, and the bits of each song by baseline and attribute."""
    bits = {name: {attribute: by[attribute].round(2).tolist() for attribute in ATTRIBUTES}
            for name, by in all_bits(corpus, songs).items()}
    return {"training_songs": len(corpus.of_split("train")), "events": [len(song) for song in songs],
            "notes": note_counts(corpus.vocabulary, songs).tolist(), "bits": bits}


def table(figures: dict) -> str:
    """Return bits per event and per note as Markdown."""
    events, notes = sum(figures["events"]), sum(figures["notes"])
    lines = [f"| baseline | {' | '.join(ATTRIBUTES)} | together | per note |", "| --- " + "| --: " * 6 + "|"]
    for name, by in figures["bits"].items():
        bits = [sum(by[attribute]) for attribute in ATTRIBUTES]
        cells = [f"{value / events:.3f}" for value in (*bits, sum(bits))]
        lines.append(f"| {name} | {' | '.join(cells)} | {sum(bits) / notes:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
