"""Relative attention against a naive reference that does build the (query, key, head_dim) tensor."""

import numpy as np
import pytest

HEADS, HEAD_DIM = 3, 5
WIDTH = HEADS * HEAD_DIM


def layer_and_weights(lowest, highest, causal, offset, queries, memory):
    import keras

    from serenity.model.attention import RelativeAttention

    keras.utils.set_random_seed(1)
    layer = RelativeAttention(HEADS, HEAD_DIM, lowest, highest, offset, causal=causal)
    layer(queries, memory)
    layer.relative.assign(np.random.default_rng(1).normal(size=layer.relative.shape))
    return layer, {variable.path.split("/", 1)[1]: np.asarray(variable.value) for variable in layer.variables}


def naive(weights, queries, memory, lowest, highest, causal, offset, key_mask):
    """Shaw et al., equations 3 and 4, word for word."""
    def heads(x, name):
        return (x @ weights[f"{name}/kernel"]).reshape(*x.shape[:2], HEADS, HEAD_DIM).transpose(0, 2, 1, 3)

    query, key, value = heads(queries, "query"), heads(memory, "key"), heads(memory, "value")
    i, j = np.arange(queries.shape[1])[:, None], np.arange(memory.shape[1])[None]
    vectors = weights["relative"][:, np.clip(i - j + offset, lowest, highest) - lowest]  # (heads, query, key, head_dim)
    scores = np.einsum("bhqd,bhkd->bhqk", query, key) + np.einsum("bhqd,hqkd->bhqk", query, vectors)
    scores = scores / np.sqrt(HEAD_DIM)
    scores = np.where(key_mask[:, None, None, :], scores, -np.inf)
    if causal:
        scores = np.where(i >= j, scores, -np.inf)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = np.einsum("bhqk,bhkd->bqhd", scores / scores.sum(-1, keepdims=True), value)
    return mixed.reshape(*queries.shape[:2], WIDTH) @ weights["output/kernel"]


@pytest.mark.parametrize("queries, keys, lowest, highest, causal, offset", [
    (7, 7, -6, 6, False, 0),    # an encoder
    (7, 7, -2, 3, False, 0),    # distances beyond the farthest share its vector
    (7, 7, 0, 6, True, 0),      # a decoder
    (7, 7, 0, 3, True, 0),
    (6, 4, 1, 9, False, 4),     # a decoder over a prompt
    (3, 8, 1, 5, False, 8),
    (1, 5, 1, 20, False, 5),
])
def test_skewed_attention_equals_the_naive_one(queries, keys, lowest, highest, causal, offset):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, queries, WIDTH)).astype(np.float32)
    memory = x if offset == 0 else rng.normal(size=(2, keys, WIDTH)).astype(np.float32)
    mask = np.ones((2, keys), bool)
    if causal:
        mask[1, 2] = False  # not the first, without which the first query would see nothing
    else:
        mask[1, :keys // 2] = False
    layer, weights = layer_and_weights(lowest, highest, causal, offset, x, memory)
    got = np.asarray(layer(x, memory, key_mask=mask))
    np.testing.assert_allclose(got, naive(weights, x, memory, lowest, highest, causal, offset, mask), atol=1e-5)


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_queries_answered_some_at_a_time_are_answered_alike(monkeypatch, rows):
    import keras

    from serenity.model import attention

    x, angles = np.random.default_rng(0).normal(size=(2, 7, 8)).astype(np.float32), np.ones((1, 7, 2), np.float32)
    for layer in (attention.RelativeAttention(2, 4, 0, 4, causal=True), attention.Attention(2, 4, causal=True)):
        keras.utils.set_random_seed(0)
        told = {"query_angles": angles, "key_angles": angles, "key_mask": np.arange(7)[None].repeat(2, 0) != 4}
        whole = np.asarray(layer(x, x, **told))
        monkeypatch.setattr(attention, "ROWS", rows)
        np.testing.assert_allclose(layer(x, x, **told), whole, atol=1e-6)
        monkeypatch.undo()


def test_changing_the_distance_changes_the_result():
    rng = np.random.default_rng(0)
    x, memory = rng.normal(size=(1, 1, WIDTH)), rng.normal(size=(1, 6, WIDTH))
    near, far = (np.asarray(layer_and_weights(1, 50, False, offset, x, memory)[0](x, memory)) for offset in (6, 12))
    assert np.abs(near - far).max() > 0.01


def test_the_order_of_the_keys_matters_through_distance_alone():
    rng = np.random.default_rng(0)
    x, memory = rng.normal(size=(1, 1, WIDTH)), rng.normal(size=(1, 6, WIDTH))
    layer, _ = layer_and_weights(1, 50, False, 6, x, memory)
    assert np.abs(np.asarray(layer(x, memory) - layer(x, memory[:, ::-1]))).max() > 0.01
    layer.relative.assign(np.zeros(layer.relative.shape))
    np.testing.assert_allclose(layer(x, memory), layer(x, memory[:, ::-1]), atol=1e-5)


def test_turned_heads_meet_by_their_distance_alone():
    """RoFormer, equation 16: the product of a query and a key hangs on how far apart they stand, not on where."""
    from serenity.model.attention import turn

    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, 8)).astype(np.float32)
    by = np.array([1.0, 0.3, 0.1, 0.01], np.float32)

    def product(place, other):
        return float(np.sum(np.asarray(turn(query, place * by)) * np.asarray(turn(key, other * by))))
    assert product(9, 4) == pytest.approx(product(105, 100), abs=1e-4)
    assert abs(product(9, 4) - product(9, 5)) > 1e-2
    assert product(3, 3) == pytest.approx(float(query @ key), abs=1e-5)


def test_no_query_sees_a_key_after_it():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 6, WIDTH)).astype(np.float32)
    layer, _ = layer_and_weights(0, 5, True, 0, x, x)
    changed = x.copy()
    changed[:, 4:] += 1
    np.testing.assert_allclose(layer(x, x)[:, :4], layer(changed, changed)[:, :4], atol=1e-6)
    assert np.abs(np.asarray(layer(x, x) - layer(changed, changed))[:, 4:]).max() > 0.01
