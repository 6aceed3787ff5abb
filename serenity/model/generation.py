"""Generation: read the prompt once, then decide one event after another, attribute by attribute."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from serenity.errors import InputError
from serenity.model.checkpoint import Checkpoint
from serenity.model.designs import make_decoder
from serenity.settings import Sampling
from serenity.tokens.vocabulary import ATTRIBUTES, BAR, COLUMNS, DECISION_ORDER, END, LEFT, PLACE, SPECIALS

TOGETHER = 32  # variations that are made side by side, at most; more are made in turns, so that memory stays bounded

PITCH, STEP = ATTRIBUTES.index("pitch"), ATTRIBUTES.index("step")

# variation, its tokens so far (n, columns), a pitch token -> whether this token is refused
Refuse = Callable[[int, np.ndarray, int], bool]


@dataclass(frozen=True, eq=False)
class Continuation:
    """What follows the prompt. The four streams have one length, which may be 0."""

    tokens: np.ndarray  # (events, columns) int32; values all, neither PAD nor START nor END
    bits: np.ndarray    # (events, 4) float32: -log2 p of each token under the network itself, as training counts them:
    #                     before temperature, guard and so on; PAD, START and END count among the possible tokens
    forced: int = 0     # events at which every pitch was refused, so the likeliest was taken

    def first(self, events: int) -> "Continuation":
        """Return the first so many events of it."""
        return replace(self, tokens=self.tokens[:events], bits=self.bits[:events])


# --- drawing ----------------------------------------------------------------------------------------------------------

FORBIDDEN = -np.inf  # the logit of a token that is never drawn
COLDEST = 1e30       # the most that logits are multiplied by


GREEDY = Sampling(top_k=1)


def sample(logits: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> int:
    """Return a token drawn by softmax(logits / temperature) from those that `sampling` leaves.

    `logits` is (tokens,). A token whose logit is FORBIDDEN is never drawn; at least one logit must be another. Of
    equally likely tokens the lower one, which is the commoner one, comes first.
    """
    if sampling.is_greedy:
        return int(logits.argmax())
    # A temperature near 0 leaves all but the likeliest no weight at all.
    weights = np.exp((logits - logits.max()) * np.float32(min(1 / sampling.temperature, COLDEST)))
    if sampling.top_k or sampling.top_p < 1:
        likeliest = _likeliest(logits, sampling.top_k or len(logits))
        held = np.cumsum(weights[likeliest], dtype=np.float64)
        before = held - weights[likeliest]  # of a token: how much the likelier ones hold
        kept = likeliest[before < sampling.top_p * held[-1]]
        weights, others = np.zeros_like(weights), weights
        weights[kept] = others[kept]
    if sampling.min_p:
        weights[weights < sampling.min_p] = 0
    heights = np.cumsum(weights, dtype=np.float64)
    # A token without weight is as high as the one before it, so it is not found, except when a product is rounded up
    # to the top.
    drawn = np.searchsorted(heights, rng.random() * heights[-1], side="right")
    return int(drawn) if drawn < len(weights) else int(np.flatnonzero(weights)[-1])


def _likeliest(logits: np.ndarray, number: int) -> np.ndarray:
    """Return at most `number` tokens, the likeliest first."""
    # A partition is quicker than a sort of thousands; tokens as likely as the last one are kept until the sort.
    lowest = np.partition(logits, -number)[-number] if number < len(logits) else FORBIDDEN
    tokens = np.flatnonzero(logits >= lowest)
    return tokens[np.argsort(-logits[tokens], kind="stable")][:number]


@dataclass(frozen=True)
class Guard:
    """Makes chords and figures less likely that came too often lately. A figure is a run of chords, about half a bar.

    Each time beyond the limit makes a chord less likely by `strength` bits. So a loop does not stop at once, but it
    soon costs more than anything else, and a chord that has not come for a while is free again. 98 of 100 events of
    real songs keep within these limits (docs/history.md).
    """

    memory: int = 64       # the last events that are counted
    chord_limit: int = 12  # times that a chord may come among these for free
    figure: int = 4        # events
    figure_limit: int = 1  # times that a figure may come among these for free
    strength: float = 2.0  # bits for each time beyond a limit

    def __post_init__(self):
        for name, lowest in (("memory", 1), ("chord_limit", 0), ("figure", 2), ("figure_limit", 0)):
            if getattr(self, name) < lowest:
                raise InputError(f"{name} {getattr(self, name)}, wanted {lowest} or more")
        if not 0 < self.strength <= 100:
            raise InputError(f"strength {self.strength}, wanted above 0 and at most 100")

    def bits(self, past: np.ndarray, tokens: int) -> np.ndarray:
        """Return by how many bits each of so many pitch tokens is held back after the past (events,): (tokens,)."""
        past = past[-(self.memory + self.figure - 1):]
        recent = past[-self.memory:]
        excess = _excess(recent, self.chord_limit, tokens)
        if len(past) >= self.figure:  # which chords have followed the last chords before?
            begun = np.lib.stride_tricks.sliding_window_view(past, self.figure - 1)
            again = (begun[:-1] == past[1 - self.figure:]).all(axis=1)
            excess += _excess(past[self.figure - 1:][again], self.figure_limit, tokens)
        return self.strength * excess


def _excess(values: np.ndarray, limit: int, tokens: int) -> np.ndarray:
    """Return how many times beyond the limit each token stands in values: (tokens,)."""
    return np.maximum(np.bincount(values, minlength=tokens) - limit, 0)


# --- continuing -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Rules:
    """What is asked of every continuation, beside how it is drawn."""

    until: int | None = None       # it ends before the first event whose onset, in grid points from the prompt's last
    #                                one, would reach this; None: it has as many events as were asked for
    closes: bool = False           # the networks are told how many bars are left until `until`, so that the song comes
    #                                to its end there; else they are told nothing, whatever the prompt knows
    may_end: bool = False          # it also ends if the network of the step draws END: the end is one decision
    first_step: int | None = None  # token of the first event's step, if that is already decided
    guard: Guard | None = None     # makes less likely what repeats itself
    refuse: Refuse | None = None   # if it refuses a pitch, another one is drawn; if it refuses all, the likeliest is
    #                                taken
    allowed: Mapping[str, np.ndarray] = field(default_factory=dict)  # attribute -> (tokens,) bool: which may be drawn
    given: Mapping[str, np.ndarray] = field(default_factory=dict)    # attribute -> tokens (events,), taken as they are
    #                                for 0 bits; the model needs no weights for this attribute

    def __post_init__(self):
        if self.closes and self.until is None:
            raise ValueError("closes without until; wanted the grid point at which the song is to end")


def complete(model: Checkpoint, prompt: np.ndarray, events: int, sampling: Sampling | Mapping[str, Sampling], seed: int,
             variations: int = 1, rules: Rules = Rules(), skipped: int = 0,
             progress: Callable[[int], object] = lambda done: None) -> list[Continuation]:
    """Return continuations of a prompt, at most `events` long.

    `prompt` (length, columns) is the end of a stream (see serenity.tokens.windows): it begins with START if it holds
    the song from its first event. If it is too long, only its last events that fit are read. `sampling` is one for all
    attributes or one for each. Variation i depends only on `seed` and i, bit for bit, and not on how many are made
    together. The first `skipped` variations are left out. `progress` gets the number of events done in all variations.

    Raises InputError where sampling or a mask leaves an attribute without a choice.
    """
    choice = _Choice(model, sampling, rules)
    given = rules.given
    prompt = told_bars_left(prompt, choice.points, rules.until if rules.closes else None)
    decoders = {attribute: make_decoder(model.settings, attribute, model.weights[attribute], model.vocabulary)
                for attribute in ATTRIBUTES if attribute not in given}
    songs = [_Song(prompt, events, seed, skipped + number) for number in range(variations)]
    turns = [songs[first:first + TOGETHER] for first in range(0, variations, TOGETHER)]
    told = 0
    for together in turns:
        past = _start(decoders, prompt, len(together))
        for position in range(events):
            present = np.zeros_like(past)  # each attribute sees what was decided before it
            for attribute in DECISION_ORDER:
                if attribute in given:
                    logits = _certain(given[attribute][position], model.settings.vocabulary_sizes[attribute], len(past))
                else:
                    logits = decoders[attribute].step(past, present)
                for row, song in enumerate(together):
                    if not song.ended:
                        present[row, ATTRIBUTES.index(attribute)] = choice.decide(song, attribute, logits[row])
                        if attribute == "step" and not song.ended:
                            present[row, PLACE:] = song.place(choice.points[present[row, STEP]])
            past = present
            progress(told := told + len(together))
            if all(song.ended for song in together):
                break
    return [song.continuation() for song in songs]


def _start(decoders: Mapping, prompt: np.ndarray, variations: int) -> np.ndarray:
    """Let the decoders read the prompt. Return its last event for each variation, (variations, columns)."""
    for decoder in decoders.values():
        decoder.start(prompt, variations)
    return np.repeat(prompt[-1:], variations, axis=0)


# --- deciding ---------------------------------------------------------------------------------------------------------

class _Song:
    """One variation while it grows: the prompt, and from `begin` to `length` what was decided."""

    def __init__(self, prompt: np.ndarray, events: int, seed: int, variation: int):
        self.variation, self.rng = variation, np.random.default_rng([seed, variation])
        self.begin = self.length = len(prompt)
        self.tokens = np.concatenate([prompt, np.zeros((events, len(COLUMNS)), np.int32)])
        self.bits = np.zeros((events, len(ATTRIBUTES)), np.float32)
        self.onset = 0     # grid points since the prompt's last onset
        self.ended, self.forced = False, 0

    def place(self, step: int) -> tuple[int, int, int]:
        """Return and store where the event that is being decided stands: its columns place, bar and left."""
        place, bar, left = self.tokens[self.length - 1, PLACE:].tolist()
        if bar:
            over, place = divmod(place + step, bar)
            left = max(left - over, 1) if left else 0
        self.tokens[self.length, PLACE:] = place, bar, left
        return place, bar, left

    def add(self, attribute: str, token: int, bits: float) -> None:
        column = ATTRIBUTES.index(attribute)
        self.tokens[self.length, column], self.bits[self.length - self.begin, column] = token, bits
        self.length += attribute == DECISION_ORDER[-1]

    def continuation(self) -> Continuation:
        return Continuation(self.tokens[self.begin:self.length], self.bits[:self.length - self.begin], self.forced)


class _Choice:
    """How each attribute is decided, in every variation."""

    def __init__(self, model: Checkpoint, sampling: Sampling | Mapping[str, Sampling], rules: Rules):
        self.sampling = dict.fromkeys(ATTRIBUTES, sampling) if isinstance(sampling, Sampling) else sampling
        if set(self.sampling) != set(ATTRIBUTES):
            raise InputError(f"sampling for {', '.join(self.sampling)}; wanted one for all, or for each of "
                             f"{', '.join(ATTRIBUTES)}")
        self.rules = rules
        self.closed = {attribute: _closed(attribute, size, rules.allowed.get(attribute))
                       for attribute, size in model.settings.vocabulary_sizes.items()}
        if rules.may_end:
            self.closed["step"][END] = False
        self.points = np.concatenate([np.zeros(SPECIALS, np.int64), model.vocabulary["step"].values])  # of each step

    def decide(self, song: _Song, attribute: str, logits: np.ndarray) -> int:
        """Decide one attribute of a song's next event by its logits (tokens,), or that the song ends."""
        open_logits = np.where(self.closed[attribute], FORBIDDEN, logits)
        if attribute == "pitch":
            token = self._pitch(song, open_logits)
        elif attribute == "step" and song.length == song.begin and self.rules.first_step is not None:
            token = self.rules.first_step
        else:
            token = sample(open_logits, self.sampling[attribute], song.rng)
        if attribute == "step" and self._is_late(song, token) or token == END:
            song.ended = True
        else:
            song.add(attribute, token, surprise(logits, token))
        return token

    def _pitch(self, song: _Song, logits: np.ndarray) -> int:
        if self.rules.guard:
            logits -= np.log(2) * self.rules.guard.bits(song.tokens[:song.length, PITCH], len(logits))
        likeliest = int(logits.argmax())
        while logits.max() > FORBIDDEN:
            token = sample(logits, self.sampling["pitch"], song.rng)
            so_far = song.tokens[song.begin:song.length]
            if self.rules.refuse is None or not self.rules.refuse(song.variation, so_far, token):
                return token
            logits[token] = FORBIDDEN
        song.forced += 1
        return likeliest

    def _is_late(self, song: _Song, token: int) -> bool:
        if self.rules.until is None or token == END:
            return False
        song.onset += int(self.points[token])
        return song.onset >= self.rules.until


