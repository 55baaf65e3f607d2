"""Bits of hashes and keys: balanced, unrelated, and half of them changed by any bit."""

import math

import numpy as np
import pytest
from scipy import stats

from lmu_spiking.simulator.kernels import noise

LEAST = 1e-4  # p-values below which a law is broken


def bits(values, width=32):
    """(n, width) of 0 and 1."""
    shifts = np.arange(width, dtype=np.uint64)
    return ((np.asarray(values, np.uint64)[:, None] >> shifts) & np.uint64(1)).astype(
        float
    )


def hashes(i, key0, key1):
    """`hash32` of many."""
    return np.array(
        [noise.hash32(np.uint32(a), np.uint32(key0), np.uint32(key1)) for a in i]
    )


@pytest.mark.parametrize("key", [(0, 0), (1, 0), (0, 1), (0xDEADBEEF, 0x12345678)])
def test_hashes_of_consecutive_neurons_are_uniform(key):
    x = hashes(range(2**17), *key)
    for part in (x >> 24, x & 0xFF, (x >> 12) & 0xFF):
        assert stats.chisquare(np.bincount(part, minlength=256)).pvalue > LEAST
    assert stats.kstest(x / 2**32, "uniform").pvalue > LEAST
    balance = (bits(x).mean(0) - 0.5) * 2 * math.sqrt(len(x))
    assert np.abs(balance).max() < 5
    together = np.corrcoef(bits(x).T) * math.sqrt(len(x))
    assert np.abs(together - np.diag(np.diag(together))).max() < 5.5


@pytest.mark.parametrize("bit", range(0, 32, 5))
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_bit_of_neuron_or_key_changes_half_of_the_hash(bit, which):
    """The avalanche criterion.

    The second key, itself random, passes one round alone: within 5%; else within 1%.
    """
    rng = np.random.default_rng([13, bit, which])
    x = rng.integers(2**32, size=(20_000, 3), dtype=np.uint32)
    other = x.copy()
    other[:, which] ^= np.uint32(1 << bit)
    flipped = [
        int(noise.hash32(*a)) ^ int(noise.hash32(*b))
        for a, b in zip(x, other, strict=True)
    ]
    assert abs(bits(flipped).mean() - 0.5) < (0.05 if which == 2 else 0.01)
    if which < 2:
        assert np.abs(bits(flipped).mean(0) - 0.5).max() < 0.02


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_keys_of_steps_are_uniform(seed):
    found = [int(noise.step_key(np.uint64(seed), k)) for k in range(2**15)]
    x = np.array(found, np.uint64)
    assert len(np.unique(x)) == len(x)
    balance = (bits(x, 64).mean(0) - 0.5) * 2 * math.sqrt(len(x))
    assert np.abs(balance).max() < 5
    together = np.corrcoef(bits(x, 64).T) * math.sqrt(len(x))
    assert np.abs(together - np.diag(np.diag(together))).max() < 5.5
    flips = bits(x[1:] ^ x[:-1], 64).sum(1)
    assert stats.ttest_1samp(flips, 32).pvalue > LEAST
