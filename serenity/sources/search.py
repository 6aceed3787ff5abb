"""Search engines behind one small interface: words in, URLs of pages out.

An engine is a row of the table below. Which one is asked is decided by the keys that the environment holds.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

from serenity.errors import InputError
from serenity.sources.visitor import Visitor

PREFIX = "search:"
LARGEST = 4 * 2**20  # bytes of an answer


@dataclass(frozen=True)
class Engine:
    """How a search engine is asked, and how it answers."""

    url: str
    keys: tuple[str, ...]  # names of environment variables
    how: str  # to get a key
    pages: int  # of results that it gives at most
    ask: Callable[[str, int, tuple[str, ...]], tuple[dict, dict]]  # words, page from 0, keys -> query, headers
    results: Callable[[dict], list[str]]  # answer -> URLs


def _ask_google(words: str, page: int, keys: tuple[str, ...]) -> tuple[dict, dict]:
    return {"key": keys[0], "cx": keys[1], "q": words, "num": 10, "start": 1 + 10 * page}, {}


def _ask_brave(words: str, page: int, keys: tuple[str, ...]) -> tuple[dict, dict]:
    return {"q": words, "count": 20, "offset": page}, {"X-Subscription-Token": keys[0], "Accept": "application/json"}


ENGINES = {
    "Brave Search": Engine(
        "https://api.search.brave.com/res/v1/web/search", ("BRAVE_API_KEY",), "brave.com/search/api", 10, _ask_brave,
        lambda answer: [result["url"] for result in (answer.get("web") or {}).get("results", ())]),
    "Google Programmable Search": Engine(  # closed to new customers, and ends on 2027-01-01
        "https://www.googleapis.com/customsearch/v1", ("GOOGLE_API_KEY", "GOOGLE_SEARCH_ENGINE_ID"),
        "developers.google.com/custom-search (customers of old only)", 10, _ask_google,
        lambda answer: [item["link"] for item in answer.get("items", ())]),
}


def engine(environment: Mapping[str, str] = os.environ) -> tuple[str, tuple[str, ...]]:
    """Return the name of the first engine that there are keys for, and the keys. Raises InputError: how to get one."""
    for name, known in ENGINES.items():
        keys = tuple(environment.get(key, "") for key in known.keys)
        if all(keys):
            return name, keys
    ways = "; or ".join(f"{' and '.join(known.keys)} for {name}, from {known.how}" for name, known in ENGINES.items())
    raise InputError(f"{PREFIX}WORDS needs a key in the environment: {ways}")


def urls(words: str, most: int, visitor: Visitor, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield the URLs of at most `most` pages that an engine finds for the words, each once.

    Raises InputError without words, without a key, or where the engine does not answer as it should. No message of
    these holds a key.
    """
    if not words.strip():
        raise InputError(f"{PREFIX} without words; wanted, for example, {PREFIX}piano midi")
    name, keys = engine(environment)
    known, seen = ENGINES[name], set()
    for page in range(known.pages):
        query, headers = known.ask(words, page, keys)
        try:
            # not crawling but a service with a key, so robots.txt is not asked
            answer = visitor.get(f"{known.url}?{urlencode(query)}", lambda answer: LARGEST, headers, obey=False)
            with answer.body as body:
                found = known.results(json.load(body))
        except InputError as error:
            raise InputError(f"{name} does not answer: {_without(keys, str(error))}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{name} answered, but not with a list of results") from None
        new = [url for url in dict.fromkeys(found) if url not in seen]
        for url in new:
            if len(seen) == most:
                return
            seen.add(url)
            yield url
        if not new:
            return


def _without(keys: tuple[str, ...], message: str) -> str:
    for key in keys:
        message = message.replace(quote_plus(key), "***").replace(key, "***")
    return message
