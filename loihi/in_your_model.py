"""A memory inside your own model, with NengoLoihi's own simulator.

Shows the two steps below ``deploy``: ``lay_out`` makes the neurons and their weights in
whole numbers, ``ChipMemory`` is the network; put it where you like and read its state
from its spikes.

    python loihi/in_your_model.py     (about ten seconds)

For a board, on a superhost with Intel's NxSDK (members of the INRC): lay out for
``"board"`` and give the simulator ``target="loihi", hardware_options={"n_chips": 2}``
(here ``deploy`` would say ``target="board", options={"n_chips": 2}``), and start

    KAPOHOBAY=1 python loihi/in_your_model.py                  (Kapoho Bay)
    SLURM=1 PARTITION=nahuku32 python loihi/in_your_model.py   (Nahuku, n_chips 32)

Which partitions there are, ``sinfo`` tells.
"""

import nengo
import nengo_loihi
import numpy as np

from lmu_spiking import LDN
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory, read_state

THETA, DT, SECONDS = 0.1, 0.001, 2.0


def main():
    """Build, run, decode, compare with the input THETA ago."""
    ldn, neurons = LDN(3, THETA), chip_neurons("if", "emulator")
    layout = lay_out(ldn, 96, neurons, target="emulator", tau=0.05, dt=DT)
    with nengo.Network(seed=0) as model:
        signal = nengo.Node(nengo.processes.WhiteSignal(SECONDS, high=2, rms=0.5))
        memory = ChipMemory(layout)
        nengo.Connection(signal, memory.input, synapse=None)
        played = nengo.Probe(signal)
    with nengo_loihi.Simulator(model, dt=DT, target="sim", progress_bar=False) as sim:
        sim.run(SECONDS)
        u, spikes = sim.data[played][:, 0], sim.data[memory.spikes]
    state = read_state(layout, spikes, u)
    past = state @ ldn.readout(THETA - DT, DT).ravel()  # a probe is a step late
    steps = round(THETA / DT)
    error = (past[steps:] - u[:-steps])[2 * steps :]
    nrmse = np.sqrt(np.mean(error**2) / np.mean(u**2))
    print(
        f"{spikes.sum() * DT:,.0f} spikes; NRMSE of the input {THETA} s ago {nrmse:.3f}"
    )


if __name__ == "__main__":
    main()
