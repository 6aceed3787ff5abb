"""Complete a song: read a seed, a MIDI file or a score, and write the seed with its continuation.

    generate.py                            the example intro -> intro-serenity.mid
    generate.py SEED.mid [OUT.mid]         your own seed
    generate.py SEED.mid --variations 4 --seed 7
    generate.py --replay OUT.mid           the same song again, from the recipe inside the file
    generate.py --serve                    the studio: make, hear and choose takes in the browser

The work itself is done by serenity/completion.py, which you can use from Python as well.
"""

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import config
from serenity.command_line import Timings, flag, run, values
from serenity.errors import InputError
from serenity.request import Request, SeedSettings

if TYPE_CHECKING:  # at run time only once the arguments are known: so --help answers at once
    from serenity.completion import Seed, Take
    from serenity.replay import Replay

STARTED = time.perf_counter()  # for --timings
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for products of one row a second thread only costs time
MANY_EVENTS = 5000        # if more are to be made, the user is told how long it takes
EVENTS_A_SECOND = 200     # on a laptop
MOST_ON_PAGE = 24         # variations; the sound of more would take minutes to render
# Flags that do not go with --serve, because the studio's page sets them or does not use them; then flags that need it.
NOT_SERVED = ("out", "events", "seconds", "bars", "temperature", "variations", "candidates", "ending", "score",
              "timings", "replay")
SERVED = ("takes", "port", "browser")


@dataclass(frozen=True)
class Parameters:
    """Complete a song from its beginning, in its own key and tempo.

    Flags marked * take one value for all, or one for each of pitch, step, duration, velocity: --top-k pitch=16,step=8
    """

    song: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="SEED.mid")]] = config.EXAMPLE_SEED  # the intro
    # the song; None: SEED-serenity.mid
    out: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="OUT.mid")]] = None
    model: Path = config.MODEL       # the model's folder

    # make so many continuations and keep the best, as many as --variations: those near to the seed whose chords come
    # round. 1: the first is kept as it is
    candidates: int = 4
    settings: SeedSettings = SeedSettings()
    request: Request = Request()

    # Output: how the song is written.
    picture: bool = True             # draw a piano roll of each song, OUT.png
    score: bool = False              # write each song in notation too, OUT.musicxml, for MuseScore and its like
    page: bool = True                # with variations: write OUT.html, with picture and sound of each, ranked
    sound: bool = False              # write the sound of each song, OUT.mp3; this takes longer than to make the song
    soundfont: Path | None = None    # turn on --sound, with this SoundFont (.sf2); None: one that is installed
    timings: bool = False            # print how long each phase took, in ms
    replay: Path | None = None       # make this song again, from the recipe inside it
    overwrite: bool = False          # replace files that are there already, except the seed

    # Studio: songs are made in the browser, on this machine alone.
    serve: bool = False              # open the studio with SEED.mid
    takes: Path = Path("takes")      # folder in which a new one is made for the songs of this studio
    port: int = 0                    # of the page's address; 0: any that is free
    browser: bool = True             # open the page; it can be opened by hand as well


def main(parameters: Parameters) -> None:
    """Check the arguments, load the model, read the seed, complete it, write and show the songs."""
    timings = Timings(STARTED)
    from serenity import completion
    from serenity.listen import audio

    parameters = settle(parameters)
    settings, request, again = asked(parameters)
    check_paths(parameters)
    if parameters.soundfont is not None:
        audio.find_soundfont(parameters.soundfont)
    if parameters.serve:
        serve(parameters, settings, request)
        return
    songs, beside = outputs(parameters)
    read = [parameters.song] if again is None else [parameters.song, again.seed, again.song]
    completion.check_outputs(songs, beside, read, parameters.overwrite)
    timings.end("import")

    model = completion.load(parameters.model)
    if again:
        again.check_model(model)
    timings.end("load")
    seed = again.read_seed(model) if again else completion.read_seed(parameters.song, model, settings)
    events, most = completion.expected_events(seed, request), completion.length(seed, request).events
    print(f"seed: {seed.path}", *seed.report(), sep="\n  ")
    if events > MANY_EVENTS:
        print(f"note: some {events:,} events are to be made; that takes {events / EVENTS_A_SECOND / 60:.1f} minutes "
              f"at {EVENTS_A_SECOND} a second, as on a laptop")
    if not again and (doubt := completion.doubt(model, seed)):
        print(f"note: {doubt}")
    if again and (other := again.other_versions()):
        print(f"note: {again.song} was made with {other}")
    seed = replace(seed, path=shown_path(seed.path))
    timings.end("read")

    with progress_of_events(request.variations * most, timings) as progress:
        takes = completion.complete(model, seed, request, progress, again.recipe.variation if again else 1)
    takes = completion.best(takes, parameters.request.variations)
    timings.end("events")
    if not request.has_chance and any(take.collapse and take.collapse.is_loop for take in takes):
        print("note: the likeliest events repeat themselves here; chance would help, or --guard")
    if forced := sum(take.forced for take in takes):
        print(f"note: at {forced} events nothing was left that --novel allows; there the likeliest was taken")
    if again:
        takes = [replace(take, recipe=again.recipe) for take in takes]
    written = {out_path(parameters, place): take for place, take in enumerate(takes, 1)}
    if earlier := [path for path in written if path.exists()]:
        print(f"note: {earlier[0]}{' and others' * (len(earlier) > 1)} was there, made by Serenity and not changed "
              "since; replaced" if not parameters.overwrite else f"note: replaced, as --overwrite says: {earlier[0]}")
    for path, take in written.items():
        completion.write(path, seed, take, overwrite=True)  # files that must stay were refused above
        print(said(path, seed, take, parameters.request.variations))
    timings.end("write")
    show(parameters, seed, written, timings)
    if again:
        is_same = songs[0].read_bytes() == again.song.read_bytes()
        print(f"{songs[0]}: {'the same bytes as' if is_same else 'differs from'} {again.song}")
    if parameters.timings:
        print(timings)


