import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.model import checkpoint, recipe
from serenity.model.recipe import Recipe
from serenity.music import chunks, midi_file
from serenity.music.note import note_table

DIGEST = "0123456789abcdef" * 4
PART = {"sha256": DIGEST, "is_beginning": False, "is_end": True, "tracks": "1,3", "tonic": 3, "mode": "minor",
        "bpm": 93.5, "metre": [3, 4], "first_beat": -0.25}
RECIPE = Recipe("mini", DIGEST, "songs/é.mid", DIGEST, PART, DIGEST, 2,
                {"events": 5, "top_k": {"pitch": 3}, "range": [1.0, 2.5]}, {"numpy": "2"})


def test_text_and_recipe_are_inverse():
    assert recipe.from_text(recipe.to_text(RECIPE)) == RECIPE
    assert recipe.is_recipe(recipe.to_text(RECIPE)) and not recipe.is_recipe("Composed by me")


@pytest.mark.parametrize("field, value, message", [
    ("model_sha256", "12", "wanted 64 hexadecimal digits"), ("seed_sha256", DIGEST.upper(), "wanted 64 hexadecimal"),
    ("variation", 0, "variation 0, wanted 1 or more"), ("variation", True, "variation True, wanted int"),
    ("variation", 1.0, "variation 1.0, wanted int"), ("seed", None, "seed None, wanted str"),
    ("seed", "a\x1b[31m.mid", "wanted one line"), ("model", "x" * 2000, "wanted one line"),
    ("song_sha256", "", "wanted 64 hexadecimal"), ("part", [], "part"),
    ("flags", [], "flags"), ("flags", {"\n": 1}, "wanted one line"), ("versions", {"numpy": 2}, "versions"),
])
def test_each_field_is_checked(field, value, message):
    text = json.dumps(json.loads(recipe.to_text(RECIPE)) | {field: value})
    with pytest.raises(InputError, match=message) as caught:
        recipe.from_text(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text, message", [
    ("{", "not JSON"), ("[" * 10_000, "not JSON"), ("[]", "another format"), ('{"format": "recipe 9"}', "another"),
    (json.dumps({"format": recipe.FORMAT, "model": "a"}), "field"), (" " * 30_000, "characters"),
    (recipe.to_text(RECIPE)[:-1] + ', "more": 1}', "field 'more'"),
    (recipe.to_text(RECIPE).replace("2.5", "NaN"), "NaN is not a number"),
])
def test_what_is_no_recipe_gives_one_line(text, message):
    with pytest.raises(InputError, match=message):
        recipe.from_text(text)


def song_with(*texts, seed=(b"\0\xff\x2f\0",)):
    """Return a song whose last track has the texts at its head."""
    events = [(0, chunks.meta(chunks.TEXT, text.encode())) for text in texts]
    return chunks.Chunks(480, (*seed, chunks.body_of([*events, (0, b"\x90\x3c\x40"), (96, b"\x80\x3c\x40")])))


def sealed(made):
    """Return a song with a recipe that says so of what the song is without it."""
    made = replace(made, song_sha256=recipe.digest(song_with()))
    return song_with(recipe.to_text(made)), made


def test_a_song_gives_its_recipe_and_of_several_its_own():
    assert recipe.read(song_with("a song", recipe.to_text(RECIPE))) == RECIPE
    later = replace(RECIPE, variation=7)
    first = song_with(recipe.to_text(RECIPE))
    assert recipe.read(song_with(recipe.to_text(later), seed=first.tracks)) == later
    with pytest.raises(InputError, match="^holds no recipe"):
        recipe.read(song_with("a song"))
    with pytest.raises(InputError, match="^recipe is not JSON"):
        recipe.read(song_with(recipe.to_text(RECIPE)[:-1]))


def test_a_song_is_untouched_until_somebody_changes_it():
    song, _ = sealed(RECIPE)
    assert recipe.is_untouched(song)
    for number in (0, 1):  # the seed's track, the continuation's
        tracks = [*song.tracks]
        tracks[number] = b"\0\xb0\7\x50" + tracks[number]
        assert not recipe.is_untouched(replace(song, tracks=tuple(tracks)))
    assert not recipe.is_untouched(replace(song, division=96))
    assert not recipe.is_untouched(song_with("a song")) and not recipe.is_untouched(song_with(recipe.to_text(RECIPE)))


