"""Independent realisations of one network: their states, and their random numbers."""

import copy

import numpy as np
from nengo.builder.neurons import SimNeurons

from lmu_spiking.simulator.regions import region_of


def generator(seed: int, trial: int, noise_seed: int | None) -> np.random.RandomState:
    """Random numbers of a trial, as Nengo takes them."""
    entropy = [seed, trial] if noise_seed is None else [seed, trial, noise_seed]
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(entropy)))


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
            entropy = [*map(int, own), again, trial]
            if noise_seed is not None:
                entropy.append(noise_seed)
            found[trial, k] = np.random.SeedSequence(entropy).generate_state(1, "u8")[0]
    return found


def states(program, step_order, trials: int, noise_seed: int | None) -> np.ndarray:
    """Initial states, (trials, S): neurons of all trials but the first begin anew.

    Without a ``noise_seed`` the first begins as `nengo.Simulator` would.
    """
    found = np.repeat(program.state[None], trials, axis=0)
    neurons = [op for op in step_order if isinstance(op, SimNeurons) and op.state_idxs]
    for trial in range(trials):
        if trial == 0 and noise_seed is None:
            continue
        for k, op in enumerate(neurons):
            entropy = [trial, k] + ([] if noise_seed is None else [noise_seed])
            rng = np.random.RandomState(
                np.random.MT19937(np.random.SeedSequence(entropy))
            )
            drawn = op.neurons.make_state(op.J.size, rng=rng, dtype=np.float64)
            for name, signal in op.state.items():
                constant, at = program.places[signal.base]
                region = region_of(signal)
                if not constant and region.whole:
                    at += region.start
                    found[trial, at : at + region.size] = np.ravel(drawn[name])
    return found
