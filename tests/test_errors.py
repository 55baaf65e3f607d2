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


@pytest.mark.parametrize("value", [list(range(1000)), "many\nlines\n" * 99, {"a": "\n"}])
def test_stays_on_one_short_line(value):
    text = str(errors.ValidationError("a.b", value, "is wrong"))
    assert "\n" not in text
    assert len(text) <= len("a.b:  is wrong") + 60


def test_a_missing_package_names_its_extra():
    error = errors.MissingPackageError("nengo_loihi", "loihi")
    assert str(error) == (
        "nengo_loihi is not installed; run: pip install 'lmu_spiking[loihi]'"
    )
