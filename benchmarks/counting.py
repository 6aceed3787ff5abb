"""Predictions by counting, without a network: baselines that a network has to beat, in the same units.

Each baseline gives the bits of every song separately, so that intervals over songs can be drawn. Decisions are counted
as in serenity.model.evaluation: each event once, and the end of a song as one more decision of its step. The counts
come from the real training songs, in which values are as common as in the songs to predict.
"""

from collections.abc import Sequence

import numpy as np

from serenity.settings import WindowSettings
from serenity.tokens.corpus import Corpus
from serenity.tokens.vocabulary import ATTRIBUTES, END, SPECIALS, START

Column = tuple[str, int]  # an attribute, and how many events before the present one; 0: this one, decided before

# What each attribute is predicted from, the most useful first. benchmarks/baselines.py --choose found them one after
# another, each as the one that saves the most bits on the validation songs.
CHOSEN: dict[str, tuple[Column, ...]] = {
    "pitch": (("pitch", 1), ("step", 0), ("pitch", 2)),
    "step": (("step", 1), ("step", 2), ("duration", 2), ("pitch", 1), ("duration", 1)),
    "duration": (("step", 0), ("step", 1), ("duration", 2)),
    "velocity": (("velocity", 2), ("velocity", 1)),
}
LAG = WindowSettings().prompt  # events after which a copied prompt begins again
_BITS = 16                     # of a token; with a context's label (at most one a decision) they fit into 64 bits


def chains(attribute: str) -> dict[str, tuple[Column, ...]]:
    """Return what each baseline by counting predicts an attribute from."""
    return {"unigram": (), "Markov 1": ((attribute, 1),), "Markov 2": ((attribute, 1), (attribute, 2)),
            "Markov, chosen contexts": CHOSEN[attribute]}


def markov_bits(training: Sequence[np.ndarray], songs: Sequence[np.ndarray], attribute: str, alphabet: int,
                columns: Sequence[Column]) -> np.ndarray:
    """Return the bits of an attribute in each song, (songs,), from what followed its context in the training songs.

    Songs are tokens (events, 4); `alphabet` is the number of values. The context is the values of all `columns`. Its
    prediction is mixed with that of a context without the last column, and so on down to no context, by modified
    Kneser-Ney smoothing (Chen & Goodman, "An empirical study of smoothing techniques for language modeling", 1999,
    section 3).
    """
    everything = [*training, *songs]
    target, song = _decisions(everything, attribute)
    probability = _probability(everything, len(training), attribute, alphabet, columns)
    return _by_song(probability, song - len(training), song >= len(training), len(songs))


def copy_bits(training: Sequence[np.ndarray], songs: Sequence[np.ndarray], attribute: str, alphabet: int,
              lag: int = LAG) -> np.ndarray:
    """Return the bits of an attribute in each song, (songs,), if a song is expected to repeat its values of `lag`
    events before.

    The copied value has the probability w, the unigram has the rest; w is the likeliest on the training songs
    (expectation maximisation). The first `lag` events have nothing to copy: they cost what the unigram says.
    """
    everything = [*training, *songs]
    target, song = _decisions(everything, attribute)
    unigram = _probability(everything, len(training), attribute, alphabet, ())
    copied = _column(everything, attribute, (attribute, lag))
    can, hit = copied != START, copied == target
    learned = can & (song < len(training))
    share = 0.5
    for _ in range(50 if learned.any() else 0):
        share = float(np.mean(share * hit[learned] / (share * hit[learned] + (1 - share) * unigram[learned])))
    mixed = np.where(can, share * hit + (1 - share) * unigram, unigram)
    return _by_song(mixed, song - len(training), song >= len(training), len(songs))


