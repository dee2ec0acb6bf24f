"""How pictures get the size that a model works at, or that a protocol scores them at."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

import cv2
import numpy as np
import PIL
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from signgen.errors import ExitCode, UserError

__all__ = ["METHODS", "Filter", "Resize", "check_size", "filter_version", "resize_image"]

Resize = Literal["area", "bicubic"]
METHODS: dict[Resize, str] = {"area": "opencv area or cubic", "bicubic": "pillow bicubic"}
"""How models resize, as frame caches note it; another name means other pixels."""
Filter = Literal["pillow-bicubic", "opencv-cubic", "opencv-linear", "torch-bicubic-antialias"]
"""How published evaluations resize."""


def check_size(size: tuple[int, int]) -> None:
    """Refuse what is no (H, W) of a picture."""
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise UserError(
            f"size is {size}; expected (height, width) in whole pixels above 0.", ExitCode.USAGE
        )


def resize_image(
    image: NDArray[np.uint8], size: tuple[int, int], method: Resize | Filter
) -> NDArray[np.uint8]:
    """Resize a picture whatever its aspect ratio; one of that size is returned as it is.

    Args:
        image: (H, W, 3) uint8.
        size: (H', W'), both positive.
        method: `area` averages areas where both sides shrink and is OpenCV's cubic filter
            otherwise. `bicubic` (`pillow-bicubic`) is Pillow's filter, which widens as a picture
            shrinks, as FPDM. `opencv-cubic` and `opencv-linear` do not widen, so that fine detail
            turns into noise. `torch-bicubic-antialias` is torchvision's `resize` of tensors,
            rounded to 8 bits.
    """
    height, width = size
    if image.shape[:2] == size:
        return image
    if method in {"bicubic", "pillow-bicubic"}:
        # Rows first, then columns, each rounded to 8 bits: what Pillow did in one call when FPDM
        # was published. Newer releases begin with the columns where that is faster (750 x 1101 to
        # 512 x 512), which changes pixels; two calls give the same ones with every release.
        rows = Image.fromarray(image).resize((width, image.shape[0]), Image.Resampling.BICUBIC)
        return np.asarray(rows.resize((width, height), Image.Resampling.BICUBIC), np.uint8)
    if method == "torch-bicubic-antialias":
        return _torch_bicubic(image, size)
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    kernel = cv2.INTER_LINEAR if method == "opencv-linear" else cv2.INTER_CUBIC
    kernel = cv2.INTER_AREA if method == "area" and shrinks else kernel
    return np.asarray(cv2.resize(image, (width, height), interpolation=kernel), np.uint8)


def _torch_bicubic(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import torch

    pixels = rearrange(torch.from_numpy(image.copy()), "h w c -> 1 c h w").float()
    resized = torch.nn.functional.interpolate(
        pixels, size, mode="bicubic", align_corners=False, antialias=True
    )
    rounded = resized.round().clamp(0, 255).to(torch.uint8)
    return np.asarray(rearrange(rounded, "1 c h w -> h w c").contiguous().numpy())


def filter_version(method: Filter) -> str:
    """Return a filter with the version of its library, for signatures: `pillow-12.0.0-bicubic`."""
    library, _, name = method.partition("-")
    number = {"pillow": PIL.__version__, "opencv": cv2.__version__}.get(library) or version("torch")
    return f"{library}-{number}-{name}"
