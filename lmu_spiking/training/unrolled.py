"""An LMU in a NengoDL simulator, with its arrays by name.

NengoDL joins trainable arrays of equal width in one variable; here each has its own
rows.  Weights of the loop that realises a memory stand beside them as ``cell0.A`` and
``cell0.B`` where its window is trained.
"""

from collections.abc import Mapping

import nengo
import numpy as np

from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.rates.params import LMUParams
from lmu_spiking.training._keras import nengo_dl, tensorflow
from lmu_spiking.training.builders import PairRectified, register
from lmu_spiking.training.loops import loop_of, loops_of


class Unrolled:
    """A network of rate neurons and its simulator.

    Parameters
    ----------
    params : LMUParams
    batch : int
        Sequences that run side by side.
    moving : iterable of int
        Cells whose window may change.
    dtype : str
    history : bool
        Whether the output is kept at all steps, or at the last alone.
    activities : bool
        Whether those of the hidden units are seen, at all steps.

    Attributes
    ----------
    late : int
        Steps from an input to its output, one a cell.
    rows : dict of str to (key, slice)
        The variable of each array, and its rows there.
    """

    def __init__(self, params: LMUParams, batch, moving, dtype, history, activities):
        self.params, self.batch, self.dtype = params, batch, dtype
        self.late = len(params.cells)
        dl, tf = nengo_dl(), tensorflow()
        register()
        with nengo.Network(seed=0) as model:
            dl.configure_settings(trainable=False, stateful=False, dtype=dtype)
            dl.configure_settings(keep_history=True)
            self.stimulus = nengo.Node(np.zeros(params.size_in))
            made = LMUNetwork(params, memory={"neuron_type": PairRectified()})
            nengo.Connection(self.stimulus, made.input, synapse=None)
            probe = nengo.Probe(made.output)
            model.config[probe].keep_history = history
            if activities:
                for cell in made.cells:
                    nengo.Probe(cell.hidden)
            connections = made.parameters | loops_of(made, moving)
            for connection in connections.values():
                model.config[connection].trainable = True
        self.simulator = dl.Simulator(
            model,
            dt=params.dt,
            seed=0,
            minibatch_size=batch,
            device=None if tf.config.list_physical_devices("GPU") else "/cpu:0",
            progress_bar=False,
        )
        graph = self.simulator.tensor_graph
        signals = {
            name: graph.signals[self.simulator.model.sig[connection]["weights"]]
            for name, connection in connections.items()
        }
        self.rows = {n: (s.key, slice(*s.slices[0])) for n, s in signals.items()}
        self.shapes = {n: s.shape for n, s in signals.items()}
        self.variables = {key: graph.base_params[key] for key, _ in self.rows.values()}

    def close(self) -> None:
        """Let NengoDL free what it holds."""
        self.simulator.close()

    def inputs(self, x: np.ndarray) -> list[np.ndarray]:
        """Arguments of the Keras model for sequences (n, T, c): what nodes output.

        The sequences are followed by as many zeros as the output is late.
        """
        n, T, c = x.shape
        steps = T + self.late
        found = []
        for node in self.simulator.node_inputs:
            if node is self.stimulus:
                late = np.zeros((n, self.late, c), self.dtype)
                found.append(np.concatenate([x.astype(self.dtype), late], axis=1))
                continue
            value = _output_of(node, steps, self.params.dt)
            found.append(np.broadcast_to(value.astype(self.dtype), (n, *value.shape)))
        return [*found, np.full((n, 1), steps, np.int32)]

    def assign(self, arrays: Mapping) -> None:
        """Give the variables these values, and the loops those of their windows."""
        values = {
            key: np.zeros(v.shape, self.dtype) for key, v in self.variables.items()
        }
        for name, (key, rows) in self.rows.items():
            value = self._loop(name, arrays) if _is_loop(name) else arrays[name]
            values[key][rows] = np.reshape(value, self.shapes[name])
        for key, variable in self.variables.items():
            variable.assign(values[key])

    def by_name(self, gradients: Mapping, arrays: Mapping, names) -> dict:
        """Derivatives by array and window, from those by variable."""
        found = {}
        for name in names:
            if name.endswith(".theta"):
                found[name] = self._by_theta(name.split(".")[0], gradients, arrays)
                continue
            key, rows = self.rows[name]
            shape = np.shape(arrays[name])
            found[name] = gradients[key][rows].astype(float).reshape(shape)
        return found

    def _by_theta(self, cell: str, gradients: Mapping, arrays: Mapping) -> np.ndarray:
        """The chain rule through ``A'`` and ``B'``."""
        total = 0.0
        for name in (f"{cell}.A", f"{cell}.B"):
            key, rows = self.rows[name]
            slope = self._loop(name, arrays, slope=True)
            total += np.vdot(gradients[key][rows].astype(float), slope)
        return np.array(total)

    def _loop(self, name: str, arrays: Mapping, slope: bool = False) -> np.ndarray:
        """``A'`` or ``B'`` of a cell's memories at its window, or its slope by it."""
        cell, which = name.split(".")
        params = self.params.cells[int(cell.removeprefix("cell"))]
        theta = float(arrays[f"{cell}.theta"])
        return loop_of(params, theta, self.params.dt, slope)[which]


def _is_loop(name: str) -> bool:
    return name.endswith((".A", ".B"))


def _output_of(node: nengo.Node, steps: int, dt: float) -> np.ndarray:
    """(steps, size_out) of a node without input."""
    if not callable(node.output):
        return np.tile(np.atleast_1d(node.output), (steps, 1))
    return np.array([np.atleast_1d(node.output((k + 1) * dt)) for k in range(steps)])
