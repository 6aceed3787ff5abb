"""Text of unknown encoding, as old files and the web have it."""

import re

_JAPANESE = r"[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e]"  # letters and signs of full width
_ENCODINGS = {  # encoding -> what a text of it looks like, and no other text does that is read by it
    "utf-8": re.compile(""),
    "shift_jis": re.compile(rf"(?=.*{_JAPANESE}{{2}})([\0-\x7f\uff61-\uff9f]|{_JAPANESE})*\Z", re.DOTALL),
    "cp1251": re.compile("(?=.*[А-яЁё]{3})", re.DOTALL),
    "cp1252": re.compile(""),
    "latin-1": re.compile(""),  # it has a letter for every byte
}


def text_of(content: bytes) -> str:
    """Return a text that does not say its encoding: UTF-8, or what it looks like, or else Latin-1."""
    for encoding, looks_right in _ENCODINGS.items():
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if looks_right.match(text):
            return text
    raise AssertionError("Latin-1 reads everything")
