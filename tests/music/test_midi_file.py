"""MIDI files are built here as bytes; an event is its pause in ticks, then its bytes."""

import io
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music import midi_file
from serenity.music.chunks import messages, split
from serenity.music.midi_file import CONTROL, Track, parse, read, sustain, to_bytes, write
from serenity.music.note import NOTE, note_table
from serenity.music.tempo_map import STRAIGHT, TEMPO, TempoMap, metres, tempos
from tests.real_midi import over_real_files

TICK = 0.5 / 480  # seconds, at 480 ticks a quarter note and MIDI's default tempo

C4_ON = (0, 0x90, 60, 80)
C4_OFF = (480, 0x80, 60, 0)
SLOW = (0, 0xFF, 0x51, 3, 0x0F, 0x42, 0x40)  # 1,000,000 microseconds a quarter note


def varint(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))


def track(*events: tuple, end: bytes = b"\x00\xff\x2f\x00") -> bytes:
    body = b"".join(varint(event[0]) + bytes(event[1:]) for event in events) + end
    return b"MTrk" + struct.pack(">L", len(body)) + body


def midi(*tracks: bytes, kind: int = 1, division: int = 480, promised: int | None = None) -> bytes:
    count = len(tracks) if promised is None else promised
    return b"MThd" + struct.pack(">LHHH", 6, kind, count, division) + b"".join(tracks)


def metre(pause: int, numerator: int, power: int) -> tuple:
    """A time signature; its denominator is 2 ** power."""
    return (pause, 0xFF, 0x58, 4, numerator, power, 24, 8)


def name(text: bytes) -> tuple:
    return (0, 0xFF, 0x03, len(text), *text)


def rows(notes: np.ndarray, unit: float = TICK) -> list[tuple]:
    """Return (onset, end, pitch, velocity) with times in ticks."""
    ends = notes["onset"] + notes["duration"]
    return [
        (round(onset / unit), round(end / unit), pitch, velocity)
        for onset, end, pitch, velocity in zip(notes["onset"], ends, notes["pitch"], notes["velocity"])
    ]


def only_rows(data: bytes) -> list[tuple]:
    (found,) = parse(data).tracks
    return rows(found.notes)


def saved(folder: Path, data: bytes) -> Path:
    path = folder / "song.mid"
    path.write_bytes(data)
    return path


# --- what stands in a file ------------------------------------------------------------------------------------------


def test_the_worked_example_of_the_bytes():
    data = bytes.fromhex(
        "4D546864 00000006 0001 0001 01E0"  # MThd, 6 bytes, type 1, 1 track, 480 ticks a quarter note
        "4D54726B 00000013"                 # MTrk, 19 bytes
        "00 FF 51 03 0F4240"                # tempo: 1,000,000 microseconds a quarter note
        "00 90 3C 50"                       # c4 on, velocity 80
        "8360 3C 00"                        # 480 ticks later, running status: c4 with velocity 0, which is off
        "00 FF 2F 00"                       # end of track
    )
    assert parse(data).tracks[0].notes.tolist() == [(0.0, 1.0, 60, 80)]


def test_tempo_changes_of_all_tracks_are_applied():
    conductor = track((480, *SLOW[1:]))
    score = parse(midi(conductor, track(C4_ON, (960, 0x80, 60, 0))))
    assert score.tracks[0].notes["duration"].tolist() == [0.5 + 1.0]
    assert score.tempo_map.tempos.tolist() == [(0.0, 500_000), (1.0, 1_000_000)]


def test_of_two_tempos_at_one_tick_the_later_holds():
    score = parse(midi(track((0, 0xFF, 0x51, 3, 0, 0, 1), SLOW, C4_ON, C4_OFF)))
    assert score.tempo_map.tempos.tolist() == [(0.0, 1_000_000)]


def test_a_tempo_of_zero_is_left_out():
    score = parse(midi(track((0, 0xFF, 0x51, 3, 0, 0, 0), C4_ON, C4_OFF)))
    assert score.tempo_map.tempos.tolist() == [(0.0, 500_000)]


def test_time_signatures_are_read_and_impossible_ones_left_out():
    six_eight, none, vast = metre(0, 6, 3), metre(0, 0, 2), metre(0, 4, 200)
    score = parse(midi(track(six_eight, C4_ON, (480, *none[1:]), (0, *vast[1:]), (0, 0x80, 60, 0))))
    assert score.tempo_map.metres.tolist() == [(0.0, 6, 8)]


