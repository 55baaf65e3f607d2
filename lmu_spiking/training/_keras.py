"""The one file that imports TensorFlow and NengoDL.

NengoDL 3.6 looks for ``keras.engine`` and two layers where Keras 2.12 had them; Keras
2.15 has them elsewhere.  They are shown to it while it is imported, and taken away.
"""

import contextlib
import importlib
import os
import sys
import warnings
from unittest import mock

from lmu_spiking.errors import MissingPackageError

# modules that moved from Keras 2.12 to 2.15, and the homes of layers' former names
MOVED = {"keras.engine": "keras.src.engine"}
MOVED |= {"keras.engine.functional": "keras.src.engine.functional"}
NORMALIZATION = "keras.src.layers.normalization.batch_normalization"
FORMER = {"BatchNormalizationV1": f"{NORMALIZATION}_v1"}
FORMER |= {"BatchNormalizationV2": NORMALIZATION}


def tensorflow():
    """Return TensorFlow, which writes no greetings on standard error.

    Returns
    -------
    module
        ``tensorflow``.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow
    except ImportError:
        raise MissingPackageError("tensorflow", "nengo-dl") from None
    return tensorflow


def nengo_dl():
    """Return NengoDL, on the Keras that comes with TensorFlow 2.15.

    Returns
    -------
    module
        ``nengo_dl``.

    Raises
    ------
    MissingPackageError
        If it, or TensorFlow, is not installed.
    """
    tensorflow()
    with warnings.catch_warnings(), _former_names():
        warnings.filterwarnings("ignore", "This version of NengoDL")
        try:
            import nengo_dl
        except ImportError as error:
            if error.name != "nengo_dl":
                raise
            raise MissingPackageError("nengo_dl", "nengo-dl") from None
    return nengo_dl


def compiled(function):
    """Return ``tf.function`` of a function, silent where many models are compiled.

    Parameters
    ----------
    function : callable
        Of tensors.

    Returns
    -------
    callable
        The same as a graph.
    """
    graph = tensorflow().function(function, autograph=False)
    graph._omit_frequent_tracing_warning = True
    return graph


@contextlib.contextmanager
def _former_names():
    """Provide ``keras.engine`` and the layers that Keras no longer exports."""
    import keras.layers  # not tensorflow.keras: NengoDL means this one

    modules = {old: importlib.import_module(new) for old, new in MOVED.items()}
    homes = {name: importlib.import_module(home) for name, home in FORMER.items()}
    layers = {name: home.BatchNormalization for name, home in homes.items()}
    before = set(sys.modules)
    with mock.patch.multiple(keras.layers, create=True, **layers):
        sys.modules.update(modules)
        try:
            yield
        finally:
            for name in set(modules) - before:
                del sys.modules[name]
