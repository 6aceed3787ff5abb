"""Complete a song: read a seed, a MIDI file or a score, and write the seed with its continuation.

    generate.py                            the example intro -> intro-serenity.mid
    generate.py SEED.mid [OUT.mid]         your own seed
    generate.py SEED.mid --variations 4 --seed 7
    generate.py --replay OUT.mid           the same song again, from the recipe inside the file
"""

import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

import config
from serenity.command_line import flag, run
from serenity.errors import InputError
from serenity.music.categories import CATEGORIES, CategoryName
from serenity.timings import Timings

STARTED = time.perf_counter()  # for --timings
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # products of one row: a second thread only slows them
LONGEST = 100_000         # events of one continuation
MOST_EVENTS = 1_000_000   # of all variations together
DEFAULT_EVENTS = 512
MANY_EVENTS = 5000        # from here on the user waits for a minute or more
MATCHED = 100             # notes before the join: nearer to real songs than the whole prompt (docs/history.md)
MOST_ON_PAGE = 24         # variations; the sound of more would take minutes to render
MOST_EVENTS_A_SECOND = 30  # no music is faster: a model that lets no time pass would never reach --seconds or --bars


def per_attribute(kind: type):
    """Return how tyro reads a number for all attributes, or one for some: "16", "pitch=16,step=8"."""
    def parse(arguments: list[str]):
        text, = arguments
        if "=" not in text:
            return kind(text)
        return {name.strip(): kind(value) for name, _, value in (part.partition("=") for part in text.split(","))}

    def show(value) -> list[str]:
        return [",".join(f"{name}={each}" for name, each in value.items()) if isinstance(value, dict) else str(value)]

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1, metavar="N|pitch=N,step=N,..", instance_from_str=parse, str_from_instance=show,
        is_instance=lambda value: isinstance(value, kind | dict))


PerAttribute = Annotated[float | dict[str, float], per_attribute(float)]
WholePerAttribute = Annotated[int | dict[str, int], per_attribute(int)]


@dataclass(frozen=True)
class Parameters:
    """Complete a song from its beginning, in its own key and tempo.

    Flags marked * take one value for all, or one for each of pitch, step, duration, velocity: --top-k pitch=16,step=8
    """

    song: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="SEED.mid")]] = config.EXAMPLE_SEED  # the intro
    # the song; None: SEED-serenity.mid
    out: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="OUT.mid")]] = None
    model: Path = config.MODEL       # the model's folder

    # Length: give one of these. Without any: 512 events.
    events: int | None = None        # number of new events; an event is a note or a chord
    seconds: float | None = None     # seconds after the seed's last onset; if that note is held, after its last bar
    bars: int | None = None          # whole bars after the seed's last bar

    # Prompt: the part of the seed to continue. Give one of these; without any: all of it. The rest is left out.
    prompt_events: int | None = None  # the first so many events
    prompt_last: int | None = None    # the last so many events
    prompt_seconds: tuple[float, float] | None = None  # what begins between these two times, in seconds

    # Beats: where they are in the seed, if you know it better than Serenity.
    bpm: float | None = None         # quarters per minute
    metre: str | None = None         # time signature, such as 3/4 or 6/8
    first_beat: float | None = None  # time in seconds at which a bar begins
    level: Literal["half", "as-found", "double"] = "as-found"  # half: half as many beats as found; double: twice

    # Drawing: how the next event is chosen. With the defaults, songs go on most like real songs.
    temperature: PerAttribute = 0.9  # *below 1: safer; above 1: bolder; 0: always the likeliest
    top_k: WholePerAttribute = 0     # *choose among so many of the likeliest; 0: all; 1: only the first, which loops
    top_p: PerAttribute = 1.0        # *choose among the likeliest that together have this probability
    min_p: PerAttribute = 0.0        # *choose among those at least so probable as this share of the likeliest
    seed: int = 0                    # number that chance starts from: the same number gives the same song
    variations: int = 1              # number of songs: OUT-1.mid, OUT-2.mid ..., and a page that ranks them
    guard: bool = False              # prevent loops: what is repeated too often becomes less likely
    may_end: bool = False            # the song may end early, where the model would end it
    novel: int | None = None         # longest run of chords that may be as in a training song; 7 or more
    # instrument: which tracks are read, and which range is kept; None: the model's
    category: CategoryName | None = None
    tracks: str | None = None        # read these tracks of the seed, by number or name as reported: 1,3 or "Organ"

    # Output: how the song is written.

    # separate: the seed as it is, and a track for the continuation; two: a track for each; joined: one track for both;
    # alone: only the continuation
    layout: Literal["separate", "two", "joined", "alone"] = "separate"
    match_velocity: bool = True      # make the continuation as loud as the prompt's last 100 notes
    # edit the continuation, for example thin,swell=20. There are: thin (only melody and bass), quantise (share, 0.5),
    # legato (over rests up to 1 s), smooth (share, 0.5), swell (velocity, 16), accent (velocity of the melody, 12),
    # humanise (0.012 s), pedal, curve (CC 11)
    after: str = ""
    # write the beats that were found as tempo map and bars: so a DAW's grid fits music that was played freely. Every
    # note stays at its second
    write_beats: bool = False
    picture: bool = True             # draw a piano roll of each song, OUT.png
    page: bool = True                # with variations: write OUT.html, with picture and sound of each, ranked
    sound: bool = False              # write the sound of each song, OUT.mp3; this takes longer than to make the song
    soundfont: Path | None = None    # turn on --sound, with this SoundFont (.sf2); None: one that is installed
    timings: bool = False            # print how long each phase took, in ms
    replay: Path | None = None       # make this song again, from the recipe inside it
    overwrite: bool = False          # replace files that are there already, except the seed


