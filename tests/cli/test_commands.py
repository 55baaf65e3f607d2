import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

import lmu_spiking
from lmu_spiking.cli import checks
from lmu_spiking.cli.run import _advice
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.studies.records import to_json

KEYS = {
    *("nrmse", "noise_nrmse", "window_noise_nrmse", "predicted_noise_nrmse"),
    *("state_rmse", "predicted_state_rmse", "spikes", "spikes_per_s", "mean_rate"),
    *("neurons", "order", "theta", "tau", "dt", "neuron_type", "target", "seed"),
    *("seconds_build", "seconds_run", "versions"),
}
CLOCK = {"seconds_build", "seconds_run"}
TINY = ["--order=3", "--neurons=60", "--duration=1"]
STUDY = [
    *("study", "--orders=1,2", "--neurons-per-dimension=20,40", "--trials=2"),
    *("--duration=1", "--theta=0.2", "--jobs=1"),
]


PLAN = ("plan", "--error=0.15", "--theta=0.1", "--bandwidth=5")


def undraw(monkeypatch):
    """Keep figures from being rendered."""
    for place in ("plots", "plots.style"):
        monkeypatch.setattr(f"lmu_spiking.{place}.png", lambda figure: b"\x89PNG")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Everything happens in an empty folder, and pictures are not drawn."""
    monkeypatch.chdir(tmp_path)
    undraw(monkeypatch)
    monkeypatch.delenv("LMU_SPIKING_TRACEBACK", raising=False)


@pytest.fixture
def record(shell):
    """The JSON of a command that must succeed: one line and nothing else."""

    def run(*arguments):
        code, out, _ = shell(*arguments, "--json")
        assert code == 0
        assert out.endswith("}\n")
        assert out.count("\n") == 1
        return json.loads(out)

    return run


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Run a command once for several tests, and return its folder and its JSON."""
    from lmu_spiking.cli.shell import status

    done = {}

    def run(*arguments):
        if arguments not in done:
            folder, out = tmp_path_factory.mktemp("once"), io.StringIO()
            with contextlib.chdir(folder), contextlib.redirect_stdout(out):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(sys, "argv", ["python", *arguments])
                    undraw(patch)
                    assert status([*arguments, "--json"]) == 0
            done[arguments] = folder, json.loads(out.getvalue())
        return done[arguments]

    return run


@pytest.fixture
def finished(once, tmp_path):
    """A copy of the files of a finished study in the current folder, and its JSON."""
    folder, found = once(*STUDY)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return found


@pytest.fixture
def planned(once, tmp_path):
    """A copy of the spec of a plan in the current folder, and the plan's JSON."""
    folder, found = once(*PLAN, "--seed=4", "--out=plan")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return found


def process(*arguments, cwd):
    """Start ``python -m lmu_spiking`` as a user would."""
    root = str(Path(lmu_spiking.__file__).parents[1])
    paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "lmu_spiking", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def timeless(row):
    return {key: value for key, value in row.items() if key not in CLOCK}


# -- run ---------------------------------------------------------------------------


def test_run_prints_and_keeps_the_contract(record, tmp_path):
    row = record("run", *TINY)
    assert KEYS <= row.keys()
    assert row["neurons"] == 60
    assert row["target"] == "compiled"
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == row
    names = {path.name for path in (tmp_path / "out").glob("[!.]*")}
    drawn = {"run.png", "run.pdf", "run.csv", "decoded.npz"}
    assert names == drawn | {"result.json", "spec.toml"}
    assert (tmp_path / "out" / "run.png").read_bytes().startswith(b"\x89PNG")


def test_run_prints_a_table(shell, tmp_path):
    code, out, error = shell("run", *TINY, "--out", tmp_path / "a" / "b")
    assert (code, error) == (0, "")
    row = json.loads((tmp_path / "a" / "b" / "result.json").read_text())
    assert f"{row['noise_nrmse']:.4f}" in out
    assert f"{row['predicted_noise_nrmse']:.4f}" in out
    for key in ("predicted_nrmse", "predicted_noise_nrmse"):
        low, high = row[f"{key}_low"], row[f"{key}_high"]
        assert low < row[key] < high
        assert f"{low:.4f}-{high:.4f}" in out
    assert f"{row['spikes']:,}" in out
    assert max(len(line) for line in out.splitlines() if "run.png" not in line) <= 80
    assert str(tmp_path / "a" / "b" / "run.png") in out


