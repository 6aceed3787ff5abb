from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.abc_file import AbcSong, from_text, read, read_head, to_text, write
from serenity.music.codec import EVENT, encode
from serenity.music.pitch import parse_chord
from serenity.music.tempo_map import TempoMap
from serenity.settings import CodecSettings
from tests.real_midi import over_real_files, song_at
from tests.songs import abc_songs
from tests.strategies import event_tables, tempo_maps

TEXT = """serenity-abc 2
source: 001.mid
group: 001
synthetic: none
key: f# major
transposition: -6
folded: 0
beats: file
start: 0.02
tempos: 0 631579, 16 700000.25
metres: 0 4/4, 4 3/8
swing: 0.5
category: piano
normalise: key
grid: 24
exact_lengths: 24
split_ratio: 1.5

a#5c5g5 1/2 0.75 85+16
% a remark, and an empty line
| this line says nothing
c4 0 1 127  % nor does the end of this one
"""
EMPTY = from_text(TEXT.split("\n\n")[0])


def assert_same_map(one: TempoMap, other: TempoMap):
    assert (one.start, one.swing) == (other.start, other.swing)
    assert one.tempos.tolist() == other.tempos.tolist()
    assert one.signatures.tolist() == other.signatures.tolist()


def assert_same(one: AbcSong, other: AbcSong):
    assert replace(one, events=None, tempo_map=None) == replace(other, events=None, tempo_map=None)
    assert_same_map(one.tempo_map, other.tempo_map)
    assert one.events.dtype == other.events.dtype
    assert np.array_equal(one.events, other.events)


def test_a_file_by_hand():
    song = from_text(TEXT)
    assert (song.source, song.group, song.key, song.transposition, song.folded) == ("001.mid", "001", "f# major", -6, 0)
    assert (song.beats, song.tempo_map.start, song.tempo_map.swing) == ("file", 0.02, 0.5)
    assert song.tempo_map.tempos.tolist() == [(0, 631_579), (16, 700_000.25)]
    assert song.tempo_map.metres.tolist() == [(0, 4, 4), (4, 3, 8)]
    assert song.codec == CodecSettings()
    assert [event.tolist()[1:] for event in song.events] == [(12, 18, 85, 16), (0, 24, 127, 0)]
    assert song.events["pitch"][0].tolist() == [0, sum(1 << pitch - 64 for pitch in parse_chord("a#5c5g5"))]


def test_what_is_written_is_canonical():
    lines = to_text(from_text(TEXT)).splitlines()
    assert lines[:18] == TEXT.splitlines()[:18]
    assert lines[18:] == ["| 1", "a#5g5c5 1/2 3/4 85+16  % 1+1/2", "c4 0 1 127  % 1+1/2"]
    assert to_text(from_text("\n".join(lines))).splitlines() == lines


def test_bars_and_beats_are_shown():
    steps = [0, 24, 12, 60, 12, 24, 1]  # after a bar of 4/4 bars of 3/8, whose beats are eighths
    events = np.array([((1, 0), step, 24, 80, 0) for step in steps], EVENT)
    shown = to_text(replace(EMPTY, events=events)).splitlines()[18:]
    assert [line if line[0] == "|" else line.partition("%")[2] for line in shown] == [
        "| 1", " 1", " 2", " 2+1/2", "| 2", " 1", " 2", "| 3", " 1", " 1+1/12"]


@given(event_tables)
def test_parsing_is_the_inverse_of_writing(events):
    song = replace(EMPTY, events=events)
    assert_same(from_text(to_text(song)), song)


@given(st.integers(0, 10**8), st.integers(1, 10**8), st.integers(4, 480))
def test_times_are_written_exactly(step, duration, grid):
    song = replace(EMPTY, codec=CodecSettings(grid=grid), events=np.array([((1, 0), step, duration, 80, 0)], EVENT))
    assert_same(from_text(to_text(song)), song)


@given(tempo_maps(st.floats(0.01, 0.99)))
def test_the_tempo_map_comes_back(tempo_map):
    assert_same_map(from_text(to_text(replace(EMPTY, tempo_map=tempo_map))).tempo_map, tempo_map)


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_name_stands_on_one_line(source, group):
    song = from_text(to_text(replace(EMPTY, source=source, group=group)))
    assert song.source == " ".join(source.split())
    assert song.group == " ".join(group.split())


def test_a_synthetic_song_says_what_made_it():
    song = replace(EMPTY, synthetic="inversion-1")
    assert "\nsynthetic: inversion-1\n" in to_text(song)
    assert_same(from_text(to_text(song)), song)


def test_the_head_alone_is_read_without_the_events(tmp_path):
    _, song = abc_songs(1)[0]
    write(tmp_path / "song.abc", song)
    assert_same(read_head(tmp_path / "song.abc"), replace(song, events=EMPTY.events))
    (tmp_path / "song.abc").write_text("serenity-abc 2\nsource: x\n\n", "utf-8")
    with pytest.raises(InputError, match="song.abc:3:1: the head lacks group, synthetic, key"):
        read_head(tmp_path / "song.abc")


def test_a_song_without_events_comes_back():
    assert_same(from_text(to_text(EMPTY)), EMPTY)
    assert EMPTY.events.dtype == EVENT


@pytest.mark.parametrize("settings", [
    CodecSettings("cello", "none", 4, None, None), CodecSettings("violin", "centre", 480, 100, 2.0)])
def test_the_settings_come_back(settings):
    assert from_text(to_text(replace(EMPTY, codec=settings))).codec == settings


