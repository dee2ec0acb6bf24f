"""Regions of the picture that signs are read from: patches around hands, face and mouth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.pose.skeleton import MIDDLE_KNUCKLE
from signgen.structures import PoseSequence, UserError

__all__ = [
    "FACE",
    "HAND",
    "MOUTH",
    "SKELETON",
    "Part",
    "PatchRules",
    "Places",
    "checked_poses",
    "crop",
    "cut",
    "find_places",
    "inside_share",
    "mean_of_present",
    "mirrored",
    "patch_side",
    "too_small",
]

SKELETON = "coco-wholebody-133"
"""The one skeleton with hands, face and mouth."""


@dataclass(frozen=True)
class Part:
    """A part of the signer that is measured in square patches.

    Args:
        name: `hand`, `face` or `mouth`.
        centre: What the centre is called in signatures.
        patch: Side of the patch in pixels of a frame `PatchRules.patch_height` high.
        regions: Key points of the part by name; the centre of a patch is their mean.
        counted: What the score is a mean over, in signatures.
    """

    name: str
    centre: str
    patch: int
    regions: Mapping[str, tuple[int, ...]]
    counted: str = "frames"


HAND = Part(
    "hand",
    "middle-knuckle",
    60,
    {side: (knuckle,) for side, knuckle in MIDDLE_KNUCKLE.items()},
    counted="hands",
)
"""Both hands: FPDM, section 4, 60 x 60 pixels around the middle knuckle in frames of 210 x 260."""
FACE = Part("face", "nose", 60, {"face": (0,)})
"""The face, 60 x 60 around the nose. On PHOENIX-2014T's 210 x 260 pixels the 68 points of a face
span about 40 x 47, so that the whole head is in it."""
MOUTH = Part("mouth", "lips", 30, {"mouth": (71, 74, 77, 80)})
"""The mouth, 30 x 30 around the mean of both corners and the middles of the outer lips. A mouth
spans 11 to 15 pixels there: the patch holds it with the chin and all it may open to."""


@dataclass(frozen=True)
class PatchRules:
    """When a patch counts.

    Args:
        patch_height: Height of the frame that `Part.patch` refers to; the patch is scaled with the
            frame's height, so that it holds as much of the signer at any size.
        threshold: Smallest confidence of each key point that the centre is made of.
        min_inside: Smallest share of the patch's area inside the frame.
    """

    patch_height: int = 260
    threshold: float = 0.3
    min_inside: float = 0.3

    def signature(self, part: Part) -> tuple[str, ...]:
        """Return the parts of a signature that say which patches count."""
        return (
            f"patch:{part.patch}@{self.patch_height}",
            f"centre:{part.centre}",
            f"confidence:{self.threshold:g}",
            f"inside:{self.min_inside:g}",
            "pad:reflect",
        )


@dataclass(frozen=True)
class Places:
    """Where the patches of one region are in the frames of a clip.

    Args:
        corners: (T, 2) upper left corners (x, y) in pixels of the frame; may lie outside.
        side: Side of the patches in pixels.
        chosen: (T,) frame numbers, ascending, of the patches that count; fewer than T.
    """

    corners: NDArray[np.int64]
    side: int
    chosen: NDArray[np.int64]


def find_places(
    poses: PoseSequence,
    points: tuple[int, ...],
    side: int,
    size: tuple[int, int],
    rules: PatchRules,
) -> Places:
    """Find the patches of one region, and which of them count.

    A patch counts if all key points of its centre are known (`rules.threshold`), the centre lies in
    the frame, and `rules.min_inside` of the patch does.

    Args:
        poses: Key points of T frames; scaled to the frames if their picture has another size.
        points: Numbers of the key points whose mean is the centre.
        side: Side of the patch in pixels.
        size: (H, W) of the frames.
        rules: When a patch counts.
    """
    chosen = list(points)
    scale = np.array([size[1] / poses.size[1], size[0] / poses.size[0]])
    means = poses.keypoints[:, chosen].astype(np.float64).mean(axis=1)
    centres = np.round(means * scale).astype(np.int64)
    corners = centres - side // 2
    in_frame = ((centres >= 0) & (centres < (size[1], size[0]))).all(axis=1)
    known = (poses.confidence[:, chosen] >= rules.threshold).all(axis=1)
    enough = inside_share(corners, side, size) >= rules.min_inside
    return Places(corners, side, np.flatnonzero(known & in_frame & enough))


def cut(frames: NDArray[np.uint8], places: Places) -> NDArray[np.uint8]:
    """Cut the patches that count out of (T, H, W, 3) frames: (N, side, side, 3)."""
    patches = [crop(frames[t], places.corners[t], places.side) for t in places.chosen]
    return np.stack(patches) if patches else np.zeros((0, places.side, places.side, 3), np.uint8)


def checked_poses(
    poses: PoseSequence | None, count: int, *, metric: str, clip: str
) -> PoseSequence:
    """Return the poses if a metric of regions can work with them.

    Args:
        poses: What the metric was given.
        count: Number of frames.
        metric: Name of the metric, for messages.
        clip: Name of the clip, for messages.

    Raises:
        ValueError: If the numbers of poses and frames differ.
        UserError: If there are no poses, or of another skeleton.
    """
    name = f"clip {clip}" if clip else "clip"
    if poses is None:
        raise UserError(
            f"{name}: {metric} needs the poses of the reference. "
            "Give them with --poses, or leave out --hand-metrics."
        )
    if poses.skeleton != SKELETON:
        raise UserError(
            f"{name}: poses have skeleton {poses.skeleton}; "
            f"{metric} expects {SKELETON}, which has hands, face and mouth."
        )
    if len(poses) != count:
        raise ValueError(f"{len(poses)} poses for {count} frames; expected as many")
    return poses


def patch_side(part: Part, patch_height: int, size: tuple[int, int]) -> int:
    """Return the side of a part's patches in pixels of a frame; may be 0.

    Args:
        part: The part.
        patch_height: Height that `part.patch` refers to.
        size: (H, W) of the frame.
    """
    return round(part.patch * size[0] / patch_height)


def too_small(part: Part, side: int, size: tuple[int, int], smallest: int) -> str:
    """Say why a metric cannot measure patches, for `Score.unavailable`; empty where it can.

    Args:
        part: The part.
        side: Side of its patches in pixels.
        size: (H, W) of the frame.
        smallest: Smallest side that the metric can measure.
    """
    if side >= smallest:
        return ""
    return (
        f"needs {part.name} patches of at least {smallest} pixels, and those of frames of "
        f"{size[1]} x {size[0]} have {side}"
    )


def inside_share(
    corners: NDArray[np.int64], side: int, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return how much of each square patch lies inside the frame.

    Args:
        corners: (T, 2) upper left corners (x, y).
        side: Side of the patch in pixels.
        size: (H, W) of the frame.

    Returns:
        (T,) shares of the area in [0, 1].
    """
    limits = np.array([size[1], size[0]])
    overlap = np.minimum(corners + side, limits) - np.maximum(corners, 0)
    return np.asarray(np.clip(overlap, 0, None).prod(axis=1) / side**2, np.float64)


def crop(frame: NDArray[np.uint8], corner: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Cut a square out of a frame, mirrored beyond its borders (the border pixel is not repeated).

    Args:
        frame: (H, W, 3).
        corner: Upper left corner (x, y); may lie outside.
        side: Side in pixels.

    Returns:
        (side, side, 3).
    """
    columns, rows = (
        mirrored(np.arange(start, start + side), length)
        for start, length in zip(corner, (frame.shape[1], frame.shape[0]), strict=True)
    )
    return frame[rows[:, None], columns]


def mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Fold indices into [0, length) by reflection at the first and the last pixel.

    Args:
        index: Any integers.
        length: Number of pixels, at least 1.
    """
    period = max(2 * (length - 1), 1)
    folded = np.abs(index) % period
    return np.asarray(np.minimum(folded, period - folded) if length > 1 else folded * 0, np.int64)


def mean_of_present(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis of what is not NaN, NaN where all is."""
    present = ~np.isnan(values)
    sums, counts = np.where(present, values, 0).sum(axis=0), present.sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
