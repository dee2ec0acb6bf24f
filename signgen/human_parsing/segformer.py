"""Human parsing by SegFormer checkpoints, through transformers.

Pictures are shrunk and normalised as the checkpoints' image processors do it: to the size that
`preprocessor_config.json` names, 512 x 512 where it names none, with ImageNet's mean and deviation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import SegformerForSemanticSegmentation

from signgen.human_parsing.label_sets import label_set_of_names
from signgen.models.encoders import IMAGENET_MEAN, IMAGENET_STD
from signgen.models.pretrained import load_pretrained
from signgen.structures import UserError

__all__ = ["SegformerParser"]

SIDE = 512
"""Side of the square that pictures are squashed to, where the checkpoint names none."""
BATCH = 4


class SegformerParser:
    """Labels of pictures by a SegFormer.

    Args:
        name: Hub id or local folder with `config.json` and `model.safetensors`.
        device: Where it computes.

    Raises:
        UserError: If it cannot be loaded, or its labels are those of no known set.
    """

    def __init__(self, name: str, device: torch.device | str = "cpu") -> None:
        network: SegformerForSemanticSegmentation = load_pretrained(
            SegformerForSemanticSegmentation, name, use_safetensors=True
        )
        names = {
            int(number): label for number, label in dict(network.config.id2label or {}).items()
        }
        self.labelled = label_set_of_names([names[number] for number in sorted(names)], name)
        self.network = network.train(False).to(device)
        self.size = _input_size(name)
        self.device = torch.device(device)

    def parse(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the labels (H, W) uint8 of frames (H, W, 3) uint8 RGB, in order."""
        mean, std = (
            torch.tensor(values, device=self.device).view(3, 1, 1)
            for values in (IMAGENET_MEAN, IMAGENET_STD)
        )
        for chunk in _chunks(frames):
            squashed = np.stack([_squashed(frame, self.size) for frame in chunk])  # (B, H, W, 3)
            pixels = rearrange(torch.from_numpy(squashed), "b h w c -> b c h w").to(self.device)
            with torch.inference_mode():
                logits = self.network((pixels / 255 - mean) / std).logits  # (B, L, h, w)
            for frame, one in zip(chunk, logits, strict=True):
                yield _labels(one, (frame.shape[0], frame.shape[1]))


def _squashed(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.array(Image.fromarray(frame).resize(size[::-1], Image.Resampling.BILINEAR))


def _labels(logits: Tensor, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the largest of (L, h, w) logits at another size."""
    large = F.interpolate(logits[None].float(), size, mode="bilinear", align_corners=False)
    return np.asarray(large[0].argmax(0).to(torch.uint8).cpu().numpy())


def _chunks(frames: Iterable[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    chunk: list[NDArray[np.uint8]] = []
    for frame in frames:
        chunk.append(frame)
        if len(chunk) == BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _input_size(name: str) -> tuple[int, int]:
    """Return the (H, W) that a local checkpoint's image processor names."""
    path = Path(name) / "preprocessor_config.json"
    if not path.is_file():
        return SIDE, SIDE
    try:
        size = json.loads(path.read_text("utf-8")).get("size", {})
        sides = (size["height"], size["width"]) if isinstance(size, dict) and size else (size, size)
        return (int(sides[0]), int(sides[1])) if size else (SIDE, SIDE)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} does not name a size of pictures ({error}).") from None