@pytest.mark.parametrize(("was", "becomes", "place", "said"), [
    ("serenity-abc 2", "X:1", "1:1", "got 'X:1', wanted 'serenity-abc 2'"),
    ("serenity-abc 2", "serenity-abc 3", "1:1", "wanted 'serenity-abc 2'"),
    ("serenity-abc 2", "serenity-abc 1", "1:1", "by an older Serenity, which counted seconds; wanted 'serenity-abc 2'"),
    (TEXT, "", "1:1", "got '', wanted 'serenity-abc 2'"),
    ("key: f# major\n", "", "17:1", "the head lacks key"),
    ("key: f# major\n", "key: c\nkey: d\n", "6:1", "got 'key: d', wanted one of"),
    ("folded: 0", "folding: 0", "7:1", "got 'folding: 0', wanted one of"),
    ("folded: 0", "folded: none", "7:9", "folded 'none' cannot be read"),
    ("folded: 0", "folded:   none", "7:11", "folded 'none' cannot be read"),
    ("start: 0.02", "start: nan", "9:8", "start 'nan' cannot be read"),
    ("start: 0.02", "start: 86400", "9:8", "start '86400' cannot be read"),
    ("0 631579", "0", "10:9", "tempos '0, 16 700000.25' cannot be read"),
    ("0 631579", "0 0", "10:9", "cannot be read"),
    ("0 631579", "0 nan", "10:9", "cannot be read"),
    ("0 631579", "1 631579", "18:1", "tempos begin at 1; wanted 0, and then later ones"),
    ("16 700000.25", "0 700000.25", "18:1", "tempos begin at 0; wanted 0, and then later ones"),
    ("0 4/4, 4 3/8", "", "11:9", "metres '' cannot be read"),
    ("4/4", "4", "11:9", "metres '0 4, 4 3/8' cannot be read"),
    ("4/4", "0/4", "11:9", "cannot be read"),
    ("4/4", "4/3", "11:9", "cannot be read"),
    ("4/4", "4/256", "11:9", "cannot be read"),
    ("0 4/4", "2 4/4", "18:1", "metres begin at 2; wanted 0"),
    ("swing: 0.5", "swing: 1", "12:8", "swing '1' cannot be read"),
    ("grid: 24", "grid: 1", "18:1", "grid 1, wanted a whole number from 4 to 480"),
    ("grid: 24", "grid: 24.5", "15:7", "grid '24.5' cannot be read"),
    ("category: piano", "category: banjo", "18:1", "category 'banjo' is unknown"),
    ("1.5\n\n", "1.5\n", "18:1", "then an empty line"),
    ("c4 0 1 127", "c4 0 1", "22:7", "got 3 words, wanted 4"),
    ("c4 0 1 127", "c4 0 1 127 5", "22:12", "got 5 words, wanted 4"),
    ("c4 0 1 127", "c4e#4 0 1 127", "22:3", "'e#4' is not a note"),
    ("c4 0 1 127", "  C4 0 1 127", "22:3", "'C4' is not a note"),
    ("c4 0 1 127", "c4e4c4 0 1 127", "22:5", "'c4' stands twice"),
    ("c4 0 1 127", "c4 nan 1 127", "22:4", "step 'nan', wanted quarters in whole 24ths, such as 1/2"),
    ("c4 0 1 127", "c4 -1 1 127", "22:4", "step '-1'"),
    ("c4 0 1 127", "c4 1/5 1 127", "22:4", "step '1/5', wanted quarters in whole 24ths"),
    ("c4 0 1 127", "c4 0.3 1 127", "22:4", "step '0.3'"),
    ("c4 0 1 127", "c4 1/0 1 127", "22:4", "step '1/0'"),
    ("c4 0 1 127", "c4 99999999 1 127", "22:4", "step '99999999'"),
    ("c4 0 1 127", "c4 0 0 127", "22:6", "duration '0', wanted quarters in whole 24ths, above 0, such as 1/2"),
    ("c4 0 1 127", "c4 0 inf 127", "22:6", "duration 'inf'"),
    ("c4 0 1 127", "c4 0 1e 127", "22:6", "duration '1e'"),
    ("c4 0 1 127", "c4 0 1 128", "22:8", "velocity '128', wanted a whole number from 1 to 127"),
    ("c4 0 1 127", "c4 0 1 0", "22:8", "velocity '0'"),
    ("c4 0 1 127", "c4 0 1 80.5", "22:8", "velocity '80.5', wanted a whole number"),
    ("c4 0 1 127", "c4 0 1 8_0", "22:8", "velocity '8_0'"),
    ("c4 0 1 127", "c4 0 1 ٨٠", "22:8", "velocity '٨٠'"),
    ("c4 0 1 127", "c4 0 1 80+9", "22:8", "velocity '80+9', wanted a whole number from 1 to 127; an accent of the top "
     "note stands after it, from -32 to +48 in steps of 8: 85+16"),
    ("c4 0 1 127", "c4 0 1 80+56", "22:8", "velocity '80+56'"),
    ("c4 0 1 127", "c4 0 1 80-40", "22:8", "velocity '80-40'"),
    ("c4 0 1 127", "c4 0 1 80+", "22:8", "velocity '80+'"),
    ("c4 0 1 127", "c4 0 1 +8", "22:8", "velocity '+8'"),
    ("c4 0 1 127", "c4 0 1 80+8+8", "22:8", "velocity '80+8+8'"),
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
    with pytest.raises(InputError, match=f"song.abc: byte {len(TEXT.encode())} is not UTF-8 text"):
        read(tmp_path / "song.abc")


@over_real_files
def test_a_real_song_comes_back_from_its_text(path):
    song = song_at(path)
    encoded = encode(song, CodecSettings())
    written = AbcSong(path.name, path.stem, str(encoded.key), encoded.transposition, encoded.folded, song.beats.source,
                      song.tempo_map, CodecSettings(), encoded.events)
    assert_same(from_text(to_text(written)), written)
