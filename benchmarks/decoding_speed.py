"""How long does a song take? With the cache and without, beside a peer, beside the floor, and the whole command.

    .venv/bin/python benchmarks/decoding_speed.py [--peer-python PATH]    prints tables, writes decoding_speed.json

Decoding is `complete` with the shipped model: 128 events of prompt, 512 events, the likeliest each time. Per event:

* uncached: the Keras network that was trained, compiled, on its whole window of prompt and continuation, once for each
  attribute of each event. Its cost does not depend on the place, so a few events are timed.
* peer: `generate` of Hugging Face's GPT-2 with its key/value cache, random weights, greedy, the same number of tokens:
  four networks, each one token an event, one after another. `equal weights`: the same width and heads, as many layers
  as come nearest to our network's number of weights, encoder included. `equal work`: as many as come nearest to what
  our decoder multiplies an event, which is less, since the encoder runs once a song. PATH is a Python with torch and
  transformers.
* floor: the products of an event alone, nothing between them, or the bytes of these matrices over the bandwidth at
  which memory is read, whichever takes longer. The caches' share is left out.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported: in products this small threads only wait

import numpy as np

from serenity.model import checkpoint
from serenity.model.designs import make_decoder, weight_shapes
from serenity.model.generation import GREEDY, complete
from serenity.tokens import windows
from serenity.tokens.vocabulary import ATTRIBUTES, COLUMNS, SPECIALS

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}  # of the commands
PROMPT, EVENTS, RUNS, UNCACHED = 128, 512, 5, 8
BATCHES = (1, 8)

PEER = """
import json, sys, time, torch, transformers
job = json.loads(sys.argv[1])
seconds = 0.0
for network in job["networks"]:
    config = transformers.GPT2Config(vocab_size=network["tokens"], n_positions=job["prompt"] + job["events"],
                                     n_embd=network["width"], n_layer=network["layers"], n_head=network["heads"],
                                     bos_token_id=1, eos_token_id=2)
    model = transformers.GPT2LMHeadModel(config).eval()
    prompt = torch.randint(3, network["tokens"], (job["batch"], job["prompt"]))
    def generate(events):
        with torch.inference_mode():
            song = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, use_cache=True,
                                  max_new_tokens=events, min_new_tokens=events, pad_token_id=0)
        assert song.shape[1] == job["prompt"] + events
    generate(8)
    start = time.perf_counter()
    generate(job["events"])
    seconds += time.perf_counter() - start
print(json.dumps({"seconds": seconds, "torch": torch.__version__, "transformers": transformers.__version__,
                  "threads": torch.get_num_threads()}))
"""


def timed(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def command(*words: str) -> None:
    """Run a command of ours; it must succeed."""
    subprocess.run([sys.executable, *words], check=True, cwd=ROOT, env=ENVIRONMENT, capture_output=True)


def draw_events(model: checkpoint.Checkpoint, count: int) -> np.ndarray:
    """Return random events in bars that are not known, (count, columns)."""
    rng = np.random.default_rng(0)
    sizes = model.settings.vocabulary_sizes
    tokens = [rng.integers(SPECIALS, sizes[attribute], count) for attribute in ATTRIBUTES]
    return np.pad(np.stack(tokens, 1), ((0, 0), (0, len(COLUMNS) - len(tokens)))).astype(np.int32)


def cached_seconds(model: checkpoint.Checkpoint, batch: int, events: int) -> float:
    """Return the seconds an event takes, batch of variations side by side; prompt and layout of weights included."""
    prompt = draw_events(model, PROMPT)
    return timed(lambda: complete(model, prompt, events, GREEDY, seed=0, variations=batch)) / events


def uncached_seconds(model: checkpoint.Checkpoint, batch: int) -> float:
    """Return the seconds an event takes without a cache, batch of variations side by side."""
    from serenity.model.transformer import Transformer, set_weights

    window, total = model.settings.window, 0.0
    song = draw_events(model, window.prompt + window.continuation).astype(np.uint16)
    for attribute in ATTRIBUTES:
        places = np.repeat([[0, window.prompt + 1, window.prompt]], batch, axis=0)
        cut = windows.cut([song], places, window, model.settings.has_encoder)
        inputs = {"prompt": cut.prompt, "past": cut.past, "target": cut.target}
        network = Transformer(model.settings, attribute, model.vocabulary)
        set_weights(network, model.weights[attribute])
        network.predict_on_batch(inputs)  # compiles
        total += statistics.median(timed(partial(network.predict_on_batch, inputs)) for _ in range(UNCACHED))
    return total


def floor(model: checkpoint.Checkpoint, batch: int) -> dict[str, float]:
    """Return the megabytes an event's products read, and the seconds an event takes at least, by either measure."""
    kernels = []
    for attribute in ATTRIBUTES:
        decoder = make_decoder(model.settings, attribute, model.weights[attribute], model.vocabulary)
        parts = [vars(part) for layer in decoder.layers for part in layer]
        dense = [part[name] for part in parts for name in ("merged", "query", "inner", "outer") if name in part]
        kernels += [part["output"] for part in parts if "output" in part]
        kernels += [each.kernel for each in (*dense, decoder.logits)]
    rows = [np.ones((batch, len(kernel)), np.float32) for kernel in kernels]

    def products():
        for row, kernel in zip(rows, kernels):
            row @ kernel

    size = sum(kernel.nbytes for kernel in kernels)
    large = np.ones(2 ** 26, np.float32)  # 256 MB, more than any cache holds
    bandwidth = large.nbytes / min(timed(lambda: large @ large) for _ in range(RUNS))
    return {"megabytes": size / 1e6, "gigabytes a second": bandwidth / 1e9, "seconds by bytes": size / bandwidth,
            "seconds by products": min(timed(products) for _ in range(20 * RUNS))}


