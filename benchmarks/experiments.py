"""What is each choice in the networks worth? One change at a time, with the same processor time for each.

    experiments.py --tokens data/tokens --settings base original ...   a line of JSON a network -> experiments.jsonl
    experiments.py --table                                              the lines as a table

Every network gets the same seconds of one processor thread, whatever its shape: a shape that is slow sees fewer events.
The learning rate rises and falls with the time that has gone by, not with steps. So the comparison is for equal time.
Since processor time is counted, other work on the machine does little harm. Bits are those of the validation songs, by
serenity.model.evaluation.
"""

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

RESULTS = Path(__file__).with_suffix(".jsonl")
TICKS = 10**6  # of the time, which the learning rate follows as training's follows batches


@dataclass(frozen=True)
class Parameters:
    """Train networks that differ from the base in one thing."""

    tokens: Path = Path("data/tokens")       # a token store
    settings: tuple[str, ...] = ("base",)    # names from SETTINGS
    attributes: tuple[str, ...] = ("pitch", "step", "duration", "velocity")
    seconds: float = 120.0                   # of processor time for each network, its building and judging apart
    batch: int = 2                           # windows a step
    window: tuple[int, int] = (128, 256)     # events: longest prompt, and what follows it
    learning_rate: float = 5e-3              # at its peak
    families: int | None = None              # of training songs, each with its synthetic songs; None: all
    synthetic: int | None = None             # synthetic songs that are kept of each family; None: all
    beside: float | None = None              # beside each real song so much of its synthetic ones, as train.py's
                                             # --synthetic; None: all of them, whole
    seed: int = 0
    preset: str = "small"                    # sizes: small (here) or one of model_settings.PRESETS
    label: str = ""                          # joins the setting's name in the results, where the songs differ
    results: Path = RESULTS
    keep: Path | None = None                 # folder for the weights: KEEP/SETTING/ATTRIBUTE.npz
    table: bool = False                      # show the results, train nothing


# What changes against the base: the networks' own fields, and others: design, smoothing, optimizer (adamw: with a fifth
# of the learning rate).
SETTINGS = {
    "base": ({}, {}),
    "original": ({"layers": 2}, {"design": "original"}),  # two layers over the prompt, two over the continuation
    "original-adamw": ({"layers": 2}, {"design": "original", "optimizer": "adamw"}),
    "smoothing": ({}, {"smoothing": 0.1}),
    "dropout-0": ({"dropout": 0.0}, {}),
    "dropout-0.2": ({"dropout": 0.2}, {}),
    "narrow": ({"model_dim": 96, "feed_forward_dim": 384, "num_heads": 2}, {}),
    "wide": ({"model_dim": 192, "feed_forward_dim": 768, "num_heads": 3}, {}),
    "shallow": ({"layers": 2}, {}),
    "deep": ({"layers": 6}, {}),
}


def main(parameters: Parameters) -> None:
    if parameters.table:
        print(table(parameters.results))
        return
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from serenity.tokens import corpus as corpora

    corpus = corpora.load(parameters.tokens)
    for name in parameters.settings:
        for attribute in parameters.attributes:
            line = train(corpus, name, attribute, parameters)
            with open(parameters.results, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)


def small() -> dict:
    """Return networks small enough to learn something in minutes."""
    from serenity.settings import NetworkSettings
    from serenity.tokens.vocabulary import ATTRIBUTES

    return dict.fromkeys(ATTRIBUTES, NetworkSettings(128, 4, 2, 512))


def adamw(training, learning_rate: float):
    """Return AdamW with the settings of a training, to compare Muon with."""
    import keras

    from serenity.model.training import BETA_2, CLIP_NORM, UNDECAYED

    optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=training.weight_decay, beta_2=BETA_2,
                                       global_clipnorm=CLIP_NORM)
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


