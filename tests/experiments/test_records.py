import json

import pytest

from lmu_spiking.errors import StudyWarning
from lmu_spiking.experiments.records import kept


@pytest.fixture
def counted():
    calls = []

    def make():
        calls.append(1)
        return {"value": (1, float("nan")), "calls": len(calls)}

    return make


def test_what_is_finished_is_not_done_again(counted, tmp_path):
    about = {"m": 3, "sizes": (1, 2)}
    first = kept(tmp_path, "part", about, counted)
    assert first == {"value": [1, None], "calls": 1}
    assert kept(tmp_path, "part", about, counted) == first
    assert kept(tmp_path, "part", about | {"m": 4}, counted)["calls"] == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"about": 1}'])
def test_what_is_no_part_is_kept_and_done_again(counted, tmp_path, text):
    path = tmp_path / "parts" / "part.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.warns(StudyWarning, match=r"it is kept as part\.kept-1\.json$"):
        assert kept(tmp_path, "part", {}, counted)["calls"] == 1
    assert json.loads(path.read_text())["value"]["calls"] == 1
    assert path.with_name("part.kept-1.json").read_text() == text


def test_without_a_folder_nothing_is_kept(counted):
    assert [kept(None, "part", {}, counted)["calls"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("value", [3, [], "text", None])
def test_a_part_of_another_kind_is_done_again(counted, tmp_path, value):
    kept(tmp_path, "part", {}, counted)
    path = tmp_path / "parts" / "part.json"
    path.write_text(json.dumps({"about": {}, "value": value}))
    assert kept(tmp_path, "part", {}, counted)["calls"] == 2
    path.write_text("[" * 100_000)
    with pytest.warns(StudyWarning, match="no part"):
        assert kept(tmp_path, "part", {}, counted)["calls"] == 3


def test_a_part_that_was_changed_is_done_again(counted, tmp_path):
    kept(tmp_path, "part", {}, counted)
    path = tmp_path / "parts" / "part.json"
    path.write_text(path.read_text().replace('"calls": 1', '"calls": 7'))
    assert kept(tmp_path, "part", {}, counted)["calls"] == 2
    path.write_text('{"about": {}, "value": {"calls": 7}}')  # of an earlier version
    assert kept(tmp_path, "part", {}, counted)["calls"] == 7
