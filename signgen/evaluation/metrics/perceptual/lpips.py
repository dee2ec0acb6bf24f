"""LPIPS: distance of frames in the features of AlexNet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.metrics.base import (
    NOTHING,
    Begin,
    Chunk,
    ClipMeans,
    MeanMetric,
    Results,
    Values,
    per_frame,
)
from signgen.evaluation.metrics.networks import (
    FeatureExtractor,
    Unavailable,
    exact_inference,
    to_tensor,
)
from signgen.evaluation.metrics.score import Mean, Means, pooled

if TYPE_CHECKING:
    from torch import nn

__all__ = ["lpips", "lpips_extractor", "lpips_metric", "open_lpips"]

BATCH = 8
"""Frames given to the network at a time; the values do not depend on it."""
KEPT = 36
"""Frames whose features are kept for the baselines: 75 MB at 260 x 210."""
SMALLEST = 31
"""Smallest side of a frame in pixels: below it AlexNet's second pooling has nothing left."""


def lpips_metric(network: FeatureExtractor | Unavailable, full_batches: int = 0) -> MeanMetric:
    """Return the learned perceptual distance: Zhang et al. 2018, AlexNet, v0.1; mean over frames.

    Args:
        network: What `lpips_extractor` returns, or why there is none.
        full_batches: Where above 0, take frames in batches of so many over all clips and leave the
            last incomplete one out, as the programs of PCDMs (64) and FPDM (10) do; `dropped` in
            the details is their number.
    """
    begin = NOTHING
    if isinstance(network, FeatureExtractor):
        distances = partial(lpips, network=network)
        begin = _in_batches(distances, full_batches) if full_batches else per_frame(distances)
    batches = f"|batches:full-{full_batches}" if full_batches else ""
    metric = MeanMetric(
        name="lpips",
        signature=f"{network.signature}{batches}|size:{{size}}|mean:frames|version:1",
        begin=begin,
        unavailable=network.reason,
    )
    if not full_batches:
        return metric
    return replace(
        metric,
        clips=partial(_full_batches, size=full_batches),
        details=partial(_dropped, size=full_batches),
    )


def lpips(
    generated: NDArray[np.uint8], reference: NDArray[np.uint8], network: FeatureExtractor
) -> NDArray[np.float64]:
    """Return the distance of each pair of (T, H, W, 3) frames, (T,)."""
    height, width = generated.shape[1:3]
    if min(height, width) < SMALLEST:
        raise UserError(
            f"LPIPS cannot measure frames of {width} x {height}; expected at least "
            f"{SMALLEST} x {SMALLEST} pixels."
        )
    values = []
    for start in range(0, len(generated), BATCH):
        part = slice(start, start + BATCH)
        difference = network(generated[part]) - network(reference[part])  # (B, D)
        values += [float(row @ row) for row in difference]
    return np.array(values, np.float64)


# ----- full batches -------------------------------------------------------------------------------


def _in_batches(distances: Callable[..., NDArray[np.float64]], size: int) -> Begin:
    """Return what begins a clip whose values are named by the batch of all frames they fall in."""

    def begin(clip: str, results: Results) -> ClipMeans:
        before = pooled_all(results).count

        def measure(generated: Chunk, reference: Chunk) -> Values:
            nonlocal before
            values = distances(generated.frames, reference.frames)
            batch = (before + np.arange(len(values))) // size
            before += len(values)
            return {str(number): values[batch == number] for number in np.unique(batch)}

        return ClipMeans(clip, measure)

    return begin


def _full_batches(results: Mapping[str, Means], size: int) -> dict[str, Mean]:
    """Return the clips without the values of the last batch, where it is not full."""
    batches = {number for means in results.values() for number in means}
    full = [number for number in batches if pooled(results.values(), number).count == size]
    return {clip: pooled([means], *full) for clip, means in results.items()}


def _dropped(results: Mapping[str, Means], size: int) -> dict[str, float]:
    full = sum(mean.count for mean in _full_batches(results, size).values())
    return {"dropped": float(pooled_all(results).count - full)}


def pooled_all(results: Mapping[str, Means]) -> Mean:
    """Return the mean over all values of all clips."""
    return sum((pooled([means], *means) for means in results.values()), Mean())


# ----- opening ------------------------------------------------------------------------------------


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


def open_lpips(path: Path, device: str = "cpu", *, normalize: bool = True) -> FeatureExtractor:
    """Return the features with published weights."""
    from signgen.evaluation.metrics.perceptual.network import load_lpips_network

    return lpips_extractor(*load_lpips_network(path, device), normalize=normalize)
