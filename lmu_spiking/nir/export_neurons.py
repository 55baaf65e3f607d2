"""Neurons of our networks as nodes of NIR, and what NIR cannot say of them.

They stand apart from `nir.export`, which uses them, because together they are too long
to be read at once.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError
from lmu_spiking.neurons.curves import is_rectified_linear, statistics
from lmu_spiking.neurons.population import spaced
from lmu_spiking.neurons.types import Accumulator
from lmu_spiking.nir.clock import Clock, package
from lmu_spiking.nir.neurons import KINDS
from lmu_spiking.nir.tonic_neurons import tonic_population

LARGEST = 50_000_000  # entries of one matrix, 400 MB
SLOW_MEMBRANE = 1e3  # seconds, of a membrane that leaks nothing: CubaLIF as IF

SAYS_NOT = (
    "the step dt: how a leak is discretised and how long a spike lasts are the "
    "simulator's own (see steps)",
    "the step of delay in a loop: the decoded spikes of one step reach the state in "
    "the next, and so does the error that is fed back",
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


@dataclass(frozen=True, eq=False)
class Cells:
    """Neurons with their encoders and decoders: ``J = E x + b``, ``x = D r``.

    Parameters
    ----------
    kind : str
        ``"if"``, ``"lif"``, ``"prompt-lif"``, ``"rate"`` or ``"rate-lif"``.
    E : (m, size) ndarray
    b : (m,) ndarray
    D : (size, m) ndarray
    tau_rc, tau_ref : float
        Seconds, of LIF neurons.
    seed : int or None
        Seed of their initial voltages.
    min_voltage : float
        Floor of their voltages: 0, or less for LIF neurons; ``-inf`` for none.
    voltage : (m,) ndarray or None
        Where staggered neurons begin, in thresholds.
    """

    kind: str
    E: np.ndarray
    b: np.ndarray
    D: np.ndarray
    tau_rc: float = 0.0
    tau_ref: float = 0.0
    seed: int | None = None
    min_voltage: float = 0.0
    voltage: np.ndarray | None = None

    __repr__ = brief

    @property
    def leaky(self) -> bool:
        """Return whether they are LIF."""
        return self.kind.endswith("lif")


def memory_cells(memory, choice: str | None) -> Cells:
    """Return the neurons of a `LegendreMemory`, one by one.

    Parameters
    ----------
    memory : LegendreMemory
    choice : {"if", "tonic"}, optional
        Neurons in place of its own.

    Returns
    -------
    Cells
        Neurons with encoders and decoders of the state.

    Raises
    ------
    ValidationError
        If NIR cannot say these neurons, or there are too many.
    """
    own, tonic = memory.population, choice == "tonic"
    check_size(own.n_neurons, own.order)
    p = tonic_population(memory) if tonic else own
    kind = kind_of(p.neurons, None if tonic else choice, p.ceiling)
    as_own = kind == KINDS.get(type(own.neurons)) and not tonic
    p = p.one_by_one()
    neurons, m, of = p.neurons, len(p.gain), p.dimension
    _warn(kind, neurons, p.gain, p.bias)
    # one encoder and one decoder for each neuron
    E, D = np.zeros((m, p.order)), np.zeros((p.order, m))
    E[np.arange(m), of] = p.gain * p.encoders / p.radii[of]
    D[of, np.arange(m)] = p.decoders
    taus = getattr(neurons, "tau_rc", 0.0), getattr(neurons, "tau_ref", 0.0)
    floor = float(getattr(neurons, "min_voltage", 0.0))
    seed = memory.noise_seed if as_own else None
    # spikes of `regular` neurons, too, are those of neurons that integrate
    staggered = kind == "if" and not tonic and p.initial_phases == "staggered"
    begin = p.voltage if staggered else None
    return Cells(kind, E, p.bias, D, *taus, seed, floor, begin)


def unit_cells(cell, choice: str | None) -> Cells | None:
    """Return the neurons of a cell's hidden units.

    Parameters
    ----------
    cell : LMUCell
    choice : str, optional
        Where given, rate neurons integrate and fire.

    Returns
    -------
    Cells or None
        None where units are linear and rate-based.

    Raises
    ------
    ValidationError
        If NIR cannot say these neurons, or there are too many.
    """
    if cell.units is None:
        return None
    ensemble, neurons = cell.units, cell.units.neuron_type
    if not isinstance(getattr(neurons, "base_type", neurons), nengo.RectifiedLinear):
        problem = "units have rates that NIR cannot say"
        remedy = "train with activation='relu' or 'linear'"
        activation = cell.params.activation
        raise ValidationError("to_nir.activation", activation, problem, remedy)
    begin = _voltage(neurons)
    counts = int(getattr(neurons, "counts", 1))
    if isinstance(neurons, Accumulator):  # of neurons that integrate and fire
        neurons = nengo.SpikingRectifiedLinear()
    kind = kind_of(neurons, "if" if choice else None)
    # weights into the neurons (n, units), and from them (units, n)
    E = D = np.empty((0, 0))
    for connection in cell.connections:
        if connection.post_obj == ensemble.neurons:
            E = _matrix_of(connection)
        if connection.pre_obj == ensemble.neurons:
            D = _matrix_of(connection)
    of = np.repeat(np.arange(ensemble.n_neurons), counts)
    check_size(len(of), max(E.shape))
    gain, bias = np.asarray(ensemble.gain)[of], np.asarray(ensemble.bias)[of]
    # staggered neurons, which share an accumulator, divide its rate
    if begin is not None and counts > 1:
        gain, begin = gain / counts, np.tile(spaced(counts), len(begin))
    _warn(kind, neurons, gain, bias, units=True)
    seed = ensemble.seed if kind == KINDS.get(type(neurons)) else None
    return Cells(kind, gain[:, None] * E[of], bias, D[:, of], seed=seed, voltage=begin)


def _matrix_of(connection) -> np.ndarray:
    """Return the dense matrix of a connection."""
    if isinstance(connection.transform, nengo.transforms.NoTransform):
        return np.eye(connection.size_out)
    sampled: Any = connection.transform.sample()
    dense = sampled.toarray() if hasattr(sampled, "toarray") else sampled
    dense = np.asarray(dense, dtype=float)
    return dense if dense.ndim == 2 else np.eye(connection.size_out) * dense


def check_size(n: int, size: int) -> None:
    """Raise a ValidationError where a matrix of all neurons would be too large.

    Parameters
    ----------
    n, size : int
        Numbers of neurons, and of values that they represent.
    """
    if n * size > LARGEST:
        problem = f"makes matrices of {n} by {size}, and NIR has no sparse ones"
        remedy = f"use at most {LARGEST // size} neurons"
        raise ValidationError("to_nir.n_neurons", n, problem, remedy)


def kind_of(neurons, choice: str | None, ceiling=np.inf) -> str:
    """Return what NIR calls neurons.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    choice : {"if"}, optional
        Neurons of the same rates that integrate and fire.
    ceiling : float or (n,) ndarray
        Highest rate, Hz.

    Returns
    -------
    str
        A value of `KINDS`.

    Raises
    ------
    ValidationError
        If NIR cannot say them.
    """
    attribute, name = "to_nir.neurons", type(neurons).__name__
    own, rectified = KINDS.get(type(neurons)), is_rectified_linear(neurons)
    others = "neurons='tonic', which draws others"
    if choice == "if":
        if not rectified:
            problem = f"has not the rates of {name}"
            raise ValidationError(attribute, "if", problem, f"use {others}")
        own = "if"
    if own is None and hasattr(neurons, "base_type"):
        problem = "spikes cannot be said in NIR, whose neurons integrate and fire"
        remedy = "'tonic' (or 'if')" if rectified else "'tonic'"
        remedy = f"use neurons={remedy}: the mean stays the same; lost is the spikes' "
        remedy += "noise, and with it the error that predict() states"
        raise ValidationError(attribute, statistics(neurons), problem, remedy)
    if own is None:
        remedy = f"use neuron types rate, if or lif, or {others}"
        raise ValidationError(attribute, name, "cannot be said in NIR", remedy)
    begins = type(neurons) in KINDS and neurons.initial_state
    if begins and (own != "if" or _voltage(neurons) is None):
        problem = "has initial voltages of its own (initial_state), not said in NIR"
        raise ValidationError(attribute, name, problem, "leave initial_state out")
    if np.isfinite(ceiling).any():
        problem = "neurons have a highest rate, which NIR cannot say"
        remedy = "use neurons='tonic', or tuning='pairs' or 'balanced'"
        raise ValidationError("to_nir.tuning", "recruited", problem, remedy)
    return own


def _voltage(neurons) -> np.ndarray | None:
    """Return the voltages (n,) that neurons begin at; None if they are drawn."""
    begin = (neurons.initial_state or {}).get("voltage")
    return begin if isinstance(begin, np.ndarray) else None


def _warn(kind: str, neurons, gain, bias, units: bool = False) -> None:
    """Warn, once, of what another simulator will do otherwise.

    ``J = gain x + bias`` at ``-1 <= x <= 1``; hidden units must fall silent.
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
        what = "only here silent hidden units do not integrate currents below 0"
        lost.append(f"a floor: {what}")
    elif silent and floor > -np.inf:
        here = "these currents are not integrated"
        if kind.endswith("lif"):
            here = f"their voltages stop at {floor:g}"
        lost.append(
            f"a floor: {silent} of {len(gain)} neurons are driven below 0 within "
            f"their radius, and only here {here} (neurons='tonic' needs none)"
        )
    if lost:
        text = f"to_nir: NIR cannot say {'; '.join(lost)}"
        warnings.warn(text, UserWarning, stacklevel=6)


