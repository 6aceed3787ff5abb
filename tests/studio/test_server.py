"""The studio's server, as a stranger's page or program would use it, and as its own page does."""

import contextlib
import http.client
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import generate
from serenity import completion
from serenity.studio import asked, server
from serenity.studio.session import Session, state
from tests.scripts import call
from tests.studio.test_session import until, write_seed

GIGABYTE = 2**30
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def unchanged(studio):
    """After the test, the studio must be as it was before, and still answer."""
    before = state(studio.session)
    yield
    assert state(studio.session) == before
    assert [*studio.session.folder.iterdir()] == []
    assert ask(studio, "GET", "").status == 200


def own(studio):
    host = f"127.0.0.1:{studio.server_address[1]}"
    return {"Host": host, "Origin": f"http://{host}"}


def announced(studio, name):
    """Return a connection on which an upload of 100 bytes was announced."""
    line = socket.create_connection(studio.server_address, timeout=60)
    head = [f"POST /{studio.token}/seeds?name={name} HTTP/1.1", *map(": ".join, own(studio).items()),
            "Content-Length: 100", "", ""]
    line.sendall("\r\n".join(head).encode())
    return line


def ask(studio, method, address, body=None, headers=None, token=None):
    """Ask as the own page does, but for `headers` (None: without) and the token. Return the answer, read."""
    connection = http.client.HTTPConnection(*studio.server_address, timeout=60)
    path = f"/{studio.token if token is None else token}/{address}"
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    length = {} if body is None else {"Content-Length": str(len(body))}
    for name, value in {**own(studio), **length, **(headers or {})}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.text = answer.read()
    connection.close()
    return answer


def listen(studio):
    """Return the stream of events, which is open until it is closed."""
    connection = http.client.HTTPConnection(*studio.server_address, timeout=60)
    connection.request("GET", f"/{studio.token}/events", headers=own(studio))
    return connection.getresponse()


def order(**fields):
    return json.dumps(fields if "step" not in fields else {"ending": False, **fields}).encode()


MAKE = order(step=1, bars=2, temperature=0.9, takes=1)


# --- strangers --------------------------------------------------------------------------------------------------------

@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("method", "address", "body", "headers", "status"), [
    ("GET", "", None, {"Host": "evil.example"}, 403),
    ("GET", "", None, {"Origin": "http://evil.example"}, 403),
    ("GET", "events", None, {"Sec-Fetch-Site": "cross-site"}, 403),
    ("POST", "makings", MAKE, {"Origin": "http://evil.example"}, 403),
    ("POST", "makings", MAKE, {"Origin": None}, 403),
    ("POST", "undo", b"", {"Origin": "null"}, 403),
    ("POST", "makings", b"{", {}, 400),
    ("POST", "makings", order(step=9, bars=2, temperature=0.9, takes=1), {}, 404),
    ("POST", "makings", None, {}, 411),
    ("POST", "takes/1/star", order(on=True), {}, 404),
    ("POST", "takes/1/go-on", order(bars=1), {}, 404),
    ("GET", "takes/1/files/..%2F..%2Fseed.mid", None, {}, 404),
    ("GET", "../../etc/passwd", None, {}, 404),
    ("POST", "seeds?name=..%2Fseed.mid", b"MThd", {}, 400),
    ("POST", "seeds?name=seed.exe", b"MThd", {}, 415),
    ("POST", "seeds?name=broken.mid", b"MThd\0\0\0\6\0\1", {}, 422),
    ("POST", "seeds?name=large.mid", None, {"Content-Length": str(GIGABYTE)}, 413),
    ("POST", "seeds?name=large.mid", None, {"Transfer-Encoding": "chunked"}, 411),
    ("PUT", "seeds?name=a.mid", b"x", {}, 501),
    ("OPTIONS", "makings", None, {"Origin": "http://evil.example"}, 501),
])
def test_a_hostile_request_is_refused_and_changes_nothing(studio, method, address, body, headers, status):
    answer = ask(studio, method, address, body, headers)
    assert answer.status == status
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("token", ["", "wrong", "%00", "é", "a" * 60_000])
def test_nobody_gets_in_without_the_token(studio, token):
    for method, address, body in (("GET", "", None), ("GET", "events", None), ("POST", "makings", MAKE)):
        address = f"/{token.encode().decode('latin-1')}/{address}"
        with socket.create_connection(studio.server_address, timeout=60) as line:
            line.sendall("\r\n".join([f"{method} {address} HTTP/1.0", *map(": ".join, own(studio).items()),
                                      f"Content-Length: {len(body or b'')}", "", ""]).encode("latin-1") + (body or b""))
            assert int(line.makefile("rb").readline().split()[1]) in (403, 404, 414)


