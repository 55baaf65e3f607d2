"""The LSTM of the capacity task: trained for so long, where TensorFlow is installed."""

from lmu_spiking.errors import MissingPackageError
from lmu_spiking.experiments.published.result import Comparison, Silent, interval
from lmu_spiking.tasks.capacity import delayed, delays, whole_sequences

LENGTHS = (25, 100, 400, 1600)
PUBLISHED = {1600: 0.13}  # mean squared error, read off the paper's figure
MINUTES = 4.0


def train_all(minutes: float, seed: int, bar=Silent) -> tuple[list[dict], str]:
    """LSTM rows of every length, or none and the reason why."""
    if minutes <= 0:
        return [], "not run"
    rows, left = [], 60 * minutes
    try:
        with bar("LSTMs", len(LENGTHS)) as progress:
            for length in LENGTHS:  # longer ones get what shorter ones leave
                rows += lstm(length, left * _share(length), seed)
                left -= rows[-1]["seconds"]
                progress.advance(length)
    except MissingPackageError:
        return [], "not run: install lmu_spiking[train]"
    return rows, ""


def lstm(length: int, seconds: float, seed: int = 0) -> list[dict]:
    """The published LSTM, trained for so long: rows of its error at each delay.

    The last row, without a delay, is the mean of T/4, T/2 and 3T/4.
    """
    from lmu_spiking.training.lstm import fit_lstm

    x = whole_sequences(length, seed=seed)
    y = delayed(x, delays(length))
    half = len(x) // 2
    fitted = fit_lstm(x[:half, :, None], y[:half], seconds=seconds, seed=seed)
    error = (fitted.predict(x[half:, :, None]) - y[half:])[:, length:] ** 2
    what = {"length": length, "epochs": fitted.epochs, "seconds": fitted.seconds}
    each = error.mean(axis=1)
    rows = [
        what | {"delay": int(s)} | interval(each[:, k])
        for k, s in enumerate(delays(length))
    ]
    inside = each[:, 1:-1].mean(axis=1)
    return [*rows, what | {"delay": None} | interval(inside)]


def compare(rows: list[dict], why: str) -> list[Comparison]:
    """The mean error inside the window at each length, or why there is none."""
    means = {row["length"]: row for row in rows if row["delay"] is None}
    found = []
    for length in LENGTHS:
        what, then = f"LSTM(100), T = {length:,}", PUBLISHED.get(length)
        if length in means:
            row = means[length]
            value = (row["mse"], row["low"], row["high"])
            found.append(Comparison(what, then, *value))
        else:
            found.append(Comparison(what, then, say=why))
    return found


def note(rows: list[dict], minutes: float, why: str) -> str:
    """How many epochs there were at each length, in words."""
    found = {row["length"]: row["epochs"] for row in rows}
    epochs = ", ".join(f"{n} (T = {length:,})" for length, n in found.items())
    return f"here as many as fit into {minutes:g} minutes: {epochs}" if rows else why


def _share(length: int) -> float:
    """Of the time that is left; in all, time goes as the root of the length."""
    return length**0.5 / sum(each**0.5 for each in LENGTHS if each >= length)
