"""What a page links to: `links_of` for HTML and plain text, `sitemap_links` for sitemaps; and how files are named.

A link is one of three kinds. FILE: its path ends like a song's file or an archive. MAYBE: its text or query speaks of
one ("download", `get.php?song=a.mid`), so only the answer will tell. PAGE: anything else that a reader could go on to.
"""

import html
import re
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from serenity.files import text_of
from serenity.song_names import is_song_name
from serenity.sources import archive

FILE, MAYBE, PAGE = KINDS = "file", "maybe", "page"  # the surest first
SITEMAP = "sitemap"  # what an index of sitemaps links to

LONGEST_URL = 2000  # characters
LONGEST_TAG = 4000
LONGEST_TEXT = 200  # of a link, beside its tag
BATCH = 1000  # tags that are parsed together: what is parsed takes a hundred times its memory
ATTRIBUTES = {"a": "href", "area": "href", "frame": "src", "iframe": "src", "audio": "src", "source": "src",
              "embed": "src", "object": "data", "bgsound": "src", "param": "value", "midi-player": "src",
              "midi-visualizer": "src"}
ABOUT = ("base", "link")  # tags about the page itself
TO_PAGES = ("a", "area", "frame", "iframe")
SPEAKS_OF_MIDI = re.compile(r"midi?\b|\bmusicxml\b|\bdownload|\bkaraoke\b", re.IGNORECASE)
QUERY_SPEAKS_OF_MIDI = re.compile(r"\.(midi?|smf|kar|rmi|zip|mxl|abc|krn)\b|midi|musicxml|download", re.IGNORECASE)
# Neither music nor pages: asked for by nobody who looks for MIDI
OTHER_ENDINGS = (
    ".jpg", ".jpeg", ".png", ".gif", ".svg", ".webp", ".ico", ".bmp", ".css", ".js", ".json", ".woff", ".woff2", ".ttf",
    ".mp3", ".ogg", ".oga", ".wav", ".flac", ".aac", ".m4a", ".mp4", ".m4v", ".avi", ".mov", ".webm", ".mkv", ".pdf",
    ".ps", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".epub", ".exe", ".msi", ".dmg", ".iso", ".apk",
    ".jar", ".rar", ".7z")