@pytest.mark.usefixtures("unchanged")
def test_an_upload_that_goes_on_and_on_is_cut_off(studio):
    """It says that it is small, and sends a gigabyte: what was announced is read, and not more."""
    with announced(studio, "endless.mid") as line:
        sent = 0
        with pytest.raises(OSError):
            while sent < GIGABYTE:
                sent += line.send(bytes(2**16))
        assert sent < GIGABYTE / 4


@pytest.mark.usefixtures("unchanged")
def test_an_upload_that_ends_early_is_refused(studio):
    with announced(studio, "early.mid") as line:
        line.sendall(b"MThd")
        line.shutdown(socket.SHUT_WR)
        assert line.makefile("rb").readline().split()[1] == b"400"


@pytest.mark.usefixtures("unchanged")
def test_an_upload_that_stops_half_way_is_refused_in_a_line(studio, monkeypatch):
    monkeypatch.setattr(server.Handler, "timeout", 0.3)
    with announced(studio, "stopped.mid") as line:
        line.sendall(b"MThd")
        answer = line.makefile("rb").read()
    assert b" 400 " in answer.splitlines()[0] and b"4 bytes came; wanted " in answer


@pytest.mark.usefixtures("unchanged")
def test_more_uploads_at_once_than_memory_should_hold_are_refused(studio):
    lines = [announced(studio, f"{number}.mid") for number in range(server.MOST_UPLOADS)]
    until(lambda: ask(studio, "POST", "seeds?name=more.mid", b"MThd").status == 429)
    for line in lines:
        line.close()


@pytest.mark.usefixtures("unchanged")
def test_who_asks_letter_by_letter_does_not_keep_others_out(studio, monkeypatch):
    monkeypatch.setattr(server, "SLOWEST_HEAD", 0.5)
    lines = [socket.create_connection(studio.server_address, timeout=60) for _ in range(server.MOST_AT_ONCE)]
    monkeypatch.setattr(server.Handler, "timeout", 60)
    is_let_in = False
    while not is_let_in:
        for line in lines:
            with contextlib.suppress(OSError):
                line.sendall(b"G")
        with contextlib.suppress(OSError):  # turned away before it has asked
            is_let_in = ask(studio, "GET", "").status == 200
    for line in lines:
        line.close()


@pytest.mark.usefixtures("unchanged")
def test_a_hundred_strangers_at_once_get_nothing(studio):
    def one(_):
        return ask(studio, "POST", "makings", MAKE, {"Origin": "http://evil.example"}).status

    with ThreadPoolExecutor(100) as crowd:
        assert set(crowd.map(one, range(100))) <= {403, 503}


def test_who_asks_for_a_hundred_at_once_is_refused_most(studio, monkeypatch):
    studio.session.close()  # nothing is worked on

    with ThreadPoolExecutor(100) as crowd:
        counted = Counter(crowd.map(lambda _: ask(studio, "POST", "makings", MAKE).status, range(100)))
    assert set(counted) <= {200, 429, 503} and 1 <= counted[200] <= 8
    assert len(studio.session.queue) == counted[200]


@pytest.mark.usefixtures("unchanged")
def test_lines_that_say_nothing_are_counted_and_closed(studio, monkeypatch):
    monkeypatch.setattr(server.Handler, "timeout", 0.5)
    lines = [socket.create_connection(studio.server_address, timeout=60) for _ in range(server.MOST_AT_ONCE + 9)]
    answers = [line.makefile("rb").readline() for line in lines]
    assert answers.count(b"") >= server.MOST_AT_ONCE and set(answers) <= {b"", b"HTTP/1.0 503 Service Unavailable\r\n"}
    for line in lines:
        line.close()


def test_it_listens_on_this_machine_alone(studio):
    assert studio.server_address[0] == "127.0.0.1"
    assert len(studio.token) >= 32


# --- the own page -----------------------------------------------------------------------------------------------------

def test_the_page_may_ask_its_own_server_and_no_other(studio):
    answer = ask(studio, "GET", "")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', answer.text.decode())[1]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy and "unsafe" not in policy
    assert not re.search(r"https?://", answer.text.decode())
    for name, value in server.HEADERS.items():
        assert answer.headers[name] == value


