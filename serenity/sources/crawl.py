"""From URLs to MIDI files: links are followed and files are taken; one thread at a time asks a host.

The URLs that are still to be asked for stand in a temporary SQLite file, each once, so that memory does not grow with
the web. A host's files come first, then what may be a file, then sitemaps and pages. A thread takes a host, asks for
all of its URLs (visitor.py makes the pauses), and leaves it. What it finds goes through a short queue to the one thread
that stores files, so a slow disk slows the asking.

What an earlier run saw is in the manifest (manifest.py, `last`). If that run did not come to its end, nothing is asked
for twice; if it did, files are asked for with If-None-Match and If-Modified-Since. The links of a page that did not
change stand in its line.
"""

import hashlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO
from urllib.parse import urlsplit

from serenity import notation
from serenity.errors import InputError
from serenity.midi_container import GZIP_MAGIC, begins_like_midi, gunzipped, is_midi_name
from serenity.song_names import is_song_name
from serenity.sources import archive, licence, manifest
from serenity.sources import links as pages
from serenity.sources.links import FILE, MAYBE, PAGE, SITEMAP
from serenity.sources.manifest import Collection, Find, conditions, fault, is_settled, scratch, unlicensed
from serenity.sources.visitor import NOT_MODIFIED, Answer, Visitor

LARGEST_PAGE = 4 * 2**20  # bytes; 10,000 links take one
PACKED_SCORE = "application/vnd.recordare.musicxml"  # the type of .mxl, which stands in many of them
ARCHIVE_MAGIC = (b"PK\x03\x04", GZIP_MAGIC)  # zip, gzip
WAITING = 16  # finds between the threads and who keeps them: at 8 MiB a file no more than 128

ORDER = (FILE, MAYBE, SITEMAP, PAGE)
SCHEMA = """
    CREATE TABLE jobs (id INTEGER PRIMARY KEY, host TEXT, kind INTEGER, url TEXT UNIQUE, source TEXT, referrer TEXT,
                       reach INTEGER, licence TEXT, evidence TEXT, is_done INTEGER DEFAULT 0);
    CREATE INDEX next ON jobs (host, kind, id) WHERE NOT is_done;
"""
# A URL that is met again nearer to its source reaches farther than was thought: it is looked at once more
ADD = """
    INSERT INTO jobs (host, kind, url, source, referrer, reach, licence, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (url) DO UPDATE SET reach = excluded.reach, is_done = 0
    WHERE excluded.reach > reach AND kind > 0
"""
NEXT = """
    SELECT id, kind, url, source, referrer, reach, licence, evidence FROM jobs
    WHERE host = ? AND NOT is_done ORDER BY kind, id LIMIT 1
"""


@dataclass(frozen=True)
class Reach:
    """How much is taken."""

    depth: int = 0  # pages of the same site that are followed one after another; 0: only those that are named
    pages: int = 1000  # of one host
    hosts: int = 16  # that are asked at the same time
    archive: int = 2**31  # bytes of an archive, also of a known set
    files: int | None = None  # of each source; None: all
    results: int = 20  # pages that a search finds


@dataclass(frozen=True)
class Job:
    """A URL to ask for."""

    kind: str
    url: str
    source: str
    referrer: str | None  # None: the user named it
    reach: int  # pages that may follow one another from here; below 0 the page is not read
    licence: str | None = None
    evidence: str | None = None


