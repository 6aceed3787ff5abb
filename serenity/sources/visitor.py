"""Asks hosts for files: one connection a host, a pause between requests, robots.txt obeyed, and nothing believed.

Whichever thread asks, the manners are kept here: a host's lock is held from the request to the end of the body, and
then the pause begins. Each hop of a redirect is a request of its own, with the same checks.

The connection goes to the very address that was checked and found public. So a name that means another address a moment
later (DNS rebinding) leads nowhere. For the same reason the environment's proxies are not used: behind a proxy, nobody
can tell which address is reached.

A robots.txt that is not there (4xx) allows everything; one that cannot be read (5xx, no answer) allows nothing (RFC
9309, 2.3.1).
"""

import ipaddress
import random
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.util.connection import create_connection

from serenity.errors import InputError
from serenity.sources import robots
from serenity.sources.manifest import too_large

REDIRECTS = 5
LONGEST_HEADER = 60.0  # seconds; a header that trickles in for longer is given up
LONGEST_BODY = 1800.0  # seconds; so is a body
LONGEST_WAIT = 120.0  # seconds; a host that asks for more is left alone until then
TRIES = 3
BACK_OFF = 2.0  # seconds before the second try, twice as many before each further one
BUSY = (429, 500, 502, 503, 504)
GIVE_UP = 3  # URLs in a row without an answer; then the host is left alone for the rest of the run
JITTER = 0.25  # a pause is up to so much longer, so that runs do not fall into step
IN_MEMORY = 2**23  # bytes of a body; the rest of it goes to a temporary file
TO_DRAIN = 2**16  # bytes of a body that nobody wants, read so that the connection can be used again
START = 512  # bytes by which a body is told: a tar names itself at 257
DAY = 86_400.0  # seconds; robots.txt is asked for again after them (RFC 9309, 2.4)

ACCEPTED = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
REDIRECT = (301, 302, 303, 307, 308)
NOT_MODIFIED = 304
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 inside IPv6 (RFC 6052)


@dataclass(frozen=True)
class Manners:
    """How hosts are treated."""

    agent: str
    pause: float  # seconds between two requests to one host, at least
    timeout: float  # seconds without a byte
    allow_private_hosts: bool = False


@dataclass(frozen=True)
class Answer:
    """What a host answered."""

    url: str  # where redirects led to
    status: int  # 200 or 304
    headers: dict  # names in any case
    start: bytes = b""  # of the body
    body: IO[bytes] | None = None  # at its start; None where nothing changed, or where nobody wanted it


