from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from lmu_spiking.errors import (
    LMUSpikingError,
    SignalFileError,
    ValidationError,
    ValidityWarning,
)
from lmu_spiking.signals import load_signal

RATE = 250.0
T = np.arange(1000) / RATE
U = 3.0 + np.sin(2 * np.pi * 2.0 * T)


def write(path: Path, timed: bool = True) -> Path:
    """The same sine in every kind of file."""
    if path.suffix == ".csv":
        columns, header = ([T, U], "time,u") if timed else ([U], "u")
        np.savetxt(path, np.stack(columns, axis=1), delimiter=",", header=header)
    elif path.suffix == ".npz":
        np.savez(path, u=U, **({"rate": RATE} if timed else {}))
    else:
        wavfile.write(path, int(RATE), U)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".wav"])
@pytest.mark.parametrize("dt", [0.001, 0.004, 0.01])
def test_the_same_signal_from_every_kind_of_file(tmp_path, suffix, dt):
    signal = load_signal(write(tmp_path / f"sine{suffix}"), dt)
    t = np.arange(round(4.0 / dt)) * dt
    inner = slice(len(t) // 10, -len(t) // 10)
    expected = 3.0 + np.sin(2 * np.pi * 2.0 * t)
    assert signal.dt == dt
    assert len(signal.samples) == len(t)
    np.testing.assert_allclose(signal.samples[inner], expected[inner], atol=2e-4)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".wav"])
def test_its_own_rate_keeps_the_samples(tmp_path, suffix):
    signal = load_signal(write(tmp_path / f"sine{suffix}"), 1 / RATE)
    np.testing.assert_allclose(signal.samples, U, atol=1e-12)
    assert signal.name == "sine"
    assert signal.source == f"{tmp_path / 'sine'}{suffix}, 250 Hz"


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_without_a_rate_there_is_a_sample_for_each_step(tmp_path, suffix):
    path = write(tmp_path / f"sine{suffix}", timed=False)
    np.testing.assert_allclose(load_signal(path, 0.123).samples, U, atol=1e-12)


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_a_file_without_a_rate_is_told_once(tmp_path, suffix):
    untimed = write(tmp_path / f"untimed{suffix}", timed=False)
    timed = write(tmp_path / f"timed{suffix}")
    told = []
    for path, rate in ((untimed, None), (untimed, 250.0), (timed, None)):
        load_signal(path, 0.123, rate=rate, untimed=lambda: told.append(path))  # noqa: B023
    assert told == [untimed]


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".wav"])
def test_a_given_rate_stands_in_for_that_of_the_file(tmp_path, suffix):
    signal = load_signal(write(tmp_path / f"sine{suffix}"), 0.001, rate=1000)
    np.testing.assert_allclose(signal.samples, U, atol=1e-12)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".wav"])
def test_without_a_step_the_file_keeps_its_own(tmp_path, suffix):
    signal = load_signal(write(tmp_path / f"sine{suffix}"), None)
    assert signal.dt == pytest.approx(1 / RATE, rel=1e-12)
    np.testing.assert_allclose(signal.samples, U, atol=1e-12)


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_without_a_step_the_file_must_say_one(tmp_path, suffix):
    path = write(tmp_path / f"sine{suffix}", timed=False)
    with pytest.raises(SignalFileError) as error:
        load_signal(path, None)
    problem = "says no sampling rate; give it with rate, or give dt"
    assert str(error.value) == f"{path}: {problem}"
    assert load_signal(path, None, rate=RATE).dt == 1 / RATE


def test_several_columns_are_resampled_one_by_one(tmp_path):
    path = tmp_path / "a.csv"
    table = np.stack([T, U, np.cos(T), T**2], axis=1)
    np.savetxt(path, table, delimiter=",", header="time,a,b,c")
    signal = load_signal(path, 0.001, column=["c", "a"])
    assert signal.channels == ("c", "a")
    assert signal.source == f"{path}, column c,a, 250 Hz"
    for i, name in enumerate("ca"):
        one = load_signal(path, 0.001, column=name)
        assert one.channels == (name,)
        np.testing.assert_allclose(signal.samples[:, i], one.samples, atol=1e-12)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("a,d", "'d' is not in the file; choose one of time, a, b"),
        (["a", "a"], "['a', 'a'] has 'a' twice; choose each column once"),
        ("a,1", "['a', '1'] has '1' twice; choose each column once"),
        ([], "[] chooses no column; choose of time, a, b"),
        ("time,a", "['time', 'a'] is the time column"),
        ("a,", "'' is not in the file; choose one of time, a, b"),
    ],
)
def test_bad_choices_of_several(tmp_path, column, message):
    path = tmp_path / "a.csv"
    path.write_text("time,a,b\n0,1,2\n1,3,4\n")
    with pytest.raises(ValidationError) as error:
        load_signal(path, 1.0, column)
    assert str(error.value) == f"load_signal.column: {message}"