def test_the_seed_is_taken_out_of_the_song():
    seed = chunks.Chunks(480, (b"\0\xff\x2f\0",))
    for made in (replace(RECIPE, part=None, seed_sha256=recipe.digest(seed)),
                 replace(RECIPE, part={**PART, "sha256": recipe.digest(seed)})):
        assert recipe.seed_in(song_with(recipe.to_text(made))) == seed
    assert recipe.seed_in(song_with(recipe.to_text(RECIPE))) is None  # it is not as it was


@pytest.mark.parametrize("part", [None, PART, {**PART, "bpm": None, "metre": None, "first_beat": None}])
def test_the_part_comes_back(part):
    known = recipe.part_from_dict(part)
    assert (known and {"sha256": DIGEST, **recipe.plain(vars(known))}) == part


@pytest.mark.parametrize("change", [
    {"tonic": 12}, {"tonic": "c"}, {"mode": "lydian"}, {"bpm": 1e999}, {"bpm": -1}, {"metre": [3, 5]}, {"metre": [3]},
    {"first_beat": 1e9}, {"is_beginning": 1}, {"key": "c"}, {"tonic": None},
])
def test_a_part_that_cannot_be_is_refused(change):
    with pytest.raises(InputError):
        recipe.part_from_dict({**PART, **change})
    with pytest.raises(InputError, match="part without is_beginning"):
        recipe.part_from_dict({"sha256": DIGEST})


# --- flags ------------------------------------------------------------------------------------------------------------

@dataclass
class Flags:
    whole: int | None = None
    real: float | dict[str, float] = 1.0
    switch: bool = False
    word: Literal["a", "b"] = "a"
    span: tuple[float, float] | None = None
    path: Path | None = None


NAMES = ("whole", "real", "switch", "word", "span")


@pytest.mark.parametrize("flags", [
    {}, {"whole": 3}, {"whole": None}, {"real": 2}, {"real": {"pitch": 0.5}}, {"switch": True}, {"word": "b"},
    {"span": (1.0, 2)},
])
def test_flags_come_back(flags):
    kept = recipe.plain({name: getattr(Flags(**flags), name) for name in NAMES})
    assert Flags(**recipe.check_flags(kept, Flags, NAMES)) == Flags(**flags)


@pytest.mark.parametrize("flags", [
    {"whole": 3.0}, {"whole": "3"}, {"whole": True}, {"real": "x"}, {"real": {"pitch": "x"}}, {"real": None},
    {"switch": 1}, {"word": "c"}, {"word": 1}, {"span": [1]}, {"span": "ab"}, {"span": [1, [2]]},
    {"path": "elsewhere"}, {"unheard": 1}, {"__init__": 1},
])
def test_flags_of_another_type_or_name_are_refused(flags):
    with pytest.raises(InputError, match="recipe: "):
        recipe.check_flags(flags, Flags, NAMES)


# --- fingerprints -----------------------------------------------------------------------------------------------------

def test_the_seed_is_found_by_what_it_holds(tmp_path):
    paths = [tmp_path / "a.mid", tmp_path / "b.mid", tmp_path / "missing.mid", tmp_path, Path("x" * 500)]
    for number, path in enumerate(paths[:2]):
        midi_file.write(path, [midi_file.Track("", number, False, note_table([0], [1], [60], [64]))])
    wrapped = tmp_path / "b.mid.gz"
    wrapped.write_bytes(gzip.compress(paths[1].read_bytes()))
    mine = replace(RECIPE, seed_sha256=recipe.digest(midi_file.read(paths[1]).chunks))
    assert recipe.find_seed(mine, paths[::-1]) == paths[1]
    assert recipe.find_seed(mine, [paths[0], wrapped]) == wrapped
    assert recipe.find_seed(mine, [paths[0], Path("//server/share/b.mid"), *paths[2:]]) is None


def test_whatever_changes_a_song_changes_the_models_fingerprint(model_folder):
    found = {recipe.model_sha256(model_folder)}
    for name in ("config.json", "vocabulary.json", "step.npz"):
        (model_folder / name).write_bytes((model_folder / name).read_bytes() + b" ")
        found.add(recipe.model_sha256(model_folder))
    assert len(found) == 4
    checkpoint.novelty_path(model_folder).write_bytes(b"x")
    (model_folder / "README.md").write_text("A card changes nothing.")
    assert recipe.model_sha256(model_folder) in found
    assert recipe.model_sha256(model_folder, with_novelty=True) not in found


def test_versions_that_differ_are_named():
    assert recipe.differing(recipe.versions()) == ""
    assert recipe.differing({"numpy": "0.1"}) == f"numpy 0.1 (here {np.__version__})"
    assert {"serenity", "python", "numpy", "blas", "machine"} == set(recipe.versions())
    assert all(recipe.versions().values())