def peer_jobs(model: checkpoint.Checkpoint) -> dict[str, list[dict]]:
    """Return the four GPT-2s of each comparison.

    A layer of GPT-2 has 12 width^2 weights; one of our decoder as many, or with an encoder to attend to, 16.
    """
    settings, jobs = model.settings, {"equal weights": [], "equal work": []}
    for attribute in ATTRIBUTES:
        network, tokens = settings.networks[attribute], settings.vocabulary_sizes[attribute]
        width, layer = network.model_dim, 16 if settings.has_encoder else 12
        weights = sum(int(np.prod(shape)) for shape in weight_shapes(settings, attribute).values())
        embedded = (tokens + PROMPT + EVENTS) * width
        for name, wanted in (("equal weights", weights - embedded),
                             ("equal work", network.layers * layer * width ** 2)):
            jobs[name].append({"tokens": tokens, "width": width, "heads": network.num_heads,
                               "layers": max(1, round(wanted / (12 * width ** 2)))})
    return jobs


def peer(python: str, networks: list[dict], batch: int, events: int) -> dict:
    """Return what the peer's process says, with the seconds an event takes."""
    job = {"networks": networks, "batch": batch, "prompt": PROMPT, "events": events}
    out = subprocess.run([python, "-c", PEER, json.dumps(job)], check=True, env=ENVIRONMENT,
                         stdout=subprocess.PIPE).stdout
    figures = json.loads(out.splitlines()[-1])
    return {**figures, "seconds": figures["seconds"] / events, "layers": [network["layers"] for network in networks]}


def whole_command(model: Path, runs: int, events: int) -> dict[str, list[float]]:
    """Return the seconds of whole processes, taken in turn so that a drift of the machine's speed meets them all."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "song.mid")
        commands = {"generate": ("generate.py", "data/intro.mid", out, "--events", str(events), "--model", str(model)),
                    "import tensorflow": ("-c", "import tensorflow"), "import numpy": ("-c", "import numpy")}
        seconds = {name: [] for name in commands}
        for _ in range(runs):
            for name, words in commands.items():
                seconds[name].append(timed(partial(command, *words)))
    return seconds


def ratios(seconds: dict[int, dict]) -> dict[str, list[float]]:
    """Return the rows of the table, one number for each batch."""
    rows = {"events a second": [batch / figures["cached"] for batch, figures in seconds.items()],
            "times as fast as uncached": [figures["uncached"] / figures["cached"] for figures in seconds.values()],
            "of the floor": [figures["cached"] / max(figures["floor"]["seconds by bytes"],
                                                     figures["floor"]["seconds by products"])
                             for figures in seconds.values()]}
    for name in [name for name in seconds[1] if name.startswith("GPT-2")]:
        rows[f"times as fast as {name}"] = [figures[name]["seconds"] / figures["cached"]
                                            for figures in seconds.values()]
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="How long does a song take?")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "serenity-mini")
    parser.add_argument("--peer-python", help="a Python with torch and transformers")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    arguments = parser.parse_args()
    model, events = checkpoint.load(arguments.model), arguments.events

    whole = whole_command(arguments.model.resolve(), arguments.runs, events)
    seconds = {}
    for batch in BATCHES:
        figures = seconds[batch] = {
            "cached": min(cached_seconds(model, batch, events) for _ in range(arguments.runs)),
            "uncached": uncached_seconds(model, batch),
            "floor": floor(model, batch)}
        if arguments.peer_python:
            for name, networks in peer_jobs(model).items():
                figures[f"GPT-2, {name}"] = peer(arguments.peer_python, networks, batch, events)
    medians = {name: statistics.median(values) for name, values in whole.items()}

    print(f"| {events} events, variations side by side | {' | '.join(map(str, seconds))} |")
    print(f"| --- |{' --: |' * len(seconds)}")
    for name, value in ratios(seconds).items():
        print(f"| {name} | {' | '.join(f'{number:.1f}' for number in value)} |")
    print("\n| command | median s | of import tensorflow |\n| --- | --: | --: |")
    for name, value in medians.items():
        print(f"| {name} | {value:.2f} | {value / medians['import tensorflow']:.2f} |")

    result = {"events": events, "prompt": PROMPT, "runs": arguments.runs, "python": platform.python_version(),
              "numpy": np.__version__, "machine": platform.machine(), "processors": os.cpu_count(),
              "seconds an event, by variations side by side": seconds, "seconds of a command": whole,
              "generate over import tensorflow": round(medians["generate"] / medians["import tensorflow"], 2)}
    (ROOT / "benchmarks" / "decoding_speed.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
