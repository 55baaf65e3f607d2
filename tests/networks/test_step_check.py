import nengo
import pytest

import lmu_spiking
from lmu_spiking import CellParams, LegendreMemory, LMUCell, ValidationError

SIMULATORS = [nengo.Simulator, lmu_spiking.Simulator]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_simulator_of_another_step_is_refused(simulator):
    with nengo.Network() as model, nengo.Network():
        LegendreMemory(12, order=2, theta=0.1, dt=0.0005)
    with pytest.raises(ValidationError, match=r"LegendreMemory.dt: 0.0005 .* 0.001 s"):
        simulator(model, progress_bar=False)
    with simulator(model, dt=0.0005, progress_bar=False) as sim:
        sim.run_steps(2)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_cells_keep_time_too(simulator):
    with nengo.Network() as model:
        LMUCell(CellParams.draw(1, 3, 2, 0.1, connections="e_x W_m"))
    with pytest.raises(ValidationError, match=r"simulator's step of 0\.002 s"):
        simulator(model, dt=0.002, progress_bar=False)


def test_steps_that_differ_by_rounding_are_equal():
    with nengo.Network() as model:
        LegendreMemory(12, order=2, theta=0.1, dt=0.1 / 100)
    with nengo.Simulator(model, dt=0.0001 * 10, progress_bar=False) as sim:
        sim.run_steps(2)
