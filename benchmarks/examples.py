"""What becomes of seeds of different kinds? Twelve songs to look at and listen to, and what can be counted of them.

    .venv/bin/python benchmarks/examples.py     writes docs/examples, and benchmarks/examples.json, and prints a table
    .venv/bin/python benchmarks/examples.py waltz hymn --folder try     these alone, into another folder

Each song stands there as MIDI, picture and MP3; README.md and listen.html, a page with players that opens from the file
system, show all of them.

The seeds were composed for this; no model has learned from them. Each is continued once, with the same seed number and
with generate.py's defaults. So each song is the best of four, as generate.py chooses. No person chose among songs, so
weak ones are here too.
"""

import html
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from benchmarks import measures
from benchmarks.intro import voice, write_file
from serenity.command_line import run
from serenity.errors import InputError
from serenity.music import harmony, midi_file, quality, song_file
from serenity.music.midi_file import Score, Track
from serenity.music.note import end_time, merge_tables, note_table
from serenity.music.song import of_score
from serenity.music.tempo_map import TempoMap, metres, tempos

ROOT = Path(__file__).resolve().parent.parent

FOLDER = ROOT / "docs" / "examples"
SETTINGS = ("--bars", "32", "--seed", "1")
RESULTS = Path(__file__).with_suffix(".json")
LEGATO = 0.95  # share of its time that a note sounds
RUBATO, PHRASE = 0.06, 16  # of the tempo; quarters
STRAY = 0.008  # seconds by which a player misses the beat, standard deviation
LARGEST = 10_000_000  # bytes of all sounds: everybody who takes the project takes them along
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Songs by Serenity</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
body {{ max-width: 60rem; margin: 0 auto; padding: 1rem; }}
audio, img {{ display: block; width: 100%; }}
img {{ height: auto; background: #fff; }}
section {{ margin: 2.5rem 0; }}
</style>
<h1>{title}</h1>
<p>The seeds are of different kinds and were composed for this page. Serenity continued each. In the pictures the
continuation begins at the line; a sound begins with the seed.</p>
{songs}
</html>
"""
SONG = """<section>
<h2>{name}</h2>
<p>{about}. The continuation begins at {join}. <a href="{name}.mid">MIDI</a></p>
<audio controls preload="none" src="{name}.mp3" aria-label="{name}"></audio>
<img src="{name}.png" alt="piano roll of {name}" loading="lazy">
</section>"""


@dataclass(frozen=True)
class Parameters:
    """Make the examples. Sound takes as long as the songs."""

    songs: tyro.conf.Positional[tuple[str, ...]] = ()  # which; none: all twelve
    folder: Path = FOLDER
    sound: bool = True  # MP3 of each song, and a page with players


@dataclass(frozen=True)
class Seed:
    """An intro: its tempo in quarter notes a minute, quarter notes a bar, metre, and voices.

    A voice is its velocity and its notes as intro.voice reads them; "|" parts bars for the eye. What is `played` goes
    faster and slower, strikes beside the beat, and has no tempo in its file.
    """

    about: str
    tempo: int
    beats: int
    metre: tuple[int, int]
    voices: tuple[tuple[int, str], ...]
    played: bool = False


@dataclass(frozen=True)
class LeadSheet:
    """An intro in ABC notation."""

    about: str
    text: str


SEEDS = {
    "waltz": Seed("F major, 3/4, bass and two chords", 150, 3, (3, 4), (
        (84, "a4/2 c5/1 | d5/2 a4/1 | a#4/1 d5/1 f5/1 | e5/2 c5/1 | f5/2 c5/1 | d5/1 a#4/1 f4/1 | g4/1 a#4/1 e4/1 | "
             "f4/3"),
        (60, "f2/1 c4a3/1 c4a3/1 | d3/1 a3f3/1 a3f3/1 | g2/1 d4a#3/1 d4a#3/1 | c3/1 a#3g3/1 a#3g3/1 | f2/1 c4a3/1 "
             "c4a3/1 | a#2/1 d4f3/1 d4f3/1 | c3/1 a#3e3/1 a#3e3/1 | f2/1 c4a3/1 c4a3/1"))),
    "arpeggios": Seed("E minor, 12/8, broken chords, slow melody", 84, 6, (12, 8), (
        (80, "b4/4.5 a4/1.5 | g4/6 | b4/3 d5/3 | a4/4.5 f#4/1.5 | g4/4.5 a4/1.5 | e5/3 c5/3 | d5/4.5 b4/1.5 | a4/6"),
        (52, " | ".join(" ".join(f"{note}/.5" for note in chord.split()) for chord in (
            "e2 b2 e3 g3 e3 b2 e3 g3 b3 g3 e3 b2", "c2 g2 c3 e3 c3 g2 c3 e3 g3 e3 c3 g2",
            "g2 d3 g3 b3 g3 d3 g3 b3 d4 b3 g3 d3", "d2 a2 d3 f#3 d3 a2 d3 f#3 a3 f#3 d3 a2") * 2)))),
    "lead-sheet": LeadSheet("F major, melody and chord symbols in ABC notation", """X:1
T:Evening Lane
M:4/4
L:1/8
Q:1/4=108
K:F
"F"c2 A2 F2 A2 | "Dm"d3 c A4 | "Gm7"B2 d2 B2 G2 | "C7"c6 z2 |
"F"c2 A2 F2 A2 | "Dm"f3 e d4 | "Gm7"d2 B2 "C7"G2 B2 | "F"A6 z2 |]
"""),
    "melody-alone": Seed("D major, one voice", 100, 4, (4, 4), (
        (84, "f#4/.5 a4/.5 d5/1 c#5/.5 b4/.5 a4/1 | b4/.5 g4/.5 e4/1 a4/1 -/1 | f#4/.5 a4/.5 d5/1 e5/.5 f#5/.5 e5/1 | "
             "d5/.5 b4/.5 c#5/1 d5/2 | f#5/1 e5/.5 d5/.5 b4/1 d5/1 | a4/1.5 b4/.5 a4/1 f#4/1 | g4/.5 a4/.5 b4/1 e4/1 "
             "g4/1 | f#4/1 e4/1 d4/2"),)),
    "bossa": Seed("C major with sevenths, syncopated", 132, 4, (4, 4), (
        (82, "g4/1.5 e4/.5 -/.5 g4/.5 b4/1 | a4/2 -/.5 g4/.5 e4/1 | f4/1.5 d4/.5 -/.5 f4/.5 a4/1 | g4/3 -/1"),
        (62, "-/.5 b3g3e3/1 b3g3e3/1 b3g3e3/1.5 | -/.5 c4g3e3/1 c4g3e3/1 c4g3e3/1.5 | -/.5 c4a3f3/1 c4a3f3/1 "
             "c4a3f3/1.5 | -/.5 b3f3d3/1 b3f3d3/1 b3f3d3/1.5"),
        (66, "c2/1.5 g2/.5 c2/2 | a2/1.5 e2/.5 a2/2 | d2/1.5 a2/.5 d2/2 | g2/1.5 d2/.5 g2/2"))),
    "driving": Seed("B minor, eighths, bass in octaves, loud", 140, 4, (4, 4), (
        (104, "f#5/1.5 e5/.5 d5/1 c#5/1 | d5/1.5 b4/.5 b4/2 | a4/1 b4/1 d5/1 e5/1 | c#5/2 a4/2 | f#5/1.5 e5/.5 d5/1 "
              "f#5/1 | g5/1.5 f#5/.5 d5/2 | e5/1 d5/1 c#5/1 d5/1 | e5/2 c#5/2"),
        (92, " | ".join(" ".join([f"{chord}/.5"] * 8) for chord in ("f#4d4b3", "d4b3g3", "f#4d4a3", "e4c#4a3") * 2)),
        (96, " | ".join(" ".join([f"{bass}/1"] * 4) for bass in ("b2b1", "g2g1", "d3d2", "a2a1") * 2)))),
    "hymn": Seed("E flat major, 3/4, four voices", 84, 3, (3, 4), (
        (70, "g4/2 g#4/1 | a#4/2 g4/1 | c5/2 a#4/1 | a#4/2 g#4/1 | g4/2 f4/1 | g4/1 g#4/1 g4/1 | f4/2 f4/1 | d#4/3"),
        (62, "d#4/2 f4/1 | d#4/2 d#4/1 | d#4/2 d#4/1 | d4/2 d4/1 | d#4/2 d4/1 | d#4/2 d#4/1 | d#4/2 d4/1 | a#3/3"),
        (60, "a#3/2 a#3/1 | g3/2 a#3/1 | g#3/2 g3/1 | f3/2 a#3/1 | c4/2 a#3/1 | a#3/1 c4/1 a#3/1 | c4/2 g#3/1 | g3/3"),
        (64, "d#3/2 d3/1 | d#3/2 d#3/1 | g#2/2 d#3/1 | a#2/2 a#2/1 | c3/2 g2/1 | d#3/1 g#2/1 d#3/1 | g#2/2 a#2/1 | "
             "d#2/3"))),
    "shuffle": Seed("C with blue notes, swung eighths", 112, 4, (4, 4), (
        (90, "c5/.67 d#5/.33 e5/.67 g5/.33 -/2 | a#4/.67 a4/.33 g4/.67 d#4/.33 c4/2 | f4/.67 g4/.33 g#4/.67 a4/.33 -/2 "
             "| g4/.67 d#4/.33 c4/1 -/2"),
        (74, " | ".join(" ".join(f"{low}/.67 {high}/.33" for low, high in bar) for bar in (
            (("c2", "g2"), ("a2", "g2"), ("c2", "g2"), ("a#2", "a2")),
            (("c2", "g2"), ("a2", "g2"), ("c2", "g2"), ("a#2", "a2")),
            (("f2", "c3"), ("d3", "c3"), ("f2", "c3"), ("d#3", "d3")),
            (("c2", "g2"), ("a2", "g2"), ("c2", "g2"), ("c2", "c2"))))))),
    "played": Seed("F sharp major, played freely: its file has no tempo", 80, 4, (4, 4), (
        (84, "c#5/1 a#4/.5 c#5/.5 f#5/1.5 f5/.5 | d#5/2 c#5/1 a#4/1 | b4/1 d#5/1 f#5/1 d#5/1 | c#5/2 g#4/2"),
        (58, "-/1 a#3f#3/1 -/1 a#3f#3/1 | -/1 a#3f#3/1 -/1 a#3f#3/1 | -/1 b3f#3/1 -/1 b3f#3/1 | -/1 b3f3/1 -/1 b3f3/1"),
        (62, "f#2f#1/2 f#2f#1/2 | d#2d#1/2 d#2d#1/2 | b2b1/2 b2b1/2 | c#2c#1/2 c#2c#1/2")), played=True),
    "four-notes": Seed("four notes, no more", 90, 4, (4, 4), ((80, "e4/1 g4/1 a4/1 c5/1"),)),
    "six-eight": Seed("D minor, 6/8, rocking", 96, 3, (6, 8), (
        (82, "a4/1.5 d5/1 e5/.5 | f5/1.5 e5/1 d5/.5 | c5/1.5 f5/1 c5/.5 | e5/2.5 -/.5 | d5/1.5 a#4/1 d5/.5 | c5/1.5 "
             "a4/1 f4/.5 | g4/1.5 a#4/1 g4/.5 | a4/3"),
        (58, " | ".join(f"{low}/.5 {mid}/.5 {high}/.5 {low}/.5 {mid}/.5 {high}/.5" for low, mid, high in (
            ("d3", "a3", "d4"), ("a#2", "f3", "a#3"), ("f2", "c3", "a3"), ("a2", "e3", "c#4"), ("a#2", "f3", "d4"),
            ("f2", "c3", "a3"), ("g2", "d3", "a#3"), ("a2", "e3", "c#4")))))),
}


def write_seed(folder: Path, name: str) -> Path:
    """Write a seed into a folder, and return where it stands: a MIDI file, or a lead sheet."""
    seed = SEEDS[name]
    if isinstance(seed, LeadSheet):
        path = folder / f"{name}.abc"
        path.write_text(seed.text, encoding="utf-8")
        return path
    rows = [(onset, beats * LEGATO, pitch, velocity)
            for velocity, text in seed.voices for onset, beats, pitches in voice(text.replace("|", ""))
            for pitch in pitches]
    onsets, lengths, pitches, velocities = (np.array(column) for column in zip(*rows))
    pulse = 1.5 if seed.metre[1] == 8 else 1
    on_beat = np.where(onsets % seed.beats == 0, 5, np.where(onsets % pulse == 0, 0, -5))  # a bar's first is louder
    quarter = round(60e6 / seed.tempo)
    starts, ends, tempo_map = onsets, onsets + lengths, TempoMap(tempos((0, quarter)), metres((0, *seed.metre)))
    if seed.played:
        starts, ends, tempo_map = freely(onsets), freely(ends), TempoMap()
        starts = np.maximum(starts + np.random.default_rng(0).normal(0, STRAY, len(starts)) * seed.tempo / 60, 0)
    notes = note_table(starts * quarter / 1e6, np.maximum(ends - starts, 0.1) * quarter / 1e6, pitches,
                       velocities + on_beat)
    path = folder / f"{name}.mid"
    midi_file.write(path, [Track("Piano", 0, False, notes)], tempo_map)
    return path


def freely(quarters: np.ndarray) -> np.ndarray:
    """Return where quarters lie once the tempo rises and falls: by RUBATO at most, once in PHRASE quarters."""
    turn = 2 * np.pi / PHRASE
    return quarters + RUBATO / turn * np.sin(turn * quarters)


def measured(path: Path, seed: Score) -> dict:
    """Return what can be counted of a song's continuation, beside its seed, whose tempo and bars go on."""
    made, prompt = midi_file.read(path).tracks[-1].notes, merge_tables(track.notes for track in seed.tracks)
    tempo_map = of_score(seed).tempo_map
    keys = [harmony.find_key(notes) for notes in (prompt, made)]
    join = float(made["onset"].min())
    return {"notes": len(made), "join": join, "seconds": end_time(made) - join,
            "key of seed": keys[0].name, "key of continuation": keys[1].name,
            "key kept": keys[0].relative_major == keys[1].relative_major,
            "loop": quality.longest_loop(quality.chord_numbers(made), 128),
            "scale consistency": measures.scale_consistency(made),
            "notes a second": [measures.density(notes) for notes in (prompt, made)],
            "entropy of pitch classes": measures.pitch_class_entropy(made, tempo_map),
            "on sixteenths": measures.on_sixteenths(made, tempo_map),
            "bars that return": measures.bars_that_return(made, tempo_map),
            "chords that return": measures.chords_that_return(made, tempo_map)}


def complete(seed: Path, parameters: Parameters) -> dict:
    """Complete a seed, and return what can be said of the song."""
    name = seed.stem
    path = parameters.folder.resolve() / f"{name}.mid"
    more = ["--sound"] * parameters.sound
    made = subprocess.run([sys.executable, ROOT / "generate.py", seed.name, path, *SETTINGS, *more, "--overwrite"],
                          cwd=seed.parent, check=True, capture_output=True, text=True)
    said = next(line for line in made.stdout.splitlines() if line.startswith(f"{path}:"))
    sound = path.with_suffix(".mp3")
    if parameters.sound and not sound.exists():
        raise InputError(f"{sound} was not made; wanted soundfile, midirenderer and a SoundFont (install.sh)")
    about = SEEDS[name].about if name in SEEDS else "A major, pop ballad: the example intro"
    return {"about": about, "said": said.removeprefix(f"{path}: "),
            **({"sound": sound.stat().st_size} if parameters.sound else {}),
            **measured(path, song_file.read(seed))}


def table(result: dict) -> str:
    """Return what can be counted of the songs as Markdown."""
    head = ["song", "seed", "key found in the seed", "in the continuation", "longest loop", "notes a second: seed",
            "continuation"]
    lines = [f"| {' | '.join(head)} |", "| --- | --- | --- | --- " + "| --: " * 3 + "|"]
    for name, row in result["songs"].items():
        cells = [f"[{name}]({name}.mid)", row["about"], row["key of seed"], row["key of continuation"],
                 f"{row['loop']:.0%}", *(f"{density:.1f}" for density in row["notes a second"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def document(result: dict) -> str:
    """Return the page of the examples: the table, then the pictures."""
    lines = ["# Twelve songs", "",
             "The seeds are of different kinds and were composed for this page. Each was continued by `generate.py "
             f"SEED {result['settings']}`, which keeps the best of four; nobody chose among songs (`.venv/bin/python "
             "benchmarks/examples.py`). In the pictures, the continuation begins at the line. [The model's "
             "card](../../models/serenity-mini/README.md) says what is weak in them.", "",
             *(["[listen.html](listen.html) has players for all of them.", ""] if _has_sound(result) else []),
             table(result), ""]
    for name, row in result["songs"].items():
        hear = f" [Hear it]({name}.mp3)." if "sound" in row else ""
        lines += [f"## {name}", "", f"{row['about']}. {row['said']}.{hear}", "", f"![{name}]({name}.png)", ""]
    return "\n".join(lines)


def _has_sound(result: dict) -> bool:
    return all("sound" in row for row in result["songs"].values())


def page(result: dict) -> str:
    """Return the page with players."""
    songs = [SONG.format(name=name, about=html.escape(row["about"]), join=f"{row['join']:.0f} s")
             for name, row in result["songs"].items()]
    return PAGE.format(title=f"{len(songs)} songs by Serenity", songs="\n".join(songs))


def main(parameters: Parameters) -> None:
    """Make the songs, and write what can be counted of them."""
    names = ("intro", *SEEDS)
    if unknown := [name for name in parameters.songs if name not in names]:
        raise InputError(f"no example {unknown[0]!r}; wanted some of {', '.join(names)}")
    if parameters.songs and parameters.folder.resolve() == FOLDER:
        raise InputError(f"some songs alone would leave {FOLDER} with two kinds; wanted another --folder")
    parameters.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as seeds:
        write_file(Path(seeds) / "intro.mid")
        written = {"intro": Path(seeds) / "intro.mid"} | {name: write_seed(Path(seeds), name) for name in SEEDS}
        songs = {name: complete(written[name], parameters) for name in parameters.songs or names}
    result = {"settings": " ".join(SETTINGS), "songs": songs}
    if (size := sum(row.get("sound", 0) for row in songs.values())) > LARGEST:
        raise InputError(f"the sounds have {size:,} bytes; wanted {LARGEST:,} at most: fewer bars, or a lower quality")
    if not parameters.songs:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (parameters.folder / "README.md").write_text(document(result), encoding="utf-8")
    if parameters.sound:
        (parameters.folder / "listen.html").write_text(page(result), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    run(main, Parameters)
