"""``lmu-spiking train``: a rate model on a task."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import Bar, prepare, print_json, print_table, tell
from lmu_spiking.cli.run import _maybe
from lmu_spiking.errors import ValidationError, check_seed

DATA = ("psmnist",)  # tasks that take a file of the user's
SEEDS = {"psmnist": "split"}  # what the option --split is called by the loader


def train(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="digits, psmnist, mackey-glass, capacity, recall or ecg.",
        ),
    ],
    data: _maybe(str, "psmnist: an mnist.npz (Keras) or a folder of IDX files.") = None,
    split: _maybe(int, "Which split, or draw, of the data [0].") = None,
    chip: Annotated[
        bool, typer.Option("--chip", help="digits: for a Loihi chip, and its rates.")
    ] = False,
    start_from: _maybe(Path, "A model (.npz) to start from, in place of a new one.") = (
        None
    ),
    order: _maybe(int, "Legendre coefficients [the recipe's].") = None,
    units: _maybe(int, "Hidden units [the recipe's].") = None,
    epochs: _maybe(int, "At most [the recipe's].") = None,
    batch: _maybe(int, "Sequences in a batch [the recipe's].") = None,
    learning_rate: _maybe(float, "At the beginning [the recipe's].") = None,
    noise: _maybe(float, "On the states, relative [the recipe's].") = None,
    rate_penalty: _maybe(float, "On activity, for fewer spikes [0].") = None,
    train_theta: Annotated[
        bool, typer.Option("--train-theta", help="Learn the window, too.")
    ] = False,
    patience: _maybe(int, "Epochs without a better validation [all].") = None,
    minutes: _maybe(float, "Begin no epoch that would end later.") = None,
    mode: Annotated[
        str, typer.Option(help="auto, parallel, or bptt (NengoDL).")
    ] = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Do not go on from a checkpoint.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Initial numbers, batches, noise.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the model [out/TASK].")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Train an LMU in rates on a task; `convert` makes spikes of it.

    \b
    lmu-spiking train digits
    lmu-spiking train psmnist --split 1
    lmu-spiking train psmnist --data mnist.npz --out out/full
    lmu-spiking train mackey-glass --units 690 --epochs 60
    lmu-spiking train digits --chip
    lmu-spiking convert out/digits/model.npz

    Interrupted, the same command goes on after the last epoch that was finished. The
    model is model.npz in --out: named arrays and a header in JSON. psmnist without
    --data is 5,000 real digits of a package; with it the whole, and a larger model.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking.plots import save_figure, training_figure
    from lmu_spiking.rates import load_params, save_params
    from lmu_spiking.studies.records import write_json
    from lmu_spiking.training import train as fit
    from lmu_spiking.training.recipes import recipe_for, start

    check_seed("--seed", seed)
    whole = task == "psmnist" and data is not None  # of MNIST: a larger model
    recipe = recipe_for("psmnist-full" if whole else task, chip=chip)
    options = task_options(task, data, split)
    changed = {"epochs": epochs, "batch": batch, "learning_rate": learning_rate}
    changed |= {"noise": noise, "rate_penalty": rate_penalty, "patience": patience}
    changed |= {"seconds": None if minutes is None else 60 * minutes, "seed": seed}
    changed |= {"mode": mode, "trainable_theta": train_theta or None}
    given = {name: value for name, value in changed.items() if value is not None}
    settings = replace(recipe.settings, **given)
    shape = {"order": order, "units": units}
    recipe = replace(recipe, **{k: v for k, v in shape.items() if v is not None})
    out = Path("out") / (f"{task}-chip" if chip else task) if out is None else out
    prepare(out)
    sequences = recipe.data(load_sequences(task, options))
    tell(sequences.origin)
    if start_from is None:
        params = start(recipe, sequences, seed)
    else:
        params = load_params(start_from)
    params = params.updated({}, task_options=options)
    with Bar(task, settings.epochs) as bar:
        trained = fit(
            params,
            sequences,
            settings,
            checkpoint=out / "checkpoint.npz",
            resume=not fresh,
            progress=lambda epoch, epochs, record: bar.advance(record),
        )
    model = out / "model.npz"
    save_params(trained.params, model)
    record = _record(trained, sequences, seed, recipe.merged) | {
        "files": {
            "model": str(model),
            "result": str(out / "training.json"),
            "figure": str(out / "training.png"),
        }
    }
    save_figure(training_figure(record, trained.history), out / "training.png")
    write_json(out / "training.json", record | {"history": trained.history})
    if json:
        print_json(record)
        return
    metric = record["metric"]
    rows = [
        [f"{metric}, test", f"{record['rate_' + metric]:.4f}"],
        [f"{metric} by chance", f"{record['chance']:.4f}"],
        ["parameters", f"{record['n_params']:,}"],
        ["epochs, of which kept", f"{record['epochs']}, {record['best_epoch']}"],
        ["seconds", f"{record['train_seconds']:.0f}"],
    ]
    if not recipe.merged:
        rows.insert(1, [f"{metric}, validation", f"{record['valid_' + metric]:.4f}"])
    print_table(f"{task}, {record['mode']}", ["", ""], rows)
    print(f"\nlmu-spiking convert {model}")


def task_options(task: str, data: str | None, split: int | None) -> dict:
    """What `load_task` is to be given, plain enough for a header."""
    options: dict = {}
    if data is not None:
        if task not in DATA:
            raise ValidationError("--data", data, f"is for {' and '.join(DATA)} only")
        options["data"] = str(data)
    if split is not None:
        if task == "ecg":
            raise ValidationError("--split", split, "is not for ecg, which has one")
        options[SEEDS.get(task, "seed")] = check_seed("--split", split)
    return options


def load_sequences(task: str, options: dict):
    """The sequences of a task, as options say."""
    from lmu_spiking.tasks import load_task

    return load_task(task, **options)


def _record(trained, sequences, seed: int, merged: bool) -> dict:
    """One line's worth of a training."""
    header = trained.params.header
    metric = "nrmse" if sequences.classes is None else "accuracy"
    return {
        "task": sequences.name,
        "origin": sequences.origin,
        "metric": metric,
        f"rate_{metric}": header["results"][f"test_{metric}"],
        # trained on, too, the validation part says nothing
        f"valid_{metric}": None if merged else header["results"][f"valid_{metric}"],
        "chance": sequences.chance,
        "n_params": trained.params.n_params,
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "stopped": trained.stopped,
        "mode": trained.mode,
        "train_seconds": trained.seconds,
        "seed": seed,
        "settings": header["training"]["settings"],
        "versions": header["versions"],
    }
