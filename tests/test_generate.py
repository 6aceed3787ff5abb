"""generate.py: a seed goes in, the song comes out in the seed's key and tempo; broken seeds give one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import generate
from generate import Parameters
from serenity.errors import InputError
from serenity.music import midi_file
from serenity.music.midi_file import TEMPO, TIME_SIGNATURE, Track
from tests.songs import compose_notes

SCRIPT = Path(__file__).parent.parent / "generate.py"


def write_seed(path, notes=None, name="Piano", program=0, is_drum=False, tempos=((0, 600_000), (8, 500_000)),
               pedals=((1.0, 3.0),)):
    notes = compose_notes(1, bars=8) if notes is None else notes
    midi_file.write(path, [Track(name, program, is_drum, notes, np.array(pedals).reshape(-1, 2))],
                    np.array(list(tempos), TEMPO), np.array([(0, 3, 4)], TIME_SIGNATURE), 384)
    return path


@pytest.fixture
def complete(model_folder, tmp_path):
    """Return a function that completes a seed and gives back the seed's score and the song's."""
    def run(seed=None, name="out.mid", **changes):
        seed = seed or write_seed(tmp_path / "seed.mid")
        out = tmp_path / name
        settings = {"events": 40, "picture": False} | changes
        generate.main(Parameters(song=seed, out=out, model=model_folder, **settings))
        return midi_file.read(seed), (midi_file.read(out) if out.exists() else None)
    return run


def test_the_seed_stands_in_the_song_as_it_was(complete):
    seed, song = complete()
    assert len(song.tracks) == 2
    np.testing.assert_array_equal(song.tracks[0].notes["pitch"], seed.tracks[0].notes["pitch"])
    np.testing.assert_allclose(song.tracks[0].notes["onset"], seed.tracks[0].notes["onset"], atol=1e-3)
    np.testing.assert_allclose(song.tracks[0].pedals, seed.tracks[0].pedals, atol=1e-3)
    assert song.ticks_per_quarter == seed.ticks_per_quarter
    np.testing.assert_array_equal(song.tempos, seed.tempos)
    np.testing.assert_array_equal(song.time_signatures, seed.time_signatures)


def test_the_continuation_begins_where_the_seed_ends(complete):
    seed, song = complete()
    assert song.tracks[1].name == "continuation"
    assert song.tracks[1].notes["onset"][0] >= seed.tracks[0].notes["onset"][-1] - 0.02
    assert len(song.tracks[1].notes) >= 40  # an event is one note or more


def test_a_transposed_seed_gives_the_same_song_transposed(complete, tmp_path):
    """The key is normalised before the network and restored after it."""
    for name, transposition in (("a.mid", 0), ("b.mid", 3)):
        write_seed(tmp_path / name, compose_notes(1, bars=8, transposition=transposition))
    _, low = complete(tmp_path / "a.mid", "a-out.mid")
    _, high = complete(tmp_path / "b.mid", "b-out.mid")
    np.testing.assert_array_equal(low.tracks[1].notes["pitch"] + 3, high.tracks[1].notes["pitch"])


def test_the_same_seed_number_gives_the_same_bytes(complete, tmp_path):
    for name in ("a.mid", "b.mid"):
        complete(name=name, top_k=20, temperature=1.5)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_another_seed_number_gives_another_song(tmp_path, model_folder):
    seed = write_seed(tmp_path / "seed.mid")
    for number in (1, 2):
        generate.main(Parameters(seed, tmp_path / f"{number}.mid", model_folder, events=30, top_k=20, seed=number,
                                 picture=False))
    assert (tmp_path / "1.mid").read_bytes() != (tmp_path / "2.mid").read_bytes()


def test_prompt_events_cuts_the_seed(complete):
    seed, song = complete(prompt_events=20)
    kept = len(song.tracks[0].notes)
    assert 20 <= kept < len(seed.tracks[0].notes)
    assert song.tracks[1].notes["onset"][0] < seed.tracks[0].notes["onset"][-1]


def test_variations_are_numbered_and_differ(complete, tmp_path):
    complete(variations=3, top_k=20, events=30)
    songs = [(tmp_path / f"out-{number}.mid").read_bytes() for number in (1, 2, 3)]
    assert len(set(songs)) == 3


def test_a_picture_stands_beside_the_song(complete, tmp_path):
    complete(picture=True)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_seed_longer_than_the_window_is_completed(complete, tmp_path):
    seed, song = complete(write_seed(tmp_path / "long.mid", compose_notes(4, bars=200)))
    assert song.tracks[1].notes["onset"][0] >= seed.tracks[0].notes["onset"][-1] - 0.02


def test_a_seed_of_one_note_is_completed(complete, tmp_path):
    one = compose_notes(1)[:1]
    _, song = complete(write_seed(tmp_path / "one.mid", one))
    assert len(song.tracks[1].notes) >= 40


def test_values_that_the_model_lacks_are_reported(complete, tmp_path, capsys):
    strange = compose_notes(1, bars=8)
    strange["pitch"][::7] = 25
    complete(write_seed(tmp_path / "strange.mid", strange))
    assert "values that the model does not know became their nearest:" in capsys.readouterr().out


def test_chance_is_for_the_example_unless_asked_for():
    assert generate.top_k(Parameters()) == 16
    assert generate.top_k(Parameters(song=Path("mine.mid"))) == 1
    assert generate.top_k(Parameters(top_k=3)) == generate.top_k(Parameters(song=Path("mine.mid"), top_k=3)) == 3


def test_a_continuation_of_few_chords_is_told_from_one_of_many():
    few, many = np.tile([[3, 4, 5, 6], [4, 4, 5, 6]], (100, 1)), np.arange(800).reshape(200, 4)
    assert generate.loops(few) and not generate.loops(many)


# --- broken seeds -----------------------------------------------------------------------------------------------------

HEAD = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0"
TRACK = b"MTrk\x00\x00\x00\x0c\x00\x90\x3c\x40\x60\x80\x3c\x00\x00\xff\x2f\x00"  # c4 for 96 ticks

BROKEN_SEEDS = {
    "empty": (b"", "is empty"),
    "text": (b"dear diary, today I wrote a song", "is no MIDI file"),
    "html": (b"<!doctype html><title>404</title>", "is no MIDI file"),
    "mp3": (b"ID3\x04" + bytes(200), "is no MIDI file"),
    "zip": (b"PK\x03\x04" + bytes(200), "is no MIDI file"),
    "header alone": (HEAD, "no note|track"),
    "header cut off": (HEAD[:9], "cut off"),
    "track cut off": (HEAD + TRACK[:-8], "cut off"),
    "no track": (HEAD[:10] + b"\x00\x00" + HEAD[12:], "no note|track"),
    "no note": (HEAD + b"MTrk\x00\x00\x00\x04\x00\xff\x2f\x00", "no note"),
    "division of 0": (HEAD[:12] + b"\x00\x00" + TRACK, "0 ticks"),
    "only drums": (HEAD + TRACK.replace(b"\x90", b"\x99").replace(b"\x80", b"\x89"), "drums"),
    "only notes without length": (HEAD + TRACK.replace(b"\x60\x80", b"\x00\x80"), "no note"),
    "giant delta times": (HEAD + b"MTrk\x00\x00\x00\x12" + b"\xff\xff\xff\x7f\x90\x3c\x40"
                          + b"\xff\xff\xff\x7f\x80\x3c\x00" + b"\x00\xff\x2f\x00", "wanted"),
}


@pytest.mark.parametrize("data, message", BROKEN_SEEDS.values(), ids=BROKEN_SEEDS)
def test_a_broken_seed_gives_one_line(data, message, complete, tmp_path):
    seed = tmp_path / "broken.mid"
    seed.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        complete(seed)
    assert "\n" not in str(caught.value)
    assert "broken.mid" in str(caught.value)
    assert not (tmp_path / "out.mid").exists()


@pytest.mark.parametrize("changes, message", [
    ({"events": 0}, "--events 0, wanted 1 to 100,000"),
    ({"events": 10**9}, "--events 1000000000, wanted"),
    ({"prompt_events": 0}, "--prompt-events 0, wanted"),
    ({"temperature": 0.0}, "temperature 0.0, wanted above 0"),
    ({"top_k": 0}, "top_k 0, wanted 1 or more"),
    ({"seed": -1}, "--seed -1, wanted 0 or more"),
    ({"variations": 2}, "--variations 2 with --top-k 1 are all the same song; wanted --top-k 2 or more"),
    ({"out": Path("song.wav")}, "song.wav: wanted a name that ends in .mid"),
    ({"out": Path("no/such/folder/song.mid")}, "no/such/folder is no folder"),
    ({"song": Path("no-such.mid")}, "no-such.mid: no such file"),
    ({"song": Path()}, "is a folder"),
])
def test_arguments_that_cannot_work_give_one_line(changes, message, tmp_path, model_folder):
    arguments = {"song": write_seed(tmp_path / "seed.mid"), "out": tmp_path / "out.mid", "model": model_folder}
    with pytest.raises(InputError, match=message):
        generate.main(Parameters(**(arguments | changes)))


def test_the_seed_is_never_overwritten(tmp_path, model_folder):
    seed = write_seed(tmp_path / "seed.mid")
    before = seed.read_bytes()
    with pytest.raises(InputError, match="is the seed itself"):
        generate.main(Parameters(seed, seed, model_folder))
    assert seed.read_bytes() == before


def test_from_the_shell_without_tensorflow(tmp_path, model_folder):
    """The whole command: exit code 0, the file is there, and TensorFlow never came into memory."""
    seed, out = write_seed(tmp_path / "seed.mid"), tmp_path / "out.mid"
    probe = ("import sys, runpy; sys.argv = sys.argv[1:]\n"
             "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
             "finally: print('heavy:', sorted({'tensorflow', 'keras', 'jax', 'music21'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", probe, str(SCRIPT), str(seed), str(out), "--model", str(model_folder),
                           "--events", "20"], capture_output=True, text=True, cwd=SCRIPT.parent,
                          env={"PYTHONPATH": str(SCRIPT.parent), "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout
    assert out.exists() and out.with_suffix(".png").exists()


def test_from_the_shell_a_broken_seed_ends_with_code_2(tmp_path, model_folder):
    seed = tmp_path / "broken.mid"
    seed.write_bytes(b"no MIDI")
    done = subprocess.run([sys.executable, str(SCRIPT), str(seed), "--model", str(model_folder)], capture_output=True,
                          text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and "is no MIDI file" in done.stderr and "Traceback" not in done.stderr
