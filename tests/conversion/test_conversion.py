import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking.conversion.conversion import convert, draw_seeds
from lmu_spiking.conversion.run import present
from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.lmu.forward import forward

X = np.random.default_rng(0).standard_normal((6, 20, 1))
QUICK = {"n_neurons": 600, "presentation": 0.003, "synapse": 0.03}


def built(conversion):
    """Neurons of memories and units as they are built."""
    cells, hidden = conversion.built.cells, conversion.hidden
    memories = sum(c.memory.population.n_neurons for c in cells)
    units = sum(c.params.units * h.per_unit for c, h in zip(cells, hidden, strict=True))
    return memories + units


@given(
    activation=st.sampled_from(["tanh", "relu", "linear"]),
    n_cells=st.integers(1, 3),
    memory_d=st.integers(1, 2),
    share=st.floats(0.01, 0.99),
    more=st.integers(0, 5000),
)
@settings(max_examples=12)
def test_neurons_are_kept_exactly_or_the_least_number_is_said(
    lmu, activation, n_cells, memory_d, share, more
):
    params = lmu("", activation=activation, n_cells=n_cells, memory_d=memory_d)
    sides = 1 if activation == "relu" else 2
    least = n_cells * (2 * 3 * memory_d + sides * 3)
    options = QUICK | {"hidden_share": share, "tuning": "pairs"}
    with pytest.raises(ValidationError, match=f"n_neurons: .* use at least {least},"):
        convert(params, X, **(options | {"n_neurons": least - 1}))
    made = convert(params, X, **(options | {"n_neurons": least + more}))
    assert made.n_neurons == built(made) == least + more
    units = sum(h.per_unit * 3 for h in made.hidden)
    assert units <= max(share * (least + more), sides * 3 * n_cells)


@pytest.mark.parametrize("aggregated", [True, False])
@pytest.mark.parametrize("tuning", ["balanced", "optimal", "pairs"])
def test_neurons_as_nengo_counts_them(lmu, tuning, aggregated):
    made = convert(lmu("W_x"), X, tuning=tuning, aggregated=aggregated, **QUICK)
    assert made.n_neurons == built(made) == 600
    if not aggregated:
        assert made.built.n_neurons == 600


@pytest.mark.parametrize("name", ["poisson", "stochastic", "regular", "if"])
@pytest.mark.parametrize("tuning", ["balanced", "optimal", "pairs"])
def test_the_spiking_network_does_what_the_rates_do(lmu, tuning, name):
    """Every tuning and kind of neuron, with all connections and two memories."""
    params = lmu("e_h e_m W_x W_h", activation="relu", memory_d=2)
    options = {"n_neurons": 3000, "presentation": 0.01, "synapse": 0.05}
    made = convert(params, X, tuning=tuning, neuron_type=name, **options)
    exact = forward(params, X)
    y = present(made, X).y
    error = np.sqrt(np.mean((y - exact) ** 2)) / exact.std()
    assert error < (0.6 if name in ("poisson", "stochastic") else 1.5)


def test_two_cells_have_a_design_each(lmu):
    params = lmu("W_x", n_cells=2, theta=0.02)
    made = convert(params, X, n_neurons=50_000, presentation=0.01)
    assert len(made.uses) == len(made.memories) == len(made.hidden) == 2
    assert built(made) == 50_000
    exact = forward(params, X)
    assert np.sqrt(np.mean((present(made, X).y - exact) ** 2)) < 0.5 * exact.std()


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("connections", "n_cells"), [("", 2), ("W_x", 3), ("W_h", 1), ("e_h e_m W_x", 2)]
)
def test_so_many_neurons_have_no_error_at_any_presentation(
    lmu, connections, n_cells, steps
):
    """Every output of every sample; a bias would be there for any number of them."""
    params = lmu(connections, activation="relu", n_cells=n_cells, theta=0.02)
    options = {"synapse": 0.03, "tuning": "pairs", "dt": 5e-4}
    made = convert(params, X, n_neurons=10**14, presentation=steps * 5e-4, **options)
    exact = forward(params, X)
    assert np.abs(present(made, X, around=0.0).y - exact).max() < 1e-3 * exact.std()


def test_an_output_that_mixes_samples_is_told(lmu):
    """The share of earlier samples is exp(-presentation / readout_synapse)."""
    params = lmu("W_h")
    with pytest.warns(ValidityWarning, match="37% of earlier samples .* 0.009 s"):
        made = convert(params, X, readout_synapse=0.003, **QUICK)
    assert made.settings.kept == pytest.approx(np.exp(-1))
    convert(params, X, readout_synapse=0.001, **QUICK)  # 5 %: nothing to tell


