import gzip
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmu_spiking.errors import SignalFileError
from lmu_spiking.tasks.mnist import FILES, KEYS, read_idx, read_mnist

RNG = np.random.RandomState(7)
ARRAYS = {
    "x_train": RNG.randint(0, 256, (6, 28, 28)).astype(np.uint8),
    "y_train": np.arange(6, dtype=np.uint8),
    "x_test": RNG.randint(0, 256, (3, 28, 28)).astype(np.uint8),
    "y_test": np.arange(7, 10, dtype=np.uint8),
}


def idx(array):
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def packed_of(content):
    return gzip.compress(content, mtime=0)


def folder_of(path, dot="-", packed=False, arrays=ARRAYS):
    for (stem, dimensions), key in zip(FILES.items(), KEYS, strict=True):
        file = path / f"{stem}{dot}idx{dimensions}-ubyte{'.gz' if packed else ''}"
        content = idx(arrays[key])
        file.write_bytes(packed_of(content) if packed else content)
    return path


def npz_of(path, **changes):
    arrays = {k: v for k, v in (ARRAYS | changes).items() if v is not None}
    np.savez_compressed(path / "mnist.npz", **arrays)
    return path / "mnist.npz"


def assert_all_there(found):
    train, test, _ = found
    for key, array in zip(KEYS, (*train, *test), strict=True):
        np.testing.assert_array_equal(array, ARRAYS[key])


def refusal(path):
    with pytest.raises(SignalFileError) as error:
        read_mnist(path)
    text = str(error.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_idx_files_are_read_from_folders(tmp_path, dot, packed):
    folder = folder_of(tmp_path, dot, packed)
    assert_all_there(read_mnist(folder))
    assert_all_there(read_mnist(str(next(folder.glob("t10k-labels*")))))
    assert read_mnist(folder)[2] == folder


def test_packed_files_that_lost_their_ending(tmp_path):
    for path in folder_of(tmp_path, packed=True).glob("*.gz"):
        path.rename(path.with_suffix(""))
    assert_all_there(read_mnist(tmp_path))


def test_an_npz_is_read_by_itself_or_in_a_folder(tmp_path):
    path = npz_of(tmp_path)
    assert_all_there(read_mnist(path))
    assert_all_there(read_mnist(tmp_path))
    assert read_mnist(tmp_path)[2] == path


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    npz_of(tmp_path)
    assert_all_there(read_mnist("~/mnist.npz"))


def test_what_is_not_there(tmp_path):
    assert "no such file or folder" in refusal(tmp_path / "none.npz")
    assert "neither mnist.npz nor train-images-idx3-ubyte" in refusal(tmp_path)
    (tmp_path / "a.csv").write_text("1,2")
    assert "is not known as MNIST; use mnist.npz" in refusal(tmp_path / "a.csv")
    folder_of(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert "t10k-labels-idx1-ubyte is missing" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None, "y_test": None}, "lacks x_test, y_test"),
        ({"x_train": ARRAYS["x_train"][:5]}, "labels are (6,) beside 5 images"),
        ({"x_train": ARRAYS["x_train"][:1]}, "images are (1, 28, 28), not (n, 28, 28)"),
        ({"x_test": ARRAYS["x_test"][:, 1:]}, "test images are (3, 27, 28), not"),
        ({"x_test": ARRAYS["x_test"].reshape(3, -1)}, "test images are (3, 784), not"),
        ({"x_test": np.ones((3, 28, 28))}, "test images are float64, not uint8"),
        ({"y_train": np.arange(6) + 5}, "training labels hold 10, not 0 to 9 only"),
        ({"y_train": np.arange(6) - 1}, "training labels hold -1, not 0 to 9 only"),
        ({"y_test": np.ones(3)}, "test labels are float64, not whole numbers"),
        ({"y_test": np.eye(3, dtype=int)}, "test labels are (3, 3) beside 3 images"),
        ({"y_test": np.array([1, "a", None], object)}, "cannot be read (Object arrays"),
        ({"x_train": np.array([{}], object)}, "cannot be read (Object arrays"),
    ],
)
def test_archives_of_something_else(tmp_path, changes, message):
    assert message in refusal(npz_of(tmp_path, **changes))


def test_a_pickle_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "sprung").touch, ()

    path = npz_of(tmp_path, y_train=np.array([Trap()], object))
    assert "allow_pickle=False" in refusal(path)
    assert not (tmp_path / "sprung").exists()


IMAGES = idx(ARRAYS["x_train"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is cut short: 0 bytes"),
        (IMAGES[:10], "is cut short: 10 bytes"),
        (IMAGES[:-1], "is cut short: 4719 bytes where its header says 4720"),
        (IMAGES + b"1", "is too long: 4721 bytes where its header says 4720"),
        (idx(ARRAYS["y_train"]) + b"\0" * 9, "begins with 2049, not 2051"),
        (b"<!DOCTYPE html><html>", "begins with 1008813135, not 2051"),
        (IMAGES[:4] + b"\xff" * 12, "is cut short: 16 bytes where its header says"),
        (idx(ARRAYS["x_train"][:, :27]), "training images are (6, 27, 28)"),
        (idx(ARRAYS["x_train"][:0]), "training images are (0, 28, 28)"),
        (packed_of(IMAGES)[:-30], "is corrupt, cut short or too large"),
        (packed_of(IMAGES[:-1]), "is cut short: 4719 bytes where its header says"),
        (b"\x1f\x8b" + b"a" * 40, "cannot be read (Unknown compression method)"),
    ],
    ids=range(12),
)
def test_damaged_idx_files(tmp_path, content, message):
    folder_of(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    assert message in refusal(tmp_path)


def test_labels_out_of_range(tmp_path):
    folder_of(tmp_path, arrays=ARRAYS | {"y_test": np.array([1, 2, 200], np.uint8)})
    assert "test labels hold 200, not 0 to 9 only" in refusal(tmp_path)


@pytest.mark.parametrize("array", [ARRAYS["y_train"], np.ones((2, 3, 4), np.uint8)])
def test_idx_by_itself(tmp_path, array):
    (tmp_path / "a").write_bytes(idx(array))
    found = read_idx(tmp_path / "a", array.ndim)
    np.testing.assert_array_equal(found, array)


def _npz():
    file = io.BytesIO()
    np.savez_compressed(file, **ARRAYS)
    return file.getvalue()


WHOLE = {"mnist.npz": _npz(), "train-images-idx3-ubyte.gz": packed_of(IMAGES)}


@pytest.mark.filterwarnings("ignore::UserWarning")  # zipfile's, of names it doubts
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(WHOLE)),
    place=st.floats(0, 1),
    junk=st.binary(max_size=8),
    cut=st.booleans(),
)
def test_a_damaged_file_is_mnist_or_one_line(tmp_path, name, place, junk, cut):
    folder_of(tmp_path, packed=True)
    content, path = WHOLE[name], tmp_path / name
    at = int(place * len(content))
    path.write_bytes(content[:at] + junk + (b"" if cut else content[at + len(junk) :]))
    try:
        train, test, _ = read_mnist(path)
    except SignalFileError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)
    else:
        assert train[0].shape[1:] == test[0].shape[1:] == (28, 28)


def test_a_home_that_nobody_has(tmp_path):
    assert "\n" not in refusal("~nobody-of-this-name/mnist.npz")
