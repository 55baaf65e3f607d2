"""The files to be damaged: sound ones of every kind, and valid hostile ones."""

import gzip
import io
import itertools
import json
import pickle
import struct
import zipfile

import h5py
import nir
import numpy as np
import tomli_w
from scipy.io import wavfile

from lmu_spiking.lmu import CellParams, LMUParams, save_params
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.nir import to_nir
from lmu_spiking.training.checkpoint import State, save_state

ABOUT = {"settings": {}, "start": "0", "data": "0"}
DEEP = 100_000
T = np.arange(60) * 1e-3
U = np.sin(40 * T)


class Trap:
    """An object that leaves a mark if it is unpickled."""

    def __init__(self, mark):
        self._mark = mark

    def __reduce__(self):
        return open, (str(self._mark), "w")


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def header(descr: str, shape: str, data: bytes = b"", order="False") -> bytes:
    """Return an .npy file with the given header."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def zipped(members: dict, method=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def hostile_npz(name: str, mark) -> list[bytes]:
    """Return valid archives that claim or hold what they should not."""
    big = b"\0" * 2**26
    headers = [
        ("'<f8'", "(1000000000000,)"),
        ("'<f8'", "(-3,)"),
        ("'<f8'", "(4611686018427387904, 4)"),
        ("'<f8'", "(0, 99999999999999999999)"),
        ("'|O'", "(3,)"),
        ("'<U0'", "(1000000000000,)"),
        ("'|V0'", "(1000000000000,)"),
        ("[('a', '<f8'), ('b', '|O')]", "(3,)"),
        ("'<f8'", "(" * 4000 + ")" * 4000),
        ("'<f8'", "-" * 9000 + "1"),
        ("'<c16'", "(3,)"),
        ("'<M8[s]'", "(3,)"),
        ("'<f8'", "(True,)"),
        ("'<f8'", "(3.0,)"),
        ("__import__('os')", "(3,)"),
        ("'<f16'", "(3,)"),
    ]
    found = [zipped({f"{name}.npy": header(*each, bytes(48))}) for each in headers]
    found += [
        npz(**{name: np.array([1.0, Trap(mark)], dtype=object)}),
        zipped({f"{name}.npy": pickle.dumps(Trap(mark))}),
        zipped({name: pickle.dumps(Trap(mark))}),
        pickle.dumps(Trap(mark)),
        zipped({f"{name}.npy": header("'<f8'", "(8388608,)") + big}),
        zipped({f"{name}.npy": big}, zipfile.ZIP_BZIP2),
        zipped({f"{name}.npy": big}, zipfile.ZIP_LZMA),
        zipped({f"{k}.npy": header("'<f8'", "(1,)", bytes(8)) for k in range(3000)}),
        zipped({f"../{name}.npy": header("'<f8'", "(1,)", bytes(8))}),
        npz(**{name: np.full(50, np.nan)}),
        npz(**{name: np.array([1e308, -1e308] * 30)}),
        npz(**{name: np.zeros((2,) * 30 + (0,))}),
        npz(**{name: U, "dt": 1e-300}),
        npz(**{name: U, "dt": 1e300}),
        npz(**{name: U, "dt": 1000.0}),
        npz(**{name: U, "rate": 1e-9}),
        npz(**{name: U, "rate": 1e12}),
        npz(**{name: np.ones(400_000)}),
    ]
    return found


def signals(mark) -> dict[str, list[bytes]]:
    """Return recordings."""
    rows = "\n".join(f"{t:.3f},{u:.6f}" for t, u in zip(T, U, strict=True))
    comma = "\n".join(f"{t:.3f};{u:.6f}" for t, u in zip(T, U, strict=True))
    wide = ",".join(["1"] * 100_000) + "\n"
    csv = [
        f"t,u\n{rows}\n",
        rows,
        comma.replace(".", ","),
        "u\n" + "\n".join(map(str, U)),
        "time [s]\tu\tv\n" + "\n".join(f"{t}\t{t}\t1" for t in T),
        wide * 2,
        "t,u\n" + "\n".join(f"{9 * '9'}{t},{t}" for t in T),
        "u\n1e400\n1\n2\n",
        "u\n" + "9" * 400 + "\n1\n",
        '"' + "a\n" * 1000,
        "t,u\n0,1\n1000000,2\n",
        "a,b\n" * 3000,
        ";" * 20_000,
        "\0" * 1000,
    ]
    wav = []
    for dtype in (np.int16, np.uint8, np.int32, np.float32):
        file = io.BytesIO()
        wavfile.write(file, 8000, (100 * U).astype(dtype))
        wav.append(file.getvalue())
    for rate in (1, 2**30):  # a second and a nanosecond a sample
        file = io.BytesIO()
        wavfile.write(file, rate, np.tile((100 * U).astype(np.int16), 30))
        wav.append(file.getvalue())
    file = io.BytesIO()
    wavfile.write(file, 1, np.zeros(100_000, np.int16))
    wav.append(file.getvalue())
    sound = [npz(samples=U, dt=1e-3), npz(u=U, t=T), npz(x=np.c_[U, U], rate=500.0)]
    sound.append(npz(samples=np.zeros(50, np.int8)))
    arrays = []
    for array in (U, np.c_[U, U], np.c_[U, U].T, np.float32([[1, 2], [3, 4]])):
        file = io.BytesIO()
        np.save(file, array)
        arrays.append(file.getvalue())
    return {
        "csv": [text.encode() for text in csv],
        "wav": wav,
        "npy": arrays,
        "npz": sound + hostile_npz("samples", mark),
    }


def params() -> LMUParams:
    cell = CellParams.draw(1, 3, 4, 0.01, bias=True)
    return LMUParams((cell,), np.ones((2, 3)), np.zeros(2), 0.001, {"task": "x"})


def models(folder, mark) -> dict[str, list[bytes]]:
    """Return parameters and checkpoints."""
    path, made = folder / "model.npz", params()
    save_params(made, path)
    sound = path.read_bytes()
    arrays = {name: np.array(a) for name, a in made.arrays().items()}
    moments = {f"0.mu.{name}": array for name, array in arrays.items()}
    checkpoint = folder / "checkpoint.npz"
    state = State(arrays, moments, made, 1, [{"epoch": 1}])
    save_state(checkpoint, state, ABOUT)
    return {
        "params": [sound, *hostile_npz("header", mark)],
        "checkpoint": [checkpoint.read_bytes()],
    }


def digits(mark) -> dict[str, list[bytes]]:
    """Return files of MNIST."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 28, 28), dtype=np.uint8)
    labels = np.arange(6, dtype=np.uint8)
    both = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    idx = struct.pack(">4I", 0x803, 6, 28, 28) + images.tobytes()
    huge = struct.pack(">4I", 0x803, 2**31, 28, 28)
    bomb = struct.pack(">4I", 0x803, 2**16, 28, 28) + bytes(2**25)
    return {
        "mnist": [npz(**both), *hostile_npz("x_train", mark)],
        "idx": [
            *(idx, huge, gzip.compress(idx), gzip.compress(huge + bytes(2**24))),
            *(gzip.compress(bomb), gzip.compress(b"") * 2000 + gzip.compress(idx)),
        ],
    }


