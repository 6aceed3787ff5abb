"""The collection: what it takes, how it names it, what it writes down."""

import gzip
import json

import pytest

from serenity.sources import manifest
from serenity.sources.manifest import Collection, Find, group, safe_path
from tests.sources.site import SONG, score

OTHER = SONG.replace(b"\x60", b"\x30")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "midi"


def find(content=SONG, name="x/a.mid", origin="there/a.mid", **more):
    return Find("there", origin, name, content, **more)


def keep(folder, *finds, largest=1000):
    collection = Collection(folder, largest)
    return [collection.keep(one) for one in finds]


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.mid")}


def test_a_song_is_stored_and_accounted_for(folder):
    assert keep(folder, find(licence="MIT", evidence="there/LICENSE", title="A")) == [("stored", None)]
    assert files(folder) == {"x/a.mid": SONG}
    [record] = manifest.read(folder)
    assert record.pop("time")
    assert len(record.pop("sha256")) == 64
    assert record == {"source": "there", "origin": "there/a.mid", "stored": "x/a.mid", "bytes": len(SONG),
                      "licence": "MIT", "evidence": "there/LICENSE", "title": "A", "group": "x/a",
                      "decision": "stored", "reason": None}


def test_a_duplicate_is_recorded_not_stored(folder):
    assert keep(folder, find(), find(name="b.mid", origin="b"))[1] == ("duplicate", "x/a.mid")
    assert list(files(folder)) == ["x/a.mid"]
    assert manifest.read(folder)[1]["stored"] is None


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "empty file"),
    (b"<html>", "neither MIDI nor a score: begins with '<html>'"),
    (score("a")[:-30], f"cut off: a score's first {len(score('a')) - 30:,} bytes"),
    (SONG + bytes(1000), "over 0.000953674 MiB"),
    (SONG[:-1], "cut off: a MIDI file's first 25 bytes"),
    (SONG[:14], "cut off: a MIDI file's first 14 bytes"),
    (SONG[:9], "cut off: a MIDI file's first 9 bytes"),
    (gzip.compress(bytes(2000), mtime=0),
     "broken wrapper: unpacks to more than 1,000 bytes; wanted at most so many"),
    (b"RIFF\x04\0\0\0RMID", "broken wrapper: is a RIFF wrapper (.rmi) with no MIDI data in it; wanted a MIDI file"),
])
def test_what_is_no_song_is_refused(folder, content, reason):
    assert keep(folder, find(content)) == [("refused", reason)]
    assert not files(folder)


def riff(song):
    return b"RIFF\x26\0\0\0RMIDdata\x1a\0\0\0" + song


@pytest.mark.parametrize(("ending", "wrap"), [("mid.gz", gzip.compress), ("rmi", riff)])
def test_what_is_wrapped_is_stored_as_it_came(folder, ending, wrap):
    name, content = f"x/a.{ending}", wrap(SONG)
    assert keep(folder, find(content, name), find(wrap(OTHER), name, "b")) == [("stored", None)] * 2
    assert (folder / name).read_bytes() == content
    assert [(record["stored"], record["group"]) for record in manifest.read(folder)] == [
        (name, "x/a"), (f"x/a-2.{ending}", "x/a")]


@pytest.mark.parametrize("content", [SONG + b"behind the music", SONG[:14] + b"XFIH\0\0\0\1!" + SONG[14:]])
def test_what_stands_beside_the_tracks_does_no_harm(folder, content):
    assert keep(folder, find(content)) == [("stored", None)]


@pytest.mark.parametrize(("licence", "decision"), [("MIT", "stored"), ("GPL-3.0", "refused"), (None, "refused")])
def test_only_what_is_allowed_is_kept(folder, licence, decision):
    assert Collection(folder, 1000, "permissive").keep(find(licence=licence))[0] == decision
    assert len(files(folder)) == (decision == "stored")


def test_a_dry_run_decides_and_writes_nothing(folder):
    collection = Collection(folder, 1000, dry_run=True)
    finds = find(), find(origin="b"), find(OTHER, origin="c"), find(b"", origin="d")
    assert [collection.keep(one)[0] for one in finds] == ["stored", "duplicate", "stored", "refused"]
    assert not folder.exists()


def test_what_was_written_since_its_source_was_finished_is_fresh(folder):
    collection = Collection(folder, 1000)
    collection.keep(find())
    collection.finish("elsewhere")
    for one in (collection, Collection(folder, 1000)):
        assert one.last("there/a.mid")["is_fresh"]
    collection.finish("there")
    collection.finish("there")
    for one in (collection, Collection(folder, 1000)):
        assert not one.last("there/a.mid")["is_fresh"]
    collection.keep(find(OTHER, origin="b"))
    for one in (collection, Collection(folder, 1000)):
        assert one.last("b")["is_fresh"]
        assert not one.last("there/a.mid")["is_fresh"]
    assert [record["decision"] for record in manifest.read(folder)] == ["stored", "finished", "stored"]


