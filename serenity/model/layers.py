"""The layers of a transformer for generation, in plain NumPy, and the weights of each.

Generation needs no gradients and makes one event at a time, so it needs no TensorFlow, whose import alone takes longer
than a song. What attention has computed for earlier events is kept (a key/value cache), so each event costs as much
work as the one before. x is the residual stream, (..., width), and centred.

* **The same weights, rearranged once for speed**: query, key and value are one kernel. Layer normalisation takes the
  mean away, scales, multiplies and adds. Everything that is written to the residual stream is centred before, so its
  mean is 0. The factors and terms of a normalisation are folded into the kernel that reads it. Only scaling is left.
* **A ring of events**: the cache holds the keys and values of one training window of events, and the newest takes the
  place of the oldest. So in a longer song the network sees the last events only, and memory does not grow.
* **Rows alike**: arrays are (batch, 1, width), and NumPy multiplies a stack of matrices one by one: every variation
  goes through the same products of the same shape, and its last bits do not depend on how many are made together. One
  product for all rows would be a little faster (by half, at 8 rows), but it adds in another order for another number
  of rows. Sooner or later that changes a draw, and rounding does not help: values at the edge would still change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from serenity.settings import NetworkSettings

NORM_EPSILON = 1e-5  # keeps layer normalisation from dividing by 0

Weights = Mapping[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]


# --- what weights a layer has: name -> shape --------------------------------------------------------------------------

def norm_shapes(name: str, width: int) -> Shapes:
    """Return the weights of a layer normalisation."""
    return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}


def attention_shapes(name: str, network: NetworkSettings, distances: int = 0) -> Shapes:
    """Return the weights of attention and of the normalisation before it, with so many learned distances."""
    width = network.model_dim
    kernels = {f"{name}/{part}/kernel": (width, width) for part in ("query", "key", "value", "output")}
    relative = {f"{name}/relative": (network.num_heads, distances, network.head_dim)} if distances else {}
    return norm_shapes(f"{name}_norm", width) | kernels | relative


def feed_forward_shapes(name: str, network: NetworkSettings) -> Shapes:
    """Return the weights of two dense layers and of the normalisation before them."""
    width, inner = network.model_dim, network.feed_forward_dim
    return norm_shapes(f"{name}_norm", width) | {
        f"{name}/inner/kernel": (width, inner), f"{name}/inner/bias": (inner,),
        f"{name}/outer/kernel": (inner, width), f"{name}/outer/bias": (width,)}


# --- layers -----------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Dense:
    """x @ kernel + bias."""

    kernel: np.ndarray
    bias: np.ndarray

    @staticmethod
    def after_norm(weights: Weights, norm: str, kernel: np.ndarray, bias=np.float32(0)) -> "Dense":
        """Return the dense layer after a layer normalisation, changed so that it takes scaled(x) instead."""
        gamma = weights[f"{norm}/gamma"] * np.float32(len(kernel) ** 0.5)
        return Dense(gamma[:, None] * kernel, weights[f"{norm}/beta"] @ kernel + bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = x @ self.kernel
        y += self.bias
        return y


class FeedForward:
    """Two dense layers with GELU between them."""

    def __init__(self, weights: Weights, name: str):
        self.inner = Dense.after_norm(weights, f"{name}_norm", weights[f"{name}/inner/kernel"],
                                      weights[f"{name}/inner/bias"])
        self.outer = Dense(centred(weights[f"{name}/outer/kernel"]), centred(weights[f"{name}/outer/bias"]))

    def add(self, x: np.ndarray) -> None:
        """Add to x the output of the two layers for x."""
        x += self.outer(gelu(self.inner(scaled(x))))


@dataclass(frozen=True)
class Turn:
    """The angles that rows are turned by: the queries and then the keys, (rows, 2, 1, 1 or 2, head_dim / 2)."""

    cos: np.ndarray
    sin: np.ndarray  # negative for the first half of a head: what it loses by the turn, the second half gains

    @staticmethod
    def by(*angles: np.ndarray) -> "Turn":
        """Return the turn by angles (rows, head_dim / 2) of queries and of keys."""
        angles = np.stack(angles, axis=1)[:, :, None, None, :]
        sin = np.sin(angles).astype(np.float32)
        return Turn(np.cos(angles).astype(np.float32), np.concatenate([-sin, sin], axis=3))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Turn each pair (x[i], x[i + half]) of queries and keys x (rows, 2, heads, head_dim)."""
        halves = x.reshape(*x.shape[:-1], 2, -1)
        turned = halves * self.cos
        turned += halves[..., ::-1, :] * self.sin
        return turned.reshape(x.shape)


