from functools import cache

import numpy as np
import pytest

from lmu_spiking import MemorySpec, Signal, SignalSpec, ValidationError
from lmu_spiking.errors import ValidityWarning
from lmu_spiking.studies.trial import run_trial
from lmu_spiking.theory.channels import ChannelBudgets, together
from lmu_spiking.theory.predict import predict

DT, THETA = 0.01, 0.5
BAND = SignalSpec(bandwidth=2.0, rms=1.0)
NAMES = ("volts", "degrees", "metres")
SIZES = (1e-9, 1.0, 1e6)
FIELDS = {"order": 4, "theta": THETA, "dt": DT, "tuning": "balanced", "tau": 0.3}


def memory(sizes=SIZES, each=60, **fields):
    signals = tuple(SignalSpec(2.0, size) for size in sizes)
    several = signals if len(sizes) > 1 else signals[0]
    channels = {"signal": several, "size_in": len(sizes)}
    return MemorySpec(each * len(sizes), **(FIELDS | channels | fields))


@cache
def recorded(sizes=SIZES, seconds=40.0):
    columns = [size * BAND.draw(seconds, DT, k).samples for k, size in enumerate(sizes)]
    samples, names = np.column_stack(columns), NAMES[: len(sizes)]
    return Signal(samples, DT, "mine", "test", periodic=True, channels=names)


def column(k):
    return Signal(recorded().samples[:, k], DT, "mine", "test", periodic=True)


@cache
def budgets(**fields) -> ChannelBudgets:
    return predict(memory(**fields), recorded())


# -- predicted -------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(3))
def test_a_channel_is_a_memory_of_its_own(k):
    """With its share of the neurons, and whatever the units of the others."""
    alone = predict(memory(sizes=SIZES[k : k + 1]), column(k))
    one = budgets().each[k]
    assert budgets().names == NAMES
    assert one.nrmse() == pytest.approx(alone.nrmse(), rel=1e-3)
    assert one.noise_nrmse() == pytest.approx(alone.noise_nrmse(), rel=1e-3)
    assert one.spikes_per_s == pytest.approx(alone.spikes_per_s, rel=1e-3)


def test_all_together_is_the_root_mean_square():
    found = budgets()
    for name in ("nrmse", "noise_nrmse", "window_noise_nrmse"):
        each = [getattr(budget, name)() for budget in found.each]
        assert getattr(found, name)() == pytest.approx(
            np.sqrt(np.mean(np.square(each)))
        )
    parts = found.parts()
    squares = sum(part**2 for part in parts.values())
    assert found.nrmse() == pytest.approx(np.sqrt(squares), rel=1e-3)
    assert found.spikes_per_s == sum(budget.spikes_per_s for budget in found.each)
    steps = len(recorded().samples)
    assert (found.signal.shape, found.states.shape) == ((steps, 3), (steps, 12))
    assert found.readout_rmse([0.1, 0.5]).shape == (3, 2)
    assert found.truncation_rmse().shape == (3, 1)


def test_errors_together_leave_silent_channels_out():
    assert together([3.0, float("nan"), 4.0]) == pytest.approx(np.sqrt(12.5))
    assert np.isnan(together([float("nan")] * 2))


def test_the_interval_of_several_is_narrower():
    """Spikes of channels are independent: by the root of three, or by less where it is
    the predictions that may be wrong."""
    found = budgets()
    (low, high), one = found.interval(), found.each[1].interval()
    assert low < found.noise_nrmse() < high
    ratio = (np.log(one[1]) - np.log(one[0])) / (np.log(high) - np.log(low))
    assert 1.1 < ratio < 1.1 * np.sqrt(3)
    ends = found.nrmse_interval()
    assert ends[0] < found.nrmse() < ends[1]


def test_staggered_channels_have_bounds_each():
    found = predict(memory(neuron_type="if", each=24), recorded())
    each = [budget.bound_nrmse() for budget in found.each]
    assert found.bound_nrmse() == pytest.approx(np.sqrt(np.mean(np.square(each))))
    assert found.bound(THETA).shape == (3, 1)
    assert (found.bound(THETA) > found.readout_rmse(THETA)).all()
    assert budgets().bound_nrmse() is None


# -- measured --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["poisson", "if"])
def test_what_is_measured_is_what_is_predicted(kind):
    """Of channels a quadrillion apart: 80 windows each, errors within 3 %."""
    row = run_trial(memory(neuron_type=kind, noise_seed=3), recorded()).row
    assert row["predicted_nrmse_low"] < row["predicted_nrmse"]
    assert row["predicted_nrmse"] < row["predicted_nrmse_high"]
    assert row["nrmse"] / row["predicted_nrmse"] == pytest.approx(1, abs=0.1)
    assert row["noise_nrmse"] / row["predicted_noise_nrmse"] == pytest.approx(
        1, abs=0.2
    )


def test_the_error_of_a_run_is_that_of_its_channels():
    found = run_trial(memory(noise_seed=4), recorded())
    window = round(THETA / DT)
    late, read = recorded().samples[:-window], found.decoded()[window:]
    each = np.sqrt(np.mean((read - late) ** 2, axis=0) / np.mean(late**2, axis=0))
    assert found.channels == NAMES
    assert found.row["nrmse"] == pytest.approx(np.sqrt(np.mean(each**2)), rel=0.05)
    assert (each < 1).all()


def test_a_silent_channel_is_told_and_does_not_count():
    samples = recorded().samples.copy()
    samples[:, 1] = 0
    quiet = Signal(samples, DT, "mine", "test", periodic=True, channels=NAMES)
    with pytest.warns(ValidityWarning, match="channel degrees: the signal is silent"):
        row = run_trial(memory(noise_seed=5), quiet).row
    heard = [budget.nrmse() for budget in (budgets().each[0], budgets().each[2])]
    assert row["predicted_nrmse"] == pytest.approx(
        np.sqrt(np.mean(np.square(heard))), rel=0.05
    )
    assert row["nrmse"] / row["predicted_nrmse"] == pytest.approx(1, abs=0.15)


def test_neurons_are_shared_evenly_and_add_up():
    """So neurons, spikes and states are linear in the channels."""
    one, many = memory(sizes=(1.0,)), memory(sizes=(1.0,) * 12)
    assert many.n_neurons == 12 * one.n_neurons
    u = BAND.draw(10.0, DT).samples
    few = predict(one, u).spikes_per_s
    all_of_them = predict(many, np.repeat(u[:, None], 12, axis=1)).spikes_per_s
    assert all_of_them == pytest.approx(12 * few)


# -- refused ---------------------------------------------------------------------------


def test_other_channels_than_those_of_the_memory_are_refused():
    with pytest.raises(ValidationError, match=r"must be finite samples \(T, 2\)"):
        predict(memory(sizes=(1.0, 1.0)), recorded())
    with pytest.raises(ValidationError, match=r"MemorySpec\.signal"):
        MemorySpec(60, 3, size_in=3, signal=(BAND, BAND))
