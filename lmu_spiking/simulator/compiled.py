"""The compiled loop, with a word where it has to be compiled first."""

import sys
import threading

from lmu_spiking.simulator.kernels import machine
from lmu_spiking.simulator.kernels.algebra import first_nan as first_nan

PATIENCE = 1.5  # seconds after which it is not the cache that answers


def advance(*arguments) -> None:
    """`machine.advance`; says so where it takes long because nothing is cached yet."""
    if machine.advance.signatures:
        machine.advance(*arguments)
        return
    said = threading.Timer(PATIENCE, _say)
    said.daemon = True
    said.start()
    try:
        machine.advance(*arguments)
    finally:
        said.cancel()


def _say() -> None:
    print(
        "lmu_spiking: compiling the simulator's kernels, once on this machine"
        " (under a minute)",
        file=sys.stderr,
        flush=True,
    )
