from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music import midi_file
from serenity.music.beat_tracking import AGREES, Reading
from serenity.music.beats import STEADY, UPBEAT, Beats, as_file_map, going_on, read_beats
from serenity.music.midi_file import Track
from serenity.music.note import note_table
from serenity.music.song import of_score
from serenity.music.tempo_map import STRAIGHT, TempoMap, metres, tempos
from serenity.settings import Hints
from tests.real_midi import over_real_files, song_at
from tests.songs import FOUR_FOUR, pop_song
from tests.strategies import tempo_maps

EIGHTHS, SIXTEENTHS, TRIPLETS = (0, 1 / 2), (0, 1 / 4, 1 / 2, 3 / 4), (0, 1 / 3, 2 / 3)
CHORDS = ((48, 55, 64), (43, 59, 62), (45, 57, 60), (41, 57, 65))


def at(tempo, *signature, **others):
    """Return the map of so many quarters a minute, in a metre where one is given."""
    return TempoMap(tempos((0.0, 6e7 / tempo)), metres((0.0, *signature)) if signature else metres(), **others)


def composed(tempo_map, bars=16, beats_a_bar=4, rhythm=EIGHTHS, jitter=0.0, upbeat=0):
    """Return notes on the quarters of a map: a melody in a rhythm, after an upbeat a new chord on each bar."""
    rng = np.random.default_rng(0)
    rows = [(beat + part, 0.4, 67 + int(rng.integers(12)), 70) for beat in range(bars * beats_a_bar + upbeat)
            for part in rhythm]
    for bar in range(bars):
        line = upbeat + bar * beats_a_bar
        rows += [(line, beats_a_bar, pitch, 80) for pitch in CHORDS[bar % 4]]
        rows += [(line + beat, 1, CHORDS[bar % 4][1], 60) for beat in range(1, beats_a_bar)]
    begin, length, pitch, velocity = (np.array(column) for column in zip(*rows))
    onset, end = tempo_map.seconds(begin), tempo_map.seconds(begin + length)
    return note_table(np.maximum(onset + rng.normal(0, jitter, len(onset)), 0), end - onset, pitch, velocity)


# --- the file's map, or found beats -----------------------------------------------------------------------------------

@pytest.mark.parametrize("tempo", [60, 97, 140])
@pytest.mark.parametrize("rhythm", [EIGHTHS, SIXTEENTHS, TRIPLETS])
def test_a_map_that_the_notes_agree_with_is_believed(tempo, rhythm):
    found = read_beats(composed(at(tempo), rhythm=rhythm, jitter=0.01), at(tempo))
    assert found.source == "file" and found.agreement > AGREES
    assert found.quarter * found.scale == pytest.approx(6e7 / tempo)
    assert (found.scale, found.metre[1]) == ((1.5, 8) if rhythm is TRIPLETS else (1, 4))
    assert abs(found.tempo_map.seconds(0.0)) < 0.01
    assert found.tempo_map.swing == STRAIGHT


@pytest.mark.parametrize("tempo", [76, 97, 108])
def test_a_map_without_meaning_is_found_out(tempo):
    found = read_beats(composed(at(tempo), 40, jitter=0.01), TempoMap())
    assert found.source == "found" and found.agreement < AGREES
    assert found.quarter == pytest.approx(6e7 / tempo, rel=0.01)
    assert found.file_map.tempos.tolist() == [(0, 500_000)]
    beats = found.tempo_map.quarters(at(tempo).seconds(np.arange(150)))
    assert abs(beats - np.rint(beats)).max() < 0.05


def test_a_part_too_short_to_agree_goes_by_the_map_with_which_the_whole_agrees():
    late = note_table(0.68 * np.arange(8), [0.5] * 8, [60, 62, 64, 65, 67, 72, 71, 69], [70] * 8)
    alone, part = read_beats(late, at(97)), read_beats(late, at(97), Hints(metre=(4, 4)), is_trusted=True)
    assert alone.source == "found" and part.source == "file"
    assert part.quarter * part.scale == pytest.approx(6e7 / 97)


