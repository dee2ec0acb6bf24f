"""LPIPS: distance of frames in the features of AlexNet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.metrics.networks import Missing, exact_inference, to_tensor
from signgen.structures import PoseSequence

if TYPE_CHECKING:
    from signgen.metrics.lpips_network import LPIPSNetwork

__all__ = ["LPIPS", "open_lpips"]

VERSION = "1"
"""Version of the definitions in this file; part of every signature."""
BATCH = 8
"""Frames given to the network at a time; the values do not depend on it."""


class LPIPS:
    """Learned perceptual distance: Zhang et al. 2018, AlexNet, v0.1. Lower is better.

    One value per frame; the score is their mean.

    Args:
        network: The network, or what is missing; then nothing is measured, and the score says why.
        digest: SHA-256 of the trunk's weights, for the signature.
        normalize: Bring pixels to [-1, 1], as the network expects. Without it they stay in [0, 1],
            as in PCDMs' program, and distances come out too small.
        full_batches: Where above 0, take frames in batches of so many over all clips and leave the
            last incomplete one out, as the programs of PCDMs (64), CFLD and FPDM (10) do.
    """

    name = "lpips"

    def __init__(
        self,
        network: LPIPSNetwork | Missing,
        digest: str = "",
        *,
        normalize: bool = True,
        full_batches: int = 0,
    ) -> None:
        self.network, self.digest = network, digest
        self.normalize, self.full_batches = normalize, full_batches
        self._means = ClipMeans()
        self._sizes = FrameSizes()
        self._waiting: list[tuple[str, float]] = []
        self.latest: NDArray[np.float64] | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> LPIPS:
        """Return a metric with the same counts that shares the network."""
        import copy

        other = copy.copy(self)
        for name in ("_means", "_sizes", "_waiting", "latest"):
            setattr(other, name, copy.deepcopy(getattr(self, name), memo))
        return other

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
        if isinstance(self.network, Missing):
            return
        self.latest = self._distances(self.network, generated, reference)
        if not self.full_batches:
            self._means.add(clip, self.latest)
            return
        self._waiting += [(clip, float(value)) for value in self.latest]
        while len(self._waiting) >= self.full_batches:
            for name, value in self._waiting[: self.full_batches]:
                self._means.add(name, [value])
            del self._waiting[: self.full_batches]

    def _distances(
        self, network: LPIPSNetwork, generated: NDArray[np.uint8], reference: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        from signgen.metrics.lpips_network import SMALLEST

        height, width = generated.shape[1:3]
        if min(height, width) < SMALLEST:
            raise UserError(
                f"LPIPS cannot measure frames of {width} x {height}; expected at least "
                f"{SMALLEST} x {SMALLEST} pixels."
            )
        values = []
        with exact_inference():
            for start in range(0, len(generated), BATCH):
                pair = [
                    to_tensor(frames[start : start + BATCH], str(network.shift.device)) / 255
                    for frames in (generated, reference)
                ]
                if self.normalize:
                    pair = [2 * frames - 1 for frames in pair]
                values.append(network(*pair).double().cpu().numpy())
        return np.concatenate(values)

    def compute(self) -> Score:
        """Return the mean over frames; details: `dropped`, frames of the last incomplete batch."""
        batches = [f"batches:full-{self.full_batches}"] if self.full_batches else []
        score = self._means.score(
            self.name,
            (
                "net:alex-v0.1",
                f"weights:{self.digest[:8] or 'none'}",
                f"range:{'-1..1' if self.normalize else '0..1'}",
                *batches,
                f"size:{self._sizes}",
                "mean:frames",
                f"version:{VERSION}",
            ),
            higher_is_better=False,
            details={"dropped": float(len(self._waiting))} if self.full_batches else {},
        )
        if isinstance(self.network, Missing):
            return replace(score, unavailable=self.network.reason)
        return score


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
        normalize: See `LPIPS`.
        full_batches: See `LPIPS`.

    Raises:
        UserError: If the named file is missing or no AlexNet.
    """
    from signgen.metrics.lpips_network import open_lpips_network

    opened = open_lpips_network(weights, device)
    network, digest = (opened, "") if isinstance(opened, Missing) else opened
    return LPIPS(network, digest, normalize=normalize, full_batches=full_batches)
