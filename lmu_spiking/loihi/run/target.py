"""One call that runs a network on any rung of the ladder from Nengo to a board.

========== =====================================================================
core       Nengo itself
simreal    the chip's structure (blocks, spikes, delays) in floating point
emulator   the same in the chip's integers: ``nengo_loihi.Simulator(target="sim")``
board      a Loihi board, with Intel's NxSDK
========== =====================================================================

Each step down costs something: from core to simreal the chip's structure, from simreal
to emulator its integers.  What a rung cannot run is refused before it is built.
"""

import platform
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

import nengo
import numpy as np
from nengo.builder import Model
from nengo.cache import NoDecoderCache
from nengo.connection import LearningRule

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_positive, check_seed
from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.loihi.poisson.chip import check_noise, has_noisy, register
from lmu_spiking.loihi.run.advice import (
    Advice,
    advice_table,
    advise,
    check_connection,
    check_ensemble,
    check_places,
    check_probe,
    listening,
    refused,
    refusing,
)
from lmu_spiking.loihi.run.counts import Counts, count_chip, count_core, listen_to_host

CHUNK = 100  # steps between two looks at the user
OPTIONS = ("n_chips", "snip_max_spikes_per_step", "allocator")  # of a board
WHOLE = 1e-6  # how far from a whole number of steps a duration may be


class Target(StrEnum):
    """A rung of the ladder; ``Target("emulator")``, or the string itself."""

    CORE = "core"
    SIMREAL = "simreal"
    EMULATOR = "emulator"
    BOARD = "board"

    @classmethod
    def _missing_(cls, value):
        known = ", ".join(map(repr, map(str, cls)))
        raise ValidationError("target", value, "is not a target", f"use one of {known}")

    @property
    def of_nengo_loihi(self) -> str:
        """What NengoLoihi calls it."""
        return {"emulator": "sim", "board": "loihi"}.get(self, str(self))


@dataclass(frozen=True, eq=False)
class Run:
    """What a run gave.

    Attributes
    ----------
    target : Target
    dt : float
        Seconds.
    trange : (T,) ndarray
        Times of the steps, seconds; the first is ``dt``.
    data : mapping of nengo.Probe to (T, n) ndarray
        What each probe saw; fewer rows for ``sample_every``.
    counts : Counts or None
        What the neurons did: on core spikes alone, on a board None.
    advice : tuple of Advice
        What NengoLoihi warned of; the worst first.
    seconds_build, seconds_run : float
    versions : mapping
        Of what the result depends on.
    """

    target: Target
    dt: float
    trange: np.ndarray
    data: Mapping[nengo.Probe, np.ndarray]
    counts: Counts | None
    advice: tuple[Advice, ...]
    seconds_build: float
    seconds_run: float
    versions: Mapping[str, str]

    __repr__ = brief

    @property
    def row(self) -> dict:
        """The numbers, without what the probes saw."""
        counted = ("spikes", "synops", "messages", "updates", "cores", "host_spikes")
        return {
            "target": str(self.target),
            "dt": self.dt,
            "duration": self.dt * len(self.trange),
            **{name: getattr(self.counts, name, None) for name in counted},
            "seconds_build": self.seconds_build,
            "seconds_run": self.seconds_run,
            "advice": advice_table(self.advice),
            "versions": dict(self.versions),
        }


