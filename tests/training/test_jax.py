import subprocess
import sys

import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError
from lmu_spiking.training import train


def test_missing_jax_is_told(monkeypatch, lmu, task):
    for name in ("engine", "model", "optimizers", "_jax"):
        monkeypatch.delitem(sys.modules, f"lmu_spiking.training.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingPackageError, match=r"jax.*lmu_spiking\[train\]"):
        train(lmu(["relu"]), task())


def test_double_precision_ends_with_its_block():
    jnp = pytest.importorskip("jax.numpy")
    from lmu_spiking.training._jax import precision_of

    for dtype in ("float64", np.dtype("float64")):
        with precision_of(dtype):
            assert jnp.ones(2).dtype == "float64"
            with precision_of("float32"):
                assert jnp.ones(2).dtype == "float32"
        assert jnp.ones(2).dtype == "float32"


def test_nothing_imports_jax_before_it_trains():
    code = "import sys, lmu_spiking.training, lmu_spiking.training.recipes; "
    code += "sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
