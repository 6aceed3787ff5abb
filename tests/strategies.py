"""What hypothesis draws in several tests."""

import numpy as np
from hypothesis import strategies as st

from serenity.music.codec import notes_to_events
from serenity.music.grid import GRID_NOTE
from serenity.music.note import note_table, sort_notes
from serenity.music.tempo_map import TempoMap, metres, tempos

chords = st.sets(st.integers(0, 127), min_size=1, max_size=8)
grids = st.sampled_from([4, 12, 24, 48])  # points a quarter
split_ratios = st.sampled_from([1.0, 1.5, 2.0, None])

_milliseconds = st.integers(0, 2000).map(lambda number: number / 1000)
_note = st.tuples(_milliseconds, _milliseconds.map(lambda time: time + 0.001), st.integers(0, 127), st.integers(1, 127))
_grid_note = st.tuples(st.integers(0, 100), st.integers(1, 100), st.integers(0, 127), st.integers(1, 127))

# Songs of 2 seconds, or of 100 grid points, at most: dense, so that strikes, doublings and overlaps are met often.
note_tables = st.lists(_note, min_size=1, max_size=30).map(lambda rows: note_table(*zip(*rows)))
grid_tables = st.lists(_grid_note, min_size=1, max_size=30).map(lambda rows: sort_notes(np.array(rows, GRID_NOTE)))
event_tables = st.builds(notes_to_events, grid_tables, split_ratios)


@st.composite
def tempo_maps(draw, swings=st.just(0.5), starts=st.floats(-20, 20), fastest=100_000) -> TempoMap:
    """Draw maps of many tempos and metres."""
    ticks = st.integers(1, 9600).map(lambda tick: tick / 480)  # quarters
    tempo = st.floats(fastest, 3_000_000)  # microseconds a quarter
    changes = draw(st.lists(st.tuples(ticks, tempo), max_size=6))
    signatures = draw(st.lists(st.tuples(ticks, st.integers(1, 13), st.sampled_from([1, 2, 4, 8, 16, 64])), max_size=4))
    first = draw(st.sampled_from([[], [(0.0, 3, 4)], [(0.0, 6, 8)]]))
    tempo_rows = zip(np.cumsum([0.0, *(gap for gap, _ in changes)]), [draw(tempo), *(length for _, length in changes)])
    metre_rows = zip(np.cumsum([gap for gap, *_ in signatures]), *zip(*(row[1:] for row in signatures)))
    return TempoMap(tempos(*tempo_rows), metres(*first, *(metre_rows if signatures else ())),
                    start=draw(starts), swing=draw(swings))
