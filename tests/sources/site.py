"""The test site: real HTTP on loopback, many hosts as 127.0.0.x, and an account of all that was asked."""

import contextlib
import gzip
import io
import tarfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SONG = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"  # a header, and one track that holds nothing but its end


def song(name) -> bytes:
    """Return a MIDI file that holds its own name, so that no two are the same."""
    text = str(name).encode()[:100]
    event = b"\0\xff\1" + bytes((len(text),)) + text
    return SONG[:14] + b"MTrk" + (len(event) + 4).to_bytes(4) + event + b"\0\xff\x2f\0"


def score(name, rights="CC0") -> bytes:
    """Return MusicXML with this title, and one note."""
    note = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>"
    return (f"<?xml version='1.0'?><score-partwise><work><work-title>{name}</work-title></work><identification>"
            f"<rights>{rights}</rights></identification><part-list><score-part id='P1'><part-name>Piano</part-name>"
            f"</score-part></part-list><part id='P1'><measure number='1'>{note}</measure></part></score-partwise>"
            ).encode()


def mxl(name) -> bytes:
    """Return such a score, packed."""
    container = "<container><rootfiles><rootfile full-path='a.xml'/></rootfiles></container>"
    return zipped({"META-INF/container.xml": container, "a.xml": score(name)})


def page(*links) -> bytes:
    return "".join(f'<a href="{link}">{number}</a> ' for number, link in enumerate(links)).encode()


def zipped(files) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return body.getvalue()


def tarred(files) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as file:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return body.getvalue()


@dataclass
class Request:
    host: str
    path: str
    begin: float  # monotonic
    end: float  # of the answer; of one that does not trickle, before it is sent
    headers: dict
    connection: tuple  # the other side's address


@dataclass
class Site:
    """Answers by path on the first host, or by 127.0.0.x/path on the others.

    An answer is a body, or (status, headers, body), or a function of the request's headers that returns one, or a list
    of these, one for each request in turn. A body that is no bytes but an iterator of them trickles out, 20 parts a
    second. What nobody set is answered with 404; robots.txt is not there.
    """

    answers: dict = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    port: int = 0
    pause: float = 0.0  # seconds before each answer

    @property
    def root(self):
        return self.url("127.0.0.1")

    def url(self, host, path=""):
        return f"http://{host}:{self.port}{path}"

    def paths(self, host=None):
        return [request.path for request in list(self.asked)
                if request.path not in ("/robots.txt", "/sitemap.xml") and host in (None, request.host)]

    def counts(self):
        return Counter(f"{request.host}{request.path}" for request in list(self.asked))

    def gaps(self, host="127.0.0.1"):
        """Return the seconds between the end of each answer of a host and the next request."""
        mine = [request for request in self.asked if request.host == host]
        return [after.begin - before.end for before, after in zip(mine, mine[1:])]

    def answer(self, host, path, headers):
        found = self.answers.get(f"{host}{path}", self.answers.get(path) if host == "127.0.0.1" else None)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        found = found(headers) if callable(found) else found
        return (404, {}, b"nothing here") if found is None else found if isinstance(found, tuple) else (200, {}, found)


def validated(body, etag='"1"'):
    """Answer 304 to who has the file already."""
    return lambda headers: (304, {}, b"") if headers.get("If-None-Match") == etag else (200, {"ETag": etag}, body)


def packed(body):
    return 200, {"Content-Encoding": "gzip"}, gzip.compress(body)


@contextlib.contextmanager
def served(hosts=1):
    """Serve on 127.0.0.1 to 127.0.0.`hosts`, all on one port."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            begin, host = time.monotonic(), self.server.server_address[0]
            time.sleep(site.pause)
            status, headers, body = site.answer(host, self.path, self.headers)
            is_whole = isinstance(body, bytes)
            headers = ({"Content-Length": str(len(body))} if is_whole else {}) | headers
            self.close_connection = not is_whole or headers.get("Connection") == "close"
            request = Request(host, self.path, begin, time.monotonic(), dict(self.headers), self.client_address)
            site.asked.append(request)
            with contextlib.suppress(OSError):  # who asked has given up
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for part in [body] if is_whole else body:
                    self.wfile.write(part)
                    time.sleep(0 if is_whole else 0.05)
                self.wfile.flush()
            if not is_whole:
                request.end = time.monotonic()

        def log_message(self, *arguments):
            pass

        def handle_one_request(self):
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

    servers = []
    for number in range(1, hosts + 1):
        server = ThreadingHTTPServer((f"127.0.0.{number}", site.port), Handler)
        server.daemon_threads, server.block_on_close = True, False
        site.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
    try:
        yield site
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
