r"""Error feedback for the populations of any Nengo model.

`dynamics.feedback` has the equations.  Here the neurons are a user's: Nengo's encoders
and decoders, any neuron type, any connections.  An ensemble is given::

    other connections --> ens.input = x + w --> neurons ==spikes==> decoded y
                            |        ^                                |
                            |        +-- w <-- lowpass, gain -- (x - y)
                            +-------------- x = input - w ------^

What arrives at an ensemble, ``x + w``, is a signal that Nengo's builder has and that no
`nengo.Connection` can begin at.  So the connection that takes ``w`` off it has a
transform of its own, whose builder adds that signal.  This costs a sum for each
dimension and leaves each connection of the model as it is, and those made later, with
slices, functions or learning rules, are part of ``x`` as well.  A backend that builds
ensembles in another way, such as NengoLoihi, has no such signal and is refused.
"""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import nengo
import numpy as np
from nengo.builder import Builder
from nengo.builder.ensemble import get_activities
from nengo.builder.network import build_network
from nengo.builder.operator import Copy, Reset
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons
from nengo.transforms import Transform

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.feedback import (
    TAU,
    averaged_noise,
    highest_rate,
    make_feedback,
)
from lmu_spiking.errors import ValidationError, ValidityWarning, check_positive

RATE = 200.0  # per second; more leaves functions of small populations noisier
POINTS = 500  # at which the decoding is looked at
OWN = "add_error_feedback"
UNLIKE = 0.5  # error of decoding, relative, above which it is none of the input


@dataclass(frozen=True, eq=False)
class PopulationFeedback:
    """The error feedback of some ensembles of a model.

    Parameters
    ----------
    rate : float
        ``beta``, per second.
    tau : float
        Time constant, seconds.
    ensembles : tuple of nengo.Ensemble
        Those that have it.
    states : tuple of nengo.Node
        What each receives from all other connections, ``x``.
    errors : tuple of nengo.Node
        The decoding error of each, ``x`` less what its spikes decode to.
    connections : tuple of nengo.Connection
        The feedback of each, from its error through the lowpass.
    left_out : tuple of (nengo.Ensemble, str)
        The ensembles of the network that cannot have it, and why.
    """

    rate: float
    tau: float
    ensembles: tuple
    states: tuple
    errors: tuple
    connections: tuple
    left_out: tuple = ()

    __repr__ = brief
    _told = ("rate", "tau", "ensembles", "left_out")

    def noise_ratio(self, readout: float, dt: float = 0.001) -> float:
        """Return the predicted noise of a readout, relative to that without feedback.

        Parameters
        ----------
        readout : float
            Time constant of the lowpass that the spikes are read through, seconds; 0
            for slow errors alone.
        dt : float
            Step, seconds.

        Returns
        -------
        float
            Of standard deviations, for neurons whose noise is independent in every
            step, such as Poisson ones, in a model without other loops.
        """
        feedback = make_feedback(self.rate, self.tau, dt)
        if readout == 0:
            return 1 / (1 + feedback.gain)
        return averaged_noise(feedback, readout, dt)


class _Received(Transform):
    """Take what an ensemble receives, less ``w``, from ``w``."""

    def __init__(self, ens: nengo.Ensemble):
        super().__init__()
        self.ens = ens

    @property
    def size_in(self) -> int:
        """Return the dimensions of the ensemble."""
        return cast(int, self.ens.dimensions)

    size_out = size_in


@Builder.register(_Received)
def _build_received(model, transform: _Received, w, **_):
    """Return the signal of ``(x + w) - w``, and no weights."""
    received = model.sig[transform.ens].get("in")
    if not isinstance(received, Signal) or received.shape != w.shape:
        problem = "has no input in this simulator that feedback could be taken off"
        remedy = "use nengo.Simulator or lmu_spiking.Simulator"
        raise ValidationError(f"{OWN}.target", transform.ens, problem, remedy)
    less, _weights = model.build(nengo.Dense((w.size, w.size), init=-1.0), w)
    x = Signal(shape=w.shape, name=f"{transform.ens}.state")
    model.add_op(Reset(x))
    for part in (received, less):
        model.add_op(Copy(part, x, inc=True))
    return x, None


