"""One attribute's transformer, from leaf to root: feed-forward, encoder layer, decoder layer, embedding, network.

"Attention Is All You Need" (arXiv 1706.03762) with relative attention, GELU (arXiv 1606.08415, the tanh form), and
normalisation before each sub-layer rather than after it: such networks train without a long warm-up (Xiong et al.,
arXiv 2002.04745). The matrix that embeds an attribute's tokens also scores them at the end (Press & Wolf,
arXiv 1608.05859).
"""

import keras
from keras import ops

from serenity.model.attention import RelativeAttention
from serenity.model.quartet import (
    NORM_EPSILON,
    NetworkSettings,
    QuartetSettings,
    past_attributes,
    present_attributes,
)
from serenity.tokens.vocabulary import ATTRIBUTES, PAD
from serenity.tokens.windows import WindowSettings


def _norm(name: str) -> keras.layers.Layer:
    return keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name=name)


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
        return self.outer(ops.gelu(self.inner(x), approximate=True))


class EncoderLayer(keras.layers.Layer):
    """Self-attention over the whole prompt, then feed-forward: (batch, prompt, model_dim) -> the same."""

    def __init__(self, settings: NetworkSettings, window: WindowSettings, **kwargs):
        super().__init__(**kwargs)
        reach = window.prompt - 1
        self.attention_norm = _norm("attention_norm")
        self.attention = RelativeAttention(settings.num_heads, settings.head_dim, -reach, reach,
                                           dropout=settings.dropout, name="attention")
        self.feed_forward_norm = _norm("feed_forward_norm")
        self.feed_forward = FeedForward(settings, name="feed_forward")
        self.dropout = keras.layers.Dropout(settings.dropout)

    def build(self, x_shape, present_shape=None):
        self.attention_norm.build(x_shape)
        self.attention.build(x_shape, x_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, present, training=False):
        """`present` (batch, prompt) bool is False where the prompt is padded."""
        normed = self.attention_norm(x)
        x = x + self.dropout(self.attention(normed, normed, key_mask=present, training=training), training=training)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)), training=training)


class DecoderLayer(keras.layers.Layer):
    """Causal self-attention, attention to the encoded prompt, feed-forward: (batch, length, model_dim) -> the same."""

    def __init__(self, settings: NetworkSettings, window: WindowSettings, **kwargs):
        super().__init__(**kwargs)
        self.attention_norm = _norm("attention_norm")
        self.attention = RelativeAttention(settings.num_heads, settings.head_dim, 0, window.continuation - 1,
                                           causal=True, dropout=settings.dropout, name="attention")
        self.cross_attention_norm = _norm("cross_attention_norm")
        # The prompt's last event stands right before the continuation's first: their distance is 1.
        self.cross_attention = RelativeAttention(settings.num_heads, settings.head_dim, 1,
                                                 window.prompt + window.continuation - 1,
                                                 dropout=settings.dropout, name="cross_attention")
        self.feed_forward_norm = _norm("feed_forward_norm")
        self.feed_forward = FeedForward(settings, name="feed_forward")
        self.dropout = keras.layers.Dropout(settings.dropout)

    def build(self, x_shape, prompt_shape, present_shape=None):
        self.attention_norm.build(x_shape)
        self.attention.build(x_shape, x_shape)
        self.cross_attention_norm.build(x_shape)
        self.cross_attention.build(x_shape, prompt_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, prompt, present, training=False):
        """`prompt` (batch, prompt, model_dim) is the encoder's output, `present` (batch, prompt) its mask."""
        normed = self.attention_norm(x)
        x = x + self.dropout(self.attention(normed, normed, training=training), training=training)
        attended = self.cross_attention(self.cross_attention_norm(x), prompt, key_mask=present,
                                        offset=prompt.shape[1], training=training)
        x = x + self.dropout(attended, training=training)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)), training=training)


class ContextEmbedding(keras.layers.Layer):
    """Other attributes of an event, each embedded narrowly, concatenated and projected to model_dim."""

    def __init__(self, attributes: tuple[str, ...], sizes: dict[str, int], settings: NetworkSettings, **kwargs):
        super().__init__(**kwargs)
        self.attributes, self.sizes, self.settings = attributes, sizes, settings
        self.merge = keras.layers.Dense(settings.model_dim, use_bias=False, name="merge")

    def build(self, shape):
        width = self.settings.context_dim
        self.tables = [self.add_weight(name=attribute, shape=(self.sizes[attribute], width),
                                       initializer=keras.initializers.RandomNormal(1.0))
                       for attribute in self.attributes]
        self.merge.build((None, width * len(self.attributes)))

    def call(self, events):
        """Embed events (batch, length, 4) -> (batch, length, model_dim)."""
        return self.merge(ops.concatenate([ops.take(table, events[..., ATTRIBUTES.index(attribute)], axis=0)
                                           for attribute, table in zip(self.attributes, self.tables)], axis=-1))


