r"""Gradients of any LMU by backpropagation through time, in NengoDL: the reference.

It stands apart from `training.loop`, which imports it when it is asked for, because it
alone needs NengoDL.

The network is the one that a conversion makes spiking, here with rate neurons.  A
program of NengoDL's own can train it as well: `nengo_dl_network` makes it of
parameters, and `read_params` reads parameters from a ``nengo_dl.Simulator`` of it.

A pair of rectifiers decodes ``x = max(0, x) - max(0, -x)``.  A memory at rest is at
``x = 0``, where TensorFlow gives a rectifier, and so the pair, the slope 0: no gradient
would pass.  Written as ``(J + |J|) / 2`` a rectifier has the slope 1/2 there, and the
pair the slope 1, which it has everywhere else.

A memory is a loop whose weights change with its window.  With ``\bar A``, ``\bar B``
for one exact step, ``A' = (\bar A - a I) / (1 - a)`` and ``B' = \bar B / (1 - a)`` are
exact at every theta.  NengoDL differentiates by these arrays (``cell0.A`` and
``cell0.B``), and the chain rule gives the derivative by the logarithm of theta.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``q`` outputs.
"""

from collections.abc import Mapping
from types import SimpleNamespace

import nengo
import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.lmu.params import CellParams, LMUParams, cell_number
from lmu_spiking.networks.cell import RATE_SYNAPSE
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons.chip import ChipRate
from lmu_spiking.training._keras import compiled, nengo_dl, tensorflow
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.settings import TrainSettings, check_without
from lmu_spiking.training.window import step_tables


def nengo_dl_network(params: LMUParams) -> LMUNetwork:
    """Return the rate network of parameters, for ``nengo_dl.Simulator``.

    Its attribute ``parameters`` has the connections that carry the arrays.  Those that
    are to be trained are marked by NengoDL's setting ``trainable`` of a connection.

    Parameters
    ----------
    params : LMUParams

    Returns
    -------
    LMUNetwork
        Added to the network around the call, if there is one.
    """
    register()
    return LMUNetwork(params, memory={"neuron_type": PairRectified()})


def read_params(simulator, network: LMUNetwork) -> LMUParams:
    """Return the parameters that a network in a simulator has at present.

    Parameters
    ----------
    simulator : nengo_dl.Simulator
        Open, of a model that contains the network.
    network : LMUNetwork
        From `nengo_dl_network`.

    Returns
    -------
    LMUParams
        The network's, with the arrays that the simulator holds.
    """
    arrays = {}
    for name, before in network.params.arrays().items():
        now = simulator.data[network.parameters[name]].weights
        arrays[name] = np.reshape(now, before.shape)
    return network.params.updated(arrays)


