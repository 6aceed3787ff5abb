"""One attribute's transformer, from leaf to root: feed-forward, encoder layer, decoder layer, embedding, network.

"Attention Is All You Need" (arXiv 1706.03762) with GELU (arXiv 1606.08415, the tanh form), and normalisation before
each sub-layer rather than after it: such networks train without a long warm-up (Xiong et al., arXiv 2002.04745).
With encoder layers the prompt is encoded and the decoder attends to it; without, the decoder reads prompt and
continuation as one row (Liu et al., "Generating Wikipedia by Summarizing Long Sequences", arXiv 1801.10198, section
4.2.3). Where tied, the matrix that embeds an attribute's tokens also scores them (Press & Wolf, arXiv 1608.05859).
"""

import keras
import numpy as np
from keras import ops

from serenity.model.attention import Attention, RelativeAttention
from serenity.model.fused import fused
from serenity.model.positions import TURNING, frequencies, sinusoids
from serenity.model.quartet import (
    NORM_EPSILON,
    NetworkSettings,
    QuartetSettings,
    past_attributes,
    present_attributes,
)
from serenity.tokens.features import bar_numbers, bar_rows, features, step_quarters
from serenity.tokens.vocabulary import ATTRIBUTES, COLUMNS, PAD, Vocabulary

BARS_AT_FIRST = 0.1  # how loud the bars are before training, beside tokens of 1

gelu = fused(lambda x: ops.gelu(x, approximate=True))
normalise = fused(lambda x, gamma, beta: ops.layer_normalization(x, gamma, beta, epsilon=NORM_EPSILON))


class Norm(keras.layers.LayerNormalization):
    """Layer normalisation (arXiv 1607.06450): (..., model_dim) -> the same."""

    def __init__(self, name: str):
        super().__init__(epsilon=NORM_EPSILON, name=name)

    def call(self, x):
        return normalise(x, ops.cast(self.gamma, x.dtype), ops.cast(self.beta, x.dtype))


class FeedForward(keras.layers.Layer):
    """Two dense layers with GELU between them: (..., model_dim) -> (..., model_dim)."""

    def __init__(self, settings: NetworkSettings, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.Dense(settings.feed_forward_dim, name="inner")
        self.outer = keras.layers.Dense(settings.model_dim, name="outer")

    def build(self, shape):
        self.inner.build(shape)
        self.outer.build((*shape[:-1], self.inner.units))

    def call(self, x):
        return self.outer(gelu(self.inner(x)))


def _attention(settings: NetworkSettings, lowest: int, highest: int, offset: int = 0, **kwargs) -> Attention:
    """Return attention with the positions that the settings ask for; distances reach from `lowest` to `highest`."""
    kwargs |= {"num_heads": settings.num_heads, "head_dim": settings.head_dim}
    if settings.positions == "relative":
        return RelativeAttention(lowest=lowest, highest=highest, offset=offset, **kwargs)
    return Attention(**kwargs)


class EncoderLayer(keras.layers.Layer):
    """Self-attention over the whole prompt, then feed-forward: (batch, prompt, model_dim) -> the same."""

    def __init__(self, settings: NetworkSettings, reach: int, **kwargs):
        """`reach` is the prompt's length."""
        super().__init__(**kwargs)
        self.attention_norm = Norm("attention_norm")
        self.attention = _attention(settings, 1 - reach, reach - 1, name="attention")
        self.feed_forward_norm = Norm("feed_forward_norm")
        self.feed_forward = FeedForward(settings, name="feed_forward")
        self.dropout = keras.layers.Dropout(settings.dropout)

    def build(self, x_shape):
        self.attention_norm.build(x_shape)
        self.attention.build(x_shape, x_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, present, angles=None, training=False):
        """`present` (batch, prompt) bool is False where the prompt is padded."""
        normed = self.attention_norm(x)
        attended = self.attention(normed, normed, key_mask=present, query_angles=angles, key_angles=angles)
        x = x + self.dropout(attended, training=training)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)), training=training)


