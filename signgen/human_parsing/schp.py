"""Human parsing by SCHP (Li et al. 2020, Self-Correction for Human Parsing), exported to ONNX.

Pictures are prepared as its extractor does it: fitted into the network's square in the middle of
black, bilinear, in BGR with ImageNet's mean and deviation. Its logits are stretched to the square
with aligned corners, and what lies in the picture to the picture's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from signgen.config.regions import LabelSetName
from signgen.errors import ExitCode, UserError
from signgen.files.foreign.onnx import open_onnx
from signgen.human_parsing.label_sets import LABEL_SETS
from signgen.models.encoders import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["SchpParser"]


class SchpParser:
    """Labels of pictures by an ONNX file.

    Args:
        path: The file: one picture (1, 3, S, S) in, logits (1, L, h, w) first among what comes out.
        label_set: What its L labels mean; the file does not say.
        device: Where it computes: on a GPU where `device` and ONNX Runtime have one, else on the
            CPU.

    Raises:
        UserError: If ONNX Runtime is not installed (69), or the file is none or does not fit.
    """

    def __init__(self, path: str | Path, label_set: LabelSetName | None, device: str) -> None:
        if label_set is None:
            raise UserError(
                f"{path} does not say what its labels mean; name their set with --label-set, one "
                f"of {', '.join(LABEL_SETS)}.",
                ExitCode.USAGE,
            )
        self.path, self.labelled = path, LABEL_SETS[label_set]
        self.session, self.side = open_onnx(path, device, "SCHP exported to ONNX")

    def parse(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the labels (H, W) uint8 of frames (H, W, 3) uint8 RGB, in order."""
        mean, deviation = (np.array(x, np.float32)[::-1] for x in (IMAGENET_MEAN, IMAGENET_STD))
        name = self.session.get_inputs()[0].name
        for frame in frames:
            fitted, box = _fitted(frame, self.side)
            pixels = (fitted[..., ::-1] / np.float32(255) - mean) / deviation  # (S, S, 3) BGR
            found = self.session.run(None, {name: pixels.transpose(2, 0, 1)[None]})[0]
            if found.ndim != 4 or found.shape[1] != len(self.labelled.labels):
                raise UserError(
                    f"{self.path} gives {list(found.shape)}; expected logits (1, L, h, w) with L "
                    f"{len(self.labelled.labels)}, the labels of {self.labelled.name}. Name the "
                    "set that it was trained on with --label-set."
                )
            yield self._labels(torch.from_numpy(found), box, (frame.shape[0], frame.shape[1]))

    def _labels(
        self, logits: Tensor, box: tuple[int, int, int, int], size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """Return the largest of (1, L, h, w) logits inside a box of the square."""
        square = (self.side, self.side)
        large = F.interpolate(logits.float(), square, mode="bilinear", align_corners=True)
        top, left, height, width = box
        inside = large[..., top : top + height, left : left + width]
        fitting = F.interpolate(inside, size, mode="bilinear", align_corners=False)
        return np.asarray(fitting[0].argmax(0).to(torch.uint8).numpy())


def _fitted(
    frame: NDArray[np.uint8], side: int
) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """Fit a frame into the middle of a black square; the box is top, left, height and width."""
    longest = max(frame.shape[:2])
    height, width = (max(1, round(length * side / longest)) for length in frame.shape[:2])
    top, left = (side - height) // 2, (side - width) // 2
    small = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + height, left : left + width] = np.asarray(small)
    return square, (top, left, height, width)
