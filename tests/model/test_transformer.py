"""The layers that training has: relative attention against a naive reference that does build (query, key, head_dim)."""

import numpy as np
import pytest

HEADS, HEAD_DIM = 3, 5


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def attend(query, key, value, **how):
    from serenity.model.transformer import attend

    return np.asarray(attend(query * HEAD_DIM ** -0.5, key, value, **how))


def naive(query, key, value, relative, lowest, causal, offset, key_mask):
    """Shaw et al., equations 3 and 4, word for word."""
    i, j = np.arange(query.shape[2])[:, None], np.arange(key.shape[2])[None]
    highest = lowest + relative.shape[1] - 1
    vectors = relative[:, np.clip(i - j + offset, lowest, highest) - lowest]  # (heads, query, key, head_dim)
    scores = np.einsum("bhqd,bhkd->bhqk", query, key) + np.einsum("bhqd,hqkd->bhqk", query, vectors)
    scores = np.where(key_mask[:, None, None, :], scores / np.sqrt(HEAD_DIM), -np.inf)
    if causal:
        scores = np.where(i >= j, scores, -np.inf)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bhqk,bhkd->bhqd", scores / scores.sum(-1, keepdims=True), value)


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
    query, key, value = (drawn(2, HEADS, length, HEAD_DIM, seed=length + seed)
                         for seed, length in enumerate((queries, keys, keys)))
    relative, mask = drawn(HEADS, highest - lowest + 1, HEAD_DIM), np.ones((2, keys), bool)
    if causal:
        mask[1, 2] = False  # not the first, without which the first query would see nothing
    else:
        mask[1, :keys // 2] = False
    got = attend(query, key, value, causal=causal, key_mask=mask, relative=relative, lowest=lowest, offset=offset)
    np.testing.assert_allclose(got, naive(query, key, value, relative, lowest, causal, offset, mask), atol=1e-5)


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_queries_answered_some_at_a_time_are_answered_alike(monkeypatch, rows):
    from serenity.model import transformer

    x, mask = drawn(2, HEADS, 7, HEAD_DIM), np.arange(7)[None].repeat(2, 0) != 4
    for relative in (None, drawn(HEADS, 5, HEAD_DIM)):
        whole = attend(x, x, x, causal=True, key_mask=mask, relative=relative)
        monkeypatch.setattr(transformer, "ROWS", rows)
        np.testing.assert_allclose(attend(x, x, x, causal=True, key_mask=mask, relative=relative), whole, atol=1e-6)
        monkeypatch.undo()


def test_changing_the_distance_changes_the_result():
    query, key, relative = drawn(1, HEADS, 1, HEAD_DIM), drawn(1, HEADS, 6, HEAD_DIM), drawn(HEADS, 50, HEAD_DIM)
    near, far = (attend(query, key, key, relative=relative, lowest=1, offset=offset) for offset in (6, 12))
    assert np.abs(near - far).max() > 0.01


def test_the_order_of_the_keys_matters_through_distance_alone():
    query, key, relative = drawn(1, HEADS, 1, HEAD_DIM), drawn(1, HEADS, 6, HEAD_DIM), drawn(HEADS, 50, HEAD_DIM)
    other = key[:, :, ::-1]
    for told, differs in ((relative, True), (0 * relative, False)):
        one, two = (attend(query, keys, keys, relative=told, lowest=1, offset=6) for keys in (key, other))
        assert (np.abs(one - two).max() > 1e-3) == differs


def test_turned_heads_meet_by_their_distance_alone():
    """RoFormer, equation 16: the product of a query and a key hangs on how far apart they stand, not on where."""
    from serenity.model.transformer import turn

    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, 8)).astype(np.float32)
    by = np.array([1.0, 0.3, 0.1, 0.01], np.float32)

    def product(place, other):
        return float(np.sum(np.asarray(turn(query, place * by)) * np.asarray(turn(key, other * by))))
    assert product(9, 4) == pytest.approx(product(105, 100), abs=1e-4)
    assert abs(product(9, 4) - product(9, 5)) > 1e-2
    assert product(3, 3) == pytest.approx(float(query @ key), abs=1e-5)


def test_no_query_sees_a_key_after_it():
    x, relative = drawn(1, HEADS, 6, HEAD_DIM), drawn(HEADS, 6, HEAD_DIM)
    changed = x.copy()
    changed[:, :, 4:] += 1
    one, other = (attend(keys, keys, keys, causal=True, relative=relative) for keys in (x, changed))
    np.testing.assert_allclose(one[:, :, :4], other[:, :, :4], atol=1e-6)
    assert np.abs(one - other)[:, :, 4:].max() > 0.01
