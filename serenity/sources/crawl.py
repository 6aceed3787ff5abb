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
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import IO
from urllib.parse import unquote, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from serenity.errors import InputError
from serenity.sources import archive
from serenity.sources.manifest import KNOWN, MAGIC, REFUSED, UNPACKED, Find, too_large

LARGEST_PAGE = 16 * 2**20  # bytes
REDIRECTS = 5
LONGEST_BODY = 1800.0  # seconds; a body that trickles in for longer is given up
LONGEST_WAIT = 120.0  # seconds; a host that asks for more is left alone
BACK_OFF = 5.0  # seconds before the one retry, where the host names no time
BUSY = (429, 500, 502, 503, 504)
IN_MEMORY = 2**23  # bytes of a body; the rest of it goes to a temporary file

ARCHIVE_MAGIC = (b"PK\x03\x04", b"\x1f\x8b")  # zip, gzip
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
    """Asks hosts for files, with manners. One for a whole run, so that it remembers whom it asked when."""

    manners: Manners
    _next: dict[str, float] = field(default_factory=dict)  # scheme://host -> monotonic time of the next request
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
                url = _joined(url, answer.headers["location"])
        raise InputError(f"more than {REDIRECTS} redirects: {url}")

    def _retry_once(self, url: str):
        import requests

        for is_last in (False, True):
            try:
                answer = self._ask(url)
            except (requests.RequestException, ValueError) as error:  # ValueError: no such header or URL
                if is_last:
                    raise InputError(f"no answer: {url} ({_cause(error)})") from error
                wait = BACK_OFF
            else:
                wait = retry_after(answer.headers.get("retry-after"))
                if answer.status_code not in BUSY or is_last or wait > LONGEST_WAIT:
                    return answer
                answer.close()
            self._rest(url, wait)

    def _ask(self, url: str):
        time.sleep(max(0.0, self._next.get(_site(url), 0.0) - time.monotonic()))
        try:
            return self._session.get(url, stream=True, allow_redirects=False, timeout=self.manners.timeout)
        finally:
            self._rest(url)

    def _rest(self, url: str, wait: float = 0.0) -> None:
        rules = self._robots.get(_site(url))
        asked = float((rules and rules.crawl_delay(self.manners.agent)) or 0)
        self._next[_site(url)] = time.monotonic() + max(self.manners.pause, min(asked, LONGEST_WAIT), wait)

    @cached_property
    def _session(self):
        import requests

        session = requests.Session()
        session.headers["User-Agent"] = self.manners.agent
        # requests looks ahead at redirects even where told not to follow them, and reads their bodies to the end
        session.resolve_redirects = lambda *arguments, **options: iter(())
        return session

    def _body(self, answer, largest: int) -> IO[bytes]:
        import urllib3

        over, length = InputError(f"{too_large(largest)}: {answer.url}"), answer.headers.get("content-length", "")
        if length.isdecimal() and int(length) > largest:
            raise over
        body, deadline = tempfile.SpooledTemporaryFile(IN_MEMORY), time.monotonic() + LONGEST_BODY  # noqa: SIM115
        try:
            # read1 gives what has come; iter_content would wait for a whole chunk, however slowly it trickles in
            while chunk := answer.raw.read1(2**16, decode_content=True):
                body.write(chunk)
                if body.tell() > largest:
                    raise over
                if time.monotonic() > deadline:
                    raise InputError(f"too slow: {answer.url}")
        except urllib3.exceptions.HTTPError as error:
            raise InputError(f"broke off: {answer.url} ({_cause(error)})") from error
        finally:
            self._rest(answer.url)  # the pause begins when the body has come
        body.seek(0)
        return body

    def _check_robots(self, url: str) -> None:
        site = _site(url)
        if site not in self._robots:
            self._robots[site] = rules = RobotFileParser()
            try:
                body = self._follow(f"{site}/robots.txt", 2**19, lambda url: None)[1]
                rules.parse(body.read().decode("utf-8-sig", "replace").splitlines())
            except StatusError as error:
                rules.allow_all, rules.disallow_all = error.status < 500, error.status >= 500
            except InputError:
                rules.disallow_all = True
                raise
            except ValueError as error:  # RobotFileParser fails on odd numbers and URLs
                rules.disallow_all = True
                raise InputError(f"robots.txt cannot be understood: {site} ({error})") from error
        if not self._robots[site].can_fetch(self.manners.agent, url):
            raise InputError(f"robots.txt forbids it: {url}")


class StatusError(InputError):
    """A host answered with something else than 200 OK."""

    def __init__(self, status: int, url: str):
        super().__init__(f"status {status}: {url}")
        self.status = status


