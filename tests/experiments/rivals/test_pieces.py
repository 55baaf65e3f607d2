import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.experiments.rivals import pieces, recurrent_model
from lmu_spiking.training._jax import jax, precision_of

CELLS = ["lstm", "gru"]


def outputs_and_slopes(rounded, cells, steps, last):
    """Return outputs of two layers, and slopes by weights and inputs."""
    how = {"last": last, "bfloat16": rounded, "seed": 1}
    model, rng = recurrent_model(cells, 2, 3, (6, 5), **how), np.random.default_rng(0)
    # no weight is 0
    arrays = {
        n: a + 0.1 * rng.standard_normal(a.shape) for n, a in model.arrays.items()
    }

    def loss(arrays, x):
        y = model.outputs(arrays, x)
        return (y**2).sum(), y

    slopes_of = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    return slopes_of(arrays, rng.standard_normal((4, steps, 2)))


# less than a piece, whole pieces, and some steps more
@pytest.mark.parametrize(
    ("steps", "last"), [(5, True), (28, True), (33, True), (33, False)]
)
@pytest.mark.parametrize("cells", CELLS)
def test_without_rounding_they_are_the_layers(monkeypatch, cells, last, steps):
    monkeypatch.setattr(pieces, "_rounded", lambda a: a)
    monkeypatch.setattr(pieces, "_product", lambda a, b: a @ b)
    with precision_of("float64"):
        found, wanted = (
            jax.tree_util.tree_leaves(outputs_and_slopes(rounded, cells, steps, last))
            for rounded in (True, False)
        )
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cells", CELLS)
def test_rounding_is_of_eight_bits(cells):
    found, wanted = (outputs_and_slopes(h, cells, 33, False) for h in (True, False))
    for a, b in zip(*map(jax.tree_util.tree_leaves, (found, wanted)), strict=True):
        error = np.linalg.norm(a - b) / np.linalg.norm(b)
        assert 2**-16 < error < 2**-6
