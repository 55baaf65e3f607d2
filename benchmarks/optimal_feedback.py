"""What the best feedback of decoding errors would leave: an optimal linear controller.

Orders 6, 12 and 32, 6,000 Poisson neurons, theta 0.5 s, tau 0.1 s, dt 1 ms, white noise
of 2 Hz and rms 0.5; 0, 1 and 3 steps of delay in the loop beyond Nengo's own.  The
decoding noise is white, with the variance that is predicted without feedback, so that
all errors are over that without feedback.

*errors*: of the readout at delay theta, of the window (root of the mean square over its
delays) and of the whole state, with a lowpass of 5, 20 and 50 ms at the rate that is
best for it, with the lowpass of ``"auto"``, with the best *interleaved* lowpass of 50
ms, one for each step of the loop, with the best *one filter* for all dimensions, and
with the *optimum*.

The optimum.  Neurons decode ``y = x + w + eta``, so that the decoding error ``y - x``
and the feedback ``w``, which is known, tell ``eta``.  With ``n`` further steps ``w``
knows ``eta`` up to ``n + 1`` steps before.  The error is ``sum_i T_i (w + eta)[k - i]``
with ``T_i = 0`` up to ``i = n``.  Its next ``n + 1`` terms of ``eta`` come before any
feedback can; all later ones can be undone, for all readouts at once.  For one filter
the least error is that of predicting a process of the error's spectrum by ``n + 1``
steps (Kolmogorov, Szego).

*riccati*: the same optimum from a Riccati equation, with a small price on ``w``.
*simulated*: of white noise, 300 s, beside what was computed.  *spiking*: Poisson
neurons, 3 trials of 30 s.
"""

from dataclasses import replace

import nengo
import numpy as np
from scipy.linalg import solve_discrete_are
from scipy.optimize import minimize_scalar

from lmu_spiking import LegendreMemory, predict, white_noise
from lmu_spiking.dynamics.covariance import closed_loop, stationary_covariance
from lmu_spiking.dynamics.feedback import ErrorFeedback, highest_rate, make_feedback
from lmu_spiking.dynamics.mapping import Filter, discrete_synapse
from lmu_spiking.experiments.records import average, in_parallel
from lmu_spiking.experiments.runs import run_probed
from lmu_spiking.memory.design import assemble

SEED, TRIALS, DURATION = 7400, 3, 30.0
ORDERS, DELAYS, TAUS = (6, 12, 32), (0, 1, 3), (0.005, 0.02, 0.05)
NEURONS, THETA, TAU, DT = 6000, 0.5, 0.1, 0.001
LONG = 2**14  # steps, after which no response is left
PRICE = 1e-7  # of feedback in the Riccati equation, per unit of squared error
SOLVED = 12  # the order up to which that equation is well conditioned


def memory(order: int, delay: int, asked=None):
    """Return the design of a memory."""
    more = {"synapse": TAU, "dt": DT, "delay_steps": delay, "error_feedback": asked}
    return assemble(NEURONS, order, THETA, **more)


def readouts_of(ldn) -> dict[str, np.ndarray]:
    """Return the matrices whose square of the state each error is."""
    window = ldn.readout(np.arange(ldn.steps(DT)) * DT, DT)
    _, size, directions = np.linalg.svd(window, full_matrices=False)
    return {
        "delay theta": window[-1:],
        "window": size[:, None] * directions / np.sqrt(len(window)),
        "state": np.eye(ldn.order),
    }


def responses(mapped, steps: int) -> np.ndarray:
    """Return the state (steps, d, d) after an impulse of noise in each dimension."""
    K, L, C, _ = closed_loop(replace(mapped, feedback=None))
    found, carried = [], L
    for _ in range(steps):
        found.append(C @ carried)
        carried = K @ carried
    return np.array(found)


def error_of(mapped, sigma: np.ndarray, M: np.ndarray) -> float:
    """Return the error of readouts in a loop with white noise."""
    K, L, C, _ = closed_loop(mapped)
    P = C @ stationary_covariance(K, (L * sigma) @ L.T) @ C.T
    return float(np.sqrt(np.trace(M @ P @ M.T)))


def interleaved(delay: int, tau: float, gain: float) -> ErrorFeedback:
    """Return the feedback of one lowpass for each step of a loop with delay.

    Each step has the noise that no other step of the loop has seen, so that a lowpass
    does not correct an error again that it has already corrected.
    """
    n = delay + 1
    p = np.exp(-n * DT / tau)
    F, G = np.eye(n, k=-1), np.zeros(n)
    F[0, -1], G[0] = p, gain * p
    loop = Filter(F, G, np.eye(n)[-1])
    return ErrorFeedback(1 / tau, tau, loop, discrete_synapse(loop))


