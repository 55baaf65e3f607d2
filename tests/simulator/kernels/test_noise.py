"""Random spikes have the distribution that they claim, and nothing in common.

All seeds are fixed: what fails is at fault.  10^6 neuron-steps a test, unless stated.
"""

import math

import numpy as np
import pytest
from scipy import stats

from lmu_spiking.simulator.kernels import noise

LEAST = 1e-4  # p-values below which a law is broken
DT = 0.001
PRECISIONS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def keys(seed, n_steps):
    """Keys of consecutive steps of one stream."""
    seed = np.random.SeedSequence(seed).generate_state(1, "u8")[0]
    return [np.uint64(noise.step_key(seed, k)) for k in range(n_steps)]


def thrown(kernel, mean, n, n_steps, dtype, seed, height=1.0, first=0, how=()):
    """Counts (n_steps, n) of neurons with one mean count."""
    rates = np.full(n, mean / DT, dtype)
    found = np.zeros((n_steps, n), dtype)
    for y, key in zip(found, keys(seed, n_steps), strict=True):
        kernel(y, rates, *how, DT, height, first, key)
    return found


def each(mean, n, n_steps, dtype, seed):
    """As `thrown`, one by one."""
    return thrown(noise.poisson_each, mean, n, n_steps, dtype, seed, how=(1.0,))


