"""How fast is training? Events a second beside keras-hub and GPT-2, with XLA and without, and the share of the peak.

    training_speed.py --tokens FOLDER [--peer-python PATH]    prints tables, writes benchmarks/training_speed.json

PATH is a Python with keras-hub, TensorFlow, torch and transformers, in an environment of its own. All contenders have
the same width, layers, heads, feed-forward, tokens, window and batch. Each is a process of its own, with its own pool
of threads; it compiles, takes a step or two, and then waits. When all are ready they are timed in turn, never two at
once, in several rounds. The median counts, so that a drift of the machine's speed affects all of them alike. Ratios are
medians of the ratios within a round.

* Serenity: Keras's `fit` on the store's windows with Muon, loss and accuracy, as train.py has it, loading included; and
  the same with AdamW, to tell the optimizer's cost from the network's.
* keras-hub: TransformerDecoder without an encoder's output, which is causal self-attention, as in its own GPT-2:
  embedded tokens and positions, layers, norm, the embedding once more for the scores; `fit` with AdamW and accuracy.
* GPT-2: Hugging Face's, on PyTorch with AdamW in its fused form and no accuracy. Compiled is torch.compile.

The peers learn one attribute's tokens and nothing else; Serenity reads all four attributes and composes its tokens.
Serenity drops out a tenth of what its layers add, and so does GPT-2; keras-hub drops out nothing, since its one rate
would drop attention's weights too. Peers get random tokens that lie ready in memory.

FLOP of an event are the same for all: 6 for each weight in a matrix product, the scores' matrix included and the looked
up one not, and 12 * layers * width * length for attention, its masked half included (Chowdhery et al., arXiv
2204.02311, appendix B). Serenity's further products, for other attributes and for Muon, are not counted. The peak is
that of the best of some matrix products by TensorFlow with oneDNN, timed in the same rounds.
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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ENVIRONMENT = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", "KERAS_BACKEND": "tensorflow",
                            "TF_FORCE_GPU_ALLOW_GROWTH": "true"}  # they stand side by side in a GPU's memory
ATTRIBUTES = ("pitch", "step", "duration", "velocity")
SONGS = 152_000  # what the full model is meant to learn from
DROPOUT, CLIP_NORM, WEIGHT_DECAY, BETA_2, LEARNING_RATE = 0.1, 1.0, 0.01, 0.98, 1e-3
BATCHES = 16          # of random tokens, for the peers
LOADER_SECONDS = 0.5  # are enough: hundreds of batches

CONTENDERS = {  # name -> what its process is told; `peer`: it runs in the other interpreter
    "Serenity": {"work": "serenity", "optimizer": "muon", "compiled": False},
    "Serenity, XLA": {"work": "serenity", "optimizer": "muon", "compiled": True},
    "Serenity, AdamW": {"work": "serenity", "optimizer": "adamw", "compiled": False},
    "Serenity, AdamW, XLA": {"work": "serenity", "optimizer": "adamw", "compiled": True},
    "keras-hub": {"work": "keras_hub", "compiled": False, "peer": True},
    "keras-hub, XLA": {"work": "keras_hub", "compiled": True, "peer": True},
    "GPT-2": {"work": "gpt2", "compiled": False, "peer": True},
    "GPT-2, compiled": {"work": "gpt2", "compiled": True, "peer": True},
}
MEASURES = {"products": {"work": "products"}, "loader": {"work": "loader"}}  # what contenders are compared with

Clock = Callable[[float], dict]  # clock(seconds) works about so long and returns its figures


# --- the processes: each work returns its clock, which has compiled what it times -------------------------------------

def answer(job: dict) -> None:
    """Do a job's work when asked: each line of standard input is seconds, each line of standard output figures."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print belongs to the complaints
    if job["threads"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:job["threads"]])
    clock, about = WORKS[job["work"]](job)
    clock(0.0)
    print(json.dumps(about | {"start, processor seconds": time.process_time()}), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(clock(float(line))), file=out, flush=True)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"MiB": round(used / 2 ** 20)}), file=out, flush=True)
    os._exit(0)  # taking down what holds nothing to be kept takes seconds


