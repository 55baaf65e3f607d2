"""A trained rate model as a spiking network, without retraining."""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.conversion.settings import ConvertSettings
from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.lmu.calibration import CellUse, calibrate
from lmu_spiking.lmu.forward import checked_sequences
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.memory.basis import choose_tau
from lmu_spiking.memory.design import Design
from lmu_spiking.networks.hidden import INTEGRATING, Hidden
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons.population import radii_from

CALIBRATED_ON = 200  # sequences at most
MIXED = 0.05  # share of earlier samples in an output that needs no warning


@dataclass(frozen=True, eq=False)
class Conversion:
    """A rate model, and all that is settled about its spikes.

    Attributes
    ----------
    params : LMUParams
    settings : ConvertSettings
    uses : list of CellUse
        What the cells do on the data.
    memories : list of dict
        Arguments of each `LegendreMemory`.
    hidden : list of Hidden
    counts : list of int
        Neurons of each memory.
    """

    params: LMUParams
    settings: ConvertSettings
    uses: list[CellUse]
    memories: list[dict[str, Any]]
    hidden: list[Hidden]
    counts: list[int]

    __repr__ = brief
    _told = ("n_neurons", "counts")

    @property
    def n_neurons(self) -> int:
        """All neurons, as built."""
        units = zip(self.hidden, self.params.cells, strict=True)
        return sum(self.counts) + sum(u.per_unit * c.units for u, c in units)

    def network(self, copies: int = 1, noise_seed: int | None = None) -> LMUNetwork:
        """The spiking network, in a `nengo.Network` or on its own.

        Parameters
        ----------
        copies : int
            Networks side by side, each with neurons and spikes of its own.
        noise_seed : int, optional
            Draws the spikes; that of the settings by default.
        """
        return self._network(copies, noise_seed, self.assemblies)

    def _network(self, copies: int, noise_seed: int | None, assemblies) -> LMUNetwork:
        s = self.settings
        seed = s.noise_seed if noise_seed is None else noise_seed
        seeds = iter(draw_seeds(seed, 2 * len(self.counts)))
        memories = [
            options | {"noise_seed": next(seeds), "assembly": assembly}
            for options, assembly in zip(self.memories, assemblies, strict=True)
        ]
        hidden = [replace(h, noise_seed=next(seeds)) for h in self.hidden]
        return LMUNetwork(
            self.params,
            self.counts,
            memory=memories,
            hidden=hidden,
            presentation=s.presentation,
            dt=s.dt,
            neuron_type=s.neuron_type,
            copies=copies,
        )

    @cached_property
    def built(self) -> LMUNetwork:
        """One copy, to look at."""
        with nengo.Network(add_to_container=False):
            return self._network(1, None, [None] * len(self.counts))

    @property
    def assemblies(self) -> list[Design]:
        """Neurons and coordinates of each memory, found once."""
        return [cell.memory.assembly for cell in self.built.cells]


def convert(
    params: LMUParams, x, *, last: bool | None = None, **settings
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
    **settings
        Of `ConvertSettings`; see there.

    Returns
    -------
    Conversion

    Examples
    --------
    >>> cell = dict(units=8, order=4, theta=0.02, connections="", activation="relu")
    >>> params = LMUParams.draw(1, 2, [cell])
    >>> x = np.random.default_rng(0).standard_normal((5, 20, 1))
    >>> convert(params, x, n_neurons=2000, presentation=0.005).n_neurons
    2000
    """
    chosen = ConvertSettings(**settings)
    x = checked_sequences("convert.x", x, params.size_in)
    every = max(1, len(x) // CALIBRATED_ON)
    last = bool(params.header.get("last", False)) if last is None else last
    uses = calibrate(params, x[::every][:CALIBRATED_ON], last=last)
    _check_step(params, chosen)
    _check_readout(chosen)
    counts, per_unit = _share(params, chosen)
    memories = [_memory(params, i, uses[i], chosen, m) for i, m in enumerate(counts)]
    hidden = [
        Hidden(
            chosen.neuron_type,
            n,
            chosen.max_rate if cell.chip is None else cell.chip.max_rate,
            use.top,
            chosen.simulates_sums,
        )
        for n, use, cell in zip(per_unit, uses, params.cells, strict=True)
    ]
    return Conversion(params, chosen, uses, memories, hidden, counts)


def draw_seeds(seed: int, n: int) -> list[int]:
    """Seeds of ``n`` sources of noise, far from those of another ``seed``."""
    drawn = np.random.SeedSequence(seed).generate_state(n) >> 1
    return [int(value) for value in drawn]


def _check_step(params: LMUParams, settings: ConvertSettings) -> None:
    """Neurons that count steps must have those of their rates."""
    for cell in params.cells:
        if cell.chip is None or settings.neuron_type not in INTEGRATING:
            continue
        if not np.isclose(settings.dt, cell.chip.dt, rtol=1e-9):
            raise ValidationError(
                "convert.dt",
                settings.dt,
                f"is not the step of the chip that it was trained for, {cell.chip.dt}",
                "use that one, or neuron_type='poisson'",
            )


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


def _share(params: LMUParams, settings: ConvertSettings):
    """Neurons of each memory, and of a unit of each cell."""
    sizes = [cell.memory_d * cell.order for cell in params.cells]
    units = [cell.units for cell in params.cells]
    sides = [cell.sides for cell in params.cells]
    needed = 2 * sum(sizes) + sum(n * u for n, u in zip(sides, units, strict=True))
    if settings.n_neurons < needed:
        raise ValidationError(
            "convert.n_neurons",
            settings.n_neurons,
            f"is too few for {sum(sizes)} coefficients and {sum(units)} units",
            f"use at least {needed}, and many more for little noise",
        )
    # the memories have two a coefficient, whatever the share
    of_units = min(
        settings.n_neurons * settings.hidden_share,
        settings.n_neurons - 2 * sum(sizes),
    )
    per_unit = [max(n, int(of_units / sum(units)) // n * n) for n in sides]
    left = settings.n_neurons - sum(n * u for n, u in zip(per_unit, units, strict=True))
    counts = [left * size // sum(sizes) for size in sizes]
    counts[0] += left - sum(counts)
    return counts, per_unit


def _memory(
    params: LMUParams, i: int, use: CellUse, settings: ConvertSettings, m: int
) -> dict[str, Any]:
    """Arguments of one cell's `LegendreMemory`."""
    cell = params.cells[i]
    if not use.states.any():
        raise ValidationError(
            "convert.x",
            use.states.shape,
            f"leaves the memory of cell {i} at 0, so it shows no ranges",
            "use sequences like those to come",
        )
    options: dict[str, Any] = {
        "max_rate": settings.max_rate,
        "aggregated": settings.simulates_sums,
        "tuning": settings.tuning,
        "synapse": settings.synapse,
    }
    if settings.tuning == "pairs":
        radii = [
            radii_from(s, 0.999) if s.any() else np.ones(cell.order) for s in use.states
        ]
        options["radii"] = np.concatenate(radii)
        options["synapse"] = settings.synapse or 0.1
        return options
    options["signal"] = use.states.reshape(-1, cell.order)
    options["readouts"] = use.readouts
    if settings.synapse is None:
        stretch = settings.presentation / params.dt
        options["synapse"] = choose_tau(
            replace(cell, theta=cell.theta * stretch).ldn,
            settings.dt,
            m,
            settings.tuning,
            settings.neuron_type,
            settings.max_rate,
            options["signal"],
            cell.memory_d,
            options["readouts"],
        )
    return options
