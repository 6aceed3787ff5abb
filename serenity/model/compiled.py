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

from serenity.model.attention import MASKED, Attention, RelativeAttention, turn
from serenity.model.decoder import WARM_UP
from serenity.model.positions import wave_frequencies
from serenity.model.quartet import QuartetSettings
from serenity.model.transformer import build_network, set_weights
from serenity.tokens.vocabulary import ATTRIBUTES, PAD, Vocabulary
from serenity.tokens.windows import fit_prompt


class CompiledDecoder:
    """An attribute's transformer with its cache, for one prompt and what comes after it. As decoder.Decoder."""

    def __init__(self, settings: QuartetSettings, attribute: str, weights: dict[str, np.ndarray],
                 vocabulary: Vocabulary, rows: int):
        """`weights` as in quartet.weight_shapes; `rows` is how many variations there is room for."""
        self.rows, self.window, self.reach = rows, settings.window, settings.reach(attribute)
        self.network = CachedNetwork(settings, attribute, vocabulary, rows)
        set_weights(self.network.whole, weights)

    def start(self, prompt: np.ndarray, variations: int) -> None:
        """Read a prompt (length, 4), length 1 or more, of which so many continuations will be made.

        Of a long prompt the last events that fit are read. More variations than rows are an error of the caller:
        ValueError.
        """
        if not 1 <= variations <= self.rows:
            raise ValueError(f"{variations} variations, wanted 1 to {self.rows}")
        if self.network.encoder:
            warm_up = min(WARM_UP, len(prompt) // 2)
            encoded, read = np.split(prompt, [len(prompt) - warm_up])
            self.network.encode(fit_prompt(encoded, self.window.prompt))
            for past, present in zip(np.concatenate([encoded[-1:], read]), read):
                self.step(past[None], present[None])
        else:
            self.network.read(prompt[-self.reach:])

    def step(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the logits (batch, tokens) of the next event's value. `past` and `present` are (batch, 4)."""
        missing = ((0, self.rows - len(past)), (0, 0))
        events = np.stack([np.pad(past, missing, "edge"), np.pad(present, missing, "edge")], axis=1)  # (rows, 2, 4)
        return self.network.predict_on_batch(events.astype(np.int32))[:len(past)]


class CachedNetwork(keras.Model):
    """A network that takes one event at a time, each call the next, and remembers those before it."""

    def __init__(self, settings: QuartetSettings, attribute: str, vocabulary: Vocabulary, rows: int):
        super().__init__(name=f"{attribute}_cached")
        network = settings.networks[attribute]
        self.whole = build_network(settings, attribute, vocabulary)
        self.encoder, self.decoder = self.whole.encoder, self.whole.decoder

        def state(name, *shape, dtype="float32"):
            return self.add_weight(name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False)

        heads, head_dim, prompt = network.num_heads, network.head_dim, settings.window.prompt
        self.position = state("position", dtype="int32")  # of the next event in the decoder's row
        self.onset = state("onset", rows)                 # quarters, of the event before it
        self.there = state("there", prompt, dtype="bool")  # False where the prompt is padded
        self.own = [[state(f"own_{part}_{layer}", rows, heads, self.whole.length, head_dim)
                     for part in ("key", "value")] for layer in range(network.decoder_layers)]
        self.cross = [[state(f"cross_{part}_{layer}", heads, prompt, head_dim) for part in ("key", "value")]
                      for layer in range(network.decoder_layers * (network.encoder_layers > 0))]

    def encode(self, prompt: np.ndarray) -> None:
        """Encode a prompt (window.prompt, 4), PAD before it, and begin anew. Not compiled: it happens once a song."""
        there, row = prompt[:, 0] != PAD, np.zeros((1, self.whole.length, len(ATTRIBUTES)), np.int32)
        angles = self.whole.angles(prompt[None], row, row)["prompt"]
        x = self.whole.embed(self.whole.tokens(), prompt[None], 0)
        for layer in self.encoder:
            x = layer(x, there[None], angles)
        x = self.whole.encoder_norm(x)                                           # (1, prompt, width)
        for layer, cache in zip(self.decoder, self.cross):
            self._keep(layer.cross_attention, x, angles, cache)
        self.there.assign(there)
        self._begin(0, -self._steps(prompt[-1]))  # the row begins with the prompt's last event

    def read(self, prompt: np.ndarray) -> None:
        """Read a prompt (length, 4) where there is no encoder, and begin anew. Not compiled, either."""
        past, target = prompt[:-1], prompt[1:]
        missing = ((0, self.whole.length - len(past)), (0, 0))
        past_row, target_row = np.pad(past, missing)[None], np.pad(target, missing)[None]
        angles = self.whole.angles(past_row[:, :0], past_row, target_row)
        x = self.whole.embed(self.whole.tokens(), past_row, 0)
        if self.whole.present:
            x = x + self.whole.present(target_row)
        for layer, cache in zip(self.decoder, self.own):
            self._keep(layer.attention, layer.attention_norm(x), angles["key"], cache)
            x = layer(x, angles["query"], angles["key"])
        self._begin(len(past), ops.sum(self._steps(past)))

    def _begin(self, position: int, onset) -> None:
        self.position.assign(position)
        self.onset.assign(ops.broadcast_to(onset, self.onset.shape))

    @staticmethod
    def _keep(attention: Attention, x, angles, cache) -> None:
        made = attention.heads(attention.key(x), angles), attention.heads(attention.value(x))
        for variable, values in zip(cache, made):  # (1, heads, length, head_dim), for all rows alike
            variable.assign(ops.broadcast_to(values if len(variable.shape) == 4 else values[0], variable.shape))

    def _steps(self, events):
        """Return the quarters of events' steps (..., 4) -> (...), 0 where they do not matter."""
        steps = events[..., ATTRIBUTES.index("step")]
        return 0.0 * ops.cast(steps, "float32") if self.whole.quarters is None else ops.take(self.whole.quarters, steps)

    def call(self, events):
        """Return the logits (rows, tokens) of the next event; `events` (rows, 2, 4): the one before it and itself."""
        whole = self.whole
        vectors = whole.tokens()
        x = whole.embed(vectors, events[:, :1], None)[:, 0]                      # (rows, width)
        if whole.settings.positions == "sinusoidal":
            waves = wave_frequencies(whole.settings.model_dim).astype(np.float32)
            angles = ops.cast(self.position + whole.prompt_length, "float32") * waves
            x = x + ops.concatenate([ops.sin(angles), ops.cos(angles)])[:whole.settings.model_dim]
        if whole.present:
            x = x + whole.present(events[:, 1:])[:, 0]
        onset = self.onset + self._steps(events[:, 0])
        asked = onset + self._steps(events[:, 1]) if whole.step_decided else onset
        query, key = self._angles(asked), self._angles(onset)
        for number, layer in enumerate(self.decoder):
            x = x + self._attend_own(layer.attention, layer.attention_norm(x), query, key, self.own[number])
            if self.encoder:
                x = x + self._attend_prompt(layer.cross_attention, layer.cross_attention_norm(x), query,
                                            self.cross[number])
            x = x + layer.feed_forward(layer.feed_forward_norm(x))
        self.position.assign(self.position + 1)
        self.onset.assign(onset)
        return whole.score(whole.decoder_norm(x), whole.scored() if whole.scored else vectors)

    def _angles(self, onset):
        if not self.whole.by_event.any():
            return None
        turned = ops.cast(self.position, "float32") * self.whole.by_event + onset[:, None] * self.whole.by_quarter
        return turned[:, None]                                                   # (rows, 1, head_dim / 2)

    def _attend_own(self, attention: Attention, x, query_angles, key_angles, cache):
        keys, values = cache
        events = keys.shape[2]
        slot = ops.mod(self.position, events)  # a ring: the newest event in the place of the oldest
        made = _heads(attention, attention.key(x), key_angles), _heads(attention, attention.value(x))
        for variable, new in zip(cache, made):
            variable.assign(ops.slice_update(variable, (0, 0, slot, 0), new[:, :, None]))
        slots = ops.arange(events)
        return _attend(attention, x, query_angles, keys, values, ops.mod(slot - slots, events),
                       slots <= self.position, "rhed")

    def _attend_prompt(self, attention: Attention, x, query_angles, cache):
        keys, values = cache
        prompt = keys.shape[1]
        distances = self.position + prompt - 1 - ops.arange(prompt)  # from 1 on, which stands first
        return _attend(attention, x, query_angles, keys, values, distances, self.there, "hed")


def _heads(attention: Attention, x, angles=None):
    x = ops.reshape(x, (-1, attention.num_heads, attention.head_dim))  # (rows, width) -> (rows, heads, head_dim)
    return x if angles is None else turn(x, angles)


def _attend(attention: Attention, x, angles, keys, values, distances, seen, axes: str):
    """Attend from x (rows, width) to keys and values, whose `axes` are rows (or none), heads, events, head_dim."""
    query = _heads(attention, attention.query(x) * attention.head_dim ** -0.5, angles)  # (rows, heads, head_dim)
    scores = ops.einsum(f"rhd,{axes}->rhe", query, keys)
    if isinstance(attention, RelativeAttention):
        farthest = attention.highest - attention.lowest
        relative = ops.take(attention.relative, ops.minimum(distances, farthest), axis=1)  # (heads, events, head_dim)
        scores = scores + ops.einsum("rhd,hed->rhe", query, relative)
    weights = ops.softmax(ops.where(seen, scores, MASKED))
    mixed = ops.einsum(f"rhe,{axes}->rhd", weights, values)
    return attention.output_projection(ops.reshape(mixed, (-1, attention.num_heads * attention.head_dim)))
