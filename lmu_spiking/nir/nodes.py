r"""What each node of NIR is in Nengo: a chain of nodes, a leak, or neurons.

A leak ``tau dv/dt = v_leak - v + R I`` is a lowpass of ``R I``, ``v_leak`` higher;
neurons are driven by ``J = (R I + v_leak) / v_threshold``.
"""

from typing import Any

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_seed
from lmu_spiking.nir.build import Part, above, fires, leaks, raised, spikes, weighted
from lmu_spiking.nir.files import (
    at_least_0,
    length,
    matrix,
    noted,
    number,
    thresholds,
    times,
    vector,
)
from lmu_spiking.nir.limits import KINDS
from lmu_spiking.nir.neurons import INSTANT, PromptLIF, SignedIF
from lmu_spiking.nir.parts import Clock

MOST_LATE = 1000  # steps of delay, each a connection
LONGEST = 20  # time constants in a step, after which e^-20 of a voltage is left


def _input(node, clock: Clock, choice) -> Part:
    n = length(node.input_type["input"])
    return Part(n, n, first=True)


def _output(node, clock: Clock, choice) -> Part:
    n = length(node.input_type["input"])
    return Part(n, n)


def _affine(node, clock: Clock, choice) -> Part:
    weight = matrix(node.weight)
    stages = [weighted(weight)]
    if getattr(node, "bias", None) is not None:
        bias = vector(node.bias, "bias", len(weight))
        stages.append(raised(bias))
    return Part(weight.shape[1], len(weight), tuple(stages))


def _scale(node, clock: Clock, choice) -> Part:
    scale = vector(node.scale, "scale")
    return Part(len(scale), len(scale), (weighted(scale),))


def _threshold(node, clock: Clock, choice) -> Part:
    threshold = vector(node.threshold, "threshold")
    return Part(len(threshold), len(threshold), (above(threshold),))


def _delay(node, clock: Clock, choice) -> Part:
    delay = vector(node.delay, "delay")
    steps = delay / clock.dt
    whole = np.round(steps)
    if np.any(whole < 0):
        raise ValidationError("delay", delay, "must not be negative", "use 0 or more")
    if np.ptp(whole):
        raise ValidationError(
            "delay", delay, "must be one for all values of a node", "use several nodes"
        )
    if np.any(np.abs(steps - whole) > 1e-6 * (1 + steps)):
        raise ValidationError(
            "delay",
            float(delay[0]),
            f"must be a whole number of steps of {clock.dt:g} s",
            "round it, or give from_nir a dt that divides it",
        )
    if whole[0] > MOST_LATE:
        raise ValidationError(
            "delay",
            float(delay[0]),
            f"must be at most {MOST_LATE} steps of {clock.dt:g} s",
            "use several nodes in a row, or a longer dt",
        )
    stages = tuple(weighted(1.0, synapse=0) for _ in range(int(whole[0])))
    return Part(len(delay), len(delay), stages, slow=bool(stages))


def _li(node, clock: Clock, choice) -> Part:
    tau = times(node.tau, "tau")
    n = len(tau)
    stages = [weighted(vector(node.r, "r", n)), leaks(tau, clock)]
    v_leak = vector(node.v_leak, "v_leak", n)
    if np.any(v_leak):
        stages.append(raised(v_leak))
    return Part(n, n, tuple(stages), slow=True)


def _cuba_li(node, clock: Clock, choice) -> Part:
    tau = times(node.tau_mem, "tau_mem")
    n = len(tau)
    stages = (
        weighted(vector(node.w_in, "w_in", n)),
        leaks(times(node.tau_syn, "tau_syn"), clock, "tau_syn"),
        weighted(vector(node.r, "r", n)),
        leaks(tau, clock, "tau_mem"),
        raised(vector(node.v_leak, "v_leak", n)),
    )
    return Part(n, n, stages, slow=True)


def _if(node, clock: Clock, choice) -> Part:
    high = thresholds(node)
    factor = vector(node.r, "r", len(high)) / high
    return _neurons(node, clock, choice, factor)


def _lif(node, clock: Clock, choice) -> Part:
    high = thresholds(node)
    n = len(high)
    tau = times(node.tau, "tau")
    factor = vector(node.r, "r", n) / high
    bias = vector(node.v_leak, "v_leak", n) / high
    return _neurons(node, clock, choice, factor, bias, _one(tau, "tau", clock))


