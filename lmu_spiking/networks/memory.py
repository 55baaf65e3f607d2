"""The spiking memory: an LDN as a recurrent network of neurons."""

from collections.abc import Callable

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.memory.design import Design, assemble, name_of
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks import readout
from lmu_spiking.networks.blockwise import AsBuilt, keeps_time, shared, unused_seed
from lmu_spiking.networks.function import (
    FunctionReadout,
    LinearReadout,
    predict_function,
)
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.curves import unmerged
from lmu_spiking.neurons.population import Population
from lmu_spiking.theory.predict import predict


@keeps_time("LegendreMemory")
class LegendreMemory(AsBuilt, nengo.Network):
    r"""A sliding window of ``theta`` seconds, held by recurrently connected neurons.

    The neurons decode the state ``m`` of a Legendre delay network [1]_; the recurrent
    synapse integrates it (Principle 3, exact for Nengo's discrete step)::

        input --> state --> neurons --> output
                    ^                     |
                    +------ A', h(t) -----+

    Parameters
    ----------
    n_neurons : int
        Neurons in all, at least 2 for each of the ``size_in * order`` dimensions.
    order : int
        Legendre coefficients of each input, ``d``.
    theta : float
        Window, seconds.
    synapse : float or nengo.synapses.LinearFilter, optional
        Recurrent synapse; a number is the time constant of a lowpass, seconds.  By
        default 0.1 s, or what ``tuning`` finds best.
    dt : float
        Step of the simulator it will run in, seconds; one with another step refuses it.
        Both are 1 ms by default; use ``Simulator(model, dt=memory.dt)`` for another.
    size_in : int
        Inputs; each has a window of its own.
    neuron_type : str or nengo.neurons.NeuronType
        ``"poisson"`` (default), ``"stochastic"``, ``"regular"``, ``"rate"``, ``"if"``,
        ``"lif"``, ...; a neuron type set in ``nengo.Config`` takes the default's place.
    tuning : {"pairs", "recruited", "drawn", "balanced", "optimal"} or Tuning, optional
        By default rectifier pairs (exactly linear) where the neurons allow, else drawn
        curves.  ``"recruited"`` makes pairs less noisy at more spikes.  ``"balanced"``
        lets them carry the coordinates of least noise (see `realisation`), in numbers
        to suit; ``"optimal"`` does both.
    max_rate : float
        Rate at the radius, Hz.  For ``"balanced"``, what each neuron exceeds less than
        .1 % of the time; for ``"optimal"``, the highest rate of all, reached at five
        standard deviations of what it carries, where up to a million neurons clip (none
        do with error feedback, and fire above it).
    radii : float or (size_in * order,) array_like, optional
        Range of each state dimension, 1 by default.  Pairs do not saturate beyond it.
        ``"balanced"`` and ``"optimal"`` choose their own.
    signal : SignalSpec, (T,) or (T, order) array_like, optional
        The input that ``"balanced"`` and ``"optimal"`` are for: a band, samples of more
        than a window, or exact states; white noise of 2 Hz and rms .5 by default.
    readouts : (p, order) array_like, optional
        Those of the state whose noise they make least; by default delay theta and the
        window.
    delay_steps : int
        Steps of delay in the loop beyond Nengo's own; mapped out exactly.
    error_feedback : "auto", "off" or (2,) tuple of float, optional
        Give the neurons of each dimension their own decoding error back through a
        second, fast synapse: about an eighth of the error of Poisson pairs, from as
        many neurons (see `dynamics.feedback`).  Its rate (per second) and its time
        constant (seconds), below that of ``synapse``; ``"auto"`` takes the rate of
        least predicted error, and at most 20 ms, or 50 ms for neurons whose error is
        measured.
    aggregated : bool
        Simulate the sum of all neurons of a side as one variable, at a cost that does
        not grow with ``n_neurons``: the same in distribution for Poisson neurons, and
        spike by spike for staggered ones.
    initial_phases : {"staggered", "random"}, optional
        Where neurons begin that integrate and reset by subtraction (``"if"``,
        ``"regular"``).  Staggered, their voltages are evenly spaced in each group of
        neurons that are alike, and stay so for ever: the error falls as ``1 / m`` in
        place of its root, with a bound for every input (`ErrorBudget.bound`).  By
        default staggered where neurons can be.
    assembly : Design, optional
        The design of another such memory, in place of a new one; its neurons are
        repeated where this one has more inputs.  `from_design` builds a memory of it.
    tau : float, optional
        Time constant of a lowpass synapse, seconds, as in `MemorySpec`.
    tuning_seed : int
        Draws the curves.
    noise_seed : int, optional
        Draws the spikes and initial voltages; from the network's seed by default.
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        ``size_in`` inputs.
    state : nengo.Node
        The post-synaptic state, ``size_in * order`` values, input by input.  At probe
        index ``k`` it is the state after input ``k - 1``.  Probe with ``synapse=None``.
    output : nengo.Node
        The state as decoded from the spikes of one step, unfiltered.
    ensemble : nengo.Ensemble
        All neurons, driven and decoded through ``ensemble.neurons``.  Neuron ``k`` is
        for dimension ``population.dimension[k]`` of ``size_in * order``, input by
        input, with sign ``population.encoders[k]``: dimension by dimension, and in each
        the neurons of sign +1 before those of -1 (heterogeneous curves: any order).
    theta : float
        Window, seconds.
    order : int
    tau : float or None
        Time constant of the recurrent lowpass, seconds; None for another synapse.
    spec : MemorySpec or None
        The spec of the same memory, with noise seed 0 where the network's own seed
        draws the spikes; None if no spec describes it (a synapse other
        than a lowpass, custom neurons or tuning curves).
    ldn : LDN
    mapped : Mapped
        The LDN on the synapse, in Legendre coordinates.
    design, assembly : Design
        The neurons and the basis that they carry.
    population : Population
    dt : float
        Step, seconds.
    functions : dict of nengo.Node to FunctionReadout or LinearReadout
        The functions and weighted sums of the window that were added.

    Notes
    -----
    All attributes are read-only, since they say how the memory was built.

    References
    ----------
    .. [1] Voelker, Kajić, Eliasmith (2019). Legendre Memory Units. NeurIPS.

    Examples
    --------
    >>> with nengo.Network() as model:
    ...     stimulus = nengo.Node(lambda t: np.sin(6 * t))
    ...     memory = LegendreMemory(600, order=6, theta=0.5)
    ...     past = memory.add_output(delay=0.5)
    ...     connection = nengo.Connection(stimulus, memory.input, synapse=None)
    >>> past.size_out
    1
    """

    def __init__(
        self,
        n_neurons: int,
        order: int,
        theta: float,
        *,
        synapse=None,
        dt: float = 0.001,
        size_in: int = 1,
        neuron_type=None,
        tuning=None,
        max_rate: float = 300.0,
        radii=None,
        signal=None,
        readouts=None,
        delay_steps: int = 0,
        error_feedback=None,
        aggregated: bool = False,
        initial_phases: str | None = None,
        assembly: Design | None = None,
        tau: float | None = None,
        tuning_seed: int = 0,
        noise_seed: int | None = None,
        label: str | None = None,
        seed: int | None = None,
        add_to_container: bool | None = None,
    ):
        # everything that can be refused is, before Nengo sees a half-made network
        if noise_seed is not None:
            noise_seed = check_seed("LegendreMemory.noise_seed", noise_seed)
        if tau is not None:
            if synapse is not None:
                problem = "is given beside synapse"
                raise ValidationError("LegendreMemory.tau", tau, problem, "give one")
            synapse = check_positive("LegendreMemory.tau", tau, "seconds")
        if assembly is None:
            asked = {"synapse": synapse, "dt": dt, "size_in": size_in, "tuning": tuning}
            asked |= {"neuron_type": _configured(neuron_type), "max_rate": max_rate}
            asked |= {"radii": radii, "signal": signal, "readouts": readouts}
            asked |= {"delay_steps": delay_steps, "aggregated": aggregated}
            asked |= {"tuning_seed": tuning_seed, "noise_seed": noise_seed}
            asked |= {
                "error_feedback": error_feedback,
                "initial_phases": initial_phases,
            }
            design = assemble(n_neurons, order, theta, **asked)
        else:
            parts = {"error_feedback": error_feedback, "initial_phases": initial_phases}
            for name, value in parts.items():
                if value is not None:
                    problem, remedy = "is part of the design", "give it to the design"
                    attribute = f"LegendreMemory.{name}"
                    raise ValidationError(attribute, value, problem, remedy)
            design = _fitted(assembly, order, theta, dt, size_in)
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        # what the memory says of itself
        self.design = self.assembly = design
        self.ldn, self.mapped, self.dt = design.ldn, design.mapped, design.dt
        self.size_in = design.size_in
        self.tuning_seed, self.noise_seed = tuning_seed, noise_seed
        self.functions: dict[nengo.Node, FunctionReadout | LinearReadout] = {}

        # the loop, in the basis that the neurons carry, and the state read from it
        population = design.population
        with self:
            self.input = nengo.Node(size_in=self.size_in, label="input")
            carried = nengo.Node(size_in=population.order, label="state")
            neurons, m = unmerged(population.model), len(population.gain)
            curves: dict = {"encoders": population.encoders, **population.currents}
            curves |= {"seed": noise_seed, "label": "neurons"}
            self.ensemble = driven(m, neurons, **curves)
            decoded = nengo.Node(size_in=population.order, label="output")
            self._close(carried, decoded)
            self.state = self._legendre(carried, "state")
            self.output = self._legendre(decoded, "output")
        self.built()

    def __repr__(self) -> str:
        label = "" if self.label is None else f' "{self.label}"'
        inputs = "" if self.size_in == 1 else f"{self.size_in} inputs, "
        through = self.mapped.synapse if self.tau is None else f"tau {self.tau:g} s"
        neurons = name_of(self.population.neurons) or self.population.neurons
        feedback = self.mapped.feedback
        if feedback is not None:
            rate = f"error feedback {feedback.rate:g}/s, {feedback.tau:g} s"
            through = f"{through}, {rate}"
        return (
            f"<LegendreMemory{label}: {inputs}order {self.order}, theta {self.theta:g} "
            f"s, {self.population.n_neurons:,} {neurons} neurons, "
            f"{self.design.tuning}, {through}, dt {self.dt:g} s>"
        )

    __str__ = __repr__

    @property
    def theta(self) -> float:
        """Return the window, seconds."""
        return self.ldn.theta

    @property
    def order(self) -> int:
        """Return the number of Legendre coefficients of each input."""
        return self.ldn.order

    @property
    def tau(self) -> float | None:
        """Return the lowpass's time constant, seconds; None for another synapse."""
        synapse = self.mapped.synapse
        return float(synapse.tau) if isinstance(synapse, nengo.Lowpass) else None

    @property
    def spec(self) -> MemorySpec | None:
        """Return the spec of the same memory; None if no `MemorySpec` describes it."""
        spec = self.design.spec
        return None if spec is None else spec.replace(noise_seed=self.noise_seed or 0)

    @property
    def population(self) -> Population:
        """Return the neurons."""
        return self.design.population

    def _close(self, carried: nengo.Node, decoded: nengo.Node) -> None:
        """Connect input and decoded spikes, through the synapse, to the neurons."""
        loop, neurons, n = self.design.loop, self.ensemble.neurons, self.size_in
        population, connect = self.population, nengo.Connection
        # the input takes the synapse, too, or a filter for each state of the synapse
        for column, filtered in zip(loop.B.T, loop.input_filter, strict=True):
            into = shared(column[:, None], n)
            connect(self.input, carried, transform=into, synapse=filtered)
        # each neuron takes its own dimension, and each dimension sums its own neurons
        of, entries = population.dimension, np.arange(len(population.gain))
        m, d = len(entries), population.order
        weights = population.encoders / population.radii[of]
        encode = nengo.Sparse((m, d), np.column_stack([entries, of]), weights)
        where = np.column_stack([of, entries])
        decode = nengo.Sparse((d, m), where, population.decoders)
        connect(
            self._encoded(carried, decoded), neurons, transform=encode, synapse=None
        )
        connect(neurons, decoded, transform=decode, synapse=None)
        # A' undoes what the synapse does to every mode
        around = shared(loop.A, n)
        connect(decoded, carried, transform=around, synapse=loop.synapse)

    def _encoded(self, carried: nengo.Node, decoded: nengo.Node) -> nengo.Node:
        """Add the error feedback, if any; return the node that drives the encoders."""
        feedback, connect = self.design.loop.feedback, nengo.Connection
        if feedback is None:
            return carried
        size = carried.size_out
        error = nengo.Node(size_in=size, label="decoding error")
        encoded = nengo.Node(size_in=size, label="encoded")
        connect(carried, error, synapse=None)
        connect(decoded, error, transform=-1, synapse=None)
        connect(error, encoded, transform=feedback.gain, synapse=feedback.synapse)
        connect(carried, encoded, synapse=None)
        return encoded

    def _legendre(self, carried: nengo.Node, label: str) -> nengo.Node:
        """Return the node of the Legendre coefficients of what the neurons carry."""
        if self.design.plain:
            return carried
        carried.label = f"{label} as carried"
        node = nengo.Node(size_in=carried.size_out, label=label)
        basis = shared(self.design.U, self.size_in)
        nengo.Connection(carried, node, transform=basis, synapse=None)
        return node

    @classmethod
    def from_spec(cls, spec: MemorySpec, **kwargs) -> "LegendreMemory":
        """Build the memory that a spec describes.

        Equal specs give equal spikes.  Memories of one model have spikes of their own:
        if the model already uses the spec's ``noise_seed``, another is drawn from it.

        Parameters
        ----------
        spec : MemorySpec
        **kwargs
            Arguments of the constructor that replace those of the spec.

        Returns
        -------
        LegendreMemory
            The memory, in the current network.
        """
        own = {"noise_seed": unused_seed(spec.noise_seed)}
        return cls(**(spec.arguments() | own | kwargs))

    @classmethod
    def from_design(cls, design: Design, **kwargs) -> "LegendreMemory":
        """Build the memory of a design, as `from_spec` does of its spec.

        Parameters
        ----------
        design : Design
            From `lmu_spiking.design`, or another memory's ``design``.
        **kwargs
            ``noise_seed``, ``label``, ``seed`` and ``add_to_container``.

        Returns
        -------
        LegendreMemory
            The memory, in the current network.
        """
        ldn, spec = design.ldn, design.spec
        own = {"dt": design.dt, "size_in": design.size_in, "assembly": design}
        if spec is not None:
            own["noise_seed"] = unused_seed(spec.noise_seed)
            own["tuning_seed"] = spec.tuning_seed
        n_neurons = design.population.n_neurons
        return cls(n_neurons, ldn.order, ldn.theta, **(own | kwargs))

    def add_output(
        self,
        *,
        delay=None,
        weights=None,
        function: Callable | None = None,
        synapse=None,
        n_neurons: int | None = None,
        signal=None,
        label: str | None = None,
        progress_bar=True,
    ) -> nengo.Node:
        """Add a readout of the window: delays, weighted sums, or any function.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds, ``dt`` to ``theta``.  Alone: one output for each delay, in the
            order given, input by input.  With weights or a function: the points of the
            window that these are applied to.
        weights : (n,) or (k, n) array_like, optional
            One for each point of the window, newest first; the output is the weighted
            sum of each input, exactly, without neurons.  The points are the delays
            ``numpy.linspace(dt, theta, n)`` unless ``delay`` names others; with
            ``n = theta / dt`` that is each sample once.
        function : callable, optional
            Any function of the window ``w`` (n,), newest sample first (and input by
            input), returning a number or a vector; at 100 delays unless ``delay`` names
            others.  Linear functions (`networks.function.linear_parts` finds them) are
            read from the state; others are computed by an ensemble over it.
        synapse : float or nengo.synapses.LinearFilter, optional
            Read from the spikes through a synapse of its own; it adds no delay.
            By default linear readouts use ``.state``, and ensembles use 20 ms.
        n_neurons : int, optional
            Neurons of the function's ensemble, 2,000 by default.  If it is given, an
            ensemble is built for a linear function as well.
        signal : (T,) array_like or Signal, optional
            Input to be expected, which the function's ensemble is tuned to.
        label : str, optional
            Label of the node.
        progress_bar : bool or nengo.utils.progress.ProgressBar
            Shown if solving for a function takes more than a second.

        Returns
        -------
        nengo.Node
            Probe it with ``synapse=None``; its error is in `predict`.
        """
        read = (delay, synapse)
        if function is not None and weights is not None:
            problem = "is given together with a function"
            remedy = "give one of them, or add two outputs"
            raise ValidationError("add_output.weights", weights, problem, remedy)
        if function is not None:
            more = (n_neurons, signal, label, progress_bar)
            node, solved = readout.add_function(self, function, *read, *more)
        elif n_neurons is not None or signal is not None:
            problem = "takes no n_neurons or signal, which serve functions of "
            raise ValidationError("add_output.function", None, problem + "the window")
        elif weights is not None:
            node, solved = readout.add_weights(self, weights, *read, label)
        else:
            return readout.add_delay(self, *read, label)
        self.functions[node] = solved
        return node

    def predict(self, signal=None, output: nengo.Node | None = None):
        """Predict the errors on a signal, before the run.

        Parameters
        ----------
        signal : (T,) array_like, optional
            Samples of the input; white noise of 2 Hz and rms .5 by default.
        output : nengo.Node, optional
            A function or weighted sum of the window that `add_output` returned.

        Returns
        -------
        ErrorBudget or, for an output, FunctionBudget
            The errors, by their source.
        """
        budget = predict(self, signal)
        if output is None:
            return budget
        if output not in self.functions:
            problem = "is not a function added to this memory"
            remedy = "delays are in predict().readout_rmse(delay)"
            raise ValidationError(
                "LegendreMemory.predict.output", output, problem, remedy
            )
        return predict_function(self, self.functions[output], budget)


def _configured(neuron_type):
    """Return the neuron type asked for, or set in ``nengo.Config``, or Poisson."""
    if neuron_type is not None:
        return neuron_type
    chosen = nengo.Config.default(nengo.Ensemble, "neuron_type")
    return "poisson" if chosen is nengo.Ensemble.neuron_type.default else chosen


def _fitted(design: Design, order: int, theta: float, dt: float, size_in) -> Design:
    """Return a design for ``size_in`` inputs, or refuse one of another memory."""
    size_in = check_whole("LegendreMemory.size_in", size_in, 1)
    own = (design.ldn.order, design.ldn.theta, design.dt)
    if not np.allclose(own, (order, theta, dt), rtol=1e-9, atol=0):
        problem = f"is of order {own[0]}, theta {own[1]:g} s and dt {own[2]:g} s"
        remedy = "use LegendreMemory.from_design"
        raise ValidationError("LegendreMemory.assembly", design, problem, remedy)
    if size_in % design.size_in:
        problem = f"has {design.size_in} inputs, which do not divide {size_in}"
        raise ValidationError("LegendreMemory.assembly", design, problem)
    return design.tiled(size_in // design.size_in)
