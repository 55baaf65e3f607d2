"""Signals to remember, offline: white noise, an electrocardiogram, or a user's file."""

from lmu_spiking.tasks.ecg import ecg
from lmu_spiking.tasks.files import load_signal
from lmu_spiking.tasks.signal import Signal
from lmu_spiking.tasks.white import white_noise

__all__ = ["Signal", "ecg", "load_signal", "white_noise"]
