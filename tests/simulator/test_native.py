"""The compiled loop: where it is kept, whom it trusts, and that it says so."""

import os
import socket
import stat
import sys

import numpy as np
import pytest

from lmu_spiking.simulator import native

FLOAT = np.dtype("float32")
unix = pytest.mark.skipif(os.name != "posix", reason="needs owners and modes of files")


@pytest.fixture(scope="module")
def real():
    """The machine code of this machine."""
    native.load(FLOAT, lambda line: None)
    return next(filter(None, map(native._read, native._places("advance_float32"))))


@pytest.fixture
def kept(tmp_path, monkeypatch, real):
    """Machine code in folders of its own; `_compile` gives that of the real cache."""
    # nothing above is anybody's but ours, whatever the machine's folder for tests
    monkeypatch.setattr(native, "_refusal", within(tmp_path, native._refusal))
    monkeypatch.setattr(native, "_compile", lambda dtype, name: real)
    folders = [tmp_path / "first", tmp_path / "second"]
    monkeypatch.setattr(native, "_folders", lambda: folders)
    return folders


def within(top, refusal):
    def checked(folder):
        said = refusal(folder)
        return said if str(top) in said else ""

    return checked


def loads() -> int:
    """How often a load compiles."""
    return sum("compiling" in line for line in said())


def said() -> list[str]:
    lines = []
    native.load(FLOAT, lines.append)
    return lines


def only(folder):
    (file,) = folder.iterdir()
    return file


def test_what_was_compiled_is_kept(kept):
    assert [loads(), loads(), loads()] == [1, 0, 0]
    assert [len(list(f.iterdir())) for f in kept if f.exists()] == [1]


def test_a_file_that_is_cut_off_is_compiled_again(kept):
    loads()
    file = only(kept[0])
    for spoilt in (b"", file.read_bytes()[:100], file.read_bytes()[:-1], b"x" * 999):
        file.write_bytes(spoilt)
        assert [loads(), loads()] == [1, 0]


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x7fELF" + bytes(60), "another"])
def test_what_is_whole_but_no_code_is_compiled_again(kept, real, junk):
    loads()
    file = only(kept[0])
    if junk == "another":  # a function of another name
        junk = real.replace(b"advance_float32", b"retreat_float32")
    file.write_bytes(native._digest(file, junk) + junk)
    assert [loads(), loads()] == [1, 0]


def test_code_under_another_name_is_not_taken(kept):
    loads()
    file = only(kept[0])
    other = file.with_name("advance_float32-0123.o")
    file.rename(other)
    assert native._read(other) is None


def test_where_it_cannot_be_written_it_goes_elsewhere(kept):
    kept[0].write_text("no folder")
    assert [loads(), loads()] == [1, 0]
    assert len(list(kept[1].iterdir())) == 1
    only(kept[1]).unlink()
    kept[1].rmdir()
    kept[1].write_text("nor here")
    assert [loads(), loads()] == [1, 1]  # and it runs nonetheless
    lines = said()
    assert len(lines) == 2 and "compiled again the next time" in lines[1]
    assert str(kept[1]) in lines[1]


# -- whom it trusts --------------------------------------------------------------------


@unix
@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077])
def test_whatever_the_umask_it_is_private(kept, mask):
    deep = kept[0] / "cache" / "lmu_spiking"
    kept[0] = deep
    before = os.umask(mask)
    try:
        assert loads() == 1
    finally:
        os.umask(before)
    assert stat.S_IMODE(only(deep).stat().st_mode) == 0o600
    assert [stat.S_IMODE(f.stat().st_mode) for f in (deep, deep.parent)] == [0o700] * 2
    assert loads() == 0


@unix
@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666, 0o777])
def test_a_file_that_others_can_write_is_not_run(kept, mode):
    loads()
    file = only(kept[0])
    file.chmod(mode)
    lines = said()
    assert len(lines) == 1 and str(file) in lines[0] and "not private" in lines[0]
    assert stat.S_IMODE(only(kept[0]).stat().st_mode) == 0o600
    assert loads() == 0


@unix
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o703])
def test_a_folder_that_others_can_write_is_not_used(kept, level, mode):
    deep = kept[0] / "a" / "b"
    kept[0] = deep
    loads()
    (deep, *deep.parents)[level].chmod(mode)
    try:
        assert loads() == 1
        assert loads() == 0  # from the second folder
    finally:
        (deep, *deep.parents)[level].chmod(0o700)
    assert [len(list(folder.iterdir())) for folder in kept] == [1, 1]


@unix
def test_where_no_folder_is_private_it_is_compiled_every_time_and_said(kept):
    for folder in kept:
        folder.mkdir()
        folder.chmod(0o777)
    for _ in range(2):
        lines = said()
        assert len(lines) == 2 and f"others can write to {kept[0]}" in lines[1]
    assert not [file for folder in kept for file in folder.iterdir()]


@unix
def test_a_folder_with_the_sticky_bit_is_as_good_as_private(kept):
    deep = kept[0] / "mine"
    kept[0].mkdir()
    kept[0].chmod(0o1777)
    kept[0] = deep
    assert [loads(), loads()] == [1, 0]


@unix
@pytest.mark.parametrize("what", ["file", "folder", "above"])
@pytest.mark.parametrize("owner", ["other", "root"])
def test_whose_it_is_decides(kept, what, owner, monkeypatch):
    """Files of root are taken, those of a third user are not, whatever their mode."""
    deep = kept[0] / "mine"
    kept[0] = deep
    loads()
    me = os.geteuid()
    if owner == "root" and me != 0:
        pytest.skip("only root owns files of root")
    place = {"file": only(deep), "folder": deep, "above": deep.parent}[what]
    theirs = (place.stat().st_dev, place.stat().st_ino)
    # another owner, as the system would tell: chown is for root alone
    uid = 0 if owner == "root" else me + 1
    real_private = native.private

    def private(found):
        if (found.st_dev, found.st_ino) == theirs:
            found = os.stat_result([*found[:4], uid, *found[5:10]])
        return real_private(found)

    monkeypatch.setattr(native, "private", private)
    assert loads() == (owner == "other")


@unix
@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "folder"])
def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(kept, kind):
    loads()
    file = only(kept[0])
    whole = file.read_bytes()
    elsewhere = kept[0].parent / file.name
    file.rename(elsewhere)
    if kind == "link":
        file.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "socket":
        if len(str(file)) > 100:
            pytest.skip("the name is too long for a socket")
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(file))
    else:
        file.mkdir()
    assert loads() == 1
    assert elsewhere.read_bytes() == whole


@unix
def test_code_that_another_user_could_plant_does_not_run(kept, real):
    """The fault as it was: a whole file in a folder that all can write."""
    kept[0].mkdir()
    kept[0].chmod(0o777)
    planted = kept[0] / f"advance_float32-{native._key()}.o"
    planted.write_bytes(native._digest(planted, real) + real)
    assert native._read(planted) is None
    before = planted.stat()
    assert loads() == 1
    assert planted.stat() == before  # nor is it touched


def test_a_relative_cache_folder_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert native._folders()[1] == tmp_path / ".cache" / "lmu_spiking"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native._folders()[1] == tmp_path / "lmu_spiking"


def test_a_user_without_a_home_has_no_folder_there(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(native.Path, "home", homeless)
    assert len(native._folders()) == 1


# --------------------------------------------------------------------------------------


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
    native.advance.__wrapped__(FLOAT)
    native.advance.__wrapped__(FLOAT)
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "compiling" in err


def test_without_standard_error_nothing_is_said(kept, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    native.advance.__wrapped__(FLOAT)
    assert capsys.readouterr().out == ""
