"""Trained rate models become spiking networks, with the loss accounted for."""

from lmu_spiking.conversion.chip import SpikesRead, read_spikes
from lmu_spiking.conversion.conversion import Conversion, convert
from lmu_spiking.conversion.report import ConversionReport, predict_loss, report
from lmu_spiking.conversion.run import Presented, present
from lmu_spiking.conversion.settings import ConvertSettings

__all__ = [
    "Conversion",
    "ConversionReport",
    "ConvertSettings",
    "Presented",
    "SpikesRead",
    "convert",
    "predict_loss",
    "present",
    "read_spikes",
    "report",
]
