"""Where the gain of error feedback ends: the rule of docs/laws.md, section 7."""

import numpy as np
import pytest

from lmu_spiking.memory.design import assemble
from lmu_spiking.signals import SignalSpec


def gain(order, theta, dt):
    """Return the noise without feedback over that with it, and the slow gain."""
    signal = SignalSpec(order / (4 * theta), 0.5)
    options = {"synapse": None, "dt": dt, "tuning": "balanced", "signal": signal}
    off, on = (
        assemble(1000 * order, order, theta, error_feedback=asked, **options)
        for asked in (None, "auto")
    )
    return off.basis.error / on.basis.error, 1 + on.mapped.feedback.gain


@pytest.mark.parametrize(
    ("order", "theta", "dt"),
    [
        (6, 0.5, 1e-3),  # the leak of the feedback, and steps in the window, limit it
        (6, 0.5, 1e-4),
        (12, 0.05, 1e-3),  # the band of the memory does
        (12, 0.25, 5e-3),
    ],
)
def test_the_gain_is_that_of_the_rule(order, theta, dt):
    found, slow = gain(order, theta, dt)
    rule = (slow**-2 + 3 * dt / theta + (order * dt / theta) ** 2) ** -0.5
    assert 0.8 < found / rule < 1.2


def test_the_gain_is_the_same_in_other_units_of_time():
    """But for what the leak of the feedback, 20 ms at most, leaves."""
    found = [gain(12, 0.05 * unit, 1e-3 * unit)[0] for unit in (0.3, 2.0)]
    assert np.ptp(found) < 0.1 * np.mean(found)


def test_the_gain_ends_where_a_coefficient_has_a_step():
    assert gain(6, 0.006, 1e-3)[0] < 1.5
