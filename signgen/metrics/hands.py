"""Metrics of the hands, the part of the picture that carries the sign."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from signgen.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.metrics.image import SSIM_WINDOW, ssim
from signgen.structures import PoseSequence, UserError

KNUCKLES = {"left": 100, "right": 121}
"""Middle knuckle (from palm to middle finger) of the signer's hands in COCO-WholeBody-133."""
SKELETON = "coco-wholebody-133"
VERSION = "1"
"""Version of the definitions in this file; part of every signature."""


class HandSSIM:
    """SSIM of square patches around the true middle knuckles.

    FPDM, section 4: 60 x 60 patches of 210 x 260 frames. The patch is scaled with the height of the
    frame, so that it holds as much of the signer at any size. A hand counts only if its knuckle is
    known (`threshold`), lies in the frame, and `min_inside` of its patch does; `coverage` is the
    share that counts. Outside of the frame both pictures are mirrored. The score is the mean over
    hands, not over frames.

    Differs from FPDM: the paper does not say when a hand is left out nor which window its SSIM has,
    because no code of its hand metrics was published; both are stated in the signature here.

    Args:
        patch: Side of the patch in pixels of a frame `patch_height` high.
        patch_height: Height of the frame that `patch` refers to.
        threshold: Smallest confidence of the knuckle.
        min_inside: Smallest share of the patch's area inside the frame.
    """

    name = "hand_ssim"

    def __init__(
        self,
        patch: int = 60,
        patch_height: int = 260,
        threshold: float = 0.3,
        min_inside: float = 0.3,
    ) -> None:
        self.patch, self.patch_height = patch, patch_height
        self.threshold, self.min_inside = threshold, min_inside
        self._means = ClipMeans()
        self._hands = {hand: ClipMeans() for hand in KNUCKLES}
        self._sizes = FrameSizes()
        self._candidates = 0
        self.latest: NDArray[np.float64] | None = None

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`.

        Poses in a picture of another size are scaled to the frames.

        Raises:
            ValueError: If the numbers of poses and frames differ.
            UserError: If there are no poses, or of another skeleton, or frames are too small.
        """
        check_frames(generated, reference)
        poses = self._checked(poses, len(generated), clip)
        size = (int(generated.shape[1]), int(generated.shape[2]))
        side = patch_side(self.patch, self.patch_height, size)
        self._sizes.add(generated)
        scale = np.array([size[1] / poses.size[1], size[0] / poses.size[0]])
        per_hand = {hand: np.full(len(generated), np.nan) for hand in KNUCKLES}
        for hand, index in KNUCKLES.items():
            corners = np.round(poses.keypoints[:, index] * scale).astype(np.int64) - side // 2
            inside = inside_share(corners, side, size)
            centre = corners + side // 2
            in_frame = ((centre >= 0) & (centre < (size[1], size[0]))).all(axis=1)
            known = poses.confidence[:, index] >= self.threshold
            chosen = np.flatnonzero(known & in_frame & (inside >= self.min_inside))
            self._candidates += len(generated)
            values = [
                ssim(
                    *(crop(frames[t], corners[t], side)[None] for frames in (generated, reference))
                )
                for t in chosen
            ]
            flat = np.concatenate(values) if values else np.zeros(0)
            self._means.add(clip, flat)
            self._hands[hand].add(clip, flat)
            per_hand[hand][chosen] = flat
        self.latest = _mean_of_present(np.stack(list(per_hand.values())))

    def compute(self) -> Score:
        """Return the mean over hands; details: `coverage`, `left`, `right`."""
        count = self._means.count
        coverage = count / self._candidates if self._candidates else None
        return self._means.score(
            self.name,
            (
                f"patch:{self.patch}@{self.patch_height}",
                "centre:middle-knuckle",
                f"confidence:{self.threshold:g}",
                f"inside:{self.min_inside:g}",
                "pad:reflect",
                "win:gauss11-1.5",
                "border:none",
                "range:255",
                "channels:rgb",
                f"size:{self._sizes}",
                "mean:hands",
                f"version:{VERSION}",
            ),
            higher_is_better=True,
            details={"coverage": coverage}
            | {hand: means.mean() for hand, means in self._hands.items()},
        )

    def _checked(self, poses: PoseSequence | None, count: int, clip: str) -> PoseSequence:
        if poses is None:
            raise UserError(
                f"{clip or 'clip'}: {self.name} needs the poses of the reference. "
                "Give them with --poses, or leave out --hand-metrics."
            )
        if poses.skeleton != SKELETON:
            raise UserError(
                f"{clip or 'clip'}: poses have skeleton {poses.skeleton}; "
                f"{self.name} expects {SKELETON}, which has hands."
            )
        if len(poses) != count:
            raise ValueError(f"{len(poses)} poses for {count} frames; expected as many")
        return poses


def _mean_of_present(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis of what is not NaN, NaN where all is."""
    present = ~np.isnan(values)
    sums, counts = np.where(present, values, 0).sum(axis=0), present.sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def patch_side(patch: int, patch_height: int, size: tuple[int, int]) -> int:
    """Return the side of the hand patch in pixels of a frame.

    Args:
        patch: Side in a frame `patch_height` high.
        patch_height: Height that `patch` refers to.
        size: (H, W) of the frame.

    Raises:
        UserError: If the patch is smaller than the window of SSIM.
    """
    side = round(patch * size[0] / patch_height)
    if side < SSIM_WINDOW:
        raise UserError(
            f"hand_ssim cannot measure frames of {size[1]} x {size[0]}: hand patches would have "
            f"{side} pixels; expected at least {SSIM_WINDOW}, so larger frames."
        )
    return side


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
