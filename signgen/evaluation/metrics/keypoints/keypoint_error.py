"""Key points found again in generated frames: how far they are from the true ones, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import MeanMetric, Results
from signgen.evaluation.metrics.keypoints.dtw import warping_path_cost
from signgen.evaluation.metrics.keypoints.redetection import OpenClip
from signgen.evaluation.metrics.networks import Unavailable
from signgen.evaluation.metrics.score import Mean, Means, pooled
from signgen.pose.estimators.base import PoseEstimator
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = ["PARTS", "PCK", "keypoint_metrics"]

_SKELETON = SKELETONS["coco-wholebody-133"]
PARTS = {
    "body": tuple(range(*_SKELETON.body)),
    "hands": (*range(*_SKELETON.left_hand), *range(*_SKELETON.right_hand)),
    "mouth": tuple(range(71, 91)),
}
"""Points that are compared, by part: 17 of the body, 42 of the hands, 20 of the mouth."""
PCK = ("pck@0.1", "pck@0.2")
"""Shares of points within so many shoulder widths, which are correct."""
MISSED = 0.5
"""Shoulder widths that `keypoint_dtw` charges for a true point that was not found."""
THRESHOLD = 0.3
"""Smallest confidence of a point."""

_ALL = [index for part in PARTS.values() for index in part]


def keypoint_metrics(estimator: PoseEstimator | Unavailable) -> tuple[MeanMetric, MeanMetric]:
    """Return `keypoint_error` and `keypoint_dtw`, which cost one estimate.

    - The mean distance of key points found in the generated frames from the true ones, which are
      given. In shoulder widths: the median over the clip's frames of the true distance of the
      shoulders. A true point counts if its confidence is at least `THRESHOLD` and it lies in the
      frame. One that is not found in the generated frame (confidence below `THRESHOLD`) has no
      distance: `missed` is the share of those, and `pck@0.1` and `pck@0.2` count them as wrong. The
      score is the mean over points; the details have each part, and `clips_without_shoulders`,
      which have no unit and are not measured.
    - Dynamic time warping of the found to the true points: right, but perhaps early. The cost of a
      pair of frames is the mean distance of the true frame's points, `MISSED` for those that the
      generated frame lacks; the score of a clip is the cost of the cheapest path divided by its
      length (see `warping_path_cost`). True frames without a point are left out of the path;
      `frames_without_truth` is their number. Mean over clips.
    """
    setting = (
        f"estimator:{estimator.name}|truth:given|points:body17-hands42-mouth20"
        f"|confidence:{THRESHOLD:g}|unit:shoulder-width"
    )
    error = MeanMetric(
        name="keypoint_error",
        signature=f"{setting}|size:{{size}}|mean:points|version:1",
        columns=tuple(PARTS),
    )
    dtw = MeanMetric(
        name="keypoint_dtw",
        signature=f"{setting}|missed:{MISSED:g}|path:full-symmetric|size:{{size}}|mean:clips"
        "|version:1",
        columns=("dtw",),
    )
    if isinstance(estimator, Unavailable):
        reason = estimator.reason
        return replace(error, unavailable=reason), replace(dtw, unavailable=reason)

    def begin(clip: str, results: Results) -> OpenClip:
        return OpenClip(clip, estimator, _measure)

    return (
        replace(error, begin=begin, details=_error_details),
        replace(
            dtw,
            begin=begin,
            details=lambda results: _counted(
                results, "frames_without_truth", "clips_without_shoulders"
            ),
        ),
    )


def _measure(reference: PoseSequence, estimated: PoseSequence) -> Means:
    """Return what both scores need of a clip, in shoulder widths."""
    unit = shoulder_width(reference)
    if unit is None:
        return {"clips_without_shoulders": Mean.of([1])}
    means: dict[str, Mean] = {}

    # Compare the points of each part, frame by frame
    truth, generated = (one.keypoints.astype(np.float64) for one in (reference, estimated))
    limits = np.array([reference.size[1], reference.size[0]])
    inside = ((truth >= 0) & (truth < limits)).all(axis=-1)
    true, found = (reference.confidence >= THRESHOLD) & inside, estimated.confidence >= THRESHOLD
    distance = np.linalg.norm(generated - truth, axis=-1) / unit  # (T, 133)
    for part, indices in PARTS.items():
        counted = true[:, indices]
        seen, apart = found[:, indices][counted], distance[:, indices][counted]  # (N,)
        means[part] = Mean.of(apart[seen])
        means[f"{part}_missed"] = Mean.of(~seen)
        for name in PCK:
            means[f"{part}_{name}"] = Mean.of((apart <= float(name[4:])) & seen)

    # Warp time
    frames = true[:, _ALL].any(axis=1)
    true, truth = true[frames][:, _ALL], truth[frames][:, _ALL]
    generated, found = generated[:, _ALL], found[:, _ALL]

    def costs(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        apart = np.linalg.norm(truth[rows] - generated[columns], axis=-1) / unit
        charged = np.where(found[columns], apart, MISSED) * true[rows]
        return np.asarray(charged.sum(axis=1) / true[rows].sum(axis=1), np.float64)

    total, length = warping_path_cost(costs, len(truth), len(generated))
    means["dtw"] = Mean.of([total / length])
    means["frames_without_truth"] = Mean.of(np.asarray(~frames))
    return means


def _error_details(results: Mapping[str, Means]) -> dict[str, float | None]:
    def mean(name: str, *parts: str) -> float | None:
        return pooled(results.values(), *(f"{part}_{name}" for part in parts)).value

    details = {name: mean(name, *PARTS) for name in ("missed", *PCK)}
    for part in PARTS:
        details[part] = pooled(results.values(), part).value
        details |= {f"{part}_{name}": mean(name, part) for name in ("missed", *PCK)}
    return details | _counted(results, "clips_without_shoulders")


def _counted(results: Mapping[str, Means], *names: str) -> dict[str, float | None]:
    return {name: pooled(results.values(), name).total for name in names}


def shoulder_width(truth: PoseSequence) -> float | None:
    """Return the median distance of the true shoulders in pixels; None if they are never seen."""
    shoulders = [_SKELETON.index(f"{side}_shoulder") for side in ("left", "right")]
    seen = (truth.confidence[:, shoulders] >= THRESHOLD).all(axis=1)
    pairs = truth.keypoints[seen][:, shoulders].astype(np.float64)
    left, right = rearrange(pairs, "t side c -> side t c")
    widths = np.linalg.norm(left - right, axis=-1)
    width = float(np.median(widths)) if len(widths) else 0.0
    return width if width > 0 else None
