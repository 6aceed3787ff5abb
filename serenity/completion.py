"""Complete songs: what generate.py does, in four lines.

    model = completion.load("models/serenity-mini")
    seed = completion.read_seed("song.mid", model)
    take, = completion.complete(model, seed, completion.Request(bars=16))
    completion.write("song-2.mid", seed, take)

A seed is read as SeedSettings say and continued as a Request says. Each continuation is a Take, and a song that is
written holds the recipe by which it can be made again (see serenity/replay.py).
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serenity.categories import CATEGORIES
from serenity.errors import InputError, SettingError
from serenity.files import check_output, write_whole
from serenity.listen import show
from serenity.model import checkpoint, closing, generation
from serenity.model import recipe as recipes
from serenity.model.checkpoint import Checkpoint
from serenity.model.generation import Continuation, Guard
from serenity.model.recipe import Recipe
from serenity.music import beats, chunks, engraving, expression, layout, midi_file
from serenity.music.chunks import Chunks
from serenity.music.midi_file import Track
from serenity.music.nearness import SPECK, Collapse, Nearness, judge, standing
from serenity.music.note import end_time, merge_tables
from serenity.music.remarks import Remark, remarks
from serenity.music.song_file import read as read_song_file
from serenity.music.tempo_map import NEAR, TempoMap
from serenity.music.voices import MELODY, voices
from serenity.request import LONGEST, LONGEST_SECONDS, Request, SeedSettings
from serenity.settings import CodecSettings
from serenity.tokens import novelty
from serenity.tokens import seed as seeds
from serenity.tokens.novelty import Index
from serenity.tokens.seed import melodic, playable
from serenity.tokens.vocabulary import SPECIALS, Vocabulary

MOST_EVENTS = 1_000_000   # of all variations together
BEYOND = 5                # semitones beyond the seed's melody that a melody may reach
MATCHED = 100             # notes before the join: nearer to real songs than the whole prompt (docs/history.md)
MOST_EVENTS_A_SECOND = 30  # faster is no music: a model that lets no time pass would never reach `seconds` or `bars`
SPARE_EVENTS = 512        # more than that, for the shortest
MOST_UNKNOWN = 0.5  # of the prompt's chords; validation songs have a quarter at most
# What determines a song beside model and seed, in the order in which a recipe has it.
FLAGS = ("events", "seconds", "bars", "prompt_events", "prompt_last", "prompt_seconds", "keep_bars", "bpm", "metre",
         "first_beat", "level", "temperature", "top_k", "top_p", "min_p", "seed", "guard", "may_end", "ending", "novel",
         "voices", "category", "tracks", "layout", "match_velocity", "after", "write_beats")


# --- the model and the seed -------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Model:
    """A trained model, as loaded."""

    folder: Path
    checkpoint: Checkpoint  # settings, dictionaries, weights
    index: Index | None     # of its training songs, for novelty; None: it has none

    @property
    def vocabulary(self) -> Vocabulary:
        """The dictionaries."""
        return self.checkpoint.vocabulary

    @property
    def codec(self) -> CodecSettings:
        """How its songs become events."""
        return self.checkpoint.settings.codec

    def sha256(self, request: Request) -> str:
        """Return the fingerprint of all that a continuation depends on."""
        return recipes.model_sha256(self.folder, request.novel is not None)


@dataclass(frozen=True, eq=False)
class Earlier:
    """A song of Serenity's of which more stays than the seed."""

    recipe: Recipe
    steps: tuple[str, ...]  # recipes that the next song carries on, as texts: how this one came to be, the newest first
    track: Track | None     # of its continuation what is kept; None: nothing
    begin: float            # seconds from which on there is something else


