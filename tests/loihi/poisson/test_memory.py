"""A memory of noisy neurons: whole-numbered weights, and its error as predicted."""

import nengo
import numpy as np
import pytest

from lmu_spiking import LDN, ValidationError, white_noise

pytest.importorskip("nengo_loihi")

from lmu_spiking.loihi.poisson.memory import (
    LARGEST,
    build_noisy_memory,
    predict_noise,
    run_noisy_memory,
    spread,
)
from lmu_spiking.loihi.poisson.neuron import rate_of

DT, THETA = 1e-3, 0.5


def trial(target, order, n_neurons, seed, duration=6.0, **options):
    """Return the root mean square of the state's error, measured and predicted."""
    u = white_noise(duration, DT, 2.0, 0.5, seed).samples
    memory = build_noisy_memory(
        u,
        order=order,
        theta=THETA,
        n_neurons=n_neurons,
        target=target,
        seed=seed,
        **options,
    )
    exact = np.zeros((len(u), order))
    exact[1:] = LDN(order, THETA).simulate(u, DT)[:-1]
    state, _ = run_noisy_memory(memory, len(u), seed)
    error = state - exact
    covariance, _ = predict_noise(memory, exact)
    predicted = np.sqrt(np.trace(covariance) / order)
    return np.sqrt(np.mean(error**2)), predicted


def test_rounding_is_handed_on_to_the_next_neuron():
    weights = np.random.default_rng(0).normal(size=(3, 2)) * 5
    K = spread(weights, 40).reshape(3, 40, 2, 2)  # d, neuron, sign, number
    np.testing.assert_array_equal(K, np.round(K))
    np.testing.assert_array_equal(K[:, :, 1], -K[:, :, 0])
    assert np.abs(K[:, :, 0] - weights[:, None]).max() <= 1
    assert np.abs(K[:, :, 0].sum(axis=1) - 40 * weights).max() <= 0.5


@pytest.mark.parametrize("target", ["core", "emulator"])
def test_in_the_mean_it_is_the_delay_network(target):
    """The mean drive at rates of ``x`` is ``A' x``, to the pair's hundredth."""
    memory = build_noisy_memory(
        np.zeros(10), order=4, theta=THETA, n_neurons=160, target=target
    )
    x = np.random.default_rng(1).uniform(-1, 1, (200, 4))
    signed = np.tile(np.vstack([np.eye(4), -np.eye(4)]), (20, 1))
    rates = rate_of(memory.tops[0] * x @ signed.T)
    found = rates @ memory.recurrent[:, :-1].T
    wanted = x @ memory.mapped.A.T
    limit = 0.01 * np.abs(memory.mapped.A).sum(axis=1)
    assert np.all(np.abs(found - wanted) < limit)
    a = memory.mapped.loop.F.item()
    exact = np.exp(-DT / 0.1)
    assert a == pytest.approx(exact, rel=1e-9 if target == "core" else 1e-4)


def test_relays_take_turns():
    """An input alone, as ``A' = 0``: relays are wrong by a spike of one, not of all."""
    u = np.full(1000, 0.37)
    memory = build_noisy_memory(
        u, order=1, theta=0.1, n_neurons=24, target="core", tau=0.1
    )
    with nengo.Simulator(memory.network, dt=DT, progress_bar=False) as sim:
        sim.run_steps(len(u))
    sent = np.cumsum((sim.data[memory.relayed] > 0) @ memory.feed.T)
    error = sent - np.cumsum(u) * DT * memory.mapped.B.item()
    one = np.abs(memory.feed).max()
    assert np.ptp(error) < 2 * one


@pytest.mark.parametrize("order", [3, 6])
def test_the_error_is_on_the_law_in_core_nengo(order):
    pairs = [trial("core", order, 120, seed) for seed in range(4)]
    measured, predicted = np.sqrt(np.mean(np.square(pairs), axis=0))
    # 24 s of noise that lasts a tenth: about 5 % of standard error; counts over long
    # times are up to 9 % more variable than Poisson counts
    assert measured == pytest.approx(predicted, rel=0.2)


def test_the_error_is_on_the_law_on_the_emulator():
    """Without a warning, which would be an error: no bit lost, no overflow."""
    pairs = [trial("emulator", 3, 120, seed) for seed in range(3)]
    measured, predicted = np.sqrt(np.mean(np.square(pairs), axis=0))
    assert measured == pytest.approx(predicted, rel=0.25)


@pytest.mark.parametrize("kept", [1 / 64, 1 / 8])
def test_all_weights_survive_on_the_chip(kept):
    """Whole steps come through nengo-loihi's rounding as they are."""
    import nengo_loihi

    from lmu_spiking.loihi.poisson import neuron as noise_chip

    u = white_noise(1.0, DT, 2.0, 0.5, 0).samples
    memory = build_noisy_memory(u, order=3, theta=THETA, n_neurons=60, kept=kept)
    noise_chip.register()
    with nengo_loihi.Simulator(memory.network, target="sim") as sim:
        noise_chip.check_noise(sim)
        (block,) = sim.model.blocks
        found = [np.array([w[0] for w in s.weights]) for s in block.synapses]
        exponents = {s.synapse_cfg.weight_exp for s in block.synapses}
    steps = next(w / 64 for w in found if w.shape == (61, 61))
    np.testing.assert_array_equal(steps, np.round(steps))
    assert np.abs(steps).max() == LARGEST
    first = np.array([0, 1, 2])  # the neurons of sign +1 of each dimension
    sent = memory.recurrent[:, :-1].T
    worth = sent.max() / steps[:-1, first].max()
    np.testing.assert_allclose(sent, worth * steps[:-1, first], rtol=1e-6)
    assert exponents <= {0, -1}


def test_neurons_come_in_pairs():
    with pytest.raises(ValidationError, match=r"not a multiple of 12.*use 96"):
        build_noisy_memory(np.zeros(9), order=6, theta=THETA, n_neurons=100)


def test_weights_that_are_too_large_are_refused_with_a_number_that_works():
    with pytest.raises(ValidationError, match="steps, above the chip's 127") as refusal:
        build_noisy_memory(np.zeros(9), order=6, theta=THETA, n_neurons=24)
    least = int(str(refusal.value).split("at least ")[1].split()[0])
    memory = build_noisy_memory(np.zeros(9), order=6, theta=THETA, n_neurons=least)
    assert isinstance(memory.network, nengo.Network)
