"""Turn songs into abc text, then into tokens: choose songs, make synthetic songs of them, count values, number them.

    preprocess.py                       data/midi -> data/abc -> data/tokens
    preprocess.py --midi ~/my-midi      your own files
    preprocess.py --explain song.mid    what the filters say about one file
    preprocess.py --spot-check 20       a page of random songs, to look at and listen to
    preprocess.py --abc-only            tokens from the abc files as they are, after you edited them
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import config
from serenity.command_line import flag, run
from serenity.errors import InputError
from serenity.music.categories import CategoryName


@dataclass(frozen=True)
class Parameters:
    """Turn songs into abc text, then into tokens."""

    midi: Path = config.MIDI           # folder of MIDI files, MusicXML and ABC notation, with all folders in it
    abc: Path = config.ABC             # folder for abc files, one for each song, and report.jsonl
    tokens: Path = config.TOKENS       # folder for the tokens that train.py reads
    abc_only: bool = False             # do not read MIDI: make tokens from all abc files as they are
    explain: Path | None = None        # print what the filters find in this MIDI file or score, and stop
    spot_check: int = 0                # write a page, spot-check.html, with so many random songs; 0: none
    workers: int = os.cpu_count() or 1  # number of processes
    filters: bool = True               # keep only songs that serenity/music/quality.py takes for pop
    synthetic: int = 22                # make so many synthetic songs of each song; 0: none
    seed: int = 0                      # number that chance starts from (synthetic songs, spot check)
    category: CategoryName = "piano"   # instrument: which tracks are read, their centre pitch and range
    normalise: str = "key"             # move pitches: key (to C major or A minor), centre (to the centre pitch), none
    grid: int = 24                     # points in a quarter; 24 can hold thirty-seconds, and triplets of sixteenths
    exact_lengths: int | None = 24     # durations up to so many points are exact, longer ones coarser; None: all are
    split_ratio: float | None = 1.5    # longest/shortest duration in one chord; None: one chord for each onset
    top_k_pitch: int = 5000            # the dictionary holds so many of the commonest chords
    top_k_timing: int = 1000           # the dictionaries hold so many of the commonest steps, and durations
    max_events: int = 20_000           # longer songs are refused: they are medleys or music of machines
    soundfont: Path | None = None      # SoundFont (.sf2) for the spot check; None: one that is installed


MOST_SYNTHETIC = 24  # more would be alike but for chance
REPORT, PICTURE, PAGE, WORK = "report.jsonl", "report.png", "spot-check.html", ".work"  # in the abc folder
SCORES = f"{WORK}/scores"  # the MIDI bytes of scores in notation


def main(parameters: Parameters) -> None:
    """Run the stages one after another, and say what each did."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processes share the cores; threads would slow them
    check(parameters)
    if parameters.explain:
        explain(parameters.explain, parameters.category)
        return
    from serenity.files import files_below, remove_leftovers
    from serenity.tokens.corpus import refuse_other_files

    refuse_other_files(parameters.tokens)  # before the work, not after it
    remove_leftovers(files_below(parameters.abc))
    names = abc_files(parameters.abc) if parameters.abc_only else make_abc(parameters, choose_songs(parameters))
    if not names:
        raise InputError(f"{parameters.abc} holds no abc file; run preprocess.py without --abc-only")
    make_tokens(parameters, names)
    if parameters.spot_check:
        make_page(parameters, names)


def check(parameters: Parameters) -> None:
    """Refuse what cannot work before anything is read. Raises InputError."""
    from serenity.tokens.vocabulary import MOST_VALUES

    for name, lowest, highest in (("workers", 1, 1024), ("synthetic", 0, MOST_SYNTHETIC), ("spot_check", 0, 200),
                                  ("seed", 0, 2**32 - 1), ("top_k_pitch", 1, MOST_VALUES),
                                  ("top_k_timing", 1, MOST_VALUES), ("max_events", 1, 10**6)):
        if not lowest <= getattr(parameters, name) <= highest:
            raise InputError(f"{flag(name)} {getattr(parameters, name)}, wanted {lowest} to {highest:,}")
    codec_settings(parameters)


def dictionary_sizes(parameters: Parameters) -> dict[str, int]:
    """Return how many values of each attribute the dictionaries hold at most."""
    from serenity.tokens.vocabulary import TOP_K

    return TOP_K | {"pitch": parameters.top_k_pitch, "step": parameters.top_k_timing,
                    "duration": parameters.top_k_timing}


def codec_settings(parameters: Parameters):
    """Return how notes become events. Raises InputError."""
    from serenity.music.codec import CodecSettings

    return CodecSettings(parameters.category, parameters.normalise, parameters.grid, parameters.exact_lengths,
                         parameters.split_ratio)


# --- MIDI -> report ---------------------------------------------------------------------------------------------------