def texts() -> dict[str, list[bytes]]:
    """Return specs, trials and plans."""
    spec = tomli_w.dumps(MemorySpec(n_neurons=60, order=3, tau=0.1).to_dict())
    plain = 'order = 6\nn_neurons = 600\nneuron_type = "lif"\n[signal]\nrms = 0.5\n'
    toml = [
        spec,
        plain,
        spec + "[plan]\nerror = 0.1\n",
        'order = 2000\ntuning = "optimal"\nn_neurons = 100000\n',
        'order = 60\ntuning = "balanced"\nn_neurons = 1200\n',
        'tuning = "optimal"\n[signal]\nbandwidth = 1e9\n',
        "theta = 1" + "0" * 400,
        "order = 1" + "0" * 400,
        "order = 1" + "0" * 5000,
        "n_neurons = 1000000000000000\norder = 500000000000000\n",
        "radii = " + "[" * DEEP + "]" * DEEP,
        "x = " + "{a = " * 2000 + "1" + "}" * 2000,
        ".".join(["a"] * 20_000) + " = 1",
        "[" + ".".join(["a"] * 20_000) + "]",
        "\n".join(f"[a{k}]" for k in range(20_000)),
        'x = "' + "\\u0061" * 20_000 + '"',
        "radii = [" + "1.0," * 10_000 + "]\norder = 10000\nn_neurons = 20000\n",
    ]
    row = {"neurons": 60, "order": 3, "tau": 0.1, "max_rate": 300.0, "theta": 0.5}
    row |= {"state_rmse": 0.1, "noise_nrmse": 0.1, "spikes_per_s": 100.0}
    row |= {"predicted_state_rmse": 0.1, "predicted_noise_nrmse": None}
    row |= {"neuron_type": "poisson", "versions": {"lmu_spiking": "0.3.0"}}
    told = {"spec": MemorySpec(n_neurons=60, order=3, tau=0.1).to_dict()}
    trial = {"digest": "file", "trial": {**told, "signal_seed": 1}, "row": row}
    rows = dict(row) | {name: 0.1 for name in ("lead", "discrepancy")}
    nested = "[" * DEEP + "]" * DEEP
    jsons = [trial, {**trial, "row": rows}, {"version": "0.3.0", "row": rows}]
    jsons += [{"command": "lmu-spiking study", "trials": ["a", "b"]}]
    jsons += [{"about": {}, "value": {"rows": [1]}}]
    hostile = [nested, '{"a":' * DEEP, "1" * 5000, "NaN", '"' + "a" * 10**6 + '"']
    hostile += [json.dumps(trial).replace("0.1", "1" + "0" * 400)]
    hostile += [json.dumps(trial).replace("0.1", "1e400"), "{}", "[]", "3", ""]
    every = [*map(json.dumps, jsons), *hostile]
    return {
        "toml": [text.encode() for text in toml],
        "json": [text.encode() for text in every],
    }


