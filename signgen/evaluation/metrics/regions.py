"""Parts of the picture that signs are read from, in patches: hands, face, mouth; their SSIM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.metrics.base import Chunk, MeanMetric, Size, Values, frame_by_frame
from signgen.evaluation.metrics.pixels.ssim import GAUSSIAN, ssim
from signgen.evaluation.metrics.score import Means, pooled
from signgen.pose.skeleton import MIDDLE_KNUCKLE
from signgen.structures import PoseSequence

__all__ = [
    "FACE",
    "HAND",
    "MOUTH",
    "SKELETON",
    "Part",
    "Patches",
    "checked_poses",
    "cut",
    "find_patches",
    "region_ssim",
]

SKELETON = "coco-wholebody-133"
"""The one skeleton with hands, face and mouth."""
PATCH_HEIGHT = 260
"""Height of the frame that `Part.patch` refers to; patches are scaled with the frame's height, so
that they hold as much of the signer at any size."""
THRESHOLD = 0.3
"""Smallest confidence of each key point that the centre of a patch is made of."""
MIN_INSIDE = 0.3
"""Smallest share of a patch's area inside the frame."""


@dataclass(frozen=True)
class Part:
    """A part of the signer that is measured in square patches.

    Args:
        name: `hand`, `face` or `mouth`.
        centre: What the centre is called in signatures.
        patch: Side of the patch in pixels of a frame `PATCH_HEIGHT` high.
        regions: Key points of the part by name; the centre of a patch is their mean.
        counted: What the score is a mean over, in signatures.
    """

    name: str
    centre: str
    patch: int
    regions: Mapping[str, tuple[int, ...]]
    counted: str = "frames"

    @property
    def signature(self) -> str:
        """The parts of a signature that say which patches count."""
        return (
            f"patch:{self.patch}@{PATCH_HEIGHT}|centre:{self.centre}|confidence:{THRESHOLD:g}"
            f"|inside:{MIN_INSIDE:g}|pad:reflect"
        )

    def side(self, size: Size) -> int:
        """Return the side of patches in pixels of a frame of (H, W); may be 0."""
        return round(self.patch * size[0] / PATCH_HEIGHT)

    def too_small(self, size: Size, smallest: int) -> str:
        """Say why patches of a frame cannot be measured that need a side; empty where they can."""
        if self.side(size) >= smallest:
            return ""
        return (
            f"needs {self.name} patches of at least {smallest} pixels, and those of frames of "
            f"{size[1]} x {size[0]} have {self.side(size)}"
        )


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


# ----- patches ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Patches:
    """Where the patches of one region are in T frames.

    Args:
        corners: (T, 2) upper left corners (x, y) in pixels of the frame; may lie outside.
        side: Side in pixels.
        frames: (N,) numbers of the frames, ascending, whose patch counts.
    """

    corners: NDArray[np.int64]
    side: int
    frames: NDArray[np.int64]


def find_patches(part: Part, poses: PoseSequence, size: Size) -> dict[str, Patches]:
    """Find the patches of each region of a part, and which of them count.

    A patch counts if all key points of its centre are known (`THRESHOLD`), the centre lies in the
    frame, and `MIN_INSIDE` of the patch does.

    Args:
        part: The part.
        poses: Key points of T frames; scaled to the frames if their picture has another size.
        size: (H, W) of the frames.
    """
    side, limits = part.side(size), np.array([size[1], size[0]])
    found = {}
    for region, points in part.regions.items():
        # Place them
        means = poses.keypoints[:, list(points)].astype(np.float64).mean(axis=1)  # (T, 2)
        scale = np.array([size[1] / poses.size[1], size[0] / poses.size[0]])
        centres = np.round(means * scale).astype(np.int64)
        corners = centres - side // 2

        # See which count
        known = (poses.confidence[:, list(points)] >= THRESHOLD).all(axis=1)
        in_frame = ((centres >= 0) & (centres < limits)).all(axis=1)
        overlap = np.minimum(corners + side, limits) - np.maximum(corners, 0)
        enough = np.clip(overlap, 0, None).prod(axis=1) / max(side, 1) ** 2 >= MIN_INSIDE
        found[region] = Patches(corners, side, np.flatnonzero(known & in_frame & enough))
    return found


def cut(frames: NDArray[np.uint8], patches: Patches) -> NDArray[np.uint8]:
    """Cut the patches that count out of (T, H, W, 3) frames, (N, side, side, 3).

    Beyond the border a frame is mirrored; the border pixel is not repeated.
    """
    side, (height, width) = patches.side, frames.shape[1:3]
    result = np.zeros((len(patches.frames), side, side, 3), np.uint8)
    for index, frame in enumerate(patches.frames):
        x, y = patches.corners[frame]
        rows = _mirrored(np.arange(y, y + side), height)
        result[index] = frames[frame][rows[:, None], _mirrored(np.arange(x, x + side), width)]
    return result


def _mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Fold indices into [0, length) by reflection at the first and the last pixel."""
    period = max(2 * (length - 1), 1)
    folded = np.abs(index) % period
    return np.asarray(np.minimum(folded, period - folded) if length > 1 else folded * 0, np.int64)


def checked_poses(chunk: Chunk, metric: str) -> PoseSequence:
    """Return the poses of true frames."""
    name = f"clip {chunk.clip}" if chunk.clip else "clip"
    if chunk.poses is None:
        raise UserError(
            f"{name}: {metric} needs the poses of the reference. "
            "Give them with --poses, or leave out --hand-metrics."
        )
    if chunk.poses.skeleton != SKELETON:
        raise UserError(
            f"{name}: poses have skeleton {chunk.poses.skeleton}; "
            f"{metric} expects {SKELETON}, which has hands, face and mouth."
        )
    return chunk.poses


# ----- SSIM ---------------------------------------------------------------------------------------


def region_ssim(part: Part) -> MeanMetric:
    """Return the SSIM of square patches around one part of the true signer, cut alike from both.

    A patch counts as `find_patches` says; `coverage` is the share that counts; none of a frame so
    small that the patch is below the window of SSIM. The score is the mean over patches: over
    hands, not over frames.

    Differs from FPDM: the paper (section 4, Hand SSIM) does not say when a hand is left out nor
    which window its SSIM has, because no code of its hand metrics was published; both are stated in
    the signature here. It has no scores of face and mouth; signers judge by them as well.
    """
    name, regions = f"{part.name}_ssim", tuple(part.regions)

    def measure(generated: Chunk, reference: Chunk) -> Values:
        poses, size = checked_poses(reference, name), reference.size
        values = {region: np.full(len(poses), np.nan) for region in regions}  # (T,)
        if not part.too_small(size, GAUSSIAN.window):
            for region, patches in find_patches(part, poses, size).items():
                ours, truth = (cut(chunk.frames, patches) for chunk in (generated, reference))
                values[region][patches.frames] = ssim(ours, truth)
        present = ~np.isnan(np.concatenate(list(values.values())))
        return values | {"coverage": present.astype(np.float64)}

    def details(results: Mapping[str, Means]) -> dict[str, float | None]:
        names = ("coverage", *(regions if len(regions) > 1 else ()))
        return {column: pooled(results.values(), column).value for column in names}

    return MeanMetric(
        name=name,
        signature=f"{part.signature}|win:gauss11-1.5|border:none|range:255|channels:rgb"
        f"|size:{{size}}|mean:{part.counted}|version:1",
        begin=frame_by_frame(measure),
        higher_is_better=True,
        columns=regions,
        details=details,
        too_small=lambda size: part.too_small(size, GAUSSIAN.window),
    )
