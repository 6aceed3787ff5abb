"""Generation: read the prompt once, then decide one event after another, attribute by attribute."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from serenity.errors import InputError
from serenity.model.checkpoint import Checkpoint
from serenity.model.designs import make_decoder
from serenity.model.sampling import FORBIDDEN, Guard, Sampling, sample
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
