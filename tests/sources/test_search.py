"""Search engines: how each is asked and answers, on the test site in their place."""

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from serenity.errors import InputError
from serenity.sources import search
from serenity.sources import visitor as visitors
from serenity.sources.search import ENGINES
from tests.sources.site import served

BRAVE = {"BRAVE_API_KEY": "secret/key"}
GOOGLE = {"GOOGLE_API_KEY": "secret/key", "GOOGLE_SEARCH_ENGINE_ID": "mine"}
ANSWERS = {  # engine -> an answer with these URLs
    "Brave Search": lambda urls: {"web": {"results": [{"url": url, "title": "x"} for url in urls]}},
    "Google Programmable Search": lambda urls: {"items": [{"link": url} for url in urls]} if urls else {},
}


@pytest.fixture
def ask(monkeypatch):
    """Return a function that searches for words: the URLs found, and the requests."""
    monkeypatch.setattr(visitors, "BACK_OFF", 0.01)
    with served() as site:
        for name, engine in ENGINES.items():
            monkeypatch.setitem(ENGINES, name, replace(engine, url=f"{site.root}/search"))
        asked = []

        class Answers(dict):
            def get(self, path, other=None):
                if not path.startswith("/search"):
                    return other
                asked.append(parse_qs(urlsplit(path).query))
                answer = site.pages.pop(0) if site.pages else ANSWERS[site.engine]([])
                return answer if isinstance(answer, tuple | bytes) else json.dumps(answer).encode()

        def ask(words, keys, pages, most=100):
            site.engine, site.pages, site.answers = search.engine(keys)[0], list(pages), Answers()
            visitor = visitors.Visitor(visitors.Manners("SerenityTest/1", 0.0, 5.0, True))
            return list(search.urls(words, most, visitor, keys)), asked, site.asked

        yield ask


@pytest.mark.parametrize(("keys", "name"), [(BRAVE, "Brave Search"), (GOOGLE, "Google Programmable Search")])
def test_pages_of_results_are_read_until_there_are_no_more(ask, keys, name):
    pages = [ANSWERS[name](urls) for urls in (["http://a/", "http://b/"], ["http://b/", "http://c/"], [])]
    urls, asked, _ = ask("piano midi & more", keys, pages)
    assert urls == ["http://a/", "http://b/", "http://c/"]
    assert [query["q"] for query in asked] == [["piano midi & more"]] * 3


def test_each_engine_is_asked_in_its_way(ask):
    _, asked, requests = ask("x", BRAVE, [ANSWERS["Brave Search"](["http://a/"])])
    assert [query["offset"] for query in asked] == [["0"], ["1"]]
    assert requests[0].headers["X-Subscription-Token"] == "secret/key"
    asked.clear()
    _, asked, _ = ask("x", GOOGLE, [ANSWERS["Google Programmable Search"](["http://a/"])])
    assert [(query["key"], query["cx"], query["start"]) for query in asked] == [
        (["secret/key"], ["mine"], ["1"]), (["secret/key"], ["mine"], ["11"])]


def test_no_more_is_asked_than_wanted(ask):
    urls, asked, _ = ask("x", BRAVE, [ANSWERS["Brave Search"]([f"http://{n}/" for n in range(20)])] * 2, most=5)
    assert len(urls) == 5
    assert len(asked) == 1


@pytest.mark.parametrize("keys", [{}, {"GOOGLE_API_KEY": "x"}, {"BRAVE_API_KEY": ""}])
def test_without_a_key_it_is_said_how_to_get_one(keys):
    with pytest.raises(InputError, match="BRAVE_API_KEY for Brave Search, from brave.com/search/api") as error:
        search.engine(keys)
    assert "GOOGLE_API_KEY and GOOGLE_SEARCH_ENGINE_ID" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("answer", "message"), [
    ((401, {}, b""), "does not answer: status 401"), ((429, {}, b""), "does not answer: status 429"),
    (b"<html>", "not with a list"), (b'{"items": [{}]}', "not with a list"), (b"[]", "not with a list"),
])
def test_no_message_holds_a_key(ask, answer, message):
    with pytest.raises(InputError, match=message) as error:
        ask("x", GOOGLE, [answer] * 5)
    assert "secret" not in str(error.value)


def test_words_are_needed(ask):
    with pytest.raises(InputError, match="without words"):
        ask(" ", BRAVE, [])
