"""Asking hosts: manners as the server saw them, and what a host may try."""

import gzip
import itertools
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from serenity.errors import InputError
from serenity.sources import visitor as module
from serenity.sources.visitor import Manners, Visitor, connected, is_public, retry_after
from tests.sources.site import SONG, packed, served


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(module, "BACK_OFF", 0.05)
    with served(2) as site:
        yield site


def visitor(pause=0.0, timeout=5.0, allow_private=True):
    return Visitor(Manners("SerenityTest/1 (me)", pause, timeout, allow_private))


def get(url, largest=10_000, asker=None, **more):
    answer = (asker or visitor()).get(url, lambda answer: largest, **more)
    return answer.body and answer.body.read()


def asked(site, path):
    return [request for request in site.asked if request.path == path]


def test_a_body_and_who_asks(site):
    site.answers = {"/a": SONG}
    assert get(site.url("127.0.0.1", "/a")) == SONG
    assert {request.headers["User-Agent"] for request in site.asked} == {"SerenityTest/1 (me)"}


def test_a_gzipped_body(site):
    site.answers = {"/a": packed(SONG)}
    assert get(site.url("127.0.0.1", "/a")) == SONG


def test_requests_to_a_host_keep_their_distance_and_one_connection(site):
    site.answers = {"/a": SONG, "/b": (302, {"Location": "/a"}, b"moved"), "/c": (404, {}, b"no")}
    asker = visitor(pause=0.1)
    for path in ("/a", "/b", "/c", "/a"):
        try:
            get(site.url("127.0.0.1", path), asker=asker)
        except InputError:
            assert path == "/c"
    assert len(site.gaps()) == 5
    assert min(site.gaps()) >= 0.099
    assert max(site.gaps()) > min(site.gaps()) + 0.001  # jitter
    assert len({request.connection for request in site.asked}) == 1


def test_from_many_threads_a_host_is_asked_one_at_a_time(site):
    site.answers, site.pause = {"/a": SONG}, 0.02
    asker = visitor()
    threads = [threading.Thread(target=get, args=(site.url("127.0.0.1", "/a"),), kwargs={"asker": asker})
               for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.asked) == 6
    assert min(site.gaps()) >= 0
    assert len({request.connection for request in site.asked}) == 1


@pytest.mark.parametrize("line", ["Crawl-delay: 0.3", "Request-rate: 10/3"])
def test_robots_txt_lengthens_the_pause(site, line):
    site.answers = {"/robots.txt": f"User-agent: *\n{line}".encode(), "/a": SONG}
    asker = visitor()
    for _ in range(2):
        get(site.url("127.0.0.1", "/a"), asker=asker)
    assert site.gaps()[1] >= 0.299


def test_robots_txt_is_obeyed_and_asked_for_once(site):
    site.answers = {"/robots.txt": b"User-agent: *\nDisallow: /\n\nUser-agent: SerenityTest\nDisallow: /no", "/a": SONG}
    asker = visitor()
    for _ in range(2):
        assert get(site.url("127.0.0.1", "/a"), asker=asker) == SONG
    with pytest.raises(InputError, match=r"robots\.txt forbids it"):
        get(site.url("127.0.0.1", "/no"), asker=asker)
    assert [request.path for request in site.asked] == ["/robots.txt", "/a", "/a"]


def test_robots_txt_is_asked_for_again_after_a_day(site, monkeypatch):
    monkeypatch.setattr(module, "DAY", 0.0)
    site.answers, asker = {"/a": SONG}, visitor()
    for _ in range(2):
        get(site.url("127.0.0.1", "/a"), asker=asker)
    assert len(asked(site, "/robots.txt")) == 2


def test_robots_txt_may_live_elsewhere(site):
    site.answers = {"/robots.txt": (301, {"Location": site.url("127.0.0.2", "/r")}, b""),
                    "127.0.0.2/r": b"User-agent: *\nDisallow: /", "/a": SONG}
    with pytest.raises(InputError, match="forbids"):
        get(site.url("127.0.0.1", "/a"))


