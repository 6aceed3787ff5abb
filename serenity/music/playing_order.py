"""The order in which the bars of a score are played: repeats, endings, da capo, dal segno, coda and fine.

Real scores leave signs out: a repeat that never began goes back to where the last one ended, a first ending without its
sign repeats all the same. (music21's own Expander refuses a third of the lead sheets of OpenEWLD that have repeats.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_ROUNDS = 16  # times as many bars played as there are written


@dataclass(frozen=True)
class Bar:
    """What a bar says of the order."""

    begins_repeat: bool = False
    rounds: int = 0  # 2 or more where a repeat ends behind it: how often it is played
    endings: frozenset[int] = frozenset()  # the rounds in which it is played; empty: in all
    is_segno: bool = False
    is_coda: bool = False
    is_fine: bool = False   # the song ends behind it, once it has gone back
    to_coda: bool = False   # behind it, once the song has gone back
    back_to: str | None = None  # "start" or "segno": where the song goes on behind it, once


def playing_order(bars: Sequence[Bar]) -> list[int]:
    """Return the indices of bars in the order in which they are played."""
    order, at, start, round_, has_gone_back = [], 0, 0, 1, False
    while at < len(bars) and len(order) < MOST_ROUNDS * len(bars):
        bar = bars[at]
        if bar.begins_repeat and at != start or at and bars[at - 1].endings and not bar.endings and at > start:
            start, round_ = at, 1
        if bar.endings and (_last_round(bars, at) if has_gone_back else round_) not in bar.endings:
            at += 1
            continue
        order.append(at)
        if not has_gone_back and round_ < _rounds(bars, at):
            at, round_ = start, round_ + 1
        elif bar.back_to and not has_gone_back:
            at, has_gone_back = _first(bars, "is_segno", 0) if bar.back_to == "segno" else 0, True
        elif has_gone_back and bar.is_fine:
            break
        elif has_gone_back and bar.to_coda:
            at = _first(bars, "is_coda", at + 1)
        else:
            if bar.rounds:
                start, round_ = at + 1, 1
            at += 1
    return order


def _rounds(bars: Sequence[Bar], at: int) -> int:
    """Return how often the section that ends behind a bar is played; 0: none ends there."""
    bar, after = bars[at], bars[at + 1].endings if at + 1 < len(bars) else frozenset()
    if not bar.endings:
        return bar.rounds
    is_end = bar.rounds or after and after != bar.endings
    return _last_round(bars, at) if is_end else 0


def _last_round(bars: Sequence[Bar], at: int) -> int:
    """Return the last round of the endings that a bar stands among: 2 or more."""
    first = last = at
    while first and bars[first - 1].endings:
        first -= 1
    while last + 1 < len(bars) and bars[last + 1].endings:
        last += 1
    return max(2, *(max(bar.endings) for bar in bars[first:last + 1]))


def _first(bars: Sequence[Bar], sign: str, default: int) -> int:
    """Return the index of the first bar with a sign, behind `default` where there is one."""
    return next((index for index in range(default, len(bars)) if getattr(bars[index], sign)), default)