def _closed(attribute: str, size: int, allowed: np.ndarray | None) -> np.ndarray:
    """Return which tokens are never drawn, (tokens,)."""
    closed = np.zeros(size, bool) if allowed is None else ~np.asarray(allowed, bool)
    if closed.shape != (size,):
        raise ValueError(f"a mask of {closed.shape} for {attribute}, wanted ({size},)")
    closed[:SPECIALS] = True
    if closed.all():
        raise InputError(f"no {attribute} of the model's is allowed; wanted one value or more")
    return closed


def _certain(token: int, tokens: int, variations: int) -> np.ndarray:
    """Return logits (variations, tokens) by which only one token can come."""
    logits = np.full((variations, tokens), FORBIDDEN, np.float32)
    logits[:, token] = 0
    return logits


def surprise(logits: np.ndarray, token: int) -> float:
    """Return -log2 of a token's softmax among the logits (tokens,)."""
    shifted = logits - logits.max()
    return float((np.log(np.exp(shifted).sum()) - shifted[token]) / np.log(2))


def told_bars_left(prompt: np.ndarray, points: np.ndarray, until: int | None) -> np.ndarray:
    """Return the prompt (length, columns) with the number of bars that are left from each event to the song's end.

    The end lies `until` grid points after the last event; None: not known. `points` are the grid points of each step
    token. START gets no such number, nor does a prompt whose bars are not known: as in training.
    """
    told = prompt.copy()
    told[:, LEFT] = 0
    place, bar = prompt[:, PLACE], prompt[:, BAR]
    if until is None or not bar[-1]:
        return told
    # From one event to the next: how many bar lines the step crosses. Bars differ in length where the metre changes.
    over = np.rint((place[:-1] + points[prompt[1:, STEP]] - place[1:]) / np.maximum(bar[:-1], 1)).astype(np.int64)
    left = 1 + (place[-1] + until - 1) // bar[-1]
    told[:, LEFT] = np.where(bar > 0, left + np.append(np.cumsum(over[::-1])[::-1], 0), 0)
    return told


