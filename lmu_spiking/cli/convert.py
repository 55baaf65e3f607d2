"""``lmu-spiking convert``: the same weights as a spiking network."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import time
import warnings
from pathlib import Path

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import offer_files, offer_names
from lmu_spiking.cli.known import CONVERTED, CONVERTED_TUNINGS, TASKS
from lmu_spiking.cli.train import (
    DATA,
    MOST_SHOWN,
    described_classes,
    model_file,
    task_options,
)
from lmu_spiking.errors import ValidationError, ValidityWarning

KERAS = (".keras", ".h5", ".hdf5")
MODEL = "What train has written (model.npz or its folder), or a Keras LMU"
OWN_DATA = "An .npz or a folder, for a model of your own; of psmnist as in train"
TASK = "A name, or an .npz or folder of your own"
OFFERED = offer_names(TASKS, files=(".npz", "/"))
SEVERAL = "In all; several make a curve"
HEADER = "neurons,rate,spiking,lost,95 %,predicted,spikes,synops".split(",")


def convert(
    model: o.argument("MODEL", MODEL, offer_files(".npz", "/", *KERAS[:2]), Path),
    neurons: o.neuron_counts(SEVERAL, panel=o.MEMORY) = None,
    presentation: o.number("Of a sample", "SECONDS", unset="the recipe's") = None,
    dt: o.step() = 0.001,
    neuron_type: o.one_of("", CONVERTED) = "poisson",
    tuning: o.one_of("", CONVERTED_TUNINGS) = "balanced",
    synapse: o.number("Of the memories", "SECONDS", unset="the best") = None,
    max_rate: o.max_rate(help="Exceeded by a neuron 0.1 % of the time") = 300.0,
    error_feedback: o.error_feedback("off") = None,
    initial_phases: o.Phases = None,
    hidden_share: o.number("Of the neurons, for hidden units", most=1.0) = 0.2,
    readout_synapse: o.number("Of the output", "SECONDS", unset="none") = None,
    task: o.text(TASK, panel=DATA, unset="the model's", complete=OFFERED) = None,
    data: o.file(OWN_DATA, (".npz",), panel=DATA) = None,
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
    lmu-spiking convert out/digits
    lmu-spiking convert out/digits/model.npz --neurons 10000,100000
    lmu-spiking convert out/digits/model.npz --presentation 0.001 --sequences 100

    Presenting samples longer changes nothing but the noise: windows are stretched. The
    loss is predicted before the run (for Poisson, stochastic and staggered neurons). A
    Keras LMU, which does not name its task, takes --task.
    """  # noqa: D301 (the \b marks the examples)
    with console.Bar("Reading the model and the data"):
        import numpy as np
        import pandas

        from lmu_spiking.conversion import convert as turn
        from lmu_spiking.conversion import report
        from lmu_spiking.metrics import versions
        from lmu_spiking.plots import confusion_figure, conversion_figure

        model = model_file(model)
        params = read_model(model)
        out = model.parent if out is None else out
        console.prepare(out)
        loaded = loaded_data(params, model, task, data, split)
        task = loaded.name  # known or the user's own
    console.tell(loaded.origin)
    check_sizes(params, loaded, model)
    x, y, ends = loaded.test.x[:sequences], loaded.test.y[:sequences], None
    if loaded.test.lengths is not None:
        ends = loaded.test.lengths[:sequences]
    recipe = recipe_of(loaded)
    counts = sorted(neurons or [recipe["n_neurons"]])
    presentation = presentation or recipe["presentation"]
    # what the record shows, and what else the conversion takes
    shown = {"presentation": presentation, "dt": dt, "neuron_type": neuron_type}
    shown |= {"tuning": tuning, "max_rate": max_rate}
    if error_feedback is not None:
        shown["error_feedback"] = error_feedback
    if initial_phases is not None:
        shown["initial_phases"] = initial_phases
    settings = recipe | shown | {"synapse": synapse, "hidden_share": hidden_share}
    settings |= {"readout_synapse": readout_synapse, "noise_seed": seed}
    start, rows = time.perf_counter(), []
    # convert and run each number of neurons, the largest last
    for m in counts:
        with console.Bar(f"Building {m:,} neurons") as bar:
            settings["n_neurons"] = m
            of_train = {"last": loaded.last, "lengths": loaded.train.lengths}
            made = turn(params, loaded.train.x, **of_train, **settings)
            bar.phase(f"{m:,} neurons", len(x))
            where = {"jobs": jobs, "target": target, "progress": bar.advance_to}
            done = report(made, x, y, last=loaded.last, lengths=ends, **where)
        rows.append(done.to_dict() | {"synapse": made.memories[0].mapped.synapse.tau})
    # the record is that of the largest network; the file has all rows
    names = {"result": "conversion.json", "figure": "conversion.png"}
    about = {"task": task, "model": str(model), "origin": loaded.origin} | shown
    about |= {"target": target, "seed": seed, "seconds": time.perf_counter() - start}
    about |= {"command": console.command_line(), "versions": versions()}
    about["files"] = {kind: str(out / name) for kind, name in names.items()}
    record = rows[-1] | about
    title = f"{task}: {presentation * 1000:g} ms a sample, {neuron_type}"
    files = {"conversion.json": record | {"rows": rows}}
    files["conversion.png"] = conversion_figure(rows, title)
    if "confusion" in record:
        record["class_names"] = loaded.class_names
        record["files"]["confusion"] = str(out / "spiking-confusion.png")
        kinds = {"rate": "rate-based", "spiking": f"{record['neurons']:,} neurons"}
        shown = {kinds[kind]: counts for kind, counts in record["confusion"].items()}
        figure = confusion_figure(shown, loaded.class_names)
        files["spiking-confusion.png"] = figure
        files["conversion.json"] = record | {"rows": rows}
    flat = [{k: v for k, v in row.items() if np.isscalar(v)} for row in rows]
    files["conversion.csv"] = pandas.DataFrame(flat)
    console.write_results(out, "convert", files)
    if json:
        console.print_json(record | ({"rows": rows} if len(rows) > 1 else {}))
        return
    _report(title, rows)
    if "confusion" in record and loaded.size_out <= MOST_SHOWN:
        counts = record["confusion"]["spiking"]
        header, *table = described_classes(counts, loaded.class_names)
        print()
        console.print_table("Classes (rows) and answers in spikes", header, table)
    print(f"\n{record['seconds']:.0f} s; {', '.join(record['files'].values())}")


