import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.categories import CATEGORIES
from serenity.errors import InputError
from serenity.music import chunks, midi_file
from serenity.music.midi_file import Score, Track
from serenity.music.note import note_table, sort_notes
from serenity.music.pitch import chord_matrix
from serenity.music.tempo_map import TempoMap, metres, tempos
from serenity.settings import CodecSettings, Hints
from serenity.tokens import seed as seeds
from serenity.tokens.seed import Replaced, find_replaced, melodic, playable
from serenity.tokens.vocabulary import ATTRIBUTES, BAR, COLUMNS, LEFT, PLACE, SPECIALS, START, count_values
from tests.songs import abc_songs, compose_notes

VOCABULARY = count_values(song.events for _, song in abc_songs(3))
GRID = CodecSettings().grid


def read(notes, tempo_map=TempoMap(), name="Piano", **options):
    score = Score((Track(name, 0, False, notes),), tempo_map)
    return seeds.read(score, "piano", CodecSettings(), VOCABULARY, **options)


def continued(seed, chance=0):
    """Return the prompt's own tokens, taken as a continuation, as notes; but for a first step that is decided."""
    values = seed.prompt[seed.prompt[:, 0] >= SPECIALS]
    if seed.wait:
        values[0, ATTRIBUTES.index("step")] = seeds.first_step(seed, VOCABULARY)
    return seeds.continue_notes(seed, values, VOCABULARY, np.random.default_rng(chance))


def played(notes, tempo_map):
    """Return notes at 120 quarters a minute as they sound on another map."""
    notes, ends = notes.copy(), notes["onset"] + notes["duration"]
    notes["onset"] = tempo_map.seconds(2 * notes["onset"])
    notes["duration"] = tempo_map.seconds(2 * ends) - notes["onset"]
    return notes


def jittered(notes, deviation=0.012):
    """Return notes that begin by chance before or after their time."""
    notes = notes.copy()
    notes["onset"] += 0.1 + np.random.default_rng(0).normal(0, deviation, len(notes))
    return sort_notes(notes)


def test_the_prompt_begins_with_start_only_where_it_begins_the_song():
    notes = compose_notes(1, bars=8)
    notes = midi_file.parse(midi_file.to_bytes([Track("", 0, False, notes)])).tracks[0].notes  # no key sounds twice
    whole, first, last = read(notes), read(notes, first=20), read(notes, last=20)
    begin = [START] * PLACE + [0] * (len(COLUMNS) - PLACE)
    assert whole.prompt[0].tolist() == first.prompt[0].tolist() == begin
    assert (last.prompt[:, :PLACE] >= SPECIALS).all()
    assert (first.events, last.events) == (20, 20)
    np.testing.assert_array_equal(first.prompt[:, :LEFT], whole.prompt[:21, :LEFT])
    np.testing.assert_array_equal(last.prompt[1:], whole.prompt[-19:])  # the first step counts from the bar


def test_the_prompt_knows_where_its_events_stand_in_their_bars():
    """Of the whole song, also where the prompt begins later: two bars of 3/4, the second cut, then 4/4."""
    clock = TempoMap(metres=metres((0.0, 3, 4), (5.0, 4, 4)))
    notes = compose_notes(1, bars=6)
    notes = midi_file.parse(midi_file.to_bytes([Track("", 0, False, notes)])).tracks[0].notes  # no key sounds twice
    whole, last = read(notes, clock), read(notes, clock, last=20)
    onset = np.cumsum(whole.encoded.events["step"])
    place = np.select([onset < 72, onset < 120], [onset, onset - 72], (onset - 120) % 96)
    assert whole.prompt[1:, PLACE].tolist() == place.tolist()
    assert whole.prompt[1:, BAR].tolist() == np.select([onset < 72, onset < 120], [72, 48], 96).tolist()
    np.testing.assert_array_equal(last.prompt[:, PLACE:], whole.prompt[-20:, PLACE:])


