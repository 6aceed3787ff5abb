"""One attribute's transformer for training, on Keras: the weights of its design's table, and layers that read them.

The design says what a network computes (`forward`); here are the layers that it is made of. Training needs Keras
for gradients; generation has the same layers in NumPy (layers.py).
"""

import keras
import numpy as np
from keras import ops

from serenity.model.designs import make_network, weight_shapes
from serenity.model.fused import fused
from serenity.model.layers import NORM_EPSILON
from serenity.settings import ModelSettings
from serenity.tokens.vocabulary import Vocabulary

MASKED = -1e9  # a score that softmax turns into 0, in bfloat16 too
ROWS = 128     # queries that causal attention answers at a time

gelu = fused(lambda x: ops.gelu(x, approximate=True))
normalise = fused(lambda x, gamma, beta: ops.layer_normalization(x, gamma, beta, epsilon=NORM_EPSILON))


class Transformer(keras.Model):
    """One attribute's transformer, at first with random weights.

    Inputs, as in serenity.tokens.windows.Batch: `prompt` (batch, prompt, columns), `past` and `target` (batch, length,
    columns). In the target it reads only those attributes of the present event that are decided before its own.
    Output: logits (batch, length, tokens) in float32. Weights are named as in designs.weight_shapes.
    """

    def __init__(self, settings: ModelSettings, attribute: str, vocabulary: Vocabulary):
        super().__init__(name=attribute)
        size = settings.networks[attribute]
        self.network, self.num_heads = make_network(settings, attribute, vocabulary), size.num_heads
        self.by_name = {name: self.add_weight(shape, _initial(name, shape), name=name.replace("/", "_"))
                        for name, shape in weight_shapes(settings, attribute).items()}
        self.dropout = keras.layers.Dropout(size.dropout)
        self.built = True

    def call(self, inputs, training=False):
        return self.network.forward(Layers(self, training), inputs)


def _initial(name: str, shape: tuple[int, ...]) -> keras.initializers.Initializer:
    """Return how a weight is initialised, by its name."""
    last = name.rpartition("/")[2]
    fixed = {"gamma": "ones", "beta": "zeros", "bias": "zeros", "kernel": "glorot_uniform"}
    if last in fixed:
        return keras.initializers.get(fixed[last])
    spread = shape[-1] ** -0.5 if name.startswith("embedding/") else {"relative": 0.02, "bars": 0.1}.get(last, 1.0)
    return keras.initializers.RandomNormal(0.0, spread)


