"""How pictures get the size that a model works at, or that a protocol scores them at."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

__all__ = ["METHODS", "Resample", "Resize", "resample", "resampler", "squash"]

Resize = Literal["area", "bicubic"]
METHODS: dict[Resize, str] = {"area": "opencv area or cubic", "bicubic": "pillow bicubic"}
"""Names of what `squash` does, as frame caches note them; another name means other pixels."""
Resample = Literal["pillow-bicubic", "opencv-cubic", "opencv-linear", "torch-bicubic-antialias"]
"""Filters of published evaluations."""
_OPENCV = {"opencv-cubic": cv2.INTER_CUBIC, "opencv-linear": cv2.INTER_LINEAR}


def squash(frame: NDArray[np.uint8], size: tuple[int, int], method: Resize) -> NDArray[np.uint8]:
    """Squash a picture to a size, whatever its aspect ratio; one of that size is returned as it is.

    Args:
        frame: (H, W, 3) uint8.
        size: (H', W'), both positive.
        method: `area` averages areas where both sides shrink and is OpenCV's cubic filter
            otherwise; `bicubic` is Pillow's filter, which widens as a picture shrinks, as FPDM.

    Returns:
        (H', W', 3) uint8.
    """
    if frame.shape[:2] == size:
        return frame
    if method == "bicubic":
        return _bicubic(frame, size)
    shrinks = frame.shape[0] >= size[0] and frame.shape[1] >= size[1]
    filtering = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (size[1], size[0]), interpolation=filtering), np.uint8)


def _bicubic(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    # Rows first, then columns, each rounded to 8 bits: what Pillow did in one call when FPDM was
    # published. Newer releases begin with the columns where that is faster (750 x 1101 to
    # 512 x 512), which changes pixels; two calls give the same ones with every release.
    filtering = Image.Resampling.BICUBIC
    rows = Image.fromarray(frame).resize((size[1], frame.shape[0]), filtering)
    return np.asarray(rows.resize((size[1], size[0]), filtering), np.uint8)


def resample(
    frame: NDArray[np.uint8], size: tuple[int, int], method: Resample
) -> NDArray[np.uint8]:
    """Squash a picture to a size as the evaluation programs of others do.

    OpenCV's filters do not widen as a picture shrinks, so that fine detail turns into noise; the
    others do. `torch-bicubic-antialias` is torchvision's `resize` of tensors, rounded to 8 bits.

    Args:
        frame: (H, W, 3) uint8; one of that size is returned as it is.
        size: (H', W'), both positive.
        method: Library and filter.

    Returns:
        (H', W', 3) uint8.
    """
    if frame.shape[:2] == size:
        return frame
    if method == "pillow-bicubic":
        return squash(frame, size, "bicubic")
    if method == "torch-bicubic-antialias":
        return _torch_bicubic(frame, size)
    resized = cv2.resize(frame, (size[1], size[0]), interpolation=_OPENCV[method])
    return np.asarray(resized, np.uint8)


def resampler(method: Resample) -> str:
    """Return the filter with the version of its library, for signatures: `pillow-12.0.0-bicubic`.

    Args:
        method: Library and filter.
    """
    library, _, filtering = method.partition("-")
    number = {"pillow": PIL.__version__, "opencv": cv2.__version__}.get(library) or version("torch")
    return f"{library}-{number}-{filtering}"


def _torch_bicubic(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import torch

    pixels = torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(
        pixels, size, mode="bicubic", align_corners=False, antialias=True
    )
    rounded = resized[0].round().clamp(0, 255).to(torch.uint8)
    return np.asarray(rounded.permute(1, 2, 0).contiguous().numpy())
