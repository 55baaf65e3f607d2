from dataclasses import replace

import nengo
import numpy as np
import pytest

from lmu_spiking.conversion import run as module
from lmu_spiking.conversion.conversion import convert
from lmu_spiking.conversion.run import copies_at_once, present
from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.lmu.forward import forward

DT = 1e-3
X = np.random.default_rng(0).standard_normal((5, 12, 1))
OPTIONS = {"n_neurons": 3000, "presentation": 0.003, "synapse": 0.03}


@pytest.fixture(autouse=True)
def together(monkeypatch):
    """All sequences in one network, unless a test says otherwise."""
    monkeypatch.setattr(module, "PARTS", 1)


@pytest.fixture(scope="module")
def made(lmu):
    return convert(lmu("e_h W_x W_h"), X, **OPTIONS)


def by_hand(conversion, x, seed, extra=30):
    """Outputs (steps, n, q), and spikes of each step of memories and units, by copy."""
    n, T, c = x.shape
    shown = np.vstack([x.transpose(1, 0, 2).reshape(T, n * c), np.zeros((99, n * c))])
    with nengo.Network() as model:
        net = conversion.network(copies=n, noise_seed=seed)
        shown = nengo.processes.PresentInput(shown, conversion.settings.presentation)
        nengo.Connection(nengo.Node(shown), net.input, synapse=None)
        output = nengo.Probe(net.output)
        probes = [
            [nengo.Probe(c.memory.ensemble.neurons) for c in net.cells],
            [nengo.Probe(c.units.neurons) for c in net.cells],
        ]
    end = net.read_step(T - 1)
    with nengo.Simulator(model, dt=DT, progress_bar=False, optimize=False) as sim:
        sim.run_steps(end + 1 + extra)
        y = sim.data[output].reshape(-1, n, conversion.params.size_out).copy()
        fired = [
            sum(sim.data[p].reshape(len(y), n, -1).sum(axis=2) * DT for p in kind)
            for kind in probes
        ]
    return y, fired, net


@pytest.mark.parametrize("aggregated", [True, False])
@pytest.mark.parametrize("n_cells", [1, 2])
def test_outputs_and_spikes_are_those_of_the_network(lmu, n_cells, aggregated):
    """An independent count, from probes of all neurons, up to the step that is read."""
    params = lmu("W_x", n_cells=n_cells)
    made = convert(params, X, aggregated=aggregated, **OPTIONS)
    y, fired, net = by_hand(made, X, seed=5)
    found = present(made, X, noise_seed=5, around=0.004, target="core")
    ends = [net.read_step(t) for t in range(12)]
    np.testing.assert_allclose(found.y, y[ends].transpose(1, 0, 2), atol=1e-12)
    for counts, each in zip(
        (found.memory_spikes, found.unit_spikes), fired, strict=True
    ):
        np.testing.assert_allclose(counts, each[: ends[-1] + 1].sum(axis=0), rtol=1e-9)
        assert counts.all()
    np.testing.assert_array_equal(found.spikes, found.memory_spikes + found.unit_spikes)
    lags = np.arange(-4, 5)
    np.testing.assert_allclose(found.lags, lags * DT)
    np.testing.assert_allclose(found.late, y[ends[-1] + lags], atol=1e-12)


@pytest.mark.parametrize("steps", [1, 7, 1001, 1003])
def test_counts_do_not_depend_on_how_time_is_rounded(lmu, steps):
    """1001 * .001 / .001 is more than 1001."""
    params = lmu("", dt=DT)
    made = convert(params, X, n_neurons=300, presentation=DT, tuning="pairs")
    x = np.ones((1, steps - 1 or 1, 1))
    _, fired, net = by_hand(made, x, seed=1)
    for around in (0.0, 0.002):
        options = {"noise_seed": 1, "last": True, "around": around}
        found = present(made, x, **options, target="core")
        total = fired[0][: net.read_step(x.shape[1] - 1) + 1].sum(axis=0)
        np.testing.assert_allclose(found.memory_spikes, total, rtol=1e-9)


