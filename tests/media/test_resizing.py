"""Resizing: Pillow's bicubic filter with every release of Pillow, and averages of areas."""

from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from signgen.media.resizing import Filter, Resize, filter_version, resize_image

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


def test_the_filters_of_evaluations_are_those_of_their_libraries() -> None:
    frame, size = picture(110, 75), (51, 35)
    for method, expected in (
        ("pillow-bicubic", resize_image(frame, size, "bicubic")),
        ("opencv-cubic", cv2.resize(frame, (35, 51), interpolation=cv2.INTER_CUBIC)),
        ("opencv-linear", cv2.resize(frame, (35, 51), interpolation=cv2.INTER_LINEAR)),
    ):
        assert np.array_equal(resize_image(frame, size, method), expected)
    # That of torch widens as the picture shrinks.
    across, down = weights(75, 35), weights(110, 51)
    widened = eight_bits(np.einsum("yh,xw,hwc->yxc", down, across, frame))
    resized = resize_image(frame, size, "torch-bicubic-antialias").astype(int)
    assert np.abs(resized - widened).max() <= 1
    assert (resized != widened).mean() < 0.01  # halves that float32 rounds otherwise


@pytest.mark.parametrize("method", [*get_args(Resize), *get_args(Filter)])
def test_views_and_sizes_that_fit(method: Resize | Filter) -> None:
    frame = picture(30, 40)
    assert resize_image(frame, (30, 40), method) is frame
    frame.flags.writeable = False
    mirrored = resize_image(frame[:, ::-1], (15, 20), method)
    assert (mirrored.shape, mirrored.dtype) == ((15, 20, 3), np.uint8)
    # Weights of torch are rounded otherwise from the other side.
    unlike = np.abs(mirrored.astype(int) - resize_image(frame, (15, 20), method)[:, ::-1])
    assert unlike.max() <= (1 if method.startswith("torch") else 0)
    if method in get_args(Filter):
        library, number, name = filter_version(method).split("-", 2)
        assert f"{library}-{name}" == method
        assert number[0].isdigit()
