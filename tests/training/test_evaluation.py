from types import SimpleNamespace

import numpy as np
import pytest

from lmu_spiking.rates import forward
from lmu_spiking.training import evaluate


def test_evaluate_needs_no_tensorflow(lmu):
    params = lmu(["tanh"])
    x = np.random.default_rng(0).normal(size=(250, 10, 2))
    y = forward(params, x, last=True)
    assert evaluate(params, SimpleNamespace(x=x, y=y.argmax(1)), 3) == 1.0
    assert evaluate(params, SimpleNamespace(x=x, y=2 * y)) == pytest.approx(0.5)
