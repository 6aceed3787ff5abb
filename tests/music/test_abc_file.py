from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.abc_file import AbcSong, from_text, read, read_head, to_text, write
from serenity.music.codec import CodecSettings, encode
from serenity.music.event import EVENT
from serenity.music.pitch import parse_chord
from tests.real_midi import notes_of, over_real_files
from tests.songs import abc_songs
from tests.strategies import event_tables

TEXT = """serenity-abc 1
source: 001.mid
group: 001
synthesis: none
key: f# major
transposition: -6
folded: 0
category: piano
normalise: key
time_step: 0.02
split_ratio: 1.5

a#5c5g5 0.48 0.96 85
% a remark, and an empty line

c4 0 1 127
"""
EMPTY = from_text(TEXT.split("\n\n")[0])


def assert_same(one: AbcSong, other: AbcSong):
    assert replace(one, events=None) == replace(other, events=None)
    assert one.events.dtype == other.events.dtype
    assert np.array_equal(one.events, other.events)


def test_a_file_by_hand():
    song = from_text(TEXT)
    assert (song.source, song.group, song.key, song.transposition, song.folded) == ("001.mid", "001", "f# major", -6, 0)
    assert song.settings == CodecSettings()
    assert [event.tolist()[1:] for event in song.events] == [(0.48, 0.96, 85), (0, 1, 127)]
    assert song.events["pitch"][0].tolist() == [0, sum(1 << pitch - 64 for pitch in parse_chord("a#5c5g5"))]


def test_what_is_written_is_canonical():
    lines = to_text(from_text(TEXT)).splitlines()
    assert lines[:12] == TEXT.splitlines()[:12]
    assert lines[12:] == ["a#5g5c5 0.48 0.96 85", "c4 0 1 127"]


@given(event_tables)
def test_parsing_is_the_inverse_of_writing(events):
    song = replace(EMPTY, events=events)
    assert_same(from_text(to_text(song)), song)


@given(st.floats(0, 86_400), st.floats(1e-6, 86_400))
def test_times_are_written_exactly(step, duration):
    song = replace(EMPTY, events=np.array([((1, 0), step, duration, 80)], EVENT))
    assert_same(from_text(to_text(song)), song)


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_name_stands_on_one_line(source, group):
    song = from_text(to_text(replace(EMPTY, source=source, group=group)))
    assert song.source == " ".join(source.split())
    assert song.group == " ".join(group.split())


def test_a_synthetic_song_says_what_made_it():
    song = replace(EMPTY, synthesis="inversion-1")
    assert "\nsynthesis: inversion-1\n" in to_text(song)
    assert_same(from_text(to_text(song)), song)


def test_the_head_alone_is_read_without_the_events(tmp_path):
    _, song = abc_songs(1)[0]
    write(tmp_path / "song.abc", song)
    assert_same(read_head(tmp_path / "song.abc"), replace(song, events=EMPTY.events))
    (tmp_path / "song.abc").write_text("serenity-abc 1\nsource: x\n\n", "utf-8")
    with pytest.raises(InputError, match="song.abc:3:1: the head lacks group, synthesis, key"):
        read_head(tmp_path / "song.abc")


def test_a_song_without_events_comes_back():
    assert_same(from_text(to_text(EMPTY)), EMPTY)
    assert EMPTY.events.dtype == EVENT


@pytest.mark.parametrize("settings", [
    CodecSettings("cello", "none", 0.001, None), CodecSettings("violin", "centre", 1 / 48, 2.0)])
def test_the_settings_come_back(settings):
    assert from_text(to_text(replace(EMPTY, settings=settings))).settings == settings


