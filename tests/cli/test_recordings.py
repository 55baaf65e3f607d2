"""Recordings as ``--input``: planned for, run, and what was decoded of them."""

import json
import shlex

import numpy as np
import pytest
from scipy.io import wavfile

from lmu_spiking import MemorySpec, load_signal
from lmu_spiking.signals import white_noise

DT, THETA = 0.01, 0.5
RUN = ("run", "--theta=0.5", "--neurons=400", "--seed=1")
PLAN = ("plan", "--error=0.15", "--theta=0.5")


def noise(seed, size=1.0, bandwidth=1.0, seconds=20.0, dt=DT):
    return size * white_noise(seconds, dt, bandwidth, 1.0, seed).samples


def write_csv(name, **columns):
    t = DT * np.arange(len(next(iter(columns.values()))))
    head = ",".join(["time", *columns])
    table = np.column_stack([t, *columns.values()])
    np.savetxt(name, table, delimiter=",", header=head, comments="")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Everything happens in a folder with recordings, and pictures are not drawn."""
    monkeypatch.chdir(tmp_path)
    for place in ("plots", "plots.style"):
        monkeypatch.setattr(f"lmu_spiking.{place}.png", lambda figure: b"\x89PNG")
    write_csv("mine.csv", x=noise(0), y=noise(1, 1e-6), z=5 + noise(2, 0.1))


@pytest.fixture
def record(shell):
    """The JSON of a command that must succeed, and what it said."""

    def run(*arguments):
        code, out, error = shell(*arguments, "--json")
        assert code == 0, error
        return json.loads(out), error

    return run


@pytest.fixture
def refusal(shell):
    """The last line of a command that must be refused, without a traceback."""

    def run(*arguments):
        code, out, error = shell(*arguments)
        assert (code, out) == (2, "")
        assert "Traceback" not in error
        return error.splitlines()[-1]

    return run


# -- run -------------------------------------------------------------------------------


def test_run_chooses_the_memory_of_a_recording(record):
    row, said = record(*RUN, "--input=mine.csv", "--column=x")
    lines = said.splitlines()
    assert "mine: 20 s, 99 % of the power below" in lines[0]
    spec = MemorySpec.from_toml("out/spec.toml")
    assert spec.signal.spectrum is not None
    assert spec.signal.bandwidth == pytest.approx(1, rel=0.1)
    assert spec.order == row["order"]
    assert row["order_chosen"] is True
    assert row["predicted_nrmse_low"] < row["nrmse"] < row["predicted_nrmse_high"]


def test_what_was_decoded_is_a_table(record):
    """In it is the error that the run states: both columns are of theta ago."""
    row, _ = record(*RUN, "--input=mine.csv", "--column=x,y")
    decoded = load_signal("out/decoded.csv", None, "all")
    assert decoded.channels == ("x", "y", "x decoded", "y decoded")
    dt = row["dt"]
    window = round(THETA / dt)
    late, read = decoded.samples[window:, :2], decoded.samples[window:, 2:]
    each = np.mean((read - late) ** 2, axis=0) / np.mean(late**2, axis=0)
    assert np.sqrt(each.mean()) == pytest.approx(row["nrmse"], rel=0.1)
    given = load_signal("mine.csv", dt, "x,y").samples
    np.testing.assert_allclose(late, given[: len(late)], rtol=1e-4, atol=1e-5)


def test_a_sound_is_decoded_as_a_sound(record):
    t = np.arange(16_000) / 8000
    sound = 0.5 * np.sin(2 * np.pi * 3 * t)
    wavfile.write("mine.wav", 8000, (32767 * sound).astype(np.int16))
    row, _ = record(*RUN, "--input=mine.wav")
    rate, samples = wavfile.read("out/decoded.wav")
    assert rate == pytest.approx(1 / row["dt"])
    assert len(samples) == row["duration"] * rate
    window = round(THETA * rate)
    late = 0.5 * np.sin(2 * np.pi * 3 * np.arange(len(samples) - window) / rate)
    error = np.sqrt(np.mean((samples[window:] - late) ** 2) / np.mean(late**2))
    assert error == pytest.approx(row["nrmse"], rel=0.2)


def test_decoded_files_of_another_kind_are_replaced(record, tmp_path):
    record(*RUN, "--input=mine.csv", "--column=x")
    np.savez("mine.npz", u=noise(3), dt=DT)
    record(*RUN, "--input=mine.npz")
    assert [path.name for path in tmp_path.glob("out/decoded*")] == ["decoded.npz"]


# -- plan ------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["x", "x,y"])
def test_the_line_that_plan_prints_meets_the_error(shell, record, column):
    code, out, said = shell(*PLAN, "--input=mine.csv", "--column", column)
    assert code == 0
    assert "20 s, a sample each 0.01 s; planning" in said.splitlines()[0]
    line = shlex.split(out.splitlines()[-1])
    assert line[:2] == ["lmu-spiking", "run"]
    row, _ = record(*line[1:])
    assert row["asked_nrmse"] == 0.15
    assert row["nrmse"] < 0.15
    assert row["nrmse"] / row["predicted_nrmse"] == pytest.approx(1, abs=0.15)


def test_a_plan_predicts_another_recording(record):
    """The memory is the first one's; what is predicted is of what it is run on."""
    record(*PLAN, "--input=mine.csv", "--column=x")
    write_csv("other.csv", u=noise(8, 2.0, 3.0))
    row, _ = record("run", "--spec=out/plan/spec.toml", "--input=other.csv")
    assert row["nrmse"] > 0.15
    assert row["nrmse"] / row["predicted_nrmse"] == pytest.approx(1, abs=0.15)


