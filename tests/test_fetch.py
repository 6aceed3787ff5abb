"""fetch.py as a user runs it: folders, archives, the corpus, mistakes, and running it again."""

import functools
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SONG = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"


def fetch(folder, *arguments, timeout=100):
    command = [sys.executable, str(ROOT / "fetch.py"), *map(str, arguments), "--output", "midi"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout)


def manifest(folder):
    return [json.loads(line) for line in (folder / "midi/manifest.jsonl").read_text().splitlines()]


def stored(folder):
    return {path.relative_to(folder / "midi").as_posix() for path in (folder / "midi").rglob("*.mid")}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Serve tmp_path on loopback and return its URL."""
    monkeypatch.setenv("NO_PROXY", "*")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def songs(tmp_path):
    (tmp_path / "songs/in").mkdir(parents=True)
    (tmp_path / "songs/a.mid").write_bytes(SONG)
    (tmp_path / "songs/in/same.mid").write_bytes(SONG)
    (tmp_path / "songs/in/page.mid").write_bytes(b"<!doctype html>")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as file:
        file.writestr("b.mid", SONG + b"b")
        file.writestr("../evil.mid", SONG + b"e")
    return tmp_path


def test_folders_and_archives_and_again(songs):
    done = fetch(songs, "songs", "more.zip")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(maxsplit=1) for line in done.stdout.splitlines()[:-1]] == [
        ["5", "found"], ["2", "new"], ["0", "here already"], ["1", "duplicate"],
        ["1", "refused: not MIDI"], ["1", "refused: path out of the archive"]]
    assert stored(songs) == {"songs/a.mid", "more/b.mid"}
    assert not list(songs.glob("**/evil*"))
    assert len(before := manifest(songs)) == 5
    again = fetch(songs, "songs", "more.zip")
    assert again.returncode == 0
    assert "       3  here already" in again.stdout
    assert manifest(songs) == before


def test_a_wrong_source_does_not_stop_the_others(songs):
    (songs / "empty").mkdir()
    (songs / "broken.zip").write_bytes(b"PK\3\4")
    done = fetch(songs, "nowhere", "empty", "broken.zip", "ftp://host/x", "songs")
    assert done.returncode == 2
    assert stored(songs) == {"songs/a.mid"}
    assert all(name in done.stderr for name in ("nowhere", "empty", "broken.zip", "ftp://host/x"))
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "no source"),
    (["songs/in/page.mid"], "all 1 are refused"),
    (["corpus/nobody"], "corpus/nobody is no known set"),
    (["fetch.py"], "fetch.py is no folder or file"),
    (["songs", "--max-files", "0"], "max_files 0"),
    (["http://127.0.0.1:1/"], "private address"),
    (["http://127.0.0.1:1/", "--allow-private-hosts", "--agent", "Łódź", "--pause", "0"], "no answer"),
])
def test_mistakes_end_with_code_2_and_one_line(songs, arguments, message):
    done = fetch(songs, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((songs / "midi").rglob("*.mid"))


def test_a_page_and_again(songs, site):
    links = "songs/a.mid", "songs/in/page.mid", "more.zip"
    (songs / "page.html").write_text("".join(f'<a href="{link}"></a>' for link in links))
    arguments = f"{site}/page.html", "--allow-private-hosts", "--pause", "0"
    done = fetch(songs, *arguments)
    assert done.returncode == 0, done.stderr
    assert stored(songs) == {"127.0.0.1/songs/a.mid", "127.0.0.1/more/b.mid"}
    before = manifest(songs)
    assert [record["decision"] for record in before] == ["stored", "refused", "stored", "refused", "unpacked"]
    assert "       2  here already" in fetch(songs, *arguments).stdout
    assert manifest(songs) == before


def test_an_archive_from_the_web_without_songs_is_said(tmp_path, site):
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as file:
        file.writestr("a.txt", "text")
    done = fetch(tmp_path, f"{site}/text.zip", "--allow-private-hosts", "--pause", "0")
    assert done.returncode == 2
    assert "text.zip holds no MIDI file" in done.stderr


def test_the_output_folder_is_no_source_of_its_own(songs):
    fetch(songs, "songs")
    assert "output folder" in fetch(songs, "midi").stderr
    assert fetch(songs, ".").returncode == 0
    assert all("/midi/" not in record["origin"] for record in manifest(songs))


def test_the_list_is_shown(tmp_path):
    done = fetch(tmp_path, "--list")
    assert done.returncode == 0
    assert "corpus" in done.stdout
    assert "bach" in done.stdout


def test_the_corpus_and_again(tmp_path):
    done = fetch(tmp_path, "corpus", "--max-files", 3, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert len(files := stored(tmp_path)) == 3
    assert all((tmp_path / "midi" / file).read_bytes().startswith(b"MThd") for file in files)
    assert all(record["licence"] and record["evidence"] and record["title"] for record in manifest(tmp_path))
    again = fetch(tmp_path, "corpus", "--max-files", 3, timeout=20)
    assert "       3  here already" in again.stdout
    assert len(manifest(tmp_path)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupt_keeps_what_is_there_and_says_how_to_go_on(tmp_path):
    command = [sys.executable, str(ROOT / "fetch.py"), "corpus", "--workers", "1", "--output", "midi"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while not (tmp_path / "midi/manifest.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        try:
            output, errors = run.communicate(timeout=20)
        finally:
            run.kill()  # else leaving this block would wait for ever
    assert run.returncode == 130
    assert "found" in output
    assert errors.startswith("fetch.py: interrupted")
    assert errors.count("\n") == 1
    assert len(stored(tmp_path)) == len(manifest(tmp_path)) > 0
