"""Cells in series with a readout: a whole model as a network."""

from typing import Any

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_positive, check_whole
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.networks.blockwise import AsBuilt, place, shared
from lmu_spiking.networks.cell import LMUCell


class LMUNetwork(AsBuilt, nengo.Network):
    """A network of the cells that `LMUParams` describe, rate-based or spiking.

    Sample ``t`` is presented from step ``t p`` on, ``p`` steps to a presentation; its
    output is there from step ``read_step(t)`` on, for one presentation, because each
    cell takes one presentation until its state is settled.

    Parameters
    ----------
    params : LMUParams
    n_neurons : sequence of int, optional
        Of the memory of each cell, in one copy.
    hidden : sequence of Hidden, optional
        Of each cell.
    memory : sequence of dict, optional
        Of each cell, as in `LMUCell`.
    presentation, dt, neuron_type, copies, averaging
        As in `LMUCell`.
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        ``copies * size_in``, copy by copy.
    cells : list of LMUCell
    output : nengo.Node
        ``y``, ``copies * size_out``, decoded from the spikes of one step.
    parameters : dict of str to nengo.Connection
        The connection of each parameter array, ``cell0.e_x`` to ``readout.c``.
    """

    def __init__(
        self,
        params: LMUParams,
        n_neurons=None,
        *,
        hidden=None,
        memory=None,
        presentation: float | None = None,
        dt: float | None = None,
        neuron_type: str = "rate",
        copies: int = 1,
        averaging: float | None = None,
        label: str | None = None,
        seed: int | None = None,
        add_to_container: bool | None = None,
    ):
        super().__init__(label=label, seed=seed, add_to_container=False)
        dt = params.dt if dt is None else check_positive("LMUNetwork.dt", dt, "seconds")
        copies = check_whole("LMUNetwork.copies", copies, 1)
        common: dict[str, Any] = {"sample_dt": params.dt, "presentation": presentation}
        common |= {"dt": dt, "neuron_type": neuron_type, "copies": copies}
        common |= {"averaging": averaging}
        n = len(params.cells)
        each = zip(
            params.cells,
            _one_each("n_neurons", n_neurons, n),
            _one_each("hidden", hidden, n),
            _one_each("memory", memory, n),
            strict=True,
        )
        self.params, self.copies, self.dt = params, copies, float(dt)
        self.parameters: dict[str, nengo.Connection] = {}
        self.cells: list[LMUCell] = []
        with self:
            self.input = nengo.Node(size_in=copies * params.size_in, label="input")
            before = self.input
            for i, (cell, m, units, options) in enumerate(each):
                made = LMUCell(
                    cell,
                    m,
                    hidden=units,
                    memory=options,
                    late=i,
                    label=f"cell{i}",
                    **common,
                )
                nengo.Connection(before, made.input, synapse=None)
                self.cells.append(made)
                for name, connection in made.parameters.items():
                    self.parameters[f"cell{i}.{name}"] = connection
                before = made.hidden
            self.steps = self.cells[0].steps
            self._read_out()
        self.built()
        place(self, add_to_container)  # whole or not at all

    def __repr__(self) -> str:
        label = "" if self.label is None else f' "{self.label}"'
        cells = ", ".join(repr(cell) for cell in self.cells)
        return f"<LMUNetwork{label}: {cells}, {self.params.size_out} outputs>"

    __str__ = __repr__

    def _read_out(self) -> None:
        size_out = self.params.size_out
        self.output = nengo.Node(size_in=self.copies * size_out, label="output")
        bias = np.tile(self.params.c, self.copies)[:, None]
        self.parameters["readout.D"] = nengo.Connection(
            self.cells[-1].hidden,
            self.output,
            transform=shared(self.params.D, self.copies),
            synapse=None,
        )
        self.parameters["readout.c"] = nengo.Connection(
            nengo.Node([1.0], label="one"), self.output, transform=bias, synapse=None
        )

    def read_step(self, t: int) -> int:
        """Return the first of the ``p`` steps that have the output of sample ``t``."""
        return (t + len(self.cells)) * self.steps


def _one_each(name: str, given, n: int) -> list:
    """One for each cell; one alone for all; None where none is given."""
    if given is None or not isinstance(given, (list, tuple)):
        return [given] * n
    if len(given) != n:
        raise ValidationError(
            f"LMUNetwork.{name}", len(given), f"must be one for each of {n} cells"
        )
    return list(given)
