"""Multi-head attention, with three ways to tell where an event stands: not at all, by turning, by learned distances.

"Attention Is All You Need" (arXiv 1706.03762, section 3.2). Rotary positions: RoFormer (arXiv 2104.09864, section
3.2.2). Learned distances: a vector for each head and distance is added to the key before the product with the query
(Shaw et al., arXiv 1803.02155, equation 4), by the method of "Music Transformer" (arXiv 1809.04281, section 3.4): the
products are taken for all distances at once and then skewed into place, so that no (query, key, head_dim) tensor ever
exists.
"""

import keras
import numpy as np
from keras import ops

MASKED = -1e9  # a score that softmax turns into 0, in bfloat16 too
ROWS = 128     # queries that causal attention answers at a time


class Attention(keras.layers.Layer):
    """Multi-head attention. With `causal`, no query sees a key after it."""

    def __init__(self, num_heads: int, head_dim: int, causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.head_dim, self.causal = num_heads, head_dim, causal
        self.query, self.key, self.value, self.output_projection = (
            keras.layers.Dense(num_heads * head_dim, use_bias=False, name=name)
            for name in ("query", "key", "value", "output"))

    def build(self, queries_shape, memory_shape):
        self.query.build(queries_shape)
        self.key.build(memory_shape)
        self.value.build(memory_shape)
        self.output_projection.build(queries_shape)

    def call(self, queries, memory, key_mask=None, query_angles=None, key_angles=None):
        """Attend from queries (batch, query, width) to memory (batch, key, width) -> (batch, query, width).

        key_mask (batch, key) bool tells which keys are there; every query must see at least one. Angles (batch or 1,
        length, head_dim / 2) turn queries and keys; without them they are left as they are.
        """
        query = self.heads(self.query(queries) * self.head_dim ** -0.5, query_angles)  # (batch, heads, query, head_dim)
        key, value = self.heads(self.key(memory), key_angles), self.heads(self.value(memory))
        length = query.shape[2]
        edges = [*range(ROWS, length, ROWS)] if self.causal else []
        queries, keys, values = (ops.split(x, edges, axis=2) if edges else [x] for x in (query, key, value))
        mixed = []
        for number, first in enumerate((0, *edges), 1):
            seen, told = (ops.concatenate(parts[:number], axis=2) for parts in (keys, values))
            there = None if key_mask is None else key_mask[:, :seen.shape[2]]
            mixed.append(self.mix(queries[number - 1], seen, told, first, there))
        mixed = ops.concatenate(mixed, axis=2)
        mixed = ops.reshape(ops.swapaxes(mixed, 1, 2), (-1, length, self.num_heads * self.head_dim))
        return self.output_projection(mixed)

    def mix(self, query, key, value, first: int, key_mask):
        """Return values, mixed as queries ask of keys: (batch, heads, query, head_dim).

        `first` is the number of the first of the queries.
        """
        scores = self.scores(query, key, first)                                  # (batch, heads, query, key)
        if self.causal:
            scores = scores + ops.cast(future(first, key.shape[2]), scores.dtype)
        if key_mask is not None:
            scores = scores + ops.cast(ops.where(key_mask, 0.0, MASKED), scores.dtype)[:, None, None]
        return ops.matmul(ops.softmax(scores), value)

    def scores(self, query, key, first: int):
        """Return how much each query asks of each key."""
        return ops.matmul(query, ops.swapaxes(key, 2, 3))

    def heads(self, x, angles=None):
        """Split (batch, length, width) into heads, and turn them: (batch, heads, length, head_dim)."""
        x = ops.reshape(x, (-1, x.shape[1], self.num_heads, self.head_dim))
        if angles is not None:
            x = turn(x, angles[:, :, None])
        return ops.swapaxes(x, 1, 2)


class RelativeAttention(Attention):
    """Attention with learned relative positions.

    Query i and key j are `i - j + offset` events apart; offset is 0 where keys and queries are the same events, and the
    number of keys where the keys are the events right before the queries. Distances reach from `lowest` to `highest`;
    farther ones share the vector of the farthest.
    """

    def __init__(self, num_heads: int, head_dim: int, lowest: int, highest: int, offset: int = 0, **kwargs):
        super().__init__(num_heads, head_dim, **kwargs)
        self.lowest, self.highest, self.offset = lowest, highest, offset

    def build(self, queries_shape, memory_shape):
        super().build(queries_shape, memory_shape)
        self.relative = self.add_weight(name="relative", initializer=keras.initializers.RandomNormal(0.02),
                                        shape=(self.num_heads, self.highest - self.lowest + 1, self.head_dim))

    def scores(self, query, key, first: int):
        length, keys = query.shape[2], key.shape[2]
        # From the farthest distance down. A causal query needs none below 0: what lies there is masked.
        columns = keys if self.causal else length + keys - 1
        farthest = self.offset + first + length - 1
        distances = np.clip(farthest - np.arange(columns), self.lowest, self.highest) - self.lowest
        relative = ops.take(self.relative, distances, axis=1)                    # (heads, distance, head_dim)
        products = ops.matmul(query, ops.swapaxes(relative, 1, 2))               # (batch, heads, query, distance)
        return super().scores(query, key, first) + skew(products)[..., :keys]


def skew(products):
    """Shift row i of (batch, heads, query, distance) left by query - 1 - i, so that column j is key j.

    One column of padding and two reshapes do it (arXiv 1809.04281, figure 3).
    """
    _, heads, length, columns = products.shape
    padded = ops.pad(products, ((0, 0), (0, 0), (0, 0), (1, 0)))
    flat = ops.reshape(padded, (-1, heads, length * (columns + 1)))
    return ops.reshape(flat[..., length:], (-1, heads, length, columns))


def future(first: int, last: int) -> np.ndarray:
    """Return the mask (last - first, last) that hides from the queries from `first` on the keys after them."""
    return np.triu(np.full((last - first, last), MASKED, np.float32), first + 1)


def turn(x, angles):
    """Turn each pair (x[i], x[i + half]) of (..., head_dim) by its angle (..., head_dim / 2)."""
    cos, sin = ops.cast(ops.cos(angles), x.dtype), ops.cast(ops.sin(angles), x.dtype)
    first, second = ops.split(x, 2, axis=-1)
    return ops.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)
