"""What a conversion costs and what it loses, predicted and measured."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import stdtrit

from lmu_spiking.conversion.conversion import CALIBRATED_ON, Conversion
from lmu_spiking.conversion.predict import cell_noise, noisy_forward
from lmu_spiking.conversion.run import Presented, present
from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.lmu.forward import checked_sequences, forward
from lmu_spiking.tasks.sequences import nrmse, target_variance

PREDICTABLE = ("poisson", "stochastic")


@dataclass(frozen=True)
class ConversionReport:
    """A conversion on held-out sequences.

    Accuracies are fractions; errors are NRMSE, the root mean square error over the
    standard deviation of the target (`lmu_spiking.tasks.sequences.nrmse`).  A loss
    is what spikes cost: accuracy lost, or NRMSE added.

    Attributes
    ----------
    metric : {"accuracy", "nrmse"}
    rate, spiking : float
        Of the rate model, and of the spiking network.
    loss, loss_low, loss_high : float
        Measured, with its 95 % interval over sequences (paired).
    predicted_loss : float or None
        Before the run; None where the error model does not predict it.
    predicted_spread : float or None
        Standard deviation of the predicted loss from run to run.
    chance : float
        Accuracy of the most frequent class; or 1, the NRMSE of the target's mean.
    sequences : int
    neurons, memory_neurons : int
    spikes_per_inference, memory_spikes_per_inference : float
    synops_per_inference : float
        Every spike adds a decoder; every step takes the products of the maps.
    clocked_per_inference : float
        Those of the steps, spikes or not.
    seconds_per_inference : float
        Simulated.
    mean_rate : float
        Spikes per second of a neuron, Hz.
    latency : list of (float, float)
        The metric of the output read some seconds before or after its time.
    """

    metric: str
    rate: float
    spiking: float
    loss: float
    loss_low: float
    loss_high: float
    predicted_loss: float | None
    predicted_spread: float | None
    chance: float
    sequences: int
    neurons: int
    memory_neurons: int
    spikes_per_inference: float
    memory_spikes_per_inference: float
    synops_per_inference: float
    clocked_per_inference: float
    seconds_per_inference: float
    mean_rate: float
    latency: list

    def to_dict(self) -> dict:
        """Plain numbers, named as on the command line."""
        record = asdict(self)
        for kind in ("rate", "spiking"):
            record[f"{kind}_{self.metric}"] = record.pop(kind)
        return record


def predict_loss(conversion: Conversion, x, y, *, last: bool, runs: int = 8):
    """Return the loss to expect and its spread over runs; Nones without a prediction.

    Parameters
    ----------
    x : (n, T, c) array_like
    y : array_like
        Classes (n,), or values (n, q) or (n, T, q).
    """
    if conversion.settings.neuron_type not in PREDICTABLE:
        return None, None
    runs = check_whole("predict_loss.runs", runs, 2)
    x = checked_sequences("predict_loss.x", x, conversion.params.size_in)
    y = _checked("predict_loss", y, x, conversion.params.size_out, last)
    score = metric_of(y)
    exact = score(forward(conversion.params, x, last=last), y)
    noise = cell_noise(conversion, x[:: max(1, len(x) // CALIBRATED_ON)])
    rng = np.random.default_rng(conversion.settings.noise_seed)
    losses = [
        _lost(
            score, exact, score(noisy_forward(conversion, x, noise, rng, last=last), y)
        )
        for _ in range(runs)
    ]
    return float(np.mean(losses)), float(np.std(losses, ddof=1))


def report(conversion: Conversion, x, y, *, last: bool, **options) -> ConversionReport:
    """Run held-out sequences and account for what the spikes lose.

    Parameters
    ----------
    x : (n, T, c) array_like
    y : array_like
        Classes (n,), or values (n, q) or (n, T, q).
    last : bool
        Whether only the last step is read.
    **options
        Of `present`.
    """
    x = checked_sequences("report.x", x, conversion.params.size_in)
    y = _checked("report", y, x, conversion.params.size_out, last)
    score = metric_of(y)
    exact = forward(conversion.params, x, last=last)
    predicted, spread = predict_loss(conversion, x, y, last=last)
    result = present(conversion, x, last=last, **options)
    rate, spiking = score(exact, y), score(result.y, y)
    low, high = _interval(score, exact, result.y, y)
    final = y if last or score is accuracy else y[:, -1]
    latency = [
        (round(float(lag), 9), _at_end(score, late, final, y))
        for lag, late in zip(result.lags, result.late, strict=True)
    ]
    costs = _costs(conversion, result, x.shape[1])
    chance = np.bincount(y).max() / len(y) if score is accuracy else 1.0
    return ConversionReport(
        metric=score.__name__,
        rate=rate,
        spiking=spiking,
        loss=_lost(score, rate, spiking),
        loss_low=low,
        loss_high=high,
        predicted_loss=predicted,
        predicted_spread=spread,
        chance=float(chance),
        sequences=len(x),
        latency=latency,
        **costs,
    )


def accuracy(outputs: np.ndarray, y: np.ndarray) -> float:
    """Share of sequences (n, q) whose largest output is the class (n,)."""
    return float((outputs.argmax(axis=-1) == y).mean())


def metric_of(y):
    """`accuracy` for whole-numbered classes, else `nrmse`."""
    y = np.asarray(y)
    return accuracy if y.ndim == 1 and y.dtype.kind in "iu" else nrmse


def _checked(caller: str, y, x: np.ndarray, size_out: int, last: bool) -> np.ndarray:
    """Classes or values for sequences ``x``, or a ValidationError."""
    attribute, y = f"{caller}.y", np.asarray(y)
    n, T, _ = x.shape
    if y.dtype.kind not in "iuf" or not np.isfinite(y).all():
        raise ValidationError(attribute, y, "must be finite numbers")
    if metric_of(y) is accuracy:
        return _checked_classes(caller, y, n, size_out, last)
    shape = (n, size_out) if last else (n, T, size_out)
    if y.shape != shape:
        raise ValidationError(
            attribute, y.shape, f"must be {shape}, or whole-numbered classes ({n},)"
        )
    target_variance(y, attribute)
    return y


def _checked_classes(caller: str, y: np.ndarray, n: int, size_out: int, last: bool):
    if len(y) != n:
        raise ValidationError(f"{caller}.y", len(y), f"must be as many as x, {n}")
    if y.min() < 0 or y.max() >= size_out:
        raise ValidationError(
            f"{caller}.y",
            int(y.min() if y.min() < 0 else y.max()),
            f"is not a class of {size_out} outputs",
            f"use 0 to {size_out - 1}",
        )
    if not last:
        raise ValidationError(
            f"{caller}.last", last, "does not suit classes", "use last=True"
        )
    return y.astype(int)


def _at_end(score, late, final, y) -> float:
    """Return the score of last outputs; errors are relative to all of the target."""
    if score is accuracy:
        return score(late, final)
    return float(np.sqrt(np.mean(np.square(late - final)) / target_variance(y)))


def _lost(score, exact: float, spiking: float) -> float:
    return exact - spiking if score is accuracy else spiking - exact


def _interval(score, exact, spiking, y) -> tuple[float, float]:
    """95 % interval of the loss over sequences, exact and spiking in pairs."""
    if score is accuracy:
        each = (exact.argmax(1) == y) * 1.0 - (spiking.argmax(1) == y)
    else:  # linearised: the mean square of each sequence
        axes = tuple(range(1, np.ndim(y)))
        power, rates = target_variance(y), nrmse(exact, y) + nrmse(spiking, y)
        square = np.square(spiking - y) - np.square(exact - y)
        each = square.mean(axis=axes) / power / max(rates, 1e-12)
    if len(each) < 2:
        return float("nan"), float("nan")
    half = stdtrit(len(each) - 1, 0.975) * each.std(ddof=1) / np.sqrt(len(each))
    return float(each.mean() - half), float(each.mean() + half)


def _costs(conversion: Conversion, result: Presented, T: int) -> dict:
    """Neurons, spikes, operations and time of an inference."""
    net, s = conversion.built, conversion.settings
    steps = net.read_step(T - 1) + s.read_after + 1
    seconds = steps * s.dt
    spikes = float(result.spikes.mean())
    clocked = float(steps * clocked_per_step(conversion))
    return {
        "neurons": conversion.n_neurons,
        "memory_neurons": sum(conversion.counts),
        "spikes_per_inference": spikes,
        "memory_spikes_per_inference": float(result.memory_spikes.mean()),
        "synops_per_inference": spikes + clocked,
        "clocked_per_inference": clocked,
        "seconds_per_inference": seconds,
        "mean_rate": spikes / seconds / conversion.n_neurons,
    }


def clocked_per_step(conversion: Conversion) -> int:
    """Products of a step: each cell's ``A'``, ``B'`` and weights, and the encoders."""
    products = conversion.n_neurons + conversion.params.D.size
    for cell in conversion.params.cells:
        products += cell.memory_d * (cell.order**2 + cell.order)
        products += sum(w.size for w in cell.arrays().values() if w.ndim == 2)
    return products
