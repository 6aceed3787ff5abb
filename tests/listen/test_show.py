from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serenity.listen import audio, page, show
from serenity.music.harmony import Key
from serenity.music.midi_file import Score, Track
from serenity.music.note import note_table
from serenity.music.remarks import COLLAPSE, Remark
from serenity.music.tempo_map import TempoMap, metres, tempos

C_MAJOR = Key(0, "major", 1.0)


def song(seconds, split, tempo=500_000, start=0.0):
    notes = note_table(np.arange(seconds), np.ones(seconds), 60 + np.arange(seconds) % 12, [64] * seconds)
    file_map, music = TempoMap(metres=metres((0, 4, 4))), TempoMap(tempos((0, tempo)), start=start)
    return show.Song("song", Score((Track("Piano", 0, False, notes),), file_map), music, split, C_MAJOR)


def test_a_short_song_is_shown_whole():
    whole = show.around_join(song(60, 20.0), *show.PICTURE)
    assert (whole.split, len(whole.score.tracks[0].notes)) == (20, 60)


def test_a_long_song_is_shown_from_a_bar_before_the_join():
    part = show.around_join(song(1000, 700.0), 15, 60)
    notes = part.score.tracks[0].notes
    assert part.split == pytest.approx(16)  # bars of 2 s: the one at 684 s holds 685 s
    assert len(notes) == 75 and notes["onset"][0] == pytest.approx(1)
    assert part.tempo_map.start == pytest.approx(-684)  # its bars went with it


def test_the_picture_of_three_hours_is_no_larger_than_that_of_20_minutes(tmp_path):
    heights = []
    for seconds in (1200, 10_800):
        show.save_picture(tmp_path / "song.png", song(seconds, seconds / 2))
        heights.append(Image.open(tmp_path / "song.png").height)
    assert heights[1] <= 1.1 * heights[0]


def test_the_bars_of_the_music_are_drawn(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(show.piano_roll, "save", lambda path, notes, split, bars, title: seen.append(bars.tolist()))
    for one in (song(8, 4.0), song(8, 4.0, start=0.5), song(8, 4.0, tempo=100)):  # the last: bars of 0.4 ms
        show.save_picture(tmp_path / "song.png", one)
    assert seen == [[0, 2, 4, 6], [0.5, 2.5, 4.5, 6.5], []]


def test_a_page_holds_the_songs_in_order_with_their_files(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(page, "write", lambda path, title, groups, note: written.append((title, groups, note)))
    (tmp_path / "a.mid").write_bytes(b"midi")
    said = [Remark("density", "as dense", "2"), Remark(COLLAPSE, "thins out from bar 12 on", "at 22 s")]
    rows = [show.Row(song(300, split), tmp_path / "a.mid", said) for split in (200.0, 10.0)]
    show.save_page(tmp_path / "a.html", "title", rows, None, "no sound")
    [(title, [group], note)] = written
    assert (title, note, group.about) == ("title", "no sound", "C major · 120 BPM · 4/4")
    assert [one.split for one in group.songs] == [200, 10]
    assert group.songs[0].sound is None and group.songs[0].downloads == {"a.mid": b"midi"}
    assert (group.songs[0].measures, group.songs[0].warning) == (said[:1], "thins out from bar 12 on")


def test_a_song_is_shown_whole_its_bars_numbered_and_its_chords_named():
    shown = show.page_song(song(400, 200.0, start=1.0))
    assert (len(shown.notes), shown.split, shown.cut) == (400, 200, "")
    assert (shown.bars[0], shown.first_bar) == (1, 1)  # what comes before is an upbeat
    assert shown.chords[0][0] == 0 and shown.chords[0][1]


def test_of_a_very_long_song_the_part_around_the_join_is_shown_and_said():
    shown = show.page_song(song(2000, 1001.0))
    assert shown.split == pytest.approx(301)  # bars of 2 s: the one at 700 s holds 701 s
    assert shown.first_bar + np.searchsorted(shown.bars, shown.split) - 1 == 501  # as in the whole song
    assert shown.cut == "shown and played: 11:40 to 21:41 of 33:20"


@pytest.mark.skipif(audio.missing(audio.find_soundfont()) is not None, reason="there can be no sound here")
def test_sound_is_a_file_beside_the_song(tmp_path):
    path = show.save_sound(Path(tmp_path / "song.mid"), song(2, 1.0), audio.find_soundfont())
    assert path.stem == "song" and path.suffix in (".mp3", ".wav") and path.stat().st_size > 1000
