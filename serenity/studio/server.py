"""The studio's server: one process, for the user who started it, only on this machine.

It is http.server of the standard library, so it needs no other package: there are only a dozen addresses, one upload
and one stream of events. What a web library would bring (routing, validation) is in asked.py, as pure functions.

It listens only on the loopback address. An open page holds a stream of events, which tells it what has changed; when
the last stream breaks, the work stops.
"""

import contextlib
import json
import secrets
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from serenity.errors import InputError
from serenity.listen import audio, page, show
from serenity.song_names import PLAIN_ENDINGS
from serenity.studio import asked
from serenity.studio.asked import Refused, Route
from serenity.studio.session import Made, Session, Step, sound_name, state

LOOPBACK = "127.0.0.1"
MOST_AT_ONCE = 64    # connections; each has a thread
MOST_STREAMS = 4     # of events
MOST_UPLOADS = 4     # at once; each is held in memory
SLOWEST = 30.0       # seconds for a body
SLOWEST_HEAD = 10.0  # seconds for what stands before it
SILENT = 10.0        # seconds in which nothing comes
HEARTBEAT = 1.0      # seconds between two checks whether a page is still open
LINGER, DREGS = 1.0, 2**24  # for so many seconds and bytes a refused sender is still read, so that it can read why
PIECE = 2**16        # bytes read at once