def test_of_two_time_signatures_at_one_tick_the_later_holds():
    score = parse(midi(track(metre(960, 6, 3), metre(0, 3, 2)), SOUND))
    assert score.tempo_map.metres.tolist() == [(2.0, 3, 4)]


def test_a_key_struck_again_ends_its_note_and_note_offs_end_the_oldest():
    data = midi(track(C4_ON, (100, 0x90, 60, 90), (100, 0x80, 60, 0), (100, 0x80, 60, 0)))
    assert rows(parse(data).tracks[0].notes) == [(0, 100, 60, 80), (100, 300, 60, 90)]


def test_notes_of_one_key_struck_at_one_tick_may_end_apart():
    data = midi(track(C4_ON, (0, 0x90, 60, 90), (100, 0x80, 60, 0), (100, 0x80, 60, 0)))
    assert rows(parse(data).tracks[0].notes) == [(0, 100, 60, 80), (0, 200, 60, 90)]


def test_a_note_without_length_lasts_a_tick():
    data = midi(track((0, 0x90, 62, 80), (0, 0x80, 62, 0), C4_ON, C4_OFF))
    assert rows(parse(data).tracks[0].notes) == [(0, 480, 60, 80), (0, 1, 62, 80)]


def test_a_note_off_without_a_note_says_nothing():
    data = midi(track((0, 0x80, 60, 0), C4_ON, C4_OFF, C4_OFF))
    assert rows(parse(data).tracks[0].notes) == [(0, 480, 60, 80)]


def test_channels_and_programs_become_tracks_and_channel_10_drums():
    def note(channel: int) -> tuple:
        return (0, 0x90 | channel, 60, 80), (10, 0x80 | channel, 60, 0)

    found = parse(midi(track(*note(9), *note(1), *note(0), (0, 0xC0, 40), *note(0)))).tracks
    assert [(part.program, part.is_drum) for part in found] == [(0, False), (40, False), (0, False), (0, True)]


def test_a_program_change_does_not_end_a_note():
    found = parse(midi(track(C4_ON, (10, 0xC0, 5), (10, 0x80, 60, 0)))).tracks
    assert [(part.program, rows(part.notes)) for part in found] == [(0, [(0, 20, 60, 80)])]


def test_a_pedal_is_down_from_64_up():
    pedal = [(10, 0xB0, 64, value) for value in (63, 64, 127, 63)]
    (found,) = parse(midi(track(C4_ON, *pedal, C4_OFF))).tracks
    assert np.allclose(found.pedals / TICK, [[20, 40]])


def test_a_pedal_before_the_program_counts_for_its_notes():
    (found,) = parse(midi(track((0, 0xB0, 64, 127), (0, 0xC0, 3), C4_ON, C4_OFF, (20, 0xB0, 64, 0)))).tracks
    assert np.allclose(found.pedals / TICK, [[0, 500]])


def test_a_pedal_that_is_never_released_comes_up_with_the_last_note():
    (found,) = parse(midi(track(C4_ON, (0, 0xB0, 64, 127), C4_OFF, (900, 0xB0, 1, 0)))).tracks
    assert np.allclose(found.pedals / TICK, [[0, 480]])


def test_a_pedal_pressed_after_the_last_note_is_none():
    (found,) = parse(midi(track(C4_ON, C4_OFF, (9, 0xB0, 64, 127)))).tracks
    assert found.pedals.shape == (0, 2)


def test_controllers_are_read_as_curves_until_the_last_note_ends_and_what_is_no_curve_is_left_out():
    bank, volume, expression, parameter, all_off = (
        (0, 0xB0, number, 100) for number in (0, 7, midi_file.EXPRESSION, 100, 123))
    later = (480, 0xB0, midi_file.EXPRESSION, 20)
    (found,) = parse(midi(track(bank, volume, parameter, C4_ON, expression, later, (0, 0x80, 60, 0), all_off, later))
                      ).tracks
    assert found.controls.tolist() == [(0.0, 7, 100), (0.0, 11, 100), (0.5, 11, 20)]


