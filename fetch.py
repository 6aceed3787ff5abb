"""Gather MIDI files, and keep account of where each came from.

    fetch.py ~/my-midi songs.zip               local folders, files and archives
    fetch.py https://example.org/piano.html    the MIDI files and archives that a page links to
    fetch.py corpus                            the scores inside the music21 package: needs no network
    fetch.py --list                            the sets that are known by name
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import config
from serenity.command_line import run
from serenity.errors import InputError

if TYPE_CHECKING:
    from serenity.sources.manifest import Find


@dataclass(frozen=True)
class Parameters:
    """Gather MIDI files, and keep account of where each came from."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # folders, files, archives, URLs, names of sets
    output: Path = config.MIDI           # folder of MIDI files and their manifest.jsonl; what is there stays
    list: bool = False                   # show the sets that are known by name, and end
    max_files: int | None = None         # take so many of each source at most
    max_song: float = 8                  # MiB; a larger MIDI file is refused
    max_archive: float = 2048            # MiB; a larger archive is not downloaded
    pause: float = 1.0                   # seconds between two requests to one host; robots.txt may ask for more
    timeout: float = 20.0                # seconds without an answer
    agent: str = "SerenityFetch/0.1"     # what a site sees; add an address where you can be reached
    allow_private_hosts: bool = False    # ask hosts of the local network too
    workers: int | None = None           # processes that convert the corpus; all cores if none are named


def main(parameters: Parameters) -> None:
    """Take what each source offers, and say what came of it."""
    from serenity.sources import crawl, datasets, manifest

    if parameters.list:
        print(datasets.table())
        return
    check(parameters)
    collection = manifest.Collection(parameters.output, int(parameters.max_song * 2**20))
    visitor = crawl.Visitor(crawl.Manners(parameters.agent, parameters.pause, parameters.timeout,
                                          parameters.allow_private_hosts, int(parameters.max_archive * 2**20)))
    tally, errors = Counter(), []
    try:
        for source in parameters.sources:
            try:
                take(source, parameters, collection, visitor, tally)
            except InputError as error:
                errors.append(str(error))
    finally:  # also when interrupted: what is there, is there
        if tally:
            print(report(tally, parameters.output))
    if errors:
        raise InputError(" · ".join(errors))


def check(parameters: Parameters) -> None:
    """Raise InputError where the parameters cannot be used."""
    if not parameters.sources:
        raise InputError("no source; wanted folders, archives, URLs or names of sets (fetch.py --list shows them)")
    for name in ("max_files", "max_song", "max_archive", "timeout", "workers"):
        value = getattr(parameters, name)
        if value is not None and value <= 0:
            raise InputError(f"{name} {value}, wanted more than 0")
    if parameters.pause < 0:
        raise InputError(f"pause {parameters.pause}, wanted 0 or more seconds")


def take(source: str, parameters: Parameters, collection, visitor, tally: Counter) -> None:
    """Keep what one source offers, and count it.

    Raises InputError where the source cannot be used, or offers nothing.
    """
    from tqdm import tqdm

    from serenity.sources.manifest import REFUSED, UNPACKED

    total, finds = offers(source, parameters, collection, visitor)
    if parameters.max_files is not None:
        total, finds = total and min(total, parameters.max_files), islice(finds, parameters.max_files)
    refused, useful = Counter(), 0
    for find in tqdm(finds, source, total, unit=" files", disable=None):
        decision, reason = collection.keep(find)
        if decision == UNPACKED:  # the account of an archive, no file
            continue
        if decision == REFUSED:
            refused[reason] += 1
            decision = f"{REFUSED}: {reason.partition(':')[0]}"
        else:
            useful += 1
        tally[decision] += 1
    if not useful:
        why = f": all {refused.total()} are refused ({refused.most_common(1)[0][0]})" if refused else ""
        raise InputError(f"{source} holds no MIDI file{why}")


def offers(source: str, parameters: Parameters, collection, visitor) -> tuple[int | None, Iterator["Find"]]:
    """Return how many files a source offers, None if nobody knows yet, and the files. Raises InputError."""
    from serenity.sources import archive, crawl, datasets

    limits = archive.Limits(song=collection.largest)
    if "://" in source:
        return None, crawl.finds(source, visitor, limits, collection.knows)
    if source.partition("/")[0] in datasets.SETS:
        return datasets.finds(source, collection.knows, parameters.max_files, parameters.workers)
    path = Path(source).expanduser()
    if not path.exists():
        raise InputError(f"{source} is no folder or file; wanted one, a URL, or a set that fetch.py --list shows")
    output = parameters.output.resolve()
    if path.resolve().is_relative_to(output):
        raise InputError(f"{source} lies in the output folder {parameters.output}; wanted a source outside of it")
    return archive.finds(path, source, limits, leave_out=output)


def report(tally: Counter, output: Path) -> str:
    """Return the closing table."""
    from serenity.sources.manifest import DUPLICATE, KNOWN, REFUSED, STORED

    names = {"found": tally.total(), "new": tally[STORED], "here already": tally[KNOWN], "duplicate": tally[DUPLICATE]}
    names |= {name: count for name, count in tally.most_common() if name.startswith(REFUSED)}
    return "\n".join([f"{count:8,}  {name}" for name, count in names.items()] + [f"in {output}, with manifest.jsonl"])


if __name__ == "__main__":
    run(main, Parameters)
