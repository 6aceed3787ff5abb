"""Sound: tracks of notes, played by a SoundFont.

Nothing else needs sound, and its libraries (the extra `sound` in pyproject.toml) may be absent. So a caller asks
`missing` first, and if it returns a text, prints it and continues without sound.

midirenderer plays (RustySynth, a SoundFont 2 synthesizer with reverb and chorus); its wheels need nothing else. The
SoundFont is the user's own, or TimGM6mb from the package pretty_midi (which is read as a folder, never imported), or
one of the system's. soundfile makes MP3, which every browser plays; without it sound is WAV.
"""

import importlib.util
import io
import math
import os
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.music import midi_file
from serenity.music.layout import trim
from serenity.music.midi_file import Track
from serenity.music.note import end_time
from serenity.music.tempo_map import DEFAULT_QUARTER, TempoMap, tempos

SAMPLE_RATE = 48_000  # a second; midirenderer's
PEAK = 0.89           # of full scale, -1 dB: MP3 needs a little room above
LONGEST = 300.0       # seconds; rendering takes about 1 MB of memory for each
TAIL = 2.5            # seconds after the last note, for its release and the room
FADE = 1.0            # seconds at the end in which what still sounds goes out
RESOLUTION = 9600     # ticks a quarter note, at 120 a minute: 0.05 ms
MP3_QUALITY = 0.5     # libsndfile's compression level, 0 best to 1 smallest: about 50 kbit a second for one channel

SYSTEM_SOUNDFONTS = (  # where Linux distributions put theirs
    "/usr/share/sounds/sf2/default-GM.sf2", "/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/soundfonts/default.sf2",
)


@dataclass(frozen=True)
class Encoded:
    """Sound as the bytes of a file."""

    content: bytes
    kind: str  # MIME type: audio/mpeg or audio/wav
    seconds: float


# --- what there is --------------------------------------------------------------------------------------------------

def find_soundfont(own: str | os.PathLike | None = None) -> Path | None:
    """Return the SoundFont to play with: the user's own, pretty_midi's, the system's, or None.

    InputError where the user's own is not a SoundFont 2 file.
    """
    if own is not None:
        own = Path(own)
        if not own.is_file():
            raise InputError(f"{own}: no such file; wanted a SoundFont (.sf2)")
        if not _is_soundfont(own):
            raise InputError(f"{own}: is not a SoundFont 2 file; wanted one (.sf2)")
        return own
    package = importlib.util.find_spec("pretty_midi")
    packed = [Path(folder, "TimGM6mb.sf2") for folder in (package.submodule_search_locations if package else ())]
    return next((path for path in (*packed, *map(Path, SYSTEM_SOUNDFONTS)) if path.is_file()), None)


def _is_soundfont(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"sfbk"


def missing(soundfont: Path | None) -> str | None:
    """Return in one line why there can be no sound, or None where there can."""
    try:
        import midirenderer  # noqa: F401
    except ImportError:
        return "no sound: the package midirenderer is not installed; there may be none for this machine"
    if soundfont is None:
        return "no sound: there is no SoundFont; you can name one of your own (.sf2)"
    return None


# --- notes -> samples -----------------------------------------------------------------------------------------------

def render(tracks: Iterable[Track], soundfont: Path, longest: float = LONGEST) -> np.ndarray:
    """Return the sound of tracks played together, of one channel, float32 (samples,) at SAMPLE_RATE.

    The loudest sample is PEAK; a tail follows the last note, and what sounds beyond `longest` seconds is faded out.
    The same tracks give the same sound. Of more than 15 tracks, some share the first ones' programs. InputError where
    the SoundFont cannot be used, or there is no note.
    """
    import midirenderer

    tracks = [trim(track, longest) for track in tracks]
    end = max((end_time(midi_file.sustain(track.notes, track.pedals)) for track in tracks if len(track.notes)),
              default=None)
    if end is None:
        raise InputError("holds no note to play; wanted one or more")
    # The file ends with its last event, and the sound with the file: a tempo that changes nothing makes room for the
    # tail.
    quarters = (end + TAIL) * 1e6 / DEFAULT_QUARTER
    clock = TempoMap(tempos((0.0, DEFAULT_QUARTER), (quarters, DEFAULT_QUARTER)), ticks_per_quarter=RESOLUTION)
    song = midi_file.to_bytes(tracks, clock)
    try:
        played = midirenderer.render_wave_from(_content(soundfont), song)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a damaged SoundFont raises RuntimeError or Rust's panic, which is not an Exception
        raise InputError(f"{soundfont}: cannot be played ({error}); wanted a SoundFont 2 file (.sf2)") from None
    with wave.open(io.BytesIO(played)) as file:
        count = min(file.getnframes(), math.ceil((end + TAIL) * SAMPLE_RATE))
        samples = np.frombuffer(file.readframes(count), "<i2").reshape(-1, 2).mean(axis=1, dtype=np.float32)
    fade = samples[-round(FADE * SAMPLE_RATE):]
    fade *= np.linspace(1, 0, len(fade), dtype=np.float32)
    peak = np.abs(samples).max()
    if not peak:
        raise InputError(f"{soundfont}: plays these notes without a sound; wanted a SoundFont with their instruments")
    samples *= PEAK / peak
    return samples


@lru_cache(maxsize=1)
def _content(soundfont: Path) -> bytes:
    return Path(soundfont).read_bytes()


# --- samples -> files -----------------------------------------------------------------------------------------------

def encode(samples: np.ndarray, small: bool = True) -> Encoded:
    """Return the sound, float (samples,), as a file: MP3; WAV without soundfile, or where it need not be small, which
    is made at once.
    """
    seconds = len(samples) / SAMPLE_RATE
    if not small or suffix() == ".wav":
        return Encoded(_wav(samples), "audio/wav", seconds)
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="MP3", compression_level=MP3_QUALITY, bitrate_mode="VARIABLE")
    return Encoded(buffer.getvalue(), "audio/mpeg", seconds)


def suffix() -> str:
    """Return the ending of the small files that `encode` makes here."""
    try:
        import soundfile  # noqa: F401
    except (ImportError, OSError):  # OSError: the package is there without its library
        return ".wav"
    return ".mp3"


def _wav(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
