"""How soon is the first take heard? In the studio, from pressing to the sound's last byte, beside generate.py.

    .venv/bin/python benchmarks/studio.py [--rounds 5]    prints a table, writes studio.json

The same seed, length and seed number. They work in turn: the open studio makes one take and sends its sound, as its
page asks for it; generate.py makes the same song with its sound in a new process. On a machine that is busy with other
work, look at the processor seconds.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as generate.py has it

from serenity import completion
from serenity.listen import audio
from serenity.studio import server
from serenity.studio.asked import Making
from serenity.studio.session import Session

ROOT = Path(__file__).resolve().parent.parent
SEED, MODEL, BARS = ROOT / "data" / "intro.mid", ROOT / "models" / "serenity-mini", 8


def main() -> None:
    """Time both in turn, print and write the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        session = Session(completion.load(MODEL), Path(folder), soundfont=audio.find_soundfont())
        with server.running(session) as studio:
            rows = [(in_studio(session, studio), as_command(Path(folder) / "out.mid")) for _ in range(rounds)]
    result = {"bars": BARS, "rounds": rounds, "machine": platform.processor() or platform.machine(), "seconds": {}}
    for name, column in zip(("studio", "generate.py"), zip(*rows)):
        wall, processor = (statistics.median(values) for values in zip(*column))
        result["seconds"][name] = {"wall": round(wall, 2), "processor": round(processor, 2)}
        print(f"{name:12} {wall:6.2f} s, {processor:6.2f} s of a processor")
    one, other = result["seconds"]["studio"], result["seconds"]["generate.py"]
    result["ratio"] = {kind: round(one[kind] / other[kind], 2) for kind in ("wall", "processor")}
    print(f"ratio        {result['ratio']['wall']:6.2f}    {result['ratio']['processor']:6.2f}")
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")


def in_studio(session: Session, studio: server.Studio) -> tuple[float, float]:
    """Return the seconds from pressing to the first take's sound, on the clock and of the processor."""
    step, number = session.open_file(SEED), len(session.takes) + 1
    start, worked = time.perf_counter(), time.process_time()
    session.make(Making(step.number, BARS, 0.9, 1))
    while number not in session.takes:
        session.wait_for_change(session.version, 0.1)
    address = f"{studio.address}takes/{number}"
    urllib.request.urlopen(address).read()
    urllib.request.urlopen(f"{address}/sound").read()
    return time.perf_counter() - start, time.process_time() - worked


def as_command(out: Path) -> tuple[float, float]:
    """Return the seconds that generate.py takes for the same song and its sound."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, ROOT / "generate.py", SEED, out, "--model", MODEL, "--bars", str(BARS),
               "--candidates", "1", "--no-picture", "--sound", "--overwrite"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
