"""A family: a song and its synthetic siblings, from a MIDI file to abc files."""

from pathlib import Path

from serenity.errors import InputError
from serenity.music import abc_file, codec, midi_file, synthesis
from serenity.music.abc_file import AbcSong
from serenity.music.codec import CodecSettings
from serenity.music.song import of_score


def write(job: tuple[str, str], midi: Path, abc: Path, settings: CodecSettings, siblings: int, seed: int,
          max_events: int) -> tuple[list[str], str | None]:
    """Write the abc files of a song and its siblings; return their names below `abc`, and why there are none, if so.

    `job` is the MIDI file's name below `midi`, and the song's group. A song folder/x.mid becomes folder/x.mid.abc, a
    sibling folder/x.mid~close.abc.
    """
    name, group = job
    try:
        songs = read(midi / name, name, group, settings, siblings, seed, max_events)
    except InputError as error:
        return [], str(error).removeprefix(f"{midi / name}: ")
    files = [f"{name}{'~' * bool(song.synthesis)}{song.synthesis}.abc" for song in songs]
    for file, song in zip(files, songs):
        (abc / file).parent.mkdir(parents=True, exist_ok=True)
        abc_file.write(abc / file, song)
    return files, None


def read(path: Path, name: str, group: str, settings: CodecSettings, siblings: int, seed: int,
         max_events: int) -> list[AbcSong]:
    """Return the song of a MIDI file and its siblings; of those that come to the same events the first.

    Raises InputError where the file cannot be read, or one of them has more than `max_events`.
    """
    song = of_score(midi_file.read(path), settings.category)
    versions = [("", song)]
    if siblings:
        notes = codec.on_grid(song, settings)  # what was struck together is so to the instant, in all of them
        versions += [(sibling.name, song.with_notes(sibling.notes))
                     for sibling in synthesis.siblings(notes, siblings, seed, settings.category)]
    songs, key = {}, None
    for rule, version in versions:
        encoded = codec.encode(version, settings, key)
        key = encoded.key  # the song's own, which comes first
        if len(encoded.events) > max_events:
            raise InputError(f"holds {len(encoded.events):,} events; wanted {max_events:,} at most")
        made = AbcSong(name, group, str(encoded.key), encoded.transposition, encoded.folded, song.beats.source,
                       song.tempo_map, settings, encoded.events, rule)
        songs.setdefault(encoded.events.tobytes(), made)
    return list(songs.values())
