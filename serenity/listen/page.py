"""A page to listen to songs: one HTML file with piano rolls, sound, measures and MIDI files to take along.

It opens from the file system and asks the network for nothing: rolls are drawn from the notes by page.js, sounds and
MIDI files lie in the page as base64. Its Content-Security-Policy lets only its own script run: a song's name can be
anything.
"""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.files import write_whole
from serenity.listen.audio import Encoded
from serenity.listen.piano_roll import CONTINUATION, SEED, strength
from serenity.music.note import end_time

LARGEST = 64 * 2**20  # bytes of a page; a phone still opens it
SOUND_TAG = 100       # bytes at most around a sound

PLAY = ('<svg viewBox="0 0 24 24" aria-hidden="true"><path class="go" d="M7 4l14 8-14 8z"/>'
        '<path class="pause" d="M5 4h5v16H5zM14 4h5v16h-5z"/></svg>')


@dataclass(frozen=True, eq=False)
class PageSong:
    """A song as the page shows it."""

    name: str
    notes: np.ndarray                # a note table: the whole song
    split: float | None = None       # seconds; notes from there on are the continuation
    bars: Sequence[float] = ()       # onsets of bars, seconds; none: unknown
    sound: Encoded | None = None     # None: the song cannot be heard
    measures: Mapping[str, str] = field(default_factory=dict)     # name -> text, in the order shown
    downloads: Mapping[str, bytes] = field(default_factory=dict)  # a file's name -> its content


@dataclass(frozen=True, eq=False)
class Group:
    """Songs side by side, in the order given."""

    heading: str  # may be empty
    songs: tuple[PageSong, ...]
    together: bool = False  # songs of one time line: from one to another the ear goes on at the same place