def test_run_compares_with_a_tenth_of_the_neurons(record, shell, tmp_path):
    """A comparison adds the run of its spec, and all else is as without it."""
    asked = ["--neurons=600", *TINY[:1], TINY[2]]
    row = record("run", *asked, "--compare")
    beside, staggered = row.pop("with_error_feedback"), row.pop("staggered")
    assert row["caption"].startswith("A spiking memory of the last 0.5 s of white: ")
    assert timeless(row) == timeless(record("run", *asked, "--out=alone"))
    assert (beside["neurons"], beside["tuning"]) == (60, "balanced")
    assert beside["feedback_rate"] > 0
    kind = (staggered["neuron_type"], staggered["initial_phases"])
    assert kind == ("if", "staggered") and staggered["neurons"] == 60
    assert staggered["noise_nrmse"] < staggered["bound_noise_nrmse"]
    again = record("run", "--spec=out/with_error_feedback.toml", *TINY[2:], "--out=b")
    assert again.pop("caption")
    assert timeless(again) == timeless(beside)
    code, out, _ = shell("run", *asked, "--compare")
    assert code == 0 and f"{beside['nrmse']:.4f}" in out and "0.10 of the neuron" in out
    # a run without it leaves no spec of an earlier one behind
    record("run", *asked)
    left = {path.name for path in (tmp_path / "out").glob("*.toml")}
    assert left == {"spec.toml"}


@pytest.mark.parametrize("more", ["--neuron-type=lif", "--error-feedback=auto"])
def test_run_compares_noisy_neurons_without_feedback_alone(shell, more):
    code, out, error = shell("run", *TINY, "--compare", more)
    assert (code, out) == (2, "")
    assert "--compare" in error and "leave it out" in error


def test_every_option_enters_the_spec(record, tmp_path):
    record(
        *("run", "--order=2", "--theta=0.2", "--neurons=40", "--tau=0.05"),
        *("--neuron-type=stochastic", "--tuning=drawn", "--max-rate=100", "--seed=7"),
        *("--bandwidth=3", "--rms=0.25", "--dt=0.002", "--duration=1", "--out=here"),
    )
    assert MemorySpec.from_toml(tmp_path / "here" / "spec.toml") == MemorySpec(
        order=2,
        theta=0.2,
        n_neurons=40,
        tau=0.05,
        dt=0.002,
        neuron_type="stochastic",
        tuning="drawn",
        max_rate=100.0,
        noise_seed=7,
        signal=SignalSpec(3.0, 0.25),
    )


def test_spec_gives_everything_again(record):
    options = ["--order=2", "--neurons=40", "--theta=0.2", "--seed=3", "--rms=0.7"]
    first = record("run", *options, "--bandwidth=3", "--duration=1", "--out=a")
    again = record("run", "--spec=a/spec.toml", "--duration=1", "--out=b")
    assert timeless(again) == timeless(first)
    assert Path("a/spec.toml").read_text() == Path("b/spec.toml").read_text()


def test_the_reference_simulator_is_also_called_nengo(record):
    row = record("run", *TINY, "--target=nengo", "--neuron-type=rate")
    assert row["target"] == "core"
    found = record(*STUDY, "--trials=1", "--orders=1", "--target=nengo")
    trial = next(Path("out/study/trials").iterdir())
    assert json.loads(trial.read_text())["trial"]["target"] == "core"
    assert found["trials"] == 2


def test_options_override_a_spec(record):
    MemorySpec(n_neurons=60, order=3, tau=0.2, noise_seed=5).to_toml("s.toml")
    row = record("run", "--spec=s.toml", "--order=2", "--duration=1")
    assert (row["order"], row["neurons"], row["tau"], row["seed"]) == (2, 60, 0.2, 5)


def test_seed_draws_spikes_and_signal(record):
    rows = [record("run", *TINY, f"--seed={seed}") for seed in (0, 0, 1)]
    assert timeless(rows[0]) == timeless(rows[1])
    assert rows[2]["spikes"] != rows[0]["spikes"]
    assert rows[2]["predicted_state_rmse"] != rows[0]["predicted_state_rmse"]


