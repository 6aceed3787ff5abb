"""The spot check: songs drawn at random, real and synthetic beside each other, on a page to look at and listen to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from serenity.listen import audio, page
from serenity.music import abc_file, codec, harmony
from serenity.music.abc_file import AbcSong
from serenity.music.harmony import Key, chord_names
from serenity.music.midi_file import Track
from serenity.music.note import end_time
from serenity.music.remarks import Remark
from serenity.music.song import beat_edges

SYNTHETIC = 2    # songs that are shown beside each real one
LONGEST = 60.0   # seconds of each song that are shown and sound; all of twenty songs would make a page too large


def make(path: Path, files: Sequence[Path], count: int, seed: int, soundfont: Path | None) -> tuple[int, int]:
    """Write a page of `count` of the songs in abc files, drawn by chance; return how many real ones it has, and its
    bytes. Without a SoundFont it is silent and says so."""
    drawn = draw(files, {file: abc_file.read_head(file) for file in files}, count, np.random.default_rng(seed))
    silence = audio.missing(soundfont)
    groups = [page.Group(song.stem, tuple(_shown(file, None if silence else soundfont) for file in (song, *family)))
              for song, family in drawn]
    note = "Each song as the networks learn it: notes back from its abc file, in its own key."
    return len(drawn), page.write(path, "Serenity: spot check", groups, f"{note} {silence or ''}".strip())


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


def _shown(file: Path, soundfont: Path | None) -> page.PageSong:
    song = abc_file.read(file)
    notes = codec.decode(song.events, song.tempo_map, song.codec.grid, song.transposition)
    notes = notes[notes["onset"] < LONGEST]
    sound = audio.encode(audio.render([Track("", 0, False, notes)], soundfont, longest=LONGEST)) if soundfont else None
    key = harmony.find_key(notes)
    chords = harmony.find_chords(notes, beat_edges(song.tempo_map, end_time(notes)))
    return page.PageSong(song.synthetic or "as it is", notes, bars=song.tempo_map.bar_onsets(end_time(notes)),
                         chords=[*zip(chords["start"].tolist(), chord_names(chords, key))], sound=sound,
                         measures=_measures(song, notes, key, chords))


def _measures(song: AbcSong, notes: np.ndarray, key: Key, chords: np.ndarray) -> list[Remark]:
    progression, share = harmony.commonest_progression(*harmony.triads(chords, key))
    return [Remark("key", key.name, ""), Remark("events", "", f"{len(song.events):,}"),
            Remark("notes a second", "", f"{len(notes) / end_time(notes):.1f}"),
            Remark("commonest progression", progression, f"{progression} ({share:.0%})" if progression else "none")]