class Crawl:
    """One way through the web."""

    def __init__(self, visitor: Visitor, collection: Collection, limits: archive.Limits, reach: Reach):
        """`collection` says what is known and allowed; with a dry one no file is asked for."""
        self.visitor, self.collection, self.limits, self.reach = visitor, collection, limits, reach
        self.active: set[str] = set()  # hosts that are being asked
        self._waiting: list[str] = []  # hosts that there is something to ask of
        self._pages: dict[str, int] = {}  # host -> pages read
        self._full: set[str] = set()  # hosts whose further pages are not read
        self._enough: set[str] = set()  # sources of which no more is wanted
        self._jobs = scratch(SCHEMA)
        self._change = threading.Condition()  # guards all of the above
        self._found: queue.Queue[Find | None] = queue.Queue(WAITING)

    def enough(self, source: str) -> None:
        """Stop following a source."""
        with self._change:
            self._enough.add(source)

    def finds(self, seeds: Iterable[tuple[str, str]]) -> Iterator[Find]:
        """Yield what the first URLs, each (source, URL), lead to, in the order in which it comes."""
        jobs = []
        for source, seed in seeds:
            if not (url := pages.normal("", seed)):
                yield Find(source, seed, decision=manifest.REFUSED, reason=f"no http or https URL: {seed}")
                continue
            kind = FILE if pages.kind_of(url) == FILE else PAGE
            jobs.append(Job(kind, url, source, None, self.reach.depth))
            if kind == PAGE and self.reach.depth:
                jobs.append(Job(SITEMAP, pages.normal(url, "/sitemap.xml"), source, url, self.reach.depth))
        self._add(jobs)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.reach.hosts)]
        for thread in threads:
            thread.start()
        working = len(threads)
        try:
            while working:
                find = self._found.get()
                if find is None:
                    working -= 1
                else:
                    yield find
        finally:  # also where nobody wants to hear the rest
            self.visitor.stopped.set()
            with self._change:
                self._change.notify_all()

    def _add(self, jobs: Iterable[Job]) -> None:
        with self._change:
            for job in jobs:
                host = urlsplit(job.url).hostname
                if self._jobs.execute(ADD, (host, ORDER.index(job.kind), job.url, job.source, job.referrer, job.reach,
                                            job.licence, job.evidence)).rowcount < 1:
                    continue
                if host not in self.active and host not in self._waiting:
                    self._waiting.append(host)
                    self._change.notify()

    def _work(self) -> None:
        while host := self._next_host():
            while job := self._next_job(host):
                for find in self._safely(job):
                    self._hand_over(find)
            self.visitor.leave(host)
        self._hand_over(None)

    def _hand_over(self, find: Find | None) -> None:
        while not self.visitor.stopped.is_set():
            try:
                return self._found.put(find, timeout=0.5)
            except queue.Full:
                continue

    def _next_host(self) -> str | None:
        """Return a host to ask, now this thread's own; None where all is done."""
        with self._change:
            while not self._waiting and self.active and not self.visitor.stopped.is_set():
                self._change.wait()
            if not self._waiting or self.visitor.stopped.is_set():
                self._change.notify_all()
                return None
            host = self._waiting.pop(0)
            self.active.add(host)
            return host

    def _next_job(self, host: str) -> Job | None:
        with self._change:
            while not self.visitor.stopped.is_set() and (row := self._jobs.execute(NEXT, (host,)).fetchone()):
                self._jobs.execute("UPDATE jobs SET is_done = 1 WHERE id = ?", row[:1])
                job = Job(ORDER[row[1]], *row[2:])
                if job.source not in self._enough:
                    return job
            self.active.discard(host)
            self._change.notify_all()
            return None

    def _safely(self, job: Job) -> Iterator[Find]:
        """Yield a job's finds; an error is a find, too."""
        find = Find(job.source, job.url, referrer=job.referrer)
        # A dead page does not count as a refused file.
        decision = manifest.REFUSED if job.kind == FILE or job.referrer is None else manifest.VISITED
        try:
            yield from self._visit(job, find)
        except InputError as error:
            yield replace(find, decision=decision, reason=str(error), status=getattr(error, "status", None))
        except Exception as error:  # whatever a site made of a library must not end the thread: the others wait for it
            yield replace(find, decision=decision, reason=f"not understood: {type(error).__name__}: {error}")

    def _visit(self, job: Job, find: Find) -> Iterator[Find]:
        host = urlsplit(job.url).hostname
        if job.kind in (SITEMAP, PAGE) and job.referrer and self._has_shown_enough(host):
            yield from self._once(host, replace(find, decision=manifest.REFUSED,
                                                reason=f"pages: more than {self.reach.pages:,} of {host}"))
            return
        before = self.collection.last(job.url)
        if before and is_settled(before):
            yield from self._unchanged(job, before, find)
            return
        is_allowed = licence.allows(self.collection.licence, job.licence)
        if job.kind == FILE and is_midi_name(job.url) and not is_allowed:  # nothing in the file could say otherwise
            yield replace(find, decision=manifest.REFUSED, reason=unlicensed(job.licence, self.collection.licence))
            return
        if job.kind == FILE and self.collection.dry_run:
            yield replace(find, decision=manifest.OFFERED)
            return
        answer = self.visitor.get(job.url, lambda answer: self._largest(job, answer), conditions(before))
        if answer.status == NOT_MODIFIED:
            yield from self._unchanged(job, before, find)
            return
        find = replace(find, status=answer.status, landed=answer.url if answer.url != job.url else None,
                       etag=answer.headers.get("etag"), modified=answer.headers.get("last-modified"),
                       licence=job.licence, evidence=job.evidence)
        if answer.body is None:
            yield self._unread(job, find, answer)
            return
        nature = nature_of(answer)
        with answer.body as body:
            if nature == "midi":
                yield replace(find, content=body.read(), name=_name(job, answer, is_midi_name, ".mid"))
            elif nature == "score":
                yield archive.labelled(replace(find, content=body.read(), name=_score_name(job, answer)))
            elif nature == "archive":
                yield from unpacked(body, find, _name(job, answer, archive.is_archive, ".zip"), self.limits)
            else:
                yield from self._page(job, find, body.read(), answer)

    def _unread(self, job: Job, find: Find, answer: Answer) -> Find:
        """Return what is to be said of an answer whose body nobody wanted."""
        if nature_of(answer) in ("midi", "score", "archive"):  # a dry run
            return replace(find, decision=manifest.OFFERED)
        if job.kind == FILE:
            return replace(find, decision=manifest.REFUSED, reason=fault(answer.start, self.limits.song))
        if job.referrer is None:
            said = answer.headers.get("content-type", "unknown")
            raise InputError(f"no page, archive, MIDI file or score: {job.url} ({said})")
        return replace(find, decision=manifest.VISITED, links={})

    def _has_shown_enough(self, host: str) -> bool:
        with self._change:
            return self._pages.get(host, 0) >= self.reach.pages

    def _once(self, host: str, find: Find) -> Iterator[Find]:
        """Yield the find that stands for all pages of a host that are not read, the first time."""
        with self._change:
            is_new = host not in self._full
            self._full.add(host)
        if is_new:
            yield find

    def _largest(self, job: Job, answer: Answer) -> int:
        """Return how many bytes of an answer are wanted."""
        nature = nature_of(answer)
        if nature == "page":
            is_wanted = not job.referrer or job.reach >= 0 and not self._has_shown_enough(urlsplit(job.url).hostname)
            return LARGEST_PAGE if is_wanted and job.kind != FILE else 0
        if self.collection.dry_run:
            return 0
        return {"midi": self.limits.song, "score": self.limits.song, "archive": self.reach.archive}.get(nature, 0)

    def _unchanged(self, job: Job, before: dict, find: Find) -> Iterator[Find]:
        """Yield what an earlier run knows about a job."""
        if before["decision"] == manifest.VISITED:
            page = pages.Page(before.get("links") or {})
            self._follow(job, page, before.get("licence"), before.get("evidence"))
            yield replace(find, decision=manifest.UNCHANGED, links=page.links)
        else:
            is_refused = before["decision"] == manifest.REFUSED
            yield replace(find, decision=manifest.KNOWN, reason=before["reason"] if is_refused else None)

    def _page(self, job: Job, find: Find, content: bytes, answer: Answer) -> Iterator[Find]:
        if content.startswith(GZIP_MAGIC):
            content = gunzipped(content, LARGEST_PAGE)
        is_sitemap = pages.is_sitemap(content[:4096])
        page = pages.sitemap_links(content) if is_sitemap else pages.links_of(content, answer.url)
        named = page.licence and (licence.licence_in(page.licence) or page.licence)
        evidence = f"rel=license on {job.url}: {page.licence}" if named else None
        self._follow(job, page, named, evidence)
        if job.referrer is None and not page.links:
            raise InputError(f"no link on this page: {job.url}")
        yield replace(find, decision=manifest.VISITED, links=page.links, licence=named, evidence=evidence)

    def _follow(self, job: Job, page: pages.Page, named: str | None, evidence: str | None) -> None:
        """Add the links of a page that are in reach."""
        host = urlsplit(job.url).hostname
        with self._change:
            self._pages[host] = self._pages.get(host, 0) + 1
        jobs = []
        if job.referrer is None and self.reach.depth:
            jobs += [(SITEMAP, url, job.reach) for link in self.visitor.sitemaps(job.url)
                     if (url := pages.normal(job.url, link))]
        jobs += [(SITEMAP, url, job.reach) for url in page.links.get(SITEMAP, ())]
        jobs += [(FILE, url, 0) for url in page.links.get(FILE, ())]
        jobs += [(MAYBE, url, job.reach - 1 if _same_site(url, job) else -1) for url in page.links.get(MAYBE, ())]
        if job.reach > 0:
            jobs += [(PAGE, url, job.reach - 1) for url in page.links.get(PAGE, ()) if _same_site(url, job)]
        self._add(Job(kind, url, job.source, job.url, reach, named, evidence) for kind, url, reach in jobs)


