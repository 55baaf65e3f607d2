import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.mapping.curves import SPREAD, chip_neurons, choose_curves
from lmu_spiking.memory.basis import band_moments

DT = 0.001
KINDS = ["if", "lif"]


def curves(kind="if", order=3, n_neurons=60, seed=0, **changes):
    ldn = LDN(order, 0.2)
    arguments = {
        "ldn": ldn,
        "mapped": map_onto(ldn, 0.05, DT),
        "dt": DT,
        "moments": band_moments(ldn, DT, 2.0, 0.5),
        "n_neurons": n_neurons,
        "neurons": chip_neurons(kind),
        "rng": np.random.RandomState(seed),
    }
    return choose_curves(**(arguments | changes))


def rates(c, x):
    return c.neurons.rates(c.currents(x), gain=np.ones_like(c.gain), bias=0 * c.bias)


@pytest.mark.parametrize(
    "order, n_neurons", [(1, 8), (1, 9), (2, 17), (3, 60), (6, 97)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_neuron_fires_at_nothing_and_none_beyond_its_radius(
    kind, order, n_neurons
):
    c = curves(kind, order, n_neurons)
    assert (rates(c, np.zeros((1, order))) > 1.0).all()
    far = c.encoders[:, None] * c.radii[c.dimension][:, None]
    for scale in (-1.0, -3.0):
        drive = c.gain * c.encoders * scale * c.encoders + c.bias
        np.testing.assert_allclose(
            drive, np.diag(c.currents(scale * np.tile(far, order))), atol=1e-9
        )
        threshold = 1.0 if kind == "lif" else 0.0
        assert (drive <= threshold + 1e-9).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rates_at_the_radius_are_spread_about_the_highest(kind):
    c = curves(kind, max_rate=100.0)
    top = c.neurons.rates(np.ones(1), c.gain, c.bias)
    assert (top >= 100 * (1 - SPREAD) - 1e-6).all()
    assert (top <= 100 * (1 + SPREAD) + 1e-6).all()
    assert top.std() > 5


def test_currents_are_the_encoding():
    c = curves()
    x = np.random.RandomState(0).randn(5, 3)
    np.testing.assert_allclose(c.currents(x), x @ (c.gain * c.encoding.T) + c.bias)
    assert (np.count_nonzero(c.encoding, axis=1) == 1).all()


@pytest.mark.parametrize("n_neurons", [24, 25, 60, 121])
@pytest.mark.parametrize("block", [1, 2, 4, 8])
def test_neurons_are_shared_out_in_blocks_and_turned_round(n_neurons, block):
    c = curves(n_neurons=n_neurons, block=block)
    assert len(c.gain) == n_neurons == len(c.bias) == len(c.encoders)
    counts = np.bincount(c.dimension, minlength=3)
    assert (counts[:-1] % block == 0).all() and (counts >= block).all()
    for i in range(3):
        assert abs(c.encoders[c.dimension == i].sum()) <= 1


def test_coordinates_are_the_state():
    c = curves()
    np.testing.assert_allclose(c.U @ c.T, np.eye(3), atol=1e-9)


def test_radii_cover_the_onset():
    ldn = LDN(3, 0.2)
    onset = ldn.simulate(np.full(400, 20.0), DT)
    c = curves(onset=onset)
    assert (np.abs(onset @ c.T.T).max(axis=0) <= c.radii * (1 + 1e-9)).all()


def test_a_seed_tells_the_curves():
    np.testing.assert_array_equal(curves(seed=1).gain, curves(seed=1).gain)
    assert (curves(seed=1).gain != curves(seed=2).gain).any()


def test_refusals_name_the_way_out():
    with pytest.raises(ValidationError, match=r"n_neurons: 23 .*; use at least 24"):
        curves(n_neurons=23)
    for kind, top in (("if", "833"), ("lif", "278")):
        with pytest.raises(ValidationError, match=f"max_rate: 900.*at most {top} Hz"):
            curves(kind, max_rate=900.0)
    with pytest.raises(
        ValidationError, match=r"'poisson' cannot be .* use 'if', 'lif'"
    ):
        chip_neurons("poisson", "emulator")
    with pytest.raises(ValidationError, match=r"target='core' with a nengo.neurons"):
        chip_neurons("poisson", "core")
    with pytest.raises(ValidationError, match=r"amplitude: 0.5 must be 1.*; leave it"):
        chip_neurons(nengo.LIF(amplitude=0.5), "emulator")


def test_voltages_begin_at_nothing_on_the_chip():
    for kind, known in (("if", nengo.SpikingRectifiedLinear), ("lif", nengo.LIF)):
        assert type(chip_neurons(kind)) is known
        start = chip_neurons(kind, "emulator").initial_state["voltage"]
        np.testing.assert_array_equal(start.sample(5), 0)
    own = nengo.LIF(tau_rc=0.05)
    assert chip_neurons(own, "emulator") is own
