import itertools
import warnings

import matplotlib
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from lmu_spiking import plots
from lmu_spiking.errors import ValidityWarning
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.plots import style
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.report import summarise
from lmu_spiking.studies.sweep import grid, sweep
from lmu_spiking.studies.trial import run_trial

SPEC = MemorySpec(n_neurons=60, order=3, theta=0.1)


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture(scope="module")
def exact():
    """A run of rate neurons: what is decoded is what the exact LDN holds."""
    return run_trial(SPEC.replace(neuron_type="rate"), white_noise(2, 0.001, 2, 0.5, 0))


@pytest.fixture(scope="module")
def result():
    return run_trial(SPEC, white_noise(2, 0.001, 2, 0.5, 0))


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    trials = grid(
        [1, 2],
        [20, 40],
        ["poisson", "lif"],
        2,
        MemorySpec(theta=0.1, dt=0.002, radii=2.0),
        0.5,
        taus=[0.03, 0.05],
    )
    with warnings.catch_warnings():  # of LIF neurons that are too few
        warnings.simplefilter("ignore", ValidityWarning)
        return summarise(sweep(trials, tmp_path_factory.mktemp("study")))


def line(ax, label):
    """Data of the line with this label: (2, n)."""
    (found,) = (line for line in ax.lines if line.get_label() == label)
    return np.array(found.get_data())


@pytest.mark.parametrize("n", [1, 3, 7])
def test_windows_lie_on_the_signal(ax, exact, n):
    assert plots.plot_window(ax, exact, n) is ax
    t, u = line(ax, "input")
    windows = [line for line in ax.lines if len(line.get_xdata()) == 200]
    assert len(windows) == n
    # order 3 holds 0.1 s of 2 Hz to a few thousandths
    for window in windows:
        at, w = window.get_data()
        assert np.abs(np.diff(at)).sum() == pytest.approx(0.1, abs=0.0011)
        inside = (at >= t[0]) & (at <= t[-1])
        assert np.abs(w - np.interp(at, t, u))[inside].max() < 0.02


def test_readout_lies_on_the_delayed_signal(ax, exact):
    assert plots.plot_readout(ax, exact) is ax
    t, delayed = line(ax, "input, delayed by θ")
    read = line(ax, "decoded from spikes")[1]
    later = slice(100, None)  # the noise begins with a jump
    assert np.abs(read - delayed)[later].max() < 0.02
    at = np.round(t / 0.001).astype(int) - 1
    np.testing.assert_array_equal(delayed, exact.signal[at - 100])


def test_error_is_in_the_band_of_the_law(ax, result):
    assert plots.plot_error(ax, result) is ax
    error = ax.lines[0].get_ydata()
    band = ax.patches[0].get_height() / 2
    assert band == pytest.approx(2 * result.predicted.readout_rmse(0.1)[0])
    assert np.mean(np.abs(error) < band) > 0.8


def test_error_over_the_window_is_that_of_the_row(ax, result):
    assert plots.plot_error_vs_delay(ax, result) is ax
    delay, error = line(ax, "vs exact LDN")
    assert delay[0] == pytest.approx(0.001)
    assert delay[-1] == pytest.approx(0.1)
    c = SPEC.ldn.readout(0.099, 0.001)
    ideal = (result.exact @ c)[101:]
    assert error[-1] == pytest.approx(
        result.row["noise_nrmse"] * np.sqrt(np.mean(ideal**2))
    )


@pytest.mark.parametrize("kind", ["poisson", "lif", "rate"])
@pytest.mark.parametrize("duration", [0.2, 2.0])
def test_run_figure_is_a_picture(kind, duration):
    signal = white_noise(duration, 0.001, 5, 0.5, 0)
    figure = plots.run_figure(run_trial(SPEC.replace(neuron_type=kind), signal))
    assert plots.png(figure).startswith(b"\x89PNG")


