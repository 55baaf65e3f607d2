"""Tables, bars, folders and Ctrl-C: what the shell writes, and where."""

import errno
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import lmu_spiking
from lmu_spiking.cli import console, stopped
from lmu_spiking.cli.console import Bar, Ticker, as_options, table_lines
from lmu_spiking.errors import ValidityWarning

pty = pytest.importorskip("pty", reason="needs a Unix terminal")

ROOT = str(Path(lmu_spiking.__file__).parents[1])
START = [sys.executable, "-m", "lmu_spiking"]


def environment():
    paths = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TERM": "xterm"}


def on_terminal(*arguments, cwd):
    """Status, standard output (a pipe) and error (a terminal) of a command."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*START, *arguments],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError as error:  # how Linux says that the other end is closed
            assert error.errno == errno.EIO
            break
        if not part:
            break
        seen += part
    os.close(ours)
    out = child.stdout.read()
    child.stdout.close()
    return child.wait(), out.decode(), seen.decode(errors="replace")


def test_terminal_sees_a_bar_and_standard_output_one_line(tmp_path):
    line = "run --order 2 --neurons 40 --theta 0.1 --duration 1 --json"
    code, out, error = on_terminal(*line.split(), cwd=tmp_path)
    assert code == 0
    assert out.count("\n") == 1 and json.loads(out)
    assert "Starting" in error
    assert "Simulating" in error


class Terminal(io.StringIO):
    """A terminal within this process."""

    def isatty(self):
        return True


def test_a_plan_has_a_bar(tmp_path, monkeypatch, shell):
    line = f"plan {SMALL['plan']} --out={tmp_path} --json".split()
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", terminal)
        code, out, _ = shell(*line)
    assert (code, out.count("\n")) == (0, 1)
    seen = terminal.getvalue()
    assert "Starting" in seen and "Planning" in seen


STUDY = "--orders 1 --neurons-per-dimension 20,40 --trials 2 --duration 1 --theta 0.2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"study {STUDY} --jobs 1", "Trials"),
        (f"spikes {STUDY} --neuron-types poisson --budget 600 --jobs 1", "Trials"),
        ("reproduce capacity --fast", "Lengths"),
        ("deploy --target core --ladder --duration 1 --theta 0.1", "running on core"),
        ("bench simulator --neurons 60 --peers nengo --seconds 0.01", "Measurements"),
        ("doctor", "Trying"),
    ],
)
def test_every_long_command_has_a_bar(line, shown, tmp_path):
    code, out, error = on_terminal(*line.split(), "--json", cwd=tmp_path)
    assert (code, out.count("\n")) == (0, 1)
    assert shown in error


@pytest.mark.parametrize("delay", [0.05, 0.3, 0.8])
def test_ctrl_c_while_it_starts_is_one_line(delay, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", LATE, *"run --duration 2000".split()],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    time.sleep(delay)
    child.send_signal(signal.SIGINT)
    out, error = child.communicate()
    assert child.returncode == 130
    assert error.startswith("lmu-spiking: interrupted")
    assert (error.count("\n"), out) == (1, "")


@pytest.mark.parametrize(
    ("line", "goes_on"),
    [
        ("run --duration 2000", False),
        ("study --orders 3", True),
        ("study --no-resume", False),
        ("spikes", True),
        ("train digits", True),
        ("train digits --fresh", False),
        ("reproduce capacity", False),
        ("reproduce psmnist", True),
        ("convert out/study/model.npz", False),
        ("", False),
    ],
)
def test_only_what_goes_on_is_said_to(line, goes_on, monkeypatch):
    told = "interrupted; the same command goes on where it was"
    told = told if goes_on else "interrupted"
    assert stopped(line.split()) == told
    monkeypatch.setattr(sys, "argv", ["lmu-spiking", *line.split()])
    assert stopped() == told


# A child of a job in the background has no keyboard, unless it takes one.
LATE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from lmu_spiking.cli import main; print('ready', flush=True); main()"
)


# -- lines where there is no terminal --------------------------------------------------


class Clock:
    """Time that goes on while it is waited for, ``ticks`` times."""

    def __init__(self, ticks, meanwhile=lambda tick: None):
        self.now, self.ticks, self.meanwhile = 100.0, ticks, meanwhile

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.meanwhile(self.ticks)
        self.now += seconds
        self.ticks -= 1
        return self.ticks < 0


@pytest.fixture
def every_ten_seconds(monkeypatch):
    """Undo what keeps lines on progress away from the tests."""
    monkeypatch.setattr(console, "FIRST", 1.0)
    monkeypatch.setattr(console, "EVERY", 10.0)


@pytest.mark.usefixtures("every_ten_seconds")
def test_a_line_at_once_and_every_ten_seconds_also_within_one_long_call():
    told, clock = [], Clock(3)
    ticker = Ticker(told.append, clock)
    ticker.run(clock.wait)
    assert told == ["Working (1 s)", "Working (11 s)", "Working (21 s)"]


@pytest.mark.usefixtures("every_ten_seconds")
def test_a_line_says_what_is_done_and_how_much(monkeypatch):
    told, bars = [], []

    def meanwhile(tick):
        if tick == 4:
            bars.append(Bar("Trials", 1200).__enter__())
            bars[0].advance_to(1100, 1200)
        elif tick == 3:
            bars[0].advance()
        elif tick == 2:
            bars[0].phase("Drawing")
        elif tick == 1:
            bars[0].__exit__()

    clock = Clock(4, meanwhile)
    ticker = Ticker(told.append, clock)
    token = Ticker.current.set(ticker)
    try:
        ticker.run(clock.wait)
    finally:
        Ticker.current.reset(token)
    assert told == [
        *("Trials: 1,100 of 1,200 (1 s)", "Trials: 1,101 of 1,200 (11 s)"),
        *("Drawing (21 s)", "Working (31 s)"),
    ]


def test_where_no_thread_can_be_started_it_is_silent(monkeypatch):
    def refused(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refused)
    with Ticker(print):
        pass


JSON = ([], ["--json"])
COMMANDS = {
    "run": "--duration 1 --order 2 --neurons 40 --theta 0.1",
    "plan": "--error 0.3 --theta 0.1 --bandwidth 5 --order 4",
    "collect": "nowhere",
    "convert": "nothing.npz",
    "reproduce": "psmnist --data nowhere",
}


@pytest.mark.parametrize(("name", "json"), zip(COMMANDS, itertools.cycle(JSON)))
def test_every_command_has_a_ticker_while_it_runs(
    shell, name, json, tmp_path, monkeypatch, undrawn
):
    """Its thread runs from the beginning on, and has ended when the command has."""
    monkeypatch.chdir(tmp_path)
    ran, real = [], Ticker.run
    monkeypatch.setattr(Ticker, "run", lambda self: ran.append(self) or real(self))
    shell(*name.split(), *COMMANDS[name].split(), *json)
    assert len(ran) == 1
    assert not ran[0]._thread.is_alive() and not ran[0].bars


def test_all_commands_are_of_the_kind_that_ticks():
    from typer.main import get_command

    from lmu_spiking.cli.help import Command
    from lmu_spiking.cli.shell import app

    def leaves(command):
        for each in getattr(command, "commands", {}).values():
            yield from leaves(each)
        if not hasattr(command, "commands"):
            yield command

    found = list(leaves(get_command(app)))
    assert len(found) == 12
    assert all(isinstance(command, Command) for command in found)


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    for term, bar in (("xterm", True), ("dumb", False), ("unknown", False)):
        monkeypatch.setenv("TERM", term)
        assert console.on_terminal() is bar


def test_lines_reach_standard_error_while_libraries_are_hushed(tmp_path):
    code = (
        "from lmu_spiking.cli import console as c\n"
        "with c.ticking(), c.hushed():\n"
        "    c.os.write(2, b'a library')\n"
        "    c.Ticker.current.get()._say('Trying (10 s)')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "lmu-spiking: Trying (10 s)\n")


# -- streams that are closed or full ---------------------------------------------------

VERSION = f"lmu-spiking {lmu_spiking.__version__}\n"
unix = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


def in_shell(line, cwd, **more):
    """Status, standard output and error of a line for /bin/sh; LMU is the command."""
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("LMU", f'"{sys.executable}" -m lmu_spiking')],
        **{
            "cwd": cwd,
            "env": environment() | more,
            "capture_output": True,
            "text": True,
        },
    )


@unix
@pytest.mark.parametrize(
    ("line", "code", "out", "error"),
    [
        ("LMU --version >&-", 0, "", "standard output is closed"),
        ("LMU run --order 0 >&-", 2, "", "--order"),
        ("LMU run --order 0 2>&-", 2, "", ""),
        ("LMU --version 2>&-", 0, VERSION, ""),
        ("LMU --version <&- 2>&-", 0, VERSION, ""),
        ("LMU --version <&- >&- 2>&-", 0, "", ""),
        ("LMU run --order 0 <&- >&- 2>&-", 2, "", ""),
        ("LMU --version | true", 0, "", ""),
        ("LMU run --help | head -1", 0, None, ""),
    ],
)
def test_closed_streams(line, code, out, error, tmp_path):
    done = in_shell(line, tmp_path)
    assert done.returncode == code
    assert "Traceback" not in done.stderr and error in done.stderr
    assert out is None or done.stdout == out
    closed = ">&-" in line.replace("2>&-", "") and bool(error)
    assert done.stderr.count("\n") == bool(error) + (closed and "order" in line)


@unix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("line", "code", "out", "error"),
    [
        ("LMU --version >/dev/full", 2, "", "No space left"),
        ("LMU run --help >/dev/full", 2, "", "No space left"),
        ("LMU run --order 0 2>/dev/full", 2, "", ""),
        ("LMU --version 2>/dev/full", 0, VERSION, ""),
        ("LMU --version >/dev/full 2>/dev/full", 2, "", ""),
    ],
)
def test_full_streams(line, code, out, error, tmp_path):
    done = in_shell(line, tmp_path)
    assert (done.returncode, done.stdout) == (code, out)
    assert done.stderr.count("\n") == bool(error) and error in done.stderr


@unix
def test_letters_that_an_encoding_lacks_cost_no_result(tmp_path):
    code = (
        "from lmu_spiking.cli import _open_streams\n"
        "_open_streams(); print('\\u00b1 \\u03b8 \\udcff'); "
    )
    for encoding in ("ascii", "latin-1", "utf-8"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment() | {"PYTHONIOENCODING": encoding},
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert (
            done.stdout.count(b"?") == {"ascii": 3, "latin-1": 2, "utf-8": 1}[encoding]
        )


@unix
def test_the_current_folder_that_is_gone_is_told(tmp_path):
    (tmp_path / "gone").mkdir()
    done = in_shell("cd gone && rmdir ../gone && LMU run", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lmu-spiking: the current folder: ")
    assert done.stderr.count("\n") == 1


@unix
def test_a_user_whom_no_list_knows_needs_no_home(tmp_path):
    code = (
        "import os, pwd; del os.environ['HOME']\n"
        "def nobody(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = nobody\n"
        "from lmu_spiking.cli import main; main(['collect', 'nowhere'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        **{"cwd": tmp_path, "env": environment() | {"HOME": "/"}},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "no finished trials" in done.stderr.splitlines()[-1]


DISCARDS = """
import os, signal, time
from lmu_spiking import cli
from lmu_spiking.cli import shell