class _Feedback(nengo.Network):
    """The nodes and connections of the feedback; see `_build`."""

    def __init__(self, ensembles, rate: float, tau: float, label: str | None):
        super().__init__(label=label or "error feedback")
        self.rate, self.tau = rate, tau
        self.served, self.states = list(ensembles), []
        self.errors, self.decoded, self.loops = [], [], []
        none: Any = {"learning_rule_type": None}
        connect: Any = partial(nengo.Connection, **none)
        node: Any = nengo.Node
        with self:
            for ens in self.served:
                size, name = ens.dimensions, ens.label or "ensemble"
                x = node(size_in=size, label=f"{name}: state")
                error = node(size_in=size, label=f"{name}: decoding error")
                w = node(size_in=size, label=f"{name}: feedback")
                # the error of x = (x + w) - w
                connect(w, x, transform=_Received(ens), synapse=None)
                connect(x, error, synapse=None)
                decoded = connect(ens, error, transform=-1, synapse=None)
                # through the lowpass to the neurons
                lowpass = nengo.Lowpass(tau)
                loop = connect(error, w, transform=rate * tau, synapse=lowpass)
                connect(w, ens, synapse=None)
                self.states.append(x)
                self.errors.append(error)
                self.decoded.append(decoded)
                self.loops.append(loop)


@Builder.register(_Feedback)
def _build(model, network: _Feedback, **kwargs) -> None:
    """Build the feedback as any network, unless it would be of no use."""
    make_feedback(network.rate, network.tau, model.dt)  # refuses what is unstable
    most = highest_rate(network.tau, model.dt) / 2
    if network.rate > most:
        warnings.warn(
            f"{OWN}.rate: {network.rate:g} per second is more than half of the highest "
            f"stable one at a step of {model.dt:g} s, and makes fast noise larger; use "
            f"at most {most:.3g} per second, or a shorter step",
            ValidityWarning,
            stacklevel=2,
        )
    connections = model.toplevel.all_connections
    for ens in network.served:
        why = _unserved(ens, connections)
        if ens not in model.params:
            problem = "is built after its error feedback"
            why = problem, f"call {OWN} in a network that contains it, or in its own"
        if why is not None:
            raise ValidationError(f"{OWN}.target", ens, *why)
    build_network(model, network, **kwargs)
    for ens, decoded in zip(network.served, network.decoded, strict=True):
        why = _undecoded(model, ens, decoded)
        if why is not None:
            raise ValidationError(f"{OWN}.target", ens, *why)


def add_error_feedback(
    target: nengo.Ensemble | nengo.Network,
    rate: float = RATE,
    tau: float = TAU,
    *,
    label: str | None = None,
) -> PopulationFeedback:
    r"""Give the neurons of a model their own decoding error back.

    What is decoded linearly is less noisy and less distorted, by ``1 + rate * tau`` for
    slow errors; other functions of the ensemble are hardly so.  Beyond the radius
    neurons fire more, and what is decoded is closer to the input (`dynamics.feedback`
    has the equations, section 7 of the laws what was measured).

    The network that is added leaves connections and tuning curves as they were.  Random
    processes of nodes of the current network draw others, unless they have a seed.

    Parameters
    ----------
    target : nengo.Ensemble or nengo.Network
        An ensemble that represents its input; or all such ensembles of a network, such
        as a `nengo.networks.EnsembleArray`.
    rate : float
        ``beta``, per second.  500 is better for what remembers, such as integrators,
        and worse for functions of few neurons.
    tau : float
        Time constant of the feedback, seconds; below that of a recurrent synapse
        through which the ensemble remembers, or the feedback remembers in its place.
    label : str, optional
        Label of the network that is added to the current one.

    Returns
    -------
    PopulationFeedback
        What was connected, and the ensembles that were left out.

    Raises
    ------
    ValidationError
        If a number is not positive; if an ensemble is driven through its neurons, its
        encoders are learned, or it has the feedback already.  When the model is built:
        if the ensemble's decoders do not decode its input.
    MappingError
        When the model is built: if the rate is unstable at the simulator's step.

    Examples
    --------
    >>> with nengo.Network(seed=1) as model:
    ...     stimulus = nengo.Node(0.5)
    ...     poisson = nengo.PoissonSpiking(nengo.LIFRate())
    ...     ens = nengo.Ensemble(100, 1, neuron_type=poisson)
    ...     connection = nengo.Connection(stimulus, ens)
    ...     feedback = add_error_feedback(ens)
    >>> round(feedback.noise_ratio(readout=0.1), 2)
    0.29
    """
    rate = check_positive(f"{OWN}.rate", rate, "per second")
    tau = check_positive(f"{OWN}.tau", tau, "seconds")
    one = isinstance(target, nengo.Ensemble)
    if not one and not isinstance(target, nengo.Network):
        problem, remedy = "is no ensemble and no network", "use one of them"
        raise ValidationError(f"{OWN}.target", target, problem, remedy)
    # the ensembles that can have it, as far as the model is made
    served, left_out = [], []
    whole: Any = (nengo.Network.context or [target])[0]
    for ens in [target] if one else target.all_ensembles:
        why = _fed_back(ens, whole.all_networks)
        why = why or _unserved(ens, whole.all_connections)
        if why is None:
            served.append(ens)
        elif one:
            raise ValidationError(f"{OWN}.target", ens, *why)
        else:
            left_out.append((ens, f"{why[0]}; {why[1]}"))
    if not served:
        problem = "has no ensemble that can have error feedback"
        why = left_out[0][1] if left_out else ""
        raise ValidationError(f"{OWN}.target", target, problem, why)
    for ens in served:
        _warn_of_memory(ens, whole.all_connections, tau)
        if not isinstance(ens.neuron_type, nengo.Direct):
            _warn_of_neurons(ens)
    made = _Feedback(served, rate, tau, label)
    parts = (made.served, made.states, made.errors, made.loops, left_out)
    return PopulationFeedback(rate, tau, *map(tuple, parts))


