"""The recipe: how a song was made, as a text inside its MIDI file, so that it can be made again byte for byte.

A recipe may come from a stranger. It is JSON, and nothing in it is executed. The type of each field is checked before
it is used. The range of a number is checked by the same code as that of the flag on the command line.
"""

import hashlib
import json
import platform
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from serenity.errors import InputError, check_types, fits, short, type_name
from serenity.model import checkpoint
from serenity.music import chunks, song_file
from serenity.music.chunks import Chunks
from serenity.music.midi_file import LONGEST_SONG
from serenity.tokens.seed import Part, Seed
from serenity.tokens.vocabulary import ATTRIBUTES

FORMAT = "serenity-recipe 2"
LONGEST = 20_000      # characters of a recipe
MOST_STEPS = 100      # recipes in one song
LONGEST_TEXT = 1_000  # characters of a text in it
NOTHING = "0" * 64    # stands for a digest that is not known yet


@dataclass(frozen=True)
class Recipe:
    """How a song was made. Checks itself: InputError."""

    model: str                # name of the model's folder, for people
    model_sha256: str
    seed: str                 # path of the seed's file, as it was given
    seed_sha256: str          # of its chunks, see digest
    part: dict[str, object] | None  # if only a part of the seed was used: its digest, and what was known of it
    song_sha256: str          # of the song without its recipe
    variation: int            # which of the variations, counted from 1
    flags: dict[str, object]  # flags of the command line that matter for the song: name -> value, as in JSON
    versions: dict[str, str]  # of everything that can change the song
    join: float | None = None  # seconds at which the new part begins; None: an older Serenity did not say

    def __post_init__(self):
        check_types(self, "recipe: ")
        for text in (self.model, self.seed, *self.flags, *self.versions, *self.versions.values()):
            if len(text) > LONGEST_TEXT or not text.isprintable():
                raise InputError(f"recipe: {short(text)}, wanted one line of at most {LONGEST_TEXT:,} letters")
        for name in ("model_sha256", "seed_sha256", "song_sha256"):
            digest = getattr(self, name)
            if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
                raise InputError(f"recipe: {name} {short(digest)}, wanted 64 hexadecimal digits")
        if self.variation < 1:
            raise InputError(f"recipe: variation {self.variation}, wanted 1 or more")
        if self.join is not None and not 0 <= self.join <= LONGEST_SONG:
            raise InputError(f"recipe: join {self.join:g}, wanted a time in the song, in seconds")


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
        raise InputError(f"recipe is not JSON ({error})") from None
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise InputError(f"recipe is of another format, wanted '{FORMAT}'")
    wanted = typing.get_type_hints(Recipe)
    if odd := sorted((fields.keys() | {"join"}) ^ wanted.keys()):
        raise InputError(f"recipe: field {short(odd[0])}, wanted {', '.join(wanted)}")
    return Recipe(**fields)


def read(song: Chunks) -> Recipe:
    """Return the recipe in a song. Raises InputError."""
    return from_text(_find(song)[1].decode(errors="replace"))


def is_untouched(song: Chunks) -> bool:
    """Return whether a file is a song as generate.py wrote it: nobody has changed it since."""
    try:
        number, text = _find(song)
        made = from_text(text.decode(errors="replace"))
    except InputError:
        return False
    tracks = [*song.tracks]
    tracks[number] = tracks[number].replace(b"\0" + chunks.meta(chunks.TEXT, text), b"", 1)
    return digest(replace(song, tracks=tuple(tracks))) == made.song_sha256


def _find(song: Chunks) -> tuple[int, bytes]:
    """Return the number of the track with the recipe, and the recipe's text. If the seed was itself such a song, the
    last track with a recipe is this song's own.
    """
    for number, body in reversed([*enumerate(song.tracks)]):
        if found := [text for text in chunks.texts(body) if is_recipe(text.decode(errors="replace"))]:
            return number, found[0]
    raise InputError("holds no recipe; wanted a song that generate.py made")


def steps(song: Chunks) -> tuple[str, ...]:
    """Return the recipes of a song as texts, the newest first: its own, then those of the songs whose bars it has kept.
    Raises InputError.
    """
    number, _ = _find(song)
    found = [text.decode(errors="replace") for text in chunks.texts(song.tracks[number])]
    return tuple(text for text in found if is_recipe(text) and len(text) <= LONGEST)[:MOST_STEPS]


def is_recipe(text: str) -> bool:
    """Return whether a text claims to be a recipe."""
    return text.startswith('{"format": "serenity-recipe ')


def _no_number(name: str):
    raise ValueError(f"{name} is not a number")


