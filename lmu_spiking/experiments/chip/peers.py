"""Peers of our memory on Loihi: run on the benchmarks, and summarised.

`run_peer` runs a `Recipe` of `peer_networks` in Nengo (``core``) or on the emulator, in
floating point (``simreal``) or in the integers of the chip (``sim``).  What the chip
refuses is a result, `PeerRun.refused`, and its warnings are counted.  `Case` is a run
on a benchmark, `run_cases` keeps each on disk and resumes, `summarise` gives means with
intervals beside the published numbers.  A memory of ours joins by its rows.
"""

import re
import time
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import nengo
import numpy as np
import pandas as pd
from nengo.builder import Model
from nengo.cache import NoDecoderCache
from nengo.exceptions import BuildError

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.experiments.chip import measures
from lmu_spiking.experiments.chip import peer_networks as peers
from lmu_spiking.experiments.chip.peer_networks import PeerNetwork, Recipe
from lmu_spiking.experiments.chip.signals import (
    DT,
    ROWS,
    TABLE,
    THESIS,
    WINDOW,
    Setting,
    signal,
)
from lmu_spiking.experiments.published.delay_run import balanced
from lmu_spiking.experiments.published.result import bootstrapped
from lmu_spiking.experiments.records import pick
from lmu_spiking.loihi.chip.upstream import nengo_loihi

TARGETS = ("core", "simreal", "sim")

# -- one run -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PeerRun:
    """The spikes of a peer, and what its run took.

    Attributes
    ----------
    decoded : (T, d) ndarray or None
        State decoded from the spikes of each step, unfiltered; None if refused.
    A, B : (d, d), (d,) ndarray
        Principle 3's transforms, in the coordinates of ``decoded``.
    refused : str
        ``"BuildError: ..."``, the first line; empty if it ran.
    warned : dict of str: int
        How often each warning was given.
    cores : int or None
        One for each block, decode neurons and decoded probes included; None on core.
    spikes, chip_spikes : int
        Of memory and relay; of all compartments, decode neurons included.
    seconds_build, seconds_run : float
    """

    decoded: np.ndarray | None
    A: np.ndarray
    B: np.ndarray
    refused: str = ""
    warned: dict[str, int] = field(default_factory=dict)
    cores: int | None = None
    spikes: int = 0
    chip_spikes: int = 0
    seconds_build: float = 0.0
    seconds_run: float = 0.0

    __repr__ = brief

    @property
    def lost_bits(self) -> int:
        """Return the most bits of a weight that rounding lost."""
        lost = (re.match(r"Lost (\d+) extra bits", text) for text in self.warned)
        return max((int(found[1]) for found in lost if found), default=0)

    @property
    def overflows(self) -> int:
        """Return how often an integer overflowed, over steps and registers."""
        return sum(n for text, n in self.warned.items() if text.startswith("Overflow"))


def run_peer(
    recipe: Recipe,
    ldn: LDN,
    u,
    n_per_dimension: int,
    tau: float,
    *,
    dt: float = 0.001,
    seed: int = 0,
    target: str = "sim",
    transform=None,
) -> PeerRun:
    """Build a peer, and stream a signal through it.

    Parameters
    ----------
    recipe : Recipe
    ldn : LDN
    u : (T,) array_like
        One sample a step.
    n_per_dimension : int
        Neurons of the memory, a dimension.
    tau : float
        Of its synapses, seconds.
    dt : float
        Step, seconds.
    seed : int
        Draws the curves.
    target : {"core", "simreal", "sim"}
        Nengo, or the emulator in floating point or in integers.
    transform : (d, d) array_like, optional
        See `principle_3`.

    Returns
    -------
    PeerRun

    Raises
    ------
    MissingPackageError
        Without nengo-loihi, on any target but core.
    ValidationError
        If an argument is outside its range.
    """
    check_one_of("run_peer.target", target, TARGETS)
    n = check_whole("run_peer.n_per_dimension", n_per_dimension, 2)
    tau = check_positive("run_peer.tau", tau, "seconds")
    dt = check_positive("run_peer.dt", dt, "seconds")
    seed = check_seed("run_peer.seed", seed)
    u = np.asarray(u, dtype=float)
    A, B = peers.principle_3(recipe, ldn, tau, dt, transform)
    built = peers.build_peer(recipe, A, B, u, n, tau, dt, seed, chip=target != "core")
    if target == "core":
        row = _in_nengo(built, len(u), dt)
    else:
        decode_tau = tau if recipe.tau_in_decode else None
        row = _on_chip(built, len(u), dt, target, decode_tau)
    return PeerRun(A=A, B=B, **row)


