"""How often are key and chords right? Against POP909's annotations, beside music21's analysis of the same songs.

    python benchmarks/harmony.py FOLDER [--music21 12]

FOLDER holds NNN.mid and annotations/NNN/{key_audio,chord_midi}.txt. Prints Markdown tables, writes harmony.json. Only
every second song is judged: the constants of serenity.music.harmony were found on some of the others.

A key is right where it is the annotated one (where there are several, the longest); it "normalises alike" where it is
that key or its relative, since both are moved to C major and A minor. A chord is right over the time in which its root
(and quality) is the annotated one; inversions and added notes do not count; spans annotated as no chord are left out.
"Major or minor" is MIREX's majmin: root, and the third's colour, where the annotation has one.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np

from serenity.music import harmony, instruments, midi_file
from serenity.music.note import end_time
from serenity.music.song import of_score

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SAME = {"sus4(b7)": "sus4", "maj6": "maj", "min6": "min", "minmaj7": "min"}  # annotated, without a row of ours
COLOUR = {"maj": 4, "7": 4, "maj7": 4, "aug": 4, "min": 3, "min7": 3, "dim": 3, "hdim7": 3, "dim7": 3}
STEP = 0.1  # seconds at which chords are compared
SPAN = 0.5  # seconds of a span, where no beats are asked for
KRUMHANSL = {  # Krumhansl & Kessler 1982, what was used before
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


def main() -> None:
    """Measure each way on the same songs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--music21", type=int, default=12, help="songs that music21 analyses too; it takes its time")
    arguments = parser.parse_args()
    names = sorted(path.stem for path in arguments.folder.glob("*.mid"))[1::2]
    few = names[::max(len(names) // max(arguments.music21, 1), 1)][:arguments.music21]
    songs = {name: midi_file.read(arguments.folder / f"{name}.mid") for name in names}
    keys = {name: annotated_key(arguments.folder / "annotations" / name) for name in names}
    chords = {name: annotated_chords(arguments.folder / "annotations" / name) for name in names}

    key_ways = {"Serenity, as struck": lambda score: find_key(instruments.choose(score).struck),
                "Serenity, with the pedal": lambda score: find_key(instruments.choose(score).notes),
                "the same by Krumhansl's profiles": krumhansl}
    chord_ways = {"Serenity, over beats": chords_over_beats, "Serenity, over 0.5 s": chords_over_spans}
    result = {"songs": len(names),
              "key": {title: score_keys(dict.fromkeys(names, find), songs, keys) for title, find in key_ways.items()},
              "chords": {title: score_chords(dict.fromkeys(names, find), songs, chords)
                         for title, find in chord_ways.items()}}
    if few:
        title = f"Serenity, {len(few)} songs"
        result["key"][title] = score_keys(dict.fromkeys(few, key_ways["Serenity, as struck"]), songs, keys)
        result["chords"][title] = score_chords(dict.fromkeys(few, chords_over_beats), songs, chords)
        add_music21(result, arguments.folder, few, songs, keys, chords)
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{len(names)} songs\n\n{table(result['key'])}\n\n{table(result['chords'])}")


# --- what is annotated ------------------------------------------------------------------------------------------------

def root_of(name: str) -> int:
    return (LETTERS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def annotated_key(folder: Path) -> tuple[int, str]:
    """Return (tonic, mode) of the longest key."""
    rows = [line.split() for line in (folder / "key_audio.txt").read_text().splitlines() if line.strip()]
    tonic, mode = max(rows, key=lambda row: float(row[1]) - float(row[0]))[2].split(":")
    return root_of(tonic), {"maj": "major", "min": "minor"}[mode]


def annotated_chords(folder: Path) -> list[tuple[float, float, int, str]]:
    """Return (start, end, root, quality) of each chord."""
    rows = [line.split() for line in (folder / "chord_midi.txt").read_text().splitlines() if line.strip()]
    found = []
    for start, end, name in rows:
        if name != "N":
            root, quality = name.split("/")[0].split(":")
            found.append((float(start), float(end), root_of(root), SAME.get(quality, quality)))
    return found


# --- what is found ----------------------------------------------------------------------------------------------------

def find_key(notes: np.ndarray) -> tuple[int, str]:
    key = harmony.find_key(notes)
    return key.tonic, key.mode


def krumhansl(score: midi_file.Score) -> tuple[int, str]:
    notes = instruments.choose(score).notes
    weights = np.bincount(notes["pitch"] % 12, notes["duration"], minlength=12)
    return max(((tonic, mode) for mode in KRUMHANSL for tonic in range(12)),
               key=lambda key: np.corrcoef(weights, np.roll(KRUMHANSL[key[1]], key[0]))[0, 1])


def chords_over_beats(score: midi_file.Score) -> list[tuple[float, float, int, str]]:
    song = of_score(score)
    return rows(harmony.find_chords(song.struck, song.beat_edges))


def chords_over_spans(score: midi_file.Score) -> list[tuple[float, float, int, str]]:
    notes = instruments.choose(score).struck
    return rows(harmony.find_chords(notes, np.arange(0, end_time(notes) + SPAN, SPAN)))


def rows(chords: np.ndarray) -> list[tuple[float, float, int, str]]:
    return [(chord["start"], chord["end"], int(chord["root"]), harmony.QUALITY_NAMES[chord["quality"]])
            for chord in chords]


# --- music21 ----------------------------------------------------------------------------------------------------------

def add_music21(result, folder, names, songs, keys, chords) -> None:
    """Let music21 analyse some songs: its key algorithm, and its chords of everything that sounds together."""
    from music21 import converter

    warnings.simplefilter("ignore")
    spent, streams = 0.0, {}
    for name in names:
        start = time.perf_counter()
        streams[name] = converter.parse(folder / f"{name}.mid")
        spent += time.perf_counter() - start
    names = list(streams)
    title = f"music21, {len(names)} songs"
    result["key"][title] = score_keys({name: lambda _, stream=stream: music21_key(stream)
                                       for name, stream in streams.items()}, songs, keys, spent)
    result["chords"][title] = score_chords({name: lambda score, stream=stream: music21_chords(stream, score)
                                            for name, stream in streams.items()}, songs, chords, spent)


def music21_key(stream) -> tuple[int, str]:
    key = stream.analyze("key")
    return key.tonic.pitchClass, key.mode


def music21_chords(stream, score: midi_file.Score) -> list[tuple[float, float, int, str]]:
    """Return what music21 calls each of the sonorities, where it finds a root."""
    found = []
    for chord in stream.chordify().recurse().getElementsByClass("Chord"):
        start = float(chord.getOffsetInHierarchy(stream)) if stream in chord.sites else float(chord.activeSite.offset
                                                                                           + chord.offset)
        times = score.tempo_map.seconds(np.array([start, start + float(chord.quarterLength)]))
        found.append((*times.tolist(), chord.root().pitchClass, music21_quality(chord)))
    return found


def music21_quality(chord) -> str:
    for name, test in (("7", chord.isDominantSeventh), ("hdim7", chord.isHalfDiminishedSeventh),
                       ("dim7", chord.isDiminishedSeventh), ("maj", chord.isMajorTriad), ("min", chord.isMinorTriad),
                       ("dim", chord.isDiminishedTriad), ("aug", chord.isAugmentedTriad)):
        if test():
            return name
    if chord.seventh is not None and chord.third is not None:
        return {"major": "maj7", "minor": "min7"}.get(chord.quality, chord.quality)
    return {"major": "maj", "minor": "min", "diminished": "dim", "augmented": "aug"}.get(chord.quality, "other")


# --- scores -----------------------------------------------------------------------------------------------------------

def score_keys(ways: dict, songs: dict, keys: dict, spent: float = 0.0) -> dict[str, float]:
    """Return the shares of keys that are right, and the time a song."""
    def same_notes(key):
        return harmony.Key(*key, 0.0).relative_major

    start = time.perf_counter()
    found = {name: way(songs[name]) for name, way in ways.items()}
    spent += time.perf_counter() - start
    return {"exact": np.mean([found[name] == keys[name] for name in found]).item(),
            "normalises alike": np.mean([same_notes(found[name]) == same_notes(keys[name]) for name in found]).item(),
            "ms a song": 1000 * spent / len(found)}


def score_chords(ways: dict, songs: dict, chords: dict, spent: float = 0.0) -> dict[str, float]:
    """Return the shares of time in which chords are right, and the time a song."""
    told = np.zeros(5)  # time; root; root and quality; time of major and minor; those right
    start = time.perf_counter()
    found = {name: way(songs[name]) for name, way in ways.items()}
    spent += time.perf_counter() - start
    for name, ours in found.items():
        starts = np.array([row[0] for row in ours])
        for begin, end, root, quality in chords[name]:
            for moment in np.arange(begin + STEP / 2, end, STEP):
                at = int(np.searchsorted(starts, moment, side="right")) - 1
                is_root = at >= 0 and moment < ours[at][1] and ours[at][2] == root
                colour = COLOUR.get(quality)
                told += (1, is_root, is_root and ours[at][3] == quality, colour is not None,
                         colour is not None and is_root and COLOUR.get(ours[at][3]) == colour)
    return {"root": told[1] / told[0], "root and quality": told[2] / told[0], "major or minor": told[4] / told[3],
            "ms a song": 1000 * spent / len(found)}


def table(ways: dict) -> str:
    """Return a Markdown table."""
    columns = list(next(iter(ways.values())))
    lines = [f"| way | {' | '.join(columns)} |", f"| --- |{' --: |' * len(columns)}"]
    for title, row in ways.items():
        cells = [f"{value:,.1f}" if name == "ms a song" else f"{value:.1%}" for name, value in row.items()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
