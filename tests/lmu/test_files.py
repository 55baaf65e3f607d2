import errno
import io
import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.lmu.files import load_params, load_with_extra, save_params


def equal(one, other):
    names = list(one.arrays())
    assert names == list(other.arrays())
    for name in names:
        a, b = one.arrays()[name], other.arrays()[name]
        assert a.tobytes() == b.tobytes() and a.shape == b.shape
    settings = [
        [(c.order, c.theta, c.activation) for c in p.cells] for p in (one, other)
    ]
    assert settings[0] == settings[1]
    assert (one.dt, one.header) == (other.dt, other.header)


def refused(path, match=None):
    """The one line that a file is refused with."""
    with pytest.raises(ParamsFileError, match=match) as caught:
        load_params(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


@given(
    connections=st.sets(st.sampled_from(["e_h", "e_m", "W_x", "W_h"])),
    n_cells=st.integers(1, 3),
    memory_d=st.integers(1, 2),
    bias=st.booleans(),
    theta=st.floats(1e-9, 1e9),
    dt=st.floats(1e-300, 1e300),
    about=st.dictionaries(
        st.text(max_size=5),
        st.none()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False).filter(np.isfinite),
    ),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_to_the_bit(
    lmu, tmp_path, connections, n_cells, memory_d, bias, theta, dt, about
):
    params = lmu(
        connections,
        n_cells=n_cells,
        memory_d=memory_d,
        bias=bias,
        theta=theta,
        dt=dt,
        header=about,
    )
    path = tmp_path / "model.npz"
    save_params(params, path)
    equal(load_params(str(path)), params)


def test_extreme_numbers_survive(lmu, tmp_path):
    extreme = np.array([5e-324, -0.0, np.finfo(float).max])
    params = lmu("").updated({"cell0.b": extreme})
    save_params(params, tmp_path / "m.npz")
    assert load_params(tmp_path / "m.npz").cells[0].b.tobytes() == extreme.tobytes()


def test_extra_arrays_come_back_as_they_were(lmu, tmp_path):
    extra = {
        "adam/m": np.arange(6, dtype=np.float32).reshape(2, 3),
        "step": np.int64(7),
        "readout.D": np.array(["a", "bc"]),
    }
    save_params(lmu(""), tmp_path / "m.npz", extra)
    params, found = load_with_extra(tmp_path / "m.npz")
    equal(params, lmu(""))
    assert set(found) == set(extra)
    for name, value in extra.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == np.asarray(value).dtype


def test_other_programs_can_read_it(lmu, tmp_path):
    params = lmu("e_h", activation="relu", header={"task": "x"})
    save_params(params, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as file:
        assert set(file.files) == {"header", *params.arrays()}
        header = json.loads(file["header"].tobytes())
    assert header["cells"] == [{"order": 3, "theta": 0.01, "activation": "relu"}]
    assert (header["dt"], header["about"]) == (0.001, {"task": "x"})


# -- damage ----------------------------------------------------------------------------


@pytest.fixture
def saved(lmu, tmp_path):
    path = tmp_path / "model.npz"
    save_params(lmu("e_h e_m W_x W_h"), path)
    return path


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_truncated_file_is_refused(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(share * len(data))])
    refused(saved)


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_is_seen_or_does_no_harm(lmu, tmp_path, data):
    """The archive's own checks: what is read is what was written, or nothing is."""
    params = lmu("e_h e_m W_x W_h")
    path = tmp_path / "flipped.npz"
    save_params(params, path)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        equal(load_params(path), params)
    except ParamsFileError as error:
        assert "\n" not in str(error)


def rewritten(path, **changes):
    """The same file with some arrays replaced, or left out where None."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def with_header(path, change):
    with np.load(path) as file:
        header = json.loads(file["header"].tobytes())
    change(header)
    text = json.dumps(header).encode()
    return rewritten(path, header=np.frombuffer(text, np.uint8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"readout.D": None}, "it lacks 'readout.D'"),
        ({"header": None}, "it lacks 'header'"),
        ({"cell0.e_x": None}, "missing .* 'e_x'"),
        ({"cell0.e_y": np.ones(3)}, "unexpected keyword argument 'e_y'"),
        ({"cell7.e_x": np.ones(3)}, "unknown arrays cell7.e_x"),
        ({"weights": np.ones(3)}, "unknown arrays weights"),
        ({"cell0.W_m": np.full((3, 3), np.nan)}, "CellParams.W_m: .* must be finite"),
        ({"cell0.W_m": np.ones((3, 4))}, "must be finite numbers of shape"),
        ({"readout.c": np.array(["a", "b"])}, "must be finite numbers"),
        ({"header": np.ones(3)}, "does not hold LMU parameters"),
        ({"header": np.frombuffer(b"[1]", np.uint8)}, "does not hold LMU parameters"),
        ({"header": np.frombuffer(b"{", np.uint8)}, "does not hold LMU parameters"),
        ({"header": np.frombuffer(b"\xff", np.uint8)}, "does not hold LMU parameters"),
        ({"readout.D": np.array([None, {}])}, "is not a parameter file"),
    ],
)
def test_wrong_arrays_are_refused(saved, changes, message):
    refused(rewritten(saved, **changes), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": "lmu_spiking parameters 2"},
            "format 'lmu_spiking parameters 2', not",
        ),
        ({"cells": []}, "unknown arrays cell0.W_h"),
        ({"cells": 3}, "does not hold"),
        ({"cells": [{"order": 3, "theta": 0.1, "e_x": [[1]]}]}, "multiple values"),
        (
            {"cells": [{"order": 3.0, "theta": 0.1}]},
            "order: 3.0 must be a whole number",
        ),
        ({"cells": [{"order": 3, "theta": 0.1, "activation": "x"}]}, "'x' is unknown"),
        ({"dt": "1 ms"}, "LMUParams.dt: '1 ms' must be"),
        ({"about": [1]}, "LMUParams.header: .* must be a dict"),
    ],
)
def test_wrong_headers_are_refused(saved, change, message):
    refused(with_header(saved, lambda header: header.update(change)), message)


@pytest.mark.parametrize("key", ["format", "cells", "dt", "about"])
def test_headers_that_lack_an_entry_are_refused(saved, key):
    assert f"it lacks '{key}'" in refused(with_header(saved, lambda h: h.pop(key)))


def test_files_of_other_kinds_are_refused(tmp_path):
    refused(tmp_path / "none.npz", "No such file")
    refused(tmp_path, "Is a directory")
    (tmp_path / "text.npz").write_text("not an archive\n" * 50)
    refused(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    refused(tmp_path / "one.npy", "is not a parameter file")
    with zipfile.ZipFile(tmp_path / "words.npz", "w") as file:
        file.writestr("words.txt", "hello")
    refused(tmp_path / "words.npz")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    refused(tmp_path / "empty.npz", "it lacks 'header'")


def test_an_archive_of_pickles_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "trap.npz", header=np.array([Trap()], dtype=object))
    refused(tmp_path / "trap.npz", "is not a parameter file")
    assert not (tmp_path / "sprung").exists()


def test_an_array_that_claims_to_be_larger_than_memory(saved):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f8", "fortran_order": False, "shape": (2**60,)}
    )
    with zipfile.ZipFile(saved, "a") as file:
        file.writestr("huge.npy", head.getvalue())
    refused(saved)


# -- writing ---------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_file(saved, lmu, monkeypatch):
    before = saved.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ParamsFileError, match=r"cannot be written .No space left"):
        save_params(lmu("", seed=1), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_places_that_cannot_be_written(saved, lmu):
    inside = saved / "below.npz"  # below a file
    with pytest.raises(ParamsFileError, match="cannot be written") as caught:
        save_params(lmu(""), inside)
    assert "\n" not in str(caught.value)
    folder = saved.parent / "folder.npz"
    folder.mkdir()
    with pytest.raises(ParamsFileError, match="cannot be written"):
        save_params(lmu(""), folder)
    assert sorted(os.listdir(saved.parent)) == ["folder.npz", "model.npz"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission(lmu, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ParamsFileError, match=r"cannot be written .Permission denied"):
        save_params(lmu(""), tmp_path / "m.npz")


def test_missing_folders_are_made(lmu, tmp_path):
    save_params(lmu(""), tmp_path / "a" / "b.npz")
    equal(load_params(tmp_path / "a" / "b.npz"), lmu(""))


def test_refused_before_anything_is_written(lmu, tmp_path):
    with pytest.raises(ValidationError, match=r"must end in .npz; use model.npz"):
        save_params(lmu(""), tmp_path / "model.h5")
    for header in ({"loss": np.nan}, {"x": np.ones(3)}, {"x": object()}):
        with pytest.raises(ValidationError, match=r"LMUParams.header: .* JSON"):
            save_params(lmu("", header=header), tmp_path / "m.npz")
    with pytest.raises(ValidationError, match="extra: 'x' holds objects"):
        save_params(lmu(""), tmp_path / "m.npz", {"x": np.array([None, {}])})
    assert not os.listdir(tmp_path)


def test_what_normalises_the_input_is_kept(tmp_path):
    from lmu_spiking.lmu.params import LMUParams

    drawn = LMUParams.draw(2, 1, [{"units": 3, "order": 2, "theta": 0.1}])
    path = tmp_path / "model.npz"
    save_params(replace(drawn, mean=[1.5, -2], scale=[1, 3]), path)
    found = load_params(path)
    assert found.mean.tolist() == [1.5, -2]
    assert found.scale.tolist() == [1, 3]
    save_params(drawn, path)
    assert load_params(path).mean is None
    assert not any(name.startswith("input") for name in np.load(path).files)