@dataclass(frozen=True, eq=False)
class Seed:
    """A song that is to be continued, as read."""

    path: Path              # of its file, as it was given
    settings: SeedSettings  # with the category that was taken
    music: seeds.Seed       # its notes, beats and events
    earlier: Earlier | None = None  # None: it was read as a seed

    @property
    def join(self) -> float:
        """The second, to a microsecond, from which on a continuation is something new."""
        music, earlier = self.music, self.earlier
        is_kept = earlier is not None and earlier.track is not None
        return earlier.begin if is_kept else round(music.start + music.seconds_after(music.wait), 6)

    def report(self) -> list[str]:
        """Return what was read, in lines for a person."""
        return seeds.report(self.music)


def doubt(model: Model, seed: Seed) -> str | None:
    """Return in a line why a continuation may have little to do with the seed; None where nothing says so."""
    music = seed.music
    unknown = sum(each.count for each in music.unknown if each.attribute == "pitch")
    if unknown > MOST_UNKNOWN * music.events:
        return f"the model does not know most chords of this seed ({unknown} of {music.events}); expect little of it"
    bits = generation.prompt_bits(model.checkpoint, music.prompt)
    if bits is None or bits <= generation.LIMIT:
        return None
    return (f"this seed is far from the songs that the model learned from ({bits:.0f} bits for a chord and its step; "
            f"such songs have {generation.LIMIT:.0f} at most): the continuation may soon have little to do with it")


def load(folder: str | os.PathLike) -> Model:
    """Load a trained model. Raises InputError where a part is missing or broken."""
    folder = Path(folder)
    return Model(folder, checkpoint.load(folder), checkpoint.read_novelty(folder))


def read_seed(path: str | os.PathLike, model: Model, settings: SeedSettings = SeedSettings()) -> Seed:
    """Read a song (MIDI, MusicXML or ABC) as this model knows songs. Raises InputError, which names the file."""
    path = Path(path)
    if settings.keep_bars is not None:
        return _read_song(path, model, settings)
    settings = replace(settings, category=settings.category or model.codec.category)
    score = read_song_file(path)
    with naming(path):
        music = seeds.read(score, settings.category, model.codec, model.vocabulary, settings.prompt_events,
                           settings.prompt_last, settings.prompt_seconds, settings.hints(), settings.listed_tracks())
    return Seed(path, settings, music)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an InputError within name the file at fault."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


# --- the continuation -------------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Take:
    """One continuation, with a note or more."""

    number: int       # of the variation, from 1
    track: Track      # of the song, with what is kept of an earlier one, in the time of the seed's score
    notes: np.ndarray  # note table: what is new in it
    events: int
    bars: int         # behind the seed's last one in which it sounds
    bits: float       # an event, under the model: the fewer, the likelier
    run: int | None   # events of its longest run that stands in a training song; None: the model cannot tell
    forced: int       # events at which nothing was left that `novel` allows, so that the likeliest was taken
    near: Nearness    # how near it is to the seed
    collapse: Collapse | None  # where it stops to be music; None: it does not
    merit: float      # how promising it is, see nearness.merit
    request: Request
    recipe: Recipe    # how it was made

    @property
    def length(self) -> str:
        """How long it is, in words."""
        return f"{self.bars} bar{'s' * (self.bars != 1)}, {self.events} event{'s' * (self.events != 1)}"

    @property
    def novelty(self) -> str:
        """How long a run stands in a training song, in words."""
        if self.run is None:
            return "not known"
        return f"{self.run} events in a row as in a training song" if self.run else "no run as in a training song"

    def report(self, seed: Seed) -> str:
        """Return what it is like, in a line for a person."""
        end = max(end_time(self.notes), end_time(seed.music.notes))
        return (f"{self.length}, {len(self.notes)} new notes, {end:.0f} s with the seed; "
                f"{self.bits:.1f} bits an event; novelty: {self.novelty}")


class Length(NamedTuple):
    """How long a continuation is at most."""

    events: int
    until: int | None = None  # grid points after the join at which it ends; None: with the bars that they fill
    end: float | None = None  # seconds at which it ends, a bar line


