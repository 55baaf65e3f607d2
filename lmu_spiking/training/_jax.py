"""JAX and Optax, imported in one place, which tells in a line if they are missing."""

import contextlib
from typing import Any

from lmu_spiking.errors import MissingPackageError

try:
    import jax
    import jax.experimental
    import jax.numpy as jnp
    import optax
    from jax import lax
except ModuleNotFoundError as error:
    if error.name not in ("jax", "jaxlib", "optax"):
        raise
    raise MissingPackageError(error.name, "train") from None

__all__ = ["jax", "jnp", "lax", "optax", "precision_of"]


def precision_of(dtype) -> contextlib.AbstractContextManager:
    """Return a context in which JAX computes in this precision.

    JAX turns float64 into float32 unless it is told not to.  Within this context it
    keeps float64, in this thread only; the rest of a program stays as it is.

    Parameters
    ----------
    dtype : dtype
        float32 or float64.

    Returns
    -------
    context manager
        For one ``with`` block.
    """
    wide = str(dtype) == "float64"
    home: Any = jax if hasattr(jax, "enable_x64") else jax.experimental  # before 0.8
    return home.enable_x64(wide)
