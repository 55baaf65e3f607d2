import pytest

from lmu_spiking import plots
from lmu_spiking.experiments.figures import learning


def new_ax():
    return plots.style.new_figure(4, 3).subplots()


def trainings():
    return [
        {"recipe": name, "start": start, "path": [start, 0.2 + e], "error": e}
        for name, e in (("coarse to fine", 1e-3), ("plain", 2.0))
        for start in (0.05, 0.8)
    ]


def long_rows():
    common = {"activation": "linear", "projected": "every batch"}
    rows = [
        common
        | {"steps": n, "nrmse": 0.02, "seconds_per_epoch": 1e-4 * n, "bytes": 3e3 * n}
        for n in (1000, 10_000, 100_000)
    ]
    rows[0] |= {"lstm_nrmse": 1.0, "lstm_seconds_per_epoch": 9.0}
    return rows


def nonlinear_rows():
    return [
        {"task": task, "steps": n, "value": v, "linear": 0.5, "chance": 0.5}
        for task, v in (("events", 1.0), ("product", 0.05))
        for n in (100, 1000)
        for _ in range(2)
    ]


def layer_rows():
    learned = [
        {"way": "learned", "nrmse": 0.1, "path": [[0.4, 0.4], [0.1, slow]]}
        for slow in (1.5, 1.7)
    ]
    return [*learned, {"way": "fixed, kernels trained", "nrmse": 0.7}]


def rate_rows():
    return [
        {"task": task, "model": model, "factor": factor, "value": 0.9}
        for task in ("ecg", "spoken")
        for model in ("LMU", "LSTM, as it is")
        for factor in (0.5, 1, 2)
    ]


def spiking():
    return [
        {
            "presentation": p,
            "n_neurons": n,
            "rate_accuracy": 0.98,
            "spiking_accuracy": 0.98 - 100 / n,
            "loss": 100 / n,
            "predicted_loss": 90 / n,
            "predicted_spread": 0.002,
        }
        for p in (0.001, 0.01)
        for n in (10_000, 100_000)
    ]


def step_rows(name):
    return [{"step": s, name: 0.9} for s in ("half", "as trained", "double")]


def result():
    curves = [
        {"model": m, "seconds": s, "value": 0.1 * s}
        for m in ("LMU", "LSTM")
        for s in (1, 5)
    ]
    inference = [
        {"model": m, "way": "numpy, a step", "batch": b, "seconds_per_step": 1e-6 * b}
        for m in ("LMU", "LSTM")
        for b in (1, 100)
    ]
    return {
        "task": "psmnist",
        "metric": "accuracy",
        "chance": 0.1,
        "params": 1000,
        "lstm_params": 990,
        "curves": curves,
        "inference": inference,
    }


def test_paths_start_where_the_training_did():
    ax = learning.plot_theta_paths(new_ax(), trainings(), "plain", 0.2)
    starts = [line.get_ydata()[0] for line in ax.lines]
    assert starts == [0.05, 0.8, 0.2]


def test_lengths_show_every_point_and_no_lstm_that_has_not_converged():
    ax = learning.plot_lengths(new_ax(), long_rows(), "nrmse", "NRMSE")
    lines = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert lines == {"linear, projected every batch": [0.02] * 3}


def test_curves_are_the_lmus_alone():
    ax = learning.plot_curves(new_ax(), result())
    assert [text.split(",")[0] for text in ax.get_legend_handles_labels()[1]] == [
        "LMU",
        "chance",
    ]


def test_the_law_is_a_line_and_spikes_are_points():
    ax = learning.plot_accuracy(new_ax(), spiking(), [{"rate_accuracy": 0.98}])
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert list(lines["1 ms a pixel, predicted"]) == pytest.approx([97.1, 97.91])