def _in_nengo(built: PeerNetwork, steps: int, dt: float) -> dict:
    """Run a peer in Nengo; return fields of its `PeerRun`."""
    start = time.perf_counter()
    with built.network:
        fired = [nengo.Probe(each.neurons, synapse=None) for each in built.ensembles]
    model = Model(dt=dt, decoder_cache=NoDecoderCache())
    with nengo.Simulator(built.network, dt=dt, model=model, progress_bar=False) as sim:
        ready = time.perf_counter()
        sim.run_steps(steps, progress_bar=False)
        decoded = np.hstack([sim.data[probe] for probe in built.probes])
        spikes = sum(round(float(sim.data[probe].sum()) * dt) for probe in fired)
    row = {"decoded": decoded, "spikes": spikes, "chip_spikes": spikes}
    row["seconds_build"] = ready - start
    return row | {"seconds_run": time.perf_counter() - ready}


def _on_chip(
    built: PeerNetwork, steps: int, dt: float, target: str, decode_tau
) -> dict:
    """Run a peer on the emulator; return fields of its `PeerRun`."""
    package = nengo_loihi()
    model = package.builder.Model(dt=dt)
    if decode_tau is not None:
        model.decode_tau = decode_tau
    start, options = time.perf_counter(), {"dt": dt, "model": model, "target": target}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            sim = package.Simulator(built.network, **options)
        except BuildError as error:
            first = str(error).strip().splitlines()[0]
            refused = f"{type(error).__name__}: {first}"
            return {"decoded": None, "refused": refused, "warned": _counted(caught)}
        with sim:
            ready = time.perf_counter()
            sim.run_steps(steps)
            decoded = np.hstack([sim.data[probe] for probe in built.probes])
            spikes, every = _count_spikes(sim)
    row = {"decoded": decoded, "warned": _counted(caught), "cores": len(model.blocks)}
    row |= {"spikes": spikes, "chip_spikes": every, "seconds_build": ready - start}
    return row | {"seconds_run": time.perf_counter() - ready}


def _count_spikes(sim) -> tuple[int, int]:
    """Return the spikes of ensembles, and of all compartments that can spike."""
    emulator = sim.sims["emulator"]
    counts, ours, every = emulator.compartment.spike_count, 0, 0
    for block, where in emulator.block_info.slices.items():
        spikes = int(counts[where].sum())
        every += spikes
        ours += spikes * block.label.startswith("<Ensemble")
    return ours, every


def _counted(caught) -> dict[str, int]:
    """Return how often each warning was given, without numpy's of the emulator."""
    ours = (each for each in caught if issubclass(each.category, UserWarning))
    return dict(Counter(str(each.message) for each in ours))


# -- cases ---------------------------------------------------------------------------

KEYS = ["benchmark", "theta", "bandwidth", "tau", "peer", "target", "n_per_dimension"]
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


def window_cases(seeds: int, neurons, recipes) -> list[Case]:
    """Return cases of NengoLoihi's example and the LMU notebook's recipe.

    Parameters
    ----------
    seeds : int
        Number of seeds.
    neurons : sequence of int
        A dimension.
    recipes : sequence of Recipe

    Returns
    -------
    list of Case
    """
    return [
        Case(recipe, WINDOW, n, seed)
        for n in neurons
        for recipe in recipes
        for seed in range(seeds)
    ]


