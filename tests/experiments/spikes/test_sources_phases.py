import nengo
import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.spikes.sources import watch_phases
from lmu_spiking.networks.memory import LegendreMemory


def watched(simulator, u, neuron_type, n=400, dt=0.001, every=0.05, neurons=None, **kw):
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], dt))
        memory = LegendreMemory(
            n, 2, 0.2, dt=dt, neuron_type=neuron_type, noise_seed=3, **kw
        )
        nengo.Connection(stimulus, memory.input, synapse=None)
        if neurons is not None:
            memory.ensemble.neuron_type = neurons
        watch = watch_phases(memory, every)
    with simulator(model, dt) as sim:
        sim.run_steps(len(u))
    return watch


@pytest.fixture(scope="module")
def u(white):
    return white(2500)


def test_poisson_neurons_are_at_the_null(simulator, u):
    found = watched(simulator, u, "poisson").discrepancy(0.2)
    assert found.samples > 30
    # 0.3 of the null is the deviation of one sample; samples are 0.05 s apart, and a
    # neuron keeps its phase for a spike or two
    assert found.ratio == pytest.approx(1, abs=4 * 0.3 / np.sqrt(found.samples / 2))
    assert found.verdict == "independent"


def test_integrators_from_one_voltage_are_in_step(simulator, u):
    same = nengo.SpikingRectifiedLinear(
        initial_state={"voltage": nengo.dists.Choice([0.0])}
    )
    found = watched(simulator, u, "if", neurons=same).discrepancy(0.2)
    assert found.verdict == "in step"
    assert found.effective_neurons < 2


def test_integrators_from_even_voltages_are_independent(simulator, u):
    found = watched(simulator, u, "if").discrepancy(0.2)
    assert found.verdict != "in step"
    assert found.effective_neurons > 0.3 * found.neurons


def test_phases_are_places_between_spikes(simulator):
    # one value for ever: IF neurons with voltages from 0 to 1 have even phases exactly
    watch = watched(simulator, np.full(2000, 0.5), "if", n=400, every=0.01)
    phases = watch.phases()
    assert phases.shape == (200, 400)
    known = phases[np.isfinite(phases)]
    assert known.min() >= 0
    assert known.max() <= 1
    assert known.mean() == pytest.approx(0.5, abs=0.03)
    assert np.isnan(phases[0]).all()  # none has spiked often enough


def test_neurons_without_phases_are_refused(simulator):
    with nengo.Network():
        rate = LegendreMemory(20, 2, 0.2, neuron_type="rate")
        with pytest.raises(ValidationError, match="does not spike"):
            watch_phases(rate)
        summed = LegendreMemory(20, 2, 0.2, aggregated=True)
        with pytest.raises(ValidationError, match="use aggregated=False"):
            watch_phases(summed)
        memory = LegendreMemory(20, 2, 0.2)
        with pytest.raises(ValidationError, match="every: 0 must be a positive"):
            watch_phases(memory, every=0)
        with pytest.raises(ValidationError, match="no group of 2 neurons that fire"):
            watch_phases(memory).discrepancy()
