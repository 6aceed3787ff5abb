"""Does any MIDI file, however damaged, end in a song or in one line? Mutated files are read, and the seed reported.

    python benchmarks/fuzz.py FOLDER --files 100000

Bytes of the MIDI files below FOLDER are changed, removed, doubled and spliced; in half of the files the chunks' lengths
are corrected afterwards, so that the reader gets as far as the damage inside them. File number N is the same in every
run. The script names each file that ends in anything but a song or an InputError of one line, and each that takes too
much time or memory. Writes fuzz.json; ends with 1 where there is such a file.
"""

import argparse
import json
import resource
import struct
import sys
import time
from collections import Counter
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.folders import midi_files_below
from serenity.errors import InputError
from serenity.midi_container import unwrapped
from serenity.model import checkpoint
from serenity.music import midi_file
from serenity.parallel import in_parallel
from serenity.tokens import seed as seeds

ROOT = Path(__file__).resolve().parent.parent

LARGEST = 30_000            # bytes of a file to be mutated: larger ones do nothing else, and take longer
LONGEST, MOST = 5.0, 2**30  # seconds of one thread, bytes of memory
EDGES = (0x00, 0x01, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xC0, 0xF0, 0xF7, 0xFF)


def main() -> None:
    """Mutate, read, count, and name what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    originals = [data for path in midi_files_below(arguments.folder) if len(data := path.read_bytes()) <= LARGEST]
    numbers = range(arguments.first, arguments.first + arguments.files)
    work = partial(outcome, originals=originals, model=ROOT / "models" / "serenity-mini")
    found = list(in_parallel(work, numbers, arguments.workers, "mutated files", chunk=50))
    faults = {number: row for number, row in zip(numbers, found) if row["fault"]}
    result = {"files": len(found), "originals": len(originals), "first": arguments.first,
              "songs": sum(row["is_song"] for row in found), "lines": sum(not row["is_song"] for row in found),
              "longest": max(row["seconds"] for row in found), "memory": max(row["memory"] for row in found),
              "faults": faults,
              "kinds of lines": dict(Counter(row["line"] for row in found if row["line"]).most_common())}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{result['files']:,} files: {result['songs']:,} songs, {result['lines']:,} lines; longest "
          f"{result['longest']:.1f} s, {result['memory'] / 2**20:.0f} MiB; {len(faults)} faults")
    for number, row in faults.items():
        print(f"{number}: {row['fault']}")
    sys.exit(1 if faults else 0)


def outcome(number: int, originals: list[bytes], model: Path) -> dict:
    """Return what becomes of mutated file `number`, and what it costs."""
    settings, vocabulary = settings_of(model)
    data, start = mutated(originals, number), time.process_time()
    line, fault, is_song = "", "", False
    try:
        score = midi_file.parse(unwrapped(data, midi_file.LARGEST_FILE))
        report = seeds.report(seeds.read(score, settings.codec.category, settings.codec, vocabulary))
        is_song = True
        fault = "a line of the report is empty or two" if any(not row or "\n" in row for row in report) else ""
    except InputError as error:
        line = " ".join(str(error).split()[:4])
        fault = "more than one line" if "\n" in str(error) else ""
    except Exception as error:  # what this looks for
        fault = f"{type(error).__name__}: {error}"
    seconds, memory = time.process_time() - start, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if seconds > LONGEST or memory > MOST:
        fault = fault or f"took {seconds:.1f} s, {memory / 2**20:.0f} MiB"
    return {"is_song": is_song, "line": line, "fault": fault, "seconds": seconds, "memory": memory}


@cache
def settings_of(model: Path) -> tuple:
    """Return settings and dictionaries of a model, which the files share."""
    return checkpoint.read_settings(model)


# --- mutations --------------------------------------------------------------------------------------------------------

def mutated(originals: list[bytes], number: int) -> bytes:
    """Return mutated file `number`."""
    rng = np.random.default_rng([2026, number])
    data = bytearray(originals[rng.integers(len(originals))])
    for _ in range(rng.geometric(0.3)):
        change = MUTATIONS[rng.integers(len(MUTATIONS))]
        change(data, rng, originals)
    return with_right_lengths(bytes(data)) if rng.random() < 0.5 else bytes(data)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data) + 1))


def _flip(data: bytearray, rng: np.random.Generator, _) -> None:
    if data:
        data[_place(data, rng) - 1] ^= 1 << int(rng.integers(8))


def _edge(data: bytearray, rng: np.random.Generator, _) -> None:
    if data:
        data[_place(data, rng) - 1] = int(rng.choice(EDGES))


def _remove(data: bytearray, rng: np.random.Generator, _) -> None:
    at = _place(data, rng)
    del data[at:at + int(rng.geometric(0.05))]


def _double(data: bytearray, rng: np.random.Generator, _) -> None:
    at, size = _place(data, rng), int(rng.geometric(0.02))
    data[at:at] = data[at:at + size] * int(rng.integers(1, 20))


def _splice(data: bytearray, rng: np.random.Generator, originals: list[bytes]) -> None:
    other = originals[rng.integers(len(originals))]
    at, begin = _place(data, rng), int(rng.integers(len(other)))
    data[at:at] = other[begin:begin + int(rng.geometric(0.01))]


def _cut(data: bytearray, rng: np.random.Generator, _) -> None:
    del data[_place(data, rng):]


def _header(data: bytearray, rng: np.random.Generator, _) -> None:
    data[8:14] = rng.integers(0, 256, 6, np.uint8).tobytes()


def _event(data: bytearray, rng: np.random.Generator, _) -> None:
    """Insert a long pause, or a meta event of any kind and length."""
    at = _place(data, rng)
    content = rng.integers(0, 256, int(rng.integers(8)), np.uint8).tobytes()
    kind = bytes([0xFF, int(rng.choice((0x51, 0x58, 0x59, 0x21, 0x03, 0x54, int(rng.integers(128)))))])
    pause = bytes([0x80 | int(rng.integers(128)), 0x80 | int(rng.integers(128)), int(rng.integers(128))])
    data[at:at] = pause + kind + bytes([len(content)]) + content


MUTATIONS = (_flip, _edge, _remove, _double, _splice, _cut, _header, _event)


def with_right_lengths(data: bytes) -> bytes:
    """Return the file with the length of each track chunk as it is, up to the next chunk's name."""
    head, *bodies = data.split(b"MTrk")
    return head + b"".join(b"MTrk" + struct.pack(">L", len(body[4:])) + body[4:] for body in bodies)


if __name__ == "__main__":
    main()
