"""From a URL to MIDI files, politely: one request a host at a time with a pause, robots.txt obeyed, a named agent.

`finds` takes a page, a MIDI file or an archive. Of a page, the links to files and archives are followed, to other pages
none (yet). Each hop of a redirect is a request of its own: same checks, same manners.

robots.txt as RFC 9309 has it: one that is not there (4xx) allows everything, one that cannot be had (5xx, no answer)
nothing.
"""

import ipaddress
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import IO
from urllib.parse import unquote, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from serenity.errors import InputError
from serenity.sources import archive
from serenity.sources.manifest import KNOWN, MAGIC, REFUSED, UNPACKED, Find

LARGEST_PAGE = 16 * 2**20  # bytes
REDIRECTS = 5
LONGEST_BODY = 1800.0  # seconds; a body that trickles in for longer is given up
LONGEST_WAIT = 120.0  # seconds; a host that asks for more is left alone
BACK_OFF = 5.0  # seconds before the one retry, where the host names no time
BUSY = (429, 500, 502, 503, 504)
IN_MEMORY = 2**23  # bytes of a body; the rest of it goes to a temporary file

LINKS = {"a": "href", "audio": "src", "source": "src", "embed": "src", "object": "data"}


@dataclass(frozen=True)
class Manners:
    """How hosts are treated."""

    agent: str
    pause: float  # seconds between two requests to one host, at least
    timeout: float  # seconds without an answer
    allow_private_hosts: bool
    largest_archive: int  # bytes


@dataclass
class Visitor:
    """Asks hosts for files, with manners."""

    manners: Manners
    _next: dict[str, float] = field(default_factory=dict)  # host -> monotonic time of the next request
    _robots: dict[str, RobotFileParser] = field(default_factory=dict)  # scheme://host -> its rules

    def get(self, url: str, largest: int) -> tuple[str, IO[bytes]]:
        """Return the final URL and the body, as a file at its start.

        Raises InputError, kind first: a forbidden or private address, no answer, an error status, over `largest` bytes.
        """
        return self._follow(url, largest, self._check_robots)

    def _follow(self, url: str, largest: int, check: Callable[[str], None]) -> tuple[str, IO[bytes]]:
        for _ in range(REDIRECTS + 1):
            check_address(url, self.manners.allow_private_hosts)
            check(url)
            answer = self._retry_once(url)
            with answer:
                if not answer.is_redirect:
                    if answer.status_code != 200:
                        raise StatusError(answer.status_code, url)
                    return url, self._body(answer, largest)
                url = urljoin(url, answer.headers["location"])
        raise InputError(f"more than {REDIRECTS} redirects: {url}")

    def _retry_once(self, url: str):
        import requests

        for is_last in (False, True):
            try:
                answer = self._ask(url)
            except requests.RequestException as error:
                if is_last:
                    raise InputError(f"no answer: {url} ({_cause(error)})") from error
                wait = BACK_OFF
            else:
                if answer.status_code not in BUSY or is_last:
                    return answer
                wait = retry_after(answer.headers.get("retry-after"))
                answer.close()
                if wait > LONGEST_WAIT:
                    return answer
            host = urlsplit(url).netloc
            self._next[host] = max(self._next[host], time.monotonic() + wait)

    def _ask(self, url: str):
        host = urlsplit(url).netloc
        time.sleep(max(0.0, self._next.get(host, 0.0) - time.monotonic()))
        try:
            return self._session.get(url, stream=True, allow_redirects=False, timeout=self.manners.timeout)
        finally:
            rules = self._robots.get(_site(url))
            delay = (rules and rules.crawl_delay(self.manners.agent)) or 0
            self._next[host] = time.monotonic() + max(self.manners.pause, min(float(delay), LONGEST_WAIT))

    @cached_property
    def _session(self):
        import requests

        session = requests.Session()
        session.headers["User-Agent"] = self.manners.agent
        return session

    def _body(self, answer, largest: int) -> IO[bytes]:
        import requests

        over = InputError(f"over {largest / 2**20:g} MiB: {answer.url}")
        if int(answer.headers.get("content-length", "0").strip() or 0) > largest:
            raise over
        body, deadline = tempfile.SpooledTemporaryFile(IN_MEMORY), time.monotonic() + LONGEST_BODY  # noqa: SIM115
        try:
            for chunk in answer.iter_content(2**16):
                body.write(chunk)
                if body.tell() > largest:
                    raise over
                if time.monotonic() > deadline:
                    raise InputError(f"too slow: {answer.url}")
        except requests.RequestException as error:
            raise InputError(f"broke off: {answer.url} ({_cause(error)})") from error
        body.seek(0)
        return body

    def _check_robots(self, url: str) -> None:
        site = _site(url)
        if site not in self._robots:
            self._robots[site] = rules = RobotFileParser()
            try:
                body = self._follow(f"{site}/robots.txt", 2**19, lambda url: None)[1]
                rules.parse(body.read().decode("utf-8", "replace").splitlines())
            except StatusError as error:
                rules.allow_all, rules.disallow_all = error.status < 500, error.status >= 500
            except InputError:
                rules.disallow_all = True
                raise
        if not self._robots[site].can_fetch(self.manners.agent, url):
            raise InputError(f"robots.txt forbids it: {url}")


class StatusError(InputError):
    """A host answered with something else than 200 OK."""

    def __init__(self, status: int, url: str):
        super().__init__(f"status {status}: {url}")
        self.status = status


def finds(url: str, manners: Manners, limits: archive.Limits, knows: Callable[[str], bool]) -> Iterator[Find]:
    """Yield the finds of a page, a MIDI file or an archive; what `knows` says yes to is not asked for again.

    Raises InputError where the URL itself cannot be had.
    """
    if knows(url):
        yield Find(url, url, decision=KNOWN)
        return
    visitor = Visitor(manners)
    landed, body = visitor.get(url, manners.largest_archive if archive.is_archive(urlsplit(url).path) else LARGEST_PAGE)
    with body:
        start = body.read(4)
        body.seek(0)
        if start == MAGIC or archive.is_midi(urlsplit(url).path):
            yield Find(url, url, name_of(url), body.read())
            return
        if start.startswith((b"PK\x03\x04", b"\x1f\x8b")) or archive.is_archive(urlsplit(url).path):
            yield from _unpacked(body, url, url, limits, None)
            return
        links, licence = links_of(body.read(), landed)
    if not links:
        raise InputError(f"{url} links to no MIDI file and no archive")
    for link in links:
        if knows(link):
            yield Find(url, link, decision=KNOWN)
            continue
        is_archive = archive.is_archive(urlsplit(link).path)
        try:
            _, body = visitor.get(link, manners.largest_archive if is_archive else limits.song)
            with body:
                if is_archive:
                    yield from _unpacked(body, link, url, limits, licence)
                else:
                    yield Find(url, link, name_of(link), body.read(), *evidence_of(licence, url))
        except InputError as error:
            yield Find(url, link, decision=REFUSED, reason=str(error))


def _unpacked(body: IO[bytes], url: str, source: str, limits: archive.Limits, licence: str | None) -> Iterator[Find]:
    name = name_of(url)
    label = archive.without_ending(name) if archive.is_archive(name) else name
    with archive.opened(body, url, limits) as entries:
        for find in archive.songs(entries, source, f"{url}#", label, limits):
            yield find if find.licence or not licence else replace(find, licence)
    yield Find(source, url, decision=UNPACKED)