def complete(model: Model, seed: Seed, request: Request = Request(), progress: Callable[[int], object] | None = None,
             first: int = 1) -> list[Take]:
    """Return the continuations that are asked for; one that has no note is left out.

    The same model, seed and request give the same notes. Variation i depends on the seed number and i alone; `first` is
    the number of the first one made. `progress` is told the number of events done, those of all variations.

    Raises InputError where the request does not fit the seed or the model, and where no variation has a note.
    """
    request, vocabulary = request.spelled_out(), model.vocabulary
    size = length(seed, request)
    _check_layout(seed, request)
    if size.events * request.variations > MOST_EVENTS:
        raise SettingError(f"variations {request.variations} of up to {size.events:,} events each; wanted "
                         f"{MOST_EVENTS:,} events at most in all")
    with naming(seed.path):
        allowed = _allowed(model, seed, request)
    rules = generation.Rules(
        until=size.until, closes=request.ending, may_end=request.may_end,
        first_step=seeds.first_step(seed.music, vocabulary), guard=Guard() if request.guard else None,
        allowed=allowed, refuse=_refusal(model, request))

    told, progress = 0, progress or (lambda done: None)

    def tell(done: int) -> None:
        nonlocal told
        told = done
        progress(done)

    def draw(prompt: np.ndarray, events: int, variations: int, rules: generation.Rules, skipped: int,
             tell: Callable[[int], None] = lambda done: progress(told)) -> list[Continuation]:
        """Draw; what is drawn for an end does not count, but whoever listens may stop it."""
        return generation.complete(model.checkpoint, prompt, events, request.samplings(), request.seed, variations,
                                   rules, skipped, tell)

    made = draw(seed.music.prompt, size.events, request.variations, rules, first - 1, tell)
    ends = [closing.closed(continuation, number, seed.music, size.end, vocabulary, rules, draw)
            if request.ending else None for number, continuation in enumerate(made, first)]
    sha256 = model.sha256(request)
    takes = [_take(model, seed, request, size, number, end.continuation if end else continuation, end, sha256)
             for number, (continuation, end) in enumerate(zip(made, ends), first) if end or len(continuation.tokens)]
    if takes := [take for take in takes if take is not None]:
        return takes
    why = ("the model ends the song where the seed ends; wanted another seed number, or no may_end"
           if size.until is None else "the model would not go on within this time; wanted a longer one")
    raise InputError(f"{seed.path}: {why}")


def _allowed(model: Model, seed: Seed, request: Request) -> dict[str, np.ndarray]:
    """Return which tokens may be drawn, by attribute. Raises InputError where none is left."""
    music = seed.music
    transposition = music.encoded.transposition
    chords = playable(model.vocabulary.pitch, transposition, CATEGORIES[seed.settings.category])
    if request.voices == "all":
        return {"pitch": chords}
    sung = _compared(seed, request)["pitch"].astype(int)
    masks = melodic(model.vocabulary, transposition, sung.min() - BEYOND, sung.max() + BEYOND)
    return masks | {"pitch": masks["pitch"] & chords}


def _compared(seed: Seed, request: Request) -> np.ndarray:
    """Return the notes of the seed that a continuation is to be like: all, or its melody."""
    notes = seed.music.notes
    return notes if request.voices == "all" else notes[voices(notes) == MELODY]


def _check_layout(seed: Seed, request: Request) -> None:
    """Refuse a layout in which the next song could not find again what is kept."""
    if seed.music.kept is None:
        return
    if request.layout == "joined":
        raise SettingError("layout joined with keep_bars: seed and continuation would be one track; wanted another one")
    if request.write_beats != seed.earlier.recipe.flags.get("write_beats", False):
        raise SettingError(f"write_beats {request.write_beats} with keep_bars: {seed.path} was written otherwise; "
                           "wanted it as there")


