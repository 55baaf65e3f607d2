"""What users build on and must not change unnoticed: names, outputs, digests, spikes.

``tests/frozen.json`` holds them as they were; ``python tests/test_frozen.py`` writes it
anew, for a change that is meant.  Of the outputs of commands the keys and words are
equal, and the numbers to 1 part in 10^9: processors round sums differently (to 1 % for
membranes in single precision, where a spike may come a step later).  Spikes are
equal one by one: only a threshold that is met to the last digit could tell processors
apart.
"""

import contextlib
import enum
import hashlib
import inspect
import io
import json
import os
import tempfile
from pathlib import Path
from unittest import mock

import nengo
import numpy as np
import pytest

import lmu_spiking
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.simulator import Simulator

FILE = Path(__file__).with_name("frozen.json")
MEMBRANES = "noise of other neurons"  # a command, in single precision

# -- names -----------------------------------------------------------------------------


def signature(thing) -> str:
    """Return the parameters of a function or class, with their defaults."""
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        return ""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    bare = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=found.empty))


def public_names() -> dict:
    """Return each name of the front door with its parameters and public attributes."""
    found = {}
    for name in lmu_spiking.__all__:
        thing = getattr(lmu_spiking, name)
        found[name] = {"signature": signature(thing)}
        if inspect.isclass(thing):
            ours = (each for each in thing.__mro__ if "lmu_spiking" in each.__module__)
            own = {
                attribute
                for each in ours
                for attribute in (*vars(each), *getattr(each, "__annotations__", ()))
            }
            public = sorted(attribute for attribute in own if attribute[0] != "_")
            found[name]["attributes"] = public
    return found


# -- commands --------------------------------------------------------------------------

SMALL = "--order=3 --neurons=60 --duration=1"
STUDY = "--orders=1,2 --neurons-per-dimension=20,40 --trials=2 --duration=1 --theta=0.2"
COMMANDS = {
    "run": f"run {SMALL}",
    "run, noise of other neurons": f"run {SMALL} --neuron-type=lif --seed=3",
    "run, a file": f"run {SMALL} --input=mine.csv --tuning=balanced",
    "run, on nengo": f"run {SMALL} --target=core",
    "run, compared": f"run {SMALL} --compare",
    "plan": "plan --error=0.3 --theta=0.1 --bandwidth=5",
    "plan, spikes": "plan --error=0.3 --theta=0.1 --bandwidth=5 --minimise=spikes",
    "study": f"study {STUDY} --jobs=1 --out=study",
    "collect": "collect study",
    "spikes": f"spikes {STUDY} --neuron-types=poisson --budget=600 --jobs=1 "
    "--no-sources",
    "convert": "convert model.npz --neurons=2000 --presentation=0.001 --sequences=6 "
    "--jobs=1",
    "deploy": f"deploy {SMALL} --theta=0.1 --tau=0.05 --target=core",
    "reproduce": "reproduce capacity --fast",
}
# What the clock and the machine say, and where files lie.
PASSING = {"seconds", "time", "command", "version", "versions", "date", "path", "file"}


