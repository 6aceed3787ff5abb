"""Turn MIDI files into abc text, then into tokens.

    preprocess.py                       data/midi -> data/abc -> data/tokens
    preprocess.py --midi ~/my-midi      one's own files
    preprocess.py --abc-only            tokens from the abc files as they are, after editing them by hand
"""

import os
from dataclasses import dataclass
from pathlib import Path

import config
from serenity.command_line import run
from serenity.errors import InputError


@dataclass(frozen=True)
class Parameters:
    """Turn MIDI files into abc text, then into tokens."""

    midi: Path = config.MIDI           # folder of MIDI files, searched through all its folders
    abc: Path = config.ABC             # folder of abc files, one a song
    tokens: Path = config.TOKENS       # folder of the token store that train.py reads
    abc_only: bool = False             # leave MIDI alone: make tokens from all abc files as they are
    workers: int = os.cpu_count() or 1  # processes
    category: str = "piano"            # piano, violin, viola or cello: centre pitch and range
    normalise: str = "key"             # key (to C major or A minor), centre (to the centre pitch) or none
    time_step: float = 0.02            # seconds; onsets nearer than this are one strike
    split_ratio: float | None = 1.5    # longest/shortest duration in one chord; None: one chord an onset
    top_k_pitch: int = 5000            # dictionary: so many of the commonest chords
    top_k_timing: int = 1000           # dictionary: so many of the commonest steps, and durations
    max_events: int = 20_000           # longer songs are refused: medleys and machine music


def main(parameters: Parameters) -> None:
    """Run both stages and say what came of them."""
    if parameters.workers < 1:
        raise InputError(f"workers {parameters.workers}, wanted 1 or more")
    if min(parameters.top_k_pitch, parameters.top_k_timing) < 1:
        raise InputError("top_k of 0 or less; wanted 1 or more")
    from serenity.tokens.corpus import refuse_other_files

    refuse_other_files(parameters.tokens)  # before the work, not after it
    names = songs_in(parameters.abc, (".abc",)) if parameters.abc_only else make_abc(parameters)
    if not names:
        raise InputError(f"{parameters.abc} holds no abc file; run preprocess.py without --abc-only")
    make_tokens(parameters, names)


def make_abc(parameters: Parameters) -> list[Path]:
    """Write one abc file for each MIDI file that can be used; return their paths below the abc folder."""
    from functools import partial

    from serenity.music.codec import CodecSettings

    settings = CodecSettings(parameters.category, parameters.normalise, parameters.time_step, parameters.split_ratio)
    files = songs_in(parameters.midi, (".mid", ".midi", ".kar"))
    if not files:
        raise InputError(f"{parameters.midi} holds no MIDI file; wanted a folder that fetch.py filled")
    groups = origins(parameters.midi)
    jobs = [(file, groups.get(file.as_posix(), {}).get("group") or file.with_suffix("").as_posix()) for file in files]
    work = partial(midi_to_abc, midi=parameters.midi, abc=parameters.abc, settings=settings,
                   max_events=parameters.max_events)
    written, refused = [], []
    for result in in_parallel(work, jobs, parameters.workers, "MIDI to abc"):
        (written if isinstance(result, Path) else refused).append(result)
    for message in refused:
        print(f"refused: {message}")
    print(f"abc: {len(written)} songs in {parameters.abc}, {len(refused)} refused")
    if not written:
        raise InputError(f"none of the {len(files)} files in {parameters.midi} could be used")
    return written


def midi_to_abc(job: tuple[Path, str], midi: Path, abc: Path, settings, max_events: int) -> Path | str:
    """Write one song's abc file and return its path below `abc`, or one line that says why not."""
    from serenity.music import abc_file, codec, instruments, midi_file

    file, group = job
    try:
        notes = instruments.choose(midi_file.read(midi / file), settings.category).notes
        song = codec.encode(notes, settings)
        if len(song.events) > max_events:
            raise InputError(f"holds {len(song.events):,} events; wanted {max_events:,} at most")
    except InputError as error:
        return str(error) if str(midi / file) in str(error) else f"{midi / file}: {error}"
    target = Path(f"{file}.abc")  # with the MIDI file's ending kept: x.mid and x.midi are two songs
    (abc / target).parent.mkdir(parents=True, exist_ok=True)
    abc_file.write(abc / target, abc_file.AbcSong(file.as_posix(), group, str(song.key), song.transposition,
                                                  song.folded, settings, song.events))
    return target


def make_tokens(parameters: Parameters, names: list[Path]) -> None:
    """Write the token store of the abc songs at `names`, and say what it holds."""
    from collections import Counter
    from functools import partial

    from serenity.music import abc_file
    from serenity.tokens import corpus
    from serenity.tokens.vocabulary import ATTRIBUTES, TOP_K

    top_k = TOP_K | {"pitch": parameters.top_k_pitch, "step": parameters.top_k_timing,
                     "duration": parameters.top_k_timing}
    passes = iter(("reading", "counting", "writing tokens"))

    def songs():
        paths = [parameters.abc / name for name in names]
        loaded = in_parallel(partial(abc_file.read), paths, parameters.workers, next(passes))
        return ((name.as_posix(), song) for name, song in zip(names, loaded))

    known = origins(parameters.midi)
    licences = Counter(known.get(str(name.with_suffix("")), {}).get("licence") or "unknown" for name in names)
    totals = corpus.build(parameters.tokens, songs, top_k, dict(licences))
    exact = ", ".join(f"{attribute} {totals['exact'][attribute] / totals['events']:.2%}" for attribute in ATTRIBUTES)
    print(f"tokens: {totals['songs']} songs ({totals['train']} training, {totals['validation']} validation, "
          f"{totals['test']} test), {totals['events']:,} events in {parameters.tokens}")
    print(f"known exactly to the dictionaries: {exact}; the others became their nearest, none was dropped")


def songs_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return all files below a folder with one of the endings, relative to it, in order."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; wanted one with {', '.join(endings)} files")
    return sorted(path.relative_to(folder) for path in folder.rglob("*")
                  if path.suffix.lower() in endings and path.is_file())


def origins(folder: Path) -> dict[str, dict]:
    """Return what fetch.py's manifest says of each stored file, by its path below the folder."""
    from serenity.sources import manifest

    return {record["stored"]: record for record in manifest.read(folder) if record.get("stored")}


def in_parallel(work, jobs: list, workers: int, title: str):
    """Yield work(job) for each job in order, over processes, with a progress bar."""
    import multiprocessing
    import signal

    from tqdm import tqdm

    # "spawn", because a forked child of a process with threads may hang, and it is what every platform has.
    # Ctrl-C is for the parent alone, which ends the children: they are born deaf to it.
    listening = signal.signal(signal.SIGINT, signal.SIG_IGN)
    pool = multiprocessing.get_context("spawn").Pool(min(workers, len(jobs)))
    signal.signal(signal.SIGINT, listening)
    with pool:
        yield from tqdm(pool.imap(work, jobs, chunksize=8), title, len(jobs), unit=" songs", disable=None)


if __name__ == "__main__":
    run(main, Parameters)