def length(seed: Seed, request: Request) -> Length:
    """Return how long a continuation becomes at most. Raises InputError where that is too far."""
    request = request.spelled_out()
    with naming(seed.path):
        if request.events is not None:
            return Length(request.events)
        end = seeds.end_of(seed.music, request.bars or seeds.nearest_bars(seed.music, request.seconds))
    seconds = end - seed.music.start
    if seconds > LONGEST_SECONDS and request.bars is not None:
        raise SettingError(f"bars {request.bars} more are {seconds / 60:,.0f} minutes of music; wanted "
                           f"{LONGEST_SECONDS // 60} at most")
    most = SPARE_EVENTS + int(MOST_EVENTS_A_SECOND * seconds)
    return Length(min(LONGEST, most), seeds.steps_until(seed.music, end), end)


def expected_events(seed: Seed, request: Request) -> int:
    """Return about how many events all variations have, as close together as in the seed."""
    events, _, end = length(seed, request)
    if end is not None:
        events = int(seed.music.events * (end - seed.music.start) / max(seed.music.start, 1.0))
    return request.variations * events


def _refusal(model: Model, request: Request) -> generation.Refuse | None:
    """Return what refuses too long a run as in a training song; None: nothing."""
    if request.novel is None:
        return None
    if model.index is None:
        raise SettingError(f"novel {request.novel}: {model.folder} has no index of its training songs")
    return novelty.veto(model.index, model.vocabulary, request.novel)


def _take(model: Model, seed: Seed, request: Request, size: Length, number: int, continuation: Continuation,
          close: closing.Closed | None, sha256: str) -> Take | None:
    """Return a continuation in the seed's key and time, edited as asked; None where no note of it is left."""
    music, earlier, rng = seed.music, seed.earlier, np.random.default_rng([request.seed, number])
    compared = _compared(seed, request)
    continuation, end = _in_whole_bars(seed, size, continuation, model.vocabulary)
    notes = (close.notes(music, model.vocabulary, rng) if close else
             seeds.continue_notes(music, continuation.tokens, model.vocabulary, rng))
    if request.match_velocity:
        notes = layout.match_velocities(notes, compared[-MATCHED:])
    made = layout.continuation_track(music.choice.tracks, notes)
    if request.after:
        made = expression.apply(made, *request.edits(), music.tempo_map)
    if request.voices == "melody":
        made = replace(made, notes=layout.one_voice(made.notes))
    if end is not None:
        made = layout.trim(_without_stubs(made, end, music.tempo_map), end)
    if not len(made.notes):
        return None
    track = made
    if music.kept is not None:
        made = layout.not_before(made, earlier.begin)
        track = layout.go_on(earlier.track, made, earlier.begin)
    bits = float(continuation.bits.sum(axis=1).mean())
    return Take(number, track, made.notes, len(continuation.tokens), seeds.bars_through(music, made.notes), bits,
                _longest_run(model, seed, continuation), continuation.forced,
                *judge(compared, made.notes, music.tempo_map), request, _recipe(model, seed, request, number, sha256))


def _without_stubs(track: Track, end: float, tempo_map: TempoMap) -> Track:
    """Return the track without notes that begin so shortly before `end` that nothing would be left of them.

    They belong to the bar after it.
    """
    lasts = tempo_map.quarters(end) - tempo_map.quarters(track.notes["onset"]) > SPECK - NEAR
    return replace(track, notes=track.notes[lasts])


def _in_whole_bars(seed: Seed, size: Length, continuation: Continuation, vocabulary: Vocabulary
                   ) -> tuple[Continuation, float | None]:
    """Return what of a continuation stands in whole bars, and the second at which they are over.

    Of one that is as many events long as it may be, these are the bars that it fills; where it fills none, the first.
    One that the model has ended before is all there is: None.
    """
    if size.end is not None or len(continuation.tokens) < size.events:
        return continuation, size.end
    end = seeds.end_of(seed.music, seeds.filled_bars(seed.music, continuation.tokens, vocabulary))
    point = seed.music.join + seeds.steps_until(seed.music, end)
    return continuation.first(seeds.begun(seed.music, continuation.tokens, point, vocabulary)), end


