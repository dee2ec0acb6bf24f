"""LPIPS: distance of frames in the features of AlexNet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.evaluation.metrics.networks import (
    FeatureExtractor,
    Missing,
    exact_inference,
    to_tensor,
)
from signgen.structures import PoseSequence

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LPIPS", "lpips_extractor", "open_lpips"]

VERSION = "1"
"""Version of the definitions in this file; part of every signature."""
BATCH = 8
"""Frames given to the network at a time; the values do not depend on it."""
KEPT = 36
"""Frames whose features are kept for the baselines: 75 MB at 260 x 210."""
SMALLEST = 31
"""Smallest side of a frame in pixels: below it AlexNet's second pooling has nothing left."""


class LPIPS:
    """Learned perceptual distance: Zhang et al. 2018, AlexNet, v0.1. Lower is better.

    One value per frame; the score is their mean.

    Args:
        extractor: What `lpips_extractor` returns, or what is missing; then nothing is measured, and
            the score says why.
        full_batches: Where above 0, take frames in batches of so many over all clips and leave the
            last incomplete one out, as the programs of PCDMs (64) and FPDM (10) do.
    """

    name = "lpips"

    def __init__(
        self,
        extractor: FeatureExtractor | Missing,
        *,
        full_batches: int = 0,
    ) -> None:
        self._extractor, self.full_batches = extractor, full_batches
        self._means = ClipMeans()
        self._sizes = FrameSizes()
        self._waiting: list[tuple[str, float]] = []
        self.latest: NDArray[np.float64] | None = None

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used.

        Raises:
            UserError: If frames are too small for the network.
        """
        check_frames(generated, reference)
        self._sizes.add(generated)
        if isinstance(self._extractor, Missing):
            return
        self.latest = self._distances(self._extractor, generated, reference)
        if not self.full_batches:
            self._means.add(clip, self.latest)
            return
        self._waiting += [(clip, float(value)) for value in self.latest]
        while len(self._waiting) >= self.full_batches:
            for name, value in self._waiting[: self.full_batches]:
                self._means.add(name, [value])
            del self._waiting[: self.full_batches]

    def _distances(
        self,
        extractor: FeatureExtractor,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
    ) -> NDArray[np.float64]:
        height, width = generated.shape[1:3]
        if min(height, width) < SMALLEST:
            raise UserError(
                f"LPIPS cannot measure frames of {width} x {height}; expected at least "
                f"{SMALLEST} x {SMALLEST} pixels."
            )
        values = []
        for start in range(0, len(generated), BATCH):
            part = slice(start, start + BATCH)
            difference = extractor(generated[part]) - extractor(reference[part])
            values += [float(row @ row) for row in difference]
        return np.array(values, np.float64)

    def compute(self) -> Score:
        """Return the mean over frames; details: `dropped`, frames of the last incomplete batch."""
        batches = [f"batches:full-{self.full_batches}"] if self.full_batches else []
        score = self._means.score(
            self.name,
            (
                "net:none" if isinstance(self._extractor, Missing) else self._extractor.signature,
                *batches,
                f"size:{self._sizes}",
                "mean:frames",
                f"version:{VERSION}",
            ),
            higher_is_better=False,
            details={"dropped": float(len(self._waiting))} if self.full_batches else {},
        )
        if isinstance(self._extractor, Missing):
            return replace(score, unavailable=self._extractor.reason)
        return score


def lpips_extractor(
    network: nn.Module, digest: str = "", *, normalize: bool = True
) -> FeatureExtractor:
    """Return the features that LPIPS compares.

    Args:
        network: An `LPIPSNetwork`, on any device.
        digest: SHA-256 of the trunk's weights, for the signature.
        normalize: Bring pixels to [-1, 1], as the network expects. Without it they stay in [0, 1],
            as in PCDMs' program, and distances come out too small.
    """
    device = str(next(network.parameters()).device)

    def features(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        with exact_inference():
            pixels = to_tensor(frames, device) / 255
            return np.asarray(network(2 * pixels - 1 if normalize else pixels).cpu().numpy())

    pixel_range = "-1..1" if normalize else "0..1"
    signature = f"net:alex-v0.1,weights:{digest[:8] or 'none'},range:{pixel_range}"
    return FeatureExtractor(features, signature, batch=BATCH, keep=KEPT)


def open_lpips(
    weights: Path | None = None,
    device: str = "cpu",
    *,
    normalize: bool = True,
    full_batches: int = 0,
) -> LPIPS:
    """Return LPIPS with published weights, or one that says how to get them.

    Args:
        weights: File of torchvision's AlexNet; None to look for it in the caches of this machine.
        device: Torch device.
        normalize: See `lpips_extractor`.
        full_batches: See `LPIPS`.

    Raises:
        UserError: If the named file is missing or no AlexNet.
    """
    from signgen.evaluation.metrics.perceptual.network import open_lpips_network

    opened = open_lpips_network(weights, device)
    if isinstance(opened, Missing):
        return LPIPS(opened, full_batches=full_batches)
    network, digest = opened
    extractor = lpips_extractor(network, digest, normalize=normalize)
    return LPIPS(extractor, full_batches=full_batches)
