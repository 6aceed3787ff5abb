"""Do the filters keep pop and refuse other music? And how were the score's weights in quality.py found?

    python benchmarks/selectivity.py FOLDER --early CACHE [--fit]

FOLDER holds pop909, and asap and pop1k7 where there are any. The Palestrina, Monteverdi, trecento and Bach scores of
music21's corpus are written to CACHE as MIDI once (some 20 minutes). The weights were fitted on the first, third ...
song of each set by name (--fit does it again and prints them). The report is on the other songs, and on pop1k7, which
was not used for the weights. Writes selectivity.json.
"""

import argparse
import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.folders import midi_files_below
from serenity.music import quality, selection
from serenity.parallel import in_parallel

EARLY = ("palestrina", "monteverdi", "trecento", "bach")
OTHER = (*EARLY, "asap")
RIDGE = 3.0  # keeps weights of measures that say the same from growing against each other


def main() -> None:
    """Measure every song, and count what is kept of each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--early", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    write_early_music(arguments.early)
    sets = [name for name in ("pop909", "pop1k7", "asap") if (arguments.folder / name).is_dir()]
    files = {name: midi_files_below(arguments.folder / name) for name in sets}
    files |= {name: midi_files_below(arguments.early / name) for name in EARLY}
    found = {name: dict(zip([path.stem for path in paths],
                            in_parallel(selection.assess, paths, title=f"measuring {name}", chunk=8)))
             for name, paths in files.items()}
    measured = {name: {song: one for song, one in songs.items() if not one["reason"]} for name, songs in found.items()}
    if arguments.fit:
        fit({name: [one["measures"] for one in list(songs.values())[::2]] for name, songs in measured.items()})
        return
    unseen = {name: dict(list(songs.items())[1::2]) if name != "pop1k7" else songs for name, songs in measured.items()}
    result = {name: kept_of(songs) for name, songs in unseen.items() if songs}
    scores = {name: np.array([quality.score(one["measures"]) for one in songs.values()])
              for name, songs in unseen.items()}
    early = np.concatenate([scores[name] for name in EARLY])
    result["early"] = {"songs": len(early), "kept": sum(result[name]["kept"] for name in EARLY)}
    result["AUC"] = {"score, pop909 against early": auc(scores["pop909"], early),
                     **{f"score, pop909 against {name}": auc(scores["pop909"], scores[name])
                        for name in OTHER if len(scores[name])},
                     "score, pop1k7 against asap": auc(scores["pop1k7"], scores["asap"])}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result)


def write_early_music(folder: Path) -> None:
    """Write music21's scores of EARLY as MIDI below a folder; what is there stays."""
    from music21 import corpus

    jobs = []
    for composer in EARLY:
        first = {}
        for path in sorted(map(Path, corpus.getPaths())):
            if composer in path.parts:
                first.setdefault(path.stem, path)
        jobs += [(path, folder / composer / f"{stem}.mid") for stem, path in first.items()]
    todo = [(path, target) for path, target in jobs if not target.exists()
            and not list((folder / target.parent.name).rglob(target.name))]
    if todo:
        print(f"writing {len(todo)} scores of music21's corpus as MIDI", file=sys.stderr)
        for _ in in_parallel(write_score, todo, title="writing scores", chunk=4):
            pass


def write_score(job: tuple[Path, Path]) -> None:
    """Write one score (path, target) as MIDI; one that music21 cannot convert is named."""
    from music21 import converter, midi

    path, target = job
    warnings.simplefilter("ignore")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_bytes(midi.translate.music21ObjectToMidiFile(converter.parse(path)).writestr())
    except Exception as error:  # music21 raises all kinds on scores that it does not understand
        print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)


def kept_of(songs: dict[str, dict]) -> dict:
    """Return how many songs of a set are kept, why the others are not, and which they are."""
    verdicts = {song: quality.judge(one["measures"]) for song, one in songs.items()}
    refused = {song: verdict.reason for song, verdict in verdicts.items() if not verdict.kept}
    return {"songs": len(songs), "kept": len(songs) - len(refused),
            "reasons": dict(Counter(reason.split()[0] for reason in refused.values()).most_common()),
            "refused": {song: refused[song] for song in list(refused)[:40]}}


def auc(more: np.ndarray, less: np.ndarray) -> float:
    """Return the area under the ROC curve: how often one of `more` has a higher score than one of `less`."""
    return float((more[:, None] > less).mean() + (more[:, None] == less).mean() / 2) if len(less) else float("nan")


def fit(songs: dict[str, list[dict]]) -> None:
    """Print the weights of a logistic regression of pop909 against the sets of OTHER, each set counting alike."""
    names = [name for name, row in quality.MEASURES.items() if row.weight]
    columns = {name: np.array([[measures[measure] for measure in names] for measures in rows])
               for name, rows in songs.items()}
    pop = columns["pop909"]
    fewer = np.array([np.sign(quality.MEASURES[name].spread) for name in names])
    typical, spread = pop.mean(axis=0), pop.std(axis=0) * fewer
    others = [columns[name] for name in OTHER if len(columns[name])]
    x = np.concatenate([pop, *others])
    x = np.column_stack([np.clip((x - typical) / spread, *quality.CREDIT), np.ones(len(x))])
    y = np.repeat([1.0, 0.0], [len(pop), len(x) - len(pop)])
    share = np.concatenate([np.full(len(pop), 0.5 / len(pop)),
                            *(np.full(len(rows), 0.5 / len(others) / len(rows)) for rows in others)]) * len(x)
    weights, ridge = np.zeros(x.shape[1]), RIDGE * np.append(np.ones(len(names)), 0)
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (share * p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        weights -= np.linalg.solve(hessian, x.T @ (share * (p - y)) + ridge * weights)
    for name, weight, mean, deviation in zip(names, weights, typical, spread):
        print(f"{name:18} weight {weight:5.1f}   typical {mean:6.3g}   spread {deviation:7.2g}")
    print(f"base {weights[-1]:.1f}")


def show(result: dict) -> None:
    """Print Markdown tables."""
    print("| songs that no weight has seen | number | kept | refused for |\n| --- | --: | --: | --- |")
    for name, row in result.items():
        if name != "AUC":
            reasons = ", ".join(f"{reason} {count}" for reason, count in row.get("reasons", {}).items())
            print(f"| {name} | {row['songs']:,} | {row['kept'] / row['songs']:.1%} | {reasons} |")
    print("\n| area under the ROC curve | |\n| --- | --: |")
    for name, value in result["AUC"].items():
        print(f"| {name} | {value:.3f} |")
    print("\nRefused of pop909:", *(f"{song}: {reason}" for song, reason in result["pop909"]["refused"].items()),
          sep="\n* ")


if __name__ == "__main__":
    main()