def lasting(value):
    """Return a record without what differs from one run to the next."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not PASSING & set(k.split("_"))}
        return {key: lasting(each) for key, each in kept.items()}
    return [lasting(each) for each in value] if isinstance(value, list) else value


def untrained() -> LMUParams:
    """Return a model for the digits."""
    cell = {"units": 12, "order": 6, "theta": 0.064, "connections": "", "bias": True}
    cell |= {"activation": "relu"}
    return LMUParams.draw(1, 10, [cell], classes=10, task="digits", last=True)


def run_commands() -> dict:
    """Return the JSON of each command, run one after the other in an empty folder."""
    from lmu_spiking.cli.shell import status

    found, before = {}, Path.cwd()
    undrawn = (
        mock.patch(f"lmu_spiking.{place}.png", lambda figure: b"\x89PNG")
        for place in ("plots", "plots.style")
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for each in undrawn:
            stack.enter_context(each)
        os.chdir(folder)
        try:
            t = np.arange(0, 3, 0.01)
            table = np.c_[t, np.sin(4 * t)]
            np.savetxt("mine.csv", table, delimiter=",", header="time,u")
            lmu_spiking.save_params(untrained(), "model.npz")
            for name, line in COMMANDS.items():
                out, error = io.StringIO(), io.StringIO()
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
                    code = status([*line.split(), "--json"])
                assert code == 0, f"{line}: {error.getvalue()}"
                found[name] = lasting(json.loads(out.getvalue()))
        finally:
            os.chdir(before)
    return found


# -- digests ---------------------------------------------------------------------------

SPECS = {
    "default": {},
    "neurons": {"n_neurons": 1200, "order": 12},
    "window": {"theta": 0.25, "tau": 0.05, "dt": 0.0005},
    "balanced": {"tuning": "balanced"},
    "optimal": {"tuning": "optimal", "n_neurons": 6000},
    "lif": {"neuron_type": "lif", "radii": 1.5},
    "radii": {"order": 3, "n_neurons": 30, "radii": (1.0, 0.5, 0.2)},
    "drawn": {"tuning": "drawn", "tuning_seed": 5},
    "sums": {"aggregated": True, "noise_seed": 7},
    "signal": {"signal": SignalSpec(bandwidth=5.0, rms=0.25)},
}


def digests() -> dict:
    """Return the digest of each spec."""
    return {name: MemorySpec(**fields).digest for name, fields in SPECS.items()}


# -- spikes ----------------------------------------------------------------------------

MEMORIES = {
    "poisson": {},
    "poisson balanced": {"tuning": "balanced"},
    "poisson optimal": {"tuning": "optimal", "n_neurons": 1200},
    "poisson drawn": {"tuning": "drawn", "neuron_type": "poisson-lif"},
    "poisson sums": {"aggregated": True, "n_neurons": 60_000},
    "stochastic": {"neuron_type": "stochastic"},
    "regular": {"neuron_type": "regular"},
    "if": {"neuron_type": "if"},
    "lif": {"neuron_type": "lif", "radii": 1.5},
    "if drawn": {"neuron_type": "if", "tuning": "drawn"},
}
CELLS = {"cell": 1, "two cells": 2}


def memory(**fields) -> nengo.Network:
    """Return a network with one memory of white noise, and a probe of its spikes."""
    spec = MemorySpec(**({"n_neurons": 120, "order": 4, "theta": 0.2} | fields))
    with nengo.Network(seed=1) as model:
        process = nengo.processes.WhiteSignal(1.0, high=4.0, rms=0.5, seed=2)
        stimulus = nengo.Node(process)
        built = LegendreMemory.from_spec(spec)
        nengo.Connection(stimulus, built.input, synapse=None)
        model.probes_of_spikes = probes_of(built)
    return model


def cells(n_cells: int) -> nengo.Network:
    """Return a network of rate-based cells in Poisson spikes."""
    cell = {"units": 4, "order": 4, "theta": 0.1, "connections": "W_x"}
    params = LMUParams.draw(1, 2, [cell | {"activation": "relu"}] * n_cells, seed=3)
    with nengo.Network(seed=1) as model:
        process = nengo.processes.WhiteSignal(1.0, high=4.0, rms=0.5, seed=2)
        stimulus = nengo.Node(process)
        built = LMUNetwork(params, 400, neuron_type="poisson", presentation=0.002)
        nengo.Connection(stimulus, built.input, synapse=None)
        model.probes_of_spikes = probes_of(built)
    return model


def probes_of(network: nengo.Network) -> list:
    """Return probes of the output of all neurons of a network."""
    return [nengo.Probe(each.neurons) for each in network.all_ensembles]


def networks() -> dict:
    """Return the name of each network and what builds it."""
    found = {name: (memory, fields) for name, fields in MEMORIES.items()}
    return found | {name: (cells, {"n_cells": n}) for name, n in CELLS.items()}


def spikes_of(name: str, simulator) -> str:
    """Return a digest of all spikes of 0.3 s of a network, as counts in each step."""
    build, fields = networks()[name]
    model, counted = build(**fields), hashlib.sha256()
    with simulator(model) as sim:
        sim.run_steps(300)
    total = 0
    for probe in model.probes_of_spikes:
        counts = np.round(sim.data[probe] * sim.dt).astype("<i8")
        counted.update(counts.tobytes())
        total += int(counts.sum())
    assert total > 100, name
    return f"{total} {counted.hexdigest()[:16]}"


SIMULATORS = {
    "nengo": lambda model: nengo.Simulator(model, progress_bar=False),
    "compiled": lambda model: Simulator(model, dtype="float64", progress_bar=False),
}


def trains() -> dict:
    """Return the digest of the spikes of each network in both simulators."""
    return {
        name: {kind: spikes_of(name, make) for kind, make in SIMULATORS.items()}
        for name in networks()
    }


# -- what is held ----------------------------------------------------------------------

WRITTEN = {
    "names": public_names,
    "commands": run_commands,
    "digests": digests,
    "spikes": trains,
}


@pytest.fixture(scope="module")
def frozen():
    return json.loads(FILE.read_text(encoding="utf-8"))


def alike(now, was, place="") -> None:
    """Check that keys and words of two records are equal, and numbers nearly so."""
    if isinstance(was, dict):
        assert now.keys() == was.keys(), place
        for key, each in was.items():
            alike(now[key], each, f"{place}.{key}")
    elif isinstance(was, list):
        assert len(now) == len(was), place
        for k, pair in enumerate(zip(now, was, strict=True)):
            alike(*pair, f"{place}[{k}]")
    elif isinstance(was, float):
        rel = 1e-2 if MEMBRANES in place else 1e-9
        assert now == pytest.approx(was, rel=rel, abs=1e-12, nan_ok=True), place
    else:
        assert now == was, place


def test_names_and_parameters_are_those_that_users_know(frozen):
    now = public_names()
    assert now.keys() == frozen["names"].keys()
    for name, was in frozen["names"].items():
        assert now[name] == was, name


def test_outputs_of_commands_are_those_that_scripts_read(frozen):
    pytest.importorskip("sklearn")
    alike(run_commands(), frozen["commands"])


def test_digests_of_specs_name_the_same_trials(frozen):
    assert digests() == frozen["digests"]


@pytest.mark.parametrize("kind", SIMULATORS)
@pytest.mark.parametrize("name", networks())
def test_networks_fire_the_same_spikes(frozen, name, kind):
    assert spikes_of(name, SIMULATORS[kind]) == frozen["spikes"][name][kind]


if __name__ == "__main__":
    record = {name: write() for name, write in WRITTEN.items()}
    FILE.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
