"""How faithful is the codec? note -> event -> abc text -> event -> note, over folders of MIDI files.

    python benchmarks/codec.py FOLDER ... [--songs 102] [--write docs/codec.md]

Prints a Markdown table for each folder, and writes the numbers to benchmarks/codec.json. From each folder it takes that
many songs at most, spread evenly over the list. Each column is one setting of the codec; the last counts in seconds, as
the codec once did: notes that begin within SECONDS are one strike, and onset and duration go to the nearest multiple of
it.

Each note of a song is compared with the note that it became, in the song's own key. Where the codec made one note of
several, the longest of them is compared. Errors stand in milliseconds and, by the song's own tempo map, in quarters: a
codec in beats keeps what the music is, a codec in seconds what was played. Text must be exact, or the script stops;
since it does not depend on the setting, only the default goes through text.
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.folders import midi_files_below
from serenity.categories import CATEGORIES
from serenity.errors import InputError
from serenity.music import abc_file, codec, midi_file
from serenity.music.codec import events_to_notes, notes_to_events
from serenity.music.grid import GRID_NOTE
from serenity.music.note import NOTE
from serenity.music.pitch import fold, transpose
from serenity.music.song import Song, of_score
from serenity.settings import CodecSettings
from serenity.song_names import without_ending
from serenity.tokens.corpus import split_groups
from serenity.tokens.vocabulary import ATTRIBUTES, count_values

SECONDS = 0.02  # of the codec in seconds
DEFAULT, IN_SECONDS = "default", f"seconds, {SECONDS:g}"
SETTINGS = {
    DEFAULT: CodecSettings(),
    "exact lengths 12": CodecSettings(exact_lengths=12),
    "exact lengths None": CodecSettings(exact_lengths=None),
    "split ratio 2": CodecSettings(split_ratio=2.0),
    "split ratio None": CodecSettings(split_ratio=None),
    "to the centre": CodecSettings(normalise="centre"),
    "not normalised": CodecSettings(normalise="none"),
    IN_SECONDS: CodecSettings(),
}

# errors that a table shows -> how, and which of their figures
ERRORS = {
    "onset, ms": (".2f", ("median", "mean", "95 %", "max")),
    "onset, quarters": (".4f", ("median", "mean", "95 %", "max")),
    "duration, ms": (".1f", ("median", "mean", "95 %")),
    "duration, quarters": (".4f", ("median", "mean", "95 %")),
    "duration ratio": (".3f", ("median", "mean", "max")), "velocity": (".2f", ("mean", "max")),
}
FIGURES = {"median": np.median, "mean": np.mean, "95 %": lambda values: np.quantile(values, 0.95), "max": np.max}
# line of the table -> how its number is shown
LINES = {
    "notes": ",", "kept": ",", "doublings merged": ",", "folded into range": ",", "pitch exact": ",",
    **{f"{error}, {figure}": form for error, (form, figures) in ERRORS.items() for figure in figures},
    "events a song": ",.0f", "notes an event": ".3f", **{f"exact {attribute}": ".2%" for attribute in ATTRIBUTES},
    "exact event": ".2%",
}


def main() -> None:
    """Read each folder once, and measure each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="MIDI files, searched through all their folders")
    parser.add_argument("--songs", type=int, default=102, help="of each folder, at most")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the tables here too")
    arguments = parser.parse_args()
    started, result = time.monotonic(), {}
    for folder in arguments.folders:
        songs = read_songs(folder, arguments.songs)
        result[folder.name] = {**about(songs), "settings": {name: measure(songs, name) for name in SETTINGS}}
    text = "\n\n".join(table(name, row) for name, row in result.items())
    print(f"{text}\n\n{time.monotonic() - started:.0f} s")
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.write:
        arguments.write.write_text(text + "\n", encoding="utf-8")


# --- songs ------------------------------------------------------------------------------------------------------------

