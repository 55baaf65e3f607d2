r"""Import of nodes: what each node of NIR becomes in Nengo.

They stand apart from `nir.import_graph`, which uses them, because together they are too
long to be read at once.

A node becomes a chain of weights, lowpasses, biases and neurons.  A leak
``tau dv/dt = v_leak - v + R I`` is a lowpass of ``R I``, plus ``v_leak``; neurons are
driven by ``J = (R I + v_leak) / v_threshold``.
"""

from typing import Any, NamedTuple

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_between, check_seed, check_shape
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.types import begin_at
from lmu_spiking.nir.clock import Clock
from lmu_spiking.nir.neurons import INSTANT, KINDS, PromptLIF, SignedIF

MOST_DELAYED = 1000  # steps of delay, each a connection
LONGEST = 20  # time constants in a step, after which e^-20 of a voltage is left
FORGOTTEN = 40.0  # time constants in a step: e^-40 of 1 is below rounding


class Built(NamedTuple):
    """A node of NIR in Nengo: its ends, which are connected to other nodes, and more.

    Parameters
    ----------
    into, out : nengo.Node
    delayed : bool
        Whether a step passes from its inputs to its outputs, which breaks a loop.
    ensemble : nengo.Ensemble or None
        Its neurons, if any.
    """

    into: nengo.Node
    out: nengo.Node
    delayed: bool = False
    ensemble: nengo.Ensemble | None = None


# Numbers of a graph, checked: finite, real, of the size that is needed.


def metadata_of(node) -> dict:
    """Return the metadata of a node or a graph, with numbers of Python.

    A number of less than double precision becomes the decimal number that was meant.

    Parameters
    ----------
    node : nir.NIRNode

    Returns
    -------
    dict
        Empty where there is none.
    """
    metadata = node.metadata if isinstance(node.metadata, dict) else {}
    return {name: _number(value) for name, value in metadata.items()}


def _number(value: Any) -> Any:
    """Return a number of Python, where a file has numpy's; else the value itself."""
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
    return check_shape(name, array, ("n" if n is None else n,), "numbers")


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
    return check_shape("weight", _array(node, "weight"), ("m", "n"), "a matrix")


def _taus(node, name: str, n: int | None = None) -> np.ndarray:
    """Return positive time constants, as they stand in the graph."""
    array = _vector(node, name, n)
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


# What a node is made of: each function adds to the network behind a source.


def _multiply(source, weight, synapse=None) -> nengo.Node:
    """Multiply by a matrix, a vector of factors, or a number."""
    n = len(weight) if np.ndim(weight) == 2 else source.size_out
    node = nengo.Node(size_in=n)
    nengo.Connection(source, node, transform=weight, synapse=synapse)
    return node


def _add_bias(source, bias) -> None:
    """Add a constant."""
    constant = nengo.Node([1.0], label="one")
    nengo.Connection(constant, source, transform=bias[:, None], synapse=None)


def _filter(source, node, name: str, clock: Clock) -> nengo.Node:
    """Filter by lowpasses, one for each time constant of that name."""
    tau = _taus(node, name, source.size_out)
    seconds = np.asarray(clock.from_graph(tau, name), dtype=float)
    # Nengo's lowpass overflows where a step is thousands of time constants
    seconds = np.where(seconds * FORGOTTEN < clock.dt, 0.0, seconds)
    filtered = nengo.Node(size_in=source.size_out)
    for one in np.unique(seconds):
        of = np.flatnonzero(seconds == one)
        ends = source, filtered
        if len(of) < len(seconds):
            ends = source[of], filtered[of]
        nengo.Connection(*ends, synapse=nengo.Lowpass(one))
    return filtered


def _own_synapse(source, node, clock: Clock) -> nengo.Node:
    """Weight and filter the inputs of a node that has a synapse of its own."""
    if not hasattr(node, "tau_syn"):
        return source
    weighted = _multiply(source, _vector(node, "w_in", source.size_out))
    return _filter(weighted, node, "tau_syn", clock)


def _name_of_tau(node) -> str:
    """Return the name of the time constant of a node's leak."""
    return "tau_mem" if hasattr(node, "tau_mem") else "tau"


# Nodes: each function builds one in the current network.


def _pass(node, clock: Clock, choice) -> Built:
    """Pass values on: an Input, or an Output."""
    shape = np.atleast_1d(np.asarray(node.input_type["input"]))
    if len(shape) != 1 or shape.dtype == object or int(shape[0]) < 1:
        problem = "must have one axis"
        raise ValidationError("shape", shape.tolist(), problem, "flatten the values")
    into = nengo.Node(size_in=int(shape[0]))
    return Built(into, into)


def _affine(node, clock: Clock, choice) -> Built:
    """Multiply by a matrix, and add a bias if there is one."""
    weight = matrix(node)
    into = nengo.Node(size_in=weight.shape[1])
    out = _multiply(into, weight)
    if getattr(node, "bias", None) is not None:
        _add_bias(out, _vector(node, "bias", len(weight)))
    return Built(into, out)


def _scale(node, clock: Clock, choice) -> Built:
    """Multiply each value by a factor."""
    scale = _vector(node, "scale")
    into = nengo.Node(size_in=len(scale))
    return Built(into, _multiply(into, scale))


def _threshold(node, clock: Clock, choice) -> Built:
    """Put out 1 for each value above its threshold."""
    threshold = _vector(node, "threshold")
    into = nengo.Node(size_in=len(threshold))
    out = nengo.Node(lambda t, x: (x > threshold).astype(float), size_in=len(threshold))
    nengo.Connection(into, out, synapse=None)
    return Built(into, out)


