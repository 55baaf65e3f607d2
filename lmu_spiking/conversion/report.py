"""The costs of a conversion and its loss, predicted and measured."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from lmu_spiking.conversion.conversion import CALIBRATED_ON, Conversion
from lmu_spiking.conversion.predict import cell_noise, noisy_forward
from lmu_spiking.conversion.run import Presented, present
from lmu_spiking.errors import ValidationError, check_shape, check_whole
from lmu_spiking.lmu.forward import at_end, forward
from lmu_spiking.metrics import (
    accuracy,
    confusion,
    half_interval,
    nrmse,
    paired_interval,
    target_variance,
)
from lmu_spiking.tasks.sequences import check_lengths, counted, within


@dataclass(frozen=True)
class ConversionReport:
    """The costs and the loss of a conversion on held-out sequences.

    Accuracies are fractions; errors are NRMSE, the root mean square error over the
    standard deviation of the target (`lmu_spiking.metrics.nrmse`).  A loss
    is what spikes cost: accuracy lost, or NRMSE added.

    Parameters
    ----------
    metric : {"accuracy", "nrmse"}
    rate, spiking : float
        The metric of the rate-based model, and of the spiking network.
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
    confusion : dict, optional
        Of classes, ``rate`` and ``spiking``: how often class ``i`` (row) was taken for
        class ``j`` (column), as (q, q) lists of whole numbers.
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
    confusion: dict | None = None

    def to_dict(self) -> dict:
        """Return plain numbers, named as on the command line.

        Returns
        -------
        dict
            For JSON.
        """
        record = asdict(self)
        for kind in ("rate", "spiking"):
            record[f"{kind}_{self.metric}"] = record.pop(kind)
        if self.confusion is None:
            del record["confusion"]
        return record


