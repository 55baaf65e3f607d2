import sys

import pytest

from lmu_spiking.errors import MissingPackageError
from lmu_spiking.training import _keras, train


def test_missing_tensorflow_is_told(monkeypatch, lmu, task):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[nengo-dl\]"):
        train(lmu(["relu"]), task(), engine="nengo-dl")


def test_missing_nengo_dl_is_told(monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setitem(sys.modules, "nengo_dl", None)
    with pytest.raises(MissingPackageError, match=r"nengo_dl.*lmu_spiking\[nengo-dl\]"):
        _keras.nengo_dl()


def test_former_names_are_there_for_nengo_dl_alone():
    pytest.importorskip("tensorflow")
    import keras.layers

    _keras.nengo_dl()
    assert "keras.engine" not in sys.modules
    assert not hasattr(keras.layers, "BatchNormalizationV1")
