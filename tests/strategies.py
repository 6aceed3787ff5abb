"""What hypothesis draws in several tests."""

from hypothesis import strategies as st

from serenity.music.event import fold_notes
from serenity.music.note import note_table

chords = st.sets(st.integers(0, 127), min_size=1, max_size=8)
time_steps = st.sampled_from([0.02, 0.001, 0.0125, 1 / 48])  # seconds
split_ratios = st.sampled_from([1.0, 1.5, 2.0, None])

_milliseconds = st.integers(0, 2000).map(lambda number: number / 1000)
_note = st.tuples(_milliseconds, _milliseconds.map(lambda time: time + 0.001), st.integers(0, 127), st.integers(1, 127))

# Songs of 2 seconds at most: dense, so that strikes, doublings and overlaps are met often.
note_tables = st.lists(_note, min_size=1, max_size=30).map(lambda rows: note_table(*zip(*rows)))
event_tables = st.builds(fold_notes, note_tables, st.just(0.02), split_ratios)