class EventEmbedding(ContextEmbedding):
    """An event as its own attribute's vector, plus, with context "all", what the other attributes add to it."""

    def __init__(self, attribute: str, sizes: dict[str, int], settings: NetworkSettings, **kwargs):
        super().__init__(past_attributes(attribute, settings.context), sizes, settings, **kwargs)
        self.attribute = attribute

    def build(self, shape):
        width = self.settings.model_dim
        self.own = self.add_weight(name=self.attribute, shape=(self.sizes[self.attribute], width),
                                   initializer=keras.initializers.RandomNormal(width ** -0.5))
        if self.attributes:
            super().build(shape)

    def call(self, events):
        """Embed events (batch, length, 4) -> (batch, length, model_dim)."""
        own = ops.take(self.own, events[..., ATTRIBUTES.index(self.attribute)], axis=0)
        own = own * self.settings.model_dim ** 0.5  # arXiv 1706.03762, section 3.4
        return own + super().call(events) if self.attributes else own

    def score(self, x):
        """Return each token's product with x: (batch, length, model_dim) -> (batch, length, tokens)."""
        return ops.matmul(x, ops.transpose(ops.cast(self.own, x.dtype)))


class Logits(keras.layers.Layer):
    """Scores of all tokens, by the matrix that embeds them, in float32: (batch, length, tokens)."""

    def __init__(self, embedding: EventEmbedding, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.scorer = [embedding]  # in a list, so that Keras does not count its weights here too

    def build(self, shape):
        embedding = self.scorer[0]
        self.bias = self.add_weight(name="bias", shape=(embedding.sizes[embedding.attribute],), initializer="zeros")

    def call(self, x):
        return self.scorer[0].score(x) + self.bias


def build_network(settings: QuartetSettings, attribute: str) -> keras.Model:
    """Return one attribute's transformer.

    Inputs, as in serenity.tokens.windows.Batch: `prompt` (batch, prompt, 4), `past` and `target` (batch,
    continuation, 4). Of the target it reads only those attributes of the present event that are decided before its
    own. Output: logits (batch, continuation, tokens) in float32. Weights are named as in quartet.weight_shapes.
    """
    network, window, sizes = settings.networks[attribute], settings.window, settings.vocabulary_sizes
    width = len(ATTRIBUTES)
    prompt = keras.Input((window.prompt, width), dtype="int32", name="prompt")
    past = keras.Input((window.continuation, width), dtype="int32", name="past")
    target = keras.Input((window.continuation, width), dtype="int32", name="target")
    embed = EventEmbedding(attribute, sizes, network, name="embedding")
    dropout = keras.layers.Dropout(network.dropout)

    there = ops.not_equal(prompt[..., 0], PAD)                                   # (batch, prompt)
    encoded = dropout(embed(prompt))
    for layer in range(network.encoder_layers):
        encoded = EncoderLayer(network, window, name=f"encoder_{layer}")(encoded, there)
    encoded = _norm("encoder_norm")(encoded)

    x = embed(past)
    if decided := present_attributes(attribute, network.context):
        x = x + ContextEmbedding(decided, sizes, network, name="present")(target)
    x = dropout(x)
    for layer in range(network.decoder_layers):
        x = DecoderLayer(network, window, name=f"decoder_{layer}")(x, encoded, there)
    logits = Logits(embed, name="logits")(_norm("decoder_norm")(x))
    return keras.Model({"prompt": prompt, "past": past, "target": target}, logits, name=attribute)


def get_weights(network: keras.Model) -> dict:
    """Return the weights of a network as NumPy arrays by name (see quartet.weight_shapes)."""
    return {variable.path: keras.ops.convert_to_numpy(variable.value) for variable in network.trainable_variables}


def set_weights(network: keras.Model, weights: dict) -> None:
    """Give a network weights by name. The inverse of get_weights. What does not fit raises ValueError."""
    variables = {variable.path: variable for variable in network.trainable_variables}
    if set(variables) != set(weights):
        raise ValueError(f"weights that do not fit: {', '.join(sorted(set(variables) ^ set(weights)))}")
    for name, variable in variables.items():
        variable.assign(weights[name])