class Layers:
    """The layers while a network is computed; each reads its weights by name. x is (batch, length, width)."""

    ops = ops

    def __init__(self, network: Transformer, training: bool):
        self.network, self.training = network, training

    def __getitem__(self, name: str):
        """Return a weight, in the precision of products."""
        return ops.cast(self.network.by_name[name], self.network.compute_dtype)

    def matmul(self, x, y):
        """Return x @ y in the precision of products."""
        return ops.matmul(ops.cast(x, self.network.compute_dtype), y)

    def take(self, vectors, rows):
        """Return the vectors of the given rows: (n, width), (...) -> (..., width)."""
        return ops.take(vectors, rows, axis=0)

    def dropout(self, x):
        """Return x; in training, without a random share of its values."""
        return self.network.dropout(x, training=self.training)

    def norm(self, x, name: str):
        """Return x normalised (arXiv 1607.06450)."""
        return normalise(x, self[f"{name}/gamma"], self[f"{name}/beta"])

    def feed_forward(self, x, name: str):
        """Return x plus the output of two dense layers with GELU between them."""
        inner = self.matmul(self.norm(x, f"{name}_norm"), self[f"{name}/inner/kernel"]) + self[f"{name}/inner/bias"]
        outer = self.matmul(gelu(inner), self[f"{name}/outer/kernel"]) + self[f"{name}/outer/bias"]
        return x + self.dropout(outer)

    def attention(self, x, name: str, memory=None, angles=(None, None), **how):
        """Return x plus the output of multi-head attention: to `memory` (batch, key, width), or within x.

        `angles` turn queries and keys, (batch or 1, length, head_dim / 2) each; `how` as in `attend`.
        """
        heads, width, queries = self.network.num_heads, x.shape[-1], self.norm(x, f"{name}_norm")
        memory = queries if memory is None else memory
        parts = {"query": (queries, angles[0]), "key": (memory, angles[1]), "value": (memory, None)}
        query, key, value = (split_heads(self.matmul(read, self[f"{name}/{part}/kernel"]), heads, turned)
                             for part, (read, turned) in parts.items())
        relative = self[f"{name}/relative"] if f"{name}/relative" in self.network.by_name else None
        mixed = attend(query * (width // heads) ** -0.5, key, value, relative=relative, **how)
        mixed = ops.reshape(ops.swapaxes(mixed, 1, 2), (-1, x.shape[1], width))
        return x + self.dropout(self.matmul(mixed, self[f"{name}/output/kernel"]))

    def score(self, x, vectors):
        """Return each token's score (batch, length, tokens) in float32."""
        return ops.cast(self.matmul(x, ops.transpose(vectors)), "float32") + ops.cast(self["bias"], "float32")


# --- attention: (batch, heads, length, head_dim) ----------------------------------------------------------------------

def split_heads(x, heads: int, angles=None):
    """Split (batch, length, width) into heads, and turn them by angles (batch or 1, length, head_dim / 2)."""
    x = ops.reshape(x, (-1, x.shape[1], heads, x.shape[2] // heads))
    if angles is not None:
        x = turn(x, angles[:, :, None])
    return ops.swapaxes(x, 1, 2)


def turn(x, angles):
    """Turn each pair (x[i], x[i + half]) of (..., head_dim) by its angle (..., head_dim / 2)."""
    cos, sin = ops.cast(ops.cos(angles), x.dtype), ops.cast(ops.sin(angles), x.dtype)
    first, second = ops.split(x, 2, axis=-1)
    return ops.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def attend(query, key, value, causal: bool = False, key_mask=None, relative=None, lowest: int = 0, offset: int = 0):
    """Return the values, mixed by softmax(query @ key). With `causal` no query sees a later key.

    Causal queries are computed ROWS at a time. key_mask (batch, key) bool says which keys are there; every query must
    see at least one. `relative` (heads, distance, head_dim) are learned distances from `lowest` on; distances beyond
    the last share its vector. Query i and key j are `i - j + offset` events apart: offset is 0 if keys and queries are
    the same events, and the number of keys if the keys are the events right before the queries.
    """
    length = query.shape[2]
    edges = [*range(ROWS, length, ROWS)] if causal else []
    mixed = []
    for first, last in zip((0, *edges), (*edges, length)):
        seen = last if causal else key.shape[2]
        part = query[:, :, first:last]
        scores = ops.matmul(part, ops.swapaxes(key[:, :, :seen], 2, 3))          # (batch, heads, query, key)
        if relative is not None:
            scores = scores + relative_scores(part, relative, seen, lowest, offset + first, causal)
        if causal:
            scores = scores + ops.cast(future(first, seen), scores.dtype)
        if key_mask is not None:
            scores = scores + ops.cast(ops.where(key_mask[:, :seen], 0.0, MASKED), scores.dtype)[:, None, None]
        mixed.append(ops.matmul(ops.softmax(scores), value[:, :, :seen]))
    return ops.concatenate(mixed, axis=2)


def relative_scores(query, relative, keys: int, lowest: int, offset: int, causal: bool):
    """Return what learned distances add to the scores: (batch, heads, query, key).

    The products are taken for all distances at once and then skewed into place, so that no (query, key, head_dim)
    tensor ever exists (arXiv 1809.04281, section 3.4).
    """
    length = query.shape[2]
    # From the farthest distance to the nearest. A causal query needs none below 0: those keys are masked.
    columns = keys if causal else length + keys - 1
    distances = offset + length - 1 - np.arange(columns) - lowest
    rows = ops.take(relative, np.clip(distances, 0, relative.shape[1] - 1), axis=1)  # (heads, distance, head_dim)
    return skew(ops.matmul(query, ops.swapaxes(rows, 1, 2)))[..., :keys]


def skew(products):
    """Shift row i of (batch, heads, query, distance) left by query - 1 - i, so that column j is key j.

    One column of padding and two reshapes do it (arXiv 1809.04281, figure 3).
    """
    _, heads, length, columns = products.shape
    padded = ops.pad(products, ((0, 0), (0, 0), (0, 0), (1, 0)))
    flat = ops.reshape(padded, (-1, heads, length * (columns + 1)))
    return ops.reshape(flat[..., length:], (-1, heads, length, columns))


def future(first: int, last: int) -> np.ndarray:
    """Return the mask (last - first, last) that hides later keys from the queries `first` to `last`."""
    return np.triu(np.full((last - first, last), MASKED, np.float32), first + 1)


# --- weights ----------------------------------------------------------------------------------------------------------

def get_weights(network: Transformer) -> dict[str, np.ndarray]:
    """Return the weights of a network as NumPy arrays by name (see designs.weight_shapes)."""
    return {name: ops.convert_to_numpy(variable.value) for name, variable in network.by_name.items()}


def set_weights(network: Transformer, weights: dict[str, np.ndarray]) -> None:
    """Give a network its weights by name. The inverse of get_weights. Raises ValueError if they do not fit."""
    if set(network.by_name) != set(weights):
        raise ValueError(f"weights that do not fit: {', '.join(sorted(set(network.by_name) ^ set(weights)))}")
    for name, variable in network.by_name.items():
        variable.assign(weights[name])