# --- before -----------------------------------------------------------------------------------------------------------

def settle(parameters: Parameters) -> Parameters:
    """Return the parameters, completed by what follows from others, with the example's path in its usual form.

    Raises InputError.
    """
    if not 1 <= parameters.candidates <= 1000:
        raise InputError(f"--candidates {parameters.candidates}, wanted 1 to 1,000")
    if parameters.serve and (given := changed(parameters, NOT_SERVED)):
        raise InputError(f"{given} with --serve; wanted one of them")
    if not parameters.serve and (given := changed(parameters, SERVED)):
        raise InputError(f"{given} without --serve; wanted both")
    is_example = parameters.song.resolve() == config.EXAMPLE_SEED
    return replace(parameters, song=config.EXAMPLE_SEED if is_example else parameters.song,
                   sound=parameters.sound or parameters.soundfont is not None)


def changed(parameters: Parameters, names: Sequence[str]) -> str | None:
    """Return the flag of the first of these parameters that does not have its default; None: all have it."""
    given, usual = values(parameters), values(Parameters())
    for name in names:
        if (value := given[name]) != usual[name]:
            return "OUT.mid" if name == "out" else flag(f"no_{name}" if value is False else name)
    return None


def asked(parameters: Parameters) -> tuple[SeedSettings, Request, "Replay | None"]:
    """Return how the seed is read and what is asked of the continuation: as the flags say, or the recipe of --replay.

    Raises InputError.
    """
    from serenity import replay

    if parameters.replay is None:
        request = parameters.request
        made = max(parameters.candidates, request.variations) if request.has_chance else 1
        return parameters.settings, replace(request, variations=made), None
    if said := changed(parameters, [*values(parameters.request), *values(parameters.settings), "candidates"]):
        raise InputError(f"{said} with --replay: the recipe says how; wanted one of the two")
    named = None if parameters.song == config.EXAMPLE_SEED else parameters.song
    again = replay.read(parameters.replay, named, config.EXAMPLE_SEED)
    return again.settings, again.request, again


def check_paths(parameters: Parameters) -> None:
    """Refuse files that are not there and names that must be mistakes. Raises InputError."""
    from serenity.music import song_file

    if not song_file.file_of(parameters.song)[0].exists():
        raise InputError(f"{parameters.song}: no such file; wanted a MIDI file or a score")
    out = out_path(parameters, 1)
    if out.suffix.lower() not in (".mid", ".midi"):
        raise InputError(f"{out}: wanted a name that ends in .mid")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is not a folder; wanted one to write {out.name} into")


def outputs(parameters: Parameters) -> tuple[list[Path], list[Path]]:
    """Return the paths of the songs that will be written, and of the files beside them."""
    songs = [out_path(parameters, number) for number in range(1, parameters.request.variations + 1)]
    endings = [".png"] * parameters.picture + [".mp3", ".wav"] * parameters.sound + [".musicxml"] * parameters.score
    page = [page_path(parameters)] * (parameters.page and len(songs) > 1)
    return songs, [song.with_suffix(ending) for song in songs for ending in endings] + page


def out_path(parameters: Parameters, number: int) -> Path:
    """Return where variation `number`, counted from 1, is written."""
    out = named_path(parameters)
    return out if parameters.request.variations == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")


def named_path(parameters: Parameters) -> Path:
    """Return the song's path, before several songs are numbered."""
    from serenity.music.song_file import stem

    replay, song = parameters.replay, parameters.song
    default = f"{stem(replay.name)}-again.mid" if replay else f"{stem(song.name)}-serenity.mid"
    is_elsewhere = (replay or song).parent.resolve() != Path.cwd()  # so that nobody looks for it beside the seed
    return parameters.out or (Path.cwd() / default if is_elsewhere else Path(default))


def page_path(parameters: Parameters) -> Path:
    """Return where the page of several variations is written."""
    return named_path(parameters).with_suffix(".html")


