"""Measures of what music is like, for generated beside real songs, and how far two sets of them are apart.

None says whether music is good. Each is to be read beside the same measure of real songs.

Sources: Wu & Yang, "The Jazz Transformer on the front line", ISMIR 2020, section 4 (pitch-class entropy, groove
similarity, chord-progression irregularity); Mogren, "C-RNN-GAN", 2016, section 4.2 (scale consistency; polyphony,
which is taken here as MusPy does: Dong et al., ISMIR 2020).
"""

import numpy as np

from serenity.music.harmony import pitch_class_weights
from serenity.music.note import end_time
from serenity.music.pitch import OCTAVE
from serenity.music.tempo_map import NEAR, TempoMap

MAJOR = (0, 2, 4, 5, 7, 9, 11)  # semitones above the tonic; the natural minor scales have the same notes
POSITIONS = 64                  # of a bar, in which onsets are looked for (Wu & Yang)
SIXTEENTHS = 4                  # of a beat, which is a quarter
ON = 0.02                       # quarters; an onset so near to a sixteenth stands on it
REACH = 16                      # bars over which others are compared with one
ROUNDS = (4, 8)                 # bars after which the chords of songs come round
FARTHEST = 32                   # bars at most between two that are compared

# --- bars -------------------------------------------------------------------------------------------------------------

def bar_numbers(notes: np.ndarray, tempo_map: TempoMap) -> tuple[np.ndarray, np.ndarray]:
    """Return each note's bar, as the map counts them, and its position in the bar, 0 to POSITIONS - 1."""
    bar, place, length = tempo_map.bars(tempo_map.quarters(notes["onset"]))
    position = np.rint(place * POSITIONS / length).astype(np.int64)
    return bar + position // POSITIONS, position % POSITIONS


def bar_lines(notes: np.ndarray, tempo_map: TempoMap) -> np.ndarray:
    """Return the seconds of the bar lines around notes: (bars + 1,). Notes: one or more."""
    ends = tempo_map.quarters(np.array([notes["onset"].min(), end_time(notes)]))
    first, last = tempo_map.bars(ends - [0, 2 * NEAR])[0]
    return tempo_map.seconds(tempo_map.bar_line(np.arange(first, last + 2)))


