"""What do the rules for synthetic songs do to real ones, and what do they leave? On songs with a MELODY track (POP909).

    python benchmarks/synthetic.py FOLDER [--songs 50]

For each rule: for how many songs it gives a result; the share of events that differ from the original's, as the
networks read them; the share of notes that are left; the share that is left of the notes on the MELODY track, and of
the top voice as synthetic.py finds it; and muddy low intervals for each note (synthetic.LOW_INTERVAL_LIMITS). For each
original: how many synthetic songs it has, and how much the two most similar songs of the family differ. Writes
synthetic.json.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from serenity.categories import CATEGORIES
from serenity.music import codec, midi_file, synthetic, voices
from serenity.music.grid import from_grid, to_grid
from serenity.music.note import merge_tables
from serenity.music.song import Song, of_score

SETTINGS = codec.CodecSettings()
NEAR = 0.03  # seconds; a note so near, of the same pitch, is the same note
EVERY = 99   # synthetic songs: as many as the rules give
COLUMNS = ("songs", "events changed", "notes left", "MELODY kept", "top voice kept", "muddy intervals a note")


def main() -> None:
    """Make all synthetic songs of each song and compare them with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=50)
    arguments = parser.parse_args()
    every = sorted(arguments.folder.glob("*.mid"))
    rules, originals, families, alike = {name: [] for name in synthetic.RULES}, [], [], []
    for file in every[::max(len(every) // arguments.songs, 1)][:arguments.songs]:
        score = midi_file.read(file)
        song = of_score(score)
        notes = codec.on_grid(song, SETTINGS)  # as preprocessing has it
        melody = on_grid_of(song, merge_tables(track.notes for track in score.tracks if track.name == "MELODY"))
        rows = synthetic.read(notes, CATEGORIES["piano"]).rows
        top = rows[rows["part"] == voices.MELODY]
        made, key = synthetic.make_songs(notes, EVERY), codec.encode(song, SETTINGS).key
        events = [events_of(version, key) for version in (song, *(song.with_notes(other) for other in made.values()))]
        originals.append(muddy(notes))
        for (rule, other), its_events in zip(made.items(), events[1:]):
            rules[rule].append((difference(its_events, events[0]), len(other) / len(notes),
                                share_there(melody, other), share_there(top, other), muddy(other)))
        families.append(len(made))
        alike.append(min(difference(one, other) for place, one in enumerate(events) for other in events[:place]))
    result = {"songs": len(families), "muddy intervals a note, originals": float(np.mean(originals)),
              "synthetic songs": [int(value) for value in np.percentile(families, [0, 50, 100])],
              "least difference in a family": [float(value) for value in np.percentile(alike, [0, 50])],
              "rules": {name: dict(zip(COLUMNS, (len(rows), *map(float, np.mean(rows, axis=0)))))
                        for name, rows in rules.items() if rows}}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"| rule | {' | '.join(COLUMNS)} |\n| --- |{' --: |' * len(COLUMNS)}")
    for name, row in result["rules"].items():
        print(f"| {name} | {row['songs']} | {' | '.join(f'{row[column]:.0%}' for column in COLUMNS[1:5])} | "
              f"{row[COLUMNS[5]]:.3f} |")
    print(f"\noriginals: {result['muddy intervals a note, originals']:.3f} muddy intervals a note; synthetic "
          f"songs each: least, median, most {result['synthetic songs']}; the most alike of a family differ in "
          f"{result['least difference in a family'][0]:.1%} of the events at least, "
          f"{result['least difference in a family'][1]:.1%} in the median song")


def on_grid_of(song: Song, part: np.ndarray) -> np.ndarray:
    """Return those of a song's notes that are in a note table of a part of it, moved to the grid with the song."""
    table, _ = to_grid(song.notes, song.tempo_map, SETTINGS.grid, SETTINGS.exact_lengths)
    wanted = set(zip(part["onset"].tolist(), part["pitch"].tolist()))
    is_in = [note in wanted for note in zip(song.notes["onset"].tolist(), song.notes["pitch"].tolist())]
    return from_grid(table[is_in], song.tempo_map, SETTINGS.grid)


def events_of(song: Song, key) -> Counter:
    """Return the events of a song, each with its onset."""
    events = codec.encode(song, SETTINGS, key).events
    return Counter(zip(np.cumsum(events["step"]).tolist(), map(tuple, events["pitch"].tolist()),
                       events["duration"].tolist(), events["velocity"].tolist()))


def difference(one: Counter, other: Counter) -> float:
    """Return the share of events that two songs do not have in common."""
    return 1 - (one & other).total() / max(one.total(), other.total())


def share_there(wanted: np.ndarray, notes: np.ndarray) -> float:
    """Return the share of the wanted notes that a song has."""
    there = set(zip(np.rint(notes["onset"] / NEAR).astype(int).tolist(), notes["pitch"].tolist()))
    at = np.rint(wanted["onset"] / NEAR).astype(int).tolist()
    return float(np.mean([any((place + shift, pitch) in there for shift in (-1, 0, 1))
                          for place, pitch in zip(at, wanted["pitch"].tolist())]))


def muddy(notes: np.ndarray) -> float:
    """Return the number of sounding intervals below their low interval limit, for each note."""
    low = notes[notes["pitch"] < 64]
    onset, end, pitch = low["onset"], low["onset"] + low["duration"], low["pitch"].astype(int)
    together = (onset <= onset[:, None]) & (end > onset[:, None] + 0.02)
    limits = np.zeros(128, int)
    limits[list(synthetic.LOW_INTERVAL_LIMITS)] = list(synthetic.LOW_INTERVAL_LIMITS.values())
    interval = np.abs(pitch - pitch[:, None])
    return float((together & (np.minimum(pitch, pitch[:, None]) < limits[interval])).sum() / len(notes))


if __name__ == "__main__":
    main()
