"""Signals that a memory remembers: white noise, an electrocardiogram, files."""

from lmu_spiking.signals.ecg import ecg
from lmu_spiking.signals.files import load_signal
from lmu_spiking.signals.signal import Signal, SignalSpec, as_signal, white_noise

__all__ = ["Signal", "SignalSpec", "as_signal", "ecg", "load_signal", "white_noise"]
