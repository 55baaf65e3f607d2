"""``lmu-spiking plan``: from the error one can afford to the memory."""

from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import prepare, print_json, print_table
from lmu_spiking.cli.run import _maybe


def plan(
    error: Annotated[float, typer.Option(help="NRMSE of the input theta ago.")] = 0.05,
    theta: Annotated[float, typer.Option(help="Window, seconds.")] = 0.5,
    bandwidth: Annotated[
        float, typer.Option(help="Of white noise, highest frequency, Hz.")
    ] = 2.0,
    rms: Annotated[float, typer.Option(help="Of white noise.")] = 0.5,
    minimise: Annotated[str, typer.Option(help="neurons or spikes.")] = "neurons",
    max_neurons: _maybe(int, "Allowed, in all.") = None,
    max_rate: Annotated[
        float, typer.Option(help="Exceeded by a neuron .1 % of the time, Hz.")
    ] = 300.0,
    max_spikes: _maybe(float, "Allowed per second, in all.") = None,
    order: _maybe(int, "Legendre coefficients [the best].") = None,
    tau: _maybe(float, "Recurrent synapse, seconds [the best].") = None,
    dt: _maybe(float, "Step, seconds [0.001, or less for what is fast].") = None,
    tuning: _maybe(str, "balanced or optimal [the better].") = None,
    neuron_type: Annotated[
        str, typer.Option(help="poisson or stochastic.")
    ] = "poisson",
    seed: Annotated[int, typer.Option(help="Of the spikes, in the spec.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for spec.toml.")] = Path("out/plan"),
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Find the smallest memory of an error, and write it as a spec.

    \b
    lmu-spiking plan --error 0.05
    lmu-spiking plan --error 0.02 --theta 0.1 --bandwidth 20 --minimise spikes
    lmu-spiking plan --error 0.1 --max-neurons 500 --max-rate 100
    lmu-spiking run --spec out/plan/spec.toml

    The error is that of the readout at delay theta against the input, over the rms of
    the input; nine tenths of it are aimed at. A request that no memory meets is refused
    with the limit that forbids it.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking.planner import plan as find

    prepare(out)
    found = find(
        error,
        theta,
        bandwidth,
        rms=rms,
        minimise=minimise,
        max_neurons=max_neurons,
        max_rate=max_rate,
        max_spikes_per_s=max_spikes,
        order=order,
        tau=tau,
        dt=dt,
        tuning=tuning,
        neuron_type=neuron_type,
        noise_seed=seed,
    )
    found.spec.to_toml(out / "spec.toml")
    row = found.to_dict()
    if json:
        print_json(row | {"seed": seed, "out": str(out / "spec.toml")})
        return
    rows = [
        ["NRMSE at theta, in all", f"{found.nrmse:.4f}"],
        ["  from the order", f"{found.truncation:.4f}"],
        ["  from spikes", f"{found.noise:.4f}"],
        ["neurons", f"{found.spec.n_neurons:,}"],
        ["order", f"{found.spec.order}"],
        ["tau, seconds", f"{found.spec.tau:g}"],
        ["tuning", f"{found.spec.tuning}"],
        ["neurons per coordinate", " ".join(f"{n:,}" for n in found.counts[:6])],
        ["spikes per second", f"{found.spikes_per_s:,.0f}"],
        ["mean rate, Hz", f"{row['predicted_mean_rate']:.1f}"],
        ["synaptic operations per second", f"{found.synops.by_spikes:,.0f}"],
        ["  if wired neuron to neuron", f"{found.synops.full:,.0f}"],
    ]
    if len(found.counts) > 6:
        rows[7][1] += " ..."
    title = f"{theta:g} s of {bandwidth:g} Hz, error {error:g}"
    print_table(title, ["", "predicted"], rows)
    print(f"\nlmu-spiking run --spec {out / 'spec.toml'}")
