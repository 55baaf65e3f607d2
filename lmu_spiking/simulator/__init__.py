"""A compiled simulator for Nengo networks: `Simulator`, in `nengo.Simulator`'s place.

The network's operators become a table of integers (`program`), which one compiled loop
steps through (`kernels.machine`).
"""

# The map of this folder, in the order of a network's way through it:
#
#   targets         a simulator by name: compiled, or Nengo's own
#   simulator       Simulator: builds, resets, runs in blocks, pickles, closes
#   pure_functions  which Python functions may be called ahead of their step
#   lowering        each of Nengo's operators as rows of the program
#   matrix_products   rows for products with matrices, by their structure
#   rows              a row before its addresses are known; regions of signals
#   optimization    equal operators merged, zeros left out, gains folded in
#   schedule        the order of the rows; populations tile by tile
#   program         addresses, the table of integers, and what lies in the arenas
#   opcodes         operation codes, the layout of rows and of a call's frame
#   trials          random numbers and initial states of independent realisations
#   inputs          values from outside, computed ahead
#   records         samples of probes, which the loop writes
#   signal_views    Nengo's signals as views of the arenas; names of NaNs
#   stepper         calls of the loop, and of Python in between; NaNs; Ctrl-C
#   native          the loop as machine code on disk, loaded without numba
#   kernels/machine   the loop, and one function for each family of rows
#   kernels/algebra   sums, products and synapses
#   kernels/neurons   neurons without random numbers
#   kernels/noise     random spikes from a counter
#   kernels/views     slices that cost nothing
#
# Only `kernels` imports numba, and only where the machine code is yet to be compiled.

import importlib

__all__ = ["Simulator"]


def __getattr__(name: str):
    """Return `Simulator` when it is first asked for: its imports take a moment."""
    if name == "Simulator":
        return importlib.import_module("lmu_spiking.simulator.simulator").Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
