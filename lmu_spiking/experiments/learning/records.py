"""What every result of learning says of itself."""

import os
from importlib.metadata import PackageNotFoundError, version

from lmu_spiking.studies.trial import versions

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def made_with() -> dict:
    """Versions, and the threads that times depend on."""
    found = versions()
    for package in ("tensorflow", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return {
        "versions": found,
        "threads": {name: os.environ.get(name) for name in THREADS},
        "cores": os.cpu_count(),
    }
