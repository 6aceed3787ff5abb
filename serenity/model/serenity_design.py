"""Serenity's design of one attribute's transformer, whole: its weights, what it computes, and its decoder.

* Only a decoder: prompt and continuation are one row (Liu et al., arXiv 1801.10198, section 4.2.3).
* It reads all four attributes of past events, and those of the present event that are decided before its own. The four
  networks are then one model of the song: p(step) p(pitch | step) p(duration | step, pitch) p(velocity | the others).
* A token's vector is the sum of its own vector and those of its features; the same vectors score the tokens (Press &
  Wolf, arXiv 1608.05859).
* Queries and keys are turned (RoFormer, arXiv 2104.09864, section 3.2), one half of each head by the event's number,
  the other by its onset in quarters: four bars ago is one angle, in every tempo.
* It also reads where an event stands in its bars: its place, the bar's length, and how many bars are left, if known.

Layers are those of "Attention Is All You Need" (arXiv 1706.03762) with GELU (arXiv 1606.08415), with a normalisation
before each (Xiong et al., arXiv 2002.04745). `forward` is for training, on Keras; `Decoder` for generation, on NumPy. A
test holds their logits equal.
"""

import numpy as np

from serenity.model.layers import (
    Attention,
    Dense,
    FeedForward,
    Shapes,
    Turn,
    Weights,
    attention_shapes,
    centred,
    feed_forward_shapes,
    norm_shapes,
    scaled,
)
from serenity.settings import ModelSettings
from serenity.tokens.features import NUMBER, bar_numbers, bar_rows, features, step_quarters
from serenity.tokens.vocabulary import ATTRIBUTES, DECISION_ORDER, Vocabulary

CONTEXT_DIM = 64     # width in which each other attribute is read
LONGEST = 10_000.0   # events; the slowest angle's period over 2 pi
# Quarters in which the angles by onset go round once: a quarter divided by two and three, beats, bars of two, three and
# four quarters, and groups of bars up to 32. A head with more or fewer angles takes periods between these.
PERIODS = (1 / 6, 1 / 4, 1 / 3, 1 / 2, 1, 3 / 2, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128)
STEP = ATTRIBUTES.index("step")


def read_attributes(attribute: str) -> dict[str, tuple[str, ...]]:
    """Return which other attributes a network reads: `past` of the event before, `present` of the event itself."""
    return {"past": tuple(other for other in ATTRIBUTES if other != attribute),
            "present": DECISION_ORDER[:DECISION_ORDER.index(attribute)]}


def shapes(settings: ModelSettings, attribute: str) -> Shapes:
    """Return name and shape of each weight of one attribute's network."""
    network, size = settings.networks[attribute], settings.vocabulary_sizes[attribute]
    width = network.model_dim
    table = {f"embedding/{attribute}": (size, width), "embedding/features": (NUMBER[attribute], width)}
    for name, others in read_attributes(attribute).items():
        if others:  # for the other attributes the features are enough
            table |= {f"{name}/{other}": (NUMBER[other], CONTEXT_DIM) for other in others}
            table |= {f"{name}/bars": (bar_numbers(settings.codec.grid), width),
                      f"{name}/merge/kernel": (CONTEXT_DIM * len(others), width)}
    for layer in range(network.layers):
        table |= attention_shapes(f"decoder_{layer}/attention", network)
        table |= feed_forward_shapes(f"decoder_{layer}/feed_forward", network)
    return table | norm_shapes("decoder_norm", width) | {"bias": (size,)}