@pytest.mark.parametrize("stored", ["Klavier", "Flügel", "ピアノ"])
def test_names_in_utf8_are_read(stored):
    assert parse(midi(track(name(stored.encode()), C4_ON, C4_OFF))).tracks[0].name == stored


@pytest.mark.parametrize(("encoding", "stored"), [
    ("latin-1", "Flügel"), ("latin-1", "Übung für Flöte"), ("latin-1", "Clavecin à pédale, fête"),
    ("latin-1", "Marche légère"), ("cp1252", "Don’t – Ž"), ("cp1252", "L’aube légère"),
    ("shift_jis", "ピアノ右手"), ("shift_jis", "第1ピアノ"), ("shift_jis", "ベース"),
    ("shift_jis", "組曲"), ("cp1251", "Рояль"),
    ("latin-1", "\x81\x8d"),
])
def test_names_in_old_encodings_are_read(encoding, stored):
    assert parse(midi(track(name(stored.encode(encoding)), C4_ON, C4_OFF))).tracks[0].name == stored


def test_texts_before_the_first_note_are_read():
    data = midi(track((0, 0xFF, 1, 2, *b"hi"), name(b"x"), (0, 0xFF, 1, 1, *b"!")), track(C4_ON, C4_OFF))
    assert parse(data).texts == ("hi", "!")


# --- channels -------------------------------------------------------------------------------------------------------

ORGAN = (0, 0xC0, 19)


def programs(*tracks: bytes, **options) -> list[int]:
    return [part.program for part in parse(midi(*tracks, **options)).tracks]


def test_a_program_belongs_to_its_channel_whichever_track_it_stands_in():
    assert programs(track(ORGAN), SOUND) == programs(SOUND, track(ORGAN)) == [19]
    assert programs(track(ORGAN, C4_ON, C4_OFF), SOUND) == [19, 19]
    assert programs(track(ORGAN), track((0, 0x91, 60, 80), (480, 0x81, 60, 0))) == [0]


def test_a_program_holds_from_its_time_on_in_all_tracks():
    (first, second) = parse(midi(track((100, *ORGAN[1:])), track(C4_ON, C4_OFF, C4_ON, C4_OFF))).tracks
    assert (first.program, rows(first.notes)) == (0, [(0, 480, 60, 80)])
    assert (second.program, rows(second.notes)) == (19, [(480, 960, 60, 80)])


def test_of_programs_at_one_tick_that_of_the_notes_own_track_holds():
    assert programs(track(ORGAN, C4_ON, C4_OFF), track((0, 0xC0, 40), C4_ON, C4_OFF)) == [19, 40]


def test_tracks_on_other_ports_and_sequences_of_type_2_have_channels_of_their_own():
    port = (0, 0xFF, 0x21, 1, 1)
    assert programs(track(ORGAN), track(port, C4_ON, C4_OFF)) == [0]
    assert programs(track(port, ORGAN), track(port, C4_ON, C4_OFF)) == [19]
    assert programs(track(ORGAN), SOUND, kind=2) == [0]


def test_a_pedal_and_a_curve_belong_to_their_channel_whichever_track_they_stand_in():
    down, up, volume = (0, 0xB0, 64, 127), (960, 0xB0, 64, 0), (0, 0xB0, 7, 80)
    for tracks in ((track(down, volume, up), SOUND), (SOUND, track(down, volume, C4_ON, C4_OFF, (480, *up[1:])))):
        for part in parse(midi(*tracks)).tracks:
            assert np.allclose(part.pedals / TICK, [[0, 960]])
            assert part.controls.tolist() == [(0.0, 7, 80)]


PAUSE, PITCH, ANY = st.integers(0, 300), st.integers(60, 62), st.sampled_from
EVENT = st.one_of(
    st.tuples(PAUSE, ANY([0x90, 0x91, 0x99]), PITCH, ANY([0, 1, 90])),
    st.tuples(PAUSE, ANY([0x80, 0x81, 0x89]), PITCH, st.just(0)),
    st.tuples(PAUSE, ANY([0xB0, 0xB1]), ANY([0, 7, 11, 64, 98, 123]), ANY([0, 63, 64, 127])),
    st.tuples(PAUSE, st.just(0xC0), ANY([0, 1, 40])),
    st.tuples(PAUSE, *map(st.just, SLOW[1:5]), st.integers(0, 255), st.just(0)),
)


