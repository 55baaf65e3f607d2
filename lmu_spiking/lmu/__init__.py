"""The LMU as numbers: its parameters, their file, and what they compute in rates."""

from lmu_spiking.lmu.files import load_params, save_params
from lmu_spiking.lmu.forward import activations, forward, run_cell
from lmu_spiking.lmu.params import ACTIVATIONS, CellParams, LMUParams
from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, ChipUnits

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
