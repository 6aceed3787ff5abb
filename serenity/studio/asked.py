"""What a browser may ask of the studio: which address means what, and what is refused. Pure functions.

Other pages in the same browser can send requests to this machine, too. So each request must have the token that only
the studio's own address has, and name this server as its host (else a stranger's domain may point here). If a page
sends it, that must be the studio's own page.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple, get_type_hints
from urllib.parse import parse_qs, unquote, urlsplit

from serenity.errors import fits, short
from serenity.song_names import PLAIN_ENDINGS

LARGEST_UPLOAD = 8 * 2**20  # bytes
LARGEST_ORDER = 4096        # bytes of any other body
LONGEST_NAME = 100          # bytes of a file's name
OWN_SITE = ("same-origin", "none")  # how a browser marks a request of the page itself, or one typed by hand
BOLDNESS = (0.1, 2.0)       # temperatures
MOST_BARS, MOST_TAKES = 64, 8
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


class Refused(Exception):
    """A request that is not answered: an HTTP status and why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status


class Route(NamedTuple):
    """What an address means."""

    what: str        # "page", "events", "take", ...
    number: int = 0  # of a step or a take
    name: str = ""   # of a file


@dataclass(frozen=True)
class Making:
    """So many takes of a step."""

    step: int
    bars: int
    temperature: float
    takes: int
    ending: bool = False  # whether the song closes in the last of the bars


# method, parts of the address after the token -> what it means; # is a number, * a file's name
ROUTES = {
    ("GET", ""): "page",
    ("GET", "events"): "events",
    ("GET", "steps", "#"): "seed",
    ("GET", "steps", "#", "sound"): "seed sound",
    ("GET", "takes", "#"): "take",
    ("GET", "takes", "#", "sound"): "take sound",
    ("GET", "takes", "#", "files", "*"): "file",
    ("POST", "seeds"): "upload",
    ("POST", "makings"): "make",
    ("POST", "cancel"): "cancel",
    ("POST", "undo"): "undo",
    ("POST", "takes", "#", "star"): "star",
    ("POST", "takes", "#", "go-on"): "go on",
}


def check_sender(method: str, headers: Mapping[str, str], port: int) -> None:
    """Refuse a request that another page or another name for this machine sends."""
    hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
    host, origin = headers.get("Host", ""), headers.get("Origin")
    if host not in hosts:
        raise Refused(403, f"host {host[:60]!a}; wanted {hosts[0]}")
    if origin is None and method != "GET" or origin not in (None, f"http://{host}"):
        raise Refused(403, f"origin {(origin or 'missing')[:60]!a}; wanted http://{host}")
    if headers.get("Sec-Fetch-Site", "none") not in OWN_SITE:
        raise Refused(403, "sent by another site; wanted the studio's own page")


def route(method: str, address: str, token: str) -> Route:
    """Return what an address means: /TOKEN/takes/3/sound. Raises Refused."""
    parts = [unquote(part) for part in urlsplit(address).path.split("/")[1:]]
    if not hmac.compare_digest(parts[0].encode(), token.encode()):
        raise Refused(403, "no such address; wanted the one that generate.py printed")
    for (wanted, *shape), what in ROUTES.items():
        if wanted == method and len(shape) == len(parts) - 1 and all(map(_fits, shape, parts[1:])):
            number = next((int(part) for mark, part in zip(shape, parts[1:]) if mark == "#"), 0)
            return Route(what, number, parts[-1] if shape[-1] == "*" else "")
    raise Refused(404, "no such address")


def _fits(mark: str, part: str) -> bool:
    if mark == "#":
        return part.isascii() and part.isdigit() and len(part) < 10
    return mark == part or mark == "*" and bool(part)


def body_length(headers: Mapping[str, str], largest: int) -> int:
    """Return the length of a request's body in bytes. Raises Refused if it is not stated, or too large."""
    if "Transfer-Encoding" in headers:
        raise Refused(411, "a body of unknown length; wanted its Content-Length")
    said = headers.get("Content-Length", "")
    if not (said.isascii() and said.isdigit()):
        raise Refused(411, f"Content-Length {said[:20]!a}; wanted a number of bytes")
    if len(said) > 12 or int(said) > largest:
        raise Refused(413, f"{said[:20]} bytes; wanted {largest:,} at most")
    return int(said)


def file_name(address: str) -> str:
    """Return the name under which an upload's file is kept: the one in its address, changed so that it is printable,
    not like a flag or a hidden file, and not too long. Raises Refused for a path, and for a name that is not a song's.
    """
    name = parse_qs(urlsplit(address).query).get("name", [""])[0]
    if not name or set(name) & set("/\\\0"):
        raise Refused(400, f"name {name[:60]!a}; wanted the plain name of a file")
    stem, ending = PurePath(name).stem, PurePath(name).suffix
    if ending.lower() not in PLAIN_ENDINGS:
        raise Refused(415, f"{ascii(name[:60])}: wanted a MIDI file or a score ({', '.join(PLAIN_ENDINGS)})")
    stem = "".join(letter if letter.isprintable() and letter != ":" else "_" for letter in stem)
    stem = f"_{stem}" if stem.startswith((".", "-")) else stem
    while len(f"{stem}{ending}".encode(errors="replace")) > LONGEST_NAME:
        stem = stem[:-1]
    return f"{stem.rstrip()}{ending}"


def making(body: bytes) -> Making:
    """Return which takes are asked for. Raises Refused."""
    said = _order(body, get_type_hints(Making))
    for name, (lowest, highest) in (("bars", (1, MOST_BARS)), ("temperature", BOLDNESS), ("takes", (1, MOST_TAKES))):
        if not lowest <= said[name] <= highest:
            raise Refused(400, f"{name} {short(said[name])}; wanted {lowest} to {highest}")
    return Making(**said | {"temperature": float(said["temperature"])})  # JSON has 1 for 1.0


def kept_bars(body: bytes) -> int:
    """Return how many bars of a take are kept. Raises Refused."""
    bars = _order(body, {"bars": int})["bars"]
    if not 0 <= bars <= 10_000:
        raise Refused(400, f"bars {short(bars)}; wanted 0 or more")
    return bars


def star(body: bytes) -> bool:
    """Return whether a take gets a star or loses it. Raises Refused."""
    return _order(body, {"on": bool})["on"]


def _order(body: bytes, wanted: Mapping[str, type]) -> dict[str, object]:
    """Return the fields of a JSON body. Raises Refused if one is missing, of another type, or unknown."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(said, dict) or said.keys() != wanted.keys():
        raise Refused(400, f"wanted the fields {', '.join(wanted)}")
    for name, kind in wanted.items():
        if not fits(said[name], kind):
            raise Refused(400, f"{name} {short(said[name])}; wanted {KINDS[kind]}")
    return said