@dataclass
class Host:
    """What is remembered of a host."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is asked
    robots_lock: threading.Lock = field(default_factory=threading.Lock)
    rules: dict[str, tuple[robots.Rules, float]] = field(default_factory=dict)  # scheme://host:port -> rules, and when
    pause: float = 0.0  # seconds that its robots.txt asks for
    next: float = 0.0  # monotonic time of the next request
    closed: float = 0.0  # monotonic time before which it is left alone
    why_closed: str = ""
    failures: int = 0  # URLs in a row that it did not answer
    adapter: HTTPAdapter | None = None  # its one connection
    connection: HTTPConnection | None = None
    deadline: float = float("inf")  # monotonic time when its answer must have come


class StatusError(InputError):
    """A host answered with something else than 200 OK."""

    def __init__(self, status: int, url: str):
        super().__init__(f"status {status}: {url}")
        self.status = status


class Visitor:
    """Asks hosts for files, with manners. One for a whole run, so that it remembers whom it asked when."""

    def __init__(self, manners: Manners):
        """Ask nobody yet."""
        self.manners = manners
        self.received = 0  # bytes of all bodies
        self.stopped = threading.Event()  # set: whoever waits stops waiting, with an InputError
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._end_what_is_late, daemon=True).start()

    def get(self, url: str, largest: Callable[[Answer], int], headers: dict | None = None,
            obey: bool = True) -> Answer:
        """Return what a URL, and the redirects from it, lead to.

        `largest` is called when the header and the start of the body are there, and returns how many bytes the body may
        have; 0: nobody wants it. `obey` is False for what is not crawling: a file that its publisher names, or a
        service with a key.

        Raises InputError, whose text begins with the kind: no URL, a forbidden or private address, no answer, an error
        status, too large.
        """
        headers, first = dict(headers or {}), None
        for _ in range(REDIRECTS + 1):
            host = self._host(url)
            if (first := first or host) is not host:  # a key is for nobody else
                headers = {name: value for name, value in headers.items() if name.startswith(("If-", "Accept-"))}
            if obey and not self._rules(host, url).allows(url):
                raise InputError(f"robots.txt forbids it: {url}")
            answer = self._ask_patiently(host, url, largest, headers)
            if answer.status not in REDIRECT:
                if answer.status not in (200, NOT_MODIFIED):
                    raise StatusError(answer.status, url)
                return answer
            url = _joined(url, answer.headers.get("location", ""))
        raise InputError(f"more than {REDIRECTS} redirects: {url}")

    def sitemaps(self, url: str) -> tuple[str, ...]:
        """Return the sitemaps that a URL's robots.txt names."""
        return self._rules(self._host(url), url).sitemaps

    def leave(self, hostname: str) -> None:
        """Close the connection to a host."""
        if host := self._hosts.get(hostname):
            with host.lock:
                if host.adapter:
                    host.adapter.close()
                host.adapter = host.connection = None

    def _host(self, url: str) -> Host:
        """Return what is remembered of a URL's host. Raises InputError where the URL is not http or https."""
        try:
            parts = urlsplit(url)
            name, _ = parts.hostname, parts.port
        except ValueError as error:
            raise InputError(f"no URL: {url} ({error})") from error
        if parts.scheme not in ("http", "https") or not name:
            raise InputError(f"not http or https: {url}")
        with self._lock:
            return self._hosts.setdefault(name, Host())

    def _rules(self, host: Host, url: str) -> robots.Rules:
        site = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        with host.robots_lock:
            rules, fetched = host.rules.get(site, (None, 0.0))
            if rules and time.monotonic() - fetched < DAY:
                return rules
            try:
                with self.get(f"{site}/robots.txt", lambda answer: 8 * robots.LARGEST, obey=False).body as body:
                    rules = robots.parse(body.read().decode("utf-8", "replace"), self.manners.agent)
            except InputError as error:
                if isinstance(error, StatusError) and error.status < 500 and error.status != 429:
                    rules = robots.Rules()
                elif str(error).startswith(("private", "left alone")):
                    raise
                else:
                    self._close(host, DAY, "its robots.txt could not be fetched")
                    raise InputError(f"robots.txt could not be fetched: {error}") from error
            host.rules[site] = rules, time.monotonic()
            host.pause = max(host.pause, rules.pause)
            return rules

    def _ask_patiently(self, host: Host, url: str, largest: Callable[[Answer], int], headers: dict) -> Answer:
        for tried in range(TRIES):
            try:
                answer = self._ask(host, url, largest, headers)
            except InputError:
                raise
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                _in_time(host, url)
                is_silent = not isinstance(error, urllib3.exceptions.HTTPError)  # which is raised while a body is read
                kind = "no answer" if is_silent else "broke off"
                asked, reason = 0.0, InputError(f"{kind}: {url} ({_cause(error)})")
            else:
                if answer.status not in BUSY:
                    host.failures = 0
                    return answer
                asked, reason = retry_after(answer.headers.get("retry-after")), StatusError(answer.status, url)
                is_silent = answer.status in (429, 503)
            if asked > LONGEST_WAIT:
                self._close(host, asked, f"it asks for a rest of {asked:,.0f} seconds")
                break
            back_off = BACK_OFF * 2**tried * random.uniform(1, 1 + JITTER) if tried < TRIES - 1 else 0.0
            host.next = max(host.next, time.monotonic() + max(asked, back_off))
        if is_silent:
            host.failures += 1
            if host.failures >= GIVE_UP:
                self._close(host, DAY, f"it failed {GIVE_UP} times in a row ({str(reason).partition(':')[0]})")
        raise reason

    def _close(self, host: Host, seconds: float, why: str) -> None:
        host.closed, host.why_closed = time.monotonic() + seconds, why

    def _ask(self, host: Host, url: str, largest: Callable[[Answer], int], headers: dict) -> Answer:
        with host.lock:
            if time.monotonic() < host.closed:
                raise InputError(f"left alone: {urlsplit(url).hostname}, {host.why_closed}: {url}")
            if self.stopped.wait(max(0.0, host.next - time.monotonic())):
                raise InputError(f"left alone: the run ends: {url}")
            host.adapter = host.adapter or _adapter(host, self.manners.allow_private_hosts)
            host.deadline = time.monotonic() + max(LONGEST_HEADER, self.manners.timeout)
            try:
                # without a session of requests: it would look ahead at redirects, and ask the environment for proxies
                request = requests.Request("GET", url, {"User-Agent": self.manners.agent} | ACCEPTED | headers)
                with host.adapter.send(request.prepare(), stream=True, timeout=self.manners.timeout) as response:
                    _in_time(host, url)  # a connection that was ended looks like one that came to its end
                    host.deadline = time.monotonic() + LONGEST_BODY
                    answer = self._body(response, largest)
                    _in_time(host, url)
                host.deadline = float("inf")
                return answer
            finally:
                pause = max(self.manners.pause, host.pause)
                host.next = time.monotonic() + pause * random.uniform(1, 1 + JITTER)

    def _body(self, response: requests.Response, largest: Callable[[Answer], int]) -> Answer:
        answer = Answer(response.url, response.status_code, response.headers)
        length = response.headers.get("content-length", "")
        if answer.status != 200:
            self._drain(response, length)
            return answer
        body = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        start, most = b"", None
        # read1 gives what has come; iter_content would wait for a whole chunk, however slowly it trickles in
        while chunk := response.raw.read1(2**16, decode_content=True):
            body.write(chunk)
            self.received += len(chunk)
            start += chunk[:START - len(start)]
            if most is None and len(start) == START:
                most = self._most(answer, start, length, largest)
            if most is not None and body.tell() > most:
                break
        if most is None:
            most = self._most(answer, start, length, largest)
        if most and body.tell() > most:
            raise InputError(f"{too_large(most)}: {answer.url}")
        if not most:
            self._drain(response, length)
        body.seek(0)
        return Answer(answer.url, answer.status, answer.headers, start, body if most else None)

    def _drain(self, response: requests.Response, length: str) -> None:
        """Read the rest of a small body that nobody wants; without this the connection could not be used again."""
        if response.status_code == NOT_MODIFIED or length.isdecimal() and int(length) <= TO_DRAIN:
            response.raw.read(TO_DRAIN, decode_content=False)

    def _most(self, answer: Answer, start: bytes, length: str, largest: Callable[[Answer], int]) -> int:
        most = largest(Answer(answer.url, answer.status, answer.headers, start))
        if most and length.isdecimal() and int(length) > most:
            raise InputError(f"{too_large(most)}: {answer.url}")
        return most

    def _end_what_is_late(self) -> None:
        """End late answers, in a thread of its own: a socket's own time-out starts again with every byte."""
        while not self.stopped.wait(min(1.0, LONGEST_HEADER / 2, LONGEST_BODY / 2)):
            with self._lock:
                hosts = list(self._hosts.values())
            for host in hosts:
                connection = host.connection
                if time.monotonic() > host.deadline and connection and connection.sock:
                    try:
                        connection.sock.shutdown(socket.SHUT_RDWR)
                    except OSError:  # it ended by itself
                        continue


