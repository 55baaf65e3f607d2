from dataclasses import FrozenInstanceError
from fractions import Fraction
from math import comb, factorial

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from scipy.integrate import quad
from scipy.signal import cont2discrete

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError

orders = st.integers(1, 40)
steps = st.floats(1e-5, 1.0)  # dt / theta


def balanced(ldn, matrix):
    """In coordinates where the Euclidean norm is the energy of the window."""
    scale = np.sqrt(2.0 * np.arange(ldn.order) + 1)
    return matrix * scale / scale[:, None]


def pade(order):
    """Numerator and denominator of the [d-1/d] Pade approximant of exp(-s)."""
    n, d = order - 1, order

    def coefficient(k, degree, sign):
        top = factorial(n + d - k) * comb(degree, k) * sign**k
        return Fraction(top, factorial(n + d))

    numerator = [coefficient(k, n, -1) for k in range(n + 1)]
    return numerator, [coefficient(k, d, 1) for k in range(d + 1)]


# -- the system ------------------------------------------------------------------------


def test_is_the_published_system():
    A, B = LDN(4, 0.5).A, LDN(4, 0.5).B
    np.testing.assert_array_equal(
        A, [[-1, -1, -1, -1], [3, -3, -3, -3], [-5, 5, -5, -5], [7, -7, 7, -7]]
    )
    np.testing.assert_array_equal(B, [1, -3, 5, -7])


@pytest.mark.parametrize("order", [1, 2, 5, 30])
def test_follows_its_formula_entry_by_entry(order):
    ldn = LDN(order, 1.0)
    for i in range(order):
        assert ldn.B[i] == (2 * i + 1) * (-1) ** i
        for j in range(order):
            sign = -1 if i < j else (-1) ** (i - j + 1)
            assert ldn.A[i, j] == (2 * i + 1) * sign


@pytest.mark.parametrize("order", range(1, 11))
def test_the_oldest_readout_is_a_pade_delay(order):
    """``c (s - A)^-1 B`` at r = 1 is the [d-1/d] Pade approximant of ``exp(-s)``."""
    ldn = LDN(order, 0.7)
    numerator, denominator = pade(order)
    c = ldn.readout(ldn.theta)
    for s in (0.3, 2j, -1 + 5j):
        found = c @ np.linalg.solve(s * np.eye(order) - ldn.A, ldn.B)
        wanted = Polynomial(numerator)(s) / Polynomial(denominator)(s)
        assert found == pytest.approx(complex(wanted), rel=1e-9)


@given(order=orders)
def test_energy_leaves_at_both_ends_of_the_window(order):
    """``A + A^T = -(s s^T + a a^T)``: ``exp(A t)`` is a contraction."""
    ldn = LDN(order, 1.0)
    A = balanced(ldn, ldn.A)
    scale = np.sqrt(2.0 * np.arange(order) + 1)
    newest, oldest = scale * ldn.basis(0.0), scale * ldn.basis(1.0)
    expected = -np.outer(newest, newest) - np.outer(oldest, oldest)
    np.testing.assert_allclose(A + A.T, expected, atol=1e-10)


def test_is_a_value():
    assert LDN(6, 0.5) == LDN(np.int64(6), np.float32(0.5))
    assert len({LDN(6, 0.5), LDN(6, 0.5), LDN(6, 1)}) == 2
    with pytest.raises(FrozenInstanceError):
        LDN(6, 0.5).order = 7


# -- discretisation --------------------------------------------------------------------


