import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.music import chunks
from serenity.music.chunks import Chunks
from serenity.music.layout import (
    FEWEST,
    LAYOUTS,
    append,
    continuation_track,
    lay_out,
    match_velocities,
    one_voice,
    trim,
)
from serenity.music.midi_file import CONTROL, Track, sustain
from serenity.music.note import end_time, note_table
from serenity.music.tempo_map import TempoMap, tempos

LEFT = Track("Left", 4, False, note_table([0, 1], [0.5, 0.5], [40, 41], [50, 60]), np.array([(0.2, 3.0)]),
             np.array([(0.5, 7, 80), (0.8, 7, 20), (0.5, 11, 0)], CONTROL))
RIGHT = Track("Right", 0, False, note_table([0, 1], [0.5, 0.5], [70, 71], [80, 90]))
NEW = continuation_track([LEFT, RIGHT], note_table([2, 3], [1, 1], [72, 73], [70, 70]))


def moves(*rows):
    return np.array(list(rows), CONTROL)


def test_the_continuation_sounds_as_the_first_track_does_at_the_join():
    """At 1 s, with its expression too; what is set behind the join, or never, is not taken."""
    assert (NEW.name, NEW.program) == ("continuation", 4)
    assert NEW.controls.tolist() == [(0, 7, 20), (0, 11, 0)]


@pytest.mark.parametrize("number, rows, value", [
    (7, [(0.0, 0), (0.0, 100)], 100),   # a reset, and the volume: the last of one time holds
    (7, [(0.0, 100), (0.0, 0)], 0),     # nobody heard the seed either
    (7, [(0.0, 90), (0.9, 60)], 60), (10, [(0.0, 90), (0.9, 3)], 3), (91, [(0.0, 70), (1.5, 0)], 70),
    (7, [(0.0, 90), (0.6, 20), (0.9, 5)], 90), (11, [(0.0, 90), (0.9, 5)], 90),  # it has faded out
])
def test_controllers_stand_as_at_the_join(number, rows, value):
    notes = note_table([0, 0.25, 0.5, 1], [0.5] * 4, [60, 61, 62, 63], [64] * 4)
    seed = Track("", 0, False, notes, controls=moves(*((time, number, each) for time, each in rows)))
    assert continuation_track([seed], NEW.notes).controls.tolist() == [(0, number, value)]


# --- into the seed's file ---------------------------------------------------------------------------------------------

END = b"\0\xff\x2f\0"
HALF = TempoMap(tempos((0.0, 500_000), (4.0, 1_000_000)), ticks_per_quarter=96)  # half as fast from 2 s on


def appended(*bodies, track=NEW, file_map=TempoMap(ticks_per_quarter=96), clock=None, texts=(), **more):
    """Return the messages that stand in the new track, as (tick, message)."""
    seed = Chunks(file_map.ticks_per_quarter, bodies, **more)
    song = append(seed, track, file_map, clock or file_map, texts)
    assert song.tracks[:-1] == bodies and song.division == seed.division
    return [(message.tick, message.written) for message in chunks.messages(song.tracks[-1])]


def test_the_new_track_is_set_up_where_it_begins_on_a_channel_of_its_own():
    rows = appended(b"\0\x90\x3c\x40\0\x80\x3c\0" + END, texts=["a recipe"])
    assert rows == [
        (0, b"\xff\3\x0ccontinuation"), (0, b"\xff\1\x08a recipe"),
        (384, b"\xc1\4"), (384, b"\xb1\7\x14"), (384, b"\xb1\x0b\0"),
        (384, b"\x91\x48\x46"), (576, b"\x81\x48\0"), (576, b"\x91\x49\x46"), (768, b"\x81\x49\0"), (768, END[1:])]


def test_the_new_track_has_the_bank_of_the_seeds_program():
    seed = Track("", 5, False, LEFT.notes, bank=((0, 8), (32, 1)))
    rows = appended(b"\0\x90\x3c\x40\0\x80\x3c\0" + END, track=continuation_track([seed], NEW.notes))
    assert [message for tick, message in rows if tick == 384][:3] == [b"\xb1\0\x08", b"\xb1\x20\1", b"\xc1\5"]


@pytest.mark.parametrize(("left", "ended"), [
    (b"\0\xb0\x40\x7f\0\x90\x3c\x40\x60\x80\x3c\0", [b"\xb0\x40\0"]),   # the pedal
    (b"\0\x92\x3c\x40\0\xb2\x42\x7f\x60\x92\x3c\0", [b"\xb2\x42\0"]),   # sostenuto
    (b"\0\x90\x3c\x40", [b"\x80\x3c\x40"]),                             # a note
    (b"\0\xb0\x40\x7f\0\x90\x3c\x40\x60\x80\x3c\0\0\xb0\x40\0", []),  # all is ended
    (b"\0\xb5\x40\x7f\0\x90\x3c\x40\x60\x80\x3c\0", []),               # the pedal of a channel without notes
])
def test_what_the_seed_leaves_sounding_ends_where_the_continuation_begins(left, ended):
    rows = appended(left + END)
    assert rows[1:1 + len(ended)] == [(384, message) for message in ended]
    assert rows[1 + len(ended)][1][0] & 0xF0 == 0xC0  # of its own channel


def test_a_channel_that_others_left_silent_and_bent_is_set_as_at_first():
    """Some programs set up all sixteen channels, and mute those without notes."""
    rest = b"".join(bytes([0, 0xB0 | channel, 7, 0, 0, 0xE0 | channel, 0, 0, 0, 0xB0 | channel, 64, 127])
                    for channel in range(1, 16))
    rows = appended(rest + b"\0\x90\x3c\x40\0\x80\x3c\0" + END)
    assert [message for tick, message in rows if tick == 384][:-1] == [
        b"\xb1\x79\0", b"\xb1\0\0", b"\xb1\x20\0", b"\xb1\7\x64", b"\xb1\x0a\x40", b"\xb1\x5b\x28", b"\xb1\x5d\0",
        b"\xc1\4", b"\xb1\7\x14", b"\xb1\x0b\0"]  # then as the seed stands


