import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking.loihi.chip.weights import round_weights

TOP = 127


def problem(seed, rows=40, n=12, rank=3, size=20.0):
    """Weights and the second moment of activities that are nearly of few dimensions."""
    rng = np.random.RandomState(seed)
    basis = rng.randn(rank, n)
    P = 50 + 20 * rng.randn(400, rank) @ basis + rng.randn(400, n)
    return rng.uniform(-size, size, (rows, n)), P.T @ P / len(P)


def loss(error, gram):
    """``e G e`` of each row."""
    return np.einsum("ri,ij,rj->r", error, gram, error)


seeds = st.integers(0, 10_000)


@settings(max_examples=40)
@given(seeds, st.integers(2, 20))
def test_every_row_is_within_the_bound_of_babai(seed, n):
    # sum_c (w_c - q_c)^2 / U_cc^2, each |w_c - q_c| <= 1/2, and sum_c 1 / U_cc^2, the
    # pivots of G in any order, is at most its trace
    w, gram = problem(seed, n=n)
    q = round_weights(w, [(np.arange(n), gram)], 1000, np.random.RandomState(seed))
    assert loss(w - q, gram).max() <= np.trace(gram) / 4 * (1 + 1e-9)


@settings(max_examples=40)
@given(seeds, st.integers(8, 20))
def test_the_compensated_error_is_never_larger_than_plain_roundings(seed, n):
    # on average over rows: one row may be lucky
    w, gram = problem(seed, rows=100, n=n)
    q = round_weights(w, [(np.arange(n), gram)], TOP, np.random.RandomState(seed))
    assert loss(w - q, gram).mean() < loss(w - np.round(w), gram).mean()


@settings(max_examples=20)
@given(seeds)
def test_independent_neurons_are_rounded_each_for_itself(seed):
    w, _ = problem(seed)
    gram = np.diag(np.random.RandomState(seed).uniform(1, 9, 12))
    q = round_weights(w, [(np.arange(12), gram)], TOP, np.random.RandomState(0))
    np.testing.assert_array_equal(q, np.round(w))


@settings(max_examples=20)
@given(seeds, st.integers(1, 15), st.booleans())
def test_whole_numbers_of_at_most_the_top(seed, top, anchored):
    w, gram = problem(seed)
    q = round_weights(
        w, [(np.arange(12), gram)], top, np.random.RandomState(0), anchored
    )
    np.testing.assert_array_equal(q, np.round(q))
    assert np.abs(q).max() <= top


@settings(max_examples=20)
@given(seeds)
def test_the_anchored_entry_is_the_top_and_the_others_make_it_good(seed):
    w, gram = problem(seed)
    at = np.unravel_index(np.argmax(np.abs(w)), w.shape)
    parts = [(np.arange(12), gram)]
    q = round_weights(w, parts, TOP, np.random.RandomState(0), anchored=True)
    assert q[at] == np.copysign(TOP, w[at])
    lower = round_weights(w, parts, TOP, np.random.RandomState(0), True, -TOP - 1)
    assert lower[at] == (TOP if w[at] > 0 else -TOP - 1)
    held = np.zeros_like(w[at[0]])
    held[at[1]] = w[at] - q[at]  # the others as they were
    assert loss((w - q)[[at[0]]], gram)[0] < loss(held[None], gram)[0]


def test_parts_are_rounded_apart():
    w, gram = problem(3)
    even, odd = np.arange(0, 12, 2), np.arange(1, 12, 2)
    parts = [(even, gram[np.ix_(even, even)]), (odd, gram[np.ix_(odd, odd)])]
    q = round_weights(w, parts, TOP, np.random.RandomState(0))
    for of, g in parts:
        assert loss((w - q)[:, of], g).max() <= np.trace(g) / 4


def test_whole_numbers_stay_and_a_seed_tells_the_order():
    w, gram = problem(4)
    parts = [(np.arange(12), gram)]

    def rounded(weights, seed=0, anchored=False):
        rng = np.random.RandomState(seed)
        return round_weights(weights, parts, TOP, rng, anchored)

    np.testing.assert_array_equal(rounded(np.round(w)), np.round(w))
    np.testing.assert_array_equal(rounded(w, 1), rounded(w, 1))
    assert (rounded(w, 1) != rounded(w, 2)).any()
    assert not rounded(np.zeros_like(w)).any()
    assert rounded(w[:1], anchored=True).shape == (1, 12)
