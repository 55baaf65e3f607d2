"""Gradients of any LMU, step by step through time, in NengoDL."""

from collections.abc import Mapping

import nengo
import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.networks.cell import RATE_SYNAPSE
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons.chip import ChipRate
from lmu_spiking.training._keras import compiled, nengo_dl, tensorflow
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.losses import loss_of
from lmu_spiking.training.settings import TrainSettings
from lmu_spiking.training.window import step_slopes

# --------------------------------------------------------------------------------------
# The loop that realises a memory, as its window changes.


def loop_of(cell: CellParams, theta: float, dt: float, slope: bool = False) -> dict:
    r"""Loop and input weights that realise the memories, or their slopes by theta.

    ``A' = (A - a I) / (1 - a)`` and ``B' = B / (1 - a)``, ``A`` and ``B`` barred: exact
    at every theta.
    """
    ldn = LDN(cell.order, theta)
    mapped = map_onto(ldn, nengo.Lowpass(RATE_SYNAPSE * dt), dt)
    A, B = mapped.A, mapped.B
    if slope:
        gain = mapped.loop.G[0] * mapped.loop.C[0]
        A, B = (found / gain for found in step_slopes(ldn, dt))
    each = np.eye(cell.memory_d)
    return {"A": np.kron(each, A), "B": np.kron(each, np.reshape(B, (-1, 1)))}


def loops_of(network: LMUNetwork, moving) -> dict[str, nengo.Connection]:
    """The connections that carry ``A'`` and ``B'`` of cells."""
    found = {}
    for i in moving:
        memory = network.cells[i].memory
        for connection in memory.connections:
            if connection.post_obj is memory.state:
                of_input = connection.pre_obj is memory.input
                found[f"cell{i}.{'B' if of_input else 'A'}"] = connection
    return found


# --------------------------------------------------------------------------------------
# Neurons of an LMU in NengoDL, with the gradients that training wants.
#
# A rectifier pair decodes ``x = max(0, x) - max(0, -x)``.  TensorFlow differentiates a
# rectifier at 0 to 0, and so the pair, where a memory at rest is: no gradient would
# pass. Written as ``(J + |J|) / 2`` a rectifier has the slope 1/2 at 0, and the pair
# the slope 1, which it has everywhere else.
#
# Units with the rates of a chip have the gradients of `training.chip`.


class PairRectified(nengo.RectifiedLinear):
    """Rectified-linear rates that NengoDL gives the slope 1/2 at 0."""

    follows = True  # its drive at once, see `neurons.curves.loop_caution`


def register() -> None:
    """Tell NengoDL how to build types of ours; its own are left alone."""
    neuron_builders = nengo_dl().neuron_builders
    known = neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    if PairRectified not in known:
        known[PairRectified] = _of_pairs(neuron_builders.TFNeuronBuilder)
        known[ChipRate] = _of_chip(neuron_builders.TFNeuronBuilder)


def _of_pairs(base):
    tf = tensorflow()

    class PairRectifiedBuilder(base):
        def step(self, J, dt):
            return (J + tf.abs(J)) / 2

    return PairRectifiedBuilder


def _of_chip(base):
    tf = tensorflow()

    class ChipRateBuilder(base):
        def step(self, J, dt):
            sizes = [op.J.shape[0] for op in self.ops]  # of cells side by side
            each = zip(tf.split(J, sizes, axis=-1), self.ops, strict=True)
            return tf.concat([_rates(op.neurons, a) for a, op in each], axis=-1)

    def _rates(neurons: ChipRate, a):
        h = curve_of(neurons.activation, neurons.chip)(a)
        return neurons.chip.max_rate * h

    return ChipRateBuilder


# --------------------------------------------------------------------------------------
# An LMU in a NengoDL simulator, with its arrays by name.
#
# NengoDL joins trainable arrays of equal width in one variable; here each has its own
# rows.  Weights of the loop that realises a memory stand beside them as ``cell0.A`` and
# ``cell0.B`` where its window is trained.


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


