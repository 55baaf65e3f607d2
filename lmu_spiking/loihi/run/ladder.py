r"""Error decomposition across targets: one memory from Nengo down to the chip.

The command ``deploy --ladder`` and users call it.

Errors are mean squares over the mean square of the delayed input (``nrmse ** 2``), of
the readout at delay theta and over the window.  With ``e_k`` on target ``k`` and
``e_0`` that of the exact LDN, the error of the last target is the sum of the steps,

.. math:: e_n = e_0 + \sum_{k=1}^{n} (e_k - e_{k-1}).

A step is a difference of two measurements: errors that cancel, or chance, can make it
negative, and it stays so.  Products of two errors, which are small where these are
independent, count in the later of the two steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_seed
from lmu_spiking.loihi.chip.integers import TARGETS
from lmu_spiking.loihi.run.deploy import Deployment, deploy, request_of
from lmu_spiking.loihi.run.target import Target, nengo_loihi
from lmu_spiking.metrics import half_interval
from lmu_spiking.theory.budget import window_delays

LOST = {  # on the way to each target
    "truncation": "truncation",
    Target.CORE: "spikes",
    Target.SIMREAL: "structure",
    Target.EMULATOR: "quantisation",
    Target.BOARD: "board",
}
MEASURES = ("delay", "window")


@dataclass(frozen=True, eq=False)
class Ladder:
    """One memory and one signal on several targets.

    Parameters
    ----------
    rows : tuple of dict
        `Deployment.row` of each seed and target, from the first target to the last,
        with ``seed`` and mean squares over that of the delayed input: for each measure,
        ``delay`` (theta) and ``window``, ``{measure}_error``, ``{measure}_truncation``
        and, as predicted from the layout, ``predicted_{measure}_error`` and its terms
        ``..._truncation``, ``..._noise`` and ``..._quantisation``.
    targets : tuple of Target
    seeds : tuple of int
        Of the curves.
    last : Deployment
        On the last target, with the first seed.
    """

    rows: tuple[dict, ...]
    targets: tuple[Target, ...]
    seeds: tuple[int, ...]
    last: Deployment = field(repr=False)

    __repr__ = brief

    def steps(self) -> list[dict]:
        """Return what is lost on each step down; they add up to `total`.

        Returns
        -------
        list of dict
            ``step``: truncation (exact LDN against the delayed input), spikes (core:
            their noise, and curves), structure (simreal: the chip's blocks, pulses and
            delays), quantisation (emulator: whole numbers), board; those of targets
            that were left out are joined by ``" + "``.  For each measure its mean over
            the seeds, ``{measure}_low`` and ``_high`` (95 % interval of the mean over
            seeds; None for one seed), and ``predicted_{measure}``.
        """
        last = self.targets[-1]
        found = [{"step": LOST["truncation"]} | self._means(("truncation", last))]
        # from target to target; what is lost on those left out counts in the next
        above, skipped = ("truncation", None), []
        for target in Target:
            skipped.append(LOST[target])
            if target in self.targets:
                below = ("error", target)
                above = above[0], above[1] or target
                step = {"step": " + ".join(skipped)}
                found.append(step | self._means(below, above))
                above, skipped = below, []
        return found

    def total(self) -> dict:
        """Return the error on the last target, like a step.

        Returns
        -------
        dict
            Keys as of `steps`.
        """
        last = self.targets[-1]
        return {"step": str(last)} | self._means(("error", last))

    def _means(self, below: tuple, above: tuple | None = None) -> dict:
        """Return means over the seeds of a (term, target), less those of another."""
        means = {}
        for measure in MEASURES:
            values, guesses = (
                self._of(prefix + measure, *below)
                - (0.0 if above is None else self._of(prefix + measure, *above))
                for prefix in ("", "predicted_")
            )
            mean, half = float(values.mean()), half_interval(values)
            several = len(values) > 1
            means |= {
                measure: mean,
                f"{measure}_low": mean - half if several else None,
                f"{measure}_high": mean + half if several else None,
                f"predicted_{measure}": float(guesses.mean()),
            }
        return means

    def _of(self, measure: str, term: str, target: Target) -> np.ndarray:
        """Return a mean square of each seed on a target, (seeds,)."""
        rows = (row for row in self.rows if row["target"] == target)
        return np.array([row[f"{measure}_{term}"] for row in rows])


def ladder(
    memory,
    *,
    targets: Sequence[Target | str] = TARGETS,
    signal=None,
    seeds: Sequence[int] = (0,),
    progress: Callable | None = None,
    **options,
) -> Ladder:
    """Run a memory on several targets, on one signal, and return where errors arise.

    Parameters
    ----------
    memory : MemorySpec or LegendreMemory
    targets : sequence of Target or str
        From above or from below; each once.
    signal : Signal or (T,) array_like, optional
        As in `deploy`; the same for all.
    seeds : sequence of int
        Of the curves: one memory for each, on every target.
    progress : callable, optional
        Called with the steps done, of all runs, and their number.
    **options
        Of `deploy`: ``duration``, ``neuron_type``, ``max_rate``, ``chips``, ...

    Returns
    -------
    Ladder
        Errors on each target, and what each step costs.

    Raises
    ------
    ValidationError
        If targets or seeds are not different, or the memory is laid out already.
    MissingPackageError
        If NengoLoihi is needed and missing: before anything runs.
    """
    wanted = _targets(targets)
    seeds = tuple(check_seed("ladder.seeds", seed) for seed in seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValidationError("ladder.seeds", seeds, "must be different seeds, or one")
    if request_of(memory).layout is not None:
        problem = f"is laid out for {memory.target} alone"
        remedy = "give the MemorySpec that it was made of"
        raise ValidationError("ladder.memory", memory, problem, remedy)
    if wanted != (Target.CORE,):
        nengo_loihi()  # refuses before anything runs
    # one memory for each seed, on all targets
    runs = len(seeds) * len(wanted)
    rows: list[dict] = []
    first: list[Deployment] = []
    for seed in seeds:
        of_seed = []
        for target in reversed(wanted):  # what can be refused comes first
            shown = progress and _shifted(progress, len(rows) + len(of_seed), runs)
            given = {"signal": signal, "seed": seed, "progress": shown}
            done = deploy(memory, target, **given, **options)
            first = first or [done]
            of_seed.append(done.row | {"seed": seed} | _mean_squares(done))
        rows += reversed(of_seed)
    return Ladder(tuple(rows), wanted, seeds, first[0])


def _targets(targets) -> tuple[Target, ...]:
    """Return the targets, each once, from core downwards."""
    named = [targets] if isinstance(targets, str) else list(targets)
    wanted = {Target(target) for target in named}
    if not wanted or len(wanted) < len(named):
        problem = "must be one target or more, each once"
        raise ValidationError("ladder.targets", targets, problem)
    return tuple(target for target in Target if target in wanted)


def _shifted(progress: Callable, run: int, runs: int) -> Callable:
    """Return the progress of all runs, as the ``run``-th reports it."""
    return lambda done, steps: progress(run * steps + done, runs * steps)


def _mean_squares(deployment: Deployment) -> dict:
    """Return errors and their predicted terms, over the delayed input's power."""
    layout, predicted = deployment.layout, deployment.predicted
    found, dt = {}, layout.dt
    theta = np.array([layout.ldn.steps(dt) * dt])
    for measure, delays in (("delay", theta), ("window", window_delays(layout))):
        # what was read, and what should have been
        read, ideal, past = deployment.readings(delays)
        power = np.mean(past**2)
        for term, values in (("error", read), ("truncation", ideal)):
            error = np.mean((values - past) ** 2)
            found[f"{measure}_{term}"] = float(error / power)
        # what was predicted
        readout = layout.ldn.readout(delays - dt, dt)
        guesses = {
            "truncation": np.mean(predicted.truncation_rmse(delays) ** 2),
            "noise": _read(readout, predicted.noise + predicted.distortion),
            "quantisation": _read(readout, predicted.quantisation),
        }
        guesses["error"] = sum(guesses.values())
        for term, error in guesses.items():
            found[f"predicted_{measure}_{term}"] = float(error / power)
    return found


def _read(readout: np.ndarray, moments: np.ndarray | None) -> float:
    """Return the mean square of readouts (n, d) of an error of the state."""
    if moments is None:
        return 0.0
    return float(np.einsum("ni,ij,nj->n", readout, moments, readout).mean())