def test_a_memory_with_error_feedback_is_drawn_beside(ax):
    signal = white_noise(1.0, 0.001, 5, 0.5, 0)
    fed_back = SPEC.replace(n_neurons=SPEC.n_neurons // 2, error_feedback="auto")
    staggered = SPEC.replace(neuron_type="if")
    specs = (SPEC, fed_back, staggered)
    first, other, last = (run_trial(spec, signal) for spec in specs)
    figure = plots.run_figure(first, other, last)
    words = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert f"{last.row['neurons']:,} staggered" in words
    for row in (first.row, other.row):
        assert f"{row['nrmse']:.4f} ({row['predicted_nrmse']:.4f})" in words
    plots.plot_error_vs_delay(ax, first, others=[other])
    _, error = line(ax, f"{other.row['neurons']:,} fed back")
    c = SPEC.ldn.readout(0.099, 0.001)
    ideal = (other.exact @ c)[101:]
    assert error[-1] == pytest.approx(
        other.row["noise_nrmse"] * np.sqrt(np.mean(ideal**2))
    )


def test_neurons_are_on_logarithmic_axes(ax, summary):
    part = summary[(summary.neuron_type == "poisson") & (summary.tau == 0.05)]
    assert plots.plot_error_vs_neurons(ax, part) is ax
    assert ax.get_xscale() == ax.get_yscale() == "log"
    labels = ax.get_legend_handles_labels()[1]
    assert {"d = 1", "d = 2"} <= set(labels)
    assert ax.get_legend().get_title().get_text() == "dots measured,\nlines predicted"
    lines = [np.array(line.get_data()) for line in ax.lines if line.get_ls() == "-"]
    drawn = np.sort(np.concatenate([y for _, y in lines]))
    np.testing.assert_allclose(drawn, np.sort(part.predicted_state_rmse))


def falling(exponent, bend=0.0, noise=0.02, n=5):
    """A summary of one order, whose errors fall with neurons."""
    neurons = np.geomspace(100, 10_000, n).round()
    drawn = np.exp(noise * np.random.default_rng(3).standard_normal(n))
    error = neurons**exponent * drawn * np.exp(bend * np.log(neurons / 1000) ** 2)
    columns = {"neurons": neurons, "state_rmse": error, "order": 6}
    more = {name: error for name in ("state_rmse_low", "state_rmse_high")}
    predicted = {"predicted_state_rmse": neurons**exponent}
    return pandas.DataFrame(columns | more | predicted)


@pytest.mark.parametrize(
    ("exponent", "label"), [(-0.5, "slope −1/2"), (-1, "slope −1")]
)
def test_a_guide_stands_where_the_points_have_its_slope(ax, exponent, label):
    plots.plot_error_vs_neurons(ax, falling(exponent))
    x, y = np.log(line(ax, label))
    assert np.diff(y) / np.diff(x) == pytest.approx(exponent)


@pytest.mark.parametrize(
    "points",
    [falling(-0.75), falling(0.0), falling(-0.5, bend=0.4), falling(-0.5, n=2)],
)
def test_no_guide_is_drawn_where_there_is_no_such_power_law(ax, points):
    """Of another exponent, of none, rising again, or of too few points."""
    plots.plot_error_vs_neurons(ax, points)
    assert not any("slope" in text for text in ax.get_legend_handles_labels()[1])


@given(st.floats(-9, 9), st.floats(0.005, 12))
def test_ticks_can_be_read_at_every_range(start, decades):
    low, high = 10**start, 10 ** (start + decades)
    ticks = style.log_ticks(low, high)
    assert 1 <= len(ticks) <= 9
    assert np.all((ticks >= low * (1 - 1e-6)) & (ticks <= high * (1 + 1e-6)))
    assert np.all(np.diff(ticks) > 0)
    labels = [style.number(tick, ticks) for tick in ticks]
    assert len(set(labels)) == len(ticks)
    for tick, label in zip(ticks, labels, strict=True):
        plain = label.strip("$").replace("10^{", "1e").replace("}", "")
        plain = plain.replace("\\times1e", "e")
        assert float(plain) == pytest.approx(tick, rel=1e-3)


def test_a_pdf_is_the_same_whenever_it_is_drawn(summary):
    part = summary[(summary.neuron_type == "poisson") & (summary.tau == 0.05)]
    drawn = plots.study_figures(part)["error-vs-neurons"]
    data = plots.pdf(drawn)
    assert data.startswith(b"%PDF")
    assert data == plots.pdf(drawn)
    assert b"CreationDate" not in data
    assert b"Error of the state against the number of neurons" in data


def test_colours_stay_apart_for_the_colour_blind():
    """Simulated by Machado, Oliveira and Fernandes (2009), severity 1."""
    to_rgb = matplotlib.colors.to_rgb
    linear = [np.array(to_rgb(color)) ** 2.2 for color in style.COLORS]
    seen = {
        "protan": [
            [0.152, 1.053, -0.205],
            [0.115, 0.786, 0.099],
            [-0.004, -0.048, 1.052],
        ],
        "deutan": [
            [0.367, 0.861, -0.228],
            [0.280, 0.673, 0.047],
            [-0.012, 0.043, 0.969],
        ],
    }
    for matrix in seen.values():
        shown = [np.clip(np.array(matrix) @ each, 0, 1) ** (1 / 2.2) for each in linear]
        apart = [np.abs(a - b).max() for a, b in itertools.combinations(shown, 2)]
        assert min(apart) > 0.1


def test_spikes_are_drawn_by_neuron_type(ax, summary):
    part = summary[(summary.order == 2) & (summary.tau == 0.05)]
    assert plots.plot_error_vs_spikes(ax, part) is ax
    assert {"lif", "poisson"} <= set(ax.get_legend_handles_labels()[1])


def test_ratio_is_drawn_around_one(ax, summary):
    part = summary[(summary.neuron_type == "poisson") & (summary.tau == 0.05)]
    assert plots.plot_ratio(ax, part) is ax
    low, high = ax.get_ylim()
    assert low < 1 < high


def test_study_has_a_panel_for_each_combination(summary):
    figures = plots.study_figures(summary)
    assert set(figures) == set(plots.CAPTIONS)
    titles = [ax.get_title("left") for ax in figures["error-vs-neurons"].axes]
    assert [t for t in titles if t] == [
        "lif neurons, τ = 0.03 s",
        "lif neurons, τ = 0.05 s",
        "poisson neurons, τ = 0.03 s",
        "poisson neurons, τ = 0.05 s",
    ]
    assert all(plots.png(figure).startswith(b"\x89PNG") for figure in figures.values())


def test_memories_without_an_error_are_left_out(summary):
    exact = summary.assign(state_rmse=1e-15)
    assert plots.study_figures(exact) == {}
    part = exact.where(exact.neuron_type == "lif", summary)
    assert len(plots.study_figures(part)["error-vs-neurons"].axes) == 2


def test_study_without_a_law_has_no_ratio(summary):
    unknown = summary.columns[summary.columns.str.contains("predicted|ratio")]
    figures = plots.study_figures(summary.assign(**dict.fromkeys(unknown, np.nan)))
    assert "measured-over-predicted" not in figures


def test_colours_stay_with_their_order(summary):
    """An order that one panel lacks does not shift the colours of the others."""
    poisson = summary[summary.neuron_type == "poisson"]
    ragged = poisson[(poisson.order == 2) | (poisson.tau == 0.03)]
    left, right = plots.study_figures(ragged)["error-vs-neurons"].axes
    (second,) = (c for c in left.containers if c.get_label() == "d = 2")
    (only,) = right.containers
    assert only.get_label() == "d = 2"
    assert second.lines[0].get_color() == only.lines[0].get_color()


def test_saving_leaves_a_whole_picture_or_none(tmp_path, monkeypatch):
    figure = Figure()
    path = tmp_path / "new" / "picture.png"
    plots.save_figure(figure, path)
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")

    def broken(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(OSError, match="no space"):
        plots.save_figure(figure, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_global_settings_are_left_alone(result, summary):
    before = dict(matplotlib.rcParams)
    plots.png(plots.run_figure(result))
    plots.study_figures(summary)
    assert dict(matplotlib.rcParams) == before