def all_bits(corpus: Corpus, songs: Sequence[np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return the bits of each song, (songs,), by baseline and attribute."""
    training, found = corpus.of_split("train", synthetic=False), {}
    for attribute in ATTRIBUTES:
        size = corpus.vocabulary[attribute].size - SPECIALS
        for name, columns in chains(attribute).items():
            found.setdefault(name, {})[attribute] = markov_bits(training, songs, attribute, size, columns)
        found.setdefault("copy of the prompt", {})[attribute] = copy_bits(training, songs, attribute, size)
    return found


# --- decisions --------------------------------------------------------------------------------------------------------

def _decisions(songs: Sequence[np.ndarray], attribute: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what is decided, (decisions,), song after song, and the number of the song of each decision."""
    end = np.full(int(attribute == "step"), END)
    values = [np.concatenate([song[:, ATTRIBUTES.index(attribute)], end]) for song in songs]
    return np.concatenate(values).astype(np.int64), np.repeat(np.arange(len(songs)), [len(own) for own in values])


def _column(songs: Sequence[np.ndarray], attribute: str, column: Column) -> np.ndarray:
    """Return what stands in a column at each decision of an attribute, (decisions,); START before a song begins."""
    (other, back), end = column, attribute == "step"
    rows = [np.concatenate([np.full(back, START), song[:, ATTRIBUTES.index(other)]])[:len(song) + end]
            for song in songs]
    return np.concatenate(rows).astype(np.int64)


def _by_song(probability: np.ndarray, song: np.ndarray, wanted: np.ndarray, songs: int) -> np.ndarray:
    return np.bincount(song[wanted], -np.log2(probability[wanted]), minlength=songs)


# --- Kneser & Ney -----------------------------------------------------------------------------------------------------

def _probability(songs: Sequence[np.ndarray], known: int, attribute: str, alphabet: int,
                 columns: Sequence[Column]) -> np.ndarray:
    """Return the probability of each decision, (decisions,), by what was counted in the first `known` songs."""
    target, song = _decisions(songs, attribute)
    contexts = [np.zeros_like(target)]  # of each length, as a label a decision
    for column in columns:
        contexts.append(_label(contexts[-1] << _BITS | _column(songs, attribute, column)))
    rows, levels = np.flatnonzero(song < known), []
    for context in reversed(contexts):
        pair = context << _BITS | target
        pairs, first, times = np.unique(pair[rows], return_index=True, return_counts=True)
        levels.append((context, pair, pairs, times))
        rows = rows[first]  # a shorter context counts in how many longer ones it met a value, not how often
    probability = np.full(len(target), 1 / (alphabet + (attribute == "step")))
    for level in reversed(levels):
        probability = _mixed(*level, probability)
    return probability


def _label(keys: np.ndarray) -> np.ndarray:
    return np.unique(keys, return_inverse=True)[1]


def _mixed(context: np.ndarray, pair: np.ndarray, pairs: np.ndarray, times: np.ndarray,
           shorter: np.ndarray) -> np.ndarray:
    """Return the probability of each decision after its context: discounted counts, and the rest from the shorter one.

    `pairs` of a context and a token, sorted, were counted so many `times`.
    """
    discount = discounts(times)[np.minimum(times, 3)]
    size = int(context.max(initial=0)) + 1
    total, left = (np.bincount(pairs >> _BITS, weights, minlength=size) for weights in (times, discount))
    spot = np.minimum(np.searchsorted(pairs, pair), len(pairs) - 1)
    count = np.where(pairs[spot] == pair, times[spot] - discount[spot], 0)
    met = total[context] > 0
    return np.where(met, (count + left[context] * shorter) / np.where(met, total[context], 1), shorter)


def discounts(times: np.ndarray) -> np.ndarray:
    """Return what is subtracted from counts of 0, 1, 2, and 3 or more (the same paper, section 3).

    If there are too few counts for the equation to have an answer: 0, 0.5, 0.75 and 1.
    """
    one, two, three, four = (int((times == number).sum()) for number in (1, 2, 3, 4))
    if not (one and two and three):
        return np.array([0, 0.5, 0.75, 1.0])
    share = one / (one + 2 * two)
    found = [1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three]
    return np.array([0, *np.clip(found, 0.01, [1, 2, 3])])