def write(path: str | os.PathLike, title: str, groups: Iterable[Group], note: str = "", largest: int = LARGEST) -> int:
    """Write the page and return its size in bytes; it appears whole or not at all.

    Sounds that would make it larger than `largest` bytes stay out, the last first, and the page says so. InputError
    where there is no song, a song has no note, or the page is too large without any sound.

    Args: note, said below the title, a paragraph a line.
    """
    groups = [group for group in groups if group.songs]
    songs = [song for group in groups for song in group.songs]
    if not songs:
        raise InputError("no song for the page; wanted one or more")
    for song in songs:
        if not len(song.notes):
            raise InputError(f"{song.name}: holds no note to show; wanted one or more")
    size, sounding = len(_encoded(_page(title, groups, note, largest, set()))), set()
    if size > largest:
        raise InputError(f"the page would hold {size:,} bytes without any sound; wanted at most {largest:,}")
    for song in songs:
        cost = SOUND_TAG + 4 * (len(song.sound.content) // 3 + 1) if song.sound else 0
        if size + cost > largest:
            break
        size += cost
        sounding.add(id(song))
    content = _encoded(_page(title, groups, note, size, sounding))
    write_whole(path, content)
    return len(content)


def _encoded(text: str) -> bytes:
    """Return UTF-8, with ? for half characters, as in file names that are no UTF-8."""
    return text.encode(errors="replace")


def _page(title: str, groups: list[Group], note: str, size: int, sounding: set[int]) -> str:
    """Return the page with the sounds of those songs whose ids are `sounding`."""
    numbers = iter(range(1, 1 + sum(len(group.songs) for group in groups)))
    parts = [_group(group, numbers, sounding) for group in groups]
    songs = [song for group in groups for song in group.songs]
    notes = [line for line in note.splitlines() if line.strip()]
    left_out = sum(song.sound is not None and id(song) not in sounding for song in songs)
    if left_out:
        notes.append(f"Sounds left out, so that the page does not grow too large: the last {left_out}.")
    style = _fill(_file("page.css"), {"seed": f"rgb{SEED}", "continuation": f"rgb{CONTINUATION}"})
    script = _file("page.js")
    return _fill(_file("page.html"), {
        "title": html.escape(title),
        "note": "\n".join(f'<p class="note">{html.escape(line)}</p>' for line in notes),
        "legend": _legend(any(song.split is not None for song in songs)),
        "groups": "\n".join(parts),
        "size": f"{size / 1e6:.1f} MB",
        "style": style, "style_hash": _hash(style), "script": script, "script_hash": _hash(script),
    })


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _fill(template: str, parts: Mapping[str, str]) -> str:
    """Return the template with {{name}} replaced; what is put in is not looked at again."""
    return re.sub(r"{{(\w+)}}", lambda found: parts[found[1]], template)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _hash(content: str) -> str:
    """Return how a Content-Security-Policy names the content of an element."""
    return f"sha256-{_base64(hashlib.sha256(content.encode()).digest())}"


def _legend(has_split: bool) -> str:
    names = [("seed", "seed"), ("continuation", "continuation")] if has_split else []
    return "".join(f'<span><i class="{kind}"></i>{name}</span>' for kind, name in [*names, ("shade", "soft to loud")])


def _group(group: Group, numbers, sounding: set[int]) -> str:
    songs = "\n".join(_song(song, next(numbers), id(song) in sounding) for song in group.songs)
    together = " data-together" if group.together else ""
    heading = f"<h2>{html.escape(group.heading)}</h2>" if group.heading else ""
    return f'<section>\n{heading}\n<div class="songs"{together}>\n{songs}\n</div>\n</section>'


def _song(song: PageSong, number: int, is_sounding: bool) -> str:
    name = html.escape(song.name)
    seconds = end_time(song.notes)
    sound = song.sound if is_sounding else None
    rows = "".join(f'<tr><th scope="row">{html.escape(measure)}</th><td>{html.escape(value)}</td></tr>'
                   for measure, value in song.measures.items())
    links = "".join(f'<a href="data:application/octet-stream;base64,{_base64(content)}" download="{html.escape(file)}">'
                    f"{html.escape(file)}</a>" for file, content in song.downloads.items())
    return "\n".join(line for line in (
        f'<article class="song" aria-labelledby="song-{number}">',
        f'<h3 id="song-{number}">{name}</h3>',
        f'<div class="player"><button class="play" type="button" aria-label="Play {name}" aria-pressed="false"'
        f'{"" if sound else " disabled"}>{PLAY}</button>'
        f'<div class="strip" role="slider" tabindex="0" aria-label="Position in {name}" aria-valuemin="0" '
        f'aria-valuemax="{seconds:.0f}" aria-valuenow="0"><canvas></canvas><span class="head"></span></div>'
        '<span class="time"></span></div>',
        '<div class="roll"><div class="length"><canvas></canvas><span class="head"></span></div></div>',
        f'<p class="facts">{_facts(song, seconds, sound)}</p>',
        f"<table>{rows}</table>" if rows else "",
        f'<p class="downloads">{links}</p>' if links else "",
        f'<script type="application/json" class="data">{_data(song, seconds, sound)}</script>',
        f'<script type="text/plain" class="sound" data-kind="{sound.kind}">'
        f"{_base64(sound.content)}</script>" if sound else "",
        "</article>",
    ) if line)


def _facts(song: PageSong, seconds: float, sound: Encoded | None) -> str:
    facts = [f"{len(song.notes):,} notes", _clock(seconds)]
    if sound is None:
        facts.append("without sound")
    elif sound.seconds < seconds:
        facts.append(f"sound: the first {_clock(sound.seconds)}")
    return " · ".join(facts)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _data(song: PageSong, seconds: float, sound: Encoded | None) -> str:
    """Return what page.js reads: times in milliseconds, the shade in percent; safe inside of a script element."""
    def milliseconds(times) -> list[int]:
        return np.rint(1000 * np.asarray(times, np.float64)).astype(np.int64).tolist()

    return json.dumps({
        "onset": milliseconds(song.notes["onset"]),
        "duration": milliseconds(song.notes["duration"]),
        "pitch": song.notes["pitch"].tolist(),
        "shade": np.rint(100 * strength(song.notes["velocity"])).astype(int).tolist(),
        "bars": milliseconds(song.bars),
        "split": None if song.split is None else milliseconds(song.split),
        "seconds": round(max(seconds, sound.seconds if sound else 0, 1), 3),
        "sound_seconds": round(sound.seconds, 3) if sound else 0,
    }, separators=(",", ":"))