def run_on(
    network: nengo.Network,
    target: Target | str,
    duration: float,
    *,
    dt: float = 0.001,
    seed: int = 0,
    options: Mapping | None = None,
    precompute: bool | None = None,
    model=None,
    progress: Callable | None = None,
) -> Run:
    """Run a network on a target, for ``duration`` seconds.

    Nothing is drawn that ``seed`` and the seeds in the network do not tell: the seed of
    the host's noise too, which NengoLoihi itself draws anew in each run.

    Parameters
    ----------
    network : nengo.Network
    target : Target or str
    duration : float
        Seconds, a whole number of steps.
    dt : float
        Seconds in a step; one that the network was made for.
    seed : int
        Of all that is drawn in the run, and of the network if it has no seed.
    options : mapping, optional
        For a board, and not looked at elsewhere: ``n_chips``,
        ``snip_max_spikes_per_step``, ``allocator``.
    precompute : bool, optional
        Whether the input is computed beforehand; by default where that is possible.  Of
        no meaning on core.
    model : nengo_loihi.builder.Model, optional
        With settings of its own (``decode_tau``, ...); for one run, and not on core.
    progress : callable, optional
        Called with the steps done and their number.

    Raises
    ------
    ValidationError
        If the target cannot run this network.
    MissingPackageError
        If the target needs NengoLoihi and it is not installed.
    """
    target = Target(target)
    if not isinstance(network, nengo.Network):
        raise ValidationError("run_on.network", network, "must be a nengo.Network")
    dt = check_positive("run_on.dt", dt, "seconds")
    steps = _steps(duration, dt)
    seed = check_seed("run_on.seed", seed)
    options = _options(options)
    if precompute not in (None, True, False):
        raise ValidationError("run_on.precompute", precompute, "must be True or False")
    progress = progress or (lambda done, steps: None)
    if target is Target.CORE:
        return _run_core(network, steps, dt, seed, progress)
    package = nengo_loihi()
    if target is Target.BOARD:
        _check_nxsdk()
    model = _model(package, model, network, dt, seed)
    with refusing(str(target)), listening() as heard:
        start = time.perf_counter()
        check_network(network, precompute)
        register()
        sim = _build(package, network, target, dt, seed, options, precompute, model)
        built = time.perf_counter()
        with sim:
            if target is not Target.SIMREAL and has_noisy(network):
                check_noise(sim)
            host = None if target is Target.BOARD else listen_to_host(sim)
            size = steps if target is Target.BOARD else CHUNK
            for done in range(0, steps, size):
                sim.run_steps(min(size, steps - done))
                progress(min(done + size, steps), steps)
            ran = time.perf_counter()
            data = _probed(sim, network)
            counts = None if host is None else count_chip(sim, host)
    needed = ("nengo-loihi", "nxsdk") if target is Target.BOARD else ("nengo-loihi",)
    times = built - start, ran - built
    return _run(target, dt, steps, data, counts, advise(heard), times, needed)


# -- the rungs -----------------------------------------------------------------------


def _run_core(network, steps, dt, seed, progress) -> Run:
    start = time.perf_counter()
    model = Model(dt=dt, label="lmu_spiking", decoder_cache=NoDecoderCache())
    _seed(model, network, seed)
    with nengo.Simulator(
        network, dt=dt, seed=seed, model=model, progress_bar=False
    ) as sim:
        built = time.perf_counter()
        count = count_core(sim, network)
        for done in range(1, steps + 1):
            sim.step()
            count.step()
            if done % CHUNK == 0 or done == steps:
                progress(done, steps)
        ran = time.perf_counter()
        data = _probed(sim, network)
    times = built - start, ran - built
    return _run(Target.CORE, dt, steps, data, count.counts(), (), times, ())


def _build(package, network, target, dt, seed, options, precompute, model):
    """A simulator, or none that is still open."""
    sim = package.Simulator.__new__(package.Simulator)  # so that it can be closed
    try:
        with np.errstate(invalid="ignore"):  # its integers begin as NaN
            sim.__init__(
                network,
                dt=dt,
                seed=seed,
                model=model,
                precompute=precompute,
                target=target.of_nengo_loihi,
                progress_bar=False,
                hardware_options=options,
            )
        # NengoLoihi seeds its chip alone. A new seed makes new functions of the steps,
        # which its runner keeps a hold of.
        for offset, name in enumerate(("host_pre", "host")):
            if name in sim.sims:
                sim.sims[name].reset(seed=(seed + offset) % 2**31)
        runner = type(sim._runner)
        sim._runner = runner(sim.model, sim.sims, sim.precompute, sim.timers)
    except BaseException:
        sim.close()
        raise
    return sim


