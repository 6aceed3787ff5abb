"""The files of songs: what they are called, and what is made beside each: picture, sound, notation, one page of all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from serenity import completion
from serenity.completion import Seed, Take
from serenity.errors import InputError
from serenity.files import write_whole
from serenity.listen import audio, show
from serenity.music import song_file
from serenity.request import Files

MOST_ON_PAGE = 24  # variations; the sound of more would take minutes to render

Bar = Callable[[Sequence, str], Sequence]  # what is gone through, and what is made of each -> the same, with progress


def named(song: Path, out: Path | None, ending: str) -> Path:
    """Return where a song is written: at `out`, or in the folder where the user is, called as the file `song` is."""
    if out is not None:
        return out
    name = f"{song_file.stem(song.name)}-{ending}.mid"
    return Path(name) if song.parent.resolve() == Path.cwd() else Path.cwd() / name  # so that nobody looks elsewhere


@dataclass(frozen=True)
class Outputs:
    """Where so many variations and what belongs to them are written."""

    out: Path  # the song's path, before several songs are numbered
    variations: int
    files: Files

    def song(self, number: int) -> Path:
        """Return where variation `number`, counted from 1, is written."""
        return self.out if self.variations == 1 else self.out.with_name(f"{self.out.stem}-{number}{self.out.suffix}")

    @property
    def songs(self) -> list[Path]:
        """Where the songs are written."""
        return [self.song(number) for number in range(1, self.variations + 1)]

    @property
    def page(self) -> Path:
        """Where the page of several variations is written."""
        return self.out.with_suffix(".html")

    def check(self, read: Sequence[Path]) -> None:
        """Refuse names that must be mistakes, and files that are `read` or are the user's. Raises InputError."""
        if self.out.suffix.lower() not in (".mid", ".midi"):
            raise InputError(f"{self.out}: wanted a name that ends in .mid")
        if not self.out.parent.is_dir():
            raise InputError(f"{self.out.parent} is not a folder; wanted one to write {self.out.name} into")
        files = self.files
        endings = [".png"] * files.picture + [".mp3", ".wav"] * files.has_sound + [".musicxml"] * files.score
        page = [self.page] * (files.page and self.variations > 1)
        beside = [song.with_suffix(ending) for song in self.songs for ending in endings]
        completion.check_outputs(self.songs, beside + page, read, files.overwrite)

    def write_beside(self, seed: Seed, takes: dict[Path, Take], bar: Bar) -> Iterator[tuple[str, list[str]]]:
        """Draw each song, write its score and its sound if asked for, and put several on a page, the most promising
        first. Yields after each kind its name, and lines that say what was written.
        """
        files, songs = self.files, {path: completion.song(path.stem, seed, take) for path, take in takes.items()}
        for path in bar([*takes] * files.picture, "picture"):
            show.save_picture(path.with_suffix(".png"), songs[path])
        yield "picture", []
        scores = [path.with_suffix(".musicxml") for path in takes] * files.score
        for path, take in zip(scores, bar([*takes.values()] * files.score, "score")):
            write_whole(path, completion.score(seed, take, path.stem))
        yield "score", [*map(str, scores)]
        has_page = files.page and len(takes) > 1
        if not files.has_sound and not has_page:
            return
        soundfont = audio.find_soundfont(files.soundfont)
        silence = audio.missing(soundfont)
        heard = [*takes] * (files.has_sound and not silence)
        yield "sound", [silence] * bool(silence) + [str(show.save_sound(path, songs[path], soundfont))
                                                    for path in bar(heard, "sound")]
        if has_page:
            paths = {take.number: path for path, take in takes.items()}
            ranked = [paths[take.number] for take in completion.rank(takes.values())[:MOST_ON_PAGE]]
            rows = [show.Row(songs[path], path, completion.measures(seed, takes[path]))
                    for path in bar(ranked, "measure")]
            title = f"{song_file.stem(seed.path.name)}: {len(rows)} continuations, the most promising first"
            show.save_page(self.page, title, bar(rows, "page"), None if silence else soundfont, silence or "")
            best_first = ", ".join(path.stem for path in ranked)
            yield "page", [f"{self.page}: to compare them; the most promising first: {best_first}"]
