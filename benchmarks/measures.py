"""Measures that compare songs that were made with real ones; those that Serenity itself uses are in its library.

Each is to be read beside the same measure of real songs: none says whether music is good.

Sources: Wu & Yang, "The Jazz Transformer on the front line", ISMIR 2020, section 4 (pitch-class entropy, groove
similarity); Mogren, "C-RNN-GAN", 2016, section 4.2 (scale consistency).
"""

import numpy as np

from serenity.music.harmony import pitch_class_weights
from serenity.music.measures import MAJOR, SIXTEENTHS, bar_lines, bar_overlaps
from serenity.music.note import end_time
from serenity.music.pitch import OCTAVE
from serenity.music.tempo_map import TempoMap

POSITIONS = 64   # of a bar, in which onsets are looked for (Wu & Yang)
ON = 0.02        # quarters; an onset so near to a sixteenth stands on it
REACH = 16       # bars over which others are compared with one
ROUNDS = (4, 8)  # bars after which the chords of songs come round


# --- bars -------------------------------------------------------------------------------------------------------------

def bar_numbers(notes: np.ndarray, tempo_map: TempoMap) -> tuple[np.ndarray, np.ndarray]:
    """Return each note's bar, as the map counts them, and its position in the bar, 0 to POSITIONS - 1."""
    bar, place, length = tempo_map.bars(tempo_map.quarters(notes["onset"]))
    position = np.rint(place * POSITIONS / length).astype(np.int64)
    return bar + position // POSITIONS, position % POSITIONS


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
