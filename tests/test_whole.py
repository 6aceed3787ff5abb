"""The seed stays whole: whatever a file holds, the song made of it holds it byte for byte, and one track more.

Files of every odd kind, and real ones where SERENITY_TEST_MIDI names a folder of them.
"""

import io
import os
import resource
import struct
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic

import generate
from serenity import completion
from serenity.errors import InputError
from serenity.midi_container import unwrapped
from serenity.model import checkpoint, recipe
from serenity.music import chunks, midi_file
from serenity.music.chunks import messages, split
from tests.real_midi import FILES, ODD, sample
from tests.scripts import asking

ODD_FILES = sorted((Path(__file__).parent / "data" / ODD).glob("*.mid"))
SCRIPT = Path(__file__).parent.parent / "generate.py"
END = b"\0\xff\x2f\0"


@pytest.fixture
def complete(tmp_path, model_folder, monkeypatch):
    """Return a function that completes a seed, and gives the chunks of seed and song."""
    monkeypatch.setattr(checkpoint, "load", cache(checkpoint.load))

    def run(seed, /, name="out.mid", **changes):
        if isinstance(seed, bytes):
            (tmp_path / "seed.mid").write_bytes(seed)
            seed = tmp_path / "seed.mid"
        settings = {"events": 8, "picture": False, "model": model_folder, "out": tmp_path / name} | changes
        generate.main(asking(song=seed, **settings))
        return chunks_at(seed), chunks_at(tmp_path / name) if (tmp_path / name).exists() else None
    return run


@pytest.fixture
def replay(tmp_path, model_folder):
    def run(song, **changes):
        out = tmp_path / "again.mid"
        generate.main(asking(replay=song, out=out, model=model_folder, picture=False, **changes))
        return out.read_bytes()
    return run


def chunks_at(path):
    return split(unwrapped(path.read_bytes(), 2**23))


LAST_NOTES = {  # library that people read MIDI with -> how many notes it finds in the last track of a file
    "mido": lambda data: sum(message.type == "note_on" and message.velocity > 0
                             for message in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks[-1]),
    "symusic": lambda data: len(symusic.Score.from_midi(data).tracks[-1].notes),
    "pretty_midi": lambda data: len(pretty_midi.PrettyMIDI(io.BytesIO(data)).instruments[-1].notes),
}


