"""Cells in series with a readout: a whole model as a network."""

from typing import Any

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_positive, check_whole
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.networks.blockwise import AsBuilt, carry
from lmu_spiking.networks.cell import LMUCell


class LMUNetwork(AsBuilt, nengo.Network):
    """A network of the cells that `LMUParams` describe, rate-based or spiking.

    Sample ``t`` is presented from step ``t p`` on, ``p`` steps to a presentation; its
    output is there from step ``read_step(t)`` on, for one presentation, because each
    cell takes one presentation until its state is settled.  Where the parameters have a
    mean and a scale, the input is normalised in the network: at rest it is the mean.

    Parameters
    ----------
    params : LMUParams
        Its parameters.
    n_neurons : sequence of int, optional
        Neurons of the memory of each cell, in one copy.
    hidden : sequence of Hidden, optional
        The neurons that the units of each cell become.
    memory : sequence of dict, optional
        Arguments of the memory of each cell, as in `LMUCell`.
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
        common |= {"dt": dt, "neuron_type": neuron_type}
        common |= {"copies": copies, "averaging": averaging}
        # what is given for each cell, or for all alike
        given = {"n_neurons": n_neurons, "hidden": hidden, "memory": memory}
        n = len(params.cells)
        each = {name: _one_each(name, value, n) for name, value in given.items()}
        self.params, self.copies, self.dt = params, copies, float(dt)
        self.parameters: dict[str, nengo.Connection] = {}
        self.cells: list[LMUCell] = []
        with self:
            # each cell takes the activities of the one before, a presentation later
            self.input = nengo.Node(size_in=copies * params.size_in, label="input")
            before = self._normalised()
            for i, cell in enumerate(params.cells):
                own = {name: values[i] for name, values in each.items()}
                made = LMUCell(cell, late=i, label=f"cell{i}", **own, **common)
                nengo.Connection(before, made.input, synapse=None)
                self.cells.append(made)
                for name, connection in made.parameters.items():
                    self.parameters[f"cell{i}.{name}"] = connection
                before = made.hidden
            self.steps = self.cells[0].steps
            # the readout
            self.output = nengo.Node(size_in=copies * params.size_out, label="output")
            one = nengo.Node([1.0], label="one")
            for name, source in (("D", before), ("c", one)):
                made = carry(source, self.output, getattr(params, name), copies)
                self.parameters[f"readout.{name}"] = made
        self.built(add_to_container)  # whole or not at all

    def _normalised(self) -> nengo.Node:
        """Return the node of ``(x - mean) / scale``, or of the input where it is x."""
        params, copies = self.params, self.copies
        if params.mean is None or params.scale is None:
            return self.input
        node = nengo.Node(size_in=self.input.size_out, label="normalised")
        over, shift = 1 / params.scale, -params.mean / params.scale
        each = np.tile(over, copies), np.tile(shift, copies)[:, None]
        nengo.Connection(self.input, node, transform=each[0], synapse=None)
        one = nengo.Node([1.0], label="one")
        nengo.Connection(one, node, transform=each[1], synapse=None)
        return node

    def __repr__(self) -> str:
        label = "" if self.label is None else f' "{self.label}"'
        cells = ", ".join(repr(cell) for cell in self.cells)
        return f"<LMUNetwork{label}: {cells}, {self.params.size_out} outputs>"

    __str__ = __repr__

    def read_step(self, t: int) -> int:
        """Return the first of the ``p`` steps that have the output of a sample.

        Parameters
        ----------
        t : int
            The sample, from 0.

        Returns
        -------
        int
            A step from 0.
        """
        return (t + len(self.cells)) * self.steps


def _one_each(name: str, given, n: int) -> list:
    """Return one value for each cell, of a list, or of one for all."""
    if not isinstance(given, (list, tuple)):
        return [given] * n
    if len(given) != n:
        problem = f"must be one for each of {n} cells"
        raise ValidationError(f"LMUNetwork.{name}", len(given), problem)
    return list(given)
