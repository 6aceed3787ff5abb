"""Nobody listens to a test: sound is measured."""

import importlib.util
import io
import sys
import wave

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.listen import audio
from serenity.listen.audio import PEAK, SAMPLE_RATE, TAIL, encode, find_soundfont, missing, render, suffix
from serenity.music import midi_file
from serenity.music.midi_file import Track
from serenity.music.note import NOTE, note_table
from tests.real_midi import FILES

PIANO, VIOLIN = 0, 40
SOUNDFONT = find_soundfont()
SILENCE = missing(SOUNDFONT)
with_sound = pytest.mark.skipif(SILENCE is not None, reason=str(SILENCE))
SINE = 0.4 * np.sin(2 * np.pi * 440 / SAMPLE_RATE * np.arange(SAMPLE_RATE))


def a4(onset=0.0, duration=1.0, velocity=90):
    return note_table([onset], [duration], [69], [velocity])


def played(notes, program=PIANO, **how):
    return render([track(notes, program)], SOUNDFONT, **how)


def track(notes, program=PIANO):
    return Track("", program, False, notes)


def level(samples, begin, end):
    """Return the root mean square between two times, seconds."""
    return float(np.sqrt(np.mean(samples[round(begin * SAMPLE_RATE):round(end * SAMPLE_RATE)] ** 2)))


def strongest(samples):
    """Return the frequency, Hz, of which a second of sound has most."""
    return int(np.argmax(np.abs(np.fft.rfft(samples[:SAMPLE_RATE]))))


# --- rendering ------------------------------------------------------------------------------------------------------


@with_sound
@pytest.mark.parametrize(("pitch", "frequency"), [(57, 220), (69, 440), (76, 659)])
def test_a_note_sounds_at_its_pitch(pitch, frequency):
    notes = note_table([0], [1], [pitch], [90])
    assert abs(strongest(played(notes, VIOLIN)) - frequency) <= frequency / 100


@with_sound
def test_sound_is_as_loud_as_may_be_and_ends_in_silence_after_a_tail():
    samples = played(a4())
    assert samples.dtype == np.float32 and samples.shape == (round((1 + TAIL) * SAMPLE_RATE),)
    assert np.abs(samples).max() == pytest.approx(PEAK)
    assert not samples[-1] and level(samples, 1.2, 1 + TAIL) < level(samples, 0, 1) / 4


@with_sound
def test_a_louder_note_is_louder_and_a_pause_is_quiet():
    notes = np.concatenate([a4(0, 0.5, 40), a4(3, 0.5, 110)])
    samples = played(notes)
    assert level(samples, 3, 3.5) > 2 * level(samples, 0, 0.5) > 20 * level(samples, 2.5, 3)


@with_sound
def test_tracks_sound_together_each_with_its_program():
    fading, held = (played(a4(0, 3), program) for program in (PIANO, VIOLIN))
    assert level(held, 2, 3) / level(held, 0, 1) > 2 * level(fading, 2, 3) / level(fading, 0, 1)
    both = [track(a4(0, 3)), track(note_table([0], [3], [88], [90]), VIOLIN)]
    spectrum = np.abs(np.fft.rfft(render(both, SOUNDFONT)[:SAMPLE_RATE]))
    assert min(spectrum[435:446].max(), spectrum[1308:1330].max()) > 100 * np.median(spectrum)


@with_sound
def test_drums_are_played_on_the_drum_channel():
    snare = Track("", 0, True, note_table([0], [0.5], [38], [100]))  # noise, no tone
    tone, noise = (np.abs(np.fft.rfft(render([one], SOUNDFONT)[:SAMPLE_RATE]))
                   for one in (track(snare.notes), snare))
    assert np.median(noise) / noise.max() > 5 * np.median(tone) / tone.max()


@with_sound
def test_the_pedal_is_heard():
    dry, held = (render([Track("", PIANO, False, a4(0, 0.3), np.array(pedals).reshape(-1, 2))], SOUNDFONT)
                 for pedals in ([], [[0, 3]]))
    assert level(held, 2, 3) > 5 * level(dry, 2, 3)
    assert len(held) == round((3 + TAIL) * SAMPLE_RATE)


@with_sound
def test_a_long_song_is_cut_and_fades_out():
    notes = note_table([0, 2, 4, 3000], [10, 1, 1, 1], [60, 64, 67, 72], [90] * 4)
    samples = played(notes, longest=3)
    assert len(samples) == round((3 + TAIL) * SAMPLE_RATE) and not samples[-1]
    kept = note_table([0, 2], [3, 1], [60, 64], [90] * 2)
    assert np.array_equal(samples, played(kept))


