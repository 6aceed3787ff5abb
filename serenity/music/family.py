"""A family: a song and the synthetic songs made of it, from a song's file to abc files."""

from pathlib import Path

from serenity.errors import InputError
from serenity.music import abc_file, codec, song_file, synthetic
from serenity.music.abc_file import AbcSong
from serenity.music.song import of_score
from serenity.settings import CodecSettings, SongSettings

MELODY = "melody"  # a lead sheet without its chords; the rule of this name finds the melody of other songs


def write(job: tuple[str, str], midi: Path, abc: Path, settings: CodecSettings, songs: SongSettings,
          cache: Path | None = None) -> tuple[list[str], str | None]:
    """Write the abc files of a song and of its synthetic ones; return their names below `abc`, and, where there are
    none, the reason.

    `job` is the file's name below `midi`, and the song's group. A song folder/x.mid becomes folder/x.mid.abc, a
    synthetic song folder/x.mid~close.abc. `cache` is where song_file.py keeps what scores say.
    """
    name, group = job
    try:
        family = read(midi / name, name, group, settings, songs, cache)
    except InputError as error:
        return [], str(error).removeprefix(f"{midi / name}: ")
    files = [f"{name}{'~' * bool(song.synthetic)}{song.synthetic}.abc" for song in family]
    for file, song in zip(files, family):
        (abc / file).parent.mkdir(parents=True, exist_ok=True)
        abc_file.write(abc / file, song)
    return files, None


def read(path: Path, name: str, group: str, settings: CodecSettings, songs: SongSettings, cache: Path | None = None
         ) -> list[AbcSong]:
    """Return the song of a file and its synthetic ones; of songs whose events are the same, only the first. A lead
    sheet is there without its chords, too.

    Raises InputError where the file cannot be read, or where one of the songs has too many events.
    """
    score = song_file.read(path, cache)
    song = of_score(score, settings.category)
    versions = {"": song}
    if melody := song_file.melody_of(score):
        versions[MELODY] = song.with_notes(of_score(melody, settings.category).notes)
    if songs.synthetic:
        notes = codec.on_grid(song, settings)  # what was struck together is so to the instant, in all of them
        for rule, other in synthetic.make_songs(notes, songs.synthetic, songs.seed, settings.category).items():
            versions.setdefault(rule, song.with_notes(other))  # a melody as it is written comes first
    family, key = {}, None
    for rule, version in versions.items():
        encoded = codec.encode(version, settings, key)
        key = encoded.key  # the song's own, which comes first
        if len(encoded.events) > songs.max_events:
            raise InputError(f"holds {len(encoded.events):,} events; wanted {songs.max_events:,} at most")
        made = AbcSong(name, group, str(encoded.key), encoded.transposition, encoded.folded, song.beats.source,
                       song.tempo_map, settings, encoded.events, rule)
        family.setdefault(encoded.events.tobytes(), made)
    return list(family.values())
