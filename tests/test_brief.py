"""Values on a prompt: one to three lines, whatever arrays they hold."""

import ast
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from lmu_spiking import (
    LDN,
    CellParams,
    LMUParams,
    MemorySpec,
    map_onto,
    predict,
    white_noise,
)
from lmu_spiking.brief import brief
from lmu_spiking.memory.design import design
from lmu_spiking.tasks import Part, Sequences
from lmu_spiking.training.loop import Trained

PACKAGE = Path(__file__).parents[1] / "lmu_spiking"
SPEC = MemorySpec(n_neurons=600, order=6, theta=0.5)
CELL = CellParams.draw(1, units=20, order=60, theta=0.1)
PARAMS = LMUParams((CELL,), D=np.zeros((3, 20)), c=np.zeros(3))
PART = Part(np.zeros((50, 700, 1)), np.zeros(50, int))
VALUES = {
    "budget": (
        lambda: predict(SPEC, duration=3.0),
        ["noise_nrmse=0.", "spikes_per_s=2", "sigma=array(6,)"],
    ),
    "cell": (lambda: CELL, ["units=20", "order=60", "theta=0.1", "W_m=array(20,60)"]),
    "params": (lambda: PARAMS, ["CellParams(size_in=1, units=20", "D=array(3,20)"]),
    "trained": (
        lambda: Trained(
            PARAMS,
            [{"epoch": k + 1, "loss": 0.125 / (k + 1)} for k in range(900)],
            2,
            3.0,
            "epochs",
            "jax",
        ),
        ["loss: 0.0625", "history=[900 of dict]"],
    ),
    "signal": (lambda: white_noise(2, 0.001, 2, 0.5, 0), ["array(2000,)", "dt=0.001"]),
    "task": (
        lambda: Sequences("mine", PART, PART, PART, 0.001, 2, True, "made up"),
        ["classes=2", "train=Part(x=array(50,700,1), y=array(50,))"],
    ),
    "design": (lambda: design(SPEC), ["n_neurons=600", "U=array(6,6)"]),
    "mapped": (lambda: map_onto(LDN(6, 0.5), 0.1, 0.001), ["A=array(6,6)"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_one_to_three_lines_with_what_a_user_asks_for(name):
    make, wanted = VALUES[name]
    said = repr(make())
    assert 1 <= len(said.splitlines()) <= 3
    assert max(map(len, said.splitlines())) <= 88
    flat = " ".join(said.split())
    assert all(words in flat for words in wanted), said


def test_every_dataclass_with_arrays_is_brief():
    """Those of the simulator, which knows nothing of ours, are no user's."""
    wordy = []
    for path in PACKAGE.rglob("*.py"):
        if "simulator" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            frozen = any("dataclass(" in ast.unparse(d) for d in node.decorator_list)
            body = [ast.unparse(line) for line in node.body]
            fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
            arrays = any("ndarray" in ast.unparse(n.annotation) for n in fields)
            if frozen and arrays and "__repr__ = brief" not in body:
                wordy.append(f"{path.name}: {node.name}")
    assert wordy == []


@dataclass(frozen=True, eq=False)
class Own:
    many: list
    table: dict = field(default_factory=dict)
    inner: object = None

    __repr__ = brief
    _told = ("fails", "doubled")

    @property
    def fails(self):
        raise RuntimeError

    def doubled(self):
        return 2.0 * len(self.many)


def test_lists_tables_and_what_fails_are_cut_short():
    inner = Own([1, 2])
    said = repr(Own([np.zeros(3)] * 9, {k: k for k in range(20)}, inner))
    assert said == (
        "Own(fails=None, doubled=18, many=[9 of ndarray], table={20 entries},\n"
        "    inner=Own(fails=None, doubled=4))"
    )
    assert "array(2,2)" in repr(Own([np.ones((2, 2))]))
    assert len(repr(Own(["x" * 500, "y" * 500])).splitlines()) <= 3
