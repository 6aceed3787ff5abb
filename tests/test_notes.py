"""Notes of songs, counted by their tokens."""

import numpy as np

from benchmarks.notes import note_counts
from serenity.tokens.vocabulary import count_values
from tests.songs import abc_songs


def test_as_many_notes_are_counted_as_the_events_strike():
    songs = [song.events for _, song in abc_songs(2, bars=4)]
    vocabulary = count_values(songs)
    struck = [int(np.bitwise_count(events["pitch"]).sum()) for events in songs]
    assert note_counts(vocabulary, [vocabulary.encode(events)[0] for events in songs]).tolist() == struck


def test_a_song_without_events_has_none():
    vocabulary = count_values([song.events for _, song in abc_songs(1, bars=2)])
    assert note_counts(vocabulary, [np.empty((0, 4), np.uint16)]).tolist() == [0]