@pytest.mark.parametrize("part", [{}, {"first": 20}, {"last": 20}, {"seconds": (3.0, 9.0)}])
def test_what_the_seed_says_itself_comes_back_where_it_stood(part):
    """The prompt's own tokens, taken as a continuation, are the prompt's notes, in its key, after its last onset."""
    seed = read(compose_notes(1, bars=8, transposition=4), **part)
    notes = continued(seed)
    assert sorted(set(notes["pitch"].tolist())) == sorted(set(seed.notes["pitch"].tolist()))
    assert notes["onset"][0] >= seed.start >= seed.notes["onset"][-1]


def test_the_report_says_what_was_taken_the_key_and_what_was_replaced():
    strange = compose_notes(1, bars=8)
    strange["pitch"][::9] = 22
    lines = seeds.report(read(strange, name="Piano\x1b[31m"))
    assert lines[0].startswith("piano by name (Piano?[31m); 84 notes, 0 left out, 10 moved by octaves")
    assert re.match(r"[A-G]( flat| sharp)? (major|minor) \(confidence 0\.", lines[1])
    assert lines[1].endswith("; 48 of 48 events as prompt, 16.0 of 16.0 s")
    assert re.fullmatch(r"beat: the file's, 120 BPM, 4/4( \(3/4 less likely\))?, bar 1 at 0\.00 s", lines[2])
    assert re.fullmatch(r"the model does not know \d+ of 48 chords \([^)]+ -> [^)]+, [^)]+ -> [^)]+\).*: the "
                        "nearest is taken", lines[3])


def test_the_report_compares_the_prompt_with_the_seed_as_it_is_struck_not_as_the_pedal_holds_it():
    score = Score((Track("Piano", 0, False, compose_notes(1, bars=8), np.array([(14.0, 30.0)])),), TempoMap())
    line = seeds.report(seeds.read(score, "piano", CodecSettings(), VOCABULARY))[1]
    assert re.search(r", (\d+\.\d) of \1 s$", line)


# --- a last chord that is held ----------------------------------------------------------------------------------------

CHORD = (48, 60, 64, 67)
THREE_FOUR = TempoMap(metres=metres((0.0, 3, 4)))


def held(length, bars=4, at=0.0, tempo_map=TempoMap(), bar=4):
    """Return bars of quarters and, `at` quarters into the next one, a chord of so many quarters."""
    start = np.append(np.arange(bar * bars), [bar * bars + at] * len(CHORD)).astype(float)
    ends = start + np.append(np.full(bar * bars, 0.9), [length] * len(CHORD))
    pitch = [*([60, 64, 67, 72] * bars * bar)[:bar * bars], *CHORD]
    onset = tempo_map.seconds(start)
    return note_table(onset, tempo_map.seconds(ends) - onset, pitch, [80] * len(start))


@pytest.mark.parametrize(("length", "at", "bar", "tempo_map", "line"), [
    (4, 0, 4, TempoMap(), 20), (3.8, 0, 4, TempoMap(), 20),     # to the bar's end, or a little less
    (4.2, 0, 4, TempoMap(), 20), (8, 0, 4, TempoMap(), 24), (6, 0, 4, TempoMap(), 24),
    (2, 2, 4, TempoMap(), 20), (6, 2, 4, TempoMap(), 24), (3, 1, 4, TempoMap(), 20),
    (3, 0, 3, THREE_FOUR, 15), (7, 0, 3, THREE_FOUR, 21), (2, 1, 3, THREE_FOUR, 15),
])
def test_after_a_held_chord_the_continuation_begins_with_the_next_bar(length, at, bar, tempo_map, line):
    seed = read(held(length, at=at, bar=bar, tempo_map=tempo_map), tempo_map)
    assert continued(seed)["onset"][0] == pytest.approx(line / 2)  # 120 quarters a minute
    assert seed.join + seed.wait == line * GRID and 0 < seed.wait <= bar * GRID
    assert f"the last chord is held: the next bar begins at {line / 2:.2f} s" in seeds.report(seed)
    assert seeds.first_step(seed, VOCABULARY) == VOCABULARY["step"].encode(np.array([seed.wait]))[0][0]
    assert (seed.join + seeds.steps_until(seed, seeds.end_of(seed, 3))) == (line + 3 * bar) * GRID