def choose_songs(parameters: Parameters) -> dict[str, str]:
    """Look at every song, write the report, and return the digest of each file kept by its name."""
    import json
    from functools import partial

    from serenity.files import write_whole
    from serenity.journal import Journal, code, digest
    from serenity.listen import histograms
    from serenity.music import selection, song_file
    from serenity.parallel import in_parallel

    files = song_file.songs_below(parameters.midi)
    if not files:
        raise InputError(f"{parameters.midi} holds no MIDI file; wanted a folder that fetch.py filled")
    read_scores(parameters, files)
    names = [path.relative_to(parameters.midi).as_posix() for path in files]
    digests = {name: digest(song_file.raw(parameters.midi / name)) for name in names}
    depends = digest(code(selection.assess_in), parameters.category)
    keys = {name: digest(depends, digests[name]) for name in names}
    journal = Journal(parameters.abc / WORK / "assessed.jsonl")
    journal.keep(set(names))
    todo = [name for name in names if not journal.done(name, keys[name])]
    work = partial(selection.assess_in, parameters.midi, category=parameters.category, cache=parameters.abc / SCORES)
    for name, found in zip(todo, in_parallel(work, todo, parameters.workers, "looking at songs", chunk=4)):
        journal.add(name, keys[name], found=found)
    lines = selection.select({name: journal.records[name]["found"] for name in names}, parameters.filters)
    report = "".join(json.dumps(line) + "\n" for line in lines)
    if not (parameters.abc / REPORT).exists() or (parameters.abc / REPORT).read_text(encoding="utf-8") != report:
        histograms.save(parameters.abc / PICTURE, lines)
        write_whole(parameters.abc / REPORT, report.encode())

    for line in lines:
        if (line["reason"] or "").startswith(("unreadable", "failed")):
            print(f"refused: {parameters.midi / line['song']}: {line['reason']}")
    kept = [line["song"] for line in lines if line["kept"]]
    reasons = ", ".join(f"{reason} ({count})" for reason, count in selection.totals(lines).most_common())
    print(f"songs: {len(kept)} of {len(lines)} kept{f'; refused, by reason: {reasons}' if reasons else ''}; "
          f"the reason for each song: {parameters.abc / REPORT}")
    if not kept:
        raise InputError(f"none of the {len(files)} files in {parameters.midi} was kept; wanted one or more "
                         "(--no-filters keeps every song that can be read)")
    return {name: digests[name] for name in kept}


def read_scores(parameters: Parameters, files: list[Path]) -> None:
    """Convert scores in notation to MIDI, each only once: the result is kept beside the abc files."""
    from tqdm import tqdm

    from serenity.midi_container import is_midi_name
    from serenity.music import song_file

    scores = [path for path in files if not is_midi_name(path.name)]
    cache = parameters.abc / SCORES
    song_file.forget(cache, scores)
    if scores:
        readings = song_file.read_all(scores, cache, parameters.workers)
        for _ in tqdm(readings, "reading scores", len(scores), disable=None):
            pass


def explain(path: Path, category: str) -> None:
    """Print what the filters find in one file; the last line begins with kept or refused.

    Raises InputError where it cannot be read.
    """
    from serenity.music import quality, selection

    found = selection.assess(path, category)
    if found["reason"]:
        raise InputError(f"{path}: {found['reason'].removeprefix('unreadable: ')}")
    print(f"{path}: {found['key']}; commonest progression: {found['progression'] or 'none'}\n{found['beat']}\n")
    print(f"{'measure':18}{'value':>9}  {'range':16}{'score':>6}  what it is")
    for name, value in found["measures"].items():
        row = quality.MEASURES[name]
        points = f"{quality.credit(name, value):+.1f}" if row.weight else ""
        mark = " " if row.lowest <= value <= row.highest else "*"
        print(f"{name:18}{value:9.3g}{mark} {quality.wanted(row):16}{points:>6}  {row.what}")
    print()
    (line,) = selection.select({path.name: found})
    verdict = "kept" if line["kept"] else f"refused: {line['reason']}"
    print(verdict if line["score"] is None else f"{verdict} (score {line['score']:.1f})")


# --- MIDI -> abc ------------------------------------------------------------------------------------------------------

