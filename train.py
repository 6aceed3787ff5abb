"""Train the four transformers on a token store. Edit the parameters here, or give them as flags.

    train.py                             data/tokens -> models/my-model
    train.py --resume                    go on where an interrupted run stopped
    train.py --attributes step velocity  only these two
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import config
from serenity.command_line import run
from serenity.errors import InputError


@dataclass(frozen=True)
class Parameters:
    """Train the four transformers, one after another."""

    tokens: Path = config.TOKENS                 # folder of the token store that preprocess.py wrote
    model: Path = Path("models/my-model")        # folder of the model
    preset: Literal["mini", "lite", "full"] = "mini"  # size: 12, 24 or 80 million parameters
    attributes: tuple[Literal["pitch", "step", "duration", "velocity"], ...] = (
        "pitch", "step", "duration", "velocity")  # which networks to train, in this order
    resume: bool = False                         # go on from the last whole epoch
    context: Literal["own", "all"] = "all"       # what each network reads: its own attribute's past, or all four
    epochs: int = 10                             # times that every song is shown
    batch: int = 8                               # windows a training step
    learning_rate: float = 1e-3                  # at its peak, after the warm-up
    warmup: float = 0.05                         # share of all steps over which the learning rate climbs
    dropout: float = 0.1                         # share of values left out while training
    prompt_events: int = 128                     # longest prompt that the encoder reads
    continuation_events: int = 256               # events that the decoder sees of its own
    seed: int = 0                                # of weights, windows and dropout
    source: str = "one's own MIDI files"         # for the model's card: what the songs are
    licence: str | None = None                   # for the model's card: the songs' licence; None: as fetch.py noted


def main(parameters: Parameters) -> None:
    """Check, train, and report bits per event."""
    from serenity.model import checkpoint
    from serenity.model.quartet import QuartetSettings, parameter_count, preset
    from serenity.tokens import corpus as corpora
    from serenity.tokens import novelty
    from serenity.tokens.vocabulary import ATTRIBUTES
    from serenity.tokens.windows import WindowSettings

    if not parameters.attributes:
        raise InputError("no attribute named; wanted one or more of pitch, step, duration, velocity")
    corpus = corpora.load(parameters.tokens)
    if not corpus.of_split("train"):
        raise InputError(f"{parameters.tokens} holds no training song; wanted one or more")
    networks = {attribute: replace(network, context=parameters.context, dropout=parameters.dropout)
                for attribute, network in preset(parameters.preset).items()}
    window = WindowSettings(parameters.prompt_events, parameters.continuation_events)
    settings = QuartetSettings(networks, corpus.vocabulary.sizes, window, corpus.settings)
    settings = agree(parameters, settings, corpus.vocabulary)
    licences = ", ".join(f"{licence} ({songs} songs)" for licence, songs in corpus.totals["licences"].items())
    figures = {"data": {"source": parameters.source, "licence": parameters.licence or licences or "unknown",
                        **{name: corpus.totals[name] for name in ("train", "validation", "test", "events")}},
               "networks": {}}
    if (parameters.model / "training.json").is_file():
        figures["networks"] = checkpoint.read_json(parameters.model / "training.json")["networks"]

    print(f"{parameters.model}: {parameters.preset}, {corpus.totals['train']} songs, "
          f"parameters: {parameter_count(settings):,}", flush=True)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its remarks on the processor say nothing to act on
    from serenity.model.training import TrainingSettings, train_network  # TensorFlow: seconds, so last

    training = TrainingSettings(parameters.epochs, parameters.batch, parameters.learning_rate, parameters.warmup,
                                seed=parameters.seed)
    checkpoint.write_settings(parameters.model, settings, corpus.vocabulary)
    chords = (corpus.vocabulary.pitch.decode(song[:, ATTRIBUTES.index("pitch")]) for song in corpus.of_split("train"))
    figures["novelty"] = checkpoint.write_novelty(parameters.model, novelty.build(chords))
    for attribute in parameters.attributes:
        figures["networks"][attribute] = train_network(corpus, settings, attribute, training, parameters.model,
                                                       parameters.resume)
        figures["networks"] = {name: figures["networks"][name] for name in ATTRIBUTES if name in figures["networks"]}
        checkpoint.write_json(parameters.model / "training.json", figures)
        checkpoint.write_card(parameters.model, settings, figures)
    report(figures["networks"])


def agree(parameters: Parameters, settings, vocabulary):
    """Return the settings to train with: those given, unless they would spoil what the model's folder holds."""
    from serenity.model import checkpoint
    from serenity.tokens.vocabulary import ATTRIBUTES

    folder = parameters.model
    trained = [name for name in ATTRIBUTES if checkpoint.weights_path(folder, name).is_file()]
    if not trained:
        return settings
    if again := [name for name in parameters.attributes if name in trained and not parameters.resume]:
        raise InputError(f"{folder} already holds {', '.join(again)}; go on with --resume, or name another --model")
    kept, kept_vocabulary = checkpoint.read_settings(folder)
    others = {name: kept.networks[name] for name in trained if name not in parameters.attributes}
    settings = replace(settings, networks=settings.networks | others)
    if kept_vocabulary.sizes != vocabulary.sizes or (kept.window, kept.codec) != (settings.window, settings.codec):
        raise InputError(f"{folder} was trained with other dictionaries, windows or codec than these; "
                         "name another --model")
    if changed := [name for name in trained if kept.networks[name] != settings.networks[name]]:
        raise InputError(f"{folder} holds {', '.join(changed)} of another size or context; name another --model")
    return settings


def report(networks: dict[str, dict]) -> None:
    """Print bits per event for each attribute and for all trained ones together."""
    print(f"\n{'':10}{'unigram':>10}{'bits/event':>12}{'accuracy':>10}")
    for attribute, figures in networks.items():
        print(f"{attribute:10}{figures['unigram_bits']:10.3f}{figures['bits']:12.3f}{figures['accuracy']:10.1%}")
    total = {name: sum(figures[name] for figures in networks.values()) for name in ("unigram_bits", "bits")}
    print(f"{'together':10}{total['unigram_bits']:10.3f}{total['bits']:12.3f}")


if __name__ == "__main__":
    run(main, Parameters, go_on="add --resume")