def test_the_same_file_under_another_date_is_a_new_line_and_no_new_file(folder):
    assert keep(folder, find(etag="1"), find(etag="2"), find(etag="2")) == [("stored", None)] + [("known", None)] * 2
    assert [record["etag"] for record in manifest.read(folder)] == ["1", "2"]
    assert list(files(folder)) == ["x/a.mid"]
    assert Collection(folder, 1000).last("there/a.mid")["stored"] == "x/a.mid"


def test_the_second_run_adds_nothing(folder):
    finds = find(), find(name="b.mid", origin="b"), find(b"", origin="c")
    keep(folder, *finds)
    before = (folder / manifest.NAME).read_bytes()
    assert [decision for decision, _ in keep(folder, *finds)] == ["known", "known", "refused"]
    assert (folder / manifest.NAME).read_bytes() == before


def test_a_file_that_changed_at_its_origin_is_a_new_one_beside_the_old(folder):
    keep(folder, find(), find(OTHER))
    assert files(folder) == {"x/a.mid": SONG, "x/a-2.mid": OTHER}


def test_a_song_that_had_to_be_renamed_stays_in_its_group(folder):
    keep(folder, find(name="1/1.mid"), find(OTHER, "1/1.mid"), find(OTHER + b"v", "1/versions/v.mid", "v"))
    assert [(record["stored"], record["group"]) for record in manifest.read(folder)] == [
        ("1/1.mid", "1"), ("1/1-2.mid", "1"), ("1/versions/v.mid", "1")]


def test_a_file_that_was_taken_away_is_fetched_again_to_its_place(folder):
    keep(folder, find())
    (folder / "x/a.mid").unlink()
    assert Collection(folder, 1000).last("there/a.mid") is None
    keep(folder, find())
    assert files(folder) == {"x/a.mid": SONG}


def test_names_that_differ_in_case_alone_are_kept_apart(folder):
    keep(folder, find(), find(OTHER, "X/A.mid", "b"))
    assert set(files(folder)) == {"x/a.mid", "X/A-2.mid"}


def test_what_lies_there_without_an_account_is_never_overwritten(folder):
    (folder / "x").mkdir(parents=True)
    (folder / "x/a.mid").write_bytes(b"somebody's own")
    keep(folder, find())
    assert files(folder) == {"x/a.mid": b"somebody's own", "x/a-2.mid": SONG}


def test_a_run_that_was_killed_before_it_wrote_the_line_is_mended(folder):
    keep(folder, find())
    (folder / manifest.NAME).unlink()
    (folder / manifest.INCOMING).write_bytes(SONG[:5])  # and another one in the middle of a file
    assert keep(folder, find(), find(OTHER, "b.mid", "b")) == [("stored", None), ("stored", None)]
    assert files(folder) == {"x/a.mid": SONG, "b.mid": OTHER}
    assert not (folder / manifest.INCOMING).exists()


def test_a_half_last_line_is_passed_over_and_written_after(folder):
    keep(folder, find())
    with open(folder / manifest.NAME, "ab") as file:
        file.write(b'{"origin": "b", "sto')
    keep(folder, find(OTHER, "b.mid", "b"))
    keep(folder, find(OTHER + b"c", "c.mid", "c"))
    assert [record["origin"] for record in manifest.read(folder)] == ["there/a.mid", "b", "c"]
    assert Collection(folder, 1000).last("c")["stored"] == "c.mid"
    lines = (folder / manifest.NAME).read_bytes().splitlines()
    assert [bool(json.loads(line)) for line in lines if not line.endswith(b"sto")] == [True] * 3


def test_no_manifest_is_an_empty_one(tmp_path):
    assert manifest.read(tmp_path) == []


@pytest.mark.parametrize(("name", "safe"), [
    ("Chopin/Étude op. 10.mid", "Chopin/Étude op. 10.mid"),
    ("../../etc/a.mid", "etc/a.mid"),
    ("/abs/./a.mid", "abs/a.mid"),
    ("C:\\music\\a.mid", "C_/music/a.mid"),
    ("what?/a:b*.mid", "what_/a_b_.mid"),
    ("con.mid", "_con.mid"),
    (".hidden/.a.mid", "_.hidden/_.a.mid"),
    ("song.mid/a.mid", "song.mid_/a.mid"),
    ("a\n\0.mid", "a__.mid"),
    ("bad \udcff.mid", "bad \ufffd.mid"),
    ("trailing. /a.mid", "trailing/a.mid"),
    ("", "unnamed"),
])
def test_names_become_safe_and_stay_recognisable(name, safe):
    assert safe_path(name) == safe
    assert safe_path(safe) == safe


def test_endless_names_end(folder):
    keep(folder, find(name="ö" * 500 + "/" + "d/" * 5000 + "x" * 5000 + ".midi"))
    [stored] = [record["stored"] for record in manifest.read(folder)]
    assert stored.endswith("xxx.midi")
    assert (folder / stored).read_bytes() == SONG


@pytest.mark.parametrize(("wanted", "expected"), [
    ("set/a.mid", "set/a"),
    ("pop909/001/001.mid", "pop909/001"),
    ("pop909/001/versions/001-v1.mid", "pop909/001"),
    ("versions/a.mid", "versions/a"),
])
def test_songs_that_belong_together_share_a_group(wanted, expected):
    assert group(wanted) == expected
