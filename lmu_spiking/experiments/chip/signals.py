"""Three benchmarks of memories on a chip, and their signals.

`WINDOW` is the example of nengo-loihi and of the LMU's notebook, `THESIS` the delay
network of Voelker's thesis (whose signals are in `experiments.published.delay_run`),
and `TABLE` eleven combinations of window, band and synapse.  Chosen here, because no
source says it: noise has the period of its run and begins near zero (``y0=0``), and a
run's seed draws both its signal and its curves (in the thesis, curves are drawn anew).
"""

from dataclasses import dataclass

import numpy as np
from nengo.processes import WhiteSignal

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import check_seed
from lmu_spiking.experiments.published import delay_run

DT = 0.001


@dataclass(frozen=True)
class Setting:
    """A benchmark: a memory, its signal, and the length of a run.

    Attributes
    ----------
    name : {"window", "thesis", "table"}
        Decides how it is read, see `measures.score`.
    order : int
    theta, tau, duration : float
        Window, synapse and length of a run, seconds.
    bandwidth : float
        Highest frequency, Hz.
    rms : float or None
        Of the distribution that the noise is drawn from; None for a peak of 1.
    neurons : tuple of int
        A dimension.
    """

    name: str
    order: int
    theta: float
    tau: float
    bandwidth: float
    rms: float | None
    duration: float
    neurons: tuple[int, ...]

    @property
    def ldn(self) -> LDN:
        """Return the exact memory."""
        return LDN(self.order, self.theta)

    @property
    def steps(self) -> int:
        """Return the steps of a run."""
        return round(self.duration / DT)


WINDOW = Setting("window", 6, 1.0, 0.1, 1.0, 0.3, 5.0, (50, 100, 200))
THESIS = Setting(
    *("thesis", delay_run.ORDER, delay_run.THETA, delay_run.TAU),
    *(float(delay_run.BANDWIDTH), delay_run.RMS, delay_run.STEPS * delay_run.DT),
    (delay_run.NEURONS // delay_run.ORDER,),
)
ROWS = (  # theta, Hz, tau
    *((0.1, 1.0, 0.02), (0.1, 2.0, 0.02), (0.1, 2.0, 0.05), (0.1, 2.0, 0.1)),
    *((0.25, 2.0, 0.05), (0.25, 2.0, 0.1), (0.5, 1.0, 0.1), (0.5, 2.0, 0.1)),
    *((1.0, 1.0, 0.1), (1.0, 1.0, 0.2), (1.0, 2.0, 0.1)),
)
TABLE = tuple(
    Setting("table", 6, theta, tau, high, None, 6.0, (100,))
    for theta, high, tau in ROWS
)


def signal(setting: Setting, seed: int) -> np.ndarray:
    """Return noise of a setting, at steps of `DT`.

    One draw of ``duration`` has only ``2 bandwidth duration`` free numbers: its rms is
    not quite that of the distribution.

    Parameters
    ----------
    setting : Setting
    seed : int
        1 to 10 are the thesis's cases.

    Returns
    -------
    (T,) ndarray
    """
    seed = check_seed("signal.seed", seed)
    if setting.name == "thesis":
        return delay_run.signal(seed)
    options = {"high": setting.bandwidth, "rms": setting.rms or 0.5, "seed": seed}
    process = WhiteSignal(setting.duration, y0=0, **options)
    u = process.run_steps(setting.steps, dt=DT)[:, 0]
    return u if setting.rms else u / np.abs(u).max()
