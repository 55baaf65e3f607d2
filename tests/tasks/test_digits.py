import sys

import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError
from lmu_spiking.tasks import digits

datasets = pytest.importorskip("sklearn.datasets")


@pytest.fixture(scope="module")
def task():
    return digits()


def rows(*parts):
    return sorted(map(tuple, np.concatenate([part.x[:, :, 0] for part in parts])))


def test_says_what_it_is(task):
    assert (task.name, task.dt, task.steps) == ("digits", 1e-3, 64)
    assert (task.size_in, task.size_out, task.last) == (1, 10, True)
    assert [len(p) for p in (task.train, task.valid, task.test)] == [1293, 144, 360]
    for words in ("scikit-learn", "1,797 real", "1,293/144/360", "permutation seed 0"):
        assert words in task.origin
    assert 0.1 <= task.chance < 0.11


def test_the_parts_are_all_of_it_in_one_order_of_pixels(task):
    order = np.random.RandomState(0).permutation(64)
    found = datasets.load_digits()
    whole = (found.data[:, order] / 16).astype(np.float32)
    assert rows(task.train, task.valid, task.test) == sorted(map(tuple, whole))
    labels = dict(zip(map(tuple, whole), found.target, strict=True))
    assert len(labels) == 1797  # no image twice, so that none is in two parts
    for part in (task.train, task.valid, task.test):
        assert [labels[tuple(x)] for x in part.x[:, :, 0]] == part.y.tolist()


def test_each_class_is_in_its_share(task):
    whole = np.bincount(datasets.load_digits().target) / 1797
    for part, slack in ((task.test, 1), (task.valid, 2), (task.train, 2)):
        counts = np.bincount(part.y, minlength=10)
        assert np.all(np.abs(counts - whole * len(part)) <= slack)


def test_seeds_draw_one_thing_each(task):
    other, permuted = digits(seed=1), digits(permutation_seed=1)
    assert rows(task.test) != rows(other.test)
    np.testing.assert_array_equal(task.test.y, permuted.test.y)
    back = np.argsort(np.random.RandomState(1).permutation(64))
    plain = digits(order="rows")
    np.testing.assert_array_equal(permuted.test.x[:, back], plain.test.x)
    assert "by rows" in plain.origin
    np.testing.assert_array_equal(task.test.x, digits().test.x)


def test_training_shifts_by_a_pixel_if_asked(task):
    assert task.augment is None
    task = digits(shifts=1)
    shifted = task.augment(np.random.default_rng(0), task.train.x)
    assert (shifted.shape, task.augment.shifts) == (task.train.x.shape, 1)
    assert np.all(shifted.sum(axis=1) <= task.train.x.sum(axis=1) + 1e-4)
    same = np.all(shifted == task.train.x, axis=(1, 2)).mean()
    assert abs(same - 1 / 9) < 0.04  # 4.6 standard errors


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingPackageError, match=r"scikit-learn .*\[data\]"):
        digits()


def test_merged_trains_on_all_but_the_test_part(task):
    merged = task.merged()
    assert len(merged.train) == len(task.train) + len(task.valid)
    np.testing.assert_array_equal(merged.train.x[-len(task.valid) :], task.valid.x)
    assert merged.test is task.test
    assert merged.valid is task.valid
    assert "validation part in training" in merged.origin


def test_sequences_that_are_trained_on_are_counted(task):
    assert task.trained_on("valid") == task.trained_on("test") == 0
    assert task.merged().trained_on("valid") == len(task.valid)
    assert task.merged().trained_on("test") == 0