def test_tempos_that_change_are_kept_where_the_notes_follow_them():
    changing = TempoMap(tempos((0.0, 600_000), (32.0, 450_000), (48.0, 700_000)), metres((0.0, 4, 4)))
    found = read_beats(composed(changing), changing)
    assert found.source == "file"
    assert found.tempo_map.tempos.tolist() == changing.tempos.tolist()
    assert found.quarter == 600_000  # half of the song's quarters


@pytest.mark.parametrize("late", [0.11, 0.25, 0.4])
def test_notes_that_begin_beside_the_maps_beats_bring_their_own(late):
    music = at(100, start=late)
    found = read_beats(composed(music), at(100, 4, 4))
    assert found.source == "file"
    assert found.tempo_map.seconds(0.0) == pytest.approx(late, abs=1e-6)
    assert found.tempo_map.quarters(music.seconds(np.arange(9))) == pytest.approx(np.arange(9), abs=1e-6)


def test_notes_a_little_beside_the_lines_bring_the_lines_with_them_and_bars_stay_on_quarters():
    notated = at(100, 3, 4)
    notated = replace(notated, metres=metres((0, 3, 4), (24, 2, 4)))
    found = read_beats(composed(replace(notated, start=0.006), beats_a_bar=3), notated).tempo_map
    assert found.seconds(np.arange(9)) == pytest.approx(0.006 + 0.6 * np.arange(9))
    assert found.metres.tolist() == [(0, 3, 4), (24, 2, 4)]


def test_a_wild_tempo_is_not_believed():
    """Tempos that few quarters have are no reason to doubt, but a map in which no music is played is."""
    notes = composed(at(100))
    breve = read_beats(notes, at(4 * 100 * 4))  # sixteenfold
    assert breve.source == "found" and breve.quarter == pytest.approx(600_000, rel=0.01)
    leap = TempoMap(tempos((0.0, 600_000), (40.0, 1.0), (1_000_040.0, 600_000)))
    assert read_beats(composed(at(100)), leap).source == "found"


def test_quarter_0_begins_the_bar_of_the_first_note():
    notes = composed(at(120, start=8.0))
    found = read_beats(notes, at(120, 4, 4))
    assert found.tempo_map.seconds(0.0) == pytest.approx(8)
    early = read_beats(composed(at(120, start=3.0), upbeat=1, bars=24), at(120, 4, 4))
    assert early.tempo_map.seconds(0.0) == pytest.approx(1.5)  # the upbeat is the fourth beat of its bar


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("onset", [0.0, 0.3, 5000.0])
def test_a_few_notes_have_beats_too(count, onset):
    notes = note_table(onset + np.arange(count), [0.5] * count, [60] * count, [80] * count)
    found = read_beats(notes, TempoMap())
    assert str(found).startswith("beat: ")
    assert found.tempo_map.bars(found.tempo_map.quarters(onset) + 0.1)[0] == 0


notes_anywhere = st.lists(st.tuples(st.floats(0, 60), st.floats(1e-3, 10), st.integers(0, 127), st.integers(1, 127)),
                          min_size=1, max_size=30).map(lambda rows: note_table(*zip(*rows)))
some_hints = st.builds(
    Hints, st.none() | st.floats(10, 600), st.none() | st.sampled_from([(4, 4), (3, 4), (2, 4), (6, 8), (12, 8)]),
    st.none() | st.floats(-5, 60), st.sampled_from([0.5, 1.0, 2.0]))


