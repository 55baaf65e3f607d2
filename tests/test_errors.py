import pickle
from fractions import Fraction

import numpy as np
import pytest

from lmu_spiking import errors


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ValidationError, ValueError),
        (errors.MappingError, ValueError),
        (errors.SignalFileError, OSError),
        (errors.MissingPackageError, ImportError),
    ],
)
def test_every_error_is_ours_and_a_builtin(kind, builtin):
    assert issubclass(kind, errors.LMUSpikingError)
    assert issubclass(kind, builtin)


def test_names_the_attribute_the_value_the_limit_and_the_way_out():
    error = errors.ValidationError(
        "LegendreMemory.n_neurons",
        10,
        "is less than 2 per dimension for order 6",
        "use at least 12",
    )
    assert str(error) == (
        "LegendreMemory.n_neurons: 10 is less than 2 per dimension for order 6; "
        "use at least 12"
    )
    assert (error.attribute, error.value) == ("LegendreMemory.n_neurons", 10)


def test_without_a_way_out():
    error = errors.ValidationError("LDN.order", 0, "must be at least 1")
    assert str(error) == "LDN.order: 0 must be at least 1"


@pytest.mark.parametrize(
    "value", [list(range(1000)), "many\nlines\n" * 99, {"a": "\n"}]
)
def test_stays_on_one_short_line(value):
    text = str(errors.ValidationError("a.b", value, "is wrong"))
    assert "\n" not in text
    assert len(text) <= len("a.b:  is wrong") + 60


def test_a_missing_package_names_its_extra():
    error = errors.MissingPackageError("nengo_loihi", "loihi")
    assert str(error) == (
        "nengo_loihi is not installed; run: pip install 'lmu_spiking[loihi]'"
    )


@pytest.mark.parametrize(
    "error",
    [
        errors.ValidationError("a.b", 3, "is wrong", "use 4"),
        errors.MappingError("unstable"),
        errors.SignalFileError("spec a.toml: cannot be read"),
        errors.MissingPackageError("nir", "nir"),
    ],
)
def test_comes_back_from_a_worker_as_it_was(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)


@pytest.mark.parametrize(
    "value", [1, 0.5, np.float32(0.5), np.int64(3), Fraction(1, 2)]
)
def test_positive_numbers_become_floats(value):
    checked = errors.check_positive("a.b", value)
    assert type(checked) is float
    assert checked == value


@pytest.mark.parametrize(
    "value", [0, -1.0, np.nan, np.inf, True, np.True_, "1", None, 1j, [1.0], np.ones(1)]
)
def test_what_is_no_positive_number(value):
    with pytest.raises(
        errors.ValidationError, match=r"must be a positive number \(Hz\)"
    ):
        errors.check_positive("a.b", value, "Hz")


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_whole_numbers_become_ints(value):
    checked = errors.check_whole("a.b", value, 2)
    assert type(checked) is int
    assert checked == 2


@pytest.mark.parametrize("value", [1, -2, 2.0, np.nan, True, np.True_, "2", None, [2]])
def test_what_is_no_whole_number(value):
    with pytest.raises(errors.ValidationError, match="whole number of at least 2"):
        errors.check_whole("a.b", value, 2)


def test_numbers_of_hundreds_of_digits():
    for value in (10**400, -(10**400)):
        with pytest.raises(
            errors.ValidationError, match=r"^x: -?1000.*positive number"
        ):
            errors.check_positive("x", value)
    with pytest.raises(errors.ValidationError, match=r"must be at most 9223372036854"):
        errors.check_whole("x", 10**400)
    with pytest.raises(errors.ValidationError, match=r"must be at most 5$"):
        errors.check_whole("x", 6, 1, 5)
    told = str(errors.ValidationError("x", 10**5000, "is too large"))
    assert told == "x: this int is too large"


def test_a_name_is_one_of_those_allowed():
    assert errors.check_one_of("run.target", "core", ("nengo", "core")) == "core"
    for wrong in ("cores", None, 3, ["core"]):
        with pytest.raises(errors.ValidationError, match="unknown; use one of nengo"):
            errors.check_one_of("run.target", wrong, ("nengo", "core"))


@pytest.mark.parametrize("value", [0, 0.5, np.float32(1)])
def test_a_number_lies_between_its_bounds(value):
    assert errors.check_between("train.share", value, 0, 1) == value


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "1", True, None])
def test_a_number_outside_its_bounds_is_refused(value):
    with pytest.raises(errors.ValidationError, match="a number from 0 to 1"):
        errors.check_between("train.share", value, 0, 1)


@pytest.mark.parametrize(
    ("value", "shape"), [([[1, 2, 3]], ("n", 3)), ([0.5], (1,)), (2, ()), ([3], ("T",))]
)
def test_an_array_has_its_shape(value, shape):
    array = errors.check_shape("predict.signal", value, shape)
    assert array.dtype == float
    assert np.array_equal(array, value)


@pytest.mark.parametrize(
    "value", [[[1, 2]], [1, np.nan], [], "words", [[1], [1, 2]], None, 3, [1, 10**400]]
)
def test_an_array_of_another_shape_is_refused(value):
    with pytest.raises(errors.ValidationError, match=r"finite numbers of shape \(T,\)"):
        errors.check_shape("predict.signal", value, ("T",))
