"""What cannot be imported is told in one line, and nothing in a file is run."""

import io
import json
import marshal
import pickle
import sys
import zipfile

import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError, ParamsFileError, ValidationError
from lmu_spiking.lmu import forward
from lmu_spiking.lmu.importers import import_params, load_keras_lmu, load_paper_lmu
from lmu_spiking.lmu.importers.weights import find_theta

K, D, C, N = 1, 3, 1, 4


def hidden(kind="SimpleRNNCell", **settings):
    return {"class_name": kind, "config": {"name": "cell", "units": N, **settings}}


def lmu(kind="LMU", name="lmu", **settings):
    told = {"name": name, "memory_d": K, "order": D, "theta": 8, "hidden_cell": None}
    told |= {"hidden_cell": hidden(), **settings}
    return {"class_name": kind, "config": told}


def dense(**settings):
    return {"class_name": "Dense", "config": {"name": "dense", **settings}}


def plain(kind, **settings):
    return {"class_name": kind, "config": {"name": kind.lower(), **settings}}


def sequential(*layers):
    given = plain("InputLayer", batch_input_shape=[None, 9, C])
    return {"class_name": "Sequential", "config": {"layers": [given, *layers]}}


WEIGHTS = {
    "lmu/layer/cell/vars/0": (C + N, K),
    "lmu/layer/cell/hidden_cell/vars/0": (K * D, N),
    "lmu/layer/cell/hidden_cell/vars/1": (N, N),
    "lmu/layer/cell/hidden_cell/vars/2": (N,),
    "dense/vars/0": (N, 2),
    "dense/vars/1": (2,),
}
FINE = {"hidden_to_memory": True, "hidden_cell": hidden(activation="tanh")}


@pytest.fixture
def save(tmp_path):
    """Write a ``.keras`` file of a description and random weights."""
    h5py = pytest.importorskip("h5py")

    def write(config, weights=WEIGHTS, change=None):
        rng, inner = np.random.default_rng(0), io.BytesIO()
        with h5py.File(inner, "w") as file:
            for path, shape in weights.items():
                file[f"layers/{path}"] = rng.standard_normal(shape)
            if change is not None:
                change(file)
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w") as archive:
            text = config if isinstance(config, str) else json.dumps(config)
            archive.writestr("config.json", text)
            archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
            archive.writestr("model.weights.h5", inner.getvalue())
        return path

    return write