@given(notes_anywhere, tempo_maps(starts=st.just(0.0)), st.just(Hints()) | some_hints)
def test_any_notes_have_beats(notes, file_map, hints):
    before = notes.copy()
    found = read_beats(notes, file_map, hints)
    tempo_map = found.tempo_map
    assert found.source in ("file", "found", "given") and 0 <= found.agreement <= 1 + 1e-9
    for table in (tempo_map.tempos, tempo_map.metres):
        assert table["start"][0] == 0 and (np.diff(table["start"]) > 0).all()
    assert (tempo_map.tempos["length"] > 0).all()
    first = tempo_map.quarters(notes["onset"][0])
    assert tempo_map.bars(first + 0.25)[0] >= 0 and tempo_map.bars(first - 0.25)[0] <= 0
    assert hints.metre in (None, found.metre)
    assert str(found) and np.array_equal(notes, before)


# --- metre ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stated", [(4, 4), ()])
def test_a_metre_that_nobody_meant_is_found_out(stated):
    found = read_beats(composed(at(100), 30, 3), at(100, *stated))
    assert found.source == "file" and found.metre == (3, 4)


@pytest.mark.parametrize("signature", [(3, 4), (6, 8), (7, 8), (1, 64)])
def test_a_metre_that_a_notated_file_states_is_believed(signature):
    found = read_beats(composed(at(100)), at(100, *signature))
    assert found.metre == signature and found.rival is None
    assert found.tempo_map.bar_line(1) == pytest.approx(4 * signature[0] / signature[1])


def test_changes_of_metre_are_believed_and_counted_from_the_first_notes_bar():
    notated = replace(at(100), metres=metres((0, 4, 4), (8, 3, 4), (14, 4, 4)))
    found = read_beats(composed(replace(at(100), start=3.0)), notated)  # from the second bar on, which begins at 2.4 s
    assert found.tempo_map.metres.tolist() == [(0, 4, 4), (4, 3, 4), (10, 4, 4)]
    assert found.tempo_map.start == pytest.approx(2.4)


def test_before_the_first_metre_that_a_notated_file_states_it_is_4_4():
    found = read_beats(composed(at(100)), replace(at(100), metres=metres((8, 3, 4))))
    assert found.tempo_map.metres.tolist() == [(0, 4, 4), (8, 3, 4)] and found.metre == (4, 4)


def test_a_metre_is_not_believed_where_the_tempo_map_means_nothing():
    assert read_beats(composed(at(97), 40), at(120, 3, 4)).metre == (4, 4)


def triplets(tempo=90, bars=20):
    """Return a song of four dotted quarters a bar, three eighths each, and the map whose quarters those are."""
    return composed(at(tempo), bars, rhythm=TRIPLETS), at(tempo)


def test_beats_in_three_are_dotted_quarters():
    found = read_beats(*triplets())
    assert found.metre in ((6, 8), (12, 8)) and found.scale == 1.5
    assert found.quarter == pytest.approx(6e7 / 90 / 1.5)
    assert found.tempo_map.swing == STRAIGHT


# --- hints ------------------------------------------------------------------------------------------------------------

def test_a_stated_tempo_is_taken_where_the_notes_agree():
    found = read_beats(composed(at(97), 40), TempoMap(), Hints(bpm=97))
    assert found.source == "given" and found.agreement > AGREES
    assert found.tempo_map.tempos.tolist() == [(0, 6e7 / 97)]


@pytest.mark.parametrize(("bpm", "quarters"), [(48, 0.5), (99, 1), (200, 2)])
def test_a_stated_tempo_that_is_not_exact_chooses_among_those_found(bpm, quarters):
    found = read_beats(composed(at(97), 40, jitter=0.01), TempoMap(), Hints(bpm=bpm))
    assert found.source == "given"
    assert found.quarter == pytest.approx(6e7 / 97 / quarters, rel=0.01)


@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (2, 4), (5, 4), (6, 8), (12, 8), (3, 8)])
@pytest.mark.parametrize("tempo", [97, 120])
def test_a_stated_metre_is_taken(metre, tempo):
    found = read_beats(composed(at(tempo), 24), at(120), Hints(metre=metre))
    assert found.metre == metre and found.rival is None
    assert found.quarter == pytest.approx(6e7 / tempo, rel=0.01)  # eighths stay eighths


