"""Key points found again in generated frames: how far they are from the true ones, and when."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.evaluation.metrics.keypoints.dtw import warping_path_cost
from signgen.evaluation.metrics.keypoints.redetection import (
    ClipPoints,
    Redetection,
    RememberingEstimator,
    Truth,
)
from signgen.evaluation.metrics.networks import Missing
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = ["PARTS", "PCK", "KeypointDTW", "KeypointError"]

_SKELETON = SKELETONS["coco-wholebody-133"]
PARTS = {
    "body": tuple(range(*_SKELETON.body)),
    "hands": (*range(*_SKELETON.left_hand), *range(*_SKELETON.right_hand)),
    "mouth": tuple(range(71, 91)),
}
"""Points that are compared, by part: 17 of the body, 42 of the hands, 20 of the mouth."""
PCK = (0.1, 0.2)
"""Shoulder widths within which a point is correct."""
MISSED = 0.5
"""Shoulder widths that `KeypointDTW` charges for a true point that was not found."""
VERSION = "1"
"""Version of the definitions in this file; part of every signature."""

Stack = NDArray[np.uint8]
_ALL = tuple(index for part in PARTS.values() for index in part)


class _FoundAgain:
    """What metrics of key points share: clips are measured when their points are complete."""

    name = ""
    latest: NDArray[np.float64] | None = None

    def __init__(
        self,
        estimator: RememberingEstimator | Missing,
        truth: Truth = "given",
        threshold: float = 0.3,
    ) -> None:
        self._clips = (
            estimator
            if isinstance(estimator, Missing)
            else Redetection(estimator, truth, self.name)
        )
        self._threshold = threshold
        self._signature = _signature(estimator, truth, threshold)
        self._sizes = FrameSizes()
        self._without_shoulders = 0

    def update(
        self,
        generated: Stack,
        reference: Stack,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. A clip is measured when it is complete.

        Raises:
            ValueError: If the numbers of poses and frames differ, or a clip comes again.
            UserError: If the truth is to be given and is not, or has another skeleton.
        """
        check_frames(generated, reference)
        self._sizes.add(generated)
        if not isinstance(self._clips, Missing):
            for done in self._clips.extend(clip, generated, reference, poses):
                self._measure(done)

    def finish(self, clip: str) -> None:
        """See `FinishesClips.finish`.

        Raises:
            UserError: If the estimator cannot work on the clip.
        """
        self._close()

    def _close(self) -> None:
        """Measure the clip that is open."""
        if not isinstance(self._clips, Missing):
            for done in self._clips.close():
                self._measure(done)

    def _measure(self, done: ClipPoints) -> None:
        raise NotImplementedError


class KeypointError(_FoundAgain):
    """Mean distance of key points found in the generated frames from the true ones.

    In shoulder widths: the median over the clip's frames of the true distance of the shoulders.
    A true point counts if its confidence is at least `threshold` and it lies in the frame. One that
    is not found in the generated frame (confidence below `threshold`) has no distance: `missed` is
    the share of those, and `pck@0.1` and `pck@0.2`, the shares of points within so many shoulder
    widths, count them as wrong. The score is the mean over points; the details have each part.

    Args:
        estimator: Finds key points, or why there is none here.
        truth: Whether true points are `given` as poses, or `detected` by the same estimator.
        threshold: Smallest confidence of a point.
    """

    name = "keypoint_error"

    def __init__(
        self,
        estimator: RememberingEstimator | Missing,
        truth: Truth = "given",
        threshold: float = 0.3,
    ) -> None:
        super().__init__(estimator, truth, threshold)
        self._errors = ClipMeans()
        self._parts = {part: ClipMeans() for part in PARTS}
        self._missed = {part: ClipMeans() for part in PARTS}
        self._correct = {key: ClipMeans() for key in product(PARTS, PCK)}

    def compute(self) -> Score:
        """Return the mean over points, in shoulder widths; closes the clip that is open.

        Details: `missed`, `pck@0.1`, `pck@0.2`, `clips_without_shoulders` (which have no unit and
        are not measured), and error, missed points and PCK of `body`, `hands` and `mouth`.
        """
        signature = (*self._signature, f"size:{self._sizes}", "mean:points", f"version:{VERSION}")
        if isinstance(self._clips, Missing):
            empty = self._errors.score(self.name, signature, higher_is_better=False)
            return replace(empty, unavailable=self._clips.reason)
        self._close()
        details = {"missed": _pooled(*self._missed.values())}
        details |= {
            f"pck@{width:g}": _pooled(*(self._correct[part, width] for part in PARTS))
            for width in PCK
        }
        for part in PARTS:
            details[part] = self._parts[part].mean()
            details[f"{part}_missed"] = self._missed[part].mean()
            for width in PCK:
                details[f"{part}_pck@{width:g}"] = self._correct[part, width].mean()
        details["clips_without_shoulders"] = float(self._without_shoulders)
        return self._errors.score(self.name, signature, higher_is_better=False, details=details)

    def _measure(self, done: ClipPoints) -> None:
        unit = shoulder_width(done, self._threshold)
        if unit is None:
            self._without_shoulders += 1
            return
        true, found = present(done, self._threshold)
        distance = np.linalg.norm(done.generated.places - done.truth.places, axis=-1) / unit
        for part, points in PARTS.items():
            chosen = list(points)
            counted = true[:, chosen]
            seen = found[:, chosen][counted]
            apart = distance[:, chosen][counted]
            self._errors.add(done.clip, apart[seen])
            self._parts[part].add(done.clip, apart[seen])
            self._missed[part].add(done.clip, (~seen).astype(np.float64))
            for width in PCK:
                correct = (apart <= width) & seen
                self._correct[part, width].add(done.clip, correct.astype(np.float64))


