"""A model on disk: one folder that explains itself. NumPy and JSON only; loading executes nothing.

    config.json      design, sizes, window and codec settings: all that generation needs beside the weights
    vocabulary.json  the dictionaries
    pitch.npz ...    each network's weights in half precision, by name
    training.json    data, epochs, seconds and figures of each network
    novelty.index    the runs of events in the training songs, as hashes; a model may lack it
    README.md        the card, for people
"""

import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.files import whole, write_whole
from serenity.model.designs import parameter_count, weight_shapes
from serenity.settings import ModelSettings
from serenity.tokens import novelty
from serenity.tokens import vocabulary as vocabularies
from serenity.tokens.vocabulary import ATTRIBUTES, Vocabulary

FORMAT = "serenity-model 2"
SECONDS = "serenity-model 1"  # the format in which time was counted in seconds
_LARGEST_JSON = 64 * 2 ** 20  # bytes; no config or dictionary is larger


@dataclass(frozen=True)
class Checkpoint:
    """A model that was loaded: settings, dictionaries, and each network's weights by name in float32."""

    settings: ModelSettings
    vocabulary: Vocabulary
    weights: dict[str, dict[str, np.ndarray]]


# --- settings and dictionaries ----------------------------------------------------------------------------------------

def write_settings(folder: Path, settings: ModelSettings, vocabulary: Vocabulary) -> None:
    """Write config.json and vocabulary.json."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / "vocabulary.json") as path:
        vocabularies.write(path, vocabulary)
    write_json(folder / "config.json", {"format": FORMAT, **settings.to_dict()})


def read_settings(folder: Path) -> tuple[ModelSettings, Vocabulary]:
    """Read what write_settings wrote. Raises InputError, which names the wrong file and what was wanted."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; wanted a model (a folder with config.json)")
    config = read_json(folder / "config.json")
    if config.get("format") != FORMAT:
        older = ", made by an older Serenity, which counted seconds" if config.get("format") == SECONDS else ""
        raise InputError(f"{folder / 'config.json'}: format '{config.get('format')}'{older}, wanted '{FORMAT}'"
                         f"{': train it anew with train.py' if older else ''}")
    try:
        settings = ModelSettings.from_dict(config)
    except InputError as error:
        raise InputError(f"{folder / 'config.json'}: {error}") from None
    vocabulary = vocabularies.read(folder / "vocabulary.json")
    if vocabulary.sizes != settings.vocabulary_sizes:
        raise InputError(f"{folder}: vocabulary.json has {vocabulary.sizes} tokens, "
                         f"config.json wants {settings.vocabulary_sizes}")
    return settings, vocabulary


# --- weights ----------------------------------------------------------------------------------------------------------

def write_weights(folder: Path, attribute: str, weights: dict[str, np.ndarray]) -> None:
    """Write one network's weights in half precision. The file appears only when it is whole."""
    halves = {name: values.astype(np.float16) for name, values in weights.items()}
    with whole(weights_path(folder, attribute)) as path, open(path, "wb") as file:  # np.savez adds .npz to a name
        np.savez(file, **halves)


