"""Make a song again, byte for byte, from the recipe inside it (see serenity/model/recipe.py)."""

from dataclasses import dataclass, fields
from pathlib import Path

from serenity.completion import Model, Request, Seed, SeedSettings, naming, read_seed
from serenity.errors import InputError
from serenity.model import recipe as recipes
from serenity.model.recipe import Recipe
from serenity.music import chunks, midi_file, song_file
from serenity.tokens import seed as seeds


@dataclass(frozen=True, eq=False)
class Replay:
    """How a song was made."""

    song: Path
    recipe: Recipe
    settings: SeedSettings
    request: Request  # of this one variation
    seed: Path        # the seed's file, or the song itself where it holds its seed as it was

    def other_versions(self) -> str:
        """Return in words which versions made the song that are others here; "" where there are none."""
        return recipes.differing(self.recipe.versions)

    def check_model(self, model: Model) -> None:
        """Refuse another model than the one that made the song. Raises InputError."""
        sha256, made = model.sha256(self.request), self.recipe
        if made.model_sha256 != sha256:
            raise InputError(f"{self.song} was made by another model, {made.model} {made.model_sha256[:12]}; "
                             f"{model.folder} is {sha256[:12]}; name that one with --model")

    def read_seed(self, model: Model) -> Seed:
        """Read the seed, out of the song where that holds it. Raises InputError."""
        if self.seed != self.song:
            return read_seed(self.seed, model, self.settings)
        held = recipes.seed_in(midi_file.read(self.song).chunks)
        score, part = midi_file.parse(chunks.join(held)), recipes.part_from_dict(self.recipe.part)
        settings, codec, vocabulary = self.settings, model.checkpoint.settings.codec, model.vocabulary
        with naming(self.song):
            if part:
                music = seeds.read_part(score, settings.category, codec, vocabulary, part)
            else:
                music = seeds.read(score, settings.category, codec, vocabulary, hints=settings.hints(),
                                   tracks=settings.listed_tracks())
        return Seed(self.song, settings, music)


def read(song: Path, seed: Path | None = None, example: Path | None = None) -> Replay:
    """Read how a song was made, and find its seed: inside the song, or else, by its contents, at `seed`.

    Where no `seed` is named it is sought where the recipe says, beside the song, and at `example`. Raises InputError.
    """
    with naming(song):
        file = chunks.split(midi_file.read_bytes(song))
        recipe = recipes.read(file)
        settings, request = _asked(recipe)
        recipes.part_from_dict(recipe.part)
    if seed and not song_file.file_of(seed)[0].exists():  # likely meant as the name of the song that is to be made
        raise InputError(f"{seed}: no such file; wanted the seed, and after it the song to write: "
                         f"generate.py SEED.mid OUT.mid --replay {song}")
    named = Path(recipe.seed)
    places = [seed] if seed else [named, song.parent / named.name, *([example] if example else [])]
    found = song if recipes.seed_in(file) else recipes.find_seed(recipe, places)
    if found is None:
        where = f"not {seed}" if seed else "not there"
        raise InputError(f"{song}: its seed {recipe.seed} is {where}, or is not as it was; wanted: "
                         f"generate.py SEED.mid --replay {song}, and OUT.mid after the seed if you like")
    return Replay(song, recipe, settings, request, found)


def _asked(recipe: Recipe) -> tuple[SeedSettings, Request]:
    """Return what a recipe's flags ask. Raises InputError where a name, a type or a value is wrong."""
    of_seed = {field.name for field in fields(SeedSettings)}
    of_request = {field.name for field in fields(Request)} - {"variations"}
    asked = [{}, {}]
    for name, value in recipe.flags.items():
        asked[name not in of_seed][name] = value
    return (SeedSettings(**recipes.check_flags(asked[0], SeedSettings, of_seed)),
            Request(**recipes.check_flags(asked[1], Request, of_request)))
