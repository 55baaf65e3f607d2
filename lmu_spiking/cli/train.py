"""``lmu-spiking train``: a rate model on a task."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import warnings
from functools import partial
from pathlib import Path
from typing import Any

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import offer_names
from lmu_spiking.cli.known import ENGINES, TASKS
from lmu_spiking.errors import (
    ValidationError,
    ValidityWarning,
    check_one_of,
    check_seed,
)

FILES = ("psmnist",)  # tasks that take a file of the user's
ON_CHIP = ("digits",)  # tasks with a recipe for a chip
SEED_NAMES = {"psmnist": "split"}  # what the option --split is called by the loader
DATA = "Data"
RECIPE = "the recipe's"
THROUGH = ("poisson", "if", "regular")  # whose spikes are known while training
HELP = f"{', '.join(TASKS)}, or your own: an .npz, or a folder for each class"
START = "A model (.npz, or its folder) to start from, in place of a new one"
MOST_SHOWN = 10  # classes in a table of what was taken for what
CHIP = "For a Loihi chip, and its rates: your own data, or digits"
THETA = "Learn the window, too"
VALIDATION = "Epochs without a better validation"
MINUTES = "Begin no epoch that would end later"
Data = o.file(
    "psmnist: an mnist.npz (Keras) or a folder of IDX files", (".npz",), panel=DATA
)


# numbers of the training, which the recipe has, too
number = partial(o.number, panel=o.TRAINING, unset=RECIPE)
whole = partial(o.whole, panel=o.TRAINING, most=10**6, unset=RECIPE)


def train(
    task: o.argument("TASK", HELP, offer_names(TASKS, files=(".npz", "/"))),
    data: Data = None,
    split: o.seed("Which split, or draw, of the data", panel=DATA, unset="0") = None,
    chip: o.flag(CHIP, "--chip", panel=DATA) = False,
    start_from: o.file(START, (".npz",)) = None,
    order: o.order(unset=RECIPE) = None,
    units: o.whole("Hidden units", most=100_000, unset=RECIPE) = None,
    theta: o.theta(unset=RECIPE) = None,
    epochs: whole("At most") = None,
    batch: whole("Sequences in a batch") = None,
    learning_rate: number("At the beginning", most=10.0) = None,
    noise: number("On the states, over their rms", least=0, most=10) = None,
    rate_penalty: number("On activity, for fewer spikes", least=0, unset="0") = None,
    train_theta: o.flag(THETA, "--train-theta", panel=o.TRAINING) = False,
    patience: whole(VALIDATION, unset="all") = None,
    minutes: number(
        "Begin no epoch that would end later", "MINUTES", unset=None
    ) = None,
    engine: o.one_of("What computes gradients", ENGINES, panel=o.WORK) = "jax",
    spikes: o.whole("Train through those of N neurons", most=o.NEURONS) = None,
    presentation: o.number("Of a sample, in spikes", "SECONDS", unset=RECIPE) = None,
    neuron_type: o.one_of("In spikes", THROUGH, unset="poisson") = None,
    fresh: o.flag("Do not go on from a checkpoint", "--fresh") = False,
    seed: o.seed("Draws initial numbers, batches and noise") = 0,
    out: o.out("For the model", unset="out/TASK") = None,
    json: o.Json = False,
):
    """Train an LMU in rates on a task; `convert` makes spikes of it.

    \b
    lmu-spiking train digits
    lmu-spiking train my.npz
    lmu-spiking train my.npz --chip
    lmu-spiking train digits --start-from model.npz --spikes 3000 --out small

    Interrupted, the same command goes on after the last epoch that was finished. The
    model is model.npz in --out: named arrays and a header in JSON. psmnist without
    --data is 5,000 real digits of a package; with it the whole, and a larger model.
    An .npz of your own has x (n, steps, channels) and y, and perhaps lengths, split,
    groups, classes and dt; a folder has a sub-folder of .csv, .npy, .npz or .wav files
    for each class.
    """  # noqa: D301 (the \b marks the examples)
    own = task not in TASKS and _is_path(task)
    if not own:
        check_one_of("TASK", task, TASKS)
    start_from = _start_file(start_from, order=order, units=units, theta=theta)
    if chip and not own:
        check_one_of("--chip", task, ON_CHIP, "has no recipe for a chip")
    with console.Bar("Reading the data"):
        from dataclasses import replace

        from lmu_spiking.tasks import load_task
        from lmu_spiking.training import train as fit

        options = task_options(task, data, split)
        recipe, loaded, name = _recipe(task, own, options, chip)
        # what the user gave replaces what the recipe says
        changed = {"epochs": epochs, "batch": batch, "learning_rate": learning_rate}
        changed |= {"noise": noise, "rate_penalty": rate_penalty, "patience": patience}
        changed |= {"seconds": None if minutes is None else 60 * minutes, "seed": seed}
        changed |= {"trainable_theta": train_theta or None}
        if patience is not None:  # hold out what decides when to stop
            recipe, changed["keep"] = replace(recipe, merged=False), "best"
        if spikes is not None:  # which are noise enough
            changed |= {"late": 0.0, "stretch": 0.0, "noise": noise or 0.0}
        settings = replace(recipe.settings, **_given(changed))
        given = _given({"presentation": presentation, "neuron_type": neuron_type})
        through = _spikes(spikes, recipe.conversion, given)
        recipe = replace(recipe, **_given({"order": order, "units": units}))
        out = Path("out") / name if out is None else out
        console.prepare(out)
        loaded = load_task(task, **options) if loaded is None else loaded
        sequences = recipe.data(loaded)
        if theta is not None:
            recipe = replace(recipe, theta=theta / sequences.dt)
    console.tell(sequences.origin)
    about: dict[str, Any] = {"task_options": options}
    if own:
        place = str(Path(task).expanduser().resolve())
        about["data"] = {"path": place, "digest": loaded.digest}
    params = _begin(recipe, sequences, seed, start_from).updated({}, **about)
    with console.Bar(f"Epochs of {name}", settings.epochs) as bar:
        how = {"checkpoint": out / "checkpoint.npz", "resume": not fresh}
        how |= {"engine": engine, "spikes": through}
        how["progress"] = lambda *_: bar.advance()
        trained = fit(params, sequences, settings, **how)
    record = _record(trained, sequences, seed)
    _write(out, name, trained, record)
    if json:
        console.print_json(record)
        return
    _report(name, record, "" if through is None else " in rates")
    options = "" if through is None else f" --neurons {through.n_neurons}"
    options += "".join(f" --{k.replace('_', '-')} {v}" for k, v in given.items())
    print("\nThe same weights in spikes:")
    print(f"lmu-spiking convert {record['files']['model']}{options}")
    if chip:
        print("On a Loihi chip:")
        print(f"lmu-spiking deploy {record['files']['model']}")


def _start_file(start_from: Path | None, **shape) -> Path | None:
    """Return the file to start from, if any, which has a shape of its own."""
    if start_from is None:
        return None
    for option, value in shape.items():
        if value is not None:
            problem, remedy = "is that of the model to start from", "leave it out"
            raise ValidationError(f"--{option}", value, problem, remedy)
    return model_file(start_from, "--start-from")


def _recipe(task: str, own: bool, options: dict, chip: bool):
    """Return a recipe, the task if it had to be loaded for it, and a name for both."""
    from lmu_spiking.tasks import load_task
    from lmu_spiking.training.recipes import own_recipe, recipe_for

    if own:  # its shape chooses the recipe
        loaded = load_task(task, **options)
        name = f"{loaded.name}-chip" if chip else loaded.name
        return own_recipe(loaded, chip=chip), loaded, name
    whole_mnist = task == "psmnist" and "data" in options  # it has a larger model
    recipe = recipe_for("psmnist-full" if whole_mnist else task, chip=chip)
    return recipe, None, f"{task}-chip" if chip else task


def _begin(recipe, sequences, seed: int, start_from: Path | None):
    """Return the parameters of a new model, or of one to start from."""
    from lmu_spiking.lmu import load_params
    from lmu_spiking.training.recipes import start

    if start_from is None:
        return start(recipe, sequences, seed)
    params = load_params(start_from)
    _check_start(params, sequences)
    return params


def _write(out: Path, name: str, trained, record: dict) -> None:
    """Write the model, its record with the files' names, and figures."""
    from lmu_spiking.lmu import save_params
    from lmu_spiking.plots import confusion_figure, training_figure

    names = {"model": "model.npz", "result": "training.json", "figure": "training.png"}
    history, confusion = trained.history, record.get("confusion")

    files: dict = {"model.npz": lambda path: save_params(trained.params, path)}
    if confusion is not None:
        shown = {f"{name}, test part, rate-based": confusion}
        names["confusion"] = "confusion.png"
        files["confusion.png"] = confusion_figure(shown, record["class_names"])
    record["files"] = {kind: str(out / file) for kind, file in names.items()}
    files["training.png"] = training_figure(record, history)
    files["training.json"] = record | {"history": history}
    console.write_results(out, "train", files)


