import pickle

import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.tasks import TASKS, Sequences, load_task

SMALL = {
    "mackey-glass": {"n_series": 4, "steps": 30},
    "capacity": {"length": 20, "draws": 4},
    "recall": {"steps": 20, "n": 4},
}


@pytest.mark.parametrize("name", SMALL)
def test_by_name_with_options(name):
    task = load_task(name, **SMALL[name])
    assert isinstance(task, Sequences)
    assert task.name == name
    assert len(task.origin) > 20
    assert "\n" not in task.origin


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_is_all_that_is_drawn(name):
    first, again = (load_task(name, **SMALL[name], seed=3) for _ in range(2))
    other = load_task(name, **SMALL[name], seed=4)
    for part in ("train", "valid", "test"):
        x, y = getattr(first, part).x, getattr(first, part).y
        np.testing.assert_array_equal(x, getattr(again, part).x)
        np.testing.assert_array_equal(y, getattr(again, part).y)
        assert not np.array_equal(x, getattr(other, part).x)


@pytest.mark.parametrize("name", SMALL)
def test_survives_a_worker(name):
    task = load_task(name, **SMALL[name])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(task)).test.x, task.test.x)


@pytest.mark.parametrize("name", ["mnist", "", None, ["digits"]])
def test_unknown_names_are_told_the_known(name):
    with pytest.raises(ValidationError) as error:
        load_task(name)
    assert str(error.value).endswith(f"use one of {', '.join(TASKS)}")


def test_unknown_options_are_told_the_known():
    with pytest.raises(ValidationError) as error:
        load_task("ecg", steps=3)
    message = "load_task.options: 'steps' is no option of ecg; use one of ahead, window"
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mackey-glass", {"seed": -1}, "mackey_glass.seed: -1 must be"),
        ("mackey-glass", {"n_series": 3}, "mackey_glass.n_series: 3 must be"),
        ("mackey-glass", {"ahead": 0}, "mackey_glass.ahead: 0 must be"),
        ("mackey-glass", {"steps": 15}, "mackey_glass.steps: 15 must be"),
        ("mackey-glass", {"steps": 10**12}, "mackey_glass.steps: 1000000000000 needs"),
        ("mackey-glass", {"tau": 10**12}, "mackey_glass.steps: 5000 needs about"),
        ("capacity", {"length": 10**12}, "capacity.length: 1000000000000 needs about"),
        ("recall", {"steps": 10**12}, "recall.steps: 1000000000000 needs about"),
        ("recall", {"n": 10**12}, "recall.steps: 100000 needs about"),
        ("mackey-glass", {"tau": 1.5}, "mackey_glass.tau: 1.5 must be"),
        ("capacity", {"length": 19}, "capacity.length: 19 must be"),
        ("capacity", {"draws": 3}, "capacity.draws: 3 must be"),
        ("capacity", {"seed": None}, "capacity.seed: None must be"),
        ("recall", {"steps": 2.0}, "recall.steps: 2.0 must be"),
        ("recall", {"n": True}, "recall.n: True must be"),
        ("digits", {"seed": 2**31}, "digits.seed: 2147483648 must be"),
        ("digits", {"permutation_seed": -1}, "digits.permutation_seed: -1 must be"),
        ("digits", {"order": "cols"}, "digits.order: 'cols' must be \"permuted\" or"),
        ("psmnist", {"split": "a"}, "psmnist.split: 'a' must be"),
        ("psmnist", {"order": 1}, 'psmnist.order: 1 must be "permuted" or "rows"'),
        ("psmnist", {"data": 7}, "psmnist.data: 7 must be a path"),
        ("ecg", {"ahead": 0}, "heartbeats.ahead: 0 must be"),
        ("ecg", {"window": 0}, "heartbeats.window: 0 must be"),
    ],
)
def test_options_out_of_range(name, options, message):
    with pytest.raises(ValidationError) as error:
        load_task(name, **options)
    assert message in str(error.value)
