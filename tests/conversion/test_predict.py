from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking.conversion.conversion import convert
from lmu_spiking.conversion.predict import cell_noise, noisy_forward
from lmu_spiking.conversion.run import present
from lmu_spiking.errors import ValidityWarning
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams


def variance(e):
    """Variances of columns (n, q), and the standard errors of those."""
    e = e - e.mean(axis=0)
    square = e**2
    return square.mean(axis=0), square.std(axis=0) / np.sqrt(len(e))


@pytest.mark.parametrize("feedback", [None, "auto"])
@pytest.mark.parametrize("tuning", ["balanced", "pairs"])
@pytest.mark.parametrize("neurons", ["poisson", "stochastic"])
def test_a_linear_cell_is_as_noisy_as_the_law_says(lmu, tuning, neurons, feedback):
    """Mean within 4 standard errors, variance within 4 and the model's own 10 %.

    The model leaves out that stochastic neurons are a little quieter than Poisson ones
    and takes a lowpass of a readout for a window of two time constants.
    """
    params = lmu("", activation="linear", theta=0.012, bias=False)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1500, 25, 1))
    made = convert(
        params,
        x,
        last=True,
        n_neurons=600,
        presentation=0.002,
        tuning=tuning,
        synapse=0.02,
        neuron_type=neurons,
        hidden_share=0.3,
        error_feedback=feedback,
    )
    exact = forward(params, x, last=True)
    measured = present(made, x, last=True, around=0.0).y - exact
    predicted = noisy_forward(made, x, cell_noise(made), rng, last=True) - exact
    z = measured.mean(axis=0) / (measured.std(axis=0) / np.sqrt(len(x)))
    assert np.abs(z).max() < 4
    (one, se_one), (other, se_other) = variance(measured), variance(predicted)
    tolerance = 4 * np.sqrt(se_one**2 + se_other**2) + 0.1 * other
    assert np.all(np.abs(one - other) < tolerance)


def test_spikes_of_memories_are_foretold(lmu):
    """Within 2 %: the rate is a mean over 1,500 independent ends of sequences."""
    params = lmu("", theta=0.012, bias=False)
    x = np.random.default_rng(1).standard_normal((300, 40, 1))
    made = convert(params, x, n_neurons=6000, presentation=0.002, synapse=0.02)
    found = present(made, x, last=True, around=0.0).memory_spikes
    long = present(made, x[:, :20], last=True, around=0.0).memory_spikes
    per_s = (found - long).mean() / (20 * 0.002)  # once the window is full
    (noise,) = cell_noise(made)
    assert per_s == pytest.approx(noise.memory_spikes_per_s, rel=0.1)


def test_the_end_is_the_last_of_all_steps_in_distribution(lmu):
    """Two ways of drawing: means within 4 standard errors, variances too."""
    params = lmu("W_x", bias=True)
    with_h = lmu("W_x W_h", bias=True)
    slow = with_h.updated(params.arrays() | {"cell0.W_h": np.zeros((3, 3))})
    x = np.random.default_rng(2).standard_normal((1, 15, 1)).repeat(3000, axis=0)
    options = {"n_neurons": 900, "presentation": 0.002, "synapse": 0.02}
    ends = []
    for p in (params, slow):
        made = convert(p, x[:5], last=True, **options)
        noise = cell_noise(made)
        rng = np.random.default_rng(3)
        ends.append(noisy_forward(made, x, noise, rng, last=True))
    every = noisy_forward(made, x, noise, rng)
    assert every.shape == (3000, 15, 2)
    ends.append(every[:, -1])
    for one, other in ((ends[0], ends[1]), (ends[1], ends[2])):
        gap = one.mean(axis=0) - other.mean(axis=0)
        assert np.all(np.abs(gap) < 4 * np.sqrt((one.var(0) + other.var(0)) / 3000))
        (v, se), (w, sf) = variance(one), variance(other)
        assert np.all(np.abs(v - w) < 4 * np.hypot(se, sf))


