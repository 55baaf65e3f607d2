"""``lmu-spiking run``: one memory, one signal, measured beside predicted."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

from math import nan, sqrt
from pathlib import Path
from textwrap import fill

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.known import BESIDE, NEURON_TYPES, NOISY, TUNINGS

NEURONS = "In all; beyond a million, as their sums"
RARE = 0.02  # share of time beyond the radii that explains no error
COMPARE = "Run a tenth of the neurons, too: with error feedback, and staggered"
SOURCES = {
    "truncation": "the order's (truncation)",
    "spikes": "the spikes'",
    "curves": "the tuning curves', which do not fit the whole signal",
}


def run(
    input: o.Input = "white",
    bandwidth: o.bandwidth(unset="2") = None,
    rms: o.rms(unset="0.5") = None,
    duration: o.duration(unset="20, or the whole file") = None,
    column: o.Column = None,
    rate: o.Rate = None,
    centre: o.Centre = False,
    spec: o.Spec = None,
    order: o.order(unset="6") = None,
    theta: o.theta(unset="0.5") = None,
    neurons: o.neurons(unset="6000", help=NEURONS) = None,
    tau: o.tau(unset="0.1, or the best") = None,
    dt: o.step(unset="0.001") = None,
    neuron_type: o.one_of("", NEURON_TYPES, unset="poisson") = None,
    tuning: o.one_of("", TUNINGS, unset="what suits the neurons") = None,
    max_rate: o.max_rate(unset="300") = None,
    error_feedback: o.error_feedback("off") = None,
    initial_phases: o.Phases = None,
    compare: o.flag(COMPARE, "--compare") = False,
    target: o.Target = "compiled",
    seed: o.seed("Draws the spikes and the white noise", unset="0") = None,
    out: o.out("For result.json, run.png and spec.toml") = Path("out"),
    json: o.Json = False,
):
    """Run a spiking memory on a signal; compare its error with the predicted one.

    \b
    lmu-spiking run
    lmu-spiking run --input ecg --compare --out out/ecg
    lmu-spiking run --input mine.csv --column x,y,z --neurons 20000
    lmu-spiking run --spec out/spec.toml --seed 1 --json

    What holds where an option is not given is in brackets. With --spec it is what the
    file says, such as spec.toml of an earlier run; with --input ecg, a memory of its
    last 0.1 s, of the order with the least predicted error. So it is for a recording,
    --input mine.csv, whose memory has its spectrum and step, and a window of 0.5 s.
    With --column a,b,c, each channel has a window of its own. What the memory says of
    theta seconds ago is in decoded.csv, .npz or .wav. Two windows of signal go before
    what is measured, so that its beginning does not ring.
    """  # noqa: D301 (the \b marks the examples)
    console.announce(input)
    with console.Bar("Choosing the memory") as bar:
        from lmu_spiking import plots
        from lmu_spiking.cli import inputs
        from lmu_spiking.memory.spec import asked_error
        from lmu_spiking.signals import save_signal
        from lmu_spiking.studies.trial import run_trial

        # None stands for what the user did not give
        fields = {"order": order, "theta": theta, "n_neurons": neurons, "tau": tau}
        fields |= {"dt": dt, "neuron_type": neuron_type, "tuning": tuning}
        fields |= {"max_rate": max_rate, "noise_seed": seed}
        fields |= {"error_feedback": error_feedback, "initial_phases": initial_phases}
        white = {"bandwidth": bandwidth, "rms": rms}
        asked = None
        if spec is None and inputs.is_file(input):  # the memory is the recording's
            inputs.refuse_white(white, input)
            recorded = inputs.load_file(input, duration, column, rate, centre)
            chosen, signal = inputs.recorded_memory(recorded, fields)
        else:
            chosen = inputs.choose_spec(spec, input, fields, white)
            if not inputs.is_file(input):
                inputs.refuse_file_options(column, rate, centre)
            signal = inputs.choose_signal(input, chosen, duration, column, rate)
            if inputs.is_file(input):
                signal = inputs.about_mean(signal, centre)
        if spec is not None and (theta, bandwidth, rms) == (None, None, None):
            asked = asked_error(spec)  # it is the error for that window of that noise
        beside = inputs.compared(chosen) if compare else {}
        console.prepare(out)
        bar.phase("Simulating")
        if chosen.aggregated:
            neurons = f"{chosen.n_neurons:,} neurons"
            console.tell(f"{neurons} are simulated as sums of spikes")
        result = run_trial(chosen, signal, progress=bar, target=target)
        others = {
            name: run_trial(each, signal, progress=bar, target=target)
            for name, each in beside.items()
        }
    row = result.row | ({} if asked is None else {"asked_nrmse": asked})
    row["order_chosen"] = order is None and spec is None and input != "white"
    files = {}
    for name, other in others.items():
        row[name] = other.row
        files[f"{name}.toml"] = beside[name].to_toml
    # the spec is written unless it is the user's own, in the user's words
    files |= {"run.png": plots.run_figure(result, *others.values()), "result.json": row}
    decoded = inputs.decoded_name(input, signal)
    files[decoded] = lambda path: save_signal(path, inputs.decoded_signal(result, path))
    if not _describes(spec, out / "spec.toml", chosen):
        files["spec.toml"] = lambda path: chosen.to_toml(path, asked=asked)
    obsolete = [f"{name}.toml" for name in BESIDE]
    obsolete += [f"decoded{kind}" for kind in inputs.DECODED]
    console.write_results(out, "run", files, obsolete)
    if json:
        console.print_json(row)
    else:
        _report(row, out, decoded)


def _describes(given: Path | None, path: Path, chosen) -> bool:
    """Return whether the file is the user's own spec and describes what was run."""
    if given is None or not (path.exists() and path.samefile(given)):
        return False
    return type(chosen).from_toml(given) == chosen