def test_another_process_and_folder_give_the_same(record, tmp_path):
    here = record("run", *TINY, "--seed=4")
    other = tmp_path / "other"
    other.mkdir()
    child = process("run", *TINY, "--seed=4", "--json", cwd=other)
    out, error = child.communicate()
    lines = [line for line in error.splitlines() if not line.endswith(" s)")]
    assert (child.returncode, lines) == (0, [])
    assert timeless(json.loads(out)) == timeless(here)
    spec = (other / "out" / "spec.toml").read_text()
    assert spec == Path("out/spec.toml").read_text()
    assert len((other / "out" / "run.png").read_bytes()) > 50_000


ECG = ("run", "--input=ecg", "--neurons=4000", "--duration=3")


def test_electrocardiogram_has_a_memory_of_its_own(record, once):
    pytest.importorskip("pywt")
    row = once(*ECG)[1]
    assert row["input"] == "ecg"
    assert row["theta"] == 0.1
    assert row["predicted_nrmse"] < 0.9  # at the general defaults it is above
    more = ["--order=4", "--theta=0.05", "--neurons=400", "--duration=1", "--out=b"]
    shorter = record("run", "--input=ecg", *more)
    assert (shorter["order"], shorter["theta"]) == (4, 0.05)
    radii = MemorySpec.from_toml("b/spec.toml").radii
    assert len(radii) == 4
    assert max(radii) < 1


def test_file_is_resampled_and_repeated(record):
    t = np.arange(0, 1.2, 0.002)
    u = np.sin(2 * np.pi * t)
    np.savetxt("waves.csv", np.c_[t, u, 2 * u], delimiter=",", header="t,one,two")
    options = ["run", "--input=waves.csv", "--column=two", "--order=2", "--neurons=40"]
    whole = record(*options)
    assert whole["input"] == "waves"
    assert whole["duration"] == pytest.approx(1.2)
    assert record(*options, "--duration=3")["duration"] == pytest.approx(3)
    slow = record(*options, "--rate=250")
    assert slow["duration"] == pytest.approx(2.4)


@pytest.mark.parametrize("dt", [0.001, 0.0005])
def test_a_file_without_a_rate_is_told(shell, dt):
    np.savetxt("mine.csv", np.sin(np.arange(2000) / 50))
    line = ["run", "--input=mine.csv", "--order=2", "--neurons=40", f"--dt={dt}"]
    code, _, error = shell(*line)
    said = f"taken as one sample each {1000 * dt:g} ms; use --rate HZ"
    assert code == 0
    assert error.splitlines()[0] == f"lmu-spiking: mine.csv says no rate: {said}"
    code, _, error = shell(*line, "--rate=1000")
    assert code == 0
    assert "says no rate" not in error
    assert "mine: 2 s, 99 % of the power below" in error


def test_two_million_neurons_are_aggregated_and_told(shell):
    code, out, error = shell("run", "--neurons=2000000", "--duration=1", "--json")
    row = json.loads(out)
    assert code == 0
    assert row["aggregated"] is True
    assert row["neurons"] == 2_000_000
    assert error.startswith("lmu-spiking: 2,000,000 neurons are simulated as sums")
    assert error.count("\n") == 1


def test_a_plan_is_run_from_its_file(record, planned):
    """The run of 200 windows keeps the error, and not by much."""
    row = record("run", "--spec=plan/spec.toml", "--duration=20")
    for key in ("neurons", "order", "tau", "max_rate"):
        assert row[key] == planned[key]
    assert row["seed"] == planned["seed"] == 4
    assert 0.15 / 1.3 < row["nrmse"] < 0.15
    assert sum(planned["neurons_per_coordinate"]) == planned["neurons"]
    assert planned["predicted_spikes_per_s"] == planned["predicted_synops_per_s"]


@pytest.mark.usefixtures("planned")
def test_a_run_says_whether_the_error_asked_for_is_kept(shell, record):
    line = ["run", "--spec=plan/spec.toml", "--duration=2"]
    row = record(*line)
    assert row["asked_nrmse"] == 0.15
    said = f"NRMSE at theta, asked for 0.15: met ({row['nrmse']:.4f})\n"
    assert said in shell(*line)[1]
    assert said in shell("run", "--spec=out/spec.toml", "--duration=2")[1]
    assert "asked for 0.15: not met (" in shell(*line, "--neurons=20")[1]
    assert "asked_nrmse" not in record(*line, "--bandwidth=6")  # another question
    assert "asked_nrmse" not in record("run", *TINY)


def test_a_plan_prints_a_table_that_fits(shell, record):
    code, out, error = shell(*PLAN)
    assert (code, error) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    seconds = record(*PLAN)["check_duration"]
    assert seconds > 0
    assert f"run --spec out/plan/spec.toml --duration {seconds:g}" in out


