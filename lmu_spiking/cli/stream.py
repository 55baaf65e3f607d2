"""``lmu-spiking stream``: samples in, decoded windows or decisions out."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import csv
import io
import sys
from contextlib import nullcontext
from json import dumps
from pathlib import Path

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import offer_files, offer_names
from lmu_spiking.cli.known import CONVERTED, FORMATS, SIGNALS, TASKS
from lmu_spiking.cli.train import DATA, Data
from lmu_spiking.errors import ValidationError

MODEL = "model.npz as train writes it; without one, a memory"
SOURCE = "- for standard input, or as for run"
OF_MODEL = ("presentation", "task", "data", "split")
OF_MEMORY = ("spec", "delays", "order", "theta")
OF_FILE = ("rate", "duration", "live")
LOUD = 3  # times the rms that a memory is for, above which a line says so
AT_ONCE, LIVE = 1000, 0.01  # samples of a block, and seconds of one that comes live


def stream(
    model: o.argument("[MODEL]", MODEL, offer_files(".npz"), Path) = None,
    input: o.text(
        SOURCE, "SOURCE", panel=o.SIGNAL, complete=offer_names(SIGNALS)
    ) = "-",
    column: o.Column = None,
    rate: o.Rate = None,
    duration: o.duration(unset="20, or the whole file") = None,
    format: o.one_of("Of standard input", FORMATS, panel=o.SIGNAL, unset="csv") = None,
    channels: o.whole("Of f32", most=10_000, panel=o.SIGNAL, unset="1") = None,
    live: o.flag("Play a file at its own pace", "--live", panel=o.SIGNAL) = False,
    block: o.whole("At once, at most", unset="1000; live, 10 ms", panel=o.WORK) = None,
    spec: o.Spec = None,
    delays: o.numbers("What is read, so long ago", panel=o.MEMORY) = None,
    order: o.order(unset="6") = None,
    theta: o.theta(unset="0.5") = None,
    neurons: o.neurons(unset="6000, or the model's recipe") = None,
    dt: o.step(unset="0.001") = None,
    neuron_type: o.one_of("", CONVERTED, unset="poisson") = None,
    presentation: o.number(
        "Of a sample, to a model", "SECONDS", unset="the recipe's"
    ) = None,
    task: o.one_of("", TASKS, panel=DATA, unset="the model's") = None,
    data: Data = None,
    split: o.seed("Which split of the data", panel=DATA, unset="the model's") = None,
    seed: o.seed("Draws the spikes", unset="0") = None,
    json_lines: o.flag("JSON in place of csv", "--json-lines", panel=o.RESULT) = False,
    json: o.flag("Nothing but the summary, in JSON", "--json", panel=o.RESULT) = False,
):
    """Decode samples as they come: a memory's past, or a model's decisions.

    \b
    seq 0 0.001 3 | lmu-spiking stream --delays 0.1,0.5
    lmu-spiking stream --input white --duration 3 --live --json
    lmu-spiking stream out/digits/model.npz --input mine.csv --column all

    Standard input has a line for each step: numbers with commas between, after a line
    of names, if any; or it is float32 (--format f32). What was decoded is a line for
    each sample; latency, speed and spikes are told at the end. The numbers are those
    of one long run, however the samples arrive and whatever --block is.
    """  # noqa: D301 (the \b marks the examples)
    given = dict(locals())
    piped = input == "-"
    _refuse_others(given, piped)
    named = {"n_neurons": neurons, "dt": dt, "neuron_type": neuron_type}
    named |= {"noise_seed": seed}
    # the network, and where its samples come from: what comes first says how many
    with console.Bar("Building the network"):
        if model is not None:
            from lmu_spiking.studies.stream import ModelStream

            made = _converted(model, given, named | {"presentation": presentation})
            size, step = made.params.size_in, None
            if not piped and not live:  # its pace does not matter
                given["rate"] = rate or 1 / made.settings.presentation
            source = _piped(given, size, step) if piped else _played(given, None)
            _check_channels(source.names, size)
            opened = ModelStream(made)
            names = made.params.header.get("class_names")
            names = names or range(made.params.size_out)
            heads = [f"output {name}" for name in names]
            heads = ["class", *heads] if opened.decides else heads
            expected = None
        else:
            from lmu_spiking.cli.inputs import choose_spec
            from lmu_spiking.studies.stream import MemoryStream

            named |= {"order": order, "theta": theta}
            chosen = choose_spec(spec, "-" if piped else input, named, {})
            size = chosen.size_in
            source = _piped(given, size, chosen.dt) if piped else _played(given, chosen)
            chosen = _sized(chosen, source.names, spec)
            opened = MemoryStream(chosen, delays)
            heads = _heads(source.names, opened.delays)
            expected = max(signal.rms for signal in chosen.signals)
    if not source.timed and model is None:
        step = f"{1000 * opened.sample_dt:g} ms"
        console.tell(
            f"{input if input != '-' else 'standard input'} says no rate: "
            f"taken as one sample each {step}"
        )
    most = block or (max(1, round(LIVE / opened.sample_dt)) if live else AT_ONCE)
    write = None if json else _writer(heads, json_lines)
    _run(opened, source, most, write, expected)


def _refuse_others(given: dict, piped: bool) -> None:
    """Raise a ValidationError for an option of what is not asked for."""
    others: list[tuple[tuple, str]] = [(OF_MODEL, "a MODEL")]
    if given["model"]:
        others = [(OF_MEMORY, "a memory")]
    if piped:
        others.append((OF_FILE, "a file or a signal as --input"))
    else:
        others.append((("format", "channels"), "standard input"))
    for names, what in others:
        for name in names:
            if given[name] not in (None, False):
                problem = f"is for {what} only"
                raise ValidationError(f"--{name}", given[name], problem)


def _piped(given: dict, size: int | None, dt: float | None):
    """Return the samples of standard input, whose first line is read."""
    from lmu_spiking.cli.pipe import Raw, Text

    file = getattr(sys.stdin, "buffer", sys.stdin)
    if sys.stdin.isatty():
        console.tell("type a line of numbers for each sample; Ctrl-D ends it")
    if given["format"] == "f32":
        return Raw(file, given["channels"] or size or 1)
    if given["channels"] is not None:
        remedy = "lines of text say themselves how many there are; see --column"
        problem = "is for --format f32 only"
        raise ValidationError("--channels", given["channels"], problem, remedy)
    return Text(file, given["column"], size, dt)


def _played(given: dict, spec):
    """Return the samples of a signal or a file: at a memory's step, or at their own."""
    from lmu_spiking.cli.inputs import choose_signal, fitted
    from lmu_spiking.cli.pipe import Recording
    from lmu_spiking.signals import load_signal
    from lmu_spiking.signals.files import READERS

    name, duration = given["input"], given["duration"]
    column, rate = given["column"], given["rate"]
    if spec is not None and name in SIGNALS:
        return Recording(
            choose_signal(name, spec, duration, column, rate), given["live"]
        )
    if Path(name).suffix.lower() not in READERS and not Path(name).exists():
        known = "-, ecg, white or a file" if spec is not None else "- or a file"
        remedy = f"use {known} ({', '.join(READERS)})"
        raise ValidationError("--input", name, "is not known", remedy)
    step = None if spec is None else spec.dt
    if column is None and spec is not None and spec.size_in > 1:
        column = "all"
    silent: list = []

    def untimed() -> None:
        silent.append(name)

    told = {} if step is None else {"untimed": untimed}
    signal = load_signal(name, step, column, rate, **told)
    if duration is not None:
        signal = fitted(signal, duration)
    recording = Recording(signal, given["live"])
    recording.timed = not silent
    return recording


