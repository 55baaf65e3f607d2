"""Files that claim too much, or that a parser stumbles over, end in one line."""

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest

from lmu_spiking import files
from lmu_spiking.errors import (
    MissingPackageError,
    ParamsFileError,
    SignalFileError,
    ValidationError,
)


def archive(method=zipfile.ZIP_DEFLATED, **members) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, data in members.items():
            made.writestr(f"{name}.npy", data)
    file.seek(0)
    return file


def npy(descr: str, shape: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (OverflowError("int too large to convert to float"), "number in it is too"),
        (MemoryError(), "more memory than there is"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "not text in UTF-8"),
        (zlib.error("Error -3"), "corrupt, cut short or too large (Error -3)"),
        (zipfile.BadZipFile("Bad CRC"), "corrupt, cut short or too large"),
        (struct.error("unpack"), "corrupt, cut short or too large"),
        (EOFError(), "corrupt, cut short or too large (EOFError)"),
        (KeyError("header"), "cannot be read (it lacks 'header')"),
        (TypeError("a\nb\x00c"), "cannot be read (a b c)"),
        (ValueError("x" * 5000), "xxx..."),
        (OSError(13, "Permission denied"), "(Permission denied)"),
        (RuntimeError("File is encrypted"), "(File is encrypted)"),
        (SignalFileError("is empty"), "a.npz: is empty"),
        (SignalFileError("a.npz: is empty"), "a.npz: is empty"),
    ],
)
def test_whatever_is_raised_becomes_one_line(error, said):
    with (
        pytest.raises(SignalFileError) as caught,
        files.reading("a.npz", SignalFileError),
    ):
        raise error
    text = str(caught.value)
    assert text.startswith("a.npz: ") and text.count("a.npz: ") == 1
    assert said in text and "\n" not in text and len(text) < 500


def test_what_is_not_the_files_fault_stays():
    for error in (
        MissingPackageError("h5py", "nir"),
        ValidationError("x.dt", 0, "bad"),
    ):
        with (
            pytest.raises(type(error)),
            files.reading("a", ParamsFileError, own=("C",)),
        ):
            raise error
    with pytest.raises(ParamsFileError, match=r"^a: C\.order: 0 bad$"):
        with files.reading("a", ParamsFileError, own=("C",)):
            raise ValidationError("C.order", 0, "bad")


@pytest.mark.parametrize(
    ("descr", "shape", "said"),
    [
        ("'<f8'", "(1000000000000,)", "cut short"),
        ("'<f8'", "(4611686018427387904, 4)", "cut short"),
        ("'<f8'", "(-3,)", "negative"),
        ("'<U0'", "(1000000000000,)", "cut short"),
        ("'|V0'", "(3,)", "cut short"),
        ("'|O'", "(3,)", "allow_pickle=False"),
        ("[('a', '|O')]", "(3,)", "allow_pickle=False"),
        ("'<f8'", "(3.5,)", "header"),
        ("'nonsense'", "(3,)", "header"),
        ("__import__('os')", "(3,)", "header"),
    ],
)
def test_arrays_are_checked_before_room_is_made(descr, shape, said):
    arrays = files.Arrays(archive(a=npy(descr, shape, bytes(24))))
    with pytest.raises(ValueError, match=said):
        arrays["a"]


def test_headers_that_are_nested_for_ever():
    for shape in ("(" * 4000 + ")" * 4000, "-" * 9000 + "1", "[" * 3000):
        arrays = files.Arrays(archive(a=npy("'<f8'", shape)))
        with pytest.raises((ValueError, RecursionError, MemoryError)):
            arrays["a"]


def test_arrays_come_back_as_they_were():
    rng, file = np.random.default_rng(0), io.BytesIO()
    kept = {
        "plain": rng.standard_normal((3, 4)),
        "columns": np.asfortranarray(rng.standard_normal((3, 4))),
        "bytes": np.arange(7, dtype=np.uint8),
        "none": np.empty((0, 3)),
        "one": np.array(2.5, ">f4"),
        "text": np.array("abc"),
    }
    np.savez_compressed(file, **kept)
    arrays = files.Arrays(file)
    assert arrays.files == list(kept)
    for name, array in kept.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    arrays["plain"][0, 0] = 1.0  # it can be written to, as numpy's can


def test_archives_that_grow_are_refused():
    zeros = npy("'<f8'", "(4000000,)", bytes(32 * 10**6))
    with pytest.raises(files.TooLarge, match="save it uncompressed"):
        files.Arrays(archive(a=zeros))
    assert not files.Arrays(archive(zipfile.ZIP_STORED, a=zeros))["a"].any()
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        arrays = files.Arrays(archive(method, a=npy("'<f8'", "(3,)", bytes(24))))
        with pytest.raises(ValueError, match="compressed by a method"):
            arrays["a"]
    many = {f"a{k}": b"" for k in range(files.MEMBERS + 1)}
    with pytest.raises(files.TooLarge, match="holds 10001 files"):
        files.Arrays(archive(**many))


def test_a_pickle_is_not_run(tmp_path):
    class Bad:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    for data in (pickle.dumps(Bad()), npy("'|O'", "(1,)", pickle.dumps(Bad()))):
        with pytest.raises(ValueError):
            files.Arrays(archive(a=data))["a"]
    assert not (tmp_path / "ran").exists()


def test_text_has_a_size_and_a_depth(tmp_path):
    path = tmp_path / "a"
    path.write_text('{"a": [1, 2.5, null]}')
    assert files.read_json(path) == {"a": [1, 2.5, None]}
    path.write_text("[" * 100_000)
    with pytest.raises(RecursionError):
        files.read_json(path)
    path.write_bytes(b" " * (files.TEXT + 1))
    with pytest.raises(files.TooLarge, match="larger than 4 MiB"):
        files.read_json(path)
    path.write_text("[a]\nb = 1.5\nc = [" + "1.5, " * 30 + "]")
    assert files.read_toml(path)["a"]["b"] == 1.5
    for text in (".".join("a" * 30) + " = 1", f"[{'.'.join('a' * 30)}]"):
        path.write_text(text)  # each part costs as much as all before it
        with pytest.raises(ValueError, match="more than 20 parts"):
            files.read_toml(path)


def test_endless_files_are_read_to_a_limit():
    with pytest.raises(files.TooLarge):
        files.read_bytes("/dev/zero", 1000)


@pytest.mark.parametrize(
    ("count", "text"), [(10, "10 bytes"), (2**20, "1 MiB"), (1.5 * 2**30, "1.5 GiB")]
)
def test_sizes_for_people(count, text):
    assert files.size(count) == text


def test_an_idx_file_is_decompressed_as_far_as_it_claims(tmp_path):
    """A kilobyte that holds 32 MB where its header says 2 x 28 x 28."""
    from lmu_spiking.tasks.mnist import read_idx

    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(struct.pack(">4I", 0x803, 2, 28, 28) + bytes(2**25)))
    with pytest.raises(SignalFileError, match="is too long: 1585 bytes where"):
        read_idx(path, 3)
    path.write_bytes(gzip.compress(struct.pack(">4I", 0x803, 2**31, 28, 28)))
    with pytest.raises(SignalFileError, match="is cut short: 16 bytes where"):
        read_idx(path, 3)


def test_json_of_numbers_without_end():
    with pytest.raises(ValueError):
        files.json_of("1" * 5000)
    assert files.json_of(json.dumps(10**400)) == 10**400
