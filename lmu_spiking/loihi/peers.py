"""Peers run on the emulator: what they did, what it took, and what was refused.

`run_peer` runs a `Recipe` of `peer_networks` in Nengo (``core``) or on the emulator, in
floating point (``simreal``) or in the integers of the chip (``sim``).  What the chip
refuses is a result, `PeerRun.refused`, and its warnings are counted.
"""

import re
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field

import nengo
import numpy as np
from nengo.builder import Model
from nengo.cache import NoDecoderCache
from nengo.exceptions import BuildError

from lmu_spiking.brief import brief
from lmu_spiking.errors import (
    MissingPackageError,
    ValidationError,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.ldn import LDN
from lmu_spiking.loihi.peer_networks import (
    PeerNetwork,
    Recipe,
    build_peer,
    principle_3,
)

TARGETS = ("core", "simreal", "sim")


@dataclass(frozen=True, eq=False)
class PeerRun:
    """What a peer did.

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
        """Most bits of a weight that rounding lost."""
        lost = (re.match(r"Lost (\d+) extra bits", text) for text in self.warned)
        return max((int(found[1]) for found in lost if found), default=0)

    @property
    def overflows(self) -> int:
        """Steps and registers in which an integer overflowed."""
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
    """Build a peer, stream a signal through it, and take down what happened.

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
    if target not in TARGETS:
        raise ValidationError(
            "run_peer.target", target, "is unknown", f"use one of {', '.join(TARGETS)}"
        )
    n = check_whole("run_peer.n_per_dimension", n_per_dimension, 2)
    tau = check_positive("run_peer.tau", tau, "seconds")
    dt = check_positive("run_peer.dt", dt, "seconds")
    seed = check_seed("run_peer.seed", seed)
    u = np.asarray(u, dtype=float)
    A, B = principle_3(recipe, ldn, tau, dt, transform)
    built = build_peer(recipe, A, B, u, n, tau, dt, seed, chip=target != "core")
    if target == "core":
        return _in_nengo(built, A, B, len(u), dt)
    decode_tau = tau if recipe.tau_in_decode else None
    return _on_chip(built, A, B, len(u), dt, target, decode_tau)


def _in_nengo(built: PeerNetwork, A, B, steps: int, dt: float) -> PeerRun:
    start = time.perf_counter()
    with built.network:
        fired = [nengo.Probe(each.neurons, synapse=None) for each in built.ensembles]
    model = Model(dt=dt, decoder_cache=NoDecoderCache())
    with nengo.Simulator(built.network, dt=dt, model=model, progress_bar=False) as sim:
        ready = time.perf_counter()
        sim.run_steps(steps, progress_bar=False)
        decoded = np.hstack([sim.data[probe] for probe in built.probes])
        spikes = sum(round(float(sim.data[probe].sum()) * dt) for probe in fired)
    return PeerRun(
        decoded,
        A,
        B,
        spikes=spikes,
        chip_spikes=spikes,
        seconds_build=ready - start,
        seconds_run=time.perf_counter() - ready,
    )


def _on_chip(built: PeerNetwork, A, B, steps, dt, target, decode_tau) -> PeerRun:
    try:
        import nengo_loihi
    except ImportError:
        raise MissingPackageError("nengo-loihi", "loihi") from None
    model = nengo_loihi.builder.Model(dt=dt)
    if decode_tau is not None:
        model.decode_tau = decode_tau
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            sim = nengo_loihi.Simulator(
                built.network, dt=dt, model=model, target=target
            )
        except BuildError as error:
            return PeerRun(None, A, B, _first_line(error), _counted(caught))
        with sim:
            ready = time.perf_counter()
            sim.run_steps(steps)
            decoded = np.hstack([sim.data[probe] for probe in built.probes])
            spikes, every = _count_spikes(sim)
    return PeerRun(
        decoded,
        A,
        B,
        "",
        _counted(caught),
        len(model.blocks),
        spikes,
        every,
        ready - start,
        time.perf_counter() - ready,
    )


def _count_spikes(sim) -> tuple[int, int]:
    """Spikes of ensembles, and of all compartments that can spike."""
    emulator = sim.sims["emulator"]
    counts, spikes = emulator.compartment.spike_count, {}
    for block, where in emulator.block_info.slices.items():
        spikes[block.label] = int(counts[where].sum())
    ours = sum(n for label, n in spikes.items() if label.startswith("<Ensemble"))
    return ours, sum(spikes.values())


def _counted(caught) -> dict[str, int]:
    """How often each text; numpy's remarks on the emulator's integers are left out."""
    ours = (each for each in caught if issubclass(each.category, UserWarning))
    return dict(Counter(str(each.message) for each in ours))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
