"""A network is right at the step it was built for, and says so elsewhere."""

import nengo
import pytest

from lmu_spiking import MemorySpec, Simulator, ValidationError, from_nir, to_nir

pytest.importorskip("nir")


@pytest.mark.parametrize("simulator", [nengo.Simulator, Simulator])
@pytest.mark.parametrize("steps", ["exact", "continuous"])
def test_a_simulator_of_another_step_is_refused(simulator, steps):
    graph = to_nir(MemorySpec(), neurons="none", steps=steps)
    with nengo.Network() as model:
        from_nir(graph)
    with pytest.raises(ValidationError, match=r"0\.001 is not.*dt=0\.0005\)$"):
        simulator(model, dt=0.0005, progress_bar=False)
    with simulator(model, dt=0.001, progress_bar=False) as right:
        right.run_steps(2)


def test_a_continuous_graph_serves_the_step_that_is_asked_for():
    graph = to_nir(MemorySpec(), neurons="none", steps="continuous")
    with nengo.Network() as model:
        from_nir(graph, dt=0.0005)
    with nengo.Simulator(model, dt=0.0005, progress_bar=False) as simulator:
        simulator.run_steps(2)


@pytest.mark.parametrize("name", "input output state parts neurons dt".split())
def test_nothing_can_be_set_that_would_do_nothing(name):
    network = from_nir(to_nir(MemorySpec(), neurons="none", steps="exact"))
    with pytest.raises(ValidationError, match=rf"^NIRNetwork\.{name}: 0\.5 cannot be"):
        setattr(network, name, 0.5)
    network.label, network.mine = "past", 1
    assert (network.label, network.mine) == ("past", 1)
