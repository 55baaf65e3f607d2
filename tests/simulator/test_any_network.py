"""Small random networks of all kinds: however they are cut, threaded or repeated."""

import nengo
import numpy as np
import pytest

from lmu_spiking import Simulator

NEURONS = [
    nengo.LIF(),
    nengo.AdaptiveLIF(),
    nengo.SpikingRectifiedLinear(),
    nengo.Tanh(),
    nengo.LIFRate(),
    nengo.Direct(),
    nengo.PoissonSpiking(nengo.LIFRate()),
    nengo.PoissonSpiking(nengo.Tanh()),
    nengo.StochasticSpiking(nengo.RectifiedLinear()),
    nengo.RegularSpiking(nengo.LIFRate()),
]


def inputs(rng):
    """A node without input."""
    d = int(rng.integers(1, 4))
    return [
        lambda: nengo.Node(nengo.processes.WhiteSignal(0.05, high=30), size_out=d),
        lambda: nengo.Node(lambda t: np.cos(30 * t + np.arange(d))),
        lambda: nengo.Node(rng.standard_normal(d)),
        lambda: nengo.Node(nengo.processes.WhiteNoise(), size_out=d),
    ][rng.integers(4)]()


def network(seed):
    """Ensembles of 1 to 1100 neurons, nodes with and without Python, slices, PES."""
    rng = np.random.default_rng(seed)
    with nengo.Network(seed=seed) as model:
        makers = [inputs(rng) for _ in range(rng.integers(1, 3))]
        takers: list = []
        for _ in range(rng.integers(1, 4)):
            d, kind = int(rng.integers(1, 4)), rng.integers(5)
            if kind < 3:
                neurons = NEURONS[rng.integers(len(NEURONS))]
                n = int(rng.choice([1, 2, 30, 1100]))
                noise = nengo.processes.WhiteNoise() if rng.random() < 0.2 else None
                noise = None if isinstance(neurons, nengo.Direct) else noise
                made = nengo.Ensemble(n, d, neuron_type=neurons, noise=noise)
            elif kind == 3:
                made = nengo.Node(size_in=d)
            else:
                made = nengo.Node(lambda t, x: np.tanh(x) + np.sin(t), size_in=d)
            takers.append(made)
        for _ in range(rng.integers(1, 6)):
            pre = [*makers, *takers][rng.integers(len(makers) + len(takers))]
            post = takers[rng.integers(len(takers))]
            part = pre[: max(1, pre.size_out - 1)] if rng.random() < 0.3 else pre
            weights = 0.3 * rng.standard_normal((post.size_in, part.size_out))
            connection = nengo.Connection(part, post, transform=weights, synapse=0.01)
            direct = isinstance(getattr(pre, "neuron_type", None), nengo.Direct)
            if part is pre and isinstance(pre, nengo.Ensemble) and not direct:
                connection.learning_rule_type = nengo.PES()
                teacher = connection.learning_rule
                nengo.Connection(
                    makers[0],
                    teacher,
                    transform=np.ones((teacher.size_in, 1))
                    @ np.ones((1, makers[0].size_out)),
                )
        probes = [nengo.Probe(x, synapse=0.01) for x in (*makers, *takers)]
        every = float(rng.choice([0.001, 0.0025, 5.0]))
        probes += [nengo.Probe(takers[0][-1:], sample_every=every)]
        probes += [
            nengo.Probe(x.neurons[::2])
            for x in model.ensembles
            if not isinstance(x.neuron_type, nengo.Direct)
        ]
    return model, probes


def compiled(model, **options):
    """Now and then Nengo 4.1's optimizer cannot merge views, in an order of its own."""
    try:
        return Simulator(model, progress_bar=False, **options)
    except ValueError as error:
        if "strides is incompatible" not in str(error):
            raise
        return Simulator(model, progress_bar=False, optimize=False, **options)


# what Nengo's optimizer says where it merges neurons with random numbers
@pytest.mark.filterwarnings("ignore:Extra state has been modified")
@pytest.mark.parametrize("seed", range(25))
def test_any_network_repeats(seed):
    model, probes = network(seed)
    with compiled(model, trials=3, threads=2) as sim:
        sim.run_steps(30)
        whole = [sim.data[p].copy() for p in probes]
        assert all(np.isfinite(x).all() for x in whole)
        for threads in (1, 2):
            sim.threads = threads
            sim.reset()
            sim.run_steps(11)
            sim.step()
            sim.run_steps(18)
            for p, x in zip(probes, whole, strict=True):
                assert np.array_equal(sim.data[p], x), p


def learner(neurons):
    """Decoders that learn a constant."""
    with nengo.Network(seed=1) as model:
        u = nengo.Node([0.6])
        pre = nengo.Ensemble(60, 1, neuron_type=neurons)
        post, error = nengo.Node(size_in=1), nengo.Node(size_in=1)
        nengo.Connection(u, pre)
        learnt = nengo.Connection(
            pre, post, function=lambda x: 0, learning_rule_type=nengo.PES(1e-3)
        )
        nengo.Connection(post, error)
        nengo.Connection(u, error, transform=-1)
        nengo.Connection(error, learnt.learning_rule)
        probe = nengo.Probe(learnt, "weights", sample_every=0.05)
        out = nengo.Probe(post, synapse=0.03)
    return model, probe, out


def test_each_trial_learns_by_its_own_spikes():
    model, weights, out = learner(nengo.PoissonSpiking(nengo.RectifiedLinear()))
    with Simulator(model, progress_bar=False, trials=4) as sim:
        sim.run(0.6)
        w, y = sim.data[weights], sim.data[out]
    assert w.shape == (4, 12, 1, 60)
    assert not any(np.array_equal(w[0], row) for row in w[1:])
    assert np.abs(y[:, -200:].mean(axis=1) - 0.6).max() < 0.1
    with Simulator(model, progress_bar=False) as sim:
        sim.run(0.6)
        assert np.array_equal(sim.data[weights], w[0])


@pytest.mark.parametrize("trials", [None, 1, 3])
def test_functions_with_inputs_are_called_for_each_trial_in_turn(trials):
    seen = []
    with nengo.Network(seed=1) as model:
        ens = nengo.Ensemble(
            20, 1, neuron_type=nengo.PoissonSpiking(nengo.RectifiedLinear())
        )
        node = nengo.Node(lambda t, x: seen.append((round(t * 1000), *x)), size_in=1)
        nengo.Connection(ens, node)
        probe = nengo.Probe(ens, synapse=0.005)
    with Simulator(model, progress_bar=False, trials=trials) as sim:
        seen.clear()
        sim.run_steps(25)
        x = np.reshape(sim.data[probe], (trials or 1, 25))
    steps, values = np.array(seen).T
    assert np.array_equal(steps, np.repeat(np.arange(1, 26), trials or 1))
    assert np.array_equal(values.reshape(25, -1).T.astype(np.float32), x)