def linear(weight, **metadata):
    """Return the node of a matrix, and what else should be known of it.

    Parameters
    ----------
    weight : (m, n) array_like
    **metadata
        By name.

    Returns
    -------
    nir.Linear
        The node.
    """
    return package().Linear(weight=np.array(weight, dtype=float), metadata=metadata)


def affine(weight, bias=None):
    """Return the node of a matrix and a bias, if any.

    Parameters
    ----------
    weight : (m, n) array_like
    bias : (m,) array_like, optional

    Returns
    -------
    nir.Affine or nir.Linear
        The node.
    """
    if bias is None:
        return linear(weight)
    weight, bias = np.array(weight, dtype=float), np.array(bias, dtype=float)
    return package().Affine(weight=weight, bias=bias)


def neuron_nodes(cells: Cells, clock: Clock, synapse: float | None = None) -> tuple:
    """Return the nodes of encoders, neurons and decoders.

    Parameters
    ----------
    cells : Cells
    clock : Clock
    synapse : float, optional
        Seconds; with it the neurons filter their currents themselves (CubaLIF).

    Returns
    -------
    encode : nir.Affine
        Matrix and bias into the neurons.
    neurons : nir.IF, nir.LIF or nir.CubaLIF
        Neurons, with metadata for our own reader.
    decode : nir.Linear
        Matrix from the spikes.
    """
    nir, unit, ones = package(), clock.unit, np.ones(len(cells.b))
    # what NIR cannot say, for our own reader
    metadata: dict[str, Any] = {"neurons": cells.kind}
    if cells.tau_ref:
        metadata["tau_ref"] = cells.tau_ref
    if cells.seed is not None:
        metadata["seed"] = cells.seed
    if cells.voltage is not None:
        metadata["voltage"] = cells.voltage
    if not cells.kind.startswith("rate"):
        metadata["min_voltage"] = cells.min_voltage
    tau = clock.to_graph(cells.tau_rc) if cells.leaky else SLOW_MEMBRANE
    rest = {"v_threshold": ones, "v_reset": 0 * ones, "metadata": metadata}
    leak = {"v_leak": 0 * ones}
    # the neurons, in whose unit the encoders are scaled
    if synapse is not None:
        gain, slow = clock.decay(synapse), clock.to_graph(synapse) * ones
        scale = gain * (unit / tau if cells.leaky else unit)
        rest |= {"tau_mem": tau * ones, "r": tau / unit * ones, "w_in": ones / gain}
        node = nir.CubaLIF(tau_syn=slow, **leak, **rest)
    elif cells.leaky:
        scale, node = 1.0, nir.LIF(tau=tau * ones, r=ones, **leak, **rest)
    else:
        scale, node = unit, nir.IF(r=ones / unit, **rest)
    encode = affine(scale * cells.E, scale * cells.b)
    return encode, node, linear(cells.D / unit)
