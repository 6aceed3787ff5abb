"""What a model's folder says about its training: training.json and the card. Also who may train in the folder."""

from dataclasses import replace
from pathlib import Path

from serenity.errors import InputError
from serenity.files import alone, remove_leftovers
from serenity.model import checkpoint
from serenity.settings import ModelSettings
from serenity.tokens import novelty
from serenity.tokens import vocabulary as vocabularies
from serenity.tokens.corpus import Corpus
from serenity.tokens.vocabulary import ATTRIBUTES, Vocabulary

SHARED = ("*.json", "novelty.index", "README.md")  # one process at a time writes them


def agree(folder: Path, settings: ModelSettings, vocabulary: Vocabulary, attributes: tuple[str, ...],
          resume: bool) -> ModelSettings:
    """Return the settings to train `attributes` with: those given, but for the folder's other networks theirs.

    Raises InputError if training would spoil what the folder holds.
    """
    if resume and not (folder / "config.json").is_file():
        raise InputError(f"--resume: {folder} holds no model to go on with; wanted the --model of an earlier run, or "
                         "no --resume")
    trained = [name for name in ATTRIBUTES if checkpoint.weights_path(folder, name).is_file()]
    if not trained:
        return settings
    if again := [name for name in attributes if name in trained and not resume]:
        raise InputError(f"{folder} already holds {', '.join(again)}; go on with --resume, or name another --model")
    kept, kept_vocabulary = checkpoint.read_settings(folder)
    others = {name: kept.networks[name] for name in trained if name not in attributes}
    settings = replace(settings, networks=settings.networks | others)
    known = vocabularies.to_json(kept_vocabulary) == vocabularies.to_json(vocabulary)
    if not known or replace(kept, networks=settings.networks) != settings:
        raise InputError(f"{folder} was trained with another design, other dictionaries, windows or codec; "
                         "name another --model")
    if changed := [name for name in trained if kept.networks[name] != settings.networks[name]]:
        raise InputError(f"{folder} holds {', '.join(changed)} of another size; name another --model")
    return settings


def begin(folder: Path, settings: ModelSettings, corpus: Corpus, data: dict,
          known: novelty.Index | None = None) -> str:
    """Write everything that a model's folder holds except weights and figures; figures that are there stay.

    `data` says what the songs are: `source` and `licence`; the corpus's numbers are added. `known` is the index of the
    songs that the networks have learned before. Several processes may train in one folder, one attribute each.
    Returns in words what is different from what the folder said about the songs before; "" if nothing is.
    """
    chords = (corpus.vocabulary.pitch.decode(song[:, ATTRIBUTES.index("pitch")]) for song in corpus.of_split("train"))
    index = novelty.build(chords, base=known)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        remove_leftovers(path for pattern in SHARED for path in folder.glob(f".{pattern}.*"))
        checkpoint.write_settings(folder, settings, corpus.vocabulary)
        before, data = read(folder), data | corpus.numbers()
        checkpoint.write_json(folder / "training.json", {
            "data": data, "networks": before["networks"], "novelty": checkpoint.write_novelty(folder, index)})
    return ", ".join(f"{name} {value} (before: {before['data'][name]})" for name, value in data.items()
                     if before["data"].get(name, value) != value)


def add(folder: Path, settings: ModelSettings, attribute: str, figures: dict) -> dict[str, dict]:
    """Add the figures of a trained network to training.json and to the card; return those of all networks."""
    with alone(folder):
        training = read(folder)
        networks = training["networks"] | {attribute: figures}
        training["networks"] = {name: networks[name] for name in ATTRIBUTES if name in networks}
        checkpoint.write_json(folder / "training.json", training)
        checkpoint.write_card(folder, settings, training)
    return training["networks"]


def read(folder: Path) -> dict:
    """Return what training.json says; nothing of data and networks where there is none."""
    path = folder / "training.json"
    return {"data": {}, "networks": {}} | (checkpoint.read_json(path) if path.is_file() else {})
