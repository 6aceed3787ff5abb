"""One attribute's transformer for generation: the same network as transformer.py, an event at a time, in plain NumPy.

Generation needs no gradients and makes one event at a time, so it needs no TensorFlow, whose import alone takes longer
than a song. What attention has computed of earlier events is kept (a key/value cache), so each event costs the same
work as the one before. A test holds the logits equal to the Keras network's.

* **The same weights, laid out for speed**, once: query, key and value are one kernel. Layer normalisation takes the
  mean away, scales, multiplies and adds; whatever is written to the residual stream is centred beforehand, so that its
  mean is 0, and what normalisation multiplies and adds is folded into the kernel that reads it. The scale is left.
* **A ring of events**: past the window that it was trained on, the network sees the events that lie one window back.
  The cache holds that many, the newest in the place of the oldest, so memory does not grow with the song.
* **Rows alike**: arrays are (batch, 1, width), and NumPy multiplies a stack of matrices one by one: every variation
  goes through the same products of the same shape, and its last bits do not depend on how many are made together. One
  product for all rows would be a little faster (by half, at 8 rows), but sums up in another order for another number
  of rows. That flips a draw sooner or later, and no rounding helps: values at the edge flip all the same.
"""

from dataclasses import dataclass

import numpy as np

from serenity.model.positions import frequencies, sinusoids
from serenity.model.quartet import NORM_EPSILON, QuartetSettings, past_attributes, present_attributes
from serenity.tokens.features import bar_rows, features, step_quarters
from serenity.tokens.vocabulary import ATTRIBUTES, Vocabulary

# A decoder with an encoder reads the prompt's last events itself before it goes on. Right after an encoded prompt it
# would have no past of its own, and the first events, which must join the intro, would be guessed worst
# (docs/history.md).
WARM_UP = 16  # events


