"""Gather MIDI files and scores, and note where each came from.

    fetch.py ~/my-midi songs.zip               local folders, files and archives
    fetch.py https://example.org/piano.html    the MIDI files, scores and archives that a page links to
    fetch.py https://example.org/ --depth 3    and those on the site's other pages, up to three links away
    fetch.py urls.txt                          the URLs in a file, one a line
    fetch.py maestro pop909                    known sets; fetch.py --list shows them
    fetch.py corpus                            the scores inside the music21 package: needs no network
    fetch.py "search:piano midi"               what a search engine finds; needs a key

The work itself is done by serenity/sources/gathering.py, which you can use from Python as well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import config
from serenity.command_line import run
from serenity.errors import InputError, SettingError

if TYPE_CHECKING:  # at run time only once the arguments are known: so --help answers at once
    from serenity.sources.gathering import Account, Gathering


@dataclass(frozen=True)
class Parameters:
    """Gather MIDI files and scores (MusicXML, ABC notation, **kern), and note where each came from."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # folders, files, archives, URLs, sets, search:WORDS
    output: Path = config.MIDI           # folder for what is found, and its manifest.jsonl; what is there stays there
    list: bool = False                   # show the sets that are known by name, and stop
    dry_run: bool = False                # list the files that would be taken; take and write nothing
    # take only files with such a licence: any, permissive, share-alike, non-commercial, or names such as MIT,CC-BY
    licence: str = "any"
    max_files: int | None = None         # take at most so many files from each source
    max_song: float = 8                  # MiB; a larger MIDI file or score is refused
    max_archive: float = 2048            # MiB; a larger archive is not downloaded
    depth: int = 0                       # follow so many links within a site; 0: read only the pages named
    max_pages: int = 1000                # read at most so many pages of one host: some sites have no end
    results: int = 20                    # read at most so many pages that a search finds
    hosts: int = 16                      # ask so many hosts at the same time, each over one connection
    pause: float = 1.0                   # seconds between two requests to one host; more where robots.txt asks for it
    timeout: float = 20.0                # give up after so many seconds without an answer
    agent: str = "SerenityFetch/0.2"     # name that a site sees, before the contact
    contact: str = "no contact given"    # e-mail address or page where a site's owner can reach you
    allow_private_hosts: bool = False    # also ask hosts of the local network


def main(parameters: Parameters) -> None:
    """Take what each source offers, and report it."""
    if parameters.list:
        from serenity.sources import datasets

        print(datasets.table())
        return
    check(parameters)
    gathering = gathering_of(parameters)
    try:
        gathering.gather(parameters.sources)
    finally:  # also when interrupted: say what has been taken
        if gathering.account.tally:
            print(report(gathering.account, parameters))
    if faults := gathering.account.faults(parameters.sources):
        raise InputError(" · ".join(faults))


def check(parameters: Parameters) -> None:
    """Raise InputError if the parameters cannot be used."""
    from serenity.sources import licence

    if not parameters.sources:
        raise InputError("no source; wanted folders, archives, URLs or names of sets (fetch.py --list shows them)")
    for name in ("max_files", "max_song", "max_archive", "max_pages", "results", "hosts", "timeout"):
        value = getattr(parameters, name)
        if value is not None and value <= 0:
            raise SettingError(f"{name} {value}, wanted more than 0")
    if parameters.pause < 0:
        raise SettingError(f"pause {parameters.pause}, wanted 0 or more seconds")
    if parameters.depth < 0:
        raise SettingError(f"depth {parameters.depth}, wanted 0 or more links")
    licence.check(parameters.licence)
    for name in ("agent", "contact"):
        if not (getattr(parameters, name).isascii() and getattr(parameters, name).isprintable()):
            raise SettingError(f"{name} {getattr(parameters, name)!r}, wanted plain ASCII: HTTP can send nothing else")


def gathering_of(parameters: Parameters) -> "Gathering":
    """Return the object that gathers, made of a collection, a visitor for the whole run, and its reach."""
    from serenity.sources.crawl import Reach
    from serenity.sources.gathering import MIB, Gathering
    from serenity.sources.manifest import Collection
    from serenity.sources.visitor import Manners, Visitor

    collection = Collection(parameters.output, int(parameters.max_song * MIB), parameters.licence, parameters.dry_run)
    agent = f"{parameters.agent} (gathers MIDI; {parameters.contact})"
    manners = Manners(agent, parameters.pause, parameters.timeout, parameters.allow_private_hosts)
    reach = Reach(parameters.depth, parameters.max_pages, parameters.hosts, int(parameters.max_archive * MIB),
                  parameters.max_files, parameters.results)
    return Gathering(collection, Visitor(manners), reach)


def report(account: "Account", parameters: Parameters) -> str:
    """Return the closing table."""
    from serenity.sources.manifest import DUPLICATE, KNOWN, OFFERED, REFUSED, STORED

    tally = account.tally
    names = {"found": tally.total(), "new": tally[STORED], "here already": tally[KNOWN], "duplicate": tally[DUPLICATE]}
    if parameters.dry_run:
        names |= {"would be asked for": tally[OFFERED]}
    names |= {name: count for name, count in tally.most_common() if name.startswith(REFUSED)}
    last = "dry run: nothing was taken" if parameters.dry_run else f"in {parameters.output}, with manifest.jsonl"
    return "\n".join([f"{count:8,}  {name}" for name, count in names.items()] + [last])


def kept(parameters: Parameters) -> str:
    """Return what an interruption leaves."""
    if parameters.list or parameters.dry_run:
        return "nothing was to be taken"
    return f"what is in {parameters.output} is whole and is kept; to go on, run the same command again"


if __name__ == "__main__":
    run(main, Parameters, kept)
