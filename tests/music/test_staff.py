"""The order of bars, on scores written as one word a bar: |: begins a repeat, :| ends one, [1] is an ending."""

import re

import pytest

from serenity.music.staff import Bar, playing_order

SIGNS = {"Segno": {"is_segno": True}, "Coda": {"is_coda": True}, "Fine": {"is_fine": True}, "ToCoda": {"to_coda": True},
         "DC": {"back_to": "start"}, "DS": {"back_to": "segno"}}


def bars(text: str) -> list[Bar]:
    return [bar(word) for word in text.split()]


def bar(word: str) -> Bar:
    found = {"begins_repeat": word.startswith("|:")}
    if ending := re.search(r"\[([\d,]+)\]", word):
        found["endings"] = frozenset(map(int, ending[1].split(",")))
    if end := re.search(r":\|(\d?)", word):
        found["rounds"] = int(end[1] or 2)
    for sign in word.split("-")[1:]:
        found |= SIGNS[sign]
    return Bar(**found)


@pytest.mark.parametrize(("score", "order"), [
    ("a b c", "012"),
    ("|:a b:| c", "01012"),
    ("a b:| c d:| e", "010123234"),              # a repeat without a beginning goes back to the last end
    ("a b:|3 c", "0101012"),
    ("|:a [1]b:| [2]c d", "010 23"),
    ("|:a [1]b [2]c d", "01023"),                # the sign behind the first ending was forgotten
    ("|:a [1]b:| c", "0102"),                    # there is no second ending
    ("|:a [1,2]b:| [3]c d", "0101023"),
    ("|:a [1]b [1]c:| [2]d [2]e f", "0120345"),
    ("|:a [1]b:| [2]c |:d [1]e:| [2]f", "0102 3435"),
    ("a b-Fine c d-DC", "012301"),
    ("a b-Segno c-ToCoda d-DS e-Coda f", "0123" "12" "45"),
    ("|:a [1]b:| [2]c d-DC", "01023" "023"),     # having gone back, repeats are not played again
    ("|:a-DC b:|", "0101"[:1] + "01"),           # the jump stands inside of a repeat
    ("a b-DS", "0101"),                          # no segno: from the start
    ("", ""),
])
def test_bars_are_played_in_the_order_of_their_signs(score, order):
    assert playing_order(bars(score)) == [int(digit) for digit in order.replace(" ", "")]


def test_signs_that_lead_round_in_a_circle_end():
    assert len(playing_order(bars("a b:|9 " * 9))) <= 16 * 18
