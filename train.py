"""Train the four transformers on the tokens of songs. Edit the parameters here, or give them as flags.

    train.py                             data/tokens -> models/my-model
    train.py --resume                    continue where an interrupted run stopped
    train.py --attributes step velocity  train only these two
    train.py --dry-run                   estimate parameters, memory and time; write nothing
    train.py --from models/serenity-mini --midi my-songs --model models/mine    train a model further, on your songs

The work itself is done by serenity/learning.py, which you can use from Python as well. The fields of TrainingSettings
are parameters like the others: --help shows them, and TrainingSettings(batch=4) here changes one for good.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

import config
from serenity.command_line import flag, run
from serenity.errors import InputError
from serenity.settings import NetworkSettings, TrainingSettings, WindowSettings

if TYPE_CHECKING:  # at run time only once the arguments are known: so --help answers at once
    from serenity.learning import Songs
    from serenity.settings import ModelSettings
    from serenity.tokens.corpus import Corpus


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
    dropout: float = NetworkSettings.dropout     # share of values that training leaves out by chance
    prompt_events: int | None = None             # longest prompt in a window; None: 128, with --from the model's
    continuation_events: int | None = None       # events after the prompt in it; None: 256, with --from the model's
    training: TrainingSettings = TrainingSettings()
    source: str = "the user's own MIDI files"    # for the model's card: what the songs are
    licence: str | None = None                   # for the model's card: licence of the songs; None: as fetch.py noted


OF_THE_BASE = ("preset", "design")  # --from brings these


def main(parameters: Parameters) -> None:
    """Check, train, and report bits per event."""
    check(parameters)
    from serenity import learning
    from serenity.model import records
    from serenity.model.designs import parameter_count

    songs, training = read_songs(parameters), parameters.training.settled(parameters.start_from is not None)
    settings = learning.design(songs, parameters.preset, parameters.design, window(parameters, songs),
                               parameters.dropout)
    settings = records.agree(parameters.model, settings, songs.corpus.vocabulary, parameters.attributes,
                             parameters.resume)
    print(f"{parameters.model}: {parameters.start_from or parameters.preset}, {numbers_of(songs.corpus)}")
    print(f"parameters: {parameter_count(settings):,}", flush=True)
    if parameters.dry_run:
        dry_run(parameters, songs, settings, training)
        return
    if other := learning.begin(parameters.model, songs, settings, learning.Said(parameters.source, parameters.licence)):
        print(f"the songs are not the same as before: {other}")
    for number, attribute in enumerate(parameters.attributes, 1):
        print(f"\n{attribute}, network {number} of {len(parameters.attributes)}: "
              f"{parameter_count(settings, [attribute]):,} parameters", flush=True)
        networks = learning.train_one(parameters.model, songs, settings, training, attribute, parameters.resume)
    report(networks)


def check(parameters: Parameters) -> None:
    """Refuse what cannot go together before anything is read. Raises InputError."""
    if not parameters.attributes:
        raise InputError("no attribute named; wanted one or more of pitch, step, duration, velocity")
    if parameters.start_from is None:
        if parameters.midi is not None:
            raise InputError("--midi without --from; wanted --from MODEL, or preprocess.py first and then --tokens")
        return
    for name in (*OF_THE_BASE, *(["tokens"] if parameters.midi else [])):
        if getattr(parameters, name) != getattr(Parameters, name):
            other = "--midi" if name == "tokens" else "--from"
            raise InputError(f"{flag(name)} with {other}, which brings its own; wanted one of them")
    if parameters.model.resolve() == parameters.start_from.resolve():
        raise InputError(f"--from {parameters.start_from} is --model too; wanted another folder for what is made")


def read_songs(parameters: Parameters) -> "Songs":
    """Return the songs, with the model that goes on learning; print which files cannot be read. Raises InputError."""
    from serenity import learning

    base = learning.read_base(parameters.start_from) if parameters.start_from else None
    midi = parameters.midi
    songs = learning.read_midi(midi, base) if midi else learning.read_store(parameters.tokens, base)
    for line in songs.refused:
        print(f"refused: {line}")
    if base:
        print(learning.known(songs.corpus))
    return songs


def window(parameters: Parameters, songs: "Songs") -> WindowSettings:
    """Return the window that is asked for: what is not said of it is as in the model that learns further, or usual."""
    usual = songs.base.model.settings.window if songs.base else WindowSettings()
    said = {"prompt": parameters.prompt_events, "continuation": parameters.continuation_events}
    return replace(usual, **{name: value for name, value in said.items() if value is not None})


# --- reports ----------------------------------------------------------------------------------------------------------

def numbers_of(corpus: "Corpus") -> str:
    """Return in words how many songs are learned from, and how many of them are real."""
    numbers = corpus.numbers()
    real = f", {numbers['train']:,} of them real" if numbers["synthetic"] else ""
    return f"{corpus.totals['train']:,} songs{real}"


def dry_run(parameters: Parameters, songs: "Songs", settings: "ModelSettings", training: TrainingSettings) -> None:
    """Print what training will need."""
    from serenity.learning import tensorflow_quiet

    with tensorflow_quiet():
        from serenity.model.dataset import Task
        from serenity.model.estimate import estimate, peak_bytes

    print(f"\n{'':10}{'parameters':>12}{'state':>12}{'batches':>10}{'ms each':>10}{'minutes':>10}")
    rows = []
    for attribute in parameters.attributes:
        row = estimate(Task(songs.corpus, settings, attribute, training))
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