class DecoderLayer(keras.layers.Layer):
    """Causal self-attention, attention to the encoded prompt if there is an encoder, feed-forward.

    (batch, length, model_dim) -> the same.
    """

    def __init__(self, settings: NetworkSettings, reach: int, prompt: int, **kwargs):
        """`reach` is the length of its own row, `prompt` the encoder's."""
        super().__init__(**kwargs)
        self.attention_norm = Norm("attention_norm")
        self.attention = _attention(settings, 0, reach - 1, causal=True, name="attention")
        self.cross_attention = None
        if settings.encoder_layers:
            self.cross_attention_norm = Norm("cross_attention_norm")
            # The prompt's last event stands right before the continuation's first: their distance is 1.
            self.cross_attention = _attention(settings, 1, prompt + reach - 1, offset=prompt, name="cross_attention")
        self.feed_forward_norm = Norm("feed_forward_norm")
        self.feed_forward = FeedForward(settings, name="feed_forward")
        self.dropout = keras.layers.Dropout(settings.dropout)

    def build(self, x_shape, prompt_shape=None):
        self.attention_norm.build(x_shape)
        self.attention.build(x_shape, x_shape)
        if self.cross_attention:
            self.cross_attention_norm.build(x_shape)
            self.cross_attention.build(x_shape, prompt_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, query_angles=None, key_angles=None, prompt=None, present=None, prompt_angles=None,
             training=False):
        """`prompt` (batch, prompt, model_dim) is the encoder's output, `present` (batch, prompt) its mask."""
        normed = self.attention_norm(x)
        attended = self.attention(normed, normed, query_angles=query_angles, key_angles=key_angles)
        x = x + self.dropout(attended, training=training)
        if self.cross_attention:
            attended = self.cross_attention(self.cross_attention_norm(x), prompt, key_mask=present,
                                            query_angles=query_angles, key_angles=prompt_angles)
            x = x + self.dropout(attended, training=training)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)), training=training)


class Tokens(keras.layers.Layer):
    """The vectors of one attribute's tokens: their own, and where `features` are given a sum of those of its features.

    Called, it returns all vectors: (tokens, width).
    """

    def __init__(self, attribute: str, size: int, width: int, table=None, **kwargs):
        super().__init__(**kwargs)
        self.attribute, self.size, self.width, self.table = attribute, size, width, table

    def build(self, shape=None):
        start = keras.initializers.RandomNormal(self.width ** -0.5)
        self.own = self.add_weight(name=self.attribute, shape=(self.size, self.width), initializer=start)
        if self.table is not None:
            self.shared = self.add_weight(name="features", shape=(self.table.shape[1], self.width), initializer=start)

    def call(self, _=None):
        if self.table is None:
            return ops.convert_to_tensor(self.own)
        return self.own + ops.matmul(ops.cast(self.table, self.shared.dtype), self.shared)


