import sys

import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.signals.ecg import recording
from lmu_spiking.tasks import heartbeats

pytest.importorskip("pywt.data")


def parts(task):
    return task.train, task.valid, task.test


@pytest.mark.parametrize("ahead", [1, 10, 100])
def test_blocks_follow_each_other_and_share_nothing(ahead):
    task, u = heartbeats(ahead), recording().astype(np.float32)
    start = 0
    for part, size in zip(parts(task), (614, 154, 256), strict=True):
        block = u[start : start + size]
        assert part.x.shape == part.y.shape == (1, size - ahead, 1)
        np.testing.assert_array_equal(part.x[0, :, 0], block[: size - ahead])
        np.testing.assert_array_equal(part.y[0, :, 0], block[ahead:])
        start += size
    assert start == len(u) == 1024


def test_windows_cut_the_parts():
    task, whole = heartbeats(10, window=50), heartbeats(10)
    assert [len(part) for part in parts(task)] == [12, 2, 4]
    assert task.steps == 50
    for part, block in zip(parts(task), parts(whole), strict=True):
        n = part.x.size
        np.testing.assert_array_equal(part.x.ravel(), block.x.ravel()[:n])
        np.testing.assert_array_equal(part.y.ravel(), block.y.ravel()[:n])


def test_says_what_it_is():
    task = heartbeats()
    assert (task.name, task.dt, task.classes, task.last) == (
        "ecg",
        1 / 360,
        None,
        False,
    )
    for words in ("PyWavelets", "1024 samples", "three beats", "614/154/256"):
        assert words in task.origin


def test_beats_are_where_it_says():
    beats = [
        np.sum(np.diff((part.x.ravel() > 0.5).astype(int)) == 1)
        for part in parts(heartbeats())
    ]
    assert beats == [2, 0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ahead": 154}, "heartbeats.ahead: 154 does not fit into 154 samples"),
        ({"ahead": 154}, "use at most 153"),
        ({"window": 145}, "heartbeats.window: 145 and 10 ahead do not fit into 154"),
        ({"window": 145}, "use at most 144"),
    ],
)
def test_windows_longer_than_a_part_are_refused(options, message):
    with pytest.raises(ValidationError) as error:
        heartbeats(**options)
    assert message in str(error.value)


def test_what_an_error_advises_works():
    assert heartbeats(153).valid.x.shape == (1, 1, 1)
    assert heartbeats(window=144).valid.x.shape == (1, 144, 1)


def test_missing_pywavelets_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pywt.data", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[data\]"):
        heartbeats()