def test_upper_case_extension_text_path_and_column(tmp_path):
    path = tmp_path / "a.CSV"
    path.write_text("a,b\n1,3\n2,4\n")
    signal = load_signal(str(path), 0.001, column="b")
    assert signal.samples.tolist() == [3.0, 4.0]
    assert signal.source.endswith("a.CSV, column b, 1000 Hz")


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "sine.npz")
    assert load_signal("~/sine.npz", 0.004).duration == pytest.approx(4.0)


def test_constants_and_zeros_are_signals(tmp_path):
    path = tmp_path / "zero.csv"
    path.write_text("0\n0\n0\n")
    assert load_signal(path, 0.001).rms == 0.0


def refused(path, *arguments, **options) -> str:
    with pytest.raises(SignalFileError) as error:
        load_signal(path, 0.001, *arguments, **options)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_files_that_are_not_there(tmp_path):
    assert refused(tmp_path / "none.csv") == "no such file"
    assert refused(tmp_path) == "is a folder; name a file in it"
    (tmp_path / "folder.csv").mkdir()
    assert refused(tmp_path / "folder.csv") == "is a folder; name a file in it"
    assert refused(tmp_path / ("long" * 100)).startswith("cannot be read (")


def test_files_of_another_kind(tmp_path):
    (tmp_path / "a.mat").write_text("1")
    assert refused(tmp_path / "a.mat") == (
        ".mat is not known; use one of .csv, .npz, .npy, .wav, .flac, .edf"
    )
    (tmp_path / "a").write_text("1")
    assert refused(tmp_path / "a").startswith("a name without extension is not known")


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".wav"])
def test_empty_files(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert refused(path) == "is empty"


@pytest.mark.parametrize("suffix", [".npz", ".wav"])
@pytest.mark.parametrize("part", [0.001, 0.01, 0.5, 0.99])
def test_files_cut_short(tmp_path, suffix, part):
    path = write(tmp_path / f"a{suffix}")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(part * len(raw)) + 1])
    refused(path)


def test_ragged_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1\n2\n3,4\n")
    assert "Expected 1 fields in line 3, saw 2" in refused(path)


def test_pickled_objects_are_not_loaded(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, u=np.array([1.0, None], dtype=object))
    assert "Object arrays cannot be loaded" in refused(path)


def test_text_and_nan_name_their_line(tmp_path):
    path = tmp_path / "a.csv"
    for cell in ("nan", "abc"):
        path.write_text(f"u\n1\n{cell}\n")
        assert refused(path) == f"line 3 has '{cell}' where a finite number should be"


@pytest.mark.parametrize("data", [np.zeros(0), np.zeros(1), np.zeros((1, 1))])
def test_too_short(tmp_path, data):
    np.savez(tmp_path / "a.npz", u=data)
    assert "too short" in refused(tmp_path / "a.npz")
    wavfile.write(tmp_path / "a.wav", 8000, data)
    assert "too short" in refused(tmp_path / "a.wav")
    for text in ("1\n", "u\n1\n", "u\n", "t,u\n0,1\n", "t,u\n"):
        (tmp_path / "a.csv").write_text(text)
        assert "too short" in refused(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0}, "load_signal.dt: 0 must be a positive number"),
        ({"dt": np.nan}, "load_signal.dt: nan must be a positive number"),
        ({"rate": -1}, "load_signal.rate: -1 must be a positive number (Hz)"),
        ({"rate": "fast"}, "load_signal.rate: 'fast' must be a positive number"),
        ({"column": "v"}, "load_signal.column: 'v' is not in the file"),
        ({"column": 2}, "load_signal.column: 2 is not in the file"),
        ({"column": "time"}, "load_signal.column: 'time' is the time column"),
        ({"path": 3}, "load_signal.path: 3 must be a path"),
        ({"path": None}, "load_signal.path: None must be a path"),
        ({"dt": 100.0}, "Signal.duration: 4.0 s holds no whole step of 100 s"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    path = write(tmp_path / "sine.csv")
    with pytest.raises(ValidationError) as error:
        load_signal(**{"path": path, "dt": 0.001, **options})
    assert message in str(error.value)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    suffix=st.sampled_from([".csv", ".npz", ".wav"]),
    place=st.floats(0, 1),
    junk=st.binary(max_size=12),
    cut=st.integers(0, 12),
)
def test_a_damaged_file_is_a_signal_or_one_line(tmp_path, suffix, place, junk, cut):
    path = write(tmp_path / f"a{suffix}")
    raw = path.read_bytes()
    at = int(place**3 * len(raw))  # headers more often than samples
    path.write_bytes(raw[:at] + junk + raw[at + cut :])
    try:
        assert np.isfinite(load_signal(path, 1 / RATE).samples).all()
    except LMUSpikingError as error:
        assert "\n" not in str(error)


