r"""The outputs of a chip's units by their spikes, before anything is built for one.

The front of the room alone imports it: it needs no conversion, and is read alone.

The memory is the exact one, in steps of the chip, with noise that it remembers like its
input: ``e_{t+1} = \bar A e_t + w_t``, ``w_t`` in proportion to the rms of each
coefficient.  The units are the chip's neurons to the step (`neurons.chip`), from rest;
the readout takes their spikes in a window about the end of the last sample,

.. math::

    y = D\, \frac{N}{W r_{max}} + c,

``N`` spikes in ``W`` seconds: a mean of the outputs over the window.

Letters: ``n`` sequences, ``T`` samples, ``k`` memories, ``d`` order, ``q`` outputs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_shape
from lmu_spiking.lmu.forward import drive, impulse_response, run_cell
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.networks.cell import steps_of
from lmu_spiking.neurons.chip import ChipUnits, integrating


@dataclass(frozen=True, eq=False)
class SpikesRead:
    """The outputs that the spikes of one window give.

    Parameters
    ----------
    y : (n, q) ndarray
    counts : (n, units) ndarray
        Spikes in the window.
    unit_spikes : (n,) ndarray
        Of all units from the first sample to the end of the window.
    seconds : float
        From the first sample to the end of the window.
    """

    y: np.ndarray
    counts: np.ndarray
    unit_spikes: np.ndarray
    seconds: float

    __repr__ = brief


def read_spikes(
    params: LMUParams,
    x,
    *,
    presentation: float = 0.02,
    window: float = 0.01,
    late: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
) -> SpikesRead:
    """Return outputs at the last sample from the spikes of a chip's units.

    Parameters
    ----------
    params : LMUParams
        One cell, ``e_x`` and ``W_m`` alone, with a chip's activation.
    x : (n, T, c) array_like
    presentation : float
        Seconds of each sample, a whole number of the chip's steps.
    window : float
        Seconds of reading, half of them after the last sample.
    late : float
        Seconds by which the window is late.
    noise : float
        On the state: root mean square over coefficients, each relative to its own rms.
    seed : int
        Draws the noise.

    Returns
    -------
    SpikesRead
        Outputs, and the spikes that they are read from.

    Raises
    ------
    ValidationError
        If the parameters are of another kind, or an argument is out of range.
    """
    cell, chip = _chip_cell(params)
    x = check_shape("read_spikes.x", x, ("n", "T", params.size_in))
    dt = chip.dt
    p = steps_of(presentation, dt)
    steps = max(1, round(check_positive("read_spikes.window", window, "seconds") / dt))
    first = x.shape[1] * p - steps // 2 + round(late / dt)
    if first < 0:
        problem = "puts the window before the first sample"
        raise ValidationError("read_spikes.late", late, problem)
    # stretch the memory with the presentation, and add noise to its states
    stretched = replace(cell, theta=cell.theta * p * dt / params.dt)
    rng = np.random.default_rng(check_seed("read_spikes.seed", seed))
    m, _ = run_cell(cell, x, params.dt, last=True)
    rms = np.sqrt(np.mean(m**2, axis=0))  # of each coefficient at the last sample
    errors = _errors(stretched, rms, noise, len(x), rng, dt)
    states = held_states(stretched, x @ cell.e_x.T, p, first + steps, dt)
    # run the units, and read their spikes
    counts, total = _fire(cell, chip, len(x), states, errors, first)
    y = counts / (steps * dt * chip.max_rate) @ params.D.T + params.c
    return SpikesRead(y, counts, total, (first + steps) * dt)


def held_states(
    cell: CellParams, u: np.ndarray, p: int, steps: int, dt: float
) -> Iterator[np.ndarray]:
    """Yield states (n, k d) after each step, of samples that are held for some steps.

    After the last sample the input is 0.

    Parameters
    ----------
    cell : CellParams
    u : (n, T, k) ndarray
        Inputs of the memories.
    p : int
        Steps that each sample is held for.
    steps : int
        In all.
    dt : float
        Seconds of a step.

    Yields
    ------
    (n, k d) ndarray
    """
    n, T, _ = u.shape
    response = impulse_response(cell, steps, dt).cumsum(axis=0)
    response = np.concatenate([np.zeros((1, cell.order)), response])
    begin = p * np.arange(T)
    for step in range(1, steps + 1):
        of_sample = response[np.maximum(step - begin, 0)]
        of_sample = of_sample - response[np.maximum(step - begin - p, 0)]
        yield np.tensordot(u, of_sample, (1, 0)).reshape(n, -1)


def _fire(cell: CellParams, chip: ChipUnits, n: int, states, errors, first: int):
    """Return spikes of each unit from step ``first`` on, and all from the start.

    ``states`` and ``errors`` (n, k d) are of each step.
    """
    neurons = integrating(cell.activation, chip)
    gain, bias = chip.gain_bias(cell.activation)
    state = {name: np.zeros((n, cell.units)) for name in neurons.state}
    spikes, counts, total = np.zeros((3, n, cell.units))
    for step, (m, e) in enumerate(zip(states, errors, strict=False)):
        J = gain * drive(cell, m + e) + bias
        neurons.step(chip.dt, J, spikes, **state)
        total += spikes * chip.dt
        if step >= first:
            counts += spikes * chip.dt
    return np.round(counts), np.round(total.sum(axis=1))


def _errors(
    cell: CellParams, rms: np.ndarray, noise: float, n: int, rng, dt: float
) -> Iterator:
    """Yield errors (n, k d) of the states of each step, stationary, without end."""
    if noise == 0:
        while True:
            yield 0.0
    check_positive("read_spikes.noise", noise, "relative, or 0")
    Ad, _ = cell.ldn.discretize(dt)
    rms = rms.reshape(cell.memory_d, cell.order)
    # scale the stationary covariance to the noise
    P = np.stack([solve_discrete_lyapunov(Ad, np.diag(r**2)) for r in rms])
    power = np.diagonal(P, axis1=1, axis2=2) / rms**2
    size = noise / np.sqrt(power.mean())
    start = np.linalg.cholesky(P)
    e = size * np.einsum("kij,nkj->nki", start, rng.standard_normal((n, *rms.shape)))
    while True:
        yield e.reshape(n, -1)
        e = e @ Ad.T + size * rms * rng.standard_normal(e.shape)


def _chip_cell(params: LMUParams) -> tuple[CellParams, ChipUnits]:
    """Return the one cell and its chip, whose units must read the memory alone."""
    cell, problem = params.cells[0], ""
    more = sorted(set(cell.arrays()) - {"e_x", "W_m", "b"})
    if len(params.cells) > 1:
        problem = f"has {len(params.cells)} cells, not one"
    elif cell.chip is None:
        problem = f"has {cell.activation} units, not a chip's"
    elif more:
        problem = f"has {', '.join(more)}, not e_x and W_m alone"
    elif params.mean is not None:
        problem = "has a mean and a scale; give normalised x, and replace both by None"
    if problem or cell.chip is None:
        raise ValidationError("read_spikes.params", "LMUParams", problem)
    return cell, cell.chip
