"""Beats: does a file's tempo map mean anything? If not, where are the beats? And which beats begin the bars?

Three questions, each a pure function on a note table (best as struck, without the pedal):

* `agreement`: do the notes lie on the grid of a tempo map? A circular mean tells (Mardia & Jupp, "Directional
  Statistics", 2000, section 2.2): it is 1 where all onsets have one phase, and near 0 where the map means nothing.
* `track`: beats of a performance. Notes that are struck at one time are a strike. A strike with many, long or low notes
  stands on a beat more often (the weights were fitted by logistic regression). A path of beats is scored by where its
  strikes fall within each beat, and by how little its tempo changes; dynamic programming finds the best of all paths.
  That is the bar pointer model with changes of tempo at beats alone (Krebs, Boeck & Widmer, "An efficient state-space
  model for joint tempo and meter tracking", ISMIR 2015, section 3), written as a semi-Markov model: its states are
  beats. Afterwards a local regression moves the beats to places between the frames. It looks at as many beats around as
  the tempo stays steady for (Lepski's rule: Lepski, Mammen & Spokoiny, Annals of Statistics 25(3), 1997).
* `metre`: how many beats make a bar, and where it begins. The notes at each half beat say how much it is like the start
  of a bar, its middle, another beat or an offbeat. Each metre at each place is scored by the sum of these.

Nothing here needs the file's own grid: `agreement` only gets the onsets, in quarters of a tempo map.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from serenity.music.note import end_time
from serenity.music.voices import strike_starts

# --- strikes ----------------------------------------------------------------------------------------------------------

SURROUNDINGS = 4.0    # seconds to each side with which a strike is compared
SHORTEST, LONGEST = 0.05, 4.0  # seconds; beyond these, lengths say no more
MOST_ACCENT = 2.5     # so that no single strike decides

# What makes a strike stand on a beat, against the mean of its surroundings: log odds, fitted by logistic regression on
# the even half of ASAP and on POP909 001-200.
ACCENT = -0.72
ACCENT_WEIGHTS = (
    1.47,   # logarithm of the number of notes
    -0.05,  # lowest pitch in octaves
    0.53,   # logarithm of the longest duration in seconds
    0.30,   # highest velocity, in steps of 20
    0.40,   # logarithm of the seconds to the next strike
    0.09,   # logarithm of the seconds since the last one
    -0.19,  # highest pitch in octaves
)


def accents(notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (time, accent) of each strike, both (strikes,): mean onset in seconds, log odds to stand on a beat."""
    first = strike_starts(notes)
    count = np.diff(np.append(first, len(notes))).astype(float)
    time = np.add.reduceat(notes["onset"], first) / count
    if len(time) == 1:  # nothing to compare it with
        return time, np.zeros(1)
    gaps = np.diff(time)
    columns = (
        np.log(count),
        np.minimum.reduceat(notes["pitch"], first) / 12,
        _log_length(np.maximum.reduceat(notes["duration"], first)),
        np.maximum.reduceat(notes["velocity"], first) / 20,
        _log_length(np.append(gaps, gaps[-1])),
        _log_length(np.append(gaps[0], gaps)),
        np.maximum.reduceat(notes["pitch"], first) / 12,
    )
    accent = sum(weight * _over_surroundings(time, column) for weight, column in zip(ACCENT_WEIGHTS, columns))
    return time, np.clip(ACCENT + accent, -MOST_ACCENT, MOST_ACCENT)


def _log_length(seconds: np.ndarray) -> np.ndarray:
    return np.log(np.clip(seconds, SHORTEST, LONGEST))


