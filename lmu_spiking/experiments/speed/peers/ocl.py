"""NengoOCL, on the processor as PoCL makes it an OpenCL device; single precision."""

import os
from importlib import import_module

import numpy as np

from .network import model


def build(case: dict):
    """Return a function that runs so many steps."""
    threads = str(int(case["threads"]))
    os.environ["POCL_MAX_PTHREAD_COUNT"] = threads  # until PoCL 3
    os.environ["POCL_CPU_MAX_CU_COUNT"] = threads  # since PoCL 4
    pyopencl = import_module("pyopencl")
    nengo_ocl = import_module("nengo_ocl")
    import_module("scipy.sparse")  # sparse weights need it
    devices = [
        device
        for platform in pyopencl.get_platforms()
        for device in platform.get_devices()
        if device.type & pyopencl.device_type.CPU
    ]
    if not devices:
        raise ImportError("no OpenCL device is this processor; install PoCL")
    network, probe = model(case)
    try:
        simulator = nengo_ocl.Simulator(
            network,
            dt=float(case["dt"]),
            context=pyopencl.Context(devices[:1]),
            progress_bar=False,
        )
    except ValueError as error:
        if "Unsupported neuron type" in str(error):
            raise NotImplementedError(str(error)) from None
        raise

    def run(steps: int) -> np.ndarray:
        simulator.clear_probes()
        simulator.run_steps(steps, progress_bar=False)
        return simulator.data[probe]

    run.version = f"{nengo_ocl.__version__}, {devices[0].platform.version.strip()}"
    return run