def thesis_cases(seeds: int = 10) -> list[Case]:
    """Return the published configuration on the emulator; there are ten cases.

    Parameters
    ----------
    seeds : int
        Number of cases.

    Returns
    -------
    list of Case
    """
    recipe, (n,) = peers.weights_true("lif"), THESIS.neurons
    return [Case(recipe, THESIS, n, case) for case in range(1, seeds + 1)]


def table_cases(seeds: int = 3) -> list[Case]:
    """Return weights and relay in Nengo and on the emulator, and out of the box on it.

    Parameters
    ----------
    seeds : int
        Number of seeds.

    Returns
    -------
    list of Case
    """
    relay = peers.weights_relay()
    columns = ((relay, "core"), (relay, "sim"), (peers.out_of_box(), "sim"))
    return [
        Case(recipe, row, row.neurons[0], seed, target)
        for seed in range(seeds)
        for row in TABLE
        for recipe, target in columns
    ]


def measure(case: Case) -> dict:
    """Run a case.

    Parameters
    ----------
    case : Case

    Returns
    -------
    dict
        Errors are NaN where the chip refused it.
    """
    setting, u, n = case.setting, signal(case.setting, case.seed), case.n_per_dimension
    transform = balanced(setting.ldn).transform if setting is THESIS else None
    options = {"seed": case.seed, "target": case.target, "transform": transform}
    run = run_peer(case.recipe, setting.ldn, u, n, setting.tau, dt=DT, **options)
    row = measures.row_of(setting, case.recipe.name, case.target, n, case.seed)
    if run.decoded is not None:
        decoded = run.decoded if transform is None else run.decoded @ transform.T
        row |= measures.score(setting, u, decoded, run.A, run.B)
    return row | {
        **pick(run, "refused", "lost_bits", "overflows", "cores"),
        "warnings": sum(run.warned.values()),
        "spikes_per_s": run.spikes / setting.duration,
        "chip_spikes_per_s": run.chip_spikes / setting.duration,
        **pick(run, "seconds_build", "seconds_run"),
    }


def run_cases(cases: Iterable[Case], out=None) -> pd.DataFrame:
    """Return the rows of cases; those that a folder holds are not run again.

    Parameters
    ----------
    cases : iterable of Case
    out : path-like, optional
        Folder.

    Returns
    -------
    DataFrame
    """

    def name(case: Case) -> str:
        s, recipe = case.setting, case.recipe
        where = f"{s.name}-{s.theta:g}-{s.bandwidth:g}-{s.tau:g}"
        which = f"{recipe.name}-reg-{recipe.reg:g}-{case.target}"
        return f"{where}-{which}-{case.n_per_dimension}-{case.seed}"

    frame = pd.DataFrame(measures.run_kept(cases, measure, name, out))
    errors = [name for name in frame if name.startswith("nrmse")]
    return frame.astype(dict.fromkeys([*errors, "cores"], float))


# -- summaries -----------------------------------------------------------------------


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds, bootstrapped 95 % intervals, and published numbers.

    Parameters
    ----------
    frame : DataFrame
        From `run_cases` or `experiments.chip.ours.run_ours`.

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
    """Return the row of one setting, peer, target and size."""
    ran = group[group.refused == ""]
    row = key | {"seeds": len(ran), "refused": len(group) - len(ran)}
    row |= zip(("nrmse", "low", "high"), bootstrapped(ran.nrmse), strict=True)
    for name in ("best", "late") if key["benchmark"] == "thesis" else ("best",):
        names = (name, f"{name}_low", f"{name}_high")
        row |= zip(names, bootstrapped(ran[f"nrmse_{name}"]), strict=True)
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


def published(key: dict) -> str:
    """Return what was published for `KEYS`, as text; empty if nothing was.

    Parameters
    ----------
    key : dict

    Returns
    -------
    str
    """
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