# The flags that determine a song, beside its model and seed: the recipe keeps them, and --replay takes them from it.
MUSIC = ("events", "seconds", "bars", "prompt_events", "prompt_last", "prompt_seconds", "bpm", "metre", "first_beat",
         "level", "temperature", "top_k", "top_p", "min_p", "seed", "guard", "may_end", "novel", "category", "tracks",
         "layout", "match_velocity", "after", "write_beats")
DRAWING = ("temperature", "top_k", "top_p", "min_p")  # the fields of Sampling
RANGES = {  # flag -> lowest, highest
    "events": (1, LONGEST), "seconds": (0.1, 24 * 3600), "bars": (1, 10_000), "prompt_events": (1, LONGEST),
    "prompt_last": (1, LONGEST), "seed": (0, 2**64 - 1), "variations": (1, 1000), "novel": (1, LONGEST),
}
AMOUNT = {"quantise": "quantise", "legato": "reach", "smooth": "smooth", "swell": "swell", "accent": "accent",
          "humanise": "humanise", "pedal": "release"}  # name in --after -> field of ExpressionSettings
LEVELS = {"half": 0.5, "as-found": 1.0, "double": 2.0}  # quarters for each one found
ONE_OF = (("events", "seconds", "bars"), ("prompt_events", "prompt_last", "prompt_seconds"))