def _longest_run(model: Model, seed: Seed, continuation: Continuation) -> int | None:
    """Return the events of the longest run that stands in a training song; it may begin in the prompt."""
    if model.index is None:
        return None
    prompt = seed.music.prompt
    before = prompt[prompt[:, 0] >= SPECIALS][1 - model.index.events:]
    chords = model.vocabulary.pitch.decode(np.concatenate([before, continuation.tokens])[:, 0])
    return novelty.longest_run(model.index, chords, len(before)).length


def _recipe(model: Model, seed: Seed, request: Request, number: int, sha256: str) -> Recipe:
    """Return the recipe of a variation; what the song is will be filled in."""
    values = {**vars(seed.settings), **vars(request)}
    earlier, music = seed.earlier and seed.earlier.recipe, seed.music
    whole = (music.whole or music).score.chunks
    first = (earlier.seed, earlier.seed_sha256, earlier.part) if earlier else (
        recipes.one_line(str(seed.path)), recipes.digest(whole), recipes.part_to_dict(music))
    return Recipe(recipes.one_line(model.folder.resolve().name), sha256, *first, recipes.NOTHING, number,
                  recipes.plain({name: values[name] for name in FLAGS}), recipes.versions(), seed.join)


def rank(takes: Iterable[Take]) -> list[Take]:
    """Return the takes in the order in which to hear them: the most promising first, those that collapse last."""
    return sorted(takes, key=standing)


def best(takes: Iterable[Take], number: int) -> list[Take]:
    """Return so many of the takes at most, the best, in the order of their numbers."""
    return sorted(rank(takes)[:number], key=lambda take: take.number)


def song(name: str, seed: Seed, take: Take | None = None) -> show.Song:
    """Return seed and continuation as a song to be looked at and heard; without one, the seed and what is kept."""
    music, kept = seed.music, seed.earlier.track if seed.earlier else None
    track, split = (take.track, float(take.notes["onset"][0])) if take else (kept, seed.join)
    tracks = (*music.score.tracks, *([track] if track else []))
    return show.Song(name, replace(music.score, tracks=tracks), music.tempo_map, split, music.encoded.key)


def measures(seed: Seed, take: Take) -> list[Remark]:
    """Return what can be said of a continuation: in words, and in numbers alone where no word helps."""
    music = seed.music
    return [*remarks(music.notes, take.notes, music.tempo_map, music.encoded.key, take.near, take.collapse),
            Remark("length", "", take.length), Remark("likelihood", "", f"{take.bits:.1f} bits an event"),
            Remark("novelty", "", take.novelty)]


# --- the song ---------------------------------------------------------------------------------------------------------

def write(path: str | os.PathLike, seed: Seed, take: Take, overwrite: bool = False) -> None:
    """Write seed and continuation as one MIDI file, with the recipe inside. It appears whole or not at all.

    Raises InputError where the seed stands at `path`, or, without `overwrite`, another file that is no song of
    Serenity's, unchanged.
    """
    path = Path(path)
    check_outputs([path], read=[seed.path], overwrite=overwrite)
    write_whole(path, song_bytes(seed, take))


def song_bytes(seed: Seed, take: Take) -> bytes:
    """Return the MIDI file of seed and continuation, with the recipes inside."""
    steps = seed.earlier.steps if seed.earlier else ()
    recipe = replace(take.recipe, song_sha256=hashlib.sha256(to_bytes(seed, take, steps)).hexdigest())
    return to_bytes(seed, take, [recipes.to_text(recipe), *steps])


