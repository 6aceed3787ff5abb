"""The seed: from a score to the prompt that a model reads, and from the model's tokens back into the seed's song."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from serenity.categories import Category
from serenity.errors import InputError
from serenity.music import chunks, codec, instruments, midi_file
from serenity.music.beats import after_hold, going_on
from serenity.music.codec import Encoded, bar_places, loudness_name, time_name
from serenity.music.grid import SHORTEST, play, read_feel, to_grid
from serenity.music.harmony import Key
from serenity.music.instruments import Choice
from serenity.music.midi_file import LONGEST_SONG, Score
from serenity.music.note import end_time, merge_tables, sort_notes
from serenity.music.pitch import chord_matrix, chord_pitches, note_names
from serenity.music.prompt import choose_events, cut_file, cut_times
from serenity.music.song import Song, of_choice
from serenity.music.tempo_map import NEAR, TempoMap
from serenity.settings import CodecSettings, Hints
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, AttributeVocabulary, Vocabulary, column_values
from serenity.tokens.windows import stream

MOST_LISTED = 8  # tracks that are left out, by name
BEFORE_BAR = 0.05  # seconds; a note that is played so shortly before a bar line belongs to the bar after it
PLURAL = {"pitch": "chords", "step": "steps", "duration": "durations", "velocity": "velocities"}


@dataclass(frozen=True)
class Replaced:
    """The unknown values of one attribute."""

    attribute: str
    count: int   # events whose value was unknown
    events: int  # of all
    worst: tuple[tuple[str, str], ...]  # (was, became) as text, the farthest apart first

    def __str__(self) -> str:
        pairs = ", ".join(f"{was} -> {new}" for was, new in self.worst)
        return f"{self.count} of {self.events} {PLURAL[self.attribute]} ({pairs})"


@dataclass(frozen=True)
class Part:
    """What the whole seed tells about a part of it. With this the part alone is read just as within the whole."""

    is_beginning: bool                # of the song
    is_end: bool
    tracks: str                       # numbers, from 1, of the part's tracks that are taken
    tonic: int                        # of the song's key, 0-11
    mode: str                         # "major" or "minor"
    bpm: float | None = None          # quarters a minute; None: the file's tempo map has them
    metre: tuple[int, int] | None = None
    first_beat: float | None = None   # seconds, of the part, at which a bar begins

    def __post_init__(self):
        if self.tonic not in range(12) or self.mode not in ("major", "minor"):
            raise InputError(f"key {self.tonic} {self.mode}; wanted 0 to 11, major or minor")
        Hints(self.bpm, self.metre, self.first_beat)  # checks itself

    @property
    def key(self) -> Key:
        """The song's key."""
        return Key(self.tonic, self.mode, 1.0)

    @property
    def hints(self) -> Hints:
        """What is known of the beats."""
        return Hints(self.bpm, self.metre, self.first_beat)