@with_sound
def test_the_same_tracks_give_the_same_sound_and_stay_as_they_were():
    tracks = [Track("", PIANO, False, a4(0, 5), np.array([[0.0, 4.0]]))]
    before = tracks[0].notes.copy(), tracks[0].pedals.copy()
    assert np.array_equal(render(tracks, SOUNDFONT, longest=1), render(tracks, SOUNDFONT, longest=1))
    assert np.array_equal(tracks[0].notes, before[0]) and np.array_equal(tracks[0].pedals, before[1])


@with_sound
@pytest.mark.parametrize("tracks", [[], [track(np.empty(0, NOTE))], [track(a4(10))]])
def test_nothing_to_play_is_the_inputs_fault(tracks):
    with pytest.raises(InputError, match="holds no note to play"):
        render(tracks, SOUNDFONT, longest=5)


@with_sound
@pytest.mark.parametrize("path", FILES[::7], ids=lambda path: path.name)
def test_real_songs_sound_wherever_notes_do(path):
    tracks = midi_file.read(path).tracks
    samples = render(tracks, SOUNDFONT, longest=8)
    assert np.abs(samples).max() == pytest.approx(PEAK)
    for onset in np.concatenate([track.notes["onset"] for track in tracks]):
        if onset < 7.5:
            assert level(samples, onset, onset + 0.3) > 0.001


# --- what may be missing ----------------------------------------------------------------------------------------------


def test_without_the_synthesizer_there_is_a_line_and_no_sound(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "midirenderer", None)
    assert missing(tmp_path).startswith("no sound: the package midirenderer is not installed")


def test_without_a_soundfont_there_is_a_line_and_no_sound(monkeypatch):
    monkeypatch.setitem(sys.modules, "midirenderer", audio)  # there, whatever it is
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(audio, "SYSTEM_SOUNDFONTS", ())
    assert find_soundfont() is None
    assert missing(None).startswith("no sound: there is no SoundFont")


def test_the_systems_soundfont_is_taken_where_pretty_midi_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(audio, "SYSTEM_SOUNDFONTS", (str(tmp_path / "absent.sf2"), __file__))
    assert str(find_soundfont()) == __file__


def test_finding_a_soundfont_does_not_import_the_package_it_lies_in(monkeypatch):
    monkeypatch.delitem(sys.modules, "pretty_midi", raising=False)  # another test may have needed it
    find_soundfont(None)
    assert "pretty_midi" not in sys.modules


def test_ones_own_soundfont_is_taken_and_checked(tmp_path):
    own = tmp_path / "own.sf2"
    own.write_bytes(b"RIFF\x04\x00\x00\x00sfbk")
    assert find_soundfont(own) == own
    own.write_bytes(b"RIFF\x04\x00\x00\x00WAVE")
    with pytest.raises(InputError, match=r"own\.sf2: is not a SoundFont 2 file; wanted one \(\.sf2\)"):
        find_soundfont(own)
    with pytest.raises(InputError, match=r"no such file; wanted a SoundFont"):
        find_soundfont(tmp_path / "absent.sf2")


@with_sound
@pytest.mark.parametrize("damage", ["cut", "inside"])
def test_a_damaged_soundfont_is_the_inputs_fault(damage, tmp_path):
    content = bytearray(SOUNDFONT.read_bytes())
    start = content.find(b"shdr")  # where the headers of its samples stand
    broken = content[:start] if damage == "cut" else content[:start + 8] + bytes([255]) * (len(content) - start - 8)
    (tmp_path / "own.sf2").write_bytes(broken)
    with pytest.raises(InputError, match=r"own\.sf2: (cannot be played|plays these notes without a sound)"):
        render([track(a4())], tmp_path / "own.sf2")


# --- files ----------------------------------------------------------------------------------------------------------


def test_mp3_is_small_and_sounds_the_same():
    soundfile = pytest.importorskip("soundfile")
    encoded = encode(SINE)
    assert (encoded.kind, suffix(), encoded.seconds) == ("audio/mpeg", ".mp3", 1.0)
    assert len(encoded.content) < 20_000
    decoded, rate = soundfile.read(io.BytesIO(encoded.content))
    assert decoded.shape == (SAMPLE_RATE,) and rate == SAMPLE_RATE
    assert strongest(decoded) == 440 and np.abs(decoded).max() < 1
    assert level(decoded, 0.1, 0.9) == pytest.approx(level(SINE, 0.1, 0.9), rel=0.02)


def test_without_soundfile_sound_is_wav(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    encoded = encode(SINE)
    assert (encoded.kind, suffix(), encoded.seconds) == ("audio/wav", ".wav", 1.0)
    with wave.open(io.BytesIO(encoded.content)) as file:
        assert (file.getnchannels(), file.getnframes(), file.getframerate()) == (1, SAMPLE_RATE, SAMPLE_RATE)


def test_wav_holds_the_samples_and_clips_rather_than_turning_over(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    samples = np.array([0.0, 0.5, 1.5, -1.5], np.float32)
    with wave.open(io.BytesIO(encode(samples).content)) as file:
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [0, 16384, 32767, -32767]