def read_weights(folder: Path, attribute: str, settings: ModelSettings) -> dict[str, np.ndarray]:
    """Read what write_weights wrote, as float32.

    Names, shapes and types are checked before a value is read. Raises InputError naming the file and what is wrong.
    """
    path = weights_path(folder, attribute)
    shapes = weight_shapes(settings, attribute)
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            if odd := sorted(names ^ set(shapes)):
                raise InputError(f"{path}: weights {', '.join(odd[:3])} do not fit config.json")
            weights = {name: _read_array(archive, name, shape, path) for name, shape in shapes.items()}
    except FileNotFoundError:
        raise InputError(f"{path} is missing; train it with train.py --attributes {attribute}") from None
    except (zipfile.BadZipFile, ValueError, EOFError, zipfile.LargeZipFile, NotImplementedError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a complete weights file ({error}); wanted a .npz of arrays") from None
    return weights


def weights_path(folder: Path, attribute: str) -> Path:
    """Return the path of one network's weights."""
    return folder / f"{attribute}.npz"


def state_path(folder: Path, attribute: str) -> Path:
    """Return the path of the state of one network's training (see state.py)."""
    return folder / "training" / f"{attribute}.state.npz"


def load(folder: Path) -> Checkpoint:
    """Read a whole model. Raises InputError if a part is missing, is broken or does not fit the others."""
    return with_weights(folder, *read_settings(folder))


def with_weights(folder: Path, settings: ModelSettings, vocabulary: Vocabulary) -> Checkpoint:
    """Read the weights for settings and dictionaries that were read before. Raises InputError as load does."""
    return Checkpoint(settings, vocabulary,
                      {attribute: read_weights(folder, attribute, settings) for attribute in ATTRIBUTES})


def _read_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    with archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read_header:
            raise ValueError(f"array version {version}")
        found, fortran, dtype = read_header[version](member)
        if found != shape or fortran or dtype not in (np.float16, np.float32):
            raise InputError(f"{path}: {name} is {dtype} {found}, config.json wants float16 {shape}")
        values = np.frombuffer(member.read(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {name} holds values that are no numbers (NaN or infinity)")
    return values.astype(np.float32)


# --- novelty ----------------------------------------------------------------------------------------------------------

def write_novelty(folder: Path, index: novelty.Index) -> dict:
    """Write the index of the training songs, and return what training.json says about it."""
    with whole(novelty_path(folder)) as path:
        novelty.write(path, index)
    return {"songs": index.songs, "events": index.events, "grams": len(index.places)}


def read_novelty(folder: Path) -> novelty.Index | None:
    """Read what write_novelty wrote; None if the model has none. Raises InputError if it is broken."""
    path = novelty_path(folder)
    return novelty.read(path) if path.exists() else None


def novelty_path(folder: Path) -> Path:
    """Return the path of the index of the training songs."""
    return folder / "novelty.index"


# --- figures and card -------------------------------------------------------------------------------------------------

def write_card(folder: Path, settings: ModelSettings, training: dict) -> None:
    """Write README.md, the card of a model: what training.json says, then notes.md, if a person wrote one."""
    notes = folder / "notes.md"
    text = card(folder.name, settings, training, notes.read_text(encoding="utf-8") if notes.is_file() else "")
    write_whole(folder / "README.md", text.encode())


def card(name: str, settings: ModelSettings, training: dict, notes: str = "") -> str:
    """Return the card of a model as Markdown, from what training.json says; `notes` come at its end."""
    networks = training["networks"]
    rows = [f"| {attribute} | {figures['parameters']:,} | {figures['epochs']} | {figures['minutes']:.0f} | "
            f"{figures['unigram_bits']:.2f} | {figures['bits']:.2f} | {figures['accuracy']:.1%} |"
            for attribute, figures in networks.items()]
    data = training["data"]
    made = f" and {data['synthetic']:,} synthetic songs made of them" if data["synthetic"] else ""
    lines = [f"# {name}", "",
             f"Four transformers that complete {settings.codec.category} songs; made and read by Serenity.", "",
             "## What it learned from", "",
             f"{data['train']:,} songs{made} ({data['validation']} more songs for validation, {data['test']} kept "
             f"for tests), {data['events']:,} events. Source: {data['source']}. Licence: {data['licence']}. SHA-256 of "
             f"all tokens: `{data['sha256']}`.", "",
             "## Figures", "",
             f"`parameters: {parameter_count(settings):,}`", "",
             "Bits per event on the validation songs; lower is better. Unigram: a prediction only from how often each "
             "value comes in the training songs.", "",
             "| attribute | parameters | epochs | minutes | unigram | bits per event | accuracy |",
             "| --- | --: | --: | --: | --: | --: | --: |", *rows]
    if set(networks) == set(ATTRIBUTES):
        total = {name: sum(figures[name] for figures in networks.values()) for name in ("unigram_bits", "bits")}
        lines.append(f"| together | {parameter_count(settings):,} | | | {total['unigram_bits']:.2f} | "
                     f"{total['bits']:.2f} | |")
    lines += _settings_lines(networks)
    if index := training.get("novelty"):
        lines += ["", "## Novelty", "",
                  f"`novelty.index` holds the {index['grams']:,} different runs of {index['events']} events of "
                  f"{index['songs']:,} training songs, synthetic ones included, in any transposition, as hashes: the "
                  "songs cannot be read out of it. With it `generate.py` finds the longest run of a continuation that "
                  "is also in a training song."]
    return "\n".join([*lines, *(["", notes.strip()] if notes.strip() else []), ""])


def _settings_lines(networks: dict[str, dict]) -> list[str]:
    """Return how the networks were trained: one line for all that were trained alike; none if it is not known."""
    alike = {}
    for attribute, figures in networks.items():
        for settings in figures.get("settings", []):
            named = [f"{name.replace('_', ' ')} {value}" for name, value in settings.items() if name != "first"]
            alike.setdefault((settings["first"], ", ".join(named)), []).append(attribute)
    rows = [f"* {', '.join(names)}{f', from epoch {first} on' if first > 1 else ''}: {named}"
            for (first, named), names in alike.items()]
    return ["", "## Training", "", *rows] if rows else []


def write_json(path: Path, data: dict) -> None:
    """Write JSON. The file appears only when it is whole."""
    write_whole(path, (json.dumps(data, indent=1) + "\n").encode())


def read_json(path: Path) -> dict:
    """Read a JSON object. Raises InputError."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise InputError(f"{path} has {path.stat().st_size:,} bytes; wanted {_LARGEST_JSON:,} at most")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except (UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise InputError(f"{path} holds a {type(data).__name__}; wanted an object")
    return data