def read_songs(folder: Path, most: int) -> dict[str, Song]:
    """Return each song's piano and beats, by its path without ending; files that cannot be used are named."""
    paths = midi_files_below(folder)
    number, songs = min(most, len(paths)), {}
    for path in [paths[place * len(paths) // number] for place in range(number)]:
        try:
            song = of_score(midi_file.read(path))
        except InputError as error:
            print(f"refused: {error}", file=sys.stderr)
        else:
            songs[without_ending(path.relative_to(folder).as_posix())] = song
    return songs


def about(songs: dict[str, Song]) -> dict:
    """Return how many songs there are, of how many the file's tempo map was believed, and which metres they have."""
    return {"songs": len(songs), "map believed": sum(song.beats.source == "file" for song in songs.values()),
            "quantised": sum(not codec.encode(song, CodecSettings()).beside.any() for song in songs.values()),
            "metres": dict(Counter("{}/{}".format(*song.beats.metre) for song in songs.values()).most_common())}


# --- there and back ---------------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Kept:
    """What a codec makes of a song."""

    events: np.ndarray
    folded: int
    onset: np.ndarray  # (notes,) seconds at which each of the song's notes stands now
    notes: np.ndarray  # note table in the song's own key


def in_beats(name: str, song: Song, settings: CodecSettings) -> Kept:
    """Return what the codec makes of a song; text included where the settings are the default."""
    encoded = codec.encode(song, settings)
    if settings == CodecSettings():
        check_text(name, song, encoded, settings)
    onset = np.maximum(song.tempo_map.seconds(np.maximum(encoded.points, 0) / settings.grid), 0)
    return Kept(encoded.events, encoded.folded, onset,
                codec.decode(encoded.events, encoded.tempo_map, settings.grid, encoded.transposition))


def in_seconds(song: Song, settings: CodecSettings) -> Kept:
    """Return what a codec in steps of SECONDS makes of a song; key and chords as in the settings."""
    table = np.empty(len(song.notes), GRID_NOTE)
    table["pitch"], table["velocity"] = song.notes["pitch"], song.notes["velocity"]
    table["onset"] = np.rint(middles(song.notes["onset"]) / SECONDS)
    table["duration"] = np.maximum(np.rint(song.notes["duration"] / SECONDS), 1)
    transposition, category = codec.encode(song, settings).transposition, CATEGORIES[settings.category]
    inside, folded = fold(transpose(table, transposition), category.lowest, category.highest)
    events = notes_to_events(inside, settings.split_ratio)
    back = fold(transpose(events_to_notes(events), -transposition))[0]
    notes = np.empty(len(back), NOTE)
    notes["pitch"], notes["velocity"] = back["pitch"], back["velocity"]
    notes["onset"], notes["duration"] = back["onset"] * SECONDS, back["duration"] * SECONDS
    return Kept(events, folded, table["onset"] * SECONDS, notes)


def middles(onset: np.ndarray) -> np.ndarray:
    """Return the middle of each note's strike: what begins less than SECONDS after its first note. Onsets ascend."""
    result, first = np.empty(len(onset)), 0
    while first < len(onset):
        stop = int(np.searchsorted(onset, onset[first] + SECONDS - 1e-6, side="right"))
        result[first:stop] = (onset[first] + onset[stop - 1]) / 2
        first = stop
    return result


def check_text(name: str, song: Song, encoded: codec.Encoded, settings: CodecSettings) -> None:
    """Stop where a song does not come back from its abc text as it was."""
    abc = abc_file.AbcSong(name, name, str(encoded.key), encoded.transposition, encoded.folded, song.beats.source,
                           encoded.tempo_map, settings, encoded.events)
    again = abc_file.from_text(abc_file.to_text(abc), name)
    before, after = abc.tempo_map, again.tempo_map
    if not (np.array_equal(again.events, abc.events) and again.transposition == abc.transposition
            and np.array_equal(after.tempos, before.tempos) and np.array_equal(after.metres, before.metres)
            and (after.start, after.swing) == (before.start, before.swing)):
        sys.exit(f"{name} is not the same after abc text")


# --- figures ----------------------------------------------------------------------------------------------------------

def measure(songs: dict[str, Song], setting: str) -> dict[str, float]:
    """Return the numbers of one column of the table."""
    settings, errors, tables = SETTINGS[setting], [], {}
    found = {"notes": 0, "kept": 0, "folded into range": 0, "pitch exact": 0}
    for name, song in songs.items():
        kept = in_seconds(song, settings) if setting == IN_SECONDS else in_beats(name, song, settings)
        is_exact, of_song = note_errors(song, kept)
        errors.append(of_song)
        for column, number in zip(found, (len(song.notes), len(kept.notes), kept.folded, int(is_exact.sum()))):
            found[column] += number
        tables[name] = kept.events
    events = sum(map(len, tables.values()))
    values = {error: np.concatenate([part[error] for part in errors]) for error in ERRORS}
    return {**found, "doublings merged": found["notes"] - found["kept"],
            **{f"{error}, {figure}": float(FIGURES[figure](values[error]))
               for error, (_, figures) in ERRORS.items() for figure in figures},
            "events a song": events / len(songs), "notes an event": found["kept"] / events, **exact(tables)}


def note_errors(song: Song, kept: Kept) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return which of a song's notes came back in their own pitch, (notes,) bool, and the ERRORS of those.

    Of durations: of those notes alone that are the longest of their pitch and onset.
    """
    before, after = song.notes, kept.notes
    names, place = _names(after["onset"], after["pitch"]), _names(kept.onset, before["pitch"])
    order = np.argsort(names)
    at = order[np.minimum(np.searchsorted(names[order], place), len(order) - 1)]
    is_exact = names[at] == place
    before, after, place = before[is_exact], after[at[is_exact]], place[is_exact]
    by_length = np.lexsort((-before["duration"], place))
    longest = by_length[np.append(True, np.diff(place[by_length]) != 0)]
    quarters = song.tempo_map.quarters
    shift, length = after["onset"] - before["onset"], after["duration"] - before["duration"]
    in_quarters = [quarters(table["onset"] + table["duration"]) - quarters(table["onset"]) for table in (before, after)]
    ratio = np.exp(abs(np.log(after["duration"] / before["duration"])))
    return is_exact, {
        "onset, ms": 1e3 * abs(shift), "onset, quarters": abs(quarters(after["onset"]) - quarters(before["onset"])),
        "duration, ms": 1e3 * abs(length)[longest], "duration, quarters": abs(in_quarters[1] - in_quarters[0])[longest],
        "duration ratio": ratio[longest], "velocity": abs(after["velocity"].astype(float) - before["velocity"])}


def _names(onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Return a number for each onset, to the microsecond, and pitch."""
    return np.rint(onset * 1e6).astype(np.int64) * 128 + pitch


def exact(tables: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the share of events that the dictionaries of the training songs know exactly."""
    splits = split_groups(tables)
    vocabulary = count_values(table for name, table in tables.items() if splits[name] == "train")
    _, known = vocabulary.encode(np.concatenate(list(tables.values())))
    shares = {f"exact {attribute}": float(share) for attribute, share in zip(ATTRIBUTES, known.mean(axis=0))}
    return shares | {"exact event": float(known.all(axis=1).mean())}


def table(folder: str, result: dict) -> str:
    """Return a Markdown table: a measure a line, a setting a column."""
    rows = result["settings"]
    metres = ", ".join(f"{number} in {metre}" for metre, number in result["metres"].items())
    lines = [f"{folder}: {result['songs']} songs; of {result['map believed']} the file's own tempo map was believed, "
             f"{result['quantised']} are quantised; {metres}", "",
             f"| {folder} | {' | '.join(rows)} |", f"| --- | {' | '.join('---:' for _ in rows)} |"]
    lines += [f"| {line} | {' | '.join(format(row[line], form) for row in rows.values())} |"
              for line, form in LINES.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
