import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.errors import SignalFileError, ValidationError
from lmu_spiking.signals.columns import (
    column_index,
    is_time,
    listing,
    signal_and_time,
    uniform_step,
)


@pytest.mark.parametrize(
    "name", ["t", "T", "time", " Time (s)", "time [s]", "TIME_SECONDS"]
)
def test_names_of_time(name):
    assert is_time(name)


@pytest.mark.parametrize("name", ["", "u", "time_ms", "timestamp", "theta", "0"])
def test_names_of_other_things(name):
    assert not is_time(name)


@pytest.mark.parametrize("column", [1, "1", "b", np.int64(1)])
def test_column_by_name_or_position(column):
    assert column_index(column, ["a", "b"]) == 1


def test_a_name_comes_before_a_position():
    assert column_index("0", ["1", "0"]) == 1


@pytest.mark.parametrize("column", ["c", "B", "", 2, -1, 0.0, True, "2", "-1", "²"])
def test_unknown_column(column):
    with pytest.raises(ValidationError, match=r"not in the file; choose one of a, b$"):
        column_index(column, ["a", "b"])


@pytest.mark.parametrize(
    ("column", "names", "headed", "expected"),
    [
        (None, ["0"], False, (0, None)),
        (None, ["u"], True, (0, None)),
        (None, ["time", "u"], True, (1, 0)),
        ("b", ["time", "a", "b"], True, (2, 0)),
        (2, ["time", "a", "b"], True, (2, 0)),
        ("b", ["a", "b"], True, (1, None)),
        (0, ["0", "1"], False, (0, None)),
        (1, ["0", "1"], False, (1, 0)),
    ],
)
def test_signal_and_time(column, names, headed, expected):
    assert signal_and_time(column, names, headed, timed=True) == expected
    assert signal_and_time(column, names, headed, timed=False) == (expected[0], None)


@pytest.mark.parametrize(
    ("column", "names", "headed", "error", "message"),
    [
        (None, ["time"], True, SignalFileError, "holds time and no signal"),
        (None, ["t", "a", "b"], True, SignalFileError, "2 columns, a, b: choose one"),
        (None, ["0", "1"], False, SignalFileError, "column 1 and later have time in 0"),
        ("t", ["t", "a"], True, ValidationError, "'t' is the time column"),
        ("a", ["time_ms", "a"], True, SignalFileError, "not known as time in seconds"),
    ],
)
def test_open_or_wrong_choices(column, names, headed, error, message):
    with pytest.raises(error) as caught:
        signal_and_time(column, names, headed, timed=True)
    assert message in str(caught.value)


def test_a_sampling_rate_stands_in_for_time_in_another_unit():
    assert signal_and_time("a", ["time_ms", "a"], True, timed=False) == (1, None)


@given(
    n=st.integers(2, 100),
    step=st.floats(1e-5, 10),
    start=st.floats(-1e3, 1e3),
    seed=st.integers(0, 1000),
)
def test_step_of_jittered_times(n, step, start, seed):
    jitter = np.random.default_rng(seed).uniform(-0.0024, 0.0024, n)
    times = start + (np.arange(n) + jitter) * step
    assert uniform_step(times) == pytest.approx(step, rel=0.005 / (n - 1) + 1e-6)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.0], "too short"),
        ([0.0, 1.0, 1.0], "does not increase after 1 s"),
        ([0.0, 1.0, 0.5], "does not increase after 1 s"),
        ([0.0, 1.0, 2.0, 4.0, 5.0], "a step of 2 s after 2 s, 1.25 s on average"),
        ([0.0, 1.0, 2.03, 3.0], "time is uneven"),
    ],
)
def test_times_that_are_no_grid(times, message):
    with pytest.raises(SignalFileError) as error:
        uniform_step(np.array(times))
    assert message in str(error.value)


def test_listing():
    assert listing(["a", "b\nc"]) == "a, b c"
    assert listing(list("abc"), most=2) == "a, b, ..."