def test_inference_is_per_sequence():
    ax = learning.plot_inference(new_ax(), [result()])
    drawn = [x for line in ax.lines for x in line.get_xdata()]
    assert drawn == pytest.approx([1.0] * 4)
    assert ax.get_legend_handles_labels()[1] == ["LMU", "LSTM"]


def spiking_psmnist():
    same = {"model": "small", "neuron_type": "if", "presentation": 0.001}
    same |= {"rate_accuracy": 0.98, "loss_low": 0.01, "loss_high": 0.03}
    return [
        same
        | {"memory_neurons": m, "spikes_per_inference": 100 * m, "predicted_loss": lost}
        | {"spiking_accuracy": 0.96}
        for m, lost in ((10_000, 0.01), (5000, 0.03))
    ]


def test_psmnist_shows_what_was_predicted_beside_what_was_measured():
    rows = spiking_psmnist()
    ax = learning.plot_spiking_errors(new_ax(), rows, "memory_neurons", "m")
    measured, predicted = ax.lines[0], ax.lines[-1]
    assert list(measured.get_xdata()) == [5000, 10_000]
    assert list(measured.get_ydata()) == pytest.approx([4, 4])
    assert list(predicted.get_ydata()) == pytest.approx([5, 3])


def rival_rows():
    """Return rows of two models, the first of two seeds, and of one in closed form."""
    return [
        {
            "model": name,
            "history": [
                {"epochs": e, "valid_nrmse": 0.1 / e, "valid_accuracy": 1 - 0.5 / e}
                for e in epochs
            ],
        }
        for name, epochs in (("a", [1, 2]), ("a", [1, 2]), ("b", [2, 5]), ("c", []))
    ]


def test_rivals_have_a_line_of_each_seed_and_one_name():
    (ax,) = learning.rivals_figure(rival_rows(), "valid_nrmse", "error").axes
    drawn = [list(line.get_ydata()) for line in ax.lines]
    assert drawn == [[0.1, 0.05], [0.1, 0.05], [0.05, 0.02]]
    assert ax.get_legend_handles_labels()[1] == ["a", "b"]
    (ax,) = learning.rivals_figure(rival_rows(), "valid_accuracy", "error, %").axes
    assert list(ax.lines[2].get_ydata()) == pytest.approx([25, 10])


def test_both_windows_are_drawn_from_one_start():
    ax = learning.plot_layers(new_ax(), layer_rows()[:2], (0.1, 1.6))
    paths = [list(line.get_ydata()) for line in ax.lines if line.get_ls() == "-"]
    assert paths == [[0.4, 0.1], [0.4, 0.1], [0.4, 1.5], [0.4, 1.7]]
    assert ax.get_legend_handles_labels()[1] == ["first cell", "second cell"]


def test_an_lstm_that_was_not_run_leaves_its_place():
    figure = learning.nonlinear_figure(nonlinear_rows(), nonlinear_rows()[:4])
    with_it, without = (len(ax.containers) for ax in figure.axes)
    assert (with_it, without) == (3, 2)


def test_figures_are_pictures():
    exponents = {"seconds_per_epoch": 1.0, "bytes": 1.0}
    for figure in (
        learning.theta_figure(trainings(), 0.2),
        learning.length_figure(long_rows(), exponents),
        learning.digits_figure(spiking(), [{"rate_accuracy": 0.98}]),
        learning.invariance_figure(
            step_rows("rate_accuracy"), step_rows("spiking_accuracy")
        ),
        learning.cost_figure([result()]),
        learning.psmnist_figure(
            spiking_psmnist(),
            [dict(model="small", images="warps", permutation=0, accuracy=0.98)],
            {"another": 97.9},
        ),
        learning.nonlinear_figure(nonlinear_rows(), nonlinear_rows()),
        learning.layers_figure(layer_rows(), (0.1, 1.6)),
        learning.rates_figure(rate_rows()),
        learning.rivals_figure(rival_rows(), "valid_nrmse", "error"),
    ):
        assert plots.png(figure).startswith(b"\x89PNG")
