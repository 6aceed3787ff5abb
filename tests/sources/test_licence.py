"""Licences in texts and URLs, and which are taken."""

import pytest

from serenity.errors import InputError
from serenity.sources.licence import KINDS, LICENCES, allows, check, licence_in


@pytest.mark.parametrize(("text", "licence"), [
    ("The MIT License (MIT)", "MIT"),
    ("released under CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
    ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
    ("Creative Commons Attribution-ShareAlike 3.0", "CC-BY-SA-3.0"),
    ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
    ("code under the MIT License, data under CC BY 4.0", None),
    ("all rights reserved", None),
])
def test_licences_are_recognised_where_there_is_one(text, licence):
    assert licence_in(text) == licence


@pytest.mark.parametrize(("wanted", "licence", "is_taken"), [
    ("any", None, True),
    ("permissive", None, False),
    ("permissive", "MIT", True),
    ("permissive", "CC-BY-4.0", True),
    ("permissive", "CC-BY-SA-4.0", False),
    ("permissive", "by permission of the encoders (music21 corpus)", False),
    ("share-alike", "CC-BY-SA-4.0", True),
    ("share-alike", "GPL-3.0", True),
    ("share-alike", "CC-BY-NC-SA-4.0", False),
    ("non-commercial", "CC-BY-NC-SA-4.0", True),
    ("non-commercial", "CC-BY-NC-ND-4.0", False),
    ("mit, cc-by", "CC-BY-3.0", True),
    ("CC-BY-4.0", "CC-BY-3.0", False),
    ("MIT", "CC0-1.0", False),
])
def test_what_is_taken(wanted, licence, is_taken):
    assert allows(wanted, licence) == is_taken


def test_each_kind_takes_what_the_one_before_takes():
    kinds = list(KINDS.values())
    assert all(set(narrow) < set(wide) for narrow, wide in zip(kinds, kinds[1:]))


def test_what_nobody_knows_is_said():
    for wanted in ("any", *KINDS, *LICENCES, "CC-BY-4.0", "MIT, permissive"):
        check(wanted)
    with pytest.raises(InputError, match="licence 'free', wanted any"):
        check("MIT,free")
