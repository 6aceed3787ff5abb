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

from serenity.model.quartet import NORM_EPSILON, QuartetSettings, past_attributes, present_attributes
from serenity.tokens.vocabulary import ATTRIBUTES


class Decoder:
    """An attribute's transformer with its cache, for one prompt and what comes after it."""

    def __init__(self, settings: QuartetSettings, attribute: str, weights: dict[str, np.ndarray]):
        """`weights` as in quartet.weight_shapes, float32."""
        self.network, self.window = settings.networks[attribute], settings.window
        self.attribute = attribute
        context = self.network.context
        self.own = centred(weights[f"embedding/{attribute}"] * np.float32(self.network.model_dim ** 0.5))
        self.past = Context(weights, "embedding", past_attributes(attribute, context))
        self.present = Context(weights, "present", present_attributes(attribute, context))
        layers = _Layers(weights, self.network.num_heads)
        self.encoder = [(layers.attention(f"encoder_{layer}"), layers.feed_forward(f"encoder_{layer}"))
                        for layer in range(self.network.encoder_layers)]
        self.decoder = [(layers.attention(f"decoder_{layer}"), layers.cross_attention(f"decoder_{layer}"),
                         layers.feed_forward(f"decoder_{layer}")) for layer in range(self.network.decoder_layers)]
        self.logits = Dense.after_norm(weights, "decoder_norm", weights[f"embedding/{attribute}"].T,
                                       weights["logits/bias"])

    def start(self, prompt: np.ndarray, variations: int) -> None:
        """Read a prompt (length, 4), length 1 or more, and make room for so many continuations of it.

        A prompt longer than the window is an error of the caller: ValueError.
        """
        if not 1 <= len(prompt) <= self.window.prompt:
            raise ValueError(f"a prompt of {len(prompt)} events, wanted 1 to {self.window.prompt}")
        x = self._embed(prompt)                                                 # (length, width)
        for attention, feed_forward in self.encoder:
            attention.within(x)
            feed_forward.add(x)
        x = scaled(x)
        self.position = 0
        for attention, cross_attention, _ in self.decoder:
            attention.clear(variations, self.window.continuation)
            cross_attention.read(x)

    def step(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the logits (batch, tokens) of the next event's value.

        `past` (batch, 4) is the event before it; `present` (batch, 4) the event itself, of which only the attributes
        decided before this one are read.
        """
        x = self._embed(past[:, None])                                          # (batch, 1, width)
        if self.present:
            x += self.present.embed(present[:, None])
        for attention, cross_attention, feed_forward in self.decoder:
            attention.add(x, self.position)
            cross_attention.add(x, self.position)
            feed_forward.add(x)
        self.position += 1
        return self.logits(scaled(x))[:, 0]

    def _embed(self, events: np.ndarray) -> np.ndarray:
        own = self.own[events[..., ATTRIBUTES.index(self.attribute)]]
        return own + self.past.embed(events) if self.past else own


def memory_bytes(settings: QuartetSettings, variations: int) -> int:
    """Return the bytes that the caches of the four decoders hold, however long the song: float32 keys and values."""
    rows = variations * settings.window.continuation + settings.window.prompt  # the prompt's are shared
    return sum(2 * 4 * rows * network.model_dim * network.decoder_layers for network in settings.networks.values())


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


class Context:
    """Other attributes of an event: (..., 4) -> what they add to the residual stream, (..., width)."""

    def __init__(self, weights: dict[str, np.ndarray], name: str, attributes: tuple[str, ...]):
        self.tables = [(ATTRIBUTES.index(attribute), weights[f"{name}/{attribute}"]) for attribute in attributes]
        self.merge = centred(weights[f"{name}/merge/kernel"]) if attributes else None

    def __bool__(self):
        return bool(self.tables)

    def embed(self, events: np.ndarray) -> np.ndarray:
        """Embed events (..., 4) -> (..., width)."""
        return np.concatenate([table[events[..., column]] for column, table in self.tables], axis=-1) @ self.merge


class FeedForward:
    """Two dense layers with GELU between them."""

    def __init__(self, inner: Dense, outer: Dense):
        self.inner, self.outer = inner, outer

    def add(self, x: np.ndarray) -> None:
        """Add to x what it makes of x."""
        x += self.outer(gelu(self.inner(scaled(x))))


class Attention:
    """Self-attention: in the encoder within the whole prompt, in the decoder from one event to those before it."""

    def __init__(self, merged: Dense, output: np.ndarray, relative: np.ndarray):
        """`merged` makes query, key and value; `relative` (heads, distance, head_dim)."""
        self.merged, self.output, self.relative = merged, output, relative

    def within(self, x: np.ndarray) -> None:
        """Add to a whole prompt x (length, width) what its events tell each other."""
        length, (heads, distances, head_dim) = len(x), self.relative.shape
        query, keys, values = self.merged(scaled(x)).reshape(length, 3, heads, head_dim).transpose(1, 2, 0, 3)
        products = query @ self.relative.swapaxes(1, 2)                         # (heads, query, distance)
        place = np.arange(length)
        relative = products[:, place[:, None], place[:, None] - place + distances // 2]
        mixed = mix(query @ keys.swapaxes(1, 2) + relative, values)             # (heads, query, head_dim)
        x += mixed.swapaxes(0, 1).reshape(length, -1) @ self.output

    def clear(self, batch: int, events: int) -> None:
        """Make room for the keys and values of the last `events` events."""
        heads, _, head_dim = self.relative.shape
        self.cache = np.zeros((batch, 2, heads, events, head_dim), np.float32)
        # Read from place `events - 1 - slot` on, these are the distances from the event in `slot` to each slot.
        self.ring = np.tile(self.relative[:, ::-1], (1, 2, 1))

    def add(self, x: np.ndarray, position: int) -> None:
        """Add to x (batch, 1, width), the event at `position`, what it and the events before it tell."""
        batch, _, heads, events, head_dim = self.cache.shape
        slot, seen = position % events, min(position + 1, events)
        merged = self.merged(scaled(x)).reshape(batch, 3, heads, head_dim)
        self.cache[:, :, :, slot] = merged[:, 1:]
        keys, values = self.cache[:, 0, :, :seen], self.cache[:, 1, :, :seen]
        query = merged[:, 0, :, None]                                           # (batch, heads, 1, head_dim)
        scores = query @ keys.swapaxes(2, 3)                                    # (batch, heads, 1, key)
        scores += query @ self.ring[:, events - 1 - slot:][:, :seen].swapaxes(1, 2)
        x += mix(scores, values).reshape(batch, 1, -1) @ self.output


class CrossAttention:
    """Attention from one event of the continuation to the encoded prompt."""

    def __init__(self, query: Dense, memory: Dense, output: np.ndarray, relative: np.ndarray):
        """`memory` makes key and value of the encoder's output; `relative` (heads, distance, head_dim), from 1 on."""
        self.query, self.memory, self.output, self.relative = query, memory, output, relative

    def read(self, encoded: np.ndarray) -> None:
        """Keep the keys and values of an encoded prompt (length, width); all variations share them."""
        heads, distances, head_dim = self.relative.shape
        self.length = len(encoded)
        cache = self.memory(encoded).reshape(self.length, 2, heads, head_dim).transpose(1, 2, 0, 3)
        self.keys, self.values = np.ascontiguousarray(cache)                    # (heads, length, head_dim) each
        # From the farthest distance down; farther ones share the vector of the farthest.
        beyond = np.repeat(self.relative[:, -1:], self.length, axis=1)
        self.distances = np.concatenate([beyond, self.relative[:, ::-1]], axis=1)

    def add(self, x: np.ndarray, position: int) -> None:
        """Add to x (batch, 1, width), the event at `position`, what the prompt tells."""
        batch, (heads, distances, head_dim) = len(x), self.relative.shape
        query = self.query(scaled(x)).reshape(batch, heads, 1, head_dim)
        scores = query @ self.keys.swapaxes(1, 2)                               # (batch, heads, 1, key)
        first = max(distances - position, 0)  # the prompt's last event lies 1 before position 0
        scores += query @ self.distances[:, first:first + self.length].swapaxes(1, 2)
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

    def _rest(self, attention: str) -> tuple[np.ndarray, np.ndarray]:
        return centred(self.weights[f"{attention}/output/kernel"]), self.weights[f"{attention}/relative"]


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
