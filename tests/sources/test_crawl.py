"""A crawl of the test site: what is found, what is asked for, and what a second run asks."""

import gzip
import threading
import time

import pytest

from serenity.sources import archive, crawl
from serenity.sources import visitor as visitors
from serenity.sources.crawl import Crawl, Reach
from serenity.sources.manifest import Collection
from tests.sources.site import SONG, mxl, packed, page, score, served, song, tarred, validated, zipped

LARGEST = 10_000
GZIPPED = gzip.compress(SONG, mtime=0)
RIFF = b"RIFF\x26\0\0\0RMIDdata\x1a\0\0\0" + SONG


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(visitors, "BACK_OFF", 0.02)
    with served(5) as site:
        yield site


def run(site, folder, *paths, pause=0.0, timeout=5.0, licence="any", dry_run=False, stop=None, is_done=True, **reach):
    """Crawl from paths of the first host and keep what comes; return the finds with what became of them."""
    collection = Collection(folder / "midi", LARGEST, licence, dry_run)
    visitor = visitors.Visitor(visitors.Manners("SerenityTest/1", pause, timeout, True))
    way = Crawl(visitor, collection, archive.Limits(song=LARGEST), Reach(**{"archive": 10**6, "hosts": 5} | reach))
    sources, came = [path if "://" in path else f"{site.root}{path}" for path in paths or ("/",)], []
    for find in way.finds((source, source) for source in sources):
        came.append((find, *collection.keep(find)))
        if stop and len(came) >= stop:
            return came
    for source in sources if is_done else ():
        collection.finish(source)
    return came


def files(folder):
    folder = folder / "midi"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
            and path.name != "manifest.jsonl"}


def reasons(came):
    return {find.origin.rpartition("/")[2]: reason.partition(":")[0] for find, decision, reason in came
            if decision == "refused"}


def great_site(site):
    """Fill five hosts with every kind of link; return the paths of all files that may be found."""
    allowed = set()

    def add(host, path, body=None):
        allowed.add(f"{host}{path}")
        site.answers[f"{host}{path}"] = body or song(f"{host}{path}")
        return path

    for number in range(1, 6):
        host, other = f"127.0.0.{number}", f"127.0.0.{number % 5 + 1}"
        site.answers |= {
            f"{host}/robots.txt": b"User-agent: *\nDisallow: /secret/\nDisallow: /*.kar$\nSitemap: /s.xml",
            f"{host}/secret/a.mid": SONG, f"{host}/b.kar": SONG,
            f"{host}/s.xml": f"<sitemapindex><loc>{site.url(host)}/s2.xml</loc></sitemapindex>".encode(),
            f"{host}/s2.xml": packed(f"<urlset><url><loc>{site.url(host)}/lonely.html</loc></url></urlset>".encode()),
            f"{host}/lonely.html": page(add(host, "/lonely/a.mid")),
            f"{host}/": page("one/", "secret/a.mid", "b.kar", add(host, "/top.mid"), "/secret/page.html",
                             f"{site.url(other)}{add(other, f'/from{number}.mid')}"),
            f"{host}/one/": page("two/index.html?x=1&amp;y=2", "../one/", "/", "caf%C3%A9.html"),
            f"{host}/one/two/index.html?x=1&y=2": page("../../deep.mid", "missing.html", add(host, "/one/b%20b.midi")),
            f"{host}/one/caf%C3%A9.html": b'<embed src="e.mid"><audio src="%C3%A9.mid"></audio>'
                                          b'<iframe src="frame.html">' + site.url(host, "/t.mid").encode(),
            f"{host}/get?id=1": (302, {"Location": "/real/1"}, b""),
            f"{host}/one/frame.html": b'<a href="/get?id=1">download</a><a href="/get?id=2" download>2</a>',
        }
        for path in ("/deep.mid", "/one/e.mid", "/one/%C3%A9.mid", "/t.mid"):
            add(host, path)
        add(host, "/real/1")  # behind a redirect
        add(host, "/get?id=2", (200, {"Content-Disposition": 'attachment; filename="two.mid"'}, song(f"{host}2")))
    return allowed


