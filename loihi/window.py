"""A sliding window of half a second on Loihi's emulator: its error, cores and energy.

Shows ``deploy``: one call lays a memory out for the chip, checks that it fits, runs it
and reads its state from its spikes.

    python loihi/window.py            (about a minute)

For a board, on a superhost with Intel's NxSDK (members of the INRC): replace the last
argument of ``deploy`` by ``target="board", options={"n_chips": 2}, chips=2`` and start

    KAPOHOBAY=1 python loihi/window.py                   (Kapoho Bay, 2 chips)
    SLURM=1 PARTITION=nahuku32 python loihi/window.py    (Nahuku, n_chips 32)

Which partitions there are, ``sinfo`` tells.
"""

from pathlib import Path

from lmu_spiking.loihi.run.deploy import deploy
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.plots import deployed, layout_figure, save_figure

OUT = Path("out/loihi")


def main():
    """Deploy, print what was measured beside what was predicted, draw."""
    spec = MemorySpec(
        n_neurons=240, order=4, theta=0.5, tau=0.1, signal=SignalSpec(bandwidth=1.0)
    )
    done = deploy(spec, duration=2.0, target="emulator")
    row = done.row
    print(
        f"NRMSE at theta   {row['nrmse']:.4f}, predicted {row['predicted_nrmse']:.4f}"
    )
    print(f"cores            {row['cores']} of 128")
    print(f"spikes           {row['spikes_per_s']:,.0f} a second")
    if done.energy is not None:  # a board does not count
        print(f"dynamic power    {1e3 * done.energy.dynamic_watts:.3g} mW, estimated")
    OUT.mkdir(parents=True, exist_ok=True)
    save_figure(deployed(done), OUT / "window.png")
    save_figure(layout_figure(done.budget), OUT / "window_cores.png")
    print(f"{OUT / 'window.png'}, {OUT / 'window_cores.png'}")


if __name__ == "__main__":
    main()
