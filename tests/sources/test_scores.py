"""Scores and tunes: which there are, in which order, and how they become MIDI."""

from pathlib import PurePosixPath

import mido
import pytest

from serenity.sources.scores import Score, convert, converted, scores_below, spread, tunes

TUNE = "X:1\nT:A tune\nZ:written by a person\nM:4/4\nL:1/4\nK:C\n|:CDEF|GABc:|\n|:defg|agfd:|\n"
LEAD = 'X:1\nT:Lead\nM:4/4\nL:1/4\nK:C\n"C"CDEF|GABc|"G7"d4|\n'


@pytest.fixture
def package(tmp_path):
    (tmp_path / "tunes").mkdir()
    many = f"% a head\n\n{TUNE}\n\n{TUNE.replace('A tune', 'Zwölf')}"
    (tmp_path / "tunes/many.abc").write_text(many, encoding="latin-1")
    (tmp_path / "tunes/one.abc").write_text(TUNE)
    (tmp_path / "tunes/one.krn").write_text("the same in another format")
    return tmp_path


def scores(package):
    return scores_below(package / "tunes", package, PurePosixPath("set"))


def test_each_tune_of_a_file_is_a_score(package):
    assert [(str(score.name), score.origin) for score in scores(package)] == [
        ("set/tunes/one", "music21:tunes/one.krn"), ("set/tunes/many/0001 A tune", "music21:tunes/many.abc#1"),
        ("set/tunes/many/0002 Zwölf", "music21:tunes/many.abc#2")]


def test_a_single_tune_keeps_its_files_name():
    name = PurePosixPath("set/a")
    assert tunes(f"% head\n{TUNE}", name, "there") == [Score(name, "there", abc=TUNE)]


def test_the_order_is_spread_over_the_lists_and_fixed():
    lists = [[Score(None, f"{part}{number}") for number in range(count)] for part, count in (("a", 9), ("b", 3))]
    order = [score.origin for score in spread(lists)]
    assert order == [score.origin for score in spread([list(reversed(scores)) for scores in lists])]
    assert sorted(order) == sorted(score.origin for scores in lists for score in scores)
    assert [origin[0] for origin in order] == list("ababab") + ["a"] * 6


def test_a_tune_becomes_midi_with_its_repeats_title_and_credit(package):
    content, title, credit, reason = convert(scores(package)[1])
    assert reason is None
    assert content.startswith(b"MThd")
    assert content.count(bytes((0x90, 60))) == 2  # middle C is struck once in each of two rounds
    assert (title, credit) == ("A tune", "written by a person")


def test_the_chords_of_a_lead_sheet_sound_until_the_next_one(tmp_path):
    (tmp_path / "lead.mid").write_bytes(convert(Score(PurePosixPath("lead"), "", abc=LEAD))[0])
    file, begin, beats = mido.MidiFile(tmp_path / "lead.mid"), {}, {}
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                begin[message.note] = now
            elif message.type in ("note_on", "note_off"):
                beats[message.note] = (now - begin[message.note]) / file.ticks_per_beat
    assert [beats[note] for note in (48, 52, 55)] == [8, 8, 8]  # C for two bars
    assert [beats[note] for note in (43, 47, 50, 53)] == [4, 4, 4, 4]  # G7 for one
    assert beats[60] == 1


def test_a_tune_without_sense_is_refused_with_a_line(package):
    content, _, _, reason = convert(scores(package)[0])
    assert content == b""
    assert reason.startswith("music21 cannot convert it: ")


def test_finds_carry_what_is_known_of_a_score():
    score = Score(PurePosixPath("set/a"), "there", abc=TUNE, licence="MIT", evidence="the table")
    [find] = converted("set", [score], lambda origin: False, 1)
    assert (find.name, find.licence, find.evidence) == ("set/a.mid", "MIT", "the table; written by a person")
    assert [find.decision for find in converted("set", [score], lambda origin: True, 1)] == ["known"]
