"""Hand pose error: how far the points of generated hands are from those of the true ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import NOTHING, Chunk, MeanMetric, Values, frame_by_frame
from signgen.evaluation.metrics.keypoints.hand_points import GivenHands, HandSource, as_jpeg
from signgen.evaluation.metrics.networks import Unavailable
from signgen.evaluation.metrics.regions import HAND, Patches, checked_poses, cut, find_patches
from signgen.evaluation.metrics.score import Mean, Means, pooled
from signgen.pose.estimators.hand_patches import PATCH_SIZE

__all__ = ["BLUR_LIMIT", "MISSED", "hand_pe", "sharpness"]

MISSED = 64.0
"""What `hand_pe_penalty` charges for a generated hand without points: a quarter of the patch."""
BLUR_LIMIT = 100.0
"""Sharpness below which a true hand counts as blurred. The palette's noise in a GIF hides blur."""
SMALLEST = 16
"""Smallest side of a hand patch in pixels; with less, points mean nothing."""
SHARPNESS_SIDE = 60
TrueHands = tuple[
    Patches, NDArray[np.float32], NDArray[np.bool_], Mapping[str, NDArray[np.generic]]
]
"""Where patches are, the points in each, whether it has some, and values of the truth alone."""


def hand_pe(source: HandSource | Unavailable) -> tuple[MeanMetric, MeanMetric]:
    """Return `hand_pe` and `hand_pe_penalty`, which are measured once.

    Mean |difference| of the 21 x 2 coordinates of a hand, in a patch of 256 x 256 pixels: FPDM,
    section 4. Patches are those of Hand SSIM, both resized to 256 x 256 (bicubic) and given to the
    same estimator. The score is the mean over hands. A hand is measured where the patch counts and
    the true patch gives points (`truth_detected`). Where the generated patch gives none
    (`detected_rate` is the share that does), `hand_pe` leaves the hand out, which flatters blur,
    and `hand_pe_penalty` charges `MISSED`. Read it beside `noise_floor`: the same distance between
    the truth and the truth as a JPEG of quality 60, over the hands that both give points of.

    Further details: `coverage` (of all hands of all frames, those whose true patch gives points),
    `frame_pixels` (the score in pixels of the frame), `left`, `right`, `blurred` (share of the true
    hands whose sharpness is below `BLUR_LIMIT`; they are measured as well).

    Differs from FPDM: the paper states neither the unit nor what happens to hands without points;
    256-pixel coordinates come near its 21.4, and both are stated in the signature here.
    """
    begin = NOTHING
    if not isinstance(source, Unavailable):
        begin = frame_by_frame(partial(_measure, source=source))

    def metric(name: str, missed: str, penalty: float) -> MeanMetric:
        return MeanMetric(
            name=name,
            signature=f"{HAND.signature}|resize:{PATCH_SIZE}-bicubic-opencv"
            f"|estimator:{source.name}|unit:px256|missed:{missed}|size:{{size}}|mean:hands"
            "|version:1",
            begin=begin,
            clips=lambda results: {
                clip: _error([means], penalty, *HAND.regions) for clip, means in results.items()
            },
            details=partial(_details, penalty=penalty),
            generated_only=isinstance(source, GivenHands),
            too_small=lambda size: HAND.too_small(size, SMALLEST),
            unavailable=source.reason,
        )

    return metric("hand_pe", "left-out", 0), metric("hand_pe_penalty", f"{MISSED:g}", MISSED)


def _measure(generated: Chunk, reference: Chunk, source: HandSource) -> Values:
    """Return the errors of hands that both have points of, and what the details tell."""
    poses = checked_poses(reference, "hand_pe")
    values: dict[str, list[NDArray[np.generic]]] = {}
    values["candidates"] = [np.ones(len(HAND.regions) * len(poses))]
    hands = {} if HAND.too_small(reference.size, SMALLEST) else reference.feature(_truth, source)
    for hand, (patches, truth, truth_found, of_truth) in hands.items():
        ours, ours_found = source.find(generated, hand, patches)
        both, missed = truth_found & ours_found, np.ones((truth_found & ~ours_found).sum())
        errors, scale = distances(ours[both], truth[both]), patches.side / PATCH_SIZE
        found = {
            **of_truth,
            hand: errors,
            f"{hand}_missed": missed,
            "frame_pixels": errors * scale,
            "frame_pixels_missed": missed * scale,
            "detected_rate": ours_found[truth_found],
        }
        for name, numbers in found.items():
            values.setdefault(name, []).append(numbers)
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in values.items()}


def _truth(reference: Chunk, source: HandSource) -> dict[str, TrueHands]:
    """Return where the true hands are, their points, and what is told of them."""
    poses = checked_poses(reference, "hand_pe")
    hands: dict[str, TrueHands] = {}
    for hand, patches in find_patches(HAND, poses, reference.size).items():
        # Find the points
        truth, found = source.find(reference, hand, patches)
        values: dict[str, NDArray[np.generic]] = {"truth_detected": found}

        # Say how sharp they are, and how far from themselves
        pictures = cut(reference.frames, patches)[found]
        values["blurred"] = np.array([sharpness(picture) < BLUR_LIMIT for picture in pictures])
        if source.noise_floor:
            floor, floor_found = source.find(reference.feature(as_jpeg), hand, patches)
            values["noise_floor"] = distances(floor, truth)[found & floor_found]
        hands[hand] = patches, truth, found, values
    return hands


def _error(clips: Iterable[Means], penalty: float, *names: str) -> Mean:
    """Return the mean of errors; hands without points count the penalty, if it is not 0."""
    clips = list(clips)
    errors = pooled(clips, *names)
    missed = pooled(clips, *(f"{name}_missed" for name in names))
    if not penalty:
        return errors
    return Mean(errors.total + penalty * missed.total, errors.count + missed.count)


def _details(results: Mapping[str, Means], penalty: float) -> dict[str, float | None]:
    clips = list(results.values())
    candidates, truth = pooled(clips, "candidates").count, pooled(clips, "truth_detected")
    return {
        "coverage": truth.total / candidates if candidates else None,
        "truth_detected": truth.value,
        "detected_rate": pooled(clips, "detected_rate").value,
        "noise_floor": pooled(clips, "noise_floor").value,
        "frame_pixels": _error(clips, penalty, "frame_pixels").value,
        "blurred": pooled(clips, "blurred").value,
        **{hand: _error(clips, penalty, hand).value for hand in HAND.regions},
    }


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
