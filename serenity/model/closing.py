"""The end of a continuation: its last bar is one strike of the tonic's chord, held to the bar line.

The networks are told how many bars are left. That alone is too weak (docs/completing.md), so they get help. The bar
before the last one is made in several ways. For those that come nearest to a close, the last strike is drawn from the
chords of the tonic. The end that closes best is taken; of equally good ones, the one that the networks expect most. If
none has the tonic in the bass, one chord that has it is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from serenity.model.generation import Continuation, Refuse, Rules
from serenity.music.ending import IN_BASS, close, held, muddy, tonic_chords
from serenity.music.pitch import OCTAVE, chord_matrix
from serenity.tokens import seed as seeds
from serenity.tokens.vocabulary import ATTRIBUTES, SPECIALS, Vocabulary

WAYS = 8       # in which the bar before the last is made
TRIED = 3      # of these ways: for them a last strike is drawn
HEARD = 64     # events before the strike that the networks read for it
EVENTS = 400   # of each way, at most; a bar has fewer
STRIKE = 4     # events of the last strike, at most
FIRST = 10**6  # number of the first way among the variations: far above all that a user asks for
PITCH, STEP = ATTRIBUTES.index("pitch"), ATTRIBUTES.index("step")

# prompt, events, variations, rules, variations that are left out before the first -> continuations
Draw = Callable[[np.ndarray, int, int, Rules, int], list[Continuation]]


@dataclass(frozen=True, eq=False)
class Closed:
    """A continuation that ends with a close."""

    continuation: Continuation  # all of it
    strike: int                 # events of the last strike
    behind: seeds.Seed          # the seed with all events before that strike, which begins at its bar line
    end: float                  # seconds, of the bar line at which it is over

    def notes(self, seed: seeds.Seed, vocabulary: Vocabulary, rng: np.random.Generator) -> np.ndarray:
        """Return its notes, see seeds.continue_notes."""
        tokens, line = self.continuation.tokens, self.behind.start + self.behind.seconds_after(self.behind.wait)
        body, strike = (seeds.continue_notes(of, part, vocabulary, rng) for of, part in
                        ((seed, tokens[:-self.strike]), (self.behind, tokens[-self.strike:])))
        return held(body, strike, line, self.end)


def closed(made: Continuation, number: int, seed: seeds.Seed, end: float, vocabulary: Vocabulary, rules: Rules,
           draw: Draw) -> Closed | None:
    """Return variation `number` with another end, which closes at `end` seconds; None if the `rules` allow no chord of
    the tonic.
    """
    tonic, root = _tonic_chords(seed, vocabulary, rules)
    if not tonic.any():
        return None
    until, line, before = _lines(seed, end)
    first = FIRST + number * WAYS
    kept = _up_to(made, seed, before, vocabulary)
    start = seeds.behind(seed, kept.tokens, None, vocabulary)
    ways = draw(start.prompt, EVENTS, WAYS, replace(
        rules, until=until - start.join, first_step=seeds.first_step(start, vocabulary),
        refuse=_after(rules.refuse, kept.tokens, number)), first)
    bodies = [_joined(kept, _up_to(way, start, line, vocabulary))
              for way in _nearest(ways, start, line, vocabulary, seed)]

    def ended(place: int, events: int, allowed: np.ndarray) -> Closed:
        body = bodies[place]
        behind = seeds.behind(seed, body.tokens, line, vocabulary)
        strike, = draw(behind.prompt[-HEARD:], events, 1, replace(
            rules, until=until - behind.join, first_step=seeds.first_step(behind, vocabulary), may_end=True,
            allowed={"pitch": allowed, "step": _at_once(vocabulary)},
            refuse=_after(rules.refuse, body.tokens, (number, place))), first + place)
        return Closed(_joined(body, strike), len(strike.tokens), behind, end)

    def merit(one: Closed) -> tuple[float, float]:
        strike = slice(-one.strike, None)
        return (_close(one.continuation.tokens[strike], vocabulary, seed),
                -float(one.continuation.bits[strike].sum()))

    best = max((ended(place, STRIKE, tonic) for place in range(TRIED)), key=merit)
    is_open = merit(best)[0] < IN_BASS and root.any()
    return ended(0, 1, root) if is_open else best


def _tonic_chords(seed: seeds.Seed, vocabulary: Vocabulary, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Return which pitch tokens are clear chords of the tonic, and which of these have the tonic in the bass."""
    chords, encoded = vocabulary.pitch.values, seed.encoded
    tonic = tonic_chords(chords, encoded.key, encoded.transposition) & ~muddy(chords, encoded.transposition)
    lowest = chord_matrix(chords).argmax(axis=1)
    root = tonic & (lowest % OCTAVE == (encoded.key.tonic + encoded.transposition) % OCTAVE)
    return tuple(np.append(np.zeros(SPECIALS, bool), mask) & rules.allowed["pitch"] for mask in (tonic, root))


def _nearest(ways: list[Continuation], start: seeds.Seed, line: int, vocabulary: Vocabulary, seed: seeds.Seed
             ) -> list[Continuation]:
    """Return the TRIED ways that come nearest to a close by themselves: by their strike at the last bar line."""
    def own_close(way: Continuation) -> float:
        onset = start.join + np.cumsum(vocabulary.step.decode(way.tokens[:, STEP]))
        return _close(way.tokens[onset == line], vocabulary, seed)

    return sorted(ways, key=own_close, reverse=True)[:TRIED]


def _lines(seed: seeds.Seed, end: float) -> tuple[int, int, int]:
    """Return three grid points: the end, the beginning of the last bar, and that of the bar before it."""
    tempo_map, grid = seed.tempo_map, seed.codec.grid
    last = int(tempo_map.bars(tempo_map.quarters(end) - 1 / grid)[0])
    return tuple(np.rint(tempo_map.bar_line(np.array([last + 1, last, last - 1])) * grid).astype(int).tolist())


def _up_to(made: Continuation, seed: seeds.Seed, point: int, vocabulary: Vocabulary) -> Continuation:
    """Return the part of a continuation that begins before a grid point."""
    return made.first(seeds.begun(seed, made.tokens, point, vocabulary))


def _joined(first: Continuation, then: Continuation) -> Continuation:
    return Continuation(np.concatenate([first.tokens, then.tokens]), np.concatenate([first.bits, then.bits]),
                        first.forced + then.forced)


def _after(refuse: Refuse | None, before: np.ndarray, name: object) -> Refuse | None:
    """Return the function that refuses pitches of a continuation which comes after `before` (events, columns)."""
    return refuse and (lambda variation, so_far, pitch:
                       refuse((name, variation), np.concatenate([before, so_far]), pitch))


def _at_once(vocabulary: Vocabulary) -> np.ndarray:
    """Return the mask of the shortest step that the model knows: usually no time at all."""
    return np.append(np.zeros(SPECIALS, bool), vocabulary.step.values == vocabulary.step.values.min())


def _close(strike: np.ndarray, vocabulary: Vocabulary, seed: seeds.Seed) -> float:
    """Return how well a strike (events, columns) closes."""
    chords = vocabulary.pitch.decode(strike[:, PITCH])
    pitches = np.flatnonzero(chord_matrix(chords).any(axis=0))
    return close(pitches, seed.encoded.key.tonic + seed.encoded.transposition)
