"""Models that keras-lmu wrote, and what it computed with them."""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.lmu import forward, load_params, save_params
from lmu_spiking.lmu.importers import import_params, load_keras_lmu

pytest.importorskip("h5py")

DATA = Path(__file__).parents[2] / "data"
SOURCES = ("0.7.0-keras2", "0.9.0-keras2", "0.9.0-keras3")
MODELS = "recurrent feedforward simple theta memory bare stacked cell".split()
TOLERANCE = 1e-5  # 2e-6 is reached: keras-lmu computes in single precision


@pytest.fixture(scope="module", params=SOURCES)
def folder(request, tmp_path_factory):
    unpacked = tmp_path_factory.mktemp("models")
    with zipfile.ZipFile(DATA / f"keras_lmu-{request.param}.zip") as packed:
        packed.extractall(unpacked)
    return unpacked


@pytest.fixture(scope="module")
def inputs():
    sys.path.insert(0, str(DATA))
    try:
        from make_keras_lmu import inputs
    finally:
        sys.path.remove(str(DATA))
    return inputs


def check(params, folder, model, inputs):
    """The outputs for 100 sequences are those of keras-lmu."""
    with np.load(folder / "expected.npz") as file:
        expected = file[model]
    y = forward(params, inputs(params.size_in), last=expected.ndim == 2)
    if params.header["source"]["readout_activation"] == "softmax":
        y = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)
    assert len(y) == 100 and y.shape == expected.shape
    assert np.std(expected, axis=0).mean() > 500 * TOLERANCE  # no constant
    np.testing.assert_allclose(y, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("model", MODELS)
def test_whole_models_give_the_outputs_of_keras_lmu(folder, model, ending, inputs):
    params = load_keras_lmu(folder / f"{model}.{ending}")
    check(params, folder, model, inputs)
    assert params.header["source"]["library"] == "keras-lmu"
    assert params.header["source"]["keras_version"][0] in "23"
    json.dumps(params.header)


@pytest.mark.parametrize("model", ["recurrent", "stacked"])
@pytest.mark.parametrize("ending", ["weights.h5", "by_layer.h5"])
def test_weights_with_a_description(folder, model, ending, inputs):
    path = folder / f"{model}.{ending}"
    if not path.exists():
        pytest.skip("Keras 3 writes no weights by layer")
    config = json.loads((folder / f"{model}.json").read_text())
    check(load_keras_lmu(path, config=config), folder, model, inputs)
    inner = config["config"]  # what model.get_config() returns
    check(load_keras_lmu(path, config=inner), folder, model, inputs)


@pytest.mark.parametrize("ending", ["weights.h5", "by_layer.h5"])
def test_weights_with_options(folder, ending, inputs):
    path = folder / f"recurrent.{ending}"
    if not path.exists():
        pytest.skip("Keras 3 writes no weights by layer")
    with pytest.raises(ValidationError, match="order: None cannot be told"):
        load_keras_lmu(path)
    with pytest.raises(ParamsFileError, match="order 6"):
        load_keras_lmu(path, order=6, theta=9)
    params = load_keras_lmu(path, order=4, theta=9)  # of (7, 2), 5 are the units
    y = forward(params, inputs(2), last=True)
    with np.load(folder / "expected.npz") as file:  # softmax is not told by weights
        expected = np.log(file["recurrent"])
    differences = (y - y[:, :1]) - (expected - expected[:, :1])
    assert np.abs(differences).max() < 10 * TOLERANCE


def test_what_each_model_becomes(folder):
    params = {name: load_keras_lmu(folder / f"{name}.keras") for name in MODELS}
    cells = {name: each.cells[0] for name, each in params.items()}
    assert set(cells["recurrent"].arrays()) == set(
        "e_x e_h e_m W_x W_h W_m b b_u".split()
    )
    assert cells["feedforward"].is_feedforward
    assert cells["feedforward"].memory_d == 2 and cells["feedforward"].order == 8
    assert cells["feedforward"].activation == "relu"
    assert cells["feedforward"].theta == pytest.approx(0.0125)
    assert cells["theta"].theta != pytest.approx(0.010, rel=0.05)  # it was trained
    assert cells["memory"].activation == "linear"
    assert cells["memory"].units == 2 * 4 + 2
    np.testing.assert_array_equal(cells["bare"].e_x, np.eye(2))
    assert [cell.memory_d for cell in params["stacked"].cells] == [1, 2]
    assert cells["cell"].W_h is None and cells["cell"].e_h is not None
    source = params["cell"].header["source"]
    assert source["before"] == ["Reshape [25, 1]"]
    assert not source["return_sequences"]
    assert params["stacked"].header["source"]["return_sequences"]


def test_windows_are_in_steps_of_dt(folder):
    fast, slow = (load_keras_lmu(folder / "simple.h5", dt=dt) for dt in (0.001, 0.01))
    assert slow.cells[0].theta == pytest.approx(10 * fast.cells[0].theta)
    x = np.random.default_rng(0).uniform(-1, 1, (3, 30, 1))
    np.testing.assert_allclose(forward(slow, x), forward(fast, x), atol=1e-12)


def test_front_door_and_back_to_a_file(folder, tmp_path, inputs):
    params = import_params(folder / "recurrent.keras")
    check(params, folder, "recurrent", inputs)
    save_params(params, tmp_path / "own.npz")
    check(load_params(tmp_path / "own.npz"), folder, "recurrent", inputs)
    weights = import_params(folder / "recurrent.weights.h5", order=4, theta=9)
    np.testing.assert_array_equal(weights.cells[0].e_h, params.cells[0].e_h)
    with pytest.raises(ValidationError, match=r"import_params\.units"):
        import_params(folder / "recurrent.keras", units=3)
    with pytest.raises(ValidationError, match="order: 4 is not needed"):
        import_params(folder / "recurrent.keras", order=4)


def test_files_that_are_cut_are_refused(folder, tmp_path):
    for name in ("recurrent.keras", "recurrent.h5", "recurrent.weights.h5"):
        whole = (folder / name).read_bytes()
        for part in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
            cut = tmp_path / f"{part}-{name}"
            cut.write_bytes(whole[:part])
            with pytest.raises(ParamsFileError) as caught:
                import_params(cut, order=4, theta=9)
            assert str(caught.value).startswith(str(cut))
            assert "\n" not in str(caught.value)
