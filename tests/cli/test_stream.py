import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking import MemorySpec, save_params
from lmu_spiking.conversion import convert
from lmu_spiking.studies.stream import MemoryStream, ModelStream
from lmu_spiking.tasks import load_task

SPEC = MemorySpec(n_neurons=60, order=3, theta=0.1)
SMALL = ("stream", "--neurons=60", "--order=3", "--theta=0.1")
U = np.round(np.sin(np.arange(300) / 30), 4)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pipe(shell, monkeypatch):
    """Run a command with standard input: bytes, or numbers as lines."""

    def run(given, *arguments):
        if not isinstance(given, bytes):
            given = "".join(f"{x}\n" for x in given).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        return shell(*arguments)

    return run


def expected(u, delays=None, spec=SPEC):
    with MemoryStream(spec, delays) as stream:
        return stream.push(u).values


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_lines_in_and_lines_out(pipe, block):
    code, out, error = pipe(U, *SMALL, "--delays=0.02,0.1", f"--block={block}")
    assert code == 0
    head, *lines = out.splitlines()
    assert head == "time,0.02 s ago,0.1 s ago"
    found = np.array([[float(x) for x in line.split(",")] for line in lines])
    np.testing.assert_allclose(found[:, 0], 0.001 * np.arange(300), atol=1e-9)
    values = expected(U, [0.02, 0.1])
    np.testing.assert_allclose(found[:, 1:], values, rtol=1e-5, atol=1e-9)
    assert (
        "lmu-spiking: standard input says no rate: taken as one sample each 1" in error
    )
    assert "300 samples, 0.3 s, computed in" in error
    assert f"0.02 s until it is read, a block of {min(block, 300) / 1000:g} s" in error


def test_lines_of_json(pipe):
    code, out, _ = pipe(U[:5], *SMALL, "--json-lines")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [record["time"] for record in records] == [0.0, 0.001, 0.002, 0.003, 0.004]
    values = [record["decoded"] for record in records]
    np.testing.assert_allclose(values, expected(U[:5]), rtol=1e-5, atol=1e-9)


def test_the_summary_alone(pipe):
    code, out, error = pipe(U, *SMALL, "--json")
    assert (code, out.count("\n")) == (0, 1)
    found = json.loads(out)
    assert (found["samples"], found["duration"]) == (300, pytest.approx(0.3))
    factor = found["duration"] / found["seconds"]
    assert found["real_time_factor"] == pytest.approx(factor)
    parts = ("readout", "block", "computation")
    total = sum(found[f"latency_{part}"] for part in parts)
    assert found["latency"] == pytest.approx(total)
    assert found["rms"] == pytest.approx(np.sqrt(np.mean(U**2)))
    assert found["spikes"] > 0
    assert "computed in" not in error


def test_numbers_in_single_precision_and_several_channels(pipe):
    u = np.stack([U, -U, U / 2], axis=1)
    raw, text = u.astype("<f4").tobytes(), io.BytesIO()
    np.savetxt(text, u, delimiter=",", header="a,b,c", comments="")
    found = []
    for given, options in (
        (raw, ["--format=f32", "--channels=3"]),
        (text.getvalue(), ["--column=all"]),
        (text.getvalue(), ["--column=a,b,c"]),
    ):
        code, out, _ = pipe(given, *SMALL, *options)
        assert code == 0
        found.append(out.splitlines())
    assert found[0][0] == "time,0 0.1 s ago,1 0.1 s ago,2 0.1 s ago"
    assert found[1][0] == "time,a 0.1 s ago,b 0.1 s ago,c 0.1 s ago"
    assert found[1] == found[2]
    last = [[float(x) for x in lines[-1].split(",")] for lines in found]
    np.testing.assert_allclose(last[0], last[1], atol=0.05)


def test_a_file_is_as_if_it_were_piped(pipe, shell):
    np.savetxt("mine.csv", U)
    piped = pipe(U, *SMALL)[1]
    for more in ([], ["--live", "--block=50"], ["--rate=1000"]):
        code, out, error = shell(*SMALL, "--input=mine.csv", *more)
        assert (code, out) == (0, piped)
        assert ("mine.csv says no rate" in error) == (more != ["--rate=1000"])
    SPEC.to_toml("spec.toml")
    assert shell("stream", "--spec=spec.toml", "--input=mine.csv")[1] == piped


def test_a_signal_that_is_drawn(shell):
    code, out, _ = shell(*SMALL, "--input=white", "--duration=0.6", "--seed=2")
    u = SPEC.signal.draw(0.6, 0.001, 2).samples
    values = expected(u, spec=SPEC.replace(noise_seed=2))
    found = [float(line.split(",")[1]) for line in out.splitlines()[1:]]
    assert code == 0
    np.testing.assert_allclose(found, values[:, 0], rtol=1e-5, atol=1e-9)


