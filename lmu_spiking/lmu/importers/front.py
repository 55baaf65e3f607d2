"""One door for files of trained LMUs, whoever wrote them."""

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.lmu import LMUParams
from lmu_spiking.lmu.importers import keras_lmu, paper
from lmu_spiking.lmu.importers.stored import checked_path, one_line, read

KERAS = {"config": None, "order": None, "theta": None}
KERAS |= {"hidden_to_memory": False, "activation": "tanh"}
PAPER = {"order": None, "theta": None, "activation": None}


def import_params(path, *, dt: float = 0.001, **options) -> LMUParams:
    """Parameters of a trained LMU from a file of keras-lmu or of the paper's code.

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
    path = checked_path("import_params.path", path)
    dt = check_positive("import_params.dt", dt, "seconds")
    stored = read(path)
    module, known = keras_lmu, KERAS
    if not stored.by_class and paper.is_paper(stored):
        module, known = paper, PAPER
    for name in options:
        if name not in known:
            kind = "keras-lmu" if module is keras_lmu else "the paper's code"
            raise ValidationError(
                f"import_params.{name}",
                options[name],
                f"is no option for a file of {kind}",
                f"use some of {', '.join(known)}",
            )
    with one_line(path):
        return module.params_of(stored, path.name, dt, {**known, **options})