def test_last_is_the_last_of_all(made):
    every, last = (present(made, X, last=flag) for flag in (False, True))
    assert every.y.shape == (5, 12, 2)
    np.testing.assert_array_equal(every.y[:, -1], last.y)
    np.testing.assert_array_equal(every.late[every.lags == 0][0], last.y)
    np.testing.assert_array_equal(every.spikes, last.spikes)


@pytest.mark.parametrize("entries", [1, 40])
def test_several_networks_one_after_the_other(made, monkeypatch, entries):
    """The same shapes, noise of their own, and outputs as near to the rates."""
    x = np.repeat(X[:1], 5, axis=0)
    together = present(made, x)
    monkeypatch.setattr(module, "ENTRIES", entries)
    done = []
    size = copies_at_once(made, 5, 12)
    assert size < 5
    parts = present(made, x, progress=lambda *seen: done.append(seen))
    assert done == [(min(5, i), 5) for i in range(size, 5 + size, size)]
    for name in ("y", "late", "lags", "spikes"):
        assert getattr(parts, name).shape == getattr(together, name).shape
    assert len(np.unique(parts.y[:, -1, 0])) == 5  # no two of the same noise
    exact = forward(made.params, x)
    errors = [np.sqrt(np.mean((p.y - exact) ** 2)) for p in (together, parts)]
    assert errors[1] == pytest.approx(errors[0], rel=0.5)


def test_long_sequences_are_run_fewer_at_a_time(made, monkeypatch):
    most = copies_at_once(made, 10**9, 1)
    monkeypatch.setattr(module, "PROBED", 4 * 12 * 3 * 2)
    assert copies_at_once(made, 10**9, 12) == 4 < most
    assert copies_at_once(made, 10**9, 10**6) == 1


@pytest.mark.parametrize("n", [1, 4, 9])
def test_spikes_do_not_depend_on_the_number_of_processes(made, monkeypatch, n):
    monkeypatch.setattr(module, "PARTS", 4)
    assert copies_at_once(made, n, 12) == -(-n // 4)
    x = np.repeat(X[:1], n, axis=0)
    one, two = (present(made, x, jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.y, two.y)
    np.testing.assert_array_equal(one.spikes, two.spikes)


# -- seeds -----------------------------------------------------------------------------


def test_spikes_follow_the_seed(made):
    one, twin, other = (present(made, X, noise_seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.y, twin.y)
    np.testing.assert_array_equal(one.spikes, twin.spikes)
    assert np.any(one.y != other.y)
    default = present(made, X)
    again = present(made, X, noise_seed=0)
    np.testing.assert_array_equal(default.y, again.y)


@pytest.mark.parametrize("seed", [2**31 - 1, 2**31 - 2])
def test_the_last_seeds_serve_too(lmu, monkeypatch, seed):
    """With two cells, in several networks."""
    made = convert(lmu("", n_cells=2), X, noise_seed=seed, **OPTIONS)
    monkeypatch.setattr(module, "ENTRIES", 1)
    assert present(made, X[:3]).y.shape == (3, 12, 2)


# -- where it runs ---------------------------------------------------------------------


def test_it_leaves_the_model_around_it_alone(made):
    """And is left alone by that model's defaults."""
    expected = present(made, X)
    with nengo.Network(seed=3) as model:
        model.config[nengo.Probe].synapse = 0.1
        model.config[nengo.Connection].synapse = 0.3
        model.config[nengo.Ensemble].neuron_type = nengo.LIF()
        found = present(made, X, noise_seed=0)
    assert model.networks == [] and model.all_probes == []
    np.testing.assert_array_equal(found.spikes, expected.spikes)
    np.testing.assert_array_equal(found.y, expected.y)


def test_a_readout_synapse_smooths(lmu):
    rough = convert(lmu(""), X, **OPTIONS)
    with pytest.warns(ValidityWarning, match="readout_synapse: 0.01 s leaves 74%"):
        smooth = convert(lmu(""), X, readout_synapse=0.01, **OPTIONS)
    x = np.ones((4, 40, 1))
    exact = forward(lmu(""), x, last=True)
    errors = [np.std(present(c, x, last=True).y - exact) for c in (rough, smooth)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_seed": -1}, "present.noise_seed: -1 must be a whole number from 0"),
        ({"noise_seed": 2**31}, "present.noise_seed: 2147483648 must be"),
        ({"noise_seed": 0.5}, "present.noise_seed: 0.5 must be"),
        ({"jobs": 0}, "present.jobs: 0 must be a whole number of at least 1"),
        ({"jobs": -2}, "present.jobs: -2 must be"),
        ({"around": -0.1}, "present.around: -0.1 must be a positive number"),
        ({"around": np.nan}, "present.around: nan must be"),
        ({"around": "x"}, "present.around: 'x' must be"),
        ({"x": np.ones((2, 3))}, r"present.x: \(2, 3\) must be"),
        ({"x": np.full((1, 3, 1), np.nan)}, "present.x: .* must be finite numbers"),
        ({"x": iter(X)}, "present.x: .* must be finite numbers"),
    ],
)
def test_options_out_of_range_are_refused(made, options, message):
    with pytest.raises(ValidationError, match=message):
        present(made, **({"x": X} | options))


@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (3, 1)])
def test_single_sequences_and_single_samples(made, shape):
    x = X[: shape[0], : shape[1]].copy()
    x.flags.writeable = False
    found = present(made, x, around=0.02)  # longer than the run before it
    assert found.y.shape == (*shape, 2)
    assert found.late.shape == (41, shape[0], 2)