def test_where_sixteen_are_taken_it_has_a_port_of_its_own():
    rows = appended(b"".join(b"\0" + bytes([0x90 | channel, 60, 64]) for channel in range(16)) + END)
    assert (0, b"\xff\x21\1\1") in rows and (384, b"\xc0\4") in rows


def tempo_rows(rows):
    return [(tick, int.from_bytes(message[3:])) for tick, message in rows if message.startswith(b"\xff\x51")]


def test_no_tempo_is_stated_where_the_seeds_goes_on():
    assert tempo_rows(appended(END)) == tempo_rows(appended(END, file_map=HALF)) == []


def test_another_tempo_is_stated_at_the_join_and_again_wherever_the_seed_states_its_own():
    file_map = TempoMap(tempos((0.0, 500_000), (4.0, 1_000_000), (8.0, 1_200_000)), ticks_per_quarter=96)
    rows = appended(END, file_map=file_map, clock=file_map.steady_from(3.0, 500_000))
    assert tempo_rows(rows) == [(384, 500_000), (768, 500_000)]
    assert rows[-1][0] == 768  # as if the seed had not slowed down


def test_a_sequence_follows_those_of_the_seed_in_its_own_tempo():
    long = b"\x83\x60\xff\1\0" + END  # 480 ticks
    rows = appended(long, END, clock=HALF, is_sequences=True)
    assert tempo_rows(rows) == [(0, 1_000_000)] and (0, b"\xc0\4") in rows


@pytest.mark.parametrize("layout, names", [
    ("separate", ["Left", "Right", "continuation"]), ("two", ["seed", "continuation"]), ("joined", ["seed"]),
    ("alone", ["continuation"]),
])
def test_the_tracks_of_each_layout(layout, names):
    tracks = lay_out([LEFT, RIGHT], NEW, layout)
    assert [track.name for track in tracks] == names
    assert sum(len(track.notes) for track in tracks) == (2 if layout == "alone" else 6)
    assert set(LAYOUTS) == {"separate", "two", "joined", "alone"}


def test_the_seed_in_one_track_lasts_as_its_pedals_made_it():
    seed, _ = lay_out([LEFT, RIGHT], NEW, "two")
    assert not len(seed.pedals)
    np.testing.assert_allclose(seed.notes["duration"], [3.0, 0.5, 2.0, 0.5])


def test_a_seed_of_one_track_keeps_its_pedal():
    assert lay_out([LEFT], NEW, "two")[0] is LEFT


def test_joined_the_pedal_comes_up_before_the_continuation_and_the_seed_sounds_as_before():
    [track] = lay_out([LEFT], NEW, "joined")
    np.testing.assert_array_equal(track.pedals, [(0.2, 2.0)])
    heard = sustain(track.notes, track.pedals)
    np.testing.assert_allclose((heard["onset"] + heard["duration"])[:2], [3, 3])
    np.testing.assert_array_equal(heard[2:], NEW.notes)


def test_trimming_ends_what_sounds():
    track = trim(Track("", 0, False, note_table([0, 1, 2], [5, 0.5, 1], [60, 61, 62], [9, 9, 9]), np.array([(0.5, 4)]),
                       np.array([(2.5, 11, 3)], CONTROL)), 2.0)
    assert track.notes["duration"].tolist() == [2, 0.5] and end_time(track.notes) == 2
    assert track.pedals.tolist() == [[0.5, 2]] and not len(track.controls)


velocities = st.lists(st.integers(1, 127), min_size=FEWEST, max_size=40)


def table(velocity):
    return note_table(np.arange(len(velocity)), np.ones(len(velocity)), [60] * len(velocity), velocity)


@given(velocities, velocities)
def test_matched_velocities_stay_in_order_and_in_the_references_range(given_velocities, reference):
    notes = table(given_velocities)
    before = notes.copy()
    matched = match_velocities(notes, table(reference))
    np.testing.assert_array_equal(notes, before)
    assert min(reference) <= matched["velocity"].min() and matched["velocity"].max() <= max(reference)
    order = np.argsort(given_velocities, kind="stable")
    assert (np.diff(matched["velocity"][order].astype(int)) >= 0).all()


def test_what_matches_already_stays():
    notes = table(range(10, 100))
    assert np.abs(match_velocities(notes, notes)["velocity"] - notes["velocity"]).max() <= 1


def test_matched_velocities_have_the_references_spread():
    matched = match_velocities(table(range(60, 100)), table([20, 30] * 50))["velocity"]
    assert (matched == 20).sum() == pytest.approx(20, abs=2) and (matched == 30).sum() == pytest.approx(20, abs=2)


def test_too_few_notes_are_no_reference():
    assert not len(match_velocities(table([]), table([5] * FEWEST)))
    assert match_velocities(table([7, 9]), table([5] * (FEWEST - 1)))["velocity"].tolist() == [7, 9]


def test_one_voice_ends_where_the_next_note_begins():
    notes = note_table([0, 0, 1, 3], [2, 2, 1, 5], [60, 64, 62, 65], [80] * 4)
    before = notes.copy()
    assert one_voice(notes).tolist() == [(0, 1, 64, 80), (1, 1, 62, 80), (3, 5, 65, 80)]
    assert one_voice(notes[:0]).tolist() == [] and np.array_equal(notes, before)
