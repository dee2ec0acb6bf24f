"""Editing without retraining: regions of other pictures, and pictures kept outside of a mask.

A region is taken from another picture by joining what attention looks at in both. What is outside
of a mask is kept as PIDM and PoCoLD keep it: the latents there are those of the source, noised as
much as the others, at every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.config.model import ModelConfig
from signgen.config.regions import Region
from signgen.human_parsing.maps import Parts
from signgen.rendering.base import Frame, PartsOf
from signgen.structures import ExitCode, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from signgen.diffusion.samplers import Denoiser
    from signgen.diffusion.schedule import NoiseSchedule

__all__ = ["Donor", "Kept", "check_donors", "compose", "region_mask", "shows"]

LEAST = 1e-3
"""Share of a picture that a region must have to be there."""
GROWN = 0.02
"""Share of the shorter side by which the mask of a region is grown."""
SOFT = 3.0
"""Pixels inside of a mask over which an edit begins."""


@dataclass(frozen=True)
class Donor:
    """A picture that a region is taken from.

    Args:
        region: Which.
        picture: (H, W, 3) uint8 RGB.
        parts: Gives its human parsing.
    """

    region: Region
    picture: Frame
    parts: PartsOf


@dataclass(frozen=True, eq=False)
class Kept:
    """What an edit does not touch.

    Args:
        latents: (1, C, h, w) of the source, scaled.
        inside: (1, 1, h, w) bool, the cells that are made anew.
    """

    latents: Tensor
    inside: Tensor

    def around(self, denoise: Denoiser, schedule: NoiseSchedule, noise: Tensor) -> Denoiser:
        """Return a denoiser that sees the source, as noisy as the rest, outside of the mask."""

        def denoise_inside(z: Tensor, t: Tensor) -> Tensor:
            known = schedule.add_noise(self.latents.expand_as(z), noise, t)
            return denoise(self._blended(z, known), t)

        return denoise_inside

    def blended(self, latents: Tensor) -> Tensor:
        """Return latents (B, C, h, w) that are the source's outside of the mask."""
        return self._blended(latents, self.latents)

    def _blended(self, made: Tensor, known: Tensor) -> Tensor:
        import torch

        return torch.where(self.inside, made, known.to(made.dtype))


def check_donors(config: ModelConfig, regions: list[Region]) -> None:
    """Refuse to take regions from other pictures with a model that cannot.

    Args:
        config: Settings of the model.
        regions: The regions wanted.
    """
    flags = {"cloth": "--clothes-from", "face": "--face-from"}
    for region in regions:
        flag = flags[region]
        if region not in config.regions:
            raise UserError(
                f"{flag} needs a model that tells apart regions of its source, such as those of "
                f"kind parsing-guided; this one is of kind {config.kind}.",
                ExitCode.USAGE,
            )
        if config.guided:
            raise UserError(
                f"{flag} needs a model with the plain decoder; the guided one of this model copies "
                "the source's own pixels.",
                ExitCode.USAGE,
            )


def shows(parts: Parts, region: Region) -> NDArray[np.bool_]:
    """Return where a picture shows a region, (H, W).

    Raises:
        UserError: If it does not show it, or its label set does not know it.
    """
    size = (parts.labels.shape[0], parts.labels.shape[1])
    mask: NDArray[np.bool_] = parts.regions([region], size) == 1
    if mask.mean() < LEAST:
        raise UserError(f"{parts.where} shows no {region}; expected a picture with that region.")
    return mask


def region_mask(parts: Parts, region: Region) -> NDArray[np.bool_]:
    """Return where a region is edited, (H, W): where it is seen, and a little around."""
    mask = shows(parts, region)
    side = 2 * max(1, round(GROWN * min(mask.shape))) + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8))
    return np.asarray(grown > 0)


def compose(source: Frame, frame: Frame, mask: NDArray[np.bool_]) -> Frame:
    """Return the frame inside of a mask (H, W), the source itself outside, softly inside its edge.

    Args:
        source: (H, W, 3) uint8.
        frame: (H, W, 3) uint8.
        mask: Where the frame is seen.
    """
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    share = np.clip(depth / SOFT, 0, 1)[..., None]
    mixed = source + share * (frame.astype(np.float32) - source)
    composed: Frame = np.where(mask[..., None], np.rint(mixed), source).astype(np.uint8)
    return composed