def test_last_is_taken_from_the_header(lmu):
    x = np.cumsum(X, axis=1)  # the end is unlike the rest
    told, noted, over, every = (
        convert(lmu("", header=header), x, last=last, **QUICK).uses[0].readouts
        for header, last in [
            ({}, True),
            ({"last": True}, None),
            ({"last": True}, False),
            ({}, None),
        ]
    )
    np.testing.assert_array_equal(told, noted)
    np.testing.assert_array_equal(over, every)
    assert np.any(told != over)


def test_sequences_are_taken_from_all_of_the_data(lmu):
    """200 of them, evenly: the second half is not left out."""
    x = np.concatenate([np.zeros((300, 5, 1)), np.ones((300, 5, 1))])
    (use,) = convert(lmu("", bias=False), x, **QUICK).uses
    assert use.states.shape[1] == 200 * 5
    assert np.mean(use.states.any(axis=2)) == pytest.approx(0.5, abs=0.01)


def test_the_window_is_stretched_with_the_presentation(lmu):
    made = convert(lmu("", theta=0.02, dt=0.002), X, **(QUICK | {"dt": 1e-3}))
    assert made.built.cells[0].memory.ldn.theta == pytest.approx(0.02 * 1.5)


# -- noise seeds -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_every_source_of_noise_has_a_seed_of_its_own(lmu, seed):
    made = convert(lmu("", n_cells=3), X, noise_seed=seed, **QUICK)
    cells = made.built.cells
    seeds = [c.memory.ensemble.seed for c in cells] + [c.units.seed for c in cells]
    assert len(set(seeds)) == 6
    assert all(0 <= s < 2**31 for s in seeds)


def test_neighbouring_seeds_share_no_noise():
    drawn = [seed for start in range(200) for seed in draw_seeds(start, 6)]
    assert len(set(drawn)) == len(drawn)
    assert draw_seeds(3, 6) == draw_seeds(3, 6)
    assert draw_seeds(3, 0) == []


# -- in Nengo --------------------------------------------------------------------------


def test_the_network_joins_the_model_that_it_is_made_in(lmu):
    made = convert(lmu(""), X, **QUICK)
    with nengo.Network() as model:
        made.built  # noqa: B018 - looking adds nothing
        assert model.networks == []
        net = made.network(copies=2)
    assert model.networks == [net]
    assert net.input.size_in == 2


# -- what a hostile user brings --------------------------------------------------------


@pytest.mark.parametrize("tuning", ["balanced", "optimal", "pairs"])
@pytest.mark.parametrize(
    "case", ["silent", "no kernel", "no readout", "one class", "constant", "one", "T=1"]
)
def test_degenerate_models_and_data_convert(lmu, case, tuning):
    header = {"classes": 1} if case == "one class" else {}
    params = lmu("W_x", activation="relu", header=header, size_out=1 if header else 2)
    changes = {
        "silent": {"cell0.b": [-1e3] * 3},
        "no kernel": {"cell0.W_m": np.zeros((3, 3))},
        "no readout": {"readout.D": np.zeros((2, 3))},
    }
    params = params.updated(changes.get(case, {}))
    x = {"constant": np.ones_like(X), "one": X[:1], "T=1": X[:, :1]}.get(case, X)
    made = convert(params, x, last=True, tuning=tuning, **(QUICK | {"synapse": None}))
    y = present(made, x, last=True).y
    assert np.isfinite(y).all()
    louder = present(made, 3 * x + 5, last=True, around=0.0)  # beyond calibration
    assert np.isfinite(louder.y).all()


def test_a_memory_without_input_is_given_a_range(lmu):
    params = lmu("", memory_d=2, bias=False).updated({"cell0.e_x": [[1.0], [0.0]]})
    made = convert(params, X, tuning="pairs", **QUICK)
    np.testing.assert_array_equal(made.memories[0].population.radii[3:], 1)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 5, 1)), "convert.x: .* leaves the memory of cell 0 at 0"),
        (np.full((2, 5, 1), np.nan), "convert.x: .* must be finite numbers"),
        (np.ones((2, 5)), r"convert.x: \(2, 5\) must be .* of shape \(n, T, 1\)"),
        (np.ones((2, 5, 2)), "convert.x"),
        (np.ones((0, 5, 1)), "convert.x"),
        ((row for row in X), "convert.x: .* must be finite numbers"),
    ],
)
def test_other_data_are_refused(lmu, x, message):
    with pytest.raises(ValidationError, match=message):
        convert(lmu("", bias=False), x, **QUICK)


@pytest.mark.parametrize(
    ("theta", "message"),
    [(1e-5, "is longer than the window theta"), (1e6, None)],
)
def test_extreme_windows_run_or_are_refused(lmu, theta, message):
    params = lmu("", theta=theta, bias=False)
    options = QUICK | {"tuning": "pairs"}
    if message is None:
        assert np.isfinite(present(convert(params, X, **options), X).y).all()
    else:
        with pytest.raises(ValidationError, match=message):
            convert(params, X, **options).network()