def _report(name: str, record: dict, where: str) -> None:
    """Print the results, and what was taken for what if there are few classes."""
    metric = record["metric"]
    rows = {f"{metric}{where}, test": f"{record['rate_' + metric]:.4f}"}
    if record[f"valid_{metric}"] is not None:
        rows[f"{metric}{where}, validation"] = f"{record['valid_' + metric]:.4f}"
    if record["left_out_accuracy"] is not None:
        rows["accuracy, each trained on left out"] = (
            f"{record['left_out_accuracy']:.4f}"
        )
    rows[f"{metric} by chance"] = f"{record['chance']:.4f}"
    rows["parameters"] = f"{record['n_params']:,}"
    rows["epochs, of which kept"] = f"{record['epochs']}, {record['best_epoch']}"
    rows["seconds"] = f"{record['train_seconds']:.0f}"
    console.print_table(f"{name}, {record['engine']}", ["", ""], rows.items())
    if 0 < len(record.get("confusion", ())) <= MOST_SHOWN:
        names = record["class_names"]
        header, *table = described_classes(record["confusion"], names)
        print()
        console.print_table(f"Classes (rows) and answers{where}, test", header, table)


def _is_path(task: str) -> bool:
    """Return whether a task is a file or folder that there is, or looks like one."""
    path = Path(task).expanduser()
    return path.exists() or path.suffix.lower() == ".npz" or len(path.parts) > 1


