"""One matrix for many parts of a vector: inputs, memories, samples side by side."""

import nengo
import numpy as np

DENSE = 2**16  # entries up to which the block-diagonal matrix itself is as quick


def place(network: nengo.Network, add_to_container: bool | None) -> None:
    """Add a network that is complete to its container, as `nengo.Network` would."""
    if add_to_container is None:
        add_to_container = len(nengo.Network.context) > 0
    if add_to_container:
        nengo.Network.add(network)


def unused_seed(seed: int | None) -> int | None:
    """A seed of spikes, or one drawn from it where the model that is built has it.

    Nengo draws equal spikes from equal seeds, and noise that two memories share does
    not average out.
    """
    networks = nengo.Network.context
    used = {e.seed for network in networks for e in network.all_ensembles} - {None}
    draws = np.random.RandomState(seed)
    while seed in used:
        seed = int(draws.randint(2**31))
    return seed


def shared(weights, n: int):
    """A transform that applies ``weights`` to each of ``n`` parts alike.

    Parameters
    ----------
    weights : (q, p) array_like
    n : int

    Returns
    -------
    (n q, n p) ndarray or nengo.Convolution
        Block-diagonal; where that is large, a convolution of kernel 1 over the parts,
        in O(n q p).
    """
    weights = np.asarray(weights, dtype=float)
    if n == 1 or weights.size * n**2 <= DENSE:
        return np.kron(np.eye(n), weights)
    q, p = weights.shape
    return nengo.Convolution(
        n_filters=q,
        input_shape=(n, p),
        kernel_size=(1,),
        strides=(1,),
        padding="valid",
        init=weights.T[None],
    )