def test_a_song_goes_in_and_takes_come_out(studio, tmp_path):
    content = write_seed(tmp_path / "other.mid", 2).read_bytes()
    step = json.loads(ask(studio, "POST", "seeds?name=other.mid", content).text)["step"]
    assert step == 2
    making = order(step=2, bars=2, temperature=1.0, takes=1)
    assert ask(studio, "POST", "makings", making).status == 200
    until(lambda: studio.session.takes and not studio.session.queue)
    take = json.loads(ask(studio, "GET", "takes/1").text)
    files = [name for name, _ in take["downloads"]]
    assert files[0] == "other-1.mid" and take["split"] > 0 and take["sound"] in (None, "takes/1/sound")
    file = ask(studio, "GET", take["downloads"][0][1])
    assert file.text == (studio.session.folder / "other-1.mid").read_bytes()
    assert file.headers["Content-Disposition"] == "attachment"
    if studio.session.soundfont:
        assert ask(studio, "GET", "takes/1/sound").text[:4] == b"RIFF"
        assert ask(studio, "GET", take["downloads"][1][1]).text == (studio.session.folder / files[1]).read_bytes()
    assert ask(studio, "POST", "takes/1/star", order(on=True)).status == 200
    assert ask(studio, "POST", "takes/1/go-on", order(bars=99)).status == 422
    assert json.loads(ask(studio, "POST", "takes/1/go-on", order(bars=1)).text) == {"step": 3}
    assert ask(studio, "POST", "undo", b"").status == 200
    assert [step["number"] for step in state(studio.session)["steps"]] == [1, 2]


def test_a_page_hears_what_changes_and_the_work_stops_when_it_is_closed(studio, monkeypatch):
    monkeypatch.setattr("serenity.studio.session.NOBODY", 0.1)
    events = listen(studio)
    assert json.loads(events.readline().removeprefix(b"data: "))["making"] is None
    ask(studio, "POST", "makings", order(step=1, bars=64, temperature=0.9, takes=8))
    while (json.loads(line.removeprefix(b"data: ")) if (line := events.readline()).startswith(b"data")
           else {"making": None})["making"] is None:
        pass
    events.close()
    until(lambda: not studio.session.queue)
    assert len(studio.session.takes) < 8


def test_too_many_pages_are_refused(studio):
    pages = [listen(studio) for _ in range(server.MOST_STREAMS)]
    assert [page.status for page in pages] == [200] * server.MOST_STREAMS
    assert ask(studio, "GET", "events").status == 429
    for page in pages:
        page.close()


def test_it_ends_at_once_though_a_page_is_open(model_folder, tmp_path):
    session = Session(completion.load(model_folder), tmp_path)
    session.open_file(write_seed(tmp_path / "seed.mid"))
    before = threading.active_count()
    with server.running(session) as studio:
        events = listen(studio)
        ask(studio, "POST", "makings", order(step=1, bars=64, temperature=0.9, takes=8))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(studio.server_address, timeout=5)
    events.close()
    until(lambda: threading.active_count() <= before)


def test_names_are_checked_before_anything_is_read(studio):
    answer = ask(studio, "POST", "seeds?name=a%2Fb.mid", None, {"Content-Length": str(asked.LARGEST_UPLOAD)})
    assert (answer.status, answer.text.decode()) == (400, "name 'a/b.mid'; wanted the plain name of a file")


# --- the script -------------------------------------------------------------------------------------------------------

def test_generate_opens_the_studio_says_where_and_ends_with_ctrl_c(model_folder, tmp_path):
    command = [sys.executable, ROOT / "generate.py", write_seed(tmp_path / "seed.mid"), "--serve", "--no-browser",
               "--model", model_folder]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout.readline, "")
        said = [*itertools.takewhile(lambda line: line != "Ctrl-C ends it\n", lines)]
        address = re.search(r"the studio: (http://127.0.0.1:\d+/\S+/)", said[-1])[1]
        folder = tmp_path / re.search(r"what is made lies in (\S+)", said[-2])[1]
        assert folder.parent == tmp_path / "takes" and folder.is_dir()
        with urllib.request.urlopen(address) as answer:
            assert b"Drop a song here" in answer.read()
        process.send_signal(signal.SIGINT)
        assert "the studio is closed; songs made: 0" in process.stdout.read()
    assert process.returncode == 0 and not folder.exists()


@pytest.mark.parametrize(("arguments", "why"), [
    (["out.mid", "--serve"], "OUT.mid with --serve; wanted one of them"),
    (["--serve", "--port", "99999"], "port 99999, wanted 0 to 65535"),
    (["--serve", "--bars", "4"], "--bars with --serve; wanted one of them"), ([], "--no-browser without --serve"),
])
def test_what_does_not_go_with_the_studio_is_said(arguments, why, model_folder, tmp_path):
    seed = write_seed(tmp_path / "seed.mid")
    result = call(generate, seed, *arguments, "--no-browser", "--model", model_folder, folder=tmp_path)
    assert result.returncode == 2 and why in result.stderr
    assert not (tmp_path / "takes").exists()
