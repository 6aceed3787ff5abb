"""Which files and functions of Serenity does a seed pass through in generate.py? To follow it, one reads these.

    python benchmarks/seed_path.py [SEED.mid]     prints a table, writes seed_path.json

It counts what is called from reading the seed to writing the song: with the defaults, without the picture, and with 16
events, since more events call nothing else.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from serenity import completion

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Complete a seed and say what it passed through."""
    seed = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "data" / "intro.mid"
    model = completion.load(ROOT / "models" / "serenity-mini")
    with tempfile.TemporaryDirectory() as folder:
        found = passed(lambda: complete(seed, model, Path(folder) / "song.mid"))
    print("| file of serenity/ | functions |\n| --- | --: |")
    for file, functions in sorted(found.items()):
        print(f"| {file} | {functions} |")
    result = {"files": len(found), "functions": found.total(), "functions of each file": dict(sorted(found.items()))}
    print(f"\n{result['files']} files, {result['functions']} functions")
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def complete(seed: Path, model: completion.Model, song: Path) -> None:
    """Do what generate.py does between two files."""
    read = completion.read_seed(seed, model)
    take, *_ = completion.complete(model, read, completion.Request(events=16))
    completion.write(song, read, take)


def passed(work: Callable[[], None]) -> Counter:
    """Return the files below serenity/ whose functions `work` calls, and how many functions of each."""
    called = set()

    def note(frame, event, _):
        if event == "call" and "<" not in frame.f_code.co_qualname:  # what stands inside of functions is theirs
            called.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    library = f"{ROOT / 'serenity'}/"
    return Counter(file.removeprefix(library) for file, _ in called if file.startswith(library))


if __name__ == "__main__":
    main()
