import json
from urllib.parse import unquote

import pytest

from serenity.studio import asked
from serenity.studio.asked import Making, Refused, Route

OWN = {"Host": "127.0.0.1:80", "Origin": "http://127.0.0.1:80", "Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize(("method", "address", "wanted"), [
    ("GET", "/secret/", Route("page")),
    ("GET", "/secret/events", Route("events")),
    ("GET", "/secret/takes/12", Route("take", 12)),
    ("GET", "/secret/takes/12/sound", Route("take sound", 12)),
    ("GET", "/secret/takes/3/files/a%20song-3.mid", Route("file", 3, "a song-3.mid")),
    ("POST", "/secret/seeds?name=a.mid", Route("upload")),
    ("POST", "/secret/takes/3/go-on", Route("go on", 3)),
])
def test_an_address_means_one_thing(method, address, wanted):
    assert asked.route(method, address, "secret") == wanted


@pytest.mark.parametrize(("method", "address", "status"), [
    ("GET", "/", 403), ("GET", "/wrong/", 403), ("GET", "/secretly/", 403), ("GET", "/SECRET/", 403),
    ("GET", "/s%C3%A9cret/", 403), ("GET", "//secret/", 403), ("GET", "/secret", 404), ("GET", "/secret/nothing", 404),
    ("GET", "/secret/seeds", 404), ("POST", "/secret/events", 404), ("GET", "/secret/takes/-1", 404),
    ("GET", "/secret/takes/1e3", 404), ("GET", "/secret/takes/99999999999", 404),
    ("GET", "/secret/takes/1/files/", 404), ("GET", "/secret/takes/1/files/../../x", 404),
])
def test_another_address_means_nothing(method, address, status):
    with pytest.raises(Refused) as refused:
        asked.route(method, address, "secret")
    assert refused.value.status == status


@pytest.mark.parametrize(("method", "changes"), [
    ("GET", {}), ("GET", {"Origin": None, "Sec-Fetch-Site": None}), ("GET", {"Sec-Fetch-Site": "none"}), ("POST", {}),
    ("POST", {"Host": "localhost:80", "Origin": "http://localhost:80"}),
])
def test_the_own_page_may_ask(method, changes):
    asked.check_sender(method, {name: value for name, value in {**OWN, **changes}.items() if value}, 80)


@pytest.mark.parametrize(("method", "changes", "why"), [
    ("GET", {"Host": "evil.example"}, "host 'evil.example'; wanted 127.0.0.1:80"),
    ("GET", {"Host": "127.0.0.1:81"}, "wanted 127.0.0.1:80"),
    ("GET", {"Host": None}, "host ''"),
    ("GET", {"Origin": "http://evil.example"}, "origin 'http://evil.example'; wanted http://127.0.0.1:80"),
    ("POST", {"Origin": None}, "origin 'missing'"),
    ("POST", {"Origin": "null"}, "origin 'null'"),
    ("POST", {"Origin": "https://127.0.0.1:80"}, "wanted http://127.0.0.1:80"),
    ("POST", {"Origin": "http://localhost:80"}, "wanted http://127.0.0.1:80"),
    ("GET", {"Sec-Fetch-Site": "cross-site"}, "sent by another site"),
    ("GET", {"Sec-Fetch-Site": "same-site"}, "sent by another site"),  # another port of this machine
])
def test_others_may_not(method, changes, why):
    with pytest.raises(Refused, match=why) as refused:
        asked.check_sender(method, {name: value for name, value in {**OWN, **changes}.items() if value}, 80)
    assert refused.value.status == 403


@pytest.mark.parametrize("name", ["song.mid", "a song.MID", "Où.musicxml", "tune.abc", "x.mxl", "%23%3F.mid", "a.krn",
                                  "%F0%9F%8E%B9.mid"])
def test_a_plain_name_is_taken(name):
    assert asked.file_name(f"/secret/seeds?name={name}") == unquote(name)


@pytest.mark.parametrize(("name", "kept"), [
    (".song.mid", "_.song.mid"), ("-rf.mid", "_-rf.mid"), ("C:song.mid", "C_song.mid"), ("a%0A.mid", "a_.mid"),
    ("a%E2%80%AEdim.mid", "a_dim.mid"), ("%F0%9F%91%A9%E2%80%8D%F0%9F%8E%A4.mid", "\U0001f469_\U0001f3a4.mid"),
    (f"{'a' * 100}.MID", f"{'a' * 96}.MID"), (f"{'%C3%A9' * 80}.musicxml", f"{'é' * 45}.musicxml"),
])
def test_any_other_name_of_a_file_is_kept_as_one_that_does_no_harm(name, kept):
    assert asked.file_name(f"/secret/seeds?name={name}") == kept


@pytest.mark.parametrize(("name", "status"), [
    ("", 400), ("../song.mid", 400), ("..%2Fsong.mid", 400), ("/etc/song.mid", 400), ("a\\song.mid", 400),
    (".mid", 415), ("..", 415), ("a%00.mid", 400), ("song.exe", 415), ("song", 415), ("song.mid.html", 415),
])
def test_another_name_is_refused(name, status):
    with pytest.raises(Refused) as refused:
        asked.file_name(f"/secret/seeds?name={name}")
    assert refused.value.status == status


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 411), ({"Content-Length": "-1"}, 411), ({"Content-Length": "1e3"}, 411), ({"Content-Length": "²"}, 411),
    ({"Content-Length": "101"}, 413), ({"Content-Length": "9" * 5000}, 413),
    ({"Content-Length": "5", "Transfer-Encoding": "chunked"}, 411),
])
def test_a_body_must_say_that_it_is_small(headers, status):
    with pytest.raises(Refused) as refused:
        asked.body_length(headers, 100)
    assert refused.value.status == status
    assert asked.body_length({"Content-Length": "100"}, 100) == 100


ORDER = {"step": 1, "bars": 8, "temperature": 0.9, "takes": 4, "ending": False}


def test_an_order_is_read():
    assert asked.making(json.dumps(ORDER).encode()) == Making(1, 8, 0.9, 4, False)
    whole = asked.making(json.dumps({**ORDER, "temperature": 1}).encode()).temperature
    assert str(whole) == "1.0"  # as generate.py reads it, so that both write the same song
    assert asked.kept_bars(b'{"bars": 0}') == 0 and asked.star(b'{"on": true}') is True


@pytest.mark.parametrize("changes", [
    {"bars": 0}, {"bars": 65}, {"bars": 8.5}, {"bars": "8"}, {"bars": True}, {"bars": None}, {"takes": 9},
    {"takes": -1}, {"temperature": 0}, {"temperature": 3}, {"temperature": float("nan")}, {"temperature": float("inf")},
    {"more": 1}, {"ending": 1}, {"bars": 10**30},
    {"bars": 10**400}, {"temperature": 10**400},
])
def test_another_order_is_refused(changes):
    with pytest.raises(Refused) as refused:
        asked.making(json.dumps({**ORDER, **changes}).encode())
    assert refused.value.status == 400


def test_a_field_of_another_kind_is_named_with_what_is_wanted():
    with pytest.raises(Refused, match="temperature 'hot'; wanted a number"):
        asked.making(json.dumps({**ORDER, "temperature": "hot"}).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 4000, b'{"bars": 1', b"1"])
def test_what_is_no_order_is_refused(body):
    for read in (asked.making, asked.kept_bars, asked.star):
        with pytest.raises(Refused) as refused:
            read(body)
        assert refused.value.status == 400