def test_electrocardiogram_can_have_the_least_noise(record, once):
    pytest.importorskip("pywt")
    plain, best = once(*ECG)[1], record(*ECG, "--tuning=optimal")
    assert best["tuning"] == "optimal"
    assert best["noise_nrmse"] < 0.75 * plain["noise_nrmse"]
    assert best["noise_nrmse"] == pytest.approx(best["predicted_noise_nrmse"], rel=0.2)


def test_neurons_with_a_membrane_are_predicted(record, shell):
    row = record("run", *TINY, "--neuron-type=lif")
    assert row["noise_nrmse"] == pytest.approx(row["predicted_noise_nrmse"], rel=0.5)
    out = shell("run", *TINY, "--neuron-type=lif")[1]
    assert "of 100 runs" in out


def advice(truncation, spikes, curves=0.0, **fields):
    parts = {"truncation": truncation, "spikes": spikes, "curves": curves}
    row = {f"predicted_{name}_nrmse": value for name, value in parts.items()}
    row |= {"tuning": "pairs", "neuron_type": "poisson", "nrmse": 0.5} | fields
    return _advice(row)


def test_the_advice_compares_variances_over_one_denominator():
    said = advice(0.1, 0.05)  # a quarter of the truncation's variance
    assert said.startswith(
        "Of the error's variance 80% is the order's (truncation), 20%"
    )
    assert "a higher --order or a shorter --theta would lower it" in said
    assert said.endswith("No number of neurons alone brings NRMSE at theta below 0.1.")


def test_the_advice_names_both_halves():
    said = advice(0.1, 0.1)
    assert "50% is the order's (truncation), 50% the spikes'" in said
    less_noise = "--error-feedback auto or --tuning balanced or more --neurons"
    assert f"--theta, and {less_noise}, would lower it" in said


def test_the_advice_of_raw_speech_is_not_to_add_neurons():
    said = advice(1.0, 0.01)
    assert said.startswith(
        "Of the error's variance 100% is the order's (truncation): a"
    )
    assert said.endswith("below 1.")


def test_the_advice_of_a_signal_that_is_clipped():
    said = advice(0.01, 0.02, 0.8, tuning="optimal")
    assert "100% is the tuning curves', which do not fit" in said
    assert "--tuning balanced would lower it" in said
    assert said.endswith("below 0.8.")


def test_the_advice_for_membranes_is_feedback():
    said = advice(0.0, 0.1, 0.3, neuron_type="lif", tuning="drawn", beyond_radii=0.0)
    assert "90% is that of curves and membranes" in said
    assert "--error-feedback auto would lower it" in said
    assert advice(float("nan"), 0.0) == "There is no error to lower."


def test_warnings_are_a_line_each_on_standard_error(shell):
    code, out, error = shell("run", *TINY, "--neuron-type=adaptive", "--json")
    assert code == 0 and out.count("\n") == 1
    lines = error.splitlines()
    assert all(line.startswith("lmu-spiking: ") for line in lines)
    assert any("warning: AdaptiveLIF in a memory" in line for line in lines)


def test_json_has_no_nan():
    values = {"a": np.float64("nan"), "b": [np.inf, np.int64(1)], "c": np.arange(2)}
    assert to_json(values) == '{"a": null, "b": [null, 1], "c": [0, 1]}'


# -- what users do wrong -----------------------------------------------------------


def spoil():
    """Files that are not what they should be."""
    Path("empty.csv").touch()
    Path("text.csv").write_text("time,u\n0,one\n1,two\n")
    Path("two.csv").write_text("u,v\n0,1\n1,2\n")
    Path("holes.csv").write_text("1\n2\nnan\n4\n")
    Path("cut.npz").write_bytes(b"PK\3\4 not all of it")
    Path("noise.wav").write_bytes(b"RIFF")
    Path("picture.jpg").write_bytes(b"\0")
    Path("file").touch()
    specs = {
        "syntax": "order = ",
        "key": "ordre = 6",
        "option": "neurons = 6",
        "step": "dt = 2.0",
        "type": 'order = "six"',
        "neurons": 'n_neurons = "many"',
        "float": "n_neurons = 6000.0",
        "flag": 'aggregated = "no"',
        "radii": "radii = [1.0, 2.0]",
        "words": 'radii = "wide"',
        "nan": "tau = nan",
        "kind": 'neuron_type = "izhikevich"',
        "table": "signal = 2.0",
        "signal": "[signal]\nhigh = 2.0",
    }
    for name, text in specs.items():
        Path(f"{name}.toml").write_text(text)
    Path("bytes.toml").write_bytes(b"\xff\xfe")