def predict_loss(
    conversion: Conversion, x, y, *, last: bool, lengths=None, runs: int = 8
):
    """Predict the loss and its spread over runs, for neurons whose noise is known.

    Parameters
    ----------
    conversion : Conversion
    x : (n, T, c) array_like
    y : array_like
        Classes (n,), or (n, T) at every step, or values (n, q) or (n, T, q).
    last : bool
        Whether only the last step of each sequence is read.
    lengths : (n,) array_like of int, optional
        Steps of each sequence, which is padded to ``T`` at its end; all ``T`` by
        default.  What lies past them does not count.
    runs : int
        How often noise is drawn, at least 2.

    Returns
    -------
    loss, spread : float or None
        None for neurons whose noise the error model does not predict.

    Raises
    ------
    ValidationError
        If sequences and targets do not fit.
    """
    if not conversion.predictable:
        return None, None
    runs = check_whole("predict_loss.runs", runs, 2)
    x, y, metric = _check_data("predict_loss", conversion, x, y, last)
    lengths = check_lengths("predict_loss.lengths", lengths, *x.shape[:2])
    how = {"last": last, "lengths": lengths}
    score = _within(metric, None if last else lengths)
    exact = score(forward(conversion.params, x, **how), y)
    every = max(1, len(x) // CALIBRATED_ON)
    ends = None if lengths is None else lengths[::every]
    noise = cell_noise(conversion, x[::every], ends)
    rng = np.random.default_rng(conversion.settings.noise_seed)
    losses = []
    for _ in range(runs):
        noisy = noisy_forward(conversion, x, noise, rng, **how)
        losses.append(_lost(metric, exact, score(noisy, y)))
    return float(np.mean(losses)), float(np.std(losses, ddof=1))


def report(
    conversion: Conversion, x, y, *, last: bool, lengths=None, **options
) -> ConversionReport:
    """Run held-out sequences and account for what the spikes lose.

    Parameters
    ----------
    conversion : Conversion
    x : (n, T, c) array_like
    y : array_like
        Classes (n,), or (n, T) at every step, or values (n, q) or (n, T, q).
    last : bool
        Whether only the last step of each sequence is read.
    lengths : (n,) array_like of int, optional
        Steps of each sequence, which is padded to ``T`` at its end; all ``T`` by
        default.  What lies past them does not count.
    **options
        Of `present`.

    Returns
    -------
    ConversionReport
        Predicted and measured.

    Raises
    ------
    ValidationError
        If sequences, targets or options do not fit.
    """
    x, y, metric = _check_data("report", conversion, x, y, last)
    lengths = check_lengths("report.lengths", lengths, *x.shape[:2])
    # predict, then run
    how = {"last": last, "lengths": lengths}
    exact = forward(conversion.params, x, **how)
    predicted, spread = predict_loss(conversion, x, y, **how)
    result = present(conversion, x, **how, **options)
    # compare what counts: the last outputs, or those of the steps within lengths
    score = _within(metric, None if last else lengths)
    rate, spiking = score(exact, y), score(result.y, y)
    low, high = _interval(metric, exact, result.y, y, None if last else lengths)
    final, all_y = (y, y) if last else (at_end(y, lengths), counted(y, lengths))
    pairs = zip(result.lags, result.late, strict=True)
    chance, confusions = 1.0, None
    if metric is accuracy:
        chance = np.bincount(all_y).max() / len(all_y)
        said = {"rate": exact, "spiking": result.y}
        if not last:
            said = {kind: counted(each, lengths) for kind, each in said.items()}
        confusions = {k: confusion(each, all_y).tolist() for k, each in said.items()}
    steps = np.full(len(x), x.shape[1]) if lengths is None else lengths
    at = [
        (round(float(s), 9), _at_end(metric, late, final, all_y)) for s, late in pairs
    ]
    return ConversionReport(
        metric=metric.__name__,
        rate=rate,
        spiking=spiking,
        loss=_lost(metric, rate, spiking),
        loss_low=low,
        loss_high=high,
        predicted_loss=predicted,
        predicted_spread=spread,
        chance=float(chance),
        sequences=len(x),
        latency=at,
        confusion=confusions,
        **_costs(conversion, result, steps),
    )


def metric_of(y, last: bool = True) -> Callable:
    """Return `accuracy` for whole-numbered classes, else `nrmse`.

    Parameters
    ----------
    y : array_like
    last : bool
        Whether only the last step is read; if not, whole numbers (n, T) are classes.

    Returns
    -------
    callable
        Of outputs and ``y``.
    """
    y = np.asarray(y)
    classes = y.ndim == 1 or (y.ndim == 2 and not last)
    return accuracy if classes and y.dtype.kind in "iu" else nrmse


def _within(score: Callable, lengths) -> Callable:
    """Return a metric of outputs (n, T, q) that counts the steps within lengths."""
    if lengths is None:
        return score
    return lambda outputs, y: score(counted(outputs, lengths), counted(y, lengths))


def _check_data(caller: str, conversion: Conversion, x, y, last: bool):
    """Return sequences, classes or values, and their metric, or a ValidationError."""
    size_in, q = conversion.params.size_in, conversion.params.size_out
    x = check_shape(f"{caller}.x", x, ("n", "T", size_in))
    attribute, y, (n, T, _) = f"{caller}.y", np.asarray(y), x.shape
    if y.dtype.kind not in "iuf" or not np.isfinite(y).all():
        raise ValidationError(attribute, y, "must be finite numbers")
    # values
    if metric_of(y, last) is nrmse:
        shape = (n, q) if last else (n, T, q)
        if y.shape != shape:
            problem = f"must be {shape}, or whole-numbered classes ({n},)"
            raise ValidationError(attribute, y.shape, problem)
        target_variance(y, attribute)
        return x, y, nrmse
    # classes, of sequences or of steps
    if len(y) != n:
        raise ValidationError(attribute, len(y), f"must be as many as x, {n}")
    if y.ndim == 2 and y.shape != (n, T):
        raise ValidationError(attribute, y.shape, f"must be classes of steps, {(n, T)}")
    outside = y[(y < 0) | (y >= q)]
    if len(outside):
        problem, remedy = f"is not a class of {q} outputs", f"use 0 to {q - 1}"
        raise ValidationError(attribute, int(outside[0]), problem, remedy)
    if last != (y.ndim == 1):
        problem = f"does not suit classes{' of steps' * (y.ndim == 2)}"
        remedy = f"use last={not last}"
        raise ValidationError(f"{caller}.last", last, problem, remedy)
    return x, y.astype(int), accuracy


def _lost(score, exact: float, spiking: float) -> float:
    """Return the accuracy that is lost, or the error that is added."""
    return exact - spiking if score is accuracy else spiking - exact


def _at_end(score, late, final, y) -> float:
    """Return the score of last outputs; errors are relative to all of the target."""
    if score is accuracy:
        return score(late, final)
    return float(np.sqrt(np.mean(np.square(late - final)) / target_variance(y)))


def _interval(score, exact, spiking, y, lengths=None) -> tuple[float, float]:
    """Return the 95 % interval of the loss over sequences, paired.

    A longer sequence counts more if all its steps do.
    """
    if score is accuracy:
        each = (exact.argmax(-1) == y) * 1.0 - (spiking.argmax(-1) == y)
    else:  # linearised: the mean square of each sequence
        score = _within(score, lengths)
        power = target_variance(y if lengths is None else counted(y, lengths))
        rates = score(exact, y) + score(spiking, y)
        each = np.square(spiking - y) - np.square(exact - y)
        each = each.mean(axis=-1) / power / max(rates, 1e-12)
    if lengths is not None:
        each = each * within(lengths, each.shape[1]) * (each.shape[1] / lengths.mean())
    each = each.reshape(len(each), -1).mean(axis=1)
    if (
        score is accuracy and len(each) > 1 and not each.any()
    ):  # which few sequences do not prove
        return paired_interval(each == 0, each == 0)
    half = half_interval(each)
    return float(each.mean() - half), float(each.mean() + half)


def _costs(conversion: Conversion, result: Presented, lengths) -> dict:
    """Return neurons, spikes, operations and time of a mean inference."""
    net, s = conversion.built, conversion.settings
    each = [net.read_step(int(T) - 1) + s.read_after + 1 for T in lengths]
    steps = float(np.mean(each))
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
    """Return products of a step: cells' ``A'``, ``B'`` and weights, and encoders.

    Parameters
    ----------
    conversion : Conversion

    Returns
    -------
    int
        Whether or not neurons spike.
    """
    products = conversion.n_neurons + conversion.params.D.size
    for cell in conversion.params.cells:
        products += cell.memory_d * (cell.order**2 + cell.order)
        products += sum(w.size for w in cell.arrays().values() if w.ndim == 2)
    return products
