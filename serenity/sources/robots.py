"""robots.txt as RFC 9309 reads it, and the two lines beside the RFC that ask for pauses.

The group that names the agent counts, or else the one for `*`; groups of the same name are one. Of the rules that match
a path the longest wins, and `allow` where two are equally long (section 2.2.2). `*` stands for anything, `$` for the
end. A line that cannot be understood is passed over, as the RFC says (section 2.2).
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urlsplit

LARGEST = 500 * 2**10  # bytes that are read (section 2.5); what comes after them is not
LONGEST_PAUSE = 120.0  # seconds; who asks for more is not waited for

_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d{1,9})\s*([smh]?)", re.ASCII)
_SECONDS = re.compile(r"\d{1,9}(\.\d*)?", re.ASCII)


@dataclass(frozen=True)
class Rules:
    """What a robots.txt says to one agent."""

    rules: tuple[tuple[str, bool], ...] = ()  # (pattern of a path, whether it allows)
    pause: float = 0.0  # seconds between two requests
    sitemaps: tuple[str, ...] = ()

    def allows(self, url: str) -> bool:
        """Return whether the agent may ask for a URL."""
        parts = urlsplit(url)
        path = _canonical(parts.path or "/") + (f"?{_canonical(parts.query)}" if parts.query else "")
        matching = [(len(pattern), allowed) for pattern, allowed in self.rules if matches(pattern, path)]
        return path == "/robots.txt" or max(matching, default=(0, True))[1]


def parse(text: str, agent: str) -> Rules:
    """Return what a robots.txt says to an agent, whose product token is what stands before a slash or space."""
    groups, names, sitemaps, is_open = {}, [], [], False
    for line in text[:LARGEST].removeprefix("\ufeff").splitlines():
        field, colon, value = line.partition("#")[0].partition(":")
        field, value = field.strip().lower(), value.strip()
        if not colon:
            continue
        if field == "sitemap":
            sitemaps.append(value)
        elif field == "user-agent":
            names = [*names, value.lower()] if is_open else [value.lower()]
            is_open = True
            groups.setdefault(names[-1], [])
        elif field in ("allow", "disallow", "crawl-delay", "request-rate"):
            is_open = False
            for name in names:
                groups[name].append((field, value))
    product = re.split(r"[/\s]", agent.lower())[0]
    # a group's name is a product token; "name/1.0" is met too, though it should not be written so
    own = [group for name, group in groups.items() if re.split(r"[/\s]", name)[0] == product and name != "*"]
    lines = [line for group in own or [groups.get("*", [])] for line in group]
    return Rules(tuple((_canonical(value), field == "allow") for field, value in lines
                       if field in ("allow", "disallow") and value),
                 max((_pause(value) for field, value in lines if field not in ("allow", "disallow")), default=0.0),
                 tuple(sitemaps))


def _pause(value: str) -> float:
    """Return the seconds that a crawl-delay, or a request-rate such as 1/10s, asks for; 0 where it is neither."""
    if rate := _RATE.match(value):
        seconds = int(rate[2]) * _UNIT[rate[3]] / max(1, int(rate[1]))
    else:
        seconds = float(match[0]) if (match := _SECONDS.fullmatch(value)) else 0.0
    return min(seconds, LONGEST_PAUSE)


def matches(pattern: str, path: str) -> bool:
    """Return whether a pattern meets the beginning of a path, or with `$` all of it, in time linear in both."""
    to_the_end, pattern = pattern.endswith("$"), pattern.removesuffix("$")
    first, *others = pattern.split("*")
    if not path.startswith(first):
        return False
    if not others:
        return not to_the_end or path == first
    position = len(first)
    last = others.pop() if to_the_end else ""
    for piece in others:  # the first place that fits each piece leaves the most room for the next
        if (position := path.find(piece, position)) < 0:
            return False
        position += len(piece)
    return len(path) - len(last) >= position and path.endswith(last)


def _canonical(path: str) -> str:
    """Return a path in one spelling of its percent-encodings (section 2.2.2); /, ?, * and $ stay what they are."""
    pieces = re.split(r"(%2[Ff]|%3[Ff]|%2[Aa]|%24)", path)
    return "".join(piece.upper() if index % 2 else quote(unquote_to_bytes(piece), safe="/?*$!&'()+,;=:@~-._")
                   for index, piece in enumerate(pieces))
