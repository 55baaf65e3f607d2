"""One call that runs a network on any target, from Nengo to a board.

========== =====================================================================
core       Nengo itself, also called nengo
simreal    the chip's structure (blocks, spikes, delays) in floating point
emulator   the same in the chip's integers: ``nengo_loihi.Simulator(target="sim")``
board      a Loihi board, with Intel's NxSDK
========== =====================================================================

Each step down costs something: from core to simreal the chip's structure, from simreal
to emulator its integers.  What a target cannot run is refused before it is built.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import nengo
import numpy as np
from nengo.builder import Model
from nengo.cache import NoDecoderCache

from lmu_spiking.brief import brief
from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_seed,
)
from lmu_spiking.loihi.chip.integers import Target
from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.loihi.poisson.neuron import check_noise, has_noisy, register
from lmu_spiking.loihi.run.advice import (
    Advice,
    advice_table,
    advise,
    check_network,
    listening,
    refusing,
)
from lmu_spiking.loihi.run.counts import Counts, count_chip, count_core, listen_to_host
from lmu_spiking.metrics import versions

CHUNK = 100  # steps between two looks at the user
OPTIONS = ("n_chips", "snip_max_spikes_per_step", "allocator")  # of a board
WHOLE = 1e-6  # how far from a whole number of steps a duration may be


@dataclass(frozen=True, eq=False)
class Run:
    """Result of a run.

    Parameters
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
        Wall time of building and of running.
    versions : mapping
        Of the packages that the result depends on.
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
        """Return the numbers, without what the probes saw."""
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

    Returns
    -------
    Run
        What the probes saw, counts, advice and times.

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
    if not isinstance(options or {}, Mapping):
        raise ValidationError("run_on.options", options, "must be a mapping")
    options = dict(options or {})
    for name in options:
        check_one_of("run_on.options", name, OPTIONS, "is no option of a board")
    if precompute not in (None, True, False):
        raise ValidationError("run_on.precompute", precompute, "must be True or False")
    progress = progress or (lambda done, steps: None)
    if target is Target.CORE:
        return _run_core(network, steps, dt, seed, progress)
    package, on_board = nengo_loihi(), target is Target.BOARD
    if on_board and not package.simulator.HAS_NXSDK:
        problem = "needs NxSDK, which is not installed"
        remedy = (
            "Intel gives it to members of its Neuromorphic Research Community (INRC); "
            "target='emulator' runs the same network here"
        )
        raise ValidationError("run_on.target", "board", problem, remedy)
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
            host = None if on_board else listen_to_host(sim)
            # a board runs all steps at once; of an emulator the user sees progress
            size = steps if on_board else CHUNK
            for done in range(0, steps, size):
                sim.run_steps(min(size, steps - done))
                progress(min(done + size, steps), steps)
            ran = time.perf_counter()
            data = {probe: np.array(sim.data[probe]) for probe in network.all_probes}
            counts = None if host is None else count_chip(sim, host)
    needed = ("nengo-loihi", "nxsdk") if on_board else ("nengo-loihi",)
    times = built - start, ran - built
    return _run(target, dt, steps, data, counts, advise(heard), times, needed)


# -- the targets ---------------------------------------------------------------------


def _run_core(network, steps, dt, seed, progress) -> Run:
    """Run a network in Nengo's own simulator."""
    start = time.perf_counter()
    # no decoder cache on disk, so that a run depends on its seeds alone
    model = Model(dt=dt, label="lmu_spiking", decoder_cache=NoDecoderCache())
    if network.seed is None:
        model.seeds[network] = seed
    given = {"dt": dt, "seed": seed, "model": model, "progress_bar": False}
    with nengo.Simulator(network, **given) as sim:
        built = time.perf_counter()
        count = count_core(sim, network)
        for done in range(1, steps + 1):
            sim.step()
            count.step()
            if done % CHUNK == 0 or done == steps:
                progress(done, steps)
        ran = time.perf_counter()
        data = {probe: np.array(sim.data[probe]) for probe in network.all_probes}
    times = built - start, ran - built
    return _run(Target.CORE, dt, steps, data, count.counts(), (), times, ())


def _build(package, network, target, dt, seed, options, precompute, model):
    """Return a simulator, or leave none open."""
    given = {"dt": dt, "seed": seed, "model": model, "precompute": precompute}
    given |= {"target": target.of_nengo_loihi, "hardware_options": options}
    sim = package.Simulator.__new__(package.Simulator)  # so that it can be closed
    try:
        with np.errstate(invalid="ignore"):  # its integers begin as NaN
            sim.__init__(network, progress_bar=False, **given)
        # NengoLoihi seeds its chip alone. A new seed makes new functions of the steps,
        # to which its runner has references.
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
    """Return NengoLoihi's model, given or new, for this run alone."""
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
    if network.seed is None:
        model.seeds.setdefault(network, seed)
    return model


def _run(target, dt, steps, data, counts, advice, times, needed) -> Run:
    """Return the result of a run, with the versions of packages, read-only."""
    for array in data.values():
        array.flags.writeable = False
    used = versions(("lmu_spiking", "nengo", "numpy", *needed))
    data, used = MappingProxyType(data), MappingProxyType(used)
    trange = dt * np.arange(1, steps + 1)
    return Run(target, dt, trange, data, counts, advice, times[0], times[1], used)


def _steps(duration, dt: float) -> int:
    """Return the number of steps of a duration, or raise a ValidationError."""
    steps = check_positive("run_on.duration", duration, "seconds") / dt
    if not steps < 2**53 or abs(steps - round(steps)) > WHOLE or round(steps) < 1:
        nearest = f"{max(1, round(min(steps, 2**53))) * dt:.9g}"
        problem = f"is not a whole number of steps of {dt:g} s"
        raise ValidationError("run_on.duration", duration, problem, f"use {nearest}")
    return round(steps)