@pytest.mark.parametrize(("was", "becomes", "place", "said"), [
    ("serenity-abc 1", "X:1", "1:1", "got 'X:1', wanted 'serenity-abc 1'"),
    ("serenity-abc 1", "serenity-abc 2", "1:1", "wanted 'serenity-abc 1'"),
    (TEXT, "", "1:1", "got '', wanted 'serenity-abc 1'"),
    ("key: f# major\n", "", "11:1", "the head lacks key"),
    ("key: f# major\n", "key: c\nkey: d\n", "6:1", "got 'key: d', wanted one of"),
    ("folded: 0", "folding: 0", "7:1", "got 'folding: 0', wanted one of"),
    ("folded: 0", "folded: none", "7:9", "folded 'none' cannot be read"),
    ("folded: 0", "folded:   none", "7:11", "folded 'none' cannot be read"),
    ("time_step: 0.02", "time_step: 0", "12:1", "time step 0.0 s is out of range"),
    ("category: piano", "category: banjo", "12:1", "category 'banjo' is unknown"),
    ("1.5\n\n", "1.5\n", "12:1", "then an empty line"),
    ("c4 0 1 127", "c4 0 1", "16:7", "got 3 words, wanted 4"),
    ("c4 0 1 127", "c4 0 1 127 5", "16:12", "got 5 words, wanted 4"),
    ("c4 0 1 127", "c4e#4 0 1 127", "16:3", "'e#4' is no note"),
    ("c4 0 1 127", "  C4 0 1 127", "16:3", "'C4' is no note"),
    ("c4 0 1 127", "c4e4c4 0 1 127", "16:5", "'c4' stands twice"),
    ("c4 0 1 127", "c4 nan 1 127", "16:4", "step 'nan', wanted a number from 0 to 86400"),
    ("c4 0 1 127", "c4 -1 1 127", "16:4", "step '-1'"),
    ("c4 0 1 127", "c4 0 0 127", "16:6", "duration '0', wanted a number"),
    ("c4 0 1 127", "c4 0 inf 127", "16:6", "duration 'inf'"),
    ("c4 0 1 127", "c4 0 1e 127", "16:6", "duration '1e'"),
    ("c4 0 1 127", "c4 0 1 128", "16:8", "velocity '128', wanted a whole number from 1 to 127"),
    ("c4 0 1 127", "c4 0 1 0", "16:8", "velocity '0'"),
    ("c4 0 1 127", "c4 0 1 80.5", "16:8", "velocity '80.5', wanted a whole number"),
    ("c4 0 1 127", "c4 0 1 8_0", "16:8", "velocity '8_0'"),
    ("c4 0 1 127", "c4 0 1 ٨٠", "16:8", "velocity '٨٠'"),
])
def test_what_cannot_be_read_is_named_with_line_and_column(was, becomes, place, said):
    assert was in TEXT
    with pytest.raises(InputError) as error:
        from_text(TEXT.replace(was, becomes), "x.abc")
    assert str(error.value).startswith(f"x.abc:{place}: ")
    assert said in str(error.value)


def test_a_file_comes_back_and_leaves_nothing_beside_it(tmp_path):
    _, song = abc_songs(1)[0]
    write(tmp_path / "song.abc", song)
    assert_same(read(tmp_path / "song.abc"), song)
    assert [path.name for path in tmp_path.iterdir()] == ["song.abc"]


def test_a_mark_before_the_text_is_no_part_of_it(tmp_path):
    (tmp_path / "song.abc").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert_same(read(tmp_path / "song.abc"), from_text(TEXT))


def test_a_name_that_is_no_text_can_be_written(tmp_path):
    write(tmp_path / "song.abc", replace(EMPTY, source="caf\udce9.mid"))
    assert read(tmp_path / "song.abc").source == "caf?.mid"


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "song.abc").write_bytes(TEXT.encode() + b"\xff")
    with pytest.raises(InputError, match=f"song.abc: byte {len(TEXT.encode())} is no UTF-8 text"):
        read(tmp_path / "song.abc")


@over_real_files
def test_a_real_song_comes_back_from_its_text(path):
    encoded = encode(notes_of(path), CodecSettings())
    song = AbcSong(path.name, path.stem, str(encoded.key), encoded.transposition, encoded.folded, CodecSettings(),
                   encoded.events)
    assert_same(from_text(to_text(song)), song)
