r"""A memory of noisy neurons (`noise`), laid out for `deploy`.

Neurons come in pairs and the error model of Poisson spikes predicts their error
(`noise_memory`), so nothing is measured before the run.  Neurons may fire faster than
``max_rate``, and nearly in proportion: radii cover what each dimension mostly takes,
the signal's part and the noise's,

.. math:: \rho_i = 3 \sqrt{E x_i^2 + P_{ii}} ,

and more of it where weights ``A'_ij rho_j / rho_i`` would be above the largest.
"""

from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped
from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.loihi.chip.integers import TARGETS
from lmu_spiking.loihi.chip.limits import split
from lmu_spiking.loihi.mapping.curves import MAX_RATE, Curves
from lmu_spiking.loihi.mapping.layout import _expected
from lmu_spiking.loihi.poisson.memory import (
    LARGEST,
    NoisyMemory,
    build_noisy_memory,
    noise_law,
    scale_of,
)
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear, rate_of
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.theory.fixed_point import GAUSS, LEVELS

REACH = 3.0  # standard deviations of a dimension at its radius
BOARD = "board"


@dataclass(frozen=True, eq=False)
class NoisyLayout:
    """A memory of noisy neurons laid out for one target.

    Attributes
    ----------
    target : str
    ldn : LDN
    mapped : Mapped
        It, on the target's synapse.
    dt, tau : float
        Step and synapse as asked for, seconds.
    input_range : float
        Inputs beyond it are clipped.
    curves : Curves
        Of the state itself: pairs without bias.
    max_rate : float
        Rate at the radius, Hz.
    signal : SignalSpec or None
        What is expected, where it is a band.
    noise : (d, d) ndarray
        Predicted covariance of the state's error.
    sigma : (d,) ndarray
        Variance of the decoded value in one step.
    spikes_per_s : float
        Of all neurons, on the signal to be expected.
    seed : int
    """

    target: str
    ldn: LDN
    mapped: Mapped
    dt: float
    tau: float
    input_range: float
    curves: Curves
    max_rate: float
    signal: SignalSpec | None
    noise: np.ndarray
    sigma: np.ndarray
    spikes_per_s: float
    seed: int

    __repr__ = brief

    @property
    def n_neurons(self) -> int:
        """Neurons, ``m``, without the silent one."""
        return len(self.curves.gain)

    def measured_errors(self, states=None, start: int = 0) -> dict:
        """Return what `theory.predict` needs to know: the same noise, on any signal.

        What whole-number weights add is not told: they are spread so that it is small.
        """
        return {
            "sigma": self.sigma,
            "noise": self.noise,
            "distortion": np.zeros_like(self.noise),
            "quantisation": None,
            "spikes_per_s": self.spikes_per_s,
        }

    def build(self, u: np.ndarray) -> NoisyMemory:
        """The memory that is fed the samples ``u`` (T,), in cores that hold it.

        In a `nengo.Network` it becomes a part of that.
        """
        memory = _built(
            self.ldn,
            self.n_neurons,
            self.curves.neurons,
            u,
            target=self.target,
            tau=self.tau,
            dt=self.dt,
            max_rate=self.max_rate,
            radii=self.curves.radii,
            input_range=self.input_range,
            seed=self.seed,
        )
        if self.target != "core":
            _place(memory)
        return memory


def lay_out_noisy(
    ldn: LDN,
    n_neurons: int,
    neurons: NoisyRectifiedLinear,
    *,
    target: str,
    tau: float,
    dt: float,
    signal=None,
    max_rate: float = MAX_RATE,
    input_range: float | None = None,
    seed: int = 0,
) -> NoisyLayout:
    """Lay a memory of noisy neurons out; parameters as of `layout.lay_out`.

    NengoLoihi is needed on every target: its formula scales the weights.

    Raises
    ------
    ValidationError
        On a board, where the noise cannot be checked; where weights are too large.
    """
    if target not in TARGETS or target == BOARD:
        raise ValidationError(
            "target",
            str(target),
            "is not for noisy neurons, whose noise is checked on the emulator alone",
            "use 'core', 'simreal' or 'emulator', or neuron_type='if'",
        )
    check_positive("max_rate", max_rate, "Hz")
    n_neurons = check_whole("n_neurons", n_neurons, 2 * ldn.order)
    signal = SignalSpec() if signal is None else signal
    u, input_range = _expected(ldn, dt, signal, input_range)
    states = ldn.simulate(u, dt)[ldn.steps(dt) :]
    power = np.mean(states**2, axis=0)
    options = {"target": target, "tau": tau, "dt": dt, "max_rate": max_rate}
    options |= {"seed": check_seed("seed", seed), "input_range": input_range}
    scale = scale_of(ldn, n_neurons, tau, max_rate, neurons.kept, dt, target)
    noise = np.zeros((ldn.order, ldn.order))
    for _ in range(2):  # for the signal alone, then with the noise
        radii = fitting(REACH * np.sqrt(power + np.diag(noise)), scale.steps)
        memory = _built(ldn, n_neurons, neurons, u[:1], radii=radii, **options)
        noise, sigma = noise_law(memory, states)
    side, odd = n_neurons // (2 * ldn.order), np.eye(ldn.order)
    curves = Curves(
        neurons,
        odd,
        odd,
        radii,
        np.tile(np.arange(ldn.order), 2 * side),
        np.tile(np.repeat([1.0, -1.0], ldn.order), side),
        np.tile(memory.tops * radii, 2 * side),
        np.zeros(n_neurons),
    )
    return NoisyLayout(
        target,
        ldn,
        memory.mapped,
        dt,
        tau,
        input_range,
        curves,
        max_rate,
        signal if isinstance(signal, SignalSpec) else None,
        noise,
        sigma,
        side * _spikes(memory, states, noise, neurons.kept),
        seed,
    )


def fitting(radii: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Radii (d,), the least raised, with which no weight is above the largest.

    ``steps`` (d, d) are the weights at radii of 1.  If there are none, weights are
    refused as they are built.
    """
    for _ in radii:
        radii = np.maximum(radii, (steps * radii).max(axis=1) / (LARGEST - 1))
    return radii


def _built(ldn, n_neurons, neurons, u, **options) -> NoisyMemory:
    return build_noisy_memory(
        u,
        order=ldn.order,
        theta=ldn.theta,
        n_neurons=n_neurons,
        kept=neurons.kept,
        **options,
    )


def _spikes(memory: NoisyMemory, states, noise, kept: float) -> float:
    """Spikes per second of one pair of each dimension, over the exact states."""
    total = 0.0
    for i, top in enumerate(memory.tops):
        x = np.quantile(states[:, i], LEVELS)
        J = top * np.add.outer(x, np.sqrt(noise[i, i]) * GAUSS)
        both = rate_of(J, kept, memory.dt) + rate_of(-J, kept, memory.dt)
        total += both.mean()
    return float(total)


def _place(memory: NoisyMemory) -> None:
    """So many neurons on a core as its synapses leave room for."""
    import nengo_loihi

    ensemble, n = memory.network.ensembles[0], memory.recurrent.shape[1]
    block = split(n, memory.feed.shape[1] + 1)  # relays and the anchor
    shape = nengo_loihi.BlockShape((block,), (n,))
    for network in (*nengo.Network.context, memory.network):
        nengo_loihi.add_params(network)
        network.config[ensemble].block_shape = shape