MISTAKES = {
    "walk": "No such command",
    "plan --error=nan": "--error: nan must be a number: above 0, up to 1",
    "plan --error=2": "above 0, up to 1",
    "plan --theta=-1": "--theta: -1.0 must be",
    "plan --bandwidth=0": "--bandwidth: 0.0 must be",
    "plan --bandwidth=4000": "--bandwidth: 4000.0 ",
    "plan --bandwidth=5000": "beyond order 100",
    "plan --error=0.01 --max-neurons=50": "--max-neurons: 50 is too few",
    "plan --max-spikes=10": "--max-spikes: 10.0 is too few",
    "plan --order=1 --error=0.01": "by truncation alone",
    "plan --dt=1": "--dt: 1.0",
    "plan --minimise=money": "use neurons or spikes",
    "plan --tuning=drawn": "balanced or optimal",
    "plan --neuron-type=rate": "lif or adaptive",
    "plan --neuron-types=poisson,rate": "--neuron-types: 'rate' is unknown",
    "plan --neuron-types=,": "--neuron-types: '' is unknown",
    "plan --neuron-types=poisson --neuron-type=lif": "give one of the two",
    "plan --neuron-types=poisson,lif --error-feedback=300,0.02": "use 'auto'",
    "run --ordre=6": "No such option",
    "run 6": "unexpected",
    "run --order": "--order",
    "run --order=six": "--order: 'six' must be a whole number: 1 to 10,000",
    "run --theta=six": "--theta: 'six' must be a number: above 0, up to 1e+06",
    "run --order=2.5": "--order: 2.5 must be a whole number: 1 to 10,000",
    "run --neurons=1.5e0": "--neurons: 1.5 must be a whole number: 2 to",
    "run --order=0": "order",
    "run --order=-3": "order",
    "run --order=100000 --neurons=200000": "--order: 100000 must be",
    "run --order=10000 --neurons=200000 --duration=1000": "memory",
    "run --theta=0": "theta",
    "run --theta=-0.5": "theta",
    "run --theta=nan": "theta",
    "run --theta=inf": "theta",
    "run --theta=0.0001": "window",
    "run --theta=30": "too short",
    "run --neurons=0": "--neurons: 0 must be",
    "run --neurons=11": "--neurons: 11 is less than 2 per dimension",
    "run --neurons=-6000": "--neurons",
    "run --neurons=2000000 --neuron-type=lif": "aggregated",
    "run --neurons=2000000 --tuning=drawn": "aggregated",
    "run --tau=0": "tau",
    "run --tau=nan": "tau",
    "run --dt=0": "dt",
    "run --dt=nan": "dt",
    "run --dt=2": "dt",
    "run --max-rate=0": "--max-rate",
    "run --max-rate=inf": "--max-rate",
    "run --neuron-type=izhikevich": "use poisson, stochastic",
    "run --tuning=piano": "pairs, recruited, drawn, balanced or optimal",
    "run --tuning=pairs --neuron-type=lif": "drawn",
    "run --bandwidth=0": "bandwidth",
    "run --bandwidth=nan": "bandwidth",
    "run --bandwidth=600": "--bandwidth: 600.0 is above 500 Hz, the Nyquist",
    "run --rms=-1": "rms",
    "run --rms=nan": "rms",
    "run --duration=0": "duration",
    "run --duration=nan": "duration",
    "run --duration=0.6": "use at least 1",
    "run --duration=1e12": "--duration",
    "run --duration=1e6": "memory",
    "run --seed=-1": "seed",
    "run --seed=3000000000": "seed",
    "run --target=emulator": "use compiled or core/nengo",
    "run --input=nothing": "use ecg, white or a file",
    "run --input=nothing.csv": "no such file",
    "run --input=.": "folder",
    "run --input=empty.csv": "empty",
    "run --input=text.csv": "text.csv",
    "run --input=holes.csv": "holes.csv",
    "run --input=cut.npz": "cut.npz",
    "run --input=noise.wav": "noise.wav",
    "run --input=picture.jpg": "not known",
    "run --input=ecg --bandwidth=2": "white",
    "run --input=ecg --neurons=5": "use at least",
    "run --input=ecg --dt=nan": "dt",
    "run --column=1": "file",
    "run --input=two.csv": "holds 2 columns, u, v: choose one with --column",
    "run --input=two.csv --column=zz": "--column: 'zz' is not in the file; choose",
    "run --rate=100": "file",
    "run --out=": "--out: '' is no folder",
    "run --out=file": "file",
    "run --out=file/below": "file/below",
    "run --spec=nothing.toml": "nothing.toml",
    "run --spec=.": "cannot be read",
    "run --spec=bytes.toml": "bytes.toml",
    "run --spec=syntax.toml": "syntax.toml",
    "run --spec=key.toml": "ordre",
    "run --spec=option.toml": "option.toml.neurons: 6 is not known",
    "run --spec=option.toml --neurons=60": "option.toml.neurons: 6 is not known",
    "run --spec=step.toml": "MemorySpec.dt: 2.0 is longer",  # not --dt
    "run --spec=type.toml": "order",
    "run --spec=neurons.toml": "n_neurons",
    "run --spec=float.toml": "n_neurons",
    "run --spec=flag.toml": "aggregated",
    "run --spec=radii.toml": "one for each of 6",
    "run --spec=words.toml": "radii",
    "run --spec=nan.toml": "tau",
    "run --spec=kind.toml": "izhikevich",
    "run --spec=table.toml": "signal",
    "run --spec=signal.toml": "high",
    "study --orders=": "--orders",
    "study --orders=3,x": "--orders",
    "study --orders=0": "order",
    "study --orders=3;6": "--orders",
    "study --neurons-per-dimension=1.5": "--neurons-per-dimension",
    "study --neurons-per-dimension=1 --jobs=1": "use at least 6",
    "study --neuron-types=izhikevich": "izhikevich",
    "study --taus=nan": "tau",
    "study --max-rates=-1": "--max-rates",
    "study --trials=0": "--trials",
    "study --jobs=0": "--jobs",
    "study --seed=-1": "--seed",
    "study --duration=0.3 --jobs=1": "use at least",
    "study --theta=-1": "theta",
    "study --out=file": "file",
    "study --out=": "--out: '' is no folder",
    "study --scheduler=host:8786 --jobs=2": "leave it out with --scheduler",
    "collect": "out/study: no finished trials",
    "collect nothing": "nothing: no finished trials",
    "collect file": "file: no finished trials",
    "doctor --all": "No such option",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistake_is_told_in_one_line(shell, line):
    spoil()
    before = set(Path().iterdir())
    code, out, error = shell(*line.split(), "--json")
    assert (code, out) == (2, "")
    assert error.startswith("lmu-spiking: ")
    assert error.count("\n") == 1
    assert MISTAKES[line] in error
    assert "Traceback" not in error
    assert not [path for path in Path().rglob("*.json") if path not in before]
    assert not list(Path().rglob("*.png"))


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (MemoryError(), 2, "fewer --neurons"),
        (OSError(28, "No space left on device", "out/run.png"), 2, "out/run.png: No"),
        (ImportError("no pandas"), 2, "no pandas; install"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (ZeroDivisionError("by nothing"), 2, "by nothing"),
        (TypeError("a fault\nin two lines"), 1, "a fault in two lines"),
    ],
)
def test_accident_is_told_in_one_line(shell, monkeypatch, error, code, told):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("lmu_spiking.studies.trial.run_trial", fail)
    found, out, said = shell("run", *TINY, "--json")
    assert (found, out) == (code, "")
    assert said.startswith("lmu-spiking: ")
    assert said.count("\n") == 1
    assert told in said


