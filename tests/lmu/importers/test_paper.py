"""Checkpoints in the layout of the LMU paper's code, beside a loop of its equations."""

import json

import numpy as np
import pytest
from scipy.linalg import expm

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.lmu import forward
from lmu_spiking.lmu.importers import import_params, load_keras_lmu, load_paper_lmu

h5py = pytest.importorskip("h5py")


def zoh(order, theta):
    """The delay network held over one step, entry by entry from its definition."""
    A = np.zeros((order, order))
    B = np.zeros((order, 1))
    for i in range(order):
        B[i] = (2 * i + 1) * (-1) ** i
        for j in range(order):
            A[i, j] = (2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1))
    block = np.zeros((order + 1, order + 1))
    block[:order, :order], block[:order, order:] = A / theta, B / theta
    both = expm(block)
    return both[:order, :order], both[:order, order:]


def cell_weights(rng, size_in, units, order, theta, bias=False):
    Ad, Bd = zoh(order, theta)
    shapes = {
        "input_encoders": (size_in, 1),
        "hidden_encoders": (units, 1),
        "memory_encoders": (order, 1),
        "input_kernel": (size_in, units),
        "hidden_kernel": (units, units),
        "memory_kernel": (order, units),
    }
    if bias:
        shapes["bias"] = (1, units)
    drawn = {name: 0.5 * rng.standard_normal(s) for name, s in shapes.items()}
    drawn |= {"AT": (Ad - np.eye(order)).T, "BT": Bd.T}
    return {name: array.astype(np.float32) for name, array in drawn.items()}