def main(parameters: Parameters) -> None:
    """Check the arguments, read the seed, load the model, complete, write."""
    timings, old = Timings(STARTED), None
    if parameters.replay is not None:
        parameters, old = from_recipe(parameters)
    parameters = settle(parameters)
    check(parameters)
    from serenity.listen import audio
    from serenity.model import checkpoint, recipe
    from serenity.tokens import seed as seeds
    from serenity.tokens.playable import playable

    sampling, after, known = samplings(parameters), edits(parameters), hints(parameters)
    parameters = spelled_out(parameters, sampling)
    if parameters.soundfont is not None:
        audio.find_soundfont(parameters.soundfont)
    has_chance = not all(each.is_greedy for each in sampling.values())
    if parameters.variations > 1 and not has_chance:
        raise InputError(f"--variations {parameters.variations} without chance are all the same song; "
                         "wanted neither --top-k 1 nor --temperature 0")
    check_outputs(parameters)
    timings.end("import")
    score, part = seed_score(parameters, old)
    settings, vocabulary = checkpoint.read_settings(parameters.model)
    parameters = replace(parameters, category=parameters.category or settings.codec.category)
    try:
        seed = read_seed(parameters, score, part, settings.codec, vocabulary, known)
        until = length(parameters, seed)
        allowed = playable(vocabulary.pitch, seed.encoded.transposition, CATEGORIES[parameters.category])
    except InputError as error:
        raise InputError(f"{parameters.song}: {error}") from None
    print(f"seed: {parameters.song}", *seeds.report(seed), sep="\n  ")
    if (events := parameters.variations * expected(seed, until)) > MANY_EVENTS:
        print(f"note: some {events:,} events are to be made; that takes minutes")
    timings.end("read")

    fingerprint = recipe.model_sha256(parameters.model, parameters.novel is not None)
    if old and old.model_sha256 != fingerprint:
        raise InputError(f"{parameters.replay} was made by another model, {old.model} {old.model_sha256[:12]}; "
                         f"{parameters.model} is {fingerprint[:12]}; name that one with --model")
    if old and (other := recipe.differing(old.versions)):
        print(f"note: {parameters.replay} was made with {other}")
    model = checkpoint.with_weights(parameters.model, settings, vocabulary)
    index = checkpoint.read_novelty(parameters.model)
    timings.end("load")
    first = old.variation if old else 1
    made = complete(parameters, seed, until, sampling, allowed, model, index, timings, first)
    takes = [take_of(parameters, seed, vocabulary, index, after, until, number, continuation)
             for number, continuation in enumerate(made, first) if len(continuation.tokens)]
    takes = [take for take in takes if len(take.track.notes)]
    if not takes:
        why = ("the model ends the song where the seed ends; wanted another --seed, or no --may-end" if until[1] is None
               else "the model would not go on within this time; wanted a longer one")
        raise InputError(f"{parameters.song}: {why}")

    if not has_chance and any(seeds.loops(continuation.tokens) for continuation in made):
        print("note: the likeliest events repeat themselves here; chance would help, or --guard")
    if forced := sum(continuation.forced for continuation in made):
        print(f"note: at {forced} events nothing was left that --novel allows; there the likeliest was taken")
    for take in takes:
        write(parameters, seed, take, old or make_recipe(parameters, seed, fingerprint, take.number))
    timings.end("write")
    show(parameters, seed, takes, timings)
    if old:
        is_same = takes[0].path.read_bytes() == parameters.replay.read_bytes()
        print(f"{takes[0].path}: {'the same bytes as' if is_same else 'differs from'} {parameters.replay}")
    if parameters.timings:
        print(timings)


# --- before -----------------------------------------------------------------------------------------------------------

def settle(parameters: Parameters) -> Parameters:
    """Return the parameters with the defaults that depend on other flags."""
    if not any(getattr(parameters, name) is not None for name in ONE_OF[0]):
        parameters = replace(parameters, events=DEFAULT_EVENTS)
    if parameters.song.resolve() == config.EXAMPLE_SEED:  # however its path is spelled
        parameters = replace(parameters, song=config.EXAMPLE_SEED)
    return replace(parameters, sound=parameters.sound or parameters.soundfont is not None)


