"""Functions of the window: that they are right, on time, and as wrong as predicted."""

import nengo
import numpy as np
import pytest

from lmu_spiking import LegendreMemory, ValidationError, white_noise
from lmu_spiking.networks.function import evaluate

DT, THETA = 0.001, 0.5
TRAINING = white_noise(30, DT, 2.0, 0.5, seed=5)
SIGNAL = white_noise(8, DT, 2.0, 0.5, seed=77).samples
ENDS = [DT, THETA]
FUNCTIONS = {
    "product": (lambda w: w[0] * w[-1], ENDS),
    "maximum": (np.max, None),
    "energy": (lambda w: np.mean(w**2), None),
}


def run(function, delay, neuron_type, n_neurons=1000, tau=0.02):
    """Output and truth (T, p) from theta on, with memory and node."""
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(SIGNAL[:, None], DT))
        memory = LegendreMemory(
            6000,
            6,
            THETA,
            neuron_type=neuron_type,
            noise_seed=3,
            aggregated=neuron_type == "poisson",
        )
        nengo.Connection(stimulus, memory.input, synapse=None)
        node = memory.add_output(
            function=function,
            delay=delay,
            signal=TRAINING,
            n_neurons=n_neurons,
            synapse=tau,
        )
        probe = nengo.Probe(node, synapse=None)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(len(SIGNAL))
    lags = np.round(memory.functions[node].delays / DT).astype(int)
    index = np.arange(round(THETA / DT) + 1, len(SIGNAL))[:, None] - lags
    return (
        sim.data[probe][index[0, 0] + lags[0] :],
        evaluate(function, SIGNAL[index]),
        memory,
        node,
    )


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_of_spikes_is_the_predicted_one(name):
    function, delay = FUNCTIONS[name]
    output, truth, memory, node = run(function, delay, "poisson")
    budget = memory.predict(SIGNAL, node)
    measured = rms(output - truth)
    assert measured == pytest.approx(budget.total, rel=0.15)
    # and it is useful: under a third of what it tells apart
    assert measured < budget.spread / 3
    # the parts are parts of the whole
    assert max(budget.truncation, budget.distortion, budget.noise) < 1.2 * budget.total


def test_rate_neurons_leave_distortion_and_truncation_only():
    function, delay = FUNCTIONS["energy"]
    output, truth, memory, node = run(function, delay, "rate")
    budget = memory.predict(SIGNAL, node)
    assert budget.noise == 0
    assert rms(output - truth) == pytest.approx(budget.total, rel=0.02)


def test_regular_spikes_have_no_law():
    with nengo.Network():
        memory = LegendreMemory(60, 3, THETA, neuron_type="regular")
        node = memory.add_output(function=np.max, signal=TRAINING, n_neurons=100)
    budget = memory.predict(SIGNAL, node)
    assert budget.noise is None
    assert budget.total is None
    assert budget.distortion > 0


@pytest.mark.parametrize("tau", [0.01, 0.05])
def test_readout_is_not_late_by_its_synapse(tau):
    output, truth, *_ = run(lambda w: w[0] ** 2, [0.25], "rate", tau=tau)
    late = range(-30, 31)
    inner = slice(40, -40)
    errors = [rms(np.roll(output, -k, axis=0)[inner] - truth[inner]) for k in late]
    assert abs(late[int(np.argmin(errors))]) <= 1


def test_more_neurons_are_better():
    function, delay = FUNCTIONS["product"]
    errors = []
    for n_neurons in (300, 3000):
        output, truth, *_ = run(function, delay, "poisson", n_neurons)
        errors.append(rms(output - truth))
    assert errors[1] < 0.7 * errors[0]


def test_vector_functions_of_two_inputs():
    with nengo.Network():
        memory = LegendreMemory(120, 3, THETA, size_in=2, neuron_type="rate")

        def products(w):
            return [w[0] * w[1], w[0] + w[1]]

        node = memory.add_output(function=products, delay=[0.2], n_neurons=400)
    assert node.size_out == 2


def test_default_signal_suits_the_memory():
    with nengo.Network():
        memory = LegendreMemory(120, 4, 0.2, neuron_type="rate")
        node = memory.add_output(function=np.max, n_neurons=50)
    assert node.size_out == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"function": lambda w: np.nan}, "NaN"),
        ({"function": lambda w: w[1000]}, "fails on a window"),
        ({"function": lambda w: "text"}, "fails on a window"),
        ({"function": np.max, "delay": [0.0]}, "must lie between"),
        ({"function": np.max, "delay": [0.6]}, "must lie between"),
        ({"function": np.max, "n_neurons": 0}, "at least 1"),
        ({"function": np.max, "synapse": nengo.Alpha(0.1)}, "lowpass"),
        ({"function": np.max, "signal": np.full(5000, np.nan)}, "finite"),
        ({"function": np.max, "signal": np.zeros(10)}, "short"),
        ({"function": np.max, "signal": np.zeros((5000, 3))}, "finite samples"),
        ({"function": np.max, "signal": np.zeros(5000)}, "does not vary"),
    ],
)
def test_refusals(arguments, words):
    with nengo.Network() as model:
        memory = LegendreMemory(60, 3, THETA)
        before = len(model.all_objects)
        with pytest.raises(ValidationError, match=words):
            memory.add_output(**arguments)
    assert len(model.all_objects) == before


def test_predict_refuses_a_node_that_is_no_function():
    with nengo.Network():
        memory = LegendreMemory(60, 3, THETA)
        node = memory.add_output(delay=0.1)
    with pytest.raises(ValidationError, match="not a function"):
        memory.predict(SIGNAL, node)