def _report(title: str, rows: list[dict]) -> None:
    """Print a table with a row for each number of neurons."""
    metric = rows[0]["metric"]
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
    console.print_table(f"{title}, {metric} of {rows[0]['sequences']}", HEADER, table)
    print("\nPredicted is the loss to expect; spikes and synops are of one sequence.")


def read_model(model: Path):
    """Return the parameters in our own file or in a Keras model."""
    if model.suffix in KERAS:
        from lmu_spiking.lmu.importers import import_params

        return import_params(model)
    from lmu_spiking.lmu import load_params

    return load_params(model)


def check_sizes(params, loaded, model: Path) -> None:
    """Refuse a model whose inputs or outputs are not those of the task."""
    sizes, wanted = (params.size_in, params.size_out), (loaded.size_in, loaded.size_out)
    if sizes != wanted:
        problem = f"has {sizes[0]} inputs and {sizes[1]} outputs, not {wanted[0]} and "
        problem += f"{wanted[1]} as {loaded.name}"
        raise ValidationError("MODEL", str(model), problem)


def recipe_of(loaded) -> dict:
    """Return the settings of a task's recipe, on top of the standard ones."""
    from lmu_spiking.conversion.settings import ConvertSettings
    from lmu_spiking.training.recipes import RECIPES, own_recipe

    standard = ConvertSettings()
    found = {"n_neurons": standard.n_neurons, "presentation": standard.presentation}
    own = loaded.class_names is not None or loaded.name not in TASKS
    if own:
        return found | own_recipe(loaded).conversion
    return found | (RECIPES[loaded.name].conversion if loaded.name in RECIPES else {})


def loaded_data(params, model: Path, task: str | None, data: Path | None, split):
    """Return the sequences of a model: those that it was trained on, unless told."""
    from lmu_spiking.tasks import load_task

    header = params.header
    own, own_task = header.get("data"), header.get("task")
    other = task is not None or data is not None
    if own is None and task is None:
        task = own_task
    if own is None and task is None:
        problem, remedy = "does not name its task", "give it with --task"
        raise ValidationError("MODEL", str(model), problem, remedy)
    if task in TASKS:
        # the same sequences as in training, unless the user says otherwise
        options = task_options(task, data, split)
        if task == own_task and own is None:
            options = header.get("task_options", {}) | options
        return load_task(task, **options)
    if task is not None and data is not None:
        raise ValidationError("--data", str(data), "and --task both name data")
    path = str(task or data or own["path"])
    options = header.get("task_options", {}) | task_options(path, None, split)
    names = header.get("class_names")
    options = {name: options[name] for name in ("split",) if name in options}
    if not other and not Path(path).exists():
        problem = f"was trained on {path}, which is there no more"
        raise ValidationError("MODEL", str(model), problem, "name it with --data")
    loaded = load_task(path, **options | ({"classes": names} if names else {}))
    if own is not None and not other and split is None:
        if loaded.digest != own["digest"]:
            warnings.warn(
                f"MODEL: {path} has changed since the model was trained; perhaps it "
                "was trained on sequences that are tested here",
                ValidityWarning,
                stacklevel=2,
            )
    return loaded
