import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.tasks import Shift
from lmu_spiking.tasks.images import pixel_order, stratified


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=80),
    part=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_stratified_draws_each_class_in_its_share(labels, part, seed):
    labels = np.array(labels)
    count = int(part * len(labels))
    rest, drawn = stratified(labels, count, np.random.RandomState(seed))
    assert len(drawn) == count
    assert sorted([*rest, *drawn]) == list(range(len(labels)))
    for kind in np.unique(labels):
        share = count * np.mean(labels == kind)
        assert abs(np.sum(labels[drawn] == kind) - share) < 1


def test_pixels_are_permuted_or_row_by_row():
    expected = np.random.RandomState(5).permutation(64)
    np.testing.assert_array_equal(pixel_order("t", 8, "permuted", 5), expected)
    np.testing.assert_array_equal(pixel_order("t", 8, "rows", 5), np.arange(64))


def one_by_one(image, down, right):
    """An image with zeros where it was shifted from, pixel by pixel."""
    side, shifted = len(image), np.zeros_like(image)
    for i in range(side):
        for j in range(side):
            if 0 <= i - down < side and 0 <= j - right < side:
                shifted[i, j] = image[i - down, j - right]
    return shifted


@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_shifts_are_those_of_the_image_before_its_permutation(most):
    rng, side, n = np.random.default_rng(0), 4, 60
    order = rng.permutation(side**2)
    images = rng.uniform(0.1, 1, (n, side, side)).astype(np.float32)
    x = images.reshape(n, -1)[:, order, None]
    shifted = Shift(order, most)(np.random.default_rng(1), x)
    assert (shifted.shape, shifted.dtype) == (x.shape, x.dtype)
    back = np.empty_like(shifted)
    back[:, order] = shifted
    drawn = set()
    span = range(-most, most + 1)
    for image, found in zip(images, back.reshape(n, side, side), strict=True):
        fits = [
            (i, j)
            for i in span
            for j in span
            if np.array_equal(found, one_by_one(image, i, j))
        ]
        assert fits
        drawn.update(fits)
    assert most > 1 or len(drawn) == len(span) ** 2  # 60 draws of 9


def test_shifts_follow_the_generator_and_leave_the_input():
    x = np.random.default_rng(0).uniform(size=(9, 16, 2))
    x.setflags(write=False)
    shift = Shift(np.arange(16), 1)
    first, again, other = (shift(np.random.default_rng(s), x) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("order", "shifts", "message"),
    [
        (np.arange(15), 1, "Shift.order"),
        (np.zeros(16), 1, "Shift.order"),
        (np.arange(16), -1, "Shift.shifts: -1 must be a whole number of at least 0"),
    ],
)
def test_what_is_no_shift(order, shifts, message):
    with pytest.raises(ValidationError, match=message):
        Shift(order, shifts)


def test_other_images_are_refused():
    with pytest.raises(ValidationError, match=r"Shift\.x: \(2, 15, 1\) must be"):
        Shift(np.arange(16), 1)(np.random.default_rng(0), np.ones((2, 15, 1)))
