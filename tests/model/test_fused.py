"""Chains in one pass give the values and the gradients of what they are made of."""

import numpy as np


def values_and_gradients(function, inputs, learned):
    import tensorflow as tf

    tensors = [tf.constant(value) for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = function(*tensors)
        total = tf.reduce_sum(output * tf.reshape(tf.range(float(tf.size(output))), output.shape))
    return [np.asarray(output), *map(np.asarray, tape.gradient(total, [tensors[number] for number in learned]))]


def same(function, inputs, learned):
    from serenity.model.fused import fused

    for got, wanted in zip(values_and_gradients(fused(function), inputs, learned),
                           values_and_gradients(function, inputs, learned), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5)


def test_all_inputs_that_are_numbers_get_their_gradient():
    from keras import ops

    rng = np.random.default_rng(0)
    x, gamma, beta = (rng.normal(size=size).astype(np.float32) for size in ((3, 5), 5, 5))
    same(lambda x, gamma, beta: ops.gelu(gamma * x + beta), [x, gamma, beta], [0, 1, 2])


def test_whole_numbers_pass_without_one():
    from keras import ops

    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 5)).astype(np.float32)
    same(lambda token, scores: ops.logsumexp(scores, -1) - ops.take_along_axis(scores, token[:, None], -1)[:, 0],
         [np.array([4, 0, 2], np.int32), scores], [1])


def test_it_normalises_as_keras_does_and_so_are_its_gradients():
    import keras
    import tensorflow as tf

    from serenity.model.transformer import normalise

    x = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32))
    plain = keras.layers.LayerNormalization(epsilon=1e-5)
    plain.build(x.shape)
    plain.gamma.assign(np.arange(8))
    gradients = []
    for function in (lambda x: normalise(x, plain.gamma.value, plain.beta.value), plain):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(function(x) ** 3)
        gradients.append(tape.gradient(loss, [plain.gamma.value, plain.beta.value]))
    for got, wanted in zip(*gradients, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