class Context(keras.layers.Layer):
    """Other attributes of an event, each embedded narrowly, concatenated and projected to model_dim.

    Where features are given, an attribute is read by them alone. Where the events stand in their bars is added.
    """

    def __init__(self, sizes: dict[str, int], settings: NetworkSettings, tables: dict, grid: int, **kwargs):
        """`sizes` are the tokens of each attribute that is read; `tables` their features, or empty."""
        super().__init__(**kwargs)
        self.sizes, self.width, self.tables, self.grid = sizes, settings.context_dim, tables, grid
        self.merge = keras.layers.Dense(settings.model_dim, use_bias=False, name="merge")

    def build(self, shape):
        rows = {attribute: self.tables[attribute].shape[1] if self.tables else size
                for attribute, size in self.sizes.items()}
        self.vectors = [self.add_weight(name=attribute, shape=(rows[attribute], self.width),
                                        initializer=keras.initializers.RandomNormal(1.0)) for attribute in self.sizes]
        self.bars = self.add_weight(name="bars", shape=(bar_numbers(self.grid), self.merge.units),
                                    initializer=keras.initializers.RandomNormal(BARS_AT_FIRST))
        self.merge.build((None, self.width * len(self.sizes)))

    def call(self, events):
        """Embed events (batch, length, columns) -> (batch, length, model_dim)."""
        read = []
        for attribute, vectors in zip(self.sizes, self.vectors):
            if self.tables:
                vectors = ops.matmul(ops.cast(self.tables[attribute], vectors.dtype), vectors)
            read.append(ops.take(vectors, events[..., ATTRIBUTES.index(attribute)], axis=0))
        places = ops.take(self.bars, bar_rows(events, self.grid, ops), axis=0)      # (batch, length, 4, model_dim)
        merged = self.merge(ops.concatenate(read, axis=-1))
        return merged + ops.cast(ops.sum(places, axis=-2), merged.dtype)


