from typing import ClassVar

import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.spikes.sources import lead_floor, map_lead, measure_lead
from lmu_spiking.memory.design import design
from lmu_spiking.memory.spec import MemorySpec

SPEC = MemorySpec(n_neurons=800, order=3, theta=0.3, neuron_type="lif", radii=1.5)


def test_mapping_out_a_lead_gives_the_loop_again():
    # (A'' (I + L A / theta)) m + (A'' L B / theta + B'') u = A' m + B' u
    ldn, lead = LDN(4, 0.5), np.array([1e-3, -2e-3, 0.0, 3e-3])
    mapped = map_onto(ldn, 0.1, 0.001)
    A, B = map_lead(mapped, ldn, lead)
    rng = np.random.RandomState(0)
    m, u = rng.randn(4), rng.randn(1)
    speed = (ldn.A @ m + ldn.B.ravel() * u) / ldn.theta
    got = A @ (m + lead * speed) + B @ u
    assert got == pytest.approx(mapped.A @ m + mapped.B @ u, rel=1e-10)
    none = map_lead(mapped, ldn, 0.0)
    assert none[0] == pytest.approx(mapped.A)
    assert none[1] == pytest.approx(mapped.B)


def test_floor_is_that_of_a_loop_with_the_lead(white):
    u, dt = white(3000), 0.001
    ldn, lead = SPEC.ldn, np.array([1e-3, 2e-3, 0.5e-3])
    mapped = map_onto(ldn, SPEC.tau, dt)
    exact = ldn.simulate(u, dt)
    a = np.exp(-dt / SPEC.tau)
    m, errors, before = np.zeros(3), [], np.zeros(3)
    for k, x in enumerate(u):
        decoded = m + lead * (m - before) / dt  # what leading neurons say
        before = m
        drive = mapped.A @ decoded + mapped.B.ravel() * x
        m = a * m + (1 - a) * drive
        errors.append(m - exact[k])
    seen = np.sqrt(np.mean(np.square(errors)))
    # the lead of this loop sees its own error, a part in a hundred
    assert lead_floor(SPEC, exact, lead) == pytest.approx(seen, rel=0.03)
    assert lead_floor(SPEC, exact, 2 * lead) == pytest.approx(
        2 * lead_floor(SPEC, exact, lead)
    )


class Ahead(nengo.RectifiedLinear):
    """Rates that run 2 ms ahead of the drive."""

    state: ClassVar = {"before": nengo.dists.Choice([0.0])}

    def step(self, dt, J, output, before):
        output[...] = np.maximum(J + 0.002 * (J - before) / dt, 0)
        before[...] = J


def test_a_known_lead_is_measured(white):
    spec = SPEC.replace(neuron_type="rate", radii=1.0)
    states = spec.ldn.simulate(white(3000), spec.dt)
    population = design(spec).population
    object.__setattr__(population, "neurons", Ahead())
    lead = measure_lead(population, states, spec.dt, spec.tau)
    # backward differences, where the regression takes central ones: half a step
    assert lead.seconds == pytest.approx(0.002, rel=0.02)
    assert lead.explained > 0.98


def test_lif_neurons_lead_and_integrators_do_not(white):
    states = SPEC.ldn.simulate(white(3000), SPEC.dt)
    lif = measure_lead(design(SPEC).population, states, SPEC.dt, SPEC.tau)
    assert (lif.seconds > 0.3e-3).all()
    assert (lif.seconds < 3e-3).all()
    pairs = design(SPEC.replace(neuron_type="if", radii=1.0)).population
    fire = measure_lead(pairs, states, SPEC.dt, SPEC.tau)
    assert np.abs(fire.seconds).max() < 0.3 * lif.seconds.min()
    assert fire.explained < 0.2 < lif.explained


def test_a_signal_that_ends_before_the_synapse_settles_has_no_lead():
    population = design(SPEC).population
    with pytest.raises(
        ValidationError, match=r"measure_lead.states: .* use at least 1 s"
    ):
        measure_lead(population, np.zeros((500, SPEC.order)), 0.001, 0.1)