@dataclass(frozen=True, eq=False)
class Seed:
    """A seed, or the part of one that is the prompt, as read."""

    choice: Choice      # the tracks taken
    song: Song          # its notes and beats
    encoded: Encoded    # its events
    codec: CodecSettings
    prompt: np.ndarray  # (length, columns) int32: the prompt as the end of a stream; with START if it begins the song
    unknown: list[Replaced]
    score: Score        # everything that its file holds
    tempo_map: TempoMap  # of the music, and how it goes on after the join
    join: int           # grid point from which the continuation's steps count: that of the prompt's last event
    wait: int = 0       # grid points of the first step, if it is decided already, because the prompt ends with a held
                        # chord or is kept up to a bar line: `join` is so far before the line; 0: the model decides
    steady: int = 0     # grid point from which the tempo is that of the continuation
    kept: np.ndarray | None = None  # note table: notes of an earlier continuation with which the prompt ends
    part: Part | None = None     # if this is a part: what was known of it
    whole: "Seed | None" = None  # if this is a part: the seed that it is a part of

    @property
    def start(self) -> float:
        """Seconds of the join."""
        return float(self.tempo_map.seconds(self.join / self.codec.grid))

    def seconds_after(self, points: int) -> float:
        """Return how many seconds so many grid points take after `start`."""
        return float(self.tempo_map.seconds((self.join + points) / self.codec.grid)) - self.start

    @property
    def file_map(self) -> TempoMap:
        """The file's tempo map; if its beats are the music's, with the tempo that goes on from the join."""
        if self.song.beats.source != "file" or self.score.chunks.is_time_code:
            return self.score.tempo_map
        clock, steady = self.score.tempo_map, self.steady / self.codec.grid
        tick = clock.ticks(self.tempo_map.seconds(steady)) / clock.ticks_per_quarter
        return clock.steady_from(float(tick), round(self.tempo_map.tempo(steady) * self.song.beats.scale, 3))

    @property
    def events(self) -> int:
        """Number of events of the prompt."""
        return int((self.prompt[:, 0] >= SPECIALS).sum())

    @property
    def notes(self) -> np.ndarray:
        """The notes as struck, with those that are kept, as one table."""
        return self.choice.struck if self.kept is None else merge_tables([self.choice.struck, self.kept])

    @property
    def line(self) -> int | None:
        """The grid point of the bar line at which the continuation begins; None: the model decides where."""
        return self.join + self.wait if self.wait else None

    @property
    def last_bar(self) -> int:
        """The number of the last bar before the continuation's own."""
        point = self.join if self.line is None else self.line - 1
        return int(self.tempo_map.bars(point / self.codec.grid)[0])


def read(score: Score, category: str, settings: CodecSettings, vocabulary: Vocabulary, first: int | None = None,
         last: int | None = None, seconds: tuple[float, float] | None = None, hints: Hints = Hints(),
         tracks: Sequence[str] = ()) -> Seed:
    """Return the seed of a score. Which part of it is the prompt: see prompt.choose_events. Raises InputError.

    `category` says which instrument's tracks are taken; or `tracks` gives their numbers or names. They are normalised
    by the model's `settings`. `hints` are what the user knows of the beats. A part is cut out of the file and read by
    itself, so that a song holds everything that it was made from.
    """
    if score.chunks is None:  # it comes from no file
        score = replace(score, chunks=chunks.split(midi_file.to_bytes(score.tracks, score.tempo_map, score.texts)))
    whole = read_part(score, category, settings, vocabulary, None, hints, tracks)
    onset = whole.song.tempo_map.seconds(np.cumsum(whole.encoded.events["step"]) / settings.grid)
    chosen = choose_events(onset, first, last, seconds)
    if chosen == slice(0, len(onset)):
        return whole
    times = cut_times(onset, chosen)
    cut, begin = cut_file(replace(score, tracks=whole.choice.tracks), *times)
    part = _part_of(whole, hints, chosen.start == 0, chosen.stop == len(onset), begin, times)
    return replace(read_part(midi_file.parse(chunks.join(cut)), category, settings, vocabulary, part), whole=whole)


