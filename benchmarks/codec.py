"""How faithful is the codec? note -> event -> abc text -> event -> note, over a folder of MIDI files.

    python benchmarks/codec.py FOLDER [--write docs/codec.md]

Prints a Markdown table, and writes the numbers to benchmarks/codec.json. Each column is one setting of the codec. Text
is exact, or the script stops; since it does not depend on the setting, the default alone goes through it. A note
of the song as it was is compared with a note after the inverse, in the song's own key: of its pitch, within the time
step, and of those the one most alike in duration.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from serenity.errors import InputError  # noqa: E402 - the project is not installed: it lies beside this folder
from serenity.music import abc_file, codec, instruments, midi_file  # noqa: E402
from serenity.music.codec import CodecSettings  # noqa: E402
from serenity.tokens.corpus import split_groups  # noqa: E402
from serenity.tokens.vocabulary import ATTRIBUTES, count_values  # noqa: E402

SETTINGS = {
    "key, 1.5 (default)": CodecSettings(),
    "key, 2.0": CodecSettings(split_ratio=2.0),
    "key, None": CodecSettings(split_ratio=None),
    "centre, 1.5": CodecSettings(normalise="centre"),
    "none, 1.5": CodecSettings(normalise="none"),
}

# column of the table -> how its number is shown
COLUMNS = {
    "notes": "{:,}", "kept": "{:,}", "doublings merged": "{:,}", "folded into range": "{:,}", "pitch exact": "{:,}",
    "onset error max ms": "{:.2f}", "onset error mean ms": "{:.2f}", "onset within time step": "{:.2%}",
    "duration ratio max": "{:.2f}", "duration ratio mean": "{:.3f}", "duration ratio median": "{:.3f}",
    "velocity error max": "{:.0f}", "velocity error mean": "{:.2f}", "events a song": "{:,.0f}",
    "notes an event": "{:.3f}", **{f"exact {attribute}": "{:.2%}" for attribute in ATTRIBUTES}, "exact event": "{:.2%}",
}


def main() -> None:
    """Read the folder once, and measure each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="MIDI files, searched through all its folders")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the table here too")
    arguments = parser.parse_args()
    started = time.monotonic()
    songs = read_songs(arguments.folder)
    rows = {name: measure(songs, settings) for name, settings in SETTINGS.items()}
    text = f"{len(songs)} songs of {arguments.folder.name}\n\n{table(rows)}"
    print(f"{text}\n\n{time.monotonic() - started:.0f} s")
    result = {"folder": arguments.folder.name, "songs": len(songs), "settings": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.write:
        arguments.write.write_text(text + "\n", encoding="utf-8")


def read_songs(folder: Path) -> dict[str, np.ndarray]:
    """Return each song's piano as a note table, by its path without ending; files that cannot be used are named."""
    songs = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi")):
        try:
            notes = instruments.choose(midi_file.read(path)).notes
        except InputError as error:
            print(f"refused: {error}", file=sys.stderr)
        else:
            songs[path.relative_to(folder).with_suffix("").as_posix()] = notes
    return songs


def measure(songs: dict[str, np.ndarray], settings: CodecSettings) -> dict[str, float]:
    """Return the numbers of one row of the table."""
    found, errors, tables = {"folded into range": 0, "kept": 0}, [], {}
    for name, notes in songs.items():
        encoded = codec.encode(notes, settings)
        if settings == CodecSettings():
            check_text(name, encoded, settings)
        after = codec.decode(encoded.events, encoded.transposition)
        found["folded into range"] += encoded.folded
        found["kept"] += len(after)
        errors.append(note_errors(notes, after, settings.time_step))
        tables[name] = encoded.events
    error = {field: np.concatenate([part[field] for part in errors]) for field in errors[0]}
    events, notes = sum(map(len, tables.values())), sum(map(len, songs.values()))
    onset, ratio, velocity = (error[field] for field in ("onset", "ratio", "velocity"))
    return {
        "notes": notes, **found, "doublings merged": notes - found["kept"], "pitch exact": int(error["is_exact"].sum()),
        "onset error max ms": 1e3 * onset.max(), "onset error mean ms": 1e3 * onset.mean(),
        "onset within time step": (onset <= settings.time_step + 1e-6).mean(),
        "duration ratio max": ratio.max(), "duration ratio mean": ratio.mean(),
        "duration ratio median": np.median(ratio),
        "velocity error max": velocity.max(), "velocity error mean": velocity.mean(),
        "events a song": events / len(songs), "notes an event": found["kept"] / events, **exact(tables),
    }


def check_text(name: str, encoded: codec.Encoded, settings: CodecSettings) -> None:
    """Stop where a song does not come back from its abc text as it was."""
    song = abc_file.AbcSong(name, name, str(encoded.key), encoded.transposition, encoded.folded, settings,
                            encoded.events)
    again = abc_file.from_text(abc_file.to_text(song), name)
    if not np.array_equal(again.events, encoded.events) or again.transposition != encoded.transposition:
        sys.exit(f"{name} is not the same after abc text")


def note_errors(before: np.ndarray, after: np.ndarray, time_step: float) -> dict[str, np.ndarray]:
    """Compare the notes before and after.

    For each note before: `is_exact`, whether there is one of its pitch after; for those, the errors of `onset` in
    seconds and `velocity`. For each note after: `ratio` of the longer to the shorter of its duration and that of its
    counterpart, rounded to the grid.
    """
    is_exact, ratio = np.zeros(len(before), bool), np.full(len(after), np.nan)
    onset, velocity = np.zeros(len(before)), np.zeros(len(before))
    grid = np.maximum(1, np.rint(before["duration"] / time_step)) * time_step
    for pitch in np.unique(before["pitch"]):
        ours, theirs = np.flatnonzero(before["pitch"] == pitch), np.flatnonzero(after["pitch"] == pitch)
        if not len(theirs):
            continue
        late = abs(before["onset"][ours, None] - after["onset"][theirs])  # (ours, theirs)
        unlike = abs(np.log(grid[ours, None] / after["duration"][theirs]))
        unlike = np.where(late <= time_step + 1e-6, unlike, 1e3 + late)
        pair = unlike.argmin(axis=1)
        is_exact[ours], onset[ours] = True, late[np.arange(len(ours)), pair]
        velocity[ours] = abs(before["velocity"][ours].astype(int) - after["velocity"][theirs][pair])
        least = unlike.min(axis=0)
        ratio[theirs] = np.exp(np.where(least < 1e3, least, np.nan))
    return {"is_exact": is_exact, "onset": onset[is_exact], "velocity": velocity[is_exact],
            "ratio": ratio[np.isfinite(ratio)]}


def exact(tables: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the share of events that the dictionaries of the training songs know exactly."""
    splits = split_groups(tables)
    vocabulary = count_values(table for name, table in tables.items() if splits[name] == "train")
    _, known = vocabulary.encode(np.concatenate(list(tables.values())))
    shares = {f"exact {attribute}": share for attribute, share in zip(ATTRIBUTES, known.mean(axis=0))}
    return shares | {"exact event": known.all(axis=1).mean()}


def table(rows: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table: a measure a line, a setting a column."""
    lines = [f"| normalise, split_ratio | {' | '.join(rows)} |", f"| --- | {' | '.join('---:' for _ in rows)} |"]
    lines += [f"| {column} | {' | '.join(form.format(row[column]) for row in rows.values())} |"
              for column, form in COLUMNS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
