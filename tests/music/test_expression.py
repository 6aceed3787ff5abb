"""Expression: each function's invariant on any notes, a worked example, and what becomes of real songs."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music import expression
from serenity.music.expression import (
    APPLY,
    ExpressionSettings,
    accent,
    apply,
    expression_curve,
    humanise,
    legato,
    pedal_marks,
    quantise,
    smooth,
    swell,
    thin,
)
from serenity.music.midi_file import CONTROL, Track, next_strike, parse, sustain, to_bytes
from serenity.music.note import NOTE, note_table
from serenity.music.tempo_map import TempoMap, tempos
from serenity.music.voices import INNER, MELODY, phrases, strikes, voices
from tests.real_midi import notes_of, over_real_files
from tests.songs import compose_notes, notes_named
from tests.strategies import note_tables

SONG = compose_notes(1, bars=12)
TWO_TEMPOS = TempoMap(tempos((0.0, 500_000), (2.0, 800_000)))

some_notes = st.one_of(note_tables, st.just(np.zeros(0, NOTE)), st.integers(0, 9).map(lambda n: compose_notes(n, 6)))
shares = st.floats(0, 1)


def ends(notes: np.ndarray) -> np.ndarray:
    return notes["onset"] + notes["duration"]


def same_but(column: str, one: np.ndarray, other: np.ndarray) -> bool:
    return all((one[name] == other[name]).all() for name in NOTE.names if name != column)


def in_order_of_notes(notes: np.ndarray) -> bool:
    return (np.diff(notes["onset"]) >= 0).all() and (notes["duration"] > 0).all()


# --- which notes ------------------------------------------------------------------------------------------------------

@given(some_notes)
def test_thinning_keeps_the_outer_voices_as_they_are(notes):
    thinned = thin(notes)
    assert thinned.tolist() == notes[voices(notes) != INNER].tolist()
    if len(notes):
        assert (thinned["pitch"].min(), thinned["pitch"].max()) == (notes["pitch"].min(), notes["pitch"].max())


def test_thinning_clears_the_inside_of_chords():
    assert thin(notes_named("c5g4e4c3 0 1, d5a4f4d3 1 1"))["pitch"].tolist() == [48, 72, 50, 74]


# --- when and how long ------------------------------------------------------------------------------------------------

@given(some_notes, st.integers(1, 8), shares)
def test_quantising_brings_onsets_to_the_grid_in_their_order(notes, grid, strength):
    moved = quantise(notes, TWO_TEMPOS, grid, strength)
    before, after = (np.interp(table["onset"], [0, 1, 9, 999], [0, 2, 12, 1249.5]) * grid for table in (notes, moved))
    assert np.abs(after - np.rint(after)).max(initial=0) <= np.abs(before - np.rint(before)).max(initial=0) + 1e-6
    expected = before + strength * (np.rint(before) - before)  # ascending, so row by row
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert in_order_of_notes(moved) and (ends(moved) <= next_strike(moved["onset"], moved["pitch"]) + 1e-9).all()


def test_quantising_half_way_halves_the_distance():
    notes = notes_named("c4 0.52 0.3, d4 0.98 0.3")  # at 120 a minute the sixteenths lie at 0.5 and 1.0
    assert quantise(notes, TWO_TEMPOS, 4, 0.5)["onset"] == pytest.approx([0.51, 0.99])
    assert quantise(notes, TWO_TEMPOS, 4, 1.0)["onset"] == pytest.approx([0.5, 1.0])
    assert quantise(notes, TWO_TEMPOS, 4, 0.0).tolist() == notes.tolist()


@given(some_notes, st.floats(0, 3))
def test_legato_lengthens_up_to_the_next_onset_of_the_voice_and_never_into_the_same_key(notes, reach):
    longer = legato(notes, reach)
    assert same_but("duration", notes, longer) and (longer["duration"] >= notes["duration"]).all()
    changed = longer["duration"] > notes["duration"]
    assert (ends(longer) - ends(notes) <= reach + 1e-9).all()
    assert (ends(longer) <= next_strike(notes["onset"], notes["pitch"]) + 1e-9)[changed].all()
    strike, voice = strikes(notes), voices(notes)
    for row in np.flatnonzero(changed):
        later = notes["onset"][(strike > strike[row]) & (voice == voice[row])]
        assert ends(longer)[row] <= later.min(initial=np.inf) + 1e-9


def test_legato_joins_a_line_but_not_over_a_long_rest():
    notes = notes_named("c4 0 0.3, d4 0.5 0.3, d4 1 0.3, e4 4 0.3")
    assert legato(notes, reach=1.0)["duration"].tolist() == [0.5, 0.5, 0.3, 0.3]


@given(some_notes, st.floats(0, 0.2), st.integers(0, 99))
def test_humanising_moves_onsets_a_little_and_no_strike_past_another(notes, spread, seed):
    moved = humanise(notes, spread, seed)
    assert in_order_of_notes(moved) and (moved["onset"] >= 0).all()
    assert moved.tolist() == humanise(notes, spread, seed).tolist()
    strike, place = strikes(notes), 0
    for rows in np.split(np.arange(len(notes)), 1 + np.flatnonzero(np.diff(strike))):
        old, new = notes[rows], moved[place:place + len(rows)]
        place += len(rows)
        assert sorted(old["pitch"]) == sorted(new["pitch"])  # the same notes, before all later strikes
        for pitch in set(old["pitch"]):
            shift = np.sort(new["onset"][new["pitch"] == pitch]) - np.sort(old["onset"][old["pitch"] == pitch])
            assert np.abs(shift).max() <= spread + 1e-9
    assert (ends(moved) <= next_strike(moved["onset"], moved["pitch"]) + 1e-9).all()


def test_humanising_does_move_and_another_seed_moves_otherwise():
    moved = humanise(SONG, 0.012, 0)
    assert 0.002 < np.abs(moved["onset"] - np.sort(SONG["onset"])).mean() < 0.012
    assert moved.tolist() != humanise(SONG, 0.012, 1).tolist()


# --- how loud ---------------------------------------------------------------------------------------------------------

@given(some_notes, shares)
def test_smoothing_stays_between_the_softest_and_the_loudest_of_voice_and_phrase(notes, strength):
    smoothed = smooth(notes, strength)
    assert same_but("velocity", notes, smoothed)
    group = phrases(notes) * 3 + voices(notes)
    for one in set(group.tolist()):
        old, new = notes["velocity"][group == one], smoothed["velocity"][group == one]
        assert old.min() <= new.min() and new.max() <= old.max()
        assert strength or old.tolist() == new.tolist()


def test_smoothing_evens_out():
    notes = notes_named(", ".join(f"c4 {beat} 1" for beat in range(20)))
    notes["velocity"][::2] = 40
    assert np.abs(np.diff(smooth(notes, 1.0)["velocity"])).max() <= 0.2 * 40 + 1


@given(some_notes, st.integers(0, 126))
def test_a_swell_changes_velocities_by_its_depth_at_most_and_a_strike_as_one(notes, depth):
    swollen = swell(notes, depth)
    assert same_but("velocity", notes, swollen)
    change = swollen["velocity"].astype(int) - notes["velocity"]
    assert np.abs(change).max(initial=0) <= depth
    free = (swollen["velocity"] > 1) & (swollen["velocity"] < 127)
    pairs = set(zip(strikes(notes)[free].tolist(), change[free].tolist()))
    assert len(pairs) == len({strike for strike, _ in pairs})


def test_a_swell_rises_to_the_middle_of_the_phrase_and_falls():
    velocity = swell(notes_named(", ".join(f"c4 {beat} 1" for beat in range(9))), 30)["velocity"].astype(int)
    assert (np.diff(velocity)[:4] > 0).all() and (np.diff(velocity)[4:] < 0).all()
    assert velocity[4] - velocity[0] == 30
    assert velocity.mean() == pytest.approx(80, abs=3)


@given(some_notes, st.integers(0, 126))
def test_an_accent_lifts_the_melody_alone(notes, by):
    accented = accent(notes, by)
    assert same_but("velocity", notes, accented)
    change = accented["velocity"].astype(int) - notes["velocity"]
    is_melody = voices(notes) == MELODY
    assert (change[is_melody] >= 0).all() and (change[~is_melody] <= 0).all()
    free = (accented["velocity"] > 1) & (accented["velocity"] < 127)
    if (free & is_melody).any() and (free & ~is_melody).any():
        assert change[free & is_melody][0] - change[free & ~is_melody][0] == by


# --- pedal and curves -------------------------------------------------------------------------------------------------

def assert_pedalled(notes, release):
    """The sound comes back, up to `release`."""
    fingered, pedals = pedal_marks(notes, release)
    assert same_but("duration", notes, fingered) and (fingered["duration"] <= notes["duration"]).all()
    assert in_order_of_notes(fingered)
    assert (np.diff(pedals.reshape(-1)) > 0).all()
    later = ends(sustain(fingered, pedals)) - ends(notes)
    assert later.min(initial=0) >= -1e-6 and later.max(initial=0) <= release + 1e-6
    return fingered, pedals


@example(note_table([0.0, 0.295, 0.325], [0.775, 1.001, 0.001], [2, 1, 0], [1, 1, 1]), 0)  # 0.295 + 0.5 < 0.795
@given(some_notes, st.sampled_from([0, 0.02, 0.05, 0.5]))
def test_pedal_and_fingers_give_the_sound_back(notes, release):
    assert_pedalled(notes, release)


def test_the_pedal_holds_a_broken_chord():
    notes = notes_named("c3 0 1, e3 0.25 0.75, g3 0.5 0.5, c4 0.75 0.25, d3 1 1, f3 1.25 0.75, a3 1.5 0.5")
    fingered, pedals = pedal_marks(notes, 0.0)
    assert pedals == pytest.approx(np.array([[0, 1], [1.02, 2]]))
    assert ends(fingered) == pytest.approx([0.25, 0.5, 0.75, 1, 1.25, 1.5, 2])


def test_a_melody_that_ends_on_its_own_is_not_caught_by_the_pedal():
    notes = notes_named("c3 0 2, e3 0.25 1.75, g3 0.5 1.5, c5 0.5 0.4")
    fingered, pedals = pedal_marks(notes, 0.0)
    assert pedals == pytest.approx(np.array([[0.92, 2]]))
    assert sustain(fingered, pedals)["duration"] == pytest.approx(notes["duration"])


def test_a_note_longer_than_a_pedal_sustains_is_left_to_the_finger():
    fingered, pedals = pedal_marks(notes_named("c3 0 10, e3 4 6, g3 5 5"), 0.0)
    assert fingered["duration"].tolist() == [10, 1, 5] and len(pedals) == 1


def test_the_pedal_survives_a_file():
    notes = notes_named("c3 0 1, e3 0.25 0.75, g3 0.5 0.5, c4 0.75 0.25, d3 1 1, f3 1.25 0.75, a3 1.5 0.5")
    (read,) = parse(to_bytes([apply(Track("", 0, False, notes), ["pedal"])])).tracks
    assert sustain(read.notes, read.pedals)["duration"] == pytest.approx(notes["duration"], abs=0.003)
    assert len(read.pedals) == 2


@given(some_notes, st.integers(0, 60), st.integers(60, 127))
def test_a_curve_stays_in_its_range_and_time_and_begins_each_phrase_at_its_lowest(notes, lowest, highest):
    curve = expression_curve(notes, lowest, highest)
    assert set(curve["number"].tolist()) <= {11}
    if not len(notes):
        assert not len(curve)
        return
    assert lowest <= curve["value"].min() and curve["value"].max() <= highest
    assert (np.diff(curve["time"]) > 0).all() and np.diff(curve["value"]).all()
    assert curve["time"][0] == notes["onset"][0] and curve["time"][-1] <= ends(notes).max()
    for phrase in set(phrases(notes).tolist()):
        begin = notes["onset"][phrases(notes) == phrase][0]
        assert curve["value"][np.searchsorted(curve["time"], begin, side="right") - 1] == lowest


def test_a_curve_swells_within_a_note():
    curve = expression_curve(notes_named("c4 0 4"), 40, 100)
    assert curve["value"].max() == 100
    assert curve["time"][curve["value"].argmax()] == pytest.approx(2, abs=0.3)
    assert curve["value"][-1] < 50


# --- all of them, by name ---------------------------------------------------------------------------------------------

@given(some_notes, st.sets(st.sampled_from(list(APPLY))))
def test_whatever_is_asked_for_gives_a_track_that_can_be_written(notes, names):
    track = Track("strings", 48, False, notes, np.array([[0.5, 1.0]]), np.array([(0.2, 7, 90), (0.3, 11, 1)], CONTROL))
    before = [table.copy() for table in (track.notes, track.pedals, track.controls)]
    after = apply(track, names, ExpressionSettings(seed=3), TWO_TEMPOS)
    assert in_order_of_notes(after.notes) and (after.name, after.program) == ("strings", 48)
    assert len(after.notes) == len(notes) or "thin" in names
    assert (after.controls["number"] == 7).sum() == 1 and (np.diff(after.controls["time"]) >= 0).all()
    assert names or after == track
    for given_table, table in zip((track.notes, track.pedals, track.controls), before):
        assert (given_table == table).all()  # the given track is as it was
    if len(after.notes):
        assert parse(to_bytes([after], TWO_TEMPOS)).tracks


@pytest.mark.parametrize("name", APPLY)
def test_each_option_changes_a_song(name):
    track = Track("", 0, False, SONG)
    after = apply(track, [name])
    changed = {field.name for field in fields(Track) if field.name in ("notes", "pedals", "controls")
               and getattr(after, field.name).tolist() != getattr(track, field.name).tolist()}
    assert changed == {"pedal": {"notes", "pedals"}, "curve": {"controls"}}.get(name, {"notes"})


def test_the_order_in_which_they_are_named_does_not_matter():
    track = Track("", 0, False, SONG)
    one, other = apply(track, ["thin", "swell", "accent"]), apply(track, ["accent", "thin", "swell", "thin"])
    assert one.notes.tolist() == other.notes.tolist()


def test_an_unknown_name_gets_one_clear_line():
    with pytest.raises(InputError, match="expression 'louder' is unknown; wanted one or more of thin, quantise"):
        apply(Track("", 0, False, SONG), ["thin", "louder"])


@pytest.mark.parametrize("changes", [{"quantise": 1.5}, {"grid": 0}, {"humanise": float("nan")}, {"accent": -1},
                                     {"curve_lowest": 120, "curve_highest": 30}, {"seed": -1}])
def test_settings_that_cannot_work_get_one_clear_line(changes):
    with pytest.raises(InputError, match=f"expression: .*{next(iter(changes)).removesuffix('_lowest')}"):
        replace(ExpressionSettings(), **changes)


@over_real_files
def test_real_songs_keep_what_is_promised(path):
    notes = notes_of(path)
    assert_pedalled(notes, 0.05)
    assert np.mean(voices(notes) != INNER) > 0.2
    length = ends(notes).max()
    assert length / 60 < phrases(notes).max() + 1 < length  # a phrase takes between a second and a minute
    assert expression.apply(Track("", 0, False, notes), APPLY).notes["duration"].min() > 0