def _model(package, model, network, dt, seed):
    """NengoLoihi's model, given or new, for this run alone."""
    kind = package.builder.Model
    if model is None:
        model = kind(dt=dt, label="lmu_spiking")
    if not isinstance(model, kind):
        problem = "must be a nengo_loihi.builder.Model"
        raise ValidationError("run_on.model", model, problem)
    if model.dt != dt:
        problem = f"is not the run's dt of {dt:g} s"
        raise ValidationError("run_on.model.dt", model.dt, problem)
    if model.toplevel is not None:
        problem = "holds a network that was built already"
        raise ValidationError("run_on.model", model, problem, "make one for each run")
    _seed(model, network, seed)
    return model


def _seed(model, network, seed: int) -> None:
    """Draw the network from ``seed`` where it has none of its own."""
    if network.seed is None:
        model.seeds.setdefault(network, seed)


def _probed(sim, network) -> dict:
    return {probe: np.array(sim.data[probe]) for probe in network.all_probes}


def _run(target, dt, steps, data, counts, advice, times, needed) -> Run:
    for array in data.values():
        array.flags.writeable = False
    versions = {"python": platform.python_version()}
    for package in ("lmu_spiking", "nengo", "numpy", *needed):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "?"
    return Run(
        target,
        dt,
        dt * np.arange(1, steps + 1),
        MappingProxyType(data),
        counts,
        advice,
        *times,
        MappingProxyType(versions),
    )


# -- what a target refuses -----------------------------------------------------------


def _steps(duration, dt: float) -> int:
    steps = check_positive("run_on.duration", duration, "seconds") / dt
    if not steps < 2**53 or abs(steps - round(steps)) > WHOLE or round(steps) < 1:
        nearest = f"{max(1, round(min(steps, 2**53))) * dt:.9g}"
        problem = f"is not a whole number of steps of {dt:g} s"
        raise ValidationError("run_on.duration", duration, problem, f"use {nearest}")
    return round(steps)


def _options(options) -> dict:
    if not isinstance(options or {}, Mapping):
        raise ValidationError("run_on.options", options, "must be a mapping")
    options = dict(options or {})
    for name in options:
        if name not in OPTIONS:
            known = ", ".join(map(repr, OPTIONS))
            raise ValidationError(
                "run_on.options", name, "is no option of a board", f"use {known}"
            )
    return options


def _check_nxsdk() -> None:
    from nengo_loihi import simulator

    if not simulator.HAS_NXSDK:
        raise ValidationError(
            "run_on.target",
            "board",
            "needs NxSDK, which is not installed",
            "Intel gives it to members of its Neuromorphic Research Community (INRC); "
            "target='emulator' runs the same network here",
        )


def check_network(network: nengo.Network, precompute: bool | None = None) -> None:
    """Refuse what NengoLoihi would trip over, before anything is built.

    Raises
    ------
    ValidationError
    """
    from nengo_loihi.splitter import Split

    for probe in network.all_probes:
        if isinstance(probe.obj, (nengo.Connection, LearningRule)):
            problem = "of a connection is not seen on the chip"
            raise refused("Probe", probe, "attr", problem, "probe what it connects")
    check_places(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the build will say it again
        split = Split(network, precompute)
    if not any(split.on_chip(ensemble) for ensemble in network.all_ensembles):
        problem = "has no ensemble that is for the chip (those of Direct never are)"
        remedy = "add one, leave its on_chip at None, or use target='core'"
        raise ValidationError("run_on.network", network, problem, remedy)
    for ensemble in filter(split.on_chip, network.all_ensembles):
        check_ensemble(ensemble)
    for probe in filter(split.on_chip, network.all_probes):
        check_probe(probe)
    removed = split.passthrough.to_remove
    for conn in (*network.all_connections, *split.passthrough.to_add):
        if conn not in removed and not isinstance(conn.post_obj, LearningRule):
            check_connection(conn, split.on_chip)
