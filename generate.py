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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import config
from serenity.command_line import Timings, flag, run, values
from serenity.errors import InputError
from serenity.request import Files, Request, SeedSettings

if TYPE_CHECKING:  # at run time only once the arguments are known: so --help answers at once
    from serenity.completion import Model, Seed, Take
    from serenity.replay import Replay

STARTED = time.perf_counter()  # for --timings
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for products of one row a second thread only costs time
MANY_EVENTS = 5000        # if more are to be made, the user is told how long it takes
EVENTS_A_SECOND = 200     # on a laptop
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
    files: Files = Files()

    # Output: how the song is written.
    timings: bool = False            # print how long each phase took, in ms
    replay: Path | None = None       # make this song again, from the recipe inside it

    # Studio: songs are made in the browser, on this machine alone.
    serve: bool = False              # open the studio with SEED.mid
    takes: Path = Path("takes")      # folder in which a new one is made for the songs of this studio
    port: int = 0                    # of the page's address; 0: any that is free
    browser: bool = True             # open the page; it can be opened by hand as well


def main(parameters: Parameters) -> None:
    """Check the arguments, load the model, read the seed, complete it, write and show the songs."""
    timings = Timings(STARTED)
    from serenity import completion, outputs

    check(parameters)
    settings, request, again = asked(parameters)
    if parameters.serve:
        serve(parameters, settings, request)
        return
    song, number = seed_path(parameters), parameters.request.variations
    named = outputs.named(parameters.replay or song, parameters.out, "again" if again else "serenity")
    written = outputs.Outputs(named, number, parameters.files)
    written.check(read=[again.seed, again.song] if again else [song])
    timings.end("import")

    model = completion.load(parameters.model)
    if again:
        again.check_model(model)
    timings.end("load")
    seed = again.read_seed(model) if again else completion.read_seed(song, model, settings)
    print(f"seed: {seed.path}", *seed.report(), sep="\n  ")
    say_notes(notes_before(model, seed, request, again))
    seed = replace(seed, path=shown_path(seed.path))
    timings.end("read")

    takes = make(model, seed, request, again, timings)
    best = dict(zip(written.songs, completion.best(takes, number)))
    say_notes(notes_after(request, best, parameters.files.overwrite))
    for path, take in best.items():
        completion.write(path, seed, take, overwrite=True)  # files that must stay were refused above
        chosen = f"; the best of {request.variations}" if request.variations > 1 == number else ""
        print(f"{path}: {take.report(seed)}{chosen}")
    timings.end("write")
    for kind, lines in written.write_beside(seed, best, progress_bar):
        print(*lines, sep="\n", end="\n" * bool(lines))
        timings.end(kind)
    if again:
        is_same = named.read_bytes() == again.song.read_bytes()
        print(f"{named}: {'the same bytes as' if is_same else 'differs from'} {again.song}")
    if parameters.timings:
        print(timings)


# --- before -----------------------------------------------------------------------------------------------------------

def check(parameters: Parameters) -> None:
    """Refuse what cannot work before anything slow is done. Raises InputError."""
    from serenity.listen import audio
    from serenity.music import song_file

    if not 1 <= parameters.candidates <= 1000:
        raise InputError(f"--candidates {parameters.candidates}, wanted 1 to 1,000")
    if not 0 <= parameters.port <= 65535:
        raise InputError(f"--port {parameters.port}, wanted 0 to 65535")
    if parameters.serve and (given := changed(parameters, NOT_SERVED)):
        raise InputError(f"{given} with --serve; wanted one of them")
    if not parameters.serve and (given := changed(parameters, SERVED)):
        raise InputError(f"{given} without --serve; wanted both")
    if parameters.replay is None and not song_file.file_of(parameters.song)[0].exists():
        raise InputError(f"{parameters.song}: no such file; wanted a MIDI file or a score")
    if parameters.files.soundfont is not None:
        audio.find_soundfont(parameters.files.soundfont)


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
    song = seed_path(parameters)
    named = None if song == config.EXAMPLE_SEED else song
    again = replay.read(parameters.replay, named, config.EXAMPLE_SEED)
    return again.settings, again.request, again


