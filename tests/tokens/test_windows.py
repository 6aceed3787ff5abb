import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.settings import SHORTEST_PROMPT, WindowSettings
from serenity.tokens.vocabulary import COLUMNS, END, PAD, SPECIALS, START
from serenity.tokens.windows import batches, cut, draw_places, expected_windows, fit_prompt, stream, tile_places

SETTINGS = WindowSettings(prompt=16, continuation=8)
lengths_of_songs = st.lists(st.integers(1, 60), min_size=1, max_size=5)
sizes = st.builds(WindowSettings, st.integers(SHORTEST_PROMPT, 40), st.integers(1, 30))


def song(events):
    """Return a song whose i-th event, from 1, is the token 100 + i, plus 1000 a column."""
    return (np.arange(1, events + 1)[:, None] + 100 + 1000 * np.arange(4)).astype(np.uint16)


def column(table):
    """Return the first column, events as i: START and END as letters, PAD as a point."""
    return [{PAD: ".", START: "S", END: "E"}.get(token, token - 100) for token in table[..., 0].tolist()]


def window(events, place, prompt_length, settings=SETTINGS):
    batch = cut([song(events)], np.array([(0, place, prompt_length)]), settings)
    return column(batch.prompt[0]), column(batch.past[0]), column(batch.target[0])


# --- the stream ---

def test_a_stream_is_start_events_end():
    assert column(stream(song(3), 0, 5)) == ["S", 1, 2, 3, "E"]


@pytest.mark.parametrize(("start", "stop", "positions"), [
    (0, 1, ["S"]), (0, 3, ["S", 1, 2]), (1, 4, [1, 2, 3]), (2, 5, [2, 3, "E"]), (4, 9, ["E"]), (-7, 2, ["S", 1]),
    (-7, 99, ["S", 1, 2, 3, "E"]), (2, 2, [])])
def test_a_part_of_a_stream_leaves_out_what_lies_outside(start, stop, positions):
    assert column(stream(song(3), start, stop)) == positions


def test_a_song_without_events_is_start_and_end():
    assert column(stream(song(0), 0, 2)) == ["S", "E"]


def test_the_special_places_fill_every_column():
    whole = stream(song(1), 0, 3)
    assert whole.tolist() == [[START] * 4, [101, 1101, 2101, 3101], [END] * 4]
    assert whole.dtype == np.int32


def test_where_a_song_begins_and_ends_stands_in_no_bar():
    rows = np.arange(1, 15, dtype=np.uint16).reshape(2, len(COLUMNS))
    assert stream(rows, 0, 4)[[0, 3]].tolist() == [[START] * 4 + [0, 0, 0], [END] * 4 + [0, 0, 0]]
    assert stream(rows, 1, 3).tolist() == rows.tolist()


# --- one window ---

def test_a_prompt_stands_at_the_right_and_keeps_its_end():
    assert column(fit_prompt(song(3), 5)) == [".", ".", 1, 2, 3]
    assert column(fit_prompt(song(3), 2)) == [2, 3]


def test_a_window_in_the_middle():
    assert window(40, 20, 16) == (list(range(4, 20)), list(range(19, 27)), list(range(20, 28)))


def test_a_short_prompt_is_padded_at_the_left():
    prompt, past, _ = window(40, 20, 3, WindowSettings(16, 8))
    assert prompt == ["."] * 13 + [17, 18, 19]
    assert past[0] == 19


def test_a_window_at_the_beginning_has_start_as_its_prompt():
    assert window(40, 1, 16) == (["."] * 15 + ["S"], ["S", *range(1, 8)], list(range(1, 9)))


def test_a_window_near_the_beginning_has_start_in_its_prompt():
    assert window(40, 4, 16)[0] == ["."] * 12 + ["S", 1, 2, 3]


def test_a_window_at_the_end_has_end_and_padding_at_the_right():
    _, past, target = window(40, 38, 16)
    assert target == [38, 39, 40, "E", ".", ".", ".", "."]
    assert past == [37, 38, 39, 40, ".", ".", ".", "."]


def test_a_song_of_one_event():
    assert window(1, 1, 16) == (["."] * 15 + ["S"], ["S", 1] + ["."] * 6, [1, "E"] + ["."] * 6)


def test_a_song_shorter_than_the_window():
    assert window(3, 1, 16)[2] == [1, 2, 3, "E", ".", ".", ".", "."]


