r"""Any function of the window, computed by an ensemble over the joint state.

Rectifier pairs can only decode sums of one-dimensional terms.  A product or a maximum
needs neurons that see several dimensions at once.  Their spikes are read through a
lowpass of ``tau`` seconds, which would make the answer late.  So the ensemble computes
not ``f`` but what the lowpass turns into ``f`` (Principle 3, for a nonlinear readout):

.. math::

    g(m, u) = \frac{f(c\, m^+) - a f(c\, m)}{1 - a}, \qquad
    m^+ = \bar A m + \bar B u, \quad a = e^{-dt/\tau},

whose arguments, the window now and in the next step, are linear in state and input.
It stands apart from `networks.readout`, which adds all kinds of readouts to a network,
because it is mathematics of its own, without any Nengo objects.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import nengo
import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyrk

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import closed_loop, readout_covariance
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import ValidationError
from lmu_spiking.metrics import rms
from lmu_spiking.neurons.curves import averaged_variance, statistics, step_variance
from lmu_spiking.signals import as_signal
from lmu_spiking.theory.budget import ErrorBudget

POINTS = 1250  # evaluation points; more are no better with thousands of neurons
LOUDNESS = (0.5, 1.5)  # factors on the signal's size at the evaluation points
GOLDEN = (np.sqrt(5) - 1) / 2  # its multiples, modulo 1, fill an interval evenly
UNSEEN = 1e-4  # noise variance assumed of rate neurons, over their mean square
EXACT = 1e-9  # relative rounding error that a linear function may have
LEAST = 1e-3  # directions of the joint state that vary less, relatively, are left out
BLOCK = 1000  # steps whose rates are computed together


@dataclass(frozen=True, eq=False)
class FunctionReadout:
    """An ensemble that decodes a function of the window.

    Parameters
    ----------
    function : callable
        The function of a window (n,).
    delays : (n,) ndarray
        Where the function sees the window, seconds.
    tau : float
        Lowpass of the readout, seconds.
    weights : (n, d) ndarray
        The window at these delays, from the state.
    from_state : (D, d) ndarray
    from_input : (D, c) ndarray
        State and input to the ensemble's ``D`` dimensions.
    encoders : (N, D) ndarray
    gain, bias : (N,) ndarray
        Curves of the ensemble's ``N`` neurons.
    decoders : (N, p) ndarray
    neurons : nengo.neurons.NeuronType
    """

    function: Callable
    delays: np.ndarray
    tau: float
    weights: np.ndarray
    from_state: np.ndarray
    from_input: np.ndarray
    encoders: np.ndarray
    gain: np.ndarray
    bias: np.ndarray
    decoders: np.ndarray
    neurons: nengo.neurons.NeuronType

    __repr__ = brief

    def rates(self, states: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Return the rates of the neurons.

        Parameters
        ----------
        states : (T, d) ndarray
        inputs : (T, c) ndarray

        Returns
        -------
        (T, N) ndarray
            Hz.
        """
        z = states @ self.from_state.T + inputs @ self.from_input.T
        return self.neurons.rates(z @ self.encoders.T, self.gain, self.bias)

    def target(self, states: np.ndarray) -> np.ndarray:
        """Return the function of the windows in states of the memory.

        Parameters
        ----------
        states : (T, d) ndarray

        Returns
        -------
        (T, p) ndarray
            A row for each state.
        """
        return evaluate(self.function, states @ self.weights.T)


@dataclass(frozen=True, eq=False)
class LinearReadout:
    """A linear function of the window: a transform of the state, without neurons.

    Parameters
    ----------
    function : callable
        The function of a window (n,).
    delays : (n,) ndarray
        Where the function sees the window, seconds.
    rows : (p, d) ndarray
        The function, of the state.
    bias : (p,) ndarray
        What is added to it.
    synapse : nengo.synapses.LinearFilter or None
        What the spikes are read through; None where it is read from the state.
    """

    function: Callable
    delays: np.ndarray
    rows: np.ndarray
    bias: np.ndarray
    synapse: nengo.synapses.LinearFilter | None = None

    __repr__ = brief

    def target(self, states: np.ndarray) -> np.ndarray:
        """Return the function of the windows in states of the memory.

        Parameters
        ----------
        states : (T, d) ndarray

        Returns
        -------
        (T, p) ndarray
            A row for each state.
        """
        return states @ self.rows.T + self.bias


