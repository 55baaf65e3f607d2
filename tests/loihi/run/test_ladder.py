import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.run import ladder as module
from lmu_spiking.loihi.run.ladder import MEASURES, Ladder, ladder
from lmu_spiking.memory.spec import MemorySpec

SMALL = MemorySpec(n_neurons=48, order=2, theta=0.1, tau=0.05)
RUNGS = ("core", "simreal", "emulator", "board")


@pytest.fixture(scope="module")
def core():
    return ladder(SMALL, targets=["core"], seeds=(0, 1), duration=0.5)


def made_up(targets, seeds=3):
    """Rows with numbers that no run gave."""
    rng = np.random.default_rng(0)
    terms = [f"{p}{m}" for p in ("", "predicted_") for m in MEASURES]
    rows = tuple(
        {"target": target, "seed": seed}
        | {f"{name}_error": rng.random() for name in terms}
        | {f"{name}_truncation": 0.01 for name in terms}
        for seed in range(seeds)
        for target in targets
    )
    wanted = module._targets(targets)
    return Ladder(rows, wanted, tuple(range(seeds)), last=None)


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (RUNGS, ["truncation", "spikes", "structure", "quantisation", "board"]),
        (RUNGS[:1], ["truncation", "spikes"]),
        (RUNGS[2:3], ["truncation", "spikes + structure + quantisation"]),
        (RUNGS[:3:2], ["truncation", "spikes", "structure + quantisation"]),
    ],
)
def test_steps_add_up(targets, names):
    found = made_up(targets)
    steps, total = found.steps(), found.total()
    assert [step["step"] for step in steps] == names
    for key in (f"{p}{m}" for p in ("", "predicted_") for m in MEASURES):
        assert sum(step[key] for step in steps) == pytest.approx(total[key], abs=1e-14)
        last = [row for row in found.rows if row["target"] == targets[-1]]
        assert total[key] == pytest.approx(
            np.mean([row[f"{key}_error"] for row in last])
        )


def test_steps_may_be_negative():
    found = made_up(RUNGS[:3], seeds=20)
    for row in found.rows:
        row["window_error"] = {"core": 0.3, "simreal": 0.2, "emulator": 0.4}[
            row["target"]
        ]
    steps = {step["step"]: step["window"] for step in found.steps()}
    assert steps["structure"] == pytest.approx(-0.1)
    assert steps["quantisation"] == pytest.approx(0.2)


def test_intervals_are_students():
    stats = pytest.importorskip("scipy.stats")
    found = made_up(RUNGS[:2], seeds=5)
    (_, _, step), rows = found.steps(), found.rows
    e = np.array(
        [
            b["delay_error"] - a["delay_error"]
            for a, b in zip(rows[::2], rows[1::2], strict=True)
        ]
    )
    low, high = stats.t.interval(0.95, 4, e.mean(), stats.sem(e))
    assert (step["delay_low"], step["delay_high"]) == pytest.approx((low, high))
    alone = made_up(RUNGS[:2], seeds=1).steps()[-1]
    assert alone["delay_low"] is alone["delay_high"] is None


def test_mean_squares_are_those_of_the_deployment(core):
    assert [row["seed"] for row in core.rows] == [0, 1]
    for row in core.rows:
        assert row["delay_error"] == pytest.approx(row["nrmse"] ** 2)
        assert row["window_error"] == pytest.approx(row["window_nrmse"] ** 2)
        for measure in MEASURES:
            terms = ("truncation", "noise", "quantisation")
            parts = [row[f"predicted_{measure}_{term}"] for term in terms]
            assert parts[-1] == 0
            assert sum(parts) == pytest.approx(row[f"predicted_{measure}_error"])
        # over the power of the signal from one sample later on than `predict`
        key = "predicted_nrmse"
        assert row["predicted_delay_error"] == pytest.approx(row[key] ** 2, rel=0.03)
    first, spikes = core.steps()
    assert first["delay_low"] == pytest.approx(first["delay"])  # of no seed
    assert first["delay"] < 0.01 * spikes["delay"]
    assert str(core.last.target) == "core"


def test_progress_is_of_all_runs():
    seen = []
    ladder(
        SMALL,
        targets=["core"],
        seeds=(0, 1),
        duration=0.5,
        progress=lambda done, steps: seen.append((done, steps)),
    )
    done = [k for k, _ in seen]
    assert done == sorted(done)
    assert {n for _, n in seen} == {done[-1]} == {2 * 700}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"targets": []}, "must be one target or more"),
        ({"targets": ["core", "core"]}, "each once"),
        ({"targets": ["chip"]}, "is not a target"),
        ({"seeds": ()}, "must be different seeds"),
        ({"seeds": (1, 1)}, "must be different seeds"),
        ({"seeds": (-1,)}, "must be a whole number"),
    ],
)
def test_refusals(options, says):
    with pytest.raises(ValidationError, match=says):
        ladder(SMALL, **{"targets": ["core"]} | options)


def test_a_layout_is_of_one_rung():
    kind = chip_neurons("if")
    made = lay_out(SMALL.ldn, 48, kind, target="core", tau=0.05, dt=0.001)
    with pytest.raises(ValidationError, match="laid out for core alone; give the Mem"):
        ladder(made, targets=["core"])


def test_missing_package_is_told_before_anything_runs(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(module, "deploy", lambda *_, **__: pytest.fail("ran"))
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[loihi\]"):
        ladder(SMALL)


def test_every_rung_runs_on_the_same_signal():
    pytest.importorskip("nengo_loihi")
    found = ladder(SMALL, duration=0.5)
    assert [row["target"] for row in found.rows] == list(RUNGS[:3])
    steps, total = found.steps(), found.total()
    for measure in MEASURES:
        parts = sum(step[measure] for step in steps)
        assert parts == pytest.approx(found.rows[-1][f"{measure}_error"], rel=1e-12)
        assert len({row[f"{measure}_truncation"] for row in found.rows}) == 1
    assert total["delay"] == found.rows[-1]["delay_error"]
    assert found.rows[-1]["predicted_delay_quantisation"] > 0
    assert found.rows[1]["predicted_delay_quantisation"] == 0
    assert str(found.last.target) == "emulator" and found.last.energy is not None
