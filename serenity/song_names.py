"""Names of songs' files: MIDI files, and scores in notation."""

from serenity import midi_container, notation
from serenity.midi_container import is_left_by_macos, is_midi_name

PLAIN_ENDINGS = midi_container.PLAIN_ENDINGS + notation.ENDINGS
ENDINGS = midi_container.ENDINGS + notation.ENDINGS


def is_song_name(name: str) -> bool:
    """Return whether a name ends like that of a song's file, and like that of nothing else: not so .xml."""
    return is_midi_name(name) or name.lower().endswith(notation.SURE_ENDINGS) and not is_left_by_macos(name)


def may_be_song(name: str) -> bool:
    """Return whether a name may be that of a song's file; what it holds must say so where is_song_name does not."""
    return is_midi_name(name) or notation.is_notation_name(name) and not is_left_by_macos(name)


def without_ending(name: str) -> str:
    """Return the name of a song's file without its ending, and any other name as it is."""
    return name[:len(name) - len(ending_of(name))]


def ending_of(name: str) -> str:
    """Return the ending of a song's file as it is written there; "" where it has none of them."""
    lower = name.lower()
    return name[len(name) - max((len(ending) for ending in ENDINGS if lower.endswith(ending)), default=0):]
