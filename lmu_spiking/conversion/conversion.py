"""A trained rate-based model as a spiking network, without retraining."""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.conversion.settings import PREDICTABLE, ConvertSettings
from lmu_spiking.errors import ValidationError, ValidityWarning, check_shape
from lmu_spiking.lmu.calibration import CellUse, calibrate
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.memory.design import Design, assemble
from lmu_spiking.networks.hidden import INTEGRATING, Hidden
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons.population import radii_from
from lmu_spiking.tasks.sequences import check_lengths

CALIBRATED_ON = 200  # sequences at most
MIXED = 0.05  # share of earlier samples in an output that needs no warning


@dataclass(frozen=True, eq=False)
class Conversion:
    """A rate-based model, and the design of its spiking network.

    Parameters
    ----------
    params : LMUParams
    settings : ConvertSettings
    uses : list of CellUse
        The use of the cells on the data.
    memories : list of Design
        The design of each memory.
    hidden : list of Hidden
        How the units of each cell become neurons.
    counts : list of int
        Neurons of each memory.
    """

    params: LMUParams
    settings: ConvertSettings
    uses: list[CellUse]
    memories: list[Design]
    hidden: list[Hidden]
    counts: list[int]

    __repr__ = brief
    _told = ("n_neurons", "counts")

    @property
    def n_neurons(self) -> int:
        """Return the number of all neurons, as built."""
        units = zip(self.hidden, self.params.cells, strict=True)
        return sum(self.counts) + sum(u.per_unit * c.units for u, c in units)

    @property
    def assemblies(self) -> list[Design]:
        """Return the design of each memory: the attribute `memories`."""
        return self.memories

    @cached_property
    def built(self) -> LMUNetwork:
        """Return one copy of the network, to look at."""
        with nengo.Network(add_to_container=False):
            return self.network()

    def __getstate__(self) -> dict:
        """Return all but the copy of the network, which is built again when needed."""
        return {name: x for name, x in self.__dict__.items() if name != "built"}

    @property
    def predictable(self) -> bool:
        """Return whether the noise of all neurons is known.

        Neurons that integrate are known where they are staggered, which those of a chip
        are not: it sets them to 0 after a spike.
        """
        if self.settings.neuron_type in PREDICTABLE:
            return True
        of_chip = any(cell.chip is not None for cell in self.params.cells)
        return self.settings.staggered and not of_chip

    def network(self, copies: int = 1, noise_seed: int | None = None) -> LMUNetwork:
        """Build the spiking network, in a `nengo.Network` or on its own.

        Parameters
        ----------
        copies : int
            Networks side by side, each with neurons and spikes of its own.
        noise_seed : int, optional
            Draws the spikes; that of the settings by default.

        Returns
        -------
        LMUNetwork
            In the current network, if there is one.
        """
        s = self.settings
        seed = s.noise_seed if noise_seed is None else noise_seed
        seeds = iter(draw_seeds(seed, 2 * len(self.counts)))
        return LMUNetwork(
            self.params,
            self.counts,
            memory=[{"assembly": m, "noise_seed": next(seeds)} for m in self.memories],
            hidden=[replace(h, noise_seed=next(seeds)) for h in self.hidden],
            presentation=s.presentation,
            dt=s.dt,
            neuron_type=s.neuron_type,
            copies=copies,
        )