# -- HDF5 ----------------------------------------------------------------------------


def hdf5(fill) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as inside:
        fill(inside)
    return file.getvalue()


def hostile_hdf5(place: str) -> list:  # noqa: C901
    """Return hostile files in which an array lies at ``place``."""
    parent = place.rpartition("/")[0]

    def soft(f):
        f[place] = h5py.SoftLink(f"/{place}")

    def outside(f):
        f[place] = h5py.ExternalLink("/etc/passwd", "x")

    def circle(f):
        f.require_group(parent)["self"] = f.require_group(parent)

    def huge(f):
        f.create_dataset(
            place, (2**20, 2**20), "f4", chunks=(2**10, 2**10), compression="gzip"
        )

    def bomb(f):
        f.create_dataset(place, data=np.zeros(2**22), compression="gzip")

    def deep(f):
        f.create_group("/".join(["layers", *["a"] * 500]))

    def many(f):
        for k in range(3000):
            f.create_group(f"layers/{k}")

    def raw(f):
        f.require_group(parent)
        f.create_dataset(place, (3, 3), "f8", external=[("/etc/passwd", 0, 72)])

    def virtual(f):
        layout = h5py.VirtualLayout((3, 3), "f8")
        layout[:] = h5py.VirtualSource("/tmp/none.h5", "x", (3, 3))
        f.require_group(parent).create_virtual_dataset(place.split("/")[-1], layout)

    def texts(f):
        f[place] = np.array([["a" * 1000] * 100] * 50, dtype=object)

    def compound(f):
        f[place] = np.zeros(3, [("a", "f8"), ("b", "i4")])

    def objects(f):
        f[place] = np.array([f.ref], dtype=h5py.ref_dtype)

    def attributes(f):
        f.attrs["model_config"] = "[" * 30_000
        f.attrs["layer_names"] = np.full(2000, b"x" * 20)
        f.create_group("x").attrs["weight_names"] = [b"../../x"]

    def nested(f):
        f.attrs["model_config"] = '{"a":' * 9000
        f[place] = np.ones((3, 3))

    def ragged(f):
        f.require_group(parent)
        kind = h5py.vlen_dtype(np.float64)
        f.create_dataset(place, (2,), kind)[0] = np.ones(9)

    def enums(f):
        f[place] = np.array([True, False])

    def empty(f):
        f[place] = h5py.Empty("f8")

    def nans(f):
        f[place] = np.full((3, 4), np.nan)

    def doubled(f):  # 2**25 paths to one array
        f[place] = np.ones(3)
        for k in range(25):
            group = f.create_group(f"layers/b{k}")
            for name in "xy":
                group[name] = f["layers/b" + str(k - 1)] if k else f[parent]

    ways = [soft, outside, circle, huge, bomb, deep, many, raw, virtual, texts]
    ways += [compound, objects, attributes, nested, ragged, enums, empty, nans]
    return [hdf5(way) for way in [*ways, doubled]]