def to_bytes(seed: Seed, take: Take, texts: Iterable[str] = ()) -> bytes:
    """Return a song's MIDI file: the seed's as it is and one track more, or as the request's layout says."""
    music, request = seed.music, take.request
    score = music.score
    if request.layout == "separate" and not request.write_beats:
        return chunks.join(layout.append(score.chunks, take.track, score.tempo_map, music.file_map, texts))
    tracks = layout.lay_out(music.choice.tracks, take.track, request.layout)
    clock = beats.as_file_map(music.tempo_map) if request.write_beats else music.file_map
    return midi_file.to_bytes(tracks, clock, [*texts, *(text for text in score.texts if not recipes.is_recipe(text))])


def score(seed: Seed, take: Take, title: str = "") -> bytes:
    """Return seed and continuation in notation, as MusicXML (see serenity.music.engraving). Raises InputError."""
    music, join = seed.music, float(take.notes["onset"].min())
    own, others = [*music.choice.tracks, take.track], [track for _, track in music.choice.left_out]
    return engraving.to_musicxml(own, others, music.tempo_map, music.encoded.key, join, title,
                                 has_hands=seed.settings.category == "piano")


def check_outputs(songs: Iterable[Path], beside: Iterable[Path] = (), read: Iterable[Path] = (),
                  overwrite: bool = False) -> None:
    """Refuse what cannot be written: a name too long, a file that is read, a file of the user's. Raises InputError.

    Earlier songs that nobody has changed are replaced, and so are the files `beside` them; with `overwrite` all files
    are.
    """
    songs, beside, read = list(songs), list(beside), list(read)
    for path in (*songs, *beside):
        check_output(path, read)
    if overwrite:
        return
    ours = {song for song in songs if _is_ours(song)}
    for path in (*(song for song in songs if song not in ours), *(beside if not ours else ())):
        if path.exists():
            raise InputError(f"{path} is there, and not as Serenity wrote it; wanted another name, or --overwrite")


def _is_ours(path: Path) -> bool:
    """Return whether a song that stands there is one of Serenity's, and still as it was written."""
    try:
        return path.exists() and recipes.is_untouched(chunks.split(midi_file.read_bytes(path)))
    except InputError:  # no MIDI file
        return False


# --- a song of Serenity's, gone on with -------------------------------------------------------------------------------

def keep(model: Model, seed: Seed, take: Take, bars: int) -> Seed:
    """Return the seed that goes on with a take: its seed and its first `bars` bars stay as they are.

    Bars count from the end of the first seed. Raises InputError where there are fewer.
    """
    return _keep(seed.path, chunks.split(song_bytes(seed, take)), model, bars)


def asked(recipe: Recipe) -> tuple[SeedSettings, Request]:
    """Return what a recipe's flags ask. Raises InputError where a name, a type or a value is wrong."""
    of_seed = {field.name for field in fields(SeedSettings)}
    of_request = {field.name for field in fields(Request)} - {"variations"}
    flags = [{}, {}]
    for name, value in recipe.flags.items():
        flags[name not in of_seed][name] = value
    settings, request = (kind(**recipes.check_flags(found, kind, names)) for kind, found, names in
                         ((SeedSettings, flags[0], of_seed), (Request, flags[1], of_request)))
    recipes.part_from_dict(recipe.part)
    if settings.keep_bars is not None and recipe.join is None:
        raise InputError("recipe: keep_bars without join")
    return settings, request


def find_seed(path: Path, song: Chunks, recipe: Recipe, places: Iterable[Path]) -> Path | None:
    """Return where the first seed of a song at `path` stands as it was: in the song, so at `path`, or at one of the
    places; None: nowhere.
    """
    return path if recipes.seed_in(song) else recipes.find_seed(recipe, places)


def read_again(path: Path, song: Chunks, recipe: Recipe, model: Model, found: Path) -> Seed:
    """Return what the song at `path` was made from, with its first seed at `found` (see find_seed). Raises InputError.
    """
    settings, request = asked(recipe)
    seed = _first_seed(path, song, recipe, model, found)
    if settings.keep_bars is None:
        return seed
    return _behind(seed, model, song, settings.keep_bars, Earlier(recipe, recipes.steps(song)[1:], None, recipe.join))