def check(parameters: Parameters) -> None:
    """Refuse what cannot work before anything is read. Raises InputError."""
    from serenity.music import song_file

    for name, (lowest, highest) in RANGES.items():
        value = getattr(parameters, name)
        if value is not None and not lowest <= value <= highest:
            raise InputError(f"{flag(name)} {value}, wanted {lowest} to {highest:,}")
    for names in ONE_OF:
        given = [name for name in names if getattr(parameters, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(map(flag, given))}: wanted one of them")
    if parameters.prompt_seconds and not 0 <= parameters.prompt_seconds[0] < parameters.prompt_seconds[1] < 1e9:
        raise InputError(f"--prompt-seconds {' '.join(map(str, parameters.prompt_seconds))}, wanted two times, the "
                         "earlier first, in seconds")
    if not song_file.file_of(parameters.song)[0].exists():
        raise InputError(f"{parameters.song}: no such file; wanted a MIDI file (.mid)")
    out = out_path(parameters, 1)
    if out.suffix.lower() not in (".mid", ".midi"):
        raise InputError(f"{out}: wanted a name that ends in .mid")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is not a folder; wanted one to write {out.name} into")


def check_outputs(parameters: Parameters) -> None:
    """Refuse what cannot be written, before the work: a name too long, a file of the user's. Raises InputError."""
    from serenity.files import try_to_write

    songs = [out_path(parameters, number) for number in range(1, parameters.variations + 1)]
    endings = [".png"] * parameters.picture + [".mp3", ".wav"] * parameters.sound
    beside = [song.with_suffix(ending) for song in songs for ending in endings]
    if parameters.page and len(songs) > 1:
        beside.append(page_path(parameters))
    for path in (*songs, *beside):
        try:
            if any(same_file(path, read) for read in (parameters.song, parameters.replay)):
                raise InputError(f"{path} is read as well; wanted another name for the song")
            if path.is_dir():
                raise InputError(f"{path} is a folder; wanted a file's name")
            try_to_write(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); wanted another name or folder") from None
    if parameters.overwrite:
        return
    ours = {song for song in songs if is_ours(song)}
    for path in (*(song for song in songs if song not in ours), *(beside if not ours else ())):
        if path.exists():
            raise InputError(f"{path} is there, and not as Serenity wrote it; wanted another name, or --overwrite")


def same_file(one: Path, other: Path | None) -> bool:
    """Return whether two paths lead to one file."""
    return other is not None and one.exists() and other.exists() and one.samefile(other)


def is_ours(path: Path) -> bool:
    """Return whether a song that stands there is one of Serenity's, and still as it was written."""
    from serenity.model import recipe
    from serenity.music import chunks, midi_file

    try:
        return path.exists() and recipe.is_untouched(chunks.split(midi_file.read_bytes(path)))
    except InputError:  # no MIDI file
        return False


def out_path(parameters: Parameters, number: int) -> Path:
    """Return where variation `number`, counted from 1, is written."""
    from serenity.music.song_file import stem

    replay, song = parameters.replay, parameters.song
    default = f"{stem(replay.name)}-again.mid" if replay else f"{stem(song.name)}-serenity.mid"
    out = parameters.out or Path(default)
    return out if parameters.variations == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")


def page_path(parameters: Parameters) -> Path:
    """Return where the page of several variations is written."""
    return out_path(replace(parameters, variations=1), 1).with_suffix(".html")


def from_recipe(parameters: Parameters):
    """Return the parameters by which the song of --replay was made, and its recipe.

    Its seed is taken out of the song itself, or, where the layout leaves that out, found by its contents.
    """
    from serenity.model import recipe as recipes
    from serenity.music import chunks, midi_file

    default = Parameters()
    for name in (*MUSIC, "variations"):
        if getattr(parameters, name) != getattr(default, name):
            raise InputError(f"{flag(name)} with --replay: the recipe says how; wanted one of the two")
    try:
        song = chunks.split(midi_file.read_bytes(parameters.replay))
        recipe = recipes.read(song)
        flags = recipes.check_flags(recipe.flags, Parameters, MUSIC)
        recipes.part_from_dict(recipe.part)
    except InputError as error:
        raise InputError(f"{parameters.replay}: {error}") from None
    places = [parameters.song]
    if parameters.song == config.EXAMPLE_SEED:  # none was named
        places = [Path(recipe.seed), parameters.replay.parent / Path(recipe.seed).name, config.EXAMPLE_SEED]
    found = parameters.replay if recipes.seed_in(song) else recipes.find_seed(recipe, places)
    if found is None:
        where = "not there" if parameters.song == config.EXAMPLE_SEED else f"not {parameters.song}"
        raise InputError(f"{parameters.replay}: its seed {recipe.seed} is {where}, or is not as it was; wanted: "
                         f"generate.py SEED.mid --replay {parameters.replay}, and OUT.mid after the seed if you like")
    return replace(parameters, song=found, **flags), recipe


def seed_score(parameters: Parameters, old):
    """Return the seed's score: of a file, or as it stands in a song that is made again; and what is known of it from
    the whole, where that is a part. Raises InputError.
    """
    from serenity.model import recipe
    from serenity.music import chunks, midi_file, song_file

    if parameters.song != parameters.replay:
        return song_file.read(parameters.song), None
    held = recipe.seed_in(midi_file.read(parameters.song).chunks)
    return midi_file.parse(chunks.join(held)), recipe.part_from_dict(old.part)


def read_seed(parameters: Parameters, score, part, codec, vocabulary, known):
    """Return the seed of a score. Raises InputError."""
    from serenity.tokens import seed as seeds

    if part:
        return seeds.read_part(score, parameters.category, codec, vocabulary, part)
    return seeds.read(score, parameters.category, codec, vocabulary, parameters.prompt_events, parameters.prompt_last,
                      parameters.prompt_seconds, known, listed(parameters.tracks))


def make_recipe(parameters: Parameters, seed, fingerprint: str, number: int):
    """Return the recipe of a variation by a model of that fingerprint; what the song is will be filled in."""
    from serenity.model import recipe

    is_example = parameters.song == config.EXAMPLE_SEED  # its place on this machine helps nobody
    song = parameters.song.relative_to(config.ROOT) if is_example else parameters.song
    model, song = recipe.one_line(parameters.model.resolve().name), recipe.one_line(str(song))
    whole = recipe.digest((seed.whole or seed).score.chunks)
    return recipe.Recipe(model, fingerprint, song, whole, recipe.part_to_dict(seed), recipe.NOTHING, number,
                         recipe.plain(parameters, MUSIC), recipe.versions())


def samplings(parameters: Parameters) -> dict:
    """Return how each attribute is drawn. Raises InputError."""
    from serenity.model.sampling import Sampling
    from serenity.tokens.vocabulary import ATTRIBUTES

    columns = {}
    for name in DRAWING:
        value, default = getattr(parameters, name), getattr(Parameters, name)
        values = value if isinstance(value, dict) else dict.fromkeys(ATTRIBUTES, value)
        if odd := set(values) - set(ATTRIBUTES):
            raise InputError(f"{flag(name)} {min(odd)!a}, wanted {', '.join(ATTRIBUTES)}")
        columns[name] = [values.get(attribute, default) for attribute in ATTRIBUTES]
    return {attribute: Sampling(*row) for attribute, row in zip(ATTRIBUTES, zip(*columns.values()))}


def spelled_out(parameters: Parameters, sampling: dict) -> Parameters:
    """Return the parameters with what is said of some attributes said of all: so a recipe outlives the defaults."""
    return replace(parameters, **{name: {attribute: getattr(each, name) for attribute, each in sampling.items()}
                                  for name in DRAWING if isinstance(getattr(parameters, name), dict)})


def edits(parameters: Parameters) -> tuple:
    """Return the names of --after and their ExpressionSettings, or nothing. Raises InputError."""
    if not parameters.after:
        return ()
    from serenity.music.expression import APPLY, ExpressionSettings

    amounts = {"seed": parameters.seed % 2**63}
    names = [part.partition("=")[::2] for part in parameters.after.split(",")]
    for name, amount in names:
        if name not in APPLY or amount and name not in AMOUNT:
            raise InputError(f"--after {name!a}{' with an amount' * (name in APPLY)}; wanted names of "
                             f"{', '.join(APPLY)}; an amount, as in swell=20, for {', '.join(AMOUNT)}")
        if amount:
            try:
                amounts[AMOUNT[name]] = float(amount)
            except ValueError:
                raise InputError(f"--after {name}={amount!a}, wanted a number") from None
    return [name for name, _ in names], ExpressionSettings(**amounts)


def hints(parameters: Parameters):
    """Return what the user knows of the seed's beats. Raises InputError."""
    from serenity.music.beats import Hints

    metre = None
    if parameters.metre is not None:
        parts = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", parameters.metre)
        if not parts:
            raise InputError(f"--metre {parameters.metre[:40]!a}, wanted a time signature such as 3/4 or 6/8")
        metre = int(parts[1]), int(parts[2])
    return Hints(parameters.bpm, metre, parameters.first_beat, LEVELS[parameters.level])


def listed(tracks: str | None) -> tuple[str, ...]:
    """Return the numbers and names in --tracks."""
    return tuple(part.strip() for part in tracks.split(",")) if tracks is not None else ()


def expected(seed, until: tuple[int, int | None]) -> int:
    """Return about how many events a continuation up to there has, as close together as in the seed."""
    events, points = until
    return events if points is None else int(seed.events * seed.seconds_after(points) / max(seed.start, 1.0))


def length(parameters: Parameters, seed) -> tuple[int, int | None]:
    """Return how many events to make at most, and how many grid points after the prompt's last onset the song ends."""
    from serenity.tokens.seed import steps_until

    until = steps_until(seed, parameters.bars, parameters.seconds)
    if until is None:
        return parameters.events, None
    seconds = seed.seconds_after(until)
    return min(LONGEST, DEFAULT_EVENTS + int(MOST_EVENTS_A_SECOND * seconds)), until


# --- the continuations ------------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Take:
    """One continuation, with a note or more."""

    number: int       # variation, from 1
    path: Path        # of its MIDI file
    track: object     # midi_file.Track, in the time of the seed's score
    events: int
    bits: float       # an event, under the model: the fewer, the likelier
    run: int | None   # events of its longest run that stands in a training song; None: the model cannot tell

    @property
    def novelty(self) -> str:
        """How long a run stands in a training song, in words."""
        if self.run is None:
            return "not known"
        return f"{self.run} events in a row as in a training song" if self.run else "no run as in a training song"


def complete(parameters: Parameters, seed, until: tuple[int, int | None], sampling: dict, allowed, model, index,
             timings: Timings, first: int) -> list:
    """Return the continuations as generation.complete makes them, from variation `first` on, counted from 1."""
    from tqdm import tqdm

    from serenity.model import generation
    from serenity.model.sampling import Guard
    from serenity.tokens import novelty
    from serenity.tokens import seed as seeds

    events, until = until
    if events * parameters.variations > MOST_EVENTS:
        raise InputError(f"--variations {parameters.variations} of up to {events:,} events each; wanted "
                         f"{MOST_EVENTS:,} events at most in all")
    refuse = None
    if parameters.novel is not None:
        if index is None:
            raise InputError(f"--novel {parameters.novel}: {parameters.model} has no index of its training songs")
        refuse = novelty.veto(index, model.vocabulary, parameters.novel)
    with tqdm(total=events * parameters.variations, unit=" events", disable=None, leave=False) as bar:
        def progress(done: int) -> None:
            # The prompt counts with the first event.
            timings.end("events" if "prefill" in timings.milliseconds else "prefill")
            bar.update(done - bar.n)

        made = generation.complete(
            model, seed.prompt, events, sampling, parameters.seed, parameters.variations, until=until,
            first_step=seeds.first_step(seed, model.vocabulary), guard=Guard() if parameters.guard else None,
            allowed={"pitch": allowed}, may_end=parameters.may_end, refuse=refuse, progress=progress,
            skipped=first - 1)
    timings.end("events")
    return made


def take_of(parameters: Parameters, seed, vocabulary, index, after: tuple, until: tuple[int, int | None], number: int,
            continuation) -> Take:
    """Return a continuation in the seed's key and time, edited as the parameters say."""
    import numpy as np

    from serenity.music import layout
    from serenity.tokens import novelty
    from serenity.tokens import seed as seeds
    from serenity.tokens.vocabulary import SPECIALS

    rng = np.random.default_rng([parameters.seed, number])
    notes = seeds.continue_notes(seed, continuation.tokens, vocabulary, rng)
    if parameters.match_velocity:
        notes = layout.match_velocities(notes, seed.notes[-MATCHED:])
    track = layout.continuation_track(seed.choice.tracks, notes)
    if after:
        from serenity.music import expression

        track = expression.apply(track, *after, seed.tempo_map)
    if until[1] is not None:
        track = layout.trim(track, seed.start + (parameters.seconds or seed.seconds_after(until[1])))
    bits = float(continuation.bits.sum(axis=1).mean())
    run = None
    if index is not None:  # a run may begin in the prompt
        before = seed.prompt[seed.prompt[:, 0] >= SPECIALS][1 - index.events:]
        chords = vocabulary.pitch.decode(np.concatenate([before, continuation.tokens])[:, 0])
        run = novelty.longest_run(index, chords, len(before)).length
    return Take(number, out_path(parameters, number), track, len(continuation.tokens), bits, run)


# --- after ------------------------------------------------------------------------------------------------------------

def write(parameters: Parameters, seed, take: Take, recipe) -> None:
    """Write a song with its recipe, and say what it is."""
    import hashlib

    from serenity.files import write_whole
    from serenity.model.recipe import to_text
    from serenity.music.note import end_time

    bare = song_of(parameters, seed, take, [])
    recipe = replace(recipe, song_sha256=hashlib.sha256(bare).hexdigest())
    write_whole(take.path, song_of(parameters, seed, take, [to_text(recipe)]))
    notes = take.track.notes
    end = max(end_time(notes), end_time(seed.notes))
    print(f"{take.path}: {take.events} events, {len(notes)} new notes, {end:.0f} s with the seed; "
          f"{take.bits:.1f} bits an event; novelty: {take.novelty}")


def song_of(parameters: Parameters, seed, take: Take, texts: list[str]) -> bytes:
    """Return a song's MIDI file: the seed's as it is and one track more, or as --layout and --write-beats say."""
    from serenity.model.recipe import is_recipe
    from serenity.music import beats, chunks, layout, midi_file

    score = seed.score
    if parameters.layout == "separate" and not parameters.write_beats:
        return chunks.join(layout.append(score.chunks, take.track, score.tempo_map, seed.file_map, texts))
    tracks = layout.lay_out(seed.choice.tracks, take.track, parameters.layout)
    clock = beats.as_file_map(seed.tempo_map) if parameters.write_beats else seed.file_map
    return midi_file.to_bytes(tracks, clock, [*texts, *(text for text in score.texts if not is_recipe(text))])


def show(parameters: Parameters, seed, takes: list[Take], timings: Timings) -> None:
    """Draw each song, play it where asked for, and put several on a page, the likeliest first."""
    from serenity.listen import audio, show
    from serenity.music import song_file

    songs = {take: show.Song(take.path.stem, replace(seed.score, tracks=(*seed.score.tracks, take.track)),
                             seed.tempo_map, float(take.track.notes["onset"][0])) for take in takes}
    if parameters.picture:
        for take, song in progress_bar(songs.items(), "picture"):
            show.save_picture(take.path.with_suffix(".png"), song)
    timings.end("picture")
    has_page = parameters.page and len(takes) > 1
    if not parameters.sound and not has_page:
        return
    soundfont = audio.find_soundfont(parameters.soundfont)
    if silence := audio.missing(soundfont):
        print(silence)
    if parameters.sound and not silence:
        for take, song in progress_bar(songs.items(), "sound"):
            print(show.save_sound(take.path, song, soundfont))
    timings.end("sound")
    if has_page:
        page = page_path(parameters)
        ranked = sorted(takes, key=lambda take: take.bits)[:MOST_ON_PAGE]
        rows = [show.Row(songs[take], take.path, measured(take, seed)) for take in progress_bar(ranked, "measure")]
        title = f"{song_file.stem(parameters.song.name)}: {len(rows)} continuations, the likeliest first"
        show.save_page(page, title, progress_bar(rows, "page"), None if silence else soundfont, silence or "")
        print(f"{page}: to compare them; the likeliest first: {', '.join(take.path.stem for take in ranked)}")
        timings.end("page")


def progress_bar(items, of: str):
    """Return the items, which are shown while they are gone through where there are several and a terminal."""
    from tqdm import tqdm

    return tqdm(items, of, len(items), leave=False, disable=None if len(items) > 1 else True)


def measured(take: Take, seed) -> dict[str, str]:
    """Return what can be said of a continuation in numbers, for the page."""
    from serenity.music import harmony, quality
    from serenity.music.note import end_time
    from serenity.music.song import beat_edges

    notes = take.track.notes
    chords = harmony.find_chords(notes, beat_edges(seed.tempo_map, end_time(notes)))
    values = quality.measure(notes, notes, chords, seed.encoded.key)
    return {"likelihood": f"{take.bits:.1f} bits an event", "length": f"{take.events} events",
            "repetition": f"{values['longest_repeat']:.0%} in the longest figure that goes round",
            "harmony": f"{values['diatonic_chords']:.0%} of the time on chords of the key",
            "novelty": take.novelty}


def kept(parameters: Parameters) -> str:
    """Return what an interruption leaves: songs are written when all are made."""
    return "what is written is whole; to make the rest, run the same command again"


if __name__ == "__main__":
    run(main, Parameters, kept)
