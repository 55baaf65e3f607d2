"""The one file that imports TensorFlow, NengoDL and NengoExtras.

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

MOVED = {
    "keras.engine": "keras.src.engine",
    "keras.engine.functional": "keras.src.engine.functional",
}
BATCH_NORMALIZATION = {
    "BatchNormalizationV1": "keras.src.layers.normalization.batch_normalization_v1",
    "BatchNormalizationV2": "keras.src.layers.normalization.batch_normalization",
}


def tensorflow():
    """TensorFlow, quiet.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it greets on standard error
    try:
        import tensorflow
    except ImportError:
        raise MissingPackageError("tensorflow", "train") from None
    return tensorflow


def nengo_dl():
    """NengoDL, on the Keras that comes with TensorFlow 2.15.

    Raises
    ------
    MissingPackageError
        If it, or TensorFlow, is not installed.
    """
    tensorflow()
    with contextlib.ExitStack() as stack:
        if "nengo_dl" not in sys.modules:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "This version of NengoDL")
            stack.enter_context(_former_names())
        try:
            import nengo_dl
        except ImportError as error:
            if error.name != "nengo_dl":
                raise
            raise MissingPackageError("nengo_dl", "train") from None
    return nengo_dl


def loihi_training():
    """NengoExtras' builders of a Loihi chip's neurons for NengoDL.

    Raises
    ------
    MissingPackageError
        If it, or what it stands on, is not installed.
    """
    nengo_dl()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of all that it looks for
        try:
            from nengo_extras import loihi_training, reqs
        except ImportError as error:
            if error.name != "nengo_extras":
                raise
            raise MissingPackageError("nengo_extras", "train") from None
        if not reqs.HAS_NENGO_DL:  # NengoLoihi came first, and NengoDL failed to import
            importlib.reload(reqs)
            importlib.reload(loihi_training)
            _register(loihi_training)
    return loihi_training


def _register(builders) -> None:
    """Do for NengoLoihi what it does where it finds NengoDL."""
    loihi = sys.modules.get("nengo_loihi")
    if loihi is None:
        return
    known = nengo_dl().neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    known[loihi.neurons.LoihiLIF] = builders.LoihiLIFBuilder
    known[loihi.neurons.LoihiSpikingRectifiedLinear] = (
        builders.LoihiSpikingRectifiedLinearBuilder
    )


def compiled(function):
    """``tf.function`` as it is written, silent where many models are compiled."""
    made = tensorflow().function(function, autograph=False)
    made._omit_frequent_tracing_warning = True
    return made


@contextlib.contextmanager
def _former_names():
    """``keras.engine`` and the layers that Keras no longer exports."""
    import keras.layers  # not tensorflow.keras: NengoDL means this one

    modules = {old: importlib.import_module(new) for old, new in MOVED.items()}
    layers = {
        name: importlib.import_module(home).BatchNormalization
        for name, home in BATCH_NORMALIZATION.items()
    }
    before = set(sys.modules)
    with contextlib.ExitStack() as stack:
        for name, layer in layers.items():
            patch = mock.patch.object(keras.layers, name, layer, create=True)
            stack.enter_context(patch)
        sys.modules.update(modules)
        try:
            yield
        finally:
            for name in set(modules) - before:
                del sys.modules[name]
