import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.pulses import Pulses, encode
from lmu_spiking.neurons.bare_ensemble import driven

numbers = st.lists(st.floats(-1, 1), min_size=1, max_size=200)


@given(numbers, st.integers(1, 16))
def test_spikes_of_a_pair_follow_the_sum_of_the_input(x, pairs):
    sent = np.cumsum(encode(np.array(x), pairs), axis=0)
    of_pair = sent[:, ::2] - sent[:, 1::2]
    assert np.abs(of_pair - np.cumsum(x)[:, None]).max() <= 1 + 1e-9


@given(numbers, st.integers(1, 16))
def test_all_pairs_together_follow_it_to_half_a_spike(x, pairs):
    sent = np.cumsum(encode(np.array(x), pairs), axis=0)
    total = (sent[:, ::2] - sent[:, 1::2]).sum(axis=1)
    assert np.abs(total - pairs * np.cumsum(x)).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("pairs", [1, 2, 4, 8, 16])
def test_the_first_pairs_are_evenly_staggered(pairs):
    starts = Pulses(pairs).initial_state["residual"].samples[::2, 0]
    for first in (n for n in (1, 2, 4, 8, 16) if n <= pairs):
        gaps = np.diff(np.sort(starts[:first] % 1.0))
        np.testing.assert_allclose(gaps, 1 / first, rtol=1e-12)
    assert starts.sum() == pytest.approx(0.0)
    assert (np.abs(starts) < 0.5).all()


@given(numbers)
def test_no_pair_is_on_and_off_at_once(x):
    sent = encode(np.array(x), 4)
    assert set(np.unique(sent)) <= {0.0, 1.0}
    assert (sent[:, ::2] + sent[:, 1::2]).max() <= 1
    np.testing.assert_array_equal((sent[:, ::2] * (np.array(x) <= -0.5)[:, None]), 0)


def test_nothing_is_silent_and_one_is_a_spike_in_every_step():
    assert not encode(np.zeros(50), 16).any()
    full = encode(np.ones(50), 16)
    assert full[:, ::2].all() and not full[:, 1::2].any()


def test_beyond_one_the_remainder_waits_and_is_bounded():
    x = np.r_[np.full(100, 5.0), np.zeros(100)]
    np.testing.assert_array_equal(encode(x, 4), encode(np.clip(x, -1, 1), 4))


def test_inputs_side_by_side_are_inputs_alone():
    x = np.random.RandomState(0).uniform(-1, 1, (2, 3, 40))
    together = encode(x, 4)
    assert together.shape == (2, 3, 40, 8)
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(together[i, j], encode(x[i, j], 4))


@pytest.mark.parametrize("dt", [0.0005, 0.001, 0.002])
@pytest.mark.parametrize("pairs", [1, 3, 16])
def test_encode_is_the_neuron_type_in_nengo(simulator, pairs, dt):
    x = 1.2 * np.sin(np.arange(300) * 0.05)
    with nengo.Network() as net:
        u = nengo.Node(nengo.processes.PresentInput(x[:, None], dt))
        neurons = driven(2 * pairs, Pulses(pairs))
        nengo.Connection(
            u, neurons.neurons, transform=np.ones((2 * pairs, 1)), synapse=None
        )
        probe = nengo.Probe(neurons.neurons)
    with simulator(net, dt) as sim:
        sim.run_steps(300)
    np.testing.assert_allclose(sim.data[probe] * dt, encode(x, pairs), rtol=1e-12)


def test_rates_are_the_input():
    neurons = Pulses(2)
    x = np.linspace(-1, 1, 5)
    sent = encode(np.repeat(x[:, None], 2000, axis=1), 2).mean(axis=1)
    rates = neurons.rates(np.tile(x[:, None], 4), np.ones(4), np.zeros(4))
    np.testing.assert_allclose(sent, rates / 1000, atol=1e-3)


@given(numbers, st.integers(1, 6))
def test_a_coarse_pair_follows_the_sum_to_half_its_size(x, k):
    size = 2.0**k
    sent = np.cumsum(encode(np.array(x), [1, 1, size]), axis=0)
    of_pair = size * (sent[:, 4] - sent[:, 5])
    assert np.abs(of_pair - np.cumsum(x)).max() <= size / 2 + 1e-9
    np.testing.assert_array_equal(sent[:, :4], np.cumsum(encode(np.array(x), 2), 0))


def test_a_coarse_pair_spikes_as_much_less_often():
    neurons, x = Pulses([1, 4]), np.array([0.3, -0.7])
    sent = encode(np.repeat(x[:, None], 4000, axis=1), [1, 4]).mean(axis=1)
    rates = neurons.rates(np.tile(x[:, None], 4), np.ones(4), np.zeros(4))
    np.testing.assert_allclose(sent, rates / 1000, atol=1e-3)


@pytest.mark.parametrize("sizes", [0, -1, 1.5, True, None, "2"])
def test_pairs_are_a_whole_number(sizes):
    with pytest.raises(ValidationError, match=r"Pulses\.sizes: .* must be a whole"):
        Pulses(sizes)


@pytest.mark.parametrize("sizes", [[], [[1, 2]], [1, 0.5], [1, np.nan]])
def test_sizes_are_one_or_more(sizes):
    with pytest.raises(ValidationError, match=r"Pulses\.sizes: .* at least 1"):
        Pulses(sizes)
