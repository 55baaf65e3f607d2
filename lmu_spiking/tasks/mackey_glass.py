"""The Mackey-Glass series: chaos from a delay, to be predicted."""

import numpy as np

from lmu_spiking.errors import check_memory, check_seed, check_whole
from lmu_spiking.tasks.sequences import Part, Sequences, lengths

DT = 1e-3  # seconds a sample; a time unit of the equation is one sample
SUBSTEPS = 10  # of Euler, a sample
WASHOUT = 100  # samples


def mackey_glass(
    seed: int = 0,
    n_series: int = 128,
    steps: int = 5000,
    ahead: int = 15,
    tau: int = 17,
) -> Sequences:
    """Return the task to predict Mackey-Glass series ``ahead`` samples ahead.

    Each sample is ``tanh(x - 1)`` of `mackey_glass_series`, after a washout of 100 and
    less the mean of all series.  The first quarter of the series trains, the second is
    to choose by, the second half tests: 32, 32 and 64, as in [1]_, whose settings these
    are.  There the error of no change is 1.62 of the standard deviation.

    Parameters
    ----------
    seed : int
        Draws the histories.
    n_series : int
        At least 4.
    steps : int
        Samples of a series; the sequences are ``steps - ahead`` long.
    ahead : int
        Samples from the last input to the target.
    tau : int
        Delay of the equation, samples; up to 16 the series is not chaotic.

    Returns
    -------
    Sequences
        The three parts of the task.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    References
    ----------
    .. [1] Voelker, Kajić, Eliasmith (2019). Legendre Memory Units. NeurIPS 32.
    """
    n_series = check_whole("mackey_glass.n_series", n_series, least=4)
    ahead = check_whole("mackey_glass.ahead", ahead, least=1)
    steps = check_whole("mackey_glass.steps", steps, least=ahead + 1)
    seed = check_seed("mackey_glass.seed", seed)
    tau = check_whole("mackey_glass.tau", tau, least=1)
    # all substeps are in memory
    needed = 8 * SUBSTEPS * n_series * (WASHOUT + steps + 4 * tau)
    remedy = f"use fewer, or fewer than n_series={n_series}"
    check_memory("mackey_glass.steps", steps, needed, remedy)
    series = np.tanh(mackey_glass_series(n_series, WASHOUT + steps, seed, tau) - 1)
    series = series[:, WASHOUT:, None]
    series -= series.mean()
    # a quarter trains, a quarter is to choose by, and half tests
    ends = n_series // 4, 2 * (n_series // 4)
    parts = [Part(x[:, :-ahead], x[:, ahead:]) for x in np.split(series, ends)]
    origin = (
        f"generated: Mackey-Glass, tau {tau}, {SUBSTEPS} Euler steps a sample, seed "
        f"{seed}; {steps} samples after {WASHOUT}, tanh(x - 1), mean removed, {ahead} "
        f"ahead; series {lengths(parts)}"
    )
    return Sequences(
        "mackey-glass", *parts, dt=DT, classes=None, last=False, origin=origin
    )


def mackey_glass_series(
    n_series: int, steps: int, seed: int, tau: int = 17
) -> np.ndarray:
    r"""Return samples of the delay differential equation, from its start.

    .. math::

        \dot x(t) = \frac{0.2\, x(t - \tau)}{1 + x(t - \tau)^{10}} - 0.1\, x(t)

    in 10 Euler steps a sample, from ``x = 1.2`` and a history of ``10 tau`` values,
    each ``1.2 + 0.2 (r - 0.5)`` with ``r`` uniform from 0 to 1.  Only products, sums
    and quotients: the same bits on every machine, which chaos would else tell apart.

    Parameters
    ----------
    n_series, steps : int
        Numbers of series, and of samples of each.
    seed : int
        Draws the histories.
    tau : int
        Delay of the equation, samples.

    Returns
    -------
    (n_series, steps) ndarray
        Around 0.9; they are always positive.
    """
    length = tau * SUBSTEPS
    random = np.random.RandomState(seed).rand(n_series, length).T
    past = 1.2 + 0.2 * (random - 0.5)  # (10 tau, n): the oldest first
    x = np.full(n_series, 1.2)
    blocks = -(-steps // tau)
    out = np.empty((blocks * length, n_series))
    for block in np.split(out, blocks):  # a delay long: its drive is known at once
        squared = past * past
        fourth = squared * squared
        drive = 0.2 * past / (1.0 + fourth * fourth * squared)
        past = np.empty_like(block)
        for k in range(length):
            past[k] = x  # what the delay will return: x before the step
            x = x + (drive[k] - 0.1 * x) / SUBSTEPS
            block[k] = x
    return np.ascontiguousarray(out[SUBSTEPS - 1 :: SUBSTEPS][:steps].T)
