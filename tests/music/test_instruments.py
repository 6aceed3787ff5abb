from dataclasses import replace

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.music.instruments import choose, instrument_in
from serenity.music.midi_file import Score, Track
from serenity.music.note import note_table
from serenity.music.tempo_map import TempoMap


def track(name: str = "", program: int = 0, *, notes=1, pitch=60, is_drum=False, pedals=()) -> Track:
    table = note_table(range(notes), [0.5] * notes, [pitch] * notes, [80] * notes)
    return Track(name, program, is_drum, table, np.array(pedals, float).reshape(-1, 2))


def score(*tracks: Track) -> Score:
    return Score(tracks, TempoMap())


@pytest.mark.parametrize(("name", "expected"), [
    ("PIANO", "piano"), ("Piano RH", "piano"), ("E.Piano 2", "piano"), ("AcousticGrandPiano", "piano"),
    ("Pno.", "piano"), ("Flügel", "piano"),
    ("klavír", "piano"), ("Пианино", "piano"), ("ピアノ1", "piano"), ("피아노", "piano"),
    ("Violino I", "violin"), ("Geige", "violin"), ("vln_1", "violin"), ("скрипка", "violin"),
    ("Bratsche", "viola"), ("Viole", "viola"), ("Violas", "viola"),
    ("Violoncello", "cello"), ("Vc.", "cello"), ("大提琴", "cello"),
    ("Drums", "drums"), ("Percussion (kit)", "drums"), ("Synth Drum", "drums"),
    ("Harp", "other"), ("Kontrabass", "other"), ("Banjo 2", "other"),
])
def test_a_name_says_its_instrument(name, expected):
    assert instrument_in(name) == expected


def test_a_guitar_is_no_viola_by_its_portuguese_name():
    assert instrument_in("Violão") == instrument_in("Guitar 2") != "viola"


@pytest.mark.parametrize("name", ["", "MELODY", "BRIDGE", "Bass", "Voice 1", "Track 3", "Organic", "Violin & Piano"])
def test_a_name_that_is_not_clear_says_nothing(name):
    assert instrument_in(name) is None


def test_a_harpsichord_is_a_piano_and_no_harp():
    assert instrument_in("Harpsichord") == "piano"


def test_all_three_tracks_of_pop909_are_chosen():
    choice = choose(score(track("MELODY"), track("BRIDGE"), track("PIANO")))
    assert choice.names == ("MELODY", "BRIDGE", "PIANO")
    assert choice.reason == "piano by name and program"
    assert choice.dropped == 0


def test_a_name_decides_over_the_program():
    choice = choose(score(track("Violin", 0), track("Piano", 40)))
    assert choice.names == ("Piano",)
    assert choice.reason == "piano by name, 1 of 2 pitched tracks"


def test_the_program_decides_where_the_name_says_nothing():
    assert choose(score(track("a", 0), track("b", 33), track("c", 7))).names == ("a", "c")


def test_a_name_that_tracks_of_several_programs_share_is_a_title():
    choice = choose(score(track("Piano Man", 0, notes=3), track("Piano Man", 33)))
    assert len(choice.notes) == 3


def test_a_name_that_tracks_of_one_program_share_counts():
    assert choose(score(track("Piano", 40), track("Piano", 40), track("", 0, notes=5))).dropped == 0


def test_drums_are_left_out_by_channel_name_and_program():
    drums = track("", 0, is_drum=True), track("Schlagzeug", 0), track("", 118)
    choice = choose(score(track("x", 0), *drums))
    assert choice.names == ("x",) and choice.dropped == 3


def test_a_program_without_pitch_is_left_out_where_everything_else_is_taken():
    assert choose(score(track("", 56), track("", 118))).names == ("",)


def test_a_file_with_drums_only_is_an_input_error():
    with pytest.raises(InputError, match="holds only drums; wanted a track with pitches"):
        choose(score(track("kit", 0, is_drum=True)))