def assert_others_read(seed, song):
    """Whoever reads the seed reads its song, and finds the new track's notes. An impossible key stops two of them."""
    struck = sum(message.is_strike for message in messages(song.tracks[-1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed states tempos in a later track
        for name, count in LAST_NOTES.items():
            try:
                count(chunks.join(seed))
            except Exception:  # each names its own; what the seed does to it is none of our doing
                continue
            assert count(chunks.join(song)) == struck, name


@pytest.mark.parametrize("path", ODD_FILES, ids=lambda path: path.stem)
def test_every_odd_file_stands_in_its_song_byte_for_byte(path, complete, replay, tmp_path):
    try:
        seed, song = complete(path)
    except InputError as error:
        assert path.stem == "piano_on_channel10" and "drum" in str(error)
        return
    assert song.tracks[:-1] == seed.tracks and len(song.tracks) == len(seed.tracks) + 1
    assert (song.division, song.others) == (seed.division, seed.others)
    assert_others_read(seed, song)
    assert replay(tmp_path / "out.mid") == (tmp_path / "out.mid").read_bytes()


@pytest.mark.skipif(not FILES, reason="SERENITY_TEST_MIDI names no folder of MIDI files")
@pytest.mark.parametrize("path", sample(25, 0.5), ids=lambda path: path.name)  # a hundred: there are four sets
def test_every_real_file_stands_in_its_song_byte_for_byte(path, complete, tmp_path):
    seed, song = complete(path, prompt_events=10**5)
    assert song.tracks[:-1] == seed.tracks
    assert_others_read(seed, song)


# --- what a file may be -----------------------------------------------------------------------------------------------

def body(count=24, channel=0, head=b""):
    """Return a track of quarters, 96 ticks each, up and down a scale."""
    pitches = [60 + (0, 2, 4, 5, 7, 9, 11, 12)[number % 8] for number in range(count)]
    return head + b"".join(bytes([0, 0x90 | channel, pitch, 70, 96, 0x80 | channel, pitch, 0])
                           for pitch in pitches) + END


def file_of(kind, division, *bodies, promised=None, behind=b""):
    head = struct.pack(">4sLHHH", b"MThd", 6, kind, len(bodies) if promised is None else promised, division)
    return head + b"".join(b"MTrk" + struct.pack(">L", len(each)) + each for each in bodies) + behind


LYRICS = b"\x30\xff\5\2la" * 20 + END
FORMS = {
    "type 0": file_of(0, 96, body()), "type 2": file_of(2, 96, body(8), body(8, 1)),
    "type 2 with one track": file_of(2, 96, body()), "time code": file_of(1, 0xE728, body()),
    "a wrong number of tracks": file_of(1, 96, body(), LYRICS, promised=9),
    "rubbish behind": file_of(1, 96, body(), behind=bytes(99)),
    "other chunks": file_of(1, 96, body(), behind=b"XFIH\0\0\0\4abcd"),
    "bytes behind the end": file_of(1, 96, body() + b"\0\x90\x3c\x40", LYRICS),
    "no end": file_of(1, 96, body()[:-4], LYRICS),
    "pauses written long": file_of(1, 96, body(head=b"\x80\x80\0\xff\1\2hi")),
    "ports": file_of(1, 96, body(head=b"\0\xff\x21\1\0"), body(8, 0, b"\0\xff\x21\1\1")),
    "a pedal that stays down": file_of(1, 96, body(head=b"\0\xb0\x40\x7f")),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_stays_and_is_made_again_from_its_song(name, complete, replay, tmp_path):
    seed, song = complete(FORMS[name])
    assert song.tracks[:-1] == seed.tracks and song.division == seed.division
    assert song.is_sequences == (name == "type 2") and song.others == seed.others
    (tmp_path / "seed.mid").unlink()
    assert replay(tmp_path / "out.mid") == (tmp_path / "out.mid").read_bytes()


@pytest.mark.parametrize("name", [name for name in FORMS if name != "type 2"])
def test_the_continuation_begins_when_the_seed_has_been_heard(name, complete, tmp_path):
    complete(FORMS[name])
    score = midi_file.read(tmp_path / "out.mid")
    seed = max(track.notes["onset"][-1] for track in score.tracks[:-1])
    assert seed <= score.tracks[-1].notes["onset"][0] < seed + 4


def test_a_sequence_follows_the_seeds_sequences(complete, tmp_path):
    complete(FORMS["type 2"])
    first, second, new = midi_file.read(tmp_path / "out.mid").tracks
    assert first.notes["onset"][0] == 0 and second.notes["onset"][0] == pytest.approx(4)
    assert new.notes["onset"][0] >= 8


def test_drums_and_all_other_tracks_are_in_the_song_and_the_continuation_is_heard(complete, tmp_path):
    """As loud as the seed at the join: its volume was 0, then 100, at one tick."""
    reset = b"\0\xb0\7\0\0\7\x64\0\xb0\x0a\x20\0\x5b\x28"
    complete(file_of(1, 96, body(head=reset), body(30, 9), body(24, 1, b"\0\xc1\x30")))
    track = split((tmp_path / "out.mid").read_bytes()).tracks[-1]
    said = [message for message in messages(track) if message.kind in (0xB0, 0xC0)]
    assert [message.content for message in said] == [b"\0", b"\7\x64", b"\x0a\x20", b"\x5b\x28"]
    assert {message.status & 15 for message in said} == {2}


def test_a_song_is_continued_and_that_one_too(complete, replay, tmp_path):
    complete(file_of(0, 96, body()), "a.mid")
    seed, song = complete(tmp_path / "a.mid", "b.mid")
    assert song.tracks[:-1] == seed.tracks and len(seed.tracks) == 2
    (tmp_path / "a.mid").unlink()
    assert replay(tmp_path / "b.mid") == (tmp_path / "b.mid").read_bytes()


# --- parts ------------------------------------------------------------------------------------------------------------

PARTS = [{"prompt_events": 12}, {"prompt_last": 9}, {"prompt_seconds": (3.0, 8.0)}]
MARKED = file_of(1, 96, body(head=b"\0\xff\3\5Piano\0\xf0\5\x7e\x7f\x09\1\xf7\0\xc0\5"), LYRICS)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_made_again_from_its_song_alone(part, complete, replay, tmp_path):
    complete(MARKED, **part)
    (tmp_path / "seed.mid").unlink()
    assert replay(tmp_path / "out.mid") == (tmp_path / "out.mid").read_bytes()


def test_a_part_from_the_beginning_has_the_seeds_bytes(complete):
    seed, song = complete(MARKED, **PARTS[0])
    kept = song.tracks[0].removesuffix(END)
    assert len(kept) < len(seed.tracks[0]) and seed.tracks[0].startswith(kept)
    assert seed.tracks[1].startswith(song.tracks[1].removesuffix(END))
    assert sum(message.is_strike for message in messages(song.tracks[0])) == 12


def test_a_part_from_the_middle_has_what_was_set_before_it(complete):
    _, song = complete(MARKED, **PARTS[1])
    assert [message.content for message in messages(song.tracks[0])][:3] == [b"\3Piano", b"\x7e\x7f\x09\1\xf7", b"\5"]


# --- files of the user ------------------------------------------------------------------------------------------------

SEED = file_of(0, 96, body())


def test_the_seed_is_not_overwritten_by_a_variation(complete, tmp_path):
    (tmp_path / "out-2.mid").write_bytes(SEED)
    for overwrite in (False, True):
        with pytest.raises(InputError, match="out-2.mid is an input as well; wanted another name"):
            complete(tmp_path / "out-2.mid", variations=2, overwrite=overwrite)
    assert (tmp_path / "out-2.mid").read_bytes() == SEED and not (tmp_path / "out-1.mid").exists()


@pytest.mark.parametrize("name, changes", [
    ("out.mid", {}), ("out.png", {"picture": True}), ("out.html", {"variations": 2}), ("out-2.mid", {"variations": 2}),
    ("out.mp3", {"sound": True}), ("out-1.png", {"variations": 2, "picture": True}),
])
def test_a_file_of_the_users_is_not_overwritten_unasked(name, changes, complete, tmp_path):
    for content in (b"mine", SEED):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} is there, and not as Serenity wrote it; wanted .* --overwrite"):
            complete(SEED, **changes)
        assert (tmp_path / name).read_bytes() == content


def test_it_is_overwritten_where_one_says_so(complete, tmp_path):
    (tmp_path / "out.mid").write_bytes(b"mine")
    complete(SEED, overwrite=True)
    assert recipe.is_untouched(chunks_at(tmp_path / "out.mid"))


def test_an_earlier_song_makes_room_with_what_is_beside_it_until_somebody_changed_it(complete, tmp_path):
    complete(SEED, picture=True)
    _, song = complete(SEED, picture=True, seed=2)
    (tmp_path / "out.mid").write_bytes(chunks.join(chunks.with_track(song, END)))
    with pytest.raises(InputError, match=r"out\.mid is there, and not as Serenity wrote it"):
        complete(SEED)


@pytest.mark.parametrize("changes, message", [
    ({"out": Path("x" * 252 + ".mid")}, "cannot be written .File name too long"),
    ({"out": Path("é" * 130 + ".mid")}, "File name too long"),
    ({"out": Path("x" * 250 + ".mid"), "variations": 3}, r"-1\.mid: cannot be written .File name too long"),
])
def test_what_cannot_be_written_is_told_before_the_work(changes, message, complete, tmp_path, monkeypatch):
    monkeypatch.setattr(completion, "read_seed", None)  # not reached
    with pytest.raises(InputError, match=message):
        complete(SEED, **changes | {"out": tmp_path / changes["out"]})
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["seed.mid"]


def test_the_longest_name_is_written(complete, tmp_path):
    complete(SEED, name="x" * 251 + ".mid")


def test_a_model_that_is_a_file_is_told(complete, tmp_path):
    with pytest.raises(InputError, match="seed.mid is not a folder; wanted a model"):
        complete(SEED, model=tmp_path / "seed.mid")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(complete, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="out.mid: cannot be written .Permission denied"):
        complete(SEED, name="locked/out.mid")


def test_a_full_disk_names_the_file_and_leaves_no_song(tmp_path, model_folder):
    """As a limit on the size of files does: a write stops half way."""
    (tmp_path / "seed.mid").write_bytes(SEED)
    done = subprocess.run(
        [sys.executable, SCRIPT, "seed.mid", "out.mid", "--model", model_folder, "--events", "8"], cwd=tmp_path,
        capture_output=True, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)))
    assert done.returncode == 2 and done.stderr == "generate.py: out.mid: File too large\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "seed.mid"]


# --- one of many ------------------------------------------------------------------------------------------------------

def test_to_make_one_variation_again_takes_one(complete, replay, tmp_path, monkeypatch):
    from serenity.model import generation

    complete(SEED, variations=3, page=False)
    make, asked = generation.complete, []
    monkeypatch.setattr(generation, "complete", lambda *args, **more: asked.append(args[5]) or make(*args, **more))
    assert replay(tmp_path / "out-3.mid") == (tmp_path / "out-3.mid").read_bytes()
    assert asked == [1]


def test_a_replay_names_what_made_the_song_where_it_is_another(complete, replay, tmp_path, capsys):
    complete(SEED)
    song = chunks_at(tmp_path / "out.mid")
    made = recipe.read(song)
    assert made.versions["numpy"] == np.__version__ and made.versions["blas"]
    text = recipe.to_text(made)
    other = text.replace(f'"numpy": "{np.__version__}"', '"numpy": "0.1"')
    track = song.tracks[-1].replace(chunks.meta(chunks.TEXT, text.encode()), chunks.meta(chunks.TEXT, other.encode()))
    (tmp_path / "other.mid").write_bytes(chunks.join(chunks.with_track(chunks.without_track(song, 1), track)))
    replay(tmp_path / "other.mid")
    assert f"other.mid was made with numpy 0.1 (here {np.__version__})" in capsys.readouterr().out

