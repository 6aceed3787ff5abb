"""Nearness and collapse: a song beside itself, beside what differs in one way, and what is no music any more."""

import numpy as np
import pytest

from serenity.music.nearness import Nearness, collapse, judge, nearness
from serenity.music.note import merge_tables, note_table
from serenity.music.tempo_map import TempoMap, tempos
from tests.songs import FOUR_FOUR, pop_song

SONG = pop_song(32)


def part(begin, end, notes=SONG):
    """Return what begins in bars `begin` up to `end`."""
    return notes[(notes["onset"] >= 2.0 * begin) & (notes["onset"] < 2.0 * end)]


def changed(**fields):
    notes = part(8, 16).copy()
    for name, value in fields.items():
        notes[name] = value
    return notes


def test_what_goes_on_as_it_began_is_near():
    assert nearness(SONG, SONG, FOUR_FOUR) == Nearness(1.0, 1.0, pytest.approx(1), pytest.approx(1))
    near = nearness(part(0, 16), part(16, 32), FOUR_FOUR)
    assert near.mean > 0.9


def test_a_copy_of_the_seed_is_no_merit():
    again = part(0, 8).copy()
    again["onset"] += 16.0
    half = merge_tables([again[again["onset"] < 24], part(12, 16)])
    copy, mixed, new = (judge(part(0, 8), made, FOUR_FOUR).merit for made in (again, half, part(8, 16)))
    assert copy < 0 < mixed < new


def test_a_bar_that_goes_round_is_a_collapse_unless_the_seed_does_so():
    bar = part(8, 9)
    copies = [bar.copy() for _ in range(10)]
    for number, copy in enumerate(copies):
        copy["onset"] += 2.0 * (4 + number)
    found = collapse(part(0, 8), merge_tables([part(8, 12), *copies]), FOUR_FOUR)
    assert found.why == "same bars" and found.is_loop and 18 <= found.begin <= 24
    earlier = merge_tables(copies)
    earlier["onset"] -= 24.0
    assert collapse(earlier, merge_tables([part(8, 12), *copies]), FOUR_FOUR) is None


@pytest.mark.parametrize(("less", "made"), [
    ("density", part(8, 16)[::4]), ("register", changed(pitch=part(8, 16)["pitch"] + 24)),
    ("harmony", changed(pitch=part(8, 16)["pitch"] + 6)),
    ("rhythm", changed(onset=np.sort(np.random.default_rng(0).uniform(16, 32, len(part(8, 16)))))),
])
def test_one_thing_is_another(less, made):
    before, usual = part(0, 8), nearness(part(0, 8), part(8, 16), FOUR_FOUR)
    assert getattr(nearness(before, made, FOUR_FOUR), less) < 0.6 < getattr(usual, less)


def test_a_slower_tempo_is_as_near():
    slow, late = TempoMap(tempos((0, 500_000), (32, 1_000_000))), part(8, 16).copy()
    late["onset"] = slow.seconds(2 * late["onset"])
    late["duration"] *= 2
    assert nearness(part(0, 8), late, slow).mean == pytest.approx(
        nearness(part(0, 8), part(8, 16), FOUR_FOUR).mean, abs=0.001)


@pytest.mark.parametrize("notes", [note_table([0], [1], [60], [80]), note_table([0, 0], [1e-9, 3], [0, 127], [1, 1])])
def test_a_single_strike_has_a_nearness(notes):
    for near in (nearness(notes, SONG, FOUR_FOUR), nearness(SONG, notes, FOUR_FOUR)):
        assert 0 <= near.mean <= 1
    assert collapse(SONG, notes, FOUR_FOUR) is None


# --- collapse ---------------------------------------------------------------------------------------------------------

def broken(how):
    """Return bars 8 to 32, which are no music from bar 20 on."""
    rest, beats = part(8, 20), np.arange(40.0, 64, 0.5)
    if how == "off the beat":
        late = part(20, 32).copy()
        late["onset"] += 1 / 12  # a sixth of a quarter
        return merge_tables([rest, late])
    onset, length, pitch = {
        "thin": (beats[::16], 0.4, 60 + np.arange(3)),
        "thick": (np.arange(40, 64, 0.025), 0.2, 48 + np.arange(960) % 37),
        "specks": (np.repeat(beats, 3), 0.02, 50 + np.arange(144) * 5 % 31),
        "few chords": (np.arange(40, 64, 0.25), 0.2, 60 + np.arange(96) % 2),
    }[how]
    late = note_table(onset, np.full(len(onset), length), pitch, np.full(len(onset), 80))
    return merge_tables([rest, late])


@pytest.mark.parametrize("why", ["thin", "thick", "specks", "off the beat", "few chords"])
def test_a_collapse_is_seen_and_where_it_begins(why):
    found = collapse(part(0, 8), broken(why), FOUR_FOUR)
    assert found.why == why and 38 <= found.begin <= 40 and found.is_loop == (why == "few chords")


@pytest.mark.parametrize("made", [part(8, 32), part(8, 12), part(8, 10)[::9]])
def test_what_is_music_does_not_collapse(made):
    assert collapse(part(0, 8), made, FOUR_FOUR) is None


def test_specks_that_are_the_style_are_none():
    short = SONG.copy()
    short["duration"] = 0.03
    assert collapse(part(0, 8, short), part(8, 32, short), FOUR_FOUR) is None


def test_what_recovers_has_not_collapsed():
    gap = merge_tables([part(8, 16), part(26, 32)])
    assert collapse(part(0, 8), gap, FOUR_FOUR) is None
