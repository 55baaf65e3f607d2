"""Load trained LMUs from files of keras-lmu and of the paper's code: the one door."""

from os import PathLike
from pathlib import Path

from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_whole,
)
from lmu_spiking.lmu.importers.keras_lmu import read_keras_lmu
from lmu_spiking.lmu.importers.paper import is_paper, read_paper
from lmu_spiking.lmu.importers.stored import one_line, read
from lmu_spiking.lmu.params import ACTIVATIONS, LMUParams


def import_params(path, *, dt: float = 0.001, **options) -> LMUParams:
    """Load a trained LMU from a file of keras-lmu or of the paper's code.

    Parameters
    ----------
    path : str or path-like
        ``.keras``, ``.h5`` or ``.hdf5``.
    dt : float
        Seconds of one step.
    **options
        Of `load_keras_lmu` or `load_paper_lmu`, whichever the file needs.

    Returns
    -------
    LMUParams
        ``header["source"]`` tells what was found: library, format, versions, layers.

    Raises
    ------
    ParamsFileError
        If the file is missing or damaged, or holds something else.
    ValidationError
        If an option is out of range or of no use for this file.
    MissingPackageError
        If h5py is not installed.
    """
    return _load("import_params", path, dt, options)


def load_keras_lmu(
    path,
    *,
    dt: float = 0.001,
    config: dict | None = None,
    order: int | None = None,
    theta: float | None = None,
    hidden_to_memory: bool = False,
    activation: str = "tanh",
) -> LMUParams:
    """Load a Keras model of LMU layers and a Dense.

    The model is a chain: an input, ``Reshape`` and ``Permute`` (left to the caller, and
    named in the header), ``keras_lmu.LMU``, ``LMUFeedforward`` or ``RNN(LMUCell)``
    layers, and at most one ``Dense``; dropout is idle at inference.  A softmax or
    sigmoid after the Dense is named in the header: `forward` gives what goes into it.
    ``forward(..., last=True)`` is what a model without ``return_sequences`` returns.

    Parameters
    ----------
    path : str or path-like
        ``.keras``, a whole model in HDF5, or weights only (``.weights.h5``, ``.h5``).
    dt : float
        Seconds of one step; keras-lmu counts ``theta`` in steps.
    config : dict, optional
        ``model.get_config()`` or ``json.loads(model.to_json())``, for weights only.
    order, theta, hidden_to_memory, activation : optional
        Instead of ``config`` for weights of one LMU layer and a Dense: what the arrays
        cannot tell.  ``theta`` is in steps.  With ``input_to_hidden`` the arrays do
        tell ``hidden_to_memory``.

    Returns
    -------
    LMUParams
        Their ``header["source"]`` tells the format, versions and layers.

    Raises
    ------
    ParamsFileError
        If the file is missing or damaged, or holds what an LMU here cannot stand for.
    ValidationError
        If an option is missing, out of range or not needed.
    MissingPackageError
        If h5py is not installed.
    """
    options = {"config": config, "order": order, "theta": theta}
    options |= {"hidden_to_memory": hidden_to_memory, "activation": activation}
    return _load("load_keras_lmu", path, dt, options)


def load_paper_lmu(
    path,
    *,
    order: int | None = None,
    theta: float | None = None,
    dt: float = 0.001,
    activation: str | None = None,
) -> LMUParams:
    """Load ``RNN(LMUCell)`` layers and a Dense from ``.hdf5``.

    It takes what ``model.save``, ``save_weights`` and ``ModelCheckpoint`` wrote: a
    group for each layer with ``input_encoders``, ``hidden_encoders``,
    ``memory_encoders``, ``input_kernel``, ``hidden_kernel``, ``memory_kernel``, ``AT``,
    ``BT`` and perhaps ``bias``.  ``AT`` is the transpose of ``Ad - I``.

    Parameters
    ----------
    path : str or path-like
    order : int, optional
        Checked against the arrays, which tell it.
    theta : float, optional
        Window in steps.  ``AT`` and ``BT`` tell it, and a theta that is neither theirs
        nor theirs and a half (the paper's code is often given ``theta - 0.5``) is
        refused.  Needed only where they are not stored.
    dt : float
        Seconds of one step.
    activation : {"tanh", "relu", "linear"}, optional
        Of the hidden units; by default the description's, or else tanh.

    Returns
    -------
    LMUParams
        Their theta is that of the stored matrices; ``header["source"]`` tells it.

    Raises
    ------
    ParamsFileError
        If the file is missing or damaged, or its ``AT, BT`` are those of no Legendre
        delay network.
    ValidationError
        If an option is out of range or contradicts the file.
    MissingPackageError
        If h5py is not installed.
    """
    options = {"order": order, "theta": theta, "activation": activation}
    return _load("load_paper_lmu", path, dt, options)


def _load(caller: str, path, dt: float, options: dict) -> LMUParams:
    """Return the parameters in a file, by the reader of the caller or of the file."""
    if not isinstance(path, (str, PathLike)):
        raise ValidationError(f"{caller}.path", path, "must be a path")
    path = Path(path)
    dt = check_positive(f"{caller}.dt", dt, "seconds")
    stored = read(path)
    # the caller names the library, or else the file tells it
    of_paper = is_paper(stored) if caller == "import_params" else "paper" in caller
    kind = "the paper's code" if of_paper else "keras-lmu"
    loader = load_paper_lmu if of_paper else load_keras_lmu
    defaults = loader.__kwdefaults__ or {}  # of its options, and of dt
    known = {name: value for name, value in defaults.items() if name != "dt"}
    for name in options:
        problem = f"is no option for a file of {kind}"
        check_one_of(f"{caller}.{name}", name, known, problem)
    options, owner = known | options, loader.__name__
    if options["order"] is not None:
        check_whole(f"{owner}.order", options["order"], 1)
    if options["theta"] is not None:
        check_positive(f"{owner}.theta", options["theta"], "steps")
    if options["activation"] is not None:
        check_one_of(f"{owner}.activation", options["activation"], ACTIVATIONS)
    with one_line(path):
        return (read_paper if of_paper else read_keras_lmu)(stored, dt, options)