def tensorflow(job: dict):
    """Return TensorFlow with the job's threads; without a number it chooses itself, as in train.py."""
    import tensorflow as tf

    if job["threads"]:
        tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
    return tf


def about_tensorflow(tf, *packages: str) -> dict:
    """Return the device that works, and the versions of what it works with."""
    gpus = tf.config.list_physical_devices("GPU")
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
    return {"device": device, "versions": {"tensorflow": tf.__version__, **{name: version(name) for name in packages}}}


def serenity(job: dict) -> tuple[Clock, dict]:
    """Return the clock of one attribute's network, trained as train.py does or with AdamW."""
    tf = tensorflow(job)
    from serenity.model.evaluation import Crossentropy, accuracy

    network, dataset = ours(job)
    if job["optimizer"] == "adamw":
        compile_with_adamw(network, Crossentropy(0.0), accuracy(), job["compiled"])
    return fit_clock(network, dataset), about_tensorflow(tf, "keras", "numpy") | {"parameters": network.count_params()}


def ours(job: dict):
    """Return Serenity's network, compiled as train.py does, and its windows."""
    import keras

    from serenity.model.dataset import Task
    from serenity.model.devices import Devices
    from serenity.model.training import prepare
    from serenity.settings import ModelSettings, TrainingSettings, WindowSettings, preset
    from serenity.tokens import corpus as corpora

    corpus = corpora.load(Path(job["tokens"]))
    settings = ModelSettings(preset(job["preset"]), corpus.vocabulary.sizes, WindowSettings(), corpus.codec)
    training = TrainingSettings(batch=job["batch"], precision=job["precision"], xla=job.get("compiled", False))
    training = training.settled()
    keras.config.set_dtype_policy(policy(job))
    return prepare(Task(corpus, settings, job["attribute"], training), Devices(training, []))  # on one device


def policy(job: dict) -> str:
    """Return Keras's name of a precision, as serenity.model.devices.precision has it."""
    return "mixed_bfloat16" if job["precision"] == "bfloat16" else "float32"


def compile_with_adamw(network, loss, metric, xla: bool) -> None:
    """Give a network AdamW, which is the same for Serenity and keras-hub."""
    import keras

    network.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, WEIGHT_DECAY, beta_2=BETA_2, global_clipnorm=CLIP_NORM),
        loss=loss, weighted_metrics=[metric], jit_compile=xla)


def keras_hub(job: dict) -> tuple[Clock, dict]:
    """Return the clock of a decoder made of keras-hub's layers."""
    tf = tensorflow(job)
    import keras
    import keras_hub as hub
    import numpy as np

    keras.config.set_dtype_policy(policy(job))
    shape = job["shape"]
    tokens = keras.Input((shape["length"],), dtype="int32")
    embedding = hub.layers.TokenAndPositionEmbedding(shape["tokens"], shape["length"], shape["width"])
    x = embedding(tokens)
    for _ in range(shape["layers"]):
        x = hub.layers.TransformerDecoder(
            shape["feed_forward"], shape["heads"], normalize_first=True,
            activation=lambda value: keras.activations.gelu(value, approximate=True))(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5)(x)
    network = keras.Model(tokens, keras.ops.cast(embedding.token_embedding(x, reverse=True), "float32"))
    compile_with_adamw(network, keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                       keras.metrics.SparseCategoricalAccuracy(name="accuracy"), job["compiled"])

    class RandomTokens(keras.utils.PyDataset):
        """Batches that lie ready: tokens, the tokens after them, and weights."""

        songs = np.random.default_rng(0).integers(
            3, shape["tokens"], (BATCHES, job["batch"], shape["length"] + 1), np.int32)
        weights = np.ones((job["batch"], shape["length"]), np.float32)

        def __len__(self):
            return BATCHES

        def __getitem__(self, index):
            return self.songs[index][:, :-1], self.songs[index][:, 1:], self.weights

    return (fit_clock(network, RandomTokens()),
            about_tensorflow(tf, "keras", "keras-hub", "numpy") | {"parameters": network.count_params()})