def _delay(node, clock: Clock, choice) -> Built:
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
    into = out = nengo.Node(size_in=len(delay))
    for _ in range(int(whole[0])):
        out = _multiply(out, 1.0, synapse=0)
    return Built(into, out, delayed=bool(whole[0]))


def _leak(node, clock: Clock, choice) -> Built:
    """Filter values by a leak, behind a synapse if there is one."""
    name = _name_of_tau(node)
    into = nengo.Node(size_in=len(_taus(node, name)))
    current = _own_synapse(into, node, clock)
    current = _multiply(current, _vector(node, "r", into.size_in))
    out = _filter(current, node, name, clock)
    v_leak = _vector(node, "v_leak", into.size_in)
    if np.any(v_leak):
        _add_bias(out, v_leak)
    return Built(into, out, delayed=True)


def _neurons(node, clock: Clock, choice) -> Built:
    """Drive neurons by ``J = (R I + v_leak) / v_threshold``, behind a synapse if any.

    They integrate and fire; all but an IF leak.
    """
    high, kind = _thresholds(node), _kind(node)
    n, factor = len(high), _vector(node, "r", len(high)) / high
    bias = np.zeros(n)
    rates = choice == "rate" or (choice is None and kind.startswith("rate"))
    into = nengo.Node(size_in=n)
    filtered = _own_synapse(into, node, clock)
    delayed = filtered is not into
    if type(node).__name__ == "IF":
        model = _integrating(node, rates)
    elif delayed and kind and not kind.endswith("lif"):
        # so slow a membrane that it only integrates
        factor = factor / _taus(node, "tau_mem", n)
        model = _integrating(node, rates)
    else:
        bias = _vector(node, "v_leak", n) / high
        model = _leaky(node, rates, clock)
    current = _multiply(filtered, factor)
    if np.any(bias):
        _add_bias(current, bias)
    # with a gain of 1 and no bias, Nengo finds no highest rate for LIF, and warns
    seed = metadata_of(node).get("seed")
    seed = None if seed is None else check_seed("metadata.seed", seed)
    ensemble = driven(n, model, gain=2.0, seed=seed, label=kind or "neurons")
    nengo.Connection(current, ensemble.neurons, transform=0.5, synapse=None)
    # a spike as the graph counts it, from Nengo's of height 1 / dt
    out = _multiply(ensemble.neurons, clock.unit)
    return Built(into, out, delayed, ensemble)


def _kind(node) -> str:
    """Return the kind of neurons in a graph of ours; an empty text in others."""
    kind = metadata_of(node).get("neurons")
    return kind if isinstance(kind, str) and kind in KINDS.values() else ""


def _integrating(node, rates: bool) -> Any:
    """Return Nengo's own neurons for graphs of ours; others integrate any current."""
    if rates:
        return nengo.RectifiedLinear()
    rest = _at_rest(node)
    floor = rest["min_voltage"]
    if floor == 0:
        begin = metadata_of(node).get("voltage")
        if begin is None:
            return nengo.SpikingRectifiedLinear()
        n = len(_vector(node, "r"))
        begin = check_shape("metadata.voltage", begin, (n,))
        return begin_at(nengo.SpikingRectifiedLinear(), begin)
    if floor > -np.inf:
        problem = "must be 0 or -inf for neurons without leak"
        raise ValidationError("metadata.min_voltage", floor, problem)
    return SignedIF(initial_state=rest["initial_state"])


def _leaky(node, rates: bool, clock: Clock) -> Any:
    """Return LIF neurons; for our own graphs Nengo's, to give the same spikes."""
    name = _name_of_tau(node)
    taus = _taus(node, name)
    if np.ptp(taus) > 1e-9 * np.max(taus):
        problem = "must be one for all neurons of a node"
        raise ValidationError(name, taus, problem, "use several nodes")
    tau = float(clock.from_graph(taus, name)[0])
    refractory = metadata_of(node).get("tau_ref", 0.0)
    refractory = check_between("metadata.tau_ref", refractory, 0, 1e6, "seconds")
    if rates:
        if not _kind(node) and tau * INSTANT <= clock.dt:
            refractory = clock.dt  # it spikes once in each step above its threshold
        return nengo.LIFRate(tau_rc=tau, tau_ref=refractory)
    if refractory or _kind(node) == "lif":
        # nengo.LIF gives NaN if a step is dozens of time constants
        tau = max(tau, clock.dt / LONGEST)
        return nengo.LIF(tau_rc=tau, tau_ref=refractory, **_at_rest(node))
    return PromptLIF(tau, **_at_rest(node))


def _at_rest(node) -> dict[str, Any]:
    """Return the lowest and the initial voltage of spiking neurons.

    By default 0 and drawn in graphs of ours, none and 0 in others, as they have.
    """
    ours = bool(_kind(node))
    floor = metadata_of(node).get("min_voltage", 0.0 if ours else -np.inf)
    floor = check_between("metadata.min_voltage", floor, -np.inf, 0)
    zero = {"voltage": nengo.dists.Choice([0.0])}
    return {"min_voltage": floor, "initial_state": None if ours else zero}


# by the name of their class in NIR
BUILDERS = {"Input": _pass, "Output": _pass, "Linear": _affine, "Affine": _affine}
BUILDERS |= {"Scale": _scale, "Threshold": _threshold, "Delay": _delay, "LI": _leak}
BUILDERS |= {"CubaLI": _leak, "IF": _neurons, "LIF": _neurons, "CubaLIF": _neurons}
