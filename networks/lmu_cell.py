"""Does a whole unit, memory and hidden layer, do in spikes what its mathematics says?

The same ``CellParams``, twice: as 3,000 Poisson neurons of a memory and 80 for each of
eight hidden units (tanh), and as rates.  Neither is trained; the weights are drawn.
Train them with ``lmu_spiking.train``, and this is what runs.

Do: press play; drag the slider ``signal``.
See: ``hidden in spikes`` follows ``hidden in rates``, unit by unit; in the raster each
unit has its own rows, half of them for each sign.
"""

import dataclasses

import nengo
import numpy as np

from lmu_spiking import CellParams, LMUCell
from lmu_spiking.networks.hidden import Hidden

THETA = 0.5  # seconds that the memory remembers
DT = 0.001
SHOWN = 2  # units whose spikes and rates are put side by side
SMOOTH = 0.05  # seconds: the synapse that both are seen through

rng = np.random.default_rng(4)
drawn = CellParams.draw(1, units=8, order=6, theta=THETA, connections="", rng=rng)
params = dataclasses.replace(drawn, W_m=1.5 * rng.standard_normal(drawn.W_m.shape))

with nengo.Network(seed=1) as model:
    signal = nengo.Node(
        nengo.processes.WhiteSignal(period=20, high=1.5, rms=0.5, seed=52),
        label="signal",
    )
    cell = LMUCell(
        params,
        3000,
        dt=DT,
        neuron_type="poisson",
        hidden=Hidden(per_unit=80, aggregated=False, noise_seed=5),
        memory={"noise_seed": 3},
        label="in spikes",
    )
    rates = LMUCell(params, dt=DT, neuron_type="rate", label="in rates")

    in_spikes = nengo.Node(size_in=8, label="hidden in spikes")
    in_rates = nengo.Node(size_in=8, label="hidden in rates")
    both = nengo.Node(size_in=2 * SHOWN, label="two units, rates and spikes")
    for unit, seen in ((rates, in_rates), (cell, in_spikes)):
        nengo.Connection(signal, unit.input, synapse=None)
        nengo.Connection(unit.hidden, seen, synapse=SMOOTH)
    nengo.Connection(in_rates[:SHOWN], both[0::2], synapse=None)
    nengo.Connection(in_spikes[:SHOWN], both[1::2], synapse=None)