def _sized(chosen, names: list[str], given: Path | None):
    """Return a spec for as many channels as there are; a file's is for its own."""
    if given is not None or chosen.size_in == len(names):
        _check_channels(names, chosen.size_in, "memory")
        return chosen
    return chosen.replace(size_in=len(names))


def _check_channels(names: list[str], size: int, what: str = "model") -> None:
    """Refuse another number of channels than a model or a memory has."""
    if len(names) != size:
        problem = f"makes {len(names)} channels, and the {what} takes {size}"
        raise ValidationError("--column", ",".join(names), problem)


def _heads(names: list[str], delays) -> list[str]:
    """Return a name for each number that a memory decodes."""
    heads = []
    for name in names:
        channel = f"{name} " if len(names) > 1 else ""
        heads += [f"{channel}{delay:g} s ago" for delay in delays]
    return heads


def _converted(model: Path, given: dict, settings: dict):
    """Return a trained model in spikes, with the ranges of its own training data."""
    from lmu_spiking.cli.convert import loaded_data, read_model, recipe_of
    from lmu_spiking.cli.train import model_file
    from lmu_spiking.conversion import convert

    model = model_file(model)
    params = read_model(model)
    loaded = loaded_data(params, model, given["task"], given["data"], given["split"])
    named = {key: value for key, value in settings.items() if value is not None}
    how = {"last": loaded.last, "lengths": loaded.train.lengths}
    return convert(params, loaded.train.x, **how, **(recipe_of(loaded) | named))


