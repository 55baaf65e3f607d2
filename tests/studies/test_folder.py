"""A folder of results: what commands wrote is theirs, everything else is the user's."""

import json
import os
import threading

import pandas as pd
import pytest
from matplotlib.figure import Figure

from lmu_spiking.errors import StudyWarning
from lmu_spiking.studies.folder import LIST, Folder, write_all

unix = pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")


def write(out, owner="study", clear=(), **files):
    with Folder(out, owner) as folder:
        for name, text in files.items():
            folder.claim(f"{name}.png").write_text(text)
        folder.clear(*clear)


def names(out):
    return {path.name for path in out.iterdir()} - {LIST}


def test_what_was_not_made_again_is_removed(tmp_path):
    write(tmp_path, a="1", b="2")
    (tmp_path / "mine.png").write_text("mine")
    write(tmp_path, clear=["*.png"], b="3", c="4")
    assert names(tmp_path) == {"b.png", "c.png", "mine.png"}
    assert (tmp_path / "b.png").read_text() == "3"


def test_only_what_matches_and_is_of_the_owner_is_removed(tmp_path):
    write(tmp_path, owner="run", a="1")
    write(tmp_path, b="2", layout="3")
    write(tmp_path, clear=["layout.png"])
    assert names(tmp_path) == {"a.png", "b.png"}
    write(tmp_path, clear=["*.png"])
    assert names(tmp_path) == {"a.png"}


def test_a_file_of_the_user_is_kept_under_another_name(tmp_path):
    (tmp_path / "a.png").write_text("mine")
    with pytest.warns(
        StudyWarning, match=r"a\.png was not written by this program.*kept-1"
    ):
        write(tmp_path, a="1")
    assert (tmp_path / "a.kept-1.png").read_text() == "mine"
    write(tmp_path, a="2")  # ours now, and replaced without a word
    assert names(tmp_path) == {"a.png", "a.kept-1.png"}


def test_a_file_that_the_user_changed_is_the_user_s(tmp_path):
    write(tmp_path, a="1", b="2")
    (tmp_path / "a.png").write_text("changed")
    (tmp_path / "b.png").write_text("changed, too")
    with pytest.warns(StudyWarning, match="kept-1"):
        write(tmp_path, clear=["*.png"], a="3")
    assert names(tmp_path) == {"a.png", "a.kept-1.png", "b.png"}
    (tmp_path / "a.png").write_text("again")
    with pytest.warns(StudyWarning, match="kept-2"):
        write(tmp_path, a="4")
    texts = [(tmp_path / f"a.kept-{n}.png").read_text() for n in (1, 2)]
    assert texts == ["changed", "again"]


def test_a_folder_of_that_name_is_kept(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "photo").touch()
    with pytest.warns(StudyWarning, match="kept-1"):
        write(tmp_path, a="1")
    assert (tmp_path / "a.kept-1.png" / "photo").exists()


@unix
@pytest.mark.parametrize("dangling", [True, False])
def test_no_symbolic_link_is_written_through(tmp_path, dangling):
    target, out = tmp_path / "target", tmp_path / "out"
    out.mkdir()
    if not dangling:
        target.write_text("mine")
    (out / "a.png").symlink_to(target)
    with pytest.warns(StudyWarning, match="kept-1"):
        write(out, a="1")
    assert target.exists() != dangling
    assert dangling or target.read_text() == "mine"
    assert (out / "a.kept-1.png").is_symlink()
    assert (out / "a.png").read_text() == "1" and not (out / "a.png").is_symlink()


@unix
def test_a_link_in_place_of_what_was_written_is_not_removed(tmp_path):
    write(tmp_path / "out", a="1")
    (tmp_path / "out" / "a.png").rename(tmp_path / "moved.png")
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "moved.png")
    write(tmp_path / "out", clear=["*.png"], b="2")
    assert (tmp_path / "out" / "a.png").is_symlink()
    assert (tmp_path / "moved.png").read_text() == "1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"a.png": 1}',
        '{"a.png": {"sha256": 1}}',
        "[" * 10**5,
        b"\xff\xfe",
    ],
    ids=lambda text: repr(text)[:12],
)
def test_a_list_that_is_none_makes_all_files_the_user_s(tmp_path, text):
    write(tmp_path, a="1")
    (tmp_path / LIST).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.warns(StudyWarning, match="kept-1"):
        write(tmp_path, clear=["*.png"], a="2")
    assert names(tmp_path) == {"a.png", "a.kept-1.png"}


@pytest.mark.parametrize("name", ["../mine.png", "/mine.png", "sub/mine.png"])
def test_a_list_cannot_name_what_is_elsewhere(tmp_path, name):
    out = tmp_path / "out"
    write(out, mine="1")
    listed = json.loads((out / LIST).read_text())
    place = out / name.lstrip("/")
    place.parent.mkdir(exist_ok=True)
    place.write_text("1")
    name = str(place) if name.startswith("/") else name
    (out / LIST).write_text(json.dumps({name: listed["mine.png"]}))
    write(out, clear=["*.png"])
    assert place.exists()


def test_nothing_is_lost_where_the_list_cannot_be_written(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lmu_spiking.studies.folder.write_atomically", full)
        write(tmp_path, a="1")
    with pytest.warns(StudyWarning, match="kept-1"):
        write(tmp_path, a="2")


@unix
def test_two_commands_at_once_do_not_mix_their_files(tmp_path):
    """The second waits until the first has written all, so that all are of one run."""
    order = []

    def second():
        with Folder(tmp_path, "run") as folder:
            order.append("second")
            folder.claim("a.png").write_text("2")

    with Folder(tmp_path, "run") as folder:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)  # time enough to come first, if it could
        order.append("first")
        folder.claim("a.png").write_text("1")
    thread.join()
    assert order == ["first", "second"]
    assert names(tmp_path) == {"a.png"}  # ours, and so not kept


def test_what_a_file_holds_says_how_it_is_written(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]})
    files = {
        "r.json": {"x": float("nan")},
        "b.html": b"<p>",
        "t.parquet": frame,
        "f.png": Figure((1, 1)),
        "s.toml": lambda path: path.write_text("x = 1"),
    }
    paths = write_all(tmp_path, "run", files)
    assert list(paths) == list(files)
    assert paths["r.json"].read_text() == '{"x": null}\n'
    assert paths["b.html"].read_bytes() == b"<p>"
    pd.testing.assert_frame_equal(pd.read_parquet(paths["t.parquet"]), frame)
    assert paths["f.png"].read_bytes().startswith(b"\x89PNG")
    assert paths["s.toml"].read_text() == "x = 1"
    (tmp_path / "mine.png").touch()
    write_all(tmp_path, "run", {"b.html": b""}, ("*.png",))
    assert not paths["f.png"].exists() and paths["r.json"].exists()
    assert (tmp_path / "mine.png").exists()