@pytest.mark.parametrize("neurons", [10**3, 10**5])
def test_noise_falls_as_the_neurons_rise(lmu, neurons):
    """``P ~ 1 / m``: a hundred times the neurons, a hundredth of it, in the limit."""
    x = np.random.default_rng(2).standard_normal((20, 30, 1))
    options = {"presentation": 0.005, "synapse": 0.03, "tuning": "pairs"}
    few, many = (
        cell_noise(convert(lmu("e_h", memory_d=2), x, n_neurons=n, **options))[0]
        for n in (neurons, 100 * neurons)
    )
    ratio = np.trace(few.P, axis1=1, axis2=2) / np.trace(many.P, axis1=1, axis2=2)
    assert few.P.shape == (2, 3, 3)
    assert np.all(ratio > 90)
    if neurons == 10**5:
        np.testing.assert_allclose(ratio, 100, rtol=0.1)


def test_without_noise_it_is_the_rate_model(lmu):
    params = lmu("e_h e_m W_x W_h", n_cells=2, memory_d=2)
    x = np.random.default_rng(2).standard_normal((3, 20, 1))
    made = convert(
        params, x, n_neurons=10**14, presentation=0.005, synapse=0.03, tuning="pairs"
    )
    rng = np.random.default_rng(0)
    for last in (False, True):
        found = noisy_forward(made, x, cell_noise(made), rng, last=last)
        np.testing.assert_allclose(found, forward(params, x, last=last), atol=1e-3)


@pytest.mark.parametrize("asked", [None, (100.0, 0.01)])
def test_a_mixed_end_is_the_last_of_all_steps_in_distribution(lmu, asked):
    """Noise that starts a few outputs before the end is that of all steps."""
    params = lmu("W_x", bias=True)
    x = np.random.default_rng(2).standard_normal((1, 25, 1)).repeat(2000, axis=0)
    options = {"n_neurons": 900, "presentation": 0.005, "synapse": 0.03}
    options |= {"readout_synapse": 0.0015, "error_feedback": asked}
    made = convert(params, x[:5], last=True, **options)
    noise, rng = cell_noise(made), np.random.default_rng(3)
    last = noisy_forward(made, x, noise, rng, last=True)
    every = noisy_forward(made, x, noise, rng)[:, -1]
    gap = last.mean(axis=0) - every.mean(axis=0)
    assert np.all(np.abs(gap) < 4 * np.sqrt((last.var(0) + every.var(0)) / 2000))
    (v, se), (w, sf) = variance(last), variance(every)
    assert np.all(np.abs(v - w) < 4 * np.hypot(se, sf))


@pytest.mark.parametrize("n_cells", [1, 2])
def test_a_readouts_lowpass_is_foretold(lmu, n_cells):
    """Without noise: what it keeps of earlier samples; with noise: how little of it."""
    params = lmu("W_x W_h", n_cells=n_cells, theta=0.02)
    x = np.random.default_rng(2).standard_normal((300, 12, 1))
    options = {"presentation": 0.005, "synapse": 0.03, "tuning": "pairs"}
    options |= {"readout_synapse": 0.003, "hidden_share": 0.01}
    with pytest.warns(ValidityWarning):
        many, few = (convert(params, x, n_neurons=n, **options) for n in (10**14, 3000))
    rng = np.random.default_rng(0)
    predicted = noisy_forward(many, x[:4], cell_noise(many), rng)
    shown = present(many, x[:4], around=0.0).y
    np.testing.assert_allclose(shown, predicted, atol=2e-3)
    assert np.abs(predicted - forward(params, x[:4])).max() > 0.05
    last = noisy_forward(many, x[:4], cell_noise(many), rng, last=True)
    np.testing.assert_allclose(last, predicted[:, -1], atol=2e-3)
    mean = noisy_forward(many, x, cell_noise(many), rng)
    spread = [
        np.mean((y - mean) ** 2)
        for y in (present(few, x).y, noisy_forward(few, x, cell_noise(few), rng))
    ]
    assert spread[0] == pytest.approx(spread[1], rel=0.15)


