"""Chains of small operations in one pass over memory.

For example, GELU is nine operations, each of which reads a tensor and writes another, and its gradient is a dozen more:
together they take two thirds of the time of their layer's products. XLA makes one loop of such a chain. It is used only
for these chains: in a whole network it would also do the products, which oneDNN does faster (benchmarks/README.md).
"""

from collections.abc import Callable

import keras


def fused(function: Callable) -> Callable:
    """Return a function that does the same on tensors in one pass, if TensorFlow works on a processor.

    For the gradient everything is computed again from the inputs (Chen et al., "Training Deep Nets with Sublinear
    Memory Cost", arXiv 1604.06174), so no results in between are kept. Only inputs of floating-point numbers have a
    gradient. `function` takes tensors, not variables, and returns one tensor.

    On a GPU, and with another backend of Keras, this is the function itself: there the whole network can be compiled.
    """
    if keras.backend.backend() != "tensorflow":  # JAX, where TensorFlow is not at hand
        return function
    import tensorflow as tf

    forward = tf.function(function, jit_compile=True, autograph=False)

    @tf.function(jit_compile=True, autograph=False)
    def backward(inputs, upstream):
        learned = [tensor for tensor in inputs if tensor.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(learned)
            output = function(*inputs)
        return tape.gradient(output, learned, upstream)

    @tf.custom_gradient
    def in_one_pass(*inputs):
        def gradient(upstream):
            found = iter(backward(inputs, upstream))
            return [next(found) if tensor.dtype.is_floating else None for tensor in inputs]

        return forward(*inputs), gradient

    def call(*inputs):
        if tf.config.list_physical_devices("GPU"):
            return function(*inputs)
        return in_one_pass(*map(tf.convert_to_tensor, inputs))

    return call