def read_part(score: Score, category: str, settings: CodecSettings, vocabulary: Vocabulary, part: Part | None = None,
              hints: Hints = Hints(), tracks: Sequence[str] = ()) -> Seed:
    """Return a seed whose whole score is the prompt. `part`: if it is a part of a song, what is known from that song;
    it counts before `hints` and `tracks`.
    """
    if part:
        choice = instruments.choose(score, category, part.tracks.split(","), "the tracks that the recipe names")
    else:
        choice = instruments.choose(score, category, tracks)
    song = of_choice(choice, score.tempo_map, part.hints if part else hints, bool(part) and part.bpm is None)
    encoded = codec.encode(song, settings, part.key if part else None)
    tokens, known = vocabulary.encode(encoded.events)
    rows = np.concatenate([tokens, bar_places(encoded.events, song.tempo_map, settings.grid)], axis=1)
    prompt = stream(rows, 0, len(rows) + 1)[0 if part is None or part.is_beginning else 1:]
    replaced = find_replaced(encoded.events, tokens, known, vocabulary, settings.grid, encoded.transposition,
                             encoded.key.has_flats)
    points, grid = np.cumsum(encoded.events["step"]), settings.grid
    join = begin = int(points[-1])
    wait, line = 0, None
    if part is None or part.is_end:
        line = after_hold(song.tempo_map, points / grid, end_time(choice.struck),
                          score.tempo_map.is_notated)
    if line is not None:
        _, place, bar = song.tempo_map.bars(join / grid)
        begin, wait = round(line * grid), _known(round(float(bar - place) * grid), vocabulary)
    tempo_map = going_on(song.tempo_map, join / grid, begin / grid, song.beats.source == "file")
    return Seed(choice, song, encoded, settings, prompt, replaced, score, tempo_map, begin - wait, wait, begin,
                part=part)


def _part_of(whole: Seed, hints: Hints, is_beginning: bool, is_end: bool, begin: float, times: tuple[float, float]
             ) -> Part:
    """Return what is known of the part with the notes that begin within `times`; it begins at `begin` (all in seconds).

    If the file's beats count, it states the tempo itself, and also the bars if it changes metre.
    """
    there = [track for track in whole.score.tracks if ((track.notes["onset"] >= max(times[0], begin - NEAR))
                                                       & (track.notes["onset"] < times[1])).any()]
    tracks = ",".join(str(number) for number, track in enumerate(there, 1) if track in whole.choice.tracks)
    known = is_beginning, is_end, tracks, whole.encoded.key.tonic, whole.encoded.key.mode
    is_the_files, music = whole.song.beats.source == "file" and hints == Hints(), whole.song.tempo_map
    if is_the_files and len(music.signatures) > 1:
        return Part(*known)
    number = max(int(music.bars(music.quarters(begin + BEFORE_BAR))[0]), 0)
    metre = music.signatures[music.signatures["start"] <= music.bar_line(number) + NEAR][-1]
    line = round(float(music.seconds(music.bar_line(number))) - begin, 6)
    return Part(*known, None if is_the_files else round(6e7 / whole.song.beats.quarter, 6),
                (int(metre["numerator"]), int(metre["denominator"])), line)


def _known(step: int, vocabulary: Vocabulary) -> int:
    """Return the step nearest to `step` that the model knows, both in grid points."""
    return int(vocabulary["step"].decode(vocabulary["step"].encode(np.array([step]))[0])[0])


def first_step(seed: Seed, vocabulary: Vocabulary) -> int | None:
    """Return the token of the continuation's first step, or None where the model decides."""
    return int(vocabulary["step"].encode(np.array([seed.wait]))[0][0]) if seed.wait else None


def continue_notes(seed: Seed, tokens: np.ndarray, vocabulary: Vocabulary, rng: np.random.Generator) -> np.ndarray:
    """Return the notes of a continuation (events, 4) in the seed's key, register, tempo and feel.

    No note begins before the prompt's last note. If that is held, none begins before the next bar line, except as far
    as the feel moves it.
    """
    grid, encoded = seed.codec.grid, seed.encoded
    feel = read_feel(encoded.points, encoded.beside, grid)
    notes = codec.decode(vocabulary.decode(tokens, encoded.events.dtype), seed.tempo_map, grid, encoded.transposition,
                         seed.join, (lambda points: play(points, feel, grid, rng)) if feel else None)
    late = np.maximum(seed.notes["onset"][-1] - notes["onset"], 0)
    notes["onset"] += late
    notes["duration"] = np.maximum(notes["duration"] - late, SHORTEST)
    return sort_notes(notes)


