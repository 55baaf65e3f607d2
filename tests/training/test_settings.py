import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.training import TrainSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", None),
        ("batch", 1.5),
        ("learning_rate", 0.0),
        ("learning_rate", None),
        ("optimizer", "lbfgs"),
        ("schedule", "steps"),
        ("patience", 0),
        ("seconds", -1),
        ("noise", -0.1),
        ("noise", "much"),
        ("late", -1.0),
        ("stretch", float("inf")),
        ("rate_penalty", float("nan")),
        ("crop", 0),
        ("trainable_theta", 3.5),
        ("trainable_theta", (-1,)),
        ("seed", -1),
        ("precision", "float16"),
        ("noise_covariance", [[1.0, 2.0], [2.0, 1.0]]),
        ("noise_covariance", [[1.0, 0.5], [0.0, 1.0]]),
        ("noise_covariance", [1.0]),
        ("noise_covariance", "law"),
    ],
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(ValidationError, match=rf"^TrainSettings\.{name}: [^\n]*$"):
        TrainSettings(**{name: value})


@pytest.mark.parametrize("name", ["noise", "late", "stretch"])
def test_noise_is_given_once(name):
    with pytest.raises(ValidationError, match=f"{name}: .* noise_covariance"):
        TrainSettings(**{name: 0.1}, noise_covariance=np.eye(2))


def test_what_is_trained(lmu):
    params = lmu(["relu", "tanh"])
    every = TrainSettings(trainable_theta=True).names(params)
    assert every == (*params.arrays(), "cell0.theta", "cell1.theta")
    some = TrainSettings(trainable=["readout.D", "cell0.e_x"], trainable_theta=(1,))
    assert some.names(params) == ("cell0.e_x", "readout.D", "cell1.theta")
    with pytest.raises(ValidationError, match=r"readout\.E"):
        TrainSettings(trainable="readout.E").names(params)
    with pytest.raises(ValidationError, match="2 cells"):
        TrainSettings(trainable_theta=(2,)).names(params)
