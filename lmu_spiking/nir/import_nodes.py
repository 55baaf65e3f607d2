r"""Import of nodes: what each node of NIR becomes in Nengo.

They stand apart from `nir.import_graph`, which uses them, because together they are too
long to be read at once.

A node becomes a chain of stages: weights, lowpasses, biases, neurons.  A leak
``tau dv/dt = v_leak - v + R I`` is a lowpass of ``R I``, plus ``v_leak``; neurons are
driven by ``J = (R I + v_leak) / v_threshold``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_between, check_seed
from lmu_spiking.networks.bare_ensemble import driven
from lmu_spiking.nir.clock import Clock
from lmu_spiking.nir.neurons import INSTANT, KINDS, PromptLIF, SignedIF

MOST_DELAYED = 1000  # steps of delay, each a connection
LONGEST = 20  # time constants in a step, after which e^-20 of a voltage is left
FORGOTTEN = 40.0  # time constants in a step: e^-40 of 1 is below rounding


@dataclass(frozen=True, eq=False)
class Part:
    """A node of NIR: the sum of its inputs passes ``stages`` one after the other.

    Parameters
    ----------
    size_in, size_out : int
    stages : tuple
        Callables that take a Nengo object, add to the network, and return the next one.
    delayed : bool
        Whether a step passes from its inputs to its outputs, which breaks a loop.
    """

    size_in: int
    size_out: int
    stages: tuple = ()
    delayed: bool = False

    __repr__ = brief


class Built(NamedTuple):
    """The first and the last object of a part in Nengo, and its neurons, if any."""

    into: Any
    out: Any
    ensemble: nengo.Ensemble | None


def build(part: Part) -> Built:
    """Build a part in the current network.

    Parameters
    ----------
    part : Part

    Returns
    -------
    Built
        Its first and last object, to be connected.
    """
    into = out = nengo.Node(size_in=part.size_in)
    ensemble = None
    for stage in part.stages:
        out = stage(out)
        if isinstance(out, nengo.Ensemble):
            ensemble, out = out, out.neurons
    return Built(into, out, ensemble)


# Numbers of a graph, checked: finite, real, of the size that is needed.


def metadata_of(node) -> dict:
    """Return the metadata of a node or a graph.

    Parameters
    ----------
    node : nir.NIRNode

    Returns
    -------
    dict
        Empty where there is none.
    """
    return node.metadata if isinstance(node.metadata, dict) else {}


def number(value: Any) -> Any:
    """Return a number of Python, where a file has numpy's.

    One of less than double precision becomes the decimal number that was meant.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
        ``value`` itself if it is no number of numpy's.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def _array(node, name: str) -> np.ndarray:
    """Return an attribute of a node as finite floats, or raise a ValidationError."""
    value = getattr(node, name)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        kind = "complex numbers" if array.dtype.kind == "c" else "no numbers"
        raise ValidationError(name, value, f"are {kind}", "use real ones")
    array = array.astype(float)
    finite = np.isfinite(array)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = f" (at {', '.join(map(str, at))})" if at else ""
        problem = f"must be finite{where}"
        raise ValidationError(name, float(array[at]), problem, "replace it")
    return array


def _vector(node, name: str, n: int | None = None) -> np.ndarray:
    """Return an attribute as a vector, of ``n`` numbers, or raise a ValidationError."""
    array = _array(node, name)
    if array.ndim == 0 and n is not None:
        array = np.full(n, float(array))
    if array.ndim != 1 or not len(array) or (n is not None and len(array) != n):
        remedy = f"use {n} numbers" if n is not None else "flatten it"
        problem = "must have one axis, as the others"
        raise ValidationError(name, array.shape, problem, remedy)
    return array


