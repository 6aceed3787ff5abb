"""What counting alone predicts: the baselines that a network has to beat, in the same units.

Each gives the bits of every song on its own, so that intervals over songs can be drawn. What is decided is counted as
serenity.model.evaluation counts it: each event once, the end of a song as one more decision of its step.
"""

from collections.abc import Sequence

import numpy as np

from serenity.tokens.corpus import Corpus
from serenity.tokens.vocabulary import ATTRIBUTES, END, SPECIALS, START
from serenity.tokens.windows import WindowSettings

MARKOV = {"unigram": (), "Markov 1": (("past 1",),), "Markov 2": (("past 1", "past 2"), ("past 1",))}  # contexts
_BITS = 13  # a token needs no more: a context of two and a value fit 64 bits
LAG = WindowSettings().prompt  # events after which a copied prompt begins anew


def markov_bits(training: Sequence[np.ndarray], songs: Sequence[np.ndarray], attribute: str, alphabet: int,
                chain: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the bits of an attribute in each song, (songs,), by what followed its contexts in the training songs.

    Songs are tokens (events, 4); `alphabet` is the number of values; `chain` holds contexts, the longest first, as the
    names of what they are made of: "past 1" and "past 2" are the attribute's own last and last but one value. Each is
    mixed with the next shorter one by Witten & Bell, "The zero-frequency problem" (1991), method C: a context seen n
    times with t different values leaves t / (n + t) to the shorter one. The shortest counts values alone, plus one.
    """
    past, future = _decisions(training, attribute), _decisions(songs, attribute)
    probability = _unigram(past["target"], future["target"], alphabet + (attribute == "step"))
    for names in reversed(chain):
        probability = _witten_bell(_join(past, names), past["target"], _join(future, names), future["target"],
                                   probability)
    return _by_song(-np.log2(probability), future["song"], len(songs))


def copy_bits(training: Sequence[np.ndarray], songs: Sequence[np.ndarray], attribute: str, alphabet: int,
              lag: int = LAG) -> np.ndarray:
    """Return the bits of an attribute in each song, (songs,), if a song repeats what stood `lag` events before.

    The copied value has the share w, the unigram the rest; w is the likeliest on the training songs (expectation
    maximisation). The first `lag` events have nothing to copy: they cost what the unigram says.
    """
    past, future = _decisions(training, attribute, lag), _decisions(songs, attribute, lag)
    size = alphabet + (attribute == "step")
    seen, ahead = (_unigram(past["target"], of["target"], size) for of in (past, future))
    can = past["copied"] != START
    hit, base = (past["copied"] == past["target"])[can], seen[can]
    share = 0.5
    for _ in range(50):
        share = float(np.mean(share * hit / (share * hit + (1 - share) * base))) if len(base) else 0.0
    mixed = share * (future["copied"] == future["target"]) + (1 - share) * ahead
    return _by_song(-np.log2(np.where(future["copied"] == START, ahead, mixed)), future["song"], len(songs))


def all_bits(corpus: Corpus, songs: Sequence[np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return the bits of each song, (songs,), by baseline and attribute."""
    training, found = corpus.of_split("train"), {}
    for attribute in ATTRIBUTES:
        size = corpus.vocabulary[attribute].size - SPECIALS
        for name, chain in MARKOV.items():
            found.setdefault(name, {})[attribute] = markov_bits(training, songs, attribute, size, chain)
        found.setdefault("copy of the prompt", {})[attribute] = copy_bits(training, songs, attribute, size)
    return found


def unigram_bits(corpus: Corpus, attribute: str, songs: Sequence[np.ndarray]) -> float:
    """Return the bits per event of songs by how often the training songs have each value."""
    size = corpus.vocabulary[attribute].size - SPECIALS
    bits = markov_bits(corpus.of_split("train"), songs, attribute, size, ())
    return float(bits.sum() / sum(map(len, songs)))


def _decisions(songs: Sequence[np.ndarray], attribute: str, lag: int = 1) -> dict[str, np.ndarray]:
    """Return all that is decided, one value a decision: the target, its song, what may be known of it before."""
    end = [END] if attribute == "step" else []
    column = ATTRIBUTES.index(attribute)
    columns = {"target": [], "song": [], "past 1": [], "past 2": [], "copied": []}
    for number, song in enumerate(songs):
        own = song[:, column].astype(np.int64)
        target = np.concatenate([own, np.array(end, np.int64)])
        columns["target"].append(target)
        columns["song"].append(np.full(len(target), number))
        for name, back in (("past 1", 1), ("past 2", 2), ("copied", lag)):
            columns[name].append(np.concatenate([np.full(back, START), own])[:len(target)])
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _join(decisions: dict[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Return one number for each different combination of the named columns."""
    keys = np.zeros(len(decisions["target"]), np.int64)
    for name in names:
        keys = keys << _BITS | decisions[name]
    return keys


def _unigram(seen: np.ndarray, wanted: np.ndarray, size: int) -> np.ndarray:
    """Return the probability of each wanted value, where each of `size` values was seen once more than it was."""
    counts = np.bincount(seen, minlength=int(max(seen.max(initial=0), wanted.max(initial=0))) + 1)
    return (counts[wanted] + 1) / (len(seen) + size)


def _witten_bell(seen: np.ndarray, values: np.ndarray, wanted: np.ndarray, targets: np.ndarray,
                 shorter: np.ndarray) -> np.ndarray:
    """Return the probability of each target after its context: counts mixed with those of the shorter context."""
    labels, seen = np.unique(seen, return_inverse=True)  # so that a context and a value fit one number
    pairs, times = np.unique(seen << _BITS | values, return_counts=True)
    total = np.bincount(seen, minlength=len(labels))
    kinds = np.bincount(pairs >> _BITS, minlength=len(labels))
    place = np.minimum(np.searchsorted(labels, wanted), len(labels) - 1)
    known = labels[place] == wanted
    pair = place << _BITS | targets
    spot = np.minimum(np.searchsorted(pairs, pair), len(pairs) - 1)
    count = np.where(pairs[spot] == pair, times[spot], 0)
    mixed = (count + kinds[place] * shorter) / (total[place] + kinds[place])
    return np.where(known, mixed, shorter)


def _by_song(bits: np.ndarray, song: np.ndarray, songs: int) -> np.ndarray:
    return np.bincount(song, bits, minlength=songs)