@dataclass(frozen=True)
class FunctionBudget:
    """Predicted root-mean-square errors of a function of the window.

    Parameters
    ----------
    truncation : float
        The function of the exact LDN's window against that of the true one.
    distortion : float
        Of the ensemble in the mean, against the function of the exact LDN's window.
    noise : float or None
        From the spikes of memory and ensemble; None where regularly spiking neurons
        (IF, LIF) are read through an ensemble of them, or through a synapse.
    total : float or None
        All of them, against the function of the true window.
    spread : float
        Standard deviation of the true function, to compare with.
    """

    truncation: float
    distortion: float
    noise: float | None
    total: float | None
    spread: float

    __repr__ = brief


def evaluate(function: Callable, windows: np.ndarray, tick=None) -> np.ndarray:
    """Return the finite values of a function of each window, or a ValidationError.

    Parameters
    ----------
    function : callable
    windows : (T, n) ndarray
    tick : callable, optional
        Called after each window.

    Returns
    -------
    (T, p) ndarray
        A row for each window.
    """
    answers, name = [], getattr(function, "__name__", function)
    try:
        for w in windows:
            answer = np.ravel(function(w))
            if np.iscomplexobj(answer):
                raise TypeError("it returns complex numbers")
            answers.append(answer.astype(float))
            if tick is not None:
                tick()
        values = np.array(answers, dtype=float)
    except Exception as error:  # whatever a user's function may raise
        problem = f"fails on a window of {windows.shape[1]} values ({error!r})"
        remedy = "return a number or a vector of fixed length"
        raise ValidationError("add_output.function", name, problem, remedy) from error
    if not values.size or not np.isfinite(values).all():
        problem = "returns nothing, NaN or infinity on the windows of its signal"
        raise ValidationError("add_output.function", name, problem)
    return values


def linear_parts(function: Callable, weights: np.ndarray):
    """Return the matrix and bias of a function that is affine in the state.

    The function is evaluated on the window of each coefficient, and then on 500 random
    states of sizes from 1e-6 to 1e6.  It is taken as affine if all its values equal
    those of matrix and bias, to rounding; otherwise None is returned.

    Parameters
    ----------
    function : callable
    weights : (n, d) ndarray
        The window from the state.

    Returns
    -------
    (rows, bias) or None
        Of shapes (p, d) and (p,).
    """
    rng, d = np.random.RandomState(0), weights.shape[1]
    sizes = 10.0 ** rng.uniform(-6, 6, (500, 1))
    states = sizes * rng.standard_normal((500, d)) * np.sqrt(2 * np.arange(d) + 1)

    try:
        with warnings.catch_warnings():  # the sizes may be beyond the function's domain
            warnings.simplefilter("ignore")
            values = evaluate(function, np.vstack([np.zeros(d), np.eye(d)]) @ weights.T)
            bias, rows = values[0], (values[1:] - values[0]).T
            for part in (slice(5), slice(5, None)):  # most fail at once
                m = states[part]
                gap = evaluate(function, m @ weights.T) - (m @ rows.T + bias)
                size = np.abs(m) @ np.abs(rows.T) + np.abs(bias)
                if not np.all(np.abs(gap) <= EXACT * size):
                    return None
    except ValidationError:
        return None
    return rows, bias