def _first_seed(path: Path, song: Chunks, recipe: Recipe, model: Model, found: Path) -> Seed:
    settings, _ = asked(recipe)
    settings = replace(settings, keep_bars=None)
    if found != path:
        return replace(read_seed(found, model, settings), settings=asked(recipe)[0])
    score, part = midi_file.parse(chunks.join(recipes.seed_in(song))), recipes.part_from_dict(recipe.part)
    if part:
        music = seeds.read_part(score, settings.category, model.codec, model.vocabulary, part)
    else:
        music = seeds.read(score, settings.category, model.codec, model.vocabulary, hints=settings.hints(),
                           tracks=settings.listed_tracks())
    return Seed(path, settings, music)


def _read_song(path: Path, model: Model, settings: SeedSettings) -> Seed:
    """Read a song of Serenity's with its first bars."""
    if changed := [field.name for field in fields(settings) if field.name != "keep_bars"
                   and getattr(settings, field.name) != field.default]:
        raise InputError(f"{changed[0]} with keep_bars: the song says how its seed is read; wanted one of the two")
    with naming(path):
        return _keep(path, chunks.split(midi_file.read_bytes(path)), model, settings.keep_bars)


def _keep(path: Path, song: Chunks, model: Model, bars: int) -> Seed:
    """Return the seed of a song with the first bars of its continuation."""
    recipe = recipes.read(song)
    _, request = asked(recipe)
    if request.layout == "joined":
        raise InputError("holds seed and continuation in one track (layout joined); wanted them apart to keep bars")
    found = find_seed(path, song, recipe, recipes.places(recipe, path))
    if found is None:
        raise InputError(f"its seed {recipe.seed} is not there, or is not as it was; wanted it beside the song")
    seed = _first_seed(path, song, recipe, model, found)
    track, clock = _continuation(song, request)
    bar, tick = seeds.bars_of(seed.music, track.notes), clock.ticks(track.notes["onset"])
    if not 0 <= bars <= bar[-1]:
        raise SettingError(f"keep_bars {bars}: {bar[-1]} bars stand behind those of its seed; wanted 0 to {bar[-1]}")
    # Early notes of the next bar do not stay: what does ends before them, though not before its own last note.
    line = clock.ticks(seeds.end_of(seed.music, bars))
    begin = max(tick[bar <= bars].max(initial=-1) + 1, min(line, tick[bar > bars].min(initial=line)))
    earlier = Earlier(recipe, recipes.steps(song), None, round(float(clock.seconds_of_ticks(begin)), 6))
    return _behind(seed, model, song, bars, earlier)


def _behind(seed: Seed, model: Model, song: Chunks, bars: int, earlier: Earlier) -> Seed:
    """Return the seed with the bars of a song that are kept."""
    settings, (_, request) = replace(seed.settings, keep_bars=bars), asked(earlier.recipe)
    if not bars:
        return replace(seed, settings=settings, earlier=earlier)
    kept = layout.kept_part(*_continuation(song, request), earlier.begin)
    return replace(seed, settings=settings, earlier=replace(earlier, track=kept),
                   music=seeds.keep(seed.music, kept.notes, bars, model.vocabulary))


def _continuation(song: Chunks, request: Request) -> tuple[Track, TempoMap]:
    """Return the track of a song's continuation, and the song's tempo map."""
    number = recipes.continuation_in(song, request.layout == "separate" and not request.write_beats)
    score = midi_file.parse(chunks.join(song))
    parts = [track for track in score.tracks if track.chunk == number]
    if not parts:
        raise InputError("holds no continuation; wanted a song that generate.py made")
    return replace(parts[0], notes=merge_tables(track.notes for track in parts)), score.tempo_map
