"""What benchmarks read of a folder."""

from pathlib import Path

from serenity.midi_container import is_midi_name
from serenity.music.song_file import songs_below


def midi_files_below(folder: Path) -> list[Path]:
    """Return all MIDI files below a folder, in order, without scores. Raises InputError where there is no folder."""
    return [path for path in songs_below(folder) if is_midi_name(path.name)]
