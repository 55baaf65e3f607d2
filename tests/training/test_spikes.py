import dataclasses

import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.conversion import ConvertSettings, convert
from lmu_spiking.conversion.run import present
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import ChipUnits, LMUParams, forward
from lmu_spiking.training import TrainSettings, train
from lmu_spiking.training._jax import jax
from lmu_spiking.training.engine import JaxEngine
from lmu_spiking.training.spikes import FEW, SpikingEngine, _poisson, loops_of

FULL = "e_h e_m W_x W_h"


def _spikes(neuron_type, n_neurons, **more):
    return ConvertSettings(
        n_neurons, neuron_type=neuron_type, presentation=0.005, **more
    )


def _engine(params, data, spikes, **settings):
    made = SpikingEngine(params, TrainSettings(**settings), spikes, data)
    made.begin_epoch(params.arrays())
    return made


@pytest.mark.parametrize(
    ("cells", "connections", "neuron_type", "n_neurons", "more"),
    [
        (["relu"], "W_x", "poisson", 4000, {}),
        (["relu"], "W_x", "if", 700, {}),
        (["tanh", "relu"], FULL, "poisson", 30_000, {}),
        (["relu"], FULL, "if", 1500, {"error_feedback": (100.0, 0.02)}),
        (["relu"], "", "poisson", 4000, {"tuning": "optimal"}),
        (["relu"], "", "poisson", 4000, {"readout_synapse": 0.0015}),
    ],
)
def test_errors_are_those_of_the_network(
    lmu, task, cells, connections, neuron_type, n_neurons, more
):
    """Mean square and mean are those of the compiled network on the same sequences."""
    params, data = lmu(cells, connections), task(last=False, n=300)
    spikes = _spikes(neuron_type, n_neurons, **more)
    made = _engine(params, data, spikes)
    x = data.train.x.astype(float)
    exact = forward(params, x)
    found = made.outputs(params.arrays(), made.features(x)) - exact
    conversion = convert(params, x, last=False, **vars(spikes))
    expected = present(conversion, x, around=0).y - exact
    power = [np.mean(e**2, axis=(1, 2)) for e in (found, expected)]
    error = np.hypot(*(np.std(p) for p in power)) / np.sqrt(300)
    assert error < 0.15 * power[1].mean()
    less = 0.08 * power[1].mean() if spikes.kept else 0.0
    # a lowpass is taken for a mean of as many steps, which are a little less noisy
    assert abs(np.subtract(*map(np.mean, power))) < 4 * error + less
    error = np.hypot(*(e.std(axis=0) for e in (found, expected))) / np.sqrt(300)
    means = [e.mean(axis=0) for e in (found, expected)]
    assert np.sqrt(np.mean((np.subtract(*means) / error) ** 2)) < 1.5


@pytest.mark.parametrize("connections", ["W_x", FULL])
@pytest.mark.parametrize("neuron_type", ["poisson", "if"])
def test_many_neurons_have_the_gradients_of_rates(lmu, task, connections, neuron_type):
    # no integrating unit is tanh, and any noise moves a relu over its corner
    units = ["tanh" if neuron_type == "poisson" else "relu"]
    params, data = lmu(units, connections), task(classes=3, n=40)
    made = _engine(params, data, _spikes(neuron_type, 10**9), rate_penalty=0.1)
    rates = JaxEngine(params, TrainSettings(rate_penalty=0.1), 3, True)
    given = data.train.x.astype(float), data.train.y
    losses, slopes = zip(
        made.gradients(
            params.arrays(),
            made.features(given[0]),
            given[1],
            None,
            np.random.default_rng(0),
        ),
        rates.gradients(params.arrays(), rates.features(given[0]), given[1]),
        strict=True,
    )
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-3)
    largest = max(np.abs(np.asarray(g)).max() for g in slopes[1].values())
    for name, g in slopes[1].items():
        within = 0.01 * np.abs(np.asarray(g)).max() + 0.001 * largest
        np.testing.assert_allclose(slopes[0][name], g, rtol=0, atol=within)


