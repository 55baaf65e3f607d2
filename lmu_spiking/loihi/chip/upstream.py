"""NengoLoihi, imported quietly, and where it places ensembles."""

import contextlib
import importlib.util
import os
import sys
import warnings

import nengo
import numpy as np

from lmu_spiking.errors import MissingPackageError, ValidationError


def nengo_loihi():
    """Return NengoLoihi, without its warnings about versions that our tests cover.

    Returns
    -------
    module

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
        problem = "is too new for nengo-loihi 1.1, which needs numpy 1"
        remedy = (
            "run: pip install 'lmu_spiking[loihi]', which brings numpy 1, with Python "
            "3.11 or 3.12"
        )
        raise ValidationError("numpy.__version__", np.__version__, problem, remedy)
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


def place(
    ensemble: nengo.Ensemble, *, block: int | None = None, on_chip: bool | None = None
) -> None:
    """Put so many neurons of an ensemble on a core, or all of them on the host.

    Parameters
    ----------
    ensemble : nengo.Ensemble
    block : int, optional
        Neurons on a core.
    on_chip : bool, optional
    """
    loihi = nengo_loihi()
    # NengoLoihi asks the outermost network for one, the innermost for the other
    for network in nengo.Network.context:
        loihi.add_params(network)
        config = network.config[ensemble]
        if block is None:
            config.on_chip = on_chip
        else:
            config.block_shape = loihi.BlockShape((block,), (ensemble.n_neurons,))
