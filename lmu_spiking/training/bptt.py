r"""Gradients of any LMU by backpropagation through time, in NengoDL.

It stands apart from `training.loop`, which chooses it, because it alone needs
NengoDL.

The network is the one that is converted to spikes, in its rate life.

A rectifier pair decodes ``x = max(0, x) - max(0, -x)``.  TensorFlow differentiates a
rectifier at 0 to 0, and so the pair, where a memory at rest is: no gradient would
pass. Written as ``(J + |J|) / 2`` a rectifier has the slope 1/2 at 0, and the pair
the slope 1, which it has everywhere else.

A memory is realised by a loop, whose weights change with its window:
``A' = (A - a I) / (1 - a)`` and ``B' = B / (1 - a)``, ``A`` and ``B`` barred, are exact
at every theta.  They are trained as arrays ``cell0.A`` and ``cell0.B``, and the chain
rule gives the derivative by theta.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``q`` outputs.
"""

from collections.abc import Mapping

import nengo
import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.params import CellParams, LMUParams, cell_number
from lmu_spiking.networks.cell import RATE_SYNAPSE
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons.chip import ChipRate
from lmu_spiking.training._keras import compiled, nengo_dl, tensorflow
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.evaluation import loss_of
from lmu_spiking.training.settings import TrainSettings
from lmu_spiking.training.window import step_slopes


