"""Recordings that say their own rate: sound (.wav, .flac) and brain waves (.edf).

The readers are as those of `files`: ``(path, column, timed)`` in, and ``(samples, step,
names)`` out.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.errors import SignalFileError, ValidityWarning, needs
from lmu_spiking.files import LARGEST, size
from lmu_spiking.signals.columns import (
    chosen_columns,
    chosen_names,
    column_positions,
    distinct,
    finite,
    listing,
    split_columns,
    two_dimensional,
)

CLIPPED = 0.001  # share of samples that may be at the limits of their format
BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}  # of a sample of .flac


def read_wav(path: Path, column, timed: bool):
    """Read a sound; whole numbers are scaled to [-1, 1).

    Parameters
    ----------
    path : Path
    column : str, int, sequence or None
        The channel or channels; the first by default.
    timed : bool
        Not used: the file has a sampling rate.

    Returns
    -------
    samples : (T,) or (T, C) ndarray
        The channel, or channels.
    step : float
        Seconds.
    names : list of str
        Positions of the channels.
    """
    from scipy.io import wavfile

    with warnings.catch_warnings():
        # a file cut short is only a warning there; chunks of text about it are harmless
        warnings.simplefilter("error", wavfile.WavFileWarning)
        warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)
        rate, data = wavfile.read(path)
    if rate <= 0:
        raise SignalFileError(f"has a sampling rate of {rate} Hz")
    samples, names = _sound_channels(path, two_dimensional(data), column)
    if samples.dtype.kind in "iu":
        limits = np.iinfo(samples.dtype)
        _warn_of_clipping(path, samples, limits.min, limits.max)
    if samples.dtype.kind == "u":
        samples = (samples - 128.0) / 128.0  # 8 bits are stored around 128
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return finite(samples), 1.0 / rate, names


def _sound_channels(path: Path, sound: np.ndarray, column):
    """Return chosen channels of a sound (T, channels), the first by default.

    Parameters
    ----------
    path : Path
        For the warning that there are others.
    sound : (T, channels) ndarray
    column : str, int, sequence or None

    Returns
    -------
    samples : (T,) or (T, C) ndarray
    names : list of str
    """
    n = sound.shape[1]
    if n > 1 and column is None:
        problem = f"{path}: has {n} channels, of which the first is taken; choose one "
        remedy = "with column (--column 0 is the first), or all"
        warnings.warn(problem + remedy, ValidityWarning, stacklevel=4)
    names = [str(i) for i in range(n)]
    return chosen_columns(sound, split_columns(0 if column is None else column, names))


def _warn_of_clipping(path: Path, samples: np.ndarray, low: int, high: int) -> None:
    """Warn if a recording was louder than its format can store.

    Parameters
    ----------
    path : Path
    samples : (T,) or (T, C) ndarray
        Whole numbers.
    low, high : int
        Limits of the format.
    """
    least, most = samples == low, samples == high
    together = least[1:] & least[:-1] | most[1:] & most[:-1]
    share = np.sum(together) / max(samples.size, 1)
    if share > CLIPPED:
        problem = f"{path}: {100 * share:.2g} % of its samples stand at the limits of "
        problem += "their format: it was recorded too loud, and its peaks are cut off"
        warnings.warn(problem, ValidityWarning, stacklevel=4)


def read_flac(path: Path, column, timed: bool):
    """Read a sound that is compressed without loss, scaled to [-1, 1).

    Parameters
    ----------
    path : Path
    column : str, int, sequence or None
        The channel or channels; the first by default.
    timed : bool
        Not used: the file has a sampling rate.

    Returns
    -------
    samples : (T,) or (T, C) ndarray
        The channel, or channels.
    step : float
        Seconds.
    names : list of str
        Positions of the channels.
    """
    with needs("soundfile", "recordings"):
        import soundfile

    with soundfile.SoundFile(path) as file:
        bits = BITS.get(file.subtype, 0)
        if file.format != "FLAC" or not bits or file.samplerate <= 0:
            raise SignalFileError(f"is {file.format} of {file.subtype}, not .flac")
        claimed = 4 * file.channels * file.frames
        if claimed > LARGEST:
            problem = f"would take {size(claimed)} decompressed, more than "
            remedy = "give a shorter part of it"
            raise SignalFileError(f"{problem}{size(LARGEST)}; {remedy}")
        # whole numbers, in the upper bits
        read: Any = file.read(dtype="int32", always_2d=True)
        sound = read >> (32 - bits)
        rate, wanted = file.samplerate, file.frames
    if len(sound) < wanted:
        raise SignalFileError(f"is cut short: {len(sound)} samples of {wanted}")
    samples, names = _sound_channels(path, sound, column)
    _warn_of_clipping(path, samples, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return samples / 2.0 ** (bits - 1), 1.0 / rate, names


def read_edf(path: Path, column, timed: bool):
    """Read channels of the European Data Format, in the units of the file.

    Parameters
    ----------
    path : Path
    column : str, int, sequence or None
        The channel or channels, by label or position; annotations do not count.
    timed : bool
        Not used: each channel has a sampling rate.

    Returns
    -------
    samples : (T,) or (T, C) ndarray
        The channel, or channels.
    step : float
        Seconds.
    names : list of str
        Labels of the channels.
    """
    with needs("edfio", "recordings"):
        from edfio import read_edf

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a file cut short is only a warning there
        recording = read_edf(path, lazy_load_data=True, header_encoding="latin-1")
    signals = recording.signals
    if not signals:
        raise SignalFileError("holds no channel, only annotations")
    if not recording.is_continuous:
        raise SignalFileError("has gaps between its parts; save a part without one")
    names = distinct([signal.label for signal in signals])
    every = list(range(len(names)))
    chosen = column_positions(split_columns(column, names), names, every)
    several = chosen if isinstance(chosen, list) else [chosen]
    rates = [float(signals[i].sampling_frequency) for i in several]
    if len(set(rates)) > 1:
        each = [f"{names[i]} {r:g} Hz" for i, r in zip(several, rates, strict=True)]
        problem = f"has channels of different rates, {listing(each)}"
        raise SignalFileError(f"{problem}: choose one, or several of one rate")
    if not 0 < rates[0] < float("inf"):
        raise SignalFileError(f"has a sampling rate of {rates[0]:g} Hz")
    samples = np.stack([signals[i].data for i in several], axis=1)
    samples = samples if isinstance(chosen, list) else samples[:, 0]
    return finite(samples), 1.0 / rates[0], chosen_names(names, chosen)
