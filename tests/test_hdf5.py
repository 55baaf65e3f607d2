"""HDF5 is read in a child, which no file can hang, crash or fill."""

import signal
import sys

import numpy as np
import pytest

from lmu_spiking import hdf5
from lmu_spiking.errors import MissingPackageError
from lmu_spiking.hdf5 import Odd, read_hdf5

h5py = pytest.importorskip("h5py")


@pytest.fixture
def made(tmp_path):
    """Write a file with ``fill(file)``; its path."""

    def write(fill):
        path = tmp_path / "made.h5"
        with h5py.File(path, "w") as file:
            fill(file)
        return path

    return write


def everything(file):
    rng = np.random.default_rng(0)
    file["a/b"] = rng.standard_normal((3, 4)).astype(np.float32)
    file.create_dataset(
        "packed", data=np.arange(1000), compression="gzip", shuffle=True
    )
    file["scalar"], file["flag"], file["text"] = 2.5, True, "grüße"
    file["edges"] = np.array([["x", "y"], ["y", "z"]], dtype=object)
    file["bytes"] = np.array([b"ab", b"c"])
    file.attrs["config"], file.attrs["raw"] = "{}", np.bytes_(b"tf")
    file.attrs["names"] = ["one", "two"]
    file.attrs["number"] = 3


def test_all_comes_back(made):
    path = made(everything)
    for source in (path, path.read_bytes()):
        found = read_hdf5(source)
        assert found.attrs == {"config": "{}", "raw": "tf", "names": ["one", "two"]}
        items = found.items
        b = items["a"].items["b"]
        assert b.dtype == np.float32 and b.shape == (3, 4)
        with h5py.File(path) as file:
            np.testing.assert_array_equal(b, file["a/b"][()])
        np.testing.assert_array_equal(items["packed"], np.arange(1000))
        assert (items["scalar"][()], bool(items["flag"])) == (2.5, True)
        assert items["text"] == "grüße"
        assert items["edges"].tolist() == [["x", "y"], ["y", "z"]]
        assert items["bytes"].tolist() == ["ab", "c"]


def outside(file):
    file.create_dataset("x", (3,), "f8", external=[("/etc/passwd", 0, 24)])


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    file.create_virtual_dataset("x", layout)


ODD = {
    "soft": (lambda f: f.update({"x": h5py.SoftLink("/x")}), "link"),
    "external": (lambda f: f.update({"x": h5py.ExternalLink("/e", "x")}), "link"),
    "outside": (outside, "lies in another file"),
    "virtual": (virtual, "lies in another file"),
    "huge": (lambda f: f.create_dataset("x", (2**40,), "f8", chunks=True), "claims"),
    "objects": (lambda f: f.update({"x": np.zeros(2, [("a", "f8")])}), "not an array"),
    "complex": (lambda f: f.update({"x": np.zeros(2, complex)}), "not an array"),
    "empty": (lambda f: f.update({"x": h5py.Empty("f8")}), "not an array"),
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_what_is_not_taken_is_told_in_its_place(made, name):
    fill, why = ODD[name]
    file = made(lambda f: (fill(f), f.update({"sound": np.ones(2)})))
    items = read_hdf5(file).items
    assert isinstance(items["x"], Odd) and why in items["x"].why
    np.testing.assert_array_equal(items["sound"], np.ones(2))


def circle(file):
    group = file.create_group("a")
    group["again"] = group


def many(file):
    for k in range(2001):
        file.create_group(str(k))


@pytest.mark.parametrize(
    ("fill", "said"), [(circle, "nested too deeply"), (many, "more than 2000 objects")]
)
def test_endless_files_are_refused(made, fill, said):
    with pytest.raises(ValueError, match=said):
        read_hdf5(made(fill))


def test_what_is_no_hdf5(tmp_path):
    for data in (b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(100)):
        with pytest.raises(ValueError, match="damaged or not HDF5") as caught:
            read_hdf5(data)
        assert "\n" not in str(caught.value)
    with pytest.raises(OSError):
        read_hdf5(tmp_path / "none.h5")
    with open(tmp_path / "long.h5", "wb") as file:
        file.truncate(hdf5.LARGEST + 1)
    with pytest.raises(ValueError, match="larger than 128 MiB"):
        read_hdf5(tmp_path / "long.h5")


def test_time_and_memory_have_limits(made, monkeypatch):
    path = made(everything)
    with monkeypatch.context() as patched:
        patched.setattr(hdf5, "SECONDS", 1e-6)
        with pytest.raises(ValueError, match="took more than"):
            read_hdf5(path)
    path = made(lambda f: f.update({"x": np.zeros(2**24, np.uint8)}))
    monkeypatch.setattr(hdf5, "MEMORY", 2**24)  # it has more than that already
    with pytest.raises(ValueError, match=r"memory|damaged"):
        read_hdf5(path)


@pytest.mark.parametrize("status", [-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGKILL])
def test_a_crash_of_the_child_is_told(made, monkeypatch, status):
    monkeypatch.setattr(hdf5, "run_child", lambda *_: (status, ""))
    with pytest.raises(ValueError, match="crashes the HDF5 library"):
        read_hdf5(made(everything))


def test_missing_h5py(made, monkeypatch):
    path = made(everything)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[nir\]"):
        read_hdf5(path)
