import dataclasses

import numpy as np
import pytest

from lmu_spiking.errors import ParamsFileError, StudyWarning, ValidationError
from lmu_spiking.lmu import forward, load_params, save_params
from lmu_spiking.lmu.files import load_with_extra
from lmu_spiking.tasks.sequences import Part
from lmu_spiking.training import TrainSettings, evaluate, train
from lmu_spiking.training.evaluation import loss_and_metric

pytest.importorskip("jax")

QUICK = {"epochs": 4, "batch": 8, "learning_rate": 0.01}


def _jitter(rng, x):
    return x + 0.1 * rng.standard_normal(x.shape).astype(np.float32)


def _same(one, other):
    values = one.arrays().items()
    same = all(np.array_equal(v, other.arrays()[name]) for name, v in values)
    return same and [c.theta for c in one.cells] == [c.theta for c in other.cells]


def test_classes_are_learnt(lmu, task):
    params, data = lmu(["tanh"]), task(classes=3)
    settings = TrainSettings(epochs=40, batch=8, learning_rate=0.02, schedule="cosine")
    before = evaluate(params, data.valid, 3)
    trained = train(params, data, settings)
    assert evaluate(trained.params, data.valid, 3) > max(before, 0.6)
    assert trained.stopped == "epochs" and len(trained.history) == 40
    assert trained.history[-1]["loss"] < 0.5 * trained.history[0]["loss"]
    best = max(r["valid_accuracy"] for r in trained.history)
    assert trained.history[trained.best_epoch - 1]["valid_accuracy"] == best
    header = trained.params.header
    assert header["results"]["valid_accuracy"] == best
    assert header["task"] == "walks" and header["versions"]["jax"]
    assert header["training"]["settings"]["seed"] == 0


def test_values_at_every_step_are_learnt_from_crops(lmu, task):
    """Of one cell and of two, whose memory hears what was before the crop."""
    data = task(last=False, steps=200)
    for cells in (["tanh"], ["tanh", "linear"]):
        params = lmu(cells)
        settings = TrainSettings(epochs=40, batch=8, learning_rate=0.02, crop=20)
        trained = train(params, data, settings)
        nrmse = evaluate(trained.params, data.valid)
        assert nrmse < 0.7 * evaluate(params, data.valid)
        y = forward(trained.params, data.valid.x)
        error = np.sqrt(
            np.mean((y - data.valid.y) ** 2) / data.valid.y.var((0, 1)).mean()
        )
        assert nrmse == pytest.approx(error, rel=1e-6)


