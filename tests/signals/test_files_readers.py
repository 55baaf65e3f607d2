import zipfile

import numpy as np
import pytest

from lmu_spiking.errors import SignalFileError, ValidationError
from lmu_spiking.signals.files import load_signal, read_csv, read_npy, read_npz

# -- .csv -----------------------------------------------------------------------


def csv(tmp_path, text, column=None, timed=True, encoding="utf-8"):
    path = tmp_path / "signal.csv"
    path.write_bytes(text.encode(encoding))
    samples, step, _ = read_csv(path, column, timed)
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


def several(read, path, column):
    samples, step, names = read(path, column, timed=True)
    return samples.tolist(), step, names


@pytest.mark.parametrize(
    ("column", "expected", "names"),
    [
        ("a,c", [[1, 7], [2, 8], [3, 9]], ["a", "c"]),
        (["c", 1], [[7, 1], [8, 2], [9, 3]], ["c", "a"]),
        (("b,d",), [[4], [5], [6]], ["b,d"]),
        ("b,d", [4, 5, 6], ["b,d"]),  # a name with a comma is one column
        ("all", [[1, 4, 7], [2, 5, 8], [3, 6, 9]], ["a", "b,d", "c"]),
        (":", [[1, 4, 7], [2, 5, 8], [3, 6, 9]], ["a", "b,d", "c"]),
        ("1, 3", [[1, 7], [2, 8], [3, 9]], ["a", "c"]),
        (range(1, 3), [[1, 4], [2, 5], [3, 6]], ["a", "b,d"]),
    ],
)
def test_csv_channels(tmp_path, column, expected, names):
    path = tmp_path / "signal.csv"
    path.write_text('time,a,"b,d",c\n0,1,4,7\n0.5,2,5,8\n1,3,6,9\n')
    assert several(read_csv, path, column) == (expected, 0.5, names)


def test_csv_channels_without_a_header(tmp_path):
    path = tmp_path / "signal.csv"
    path.write_text("0,1,4\n0.5,-2,5\n1,3,6\n")
    assert several(read_csv, path, "1,2") == (
        [[1, 4], [-2, 5], [3, 6]], 0.5, ["1", "2"]
    )  # fmt: skip
    assert several(read_csv, path, "0,1")[1:] == (None, ["0", "1"])
    # is column 0 a signal that rises evenly, or time?
    with pytest.raises(SignalFileError, match=r"column 0 rises .* choose 1,2, with ti"):
        read_csv(path, "all", timed=True)
    path.write_text("0,1\n0.5,-2\n-1,3\n")
    assert several(read_csv, path, "all")[1:] == (None, ["0", "1"])


@pytest.mark.parametrize("header", ["time_ms,a", "a,t", "a,Time [min]"])
def test_all_columns_are_refused_where_one_may_be_time(tmp_path, header):
    path = tmp_path / "signal.csv"
    path.write_text(f"{header}\n1,2\n3,4\n")
    with pytest.raises(SignalFileError, match="looks like time among the channels"):
        read_csv(path, "all", timed=False)


def test_csv_names_that_are_the_same_get_their_position(tmp_path):
    path = tmp_path / "signal.csv"
    path.write_text("time,a,a,\n0,1,4,7\n0.5,2,5,8\n")
    assert several(read_csv, path, "all")[2] == ["a 1", "a 2", "3"]
    with pytest.raises(ValidationError, match=r"choose one of time, a 1, a 2, 3$"):
        read_csv(path, "a", timed=True)


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
    samples, step, _ = read_npz(path, column, timed)
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


def test_npz_channels(tmp_path):
    path = tmp_path / "signal.npz"
    np.savez(path, a=U, b=U[:, None], other=np.stack([U, -U], axis=1), dt=0.5)
    both = np.stack([U, -U], axis=1).tolist()
    assert several(read_npz, path, "a,b") == (
        np.stack([U, U], axis=1).tolist(), 0.5, ["a", "b"]
    )  # fmt: skip
    assert several(read_npz, path, "other") == (both, 0.5, ["0", "1"])
    assert several(read_npz, path, "a") == (U.tolist(), 0.5, ["a"])
    assert several(read_npz, path, ["a"]) == (U[:, None].tolist(), 0.5, ["a"])
    with pytest.raises(SignalFileError, match="'other' has 2 columns; choose arrays"):
        read_npz(path, ["a", "other"], timed=True)
    with pytest.raises(ValidationError, match="has 'a' twice; choose each column once"):
        read_npz(path, "a,b,a", timed=True)
    np.savez(path, u=np.stack([U, -U, 2 * U], axis=1), t=[0.0, 0.5, 1.0])
    for column in ("all", ":", "0,1,2"):
        samples, step, names = several(read_npz, path, column)
        assert np.array(samples).shape == (3, 3)
        assert (step, names) == (0.5, ["0", "1", "2"])
    assert several(read_npz, path, "2,0")[0] == np.stack([2 * U, U], 1).tolist()
    np.savez(path, a=U, b=-U)
    assert several(read_npz, path, "all") == (both, None, ["a", "b"])
    np.savez(path, a=U, b=U[:2])
    with pytest.raises(SignalFileError, match="'b' has 2 samples, 'a' 3; choose arra"):
        read_npz(path, "a,b", timed=True)


def test_npy(tmp_path):
    path = tmp_path / "signal.npy"
    np.save(path, U)
    assert several(read_npy, path, None) == (U.tolist(), None, ["0"])
    both = np.stack([U, -U], axis=1)
    for array in (both, np.asfortranarray(both), both.astype(np.float32)):
        np.save(path, array)
        assert several(read_npy, path, "all") == (both.tolist(), None, ["0", "1"])
        assert several(read_npy, path, 1) == ((-U).tolist(), None, ["1"])
    signal = load_signal(path, 0.5, column="all")
    assert signal.channels == ("0", "1")
    assert signal.source.endswith("signal.npy, column all, 2 Hz")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.stack([U, U], axis=1), "holds 2 columns, 0, 1: choose one with column, or"),
        (
            np.stack([U, U]),
            "has 2 rows of 3 columns, where a row is a step and a colum",
        ),
        (np.zeros((2, 3, 4)), "has 3 dimensions; use"),
        (np.array([1.0, None], dtype=object), "Object arrays cannot be loaded"),
        (np.zeros(3, dtype="f8,f8"), "not real numbers"),
        (np.array([1.0, np.inf]), "row 1 (from 0) is inf, not finite"),
        (np.zeros(1), "too short"),
        (np.zeros((0, 2)), "too short"),
    ],
)
def test_npy_errors(tmp_path, array, message):
    path = tmp_path / "signal.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(SignalFileError) as error:
        load_signal(path, 0.001)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_npy_cut_short(tmp_path):
    path = tmp_path / "signal.npy"
    np.save(path, U)
    whole = path.read_bytes()
    for part in (1, 20, len(whole) - 1):
        path.write_bytes(whole[:part])
        with pytest.raises(SignalFileError):
            load_signal(path, 0.001)


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