def finds(url: str, visitor: Visitor, limits: archive.Limits, knows: Callable[[str], bool]) -> Iterator[Find]:
    """Yield the finds of a page, a MIDI file or an archive; what `knows` says yes to is not asked for again.

    Raises InputError where the URL itself cannot be had.
    """
    check_address(url, visitor.manners.allow_private_hosts)
    if knows(url):
        yield Find(url, url, decision=KNOWN)
        return
    landed, body = visitor.get(url, visitor.manners.largest_archive if _ends_as_archive(url) else LARGEST_PAGE)
    with body:
        start = body.read(4)
        body.seek(0)
        if start == MAGIC or _ends_as_midi(url):
            name = name_of(url)
            yield Find(url, url, name if archive.is_midi(name) else f"{name}.mid", body.read())
            return
        if start.startswith(ARCHIVE_MAGIC) or _ends_as_archive(url):
            yield from _unpacked(body, url, url, limits)
            return
        links, licence = links_of(body.read(), landed)
    if not links:
        raise InputError(f"{url} links to no MIDI file and no archive")
    says = (archive.licence_in(licence) or licence, f"rel=license on {url}: {licence}") if licence else (None, None)
    for link in links:
        if knows(link):
            yield Find(url, link, decision=KNOWN)
            continue
        try:
            for find in _linked(visitor, link, url, limits):
                yield find if find.licence else replace(find, licence=says[0], evidence=says[1])
        except InputError as error:
            yield Find(url, link, decision=REFUSED, reason=str(error))


def _linked(visitor: Visitor, link: str, source: str, limits: archive.Limits) -> Iterator[Find]:
    is_archive = _ends_as_archive(link)
    _, body = visitor.get(link, visitor.manners.largest_archive if is_archive else limits.song)
    with body:
        if is_archive:
            yield from _unpacked(body, link, source, limits)
        else:
            yield Find(source, link, name_of(link), body.read())


def _unpacked(body: IO[bytes], url: str, source: str, limits: archive.Limits) -> Iterator[Find]:
    with archive.opened(body, url, limits) as entries:
        yield from archive.songs(entries, source, f"{url}#", archive.without_ending(name_of(url)), limits)
    yield Find(source, url, decision=UNPACKED)


def links_of(page: bytes, url: str) -> tuple[list[str], str | None]:
    """Return a page's links to MIDI files and archives, each once, in order, and the URL of its rel=license or None.

    Raises InputError where the page is nothing that can be taken for HTML.
    """
    from bs4 import BeautifulSoup
    from bs4.exceptions import ParserRejectedMarkup

    try:
        soup = BeautifulSoup(page, "html.parser")
    except ParserRejectedMarkup as error:
        raise InputError(f"{url} is no HTML that can be read") from error
    base = soup.find("base", href=True)
    url = _joined(url, base["href"]) if base else url
    targets = [_joined(url, tag[LINKS[tag.name]]) for tag in soup.find_all(list(LINKS)) if tag.get(LINKS[tag.name])]
    licence = soup.find(["a", "link"], rel="license", href=True)
    return list(dict.fromkeys(filter(_is_wanted, targets))), _joined(url, licence["href"]) if licence else None


def _joined(base: str, link: str) -> str:
    try:
        url = urljoin(base, link.strip()).partition("#")[0]
        return url if urlsplit(url) else ""
    except ValueError:  # no URL at all, such as http://[
        return ""


def _is_wanted(link: str) -> bool:
    return link.startswith(("http://", "https://")) and (_ends_as_midi(link) or _ends_as_archive(link))


def _ends_as_midi(url: str) -> bool:
    return archive.is_midi(unquote(urlsplit(url).path))


def _ends_as_archive(url: str) -> bool:
    return archive.is_archive(unquote(urlsplit(url).path))


def name_of(url: str) -> str:
    """Return the path that a file from this URL has below the collection: host/folders/name."""
    parts = urlsplit(url)
    return f"{parts.hostname}/{unquote(parts.path).lstrip('/')}"


def check_address(url: str, allow_private: bool) -> None:
    """Raise InputError unless the URL is http or https and its host has public addresses only."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"no URL: {url} ({error})") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(f"not http or https: {url}")
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise InputError(f"no answer: {url} (the host {host} is not known)") from error
    private = sorted(address for address in found if not ipaddress.ip_address(address).is_global)
    if private and not allow_private:
        raise InputError(f"private address: {url} is {private[0]}; --allow-private-hosts allows it")


def retry_after(header: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, as a number or a date; BACK_OFF where it says neither."""
    try:
        if not header or header.strip().isdecimal():
            return float(header or BACK_OFF)
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return BACK_OFF


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _cause(error: Exception) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(error) or type(error).__name__
