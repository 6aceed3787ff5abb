"""The corpus: which scores, in which order, and how they become MIDI."""

import pytest

from serenity.errors import InputError
from serenity.sources import datasets
from serenity.sources.datasets import SETS, Score, convert, scores_in, spread

TUNE = "X:1\nT:A tune\nZ:written by a person\nM:4/4\nL:1/4\nK:C\n|:CDEF|GABc:|\n|:defg|agfd:|\n"


@pytest.fixture
def package(tmp_path):
    (tmp_path / "tunes").mkdir()
    many = f"% a head\n\n{TUNE}\n\n{TUNE.replace('A tune', 'Zwölf')}"
    (tmp_path / "tunes/many.abc").write_text(many, encoding="latin-1")
    (tmp_path / "tunes/one.abc").write_text(TUNE)
    (tmp_path / "tunes/one.krn").write_text("the same in another format")
    return tmp_path


def scores(package):
    return scores_in(package, "tunes", datasets.Part("tunes"))


def test_each_tune_of_a_file_is_a_score(package):
    assert [(str(score.name), score.origin) for score in scores(package)] == [
        ("tunes/one", "music21:tunes/one.krn"), ("tunes/many/0001 A tune", "music21:tunes/many.abc#1"),
        ("tunes/many/0002 Zwölf", "music21:tunes/many.abc#2")]


def test_the_order_is_spread_over_the_parts_and_fixed():
    lists = [[Score(None, None, f"{part}{number}", "") for number in range(count)]
             for part, count in (("a", 9), ("b", 3))]
    order = [score.origin for score in spread(lists)]
    assert order == [score.origin for score in spread([list(reversed(scores)) for scores in lists])]
    assert sorted(order) == sorted(score.origin for scores in lists for score in scores)
    assert [origin[0] for origin in order] == list("ababab") + ["a"] * 6


def test_a_tune_becomes_midi_with_its_repeats_title_and_credit(package):
    content, title, evidence, reason = convert(scores(package)[1])
    assert reason is None
    assert content.startswith(b"MThd")
    assert content.count(bytes((0x90, 60))) == 2  # middle C is struck once in each of two rounds
    assert (title, evidence) == ("A tune", "music21/corpus/license.txt; written by a person")


def test_a_tune_without_sense_is_refused_with_a_line(package):
    content, _, _, reason = convert(scores(package)[0])
    assert content == b""
    assert reason.startswith("music21 cannot convert it: ")


def test_an_unknown_part_is_said():
    with pytest.raises(InputError, match="wanted corpus or corpus/ and one of bach"):
        datasets.finds("corpus/nobody", lambda origin: True)


def test_essen_comes_only_by_its_name():
    assert 4000 < datasets.finds("corpus", lambda origin: True)[0] < 8000
    assert datasets.finds("corpus/essenFolksong", lambda origin: True)[0] > 8000


def test_the_known_is_not_converted_again():
    number, finds = datasets.finds("corpus/bach", lambda origin: True)
    assert number > 400
    assert {find.decision for find in finds} == {"known"}


def test_every_part_is_there_and_in_the_table():
    table = datasets.table()
    for part in SETS["corpus"]:
        assert datasets.finds(f"corpus/{part}", lambda origin: True)[0] > 0
        assert part in table