def matrix(node) -> np.ndarray:
    """Return the weight of a node.

    Parameters
    ----------
    node : nir.NIRNode

    Returns
    -------
    (m, n) ndarray
        The matrix, of floats.

    Raises
    ------
    ValidationError
        If it is no finite matrix.
    """
    array = _array(node, "weight")
    if array.ndim != 2 or 0 in array.shape:
        problem = "is its shape; it must have two axes"
        raise ValidationError("weight", array.shape, problem, "reshape it")
    return array


def _taus(node, name: str) -> np.ndarray:
    """Return positive time constants, as they stand in the graph."""
    array = _vector(node, name)
    if np.any(array <= 0):
        problem, remedy = "must be positive seconds", "use a Scale where nothing leaks"
        raise ValidationError(name, float(array[array <= 0][0]), problem, remedy)
    return array


def _thresholds(node) -> np.ndarray:
    """Return the thresholds of neurons that are reset to 0."""
    high = _vector(node, "v_threshold")
    remedy = "count v_threshold and v_leak from v_reset"
    if node.v_reset is not None and np.any(_vector(node, "v_reset", len(high))):
        problem = "must be 0: Nengo's neurons return there"
        raise ValidationError("v_reset", node.v_reset, problem, remedy)
    if np.any(high <= 0):
        value = float(high[high <= 0][0])
        raise ValidationError("v_threshold", value, "must be positive", remedy)
    return high


def _one_tau(tau: np.ndarray, name: str, clock: Clock) -> float:
    """Return the seconds of all neurons of a node."""
    if np.ptp(tau) > 1e-9 * np.max(tau):
        problem = "must be one for all neurons of a node"
        raise ValidationError(name, tau, problem, "use several nodes")
    return float(clock.from_graph(tau, name)[0])


# Stages: each function returns one.


def _multiply(weight, synapse=None):
    """Multiply by a matrix, a vector of factors, or a number."""
    weight = np.asarray(weight, dtype=float)

    def stage(source):
        n = weight.shape[0] if weight.ndim == 2 else source.size_out
        node = nengo.Node(size_in=n)
        nengo.Connection(source, node, transform=weight, synapse=synapse)
        return node

    return stage


def _add_bias(bias):
    """Add a constant."""

    def stage(source):
        constant = nengo.Node([1.0], label="one")
        nengo.Connection(constant, source, transform=bias[:, None], synapse=None)
        return source

    return stage


def _filter(tau, clock: Clock, name: str = "tau"):
    """Filter by lowpasses, one for each time constant."""
    seconds = np.asarray(clock.from_graph(tau, name), dtype=float)
    # Nengo's lowpass overflows where a step is thousands of time constants
    seconds = np.where(seconds * FORGOTTEN < clock.dt, 0.0, seconds)

    def stage(source):
        node = nengo.Node(size_in=source.size_out)
        for one in np.unique(seconds):
            of = np.flatnonzero(seconds == one)
            ends = source, node
            if len(of) < len(seconds):
                ends = source[of], node[of]
            nengo.Connection(*ends, synapse=nengo.Lowpass(one))
        return node

    return stage


def _fire(kind: str, seed, model):
    """Drive neurons by the current ``J``."""

    def stage(source):
        # with a gain of 1 and no bias, Nengo finds no highest rate for LIF, and warns
        n = source.size_out
        ensemble = driven(n, model, gain=2.0, seed=seed, label=kind)
        nengo.Connection(source, ensemble.neurons, transform=0.5, synapse=None)
        return ensemble

    return stage


def _exceed(threshold):
    """Put out 1 above a threshold, else 0."""

    def stage(source):
        def output(t, x):
            return (x > threshold).astype(float)

        node = nengo.Node(output, size_in=source.size_out)
        nengo.Connection(source, node, synapse=None)
        return node

    return stage


# Nodes: each function returns the part of a node.


def _pass(node, clock: Clock, choice) -> Part:
    """Pass values on: an Input, or an Output."""
    shape = np.atleast_1d(np.asarray(node.input_type["input"]))
    if len(shape) != 1 or shape.dtype == object or int(shape[0]) < 1:
        problem = "must have one axis"
        raise ValidationError("shape", shape.tolist(), problem, "flatten the values")
    return Part(int(shape[0]), int(shape[0]))


