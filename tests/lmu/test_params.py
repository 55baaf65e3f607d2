import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.params import ACTIVATIONS, CellParams, LMUParams

CELL = {"order": 2, "theta": 0.1, "e_x": [[1.0]], "W_m": np.ones((3, 2))}


def test_the_papers_psmnist_cell_has_its_number_of_parameters():
    """102,027 with the readout (Voelker et al. 2019, section 3.2: "102K")."""
    cell = {"units": 212, "order": 256, "theta": 0.784}
    params = LMUParams.draw(1, 10, [cell])
    e, W = 1 + 212 + 256, 212 + 212**2 + 212 * 256
    assert params.n_params == e + W + 212 * 10 + 10 == 102_027


# -- how they are drawn ----------------------------------------------------------------


def test_encoders_are_lecun_uniform_and_kernels_xavier_normal():
    c = CellParams.draw(30, 200, 20, 0.1, memory_d=2, rng=1)
    for e, fan in ((c.e_x, 30), (c.e_h, 200)):
        assert 0.9 * np.sqrt(3 / fan) < np.abs(e).max() <= np.sqrt(3 / fan)
    for W in (c.W_x, c.W_h, c.W_m):
        expected = 2 / sum(W.shape)
        assert abs(W.mean()) < 4 * np.sqrt(expected / W.size)
        assert abs(W.var() / expected - 1) < 4 * np.sqrt(2 / W.size)
    assert not c.e_m.any()
    assert c.b is None and c.b_u is None


def test_a_connection_is_drawn_alike_whichever_others_are_there():
    whole = CellParams.draw(2, 3, 4, 0.1, rng=5).arrays()
    for name in ("e_h", "e_m", "W_x", "W_h"):
        part = CellParams.draw(2, 3, 4, 0.1, connections=name, rng=5).arrays()
        assert set(part) == {"e_x", "W_m", name}
        for key, array in part.items():
            np.testing.assert_array_equal(array, whole[key])


def test_a_seed_draws_all_cells_and_is_noted_down():
    cells = [{"units": 3, "order": 2, "theta": 0.1}] * 2
    one, twin, other = (
        LMUParams.draw(1, 2, cells, seed=s, task="x") for s in (1, 1, 2)
    )
    assert one.header == {"seed": 1, "task": "x"}
    assert one.cells[1].size_in == 3
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, twin.arrays()[name])
    assert np.any(one.D != other.D)
    assert np.any(one.cells[0].W_h != one.cells[1].W_h)


# -- what they are ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connections", "memory", "whole"),
    [
        ("", True, True),
        ("W_x", True, True),
        ("W_h", True, False),
        ("e_h", False, False),
        ("e_m", False, False),
    ],
)
def test_cells_without_recurrence_are_feedforward(connections, memory, whole):
    c = CellParams.draw(1, 2, 3, 0.1, connections=connections)
    assert (c.memory_is_feedforward, c.is_feedforward) == (memory, whole)
    params = LMUParams((c,), np.ones((1, 2)), [0.0])
    assert params.is_feedforward == whole


def test_sizes_are_those_of_the_arrays():
    c = CellParams.draw(2, 3, 4, 0.1, memory_d=5, bias=True)
    assert (c.size_in, c.units, c.order, c.memory_d) == (2, 3, 4, 5)
    assert (c.W_m.shape, c.e_m.shape, c.b.shape) == ((3, 20), (5, 20), (3,))
    params = LMUParams((c,), np.ones((6, 3)), np.zeros(6))
    assert (params.size_in, params.size_out) == (2, 6)
    assert set(params.arrays()) == {
        *(f"cell0.{n}" for n in ("e_x", "e_h", "e_m", "W_x", "W_h", "W_m", "b")),
        "readout.D",
        "readout.c",
    }


def test_arrays_are_their_own_and_cannot_be_written():
    W = np.ones((3, 2))
    W.flags.writeable = False
    e = np.ones((1, 1))
    c = CellParams(2, 0.1, e, W)
    e[:] = 7
    assert c.e_x[0, 0] == 1
    params = LMUParams([c], np.ones((1, 3)), [0])
    assert isinstance(params.cells, tuple)
    for array in params.arrays().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        c.order = 3


def test_updated_replaces_what_is_named(lmu):
    params = lmu("e_h", n_cells=2, header={"task": "x"})
    new = params.updated(
        {"cell1.b": np.ones(3), "cell0.theta": 0.5, "readout.c": [7, 8]}, epoch=1
    )
    assert (new.cells[0].theta, new.cells[1].theta) == (0.5, 0.01)
    assert new.header == {"task": "x", "epoch": 1}
    assert params.header == {"task": "x"}
    for name, array in params.arrays().items():
        wanted = {"cell1.b": np.ones(3), "readout.c": [7, 8]}.get(name, array)
        np.testing.assert_array_equal(new.arrays()[name], wanted)


