import numpy as np
import pytest

from serenity.music import midi_file, selection
from serenity.music.pitch import transpose
from serenity.music.quality import MEASURES
from tests.songs import compose_notes, pop_song


def write(path, notes):
    midi_file.write(path, [midi_file.Track("Piano", 0, False, notes)])
    return path


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """What assess finds in a few files, by name."""
    folder = tmp_path_factory.mktemp("songs")
    song = pop_song()
    worse = song.copy()
    worse["pitch"][song["pitch"] < 48] += 12  # its bass an octave higher: a narrower register
    for name, notes in (("a.mid", song), ("copy.mid", song), ("moved.mid", transpose(song, 5)), ("worse.mid", worse),
                        ("short.mid", compose_notes(3, 5)), ("one.mid", song[:1])):
        write(folder / name, notes)
    (folder / "page.mid").write_bytes(b"<html>")
    return {path.name: selection.assess(path) for path in sorted(folder.iterdir())}


def test_a_song_is_read_and_measured(songs):
    found = songs["a.mid"]
    assert found["reason"] is None
    assert (found["key"], found["progression"]) == ("C major", "I V vi IV")
    assert found["beat"] == "beat: the file's, 120 BPM, 4/4, bar 1 at 0.00 s"
    assert list(found["measures"]) == list(MEASURES)


def test_what_cannot_be_read_says_why_without_its_path(songs):
    assert songs["page.mid"] == {"reason": "unreadable: is not a song: begins with '<html>'; wanted a MIDI file, "
                                           "MusicXML or ABC notation"}


def test_the_best_of_alike_songs_stays(songs):
    lines = {line["song"]: line for line in selection.select(songs)}
    assert [name for name, line in lines.items() if line["kept"]] == ["a.mid"]
    assert lines["a.mid"]["beat"] == songs["a.mid"]["beat"]
    assert lines["copy.mid"]["reason"] == lines["moved.mid"]["reason"] == "copy of a.mid"
    assert lines["worse.mid"]["score"] < lines["a.mid"]["score"]
    assert lines["worse.mid"]["reason"] in ("copy of a.mid", "near-copy of a.mid")
    assert lines["short.mid"]["reason"] == "seconds 10, wanted 30 to 900"
    assert lines["page.mid"] == {"song": "page.mid", "kept": False, "reason": songs["page.mid"]["reason"],
                                 "score": None, "measures": None}


def test_the_order_of_the_files_does_not_matter(songs):
    backwards = dict(reversed(songs.items()))
    assert selection.select(backwards) == selection.select(songs)


def test_without_filters_all_that_can_be_read_is_kept(songs):
    lines = selection.select(songs, filtered=False)
    assert [line["song"] for line in lines if not line["kept"]] == ["page.mid"]
    assert {line["reason"] for line in lines if line["kept"]} == {None}


def test_reasons_are_counted_by_their_kind(songs):
    counted = selection.totals(selection.select(songs))
    assert counted["unreadable"] == 1
    assert counted["copy"] + counted["near-copy"] == 3
    assert sum(counted.values()) == 6


def test_no_songs_are_no_lines():
    assert selection.select({}) == []


def test_measures_survive_json(songs):
    assert all(isinstance(value, float) and np.isfinite(value) for value in songs["a.mid"]["measures"].values())
