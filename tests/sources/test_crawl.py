"""A page's files over real HTTP, from a server on loopback that keeps an account of what it was asked."""

import contextlib
import gzip
import io
import itertools
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serenity.errors import InputError
from serenity.sources import archive, crawl
from serenity.sources.crawl import links_of, name_of, retry_after

SONG = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"
LIMITS = archive.Limits(song=10_000)


@dataclass
class Site:
    """Answers by path: (status, headers, body), or a list of these, one for each request in turn.

    A body that is no bytes but an iterator of them trickles out, 20 parts a second.
    """

    root: str = ""
    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)  # (path, monotonic time, headers)

    def paths(self):
        return [path for path, _, _ in self.asked if path != "/robots.txt"]


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(crawl, "BACK_OFF", 0.1)
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            site.asked.append((self.path, time.monotonic(), dict(self.headers)))
            answer = site.answers.get(self.path, (404, {}, b"nothing here"))
            if isinstance(answer, list):
                answer = answer.pop(0)
            status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
            self.send_response(status)
            whole = isinstance(body, bytes)
            for name, value in (({"Content-Length": str(len(body))} if whole else {}) | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if whole:
                self.wfile.write(body)
                return
            with contextlib.suppress(ConnectionError):  # who asked has given up
                for part in body:
                    self.wfile.write(part)
                    time.sleep(0.05)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    site.root = f"http://127.0.0.1:{server.server_port}"
    yield site
    server.shutdown()
    server.server_close()


def found(url, knows=lambda origin: False, allow_private=True, pause=0.0, timeout=5.0, largest_archive=10_000):
    manners = crawl.Manners("SerenityTest/1", pause, timeout, allow_private, largest_archive)
    return list(crawl.finds(url, crawl.Visitor(manners), LIMITS, knows))


def reasons(finds):
    return [find.reason and find.reason.partition(":")[0] for find in finds]


def packed(files):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return body.getvalue()


def test_links_of_every_kind_are_found_each_once():
    page = b"""<a href="a.mid">a</a> <A HREF='/b%20c.MID?x=1#top'>b</A> <audio src="d.midi"></audio>
        <audio><source src="e.kar"></audio> <embed src="//other.org/f.mid"> <object data="../g.mid"></object>
        <a href="set.tar.gz">h</a> <a href="a.mid">again</a> <a href="page.html">no</a> <a href="mailto:x@y.mid">no</a>
        <a href="javascript:x.mid">no</a> <a href="ftp://h/i.mid">no</a> <a href="http://[bad.mid">no</a> <a>no</a>
        <a rel="license nofollow" href="https://creativecommons.org/licenses/by/4.0/">licence</a>"""
    links, licence = links_of(page, "http://host/music/page.html")
    assert links == ["http://host/music/a.mid", "http://host/b%20c.MID?x=1", "http://host/music/d.midi",
                     "http://host/music/e.kar", "http://other.org/f.mid", "http://host/g.mid",
                     "http://host/music/set.tar.gz"]
    assert licence == "https://creativecommons.org/licenses/by/4.0/"


def test_the_base_of_a_page_is_heeded():
    assert links_of(b'<base href="/files/"><a href="a.mid">', "http://host/x/y")[0] == ["http://host/files/a.mid"]


def test_files_are_named_by_host_and_path():
    assert name_of("http://host:80/m%C3%BCsik/a%20b.mid?x=1") == "host/müsik/a b.mid"


def test_a_page_gives_its_songs_and_archives_with_its_licence(site):
    site.answers = {
        "/p/": b'<a href="a%20b.mid">a</a><a href="set.zip">s</a><link rel="license" href="//mit.example/">',
        "/p/a%20b.mid": SONG,
        "/p/set.zip": packed({"LICENSE": "MIT License", "in/c.mid": SONG + b"c"}),
    }
    song, member, account = found(f"{site.root}/p/")
    assert (song.name, song.content, song.licence) == ("127.0.0.1/p/a b.mid", SONG, "http://mit.example/")
    assert song.evidence == f"rel=license on {site.root}/p/: http://mit.example/"
    assert (member.name, member.content, member.licence) == ("127.0.0.1/p/set/in/c.mid", SONG + b"c", "MIT")
    assert member.origin == f"{site.root}/p/set.zip#in/c.mid"
    assert (account.decision, account.origin) == ("unpacked", f"{site.root}/p/set.zip")
    assert {headers["User-Agent"] for _, _, headers in site.asked} == {"SerenityTest/1"}


@pytest.mark.parametrize(("path", "body"), [("/a.mid", SONG), ("/get?id=7", SONG), ("/x.zip", packed({"a.mid": SONG})),
                                            ("/get?id=8", packed({"a.mid": SONG}))])
def test_a_url_of_a_file_or_archive_itself(site, path, body):
    site.answers = {path: body}
    find = found(f"{site.root}{path}")[0]
    assert find.content == SONG
    assert find.name.endswith(".mid")


def test_what_is_known_is_not_asked_for_again(site):
    site.answers = {"/": b'<a href="a.mid">'}
    assert [find.decision for find in found(f"{site.root}/", lambda origin: origin.endswith("a.mid"))] == ["known"]
    assert [find.decision for find in found(f"{site.root}/a.mid", lambda origin: True)] == ["known"]
    assert site.paths() == ["/"]


def test_robots_txt_is_obeyed(site):
    site.answers = {"/robots.txt": b"User-agent: *\nDisallow: /no/\n\nUser-agent: SerenityTest\nDisallow: /not/me/",
                    "/": b'<a href="no/a.mid"></a><a href="not/me/b.mid"></a>', "/no/a.mid": SONG}
    assert reasons(found(f"{site.root}/")) == [None, "robots.txt forbids it"]
    assert site.paths() == ["/", "/no/a.mid"]
    assert [path for path, _, _ in site.asked].count("/robots.txt") == 1


@pytest.mark.parametrize(("status", "forbidden"), [(404, False), (403, False), (500, True), (503, True)])
def test_a_robots_txt_that_fails(site, status, forbidden):
    site.answers = {"/robots.txt": (status, {"Retry-After": "0"}, b""), "/a.mid": SONG}
    if forbidden:
        with pytest.raises(InputError, match=r"robots\.txt"):
            found(f"{site.root}/a.mid")
    else:
        assert found(f"{site.root}/a.mid")[0].content == SONG


@pytest.mark.parametrize("line", ["Crawl-delay: ²", "Disallow: //["])
def test_a_robots_txt_that_nobody_understands_allows_nothing(site, line):
    site.answers = {"/robots.txt": f"User-agent: *\n{line}".encode(), "/a.mid": SONG}
    with pytest.raises(InputError, match=r"robots\.txt cannot be understood"):
        found(f"{site.root}/a.mid")
    assert site.paths() == []


def test_requests_to_a_host_keep_their_distance(site):
    site.answers = {"/": b'<a href="a.mid"></a><a href="b.mid"></a>', "/a.mid": SONG, "/b.mid": SONG}
    found(f"{site.root}/", pause=0.2)
    times = [moment for _, moment, _ in site.asked]
    assert len(times) == 4
    assert min(after - before for before, after in zip(times, times[1:])) >= 0.19


def test_crawl_delay_lengthens_the_pause(site):
    site.answers = {"/robots.txt": b"User-agent: *\nCrawl-delay: 1", "/": b'<a href="a.mid">', "/a.mid": SONG}
    found(f"{site.root}/")
    times = [moment for path, moment, _ in site.asked if path != "/robots.txt"]
    assert times[1] - times[0] >= 0.99


@pytest.mark.parametrize("first", [(500, {}, b""), (429, {"Retry-After": "1"}, b"")])
def test_a_host_that_stumbles_is_asked_once_more(site, first):
    site.answers = {"/a.mid": [first, (200, {}, SONG)]}
    assert found(f"{site.root}/a.mid")[0].content == SONG
    times = [moment for path, moment, _ in site.asked if path == "/a.mid"]
    assert times[1] - times[0] >= (0.99 if first[1] else 0.09)


def test_a_host_that_asks_for_an_hour_is_left_alone(site):
    site.answers = {"/": b'<a href="a.mid">', "/a.mid": (429, {"Retry-After": "3600"}, b"")}
    assert reasons(found(f"{site.root}/")) == ["status 429"]
    assert site.paths() == ["/", "/a.mid"]


def test_one_bad_link_leaves_the_others(site):
    long = {"Content-Length": str(len(SONG) + 5), "Connection": "close"}
    site.answers = {
        "/": b"".join(b'<a href="%s"></a>' % name for name in (b"none.mid", b"short.mid", b"large.mid", b"fat.mid",
                                                              b"bad.zip", b"loop.mid", b"good.mid")),
        "/short.mid": (200, long, SONG),
        "/large.mid": SONG + bytes(10_000),
        "/fat.mid": (200, {"Content-Encoding": "gzip"}, gzip.compress(SONG + bytes(1_000_000))),
        "/bad.zip": b"PK\3\4 and no more",
        "/loop.mid": (302, {"Location": "/loop.mid"}, b""),
        "/good.mid": SONG,
    }
    finds = found(f"{site.root}/")
    assert reasons(finds) == ["status 404", "broke off", "over 0.00953674 MiB", "over 0.00953674 MiB", "broken archive",
                              "more than 5 redirects", None]
    assert finds[-1].content == SONG


def test_a_body_that_stalls_is_given_up(site):
    site.answers = {"/": b'<a href="a.mid">', "/a.mid": (200, {"Content-Length": "1000"}, SONG)}
    begin = time.monotonic()
    assert reasons(found(f"{site.root}/", timeout=0.3)) == ["broke off"]
    assert time.monotonic() - begin < 5


def test_a_body_that_trickles_in_is_given_up(site, monkeypatch):
    monkeypatch.setattr(crawl, "LONGEST_BODY", 0.3)
    site.answers = {"/a.mid": (200, {"Content-Length": "1000"}, itertools.repeat(b"x", 100))}
    begin = time.monotonic()
    with pytest.raises(InputError, match="too slow"):
        found(f"{site.root}/a.mid")
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.mid", "http://localhost/a.mid", "http://[::1]/a.mid",
                                 "http://169.254.169.254/a.mid", "http://10.0.0.1/a.mid", "http://0.0.0.0/a.mid",
                                 "http://[::ffff:127.0.0.1]/a.mid"])