def _given(options: dict) -> dict:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _spikes(n_neurons: int | None, conversion: dict, given: dict):
    """Return the conversion to train through, or None, or a ValidationError."""
    if n_neurons is None:
        for name in given:
            option = f"--{name.replace('_', '-')}"
            problem = "says how to train through spikes"
            raise ValidationError(option, given[name], problem, "give --spikes N, too")
        return None
    from lmu_spiking.conversion import ConvertSettings

    settings: dict[str, Any] = conversion | given | {"n_neurons": n_neurons}
    return ConvertSettings(**settings)


def _check_start(params, sequences) -> None:
    """Warn if the start parameters were trained on sequences that are tested here."""
    header = params.header
    same = header.get("task") == sequences.name and "training" in header
    if same and header.get("origin") != sequences.origin:
        warnings.warn(
            f"--start-from: its model was trained on other parts of {sequences.name} "
            f"({header.get('origin')}), perhaps on sequences that are tested here; use "
            "the same --split",
            ValidityWarning,
            stacklevel=2,
        )


def task_options(task: str, data: Path | None, split: int | None) -> dict:
    """Return the options of a task for `load_task`, plain enough for a header.

    Parameters
    ----------
    task : str
    data : Path or None
        ``--data``.
    split : int or None
        ``--split``.

    Returns
    -------
    dict

    Raises
    ------
    ValidationError
        If the task has no such option.
    """
    options: dict = {}
    if data is not None:
        if task not in FILES:
            problem, remedy = f"is for {' and '.join(FILES)} only", f"train {data}"
            raise ValidationError("--data", str(data), problem, remedy)
        options["data"] = str(data)
    if split is not None:
        if task == "ecg":
            raise ValidationError("--split", split, "is not for ecg, which has one")
        own = "seed" if task in TASKS else "split"
        options[SEED_NAMES.get(task, own)] = check_seed("--split", split)
    return options


def _record(trained, sequences, seed: int) -> dict:
    """Return the record of a training that is printed as JSON."""
    header = trained.params.header
    results = header["results"]
    metric = "nrmse" if sequences.classes is None else "accuracy"
    classes: dict = {}
    if sequences.classes is not None:
        from lmu_spiking.metrics import confusion
        from lmu_spiking.tasks.sequences import counted
        from lmu_spiking.training.evaluation import outputs_of

        said = outputs_of(trained.params, sequences.test, last=sequences.last)
        y, ends = sequences.test.y, sequences.test.lengths
        if not sequences.last:
            said, y = counted(said, ends), counted(y, ends)
        classes["class_names"] = sequences.class_names
        classes["confusion"] = confusion(said, y).tolist()
    return classes | {
        "task": sequences.name,
        "origin": sequences.origin,
        "metric": metric,
        f"rate_{metric}": results[f"test_{metric}"],
        # None if the validation part is also trained on
        f"valid_{metric}": results.get(f"valid_{metric}"),
        # of training sequences, each told by a readout of the others, where known
        "left_out_accuracy": header.get("left_out_accuracy"),
        "chance": sequences.chance,
        "n_params": trained.params.n_params,
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "stopped": trained.stopped,
        "engine": trained.engine,
        "train_seconds": trained.seconds,
        "seed": seed,
        "settings": header["training"]["settings"],
        "versions": header["versions"],
    }


def model_file(path: Path, option: str = "MODEL") -> Path:
    """Return the file of a model: the one given, or that in a folder of ``train``.

    Parameters
    ----------
    path : Path
        A file, or the folder that ``train --out`` wrote.
    option : str
        What an error names.

    Returns
    -------
    Path
        ``model.npz`` of a folder.

    Raises
    ------
    ValidationError
        If there is a folder without one.
    """
    if not path.is_dir():
        return path
    file = path / "model.npz"
    if not file.is_file():
        problem, remedy = "is a folder without a model.npz", "train writes one there"
        raise ValidationError(option, str(path), problem, remedy)
    return file


def described_classes(confusion, names) -> list[list[str]]:
    """Return the rows of a table of what was taken for what, with names.

    Parameters
    ----------
    confusion : (q, q) array_like of int
    names : sequence of str or None
        Of the classes; their numbers by default.

    Returns
    -------
    list of list of str
        The first row has the names of the columns.
    """
    named = [str(i) for i in range(len(confusion))] if names is None else list(names)
    shown = [name if len(name) <= 8 else f"{name[:7]}." for name in named]
    rows = zip(shown, confusion, strict=True)
    return [["", *shown], *([name, *map(str, row)] for name, row in rows)]
