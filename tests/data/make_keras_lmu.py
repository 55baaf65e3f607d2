"""Small models of keras-lmu with random weights, their files and their outputs.

For each pair of versions, in an environment of its own (Python 3.11):

    pip install keras-lmu==0.7.0 tensorflow-cpu==2.15.1 "numpy<2"     # and 0.9.0
    pip install keras-lmu==0.9.0 tensorflow-cpu==2.19.1 keras==3.15.1
    python tests/data/make_keras_lmu.py

It writes ``tests/data/keras_lmu-<version>-keras<major>.zip``: every model as ``.keras``
and ``.h5``, two as weights only, and ``expected.npz`` with the outputs for `inputs`.
The files are as Keras wrote them, packed together because each is mostly air.
"""

import tempfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEQUENCES, STEPS = 100, 25


def inputs(size: int) -> np.ndarray:
    """(n, T, size) in [-1, 1], the same in every version of numpy."""
    draw = np.random.RandomState(size).uniform(-1, 1, (SEQUENCES, STEPS, size))
    return draw.astype(np.float32)


def models() -> dict:
    """Models by name, built anew."""
    import keras
    import keras_lmu

    layers, LMU = keras.layers, keras_lmu.LMU
    rnn, dense = layers.SimpleRNNCell, layers.Dense

    def series(size, *rest):
        return keras.Sequential([layers.Input((STEPS, size)), *rest])

    recurrent = LMU(
        memory_d=2,
        order=4,
        theta=9,
        hidden_cell=rnn(5, activation="tanh"),
        hidden_to_memory=True,
        memory_to_memory=True,
        input_to_hidden=True,
        use_bias=True,
        dropout=0.2,
        recurrent_dropout=0.1,
    )
    feedforward = LMU(
        memory_d=2,
        order=8,
        theta=12.5,
        hidden_cell=dense(6, activation="relu"),
        input_to_hidden=True,
        use_bias=True,
        return_sequences=True,
    )
    theta = LMU(1, 5, 10, rnn(4), trainable_theta=True, use_bias=True)
    memory = LMU(2, 4, 11, None, input_to_hidden=True)
    bare = LMU(2, 4, 11, rnn(3), kernel_initializer=None)
    cell = keras_lmu.LMUCell(
        1, 6, 15, dense(5, activation="tanh"), hidden_to_memory=True
    )
    x = layers.Input((STEPS, 1))
    h = LMU(1, 6, 8, rnn(5, activation="relu"), return_sequences=True)(x)
    h = layers.Dropout(0.3)(h)
    h = LMU(2, 3, 7, rnn(4), memory_to_memory=True, return_sequences=True)(h)
    stacked = keras.Model(x, layers.TimeDistributed(dense(2))(h))
    flat = [layers.Input((STEPS,)), layers.Reshape((STEPS, 1))]
    return {
        "recurrent": series(2, recurrent, dense(3, activation="softmax")),
        "feedforward": series(2, feedforward, dense(2)),
        "simple": series(1, LMU(1, 4, 9, rnn(5, activation="relu")), dense(3)),
        "theta": series(1, theta, dense(2)),
        "memory": series(2, memory, dense(2, use_bias=False)),
        "bare": series(2, bare, layers.Dropout(0.1), dense(2), layers.Softmax()),
        "stacked": stacked,
        "cell": keras.Sequential([*flat, layers.RNN(cell), dense(2)]),
    }


def draw_weights(model, rng) -> None:
    """Random weights of a useful size, biases too; trained thetas a little moved."""
    drawn = []
    for weight in model.get_weights():
        size = weight.shape[0] if weight.ndim > 1 else 4
        moved = weight * rng.uniform(1.1, 1.3)  # the only scalars are 1/theta
        noise = 1.2 * rng.standard_normal(weight.shape) / np.sqrt(size)
        drawn.append(noise if weight.ndim else moved)
    model.set_weights(drawn)


def main() -> None:
    """Write the zip of the versions that are installed."""
    import keras
    import keras_lmu

    major = keras.__version__.split(".")[0]
    target = HERE / f"keras_lmu-{keras_lmu.__version__}-keras{major}.zip"
    expected, rng = {}, np.random.RandomState(0)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, model in models().items():
            draw_weights(model, rng)
            x = inputs(model.input_shape[-1] if len(model.input_shape) > 2 else 1)
            x = x.reshape(SEQUENCES, *model.input_shape[1:])
            expected[name] = model.predict(x, verbose=0)
            model.save(folder / f"{name}.keras")
            model.save(folder / f"{name}.h5")
            if name in ("recurrent", "stacked"):
                model.save_weights(folder / f"{name}.weights.h5")
                (folder / f"{name}.json").write_text(model.to_json())
                if major == "2":
                    model.save_weights(folder / f"{name}.by_layer.h5")
        np.savez_compressed(folder / "expected.npz", **expected)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
            for path in sorted(folder.iterdir()):
                z.write(path, path.name)
    print(target.name, target.stat().st_size)


if __name__ == "__main__":
    main()