def test_private_addresses_are_refused(url):
    with pytest.raises(InputError, match="private address"):
        found(url, allow_private=False)


def test_a_redirect_is_checked_like_a_request(site, monkeypatch):
    monkeypatch.setattr(crawl, "check_address", lambda url, allow: allow or url.startswith(site.root) or _refuse(url))
    site.answers = {"/": b'<a href="a.mid">', "/a.mid": (302, {"Location": "http://127.0.0.2/a.mid"}, b"")}
    assert reasons(found(f"{site.root}/", allow_private=False)) == ["private address"]


def _refuse(url):
    raise InputError(f"private address: {url}")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/a.mid", "http://[", "gopher://x"])
def test_a_redirect_to_another_scheme_is_refused(site, location):
    site.answers = {"/a.mid": (302, {"Location": location}, b"")}
    with pytest.raises(InputError, match="not http or https|no URL"):
        found(f"{site.root}/a.mid")


def test_the_body_of_a_redirect_is_not_read(site):
    endless = {"Location": "/b.mid", "Content-Length": str(2**40), "Connection": "close"}
    site.answers = {"/a.mid": (302, endless, bytes(1000)), "/b.mid": SONG}
    begin = time.monotonic()
    assert found(f"{site.root}/a.mid")[0].content == SONG
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize(("page", "message"), [
    (b"<p>no music", "links to no MIDI file"),
    (b'<![no[ <a href="a.mid">', "no HTML"),
])
def test_a_page_without_songs_is_said(site, page, message):
    site.answers = {"/": page}
    with pytest.raises(InputError, match=message):
        found(f"{site.root}/")


@pytest.mark.parametrize("url", ["ftp://host/a.mid", "http://", "http://[", "http://h:port/", "http://no.such.invalid/",
                                 f"http://{'x' * 70}.org/", "http://127.0.0.1:1/"])
def test_a_url_that_cannot_be_had_is_said(url, monkeypatch):
    monkeypatch.setattr(crawl, "BACK_OFF", 0.01)
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(InputError):
        found(url)


@pytest.mark.parametrize(("header", "seconds"), [
    ("7", 7), (" 7 ", 7), ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ("soon", 5), (None, 5), ("-1", 5), ("Wed, 99 Oct 2015 07:28:00 GMT", 5),
])
def test_retry_after_in_all_its_forms(header, seconds):
    assert retry_after(header) == seconds