def messages_by_mido(data: bytes) -> list[list[tuple]]:
    """Return (tick, bytes) of each channel message of each track, as mido reads them."""
    tracks = mido.MidiFile(file=io.BytesIO(data), clip=True).tracks
    ticks = [np.cumsum([message.time for message in track]).tolist() for track in tracks]
    return [[(tick, tuple(message.bytes())) for tick, message in zip(times, track)
             if not message.is_meta and message.type != "sysex"] for times, track in zip(ticks, tracks)]


def messages_here(data: bytes) -> list[list[tuple]]:
    """Return the same as they are read here."""
    return [[(message.tick, (message.status, *message.content)) for message in messages(body) if message.status < 0xF0]
            for body in split(data).tracks]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(EVENT, max_size=12), min_size=1, max_size=3))
def test_events_are_those_that_mido_reads(tracks):
    data = midi(*(track(*some) for some in tracks))
    assert messages_here(data) == messages_by_mido(data)


@over_real_files
def test_events_of_real_files_are_those_that_mido_reads(path):
    assert messages_here(path.read_bytes()) == messages_by_mido(path.read_bytes())


@over_real_files
def test_every_note_of_a_real_file_is_read_also_what_symusic_leaves_out(path):
    ours = [note for track in read(path).tracks for note in track.notes.tolist()]
    assert len(ours) == sum(message[0] & 0xF0 == 0x90 and message[2] > 0
                            for track in messages_here(path.read_bytes()) for _, message in track)
    struck = [(note.pitch, note.velocity) for track in symusic.Score(path).tracks for note in track.notes]
    assert not Counter(struck) - Counter((pitch, velocity) for _, _, pitch, velocity in ours)


def assert_same(one: midi_file.Score, other: midi_file.Score, where="") -> None:
    assert [(part.name, part.program, part.is_drum) for part in one.tracks] == [
        (part.name, part.program, part.is_drum) for part in other.tracks
    ], where
    for part, twin in zip(one.tracks, other.tracks, strict=True):
        for column in NOTE.names:  # times within 1 ms; pitch and velocity as they are
            assert part.notes[column] == pytest.approx(twin.notes[column], abs=0.001, rel=0), where
        assert part.pedals == pytest.approx(twin.pedals, abs=0.001, rel=0), where
        assert part.controls["time"] == pytest.approx(twin.controls["time"], abs=0.001, rel=0), where
        assert part.controls[["number", "value"]].tolist() == twin.controls[["number", "value"]].tolist(), where
    assert one.texts == other.texts, where
    assert_same_map(one.tempo_map, other.tempo_map, where)


def assert_same_map(one: TempoMap, other: TempoMap, where="") -> None:
    assert one.tempos.tolist() == other.tempos.tolist(), where
    assert one.metres.tolist() == other.metres.tolist(), where
    assert one.ticks_per_quarter == other.ticks_per_quarter, where
    assert (one.start, one.swing) == (other.start, other.swing) == (0.0, STRAIGHT), where


# --- odd files that are read ----------------------------------------------------------------------------------------

