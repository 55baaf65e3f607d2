"""Independent realisations of one network: their states, and their random numbers."""

import copy
from typing import NamedTuple

import numpy as np
from nengo.builder.neurons import SimNeurons

from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.simulator.regions import region_of

MOST = 10**6  # trials of one simulator


def checked(trials) -> int:
    """Return a number of trials, or raise a ValidationError."""
    return check_whole("Simulator.trials", trials, 1, MOST)


class Noise(NamedTuple):
    """What tells the noise of a trial from that of others.

    Attributes
    ----------
    trial : int
        Its number among those of one seed.
    seed : int or None
        In place of those of the network.
    """

    trial: int
    seed: int | None

    @property
    def native(self) -> bool:
        """Whether it is as `nengo.Simulator` would have it."""
        return self.trial == 0 and self.seed is None

    def entropy(self, *more: int) -> np.random.SeedSequence:
        """For something of this trial; numpy takes zeros at the end for nothing."""
        seed = 0 if self.seed is None else self.seed + 1
        return np.random.SeedSequence([seed, self.trial, *more, 1])

    def generator(self, *more: int) -> np.random.RandomState:
        """Random numbers as Nengo takes them."""
        return np.random.RandomState(np.random.MT19937(self.entropy(*more)))


def noise_of(trials: int | None, noise_seed) -> list[Noise]:
    """The noise of each trial.

    Parameters
    ----------
    noise_seed : int, sequence of int, or None
        One for all, of which each trial has its own part, or one for each: that trial
        then is the single run with this seed.

    Raises
    ------
    ValidationError
        If there are not as many as trials, or one is no whole number from 0.
    """
    n = trials or 1
    if noise_seed is None or np.ndim(noise_seed) == 0:
        seed = None
        if noise_seed is not None:
            seed = check_whole("Simulator.noise_seed", noise_seed, 0)
        return [Noise(trial, seed) for trial in range(n)]
    if len(noise_seed) != n:
        raise ValidationError(
            "Simulator.noise_seed", noise_seed, f"must be one seed, or {n} of them"
        )
    found = (check_whole("Simulator.noise_seed", s, 0) for s in noise_seed)
    return [Noise(0, seed) for seed in found]


def seeds(program, noise: list[Noise]) -> np.ndarray:
    """A seed for each trial and stream, (trials, streams) uint64.

    Unless a seed is given they come from the random state that Nengo gave the neurons.
    Populations of the same seed get different numbers nonetheless: equal noise would
    add up.
    """
    found = np.zeros((len(noise), len(program.streams)), np.uint64)
    met: dict[bytes, int] = {}
    for k, op in enumerate(program.streams):
        own = copy.deepcopy(op.state_extra["rng"]).randint(2**32, size=4, dtype="u4")
        again = met[own.tobytes()] = met.get(own.tobytes(), -1) + 1
        for trial, of in enumerate(noise):
            parts = [*map(int, own), again] if of.seed is None else [k]
            found[trial, k] = of.entropy(*parts).generate_state(1, "u8")[0]
    return found


def with_own_generator(op, noise: Noise):
    """Neurons that Nengo steps, with random numbers that a `reset` begins again."""
    extra = dict(getattr(op, "state_extra", {}))
    for name, rng in extra.items():
        if isinstance(rng, np.random.RandomState):
            extra[name] = copy.deepcopy(rng)
            if not noise.native:
                seed = int(extra[name].randint(2**32, dtype="u4"))
                extra[name] = noise.generator(seed)
    if not extra:
        return op
    own = copy.copy(op)
    own.state_extra = extra
    return own


def states(program, step_order, noise: list[Noise], seed: int) -> np.ndarray:
    """Initial states, (trials, S): drawn anew but for a trial as Nengo would have it.

    Parameters
    ----------
    seed : int
        Of the simulator, which tells networks from each other; not where a noise seed
        is given.
    """
    found = np.repeat(program.state[None], len(noise), axis=0)
    neurons = [op for op in step_order if isinstance(op, SimNeurons) and op.state_idxs]
    for trial, of in enumerate(noise):
        if of.native:
            continue
        for k, op in enumerate(neurons):
            rng = of.generator(seed if of.seed is None else 0, k)
            drawn = op.neurons.make_state(op.J.size, rng=rng, dtype=np.float64)
            for name, signal in op.state.items():
                constant, at = program.places[signal.base]
                region = region_of(signal)
                if not constant and region.whole:
                    at += region.start
                    found[trial, at : at + region.size] = np.ravel(drawn[name])
    return found
