"""``lmu-spiking convert``: the same weights as a spiking network."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import files
from lmu_spiking.cli.console import (
    Bar,
    command_line,
    prepare,
    print_json,
    print_table,
    tell,
)
from lmu_spiking.cli.known import CONVERTED, CONVERTED_TUNINGS, TASKS
from lmu_spiking.cli.train import DATA, Data, load_sequences, task_options
from lmu_spiking.errors import ValidationError


def convert(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="model.npz as train writes it, or a Keras LMU (.keras, .h5)",
            autocompletion=files(".npz", ".keras", ".h5"),
        ),
    ],
    neurons: o.numbers(
        "In all; several make a curve", kind=int, most=o.NEURONS, panel=o.MEMORY
    ) = None,
    presentation: o.number("Of a sample", "SECONDS", unset="the recipe's") = None,
    dt: o.step() = 0.001,
    neuron_type: o.one_of("", CONVERTED) = "poisson",
    tuning: o.one_of("", CONVERTED_TUNINGS) = "balanced",
    synapse: o.number("Of the memories", "SECONDS", unset="the best") = None,
    max_rate: o.max_rate(help="Exceeded by a neuron 0.1 % of the time") = 300.0,
    hidden_share: o.number("Of the neurons, for hidden units", most=1.0) = 0.2,
    readout_synapse: o.number("Of the output", "SECONDS", unset="none") = None,
    task: o.one_of("", TASKS, panel=DATA, unset="the model's") = None,
    data: Data = None,
    split: o.seed("Which split of the data", panel=DATA, unset="the model's") = None,
    sequences: o.whole("Of the test part, at most", panel=DATA, unset="all") = None,
    target: o.Target = "compiled",
    jobs: o.Jobs = -1,
    seed: o.seed("Draws the spikes") = 0,
    out: o.out("For conversion.json and its figure", unset="the model's") = None,
    json: o.Json = False,
):
    """Turn a trained model into spikes, and account for what they lose.

    \b
    lmu-spiking train digits
    lmu-spiking convert out/digits/model.npz
    lmu-spiking convert out/digits/model.npz --neurons 10000,100000
    lmu-spiking convert out/digits/model.npz --presentation 0.001 --sequences 100

    Presenting samples longer changes nothing but the noise: windows are stretched. The
    loss is predicted before the run (for Poisson and stochastic neurons). A Keras LMU,
    which does not name its task, takes --task.
    """  # noqa: D301 (the \b marks the examples)
    with Bar("Reading the model and the data"):
        from lmu_spiking.conversion import convert as turn
        from lmu_spiking.conversion import report
        from lmu_spiking.plots import conversion_figure, save_figure
        from lmu_spiking.studies.folder import Folder
        from lmu_spiking.studies.records import write_json
        from lmu_spiking.studies.trial import versions

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
    x, y = loaded.test.x[:sequences], loaded.test.y[:sequences]
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
    counts = sorted(neurons or [common.pop("n_neurons")])
    common.pop("n_neurons", None)
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    start, rows = time.perf_counter(), []
    for m in counts:
        with Bar(f"Building {m:,} neurons") as bar:
            made = turn(params, loaded.train.x, last=loaded.last, n_neurons=m, **common)
            bar.phase(f"{m:,} neurons", len(x))
            where = {"jobs": jobs, "target": target, "progress": bar.advance_to}
            done = report(made, x, y, last=loaded.last, **where)
        rows.append(done.to_dict() | {"synapse": made.memories[0].mapped.synapse.tau})
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
        "command": command_line(),
        "versions": versions(),
        "files": {
            "result": str(out / "conversion.json"),
            "figure": str(out / "conversion.png"),
        },
    }
    title = f"{task}: {common['presentation'] * 1000:g} ms a sample, {neuron_type}"
    with Bar("Drawing"), Folder(out, "convert") as folder:
        save_figure(conversion_figure(rows, title), folder.claim("conversion.png"))
        write_json(folder.claim("conversion.json"), record | {"rows": rows})
    if json:
        print_json(record | ({"rows": rows} if len(rows) > 1 else {}))
        return
    _tell(title, rows)
    print(f"\n{record['seconds']:.0f} s; {', '.join(record['files'].values())}")


def _tell(title: str, rows: list[dict]) -> None:
    """A table of all counts of neurons."""
    metric = rows[0]["metric"]
    loss = ("lost", "95 %", "predicted")
    header = ["neurons", "rate", "spiking", *loss, "spikes", "synops"]
    table = [
        [
            f"{row['neurons']:,}",
            f"{row['rate_' + metric]:.4f}",
            f"{row['spiking_' + metric]:.4f}",
            f"{row['loss']:.4f}",
            f"{row['loss_low']:.3f} to {row['loss_high']:.3f}",
            "-" if row["predicted_loss"] is None else f"{row['predicted_loss']:.4f}",
            f"{row['spikes_per_inference']:.2g}",
            f"{row['synops_per_inference']:.2g}",
        ]
        for row in rows
    ]
    print_table(f"{title}, {metric} of {rows[0]['sequences']}", header, table)
    print("\nPredicted is the loss to expect; spikes and synops are of one sequence.")


def _read(model: Path):
    """Parameters from our own file or from a Keras model."""
    from lmu_spiking.lmu import load_params

    if model.suffix in (".keras", ".h5", ".hdf5"):
        from lmu_spiking.lmu.importers import import_params

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
    from lmu_spiking.conversion.settings import ConvertSettings
    from lmu_spiking.training.recipes import RECIPES

    standard = ConvertSettings()
    found = {"n_neurons": standard.n_neurons, "presentation": standard.presentation}
    found |= RECIPES[task].conversion if task in RECIPES else {}
    return found if presentation is None else found | {"presentation": presentation}