C4 = [(0, 480, 60, 80)]
SOUND = track(C4_ON, C4_OFF)
ODD_FILES = {
    "header_promises_more_tracks": (midi(SOUND, promised=3), C4),
    "header_longer_than_6_bytes": (b"MThd\x00\x00\x00\x08\x00\x01\x00\x01\x01\xe0??" + SOUND, C4),
    "type_7": (midi(SOUND, kind=7), C4),
    "no_end_of_track": (midi(track(C4_ON, C4_OFF, end=b"")), C4),
    "end_of_track_before_the_end": (midi(track(C4_ON, C4_OFF, (0, 0xFF, 0x2F, 0), C4_ON, C4_OFF)), C4),
    "foreign_chunk_before_the_track": (midi(b"XFIH\x00\x00\x00\x02ab" + SOUND), C4),
    "zeros_after_the_last_track": (midi(SOUND) + bytes(100), C4),
    "riff_wrapper": (b"RIFF\x2c\x00\x00\x00RMIDdata\x20\x00\x00\x00" + midi(SOUND), C4),
    "velocity_above_127": (midi(track((0, 0x90, 60, 200), C4_OFF)), [(0, 480, 60, 127)]),
    "pitch_above_127": (midi(track((0, 0x90, 0xBC, 80), (480, 0x80, 0xBC, 0))), [(0, 480, 127, 80)]),
    "sysex_ends_no_running_status": (midi(track(C4_ON, (0, 0xF0, 1, 0xF7), C4_OFF)), C4),
    "text_of_no_bytes": (midi(track((0, 0xFF, 1, 0), C4_ON, C4_OFF)), C4),
    "running_status_after_sysex": (midi(track(C4_ON, (0, 0xF0, 1, 0xF7), (480, 60, 0))), C4),
    "key_signature_that_does_not_exist": (midi(track((0, 0xFF, 0x59, 2, 32, 9), C4_ON, C4_OFF)), C4),
    "note_never_ended_before_an_early_end_of_track": (midi(track(C4_ON, (480, 0xFF, 0x2F, 0), C4_ON, C4_OFF)), C4),
    "note_never_ended": (midi(track(C4_ON, (480, 0xB0, 1, 0))), C4),
    "note_never_ended_but_struck_again": (
        midi(track(C4_ON, (100, 0x90, 60, 90), (0, 0x90, 62, 70), (100, 0x80, 62, 0), (50, 0xFF, 0x01, 0))),
        [(0, 100, 60, 80), (100, 250, 60, 90), (100, 200, 62, 70)],
    ),
}


@pytest.mark.parametrize("odd", ODD_FILES)
def test_an_odd_file_is_read(odd, tmp_path):
    data, expected = ODD_FILES[odd]
    (found,) = read(saved(tmp_path, data)).tracks
    assert rows(found.notes) == expected


def test_more_tracks_than_the_header_promises_are_read():
    assert len(parse(midi(SOUND, SOUND, promised=1)).tracks) == 2


def test_time_code_is_a_fixed_number_of_ticks_a_second():
    data = midi(track(SLOW, C4_ON, (1000, 0x80, 60, 0)), division=(256 - 25) << 8 | 40)  # 25 frames of 40 ticks
    score = parse(data)
    assert score.tracks[0].notes.tolist() == [(0.0, 1.0, 60, 80)]
    clock = score.tempo_map
    assert (clock.ticks_per_quarter, clock.tempos.tolist()) == (500, [(0.0, 500_000)])  # the same clock
    assert clock.seconds_of_ticks(1000) == 1.0


def test_sequences_of_type_2_follow_one_another_each_at_its_own_tempo():
    first, second = parse(midi(track(SLOW, C4_ON, C4_OFF), SOUND, kind=2)).tracks
    assert first.notes.tolist() == [(0.0, 1.0, 60, 80)]
    assert second.notes.tolist() == [(1.0, 0.5, 60, 80)]


def test_the_bank_of_a_program_is_that_before_the_first_note_and_is_written(tmp_path):
    score = parse(midi(track((0, 0xB0, 0, 8), (0, 0xB0, 32, 1), (0, 0xC0, 5), C4_ON, C4_OFF, (0, 0xB0, 0, 9))))
    assert score.tracks[0].bank == ((0, 8), (32, 1))
    write(tmp_path / "bank.mid", score.tracks)
    again = read(tmp_path / "bank.mid").tracks[0]
    assert (again.bank, again.program) == (((0, 8), (32, 1)), 5)


def test_a_long_song_is_read(tmp_path):
    notes = note_table(np.arange(20_000) * 0.54, np.full(20_000, 0.5), np.arange(20_000) % 88 + 21, np.full(20_000, 64))
    write(tmp_path / "long.mid", [Track("", 0, False, notes)])
    assert len(read(tmp_path / "long.mid").tracks[0].notes) == 20_000


# --- files that cannot be used: one line with the path, what arrived and what was wanted ------------------------------

