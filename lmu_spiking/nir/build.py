r"""What each node of NIR is in Nengo: a chain of nodes, a leak, or neurons.

A leak ``tau dv/dt = v_leak - v + R I`` is a lowpass of ``R I``, ``v_leak`` higher;
neurons are driven by ``J = (R I + v_leak) / v_threshold``.
"""

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.networks.driven import driven
from lmu_spiking.nir.lif import PromptLIF
from lmu_spiking.nir.parts import Clock

MOST_LATE = 1000  # steps of delay, each a connection
STATEFUL = ("LI", "CubaLI", "CubaLIF", "Delay")  # these break a loop


@dataclass(frozen=True, eq=False)
class Part:
    """A node of NIR: inputs, summed, pass ``stages`` one after the other.

    Attributes
    ----------
    size_in, size_out : int
    stages : tuple
        Each a callable that takes a Nengo object and returns the next one.
    """

    size_in: int
    size_out: int
    stages: tuple = ()


@dataclass(frozen=True, eq=False)
class Built:
    """The same in Nengo."""

    into: nengo.Node
    out: nengo.Node
    ensemble: nengo.Ensemble | None


def build(part: Part) -> Built:
    """In the current network."""
    into = here = nengo.Node(size_in=part.size_in)
    ensemble = None
    for stage in part.stages:
        here = stage(here)
        if isinstance(here, nengo.Ensemble):
            ensemble, here = here, here.neurons
    return Built(into, here, ensemble)


# -- stages -------------------------------------------------------------------------


def _weighted(weight, synapse=None):
    """A matrix, a vector of factors, or 1."""
    weight = np.asarray(weight, dtype=float)

    def stage(source):
        n = weight.shape[0] if weight.ndim == 2 else source.size_out
        node = nengo.Node(size_in=n)
        nengo.Connection(source, node, transform=weight, synapse=synapse)
        return node

    return stage


def _raised(bias):
    """A constant more."""

    def stage(source):
        constant = nengo.Node([1.0], label="one")
        column = np.asarray(bias, dtype=float)[:, None]
        nengo.Connection(constant, source, transform=column, synapse=None)
        return source

    return stage


def _leaks(tau, clock: Clock):
    """Lowpasses, one for each time constant that there is."""
    seconds = np.asarray(clock.meant(tau), dtype=float)

    def stage(source):
        node = nengo.Node(size_in=source.size_out)
        for one in np.unique(seconds):
            of = np.flatnonzero(seconds == one)
            whole = len(of) == len(seconds)
            nengo.Connection(
                source if whole else source[of],
                node if whole else node[of],
                synapse=nengo.Lowpass(one),
            )
        return node

    return stage


def _fires(kind: str, seed, model):
    """Neurons at the current ``J`` that they are given."""

    def stage(source):
        # with a gain of 1 and no bias, Nengo finds no highest rate for LIF, and warns
        n = source.size_out
        ensemble = driven(n, model, gain=2.0, seed=seed, label=kind)
        nengo.Connection(source, ensemble.neurons, transform=0.5, synapse=None)
        return ensemble

    return stage


def _spikes(clock: Clock):
    """A spike as the graph counts it, from Nengo's of height 1 / dt."""

    def stage(source):
        node = nengo.Node(size_in=source.size_out)
        nengo.Connection(source, node, transform=clock.spike, synapse=None)
        return node

    return stage


def _above(threshold):
    def stage(source):
        node = nengo.Node(
            lambda t, x: (x > threshold).astype(float), size_in=source.size_out
        )
        nengo.Connection(source, node, synapse=None)
        return node

    return stage


# -- nodes --------------------------------------------------------------------------


def _plain(node, clock: Clock, choice) -> Part:
    shape = node.input_type["input"] if hasattr(node, "input_type") else None
    n = _length(shape)
    return Part(n, n)


def _affine(node, clock: Clock, choice) -> Part:
    weight = _matrix(node.weight)
    stages = [_weighted(weight)]
    if getattr(node, "bias", None) is not None:
        bias = _vector(node.bias, "bias", len(weight))
        stages.append(_raised(bias))
    return Part(weight.shape[1], len(weight), tuple(stages))


def _scale(node, clock: Clock, choice) -> Part:
    scale = _vector(node.scale, "scale")
    return Part(len(scale), len(scale), (_weighted(scale),))


def _threshold(node, clock: Clock, choice) -> Part:
    threshold = _vector(node.threshold, "threshold")
    return Part(len(threshold), len(threshold), (_above(threshold),))


def _delay(node, clock: Clock, choice) -> Part:
    delay = _vector(node.delay, "delay")
    steps = delay / clock.dt
    whole = np.round(steps)
    if np.any(np.abs(steps - whole) > 1e-6 * (1 + steps)) or np.ptp(whole):
        raise ValidationError(
            "delay", delay, f"must be one whole number of steps of {clock.dt:g} s"
        )
    if not 0 <= whole[0] <= MOST_LATE:
        raise ValidationError("delay", delay, f"must be 0 to {MOST_LATE} steps")
    stages = tuple(_weighted(1.0, synapse=0) for _ in range(int(whole[0])))
    return Part(len(delay), len(delay), stages)


def _li(node, clock: Clock, choice) -> Part:
    tau = _times(node.tau, "tau")
    n = len(tau)
    stages = [_weighted(_vector(node.r, "r", n)), _leaks(tau, clock)]
    if np.any(node.v_leak):
        stages.append(_raised(_vector(node.v_leak, "v_leak", n)))
    return Part(n, n, tuple(stages))


