import numpy as np
import pandas as pd
import pytest
from scipy.linalg import solve_continuous_lyapunov

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.experiments.published import delay_network as module
from lmu_spiking.experiments.published.delay_network import (
    OUR_TAU,
    PUBLISHED,
    reproduce,
)
from lmu_spiking.experiments.published.delay_run import (
    DT,
    TAU,
    as_published,
    balanced,
    ours,
    remembered,
    signal,
)

LDN3 = LDN(3, 0.1)


def test_balanced_gramians_are_equal_up_to_the_radii():
    system, radii = balanced(LDN3), 1 / np.arange(1, 4)
    C = LDN3.readout(0.1) @ system.transform
    P = solve_continuous_lyapunov(system.A, -np.outer(system.B, system.B))
    Q = solve_continuous_lyapunov(system.A.T, -np.outer(C, C))
    values = np.diag(P) * radii**2
    np.testing.assert_allclose(P, np.diag(values / radii**2), atol=1e-9)
    np.testing.assert_allclose(Q, np.diag(values * radii**2), atol=1e-9)
    assert np.all(np.diff(values) < 0)


def test_delay_is_that_of_pade():
    """The thesis's PadeDelay(0.1, order=3), orders 2 and 3, in closed form."""
    numerator = np.polynomial.Polynomial([1, -2 / 5, 1 / 20])
    denominator = np.polynomial.Polynomial([1, 3 / 5, 3 / 20, 1 / 60])
    system = balanced(LDN3)
    C = LDN3.readout(0.1) @ system.transform
    for f in (0.5, 3.0, 20.0):
        s = 2j * np.pi * f
        found = C @ np.linalg.solve(s * np.eye(3) - system.A, system.B)
        assert found == pytest.approx(numerator(0.1 * s) / denominator(0.1 * s))


def test_remembered_is_exact_for_exact_decoding():
    u = signal(0)
    exact = LDN3.simulate(u, DT)
    before = np.vstack([np.zeros(3), exact[:-1]])
    np.testing.assert_allclose(remembered(LDN3, before, u), exact, atol=1e-11)


@pytest.mark.parametrize("tau", [TAU, OUR_TAU])
def test_rate_neurons_have_no_error(tau):
    """Whichever way they are read: the metric itself adds nothing."""
    assert ours("rate", tau, (3.0, 2.0, 1.0), 1, 0)["aligned"] < 1e-9


def test_states_a_step_late_add_to_the_error():
    found = [as_published(case, case) for case in (1, 2, 3)]
    assert np.mean([e["late"] for e in found]) > np.mean([e["aligned"] for e in found])


def test_tiny_reproduction(monkeypatch):
    monkeypatch.setattr(module, "CASES", 2)
    monkeypatch.setattr(module, "installed", lambda: False)
    columns = module._columns()
    monkeypatch.setattr(
        module, "_columns", lambda: {k: columns[k] for k in ("published", "if")}
    )
    found = reproduce(fast=True)
    names = [one.what for one in found.comparisons]
    assert names[:3] == ["CPU, as published", "CPU, aligned", "ours, if, tau 0.1 s"]
    assert {one.published for one in found.comparisons[3:]} == set(
        list(PUBLISHED.values())[1:]
    )
    says = [one.say for one in found.comparisons[3:]]
    assert says == [module.MISSING, "not run here", "not run here"]
    assert len(found.data["runs"]) == 2 * 4


def test_the_emulator_has_two_rows(monkeypatch):
    """As published and ours, each from its own runs; late and aligned kept apart."""
    columns = module._columns()
    monkeypatch.setattr(module, "_columns", lambda: {"published": columns["published"]})
    monkeypatch.setattr(module, "CASES", 2)
    monkeypatch.setattr(module, "installed", lambda: True)

    def run(cases, advance):
        rows = [
            {"column": column, "case": case, "late": 0.2 + k, "aligned": 0.1 + k}
            for k, column in enumerate(module.COLUMNS)
            for case in cases
        ]
        return advance(rows[0]) or pd.DataFrame(rows)

    monkeypatch.setattr(module, "run_emulator", run)
    found = {one.what: one for one in reproduce(fast=True).comparisons}
    assert found["Loihi emulator, as published"].ours == pytest.approx(0.2)
    assert found["Loihi emulator, as published"].published == PUBLISHED["emulator"]
    assert found["Loihi emulator, ours"].ours == pytest.approx(1.1)


@pytest.mark.slow
def test_the_emulator_as_published_is_in_its_interval():
    pytest.importorskip("nengo_loihi")
    runs = module.run_emulator(range(1, 11), lambda row: None)
    late = runs[runs.column == module.COLUMNS[0]].late
    low, high = PUBLISHED["emulator"]
    margin = 2 * late.std() / np.sqrt(len(late))
    assert low - margin < late.mean() < high + margin
    ours = runs[runs.column == module.COLUMNS[1]].aligned
    assert ours.mean() < 0.10


@pytest.mark.slow
def test_published_interval_is_met():
    """The mean of 100 runs, within its own interval of the published one."""
    runs = [as_published(1 + k % 10, k)["late"] for k in range(100)]
    margin = 2 * np.std(runs) / np.sqrt(len(runs))
    low, high = PUBLISHED["cpu"]
    assert low - margin < np.mean(runs) < high + margin
