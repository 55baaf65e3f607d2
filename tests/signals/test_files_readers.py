import io
import struct
import zipfile

import numpy as np
import pytest
from scipy.io import wavfile

from lmu_spiking.errors import SignalFileError, ValidationError, ValidityWarning
from lmu_spiking.signals.files import read_csv, read_npz, read_wav

# -- .csv -----------------------------------------------------------------------


def csv(tmp_path, text, column=None, timed=True, encoding="utf-8"):
    path = tmp_path / "signal.csv"
    path.write_bytes(text.encode(encoding))
    samples, step = read_csv(path, column, timed)
    return samples.tolist(), step


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("1\n2\n3.5\n", None),
        ("u\n1\n2\n3.5\n", None),
        ("u\r\n1\r\n2\r\n3.5\r\n", None),
        ("\n\nu\n1\n\n2\n3.5\n\n\n", None),
        (" 1 \n 2\n3.5", None),
        ("1,\n2,\n3.5,\n", None),
        ("t,u\n0,1\n0.5,2\n1,3.5\n", 0.5),
        ("# t,u\n0,1\n0.5,2\n1,3.5\n", 0.5),
        ("time;u\n0;1\n0.5;2\n1;3.5\n", 0.5),
        ("time;u\n0;1\n0,5;2\n1;3,5\n", 0.5),
        ("time_s\tu\n7\t1\n7.5\t2\n8\t3.5\n", 0.5),
        ('"Time (s)","u"\n-1,1\n-0.5,2\n0,3.5\n', 0.5),
    ],
)
def test_csv_layouts(tmp_path, text, step):
    assert csv(tmp_path, text) == ([1.0, 2.0, 3.5], step)


def test_csv_in_other_encodings(tmp_path):
    text = "t,µV\n0,1\n1,2\n"
    for encoding in ("utf-8-sig", "latin-1"):
        assert csv(tmp_path, text, encoding=encoding) == ([1.0, 2.0], 1.0)


def test_csv_chooses_a_column(tmp_path):
    text = "time,a,b\n0,1,4\n0.1,2,5\n"
    assert csv(tmp_path, text, "b") == ([4.0, 5.0], 0.1)
    assert csv(tmp_path, text, 1) == ([1.0, 2.0], 0.1)
    assert csv(tmp_path, text, "a", timed=False) == ([1.0, 2.0], None)


def test_csv_without_a_header_has_time_before_a_chosen_column(tmp_path):
    text = "0,1,4\n0.1,2,5\n"
    assert csv(tmp_path, text, 2) == ([4.0, 5.0], 0.1)
    assert csv(tmp_path, text, 0) == ([0.0, 0.1], None)
    assert csv(tmp_path, text, 1, timed=False) == ([1.0, 2.0], None)


def test_csv_times_are_not_read_when_the_rate_is_given(tmp_path):
    text = "t,u\nnoon,1\nlater,2\n"
    assert csv(tmp_path, text, timed=False) == ([1.0, 2.0], None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n \n", "is empty"),
        (",,\n,,\n", "is empty"),
        ("1\nabc\n3\n", "line 2 has 'abc'"),
        ("u\n1\n\n2\nabc\n", "line 5 has 'abc'"),
        ("\n\n1\n2\nabc\n", "line 5 has 'abc'"),
        ("1\n2\nnan\n", "line 3 has 'nan'"),
        ("nan\n2\n", "line 1 has 'nan'"),
        ("u\n1\n-inf\n", "line 3 has '-inf'"),
        ("t,u\n0,1\n1,\n", "line 3 has an empty cell"),
        ("t,u\n0,1\n1\n", "line 3 has an empty cell"),
        ("t,u\n0,1\nx,2\n", "line 3 has 'x'"),
        ("0.0,n/a\n", "choose one with column"),
        ("a,b\n1,2\n", "holds 2 columns, a, b"),
        ("t,u\n0,1\n0,2\n", "time does not increase"),
        ("t,u\n0,1\n1,2\n3,4\n", "time is uneven"),
    ],
)
def test_csv_errors(tmp_path, text, message):
    with pytest.raises(SignalFileError) as error:
        csv(tmp_path, text)
    assert message in str(error.value)