class Attention:
    """Self-attention: within a whole prompt, or from one event to those before it.

    Queries and keys are turned, if a turn is given, or learned distances are added (see the designs).
    """

    def __init__(self, weights: Weights, name: str, heads: int):
        self.heads, self.relative = heads, weights.get(f"{name}/relative")  # (heads, distance, head_dim)
        self.merged = merged(weights, name, f"{name}_norm", heads, "query", "key", "value")
        self.output = centred(weights[f"{name}/output/kernel"])
        self.head_dim = len(self.output) // heads

    def within(self, x: np.ndarray, turn: Turn | None = None, causal: bool = False) -> None:
        """Add to a whole prompt x (length, width) what its events read from each other.

        With `causal` an event reads nothing from later ones, and keys and values are kept for the events to come.
        """
        length, place = len(x), np.arange(len(x))
        made = self.merged(scaled(x)).reshape(length, 3, self.heads, self.head_dim)
        both = made[:, :2] if turn is None else turn(made[:, :2])
        query, keys, values = (part.swapaxes(0, 1) for part in (both[:, 0], both[:, 1], made[:, 2]))
        scores = query @ keys.swapaxes(1, 2)                                    # (heads, query, key)
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
            # From place `events - 1 - slot` on, this holds the distances from the event in `slot` to each slot.
            self.ring = np.tile(self.relative[:, ::-1], (1, 2, 1))

    def add(self, x: np.ndarray, position: int, turn: Turn | None = None) -> None:
        """Add to x (batch, 1, width), the event at `position`, what it reads from itself and the events before it."""
        batch, _, heads, events, head_dim = self.cache.shape
        slot, seen = position % events, min(position + 1, events)
        made = self.merged(scaled(x)).reshape(batch, 3, heads, head_dim)
        both = made[:, :2] if turn is None else turn(made[:, :2])
        self.cache[:, 0, :, slot], self.cache[:, 1, :, slot] = both[:, 1], made[:, 2]
        keys, values = self.cache[:, 0, :, :seen], self.cache[:, 1, :, :seen]
        query = both[:, 0, :, None]                                             # (batch, heads, 1, head_dim)
        scores = query @ keys.swapaxes(2, 3)                                    # (batch, heads, 1, key)
        if self.relative is not None:
            scores += query @ self.ring[:, events - 1 - slot:][:, :seen].swapaxes(1, 2)
        x += mix(scores, values).reshape(batch, 1, -1) @ self.output


class CrossAttention:
    """Attention from one event of the continuation to the encoded prompt, by learned distances."""

    def __init__(self, weights: Weights, name: str, memory_norm: str, heads: int):
        self.heads, self.relative = heads, weights[f"{name}/relative"]  # (heads, distance, head_dim), from 1 on
        self.query = merged(weights, name, f"{name}_norm", heads, "query")
        self.memory = merged(weights, name, memory_norm, heads, "key", "value")
        self.output = centred(weights[f"{name}/output/kernel"])
        self.head_dim = len(self.output) // heads

    def read(self, encoded: np.ndarray) -> None:
        """Compute and keep the keys and values of an encoded prompt (length, width); all variations share them."""
        made = self.memory(encoded).reshape(len(encoded), 2, self.heads, self.head_dim)
        self.keys, self.values = np.ascontiguousarray(np.moveaxis(made, 0, 2))  # (heads, length, head_dim)
        # From the farthest distance to the nearest; distances beyond the farthest share its vector.
        beyond = np.repeat(self.relative[:, -1:], len(encoded), axis=1)
        self.distances = np.concatenate([beyond, self.relative[:, ::-1]], axis=1)

    def add(self, x: np.ndarray, position: int) -> None:
        """Add to x (batch, 1, width), the event at `position`, what it reads from the prompt."""
        query = self.query(scaled(x)).reshape(len(x), self.heads, 1, self.head_dim)
        scores = query @ self.keys.swapaxes(1, 2)                               # (batch, heads, 1, key)
        first = max(self.relative.shape[1] - position, 0)  # the prompt's last event lies 1 before position 0
        scores += query @ self.distances[:, first:first + self.keys.shape[1]].swapaxes(1, 2)
        x += mix(scores, self.values).reshape(len(x), 1, -1) @ self.output


def merged(weights: Weights, name: str, norm: str, heads: int, *parts: str) -> Dense:
    """Return the kernels of parts of an attention as one kernel after a normalisation; the query's is scaled too."""
    kernels = [weights[f"{name}/{part}/kernel"] for part in parts]
    if parts[0] == "query":
        kernels[0] = kernels[0] * np.float32((len(kernels[0]) // heads) ** -0.5)
    return Dense.after_norm(weights, norm, np.concatenate(kernels, axis=1))


def centred(x: np.ndarray) -> np.ndarray:
    """Return x without its mean: everything that is written to the residual stream is made so."""
    return x - x.mean(axis=-1, keepdims=True)


def scaled(x: np.ndarray) -> np.ndarray:
    """Return x over the root of its sum of squares: for centred x, layer normalisation except for a constant factor."""
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