def test_it_lowers_the_loss_in_spikes_and_goes_on_bit_by_bit(lmu, task, tmp_path):
    params, data = lmu(["relu"], units=20), task(classes=3, n=200)
    rates = train(params, data, TrainSettings(epochs=30, batch=20, learning_rate=0.01))
    spikes, path = _spikes("poisson", 400), tmp_path / "going.npz"
    settings = TrainSettings(epochs=6, batch=20, learning_rate=0.01, keep="last")
    whole = train(rates.params, data, settings, spikes=spikes)
    # the same steps at no rate tell what it was before
    still = dataclasses.replace(settings, learning_rate=1e-12, epochs=1)
    before = train(rates.params, data, still, spikes=spikes).best["valid_loss"]
    assert whole.history[-1]["valid_loss"] < 0.96 * before
    header = whole.params.header["training"]
    assert header["spikes"] == dataclasses.asdict(spikes)

    def interrupt(epoch, epochs, record):
        if epoch == 2:
            raise KeyboardInterrupt

    how = {"spikes": spikes, "checkpoint": path}
    with pytest.raises(KeyboardInterrupt):
        train(rates.params, data, settings, progress=interrupt, **how)
    with pytest.raises(ValidationError, match="other spikes"):
        train(rates.params, data, settings, checkpoint=path)
    resumed = train(rates.params, data, settings, **how)
    for name, array in whole.params.arrays().items():
        np.testing.assert_array_equal(resumed.params.arrays()[name], array)


@pytest.mark.parametrize(
    ("settings", "spikes", "engine", "told"),
    [
        ({"noise": 0.1}, {}, "jax", r"TrainSettings\.noise"),
        ({"trainable_theta": True}, {}, "jax", r"TrainSettings\.trainable_theta"),
        ({"trainable_theta": (0,)}, {}, "jax", r"TrainSettings\.trainable_theta"),
        ({}, {"neuron_type": "stochastic"}, "jax", r"spikes\.neuron_type"),
        ({}, {"neuron_type": "if", "initial_phases": "random"}, "jax", "staggered"),
        ({}, {}, "nengo-dl", r"train\.engine"),
        ({}, {"n_neurons": 10}, "jax", "too few"),
    ],
)
def test_what_it_does_not_know_is_refused(lmu, task, settings, spikes, engine, told):
    spikes = ConvertSettings(**{"n_neurons": 4000, **spikes})
    with pytest.raises(ValidationError, match=told):
        train(
            lmu(["relu"]),
            task(classes=3),
            TrainSettings(**settings),
            engine=engine,
            spikes=spikes,
        )


def test_what_is_no_conversion_is_refused(lmu, task):
    with pytest.raises(ValidationError, match=r"train\.spikes[^\n]*ConvertSettings\("):
        train(lmu(["relu"]), task(), spikes={"n_neurons": 3000})


def test_staggered_units_are_not_those_of_a_chip(task):
    cell = {"units": 7, "order": 4, "theta": 0.02, "activation": "loihi-relu"}
    cell |= {"chip": ChipUnits(120.0), "connections": "", "bias": True}
    params, data = LMUParams.draw(2, 3, [cell]), task(classes=3)
    with pytest.raises(ValidationError, match="poisson"):
        train(params, data, spikes=_spikes("if", 4000))
    trained = train(
        params, data, TrainSettings(epochs=1), spikes=_spikes("poisson", 4000)
    )
    assert len(trained.history) == 1


@pytest.mark.parametrize("mean", [0.0, 0.3, 3.0, FEW - 0.01, FEW + 2, 40.0])
def test_poisson_numbers_have_their_distribution(mean):
    """Shares of 200,000 numbers, each within 5 standard errors."""
    from scipy.stats import poisson

    n = 200_000
    drawn = _poisson(
        jax.random.PRNGKey(round(mean)), jax.numpy.full(n, mean, "float32")
    )
    drawn = np.asarray(drawn).astype(int)
    expected = n * poisson.pmf(np.arange(drawn.max() + 1), mean)
    often = expected > 10
    error = (np.bincount(drawn) - expected)[often] / np.sqrt(expected[often] + 1e-9)
    assert np.abs(error).max() < 5


def test_is_designed_for_the_sequences_that_a_conversion_takes(lmu, task):
    """The first sequences are not like the others where data are in an order."""
    params, data = lmu(["relu"], "W_x"), task(last=False, n=401)
    x = data.train.x * np.repeat([0.1, 1.0], [200, 201])[:, None, None]
    data = dataclasses.replace(data, train=type(data.train)(x, data.train.y))
    spikes = _spikes("poisson", 4000)
    conversion = convert(params, data.train.x, last=False, **vars(spikes))
    found = _engine(params, data, spikes)._loops[0]
    expected = loops_of(conversion)[0]
    for name in ("worth", "per_read"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