def end_of(seed: Seed, bars: int) -> float:
    """Return the second at which a continuation of so many whole bars ends.

    They count from the end of the last bar before it. Raises InputError if that is too far.
    """
    end = float(seed.tempo_map.seconds(seed.tempo_map.bar_line(seed.last_bar + 1 + bars)))
    if end > LONGEST_SONG:
        raise InputError(f"{bars} bars more are not over within {LONGEST_SONG / 3600:.0f} hours; wanted fewer")
    return end


def nearest_bars(seed: Seed, seconds: float) -> int:
    """Return how many whole bars, 1 or more, make a continuation whose length is nearest to so many seconds.

    The seconds count from the join; if notes are kept, from the bar line after them.
    """
    start = seed.start if seed.kept is None else float(seed.tempo_map.seconds(seed.line / seed.codec.grid))
    number, place, length = seed.tempo_map.bars(seed.tempo_map.quarters(start + seconds))
    return max(int(number + (place > length / 2)) - seed.last_bar - 1, 1)


def filled_bars(seed: Seed, tokens: np.ndarray, vocabulary: Vocabulary) -> int:
    """Return how many bars, 1 or more, the events of a continuation (events, columns) fill, if more could follow."""
    last = seed.join + int(vocabulary.step.decode(tokens[:, ATTRIBUTES.index("step")]).sum())
    return max(int(seed.tempo_map.bars(last / seed.codec.grid)[0]) - seed.last_bar - 1, 1)


def steps_until(seed: Seed, end: float) -> int:
    """Return how many grid points lie between the join and the end of a continuation at `end` seconds."""
    return math.ceil(float(seed.tempo_map.quarters(end)) * seed.codec.grid - 1e-6) - seed.join


def begun(seed: Seed, tokens: np.ndarray, point: int, vocabulary: Vocabulary) -> int:
    """Return how many events of a continuation (events, columns) begin before a grid point."""
    onset = seed.join + np.cumsum(vocabulary.step.decode(tokens[:, ATTRIBUTES.index("step")]))
    return int(np.searchsorted(onset, point))


def bars_through(seed: Seed, notes: np.ndarray) -> int:
    """Return in how many bars, 1 or more, the notes of a continuation sound, counted from the last bar before it."""
    end = float(seed.tempo_map.quarters(end_time(notes))) - 1 / seed.codec.grid
    return max(int(seed.tempo_map.bars(end)[0]) - seed.last_bar, 1)


# --- behind what is kept ----------------------------------------------------------------------------------------------

def bars_of(seed: Seed, notes: np.ndarray) -> np.ndarray:
    """Return in which bar after the seed's last one each note of a continuation begins; 0: still in that last bar."""
    table, _ = to_grid(notes, seed.tempo_map, seed.codec.grid)
    return seed.tempo_map.bars(table["onset"] / seed.codec.grid)[0] - seed.last_bar


def keep(seed: Seed, notes: np.ndarray, bars: int, vocabulary: Vocabulary) -> Seed:
    """Return a seed that goes on after the first `bars` bars, 1 or more, of its continuation; `notes` are their notes.

    For the model, notes that sound beyond these bars are cut at their end; it makes new music from there.
    """
    settings, tempo_map, end = seed.codec, seed.tempo_map, end_of(seed, bars)
    line = round(float(tempo_map.quarters(end)) * settings.grid)
    cut = notes.copy()
    cut["duration"] = np.minimum(notes["duration"], np.maximum(end - notes["onset"], SHORTEST))
    table, _ = to_grid(cut, tempo_map, settings.grid, settings.exact_lengths)
    events, _ = codec.to_events(table, settings, seed.encoded.transposition)
    places = bar_places(events, tempo_map, settings.grid)
    before = int(seed.encoded.events["step"].sum())
    last = max(int(events["step"].sum()), before)
    events["step"][:1] = np.maximum(events["step"][:1] - before, 0)
    rows = np.concatenate([vocabulary.encode(events)[0], places], axis=1)
    wait = max(_known(line - last, vocabulary), 1)
    return replace(seed, prompt=np.concatenate([seed.prompt, rows]).astype(np.int32), join=line - wait, wait=wait,
                   kept=notes)


