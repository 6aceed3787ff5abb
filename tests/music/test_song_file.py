"""Songs in files of all kinds: what they are, their names, and the cache of what scores say."""

import pytest

from serenity.errors import InputError
from serenity.music import midi_file, song_file
from serenity.music.midi_file import Track
from serenity.music.note import note_table
from serenity.music.sheet import CHORDS, Unfinished
from serenity.music.song_file import forget, melody_of, midi_bytes, raw, read, read_all, songs_below, stem

TUNE = "X:{}\nT:{}\nL:1/4\nM:4/4\nK:C\n{}\n"
LEAD = TUNE.format(1, "lead", '"C"cdef|"G7"gfed|')
BOOK = TUNE.format(1, "one", "CDEF|") + "\n" + TUNE.format(2, "two", "GABc|")
SERENITY = "serenity-abc 2\nsource: X\n\nX: 1\n"


@pytest.fixture
def folder(tmp_path):
    midi = midi_file.to_bytes([Track("Piano", 0, False, note_table([0.0], [1.0], [60], [80]))])
    for name, content in {"a.mid": midi, "lead.abc": LEAD.encode(), "book.ABC": BOOK.encode(), "feed.xml": b"<rss/>",
                          "serenity.abc": SERENITY.encode(), "._lead.abc": LEAD.encode(),
                          "silent.abc": TUNE.format(1, "none", "z4|").encode()}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


class Count:
    """A reader of scores that counts what it is asked, and may fail."""

    def __init__(self, failure=None):
        self.asked, self.failure = 0, failure

    def __call__(self, sheet):
        self.asked += 1
        if self.failure:
            raise self.failure
        return b"MThd" + sheet.title.encode()


def test_songs_are_midi_files_scores_and_single_tunes(folder):
    assert [path.name for path in songs_below(folder)] == [
        "a.mid", "book.ABC#1", "book.ABC#2", "lead.abc", "silent.abc"]


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        songs_below(tmp_path / "none")


@pytest.mark.parametrize(("name", "without"), [
    ("a/x.mid", "a/x"), ("x.MXL", "x"), ("x.musicxml", "x"), ("b.abc#3", "b#3"), ("x.abc", "x"), ("x#1.mid", "x#1"),
    ("x.mid.gz", "x"), ("x", "x")])
def test_names_without_their_ending(name, without):
    assert stem(name) == without


def test_a_file_of_any_kind_is_read(folder):
    assert [read(folder / name).tracks[0].notes["pitch"].tolist() for name in ("a.mid", "book.ABC#2", "lead.abc")] == [
        [60], [67, 69, 71, 72], [72, 74, 76, 77, 79, 77, 76, 74]]


@pytest.mark.parametrize(("name", "said"), [
    ("book.ABC", "holds 2 tunes; wanted one of them, such as book.ABC#1"), ("book.ABC#3", "no tune 3"),
    ("silent.abc", "holds no note"), ("none.abc#1", "no such file"), ("feed.xml", "is not a song: begins with"),
    ("serenity.abc", "is not a song: begins with 'serenity-abc"), ("a.mid#1", "no such file"),
])
def test_what_cannot_be_read_is_said_in_a_line_with_its_path(folder, name, said):
    with pytest.raises(InputError, match=f"{name}: .*{said}") as error:
        read(folder / name)
    assert "\n" not in str(error.value)


def test_what_a_score_says_is_read_once(folder, tmp_path):
    cache, reader = tmp_path / "cache", Count()
    first = midi_bytes(folder / "lead.abc", cache, reader)
    assert midi_bytes(folder / "lead.abc", cache, reader) == first == b"MThdlead"
    assert reader.asked == 1
    (folder / "lead.abc").write_text(LEAD.replace("lead", "other"))
    assert midi_bytes(folder / "lead.abc", cache, reader) == b"MThdother"


def test_a_change_of_what_reads_scores_reads_them_again(folder, tmp_path, monkeypatch):
    cache, reader = tmp_path / "cache", Count()
    midi_bytes(folder / "lead.abc", cache, reader)
    monkeypatch.setattr(song_file, "_makers", lambda: "another")
    midi_bytes(folder / "lead.abc", cache, reader)
    assert reader.asked == 2


@pytest.mark.parametrize(("failure", "asked"), [(InputError("is broken"), 1), (Unfinished("takes longer"), 2)])
def test_a_reason_is_kept_but_for_what_another_time_may_bring(folder, tmp_path, failure, asked):
    cache, reader = tmp_path / "cache", Count(failure)
    for _ in range(2):
        with pytest.raises(InputError, match=str(failure)):
            midi_bytes(folder / "lead.abc", cache, reader)
    assert reader.asked == 1
    list(read_all([], cache, 1))  # a new run
    with pytest.raises(InputError, match=str(failure)):
        midi_bytes(folder / "lead.abc", cache, reader)
    assert reader.asked == asked


def test_many_scores_are_read_over_processes_and_what_is_left_of_others_goes(folder, tmp_path):
    cache = tmp_path / "cache"
    scores = [path for path in songs_below(folder) if path.suffix != ".mid"]
    assert len(list(read_all(scores, cache, 2))) == 4
    assert sorted(path.suffix for path in cache.iterdir()) == [".mid"] * 3 + [".txt"]
    forget(cache, scores[:1])
    assert len(list(cache.iterdir())) == 1
    assert read(scores[0], cache).tracks[0].notes["pitch"].tolist() == [60, 62, 64, 65]


def test_a_tune_of_many_depends_on_nothing_but_itself(folder):
    before = raw(folder / "book.ABC#2")
    (folder / "book.ABC").write_text(BOOK.replace("CDEF", "EEEE"))
    assert raw(folder / "book.ABC#2") == before
    assert raw(folder / "a.mid").startswith(b"MThd")


def test_the_melody_of_a_lead_sheet_stands_alone(folder):
    lead = read(folder / "lead.abc")
    assert [track.name for track in lead.tracks] == ["Melody", CHORDS]
    assert [track.name for track in melody_of(lead).tracks] == ["Melody"]
    assert melody_of(read(folder / "a.mid")) is None
    assert melody_of(read(folder / "book.ABC#1")) is None