def test_a_file_without_notes_is_an_input_error():
    with pytest.raises(InputError, match="holds no note; wanted a track with notes"):
        choose(score(track("piano", notes=0)))


def test_without_a_piano_the_instruments_like_it_stand_in():
    choice = choose(score(track("Organ", 19, notes=5), track("Trumpet", 56, notes=5)))
    assert choice.names == ("Organ",)
    assert choice.reason == "no piano: took the instruments like it, 1 of 2 pitched tracks"


def test_a_few_notes_of_an_instrument_like_it_do_not_stand_in():
    choice = choose(score(track("Celesta", 8, notes=1), track("Trumpet", 56, notes=9), track("", 33, notes=9)))
    assert choice.names == ("Celesta", "Trumpet", "")
    assert choice.reason == "no piano: took everything but drums"


@pytest.mark.parametrize(("category", "program"), [("violin", 40), ("viola", 41), ("cello", 42)])
def test_strings_are_chosen_by_their_program(category, program):
    assert choose(score(track("p", 0), track("s", program)), category).names == ("s",)


def test_without_a_cello_the_track_nearest_to_its_range_stands_in():
    choice = choose(score(track("RH", 0, pitch=76), track("LH", 0, pitch=50)), "cello")
    assert choice.names == ("LH",)
    assert choice.reason == "no cello: took the track nearest to its range, 1 of 2 pitched tracks"


def test_notes_of_all_tracks_chosen_are_merged_in_order():
    choice = choose(score(track("a", pitch=72, notes=2), track("b", pitch=48, notes=2)))
    assert choice.notes["pitch"].tolist() == [48, 72, 48, 72]


def test_each_track_is_sustained_by_its_own_pedal():
    choice = choose(score(track("a", pitch=72, pedals=[[0, 3]]), track("b", pitch=48)))
    assert choice.notes["duration"].tolist() == [0.5, 3.0]


# --- organs, drums, staves --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["Grand Orgue", "Clavier de Grand Orgue", "Organ (keyboard)", "Grand Choir", "Órgano"])
def test_an_organ_is_no_piano(name):
    assert instrument_in(name) == "other"


@pytest.mark.parametrize("name", ["Grand", "Clavier", "Grand Piano", "Keys", "Piano Pad", "Synth Keys", "Piano+Organ"])
def test_a_word_that_a_piano_shares_is_a_piano_by_itself(name):
    assert instrument_in(name) == "piano"


def test_a_piano_on_the_drum_channel_is_said_to_be_there():
    with pytest.raises(InputError, match="holds only drums: 'Piano' stands on channel 10, where every note is a drum"):
        choose(score(track("Piano", is_drum=True)))
    choice = choose(score(track("Piano", is_drum=True), track("", 0)))
    assert choice.reason.endswith("; 'Piano' stands on channel 10, where every note is a drum")


def on_channel(channel, *arguments):
    return replace(track(*arguments), channel=channel)


def test_what_the_name_of_one_staff_says_goes_for_the_others_on_its_channel():
    right, left, other = on_channel(3, "Piano", 88), on_channel(3, "Left", 88), on_channel(4, "Left", 88)
    assert choose(score(right, left, other)).tracks == (right, left)


def test_tracks_are_taken_by_number_or_name():
    song = score(track("Piano"), track("Organ 1", 19), track("Organ 2", 19), track("2", 40))
    assert choose(song, wanted=["2", "4"]).names == ("Organ 1", "2")
    assert choose(song, wanted=["organ"]).names == ("Organ 1", "Organ 2")
    assert choose(song, wanted=["ORGAN 2", "piano"]).names == ("Piano", "Organ 2")
    assert [number for number, _ in choose(song, wanted=["2"]).left_out] == [1, 3, 4]
    with pytest.raises(InputError, match=r"has no track 'Harp'; wanted 1 Piano \(program 1, 1 notes\), 2 Organ 1 \("):
        choose(song, wanted=["Harp"])
    with pytest.raises(InputError, match="has no track ''; wanted"):
        choose(song, wanted=[""])
