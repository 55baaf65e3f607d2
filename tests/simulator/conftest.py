"""The same network in Nengo's simulator and in the compiled one, probe by probe."""

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.cache import NoDecoderCache

from lmu_spiking.simulator import Simulator


def _model(dt):
    return Model(dt=dt, decoder_cache=NoDecoderCache())


def _closed(sim, steps):
    with sim:
        for n in np.atleast_1d(steps):
            sim.run_steps(n, progress_bar=False)
    return sim


def _compiled(network, steps=(), dt=0.001, **keywords):
    keywords = {"dtype": "float64", "progress_bar": False} | keywords
    return _closed(Simulator(network, dt=dt, model=_model(dt), **keywords), steps)


def _agree(network, steps=50, dt=0.001, optimize=True, tolerance=1e-10, seed=None):
    known = {"seed": seed, "optimize": optimize, "progress_bar": False}
    ours = _compiled(network, steps, dt, **known)
    theirs = _closed(nengo.Simulator(network, dt=dt, model=_model(dt), **known), steps)
    assert network.all_probes
    for probe in network.all_probes:
        a, b = ours.data[probe], theirs.data[probe]
        assert a.shape == b.shape and a.dtype == np.float64
        most = np.abs(b).max(initial=0.0)
        np.testing.assert_allclose(
            a, b, rtol=tolerance, atol=tolerance * most, err_msg=f"{probe.obj}"
        )
    assert np.array_equal(ours.trange(), theirs.trange())
    return ours


@pytest.fixture(scope="session")
def compiled():
    """``compiled(network, steps, dt, **keywords)``: a closed `Simulator` that has run.

    With several numbers of steps, as many runs.
    """
    return _compiled


@pytest.fixture(scope="session")
def agree():
    """Hold all probes to `nengo.Simulator`, to 1e-10 of the largest value of each."""
    return _agree


@pytest.fixture(params=[True, False], ids=["optimized", "plain"])
def optimize(request):
    """Whether Nengo's optimizer merges operators first."""
    return request.param