class Finalizer:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)

def status(arguments):
    Finalizer()
    time.sleep(30)
    return 0

shell.status, cli.AGAIN = status, 0.3
cli.main()
"""


@unix
def test_a_signal_that_a_finalizer_discards_ends_the_program():
    given = {"env": environment(), "capture_output": True, "text": True}
    ended = subprocess.run([sys.executable, "-c", DISCARDS], timeout=20, **given)
    assert ended.returncode == 143
    assert ended.stderr.splitlines()[-1] == "lmu-spiking: interrupted"


@unix
# its child executes another program at once: a JAX of other tests does not matter
@pytest.mark.filterwarnings(r"ignore:os.fork\(\) was called:RuntimeWarning")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_programs_end_it_in_a_line(number, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", LATE, *"run --duration 2000".split()],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # not under nohup
    )
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.8)  # whenever it comes: while it imports, or while it runs
    child.send_signal(number)
    out, error = child.communicate()
    told = [line for line in error.splitlines() if not line.endswith(" s)")]
    if child.returncode == -number:  # it came before it was minded
        return
    assert (child.returncode, out) == (128 + number, "")
    assert told == ["lmu-spiking: interrupted"]


# -- tables --------------------------------------------------------------------------


def test_narrow_table_is_as_it_is():
    lines = table_lines("A title", ["name", "n"], [["  one", "1"], ["two", "22"]])
    assert lines == ["A title", "name    n", "  one   1", "two    22"]


@pytest.mark.parametrize("columns", range(1, 16))
@pytest.mark.parametrize("letters", [3, 9, 30])
def test_table_fits_with_every_word_whole(columns, letters):
    header = [f"head number {k} long" for k in range(columns)]
    rows = [[f"{'x' * letters}{k} [1, 2]" for k in range(columns)] for _ in range(3)]
    lines = table_lines("", header, rows)
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    assert all(words.count(f"{'x' * letters}{k}") == 3 for k in range(columns))
    assert "…" not in "".join(lines)


def test_heads_are_broken_before_cells():
    head = ["a long head of many words"] * 6
    lines = table_lines("", head, [["1,234 [1, 2]"] * 6])
    assert lines[-1].count("1,234 [1, 2]") == 6


# -- folders -------------------------------------------------------------------------


OUT = {
    "run": "--duration 1 --order 2 --neurons 40 --theta 0.1",
    "plan": "--error 0.3",
    "study": STUDY,
    "spikes": f"{STUDY} --budget 600",
    "deploy": "--target core --order 2 --neurons 48 --theta 0.1 --duration 0.5",
    "reproduce": "capacity --fast",
    "bench simulator": "--neurons 60",
}


SMALL = {
    "plan": "--error 0.3 --theta 0.1 --bandwidth 5 --order 4",
    "spikes": f"{STUDY} --neuron-types poisson --budget 600 --jobs 1 --no-sources",
    "study": f"{STUDY} --jobs 1",
    "bench simulator": "--neurons 60 --peers nengo --seconds 0.01",
}
SLOW = ("spikes", "deploy", "reproduce", "bench simulator")

MINE = b"\x89PNG of the user"
OWN = {  # files of the user's: some have the names of ours
    "run": ("run.png", "result.json", "spec.toml", "mine.png"),
    "plan": ("spec.toml", "mine.toml"),
    "study": ("error-vs-neurons.png", "report.html", "trials.parquet", "mine.png"),
    "collect": ("error-vs-spikes.png", "summary.parquet", "study.json", "a b.png"),
    "spikes": ("mine.png", "report.html", "budgets.parquet"),
    "deploy": ("layout.png", "ladder.png", "deployed.png", "result.json"),
    "reproduce": ("capacity.png", "result.json", "mine.png"),
    "bench simulator": ("simulator.png", "simulator.json", "mine.png"),
}


def run_in(out, name, shell):
    """Run a command, which must end well, with the least it has to do."""
    line = [*name.split(), *SMALL.get(name, OUT.get(name, "")).split()]
    line += [out] if name == "collect" else [f"--out={out}"]
    code, _, error = shell(*line)
    assert code == 0, error


@pytest.fixture
def undrawn(monkeypatch):
    for place in ("plots", "plots.style"):
        monkeypatch.setattr(f"lmu_spiking.{place}.png", lambda figure: b"\x89PNG")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW))
        for name in ("run", "plan", "study", "collect", *SLOW)
    ],
)
def test_no_file_of_the_user_is_lost(shell, name, tmp_path, undrawn):
    out = tmp_path / "out"
    if name == "collect":
        run_in(out, "study", shell)
    out.mkdir(exist_ok=True)
    for file in OWN[name]:
        (out / file).write_bytes(MINE + file.encode())
    for _ in range(2):  # nor by the next, which replaces what the first one wrote
        run_in(out, name, shell)
        left = [path.read_bytes() for path in out.iterdir() if path.is_file()]
        assert all(left.count(MINE + file.encode()) == 1 for file in OWN[name])
    kept = [path.name for path in out.glob("*.kept-*")]
    assert len(kept) < len(OWN[name])
    assert (out / OWN[name][-1]).exists() or kept


def test_a_spec_in_the_user_s_words_is_left_as_it_is(shell, tmp_path, undrawn):
    run_in(tmp_path, "run", shell)
    spec = tmp_path / "spec.toml"
    spec.write_text("# mine\n" + spec.read_text())
    line = ("run", f"--spec={spec}", "--duration=1", f"--out={tmp_path}")
    assert shell(*line)[0] == 0
    assert spec.read_text().startswith("# mine\n")
    code, _, error = shell(*line, "--seed=1")
    assert (code, "spec.kept-1.toml" in error) == (0, True)
    assert (tmp_path / "spec.kept-1.toml").read_text().startswith("# mine\n")
    assert "noise_seed = 1" in spec.read_text()


def test_deploy_leaves_no_picture_of_an_earlier_run(
    shell, tmp_path, monkeypatch, undrawn
):
    monkeypatch.chdir(tmp_path)
    line = "deploy --target core --order 2 --neurons 48 --theta 0.1 --duration 0.5"
    assert shell(*line.split(), "--tau=0.05", "--ladder")[0] == 0
    assert Path("out/deploy/ladder.png").exists()
    assert shell(*line.split(), "--tau=0.05")[0] == 0
    assert not Path("out/deploy/ladder.png").exists()
    assert Path("out/deploy/deployed.png").exists()


@pytest.mark.parametrize("name", OUT)
@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere"])
def test_what_is_no_folder_is_refused(shell, name, out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    code, said, error = shell(*name.split(), *OUT[name].split(), f"--out={out}")
    assert (code, said) == (2, "")
    told = [line for line in error.splitlines() if ": warning: " not in line]
    assert len(told) == 1
    assert f"--out {out}: cannot be written to" in told[0]


def test_full_disk_is_told_before_the_run(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lmu_spiking.cli.console.tempfile.TemporaryFile", full)
    code, said, error = shell("plan", "--out=there")
    assert (code, said) == (2, "")
    assert error == (
        "lmu-spiking: --out there: cannot be written to (No space left on device); "
        "choose another\n"
    )


def test_remedies_are_options():
    said = "use fewer neurons or structure='decode', or input_range=1.5; or not"
    told = "use fewer neurons or --structure decode, or --input-range 1.5; or not"
    assert as_options(said) == told
    said = (
        "use error_feedback='auto', tuning='balanced' or max_rate=200, n_neurons=9000"
    )
    told = (
        "use --error-feedback auto, --tuning balanced or --max-rate 200, --neurons 9000"
    )
    assert as_options(said) == told


def test_paths_and_fields_are_left_as_they_are():
    said = "/data/target=left/x.npz: fields.tuning='pairs'"
    assert as_options(said) == said


def test_warnings_name_options(capsys):
    with warnings.catch_warnings():
        console.show_warnings()
        warnings.warn("it is rough; use tuning='pairs'", ValidityWarning, stacklevel=1)
    assert capsys.readouterr().err.endswith("it is rough; use --tuning pairs\n")
