"""``lmu-spiking convert``: the same weights as a spiking network."""

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import Bar, prepare, print_json, print_table, tell
from lmu_spiking.cli.run import _maybe
from lmu_spiking.cli.train import load_sequences, task_options
from lmu_spiking.conversion.settings import ConvertSettings
from lmu_spiking.errors import ValidationError, check_seed, check_whole
from lmu_spiking.simulator.targets import check_target

DEFAULT = ConvertSettings()


def convert(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="model.npz, or a Keras LMU file.")
    ],
    neurons: _maybe(str, "In all; several, with commas, make a curve.") = None,
    presentation: _maybe(float, "Of a sample, seconds.") = None,
    dt: Annotated[float, typer.Option(help="Step, seconds.")] = DEFAULT.dt,
    neuron_type: Annotated[
        str, typer.Option(help="poisson, stochastic, regular or if.")
    ] = DEFAULT.neuron_type,
    tuning: Annotated[
        str, typer.Option(help="balanced, optimal or pairs.")
    ] = DEFAULT.tuning,
    synapse: _maybe(float, "Of the memories, seconds [the best].") = None,
    max_rate: Annotated[
        float, typer.Option(help="Exceeded .1 % of the time, Hz.")
    ] = DEFAULT.max_rate,
    hidden_share: Annotated[
        float, typer.Option(help="Of the neurons, for hidden units.")
    ] = DEFAULT.hidden_share,
    readout_synapse: _maybe(float, "Of the output, seconds [none].") = None,
    task: _maybe(str, "Where the model does not name its own.") = None,
    data: _maybe(str, "psmnist: an mnist.npz (Keras) or a folder of IDX files.") = None,
    split: _maybe(int, "Which split of the data [the model's].") = None,
    sequences: _maybe(int, "Of the test part, at most [all].") = None,
    target: Annotated[
        str, typer.Option(help="compiled, or core for Nengo's own simulator.")
    ] = "compiled",
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
    seed: Annotated[int, typer.Option(help="Draws the spikes.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for conversion.json [the model's].")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Turn a trained model into spikes, and account for what they lose.

    \b
    lmu-spiking convert out/digits/model.npz
    lmu-spiking convert out/digits/model.npz --neurons 10000,100000,1000000
    lmu-spiking convert out/psmnist/model.npz --presentation 0.001 --sequences 200
    lmu-spiking convert trained.keras --task digits

    Presenting samples longer changes nothing but the noise: windows are stretched. The
    loss is predicted from the law before the run (Poisson and stochastic neurons).
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking.conversion import convert as turn
    from lmu_spiking.conversion import report
    from lmu_spiking.plots import conversion_figure, save_figure
    from lmu_spiking.studies.records import write_json
    from lmu_spiking.studies.trial import versions

    check_seed("--seed", seed)
    check_target("--target", target)
    if jobs != -1 and jobs < 1:
        raise ValidationError("--jobs", jobs, "must be at least 1, or -1")
    params = _read(model)
    task = _task(params, task, model)
    options = task_options(task, data, split)
    if task == params.header.get("task"):
        options = params.header.get("task_options", {}) | options
    out = model.parent if out is None else out
    prepare(out)
    loaded = load_sequences(task, options)
    tell(loaded.origin)
    _check_fit(params, loaded, model)
    test = loaded.test
    n = len(test.x) if sequences is None else check_whole("--sequences", sequences, 1)
    x, y = test.x[:n], test.y[:n]
    common = _chosen(task, presentation) | {
        "dt": dt,
        "neuron_type": neuron_type,
        "tuning": tuning,
        "synapse": synapse,
        "max_rate": max_rate,
        "hidden_share": hidden_share,
        "readout_synapse": readout_synapse,
        "noise_seed": seed,
    }
    counts = _counts(neurons, common.pop("n_neurons"))
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    start, rows = time.perf_counter(), []
    for m in counts:
        made = turn(params, loaded.train.x, last=loaded.last, n_neurons=m, **common)
        with Bar(f"{m:,} neurons", len(x)) as bar:
            where = {"jobs": jobs, "target": target}
            done = report(
                made, x, y, last=loaded.last, progress=bar.advance_to, **where
            )
        rows.append(done.to_dict() | {"synapse": made.memories[0]["synapse"]})
    record = rows[-1] | {
        "task": task,
        "model": str(model),
        "origin": loaded.origin,
        "presentation": common["presentation"],
        "dt": dt,
        "neuron_type": neuron_type,
        "tuning": tuning,
        "max_rate": max_rate,
        "target": target,
        "seed": seed,
        "seconds": time.perf_counter() - start,
        "command": shlex.join(["lmu-spiking", *sys.argv[1:]]),
        "versions": versions(),
        "files": {
            "result": str(out / "conversion.json"),
            "figure": str(out / "conversion.png"),
        },
    }
    title = f"{task}: {common['presentation'] * 1000:g} ms a sample, {neuron_type}"
    save_figure(conversion_figure(rows, title), out / "conversion.png")
    write_json(out / "conversion.json", record | {"rows": rows})
    if json:
        print_json(record | ({"rows": rows} if len(rows) > 1 else {}))
        return
    _tell(title, rows)
    print(f"\n{record['seconds']:.0f} s; {', '.join(record['files'].values())}")


def _tell(title: str, rows: list[dict]) -> None:
    """A table of all counts of neurons."""
    metric = rows[0]["metric"]
    header = ["neurons", f"{metric}, rate", "spiking", "loss", "95 %", "predicted"]
    header += ["spikes", "synops"]
    table = [
        [
            f"{row['neurons']:,}",
            f"{row['rate_' + metric]:.4f}",
            f"{row['spiking_' + metric]:.4f}",
            f"{row['loss']:.4f}",
            f"{row['loss_low']:.4f} to {row['loss_high']:.4f}",
            "-" if row["predicted_loss"] is None else f"{row['predicted_loss']:.4f}",
            f"{row['spikes_per_inference']:.2g}",
            f"{row['synops_per_inference']:.2g}",
        ]
        for row in rows
    ]
    print_table(f"{title}, {rows[0]['sequences']} sequences", header, table)
    print("\nSpikes and synaptic operations are those of one sequence.")


def _read(model: Path):
    """Parameters from our own file or from a Keras model."""
    from lmu_spiking.rates import load_params

    if model.suffix in (".keras", ".h5", ".hdf5"):
        from lmu_spiking.training.importers import import_params

        return import_params(model)
    return load_params(model)


def _task(params, task: str | None, model: Path) -> str:
    found = task or params.header.get("task")
    if found is None:
        raise ValidationError(
            "MODEL", str(model), "does not name its task", "give it with --task"
        )
    return found


def _check_fit(params, loaded, model: Path) -> None:
    sizes = (params.size_in, params.size_out)
    if sizes != (loaded.size_in, loaded.size_out):
        raise ValidationError(
            "MODEL",
            str(model),
            f"has {sizes[0]} inputs and {sizes[1]} outputs, not {loaded.size_in} and "
            f"{loaded.size_out} as {loaded.name}",
        )


def _chosen(task: str, presentation: float | None) -> dict:
    """Neurons and presentation: the recipe's, where the user names none."""
    from lmu_spiking.training.recipes import RECIPES

    found = {"n_neurons": DEFAULT.n_neurons, "presentation": DEFAULT.presentation}
    found |= RECIPES[task].conversion if task in RECIPES else {}
    return found if presentation is None else found | {"presentation": presentation}


def _counts(neurons: str | None, default: int) -> list[int]:
    """Counts of neurons from a list with commas, rising."""
    if neurons is None:
        return [default]
    try:
        counts = [float(part) for part in neurons.split(",")]
        if any(count != int(count) or count < 1 for count in counts):
            raise ValueError
    except (ValueError, OverflowError):
        raise ValidationError(
            "--neurons", neurons, "must be whole numbers, with commas between"
        ) from None
    return sorted({int(count) for count in counts})
