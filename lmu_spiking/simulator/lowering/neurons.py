"""Neuron types: parameters for the kernels of `rates`, `spiking` and `noise`."""

import nengo
import numpy as np

from lmu_spiking.neurons.types import PoissonPopulation, RampLinear, RampTanh
from lmu_spiking.simulator.lowering.context import Context
from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.regions import Region, region_of
from lmu_spiking.simulator.steps import Along, Step, Stream, Whole

SERIES = 0.1  # dt / tau_rc up to which the series of `spiking.lif` are exact


def lower_neurons(op, context: Context):
    """``neurons.step(dt, J, output, **state)``; known by their very ``step``."""
    rule = RULES.get(type(op.neurons).step)
    if rule is None:
        return None
    J, y = region_of(op.J), region_of(op.output)
    states = {name: region_of(signal) for name, signal in op.state.items()}
    if not all(r.whole for r in (J, y, *states.values())):
        return None
    if y.size == 0:
        return []
    return rule(op, context, J, y, states)


def _step(code, J: Region, y: Region, parameters, *states: Region, more=()) -> Step:
    """``y = f(J)`` with parameters, and states that change."""
    p = np.asarray(parameters, dtype=float)
    operands = [Along(y), Along(J), Whole(p), *(Along(s) for s in states), *more]
    return Step(
        code, y.size, operands, sets=[y], incs=list(states), reads=[J], along=True
    )


def _rectified(op, context, J, y, states):
    return [_step(Code.RECTIFIED, J, y, [op.neurons.amplitude])]


def _ramp(op, context, J, y, states):
    ceiling = np.broadcast_to(op.neurons.ceiling, y.size).astype(float)
    operands = [Along(y), Along(J), Along(ceiling)]
    return [Step(Code.RAMP, y.size, operands, sets=[y], reads=[J], along=True)]


def _ramp_tanh(op, context, J, y, states):
    return [_step(Code.RAMP_TANH, J, y, [op.neurons.ceiling])]


def _sigmoid(op, context, J, y, states):
    return [_step(Code.SIGMOID, J, y, [1 / op.neurons.tau_ref])]


def _tanh(op, context, J, y, states):
    return [_step(Code.TANH, J, y, [1 / op.neurons.tau_ref])]


def _membrane(n) -> list[float]:
    return [n.tau_rc, n.tau_ref, n.amplitude]


def _lif_rate(op, context, J, y, states):
    return [_step(Code.LIF_RATE, J, y, _membrane(op.neurons))]


def _adaptive_lif_rate(op, context, J, y, states):
    n = op.neurons
    parameters = [*_membrane(n), context.dt / n.tau_n, n.inc_n]
    adaptation = states["adaptation"]
    return [_step(Code.ADAPTIVE_LIF_RATE, J, y, parameters, adaptation)]


def _lif(op, context, J, y, states):
    n, dt = op.neurons, context.dt
    parameters = [dt, n.tau_rc, n.tau_ref, n.min_voltage, n.amplitude / dt]
    quick = context.single and dt / n.tau_rc <= SERIES
    code = Code.LIF if quick else Code.LIF_EXACT
    return [_step(code, J, y, parameters, states["voltage"], states["refractory_time"])]


def _adaptive_lif(op, context, J, y, states):
    n, adaptation = op.neurons, states["adaptation"]
    # the output's place serves for the current until the spikes are known
    operands = [Along(y), Along(J), Along(adaptation)]
    less = Step(
        Code.ADAPT, y.size, operands, sets=[y], reads=[J, adaptation], along=True
    )
    spikes = _lif(op, context, y, y, states)[0]
    parameters = np.array([context.dt / n.tau_n, n.inc_n])
    operands = [Along(y), Along(adaptation), Whole(parameters)]
    more = Step(
        Code.ADAPTED, y.size, operands, incs=[adaptation], reads=[y], along=True
    )
    return [less, spikes, more]


def _integrate(least):
    def rule(op, context, J, y, states):
        parameters = [context.dt, op.neurons.amplitude / context.dt, least]
        return [_step(Code.INTEGRATE, J, y, parameters, states["voltage"])]

    return rule


def _izhikevich(op, context, J, y, states):
    n, dt = op.neurons, context.dt
    parameters = [1000.0, dt, n.tau_recovery, n.coupling]
    parameters += [n.reset_voltage, n.reset_recovery, 1 / dt]
    recovery, voltage = states["recovery"], states["voltage"]
    return [_step(Code.IZHIKEVICH, J, y, parameters, voltage, recovery)]


def _thrown(op, context, code, J, y, more=()):
    context.streams.append(op)
    stream = Stream(len(context.streams) - 1)
    parameters = [context.dt, op.neurons.amplitude / context.dt]
    return [_step(code, J, y, parameters, more=(stream, *more))]


def _poisson(op, context, J, y, states):
    return _thrown(op, context, Code.POISSON, J, y)


def _stochastic(op, context, J, y, states):
    return _thrown(op, context, Code.STOCHASTIC, J, y)


def _population(op, context, J, y, states):
    counts = np.broadcast_to(op.neurons.counts, y.size).astype(float)
    return _thrown(op, context, Code.POISSON_EACH, J, y, [Along(counts)])


RULES = {
    nengo.RectifiedLinear.step: _rectified,
    nengo.SpikingRectifiedLinear.step: _integrate(0.0),
    nengo.Sigmoid.step: _sigmoid,
    nengo.Tanh.step: _tanh,
    nengo.LIFRate.step: _lif_rate,
    nengo.LIF.step: _lif,
    nengo.AdaptiveLIFRate.step: _adaptive_lif_rate,
    nengo.AdaptiveLIF.step: _adaptive_lif,
    nengo.Izhikevich.step: _izhikevich,
    nengo.RegularSpiking.step: _integrate(-np.inf),
    nengo.PoissonSpiking.step: _poisson,
    nengo.StochasticSpiking.step: _stochastic,
    RampLinear.step: _ramp,
    RampTanh.step: _ramp_tanh,
    PoissonPopulation.step: _population,
}
