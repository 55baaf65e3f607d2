import numpy as np
import pytest

from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.trial import run_trial
from lmu_spiking.theory.cost import synaptic_operations

SPEC = MemorySpec(n_neurons=60, order=3, dt=0.002)


def test_factored_layout_is_the_network_as_built():
    memory = LegendreMemory.from_spec(SPEC)
    (decode,) = (c for c in memory.connections if c.post_obj is memory.output)
    driven = np.bincount(decode.transform.init.indices[:, 1])
    assert (driven == 1).all()  # weights that a spike drives
    clocked = sum(
        np.count_nonzero(c.transform.sample())
        if not hasattr(c.transform.init, "indices")
        else len(c.transform.init.indices)
        for c in memory.connections
        if c is not decode
    )
    cost = synaptic_operations(SPEC, 1000.0)
    assert cost.by_spikes == 1000
    assert cost.clocked == pytest.approx(clocked / SPEC.dt)
    assert cost.factored == cost.by_spikes + cost.clocked


def test_full_layout_has_a_weight_for_every_pair():
    memory = LegendreMemory.from_spec(SPEC)
    population = memory.population
    A = memory.mapped.A[np.ix_(population.dimension, population.dimension)]
    W = np.outer(population.encoders, population.decoders) * A
    assert (np.count_nonzero(W, axis=0) == SPEC.n_neurons).all()
    assert synaptic_operations(SPEC, 1000.0).full == 1000 * SPEC.n_neurons


def test_a_trial_counts_them():
    row = run_trial(SPEC, white_noise(1.0, 0.002, 2.0, 0.5, 0)).row
    cost = synaptic_operations(SPEC, row["spikes_per_s"])
    assert row["synops_per_s"] == cost.factored
    assert row["synops_per_s_full"] == cost.full


def test_feedback_costs_a_gain_and_a_second_weight():
    spec = MemorySpec(120, 6, 0.5)
    plain, fed_back = (
        synaptic_operations(s, 1000.0)
        for s in (spec, spec.replace(error_feedback="auto"))
    )
    assert fed_back.by_spikes == plain.by_spikes
    assert fed_back.clocked - plain.clocked == pytest.approx(6 / spec.dt)
    assert fed_back.full - plain.full == pytest.approx(1000.0 * 20)