def test_missing_package_is_told_with_its_extra(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "pywt", None)
    monkeypatch.setitem(sys.modules, "pywt.data", None)
    code, _, error = shell("run", "--input=ecg")
    assert code == 2
    assert "pip install 'lmu_spiking[data]'" in error


def test_full_disk_leaves_no_half_result(shell, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, out, error = shell("run", *TINY)
    assert (code, out) == (2, "")
    assert error == "lmu-spiking: No space left on device\n"
    assert list(Path("out").iterdir()) == []


def test_unwritable_folder_is_refused_before_the_run(shell, monkeypatch):
    def never(*_, **__):
        raise AssertionError("it ran")

    monkeypatch.setattr("lmu_spiking.studies.trial.run_trial", never)
    Path("file").touch()
    assert shell("run", *TINY, "--out=file")[0] == 2


def test_run_says_what_is_no_longer_in_a_recording(shell, record):
    """8 kHz noise at steps of 1 ms: low-passed, cut and repeated, a line each.

    Without a step of the user's own nothing is lost.
    """
    noise = np.random.default_rng(0).integers(-9000, 9000, 24_000).astype(np.int16)
    wavfile.write("noise.wav", 8000, noise)
    line = ["run", "--input=noise.wav", "--order=2", "--neurons=40"]
    code, out, error = shell(*line, "--duration=2", "--dt=0.001")
    cut, low_passed, *_ = error.splitlines()
    assert code == 0
    assert "% of its power is above 500 Hz" in low_passed
    assert "--dt 0.000125) keeps all of it" in low_passed
    assert cut == "lmu-spiking: the first 2 s of noise are taken, of 3 s"
    assert "NRMSE at theta, against the input, low-passed" in out
    assert "The input is noise low-passed at 500 Hz: 8" in out
    kept = json.loads(Path("out/result.json").read_text())
    assert kept["input_power_lost"] == pytest.approx(0.885, abs=0.01)
    code, out, error = shell(*line, "--duration=4")
    assert error.startswith("lmu-spiking: noise lasts 3 s: it is repeated to 4 s, with")
    assert "low-passed" not in out + error
    assert "taken in steps of 0.000125 s" in error
    assert record("run", *TINY)["input_power_lost"] == 0.0


# -- study -------------------------------------------------------------------------


def test_study_writes_its_report(finished):
    found = finished
    assert found["trials"] == 8
    assert len(found["summary"]) == 4
    assert {fit["against"] for fit in found["exponents"]} == {"neurons", "order"}
    assert {"exponent", "low", "high", "predicted"} <= found["exponents"][0].keys()
    assert all(Path(path).is_file() for path in found["files"].values())
    assert {"report.html", "summary.parquet", "trials.parquet"} <= found["files"].keys()
    assert len(list(Path("out/study/trials").iterdir())) == 8


def test_study_goes_on_where_it_was(finished, shell):
    kept = {path: path.stat().st_mtime_ns for path in Path("out").rglob("trials/*")}
    corrupt = min(kept)
    corrupt.write_text("{")
    code, out, error = shell(*STUDY, "--json")
    assert code == 0
    assert error.startswith(f"lmu-spiking: warning: {corrupt} is corrupt")
    assert error.count("\n") == 1
    assert json.loads(out)["summary"] == finished["summary"]
    del kept[corrupt]
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


def test_study_prints_exponents(shell):
    code, out, error = shell(*STUDY, "--neuron-types=lif")
    assert (code, error) == (0, "")
    assert "order 2" in out
    assert "report.html" in out
    assert "lif" in out


def test_failed_combination_is_told_beside_the_report_of_the_others(shell):
    options = ["--neuron-types=poisson,lif", "--max-rates=600", "--json"]
    code, out, error = shell(*STUDY, *options)
    assert code == 2
    assert error.startswith("lmu-spiking: 20 lif neurons, order 1: max_rate")
    assert error.endswith(
        "(and 3 more like it); 8 of 16 trials failed, the others are kept\n"
    )
    assert error.count("\n") == 1
    found = json.loads(out)
    assert (found["trials"], found["missing"]) == (8, 8)
    assert "8 more trials are not finished" in Path("out/study/report.html").read_text()


def test_too_many_neurons_one_by_one_are_refused(shell):
    options = [
        "--orders=2",
        "--neurons-per-dimension=1e9",
        "--trials=1",
        "--duration=1",
    ]
    code, out, error = shell("study", *options, "--jobs=1")
    assert (code, out) == (2, "")
    assert "2000000000 is more than 50,000,000 one by one; use --aggregated" in error
    assert error.count("\n") == 1


def test_full_disk_keeps_finished_trials(shell, record, monkeypatch):
    real, synced = os.fsync, []

    def full(handle):
        synced.append(handle)
        if len(synced) > 4:
            raise OSError(28, "No space left on device")
        real(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        code, out, error = shell(*STUDY, "--json")
    assert (code, out) == (2, "")
    assert "No space left on device); finished trials are kept: make room" in error
    assert error.startswith("lmu-spiking: out/study/trials/")
    assert error.count("\n") == 1
    assert len(list(Path("out/study/trials").iterdir())) == 3
    assert record(*STUDY)["trials"] == 8


def test_collect_gathers_what_is_finished(shell, record, finished):
    gathered = record("collect", "out/study")
    assert gathered["summary"] == finished["summary"]
    assert (gathered["trials"], gathered["missing"]) == (8, 0)
    for path in list(Path("out/study/trials").iterdir())[:3]:
        path.unlink()
    for path in Path("out/study").glob("*.parquet"):
        path.unlink()
    code, out, error = shell("collect", "--json")
    assert code == 0
    assert error == "lmu-spiking: 3 of 8 trials are not finished\n"
    assert (json.loads(out)["trials"], json.loads(out)["missing"]) == (5, 3)
    assert Path("out/study/summary.parquet").is_file()
    text = Path("out/study/report.html").read_text()
    assert "lmu-spiking study --orders=1,2" in text
    assert "3 more trials are not finished" in text


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"trials": 2}', "[" * 100_000],
    ids=["empty", "list", "old", "deep"],
)
@pytest.mark.usefixtures("finished")
def test_collect_does_without_the_plan(record, text):
    Path("out/study/study.json").write_text(text)
    assert record("collect")["trials"] == 8
    assert "lmu-spiking collect out/study" in Path("out/study/report.html").read_text()