def test_all_that_may_be_found_is_found_and_nothing_forbidden_is_asked_for(site, tmp_path):
    allowed = great_site(site)
    run(site, tmp_path, *(site.url(f"127.0.0.{number}", "/") for number in range(1, 6)), depth=4)
    stored = {content for name, content in files(tmp_path).items()}
    expected = {answer[2] if isinstance(answer, tuple) else answer
                for path, answer in site.answers.items() if path in allowed}
    assert stored == expected
    assert len(stored) == len(allowed) == 5 * 10
    assert not [path for path in site.counts() if "/secret/" in path or path.endswith(".kar")]
    assert set(site.counts().values()) == {1}


def test_hosts_are_asked_side_by_side_each_with_its_pauses_and_one_connection(site, tmp_path):
    names = [f"127.0.0.{number}" for number in range(1, 6)]
    for host in names:
        site.answers |= {f"{host}/": page("a.mid", "b.mid"), f"{host}/a.mid": song(host + "a"),
                         f"{host}/b.mid": song(host + "b")}
    begin = time.monotonic()
    run(site, tmp_path, *(site.url(host, "/") for host in names), pause=0.2)
    assert len(files(tmp_path)) == 10
    assert min(min(site.gaps(host)) for host in names) >= 0.199
    assert all(len({request.connection for request in site.asked if request.host == host}) == 1 for host in names)
    assert time.monotonic() - begin < 5 * 4 * 0.2  # one host after another would take longer


def test_a_page_gives_its_songs_and_archives_with_its_licence(site, tmp_path):
    licence = b'<link rel="license" href="//creativecommons.org/licenses/by/4.0/">'
    site.answers = {
        "/p/": page("a.mid", "set.zip", "set.tar.gz") + licence,
        "/p/a.mid": song(1), "/p/set.zip": zipped({"LICENSE": "MIT License", "in/b.mid": song(2)}),
        "/p/set.tar.gz": tarred({"c.mid": song(3)}),
    }
    finds = {find.name: find for find, decision, _ in run(site, tmp_path, "/p/", licence="permissive")
             if decision == "stored"}
    url = f"{site.root}/p/"
    by_page = ("CC-BY-4.0", f"rel=license on {url}: http://creativecommons.org/licenses/by/4.0/")
    assert {name: (find.licence, find.evidence) for name, find in finds.items()} == {
        "127.0.0.1/p/a.mid": by_page, "127.0.0.1/p/set/in/b.mid": ("MIT", f"{url}set.zip#LICENSE"),
        "127.0.0.1/p/set/c.mid": by_page}
    assert {find.referrer for find in finds.values()} == {url}


def test_what_no_licence_allows_is_not_even_asked_for(site, tmp_path):
    site.answers = {"/": page("a.mid", "set.zip"), "/a.mid": SONG, "/set.zip": zipped({"b.mid": song(2)})}
    assert set(reasons(run(site, tmp_path, licence="permissive")).values()) == {"licence"}
    assert site.paths() == ["/", "/set.zip"]