class KeypointDTW(_FoundAgain):
    """Dynamic time warping of the found key points to the true ones: right, but perhaps early.

    The cost of a pair of frames is the mean distance of the true frame's points in shoulder widths,
    `MISSED` for those that the generated frame lacks; the score of a clip is the cost of the
    cheapest path divided by its length (see `warping_path_cost`). True frames without a point are
    left out of the path; `frames_without_truth` is their number. Mean over clips.

    Args:
        estimator: As for `KeypointError`; shared with it, it costs one estimate.
        truth: As for `KeypointError`.
        threshold: As for `KeypointError`.
    """

    name = "keypoint_dtw"

    def __init__(
        self,
        estimator: RememberingEstimator | Missing,
        truth: Truth = "given",
        threshold: float = 0.3,
    ) -> None:
        super().__init__(estimator, truth, threshold)
        self._costs = ClipMeans()
        self._without_truth = 0

    def compute(self) -> Score:
        """Return the mean over clips; closes the clip that is open."""
        signature = (
            *self._signature,
            f"missed:{MISSED:g}",
            "path:full-symmetric",
            f"size:{self._sizes}",
            "mean:clips",
            f"version:{VERSION}",
        )
        if isinstance(self._clips, Missing):
            empty = self._costs.score(self.name, signature, higher_is_better=False)
            return replace(empty, unavailable=self._clips.reason)
        self._close()
        return self._costs.score(
            self.name,
            signature,
            higher_is_better=False,
            details={
                "frames_without_truth": float(self._without_truth),
                "clips_without_shoulders": float(self._without_shoulders),
            },
        )

    def _measure(self, done: ClipPoints) -> None:
        unit = shoulder_width(done, self._threshold)
        if unit is None:
            self._without_shoulders += 1
            return
        true, found = (mask[:, list(_ALL)] for mask in present(done, self._threshold))
        kept = true.any(axis=1)
        self._without_truth += int((~kept).sum())
        true, truth = true[kept], done.truth.places[kept][:, list(_ALL)]
        generated = done.generated.places[:, list(_ALL)]

        def costs(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
            apart = np.linalg.norm(truth[rows] - generated[columns], axis=-1) / unit
            charged = np.where(found[columns], apart, MISSED) * true[rows]
            return np.asarray(charged.sum(axis=1) / true[rows].sum(axis=1), np.float64)

        total, length = warping_path_cost(costs, len(truth), len(generated))
        self._costs.add(done.clip, [total / length])


def shoulder_width(done: ClipPoints, threshold: float) -> float | None:
    """Return the median distance of the true shoulders in pixels; None if they are never seen."""
    shoulders = [_SKELETON.index(f"{side}_shoulder") for side in ("left", "right")]
    seen = (done.truth.confidence[:, shoulders] >= threshold).all(axis=1)
    left, right = done.truth.places[seen][:, shoulders].transpose(1, 0, 2)
    widths = np.linalg.norm(left - right, axis=-1)
    width = float(np.median(widths)) if len(widths) else 0.0
    return width if width > 0 else None


def present(done: ClipPoints, threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (T, 133) which true points count, and which generated ones were found."""
    limits = np.array([done.size[1], done.size[0]])
    inside = ((done.truth.places >= 0) & (done.truth.places < limits)).all(axis=-1)
    true = (done.truth.confidence >= threshold) & inside
    return np.asarray(true, np.bool_), np.asarray(done.generated.confidence >= threshold, np.bool_)


def _signature(
    estimator: RememberingEstimator | Missing, truth: Truth, threshold: float
) -> tuple[str, ...]:
    return (
        f"estimator:{'none' if isinstance(estimator, Missing) else estimator.name}",
        f"truth:{truth}",
        "points:body17-hands42-mouth20",
        f"confidence:{threshold:g}",
        "unit:shoulder-width",
    )


def _pooled(*means: ClipMeans) -> float | None:
    """Return the mean over all items of all."""
    counts = [each.count for each in means]
    sums = [(each.mean() or 0.0) * each.count for each in means]
    return sum(sums) / sum(counts) if sum(counts) else None