@pytest.mark.parametrize(
    ("connections", "n_cells"), [("W_x", 2), ("W_x W_h", 1), ("e_h", 1)]
)
def test_what_stages_hear_of_each_other_is_as_noisy_as_predicted(
    lmu, connections, n_cells
):
    """Mean square errors within 10 %, where units have few neurons."""
    params = lmu(connections, activation="relu", n_cells=n_cells, theta=0.03)
    x = np.random.default_rng(3).standard_normal((300, 25, 1))
    options = {"presentation": 0.008, "synapse": 0.05, "hidden_share": 0.02}
    made = convert(params, x, n_neurons=6000, **options)
    exact, rng = forward(params, x), np.random.default_rng(4)
    measured = np.mean((present(made, x, around=0.0).y - exact)[:, 5:] ** 2)
    predicted = noisy_forward(made, x, cell_noise(made), rng) - exact
    assert measured == pytest.approx(np.mean(predicted[:, 5:] ** 2), rel=0.1)


def test_what_ceilings_cut_off_unlike_data_is_predicted(lmu):
    """Within 10 %, where the error is four times that without the ceilings."""
    params = lmu("W_x", activation="linear", theta=0.03)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((200, 25, 1))
    options = {"n_neurons": 20_000, "presentation": 0.005, "hidden_share": 0.97}
    made = convert(params, x, tuning="optimal", **options)
    phases = rng.uniform(0, 2 * np.pi, (60, 1, 1))
    loud = 8 * np.sin(0.3 * np.arange(25)[:, None] + phases)
    exact = forward(params, loud)[:, 5:]
    measured = np.mean((present(made, loud, around=0.0).y[:, 5:] - exact) ** 2)
    noise = cell_noise(made, loud)
    predicted, free = (
        np.mean((noisy_forward(made, loud, n, rng)[:, 5:] - exact) ** 2)
        for n in (noise, [replace(cell, ceiling=None) for cell in noise])
    )
    assert measured == pytest.approx(predicted, rel=0.2)  # of squares
    assert predicted > 16 * free
    last = noisy_forward(made, loud, noise, rng, last=True) - exact[:, -1]
    assert np.mean(last**2) > 16 * free


def test_memories_are_as_noisy_as_the_data_make_them(lmu):
    params = lmu("W_x", n_cells=2, memory_d=2, bias=False)
    x = np.random.default_rng(2).standard_normal((20, 30, 1))
    made = convert(params, x, n_neurons=10**6, presentation=0.005, tuning="pairs")
    for own, same in zip(cell_noise(made), cell_noise(made, x), strict=True):
        np.testing.assert_allclose(own.P, same.P)
        assert own.memory_spikes_per_s == pytest.approx(same.memory_spikes_per_s)
    first, loud = (cell_noise(made, data)[0] for data in (x, 4 * x))
    np.testing.assert_allclose(loud.P, 4 * first.P, rtol=0.05)


def test_sides_that_are_silent_keep_their_rounding_error():
    """States that change their sign at every other step have twice the error."""
    cell = {"units": 10, "order": 24, "theta": 0.06, "activation": "linear"}
    params = LMUParams.draw(1, 3, [cell | {"connections": ""}], dt=0.001, seed=3)
    x = np.random.default_rng(1).standard_normal((400, 130, 1))
    options = {"presentation": 0.001, "synapse": 0.01, "neuron_type": "if"}
    n = 1000 + 10 * 2000  # units that round to little
    made = convert(params, x, last=True, n_neurons=n, hidden_share=20 / 21, **options)
    exact = forward(params, x, last=True)
    measured = np.var(present(made, x, last=True, around=0.0).y - exact)
    rng = np.random.default_rng(2)
    white, run = (
        np.var(noisy_forward(made, x, noise, rng, last=True) - exact)
        for noise in (cell_noise(made), cell_noise(made, x))
    )
    assert run == pytest.approx(measured, rel=0.15)
    assert white < 0.6 * measured
