"""``lmu-spiking doctor``: what is installed, what works, what to install."""

import importlib.util
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import wrap

from lmu_spiking import __version__
from lmu_spiking.cli import options as o
from lmu_spiking.cli.checks import CHECKS, WRONG, Finding, found_out
from lmu_spiking.cli.console import Bar, print_json, print_table
from lmu_spiking.errors import LMUSpikingError

BASE = (
    *("nengo", "numpy", "scipy", "numba", "pandas", "pyarrow", "matplotlib", "joblib"),
    *("typer", "rich", "threadpoolctl", "tomli-w"),
)
EXTRAS = {
    "train": ("nengo-dl", "nengo-extras", "tensorflow"),
    "loihi": ("nengo-loihi",),
    "data": ("PyWavelets", "scikit-learn", "mlxtend"),
    "dask": ("dask", "distributed"),
    "nir": ("nir",),
    "gui": ("nengo-gui",),
    "docs": ("sphinx", "furo", "myst-nb", "numpydoc"),
}
FOR = {
    "train": "rate models: lmu-spiking train",
    "loihi": "chip and emulator: lmu-spiking deploy",
    "data": "digits, ECG, psMNIST",
    "dask": "studies on a cluster",
    "nir": "exchange with other simulators",
    "gui": "networks in the browser",
    "docs": "to build the documentation",
}
LIMITS = {"train": (3, 11), "loihi": (3, 12)}  # the last Python they are made for


def doctor(json: o.Json = False):
    """Say what is installed, what works, what is wrong and what to install.

    \b
    lmu-spiking doctor
    lmu-spiking doctor --json

    Everything is tried, not only looked for; that takes seconds, the first time half a
    minute, since kernels are compiled. It ends with 0 unless the base is broken.
    """  # noqa: D301 (the \b marks the examples)
    packages = {name: _version(name) for name in BASE}
    extras = {name: _extra(name) for name in EXTRAS}
    checks: list[Finding] = []
    with Bar("Trying", len(CHECKS)) as bar:
        for check in CHECKS:
            bar.phase(f"Trying: {check.what}")
            checks.append(found_out(check, extras))
    advice = _commands(extras)
    record = {
        "lmu_spiking": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": packages,
        "extras": extras,
        "checks": {one.name: one.to_dict() for one in checks},
        "problems": [f"{one.what}: {one.say}" for one in checks if one.state == WRONG],
        "install": advice,
        "largest_difference": next(
            (x.value for x in checks if x.name == "simulator"), None
        ),
    }
    if json:
        print_json(record)
    else:
        _report(record, checks)
    broken = [one for one in checks if one.base and one.state == WRONG]
    if broken:
        raise LMUSpikingError(
            f"the base is broken: {broken[0].say}; in a fresh environment: "
            f"{sys.executable} -m pip install --force-reinstall lmu_spiking"
        )


def _report(record: dict, checks: list[Finding]) -> None:
    """What there is, what works, what is wrong, what to do."""
    print(f"lmu_spiking {__version__}, Python {record['python']}")
    print(record["executable"])
    names = [
        f"{name} {found or 'MISSING'}" for name, found in record["packages"].items()
    ]
    print("\n".join(wrap(", ".join(names), 80)))
    print()
    rows = [
        [f"[{name}]", FOR[name], _installed(state)]
        for name, state in record["extras"].items()
    ]
    print_table("", ["extra", "what for", "here"], rows, numbers=False)
    print()
    rows = [
        [one.what, one.state, "see below" if one.state == WRONG else one.say]
        for one in checks
    ]
    print_table("", ["tried", "", "found"], rows, numbers=False)
    if record["problems"]:
        print("\nWrong:")
        for problem in record["problems"]:
            print(
                "\n".join(
                    wrap(problem, 78, initial_indent="- ", subsequent_indent="  ")
                )
            )
    if record["install"]:
        print("\nFor the rest:")
        for line in record["install"]:
            print(line)
    print("\nNext: lmu-spiking run")


def _installed(state: dict) -> str:
    if state["installed"]:
        return ", ".join(filter(None, state["packages"].values()))
    return state["say"] if state["say"].startswith("needs") else "not installed"


def _commands(extras: dict) -> list[str]:
    """What installs the extras that are missing and fit this Python."""
    missing = [
        name
        for name, state in extras.items()
        if not state["installed"] and state["say"].startswith("pip") and name != "docs"
    ]
    return [_pip(missing)] if missing else []


def _pip(extras: list[str]) -> str:
    """The command for this environment, also where ours is a copy, not installed."""
    what = f"lmu_spiking[{','.join(extras)}]"
    if _version("lmu_spiking") is None:
        folder = Path(__file__).resolve().parents[2]
        what = f"-e '{folder}[{','.join(extras)}]'"
    else:
        what = f"'{what}'"
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install --python {sys.executable} {what}"
    return f"{sys.executable} -m pip install {what}"


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
    elif limit and sys.version_info[:2] > limit:
        say = f"needs Python {limit[0]}.{limit[1]} or older"
    else:
        say = f"pip install 'lmu_spiking[{name}]'"
    return {"installed": not missing, "packages": found, "say": say}
