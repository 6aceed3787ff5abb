"""Gathering songs from folders, archives, known sets and the web into one collection: what fetch.py does.

    collection = Collection(Path("data/midi"), largest=8 * MIB)
    account = Gathering(collection, Visitor(Manners("MyAgent/1.0 (me@example.org)", 1, 20))).gather(["maestro"])
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from serenity.errors import InputError
from serenity.sources import archive, datasets, search
from serenity.sources.crawl import Crawl, Reach
from serenity.sources.manifest import ACCOUNTS, KNOWN, OFFERED, REFUSED, STORED, Collection, Find
from serenity.sources.visitor import Visitor

LISTS = (".txt", ".urls")  # endings of files that hold URLs
MIB = 2**20


@dataclass
class Account:
    """What was found in all sources, and in each."""

    tally: Counter = field(default_factory=Counter)  # decision, or refused: kind -> files
    useful: Counter = field(default_factory=Counter)  # source -> files that are in the collection
    refused: dict[str, Counter] = field(default_factory=dict)  # source -> reason -> files
    links: Counter = field(default_factory=Counter)  # source -> links to files on its pages, also those found before
    errors: dict[str, str] = field(default_factory=dict)  # source -> why it could not be used
    bytes: int = 0  # of all files looked at

    def add(self, find: Find, decision: str, reason: str | None) -> None:
        """Count a find."""
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

    def faults(self, sources: Iterable[str]) -> list[str]:
        """Return, for each source that gave nothing, a line that says why."""
        lines = []
        for source in dict.fromkeys(sources):
            reasons = self.refused.get(source, Counter())
            why = f": all {reasons.total()} are refused ({reasons.most_common(1)[0][0]})" if reasons else ""
            if source in self.errors:
                lines.append(self.errors[source])
            elif not self.useful[source] and reasons.total() >= self.links[source]:
                lines.append(f"{source} holds no MIDI file and no score{why}")
        return lines


class Gathering:
    """One way from sources to a collection. `account` says at any time what was found."""

    def __init__(self, collection: Collection, visitor: Visitor, reach: Reach = Reach()):
        """`collection` decides what is kept, `visitor` asks hosts."""
        self.collection, self.visitor, self.reach, self.account = collection, visitor, reach, Account()
        self.limits = archive.Limits(song=collection.largest)

    def gather(self, sources: Sequence[str]) -> Account:
        """Take what each source offers: folders, files, archives, URLs, lists of URLs, sets, search:WORDS.

        A source that cannot be used is noted in the account, and the others go on.
        """
        seeds = []  # (source, URL): visited together, so that many hosts are asked at the same time
        for source in dict.fromkeys(sources):
            try:
                if (urls := self._urls(source)) is not None:
                    seeds += [(source, url) for url in urls]
                else:
                    self._take(source, *self._offers(source))
            except InputError as error:
                self.account.errors[source] = str(error)
        if seeds:
            self._crawl(seeds)
        return self.account

    def _urls(self, source: str) -> Iterable[str] | None:
        """Return the URLs that a source stands for; None where it is not on the web."""
        path = Path(source).expanduser()
        if "://" in source:
            return [source]
        if source.startswith(search.PREFIX):
            return search.urls(source.removeprefix(search.PREFIX), self.reach.results, self.visitor)
        return listed(path) if path.suffix.lower() in LISTS and path.is_file() else None

    def _offers(self, source: str) -> tuple[int | None, Iterator[Find]]:
        """Return the number of files that a set, folder or archive offers (None: unknown), and the files."""
        if datasets.is_known(source):
            if source not in datasets.SETS:
                return datasets.corpus(source, self.limits, self.reach.files)
            return None, datasets.finds(source, self.visitor, self.collection, self.limits, self.reach.archive,
                                        tqdm.write)
        path, output = Path(source).expanduser(), self.collection.folder.resolve()
        if not path.exists():
            raise InputError(f"{source} does not exist; wanted a folder, file, URL, or a set that fetch.py --list "
                             "shows")
        if path.resolve().is_relative_to(output):
            raise InputError(f"{source} lies in the output folder {self.collection.folder}; wanted a source outside of "
                             "it")
        return archive.finds(path, source, self.limits, leave_out=output)

    def _crawl(self, seeds: list[tuple[str, str]]) -> None:
        """Keep what the web offers, from all its hosts together."""
        way = Crawl(self.visitor, self.collection, self.limits, self.reach)
        self._take("the web", None, way.finds(seeds), way.enough,
                   lambda: f"{self.visitor.received / MIB:,.1f} MiB, {len(way.active)} hosts")
        for source in dict.fromkeys(source for source, _ in seeds):
            self.collection.finish(source)

    def _take(self, title: str, total: int | None, finds: Iterator[Find],
              enough: Callable[[str], None] = lambda source: None, progress: Callable[[], str] | None = None) -> None:
        """Keep the finds, count them, and show the progress.

        After so many files from one source, no more of it is kept, and `enough` is called with its name.
        """
        most, account = self.reach.files, self.account
        with tqdm(total=total and min(total, most or total), desc=title, unit=" files", disable=None) as bar:
            for find in finds:
                if most and account.useful[find.source] >= most:
                    if title == find.source:  # nothing else can come
                        return
                    continue
                decision, reason = self.collection.keep(find)
                account.add(find, decision, reason)
                if self.collection.dry_run and decision in (STORED, OFFERED):
                    tqdm.write(find.origin)
                if most and account.useful[find.source] >= most:
                    enough(find.source)
                bar.n = account.tally.total()
                said = progress() if progress else f"{account.bytes / MIB:,.1f} MiB"
                refused = sum(map(Counter.total, account.refused.values()))
                bar.set_postfix_str(f"{said}, {refused:,} refused", refresh=False)
                bar.update(0)


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
