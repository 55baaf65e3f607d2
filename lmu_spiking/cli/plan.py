"""``lmu-spiking plan``: from the error one can afford to the memory."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import shlex
from pathlib import Path

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.known import GOALS, PLANNED, REALISED
from lmu_spiking.errors import ValidationError

TARGET = "Target: NRMSE of the input theta ago"
GUARANTEED = "Whatever the input: staggered neurons, whose error has a bound"
ALLOWED = "Allowed, of all neurons"
CHEAPEST = "The cheapest of several"
EXCEEDED = "Exceeded by a neuron 0.1 % of the time"


def plan(
    input: o.Input = "white",
    bandwidth: o.bandwidth(unset="2") = None,
    rms: o.rms(unset="0.5") = None,
    duration: o.duration(help="Of a file", unset="all") = None,
    column: o.Column = None,
    rate: o.Rate = None,
    centre: o.Centre = False,
    error: o.number(TARGET, "NRMSE", panel=o.LIMITS, most=1.0) = 0.05,
    minimise: o.one_of("What is to be least", GOALS, panel=o.LIMITS) = "neurons",
    max_neurons: o.neurons(help="Allowed, in all", panel=o.LIMITS) = None,
    max_rate: o.max_rate(help=EXCEEDED, panel=o.LIMITS) = 300.0,
    max_spikes: o.number(ALLOWED, "PER_SECOND", panel=o.LIMITS, most=1e15) = None,
    theta: o.theta() = 0.5,
    order: o.order(unset="the best") = None,
    tau: o.tau(unset="the best") = None,
    dt: o.step(unset="0.001, or what suits the signal") = None,
    tuning: o.one_of("", REALISED, unset="balanced") = None,
    neuron_type: o.one_of("", PLANNED) = "poisson",
    neuron_types: o.some_of(CHEAPEST, PLANNED, panel=o.MEMORY) = None,
    error_feedback: o.error_feedback("off") = None,
    guarantee: o.flag(GUARANTEED, "--guarantee", panel=o.LIMITS) = False,
    seed: o.seed("Draws the spikes, when it is run") = 0,
    out: o.out("For spec.toml") = Path("out/plan"),
    json: o.Json = False,
):
    """Find the smallest memory of an error, and write it as a spec.

    \b
    lmu-spiking plan --error 0.05
    lmu-spiking run --spec out/plan/spec.toml
    lmu-spiking plan --input mine.csv --column x,y,z --theta 0.2
    lmu-spiking plan --error 0.05 --neuron-types poisson,if,lif

    The error is that of the readout at delay theta against the input, over the rms of
    the input; nine tenths of it are aimed at. A request that no memory meets is refused
    with the limit that forbids it. With --guarantee no input at all pushes the readout
    further from that of the exact delay network. For a recording, the memory has its
    spectrum and step, channels share the neurons by need, and the error is predicted on
    the recording itself: of several channels, the root mean square.
    """  # noqa: D301 (the \b marks the examples)
    console.announce(input)
    with console.Bar("Planning"):
        from lmu_spiking.theory.plan import check_duration
        from lmu_spiking.theory.plan import plan as find

        console.prepare(out)
        recorded = _recording(input, bandwidth, rms, duration, column, rate, centre)
        limits = {"max_neurons": max_neurons, "max_rate": max_rate}
        limits |= {"max_spikes_per_s": max_spikes, "minimise": minimise}
        given = {"order": order, "tau": tau, "dt": dt, "tuning": tuning}
        if recorded is None:
            given |= {"bandwidth": bandwidth or 2.0, "rms": rms or 0.5}
        else:
            given["signal"] = recorded
        given |= {"neuron_type": neuron_type, "noise_seed": seed}
        given |= {"error_feedback": error_feedback, "neuron_types": neuron_types}
        given["guarantee"] = guarantee
        found = find(error, theta, **limits, **given)
        if recorded is None:
            seconds, near = check_duration(found.spec)
        else:
            seconds, near = recorded.duration, 0.0
    spec, path = found.spec, out / "spec.toml"
    files = {path.name: lambda path: spec.to_toml(path, asked=error)}
    console.write_results(out, "plan", files)
    row = found.to_dict()
    if json:
        console.print_json(
            row | {"check_duration": seconds, "seed": seed, "out": str(path)}
        )
        return
    counts = " ".join(f"{n:,}" for n in found.counts[:6])
    bound = {}
    if found.bound is not None:
        bound["  the largest of any input"] = f"{found.bound:.4f}"
    rows = {
        "NRMSE at theta, in all": f"{found.nrmse:.4f}",
        "  from the order": f"{found.truncation:.4f}",
        "  from spikes": f"{found.noise:.4f}",
        **bound,
        "neurons": f"{spec.n_neurons:,}",
        "order": f"{spec.order}",
        "tau, seconds": f"{spec.tau:g}",
        "neuron type": spec.neuron_type,
        "tuning": f"{spec.tuning}",
        "error feedback": _feedback(spec),
        "neurons per coordinate": counts + " ..." * (len(found.counts) > 6),
        "spikes per second": f"{found.spikes_per_s:,.0f}",
        "mean rate, Hz": f"{row['predicted_mean_rate']:.1f}",
        "synaptic operations per second": f"{found.synops.by_spikes:,.0f}",
        "  if wired neuron to neuron": f"{found.synops.full:,.0f}",
    }
    of = f"{given.get('bandwidth')} Hz" if recorded is None else recorded.name
    if spec.size_in > 1:
        of = f"{spec.size_in} channels of {of}"
        rows["neurons per channel"] = _each_channel(found)
    title = f"{theta:g} s of {of}, error {error:g}"
    console.print_table(title, ["", "predicted"], rows.items())
    if recorded is not None:
        print("\nSee whether it keeps that (97.5 of 100 such runs do):")
        more = [f"--input {shlex.quote(input)}"]
        for name, value in (("column", column), ("rate", rate), ("duration", duration)):
            more += [] if value is None else [f"--{name} {shlex.quote(str(value))}"]
        more += ["--centre"] * centre
        print(f"lmu-spiking run --spec {path} {' '.join(more)}")
        return
    said = f"95 of 100 such runs are within {near:.0%} of its NRMSE"
    print(f"\nSee whether it keeps that ({said}):")
    print(f"lmu-spiking run --spec {path} --duration {seconds:g}")


def _recording(source: str, bandwidth, rms, duration, column, rate, centre: bool):
    """Return the recording that ``--input`` names, or None for white noise."""
    from lmu_spiking.cli import inputs
    from lmu_spiking.signals import ecg
    from lmu_spiking.signals.ecg import RATE

    inputs.refuse_white({"bandwidth": bandwidth, "rms": rms}, source)
    if inputs.is_file(source):
        signal = inputs.load_file(source, duration, column, rate, centre)
        of = "" if len(signal.channels) == 1 else f"{len(signal.channels)} channels of "
        said = f"{signal.name}: {of}{signal.duration:.4g} s, a sample each "
        console.tell(f"{said}{signal.dt:.4g} s; planning")
        return signal
    inputs.refuse_file_options(column, rate, centre)
    if source == "ecg":
        return ecg(inputs.DURATION if duration is None else duration, 1 / RATE)
    if duration is not None:
        raise ValidationError("--duration", duration, "is for a recording as --input")
    return None


def _each_channel(found) -> str:
    """Return the neurons of the first channels of a plan."""
    order = found.spec.order
    starts = range(0, len(found.counts), order)
    each = [sum(found.counts[i : i + order]) for i in starts]
    return " ".join(f"{n:,}" for n in each[:6]) + " ..." * (len(each) > 6)


def _feedback(spec) -> str:
    """Return the error feedback of a spec in words."""
    if spec.error_feedback is None:
        return "off"
    rate, tau = spec.error_feedback
    return f"{rate:g}/s, {1000 * tau:g} ms"
