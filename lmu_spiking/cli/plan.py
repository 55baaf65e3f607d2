"""``lmu-spiking plan``: from the error one can afford to the memory."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

from pathlib import Path

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.known import GOALS, PLANNED, REALISED

TARGET = "Target: NRMSE of the input theta ago"
GUARANTEED = "Whatever the input: staggered neurons, whose error has a bound"
ALLOWED = "Allowed, of all neurons"
CHEAPEST = "The cheapest of several"
EXCEEDED = "Exceeded by a neuron 0.1 % of the time"


def plan(
    error: o.number(TARGET, "NRMSE", panel=o.LIMITS, most=1.0) = 0.05,
    minimise: o.one_of("What is to be least", GOALS, panel=o.LIMITS) = "neurons",
    max_neurons: o.neurons(help="Allowed, in all", panel=o.LIMITS) = None,
    max_rate: o.max_rate(help=EXCEEDED, panel=o.LIMITS) = 300.0,
    max_spikes: o.number(ALLOWED, "PER_SECOND", panel=o.LIMITS, most=1e15) = None,
    bandwidth: o.bandwidth() = 2.0,
    rms: o.rms() = 0.5,
    theta: o.theta() = 0.5,
    order: o.order(unset="the best") = None,
    tau: o.tau(unset="the best") = None,
    dt: o.step(unset="0.001, or less for what is fast") = None,
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
    lmu-spiking plan --error 0.05 --neuron-types poisson,if,lif
    lmu-spiking plan --error 0.02 --guarantee --error-feedback auto

    The error is that of the readout at delay theta against the input, over the rms of
    the input; nine tenths of it are aimed at. A request that no memory meets is refused
    with the limit that forbids it. With --guarantee no input at all pushes the readout
    further from that of the exact delay network.
    """  # noqa: D301 (the \b marks the examples)
    with console.Bar("Planning"):
        from lmu_spiking.theory.plan import check_duration
        from lmu_spiking.theory.plan import plan as find

        console.prepare(out)
        limits = {"max_neurons": max_neurons, "max_rate": max_rate}
        limits |= {"max_spikes_per_s": max_spikes, "minimise": minimise}
        given = {"order": order, "tau": tau, "dt": dt, "tuning": tuning, "rms": rms}
        given |= {"neuron_type": neuron_type, "noise_seed": seed}
        given |= {"error_feedback": error_feedback, "neuron_types": neuron_types}
        given["guarantee"] = guarantee
        found = find(error, theta, bandwidth, **limits, **given)
        seconds, near = check_duration(found.spec)
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
    title = f"{theta:g} s of {bandwidth:g} Hz, error {error:g}"
    console.print_table(title, ["", "predicted"], rows.items())
    said = f"95 of 100 such runs are within {near:.0%} of its NRMSE"
    print(f"\nSee whether it keeps that ({said}):")
    print(f"lmu-spiking run --spec {path} --duration {seconds:g}")


def _feedback(spec) -> str:
    """Return the error feedback of a spec in words."""
    if spec.error_feedback is None:
        return "off"
    rate, tau = spec.error_feedback
    return f"{rate:g}/s, {1000 * tau:g} ms"