def fit_clock(network, dataset) -> Clock:
    """Return the clock of a compiled network's `fit`. The first step of each `fit`, which fills its queue, is left out.

    Events are those that the weights count.
    """
    import keras

    class Shown(keras.utils.PyDataset):
        """The same batches in each epoch, each with a note of its events."""

        def __init__(self):
            super().__init__()
            self.events = {}

        def __len__(self):
            return len(dataset)

        def __getitem__(self, index):
            batch = dataset[index]
            self.events[index] = int(batch[2].sum())
            return batch

    class Watch(keras.callbacks.Callback):
        """Lets `fit` run for some seconds from its first step's end, and to the end of a step."""

        def __init__(self, seconds: float):
            super().__init__()
            self.seconds, self.steps = seconds, []

        def now(self) -> float:
            keras.ops.convert_to_numpy(self.model.trainable_variables[-1])  # a GPU may still be at work on it
            return time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            if not self.steps:
                self.begun = self.now()
            elif time.perf_counter() - self.begun >= self.seconds:
                self.spent = self.now() - self.begun
                self.model.stop_training = True
            self.steps.append(batch)

    def clock(seconds: float) -> dict:
        shown, watch = Shown(), Watch(seconds)
        network.fit(shown, epochs=10 ** 6, shuffle=False, verbose=0, callbacks=[watch])
        return {"events": sum(shown.events[batch] for batch in watch.steps[1:]), "steps": len(watch.steps) - 1,
                "seconds": watch.spent}

    return clock