@pytest.mark.parametrize("method", ["zoh", "euler", "bilinear"])
@pytest.mark.parametrize("order", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("dt", [1e-4, 1e-2, 0.5, 2.0])
def test_discretises_as_scipy_does(method, order, dt):
    ldn = LDN(order, 0.5)
    system = (ldn.A / ldn.theta, ldn.B[:, None] / ldn.theta, np.eye(order), 0)
    Ad, Bd, *_ = cont2discrete((*system[:3], np.zeros((order, 1))), dt, method=method)
    found = ldn.discretize(dt, method)
    size = np.abs(Ad).max()
    np.testing.assert_allclose(found[0], Ad, atol=1e-11 * size)
    np.testing.assert_allclose(found[1], Bd[:, 0], atol=1e-11 * np.abs(Bd).max())


@given(order=orders, h=steps)
def test_two_steps_are_one_of_twice_the_length(order, h):
    ldn = LDN(order, 0.5)
    (once, push), (twice, both) = ldn.discretize(h * 0.5), ldn.discretize(h)
    error = balanced(ldn, once @ once - twice)
    assert np.linalg.norm(error, 2) < 1e-12
    scale = np.sqrt(2.0 * np.arange(order) + 1)
    assert np.linalg.norm((once @ push + push - both) / scale) < 1e-12


@given(order=orders, h=steps)
def test_a_step_never_adds_energy(order, h):
    ldn = LDN(order, 0.5)
    assert np.linalg.norm(balanced(ldn, ldn.discretize(h * 0.5)[0]), 2) <= 1 + 1e-12


@given(order=orders, h=steps)
def test_a_constant_is_held_exactly(order, h):
    Ad, Bd = LDN(order, 0.5).discretize(h * 0.5)
    constant = np.eye(order)[0]
    np.testing.assert_allclose(Ad @ constant + Bd, constant, atol=1e-11)


# -- the series step -------------------------------------------------------------------


@settings(max_examples=60)
@given(
    order=st.integers(1, 256),
    dt=st.sampled_from([1e-5, 1e-4, 1e-3, 4e-3]),
    theta=st.floats(0.1, 2.0),
    seed=st.integers(0, 99),
)
def test_the_series_is_the_dense_step(order, dt, theta, seed):
    ldn, rng = LDN(order, theta), np.random.default_rng(seed)
    scale = np.sqrt(2.0 * np.arange(order) + 1)
    m, u = scale * rng.standard_normal((3, order)), rng.standard_normal(3)
    Ad, Bd = ldn.discretize(dt)
    dense = m @ Ad.T + np.outer(u, Bd)
    error = np.linalg.norm((ldn.series(dt)(m, u) - dense) / scale, axis=1)
    assert np.all(error <= 1e-12 * np.linalg.norm(dense / scale, axis=1))


@given(order=st.integers(1, 64), dt=st.sampled_from([1e-4, 1e-3, 1e-2]))
def test_the_series_multiplies_by_A(order, dt):
    ldn = LDN(order, 0.5)
    x = np.random.default_rng(order).standard_normal((2, order))
    product = x @ balanced(ldn, ldn.A).T
    found = ldn.series(dt).multiply(x)
    np.testing.assert_allclose(found, product, atol=1e-12 * np.abs(product).max())


@given(
    order=st.integers(1, 2048),
    h=st.floats(1e-7, 1.0),
    tolerance=st.sampled_from([1e-16, 1e-10, 1e-4]),
)
def test_the_series_reports_terms_that_suffice(order, h, tolerance):
    series = LDN(order, 0.5).series(h * 0.5, tolerance)
    norm = h * order**2 / series.substeps  # ||A||_F is exactly d^2
    assert norm <= 4 * (1 + 1e-12)
    assert series.substeps == 1 or h * order**2 / (series.substeps - 1) > 4

    def size(terms):
        return terms * np.log(norm) - sum(np.log(np.arange(1, terms + 1)))

    assert size(series.terms) <= np.log(tolerance) + 1e-9
    assert series.terms == 1 or size(series.terms - 1) > np.log(tolerance) - 1e-9


def test_the_bound_on_the_norm_of_A():
    for order in (1, 2, 7, 50):
        ldn = LDN(order, 1.0)
        assert np.linalg.norm(balanced(ldn, ldn.A)) == pytest.approx(order**2)


def test_order_1024_stays_finite_and_contracts():
    ldn = LDN(1024, 0.5)
    scale = np.sqrt(2.0 * np.arange(1024) + 1)
    m = scale * np.random.default_rng(0).standard_normal(1024)
    run = ldn.simulate(np.zeros(3), 0.0005, method="series", initial=m)
    energy = ldn.energy(np.vstack([m, run]))
    assert np.isfinite(run).all()
    assert np.all(np.diff(energy) < 0)


def test_order_1024_by_matrix_contracts_too():
    ldn = LDN(1024, 0.5)
    Ad, Bd = ldn.discretize(0.0005)
    m = np.random.default_rng(1).standard_normal(1024)
    series = ldn.series(0.0005)(m, np.float64(0.3))
    np.testing.assert_allclose(Ad @ m + 0.3 * Bd, series, rtol=1e-9, atol=1e-10)


# -- simulation ------------------------------------------------------------------------


def test_steps_through_the_samples():
    ldn, u = LDN(3, 0.2), np.random.default_rng(0).standard_normal(20)
    Ad, Bd = ldn.discretize(0.01)
    m = np.zeros(3)
    for k, state in enumerate(ldn.simulate(u, 0.01)):
        m = Ad @ m + Bd * u[k]
        np.testing.assert_allclose(state, m, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method", ["zoh", "euler", "bilinear", "series"])
def test_every_channel_has_a_memory_of_its_own(method):
    ldn, u = LDN(5, 0.3), np.random.default_rng(1).standard_normal((50, 3))
    states = ldn.simulate(u, 0.001, method=method)
    assert states.shape == (50, 3, 5)
    for channel in range(3):
        alone = ldn.simulate(u[:, channel], 0.001, method=method)
        assert alone.shape == (50, 5)
        np.testing.assert_allclose(states[:, channel], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method", ["zoh", "series"])
@pytest.mark.parametrize("shape", [(60,), (60, 2)])
def test_goes_on_from_where_it_was(method, shape):
    ldn, u = LDN(5, 0.3), np.random.default_rng(2).standard_normal(shape)
    whole = ldn.simulate(u, 0.01, method=method)
    half = ldn.simulate(u[30:], 0.01, method=method, initial=whole[29])
    np.testing.assert_allclose(half, whole[30:], rtol=1e-12, atol=1e-14)


def test_leaves_its_arguments_alone():
    m, u = np.ones(4), np.ones(10)
    LDN(4, 0.5).simulate(u, 0.001, initial=m)
    LDN(4, 0.5).simulate(u, 0.001, initial=m, method="series")
    assert m.tolist() == [1.0] * 4
    assert u.tolist() == [1.0] * 10


def test_of_no_samples_there_are_no_states():
    assert LDN(4, 0.5).simulate([], 0.001).shape == (0, 4)
    assert LDN(4, 0.5).simulate(np.zeros((0, 2)), 0.001).shape == (0, 2, 4)


@pytest.mark.parametrize("order", [1, 6, 30])
@pytest.mark.parametrize("frequency", [0.0, 0.7, 3.0])
def test_settles_on_its_frequency_response(order, frequency):
    ldn, dt = LDN(order, 0.5), 0.002
    t = dt * np.arange(8000)
    states = ldn.simulate(np.cos(2 * np.pi * frequency * t), dt)
    G = ldn.frequency_response(frequency, dt)
    assert G.shape == (1, order)
    phase = np.exp(2j * np.pi * frequency * t[-500:])
    settled = (phase[:, None] * G).real
    np.testing.assert_allclose(states[-500:], settled, atol=1e-10)


def test_frequencies_come_as_rows():
    ldn = LDN(6, 0.5)
    G = ldn.frequency_response([0.0, 1.0, 2.0], 0.001)
    assert G.shape == (3, 6)
    np.testing.assert_allclose(G[0], np.eye(6)[0], atol=1e-12)
    alone = ldn.frequency_response(2.0, 0.001)[0]
    np.testing.assert_allclose(G[2], alone, rtol=1e-12)


# -- reading ---------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 4, 6])
def test_polynomials_are_reproduced_to_the_second_order_of_dt(order):
    """A staircase is its polynomial, half a step late, up to ``O(dt^2)``."""
    ldn = LDN(order, 0.5)
    worst = []
    for dt in (0.004, 0.002):
        n = round(8.0 / dt)
        t = dt * (np.arange(n) - n + 1)
        lags = np.arange(0, round(0.5 / dt), 5)
        error = 0.0
        for degree in range(order):
            m = ldn.simulate((1 + t) ** degree, dt)[-1]
            read = ldn.readout(lags * dt, dt) @ m
            error = max(error, np.abs(read - (1 - lags * dt) ** degree).max())
        worst.append(error)
    assert worst[0] < 3e-3
    assert worst[0] / worst[1] == pytest.approx(4, rel=0.15)


def test_without_the_half_sample_it_is_of_the_first_order():
    ldn, dt = LDN(4, 0.5), 0.002
    t = dt * (np.arange(4000) - 3999)
    m = ldn.simulate(t, dt)[-1]
    assert ldn.readout(0.2) @ m == pytest.approx(-0.2 + dt / 2, abs=1e-5)
    assert ldn.readout(0.2, dt) @ m == pytest.approx(-0.2, abs=1e-5)


def test_a_readout_for_each_delay():
    ldn = LDN(6, 0.5)
    assert ldn.readout(0.1).shape == (6,)
    assert ldn.readout([0.1, 0.2]).shape == (2, 6)
    np.testing.assert_array_equal(ldn.readout([0.1, 0.2])[1], ldn.readout(0.2))
    np.testing.assert_allclose(ldn.readout(0.5), np.ones(6))
    np.testing.assert_allclose(ldn.readout(0.0), (-1.0) ** np.arange(6))
    np.testing.assert_allclose(ldn.readout(0.499, 0.001), ldn.basis(0.999))


@given(order=orders, steps=st.integers(1, 3000), dt=st.floats(1e-5, 1e-2))
def test_both_ends_of_the_window_are_inside(order, steps, dt):
    """Also where ``steps * dt`` is rounded, as in theta = 3 * 0.1."""
    ldn = LDN(order, steps * dt)
    ends = ldn.readout([0.0, (steps - 1) * dt], dt)
    r = np.array([0.5, steps - 0.5]) / steps
    np.testing.assert_allclose(ends, ldn.basis(r), atol=1e-6 * order**2)
    with pytest.raises(ValidationError, match="outside the window"):
        ldn.readout(steps * dt, dt)


@given(order=orders, seed=st.integers(0, 99))
def test_energy_is_the_integral_of_the_window_squared(order, seed):
    ldn = LDN(order, 0.7)
    m = np.random.default_rng(seed).standard_normal((2, 3, order))
    nodes, weights = np.polynomial.legendre.leggauss(order + 1)
    w = m @ ldn.basis((nodes + 1) / 2).T
    integral = ldn.theta * (w**2 @ weights) / 2
    np.testing.assert_allclose(ldn.energy(m), integral, rtol=1e-10)


def test_the_window_is_newest_first():
    ldn = LDN(6, 0.5)
    m = ldn.simulate(np.linspace(0, 3, 3000), 0.001)
    window = ldn.window(m[-5:], 50)
    assert window.shape == (5, 50)
    lags = (np.arange(50) + 0.5) / 50 * 0.5
    np.testing.assert_allclose(window[-1], 3 - lags, atol=2e-3)


@pytest.mark.parametrize("weight", [np.ones_like, np.cos, lambda r: np.exp(-5 * r)])
@pytest.mark.parametrize("order", [1, 6, 40])
def test_functionals_are_integrals_over_the_window(weight, order):
    ldn = LDN(order, 0.5)
    c = ldn.functional(weight)
    for i in {0, order // 2, order - 1}:
        wanted, _ = quad(lambda r, i=i: weight(r) * ldn.basis(r)[i], 0, 1, limit=200)
        assert c[i] == pytest.approx(wanted, abs=1e-10)
    m = np.random.default_rng(order).standard_normal(order)
    whole, _ = quad(lambda r: weight(r) * (ldn.basis(r) @ m), 0, 1, limit=400)
    assert c @ m == pytest.approx(whole, abs=1e-9)


def test_the_mean_of_the_window_is_its_first_coefficient():
    np.testing.assert_allclose(
        LDN(8, 2.0).functional(np.ones_like), np.eye(8)[0], atol=1e-14
    )


# -- the capacity task (NeurIPS 2019, section 3.1), without training -------------------


def capacity_errors(length, channels):
    """Mean squared error at delays T/4, T/2, 3T/4 over the last 100 of 200 draws.

    The half-sample readout with theta = T + 1 steps; the paper's own setting errs by
    7.2e-3 to 1.4e-2 at T = 100 and by 7.4e-5 to 1.5e-4 at T = 1000.
    """
    dt, steps = 1 / length, int(2.5 * length)
    rng = np.random.RandomState(0)
    process = nengo.processes.WhiteSignal(period=2.5, high=10, y0=0)
    draws = [process.run_steps(steps, d=1, dt=dt, rng=rng)[:, 0] for _ in range(200)]
    test = np.stack([x / np.abs(x).max() for x in draws[100:]], axis=1)
    ldn = LDN(100, (length + 1) * dt)
    lags = np.array([length // 4, length // 2, 3 * length // 4])
    weights, total = ldn.readout(lags * dt, dt), np.zeros(3)
    for start in range(0, 100, channels):
        part = test[:, start : start + channels]
        read = ldn.simulate(part, dt)[length:] @ weights.T
        wanted = np.stack([part[length - s : steps - s] for s in lags], axis=2)
        total += np.mean((read - wanted) ** 2, axis=(0, 1)) * part.shape[1] / 100
    return total


@pytest.mark.parametrize(("length", "bound"), [(100, 1.2e-5), (1000, 1.2e-9)])
def test_capacity(length, bound):
    assert np.all(capacity_errors(length, channels=100) <= bound)


@pytest.mark.slow
def test_capacity_of_ten_thousand_steps():
    errors = capacity_errors(10_000, channels=10)
    assert np.all(errors <= 1e-10)
    assert np.all(errors[:2] <= 1e-12)


# -- refusals --------------------------------------------------------------------------

LEGAL = LDN(6, 0.5)
REFUSED = [
    (lambda: LDN(0, 0.5), "LDN.order: 0 must be a whole number of at least 1"),
    (lambda: LDN(-3, 0.5), "LDN.order: -3 must be"),
    (lambda: LDN(6.0, 0.5), "LDN.order: 6.0 must be a whole number"),
    (lambda: LDN(True, 0.5), "LDN.order: True must be a whole number"),
    (lambda: LDN("6", 0.5), "LDN.order: '6' must be a whole number"),
    (lambda: LDN(6, 0), "LDN.theta: 0 must be a positive number (seconds)"),
    (lambda: LDN(6, -0.5), "LDN.theta: -0.5 must be a positive number"),
    (lambda: LDN(6, np.nan), "LDN.theta: nan must be a positive number"),
    (lambda: LDN(6, np.inf), "LDN.theta: inf must be a positive number"),
    (lambda: LDN(6, True), "LDN.theta: True must be a positive number"),
    (lambda: LDN(6, "0.5"), "LDN.theta: '0.5' must be a positive number"),
    (lambda: LEGAL.discretize(0.0), "LDN.discretize.dt: 0.0 must be a positive"),
    (lambda: LEGAL.discretize(0.001, "tustin"), "LDN.discretize.method: 'tustin' is"),
    (lambda: LEGAL.series(np.nan), "LDN.series.dt: nan must be a positive number"),
    (lambda: LEGAL.series(0.001, 0.0), "LDN.series.tolerance: 0.0 must be a positive"),
    (lambda: LEGAL.simulate(1.0, 0.001), "LDN.simulate.u: () must be (T,) or"),
    (lambda: LEGAL.simulate(np.zeros((2, 2, 2)), 0.001), "LDN.simulate.u: (2, 2, 2)"),
    (lambda: LEGAL.simulate([0, np.nan], 0.001), "LDN.simulate.u: 'u' has NaN or inf"),
    (lambda: LEGAL.simulate([0, np.inf], 0.001), "LDN.simulate.u: 'u' has NaN or inf"),
    (
        lambda: LEGAL.simulate([0.0], 0.001, initial=np.zeros(5)),
        "LDN.simulate.initial: (5,) must be one state of shape (6,)",
    ),
    (lambda: LEGAL.readout(0.6), "LDN.readout.delay: 0.6 is outside the window of 0"),
    (lambda: LEGAL.readout([0.1, -0.1]), "LDN.readout.delay: -0.1 is outside"),
    (lambda: LEGAL.readout(0.5, 0.001), "outside the window of 0 to 0.499 s"),
    (lambda: LEGAL.readout(np.nan), "LDN.readout.delay: nan is outside"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call, message):
    with pytest.raises(ValidationError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 1000, 1001])
@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("order", [1, 6, 40])
def test_blocks_of_steps_are_the_steps_one_by_one(steps, channels, order):
    shape = () if channels is None else (channels,)
    rng = np.random.default_rng(order)
    u, m = rng.normal(size=(steps, *shape)), rng.normal(size=(*shape, order))
    ldn = LDN(order, 0.2)
    Ad, Bd = ldn.discretize(0.001)
    found = ldn.simulate(u, 0.001, initial=m)
    assert found.shape == (*u.shape, order)
    for k in range(steps):
        m = m @ Ad.T + np.multiply.outer(u[k], Bd)
        np.testing.assert_allclose(found[k], m, rtol=0, atol=1e-10 * order)
