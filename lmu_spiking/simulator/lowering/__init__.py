"""Nengo's operators as steps of a program; what has none runs in Python."""

from nengo.builder.operator import TimeUpdate
from nengo.builder.probe import SimProbe

from lmu_spiking.simulator.lowering.algebra import ALGEBRA
from lmu_spiking.simulator.lowering.context import Context
from lmu_spiking.simulator.lowering.neurons import lower_neurons
from lmu_spiking.simulator.lowering.processes import LEARNING, lower_process
from lmu_spiking.simulator.regions import region_of
from lmu_spiking.simulator.steps import Node, Step

__all__ = ["Context", "in_python", "lower"]

NOTHING_TO_DO = (TimeUpdate, SimProbe)  # the loop itself does it
KNOWN = ALGEBRA | LEARNING | {"SimNeurons": lower_neurons, "SimProcess": lower_process}


def lower(op, context: Context) -> Node:
    """The steps of one operator.

    Operators are known by the very name of their class: what inherits from one may do
    something else.
    """
    if type(op) in NOTHING_TO_DO:
        return Node([op], [])
    known = type(op).__module__.startswith("nengo.")
    rule = KNOWN.get(type(op).__name__) if known else None
    steps = rule(op, context) if rule is not None else None
    return Node([op], [in_python(op)] if steps is None else steps)


def in_python(op) -> Step:
    """Return a step that calls Nengo's own step function."""

    def regions(signals):
        return [region_of(s) for s in signals if not s.sparse]

    written = regions([*op.incs, *op.updates])
    reads = regions(op.reads)
    return Step(None, 0, sets=regions(op.sets), incs=written, reads=reads, op=op)
