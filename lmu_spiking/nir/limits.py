"""What NIR cannot say: a list, warnings, refusals."""

import warnings

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.neurons.curves import is_rectified_linear, statistics
from lmu_spiking.nir.neurons import PromptLIF, SignedIF

MOST = 50_000_000  # entries of one matrix, 400 MB

SAYS_NOT = (
    "the step dt: how a leak is discretised and how long a spike lasts are the "
    "simulator's own (see steps)",
    "the step of delay in a loop: the decoded spikes of one step reach the state in "
    "the next",
    "the window theta: it is in the weights alone",
    "how a voltage is reset: these neurons keep what exceeds the threshold "
    "(reset by subtraction)",
    "a floor: here neurons without a leak do not integrate a current below 0 (the "
    "voltage holds), and the voltage of leaky ones stops at 0 (see min_voltage)",
    "initial voltages: here they are drawn from 0 to 1",
    "a refractory time",
    "Poisson or other random spikes, and neurons that do not spike (rates)",
    "several spikes of a neuron in one step",
    "a value held through a presentation, and a bias that waits for the first sample",
)
KINDS = {
    nengo.RectifiedLinear: "rate",
    nengo.SpikingRectifiedLinear: "if",
    SignedIF: "if",
    nengo.LIFRate: "rate-lif",
    nengo.LIF: "lif",
    PromptLIF: "prompt-lif",
}


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
    if own is None and hasattr(neurons, "base_type"):
        others = "'tonic' (or 'if')" if is_rectified_linear(neurons) else "'tonic'"
        raise ValidationError(
            "to_nir.neurons",
            statistics(neurons),
            "spikes cannot be said in NIR, whose neurons integrate and fire",
            f"use neurons={others}: the mean stays the same; lost is the "
            "spikes' noise, and with it the error that predict() states",
        )
    if own is None:
        raise ValidationError(
            "to_nir.neurons",
            type(neurons).__name__,
            "cannot be said in NIR",
            "use neuron types rate, if or lif, or neurons='tonic', which draws others",
        )
    if type(neurons) in KINDS and neurons.initial_state:
        raise ValidationError(
            "to_nir.neurons",
            type(neurons).__name__,
            "has first voltages of its own (initial_state), which NIR cannot say",
            "leave initial_state out",
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
    floor = getattr(neurons, "min_voltage", 0.0)
    if units:
        lost.append(
            "a floor: only here silent hidden units do not integrate currents below 0"
        )
    elif silent and floor > -np.inf:
        here = (
            f"their voltages stop at {floor:g}"
            if kind.endswith("lif")
            else "these currents are not integrated"
        )
        lost.append(
            f"a floor: {silent} of {len(gain)} neurons are driven below 0 within "
            f"their radius, and only here {here} (neurons='tonic' needs none)"
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
