"""The spot check: songs drawn at random, real and synthetic beside each other, on a page to look at and listen to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from serenity.listen import audio, page
from serenity.music import abc_file, codec, harmony
from serenity.music.abc_file import AbcSong
from serenity.music.note import end_time
from serenity.music.song import beat_edges

SYNTHETIC = 2    # songs that are shown beside each real one
LONGEST = 60.0   # seconds of each song that are shown and sound; all of twenty songs would make a page too large


def draw(songs: Sequence[Path], heads: Mapping[Path, AbcSong], count: int,
         rng: np.random.Generator) -> list[tuple[Path, list[Path]]]:
    """Return `count` real songs at random, or all there are, each with SYNTHETIC of its synthetic songs at random."""
    real = [song for song in songs if not heads[song].synthetic]
    made = {}
    for song in songs:
        if heads[song].synthetic:
            made.setdefault(heads[song].source, []).append(song)
    chosen = [real[index] for index in sorted(rng.permutation(len(real))[:count])]
    return [(song, [family[index] for index in sorted(rng.permutation(len(family))[:SYNTHETIC])])
            for song in chosen for family in [made.get(heads[song].source, [])]]


def write(path: Path, drawn: Sequence[tuple[Path, list[Path]]], soundfont: Path | None) -> int:
    """Write the page of the drawn abc files and return its bytes. Without a SoundFont it is silent and says so."""
    silence = audio.missing(soundfont)
    groups = [page.Group(song.stem, tuple(_shown(file, None if silence else soundfont) for file in (song, *family)),
                         together=True) for song, family in drawn]
    note = "Each song as the networks learn it: notes back from its abc file, in its own key."
    return page.write(path, "Serenity: spot check", groups, f"{note} {silence or ''}".strip())


def _shown(file: Path, soundfont: Path | None) -> page.PageSong:
    song = abc_file.read(file)
    notes = codec.decode(song.events, song.tempo_map, song.codec.grid, song.transposition)
    notes = notes[notes["onset"] < LONGEST]
    sound = audio.encode(audio.render([(notes, 0)], soundfont, longest=LONGEST)) if soundfont else None
    return page.PageSong(song.synthetic or "as it is", notes, sound=sound, measures=_measures(song, notes))


def _measures(song: AbcSong, notes: np.ndarray) -> dict[str, str]:
    key = harmony.find_key(notes)
    chords = harmony.find_chords(notes, beat_edges(song.tempo_map, end_time(notes)))
    triads, seconds = harmony.triads(chords, key)
    progression, share = harmony.commonest_progression(triads, seconds)
    return {"key": key.name, "events": f"{len(song.events):,}", "notes a second": f"{len(notes) / end_time(notes):.1f}",
            "commonest progression": f"{progression} ({share:.0%})" if progression else "none"}
