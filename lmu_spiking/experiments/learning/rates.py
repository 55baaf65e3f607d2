r"""Smooth signals at other sampling rates: the same weights, and windows in seconds.

A model is trained at one rate, and then runs at half of it, twice and four times it:
nothing changes but ``dt``.  The signals are Fourier series of a finite band, so that
each rate has exact samples of the same signal, and none loses any of it: the band lies
below the Nyquist frequency of the lowest rate.

- `heartbeats`: in which fifth of its beat a heart is, from the last `PAST` seconds of
  an electrocardiogram, up to `HEART` Hz, 120 samples a second in training.  The three
  beats are those of PyWavelets, one heart's, played from anywhere in their loop, faster
  or slower, and louder or softer: sequences held out are other draws of these.
- `spoken`: which digit is said, from envelopes of `BANDS` bands of sound, up to
  `ENVELOPE` Hz, 100 samples a second in training; the data of `spoken_digits`.

A memory holds each sample for a step.  If a sample is that of the step's beginning,
what is held is late by half a step, which is another time at each rate; if it is that
of the step's *middle*, it is not late.  So samples are those of the middles of steps,
and those of the beginnings are measured beside them.  Holding also weakens a wave of
``f`` Hz, to ``sinc(f dt)``.

An LSTM has no ``dt``.  At another rate it runs step by step as it is (*as it is*), or
on a signal that was first brought back to its own rate, by a cubic spline through the
samples that are there (*resampled*), as anyone can who knows the rate.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import find_peaks

from lmu_spiking.experiments.learning.lengths import trained_lstm
from lmu_spiking.files import open_arrays
from lmu_spiking.lmu.forward import forward
from lmu_spiking.metrics import accuracy, rms
from lmu_spiking.signals.ecg import RATE, recording
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training import TrainSettings, train
from lmu_spiking.training.recipes import Recipe, start

FACTORS = (0.5, 1, 2, 4)  # of the rate of training
HEART, BEAT = 30.0, 120.0  # Hz, and samples a second
PAST, PHASES = 1.25, 5  # seconds, whole steps at every rate, and parts of a beat
TEMPO, LOUDNESS = 0.2, 0.3  # most changes of the recording's
DRAWN = 2_000, 300, 1_000  # sequences that train, choose and test
SPEECH, ENVELOPE, BANDS = 100.0, 16.0, 12  # samples a second, Hz, and their number
SEEN, PERIOD = 1.0, 1.28  # seconds of a recording that are seen, and of its series
EDGES = (100.0, 3_800.0)  # Hz, of the lowest and the highest band
FLOOR = 3e-3  # of a band's mean power, which is added to it
TEST, VALID = 5, 10  # recordings of each digit and speaker, by index
ORDERS = {"ecg": 32, "spoken": 8}
EASE: dict[str, dict[str, Any]] = {
    "ecg": {"noise": 0.02},
    "spoken": {"noise": 0.3, "weight_decay": 0.01},
}
MIDDLE, BEGINNING = 0.5, 0.0  # of a step, where its sample is taken


# -- signals of a finite band --------------------------------------------------------


def harmonics(samples, rate: float, band: float) -> np.ndarray:
    """Return the Fourier series of whole periods, up to a frequency.

    Parameters
    ----------
    samples : (..., T) ndarray
    rate, band : float
        Samples a second, and Hz.

    Returns
    -------
    (..., K) complex ndarray
        Of ``exp(2 pi i k t rate / T)``, k from 0; the signal is the real part.
    """
    T = samples.shape[-1]
    found = np.fft.rfft(samples) * 2 / T
    found[..., 0] /= 2
    return found[..., np.fft.rfftfreq(T, 1 / rate) <= band]


def at_times(series: np.ndarray, period: float, times) -> np.ndarray:
    """Return the values (..., T) of Fourier series at times (T,), seconds.

    Parameters
    ----------
    series : (..., K) complex ndarray
        From `harmonics`.
    period : float
        Seconds.
    times : (T,) array_like

    Returns
    -------
    (..., T) ndarray
    """
    angles = 2 * np.pi * np.outer(np.arange(series.shape[-1]), times) / period
    return np.real(series) @ np.cos(angles) - np.imag(series) @ np.sin(angles)


def heartbeats(seed: int, factor: float = 1, place: float = MIDDLE) -> Sequences:
    """Return the task to say how far a beat has come, at a factor of 120 Hz.

    Parameters
    ----------
    seed : int
        Draws where in the loop each sequence ends, its tempo and loudness.
    factor : float
        Of the rate.
    place : float
        Where in a step its sample lies, from 0 to 1.

    Returns
    -------
    Sequences
        Class 0 is the fifth of a beat that begins with its tallest wave.
    """
    dt, u, rng = 1 / (BEAT * factor), recording(), np.random.default_rng(seed)
    period, steps = len(u) / RATE, round(PAST * BEAT * factor)
    series = harmonics(u / rms(u), RATE, HEART / (1 + TEMPO))
    # a loop of so many samples that a spline through them errs by less than 1e-5
    knots = np.linspace(0, period, 4 * len(u) + 1)
    wave = at_times(series, period, knots[:-1])
    loop = CubicSpline(knots, np.append(wave, wave[0]), bc_type="periodic")
    n = sum(DRAWN)
    end, tempo = rng.uniform(0, period, n), rng.uniform(1 - TEMPO, 1 + TEMPO, n)
    size = rng.uniform(1 - LOUDNESS, 1 + LOUDNESS, n)
    # seconds before the end
    ago = PAST - (np.arange(steps) + place) * dt
    x = size[:, None] * loop((end[:, None] - tempo[:, None] * ago) % period)
    # the tallest waves of the loop, and that of the next one
    tall, _ = find_peaks(u, height=0.5, distance=round(0.4 * RATE))
    tall = np.append(tall, tall[0] + len(u)) / RATE
    beats = np.interp(
        np.where(end < tall[0], end + period, end), tall, range(len(tall))
    )
    y = (PHASES * (beats % 1)).astype(int)
    ends = np.cumsum(DRAWN)[:2]
    parts = map(Part, np.split(x[:, :, None], ends), np.split(y, ends))
    origin = f"PyWavelets, pywt.data.ecg(), up to {HEART:g} Hz, {1 / dt:g} samples/s"
    origin += f", by seed {seed}"
    return Sequences("ecg", *parts, dt=dt, classes=PHASES, last=True, origin=origin)


@lru_cache(maxsize=1)  # a minute
def envelopes(path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return envelopes of spoken digits, as Fourier series, and what is said.

    Parameters
    ----------
    path : path-like
        As `spoken_digits.load_spoken` reads it.

    Returns
    -------
    series : (n, BANDS, K) complex ndarray
        Of the logarithms of the power, mean 0 and standard deviation 1 in each band of
        the recordings that train.
    digit, index : (n,) ndarray of int
    """
    with open_arrays(path) as file:
        audio, length, rate = file["audio"], file["length"], float(file["rate"])
        digit, index = file["digit"].astype(int), file["index"].astype(int)
    # the beginning of each recording, and silence after it
    sound = np.zeros((len(length), round(PERIOD * rate)))
    for row, cut in zip(sound, np.split(audio, np.cumsum(length)[:-1]), strict=True):
        cut = cut[: round(SEEN * rate)]
        row[: len(cut)] = cut
    # power in bands of equal width on the mel scale, smoothed before the logarithm
    low, high = np.log1p(np.divide(EDGES, 700))
    mel = np.linspace(low, high, BANDS + 2)
    edges, spectra = 700 * np.expm1(mel), np.fft.fft(sound)
    f = np.fft.fftfreq(sound.shape[1], 1 / rate)
    found = []
    slow = np.arange(round(PERIOD * 4 * SPEECH)) / (4 * SPEECH)
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        window = np.interp(f, (low, middle, high), (0.0, 1.0, 0.0))
        power = np.abs(np.fft.ifft(2 * spectra * window)) ** 2
        smooth = at_times(harmonics(power, rate, 2 * ENVELOPE), PERIOD, slow)
        loud = np.maximum(smooth, 0) / power[index >= TEST].mean() + FLOOR
        found.append(harmonics(np.log(loud), 4 * SPEECH, ENVELOPE))
    series = np.stack(found, axis=1)
    known = series[index >= VALID]
    # mean and deviation of each band over time and recordings
    level, power = np.real(known[:, :, 0]), np.abs(known[:, :, 1:]) ** 2
    mean = level.mean(axis=0)
    spread = np.sqrt(power.sum(axis=2).mean(axis=0) / 2 + level.var(axis=0))
    series[:, :, 0] -= mean
    return series / spread[:, None], digit, index


