"""One evening at the studio: seeds, the takes that are made of them, and the queue in which they are made.

What the page shows is a View, which never changes: each action of the musician makes a new one, so to undo is to go
back to the one before. Takes stay where they are, as files in a folder.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from serenity import completion
from serenity.completion import Model, Request, Seed, SeedSettings, Take
from serenity.errors import InputError
from serenity.files import write_whole
from serenity.listen import audio, show
from serenity.music import song_file
from serenity.studio.asked import Making, Refused

MOST_WAITING = 8     # makings in the queue
MOST_STEPS = 200     # of a session; each seed stays in memory
OFTEN = 0.1          # seconds between two reports of progress
A_LITTLE = 0.01      # seconds
NOBODY = 4.0         # seconds without an open page, after which the work stops; to load a page again takes less


class Stopped(Exception):
    """A making was cancelled."""


@dataclass(frozen=True, eq=False)
class Step:
    """A seed: a file that was dropped, or a take of which some bars are kept."""

    number: int
    heading: str
    root: str        # what its takes are called, before their number
    seed: Seed
    song: show.Song  # the seed as it is heard
    first_bar: int   # number, as in a DAW, of the first bar behind the first seed


@dataclass(frozen=True, eq=False)
class Made:
    """A take that is made."""

    number: int      # of the session
    step: int
    making: int
    path: Path
    take: Take
    song: show.Song


@dataclass(eq=False)
class Work:
    """A making that waits or is under way."""

    number: int
    asked: Making
    first: int      # number of its first variation
    most: int       # events at most
    made: int = 0   # takes
    done: int = 0   # events
    is_cancelled: bool = False


@dataclass(frozen=True)
class View:
    """What is seen, by numbers."""

    steps: tuple[int, ...] = ()            # the newest last
    makings: frozenset[int] = frozenset()  # whose takes are seen
    starred: frozenset[int] = frozenset()


class Session:
    """All that the studio knows. Several threads may call its methods."""

    def __init__(self, model: Model, folder: Path, settings: SeedSettings = SeedSettings(),
                 request: Request = Request(), soundfont: Path | None = None):
        """Begin with no seed. Songs are written into `folder`; `settings` say how a file is read that is dropped,
        `request` what is asked of each take beside what a making says.
        """
        self.model, self.folder, self.settings, self.request = model, folder, settings, request
        self.soundfont = soundfont
        self.steps: dict[int, Step] = {}
        self.takes: dict[int, Made] = {}
        self.view, self.history = View(), []
        self.queue: deque[Work] = deque()  # the first is under way
        self.problem = ""                  # why the last making ended early
        self.version = 0                   # counts what has changed
        self.changed = threading.Condition()
        self._reading, self._rendering = threading.Lock(), threading.Lock()
        self._makings = self._listeners = 0
        self._variations: dict[int, int] = {}  # step -> variations that were asked for
        self._left_at: float | None = None     # when the last page was closed that listened
        self._told_at = 0.0
        self._is_open = True

    # --- what the musician does ---------------------------------------------------------------------------------------

    def open_file(self, path: Path, shown: Path | None = None) -> Step:
        """Read a seed; `shown` is how its songs name it. Raises InputError."""
        with self._reading:
            seed = completion.read_seed(path, self.model, self.settings)
            return self._add_step(replace(seed, path=shown or path), song_file.stem(path.name))

    def upload(self, name: str, content: bytes) -> Step:
        """Read a seed that comes as bytes, and keep its file in the folder. Raises InputError; then none is kept."""
        with self._reading:
            path = next(place for place in places(self.folder / name, "seed")
                        if not place.exists() or place.read_bytes() == content)
            is_new = not path.exists()
            if is_new:
                write_whole(path, content)
            try:
                seed = completion.read_seed(path, self.model, replace(self.settings, keep_bars=None))
                return self._add_step(seed, song_file.stem(path.name))
            except BaseException as error:
                if is_new:
                    path.unlink(missing_ok=True)
                if isinstance(error, InputError):  # to the musician the file has a name, and stands in no folder
                    raise InputError(str(error).replace(str(path), path.name)) from None
                raise

    def go_on(self, number: int, bars: int) -> Step:
        """Keep the seed and so many bars of a take, as a seed to go on from. Raises InputError."""
        made = self.take(number)
        before = self.steps[made.step]
        with self._reading:
            seed = completion.read_seed(made.path, self.model, SeedSettings(keep_bars=bars))
            return self._add_step(seed, f"{made.path.stem} to bar {before.first_bar + bars - 1}", before)

    def _add_step(self, seed: Seed, heading: str, before: Step | None = None) -> Step:
        song = completion.song(heading, seed)
        with self.changed:
            number = len(self.steps) + 1
            if number > MOST_STEPS:
                raise Refused(429, f"{MOST_STEPS} seeds are open; to open more, start the studio again")
            step = Step(number, heading, before.root if before else heading, seed, song,
                        before.first_bar if before else first_new_bar(seed))
            self.steps[number] = step
            self._go_to(replace(self.view, steps=(*self.view.steps, number)))
        return step

    def make(self, asked: Making) -> Work:
        """Put takes into the queue. Raises InputError, and Refused where it is full."""
        if asked.step not in self.view.steps:
            raise Refused(404, f"no seed {asked.step}")
        most = asked.takes * completion.expected_events(self.steps[asked.step].seed, self.request_of(asked))
        with self.changed:
            if len(self.queue) >= MOST_WAITING:
                raise Refused(429, f"{MOST_WAITING} orders wait already; wanted fewer at once")
            self._makings += 1
            first = self._variations.get(asked.step, 0) + 1
            self._variations[asked.step] = first + asked.takes - 1
            work = Work(self._makings, asked, first, most)
            self.queue.append(work)
            self.problem = ""
            self._go_to(replace(self.view, makings=self.view.makings | {work.number}))
        return work

    def request_of(self, asked: Making) -> Request:
        """Return what a making asks of each take. Raises InputError."""
        return replace(self.request, events=None, seconds=None, bars=asked.bars, temperature=asked.temperature,
                       ending=asked.ending, may_end=self.request.may_end and not asked.ending, variations=1)

    def star(self, number: int, is_on: bool) -> None:
        """Give a take a star, or take it away."""
        self.take(number)
        with self.changed:
            starred = self.view.starred | {number} if is_on else self.view.starred - {number}
            self._go_to(replace(self.view, starred=starred))

    def cancel(self) -> None:
        """Stop what is made and empty the queue; takes that are made stay."""
        with self.changed:
            self._cancel([*self.queue])

    def undo(self) -> None:
        """Go back to what was seen before the last action. What was being made for it stops.

        Once nothing is left to undo, nothing happens: a quick hand, or a second page, asks before it can see that.
        """
        with self.changed:
            if not self.history:
                return
            self.view = self.history.pop()
            self._cancel([work for work in self.queue if work.number not in self.view.makings])

    def take(self, number: int) -> Made:
        """Return a take by its number. Raises Refused."""
        if number not in self.takes:
            raise Refused(404, f"no take {number}")
        return self.takes[number]

    def step(self, number: int) -> Step:
        """Return a step by its number. Raises Refused."""
        if number not in self.steps:
            raise Refused(404, f"no seed {number}")
        return self.steps[number]

    def _go_to(self, view: View) -> None:
        if view != self.view:
            self.history.append(self.view)
        self.view = view
        self._tell()

    def _cancel(self, works: list[Work]) -> None:
        for work in works:
            work.is_cancelled = True
        self.queue = deque(work for place, work in enumerate(self.queue) if not place or not work.is_cancelled)
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        self.changed.notify_all()

    # --- what is heard ------------------------------------------------------------------------------------------------

    def sound(self, song: show.Song) -> audio.Encoded:
        """Return the sound of a song, quickly: not compressed. One at a time. Raises InputError."""
        if self.soundfont is None:
            raise Refused(404, "there is no sound here")
        with self._rendering:
            return show.encode_sound(song, self.soundfont, small=False)

    def file(self, number: int, name: str) -> Path:
        """Return the file of a take that has this name; its sound is written when it is first asked for."""
        made = self.take(number)
        if name == made.path.name:
            return made.path
        if self.soundfont is None or name != sound_name(made):
            raise Refused(404, "no such file")
        path = made.path.with_name(name)
        with self._rendering:
            return path if path.exists() else show.save_sound(made.path, made.song, self.soundfont)

    # --- the work -----------------------------------------------------------------------------------------------------

    def listen(self, by: int) -> None:
        """Count a page that listens, or, by -1, one that is closed."""
        with self.changed:
            self._listeners += by
            self._left_at = None if self._listeners else time.monotonic()

    def wait_for_change(self, version: int, seconds: float) -> None:
        """Wait until the version has changed, so many seconds at most."""
        with self.changed:
            self.changed.wait_for(lambda: self.version != version, seconds)

    def close(self) -> None:
        """End the work."""
        with self.changed:
            self._is_open = False
            self._cancel([*self.queue])

    def work(self) -> None:
        """Make what waits, one making after another, until the session is closed."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.queue or not self._is_open)
                if not self._is_open:
                    return
                work = self.queue[0]
            try:
                self._make(work)
            except Stopped:
                pass
            except (InputError, OSError) as error:
                self.problem = str(error)
            except Exception as error:  # a fault of ours ends one making, not the evening
                self.problem = f"this is a fault in Serenity: {type(error).__name__}: {error}"
            with self.changed:
                self.queue.popleft()
                self._tell()

    def _make(self, work: Work) -> None:
        step, request = self.steps[work.asked.step], self.request_of(work.asked)
        for variation in range(work.first, work.first + work.asked.takes):
            before = work.done
            self._check(work)
            take, = completion.complete(self.model, step.seed, request,
                                        lambda done, before=before: self._progress(work, before + done), variation)
            number = len(self.takes) + 1
            of_seed = 1 + sum(self.steps[made.step].root == step.root for made in self.takes.values())
            names = places(self.folder / f"{step.root}-{of_seed}.mid", "take")
            path = next(name for name in names if not name.exists())  # a seed that was dropped may be called so
            completion.write(path, step.seed, take)
            with self.changed:
                song = completion.song(path.stem, step.seed, take)
                self.takes[number] = Made(number, step.number, work.number, path, take, song)
                work.made += 1
                self._tell()

    def _progress(self, work: Work, done: int) -> None:
        self._check(work)
        work.done = done
        if time.monotonic() - self._told_at > OFTEN:
            self._told_at = time.monotonic()
            with self.changed:
                self._tell()

    def _check(self, work: Work) -> None:
        """Stop a making that nobody wants any more."""
        is_left = self._left_at is not None and time.monotonic() - self._left_at > NOBODY
        if is_left:
            self.cancel()
        if work.is_cancelled:
            raise Stopped


