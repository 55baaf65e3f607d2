"""What NIR cannot say, and the neurons that lose least by it."""

import warnings

import nengo
import numpy as np
from nengo.dists import Uniform

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.nir.lif import PromptLIF
from lmu_spiking.population import Population, build_population
from lmu_spiking.tuning import Tuning, is_rectified_linear, statistics

# Intercepts of tonic neurons, in radii: none is driven below 0 within the radius, and
# half of them not within 1.25 of it.
TONIC = (-1.5, -1.0)
SPREAD = (2 / 3, 4 / 3)  # of their rates: alike, they would fire all at once
MOST = 50_000_000  # entries of one matrix, 400 MB

SAYS_NOT = (
    "the step dt: how a leak is discretised and how long a spike lasts are the "
    "simulator's own (see steps)",
    "the step of delay in a loop: the decoded spikes of one step reach the state in "
    "the next",
    "the window theta: it is in the weights alone",
    "how a voltage is reset: these neurons keep what exceeds the threshold "
    "(reset by subtraction)",
    "a floor: here no voltage falls below 0",
    "initial voltages: here they are drawn from 0 to 1",
    "a refractory time",
    "Poisson or other random spikes, and neurons that do not spike (rates)",
    "several spikes of a neuron in one step",
    "a value held through a presentation, and a bias that waits for the first sample",
)
KINDS = {
    nengo.RectifiedLinear: "rate",
    nengo.SpikingRectifiedLinear: "if",
    nengo.LIFRate: "rate-lif",
    nengo.LIF: "lif",
    PromptLIF: "prompt-lif",
}


def tonic(max_rate: float = 300.0) -> Tuning:
    """Curves of neurons that fire at all values within the radius.

    Their currents never fall below 0, so that they need no floor: what NIR can say of
    them is all there is.  Rates spread over 2/3 to 4/3 of ``max_rate`` at the radius.

    Parameters
    ----------
    max_rate : float
        Mean rate at the radius, Hz; half of it at 0.

    Examples
    --------
    >>> tonic(300).kind
    'drawn'
    """
    max_rate = check_positive("tonic.max_rate", max_rate, "Hz")
    rates = Uniform(SPREAD[0] * max_rate, SPREAD[1] * max_rate)
    return Tuning("drawn", rates, Uniform(*TONIC))


def tonic_population(memory) -> Population:
    """As many tonic neurons on the same coordinates and radii, from the same seed."""
    p = memory.population
    counts = np.bincount(p.dimension, weights=p.per_unit, minlength=p.order)
    rate = p.tuning.max_rates
    rate = rate if isinstance(rate, float) else 300.0
    check_size(p.n_neurons, p.order)
    return build_population(
        counts.astype(int),
        p.radii,
        neurons="if",
        tuning=tonic(rate),
        averaging=memory.ldn.theta,
        rng=np.random.RandomState(memory.tuning_seed),
    )


def kind_of(neurons, choice: str | None, ceiling=np.inf) -> str:
    """``"rate"``, ``"if"``, ``"rate-lif"`` or ``"lif"``; else a ValidationError."""
    own = KINDS.get(type(neurons))
    if choice == "if":
        if not is_rectified_linear(neurons):
            raise ValidationError(
                "to_nir.neurons",
                "if",
                f"has not the rates of {type(neurons).__name__}",
                "use neurons='tonic', which draws others",
            )
        own = "if"
    if own is None and statistics(neurons) in ("poisson", "stochastic", "regular"):
        raise ValidationError(
            "to_nir.neurons",
            statistics(neurons),
            "spikes cannot be said in NIR, whose neurons integrate and fire",
            "use neurons='tonic' (or 'if'): the mean stays the same; lost is the "
            "spikes' noise, and with it the error that predict() states",
        )
    if own is None:
        raise ValidationError(
            "to_nir.neurons",
            type(neurons).__name__,
            "cannot be said in NIR",
            "use neuron types rate, if or lif",
        )
    if np.isfinite(ceiling).any():
        raise ValidationError(
            "to_nir.tuning",
            "recruited",
            "neurons have a highest rate, which NIR cannot say",
            "use neurons='tonic', or tuning='pairs' or 'balanced'",
        )
    return own


def warn_of(kind: str, neurons, gain, bias, units: bool = False) -> None:
    """Warn, once, of what another simulator will do otherwise.

    Parameters
    ----------
    kind : str
        One of the values of `KINDS`.
    neurons : nengo.neurons.NeuronType
    gain, bias : (m,) ndarray
        ``J = gain x + bias`` at ``-1 <= x <= 1``.
    units : bool
        Whether they are hidden units, which must fall silent.
    """
    lost, silent = [], int(np.sum(bias < gain * (1 - 1e-9)))
    if kind.startswith("rate"):
        lost.append("rates: another simulator spikes")
    if kind.endswith("lif") and neurons.tau_ref > 0:
        lost.append(
            f"the refractory time of {neurons.tau_ref:g} s: another simulator fires "
            "faster (lmu_spiking.nir.PromptLIF has none)"
        )
    if units:
        lost.append(
            "a floor: the voltages of hidden units that are silent stop at 0 only here"
        )
    elif silent:
        lost.append(
            f"a floor: {silent} of {len(gain)} neurons are driven below 0 within "
            "their radius, and stop at 0 only here (neurons='tonic' needs none)"
        )
    if lost:
        text = f"to_nir: NIR cannot say {'; '.join(lost)}"
        warnings.warn(text, UserWarning, stacklevel=6)


def check_size(n: int, size: int) -> None:
    """A ValidationError where a matrix of all neurons would be too large."""
    if n * size > MOST:
        raise ValidationError(
            "to_nir.n_neurons",
            n,
            f"makes matrices of {n} by {size}, and NIR has no sparse ones",
            f"use at most {MOST // size} neurons",
        )
