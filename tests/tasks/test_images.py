import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.tasks import Shift, Warp
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


@pytest.mark.parametrize("change", [Shift(np.arange(16), 1), Warp(np.arange(16), 1, 2)])
def test_other_images_are_refused(change):
    name = type(change).__name__
    with pytest.raises(ValidationError, match=rf"{name}\.x: \(2, 15, 1\) must be"):
        change(np.random.default_rng(0), np.ones((2, 15, 1)))


def test_warps_move_pixels_as_smoothly_and_as_far_as_they_say():
    # of a slope, interpolation is exact: what is moved can be read off
    side, n, pixels, length = 28, 400, 1.5, 8.0
    down = np.repeat(np.arange(side, dtype=np.float32), side)
    warp = Warp(np.arange(side**2), pixels, length)
    warped = warp(np.random.default_rng(0), np.tile(down[:, None], (n, 1, 1)))
    middle = slice(8, 20)  # which no border reaches
    moved = (warped[:, :, 0] - down).reshape(n, side, side)[:, middle, middle]
    assert np.sqrt(np.mean(moved**2)) == pytest.approx(pixels, rel=0.05)
    for lag in (4, 8):
        apart = np.mean(moved[:, :, lag:] * moved[:, :, :-lag]) / np.mean(moved**2)
        assert apart == pytest.approx(np.exp(-0.5 * (lag / length) ** 2), abs=0.06)


@given(seed=st.integers(0, 1000), pixels=st.floats(0.01, 4), side=st.integers(2, 12))
def test_warps_know_the_image_behind_the_permutation(seed, pixels, side):
    rng = np.random.default_rng(seed)
    order = rng.permutation(side**2)
    x = rng.uniform(0.2, 1, (3, side**2, 2)).astype(np.float32)
    x.setflags(write=False)
    rows = Warp(np.arange(side**2), pixels, 3.0)(np.random.default_rng(1), x)
    seen = Warp(order, pixels, 3.0)(np.random.default_rng(1), x[:, order])
    np.testing.assert_array_equal(seen, rows[:, order])
    assert (seen.dtype, seen.shape) == (x.dtype, x.shape)
    assert rows.min() >= 0  # nothing comes from outside
    assert rows.max() <= x.max() * (1 + 1e-6)


def test_small_warps_change_little():
    x = np.random.default_rng(0).uniform(size=(9, 36, 1)).astype(np.float32)
    warped = Warp(np.arange(36), 1e-5, 3.0)(np.random.default_rng(0), x)
    np.testing.assert_allclose(warped, x, atol=1e-4)
    assert not np.array_equal(warped, x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.arange(15), 1, 1), "Warp.order"),
        ((np.arange(16), 0, 1), "Warp.pixels: 0 must be"),
        ((np.arange(16), 1, -1), "Warp.length: -1 must be"),
    ],
)
def test_what_is_no_warp(arguments, message):
    with pytest.raises(ValidationError, match=message):
        Warp(*arguments)
