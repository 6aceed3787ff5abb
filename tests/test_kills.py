"""kill -9 between any two changes of files: what is run again comes to what an undisturbed run left.

The kill is played in this process: from a moment on, no change of a file goes through any more, not even what `finally`
would clean up. benchmarks/kills.py sends the true signal, 50 times to each script.
"""

import sys
from pathlib import Path

import pytest

import preprocess
import train
from benchmarks import kills
from serenity import settings as model_settings
from serenity.listen import histograms
from serenity.music import midi_file
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES
from tests.scripts import call
from tests.songs import abc_songs, compose_notes

PREPROCESS = ("--no-filters", "--synthetic", "2", "--workers", "1")
TRAIN = ("--tokens", "../tokens", "--model", "model", "--epochs", "2", "--attributes", "step", "--batch", "4",
         "--prompt-events", "16", "--continuation-events", "24")


class Killed(BaseException):
    """Stands for the end of the process."""


class Hook:
    """The one hook of this process; sys.audit never lets go of it."""

    moments = None

    def __call__(self, event, arguments):
        if self.moments:
            self.moments(event, arguments)


HOOK = Hook()


@pytest.fixture(scope="module", autouse=True)
def hooked():
    sys.addaudithook(HOOK)


class Dead(kills.Moments):
    """Lets nothing through from moment `at` on."""

    def __call__(self, event, arguments):
        self.at = max(self.at, self.count + 1) if self.count >= self.at > 0 else self.at
        super().__call__(event, arguments)


def end():
    raise Killed


def run(script, arguments, folder, at=0):
    """Run a script; return how many moments it had, None where it was killed."""
    HOOK.moments = Dead(folder, at, end)
    try:
        done = call(script, *arguments, folder=folder)
    except Killed:
        return None
    finally:
        count, HOOK.moments = HOOK.moments.count, None
    assert done.returncode == 0, done.stderr
    return count


def write_songs(folder):
    for number in range(2):
        (folder / "data/midi").mkdir(parents=True, exist_ok=True)
        track = midi_file.Track("Piano", 0, False, compose_notes(number, 4))
        midi_file.write(folder / f"data/midi/{number}.mid", [track])
    return folder


def spread(moments, count):
    return [1 + number * (moments - 1) // (count - 1) for number in range(count)]


def test_preprocess(tmp_path, monkeypatch):
    monkeypatch.setattr(histograms, "save", lambda path, lines: path.write_bytes(b"a picture"))  # matplotlib is slow
    whole = write_songs(tmp_path / "whole")
    moments = run(preprocess, PREPROCESS, whole)
    wanted = kills.result_of(whole)
    assert moments > 40
    for at in spread(moments, 7):
        folder = write_songs(tmp_path / f"at {at}")
        assert run(preprocess, PREPROCESS, folder, at) is None
        run(preprocess, PREPROCESS, folder)
        assert kills.result_of(folder) == wanted


def test_train(tmp_path, eagerly, monkeypatch):
    monkeypatch.setitem(model_settings.PRESETS["serenity"], "mini", dict.fromkeys(ATTRIBUTES, kills.small_network()))
    songs = dict(abc_songs(4, bars=2))
    corpora.build(tmp_path / "tokens", [corpora.Entry(name, name) for name in songs], songs.__getitem__)
    (tmp_path / "whole").mkdir()
    moments = run(train, TRAIN, tmp_path / "whole")
    wanted = kills.result_of(tmp_path / "whole")
    assert moments > 20
    for at in spread(moments, 5):
        folder = tmp_path / f"at {at}"
        folder.mkdir()
        assert run(train, TRAIN, folder, at) is None
        begun = list(Path(folder / "model").glob("*.npz"))
        run(train, (*TRAIN, *(["--resume"] if begun else [])), folder)
        assert kills.result_of(folder) == wanted
