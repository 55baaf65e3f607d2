"""NengoLoihi, imported quietly."""

import contextlib
import importlib.util
import os
import sys
import warnings

import numpy as np

from lmu_spiking.errors import MissingPackageError, ValidationError


def nengo_loihi():
    """NengoLoihi, which says nothing of versions that our own tests cover.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    ValidationError
        If numpy is too new for it.
    """
    if importlib.util.find_spec("nengo_loihi") is None:
        raise MissingPackageError("nengo-loihi", "loihi")
    if int(np.__version__.split(".")[0]) >= 2:
        raise ValidationError(
            "numpy.__version__",
            np.__version__,
            "is too new for nengo-loihi 1.1, which asks numpy for what numpy 2 refuses",
            "run: pip install 'lmu_spiking[loihi]', which brings numpy 1, with Python "
            "3.11 or 3.12",
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it imports TensorFlow if there
    with warnings.catch_warnings(), _without_nengo_dl():
        warnings.filterwarnings("ignore", "This version of")
        import nengo_loihi
    return nengo_loihi


@contextlib.contextmanager
def _without_nengo_dl():
    """Keep NengoLoihi from looking for NengoDL, unless that is already imported.

    NengoDL fails to import there on Keras 2.15, after it has looked for GPUs in a
    second process, which takes as long as TensorFlow does and warns on standard error.
    """
    hidden = "nengo_dl" not in sys.modules and "nengo_loihi" not in sys.modules
    if hidden:
        sys.modules["nengo_dl"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["nengo_dl"]