@given(lengths_of_songs, sizes, st.integers(0, 99))
def test_the_past_is_the_target_shifted_behind_the_prompt(lengths, settings, seed):
    songs = [song(events) for events in lengths]
    for places in (draw_places(lengths, settings, np.random.default_rng(seed)), tile_places(lengths, settings)):
        batch = cut(songs, places, settings)
        assert batch.prompt.shape == (len(places), settings.prompt, 4)
        assert batch.past.shape == batch.target.shape == (len(places), settings.continuation, 4)
        assert np.array_equal(batch.past[:, 0], batch.prompt[:, -1])
        real = batch.target[:, 1:] != PAD
        assert np.array_equal(batch.past[:, 1:][real], batch.target[:, :-1][real])
        assert (batch.past[:, 1:][~real] == PAD).all()
        for row in batch.target[..., 0]:
            assert (row[:np.count_nonzero(row)] != PAD).all()  # padding is at the right alone
        for row in batch.prompt[..., 0]:
            assert row[-1] != PAD and (np.diff((row != PAD).astype(int)) >= 0).all()


# --- windows as one row, for networks without encoder ---

def row(events, place, settings=SETTINGS):
    batch = cut([song(events)], np.array([(0, place, settings.prompt)]), settings, encoder=False)
    assert batch.prompt.shape == (1, 0, 4)
    counted = [event for event, counts in zip(column(batch.target[0]), batch.counted[0]) if counts]
    return column(batch.past[0]), column(batch.target[0]), counted


def test_a_row_is_prompt_and_continuation_of_which_the_latter_counts():
    assert row(40, 20) == (list(range(4, 27)), list(range(5, 28)), list(range(20, 28)))


def test_a_row_at_the_beginning_is_filled_up_at_the_right_so_that_no_key_is_ever_absent():
    past, target, counted = row(40, 4)
    assert past == ["S", *range(1, 11)] + ["."] * 12 and target == [*range(1, 12)] + ["."] * 12
    assert counted == list(range(4, 12))


def test_a_row_at_the_end_has_end():
    assert row(20, 17) == ([*range(1, 21)] + ["."] * 3, [*range(2, 21), "E"] + ["."] * 3, [17, 18, 19, 20, "E"])


@given(lengths_of_songs, sizes)
def test_rows_count_every_event_and_every_end_exactly_once(lengths, settings):
    places = tile_places(lengths, settings)
    batch = cut([song(events) for events in lengths], places, settings, encoder=False)
    for number, events in enumerate(lengths):
        mine = places[:, 0] == number
        shown = batch.target[mine][batch.counted[mine]][:, 0]
        assert sorted(shown.tolist()) == [END, *range(101, 101 + events)]


@given(lengths_of_songs, sizes, st.integers(0, 99))
def test_drawn_rows_lie_inside_their_songs(lengths, settings, seed):
    places = draw_places(lengths, settings, np.random.default_rng(seed), encoder=False)
    batch = cut([song(events) for events in lengths], places, settings, encoder=False)
    assert set(places[:, 0]) == set(range(len(lengths)))
    assert (batch.past[:, 0] != PAD).all() and (batch.target[:, 0] != PAD).all()
    real = batch.target[:, 1:] != PAD
    assert np.array_equal(batch.past[:, 1:][real], batch.target[:, :-1][real])


def test_cutting_leaves_the_songs_as_they_were():
    songs = [song(30)]
    cut(songs, tile_places([30], SETTINGS), SETTINGS)
    assert np.array_equal(songs[0], song(30))


# --- places ---

@given(lengths_of_songs, sizes)
def test_tiles_show_every_event_and_every_end_exactly_once(lengths, settings):
    places = tile_places(lengths, settings)
    targets = cut([song(events) for events in lengths], places, settings).target
    for number, events in enumerate(lengths):
        shown = targets[places[:, 0] == number, :, 0]
        assert sorted(shown[shown != PAD].tolist()) == [END, *range(101, 101 + events)]
    assert (places[:, 2] == settings.prompt).all()


@given(lengths_of_songs, sizes, st.integers(0, 99))
def test_drawn_windows_lie_inside_their_songs(lengths, settings, seed):
    places = draw_places(lengths, settings, np.random.default_rng(seed))
    assert set(places[:, 0]) == set(range(len(lengths)))
    assert (places[:, 1] >= 1).all() and (places[:, 1] <= np.array(lengths)[places[:, 0]] + 1).all()
    assert (places[:, 2] >= SHORTEST_PROMPT).all() and (places[:, 2] <= settings.prompt).all()