# --- meanwhile and after ----------------------------------------------------------------------------------------------

@contextmanager
def progress_of_events(most: int, timings: Timings) -> Iterator[Callable[[int], None]]:
    """Show how many events are made, of `most` at most; the function that is yielded gets this number."""
    from tqdm import tqdm

    with tqdm(total=most, unit=" events", disable=None, leave=False) as bar:
        def progress(done: int) -> None:
            # The prompt counts with the first event.
            timings.end("events" if "prefill" in timings.milliseconds else "prefill")
            bar.update(done - bar.n)

        yield progress


def serve(parameters: Parameters, settings: SeedSettings, request: Request) -> None:
    """Open the studio and keep it open until Ctrl-C."""
    from serenity import completion
    from serenity.listen import audio
    from serenity.studio import server, session

    if not 0 <= parameters.port <= 65535:
        raise InputError(f"port {parameters.port}, wanted 0 to 65535")
    model, soundfont = completion.load(parameters.model), audio.find_soundfont(parameters.soundfont)
    silence = audio.missing(soundfont)
    with session.new_folder(parameters.takes, time.strftime("%Y-%m-%d")) as folder:
        studio = session.Session(model, folder, settings, request, None if silence else soundfont)
        studio.open_file(parameters.song, shown_path(parameters.song))
        with server.running(studio, parameters.port) as served, suppress(KeyboardInterrupt):
            print(*filter(None, [silence]), f"what is made lies in {folder}", f"the studio: {served.address}",
                  "Ctrl-C ends it", sep="\n")
            if parameters.browser and has_display():
                webbrowser.open(served.address)
            threading.Event().wait()
        print(f"\nthe studio is closed; songs made: {len(studio.takes)}")


def has_display() -> bool:
    """Return whether a browser would open a window. A browser in the terminal would hide what is printed there."""
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")))


def shown_path(song: Path) -> Path:
    """Return the path by which songs name their seed: for the example, its path within the project."""
    return song.relative_to(config.ROOT) if song == config.EXAMPLE_SEED else song


def said(path: Path, seed: "Seed", take: "Take", variations: int) -> str:
    """Return a line that describes a song; `variations` is how many songs were asked for."""
    from serenity.music.note import end_time

    end = max(end_time(take.notes), end_time(seed.music.notes))
    return (f"{path}: {take.length}, {len(take.notes)} new notes, {end:.0f} s with the seed; "
            f"{take.bits:.1f} bits an event; novelty: {take.novelty}"
            + (f"; the best of {take.request.variations}" if take.request.variations > 1 == variations else ""))


def show(parameters: Parameters, seed: "Seed", takes: "dict[Path, Take]", timings: Timings) -> None:
    """Draw each song, write its sound if asked for, and put several on a page, the most promising first."""
    from serenity import completion
    from serenity.files import write_whole
    from serenity.listen import audio, show
    from serenity.music import song_file

    songs = {path: completion.song(path.stem, seed, take) for path, take in takes.items()}
    if parameters.picture:
        for path in progress_bar([*takes], "picture"):
            show.save_picture(path.with_suffix(".png"), songs[path])
    timings.end("picture")
    if parameters.score:
        for path in progress_bar([*takes], "score"):
            write_whole(path.with_suffix(".musicxml"), completion.score(seed, takes[path], path.stem))
            print(path.with_suffix(".musicxml"))
    timings.end("score")
    has_page = parameters.page and len(takes) > 1
    if not parameters.sound and not has_page:
        return
    soundfont = audio.find_soundfont(parameters.soundfont)
    if silence := audio.missing(soundfont):
        print(silence)
    if parameters.sound and not silence:
        for path in progress_bar([*takes], "sound"):
            print(show.save_sound(path, songs[path], soundfont))
    timings.end("sound")
    if has_page:
        page = page_path(parameters)
        paths = {take.number: path for path, take in takes.items()}
        ranked = [paths[take.number] for take in completion.rank(takes.values())[:MOST_ON_PAGE]]
        rows = [show.Row(songs[path], path, completion.measures(seed, takes[path]))
                for path in progress_bar(ranked, "measure")]
        title = f"{song_file.stem(parameters.song.name)}: {len(rows)} continuations, the most promising first"
        show.save_page(page, title, progress_bar(rows, "page"), None if silence else soundfont, silence or "")
        print(f"{page}: to compare them; the most promising first: {', '.join(path.stem for path in ranked)}")
        timings.end("page")


def progress_bar(items: Sequence, of: str) -> Sequence:
    """Return the items; in a terminal, a loop over several of them shows its progress."""
    from tqdm import tqdm

    return tqdm(items, of, len(items), leave=False, disable=None if len(items) > 1 else True)


def kept(parameters: Parameters) -> str:
    """Return what an interruption leaves: songs are written when all are made."""
    return "what is written is whole; to make the rest, run the same command again"


if __name__ == "__main__":
    run(main, Parameters, kept)
