"""One attribute's transformer for generation on a GPU: decoder.py's contract, on Keras, compiled once.

Each event costs a GPU a fixed time, almost however many variations it makes. So the shapes are fixed: always as many
rows as can be made together, a whole window of prompt (padded) and a whole ring of cache. Nothing is ever compiled
again when lengths or numbers change, and a variation gets the same notes alone and among others, because it goes
through the same program in the same row. The state, caches and position, stays where the weights are, in variables.

The layers are those of the network that was trained (transformer.py); only attention is written anew, for one event.
"""

import keras
import numpy as np
from keras import ops

from serenity.model.attention import MASKED, RelativeAttention
from serenity.model.quartet import QuartetSettings, present_attributes
from serenity.model.transformer import build_network, set_weights
from serenity.tokens.vocabulary import PAD
from serenity.tokens.windows import fit_prompt


class CompiledDecoder:
    """An attribute's transformer with its cache, for one prompt and what comes after it. As decoder.Decoder."""

    def __init__(self, settings: QuartetSettings, attribute: str, weights: dict[str, np.ndarray], rows: int):
        """`weights` as in quartet.weight_shapes; `rows` is how many variations there is room for."""
        self.rows, self.window = rows, settings.window
        self.network = CachedNetwork(settings, attribute, rows)
        set_weights(self.network.whole, weights)

    def start(self, prompt: np.ndarray, variations: int) -> None:
        """Read a prompt (length, 4), length 1 or more, of which so many continuations will be made.

        A prompt longer than the window, or more variations than rows, are errors of the caller: ValueError.
        """
        if not 1 <= len(prompt) <= self.window.prompt:
            raise ValueError(f"a prompt of {len(prompt)} events, wanted 1 to {self.window.prompt}")
        if not 1 <= variations <= self.rows:
            raise ValueError(f"{variations} variations, wanted 1 to {self.rows}")
        self.network.read(fit_prompt(prompt, self.window.prompt))

    def step(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the logits (batch, tokens) of the next event's value. `past` and `present` are (batch, 4)."""
        missing = ((0, self.rows - len(past)), (0, 0))
        events = np.stack([np.pad(past, missing), np.pad(present, missing)], axis=1)  # (rows, 2, 4)
        return self.network.predict_on_batch(events.astype(np.int32))[:len(past)]


class CachedNetwork(keras.Model):
    """A network that takes one event at a time, each call the next, and remembers those before it."""

    def __init__(self, settings: QuartetSettings, attribute: str, rows: int):
        super().__init__(name=f"{attribute}_cached")
        network = settings.networks[attribute]
        self.whole = build_network(settings, attribute)
        self.embed, self.norm, self.logits = (self.whole.get_layer(name)
                                              for name in ("embedding", "decoder_norm", "logits"))
        decided = present_attributes(attribute, network.context)
        self.present = self.whole.get_layer("present") if decided else None
        self.encoder = [self.whole.get_layer(f"encoder_{layer}") for layer in range(network.encoder_layers)]
        self.encoder_norm = self.whole.get_layer("encoder_norm")
        self.decoder = [self.whole.get_layer(f"decoder_{layer}") for layer in range(network.decoder_layers)]

        def state(name, *shape, dtype="float32"):
            return self.add_weight(name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False)

        window, heads, head_dim = settings.window, network.num_heads, network.head_dim
        self.position = state("position", dtype="int32")  # of the next event, counted from the prompt's end
        self.there = state("there", window.prompt, dtype="bool")  # False where the prompt is padded
        self.own = [[state(f"own_{part}_{layer}", rows, heads, window.continuation, head_dim)
                     for part in ("key", "value")] for layer in range(network.decoder_layers)]
        self.cross = [[state(f"cross_{part}_{layer}", heads, window.prompt, head_dim)
                       for part in ("key", "value")] for layer in range(network.decoder_layers)]

    def read(self, prompt: np.ndarray) -> None:
        """Encode a prompt (window.prompt, 4), PAD before it, and begin anew. Not compiled: it happens once a song."""
        there = prompt[:, 0] != PAD
        x = self.embed(prompt[None])
        for layer in self.encoder:
            x = layer(x, there[None])
        x = self.encoder_norm(x)[0]                                              # (prompt, width)
        self.position.assign(0)
        self.there.assign(there)
        for layer, cache in zip(self.decoder, self.cross):
            attention = layer.cross_attention
            for variable, dense in zip(cache, (attention.key, attention.value)):
                variable.assign(ops.swapaxes(_heads(attention, dense(x)), 0, 1))

    def call(self, events):
        """Return the logits (rows, tokens) of the next event; `events` (rows, 2, 4): the one before it and itself."""
        x = self.embed(events[:, :1])[:, 0]                                      # (rows, width)
        if self.present:
            x = x + self.present(events[:, 1:])[:, 0]
        for layer, own, cross in zip(self.decoder, self.own, self.cross):
            x = x + self._attend_own(layer.attention, layer.attention_norm(x), own)
            x = x + self._attend_prompt(layer.cross_attention, layer.cross_attention_norm(x), cross)
            x = x + layer.feed_forward(layer.feed_forward_norm(x))
        self.position.assign(self.position + 1)
        return self.logits(self.norm(x)[:, None])[:, 0]

    def _attend_own(self, attention: RelativeAttention, x, cache):
        keys, values = cache
        events = keys.shape[2]
        slot = ops.mod(self.position, events)  # a ring: the newest event in the place of the oldest
        for variable, dense in ((keys, attention.key), (values, attention.value)):
            variable.assign(ops.slice_update(variable, (0, 0, slot, 0), _heads(attention, dense(x))[:, :, None]))
        slots = ops.arange(events)
        seen = slots <= self.position
        return _attend(attention, x, keys, values, ops.mod(slot - slots, events), seen, "rhed")

    def _attend_prompt(self, attention: RelativeAttention, x, cache):
        keys, values = cache
        farthest, prompt = attention.highest - attention.lowest, keys.shape[1]
        # The prompt's last event lies 1 before position 0; the vector of distance 1 stands in row 0.
        distances = ops.minimum(self.position + prompt - 1 - ops.arange(prompt), farthest)
        return _attend(attention, x, keys, values, distances, self.there, "hed")


def _heads(attention: RelativeAttention, x):
    return ops.reshape(x, (-1, attention.num_heads, attention.head_dim))  # (rows, width) -> (rows, heads, head_dim)


def _attend(attention: RelativeAttention, x, keys, values, distances, seen, axes: str):
    """Attend from x (rows, width) to keys and values, whose `axes` are rows (or none), heads, events, head_dim."""
    query = _heads(attention, attention.query(x)) * attention.head_dim ** -0.5   # (rows, heads, head_dim)
    relative = ops.take(attention.relative, distances, axis=1)                   # (heads, events, head_dim)
    scores = ops.einsum(f"rhd,{axes}->rhe", query, keys) + ops.einsum("rhd,hed->rhe", query, relative)
    weights = ops.softmax(ops.where(seen, scores, MASKED))
    mixed = ops.einsum(f"rhe,{axes}->rhd", weights, values)
    return attention.output_projection(ops.reshape(mixed, (-1, attention.num_heads * attention.head_dim)))