class Transformer(keras.Model):
    """One attribute's transformer.

    Inputs, as in serenity.tokens.windows.Batch: `prompt` (batch, prompt, columns), `past` and `target` (batch, length,
    columns). Of the target it reads only those attributes of the present event that are decided before its own.
    Output: logits (batch, length, tokens) in float32. Weights are named as in quartet.weight_shapes.
    """

    def __init__(self, settings: QuartetSettings, attribute: str, vocabulary: Vocabulary):
        super().__init__(name=attribute)
        network, sizes = settings.networks[attribute], settings.vocabulary_sizes
        self.settings, self.attribute = network, attribute
        self.prompt_length = settings.window.prompt if network.encoder_layers else 0
        self.length = settings.reach(attribute)
        tables = {name: features(vocabulary[name]) for name in ATTRIBUTES} if network.composed else {}
        self.tokens = Tokens(attribute, sizes[attribute], network.model_dim, tables.get(attribute), name="embedding")
        self.scored = None if network.tied else Tokens(attribute, sizes[attribute], network.model_dim,
                                                       tables.get(attribute), name="logits")
        past, decided = (reads(settings, attribute) for reads in (past_attributes, present_attributes))
        self.past, self.present = (
            Context({name: sizes[name] for name in others}, network, tables, settings.codec.grid, name=role)
            if others else None for role, others in (("past", past), ("present", decided)))
        self.encoder = [EncoderLayer(network, self.prompt_length, name=f"encoder_{layer}")
                        for layer in range(network.encoder_layers)]
        self.encoder_norm = Norm("encoder_norm") if self.encoder else None
        self.decoder = [DecoderLayer(network, self.length, self.prompt_length, name=f"decoder_{layer}")
                        for layer in range(network.decoder_layers)]
        self.decoder_norm = Norm("decoder_norm")
        self.dropout = keras.layers.Dropout(network.dropout)
        self.by_event, self.by_quarter = frequencies(network.positions, network.head_dim)
        self.quarters = step_quarters(vocabulary["step"], settings.codec.grid) if network.positions == "onset" else None
        self.step_decided = "step" in decided
        self._build()

    def _build(self):
        width = self.settings.model_dim
        prompt, row, events = (None, self.prompt_length, width), (None, self.length, width), (None, None, len(COLUMNS))
        self.tokens.build()
        if self.scored:
            self.scored.build()
        for context in filter(None, (self.past, self.present)):
            context.build(events)
        for layer in self.encoder:
            layer.build(prompt)
        if self.encoder:
            self.encoder_norm.build(prompt)
        for layer in self.decoder:
            layer.build(row, prompt)
        self.decoder_norm.build(row)
        self.bias = self.add_weight(name="bias", shape=(self.tokens.size,), initializer="zeros")
        self.built = True

    def call(self, inputs, training=False):
        prompt, past, target = inputs["prompt"], inputs["past"], inputs["target"]
        vectors = self.tokens()
        angles = self.angles(prompt, past, target)
        read = {}
        if self.encoder:
            there = ops.not_equal(prompt[..., 0], PAD)                           # (batch, prompt)
            x = self.dropout(self.embed(vectors, prompt, 0), training=training)
            for layer in self.encoder:
                x = layer(x, there, angles["prompt"], training=training)
            read = {"prompt": self.encoder_norm(x), "present": there, "prompt_angles": angles["prompt"]}

        x = self.embed(vectors, past, self.prompt_length)
        if self.present:
            x = x + self.present(target)
        x = self.dropout(x, training=training)
        for layer in self.decoder:
            x = layer(x, angles["query"], angles["key"], **read, training=training)
        x = self.decoder_norm(x)
        return self.score(x, self.scored() if self.scored else vectors)

    def embed(self, vectors, events, first: int | None):
        """Embed events (batch, length, columns); the `first` stands so many after the window's beginning, or None."""
        own = ops.take(vectors, events[..., ATTRIBUTES.index(self.attribute)], axis=0)
        x = ops.cast(own, self.compute_dtype) * self.settings.model_dim ** 0.5   # arXiv 1706.03762, section 3.4
        if self.past:
            x = x + self.past(events)
        if self.settings.positions == "sinusoidal" and first is not None:
            x = x + ops.cast(sinusoids(first + np.arange(events.shape[1]), self.settings.model_dim), x.dtype)
        return x

    def angles(self, prompt, past, target):
        """Return by how much keys and queries are turned, (batch or 1, length, head_dim / 2) each; None: not at all."""
        if self.settings.positions not in TURNING:
            return {"prompt": None, "query": None, "key": None}
        rows = {"prompt": np.arange(self.prompt_length) - self.prompt_length, "key": np.arange(self.length)}
        angles = {name: (row[:, None] * self.by_event).astype(np.float32)[None] for name, row in rows.items()}
        angles["query"] = angles["key"]
        if self.quarters is not None:
            column = ATTRIBUTES.index("step")
            steps = [ops.take(self.quarters, events[..., column], axis=0) for events in (prompt, past, target)]
            before, onset = ops.cumsum(steps[0], axis=1), ops.cumsum(steps[1], axis=1)
            if self.encoder:  # the row begins with the prompt's last event
                before, onset = before - before[:, -1:], onset - onset[:, :1]
            asked = onset + steps[2] if self.step_decided else onset  # a query knows when its event will sound
            for name, quarters in (("prompt", before), ("key", onset), ("query", asked)):
                angles[name] = angles[name] + quarters[..., None] * self.by_quarter
        return angles

    def score(self, x, vectors):
        """Return each token's score (batch, length, tokens) in float32."""
        scores = ops.matmul(x, ops.transpose(ops.cast(vectors, x.dtype)))
        return ops.cast(scores, "float32") + ops.cast(self.bias, "float32")


def build_network(settings: QuartetSettings, attribute: str, vocabulary: Vocabulary) -> Transformer:
    """Return one attribute's transformer, its weights drawn by chance."""
    return Transformer(settings, attribute, vocabulary)


def get_weights(network: keras.Model) -> dict:
    """Return the weights of a network as NumPy arrays by name (see quartet.weight_shapes)."""
    return {name: keras.ops.convert_to_numpy(variable.value) for name, variable in _by_name(network).items()}


def set_weights(network: keras.Model, weights: dict) -> None:
    """Give a network weights by name. The inverse of get_weights. What does not fit raises ValueError."""
    variables = _by_name(network)
    if set(variables) != set(weights):
        raise ValueError(f"weights that do not fit: {', '.join(sorted(set(variables) ^ set(weights)))}")
    for name, variable in variables.items():
        variable.assign(weights[name])


def _by_name(network: keras.Model) -> dict:
    return {variable.path.removeprefix(f"{network.name}/"): variable for variable in network.trainable_variables}
