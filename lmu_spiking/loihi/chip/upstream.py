"""NengoLoihi, imported quietly and fitted to numpy 2, and where it places ensembles.

NengoLoihi 1.1 was made for numpy 1.  Under numpy 2 three things in it are replaced, in
its own modules and nowhere else, so that its integers are those under numpy 1.
"""

import contextlib
import importlib.util
import os
import sys
import warnings
from types import ModuleType, SimpleNamespace

import nengo
import numpy as np

from lmu_spiking.errors import MissingPackageError


def nengo_loihi():
    """Return NengoLoihi, without its warnings about versions that our tests cover.

    Returns
    -------
    module

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    if importlib.util.find_spec("nengo_loihi") is None:
        raise MissingPackageError("nengo-loihi", "loihi")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it imports TensorFlow if there
    with warnings.catch_warnings(), _without_nengo_dl():
        warnings.filterwarnings("ignore", "This version of")
        import nengo_loihi
    if int(np.__version__.split(".")[0]) >= 2:
        _fit_numpy_2(nengo_loihi)
    return nengo_loihi


def _fit_numpy_2(package: ModuleType) -> None:
    """Replace in NengoLoihi what numpy 2 stops or silently changes, once.

    Its modules may be imported already, by anybody: it calls each of these by its name
    in the module, when it builds a network.
    """
    discretize = package.builder.discretize
    if discretize.array_to_int is _array_to_int:
        return
    # arrays that may share memory: ``copy=False`` is an error now if they cannot
    numpy = SimpleNamespace(**vars(np) | {"array": _array})
    package.block.np = package.neurons.np = numpy
    # a change of dtype in place, which numpy 2.5 deprecates
    discretize.array_to_int = _array_to_int
    # Largest numbers of float32 arrays, of which scales are made: with numbers of
    # Python they gave float64, and now give float32.
    compartment = discretize.discretize_compartment
    discretize.discretize_compartment = _in_double_precision(compartment)


def _array(values, *arguments, copy=True, **options) -> np.ndarray:
    """Return ``np.array`` of numpy 1, which copies for ``copy=False`` where it must."""
    return np.array(values, *arguments, copy=copy or None, **options)


def _array_to_int(array: np.ndarray, values: np.ndarray) -> None:
    """Write rounded values into an array of float32, which becomes one of int32."""
    whole = np.round(values).astype(np.int32)
    if hasattr(array, "_set_dtype"):  # of numpy 2.5, for those who have no other way
        array._set_dtype(np.int32)
    else:
        array.dtype = np.int32
    array[:] = whole


class _DoubleMaximum(np.ndarray):
    """An array whose largest number is a float of Python.

    That combines with float32 arrays as scalars of numpy 1 did, which is to float32,
    and with other numbers to float64.
    """

    def max(self, *arguments, **options):
        """Return the largest number.

        Parameters
        ----------
        *arguments, **options
            Of ``ndarray.max``.

        Returns
        -------
        float
        """
        return float(super().max(*arguments, **options))


def _in_double_precision(discretize_compartment):
    """Return NengoLoihi's function, which makes its scales in float64 as in numpy 1."""

    def discretize(compartment, largest_weight):
        names = "bias", "vth"  # whose largest numbers scales are made of
        for name in names:
            array = getattr(compartment, name)
            setattr(compartment, name, array.view(_DoubleMaximum))
        info = discretize_compartment(compartment, float(largest_weight))
        for name in names:
            setattr(compartment, name, np.asarray(getattr(compartment, name)))
        return info

    return discretize


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
