"""Models of keras-lmu 0.3 to 0.9, saved by Keras 2 or 3."""

import numpy as np

from lmu_spiking.errors import check_positive
from lmu_spiking.rates import LMUParams
from lmu_spiking.training.importers.arrays import expect, of_dense
from lmu_spiking.training.importers.cell import cell_of
from lmu_spiking.training.importers.described import described
from lmu_spiking.training.importers.graph import chain_of
from lmu_spiking.training.importers.series import Layer
from lmu_spiking.training.importers.stored import Stored, checked_path, one_line, read


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
    """Parameters of a Keras model of LMU layers and a Dense.

    The model is a chain: an input, ``Reshape`` and ``Permute`` (left to the caller, and
    told in the header), ``keras_lmu.LMU``, ``LMUFeedforward`` or ``RNN(LMUCell)``
    layers, and at most one ``Dense``; dropout is idle at inference.  A softmax or
    sigmoid after the Dense is told in the header: `forward` gives what goes into it.
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
    path = checked_path("load_keras_lmu.path", path)
    dt = check_positive("load_keras_lmu.dt", dt, "seconds")
    stored = read(path)
    options = {"config": config, "order": order, "theta": theta}
    options |= {"hidden_to_memory": hidden_to_memory, "activation": activation}
    with one_line(path):
        return params_of(stored, str(path.name), dt, options)


def params_of(stored: Stored, file: str, dt: float, options: dict) -> LMUParams:
    """Parameters of a model that has been read."""
    chain = chain_of(described(stored, options))
    cells, size = [], None
    for layer in chain.lmus:
        cells.append(cell_of(layer, _group(stored, layer), size, dt))
        size = cells[-1].units
    if chain.readout is None:
        D, c = np.eye(cells[-1].units), np.zeros(cells[-1].units)
    else:
        biased = bool(chain.readout.settings.get("use_bias", True))
        D, c = of_dense(chain.readout.name, _group(stored, chain.readout), biased)
        n = (cells[-1].units,)
        expect(chain.readout.name, "kernel", D[0], n, "the LMU before it")
    source = {
        "library": "keras-lmu",
        "file": file,
        "format": stored.format,
        **stored.versions,
        "layers": [layer.name for layer in chain.lmus],
        "readout": chain.readout.name if chain.readout else None,
        "readout_activation": chain.activation,
        "before": chain.shaping,
        "return_sequences": bool(chain.lmus[-1].settings.get("return_sequences")),
    }
    return LMUParams(tuple(cells), D, c, dt, {"source": source})


def _group(stored: Stored, layer: Layer) -> dict[str, np.ndarray]:
    """Weights of a layer; none is fine where its settings ask for none."""
    name = layer.by_class if stored.by_class else layer.name
    return stored.groups.get(name, {})
