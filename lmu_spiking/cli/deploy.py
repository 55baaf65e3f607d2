"""``lmu-spiking deploy``: a memory or a model on the chip's arithmetic, with costs."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import time
from pathlib import Path
from textwrap import wrap

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import offer_files, offer_names
from lmu_spiking.cli.convert import (
    OFFERED,
    OWN_DATA,
    TASK,
    check_sizes,
    loaded_data,
    read_model,
)
from lmu_spiking.cli.known import CHIP_TYPES, RUNGS, STRUCTURES, TASKS
from lmu_spiking.cli.train import MOST_SHOWN, described_classes, model_file
from lmu_spiking.errors import ValidationError, machine_memory

DURATION = 6.0
NEURONS = 600
STEPS = "Where the error arose: mean squares over the signal's (NRMSE squared)"
NAMES = {  # of neuron types, as options call them
    "SpikingRectifiedLinear": "if",
    "LIF": "lif",
    "NoisyRectifiedLinear": "noisy",
}
CHIP, OF_MODEL = "Chip", "Of a MODEL"
MODEL = "What train --chip has written (model.npz or its folder); a memory without"
NEW_FOLDER = Path("out/deploy")
TYPES, OFFER_TYPES = ", ".join(CHIP_TYPES), offer_names(CHIP_TYPES)
OF_STRUCTURE = "all to all, through relays, or what fits"
OF_INPUT = "of the signal expected"
EMULATED = "Of them on NengoLoihi's emulator, too"
ONE = "1, or none if it takes minutes"
RECIPES_OWN: dict = {"panel": OF_MODEL, "unset": "the recipe's"}


def deploy(
    model: o.argument("[MODEL]", MODEL, offer_files(".npz", "/"), Path | None) = None,
    target: o.one_of("", RUNGS, panel=CHIP, aliases=o.ALIASES) = "emulator",
    chips: o.whole("Chips that there are", panel=CHIP, most=10_000) = 1,
    structure: o.one_of(OF_STRUCTURE, STRUCTURES, panel=CHIP) = "auto",
    input_range: o.number("Largest input", panel=CHIP, unset=OF_INPUT) = None,
    ladder: o.flag("All rungs from core to --target", "--ladder", panel=CHIP) = False,
    trials: o.whole("Seeds of --ladder, from --seed on", panel=CHIP, most=10**6) = 1,
    input: o.Input = "white",
    bandwidth: o.bandwidth(unset="2") = None,
    rms: o.rms(unset="0.5") = None,
    duration: o.duration(unset="6, or less of a shorter file") = None,
    column: o.Column = None,
    rate: o.Rate = None,
    spec: o.Spec = None,
    order: o.order(unset="6") = None,
    theta: o.theta(unset="0.5") = None,
    neurons: o.neurons(unset="600") = None,
    tau: o.tau(unset="0.1") = None,
    dt: o.step(unset="0.001") = None,
    neuron_type: o.text(TYPES, "NAME", unset="if", complete=OFFER_TYPES) = None,
    max_rate: o.max_rate(unset="120") = None,
    presentation: o.number("Of a sample", "SECONDS", **RECIPES_OWN) = None,
    copies: o.whole("Neurons of a hidden unit", most=1000, **RECIPES_OWN) = None,
    sequences: o.whole("Of the test part", least=2, panel=OF_MODEL, unset="all") = None,
    emulated: o.whole(EMULATED, least=0, panel=OF_MODEL, unset=ONE) = None,
    task: o.text(TASK, panel=OF_MODEL, unset="the model's", complete=OFFERED) = None,
    data: o.file(OWN_DATA, (".npz",), panel=OF_MODEL) = None,
    split: o.seed("Which split of the data", panel=OF_MODEL, unset="its own") = None,
    seed: o.seed("Draws the curves and the rounding") = 0,
    out: o.out("For result.json, figures", f"{NEW_FOLDER}, or the model's") = None,
    json: o.Json = False,
):
    """Lay a memory or a model out for Loihi, run it, and tell losses and costs.

    \b
    lmu-spiking deploy --target core
    lmu-spiking deploy --ladder --trials 3 --duration 2 --out out/ladder
    lmu-spiking deploy --neuron-type lif --max-rate 200 --json
    lmu-spiking deploy out/my-chip

    A MODEL is what train --chip makes: its test part runs on the emulator's arithmetic,
    and --emulated sequences of it on the emulator itself. --neurons are those of its
    memories.

    core is Nengo itself, simreal the chip's structure in floating point, emulator the
    chip's integers; a board needs Intel's NxSDK. Only core runs without NengoLoihi.
    The emulator takes seconds to minutes for a second of signal. --ladder shows how
    much of the error came with each rung. Energy is an estimate, never a measurement.
    """  # noqa: D301 (the \b marks the examples)
    of_memory = {"structure": structure != "auto" and structure, "ladder": ladder}
    of_memory |= {"input_range": input_range, "trials": trials > 1 and trials}
    of_memory |= {"input": input != "white" and input, "bandwidth": bandwidth}
    of_memory |= {"rms": rms, "duration": duration, "column": column, "rate": rate}
    of_memory |= {"spec": spec, "order": order, "theta": theta, "dt": dt}
    of_memory["target"] = target != "emulator" and target
    of_model = {"presentation": presentation, "copies": copies, "task": task}
    of_model |= {"sequences": sequences, "emulated": emulated, "data": data}
    of_model["split"] = split
    if model is not None:
        _refuse(of_memory, "is for a memory alone", "leave it out for a MODEL")
        if neuron_type not in (None, "if", "lif"):
            problem, remedy = "is for a memory alone, or not on Loihi", "use if or lif"
            raise ValidationError("--neuron-type", neuron_type, problem, remedy)
        layout = {"presentation": presentation, "copies": copies, "n_neurons": neurons}
        layout |= {"tau": tau, "max_rate": max_rate, "neuron_type": neuron_type}
        running = {"items": sequences, "emulated": emulated}
        running |= {"chips": chips, "seed": seed}
        _deploy_model(model, (task, data, split), layout, running, out, json)
        return
    _refuse(of_model, "is for a MODEL alone", "give one, such as out/my-chip")
    out = NEW_FOLDER if out is None else out
    if trials > 1 and not ladder:
        raise ValidationError("--trials", trials, "is for --ladder only")
    if neuron_type not in (None, *CHIP_TYPES):
        problem, known = "cannot be on Loihi", "--neuron-type if, lif or noisy here"
        remedy = f"use {known}, or lmu-spiking run for others"
        raise ValidationError("--neuron-type", neuron_type, problem, remedy)
    with console.Bar("Choosing the memory"):
        from lmu_spiking import plots
        from lmu_spiking.cli.inputs import choose_spec
        from lmu_spiking.loihi.run.deploy import deploy as put
        from lmu_spiking.loihi.run.ladder import TARGETS
        from lmu_spiking.loihi.run.ladder import ladder as climb
        from lmu_spiking.loihi.run.target import Target, nengo_loihi

        # NengoLoihi before anything long, so that a missing one is found at once
        place = Target(target)
        if place is not Target.CORE:
            with console.hushed():
                nengo_loihi()
        neurons = NEURONS if neurons is None and spec is None else neurons
        fields = {"order": order, "theta": theta, "n_neurons": neurons, "tau": tau}
        # noisy neurons are the chip's alone: a spec has no name for them
        named = None if neuron_type == "noisy" else neuron_type
        fields |= {"dt": dt, "neuron_type": named}
        chosen = choose_spec(spec, input, fields, {"bandwidth": bandwidth, "rms": rms})
        _check_size(chosen, chips)
        signal, seconds = _choose_signal(input, chosen, duration, column, rate)
        console.prepare(out)
        options = {"duration": seconds, "neuron_type": neuron_type, "chips": chips}
        options |= {"signal": signal, "options": {"n_chips": chips}}
        options |= {} if max_rate is None else {"max_rate": max_rate}
        options |= {"structure": structure, "input_range": input_range}
    measured: dict = {}
    names = {"result": "result.json", "readout": "deployed.png"}
    with console.Bar(f"Laying it out, running on {place}") as bar:
        options["progress"] = bar.advance_to
        # run all targets up to the one asked for, or that one alone
        if ladder:
            rungs = [rung for rung in Target if rung in TARGETS or rung is place]
            rungs = rungs[: rungs.index(place) + 1]
            seeds = range(seed, seed + trials)
            found = climb(chosen, targets=rungs, seeds=seeds, **options)
            done = found.last
            measured = {"steps": found.steps(), "total": found.total()}
            measured |= {"rows": found.rows}
        else:
            done = put(chosen, place, seed=seed, **options)
    with console.Bar("Drawing"):
        files: dict = {"deployed.png": plots.deployed(done)}
        if done.budget is not None:
            names["layout"] = "layout.png"
            files["layout.png"] = plots.layout_figure(done.budget)
        if ladder:
            names["ladder"] = "ladder.png"
            files["ladder.png"] = plots.ladder_figure(found)
    # what was measured, and what this command was asked for
    record = done.row | measured | {"input": input}
    record["input_power_lost"] = 0.0 if signal is None else signal.power_lost
    record["duration"] = len(done.signal) * chosen.dt
    record |= {"seed": seed, "chips": chips, "command": console.command_line()}
    record["files"] = {kind: str(out / name) for kind, name in names.items()}
    files["result.json"] = record
    console.write_results(out, "deploy", files, ("layout.png", "ladder.png"))
    if json:
        console.print_json(record)
    else:
        _report(record)


def _refuse(options: dict, problem: str, remedy: str) -> None:
    """Refuse the first option that was given."""
    for name, value in options.items():
        if value is not None and value is not False:
            option = f"--{name.replace('_', '-')}"
            value = str(value) if isinstance(value, Path) else value
            raise ValidationError(option, value, problem, remedy)


# -- a trained model -------------------------------------------------------------------


def _deploy_model(model: Path, source, layout, running, out, json: bool) -> None:
    """Run a model's test part on the chip's arithmetic, and write what it says.

    ``source`` is --task, --data and --split; ``layout`` and ``running`` are options of
    `classify`, None for the recipe's.
    """
    start = time.perf_counter()
    with console.Bar("Reading the model and the data"):
        from pandas import DataFrame

        from lmu_spiking.loihi.mapping.cell import check_cell
        from lmu_spiking.loihi.run.classify import classify
        from lmu_spiking.loihi.run.target import nengo_loihi
        from lmu_spiking.metrics import versions
        from lmu_spiking.plots import confusion_figure

        # NengoLoihi and the model before anything long
        with console.hushed():
            nengo_loihi()
        model = model_file(model)
        params = read_model(model)
        if len(params.cells) > 1 and params.header.get("data"):
            problem = f"has {len(params.cells)} cells, and Loihi takes one"
            remedy = f"use lmu-spiking train {params.header['data']['path']} --chip"
            raise ValidationError("MODEL", str(model), problem, remedy)
        cell = check_cell(params)
        out = model.parent if out is None else out
        console.prepare(out)
        loaded = loaded_data(params, model, *source)
        check_sizes(params, loaded, model)
        given = {name: value for name, value in layout.items() if value is not None}
        layout = _chip_layout(loaded, cell) | given
    console.tell(loaded.origin)
    with console.Bar("Laying it out, running") as bar:
        row = classify(params, loaded, progress=bar.advance_to, **running, **layout)
    # what was measured, and what this command was asked for
    names = {"result": "result.json", "table": "deployed.csv"}
    names["confusion"] = "chip-confusion.png"
    record = row | {"task": loaded.name, "model": str(model), "origin": loaded.origin}
    record |= {"class_names": loaded.class_names, "chance": loaded.chance}
    record |= {"seed": running["seed"], "seconds": time.perf_counter() - start}
    record |= {"command": console.command_line(), "versions": versions()}
    record["files"] = {kind: str(out / name) for kind, name in names.items()}
    kinds = {"rate": "rate-based", "spiking": "on the chip"}
    shown = {kinds[kind]: counts for kind, counts in row["confusion"].items()}
    flat = {name: value for name, value in row.items() if name != "confusion"}
    files = {"result.json": record, "deployed.csv": DataFrame([flat])}
    files["chip-confusion.png"] = confusion_figure(shown, loaded.class_names)
    console.write_results(out, "deploy", files)
    if json:
        console.print_json(record)
    else:
        _report_model(record)


def _chip_layout(loaded, cell) -> dict:
    """Return the layout of a task's recipe for a chip, if it has one.

    A larger cell has as many neurons for each coefficient as the recipe's.
    """
    from lmu_spiking.training.recipes import RECIPES, own_recipe

    own = loaded.class_names is not None or loaded.name not in TASKS
    recipe = RECIPES.get(f"{loaded.name}-chip")
    recipe = own_recipe(loaded, chip=True) if own else recipe
    if recipe is None:
        return {}
    larger = cell.memory_d * cell.order / (recipe.memories * recipe.order)
    neurons = round(max(1.0, larger) * recipe.layout["n_neurons"])
    return recipe.layout | {"n_neurons": neurons}


def _report_model(row: dict) -> None:
    """Print accuracies, costs, and what was taken for what if there are few classes."""
    from lmu_spiking.loihi.chip.limits import CORES_PER_CHIP

    points = [100 * row[name] for name in ("lost", "lost_low", "lost_high")]
    chips, most = _count(row["chips"], "chip"), row["chips"] * CORES_PER_CHIP
    units = row["neurons"] - row["memory_neurons"]
    hidden = f"{units:,} of {_count(row['units'], 'unit')}"
    rows = {
        "accuracy, rate-based": f"{row['rate_accuracy']:.4f}",
        "accuracy, on the chip": f"{row['spiking_accuracy']:.4f}",
        "points lost (95 %)": "{:.2f} ({:.2f} to {:.2f})".format(*points),
        "sequences": f"{row['items']:,}",
        "neurons": f"{row['memory_neurons']:,} of memories, {hidden}",
        "neurocores": f"{row['cores']} of the {most:,} of {chips}",
        "seconds an inference": f"{row['seconds_per_inference']:.3g}",
        "spikes an inference": f"{row['spikes_per_inference']:,.0f}",
    }
    if row["emulated"]:
        equal = "equal" if row["equal"] else "NOT equal"
        seconds = row["emulated_seconds_per_inference"]
        kinds = ("per_inference", "static")
        milli = [1e3 * row[f"estimated_joules_{kind}"] for kind in kinds]
        rows["spikes of NengoLoihi's emulator"] = f"{equal} in {row['emulated']}"
        rows["synaptic operations there"] = f"{row['synops_per_inference']:.3g}"
        energy = "{:.3g} mJ, static {:.3g} mJ".format(*milli)
        rows["energy there (estimated)"] = f"{energy}, in {seconds:.3g} s"
    else:
        rows["spikes of NengoLoihi's emulator"] = "not compared (--emulated 1)"
    title = f"{row['task']}, {_count(row['memories'], 'memory', 'memories')} of order "
    title += f"{row['order']}, {1e3 * row['presentation']:g} ms a sample"
    console.print_table(title, ["", ""], rows.items(), numbers=False)
    counts = row["confusion"]["spiking"]
    if len(counts) <= MOST_SHOWN:
        header, *table = described_classes(counts, row["class_names"])
        print()
        console.print_table("Classes (rows) and answers on the chip", header, table)
    print(f"\n{row['seconds']:.0f} s; {', '.join(row['files'].values())}")


# -- a memory --------------------------------------------------------------------------


def _choose_signal(source: str, spec, duration: float | None, column, rate):
    """Return the signal and its length in seconds.

    The signal is None for white noise: the layout is made for the noise that the spec
    names, and measured on other noise of the same band.
    """
    from lmu_spiking.cli import inputs

    longest = max(DURATION, 2 * spec.theta)
    if source in ("white", "ecg") and duration is None:
        duration = longest
    signal = inputs.choose_signal(source, spec, duration, column, rate)
    if duration is None and signal.duration > longest:
        signal = inputs.fitted(signal, longest)
    return None if source == "white" else signal, signal.duration


def _check_size(spec, chips: int) -> None:
    """Refuse what cannot fit before its weights, all to all, fill the memory."""
    from lmu_spiking.loihi.chip.limits import CORES_PER_CHIP, LIMITS

    # a weight takes 8 bits on the chip, and 64 bytes here with all that is made of it
    bits = chips * CORES_PER_CHIP * LIMITS["synapse_bits"]
    most = int(min(bits / 8, machine_memory() / 64) ** 0.5)
    if spec.n_neurons > most:
        problem = "are too many: every one has a weight of 8 bits for every other, and "
        problem += f"{_count(chips, 'chip')} or this computer hold {most:,} of them"
        remedy = f"use at most {most:,}, or run, which needs no such weights"
        raise ValidationError("--neurons", spec.n_neurons, problem, remedy)


def _count(n: int, thing: str, things: str = "") -> str:
    """Return a number of things in words."""
    return f"{n} {thing if n == 1 else things or f'{thing}s'}"


def _report(row: dict) -> None:
    """Print what was measured beside what was predicted, in 80 columns."""
    kind = NAMES.get(row["neuron_type"], row["neuron_type"])
    title = f"{row['neurons']:,} {kind} neurons, order {row['order']}, "
    title += f"{row['theta']:g} s of {row['input']}, on {row['target']}"
    rows = console.measured_rows(row)
    console.print_table(title, ["", "measured", "predicted"], rows)
    print(f"\n{_costs(row)}")
    if "steps" in row:
        _report_steps(row)
    for advice in row["advice"]:
        said = f"NengoLoihi: {advice['text']} ({advice['count']} times)"
        if advice["kind"] in ("structure", "input", "error"):
            said = f"{advice['kind'].capitalize()}: {advice['text']}"
        print("\n" + "\n  ".join(wrap(console.as_options(said), 78)))
    print()
    for file in row["files"].values():
        print(file)


def _costs(row: dict) -> str:
    """Return cores, spikes and energy in a line."""
    spikes = f"{row['spikes_per_s']:,.0f} spikes/s"
    if row["cores"] is None:
        return f"{spikes} ({row['mean_rate']:.0f} Hz a neuron)"
    cores, chips = _count(row["cores"], "core"), _count(row["chips"], "chip")
    costs = [f"{cores} of {chips}", spikes]
    if row["synops_per_s"] is not None:
        costs.append(f"{row['synops_per_s']:.3g} synops/s")
    if row["estimated_dynamic_watts"] is not None:
        milli = 1e3 * row["estimated_dynamic_watts"]
        costs.append(f"{milli:.3g} mW (estimated)")
    return ", ".join(costs)


def _report_steps(row: dict) -> None:
    """Print where the error arose."""
    rows = []
    for step in (*row["steps"], row["total"]):
        texts = [step["step"]]
        for measure in ("delay", "window"):
            low, high = step[f"{measure}_low"], step[f"{measure}_high"]
            half = "" if low is None else f" ± {(high - low) / 2:.5f}"
            texts.append(f"{step[measure]:.5f}{half}")
            texts.append(f"{step[f'predicted_{measure}']:.5f}")
        rows.append(texts)
    header = ["", "at theta", "predicted", "window", "predicted"]
    print()
    console.print_table(STEPS, header, rows)
    trials = len({each["seed"] for each in row["rows"]})
    spread = f" ± is a 95 % interval over {trials} seeds." if trials > 1 else ""
    print(f"Below 0, errors cancelled by chance.{spread}")