def refused(path, *needles, **options):
    with pytest.raises(ParamsFileError) as caught:
        import_params(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    for needle in needles:
        assert needle in text


def test_the_plain_one_is_fine(save):
    params = import_params(save(sequential(lmu(**FINE), dense())))
    assert forward(params, np.ones((2, 9, C))).shape == (2, 9, 2)
    assert params.header["source"]["keras_version"] == "3.5.0"


def test_a_model_without_a_dense_gives_its_units(save):
    params = import_params(save(sequential(lmu(**FINE))))
    np.testing.assert_array_equal(params.D, np.eye(N))
    assert params.header["source"]["readout"] is None


@pytest.mark.parametrize(
    "layer, needles",
    [
        (lmu(**{**FINE, "hidden_cell": hidden("LSTMCell")}), ["LSTMCell", "SimpleRNN"]),
        (lmu(**{**FINE, "hidden_cell": hidden("GRUCell")}), ["lmu", "GRUCell"]),
        (lmu(**FINE, discretizer="euler"), ["lmu", "euler", "zoh"]),
        (lmu(**{**FINE, "hidden_cell": hidden(activation="gelu")}), ["gelu", "relu"]),
        (lmu(**{**FINE, "memory_d": 2}), ["lmu", "would need"]),
        (lmu(**{**FINE, "order": 4}), ["lmu", "order 4"]),
        (lmu(**{**FINE, "input_to_hidden": True}), ["lmu", "would need (4, 4)"]),
        (lmu(**FINE, use_bias=True), ["lmu", "ask for bias"]),
        (lmu(**FINE, trainable_theta=True), ["theta_inv"]),
        (lmu(**FINE, theta=-1), ["theta"]),
        (lmu(**FINE, theta="long"), ["lmu"]),
        (lmu("LayerLMU", **FINE), ["LayerLMU"]),
        (plain("Bidirectional", layer=lmu(**FINE)), ["Bidirectional"]),
        (plain("RNN", cell=hidden("LSTMCell")), ["LSTMCell", "LMUCell"]),
        (plain("RNN", cell=[lmu("LMUCell")] * 2), ["several cells"]),
        (plain("RNN", cell=lmu("LMUCell", **FINE), go_backwards=True), ["go_backw"]),
        (plain("RNN", cell=lmu("LMUCell", **FINE), return_state=True), ["return_st"]),
        ({**lmu(**FINE), "registered_name": "other>LMU"}, ["other>LMU"]),
    ],
)
def test_layers_that_are_no_lmu_of_ours(save, layer, needles):
    refused(save(sequential(layer, dense())), *needles)


@pytest.mark.parametrize(
    "layers, needles",
    [
        ([plain("LayerNormalization"), lmu(**FINE), dense()], ["LayerNormalization"]),
        ([lmu(**FINE), plain("LayerNormalization"), dense()], ["LayerNormalization"]),
        ([plain("Masking"), lmu(**FINE), dense()], ["Masking"]),
        ([lmu(**FINE), dense(), dense()], ["dense", "at most one Dense"]),
        ([dense(), lmu(**FINE)], ["dense"]),
        ([lmu(**FINE), plain("Reshape", target_shape=[2, 2]), dense()], ["reshape"]),
        ([lmu(**FINE), plain("Activation", activation="relu"), dense()], ["activ"]),
        ([lmu(**FINE), dense(activation="relu")], ["relu", "not linear"]),
        ([dense()], ["dense"]),
        ([], ["no LMU layer"]),
        ([lmu(**FINE), lmu(name="lmu_1", **FINE), dense()], ["lmu_1", "none"]),
    ],
)
def test_layers_in_other_places(save, layers, needles):
    refused(save(sequential(*layers)), *needles)


def functional(**sources):
    """A graph in the form of Keras 2: each layer with the names of its sources."""
    kinds = {"x": plain("InputLayer"), "z": plain("InputLayer")}
    kinds |= {"lmu": lmu(**FINE), "dense": dense(), "add": plain("Add")}
    layers = []
    for name, before in sources.items():
        node = [[each, 0, 0, {}] for each in before]
        settings = {**kinds[name]["config"], "name": name}
        nodes = [node] if node else []
        layers.append({**kinds[name], "config": settings, "inbound_nodes": nodes})
    inner = {"layers": layers, "output_layers": [["dense", 0, 0]]}
    return {"class_name": "Functional", "config": inner}


def test_functional_models_must_be_chains(save):
    chain = functional(x=[], dense=["lmu"], lmu=["x"])  # whatever the order
    assert import_params(save(chain)).size_out == 2
    refused(save(functional(x=[], z=[], lmu=["x"], dense=["lmu"])), "2 inputs")
    beside = functional(x=[], lmu=["x"], add=["x"], dense=["lmu"])
    refused(save(beside), "layer add", "beside")
    skip = functional(x=[], lmu=["x"], add=["lmu", "x"], dense=["add"])
    refused(save(skip), "layer add", "2 inputs")
    loop = functional(x=[], lmu=["dense"], dense=["lmu"])
    refused(save(loop), "layers in series")
    refused(save({"class_name": "MyModel", "config": {"layers": []}}), "'MyModel'")


def test_code_in_a_file_is_not_run(save, tmp_path):
    """A Lambda layer, a pickle, and a class by its module."""
    flag = tmp_path / "ran"
    code = compile(f"open({str(flag)!r}, 'w')", "x", "exec")
    body = marshal.dumps(code).hex()
    bad = plain("Lambda", function={"class_name": "__lambda__", "config": body})
    refused(save(sequential(bad, lmu(**FINE), dense())), "Lambda")
    module = {**lmu(**FINE), "module": "antigravity"}
    import_params(save(sequential(module, dense())))
    assert "antigravity" not in sys.modules

    class Bad:
        def __reduce__(self):
            return open, (str(flag), "w")

    for name in ("model.h5", "model.keras", "model.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Bad()))
        refused(tmp_path / name, "neither a .keras file (zip) nor HDF5")
    assert not flag.exists()


def test_links_and_claims_are_not_followed(save, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros((N, 2))
    place = "layers/dense/vars/0"

    def link(file):
        del file[place]
        file[place] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")

    def outside(file):
        del file[place]
        raw = [(str(tmp_path / "raw"), 0, 64)]
        file.create_dataset(place, (N, 2), "f8", external=raw)

    def huge(file):
        del file[place]
        file.create_dataset(place, (2**20, 2**20), "f4", chunks=(2**10, 2**10))

    def objects(file):
        del file[place]
        file[place] = "text"

    config = sequential(lmu(**FINE), dense())
    refused(save(config, change=link), "link")
    refused(save(config, change=outside), "another file")
    refused(save(config, change=huge), "claims")
    refused(save(config, change=objects), "not an array of numbers")


@pytest.mark.parametrize(
    "config",
    ["{", "[]", "3", "{}", '{"class_name": "Sequential", "config": {"layers": [7]}}'],
)
def test_damaged_descriptions_are_refused(save, config):
    refused(save(config))


@pytest.mark.parametrize("key", sorted(WEIGHTS))
def test_arrays_that_are_missing_or_wrong(save, key):
    config = sequential(lmu(**FINE), dense())
    refused(save(config, {k: v for k, v in WEIGHTS.items() if k != key}))
    for shape in ((), (7,), (7, 7), (2, 2, 2)):
        refused(save(config, {**WEIGHTS, key: shape}))

    def fill(file):
        file[f"layers/{key}"][...] = np.nan

    refused(save(config, change=fill), "NaN")


def test_files_that_are_none(tmp_path):
    pytest.importorskip("h5py")
    refused(tmp_path / "none.h5", "No such file")
    refused(tmp_path, "is a folder", "model.save")
    (tmp_path / "own.npz").write_bytes(b"")
    refused(tmp_path / "own.npz", "neither")
    np.savez(tmp_path / "own.npz", a=np.ones(3))
    refused(tmp_path / "own.npz", "config.json")
    for load in (import_params, load_keras_lmu, load_paper_lmu):
        with pytest.raises(ValidationError, match="must be a path"):
            load(3)
        with pytest.raises(ValidationError, match="dt"):
            load(tmp_path / "own.npz", dt=0)


def test_empty_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    h5py.File(tmp_path / "empty.h5", "w").close()
    refused(tmp_path / "empty.h5", "no Keras model")


def test_missing_h5py_is_told(save, monkeypatch):
    path = save(sequential(lmu(**FINE), dense()))
    monkeypatch.setitem(sys.modules, "h5py", None)
    for load in (import_params, load_keras_lmu, load_paper_lmu):
        with pytest.raises(MissingPackageError, match=r"lmu_spiking\[nir\]"):
            load(path)


def test_matrices_of_a_window_need_no_h5py():
    for bad in (0.0, -1.0, np.nan, 1e300):
        with pytest.raises(ParamsFileError, match="layer cell"):
            find_theta("cell", np.full((3, 3), bad), np.full(3, bad))