@pytest.mark.parametrize(("status", "is_forbidden"), [(404, False), (403, False), (500, True), (503, True),
                                                      (429, True)])
def test_a_robots_txt_that_fails(site, status, is_forbidden):
    site.answers, asker = {"/robots.txt": (status, {}, b""), "/a": SONG}, visitor()
    if is_forbidden:
        for _ in range(3):
            with pytest.raises(InputError, match=r"robots\.txt could not be fetched"):
                get(site.url("127.0.0.1", "/a"), asker=asker)
        assert len(site.asked) == module.TRIES  # a host that fails is not asked again and again
    else:
        assert get(site.url("127.0.0.1", "/a"), asker=asker) == SONG


@pytest.mark.parametrize(("first", "seconds"), [
    ((500, {}, b""), 0.05), ((429, {"Retry-After": "1"}, b""), 0.99), ((503, {"Retry-After": "soon"}, b""), 0.05),
    ((200, {"Content-Length": "99", "Connection": "close"}, SONG), 0.05),
])
def test_a_host_that_stumbles_is_asked_again(site, first, seconds):
    site.answers = {"/a": [first, (200, {}, SONG)]}
    assert get(site.url("127.0.0.1", "/a")) == SONG
    before, after = asked(site, "/a")
    assert after.begin - before.end >= seconds


def test_it_is_waited_longer_each_time_and_not_for_ever(site):
    site.answers = {"/a": (500, {}, b"")}
    with pytest.raises(InputError, match="status 500"):
        get(site.url("127.0.0.1", "/a"))
    gaps = site.gaps()[1:]
    assert len(gaps) == module.TRIES - 1
    assert all(gap >= 0.05 * 2**tried for tried, gap in enumerate(gaps))


def test_a_host_that_asks_for_an_hour_is_left_alone(site):
    site.answers = {"/a": (429, {"Retry-After": "3600"}, b""), "/b": SONG}
    asker = visitor()
    with pytest.raises(InputError, match="status 429"):
        get(site.url("127.0.0.1", "/a"), asker=asker)
    with pytest.raises(InputError, match=r"left alone: 127\.0\.0\.1, it asks for a rest of 3,600 seconds"):
        get(site.url("127.0.0.1", "/b"), asker=asker)
    assert site.paths() == ["/a"]


def test_a_host_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "BACK_OFF", 0.001)
    asker = visitor()
    for word in ["robots.txt could not be fetched", "left alone"]:
        with pytest.raises(InputError, match=word):
            get("http://127.0.0.1:1/a", asker=asker)


def test_nothing_new_is_not_sent(site):
    site.answers = {"/a": lambda headers: (304, {}, b"") if headers.get("If-None-Match") == "x" else SONG}
    asker = visitor()
    for _ in range(2):
        answer = asker.get(site.url("127.0.0.1", "/a"), lambda answer: 100, {"If-None-Match": "x"})
        assert (answer.status, answer.body) == (304, None)
    assert len({request.connection for request in site.asked}) == 1


def test_what_nobody_wants_is_not_read(site):
    site.answers = {"/a": (200, {"Content-Length": str(2**40), "Connection": "close"}, bytes(100_000))}
    assert get(site.url("127.0.0.1", "/a"), largest=0) is None


@pytest.mark.parametrize("answer", [
    bytes(20_000),
    (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(1_000_000), mtime=0)),
    (200, {"Connection": "close"}, itertools.repeat(bytes(9_000), 100)),  # without a length
    (200, {"Content-Length": str(2**40), "Connection": "close"}, b"x" * 600),
])
def test_what_is_too_large_is_refused(site, answer):
    site.answers = {"/a": answer}
    begin = time.monotonic()
    with pytest.raises(InputError, match="over 0.00953674 MiB"):
        get(site.url("127.0.0.1", "/a"))
    assert time.monotonic() - begin < 2


