"""The original's design of one attribute's transformer, whole: its weights, what it computes, and its decoder.

A full transformer, as in "Attention Is All You Need" (arXiv 1706.03762): an encoder over the prompt, and a decoder that
attends to it. It reads only its own attribute. Positions are learned distances: a vector for each head and distance is
added to the key before the product with the query (Shaw et al., arXiv 1803.02155, equation 4), by the method of "Music
Transformer" (arXiv 1809.04281, section 3.4). The activation is GELU (arXiv 1606.08415). There is a normalisation before
each layer (Xiong et al., arXiv 2002.04745), and the vectors that embed tokens also score them (Press & Wolf, arXiv
1608.05859).

`forward` is for training, on Keras; `Decoder` for generation, on NumPy. A test holds their logits equal.
"""

import numpy as np

from serenity.model.layers import (
    Attention,
    CrossAttention,
    Dense,
    FeedForward,
    Shapes,
    Weights,
    attention_shapes,
    centred,
    feed_forward_shapes,
    norm_shapes,
    scaled,
)
from serenity.settings import ModelSettings
from serenity.tokens.vocabulary import ATTRIBUTES, PAD, Vocabulary

# The decoder itself reads the prompt's last events before it goes on. Else it would have no past of its own after the
# encoded prompt, and the first events, which must fit the intro, would be predicted worst (docs/history.md).
WARM_UP = 16  # events


def shapes(settings: ModelSettings, attribute: str) -> Shapes:
    """Return name and shape of each weight of one attribute's network."""
    network, size, window = settings.networks[attribute], settings.vocabulary_sizes[attribute], settings.window
    table = {f"embedding/{attribute}": (size, network.model_dim)}
    for layer in range(network.layers):
        table |= attention_shapes(f"encoder_{layer}/attention", network, 2 * window.prompt - 1)
        table |= feed_forward_shapes(f"encoder_{layer}/feed_forward", network)
        table |= attention_shapes(f"decoder_{layer}/attention", network, window.continuation)
        table |= attention_shapes(f"decoder_{layer}/cross_attention", network, window.prompt + window.continuation - 1)
        table |= feed_forward_shapes(f"decoder_{layer}/feed_forward", network)
    norms = norm_shapes("encoder_norm", network.model_dim) | norm_shapes("decoder_norm", network.model_dim)
    return table | norms | {"bias": (size,)}


class Network:
    """One attribute's network without its weights: what follows from settings."""

    def __init__(self, settings: ModelSettings, attribute: str, vocabulary: Vocabulary):
        self.attribute, self.column = attribute, ATTRIBUTES.index(attribute)
        self.size, self.window = settings.networks[attribute], settings.window

    def forward(self, nn, inputs: dict):
        """Return the logits (batch, length, tokens) of each event of a window (see windows.Batch).

        `nn` are the layers that read the weights (transformer.Layers).
        """
        vectors, prompt = nn["embedding/" + self.attribute], inputs["prompt"]
        there = nn.ops.not_equal(prompt[..., self.column], PAD)                  # (batch, prompt)
        encoded, x = (nn.dropout(nn.take(vectors, events[..., self.column]) * self.size.model_dim ** 0.5)
                      for events in (prompt, inputs["past"]))                    # arXiv 1706.03762, section 3.4
        for layer in range(self.size.layers):
            encoded = nn.attention(encoded, f"encoder_{layer}/attention", key_mask=there, lowest=1 - self.window.prompt)
            encoded = nn.feed_forward(encoded, f"encoder_{layer}/feed_forward")
        encoded = nn.norm(encoded, "encoder_norm")
        for layer in range(self.size.layers):
            x = nn.attention(x, f"decoder_{layer}/attention", causal=True)
            # The prompt's last event stands right before the continuation's first: their distance is 1.
            x = nn.attention(x, f"decoder_{layer}/cross_attention", memory=encoded, key_mask=there, lowest=1,
                             offset=self.window.prompt)
            x = nn.feed_forward(x, f"decoder_{layer}/feed_forward")
        return nn.score(nn.norm(x, "decoder_norm"), vectors)


class Decoder(Network):
    """An attribute's network for generation, with its cache, for one prompt and what comes after it."""

    def __init__(self, settings: ModelSettings, attribute: str, weights: Weights, vocabulary: Vocabulary):
        """`weights` as in `shapes`, float32."""
        super().__init__(settings, attribute, vocabulary)
        vectors, heads = weights[f"embedding/{attribute}"], self.size.num_heads
        self.own = centred(vectors * np.float32(self.size.model_dim ** 0.5))
        self.encoder = [(Attention(weights, f"encoder_{layer}/attention", heads),
                         FeedForward(weights, f"encoder_{layer}/feed_forward")) for layer in range(self.size.layers)]
        self.layers = [(Attention(weights, f"decoder_{layer}/attention", heads),
                        CrossAttention(weights, f"decoder_{layer}/cross_attention", "encoder_norm", heads),
                        FeedForward(weights, f"decoder_{layer}/feed_forward")) for layer in range(self.size.layers)]
        self.logits = Dense.after_norm(weights, "decoder_norm", vectors.T, weights["bias"])

    def start(self, prompt: np.ndarray, variations: int) -> None:
        """Read a prompt (length, columns), length 1 or more, and make room for so many continuations of it.

        If the prompt is too long, only its last events that fit are encoded. The decoder itself reads the very last.
        """
        encoded, read = np.split(prompt, [len(prompt) - min(WARM_UP, len(prompt) // 2)])
        x = self.own[encoded[-self.window.prompt:, self.column]]                 # (length, width)
        for attention, feed_forward in self.encoder:
            attention.within(x)
            feed_forward.add(x)
        for attention, cross_attention, _ in self.layers:
            attention.clear(variations, self.window.continuation)
            cross_attention.read(scaled(x))
        self.position = 0  # the row begins with the last event that was encoded
        for past, present in zip(np.concatenate([encoded[-1:], read]), read):
            self.step(*np.repeat([[past], [present]], variations, axis=1))

    def judge(self, prompt: np.ndarray, count: int) -> np.ndarray:
        """Return the logits (count, tokens) of a prompt's last events, each predicted from the events before it."""
        self.start(prompt[:-count], 1)
        return np.concatenate([self.step(past[None], present[None])
                               for past, present in zip(prompt[-count - 1:], prompt[-count:])])

    def step(self, past: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the logits (batch, tokens) of the value of the event after `past` (batch, columns).

        `present`, the event itself, is not read.
        """
        x = self.own[past[:, None, self.column]]                                 # (batch, 1, width)
        for attention, cross_attention, feed_forward in self.layers:
            attention.add(x, self.position)
            cross_attention.add(x, self.position)
            feed_forward.add(x)
        self.position += 1
        return self.logits(scaled(x))[:, 0]
