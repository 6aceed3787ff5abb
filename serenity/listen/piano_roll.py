"""Piano rolls: a picture of a note table.

Time runs to the right, pitch upwards; a louder note is darker. The seed (before `split`) and the continuation have
different colours. A song that is longer than a row goes on in the next, as lines of a text do.

Everything is placed in points by `Layout` and drawn at SCALE pixels a point, then reduced, so that edges are smooth.
"""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from serenity.errors import InputError
from serenity.files import whole
from serenity.music.note import HIGHEST_PITCH, LOWEST_PITCH, end_time
from serenity.music.pitch import OCTAVE, pitch_name

WIDTH = 1600          # points, and pixels of the picture
SCALE = 2             # pixels drawn for each pixel of the picture, in each direction
ROW_SECONDS = 30      # longest row
MOST_ROWS = 40        # a song longer than these has longer rows, so that its picture can be held and looked at
TIME_STEPS = (1, 5, 30, 60, 300, 1800)  # seconds between two times below a row
MOST_TIMES = 10       # below a row
SEMITONE = 5          # points; height of one pitch in a song of several rows
SEMITONE_ALONE = 8    # points; the same in a song of one row
LEFT, RIGHT, TOP, BOTTOM = 44, 20, 18, 14  # points around everything; pitch names stand in LEFT
TITLE = 38            # points; height of title and legend
TIMES = 30            # points below each row, for its times
FEWEST_PITCHES = 2 * OCTAVE  # shown at least
BLACK_KEYS = (1, 3, 6, 8, 10)

PAPER = (255, 255, 255)
INK = (52, 58, 70)            # title
FAINT_INK = (140, 146, 158)   # names and times
BLACK_KEY = (247, 248, 250)   # background of the black keys
OCTAVE_LINE = (214, 218, 226)
BAR_LINE = (232, 235, 240)
SEED = (64, 92, 142)          # what was given: slate blue
CONTINUATION = (212, 92, 58)  # what was generated: terracotta
PALEST = 0.28                 # share of the colour in the softest note; the loudest has all of it
SOFTEST, LOUDEST = 24, 112    # MIDI velocities between which the shade changes


