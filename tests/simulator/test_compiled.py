"""The compiled loop: where it is kept, and that it says so where it is compiled."""

import numpy as np
import pytest

from lmu_spiking.simulator import compiled, native

FLOAT = np.dtype("float32")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Machine code in a folder of its own; `_compile` gives that of the real cache."""
    places = [
        folder / f"advance_float32-{native._key()}.o" for folder in native._folders()
    ]
    native.load(FLOAT, lambda: None)
    real = next(filter(None, map(native._read, places)))
    monkeypatch.setattr(native, "_compile", lambda dtype, name: real)
    folders = [tmp_path / "first", tmp_path / "second"]
    monkeypatch.setattr(native, "_folders", lambda: folders)
    return folders


def loads() -> int:
    """How often a load compiles."""
    said = []
    native.load(FLOAT, lambda: said.append(1))
    return len(said)


def test_what_was_compiled_is_kept(kept):
    assert [loads(), loads(), loads()] == [1, 0, 0]
    assert [len(list(f.iterdir())) for f in kept if f.exists()] == [1]


def test_a_file_that_is_cut_off_is_compiled_again(kept):
    loads()
    (file,) = kept[0].iterdir()
    for spoilt in (b"", file.read_bytes()[:100], file.read_bytes()[:-1], b"x" * 999):
        file.write_bytes(spoilt)
        assert [loads(), loads()] == [1, 0]


def test_where_it_cannot_be_written_it_goes_elsewhere(kept):
    kept[0].write_text("no folder")
    assert [loads(), loads()] == [1, 0]
    assert len(list(kept[1].iterdir())) == 1
    kept[1].joinpath(next(kept[1].iterdir()).name).unlink()
    kept[1].rmdir()
    kept[1].write_text("nor here")
    assert [loads(), loads()] == [1, 1]  # and it runs nonetheless


def test_other_sources_or_another_machine_have_other_code(monkeypatch, tmp_path):
    key = native._key()
    with monkeypatch.context() as patch:
        patch.setattr(native, "version", lambda package: "0")
        assert native._key() != key
    with monkeypatch.context() as patch:
        patch.setattr(native.llvm, "get_host_cpu_name", lambda: "another")
        assert native._key() != key
    assert native._key() == key


def test_a_compilation_is_said_on_standard_error(kept, capsys):
    compiled.advance.__wrapped__(FLOAT)
    compiled.advance.__wrapped__(FLOAT)
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "compiling" in err