def make_abc(parameters: Parameters, kept: dict[str, str]) -> list[Path]:
    """Write the abc files of each song kept and of its synthetic songs; return their paths below abc, in order.

    abc files that were made of the same file with the same settings are left as they are. Those that an earlier run
    made of a song that is no longer kept are removed.
    """
    from functools import partial

    from serenity.journal import Journal, code, digest
    from serenity.music import family
    from serenity.music.song_file import stem
    from serenity.parallel import in_parallel
    from serenity.sources import manifest

    settings = codec_settings(parameters)
    known = manifest.stored(parameters.midi)
    groups = {name: known.get(name, {}).get("group") or stem(name) for name in kept}
    depends = digest(code(family.write), settings, parameters.synthetic, parameters.seed, parameters.max_events)
    keys = {name: digest(depends, kept[name], groups[name]) for name in kept}
    journal = Journal(parameters.abc / WORK / "made.jsonl")
    before = {name: record["files"] for name, record in journal.records.items()}
    todo = [name for name in kept if not is_made(journal.done(name, keys[name]), parameters.abc)]
    work = partial(family.write, midi=parameters.midi, abc=parameters.abc, settings=settings,
                   count=parameters.synthetic, seed=parameters.seed, max_events=parameters.max_events,
                   cache=parameters.abc / SCORES)
    jobs = [(name, groups[name]) for name in todo]
    for name, (files, reason) in zip(todo, in_parallel(work, jobs, parameters.workers, "MIDI to abc")):
        remove(parameters.abc, set(before.get(name, ())) - set(files))
        journal.add(name, keys[name], files=files, reason=reason)  # last: what is not in the journal is done again
    for name in before.keys() - kept.keys():
        remove(parameters.abc, before[name])
    journal.keep(set(kept))
    records = [journal.records[name] for name in kept]
    for record in records:
        if record["reason"]:
            print(f"refused: {parameters.midi / record['name']}: {record['reason']}")
    made = [Path(file) for record in records for file in record["files"]]
    real = sum(bool(record["files"]) for record in records)
    print(f"abc: {len(made):,} songs in {parameters.abc}, {real:,} of them real, {len(made) - real:,} synthetic; "
          f"{len(todo):,} of {len(kept):,} families were made in this run")
    if not made:
        raise InputError(f"none of the {len(kept)} songs that were kept could be used")
    return made


def remove(abc: Path, files: Iterable[str]) -> None:
    """Remove abc files that an earlier run made."""
    for file in files:
        (abc / file).unlink(missing_ok=True)


def is_made(record: dict | None, abc: Path) -> bool:
    """Return whether a family's abc files are all there."""
    return record is not None and all((abc / file).exists() for file in record["files"])


# --- abc -> tokens ----------------------------------------------------------------------------------------------------

def make_tokens(parameters: Parameters, names: list[Path]) -> None:
    """Write the token store of the abc songs at `names`, and say what it holds."""
    from collections import Counter
    from functools import partial

    from serenity.journal import code, digest
    from serenity.music import abc_file
    from serenity.parallel import in_parallel
    from serenity.sources import manifest
    from serenity.tokens import corpus
    from serenity.tokens.vocabulary import ATTRIBUTES

    top_k = dictionary_sizes(parameters)
    heads = [abc_file.read_head(parameters.abc / name) for name in names]
    entries = [corpus.entry_of(name.as_posix(), head) for name, head in zip(names, heads)]
    known = manifest.stored(parameters.midi)
    licences = Counter(known.get(head.source, {}).get("licence") or "unknown" for head in heads if not head.synthetic)

    files = [(name, stat.st_size, stat.st_mtime_ns) for name in names for stat in [(parameters.abc / name).stat()]]
    made_of = digest(code(corpus.build), files, sorted(top_k.items()), sorted(licences.items()))
    if corpus.made_of(parameters.tokens) == made_of:
        print(f"tokens: {parameters.tokens} is already made of exactly these {len(names):,} songs")
        return

    def each(work, jobs, title):
        return in_parallel(work, jobs, parameters.workers, f"{title} (x {corpus.CHUNK} songs)")

    totals = corpus.build(parameters.tokens, entries, partial(abc_file.read_in, parameters.abc), top_k, dict(licences),
                          made_of, each)
    exact = ", ".join(f"{attribute} {totals['exact'][attribute] / totals['events']:.2%}" for attribute in ATTRIBUTES)
    print(f"tokens: {totals['songs']:,} songs ({totals['train']:,} training, {totals['validation']:,} validation, "
          f"{totals['test']:,} test), {totals['events']:,} events in {parameters.tokens}")
    print(f"known exactly to the dictionaries: {exact}; the others became the nearest known value, none was left out")


def make_page(parameters: Parameters, names: list[Path]) -> None:
    """Write the page of random songs."""
    import numpy as np

    from serenity.listen import audio, spot_check
    from serenity.music import abc_file

    paths = [parameters.abc / name for name in names]
    heads = {path: abc_file.read_head(path) for path in paths}
    drawn = spot_check.draw(paths, heads, parameters.spot_check, np.random.default_rng(parameters.seed))
    page = parameters.abc / PAGE
    size = spot_check.write(page, drawn, audio.find_soundfont(parameters.soundfont))
    print(f"spot check: {len(drawn)} songs and what was made of them in {page} ({size / 2**20:.0f} MiB)")


# --- what all stages share --------------------------------------------------------------------------------------------

def abc_files(folder: Path) -> list[Path]:
    """Return all abc files below a folder, relative to it, in order."""
    from serenity.files import files_below

    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; wanted a folder with .abc files")
    return sorted(path.relative_to(folder) for path in files_below(folder) if path.suffix.lower() == ".abc")


def kept(parameters: Parameters) -> str:
    """Return what is left after an interruption."""
    if parameters.explain:
        return "nothing was to be written"
    return "the songs that are done are kept; to go on, run the same command again"


if __name__ == "__main__":
    run(main, Parameters, kept)