def _cuba_lif(node, clock: Clock, choice) -> Part:
    high = thresholds(node)
    n = len(high)
    tau = times(node.tau_mem, "tau_mem")
    slow = times(node.tau_syn, "tau_syn")
    factor = vector(node.r, "r", n) / high
    bias = vector(node.v_leak, "v_leak", n) / high
    before = (
        weighted(vector(node.w_in, "w_in", n)),
        leaks(slow, clock, "tau_syn"),
    )
    said = _said(node)
    if said and not said.endswith("lif"):  # so slow a membrane that it only integrates
        return _neurons(node, clock, choice, factor / tau, before=before)
    mean = _one(tau, "tau_mem", clock)
    return _neurons(node, clock, choice, factor, bias, mean, before)


def _one(tau, name: str, clock: Clock) -> float:
    """The seconds of all neurons of a node."""
    if np.ptp(tau) > 1e-9 * np.max(tau):
        raise ValidationError(
            name, tau, "must be one for all neurons of a node", "use several nodes"
        )
    return float(clock.meant(tau, name)[0])


def _said(node) -> str:
    """What neurons these are in a graph of ours; empty in others."""
    said = noted(node).get("neurons")
    return said if isinstance(said, str) and said in KINDS.values() else ""


def _neurons(node, clock, choice, factor, bias=0.0, tau=None, before=()) -> Part:
    """Neurons at ``J = factor I + bias``; with ``tau``, in seconds, they leak."""
    said, notes = _said(node), noted(node)
    rates = choice == "rate" or (choice is None and said.startswith("rate"))
    seed = notes.get("seed")
    if seed is not None:
        seed = check_seed("metadata.seed", number(seed))
    model = (
        _integrating(node, rates) if tau is None else _leaky(node, tau, rates, clock)
    )
    current = [weighted(factor)]
    if np.any(bias):
        current.append(raised(bias))
    n = len(factor)
    stages = (*before, *current, fires(said or "neurons", seed, model), spikes(clock))
    return Part(n, n, stages, slow=bool(before))


def _integrating(node, rates: bool) -> Any:
    """Nengo's own for graphs of ours; for others they integrate what they get."""
    if rates:
        return nengo.RectifiedLinear()
    floor = _floor(node)
    if floor == 0:
        return nengo.SpikingRectifiedLinear()
    if floor > -np.inf:
        raise ValidationError(
            "metadata.min_voltage", floor, "must be 0 or -inf for neurons without leak"
        )
    return SignedIF(initial_state=_first(node))


def _leaky(node, tau: float, rates: bool, clock: Clock) -> Any:
    """Return LIF neurons; for our own graphs Nengo's, to give the same spikes."""
    refractory = at_least_0(noted(node).get("tau_ref", 0.0), "metadata.tau_ref")
    if rates:
        if not _said(node) and tau * INSTANT <= clock.dt:
            refractory = clock.dt  # it spikes once in each step above its threshold
        return nengo.LIFRate(tau_rc=tau, tau_ref=refractory)
    rest: dict[str, Any] = {"min_voltage": _floor(node), "initial_state": _first(node)}
    if refractory or _said(node) == "lif":
        # nengo.LIF gives NaN if a step is dozens of time constants
        tau = max(tau, clock.dt / LONGEST)
        return nengo.LIF(tau_rc=tau, tau_ref=refractory, **rest)
    return PromptLIF(tau, **rest)


def _floor(node) -> float:
    """Where voltages stop: in graphs of ours at 0 if they do not say, else nowhere."""
    floor = number(noted(node).get("min_voltage", 0.0 if _said(node) else -np.inf))
    real = isinstance(floor, int | float) and not isinstance(floor, bool)
    if not real or not floor <= 0:
        raise ValidationError(
            "metadata.min_voltage", floor, "must be 0 or less", "use -inf for no floor"
        )
    return float(floor)


def _first(node) -> dict | None:
    """First voltages: drawn in graphs of ours, 0 in others, as their programs have."""
    return None if _said(node) else {"voltage": nengo.dists.Choice([0.0])}


BUILDERS = {
    "Input": _input,
    "Output": _output,
    "Linear": _affine,
    "Affine": _affine,
    "Scale": _scale,
    "Threshold": _threshold,
    "Delay": _delay,
    "LI": _li,
    "CubaLI": _cuba_li,
    "IF": _if,
    "LIF": _lif,
    "CubaLIF": _cuba_lif,
}
