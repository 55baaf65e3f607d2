"""Functions of the window: that they are right, on time, and as wrong as predicted."""

import nengo
import numpy as np
import pytest

from lmu_spiking import LegendreMemory, Simulator, ValidationError, white_noise
from lmu_spiking.networks.function import evaluate, linear_parts

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
    with Simulator(model, dt=DT, progress_bar=False) as sim:
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
        ({"function": lambda w: 1j * w[0]}, "complex numbers"),
        ({"function": np.fft.rfft}, "complex numbers"),
        ({"function": np.max, "delay": [0.0]}, "must lie between"),
        ({"function": np.max, "delay": [0.6]}, "must lie between"),
        ({"function": np.max, "n_neurons": 0}, "at least 1"),
        ({"function": np.max, "synapse": nengo.Alpha(0.1)}, "lowpass"),
        ({"function": np.max, "signal": np.full(5000, np.nan)}, "finite"),
        ({"function": np.max, "signal": np.zeros(10)}, "use at least 1500 steps"),
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


def build(order=6, **changes):
    with nengo.Network():
        return LegendreMemory(60, order, THETA, **changes)


CHANCE = np.random.default_rng(0)
LINEAR = {
    "mean": np.mean,
    "derivative": lambda w: (w[0] - w[1]) / 0.005,
    "matched filter": lambda w: w @ np.hanning(len(w)),
    "affine": lambda w: 3.0 - 2 * w[10],
    "several": lambda w: np.diff(w)[:7],
    "constant": lambda w: 2.0,
}
BENT = {
    "product": lambda w: w[0] * w[-1],
    "a little": lambda w: w[0] + 1e-6 * w[0] ** 2,
    "saturating": lambda w: np.tanh(1e-5 * w[0]),
    "clipped far out": lambda w: np.clip(w.mean(), -1e4, 1e4),
    "dead zone": lambda w: w[0] if abs(w[0]) > 1e-4 else 0.0,
    "half": lambda w: np.maximum(w, 0).mean(),
    "piece": lambda w: w[0] if w[50] < 3 else w[1],
    "steps": lambda w: np.round(w.mean(), 6),
    "largest": np.max,
    "magnitude": lambda w: np.abs(w).sum(),
    "noisy": lambda w: w[0] * (1 + 1e-6 * CHANCE.random()),
    "counts": lambda w, seen=[]: seen.append(0) or w[0] + 1e-3 * len(seen),
    "fails outside": lambda w: w[0] if np.abs(w).max() < 100 else [][0],
    "infinite outside": lambda w: w[0] + 1 / (np.abs(w).max() < 1e3),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_functions_need_no_neurons(name):
    memory = build()
    node = memory.add_output(function=LINEAR[name])
    assert memory.ensembles == [memory.ensemble]
    states = np.random.default_rng(0).standard_normal((50, 6))
    solved = memory.functions[node]
    windows = states @ memory.ldn.readout(solved.delays - DT, DT).T
    wanted = evaluate(LINEAR[name], windows)
    np.testing.assert_allclose(solved.target(states), wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", BENT)
def test_what_is_not_quite_linear_is_no_transform(name):
    assert linear_parts(BENT[name], build().ldn.readout(0.005 * np.arange(100))) is None


def test_neurons_asked_for_are_built_for_a_linear_function_too():
    memory = build(neuron_type="rate")
    memory.add_output(function=np.mean, n_neurons=50)
    assert [e.n_neurons for e in memory.ensembles] == [60, 50]


def weighted(weights, signal, **output):
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(signal, DT))
        memory = LegendreMemory(
            96, 24, THETA, size_in=signal.shape[1], neuron_type="rate", tau=0.02
        )
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.add_output(weights=weights, **output), synapse=None)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(len(signal))
    return sim.data[probe]


@pytest.mark.parametrize("synapse", [None, 0.02])
def test_weights_are_of_the_samples_dt_to_theta_ago(synapse):
    """Mean, derivative and matched filter against sums over the true samples."""
    t = DT * np.arange(2000)
    u = np.sin(8 * t) + 0.3 * np.cos(21 * t)
    n = round(THETA / DT)
    slope = np.zeros(n)
    slope[200], slope[202] = 1 / (2 * DT), -1 / (2 * DT)
    shape = np.hanning(n) * np.sin(np.arange(n) / 40)
    weights = [np.full(n, 1 / n), slope, shape / n]
    read = weighted(weights, u[:, None], synapse=synapse)
    at = np.arange(n + 1, len(u))
    wanted = u[at[:, None] - np.arange(1, n + 1)] @ np.transpose(weights)
    # the onset rings for about as long as the window
    gap = (read[at] - wanted)[700:]
    assert np.all(np.abs(gap).max(axis=0) < 5e-3 * np.abs(wanted).max(axis=0))


def test_weights_of_points_that_are_said_and_of_several_inputs():
    t = DT * np.arange(2000)
    u = np.stack([np.sin(8 * t), np.cos(5 * t)], axis=1)
    read = weighted([[1.0, 2.0], [0.5, -1.0]], u, delay=[0.3, 0.1])
    k = 1900
    wanted = [
        [u[k - 300, i] + 2 * u[k - 100, i], 0.5 * u[k - 300, i] - u[k - 100, i]]
        for i in range(2)
    ]
    np.testing.assert_allclose(read[k], np.ravel(wanted), atol=2e-3)


@pytest.mark.parametrize("synapse", [None, 0.02])
@pytest.mark.parametrize("tuning", [None, "balanced"])
def test_error_of_a_weighted_sum_is_the_predicted_one(synapse, tuning):
    weights = np.r_[np.ones(250), -np.ones(250)] / 500
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(SIGNAL[:, None], DT))
        memory = LegendreMemory(
            600, 6, THETA, noise_seed=3, aggregated=True, tuning=tuning
        )
        nengo.Connection(stimulus, memory.input, synapse=None)
        node = memory.add_output(weights=weights, synapse=synapse)
        probe = nengo.Probe(node, synapse=None)
    with Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(len(SIGNAL))
    index = np.arange(501, len(SIGNAL))[:, None] - np.arange(1, 501)
    measured = rms(sim.data[probe][501:, 0] - SIGNAL[index] @ weights)
    budget = memory.predict(SIGNAL, node)
    assert measured == pytest.approx(budget.total, rel=0.15)
    assert budget.noise > budget.truncation > 0


def test_a_long_function_shows_that_it_works():
    seen = []

    class Bar(nengo.utils.progress.ProgressBar):
        def update(self, progress):
            seen.append(progress.progress)

        def close(self):
            seen.append("closed")

    build().add_output(function=np.max, n_neurons=20, progress_bar=Bar())
    assert seen[-1] == "closed"
    assert seen[-2] == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weights": [1.0, np.nan]}, "must be finite"),
        ({"weights": "mean"}, "must be finite"),
        ({"weights": []}, "must be finite"),
        ({"weights": np.ones((2, 2, 2))}, "must be finite"),
        ({"weights": [1.0]}, "name it by delay="),
        ({"weights": [1.0, 2.0], "delay": [0.1, 0.2, 0.3]}, "each of 3 delays"),
        ({"weights": [1.0, 2.0], "delay": [0.1, 0.6]}, "must lie between"),
        ({"weights": [1.0, 2.0], "function": np.max}, "together with a function"),
        ({"weights": [1.0, 2.0], "n_neurons": 10}, "n_neurons"),
    ],
)
def test_weights_that_are_refused(arguments, words):
    memory = build()
    before = list(memory.all_objects)
    with pytest.raises(ValidationError, match=words):
        memory.add_output(**arguments)
    assert memory.all_objects == before