def train(corpus, name: str, attribute: str, parameters: Parameters) -> dict:
    """Train one attribute's network of a setting and return its line of the results."""
    import keras

    from benchmarks.notes import note_counts
    from serenity.model import checkpoint
    from serenity.model.dataset import Task, WindowDataset
    from serenity.model.evaluation import Crossentropy, evaluate
    from serenity.model.training import muon, schedule
    from serenity.model.transformer import Transformer, get_weights
    from serenity.settings import ModelSettings, TrainingSettings, WindowSettings, preset

    changes, others = SETTINGS[name]
    design = others.get("design", "serenity")
    sizes = small() if parameters.preset == "small" else preset(parameters.preset, design)
    networks = {attribute: replace(network, **changes) for attribute, network in sizes.items()}
    settings = ModelSettings(networks, corpus.vocabulary.sizes, WindowSettings(*parameters.window), corpus.codec,
                             design)
    keras.backend.clear_session()
    keras.utils.set_random_seed(parameters.seed)
    network = Transformer(settings, attribute, corpus.vocabulary)
    with_adamw = others.get("optimizer") == "adamw"
    training = TrainingSettings(
        batch=parameters.batch, seed=parameters.seed, synthetic=parameters.beside,
        learning_rate=parameters.learning_rate / (5 if with_adamw else 1), label_smoothing=others.get("smoothing", 0.0))
    optimizer, rate = (adamw if with_adamw else muon)(training, 0.0), schedule(training, TICKS)
    network.compile(optimizer=optimizer, loss=Crossentropy(training.label_smoothing), jit_compile=training.xla)
    corpus, validation = chosen(corpus, parameters), corpus.of_split("validation")
    songs = corpus.of_split("train")
    dataset = WindowDataset(Task(corpus, settings, attribute, training))
    network.train_on_batch(*dataset[0])  # compiles; the learning rate is 0
    began, steps, shown, index = time.process_time(), 0, 0, 0
    while (gone := (time.process_time() - began) / parameters.seconds) < 1:
        optimizer.learning_rate.assign(rate(int(gone * TICKS)))
        inputs, target, weight = dataset[index]
        network.train_on_batch(inputs, target, weight)
        steps, shown, index = steps + 1, shown + int(weight.sum()), index + 1
        if index == len(dataset):
            dataset.on_epoch_end()
            index = 0
    figures = evaluate(network, attribute, settings, validation, 8)
    notes = int(note_counts(corpus.vocabulary, validation).sum())
    label = f"{name}{parameters.label and ' ' + parameters.label}"
    if parameters.keep:
        (parameters.keep / label).mkdir(parents=True, exist_ok=True)
        checkpoint.write_settings(parameters.keep / label, settings, corpus.vocabulary)
        checkpoint.write_weights(parameters.keep / label, attribute, get_weights(network))
    return {"setting": label, "preset": parameters.preset, "attribute": attribute, "seed": parameters.seed,
            "learning_rate": training.learning_rate, "batch": parameters.batch, "songs": len(songs),
            "parameters": network.count_params(), "seconds": parameters.seconds, "steps": steps, "shown": shown,
            "epochs": shown / sum(map(len, songs)), **figures, "notes_per_event": notes / sum(map(len, validation))}


def chosen(corpus, parameters: Parameters):
    """Return the corpus with those training songs alone that are asked for."""
    families = {}
    for song in corpus.songs:
        if song["split"] == "train":
            families.setdefault(song["group"], []).append(song)
    rows = []
    for family in list(families.values())[:parameters.families]:
        rows += [song for song in family if not song["synthetic"]]
        rows += [song for song in family if song["synthetic"]][:parameters.synthetic]
    return replace(corpus, songs=tuple(rows))


def table(results: Path) -> str:
    """Return the results as Markdown: a line a setting, bits per event by attribute, together, and per note."""
    attributes = ("pitch", "step", "duration", "velocity")
    rows = {}
    for line in map(json.loads, results.read_text(encoding="utf-8").splitlines()):
        peak = f"{line['learning_rate']:g}"
        row = rows.setdefault((line["preset"], line["seconds"], line["setting"], peak, line["seed"]), {})
        row[line["attribute"]] = line
    lines = ["| sizes | seconds each | setting | peak | seed | parameters | events shown | " + " | ".join(attributes)
             + " | together | per note |", "| --- | --: | --- | --: | --: | --: | --: " + "| --: " * 6 + "|"]
    for (preset, seconds, setting, peak, seed), row in rows.items():
        bits = [row[name]["bits"] if name in row else None for name in attributes]
        together = sum(bits) if None not in bits else None
        per_note = together / row["pitch"]["notes_per_event"] if together else None
        cells = [f"{value:.3f}" if value else "" for value in (*bits, together, per_note)]
        parameters, shown = (sum(line[name] for line in row.values()) for name in ("parameters", "shown"))
        lines.append(f"| {preset} | {seconds:.0f} | {setting} | {peak} | {seed} | {parameters:,} | {shown:,} | "
                     + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Parameters))