def test_a_simple_metre_makes_quarters_of_beats_in_three():
    found = read_beats(*triplets(), Hints(metre=(4, 4)))
    assert (found.metre, found.scale) == ((4, 4), 1)
    assert found.quarter == pytest.approx(6e7 / 90)
    assert found.tempo_map.seconds(0.0) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("first", [1.0, 3.0, 61.0, -1.0])
def test_a_stated_first_beat_begins_a_bar(first):
    found = read_beats(composed(at(120)), at(120), Hints(first_beat=first))
    place = found.tempo_map.bars(found.tempo_map.quarters(first))[1]
    assert place == pytest.approx(0, abs=1e-6)
    assert found.tempo_map.seconds(0.0) == pytest.approx(-1)  # the bar that the first note stands in


@pytest.mark.parametrize(("first", "line"), [(1.04, 1.0), (1.23, 1.25), (1.13, 1.13)])
def test_a_stated_first_beat_near_a_half_beat_stands_on_it(first, line):
    found = read_beats(composed(at(120)), at(120), Hints(first_beat=first))
    place = found.tempo_map.bars(found.tempo_map.quarters(line))[1]
    assert min(place, 4 - place) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("level", [0.5, 2.0])
def test_a_level_is_so_many_quarters_for_each(level):
    notes = composed(at(120))
    plain, found = read_beats(notes, at(120)), read_beats(notes, at(120), Hints(level=level))
    assert found.quarter == pytest.approx(plain.quarter / level)
    assert found.scale == level


@pytest.mark.parametrize(("hints", "said"), [
    ({"bpm": 5.0}, "bpm 5; wanted 10 to 600"),
    ({"bpm": float("nan")}, "bpm nan"),
    ({"metre": (0, 4)}, "metre 0/4; wanted one such as"),
    ({"metre": (4, 3)}, "metre 4/3"),
    ({"metre": (65, 4)}, "metre 65/4"),
    ({"first_beat": float("inf")}, "first_beat inf; wanted a time"),
    ({"level": 0.0}, "level 0; wanted 0.25 to 4"),
    ({"level": -1.0}, "level -1"),
    ({"level": float("nan")}, "level nan"),
])
def test_hints_check_themselves(hints, said):
    with pytest.raises(InputError, match=said):
        Hints(**hints)


# --- swing ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("swing", [0.6, 0.63, 2 / 3])
@pytest.mark.parametrize("jitter", [0.0, 0.008])
def test_swing_is_found_and_its_eighths_are_even(swing, jitter):
    music = at(110, swing=swing)
    found = read_beats(composed(music, jitter=jitter), at(110, 4, 4))
    assert found.tempo_map.swing == pytest.approx(swing, abs=0.02)
    assert found.metre == (4, 4) and found.scale == 1
    eighths = found.tempo_map.quarters(music.seconds(np.arange(64) / 2))
    assert eighths == pytest.approx(np.arange(64) / 2, abs=0.03)


@pytest.mark.parametrize("rhythm", [(0,), EIGHTHS, SIXTEENTHS, TRIPLETS, (0, 3 / 4), (0, 1 / 2, 3 / 4), (0, 1 / 3)])
@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_what_is_not_swung_is_straight(rhythm, jitter):
    assert read_beats(composed(at(110), rhythm=rhythm, jitter=jitter), at(110)).tempo_map.swing == STRAIGHT


def test_a_compound_metre_has_no_swing():
    assert read_beats(composed(at(110), rhythm=TRIPLETS), at(110, 12, 8)).tempo_map.swing == STRAIGHT
    shuffle = composed(at(110, swing=2 / 3))
    found = read_beats(shuffle, at(110), Hints(metre=(12, 8)))
    assert (found.metre, found.scale, found.tempo_map.swing) == ((12, 8), 1.5, STRAIGHT)


def test_a_few_late_notes_are_no_swing():
    assert read_beats(composed(at(110, swing=0.65), bars=1), at(110)).tempo_map.swing == STRAIGHT


