import dataclasses

import nengo
import numpy as np
import pytest

from lmu_spiking.conversion import convert, predict_loss, read_spikes
from lmu_spiking.conversion.chip import _errors, held_states
from lmu_spiking.conversion.run import present
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import CHIP_ACTIVATIONS, ChipUnits, forward
from lmu_spiking.lmu.calibration import calibrate
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.networks.stack import LMUNetwork

X = np.random.default_rng(0).standard_normal((6, 20, 1))
CHIP = ChipUnits(180.0, tau_rc=0.03, tau_ref=0.002)


def chip_lmu(lmu, activation="loihi-relu", **options):
    options = {"units": 4, "order": 4, "theta": 0.02, "seed": 2} | options
    params = lmu("", activation=activation, chip=CHIP, **options)
    cells = tuple(dataclasses.replace(cell, b_u=None) for cell in params.cells)
    return dataclasses.replace(params, cells=cells)


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_a_long_wait_reads_the_rates(lmu, activation):
    """Samples that last leave the staircase: off by a spike at each end."""
    params = chip_lmu(lmu, activation)
    x, seconds = np.repeat(X[:, :1], 2, axis=1), 2.0
    params = params.updated({"cell0.theta": 1e-3})
    found = read_spikes(params, x, presentation=seconds, window=1.0, late=-0.6)
    exact = forward(params, x, last=True)
    worth = np.abs(params.D).sum(axis=1) / CHIP.max_rate
    # and by a step of the staircase where the drive's interval is a whole number
    h = run_cell(params.cells[0], x, params.dt, last=True)[1]
    step = (CHIP.max_rate * h) ** 2 * CHIP.dt / CHIP.max_rate
    assert np.all(np.abs(found.y - exact) <= worth + step @ np.abs(params.D).T)
    assert found.seconds == pytest.approx(2 * seconds - 0.1)
    assert found.counts.sum() > 100
    assert np.all(found.unit_spikes >= found.counts.sum(axis=1))


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_spikes_are_those_of_the_network(simulator, lmu, activation):
    """Chip neurons behind an exact memory in Nengo, to the spike."""
    from lmu_spiking.networks.hidden import Hidden, add_units

    params, p = chip_lmu(lmu, activation), 5
    found = read_spikes(params, X, presentation=p * 1e-3, window=0.04, late=-0.02)
    cell = dataclasses.replace(params.cells[0], theta=params.cells[0].theta * p)
    states = np.stack(list(held_states(cell, X @ cell.e_x.T, p, 20 * p, 1e-3)), axis=1)
    shown = states @ cell.W_m.T + cell.b
    with nengo.Network() as model:
        J, h, _ = add_units(
            Hidden("if", 1, aggregated=False), activation, 4, len(X), CHIP
        )
        shown = shown.transpose(1, 0, 2).reshape(20 * p, -1)
        stimulus = nengo.Node(nengo.processes.PresentInput(shown, 1e-3))
        nengo.Connection(stimulus, J, synapse=None)
        probe = nengo.Probe(h, synapse=None)
    with simulator(model) as sim:
        sim.run_steps(20 * p)
        spikes = sim.data[probe] * CHIP.max_rate * 1e-3
    late = spikes[20 * p - 40 :].sum(axis=0).reshape(len(X), 4)
    np.testing.assert_allclose(found.counts, late, atol=1e-9)
    whole = spikes.sum(axis=0).reshape(len(X), 4).sum(axis=1)
    np.testing.assert_allclose(found.unit_spikes, whole, atol=1e-9)


def test_states_of_samples_are_those_of_the_rates(lmu):
    """However long a sample is presented."""
    params = chip_lmu(lmu, memory_d=2)
    cell = params.cells[0]
    expected, _ = run_cell(cell, X, params.dt)
    for p in (1, 3):
        slow = dataclasses.replace(cell, theta=cell.theta * p)
        found = list(held_states(slow, X @ cell.e_x.T, p, 20 * p, 1e-3))[p - 1 :: p]
        np.testing.assert_allclose(np.stack(found, axis=1), expected, atol=1e-10)