def convert(
    params: LMUParams, x, *, last: bool | None = None, lengths=None, **settings
) -> Conversion:
    """Turn trained rates into a spiking network of the same mean.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) array_like
        Sequences like those to come, from which ranges and rates are taken (up to 200);
        training data do.
    last : bool, optional
        Whether only the output at the last step counts; by default what the training
        noted down, or every step.
    lengths : (n,) array_like of int, optional
        Steps of each sequence, which is padded to ``T`` at its end; all ``T`` by
        default.
    **settings
        Of `ConvertSettings`; see there.

    Returns
    -------
    Conversion
        With the designs of all memories.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    Examples
    --------
    >>> cell = dict(units=8, order=4, theta=0.02, connections="", activation="relu")
    >>> params = LMUParams.draw(1, 2, [cell])
    >>> x = np.random.default_rng(0).standard_normal((5, 20, 1))
    >>> convert(params, x, n_neurons=2000, presentation=0.005).n_neurons
    2000
    """
    chosen = ConvertSettings(**settings)
    x = check_shape("convert.x", x, ("n", "T", params.size_in))
    # what the cells do on the data
    every = max(1, len(x) // CALIBRATED_ON)
    last = bool(params.header.get("last", False)) if last is None else last
    ends = check_lengths("convert.lengths", lengths, *x.shape[:2])
    some = ends if ends is None else ends[::every][:CALIBRATED_ON]
    uses = calibrate(params, x[::every][:CALIBRATED_ON], last=last, lengths=some)
    _check_step(params, chosen)
    _check_readout(chosen)
    # share the neurons, and design memories and units
    counts, per_unit = _share(params, chosen)
    each = enumerate(zip(uses, counts, strict=True))
    memories = [_design(params, i, use, chosen, m) for i, (use, m) in each]
    hidden = []
    for n, use, cell in zip(per_unit, uses, params.cells, strict=True):
        rate = chosen.max_rate if cell.chip is None else cell.chip.max_rate
        # a chip's neurons are not staggered, so that only noisy ones are summed
        units = Hidden(chosen.neuron_type, n, rate, use.top)
        known = cell.chip is None or chosen.neuron_type in PREDICTABLE
        sums, begin = chosen.simulates_sums and known, chosen.initial_phases
        hidden.append(replace(units, aggregated=sums, initial_phases=begin))
    return Conversion(params, chosen, uses, memories, hidden, counts)


def draw_seeds(seed: int, n: int) -> list[int]:
    """Return seeds of ``n`` sources of noise, far from those of another ``seed``.

    Parameters
    ----------
    seed : int
    n : int

    Returns
    -------
    list of int
        From 0 to 2**31 - 1.
    """
    drawn = np.random.SeedSequence(seed).generate_state(n) >> 1
    return [int(value) for value in drawn]


def _check_step(params: LMUParams, settings: ConvertSettings) -> None:
    """Refuse another step for neurons that count steps, as those of a chip do."""
    for cell in params.cells:
        if cell.chip is None or settings.neuron_type not in INTEGRATING:
            continue
        if not np.isclose(settings.dt, cell.chip.dt, rtol=1e-9):
            problem = "is not the step of the chip that it was trained for"
            remedy = f"use {cell.chip.dt}, or neuron_type='poisson'"
            raise ValidationError("convert.dt", settings.dt, problem, remedy)


def _check_readout(settings: ConvertSettings) -> None:
    """Warn if outputs are mixed with those of earlier samples."""
    if settings.kept > MIXED:
        tau, many = settings.readout_synapse, -np.log(MIXED)
        warnings.warn(
            f"convert.readout_synapse: {tau:g} s leaves {settings.kept:.0%} of earlier "
            "samples in each output, a bias that more neurons do not remove; use at "
            f"most {settings.presentation / many:.2g} s, or a presentation of "
            f"{many * tau:.2g} s",
            ValidityWarning,
            stacklevel=3,
        )


def _share(params: LMUParams, settings: ConvertSettings) -> tuple[list, list]:
    """Return neurons of each memory, and of a unit of each cell."""
    sizes = [cell.memory_d * cell.order for cell in params.cells]
    units = [cell.units for cell in params.cells]
    sides = [cell.sides for cell in params.cells]
    # two neurons for each coefficient, and one for each side of a unit, are needed
    total, d, n = settings.n_neurons, sum(sizes), sum(units)
    needed = 2 * d + int(np.dot(sides, units))
    if total < needed:
        problem = f"is too few for {d} coefficients and {n} units"
        remedy = f"use at least {needed}, and many more for little noise"
        raise ValidationError("convert.n_neurons", total, problem, remedy)
    # the memories have two a coefficient, whatever the share
    of_units = min(total * settings.hidden_share, total - 2 * d)
    per_unit = [max(s, int(of_units / n) // s * s) for s in sides]
    left = total - int(np.dot(per_unit, units))
    counts = [left * size // d for size in sizes]
    counts[0] += left - sum(counts)
    return counts, per_unit


def _design(
    params: LMUParams, i: int, use: CellUse, settings: ConvertSettings, m: int
) -> Design:
    """Design the memory of cell ``i``, of ``m`` neurons, for its use."""
    cell, s = params.cells[i], settings
    if not use.states.any():
        problem = f"leaves the memory of cell {i} at 0, so it shows no ranges"
        remedy = "use sequences like those to come"
        raise ValidationError("convert.x", use.states.shape, problem, remedy)
    states = use.states.reshape(-1, cell.order)
    fitted: dict[str, Any] = {"signal": states, "readouts": use.readouts}
    if s.tuning == "pairs":  # the coefficients themselves; 1 for memories at rest
        one = np.ones(cell.order)
        radii = [radii_from(x, 0.999) if x.any() else one for x in use.states]
        fitted = {"radii": np.concatenate(radii)}
    theta = cell.theta * (s.steps * s.dt / params.dt)  # as `LMUCell` has it
    same = ("synapse", "dt", "neuron_type", "tuning", "max_rate", "error_feedback")
    same += ("initial_phases",)
    fitted |= {"size_in": cell.memory_d, "aggregated": s.simulates_sums}
    return assemble(
        m, cell.order, theta, **fitted, **{name: getattr(s, name) for name in same}
    )