# --- going on ---------------------------------------------------------------------------------------------------------

def ritardando(begin, quarters, length=500_000):
    """Return a map that slows down over its last quarters, to half its tempo."""
    return TempoMap(tempos((0.0, length), *((begin + step, length * (1 + (step + 1) / quarters))
                                            for step in range(quarters))))


@pytest.mark.parametrize("quarters", [1, 3, 7])
def test_a_final_ritardando_is_no_tempo(quarters):
    slowing = ritardando(40.0, quarters)
    on = going_on(slowing, 40.0 + quarters)
    assert on.tempos.tolist() == [*slowing.tempos.tolist(), (40 + quarters, 500_000)]


def test_a_fermata_is_no_tempo():
    held = TempoMap(tempos((0.0, 500_000), (39.0, 4_000_000), (40.0, 500_000)))
    assert going_on(held, 40.0).tempo(40.0) == 500_000
    assert going_on(held, 40.0).seconds(39.5) == held.seconds(39.5)


def test_a_tempo_that_has_become_another_goes_on():
    faster = TempoMap(tempos((0.0, 500_000), (30.0, 400_000)))
    assert going_on(faster, 40.0).tempos.tolist() == faster.tempos.tolist()
    assert going_on(faster, 31.0).tempo(31.0) == 500_000  # a quarter alone makes no tempo


@pytest.mark.parametrize("join", [0.0, 0.25, 3.0])
def test_a_prompt_of_a_few_beats_has_a_tempo_too(join):
    assert going_on(at(90), join).tempos.tolist() == at(90).tempos.tolist()


@given(tempo_maps(st.sampled_from([0.5, 2 / 3])), st.integers(0, 4000).map(lambda points: points / 24))
def test_what_goes_on_is_steady_and_what_was_is_as_it_was(tempo_map, join):
    on, before = going_on(tempo_map, join), np.linspace(0, join, 30)
    assert on.seconds(before) == pytest.approx(tempo_map.seconds(before), abs=1e-6)
    heard = [tempo_map.tempo(quarter) for quarter in np.arange(max(join - STEADY, -1), join + 0.1, 0.25)]
    assert on.tempo(join) in heard


# --- into a file ------------------------------------------------------------------------------------------------------

def test_a_file_map_by_hand():
    music = TempoMap(tempos((0.0, 500_000), (6.0, 400_000)), metres((0.0, 3, 4), (6.0, 6, 8)), start=1.1, swing=0.6)
    written = as_file_map(music)  # the upbeat: two quarters before 1.1 s, and 0.1 s which the first of them takes
    assert written.tempos.tolist() == [(0, 600_000), (1, 500_000), (2, 500_000), (8, 400_000)]
    assert written.metres.tolist() == [(0, 2, 4), (2, 3, 4), (8, 6, 8)]
    assert (written.start, written.swing) == (0, STRAIGHT)


def test_a_first_beat_that_is_not_whole_is_a_quarter_where_it_is_long_enough():
    written = as_file_map(at(120, 4, 4, start=0.7))
    assert written.tempos.tolist() == [(0, pytest.approx(200_000)), (1, pytest.approx(500_000)), (2, 500_000)]
    assert written.metres.tolist() == [(0, 2, 4), (2, 4, 4)]


def test_a_map_that_begins_at_0_s_is_left_as_it_is():
    for start in (0.0, -4.0, 2.0, 0.0005):
        written = as_file_map(replace(FOUR_FOUR, start=start))
        assert written.tempos.tolist() == [(0, 500_000)] and written.metres.tolist() == [(0, 4, 4)]
        assert written.start == 0


def test_a_waltz_that_begins_late_is_a_waltz_from_the_start():
    written = as_file_map(at(60, 3, 4, start=7.0))
    assert written.bar_onsets(14) == pytest.approx([0, 1, 4, 7, 10, 13])
    assert written.metres.tolist() == [(0, 1, 4), (1, 3, 4)]


