"""``lmu-spiking deploy``: a memory on the chip's arithmetic, with its costs."""

import os
import shlex
import sys
from pathlib import Path
from textwrap import wrap
from typing import Annotated

import typer

from lmu_spiking.cli.console import Bar, prepare, print_json, print_table
from lmu_spiking.cli.run import _maybe
from lmu_spiking.errors import ValidationError, check_seed, check_whole

DURATION = 6.0
NEURONS = 600
KINDS = ("if", "lif", "noisy")
ROWS = {
    "nrmse": "NRMSE at theta, against the input",
    "noise_nrmse": "NRMSE at theta, against the exact LDN",
    "window_nrmse": "NRMSE of the window, against the input",
    "window_noise_nrmse": "NRMSE of the window, against the exact LDN",
    "state_rmse": "RMSE of the state, against the exact LDN",
}


def deploy(
    target: Annotated[
        str, typer.Option(help="core, simreal, emulator or board.")
    ] = "emulator",
    input: Annotated[
        str, typer.Option(help="white, ecg, or a .csv, .npz or .wav file.")
    ] = "white",
    bandwidth: _maybe(float, "Of white noise, Hz [2].") = None,
    rms: _maybe(float, "Of white noise [0.5].") = None,
    duration: _maybe(float, "Seconds [6; less of a shorter file].") = None,
    column: _maybe(str, "Of a file: its name, or number from 0.") = None,
    rate: _maybe(float, "Sampling rate of a file that says none, Hz.") = None,
    spec: _maybe(Path, "A memory and its white noise from a TOML file.") = None,
    order: _maybe(int, "Legendre coefficients [6].") = None,
    theta: _maybe(float, "Window, seconds [0.5].") = None,
    neurons: _maybe(int, "In all [600].") = None,
    tau: _maybe(float, "Recurrent synapse, seconds [0.1].") = None,
    dt: _maybe(float, "Step, seconds [0.001].") = None,
    neuron_type: _maybe(str, f"{', '.join(KINDS)} [if].") = None,
    max_rate: _maybe(float, "At the radius, Hz [120].") = None,
    chips: Annotated[int, typer.Option(help="Chips that there are.")] = 1,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="All rungs from core to --target.")
    ] = False,
    trials: Annotated[int, typer.Option(help="Seeds of --ladder, from --seed on.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the curves and the rounding.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder for result.json and pictures.")
    ] = Path("out/deploy"),
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Lay a memory out for Loihi, run it, and say what was lost and what it costs.

    \b
    lmu-spiking deploy
    lmu-spiking deploy --target simreal --order 3 --neurons 300 --theta 0.1
    lmu-spiking deploy --ladder --trials 3 --out out/ladder
    lmu-spiking deploy --input ecg --neurons 1000 --duration 3
    lmu-spiking deploy --neuron-type lif --max-rate 200 --json
    lmu-spiking deploy --neuron-type noisy --neurons 1200
    lmu-spiking deploy --target board --chips 2

    core is Nengo itself, simreal the chip's structure in floating point, emulator the
    chip's integers; a board needs Intel's NxSDK. Only core runs without NengoLoihi.
    The emulator takes seconds to minutes for a second of signal. --ladder shows how
    much of the error came with each rung. Energy is an estimate, never a measurement.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking import plots
    from lmu_spiking.cli.inputs import choose_spec
    from lmu_spiking.loihi.deploy import deploy as put
    from lmu_spiking.loihi.ladder import TARGETS
    from lmu_spiking.loihi.ladder import ladder as climb
    from lmu_spiking.loihi.target import Target, nengo_loihi
    from lmu_spiking.studies.records import write_json

    place = Target(target)
    check_seed("--seed", seed)
    check_whole("--chips", chips, 1)
    check_whole("--trials", trials, 1)
    if trials > 1 and not ladder:
        raise ValidationError("--trials", trials, "is for --ladder only")
    if neuron_type not in (None, *KINDS):
        raise ValidationError(
            "--neuron-type",
            neuron_type,
            "cannot be on Loihi",
            "use --neuron-type if, lif or noisy here, or lmu-spiking run for others",
        )
    if place is not Target.CORE:
        nengo_loihi()
    chosen = choose_spec(
        spec,
        input,
        {
            "order": order,
            "theta": theta,
            "n_neurons": NEURONS if neurons is None and spec is None else neurons,
            "tau": tau,
            "dt": dt,
            # noisy neurons are the chip's alone: a spec has no name for them
            "neuron_type": None if neuron_type == "noisy" else neuron_type,
        },
        {"bandwidth": bandwidth, "rms": rms},
    )
    _check_size(chosen, chips)
    signal, seconds = _signal(input, chosen, duration, column, rate)
    prepare(out)
    options = {"duration": seconds, "neuron_type": neuron_type, "chips": chips}
    options |= {"signal": signal, "options": {"n_chips": chips}}
    options |= {} if max_rate is None else {"max_rate": max_rate}
    record: dict = {}
    files = {"result": "result.json", "readout": "deployed.png"}
    with Bar(f"On {place}") as bar:
        options["progress"] = bar.advance_to
        if ladder:
            rungs = [rung for rung in Target if rung in TARGETS or rung is place]
            rungs = rungs[: rungs.index(place) + 1]
            seeds = range(seed, seed + trials)
            found = climb(chosen, targets=rungs, seeds=seeds, **options)
            done = found.last
            record = {"steps": found.steps(), "total": found.total()}
            record |= {"rows": found.rows}
        else:
            done = put(chosen, place, seed=seed, **options)
    pictures = {"deployed.png": plots.deployed(done)}
    if done.budget is not None:
        files["layout"] = "layout.png"
        pictures["layout.png"] = plots.layout_figure(done.budget)
    if ladder:
        files["ladder"] = "ladder.png"
        pictures["ladder.png"] = plots.ladder_figure(found)
    for name, figure in pictures.items():
        plots.save_figure(figure, out / name)
    record = done.row | record
    record |= {
        "input": input,
        "duration": len(done.signal) * chosen.dt,
        "seed": seed,
        "chips": chips,
        "command": shlex.join(["lmu-spiking", *sys.argv[1:]]),
        "files": {key: str(out / name) for key, name in files.items()},
    }
    write_json(out / "result.json", record)
    if json:
        print_json(record)
    else:
        _report(record)