@pytest.mark.parametrize(("length", "options"), [
    (1, {}), (1.5, {}), (100, {}),  # a note that nobody ended
    (4, {"first": 10}), (4, {"seconds": (0.0, 6.0)}),
])
def test_a_short_last_chord_and_a_prompt_cut_before_it_wait_for_nothing(length, options):
    seed = read(held(length), **options)
    assert seed.wait == 0 and seeds.first_step(seed, VOCABULARY) is None
    assert seed.start == seed.notes["onset"][-1]


def test_music_of_long_chords_does_not_wait_for_the_last_one():
    onset = np.repeat(np.arange(8) * 2.0, 3)
    notes = note_table(onset, np.full(24, 1.95), [60, 64, 67] * 8, [80] * 24)
    assert read(notes).wait == 0


@pytest.mark.parametrize(("is_notated", "length", "begin"), [
    (True, 4, 28), (True, 2, 28), (True, 1, 24), (False, 4, 24),
])
def test_the_last_chord_of_a_score_is_heard_out_even_among_long_notes(is_notated, length, begin):
    onset = np.append(np.arange(8) * 1.5, 12.0)  # three quarters apart, and the last at the beginning of a bar
    notes = note_table(onset, np.append(np.full(8, 1.4), length / 2), [60, 64, 67] * 3, [80] * 9)
    seed = read(notes, TempoMap(is_notated=is_notated))
    assert seed.join + seed.wait == begin * GRID


def test_a_fermata_keeps_its_slow_tempo_and_the_continuation_has_the_one_before():
    """A chord of four quarters at a quarter of the tempo: 8 s, from 8 s on."""
    clock = TempoMap(tempos((0.0, 500_000), (16.0, 2_000_000)), ticks_per_quarter=384)
    seed = read(held(4, tempo_map=clock), clock)
    assert continued(seed)["onset"][0] == pytest.approx(16)
    assert seed.file_map.tempos.tolist() == [(0, 500_000), (16, 2_000_000), (20, 500_000)]
    assert seed.file_map.seconds(24.0) == pytest.approx(18) == seed.tempo_map.seconds(24.0)


@pytest.mark.parametrize("last", [1, 5, 16])
def test_the_last_events_of_a_seed_that_ends_in_a_held_chord_wait_too(last):
    seed = read(held(8), last=last)
    assert continued(seed)["onset"][0] == pytest.approx(seed.notes["onset"][-1] + 4)


def test_the_report_says_how_far_a_seed_is_played_beside_the_grid():
    line = seeds.report(read(jittered(compose_notes(1, bars=8))))[2]
    assert line == "beat: the file's, 120 BPM, 4/4, bar 1 at 0.10 s; played 8 ms beside the grid in the median"


# --- a part -----------------------------------------------------------------------------------------------------------

def found_part(**part):
    """Return the seed of a part, whose beats are found: the file's tempo map means nothing."""
    wandering = TempoMap(tempos(*((2.0 * k, 560_000 + 25_000 * (k % 3)) for k in range(30))), metres((0.0, 3, 4)),
                         start=0.7)
    return read(played(compose_notes(1, bars=16), wandering), **part)


@pytest.mark.parametrize("part", [{"first": 40}, {"last": 40}, {"seconds": (9.0, 22.0)},
                                  {"last": 40, "hints": Hints(bpm=103, metre=(3, 4), first_beat=0.7)}])
@pytest.mark.parametrize("make", [found_part, lambda **part: read(compose_notes(1, bars=16, transposition=3), **part)])
def test_a_part_alone_with_what_is_known_of_it_is_read_as_in_the_whole(make, part):
    """So that a song can be made again from itself: it holds the part, its recipe what is known."""
    seed = make(**part)
    alone = seeds.read_part(midi_file.parse(chunks.join(seed.score.chunks)), "piano", CodecSettings(), VOCABULARY,
                            seed.part)
    np.testing.assert_array_equal(alone.prompt, seed.prompt)
    assert alone.tempo_map.tempos.tolist() == seed.tempo_map.tempos.tolist()
    assert (alone.join, alone.start, alone.encoded.transposition) == (seed.join, seed.start, seed.encoded.transposition)


