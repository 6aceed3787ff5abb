"""How long the whole command takes, from the shell to the file, against the import of TensorFlow alone.

    .venv/bin/python benchmarks/generate.py          prints a table, writes benchmarks/generate.json
"""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 5
EVENTS = 512


def seconds(*command: str) -> float:
    """Return the wall-clock seconds that a command takes; it must succeed."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, cwd=ROOT, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Run the commands in turn, so that a drift of the machine's speed meets all of them."""
    times = {"generate": [], "import tensorflow": [], "import numpy": []}
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "song.mid")
        for _ in range(RUNS):
            times["generate"].append(seconds("generate.py", "data/intro.mid", out, "--events", str(EVENTS)))
            times["import tensorflow"].append(seconds("-c", "import tensorflow"))
            times["import numpy"].append(seconds("-c", "import numpy"))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["generate"] / medians["import tensorflow"]
    result = {"events": EVENTS, "runs": RUNS, "python": platform.python_version(), "machine": platform.machine(),
              "seconds": times, "generate over import tensorflow": round(ratio, 2)}
    (ROOT / "benchmarks" / "generate.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("| command | median s | of import tensorflow |\n| --- | --: | --: |")
    for name, value in medians.items():
        print(f"| {name} | {value:.2f} | {value / medians['import tensorflow']:.2f} |")


if __name__ == "__main__":
    main()
