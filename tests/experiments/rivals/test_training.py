import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.rivals import (
    fit,
    hybrid_model,
    late_gain,
    recurrent_model,
    training,
)
from lmu_spiking.tasks.sequences import Part, Sequences


def task(steps=24, classes=None):
    """Echo of the step before, or the sign of the first sample."""
    rng, parts = np.random.RandomState(0), []
    for n in (40, 10, 10):
        x = rng.uniform(-1, 1, (n, steps, 1))
        echo = np.concatenate([np.zeros((n, 1, 1)), x[:, :-1]], axis=1)
        parts.append(Part(x, (x[:, 0, 0] > 0).astype(int) if classes else echo))
    return Sequences("echo", *parts, 0.001, classes, bool(classes), "drawn")


def test_each_gradient_is_clipped_by_its_own_norm():
    slopes = {"long": np.float32([3, 4]), "short": np.float32([0.3]), "none": [0.0]}
    clipped, _ = training._clipped_each(1.0).update(slopes, None)
    np.testing.assert_allclose(clipped["long"], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(clipped["short"], [0.3], rtol=1e-6)
    assert clipped["none"] == [0.0]


@pytest.fixture
def clock(monkeypatch):
    """A tenth of a second from look to look."""
    ticks = itertools.count()
    look = SimpleNamespace(perf_counter=lambda: next(ticks) / 10)
    monkeypatch.setattr(training, "time", look)


def test_each_limit_gives_its_best(clock):
    data = task()
    options = {"order": 4, "theta": 6, "units": 8, "layers": (6,)}
    model = hybrid_model(1, 1, **options)
    first, second = fit(model, data, (0.35, 1.05), batch=8, piece=12)
    assert (first.updates, second.updates) == (3, 7)
    assert second.history[: len(first.history)] == first.history
    assert second.outputs.shape == data.test.y.shape
    assert second.test < 1.2
    assert second.history[-1]["seconds"] <= second.seconds
    assert "valid_nrmse" in second.history[0]


def test_classes_are_read_at_the_end(clock):
    (only,) = fit(
        recurrent_model("lstm", 1, 2, (4,), last=True), task(classes=2), (0.1,), batch=8
    )
    assert (only.updates, only.outputs.shape) == (2, (10, 2))
    assert only.history[0].keys() >= {"valid_accuracy", "loss"}


def test_digits_trained_on_are_not_called_validation(clock):
    data = task(classes=2).merged()
    (only,) = fit(recurrent_model("lstm", 1, 2, (4,), last=True), data, (0.1,), batch=8)
    assert only.history[0].keys() >= {"seen_accuracy", "seen_loss"}
    assert not any("valid" in name for name in only.history[0])


def test_pieces_keep_input_and_target_together():
    data = task(steps=25)
    batches, share = training._batches(data, 0, 16, 12)
    assert share == 0.2
    for x, y, counted in itertools.islice(batches(), 10):
        assert x.shape == y.shape == (16, 12, 1)
        np.testing.assert_array_equal(y[:, 1:], x[:, :-1])
        assert counted.all()


def test_steps_of_a_wash_do_not_count_unless_a_sequence_begins():
    data = task(steps=25)
    batches, share = training._batches(data, 0, 16, 6, wash=4)
    assert share == pytest.approx(16 / (40 * 3))
    starts = {tuple(x[:10, 0]) for x in data.train.x}
    begun = []
    for x, _, counted in itertools.islice(batches(), 20):
        assert x.shape == (16, 10, 1)
        begun += [each in starts for each in map(tuple, x[:, :, 0])]
        assert counted[:, 4:].all()
        wanted = [[each] * 4 for each in begun[-16:]]
        np.testing.assert_array_equal(counted[:, :4], wanted)
    assert 0 < np.mean(begun) < 0.6


def test_batches_depend_on_their_number_alone():
    data = task(steps=25)
    batches, _ = training._batches(data, 3, 16, 12)
    every = list(itertools.islice(batches(), 12))
    for begin in (1, 5, 7):
        for (x, *_), (wanted, *_) in zip(batches(begin), every[begin:], strict=False):
            np.testing.assert_array_equal(x, wanted)


def echoes():
    """Sequences that are trained and chosen by, and the same one step later."""
    data = task(steps=12)
    return replace(data, valid=data.train)


def test_learns_to_delay_by_a_step():
    options = {"epochs": 150, "batch": 10, "shuffle": False}
    (only,) = fit(recurrent_model("lstm", 1, 1, (16,)), echoes(), [np.inf], **options)
    assert only.epochs == pytest.approx(150)
    x, y = echoes().train.x, echoes().train.y
    assert only.history[-1].keys() >= {"seen_nrmse"}
    assert only.predict(x).shape == y.shape
    assert np.mean((only.predict(x) - y) ** 2) < 0.3 * np.mean(y**2)


def test_seed_decides():
    losses = [
        fit(
            recurrent_model("lstm", 1, 1, (4,), seed=seed),
            echoes(),
            [np.inf],
            epochs=2,
            seed=seed,
        )
        for seed in (0, 0, 1)
    ]
    losses = [only.history[-1]["loss"] for (only,) in losses]
    assert losses[0] == pytest.approx(losses[1])
    assert losses[0] != pytest.approx(losses[2])


def test_a_cosine_ends_at_rest():
    options = {"epochs": 4, "batch": 10, "learning_rate": 0.01, "validations": 16}
    how = options | {"schedule": "cosine"}
    curves = []
    for given in (options, how):
        (only,) = fit(recurrent_model("lstm", 1, 1, (4,)), echoes(), **given)
        curves.append([record["seen_loss"] for record in only.history])
    changes = np.abs(np.diff(curves))
    assert changes[1, -1] < 0.1 * changes[0, -1]
    with pytest.raises(ValidationError, match="for ever"):
        fit(recurrent_model("lstm", 1, 1, (4,)), echoes())
    with pytest.raises(ValidationError, match="give epochs"):
        fit(recurrent_model("lstm", 1, 1, (4,)), echoes(), [1.0], schedule="cosine")


def test_an_interrupted_training_goes_on_bit_by_bit(tmp_path):
    data, model = echoes(), recurrent_model("lstm", 1, 1, (4,))
    options = {"epochs": 4, "batch": 15, "schedule": "cosine", "validations": 6}
    (whole,) = fit(model, data, **options)
    seen = []

    def interrupt(record):
        seen.append(record)
        if len(seen) == 3:
            raise KeyboardInterrupt

    path = tmp_path / "rival.npz"
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, **options, checkpoint=path, progress=interrupt)
    (resumed,) = fit(model, data, **options, checkpoint=path)
    assert resumed.updates == whole.updates
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], array)
    np.testing.assert_array_equal(resumed.outputs, whole.outputs)
    names = ("updates", "loss", "seen_loss")
    for record, wanted in zip(resumed.history, whole.history, strict=True):
        assert [record[n] for n in names] == [wanted[n] for n in names]
    # a finished training is not trained on, and is not taken for another
    (again,) = fit(model, data, **options, checkpoint=path)
    assert (again.updates, again.test) == (resumed.updates, resumed.test)
    with pytest.raises(ValidationError, match="another path"):
        fit(model, data, **options, seed=1, checkpoint=path)


