"""The figures of staggered neurons name and order all that their records have."""

import pytest

from lmu_spiking.experiments.figures import staggered


def labels(ax) -> list[str]:
    """Return what a legend of Axes would say."""
    return ax.get_legend_handles_labels()[1]


def test_each_kind_is_drawn_once_with_its_prediction():
    row = {"neurons": 600, "mean_nrmse": 0.1}
    rows = [
        row | {"kind": kind, "order": order}
        for kind in ("Poisson", "staggered if")
        for order in (2, 6)
    ]
    rows[2] |= {"predicted_noise_nrmse": 0.09, "bound_nrmse": 0.8}
    figure = staggered.staggered_figure({"kinds": rows})
    assert [ax.get_title("left") for ax in figure.axes] == ["d = 2", "d = 6"]
    drawn = ["Poisson", "staggered if", "staggered, predicted", "staggered, bound"]
    assert all(labels(ax) == drawn for ax in figure.axes)


def test_the_share_of_memories_ends_at_one():
    rows = [
        {"per_side": k, "share": k / 10, "feedback": "off", "worst": {"plain": k / 20}}
        for k in (1, 2, 3)
    ]
    points, distribution = staggered.bounds_figure({"memories": rows}).axes
    assert labels(points) == ["error feedback off"]
    assert max(distribution.lines[0].get_ydata()) == 1
    assert list(distribution.lines[0].get_xdata()) == [0.1, 0.2, 0.3]


def test_faults_stand_in_their_order_from_the_top():
    rows = [
        {"fault": fault, "size": size, "neurons": n, "feedback": "off", "last": 0.1}
        | {"predicted": said}
        for n in (600, 3000)
        for fault, size, said in (("none", 0.0, 0.1), ("lost spikes", 0.01, None))
    ]
    first, other = staggered.mismatch_figure({"faults": rows}).axes
    names = [label.get_text() for label in first.get_yticklabels()]
    assert names == ["none", "lost spikes 1 %"]
    for ax in (first, other):
        bottom, top = ax.get_ylim()
        assert bottom > top


@pytest.mark.parametrize(
    ("fault", "size", "name"),
    [
        ("none", 0.0, "none"),
        ("gain mismatch", 1e-4, "gain mismatch 0.01 %"),
        ("voltage noise", 0.01, "voltage noise 0.01 / √s"),
    ],
)
def test_a_fault_is_named_with_its_size(fault, size, name):
    assert staggered.name_of(fault, size) == name
