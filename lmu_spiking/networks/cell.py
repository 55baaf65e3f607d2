"""The Legendre Memory Unit as a network, rate-based or spiking."""

from dataclasses import replace
from typing import Any

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_positive, check_whole
from lmu_spiking.lmu.params import CellParams
from lmu_spiking.networks.blockwise import AsBuilt, carry, unused_seed
from lmu_spiking.networks.hidden import Hidden, add_units
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.networks.sample_and_hold import hold

# Of a step: with rates any synapse gives the same states, and so short a one lets them
# follow at once.
RATE_SYNAPSE = 0.1


class LMUCell(AsBuilt, nengo.Network):
    r"""A Legendre Memory Unit: input, memory, hidden units and the paper's connections.

    ::

        input --e_x--> encoded --> memory --W_m--> drive --> units --> hidden
                          ^ ^         |              ^ ^               |
                          | +---e_m---+              | +------W_h------+
                          +-----------e_h------------|-----------------+
        input -------------------W_x-----------------+

    The same network serves three lives: with ``neuron_type="rate"`` it equals the
    equations of `lmu_spiking.lmu` to rounding; with Poisson neurons it has those
    values as its mean, up to what noise does behind the hidden nonlinearity; with
    ``"if"`` neurons it is made of what chips have.

    A sample is presented for ``presentation`` seconds.  The window is stretched with
    it, so the memory computes the same however long that is.  The state at the end of
    the presentation of sample ``t`` contains all of that sample.  A sample-and-hold
    keeps this state for the units, so their activity is ``h_t``, constant in the mean,
    throughout the following presentation.

    Parameters
    ----------
    params : CellParams
        Its parameters; `CellParams.draw` makes initial ones.
    n_neurons : int, optional
        Neurons of the memory of one copy; two a dimension by default, for rates.
    sample_dt : float
        Seconds that a sample stands for in ``params.theta``.
    presentation : float, optional
        Seconds that a sample is presented for, a whole number of ``dt``; one step by
        default.
    dt : float
        Step of the simulator, seconds.
    neuron_type : str
        Type of the neurons of memory and units: ``"rate"``, ``"poisson"``,
        ``"stochastic"``, ``"regular"`` or ``"if"``.
    hidden : Hidden, optional
        The neurons that units become.
    memory : dict, optional
        Arguments of `LegendreMemory`: ``synapse``, ``tuning``, ``max_rate``...
        If other neurons of the model already use its ``noise_seed``, or that of
        ``hidden``, another seed is drawn from it.
    copies : int
        Independent cells side by side, one for each of as many input sequences.
    averaging : float, optional
        Seconds at the end of a presentation that ``W_h`` and ``W_x`` take the mean of;
        at most the whole presentation, which is the default and the least noisy.
    late : int
        Presentations before the first sample arrives; biases begin with it.
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        ``copies * size_in``, copy by copy.
    encoded : nengo.Node
        What the memories are given, ``u``.
    memory : LegendreMemory
    state : nengo.Node
        ``m``; at probe index ``k`` that after the input at index ``k - 1``.
    hidden : nengo.Node
        Activity of the units, ``h``, decoded from the spikes of one step.  Its mean is
        constant during a presentation.
    units : nengo.Ensemble or None
        Their neurons; None for linear units in rates.
    parameters : dict of str to nengo.Connection
        The connection that carries each parameter array.

    Examples
    --------
    >>> params = CellParams.draw(1, units=20, order=6, theta=0.1, bias=True)
    >>> with nengo.Network() as model:
    ...     cell = LMUCell(params)
    >>> cell.hidden.size_out
    20
    """

    def __init__(
        self,
        params: CellParams,
        n_neurons: int | None = None,
        *,
        sample_dt: float = 0.001,
        presentation: float | None = None,
        dt: float = 0.001,
        neuron_type: str = "rate",
        hidden: Hidden | None = None,
        memory: dict[str, Any] | None = None,
        copies: int = 1,
        averaging: float | None = None,
        late: int = 0,
        label: str | None = None,
        seed: int | None = None,
        add_to_container: bool | None = None,
    ):
        # the arguments of the memory; rate-based units need no more neurons than two
        copies = check_whole("LMUCell.copies", copies, 1)
        late = check_whole("LMUCell.late", late, 0)
        self.steps = steps_of(presentation, dt)
        hidden = replace(hidden or Hidden(), neuron_type=neuron_type)
        options: dict[str, Any] = {"neuron_type": neuron_type, "dt": dt}
        least = 2 * params.memory_d * params.order
        if neuron_type == "rate":
            n_neurons = least if n_neurons is None else n_neurons
            options["synapse"] = RATE_SYNAPSE * dt
        if n_neurons is None:
            problem = f"must be given for {neuron_type} neurons"
            remedy = f"use at least {least}"
            raise ValidationError("LMUCell.n_neurons", None, problem, remedy)
        options |= memory or {}
        options["noise_seed"] = unused_seed(options.get("noise_seed"))
        if np.ndim(options.get("radii", 0)):
            options["radii"] = np.tile(options["radii"], copies)
        # the window is as long in presentations as it is in samples
        stretch = self.steps * dt / check_positive("LMUCell.sample_dt", sample_dt)
        averaging = self.steps * dt if averaging is None else averaging
        if averaging != 0:
            check_positive("LMUCell.averaging", averaging, "seconds, or 0")
        super().__init__(label=label, seed=seed, add_to_container=False)
        self.params, self.copies, self.dt = params, copies, float(dt)
        self.averaged = int(np.clip(round(averaging / dt), 1, self.steps))
        self.parameters: dict[str, nengo.Connection] = {}
        with self:
            self.input = nengo.Node(size_in=copies * params.size_in, label="input")
            k = copies * params.memory_d
            self.encoded = nengo.Node(size_in=k, label="encoded")
            sizes = (copies * n_neurons, params.order, params.theta * stretch)
            self.memory = LegendreMemory(*sizes, size_in=k, label="memory", **options)
            nengo.Connection(self.encoded, self.memory.input, synapse=None)
            hidden = replace(hidden, noise_seed=unused_seed(hidden.noise_seed))
            self.drive, self.hidden, self.units = add_units(
                hidden, params.activation, params.units, copies, params.chip
            )
            self._connect(late * self.steps)
        self.built(add_to_container)  # whole or not at all

    def __repr__(self) -> str:
        label = "" if self.label is None else f' "{self.label}"'
        copies = "" if self.copies == 1 else f"{self.copies} copies of "
        return f"<LMUCell{label}: {copies}{self.params.units} units on {self.memory!r}>"

    __str__ = __repr__

    @property
    def state(self) -> nengo.Node:
        """Return the node of the coefficients of all memories, ``m``."""
        return self.memory.state

    def _connect(self, first: int) -> None:
        """Make the paper's connections.

        The state at step ``k`` is that after the input of step ``k - 1``.  At the first
        step of a presentation it is the state after the last sample; a sample-and-hold
        keeps it.  The memory receives ``h`` and ``m`` of the last sample and averages
        them; the units receive means of ``x`` and ``h`` over the last presentation.
        """
        params, into, drive = self.params, self.encoded, self.drive
        settled = hold(self.state, self.steps)
        self._from(self.input, into, "e_x")
        self._from(self.hidden, into, "e_h")
        self._from(settled, into, "e_m")
        self._from(settled, drive, "W_m")
        self._from_last(self.input, drive, "W_x")
        self._from_last(self.hidden, drive, "W_h")
        if params.b is not None:
            self._from(one_from(first + self.steps, self.dt), drive, "b")
        if params.b_u is not None:
            self._from(one_from(first, self.dt), into, "b_u")

    def _from_last(self, source: nengo.Node, target: nengo.Node, name: str) -> None:
        """Make the connection of one array, from the mean of the last presentation."""
        if self.steps == 1:
            self._from(source, target, name, synapse=0)
        elif getattr(self.params, name) is not None:
            source = hold(source, self.steps, self.averaged, synapse=0)
            self._from(source, target, name)

    def _from(self, source, target: nengo.Node, name: str, synapse=None) -> None:
        """Make the connection of one parameter array, if the cell has it."""
        weights = getattr(self.params, name)
        if weights is not None:
            made = carry(source, target, weights, self.copies, synapse)
            self.parameters[name] = made


def one_from(step: int, dt: float) -> nengo.Node:
    """Return a node that is 0 before a step and 1 from it on, for a bias.

    Before the first sample arrives, a bias would move the cell out of rest.

    Parameters
    ----------
    step : int
    dt : float
        Seconds.

    Returns
    -------
    nengo.Node
        In the current network.
    """
    return nengo.Node(lambda t: float(round(t / dt) > step), label="one")


def steps_of(presentation: float | None, dt: float) -> int:
    """Return the steps of a presentation, or raise a ValidationError.

    Parameters
    ----------
    presentation : float or None
        Seconds; None for one step.
    dt : float
        Step, seconds.

    Returns
    -------
    int
        At least one.
    """
    check_positive("LMUCell.dt", dt, "seconds")
    if presentation is None:
        return 1
    steps = check_positive("LMUCell.presentation", presentation, "seconds") / dt
    whole = max(1, round(steps))
    if abs(steps - whole) > 1e-6 * steps:
        problem, remedy = f"must be a whole number of steps of {dt:g} s", whole * dt
        name = "LMUCell.presentation"
        raise ValidationError(name, presentation, problem, f"use {remedy:g}")
    return whole
