import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serenity.music import beat_tracking
from serenity.music.beat_tracking import AGREES, agreement, bar_lines, metre, track
from serenity.music.note import NOTE, end_time, note_table, sort_notes

EIGHTHS, SIXTEENTHS, TRIPLETS, SWING = (0, 1 / 2), (0, 1 / 4, 1 / 2, 3 / 4), (0, 1 / 3, 2 / 3), (0, 2 / 3)
CHORDS = ((48, 55, 64), (43, 59, 62), (45, 57, 60), (41, 57, 65))


def composed(tempo=100, bars=12, beats_a_bar=4, rhythm=EIGHTHS, jitter=0.0, start=0.3, pickup=0):
    """Return (notes, onsets in quarters, beats in seconds): melody in a rhythm, a new chord on each bar."""
    rng = np.random.default_rng(0)
    count = bars * beats_a_bar + pickup
    rows = [(beat + part, 0.4, 67 + int(rng.integers(12)), 70) for beat in range(count) for part in rhythm]
    for bar in range(bars):
        at = pickup + bar * beats_a_bar
        rows += [(at, beats_a_bar, pitch, 80) for pitch in CHORDS[bar % 4]]
        rows += [(at + beat, 1, CHORDS[bar % 4][1], 60) for beat in range(1, beats_a_bar)]
    place, length, pitch, velocity = (np.array(column) for column in zip(*rows))
    quarter = 60 / tempo
    onset = np.maximum(start + place * quarter + rng.normal(0, jitter, len(place)), 0)
    notes = note_table(onset, length * quarter, pitch, velocity)
    return notes, (notes["onset"] - start) / quarter, start + np.arange(count + 1) * quarter


def share_found(beats, truth, within=0.05):
    return np.mean([abs(beats - beat).min() < within for beat in truth])


# --- does a tempo map mean anything? ----------------------------------------------------------------------------------

@pytest.mark.parametrize("rhythm", [EIGHTHS, SIXTEENTHS, TRIPLETS, SWING])
@pytest.mark.parametrize("tempo", [40, 120])
def test_a_true_map_agrees_and_its_beat_is_found(rhythm, tempo):
    notes, quarters, _ = composed(tempo, 8, rhythm=rhythm, jitter=0.01)
    found = agreement(notes, quarters + 0.3)
    assert found.share > AGREES and found.is_believed
    assert found.offset == pytest.approx(0.3, abs=0.03)


def test_notes_that_all_stand_on_the_beat_are_not_taken_for_offbeats():
    quarters = np.arange(32.0)
    notes = note_table(quarters / 2, np.full(32, 0.45), np.resize([43, 62, 62], 32), np.full(32, 80))
    assert min(agreement(notes, quarters).offset, 1 - agreement(notes, quarters).offset) < 0.01


@given(st.floats(0.8, 1.25).filter(lambda by: min(abs(by - ratio) for ratio in (0.8, 1, 1.25, 5 / 6, 7 / 6)) > 0.02))
@settings(max_examples=20)
def test_a_scaled_map_does_not_agree(by):
    notes, quarters, _ = composed(bars=40)
    assert not agreement(notes, quarters * by).is_believed


def test_another_tempo_whose_grid_falls_together_does_not_agree():
    notes, quarters, _ = composed(90, 24, rhythm=SIXTEENTHS)
    assert not agreement(notes, quarters * 120 / 90).is_believed


# --- beats ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tempo", [66, 80, 100, 120])
@pytest.mark.parametrize("beats_a_bar", [3, 4])
def test_beats_of_a_steady_song_are_found(tempo, beats_a_bar):
    notes, _, truth = composed(tempo, beats_a_bar=beats_a_bar, jitter=0.01)
    beats = track(notes)
    assert share_found(beats, truth) > 0.95
    assert len(beats) <= len(truth) + 3


def test_the_tempo_of_a_steady_song_is_exact_though_its_notes_are_not():
    notes, _, _ = composed(97, 40, jitter=0.012)
    beats = track(notes)[4:-4]
    tempo = 60 / np.polyfit(np.arange(len(beats)), beats, 1)[0]
    assert tempo == pytest.approx(97, rel=1e-3)
    assert np.diff(beats).std() < 0.002


def test_rubato_is_followed():
    notes, _, truth = composed(100, 32)

    def bend(time):
        return time + 0.3 * np.sin(2 * np.pi * time / 20)  # the tempo swings by 9 %

    notes["onset"] = bend(notes["onset"])
    assert share_found(track(notes), bend(truth)) > 0.9


def test_chords_rolled_over_50_ms_are_one_strike():
    notes, _, truth = composed(90, 16)
    notes["onset"] += 0.05 * np.random.default_rng(0).random(len(notes))
    assert share_found(track(sort_notes(notes)), truth, 0.06) > 0.95


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0.01, 10), st.integers(0, 127), st.integers(1, 127)), min_size=1,
                max_size=40))