def frequencies(head_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the radians by event and by quarter of each of the head_dim / 2 angles of a head: float32."""
    half = head_dim // 4
    by_event, by_quarter = np.zeros((2, 2 * half), np.float32)
    by_event[:half] = LONGEST ** (-np.arange(half) / half)
    place = np.linspace(0, len(PERIODS) - 1, half)
    by_quarter[half:] = 2 * np.pi / np.exp(np.interp(place, np.arange(len(PERIODS)), np.log(PERIODS)))
    return by_event, by_quarter


class Network:
    """One attribute's network without its weights: what follows from settings and dictionaries."""

    def __init__(self, settings: ModelSettings, attribute: str, vocabulary: Vocabulary):
        self.attribute, self.column = attribute, ATTRIBUTES.index(attribute)
        self.size, self.grid, self.reach = settings.networks[attribute], settings.codec.grid, settings.reach
        self.tables = {name: features(vocabulary[name]) for name in ATTRIBUTES}
        self.read = read_attributes(attribute)
        self.by_event, self.by_quarter = frequencies(self.size.head_dim)
        self.quarters = step_quarters(vocabulary["step"], self.grid)  # of each token of step
        self.step_decided = "step" in self.read["present"]

    def forward(self, nn, inputs: dict):
        """Return the logits (batch, length, tokens) of each event of a window (see windows.Batch).

        `nn` are the layers that read the weights (transformer.Layers).
        """
        past, target = inputs["past"], inputs["target"]
        vectors = nn["embedding/" + self.attribute] + nn.matmul(self.tables[self.attribute], nn["embedding/features"])
        x = nn.take(vectors, past[..., self.column]) * self.size.model_dim ** 0.5  # arXiv 1706.03762, section 3.4
        x = x + self._context(nn, "past", past)
        if self.read["present"]:
            x = x + self._context(nn, "present", target)
        x = nn.dropout(x)
        onset = nn.ops.cumsum(nn.ops.take(self.quarters, past[..., STEP], axis=0), axis=1)
        asked = onset
        if self.step_decided:  # a query knows when its event will sound
            asked = onset + nn.ops.take(self.quarters, target[..., STEP], axis=0)
        row = (np.arange(past.shape[1])[:, None] * self.by_event).astype(np.float32)
        query_angles, key_angles = (row + quarters[..., None] * self.by_quarter for quarters in (asked, onset))
        for layer in range(self.size.layers):
            x = nn.attention(x, f"decoder_{layer}/attention", causal=True, angles=(query_angles, key_angles))
            x = nn.feed_forward(x, f"decoder_{layer}/feed_forward")
        return nn.score(nn.norm(x, "decoder_norm"), vectors)

    def _context(self, nn, name: str, events):
        """Return what the other attributes of events, and where these stand in their bars, add: (..., model_dim)."""
        read = [nn.take(nn.matmul(self.tables[other], nn[f"{name}/{other}"]), events[..., ATTRIBUTES.index(other)])
                for other in self.read[name]]
        # A product, since `take` from a weight has a sparse gradient, whose length clipping would measure wrongly.
        rows = nn.ops.one_hot(bar_rows(events, self.grid, nn.ops), bar_numbers(self.grid))
        bars = nn.matmul(nn.ops.sum(rows, axis=-2), nn[f"{name}/bars"])             # (batch, length, model_dim)
        return nn.matmul(nn.ops.concatenate(read, axis=-1), nn[f"{name}/merge/kernel"]) + bars


class Decoder(Network):
    """An attribute's network for generation, with its cache, for one prompt and what comes after it."""

    def __init__(self, settings: ModelSettings, attribute: str, weights: Weights, vocabulary: Vocabulary):
        """`weights` as in `shapes`, float32."""
        super().__init__(settings, attribute, vocabulary)
        vectors = weights[f"embedding/{attribute}"] + self.tables[attribute] @ weights["embedding/features"]
        self.own = centred(vectors * np.float32(self.size.model_dim ** 0.5))
        self.contexts = {name: Context(weights, name, others, self.tables, self.grid)
                         for name, others in self.read.items() if others}
        self.layers = [(Attention(weights, f"decoder_{layer}/attention", self.size.num_heads),
                        FeedForward(weights, f"decoder_{layer}/feed_forward")) for layer in range(self.size.layers)]
        self.logits = Dense.after_norm(weights, "decoder_norm", vectors.T, weights["bias"])

    def start(self, prompt: np.ndarray, variations: int) -> np.ndarray:
        """Read a prompt (length, columns), length 1 or more, and make room for so many continuations of it.

        If the prompt is too long, only its last events that fit are read. Returns (events, width): the last layer's
        output, from which each event's value is predicted.
        """
        prompt = prompt[-self.reach:]
        past, present = prompt[:-1], prompt[1:]
        x, onset = self._embed(past, present), np.cumsum(self._steps(past))
        turn = self._turn(np.arange(len(past)), onset, present)
        for attention, feed_forward in self.layers:
            attention.clear(variations, self.reach)
            if len(past):
                attention.within(x, turn, causal=True)
                feed_forward.add(x)
        self.position, self.onset = len(past), np.full(variations, onset[-1] if len(past) else 0.0)
        return x

    def judge(self, prompt: np.ndarray, count: int) -> np.ndarray:
        """Return the logits (count, tokens) of a prompt's last events, each predicted from the events before it."""
        return self.logits(scaled(self.start(prompt, 1)[-count:]))

    def step(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the logits (batch, tokens) of the next event's value.

        `past` (batch, columns) is the event before it. `present` (batch, columns) is the event itself; only the
        attributes that are decided before this one are read.
        """
        x = self._embed(past, present)[:, None]                                  # (batch, 1, width)
        self.onset = self.onset + self._steps(past)
        turn = self._turn(np.full(len(past), self.position), self.onset, present)
        for attention, feed_forward in self.layers:
            attention.add(x, self.position, turn)
            feed_forward.add(x)
        self.position += 1
        return self.logits(scaled(x))[:, 0]

    def _embed(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        x = self.own[past[..., self.column]]
        for name, events in (("past", past), ("present", present)):
            if name in self.contexts:
                x = x + self.contexts[name].embed(events)
        return x

    def _steps(self, events: np.ndarray) -> np.ndarray:
        return self.quarters[events[..., STEP]].astype(np.float64)

    def _turn(self, place: np.ndarray, onset: np.ndarray, present: np.ndarray) -> Turn:
        """Return how queries and keys are turned."""
        asked = onset + self._steps(present) * self.step_decided
        row = place[:, None] * self.by_event.astype(np.float64)
        return Turn.by(row + asked[:, None] * self.by_quarter, row + onset[:, None] * self.by_quarter)


class Context:
    """Other attributes of an event, and its bars: (..., columns) -> what they add to the residual stream."""

    def __init__(self, weights: Weights, name: str, attributes: tuple[str, ...], tables: dict[str, np.ndarray],
                 grid: int):
        self.grid, self.bars = grid, centred(weights[f"{name}/bars"])
        parts = np.split(centred(weights[f"{name}/merge/kernel"]), len(attributes))
        self.vectors = [(ATTRIBUTES.index(attribute), tables[attribute] @ weights[f"{name}/{attribute}"] @ part)
                        for attribute, part in zip(attributes, parts)]

    def embed(self, events: np.ndarray) -> np.ndarray:
        """Embed events (..., columns) -> (..., width)."""
        return (sum(table[events[..., column]] for column, table in self.vectors)
                + self.bars[bar_rows(events, self.grid)].sum(axis=-2))
