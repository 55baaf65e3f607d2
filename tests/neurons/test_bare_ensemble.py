import nengo
import numpy as np

from lmu_spiking.neurons.bare_ensemble import driven


def test_numbers_stand_for_all_neurons_and_config_stays_outside():
    with nengo.Network() as model:
        model.config[nengo.Ensemble].noise = nengo.processes.WhiteNoise()
        model.config[nengo.Ensemble].radius = 7
        model.config[nengo.Ensemble].max_rates = nengo.dists.Choice([1])
        ensemble = driven(3, nengo.RectifiedLinear(), gain=2, bias=[0, 1, 2], seed=5)
        stimulus = nengo.Node([1.0])
        nengo.Connection(
            stimulus, ensemble.neurons, transform=np.ones((3, 1)), synapse=None
        )
        rates = nengo.Probe(ensemble.neurons)
    assert ensemble.noise is None
    assert ensemble.seed == 5
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run_steps(2)
    np.testing.assert_allclose(sim.data[rates][-1], [2, 3, 4])  # gain x + bias