def _same_site(url: str, job: Job) -> bool:
    return urlsplit(url).hostname.removeprefix("www.") == urlsplit(job.url).hostname.removeprefix("www.")


def nature_of(answer: Answer) -> str:
    """Return what an answer is: midi, score, archive, page or other. Its first bytes decide, then its name, then its
    type.
    """
    if begins_like_midi(answer.start):
        return "midi"
    start, said = answer.start.lstrip(), answer.headers.get("content-type", "").lower()
    names = (urlsplit(answer.url).path, pages.name_of(answer.url, answer.headers.get("content-disposition")))

    def is_named(ending: str) -> bool:
        return any(name.lower().endswith(ending) for name in names)

    if start.startswith(b"PK"):
        is_score = PACKED_SCORE in said or PACKED_SCORE.encode() in start or is_named(".mxl")
    else:
        is_tune = is_named(".abc") and not start.startswith(b"<")
        is_score = is_tune or notation.form_of(answer.start) is not None
    if is_score:
        return "score"
    if is_named(".xml.gz"):
        return "page"
    if answer.start.startswith(ARCHIVE_MAGIC) or answer.start[257:262] == b"ustar":
        return "archive"
    if start.startswith(b"<") or said.startswith(("text/", "application/xhtml", "application/xml")):
        return "page"
    return "archive" if any(map(archive.is_archive, names)) else "other"