@pytest.mark.parametrize(("path", "answer", "name"), [
    ("/a.mid", SONG, "a.mid"), ("/get?id=7", SONG, "get id=7.mid"), ("/x.zip", zipped({"a.mid": SONG}), "x/a.mid"),
    ("/get?id=8", zipped({"a.mid": SONG}), "get id=8/a.mid"),
    ("/get", (200, {"Content-Disposition": "attachment; filename=x.mid"}, SONG), "x.mid"),
    ("/a.mid.gz", GZIPPED, "a.mid.gz"), ("/get?id=9", RIFF, "get id=9.mid"), ("/y.zip", SONG, "y.zip.mid"),
    ("/s.xml", b"<urlset><url><loc>http://127.0.0.1:%d/b.mid</loc></url></urlset>", "b.mid"),
])
def test_a_url_of_a_file_an_archive_or_a_sitemap_itself(site, tmp_path, path, answer, name):
    answer = answer % site.port if path == "/s.xml" else answer
    site.answers = {path: answer, "/b.mid": SONG}
    run(site, tmp_path, path)
    kept = answer if answer in (GZIPPED, RIFF) else SONG  # wrappers stay around what is stored
    assert files(tmp_path) == {f"127.0.0.1/{name.replace('.mid/', '.mid_/')}": kept}


def test_only_what_is_in_reach_is_followed(site, tmp_path):
    site.answers = {"/": page("1.html", site.url("127.0.0.2", "/")), "/1.html": page("2.html", "1.mid"),
                    "/2.html": page("2.mid"), "127.0.0.2/": page("x.mid")} | {f"/{n}.mid": song(n) for n in (1, 2)}
    run(site, tmp_path)
    assert site.paths() == ["/"]
    run(site, tmp_path, depth=1)
    assert set(files(tmp_path)) == {"127.0.0.1/1.mid"}
    run(site, tmp_path, depth=2)
    assert set(files(tmp_path)) == {"127.0.0.1/1.mid", "127.0.0.1/2.mid"}
    assert "127.0.0.2/" not in site.counts()


def test_a_page_that_is_met_again_nearer_is_followed_as_far_as_it_reaches(site, tmp_path):
    site.answers = {"/": b'<a href="far">x</a><a href="mid">MIDI</a>', "/mid": page("next"), "/far": page("next"),
                    "/next": page("a.mid"), "/a.mid": SONG}
    run(site, tmp_path, depth=2)
    assert len(files(tmp_path)) == 1


def test_an_endless_calendar_ends(site, tmp_path):
    class Calendar(dict):
        def get(self, path, other=None):
            number = len(site.asked)
            return page(f"day?{number}", f"d{number}.mid") if "day" in path else super().get(path, other)

    site.answers = Calendar({"/": page("day") + b'<a href="another-day">download</a>'})
    came = run(site, tmp_path, depth=10**6, pages=20)
    assert list(reasons(came).values()).count("pages") == 1
    assert 20 <= len([path for path in site.paths() if not path.endswith(".mid")]) <= 21  # one might have been a file


def test_ten_thousand_links_on_one_page(site, tmp_path):
    site.answers = {"/": page(*(f"{number}.mid" for number in range(10_000)))}
    came = run(site, tmp_path, dry_run=True)
    assert [decision for _, decision, _ in came].count("offered") == 10_000
    assert site.paths() == ["/"]
    assert not (tmp_path / "midi").exists()


def test_a_bad_file_leaves_the_others(site, tmp_path):
    site.answers = {
        "/": page("none.mid", "short.mid", "large.mid", "html.mid", "bad.zip", "bomb.zip", "evil.zip", "loop.mid",
                  "cut.mid", "empty.mid", "good.mid", "http://127.0.0.1:1/dead.mid"),
        "/short.mid": (200, {"Content-Length": "99", "Connection": "close"}, SONG),
        "/large.mid": SONG + bytes(LARGEST), "/html.mid": b"<!doctype html>", "/bad.zip": b"PK\3\4 and no more",
        "/bomb.zip": zipped({"a.mid": bytes(2**25)}), "/evil.zip": zipped({"../x.mid": SONG}),
        "/loop.mid": (302, {"Location": "/loop.mid"}, b""), "/cut.mid": SONG[:-2], "/empty.mid": b"", "/good.mid": SONG,
    }
    assert reasons(run(site, tmp_path)) == {
        "none.mid": "status 404", "short.mid": "broke off", "large.mid": "over 0.00953674 MiB",
        "html.mid": "neither MIDI nor a score",
        "bad.zip": "broken archive", "bomb.zip": "archive over a limit", "x.mid": "path out of the archive",
        "loop.mid": "more than 5 redirects", "cut.mid": "cut off", "empty.mid": "empty file",
        "dead.mid": "robots.txt could not be fetched"}
    assert files(tmp_path) == {"127.0.0.1/good.mid": SONG}


