"""The thesis's delay network on NengoLoihi's emulator: as published, and laid out anew.

Voltages begin at 0 on the chip, so that a run has no other chance than its curves: one
run for each of the ten signals, its seed drawing the curves.
"""

from importlib.util import find_spec

import pandas as pd

from lmu_spiking.experiments.published.result import bootstrapped

OUR_TAU, OUR_RATE = 0.05, 200.0  # chosen on signals that are not among the cases
MISSING = "needs NengoLoihi: pip install 'lmu_spiking[loihi]'"
COLUMNS = ("emulator, published", "emulator, ours")


def installed() -> bool:
    """Whether there is an emulator."""
    return find_spec("nengo_loihi") is not None


def run_emulator(cases, advance) -> pd.DataFrame:
    """A row for each case and column: ``late`` and ``aligned`` errors.

    Parameters
    ----------
    cases : iterable of int
        Signals of the thesis, 1 to 10.
    advance : callable
        Called after each run.
    """
    from lmu_spiking.experiments.chip.ours import Ours, measure_ours
    from lmu_spiking.experiments.chip.peers import THESIS, Case, measure
    from lmu_spiking.loihi.peer_networks import weights_true

    (n,) = THESIS.neurons
    rows = []
    for case in cases:
        published = measure(Case(weights_true("lif"), THESIS, n, case))
        laid_out = measure_ours(
            Ours(THESIS, n, case, "emulator", "lif", OUR_RATE, OUR_TAU)
        )
        for column, row in zip(COLUMNS, (published, laid_out), strict=True):
            late, aligned = row["nrmse_late"], row["nrmse"]
            rows.append(
                {"column": column, "case": case, "late": late, "aligned": aligned}
            )
            advance(rows[-1])
    return pd.DataFrame(rows)


def interval(data: pd.DataFrame, column: str, measure: str):
    """Mean and 95 % interval of a column."""
    return bootstrapped(data.loc[data.column == column, measure], 0)
