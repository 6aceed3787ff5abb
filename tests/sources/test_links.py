"""What pages and sitemaps link to, and how files are named."""


import pytest

from serenity.sources.links import is_sitemap, links_of, name_of, normal, sitemap_links

URL = "http://host/music/page.html"


def found(page, kind, url=URL):
    return links_of(page, url).links.get(kind, [])


def test_files_of_every_kind_are_found_each_once():
    page = b"""<a href="a.mid">a</a> <A HREF='/b%20c.MID?x=1#top'>b</A> <audio src="d.midi"></audio>
        <audio><source src="e.kar"></audio> <embed src="//other.org/f.mid"> <object data="../g.mid"></object>
        <midi-player src="k.mid" sound-font></midi-player> <midi-visualizer src="l.mid"></midi-visualizer>
        <bgsound src="h.mid"> <object><param name="src" value="i.mid"></object> <iframe src="j.mid"></iframe>
        <a href="set.tar.gz">h</a> <a href="a.mid">again</a> <a href="page.html">no</a> <a href="mailto:x@y.mid">no</a>
        <a href="javascript:x.mid">no</a> <a href="ftp://h/i.mid">no</a> <a href="http://[bad.mid">no</a> <a>no</a>"""
    assert found(page, "file") == [
        "http://host/music/a.mid", "http://host/b%20c.MID?x=1", "http://host/music/d.midi", "http://host/music/e.kar",
        "http://other.org/f.mid", "http://host/g.mid", "http://host/music/k.mid", "http://host/music/l.mid",
        "http://host/music/h.mid", "http://host/music/i.mid", "http://host/music/j.mid", "http://host/music/set.tar.gz"]


@pytest.mark.parametrize("link", [
    '<a href="get?id=7">Download</a>', '<a href="get?id=7">as MIDI</a>', '<a href="get?id=7" download>x</a>',
    '<a href="get?id=7" type="audio/midi">x</a>', '<embed src="get?id=7" type="audio/x-midi">',
    '<a href="get?id=7" title="MIDI file"><img></a>',
])
def test_a_link_that_speaks_of_a_file_is_one_perhaps(link):
    assert found(link.encode(), "maybe") == ["http://host/music/get?id=7"]


def test_a_query_may_speak_too():
    assert found(b'<a href="get?f=a.mid">x</a>', "maybe") == ["http://host/music/get?f=a.mid"]


def test_other_links_are_pages_except_to_what_is_neither():
    page = b"""<a href="/x">x</a> <area href="y"> <frame src="z.html"> <a href="a.jpg">download</a>
        <a href="b.mp3">b</a> <embed src="c.swf"> <img src="d">"""
    assert links_of(page, URL).links == {"page": ["http://host/x", "http://host/music/y", "http://host/music/z.html"]}


def test_urls_in_text_and_scripts_are_found_but_not_in_comments():
    page = b"""<p>Get http://host/a.mid, or (https://host/b.zip). Not http://host/c.</p> <!-- http://host/d.mid -->
        <script>play("http://host/e.mid")</script>"""
    assert found(page, "file") == ["http://host/a.mid", "https://host/b.zip", "http://host/e.mid"]
    assert found(b"plain text: http://host/a.mid\nhttp://host/b.kar", "file") == ["http://host/a.mid",
                                                                                  "http://host/b.kar"]


def test_a_link_is_told_by_its_own_text_alone():
    page = b"""<a href="x"><b>Get</b> it</a> Download <a href="y"><img></a> MIDI <a href="z">as<br>MIDI</a>
        <![no[ <a title="a < b > c" href="w">"""
    assert links_of(page, URL).links == {"maybe": ["http://host/music/z"],
                                         "page": ["http://host/music/x", "http://host/music/y", "http://host/music/w"]}


def test_the_base_of_a_page_is_heeded():
    assert found(b'<base href="/files/"><a href="a.mid">', "file") == ["http://host/files/a.mid"]


@pytest.mark.parametrize("tag", ["a", "link"])
def test_the_licence_of_a_page(tag):
    page = f'<{tag} rel="license nofollow" href="//creativecommons.org/licenses/by/4.0/">'.encode()
    assert links_of(page, URL).licence == "http://creativecommons.org/licenses/by/4.0/"
    assert links_of(b"<a href=x>", URL).licence is None


