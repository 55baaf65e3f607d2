"""Tonic neurons in closed form are those of the solver."""

import numpy as np
import pytest

from lmu_spiking import LegendreMemory, MemorySpec, to_nir
from lmu_spiking.neurons.population import build_population
from lmu_spiking.nir import tonic
from lmu_spiking.nir.tonic_neurons import tonic_population

pytest.importorskip("nir")


@pytest.mark.parametrize("order", [1, 3, 6])
@pytest.mark.parametrize("n_neurons", [120, 601])
def test_decoders_are_those_of_the_solver(order, n_neurons):
    spec = MemorySpec(n_neurons, order=order, theta=0.3, tuning="balanced")
    memory = LegendreMemory.from_spec(spec, add_to_container=False)
    quick = tonic_population(memory)
    solved = build_population(
        np.bincount(memory.population.dimension),
        memory.population.radii,
        neurons="if",
        tuning=tonic(300),
        averaging=0.3,
        rng=np.random.RandomState(memory.tuning_seed),
    )
    for name in ("dimension", "encoders", "gain", "bias", "per_unit", "ceiling"):
        assert np.array_equal(getattr(quick, name), getattr(solved, name))
    assert np.allclose(quick.decoders, solved.decoders, rtol=1e-8, atol=0)
    assert quick.n_neurons == n_neurons


@pytest.mark.slow
def test_many_neurons():
    graph = to_nir(MemorySpec(2_000_000), neurons="tonic")
    assert graph.nodes["neurons"].r.shape == (2_000_000,)