@pytest.mark.parametrize("part", [{"first": 40}, {"last": 40}, {"seconds": (9.0, 22.0)}])
def test_a_part_keeps_the_key_the_bars_and_the_tempo_of_the_whole(part):
    seed = found_part(**part)
    beats, whole = seed.song.beats, seed.whole.song.beats
    assert str(seed.encoded.key) == str(seed.whole.encoded.key)
    assert beats.metre == whole.metre and beats.quarter == pytest.approx(whole.quarter, rel=0.05)
    begin = seed.whole.notes["onset"][-1] - seed.notes["onset"][-1] if "last" in part else 0.0
    line = float(seed.song.tempo_map.seconds(seed.song.tempo_map.bar_line(1))) + begin
    if part != {"seconds": (9.0, 22.0)}:
        assert abs(whole.tempo_map.bar_onsets(100.0) - line).min() < 0.1


def test_the_report_of_a_part_says_how_the_beats_of_the_whole_are_known():
    """Nobody gave them, though the part is read with what is known of the whole."""
    [line] = [line for line in seeds.report(found_part(last=40)) if line.startswith("beat: ")]
    assert line.startswith("beat: found, ")


def test_all_of_a_seed_is_no_part():
    for part in ({}, {"first": 10**4}, {"last": 10**4}, {"seconds": (0.0, 1e6)}):
        seed = read(compose_notes(1, bars=8), **part)
        assert seed.part is None and seed.whole is None


# --- beats ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("hints", "join"), [
    (Hints(level=2.0), 2 * 744), (Hints(level=0.5), 744 // 2), (Hints(metre=(3, 4)), 744), (Hints(first_beat=0.5), 816),
])
def test_what_is_known_of_the_beats_changes_how_they_are_counted(hints, join):
    """A song of 32 quarters, 24 points each, whose last onset is at quarter 31; from a bar that begins at 0.5 s: 34."""
    seed = read(compose_notes(1, bars=8), hints=hints)
    assert (seed.join, seed.start) == (join, 15.5)
    assert seed.song.beats.metre == (hints.metre or (4, 4))
    assert seed.song.beats.source == "file"


def test_a_stated_tempo_goes_before_the_files():
    seed = read(compose_notes(1, bars=8), TempoMap(tempos((0.0, 700_000))), hints=Hints(bpm=120))
    assert (seed.song.beats.source, seed.song.beats.quarter) == ("given", 500_000)
    assert seed.file_map is seed.score.tempo_map  # the file's grid never was the music's


RITARDANDO = tempos((0.0, 500_000), (28.0, 600_000), (30.0, 900_000))


def test_the_file_keeps_its_map_to_the_join_and_goes_on_in_the_tempo_before_the_ritardando():
    clock = TempoMap(RITARDANDO, ticks_per_quarter=384)
    seed = read(played(compose_notes(1, bars=8), clock), clock)
    assert seed.file_map.tempos.tolist() == [*RITARDANDO.tolist(), (31.0, 500_000)]
    assert seed.seconds_after(GRID) == 0.5 and seed.file_map.ticks_per_quarter == 384
    np.testing.assert_allclose(seed.file_map.seconds([28, 31, 33]), seed.tempo_map.seconds([28, 31, 33]))


@pytest.mark.parametrize("options", [
    {}, {"first": 20}, {"last": 20}, {"hints": Hints(level=2.0)}, {"hints": Hints(level=0.5)},
    {"hints": Hints(metre=(6, 8))}, {"hints": Hints(metre=(7, 8))}])
@pytest.mark.parametrize("length", [500_000, 700_001, 333_333])
def test_the_map_of_a_file_in_one_tempo_stays_as_it_is(length, options):
    clock = TempoMap(tempos((0.0, length)), metres((0.0, 4, 4)))
    seed = read(played(compose_notes(1, bars=8), clock), clock, **options)
    assert seed.file_map.tempos.tolist() == [(0.0, length)]
    assert seed.file_map.metres.tolist() == [(0.0, 4, 4)]


