"""One attribute's transformer for generation: the same network as transformer.py, an event at a time, in plain NumPy.

Generation needs no gradients and makes one event at a time, so it needs no TensorFlow, whose import alone takes longer
than a song. What attention has computed of earlier events is kept (a key/value cache), so each event costs the same
work as the one before. A test holds the logits equal to the Keras network's.

Arrays carry a batch of variations: (batch, ...). The prompt is not padded here, so it needs no mask.
"""

import numpy as np

from serenity.model.quartet import NORM_EPSILON, QuartetSettings, past_attributes, present_attributes
from serenity.tokens.vocabulary import ATTRIBUTES


class Decoder:
    """An attribute's transformer with its cache, for one prompt and up to `events` events after it."""

    def __init__(self, settings: QuartetSettings, attribute: str, weights: dict[str, np.ndarray]):
        """`weights` as in quartet.weight_shapes, float32."""
        self.network, self.window, self.weights = settings.networks[attribute], settings.window, weights
        self.attribute = attribute
        self.past = past_attributes(attribute, self.network.context)
        self.present = present_attributes(attribute, self.network.context)

    def start(self, prompt: np.ndarray, events: int) -> None:
        """Read a prompt (batch, length, 4), length 1 or more, and make room for `events` events.

        A prompt longer than the window is an error of the caller: ValueError.
        """
        if not 1 <= prompt.shape[1] <= self.window.prompt:
            raise ValueError(f"a prompt of {prompt.shape[1]} events, wanted 1 to {self.window.prompt}")
        network = self.network
        x = self._embed(prompt)
        for layer in range(network.encoder_layers):
            name = f"encoder_{layer}"
            x = x + self._self_attention(f"{name}/attention", self._norm(f"{name}/attention_norm", x))
            x = x + self._feed_forward(f"{name}/feed_forward", self._norm(f"{name}/feed_forward_norm", x))
        encoded = self._norm("encoder_norm", x)

        self.position = 0
        self.prompt_length = prompt.shape[1]
        room = (len(prompt), network.num_heads, events, network.head_dim)
        self.own, self.cross = [], []  # a layer each: keys and values, (batch, heads, events, head_dim)
        for layer in range(network.decoder_layers):
            name = f"decoder_{layer}/cross_attention"
            self.own.append((np.empty(room, np.float32), np.empty(room, np.float32)))
            self.cross.append((self._heads(encoded @ self.weights[f"{name}/key/kernel"]),
                               self._heads(encoded @ self.weights[f"{name}/value/kernel"])))

    def step(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the logits (batch, tokens) of the next event's value.

        `past` (batch, 4) is the event before it; `present` (batch, 4) the event itself, of which only the attributes
        decided before this one are read.
        """
        weights = self.weights
        x = self._embed(past[:, None])
        if self.present:
            x = x + self._context("present", self.present, present[:, None])
        for layer, ((keys, values), prompt) in enumerate(zip(self.own, self.cross)):
            name = f"decoder_{layer}"
            normed = self._norm(f"{name}/attention_norm", x)
            attention = f"{name}/attention"
            keys[:, :, self.position] = self._heads(normed @ weights[f"{attention}/key/kernel"])[:, :, 0]
            values[:, :, self.position] = self._heads(normed @ weights[f"{attention}/value/kernel"])[:, :, 0]
            # Past the window that it was trained on, the network sees the events that lie one window back.
            seen = slice(max(0, self.position + 1 - self.window.continuation), self.position + 1)
            distances = np.arange(seen.stop - seen.start)[::-1]
            x = x + self._attend(attention, normed, keys[:, :, seen], values[:, :, seen], distances)

            normed = self._norm(f"{name}/cross_attention_norm", x)
            farthest = self.window.prompt + self.window.continuation - 2
            distances = self.position + np.arange(self.prompt_length)[::-1]  # the nearest, 1, stands in row 0
            x = x + self._attend(f"{name}/cross_attention", normed, *prompt, np.minimum(distances, farthest))
            x = x + self._feed_forward(f"{name}/feed_forward", self._norm(f"{name}/feed_forward_norm", x))
        self.position += 1
        x = self._norm("decoder_norm", x)[:, 0]
        return x @ weights[f"embedding/{self.attribute}"].T + weights["logits/bias"]

    # --- the layers, as in transformer.py -----------------------------------------------------------------------------

    def _embed(self, events: np.ndarray) -> np.ndarray:
        own = self.weights[f"embedding/{self.attribute}"][events[..., ATTRIBUTES.index(self.attribute)]]
        own = own * np.float32(self.network.model_dim ** 0.5)
        return own + self._context("embedding", self.past, events) if self.past else own

    def _context(self, name: str, attributes: tuple[str, ...], events: np.ndarray) -> np.ndarray:
        tables = [self.weights[f"{name}/{attribute}"][events[..., ATTRIBUTES.index(attribute)]]
                  for attribute in attributes]
        return np.concatenate(tables, axis=-1) @ self.weights[f"{name}/merge/kernel"]

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + NORM_EPSILON) * self.weights[f"{name}/gamma"] + self.weights[f"{name}/beta"]

    def _feed_forward(self, name: str, x: np.ndarray) -> np.ndarray:
        inner = gelu(x @ self.weights[f"{name}/inner/kernel"] + self.weights[f"{name}/inner/bias"])
        return inner @ self.weights[f"{name}/outer/kernel"] + self.weights[f"{name}/outer/bias"]

    def _heads(self, x: np.ndarray) -> np.ndarray:
        batch, length, _ = x.shape  # (batch, length, width) -> (batch, heads, length, head_dim)
        return x.reshape(batch, length, self.network.num_heads, self.network.head_dim).swapaxes(1, 2)

    def _attend(self, name: str, x: np.ndarray, keys: np.ndarray, values: np.ndarray,
                distances: np.ndarray) -> np.ndarray:
        """Attend from one event (batch, 1, width). Key j's relative vector stands in row distances[j]."""
        query = self._heads(x @ self.weights[f"{name}/query/kernel"]) * np.float32(self.network.head_dim ** -0.5)
        relative = self.weights[f"{name}/relative"][:, distances]        # (heads, key, head_dim)
        return self._mix(name, query @ keys.swapaxes(2, 3) + query @ relative.swapaxes(1, 2), values)

    def _self_attention(self, name: str, x: np.ndarray) -> np.ndarray:
        """Attend within the whole prompt: (batch, length, width) -> the same."""
        length, middle = x.shape[1], self.window.prompt - 1              # the row of distance 0
        query, keys, values = (self._heads(x @ self.weights[f"{name}/{part}/kernel"])
                               for part in ("query", "key", "value"))
        query = query * np.float32(self.network.head_dim ** -0.5)
        products = query @ self.weights[f"{name}/relative"].swapaxes(1, 2)  # (batch, heads, query, distance)
        place = np.arange(length)
        relative = products[:, :, place[:, None], place[:, None] - place + middle]
        return self._mix(name, query @ keys.swapaxes(2, 3) + relative, values)

    def _mix(self, name: str, scores: np.ndarray, values: np.ndarray) -> np.ndarray:
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (weights / weights.sum(axis=-1, keepdims=True)) @ values  # (batch, heads, query, head_dim)
        batch, _, length, _ = mixed.shape
        return mixed.swapaxes(1, 2).reshape(batch, length, -1) @ self.weights[f"{name}/output/kernel"]


def gelu(x: np.ndarray) -> np.ndarray:
    """Return GELU in its tanh form (arXiv 1606.08415, section 2)."""
    return 0.5 * x * (1 + np.tanh(np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x * x * x)))
