"""NengoDL on TensorFlow, single precision, so many steps unrolled into one graph."""

from importlib import import_module

import numpy as np

from .network import model

UNROLL = 50  # steps; more compiles longer and runs no faster


def build(case: dict):
    """Return a function that runs so many steps, a multiple of those unrolled."""
    nengo_dl = _nengo_dl()
    threads = int(case["threads"])
    tensorflow = import_module("tensorflow")
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    network, probe = model(case)
    simulator = nengo_dl.Simulator(
        network,
        dt=float(case["dt"]),
        unroll_simulation=UNROLL,
        progress_bar=False,
        device="/cpu:0",
    )

    def run(steps: int) -> np.ndarray:
        simulator.run_steps(steps)
        return simulator.data[probe][-steps:]

    run.multiple = UNROLL
    run.version = f"{nengo_dl.__version__}, TensorFlow {tensorflow.__version__}"
    return run


def _nengo_dl():
    """Import NengoDL, through our own import where it is: it wants an older Keras."""
    try:
        ours = import_module("lmu_spiking.training._keras")
    except ImportError:
        return import_module("nengo_dl")
    return ours.nengo_dl()