# -- .npz -----------------------------------------------------------------------


def npz(tmp_path, column=None, timed=True, **arrays):
    path = tmp_path / "signal.npz"
    np.savez(path, **arrays)
    samples, step = read_npz(path, column, timed)
    return samples.tolist(), step


U = np.array([1.0, 2.0, 3.5])


@pytest.mark.parametrize(
    ("arrays", "step"),
    [
        ({"samples": U, "other": U[::-1]}, None),
        ({"u": U, "y": U[::-1]}, None),
        ({"x": U}, None),
        ({"anything": U}, None),
        ({"anything": U[:, None], "dt": 0.5}, 0.5),
        ({"anything": U[None, :], "rate": 2}, 0.5),
        ({"u": U, "dt": np.array([0.5], dtype=np.float32)}, 0.5),
        ({"u": U, "t": [7.0, 7.5, 8.0]}, 0.5),
        ({"u": U, "time": [[7.0], [7.5], [8.0]]}, 0.5),
    ],
)
def test_npz_layouts(tmp_path, arrays, step):
    assert npz(tmp_path, **arrays) == ([1.0, 2.0, 3.5], step)
    assert npz(tmp_path, timed=False, **arrays) == ([1.0, 2.0, 3.5], None)


def test_npz_keeps_whole_numbers_as_they_are(tmp_path):
    assert npz(tmp_path, u=np.array([1, -300], dtype=np.int16))[0] == [1.0, -300.0]


def test_npz_chooses_an_array_or_a_column(tmp_path):
    arrays = {"a": U, "b": -U}
    assert npz(tmp_path, "b", **arrays)[0] == [-1.0, -2.0, -3.5]
    assert npz(tmp_path, 1, u=np.stack([U, -U], axis=1))[0] == [-1.0, -2.0, -3.5]


@pytest.mark.parametrize(
    ("column", "arrays", "message"),
    [
        (None, {"a": U, "b": U}, "holds 2 arrays, a, b"),
        (None, {"dt": 0.1}, "holds no array of samples"),
        (None, {}, "holds no array of samples"),
        (None, {"u": np.stack([U, U], axis=1)}, "holds 2 columns, 0, 1: choose"),
        ("u", {"u": np.stack([U, U], axis=1)}, "holds 2 columns, 0, 1: choose"),
        ("c", {"u": U}, "'c' is not in the file; choose one of u"),
        (1, {"u": U}, "1 is not in the file; choose one of 0"),
        (None, {"u": np.ones((2, 3, 4))}, "'u' has 3 dimensions"),
        (None, {"u": np.array(["1", "2"])}, "'u' holds <U1, not real numbers"),
        (None, {"u": U + 1j}, "'u' holds complex128, not real numbers"),
        (None, {"u": [1.0, np.nan]}, "row 1 (from 0) is nan, not finite"),
        (None, {"u": U, "dt": 0.0}, "'dt' must be one positive number"),
        (None, {"u": U, "dt": U}, "'dt' must be one positive number"),
        (None, {"u": U, "rate": np.nan}, "'rate' must be one positive number"),
        (None, {"u": U, "t": [0.0, 1.0]}, "'t' must be 3 finite times"),
        (None, {"u": U, "t": [0.0, 1.0, 3.0]}, "time is uneven"),
    ],
)
def test_npz_errors(tmp_path, column, arrays, message):
    with pytest.raises((SignalFileError, ValidationError)) as error:
        npz(tmp_path, column, **arrays)
    assert message in str(error.value)


def test_npz_that_is_something_else(tmp_path):
    path = tmp_path / "signal.npz"
    with path.open("wb") as file:
        np.save(file, U)
    with pytest.raises(SignalFileError, match=r"is not an \.npz archive"):
        read_npz(path, None, timed=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(SignalFileError, match="not real numbers"):
        read_npz(path, None, timed=True)


# -- .wav -----------------------------------------------------------------------


def wav(tmp_path, data, column=None, rate=8000):
    path = tmp_path / "signal.wav"
    wavfile.write(path, rate, data)
    samples, step = read_wav(path, column, timed=True)
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
