"""Records keep the samples that Nengo would keep, in the order of the steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.simulator.records import Record


@given(
    st.floats(0.3, 40.0),
    st.lists(st.integers(0, 50), min_size=1, max_size=8),
)
def test_samples_of_pieces_are_those_of_the_whole(period, pieces):
    record = Record((1,), None, period, np.float32)
    steps = np.arange(1, sum(pieces) + 1)
    first, counts = 0, []
    for n in pieces:
        counts.append(record.samples_in(first, n))
        first += n
    assert sum(counts) == np.count_nonzero(steps % period < 1)


@pytest.mark.parametrize("trials", [None, 1, 3])
def test_blocks_follow_each_other(trials):
    record = Record((2, 3), trials, 1.0, np.float64)
    blocks = np.arange((trials or 1) * 9 * 6.0).reshape(trials or 1, 9, 6)
    for a, b in ((0, 4), (4, 4), (4, 9)):
        record.append(blocks[:, a:b])
    assert len(record) == 9
    found = record.array()
    expected = blocks.reshape(-1, 9, 2, 3)
    assert np.array_equal(found, expected if trials else expected[0])
    assert not found.flags.writeable
    record.clear()
    assert len(record) == 0
    assert record.array().shape == (() if trials is None else (trials,)) + (0, 2, 3)
    assert record.array().dtype == np.float64