def _fed_back(ens: nengo.Ensemble, networks) -> tuple[str, str] | None:
    """Return the problem and the way out of an ensemble that has the feedback."""
    for network in networks:
        if isinstance(network, _Feedback) and ens in network.served:
            return "has error feedback already", "add it once"
    return None


def _unserved(ens: nengo.Ensemble, connections) -> tuple[str, str] | None:
    """Return the problem and the way out of an ensemble that cannot have it."""
    for connection in connections:
        post = connection.post_obj
        neurons = isinstance(post, Neurons) and post.ensemble is ens
        if neurons or (post is ens and connection._to_neurons):
            return (
                "is driven through its neurons, past its input, and feedback would "
                "undo what they do",
                "connect to the ensemble itself, with a solver of decoders",
            )
        rules = connection.learning_rule_type or []
        rules = list(rules.values()) if isinstance(rules, dict) else rules
        rules = rules if isinstance(rules, list) else [rules]
        if post is ens and any(rule.modifies == "encoders" for rule in rules):
            return (
                "has encoders that are learned, so that its decoders no longer hold",
                "leave the learning or the feedback out",
            )
    return None


def _warn_of_memory(ens: nengo.Ensemble, connections, tau: float) -> None:
    """Warn of a feedback that lasts longer than an ensemble's own memory."""
    for connection in connections:
        around = connection.pre_obj is ens and connection.post_obj is ens
        own = getattr(connection.synapse, "tau", np.inf)
        if around and tau >= own:
            warnings.warn(
                f"{OWN}.tau: {tau:g} s is not below the {own:g} s of {connection}, so "
                "that the feedback would store the signal by itself; use at most "
                f"{own / 2:.2g} s",
                ValidityWarning,
                stacklevel=3,
            )


def _warn_of_neurons(ens: nengo.Ensemble) -> None:
    """Warn of neurons that burst, whose spikes have little to do with their input."""
    base = getattr(ens.neuron_type, "base_type", ens.neuron_type)
    if isinstance(base, nengo.Izhikevich):
        warnings.warn(
            f"{OWN}.target: Izhikevich neurons adapt and burst, and feedback may make "
            "them worse; measure it, or use 'LIF' neurons",
            ValidityWarning,
            stacklevel=3,
        )


def _undecoded(model, ens: nengo.Ensemble, decoded) -> tuple[str, str] | None:
    """Return the problem and the way out of decoders that do not decode the input."""
    if isinstance(ens.neuron_type, nengo.Direct):
        return None
    # points of the ball that the ensemble is to represent, the same each time
    ball: Any = nengo.dists.UniformHypersphere()
    x = ball.sample(POINTS, ens.dimensions, np.random.RandomState(0))
    x = x * cast(float, ens.radius)
    rates = get_activities(model.params[ens], ens, x)
    gap = x + rates @ model.params[decoded].weights.T  # whose transform is -1
    relative = float(np.sqrt(np.mean(gap**2) / np.mean(x**2)))
    if relative <= UNLIKE:
        return None
    return (
        f"decodes to its input with an error of {relative:.0%} of it within its radius,"
        " and feedback would work against its tuning curves",
        "use encoders of all directions, more neurons, or a radius that they cover",
    )
