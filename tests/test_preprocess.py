"""preprocess.py end to end, on MIDI files that the tests write."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import preprocess
from serenity import journal, preparation
from serenity.command_line import composed
from serenity.music import abc_file, midi_file
from serenity.music.codec import bar_places, encode
from serenity.music.pitch import transpose
from serenity.music.song import of_score
from serenity.settings import CodecSettings
from serenity.tokens import corpus
from serenity.tokens.vocabulary import PLACE
from tests.scripts import call
from tests.songs import compose_notes, pop_song

SONGS = ("a.mid", "b.midi", "folder/c.MID", "folder/d.mid")
REFUSED = {  # name -> (content, what is said of it)
    "empty.mid": (b"", "empty.mid"),
    "page.mid": (b"<html>404</html>", "page.mid"),
    "cut.mid": (b"MThd\0\0\0\6\0\1", "cut.mid"),
    "silent.mid": (None, "holds no note"),
    "drums.mid": (None, "holds only drums"),
}


PLAIN = ("--no-filters", "--synthetic", "0")


def write_song(path: Path, number: int, is_drum=False, bars=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = compose_notes(number, bars)
    midi_file.write(path, [midi_file.Track("Piano", 0, is_drum, notes, np.empty((0, 2)))])


def run(folder: Path, *arguments: str):
    """Run preprocess.py in a folder; return its exit code and the lines of its two outputs."""
    done = call(preprocess, *arguments, folder=folder)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def files_of(folder: Path, ending: str = "") -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob(f"*{ending}")
            if path.is_file()}


def report_of(folder: Path) -> dict[str, dict]:
    lines = (folder / "data/abc/report.jsonl").read_text().splitlines()
    return {line["song"]: line for line in map(json.loads, lines)}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Songs, broken files among them, and a manifest, preprocessed once; (folder, exit code, lines)."""
    folder = tmp_path_factory.mktemp("preprocess")
    midi = folder / "data/midi"
    for number, name in enumerate(SONGS):
        write_song(midi / name, number)
    for name, (content, _) in REFUSED.items():
        (midi / name).write_bytes(content or b"")
    midi_file.write(midi / "silent.mid", [])
    write_song(midi / "drums.mid", 9, is_drum=True)
    (midi / "notes.txt").write_text("no song")
    records = [{"stored": "a.mid", "group": "family", "licence": "MIT"},
               {"stored": "folder/d.mid", "group": "family", "licence": None},
               {"stored": None, "origin": "refused.mid", "licence": "MIT"}]
    (midi / "manifest.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder, *run(folder, *PLAIN, "--workers", "2")


@pytest.fixture
def again(done, tmp_path):
    """A copy of what was preprocessed, to be changed."""
    shutil.copytree(done[0] / "data", tmp_path / "data")
    return tmp_path


def test_the_songs_arrive_as_text_and_as_tokens(done):
    folder, code, _, _ = done
    assert code == 0
    assert sorted(files_of(folder / "data/abc", ".abc")) == sorted(f"{name}.abc" for name in SONGS)
    store = corpus.load(folder / "data/tokens")
    assert [song["name"] for song in store.songs] == sorted(f"{name}.abc" for name in SONGS)


def test_an_abc_file_holds_what_the_codec_makes_of_the_song(done):
    song = abc_file.read(done[0] / "data/abc/folder/c.MID.abc")
    read = of_score(midi_file.read(done[0] / "data/midi/folder/c.MID"))
    encoded = encode(read, CodecSettings())
    assert np.array_equal(song.events, encoded.events)
    assert (song.source, song.key, song.transposition) == ("folder/c.MID", str(encoded.key), encoded.transposition)
    assert song.beats == "file" and np.array_equal(song.tempo_map.tempos, read.tempo_map.tempos)


def test_the_place_of_each_event_in_its_bar_arrives(done):
    store = corpus.load(done[0] / "data/tokens")
    for song in store.songs:
        read = abc_file.read(done[0] / "data/abc" / song["name"])
        bars = store.tokens[song["start"]:song["start"] + song["events"], PLACE:]
        assert np.array_equal(bars, bar_places(read.events, read.tempo_map, read.codec.grid))
        assert (bars[:, 1] == 4 * read.codec.grid).all()


def test_each_broken_file_is_one_clear_line_and_the_others_go_on(done):
    _, _, lines, _ = done
    refused = [line for line in lines if line.startswith("refused: ")]
    assert len(refused) == len(REFUSED)
    for name, (_, said) in REFUSED.items():
        (line,) = [line for line in refused if name in line]
        assert said in line
        assert len(line) > len(f"refused: data/midi/{name}: ")
    assert (f"songs: {len(SONGS)} of {len(SONGS) + len(REFUSED)} kept; refused, by reason: unreadable "
            f"({len(REFUSED)}); the reason for each song: data/abc/report.jsonl") in lines
    assert {name for name, line in report_of(done[0]).items() if not line["kept"]} == {*REFUSED}


def test_it_ends_with_what_the_store_holds(done):
    folder, _, lines, _ = done
    store = corpus.load(folder / "data/tokens")
    counts = ", ".join(f"{store.totals[split]} {word}" for split, word in
                       (("train", "training"), ("validation", "validation"), ("test", "test")))
    assert f"tokens: 4 songs ({counts}), {len(store.tokens):,} events in data/tokens" in lines
    assert lines[-1].startswith("known exactly to the dictionaries: pitch ")


def test_group_and_licence_of_the_manifest_arrive(done):
    store = corpus.load(done[0] / "data/tokens")
    assert {song["name"]: song["group"] for song in store.songs} == {
        "a.mid.abc": "family", "folder/d.mid.abc": "family", "b.midi.abc": "b", "folder/c.MID.abc": "folder/c"}
    assert len({song["split"] for song in store.songs if song["group"] == "family"}) == 1
    assert store.totals["licences"]["MIT"] == 1


def test_one_worker_gives_the_same_as_two(done, again):
    shutil.rmtree(again / "data/abc")
    shutil.rmtree(again / "data/tokens")
    assert run(again, *PLAIN)[0] == 0
    assert files_of(again / "data/abc", ".abc") == files_of(done[0] / "data/abc", ".abc")
    for name in ("tokens.npy", "songs.jsonl", "vocabulary.json"):
        assert (again / "data/tokens" / name).read_bytes() == (done[0] / "data/tokens" / name).read_bytes()


def test_an_abc_file_edited_by_hand_becomes_tokens(again):
    path = again / "data/abc/b.midi.abc"
    head, _, _ = path.read_text().partition("\n\n")
    path.write_text(f"{head}\n\n| 1\nc4 0 1/2 80  % 1\nc5g4 9/2 0.5 80\n")
    (again / "data/abc/a.mid.abc").unlink()
    assert run(again, "--abc-only")[0] == 0
    store = corpus.load(again / "data/tokens")
    edited, = (song for song in store.songs if song["name"] == "b.midi.abc")
    events = store.tokens[edited["start"]:edited["start"] + edited["events"]]
    assert events[:, PLACE:].tolist() == [[0, 96, 2], [12, 96, 1]]
    assert len(store.songs) == len(SONGS) - 1


def test_a_slip_in_an_edited_file_is_named_with_line_and_column(again):
    path = again / "data/abc/b.midi.abc"
    lines = path.read_text().splitlines()
    body = lines.index("")
    path.write_text("\n".join([*lines[:body + 1], "h4 0 0.5 80", *lines[body + 1:]]))
    before = files_of(again / "data/tokens")
    code, _, errors = run(again, "--abc-only")
    assert code == 2
    assert errors[-1].startswith(f"preprocess.py: data/abc/b.midi.abc:{body + 2}:1: 'h4")
    assert files_of(again / "data/tokens") == before


def test_abc_files_of_the_time_in_seconds_are_refused(again):
    path = again / "data/abc/b.midi.abc"
    path.write_text(path.read_text().replace("serenity-abc 2", "serenity-abc 1").replace("grid: 24", "time_step: 0.02"))
    code, output, errors = run(again, "--abc-only")
    assert (code, output, len(errors)) == (2, [], 1)
    assert errors[0] == ("preprocess.py: data/abc/b.midi.abc:1:1: made by an older Serenity, which counted seconds; "
                         "wanted 'serenity-abc 2': run preprocess.py without --abc-only")


@pytest.mark.parametrize("format_", [1, 2])
def test_a_store_of_an_older_format_is_made_anew(done, again, format_):
    """The second kept the bars in a file of their own."""
    store = again / "data/tokens"
    np.save(store / "bars.npy", np.zeros((9, 2), np.uint16))
    (store / "corpus.json").write_text((store / "corpus.json").read_text().replace("corpus 3", f"corpus {format_}"))
    assert run(again, *PLAIN)[0] == 0
    assert files_of(store) == files_of(done[0] / "data/tokens")


def test_abc_files_of_several_settings_are_refused(again):
    path = again / "data/abc/b.midi.abc"
    path.write_text(path.read_text().replace("split_ratio: 1.5", "split_ratio: None"))
    code, _, errors = run(again, "--abc-only")
    assert code == 2
    assert "wanted one setting for all" in errors[-1]


def test_the_settings_named_are_those_of_the_store(again):
    assert run(again, *PLAIN, "--split-ratio", "None", "--normalise", "centre", "--top-k-pitch", "9", "--grid",
               "48", "--exact-lengths", "None")[0] == 0
    store = corpus.load(again / "data/tokens")
    assert store.codec == CodecSettings(normalise="centre", split_ratio=None, grid=48, exact_lengths=None)
    assert len(store.vocabulary.pitch.values) == 9


def test_a_song_of_too_many_events_is_refused(tmp_path):
    write_song(tmp_path / "data/midi/short.mid", 0, bars=2)
    write_song(tmp_path / "data/midi/long.mid", 1, bars=12)
    code, lines, _ = run(tmp_path, *PLAIN, "--max-events", "50")
    assert code == 0
    assert any(line.startswith("refused: data/midi/long.mid: holds ") and line.endswith("wanted 50 at most")
               for line in lines)
    assert list(files_of(tmp_path / "data/abc", ".abc")) == ["short.mid.abc"]


# --- choosing songs, and making more of them --------------------------------------------------------------------------

@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """Two pop songs, one of them twice, and one that is none, with synthetic songs: (folder, exit code, lines)."""
    folder = tmp_path_factory.mktemp("family")
    for name, notes in (("a.mid", pop_song()), ("moved.mid", transpose(pop_song(), 3)), ("b.mid", pop_song(seed=2)),
                        ("short.mid", pop_song(8))):
        (folder / "data/midi").mkdir(parents=True, exist_ok=True)
        midi_file.write(folder / "data/midi" / name, [midi_file.Track("Piano", 0, False, notes)])
    return folder, *run(folder, "--synthetic", "4", "--workers", "2", "--spot-check", "1")


@pytest.fixture
def relatives(family, tmp_path):
    shutil.copytree(family[0] / "data", tmp_path / "data")
    return tmp_path


def test_what_is_no_pop_or_is_there_twice_is_left_out(family):
    folder, code, lines, _ = family
    assert code == 0
    report = report_of(folder)
    assert {name: line["reason"] for name, line in report.items()} == {
        "a.mid": None, "b.mid": None, "moved.mid": "copy of a.mid", "short.mid": "seconds 16, wanted 30 to 900"}
    assert all(isinstance(line["score"], float) for line in report.values())
    assert ("songs: 2 of 4 kept; refused, by reason: copy (1), seconds (1); the reason for each song: "
            "data/abc/report.jsonl") in lines
    assert (folder / "data/abc/report.png").read_bytes().startswith(b"\x89PNG")


def test_synthetic_songs_are_named_after_original_and_rule_and_stay_with_it(family):
    store = corpus.load(family[0] / "data/tokens")
    assert len(store.songs) == 2 * (1 + 4)
    for song in store.songs:
        original, _, rule = song["name"].removesuffix(".abc").partition("~")
        read = abc_file.read(family[0] / "data/abc" / song["name"])
        assert (read.source, read.synthetic, song["group"]) == (original, rule, original.removesuffix(".mid"))
        assert song["synthetic"] == bool(rule)
    groups = {song["group"]: set() for song in store.songs}
    for song in store.songs:
        groups[song["group"]].add(song["split"])
    assert all(len(splits) == 1 for splits in groups.values())
    tokens = [store.tokens[song["start"]:song["start"] + song["events"]].tobytes() for song in store.songs]
    assert len(set(tokens)) == len(tokens)


def test_a_page_of_songs_at_random_is_made(family):
    page = (family[0] / "data/abc/spot-check.html").read_text(encoding="utf-8")
    assert "spot check" in page
    assert "as it is" in page


def test_all_that_makes_songs_and_tokens_is_code_that_the_keys_hold(relatives, monkeypatch):
    """What the processes are handed stands in modules whose code is part of the keys, none of it in preprocess.py."""
    done, keyed, real = set(), set(), journal.code

    def handed(work, jobs, *_, **__):
        done.add((work.func if isinstance(work, partial) else work).__module__)
        return map(work, jobs)

    for module in (preparation, corpus):
        monkeypatch.setattr(module, "in_parallel", handed)
    monkeypatch.setattr(preparation, "code", lambda work: keyed.add(work.__module__) or real(work))
    monkeypatch.chdir(relatives)
    preprocess.main(composed(preprocess.Parameters, {"synthetic": 2, "category": "viola", "filters": False}))
    assert done == keyed == {"serenity.music.selection", "serenity.music.family", "serenity.tokens.corpus"}


def test_a_second_run_finds_all_done(relatives):
    before = files_of(relatives)
    code, lines, _ = run(relatives, "--synthetic", "4")
    assert code == 0
    assert any(line.endswith("0 of 2 families were made in this run") for line in lines)
    assert lines[-1] == "tokens: data/tokens is already made of exactly these 10 songs"
    after = files_of(relatives)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(("arguments", "anew", "songs"), [
    (("--synthetic", "4", "--top-k-pitch", "50"), 0, 10), (("--synthetic", "2"), 2, 6),
    (("--synthetic", "4", "--grid", "12"), 2, 10), (("--synthetic", "4", "--exact-lengths", "None"), 2, 10),
    (("--synthetic", "4", "--seed", "1"), 2, 10)])
def test_a_changed_parameter_redoes_what_depends_on_it(arguments, anew, songs, relatives):
    code, lines, _ = run(relatives, *arguments)
    assert code == 0
    assert any(line.endswith(f"{anew} of 2 families were made in this run") for line in lines)
    assert any(line.startswith(f"tokens: {songs} songs (") for line in lines)
    assert len(files_of(relatives / "data/abc", ".abc")) == songs


def test_a_song_that_goes_takes_its_synthetic_songs_along_and_nothing_else(relatives):
    (relatives / "data/midi/b.mid").unlink()
    own = relatives / "data/abc/own.abc"
    shutil.copy(relatives / "data/abc/a.mid.abc", own)
    assert run(relatives, "--synthetic", "4")[0] == 0
    assert {name.partition("~")[0].removesuffix(".abc") for name in files_of(relatives / "data/abc", ".abc")} == {
        "a.mid", "own"}


def test_work_that_was_cut_off_goes_on_where_it_was(family, relatives):
    done = files_of(relatives / "data/abc", ".abc")
    shutil.rmtree(relatives / "data/tokens")
    journal = relatives / "data/abc/.work/made.jsonl"
    first, second = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(first + second[:40])  # killed while it wrote
    for name in json.loads(second)["files"][1:]:
        (relatives / "data/abc" / name).unlink()
    code, lines, _ = run(relatives, "--synthetic", "4")
    assert code == 0
    assert any(line.endswith("1 of 2 families were made in this run") for line in lines)
    assert files_of(relatives / "data/abc", ".abc") == done
    assert len(corpus.load(relatives / "data/tokens").songs) == 10


@pytest.mark.parametrize(("name", "last"), [("a.mid", "kept (score "), ("short.mid", "refused: seconds 16, wanted 30")])
def test_one_file_is_explained(name, last, relatives):
    code, lines, _ = run(relatives, "--explain", f"data/midi/{name}")
    assert code == 0
    assert lines[-1].startswith(last)
    assert any(line.startswith("pop_changes ") for line in lines)


@pytest.mark.parametrize(("name", "why"), [("page.mid", "is not a song: begins with '<html>'"),
                                           ("none.mid", "no such file")])
def test_a_file_that_cannot_be_explained_ends_with_one_line_and_code_2(name, why, relatives):
    (relatives / "data/midi/page.mid").write_bytes(b"<html>")
    code, lines, errors = run(relatives, "--explain", f"data/midi/{name}")
    assert (code, lines) == (2, [])
    assert [line for line in errors if line][-1].startswith(f"preprocess.py: data/midi/{name}: {why}")


@pytest.mark.parametrize(("arguments", "said"), [
    (("--midi", "missing"), "missing is not a folder"),
    (("--midi", "none"), "none holds no MIDI file"),
    (("--midi", "broken"), "none of the 1 files in broken was kept"),
    (("--midi", "one"), "none of the 1 files in one was kept; wanted one or more (--no-filters keeps"),
    (("--midi", "one", "--no-filters", "--max-events", "3"), "none of the songs that were kept in one could be used"),
    (("--abc-only", "--abc", "missing"), "missing is not a folder"),
    (("--abc-only", "--abc", "none"), "none holds no abc file"),
    (("--workers", "0"), "--workers 0, wanted 1 to 1,024"),
    (("--top-k-pitch", "0"), "--top-k-pitch 0, wanted 1 to 65,533"),
    (("--synthetic", "99"), "--synthetic 99, wanted 0 to 24"),
    (("--top-k-timing", "65534"), "--top-k-timing 65534, wanted 1 to 65,533"),
    (("--midi", "one", "--grid", "3"), "grid 3, wanted a whole number from 4 to 480"),
    (("--midi", "one", "--exact-lengths", "0"), "--exact-lengths 0, wanted a whole number from 1 to 1,000,000"),
    (("--midi", "one", "--tokens", "broken"), "broken holds x.mid, no part of a token store"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_what_cannot_be_done_ends_with_one_line_and_code_2(arguments, said, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/x.mid").write_bytes(b"MThd")
    write_song(tmp_path / "one/x.mid", 0, bars=2)
    code, _, errors = run(tmp_path, *arguments)
    errors = [line for line in errors if line.startswith("preprocess.py: ")]
    assert (code, len(errors)) == (2, 1)
    assert said in errors[0]
    assert (tmp_path / "broken/x.mid").read_bytes() == b"MThd"


def test_scores_in_notation_are_songs_a_lead_sheet_with_and_without_its_chords(tmp_path):
    song = 6 * (('C', 'cdec'), ('Am', 'e2A2'), ('F', 'fgaf'), ('G7', 'g2d2'))
    bars = ''.join(f'"{chord}"{tune}|' for chord, tune in song)
    head = "X:{}\nT:{}\nL:1/4\nM:4/4\nK:C\n"
    (tmp_path / "data/midi").mkdir(parents=True)
    (tmp_path / "data/midi/lead.abc").write_text(f"{head.format(1, 'lead')}{bars}\n")
    (tmp_path / "data/midi/book.abc").write_text("\n".join(f"{head.format(n, n)}{n * 'CDEF|' * 8}\n" for n in (1, 2)))
    write_song(tmp_path / "data/midi/a.mid", 1)
    code, lines, _ = run(tmp_path, *PLAIN, "--workers", "2")
    assert code == 0
    assert set(report_of(tmp_path)) == {"a.mid", "book.abc#1", "book.abc#2", "lead.abc"}
    made = {path.name: abc_file.read(path) for path in (tmp_path / "data/abc").rglob("*.abc")}
    assert set(made) == {"a.mid.abc", "book.abc#1.abc", "book.abc#2.abc", "lead.abc.abc", "lead.abc~melody.abc"}
    lead, melody = made["lead.abc.abc"], made["lead.abc~melody.abc"]
    assert (lead.group, melody.group, melody.synthetic, melody.key) == ("lead", "lead", "melody", lead.key)
    assert len(melody.events) == 6 * 12
    kept = files_of(tmp_path / "data/abc/.work/scores")
    assert len(kept) == 3
    _, lines, _ = run(tmp_path, *PLAIN)
    assert "0 of 4 families were made in this run" in " ".join(lines)
