"""Relative attention as a Keras layer.

Attention has no sense of place of its own. Each head here learns one vector for each distance between two events, and
a query's product with it is added to its score: Shaw et al. (arXiv 1803.02155), in the memory-saving form of Huang et
al., "Music Transformer" (arXiv 1809.04281, section 3.4): the products are taken for all distances at once and then
skewed into place, so that no (query, key, head_dim) tensor ever exists.
"""

import keras
import numpy as np
from keras import ops

MASKED = -1e9  # a score that softmax turns into 0, in bfloat16 too


class RelativeAttention(keras.layers.Layer):
    """Multi-head attention with learned relative positions.

    Query i and key j are `i - j + offset` events apart; offset is 0 where keys and queries are the same events, and the
    number of keys where the keys are the events right before the queries. Distances reach from `lowest` to `highest`;
    farther ones share the vector of the farthest. With `causal`, no query sees a key after it.
    """

    def __init__(self, num_heads: int, head_dim: int, lowest: int, highest: int, causal: bool = False,
                 dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.head_dim = num_heads, head_dim
        self.lowest, self.highest, self.causal = lowest, highest, causal
        width = num_heads * head_dim
        self.query, self.key, self.value, self.output_projection = (
            keras.layers.Dense(width, use_bias=False, name=name) for name in ("query", "key", "value", "output"))
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, queries_shape, memory_shape):
        self.query.build(queries_shape)
        self.key.build(memory_shape)
        self.value.build(memory_shape)
        self.output_projection.build(queries_shape)
        self.relative = self.add_weight(name="relative", initializer=keras.initializers.RandomNormal(0.02),
                                        shape=(self.num_heads, self.highest - self.lowest + 1, self.head_dim))

    def call(self, queries, memory, key_mask=None, offset=0, training=False):
        """Attend from queries (batch, query, width) to memory (batch, key, width) -> (batch, query, width).

        key_mask (batch, key) bool tells which keys are there; every query must see at least one.
        """
        query = self._heads(self.query(queries))       # (batch, heads, query, head_dim)
        key = self._heads(self.key(memory))            # (batch, heads, key, head_dim)
        value = self._heads(self.value(memory))
        length, keys = queries.shape[1], memory.shape[1]
        query = query * self.head_dim ** -0.5

        scores = ops.matmul(query, ops.swapaxes(key, 2, 3))                      # (batch, heads, query, key)
        # From the farthest distance down. A causal query needs none below 0: what lies there is masked.
        columns = length if self.causal else length + keys - 1
        distances = np.clip(offset + length - 1 - np.arange(columns), self.lowest, self.highest) - self.lowest
        relative = ops.take(self.relative, distances, axis=1)                    # (heads, distance, head_dim)
        products = ops.matmul(query, ops.swapaxes(relative, 1, 2))               # (batch, heads, query, distance)
        scores = scores + skew(products)[..., :keys]

        if self.causal:
            future = np.triu(np.full((length, keys), MASKED, np.float32), 1)
            scores = scores + ops.cast(future, scores.dtype)
        if key_mask is not None:
            absent = ops.cast(ops.logical_not(key_mask), scores.dtype) * MASKED
            scores = scores + absent[:, None, None, :]
        weights = self.dropout(ops.softmax(scores), training=training)           # (batch, heads, query, key)
        mixed = ops.swapaxes(ops.matmul(weights, value), 1, 2)                   # (batch, query, heads, head_dim)
        return self.output_projection(ops.reshape(mixed, (-1, length, self.num_heads * self.head_dim)))

    def _heads(self, x):
        return ops.swapaxes(ops.reshape(x, (-1, x.shape[1], self.num_heads, self.head_dim)), 1, 2)


def skew(products):
    """Shift row i of (batch, heads, query, distance) left by query - 1 - i, so that column j is key j.

    One column of padding and two reshapes do it (arXiv 1809.04281, figure 3).
    """
    _, heads, length, columns = products.shape
    padded = ops.pad(products, ((0, 0), (0, 0), (0, 0), (1, 0)))
    flat = ops.reshape(padded, (-1, heads, length * (columns + 1)))
    return ops.reshape(flat[..., length:], (-1, heads, length, columns))