def test_a_metre_behind_the_prompt_is_none_of_the_continuations():
    clock = TempoMap(metres=metres((0.0, 4, 4), (16.0, 3, 4)))
    notes = compose_notes(1, bars=8)
    whole, part = read(notes, clock), read(notes, clock, seconds=(0.0, 6.0))
    assert whole.tempo_map.metres.tolist() == whole.file_map.metres.tolist() == [(0.0, 4, 4), (16.0, 3, 4)]
    assert part.tempo_map.metres.tolist() == part.file_map.metres.tolist() == [(0.0, 4, 4)]


# --- how long ---------------------------------------------------------------------------------------------------------

@given(st.sampled_from([(4, 4), (3, 4), (6, 8), (12, 8), (7, 8)]), st.integers(1, 9), st.integers(3, 30))
def test_bars_end_on_the_bar_line_so_many_bars_behind_the_last_one(metre, bars, first):
    seed = read(compose_notes(1, bars=8), TempoMap(metres=metres((0.0, *metre))), first=first)
    assert seed.song.beats.metre == metre
    steps, bar = seeds.steps_until(seed, seeds.end_of(seed, bars)), metre[0] * 4 * GRID // metre[1]
    assert (seed.join + steps) % bar == 0
    assert (seed.join + steps) // bar == seed.join // bar + 1 + bars


def test_seconds_are_counted_from_the_join_in_the_tempo_that_goes_on_up_to_the_nearest_bar_line():
    clock = TempoMap(RITARDANDO)
    seed = read(played(compose_notes(1, bars=8), clock), clock)
    assert seed.seconds_after(6 * GRID) == pytest.approx(3.0)
    bar = seed.seconds_after(seeds.steps_until(seed, seeds.end_of(seed, 2)))
    assert [seeds.nearest_bars(seed, bar + more) for more in (-1.01, -0.99, 0.0, 0.99, 1.01)] == [1, 2, 2, 2, 3]
    assert seeds.nearest_bars(seed, 0.1) == 1


@pytest.mark.parametrize("events", [1, 3, 4, 5, 8, 9, 23])
@pytest.mark.parametrize("bar", [3, 4])
def test_events_fill_the_bars_before_the_one_in_which_the_last_of_them_begins(events, bar):
    seed = read(compose_notes(1, bars=8), TempoMap(metres=metres((0.0, bar, 4))))
    tokens = np.repeat(seed.prompt[-1:], events, axis=0)
    tokens[:, ATTRIBUTES.index("step")] = VOCABULARY["step"].encode(np.array([GRID]))[0][0]
    filled = seeds.filled_bars(seed, tokens, VOCABULARY)
    beyond = GRID * events - seeds.steps_until(seed, seeds.end_of(seed, filled))
    assert 0 <= beyond < bar * GRID or filled == 1 and beyond < 0


def test_what_is_longer_than_a_day_is_refused():
    with pytest.raises(InputError, match="^43200 bars more are not over within 24 hours; wanted fewer$"):
        seeds.end_of(read(compose_notes(1, bars=8)), 43_200)