@dataclass(frozen=True)
class Layout:
    """Where things are drawn: from seconds and pitches to points."""

    rows: int
    row_seconds: float
    lowest: int    # pitches shown
    highest: int
    semitone: int  # points; height of one pitch

    @property
    def row_height(self) -> int:
        """Points from a row's top to its bottom, without its times."""
        return (self.highest - self.lowest + 1) * self.semitone

    @property
    def height(self) -> int:
        """Points of the whole picture."""
        return self.row_top(self.rows) + BOTTOM - TIMES // 3

    def row_top(self, row: int) -> int:
        """Return the upper edge of a row."""
        return TOP + TITLE + row * (self.row_height + TIMES)

    def x(self, row: int, seconds: float) -> float:
        """Return where a time stands in a row; times outside of the row stand at its edge."""
        share = (seconds - row * self.row_seconds) / self.row_seconds
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, row: int, pitch: int) -> int:
        """Return the upper edge of a pitch in a row."""
        return self.row_top(row) + (self.highest - pitch) * self.semitone

    def rows_of(self, onset: float, end: float) -> range:
        """Return the rows in which a span of seconds is seen."""
        first = min(int(onset // self.row_seconds), self.rows - 1)
        return range(first, max(math.ceil(end / self.row_seconds), first + 1))


def lay_out(notes: np.ndarray) -> Layout:
    """Return the layout of a note table's piano roll. No notes: InputError."""
    if not len(notes):
        raise InputError("holds no note to draw; wanted one or more")
    seconds = max(end_time(notes), 1.0)
    row_seconds = math.ceil(seconds / min(math.ceil(seconds / ROW_SECONDS), MOST_ROWS))  # so the last is full too
    rows = math.ceil(seconds / row_seconds)
    lowest, highest = int(notes["pitch"].min()) - 2, int(notes["pitch"].max()) + 2
    missing = max(FEWEST_PITCHES - (highest - lowest + 1), 0)
    lowest, highest = max(lowest - missing // 2, LOWEST_PITCH), min(highest + (missing + 1) // 2, HIGHEST_PITCH)
    semitone = SEMITONE if rows > 1 else SEMITONE_ALONE
    return Layout(rows, row_seconds, lowest, highest, semitone)


def strength(velocity):
    """Return the share, PALEST to 1, of its colour that a note of this velocity (a number or an array) shows."""
    return PALEST + (1 - PALEST) * np.clip((velocity - SOFTEST) / (LOUDEST - SOFTEST), 0.0, 1.0)


def shade(colour: tuple[int, int, int], velocity: int) -> tuple[int, int, int]:
    """Return a colour mixed with the paper, the more of it the louder the note."""
    share = float(strength(velocity))
    return tuple(round(paper + (full - paper) * share) for full, paper in zip(colour, PAPER))


def draw(notes: np.ndarray, split: float, bars: Iterable[float] = (), title: str = ""):
    """Return the piano roll of a note table as a PIL image.

    Args: split, seconds: notes from there on are the continuation; bars, onsets of bars in seconds.
    """
    from PIL import Image, ImageDraw

    layout = lay_out(notes)
    image = Image.new("RGB", (WIDTH * SCALE, layout.height * SCALE), PAPER)
    pen = _Pen(ImageDraw.Draw(image))
    _draw_title(pen, title)
    for row in range(layout.rows):
        _draw_paper(pen, layout, row, bars)
    for onset, duration, pitch, velocity in notes.tolist():
        colour = shade(SEED if onset < split else CONTINUATION, velocity)
        for row in layout.rows_of(onset, onset + duration):
            left, right = layout.x(row, onset), layout.x(row, onset + duration)
            right = max(right - 0.75, left + 1.5)  # a gap, so that a repeated note is seen as two
            top = layout.y(row, pitch)
            pen.bar(left, top, right, top + layout.semitone - 0.5, colour)
    row = layout.rows_of(split, split)[0]
    pen.line(layout.x(row, split), layout.row_top(row), layout.x(row, split),
             layout.row_top(row) + layout.row_height, CONTINUATION)
    return image.reduce(SCALE)


def save(path: str | os.PathLike, notes: np.ndarray, split: float, bars: Iterable[float] = (), title: str = "") -> None:
    """Write the picture that `draw` gives, as PNG."""
    picture = draw(notes, split, bars, title)
    with whole(path) as part:
        picture.save(part, "PNG")


class _Pen:
    """Draws in points on an image of SCALE pixels a point."""

    def __init__(self, target):
        self.target = target

    def box(self, left, top, right, bottom, colour):
        self.target.rectangle([left * SCALE, top * SCALE, right * SCALE - 1, bottom * SCALE - 1], colour)

    def bar(self, left, top, right, bottom, colour):
        edges = [left * SCALE, top * SCALE, right * SCALE - 1, bottom * SCALE - 1]
        radius = min(1.5 * SCALE, (edges[2] - edges[0]) / 2)
        self.target.rounded_rectangle(edges, radius, colour)

    def line(self, left, top, right, bottom, colour):
        self.target.line([left * SCALE, top * SCALE, right * SCALE, bottom * SCALE], colour, SCALE)

    def text(self, x, y, text, size, colour, anchor):
        """`anchor`: which point of the text stands at (x, y); two letters as in Pillow's manual."""
        self.target.text((x * SCALE, y * SCALE), text, colour, self._font(size), anchor)

    def text_width(self, text, size):
        return self.target.textlength(text, self._font(size)) / SCALE

    def _font(self, size):
        from PIL import ImageFont

        return ImageFont.load_default(size * SCALE)


def _draw_title(pen: _Pen, title: str) -> None:
    middle, x = TOP + 10, WIDTH - RIGHT
    pen.text(LEFT, middle, title, 18, INK, "lm")
    for name, colour in (("continuation", CONTINUATION), ("seed", SEED)):
        pen.text(x, middle, name, 12, FAINT_INK, "rm")
        x -= pen.text_width(name, 12) + 8
        pen.bar(x - 16, middle - 3, x, middle + 3, colour)
        x -= 36


def _draw_paper(pen: _Pen, layout: Layout, row: int, bars: Iterable[float]) -> None:
    """Draw what lies behind the notes of a row: keys, bar lines, octaves and times."""
    left, right = LEFT, WIDTH - RIGHT
    top, bottom = layout.row_top(row), layout.row_top(row) + layout.row_height
    for pitch in range(layout.lowest, layout.highest + 1):
        if pitch % OCTAVE in BLACK_KEYS:
            pen.box(left, layout.y(row, pitch), right, layout.y(row, pitch) + layout.semitone, BLACK_KEY)
    start = row * layout.row_seconds
    for bar in bars:
        if start <= bar < start + layout.row_seconds:
            pen.line(layout.x(row, bar), top, layout.x(row, bar), bottom, BAR_LINE)
    for pitch in range(layout.lowest, layout.highest + 1):
        if pitch % OCTAVE == 0:
            line = layout.y(row, pitch) + layout.semitone  # the lower edge of the key
            pen.line(left, line, right, line, OCTAVE_LINE)
            pen.text(left - 8, line - layout.semitone / 2, pitch_name(pitch), 11, FAINT_INK, "rm")
    every = next(step for step in TIME_STEPS if layout.row_seconds <= step * MOST_TIMES)
    for seconds in range(math.ceil(start / every) * every, int(start + layout.row_seconds) + 1, every):
        x = layout.x(row, seconds)
        pen.line(x, bottom + 3, x, bottom + 6, FAINT_INK)
        pen.text(x, bottom + 9, f"{seconds // 60}:{seconds % 60:02}", 11, FAINT_INK, "mt")