@pytest.mark.parametrize("page", [b"<a>" * 100_000, b"<" * 200_000, b"<!--" * 50_000, b"http://" * 100_000,
                                  b"<a href=" * 20_000, b"&" * 500_000, bytes(100_000)])
def test_hostile_pages_come_to_an_end(page):
    links_of(page, URL)


@pytest.mark.parametrize(("link", "url"), [
    ("HTTP://Host:80/a", "http://host/a"), ("http://Host/A", "http://host/A"),
    ("https://host:443", "https://host/"), ("http://host:81/", "http://host:81/"),
    ("http://me:secret@host/a#b", "http://host/a"), ("a b.mid", "http://host/music/a%20b.mid"),
    ("%7Eme/", "http://host/music/~me/"), ("../../../x", "http://host/x"), ("/?q=ü", "http://host/?q=%C3%BC"),
    ("http://[::1]:8/a", "http://[::1]:8/a"), (" x\n", "http://host/music/x"),
    ("file:///etc/passwd", ""), ("http://h:port/", ""), ("x" * 3000, ""), ("http://[", ""),
])
def test_urls_have_one_spelling(link, url):
    assert normal(URL, link) == url
    assert url in ("", normal("", url))


def test_sitemaps():
    page = sitemap_links(b"""<?xml version="1.0"?><urlset><url><loc> http://h/a.html?x=1&amp;y=2 </loc></url>
        <url><loc><![CDATA[http://h/b.mid]]></loc></url><url><loc>http://h/c.jpg</loc></url></urlset>""")
    assert page.links == {"file": ["http://h/b.mid"], "page": ["http://h/a.html?x=1&y=2"]}
    page = sitemap_links(b"<sitemapindex><sitemap><loc>http://h/1.xml</loc></sitemap></sitemapindex>")
    assert page.links == {"sitemap": ["http://h/1.xml"]}
    assert is_sitemap(b"<?xml?><urlset>")
    assert not is_sitemap(b"<html>")


@pytest.mark.parametrize(("url", "disposition", "name"), [
    ("http://host:80/m%C3%BCsik/a%20b.mid?x=1", None, "host/müsik/a b.mid"),
    ("http://host/get?id=7", None, "host/get id=7"),
    ("http://host/x/get?id=7", 'attachment; filename="A Song.mid"', "host/x/A Song.mid"),
    ("http://host/get", "attachment; filename*=UTF-8''F%C3%BCr.mid", "host/Für.mid"),
    ("http://host/get", 'attachment; filename="../../evil.mid"', "host/evil.mid"),
    ("http://host/get", 'attachment; filename="C:\\\\x\\\\evil.mid"', "host/evil.mid"),
    ("http://host/a.mid", "inline", "host/a.mid"),
    ("http://host/x", "attachment; filename=\"Fur.mid\"; filename*=UTF-8''F%C3%BCr.mid", "host/Für.mid"),  # RFC 6266
    ("http://host/x", "attachment; filename*=UTF-8''F%C3%BCr.mid; filename=\"Fur.mid\"", "host/Für.mid"),
    ("http://host/x", "attachment; filename*=iso-8859-1'de'F%FCr.mid", "host/Für.mid"),
    ("http://host/x", "attachment; filename*=no-such''x.mid; filename=\"a.mid\"", "host/a.mid"),
    ("http://host/x", "attachment; filename*=UTF-8''%FF.mid; filename=\"a.mid\"", "host/a.mid"),
    ("http://host/x", 'attachment; filename="Für.mid"'.encode().decode("latin-1"), "host/Für.mid"),
    ("http://host/x", 'attachment; filename="さくら.mid"'.encode("shift_jis").decode("latin-1"), "host/さくら.mid"),
    ("http://host/m%FCsik/F%FCr.mid", None, "host/müsik/Für.mid"),                     # Latin-1
    ("http://host/%82%B3%82%AD%82%E7.mid", None, "host/さくら.mid"),                    # Shift-JIS
    ("http://host/%CA%E0%EB%E8%ED%EA%E0.mid", None, "host/Калинка.mid"),               # Windows-1251
    ("http://host/a.mid", "filename*=no-such''%FF", "host/a.mid"),
    ("http://host/", None, "host"),
])
def test_files_are_named_by_host_and_path_or_as_the_host_says(url, disposition, name):
    assert name_of(url, disposition) == name