ADDRESSES = ("nowhere", "http://host:1", "tls://host:1", "tls://", "ucx://host:1")


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_scheduler_is_told_in_one_line(shell, address):
    pytest.importorskip("distributed")
    code, out, error = shell(*STUDY[:-1], f"--scheduler={address}")
    assert (code, out) == (2, "")
    assert error.startswith(f"lmu-spiking: --scheduler: '{address}' does not answer")
    assert error.count("\n") == 1


def test_missing_dask_is_told_with_its_extra(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, error = shell(*STUDY[:-1], "--scheduler=host:8786")
    assert code == 2
    assert "pip install 'lmu_spiking[dask]'" in error


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_interrupted_study_keeps_what_is_finished(tmp_path):
    child = process(*STUDY, "--trials=200", cwd=tmp_path)
    trials = tmp_path / "out" / "study" / "trials"
    while not list(trials.glob("*.json")) and child.poll() is None:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, error = child.communicate()
    assert (child.returncode, out) == (130, "")
    assert error.startswith("lmu-spiking: interrupted")
    assert error.count("\n") == 1
    kept = list(trials.iterdir())
    assert kept
    assert all(json.loads(path.read_text())["row"] for path in kept)


# -- the rest ----------------------------------------------------------------------


def test_doctor_says_what_there_is(record, shell, monkeypatch):
    found = record("doctor")
    assert found["packages"]["nengo"]
    extras = {
        "train",
        "loihi",
        "data",
        "dask",
        "recordings",
        "nir",
        "gui",
        "nengo-dl",
        "docs",
    }
    assert set(found["extras"]) == extras
    assert found["largest_difference"] < 1e-9
    one = [check for check in checks.CHECKS if check.name == "pytest"]
    monkeypatch.setattr("lmu_spiking.cli.doctor.CHECKS", one)  # the rest was tried
    code, out, error = shell("doctor")
    assert (code, error) == (0, "")
    for name, extra in found["extras"].items():
        assert f"[{name}]" in out
        assert all(
            f"{v}" in out for v in extra["packages"].values() if extra["installed"]
        )
    assert max(map(len, out.splitlines())) <= 80


def test_doctor_names_a_missing_extra(record, monkeypatch):
    monkeypatch.setattr("lmu_spiking.cli.doctor._version", lambda name: None)
    monkeypatch.setattr("lmu_spiking.cli.doctor.CHECKS", ())
    extras = record("doctor")["extras"]
    assert not extras["nir"]["installed"]
    assert extras["nir"]["say"].startswith("pip install 'lmu_spiking[nir]'")


@pytest.mark.parametrize(
    "command", [[], ["run"], ["plan"], ["study"], ["collect"], ["doctor"]]
)
def test_help_teaches_with_examples(shell, command):
    code, out, error = shell(*command, *(["--help"] if command else []))
    assert (code, error) == (0, "")
    assert "Usage: lmu-spiking" in out
    assert "\n  lmu-spiking " in out or "\n    lmu-spiking " in out
    assert "--help" in out


def test_version(shell):
    assert shell("--version") == (0, f"lmu-spiking {lmu_spiking.__version__}\n", "")