def _signal(source: str, spec, duration: float | None, column, rate):
    """The signal, or None and seconds of the white noise that the spec names.

    Noise is not given away: a layout is measured on other noise of the same band.
    """
    from lmu_spiking.cli.inputs import check_duration, choose_signal

    if source != "white":
        if source == "ecg" and duration is None:
            duration = DURATION
        signal = choose_signal(source, spec, duration, column, rate)
        if duration is None and signal.duration > DURATION:
            signal = signal.looped(max(DURATION, 2 * spec.theta))
        return signal, signal.duration
    for option, value in (("--column", column), ("--rate", rate)):
        if value is not None:
            raise ValidationError(option, value, "is for a file as --input only")
    duration = max(DURATION, 2 * spec.theta) if duration is None else duration
    check_duration(spec, duration)
    return None, duration


def _check_size(spec, chips: int) -> None:
    """Refuse what cannot fit before its weights, all to all, fill the memory."""
    from lmu_spiking.loihi.limits import CORES_PER_CHIP, LIMITS

    bits = chips * CORES_PER_CHIP * LIMITS["synapse_bits"]
    most = int((bits / 8) ** 0.5)
    try:
        pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        most = min(most, int((pages / 64) ** 0.5))
    except (AttributeError, ValueError, OSError):  # not on this system
        pass
    if spec.n_neurons > most:
        raise ValidationError(
            "--neurons",
            spec.n_neurons,
            f"are too many: every one has a weight of 8 bits for every other, and "
            f"{chips} chip{'s' * (chips > 1)} or this computer hold {most:,} of them",
            f"use at most {most:,}, or run, which needs no such weights",
        )


def _report(row: dict) -> None:
    """What was measured beside what was predicted, in 80 columns."""
    kind = {"SpikingRectifiedLinear": "if", "LIF": "lif"}
    kind |= {"NoisyRectifiedLinear": "noisy"}
    kind = kind.get(row["neuron_type"], row["neuron_type"])
    print_table(
        f"{row['neurons']:,} {kind} neurons, order {row['order']}, "
        f"{row['theta']:g} s of {row['input']}, on {row['target']}",
        ["", "measured", "predicted"],
        [
            [name, f"{row[key]:.4f}", f"{row[f'predicted_{key}']:.4f}"]
            for key, name in ROWS.items()
        ],
    )
    print(f"\n{_costs(row)}")
    if "steps" in row:
        print()
        _tell_steps(row)
    for advice in row["advice"]:
        said = f"NengoLoihi: {advice['text']} ({advice['count']} times)"
        if advice["kind"] in ("structure", "input", "error"):
            said = f"{advice['kind'].capitalize()}: {advice['text']}"
        lines = wrap(said, 78)
        print("\n" + "\n  ".join(lines))
    print()
    for file in row["files"].values():
        print(file)


def _costs(row: dict) -> str:
    """Cores, spikes and energy in a line."""
    spikes = f"{row['spikes_per_s']:,.0f} spikes/s"
    if row["cores"] is None:
        return f"{spikes} ({row['mean_rate']:.0f} Hz a neuron)"
    chips = f"{row['chips']} chip{'s' * (row['chips'] > 1)}"
    cores = f"{row['cores']} core{'s' * (row['cores'] > 1)}"
    costs = [f"{cores} of {chips}", spikes]
    if row["synops_per_s"] is not None:
        costs.append(f"{row['synops_per_s']:.3g} synops/s")
    if row["estimated_dynamic_watts"] is not None:
        milli = 1e3 * row["estimated_dynamic_watts"]
        costs.append(f"{milli:.3g} mW (estimated)")
    return ", ".join(costs)


def _tell_steps(row: dict) -> None:
    """Where the error arose."""

    def text(step: dict, key: str) -> str:
        low, high = step[f"{key}_low"], step[f"{key}_high"]
        half = "" if low is None else f" ± {(high - low) / 2:.5f}"
        return f"{step[key]:.5f}{half}"

    print_table(
        "Where the error arose: mean squares over the signal's (NRMSE squared)",
        ["", "at theta", "predicted", "window", "predicted"],
        [
            [
                step["step"],
                text(step, "delay"),
                f"{step['predicted_delay']:.5f}",
                text(step, "window"),
                f"{step['predicted_window']:.5f}",
            ]
            for step in (*row["steps"], row["total"])
        ],
    )
    trials = len({each["seed"] for each in row["rows"]})
    spread = f" ± is a 95 % interval over {trials} seeds." if trials > 1 else ""
    print(f"Below 0, errors cancelled by chance.{spread}")
