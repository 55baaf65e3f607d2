import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from lmu_spiking.studies.page import error_table, exponent_table
from lmu_spiking.studies.report import (
    exponents,
    summarise,
    within_intervals,
    write_report,
)


def trials(n=5, spread=0.1, seed=0, kinds=("poisson",), taus=(0.1,), ratio=1.0):
    """Trials of a known law: ``order^0.7 neurons^-0.5``, log-normal about it."""
    rng = np.random.RandomState(seed)
    rows = []
    for kind in kinds:
        for tau in taus:
            for order in (3, 6):
                for neurons in (60, 600, 6000):
                    law = order**0.7 * neurons**-0.5
                    for _ in range(n):
                        error = law * ratio * np.exp(spread * rng.randn())
                        known = law if kind == "poisson" else np.nan
                        rows.append(
                            {
                                "neuron_type": kind,
                                "order": order,
                                "neurons": neurons,
                                "tau": tau,
                                "max_rate": 300.0,
                                "spikes_per_s": 30.0 * neurons,
                                "state_rmse": error,
                                "predicted_state_rmse": known,
                                "noise_nrmse": 2 * error,
                                "predicted_noise_nrmse": 2 * known,
                                "aggregated": False,
                                "theta": 0.5,
                                "dt": 0.001,
                                "duration": 20.0,
                                "bandwidth": 2.0,
                                "rms": 0.5,
                                "versions.nengo": "4.1.0",
                            }
                        )
    return pd.DataFrame(rows)


def test_summary_is_the_root_mean_square_over_trials():
    frame = trials()
    summary = summarise(frame)
    assert len(summary) == 6
    assert (summary.trials == 5).all()
    one = frame[(frame.order == 3) & (frame.neurons == 60)]
    row = summary[(summary.order == 3) & (summary.neurons == 60)].iloc[0]
    assert row.state_rmse == pytest.approx(np.sqrt(np.mean(one.state_rmse**2)))
    assert row.predicted_state_rmse == pytest.approx(one.predicted_state_rmse.iloc[0])
    assert row.noise_nrmse == pytest.approx(2 * row.state_rmse)
    assert row.neurons_per_dimension == 20
    assert row.spikes_per_s == 1800


def test_ratio_is_measured_over_predicted():
    summary = summarise(trials(spread=1e-6, ratio=1.25))
    assert summary.state_rmse_ratio.to_numpy() == pytest.approx(1.25, rel=1e-4)
    assert summary.noise_nrmse_ratio.to_numpy() == pytest.approx(1.25, rel=1e-4)


def test_interval_holds_the_truth_in_95_of_100():
    # of log-normal errors the root mean square is exp(spread^2) times the law
    summary = pd.concat(summarise(trials(8, seed=seed)) for seed in range(60))
    truth = summary.predicted_state_rmse * np.exp(0.1**2)
    held = ((summary.state_rmse_low < truth) & (truth < summary.state_rmse_high)).mean()
    assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / len(summary)) + 0.005


def test_one_trial_has_no_interval():
    summary = summarise(trials(1))
    assert summary.state_rmse.notna().all()
    assert summary.state_rmse_low.isna().all()
    assert "[" not in error_table(summary).to_string()


def test_exponents_are_those_of_the_law():
    fits = exponents(trials(spread=1e-6))
    assert list(fits["at"]) == [
        *("order 3", "order 6"),
        *("60 neurons", "600 neurons", "6000 neurons"),
    ]
    assert list(fits.against) == ["neurons"] * 2 + ["order"] * 3
    assert list(fits.trials) == [15, 15, 10, 10, 10]
    truth = [-0.5, -0.5, 0.7, 0.7, 0.7]
    assert fits.exponent.to_numpy() == pytest.approx(truth, abs=1e-5)
    assert fits.predicted.to_numpy() == pytest.approx(truth, abs=1e-12)


