"""What a MIDI file is: the endings of its name, and the MIDI bytes inside of what is wrapped around them.

Three forms are known, and every script takes all of them, whatever the name says: plain, in a RIFF wrapper (.rmi), and
packed with gzip. What is wrapped stays wrapped on disk; whoever reads it calls `unwrapped`.

Source of the wrapper: RP-029, Bundling SMF and DLS data in an RMID file (MIDI Manufacturers Association).
"""

import gzip
import io
import struct
import zlib

from serenity.errors import InputError

PLAIN_ENDINGS = (".mid", ".midi", ".smf", ".kar", ".rmi")
ENDINGS = (*PLAIN_ENDINGS, *(f"{ending}.gz" for ending in PLAIN_ENDINGS))
MAGIC = b"MThd"
GZIP_MAGIC = b"\x1f\x8b"
START = 4096  # bytes that show what a file is


def is_midi_name(name: str) -> bool:
    """Return whether a name ends like that of a MIDI file, and is not one that macOS puts beside it."""
    return name.lower().endswith(ENDINGS) and not is_left_by_macos(name)


def is_left_by_macos(name: str) -> bool:
    """Return whether a path is one of those that macOS adds to archives and foreign disks: folder/._song.mid."""
    return any(part.startswith(("._", "__MACOSX")) for part in name.split("/"))


def begins_like_midi(start: bytes) -> bool:
    """Return whether a file that begins with these bytes, START or all of them, is a MIDI file, wrapped or not."""
    if start.startswith(GZIP_MAGIC):
        try:
            start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, START)
        except zlib.error:
            return False
    return start.startswith(MAGIC) or _is_riff(start)


def beginning(data: bytes) -> str:
    """Return how a file begins, for a person: the first letters, or bytes in hexadecimal digits."""
    start = data[:12]
    text = start.decode("ascii", "replace")
    return repr(text) if text.isascii() and text.strip().replace("\n", " ").isprintable() else start.hex(" ")


def unwrapped(data: bytes, largest: int) -> bytes:
    """Return the MIDI bytes inside of a file's; what is not wrapped is returned as it is.

    Raises InputError for a broken wrapper, and where more than `largest` bytes are inside.
    """
    if data.startswith(GZIP_MAGIC):
        data = gunzipped(data, largest)
    return _inside_riff(data) if _is_riff(data) else data


def gunzipped(data: bytes, largest: int) -> bytes:
    """Return what was packed with gzip. Raises InputError where it is broken, or more than `largest` bytes."""
    try:
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(data)).read(largest + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"is broken: gzip cannot unpack it ({error})") from None
    if len(unpacked) > largest:
        raise InputError(f"unpacks to more than {largest:,} bytes; wanted at most so many")
    return unpacked


def _is_riff(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"RMID"


def _inside_riff(data: bytes) -> bytes:
    """Return what stands from the content of the chunk "data" on: its length is often wrong, and MIDI says its own."""
    start = 12
    while start + 8 <= len(data):
        name, size = struct.unpack_from("<4sL", data, start)
        if name == b"data":
            return data[start + 8:]
        start += 8 + size + size % 2  # chunks begin at even bytes
    raise InputError("is a RIFF wrapper (.rmi) with no MIDI data in it; wanted a MIDI file")
