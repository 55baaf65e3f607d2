"""The compiled loop says so where it has to be compiled."""

import time

import numpy as np
import pytest

from lmu_spiking.simulator import compiled


class Machine:
    """Stands for the loop of numba."""

    def __init__(self, seconds, known):
        self.signatures, self.seconds, self.calls = known, seconds, []

    def advance(self, *arguments):
        self.calls.append(arguments)
        time.sleep(self.seconds)


@pytest.mark.parametrize(
    ("seconds", "known", "said"), [(0.2, [], True), (0, [], False), (0.2, [1], False)]
)
def test_a_cold_cache_is_said_once_on_standard_error(
    seconds, known, said, monkeypatch, capsys
):
    machine = Machine(seconds, known)
    machine.advance.__func__.signatures = known
    monkeypatch.setattr(compiled, "machine", machine)
    monkeypatch.setattr(compiled, "PATIENCE", 0.05)
    compiled.advance(1, 2)
    out, err = capsys.readouterr()
    assert machine.calls == [(1, 2)] and out == ""
    assert ("compiling" in err) == said and err.count("\n") == said


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 7, 64, 1001])
def test_the_first_nan_is_found(n, dtype):
    x = np.linspace(-1e30, 1e30, n).astype(dtype)
    assert compiled.first_nan(x) == -1
    x[0] = np.inf
    assert compiled.first_nan(x) == -1
    for k in (n - 1, n // 2, 0):
        x[k] = np.nan
        assert compiled.first_nan(x) == k
    assert compiled.first_nan(x[:0]) == -1
