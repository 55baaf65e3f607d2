"""The simulators that are compared, and what each takes to be here."""

import os
from dataclasses import dataclass

from lmu_spiking.errors import ValidationError

TRIALS = 32  # of our simulator, side by side on all cores


@dataclass(frozen=True)
class Peer:
    """A simulator to be timed.

    Attributes
    ----------
    name : str
        As in ``--peers``.
    module : str
        Of `peers`, that builds and runs a case.
    install : str
        What brings it.
    variants : tuple of (int, int)
        Threads (0 for all cores) and trials, each of which is a row.
    """

    name: str
    module: str
    install: str
    variants: tuple[tuple[int, int], ...] = ((1, 1),)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("nengo", "core", "pip install nengo"),
        Peer(
            "lmu_spiking",
            "compiled",
            "install lmu_spiking again, with numba",
            ((1, 1), (0, TRIALS)),
        ),
        Peer(
            "nengo_dl",
            "dl",
            "pip install 'lmu_spiking[train]'",
            ((1, 1), (0, 1)),
        ),
        Peer(
            "nengo_ocl",
            "ocl",
            "pip install nengo-ocl 'pyopencl[pocl]' 'scipy<1.12' 'numpy<2'",
            ((1, 1), (0, 1)),
        ),
        Peer(
            "brian2",
            "brian",
            "pip install brian2 'numpy<2.3' setuptools, with g++ and make",
            ((1, 1), (0, 1)),
        ),
        Peer("c", "limit", "install a C compiler, cc"),
    )
}


def cores() -> int:
    """Cores that this process may use."""
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 1)
    )


def chosen(names) -> list[Peer]:
    """The simulators of these names; Nengo, which ratios are to, before all others.

    Raises
    ------
    ValidationError
        If there is none of that name.
    """
    for name in names:
        if name not in PEERS:
            known = ", ".join(PEERS)
            raise ValidationError("--peers", name, "is unknown", f"use some of {known}")
    return [peer for name, peer in PEERS.items() if name in names]


def interpreters(given) -> dict[str, str]:
    """``PEER=PATH`` as a dict; see ``--python``."""
    found = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or name not in PEERS:
            problem = "must be PEER=PATH, the interpreter that has a peer"
            raise ValidationError("--python", text, problem)
        if not os.access(path, os.X_OK):
            raise ValidationError("--python", path, "is no program that can be run")
        found[name] = os.path.abspath(os.path.expanduser(path))
    return found
