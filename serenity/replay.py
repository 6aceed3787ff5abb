"""Make a song again, byte for byte, from the recipe inside it (see serenity/model/recipe.py)."""

from dataclasses import dataclass
from pathlib import Path

from serenity import completion
from serenity.completion import Model, Request, Seed, SeedSettings, naming
from serenity.errors import InputError
from serenity.model import recipe as recipes
from serenity.model.recipe import Recipe
from serenity.music import chunks, midi_file, song_file
from serenity.music.chunks import Chunks


@dataclass(frozen=True, eq=False)
class Replay:
    """How a song was made."""

    song: Path
    chunks: Chunks    # what it holds
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
        """Read the seed, out of the song where that holds it, and what the song has kept. Raises InputError."""
        with naming(self.song):
            return completion.read_again(self.song, self.chunks, self.recipe, model, self.seed)


def read(song: Path, seed: Path | None = None, example: Path | None = None) -> Replay:
    """Read how a song was made, and find its seed: inside the song, or else, by its contents, at `seed`.

    Where no `seed` is named it is sought where the recipe says, beside the song, and at `example`. Raises InputError.
    """
    with naming(song):
        file = chunks.split(midi_file.read_bytes(song))
        recipe = recipes.read(file)
        settings, request = completion.asked(recipe)
    if seed and not song_file.file_of(seed)[0].exists():  # likely meant as the name of the song that is to be made
        holds = recipes.seed_in(file) is not None
        raise InputError(f"{seed}: no such file; wanted the seed, and after it the song to write: "
                         f"generate.py {song if holds else 'SEED.mid'} OUT.mid --replay {song}"
                         + " (the song holds its own seed)" * holds)
    places = [seed] if seed else [*recipes.places(recipe, song), *([example] if example else [])]
    with naming(song):
        found = completion.find_seed(song, file, recipe, places)
    if seed and found == song and not seed.samefile(song) and not recipes.find_seed(recipe, places):
        raise InputError(f"{song} holds its own seed, and {seed} is another file; wanted generate.py --replay {song}, "
                         f"or, to name the new song, generate.py {song} OUT.mid --replay {song}")
    if found is None:
        where = f"not {seed}" if seed else "not there"
        raise InputError(f"{song}: its seed {recipe.seed} is {where}, or is not as it was; wanted: "
                         f"generate.py SEED.mid --replay {song}, and OUT.mid after the seed if you like")
    return Replay(song, file, recipe, settings, request, found)
