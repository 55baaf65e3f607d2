"""A memory that is guaranteed keeps its error whatever it is given."""

import nengo
import numpy as np
import pytest

from lmu_spiking import LegendreMemory, MemorySpec, Simulator, ValidationError, plan
from lmu_spiking.theory.guarantee import bound_at_theta, fewest_bounded


def unfriendly(spec) -> np.ndarray:
    """Return inputs (n, T) that the memory was not planned for."""
    rng, T = np.random.default_rng(5), int(6 * spec.theta / spec.dt)
    t = spec.dt * np.arange(T)
    square = np.sign(np.sin(2 * np.pi / spec.theta * np.outer([0.3, 1, 2.7, 9], t)))
    impulses = 40.0 * (rng.random((2, T)) < 0.01)
    walk = np.cumsum(rng.standard_normal((2, T)), axis=1) * 0.1
    return np.vstack([square, 100 * square[1:3], impulses, walk, np.zeros((1, T))])


@pytest.mark.parametrize(
    ("error", "theta", "bandwidth", "feedback"),
    [
        (0.05, 0.5, 2.0, None),
        (0.1, 0.1, 5.0, "auto"),
    ],
)
def test_no_input_exceeds_a_plan_with_a_guarantee(error, theta, bandwidth, feedback):
    asked = {"guarantee": True, "error_feedback": feedback}
    made = plan(error, theta, bandwidth, **asked)
    spec, rms = made.spec, made.spec.signal.rms
    assert made.bound + made.truncation <= error
    assert made.nrmse < made.bound
    assert made.to_dict()["bound_noise_nrmse"] == made.bound
    inputs = unfriendly(spec)
    with nengo.Network() as model:
        stimulus = nengo.Node(lambda t: 0.0)
        memory = LegendreMemory.from_spec(spec)
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state)
    given = {stimulus: inputs[:, :, None]}
    more = {"dt": spec.dt, "trials": len(inputs), "inputs": given, "dtype": "float64"}
    with Simulator(model, **more) as sim:
        sim.run_steps(inputs.shape[1], progress_bar=False)
    c = spec.ldn.readout(theta - spec.dt, spec.dt).ravel()
    for u, state in zip(inputs, sim.data[probe], strict=True):
        found = (state[1:] - spec.ldn.simulate(u, spec.dt)[:-1]) @ c
        assert np.abs(found).max() <= made.bound * rms * (1 + 1e-6)


def test_the_number_is_the_fewest():
    spec = MemorySpec(order=3, tau=0.2, neuron_type="if", tuning="balanced")
    found, bound = fewest_bounded(spec, 0.02, 1e6, choose_tau=False)
    assert bound == pytest.approx(bound_at_theta(found)) and bound <= 0.02
    fewer = found.replace(n_neurons=int(found.n_neurons / 1.02) - 1)
    assert bound_at_theta(fewer) > 0.02
    assert fewest_bounded(spec, 0.02, found.n_neurons // 2) is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"neuron_type": "lif"}, "'lif' have no bound"),
        ({"neuron_types": ["lif", "poisson"]}, "have no bound, which staggered"),
        ({"max_neurons": 12}, "guaranteed by no memory within max_neurons 12"),
    ],
)
def test_refusals(more, message):
    with pytest.raises(ValidationError, match=message):
        plan(0.05, 0.5, 2.0, guarantee=True, **more)
