"""Hand pose error: how far the points of generated hands are from those of the true ones."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.evaluation.metrics.keypoints.hand_points import HandPoints, HandSource
from signgen.evaluation.metrics.networks import Missing
from signgen.evaluation.metrics.regions import (
    HAND,
    PatchRules,
    checked_poses,
    cut,
    find_places,
    mean_of_present,
    patch_side,
    too_small,
)
from signgen.pose.estimators.hand_patches import PATCH_SIZE
from signgen.structures import PoseSequence

__all__ = ["BLUR_LIMIT", "MISSED", "HandPE", "sharpness"]

MISSED = 64.0
"""What `hand_pe_penalty` charges for a generated hand without points: a quarter of the patch."""
BLUR_LIMIT = 100.0
"""Sharpness below which a true hand counts as blurred. The palette's noise in a GIF hides blur."""
SMALLEST = 16
"""Smallest side of a hand patch in pixels; with less, points mean nothing."""
SHARPNESS_SIDE = 60
VERSION = "1"
"""Version of the definitions in this file; part of every signature."""


class HandPE:
    """Mean |difference| of the 21 x 2 coordinates of a hand, in a patch of 256 x 256 pixels.

    FPDM, section 4. Patches are those of Hand SSIM, both resized to 256 x 256 (bicubic) and given
    to the same estimator. The score is the mean over hands. A hand is measured where the patch
    counts and the true patch gives points (`truth_detected`). Where the generated patch gives none
    (`detected_rate` is the share that does), `hand_pe` leaves the hand out, which flatters blur,
    and `hand_pe_penalty` charges `penalty`. Read it beside `noise_floor`: the same distance between
    the truth and the truth as a JPEG of quality 60, over the hands that both give points of.

    Differs from FPDM: the paper states neither the unit nor what happens to hands without points;
    256-pixel coordinates come near its 21.4, and both are stated in the signature here.

    Args:
        source: Where points come from, or why there is no estimator here.
        penalty: What a hand without points is charged; None leaves it out.
        rules: Which patches count.
    """

    def __init__(
        self,
        source: HandSource | Missing,
        penalty: float | None = None,
        *,
        rules: PatchRules | None = None,
    ) -> None:
        self.name = "hand_pe" if penalty is None else "hand_pe_penalty"
        self.penalty = penalty
        self._source = source
        self._rules = rules or PatchRules()
        self._sizes = FrameSizes()
        self._read: dict[str, int] = {}
        self._candidates = self._patches = 0
        self._too_small = ""
        self._errors, self._in_frame = ClipMeans(), ClipMeans()
        self._hands = {hand: ClipMeans() for hand in HAND.regions}
        self._shares = {name: ClipMeans() for name in ("detected", "blurred", "floor")}
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

        Raises:
            ValueError: If the numbers of poses and frames differ.
            UserError: If there are no poses, or of another skeleton.
        """
        check_frames(generated, reference)
        poses = checked_poses(poses, len(generated), metric=self.name, clip=clip)
        self._sizes.add(generated)
        if isinstance(self._source, Missing):
            return
        size = (int(generated.shape[1]), int(generated.shape[2]))
        side = patch_side(HAND, self._rules.patch_height, size)
        self._candidates += len(HAND.regions) * len(generated)
        per_hand = np.full((len(HAND.regions), len(generated)), np.nan)
        self.latest = per_hand[0]
        if reason := too_small(HAND, side, size, SMALLEST):
            self._too_small = reason
            return
        start = self._read.get(clip, 0)
        self._read[clip] = start + len(generated)
        source = self._source.open(clip, start, generated, reference, poses)
        for row, (hand, points) in enumerate(HAND.regions.items()):
            places = find_places(poses, points, side, size, self._rules)
            self._patches += len(places.chosen)
            found = source.points(hand, places)
            per_hand[row, places.chosen] = self._measure(clip, hand, found, side)
            sharp = [sharpness(patch) for patch in cut(reference, places)[found.truth_found]]
            self._shares["blurred"].add(clip, [float(value < BLUR_LIMIT) for value in sharp])
        self.latest = mean_of_present(per_hand)

    def finish(self, clip: str) -> None:
        """See `FinishesClips.finish`.

        Raises:
            UserError: If more key points were given than frames.
        """
        if not isinstance(self._source, Missing) and clip in self._read:
            self._source.finish({clip: self._read[clip]})

    def compute(self) -> Score:
        """Return the mean over hands, in pixels of the 256-pixel patch.

        Details: `coverage` (of all hands of all frames, those whose true patch gives points),
        `truth_detected`, `detected_rate`, `noise_floor`, `frame_pixels` (the score in pixels of the
        frame), `left`, `right`, `blurred` (share of the true hands whose sharpness is below
        `BLUR_LIMIT`; they are measured as well).

        Raises:
            UserError: If more key points were given than frames.
        """
        if not isinstance(self._source, Missing):
            self._source.finish(self._read)
        charged = "missed:left-out" if self.penalty is None else f"missed:{self.penalty:g}"
        signature = (
            *self._rules.signature(HAND),
            f"resize:{PATCH_SIZE}-bicubic-opencv",
            f"estimator:{'none' if isinstance(self._source, Missing) else self._source.name}",
            "unit:px256",
            charged,
            f"size:{self._sizes}",
            "mean:hands",
            f"version:{VERSION}",
        )
        truth_found = self._shares["detected"].count
        score = self._errors.score(
            self.name,
            signature,
            higher_is_better=False,
            details={
                "coverage": truth_found / self._candidates if self._candidates else None,
                "truth_detected": truth_found / self._patches if self._patches else None,
                "detected_rate": self._shares["detected"].mean(),
                "noise_floor": self._shares["floor"].mean(),
                "frame_pixels": self._in_frame.mean(),
                "blurred": self._shares["blurred"].mean(),
            }
            | {hand: means.mean() for hand, means in self._hands.items()},
        )
        if isinstance(self._source, Missing):
            return replace(score, unavailable=self._source.reason)
        return score if score.n else replace(score, unavailable=self._too_small)

    def _measure(self, clip: str, hand: str, found: HandPoints, side: int) -> NDArray[np.float64]:
        """Take one hand of a chunk; (N,) what each patch counts, NaN where nothing."""
        errors = distances(found.generated, found.truth)
        detected = found.generated_found[found.truth_found]
        missed = np.nan if self.penalty is None else self.penalty
        errors = np.where(found.generated_found, errors, missed)
        errors[~found.truth_found] = np.nan
        counted = errors[~np.isnan(errors)]
        self._errors.add(clip, counted)
        self._in_frame.add(clip, counted * side / PATCH_SIZE)
        self._hands[hand].add(clip, counted)
        self._shares["detected"].add(clip, detected.astype(np.float64))
        if found.floor is not None and found.floor_found is not None:
            both = found.truth_found & found.floor_found
            self._shares["floor"].add(clip, distances(found.floor, found.truth)[both])
        return errors


def distances(points: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean |difference| of all coordinates of each hand, (N, 21, 2) to (N,)."""
    difference = points.astype(np.float64) - others.astype(np.float64)
    return np.asarray(np.abs(difference).mean(axis=(1, 2)), np.float64)


def sharpness(patch: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of the luma (Pech-Pacheco et al. 2000).

    Args:
        patch: (S, S, 3) uint8; resized to 60 x 60 first, so that the size of frames does not count.
    """
    grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)
    if grey.shape != (SHARPNESS_SIDE, SHARPNESS_SIDE):
        grey = cv2.resize(grey, (SHARPNESS_SIDE, SHARPNESS_SIDE), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())