def _in_time(host: Host, url: str) -> None:
    if time.monotonic() > host.deadline:
        raise InputError(f"too slow: {url}")


def _adapter(host: Host, allow_private: bool) -> HTTPAdapter:
    """Return what connects to one host for requests: at a checked address, with one connection."""

    def connect(connection) -> socket.socket:
        host.connection = connection
        return connected(connection.host, connection.port, allow_private, connection.timeout,
                         connection.source_address, connection.socket_options)

    def checked(pool: type) -> type:
        connection = type("Checked", (pool.ConnectionCls,), {"_new_conn": connect})
        return type("CheckedPool", (pool,), {"ConnectionCls": connection})

    # one pool of one connection: for https after http, or another port, the first is closed
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1)
    pools = adapter.poolmanager.pool_classes_by_scheme
    adapter.poolmanager.pool_classes_by_scheme = {scheme: checked(pool) for scheme, pool in pools.items()}
    return adapter


def connected(name: str, port: int, allow_private: bool, *options) -> socket.socket:
    """Return a socket that is connected to an address of a host which was checked. `options`: of create_connection.

    Raises InputError where the host is unknown or all its addresses are private, OSError where none answers.
    """
    try:
        found = socket.getaddrinfo(name.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(f"no answer: the host {name} is not known") from error
    addresses = list(dict.fromkeys(entry[4][0] for entry in found))
    allowed = [address for address in addresses if allow_private or is_public(address)]
    if not allowed:
        raise InputError(f"private address: {name} is {addresses[0]}; --allow-private-hosts allows it")
    for address in allowed:
        try:
            return create_connection((address, port), *options)
        except OSError as error:
            last = error
    raise last


def is_public(address: str) -> bool:
    """Return whether an IP address, and any IPv4 address inside it, belongs to the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in TRANSLATED:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast


def retry_after(header: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, as a number or a date; 0 where it says neither."""
    try:
        if header and header.strip().isdecimal():
            return float(header)
        return max(0.0, (parsedate_to_datetime(header or "") - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return 0.0


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location.strip()).partition("#")[0]
    except ValueError as error:
        raise InputError(f"no URL: {location} ({error})") from error


def _cause(error: Exception) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(error) or type(error).__name__