def test_some_arrays_learn_slowly():
    model = replace(recurrent_model("lstm", 1, 1, (4,)), slow=("readout.b",))
    (only,) = fit(model, echoes(), epochs=0.1, batch=4, learning_rate=0.1)
    # the first update of Adam is the learning rate
    moved = {n: np.abs(a - model.arrays[n]).max() for n, a in only.weights.items()}
    assert moved["readout.b"] == pytest.approx(0.001, rel=1e-3)
    assert moved["readout.W"] == pytest.approx(0.1, rel=1e-3)


def test_late_gain_is_what_the_last_quarter_won():
    def course(*errors):
        pairs = enumerate(errors, 1)
        return [{"epochs": k, "valid_loss": 9, "valid_nrmse": e} for k, e in pairs]

    assert late_gain(course(0.5, 0.4, 0.3, 0.3)) == 0
    assert late_gain(course(0.5, 0.4, 0.3, 0.15)) == pytest.approx(0.5)
    assert late_gain(course(0.2)) == 1
    right = [{"epochs": k, "valid_accuracy": a} for k, a in ((1, 0.8), (2, 0.9))]
    assert late_gain(right) == pytest.approx(0.5)


def test_sequences_of_several_lengths_are_refused():
    data = task()
    part = Part(data.train.x, data.train.y, np.full(len(data.train), 3))
    with pytest.raises(ValidationError, match="several lengths"):
        fit(recurrent_model("gru", 1, 1, (2,)), replace(data, train=part), epochs=1)
