import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from lmu_spiking.errors import ValidityWarning
from lmu_spiking.lmu import forward
from lmu_spiking.tasks.sequences import Part
from lmu_spiking.training import evaluate
from lmu_spiking.training.evaluation import validation_name


def test_evaluate_needs_no_tensorflow(lmu):
    params = lmu(["tanh"])
    x = np.random.default_rng(0).normal(size=(250, 10, 2))
    y = forward(params, x, last=True)
    assert evaluate(params, SimpleNamespace(x=x, y=y.argmax(1)), 3) == 1.0
    scaled = SimpleNamespace(x=x, y=2 * y - y.mean(axis=0))
    assert evaluate(params, scaled) == pytest.approx(0.5)


def test_what_is_trained_on_validates_nothing(task):
    """However it came into the training part; a part of it is warned of."""
    data = task(classes=3)
    assert validation_name(data) == "valid"
    for seen in (data.merged(), dataclasses.replace(data, valid=data.train)):
        assert validation_name(seen) == "seen"
        with pytest.warns(ValidityWarning, match="patience is judged on sequences"):
            validation_name(seen, chooses=True)
    some = Part(*(np.concatenate([a[:3], b[3:]]) for a, b in both(data)))
    with pytest.warns(ValidityWarning, match="3 of 24 validation sequences are also"):
        assert validation_name(dataclasses.replace(data, valid=some)) == "valid"
    with pytest.warns(ValidityWarning, match="3 of 24 test sequences are also"):
        validation_name(dataclasses.replace(data, test=some))


def both(data):
    return ((getattr(data.train, name), getattr(data.valid, name)) for name in "xy")
