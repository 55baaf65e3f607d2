"""Gradients of any LMU, step by step through time, in NengoDL."""

from collections.abc import Mapping

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.training._keras import compiled, nengo_dl, tensorflow
from lmu_spiking.training.losses import loss_of
from lmu_spiking.training.settings import TrainSettings
from lmu_spiking.training.unrolled import Unrolled


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
