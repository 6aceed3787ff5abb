"""The loss that training minimises, and the accuracy that its progress bar shows."""

import keras
from keras import ops

from serenity.model.fused import fused


def of_target(target, logits):
    """Return the logits of the target tokens: (...), (..., tokens) -> (...)."""
    return ops.take_along_axis(logits, target[..., None], axis=-1)[..., 0]


# The nats of the target tokens: (...), logits (..., tokens) -> (...). Keras's own loss keeps a gradient as large as the
# logits.
surprise = fused(lambda target, logits: ops.logsumexp(logits, axis=-1) - of_target(target, logits))


class Crossentropy(keras.losses.Loss):
    """Cross-entropy of logits (batch, length, tokens) in nats, averaged over the events that count.

    The target is mixed with a share of `smoothing` of an even distribution over all tokens (Szegedy et al., arXiv
    1512.00567, section 7).
    """

    def __init__(self, smoothing: float):
        super().__init__(name="crossentropy", reduction="mean_with_sample_weight")
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        nats = surprise(ops.cast(y_true, "int32"), y_pred)  # Keras has turned the targets into floats
        if not self.smoothing:
            return nats
        even = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
        return (1 - self.smoothing) * nats + self.smoothing * even


def accuracy() -> keras.metrics.Metric:
    """Return the metric: the share of targets that are the likeliest token, or as likely as it.

    Keras's own looks for the first of the likeliest, and for zeros with a sign, which takes seven times as long.
    """
    return keras.metrics.MeanMetricWrapper(_hits, name="accuracy")


def _hits(target, logits):
    return ops.cast(ops.equal(of_target(ops.cast(target, "int32"), logits), ops.max(logits, axis=-1)), "float32")
