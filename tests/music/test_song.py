import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.instruments import choose
from serenity.music.midi_file import Score, Track
from serenity.music.note import note_table
from serenity.music.song import SHORTEST_SPAN, beat_edges, of_choice, of_score
from serenity.music.tempo_map import TempoMap, metres, tempos
from serenity.settings import Hints
from tests.songs import pop_song
from tests.strategies import tempo_maps

PEDALLED = Track("Piano", 0, False, pop_song(), np.array([[0.0, 1.0]]))
SCORE = Score((PEDALLED, Track("Drums", 0, True, pop_song())), TempoMap(metres=metres((0.0, 4, 4))))


def test_a_file_becomes_a_song_with_its_beats():
    song = of_score(SCORE)
    assert np.array_equal(song.struck, PEDALLED.notes)
    assert song.notes["duration"].sum() > song.struck["duration"].sum()  # with the pedal
    assert song.beats.source == "file" and song.tempo_map is song.beats.tempo_map
    assert song.tempo_map.seconds([0, 1, 2]).tolist() == [0, 0.5, 1]


def test_the_tracks_chosen_from_a_file_are_the_same_song():
    one, other = of_score(SCORE), of_choice(choose(SCORE), SCORE.tempo_map)
    assert np.array_equal(one.notes, other.notes) and str(one.beats) == str(other.beats)


def test_what_a_user_knows_goes_before_what_is_found():
    assert of_score(SCORE, hints=Hints(metre=(2, 4))).beats.metre == (2, 4)


def test_a_file_of_drums_alone_is_refused():
    with pytest.raises(InputError, match="wanted"):
        of_score(Score(SCORE.tracks[1:], SCORE.tempo_map))


def test_other_notes_stand_on_the_same_beats():
    song, notes = of_score(SCORE), note_table([0], [1], [60], [80])
    other = song.with_notes(notes)
    assert other.beats is song.beats
    assert other.notes is notes and other.struck is notes


# --- edges ------------------------------------------------------------------------------------------------------------

def test_beats_follow_a_change_of_tempo():
    edges = beat_edges(TempoMap(tempos((0.0, 500_000), (8.0, 1_000_000))), 8.0)
    assert edges == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8])


def test_beats_before_the_first_bar_are_edges_too_and_none_is_near_an_end():
    assert beat_edges(TempoMap(start=1.05), 2.6) == pytest.approx([0, 0.55, 1.05, 1.55, 2.05, 2.6])


@pytest.mark.parametrize("end", [0.0, 0.01, 0.1, 0.19])
def test_a_short_song_is_one_span(end):
    assert beat_edges(TempoMap(start=0.08), end).tolist() == [0, max(end, SHORTEST_SPAN)]


def test_the_edges_are_those_of_the_beats():
    assert of_score(SCORE).beat_edges[:4] == pytest.approx([0, 0.5, 1, 1.5])


@given(tempo_maps(st.sampled_from([0.5, 2 / 3])), st.floats(0, 60))
def test_spans_cover_the_song_and_are_no_shorter_than_a_little(tempo_map, end):
    edges = beat_edges(tempo_map, end)
    assert (edges[0], edges[-1]) == (0, max(end, SHORTEST_SPAN))
    assert (np.diff(edges) >= SHORTEST_SPAN - 1e-9).all()
    quarters = tempo_map.quarters(edges[1:-1])
    assert quarters == pytest.approx(np.rint(quarters), abs=1e-6)


def test_of_beats_too_fast_for_harmony_some_are_left_out():
    edges = beat_edges(TempoMap(tempos((0.0, 60_000))), 6.0)
    assert np.diff(edges).max() < 0.2