def bomb(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def test_small_files_of_endless_signals(tmp_path):
    wavfile.write(tmp_path / "slow.wav", 1, np.zeros(100_000, np.int16))
    with pytest.raises(ValidationError, match=r"more than 16,777,216.*check its rate"):
        load_signal(tmp_path / "slow.wav", 0.001)
    path = bomb(tmp_path / "slow.npz", u=np.ones(400), dt=1000.0)
    with pytest.raises(ValidationError, match="more than 16,777,216"):
        load_signal(path, 0.001)
    path = bomb(tmp_path / "bomb.npz", u=np.zeros(5_000_000))
    with pytest.raises(SignalFileError, match="save it uncompressed") as caught:
        load_signal(path, 0.001)
    assert str(caught.value).startswith(f"{path}: ")
    (tmp_path / "wide.csv").write_text(2 * (",".join(["1"] * 100_000) + "\n"))
    with pytest.raises(SignalFileError, match="has 100000 columns, more than 1000"):
        load_signal(tmp_path / "wide.csv", 0.001)


def test_a_long_table_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("lmu_spiking.signals.files.CELLS", 64)
    signal = load_signal(write(tmp_path / "sine.csv"), 1 / RATE)
    np.testing.assert_allclose(signal.samples, U, atol=1e-12)
    text = (tmp_path / "sine.csv").read_text().splitlines()
    text[700] = "2.796,none"
    (tmp_path / "sine.csv").write_text("\n".join(text))
    with pytest.raises(SignalFileError, match="line 701 has 'none'"):
        load_signal(tmp_path / "sine.csv", 1 / RATE)


def test_a_wav_that_is_low_passed_says_so(tmp_path):
    """Speech-like: 8 kHz noise at 1 ms keeps what is below 460 Hz."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    wavfile.write(tmp_path / "loud.wav", 8000, (2**15 * noise).astype(np.int16))
    with pytest.warns(ValidityWarning, match=r"^loud: 8[89] % of its power is ab"):
        signal = load_signal(tmp_path / "loud.wav", 0.001)
    assert signal.power_lost == pytest.approx(0.885, abs=0.01)
    assert load_signal(tmp_path / "loud.wav", 1 / 8000).power_lost == 0.0


def test_a_recording_that_was_too_loud_says_so(tmp_path):
    tone = np.clip(40_000 * np.sin(np.arange(8000) / 20), -(2**15), 2**15 - 1)
    wavfile.write(tmp_path / "loud.wav", 8000, tone.astype(np.int16))
    with pytest.warns(ValidityWarning, match="stand at the limits of their format"):
        load_signal(tmp_path / "loud.wav", 1 / 8000)


def test_times_that_drift_are_refused(tmp_path):
    """Each step is within 1 % of the mean, and the middle 4.5 steps off."""
    times = np.cumsum(np.r_[0.0, np.full(500, 1.009), np.full(500, 0.991)]) * 1e-3
    np.savez(tmp_path / "drift.npz", u=np.sin(times), t=times)
    with pytest.raises(
        SignalFileError, match=r"time drifts: 0.5045 s is 0.0045 s from"
    ):
        load_signal(tmp_path / "drift.npz", 0.001)
    signal = load_signal(tmp_path / "drift.npz", 0.001, rate=1000.0)
    assert len(signal.samples) == 1001