def test_scores_are_kept_as_midi_files_are_with_what_they_say_of_themselves(site, tmp_path):
    tune = b"%" * 5000 + b"\nX:1\nT:Tune\nC: copyright: public domain.\nK:C\nCDEF|\n"
    compressed = mxl("Packed")
    site.answers |= {
        "/": page("a.musicxml", "b.mxl", "c.abc", "get?score=d.mxl", "feed.xml", "more.zip", "no.abc", "own.abc"),
        "/a.musicxml": score("Plain", "all rights reserved"), "/b.mxl": compressed, "/c.abc": tune,
        "/get?score=d.mxl": (200, {"Content-Type": "application/vnd.recordare.musicxml"}, mxl("Asked")),
        "/feed.xml": b"<?xml version='1.0'?><rss/>", "/no.abc": b"<!doctype html>", "/own.abc": b"serenity-abc 2\n",
        "/more.zip": zipped({"e.xml": score("Inside"), "f.xml": b"<rss/>", "LICENSE": "MIT License"}),
    }
    found = {find.origin.rpartition("/")[2]: (find.title, find.licence) for find, decision, _ in run(site, tmp_path)
             if decision == "stored"}
    assert found == {"a.musicxml": ("Plain", None), "b.mxl": ("Packed", "CC0-1.0"), "c.abc": ("Tune", "public domain"),
                     "get?score=d.mxl": ("Asked", "CC0-1.0"), "more.zip#e.xml": ("Inside", "MIT")}
    assert set(files(tmp_path)) == {f"127.0.0.1/{name}" for name in (
        "a.musicxml", "b.mxl", "c.abc", "get score=d.mxl", "more/e.xml")}
    assert files(tmp_path)["127.0.0.1/b.mxl"] == compressed


def test_what_a_site_does_to_a_library_ends_one_url_alone(site, tmp_path, monkeypatch):
    def broken(*arguments):
        raise RecursionError("too deep")

    monkeypatch.setattr(crawl.pages, "links_of", broken)
    site.answers = {"/": b"<html>", "/a.mid": SONG}
    came = run(site, tmp_path, "/", "/a.mid")
    assert reasons(came) == {"": "not understood"}
    assert len(files(tmp_path)) == 1


def test_a_second_run_asks_only_for_what_changed(site, tmp_path):
    changed = {"value": song(1)}
    site.answers = {
        "/": validated(page("same.mid", "changed.mid", "plain.mid", "set.zip", "no.mid", "sub/")),
        "/same.mid": validated(song(2)), "/plain.mid": song(3), "/set.zip": validated(zipped({"a.mid": song(4)})),
        "/changed.mid": lambda headers: validated(changed["value"], f'"{len(changed["value"])}"')(headers),
        "/no.mid": validated(b"<html>"), "/sub/": validated(page("deep.mid")), "/sub/deep.mid": validated(song(5)),
    }
    run(site, tmp_path, depth=1)
    first, before = files(tmp_path), len(site.asked)
    changed["value"] = song("another")
    came = run(site, tmp_path, depth=1)
    again = {request.path: request.headers.get("If-None-Match") for request in site.asked[before:]}
    assert again.pop("/changed.mid") == f'"{len(song(1))}"'
    assert set(again) == {"/robots.txt", "/sitemap.xml", "/", "/same.mid", "/set.zip", "/no.mid", "/sub/",
                          "/sub/deep.mid"}
    assert {value for path, value in again.items() if "xml" not in path and "txt" not in path} == {'"1"'}
    assert files(tmp_path) == first | {"127.0.0.1/changed-2.mid": song("another")}
    assert [decision for _, decision, _ in came].count("stored") == 1
    before = (tmp_path / "midi/manifest.jsonl").read_bytes()
    run(site, tmp_path, depth=1)
    assert (tmp_path / "midi/manifest.jsonl").read_bytes().startswith(before)
    assert files(tmp_path) == first | {"127.0.0.1/changed-2.mid": song("another")}


