import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.tasks import Part, Sequences


def classes(n=4, steps=5, labels=(0, 1, 2, 1)):
    x = np.arange(n * steps, dtype=np.float64).reshape(n, steps, 1)
    return Part(x, np.resize(labels, n))


def values(n=4, steps=5, q=2, last=False):
    return Part(np.ones((n, steps, 3)), np.zeros((n, q) if last else (n, steps, q)))


def make(train, valid=None, test=None, **keywords):
    defaults = {"dt": 0.001, "classes": 3, "last": True, "origin": "made here"}
    parts = train, valid or train, test or train
    return Sequences("test", *parts, **(defaults | keywords))


def test_sizes_of_classes():
    task = make(classes())
    assert (task.size_in, task.size_out, task.steps) == (1, 3, 5)
    assert (len(task.train), task.dt, task.augment) == (4, 0.001, None)


@pytest.mark.parametrize("last", [False, True])
def test_sizes_of_values(last):
    task = make(values(last=last), classes=None, last=last)
    assert (task.size_in, task.size_out, task.steps) == (3, 2, 5)
    assert task.chance == 1.0


def test_chance_is_the_most_frequent_class_of_train_on_test():
    train, test = classes(labels=(2, 1, 2, 0)), classes(labels=(2, 0, 0, 0))
    assert make(train, test=test).chance == 0.25
    assert make(test, test=train).chance == 0.25
    assert make(test).chance == 0.75


def test_parts_are_read_only_float32_and_int64():
    part, x = classes(), np.ones((1, 2, 1), np.float32)
    assert (part.x.dtype, part.y.dtype) == (np.float32, np.int64)
    assert values().y.dtype == np.float32
    assert Part(x, [[1]]).y.dtype == np.float32  # (n, q): values
    assert np.shares_memory(Part(x, [0]).x, x)
    for array in (part.x, part.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    x[0] = 2  # the caller's own array stays as it was
    assert repr(make(part)).count("\n") < 3
    assert len(repr(make(part))) < 300


X = np.ones((2, 3, 1))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[0], [0, 1], "Part.x: (3, 1) must be (n, T, c)"),
        (X[:0], [], "Part.x: (0, 3, 1) must be (n, T, c)"),
        (X[:, :0], [0, 1], "Part.x: (2, 0, 1) must be (n, T, c)"),
        (X * np.nan, [0, 1], "Part.x: nan at (0, 0, 0) is not finite"),
        (X * 1e39, [0, 1], "Part.x: inf at (0, 0, 0) is not finite in float32"),
        (X * 1j, [0, 1], "Part.x: dtype('complex128') must be real numbers"),
        ([[[1.0]], [[1.0], [2.0]]], [0, 1], "Part.x: dtype('O') must be real"),
        (X, [0], "Part.y: (1,) must be (2,), (2, q) or (2, 3, q)"),
        (X, [0.0, 1.0], "Part.y: dtype('float64') must be whole numbers"),
        (X, ["a", "b"], "must be real numbers"),
        (X, [True, False], "must be real numbers"),
        (X, 1, "Part.y: () must be (2,)"),
        (X, np.ones((2, 4, 1)), "Part.y: (2, 4, 1) must be (2,)"),
        (X, np.ones((2, 0)), "Part.y: (2, 0) must be (2,)"),
        (X, [[0.0], [np.inf]], "Part.y: inf at (1, 0) is not finite"),
    ],
)
def test_parts_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(ValidationError) as error:
        Part(x, y)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"dt": 0}, "Sequences.dt: 0 must be a positive number"),
        ({"classes": 1}, "Sequences.classes: 1 must be a whole number of at least 2"),
        ({"classes": 2}, "Sequences.train.y: 2 is no class from 0 to 1"),
        ({"classes": None}, "Sequences.train.y: (4,) does not fit classes=None"),
        ({"last": False}, "Sequences.train.y: (4,) does not fit classes=3, last=False"),
        ({"augment": 1}, "Sequences.augment: 1 must be a function"),
        ({"valid": "none"}, "Sequences.valid: 'none' must be a Part"),
        ({"test": values()}, "Sequences.test.x: 3 channels differ from the 1 of train"),
        ({"test": classes(labels=(0, -1))}, "Sequences.test.y: -1 is no class"),
    ],
)
def test_tasks_that_do_not_fit_are_refused(keywords, message):
    with pytest.raises(ValidationError) as error:
        make(classes(), **keywords)
    assert message in str(error.value)


def test_values_that_do_not_fit():
    with pytest.raises(ValidationError, match=r"valid.y: 3 values differ from the 2"):
        make(values(), values(q=3), classes=None, last=False)
    with pytest.raises(ValidationError, match=r"test.y: \(4, 2\) does not fit"):
        make(values(), test=values(last=True), classes=None, last=False)


def test_parts_may_be_of_different_lengths():
    assert make(classes(), classes(2, 9), classes(1, 1)).steps == 5


def test_parts_of_other_lengths_are_not_merged():
    short, long = (Part(np.ones((2, n, 1)), np.ones((2, n, 1))) for n in (3, 5))
    task = Sequences("mine", long, short, long, 0.001, None, False, "here")
    with pytest.raises(ValidationError, match=r"^Sequences\.merged: 3 steps .* 5 of"):
        task.merged()
