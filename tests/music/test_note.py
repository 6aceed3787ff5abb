import numpy as np

from serenity.music.note import NOTE, end_time, merge_tables, note_table, sort_notes


def test_note_table_is_sorted_by_onset_then_pitch():
    notes = note_table([1, 0, 0], [1, 1, 1], [60, 67, 64], [80, 81, 82])
    assert notes.tolist() == [(0, 1, 64, 82), (0, 1, 67, 81), (1, 1, 60, 80)]


def test_equal_notes_stay_in_the_order_given():
    notes = note_table([0, 0, 0], [1, 1, 1], [60, 60, 60], [3, 1, 2])
    assert notes["velocity"].tolist() == [3, 1, 2]


def test_sorting_twice_equals_sorting_once():
    notes = note_table([2, 1, 1], [1, 1, 1], [60, 67, 64], [80, 81, 82])
    assert np.array_equal(sort_notes(notes), notes)


def test_sorting_leaves_the_given_table_as_it_was():
    notes = note_table([0, 1], [1, 1], [60, 62], [80, 80])[::-1]
    sort_notes(notes)
    assert notes["onset"].tolist() == [1, 0]


def test_end_time_is_that_of_the_note_that_sounds_longest():
    assert end_time(note_table([0, 1], [5, 1], [60, 62], [80, 80])) == 5


def test_an_empty_table_ends_at_zero():
    assert end_time(np.empty(0, NOTE)) == 0


def test_merged_tables_are_one_sorted_table():
    merged = merge_tables([note_table([1], [1], [60], [80]), note_table([0], [1], [72], [90])])
    assert merged["pitch"].tolist() == [72, 60]


def test_no_tables_merge_into_an_empty_one():
    merged = merge_tables([])
    assert merged.dtype == NOTE and len(merged) == 0
