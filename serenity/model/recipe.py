"""The recipe: how a song was made, as a text inside its MIDI file, so that it can be made again byte for byte.

A recipe may come from a stranger. It is JSON; each field is checked for its type before it is used, numbers for their
range by whoever checks the same flag of the command line, and nothing in it is executed.
"""

import hashlib
import json
import platform
import tomllib
import types
import typing
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.music import midi_file
from serenity.tokens.vocabulary import ATTRIBUTES

FORMAT = "serenity-recipe 1"
LONGEST = 20_000      # characters of a recipe
LONGEST_TEXT = 1_000  # characters of a text in it


@dataclass(frozen=True)
class Recipe:
    """How a song was made. Checks itself: InputError."""

    model: str                # name of the model's folder, for people
    model_sha256: str
    seed: str                 # path of the seed's file, as it was given
    seed_sha256: str
    variation: int            # which of the variations, counted from 1
    flags: dict[str, object]  # flags of the command line that matter for the song: name -> value, as JSON has it
    versions: dict[str, str]  # of what had a hand in it

    def __post_init__(self):
        for name, wanted in typing.get_type_hints(Recipe).items():
            if not fits(getattr(self, name), wanted):
                raise InputError(f"recipe: {name} {_short(getattr(self, name))}, wanted {_name(wanted)}")
        for text in (self.model, self.seed, *self.flags, *self.versions, *self.versions.values()):
            if len(text) > LONGEST_TEXT or not text.isprintable():
                raise InputError(f"recipe: {_short(text)}, wanted one line of at most {LONGEST_TEXT:,} letters")
        for name in ("model_sha256", "seed_sha256"):
            digest = getattr(self, name)
            if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
                raise InputError(f"recipe: {name} {_short(digest)}, wanted 64 hexadecimal digits")
        if self.variation < 1:
            raise InputError(f"recipe: variation {self.variation}, wanted 1 or more")


# --- text -------------------------------------------------------------------------------------------------------------

def to_text(recipe: Recipe) -> str:
    """Return a recipe as a line of text."""
    return json.dumps({"format": FORMAT, **asdict(recipe)})


def from_text(text: str) -> Recipe:
    """Return the recipe of a text. The inverse of to_text. Raises InputError."""
    if len(text) > LONGEST:
        raise InputError(f"recipe of {len(text):,} characters, wanted {LONGEST:,} at most")
    try:
        fields = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InputError(f"recipe is no JSON ({error})") from None
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise InputError(f"recipe is of another format, wanted '{FORMAT}'")
    wanted = typing.get_type_hints(Recipe)
    if odd := sorted(fields.keys() ^ wanted.keys()):
        raise InputError(f"recipe: field {_short(odd[0])}, wanted {', '.join(wanted)}")
    return Recipe(**fields)


def read(path: Path) -> Recipe:
    """Return the recipe in a MIDI file. Raises InputError that names the file and what is wrong."""
    texts = [text for text in midi_file.read(path).texts if is_recipe(text)]
    if not texts:
        raise InputError(f"{path}: holds no recipe; wanted a song that generate.py made")
    try:
        return from_text(texts[0])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def is_recipe(text: str) -> bool:
    """Return whether a text claims to be a recipe."""
    return text.startswith('{"format": "serenity-recipe ')


def _no_number(name: str):
    raise ValueError(f"{name} is no number")


# --- flags ------------------------------------------------------------------------------------------------------------

def plain(flags: object, names: Iterable[str]) -> dict[str, object]:
    """Return the named fields of a dataclass as JSON keeps them."""
    return json.loads(json.dumps({name: getattr(flags, name) for name in names}))


def check_flags(flags: dict[str, object], parameters: type, names: Iterable[str]) -> dict[str, object]:
    """Return a recipe's flags as fields of the dataclass `parameters`; InputError where a name or a type is wrong.

    A flag that the recipe does not name keeps its default.
    """
    wanted = {name: hint for name, hint in typing.get_type_hints(parameters).items() if name in names}
    for name, value in flags.items():
        if name not in wanted:
            raise InputError(f"recipe: flag {_short(name)} is unknown, wanted {', '.join(wanted)}")
        if not fits(value, wanted[name]):
            raise InputError(f"recipe: {name} {_short(value)}, wanted {_name(wanted[name])}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in flags.items()}


def fits(value: object, hint: object) -> bool:
    """Return whether a value of JSON has a type: bool, int, float, str, None, Literal; tuple, dict, union of these."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments and isinstance(value, str)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(arguments) and all(map(fits, value, arguments))
    if origin is dict:
        return isinstance(value, dict) and all(fits(key, arguments[0]) and fits(each, arguments[1])
                                               for key, each in value.items())
    if hint is object:
        return True
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _short(value: object) -> str:
    """Return a stranger's value for a message: one line, plain letters, not long."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


# --- the seed ---------------------------------------------------------------------------------------------------------

def find_seed(recipe: Recipe, places: Iterable[Path]) -> Path | None:
    """Return the first of the places where the seed stands as it was, by its contents, or None."""
    return next((path for path in places if _is_seed(path, recipe.seed_sha256)), None)


def _is_seed(path: Path, sha256: str) -> bool:
    if str(path).startswith(("//", "\\\\")):  # another machine, which a stranger's recipe would have us call
        return False
    try:
        return path.is_file() and path.stat().st_size <= midi_file.LARGEST_FILE and file_sha256(path) == sha256
    except OSError:  # a name too long, a folder that may not be entered
        return False


# --- fingerprints -----------------------------------------------------------------------------------------------------

def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's contents as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_sha256(folder: Path, with_novelty: bool = False) -> str:
    """Return a fingerprint of all that a model generates from: settings, dictionaries, weights, and the novelty index
    where that has a say.
    """
    files = [folder / "config.json", folder / "vocabulary.json",
             *(checkpoint.weights_path(folder, attribute) for attribute in ATTRIBUTES)]
    if with_novelty and checkpoint.novelty_path(folder).exists():
        files.append(checkpoint.novelty_path(folder))
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what can change a song: Serenity itself, NumPy, Python."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"serenity": project["version"], "numpy": np.__version__, "python": platform.python_version()}


def differing(made_with: dict[str, str]) -> str:
    """Return in words which versions a recipe names that are others here; "" where there are none."""
    here = versions()
    return ", ".join(f"{name} {version} (here {here.get(name, 'unknown')})" for name, version in made_with.items()
                     if here.get(name) != version)


def one_line(text: str) -> str:
    """Return a text as a recipe may hold it: what cannot be printed becomes "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:LONGEST_TEXT]
