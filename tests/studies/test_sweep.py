import itertools
import json
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from lmu_spiking.errors import StudyWarning, ValidationError, ValidityWarning
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.studies import records
from lmu_spiking.studies import sweep as module
from lmu_spiking.studies.sweep import FailedTrials, Trial, collect, grid, sweep

BASE = MemorySpec(theta=0.1, dt=0.002)


def small(trials=3, orders=(1, 2), per_dimension=(20,), **options):
    return grid(orders, per_dimension, ["poisson"], trials, BASE, 1.0, **options)


def measured(frame):
    """What does not depend on the clock."""
    return frame.drop(columns=["seconds_build", "seconds_run"])


@pytest.fixture
def counted(monkeypatch):
    """Trials as they are run, in this process."""
    ran = []

    def run_trials(specs, signals, target):
        ran.extend(specs)
        return real(specs, signals, target=target)

    real = module.run_trials
    monkeypatch.setattr(module, "run_trials", run_trials)
    return ran


def test_grid_has_every_combination():
    kinds, rates = ["poisson", "rate"], [9, 8]
    trials = grid([1, 2], [20, 40], kinds, 3, BASE, 1.0, taus=[0.1], max_rates=rates)
    cells = {(t.spec.order, t.spec.n_neurons, t.spec.max_rate) for t in trials}
    assert len(trials) == 2 * 2 * 2 * 3 * 2
    assert cells == {(d, d * n, r) for d in (1, 2) for n in (20, 40) for r in (9, 8)}
    assert {t.spec.tau for t in trials} == {0.1}


def test_every_trial_has_seeds_of_its_own():
    trials = small(20, per_dimension=(20, 40, 80))
    seeds = [s for t in trials for s in (t.spec.noise_seed, t.signal_seed)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_larger_grid_contains_the_smaller():
    less = {t.digest for t in small(2, orders=(2,))}
    assert less < {t.digest for t in small(5, orders=(1, 2, 3))}


def test_first_seed_changes_all():
    assert not {t.digest for t in small()} & {t.digest for t in small(first_seed=1)}


def test_digest_is_of_values_not_of_types():
    a = Trial(BASE.replace(tau=1, order=np.int64(2)), 3, 2)
    b = Trial(BASE.replace(tau=1.0, order=2), 3, 2.0)
    assert a.digest == b.digest
    assert a.digest != Trial(b.spec, 4, 2.0).digest


def test_only_poisson_pairs_are_aggregated():
    trials = grid([1], [20], ["poisson", "rate"], 1, BASE, 1.0, aggregated=True)
    assert [t.spec.aggregated for t in trials] == [True, False]


def test_frame_and_files(tmp_path):
    trials = small()
    seen = []
    frame = sweep(trials, tmp_path, on_done=seen.append)
    assert list(frame.digest) == [t.digest for t in trials]
    assert list(frame.signal_seed) == [t.signal_seed for t in trials]
    assert {row["digest"] for row in seen} == set(frame.digest)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "trials.parquet"), frame)
    files = sorted(path.name for path in (tmp_path / "trials").iterdir())
    assert files == sorted(f"{digest}.json" for digest in frame.digest)


def test_file_is_enough_to_run_its_trial_again(tmp_path):
    sweep(small(1, orders=(2,)), tmp_path)
    (path,) = (tmp_path / "trials").iterdir()
    kept = json.loads(path.read_text())
    trial = kept["trial"]
    spec = MemorySpec.from_dict(trial["spec"])
    again = Trial(spec, trial["signal_seed"], trial["duration"])
    assert again.digest == path.stem
    row = module.run_trials([again.spec], [again.signal])[0].row
    assert row["state_rmse"] == kept["row"]["state_rmse"]


def test_parallel_gives_the_same(tmp_path):
    alone = sweep(small(), tmp_path / "a")
    together = sweep(small(), tmp_path / "b", n_jobs=2)
    pd.testing.assert_frame_equal(measured(alone), measured(together))


def test_finished_trials_are_not_run_again(tmp_path, counted):
    first = sweep(small(2), tmp_path)
    assert len(counted) == 4
    seen = []
    again = sweep(small(3), tmp_path, on_done=seen.append)
    assert len(counted) == 6
    assert len(seen) == 6
    kept = again[again.digest.isin(first.digest)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first)
    sweep(small(3), tmp_path, resume=False)
    assert len(counted) == 12


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": "0"}', "\0\0", "null"])
def test_corrupt_file_is_named_and_run_again(tmp_path, counted, text):
    first = sweep(small(1), tmp_path)
    path = tmp_path / "trials" / f"{first.digest[0]}.json"
    path.write_text(text)
    with pytest.warns(StudyWarning, match=re.escape(str(path))):
        again = sweep(small(1), tmp_path)
    assert len(counted) == 3
    pd.testing.assert_frame_equal(measured(again), measured(first))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep(small(1), tmp_path)


def test_file_of_another_trial_is_not_taken_for_it(tmp_path, counted):
    first = sweep(small(1), tmp_path)
    one, other = (tmp_path / "trials" / f"{name}.json" for name in first.digest)
    one.write_text(other.read_text())
    with pytest.warns(StudyWarning, match="another trial"):
        sweep(small(1), tmp_path)
    assert len(counted) == 3


def test_trials_of_another_version_are_run_again(tmp_path, counted, monkeypatch):
    sweep(small(1), tmp_path)
    monkeypatch.setattr(module, "versions", lambda: {"lmu_spiking": "9.9"})
    sweep(small(1), tmp_path)
    assert len(counted) == 4


