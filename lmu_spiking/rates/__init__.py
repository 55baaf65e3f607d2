"""The LMU as numbers: its parameters, their file, and what they compute in rates."""

from lmu_spiking.rates.chip import CHIP_ACTIVATIONS, ChipUnits
from lmu_spiking.rates.files import load_params, save_params
from lmu_spiking.rates.forward import activations, forward, run_cell
from lmu_spiking.rates.params import ACTIVATIONS, CellParams, LMUParams

__all__ = [
    "ACTIVATIONS",
    "CHIP_ACTIVATIONS",
    "CellParams",
    "ChipUnits",
    "LMUParams",
    "activations",
    "forward",
    "load_params",
    "run_cell",
    "save_params",
]