def behind(seed: Seed, tokens: np.ndarray, line: int | None, vocabulary: Vocabulary) -> Seed:
    """Return the seed that goes on after events of its continuation, tokens (events, columns): at the grid point
    `line`; None: the model decides where.
    """
    if not len(tokens) and line is None:
        return seed
    last = seed.join + int(vocabulary.step.decode(tokens[:, ATTRIBUTES.index("step")]).sum())
    wait = 0 if line is None else max(_known(line - last, vocabulary), 1)
    return replace(seed, prompt=np.concatenate([seed.prompt, tokens]), join=last if line is None else line - wait,
                   wait=wait)


def report(seed: Seed) -> list[str]:
    """Return what was read, in lines for a person: tracks and why, key, the prompt, and what had to be replaced."""
    whole = seed.whole or seed
    choice, encoded = whole.choice, whole.encoded
    names = [instruments.printable(name) for name in dict.fromkeys(choice.names) if name.strip()]
    shown = f" ({', '.join(names[:4])}{', ..' * (len(names) > 4)})" if names else ""
    folded = f", {encoded.folded} moved by octaves into the model's range" if encoded.folded else ""
    lines = [f"{choice.reason}{shown}; {len(choice.notes)} notes, {choice.dropped} left out{folded}",
             *_left_out_line(choice),
             f"{encoded.key.name} (confidence {encoded.key.confidence:.2f}); {_prompt_of(seed)}", _beat_line(seed)]
    if seed.kept is not None:
        begin = seed.start + seed.seconds_after(seed.wait)
        lines.append(f"{len(seed.kept)} notes of its continuation are kept, up to the bar line at {begin:.2f} s")
    elif seed.wait:
        begin = seed.start + seed.seconds_after(seed.wait)
        lines.append(f"the last chord is held: the next bar begins at {begin:.2f} s")
    if seed.unknown:
        lines.append(f"the model does not know {', '.join(map(str, seed.unknown))}: the nearest is taken")
    return lines


def _prompt_of(seed: Seed) -> str:
    """Return how much of the seed is the prompt."""
    events, seconds = len(seed.encoded.events), end_time(seed.choice.struck)
    if seed.part and not seed.whole:  # a song made of a part does not hold the rest
        return f"the part of the seed that was the prompt: {events} events, {seconds:.1f} s"
    whole = seed.whole or seed
    return (f"{events} of {len(whole.encoded.events)} events as prompt, {seconds:.1f} of "
            f"{end_time(whole.choice.struck):.1f} s")


def _left_out_line(choice: Choice) -> list[str]:
    """Return which tracks are left out, and how to take others; nothing where none is."""
    if not choice.left_out:
        return []
    shown = [instruments.described(number, track) for number, track in choice.left_out[:MOST_LISTED]]
    more = f" and {len(choice.left_out) - MOST_LISTED} more" if len(choice.left_out) > MOST_LISTED else ""
    share = choice.dropped / (choice.dropped + len(choice.notes))
    most = f"most of the song, {share:.0%} of its notes, is left out" if share > 0.5 else "left out"
    pitched = [str(number) for number, track in choice.left_out[:MOST_LISTED] if not track.is_drum]
    instead = f"; --tracks {','.join(pitched)} takes them instead" if pitched else ""
    return [f"{most}: {', '.join(shown)}{more}{instead}"]


