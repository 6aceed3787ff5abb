import numpy as np
import pytest

from serenity.errors import InputError
from serenity.music.bars import line_after, line_before
from serenity.music.midi_file import TEMPO, TIME_SIGNATURE, Score

# 3/4 at 120 a minute: a bar lasts 1.5 s; from 6 s on 4/4 at 60: 4 s.
SCORE = Score((), np.array([(0, 500_000), (6, 1_000_000)], TEMPO),
              np.array([(0, 3, 4), (6, 4, 4)], TIME_SIGNATURE), 480)


@pytest.mark.parametrize("seconds, before, after", [
    (0, 0, 1.5), (1.4, 0, 1.5), (1.5, 1.5, 3), (4.6, 4.5, 6), (6, 6, 10), (9.9, 6, 10), (11, 10, 14),
])
def test_the_lines_around_a_time(seconds, before, after):
    assert line_before(SCORE, seconds) == pytest.approx(before)
    assert line_after(SCORE, seconds) == pytest.approx(after)


def test_bars_further_on_follow_every_change():
    assert line_after(SCORE, 2.0, bars=4) == pytest.approx(14)


def test_more_bars_than_a_day_holds_are_no_length():
    with pytest.raises(InputError, match="100000 bars more are not over within 24 hours"):
        line_after(SCORE, 0, bars=100_000)
    hectic = Score((), np.array([(0, 1)], TEMPO), np.empty(0, TIME_SIGNATURE), 480)  # a bar lasts 4 microseconds
    with pytest.raises(InputError):
        line_after(hectic, 10.0, bars=1)
