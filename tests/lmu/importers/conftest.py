"""HDF5 read in forks of one child."""

import importlib.util
from pathlib import Path

import pytest

from lmu_spiking import hdf5


@pytest.fixture(scope="package", autouse=True)
def hdf5_in_forks():
    """Read HDF5 in forks of one child, which is what most of the time went into."""
    if importlib.util.find_spec("h5py") is None:
        yield
        return
    path = Path(__file__).parents[2] / "fuzz" / "zygote.py"
    spec = importlib.util.spec_from_file_location("zygote", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    zygote, before = module.Zygote(), hdf5.run_child
    hdf5.run_child = zygote
    try:
        yield
    finally:
        hdf5.run_child = before
        zygote.close()
