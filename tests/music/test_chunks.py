"""Tracks are written here as bytes: the pause of a message, then the message."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music import chunks, midi_file
from serenity.music.chunks import Chunks, body_of, cut, free_channel, join, messages, split, with_track, without_track
from tests.real_midi import over_real_files

END = b"\0\xff\x2f\0"
TEMPO = b"\xff\x51\3\7\xa1\x20"

# One bar in which everything stands that a track can hold: 96 ticks a quarter.
TRACK = (
    b"\0\xff\3\5Piano"         # its name
    b"\0\xf0\5\x7e\x7f\x09\1\xf7"  # SysEx: General MIDI on
    b"\0\xff\x59\2\xfd\0"      # E flat major
    b"\0\xc0\5\0\xb0\7\x50"    # program, volume
    b"\0\x90\x3c\x40"          # c4 on
    b"\x30\xe0\0\x50"          # 48: a bend
    b"\x30\x80\x3c\x40"        # 96: c4 off
    b"\0\xb0\x40\x7f"          # 96: pedal down
    b"\0\x90\x3e\x40\0\x40\x40"  # 96: d4 and, by running status, e4 on
    b"\x60\x3e\0"              # 192: d4 off
    b"\0\xff\5\2la"            # 192: a lyric
    b"\0\x90\x41\x40"          # 192: f4 on
    b"\x60\x41\0\0\x40\0"      # 288: f4 and e4 off
    b"\0\xb0\x40\x20"          # 288: pedal half up
    b"\0\xff\6\3end" + END     # 288: a marker
)


def rows(body):
    return [(message.tick, message.status, message.content) for message in messages(body)]


def file_of(*bodies, division=96, **more):
    return Chunks(division, bodies, **more)


# --- file <-> chunks --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("found", [
    file_of(TRACK), file_of(TRACK, END, TRACK, division=480), file_of(TRACK, others=(b"XFIH\0\0\0\1!",)),
    file_of(TRACK, TRACK, is_sequences=True), file_of(TRACK, division=0xE728),
])
def test_file_and_chunks_are_inverse(found):
    assert split(join(found)) == found
    assert without_track(with_track(found, b"new"), len(found.tracks)) == found


def chunk(name, body):
    return name + struct.pack(">L", len(body)) + body


@pytest.mark.parametrize("promised", [0, 1, 7])
@pytest.mark.parametrize("kind", [0, 1, 2, 9])
def test_type_0_becomes_type_1_and_the_tracks_are_counted(kind, promised):
    data = chunk(b"MThd", struct.pack(">HHH", kind, promised, 96)) + chunk(b"MTrk", TRACK)
    assert join(split(data)) == chunk(b"MThd", b"\0\1\0\1\0\x60") + chunk(b"MTrk", TRACK)


def test_other_chunks_stand_behind_the_tracks_and_rubbish_goes():
    parts = chunk(b"XFKM", b"karaoke"), chunk(b"MTrk", TRACK), chunk(b"XFIH", b"")
    data = chunk(b"MThd", b"\0\1\0\1\0\x60more") + b"".join(parts) + bytes(40)
    assert join(split(data)) == chunk(b"MThd", b"\0\1\0\1\0\x60") + parts[1] + parts[0] + parts[2]


def test_more_tracks_than_a_header_can_count_are_refused():
    with pytest.raises(InputError, match="has 32,768 tracks; wanted at most 32,767"):
        join(file_of(*[END] * 32_768))


# --- track <-> messages -----------------------------------------------------------------------------------------------

def test_messages_as_a_player_takes_them():
    assert rows(TRACK)[4:] == [
        (0, 0xB0, b"\7\x50"), (0, 0x90, b"\x3c\x40"), (48, 0xE0, b"\0\x50"), (96, 0x80, b"\x3c\x40"),
        (96, 0xB0, b"\x40\x7f"), (96, 0x90, b"\x3e\x40"), (96, 0x90, b"\x40\x40"), (192, 0x90, b"\x3e\0"),
        (192, 0xFF, b"\5la"), (192, 0x90, b"\x41\x40"), (288, 0x90, b"\x41\0"), (288, 0x90, b"\x40\0"),
        (288, 0xB0, b"\x40\x20"), (288, 0xFF, b"\6end"), (288, 0xFF, b"\x2f")]


@pytest.mark.parametrize("between", [b"\0\xf0\2\x7e\xf7", b"\0\xf7\1\xf8", b"\0\xff\1\0", b"\0\xf8"])
def test_running_status_lasts_over_sysex_and_meta_events(between):
    assert rows(b"\0\x91\x3c\x40" + between + b"\5\x3c\0" + END)[-2:] == [(5, 0x91, b"\x3c\0"), (5, 0xFF, b"\x2f")]


@pytest.mark.parametrize("body", [b"", b"\0\x3c\x40", b"\x80", b"\0\x90\x3c", b"\0\xff\1\x7fabc", b"\0\xf0\x20abc"])
def test_what_is_no_message_ends_the_track(body):
    assert rows(body) == []
    assert rows(b"\0\xb0\7\x50" + END[:-4] + body)[1:] in ([], [(0, 0xB0, b"\x3c\x40")])  # by running status


def test_nothing_stands_behind_the_end():
    assert rows(TRACK + b"\0\x90\x3c\x40") == rows(TRACK)


@given(st.lists(st.tuples(st.integers(0, 2**29), st.sampled_from([b"\x90\x3c\x40", b"\xc0\5", b"\xff\1\2hi"]))))
def test_a_written_track_says_the_same(pauses):
    ticks = np.cumsum([pause for pause, _ in pauses]).tolist()
    events = [(tick, message) for tick, (_, message) in zip(ticks, pauses)]
    found = [message for message in messages(body_of(events)) if message.content not in (b"\1", b"\x2f")]
    assert [(message.tick, message.written) for message in found] == events


@over_real_files
def test_the_messages_of_a_real_file_are_all_of_its_bytes(path):
    for body in split(path.read_bytes()).tracks:
        assert b"".join(message.pause + message.written for message in messages(body)) == body


# --- what stands in a file --------------------------------------------------------------------------------------------

def on(*channels, port=None):
    port = b"" if port is None else b"\0\xff\x21\1" + bytes([port])
    return port + b"".join(b"\0" + bytes([0x90 | channel, 60, 64]) for channel in channels) + END


def spoken(*channels):
    return b"".join(b"\0" + bytes([0xB0 | channel, 7, 0]) for channel in channels) + END


ALL = range(16)


@pytest.mark.parametrize("bodies, place", [
    ([on(0)], (0, 1)), ([on(1), on(0, 2)], (0, 3)), ([on(*ALL[:9])], (0, 10)),
    ([on(0), spoken(*ALL)], (0, 1)),         # a reset of all channels: one on which no note stands
    ([on(0), spoken(1, 2)], (0, 3)),         # better one that nobody uses
    ([on(*ALL)], (1, 0)), ([on(*ALL, port=0), on(*ALL, port=1)], (2, 0)),
    ([on(0, port=0), on(*ALL[1:], port=1)], (0, 1)),
    ([on(*(set(ALL) - {9}))], (1, 0)),       # drums have their channel to themselves
])
def test_a_new_track_gets_a_channel_of_its_own_or_a_port(bodies, place):
    *found, is_set = free_channel(file_of(*bodies))
    assert tuple(found) == place and is_set == any(spoken(*ALL) == body for body in bodies)


# --- a part -----------------------------------------------------------------------------------------------------------

def test_a_part_from_the_beginning_has_the_same_bytes_up_to_the_first_message_left_out():
    kept = TRACK[:TRACK.index(b"\0\xff\5")]
    [body] = cut(file_of(TRACK), 0, 0, 192).tracks
    assert body == kept + b"\x60\x90\x40\0" + b"\0\xb0\x40\x20" + END


def test_notes_and_pedals_of_a_part_end_where_they_did_and_nothing_else_follows():
    [body] = cut(file_of(TRACK), 0, 0, 150).tracks
    assert rows(body)[-4:] == [
        (192, 0x90, b"\x3e\0"), (288, 0x90, b"\x40\0"), (288, 0xB0, b"\x40\x20"), (288, 0xFF, b"\x2f")]


def test_a_part_begins_with_what_was_set_before_it():
    [body] = cut(file_of(TRACK), 96, 192, None).tracks
    assert rows(body) == [
        (0, 0xFF, b"\3Piano"), (0, 0xF0, b"\x7e\x7f\x09\1\xf7"), (0, 0xFF, b"\x59\xfd\0"), (0, 0xC0, b"\5"),
        (0, 0xB0, b"\7\x50"), (0, 0xE0, b"\0\x50"), (0, 0xB0, b"\x40\x7f"),
        (96, 0xFF, b"\5la"), (96, 0x90, b"\x41\x40"),
        (192, 0x90, b"\x41\0"), (192, 0xB0, b"\x40\x20"), (192, 0xFF, b"\6end"), (192, 0xFF, b"\x2f")]


@pytest.mark.parametrize("number, stays", [(7, [2]), (64, [2]), (0, [1, 2]), (6, [1, 2]), (101, [1, 2])])
def test_of_a_controller_set_twice_the_last_holds_but_parameters_are_read_in_order(number, stays):
    body = b"".join(b"\0" + bytes([0xB0, number, value]) for value in (1, 2)) + b"\x60\x90\x3c\x40\5\x3c\0" + END
    [body] = cut(file_of(body), 96, 96, None).tracks
    assert [content[1] for _, status, content in rows(body) if status == 0xB0] == stays


def test_the_tempo_and_no_lyric_of_what_is_left_out_holds():
    body = b"\0" + TEMPO + b"\0\xff\1\5title\x30\xff\5\2la\0" + TEMPO[:-1] + b"\x21\x30\x90\x3c\x40\5\x3c\0" + END
    [body] = cut(file_of(body), 96, 96, None).tracks
    assert [content for _, status, content in rows(body) if status == 0xFF] == [
        b"\1title", b"\x51\7\xa1\x21", b"\x2f"]


def test_a_key_struck_again_behind_the_end_ends_its_note_and_one_never_ended_ends_there():
    body = b"\0\x90\x3c\x40\0\x3e\x40\x60\x3c\x40\x60\x3c\0" + END  # c4 struck twice, d4 never let go
    [part] = cut(file_of(body), 0, 0, 90).tracks
    assert rows(part)[2:] == [(96, 0x80, b"\x3c\x40"), (96, 0x80, b"\x3e\x40"), (96, 0xFF, b"\x2f")]


def test_a_pedal_that_nobody_lets_go_comes_up_at_the_end():
    [part] = cut(file_of(b"\0\xb0\x40\x7f\0\x90\x3c\x40\5\x3c\0\x7f\x90\x3c\x40" + END), 0, 0, 50).tracks
    assert rows(part)[-2:] == [(50, 0xB0, b"\x40\0"), (50, 0xFF, b"\x2f")]


def test_sequences_are_cut_where_they_follow_one_another():
    found = file_of(TRACK, TRACK, TRACK, is_sequences=True)  # of 288 ticks each
    part = cut(found, 288, 288, 400)
    assert not part.is_sequences and part.tracks == cut(file_of(TRACK), 0, 0, 112).tracks
    assert cut(found, 0, 0, 600).tracks[:2] == (TRACK, TRACK)


@over_real_files
def test_a_part_of_a_real_file_has_the_notes_that_are_struck_in_it(path):
    """Each as long as it was; what both ends cut is there, whatever running status does."""
    score = midi_file.read(path)
    clock, found = score.tempo_map, split(path.read_bytes())
    onsets = np.concatenate([clock.ticks(track.notes["onset"]) for track in score.tracks])
    start, end = (int(tick) for tick in np.quantile(onsets, [0.3, 0.6]))
    part = midi_file.parse(join(cut(found, start, start, end)))
    wanted, got = [], []
    for source, table, offset in ((score, wanted, 0), (part, got, start)):
        for track in source.tracks:
            onset, last = (source.tempo_map.ticks(time) for time in (
                track.notes["onset"], track.notes["onset"] + track.notes["duration"]))
            rows = zip((onset + offset).tolist(), (last + offset).tolist(), track.notes["pitch"].tolist(),
                       track.notes["velocity"].tolist())
            table += [row for row in rows if start <= row[0] < end]
    assert sorted(got) == sorted(wanted) and len(got) > 1


def test_the_seed_is_what_is_left_of_a_song_without_its_new_track():
    found = file_of(TRACK, END)
    song = split(join(with_track(found, body_of([(0, chunks.meta(chunks.TEXT, b"new"))]))))
    assert without_track(song, 2) == found
    assert list(chunks.texts(song.tracks[2])) == [b"new"] and not list(chunks.texts(TRACK))