def networks(packed) -> dict[str, list[bytes]]:
    """Return the repository's Keras models, and graphs of NIR."""
    keras, h5 = [], []
    for path in sorted(packed.glob("keras_lmu-*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                held = keras if name.endswith(".keras") else h5
                if name.endswith((".keras", ".h5")):
                    held.append(archive.read(name))
    place = "layers/lmu/layer/cell/vars/0"
    ways = hostile_hdf5(place)
    config = {"class_name": "Sequential", "config": {"layers": []}}
    with zipfile.ZipFile(io.BytesIO(keras[0])) as archive:
        sound = {name: archive.read(name) for name in archive.namelist()}
    inner = [{**sound, "model.weights.h5": way} for way in ways]
    deep = "[" * DEEP + "]" * DEEP
    for text in (deep, json.dumps(config), '{"config": {"layers": [7]}}', "1" * 5000):
        inner.append({**sound, "config.json": text})
    lambdas = json.loads(sound["config.json"])
    lambdas["config"]["layers"].insert(
        1,
        {"class_name": "Lambda", "module": "antigravity", "config": {"function": "os"}},
    )
    inner.append({**sound, "config.json": json.dumps(lambdas)})
    inner.append({**sound, "model.weights.h5": bytes(2**27)})
    graphs = []
    for steps in ("exact", "euler", "continuous"):
        file = io.BytesIO()
        memory = MemorySpec(n_neurons=12, order=2, tau=0.1)
        nir.write(file, to_nir(memory, neurons="none", steps=steps))
        graphs.append(file.getvalue())
    one = np.ones(1)
    chain = {
        "input": nir.Input(input_type=one),
        "a": nir.LIF(tau=0.02 * one, r=one, v_leak=0 * one, v_threshold=one),
        "b": nir.Affine(weight=np.ones((1, 1)), bias=one),
        "output": nir.Output(output_type=one),
    }
    order = list(chain)
    file = io.BytesIO()
    nir.write(file, nir.NIRGraph(chain, list(itertools.pairwise(order))))
    graphs.append(file.getvalue())
    return {
        "keras": keras + [zipped(each) for each in inner],
        "h5": h5 + ways,
        "nir": graphs + hostile_hdf5("node/nodes/input/shape"),
    }


def everything(folder, packed, mark) -> dict[str, list[bytes]]:
    """Return all files to be damaged, by the kind of reader."""
    found = signals(mark) | models(folder, mark) | digits(mark) | texts()
    return found | networks(packed)
