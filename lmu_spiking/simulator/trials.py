"""Independent realisations of one network: their states, and their random numbers."""

import copy

import numpy as np
from nengo.builder.neurons import SimNeurons

from lmu_spiking.simulator.regions import region_of


def entropy(noise_seed: int | None, *words: int) -> np.random.SeedSequence:
    """What random numbers come from; numpy takes zeros at the end for nothing."""
    return np.random.SeedSequence([0 if noise_seed is None else noise_seed + 1, *words])


def generator(noise_seed: int | None, *words: int) -> np.random.RandomState:
    """Random numbers as Nengo takes them; ``words`` in front of others give others."""
    sequence = entropy(noise_seed, *words, 1)
    return np.random.RandomState(np.random.MT19937(sequence))


def seeds(program, trials: int, noise_seed: int | None) -> np.ndarray:
    """A seed for each trial and stream, (trials, streams) uint64.

    They come from the random state that Nengo gave the neurons.  Populations of the
    same seed get different numbers nonetheless: equal noise would add up.
    """
    found = np.zeros((trials, len(program.streams)), np.uint64)
    met: dict[bytes, int] = {}
    for k, op in enumerate(program.streams):
        own = copy.deepcopy(op.state_extra["rng"]).randint(2**32, size=4, dtype="u4")
        again = met[own.tobytes()] = met.get(own.tobytes(), -1) + 1
        for trial in range(trials):
            words = entropy(noise_seed, *map(int, own), again, trial)
            found[trial, k] = words.generate_state(1, "u8")[0]
    return found


def with_own_generator(op, trial: int, noise_seed: int | None):
    """Neurons that Nengo steps, with random numbers that a `reset` begins again."""
    extra = dict(getattr(op, "state_extra", {}))
    for name, rng in extra.items():
        if not isinstance(rng, np.random.RandomState):
            continue
        extra[name] = copy.deepcopy(rng)
        if trial or noise_seed is not None:
            seed = int(extra[name].randint(2**32, dtype="u4"))
            extra[name] = generator(noise_seed, seed, trial)
    if not extra:
        return op
    own = copy.copy(op)
    own.state_extra = extra
    return own


def states(program, step_order, trials: int, seed: int, noise_seed: int | None):
    """Initial states, (trials, S): neurons of all trials but the first begin anew.

    Without a ``noise_seed`` the first begins as `nengo.Simulator` would.  The ``seed``
    of the simulator tells networks from each other.
    """
    found = np.repeat(program.state[None], trials, axis=0)
    neurons = [op for op in step_order if isinstance(op, SimNeurons) and op.state_idxs]
    for trial in range(trials):
        if trial == 0 and noise_seed is None:
            continue
        for k, op in enumerate(neurons):
            rng = generator(noise_seed, seed, trial, k)
            drawn = op.neurons.make_state(op.J.size, rng=rng, dtype=np.float64)
            for name, signal in op.state.items():
                constant, at = program.places[signal.base]
                region = region_of(signal)
                if not constant and region.whole:
                    at += region.start
                    found[trial, at : at + region.size] = np.ravel(drawn[name])
    return found