# -- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": 0}, "CellParams.order: 0 must be a whole number of at least 1"),
        ({"order": True}, "CellParams.order: True must"),
        ({"theta": 0}, "CellParams.theta: 0 must be a positive number"),
        ({"theta": np.inf}, "CellParams.theta: inf must"),
        ({"activation": "relu6"}, "'relu6' is unknown; use one of tanh, relu, linear"),
        ({"e_x": [1.0]}, r"CellParams.e_x: \[1.0\] must be .* of shape \(k, c\)"),
        ({"e_x": np.ones((1, 0))}, "CellParams.e_x"),
        ({"e_x": [["a"]]}, "CellParams.e_x: .* must be finite numbers"),
        ({"e_x": [[1j]]}, "CellParams.e_x: .* must be finite numbers"),
        ({"e_x": [[np.nan]]}, r"CellParams.e_x: \[\[nan\]\] must be finite"),
        ({"order": 3}, r"W_m: .* of shape \(n, 3\)"),
        ({"e_h": np.ones((1, 2))}, r"e_h: \(1, 2\) must be .* of shape \(1, 3\)"),
        ({"e_m": np.ones((1, 3))}, r"e_m: \(1, 3\) must be .* of shape \(1, 2\)"),
        ({"W_x": np.ones(3)}, r"W_x: \(3,\) must be .* of shape \(3, 1\)"),
        ({"W_h": np.ones((3, 1))}, r"W_h: \(3, 1\) must be .* of shape \(3, 3\)"),
        ({"b": np.ones(2)}, r"b: \(2,\) must be .* of shape \(3,\)"),
        ({"b_u": 1.0}, r"b_u: 1.0 must be .* of shape \(1,\)"),
    ],
)
def test_cells_refuse_what_does_not_fit(changes, message):
    with pytest.raises(ValidationError, match=message):
        CellParams(**(CELL | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": ()}, "LMUParams.cells: .* must be one CellParams or more"),
        ({"cells": ["cell"]}, "LMUParams.cells: .* must be one CellParams or more"),
        ({"D": np.ones(3)}, r"LMUParams.D: \(3,\) must be .* \(q, 3\)"),
        ({"D": np.ones((0, 3))}, "LMUParams.D"),
        ({"c": [0.0]}, r"LMUParams.c: \[0.0\] must be .* of shape \(2,\)"),
        ({"dt": -1.0}, "LMUParams.dt: -1.0 must be a positive"),
        ({"header": None}, "LMUParams.header: None must be a dict"),
        ({"cells": (CellParams(**CELL),) * 2}, r"cells\[1\].e_x: .* 3 columns"),
    ],
)
def test_params_refuse_what_does_not_fit(changes, message):
    arguments = {"cells": [CellParams(**CELL)], "D": np.ones((2, 3)), "c": [0, 0]}
    with pytest.raises(ValidationError, match=message):
        LMUParams(**(arguments | changes))


def test_what_cannot_be_drawn_or_updated_is_refused(lmu):
    with pytest.raises(ValidationError, match=r"draw.connections: 'W_y' is unkno"):
        CellParams.draw(1, 2, 3, 0.1, connections="e_x W_y")
    with pytest.raises(ValidationError, match=r"draw.units: 0 must be a whole number"):
        CellParams.draw(1, 0, 3, 0.1)
    with pytest.raises(ValidationError, match=r"draw.cells: .* must not be empty"):
        LMUParams.draw(1, 2, [])
    for name in ("cell1.e_x", "cell0.e_h", "cell0.order", "D"):
        with pytest.raises(ValidationError, match="is not one of the parameters"):
            lmu("").updated({name: 1.0})
    assert ACTIVATIONS == ("tanh", "relu", "linear", "loihi-relu", "loihi-lif")


def test_mean_and_scale_come_together_and_fit_the_input():
    drawn = LMUParams.draw(2, 1, [{"units": 3, "order": 2, "theta": 0.1}])
    made = replace(drawn, mean=[1, 2], scale=[1, 3])
    assert made.updated({"readout.c": [5.0]}).scale.tolist() == [1, 3]
    assert made.n_params == drawn.n_params
    np.testing.assert_array_equal(made.normalised(np.array([[2.0, 8.0]])), [[1, 2]])
    assert drawn.folded() is drawn
    for wrong in (
        {"mean": [0, 0]},
        {"mean": [0, 0], "scale": [1, 0]},
        {"mean": [0], "scale": [1]},
    ):
        with pytest.raises(ValidationError, match=r"LMUParams\.(mean|scale)"):
            replace(drawn, **wrong)
