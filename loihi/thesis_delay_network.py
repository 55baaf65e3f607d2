"""The delay network that was first run on Loihi: q = 3, 0.1 s, 3 x 128 LIF neurons.

Shows the chip beside Nengo and where the error arises (``ladder``), for the delay
network of Voelker's thesis (2019): order 3, theta 0.1 s, white noise of 3 Hz.

    python loihi/thesis_delay_network.py     (one to two minutes)

For a board, on a superhost with Intel's NxSDK (members of the INRC): add "board" to
``targets`` and ``options={"n_chips": 2}, chips=2`` to the call, and start

    KAPOHOBAY=1 python loihi/thesis_delay_network.py                  (Kapoho Bay)
    SLURM=1 PARTITION=nahuku32 python loihi/thesis_delay_network.py   (n_chips 32)

Which partitions there are, ``sinfo`` tells.
"""

from pathlib import Path

from lmu_spiking.loihi.run.ladder import ladder
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.plots import ladder_figure, save_figure

OUT = Path("out/loihi")


def main():
    """Run on every rung, print the steps, draw."""
    spec = MemorySpec(
        n_neurons=3 * 128, order=3, theta=0.1, tau=0.1, signal=SignalSpec(bandwidth=3.0)
    )
    found = ladder(
        spec,
        targets=["core", "simreal", "emulator"],
        duration=2.0,
        neuron_type="lif",
        max_rate=200,
    )
    print("mean square of the readout at theta over the signal's, step by step")
    for step in (*found.steps(), found.total()):
        print(
            f"{step['step']:<14}{step['delay']:>10.5f}"
            f"   predicted {step['predicted_delay']:>9.5f}"
        )
    OUT.mkdir(parents=True, exist_ok=True)
    save_figure(ladder_figure(found), OUT / "thesis_delay_network.png")
    print(OUT / "thesis_delay_network.png")


if __name__ == "__main__":
    main()
