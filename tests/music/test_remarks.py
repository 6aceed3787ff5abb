"""What is said of a continuation in words, beside music of which one can tell."""

import numpy as np
import pytest

from serenity.music.harmony import Key
from serenity.music.nearness import collapse, nearness
from serenity.music.note import merge_tables
from serenity.music.remarks import first_away, outside_key, remarks
from serenity.music.tempo_map import TempoMap, metres
from tests.music.test_nearness import broken, part
from tests.songs import FOUR_FOUR, notes_named

C_MAJOR, A_MINOR = Key(0, "major", 1.0), Key(9, "minor", 1.0)


def said(made, tempo_map=FOUR_FOUR, before=part(0, 8)):
    found = remarks(before, made, tempo_map, C_MAJOR, nearness(before, made, tempo_map),
                    collapse(before, made, tempo_map))
    return {remark.about: f"{remark.words} ({remark.numbers})" for remark in found}


def moved(bars, semitones):
    notes = part(*bars).copy()
    notes["pitch"] += semitones
    return notes


def test_what_goes_on_as_the_intro():
    words = said(part(8, 16))
    assert words["density"] == "as dense as your intro (2.2 notes a quarter, your intro 2.2)"
    assert words["register"].startswith("in the register of your intro (middle pitch 6")
    assert words["rhythm"].startswith("in the rhythm of your intro (")
    assert words["key"] == "stays in C major (100% of the bars are in it)"
    assert words["form"].startswith("a bar comes back every 4 bars (")
    assert "collapse" not in words


def test_what_is_otherwise():
    assert said(part(8, 16)[::3])["density"].startswith("0.3 times as dense as your intro (")
    assert said(moved((8, 16), 12))["register"].startswith("12 semitones above your intro (")
    assert said(moved((8, 16), -12))["register"].startswith("12 semitones below your intro (")
    leaving = merge_tables([part(8, 12), moved((12, 20), 1)])
    assert said(leaving)["key"] == "leaves C major in bar 13 (33% of the bars are in it)"


def test_a_melody_that_stops_is_said_with_its_bars():
    tune = said(part(8, 16))["melody"]
    assert tune == "with a melody as in your intro (100% of the bars have notes in its register, in your intro 100%)"
    deep = part(10, 14)[part(10, 14)["pitch"] < 60]
    assert said(merge_tables([part(8, 10), deep, part(14, 16)]))["melody"].startswith(
        "without melody in bars 11 to 14 (50% of the bars ")
    two = part(10, 12)[part(10, 12)["pitch"] < 60]  # singers breathe
    assert said(merge_tables([part(8, 10), two, part(12, 16)]))["melody"].startswith("with a melody")


def test_bars_of_the_intro_are_counted():
    again = part(0, 8).copy()
    again["onset"] += 16.0
    assert said(again)["bars"] == "mostly bars of your intro again (8 of 8 are as one of your intro)"
    assert said(merge_tables([again[again["onset"] < 20], moved((10, 16), 1)]))["bars"] == (
        "new bars, and some of your intro (2 of 8 are as one of your intro)")
    assert said(moved((8, 16), 1))["bars"] == "new bars (0 of 8 are as one of your intro)"
    held = moved((8, 12), 1)
    held["duration"][-1] = 9.0  # sounds on in bars in which nothing begins
    assert said(held)["bars"].endswith("(0 of 4 are as one of your intro)")


def test_a_collapse_is_said_with_its_bar():
    assert said(broken("thin"))["collapse"].startswith("thins out from bar 21 on (at 40 s)")


def test_bars_are_numbered_as_in_a_daw():
    """A map of which a bar begins at 0.5 s: what stands before is a pickup."""
    upbeat = TempoMap(metres=metres((0.0, 4, 4)), start=-1.5)
    assert [FOUR_FOUR.bar_name(second) for second in (0, 1.9, 2, 4)] == [1, 1, 2, 3]
    assert [upbeat.bar_name(second) for second in (0, 0.5, 2.5)] == [0, 1, 2]
    assert [FOUR_FOUR.moved(4).bar_name(second) for second in (0, 4)] == [1, 3]  # two empty bars


@pytest.mark.parametrize(("bars", "first"), [([0, 0.9, 0, 0.9], None), ([0, 0.9, 0.9, 0], 1), ([0.3, 0.3], 0),
                                             ([], None)])
def test_one_bar_outside_is_a_colour_two_leave_the_key(bars, first):
    assert first_away(np.array(bars)) == first


def test_the_leading_note_of_a_minor_key_is_no_stranger():
    dominant = notes_named("e3g#3b3 0 2, a3c4e4 2 2")
    lines = np.array([0.0, 2.0, 4.0, 6.0])
    assert outside_key(dominant, lines, A_MINOR).tolist() == pytest.approx([0, 0, 0])
    assert outside_key(dominant, lines, C_MAJOR)[0] == pytest.approx(1 / 3)