def test_a_body_that_stops_short_or_stalls_is_no_file(site):
    site.answers = {"/short": (200, {"Content-Length": "99", "Connection": "close"}, SONG),
                    "/stalls": (200, {"Content-Length": "99"}, SONG)}
    for path in site.answers:
        with pytest.raises(InputError, match="broke off"):
            get(site.url("127.0.0.1", path), asker=visitor(timeout=0.2))


def test_a_body_longer_than_it_says_leaves_the_next_answer_whole(site):
    site.answers = {"/a": (200, {"Content-Length": str(len(SONG))}, SONG + b"HTTP/1.1 200 evil"), "/b": b"honest"}
    asker = visitor()
    assert get(site.url("127.0.0.1", "/a"), asker=asker) == SONG
    assert get(site.url("127.0.0.1", "/b"), asker=asker) == b"honest"


def test_a_body_that_trickles_in_is_given_up(site, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_BODY", 0.4)
    site.answers = {"/a": (200, {"Content-Length": "1000"}, itertools.repeat(b"x", 100))}
    begin = time.monotonic()
    with pytest.raises(InputError, match="too slow"):
        get(site.url("127.0.0.1", "/a"))
    assert time.monotonic() - begin < 3


def test_a_header_that_trickles_in_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "LONGEST_HEADER", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as server:
        def trickle():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                try:
                    for _ in range(100):
                        connection.sendall(b"x")
                        time.sleep(0.05)
                except OSError:  # given up
                    pass

        threading.Thread(target=trickle, daemon=True).start()
        begin = time.monotonic()
        with pytest.raises(InputError, match="too slow"):
            get(f"http://127.0.0.1:{server.getsockname()[1]}/a", asker=visitor(timeout=0.3), obey=False)
        assert time.monotonic() - begin < 3


def test_redirects_are_followed_and_end(site):
    site.answers = {"/1": (301, {"Location": "/2"}, b""), "/2": (308, {"Location": site.url("127.0.0.2", "/3")}, b""),
                    "127.0.0.2/3": SONG, "/loop": (302, {"Location": "/loop"}, b""), "/none": (302, {}, b"")}
    answer = visitor().get(site.url("127.0.0.1", "/1"), lambda answer: 100)
    assert (answer.url, answer.body.read()) == (site.url("127.0.0.2", "/3"), SONG)
    for path in ("/loop", "/none"):
        with pytest.raises(InputError, match="more than 5 redirects"):
            get(site.url("127.0.0.1", path))
    assert len(asked(site, "/loop")) == module.REDIRECTS + 1


def test_robots_txt_of_the_host_that_a_redirect_leads_to_is_obeyed(site):
    site.answers = {"/1": (302, {"Location": site.url("127.0.0.2", "/2")}, b""),
                    "127.0.0.2/robots.txt": b"User-agent: *\nDisallow: /", "127.0.0.2/2": SONG}
    with pytest.raises(InputError, match="forbids"):
        get(site.url("127.0.0.1", "/1"))
    assert site.paths("127.0.0.2") == []


def test_a_key_is_not_told_to_another_host(site):
    site.answers = {"/1": (302, {"Location": site.url("127.0.0.2", "/2")}, b""), "127.0.0.2/2": SONG}
    get(site.url("127.0.0.1", "/1"), headers={"X-Key": "secret", "If-None-Match": "x"})
    [request] = asked(site, "/2")
    assert "X-Key" not in request.headers
    assert request.headers["If-None-Match"] == "x"


def test_the_body_of_a_redirect_is_not_read(site):
    endless = {"Location": "/b", "Content-Length": str(2**40), "Connection": "close"}
    site.answers = {"/a": (302, endless, bytes(1000)), "/b": SONG}
    begin = time.monotonic()
    assert get(site.url("127.0.0.1", "/a")) == SONG
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://[", "gopher://x", "http://h:x/"])
def test_a_redirect_to_another_scheme_is_refused(site, location):
    site.answers = {"/a": (302, {"Location": location}, b"")}
    with pytest.raises(InputError, match="not http or https|no URL"):
        get(site.url("127.0.0.1", "/a"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0.0.0.0",
                                  "[::ffff:127.0.0.1]", "2130706433", "127.1", "0x7f.1"])
def test_private_addresses_are_refused_in_every_spelling(host):
    with pytest.raises(InputError, match="private address|not known"):
        get(f"http://{host}:9/a", asker=visitor(allow_private=False))


@pytest.mark.parametrize(("address", "is_allowed"), [
    ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("192.168.1.1", False), ("100.64.0.1", False),
    ("224.0.0.1", False), ("ff02::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("::", False),
    ("::ffff:10.0.0.1", False), ("::ffff:93.184.216.34", True), ("2002:7f00:1::", False), ("64:ff9b::7f00:1", False),
])
def test_public_addresses(address, is_allowed):
    assert is_public(address) == is_allowed


def rebind(monkeypatch, *addresses):
    """Let a name mean one address after another, as an attacker's server of names would."""
    real, answers = socket.getaddrinfo, iter(addresses)

    def getaddrinfo(host, port, *arguments, **more):
        if host == "rebinding.example":
            host = next(answers)
        return real(host, port, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_name_that_means_a_private_address_a_moment_later_leads_nowhere(site, monkeypatch):
    rebind(monkeypatch, "127.0.0.1", "127.0.0.1")
    monkeypatch.setattr(module, "is_public", lambda address: False)
    with pytest.raises(InputError, match="private address"):
        get(f"http://rebinding.example:{site.port}/a", asker=visitor(allow_private=False))
    assert site.asked == []


def test_what_was_checked_is_what_is_connected_to(site, monkeypatch):
    rebind(monkeypatch, "127.0.0.1", "127.0.0.2")
    checked = []
    monkeypatch.setattr(module, "is_public", lambda address: not checked.append(address))
    with connected("rebinding.example", site.port, False) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
    assert checked == ["127.0.0.1"]


def test_a_redirect_to_a_private_address_is_refused(site, monkeypatch):
    monkeypatch.setattr(module, "is_public", lambda address: address == "127.0.0.1")
    site.answers = {"/a": (302, {"Location": site.url("127.0.0.2", "/b")}, b""), "127.0.0.2/b": SONG}
    with pytest.raises(InputError, match=r"private address: 127\.0\.0\.2"):
        get(site.url("127.0.0.1", "/a"), asker=visitor(allow_private=False))
    assert [request.host for request in site.asked] == ["127.0.0.1"] * 2


def test_the_environment_names_no_proxy(site, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    site.answers = {"/a": SONG}
    assert get(site.url("127.0.0.1", "/a")) == SONG


@pytest.mark.parametrize("url", ["ftp://host/a", "http://", "http://[", "http://h:port/", "http://no.such.invalid/",
                                 f"http://{'x' * 70}.org/"])
def test_a_url_that_cannot_be_had_is_said(url):
    with pytest.raises(InputError):
        get(url)


def test_who_waits_stops_when_told(site):
    site.answers, asker = {"/a": SONG}, visitor(pause=60)
    threading.Timer(0.2, asker.stopped.set).start()
    begin = time.monotonic()
    with pytest.raises(InputError, match="the run ends"):
        get(site.url("127.0.0.1", "/a"), asker=asker)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(("header", "seconds"), [
    ("7", 7), (" 7 ", 7), ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ("soon", 0), (None, 0), ("-1", 0), ("Wed, 99 Oct 2015 07:28:00 GMT", 0),
])
def test_retry_after_in_all_its_forms(header, seconds):
    assert retry_after(header) == seconds


def test_retry_after_a_date():
    assert 90 < retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)) <= 100