def test_noise_is_as_large_as_told_and_stays(lmu):
    """Over coefficients the mean of the relative squares; 400 sequences, 6 s.e."""
    params = chip_lmu(lmu, memory_d=2)
    m, _ = run_cell(params.cells[0], X, params.dt, last=True)
    rms = np.sqrt(np.mean(m**2, axis=0))
    errors = _errors(params.cells[0], rms, 0.2, 400, np.random.default_rng(1), CHIP.dt)
    several = np.stack([next(errors) for _ in range(31)])[::30]
    for e in several:
        relative = np.mean((e / rms) ** 2)
        assert relative == pytest.approx(0.04, rel=6 * np.sqrt(2 / 400))
    assert np.any(several[0] != several[1])


def test_noise_is_repeated_by_its_seed_and_costs(lmu):
    params = chip_lmu(lmu)
    a, b = (read_spikes(params, X, noise=0.3, seed=4).counts for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert np.any(read_spikes(params, X, noise=0.3, seed=5).counts != a)
    assert np.any(read_spikes(params, X).counts != a)


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_conversion_keeps_the_rate_that_was_trained_with(lmu, activation):
    params = chip_lmu(lmu, activation)
    made = convert(params, X, n_neurons=4000, presentation=0.005, max_rate=50.0)
    (hidden,) = made.hidden
    assert hidden.max_rate == CHIP.max_rate
    assert made.n_neurons == 4000
    np.testing.assert_array_equal(made.uses[0].top, np.ones(4))
    network = made.network()
    assert isinstance(network, LMUNetwork)
    loss, _ = predict_loss(made, X, forward(params, X, last=True), last=True)
    assert np.isfinite(loss)


def test_poisson_spikes_of_a_conversion_come_close_to_the_staircase(lmu):
    """Of a million, to a twentieth of the outputs' range (2e-2 is what was seen)."""
    params = chip_lmu(lmu)
    made = convert(params, X, n_neurons=1_000_000, presentation=0.01, synapse=0.1)
    y = present(made, X, last=True, around=0.0).y
    exact = forward(params, X, last=True)
    assert np.abs(y - exact).max() < 0.05 * np.ptp(exact)


def test_steps_of_a_chip_are_kept(lmu):
    options = {"n_neurons": 4000, "presentation": 0.004, "dt": 0.002}
    with pytest.raises(ValidationError, match=r"convert\.dt: 0.002 is not the step"):
        convert(chip_lmu(lmu), X, neuron_type="if", **options)
    convert(chip_lmu(lmu), X, **options)


def test_sensitivity_takes_the_smooth_slope(lmu):
    """Of few spikes a step the staircase is a rectifier, and so are its readouts."""
    slow = dataclasses.replace(CHIP, max_rate=0.01)
    params = chip_lmu(lmu)
    cell = dataclasses.replace(params.cells[0], chip=slow)
    relu = dataclasses.replace(params.cells[0], chip=None, activation="relu")
    found, expected = (
        calibrate(dataclasses.replace(params, cells=(c,)), X, last=True)[0].readouts
        for c in (cell, relu)
    )
    np.testing.assert_allclose(found.T @ found, expected.T @ expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("connections", "options", "message"),
    [
        ("W_x", {}, "has W_x, b_u, not e_x and W_m alone"),
        ("", {"n_cells": 2}, "has 2 cells, not one"),
        ("", {"activation": "relu"}, "has relu units, not a chip's"),
    ],
)
def test_what_cannot_be_read(lmu, connections, options, message):
    params = lmu(connections, **({"activation": "loihi-relu"} | options))
    with pytest.raises(ValidationError, match=message):
        read_spikes(params, X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0.0}, "read_spikes.window: 0.0 must be a positive number"),
        ({"late": -1.0}, "late: -1.0 puts the window before the first sample"),
        ({"noise": -1.0}, "read_spikes.noise: -1.0 must be a positive number"),
        ({"presentation": 0.0105}, "whole number of steps"),
    ],
)
def test_how_it_cannot_be_read(lmu, options, message):
    with pytest.raises(ValidationError, match=message):
        read_spikes(chip_lmu(lmu), X, **options)