HEADERS = {  # of every answer: no other page may hold, guess at or be told anything of it
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
KINDS = {".mid": "audio/midi", ".mp3": "audio/mpeg", ".wav": "audio/wav"}


class Studio(ThreadingHTTPServer):
    """The server of one session."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, session: Session, port: int = 0):
        """Listen on a port; 0: on one that is free. Raises OSError."""
        self.session, self.token = session, secrets.token_urlsafe(24)
        self.places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self.streams = threading.BoundedSemaphore(MOST_STREAMS)
        self.uploads = threading.BoundedSemaphore(MOST_UPLOADS)
        self.heads: dict[socket.socket, float] = {}  # connection that has not asked yet -> when it is too late
        super().__init__((LOOPBACK, port), Handler)

    @property
    def address(self) -> str:
        """The address of the page, with the token."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/{self.token}/"

    def process_request(self, request, client_address) -> None:
        """Answer in a thread of its own, where there is room."""
        if self.places.acquire(blocking=False):
            self.heads[request] = time.monotonic() + SLOWEST_HEAD
            super().process_request(request, client_address)
            return
        with contextlib.suppress(OSError):
            request.sendall(b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        self.shutdown_request(request)

    def process_request_thread(self, request, client_address) -> None:
        """Answer, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.heads.pop(request, None)
            self.places.release()

    def service_actions(self) -> None:
        """Close connections that send their request too slowly, so that there is room for others."""
        for request, late in [*self.heads.items()]:
            if time.monotonic() > late:
                with contextlib.suppress(OSError):  # it is closed
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address) -> None:
        """Say nothing of a connection that broke; the page asks again."""


@contextmanager
def running(session: Session, port: int = 0) -> Iterator[Studio]:
    """Serve within, and make what is asked for. Raises OSError where the port is taken."""
    studio = Studio(session, port)
    threads = [threading.Thread(target=target, daemon=True)
               for target in (lambda: studio.serve_forever(poll_interval=0.1), session.work)]
    for thread in threads:
        thread.start()
    try:
        yield studio
    finally:
        session.close()
        studio.shutdown()
        studio.server_close()
        for thread in threads:
            thread.join(timeout=0.5)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = SILENT
    server: Studio

    def log_message(self, *arguments) -> None:
        """Say nothing of what is asked; the page says what went wrong."""

    def version_string(self) -> str:
        """Tell nobody which Python this is."""
        return "Serenity"

    def _answer(self) -> None:
        self.server.heads.pop(self.request, None)
        try:
            asked.check_sender(self.command, self.headers, self.server.server_address[1])
            route = asked.route(self.command, self.path, self.server.token)
            if self.command == "GET":
                self._tell(route)
            else:
                self._send(json.dumps(self._do(route)).encode(), "application/json")
        except Refused as refused:
            self._refuse(refused.status, str(refused))
        except InputError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except OSError as error:  # the disk is full; or the page went away, which then hears nothing
            with contextlib.suppress(OSError):
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, error.strerror or "cannot be written")

    do_GET = do_POST = _answer  # http.server calls them by these names

    # --- GET ----------------------------------------------------------------------------------------------------------

    def _tell(self, route: Route) -> None:
        session = self.server.session
        if route.what == "page":
            self._send(page_of(session).encode(), "text/html; charset=utf-8")
        elif route.what == "events":
            self._stream()
        elif route.what == "file":
            path = session.file(route.number, route.name)
            self._send(path.read_bytes(), KINDS[path.suffix], {"Content-Disposition": "attachment"})
        else:
            found = (session.step if route.what.startswith("seed") else session.take)(route.number)
            if route.what.endswith("sound"):
                sound = session.sound(found.song)
                self._send(sound.content, sound.kind)
            else:
                self._send(page.json_in_html(data_of(session, found)).encode(), "application/json")

    def _stream(self) -> None:
        """Send what changes for as long as the page is open."""
        streams, session = self.server.streams, self.server.session
        if not streams.acquire(blocking=False):
            raise Refused(429, f"{MOST_STREAMS} pages are open; wanted one closed")
        session.listen(1)
        try:
            self._head(HTTPStatus.OK, "text/event-stream", None)
            seen = -1
            while not self._is_gone():
                session.wait_for_change(seen, HEARTBEAT)
                now = state(session)
                self.wfile.write(f"data: {json.dumps(now)}\n\n".encode() if now["version"] != seen else b":\n\n")
                self.wfile.flush()
                seen = now["version"]
        except OSError:  # it is closed
            pass
        finally:
            session.listen(-1)
            streams.release()

    def _is_gone(self) -> bool:
        """Return whether the other end has closed the connection: it sends nothing more, so anything to read is that.
        """
        return bool(select.select([self.connection], [], [], 0)[0])

    # --- POST ---------------------------------------------------------------------------------------------------------

    def _do(self, route: Route) -> dict[str, object]:
        session = self.server.session
        if route.what == "upload":
            name = asked.file_name(self.path)
            if not self.server.uploads.acquire(blocking=False):
                raise Refused(429, f"{MOST_UPLOADS} files are being sent; wanted fewer at once")
            try:
                return {"step": session.upload(name, self._body(asked.LARGEST_UPLOAD)).number}
            finally:
                self.server.uploads.release()
        body = self._body(asked.LARGEST_ORDER)
        if route.what == "make":
            return {"making": session.make(asked.making(body)).number}
        if route.what == "go on":
            return {"step": session.go_on(route.number, asked.kept_bars(body)).number}
        if route.what == "star":
            session.star(route.number, asked.star(body))
        elif route.what == "undo":
            session.undo()
        else:
            session.cancel()
        return {}

    def _body(self, largest: int) -> bytes:
        length, content, until = asked.body_length(self.headers, largest), bytearray(), time.monotonic() + SLOWEST
        while len(content) < length:
            try:
                piece = self.rfile.read1(min(length - len(content), PIECE))
            except TimeoutError:
                piece = b""
            if not piece or time.monotonic() > until:
                raise Refused(400, f"{len(content):,} bytes came; wanted {length:,} within {SLOWEST:.0f} s")
            content += piece
        return bytes(content)

    # --- answers ------------------------------------------------------------------------------------------------------

    def _head(self, status: int, kind: str, length: int | None, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **HEADERS, **(more or {})}.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, content: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        self._head(HTTPStatus.OK, kind, len(content), more)
        self.wfile.write(content)

    def _refuse(self, status: int, why: str) -> None:
        content = why.encode(errors="replace")
        self._head(status, "text/plain; charset=utf-8", len(content))
        self.wfile.write(content)
        self.wfile.flush()
        # Closed with unread bytes, a connection is reset, and the sender may not read the answer.
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER)
            until, left = time.monotonic() + LINGER, DREGS
            while time.monotonic() < until and left > 0 and (piece := self.connection.recv(PIECE)):
                left -= len(piece)


# --- what a page is told ----------------------------------------------------------------------------------------------

def page_of(session: Session) -> str:
    """Return the page: that of takes, with a panel above."""
    silence = audio.missing(session.soundfont)
    panel = _file("studio.html").replace("{{endings}}", ",".join(PLAIN_ENDINGS))
    return page.fill("Serenity", filter(None, [silence]), [], has_seed=True, panel=panel,
                     more_style=_file("studio.css"), more_script=_file("studio.js"), policy="connect-src 'self'",
                     about=f"What is made lies in {session.folder} and stays there. Nothing leaves this machine.")


def data_of(session: Session, found: Made | Step) -> dict[str, object]:
    """Return what the page shows of a take, or of a seed, with the addresses of its sound and files."""
    from serenity import completion

    has_sound, number = session.soundfont is not None, found.number
    if isinstance(found, Step):
        song = replace(show.page_song(found.song), split=None)  # nothing of it is a continuation yet
        return page.song_data(song, f"steps/{number}/sound" if has_sound else None, {})
    names = [found.path.name, *([sound_name(found)] if has_sound else [])]
    song = show.page_song(found.song, completion.measures(session.steps[found.step].seed, found.take))
    return page.song_data(song, f"takes/{number}/sound" if has_sound else None,
                          {name: f"takes/{number}/files/{name}" for name in names})


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
