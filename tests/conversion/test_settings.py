import dataclasses

import numpy as np
import pytest

from lmu_spiking.conversion.settings import TUNINGS, ConvertSettings
from lmu_spiking.errors import ValidationError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_neurons": 3}, "convert.n_neurons: 3 must be a whole number of at least 4"),
        ({"n_neurons": 1e5}, "convert.n_neurons: 100000.0 must be a whole number"),
        (
            {"presentation": None},
            "convert.presentation: None must be a positive number",
        ),
        (
            {"presentation": 0.0105},
            "presentation: 0.0105 must be a whole number of",
        ),
        ({"presentation": np.nan}, "presentation: nan must be"),
        ({"dt": 0}, "dt: 0 must be a positive number"),
        ({"dt": 0.02}, "presentation: 0.01 must be a whole number of .* use 0.02"),
        (
            {"neuron_type": "rate"},
            "'rate' is unknown; use one of poisson, stoch",
        ),
        ({"neuron_type": "lif"}, "convert.neuron_type: 'lif' is unknown"),
        (
            {"tuning": "drawn"},
            "'drawn' is unknown; use one of balanced, optimal",
        ),
        ({"synapse": 0}, "convert.synapse: 0 must be a positive number"),
        ({"readout_synapse": -0.1}, "convert.readout_synapse: -0.1 must be"),
        ({"max_rate": np.inf}, "convert.max_rate: inf must be"),
        ({"hidden_share": 1.0}, "convert.hidden_share: 1.0 must be below 1"),
        ({"hidden_share": 0}, "convert.hidden_share: 0 must be"),
        ({"noise_seed": 2**31}, "convert.noise_seed: 2147483648 must be"),
        ({"noise_seed": 0.5}, "convert.noise_seed: 0.5 must be"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        ConvertSettings(**changes)


def test_settings_are_frozen_values():
    s = ConvertSettings(noise_seed=2**31 - 1, n_neurons=np.int64(7), dt=1e-4)
    assert s == dataclasses.replace(s)
    assert s.tuning in TUNINGS
    with pytest.raises(dataclasses.FrozenInstanceError):
        s.dt = 1.0


@pytest.mark.parametrize(
    ("name", "sums"),
    [("poisson", True), ("stochastic", True), ("regular", True), ("if", True)],
)
def test_only_neurons_whose_sums_are_known_are_aggregated(name, sums):
    assert ConvertSettings(neuron_type=name).simulates_sums == sums
    assert not ConvertSettings(neuron_type=name, aggregated=False).simulates_sums
    random = ConvertSettings(neuron_type=name, initial_phases="random")
    assert random.simulates_sums == (name in ("poisson", "stochastic"))
