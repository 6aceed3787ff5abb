"""Does a continuation stay on the beat? Its bars as the model has them, and after `--after steady` and quantise.

    .venv/bin/python benchmarks/pulse.py --tokens FOLDER     prints a table, writes benchmarks/pulse.json

Songs: real ones of the test split. Each is continued from its first quality.PROMPT events by quality.EVENTS, and so it
goes on in truth. The token store knows seconds, no beats: the beat is found in the prompt (measures.find_beat), and the
tempo map says that. Groove is how alike the bars are in rhythm (measures.groove_similarity); on the beat is how near
the last hundred onsets are to sixteenths: the length of the mean of their phases, 1 for all in one place, 0 for
anywhere.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported: in products this small threads wait

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import quality  # noqa: E402 - the project is not installed: it lies beside this folder
from serenity.listen.expression import ExpressionSettings, apply  # noqa: E402
from serenity.model import checkpoint  # noqa: E402
from serenity.model.sampling import Sampling  # noqa: E402
from serenity.music import measures  # noqa: E402
from serenity.music.midi_file import TEMPO, Track  # noqa: E402
from serenity.tokens import corpus as corpora  # noqa: E402

SONGS, LAST = 32, 100
SAMPLING = Sampling(0.95, 0)
EXPRESSION = ExpressionSettings(quantise=1.0)
EDITS = {"as it is": (), "steady": ("steady",), "quantise=1": ("quantise",),
         "steady,quantise=1": ("steady", "quantise")}
RESULTS = Path(__file__).with_suffix(".json")


def on_the_beat(notes: np.ndarray, beat: float) -> float:
    """Return how near the LAST onsets are to one place between sixteenths: 0..1."""
    return float(abs(np.exp(2j * np.pi * EXPRESSION.grid * notes["onset"][-LAST:] / beat).mean()))


def measured(notes: np.ndarray, beat: float) -> dict[str, tuple[float, float]]:
    """Return groove and nearness to the beat after each edit."""
    tempos = np.array([(0.0, round(beat * 1e6))], TEMPO)
    track = Track("", 0, False, notes)
    edited = {name: apply(track, edits, EXPRESSION, tempos).notes for name, edits in EDITS.items()}
    return {name: (measures.groove_similarity(after, beat), on_the_beat(after, beat)) for name, after in edited.items()}


def main() -> None:
    """Continue the songs, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=Path, required=True, help="a token store")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "serenity-mini")
    parser.add_argument("--songs", type=int, default=SONGS, help="at most")
    arguments = parser.parse_args()
    model, store = checkpoint.load(arguments.model), corpora.load(arguments.tokens)
    songs = quality.songs_of(store, quality.in_tokens_of(model, store), "test", None)
    songs = quality.spread(quality.long_enough(songs, quality.PROMPT + quality.EVENTS), arguments.songs).tokens
    rows = {"real songs": [], "continuations": []}
    for seed, song in enumerate(songs):
        beat, _ = quality.ruler(model, song[:quality.PROMPT])
        made = quality.continued(model, song, quality.EVENTS, SAMPLING, seed)
        for name, tokens in zip(rows, (song[quality.PROMPT:quality.PROMPT + quality.EVENTS], made)):
            rows[name].append(measured(quality.to_notes(model, tokens), beat))
    result = {"songs": len(songs), **{
        name: {edit: {measure: quality.figure(np.array([song[edit][column] for song in of]), np.ones(len(of)))
                      for column, measure in enumerate(("groove", "on the beat"))} for edit in EDITS}
        for name, of in rows.items()}}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"| {len(songs)} songs | groove | 95 % | on the beat | 95 % |\n| --- | --: | --: | --: | --: |")
    for name in rows:
        for edit, figures in result[name].items():
            cells = [f"{cell['value']:.2f} | {quality.span(cell)}" for cell in figures.values()]
            print(f"| {name}, {edit} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
