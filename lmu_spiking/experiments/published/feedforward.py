r"""The network behind the LMU paper's figure of Poisson neurons, and its error.

One ensemble of Poisson neurons with the rates of LIF neurons decodes a sinusoid: no
recurrence, ``d = 1``.

Letters: ``m`` neurons, ``P`` points.

References
----------
.. [1] ``figures/poisson-performance.py``, branch ``paper``, github.com/abr/neurips2019.
"""

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.dists import Uniform
from scipy.linalg import cho_factor, cho_solve

from lmu_spiking.brief import brief
from lmu_spiking.simulator.targets import simulator
from lmu_spiking.studies.metrics import rms
from lmu_spiking.tuning import curves, neuron_type, step_variance

# Settings of [1]; intercepts are the default of its Nengo, 2.8.
FREQUENCY, DT, TAU, STEPS = 10.0, 1e-4, 1e-3, 1000
NEURONS = tuple(int(10 * n) for n in np.geomspace(10, 2001, 11))
MAX_RATES, INTERCEPTS, REGULARISATION = Uniform(20, 40), Uniform(-1, 1), 0.1
POINTS, CHUNK = 1000, 4096  # decoding points; neurons whose curves are held at once


@dataclass(frozen=True, eq=False)
class Curves:
    """Poisson neurons with the rates of LIF neurons: encoders ... decoders, (m,)."""

    encoders: np.ndarray
    gain: np.ndarray
    bias: np.ndarray
    decoders: np.ndarray

    __repr__ = brief


def least_squares(neurons, encoders, gain, bias, x) -> np.ndarray:
    r"""Decoders of ``x`` (P,) by Nengo's ``LstsqL2(reg=0.1)``, in O(m P) memory.

    .. math:: d = R^T (R R^T + P \sigma^2 I)^{-1} x, \qquad \sigma = 0.1 \max R,

    with rates ``R`` (P, m): the push-through form of its ``m x m`` system.

    Returns
    -------
    d : (m,) ndarray
    """
    P, m = len(x), len(gain)
    spans = [slice(k, k + CHUNK) for k in range(0, m, CHUNK)]

    def rates(part):
        return curves(neurons, np.outer(x, encoders[part]), gain[part], bias[part])

    gram, largest = np.zeros((P, P)), 0.0
    for part in spans:
        R = rates(part)
        gram += R @ R.T
        largest = max(largest, float(R.max()))
    ridge = P * (REGULARISATION * largest) ** 2
    dual = cho_solve(cho_factor(gram + ridge * np.eye(P)), x)
    return np.concatenate([rates(part).T @ dual for part in spans])


def draw(n_neurons: int, seed: int) -> Curves:
    """The published tuning; eval points are a grid in place of ``2 m`` random ones."""
    rng, neurons = np.random.RandomState(seed), neuron_type("poisson-lif")
    encoders = rng.choice([-1.0, 1.0], size=n_neurons)
    max_rates, intercepts = (
        nengo.dists.get_samples(each, n_neurons, rng=rng)
        for each in (MAX_RATES, INTERCEPTS)
    )
    gain, bias = neurons.gain_bias(max_rates, intercepts)
    x = np.linspace(-1, 1, 2 * POINTS + 1)[1::2]
    d = least_squares(neurons, encoders, gain, bias, x)
    return Curves(encoders, gain, bias, d)


def feedforward(n_neurons: int, seed: int) -> dict:
    """Run what was published: RMSE of a decoded sinusoid, measured and predicted."""
    drawn = draw(n_neurons, seed)
    with nengo.Network(seed=seed) as model:
        u = nengo.Node(lambda t: np.sin(2 * np.pi * FREQUENCY * t))
        ensemble = nengo.Ensemble(
            n_neurons,
            dimensions=1,
            neuron_type=neuron_type("poisson-lif"),
            encoders=drawn.encoders[:, None],
            gain=drawn.gain,
            bias=drawn.bias,
            eval_points=np.zeros((1, 1)),
        )
        decoded = nengo.Node(size_in=1)
        nengo.Connection(u, ensemble, synapse=None)
        nengo.Connection(
            ensemble.neurons, decoded, transform=drawn.decoders[None], synapse=None
        )
        actual = nengo.Probe(decoded, synapse=TAU)
        ideal = nengo.Probe(u, synapse=TAU)
    with simulator(model, DT) as sim:
        sim.run_steps(STEPS, progress_bar=False)
        error = rms(sim.data[actual] - sim.data[ideal])
    return {
        "neurons": n_neurons,
        "seed": seed,
        "rmse": error,
        "predicted_rmse": feedforward_law(drawn),
    }


def feedforward_law(drawn: Curves) -> float:
    r"""Predict the RMSE of the published run, without a run and without a fudge factor.

    .. math::

        \sqrt{\overline{(\hat x - x)^2}
            + \frac{1 - a}{1 + a}\, \overline{\textstyle\sum_k d_k^2 r_k(x) / dt}},
        \qquad a = e^{-dt/\tau},

    distortion and spike noise through the probe's lowpass, over a cycle of ``x``.
    """
    neurons = neuron_type("poisson-lif")
    x = np.sin(2 * np.pi * (np.arange(100) + 0.5) / 100)
    decoded, noise = np.zeros(len(x)), np.zeros(len(x))
    for start in range(0, len(drawn.gain), CHUNK):
        part = slice(start, start + CHUNK)
        drive = np.outer(x, drawn.encoders[part])
        rates = curves(neurons, drive, drawn.gain[part], drawn.bias[part])
        d = drawn.decoders[part]
        decoded += rates @ d
        noise += step_variance(neurons, rates, DT) @ d**2
    a = np.exp(-DT / TAU)
    return float(np.sqrt(np.mean((decoded - x) ** 2 + (1 - a) / (1 + a) * noise)))
