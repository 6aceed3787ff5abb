"""How fast is preprocessing? Songs a second, MIDI to tokens, beside MidiTok and pretty_midi, and where the time goes.

    python benchmarks/preparing_speed.py FOLDER [--songs 100] [--peer-python PYTHON] [--memory]

PYTHON has miditok and pretty_midi installed (pip install miditok pretty_midi, in an environment of its own). Ours is
the whole command with its start, filters, synthetic songs, dictionaries and token store; the peers' clocks start when
everything is imported and stop when the last song is tokenised or read, and nothing is written. All work with one
process; ours with two as well. If the machine does other work, processor seconds (of all processes together) tell more
than seconds on the clock. --memory compares the peak memory of the largest process for a tenth of the songs and for all
songs. Writes preparing_speed.json.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from serenity.music import abc_file, codec, harmony, instruments, midi_file, quality, synthetic
from serenity.music.codec import bar_places
from serenity.music.fingerprint import fingerprint
from serenity.music.song import of_choice
from serenity.tokens import corpus
from serenity.tokens.vocabulary import counts_of

ROOT = Path(__file__).resolve().parent.parent

PEERS = {  # what to do with each file, after what preparation
    "MidiTok REMI, tokenising": ("tokenizer", "from miditok import REMI, TokenizerConfig as C; tokenizer = REMI(C())"),
    "pretty_midi, reading": ("PrettyMIDI", "from pretty_midi import PrettyMIDI"),
}
PEER_CLOCK = """
import sys, time
{preparation}
files = sys.argv[1:]
{work}(files[0])
start = time.perf_counter(), time.process_time()
for file in files:
    {work}(file)
print(time.perf_counter() - start[0], time.process_time() - start[1])
"""


def main() -> None:
    """Run ours and the peers one after another on the same files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=100)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    every = sorted(arguments.folder.glob("*.mid"))
    files = every[::max(len(every) // arguments.songs, 1)][:arguments.songs]
    result = {"files": len(files), "load when begun": os.getloadavg()[0], "songs out a second": {},
              "songs out a processor second": {}, "files a second": {}}
    for workers in (1, 2):
        seconds, totals, usage = preprocess(files, workers)
        result["songs"], name = totals["songs"], f"Serenity, whole command, {workers} process{'es' * (workers > 1)}"
        result["songs out a second"][name] = totals["songs"] / seconds
        result["songs out a processor second"][name] = totals["songs"] / (usage.ru_utime + usage.ru_stime)
    result["files a second"]["Serenity, reading"] = rate(midi_file.read, files)
    for name, (work, preparation) in PEERS.items() if arguments.peer_python else ():
        script = PEER_CLOCK.format(work=work, preparation=preparation)
        done = subprocess.run([arguments.peer_python, "-W", "ignore", "-c", script, *map(str, files)], text=True,
                              capture_output=True, check=True)
        seconds, processor = map(float, done.stdout.split())
        result["songs out a second" if "tokenising" in name else "files a second"][name] = len(files) / seconds
        if "tokenising" in name:
            result["songs out a processor second"][name] = len(files) / processor
    result["milliseconds a family"] = profile(files)
    if arguments.memory:
        result["peak MiB"] = {f"{totals['songs']:,} songs": usage.ru_maxrss / 1024 for part in (every[::10], every)
                              for _, totals, usage in [preprocess(part, 2)]}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for title, rows in result.items():
        if isinstance(rows, dict):
            print(f"\n| {title} | |\n| --- | --: |", *(f"| {name} | {value:,.1f} |" for name, value in rows.items()),
                  sep="\n")


def preprocess(files: list[Path], workers: int) -> tuple[float, dict, resource.struct_rusage]:
    """Return the seconds that preprocess.py takes, what its store holds, and what its processes used: time all of them
    together, memory the one that used most."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "midi").mkdir()
        for file in files:
            shutil.copy(file, folder / "midi")
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, ROOT / "preprocess.py", "--midi", folder / "midi", "--abc",
                                    folder / "abc", "--tokens", folder / "tokens", "--workers", str(workers)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit(f"preprocess.py ended with {status}")
        return seconds, corpus.load(folder / "tokens").totals, usage


def rate(work: Callable, jobs: list) -> float:
    """Return how many jobs a second are done."""
    work(jobs[0])
    start = time.perf_counter()
    for job in jobs:
        work(job)
    return len(jobs) / (time.perf_counter() - start)


def profile(files: list[Path], songs: int = 22) -> dict[str, float]:
    """Return the milliseconds that each step takes for one song and its synthetic songs, over some files."""
    spent, settings = {}, codec.CodecSettings()

    def timed(name: str, work: Callable, *arguments):
        start = time.perf_counter()
        result = work(*arguments)
        spent[name] = spent.get(name, 0) + time.perf_counter() - start
        return result

    files = files[:20]
    for file in files:
        score = timed("read MIDI (twice)", lambda path: [midi_file.read(path) for _ in range(2)], file)[0]
        choice = instruments.choose(score)
        song, _ = timed("beats (twice)", lambda: [of_choice(choice, score.tempo_map) for _ in range(2)])  # noqa: B023
        key = harmony.find_key(song.struck)
        chords = timed("chords", harmony.find_chords, song.struck, song.beat_edges)
        timed("measures", quality.measure, song.notes, song.struck, chords, key)
        timed("fingerprint", fingerprint, song.notes)
        made = timed("synthetic songs", lambda: synthetic.make_songs(codec.on_grid(song, settings), songs))  # noqa: B023
        versions = [song, *(song.with_notes(other) for other in made.values())]
        encoded = [timed("notes to events", codec.encode, version, settings, key) for version in versions]
        songs = [abc_file.AbcSong("x", "x", str(key), 0, 0, song.beats.source, song.tempo_map, settings, one.events)
                 for one in encoded]
        texts = [timed("events to text", abc_file.to_text, song) for song in songs]
        read = [timed("text to events (twice)", lambda text: [abc_file.from_text(text) for _ in range(2)], text)[0]
                for text in texts]
        for one in read:
            timed("counting", counts_of, one.events)
            timed("bars", bar_places, one.events, one.tempo_map, settings.grid)
    return {name: 1000 * seconds / len(files) for name, seconds in spent.items()}


if __name__ == "__main__":
    main()
