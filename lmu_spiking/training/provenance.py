"""What the header of trained parameters tells of their training."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from lmu_spiking.training.checkpoint import State
from lmu_spiking.training.evaluation import evaluate
from lmu_spiking.training.losses import metric_name
from lmu_spiking.training.settings import TrainSettings


def told(state: State, settings: TrainSettings, mode: str, data, valid: str) -> dict:
    """Return task, origin, training, results on the parts, and versions.

    ``valid`` is the name of the results on the validation part.
    """
    results = {
        f"{name}_{metric_name(data.classes)}": evaluate(
            state.best, part, data.classes, last=data.last
        )
        for name, part in ((valid, data.valid), ("test", data.test))
    }
    training = {
        "settings": settings.described(),
        "mode": mode,
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "seconds": sum(record["seconds"] for record in state.history),
    }
    return {
        "task": data.name,
        "origin": data.origin,
        "training": training,
        "results": results,
        "versions": versions(mode),
    }


def versions(mode: str) -> dict[str, str]:
    """Of this package, Python and the libraries that the mode uses."""
    packages = ["lmu_spiking", "numpy", "tensorflow"]
    packages += ["nengo", "nengo_dl"] if mode == "bptt" else []
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package.replace("_", "-"))
        except PackageNotFoundError:
            found[package] = getattr(sys.modules.get(package), "__version__", "?")
    return found
