r"""Energy of a run on a chip: an estimate from published figures.

With ``N_k`` operations of kind ``k`` in a run, at ``e_k`` joules each, ``c`` chips that
draw ``P`` watts at rest, and a run of ``T`` seconds,

.. math::

    E_{\text{dynamic}} = \sum_k N_k e_k, \qquad E_{\text{static}} = c P T .

None of it is measured.  The figures of Loihi come from simulations of its circuits
before there was silicon, and that of a synaptic operation is the least: the Loihi
model of the simulator SANA-FE (arch/loihi.yaml) takes 35.5 pJ for ours of 23.6, from
the same source.  The host, its
link to the chip, the chip's x86 cores, learning and the synchronisation of cores are
left out.  Static power is named apart, because it is many times the rest in a network
of a few cores, and belongs to the chip and not to the network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_whole,
)
from lmu_spiking.loihi.chip.limits import CORES_PER_CHIP
from lmu_spiking.loihi.run.counts import Counts


@dataclass(frozen=True)
class Figure:
    """One published figure of a device.

    Parameters
    ----------
    value : float
    unit : str
        ``"J"`` for each operation, or ``"W"`` for each chip.
    source : str
        The citation.
    """

    value: float
    unit: str
    source: str


DAVIES = (
    "Davies et al. 2018, Loihi: A neuromorphic manycore processor with on-chip "
    "learning, IEEE Micro 38(1):82-99, Table 2 (pre-silicon SDF and SPICE simulation, "
    "0.75 V)"
)
FRADY = (
    "derived from measurements of a 32-chip board in Frady et al. 2020, Neuromorphic "
    "nearest-neighbor search using Intel's Pohoiki Springs, NICE, arXiv:2004.12691"
)
DEGNAN = (
    "Degnan, Marr and Hasler 2016, IEEE Trans. VLSI Systems 24(1):58-66, one "
    "multiplication and addition, as in keras-spiking's ModelEnergy"
)
HOEPPNER = (
    "Höppner et al. 2019, IEEE Trans. Circuits and Systems I 66(8):2973-2986, "
    "arXiv:1903.08941, as in keras-spiking's ModelEnergy"
)

TITAN = f"{DEGNAN} (Nvidia GTX Titan Black, full)"
LOIHI_THERE = f"{DAVIES}, 23.6 + 3.5 pJ in keras-spiking"

#: What a run does, by name; each is counted by `operations`.
LOIHI: Mapping[str, Figure] = MappingProxyType(
    {
        "synaptic operation": Figure(23.6e-12, "J", f"{DAVIES}; the least"),
        "update": Figure(81e-12, "J", f"{DAVIES}; active"),
        "idle update": Figure(52e-12, "J", f"{DAVIES}; inactive"),
        "message": Figure(1.7e-12, "J", f"{DAVIES}; within a tile"),
        "hop east-west": Figure(3.0e-12, "J", DAVIES),
        "hop north-south": Figure(4.0e-12, "J", DAVIES),
        "static power": Figure(0.104, "W", FRADY),
    }
)


def _keras_spiking(synop: float, update: float, source: str, spiking: bool):
    """Return both figures of a device of keras-spiking, which counts by them alone."""
    name = "synaptic operation" if spiking else "synapse in every step"
    figures = {name: Figure(synop, "J", source), "update": Figure(update, "J", source)}
    return MappingProxyType(figures)


#: The devices of keras-spiking 0.3, for comparison.  Processors without spikes compute
#: every synapse in every step there, as they would for a network of rates laid out like
#: that on the chip; one with its weights in factors would cost them less.
KERAS_SPIKING: Mapping[str, Mapping[str, Figure]] = MappingProxyType(
    {
        "cpu": _keras_spiking(8.6e-9, 8.6e-9, f"{DEGNAN} (Intel i7-4960X)", False),
        "gpu": _keras_spiking(0.3e-9, 0.3e-9, TITAN, False),
        "arm": _keras_spiking(0.9e-9, 0.9e-9, f"{DEGNAN} (ARM Cortex-A)", False),
        "loihi": _keras_spiking(27.1e-12, 81e-12, LOIHI_THERE, True),
        "spinnaker": _keras_spiking(13.3e-9, 26e-9, HOEPPNER, True),
        "spinnaker2": _keras_spiking(450e-12, 2.19e-9, HOEPPNER, True),
    }
)


@dataclass(frozen=True)
class Part:
    """One kind of operation.

    Parameters
    ----------
    name : str
    operations : float
        In the run.
    figure : Figure
        Joules of one.
    """

    name: str
    operations: float
    figure: Figure

    @property
    def joules(self) -> float:
        """Return the estimated joules of the run."""
        return self.operations * self.figure.value


@dataclass(frozen=True)
class Energy:
    """Estimated cost of a run.

    Parameters
    ----------
    seconds : float
        Of network time.
    steps : int
    parts : tuple of Part
        Dynamic energy by kind of operation.
    idle : float
        Dynamic joules if all updates were of idle neurons: the lower end.
    static_watts : float or None
        Of all chips; None where the device has no figure.
    chips : int
    static_source : str
        The citation of ``static_watts``.
    seconds_per_inference : float or None
    """

    seconds: float
    steps: int
    parts: tuple[Part, ...]
    idle: float
    static_watts: float | None
    chips: int
    static_source: str
    seconds_per_inference: float | None = None

    @property
    def dynamic(self) -> float:
        """Return estimated joules of the run, with every update an active one."""
        return sum(part.joules for part in self.parts)

    @property
    def dynamic_watts(self) -> float:
        """Return estimated joules a second."""
        return self.dynamic / self.seconds

    @property
    def dynamic_per_step(self) -> float:
        """Return estimated joules a step."""
        return self.dynamic / self.steps

    @property
    def dynamic_per_inference(self) -> float | None:
        """Return estimated joules, if `seconds_per_inference` is known."""
        return self._of_inference(self.dynamic_watts)

    @property
    def static(self) -> float | None:
        """Return estimated joules of the run that the chips draw at rest."""
        return None if self.static_watts is None else self.static_watts * self.seconds

    @property
    def static_per_inference(self) -> float | None:
        """Return estimated joules at rest, if `seconds_per_inference` is known."""
        return self._of_inference(self.static_watts)

    def rows(self) -> list[dict]:
        """Return the rows of a table: each part, their sum, and the static power.

        Returns
        -------
        list[dict]
            One a row.
        """
        rows = [
            self._row(part.name, part.operations, part.joules, part.figure.source)
            for part in self.parts
        ]
        idle = "the sum, with every update idle"
        rows.append(self._row("dynamic", None, self.dynamic, "the sum"))
        rows.append(self._row("dynamic, all idle", None, self.idle, idle))
        if self.static is not None:
            source = f"{self.chips} x {self.static_source}"
            rows.append(self._row("static", None, self.static, source))
        return rows

    def _row(self, name, operations, joules, source) -> dict:
        """Return one row of the table."""
        watts = joules / self.seconds
        return {
            "part": name,
            "operations": operations,
            "estimated_J": joules,
            "estimated_W": watts,
            "estimated_J_per_step": joules / self.steps,
            "estimated_J_per_inference": self._of_inference(watts),
            "source": source,
        }

    def _of_inference(self, watts: float | None) -> float | None:
        """Return the joules of one inference, if its time is known."""
        if watts is None or self.seconds_per_inference is None:
            return None
        return watts * self.seconds_per_inference


def operations(counts: Any, hops: tuple[float, float] = (1.0, 1.0)) -> dict:
    """Return how often a run did what a device may have a figure for.

    Parameters
    ----------
    counts : Counts
    hops : tuple of float
        Tiles that a message crosses, east to west and north to south.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ValidationError
        If the run was on core or on a board, where operations are not counted.
    """
    if counts is None or counts.blocks is None:
        problem = "hold spikes alone or nothing, as those of core and of a board do"
        remedy = "run on simreal or the emulator"
        raise ValidationError("estimate.counts", counts, problem, remedy)
    return {
        "synaptic operation": counts.synops,
        "synapse in every step": counts.synapses * counts.steps,
        "update": counts.updates,
        "message": counts.messages,
        "hop east-west": counts.messages * hops[0],
        "hop north-south": counts.messages * hops[1],
    }


def estimate(
    counts: Counts,
    seconds: float,
    *,
    device: Mapping[str, Figure] = LOIHI,
    seconds_per_inference: float | None = None,
    chips: int | None = None,
    hops: tuple[float, float] = (1.0, 1.0),
) -> Energy:
    """Estimate the energy of a run.

    Parameters
    ----------
    counts : Counts
        Of simreal or the emulator.
    seconds : float
        Of network time.
    device : mapping of str to Figure
        `LOIHI`, one of `KERAS_SPIKING`, or your own with names out of `LOIHI` and
        ``"synapse in every step"``; each figure with its citation.
    seconds_per_inference : float, optional
    chips : int, optional
        As many as the cores need by default, 128 on each.
    hops : tuple of float
        Mean tiles that a message crosses, east to west and north to south.  Where
        blocks come to lie is not known before the board; a hop costs less than a fifth
        of a synaptic operation, and a message causes up to one for each neuron of the
        core that it reaches.

    Returns
    -------
    Energy
        Estimated, by kind of operation.

    Raises
    ------
    ValidationError
        If a figure is of nothing that is counted, or operations were not counted.
    """
    seconds = check_positive("estimate.seconds", seconds, "seconds")
    if seconds_per_inference is not None:
        name = "estimate.seconds_per_inference"
        check_positive(name, seconds_per_inference, "seconds")
    done = operations(counts, hops)
    if chips is None:
        chips = max(1, math.ceil(len(counts.blocks or ()) / CORES_PER_CHIP))
    check_whole("estimate.chips", chips, 1)
    _check_device(device, done)
    parts = [Part(name, done[name], device[name]) for name in done if name in device]
    total = sum(part.joules for part in parts)
    # the lower end, with all updates idle, and the power at rest
    active = device.get("update")
    idle, rest = device.get("idle update", active), device.get("static power")
    saved = 0.0
    if active and idle:
        saved = done["update"] * (active.value - idle.value)
    static = rest and chips * rest.value, chips, rest.source if rest else ""
    dynamic = seconds, counts.steps, tuple(parts), total - saved
    return Energy(*dynamic, *static, seconds_per_inference)


def compare(
    counts: Counts,
    seconds: float,
    devices: Mapping[str, Mapping[str, Figure]] = KERAS_SPIKING,
) -> list[dict]:
    """Return the estimated dynamic power of one run on several devices.

    Parameters
    ----------
    counts : Counts
        Of simreal or the emulator.
    seconds : float
        Of network time.
    devices : mapping of str to mapping
        As of `estimate`.

    Returns
    -------
    list of dict
        Rows of a table.
    """
    rows = []
    for name, device in devices.items():
        energy = estimate(counts, seconds, device=device)
        sources = dict.fromkeys(part.figure.source for part in energy.parts)
        row = {"device": name, "estimated_W": energy.dynamic_watts}
        row["estimated_J_per_step"] = energy.dynamic_per_step
        rows.append(row | {"source": "; ".join(sources)})
    return rows


def _check_device(device: Mapping[str, Figure], done: Mapping) -> None:
    """Raise a ValidationError for figures without a meaning, unit or source."""
    units = {name: "J" for name in (*done, "idle update")} | {"static power": "W"}
    for name, figure in device.items():
        check_one_of("estimate.device", name, units, "is nothing that is counted")
        where = f"estimate.device[{name!r}]"
        if figure.unit != units[name]:
            problem = f"must be {units[name]!r}"
            raise ValidationError(f"{where}.unit", figure.unit, problem)
        if not figure.source:
            problem = "must cite where the figure comes from"
            raise ValidationError(f"{where}.source", figure.source, problem)