class BPTTEngine:
    """Outputs and gradients of an LMU by backpropagation through time.

    NengoDL joins trainable arrays of equal width in one variable; here each has its own
    rows of it.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
        Without ``crop`` and any noise, which need all times at once.
    classes : int or None
        None if values are to be predicted.
    last : bool
        Whether only the last step is read.
    sequences : int
        In a training set: no batch is larger.
    """

    def __init__(
        self, params: LMUParams, settings: TrainSettings, classes, last, sequences: int
    ):
        _check_settings(settings)
        dl, tf = nengo_dl(), tensorflow()
        register()
        self.params, self.last = params, last
        self.names, self.thetas = settings.names(params), settings.thetas(params)
        self.dtype = np.dtype(settings.precision)
        self.batch = min(settings.batch, sequences)
        self.late = len(params.cells)  # steps from an input to its output, one a cell
        # build the network; keep all steps only of what is read at all steps
        with nengo.Network(seed=0) as model:
            dl.configure_settings(trainable=False, stateful=False)
            dl.configure_settings(dtype=settings.precision, keep_history=True)
            self._stimulus = nengo.Node(np.zeros(params.size_in))
            network = LMUNetwork(params, memory={"neuron_type": PairRectified()})
            nengo.Connection(self._stimulus, network.input, synapse=None)
            probe = nengo.Probe(network.output)
            model.config[probe].keep_history = not last
            if settings.rate_penalty > 0:
                for cell in network.cells:
                    nengo.Probe(cell.hidden)
            # mark what is trained
            connections = network.parameters | _loops_of(network, self.thetas)
            for connection in connections.values():
                model.config[connection].trainable = True
        self._simulator = dl.Simulator(
            model,
            dt=params.dt,
            seed=0,
            minibatch_size=self.batch,
            device=None if tf.config.list_physical_devices("GPU") else "/cpu:0",
            progress_bar=False,
        )
        # find the variable of each array, and its rows there
        graph, built = self._simulator.tensor_graph, self._simulator.model
        signals = {
            name: graph.signals[built.sig[connection]["weights"]]
            for name, connection in connections.items()
        }
        self._rows = {n: (s.key, slice(*s.slices[0])) for n, s in signals.items()}
        self._shapes = {n: s.shape for n, s in signals.items()}
        keys = [key for key, _ in self._rows.values()]
        self._variables = {key: graph.base_params[key] for key in keys}
        self._step, self._outputs = self._compiled(classes, settings.rate_penalty)

    def close(self) -> None:
        """Free the simulator."""
        self._simulator.close()

    def features(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the gradients are computed from: the inputs themselves.

        Parameters
        ----------
        x : (n, T, c) array_like

        Returns
        -------
        dict of str to ndarray
            ``x`` alone.
        """
        return {"x": np.asarray(x)}

    def gradients(self, arrays: Mapping, features: Mapping, y, weights=None, rng=None):
        """Return the loss, and its derivative by every trained array and window.

        As `ParallelEngine.gradients`, for a whole batch.

        Parameters
        ----------
        arrays, features, y, weights, rng
            As in `ParallelEngine.gradients`, for a whole batch; two are not used.

        Returns
        -------
        loss : float
            Of the batch.
        gradients : dict of str to ndarray
            Of every trained array and window.
        """
        self._assign(arrays)
        y = y if y.dtype.kind in "iu" else y.astype(self.dtype)
        loss, found = self._step(self._inputs(features["x"]), y)
        # sort the slopes of variables by arrays
        slopes = {k: g.numpy() for k, g in zip(self._variables, found, strict=True)}

        def slope(name):
            key, rows = self._rows[name]
            return slopes[key][rows].astype(float)

        loops, gradients = self._loops(arrays, slope=True), {}
        for name in self.names:
            if name in self.thetas:  # the chain rule through ``A'`` and ``B'``
                parts = (name.replace("theta", which) for which in "AB")
                by_theta = sum(np.vdot(slope(part), loops[part]) for part in parts)
                gradients[name] = np.array(by_theta)
            else:
                gradients[name] = slope(name).reshape(np.shape(arrays[name]))
        return float(loss), gradients

    def outputs(self, arrays: Mapping, features: Mapping) -> np.ndarray:
        """Return outputs (n, T, q), or (n, q) for the last step.

        Parameters
        ----------
        arrays, features
            As in `gradients`, for any number of sequences.

        Returns
        -------
        ndarray
            (n, T, q), or (n, q) for the last step.
        """
        self._assign(arrays)
        found = []
        for i in range(0, len(features["x"]), self.batch):
            some = features["x"][i : i + self.batch]
            missing = self.batch - len(some)  # to a whole batch: repeat the first one
            padded = np.concatenate([some, np.repeat(some[:1], missing, axis=0)])
            y = self._outputs(self._inputs(padded)).numpy()
            found.append(y[: len(some)])
        return np.concatenate(found)

    def _inputs(self, x: np.ndarray) -> list[np.ndarray]:
        """Return arguments of the Keras model for sequences (n, T, c): nodes' outputs.

        The sequences are followed by as many zeros as the output is late.
        """
        n, T, c = x.shape
        steps, found = T + self.late, []
        for node in self._simulator.node_inputs:
            if node is self._stimulus:
                rest = np.zeros((n, self.late, c), self.dtype)
                found.append(np.concatenate([x.astype(self.dtype), rest], axis=1))
                continue
            value = _output_of(node, steps, self.params.dt)
            found.append(np.broadcast_to(value.astype(self.dtype), (n, *value.shape)))
        return [*found, np.full((n, 1), steps, np.int32)]

    def _assign(self, arrays: Mapping) -> None:
        """Give the variables these values, and the loops those of their windows."""
        variables, arrays = self._variables, {**arrays, **self._loops(arrays)}
        values = {key: np.zeros(v.shape, self.dtype) for key, v in variables.items()}
        for name, (key, rows) in self._rows.items():
            values[key][rows] = np.reshape(arrays[name], self._shapes[name])
        for key, variable in variables.items():
            variable.assign(values[key])

    def _loops(self, arrays: Mapping, slope: bool = False) -> dict[str, np.ndarray]:
        """Return ``A'`` and ``B'`` of windows that are trained, or slopes by theta."""
        found = {}
        for name in self.thetas:
            cell, theta = self.params.cells[cell_number(name)], float(arrays[name])
            A, B = _loop(cell, theta, self.params.dt, slope)
            found |= {name.replace("theta", "A"): A, name.replace("theta", "B"): B}
        return found

    def _compiled(self, classes, penalty: float):
        """Return a step (the loss and its derivatives by variables), and outputs."""
        tf, last, late = tensorflow(), self.last, self.late
        model = self._simulator.keras_model
        variables = list(self._variables.values())

        def run(inputs, training):
            y, *activities = model(inputs, training=training)[:-1]
            return y[:, -1] if last else y[:, late:], activities

        def mean_activity(activities):
            total = 0.0
            for i, h in enumerate(activities):
                # cell ``i`` is late by ``i + 1`` steps
                steps = h[:, i + 1 : (i + 1 - late) or None]
                final = last and i == len(activities) - 1
                total += tf.reduce_mean(tf.abs(h[:, -1] if final else steps))
            return total

        @compiled
        def step(inputs, y):
            with tf.GradientTape() as tape:
                found, activities = run(inputs, True)
                loss = loss_of(classes, found, y) + penalty * mean_activity(activities)
            slopes = tape.gradient(loss, variables, unconnected_gradients="zero")
            return loss, [tf.convert_to_tensor(g) for g in slopes]

        @compiled
        def outputs(inputs):
            return run(inputs, False)[0]

        return step, outputs


def _check_settings(settings: TrainSettings) -> None:
    """Refuse settings that need all times at once."""
    problem = "needs cells without e_h and e_m, in parallel mode"
    for name in ("noise", "noise_covariance", "crop", "late", "stretch"):
        value = getattr(settings, name)
        if value is not None and np.any(value):
            raise ValidationError(
                f"TrainSettings.{name}", value, problem, "leave it out"
            )


def _output_of(node: nengo.Node, steps: int, dt: float) -> np.ndarray:
    """Return the outputs (steps, size_out) of a node without input."""
    if not callable(node.output):
        return np.tile(np.atleast_1d(node.output), (steps, 1))
    return np.array([np.atleast_1d(node.output((k + 1) * dt)) for k in range(steps)])


def _loop(cell: CellParams, theta: float, dt: float, slope: bool):
    """Return weights ``A'`` and ``B'`` of a cell's memories, or slopes by theta."""
    ldn = LDN(cell.order, theta)
    mapped = map_onto(ldn, nengo.Lowpass(RATE_SYNAPSE * dt), dt)
    A, B = mapped.A, mapped.B
    if slope:
        gain = mapped.loop.G[0] * mapped.loop.C[0]
        A, B = (each / gain for each in step_slopes(ldn, dt))
    eye = np.eye(cell.memory_d)
    return np.kron(eye, A), np.kron(eye, np.reshape(B, (-1, 1)))


def _loops_of(network: LMUNetwork, thetas) -> dict[str, nengo.Connection]:
    """Return the connections that carry ``A'`` and ``B'`` of windows, by name."""
    found = {}
    for name in thetas:
        memory = network.cells[cell_number(name)].memory
        for connection in memory.connections:
            if connection.post_obj is memory.state:
                which = "B" if connection.pre_obj is memory.input else "A"
                found[name.replace("theta", which)] = connection
    return found


# -- neurons in NengoDL, with the gradients that training wants --------------


class PairRectified(nengo.RectifiedLinear):
    """Rectified-linear rates that NengoDL gives the slope 1/2 at 0."""

    follows = True  # its drive at once, see `neurons.curves.loop_caution`


def register() -> None:
    """Tell NengoDL how to build types of ours; its own are left alone."""
    neuron_builders, tf = nengo_dl().neuron_builders, tensorflow()
    known = neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    if PairRectified in known:
        return

    class PairRectifiedBuilder(neuron_builders.TFNeuronBuilder):
        def step(self, J, dt):
            return (J + tf.abs(J)) / 2

    class ChipRateBuilder(neuron_builders.TFNeuronBuilder):
        """Units with the rates of a chip, and the gradients of `training.chip`."""

        def step(self, J, dt):
            sizes = [op.J.shape[0] for op in self.ops]  # of cells side by side
            each = zip(tf.split(J, sizes, axis=-1), self.ops, strict=True)
            return tf.concat([self.rates(op.neurons, a) for a, op in each], axis=-1)

        def rates(self, neurons: ChipRate, a):
            return neurons.chip.max_rate * curve_of(neurons.activation, neurons.chip)(a)

    known[PairRectified], known[ChipRate] = PairRectifiedBuilder, ChipRateBuilder
