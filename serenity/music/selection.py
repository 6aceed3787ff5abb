"""Selection: which files of a folder become songs, and why the others do not.

`assess` looks at one file, `select` at all of them together, since a song may be there twice.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from serenity.errors import InputError
from serenity.music import harmony, quality, song_file
from serenity.music.fingerprint import fingerprint, similar_pairs
from serenity.music.song import of_score


def assess(path: Path, category: str = "piano", cache: Path | None = None) -> dict:
    """Return what one MIDI file or score is worth, as values that JSON can hold.

    `cache` is where song_file.py keeps what scores say.

    `reason` is None, or why the file cannot be read. Otherwise there are `measures` (quality.MEASURES), `key`, `beat`,
    `progression` (the song's commonest) and `fingerprint` (hex; "" where the song is too short for one).
    """
    try:
        song = of_score(song_file.read(path, cache), category)
    except InputError as error:
        return {"reason": f"unreadable: {str(error).removeprefix(f'{path}: ')}"}
    key = harmony.find_key(song.struck)
    chords = harmony.find_chords(song.struck, song.beat_edges)
    marks = fingerprint(song.notes)
    return {
        "reason": None,
        "measures": {name: float(f"{value:.5g}") for name, value in
                     quality.measure(song.notes, song.struck, chords, key, category).items()},
        "key": key.name,
        "beat": str(song.beats),
        "progression": harmony.commonest_progression(*harmony.triads(chords, key))[0],
        "fingerprint": "" if marks is None else marks.tobytes().hex(),
    }


def assess_in(folder: Path, name: str, category: str, cache: Path | None = None) -> dict:
    """Return what `assess` finds in a file below a folder.

    One file that the code stumbles over does not end a night's work: that is its reason.
    """
    try:
        return assess(folder / name, category, cache)
    except Exception as error:
        return {"reason": f"failed: {type(error).__name__}: {error}"}


def select(songs: dict[str, dict], filtered: bool = True) -> list[dict]:
    """Return a line of the report for each song: by name what `assess` returned -> song, kept, reason, score, measures.

    Of songs that are alike the one with the highest score stays. With `filtered` False all that can be read is kept.
    """
    lines = []
    for name, song in sorted(songs.items()):
        if song["reason"]:
            lines.append({"song": name, "kept": False, "reason": song["reason"], "score": None, "measures": None})
            continue
        verdict = quality.judge(song["measures"])
        lines.append({"song": name, "kept": verdict.kept or not filtered,
                      "reason": verdict.reason if filtered else None, "score": round(verdict.score, 3),
                      "key": song["key"], "beat": song["beat"],
                      "progression": song["progression"], "measures": song["measures"]})
    if filtered:
        _drop_copies(lines, songs)
    return lines


def _drop_copies(lines: list[dict], songs: dict[str, dict]) -> None:
    """Mark the lines of songs that are like a better one."""
    rivals = [line for line in lines if line["kept"] and songs[line["song"]]["fingerprint"]]
    rivals.sort(key=lambda line: (-line["score"], line["song"]))  # the better first
    if not rivals:
        return
    prints = np.stack([np.frombuffer(bytes.fromhex(songs[line["song"]]["fingerprint"]), np.uint32) for line in rivals])
    for better, other in similar_pairs(prints):
        if rivals[better]["kept"] and rivals[other]["kept"]:
            is_same = (prints[better] == prints[other]).all()
            rivals[other] |= {"kept": False,
                              "reason": f"{'copy' if is_same else 'near-copy'} of {rivals[better]['song']}"}


def totals(lines: list[dict]) -> Counter:
    """Return how many songs each kind of reason refused: its first word."""
    return Counter(line["reason"].split()[0].rstrip(":") for line in lines if not line["kept"])
