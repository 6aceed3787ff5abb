"""Files that each do one thing that real files do; tests/data/odd/README.md says what, and what is right."""

from pathlib import Path

import numpy as np
import pytest

from serenity.music import midi_file
from serenity.music.song import of_score

FOLDER = Path(__file__).parent / "data" / "odd"


def read(name):
    return midi_file.read(FOLDER / f"{name}.mid")


def counts(score):
    """Return name and number of notes of each track."""
    return [(track.name, len(track.notes)) for track in score.tracks]


def quarters_a_minute(score):
    """Return the tempo of the music in its middle."""
    song = of_score(score)
    tempo_map = song.tempo_map
    return 60e6 / tempo_map.tempo(float(tempo_map.quarters(np.median(song.notes["onset"]))))


def test_the_folder_holds_what_is_tested_here_or_where_songs_are_written():
    assert len(list(FOLDER.glob("*.mid"))) == 18


def test_a_controller_that_is_reset_and_then_set_at_one_tick_stands_as_it_was_set():
    (track,) = read("cc7_reset_then_set").tracks
    assert track.controls["value"].tolist()[-1] == 100


def test_a_pedal_holds_the_notes_of_all_staves_on_its_channel():
    right, left = read("musescore_pedal_lh_track").tracks
    assert len(right.pedals) == 4 and (right.pedals == left.pedals).all()
    struck, held = (track.notes["duration"].sum() for track in
                    (right, midi_file.Track("", 0, False, midi_file.sustain(right.notes, right.pedals))))
    assert held > 1.2 * struck


def test_a_program_is_that_of_all_staves_on_its_channel():
    assert [track.program for track in read("musescore_organ_two_staves").tracks] == [19, 19]


def test_notes_without_length_are_notes():
    (track,) = read("zero_length_some").tracks
    assert track.notes["pitch"].tolist() == [60, 64, 67] and 0 < track.notes["duration"][0] < 0.002


def test_running_status_goes_on_after_sysex():
    (track,) = read("running_sysex_silent").tracks
    assert track.notes["pitch"].tolist() == [60, 62, 64, 65, 67, 69, 71, 72]


def test_an_impossible_key_signature_and_a_note_without_end_do_no_harm():
    assert counts(read("ks_and_unended")) == [("", 29)]


@pytest.mark.parametrize("name", ["keysig_markers_bends", "karaoke_words", "seqno_len0_at_end", "rmi_plain",
                                  "cc7_reset_then_set"])
def test_what_is_no_note_changes_no_note(name):
    assert [count for _, count in counts(read(name))] == [28]
    assert quarters_a_minute(read(name)) == pytest.approx(100, abs=0.01)


def test_names_in_latin_1_and_shift_jis_are_shown():
    assert counts(read("latin1_names_collide")) == [("Flügel", 28), ("Flögel", 28)]
    assert counts(read("sjis_names")) == [("ピアノ右手", 28), ("ベース", 28)]


def test_programs_of_more_tracks_than_channels_stay_with_their_tracks():
    assert [track.program for track in read("sixteen_tracks").tracks] == list(range(24, 41))


def test_the_beat_follows_a_tempo_that_moves_and_forgets_a_last_slowing():
    assert quarters_a_minute(read("ritard_at_end")) == pytest.approx(100, abs=0.5)
    song = of_score(read("rubato"))
    on_eighths = 2 * song.tempo_map.quarters(song.struck["onset"])
    assert np.mean(abs(on_eighths - np.rint(on_eighths)) < 0.1) > 0.9


def test_swing_is_heard():
    assert of_score(read("swing")).tempo_map.swing == pytest.approx(5 / 6, abs=0.01)
