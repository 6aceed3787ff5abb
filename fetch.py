"""Gather MIDI files, and note where each came from.

    fetch.py ~/my-midi songs.zip               local folders, files and archives
    fetch.py https://example.org/piano.html    the MIDI files and archives that a page links to
    fetch.py https://example.org/ --depth 3    and those on the site's other pages, up to three links away
    fetch.py urls.txt                          the URLs in a file, one a line
    fetch.py maestro pop909                    known sets; fetch.py --list shows them
    fetch.py corpus                            the scores inside the music21 package: needs no network
    fetch.py "search:piano midi"               what a search engine finds; needs a key
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import config
from serenity.command_line import run
from serenity.errors import InputError, SettingError

if TYPE_CHECKING:
    from serenity.sources.manifest import Collection, Find

LISTS = (".txt", ".urls")  # endings of files that hold URLs
MIB = 2**20


@dataclass(frozen=True)
class Parameters:
    """Gather MIDI files, and note where each came from."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # folders, files, archives, URLs, sets, search:WORDS
    output: Path = config.MIDI           # folder for MIDI files and their manifest.jsonl; what is there stays there
    list: bool = False                   # show the sets that are known by name, and stop
    dry_run: bool = False                # list the files that would be taken; take and write nothing
    # take only files with such a licence: any, permissive, share-alike, non-commercial, or names such as MIT,CC-BY
    licence: str = "any"
    max_files: int | None = None         # take at most so many files from each source
    max_song: float = 8                  # MiB; a larger MIDI file is refused
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
    workers: int | None = None           # number of processes that convert scores; None: one for each core


@dataclass
class Account:
    """What was found in all sources, and in each."""

    tally: Counter = field(default_factory=Counter)  # decision, or refused: kind -> files
    useful: Counter = field(default_factory=Counter)  # source -> files that are in the collection
    refused: dict[str, Counter] = field(default_factory=dict)  # source -> reason -> files
    links: Counter = field(default_factory=Counter)  # source -> links to files on its pages, also those found before
    errors: dict[str, str] = field(default_factory=dict)  # source -> why it could not be used
    bytes: int = 0  # of all files looked at

    def add(self, find: "Find", decision: str, reason: str | None) -> None:
        """Count a find."""
        from serenity.sources.manifest import ACCOUNTS, KNOWN, REFUSED

        self.links[find.source] += len((find.links or {}).get("file", ()))
        if decision in ACCOUNTS:
            return
        self.bytes += len(find.content)
        if decision == REFUSED or decision == KNOWN and reason:
            self.refused.setdefault(find.source, Counter())[reason] += 1
            decision = f"{REFUSED}: {reason.partition(':')[0]}"
        else:
            self.useful[find.source] += 1
        self.tally[decision] += 1

    def faults(self, sources: tuple[str, ...]) -> list[str]:
        """Return, for each source that gave nothing, a line that says why."""
        lines = []
        for source in dict.fromkeys(sources):
            reasons = self.refused.get(source, Counter())
            why = f": all {reasons.total()} are refused ({reasons.most_common(1)[0][0]})" if reasons else ""
            if source in self.errors:
                lines.append(self.errors[source])
            elif not self.useful[source] and reasons.total() >= self.links[source]:
                lines.append(f"{source} holds no MIDI file{why}")
        return lines


def main(parameters: Parameters) -> None:
    """Take what each source offers, and report it."""
    from serenity.sources import archive, datasets, manifest, search

    if parameters.list:
        print(datasets.table())
        return
    check(parameters)
    collection = manifest.Collection(parameters.output, int(parameters.max_song * MIB), parameters.licence,
                                     parameters.dry_run)
    limits, visitor, account = archive.Limits(song=collection.largest), visitor_of(parameters), Account()
    seeds = []  # (source, URL): visited together, so that many hosts are asked at the same time
    try:
        for source in dict.fromkeys(parameters.sources):
            try:
                if "://" in source:
                    seeds.append((source, source))
                elif source.startswith(search.PREFIX):
                    words = source.removeprefix(search.PREFIX)
                    seeds += [(source, url) for url in search.urls(words, parameters.results, visitor)]
                elif Path(source).suffix.lower() in LISTS and Path(source).expanduser().is_file():
                    seeds += [(source, url) for url in listed(Path(source).expanduser())]
                else:
                    total, finds = offers(source, parameters, collection, visitor, limits)
                    take(source, total, finds, collection, account, parameters)
            except InputError as error:
                account.errors[source] = str(error)
        if seeds:
            crawl(seeds, parameters, collection, visitor, limits, account)
    finally:  # also when interrupted: say what has been taken
        if account.tally:
            print(report(account, parameters))
    if faults := account.faults(parameters.sources):
        raise InputError(" · ".join(faults))


