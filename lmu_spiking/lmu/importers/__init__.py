"""Trained LMUs of keras-lmu and of the LMU paper's code, read without either.

The files are read as data (HDF5, zip, JSON); nothing in them is ever run, and links out
of them are not followed.  ``pip install 'lmu_spiking[nir]'`` brings h5py.
"""

from lmu_spiking.lmu.importers.load import import_params, load_keras_lmu, load_paper_lmu

__all__ = ["import_params", "load_keras_lmu", "load_paper_lmu"]