@given(lengths_of_songs, st.integers(0, 99))
def test_drawn_windows_show_every_event_once_the_epochs_add_up(lengths, seed):
    rng, shown = np.random.default_rng(seed), [set() for _ in lengths]
    for _ in range(30):
        for number, place, _ in draw_places(lengths, SETTINGS, rng).tolist():
            shown[number] |= set(range(place, place + SETTINGS.continuation))
    assert all(set(range(1, events + 2)) <= seen for events, seen in zip(lengths, shown))  # the last one is END


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("events", [1000, 1300, 300])
def test_an_epoch_shows_every_event_about_once(events, encoder):
    settings, songs = WindowSettings(128, 256), 400
    places = draw_places([events] * songs, settings, np.random.default_rng(0), encoder)
    tokens = np.tile(np.arange(events, dtype=np.uint16)[:, None] + SPECIALS, 4)
    batch = cut([tokens] * songs, places, settings, encoder)
    tokens, counts = np.unique(batch.target[..., 0], return_counts=True)
    filled = counts[tokens == PAD].sum() / counts.sum()
    shown = counts[tokens >= SPECIALS] / songs
    assert len(shown) == events and shown.min() > 0.4 and shown.max() < 1.8  # its ends half as often
    assert filled < 0.2 if events > 383 else True


def test_songs_begin_many_windows():
    """Seeds are beginnings. By chance alone one window in a thousand would begin a song of ordinary length."""
    for encoder in (True, False):
        places = draw_places([1200] * 200, WindowSettings(128, 256), np.random.default_rng(0), encoder)
        begin = places[:, 1].min()
        assert begin == (1 if encoder else 128) and (places[:, 1] == begin).mean() > 0.08


def test_a_song_shorter_than_the_window_is_shown_whole_once():
    assert draw_places([3], WindowSettings(16, 100), np.random.default_rng(0))[:, :2].tolist() == [[0, 1]]


def test_of_songs_with_a_share_so_much_is_shown_and_other_parts_each_time():
    rng, lengths, shares = np.random.default_rng(0), [1200] * 400, [1.0] * 200 + [0.05] * 200
    settings = WindowSettings(128, 256)
    drawn = [draw_places(lengths, settings, rng, False, shares)[:, 0] for _ in range(20)]
    whole, parts = (sum((songs < 200).sum() if real else (songs >= 200).sum() for songs in drawn) for real in (1, 0))
    assert parts / whole == pytest.approx(0.05, rel=0.1)
    assert len(set(np.concatenate(drawn).tolist())) > 380  # of 400
    assert expected_windows(lengths, settings, False, shares).sum() == pytest.approx((whole + parts) / 20, rel=0.01)
    assert len(draw_places(lengths, settings, rng, False, [0.0] * 400)) == 0


def test_the_same_seed_draws_the_same_windows_and_each_epoch_new_ones():
    rng, again = np.random.default_rng(7), np.random.default_rng(7)
    first, second = draw_places([500] * 9, SETTINGS, rng), draw_places([500] * 9, SETTINGS, rng)
    assert np.array_equal(first, draw_places([500] * 9, SETTINGS, again))
    assert np.array_equal(second, draw_places([500] * 9, SETTINGS, again))
    assert not np.array_equal(first[:100], second[:100])


def test_no_songs_have_no_places():
    assert draw_places([], SETTINGS, np.random.default_rng(0)).shape == tile_places([], SETTINGS).shape == (0, 3)


def test_batches_hold_all_windows_in_order():
    songs, places = [song(60), song(5)], tile_places([60, 5], SETTINGS)
    parts = list(batches(songs, places, SETTINGS, 4))
    assert [len(part.target) for part in parts] == [4, 4, 1]
    whole = cut(songs, places, SETTINGS)
    assert np.array_equal(np.concatenate([part.target for part in parts]), whole.target)
    assert np.array_equal(np.concatenate([part.prompt for part in parts]), whole.prompt)


def test_values_are_no_special_tokens():
    assert {PAD, START, END} == set(range(SPECIALS))


@pytest.mark.parametrize(("prompt", "continuation"), [(SHORTEST_PROMPT - 1, 8), (16, 0), (-1, -1)])
def test_windows_too_small_are_refused(prompt, continuation):
    with pytest.raises(InputError, match=f"window of {prompt} . {continuation} events; wanted"):
        WindowSettings(prompt, continuation)
