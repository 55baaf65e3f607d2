r"""Where the error arose: one memory on every rung from Nengo down to the chip.

Errors are mean squares over the mean square of the delayed input (``nrmse ** 2``), of
the readout at delay theta and over the window.  With ``e_k`` on rung ``k`` and ``e_0``
that of the exact LDN, the error of the last rung is the sum of the steps,

.. math:: e_n = e_0 + \sum_{k=1}^{n} (e_k - e_{k-1}).

A step is a difference of two measurements: errors that cancel, or chance, can make it
negative, and it is left so.  Products of two errors, which are small where these are
independent, count in the later of the two steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_seed
from lmu_spiking.loihi.run.deploy import LAYOUTS, Deployment, deploy
from lmu_spiking.loihi.run.target import Target, nengo_loihi
from lmu_spiking.theory.predict import window_delays

TARGETS = (Target.CORE, Target.SIMREAL, Target.EMULATOR)
LOST = {  # on the way to each rung
    "truncation": "truncation",
    Target.CORE: "spikes",
    Target.SIMREAL: "structure",
    Target.EMULATOR: "quantisation",
    Target.BOARD: "board",
}
MEASURES = ("delay", "window")


@dataclass(frozen=True, eq=False)
class Ladder:
    """One memory and one signal on several rungs.

    Attributes
    ----------
    rows : tuple of dict
        `Deployment.row` of each seed and rung, from the first rung to the last, with
        ``seed`` and mean squares over that of the delayed input: for each measure,
        ``delay`` (theta) and ``window``, ``{measure}_error``, ``{measure}_truncation``
        and, as predicted from the layout, ``predicted_{measure}_error`` and its terms
        ``..._truncation``, ``..._noise`` and ``..._quantisation``.
    targets : tuple of Target
    seeds : tuple of int
        Of the curves.
    last : Deployment
        On the last rung, with the first seed.
    """

    rows: tuple[dict, ...]
    targets: tuple[Target, ...]
    seeds: tuple[int, ...]
    last: Deployment = field(repr=False)

    __repr__ = brief

    def steps(self) -> list[dict]:
        """What is lost on each step down; they add up to `total`.

        Returns
        -------
        list of dict
            ``step``: truncation (exact LDN against the delayed input), spikes (core:
            their noise, and curves), structure (simreal: the chip's blocks, pulses and
            delays), quantisation (emulator: whole numbers), board; those of rungs that
            were left out are joined by ``" + "``.  For each measure its mean over the
            seeds, ``{measure}_low`` and ``_high`` (95 % interval of the mean over
            seeds; None for one seed), and ``predicted_{measure}``.
        """
        last = self.targets[-1]
        found = [{"step": LOST["truncation"]} | self._means(("truncation", last))]
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
        """Error on the last rung, like a step."""
        last = self.targets[-1]
        return {"step": str(last)} | self._means(("error", last))

    def _means(self, below: tuple, above: tuple | None = None) -> dict:
        """Means over the seeds of a (term, rung), or by how much it exceeds another."""
        means = {}
        for measure in MEASURES:
            values, guesses = (
                self._of(prefix + measure, *below)
                - (0.0 if above is None else self._of(prefix + measure, *above))
                for prefix in ("", "predicted_")
            )
            low, high = _interval(values)
            means |= {
                measure: float(values.mean()),
                f"{measure}_low": low,
                f"{measure}_high": high,
                f"predicted_{measure}": float(guesses.mean()),
            }
        return means

    def _of(self, measure: str, term: str, target: Target) -> np.ndarray:
        """(seeds,): a mean square of each seed on a rung."""
        return np.array(
            [row[f"{measure}_{term}"] for row in self.rows if row["target"] == target]
        )


def ladder(
    memory,
    *,
    targets: Sequence[Target | str] = TARGETS,
    signal=None,
    seeds: Sequence[int] = (0,),
    progress: Callable | None = None,
    **options,
) -> Ladder:
    """Run a memory on several targets, on one signal, and tell where errors arise.

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

    Raises
    ------
    ValidationError
    MissingPackageError
        If NengoLoihi is needed and missing: before anything runs.
    """
    wanted = _targets(targets)
    seeds = tuple(check_seed("ladder.seeds", seed) for seed in seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValidationError("ladder.seeds", seeds, "must be different seeds, or one")
    if isinstance(memory, LAYOUTS):
        raise ValidationError(
            "ladder.memory",
            memory,
            f"is laid out for {memory.target} alone",
            "give the MemorySpec that it was made of",
        )
    if wanted != (Target.CORE,):
        nengo_loihi()  # refuses before anything runs
    runs = len(seeds) * len(wanted)
    rows: list[dict] = []
    first: list[Deployment] = []
    for seed in seeds:
        found = []
        for target in reversed(wanted):  # what can be refused comes first
            k = len(rows) + len(found)
            shown = progress and _shifted(progress, k, runs)
            done = deploy(
                memory, target, signal=signal, seed=seed, progress=shown, **options
            )
            first = first or [done]
            found.append(done.row | {"seed": seed} | _mean_squares(done))
        rows += reversed(found)
    return Ladder(tuple(rows), wanted, seeds, first[0])


def _targets(targets) -> tuple[Target, ...]:
    """Each once, from core downwards."""
    named = [targets] if isinstance(targets, str) else list(targets)
    wanted = {Target(target) for target in named}
    if not wanted or len(wanted) < len(named):
        raise ValidationError(
            "ladder.targets", targets, "must be one target or more, each once"
        )
    return tuple(target for target in Target if target in wanted)


def _shifted(progress: Callable, run: int, runs: int) -> Callable:
    """Progress of all runs, as the ``run``-th reports it."""
    return lambda done, steps: progress(run * steps + done, runs * steps)


def _mean_squares(deployment: Deployment) -> dict:
    """Errors of a run and their predicted terms, over the delayed input's power."""
    layout, predicted = deployment.layout, deployment.predicted
    window, dt = layout.ldn.steps(layout.dt), layout.dt
    at = np.arange(window + 1, len(deployment.signal))
    found = {}
    delays = {"delay": np.array([window * dt]), "window": window_delays(layout)}
    for measure in MEASURES:
        readout = layout.ldn.readout(delays[measure] - dt, dt)
        lags = np.round(delays[measure] / dt).astype(int)
        past = np.stack([deployment.signal[at - s] for s in lags], axis=1)
        power = np.mean(past**2)
        terms = {
            "error": np.mean((deployment.state[at] @ readout.T - past) ** 2),
            "truncation": np.mean((deployment.exact[at] @ readout.T - past) ** 2),
        }
        guesses = {
            "truncation": np.mean(predicted.truncation_rmse(delays[measure]) ** 2),
            "noise": _read(readout, predicted.noise + predicted.distortion),
            "quantisation": _read(readout, predicted.quantisation),
        }
        guesses["error"] = sum(guesses.values())
        found |= {f"{measure}_{key}": float(e / power) for key, e in terms.items()}
        found |= {
            f"predicted_{measure}_{key}": float(e / power) for key, e in guesses.items()
        }
    return found


def _read(readout: np.ndarray, moments: np.ndarray | None) -> float:
    """Mean square of readouts (n, d) of an error of the state."""
    if moments is None:
        return 0.0
    return float(np.einsum("ni,ij,nj->n", readout, moments, readout).mean())


def _interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """95 % interval of the mean of several seeds."""
    n = len(values)
    if n < 2:
        return None, None
    half = stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)
