"""The LMU of psMNIST in spikes: accuracy, measured and predicted, cost and latency."""

import pandas as pd

from lmu_spiking.conversion import convert, report

CALIBRATED = 200  # training digits
AROUND = 0.05  # seconds before and after the end that are looked at


def run(
    params, task, presentation: float, m: int, digits: int, seed: int, jobs: int
) -> dict:
    """A conversion to ``m`` neurons on the first test digits, as a plain record."""
    made = convert(
        params,
        task.train.x[:CALIBRATED],
        n_neurons=m,
        presentation=presentation,
        noise_seed=seed,
        last=True,
    )
    x, y = task.test.x[:digits], task.test.y[:digits]
    found = report(made, x, y, last=True, jobs=jobs, around=AROUND)
    return found.to_dict() | {"presentation": presentation}


def latencies(rows: list[dict]) -> pd.DataFrame:
    """Accuracy read some seconds before or after the end of each network."""
    return pd.DataFrame(
        [
            {
                "split": row["split"],
                "presentation": row["presentation"],
                "neurons": row["neurons"],
                "lag": lag,
                "accuracy": accuracy,
            }
            for row in rows
            for lag, accuracy in row["latency"]
        ],
        columns=["split", "presentation", "neurons", "lag", "accuracy"],
    )