def _affine(node, clock: Clock, choice) -> Part:
    """Multiply by a matrix, and add a bias if there is one."""
    weight = matrix(node)
    stages = [_multiply(weight)]
    if getattr(node, "bias", None) is not None:
        stages.append(_add_bias(_vector(node, "bias", len(weight))))
    return Part(weight.shape[1], len(weight), tuple(stages))


def _scale(node, clock: Clock, choice) -> Part:
    """Multiply each value by a factor."""
    scale = _vector(node, "scale")
    return Part(len(scale), len(scale), (_multiply(scale),))


def _threshold(node, clock: Clock, choice) -> Part:
    """Put out 1 for each value above its threshold."""
    threshold = _vector(node, "threshold")
    return Part(len(threshold), len(threshold), (_exceed(threshold),))


def _delay(node, clock: Clock, choice) -> Part:
    """Delay all values by one whole number of steps."""
    delay = _vector(node, "delay")
    steps = delay / clock.dt
    whole = np.round(steps)
    value, step = float(delay[0]), f"of {clock.dt:g} s"
    if np.any(whole < 0):
        raise ValidationError("delay", delay, "must not be negative", "use 0 or more")
    if np.ptp(whole):
        problem = "must be one for all values of a node"
        raise ValidationError("delay", delay, problem, "use several nodes")
    if np.any(np.abs(steps - whole) > 1e-6 * (1 + steps)):
        problem = f"must be a whole number of steps {step}"
        remedy = "round it, or give from_nir a dt that divides it"
        raise ValidationError("delay", value, problem, remedy)
    if whole[0] > MOST_DELAYED:
        problem = f"must be at most {MOST_DELAYED} steps {step}"
        remedy = "use several nodes in a row, or a longer dt"
        raise ValidationError("delay", value, problem, remedy)
    stages = tuple(_multiply(1.0, synapse=0) for _ in range(int(whole[0])))
    return Part(len(delay), len(delay), stages, delayed=bool(stages))


def _li(node, clock: Clock, choice) -> Part:
    """Filter values by a leak."""
    tau = _taus(node, "tau")
    n = len(tau)
    stages = [_multiply(_vector(node, "r", n)), _filter(tau, clock)]
    v_leak = _vector(node, "v_leak", n)
    if np.any(v_leak):
        stages.append(_add_bias(v_leak))
    return Part(n, n, tuple(stages), delayed=True)


def _cuba_li(node, clock: Clock, choice) -> Part:
    """Filter values by a synapse and a leak."""
    tau = _taus(node, "tau_mem")
    n = len(tau)
    stages = (
        _multiply(_vector(node, "w_in", n)),
        _filter(_taus(node, "tau_syn"), clock, "tau_syn"),
        _multiply(_vector(node, "r", n)),
        _filter(tau, clock, "tau_mem"),
        _add_bias(_vector(node, "v_leak", n)),
    )
    return Part(n, n, stages, delayed=True)


def _if(node, clock: Clock, choice) -> Part:
    """Integrate and fire."""
    high = _thresholds(node)
    return _neurons(node, clock, choice, _vector(node, "r", len(high)) / high)


def _lif(node, clock: Clock, choice) -> Part:
    """Integrate, leak and fire."""
    tau = _one_tau(_taus(node, "tau"), "tau", clock)
    return _neurons(node, clock, choice, *_drive(node), tau)