class NengoDLEngine:
    """Outputs and gradients of an LMU by backpropagation through time.

    NengoDL joins trainable arrays of equal width in one variable; here each has its own
    rows of it.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
        Without ``crop``, noise and errors of a chip, which the network has no place
        for.
    classes : int or None
        The number of classes; None if values are to be predicted.
    last : bool
        Whether only the last step is read.
    sequences : int
        How many there are to train on: no batch is larger.
    """

    def __init__(
        self, params: LMUParams, settings: TrainSettings, classes, last, sequences: int
    ):
        names = ("noise", "noise_covariance", "crop", "late", "stretch")
        problem, remedy = "is not for the engine nengo-dl", "set it to 0, or use jax"
        check_without(settings, names, problem, remedy)
        dl, tf = nengo_dl(), tensorflow()
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
            network = nengo_dl_network(params)
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

    def begin_epoch(self, weights: Mapping) -> None:
        """Do nothing: all epochs are alike.

        Parameters
        ----------
        weights : mapping of str to array
        """

    def features(self, x: np.ndarray, lengths=None) -> dict[str, np.ndarray]:
        """Return what the gradients are computed from: the inputs themselves.

        Parameters
        ----------
        x : (n, T, c) array_like
        lengths : None
            All sequences are whole here.

        Returns
        -------
        dict of str to ndarray
            ``x`` alone.
        """
        return {"x": np.asarray(x)}

    def gradients(
        self, weights: Mapping, features: Mapping, y, step_weights=None, rng=None
    ):
        """Return the loss, and its derivative by all that is trained.

        Parameters
        ----------
        weights, features, y, step_weights, rng
            As in `engine.JaxEngine.gradients`, for a whole batch.  ``step_weights`` and
            ``rng`` are not used.

        Returns
        -------
        loss : float
            Of the batch.
        gradients : dict of str to ndarray
            By name.
        """
        self._assign(weights)
        y = y if y.dtype.kind in "iu" else y.astype(self.dtype)
        loss, found = self._step(self._inputs(features["x"]), y)
        # sort the slopes of variables by arrays
        slopes = {k: g.numpy() for k, g in zip(self._variables, found, strict=True)}

        def slope(name):
            key, rows = self._rows[name]
            return slopes[key][rows]

        loops, gradients = self._loops(weights, slope=True), {}
        for name in self.names:
            if name in self.thetas:  # the chain rule through ``A'`` and ``B'``
                parts = (name.replace("theta", which) for which in "AB")
                by_log = sum(np.vdot(slope(part), loops[part]) for part in parts)
                gradients[name] = np.array(by_log, self.dtype)
            else:
                gradients[name] = slope(name).reshape(np.shape(weights[name]))
        return float(loss), gradients

    def outputs(self, weights: Mapping, features: Mapping) -> np.ndarray:
        """Return outputs (n, T, q), or (n, q) for the last step.

        Parameters
        ----------
        weights, features
            As in `gradients`, for any number of sequences.

        Returns
        -------
        ndarray
            (n, T, q), or (n, q) for the last step.
        """
        self._assign(weights)
        found = []
        for i in range(0, len(features["x"]), self.batch):
            some = features["x"][i : i + self.batch]
            missing = self.batch - len(some)  # to a whole batch: repeat the first one
            padded = np.concatenate([some, np.repeat(some[:1], missing, axis=0)])
            y = self._outputs(self._inputs(padded)).numpy()
            found.append(y[: len(some)])
        return np.concatenate(found)

    def _inputs(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the arguments of the Keras model: the outputs of all nodes.

        The sequences (n, T, c) are followed by one step of zeros for each step that the
        output is late.
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

    def _assign(self, weights: Mapping) -> None:
        """Write these values into the variables, those of windows into the loops."""
        variables, arrays = self._variables, {**weights, **self._loops(weights)}
        values = {key: np.zeros(v.shape, self.dtype) for key, v in variables.items()}
        for name, (key, rows) in self._rows.items():
            values[key][rows] = np.reshape(arrays[name], self._shapes[name])
        for key, variable in variables.items():
            variable.assign(values[key])

    def _loops(self, weights: Mapping, slope: bool = False) -> dict[str, np.ndarray]:
        """Return ``A'`` and ``B'`` of trained windows, or derivatives by log theta."""
        found = {}
        for name in self.thetas:
            cell = self.params.cells[cell_number(name)]
            theta = float(np.exp(weights[name]))
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
                loss = _loss_of(classes, found, y) + penalty * mean_activity(activities)
            slopes = tape.gradient(loss, variables, unconnected_gradients="zero")
            return loss, [tf.convert_to_tensor(g) for g in slopes]

        @compiled
        def outputs(inputs):
            return run(inputs, False)[0]

        return step, outputs


def _loss_of(classes: int | None, outputs, y):
    """Return the cross-entropy of classes, or mean square error of values."""
    tf = tensorflow()
    if classes is None:
        return tf.reduce_mean(tf.square(outputs - y))
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
    return tf.reduce_mean(each)


def _output_of(node: nengo.Node, steps: int, dt: float) -> np.ndarray:
    """Return the outputs (steps, size_out) of a node without input."""
    if not callable(node.output):
        return np.tile(np.atleast_1d(node.output), (steps, 1))
    return np.array([np.atleast_1d(node.output((k + 1) * dt)) for k in range(steps)])


def _loop(cell: CellParams, theta: float, dt: float, slope: bool):
    """Return ``A'`` and ``B'`` of a cell's memories, or derivatives by log theta."""
    ldn = LDN(cell.order, theta)
    mapped = map_onto(ldn, nengo.Lowpass(RATE_SYNAPSE * dt), dt)
    A, B = mapped.A, mapped.B
    if slope:
        gain = mapped.loop.G[0] * mapped.loop.C[0]
        slopes = step_tables(ldn, dt)[1]
        A, B = (theta * slopes[name] / gain for name in "AB")
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

    follows = True  # follows its drive at once; see `neurons.curves.loop_caution`


def register() -> None:
    """Tell NengoDL how to build the neuron types of ours; its own are left alone."""
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
            curve = curve_of(neurons.activation, neurons.chip, _operations())
            return neurons.chip.max_rate * curve(a)

    known[PairRectified], known[ChipRate] = PairRectifiedBuilder, ChipRateBuilder


def _operations() -> SimpleNamespace:
    """Return the operations of a chip's curve, in TensorFlow."""
    tf = tensorflow()
    return SimpleNamespace(
        tanh=tf.tanh,
        relu=tf.nn.relu,
        maximum=tf.maximum,
        log1p=tf.math.log1p,
        ceil=tf.math.ceil,
        where=tf.where,
        zeros_like=tf.zeros_like,
        stop_gradient=tf.stop_gradient,
    )
