import json

import numpy as np
import pandas as pd
import pytest

from lmu_spiking.experiments.published.result import (
    Comparison,
    Reproduction,
    bootstrapped,
)
from lmu_spiking.experiments.records import in_parallel
from lmu_spiking.studies.records import to_json


def test_bootstrap_agrees_with_the_normal_interval():
    values = np.random.RandomState(0).randn(400)
    mean, low, high = bootstrapped(values, 0)
    half = 1.96 * values.std() / 20
    assert mean == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
    assert bootstrapped(values, 0) == (mean, low, high)


def test_parallel_results_keep_their_order():
    seen = []
    found = in_parallel(divmod, [(k, 3) for k in range(7)], 1, seen.append)
    assert found == seen == [divmod(k, 3) for k in range(7)]


def test_record_is_plain_json():
    found = Reproduction(
        "name",
        "title",
        (Comparison("a", (1.0, 2.0), 1.5, 1.4, 1.6), Comparison("b", say="not run")),
        ("fault",),
        ("note",),
        {"table": pd.DataFrame({"x": [1.0, np.nan]})},
        {},
        0,
        True,
    )
    record = json.loads(to_json(found.to_dict()))
    assert record["comparisons"][0]["published"] == [1.0, 2.0]
    assert record["comparisons"][1]["ours"] is None
    assert record["data"]["table"] == [{"x": 1.0}, {"x": None}]
    assert record["fast"] is True
