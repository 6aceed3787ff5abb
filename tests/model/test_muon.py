"""Our way to Muon's step ends where Keras's does."""

import numpy as np
import pytest


@pytest.mark.parametrize("shape", [(24, 24), (24, 96), (96, 24), (5, 7), (1, 9)])
def test_the_step_is_that_of_keras(shape):
    import keras

    from serenity.model.training import Muon

    rng = np.random.default_rng(0)
    # Singular values of many sizes, as gradients have them.
    gradient = (rng.normal(size=shape) * np.exp(-np.arange(shape[1]) / 4)).astype(np.float32)
    ours, theirs = (np.asarray(optimizer.zeropower_via_newtonschulz5(keras.ops.convert_to_tensor(gradient), 5))
                    for optimizer in (Muon(), keras.optimizers.Muon()))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert np.linalg.svd(ours, compute_uv=False)[0] == pytest.approx(1, abs=0.35)