@settings(max_examples=30)
def test_any_notes_have_ascending_beats_that_cover_them(rows):
    notes = note_table(*zip(*rows))
    beats = track(notes)
    assert len(beats) > 1 and (np.diff(beats) > 0).all() and np.isfinite(beats).all()
    assert beats[0] <= notes["onset"][0] and beats[-1] >= end_time(notes)
    readings = metre(notes, beats)
    assert sum(reading.probability for reading in readings) == pytest.approx(1)
    assert all(0 <= reading.first < reading.beats_per_bar for reading in readings)
    assert np.array_equal(track(notes), beats) and metre(notes, beats) == readings


def test_a_long_rest_costs_no_beats_on_its_far_side():
    notes, _, truth = composed(100, 8)
    later = notes.copy()
    later["onset"] += 3600
    beats = track(np.concatenate([notes, later]))
    assert share_found(beats, np.concatenate([truth, truth + 3600])) > 0.95
    assert np.diff(beats).max() < 1


def test_a_hundred_notes_a_second_raise_nothing():
    notes = note_table(np.arange(0, 10, 0.01), [0.05] * 1000, [60] * 1000, [80] * 1000)
    assert (np.diff(track(notes)) > 0).all()


# --- metre ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("beats_a_bar", [3, 4])
@pytest.mark.parametrize("pickup", [0, 1, 2])
def test_metre_and_first_bar_line_are_found(beats_a_bar, pickup):
    notes, _, beats = composed(beats_a_bar=beats_a_bar, pickup=pickup)
    best = metre(notes, beats)[0]
    assert (best.numerator, best.denominator, best.first) == (beats_a_bar, 4, pickup)
    assert bar_lines(beats, best) == pytest.approx(beats[pickup::beats_a_bar])


def compound(bars=12, eighth=0.3):
    """Return a song in 6/8: a bass on each dotted quarter, chords on the eighths after it."""
    rows = []
    for bar in range(bars):
        low, *high = CHORDS[bar % 4]
        for half in (0, 3):
            rows.append((6 * bar + half, 3 - half / 3, low + 2 * half, 90))
            rows += [(6 * bar + half + step, 1, pitch, 60) for step in (1, 2) for pitch in high]
        rows += [(6 * bar, 3, 76 - bar % 4, 90), (6 * bar + 3, 2, 72, 80)]
    place, length, pitch, velocity = (np.array(column) for column in zip(*rows))
    return note_table(place * eighth, length * eighth, pitch, velocity)


@pytest.mark.parametrize("eighths_a_beat", [2, 3])
def test_six_eight_is_found_on_quarters_and_on_dotted_quarters(eighths_a_beat):
    beats = np.arange(72 / eighths_a_beat + 1) * eighths_a_beat * 0.3
    best = metre(compound(), beats)[0]
    assert (best.numerator, best.denominator, best.first) == (6, 8, 0)
    assert np.diff(bar_lines(beats, best)) == pytest.approx(1.8)


def test_what_is_empty_raises():
    nothing = np.empty(0, NOTE)
    for ask in (lambda: track(nothing), lambda: metre(nothing, np.arange(4.0)),
                lambda: agreement(nothing, np.empty(0))):
        with pytest.raises(ValueError, match="wanted"):
            ask()


def test_of_a_very_long_song_the_end_is_tracked_and_the_beats_before_are_even(monkeypatch):
    monkeypatch.setattr(beat_tracking, "MOST_TRACKED", 20.0)
    times = np.append(np.arange(0, 60, 0.5), np.arange(60, 90, 0.6))
    notes = note_table(times, np.full(len(times), 0.3), np.full(len(times), 60), np.full(len(times), 80))
    beats = beat_tracking.track(notes)
    assert beats[0] <= 0 and beats[-1] >= 89.5
    assert np.diff(beats) == pytest.approx(0.6, abs=0.02)


def test_where_nothing_is_struck_there_is_no_fit():
    """The rounding of a transform is no strike: it threw away the places of all beats of a song with a rest."""
    rng = np.random.default_rng(3)
    total = np.zeros(4001)
    total[:700] = rng.choice([0, 0.3, 0.5, 1], 700)
    fit, error = beat_tracking._local_lines(total, total * rng.normal(0, 0.02, 4001), 1.5)
    beat = np.arange(len(fit)) * beat_tracking.PER_BEAT
    assert np.isfinite(fit[beat < 680]).all() and np.isfinite(error[beat < 680]).all()
    assert np.isnan(fit[beat > 720]).all() and np.isinf(error[beat > 720]).all()
