"""Signals that a memory remembers: noise, an electrocardiogram, files."""

from lmu_spiking.signals.ecg import ecg
from lmu_spiking.signals.files import load_signal, save_signal
from lmu_spiking.signals.signal import Signal
from lmu_spiking.signals.spec import SignalSpec, as_signal, spectrum_of, white_noise

__all__ = [
    "Signal",
    "SignalSpec",
    "as_signal",
    "ecg",
    "load_signal",
    "save_signal",
    "spectrum_of",
    "white_noise",
]