def test_collect_finds_all_that_is_finished(tmp_path):
    one = sweep(small(1, orders=(1,)), tmp_path)
    two = sweep(small(1, orders=(2,)), tmp_path)
    everything = collect(tmp_path)
    assert set(everything.digest) == {*one.digest, *two.digest}
    (tmp_path / "trials" / f"{one.digest[0]}.json").write_text("{")
    with pytest.warns(StudyWarning, match=one.digest[0]):
        assert list(collect(tmp_path).digest) == list(two.digest)
    assert collect(tmp_path / "nothing").empty


@pytest.mark.parametrize(
    "accident", [KeyboardInterrupt(), OSError(28, "No space left on device")]
)
def test_accident_loses_no_finished_trial(tmp_path, monkeypatch, accident):
    real, written = records.write_atomically, []

    def write(path, data):
        if len(written) == 2:
            raise accident
        written.append(path)
        real(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(records, "write_atomically", write)
        with pytest.raises(type(accident)):
            sweep(small(), tmp_path)
    assert set(collect(tmp_path).digest) == {path.stem for path in written}
    assert len(sweep(small(), tmp_path)) == 6


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_trial_that_cannot_be_run_names_itself(tmp_path, n_jobs):
    trials = grid([2], [20], ["poisson", "lif"], 1, BASE, 1.0, max_rates=[600.0])
    told = "40 lif neurons, order 2: max_rate.*; 1 of 2 trials failed"
    with pytest.raises(FailedTrials, match=told) as failed:
        sweep(trials, tmp_path, n_jobs=n_jobs)
    assert list(failed.value.failures) == [trials[1].digest]
    assert list(failed.value.frame.digest) == [trials[0].digest]
    assert list(collect(tmp_path).digest) == [trials[0].digest]
    assert pickle.loads(pickle.dumps(failed.value)).failures == failed.value.failures


def test_want_of_memory_costs_no_other_trial(tmp_path, monkeypatch):
    def run_trials(specs, signals, target):
        if specs[0].order == 2:
            raise MemoryError
        return real(specs, signals, target=target)

    real = module.run_trials
    monkeypatch.setattr(module, "run_trials", run_trials)
    with pytest.raises(FailedTrials, match="order 2: not enough memory; 3 of 6"):
        sweep(small(), tmp_path)
    assert len(collect(tmp_path)) == 3


def test_all_neurons_have_predictions(tmp_path):
    frame = sweep(grid([2], [20], ["lif"], 1, BASE, 1.0), tmp_path)
    assert frame.predicted_state_rmse.item() > 0


@pytest.mark.parametrize(
    "change",
    [
        {"row": 3},
        {"row": {}},
        {"trial": []},
        {"row.state_rmse": "large"},
        {"row.order": [1]},
        {"row.order": 10**400},
        {"row.tau": -1.0},
        {"row.neurons": True},
        {"row.spikes_per_s": {"a": 1}},
        {"row.neuron_type": 3},
        {"row.predicted_state_rmse": "none"},
        {"row.versions": 3},
        {"row.seed": "one"},
        {"row.aggregated": "no"},
    ],
)
def test_a_trial_of_a_wrong_type_is_left_out(tmp_path, change):
    """One file fails nothing: it is told, the others are collected, it is run again."""
    frame = sweep(small(2, orders=(1,)), tmp_path)
    path = tmp_path / "trials" / f"{frame.digest[0]}.json"
    record = json.loads(path.read_text())
    ((key, value),) = change.items()
    *outer, last = key.split(".")
    (record[outer[0]] if outer else record)[last] = value
    path.write_text(json.dumps(record))
    with pytest.warns(StudyWarning, match=f"{frame.digest[0]}.json is corrupt"):
        found = collect(tmp_path)
    assert list(found.digest) == [frame.digest[1]]
    with pytest.warns(StudyWarning, match="corrupt"):
        again = sweep(small(2, orders=(1,)), tmp_path)
    assert list(again.state_rmse) == list(frame.state_rmse)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "1" * 5000, "\xff", '{"trial": 1e400}'],
    ids=lambda text: repr(text)[:12],
)
def test_a_trial_that_no_parser_takes_is_left_out(tmp_path, text):
    frame = sweep(small(2, orders=(1,)), tmp_path)
    (tmp_path / "trials" / "zzz.json").write_bytes(text.encode("latin-1"))
    with pytest.warns(StudyWarning, match="zzz.json is corrupt and left out"):
        assert list(collect(tmp_path).digest) == sorted(frame.digest)


@pytest.mark.parametrize(
    ("orders", "types", "trials"),
    [
        ([1, 2], ["poisson"], 10**9),
        ([1, 2], ["poisson"], 600_000),
        (range(1, 10**9), ["poisson"], 1),
        (itertools.count(1), ["poisson"], 1),
        ([1], itertools.repeat("poisson"), 2),
    ],
)
def test_more_trials_than_anybody_can_run_are_refused_at_once(orders, types, trials):
    with pytest.raises(
        ValidationError, match=r"grid\.trials.*at most 1,000,000 in all"
    ):
        grid(orders, [20], types, trials, MemorySpec(), 1.0)


def test_what_trials_warn_of_is_told_once(tmp_path):
    base = MemorySpec(theta=0.1, signal=SignalSpec(2.0, 2.0))
    trials = grid((2,), (20,), ("lif",), 3, base, 1.0)
    with pytest.warns(ValidityWarning, match="3 of 3 trials: the signal ") as told:
        frame = sweep(trials, tmp_path)
    assert len(told) == 1
    assert (frame.beyond_radii > 0.02).all()
    with pytest.warns(ValidityWarning, match="3 of 3"):  # also from their files
        sweep(trials, tmp_path)
