"""Files that each do one thing that real files do; tests/data/odd/README.md says what, and what is right."""

import re
from pathlib import Path

import numpy as np
import pytest

import config
from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.music import midi_file
from serenity.music.song import of_score
from serenity.tokens import seed as seeds

FOLDER = Path(__file__).parent / "data" / "odd"


def read(name):
    return midi_file.read(FOLDER / f"{name}.mid")


def counts(score):
    """Return name and number of notes of each track."""
    return [(track.name, len(track.notes)) for track in score.tracks]


def report(name, **options):
    settings, vocabulary = checkpoint.read_settings(config.MODEL)
    return seeds.report(seeds.read(read(name), "piano", settings.codec, vocabulary, **options))


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


def test_an_organ_of_two_staves_is_taken_with_both():
    assert report("musescore_organ_two_staves")[0] == (
        "no piano: took the instruments like it (Organ, Pedal); 56 notes, 0 left out")


def test_most_of_a_song_that_is_left_out_is_said_and_how_to_take_it():
    lines = report("clav_few_notes")
    assert lines[0] == "piano by program, 1 of 3 pitched tracks (Clav); 2 notes, 112 left out"
    assert lines[1] == ("most of the song, 98% of its notes, is left out: 2 Organ 0 (program 17, 56 notes), "
                        "3 Organ 1 (program 17, 56 notes); --tracks 2,3 takes them instead")
    assert report("clav_few_notes", tracks=["organ"])[0] == (
        "the tracks that you name (Organ 0, Organ 1); 112 notes, 2 left out")


def test_a_japanese_piano_is_taken_without_the_bass():
    lines = report("sjis_names")
    assert lines[0].startswith("piano by name, 1 of 2 pitched tracks (ピアノ右手); 28 notes, 28 left out")
    assert lines[1].startswith("left out: 2 ベース (program 34, 28 notes); --tracks 2 takes them instead")


def test_a_piano_on_the_drum_channel_is_said_to_be_there():
    with pytest.raises(InputError, match="holds only drums: 'Piano' stands on channel 10, where every note is a drum"):
        report("piano_on_channel10")


def test_a_key_is_named_as_musicians_do():
    assert report("rmi_plain")[1].startswith("G major (confidence")


def test_a_tempo_that_moves_is_told_by_its_range():
    assert re.search(r"98 BPM \(\d\d to 1\d\d\), 4/4", report("rubato")[2])