def _drive(node) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and bias of ``J = (R I + v_leak) / v_threshold``."""
    high = _thresholds(node)
    n = len(high)
    return _vector(node, "r", n) / high, _vector(node, "v_leak", n) / high


def _cuba_lif(node, clock: Clock, choice) -> Part:
    """Filter values by a synapse, integrate, leak and fire."""
    factor, bias = _drive(node)
    tau, slow = _taus(node, "tau_mem"), _taus(node, "tau_syn")
    weights = _multiply(_vector(node, "w_in", len(factor)))
    synapse = weights, _filter(slow, clock, "tau_syn")
    kind = _kind(node)
    if kind and not kind.endswith("lif"):  # so slow a membrane that it only integrates
        return _neurons(node, clock, choice, factor / tau, synapse=synapse)
    tau = _one_tau(tau, "tau_mem", clock)
    return _neurons(node, clock, choice, factor, bias, tau, synapse)


def _kind(node) -> str:
    """Return the kind of neurons in a graph of ours; an empty text in others."""
    kind = metadata_of(node).get("neurons")
    return kind if isinstance(kind, str) and kind in KINDS.values() else ""


def _neurons(node, clock, choice, factor, bias=0.0, tau=None, synapse=()) -> Part:
    """Return neurons at ``J = factor I + bias``, leaky with ``tau``, in seconds."""
    kind = _kind(node)
    rates = choice == "rate" or (choice is None and kind.startswith("rate"))
    seed = metadata_of(node).get("seed")
    if seed is not None:
        seed = check_seed("metadata.seed", number(seed))
    if tau is None:
        model: Any = nengo.RectifiedLinear() if rates else _integrating(node)
    else:
        model = _leaky(node, tau, rates, clock)
    current = [_multiply(factor)]
    if np.any(bias):
        current.append(_add_bias(bias))
    # a spike as the graph counts it, from Nengo's of height 1 / dt
    output = _fire(kind or "neurons", seed, model), _multiply(clock.unit)
    n = len(factor)
    return Part(n, n, (*synapse, *current, *output), delayed=bool(synapse))


def _integrating(node) -> Any:
    """Return Nengo's own neurons for graphs of ours; others integrate any current."""
    floor = _floor(node)
    if floor == 0:
        return nengo.SpikingRectifiedLinear()
    if floor > -np.inf:
        problem = "must be 0 or -inf for neurons without leak"
        raise ValidationError("metadata.min_voltage", floor, problem)
    return SignedIF(initial_state=_initial_state(node))


def _leaky(node, tau: float, rates: bool, clock: Clock) -> Any:
    """Return LIF neurons; for our own graphs Nengo's, to give the same spikes."""
    refractory = number(metadata_of(node).get("tau_ref", 0.0))
    refractory = check_between("metadata.tau_ref", refractory, 0, 1e6, "seconds")
    if rates:
        if not _kind(node) and tau * INSTANT <= clock.dt:
            refractory = clock.dt  # it spikes once in each step above its threshold
        return nengo.LIFRate(tau_rc=tau, tau_ref=refractory)
    rest = {"min_voltage": _floor(node), "initial_state": _initial_state(node)}
    if refractory or _kind(node) == "lif":
        # nengo.LIF gives NaN if a step is dozens of time constants
        tau = max(tau, clock.dt / LONGEST)
        return nengo.LIF(tau_rc=tau, tau_ref=refractory, **rest)
    return PromptLIF(tau, **rest)


def _floor(node) -> float:
    """Return the lowest voltage: by default 0 in graphs of ours, none in others."""
    default = 0.0 if _kind(node) else -np.inf
    floor = number(metadata_of(node).get("min_voltage", default))
    return check_between("metadata.min_voltage", floor, -np.inf, 0)


def _initial_state(node) -> dict | None:
    """Return initial voltages: drawn in graphs of ours, 0 in others, as they have."""
    return None if _kind(node) else {"voltage": nengo.dists.Choice([0.0])}


# by the name of their class in NIR
BUILDERS = {"Input": _pass, "Output": _pass, "Linear": _affine, "Affine": _affine}
BUILDERS |= {"Scale": _scale, "Threshold": _threshold, "Delay": _delay, "LI": _li}
BUILDERS |= {"CubaLI": _cuba_li, "IF": _if, "LIF": _lif, "CubaLIF": _cuba_lif}