# --- names, songs, bars -----------------------------------------------------------------------------------------------

@contextmanager
def new_folder(parent: Path, name: str) -> Iterator[Path]:
    """Make a new folder, named by `name` and a number. If it stays empty, it is removed again."""
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while (folder := parent / f"{name}-{number}").exists():
        number += 1
    folder.mkdir()
    try:
        yield folder
    finally:
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def places(path: Path, mark: str) -> Iterator[Path]:
    """Yield a path and then, one after another, those beside it with a mark and a number."""
    yield path
    yield from (path.with_name(f"{path.stem}-{mark}{number}{path.suffix}") for number in itertools.count(2))


def sound_name(made: Made) -> str:
    """Return what the sound of a take is called, as generate.py calls it."""
    return made.path.with_suffix(audio.suffix()).name


def first_new_bar(seed: Seed) -> int:
    """Return the number, as in a DAW, of the first bar behind a seed."""
    end = completion.length(seed, Request(bars=1)).end
    return seed.music.tempo_map.bar_name(end + A_LITTLE) - 1


# --- what a page is told ----------------------------------------------------------------------------------------------

def state(session: Session) -> dict[str, object]:
    """Return what is seen now, as JSON has it."""
    with session.changed:
        view, under_way = session.view, session.queue[0] if session.queue else None
        steps = [_step_state(session, session.steps[number]) for number in view.steps]
        making = under_way and {"step": under_way.asked.step, "takes": under_way.asked.takes, "made": under_way.made,
                                "done": under_way.done, "most": under_way.most, "waiting": len(session.queue) - 1}
        return {"version": session.version, "steps": steps, "making": making, "problem": session.problem,
                "starred": sorted(view.starred), "can_undo": bool(session.history)}


def _step_state(session: Session, step: Step) -> dict[str, object]:
    seen = {id(made.take): made.number for made in session.takes.values()
            if made.step == step.number and made.making in session.view.makings}
    ranked = completion.rank(made.take for made in session.takes.values() if id(made.take) in seen)
    return {"number": step.number, "heading": step.heading, "about": show.heading(step.song),
            "report": step.seed.report(), "first_bar": step.first_bar, "takes": [seen[id(take)] for take in ranked]}
