"""A page to listen to songs: takes of one seed on one time line, with rolls, sound, measures and files to save.

As a file it opens from the file system and asks the network for nothing: notes, sounds and MIDI files are in it, and
page.js makes the page from them. Its Content-Security-Policy lets only its own script run, since a song's name can be
anything. The studio serves the same page, and sends it the same songs one by one.
"""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.files import write_whole
from serenity.listen.audio import Encoded
from serenity.listen.piano_roll import CONTINUATION, SEED, strength
from serenity.music.note import end_time
from serenity.music.remarks import Remark

LARGEST = 64 * 2**20  # bytes of a page; a phone still opens it
SOUND_TAG = 100       # bytes at most around a sound
LOCKED = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:"  # what no page here may do


@dataclass(frozen=True, eq=False)
class PageSong:
    """A song as the page shows it."""

    name: str
    notes: np.ndarray                # a note table: the whole song
    split: float | None = None       # seconds; notes from there on are the continuation
    bars: Sequence[float] = ()       # onsets of bars, seconds; none: unknown
    first_bar: int = 1               # number of the first of them
    chords: Sequence[tuple[float, str]] = ()  # where each begins, seconds, and its name
    sound: Encoded | None = None     # None: the song cannot be heard
    measures: Sequence[Remark] = ()  # in the order shown; one without words stands among the numbers only
    warning: str = ""                # why it stands last; may be empty
    cut: str = ""                    # which part of the song this is, where it is not all of it
    downloads: Mapping[str, bytes] = field(default_factory=dict)  # a file's name -> its content


@dataclass(frozen=True, eq=False)
class Group:
    """Songs on one time line, in the order given: a listener who changes to another one stays at the same place."""

    heading: str  # may be empty
    songs: tuple[PageSong, ...]
    about: str = ""  # what holds for all of them: key, tempo, metre


def write(path: str | os.PathLike, title: str, groups: Iterable[Group], note: str = "") -> int:
    """Write the page and return its size in bytes; it appears whole or not at all.

    Sounds that would make it larger than LARGEST are left out, the last ones first, and the page says so.
    Raises InputError if there is no song, if a song has no note, or if the page is too large even without sound.

    Args: note, said below the title, a paragraph a line.
    """
    groups = [group for group in groups if group.songs]
    songs = [song for group in groups for song in group.songs]
    if not songs:
        raise InputError("no song for the page; wanted one or more")
    for song in songs:
        if not len(song.notes):
            raise InputError(f"{song.name}: holds no note to show; wanted one or more")
    size, heard = len(_page(title, groups, note, LARGEST, {})), {}
    if size > LARGEST:
        raise InputError(f"the page would hold {size:,} bytes without any sound; wanted at most {LARGEST:,}")
    for song in [song for song in songs if song.sound]:
        cost = SOUND_TAG + 4 * (len(song.sound.content) // 3 + 1)
        if size + cost > LARGEST:
            break
        size += cost
        heard[id(song)] = f"sound-{len(heard)}"
    content = _page(title, groups, note, size, heard)
    write_whole(path, content)
    return len(content)


def _page(title: str, groups: list[Group], note: str, size: int, heard: Mapping[int, str]) -> bytes:
    """Return the page, in UTF-8. `heard`: id of a song whose sound is in it -> name of the element that holds that."""
    songs = [song for group in groups for song in group.songs]
    data = [{"heading": group.heading, "about": group.about, "songs": [
        song_data(song, heard.get(id(song)), {name: f"data:application/octet-stream;base64,{_base64(content)}"
                                              for name, content in song.downloads.items()})
        for song in group.songs]} for group in groups]
    sounds = "\n".join(f'<script type="text/plain" id="{heard[id(song)]}" data-kind="{song.sound.kind}">'
                       f"{_base64(song.sound.content)}</script>" for song in songs if id(song) in heard)
    left_out = sum(song.sound is not None for song in songs) - len(heard)
    notes = [line for line in note.splitlines() if line.strip()]
    if left_out:
        notes.append(f"Sounds left out, so that the page does not grow too large: the last {left_out}.")
    text = fill(title, notes, data, has_seed=any(song.split is not None for song in songs), sounds=sounds,
                about=f"The page is one file of {size / 1e6:.1f} MB and asks nothing of the network.")
    return text.encode(errors="replace")  # ? for half characters, as they come from file names that are not UTF-8


def fill(title: str, notes: Iterable[str], groups: list[dict], has_seed: bool, about: str, sounds: str = "",
         panel: str = "", more_style: str = "", more_script: str = "", policy: str = "") -> str:
    """Return the page of groups as song_data has their songs.

    Args: sounds, elements that hold them; panel, what stands above the songs, with more_style and more_script; policy,
    what the page may do beside running its own script.
    """
    style = _filled(asset("page.css"), {"seed": f"rgb{SEED}", "continuation": f"rgb{CONTINUATION}"}) + more_style
    script = asset("page.js") + more_script
    return _filled(asset("page.html"), {
        "title": html.escape(title),
        "note": "\n".join(f'<p class="note">{html.escape(line)}</p>' for line in notes),
        "legend": _legend(has_seed), "about": html.escape(about), "panel": panel, "sounds": sounds,
        "policy": f"{LOCKED}; script-src '{_hash(script)}'; style-src '{_hash(style)}'; {policy}".rstrip("; "),
        "groups": json_in_html(groups), "style": style, "script": script,
    })


@cache
def asset(name: str) -> str:
    """Return the text of a file beside this module."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """Return the template with each {{name}} replaced; a {{name}} inside of what is put in stays."""
    return re.sub(r"{{(\w+)}}", lambda found: parts[found[1]], template)


def json_in_html(data: object) -> str:
    """Return JSON that is safe inside of a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _hash(content: str) -> str:
    """Return how a Content-Security-Policy names the content of an element."""
    return f"sha256-{_base64(hashlib.sha256(content.encode()).digest())}"


def _legend(has_seed: bool) -> str:
    names = [("seed", "your seed"), ("continuation", "continuation")] if has_seed else []
    return "".join(f'<span><i class="{kind}"></i>{name}</span>' for kind, name in [*names, ("shade", "soft to loud")])


def song_data(song: PageSong, sound: str | None, downloads: Mapping[str, str]) -> dict[str, object]:
    """Return what page.js reads of a song: times in milliseconds, the shade in percent.

    Args: sound, where it is found; None: nowhere; downloads, a file's name -> its address.
    """
    notes = song.notes
    heard = song.sound.seconds if song.sound and sound else 0
    return {
        "id": hashlib.sha256(notes.tobytes() + song.name.encode(errors="replace")).hexdigest()[:16],
        "name": song.name,
        "onset": _milliseconds(notes["onset"]),
        "duration": _milliseconds(notes["duration"]),
        "pitch": notes["pitch"].tolist(),
        "shade": np.rint(100 * strength(notes["velocity"])).astype(int).tolist(),
        "split": None if song.split is None else _milliseconds(song.split),
        "bars": _milliseconds(song.bars), "first_bar": song.first_bar,
        "chords": [(_milliseconds(start), name) for start, name in song.chords],
        "seconds": round(max(end_time(notes), heard, 1), 3),
        "sound": sound,
        "facts": " · ".join(filter(None, (f"{len(notes):,} notes", clock(end_time(notes)), song.cut,
                                          "" if sound else "without sound"))),
        "measures": [tuple(measure) for measure in song.measures],
        "warning": song.warning,
        "downloads": list(downloads.items()),
    }


def _milliseconds(times) -> int | list[int]:
    return np.rint(1000 * np.asarray(times, np.float64)).astype(np.int64).tolist()


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
