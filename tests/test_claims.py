"""What README and docs claim is what was recorded: numbers, intervals, runs, commands.

A row of a table is held against the record in ``benchmarks/results`` that its command
wrote, to the digits that the page shows.
"""

import itertools
import json
import re
from functools import cache
from pathlib import Path
from statistics import fmean as mean_of

import pytest
from scipy.stats import binomtest

from lmu_spiking.cli.reproduce import text
from lmu_spiking.experiments.records import group
from lmu_spiking.studies.metrics import confidence

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NUMBER = re.compile(r"\d[\d,]*\.?\d*(?:e-?\d+)?")


@cache
def record(name: str):
    return json.loads((ROOT / "benchmarks/results" / f"{name}.json").read_text())


def table(page: str) -> list[list[str]]:
    """Cells of the rows of a page's tables, their heads left out."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def row_of(page: str, start: str) -> str:
    (found,) = [" | ".join(row) for row in table(page) if row[0].startswith(start)]
    return found


def one(rows, **wanted) -> dict:
    (found,) = [r for r in rows if all(r[key] == v for key, v in wanted.items())]
    return found


def big(value: float, digits: int = 1) -> str:
    """Such as 3.2e5."""
    return re.sub(r"e([+-])0*(\d)", r"e\1\2", f"{value:.{digits}e}").replace("e+", "e")


def noise(*tunings, neurons=6000) -> list[str]:
    found = []
    for tuning in tunings:
        row = one(record("noise")["results"], tuning=tuning, neurons=neurons)
        digits = 2 if row["ci95"] > 0.01 else 4
        found.append(f"{row['noise_nrmse']:.{digits}f} ± {row['ci95']:.{digits}f}")
        found.append(big(row["spikes_per_s"]))
    return found


def tuned(tuning: str) -> str:
    rows = [r for r in record("optimal")["comparison"] if r["tuning"] == tuning]
    ends = [(r["noise_nrmse"], r["noise_nrmse_ci95"]) for r in rows]
    return ", ".join(f"{mean:.4f} ± {half:.4f}" for mean, half in ends)


def spread(values, digits: int = 2) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def law() -> list[str]:
    points = record("law")["points"]
    ends = [p[f"state_rmse_ratio_{end}"] for p in points for end in ("low", "high")]
    return [spread([p["ratio"] for p in points]), spread(ends), f"{len(points)} mem"]


def exponents() -> list[str]:
    """Return the exponents of the error in the neurons: interval and prediction."""
    rows = [r for r in record("law")["exponents"] if r["against"] == "neurons"]
    return [
        f"{r['at'][6:]}: {r['exponent']:.3f} ± {(r['high'] - r['low']) / 2:.3f} "
        f"({r['predicted']:.3f})"
        for r in rows
    ]


def share(k: int, n: int) -> str:
    """95 % interval of the share of successes (Clopper-Pearson)."""
    low, high = binomtest(k, n).proportion_ci(method="exact")
    return f"({100 * low:.0f} to {100 * high:.0f} %)"


def planned() -> list[str]:
    asked = record("plan")["requests"]
    met, lean = sum(r["met"] for r in asked), sum(r["waste"] <= 1.3 for r in asked)
    (tuning,), n = {r["tuning"] for r in asked}, len(asked)
    sizes = [r["neurons"] for r in asked]
    return [
        f"**{met} of {n}** {share(met, n)}",
        f"**{lean}** {share(lean, n)}",
        f"{min(sizes)} to {max(sizes):,} neurons",
        f"memories `{tuning}`",
    ]


def planned_of_all() -> list[str]:
    """Check what the cheapest of all neuron types measure."""
    asked = record("plan")["of_all"]
    answered = [r for r in asked if not r["refusal"]]
    met, n = sum(r["met"] for r in asked), len(asked)
    lean = sum(r["waste"] <= 1.3 for r in answered)
    sizes = [r["neurons"] for r in answered]
    return [
        f"**{met} of {n}** {share(met, n)}",
        f"**{lean}** {share(lean, n)}",
        f"{min(sizes)} to {max(sizes):,} neurons",
    ]


def over_tuned(tuning: str, key: str = "noise_nrmse") -> list[str]:
    """Error of a tuning over that of tuned pairs, at each order."""
    rows = record("optimal")["comparison"]
    mine, pairs = (
        [r[key] for r in rows if r["tuning"] == name]
        for name in (tuning, "plain, tuned")
    )
    return [f"{a / b:.2f}" for a, b in zip(mine, pairs, strict=True)]


def tuned_text() -> list[str]:
    """Check the ratios to tuned pairs that the text of docs/optimal.md gives."""
    cases = itertools.product(("optimal", "balanced"), ("", "predicted_", "window_"))
    return [
        "{}, {} and {} times".format(*over_tuned(tuning, f"{kind}noise_nrmse"))
        for tuning, kind in cases
        if (tuning, kind) not in (("optimal", "predicted_"), ("balanced", "window_"))
    ]


def compared() -> list[str]:
    """Rows of the table of tunings in docs/optimal.md."""
    return [
        f"| {r['order']} | {r['tuning']} | {r['tau']:g} | **{r['noise_nrmse']:.4f}** ± "
        f"{r['noise_nrmse_ci95']:.4f} ({r['predicted_noise_nrmse']:.4f}) | "
        f"{r['window_noise_nrmse']:.4f} ({r['predicted_window_noise_nrmse']:.4f}) | "
        f"{r['noise_nrmse_less_than_plain']:.0%}, "
        f"{r['window_noise_nrmse_less_than_plain']:.0%} | {r['mean_rate']:.0f}, "
        f"{r['peak_rate']:.0f} | {r['spikes_per_s']:.2g} |"
        for r in record("optimal")["comparison"]
    ]


def converted() -> tuple[list[str], list[str]]:
    """Loss with very many neurons, and measured over predicted loss with few."""
    rows, seeds = (
        record("conversion")["rows"],
        record("conversion")["settings"]["seeds"],
    )
    assert all(abs(r["loss_many"]) <= r["loss_many_ci95"] for r in rows)
    half = {
        task: max(r["loss_many_ci95"] for r in rows if r["task"] == task)
        for task in ("noise", "digits")
    }
    ones = sum(abs(r["ratio"] - 1) <= r["ratio_ci95"] for r in rows)
    models = f"{len(seeds)} models each"
    return [
        f"{len(rows)} cases",
        "zero within its interval in all",
        f"up to {half['noise']:.4f} in NRMSE on noise",
        f"up to {100 * half['digits']:.1f} points in accuracy on digits",
        models,
    ], [
        spread([r["ratio"] for r in rows]),
        f"up to {max(r['ratio_ci95'] for r in rows):.2f}",
        f"{ones} of {len(rows)} intervals contain 1",
        models,
        f"{record('conversion')['settings']['draws']} draws of the spikes",
    ]


def neuron_types() -> list[str]:
    """Check what the text of docs/measured.md says of regular and LIF neurons."""
    fits = {r["neuron_type"]: r for r in record("law")["neuron_type_exponents"]}
    slopes = sorted(-fits[kind]["exponent"] for kind in ("if", "regular"))
    lif = [r for r in record("law")["neuron_types"] if r["neuron_type"] == "lif"]
    return [f"m^-{slopes[0]:.2f} to m^-{slopes[1]:.2f}"] + [
        "{state_rmse:.4f} ({state_rmse_low:.4f} to {state_rmse_high:.4f})".format(**r)
        + f" at {big(r['spikes_per_s'])}"
        for r in lif[-2:]
    ]


def wasted() -> list[str]:
    asked = record("plan")
    kinds = (asked["requests"], asked["of_all"])
    return [
        f"the target is {spread([r['waste'] for r in rows if not r['refusal']])} times"
        for rows in kinds
    ]


def capacity() -> list[str]:
    rows = record("reproduce_capacity")["comparisons"]
    rows = [r for r in rows if r["what"].startswith("T = 100,000, delay")][1:]
    return [big(r[key]) for r in rows[:3] for key in ("ours", "beside")] + [
        big(rows[3][key], 2) for key in ("ours", "beside")
    ]


def outlasted() -> list[str]:
    """Check the largest T of each model on the capacity task, and errors beside it."""
    found = record("rivals_capacity")
    untrained, trained, lstm = found["summary"]
    (long,) = (r["mse"] for r in found["rows"] if r["length"] == 1_000_000)
    rivals = [r for r in found["rows"] if r["model"] == "LSTM"]
    mean = {
        T: confidence([r["mse"] for r in rivals if r["length"] == T])[0]
        for T in (50, 100)
    }
    return [
        *(f"at least **{row['longest']:,.0f}**" for row in (untrained, trained)),
        big(long),
        f"**{with_interval(lstm, 'longest', 0)}** ({big(mean[50])} at T = 50, "
        f"{mean[100]:.3f} at 100)",
    ]


def closed_form() -> list[str]:
    """Check the errors on Mackey-Glass of readouts in closed form."""
    rows = {r["model"]: r for r in record("rivals_mackey_glass")["summary"]}
    digits = {"LMU, 690": 5, "ESN, 690": 5, "ESN, 24": 4}
    return [
        with_interval(rows[f"{name} drawn units"], key, n)
        for name, n in digits.items()
        for key in ("nrmse", "nrmse_settled")
    ]


def trained_on_series() -> list[str]:
    """Check the errors on Mackey-Glass of models that are trained."""
    rows = {r["model"]: r for r in record("rivals_mackey_glass")["summary"]}
    ours = ("LMU, recurrent", "LMU, trained")
    others = [name for name in rows if "drawn" not in name and name not in ours]
    return [with_interval(rows[name], "nrmse", 4) for name in (*ours, *others)]


def speed(peer: str, digits: int = 0) -> str:
    rows = record("simulator")["rows"]
    return spread(
        [
            r["times_nengo"]
            for r in rows
            if r["peer"] == peer and r["threads"] == 1 and "times_nengo" in r
        ],
        digits,
    )


def digits(presentation: float, neurons: int) -> list[str]:
    summary = record("learning_digits")["summary"]
    row = one(summary["spikes"], presentation=presentation, n_neurons=neurons)
    accuracy, half = summary["rate_accuracy"], summary["rate_accuracy_ci95"]
    return [
        f"{100 * row['loss']:.2f} ± {100 * row['loss_ci95']:.2f}",
        f"{100 * row['predicted_loss']:.2f}",
        f"{100 * accuracy:.1f} ± {100 * half:.1f}",
    ]


def few_digits() -> list[str]:
    """Return the accuracy drop of digits in staggered neurons, and their spikes."""
    row = one(record("learning_feedback")["summary"], neuron_type="if")
    drop = f"{100 * row['loss']:.2f} ± {100 * row['loss_ci95']:.2f}"
    spikes = row["spikes_per_inference"]
    return [
        drop,
        f"predicted {100 * row['predicted_loss']:.2f}",
        f"{big(spikes)} spikes",
    ]


def whole_psmnist() -> list[str]:
    """Return accuracies rate-based, with and without warps, and those in spikes."""
    found = record("psmnist")
    ways = found["summary"]["rates"]
    rates = [
        f"{100 * row['accuracy']:.2f} ± {100 * row['accuracy_ci95']:.2f}"
        for images in ("warps", "as they are")
        for row in [one(ways, model="large", permutation=0, images=images)]
    ]
    spikes = []
    for model, neurons in (("large", 57_000), ("small", 32_000), ("small", 16_000)):
        size = {"model": model, "neurons": neurons, "presentation": 0.001}
        row = one(found["summary"]["spikes"], **size)
        spikes += [
            f"**{with_interval(row, 'spiking_accuracy', 2, 100)} %**",
            f"{big(row['spikes_per_inference'])} spikes",
            f"{with_interval(row, 'loss', 2, 100)} points",
            f"{100 * row['predicted_loss']:.2f}",
        ]
    return [*rates, *spikes]


def chip(peer: str, *sizes) -> list[str]:
    rows = record("loihi")["summary"]
    rows = [
        one(rows, benchmark="window", peer=peer, target="sim", n_per_dimension=n)
        for n in sizes
    ]
    return [
        f"{r['nrmse']:.3f}{mark} ({r['low']:.3f} to {r['high']:.3f})"
        for r in rows
        for mark in ["**" * ("memory" in peer)]
    ]


def predicted_on_chip(*sizes) -> list[str]:
    rows = record("loihi")["summary"]
    rows = [one(rows, peer="this memory, if", n_per_dimension=n) for n in sizes]
    return [f"{r['predicted']:.3f}" for r in rows]


def relayed() -> str:
    rows = record("loihi")["table"]
    better = sum(row["peer_emulator"] < row["emulator"] for row in rows)
    return f"{better} of {len(rows)}"


def chip_digits() -> list[str]:
    found, rows = record("loihi_digits")["summary"], record("loihi_digits")["rows"]
    chip, rate = found["spiking_accuracy"], found["rate_accuracy"]
    emulated, items = (sum(r[key] for r in rows) for key in ("emulated", "items"))
    return [
        f"{100 * chip['mean']:.1f} % ± {100 * chip['ci95']:.1f}",
        f"{100 * rate['mean']:.1f} % ± {100 * rate['ci95']:.1f}",
        f"{emulated} of {items:,}",
    ]


def fed_back() -> list[str]:
    rows = record("feedback")["memories"]
    shown = [
        ("pairs", 600),
        ("pairs", 6000),
        ("balanced", 6000),
        ("Nengo, tuned", 6000),
    ]
    found = [
        one(rows, memory=memory, neurons=m, order=6, dt=0.001, feedback=feedback)
        for memory, m in shown
        for feedback in (["off"] if "Nengo" in memory else ["auto", "off"])
    ]
    return [f"{r['noise_nrmse']:.4f} ± {r['noise_nrmse_ci95']:.4f}" for r in found]


def with_membranes() -> list[str]:
    rows = record("membranes")["memories"]
    shown = [("lif", 6000), ("lif", 60_000), ("adaptive", 6000), ("if", 6000)]
    found = [
        row
        for memory, m in shown
        for row in rows
        if (row["memory"], row["neurons"]) == (memory, m)
    ]
    return [f"{r['noise_nrmse']:.4f} ± {r['noise_nrmse_ci95']:.4f}" for r in found]


def left_to_win() -> list[str]:
    """Return the table of feedback beside the optimum, and what the text says of it."""
    rows, ran = record("optimal_feedback")["errors"], record("optimal_feedback")
    kinds = ("auto", "lowpass_5ms", "lowpass_20ms", "lowpass_50ms")
    kinds += ("interleaved", "one_filter", "optimum")
    shown = [row for row in rows if row["readout"] == "delay theta"]
    cells = [" | ".join(f"{row[kind]:.3f}" for kind in kinds) for row in shown]
    heads = [f"| {row['order']} | {row['delay_steps']} | " for row in shown]
    table = [f"{head}{cell} |" for head, cell in zip(heads, cells, strict=True)]

    # the same optimum, in two other ways
    ratios = [row["simulated"] / row["optimum"] for row in shown]
    ratios += [row["riccati"] / row["optimum"] for row in shown if "riccati" in row]
    assert all(abs(ratio - 1) < 0.01 for ratio in ratios)

    def below(kind: str, chosen) -> list[float]:
        return [100 * (1 - row[kind] / row["auto"]) for row in chosen]

    at_once = [r for r in rows if r["delay_steps"] == 0 and r["order"] <= 12]
    first = below("optimum", [r for r in at_once if r in shown])
    rest = below("optimum", [r for r in at_once if r not in shown])
    one_filter = max(below("one_filter", at_once))

    def spiking(order: int, delay: int, kind: str) -> str:
        about = {"order": order, "delay_steps": delay, "feedback": kind}
        row = one(ran["spiking"], **about)
        return f"{row['noise_nrmse']:.4f} ± {row['noise_nrmse_ci95']:.4f}"

    both = {
        d: [spiking(d, 0, kind) for kind in ("optimum", "auto")] for d in (6, 12, 32)
    }
    return [
        *table,
        "{:.0f} % and {:.0f} % below".format(*first),
        f"{min(rest):.0f} to {max(rest):.0f} % for the window",
        f"more than {one_filter:.0f} % below",
        "it made {} in place of {}".format(*both[6]),
        "at order 12 {} in place of {}".format(*both[12]),
        *both[32],
        f"{spiking(6, 3, 'interleaved')} with it and {spiking(6, 3, 'auto')} with",
    ]


def distorted() -> list[str]:
    """Return the table of static distortion, and what the text says of it."""
    rows = record("distortion")["distortion"]

    def row(kind: str, m: int, asked: str, of: str, where: str) -> dict:
        about = {"neuron_type": kind, "neurons": m, "asked": asked}
        return one(rows, of=of, where=where, **about)

    cases = [("lif", 600), ("lif", 6000), ("lif", 60_000), ("adaptive", 6000)]
    found = []
    for (kind, m), asked in itertools.product(cases, ("auto", "given")):
        first = row(kind, m, asked, "spikes", "within")
        rate, tau = first["rate"], 1000 * first["tau"]
        cells = [f"`{kind}`", f"{m:,}", f"{rate:g}/s, {tau:g} ms"]
        cells.append(f"{first['expected']:.1f}")
        for where in ("within", "radius", "beyond"):
            shown = m <= 6000  # larger memories have no curves of their own
            less = shown and row(kind, m, asked, "curves", where)["times_less"]
            cells.append(f"{less:.1f}" if shown else "-")
        for where in ("within", "beyond"):
            sizes = [
                row(kind, m, each, "spikes", where)["distortion"]
                for each in ("off", asked)
            ]
            digits = 5 if where == "within" else 3
            cells.append(" to ".join(f"{size:.{digits}f}" for size in sizes))
        found.append("| " + " | ".join(cells) + " |")
    inner = [row(*case, "auto", "spikes", "within")["times_less"] for case in cases]
    left = [
        row("lif", 6000, a, "spikes", "within")["distortion"] for a in ("auto", "given")
    ]
    found.append(f"falls {min(inner):.1f} to {max(inner):.1f} times with")
    return [*found, f"at most {max(left):.5f} with 6,000 LIF"]


SHOWN = {
    "staggered if": "staggered pairs",
    "staggered if, balanced": "staggered, `balanced`",
    "random if": "`if`, random phases",
    "Poisson": "Poisson pairs",
    "Poisson, feedback": "Poisson pairs, error feedback",
}


def of_staggered(kind: str, order: int, m: int) -> float:
    """Return the mean error of the benchmark of staggered neurons."""
    about = {"kind": kind, "order": order, "neurons": m, "delay_steps": 0}
    return one(record("staggered")["kinds"], **about)["mean_nrmse"]


def staggered_table() -> list[str]:
    """Return the rows of the table of staggered neurons."""
    found = []
    for (kind, name), d in itertools.product(SHOWN.items(), (6, 12)):
        sizes = [of_staggered(kind, d, m) for m in (120, 600, 12_000, 60_000)]
        slope = one(record("staggered")["slopes"], kind=kind, order=d)
        ends = f"{slope['slope']:.2f} ({slope['low']:.2f} to {slope['high']:.2f})"
        found.append(" | ".join([name, str(d), *(f"{e:.2g}" for e in sizes), ends]))
    return [f"| {row} |" for row in found]


def staggered() -> list[str]:
    """Return the table of staggered neurons, and what the text says of them."""
    kept, bounds = record("staggered"), record("bounds")
    found = staggered_table()
    for kind in ("staggered if", "staggered if, balanced"):
        rise = one(kept["slopes_in_order"], kind=kind, neurons=12_000)
        found.append(f"{rise['slope']:.2f} ({rise['low']:.2f} to {rise['high']:.2f})")
        rise = one(kept["slopes_in_order_as_fast"], kind=kind, neurons=12_000)
        found.append(f"{rise['slope']:.2f}")
    found.append(
        f"was {kept['lowest_ratio']:.2f} to {kept['highest_ratio']:.2f} in all"
    )
    found.append(f"of {kept['predictions']} memories")
    found.append(f"**{bounds['violations']} violations**")
    found.append(f"largest error was {bounds['largest_share']:.2f} of the bound")
    return [*found, f"in {100 * bounds['within_ten']:.0f} % of the memories"]


FAULTS = {
    ("none", 0.0): "none",
    ("begin anywhere", 0.0): "random phases",
    ("gain mismatch", 0.0001): "gains differ by 0.01 %",
    ("gain mismatch", 0.001): "gains differ by 0.1 %",
    ("gain mismatch", 0.01): "gains differ by 1 %",
    ("voltage noise", 0.01): "noise in the voltages, 0.01 of the threshold in a second",
    ("lost spikes", 0.001): "0.1 % of the spikes are lost",
    ("lost spikes", 0.01): "1 % of the spikes are lost",
    ("late spikes", 0.01): "1 % of the spikes come a step late",
    ("dead neurons", 0.01): "1 % of the neurons die",
    ("reset to zero", 0.0): "reset to zero",
    ("single precision", 0.0): "single precision, after an hour",
}


def broken() -> list[str]:
    """Return the table of what breaks staggered neurons."""
    found = []
    for (fault, size), name in FAULTS.items():
        cells = [name]
        for feedback in ("off", "900/s"):
            about = {"fault": fault, "size": size, "neurons": 3000}
            row = one(record("mismatch")["faults"], feedback=feedback, **about)
            known = row["predicted"]
            cells += [f"{row['last']:.2g}", f"{known:.2g}" if known else "-"]
        found.append("| " + " | ".join(cells) + " |")
    return found


def staggered_row() -> list[str]:
    """Return the errors of staggered and of Poisson neurons, with their intervals."""
    found, digits = [], {"Poisson": (3, 3, 4), "Poisson, feedback": (4, 4, 4)}
    digits["staggered if, balanced"] = (4, 5, 6)
    for kind, places in digits.items():
        for m, shown in zip((120, 600, 12_000), places, strict=True):
            about = {"kind": kind, "order": 6, "neurons": m, "delay_steps": 0}
            errors = one(record("staggered")["kinds"], **about)["noise_nrmse"]
            mean, half = confidence(errors)
            found.append(f"{mean:.{shown}f} ± {half:.{shown}f}")
    runs = record("bounds")
    assert runs["violations"] == 0
    return [*found, f"in {runs['runs']:,} runs no input exceeded"]


def without_lead() -> list[str]:
    """Return what the text says of LIF memories whose lead is mapped out."""
    rows, found = record("lead")["memories"], []
    for feedback, mapped in (("off", True), ("auto", False), ("off", False)):
        about = {"neurons": 6000, "feedback": feedback, "lead_mapped": mapped}
        found += [one(rows, bandwidth=band, **about) for band in (2.0, 4.0)]
    about = {"neurons": 6000, "feedback": "auto", "lead_mapped": True}
    both = [one(rows, bandwidth=band, **about) for band in (2.0, 4.0)]
    told = [
        f"{r['noise_nrmse']:.4f} ± {r['noise_nrmse_ci95']:.4f}" for r in found + both
    ]
    return [
        "made {} with it, {} with error feedback and {} without".format(*told[:6:2]),
        "twice the band {}, {} and {}.".format(*told[1:6:2]),
        "({} and {})".format(*told[6:]),
    ]


def covered() -> list[str]:
    memories = record("intervals")["memories"]
    rows = [r for r in memories if r["width_0.95"] is not None]

    def share(chosen) -> str:
        within = [r["within_0.95"] / len(r["measured"]) for r in chosen]
        return f"{100 * sum(within) / len(within):.0f} %"

    noise = [r for r in rows if r["neurons_of"] == "noise"]
    others = [r for r in rows if r["neurons_of"] != "noise"]
    off, fed = ([r for r in others if r["feedback"] == f] for f in ("off", "auto"))
    return [
        f"Of {len(memories)} random memories",
        f"{len(memories) - len(rows)} had no interval",
        f"{share(rows)} of the runs",
        f"{share([r for r in rows if not r['caution']])} where `predict` did not warn",
        f"{share(noise)} of those of Poisson and stochastic neurons",
        f"{share(off)} of the others without error feedback and {share(fed)} with it",
    ]


def ordinary() -> list[str]:
    rows = record("populations")["models"]
    shown = {"channel": "poisson", "oscillator": "lif", "array": "lif"}
    found = [
        one(rows, model=model, neurons=neurons, feedback=feedback)
        for feedback in ("200, 0.02", "500, 0.02", "off")
        for model, neurons in (shown | {"convolution": "lif"}).items()
    ]
    return [f"{r['nrmse']:.3f} ± {r['nrmse_ci95']:.3f}" for r in found]


README = {
    "error of 6,000 Poisson": lambda: noise(
        "optimal", "balanced", "Nengo, tuned", "Nengo default, ReLU"
    ),
    "error feedback, Poisson": fed_back,
    "staggered spikes": staggered_row,
    "twenty random requests": planned,
    "capacity task": capacity,
    "`Simulator` against": lambda: [
        speed("lmu_spiking"),
        f"Brian2 C++: {speed('brian2', 1)[:6]}",
        f"NengoDL: {speed('nengo_dl', 1)}",
    ],
    "psMNIST, all of it": lambda: [*whole_psmnist()[:1], *whole_psmnist()[2:4]],
    "Loihi's emulator": lambda: [
        *chip("this memory, if", 20, 41),
        *chip("best known, if", 50, 100),
        *predicted_on_chip(20, 41),
        relayed(),
    ],
}


def spoken() -> dict[str, list[str]]:
    """Return what is claimed of spoken digits: rate-based, in spikes, as a stream."""
    found = record("spoken_digits")
    summary, stream = found["summary"], found["stream"]

    def percent(name: str) -> str:
        mean, half = summary[name], summary[f"{name}_ci95"]
        return f"{100 * mean:.1f} % ± {100 * half:.1f}"

    spikes = [
        f"m = {m:,}: **{100 * row['loss']:.2f} ± {100 * row['loss_ci95']:.2f}** "
        f"({100 * row['predicted_loss']:.2f}), "
        f"{big(row['spikes_per_inference'])} spikes"
        for m in (10_000,)
        for row in [one(summary["spikes"], n_neurons=m)]
    ]
    speakers = sorted(100 * row["rate_accuracy"] for row in found["speakers"])
    heard = [
        f"after {row['heard']:g} s {100 * row['accuracy']:.0f} %"
        for row in found["heard"]
        if row["heard"] in (0.2, 0.3, 0.4, 0.5)
    ]
    late = 1e3 * (stream["readout_latency"] + stream["block_latency"])
    times = [
        f"{late:.0f} ms",
        f"{1e3 * stream['computation_mean']:.1f} ms",
        f"{1e3 * stream['computation_latency']:.0f} ms",
        f"{stream['real_time_factor']:.1f} times real time",
    ]
    return {
        "rates": [
            percent("rate_accuracy"),
            f"{percent('new_speaker_accuracy')} ({speakers[0]:.1f} to "
            f"{speakers[-1]:.1f})",
        ],
        "spikes": spikes,
        "stream": [*times, ", ".join(heard)],
    }


MEASURED = {
    "psMNIST, all of it": lambda: whole_psmnist()[:2],
    "the same weights (warped images)": lambda: whole_psmnist()[2:],
    "permuted digits in 3,000": lambda: [*few_digits(), *digits(0.01, 100_000)],
    "spoken digits": lambda: spoken()["rates"],
    "the same weights in staggered": lambda: spoken()["spikes"],
    "the same as a stream": lambda: spoken()["stream"],
    "error feedback, Poisson": fed_back,
    "error feedback of neurons with": with_membranes,
    "error feedback in ordinary": ordinary,
    "twenty random requests": planned,
    "the same requests over all": planned_of_all,
    "Poisson neurons against": lambda: noise(
        "lmu_spiking", "Nengo, intercepts 0", "Nengo default, ReLU"
    ),
    "the same, noise-optimal": lambda: noise("optimal", "balanced", "Nengo, tuned"),
    "the same, m = 60,000": lambda: noise("lmu_spiking", neurons=60_000)[:1],
    "noise-optimal memory, m": lambda: [tuned("optimal"), tuned("plain, tuned")],
    "measured over predicted state": lambda: law()[:2],
    "`balanced` over plain": lambda: [
        ", ".join(over_tuned("balanced", key))
        for key in ("noise_nrmse", "predicted_noise_nrmse")
    ],
    "exponent of the error": exponents,
    "two and three cells": lambda: converted()[0],
    "the same models in 30,000": lambda: converted()[1],
    "capacity task, not trained": capacity,
    "capacity task, the largest T": outlasted,
    "Mackey-Glass, 15 ahead, the readout": closed_form,
    "Mackey-Glass, 15 ahead, trained": trained_on_series,
    "Loihi's emulator, window": README["Loihi's emulator"],
    "permuted digits there": chip_digits,
}
CLAIMS = [("README.md", start, texts) for start, texts in README.items()]
CLAIMS += [("docs/measured.md", start, texts) for start, texts in MEASURED.items()]


@pytest.mark.parametrize(
    ("page", "start", "texts"), CLAIMS, ids=[f"{p}-{s}" for p, s, _ in CLAIMS]
)
def test_numbers_of_a_row_are_those_of_its_record(page, start, texts):
    shown = row_of(page, start)
    missing = [text for text in texts() if text not in shown]
    assert not missing, f"{page}: {missing} not in {shown}"


def of_psmnist() -> list[str]:
    """Check the table and the text on psMNIST in docs/laws.md."""
    found = record("learning_psmnist")
    rows = [
        f"| {1e3 * r['presentation']:g} ms | {r['feedback']} | {r['n_neurons']:,} | "
        + (f"{drop_of(r)} |" if "loss" in r else "- |")
        + f" {100 * r['predicted_loss']:.1f} |"
        for r in found["rows"]
    ]
    errors = {
        (r["presentation"], r["feedback"]): r["memory_error"] for r in found["memories"]
    }
    falls = [errors[p, "off"] / errors[p, "auto"] for p in (0.001, 0.01)]
    sizes = [
        [
            big(
                one(found["neurons"], presentation=p, feedback=f, drop=drop)[
                    "n_neurons"
                ]
            )
            for f in ("auto", "off")
        ]
        for p, drop in ((0.001, 0.02), (0.01, 0.005))
    ]
    model = found["model"]
    return [
        *rows,
        f"{100 * model['rate_accuracy']:.1f} % of its {model['digits']:,} test digits",
        f"{falls[0]:.2f} times lower at 1 ms and {falls[1]:.1f} times at 10 ms",
        *("{} neurons in place of {}".format(*both) for both in sizes),
    ]


def drop_of(row: dict) -> str:
    """Such as 2.8 (1.2 to 4.4), points of accuracy."""
    low, high = 100 * row["loss_low"], 100 * row["loss_high"]
    return f"{100 * row['loss']:.1f} ({low:.1f} to {high:.1f})"


def gains() -> list[str]:
    """Check how close the rule in docs/laws.md is to what is predicted."""
    rows = record("learning_psmnist")["gain"]
    wide = one(rows, order=128)
    return [
        f"{spread([r['gain_over_rule'] for r in rows])} of it in {len(rows)} memories",
        f"of order {min(r['order'] for r in rows)} to {max(r['order'] for r in rows)}",
        f"{wide['steps']:.1f} steps a coefficient and a gain of {wide['gain']:.1f}",
    ]


def with_interval(row: dict, name: str, digits: int, scale: float = 1) -> str:
    """Such as 0.091 ± 0.002, or 0.091 of one run."""
    ends = [row[name], *([row[f"{name}_ci95"]] if f"{name}_ci95" in row else [])]
    return " ± ".join(f"{scale * value:.{digits}f}" for value in ends)


def rivals_of_series() -> list[str]:
    """Return the rows of docs/reproduced.md on rivals on Mackey-Glass."""
    found, texts = record("rivals_mackey_glass"), []
    rates = {row["model"]: row.get("rate") for row in found["rows"]}
    for row in sorted(found["summary"], key=lambda row: row["nrmse"]):
        digits, rate = 5 if row["nrmse"] < 0.002 else 4, rates[row["model"]]
        names = ("nrmse", "nrmse_settled", "refit_nrmse")
        cells = [row["model"], f"{row['params']:,.0f}", f"{rate:g}" if rate else "-"]
        cells += [with_interval(row, n, digits) if n in row else "-" for n in names]
        cells.append(f"{100 * row['late_gain']:.0f} %" if rate else "-")
        texts.append("| " + " | ".join(cells) + " |")
    return texts


def rivals_on_psmnist() -> list[str]:
    """Return the rows of docs/reproduced.md on rivals on the whole of psMNIST."""
    names = {"lstm": "LSTM", "esn": "echo state network, ridge regression"}
    names["esn, 900 units"] = "the same states, 900 trained units"
    texts = []
    for (model, params), same in group(
        record("rivals_psmnist")["rows"], "model", "params"
    ).items():
        mean, half = confidence([100 * row["test"] for row in same])
        accuracy = f"{mean:.2f}" + (f" ± {half:.2f}" if len(same) > 1 else "")
        seconds = mean_of(row["seconds"] for row in same)
        time = f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"
        cells = [names[model], f"{same[0]['units']}", f"{params:,}"]
        cells += [f"{same[0]['epochs']:g}" if same[0]["epochs"] else "-", time]
        cells += [accuracy, str(len(same))]
        texts.append("| " + " | ".join(cells) + " |")
    return texts


def psmnist_in_spikes() -> list[str]:
    """Return the rows of docs/reproduced.md on the whole of psMNIST in spikes."""
    found, texts = record("psmnist"), []
    keys = ("model", "neuron_type", "presentation", "memory_neurons", "neurons")
    for row in found["summary"]["spikes"]:
        same = [r for r in found["rows"] if all(r[k] == row[k] for k in keys)]
        alone, (model, kind, seconds, memory, total) = same[0], (row[k] for k in keys)
        if len(same) > 1:
            lost, seeds = with_interval(row, "loss", 2, 100), f"{len(same)} seeds"
        else:
            ends = (100 * alone[f"loss_{end}"] for end in ("low", "high"))
            lost = f"{100 * row['loss']:.2f} ({' to '.join(f'{e:.2f}' for e in ends)})"
            seeds = "seed 0"
        cells = [f"{model}, {seeds}", kind, f"{1e3 * seconds:g} ms"]
        cells += [f"{memory:,} + {total - memory:,}", f"{row['sequences']:,}", lost]
        cells += [f"{100 * row[n]:.2f}" for n in ("predicted_loss", "spiking_accuracy")]
        cells.append(big(row["spikes_per_inference"]))
        texts.append("| " + " | ".join(cells) + " |")
    return texts


def growth() -> list[str]:
    """Return the rows of docs/training.md on how time and memory grow."""
    rows = record("exponents")["exponents"]
    texts = []
    for what in ("simulation", "training", "inference"):
        for measure, name in (("seconds", "time"), ("bytes", "memory")):
            found = [one(rows, what=what, measure=measure, by=by) for by in "mdT"]
            cells = [
                f"{r['exponent']:.2f} ({r['low']:.2f} to {r['high']:.2f})"
                for r in found
            ]
            texts.append("| " + " | ".join([f"{what}, {name}", *cells]) + " |")
    return texts


def two_windows() -> list[str]:
    """Return what docs/training.md says of two windows that are learned."""
    rows = {row["way"]: row for row in record("learning_theta_layers")["summary"]}
    found = rows["learned"]
    worst = f"(the worst {100 * found['worst_error']:.1f} %)"
    texts = [f"{found['within_10_percent']} of {found['trainings']}** {worst}"]
    for way, row in rows.items():
        texts.append(with_interval(row, "nrmse", 3 if row["nrmse"] > 0.1 else 4))
        if way.startswith("learned"):
            texts.append(f"| {row['fast']:.3f} | {row['slow']:.3f} |")
    return texts


def nonlinear() -> list[str]:
    """Return the rows of docs/training.md on nonlinear functions of long sequences."""
    found = record("learning_nonlinear")["summary"]
    rivals = {(row["task"], row["steps"]): row for row in found.get("lstm", ())}
    texts = []
    for row in sorted(found["lmu"], key=lambda row: (row["task"], row["steps"])):
        scale, digits = (100, 1) if row["task"] == "events" else (1, 3)
        cells = [
            with_interval(row, name, digits, scale) for name in ("value", "linear")
        ]
        cells[0] = f"**{cells[0]}**"
        rival = rivals.get((row["task"], row["steps"]))
        shown = rival and with_interval(rival, "value", digits, scale)
        cells += [shown or "-", f"{scale * row['chance']:.{digits}f}"]
        texts.append(f"| {row['steps']:,} | " + " | ".join(cells) + " |")
    return texts


def other_rates() -> list[str]:
    """Return the rows of docs/training.md on signals at other sampling rates."""
    texts, found = [], group(record("learning_rates")["summary"], "task", "model")
    for (task, model), rows in found.items():
        rows = {row["factor"]: row for row in rows}
        cells = [task, model, with_interval(rows.pop(1), "value", 1, 100)]
        cells += [with_interval(rows[f], "lost", 2, 100) for f in (0.5, 2, 4)]
        texts.append("| " + " | ".join(cells) + " |")
    return texts


TEXTS = {
    "docs/training.md": [two_windows, nonlinear, other_rates, growth],
    "docs/reproduced.md": [rivals_of_series, psmnist_in_spikes, rivals_on_psmnist],
    "docs/measured.md": [neuron_types],
    "docs/laws.md": [of_psmnist, gains, left_to_win, distorted, staggered, broken],
    "docs/limits.md": [covered, without_lead],
    "docs/optimal.md": [compared, tuned_text, wasted, lambda: planned()[2:3]],
}


@pytest.mark.parametrize("page", TEXTS)
def test_numbers_of_a_text_are_those_of_its_record(page):
    shown = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    texts = [text for found in TEXTS[page] for text in found()]
    assert not [text for text in texts if text not in shown]


def test_the_table_of_poisson_neurons_is_that_of_its_record():
    rows = list(map(compared_row, record("reproduce_poisson-figure")["comparisons"]))
    assert [row for row in table("docs/reproduced.md") if row in rows] == rows


def test_what_is_said_of_staggered_neurons_is_what_their_record_says():
    """Return the error over that of Poisson neurons, its growth, and its prediction."""
    found = record("reproduce_poisson-figure")
    ours = {c["what"]: c["ours"] for c in found["comparisons"]}
    rows = found["data"]["memories_staggered"]
    few = [r["state_rmse_ratio"] for r in rows if r["order"] <= 6]
    many = [r["state_rmse_ratio"] for r in rows if r["order"] == 24]
    at_1, at_24 = (ours[f"RMSE staggered over Poisson, d = {d}"] for d in (1, 24))
    growth = ours["staggered: exponent of d at m = 491,520"]
    said = [
        f"it is {at_1:.4f} of that of Poisson neurons at d = 1 and {at_24:.4f} at d",
        f"d^{growth:.2f}",
        f"is {spread(many)} times the predicted one",
        f"up to d = 6 the ratio is {spread(few)}.",
    ]
    page = " ".join((ROOT / "docs/reproduced.md").read_text(encoding="utf-8").split())
    assert not [text for text in said if text not in page]
    slopes = [ours[f"staggered, d = {d}: slope"] for d in (1, 2, 3, 6, 12, 24)]
    assert slopes == pytest.approx([-1] * 6, abs=0.03)


def compared_row(one: dict) -> list[str]:
    """Cells of a comparison, as the page of reproductions shows it."""
    ours, ends = f"**{text(one['ours'])}**", text((one["low"], one["high"]))
    return [one["what"], text(one["published"]), ours, ends, text(one["beside"])]


def claimed() -> list[list[str]]:
    """Rows of README's table of what was measured."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text[text.index("## Measured") : text.index("## Where to go")]
    return [row for row in table("README.md") if f"| {row[0]} |" in part][1:]


def test_readme_has_at_most_eight_claims_and_all_are_checked():
    starts = [row[0] for row in claimed()]
    assert len(starts) == len(README) <= 8
    assert all(any(s.startswith(start) for start in README) for s in starts)


@pytest.mark.parametrize("row", claimed(), ids=lambda row: row[0][:30])
def test_a_claim_of_readme_has_runs_and_a_command(row):
    assert len(row) == 5
    assert NUMBER.search(row[3]), "seeds, splits or runs"
    assert re.fullmatch(r"`(python benchmarks \w+|lmu-spiking .+)`", row[4].strip())


def test_no_page_shows_what_a_model_did_that_was_stopped_before_it_converged():
    stopped = {"psmnist": ["LSTM, same time"], "mackey-glass": ["LSTM", "Hybrid"]}
    values = {
        f"{one(record(f'reproduce_{name}')['comparisons'], what=what)['ours']:.3g}"
        for name, models in stopped.items()
        for what in models
    }
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            told = set(NUMBER.findall(re.sub(r"(?<!\d)\.(?=\d)", "0.", line)))
            model = re.search("lstm|hybrid", line, re.IGNORECASE)
            assert not (model and told & values), f"{page.name}: {line}"