class Decoder:
    """An attribute's transformer with its cache, for one prompt and what comes after it."""

    def __init__(self, settings: QuartetSettings, attribute: str, weights: dict[str, np.ndarray],
                 vocabulary: Vocabulary):
        """`weights` as in quartet.weight_shapes, float32."""
        self.network, self.window = settings.networks[attribute], settings.window
        self.column, self.reach = ATTRIBUTES.index(attribute), settings.reach(attribute)
        past, decided = (reads(settings, attribute) for reads in (past_attributes, present_attributes))
        tables = {name: features(vocabulary[name]) for name in ATTRIBUTES} if self.network.composed else {}
        vectors = token_vectors(weights, "embedding", attribute, tables)
        self.own = centred(vectors * np.float32(self.network.model_dim ** 0.5))
        self.past, self.present = (Context(weights, name, others, tables, settings.codec.grid)
                                   for name, others in (("past", past), ("present", decided)))
        layers = _Layers(weights, self.network.num_heads)
        self.encoder = [(layers.attention(f"encoder_{layer}"), layers.feed_forward(f"encoder_{layer}"))
                        for layer in range(self.network.encoder_layers)]
        self.decoder = [(layers.attention(f"decoder_{layer}"),
                         layers.cross_attention(f"decoder_{layer}") if self.encoder else None,
                         layers.feed_forward(f"decoder_{layer}")) for layer in range(self.network.decoder_layers)]
        scored = vectors if self.network.tied else token_vectors(weights, "logits", attribute, tables)
        self.logits = Dense.after_norm(weights, "decoder_norm", scored.T, weights["bias"])
        by_event, self.by_quarter = frequencies(self.network.positions, self.network.head_dim)
        self.by_event, self.turns = by_event.astype(np.float64), bool(by_event.any())
        timed = self.network.positions == "onset"
        self.quarters = (step_quarters(vocabulary["step"], settings.codec.grid) if timed
                         else np.zeros(vocabulary["step"].size, np.float32))
        self.step_decided = "step" in decided

    def start(self, prompt: np.ndarray, variations: int) -> None:
        """Read a prompt (length, columns), length 1 or more, and make room for so many continuations of it.

        Of a long prompt the last events that fit are read.
        """
        for attention, _, _ in self.decoder:
            attention.clear(variations, self.reach)
        if self.encoder:
            warm_up = min(WARM_UP, len(prompt) // 2)
            encoded, read = np.split(prompt, [len(prompt) - warm_up])
            self._encode(encoded[-self.window.prompt:], variations)
            for past, present in zip(np.concatenate([encoded[-1:], read]), read):
                self.step(*np.repeat([[past], [present]], variations, axis=1))
        else:
            self._read(prompt[-self.reach:], variations)

    def _encode(self, prompt: np.ndarray, variations: int) -> None:
        x = self._embed(prompt, self.window.prompt - len(prompt))               # (length, width)
        steps = self._steps(prompt)
        onset = np.cumsum(steps) - steps.sum()
        turn = self._turn(np.arange(-len(prompt), 0), onset, onset)
        for attention, feed_forward in self.encoder:
            attention.within(x, turn)
            feed_forward.add(x)
        x = scaled(x)
        for _, cross_attention, _ in self.decoder:
            cross_attention.read(x, turn and turn[1])
        self.position, self.onset = 0, np.full(variations, -steps[-1], np.float64)  # the row begins with the last event

    def _read(self, prompt: np.ndarray, variations: int) -> None:
        past, present = prompt[:-1], prompt[1:]
        x, onset = self._embed(past, 0), np.cumsum(self._steps(past))
        if self.present:
            x = x + self.present.embed(present)
        place = np.arange(len(past))
        turn = self._turn(place, onset + self._steps(present) * self.step_decided, onset)
        for attention, _, feed_forward in self.decoder if len(past) else ():
            attention.within(x, turn, causal=True)
            feed_forward.add(x)
        self.position, self.onset = len(past), np.full(variations, onset[-1] if len(past) else 0.0)

    def step(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the logits (batch, tokens) of the next event's value.

        `past` (batch, columns) is the event before it; `present` (batch, columns) the event itself, of which only what
        is decided before this attribute is read.
        """
        # The prompt's last event counts as place `prompt` of the window, with an encoder: sinusoids go on from there.
        x = self._embed(past[:, None], self.position + (self.window.prompt if self.encoder else 0))
        if self.present:
            x = x + self.present.embed(present[:, None])                           # (batch, 1, width)
        self.onset = self.onset + self._steps(past)
        place = np.full(len(past), self.position)
        turn = self._turn(place, self.onset + self._steps(present) * self.step_decided, self.onset)
        for attention, cross_attention, feed_forward in self.decoder:
            attention.add(x, self.position, turn)
            if cross_attention:
                cross_attention.add(x, self.position, turn and turn[0])
            feed_forward.add(x)
        self.position += 1
        return self.logits(scaled(x))[:, 0]

    def _embed(self, events: np.ndarray, first: int) -> np.ndarray:
        """Embed events (..., length, columns), the `first` one so many after the window's beginning."""
        x = self.own[events[..., self.column]]
        if self.past:
            x = x + self.past.embed(events)
        if self.network.positions == "sinusoidal":
            x = x + centred(sinusoids(first + np.arange(events.shape[-2]), self.network.model_dim))
        return x

    def _steps(self, events: np.ndarray) -> np.ndarray:
        return self.quarters[events[..., ATTRIBUTES.index("step")]].astype(np.float64)

    def _turn(self, place: np.ndarray, asked: np.ndarray, onset: np.ndarray) -> "Turn | None":
        """Return what turns the queries of events at places, asked for quarters, and their keys."""
        if not self.turns:
            return None
        by_place = place[:, None] * self.by_event
        return Turn.by(by_place + asked[:, None] * self.by_quarter, by_place + onset[:, None] * self.by_quarter)


# --- the layers, as in transformer.py; x is the residual stream, (..., width), and centred ----------------------------

@dataclass(frozen=True)
class Dense:
    """x @ kernel + bias."""

    kernel: np.ndarray
    bias: np.ndarray

    @staticmethod
    def after_norm(weights: dict[str, np.ndarray], norm: str, kernel: np.ndarray, bias=np.float32(0)) -> "Dense":
        """Return what follows upon a layer normalisation, such that it takes scaled(x) instead."""
        gamma = weights[f"{norm}/gamma"] * np.float32(len(kernel) ** 0.5)
        return Dense(gamma[:, None] * kernel, weights[f"{norm}/beta"] @ kernel + bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = x @ self.kernel
        y += self.bias
        return y


def token_vectors(weights: dict[str, np.ndarray], name: str, attribute: str,
                  tables: dict[str, np.ndarray]) -> np.ndarray:
    """Return the vectors of an attribute's tokens, with what its features add: (tokens, width)."""
    own = weights[f"{name}/{attribute}"]
    return own + tables[attribute] @ weights[f"{name}/features"] if tables else own


class Context:
    """Other attributes of an event: (..., columns) -> what they add to the residual stream, (..., width)."""

    def __init__(self, weights: dict[str, np.ndarray], name: str, attributes: tuple[str, ...],
                 tables: dict[str, np.ndarray], grid: int):
        self.grid, self.bars = grid, centred(weights[f"{name}/bars"]) if attributes else None
        self.vectors = []  # a table of each attribute that is read, already projected to the residual stream
        merge = centred(weights[f"{name}/merge/kernel"]) if attributes else None
        for number, attribute in enumerate(attributes):
            vectors = weights[f"{name}/{attribute}"]
            if tables:
                vectors = tables[attribute] @ vectors
            width = vectors.shape[1]
            self.vectors.append((ATTRIBUTES.index(attribute), vectors @ merge[number * width:(number + 1) * width]))

    def __bool__(self):
        return bool(self.vectors)

    def embed(self, events: np.ndarray) -> np.ndarray:
        """Embed events (..., columns) -> (..., width)."""
        return (sum(table[events[..., column]] for column, table in self.vectors)
                + self.bars[bar_rows(events, self.grid)].sum(axis=-2))


@dataclass(frozen=True)
class Turn:
    """By which angles rows are turned: the queries and then the keys, (rows, 2, 1, 1 or 2, head_dim / 2)."""

    cos: np.ndarray
    sin: np.ndarray  # negative for the first half of a head: what it loses by the turn the second gains

    @staticmethod
    def by(*angles: np.ndarray) -> "Turn":
        """Return what turns by angles (rows, head_dim / 2), of queries and of keys."""
        angles = np.stack(angles, axis=1)[:, :, None, None, :]
        sin = np.sin(angles).astype(np.float32)
        return Turn(np.cos(angles).astype(np.float32), np.concatenate([-sin, sin], axis=3))

    def __getitem__(self, part: int) -> "Turn":
        """Return what turns queries, 0, or keys, 1, alone: (rows, heads, head_dim)."""
        return Turn(self.cos[:, part], self.sin[:, part])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Turn each pair (x[i], x[i + half]) of queries and keys x (rows, 2, heads, head_dim)."""
        halves = x.reshape(*x.shape[:-1], 2, -1)
        turned = halves * self.cos
        turned += halves[..., ::-1, :] * self.sin
        return turned.reshape(x.shape)


def turned(x: np.ndarray, turn: Turn | None) -> np.ndarray:
    """Return x as it is turned, or as it is."""
    return turn(x) if turn else x


class FeedForward:
    """Two dense layers with GELU between them."""

    def __init__(self, inner: Dense, outer: Dense):
        self.inner, self.outer = inner, outer

    def add(self, x: np.ndarray) -> None:
        """Add to x what it makes of x."""
        x += self.outer(gelu(self.inner(scaled(x))))


class Attention:
    """Self-attention: within a whole prompt, or from one event to those before it."""

    def __init__(self, merged: Dense, output: np.ndarray, relative: np.ndarray | None, heads: int):
        """`merged` makes query, key and value; `relative` (heads, distance, head_dim) are learned distances."""
        self.merged, self.output, self.relative, self.heads = merged, output, relative, heads
        self.head_dim = len(output) // heads
        self.cache = None

    def within(self, x: np.ndarray, turn: Turn | None, causal: bool = False) -> None:
        """Add to a whole prompt x (length, width) what its events tell each other.

        With `causal` none hears of those after it, and what was told is kept for the events to come.
        """
        length = len(x)
        merged = self.merged(scaled(x)).reshape(length, 3, self.heads, self.head_dim)
        both = turned(merged[:, :2], turn)
        query, keys, values = (part.swapaxes(0, 1) for part in (both[:, 0], both[:, 1], merged[:, 2]))
        # each (heads, length, head_dim)
        scores = query @ keys.swapaxes(1, 2)
        place = np.arange(length)
        if self.relative is not None:
            products = query @ self.relative.swapaxes(1, 2)                     # (heads, query, distance)
            distances = place[:, None] - place + (0 if causal else self.relative.shape[1] // 2)
            scores += products[:, place[:, None], np.maximum(distances, 0)]     # below 0 it is masked
        if causal:
            scores[:, place[:, None] < place] = -np.inf
            self.cache[:, :, :, :length] = np.stack([keys, values])
        x += mix(scores, values).swapaxes(0, 1).reshape(length, -1) @ self.output

    def clear(self, batch: int, events: int) -> None:
        """Make room for the keys and values of the last `events` events."""
        self.cache = np.zeros((batch, 2, self.heads, events, self.head_dim), np.float32)
        if self.relative is not None:
            # Read from place `events - 1 - slot` on, these are the distances from the event in `slot` to each slot.
            self.ring = np.tile(self.relative[:, ::-1], (1, 2, 1))

    def add(self, x: np.ndarray, position: int, turn: Turn | None) -> None:
        """Add to x (batch, 1, width), the event at `position`, what it and the events before it tell."""
        batch, _, heads, events, head_dim = self.cache.shape
        slot, seen = position % events, min(position + 1, events)
        merged = self.merged(scaled(x)).reshape(batch, 3, heads, head_dim)
        both = turned(merged[:, :2], turn)
        self.cache[:, 0, :, slot], self.cache[:, 1, :, slot] = both[:, 1], merged[:, 2]
        keys, values = self.cache[:, 0, :, :seen], self.cache[:, 1, :, :seen]
        query = both[:, 0, :, None]                                             # (batch, heads, 1, head_dim)
        scores = query @ keys.swapaxes(2, 3)                                    # (batch, heads, 1, key)
        if self.relative is not None:
            scores += query @ self.ring[:, events - 1 - slot:][:, :seen].swapaxes(1, 2)
        x += mix(scores, values).reshape(batch, 1, -1) @ self.output


class CrossAttention:
    """Attention from one event of the continuation to the encoded prompt."""

    def __init__(self, query: Dense, memory: Dense, output: np.ndarray, relative: np.ndarray | None, heads: int):
        """`memory` makes key and value of the encoder's output; `relative` (heads, distance, head_dim), from 1 on."""
        self.query, self.memory, self.output, self.relative, self.heads = query, memory, output, relative, heads
        self.head_dim = len(output) // heads

    def read(self, encoded: np.ndarray, turn: Turn | None) -> None:
        """Keep the keys and values of an encoded prompt (length, width); all variations share them."""
        length = len(encoded)
        keys, values = np.moveaxis(self.memory(encoded).reshape(length, 2, self.heads, self.head_dim), 1, 0)
        self.keys, self.values = (np.ascontiguousarray(part.swapaxes(0, 1))     # (heads, length, head_dim)
                                  for part in (turned(keys, turn), values))
        if self.relative is not None:
            # From the farthest distance down; farther ones share the vector of the farthest.
            beyond = np.repeat(self.relative[:, -1:], length, axis=1)
            self.distances = np.concatenate([beyond, self.relative[:, ::-1]], axis=1)

    def add(self, x: np.ndarray, position: int, turn: Turn | None) -> None:
        """Add to x (batch, 1, width), the event at `position`, what the prompt tells."""
        batch = len(x)
        query = turned(self.query(scaled(x)).reshape(batch, self.heads, self.head_dim), turn)[:, :, None]
        scores = query @ self.keys.swapaxes(1, 2)                               # (batch, heads, 1, key)
        if self.relative is not None:
            first = max(self.relative.shape[1] - position, 0)  # the prompt's last event lies 1 before position 0
            scores += query @ self.distances[:, first:first + self.keys.shape[1]].swapaxes(1, 2)
        x += mix(scores, self.values).reshape(batch, 1, -1) @ self.output


class _Layers:
    """Makes the layers out of a network's weights by name."""

    def __init__(self, weights: dict[str, np.ndarray], heads: int):
        self.weights, self.heads = weights, heads

    def feed_forward(self, name: str) -> FeedForward:
        kernels = {part: self.weights[f"{name}/feed_forward/{part}/kernel"] for part in ("inner", "outer")}
        biases = {part: self.weights[f"{name}/feed_forward/{part}/bias"] for part in ("inner", "outer")}
        return FeedForward(
            Dense.after_norm(self.weights, f"{name}/feed_forward_norm", kernels["inner"], biases["inner"]),
            Dense(centred(kernels["outer"]), centred(biases["outer"])))

    def attention(self, name: str) -> Attention:
        merged = self._dense(f"{name}/attention_norm", f"{name}/attention", "query", "key", "value")
        return Attention(merged, *self._rest(f"{name}/attention"))

    def cross_attention(self, name: str) -> CrossAttention:
        query = self._dense(f"{name}/cross_attention_norm", f"{name}/cross_attention", "query")
        memory = self._dense("encoder_norm", f"{name}/cross_attention", "key", "value")
        return CrossAttention(query, memory, *self._rest(f"{name}/cross_attention"))

    def _dense(self, norm: str, attention: str, *parts: str) -> Dense:
        kernels = [self.weights[f"{attention}/{part}/kernel"] for part in parts]
        if parts[0] == "query":
            kernels[0] = kernels[0] * np.float32((len(kernels[0]) // self.heads) ** -0.5)
        return Dense.after_norm(self.weights, norm, np.concatenate(kernels, axis=1))

    def _rest(self, attention: str) -> tuple[np.ndarray, np.ndarray | None, int]:
        output, relative = self.weights[f"{attention}/output/kernel"], self.weights.get(f"{attention}/relative")
        return centred(output), relative, self.heads


def centred(x: np.ndarray) -> np.ndarray:
    """Return what is written to the residual stream, without its mean."""
    return x - x.mean(axis=-1, keepdims=True)


def scaled(x: np.ndarray) -> np.ndarray:
    """Return x over the root of its sum of squares: layer normalisation of what is centred, but for a constant."""
    return x / np.sqrt(np.vecdot(x, x) + np.float32(NORM_EPSILON * x.shape[-1]))[..., None]


def mix(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return softmax(scores) @ values: (..., query, key), (..., key, head_dim) -> (..., query, head_dim).

    The scores are overwritten.
    """
    scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    mixed = scores @ values
    mixed /= np.add.reduce(scores, axis=-1, keepdims=True)
    return mixed


def gelu(x: np.ndarray) -> np.ndarray:
    """Return GELU in its tanh form (arXiv 1606.08415, section 2)."""
    y = x * x
    y *= np.float32(0.044715 * (2 / np.pi) ** 0.5)
    y += np.float32((2 / np.pi) ** 0.5)
    y *= x
    np.tanh(y, out=y)
    y += 1
    y *= x
    y *= np.float32(0.5)
    return y