def seed_path(parameters: Parameters) -> Path:
    """Return the seed's path: for the example always the same one, however it is spelled."""
    return config.EXAMPLE_SEED if parameters.song.resolve() == config.EXAMPLE_SEED else parameters.song


def shown_path(song: Path) -> Path:
    """Return the path by which songs name their seed: for the example, its path within the project."""
    return song.relative_to(config.ROOT) if song == config.EXAMPLE_SEED else song


# --- meanwhile --------------------------------------------------------------------------------------------------------

def make(model: "Model", seed: "Seed", request: Request, again: "Replay | None", timings: Timings) -> "list[Take]":
    """Return the continuations, and show how many events are made until then."""
    from serenity import completion

    def progress(done: int) -> None:
        # The prompt counts with the first event.
        timings.end("events" if "prefill" in timings.milliseconds else "prefill")
        bar.update(done - bar.n)

    with progress_bar(range(request.variations * completion.length(seed, request).events), "events") as bar:
        takes = completion.complete(model, seed, request, progress, again.recipe.variation if again else 1)
    timings.end("events")
    return [replace(take, recipe=again.recipe) for take in takes] if again else takes


def notes_before(model: "Model", seed: "Seed", request: Request, again: "Replay | None") -> Iterator[str]:
    """Yield what the user should know before the song is made."""
    from serenity import completion

    events = completion.expected_events(seed, request)
    if events > MANY_EVENTS:
        yield (f"some {events:,} events are to be made; that takes {events / EVENTS_A_SECOND / 60:.1f} minutes at "
               f"{EVENTS_A_SECOND} a second, as on a laptop")
    wanted, beats = seed.settings.bpm, seed.music.song.beats
    if wanted is not None and beats.source == "found":
        yield f"--bpm {wanted:g} does not fit the notes; {beats.bpm:.0f} BPM is taken"
    if not again and (doubt := completion.doubt(model, seed)):
        yield doubt
    if again and (other := again.other_versions()):
        yield f"{again.song} was made with {other}"


def notes_after(request: Request, best: "dict[Path, Take]", overwrite: bool) -> Iterator[str]:
    """Yield what the user should know before the songs are written."""
    if not request.has_chance and any(take.collapse and take.collapse.is_loop for take in best.values()):
        yield "the likeliest events repeat themselves here; chance would help, or --guard"
    if forced := sum(take.forced for take in best.values()):
        yield f"at {forced} events nothing was left that --novel allows; there the likeliest was taken"
    if earlier := [path for path in best if path.exists()]:
        named = f"{earlier[0]}{' and others' * (len(earlier) > 1)}"
        yield (f"replaced, as --overwrite says: {named}" if overwrite else
               f"{named} was there, made by Serenity and not changed since; replaced")


def say_notes(notes: Iterator[str]) -> None:
    """Print what the user should know."""
    for note in notes:
        print(f"note: {note}")


def progress_bar(items: Sequence, of: str) -> Sequence:
    """Return the items; in a terminal, a loop over several of them shows its progress."""
    from tqdm import tqdm

    return tqdm(items, of, len(items), leave=False, disable=None if len(items) > 1 else True)


# --- the studio -------------------------------------------------------------------------------------------------------

def serve(parameters: Parameters, settings: SeedSettings, request: Request) -> None:
    """Open the studio and keep it open until Ctrl-C."""
    from serenity import completion
    from serenity.listen import audio
    from serenity.studio import server, session

    model, soundfont = completion.load(parameters.model), audio.find_soundfont(parameters.files.soundfont)
    silence, song = audio.missing(soundfont), seed_path(parameters)
    with session.new_folder(parameters.takes, time.strftime("%Y-%m-%d")) as folder:
        studio = session.Session(model, folder, settings, request, None if silence else soundfont)
        studio.open_file(song, shown_path(song))
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


def kept(parameters: Parameters) -> str:
    """Return what an interruption leaves: songs are written when all are made."""
    return "what is written is whole; to make the rest, run the same command again"


if __name__ == "__main__":
    run(main, Parameters, kept)
