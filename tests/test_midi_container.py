"""What a MIDI file is, in all its wrappers."""

import gzip
import struct

import pytest

from serenity.errors import InputError
from serenity.midi_container import begins_like_midi, is_midi_name, unwrapped

MIDI = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"


def riff(*chunks):
    body = b"RMID" + b"".join(name + struct.pack("<L", len(data)) + data + bytes(len(data) % 2)
                              for name, data in chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


WRAPPED = {
    "plain": MIDI,
    "riff": riff((b"data", MIDI)),
    "riff with its name first": riff((b"LIST", b"INFOINAM\3\0\0\0abc"), (b"data", MIDI)),
    "riff of a wrong length": riff((b"data", MIDI)).replace(b"data\x1a", b"data\x08"),
    "gzip": gzip.compress(MIDI, mtime=0),
    "riff in gzip": gzip.compress(riff((b"data", MIDI)), mtime=0),
}


@pytest.mark.parametrize("form", WRAPPED)
def test_every_wrapper_is_known_and_taken_off(form):
    assert begins_like_midi(WRAPPED[form][:4096])
    assert unwrapped(WRAPPED[form], 1000) == MIDI


def test_a_title_that_reads_like_midi_is_none():
    assert unwrapped(riff((b"LIST", b"MThd"), (b"data", MIDI)), 1000) == MIDI


@pytest.mark.parametrize("start", [b"", b"PK\3\4", b"<html>", b"RIFF\4\0\0\0WAVE", b"\x1f\x8b",
                                   gzip.compress(b"MUSIC", mtime=0)])
def test_what_is_no_midi_does_not_look_like_it(start):
    assert not begins_like_midi(start)


@pytest.mark.parametrize(("data", "message"), [
    (gzip.compress(MIDI, mtime=0)[:-4], "is broken: gzip cannot unpack it"),
    (b"\x1f\x8b\0\0", "is broken: gzip cannot unpack it"),
    (gzip.compress(bytes(10**7), mtime=0), "unpacks to more than 1,000 bytes"),
    (riff((b"LIST", b"MThd")), "RIFF wrapper .* with no MIDI data in it"),
])
def test_a_broken_wrapper_is_named(data, message):
    with pytest.raises(InputError, match=message):
        unwrapped(data, 1000)


@pytest.mark.parametrize("name", ["a.gz", "a.tar.gz", "mid", "a.midx", "._a.mid", "__MACOSX/a.mid", "x/._y/a.mid"])
def test_other_names(name):
    assert not is_midi_name(name)