def test_crops_of_one_cell_are_exact(lmu, task):
    """Their outputs are those of the whole sequence."""
    from lmu_spiking.training._jax import precision_of
    from lmu_spiking.training.engine import JaxEngine
    from lmu_spiking.training.loop import Batches

    params, data = lmu(["tanh"], "W_x"), task(last=False, steps=90)
    settings = TrainSettings(crop=10, batch=8, precision="float64")
    with precision_of("float64"):
        engine = JaxEngine(params, settings, None, False)
        batch = next(Batches(engine, settings, data).epoch(1))
        assert batch["y"].shape == (8, 10, 3) and batch["step_weights"].all()
        found = engine.outputs(params.arrays(), batch["features"])
    whole = forward(params, data.train.x)
    at = [np.argwhere((data.train.y[:, :81] == y[0]).all(-1))[0] for y in batch["y"]]
    expected = [whole[i, t : t + 10] for i, t in at]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("connections", ["", "e_h e_m W_x W_h"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_interrupted_and_resumed_it_ends_alike(
    lmu, task, tmp_path, connections, precision
):
    """Bit for bit; with what draws numbers: augmentation, and noise."""
    params = lmu(["tanh"], connections)
    data = task(classes=3, augment=_jitter, steps=8)
    settings = TrainSettings(
        **QUICK,
        precision=precision,
        schedule="cosine",
        trainable_theta=True,
        weight_decay=0.01,
        noise=0.1,
    )
    whole = train(params, data, settings)
    path = tmp_path / "going.npz"

    def interrupt(epoch, epochs, record):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(params, data, settings, checkpoint=path, progress=interrupt)
    assert load_params(path).header["checkpoint"]["history"][-1]["epoch"] == 2
    resumed = train(params, data, settings, checkpoint=path)
    assert _same(resumed.params, whole.params)
    assert resumed.best_epoch == whole.best_epoch
    losses = [[r["loss"] for r in t.history] for t in (resumed, whole)]
    assert losses[0] == losses[1]
    again = train(params, data, settings, checkpoint=path)  # nothing is left to do
    assert _same(again.params, whole.params) and again.seconds == resumed.seconds
    assert not _same(whole.params, params)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_batches_made_ahead_are_those_made_in_turn(lmu, task, precision):
    from lmu_spiking.training._jax import precision_of
    from lmu_spiking.training.loop import Batches, engine_for

    params, data = lmu(["tanh"]), task(classes=3, augment=_jitter)
    settings = TrainSettings(**QUICK, precision=precision)
    with precision_of(precision):
        batches = Batches(engine_for(params, settings, data), settings, data)
        ahead = list(batches.epoch(2))
        order = np.random.default_rng([settings.seed, 2]).permutation(batches.n)
        assert len(ahead) == batches.count == 3
        for step, batch in enumerate(ahead):
            rows = order[8 * step : 8 * step + 8]
            alone = batches._batch(rows, [settings.seed, 2, step])["features"]
            for name, value in batch["features"].items():
                assert value.dtype == precision
                np.testing.assert_array_equal(value, alone[name])


def test_noise_and_augmentation_follow_the_seed(lmu, task):
    params, plain = lmu(["tanh"]), task(classes=3)
    jittered = dataclasses.replace(plain, augment=_jitter)
    settings = {**QUICK, "epochs": 1}

    def loss(data, **more):
        trained = train(params, data, TrainSettings(**settings, **more))
        return trained.history[0]["loss"]

    assert loss(plain, noise=0.1) == loss(plain, noise=0.1)
    assert loss(jittered) == loss(jittered)
    different = [loss(plain), loss(plain, noise=0.1), loss(jittered)]
    different += [loss(plain, seed=1), loss(plain, noise=0.1, seed=1)]
    assert len(set(different)) == 5


def test_after_a_merge_nothing_is_called_validation(lmu, task, tmp_path):
    params, data = lmu(["tanh"]), task(classes=3).merged()
    path = tmp_path / "going.npz"
    settings = TrainSettings(**QUICK)
    trained = train(params, data, settings, checkpoint=path)
    header = load_params(path).header
    for told in (*trained.history, *header["checkpoint"]["history"]):
        assert told.keys() >= {"seen_loss", "seen_accuracy"}
        assert not any("valid" in name for name in told)
    results = trained.params.header["results"]
    assert results.keys() == {"seen_accuracy", "test_accuracy"}


def test_it_stops_when_validation_does_not_improve(lmu, task):
    params, data = lmu(["tanh"]), task()
    settings = TrainSettings(epochs=50, batch=8, learning_rate=1e-9, patience=2)
    data = dataclasses.replace(
        data, valid=dataclasses.replace(data.valid, y=-data.valid.y)
    )
    trained = train(params, data, dataclasses.replace(settings, learning_rate=0.05))
    assert trained.stopped == "patience"
    assert len(trained.history) == trained.best_epoch + 2
    best = min(r["valid_loss"] for r in trained.history)
    outputs = forward(trained.params, data.valid.x, last=True)
    assert np.mean((outputs - data.valid.y) ** 2) == pytest.approx(best, rel=1e-5)


def test_it_stops_in_time(lmu, task):
    settings = TrainSettings(epochs=1000, batch=8, seconds=1e-6)
    trained = train(lmu(["tanh"]), task(), settings)
    assert trained.stopped == "seconds" and len(trained.history) == 1


def test_only_what_is_trainable_moves(lmu, task):
    params = lmu(["tanh"])
    settings = TrainSettings(**QUICK, trainable="readout.D", trainable_theta=(0,))
    # in single precision, too, the rest keeps all its digits
    trained = train(params, task(), settings).params
    moved = [n for n, a in trained.arrays().items() if (a != params.arrays()[n]).any()]
    assert moved == ["readout.D"]
    assert trained.cells[0].theta != params.cells[0].theta


def test_a_loss_that_diverges_is_one_line(lmu, task):
    settings = TrainSettings(epochs=20, batch=8, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(
        ValidationError, match=r"^TrainSettings\.learning_rate: [^\n]*$"
    ):
        train(lmu(["linear"]), task(), settings)


def test_recurrent_cells_learn(lmu, task):
    """Every connection, two cells, noise on the states."""
    params, data = lmu(["tanh", "relu"], "e_h e_m W_x W_h", 2), task(classes=3)
    settings = TrainSettings(epochs=30, batch=8, learning_rate=0.02, noise=0.05)
    trained = train(params, data, settings)
    before = evaluate(params, data.valid, 3)
    assert evaluate(trained.params, data.valid, 3) > max(before, 0.6)


def test_an_unknown_engine_is_refused(lmu, task):
    with pytest.raises(ValidationError, match=r"train\.engine: [^\n]*nengo-dl"):
        train(lmu(["tanh"]), task(), engine="torch")


@pytest.mark.parametrize("connections", ["e_h", "e_m", "W_h"])
def test_crops_are_for_cells_without_recurrence(lmu, task, connections):
    data = task(last=False)
    with pytest.raises(ValidationError, match=r"TrainSettings\.crop[^\n]* e_h, e_m"):
        train(lmu(["tanh"], connections), data, TrainSettings(crop=5))


def test_a_task_must_fit(lmu, task):
    data = task()
    with pytest.raises(ValidationError, match=r"train\.params\.size_in"):
        train(lmu(["tanh"], size_in=3), data)
    with pytest.raises(ValidationError, match=r"train\.params\.size_out"):
        train(lmu(["tanh"]), task(classes=4))
    with pytest.raises(ValidationError, match=r"train\.params\.dt"):
        train(lmu(["tanh"]), dataclasses.replace(data, dt=0.002))
    with pytest.raises(ValidationError, match=r"TrainSettings\.crop"):
        train(lmu(["tanh"]), data, TrainSettings(crop=5))


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("last", [True, False])
def test_a_target_that_cannot_be_scored_is_refused_before_training(
    lmu, task, part, last
):
    data = task(last=last)
    still = Part(data.valid.x, np.full(data.valid.y.shape, 0.7))
    with pytest.raises(ValidationError, match=rf"train\.data\.{part}\.y: [^\n]* vary"):
        train(lmu(["tanh"]), dataclasses.replace(data, **{part: still}))


def test_the_mean_of_a_target_does_not_count_in_its_error():
    """``100 + 10 w``: its mean scores 1, wherever a trained target is scored."""
    w = np.random.default_rng(0).standard_normal((2000, 1))
    y = 100 + 10 * (w - w.mean()) / w.std()
    loss, nrmse = loss_and_metric(None, np.full(y.shape, 100.0), y)
    assert (loss, nrmse) == (pytest.approx(100), pytest.approx(1))


def test_checkpoints_of_other_trainings_are_refused(lmu, task, tmp_path):
    params, data, path = lmu(["tanh"]), task(), tmp_path / "going.npz"
    settings = TrainSettings(**QUICK)
    train(params, data, settings, checkpoint=path)
    other = dataclasses.replace(settings, seed=5)
    with pytest.raises(ValidationError, match=r"^train\.checkpoint: [^\n]*other seed;"):
        train(params, data, other, checkpoint=path)
    with pytest.raises(ValidationError, match="other start"):
        train(lmu(["tanh"], seed=2), data, settings, checkpoint=path)
    with pytest.raises(ValidationError, match="other data"):
        train(params, task(seed=1), settings, checkpoint=path)
    longer = dataclasses.replace(settings, epochs=5)
    assert len(train(params, data, longer, checkpoint=path).history) == 5
    assert len(train(params, data, other, checkpoint=path, resume=False).history) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["going.npz"]
    save_params(params, path)
    with pytest.raises(ValidationError, match="no training"):
        train(params, data, settings, checkpoint=path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ParamsFileError, match=str(path)):
        train(params, data, settings, checkpoint=path)


@pytest.mark.parametrize("content", [b"mine", b"", "model"])
def test_what_is_no_checkpoint_is_kept(lmu, task, tmp_path, content):
    params, path = lmu(["tanh"]), tmp_path / "going.npz"
    if content == "model":
        save_params(params, path)
        content = path.read_bytes()
    path.write_bytes(content)
    settings = TrainSettings(**QUICK)
    with pytest.warns(StudyWarning, match=r"is no checkpoint: it is kept as going\."):
        train(params, task(), settings, checkpoint=path, resume=False)
    assert (tmp_path / "going.kept-1.npz").read_bytes() == content
    assert len(train(params, task(), settings, checkpoint=path).history) == 4


@pytest.mark.parametrize(
    ("params", "data", "told"),
    [
        ({"dt": 0.002}, {"dt": 0.002}, "other start, data"),
        ({}, {"augment": _jitter}, "other data"),
        ({"activation": "relu"}, {}, "other start"),
    ],
)
def test_a_checkpoint_knows_what_else_it_depends_on(
    lmu, task, tmp_path, params, data, told
):
    path, settings = tmp_path / "going.npz", TrainSettings(**QUICK)
    train(lmu(["tanh"]), task(), settings, checkpoint=path)
    params = dict(params)
    other = lmu([params.pop("activation", "tanh")])
    other = dataclasses.replace(other, **params)
    with pytest.raises(ValidationError, match=told):
        train(other, dataclasses.replace(task(), **data), settings, checkpoint=path)


@pytest.mark.parametrize(
    "change",
    [
        {"best_epoch": 9},
        {"best_epoch": 0},
        {"history": []},
        {"history": [{}, {}]},
        {"history": [{"valid_loss": None, "seconds": 1.0}]},
        {"history": [{"valid_loss": 1.0, "seconds": "x"}]},
    ],
)
def test_a_record_that_was_edited_is_refused(lmu, task, tmp_path, change):
    path, settings = tmp_path / "going.npz", TrainSettings(**QUICK | {"epochs": 1})
    train(lmu(["tanh"]), task(), settings, checkpoint=path)
    params, extra = load_with_extra(path)
    record = params.header["checkpoint"] | change
    save_params(params.updated({}, checkpoint=record), path, extra)
    with pytest.raises(ParamsFileError, match="is no complete checkpoint"):
        train(lmu(["tanh"]), task(), settings, checkpoint=path)
    moments = {name: a for name, a in extra.items() if name.startswith("moments")}
    name = next(name for name, a in moments.items() if a.dtype.kind == "f")
    save_params(params, path, extra | {name: np.full_like(extra[name], np.nan)})
    with pytest.raises(ParamsFileError, match="is not of finite numbers"):
        train(lmu(["tanh"]), task(), settings, checkpoint=path)


def test_names_and_what_is_trained_are_checked_before_training(lmu, task, tmp_path):
    with pytest.raises(ValidationError, match=r"train\.checkpoint[^\n]*\.npz"):
        train(lmu(["tanh"]), task(), checkpoint=tmp_path / "going.ckpt")
    with pytest.raises(ValidationError, match=r"trainable[^\n]*nothing to train"):
        train(lmu(["tanh"]), task(), TrainSettings(trainable=()))


@pytest.mark.parametrize(
    "augment", [lambda rng, x: x[:1], lambda rng, x: x * np.nan, lambda rng, x: None]
)
def test_what_augments_returns_sequences_of_the_same_shape(lmu, task, augment):
    with pytest.raises(ValidationError, match=r"Sequences\.augment"):
        train(lmu(["tanh"]), task(augment=augment), TrainSettings(**QUICK))


def test_a_caller_computes_in_its_own_precision_meanwhile(lmu, task):
    from lmu_spiking.training._jax import jnp

    seen = []
    settings = TrainSettings(**QUICK, precision="float64")
    train(
        lmu(["tanh"]),
        task(),
        settings,
        progress=lambda *_: seen.append(jnp.ones(1).dtype),
    )
    assert set(map(str, seen)) == {"float32"}


def test_two_trainings_do_not_write_one_checkpoint(lmu, task, tmp_path):
    """The one whose file another has written over says so; the other's is whole."""
    params, data, path = lmu(["tanh"]), task(), tmp_path / "going.npz"
    first, second = (TrainSettings(**QUICK, seed=seed) for seed in (1, 2))

    def other(epoch, *_):
        if epoch == 2:
            train(params, data, second, checkpoint=path, resume=False)

    with pytest.raises(ValidationError, match=r"written meanwhile.* a path \(--out\)"):
        train(params, data, first, checkpoint=path, progress=other)
    assert len(train(params, data, second, checkpoint=path).history) == 4


def test_a_checkpoint_that_is_removed_meanwhile_is_written_again(lmu, task, tmp_path):
    path = tmp_path / "going.npz"
    settings = TrainSettings(**QUICK)

    def remove(epoch, *_):
        assert path.exists()
        path.unlink()

    trained = train(lmu(["tanh"]), task(), settings, checkpoint=path, progress=remove)
    assert len(trained.history) == 4