def spoken(speech, factor: float = 1, place: float = MIDDLE) -> Sequences:
    """Return the task to say which digit is said, at a factor of 100 Hz.

    Parameters
    ----------
    speech : tuple
        From `envelopes`.
    factor, place : float
        As of `heartbeats`.

    Returns
    -------
    Sequences
        The first `SEEN` seconds of each recording; indices 0 to 4 test, 5 to 9 choose.
    """
    series, digit, index = speech
    dt = 1 / (SPEECH * factor)
    times = (np.arange(round(SEEN / dt)) + place) * dt
    x = at_times(series, PERIOD, times).transpose(0, 2, 1)
    chosen = (index >= VALID, (index >= TEST) & (index < VALID), index < TEST)
    parts = [Part(x[which], digit[which]) for which in chosen]
    origin = f"envelopes of spoken digits up to {ENVELOPE:g} Hz, {1 / dt:g} samples/s"
    return Sequences("spoken", *parts, dt=dt, classes=10, last=True, origin=origin)


# -- models at each rate -------------------------------------------------------------


def recipe_of(data: Sequences, seed: int) -> Recipe:
    """Return the model of a task, and its training.

    Parameters
    ----------
    data : Sequences
    seed : int
        Of the batches and the noise.

    Returns
    -------
    Recipe
        One cell with a memory for each channel, as long as a sequence.
    """
    how: dict[str, Any] = {"epochs": 60, "batch": 50, "learning_rate": 3e-3}
    how |= {"schedule": "cosine", "seed": seed} | EASE[data.name]
    channels, order = data.size_in, ORDERS[data.name]
    return Recipe(order, 200, None, TrainSettings(**how), memories=channels)


