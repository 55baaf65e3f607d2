"""The peers on the benchmarks: a row for each run, and what they say together.

`Case` is a run that can be asked for, `measure` runs it, `run_cases` keeps each on disk
and resumes, `summarise` gives means with intervals beside the published numbers.  A
memory of ours is scored by `measures.score` in the same way and joins by its rows.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from lmu_spiking.experiments.chip.measures import score
from lmu_spiking.experiments.chip.signals import (
    DT,
    ROWS,
    TABLE,
    THESIS,
    WINDOW,
    Setting,
)
from lmu_spiking.experiments.chip.signals import signal as drawn
from lmu_spiking.experiments.published.delay_run import balanced
from lmu_spiking.experiments.published.parts import kept
from lmu_spiking.experiments.published.result import Silent, bootstrapped
from lmu_spiking.loihi import peer_networks as peers
from lmu_spiking.loihi.peer_networks import Recipe
from lmu_spiking.loihi.peers import PeerRun, run_peer

KEYS = [
    "benchmark",
    "theta",
    "bandwidth",
    "tau",
    "peer",
    "target",
    "n_per_dimension",
]
# Window NRMSE on the emulator, two seeds, best of 0 to 5 steps: by neurons a dimension.
WINDOW_PUBLISHED = {
    "official": {50: 0.314, 100: 0.576},
    "weights, continuous, if": {50: 0.501, 100: 0.480, 200: 0.517},
    "weights, discrete, if": {50: 0.490, 100: 0.469, 200: 0.499},
    "best known, if": {50: 0.115, 100: 0.106, 200: 0.302},
    "best known, lif": {50: 0.143, 100: 0.120, 200: 0.160},
}
# The same in floating point.
SIMREAL_PUBLISHED = {"best known, if": {50: 0.125, 100: 0.079, 200: 0.076}}
# 95 % interval of the mean: table tab:dn-neuromorphic of the thesis.
THESIS_PUBLISHED = (0.145, 0.151)
# NRMSE at delay theta by row: in Nengo, with weights and relay, and out of the box.
TABLE_PUBLISHED = {
    ("weights and relay", "core"): (
        *(0.117, 0.104, 0.081, 0.076, 0.093, 0.073),
        *(0.099, 0.103, 0.132, 0.095, 0.321),
    ),
    ("weights and relay", "sim"): (
        *(0.112, 0.106, 0.104, 0.100, 0.089, 0.084),
        *(0.117, 0.141, 0.133, 0.184, 0.314),
    ),
    ("out of the box", "sim"): (
        *(0.35, 0.43, 0.75, 1.30, 0.36, 0.43),
        *(0.75, 0.91, 0.72, 0.91, 0.74),
    ),
}


@dataclass(frozen=True)
class Case:
    """One run: a peer on a benchmark.

    Attributes
    ----------
    recipe : Recipe
    setting : Setting
    n_per_dimension : int
    seed : int
        Of signal and curves.
    target : {"core", "simreal", "sim"}
    """

    recipe: Recipe
    setting: Setting
    n_per_dimension: int
    seed: int
    target: str = "sim"


def window_cases(seeds: int = 10, neurons=WINDOW.neurons, recipes=None) -> list[Case]:
    """Return cases of NengoLoihi's example and the LMU notebook's recipe."""
    if recipes is None:
        recipes = (peers.best_known(), peers.official(), peers.best_known("lif"))
    return [
        Case(recipe, WINDOW, n, seed)
        for n in neurons
        for recipe in recipes
        for seed in range(seeds)
    ]


def thesis_cases(seeds: int = 10) -> list[Case]:
    """The published configuration on the emulator; ten cases are all there are."""
    recipe, (n,) = peers.weights_true("lif"), THESIS.neurons
    return [Case(recipe, THESIS, n, case) for case in range(1, seeds + 1)]


def table_cases(seeds: int = 3) -> list[Case]:
    """Weights and relay in Nengo and on the emulator, and out of the box on it."""
    columns = (
        (peers.weights_relay(), "core"),
        (peers.weights_relay(), "sim"),
        (peers.out_of_box(), "sim"),
    )
    return [
        Case(recipe, row, row.neurons[0], seed, target)
        for seed in range(seeds)
        for row in TABLE
        for recipe, target in columns
    ]


def measure(case: Case) -> dict:
    """Run a case: its row, errors NaN where the chip refused it."""
    setting, u = case.setting, drawn(case.setting, case.seed)
    transform = balanced(setting.ldn).transform if setting is THESIS else None
    run = run_peer(
        case.recipe,
        setting.ldn,
        u,
        case.n_per_dimension,
        setting.tau,
        dt=DT,
        seed=case.seed,
        target=case.target,
        transform=transform,
    )
    row = {
        "benchmark": setting.name,
        "theta": setting.theta,
        "bandwidth": setting.bandwidth,
        "tau": setting.tau,
        "peer": case.recipe.name,
        "target": case.target,
        "n_per_dimension": case.n_per_dimension,
        "seed": case.seed,
        "nrmse": float("nan"),
        "nrmse_best": float("nan"),
        "nrmse_late": float("nan"),
    }
    if run.decoded is not None:
        decoded = run.decoded if transform is None else run.decoded @ transform.T
        row |= score(setting, u, decoded, run.A, run.B)
    return row | took(run, setting.duration)


def took(run: PeerRun, duration: float) -> dict:
    """What a run took: cores, spikes, warnings and seconds."""
    return {
        "refused": run.refused,
        "lost_bits": run.lost_bits,
        "overflows": run.overflows,
        "warnings": sum(run.warned.values()),
        "cores": run.cores,
        "spikes_per_s": run.spikes / duration,
        "chip_spikes_per_s": run.chip_spikes / duration,
        "seconds_build": run.seconds_build,
        "seconds_run": run.seconds_run,
    }


def run_cases(cases: Iterable[Case], out=None, bar=Silent) -> pd.DataFrame:
    """Rows of cases, one after the other; what ``out`` holds is not run again.

    Parameters
    ----------
    cases : iterable of Case
    out : path-like, optional
        Folder, for `experiments.published.parts.kept`.
    bar : callable
        Makes a progress bar from a name and a total.
    """
    cases, rows = list(cases), []
    with bar("Peers", len(cases)) as progress:
        for case in cases:
            row = kept(out, _name(case), asdict(case), lambda case=case: measure(case))
            rows.append(row)
            progress.advance(row)
    frame = pd.DataFrame(rows)
    errors = [name for name in frame if name.startswith("nrmse")]
    return frame.astype(dict.fromkeys([*errors, "cores"], float))


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds, bootstrapped 95 % intervals, and published numbers.

    Returns
    -------
    DataFrame
        A row for each setting, peer, target and size: `KEYS`, ``seeds`` that ran and
        ``refused`` ones, ``nrmse`` with ``low`` and ``high``, ``best`` with
        ``best_low`` and ``best_high``, worst ``lost_bits`` and ``overflows``, mean
        ``cores``, ``predicted`` window NRMSE (of ours) and spikes, and ``published``
        (a number or an interval, as text).
    """
    groups = frame.groupby(KEYS, sort=False)
    rows = [_summary(dict(zip(KEYS, key, strict=True)), each) for key, each in groups]
    return pd.DataFrame(rows)