def best_error(make, low: float, high: float, *about) -> float:
    """Return the least error over the gain of a feedback."""
    mapped, sigma, M = about
    found = minimize_scalar(
        lambda gain: error_of(replace(mapped, feedback=make(np.exp(gain))), sigma, M),
        bounds=(np.log(low), np.log(high)),
        options={"xatol": 1e-3},
    )
    return float(found.fun)  # type: ignore[attr-defined]


def one_filter_error(g: np.ndarray, delay: int) -> float:
    """Return the least error with one filter in all dimensions, of any order."""
    n = 2 * len(g)
    power = np.sum(np.abs(np.fft.fft(g, n, axis=0)) ** 2, axis=(1, 2))
    # the causal factor of the spectrum, by its cepstrum; its first terms are left over
    cepstrum = np.fft.ifft(np.log(power)).real / 2
    cepstrum[1 : n // 2] *= 2
    cepstrum[n // 2 + 1 :] = 0
    factor = np.fft.ifft(np.exp(np.fft.fft(cepstrum))).real
    return float(np.sqrt(np.sum(factor[: delay + 1] ** 2)))


def riccati_error(mapped, sigma: np.ndarray, M: np.ndarray, delay: int) -> float:
    """Return the error of the linear quadratic regulator that prices feedback a bit."""
    K, L, C, _ = closed_loop(mapped)
    z, d = L.shape
    n = z + delay * d
    # the loop, and behind it what was fed back and has not arrived
    F, G, enter = np.eye(n, k=d), np.zeros((n, d)), np.zeros((n, d))
    F[:z], F[:z, :z], enter[:z] = 0.0, K, L
    F[:z, z : z + d] = L if delay else 0.0
    G[-d:] = np.eye(d)
    if not delay:
        G = L
    seen = np.zeros((len(M), n))
    seen[:, :z] = M @ C
    price = PRICE * np.eye(d)
    X = solve_discrete_are(F, G, seen.T @ seen, price)
    gain = np.linalg.solve(price + G.T @ X @ G, G.T @ X @ F)
    P = stationary_covariance(F - G @ gain, (enter * sigma) @ enter.T)
    return float(np.sqrt(np.trace(seen @ P @ seen.T)))


def corrections(mapped, delay: int) -> np.ndarray:
    """Return the weights of past noise in the optimal feedback, from the newest on.

    They make ``T_i`` zero for all ``i`` beyond those that no feedback can undo.
    """
    last, a = 2 * delay + 1, mapped.loop.F[0, 0]
    through = np.linalg.inv((1 - a) * mapped.A)
    # the error's response to noise, as it will be: that without feedback, cut off
    E = np.zeros((last + delay + 2, *mapped.A.shape))
    E[1 : last + 1] = responses(mapped, last)
    found = []
    for i in range(delay + 1, last + 1):
        ahead = E[i + delay + 1] - a * E[i + delay]
        found.append(through @ ahead - E[i])
    return np.array(found)


def simulated_error(mapped, sigma, M, delay: int, seconds: float) -> float:
    """Return the error of white noise in a loop whose feedback sees what is decoded."""
    K, L, C, _ = closed_loop(mapped)
    weights, rng = corrections(mapped, delay), np.random.RandomState(SEED)
    steps, n = int(seconds / DT), len(weights)
    noise = rng.standard_normal((steps, len(sigma))) * np.sqrt(sigma)
    Z, known, square = np.zeros(len(K)), np.zeros((steps, len(sigma))), 0.0
    for k in range(steps):
        w = np.zeros(len(sigma))
        for j in range(n):
            at = k - delay - 1 - j
            if at >= 0:
                w += weights[j] @ known[at]
        decoded = w + noise[k]  # what spikes decode beyond the state
        known[k] = decoded - w
        square += np.sum((M @ (C @ Z)) ** 2)
        Z = K @ Z + L @ decoded
    return float(np.sqrt(square / steps))


def computed(order: int, delay: int, fast: bool) -> list[dict]:
    """Return the errors of each feedback over that without, for each readout."""
    off, auto = memory(order, delay), memory(order, delay, "auto")
    sigma = predict(off, duration=5 if fast else DURATION).sigma
    g, rows = responses(off.mapped, LONG // 2), []
    for name, M in readouts_of(off.ldn).items():
        about = off.mapped, sigma, M
        none = error_of(*about)
        errors = {"auto": error_of(auto.mapped, sigma, M)}
        for tau in TAUS:

            def lowpass(rate, tau=tau):
                return make_feedback(rate, tau, DT, delay)

            most = 0.99 * highest_rate(tau, DT, delay)
            at = f"lowpass_{1000 * tau:g}ms"
            errors[at] = best_error(lowpass, 0.01 * most, most, *about)

        def each_step(gain):
            return interleaved(delay, TAUS[-1], gain)

        errors["interleaved"] = best_error(each_step, 0.1, 1.5, *about)
        through = (M @ g) * np.sqrt(sigma)
        errors["one_filter"] = one_filter_error(through, delay)
        optimum = np.sqrt(np.sum(through[: 2 * delay + 1] ** 2))
        errors["optimum"] = float(optimum)
        if order <= SOLVED and name == "delay theta":
            errors["riccati"] = riccati_error(*about, delay)
        if name == "delay theta":
            seconds = 10.0 if fast else 10 * DURATION
            errors["simulated"] = simulated_error(*about, delay, seconds)
        row = {"order": order, "delay_steps": delay, "readout": name, "off": none}
        feedback = auto.mapped.feedback
        row |= {"auto_rate": feedback and feedback.rate}
        rows.append(row | {key: error / none for key, error in errors.items()})
    return rows


def optimal_network(made) -> LegendreMemory:
    """Return a memory whose feedback is a delay network, without delay in the loop."""
    network = LegendreMemory.from_design(made)
    Ad, _ = made.ldn.discretize(DT)
    (error,) = [n for n in network.nodes if n.label == "decoding error"]
    (encoded,) = [n for n in network.nodes if n.label == "encoded"]
    (old,) = [c for c in network.connections if c.pre_obj is error]
    network.connections.remove(old)
    with network:
        w, once = nengo.Node(size_in=len(Ad), label="feedback"), nengo.Lowpass(0)
        nengo.Connection(error, w, transform=Ad, synapse=once)
        nengo.Connection(w, w, transform=Ad, synapse=once)
        nengo.Connection(w, encoded, synapse=None)
    return network


def spiking(order: int, delay: int, kind: str, seed: int, seconds: float) -> dict:
    """Return the measured error of a memory of Poisson neurons at delay theta."""
    made = memory(order, delay, None if kind == "off" else "auto")
    if kind == "interleaved":
        again = interleaved(delay, TAUS[-1], 1.0)
        made = replace(made, mapped=replace(made.mapped, feedback=again))
    u = white_noise(seconds, DT, 2.0, 0.5, seed).samples
    with nengo.Network(seed=seed) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        is_best = kind == "optimum"
        network = optimal_network(made) if is_best else LegendreMemory.from_design(made)
        nengo.Connection(stimulus, network.input, synapse=None)
        probe = nengo.Probe(network.state, synapse=None)
    more = {"target": "compiled", "noise_seed": seed}
    state = run_probed(model, DT, len(u), probe, **more)[0]
    window, exact = made.ldn.steps(DT), made.ldn.simulate(u, DT)
    c = made.ldn.readout((window - 1) * DT, DT).ravel()
    error, told = (state[1:] - exact[:-1]) @ c, exact @ c
    size = np.sqrt(np.mean(told[window:] ** 2))
    row = {"order": order, "delay_steps": delay, "feedback": kind}
    return row | {"noise_nrmse": float(np.sqrt(np.mean(error[window:] ** 2)) / size)}


def optimal_feedback(options) -> dict:
    """Return errors of feedback by lowpasses, by any filter, and by the best one."""
    fast = options.fast
    orders, delays = (ORDERS[:1], DELAYS[:2]) if fast else (ORDERS, DELAYS)
    cells = [(order, delay, fast) for order in orders for delay in delays]
    found = in_parallel(computed, cells, options.jobs)
    rows = [row for of_one in found for row in of_one]
    n, seconds = (2, 2.0) if fast else (TRIALS, DURATION)
    seeds = range(SEED, SEED + n)
    # spikes where the optimum is a network of nodes, and where delay leaves most to win
    asked = [(d, 0, kind) for d in orders for kind in ("off", "auto", "optimum")]
    asked += [(orders[0], delays[-1], kind) for kind in ("off", "auto", "interleaved")]
    cells = [(*each, seed, seconds) for each in asked for seed in seeds]
    ran = in_parallel(spiking, cells, options.jobs)
    keys = ("order", "delay_steps", "feedback")
    record = {"seeds": [SEED, SEED + n - 1], "errors": rows}
    return record | {"spiking": average(ran, keys, [], ["noise_nrmse"])}
