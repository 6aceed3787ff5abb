"""Is the result the same after kill -9? preprocess.py and train.py, killed over and over, then run to their end.

    python -m benchmarks.kills WORK [--kills 50] [--scripts preprocess train]        in the project's folder

WORK is a new folder. Each script runs once undisturbed, on songs made here, small networks in training. Then it is
killed at a random moment, run again as it tells a user to, and killed again, CHAIN times; the last run is not
disturbed. The result must be that of the undisturbed run. A moment is a call that changes the file system: a run can
end before each of these calls. Writes kills.json beside this file.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CHAIN = 5  # kills after which a run is let to its end
CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")  # events of sys.audit
WRITING = 0b11  # os.O_WRONLY, os.O_RDWR: opened for more than reading
ARGUMENTS = {
    "preprocess": ("--midi", "midi", "--abc", "abc", "--tokens", "tokens", "--no-filters", "--synthetic", "3",
                   "--workers", "1"),
    "train": ("--tokens", "../tokens", "--model", "model", "--epochs", "3", "--attributes", "step", "velocity",
              "--prompt-events", "16", "--continuation-events", "24"),
}


# --- a run that is killed ---------------------------------------------------------------------------------------------

class Moments:
    """Counts the changes of files below a folder, and does something before one of them."""

    def __init__(self, folder: Path, at: int, happen: Callable[[], None]):
        """`at` 0: nothing happens."""
        self.folder, self.at, self.happen, self.count = str(folder), at, happen, 0

    def __call__(self, event: str, arguments: tuple) -> None:
        """Take an event of sys.audit."""
        if event not in CHANGES or not isinstance(arguments[0], str | bytes | Path):
            return
        path = str(arguments[0])
        if (event == "open" and not arguments[2] & WRITING) or Path(path).is_absolute() and self.folder not in path:
            return
        self.count += 1
        if self.count == self.at:
            self.happen()


def child(script: str, at: int, arguments: list[str]) -> None:
    """Run a script here, in the working folder, and end by kill -9 before moment `at`; else say how many there were."""
    import importlib
    import os

    from serenity import command_line
    from serenity import settings as model_settings

    model_settings.PRESETS["serenity"]["mini"] = dict.fromkeys(model_settings.ATTRIBUTES, small_network())
    moments = Moments(Path.cwd(), at, lambda: os.kill(os.getpid(), signal.SIGKILL))
    module, sys.argv = importlib.import_module(script), [f"{script}.py", *arguments]
    sys.addaudithook(moments)
    command_line.run(module.main, module.Parameters, module.kept)
    print(moments.count)


def small_network():
    """Return a network that learns an epoch in a second."""
    from serenity.settings import NetworkSettings

    return NetworkSettings(8, 1, 2, 16)


# --- what is left -----------------------------------------------------------------------------------------------------

def result_of(folder: Path) -> dict[str, object]:
    """Return all that a run left below a folder, by path, without times. TensorBoard's logs, which are named after the
    time, do not count."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and "tfevents" not in path.name)
    return {path.relative_to(folder).as_posix(): _content(path) for path in paths}


def _content(path: Path) -> object:
    if path.suffix == ".npz":
        with np.load(path) as file:
            return {name: timeless(str(file[name])) if name == "progress" else file[name].tobytes()
                    for name in file.files}
    if path.suffix == ".jsonl":
        return sorted(path.read_text().splitlines())
    if path.suffix in (".json", ".md", ".csv"):
        return timeless(path.read_text())
    return path.read_bytes()


def timeless(text: str) -> str:
    """Return a text without what differs from run to run: minutes of training, and when files were made."""
    text = re.sub(r'"(minutes|made_of)": ("\w*"|[\d.e-]+)', "", text)
    return re.sub(r"^(\| \w+ \| [\d,]+ \| \d+ \|) \d+ \|", r"\1", text, flags=re.MULTILINE)  # the card's table


# --- all runs ---------------------------------------------------------------------------------------------------------

def main() -> None:
    """Kill the scripts, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scripts", nargs="+", choices=tuple(ARGUMENTS), default=tuple(ARGUMENTS))
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    prepare(work)
    found = {script: kill_all(script, work, arguments.kills, random.Random(arguments.seed))
             for script in arguments.scripts}
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(row["differ"] for row in found.values()))


def prepare(work: Path) -> None:
    """Make songs as MIDI files, and a token store of some."""
    from serenity.music import midi_file
    from serenity.tokens import corpus
    from tests.songs import abc_songs, compose_notes

    (work / "midi").mkdir(parents=True)
    for number in range(6):
        track = midi_file.Track("Piano", 0, False, compose_notes(number, 12))
        midi_file.write(work / "midi" / f"{number}.mid", [track])
    songs = dict(abc_songs(6, bars=4))
    corpus.build(work / "tokens", [corpus.Entry(name, name) for name in songs], songs.__getitem__)


def kill_all(script: str, work: Path, kills: int, chance: random.Random) -> dict:
    """Return what `kills` kills of a script did to its result."""
    whole = begin(work, script, "whole")
    moments, wanted = run(script, whole, 0), result_of(whole)
    done, chains, differ = 0, 0, []
    while done < kills:
        folder, chains = begin(work, script, f"killed-{chains}"), chains + 1
        for _ in range(min(CHAIN, kills - done)):
            done += run(script, folder, chance.randint(1, moments)) is None
        run(script, folder, 0)
        found = result_of(folder)
        differ += [f"{folder.name}/{name}" for name in sorted(wanted.keys() | found.keys())
                   if wanted.get(name) != found.get(name)]
        print(f"{script}: {done} kills, {chains} runs to the end, {len(differ)} files differ", flush=True)
    return {"moments": moments, "kills": done, "runs to the end": chains, "differ": differ}


def begin(work: Path, script: str, name: str) -> Path:
    """Make a folder for a run, with what it reads."""
    folder = work / f"{script}-{name}"
    folder.mkdir()
    if script == "preprocess":
        shutil.copytree(work / "midi", folder / "midi")
    return folder


def run(script: str, folder: Path, at: int) -> int | None:
    """Run a script in a folder; return how many moments it had, None where it was killed."""
    resume = ["--resume"] if script == "train" and list((folder / "model").glob("*.npz")) else []
    command = [sys.executable, __file__, "--child", script, str(at), *ARGUMENTS[script], *resume]
    scripts = os.environ | {"PYTHONPATH": str(ROOT)}  # a run works elsewhere, and imports them
    done = subprocess.run(command, cwd=folder, env=scripts, capture_output=True, text=True)
    if done.returncode == -signal.SIGKILL:
        return None
    if done.returncode:
        sys.exit(f"{' '.join(command)} in {folder}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return int(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        main()