FAR = (2**28 - 1, 0xB0, 1, 0)  # the longest pause that MIDI can write: 78 hours here
BROKEN_FILES = {
    "empty": (b"", "is empty (0 bytes); wanted a MIDI file"),
    "web_page": (b"<!DOCTYPE html><html>", "is not a MIDI file: begins with '<!DOCTYPE ht'; a MIDI file begins"),
    "zip": (b"PK\x03\x04" + bytes(40), "not a MIDI file: begins with 50 4b 03 04 00 00 00 00 00 00 00 00; a MIDI"),
    "riff_wrapper_with_nothing_in_it": (b"RIFF\x04\x00\x00\x00RMID", "is a RIFF wrapper (.rmi) with no MIDI"),
    "cut_off_in_the_header": (midi(SOUND)[:11], "is cut off: 11 bytes; the header of a MIDI file takes 14"),
    "cut_off_after_the_header": (midi(SOUND)[:14], "is cut off: the header promises 1 tracks, none is there"),
    "cut_off_in_a_track": (midi(SOUND, SOUND)[:-5], "is cut off: track 2 of 2 promises 13 bytes, 8 are there"),
    "no_tracks": (midi(), "is cut off: the header promises 0 tracks, none is there"),
    "no_notes": (midi(track(SLOW)), "holds no note; wanted a MIDI file with notes"),
    "no_ticks_in_a_quarter_note": (midi(SOUND, division=0), "counts 0 ticks a quarter note; wanted 1 or more"),
    "no_ticks_in_a_frame": (midi(SOUND, division=0xE700), "counts 0 ticks a frame; wanted 1 or more"),
    "event_runs_over_the_end": (midi(track(C4_ON, end=b"\x00\x90\x3c")), "is damaged: track 1 is not a sequence"),
    "running_status_without_a_status": (midi(track((0, 60, 80))), "is damaged: track 1 is not a sequence of MIDI"),
    "text_of_a_gigabyte": (midi(track((0, 0xFF, 1, 0x84, 0x80, 0x80, 0x80, 0))), "damaged: track 1 is not a sequence"),
    "undefined_status": (midi(SOUND, track((0, 0xF4, 0), end=b"")), "is damaged: track 2 is not a sequence"),
    "number_of_megabytes": (midi(track(end=b"\xff" * 10**6)), "is damaged: track 1 is not a sequence"),
    "more_notes_than_any_song": (midi(track(C4_ON, end=b"\0\x3c\x50" * 250_000)), "more than 250,000 notes"),
    "wild_pause": (midi(track(C4_ON, FAR, C4_OFF)), "lasts 78 hours; wanted at most 24"),
    "pause_of_10_digits": (
        midi(track(end=b"\xff" * 9 + b"\x7f\x90\x3c\x50")), "pauses add up to 1,180,591,620,717,411,303,423 ticks"
    ),
}


@pytest.mark.parametrize("broken", BROKEN_FILES)
def test_a_broken_file_gets_one_clear_line(broken, tmp_path):
    data, expected = BROKEN_FILES[broken]
    path = saved(tmp_path, data)
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and expected in message and "\n" not in message


def test_a_file_that_does_not_exist_gets_one_clear_line(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.mid: no such file; wanted a MIDI file"):
        read(tmp_path / "nowhere.mid")


def test_a_folder_gets_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="is a folder; wanted a MIDI file"):
        read(tmp_path)


def test_a_device_gets_one_clear_line():
    with pytest.raises(InputError, match="is not a regular file; wanted a MIDI file"):
        read("/dev/zero")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.mid"
    with path.open("wb") as file:
        file.truncate(2**31)  # 2 GB on paper, none on the disk
    with pytest.raises(InputError, match="holds 2,147,483,648 bytes; wanted a MIDI file of at most 8,388,608"):
        read(path)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_bytes_end_in_a_score_or_an_input_error(data):
    damaged = bytearray(midi(track(name(b"piano"), SLOW, C4_ON, C4_OFF), SOUND))
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse(bytes(damaged))
    except InputError as error:
        assert "\n" not in str(error)


# --- the pedal ------------------------------------------------------------------------------------------------------


def sustained(notes: list[tuple], pedals: list, **options) -> list[float]:
    """Return the durations of (onset, duration, pitch) under the pedals."""
    onset, duration, pitch = zip(*notes, strict=True)
    table = note_table(onset, duration, pitch, [80] * len(notes))
    return sustain(table, np.array(pedals, float).reshape(-1, 2), **options)["duration"].tolist()


def test_a_note_that_ends_under_the_pedal_lasts_until_it_comes_up():
    assert sustained([(0, 1, 60)], [[0.5, 3]]) == [3]


def test_a_note_that_ends_before_or_after_the_pedal_stays():
    assert sustained([(0, 1, 60), (4, 1, 62)], [[2, 3]]) == [1, 1]


