import numpy as np
import pytest

from serenity.errors import InputError
from serenity.listen import piano_roll
from serenity.listen.piano_roll import CONTINUATION, PAPER, SEED, lay_out, save, shade
from serenity.music.note import NOTE, note_table

LOUD = 112


def draw(notes, split=1e6, **more):
    """Draw a song that, without a split, has no continuation."""
    return piano_roll.draw(notes, split, **more)


def colour_of(image, layout, seconds, pitch, row=0):
    """Return the pixel in the middle of a pitch at a time."""
    return image.getpixel((round(layout.x(row, seconds)), layout.y(row, pitch) + layout.semitone // 2))


def is_near(colour, wanted):
    """Tell whether two colours are the same but for what reducing the picture does near edges."""
    return np.allclose(colour, wanted, atol=8)


def test_a_note_stands_where_it_sounds_and_nowhere_else():
    notes = note_table([1.0, 3.0], [1.0, 0.5], [60, 67], [LOUD, LOUD])
    image, layout = draw(notes), lay_out(notes)
    assert is_near(colour_of(image, layout, 1.5, 60), SEED)
    assert is_near(colour_of(image, layout, 3.25, 67), SEED)
    for seconds, pitch in [(0.5, 60), (2.25, 60), (1.5, 62), (3.25, 60), (1.5, 67)]:
        assert min(colour_of(image, layout, seconds, pitch)) > 240


def test_seed_and_continuation_differ_in_colour():
    notes = note_table([0, 2], [1, 1], [60, 60], [LOUD, LOUD])
    image, layout = draw(notes, split=2.0), lay_out(notes)
    assert is_near(colour_of(image, layout, 0.5, 60), SEED)
    assert is_near(colour_of(image, layout, 2.5, 60), CONTINUATION)


def test_a_louder_note_is_darker():
    notes = note_table([0, 1, 2], [0.9] * 3, [60] * 3, [20, 60, 127])
    image, layout = draw(notes), lay_out(notes)
    soft, middle, loud = (sum(colour_of(image, layout, seconds, 60)) for seconds in (0.5, 1.5, 2.5))
    assert soft > middle > loud


def test_the_softest_note_can_still_be_told_from_paper():
    assert sum(PAPER) - sum(shade(SEED, 1)) > 100
    assert shade(SEED, 127) == SEED


def test_a_repeated_note_is_seen_as_two():
    notes = note_table([0, 1], [1, 1], [60, 60], [LOUD, LOUD])
    image, layout = draw(notes), lay_out(notes)
    y, x = layout.y(0, 60) + layout.semitone // 2, round(layout.x(0, 1.0))
    assert max(sum(image.getpixel((near, y))) for near in range(x - 2, x + 2)) > sum(SEED) + 60


def test_a_long_song_goes_on_in_the_next_row():
    notes = note_table([0, 25, 100], [1, 2, 1], [60, 64, 60], [LOUD] * 3)
    image, layout = draw(notes), lay_out(notes)
    assert (layout.rows, image.size) == (4, (piano_roll.WIDTH, layout.height))
    assert is_near(colour_of(image, layout, 25.5, 64, row=0), SEED)
    assert is_near(colour_of(image, layout, 26.5, 64, row=1), SEED)  # the same note, on the next row
    assert is_near(colour_of(image, layout, 100.5, 60, row=3), SEED)
    assert layout.row_top(3) + layout.row_height < layout.height


@pytest.mark.parametrize("seconds", [30, 31, 61, 89, 119, 200])
def test_the_last_row_is_nearly_as_full_as_the_others(seconds):
    layout = lay_out(note_table([0], [seconds], [60], [LOUD]))
    assert layout.row_seconds <= 30
    assert 0 <= layout.rows * layout.row_seconds - seconds < layout.rows


@pytest.mark.parametrize("hours", [1, 3, 24])
def test_a_very_long_song_has_longer_rows_and_a_picture_that_can_be_held(hours):
    end = hours * 3600
    notes = note_table([0, end - 600], [1, 600], [21, 108], [LOUD] * 2)
    layout = lay_out(notes)
    assert layout.rows <= 40 and layout.rows * layout.row_seconds >= end
    assert layout.height < 20_000
    assert layout.rows_of(end - 600, end)[-1] == layout.rows - 1


def test_bar_lines_stand_where_they_are_given():
    notes = note_table([0], [4], [60], [LOUD])
    plain, barred, layout = draw(notes), draw(notes, bars=[2.0]), lay_out(notes)
    differing = np.flatnonzero((np.asarray(plain) != np.asarray(barred)).any(axis=(0, 2)))
    assert np.allclose(differing, layout.x(0, 2.0), atol=2) and len(differing)


def test_a_title_is_written():
    notes = note_table([0], [1], [60], [LOUD])
    image, layout = draw(notes, title="A song"), lay_out(notes)
    assert (np.asarray(image)[:layout.row_top(0) - 4] < 128).any()


@pytest.mark.parametrize("pitch", [0, 127])
def test_the_ends_of_the_keyboard_can_be_drawn(pitch):
    notes = note_table([0], [1], [pitch], [LOUD])
    assert is_near(colour_of(draw(notes), lay_out(notes), 0.5, pitch), SEED)


def test_a_table_without_notes_is_the_inputs_fault():
    with pytest.raises(InputError, match="no note to draw; wanted one or more"):
        draw(np.empty(0, NOTE))


def test_drawing_leaves_the_table_as_it_was():
    notes = note_table([0, 1], [1, 1], [60, 62], [64, 64])
    before = notes.copy()
    draw(notes, split=1.0, bars=[0.0], title="A song")
    assert np.array_equal(notes, before)


def test_the_same_song_gives_the_same_file(tmp_path):
    notes = note_table([0], [1], [60], [64])
    for name in ("a.png", "b.png"):
        save(tmp_path / name, notes, split=0.5)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