def check(parameters: Parameters) -> None:
    """Raise InputError where the parameters cannot be used."""
    from serenity.sources import licence

    if not parameters.sources:
        raise InputError("no source; wanted folders, archives, URLs or names of sets (fetch.py --list shows them)")
    for name in ("max_files", "max_song", "max_archive", "max_pages", "results", "hosts", "timeout", "workers"):
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


def visitor_of(parameters: Parameters):
    """Return the visitor for the whole run."""
    from serenity.sources import visitor

    agent = f"{parameters.agent} (gathers MIDI; {parameters.contact})"
    return visitor.Visitor(visitor.Manners(agent, parameters.pause, parameters.timeout, parameters.allow_private_hosts))


def listed(path: Path) -> list[str]:
    """Return the URLs in a file, one a line; empty lines and lines that begin with # are skipped.

    Raises InputError where there is another line, or no URL.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    urls = [line for line in lines if line and not line.startswith("#")]
    if odd := [line for line in urls if not line.startswith(("http://", "https://"))]:
        raise InputError(f"{path} holds {odd[0][:80]!r}, wanted an http or https URL in each line")
    if not urls:
        raise InputError(f"{path} holds no URL")
    return urls


def offers(source: str, parameters: Parameters, collection: "Collection", visitor,
           limits) -> tuple[int | None, Iterator["Find"]]:
    """Return the number of files that a set, folder or archive offers (None: unknown), and the files.

    Raises InputError.
    """
    from tqdm import tqdm

    from serenity.sources import archive, datasets

    if datasets.is_known(source):
        if source not in datasets.SETS:
            return datasets.corpus(source, collection.knows, parameters.max_files, parameters.workers)
        return None, datasets.finds(source, visitor, collection, limits, int(parameters.max_archive * MIB),
                                    parameters.workers, tqdm.write)
    path = Path(source).expanduser()
    if not path.exists():
        raise InputError(f"{source} does not exist; wanted a folder, file, URL, or a set that fetch.py --list shows")
    output = parameters.output.resolve()
    if path.resolve().is_relative_to(output):
        raise InputError(f"{source} lies in the output folder {parameters.output}; wanted a source outside of it")
    return archive.finds(path, source, limits, leave_out=output)


def crawl(seeds: list[tuple[str, str]], parameters: Parameters, collection: "Collection", visitor, limits,
          account: Account) -> None:
    """Keep what the web offers, from all its hosts together."""
    from serenity.sources.crawl import Crawl, Reach

    way = Crawl(visitor, collection, limits, Reach(parameters.depth, parameters.max_pages, parameters.hosts,
                                                   int(parameters.max_archive * MIB)))
    take("the web", None, way.finds(seeds), collection, account, parameters, way.enough,
         lambda: f"{visitor.received / MIB:,.1f} MiB, {len(way.active)} hosts")
    for source in dict.fromkeys(source for source, _ in seeds):
        collection.finish(source)


def take(title: str, total: int | None, finds: Iterator["Find"], collection: "Collection", account: Account,
         parameters: Parameters, enough: Callable[[str], None] = lambda source: None,
         progress: Callable[[], str] | None = None) -> None:
    """Keep the finds, count them, and show the progress.

    After `max_files` from one source, no more of it is kept, and `enough` is called with its name.
    """
    from tqdm import tqdm

    from serenity.sources.manifest import OFFERED, STORED

    most = parameters.max_files
    with tqdm(total=total and min(total, most or total), desc=title, unit=" files", disable=None) as bar:
        for find in finds:
            if most and account.useful[find.source] >= most:
                if title == find.source:  # nothing else can come
                    return
                continue
            decision, reason = collection.keep(find)
            account.add(find, decision, reason)
            if parameters.dry_run and decision in (STORED, OFFERED):
                tqdm.write(find.origin)
            if most and account.useful[find.source] >= most:
                enough(find.source)
            bar.n = account.tally.total()
            said = progress() if progress else f"{account.bytes / MIB:,.1f} MiB"
            bar.set_postfix_str(f"{said}, {sum(map(Counter.total, account.refused.values())):,} refused", refresh=False)
            bar.update(0)


def report(account: Account, parameters: Parameters) -> str:
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
