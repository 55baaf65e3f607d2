"""Brian2 as a C++ program made for this memory; single precision.

Neurons take the state of their dimension as a linked variable and send spikes to it by
a synapse each; d numbers close the loop.  Poisson neurons draw whole counts, as Nengo's
do.  The program times its own second run, so that nothing done once is counted.
"""

import math
import shutil
import tempfile
from importlib import import_module
from pathlib import Path

import numpy as np

FLAGS = ["-O3", "-march=native", "-ffast-math", "-std=c++11", "-w"]
WARM = 10  # steps of the first run
COUNTED = {  # what neurons of counts do in a step; lam is what they expect
    "poisson": "n = poisson(lam)",
    "regular": "v += lam\nn = floor(v)\nv -= n",
}
STATE = "x = decay * x + (1 - decay) * (z + B * u(t))"


class Program:
    """A program of so many steps, compiled anew where their number is another."""

    def __init__(self, case: dict):
        self.case, self.built = case, 0
        self.b2 = import_module("brian2")
        self.version = self.b2.__version__
        if shutil.which("g++") is None:
            raise ImportError("a C++ compiler (g++) is not installed")
        # compiling is slow: repeats are long enough at once, 15 ns a neuron or less
        m, seconds = len(case["gain"]), float(case["seconds"])
        self.first = math.ceil(3 * seconds / (15e-9 * m + 5e-6))
        self._folder = tempfile.TemporaryDirectory(prefix="brian-")

    def seconds(self, steps: int) -> float:
        """Run it once: seconds of the second run's loop."""
        if steps != self.built:
            self._build(steps)
            self.built = steps
        device = self.b2.get_device()
        device.run(with_output=False)
        return device._last_run_time

    def __call__(self, steps: int) -> np.ndarray:
        """Run it: the states (steps, d)."""
        self.seconds(steps)
        return np.array(self._monitor.x)[:, -steps:].T

    def _build(self, steps: int) -> None:
        b2, threads = self.b2, int(self.case["threads"])
        folder = Path(self._folder.name) / str(steps)
        b2.device.reinit()
        b2.set_device("cpp_standalone", build_on_run=False, directory=str(folder))
        b2.prefs.logging.console_log_level = "CRITICAL"
        b2.prefs.core.default_float_dtype = np.float32
        b2.prefs.codegen.cpp.extra_compile_args_gcc = FLAGS
        b2.prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
        b2.defaultclock.dt = float(self.case["dt"]) * b2.second
        network, self._monitor = memory(b2, self.case)
        for n in (WARM, steps):
            network.run(n * b2.defaultclock.dt, namespace={})
        b2.device.build(directory=str(folder), run=False)


def build(case: dict) -> Program:
    """Return a function that runs so many steps."""
    if case["structure"] == "array":
        raise NotImplementedError("Brian2 has no ensembles: the memory is its own way")
    return Program(case)


def memory(b2, case: dict):
    """Return the network and the monitor of its state."""
    dt = float(case["dt"])
    d, kind = len(case["A"]), str(case["spikes"])
    rates = kind == "rate"  # decoded in every step, not by spike
    u = b2.TimedArray(np.tile(case["u"], 50), dt=dt * b2.second)
    given = {"u": u, "decay": np.exp(-dt / float(case["tau"]))}
    values = "x : 1\ny : 1\nz : 1\nB : 1"
    state = b2.NeuronGroup(d, values, name="state", namespace=given)
    state.B = case["B"]
    update = STATE if rates else f"{STATE}\ny = 0"
    # y of the last step is in z before the state takes it, and then the neurons x
    state.run_regularly(update, when="groups", order=1)
    neurons = _neurons(b2, case, state, kind)
    if rates:
        decode = b2.Synapses(neurons, state, "w : 1\ny_post = w * r_pre : 1 (summed)")
        decode.summed_updaters["y_post"].order = -2
    else:
        spikes = "y_post += w" if kind == "lif" else "y_post += w * n_pre"
        decode = b2.Synapses(neurons, state, "w : 1", on_pre=spikes)
    decode.connect(i=np.arange(len(case["gain"])), j=np.asarray(case["dimension"]))
    decode.w = case["decoders"] / (1 if rates else dt)
    # the recurrent matrix, summed before the state is updated
    around = b2.Synapses(state, state, "A : 1\nz_post = A * y_pre : 1 (summed)")
    around.summed_updaters["z_post"].order = -1
    around.connect()
    around.A = np.asarray(case["A"]).T.ravel()  # by source, then target
    monitor = b2.StateMonitor(state, "x", record=True)
    return b2.Network(state, neurons, decode, around, monitor), monitor


def _neurons(b2, case: dict, state, kind: str):
    m, dt = len(case["gain"]), float(case["dt"])
    drive = "gain : 1\nbias : 1\nx : 1 (linked)\n"
    if kind == "rate":
        neurons = b2.NeuronGroup(m, f"{drive}r : 1", name="neurons")
        rate = "r = clip(gain * x + bias, 0, inf)"
        neurons.run_regularly(rate, when="groups", order=2)
    elif kind == "lif":
        neurons = b2.NeuronGroup(
            m,
            f"{drive}J = gain * x + bias : 1 (constant over dt)\n"
            "dv/dt = (J - v) / (20 * ms) : 1 (unless refractory)",
            threshold="v > 1",
            reset="v = 0",
            refractory=2 * b2.ms,
            method="exact",
            order=2,
            name="neurons",
        )
        neurons.run_regularly("v = clip(v, 0, 2)", when="before_thresholds")
    else:
        neurons = b2.NeuronGroup(
            m,
            f"{drive}v : 1\nn : 1\nlam = clip(gain * x + bias, 0, inf) * step : 1",
            threshold="n > 0",
            reset="",
            name="neurons",
            namespace={"step": dt},
        )
        neurons.run_regularly(COUNTED[kind], when="groups", order=2)
    if kind in ("lif", "regular"):
        neurons.v = "rand()"  # else all would spike together
    neurons.gain = case["gain"] * case["encoders"]
    neurons.bias = case["bias"]
    neurons.x = b2.linked_var(state, "x", index=np.asarray(case["dimension"]))
    return neurons