def test_a_run_that_was_interrupted_goes_on_and_asks_for_nothing_twice(site, tmp_path):
    site.answers = {"/": page(*(f"{number}.mid" for number in range(20)), "sub/", "no.mid"), "/sub/": page("deep.mid"),
                    "/sub/deep.mid": song("deep"), "/no.mid": b"<html>"}
    site.answers |= {f"/{number}.mid": song(number) for number in range(20)}
    run(site, tmp_path, depth=1, stop=8)
    kept = {record.path for record in site.asked}
    run(site, tmp_path, depth=1)
    assert len(files(tmp_path)) == 21
    assert len(kept) < 26
    again = [path for path, count in site.counts().items() if count > 1 and path[9:] not in ("/robots.txt",)]
    assert len(again) <= crawl.WAITING + 2  # what was on its way when the run ended


def test_what_failed_for_a_time_is_asked_for_again(site, tmp_path):
    site.answers = {"/": page("a.mid", "b.mid"), "/a.mid": [(500, {}, b"")] * visitors.TRIES + [(200, {}, SONG)]}
    assert reasons(run(site, tmp_path, is_done=False)) == {"a.mid": "status 500", "b.mid": "status 404"}
    run(site, tmp_path, is_done=False)
    assert set(files(tmp_path)) == {"127.0.0.1/a.mid"}
    assert site.counts()["127.0.0.1/b.mid"] == 1


def test_what_is_enough_ends_one_source_alone(site, tmp_path):
    site.answers = {"/": page(*(f"{number}.mid" for number in range(50))), "127.0.0.2/": page("b.mid"),
                    "127.0.0.2/b.mid": SONG} | {f"/{number}.mid": song(number) for number in range(50)}
    collection = Collection(tmp_path, LARGEST)
    visitor = visitors.Visitor(visitors.Manners("SerenityTest/1", 0.02, 5.0, True))
    way = Crawl(visitor, collection, archive.Limits(song=LARGEST), Reach())
    urls = [f"{site.root}/", site.url("127.0.0.2", "/")]
    for find in way.finds(zip(urls, urls)):
        if find.content and find.source == urls[0]:
            way.enough(find.source)
    assert len(site.paths("127.0.0.1")) < 10
    assert site.paths("127.0.0.2") == ["/", "/b.mid"]


def test_who_stops_listening_ends_all_threads(site, tmp_path):
    site.answers = {"/": page(*(f"{number}.mid" for number in range(50)))}
    before = threading.active_count()
    run(site, tmp_path, stop=1)
    deadline = time.monotonic() + 5
    while any("_work" in thread.name for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len([thread for thread in threading.enumerate() if "_work" in thread.name]) == 0
    assert threading.active_count() <= before + 8  # the site's own


@pytest.mark.parametrize(("answer", "reason"), [
    (b"<p>no music", "no link on this page"), ((200, {"Content-Type": "image/png"}, b"\x89PNG"), "no page, archive"),
    ((404, {}, b""), "status 404"),
])
def test_a_source_that_leads_nowhere_is_refused(site, tmp_path, answer, reason):
    site.answers = {"/x": answer}
    [refusal] = reasons(run(site, tmp_path, "/x")).values()
    assert refusal.startswith(reason)


def test_a_source_that_is_no_url_is_refused(site, tmp_path):
    assert reasons(run(site, tmp_path, "ftp://host/x")) == {"x": "no http or https URL"}
