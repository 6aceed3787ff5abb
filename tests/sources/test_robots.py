"""robots.txt: the examples of RFC 9309, and what sites write beside it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.sources.robots import LONGEST_PAUSE, matches, parse

AGENT = "SerenityFetch/0.2 (gathers MIDI; me@example.org)"

RFC = """
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""  # section 5.1


def allowed(text, path, agent=AGENT):
    return parse(text, agent).allows(f"http://host{path}")


@pytest.mark.parametrize(("agent", "path", "is_allowed"), [
    ("foobot", "/example/page.html", True), ("FooBot/2.1", "/example/allowed.gif", True), ("foobot", "/x", False),
    ("barbot", "/example/page.html", False), ("bazbot", "/example/page.html", False), ("bazbot", "/x.gif", True),
    ("quxbot", "/example/", True),
    ("other", "/x.gif", False), ("other", "/x.gif?y", True), ("other", "/example/x", False), ("other", "/", True),
])
def test_the_example_of_the_rfc(agent, path, is_allowed):
    assert allowed(RFC, path, agent) == is_allowed


@pytest.mark.parametrize(("rules", "path", "is_allowed"), [
    ("Allow: /example/page/\nDisallow: /example/page/disallowed.gif", "/example/page/disallowed.gif", False),  # 5.2
    ("Disallow: /a\nAllow: /a", "/a", True),  # equally long: 2.2.2
    ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
    ("Disallow:", "/", True),
    ("disallow : /a # why", "/a", False),
    ("Disallow: /ü", "/%C3%BC", False),
    ("Disallow: /%c3%bc", "/ü", False),
    ("Disallow: /%61", "/a", False),
    ("Disallow: /a%2Fb", "/a/b", True),
    ("Disallow: /*/b$", "/a/b", False),
    ("Disallow: /*/b$", "/a/bc", True),
    ("Disallow: /?id=", "/?id=7", False),
    ("Disallow: /", "/robots.txt", True),
    ("Disallow: //[", "/a", True),
    ("nonsense\n: \nDisallow: /a\nCrawl-delay: ²", "/a", False),
])
def test_rules(rules, path, is_allowed):
    assert allowed(f"User-agent: *\n{rules}", path) == is_allowed


def test_groups_of_one_name_are_one_and_bytes_before_the_first_do_not_count():
    text = "\ufeffDisallow: /0\nUser-agent: serenityfetch\nDisallow: /1\n\nUser-agent: x\nDisallow: /2\n" \
           "User-agent: SerenityFetch\nDisallow: /3\nUser-agent: *\nDisallow: /4"
    assert [allowed(text, f"/{number}") for number in range(5)] == [True, False, True, False, True]


@pytest.mark.parametrize(("line", "seconds"), [
    ("Crawl-delay: 7", 7), ("crawl-delay:0.5", 0.5), ("Crawl-delay: 99999", LONGEST_PAUSE), ("Crawl-delay: soon", 0),
    ("Crawl-delay: -1", 0), ("Request-rate: 1/5", 5), ("Request-rate: 4/1m", 15), ("Request-rate: 1/10s 1200-1500", 10),
    ("Request-rate: 0/3", 3), ("Request-rate: 1/1h", LONGEST_PAUSE),
])
def test_pauses(line, seconds):
    assert parse(f"User-agent: *\n{line}", AGENT).pause == seconds


def test_sitemaps_are_for_everybody():
    text = "Sitemap: http://host/a.xml\nUser-agent: x\nDisallow: /\nSITEMAP: /b.xml"
    assert parse(text, AGENT).sitemaps == ("http://host/a.xml", "/b.xml")


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=5), st.text("ab", max_size=12), st.booleans())
def test_patterns_match_like_regular_expressions(pieces, path, to_the_end):
    import re

    expected = re.match(".*".join(pieces) + ("$" if to_the_end else ""), path) is not None
    assert matches("*".join(pieces) + "$" * to_the_end, path) == expected


def test_a_pattern_of_many_stars_takes_no_time():
    begin = time.monotonic()
    assert not matches("*a" * 2000 + "$", "a" * 1000 + "b")
    assert time.monotonic() - begin < 1
