"""Turn songs into abc text, then into tokens: choose songs, make synthetic songs of them, count values, number them.

    preprocess.py                       data/midi -> data/abc -> data/tokens
    preprocess.py --midi ~/my-midi      your own files
    preprocess.py --explain song.mid    what the filters say about one file
    preprocess.py --spot-check 20       a page of random songs, to look at and listen to
    preprocess.py --abc-only            tokens from the abc files as they are, after you edited them

The work itself is done by serenity/preparation.py, which you can use from Python as well. The fields of the settings
are parameters like the others: --help shows them, and CodecSettings(grid=48) here changes one for good.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import config
from serenity.command_line import run
from serenity.errors import InputError, check_range
from serenity.settings import CodecSettings, DictionarySettings, SongSettings

if TYPE_CHECKING:  # at run time only once the arguments are known: so --help answers at once
    from serenity.preparation import Chosen, Preparation


@dataclass(frozen=True)
class Parameters:
    """Turn songs into abc text, then into tokens."""

    midi: Path = config.MIDI           # folder of MIDI files, MusicXML and ABC notation, with all folders in it
    abc: Path = config.ABC             # folder for abc files, one for each song, and report.jsonl
    tokens: Path = config.TOKENS       # folder for the tokens that train.py reads
    abc_only: bool = False             # do not read MIDI: make tokens from all abc files as they are
    explain: Path | None = None        # print what the filters find in this MIDI file or score, and stop
    spot_check: int = 0                # write a page, spot-check.html, with so many random songs; 0: none
    soundfont: Path | None = None      # SoundFont (.sf2) for the spot check; None: one that is installed
    workers: int = os.cpu_count() or 1  # number of processes
    songs: SongSettings = SongSettings()
    codec: CodecSettings = CodecSettings()
    dictionaries: DictionarySettings = DictionarySettings()


PAGE = "spot-check.html"  # in the abc folder


def main(parameters: Parameters) -> None:
    """Run the stages one after another, and say what each did."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processes share the cores; threads would slow them
    check_range(parameters, workers=(1, 1024), spot_check=(0, 200))
    if parameters.explain:
        explain(parameters.explain, parameters.codec.category)
        return
    from serenity import preparation

    wanted = preparation.Preparation(parameters.midi, parameters.abc, parameters.tokens, parameters.songs,
                                     parameters.codec, parameters.dictionaries, parameters.workers)
    preparation.begin(wanted)
    files = preparation.abc_files(wanted.abc) if parameters.abc_only else make_abc(wanted)
    make_tokens(wanted, files)
    if parameters.spot_check:
        make_page(parameters, files)


def make_abc(wanted: "Preparation") -> list[Path]:
    """Choose songs and write them as text; return the files, below the abc folder."""
    from serenity import preparation

    chosen = preparation.choose(wanted)
    print_chosen(wanted, chosen)
    written = preparation.write_abc(wanted, chosen)
    for name, reason in written.refused.items():
        print(f"refused: {wanted.midi / name}: {reason}")
    print(f"abc: {len(written.files):,} songs in {wanted.abc}, {written.real:,} of them real, "
          f"{len(written.files) - written.real:,} synthetic; {written.made:,} of {len(chosen.digests):,} families were "
          "made in this run")
    return written.files


def print_chosen(wanted: "Preparation", chosen: "Chosen") -> None:
    """Print which songs cannot be read, how many are kept, and where to find the reasons."""
    from serenity.music import selection
    from serenity.preparation import REPORT

    for line in chosen.lines:
        if (line["reason"] or "").startswith(("unreadable", "failed")):
            print(f"refused: {wanted.midi / line['song']}: {line['reason']}")
    reasons = ", ".join(f"{reason} ({count})" for reason, count in selection.totals(chosen.lines).most_common())
    refused = f"; refused, by reason: {reasons}" if reasons else ""
    print(f"songs: {len(chosen.digests)} of {len(chosen.lines)} kept{refused}; the reason for each song: "
          f"{wanted.abc / REPORT}")


def make_tokens(wanted: "Preparation", files: list[Path]) -> None:
    """Write the token store of the abc files, and say what it holds."""
    from serenity import preparation
    from serenity.tokens.vocabulary import ATTRIBUTES

    totals, is_new = preparation.write_tokens(wanted, files)
    if not is_new:
        print(f"tokens: {wanted.tokens} is already made of exactly these {len(files):,} songs")
        return
    exact = ", ".join(f"{attribute} {totals['exact'][attribute] / totals['events']:.2%}" for attribute in ATTRIBUTES)
    print(f"tokens: {totals['songs']:,} songs ({totals['train']:,} training, {totals['validation']:,} validation, "
          f"{totals['test']:,} test), {totals['events']:,} events in {wanted.tokens}")
    print(f"known exactly to the dictionaries: {exact}; the others became the nearest known value, none was left out")


def explain(path: Path, category: str) -> None:
    """Print what the filters find in one file; the last line begins with kept or refused.

    Raises InputError if it cannot be read.
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


def make_page(parameters: Parameters, files: list[Path]) -> None:
    """Write the page of random songs."""
    from serenity.listen import audio, spot_check

    page = parameters.abc / PAGE
    drawn, size = spot_check.make(page, [parameters.abc / name for name in files], parameters.spot_check,
                                  parameters.songs.seed, audio.find_soundfont(parameters.soundfont))
    print(f"spot check: {drawn} songs and what was made of them in {page} ({size / 2**20:.0f} MiB)")


def kept(parameters: Parameters) -> str:
    """Return what is left after an interruption."""
    if parameters.explain:
        return "nothing was to be written"
    return "the songs that are done are kept; to go on, run the same command again"


if __name__ == "__main__":
    run(main, Parameters, kept)