def _if(node, clock: Clock, choice) -> Part:
    high = _thresholds(node)
    factor = _vector(node.r, "r", len(high)) / high
    return _neurons(node, clock, choice, "if", factor, 0.0, ())


def _lif(node, clock: Clock, choice) -> Part:
    high = _thresholds(node)
    n = len(high)
    tau = clock.meant(_times(node.tau, "tau"))
    factor = _vector(node.r, "r", n) / high
    bias = _vector(node.v_leak, "v_leak", n) / high
    return _neurons(node, clock, choice, "lif", factor, bias, (), tau)


def _cuba_lif(node, clock: Clock, choice) -> Part:
    high = _thresholds(node)
    n = len(high)
    factor = _vector(node.r, "r", n) / high
    bias = _vector(node.v_leak, "v_leak", n) / high
    before = (_weighted(_vector(node.w_in, "w_in", n)), _leaks(node.tau_syn, clock))
    tau = _times(node.tau_mem, "tau_mem")
    _times(node.tau_syn, "tau_syn")
    kind = str(node.metadata.get("neurons", "lif"))
    if not kind.endswith("lif"):  # a membrane so slow that it only integrates
        return _neurons(node, clock, choice, "if", factor / tau, 0.0, before)
    return _neurons(node, clock, choice, "lif", factor, bias, before, clock.meant(tau))


def _cuba_li(node, clock: Clock, choice) -> Part:
    tau = _times(node.tau_mem, "tau_mem")
    n = len(tau)
    stages = [
        _weighted(_vector(node.w_in, "w_in", n)),
        _leaks(_times(node.tau_syn, "tau_syn"), clock),
        _weighted(_vector(node.r, "r", n)),
        _leaks(tau, clock),
        _raised(_vector(node.v_leak, "v_leak", n)),
    ]
    return Part(n, n, tuple(stages))


def _neurons(node, clock, choice, kind, factor, bias, before, tau=None) -> Part:
    said = str(node.metadata.get("neurons", ""))
    rates = choice == "rate" or (choice is None and said.startswith("rate"))
    seed = node.metadata.get("seed")
    if kind == "if":
        model: Any = nengo.RectifiedLinear if rates else nengo.SpikingRectifiedLinear
        model = model()
    else:
        if np.ptp(tau) > 1e-9 * np.max(tau):
            raise ValidationError(
                "tau", tau, "must be one for all neurons of a node", "use several nodes"
            )
        model = _leaky(float(tau[0]), rates, node.metadata)
    current = [_weighted(factor)]
    if np.any(bias):
        current.append(_raised(bias))
    fires = _fires(kind, None if seed is None else int(seed), model)
    n = len(factor)
    return Part(n, n, (*before, *current, fires, _spikes(clock)))


def _leaky(tau: float, rates: bool, metadata: dict) -> Any:
    """LIF neurons: Nengo's own for graphs of ours, to give the same spikes."""
    refractory = float(metadata.get("tau_ref", 0.0))
    if rates:
        return nengo.LIFRate(tau_rc=tau, tau_ref=refractory)
    if refractory or metadata.get("neurons") == "lif":
        return nengo.LIF(tau_rc=tau, tau_ref=refractory)
    return PromptLIF(tau)


BUILDERS = {
    "Input": _plain,
    "Output": _plain,
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


# -- checks, and loops --------------------------------------------------------------


def late_edges(nodes, edges) -> set[tuple[str, str]]:
    """Edges that close a loop in which nothing takes a step: each gets one."""
    kinds = {name: type(node).__name__ for name, node in nodes.items()}
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        if kinds[source] not in STATEFUL and kinds[target] not in STATEFUL:
            after[source].append(target)
    done: set[str] = set()
    late: set[tuple[str, str]] = set()
    for root in nodes:
        path, stack = {root}, [(root, iter(after[root]))]
        if root in done:
            continue
        while stack:
            name, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                done.add(name)
                path.discard(name)
                stack.pop()
            elif target in path:
                late.add((name, target))
            elif target not in done:
                path.add(target)
                stack.append((target, iter(after[target])))
    return late


def _length(shape) -> int:
    shape = np.atleast_1d(np.asarray(shape))
    if len(shape) != 1 or shape.dtype == object or int(shape[0]) < 1:
        raise ValidationError("shape", shape.tolist(), "must have one axis")
    return int(shape[0])


def _vector(value, name: str, n: int | None = None) -> np.ndarray:
    """A finite vector, or a ValidationError."""
    array = np.asarray(value, dtype=float)
    if array.ndim == 0 and n is not None:
        array = np.full(n, float(array))
    if array.ndim != 1 or not len(array) or (n is not None and len(array) != n):
        raise ValidationError(name, array.shape, "must have one axis, as the others")
    if not np.isfinite(array).all():
        raise ValidationError(name, value, "must be finite")
    return array


def _matrix(value) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise ValidationError("weight", array.shape, "must be finite, with two axes")
    return array


def _times(value, name: str) -> np.ndarray:
    array = _vector(value, name)
    if np.any(array <= 0):
        raise ValidationError(name, value, "must be positive seconds")
    return array


def _thresholds(node) -> np.ndarray:
    high = _vector(node.v_threshold, "v_threshold")
    if np.any(high <= 0):
        raise ValidationError("v_threshold", node.v_threshold, "must be positive")
    if node.v_reset is not None and np.any(node.v_reset):
        raise ValidationError(
            "v_reset", node.v_reset, "must be 0: Nengo's neurons return there"
        )
    return high