# --- flags ------------------------------------------------------------------------------------------------------------

def plain(flags: Mapping[str, object]) -> dict[str, object]:
    """Return flags as JSON keeps them."""
    return json.loads(json.dumps(flags))


def check_flags(flags: dict[str, object], parameters: type, names: Iterable[str]) -> dict[str, object]:
    """Return a recipe's flags as fields of the dataclass `parameters`; InputError where a name or a type is wrong.

    A flag that the recipe does not name keeps its default.
    """
    wanted = {name: hint for name, hint in typing.get_type_hints(parameters).items() if name in names}
    for name, value in flags.items():
        if name not in wanted:
            raise InputError(f"recipe: flag {short(name)} is unknown, wanted {', '.join(wanted)}")
        if not fits(value, wanted[name]):
            raise InputError(f"recipe: {name} {short(value)}, wanted {type_name(wanted[name])}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in flags.items()}


# --- the seed ---------------------------------------------------------------------------------------------------------

def continuation_in(song: Chunks, is_apart: bool) -> int:
    """Return the number of the track that holds a song's continuation: with `is_apart` the one with the recipe; else
    all tracks were written anew, and it is the last. Raises InputError.
    """
    return _find(song)[0] if is_apart else len(song.tracks) - 1


def seed_in(song: Chunks) -> Chunks | None:
    """Return the seed that a song holds, unchanged, or None. Raises InputError if generate.py did not make the song."""
    made, seed = read(song), chunks.without_track(song, _find(song)[0])
    return seed if digest(seed) == (made.part or {}).get("sha256", made.seed_sha256) else None


def part_to_dict(seed: Seed) -> dict[str, object] | None:
    """Return what a recipe keeps about the part of a seed that is the prompt; None if the whole seed is."""
    return None if seed.part is None else {"sha256": digest(seed.score.chunks), **asdict(seed.part)}


def part_from_dict(fields: dict[str, object] | None) -> Part | None:
    """Return the part that a recipe keeps. The inverse of part_to_dict. Raises InputError."""
    if fields is None:
        return None
    known = check_flags({name: value for name, value in fields.items() if name != "sha256"}, Part,
                        typing.get_type_hints(Part))
    if missing := sorted({"is_beginning", "is_end", "tracks", "tonic", "mode"} - known.keys()):
        raise InputError(f"recipe: part without {missing[0]}")
    return Part(**known)


def places(recipe: Recipe, song: Path) -> list[Path]:
    """Return where the seed of the song at path `song` may be: where the recipe says, or beside the song."""
    return [Path(recipe.seed), song.parent / Path(recipe.seed).name]


def find_seed(recipe: Recipe, places: Iterable[Path]) -> Path | None:
    """Return the first of the places that holds the unchanged seed, judged by its contents, or None."""
    return next((path for path in places if _is_seed(path, recipe.seed_sha256)), None)


def _is_seed(path: Path, sha256: str) -> bool:
    if str(path).startswith(("//", "\\\\")):  # another machine, to which a stranger's recipe could make us connect
        return False
    try:
        return digest(song_file.read(path).chunks) == sha256
    except (InputError, OSError):  # not there, a name too long, a folder that may not be entered
        return False


# --- fingerprints -----------------------------------------------------------------------------------------------------

def digest(file: Chunks) -> str:
    """Return the SHA-256 of a MIDI file's chunks as hexadecimal digits, whatever was wrapped around them."""
    return hashlib.sha256(chunks.join(file)).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's contents as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_sha256(folder: Path, with_novelty: bool = False) -> str:
    """Return a fingerprint of all that a model generates from: settings, dictionaries, weights, and, if asked for, the
    novelty index.
    """
    files = [folder / "config.json", folder / "vocabulary.json",
             *(checkpoint.weights_path(folder, attribute) for attribute in ATTRIBUTES)]
    if with_novelty and checkpoint.novelty_path(folder).exists():
        files.append(checkpoint.novelty_path(folder))
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of everything that can change a bit of a song: also the kind of processor, and the library
    that multiplies matrices.
    """
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {"serenity": project["version"], "python": platform.python_version(), "numpy": np.__version__,
            "blas": f"{blas.get('name')} {blas.get('version')}", "machine": platform.machine()}


def differing(made_with: dict[str, str]) -> str:
    """Return in words which versions in a recipe differ from those here; "" if none does."""
    here = versions()
    return ", ".join(f"{name} {version} (here {here.get(name, 'none')})" for name, version in made_with.items()
                     if here.get(name) != version)


def one_line(text: str) -> str:
    """Return a text in the form that a recipe may hold: a letter that cannot be printed becomes "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:LONGEST_TEXT]