# --------------------------------------------------------------------------------------


class BPTTEngine:
    """Outputs and gradients of an LMU by backpropagation through time.

    The network is the one that is converted to spikes, in its rate life.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
        Without ``crop`` and any noise, which need all times at once.
    classes : int or None
    last : bool
        Whether only the last step is read.
    sequences : int
        In a training set: no batch is larger.
    """

    def __init__(self, params, settings: TrainSettings, classes, last, sequences):
        _refuse(settings)
        nengo_dl()
        self.params, self.last = params, last
        self.names, self.thetas = settings.names(params), settings.thetas(params)
        self.dtype = np.dtype(settings.precision)
        self.network = Unrolled(
            params,
            batch=min(settings.batch, sequences),
            moving=[int(n.split(".")[0].removeprefix("cell")) for n in self.thetas],
            dtype=settings.precision,
            history=not last,
            activities=settings.rate_penalty > 0,
        )
        self._step, self._outputs = self._compiled(classes, settings.rate_penalty)

    def close(self) -> None:
        """Free the simulator."""
        self.network.close()

    def features(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the gradients are computed from: the inputs themselves."""
        return {"x": np.asarray(x)}

    def gradients(self, arrays: Mapping, features: Mapping, y, weights=None, rng=None):
        """Loss, and its derivative by every trained array and window.

        As `ParallelEngine.gradients`, for a whole batch.
        """
        self.network.assign(arrays)
        y = y if y.dtype.kind in "iu" else y.astype(self.dtype)
        inputs = self.network.inputs(features["x"])
        loss, found = self._step(inputs, y)
        keys = self.network.variables
        by_key = {key: g.numpy() for key, g in zip(keys, found, strict=True)}
        return float(loss), self.network.by_name(by_key, arrays, self.names)

    def outputs(self, arrays: Mapping, features: Mapping) -> np.ndarray:
        """Outputs (n, T, q), or (n, q) for the last step."""
        self.network.assign(arrays)
        x, batch = features["x"], self.network.batch
        found = []
        for i in range(0, len(x), batch):
            some = x[i : i + batch]
            padded = np.concatenate([some, np.repeat(some[:1], batch - len(some), 0)])
            y = self._outputs(self.network.inputs(padded)).numpy()
            found.append(y[: len(some)])
        return np.concatenate(found)

    def _compiled(self, classes, penalty: float):
        tf, network, last = tensorflow(), self.network, self.last
        model = network.simulator.keras_model
        variables = list(network.variables.values())
        late = network.late

        def seen(inputs, training):
            y, *activities = model(inputs, training=training)[:-1]
            return y[:, -1] if last else y[:, late:], activities

        def mean_activity(activities):
            total = 0.0
            for i, h in enumerate(activities):
                steps = h[:, i + 1 : (i + 1 - late) or None]
                final = last and i == len(activities) - 1
                total += tf.reduce_mean(tf.abs(h[:, -1] if final else steps))
            return total

        @compiled
        def step(inputs, y):
            with tf.GradientTape() as tape:
                outputs, activities = seen(inputs, True)
                loss = loss_of(classes, outputs, y) + penalty * mean_activity(
                    activities
                )
            found = tape.gradient(loss, variables, unconnected_gradients="zero")
            return loss, [tf.convert_to_tensor(g) for g in found]

        @compiled
        def outputs(inputs):
            return seen(inputs, False)[0]

        return step, outputs


def _refuse(settings: TrainSettings) -> None:
    """What needs all times at once."""
    noisy = settings.noise or settings.noise_covariance is not None
    given = {"noise": noisy, "crop": settings.crop}
    given |= {"late": settings.late, "stretch": settings.stretch}
    for name, value in given.items():
        if value:
            raise ValidationError(
                f"TrainSettings.{name}",
                getattr(settings, name),
                "needs cells without e_h and e_m, in parallel mode",
                "leave it out",
            )