def test_a_mean_is_told_and_taken_away(record):
    asked = (*PLAN, "--input=mine.csv", "--column=z")
    kept, said = record(*asked)
    assert "mine: its mean of 5 is larger than what varies about it (0.0" in said
    assert "--centre takes the mean of each channel away" in said
    centred, said = record(*asked, "--centre")
    assert "its mean" not in said
    # the error is one of what varies
    assert centred["neurons"] > 2 * kept["neurons"]
    assert centred["order"] > kept["order"]


def test_several_channels_are_told_by_their_number(shell):
    code, out, said = shell(*PLAN, "--input=mine.csv", "--column=all", "--centre")
    assert code == 0
    assert "mine: 3 channels of 20 s, a sample each 0.01 s; planning" in said
    assert "neurons per channel" in out
    assert MemorySpec.from_toml("out/plan/spec.toml").size_in == 3


# -- refused ---------------------------------------------------------------------------


def test_a_recording_that_is_too_fast_is_refused_in_one_line(refusal):
    fast = noise(4, seconds=2.0, bandwidth=400.0, dt=1 / 8000)
    wavfile.write("fast.wav", 8000, fast.astype(np.float32))
    said = refusal(*PLAN, "--input=fast.wav")
    assert "--error: 0.15 is met by no order up to 100 for fast" in said
    assert "use a window of" in said
    assert "or give its envelope or features" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=none.csv"], "none.csv"),
        (["--input=mine.csv", "--column=w"], "w"),
        (["--input=mine.csv", "--bandwidth=3"], "--bandwidth: 3"),
        (["--input=mine.csv", "--column=x", "--theta=11"], "use at most 10 s"),
        (["--centre"], "--centre: True is for a file as --input only"),
        (["--column=x"], "--column: 'x' is for a file as --input only"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_does_not_fit_is_refused_in_one_line(refusal, command, arguments, message):
    assert message in refusal(command, *arguments)


def test_a_spec_takes_as_many_channels_as_it_is_for(refusal, record):
    record(*RUN, "--input=mine.csv", "--column=x,y", "--out=two")
    said = refusal("run", "--spec=two/spec.toml", "--input=mine.csv", "--column=x")
    assert "gives 1 channel (x), and the memory takes 2" in said


@pytest.mark.parametrize(
    ("line", "message"),
    [("0.5,nan", "line 3 has 'nan'"), ("0.5,word", "line 3 has 'word'")],
)
def test_a_line_that_is_no_number_is_named(refusal, tmp_path, line, message):
    (tmp_path / "bad.csv").write_text(f"time,u\n0,1\n{line}\n1,2\n")
    assert message in refusal("plan", "--input=bad.csv")