def test_exponents_against_order_at_neurons_per_dimension():
    frame = trials(spread=1e-6)
    frame["neurons"] = frame.neurons * frame.order
    fits = exponents(frame)
    held = fits[fits["at"].str.endswith("a dimension")]
    assert len(held) == 3
    assert held.exponent.to_numpy() == pytest.approx(0.7, abs=1e-5)


def test_interval_of_exponents_holds_the_law():
    fits = pd.concat(exponents(trials(seed=seed)) for seed in range(60))
    fits = fits[fits.against == "neurons"]
    held = ((fits.low < -0.5) & (-0.5 < fits.high)).mean()
    assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / len(fits))


def test_neurons_without_a_law_have_measurements_alone():
    frame = trials(kinds=("poisson", "lif"), taus=(0.05, 0.1))
    summary, fits = summarise(frame), exponents(frame)
    assert len(summary) == 24
    lif = summary[summary.neuron_type == "lif"]
    assert lif.state_rmse_high.notna().all()
    assert lif.state_rmse_ratio.isna().all()
    assert fits[fits.neuron_type == "lif"].predicted.isna().all()
    assert fits[fits.neuron_type == "lif"].exponent.notna().all()
    assert "τ (s)" in exponent_table(fits)
    assert "τ (s)" not in exponent_table(exponents(trials()))


def test_errors_of_zero_have_no_exponent():
    frame = trials()
    frame["state_rmse"] = frame["predicted_state_rmse"] = 0.0
    assert exponents(frame).exponent.isna().all()
    assert summarise(frame).state_rmse_ratio.isna().all()


def test_too_few_trials_have_no_exponents():
    frame = trials(1)
    assert exponents(frame[frame.neurons == 60]).empty
    assert "exponent" in exponents(frame[frame.neurons == 60])


class Page(HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.rows = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.sources += [attributes[k] for k in ("src", "href") if k in attributes]
        self.rows += tag == "tr"
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("n", [1, 3])
def test_report_is_one_page_that_needs_nothing(tmp_path, n, monkeypatch):
    head = b"\x89PNG" + bytes(30)  # the next test draws
    monkeypatch.setattr("lmu_spiking.plots.png", lambda figure: head)
    frame = trials(n, kinds=("poisson", "lif"))
    files = write_report(frame, tmp_path / "new", "lmu-spiking study --out '<b>'")
    text = files["report.html"].read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert len(page.sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not re.search(r"https?://|url\(|<script|@import", text)
    assert "lmu-spiking study --out &#x27;&lt;b&gt;&#x27;" in text
    assert "nengo 4.1.0" in text
    assert page.rows > 12 + len(exponents(frame))


def test_report_writes_tables_and_figures(tmp_path):
    frame = trials()
    files = write_report(frame, tmp_path, "command")
    assert set(tmp_path.glob("[!.]*")) == set(files.values())
    kept = pd.read_parquet(files["trials.parquet"])
    pd.testing.assert_frame_equal(kept, frame)
    kept = pd.read_parquet(files["summary.parquet"])
    pd.testing.assert_frame_equal(kept, summarise(frame))
    pictures = [path for name, path in files.items() if name.endswith(".png")]
    assert len(pictures) == 3
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_counts_the_trials_within_their_intervals():
    frame = trials(n=1)[:4]
    assert within_intervals(frame) == (0, 0)  # of a version without intervals
    frame["predicted_noise_nrmse_low"] = 0.9 * frame.noise_nrmse
    frame["predicted_noise_nrmse_high"] = 1.1 * frame.noise_nrmse
    assert within_intervals(frame) == (4, 4)
    frame.loc[frame.index[0], "predicted_noise_nrmse_high"] /= 2
    frame.loc[frame.index[1], "predicted_noise_nrmse_low"] = np.nan
    frame.loc[frame.index[1], "predicted_noise_nrmse_high"] = np.nan
    assert within_intervals(frame) == (2, 3)