ENDS = np.array([12, 3, 7, 1, 12])


@pytest.mark.parametrize("last", [False, True])
def test_each_sequence_is_read_at_its_own_end(lmu, monkeypatch, last):
    """A padded sequence gives, spike for spike, what it gives alone."""
    monkeypatch.setattr(module, "PARTS", 1000)  # a network for each
    params = lmu("e_h W_x", size_in=2, memory_d=2, n_cells=2)
    params = replace(params, mean=[3.0, -1.0], scale=[2.0, 0.5])
    x = 3 + np.random.default_rng(1).standard_normal((5, 12, 2))
    options = OPTIONS | {"n_neurons": 900}
    made = convert(params, x, lengths=ENDS, **options)
    found = present(made, x, last=last, lengths=ENDS, around=0.005)
    seeds = [made.settings.noise_seed, *module.draw_seeds(made.settings.noise_seed, 4)]
    for i, (end, seed) in enumerate(zip(ENDS, seeds, strict=True)):
        some = {"last": last, "noise_seed": seed, "around": 0.005}
        alone = present(made, x[i : i + 1, :end], **some)
        y = found.y[i] if last else found.y[i, :end]
        np.testing.assert_allclose(y, alone.y[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.late[:, i], alone.late[:, 0], atol=1e-9)
        assert found.memory_spikes[i] == alone.memory_spikes[0]
        assert found.unit_spikes[i] == alone.unit_spikes[0]


@pytest.mark.parametrize("connections", ["", "W_x", "W_h", "e_h e_m W_x W_h"])
def test_the_mean_is_that_of_the_rates_at_each_end(lmu, connections):
    params = lmu(connections, size_in=2, memory_d=2, n_cells=2, activation="linear")
    params = replace(params, mean=[3.0, -1.0], scale=[2.0, 0.5])
    x = 3 + np.random.default_rng(1).standard_normal((5, 12, 2))
    options = OPTIONS | {"n_neurons": 10**11}
    made = convert(params, x, lengths=ENDS, **options)
    found = present(made, x, last=True, lengths=ENDS, around=0)
    exact = forward(params, x, last=True, lengths=ENDS)
    assert np.abs(found.y - exact).max() < 2e-3 * np.abs(exact).max()