def write(path, layers, *, whole=False, config=None):
    """As Keras 2.2 does: ``model.save`` (whole) or ``save_weights``."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
        root.attrs["keras_version"] = file.attrs["keras_version"] = b"2.2.4"
        root.attrs["backend"] = b"tensorflow"
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, weights in layers.items():
            group = root.create_group(name)
            names = [f"{name}/{key}:0" for key in weights]
            group.attrs["weight_names"] = [each.encode() for each in names]
            for each, array in zip(names, weights.values(), strict=True):
                group.create_dataset(each, data=array)
    return path


def stepwise(layers, x, activation=np.tanh):
    """What the paper says, sequence by sequence and step by step."""
    *cells, dense = layers.values()
    outputs = []
    for sequence in x:
        for w in cells:
            h, m = np.zeros(len(w["hidden_kernel"])), np.zeros(len(w["AT"]))
            states = []
            for x_t in sequence:
                u = x_t @ w["input_encoders"] + h @ w["hidden_encoders"]
                u = u + m @ w["memory_encoders"]
                m = m + m @ w["AT"] + u @ w["BT"]
                J = x_t @ w["input_kernel"] + h @ w["hidden_kernel"]
                h = activation(J + m @ w["memory_kernel"] + w.get("bias", 0)).ravel()
                states.append(h)
            sequence = np.array(states)
        outputs.append(sequence @ dense["kernel"] + dense["bias"])
    return np.array(outputs)


@pytest.fixture
def layers():
    rng = np.random.default_rng(0)
    dense = {"kernel": rng.standard_normal((4, 2)), "bias": rng.standard_normal(2)}
    return {
        "rnn_1": cell_weights(rng, 2, 5, 6, 19.5),
        "rnn_2": cell_weights(rng, 5, 4, 3, 8, bias=True),
        "dense_1": {key: w.astype(np.float32) for key, w in dense.items()},
    }


@pytest.fixture
def one(layers):
    """A single cell with its Dense."""
    rng = np.random.default_rng(1)
    return {"rnn": cell_weights(rng, 2, 4, 5, 12), "dense": layers["dense_1"]}


@pytest.mark.parametrize("whole", [False, True])
def test_equals_the_loop(layers, tmp_path, whole):
    path = write(tmp_path / "w.hdf5", {"input_1": {}, **layers}, whole=whole)
    params = load_paper_lmu(path)
    assert [cell.theta for cell in params.cells] == pytest.approx([0.0195, 0.008])
    assert params.header["source"]["theta_steps"] == [19.5, 8.0]
    assert params.header["source"]["keras_version"] == "2.2.4"
    x = np.random.default_rng(2).uniform(-1, 1, (100, 40, 2))
    y = stepwise(layers, x)
    assert y.std() > 0.1
    # 2e-7 is reached: A and B are stored in single precision
    np.testing.assert_allclose(forward(params, x), y, rtol=0, atol=2e-6)


def test_front_door_knows_it(one, tmp_path):
    path = write(tmp_path / "w.hdf5", one)
    params = import_params(path, dt=0.002)
    assert params.header["source"]["library"] == "neurips2019 LMUCell"
    assert params.cells[0].theta == pytest.approx(0.024)
    with pytest.raises(ValidationError, match="no option for a file of the paper"):
        import_params(path, hidden_to_memory=True)
    with pytest.raises(ParamsFileError, match="layer rnn"):
        load_keras_lmu(path, order=5, theta=12)


def test_theta_is_that_of_the_matrices(one, tmp_path):
    path = write(tmp_path / "w.hdf5", one)
    for given in (12, 12.5):  # as the code was called, half a step added or not
        cell = load_paper_lmu(path, theta=given, order=5).cells[0]
        assert cell.theta == pytest.approx(0.012)
    with pytest.raises(ValidationError, match="hold 12 steps; leave it out"):
        load_paper_lmu(path, theta=13)
    with pytest.raises(ValidationError, match="is not that of layer rnn, 5"):
        load_paper_lmu(path, order=6)


@pytest.mark.parametrize("order, theta", [(1, 7.3), (12, 40.25), (96, 299.5), (6, 3)])
def test_finds_any_window(order, theta, one, tmp_path):
    rng = np.random.default_rng(order)
    one["rnn"] = cell_weights(rng, 2, 4, order, theta)
    params = load_paper_lmu(write(tmp_path / "w.hdf5", one))
    assert params.cells[0].theta == pytest.approx(theta / 1000, rel=1e-5)


@pytest.mark.slow
def test_the_published_size_is_found(one, tmp_path):
    """Order 256 and 784 steps, of permuted sequential MNIST."""
    one["rnn"] = cell_weights(np.random.default_rng(0), 2, 4, 256, 784)
    params = load_paper_lmu(write(tmp_path / "w.hdf5", one))
    assert params.cells[0].theta == pytest.approx(0.784, rel=1e-9)


@pytest.mark.parametrize("which", ["AT", "BT"])
def test_matrices_that_were_trained_are_refused(one, tmp_path, which):
    one["rnn"][which][0, 0] += 1e-3
    with pytest.raises(ParamsFileError, match="not those of a Legendre"):
        load_paper_lmu(write(tmp_path / "w.hdf5", one), theta=12)
    one["rnn"][which][:] = 0
    with pytest.raises(ParamsFileError, match="not those of a Legendre"):
        load_paper_lmu(write(tmp_path / "w.hdf5", one))


def test_without_matrices_theta_is_asked_for(one, tmp_path):
    del one["rnn"]["AT"], one["rnn"]["BT"]
    path = write(tmp_path / "w.hdf5", one)
    with pytest.raises(ValidationError, match="give it, in steps"):
        load_paper_lmu(path)
    assert load_paper_lmu(path, theta=12).cells[0].theta == pytest.approx(0.012)


def test_the_activation_is_the_callers_or_the_files_or_tanh(one, tmp_path):
    path = write(tmp_path / "w.hdf5", one)
    assert load_paper_lmu(path).cells[0].activation == "tanh"
    x = np.random.default_rng(2).uniform(-1, 1, (5, 30, 2))
    params = load_paper_lmu(path, activation="linear")
    y = stepwise(one, x, activation=lambda J: J)
    np.testing.assert_allclose(forward(params, x), y, rtol=1e-5, atol=1e-5)
    cell = {"class_name": "LMUCell", "config": {"hidden_activation": "relu"}}
    rnn = {"class_name": "RNN", "config": {"cell": cell}}
    config = {"class_name": "Sequential", "config": [rnn]}
    path = write(tmp_path / "c.hdf5", one, whole=True, config=config)
    assert load_paper_lmu(path).cells[0].activation == "relu"
    with pytest.raises(ValidationError, match="activation: 'elu' is unknown"):
        load_paper_lmu(path, activation="elu")


def test_other_layers_are_refused(one, tmp_path):
    lstm = {"lstm": {"kernel": np.ones((4, 16)), "recurrent_kernel": np.ones((4, 16))}}
    hybrid = {"rnn": one["rnn"], **lstm, "dense": one["dense"]}
    with pytest.raises(ParamsFileError, match="layer lstm"):
        load_paper_lmu(write(tmp_path / "h.hdf5", hybrid))
    with pytest.raises(ParamsFileError, match="a Dense must follow"):
        load_paper_lmu(write(tmp_path / "n.hdf5", {"rnn": one["rnn"]}))
    with pytest.raises(ParamsFileError, match="no LMUCell"):
        load_paper_lmu(write(tmp_path / "d.hdf5", {"dense": one["dense"]}))


@pytest.mark.parametrize(
    "key, array",
    [
        ("memory_kernel", np.ones((5, 3))),
        ("AT", np.ones((4, 4))),
        ("input_kernel", np.ones(4)),
        ("hidden_kernel", np.full((4, 4), np.nan)),
    ],
)
def test_wrong_arrays_are_one_line(one, tmp_path, key, array):
    one["rnn"][key] = array
    path = write(tmp_path / "w.hdf5", one)
    with pytest.raises(ParamsFileError) as caught:
        load_paper_lmu(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_keras_lmu_of_2020_keeps_matrices_too(tmp_path):
    """Version 0.3 has A and B, transposed, among the weights of its cell."""
    rng, (Ad, Bd) = np.random.default_rng(0), zoh(3, 8)
    weights = {"lmu_cell/kernel": rng.standard_normal((2, 1))}
    weights |= {"lmu_cell/A": Ad.T, "lmu_cell/B": Bd.T}
    inner = {"kernel": (3, 4), "recurrent_kernel": (4, 4), "bias": (4,)}
    for key, shape in inner.items():
        weights[f"lmu_cell/simple_rnn_cell/{key}"] = rng.standard_normal(shape)
    dense = {"kernel": rng.standard_normal((4, 2)), "bias": np.zeros(2)}
    hidden = {"class_name": "SimpleRNNCell", "config": {"activation": "tanh"}}
    told = {"name": "lmu", "memory_d": 1, "order": 3, "theta": 8}
    lmu = {"class_name": "keras-lmu>LMU", "config": {**told, "hidden_cell": hidden}}
    last = {"class_name": "Dense", "config": {"name": "dense"}}
    config = {"class_name": "Sequential", "config": {"layers": [lmu, last]}}
    stored = {"lmu": weights, "dense": dense}
    path = write(tmp_path / "a.h5", stored, whole=True, config=config)
    params = import_params(path)
    assert params.cells[0].theta == pytest.approx(0.008)
    np.testing.assert_allclose(params.cells[0].e_x, weights["lmu_cell/kernel"].T)
    weights["lmu_cell/B"] = 2 * Bd.T
    path = write(tmp_path / "b.h5", stored, whole=True, config=config)
    with pytest.raises(ParamsFileError, match="layer lmu: its A and B"):
        import_params(path)
