"""Train the four transformers on the tokens of songs. Edit the parameters here, or give them as flags.

    train.py                             data/tokens -> models/my-model
    train.py --resume                    continue where an interrupted run stopped
    train.py --attributes step velocity  train only these two
    train.py --dry-run                   estimate parameters, memory and time; write nothing
    train.py --from models/serenity-mini --midi my-songs --model models/mine    train a model further, on your songs
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

import config
from serenity.command_line import flag, run, tensorflow_quiet
from serenity.errors import InputError


@dataclass(frozen=True)
class Parameters:
    """Train the four transformers, one after another."""

    tokens: Path = config.TOKENS                 # folder with the tokens that preprocess.py wrote
    model: Path = Path("models/my-model")        # folder for the model
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None  # train this model further (folder)
    midi: Path | None = None                     # with --from: folder of MIDI files to learn from; None: use the tokens
    preset: Literal["mini", "lite", "full"] = "mini"  # size: 6, 24 or 80 million parameters
    attributes: tuple[Literal["pitch", "step", "duration", "velocity"], ...] = (
        "pitch", "step", "duration", "velocity")  # which networks to train, in this order
    resume: bool = False                         # continue after the last complete epoch
    dry_run: bool = False                        # make a few steps, estimate what training will take, write nothing
    design: Literal["serenity", "original"] = "serenity"  # original: an encoder, each attribute alone
    epochs: int | None = None                    # times that all songs are shown; None: 10, with --from 12
    epoch_songs: int | None = None               # songs in one epoch; the next epoch shows others; None: all songs
    # how much of a song's synthetic songs an epoch shows beside it: 0.5: parts, together half as long as the song, and
    # other parts in each epoch; None: all of them, whole
    synthetic: float | None = 0.5
    patience: int | None = None                  # stop after so many epochs without improvement; None: never, --from 3
    batch: int = 8                               # windows shown at the same time: as many as fit into memory
    accumulate: int = 1                          # batches in one step: for steps that are larger than memory allows
    learning_rate: float | None = None           # its highest value, after the warm-up; None: 5e-3, with --from 1e-3
    warmup: float = 0.05                         # share of all steps in which the learning rate rises
    weight_decay: float = 0.01                   # share of the weights, times the learning rate, removed in each step
    dropout: float = 0.1                         # share of values that training leaves out by chance
    label_smoothing: float = 0.0                 # share of the target spread over all tokens; bits are counted without
    prompt_events: int = 128                     # longest prompt in a window
    continuation_events: int = 256               # events after the prompt in a window
    precision: Literal["float32", "bfloat16"] = "float32"  # of products; bfloat16: faster on a GPU, slower on a CPU
    xla: bool = False                            # compile with XLA: training begins a minute later
    seed: int = 0                                # number that chance starts from (weights, windows, dropout)
    source: str = "the user's own MIDI files"    # for the model's card: what the songs are
    licence: str | None = None                   # for the model's card: licence of the songs; None: as fetch.py noted


FROM_NOTHING = {"epochs": 10, "patience": None, "learning_rate": 5e-3}
FINE_TUNING = {"epochs": 12, "patience": 3, "learning_rate": 1e-3}  # few songs are soon learned by heart
OF_THE_BASE = ("preset", "design", "prompt_events", "continuation_events")  # --from brings these


def main(parameters: Parameters) -> None:
    """Check, train, and report bits per event."""
    parameters = settle(parameters)
    training = training_settings(parameters)
    base, corpus = material(parameters)
    settings = model_settings(parameters, corpus, base)
    from serenity.model import records
    from serenity.model.designs import parameter_count

    settings = records.agree(parameters.model, settings, corpus.vocabulary, parameters.attributes, parameters.resume)
    print(f"{parameters.model}: {parameters.start_from or parameters.preset}, {songs_of(corpus)}")
    print(f"parameters: {parameter_count(settings):,}", flush=True)
    if parameters.dry_run:
        dry_run(parameters, corpus, settings, training)
        return
    other = records.begin(parameters.model, settings, corpus, data(parameters, corpus, base),
                          base.index if base else None)
    if other:
        print(f"the songs are not the same as before: {other}")
    for number, attribute in enumerate(parameters.attributes, 1):
        print(f"\n{attribute}, network {number} of {len(parameters.attributes)}: "
              f"{parameter_count(settings, [attribute]):,} parameters", flush=True)
        figures = train(parameters, corpus, settings, attribute, training, base)
        networks = records.add(parameters.model, settings, attribute, figures)
    report(networks)


def train(parameters: Parameters, corpus, settings, attribute: str, training, base) -> dict:
    """Train one network and return its figures. Here TensorFlow is imported, which takes seconds."""
    with tensorflow_quiet():
        from serenity.model.training import train_network
    from serenity.listen import piano_roll

    return train_network(corpus, settings, attribute, training, parameters.model, parameters.resume,
                         base.model if base else None, piano_roll.save)


# --- before TensorFlow ------------------------------------------------------------------------------------------------

def settle(parameters: Parameters) -> Parameters:
    """Return the parameters with the defaults that depend on others. Raises InputError for what cannot go together."""
    if not parameters.attributes:
        raise InputError("no attribute named; wanted one or more of pitch, step, duration, velocity")
    default = Parameters()
    if parameters.start_from is None:
        if parameters.midi is not None:
            raise InputError("--midi without --from; wanted --from MODEL, or preprocess.py first and then --tokens")
    else:
        for name in (*OF_THE_BASE, *(["tokens"] if parameters.midi else [])):
            if getattr(parameters, name) != getattr(default, name):
                other = "--midi" if name == "tokens" else "--from"
                raise InputError(f"{flag(name)} with {other}, which brings its own; wanted one of them")
        if parameters.model.resolve() == parameters.start_from.resolve():
            raise InputError(f"--from {parameters.start_from} is --model too; wanted another folder for what is made")
    usual = FINE_TUNING if parameters.start_from else FROM_NOTHING
    return replace(parameters, **{name: value for name, value in usual.items() if getattr(parameters, name) is None})


def training_settings(parameters: Parameters):
    """Return how the networks are trained. Raises InputError."""
    from dataclasses import fields

    from serenity.model.training_settings import TrainingSettings

    return TrainingSettings(**{field.name: getattr(parameters, field.name) for field in fields(TrainingSettings)})


def material(parameters: Parameters) -> tuple:
    """Return the model to begin with, None where there is none, and the songs in its tokens. Raises InputError."""
    from serenity.tokens import corpus as corpora

    base = None
    if parameters.start_from:
        from serenity.model import fine_tuning

        base = fine_tuning.read_base(parameters.start_from)
    if parameters.midi:
        corpus = own_songs(parameters, base)
    else:
        corpus = corpora.load(parameters.tokens)
        if base:
            corpus = fine_tuning.in_words_of(base, corpus, str(parameters.tokens))
    if not corpus.of_split("train"):
        raise InputError(f"{parameters.tokens} holds no training song; wanted one or more")
    if base:
        print(fine_tuning.known(corpus))
    return base, corpus


def own_songs(parameters: Parameters, base):
    """Return the songs of --midi, and say which files cannot be read. Raises InputError where there is none."""
    from collections import Counter

    from serenity.parallel import in_parallel
    from serenity.sources import manifest
    from serenity.tokens.own_songs import read_folder

    def each(work, jobs):
        return in_parallel(work, jobs, os.cpu_count() or 1, "reading songs", chunk=4)

    corpus, refused = read_folder(parameters.midi, base.model.vocabulary, base.model.settings.codec, each)
    for line in refused:
        print(f"refused: {line}")
    fetched = manifest.stored(parameters.midi)
    licences = Counter(fetched.get(song["name"], {}).get("licence") or "unknown" for song in corpus.songs)
    return replace(corpus, totals=corpus.totals | {"licences": dict(licences)})


def model_settings(parameters: Parameters, corpus, base):
    """Return what the networks are like. Raises InputError."""
    from serenity.model.settings import ModelSettings, preset
    from serenity.tokens.windows import WindowSettings

    if base:
        networks = base.model.settings.networks
        return replace(base.model.settings, networks={name: replace(network, dropout=parameters.dropout)
                                                      for name, network in networks.items()})
    networks = {attribute: replace(network, dropout=parameters.dropout)
                for attribute, network in preset(parameters.preset, parameters.design).items()}
    window = WindowSettings(parameters.prompt_events, parameters.continuation_events)
    return ModelSettings(networks, corpus.vocabulary.sizes, window, corpus.codec, parameters.design)


def data(parameters: Parameters, corpus, base) -> dict:
    """Return what the card says of the songs."""
    licences = ", ".join(f"{licence} ({songs} songs)" for licence, songs in corpus.totals["licences"].items())
    said = {"source": parameters.source, "licence": parameters.licence or licences or "unknown"}
    if base is None:
        return said
    from serenity.model import fine_tuning

    return fine_tuning.data_of(base, said)


# --- reports ----------------------------------------------------------------------------------------------------------

def songs_of(corpus) -> str:
    """Return in words how many songs are learned from, and how many of them are real."""
    numbers = corpus.numbers()
    real = f", {numbers['train']:,} of them real" if numbers["synthetic"] else ""
    return f"{corpus.totals['train']:,} songs{real}"


def dry_run(parameters: Parameters, corpus, settings, training) -> None:
    """Say what training will take."""
    with tensorflow_quiet():
        from serenity.model.estimate import estimate, peak_bytes

    print(f"\n{'':10}{'parameters':>12}{'state':>12}{'batches':>10}{'ms each':>10}{'minutes':>10}")
    rows = []
    for attribute in parameters.attributes:
        row = estimate(corpus, settings, attribute, training)
        print(f"{attribute:10}{row.parameters:12,}{row.state_bytes / 2**20:8,.0f} MiB{row.steps:10,}"
              f"{1000 * row.step_seconds:10,.0f}{row.seconds / 60:10,.1f}", flush=True)
        rows.append(row)
    print(f"memory: {peak_bytes() / 2**20:,.0f} MiB at the most while these steps were made; state, which is weights, "
          "gradients and optimizer, is that of one network at a time")
    minutes = round(sum(row.seconds for row in rows) / 60)
    print(f"expected time: {minutes // 60} h {minutes % 60} min for {training.epochs} epochs of each")


def report(networks: dict[str, dict]) -> None:
    """Print bits per event for each attribute and for all trained ones together."""
    names = ["unigram_bits", "base_bits", "bits"]
    if any("base_bits" not in figures for figures in networks.values()):
        names.remove("base_bits")
    titles = {"unigram_bits": "unigram", "base_bits": "before", "bits": "bits/event"}
    print(f"\n{'':10}{''.join(f'{titles[name]:>12}' for name in names)}{'accuracy':>10}")
    for attribute, figures in networks.items():
        print(f"{attribute:10}{''.join(f'{figures[name]:12.3f}' for name in names)}{figures['accuracy']:10.1%}")
    totals = (sum(figures[name] for figures in networks.values()) for name in names)
    print(f"{'together':10}{''.join(f'{total:12.3f}' for total in totals)}")


def kept(parameters: Parameters) -> str:
    """Return what an interruption leaves, and how to go on."""
    from serenity.model import checkpoint

    if parameters.dry_run:
        return "nothing was to be written"
    whole = [name for name in parameters.attributes if checkpoint.state_path(parameters.model, name).is_file()]
    begun = any(checkpoint.weights_path(parameters.model, name).is_file() for name in parameters.attributes)
    left = f"all whole epochs of {', '.join(whole)} are kept" if whole else "no epoch was whole, so nothing is kept"
    again = "add --resume" if begun and not parameters.resume else "run the same command again"
    return f"{left}; to go on, {again}"


if __name__ == "__main__":
    run(main, Parameters, kept)
