"""Learning rules; those without a rule here run as Nengo runs them."""

import numpy as np

from lmu_spiking.simulator.lowering.context import Context
from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.regions import region_of
from lmu_spiking.simulator.steps import Pair, Step, Whole


def pes(op, context: Context):
    """``delta = -(learning_rate dt / n) error x activities``."""
    a, b, y = (region_of(s) for s in (op.error, op.pre_filtered, op.delta))
    if not (a.whole and b.whole and y.whole) or y.size != a.size * b.size:
        return None
    alpha = -op.learning_rate * context.dt / op.pre_filtered.shape[0]
    operands = [
        Whole(y),
        Whole(np.array([alpha])),
        Whole(a),
        Whole(b),
        Pair(a.size, b.size),
    ]
    return [Step(Code.OUTER, 1, operands, sets=[y], reads=[a, b])]


LEARNING = {"SimPES": pes}