def runs(mean, n, n_steps, dtype, seed):
    """As `thrown`, for two runs of neighbours."""
    bounds = np.array([0, n // 3, n // 3, n])
    return thrown(noise.poisson_runs, mean, n, n_steps, dtype, seed, how=(bounds,))


def vectorised(mean, n, n_steps, dtype, seed):
    """As `thrown`, with the series."""
    return thrown(noise.poisson, mean, n, n_steps, dtype, seed)


def one_by_one(mean, n, n_steps, dtype, seed):
    """Counts of `draw`."""
    found = [noise.draw(mean, i, key) for key in keys(seed, n_steps) for i in range(n)]
    return np.array(found)


def likelihood_ratio(counts, law):
    """p-value of Wilks's G test of counts against a law, in bins of 25 and more."""
    counts = np.ravel(counts)
    edges = np.unique(law.ppf(np.linspace(0, 1, 62)[1:-1]))  # last values of bins
    edges = np.concatenate([edges, law.isf(30 / counts.size * np.array([1.0]))])
    edges = np.unique(np.concatenate([[-1.0], edges, [np.inf]]))
    expected = np.diff(law.cdf(edges)) * counts.size
    while len(expected) > 1 and expected[-1] < 25:
        edges = np.delete(edges, -2)
        expected = np.diff(law.cdf(edges)) * counts.size
    seen = np.histogram(counts, edges + 0.5)[0]
    if len(seen) == 1:
        return 1.0
    met = seen > 0
    g = 2 * np.sum(seen[met] * np.log(seen[met] / expected[met]))
    return float(stats.chi2.sf(max(g, 0.0), len(seen) - 1))


def moments(counts, mean):
    """Deviations of the mean and the variance, in standard errors."""
    x = np.asarray(counts, float).ravel()
    z_mean = (x.mean() - mean) / math.sqrt(mean / x.size)
    # Var (x - mean)^2 = mu4 - sigma^4 = mean + 2 mean^2 for Poisson
    spread = math.sqrt((mean + 2 * mean**2) / x.size)
    return z_mean, (np.mean((x - mean) ** 2) - mean) / spread


def correlation(x, y):
    """Correlation in standard errors of none."""
    x, y = np.ravel(x).astype(float), np.ravel(y).astype(float)
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / math.sqrt((x @ x) * (y @ y)) * math.sqrt(len(x)))


def independent(x, y, most=2):
    """p-value of a chi-square test of joint counts, values from ``most`` up as one."""
    x, y = (np.minimum(np.ravel(v), most).astype(int) for v in (x, y))
    n = most + 1
    table = np.bincount(n * x + y, minlength=n * n).reshape(n, n)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    return float(stats.chi2_contingency(table, correction=False).pvalue)


SMALL = [1e-4, 0.02, 0.3, 0.49]
LARGE = [0.51, 3.0, 11.9, 12.1, 200.0, 1e6]


WAYS = [(draws, mean) for mean in SMALL for draws in (vectorised, runs, each)]
WAYS += [(each, mean) for mean in LARGE] + [(vectorised, 0.51), (runs, 3.0)]


@PRECISIONS
@pytest.mark.parametrize(("draws", "mean"), WAYS)
def test_counts_are_of_the_poisson_law(mean, draws, dtype):
    seed = [1, int(mean * 1e4), draws is runs, dtype is np.float32]
    counts = draws(mean, 1000, 1000, dtype, seed)
    assert np.all(counts == np.round(counts)) and counts.min() >= 0
    assert likelihood_ratio(counts, stats.poisson(mean)) > LEAST
    assert np.abs(moments(counts, mean)).max() < 4.5


def test_the_series_keeps_the_law_of_rare_counts():
    """10^8 draws: the count that is redrawn, and those around it."""
    mean, n = 0.45, 100_000
    seen, y = np.zeros(12), np.zeros(n, np.float32)
    rates = np.full(n, mean / DT, np.float32)
    for key in keys(2, 1000):
        noise.poisson(y, rates, DT, 1.0, 0, key)
        seen += np.bincount(y.astype(int), minlength=12)
    mean = float(rates[0]) * DT
    expected = stats.poisson(mean).pmf(np.arange(12)) * seen.sum()
    seen = np.append(seen[:7], seen[7:].sum())
    expected = np.append(expected[:7], stats.poisson(mean).sf(6) * 1e8)
    assert stats.chisquare(seen, expected, sum_check=False).pvalue > LEAST


@pytest.mark.parametrize("mean", [*SMALL, *LARGE, 3e8])
def test_one_draw_is_of_the_poisson_law(mean):
    counts = one_by_one(mean, 200, 500, None, [3, int(mean * 1e4)])  # 10^5
    assert likelihood_ratio(counts, stats.poisson(mean)) > LEAST
    assert np.abs(moments(counts, mean)).max() < 4.5


@PRECISIONS
@pytest.mark.parametrize("mean", [3e8])
def test_huge_means_keep_mean_and_variance(mean, dtype):
    counts = each(mean, 1000, 1000, dtype, 4)
    assert np.abs(moments(counts, float(dtype(mean / DT)) * DT)).max() < 4.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_add_up_over_the_neurons_of_an_entry(dtype):
    """Of 25 neurons that one entry stands for."""
    counts = thrown(noise.poisson_each, 0.3, 1000, 1000, dtype, 5, how=(25.0,))
    assert likelihood_ratio(counts, stats.poisson(7.5)) > LEAST


def test_many_rates_side_by_side():
    """Every neuron its own mean, 10^-3 to 0.5: their sums and their squares."""
    means = np.geomspace(1e-3, 0.5, 1000)
    rates = (means / DT).astype(np.float32)
    rates = np.minimum(rates, np.float32(500))
    found = np.zeros((4000, 1000), np.float32)
    for y, key in zip(found, keys(6, 4000), strict=True):
        noise.poisson(y, rates, DT, 1.0, 0, key)
    z = (found.sum(0, dtype=float) - means * 4000) / np.sqrt(means * 4000)
    # chi-square of sums of Poisson counts: variance 2 + 1/mean each
    spread = math.sqrt(np.sum(2 + 1 / (means * 4000)))
    assert abs(np.sum(z**2) - 1000) / spread < 4.5
    assert abs(z.sum() / math.sqrt(1000)) < 4.5


@PRECISIONS
@pytest.mark.parametrize("mean", [1e-3, 0.3, 0.5, 0.97, 1.0, 2.25, 40.7])
def test_stochastic_rounding(mean, dtype):
    found = thrown(noise.stochastic, mean, 1000, 1000, dtype, [7, int(mean * 1e3)])
    exact = float(dtype(mean / DT) * dtype(DT))
    low = math.floor(exact)
    p = exact - low
    assert set(np.unique(found)) <= {low, low + 1}
    ups = int(np.count_nonzero(found == low + 1))
    assert stats.binomtest(ups, found.size, p).pvalue > LEAST


PATHS = pytest.mark.parametrize("kind", ["series", "runs", "rejection", "rounding"])


def of_kind(kind, seed, n=1000, n_steps=1000):
    """Counts (n_steps, n) by one of the ways of drawing; 0, 1, 2 are all common."""
    if kind == "rounding":
        return thrown(noise.stochastic, 0.4, n, n_steps, np.float32, seed)
    if kind == "rejection":
        found = each(14.0, n, n_steps, np.float32, seed)
        return np.digitize(found, [12.5, 15.5])
    draws = runs if kind == "runs" else vectorised
    return draws(0.45, n, n_steps, np.float32, seed)


@PATHS
@pytest.mark.parametrize("apart", [1, 2, 64])
def test_neurons_are_independent(kind, apart):
    x = of_kind(kind, [8, apart])
    assert independent(x[:, apart:], x[:, :-apart]) > LEAST
    assert abs(correlation(x[:, apart:], x[:, :-apart])) < 4.5


@PATHS
@pytest.mark.parametrize("apart", [1, 2])
def test_steps_are_independent(kind, apart):
    x = of_kind(kind, [9, apart])
    assert independent(x[apart:], x[:-apart]) > LEAST
    assert abs(correlation(x[apart:], x[:-apart])) < 4.5
    # and the neighbour, a step later
    assert independent(x[apart:, 1:], x[:-apart, :-1]) > LEAST


@PATHS
def test_seeds_are_independent(kind):
    x, y = of_kind(kind, [10, 0]), of_kind(kind, [10, 1])
    assert independent(x, y) > LEAST
    assert independent(x[:, 1:], y[:, :-1]) > LEAST


@PATHS
@pytest.mark.parametrize("axis", [0, 1])
def test_spectra_are_flat(kind, axis):
    """Powers of white noise are exponential, with mean 1 at each frequency."""
    x = of_kind(kind, [11, axis])
    x = (x - x.mean()) / x.std()
    power = np.abs(np.fft.rfft(x, axis=axis)) ** 2 / 1000
    power = np.moveaxis(power, axis, 0)[1:500]
    mean = power.mean(1)  # over 1000 series: standard error 1/sqrt(1000)
    assert stats.chi2.sf(np.sum((mean - 1) ** 2) * 1000, len(mean)) > LEAST
    assert -math.expm1(-power.size * math.exp(-power.max())) > LEAST


def test_sums_over_a_population_have_the_variance_of_independent_neurons():
    x = vectorised(0.2, 4000, 2000, np.float32, 12).sum(1, dtype=float)
    assert likelihood_ratio(x, stats.poisson(800.0)) > LEAST
    assert abs(correlation(x[1:], x[:-1])) < 4.5


@pytest.mark.parametrize("kind", ["poisson", "each", "stochastic"])
@PRECISIONS
def test_signs_nan_and_silence(kind, dtype):
    rates = np.array([-300.0, 300.0, np.nan, 0.0, -0.0, -40_000.0, 4e-40], dtype)
    seen = np.zeros((4000, len(rates)), dtype)
    kernel, how = {
        "poisson": (noise.poisson, ()),
        "each": (noise.poisson_each, (1.0,)),
        "stochastic": (noise.stochastic, ()),
    }[kind]
    for y, key in zip(seen, keys(14, 4000), strict=True):
        kernel(y, rates, *how, DT, 1 / DT, 0, key)
    assert np.isnan(seen[:, 2]).all()
    assert not seen[:, [3, 4, 6]].any()
    mean = seen.mean(0, dtype=float) / np.where(rates == 0, 1, rates)
    assert mean[[0, 1, 5]] == pytest.approx([1, 1, 1], abs=5 / math.sqrt(1200))
    assert seen[:, 0].max() <= 0 <= seen[:, 1].min()


@PRECISIONS
def test_runs_of_silent_wrong_and_negative_rates(dtype):
    rates = np.repeat(np.array([0.0, np.nan, -300.0, 300.0], dtype), 50)
    bounds = np.repeat(np.arange(0, 201, 50), 2)[1:-1]
    seen = np.zeros((2000, 200), dtype)
    for y, key in zip(seen, keys(15, 2000), strict=True):
        noise.poisson_runs(y, rates, bounds, DT, 1.0, 0, key)
    assert not seen[:, :50].any() and np.isnan(seen[:, 50:100]).all()
    for part, sign in (seen[:, 100:150], -1), (seen[:, 150:], 1):
        assert likelihood_ratio(sign * part, stats.poisson(0.3)) > LEAST


def test_infinite_rates_are_no_numbers():
    y = np.zeros(2, np.float32)
    noise.poisson_each(
        y, np.array([np.inf, -np.inf], np.float32), 1.0, DT, 1, 0, keys(0, 1)[0]
    )
    assert np.isnan(y).all()


@PRECISIONS
@pytest.mark.parametrize("mean", [1e-3, 0.1, 0.49])
def test_all_ways_throw_the_same_counts(mean, dtype):
    """They share the uniform; thresholds round apart for some in a million."""
    a, b, c = (f(mean, 1000, 1000, dtype, 16) for f in (vectorised, runs, each))
    assert np.count_nonzero(a != b) <= (5 if dtype is np.float32 else 0)
    assert np.count_nonzero(b != c) == 0
    d = one_by_one(float(dtype(mean / DT)) * DT, 1000, 50, dtype, 16)
    assert np.array_equal(np.ravel(c[:50]), d)


@PRECISIONS
@pytest.mark.parametrize("kind", ["poisson", "runs", "each", "stochastic"])
def test_tiles_and_one_population_throw_the_same(kind, dtype):
    """A tile that begins at neuron ``lo`` throws what that part of the whole throws."""
    rng = np.random.default_rng(17)
    rates = np.repeat(rng.uniform(0, 499, 30), 100).astype(dtype)
    key = keys(18, 1)[0]

    def throw(lo, hi):
        y = np.zeros(hi - lo, dtype)
        part = rates[lo:hi]
        if kind == "runs":
            edges = np.unique([lo, hi, *range((lo + 99) // 100 * 100, hi, 100)])
            bounds = np.repeat(edges, 2)[1:-1]
            noise.poisson_runs(y, part, bounds, DT, 2.5, lo, key)
        elif kind == "poisson":
            noise.poisson(y, part, DT, 2.5, lo, key)
        elif kind == "each":
            noise.poisson_each(y, part, 1.0, DT, 2.5, lo, key)
        else:
            noise.stochastic(y, part, DT, 2.5, lo, key)
        return y

    whole = throw(0, 3000)
    assert set(np.unique(whole)) >= {0, 2.5}
    pieces = [throw(a, min(a + 1024, 3000)) for a in range(0, 3000, 1024)]
    assert np.array_equal(np.concatenate(pieces), whole)


def test_laws_do_not_depend_on_the_place_of_the_population():
    """Neurons far beyond the first; addresses of 32 bits."""
    for first in (2**20, 2**31 - 500, 2**32 - 500):
        x = thrown(
            noise.poisson, 0.3, 1000, 1000, np.float32, [19, first % 97], first=first
        )
        assert likelihood_ratio(x, stats.poisson(0.3)) > LEAST
