import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.training.window import step_tables, tables


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("order", "theta"), [(1, 0.02), (6, 0.05), (40, 0.3)])
def test_tables_are_the_impulse_response_and_its_step(order, theta, last):
    ldn, steps = LDN(order, theta), 50
    found, _ = tables(ldn, 0.001, steps, last=last)
    impulse = np.zeros(steps)
    impulse[0] = 1
    response = ldn.simulate(impulse, 0.001)
    np.testing.assert_allclose(found["H"], response, rtol=0, atol=1e-11)
    if not last:  # a state that is left alone
        m = ldn.simulate(np.zeros(steps), 0.001, initial=ldn.B)
        np.testing.assert_allclose(found["P"] @ ldn.B, m, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("order", "theta"), [(1, 0.02), (6, 0.05), (40, 0.3)])
def test_slopes_are_those_of_differences(order, theta):
    """Central differences err by eps^2 / 6 of a third derivative."""
    eps = 1e-4 * theta
    slopes = tables(LDN(order, theta), 0.001, 50, last=False)[1]
    above, below = (
        tables(LDN(order, t), 0.001, 50, last=False)[0]
        for t in (theta + eps, theta - eps)
    )
    for name, slope in slopes.items():
        difference = (above[name] - below[name]) / (2 * eps)
        scale = np.abs(difference).max()
        np.testing.assert_allclose(slope, difference, rtol=0, atol=1e-5 * scale)
    step, slopes = step_tables(LDN(order, theta), 0.001)
    A, B = LDN(order, theta).discretize(0.001)
    np.testing.assert_array_equal(step["A"], A)
    np.testing.assert_array_equal(step["B"], B)
    above, below = (
        step_tables(LDN(order, t), 0.001)[0] for t in (theta + eps, theta - eps)
    )
    for name, slope in slopes.items():
        difference = (above[name] - below[name]) / (2 * eps)
        scale = np.abs(difference).max()
        np.testing.assert_allclose(slope, difference, rtol=0, atol=1e-5 * scale)