def solve_function(
    memory,
    function: Callable,
    delays,
    weights,
    tau: float,
    n_neurons: int,
    signal,
    rng,
    tick: Callable | None = None,
) -> FunctionReadout:
    """Solve for tuning curves and decoders of a function, tuned to a signal.

    The joint state (window now, and how it moves in ``tau``) is rotated to its
    principal directions, scaled by the fourth root of their variances; encoders point
    along differences of visited states.

    Parameters
    ----------
    memory : LegendreMemory
    function : callable
    delays : (n,) array_like
        Where the function sees the window, seconds.
    weights : (n, d) ndarray
        The window at these delays, from the state.
    tau : float
        Lowpass of the readout, seconds.
    n_neurons : int
    signal : Signal, SignalSpec, (T,) or (T, size_in) array_like, optional
        Input to be expected, of three windows at least.
    rng : numpy.random.RandomState
    tick : callable, optional
        Called after each of the ``2 POINTS`` windows that the function is asked for.

    Returns
    -------
    FunctionReadout
        Curves and decoders of the ensemble.
    """
    # the exact states along the signal, without the onset
    a = np.exp(-memory.dt / tau)
    window = round(memory.ldn.theta / memory.dt)
    u = default_signal(memory)
    if signal is not None:
        needed = {"least": 3 * window, "channels": memory.size_in}
        needed["attribute"] = "add_output.signal"
        u = as_signal(signal, memory.dt, **needed).samples
    states = memory.ldn.simulate(u, memory.dt).reshape(len(u), -1)
    settled = slice(window, None)
    # the ensemble's input: the state now, and the memory's input that changes it
    given = np.hstack([states[:-1], u[1:]])[settled]
    then = states[1:][settled]

    # rows: the window, and tau times its rate of change
    each, (Ad, Bd) = np.eye(memory.size_in), memory.ldn.discretize(memory.dt)
    step, push = np.kron(each, Ad), np.kron(each, Bd[:, None])
    moved = np.hstack([step - np.eye(len(step)), push]) * tau / memory.dt
    now = np.hstack([weights, np.zeros((len(weights), memory.size_in))])
    to_joint = np.vstack([now, weights @ moved])

    # principal directions of the joint state, from the covariance of those few inputs
    mean = given.mean(axis=0)
    spread, axes = np.linalg.eigh(np.atleast_2d(np.cov(given.T)))
    _, scale, directions = np.linalg.svd(
        (to_joint @ (axes * np.sqrt(np.maximum(spread, 0)))).T, full_matrices=False
    )
    if scale.max() <= 0:
        problem = "does not vary, nothing can be tuned to it"
        raise ValidationError("add_output.signal", "signal", problem)
    wide = scale > LEAST * scale.max()
    rotate = directions[wide] / np.sqrt(scale[wide])[:, None] @ to_joint
    z = (given - mean) @ rotate.T
    radius = np.quantile(np.linalg.norm(z, axis=1), 0.99)
    rotate, z = rotate / radius, z / radius

    # heterogeneous tuning curves with rates as in the memory
    neurons = memory.population.neurons
    rates = memory.population.tuning.max_rates
    max_rate = np.mean(nengo.dists.get_samples(rates, 99, rng=rng))
    encoders = _directions(z, n_neurons, rng)
    max_rates = rng.uniform(2 / 3 * max_rate, 4 / 3 * max_rate, n_neurons)
    gain, bias = neurons.gain_bias(max_rates, rng.uniform(-0.9, 0.9, n_neurons))

    # louder and quieter than the signal: the system is linear, so these occur too
    at = np.unique(np.linspace(0, len(z) - 1, POINTS).astype(int))
    even = (rng.uniform() + GOLDEN * np.arange(len(at))) % 1
    loud = (LOUDNESS[0] + np.ptp(LOUDNESS) * even)[:, None]
    seen = (loud * given[at] - mean) @ rotate.T
    rates = np.empty((len(at), n_neurons))
    for part in np.array_split(np.arange(len(at)), 1 + rates.size // 10**5):
        rates[part] = neurons.rates(seen[part] @ encoders.T, gain, bias)
    # targets: the function now and a step later, with the synapse's lowpass undone
    f = evaluate(function, loud * given[at, : len(step)] @ weights.T, tick)
    later = evaluate(function, loud * then[at] @ weights.T, tick)
    g = (later - a * f) / (1 - a)
    bias = bias - gain * (encoders @ (rotate @ mean))
    into = (rotate[:, : len(step)], rotate[:, len(step) :])
    curves = (encoders, gain, bias, _decoders(neurons, rates, g, tau), neurons)
    return FunctionReadout(function, np.asarray(delays), tau, weights, *into, *curves)


def predict_function(
    memory,
    readout: FunctionReadout | LinearReadout,
    budget: ErrorBudget,
    seed: int = 0,
) -> FunctionBudget:
    """Predict the errors of a function of the window, without simulating a neuron.

    The memory's noise is drawn with the predicted covariance and run through its closed
    loop; the ensemble's mean rates answer to the noisy state, and their spike noise is
    drawn as well.  The errors of a linear function follow from the state's predicted
    errors directly.

    Parameters
    ----------
    memory : LegendreMemory
    readout : FunctionReadout or LinearReadout
    budget : ErrorBudget
        The memory's own errors, on the signal.
    seed : int
        Draws the noise.

    Returns
    -------
    FunctionBudget
        The errors, by their source.
    """
    rng = np.random.default_rng(seed)
    u, exact, dt = budget.signal[:, None], budget.states, memory.dt
    # at probe index k the ensemble sees the state after input k - 1, and input k
    before = _delayed(exact)
    settled = slice(round(memory.ldn.theta / dt) + 1, None)
    truth = _of_true_windows(readout, budget.signal, dt, settled.start)
    ideal = readout.target(before[settled])
    truncation = rms(ideal - truth)
    spread = float(np.sqrt(np.mean(truth.var(axis=0))))
    if isinstance(readout, LinearReadout):
        distortion, noise = _linear_errors(memory, readout, budget)
        total = None
        if noise is not None:
            total = float(np.hypot(np.hypot(truncation, distortion), noise))
        return FunctionBudget(truncation, distortion, noise, total, spread)
    # the ensemble's output without noise, and with that of the memory and its own
    clean, _ = _mean_and_variance(readout, before, u, dt)
    noisy = before + _draw(memory, budget, rng)
    noisy, variance = _mean_and_variance(readout, noisy, u, dt)
    noisy += np.sqrt(variance) * rng.standard_normal(noisy.shape)
    smooth = nengo.Lowpass(readout.tau)
    clean, noisy = (_delayed(smooth.filt(x, dt=dt))[settled] for x in (clean, noisy))
    gaps = (clean - ideal, noisy - clean, noisy - truth)
    distortion, noise, total = map(rms, gaps)
    if statistics(readout.neurons) == "regular":  # whose noise no model describes
        noise = total = None
    return FunctionBudget(truncation, distortion, noise, total, spread)


def _linear_errors(memory, readout: LinearReadout, budget: ErrorBudget):
    """Return distortion and noise of a linear function.

    The noise is None for regular spikes through a synapse: it is not white.
    """
    made, rows = memory.design, readout.rows

    def root(moment):
        return float(np.sqrt(max(np.trace(moment), 0) / len(rows)))

    distortion = root(rows @ budget.distortion @ rows.T)
    if readout.synapse is None:
        return distortion, root(rows @ budget.noise @ rows.T)
    if budget.runs is not None:
        return distortion, None
    reader = map_onto(memory.ldn, readout.synapse, memory.dt, feedforward=True)
    reader = replace(reader, A=reader.A @ made.U)  # of what the neurons carry
    return distortion, root(readout_covariance(made.loop, budget.sigma, rows, reader))


def _of_true_windows(readout, u: np.ndarray, dt: float, start: int) -> np.ndarray:
    """Return the function of the true window at each step from ``start`` on: (T, p).

    A delay that is no whole number of steps is interpolated linearly.
    """
    lags = readout.delays / dt
    whole = np.floor(lags + 1e-6).astype(int)
    part = np.maximum(lags - whole, 0) * (lags - whole > 1e-6)
    values = []
    for block in np.array_split(np.arange(start, len(u)), 1 + len(u) // 4096):
        index = block[:, None] - whole
        earlier = np.maximum(index - 1, 0)
        windows = (1 - part) * u[index] + part * u[earlier]
        values.append(evaluate(readout.function, windows))
    return np.concatenate(values)


def default_signal(memory) -> np.ndarray:
    """Return the white noise that a function's ensemble is tuned to by default.

    Its rms is 0.5, and its band the memory's, d / (4 theta) Hz.

    Parameters
    ----------
    memory : LegendreMemory

    Returns
    -------
    (T, size_in) ndarray
        A column for each input.
    """
    theta, dt = memory.ldn.theta, memory.dt
    n = round(60 * theta / dt)
    highest = int(min(memory.ldn.order / (4 * theta), 0.45 / dt) * n * dt)
    rng = np.random.RandomState(0)
    drawn = rng.standard_normal((2, highest, memory.size_in))
    waves = np.zeros((n // 2 + 1, memory.size_in), complex)
    waves[1 : highest + 1] = drawn[0] + 1j * drawn[1]
    u = np.fft.irfft(waves, n, axis=0)
    return 0.5 * u / np.sqrt(np.mean(u**2, axis=0))


def _directions(z: np.ndarray, n: int, rng) -> np.ndarray:
    """Return unit vectors (n, D) along differences of visited states."""
    i = rng.randint(len(z), size=n)
    j = (i + rng.randint(1, len(z), size=n)) % len(z)
    apart = z[i] - z[j] + 1e-6 * rng.standard_normal((n, z.shape[1]))
    return apart / np.linalg.norm(apart, axis=1, keepdims=True)


def _decoders(neurons, rates: np.ndarray, targets: np.ndarray, tau: float):
    """Solve for decoders by least squares, with the spike noise after ``tau``.

    It uses the dual form, O(P^2 N), and overwrites ``rates``.
    """
    noise = averaged_variance(neurons, rates.mean(axis=0), tau)
    if statistics(neurons) == "rate":  # else they follow the points one by one
        noise = np.full_like(noise, UNSEEN * np.mean(rates**2))
    scale = np.sqrt(noise)
    rates /= scale
    gram = dsyrk(1.0, rates.T, trans=1, lower=1)  # one half of it, in half the time
    gram[np.diag_indices(len(gram))] += len(gram)
    dual = cho_solve(cho_factor(gram, lower=True, overwrite_a=True), targets)
    return rates.T @ dual / scale[:, None]


def _mean_and_variance(readout: FunctionReadout, states, inputs, dt: float):
    """Return the mean (T, p) of the decoded output and its variance in a step."""
    means, variances = [], []
    for start in range(0, len(states), BLOCK):
        part = slice(start, start + BLOCK)
        rates = readout.rates(states[part], inputs[part])
        means.append(rates @ readout.decoders)
        variance = step_variance(readout.neurons, rates, dt)
        variances.append(variance @ readout.decoders**2)
    return np.concatenate(means), np.concatenate(variances)


def _draw(memory, budget: ErrorBudget, rng) -> np.ndarray:
    """Return a course of the memory's noise (T, d), of the predicted covariance."""
    if budget.runs is not None:
        return budget.runs[0]
    K, L, C, _ = closed_loop(memory.design.loop)
    eta = np.sqrt(budget.sigma) * rng.standard_normal(budget.states.shape)
    noise, Z = np.zeros_like(eta), np.zeros(len(K))
    for k, pushed in enumerate(eta @ L.T):
        noise[k] = C @ Z
        Z = K @ Z + pushed
    return noise @ memory.design.U.T


def _delayed(y: np.ndarray) -> np.ndarray:
    """Return a signal one step later, as a Nengo synapse passes it on."""
    return np.vstack([np.zeros((1, y.shape[1])), y[:-1]])