# -- results ---------------------------------------------------------------------------


def _writer(heads: list[str], json_lines: bool):
    """Return a function that writes times and numbers, a line for each sample."""
    if not json_lines:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(["time", *heads])
        sys.stdout.write(line.getvalue())
        sys.stdout.flush()

    def write(result) -> None:
        times, values, *classes = result
        lines = []
        kinds = (
            classes[0] if classes and classes[0] is not None else [None] * len(times)
        )
        for t, row, kind in zip(times, values, kinds, strict=True):
            if json_lines:
                record: dict = {"time": round(float(t), 9)}
                record |= {} if kind is None else {"class": int(kind)}
                key = "outputs" if classes else "decoded"
                record[key] = [float(f"{x:.6g}") for x in row]
                lines.append(dumps(record))
            else:
                first = [] if kind is None else [str(kind)]
                numbers = [f"{x:.6g}" for x in row]
                lines.append(",".join([f"{t:.10g}", *first, *numbers]))
        if lines:
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()

    return write


def _run(opened, source, most: int, write, expected: float | None) -> None:
    """Take all samples, write what is decoded, and tell the summary at the end."""
    # where output is seen as it comes, a bar would be in its way
    bar = nullcontext() if sys.stdout.isatty() and write else console.Bar("Streaming")
    total, power, ended = 0, 0.0, False
    write, json = write or (lambda result: None), write is None
    try:
        with opened, bar as shown:
            for samples in source.blocks(most):
                write(opened.push(samples))
                total, power = total + len(samples), power + float((samples**2).sum())
                if shown:
                    shown.name = f"Streaming, {opened.time:g} s"
            if finish := getattr(opened, "finish", None):  # of a model
                write(finish())
        ended = True
    except KeyboardInterrupt:
        ended = True
        raise
    finally:
        if total:
            rms = (power / total / opened.channels) ** 0.5
            about = {"samples": total, "channels": opened.channels, "rms": rms}
            _summary(opened, source, about, json and ended, expected)


def _summary(opened, source, record: dict, json: bool, expected) -> None:
    """Tell latency, speed and spikes, on standard error or as JSON."""
    latency, behind = opened.latency, getattr(source, "behind", 0.0)
    samples, rms = record["samples"], record["rms"]
    duration = samples * opened.sample_dt
    record |= {"duration": duration, "seconds": opened.seconds}
    record |= {"real_time_factor": opened.real_time_factor}
    record |= {"latency_readout": latency.readout, "latency_block": latency.block}
    record |= {"latency_computation": latency.computation, "latency": latency.total}
    record |= {"behind": behind, "spikes": round(opened.spikes)}
    record["spikes_per_s"] = opened.spikes / duration
    if expected is not None and rms > LOUD * expected:
        console.tell(
            f"warning: the samples have an rms of {rms:.3g}, and the memory is for "
            f"{expected:g}: scale them, or give a --spec for them"
        )
    if json:
        console.print_json(record)
        return
    console.tell(
        f"{samples:,} samples, {duration:.4g} s, computed in {opened.seconds:.3g} s: "
        f"{opened.real_time_factor:.3g} times real time; spikes: {record['spikes']:,}"
    )
    console.tell(
        f"latency {latency.total:.3g} s: {latency.readout:g} s until it is read, a "
        f"block of {latency.block:g} s, {latency.computation:.2g} s at most to compute"
    )
    if behind > opened.sample_dt:
        console.tell(f"it fell behind the recording's pace by up to {behind:.2g} s")
