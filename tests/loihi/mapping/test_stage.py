import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.loihi.chip.pulses import PAIRS, sizes
from lmu_spiking.loihi.chip.weights import Grid
from lmu_spiking.loihi.mapping.stage import COARSEST, choose_pulses


@given(st.floats(0.02, 1e6), st.sampled_from([0, -1, -2]))
def test_a_pulse_is_as_faint_as_the_core_can_tell(strongest, exponent):
    grid = Grid(1.0, 127, 100.0, exponent)
    heard, size = choose_pulses(strongest, grid)
    assert strongest * size >= grid.faintest
    if size > 1 / PAIRS:
        assert strongest * size < 2.03 * grid.faintest
    assert len(heard) == (1 / size if size <= 1 else 1)
    assert (sizes(PAIRS + COARSEST)[heard] == max(size, 1)).all()


def test_what_is_far_too_faint_is_not_heard():
    heard, _ = choose_pulses(1e-9, Grid(1.0, 127, 100.0, 0))
    assert len(heard) == 0


@pytest.mark.parametrize("pairs", [3, PAIRS, PAIRS + 3])
def test_sizes_double(pairs):
    found = sizes(pairs)
    assert len(found) == pairs and (found[:PAIRS] == 1).all()
    np.testing.assert_array_equal(found[PAIRS:], [2, 4, 8][: pairs - PAIRS])