def lmu_rows(make: Callable, seed: int, place: float = MIDDLE) -> list[dict]:
    """Return what an LMU that is trained at one rate does at each.

    Parameters
    ----------
    make : callable
        `heartbeats` of a seed, or `spoken` of recordings: takes a factor and a place.
    seed : int
    place : float
        Where in a step its sample lies, in training and in use.

    Returns
    -------
    list of dict
        ``factor``, ``value`` (the accuracy) and ``lost``, in parts of 1.
    """
    data = make(1, place)
    recipe = recipe_of(data, seed)
    made = train(start(recipe, data, seed), data, recipe.settings)
    where = {MIDDLE: "LMU", BEGINNING: "LMU, samples of the beginning"}

    def outputs(factor: float):
        shown = make(factor, place)
        there = replace(made.params, dt=shown.dt)
        return forward(there, shown.test.x, last=True), shown

    about = {"seed": seed, "params": made.params.n_params, "model": where[place]}
    return _rows(about, outputs, data)


def lstm_rows(
    make: Callable, seed: int, params: int, epochs: int, rate: float
) -> list[dict]:
    """Return what an LSTM that is trained at one rate does at each.

    Parameters
    ----------
    make, seed
        As of `lmu_rows`.
    params : int
        About as many as it has.
    epochs : int
    rate : float
        Learning rate, which falls to 0 as that of the LMU does.

    Returns
    -------
    list of dict
        As from `lmu_rows`, as it is and resampled; with ``valid_loss``.
    """
    data = make(1, MIDDLE)
    model, made, about = trained_lstm(data, params, seed, epochs, rate)

    def as_it_is(factor: float):
        shown = make(factor, MIDDLE)
        return np.asarray(model.outputs(made.best, shown.test.x)), shown

    def resampled(factor: float):
        shown = make(factor, MIDDLE)
        x = _at_rate(shown.test.x, shown.dt, data.dt, data.test.x.shape[1])
        return np.asarray(model.outputs(made.best, x.astype(np.float32))), data

    rows = _rows(about | {"model": "LSTM, as it is"}, as_it_is, data)
    return rows + _rows(about | {"model": "LSTM, resampled"}, resampled, data)


def _at_rate(x: np.ndarray, dt: float, wanted: float, steps: int) -> np.ndarray:
    """Return sequences (n, T, c) of middles of steps at another step, by a spline."""
    times = (np.arange(x.shape[1]) + MIDDLE) * dt
    there = (np.arange(steps) + MIDDLE) * wanted
    return CubicSpline(times, x, axis=1)(there)


def _rows(about: dict, outputs: Callable, data: Sequences) -> list[dict]:
    """Return a row for each rate, and what is lost against that of training."""
    rows = []
    for factor in FACTORS:
        y, shown = outputs(factor)
        value = accuracy(y, shown.test.y)
        rows.append({"task": data.name, **about, "factor": factor, "value": value})
    (own,) = (row["value"] for row in rows if row["factor"] == 1)
    return [row | {"lost": own - row["value"]} for row in rows]