def on_sixteenths(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return the share of notes that begin on a sixteenth of the beat; 0 for no notes."""
    places = tempo_map.quarters(notes["onset"]) * SIXTEENTHS
    return float(np.sum(abs(places - np.rint(places)) <= ON * SIXTEENTHS) / max(len(notes), 1))


def bars_that_return(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return how much of a bar was played in one of the REACH bars before: 1 where all of it came back, 0 for nothing.

    Of a bar the largest overlap (see bar_overlaps) counts; mean over the bars in which notes begin, from the second on.
    Fewer than two: 0.
    """
    overlap, counted = bar_overlaps(notes, tempo_map)
    ago = np.subtract.outer(np.arange(len(overlap)), np.arange(len(overlap)))
    most = np.where((ago >= 1) & (ago <= REACH), overlap, 0).max(axis=1, initial=0)
    return float(most[1:][counted[1:]].mean()) if counted[1:].any() else 0.0


def return_profile(notes: np.ndarray, tempo_map: TempoMap, farthest: int = FARTHEST) -> np.ndarray:
    """Return how much of a bar was played in the bar k before, for k = 1..farthest: (farthest,), nan where none is.

    Mean over the pairs of bars in both of which notes begin.
    """
    overlap, counted = bar_overlaps(notes, tempo_map)
    pairs = np.where(np.outer(counted, counted), overlap, np.nan)
    diagonals = [np.diagonal(pairs, -ago) for ago in range(1, farthest + 1)]
    return np.array([np.nanmean(part) if np.isfinite(part).any() else np.nan for part in diagonals])


def bar_overlaps(notes: np.ndarray, tempo_map: TempoMap) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each two bars have in common, (bar, bar), and in which bars notes begin, (bar,) bool.

    A bar is the set of its (place, pitch class), places by sixteenths. Two sets overlap by their intersection over
    their union (Jaccard).
    """
    if not len(notes):
        return np.zeros((0, 0)), np.zeros(0, bool)
    bar, place, _ = tempo_map.bars(np.rint(tempo_map.quarters(notes["onset"]) * SIXTEENTHS) / SIXTEENTHS)
    bar -= bar.min()
    cell = np.rint(place * SIXTEENTHS).astype(np.int64) * OCTAVE + notes["pitch"] % OCTAVE
    struck = np.zeros((bar.max() + 1, cell.max() + 1))
    struck[bar, cell] = 1
    shared, number = struck @ struck.T, struck.sum(axis=1)
    return shared / np.maximum(number[:, None] + number - shared, 1), number > 0


def onset_spread(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return by how much the number of onsets differs from bar to bar: its standard deviation over its mean.

    Bars before the first note and after the last do not count. No notes: 0.
    """
    if not len(notes):
        return 0.0
    bar, position = bar_numbers(notes, tempo_map)
    onsets = np.unique(bar * POSITIONS + position) // POSITIONS
    number = np.bincount(onsets - onsets.min())
    return float(number.std() / number.mean())


# --- pitch ------------------------------------------------------------------------------------------------------------

def pitch_class_entropy(notes: np.ndarray, tempo_map: TempoMap, bars: int = 1) -> float:
    """Return the entropy of the pitch classes struck in `bars` bars, in bits, mean over the song (0 to 3.58).

    Low: a clear tonality. Wu & Yang's H1 and H4, for 1 bar and 4. Bars without an onset do not count.
    """
    if not len(notes):
        return 0.0
    bar, _ = bar_numbers(notes, tempo_map)
    window = (bar - bar.min()) // bars
    _, row = np.unique(window, return_inverse=True)
    counts = np.zeros((row.max() + 1, OCTAVE))
    np.add.at(counts, (row, notes["pitch"] % OCTAVE), 1)
    share = counts / counts.sum(axis=1, keepdims=True)
    return float(-(share * np.log2(np.where(share, share, 1))).sum(axis=1).mean())


def scale_consistency(notes: np.ndarray) -> float:
    """Return the share of notes in the major scale that holds most of them (Mogren; as MusPy counts it)."""
    counts = np.bincount(notes["pitch"] % OCTAVE, minlength=OCTAVE)
    inside = [np.roll(counts, -tonic)[list(MAJOR)].sum() for tonic in range(OCTAVE)]
    return float(max(inside) / max(len(notes), 1))


def polyphony(notes: np.ndarray) -> float:
    """Return how many notes sound together, mean over the time in which any does; 0 for no notes."""
    if not len(notes):
        return 0.0
    order = np.argsort(notes["onset"], kind="stable")
    onset, duration = notes["onset"][order], notes["duration"][order]
    until = np.maximum.accumulate(onset + duration)
    silence = np.maximum(onset[1:] - until[:-1], 0).sum()
    return float(duration.sum() / (until[-1] - onset[0] - silence))


def top_leap(notes: np.ndarray) -> float:
    """Return how far the highest notes of two onsets in a row are apart, in semitones, mean; fewer than two: 0."""
    first = np.flatnonzero(np.append(True, np.diff(notes["onset"]) > 0)[:len(notes)])
    top = np.maximum.reduceat(notes["pitch"], first).astype(int) if len(notes) else np.zeros(0)
    return float(abs(np.diff(top)).mean()) if len(top) > 1 else 0.0


# --- time -------------------------------------------------------------------------------------------------------------

def density(notes: np.ndarray) -> float:
    """Return the notes a second, from the first onset to the last end; 0 for no notes."""
    return float(len(notes) / (end_time(notes) - notes["onset"].min())) if len(notes) else 0.0


def groove_similarity(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return how alike the rhythms of the bars are: the share of positions at which two bars agree on whether a note
    is struck, mean over all pairs of bars (Wu & Yang's GS). A single bar is like itself: 1.
    """
    if not len(notes):
        return 1.0
    bar, position = bar_numbers(notes, tempo_map)
    bar -= bar.min()
    bars = int(bar.max()) + 1
    if bars < 2:
        return 1.0
    struck = np.unique(bar * POSITIONS + position) % POSITIONS
    number = np.bincount(struck, minlength=POSITIONS).astype(np.float64)  # bars that strike at a position
    return float(1 - (number * (bars - number)).sum() / (POSITIONS * bars * (bars - 1) / 2))


# --- harmony ----------------------------------------------------------------------------------------------------------

def progression_irregularity(chords: np.ndarray) -> float:
    """Return the share of the chord trigrams of a CHORD table that are different ones (Wu & Yang's CPI).

    1: no three chords ever come again. Fewer than three chords: 0.
    """
    names = list(zip(chords["root"].tolist(), chords["quality"].tolist()))
    trigrams = list(zip(names, names[1:], names[2:]))
    return len(set(trigrams)) / len(trigrams) if trigrams else 0.0


def chords_that_return(notes: np.ndarray, tempo_map: TempoMap) -> float:
    """Return how much more alike the harmony of bars is at the distances of ROUNDS than at the others up to REACH.

    Alike is the cosine of how much each pitch class sounds in them, -1..1 in their difference: above 0 the chords come
    round. Mean over all pairs of bars in which something sounds; 0 where there are none at either kind of distance.
    """
    if not len(notes):
        return 0.0
    weights, _ = pitch_class_weights(notes, bar_lines(notes, tempo_map))
    length = np.linalg.norm(weights, axis=1)
    weights /= np.where(length, length, 1)[:, None]
    alike = weights @ weights.T                                                                        # (bar, other)
    ago = np.subtract.outer(np.arange(len(weights)), np.arange(len(weights)))
    is_pair = (ago >= 1) & (ago <= REACH) & (np.minimum.outer(length, length) > 0)
    is_round = np.isin(ago, ROUNDS)
    round_, other = alike[is_pair & is_round], alike[is_pair & ~is_round]
    return float(round_.mean() - other.mean()) if len(round_) and len(other) else 0.0


# --- two sets of songs ------------------------------------------------------------------------------------------------

def wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Return the 1-Wasserstein distance of two sets of values, in their unit: the area between their distributions."""
    one, other = np.sort(one), np.sort(other)
    values = np.sort(np.concatenate([one, other]))
    shares = (np.searchsorted(part, values[:-1], side="right") / len(part) for part in (one, other))
    return float(abs(next(shares) - next(shares)) @ np.diff(values))
