"""Resizing: Pillow's bicubic filter with every release of Pillow, and averages of areas."""

from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from signgen.media.resizing import Filter, filter_version, resize_image

SIZES = [
    ((110, 75), (51, 51)),
    ((110, 75), (51, 35)),
    ((55, 37), (51, 35)),
    ((26, 21), (51, 51)),
    ((26, 21), (22, 22)),
    ((30, 40), (60, 20)),
]


def picture(height: int, width: int) -> np.ndarray:
    """Blocks of random colours, for sharp edges at which the filter overshoots."""
    blocks = np.random.default_rng(height).integers(0, 256, (-(-height // 4), -(-width // 4), 3))
    return np.kron(blocks, np.ones((4, 4, 1), int))[:height, :width].astype(np.uint8)


def weights(old: int, new: int) -> np.ndarray:
    """Keys' cubic kernel (a = -0.5), as wide as the picture shrinks: (new, old), rows sum to 1."""
    scale = max(old / new, 1.0)
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    x = np.abs(np.arange(old) - centres[:, None]) / scale
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    kernel = np.where(x < 1, near, np.where(x < 2, far, 0))
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


def eight_bits(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values + 0.5), 0, 255)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_bicubic_filters_rows_then_columns_in_eight_bits(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    frame = picture(*old)
    across, down = weights(old[1], new[1]), weights(old[0], new[0])
    rows = eight_bits(np.einsum("xw,hwc->hxc", across, frame))
    expected = eight_bits(np.einsum("yh,hxc->yxc", down, rows))
    got = resize_image(frame, new, "bicubic").astype(int)
    assert got.shape == (*new, 3)
    assert np.abs(got - expected).max() <= 1
    assert (got != expected).mean() < 0.001  # halves that fixed-point weights round otherwise
    columns = eight_bits(np.einsum("yh,hwc->ywc", down, frame))
    other = eight_bits(np.einsum("xw,ywc->yxc", across, columns))
    assert (other != expected).mean() > 0.02


@pytest.mark.parametrize(
    ("old", "new"), [((550, 375), (512, 352)), ((260, 210), (512, 512)), ((1101, 750), (512, 352))]
)
def test_bicubic_is_one_call_of_pillow_where_its_releases_agree(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    frame = picture(*old)
    one_call = Image.fromarray(frame).resize((new[1], new[0]), Image.Resampling.BICUBIC)
    assert np.array_equal(resize_image(frame, new, "bicubic"), np.asarray(one_call))


def test_area_averages_what_it_covers() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    means = frame.reshape(6, 2, 5, 4, 3).mean(axis=(1, 3))
    assert np.abs(resize_image(frame, (6, 5), "area") - means).max() <= 0.5


@pytest.mark.parametrize("method", ["area", "bicubic"])
def test_views_and_sizes_that_fit(method: str) -> None:
    frame = picture(30, 40)
    assert resize_image(frame, (30, 40), method) is frame  # type: ignore[arg-type]
    frame.flags.writeable = False
    mirrored = resize_image(frame[:, ::-1], (15, 20), method)  # type: ignore[arg-type]
    assert np.array_equal(mirrored, resize_image(frame, (15, 20), method)[:, ::-1])  # type: ignore[arg-type]
    assert mirrored.dtype == np.uint8


# ----- filters of evaluations ---------------------------------------------------------------------


def test_the_filters_of_evaluations_are_those_of_their_libraries() -> None:
    frame = picture(110, 75)
    size = (51, 35)
    assert np.array_equal(
        resize_image(frame, size, "pillow-bicubic"), resize_image(frame, size, "bicubic")
    )
    cubic = cv2.resize(frame, (35, 51), interpolation=cv2.INTER_CUBIC)
    linear = cv2.resize(frame, (35, 51), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(resize_image(frame, size, "opencv-cubic"), cubic)
    assert np.array_equal(resize_image(frame, size, "opencv-linear"), linear)


def test_the_filter_of_torch_widens_as_the_picture_shrinks() -> None:
    frame = picture(110, 75)
    across, down = weights(75, 35), weights(110, 51)
    expected = eight_bits(np.einsum("yh,xw,hwc->yxc", down, across, frame))
    got = resize_image(frame, (51, 35), "torch-bicubic-antialias").astype(int)
    assert np.abs(got - expected).max() <= 1
    assert (got != expected).mean() < 0.01  # halves that float32 rounds otherwise


@pytest.mark.parametrize("method", get_args(Filter))
def test_every_filter_keeps_what_fits_and_says_its_library(method: Filter) -> None:
    frame = picture(30, 40)
    assert resize_image(frame, (30, 40), method) is frame
    frame.flags.writeable = False
    made = resize_image(frame[:, ::-1], (15, 20), method)
    assert (made.shape, made.dtype) == ((15, 20, 3), np.uint8)
    library, number, filtering = filter_version(method).split("-", 2)
    assert f"{library}-{filtering}" == method
    assert number[0].isdigit()
