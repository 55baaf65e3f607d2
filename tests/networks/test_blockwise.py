import nengo
import numpy as np
import pytest

import lmu_spiking
from lmu_spiking import (
    CellParams,
    LegendreMemory,
    LMUCell,
    LMUNetwork,
    LMUParams,
    ValidationError,
)
from lmu_spiking.networks import blockwise as module
from lmu_spiking.networks.blockwise import place, shared

SIMULATORS = [nengo.Simulator, lmu_spiking.Simulator]


def applied(simulator, transform, x):
    with nengo.Network() as model:
        source = nengo.Node(x)
        size = transform.size_out if hasattr(transform, "size_out") else len(transform)
        target = nengo.Node(size_in=size)
        nengo.Connection(source, target, transform=transform, synapse=None)
        probe = nengo.Probe(target)
    with simulator(model) as sim:
        sim.run_steps(1)
        return sim.data[probe][0].copy()


@pytest.mark.parametrize(("q", "p"), [(1, 1), (3, 2), (2, 5), (1, 4), (4, 1)])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_each_part_takes_the_same_weights(simulator, monkeypatch, q, p, n):
    rng = np.random.default_rng(q + p)
    weights, x = rng.standard_normal((q, p)), rng.standard_normal((n, p))
    dense = shared(weights, n)
    assert isinstance(dense, np.ndarray)
    monkeypatch.setattr(module, "DENSE", 0)
    sparse = shared(weights, n)
    assert isinstance(sparse, nengo.Convolution) == (n > 1)
    for transform in (dense, sparse):
        y = applied(simulator, transform, x.ravel())
        np.testing.assert_allclose(y.reshape(n, q), x @ weights.T, atol=1e-14)


def test_only_large_matrices_become_convolutions():
    assert isinstance(shared(np.ones((16, 16)), 16), np.ndarray)  # 2^16 entries
    assert isinstance(shared(np.ones((16, 16)), 17), nengo.Convolution)
    assert shared(np.ones((300, 300)), 1).shape == (300, 300)


@pytest.mark.parametrize(
    ("asked", "inside"), [(None, True), (True, True), (False, False)]
)
def test_place(asked, inside):
    network = nengo.Network(add_to_container=False)
    with nengo.Network() as model:
        place(network, asked)
    assert model.networks == [network] * inside
    place(network, None)  # nowhere to go


def test_no_network_takes_what_would_do_nothing():
    cell = CellParams.draw(1, units=5, order=3, theta=0.01, connections="e_x W_x W_m")
    for network, names in (
        (LMUCell(cell), "params copies dt memory hidden sample_dt units state"),
        (
            LMUNetwork(LMUParams((cell,), D=np.zeros((2, 5)), c=np.zeros(2))),
            "params copies dt cells output presentation n_neurons",
        ),
    ):
        kind = type(network).__name__
        for name in names.split():
            with pytest.raises(ValidationError, match=rf"^{kind}\.{name}: 7 cannot"):
                setattr(network, name, 7)
        network.label, network.mine = "a", 1
        assert (network.label, network.mine) == ("a", 1)
        assert repr(network).startswith(f'<{kind} "a": ')
        assert "5 units on <LegendreMemory" in repr(network)
        assert "\n" not in repr(network)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_simulator_of_another_step_is_refused(simulator):
    with nengo.Network() as model, nengo.Network():
        LegendreMemory(12, order=2, theta=0.1, dt=0.0005)
    with pytest.raises(ValidationError, match=r"LegendreMemory.dt: 0.0005 .* 0.001 s"):
        simulator(model, progress_bar=False)
    with simulator(model, dt=0.0005, progress_bar=False) as sim:
        sim.run_steps(2)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_cells_keep_time_too(simulator):
    with nengo.Network() as model:
        LMUCell(CellParams.draw(1, 3, 2, 0.1, connections="e_x W_m"))
    with pytest.raises(ValidationError, match=r"simulator's step of 0\.002 s"):
        simulator(model, dt=0.002, progress_bar=False)


def test_steps_that_differ_by_rounding_are_equal():
    with nengo.Network() as model:
        LegendreMemory(12, order=2, theta=0.1, dt=0.1 / 100)
    with nengo.Simulator(model, dt=0.0001 * 10, progress_bar=False) as sim:
        sim.run_steps(2)
