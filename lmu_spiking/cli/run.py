"""``lmu-spiking run``: one memory, one signal, measured beside predicted."""

from math import isnan
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.assembly import ALL_TUNINGS
from lmu_spiking.cli.console import Bar, prepare, print_json, print_table, tell
from lmu_spiking.simulator.targets import check_target
from lmu_spiking.tuning import NEURON_TYPES

ROWS = {
    "nrmse": "NRMSE at theta, against the input",
    "noise_nrmse": "NRMSE at theta, against the exact LDN",
    "window_noise_nrmse": "NRMSE of the window, against the exact LDN",
    "state_rmse": "RMSE of the state, against the exact LDN",
    "spikes_per_s": "spikes per second",
}


def _maybe(kind: type, help: str):
    """An option that is None unless given; its default depends on the others."""
    return Annotated[kind | None, typer.Option(help=help)]


def run(
    input: Annotated[
        str, typer.Option(help="white, ecg, or a .csv, .npz or .wav file.")
    ] = "white",
    bandwidth: _maybe(float, "Of white noise, Hz [2].") = None,
    rms: _maybe(float, "Of white noise [0.5].") = None,
    duration: _maybe(float, "Seconds [20, or a whole file].") = None,
    column: _maybe(str, "Of a file: its name, or number from 0.") = None,
    rate: _maybe(float, "Sampling rate of a file that says none, Hz.") = None,
    spec: _maybe(Path, "A memory and its white noise from a TOML file.") = None,
    order: _maybe(int, "Legendre coefficients [6].") = None,
    theta: _maybe(float, "Window, seconds [0.5].") = None,
    neurons: _maybe(int, "In all [6000]; beyond a million, as their sums.") = None,
    tau: _maybe(float, "Recurrent synapse, seconds [0.1, or the best].") = None,
    dt: _maybe(float, "Step, seconds [0.001].") = None,
    neuron_type: _maybe(str, f"{', '.join(NEURON_TYPES)} [poisson].") = None,
    tuning: _maybe(str, f"{', '.join(ALL_TUNINGS)} [what suits the neurons].") = None,
    max_rate: _maybe(float, "At the radius, Hz [300].") = None,
    target: Annotated[
        str, typer.Option(help="compiled, or core for Nengo's own simulator.")
    ] = "compiled",
    seed: _maybe(int, "Of the spikes (noise_seed) and of white noise [0].") = None,
    out: Annotated[
        Path, typer.Option(help="Folder for result.json, run.png and spec.toml.")
    ] = Path("out"),
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Run a spiking memory on a signal, and compare it with the law.

    \b
    lmu-spiking run
    lmu-spiking run --input ecg --out out/ecg
    lmu-spiking run --order 12 --neurons 60000 --bandwidth 4
    lmu-spiking run --order 12 --tuning optimal
    lmu-spiking run --input speech.wav --theta 0.02 --tau 0.01 --duration 2
    lmu-spiking run --spec out/spec.toml --seed 1 --json

    Defaults are in brackets. With --spec they are those of the file, such as spec.toml
    of an earlier run; with --input ecg, a memory of its last 0.1 s that the law has
    chosen. Files are resampled to --dt, and cut or repeated to --duration. Two windows
    of signal go before what is measured, so that its beginning does not ring.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking import plots
    from lmu_spiking.cli.inputs import choose_signal, choose_spec
    from lmu_spiking.studies.records import write_json
    from lmu_spiking.studies.trial import run_trial

    check_target("--target", target)
    chosen = choose_spec(
        spec,
        input,
        {
            "order": order,
            "theta": theta,
            "n_neurons": neurons,
            "tau": tau,
            "dt": dt,
            "neuron_type": neuron_type,
            "tuning": tuning,
            "max_rate": max_rate,
            "noise_seed": seed,
        },
        {"bandwidth": bandwidth, "rms": rms},
    )
    signal = choose_signal(input, chosen, duration, column, rate)
    prepare(out)
    if chosen.aggregated:
        tell(f"{chosen.n_neurons:,} neurons are simulated as sums of Poisson spikes")
    result = run_trial(chosen, signal, progress=Bar("Simulating"), target=target)
    plots.save_figure(plots.run_figure(result), out / "run.png")
    chosen.to_toml(out / "spec.toml")
    write_json(out / "result.json", result.row)
    if json:
        print_json(result.row)
    else:
        _report(result.row, out)


def _report(row: dict, out: Path) -> None:
    """The run in a table, measured beside predicted."""

    def text(key: str) -> str:
        if row[key] is None or isnan(row[key]):
            return "no law"
        return f"{row[key]:,.0f}" if key.endswith("spikes_per_s") else f"{row[key]:.4f}"

    print_table(
        f"{row['neurons']:,} {row['neuron_type']} neurons, order {row['order']}, "
        f"{row['theta']:g} s of {row['input']}",
        ["", "measured", "predicted"],
        [[name, text(key), text(f"predicted_{key}")] for key, name in ROWS.items()],
    )
    print(f"\n{row['spikes']:,} spikes in {row['duration']:g} s")
    print(f"{out / 'run.png'}, {out / 'result.json'}, {out / 'spec.toml'}")