def test_a_note_that_ends_as_the_pedal_goes_down_is_caught_and_as_it_comes_up_is_not():
    assert sustained([(0, 1, 60), (2, 1, 62)], [[1, 3]]) == [3, 1]


def test_the_same_key_struck_again_ends_the_note_and_another_key_does_not():
    assert sustained([(0, 1, 60), (1, 1, 62), (2, 1, 60)], [[0, 4]]) == [2, 3, 2]


def test_the_pedal_makes_no_note_longer_than_the_cap():
    assert sustained([(0, 1, 60)], [[0, 100]], longest=5) == [5]


def test_a_note_longer_than_the_cap_keeps_its_length():
    assert sustained([(0, 7, 60)], [[0, 100]], longest=5) == [7]


def test_no_pedal_changes_nothing():
    assert sustained([(0, 1, 60)], []) == [1]


def test_sustaining_leaves_the_given_table_as_it_was():
    notes = note_table([0], [1], [60], [80])
    sustain(notes, np.array([[0.0, 5.0]]))
    assert notes["duration"].tolist() == [1]


# --- writing, the inverse of reading --------------------------------------------------------------------------------


@st.composite
def songs(draw) -> tuple:
    """Return tracks and a tempo map. A tick is shorter than a millisecond; a key's notes do not overlap."""
    gap = st.floats(0.002, 3)
    changes = draw(st.lists(st.tuples(st.integers(1, 6000), st.integers(150_000, 900_000)), max_size=4))
    starts = np.cumsum([0, *(ticks for ticks, _ in changes)]) / 960
    lengths = [draw(st.integers(150_000, 900_000)), *(length for _, length in changes)]
    table = np.array(list(zip(starts, lengths)), TEMPO)
    tracks = []
    for program in range(draw(st.integers(1, 3))):
        tables = []
        for pitch in draw(st.lists(st.integers(0, 127), max_size=4, unique=True)):
            times = np.cumsum(draw(st.lists(gap, min_size=2, max_size=8)))
            times = times[:len(times) // 2 * 2].reshape(-1, 2)
            velocity = draw(st.integers(1, 127))
            tables.extend((onset, end - onset, pitch, velocity) for onset, end in times)
        pedals = np.cumsum(draw(st.lists(gap, max_size=6)))
        pedals = pedals[:len(pedals) // 2 * 2].reshape(-1, 2)
        notes = np.sort(np.array(tables, NOTE), order=["onset", "pitch"])
        last = (notes["onset"] + notes["duration"]).max(initial=0)
        curve = draw(st.lists(st.tuples(st.sampled_from([1, 7, 11]), st.integers(0, 127)), max_size=6))
        times = np.linspace(0, max(last - 0.01, 0), len(curve))
        controls = np.array([(time, *point) for time, point in zip(times, curve)], CONTROL)
        tracks.append(Track(draw(st.text(max_size=5)), program, draw(st.booleans()), notes, pedals, controls))
    return tracks, TempoMap(table, ticks_per_quarter=960)


@settings(max_examples=200, deadline=None)
@given(songs())
def test_what_was_written_is_read_within_a_millisecond(song):
    tracks, clock = song
    score = parse(to_bytes(tracks, clock))
    assert_same_map(score.tempo_map, clock)
    tracks = [given for given in tracks if len(given.notes)]
    assert [(found.program, found.is_drum) for found in score.tracks] == [(t.program, t.is_drum) for t in tracks]
    for found, given_track in zip(score.tracks, tracks):
        assert found.name == given_track.name
        assert found.pedals == pytest.approx(given_track.pedals, abs=0.001)
        assert found.controls["time"] == pytest.approx(given_track.controls["time"], abs=0.001)
        assert found.controls[["number", "value"]].tolist() == given_track.controls[["number", "value"]].tolist()
        order = np.lexsort((given_track.notes["onset"], given_track.notes["pitch"]))
        back = found.notes[np.lexsort((found.notes["onset"], found.notes["pitch"]))]
        assert back["pitch"].tolist() == given_track.notes["pitch"][order].tolist()
        assert back["velocity"].tolist() == given_track.notes["velocity"][order].tolist()
        for edge in (lambda notes: notes["onset"], lambda notes: notes["onset"] + notes["duration"]):
            assert edge(back) == pytest.approx(edge(given_track.notes[order]), abs=0.001)


def written(notes: np.ndarray, **options) -> midi_file.Score:
    return parse(to_bytes([Track("", 0, False, notes)], **options))


def test_what_was_read_from_a_written_file_is_written_as_the_same_bytes():
    score = written(note_table([0, 0.3, 1.7], [0.2, 0.5, 3], [60, 64, 67], [1, 64, 127]), texts=["recipe"])
    again = to_bytes(score.tracks, score.tempo_map, score.texts)
    last = parse(again)
    assert again == to_bytes(last.tracks, last.tempo_map, last.texts)
    assert_same(score, last)


def test_overlapping_notes_of_a_key_end_where_it_is_struck_again():
    score = written(note_table([0, 1], [3, 3], [60, 60], [80, 90]))
    assert score.tracks[0].notes.tolist() == [(0, 1, 60, 80), (1, 3, 60, 90)]


def test_notes_of_a_key_at_one_tick_become_one_as_long_and_loud_as_any():
    score = written(note_table([0, 0.0001], [3, 1], [60, 60], [80, 90]))
    assert score.tracks[0].notes.tolist() == [(0, 3, 60, 90)]


def test_a_note_shorter_than_a_tick_is_not_lost():
    score = written(note_table([0], [1e-6], [60], [80]))
    assert rows(score.tracks[0].notes) == [(0, 1, 60, 80)]


def test_time_signatures_and_texts_come_back():
    signatures = metres((0, 3, 4), (6, 6, 8))
    texts = ["seed=7 temperature=1.0", "Für Elise", "月光"]
    score = written(note_table([0], [1], [60], [80]), tempo_map=TempoMap(metres=signatures), texts=texts)
    assert score.tempo_map.metres.tolist() == signatures.tolist()
    assert score.texts == tuple(texts)


def test_what_rounding_takes_off_tempos_does_not_add_up():
    played = TempoMap.through(np.arange(2001), 0.5000004 * np.arange(2001))  # a file holds whole microseconds
    found = written(note_table([0], [1], [60], [80]), tempo_map=played).tempo_map
    assert len(found.tempos) == 2000
    assert found.seconds(np.arange(2001)) == pytest.approx(played.seconds(np.arange(2001)), abs=2e-6)


def test_tempos_that_a_file_cannot_hold_become_the_nearest_and_notes_stay_where_they_are():
    wild = TempoMap(tempos((0.0, 0.2), (10.0, 5e7)))
    score = written(note_table([0.5], [1], [60], [80]), tempo_map=wild)
    assert score.tempo_map.tempos["length"].tolist() == [1, 2**24 - 1]
    assert score.tracks[0].notes["onset"] == pytest.approx(0.5, abs=0.02)  # a tick lasts 35 ms


def test_notes_are_written_at_their_seconds_whatever_the_swing():
    notes = note_table([0.25, 0.5], [0.25, 0.5], [60, 62], [80, 80])
    assert written(notes, tempo_map=TempoMap(swing=2 / 3)).tracks[0].notes.tolist() == notes.tolist()


def test_a_half_character_in_a_text_is_replaced():
    assert written(note_table([0], [1], [60], [80]), texts=["a\udcff"]).texts == ("a?",)


def test_seventeen_tracks_come_back_apart():
    tracks = [Track(str(number), number, False, note_table([0], [1], [60], [80])) for number in range(17)]
    assert [found.name for found in parse(to_bytes(tracks)).tracks] == [str(number) for number in range(17)]


def test_a_written_file_is_read_and_nothing_else_lies_beside_it(tmp_path):
    write(tmp_path / "song.mid", [Track("", 0, False, note_table([0], [1], [60], [80]))])
    assert read(tmp_path / "song.mid").tracks[0].notes.tolist() == [(0, 1, 60, 80)]
    assert [path.name for path in tmp_path.iterdir()] == ["song.mid"]


def test_a_write_that_fails_leaves_no_half_file(tmp_path):
    (tmp_path / "song.mid").mkdir()
    with pytest.raises(OSError):
        write(tmp_path / "song.mid", [Track("", 0, False, note_table([0], [1], [60], [80]))])
    assert [path.name for path in tmp_path.iterdir()] == ["song.mid"]


def test_importing_the_module_loads_no_mido():
    code = "import sys, serenity.music.midi_file; print({'mido'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