# What is in its one spelling already, as most are
PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(:(?!80/|443/)\d{1,5})?/[\w/.~-]{0,1500}(\?[\w/.~&=-]{0,400})?", re.ASCII)
TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z-]*+)\b(?:[^<>"']|"[^"]*"|'[^']*')*>""")
# What pages may declare; Python knows others, which take their time
ENCODING = re.compile(r"iso-8859|windows-125|cp125|koi8|shift_jis|euc-|gb|big5|macintosh|utf-16", re.IGNORECASE)
LOCATION = re.compile(rb"<loc>\s*(?:<!\[CDATA\[)?\s*([^<\]\s]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """What a page says: its links, each once, in order, and the URL of its rel=license or None."""

    links: dict[str, list[str]] = field(default_factory=dict)  # kind -> URLs
    licence: str | None = None


def normal(base: str, link: str) -> str:
    """Return a link as a whole URL in one spelling, without fragment, user and password; "" where it is not a URL."""
    from requests.utils import requote_uri

    try:
        url = urljoin(base, link.strip())
        if PLAIN_URL.fullmatch(url):
            return url
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if parts.scheme not in ("http", "https") or not host:
            return ""
        host = f"[{host}]" if ":" in host else host
        port = "" if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{port}"
        url = requote_uri(urlunsplit((parts.scheme, f"{host}{port}", parts.path or "/", parts.query, "")))
    except (ValueError, OSError):  # OSError: what requests raises of a URL is one
        return ""
    return url if len(url) <= LONGEST_URL else ""


def links_of(page: bytes, url: str) -> Page:
    """Return what a page at a URL links to: in its tags, and, of files, in its text and scripts."""
    from bs4 import BeautifulSoup

    tags, texts = simplified(_decoded(page))
    base, licence, kinds = url, None, {}
    for first in range(0, len(tags), BATCH):
        for tag in BeautifulSoup("".join(tags[first:first + BATCH]), "html.parser").find_all(True):
            if tag.name == "base":
                base = normal(url, str(tag.get("href") or "")) or base
            if tag.name in ("a", "link") and "license" in (tag.get("rel") or ()):
                licence = licence or normal(base, str(tag.get("href") or "")) or None
            target = tag.name in ATTRIBUTES and normal(base, str(tag.get(ATTRIBUTES[tag.name]) or ""))
            if kind := target and _kind(tag, target):
                kinds[target] = min(kind, kinds.get(target, kind), key=KINDS.index)
    for text in texts:
        kinds |= dict.fromkeys(_urls_in(html.unescape(text)), FILE)
    return Page(_by_kind(kinds), licence)


def _decoded(page: bytes) -> str:
    from bs4.dammit import EncodingDetector

    declared = EncodingDetector.find_declared_encoding(page, is_html=True) or ""
    for encoding in ("utf-8-sig", declared if ENCODING.match(declared) else "latin-1"):
        try:
            return page.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return page.decode("latin-1")


def simplified(page: str) -> tuple[list[str], list[str]]:
    """Return a page's tags that link, each with the beginning of its text, and the texts that hold URLs.

    With tags that never end, or that are nested a hundred thousand times, HTML parsers take quadratic time, and memory
    for all of it. Here every tag is whole and stands alone.
    """
    tags, texts, place, opened, said = [], [], 0, "", None  # said: the text of the tag that was opened
    while (begin := page.find("<", place)) >= 0:
        if page.find("://", place, begin) >= 0:
            texts.append(page[place:begin])
        if said is not None:
            said += page[place:min(begin, place + LONGEST_TEXT)]
        place = begin + 1
        if page.startswith("<!--", begin):
            end = page.find("-->", begin)
            place = end + 3 if end >= 0 else len(page)
        elif tag := TAG.match(page, begin, begin + LONGEST_TAG):
            place, name = tag.end(), tag[2].lower()
            is_kept = not tag[1] and name in (*ATTRIBUTES, *ABOUT) and "=" in tag[0]
            if said is not None and (is_kept or name in TO_PAGES):
                tags[-1] += f"{said[:LONGEST_TEXT]}</{opened}>"
                said = None
            if is_kept:
                tags.append(tag[0])
                said, opened = "", name
    if "://" in page[place:]:
        texts.append(page[place:])
    if said is not None:
        tags[-1] += f"{said}{page[place:]}"[:LONGEST_TEXT]
    return tags, texts


def _kind(tag, target: str) -> str | None:
    if (kind := kind_of(target)) != PAGE:
        return kind
    if tag.name not in TO_PAGES:
        return MAYBE if "midi" in str(tag.get("type", "")).lower() else None
    said = " ".join([tag.get_text(), str(tag.get("title", "")), str(tag.get("type", ""))])
    return MAYBE if tag.has_attr("download") or SPEAKS_OF_MIDI.search(said) else PAGE


def kind_of(url: str) -> str | None:
    """Return the kind of a link by its URL alone; None for a link that is not followed."""
    parts = urlsplit(url)
    path = unquote(parts.path).lower()
    if is_song_name(path) or archive.is_archive(path):
        return FILE
    if path.endswith(OTHER_ENDINGS):
        return None
    return MAYBE if QUERY_SPEAKS_OF_MIDI.search(unquote(parts.query)) else PAGE


def _urls_in(text: str) -> list[str]:
    """Return the URLs of files in a text."""
    words = [word for word in re.split(r"[\s\"'<>()\[\]]+", text) if "http" in word]
    urls = [normal("", word[word.rfind("http"):].rstrip(".,;:!?")) for word in words]
    return [url for url in urls if url and kind_of(url) == FILE]


def _by_kind(kinds: dict[str, str]) -> dict[str, list[str]]:
    return {kind: urls for kind in KINDS if (urls := [url for url, of in kinds.items() if of == kind])}


def is_sitemap(start: bytes) -> bool:
    """Return whether a document that begins like this is a sitemap, or an index of sitemaps."""
    return b"<urlset" in start or b"<sitemapindex" in start


def sitemap_links(content: bytes) -> Page:
    """Return the links of a sitemap, or of an index of sitemaps (sitemaps.org, protocol 0.9).

    No parser of XML reads it, so no entity can grow in it.
    """
    urls = [normal("", html.unescape(url.decode("utf-8", "replace"))) for url in LOCATION.findall(content)]
    if b"<sitemapindex" in content[:4096]:
        return Page({SITEMAP: [url for url in urls if url]})
    return Page(_by_kind({url: kind for url in urls if url and (kind := kind_of(url))}))


def name_of(url: str, disposition: str | None = None) -> str:
    """Return the path that a file from this URL has below the collection: host/folders/name.

    `disposition` is the Content-Disposition header, which may know a better name.
    """
    parts = urlsplit(url)
    folders, _, name = _unquoted(parts.path).lstrip("/").rpartition("/")
    if said := _said_name(disposition):
        name = said
    elif parts.query and not (is_song_name(name) or archive.is_archive(name)):
        name = f"{name} {_unquoted(parts.query)}".strip()
    return "/".join(filter(None, (parts.hostname, folders, name)))


def _unquoted(text: str) -> str:
    """Return a part of a URL with its percent signs decoded. Old sites name files in old encodings."""
    return text_of(unquote_to_bytes(text))


# RFC 6266 and 8187: filename*=UTF-8''F%C3%BCr.mid goes before filename="Fur.mid"
EXTENDED_NAME = re.compile(r"""(?:^|[;\s])filename\*\s*=\s*"?([\w-]+)'[^']*'([^;"\s]+)""", re.IGNORECASE)


def _said_name(disposition: str | None) -> str:
    """Return the file name in a Content-Disposition header, without any folder."""
    if not disposition:
        return ""
    name = next(filter(None, map(_extended, EXTENDED_NAME.findall(disposition))), "") or _plain_name(disposition)
    return re.split(r"[\\/]", name)[-1].strip()


def _extended(match: tuple[str, str]) -> str:
    """Return the name that stands percent-encoded behind its encoding; "" where it cannot be read."""
    encoding, name = match
    if encoding.lower() != "utf-8" and not ENCODING.match(encoding):
        return ""
    try:
        return unquote_to_bytes(name).decode(encoding)
    except (UnicodeError, LookupError):
        return ""


def _plain_name(disposition: str) -> str:
    message = Message()
    message["content-disposition"] = disposition.replace("\r", " ").replace("\n", " ")
    try:
        name = message.get_filename() or ""
    except (ValueError, LookupError):
        return ""
    try:  # a header is read as Latin-1, whatever its bytes are
        return text_of(name.encode("latin-1"))
    except UnicodeError:
        return name
