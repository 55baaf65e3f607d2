"""Common parts of the networks: matrices, seeds, read-only attributes, the step."""

import inspect

import nengo
import numpy as np
from nengo.builder import Builder
from nengo.builder.network import build_network

from lmu_spiking.errors import ValidationError

DENSE = 2**16  # entries up to which the block-diagonal matrix itself is as quick


def place(network: nengo.Network, add_to_container: bool | None) -> None:
    """Add a network that is complete to its container, as `nengo.Network` would.

    Parameters
    ----------
    network : nengo.Network
    add_to_container : bool or None
        None to add it if there is a container.
    """
    if add_to_container is None:
        add_to_container = len(nengo.Network.context) > 0
    if add_to_container:
        nengo.Network.add(network)


def unused_seed(seed: int | None) -> int | None:
    """Return a seed for spikes that no ensemble of the model has yet.

    Nengo draws equal spikes from equal seeds, and noise that two memories share does
    not average out.

    Parameters
    ----------
    seed : int or None
        It is returned if it is unused; else others are drawn from it.

    Returns
    -------
    int or None
        None for None.
    """
    networks = nengo.Network.context
    used = {e.seed for network in networks for e in network.all_ensembles} - {None}
    draws = np.random.RandomState(seed)
    while seed in used:
        seed = int(draws.randint(2**31))
    return seed


def shared(weights, n: int):
    """Return a transform that applies the same weights to each of several parts.

    Parameters
    ----------
    weights : (q, p) array_like
    n : int
        Number of parts.

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
    kernel: dict = {"kernel_size": (1,), "strides": (1,), "padding": "valid"}
    return nengo.Convolution(q, (n, p), init=weights.T[None], **kernel)


def carry(source, target, weights: np.ndarray, copies: int, synapse=None):
    """Connect two nodes through a parameter array, the same for each of several copies.

    Parameters
    ----------
    source, target : nengo.Node
        A vector comes from one value, such as a constant.
    weights : (q, p) or (q,) ndarray
    copies : int
    synapse : nengo.synapses.Synapse or 0, optional

    Returns
    -------
    nengo.Connection
        In the current network.
    """
    if weights.ndim == 1:
        transform = np.tile(weights, copies)[:, None]
    else:
        transform = shared(weights, copies)
    return nengo.Connection(source, target, transform=transform, synapse=synapse)


def keeps_time(maker: str):
    """Return a class decorator: simulators refuse a network whose ``dt`` they lack.

    Nengo builds every object by the function that is registered for its class, or for
    the nearest base: this one looks at the clock, and then does as for any network.

    Parameters
    ----------
    maker : str
        Name of the class or function that takes the ``dt`` of such a network.

    Returns
    -------
    callable
        It returns the class itself.
    """

    def build(model, network, *args, **kwargs):
        if not np.isclose(model.dt, network.dt, rtol=1e-6, atol=0):
            problem = f"is not the simulator's step of {model.dt:g} s, at which "
            problem += "windows, leaks and delays would be others"
            own, other = network.dt, model.dt
            remedy = f"use Simulator(..., dt={own:g}) or {maker}(..., dt={other:g})"
            raise ValidationError(f"{maker}.dt", own, problem, remedy)
        return build_network(model, network, *args, **kwargs)

    def registered(cls):
        Builder.register(cls)(build)
        return cls

    return registered


class AsBuilt:
    """A network whose own attributes cannot be set or deleted after it is built.

    They describe how it was built; setting one would change the description and not
    the network.  Label, seed, and attributes that the user adds can be set.
    """

    def built(self, add_to_container: bool | None = False) -> None:
        """Make arguments, attributes and properties read-only from here on.

        Parameters
        ----------
        add_to_container : bool or None
            Whether it is then added to its container, see `place`.
        """
        kind = type(self)
        given = set(inspect.signature(kind.__init__).parameters)
        derived = {n for n in dir(kind) if isinstance(getattr(kind, n), property)}
        own = {name for name in vars(self) if not name.startswith("_")}
        # label, seed and what belongs to Nengo stay free
        nengos = set(dir(nengo.Network)) | {"self", "label", "seed", "add_to_container"}
        self._fixed = (given | derived | own) - (nengos - {"n_neurons"})
        place(self, add_to_container)

    def __setattr__(self, name: str, value) -> None:
        self._check_free(name, value, "set")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._check_free(name, self.__dict__.get(name), "deleted")
        super().__delattr__(name)

    def _check_free(self, name: str, value, done: str) -> None:
        """Raise a ValidationError for an attribute that says how it was built."""
        if name in self.__dict__.get("_fixed", ()):
            kind = type(self).__name__
            problem = f"cannot be {done} after the network is built"
            remedy = f"build another {kind} with this value"
            raise ValidationError(f"{kind}.{name}", value, problem, remedy)