# --- how well the model knows a prompt's music ------------------------------------------------------------------------

# A prompt that the model does not expect is not a fault, but the continuation soon has little to do with it. So the
# user is told. This was measured with the model that ships, on 174 prompts (40 events, 193, and all) from 58 validation
# songs of its four sets, from which it never learned: 1 prompt takes more than LIMIT. With their events in another
# order, 136 of 144 prompts do (melodies alone: 28 of 36), and of performances of classical works (ASAP), 20 of 48.
# Durations and velocities tell less: there a played song takes more bits than a score.



TELLING = "pitch", "step"   # the attributes that are judged
JUDGED, FEWEST = 64, 32  # events at the prompt's end that are judged; with fewer than FEWEST nothing is said
MOST_READ = 193          # events of the prompt
LIMIT = 10.0             # bits an event of both attributes together


def prompt_bits(model: Checkpoint, prompt: np.ndarray) -> float | None:
    """Return the mean bits of the last events of a prompt (length, columns), each predicted from those before it; None
    if they are too few.
    """
    prompt = told_bars_left(prompt[-MOST_READ:], np.empty(0), None)  # as continuations are
    count = min(JUDGED, len(prompt) - 1)
    if count < FEWEST:
        return None
    bits = [_bits(model, attribute, prompt, count) for attribute in TELLING]
    return float(np.mean(np.sum(bits, axis=0)))


def _bits(model: Checkpoint, attribute: str, prompt: np.ndarray, count: int) -> list[float]:
    decoder = make_decoder(model.settings, attribute, model.weights[attribute], model.vocabulary)
    tokens = prompt[-count:, ATTRIBUTES.index(attribute)].tolist()
    return [surprise(logits, token) for logits, token in zip(decoder.judge(prompt, count), tokens)]