def test_loud_samples_are_told(pipe):
    code, _, error = pipe(100 * U, *SMALL, "--json")
    assert code == 0
    assert "warning: the samples have an rms of 69, and the m" in error
    assert "warning" not in pipe(U, *SMALL, "--json")[2]


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (b"", [], "standard input: is empty; pipe numbers into it, or name a file wit"),
        (
            b"1\nx\n",
            [],
            "standard input: line 2 has 'x' where a finite number should b",
        ),
        (
            b"1,2\n",
            [],
            "standard input: holds 2 columns, 0, 1: choose one with --colum",
        ),
        (b"a,b\n1,2\n", ["--column=c"], "--column: 'c' is not in the file; choose on"),
        (b"\0\0\300\177", ["--format=f32"], "nan in sample 0 (from 0) is not finite"),
        (b"1\n", ["--delays=0.5"], "must lie between dt = 0.001 and theta = 0.1 s"),
        (b"1\n", ["--live"], "--live: True is for a file or a signal as --input only"),
        (b"1\n", ["--channels=2"], "--channels: 2 is for --format f32 only"),
        (b"1\n", ["--presentation=0.01"], "--presentation: 0.01 is for a MODEL only"),
        (b"1\n", ["--input=x", "--format=f32"], "--format: 'f32' is for standard inp"),
        (
            b"1\n",
            ["--input=x"],
            "--input: 'x' is not known; use -, ecg, white or a fil",
        ),
        (b"1\n", ["m.npz"], "--order: 3 is for a memory only"),
        (b"1\n", ["--block=0"], "--block: 0 must be a whole number"),
    ],
)
def test_mistakes_are_one_line(pipe, given, options, message):
    code, _, error = pipe(given, *SMALL, *options)
    assert code == 2
    assert message in error.splitlines()[-1]
    assert "Traceback" not in error


def test_what_came_before_a_mistake_is_written(pipe):
    code, out, error = pipe(b"0.1\n0.2\nx\n0.3\n", *SMALL)
    assert code == 2
    assert out.splitlines() == pipe([0.1, 0.2], *SMALL)[1].splitlines()
    assert "2 samples" in error


class Interrupted(io.BytesIO):
    """A pipe on which somebody presses Ctrl-C."""

    def read1(self, size=-1):
        data = self.read(4)
        if not data:
            raise KeyboardInterrupt
        return data


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_interrupted_stream_tells_its_summary(shell, monkeypatch, options):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted(b"0.1\n0.2\n0.3\n")))
    code, out, error = shell(*SMALL, *options)
    assert code == 130
    assert error.endswith("interrupted\n")
    if options:
        assert json.loads(out)["samples"] == 3
    else:
        assert "3 samples, 0.003 s, computed in" in error


def test_a_reader_that_has_gone_ends_it(pipe, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("lmu_spiking.cli.shell.leave", lambda stream: None)
    monkeypatch.setattr(sys, "stdout", Gone())
    code, _, error = pipe(U, *SMALL)
    assert code == 0
    assert "Traceback" not in error


def test_a_model_decides_as_samples_come(pipe, shell, lmu):
    """Digits, a row of 64 steps: the classes are those of the same stream in Python."""
    data = load_task("digits")
    header = {"task": "digits", "last": True}
    model = lmu("W_x", size_out=10, theta=0.02, header=header)
    save_params(replace(model, dt=data.dt), "model.npz")
    line = ["stream", "model.npz", "--neurons=600", "--presentation=0.002"]
    u = data.test.x[0, :20, 0]
    code, out, error = pipe(u, *line, "--seed=3")
    head, *lines = out.splitlines()
    assert code == 0
    assert head == "time,class," + ",".join(f"output {i}" for i in range(10))
    found = np.array([[float(x) for x in text.split(",")] for text in lines])
    made = {"n_neurons": 600, "presentation": 0.002, "noise_seed": 3}
    made = convert(model, data.train.x, last=True, **made)
    with ModelStream(made) as stream:
        parts = [stream.push(u), stream.finish()]
    outputs = np.concatenate([part.outputs for part in parts])
    np.testing.assert_allclose(found[:, 2:], outputs, rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(found[:, 1], outputs.argmax(axis=1))
    np.testing.assert_allclose(found[:, 0], 0.002 * np.arange(20), atol=1e-9)
    assert "20 samples, 0.04 s" in error
    np.savetxt("x.csv", u)
    assert shell(*line, "--input=x.csv", "--seed=3")[1] == out
    code, out, _ = shell(*line, "--input=x.csv", "--seed=3", "--json-lines")
    assert json.loads(out.splitlines()[-1])["class"] == int(found[-1, 1])
    code, _, error = shell(*line, "--input=x.csv", "--live")
    assert (code, error.splitlines()[-1]) == (
        2, "lmu-spiking: x.csv: says no sampling rate; give it with --rate"
    )  # fmt: skip


def test_a_spec_of_several_channels(pipe):
    spec = SPEC.replace(size_in=2, n_neurons=120)
    spec.to_toml("two.toml")
    u = np.stack([U, -U], axis=1)
    text = "\n".join(f"{a},{b}" for a, b in u).encode()
    code, out, _ = pipe(b"a,b\n" + text, "stream", "--spec=two.toml")
    head, *lines = out.splitlines()
    assert (code, head) == (0, "time,a 0.1 s ago,b 0.1 s ago")
    found = [[float(x) for x in line.split(",")[1:]] for line in lines]
    np.testing.assert_allclose(found, expected(u, spec=spec), rtol=1e-5, atol=1e-9)
    code, _, error = pipe(U, "stream", "--spec=two.toml")
    said = "--column: '0' makes 1 channels, and the memory takes 2"
    assert (code, error.splitlines()[-1]) == (2, f"lmu-spiking: {said}")
