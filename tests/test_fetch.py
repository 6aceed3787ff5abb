"""fetch.py as a user runs it: folders, archives, the web, the corpus, mistakes, and running it again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest

import fetch
from serenity.notation import form_of
from tests.scripts import call
from tests.sources.site import SONG, page, served, song, tarred, validated, zipped

ROOT = Path(__file__).resolve().parent.parent


def gather(folder, *arguments, output="midi"):
    return call(fetch, *arguments, "--output", output, folder=folder)


def manifest(folder):
    return [json.loads(line) for line in (folder / "midi/manifest.jsonl").read_text().splitlines()]


def stored(folder):
    return {path.relative_to(folder / "midi").as_posix() for path in (folder / "midi").rglob("*.*")
            if path.is_file() and path.name != "manifest.jsonl"}


@pytest.fixture
def site():
    with served(3) as site:
        yield site


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
    done = gather(songs, "songs", "more.zip")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(maxsplit=1) for line in done.stdout.splitlines()[:-1]] == [
        ["5", "found"], ["2", "new"], ["0", "here already"], ["1", "duplicate"],
        ["1", "refused: neither MIDI nor a score"], ["1", "refused: path out of the archive"]]
    assert stored(songs) == {"songs/a.mid", "more/b.mid"}
    assert not list(songs.glob("**/evil*"))
    assert len(before := manifest(songs)) == 5
    again = gather(songs, "songs", "more.zip")
    assert again.returncode == 0
    assert "       3  here already" in again.stdout
    assert manifest(songs) == before


def test_a_wrong_source_does_not_stop_the_others(songs):
    (songs / "empty").mkdir()
    (songs / "broken.zip").write_bytes(b"PK\3\4")
    done = gather(songs, "nowhere", "empty", "broken.zip", "ftp://host/x", "songs")
    assert done.returncode == 2
    assert stored(songs) == {"songs/a.mid"}
    assert all(name in done.stderr for name in ("nowhere", "empty", "broken.zip", "ftp://host/x"))
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "no source"),
    (["songs/in/page.mid"], "all 1 are refused"),
    (["corpus/nobody"], "corpus/nobody is not a known set"),
    (["fetch.py"], "fetch.py does not exist"),
    (["songs", "--max-files", "0"], "--max-files 0"),
    (["http://127.0.0.1:1/"], "private address"),
    (["http://host/", "--agent", "Łódź"], "agent 'Łódź', wanted plain ASCII"),
    (["http://host/", "--depth", "-1"], "depth -1"),
    (["songs", "--licence", "permisive"], "licence 'permisive', wanted any, permissive, share-alike"),
    (["list.txt"], "holds 'ftp://host/', wanted an http or https URL"),
    (["search:piano"], "BRAVE_API_KEY"),
])
def test_mistakes_end_with_code_2_and_one_line(songs, arguments, message, monkeypatch):
    for key in ("BRAVE_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    (songs / "list.txt").write_text("http://host/\nftp://host/\n")
    done = gather(songs, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((songs / "midi").rglob("*.mid"))


def test_pages_a_list_and_again(tmp_path, site):
    other = site.url("127.0.0.2", "/")
    (tmp_path / "urls.txt").write_text(f"# two hosts\n\n{site.root}/set.zip\n{other}\n")
    site.answers = {"/": page("a.mid", "html.mid", "sub/"), "/a.mid": SONG, "/html.mid": b"<!doctype html>",
                    "/sub/": page("../deep.mid"), "/deep.mid": song("deep"), "127.0.0.2/": page("b.mid"),
                    "127.0.0.2/b.mid": song("b"), "/set.zip": validated(zipped({"c.mid": song("c"), "d.mid": SONG}))}
    arguments = f"{site.root}/", "urls.txt", "--allow-private-hosts", "--pause", "0", "--depth", "1"
    done = gather(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(maxsplit=1) for line in done.stdout.splitlines()[:-1]] == [
        ["6", "found"], ["4", "new"], ["0", "here already"], ["1", "duplicate"],
        ["1", "refused: neither MIDI nor a score"]]
    assert len(stored(tmp_path)) == 4
    assert {"127.0.0.1/deep.mid", "127.0.0.2/b.mid", "127.0.0.1/set/c.mid"} < stored(tmp_path)
    before = manifest(tmp_path)
    asked = len(site.asked)
    assert "       0  new" in gather(tmp_path, *arguments).stdout
    assert manifest(tmp_path) == before
    files = {request.path for request in site.asked[asked:] if request.path.endswith((".mid", ".zip"))}
    assert files == {"/set.zip", "/html.mid"}  # one that says whether it changed, and one that was none


def test_a_file_that_two_pages_link_to_is_asked_for_once_and_neither_page_is_at_fault(tmp_path, site):
    site.answers = {"/1": validated(page("a.mid")), "/2": validated(page("a.mid")), "/a.mid": SONG}
    for _ in range(2):
        done = gather(tmp_path, site.url("127.0.0.1", "/1"), site.url("127.0.0.1", "/2"), "--allow-private-hosts",
                     "--pause", "0")
        assert (done.returncode, done.stderr) == (0, "")
    assert site.paths().count("/a.mid") == 1


def test_a_dry_run_names_and_takes_nothing(tmp_path, site):
    site.answers = {"/": page("a.mid", "set.zip")}
    done = gather(tmp_path, f"{site.root}/", "--allow-private-hosts", "--pause", "0", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{site.root}/a.mid\n{site.root}/set.zip\n")
    assert "       2  would be asked for" in done.stdout
    assert site.paths() == ["/"]
    assert not (tmp_path / "midi").exists()


def test_so_many_files_and_no_more_and_only_what_is_allowed(songs, site):
    site.answers = {"/": page(*(f"{number}.mid" for number in range(9))) + b"<link rel=license href=//mit.example/>"}
    site.answers |= {f"/{number}.mid": song(number) for number in range(9)}
    (songs / "songs/LICENSE").write_text("MIT License")
    done = gather(songs, "songs", f"{site.root}/", "--allow-private-hosts", "--pause", "0", "--max-files", "1")
    assert done.returncode == 0, done.stderr
    assert len(stored(songs)) == 2
    done = gather(songs, "songs", f"{site.root}/", "--allow-private-hosts", "--pause", "0", "--licence", "permissive",
                 output="free")
    assert done.returncode == 2
    assert "refused: licence" in done.stdout
    assert [path.name for path in (songs / "free").rglob("*.mid")] == ["a.mid"]


def test_an_archive_from_the_web_without_songs_is_said(tmp_path, site):
    site.answers = {"/text.zip": zipped({"a.txt": "text"})}
    done = gather(tmp_path, f"{site.root}/text.zip", "--allow-private-hosts", "--pause", "0")
    assert done.returncode == 2
    assert "text.zip holds no MIDI file" in done.stderr


def killed_and_resumed(folder, site, requests):
    """Run a fetch that is killed when the site has seen so many requests, and one to the end; return what is there."""
    folder.mkdir()
    arguments, asked = (f"{site.root}/", "--allow-private-hosts", "--pause", "0", "--depth", "2"), len(site.asked)
    command = [sys.executable, str(ROOT / "fetch.py"), *arguments, "--output", "midi"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while len(site.asked) < asked + requests and run.poll() is None:
            time.sleep(random.uniform(0, 0.005))
        run.kill()
    done = gather(folder, *arguments)
    assert done.returncode == 0, done.stderr
    files = Counter(request.path for request in site.asked[asked:] if request.path.endswith((".mid", ".gz")))
    assert set(files) == {path for path in site.answers if path.endswith((".mid", ".gz"))}
    assert max(files.values()) <= 2
    assert not list((folder / "midi").rglob("*.part"))
    return {path: (folder / "midi" / path).read_bytes() for path in stored(folder)}


def test_kill_9_at_any_moment_loses_nothing_and_leaves_no_half_file(tmp_path, site):
    site.pause = 0.002
    site.answers = {"/": page("sub/", "set.tar.gz", *(f"{n}.mid" for n in range(40))), "/sub/": page("x/", "../1.mid"),
                    "/sub/x/": page(*(f"{n}.mid" for n in range(40))),
                    "/set.tar.gz": tarred({f"{n}.mid": song(f"packed {n}") for n in range(9)} | {"same.mid": song(0)})}
    site.answers |= {f"/{n}.mid": song(n) + bytes(n % 7 * 20_000) for n in range(40)}
    site.answers |= {f"/sub/x/{n}.mid": song(n % 30 + 100) for n in range(40)}  # ten of them twice
    whole = killed_and_resumed(tmp_path / "whole", site, 0)
    assert len(whole) == 40 + 9 + 30
    for number in range(int(os.environ.get("SERENITY_KILLS", "3"))):  # 50 take some minutes
        assert killed_and_resumed(tmp_path / str(number), site, random.randint(1, 84)) == whole


def test_the_output_folder_is_no_source_of_its_own(songs):
    gather(songs, "songs")
    assert "output folder" in gather(songs, "midi").stderr
    assert gather(songs, ".").returncode == 0
    assert all("/midi/" not in record["origin"] for record in manifest(songs))


def test_the_list_is_shown(tmp_path):
    done = gather(tmp_path, "--list")
    assert done.returncode == 0
    assert "corpus" in done.stdout
    assert "bach" in done.stdout


def test_the_corpus_and_again(tmp_path):
    done = gather(tmp_path, "corpus", "--max-files", 3)
    assert done.returncode == 0, done.stderr
    assert len(files := stored(tmp_path)) == 3
    assert all(form_of((tmp_path / "midi" / file).read_bytes()) for file in files)
    assert all(record["licence"] and record["evidence"] for record in manifest(tmp_path))
    again = gather(tmp_path, "corpus", "--max-files", 3)
    assert "       3  here already" in again.stdout
    assert len(manifest(tmp_path)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_a_fetch_from_the_web_at_once(tmp_path, site):
    site.answers = {"/": page("a.mid", "b.mid", "c.mid"), "/a.mid": SONG}
    command = [sys.executable, str(ROOT / "fetch.py"), f"{site.root}/", "--allow-private-hosts", "--pause", "0.3",
               "--output", "midi"]
    site.answers["/b.mid"] = 200, {"Content-Length": "99"}, (b"x" for _ in iter(lambda: time.sleep(1), 0))  # it stalls
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while "/b.mid" not in site.paths() and time.monotonic() < deadline:
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        try:
            output, errors = run.communicate(timeout=20)
        finally:
            run.kill()
    assert run.returncode == 130
    assert "       1  new" in output
    assert "to go on, run the same command again" in errors


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupt_keeps_what_is_there_and_says_how_to_go_on(tmp_path):
    command = [sys.executable, str(ROOT / "fetch.py"), "corpus", "--output", "midi"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        deadline, path = time.monotonic() + 60, tmp_path / "midi/manifest.jsonl"
        # The last line may belong to a file that is not counted yet.
        while (not path.exists() or path.read_text().count("\n") < 2) and time.monotonic() < deadline:
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
    told = {line["stored"] for line in manifest(tmp_path)}
    assert told and told <= stored(tmp_path)
    assert len(stored(tmp_path) - told) <= 1  # the interrupt may come between a file and its line: see manifest.py
