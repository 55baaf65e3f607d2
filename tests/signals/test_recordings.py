import io
import struct

import numpy as np
import pytest
from scipy.io import wavfile

from lmu_spiking.errors import (
    MissingPackageError,
    SignalFileError,
    ValidationError,
    ValidityWarning,
)
from lmu_spiking.signals import load_signal
from lmu_spiking.signals.recordings import read_wav

U = np.array([1.0, 2.0, 3.5])

# -- .wav -----------------------------------------------------------------------


def wav(tmp_path, data, column=None, rate=8000):
    path = tmp_path / "signal.wav"
    wavfile.write(path, rate, data)
    samples, step, _ = read_wav(path, column, timed=True)
    return samples.tolist(), step


@pytest.mark.parametrize(
    ("dtype", "data"),
    [
        (np.uint8, [0, 128, 192]),
        (np.int16, [-(2**15), 0, 2**14]),
        (np.int32, [-(2**31), 0, 2**30]),
        (np.float32, [-1.0, 0.0, 0.5]),
        (np.float64, [-1.0, 0.0, 0.5]),
    ],
)
def test_wav_scale(tmp_path, dtype, data):
    data = np.array(data, dtype=dtype)
    assert wav(tmp_path, data) == ([-1.0, 0.0, 0.5], 1 / 8000)


def test_wav_channels(tmp_path):
    data = np.stack([U, -U], axis=1)
    with pytest.warns(ValidityWarning, match="2 channels, of which the first"):
        assert wav(tmp_path, data)[0] == [1.0, 2.0, 3.5]
    assert wav(tmp_path, data, 0)[0] == [1.0, 2.0, 3.5]
    assert wav(tmp_path, data, 1)[0] == [-1.0, -2.0, -3.5]
    assert wav(tmp_path, data, "1")[0] == [-1.0, -2.0, -3.5]
    for column in ("all", ":", "0,1", [0, 1]):
        assert wav(tmp_path, data, column)[0] == data.tolist()
    assert wav(tmp_path, data, "1,0")[0] == data[:, ::-1].tolist()
    with pytest.raises(
        ValidationError, match="2 is not in the file; choose one of 0, 1"
    ):
        wav(tmp_path, data, 2)


def test_wav_with_other_chunks(tmp_path):
    file = io.BytesIO()
    wavfile.write(file, 8000, np.array([0, 2**14], dtype=np.int16))
    raw = file.getvalue() + b"note" + struct.pack("<I", 4) + b"abcd"
    path = tmp_path / "signal.wav"
    path.write_bytes(raw[:4] + struct.pack("<I", len(raw) - 8) + raw[8:])
    assert read_wav(path, None, timed=True)[0].tolist() == [0.0, 0.5]


def test_wav_errors(tmp_path):
    with pytest.raises(SignalFileError, match=r"row 1 .* is nan, not finite"):
        wav(tmp_path, np.array([0.0, np.nan]))
    with pytest.raises(SignalFileError, match="a sampling rate of 0 Hz"):
        wav(tmp_path, np.array([0.0, 1.0]), rate=0)


def test_wav_without_samples(tmp_path):
    assert wav(tmp_path, np.zeros(0, dtype=np.int16))[0] == []


# -- .flac ----------------------------------------------------------------------

TONE = np.round(2**14 * np.sin(np.arange(400) / 7)).astype(np.int32)
SOUND = np.stack([TONE, TONE[::-1]], axis=1)


def flac(tmp_path, data, bits=16):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "signal.flac"
    # whole numbers are written by their upper bits
    whole = np.asarray(data, dtype=np.int32) << (32 - bits)
    soundfile.write(path, whole, 8000, subtype=f"PCM_{'S8' if bits == 8 else bits}")
    return path


@pytest.mark.parametrize("bits", [16, 24])
def test_flac_scale_and_channels(tmp_path, bits):
    path = flac(tmp_path, SOUND, bits)
    signal = load_signal(path, None, column="all")
    assert signal.dt == 1 / 8000
    assert signal.channels == ("0", "1")
    np.testing.assert_array_equal(signal.samples, SOUND / 2.0 ** (bits - 1))
    one = load_signal(path, None, column=1)
    np.testing.assert_array_equal(one.samples, SOUND[:, 1] / 2.0 ** (bits - 1))
    with pytest.warns(ValidityWarning, match="2 channels, of which the first is taken"):
        assert load_signal(path, None).samples.shape == (400,)


def test_flac_is_the_same_as_wav(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, SOUND.astype(np.int16))
    ours = load_signal(flac(tmp_path, SOUND), 0.0001, column="all")
    other = load_signal(tmp_path / "a.wav", 0.0001, column="all")
    np.testing.assert_array_equal(ours.samples, other.samples)