def _summary(key: dict, group: pd.DataFrame) -> dict:
    ran = group[group.refused == ""]
    row = key | {"seeds": len(ran), "refused": len(group) - len(ran)}
    row |= _interval(ran.nrmse, ("nrmse", "low", "high"))
    row |= _interval(ran.nrmse_best, ("best", "best_low", "best_high"))
    if key["benchmark"] == "thesis":
        row |= _interval(ran.nrmse_late, ("late", "late_low", "late_high"))
    why = sorted({re.sub(r"\(.*\)", "", text) for text in group.refused if text})
    return row | {
        "lost_bits": float(group.lost_bits.max()),
        "overflows": float(group.overflows.max()),
        "cores": float(ran.cores.mean()),
        "predicted": float(ran.get("predicted", pd.Series(dtype=float)).mean()),
        "spikes_per_s": float(ran.spikes_per_s.mean()),
        "chip_spikes_per_s": float(ran.chip_spikes_per_s.mean()),
        "published": published(key),
        "why": "; ".join(why),
    }


def _interval(values, names: tuple[str, str, str]) -> dict:
    found = np.asarray(values, dtype=float)
    if len(found) > 1:
        return dict(zip(names, bootstrapped(found, 0), strict=True))
    mean = float(found[0]) if len(found) else float("nan")
    return dict(zip(names, (mean, float("nan"), float("nan")), strict=True))


def published(key: dict) -> str:
    """What was published for `KEYS`, as text; empty if nothing was."""
    peer, target, n = key["peer"], key["target"], key["n_per_dimension"]
    if key["benchmark"] == "thesis":
        ours = peer == peers.weights_true("lif").name and target == "sim"
        return "{:.3f} to {:.3f}".format(*THESIS_PUBLISHED) if ours else ""
    if key["benchmark"] == "table":
        column = TABLE_PUBLISHED.get((peer, target))
        row = (key["theta"], key["bandwidth"], key["tau"])
        return f"{column[ROWS.index(row)]:.3f}" if column else ""
    if (peer, target, n) == ("official", "sim", 200):
        return "BuildError"
    tables = {"sim": WINDOW_PUBLISHED, "simreal": SIMREAL_PUBLISHED}
    value = tables.get(target, {}).get(peer, {}).get(n)
    return "" if value is None else f"{value:.3f}"


def _name(case: Case) -> str:
    setting = case.setting
    where = [setting.name, f"{setting.theta:g}", f"{setting.bandwidth:g}"]
    who = [case.recipe.name, f"reg {case.recipe.reg:g}", case.target]
    what = [*where, f"{setting.tau:g}", *who, str(case.n_per_dimension), str(case.seed)]
    return re.sub(r"[^a-z0-9.]+", "-", "-".join(what))