def _beat_line(seed: Seed) -> str:
    """Return where the beats are, and how far the seed is played beside their grid."""
    beside = abs(seed.encoded.beside)
    played = f"; played {1000 * np.median(beside):.0f} ms beside the grid in the median" if beside.any() else ""
    moved = float(seed.tempo_map.seconds(0.0) - seed.song.tempo_map.seconds(0.0))  # where a part of the seed is taken
    beats = replace(seed.song.beats, source=(seed.whole or seed).song.beats.source)
    if moved:
        span = tuple(max(time + moved, 0.0) for time in beats.span)
        beats = replace(beats, tempo_map=beats.tempo_map.moved(moved), file_map=beats.file_map.moved(moved), span=span)
    return f"{beats}{played}"


# --- what can be played -----------------------------------------------------------------------------------------------

def playable(pitch: AttributeVocabulary, transposition: int, category: Category) -> np.ndarray:
    """Return for each token, (tokens,) bool, whether its chord lies in the category's range in the song's own key.

    The `transposition` (as in codec.Encoded) is undone first. The special tokens are True. Raises InputError if no
    chord is left.
    """
    lowest, highest = category.lowest + transposition, category.highest + transposition
    matrix = chord_matrix(pitch.values)
    chords = ~(matrix[:, :max(lowest, 0)].any(axis=1) | matrix[:, max(highest + 1, 0):].any(axis=1))
    if not chords.any():
        raise InputError(f"no chord that the model knows lies in the range of the {category.name} here; "
                         "wanted a seed nearer to it, or another --category")
    return np.concatenate([np.ones(SPECIALS, bool), chords])


def melodic(vocabulary: Vocabulary, transposition: int, lowest: int, highest: int) -> dict[str, np.ndarray]:
    """Return masks like that of `playable`, for pitch and step, which allow only one note after another, from `lowest`
    to `highest` in the song's own key.
    """
    matrix = chord_matrix(vocabulary.pitch.values)
    inside = matrix[:, max(lowest + transposition, 0):max(highest + transposition + 1, 0)].sum(axis=1)
    masks = {"pitch": (inside == 1) & (matrix.sum(axis=1) == 1), "step": vocabulary["step"].values > 0}
    if not masks["pitch"].any():
        raise InputError("the model knows no single note in the range of the seed's melody; wanted another seed, or "
                         "all voices")
    return {name: np.concatenate([np.ones(SPECIALS, bool), mask]) for name, mask in masks.items()}


# --- what is not known ------------------------------------------------------------------------------------------------

def find_replaced(events: np.ndarray, tokens: np.ndarray, known: np.ndarray, vocabulary: Vocabulary,
                  grid: int, transposition: int = 0, has_flats: bool = False, worst: int = 2) -> list[Replaced]:
    """Return which values `vocabulary.encode(events)`, which gave tokens and known (events, 4), did not know exactly.

    The `transposition` (as in codec.Encoded) is undone: chords are named as in the song, with flats if its key has
    them, and times are in quarters.
    """
    found = []
    for column, attribute in enumerate(ATTRIBUTES):
        unknown = ~known[:, column]
        if unknown.any():
            pairs = column_values(events, attribute)[unknown], vocabulary[attribute].decode(tokens[unknown, column])
            named = _worst(*pairs, attribute, grid, transposition, has_flats, worst)
            found.append(Replaced(attribute, int(unknown.sum()), len(events), named))
    return found


def _worst(was: np.ndarray, became: np.ndarray, attribute: str, grid: int, transposition: int, has_flats: bool,
           count: int) -> tuple:
    is_chord = attribute == "pitch"
    distance = np.bitwise_count(was ^ became) if is_chord else np.abs(was - became)
    distance = distance.reshape(len(was), -1).sum(axis=1)
    pairs = {}  # in order, each once
    for row in np.argsort(-distance.astype(float), kind="stable"):
        both = was[row], became[row]
        pairs[tuple(note_names([pitch - transposition for pitch in chord_pitches(chord)], has_flats)
                    for chord in both) if is_chord
              else tuple(loudness_name(*value.tolist()) for value in both) if attribute == "velocity"
              else tuple(time_name(int(value), grid) for value in both)] = None
        if len(pairs) == count:
            break
    return tuple(pairs)