def test_flac_that_was_too_loud_says_so(tmp_path):
    loud = np.clip(40_000 * np.sin(np.arange(8000) / 20), -(2**15), 2**15 - 1)
    path = flac(tmp_path, loud.astype(np.int32))
    with pytest.warns(ValidityWarning, match="stand at the limits of their format"):
        load_signal(path, None)


@pytest.mark.parametrize("part", [0.001, 0.01, 0.5, 0.99])
def test_flac_cut_short(tmp_path, part):
    path = flac(tmp_path, np.random.default_rng(0).integers(-99, 99, 20_000))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole)) + 1])
    with pytest.raises(SignalFileError) as error:
        load_signal(path, None)
    assert "\n" not in str(error.value)


def test_flac_that_is_another_sound(tmp_path):
    pytest.importorskip("soundfile")
    wavfile.write(tmp_path / "a.wav", 8000, TONE.astype(np.int16))
    (tmp_path / "a.wav").rename(tmp_path / "a.flac")
    with pytest.raises(SignalFileError, match=r"is WAV of PCM_16, not \.flac"):
        load_signal(tmp_path / "a.flac", None)


# -- .edf -----------------------------------------------------------------------

T = np.arange(1000) / 250
WAVES = np.stack([80 * np.sin(2 * np.pi * 10 * T), 30 * np.cos(5 * T)], axis=1)


def edf(tmp_path, channels, **options):
    edfio = pytest.importorskip("edfio")
    path = tmp_path / "signal.edf"
    signals = [
        edfio.EdfSignal(data, rate, label=label, physical_dimension="uV")
        for label, data, rate in channels
    ]
    edfio.Edf(signals, **options).write(path)
    return path


def test_edf_channels_in_their_units(tmp_path):
    channels = [("Fp1", WAVES[:, 0], 250), ("Fp2", WAVES[:, 1], 250)]
    path = edf(tmp_path, channels)
    signal = load_signal(path, None, column="all")
    assert signal.dt == 1 / 250
    assert signal.channels == ("Fp1", "Fp2")
    # 16 bits of each channel's range
    np.testing.assert_allclose(signal.samples, WAVES, atol=160 / 2**16)
    assert load_signal(path, None, column="Fp2").samples.shape == (1000,)
    swapped = load_signal(path, None, column="Fp2,Fp1")
    np.testing.assert_array_equal(swapped.samples, signal.samples[:, ::-1])
    with pytest.raises(SignalFileError, match="holds 2 columns, Fp1, Fp2: choose one"):
        load_signal(path, None)
    with pytest.raises(ValidationError, match=r"'Cz' is not in .* one of Fp1, Fp2$"):
        load_signal(path, None, column="Cz")


def test_edf_of_different_rates_and_equal_labels(tmp_path):
    slow = np.linspace(0.0, 1.0, 100)
    channels = [("EEG", WAVES[:, 0], 250), ("EEG", WAVES[:, 1], 250)]
    path = edf(tmp_path, [*channels, ("Temp", slow, 25)])
    with pytest.raises(SignalFileError) as error:
        load_signal(path, 0.001, column="all")
    assert str(error.value).removeprefix(f"{path}: ") == (
        "has channels of different rates, EEG 0 250 Hz, EEG 1 250 Hz, Temp 25 Hz: "
        "choose one, or several of one rate"
    )
    assert load_signal(path, None, column="EEG 0,EEG 1").samples.shape == (1000, 2)
    temperature = load_signal(path, None, column="Temp")
    assert (temperature.dt, len(temperature.samples)) == (0.04, 100)


def test_edf_with_gaps_is_refused(tmp_path):
    edfio = pytest.importorskip("edfio")
    marks = [edfio.EdfAnnotation(0.5, None, "begin")]
    channels = [("a", WAVES[:, 0], 250)]
    path = edf(tmp_path, channels, data_record_duration=1.0, annotations=marks)
    assert load_signal(path, None).samples.shape == (1000,)
    # the third second begins half a second late
    path.write_bytes(path.read_bytes().replace(b"+2\x14", b"+9\x14"))
    with pytest.raises(SignalFileError, match="has gaps between its parts"):
        load_signal(path, None)


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.99])
def test_edf_cut_short(tmp_path, part):
    path = edf(tmp_path, [("a", WAVES[:, 0], 250)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole)) + 1])
    with pytest.raises(SignalFileError) as error:
        load_signal(path, None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("suffix", "package"), [(".flac", "soundfile"), (".edf", "edfio")]
)
def test_a_missing_package_names_the_extra(tmp_path, monkeypatch, suffix, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    (tmp_path / f"a{suffix}").write_bytes(b"anything")
    with pytest.raises(MissingPackageError, match=f"{package} is not .*recordings"):
        load_signal(tmp_path / f"a{suffix}", None)
