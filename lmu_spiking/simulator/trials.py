"""Independent realisations of one network: their random numbers, and initial states.

The module stands alone because it is read alone: which noise a trial has, whatever the
program, decides whether results can be repeated.
"""

import copy
from typing import NamedTuple

import numpy as np
from nengo.builder.neurons import SimNeurons

from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.simulator.rows import region_of


class Noise(NamedTuple):
    """The random numbers of a trial.

    Attributes
    ----------
    trial : int
        Number of the trial among those of one seed.
    seed : int or None
        Seed in place of those of the network.
    """

    trial: int
    seed: int | None

    @property
    def native(self) -> bool:
        """Return whether the noise is as `nengo.Simulator` would have it."""
        return self.trial == 0 and self.seed is None

    def entropy(self, *more: int) -> np.random.SeedSequence:
        """Return the entropy of a part of this trial, which ``more`` numbers."""
        seed = 0 if self.seed is None else self.seed + 1
        # numpy ignores zeros at the end, so a 1 stands there
        return np.random.SeedSequence([seed, self.trial, *more, 1])

    def generator(self, *more: int) -> np.random.RandomState:
        """Return random numbers of a part of this trial, as Nengo takes them."""
        return np.random.RandomState(np.random.MT19937(self.entropy(*more)))


def noise_of(trials: int | None, noise_seed) -> list[Noise]:
    """Return the noise of each trial.

    Parameters
    ----------
    trials : int or None
        None for one.
    noise_seed : int, sequence of int, or None
        One for all, of which each trial has its own part, or one for each: that trial
        then is the single run with this seed.

    Returns
    -------
    list of Noise

    Raises
    ------
    ValidationError
        If there are not as many as trials, or one is no whole number from 0.
    """
    n, attribute = trials or 1, "Simulator.noise_seed"
    if noise_seed is None:
        return [Noise(trial, None) for trial in range(n)]
    if np.ndim(noise_seed) == 0:
        seed = check_whole(attribute, noise_seed, 0)
        return [Noise(trial, seed) for trial in range(n)]
    if len(noise_seed) != n:
        problem = f"must be one seed, or {n} of them"
        raise ValidationError(attribute, noise_seed, problem)
    return [Noise(0, check_whole(attribute, seed, 0)) for seed in noise_seed]


def draw_seeds(program, noise: list[Noise]) -> np.ndarray:
    """Return a seed for each trial and stream of random numbers.

    Unless a seed is given they come from the random state that Nengo gave the neurons.
    Populations of the same seed get different numbers nonetheless: equal noise would
    add up.

    Parameters
    ----------
    program : Program
    noise : list of Noise

    Returns
    -------
    (trials, streams) ndarray of uint64
    """
    seeds = np.zeros((len(noise), len(program.streams)), np.uint64)
    met: dict[bytes, int] = {}  # how often each seed was seen before
    for k, op in enumerate(program.streams):
        own = copy.deepcopy(op.state_extra["rng"]).randint(2**32, size=4, dtype="u4")
        again = met[own.tobytes()] = met.get(own.tobytes(), -1) + 1
        for trial, of in enumerate(noise):
            parts = [*map(int, own), again] if of.seed is None else [k]
            seeds[trial, k] = of.entropy(*parts).generate_state(1, "u8")[0]
    return seeds


def with_own_generator(op, noise: Noise):
    """Return an operator of neurons with random numbers that `reset` begins again.

    Parameters
    ----------
    op : nengo.builder.Operator
        Operator that Nengo steps.
    noise : Noise

    Returns
    -------
    nengo.builder.Operator
        A copy, or ``op`` where it has no random numbers.
    """
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


def draw_states(program, step_order, noise: list[Noise], seed: int) -> np.ndarray:
    """Return initial states, drawn anew but for a trial as Nengo would have it.

    Parameters
    ----------
    program : Program
    step_order : list of operators
    noise : list of Noise
    seed : int
        Seed of the simulator, which tells networks from each other; not used where a
        noise seed is given.

    Returns
    -------
    (trials, S) ndarray
    """
    states = np.repeat(program.state[None], len(noise), axis=0)
    neurons = [op for op in step_order if isinstance(op, SimNeurons) and op.state_idxs]
    for trial, of in enumerate(noise):
        if of.native:
            continue  # as Nengo has drawn them
        for k, op in enumerate(neurons):
            rng = of.generator(seed if of.seed is None else 0, k)
            drawn = op.neurons.make_state(op.J.size, rng=rng, dtype=np.float64)
            for name, signal in op.state.items():
                constant, at = program.places[signal.base]
                region = region_of(signal)
                if not constant and region.contiguous:
                    at += region.start
                    states[trial, at : at + region.size] = np.ravel(drawn[name])
    return states
