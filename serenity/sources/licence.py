"""Licences: recognised in a text or URL, and which of them a collection takes."""

import re

from serenity.errors import SettingError

LICENCES = {  # short name (SPDX where there is one) -> how a text says it
    "MIT": r"\bMIT License|Permission is hereby granted, free of charge, to any person obtaining a copy",
    "Apache-2.0": r"Apache License,?\s+Version 2\.0",
    "GPL-3.0": r"GNU GENERAL PUBLIC LICENSE\s+Version 3",
    "GPL-2.0": r"GNU GENERAL PUBLIC LICENSE\s+Version 2",
    "CC0-1.0": r"\bCC0\b|creativecommons\.org/publicdomain/zero",
    "CC-BY-NC-SA": r"\bCC[ -]BY-NC-SA\b|Attribution-NonCommercial-ShareAlike|creativecommons\.org/licenses/by-nc-sa/",
    "CC-BY-NC-ND": r"\bCC[ -]BY-NC-ND\b|Attribution-NonCommercial-NoDeriv|creativecommons\.org/licenses/by-nc-nd/",
    "CC-BY-NC": r"\bCC[ -]BY-NC\b(?!-)|Attribution-NonCommercial\b(?!-)|creativecommons\.org/licenses/by-nc/",
    "CC-BY-SA": r"\bCC[ -]BY-SA\b|Attribution-ShareAlike|creativecommons\.org/licenses/by-sa/",
    "CC-BY-ND": r"\bCC[ -]BY-ND\b|Attribution-NoDeriv|creativecommons\.org/licenses/by-nd/",
    "CC-BY": r"\bCC[ -]BY\b(?!-)|Creative Commons Attribution (?!-)|creativecommons\.org/licenses/by/",
    "public domain": (r"creativecommons\.org/publicdomain/mark|\b(is|are) in the public domain|"
                      r"\bcopyright: public domain\b"),
}
VERSION = re.compile(r"[ /-]?(\d\.\d)\b")

ANY = "any"
# What --licence may say -> the licences that it means. A name stands for all its versions: CC-BY is CC-BY-4.0 too.
_PERMISSIVE = ("MIT", "Apache", "BSD", "CC0", "CC-BY", "public domain")
_SHARE_ALIKE = (*_PERMISSIVE, "CC-BY-SA", "GPL")
KINDS = {
    "permissive": _PERMISSIVE,
    "share-alike": _SHARE_ALIKE,
    "non-commercial": (*_SHARE_ALIKE, "CC-BY-NC", "CC-BY-NC-SA"),
}


def licence_in(text: str) -> str | None:
    """Return the short name of the one licence that a text or URL speaks of; None where it names none, or several."""
    names = set()
    for name, pattern in LICENCES.items():
        if match := re.search(pattern, text, re.IGNORECASE):
            version = VERSION.match(text, match.end()) if name.startswith("CC-") else None
            names.add(f"{name}-{version[1]}" if version else name)
    return names.pop() if len(names) == 1 else None


def allows(wanted: str, licence: str | None) -> bool:
    """Return whether `wanted` (any, a kind, or names with commas between them) takes a file under this licence."""
    names = {name.casefold() for name in _names(wanted)}
    return wanted == ANY or bool(licence) and bool({licence.casefold(), _bare(licence)} & names)


def check(wanted: str) -> None:
    """Raise InputError where `allows` cannot use `wanted`."""
    known = {_bare(name) for name in (ANY, *LICENCES, *KINDS["non-commercial"])}
    if unknown := [name for name in _names(wanted) if _bare(name) not in known]:
        raise SettingError(f"licence {unknown[0]!r}, wanted {ANY}, {', '.join(KINDS)}, or names: {', '.join(LICENCES)}")


def _names(wanted: str) -> list[str]:
    return [name for part in wanted.split(",") for name in KINDS.get(part.strip(), (part.strip(),))]


def _bare(licence: str) -> str:
    """Return a licence's name without its version."""
    return re.sub(r"-\d.*", "", licence).casefold()