def test_without_a_stated_metre_4_4_follows_the_upbeat():
    assert as_file_map(at(60, start=1.0)).metres.tolist() == [(0, 1, 4), (1, 4, 4)]


@given(tempo_maps(st.sampled_from([0.5, 2 / 3])))
def test_every_bar_line_keeps_its_second(tempo_map):
    written = as_file_map(tempo_map)
    assert written.seconds(0.0) == 0 and written.quarters(0.0) == 0 and written.swing == STRAIGHT
    lines, found = replace(tempo_map, swing=STRAIGHT).bar_onsets(20.1), written.bar_onsets(20.1)
    short = UPBEAT * tempo_map.tempo(float(replace(tempo_map, swing=STRAIGHT).quarters(0.0)) - 1e-3) / 1e6
    lines = lines[lines > max(short, 0.004)]  # a bar so near to 0 s may begin there
    for these, others in ((lines, found), (found[found >= lines.min(initial=np.inf) - 1e-6], lines)):
        assert all(abs(others - line).min() < 0.001 + 1e-6 for line in these[these < 20])
    parsed = midi_file.parse(midi_file.to_bytes([Track("", 0, False, pop_song(2))], written)).tempo_map
    assert parsed.metres["start"] == pytest.approx(written.metres["start"])
    assert parsed.metres[["numerator", "denominator"]].tolist() == written.metres[["numerator", "denominator"]].tolist()


# --- the report's line ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("changes", "line"), [
    ({}, "beat: the file's, 100 BPM, 4/4, bar 1 at 0.50 s"),
    ({"source": "found"}, "beat: found, 100 BPM (the file says 120), 4/4, bar 1 at 0.50 s"),
    ({"source": "given"}, "beat: as given, 100 BPM (the file says 120), 4/4, bar 1 at 0.50 s"),
    ({"source": "found", "file_map": at(100.5)}, "beat: found, 100 BPM, 4/4, bar 1 at 0.50 s"),
    ({"tempo_map": at(100, 4, 4, swing=0.62)}, "beat: the file's, 100 BPM, swing 62%, 4/4, bar 1 at 0.00 s"),
    ({"tempo_map": at(100, 6, 8, start=-0.6)}, "beat: the file's, 100 BPM, 6/8, bar 1 at 1.20 s"),
    ({"tempo_map": at(100, 4, 4, start=-0.004)}, "beat: the file's, 100 BPM, 4/4, bar 1 at 0.00 s"),
    ({"rival": Reading(3, 4, 0, 0.4, 3)}, "beat: the file's, 100 BPM, 4/4 (3/4 less likely), bar 1 at 0.50 s"),
    ({"rival": Reading(4, 4, 0, 0.4, 3)}, "beat: the file's, 100 BPM, 4/4, bar 1 at 0.50 s"),
])
def test_the_line_of_the_report(changes, line):
    assert str(replace(Beats(at(100, 4, 4, start=0.5), "file", 0.9, TempoMap()), **changes)) == line


def test_the_tempo_of_the_report_is_that_of_most_of_the_song():
    clock = TempoMap(tempos((0.0, 500_000), (1.0, 600_000), (60.0, 1_500_000)), metres((0.0, 4, 4)))
    assert str(read_beats(composed(clock), clock)) == "beat: the file's, 100 BPM (40 to 100), 4/4, bar 1 at 0.00 s"


@over_real_files
def test_real_songs_have_beats(path):
    beats = song_at(path).beats
    assert 20 < 6e7 / beats.quarter < 500
    assert (np.diff(as_file_map(beats.tempo_map).tempos["start"]) > 0).all()
    if "pop909" in str(path):
        assert beats.source == "file"


def test_the_song_of_a_file_has_its_beats():
    score = midi_file.Score((Track("", 0, False, pop_song()),), FOUR_FOUR)
    assert of_score(score, hints=Hints(level=2.0)).beats.scale == 2
