"""Help: what it teaches is true, runs, and fits a terminal."""

import re
import shlex
from typing import get_args, get_type_hints

import pytest
import typer

from lmu_spiking.cli import known, options
from lmu_spiking.cli.shell import app

ROOT = typer.main.get_command(app)
COMMANDS = {
    **{name: ROOT.commands[name] for name in ROOT.commands if name != "bench"},
    "bench simulator": ROOT.commands["bench"].commands["simulator"],
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def examples(text):
    return re.findall(r"^  (lmu-spiking .*?)(?:   .*)?$", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["", "bench", *COMMANDS])
def test_help_fits_and_opens_with_what_it_is_for(name, shell):
    code, out, error = shell(*name.split(), "--help")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in out
    assert lines[0].endswith(".") and len(lines[0]) > 20
    assert lines[2].startswith("Usage: lmu-spiking")
    assert out.index("lmu-spiking", out.index("Usage") + 20) < out.index("--help  ")


@pytest.mark.parametrize("name", COMMANDS)
def test_two_to_four_examples_are_commands(name, shell):
    found = examples(shell(*name.split(), "--help")[1])
    assert 2 <= len(found) <= 4
    assert any(line.startswith(f"lmu-spiking {name}") for line in found)
    for line in found:
        _, *arguments = shlex.split(line)
        command = ROOT
        while arguments and arguments[0] in getattr(command, "commands", {}):
            command = command.commands[arguments.pop(0)]
        command.make_context(line, arguments)  # refuses what it does not know


def test_front_says_where_to_start_in_the_order_of_use(shell):
    code, out, _ = shell()
    assert code == 0
    assert out == shell("--help")[1]
    for line in examples(out):
        _, name, *arguments = shlex.split(line)
        COMMANDS[name].make_context(line, arguments)
    order = ["doctor", "run", "plan", "study", "collect", "train", "convert", "deploy"]
    at = [re.search(rf"^  {name} +[A-Z]", out, re.MULTILINE).start() for name in order]
    assert at == sorted(at)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_under_a_heading_with_its_default(name, shell):
    out = shell(*name.split(), "--help")[1]
    for param in COMMANDS[name].params:
        if param.param_type_name == "argument":
            assert param.metavar in out
            continue
        assert param.opts[0] in out
        assert param.rich_help_panel, param.name
        assert param.help, param.name
        if param.default not in (None, True, False) and not callable(param.default):
            shown = param.default
            shown = f"{shown:g}" if isinstance(shown, float) else shown
            assert f"[{shown}]" in out, param.name


def test_names_are_those_of_the_library():
    from lmu_spiking.conversion import settings
    from lmu_spiking.experiments.speed.run import KINDS, PEERS
    from lmu_spiking.loihi.run.deploy import STRUCTURES
    from lmu_spiking.loihi.run.target import Target
    from lmu_spiking.memory.basis import ALL_TUNINGS, REALISED
    from lmu_spiking.networks import hidden
    from lmu_spiking.neurons.curves import NEURON_TYPES, neuron_type
    from lmu_spiking.simulator.targets import TARGETS
    from lmu_spiking.tasks.catalogue import TASKS
    from lmu_spiking.theory.plan import GOALS
    from lmu_spiking.training.loop import ENGINES

    assert known.NEURON_TYPES == NEURON_TYPES
    assert known.SPIKING == tuple(n for n in NEURON_TYPES if neuron_type(n).spiking)
    assert known.TUNINGS == ALL_TUNINGS
    assert known.REALISED == REALISED
    assert known.GOALS == GOALS
    assert known.TARGETS == TARGETS
    assert known.RUNGS == tuple(Target)
    assert known.STRUCTURES == STRUCTURES
    assert known.CONVERTED == tuple(n for n in hidden.NEURON_TYPES if n != "rate")
    assert known.CONVERTED_TUNINGS == settings.TUNINGS
    assert known.TASKS == tuple(TASKS)
    assert set(known.ENGINES) == set(ENGINES)
    assert known.TIMED == tuple(KINDS)
    assert known.PEERS == tuple(PEERS)


def test_defaults_are_those_of_the_library():
    from lmu_spiking.conversion.settings import ConvertSettings

    standard = ConvertSettings()
    given = {param.name: param.default for param in COMMANDS["convert"].params}
    for name in ("dt", "neuron_type", "tuning", "max_rate", "hidden_share"):
        assert given[name] == getattr(standard, name)


# -- numbers -------------------------------------------------------------------------

NONSENSE = ("nan", "inf", "-inf", "-1", "0", "1e99", "10" * 50, "six", "")
TAKEN = {"0": 0, "-1": -1}  # nonsense for most, not for all
REQUIRED = {"train": ["digits"], "convert": ["m.npz"], "reproduce": ["capacity"]}


def numeric():
    """Every option of every command that takes a number, or several."""
    for name, command in COMMANDS.items():
        for param in command.params:
            limits = limits_of(param)
            if limits is not None:
                yield name, param.opts[0], limits


def limits_of(param):
    """What the option was declared with: its callback holds the limits."""
    inner = getattr(param.callback, "__wrapped__", param.callback)
    for cell in getattr(inner, "__closure__", None) or ():
        check = cell.cell_contents
        owner = getattr(check, "__self__", None)
        if isinstance(owner, options.Limits):
            return owner
        found = limits_of_function(check)
        if found is not None:
            return found
    return None


def limits_of_function(function):
    for cell in getattr(function, "__closure__", None) or ():
        owner = getattr(cell.cell_contents, "__self__", None)
        if isinstance(owner, options.Limits):
            return owner
    return None


NUMERIC = list(numeric())


def test_all_numbers_have_limits():
    """By the types that Typer knows, and by how many there are."""
    bounded = {(name, option) for name, option, _ in NUMERIC}
    for name, command in COMMANDS.items():
        hints = get_type_hints(command.callback.__wrapped__)
        for param in command.params:
            kinds = {hints[param.name], *get_args(hints[param.name])}
            if kinds & {int, float}:
                assert (name, param.opts[0]) in bounded
    assert len(bounded) > 70


@pytest.mark.parametrize(("name", "option", "limits"), NUMERIC)
def test_nonsense_is_refused_before_anything_runs(
    name, option, limits, shell, monkeypatch
):
    def never(*_):
        raise AssertionError("it ran")

    monkeypatch.setattr("lmu_spiking.cli.help.Command.invoke", never)
    for value in NONSENSE:
        if value in TAKEN and TAKEN[value] in limits:
            continue
        line = [*name.split(), *REQUIRED.get(name, []), f"{option}={value}"]
        code, out, error = shell(*line)
        assert (code, out) == (2, ""), value
        assert error.count("\n") == 1
        assert option in error
        assert "Traceback" not in error


def test_numbers_are_read_as_typed():
    whole, real = options.Limits(int, 1, 10**18), options.Limits(most=1e3)
    for text, number in (("10000", 10_000), ("1e4", 10_000), (" 7 ", 7)):
        found = whole.check("--n", text)
        assert (found, type(found)) == (number, int)
    assert whole.check("--n", str(10**17 + 1)) == 10**17 + 1  # beyond a float
    assert whole.read("--n", "1e1, 2") == [10, 2]
    assert real.check("--x", "1e2") == 100.0
    assert (whole.check("--n", 5), real.check("--x", 0.5)) == (5, 0.5)  # defaults


def test_limits_are_said_in_words():
    jobs = options.Limits(int, 1, 64, also=(-1,))
    assert str(jobs) == "1 to 64, or -1"
    assert -1 in jobs and 0 not in jobs and float("nan") not in jobs
    assert str(options.Limits(above=True, most=1.0)) == "above 0, up to 1"
    assert 0.0 not in options.Limits(above=True)
    assert options.Limits(int, 1, 9).read("--n", "3, 3,2") == [3, 2]
