"""``lmu-spiking doctor``: what is installed, what works, what to install."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import numpy as np
import typer

from lmu_spiking import __version__
from lmu_spiking.cli.console import print_json, print_table
from lmu_spiking.errors import LMUSpikingError

BASE = (
    *("nengo", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "typer", "rich"),
    *("joblib", "numba", "tomli-w"),
)
EXTRAS = {
    "train": ("nengo-dl", "nengo-extras", "tensorflow"),
    "loihi": ("nengo-loihi",),
    "data": ("PyWavelets", "scikit-learn", "mlxtend"),
    "dask": ("dask", "distributed"),
    "nir": ("nir",),
}
LIMITS = {"train": (3, 11), "loihi": (3, 12)}  # the last Python they are made for


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Say what is installed, what works, and what to install.

    \b
    lmu-spiking doctor
    lmu-spiking doctor --json
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    packages = {name: _version(name) for name in BASE}
    extras = {name: _extra(name) for name in EXTRAS}
    difference = check_memory()
    if json:
        print_json(
            {
                "lmu_spiking": __version__,
                "python": platform.python_version(),
                "packages": packages,
                "extras": extras,
                "largest_difference": difference,
            }
        )
        return
    rows = [["lmu_spiking", __version__], ["python", platform.python_version()]]
    rows += [[name, found or "missing"] for name, found in packages.items()]
    rows += [[f"[{name}]", state["say"]] for name, state in extras.items()]
    print_table("", ["package or [extra]", "version"], rows, numbers=False)
    print(
        f"\nA rate memory equals the exact delay network to {difference:.1e}, "
        "compiled and in Nengo."
    )


def check_memory() -> float:
    """Largest difference of a small rate memory from the exact LDN.

    In the compiled simulator, whose kernels are compiled where they never were, and in
    Nengo's own.
    """
    from lmu_spiking.simulator.targets import TARGETS
    from lmu_spiking.spec import MemorySpec
    from lmu_spiking.studies.trial import run_trial
    from lmu_spiking.tasks import white_noise

    spec = MemorySpec(n_neurons=60, order=3, theta=0.1, neuron_type="rate")
    signal = white_noise(1.0, spec.dt, 5.0, 0.5, 0)
    results = [run_trial(spec, signal, target=target) for target in TARGETS]
    difference = max(float(np.abs(r.state - r.exact).max()) for r in results)
    if not difference < 1e-9:
        raise LMUSpikingError(
            f"a rate memory differs from the exact delay network by {difference:.1e}: "
            "nengo, numpy or scipy are at fault; use a fresh environment"
        )
    return difference


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _extra(name: str) -> dict:
    found = {package: _version(package) for package in EXTRAS[name]}
    missing = [package for package, there in found.items() if there is None]
    limit = LIMITS.get(name)
    if not missing:
        say = "installed"
    elif limit and tuple(map(int, platform.python_version_tuple()[:2])) > limit:
        say = f"needs Python {limit[0]}.{limit[1]} or older"
    else:
        say = f"pip install 'lmu_spiking[{name}]'"
    return {"installed": not missing, "packages": found, "say": say}