def _report(row: dict, out: Path, decoded: str) -> None:
    """Print the run as a table, measured beside predicted."""
    from lmu_spiking.signals.signal import LOST

    rows = console.measured_rows(row)
    lost = row["input_power_lost"]
    if lost > LOST:  # the first row refers to the low-passed recording
        rows[0][0] += ", low-passed"
    title = f"{row['neurons']:,} {row['neuron_type']} neurons, order {row['order']}, "
    title += f"{row['theta']:g} s of {row['input']}"
    head = ["", "measured", "predicted", "95 of 100 runs"]
    console.print_table(title, head[: len(rows[0])], rows)
    print(f"\n{row['spikes']:,} spikes in {row['duration']:g} s")
    if lost > LOST:
        print(
            f"The input is {row['input']} low-passed at {0.5 / row['dt']:g} Hz: "
            f"{100 * lost:.0f} % of its power is not in it."
        )
    if "asked_nrmse" in row:
        asked, found = row["asked_nrmse"], row["nrmse"]
        met = "met" if found <= asked else "not met"
        print(f"NRMSE at theta, asked for {asked:g}: {met} ({found:.4f})")
    print(fill(_advice(row), console.WIDTH))
    for name in BESIDE:
        if name in row:
            _report_beside(row[name], row)
    names = ("run.png", "result.json", decoded, "spec.toml")
    print(fill(", ".join(str(out / name) for name in names), console.WIDTH))


def _report_beside(row: dict, asked: dict) -> None:
    """Print another run as a table, and its error over that of the one asked for."""
    title = f"{row['neurons']:,} {row['neuron_type']} neurons, {row['tuning']}, "
    if "feedback_rate" in row:
        title = f"With error feedback: {title}{row['feedback_rate']:g}/s"
    else:
        title = f"Staggered: {title[:-2]}"
    rows = [line[:3] for line in console.measured_rows(row)]
    print()
    console.print_table(title, ["", "measured", "predicted"], rows)
    error, spikes = (row[k] / (asked[k] or nan) for k in ("nrmse", "spikes"))
    text = f"{error:.2f} of the error (NRMSE at theta), {spikes:.2f} of the spikes"
    print(f"\n{text}, {row['neurons'] / asked['neurons']:.2f} of the neurons")


def _advice(row: dict) -> str:
    """Return where the error's variance comes from, and what would lower it."""
    parts = {name: row[f"predicted_{name}_nrmse"] for name in SOURCES}
    total = sum(part**2 for part in parts.values())
    if not total > 0:  # 0, or NaN for a silent signal
        return "There is no error to lower."
    shares = {name: part**2 / total for name, part in parts.items()}
    first, second, _ = sorted(shares, key=lambda name: -shares[name])
    less_noise = ["more --neurons"]
    if row["neuron_type"] in NOISY and row["tuning"] == "pairs":
        less_noise.insert(0, "--tuning balanced")
    if "feedback_rate" not in row:
        less_noise.insert(0, "--error-feedback auto")
    sources, fitting = dict(SOURCES), "larger radii in a --spec"
    if row["tuning"] == "optimal":
        fitting = "--tuning balanced"
    elif row["neuron_type"] not in NOISY and row["beyond_radii"] < RARE:
        sources["curves"] = "that of curves and membranes, which no spikes average out"
        fitting = less_noise[0]
    higher = "a higher --order"
    if row.get("order_chosen"):  # it is the best for so many neurons
        higher = "more --neurons, for which a higher order is best,"
        higher += " or --neuron-type if" * (row["neuron_type"] in NOISY)
    remedies = {
        "truncation": f"{higher} or a shorter --theta",
        "spikes": " or ".join(less_noise),
        "curves": fitting,
    }
    # the second source is named from half a per cent on, its remedy from half the first
    of, lower = f"{shares[first]:.0%} is {sources[first]}", remedies[first]
    if shares[second] >= 0.005:
        of += f", {shares[second]:.0%} {sources[second]}"
    if shares[second] > shares[first] / 2 and remedies[second] not in lower:
        lower += f", and {remedies[second]},"
    left = sqrt(total - parts["spikes"] ** 2)
    return (
        f"Of the error's variance {of}: {lower} would lower it. "
        f"No number of neurons alone brings NRMSE at theta below {left:.2g}."
    )
