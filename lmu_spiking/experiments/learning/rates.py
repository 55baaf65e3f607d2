r"""Smooth signals at other sampling rates, with the same weights and windows in seconds.

A model is trained at one rate, and then runs at half of it, twice and four times it:
nothing changes but ``dt``.  The signals are Fourier series of a finite band, so that
each rate has exact samples of the same signal, and none loses any of it: the band lies
below the Nyquist frequency of the lowest rate.

- `heartbeats`: the electrocardiogram of PyWavelets, up to `HEART` Hz (a monitor's band)
  and 28 ms ahead, 360 samples a second in training.  There is one heart, three beats.
- `spoken`: which digit is said, from envelopes of `BANDS` bands of sound, up to
  `ENVELOPE` Hz, 100 samples a second in training; the data of `spoken_digits`.

A memory holds each sample for a step.  What it holds is late by half a step if a sample
is that of the step's beginning, by another time at each rate, and is late by nothing if
it is that of the step's *middle*.  So samples are taken in the middle of steps; those of
the beginning are measured beside them.  Holding also weakens a wave of ``f`` Hz, to
``sinc(f dt)``, by the square of the step.

An LSTM has no ``dt``: it runs at another rate step by step as it is (*naive*), or on the
signal that is first brought back to its own rate, by a cubic spline through the samples
that are there (*resampled*), which whoever knows the rate can do.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from lmu_spiking.brief import brief
from lmu_spiking.experiments.learning.lengths import RATES
from lmu_spiking.experiments.rivals import fit, lstm_model, lstm_units
from lmu_spiking.files import open_arrays
from lmu_spiking.lmu.forward import forward
from lmu_spiking.metrics import accuracy, nrmse
from lmu_spiking.signals.ecg import RATE, recording
from lmu_spiking.tasks.heartbeats import SHARES
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training import TrainSettings, train
from lmu_spiking.training.recipes import Recipe, start

FACTORS = (0.5, 1, 2, 4)  # of the rate of training
HEART, AHEAD = 40.0, 0.028  # Hz, seconds
SPEECH_RATE, ENVELOPE, BANDS = 100.0, 16.0, 12
SPOKEN, PERIOD = 1.0, 1.28  # seconds that are seen of a recording, and of its series
EDGES = (100.0, 3_800.0)  # Hz, of the lowest and the highest band
FLOOR = 1e-3  # of a band's mean power, below which it is silent
TEST, VALID = 5, 10  # recordings of each digit and speaker, by index


@dataclass(frozen=True, eq=False)
class Series:
    """Signals of a finite band, and what is asked of them.

    Attributes
    ----------
    harmonics : (n, c, K) complex ndarray
        Of ``exp(2 pi i k t / period)``, k from 0.
    period : float
        Seconds.
    classes : (n,) ndarray of int or None
        None if what comes next is predicted.
    index : (n,) ndarray of int
        Which tell training and test sequences apart.
    """

    harmonics: np.ndarray
    period: float
    classes: np.ndarray | None
    index: np.ndarray

    __repr__ = brief

    def at(self, times) -> np.ndarray:
        """Return the signals (n, T, c) at times (T,), seconds."""
        k = np.arange(self.harmonics.shape[2])
        waves = np.exp(2j * np.pi * np.outer(k, times) / self.period)
        return (self.harmonics @ waves).real.transpose(0, 2, 1)


def series(samples, rate: float, band: float, classes=None, index=()) -> Series:
    """Return samples (n, c, T) of whole periods without all above ``band`` Hz."""
    T = samples.shape[2]
    found = np.fft.rfft(samples) * 2 / T
    found[:, :, 0] /= 2
    kept = found[:, :, np.fft.rfftfreq(T, 1 / rate) <= band]
    return Series(kept, T / rate, classes, np.asarray(index))
