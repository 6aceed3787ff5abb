"""Names of songs' files."""

import pytest

from serenity.song_names import ending_of, is_song_name, may_be_song, without_ending


@pytest.mark.parametrize(("name", "stem", "ending"), [
    ("a.mid", "a", ".mid"), ("a.b.MIDI", "a.b", ".MIDI"), ("a.rmi", "a", ".rmi"), ("x/a.kar", "x/a", ".kar"),
    ("a.smf", "a", ".smf"), ("a.mid.gz", "a", ".mid.gz"), ("a.Mid.GZ", "a", ".Mid.GZ"), ("a.MXL", "a", ".MXL"),
    ("a.musicxml", "a", ".musicxml"), ("a.abc", "a", ".abc"), ("a.krn", "a", ".krn"), ("a.xml", "a", ".xml"),
    ("a.zip", "a.zip", ""), ("abc", "abc", ""),
])
def test_endings(name, stem, ending):
    assert (without_ending(name), ending_of(name)) == (stem, ending)


@pytest.mark.parametrize(("name", "is_one", "may_be"), [
    ("a.mid", True, True), ("a.mxl", True, True), ("a.abc", True, True), ("a.xml", False, True),
    ("a.txt", False, False), ("._a.mxl", False, False), ("__MACOSX/a.xml", False, False),
])
def test_what_a_name_says(name, is_one, may_be):
    assert (is_song_name(name), may_be_song(name)) == (is_one, may_be)