def _score_name(job: Job, answer: Answer) -> str:
    """Return the name of a score; the ending is that of its form where the web has none."""
    form = notation.form_of(answer.start) or notation.MUSICXML
    ending = {notation.ABC: ".abc", notation.KERN: ".krn"}.get(form, ".musicxml")
    return _name(job, answer, is_song_name, ".mxl" if answer.start.startswith(b"PK") else ending)


def _name(job: Job, answer: Answer, is_right: Callable[[str], bool], ending: str) -> str:
    said = answer.headers.get("content-disposition")
    for url in dict.fromkeys((job.url, answer.url)):
        if is_right(name := pages.name_of(url, said)):
            return name
    return f"{pages.name_of(job.url, said)}{ending}"


def unpacked(body: IO[bytes], find: Find, name: str, limits: archive.Limits) -> Iterator[Find]:
    """Yield the songs of an archive that came as `find`, and last its own line."""
    sha256 = hashlib.file_digest(body, "sha256").hexdigest()
    with archive.opened(body, find.origin, limits) as entries:
        for song in archive.songs(entries, find.source, f"{find.origin}#", archive.bare_name(name), limits):
            says = song if song.licence else find
            yield replace(song, referrer=find.referrer, licence=says.licence, evidence=says.evidence)
    yield replace(find, decision=manifest.UNPACKED, sha256=sha256)