# --- the continuation -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("length", [500_000, 631_579])
def test_a_quantised_seed_goes_on_upon_the_grid_to_the_tick(length):
    clock = TempoMap(tempos((0.0, length)))
    seed = read(played(compose_notes(1, bars=8), clock), clock)
    assert not seed.encoded.beside.any()
    track = Track("", 0, False, continued(seed))
    written = midi_file.parse(midi_file.to_bytes([track], seed.file_map))
    ticks = written.tempo_map.ticks(written.tracks[0].notes["onset"])
    assert (ticks % (480 // GRID) == 0).all() and np.array_equal(continued(seed, 1), continued(seed, 2))


def test_a_played_seed_goes_on_beside_the_grid_as_far_as_it_is_itself():
    seed = read(jittered(compose_notes(1, bars=16)))
    assert 0.009 < seed.encoded.beside.std() < 0.014
    notes, other = continued(seed, 1), continued(seed, 2)
    eighths = seed.tempo_map.seconds(np.rint(2 * seed.tempo_map.quarters(notes["onset"])) / 2)
    beside = notes["onset"] - eighths
    assert beside.std() == pytest.approx(seed.encoded.beside.std(), rel=0.25)
    assert abs(beside.mean()) < 0.005 and abs(beside).max() < 0.06
    assert np.array_equal(notes, continued(seed, 1)) and not np.array_equal(notes["onset"], other["onset"])
    assert notes["onset"].min() >= seed.notes["onset"][-1]


# --- what was replaced ------------------------------------------------------------------------------------------------

def test_the_worst_come_first_in_the_songs_own_key():
    seed = read(compose_notes(1, bars=8))
    events = seed.encoded.events.copy()
    events["step"][:3] = 175, 175, 2376
    tokens, known = VOCABULARY.encode(events)
    [replaced] = find_replaced(events, tokens, known, VOCABULARY, GRID)
    assert (replaced.attribute, replaced.count) == ("step", 3)
    assert [was for was, _ in replaced.worst] == ["99", "175/24"]  # in quarters
    assert str(replaced).startswith("3 of 48 steps (99 -> ")


def test_chords_are_named_as_they_stand_in_the_song():
    seed = read(compose_notes(1, bars=8))
    events = seed.encoded.events[:1].copy()
    events["pitch"] = np.uint64(1) << np.uint64(60), 0  # c4 alone
    tokens, known = VOCABULARY.encode(events)
    known[:, 0] = False
    names = [find_replaced(events, tokens, known, VOCABULARY, GRID, semitones, has_flats)[0].worst[0][0]
             for semitones, has_flats in ((0, True), (-2, True), (-3, False), (-3, True))]
    assert names == ["c4", "d4", "d#4", "eb4"]


def test_nothing_unknown_is_nothing_replaced():
    seed = read(compose_notes(1, bars=30))
    assert seed.unknown == [] and not any("nearest" in line for line in seeds.report(seed))
    assert str(Replaced("velocity", 2, 7, (("1", "5"),))) == "2 of 7 velocities (1 -> 5)"


# --- what can be played -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("category", CATEGORIES.values(), ids=CATEGORIES)
@pytest.mark.parametrize("transposition", [-14, 0, 9])
def test_every_chord_allowed_lies_in_the_range_and_no_other(category, transposition):
    mask = playable(VOCABULARY.pitch, transposition, category)
    assert mask[:SPECIALS].all() and len(mask) == VOCABULARY.pitch.size
    for chord, allowed in zip(chord_matrix(VOCABULARY.pitch.values), mask[SPECIALS:]):
        pitches = np.flatnonzero(chord) - transposition
        assert allowed == (category.lowest <= pitches.min() and pitches.max() <= category.highest)


def test_a_melody_alone_has_single_notes_of_its_range_one_after_another():
    masks = melodic(VOCABULARY, -2, 60, 72)
    pitches = [np.flatnonzero(chord) + 2 for chord in chord_matrix(VOCABULARY.pitch.values)]
    assert masks["pitch"][SPECIALS:].tolist() == [len(each) == 1 and 60 <= each[0] <= 72 for each in pitches]
    assert masks["step"][SPECIALS:].tolist() == (VOCABULARY["step"].values > 0).tolist()
    assert all(mask[:SPECIALS].all() for mask in masks.values()) and 0 < masks["pitch"].sum() < len(pitches)
    with pytest.raises(InputError, match="knows no single note in the range of the seed's melody"):
        melodic(VOCABULARY, 0, 126, 127)


def test_no_chord_in_range_is_told():
    with pytest.raises(InputError, match="no chord that the model knows lies in the range of the cello here"):
        playable(VOCABULARY.pitch, -90, CATEGORIES["cello"])


def test_the_report_names_other_metres_and_counts_bars_from_the_beginning_of_the_song_that_is_written():
    """24 quarters of 4/4, then 3/4; the part that is taken begins in bar 4."""
    clock = TempoMap(metres=metres((0, 4, 4), (24, 3, 4)))
    assert "BPM, 4/4, from bar 7 3/4, bar 1 at 0.00 s" in seeds.report(read(compose_notes(1, bars=16), clock))[2]
    part = seeds.report(read(compose_notes(1, bars=16), clock, seconds=(6.5, 30.0)))[2]
    assert "BPM, 4/4, from bar 4 3/4, bar 1 at 0.00 s" in part