def gpt2(job: dict) -> tuple[Clock, dict]:
    """Return the clock of Hugging Face's GPT-2 on PyTorch."""
    import torch
    import transformers

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    device, shape = "cuda" if torch.cuda.is_available() else "cpu", job["shape"]
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=shape["tokens"], n_positions=shape["length"], n_embd=shape["width"], n_layer=shape["layers"],
        n_head=shape["heads"], n_inner=shape["feed_forward"], bos_token_id=1, eos_token_id=2, use_cache=False,
        embd_pdrop=DROPOUT, resid_pdrop=DROPOUT, attn_pdrop=0.0)).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, (0.9, BETA_2), weight_decay=WEIGHT_DECAY,
                                  fused=True)
    network = torch.compile(model) if job["compiled"] else model
    songs = torch.randint(3, shape["tokens"], (BATCHES, job["batch"], shape["length"] + 1), device=device)
    lower = torch.autocast(device, torch.bfloat16, enabled=job["precision"] == "bfloat16")

    def step(song) -> None:
        optimizer.zero_grad(set_to_none=True)
        with lower:
            scores = network(song[:, :-1]).logits
        torch.nn.functional.cross_entropy(scores.float().flatten(0, 1), song[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()

    def now() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def clock(seconds: float) -> dict:
        step(songs[0])
        steps, begun = 0, now()
        for song in cycle(songs):
            step(song)
            steps += 1
            if time.perf_counter() - begun >= seconds:
                break
        return {"events": steps * job["batch"] * shape["length"], "steps": steps, "seconds": now() - begun}

    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return clock, {"device": name, "parameters": model.num_parameters(),
                   "versions": {"torch": torch.__version__, "transformers": transformers.__version__}}


def products(job: dict) -> tuple[Clock, dict]:
    """Return the clock of matrix products (rows, inner) x (inner, columns): square ones and those of the network."""
    tf = tensorflow(job)
    shape, dtype = job["shape"], getattr(tf, job["precision"])
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    rows, width, inner = job["batch"] * shape["length"], shape["width"], shape["feed_forward"]
    cubes = [2048, 8192] if on_gpu else [2048]
    sizes = [*((cube, cube, cube) for cube in cubes), (rows, width, width), (rows, width, inner), (rows, inner, width),
             (rows, width, shape["tokens"]), (width, rows, inner)]
    product = tf.function(tf.matmul)
    factors = [(tf.cast(tf.random.normal(size[:2]), dtype), tf.cast(tf.random.normal(size[1:]), dtype))
               for size in sizes]
    calls = 20 if on_gpu else 1  # before it is waited for

    def rate(size: tuple, pair: tuple, seconds: float) -> float:
        product(*pair)[0, 0].numpy()
        done, begun = 0, time.perf_counter()
        while not done or time.perf_counter() - begun < seconds:
            for _ in range(calls):
                last = product(*pair)
            last[0, 0].numpy()
            done += calls
        return 2.0 * size[0] * size[1] * size[2] * done / (time.perf_counter() - begun)

    def clock(seconds: float) -> dict:
        return {" x ".join(map(str, size)): rate(size, pair, seconds / len(sizes))
                for size, pair in zip(sizes, factors)}

    return clock, about_tensorflow(tf)


def loader(job: dict) -> tuple[Clock, dict]:
    """Return the clock of the windows alone."""
    tf = tensorflow(job)
    _, dataset = ours(job)

    def clock(seconds: float) -> dict:
        events, begun = 0, time.perf_counter()
        for index in cycle(range(len(dataset))):
            events += int(dataset[index][2].sum())
            spent = time.perf_counter() - begun
            if spent >= min(seconds, LOADER_SECONDS):
                return {"events": events, "seconds": spent}

    return clock, about_tensorflow(tf)


WORKS = {work.__name__: work for work in (serenity, keras_hub, gpt2, products, loader)}


# --- what a shape costs -----------------------------------------------------------------------------------------------

def shape_of(corpus, preset_name: str, attribute: str) -> dict[str, int]:
    """Return what all contenders have in common."""
    from serenity.settings import WindowSettings, preset

    network = preset(preset_name)[attribute]
    return {"width": network.model_dim, "layers": network.layers, "heads": network.num_heads,
            "feed_forward": network.feed_forward_dim, "tokens": corpus.vocabulary.sizes[attribute],
            "length": WindowSettings().length}


def flop_of_event(shape: dict[str, int]) -> int:
    """Return the floating-point operations of learning from one event: see above."""
    width, layers = shape["width"], shape["layers"]
    weights = layers * (4 * width ** 2 + 2 * width * shape["feed_forward"]) + shape["tokens"] * width
    return 6 * weights + 12 * layers * width * shape["length"]


# --- timing them in turn ----------------------------------------------------------------------------------------------

class Contender:
    """A process that waits to be timed."""

    def __init__(self, python: str, job: dict):
        self.complaints = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - close() closes it
        self.process = subprocess.Popen([python, __file__, "--job", json.dumps(job)], env=ENVIRONMENT, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints)
        self.reason, self.rounds = None, []
        self.about = self._read()

    def time(self, seconds: float) -> None:
        """Let it work about so long, unless it has ended."""
        if self.reason is None:
            print(seconds, file=self.process.stdin, flush=True)
            self.rounds.append(self._read())

    def _read(self) -> dict:
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.process.wait()
        self.complaints.seek(0)
        said = [line.strip() for line in self.complaints if line.strip()]
        self.reason = (said or [f"it ended with {self.process.returncode}"])[-1].split(" File ")[0][:200]
        return {}

    def close(self) -> None:
        """End the process, and note what memory it used at the most."""
        self.process.stdin.close()
        if self.reason is None:
            self.about |= self._read()
        self.process.wait()
        self.process.stdout.close()
        self.complaints.close()


def race(names: list[str], job: dict, peer_python: str | None, seconds: float, rounds: int) -> dict[str, Contender]:
    """Return the contenders of one network with the figures of each round."""
    told = CONTENDERS | MEASURES
    network = f"{job['preset']} {job['attribute']}, threads: {job['threads'] or 'all'}"

    def begin(name: str) -> Contender:
        contender = Contender(peer_python if told[name].get("peer") else sys.executable, job | told[name])
        progress(f"{network}: {name} {'is ready' if contender.reason is None else f'does not run: {contender.reason}'}")
        return contender

    with ExitStack() as stack:
        with ThreadPoolExecutor(os.cpu_count()) as starting:  # compiling is mostly work for one processor
            contenders = dict(zip(names, starting.map(begin, names)))
        for contender in contenders.values():
            stack.callback(contender.close)
        for number in range(rounds):
            progress(f"{network}: round {number + 1} of {rounds}")
            for contender in contenders.values():
                contender.time(seconds / rounds)
    return contenders


def progress(text: str) -> None:
    """Say where the work stands, beside the tables."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def results(contenders: dict[str, Contender], job: dict) -> dict:
    """Return what the rounds say of one network, as medians."""
    for name in MEASURES:
        if contenders[name].reason:
            sys.exit(f"train.py: {name} ended: {contenders[name].reason}")
    flop = flop_of_event(job["shape"])
    products = {size: statistics.median(one[size] for one in contenders["products"].rounds)
                for size in contenders["products"].rounds[0]}
    peak = max(products.values())
    rows = {name: row(contender, flop, peak) for name, contender in contenders.items()
            if name in CONTENDERS and not contender.reason}
    loaded = statistics.median(one["events"] / one["seconds"] for one in contenders["loader"].rounds)
    fastest = max((figures["events a second"] for name, figures in rows.items() if name.startswith("Serenity")),
                  default=None)
    return {"preset": job["preset"], "attribute": job["attribute"], "threads": job["threads"] or "all",
            "shape": job["shape"], "flop an event": flop, "contenders": rows,
            "did not run": {name: contender.reason for name, contender in contenders.items() if contender.reason},
            "products, flop a second": products, "peak, flop a second": peak, "loader, events a second": loaded,
            "loader over the fastest training": loaded / fastest if fastest else None}


def row(contender: Contender, flop: int, peak: float) -> dict:
    """Return the figures of a contender that learns from events of so many operations."""
    each = [one["events"] / one["seconds"] for one in contender.rounds]
    rate = statistics.median(each)
    return {"events a second": rate, "of each round": each, "flop a second": rate * flop,
            "share of peak": rate * flop / peak,
            "seconds a step": statistics.median(one["seconds"] / one["steps"] for one in contender.rounds),
            **{key: contender.about[key] for key in ("MiB", "parameters", "start, processor seconds", "device")}}


def hours_of_full(networks: list[dict], events_a_song: float) -> float | None:
    """Return the hours that the four networks of `full` need for one pass over SONGS, one after another on one GPU.

    None where they were not all measured on a GPU. Each attribute goes at the rate of the fastest way to train it.
    """
    rates = {}
    for network in networks:
        if network["preset"] == "full":
            rates[network["attribute"]] = [row["events a second"] for name, row in network["contenders"].items()
                                           if name in ("Serenity", "Serenity, XLA") and row["device"] != "CPU"]
    if not all(rates.get(attribute) for attribute in ATTRIBUTES):
        return None
    return sum(SONGS * events_a_song / max(rate) for rate in rates.values()) / 3600


# --- the tables -------------------------------------------------------------------------------------------------------

def table(network: dict, batch: int) -> str:
    """Return the contenders of one network as Markdown."""
    shape, rows = network["shape"], network["contenders"]
    base = rows["Serenity"]["of each round"] if "Serenity" in rows else None
    lines = [f"| {network['preset']} {network['attribute']}: {shape['layers']} layers of {shape['width']}, "
             f"{shape['tokens']:,} tokens, {batch} windows of {shape['length']}, threads: {network['threads']} "
             "| events/s | ms a step | GFLOP/s | of peak | Serenity over it | MiB | start, processor s |",
             "| --- | --: | --: | --: | --: | --: | --: | --: |"]
    for name, row in rows.items():
        ratio = f"{within_rounds(base, row['of each round']):.2f}" if base else ""
        lines.append(f"| {name} | {row['events a second']:,.0f} | {1000 * row['seconds a step']:,.0f} "
                     f"| {row['flop a second'] / 1e9:,.1f} | {row['share of peak']:.1%} | {ratio} | {row['MiB']:,} "
                     f"| {row['start, processor seconds']:.0f} |")
    lines += [f"| {name} | did not run: {reason.replace('|', '/')} | | | | | | |"
              for name, reason in network["did not run"].items()]
    return "\n".join(lines)


def within_rounds(ours: list[float], theirs: list[float]) -> float:
    """Return how many times as fast ours is: the median of the rounds' ratios, since the machine's speed wanders."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs))


def measures(networks: list[dict]) -> str:
    """Return peak and loader as Markdown."""
    lines = ["| network, threads | MFLOP an event | peak GFLOP/s | of the product | loader, events/s "
             "| over the fastest training |", "| --- | --: | --: | --- | --: | --: |"]
    for network in networks:
        rates, times = network["products, flop a second"], network["loader over the fastest training"]
        lines.append(f"| {network['preset']} {network['attribute']}, {network['threads']} "
                     f"| {network['flop an event'] / 1e6:.1f} | {network['peak, flop a second'] / 1e9:,.0f} "
                     f"| {max(rates, key=rates.get)} | {network['loader, events a second']:,.0f} "
                     f"| {f'{times:,.0f}' if times else ''} |")
    return "\n".join(lines)


def on_gpu(device: str, hours: float | None, events_a_song: float) -> str:
    """Return what is known of a GPU as Markdown."""
    if device == "CPU":
        known, time_of_full = "open: this machine has none", "open"
    else:
        known = device
        time_of_full = "open: wanted --preset full and all four attributes" if hours is None else f"{hours:.1f} h"
    return (f"| on a GPU | |\n| --- | --- |\n| device | {known} |\n| `full`, four networks one after another, once "
            f"over {SONGS:,} songs of {events_a_song:,.0f} events | {time_of_full} |")


# --- all of it --------------------------------------------------------------------------------------------------------

def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description="How fast is training?")
    parser.add_argument("--tokens", type=Path, default=ROOT / "data" / "tokens", help="a token store")
    parser.add_argument("--preset", nargs="+", default=["mini"], choices=["mini", "lite", "full"])
    parser.add_argument("--attributes", nargs="+", default=["pitch", "step"], choices=ATTRIBUTES)
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--seconds", type=float, default=14.0, help="for which each contender is timed, in all rounds")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[0, 1],
                        help="0: all; with fewer what is compiled is left out")
    parser.add_argument("--peer-python", help="a Python with keras-hub, tensorflow, torch and transformers")
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=CONTENDERS, metavar="CONTENDER")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "training_speed.json")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    from serenity.errors import InputError
    from serenity.tokens import corpus as corpora

    try:
        corpus = corpora.load(arguments.tokens)
    except InputError as error:
        sys.exit(f"train.py: {error}")
    wanted = [name for name in CONTENDERS if name in arguments.only
              and (arguments.peer_python or not CONTENDERS[name].get("peer"))]
    networks, versions, device = [], {}, "CPU"
    for threads in arguments.threads:
        names = [*MEASURES, *(name for name in wanted if not threads or not CONTENDERS[name]["compiled"])]
        for preset in arguments.preset:
            for attribute in arguments.attributes:
                job = {"tokens": str(arguments.tokens.resolve()), "preset": preset, "attribute": attribute,
                       "batch": arguments.batch, "precision": arguments.precision, "threads": threads,
                       "shape": shape_of(corpus, preset, attribute)}
                contenders = race(names, job, arguments.peer_python, arguments.seconds, arguments.rounds)
                networks.append(results(contenders, job))
                for contender in contenders.values():
                    versions |= contender.about.get("versions", {})
                device = contenders["products"].about["device"]
    events_a_song = corpus.totals["events"] / corpus.totals["songs"]
    hours = hours_of_full(networks, events_a_song)

    print("\n\n".join([*(table(network, arguments.batch) for network in networks), measures(networks),
                       on_gpu(device, hours, events_a_song)]))
    known = json.loads(arguments.output.read_text(encoding="utf-8")) if arguments.output.is_file() else {}
    known["CPU" if device == "CPU" else "GPU"] = {
        "device": device, "machine": platform.machine(), "processors": os.cpu_count(),
        "python": platform.python_version(), "versions": versions, "batch": arguments.batch,
        "precision": arguments.precision, "seconds": arguments.seconds, "rounds": arguments.rounds,
        "events a song": events_a_song, "songs of the full model": SONGS, "hours of the full model": hours,
        "networks": networks}
    arguments.output.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        answer(json.loads(sys.argv[2]))
    else:
        main()