def _over_surroundings(time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the values less the mean of those up to SURROUNDINGS before and after."""
    start = np.searchsorted(time, time - SURROUNDINGS)
    stop = np.searchsorted(time, time + SURROUNDINGS, side="right")
    total = np.append(0, np.cumsum(values))
    return values - (total[stop] - total[start]) / (stop - start)


# --- where strikes fall within a beat ---------------------------------------------------------------------------------

# place in the beat -> share of strikes there; counted on the same songs, with a little more for triplets.
PLACES = {0: 0.42, 1 / 2: 0.28, 1 / 4: 0.10, 3 / 4: 0.10, 1 / 3: 0.03, 2 / 3: 0.03}
ANYWHERE = 0.04  # share of strikes at any other place


def _place_scores(phase: np.ndarray, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the log density of strikes at a phase (beats), and how much it is the beat itself (0-1); as `phase`.

    `spread` is the standard deviation in beats with which strikes miss their place.
    """
    density = ANYWHERE + sum(share * _bump(phase - place, spread) for place, share in PLACES.items()) / (
        spread * np.sqrt(2 * np.pi))
    return np.log(density), _bump(phase, 1.5 * spread)


def _bump(phase: np.ndarray, spread: float) -> np.ndarray:
    distance = (phase + 0.5) % 1 - 0.5
    return np.exp(-0.5 * (distance / spread) ** 2)


# --- does a tempo map mean anything? ----------------------------------------------------------------------------------

GRIDS = (2, 3, 4)  # lines a quarter: eighths, triplets (also swing), sixteenths
AGREES = 0.40      # share from which a map is believed; see benchmarks/beats.py for the errors on both sides
STRUCTURE = 4.0    # a grid counts for no more than so many times the structure of its beats
EXACT = 0.98       # share from which sixteenths need no structure: written music may be one even stream
GRID_SPREAD = 0.04  # quarters by which notes miss a map's grid: 20 ms at 120 a minute


@dataclass(frozen=True)
class Agreement:
    """`share`: 0 (notes lie anywhere on the map's grid) to 1 (all on it). `offset`: beat k is at quarter k + offset."""

    share: float
    offset: float  # quarters, 0 <= offset < 1

    @property
    def is_believed(self) -> bool:
        """Whether the notes agree with the map as far as AGREES asks."""
        return self.share >= AGREES


def agreement(notes: np.ndarray, quarters: np.ndarray) -> Agreement:
    """Tell how well notes lie on the grid of a tempo map: `quarters` (n,) are their onsets by it.

    The share is the largest, over grids of 2, 3 and 4 lines a quarter, of the length of the mean of
    exp(2 pi i lines quarters): one constant offset is allowed, a drifting one is not. Steady music at 3/4 of the map's
    tempo lies on a grid too, but its lines are then all alike. So the share is at most STRUCTURE times the same mean
    over accented strikes for grids of 1 and 2 lines. The offset is the line of the best grid that the accents make the
    beat. A table without notes raises ValueError.
    """
    if not len(notes):
        raise ValueError("wanted at least one note to compare with a tempo map, got none")
    means = {lines: np.exp(2j * np.pi * lines * quarters).mean() for lines in GRIDS}
    lines = max(means, key=lambda lines: abs(means[lines]))
    phase = np.angle(means[lines]) / (2 * np.pi * lines)
    candidates = (phase + np.arange(lines) / lines) % 1
    first = strike_starts(notes)
    _, accent = accents(notes)
    share = float(abs(means[lines]))
    if lines != 2 and not (lines == 4 and share >= EXACT):
        share = min(share, STRUCTURE * _structure(quarters[first], accent))

    def score(offset: float) -> float:
        density, on_beat = _place_scores(quarters[first] - offset, GRID_SPREAD)
        return float((density + (accent - ACCENT) * on_beat).sum())  # that beats are struck more often, PLACES says

    return Agreement(share, float(max(candidates, key=score)) % 1)


def _structure(quarters: np.ndarray, accent: np.ndarray) -> float:
    """Return how much accented strikes (strikes,) prefer some beats or half beats to what lies between: 0 to 1."""
    weight = 1 / (1 + np.exp(-accent))
    return max(float(abs(np.average(np.exp(2j * np.pi * lines * quarters), weights=weight))) for lines in (1, 2))


# --- the path of beats ------------------------------------------------------------------------------------------------

FRAME = 0.02  # seconds; the path's resolution, refined afterwards
PERIODS = np.arange(13, 73)  # frames a beat: 231 to 42 beats a minute
COMMON_PERIOD = 0.6  # seconds; the middle of the tempo prior, 100 beats a minute
PERIOD_SPREAD = 0.35  # standard deviation of the logarithm of the period about it
PRICE_OF_TEMPO = 25.0  # of a change of the period's logarithm by 1; in log odds, as all scores here
SPREAD = 0.03  # seconds by which strikes miss their place: half a frame, and the player
LONGEST_REST = 8.0  # seconds; what lies before and after a longer one is tracked apart
MOST_TRACKED = 3600.0  # seconds, long rests not counted; a quarter of an hour takes a thread some seconds
BLOCK = 8192  # frames scored at once: a song of hours takes no more memory than its back pointers


def track(notes: np.ndarray) -> np.ndarray:
    """Return the beats of a song in seconds: (beats,), ascending, two at least.

    The first is at or before the first onset, the last at or after the last end. Of a longer song only the last
    MOST_TRACKED seconds are tracked, since a continuation follows these; the beats before are even. A table without
    notes raises ValueError.
    """
    if not len(notes):
        raise ValueError("wanted at least one note to find beats, got none")
    time, accent = accents(notes)
    played = np.cumsum(np.minimum(np.diff(time, prepend=time[0]), LONGEST_REST))
    first = int(np.searchsorted(played, played[-1] - MOST_TRACKED))
    time, accent = time[first:], accent[first:]
    edges = np.append(np.flatnonzero(np.diff(time, prepend=-np.inf) > LONGEST_REST), len(time))
    parts = [_track_part(time[start:stop], accent[start:stop]) for start, stop in zip(edges[:-1], edges[1:])]
    return _covering(_join(parts), float(notes["onset"][0]), end_time(notes))


def _track_part(time: np.ndarray, accent: np.ndarray) -> np.ndarray:
    """Return beats (beats,) of strikes without long rests; the first at or before, the last at or behind them."""
    if len(time) < 2:
        return time[0] + COMMON_PERIOD * np.arange(2)
    beats = _best_path(time, accent)
    for _ in range(2):  # the second time with better places
        beats = _refine(beats, time)
    return beats


def _best_path(time: np.ndarray, accent: np.ndarray) -> np.ndarray:
    """Return the beats (beats,) in seconds, whole frames apart, that score best: the Viterbi algorithm."""
    longest = int(PERIODS[-1])
    start = time[0] - longest * FRAME
    last = int(np.ceil((time[-1] - start) / FRAME))
    frame = np.rint((time - start) / FRAME).astype(int)
    size = last + 2 * longest + 1
    impulses = np.bincount(frame, minlength=size), np.bincount(frame, accent, minlength=size)
    price = -PRICE_OF_TEMPO * abs(np.log(PERIODS[:, None] / PERIODS))  # (to, from)
    rows = np.arange(len(PERIODS))
    ring = np.full((longest + 1, len(PERIODS)), -np.inf)  # ring[t % size, period]: the best path that arrives at t
    came_from = np.zeros((last + longest, len(PERIODS)), np.int8)
    # This loop takes most of the time. So its arrays are made once, and flat places are looked up instead of found.
    flat_ring, reached, source = ring.reshape(-1), np.empty_like(price), np.empty_like(rows)
    flat_reached, row_starts = reached.reshape(-1), rows * len(PERIODS)
    arrivals = [(now + PERIODS) % len(ring) * len(PERIODS) + rows for now in range(len(ring))]
    best, at = -np.inf, (0, 0)
    for now in range(last + longest):
        if now % BLOCK == 0:
            scores = _beat_scores(impulses, now, min(now + BLOCK, last + longest))
        arrived = ring[now % len(ring)]
        if now <= longest:
            np.maximum(arrived, 0.0, out=arrived)  # a path may begin here
        if now >= last and arrived.max() > best:
            best, at = arrived.max(), (now, int(arrived.argmax()))
        np.add(arrived, price, out=reached)
        came_from[now] = reached.argmax(axis=1, out=source)
        leaving = flat_reached.take(row_starts + source) + scores[now % BLOCK]
        arrived[:] = -np.inf
        flat_ring[arrivals[now % len(ring)]] = leaving
    return start + FRAME * _follow_back(came_from, *at)


def _beat_scores(impulses: tuple[np.ndarray, np.ndarray], start: int, stop: int) -> np.ndarray:
    """Return what a beat from each frame in start..stop scores: (frames, periods)."""
    scores = np.empty((stop - start, len(PERIODS)))
    strikes, accents_there = impulses
    for column, (period, (density, on_beat)) in enumerate(zip(PERIODS, _beat_shapes())):
        seconds = period * FRAME
        seen = slice(start, stop + period - 1)
        prior = -0.5 * (np.log(seconds / COMMON_PERIOD) / PERIOD_SPREAD) ** 2 * seconds
        scores[:, column] = np.correlate(strikes[seen], density) + np.correlate(accents_there[seen], on_beat) + prior
    return scores


@cache
def _beat_shapes() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the place scores at each frame of a beat, for each of PERIODS: (frames,) twice."""
    return [_place_scores(np.arange(period) / period, SPREAD / (period * FRAME)) for period in PERIODS]


def _follow_back(came_from: np.ndarray, now: int, period: int) -> np.ndarray:
    """Return the frames (beats,) of the path that arrives at `now` by a beat of PERIODS[period]."""
    path = [now]
    longest = int(PERIODS[-1])
    while now > longest:
        now -= int(PERIODS[period])
        path.append(now)
        period = int(came_from[now, period])
    return np.array(path[::-1])


def _join(parts: list[np.ndarray]) -> np.ndarray:
    """Return one sequence of beats; a rest between two parts is filled evenly, at the tempo before it."""
    beats = parts[0]
    for part in parts[1:]:
        beats = beats[beats < part[0] - 0.5 * np.diff(beats[-2:])[0]]
        gap, period = part[0] - beats[-1], np.diff(beats[-2:])[0] if len(beats) > 1 else COMMON_PERIOD
        count = max(round(gap / period), 1)
        beats = np.concatenate([beats, beats[-1] + gap / count * np.arange(1, count), part])
    return beats


def _covering(beats: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return the beats (beats,), continued evenly as far as needed to reach from `start` to `end`."""
    before, after = beats[1] - beats[0], beats[-1] - beats[-2]
    count_before = max(int(np.ceil((beats[0] - start) / before)), 0)
    count_after = max(int(np.ceil((end - beats[-1]) / after)), 0)
    beats = np.concatenate([beats[0] - before * np.arange(count_before, 0, -1), beats,
                            beats[-1] + after * np.arange(1, count_after + 1)])
    first = max(int(np.searchsorted(beats, start, side="right")) - 1, 0)
    last = int(np.searchsorted(beats, end))
    return beats[first:max(last, first + 1) + 1]


# --- between the frames -----------------------------------------------------------------------------------------------

PER_BEAT = 12  # places a beat that strikes are put on: sixteenths and triplets
USED = {0: 1.0, 6: 0.7, 3: 0.5, 9: 0.5, 4: 0.3, 8: 0.3}  # place of PER_BEAT -> weight of the strikes there
REACHES = (1.5, 3, 6, 12, 24, 48, 96)  # beats to each side over which the regression goes
BEST_PLAYER = 0.002  # seconds; least standard deviation that is assumed of strikes
NOTHING = 1e-6  # a smaller sum of weights is a rounding error of a transform, not a strike
LEPSKI = 2.0  # standard errors by which a longer reach may differ from each shorter one


def _refine(beats: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return the beats (beats,), moved to where the strikes near them are, and as smooth as these allow."""
    steps = np.arange(len(beats))
    place = np.interp(time, beats, steps) * PER_BEAT
    near = np.rint(place).astype(int)
    weight = np.array([USED.get(number, 0.0) for number in range(PER_BEAT)])[near % PER_BEAT]
    weight = weight * (abs(place - near) < 0.75)
    late = time - np.interp(near / PER_BEAT, steps, beats)
    size = PER_BEAT * (len(beats) - 1) + 1
    line = beats[0] + steps * (beats[-1] - beats[0]) / (len(beats) - 1)  # the regression is over distances from a line
    target = late + np.interp(near / PER_BEAT, steps, beats - line)
    total = np.bincount(near, weight, minlength=size)
    value = np.bincount(near, weight * target, minlength=size)
    fits, errors = zip(*(_local_lines(total, value, reach) for reach in REACHES))
    here = np.interp(near / PER_BEAT, steps, np.where(np.isfinite(fits[1]), fits[1], beats - line))
    spread = np.sqrt(np.average((target - here) ** 2, weights=weight)) if weight.any() else 0.0
    moved = line + _smoothest(np.stack(fits), np.stack(errors) * max(spread, BEST_PLAYER), beats - line)
    return moved if (np.diff(moved) > 0).all() else beats


def _local_lines(total: np.ndarray, value: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return local linear fits at the beats, (beats,), and their standard errors for a spread of 1; inf without fit.

    `total` and `value` are the sums of weights and of weighted targets at each place of the grid.
    """
    half = int(reach * PER_BEAT)
    most = min(half, len(total) - 1)  # beyond this there is nothing
    lag = np.arange(-most, most + 1)
    kernel = 1 - (lag / (half + 1)) ** 2  # Epanechnikov's
    kernels = kernel * (-lag / PER_BEAT) ** np.arange(3)[:, None]  # for moments of the order 0, 1, 2
    s0, s1, s2 = _convolve(total, kernels)[:, ::PER_BEAT]
    v0, v1 = _convolve(value, kernels[:2])[:, ::PER_BEAT]
    determinant = s0 * s2 - s1 ** 2
    is_fit = (s0 > NOTHING) & (determinant > 1e-3 * s0 ** 2)
    safe = np.where(is_fit, determinant, 1)
    fit = np.where(is_fit, (s2 * v0 - s1 * v1) / safe, np.nan)
    return fit, np.where(is_fit, np.sqrt(np.maximum(s2, 0) / safe), np.inf)


def _convolve(values: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Return the convolutions with kernels (n, size), centred: (n, values). By FFT, since kernels are long."""
    size = len(values) + kernels.shape[1] - 1
    smooth = 1 << (size - 1).bit_length()  # a transform of a size with large prime factors takes many times as long
    found = np.fft.irfft(np.fft.rfft(values, smooth) * np.fft.rfft(kernels, smooth), smooth)
    middle = kernels.shape[1] // 2
    return found[:, middle:middle + len(values)]


def _smoothest(fits: np.ndarray, errors: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Return at each beat the fit of the longest reach that does not contradict those of shorter reach: (beats,)."""
    chosen = fallback.copy()
    lowest, highest = np.full(len(fallback), -np.inf), np.full(len(fallback), np.inf)
    is_open = np.ones(len(fallback), bool)
    for fit, error in zip(fits, errors):
        has_fit = np.isfinite(fit)
        is_open &= ~has_fit | ((fit >= lowest) & (fit <= highest))
        take = is_open & has_fit
        chosen[take] = fit[take]
        margin = np.where(has_fit, LEPSKI * error, np.inf)
        middle = np.where(has_fit, fit, 0.0)
        lowest, highest = np.maximum(lowest, middle - margin), np.minimum(highest, middle + margin)
    return chosen


# --- metre ------------------------------------------------------------------------------------------------------------

ROLES = "smbo"  # what an eighth can be: start of a bar, its middle, another beat, offbeat
# beats divided in two or three: the role of each eighth of a bar
METRES_OF_HALVES = {(4, 4): "sobomobo", (3, 4): "sobobo", (6, 8): "soomoo"}
METRES_OF_THIRDS = {(6, 8): "soomoo", (9, 8): "soobooboo", (12, 8): "sooboomooboo"}
# How likely each role is: weights of a multinomial logistic regression, fitted on POP909 001-200 (bars by the chords of
# POP909-CL) and the even halves of openhymnal and lieder. * against the mean of the surroundings.
ROLE_WEIGHTS = (
    # start, middle, beat, offbeat
    (-0.98, -0.57, 0.10, 1.45),  # (constant)
    (-0.03, 0.21, 0.31, -0.49),  # something is struck
    (0.76, 0.35, 0.26, -1.38),  # logarithm of 1 + number of notes *
    (0.02, 0.13, -0.28, 0.13),  # lowest pitch in octaves below *
    (1.42, 0.54, -0.74, -1.23),  # logarithm of the longest duration in quarters *
    (0.04, -0.04, 0.17, -0.16),  # highest velocity in steps of 20 *
    (1.06, 0.55, -1.12, -0.49),  # change of harmony over a quarter
    (0.31, -0.51, 0.03, 0.18),  # over two quarters
    (0.08, -0.02, 0.20, -0.26),  # over four quarters
    (0.68, 0.43, -0.42, -0.69),  # a bass note
    (0.34, -0.22, 0.39, -0.52),  # a bass note other than before
)
ROLE_SHARES = (0.140, 0.116, 0.211, 0.533)  # of the eighths it was fitted on
# Log odds that are added: other metres than 4/4 are rarer; bar lines seldom lie between given quarters; a song often
# begins with a bar.
RARER, BETWEEN, BEGINS = -0.5, -3.0, 1.0
CONFIDENCE = 0.1  # by which the eighths' log odds are scaled: they are far from independent
NEAR = 0.25  # eighths by which a note may miss its eighth; a note that lies farther away is not counted
OCTAVE = 12
HELD = 4     # eighths for which a note counts as sounding
BASS_REACH = 4  # eighths; a bass note is about the lowest of those before
BASS_MARGIN = 2  # semitones


@dataclass(frozen=True)
class Reading:
    """One way to hear bars in given beats; `bar_lines` gives their times.

    `first` counts the given beats: the first bar line, 0 <= first < beats_per_bar. It may be a half where the given
    beats are quarters and the music counts dotted quarters. 2/4 is read as 4/4.
    """

    numerator: int
    denominator: int
    first: float
    probability: float  # share among all readings
    beats_per_bar: float  # given beats


def metre(notes: np.ndarray, beats: np.ndarray) -> list[Reading]:
    """Return the readings of a song's bars, the likeliest first; `beats` (beats,) in seconds, ascending, two at least.

    The beats may be those of `track`, or a tempo map's quarters. Where notes divide them in three, they are taken for
    dotted quarters. Where they divide them in two, bars of three quarters may also count two dotted ones (6/8). One
    metre is assumed for the whole song. A table without notes, or fewer beats, raises ValueError.
    """
    if not len(notes) or len(beats) < 2:
        raise ValueError(f"wanted notes and two beats at least, got {len(notes)} notes and {len(beats)} beats")
    parts = _division(notes, beats)
    metres = METRES_OF_THIRDS if parts == 3 else METRES_OF_HALVES
    eighths = np.interp(np.arange((len(beats) - 1) * parts + 1) / parts, np.arange(len(beats)), beats)
    odds = _role_odds(_eighth_features(notes, eighths))  # (eighths, roles)
    start = round(float(np.interp(notes["onset"][0], eighths, np.arange(len(eighths)))))
    found = []
    for (numerator, denominator), roles in metres.items():
        step = 1 if parts == 2 and denominator == 8 else parts  # bar lines stand on given beats, or between quarters
        for first in range(0, len(roles), step):
            prior = RARER * (numerator % 4 > 0) + BETWEEN * (first % parts > 0)
            prior += BEGINS * ((start - first) % len(roles) == 0)
            score = CONFIDENCE * _score(odds, roles, first) + prior
            found.append((score, numerator, denominator, first / parts, len(roles) / parts))
    share = np.exp(np.array([row[0] for row in found]) - max(found)[0])
    readings = [Reading(numerator, denominator, first, float(part), length)
                for part, (_, numerator, denominator, first, length) in zip(share / share.sum(), found)]
    return sorted(readings, key=lambda reading: -reading.probability)


def bar_lines(beats: np.ndarray, reading: Reading) -> np.ndarray:
    """Return the bar lines in seconds (bars,) that a reading of these beats sets within them."""
    places = np.arange(reading.first, len(beats) - 1 + 1e-9, reading.beats_per_bar)
    return np.interp(places, np.arange(len(beats)), beats)


def _division(notes: np.ndarray, beats: np.ndarray) -> int:
    """Return 3 where more notes lie on thirds of a beat than on its half and quarters, else 2."""
    phase = np.interp(notes["onset"], beats, np.arange(len(beats))) % 1
    distance = {place: abs(phase - place) for place in PLACES if place}
    thirds, halves = (sum((distance[place] < 0.05).sum() for place in places)
                      for places in ((1 / 3, 2 / 3), (1 / 4, 1 / 2, 3 / 4)))
    return 3 if thirds > halves else 2


def _score(odds: np.ndarray, roles: str, first: int) -> float:
    """Return the sum of the eighths' log odds for the roles that a metre with this first bar line gives them."""
    number = (np.arange(len(odds)) - first) % len(roles)
    return float(odds[np.arange(len(odds)), np.array([ROLES.index(role) for role in roles])[number]].sum())


def _role_odds(features: np.ndarray) -> np.ndarray:
    """Return log p(role | features) - log p(role): (eighths, roles)."""
    logits = np.array(ROLE_WEIGHTS[0]) + features @ np.array(ROLE_WEIGHTS[1:])
    logits -= logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)) - np.log(ROLE_SHARES)


def _eighth_features(notes: np.ndarray, eighths: np.ndarray) -> np.ndarray:
    """Return what is played at each eighth (seconds): (eighths, features), in the order of ROLE_WEIGHTS."""
    size, steps = len(eighths), np.arange(len(eighths))
    onset = np.interp(notes["onset"], eighths, steps)
    end = np.interp(notes["onset"] + notes["duration"], eighths, steps)
    at = np.rint(onset).astype(int)
    is_near = (abs(onset - at) < NEAR) & (notes["onset"] > eighths[0] - 0.1) & (notes["onset"] < eighths[-1] + 0.1)
    where, pitch = at[is_near], notes["pitch"][is_near]
    count = np.bincount(where, minlength=size).astype(float)
    lowest, longest, loudest = np.full(size, np.inf), np.zeros(size), np.zeros(size)
    np.minimum.at(lowest, where, pitch)
    np.maximum.at(longest, where, (end - onset)[is_near] / 2)
    np.maximum.at(loudest, where, notes["velocity"][is_near])
    is_struck = count > 0
    bass, new_bass = _bass(lowest, is_struck)
    return np.stack([
        is_struck,
        _beside_mean(np.log1p(count), is_struck),
        -_beside_mean(np.where(is_struck, lowest, 0) / OCTAVE, is_struck),
        _beside_mean(np.log(np.clip(longest, 0.1, 4)), is_struck),
        _beside_mean(loudest / 20, is_struck),
        *_harmony_changes(notes, at, end, is_near, size),
        bass - bass.mean(),
        new_bass - new_bass.mean(),
    ], axis=1)


def _beside_mean(values: np.ndarray, is_struck: np.ndarray, reach: int = 16) -> np.ndarray:
    """Return the values at struck eighths less the mean of such up to `reach` eighths away; 0 at others."""
    steps = np.arange(len(values))
    start, stop = np.maximum(steps - reach, 0), np.minimum(steps + reach + 1, len(values))
    total, number = (np.append(0.0, np.cumsum(column)) for column in (np.where(is_struck, values, 0), is_struck))
    mean = (total[stop] - total[start]) / np.maximum(number[stop] - number[start], 1)
    return np.where(is_struck, values - mean, 0)


def _bass(lowest: np.ndarray, is_struck: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each eighth strikes a bass note, and one other than the lowest just before: two of (eighths,)."""
    padded = np.append(np.full(BASS_REACH, 200.0), np.where(is_struck, lowest, 200.0))
    before = np.lib.stride_tricks.sliding_window_view(padded, BASS_REACH)[:len(lowest)].min(axis=1)
    is_bass = is_struck & (lowest <= before + BASS_MARGIN)
    return is_bass.astype(float), (is_bass & (lowest != before)).astype(float)


def _harmony_changes(notes, at, end, is_near, size) -> list[np.ndarray]:
    """Return how unlike the pitch classes before and after each eighth are, over 2, 4 and 8 eighths: three columns."""
    pitch_class = notes["pitch"] % OCTAVE
    stop = np.clip(np.ceil(np.minimum(end, at + HELD) - NEAR).astype(int), np.minimum(at + 1, size), size)
    sounding = np.zeros((size + 1, OCTAVE))
    np.add.at(sounding, (at, pitch_class), 0.5)
    np.add.at(sounding, (stop, pitch_class), -0.5)
    weight = np.cumsum(sounding, axis=0)[:size]
    np.add.at(weight, (at[is_near], pitch_class[is_near]), 1.0)
    total = np.concatenate([np.zeros((1, OCTAVE)), np.cumsum(weight, axis=0)])
    steps, columns = np.arange(size), []
    for width in (2, 4, 8):
        before = total[steps] - total[np.maximum(steps - width, 0)]
        after = total[np.minimum(steps + width, size)] - total[steps]
        length = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        alike = (before * after).sum(axis=1) / np.maximum(length, 1e-9)
        columns.append(alike.mean() - alike)
    return columns
